//! `arb resume`: an operator has looked.

use super::{TAKE_OVER, ask, meant, show};
use crate::cli::ResumeArgs;
use crate::config::{Config, Mode};
use crate::exit::{Exit, Failure, written};
use crate::run::control::{Directory, HaltMark, Question, STARTING, Status, Verb};
use crate::run::live::{make, of_this_process, open_journal};
use crate::run::past::Past;
use crate::run::recover::standing_open;
use cex_core::Timestamp;
use cex_journal::messages::{OperatorAck, SessionEnd, SessionStart};
use cex_journal::{JournalError, Writer};
use cex_transport::Clock;
use serde::Serialize;
use std::io::Write;

/// `arb resume`: an operator has looked.
///
/// # Errors
/// When the halt cannot be lifted, and so stays: exit code 7 while the engine starts or ends, 8 when the halt file cannot be removed,
/// 9 when no engine runs, earlier runs left something open, and nobody said that it is theirs, 10 when the journal cannot be written.
pub fn resume(args: &ResumeArgs, out: &mut impl Write) -> Result<(), Failure> {
    let ResumeArgs { control: args, take_over } = args;
    let (config, directory) = meant(args)?;
    make(&directory)?;
    let names_mode = args.set.iter().any(|set| set.split('=').next().is_some_and(|key| key.trim() == "mode"));
    match lift(&config, &directory, Meant { names_mode, take_over: *take_over })? {
        Lifted::Running { before, now } => {
            if !args.json {
                written(tell_acknowledged(&before, out))?;
            }
            show(args, &now, out)
        }
        Lifted::Alone { theirs } => written(tell_lifted(&theirs, args.json, out)),
    }
}

