//! `arb watch`: a process of its own beside the engine (R35). An engine that does not answer is ended, and whenever one is
//! gone without having ended in order, what is open at the exchanges is cancelled over connections of this process, again and
//! again until it is proven that nothing is. The next `arb run` recovers; starting it is a supervisor's business.

use super::control::{Directory, STARTING, Status, Verb};
use super::pace::Pace;
use super::remote::{ask_within, cancel_everywhere, meant};
use crate::cli::ControlArgs;
use crate::config::Config;
use crate::exit::{Exit, Failure};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

/// Questions within the time an engine may be silent.
const QUESTIONS: u32 = 4;
/// How long one that is ending may be silent: the thread that answers waits for its disk then, and its own watchdog is called
/// off.
const ENDING: Duration = Duration::from_secs(60);
/// From an attempt that did not prove that nothing is open to the next.
const AGAIN: Duration = Duration::from_secs(3);
/// Lines that wait for whoever reads them; what is said beyond that is lost.
const LINES: usize = 256;

/// What it says; the names are a promise to scripts.
#[derive(Debug, Serialize)]
struct Line {
    /// `watching`, `killed`, `gone`, `ended`, `canceled`, `not_proven`.
    event: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    #[serde(skip_serializing_if = "String::is_empty")]
    what: String,
}

/// Watches until it is ended itself. What it says is written by the thread of the caller, and it watches on one of its own: a
/// reader that stands still or is gone, or a full disk, must not keep it from cancelling.
///
/// # Errors
/// When the configuration is wrong, or the system gives no thread.
pub fn watch(args: &ControlArgs, out: &mut impl Write) -> Result<(), Failure> {
    let (config, directory) = meant(args)?;
    // It would watch, and could cancel nothing when it must.
    if let Some(what) = config.venues.iter().find_map(|venue| venue.key_unread.as_ref()) {
        return Err(Failure::new(Exit::BadConfig, what, "give it the keys of the run it watches"));
    }
    let (says, said) = sync_channel(LINES);
    let watching = std::thread::Builder::new()
        .name("watch".to_owned())
        .spawn(move || Watch::new(config, directory, says, OwnHands).go_on());
    watching.map_err(|error| Failure::new(Exit::Internal, format!("no thread to watch on: {error}"), ""))?;
    tell_all(args.json, &said, out);
    Err(Failure::new(Exit::Internal, "the thread that watches panicked: nothing is watched any more", ""))
}

/// A run, as it tells of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    pid: u32,
    started_at_ms: i64,
}

impl Run {
    const fn of(status: &Status) -> Self {
        Self { pid: status.pid, started_at_ms: status.started_at_ms }
    }
}

/// The run that is watched, as it was heard last.
#[derive(Debug, Clone, Copy)]
struct Watched {
    run: Run,
    draining: bool,
    heard_at: Instant,
}

impl Watched {
    /// How long it may be silent.
    fn patience(&self, silence: Duration) -> Duration {
        if self.draining { silence.max(ENDING) } else { silence }
    }
}

/// What came of cancelling, by exchange: how many orders were open, or why it is not proven that none is.
type Outcomes = Vec<(String, Result<usize, String>)>;

/// What it asks and does; a test has hands of its own.
trait Hands {
    fn now(&self) -> Instant;
    fn sleep(&mut self, span: Duration);
    /// How the engine that runs there is.
    fn ask(&mut self, directory: &Directory, patience: Duration) -> Result<Status, Failure>;
    /// Whether there is such a process.
    fn is_there(&self, pid: u32) -> bool;
    fn kill(&mut self, pid: u32);
    fn cancel(&mut self, config: &Config) -> Outcomes;
}

/// What it knows between two questions.
struct Watch<H> {
    config: Config,
    directory: Directory,
    says: SyncSender<Line>,
    hands: H,
    /// Never a run that is starting: it holds nothing, and may take its time over a journal.
    watched: Option<Watched>,
    /// The run that was told of last.
    told: Option<Run>,
    /// Whether it was told that answers cannot be read.
    told_unreadable: bool,
    /// Whether it was told that lines are lost.
    told_lost: bool,
    /// Exchanges of which it is not proven that nothing is open, with the reason that was told last.
    unproven: BTreeMap<String, String>,
    /// When that was tried last.
    tried_at: Instant,
    /// When it was asked last.
    asked_at: Instant,
}

