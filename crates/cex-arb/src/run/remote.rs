//! `arb status`, `stop`, `kill`, `resume`: what another process says to a running engine, or does without it.

use super::cancel;
use super::control::{Answer, Directory, Question, STARTING, Status, Verb};
use super::finish::{HALTED, RESIDUAL};
use super::live::{directory, mode_name, of_this_process, open_journal};
use super::past::Past;
use super::recover::standing_open;
use super::venue::Venue;
use crate::cli::{ControlArgs, StopArgs};
use crate::config::command::failure;
use crate::config::{Config, Mode, Surroundings};
use crate::exit::{Exit, Failure, written};
use cex_core::{Markets, SymbolId, SymbolInfo, Timestamp};
use cex_journal::messages::{OperatorAck, SessionEnd, SessionStart};
use cex_journal::{JournalError, Writer};
use cex_transport::{Clock, TransportConfig};
use serde::Serialize;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

/// How long a running engine may take to answer.
const ANSWER: Duration = Duration::from_secs(2);
/// How long a stopped engine may take to let go of what is open.
const STOP: Duration = Duration::from_secs(120);
/// How long the disk may take for the halt file once everything else is done.
const HALT_WITHIN: Duration = Duration::from_secs(2);
/// Between two looks at open orders.
const LOOK: Duration = Duration::from_millis(200);

/// `arb status`.
///
/// # Errors
/// Exit code 6 when no engine runs there.
pub fn status(args: &ControlArgs, out: &mut impl Write) -> Result<(), Failure> {
    let (_, directory) = place(args)?;
    let status = ask(&directory, Verb::Status)?;
    show(args, &status, out)
}

/// `arb stop`: asks, waits until it has ended, and tells what its journal says is left.
///
/// # Errors
/// Exit code 6 when no engine runs there, 7 when it does not end in time, 8 when it ended halted, 9 when orders are undecided, an
/// arbitrage has not ended or was parked, or holdings differ, 10 when its journal does not say how it ended.
pub fn stop(args: &StopArgs, out: &mut impl Write) -> Result<(), Failure> {
    let StopArgs { control: args, flatten } = args;
    let (_, directory) = place(args)?;
    let status = ask(&directory, if *flatten { Verb::StopFlat } else { Verb::Stop })?;
    let until = Instant::now() + STOP;
    while UnixStream::connect(directory.socket()).is_ok() {
        if Instant::now() > until {
            let what = format!("process {} has not ended within {} s", status.pid, STOP.as_secs());
            return Err(Failure::new(
                Exit::Timeout,
                what,
                "arb status tells what is open; arb kill halts it",
            ));
        }
        std::thread::sleep(LOOK);
    }
    let past = Past::read(&directory.0.join("journal"))
        .map_err(|error| Failure::new(Exit::CheckFailed, error.to_string(), error.remedy()))?;
    let (unfinished, undecided) = (past.unfinished(), past.undecided());
    let ended = past.ended().unwrap_or_default();
    let left = standing_open(&past);
    let line = Stopped { event: "stopped", pid: status.pid, ended, unfinished, undecided, left: &left };
    written(tell_stopped(&line, status.open, args.json, out))?;
    how_it_ended(ended, &status, unfinished, undecided)
}

/// What an operator must hear of how the run ended that was asked to.
fn how_it_ended(ended: &str, status: &Status, unfinished: usize, undecided: u32) -> Result<(), Failure> {
    match ended {
        HALTED => {
            let what = "it ended halted: the next run waits for an operator";
            return Err(Failure::new(Exit::Halted, what, "look at both accounts, then: arb resume"));
        }
        // A start has not begun its session yet, and the one before it is not what was asked about.
        "" if status.mode != STARTING => {
            let what = format!("process {} ended, and its journal does not say how", status.pid);
            return Err(Failure::new(
                Exit::CheckFailed,
                what,
                "look at both accounts; arb run finds out what became of its orders",
            ));
        }
        _other => {}
    }
    // Who only looked has left nothing.
    if unfinished > 0 && status.run != "OBSERVE" {
        let what = format!("{unfinished} arbitrages did not end, {undecided} of their orders are undecided");
        return Err(Failure::new(
            Exit::Residual,
            what,
            "arb run finds out, and trades the difference away first",
        ));
    }
    if ended == RESIDUAL {
        let what = "it ended with arbitrages parked, or with holdings that differ from the accounts";
        return Err(Failure::new(Exit::Residual, what, "look at both accounts; arb journal dump tells what"));
    }
    Ok(())
}

