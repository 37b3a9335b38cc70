//! `arb resume`: an operator has looked.

use super::{ask, meant, show};
use crate::cli::ControlArgs;
use crate::config::Config;
use crate::exit::{Exit, Failure, written};
use crate::run::control::{Directory, Status, Verb};
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
/// 10 when the journal cannot be written.
pub fn resume(args: &ControlArgs, out: &mut impl Write) -> Result<(), Failure> {
    let (config, directory) = meant(args)?;
    make(&directory)?;
    let names_mode = args.set.iter().any(|set| set.split('=').next().is_some_and(|key| key.trim() == "mode"));
    match lift(&config, &directory, names_mode)? {
        Lifted::Running(status) => show(args, &status, out),
        Lifted::Alone { theirs } => written(tell_lifted(&theirs, args.json, out)),
    }
}

/// What became of lifting a halt.
#[derive(Debug, PartialEq)]
pub(super) enum Lifted {
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

/// Lifts the halt: an engine that runs does so itself, or refuses. Where none does, the acknowledgement is on disk before the halt
/// file goes: the file may be all that holds the next start. `names_mode` is whether the command line says which mode's run is meant.
pub(super) fn lift(config: &Config, directory: &Directory, names_mode: bool) -> Result<Lifted, Failure> {
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