impl<H: Hands> Watch<H> {
    fn new(config: Config, directory: Directory, says: SyncSender<Line>, hands: H) -> Self {
        let tried_at = hands.now();
        Self {
            config,
            directory,
            says,
            hands,
            watched: None,
            told: None,
            told_unreadable: false,
            told_lost: false,
            unproven: BTreeMap::new(),
            tried_at,
            asked_at: tried_at,
        }
    }

    fn go_on(&mut self) {
        loop {
            self.round();
        }
    }

    /// Asks once and does what the answer calls for. Whatever that was, the next question is not due before its time.
    fn round(&mut self) {
        let every = self.config.risk.watchdog_ms / QUESTIONS;
        let asked_at = self.hands.now();
        // Whoever stood still itself, or was busy with cancels, has heard nothing for as long, and knows nothing by that.
        if asked_at.saturating_duration_since(self.asked_at) > every * QUESTIONS {
            self.hear_anew();
        }
        self.asked_at = asked_at;
        let answer = self.hands.ask(&self.directory, every);
        if self.since(asked_at) > every * QUESTIONS {
            self.hear_anew();
        }
        match answer {
            Ok(status) => self.answered(&status),
            Err(failure) if failure.exit == Exit::NotRunning => self.nobody_is_there(),
            // It listens and does not answer.
            Err(failure) if failure.exit == Exit::Timeout => self.silent(failure.what),
            Err(failure) => self.unreadable(&failure),
        }
        self.try_again();
        let spent = self.since(asked_at);
        self.hands.sleep(every.saturating_sub(spent));
    }

    /// The silence of the run that is watched counts from now on.
    fn hear_anew(&mut self) {
        if let Some(watched) = &mut self.watched {
            watched.heard_at = self.hands.now();
        }
    }

    fn since(&self, earlier: Instant) -> Duration {
        self.hands.now().saturating_duration_since(earlier)
    }

    fn answered(&mut self, status: &Status) {
        let run = Run::of(status);
        if let Some(before) = self.watched.take_if(|watched| watched.run != run) {
            self.gone(before.run);
        }
        if status.mode != STARTING {
            self.runs(run, status.draining);
        }
    }

    /// A run answers that may have orders of its own. What one before it left open is for it to find; one that is only starting
    /// may end its start, and leaves that to us.
    fn runs(&mut self, run: Run, draining: bool) {
        if !self.unproven.is_empty() {
            let unproven = std::mem::take(&mut self.unproven);
            tracing::warn!(?unproven, "orders may be open yet: they are left to the engine that runs now");
        }
        if self.told != Some(run) {
            self.told = Some(run);
            self.told_unreadable = false;
            self.say("watching", Some(run.pid), String::new());
        }
        // Only now: what was done before took its time, and that was not silence.
        self.watched = Some(Watched { run, draining, heard_at: self.hands.now() });
    }

    fn nobody_is_there(&mut self) {
        if let Some(Watched { run, .. }) = self.watched.take() {
            self.gone(run);
        }
    }

    /// One that was never heard running is starting.
    fn silent(&mut self, what: String) {
        let Some(watched) = self.watched else { return };
        if self.since(watched.heard_at) < watched.patience(self.config.risk.watchdog_ms) {
            return;
        }
        self.watched = None;
        self.hands.kill(watched.run.pid);
        self.cancel("killed", watched.run.pid, what);
    }

    /// Who answers is alive, though it may be an engine of another version. It is another one than we watch when the process of
    /// that is not there any more.
    fn unreadable(&mut self, failure: &Failure) {
        if !std::mem::replace(&mut self.told_unreadable, true) {
            let Failure { what, fix, .. } = failure;
            tracing::warn!(
                what,
                fix,
                "the engine answers what cannot be read: it counts as alive, and is not watched if it never answered otherwise"
            );
        }
        let hands = &self.hands;
        if let Some(before) = self.watched.take_if(|watched| !hands.is_there(watched.run.pid)) {
            self.gone(before.run);
        }
        self.hear_anew();
    }