/// What `stop --json` says.
#[derive(serde::Serialize)]
struct Stopped<'a> {
    event: &'static str,
    pid: u32,
    /// How its journal says it ended: `stopped`, `finished`, `interrupted`, `failed`, `halted`, `residual`; empty when it does not.
    ended: &'a str,
    /// Arbitrages that did not end.
    unfinished: usize,
    /// Their orders of which not everything is known.
    undecided: u32,
    /// What of them stands open, one sentence each.
    left: &'a [String],
}

fn tell_stopped(line: &Stopped<'_>, open: u32, json: bool, out: &mut impl Write) -> std::io::Result<()> {
    if json {
        return writeln!(out, "{}", sonic_rs::to_string(line).map_err(std::io::Error::other)?);
    }
    writeln!(
        out,
        "stopped: process {} had {open} arbitrages open; {} did not end, {} orders are undecided",
        line.pid, line.unfinished, line.undecided
    )?;
    for left in line.left {
        writeln!(out, "  left open: {left}")?;
    }
    Ok(())
}

/// `arb resume`: an operator has looked.
///
/// # Errors
/// When the halt cannot be lifted, and so stays: exit code 7 while the engine starts or ends, 8 when the halt file cannot be removed,
/// 10 when the journal cannot be written.
pub fn resume(args: &ControlArgs, out: &mut impl Write) -> Result<(), Failure> {
    let (config, directory) = place(args)?;
    let names_mode = args.set.iter().any(|set| set.split('=').next().is_some_and(|key| key.trim() == "mode"));
    match lift(&config, &directory, names_mode)? {
        Lifted::Running(status) => show(args, &status, out),
        Lifted::Alone { theirs } => written(tell_lifted(&theirs, args.json, out)),
    }
}

/// What became of lifting a halt.
#[derive(Debug, PartialEq)]
enum Lifted {
    /// By the engine that runs.
    Running(Box<Status>),
    /// No engine runs; this stood open, and whoever lifted it has looked at it.
    Alone { theirs: Vec<String> },
}

/// A halt was lifted, and no engine runs.
#[derive(Serialize)]
struct Resumed<'a> {
    event: &'static str,
    running: bool,
    /// What earlier runs left open: it is the operator's from now on, no start trades it away.
    left: &'a [String],
}

fn tell_lifted(theirs: &[String], json: bool, out: &mut impl Write) -> std::io::Result<()> {
    if json {
        let told = Resumed { event: "resumed", running: false, left: theirs };
        return writeln!(out, "{}", sonic_rs::to_string(&told).map_err(std::io::Error::other)?);
    }
    writeln!(out, "acknowledged; no engine runs, the next one may trade")?;
    for open in theirs {
        writeln!(out, "  yours from now on, no start trades it away: {open}")?;
    }
    Ok(())
}

/// Lifts the halt: an engine that runs does so itself, or refuses. Where none does, the acknowledgement is on disk before the halt
/// file goes: the file may be all that holds the next start. `names_mode` is whether the command line says which mode's run is meant.
fn lift(config: &Config, directory: &Directory, names_mode: bool) -> Result<Lifted, Failure> {
    let unremoved = |error| {
        let what = format!("{}: {error}", directory.halt_file().display());
        Failure::new(Exit::Halted, what, "remove it by hand")
    };
    let looked_at = directory.halt_mark().map_err(unremoved)?;
    match ask(directory, Verb::Resume) {
        Err(failure) if failure.exit == Exit::NotRunning => {
            // Whoever resumes one on paper, and forgets to say so, has not looked at what a live one left.
            if let Some(other) = directory.engine_of_another_mode().filter(|_| !names_mode) {
                let mut failure = other.failure();
                failure.fix = format!(
                    "if that one is meant: {}; if the one that is not there: add --set mode={}",
                    failure.fix, config.mode
                );
                return Err(failure);
            }
            let theirs = acknowledge(config, directory)?;
            // Where no engine runs the file is all that is known of a halt: one that was put there meanwhile nobody has looked at.
            if directory.halt_mark().map_err(unremoved)? != looked_at {
                let what = format!("{}: halted again meanwhile", directory.halt_file().display());
                return Err(Failure::new(Exit::Halted, what, "look again, then: arb resume"));
            }
            directory.remove_halt_file().map_err(unremoved)?;
            Ok(Lifted::Alone { theirs })
        }
        answered => answered.map(|status| Lifted::Running(Box::new(status))),
    }
}

