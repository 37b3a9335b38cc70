//! `arb kill`: the halt file, the engine if it answers, and the cancels, none of which needs another.

use super::{ask, meant};
use crate::cli::ControlArgs;
use crate::config::{Config, Mode};
use crate::exit::{Exit, Failure, written};
use crate::run::cancel;
use crate::run::control::{Directory, Verb};
use crate::run::live::{make, mode_name};
use crate::run::venue::Venue;
use cex_core::{Markets, SymbolId, SymbolInfo};
use cex_transport::{Clock, TransportConfig};
use serde::Serialize;
use std::io::Write;
use std::sync::{Arc, mpsc};
use std::time::Duration;

/// How long the disk may take for the halt file once everything else is done.
const HALT_WITHIN: Duration = Duration::from_secs(2);

/// `arb kill`: halts every run of this configuration, cancels what is open at the exchanges, and looks until nothing is.
/// None of that needs the engine: it may be stopped, hanging or gone. What one of the three refuses holds up neither of the others.
///
/// # Errors
/// Exit code 9 when it is not proven that nothing is open, 10 when the halt is not on disk, 6 when an engine of another mode runs, or
/// none ever did there.
pub fn kill(args: &ControlArgs, out: &mut impl Write) -> Result<(), Failure> {
    let (config, directory) = meant(args)?;
    // All three at once: neither a disk nor an engine that hangs may hold up the cancels.
    let halting = start_halting(&directory);
    let asked = std::thread::spawn({
        let directory = directory.clone();
        move || ask(&directory, Verb::Kill)
    });
    let flat = crate::run::pace::Pace::Sleep
        .block_on(cancel_everywhere(&config))
        .map_err(|error| Failure::new(Exit::Internal, format!("no runtime: {error}"), ""))?;
    let asked = asked.join().unwrap_or_else(|_| Err(Failure::new(Exit::Internal, "asking panicked", "")));
    let Halting { put: halted, ran } = halting
        .recv_timeout(HALT_WITHIN)
        .unwrap_or_else(|_| Halting { put: Err(unhalted(&directory, &"the disk hangs")), ran: true });
    let ran = ran || asked.is_ok();
    let trades = asked.as_ref().is_ok_and(|status| status.run == mode_name(Mode::Live));
    let told = match asked {
        Ok(status) => format!("process {} opens nothing any more", status.pid),
        Err(_) if !ran => never(&directory),
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
            let line =
                Killed { event, not_proven: failed, halt_file: halted.is_ok(), never_run: !ran, error };
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
        Some(other) => Err(other.failure()),
        None if !ran => {
            let fix = "run it as the user and with the --config of the run; arb resume takes this halt back";
            Err(Failure::new(Exit::NotRunning, never(&directory), fix))
        }
        None => Ok(()),
    }
}

/// Whoever halts the wrong place must not take it for the right one.
fn never(directory: &Directory) -> String {
    format!("no run was ever in {}: is it the user and the directory of the run?", directory.0.display())
}

/// What `kill --json` says of an exchange.
#[derive(Serialize)]
struct Row<'a> {
    event: &'static str,
    venue: &'a str,
    flat: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    what: Option<&'a String>,
}

/// How `kill --json` ends.
#[derive(Serialize)]
struct Killed<'a> {
    /// `killed`, or `not_halted` where the halt is not on disk and so would not outlast a restart.
    event: &'static str,
    /// Exchanges of which it is not proven that nothing is open.
    not_proven: usize,
    halt_file: bool,
    /// There has never been a run where it was halted: it may be the wrong place.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    never_run: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a String>,
}

/// What became of the halt file.
struct Halting {
    put: Result<(), Failure>,
    /// Whether there ever was a run, for all that can be told.
    ran: bool,
}

/// Has the halt file put there, with its directory, by a thread that may hang with its disk; how that went.
fn start_halting(directory: &Directory) -> mpsc::Receiver<Halting> {
    let (told, halted) = mpsc::channel();
    let what = format!("{} arb kill, process {}", Clock::new().now(), std::process::id());
    let directory = directory.clone();
    std::thread::spawn(move || {
        let ran = directory.had_a_run();
        let made = make(&directory).map_err(|failure| unhalted(&directory, &failure.what));
        let put =
            made.and_then(|()| directory.put_halt_file(&what).map_err(|error| unhalted(&directory, &error)));
        // Whoever waited may have gone on.
        let _ = told.send(Halting { put, ran });
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
pub(in crate::run) async fn cancel_everywhere(config: &Config) -> Vec<(String, Result<usize, String>)> {
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