    /// A run is not there any more: one that ended in order has said so, and has taken its socket away, unless the next one has
    /// put its own there.
    fn gone(&mut self, Run { pid, started_at_ms }: Run) {
        if self.directory.has_ended(pid, started_at_ms) || !self.directory.socket().exists() {
            self.say("ended", Some(pid), String::new());
        } else {
            self.cancel("gone", pid, String::new());
        }
    }

    /// Cancels everywhere, and only then tells what became of the run, and what came of cancelling.
    fn cancel(&mut self, event: &'static str, pid: u32, what: String) {
        let outcomes = self.hands.cancel(&self.config);
        self.say(event, Some(pid), what);
        self.settle(outcomes);
    }

    /// Cancels once more where it is not proven that nothing is open. An exchange that cannot be reached now may be later.
    fn try_again(&mut self) {
        if self.unproven.is_empty() || self.since(self.tried_at) < AGAIN {
            return;
        }
        let mut config = self.config.clone();
        config.venues.retain(|venue| self.unproven.contains_key(venue.exchange.name));
        let outcomes = self.hands.cancel(&config);
        self.settle(outcomes);
    }

    /// Keeps in mind what is not proven, and tells what is news.
    fn settle(&mut self, outcomes: Outcomes) {
        let before = std::mem::take(&mut self.unproven);
        for (venue, outcome) in outcomes {
            match outcome {
                Ok(count) => self.say("canceled", None, format!("{venue}: {count}")),
                Err(what) => {
                    if before.get(&venue) != Some(&what) {
                        self.say("not_proven", None, format!("{venue}: {what}"));
                    }
                    self.unproven.insert(venue, what);
                }
            }
        }
        self.tried_at = self.hands.now();
    }

    /// Never waits for whoever reads it.
    fn say(&mut self, event: &'static str, pid: Option<u32>, what: String) {
        let lost = self.says.try_send(Line { event, pid, what }).is_err();
        if lost && !std::mem::replace(&mut self.told_lost, true) {
            tracing::warn!("nobody reads what is said: lines are lost, and it watches on");
        }
    }
}

/// Those of this process.
struct OwnHands;

impl Hands for OwnHands {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn sleep(&mut self, span: Duration) {
        std::thread::sleep(span);
    }

    fn ask(&mut self, directory: &Directory, patience: Duration) -> Result<Status, Failure> {
        ask_within(directory, Verb::Status, patience)
    }

    fn is_there(&self, pid: u32) -> bool {
        // One that may not be asked after is there.
        process(pid).is_some_and(|pid| test_kill_process(pid) != Err(Errno::SRCH))
    }

    /// Ends a process that hangs; one that is stopped too. Whether it is still there is seen by the next question.
    fn kill(&mut self, pid: u32) {
        if let Some(Err(error)) = process(pid).map(|pid| kill_process(pid, Signal::KILL)) {
            tracing::error!(%error, "the engine could not be ended");
        }
    }

    fn cancel(&mut self, config: &Config) -> Outcomes {
        Pace::Sleep.block_on(cancel_everywhere(config)).unwrap_or_else(|error| {
            let unasked = |venue: &crate::config::Venue| {
                (venue.exchange.name.to_owned(), Err(format!("no runtime: {error}")))
            };
            config.venues.iter().map(unasked).collect()
        })
    }
}

fn process(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}

/// Writes what is said until nobody says anything any more. What cannot be written is lost, and nothing else is.
fn tell_all(json: bool, said: &Receiver<Line>, out: &mut impl Write) {
    let mut warned = false;
    for line in said {
        if let Err(error) = tell(json, out, &line)
            && !std::mem::replace(&mut warned, true)
        {
            tracing::warn!(%error, "what is said cannot be written: it watches on");
        }
    }
}

fn tell(json: bool, out: &mut impl Write, line: &Line) -> std::io::Result<()> {
    if json {
        let line = sonic_rs::to_string(line).map_err(std::io::Error::other)?;
        writeln!(out, "{line}")?;
    } else {
        let pid = line.pid.map(|pid| format!(" process {pid}")).unwrap_or_default();
        writeln!(out, "{}{pid} {}", line.event, line.what)?;
    }
    // Whoever reads it hears of a hanging engine when it hangs, not when a buffer is full.
    out.flush()
}

#[cfg(test)]
mod tests;