/// Writes the acknowledgement into the journal of a run that is not there; what stood open and is the operator's from then on.
fn acknowledge(config: &Config, directory: &Directory) -> Result<Vec<String>, Failure> {
    let now = Clock::new().now();
    let (writer, recovered) = open_journal(config, directory, now)?;
    let failed = |error: JournalError| Failure::new(Exit::CheckFailed, error.to_string(), error.remedy());
    let past = Past::read(&directory.0.join("journal")).map_err(failed)?;
    write_acknowledgement(now, writer, of_this_process(), recovered.halt, &past).map_err(failed)?;
    Ok(standing_open(&past))
}

/// Writes into the journal of a run that is not there, and says `past`, that an operator has looked; `halt` is the record that they
/// were wanted for. It is a session of its own, of a mode that trades nothing: what earlier ones left open is theirs from then on.
///
/// # Errors
/// When it is not known to be on disk.
pub fn write_acknowledgement(
    now: Timestamp,
    mut writer: Writer,
    start: SessionStart,
    halt: Option<u64>,
    past: &Past,
) -> Result<(), JournalError> {
    // Also without a halt: a run that ended because of what an earlier one left open waits for it.
    let halt_seq = halt.unwrap_or_default();
    let ack = OperatorAck { by: "operator".to_owned(), reason: "arb resume".to_owned(), halt_seq };
    // Orders nobody has seen to their end stay to be asked for.
    let orders_left = past.undecided();
    let end = SessionEnd { reason: "finished".to_owned(), orders_left, ..SessionEnd::default() };
    writer.begin(now, start)?;
    writer.append(now, &ack)?;
    writer.close(now, &end)
}

/// `arb kill`: halts every run of this configuration, cancels what is open at the exchanges, and looks until nothing is.
/// None of that needs the engine: it may be stopped, hanging or gone. What one of the three refuses holds up neither of the others.
///
/// # Errors
/// Exit code 9 when it is not proven that nothing is open, 10 when the halt is not on disk, 6 when an engine of another mode runs.
pub fn kill(args: &ControlArgs, out: &mut impl Write) -> Result<(), Failure> {
    let (config, directory) = place(args)?;
    // All three at once: neither a disk nor an engine that hangs may hold up the cancels.
    let halting = start_halting(&directory);
    let asked = std::thread::spawn({
        let directory = directory.clone();
        move || ask(&directory, Verb::Kill)
    });
    let flat = super::pace::Pace::Sleep
        .block_on(cancel_everywhere(&config))
        .map_err(|error| Failure::new(Exit::Internal, format!("no runtime: {error}"), ""))?;
    let asked = asked.join().unwrap_or_else(|_| Err(Failure::new(Exit::Internal, "asking panicked", "")));
    let halted =
        halting.recv_timeout(HALT_WITHIN).unwrap_or_else(|_| Err(unhalted(&directory, &"the disk hangs")));
    let trades = asked.as_ref().is_ok_and(|status| status.run == mode_name(Mode::Live));
    let told = match asked {
        Ok(status) => format!("process {} opens nothing any more", status.pid),
        Err(failure) if failure.exit == Exit::NotRunning => "no engine runs".to_owned(),
        Err(failure) => format!("the engine does not answer ({})", failure.what),
    };
    for (venue, outcome) in &flat {
        written(if args.json {
            let line = Row { event: "venue", venue, flat: outcome.is_ok(), what: outcome.as_ref().err() };
            sonic_rs::to_string(&line).map_err(std::io::Error::other).and_then(|line| writeln!(out, "{line}"))
        } else {
            match outcome {
                Ok(canceled) => writeln!(out, "{venue}: no open orders ({canceled} canceled)"),
                Err(what) => writeln!(out, "{venue}: NOT PROVEN FLAT: {what}"),
            }
        })?;
    }
    // Who may have orders of ours open there, and was not asked.
    let keyless = config.venues.iter().filter(|venue| config.mode != Mode::Paper && !has_key(venue));
    let mut unseen = 0;
    for venue in keyless.map(|venue| venue.exchange.name) {
        unseen += usize::from(trades);
        let what = "there is no key to ask with".to_owned();
        written(if args.json {
            let line = Row { event: "venue", venue, flat: false, what: Some(&what) };
            sonic_rs::to_string(&line).map_err(std::io::Error::other).and_then(|line| writeln!(out, "{line}"))
        } else {
            writeln!(out, "{venue}: NOT LOOKED AT: {what}")
        })?;
    }
    let failed = unseen + flat.iter().filter(|(_, outcome)| outcome.is_err()).count();
    let file = directory.halt_file();
    written(match (args.json, &halted) {
        (true, _) => {
            let event = if halted.is_ok() { "killed" } else { "not_halted" };
            let error = halted.as_ref().err().map(|failure| &failure.what);
            let line = Killed { event, not_proven: failed, halt_file: halted.is_ok(), error };
            sonic_rs::to_string(&line).map_err(std::io::Error::other).and_then(|line| writeln!(out, "{line}"))
        }
        (false, Ok(())) => writeln!(out, "halted: {told}; {} keeps it so until arb resume", file.display()),
        (false, Err(failure)) => writeln!(out, "NOT HALTED OVER RESTARTS: {told}; {}", failure.what),
    })?;
    if failed > 0 {
        let what = format!("{failed} exchanges may have open orders");
        return Err(Failure::new(Exit::Residual, what, "cancel them at the exchange, or run arb kill again"));
    }
    halted?;
    match directory.engine_of_another_mode() {
        None => Ok(()),
        Some(other) => Err(other.failure()),
    }
}

