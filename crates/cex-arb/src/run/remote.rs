//! `arb status`, `stop`, `kill`, `resume`: what another process says to a running engine, or does without it.

mod kill;
mod resume;

pub(super) use self::kill::cancel_everywhere;
pub use self::kill::kill;
pub use self::resume::{resume, write_acknowledgement};

use super::control::{Answer, Directory, Question, STARTING, Status, Verb};
use super::finish::{HALTED, RESIDUAL};
use super::live::place;
use super::past::Past;
use super::recover::standing_open;
use crate::cli::{ControlArgs, StopArgs};
use crate::config::command::failure;
use crate::config::{Config, Surroundings};
use crate::exit::{Exit, Failure, written};
use crate::log;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// How long a running engine may take to answer.
const ANSWER: Duration = Duration::from_secs(2);
/// How long a stopped engine may take to let go of what is open.
const STOP: Duration = Duration::from_secs(120);
/// Between two looks at open orders.
const LOOK: Duration = Duration::from_millis(200);

/// `arb status`.
///
/// # Errors
/// Exit code 6 when no engine runs there.
pub fn status(args: &ControlArgs, out: &mut impl Write) -> Result<(), Failure> {
    let (_, directory) = meant(args)?;
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
    let (_, directory) = meant(args)?;
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
    let halted = directory.is_halted() || past.is_halted();
    let ended = past.ended().unwrap_or_default();
    let left = standing_open(&past);
    let line = Stopped { event: "stopped", pid: status.pid, ended, unfinished, undecided, left: &left };
    written(tell_stopped(&line, status.open, args.json, out))?;
    how_it_ended(ended, &status, (unfinished, undecided), halted)
}

/// What to do about what a run left open that no later one may look after, because it is halted.
const TAKE_OVER: &str =
    "look at both accounts, even out what is listed or keep it, then: arb resume --take-over";

/// What an operator must hear of how the run ended that was asked to, and that left so many arbitrages and orders of them open;
/// `halted` is whether the next start is held.
fn how_it_ended(
    ended: &str,
    status: &Status,
    (unfinished, undecided): (usize, u32),
    halted: bool,
) -> Result<(), Failure> {
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
        let fix = if halted { TAKE_OVER } else { "arb run finds out, and trades the difference away first" };
        return Err(Failure::new(Exit::Residual, what, fix));
    }
    if ended == RESIDUAL {
        let what = "it ended with arbitrages parked, or with holdings that differ from the accounts";
        let fix = "look at both accounts; arb journal dump tells what";
        let fix =
            if halted { format!("{fix}; even it out or keep it, then: arb resume") } else { fix.to_owned() };
        return Err(Failure::new(Exit::Residual, what, fix));
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

/// What is meant, and where it is, whether or not it is there. What of a configuration only a run must refuse is told and holds nothing up: a halt that is
/// refused for a slip of a unit is worth nothing.
pub(super) fn meant(args: &ControlArgs) -> Result<(Config, Directory), Failure> {
    let around = Surroundings::real();
    let loaded = Config::load_for_control(args.config.as_deref(), &args.set, &around);
    let (config, doubts) = loaded.map_err(|problems| failure(&problems))?;
    for doubt in doubts {
        log::mention(&format!("warning: {doubt}"));
    }
    let directory = place(&config);
    Ok((config, directory))
}

/// Asks the engine that runs there.
fn ask(directory: &Directory, question: impl Into<Question>) -> Result<Status, Failure> {
    ask_within(directory, question, ANSWER)
}

/// Asks the engine that runs there, and waits so long for its answer.
///
/// # Errors
/// Exit code 6 when none runs, 7 when it does not answer.
pub(super) fn ask_within(
    directory: &Directory,
    question: impl Into<Question>,
    patience: Duration,
) -> Result<Status, Failure> {
    let question = question.into();
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
        let question = sonic_rs::to_string(&question).map_err(std::io::Error::other)?;
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
        (true, true) => "HALTED, draining",
        (true, false) => "HALTED",
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