/// What became of lifting a halt.
#[derive(Debug, PartialEq)]
pub(super) enum Lifted {
    /// By the engine that runs: how it stood when it was looked at, and how it stands now.
    Running { before: Box<Status>, now: Box<Status> },
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

pub(super) fn tell_lifted(theirs: &[String], json: bool, out: &mut impl Write) -> std::io::Result<()> {
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

/// What the command line says.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Meant {
    /// Which mode's run is meant.
    pub(super) names_mode: bool,
    /// What earlier runs left open is whoever's resumes.
    pub(super) take_over: bool,
}

/// Lifts the halt: an engine that runs does so itself, or refuses. Where none does, the acknowledgement is on disk before the halt
/// file goes: the file may be all that holds the next start.
pub(super) fn lift(config: &Config, directory: &Directory, meant: Meant) -> Result<Lifted, Failure> {
    let looked_at = directory.halt_mark().map_err(|error| unremoved(directory, &error))?;
    match ask(directory, Verb::Status) {
        Err(failure) if failure.exit == Exit::NotRunning => {
            // Whoever resumes one on paper, and forgets to say so, has not looked at what a live one left.
            if let Some(other) = directory.engine_of_another_mode().filter(|_| !meant.names_mode) {
                let mut failure = other.failure();
                failure.fix = format!(
                    "if that one is meant: {}; if the one that is not there: add --set mode={}",
                    failure.fix, config.mode
                );
                return Err(failure);
            }
            // A start that comes now must find it done, or not begun.
            let _claim = directory.claim().map_err(|error| taken(directory, &error))?;
            let theirs = acknowledge(config, directory, meant.take_over)?;
            take_away(directory, looked_at.as_ref())?;
            Ok(Lifted::Alone { theirs })
        }
        answered => lift_running(directory, answered?),
    }
}

/// Has the engine go on that stood so. What stopped it since then nobody has looked at, and it refuses.
fn lift_running(directory: &Directory, before: Status) -> Result<Lifted, Failure> {
    // Whoever has looked has not seen what the start finds.
    if before.mode == STARTING {
        let what = "it is starting, and nothing was acknowledged";
        return Err(Failure::new(Exit::Timeout, what, "try again when arb status says more than starting"));
    }
    let now = ask(directory, Question { verb: Verb::Resume, seen: before.halts }).map_err(|failure| {
        match failure.exit {
            // Nor what its end left.
            Exit::NotRunning => {
                Failure::new(Exit::Timeout, "it ended just now, and nothing was acknowledged", "try again")
            }
            _other => failure,
        }
    })?;
    Ok(Lifted::Running { before: Box::new(before), now: Box::new(now) })
}

/// Where no engine runs the file is all that is known of a halt: one that was put there meanwhile nobody has looked at.
pub(super) fn take_away(directory: &Directory, looked_at: Option<&HaltMark>) -> Result<(), Failure> {
    let again = || {
        let what = format!("{}: halted again meanwhile", directory.halt_file().display());
        Err(Failure::new(Exit::Halted, what, "look again, then: arb resume"))
    };
    let aside = directory.take_halt_aside().map_err(|error| unremoved(directory, &error))?;
    if aside.is_some() && aside.as_ref() != looked_at {
        directory.put_halt_back();
        return again();
    }
    directory.forget_halt().map_err(|error| {
        directory.put_halt_back();
        unremoved(directory, &error)
    })?;
    if directory.is_halted() { again() } else { Ok(()) }
}

/// The halt file stays.
fn unremoved(directory: &Directory, error: &std::io::Error) -> Failure {
    let what = format!("{}: {error}", directory.halt_file().display());
    Failure::new(Exit::Halted, what, "remove it by hand")
}

/// What of a running engine was looked at, and stops it no more.
pub(super) fn tell_acknowledged(before: &Status, out: &mut impl Write) -> std::io::Result<()> {
    if before.halted {
        writeln!(out, "acknowledged: HALTED")?;
    }
    before.trips.iter().try_for_each(|trip| writeln!(out, "acknowledged: {trip}"))
}

/// Why a directory in which no engine answers is another's.
fn taken(directory: &Directory, error: &std::io::Error) -> Failure {
    if error.kind() == std::io::ErrorKind::AddrInUse {
        let what = format!("{}: an engine starts or ends there just now", directory.0.display());
        return Failure::new(Exit::Timeout, what, "try again");
    }
    let what = format!("{}: {error}", directory.0.display());
    Failure::new(Exit::CheckFailed, what, "let this user write there, then: arb resume")
}

/// Writes the acknowledgement into the journal of a run that is not there; what stood open and is the operator's from then on. Nobody
/// takes that over without having said so: until then the next run would trade it away.
fn acknowledge(config: &Config, directory: &Directory, take_over: bool) -> Result<Vec<String>, Failure> {
    let now = Clock::new().now();
    let (writer, recovered) = open_journal(config, directory, now).map_err(|error| match error {
        JournalError::Locked { .. } => {
            Failure::new(Exit::Timeout, error.to_string(), "try again when it has ended")
        }
        error => unreadable(&error),
    })?;
    let past = Past::read(&directory.0.join("journal")).map_err(|error| unreadable(&error))?;
    let theirs = standing_open(&past);
    // Accounts on paper begin anew: nothing of theirs is anybody's.
    if !theirs.is_empty() && !take_over && config.mode != Mode::Paper {
        return Err(not_taken_over(&theirs, recovered.halt.is_some() || directory.is_halted()));
    }
    let written = write_acknowledgement(now, writer, of_this_process(), recovered.halt, &past);
    written.map_err(|error| unreadable(&error))?;
    Ok(theirs)
}

/// The journal cannot be read, or not written.
fn unreadable(error: &JournalError) -> Failure {
    Failure::new(Exit::CheckFailed, error.to_string(), error.remedy())
}

/// Whoever resumes by habit gives away what only the next run would have levelled.
fn not_taken_over(theirs: &[String], halted: bool) -> Failure {
    let what = format!(
        "nothing was acknowledged: earlier runs left this open, and no run trades it away once you resume\n  left open: {}",
        theirs.join("\n  left open: ")
    );
    let fix = if halted {
        TAKE_OVER
    } else {
        "arb run finds out what became of it and trades the difference away; where you have looked, and evened it out or keep it: \
         arb resume --take-over"
    };
    Failure::new(Exit::Residual, what, fix)
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