/// What `kill --json` says of an exchange.
#[derive(serde::Serialize)]
struct Row<'a> {
    event: &'static str,
    venue: &'a str,
    flat: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    what: Option<&'a String>,
}

/// How `kill --json` ends.
#[derive(serde::Serialize)]
struct Killed<'a> {
    /// `killed`, or `not_halted` where the halt is not on disk and so would not outlast a restart.
    event: &'static str,
    /// Exchanges of which it is not proven that nothing is open.
    not_proven: usize,
    halt_file: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a String>,
}

/// Has the halt file put there, by a thread that may hang with its disk; how that went.
fn start_halting(directory: &Directory) -> mpsc::Receiver<Result<(), Failure>> {
    let (told, halted) = mpsc::channel();
    let what = format!("{} arb kill, process {}", Clock::new().now(), std::process::id());
    let directory = directory.clone();
    std::thread::spawn(move || {
        let put = directory.put_halt_file(&what).map_err(|error| unhalted(&directory, &error));
        // Whoever waited may have gone on.
        let _ = told.send(put);
    });
    halted
}

/// The halt is not on disk.
fn unhalted(directory: &Directory, why: &dyn std::fmt::Display) -> Failure {
    let file = directory.halt_file();
    let fix = format!("start nothing before you have put {} there by hand", file.display());
    Failure::new(Exit::CheckFailed, format!("{}: {why}", file.display()), fix)
}

/// Whether an account is configured, even if its key cannot be read here.
fn has_key(venue: &crate::config::Venue) -> bool {
    !venue.config.key.is_empty() || venue.key_unread.is_some()
}

/// Cancels all open orders at every exchange at once, over connections of its own. On paper none is ours.
pub(super) async fn cancel_everywhere(config: &Config) -> Vec<(String, Result<usize, String>)> {
    let mut running = Vec::new();
    let on_paper = config.mode == Mode::Paper;
    for venue in config.venues.iter().filter(|venue| !on_paper && has_key(venue)) {
        let venue = venue.clone();
        running.push((
            venue.exchange.name.to_owned(),
            tokio::task::spawn_local(async move {
                match &venue.key_unread {
                    Some(what) => Err(what.clone()),
                    None => cancel_all(&venue).await,
                }
            }),
        ));
    }
    let mut all = Vec::new();
    for (name, task) in running {
        all.push((name, task.await.unwrap_or_else(|error| Err(error.to_string()))));
    }
    all
}

async fn cancel_all(configured: &crate::config::Venue) -> Result<usize, String> {
    let clock = Clock::new();
    let opened =
        Venue::open(configured.exchange, configured.config.clone(), TransportConfig::default(), clock);
    let (venue, rules) = opened.await.map_err(|failure| failure.what)?;
    let markets = Arc::new(every_market(&venue, rules));
    venue.rest.set_markets(markets);
    cancel::all(&venue.rest).await
}

/// All markets an exchange lists, whatever is traded here: open orders may be anywhere.
fn every_market(venue: &Venue, rules: Vec<SymbolInfo>) -> Markets {
    let numbered = rules.into_iter().enumerate();
    Markets::new(
        numbered
            .filter_map(|(index, info)| {
                let scale = info.scale().ok()?;
                cex_core::Market::new(venue.id, SymbolId(u32::try_from(index).ok()?), info, scale).ok()
            })
            .collect(),
    )
}

/// What is meant, and where it is. What of a configuration only a run must refuse is told and holds nothing up: a halt that is
/// refused for a slip of a unit is worth nothing.
pub(super) fn place(args: &ControlArgs) -> Result<(Config, Directory), Failure> {
    let around = Surroundings::real();
    let loaded = Config::load_for_control(args.config.as_deref(), &args.set, &around);
    let (config, doubts) = loaded.map_err(|problems| failure(&problems))?;
    for doubt in doubts {
        eprintln!("warning: {doubt}");
    }
    let directory = directory(&config)?;
    Ok((config, directory))
}

/// Asks the engine that runs there.
fn ask(directory: &Directory, verb: Verb) -> Result<Status, Failure> {
    ask_within(directory, verb, ANSWER)
}

/// Asks the engine that runs there, and waits so long for its answer.
///
/// # Errors
/// Exit code 6 when none runs, 7 when it does not answer.
pub(super) fn ask_within(directory: &Directory, verb: Verb, patience: Duration) -> Result<Status, Failure> {
    let path = directory.socket();
    let mut stream =
        UnixStream::connect(&path).map_err(|error| match directory.engine_of_another_mode() {
            Some(other) => other.failure(),
            None => {
                let what = format!("no engine runs there ({}: {error})", path.display());
                Failure::new(
                    Exit::NotRunning,
                    what,
                    "arb run starts one; --config names the one that is meant",
                )
            }
        })?;
    let talk = || -> std::io::Result<String> {
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        let question = sonic_rs::to_string(&Question { verb }).map_err(std::io::Error::other)?;
        writeln!(stream, "{question}")?;
        let mut line = String::new();
        BufReader::new(&stream).read_line(&mut line)?;
        Ok(line)
    };
    let mut talk = talk;
    let line = talk().map_err(|error| {
        Failure::new(
            Exit::Timeout,
            format!("the engine does not answer: {error}"),
            "arb kill works without it",
        )
    })?;
    let answer: Answer = sonic_rs::from_str(&line).map_err(|error| {
        Failure::new(Exit::Internal, format!("answer {line:?}: {error}"), "is it the same version?")
    })?;
    let fix = answer.fix.unwrap_or_default();
    match (answer.error, answer.status) {
        (None, Some(status)) => Ok(status),
        (Some(error), Some(status)) => Err(Failure::new(refusal(&status), error, fix)),
        (error, None) => {
            Err(Failure::new(Exit::Internal, error.unwrap_or_else(|| "no status".to_owned()), fix))
        }
    }
}

/// The code of what an engine refuses that stands so. It must never be that of an engine which is not there: who hears that does
/// what was refused without it.
fn refusal(status: &Status) -> Exit {
    let not_now = status.mode == STARTING || status.draining;
    match (not_now, status.journal.as_str()) {
        (true, _) => Exit::Timeout,
        (false, "failed") => Exit::CheckFailed,
        (false, _) => Exit::Halted,
    }
}

fn show(args: &ControlArgs, status: &Status, out: &mut impl Write) -> Result<(), Failure> {
    if args.json {
        let line = sonic_rs::to_string(status).map_err(std::io::Error::other);
        return written(line.and_then(|line| writeln!(out, "{line}")));
    }
    written(print(status, out))
}

fn print(status: &Status, out: &mut impl Write) -> std::io::Result<()> {
    let state = match (status.halted, status.draining) {
        (true, _) => "HALTED",
        (false, true) => "draining",
        (false, false) => status.mode.as_str(),
    };
    writeln!(
        out,
        "{}   {state}   process {}   up {:.1} s   journal {}",
        status.run,
        status.pid,
        Duration::from_millis(status.uptime_ms).as_secs_f64(),
        status.journal
    )?;
    for (name, row) in &status.exchanges {
        writeln!(
            out,
            "  {name:<10} books {}/{}   account {}   frames {}   gaps {}   reconnects {}",
            row.books_live,
            row.books,
            if row.account_ready { "ready" } else { "not ready" },
            row.frames,
            row.gaps,
            row.reconnects
        )?;
    }
    if status.mode == STARTING {
        return writeln!(out, "  what earlier runs left, and what the day came to, is being read");
    }
    writeln!(
        out,
        "  arbitrages {} open ({} unknown), {} started   realised {}   of the day {} with {} orders   alarms {}",
        status.open,
        status.unknown,
        status.started,
        status.pnl_realised,
        status.pnl_day,
        status.orders_today,
        status.alarms
    )?;
    for (what, count) in status.ended.iter().chain(&status.opportunities) {
        writeln!(out, "    {what:<24} {count:>8}")?;
    }
    status.trips.iter().try_for_each(|trip| writeln!(out, "  ! {trip}"))
}

#[cfg(test)]
mod tests;
