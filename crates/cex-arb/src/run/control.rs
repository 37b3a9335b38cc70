//! The control socket of a running engine: one JSON line in, one JSON line out, over a unix socket that only its owner may
//! use.

mod directory;

pub use self::directory::{Directory, HaltMark, OtherMode};

use super::desk::Desk;
use crate::show::Names;
use cex_core::Timestamp;
use cex_risk::JournalState;
use cex_transport::Clock;
use serde::{Deserialize, Serialize};
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Interest};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Notify;

/// Longest question.
const LINE_MAX: u64 = 4_096;
/// A client that says nothing for so long is let go.
const PATIENCE: Duration = Duration::from_secs(5);

/// The socket's name in the directory of a run.
pub const SOCKET: &str = "control.sock";

/// The mode that a program which starts tells.
pub const STARTING: &str = "starting";

/// What may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Everything at a glance.
    Status,
    /// Open nothing new, let what is open end, and end the program.
    Stop,
    /// Stop, and at the end trade away what arbitrages left over, with every open order cancelled before.
    StopFlat,
    /// Open nothing new until an operator has looked, over restarts too, and cancel what is open.
    Kill,
    /// An operator has looked: openings go on.
    Resume,
}

/// A question.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// What the client asks for.
    pub verb: Verb,
    /// [`Status::halts`] as whoever resumes was told it: what stopped the run since, they have not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<u64>,
}

impl From<Verb> for Question {
    fn from(verb: Verb) -> Self {
        Self { verb, seen: None }
    }
}

/// An answer.
#[derive(Debug, Serialize, Deserialize)]
pub struct Answer {
    /// Whether what was asked for is done.
    pub ok: bool,
    /// Why it is not done; `None` when it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
    /// How things stand after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
}

/// Why something was not done, and what to do about it.
struct Refused {
    what: String,
    fix: &'static str,
}

impl Refused {
    fn new(what: impl Into<String>, fix: &'static str) -> Self {
        Self { what: what.into(), fix }
    }
}

impl Answer {
    fn of(done: Result<(), Refused>, status: Status) -> Self {
        let ok = done.is_ok();
        let (error, fix) = done.err().map(|Refused { what, fix }| (what, fix.to_owned())).unzip();
        Self { ok, error, fix, status: Some(status) }
    }
}

/// Everything at a glance. The names are a promise to scripts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Process.
    pub pid: u32,
    /// What kind of run: `OBSERVE`, `PAPER`, `LIVE`.
    #[serde(default)]
    pub run: String,
    /// `starting`, `observe`, `close_only`, `active`.
    pub mode: String,
    /// When it started, in milliseconds since the epoch: with the process, what tells one run from another.
    #[serde(default)]
    pub started_at_ms: i64,
    /// Since the start, in milliseconds.
    pub uptime_ms: u64,
    /// Whether the run is ending.
    pub draining: bool,
    /// Whether somebody or something halted it, and no operator has looked since.
    pub halted: bool,
    /// How often something stopped this run that only an operator ends; older ones, and a start, do not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub halts: Option<u64>,
    /// Rules that stop openings, in words.
    pub trips: Vec<String>,
    /// `well`, `behind`, `failed`.
    pub journal: String,
    /// Per exchange.
    pub exchanges: BTreeMap<String, Exchange>,
    /// Arbitrages on the way.
    pub open: u32,
    /// Of these, with an order of unknown fate.
    pub unknown: u32,
    /// Arbitrages started.
    pub started: u64,
    /// Arbitrages ended, by how.
    pub ended: BTreeMap<String, u64>,
    /// Opportunities ended, by verdict.
    pub opportunities: BTreeMap<String, u64>,
    /// Profit realised, in quote.
    pub pnl_realised: String,
    /// Profit of the UTC day, earlier runs included, in quote.
    #[serde(default)]
    pub pnl_day: String,
    /// Orders of openings in the UTC day, earlier runs included.
    #[serde(default)]
    pub orders_today: u32,
    /// Things that only a person can decide.
    pub alarms: u64,
}

/// One exchange.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    /// Books that can be used.
    pub books_live: u32,
    /// Books there are, usable or not.
    pub books: u32,
    /// Whether the account is known well enough to trade.
    pub account_ready: bool,
    /// Messages received.
    pub frames: u64,
    /// Sequence gaps.
    pub gaps: u64,
    /// Connections made again.
    pub reconnects: u64,
}

/// What a client can make happen.
pub struct Controls {
    /// The thread that trades.
    pub desk: Desk,
    /// Names of what it numbers.
    pub names: Names,
    /// Rung when the program shall end.
    pub stop: Rc<Notify>,
    /// Whether the run is ending.
    pub draining: Rc<Cell<bool>>,
    /// Whether what arbitrages left over is to be traded away at the end.
    pub flatten: Rc<Cell<bool>>,
    /// Where the halt file is.
    pub directory: Directory,
    /// When the run began, by our clock.
    pub started_at: Timestamp,
    /// What kind of run: `OBSERVE`, `PAPER`, `LIVE`.
    pub run: &'static str,
    /// The halt file that it halted for last, as long as that is there.
    pub halted_for: RefCell<Option<HaltMark>>,
}

/// Whom clients talk to: a program that starts, and from then on the one that runs.
pub struct Door {
    starting: Starting,
    running: OnceCell<Rc<Controls>>,
}

/// A program that starts: it looks into what earlier runs left, and has opened nothing.
pub struct Starting {
    /// Time.
    pub clock: Clock,
    /// When the process began, by our clock.
    pub started_at: Timestamp,
    /// What kind of run: `OBSERVE`, `PAPER`, `LIVE`.
    pub run: &'static str,
    /// Rung when the program shall end.
    pub stop: Rc<Notify>,
    /// Where the halt file is.
    pub directory: Directory,
}

impl Door {
    /// To a program that starts.
    #[must_use]
    pub const fn new(starting: Starting) -> Self {
        Self { starting, running: OnceCell::new() }
    }

    /// It runs.
    pub fn leads_to(&self, controls: Rc<Controls>) {
        // There is one run in a program.
        let _ = self.running.set(controls);
    }

    fn obey(&self, question: impl Into<Question>) -> Answer {
        let question = question.into();
        match self.running.get() {
            Some(controls) => controls.obey(question),
            None => self.starting.obey(question.verb),
        }
    }
}

impl Starting {
    fn obey(&self, verb: Verb) -> Answer {
        let done = match verb {
            Verb::Status => Ok(()),
            // Nothing is open that could be let end.
            Verb::Stop => {
                self.stop.notify_one();
                Ok(())
            }
            // What earlier runs left open is known to nobody yet.
            Verb::StopFlat => Err(Refused::new(
                "it is starting, and has nothing to trade away yet",
                "try again when arb status says more than starting; arb stop ends the start",
            )),
            // No journal is at hand that could keep it.
            Verb::Kill => {
                self.stop.notify_one();
                self.directory.put_halt_file(&"arb kill, while it was starting").map_err(|error| {
                    let what = format!("{}: {error}", self.directory.halt_file().display());
                    Refused::new(
                        what,
                        "the start was ended; the next one is not halted: make that file by hand",
                    )
                })
            }
            // Whoever has looked has not seen what the start finds.
            Verb::Resume => Err(Refused::new(
                "it is starting, and nothing was acknowledged",
                "try again when arb status says more than starting",
            )),
        };
        let status = Status {
            pid: std::process::id(),
            run: self.run.to_owned(),
            mode: STARTING.to_owned(),
            started_at_ms: self.started_at.as_millis(),
            uptime_ms: u64::try_from(self.clock.now().since(self.started_at).as_millis()).unwrap_or(u64::MAX),
            draining: verb != Verb::Status && done.is_ok(),
            halted: verb == Verb::Kill,
            journal: journal_name(JournalState::Well).to_owned(),
            pnl_realised: "0".to_owned(),
            pnl_day: "0".to_owned(),
            ..Status::default()
        };
        Answer::of(done, status)
    }
}

/// Opens the socket. One that nobody listens on any more is taken over.
///
/// # Errors
/// When another program listens there, or as the system says.
pub fn listen(path: &Path) -> io::Result<UnixListener> {
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        return Err(io::ErrorKind::AddrInUse.into());
    }
    match std::fs::remove_file(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let listener = UnixListener::bind(path)?;
    // The directory is its owner's alone, so nobody can have come in between.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Answers clients until the task is dropped.
pub async fn serve(listener: UnixListener, door: Rc<Door>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let door = Rc::clone(&door);
                tokio::task::spawn_local(async move {
                    // A client that goes away has its answer or does not want it.
                    let _ = tokio::time::timeout(PATIENCE, answer(stream, &door)).await;
                });
            }
            Err(error) => {
                tracing::warn!(%error, "control socket");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn answer(stream: UnixStream, door: &Door) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    BufReader::new(read.take(LINE_MAX)).read_line(&mut line).await?;
    let is_gone = write.ready(Interest::WRITABLE).await?.is_write_closed();
    let answer = match sonic_rs::from_str::<Question>(&line) {
        // Whoever was told that nobody answers does not count on it any more, and may have halted what it would let go on.
        Ok(Question { verb: Verb::Resume, .. }) if is_gone => return Ok(()),
        Ok(question) => door.obey(question),
        Err(error) => {
            Answer { ok: false, error: Some(format!("not a question: {error}")), fix: None, status: None }
        }
    };
    let mut text = sonic_rs::to_string(&answer).map_err(io::Error::other)?;
    text.push('\n');
    write.write_all(text.as_bytes()).await
}

impl Controls {
    fn obey(&self, question: impl Into<Question>) -> Answer {
        let Question { verb, seen } = question.into();
        let done = match verb {
            Verb::Status => Ok(()),
            // Whether to trade away what is left was decided when it began to end.
            Verb::StopFlat if self.draining.get() && !self.flatten.get() => Err(Refused::new(
                "it is ending already, and trades nothing away",
                "arb run once more, then arb stop --flatten",
            )),
            Verb::Stop | Verb::StopFlat => {
                self.draining.set(true);
                self.flatten.set(self.flatten.get() || verb == Verb::StopFlat);
                self.stop.notify_one();
                Ok(())
            }
            Verb::Kill => {
                self.desk.kill("operator", "arb kill");
                Ok(())
            }
            // What is ending opens nothing any more, whoever has looked.
            Verb::Resume if self.draining.get() => {
                Err(Refused::new("it is ending, and nothing was acknowledged", "try again when it has ended"))
            }
            // No record would tell the next run that an operator has looked, nor of what was closed meanwhile.
            Verb::Resume if self.desk.has_lost_its_journal() => Err(Refused::new(
                "the journal cannot be written",
                "arb stop, mend the disk, look at both accounts, then arb resume",
            )),
            Verb::Resume if seen.is_some_and(|seen| seen != self.desk.halts()) => Err(halted_again()),
            Verb::Resume => self.resume(),
        };
        Answer::of(done, self.status())
    }

    /// Lets openings go on. Only whoever knows that nothing forbids it may take the halt file away, and only once it is written
    /// down that an operator has looked: a halt that is not lifted must stay, and so must one that nobody can have looked at, because
    /// this run has not even seen it.
    fn resume(&self) -> Result<(), Refused> {
        let unremoved = |error: io::Error| {
            let what = format!("{}: {error}", self.directory.halt_file().display());
            Refused::new(what, "remove it by hand, then arb resume")
        };
        let aside = self.directory.take_halt_aside().map_err(unremoved)?;
        if aside.is_some() && aside != *self.halted_for.borrow() {
            self.directory.put_halt_back();
            return Err(halted_again());
        }
        if !self.desk.acknowledge("operator") {
            self.directory.put_halt_back();
            return Err(Refused::new(
                "the journal was not on disk in time, and nothing was acknowledged",
                "try again; if that fails too: arb stop, mend the disk, look at both accounts, then arb resume",
            ));
        }
        let forgotten = self.directory.forget_halt();
        // Also where the file stays: what is written down is what the next run reads, and this one must stand as that will.
        self.desk.go_on();
        if forgotten.is_err() {
            self.directory.put_halt_back();
            self.desk.halt("file", "the halt file cannot be removed");
        }
        forgotten.map_err(unremoved)
    }

    fn status(&self) -> Status {
        let (_, standing) = self.desk.standing();
        self.desk.look(|now, view, venues, journal| {
            let rows = view.venues.iter().zip(venues).map(|(row, venue)| {
                let exchange = Exchange {
                    books_live: row.books_live.0,
                    books: row.books_live.1,
                    account_ready: row.account_ready,
                    frames: venue.frames(),
                    gaps: row.gaps,
                    reconnects: venue.reconnects(),
                };
                (venue.id.to_string(), exchange)
            });
            let totals = &view.totals;
            let counted = totals.opportunities.iter();
            Status {
                pid: std::process::id(),
                run: self.run.to_owned(),
                mode: view.mode.name().to_owned(),
                started_at_ms: self.started_at.as_millis(),
                uptime_ms: u64::try_from(now.since(self.started_at).as_millis()).unwrap_or(u64::MAX),
                draining: self.draining.get(),
                halted: self.desk.is_halted(),
                halts: Some(self.desk.halts()),
                trips: view.trips.iter().map(|trip| self.names.trip(trip)).collect(),
                journal: journal_name(journal).to_owned(),
                exchanges: rows.collect(),
                open: view.open,
                unknown: view.unknown,
                started: totals.started,
                ended: totals
                    .ended
                    .iter()
                    .map(|(ending, count)| (ending.name().to_owned(), *count))
                    .collect(),
                opportunities: counted.map(|(verdict, count)| (verdict.name(), *count)).collect(),
                pnl_realised: totals.realised.to_string(),
                pnl_day: standing.day_profit.to_string(),
                orders_today: standing.orders_today,
                alarms: totals.alarms,
            }
        })
    }

    /// Halts when the halt file appears, a few times a second, until the task is dropped: it works without the socket, and
    /// from a program that knows nothing of it.
    pub async fn watch_halt_file(self: Rc<Self>) {
        let mut was_there = false;
        loop {
            tokio::time::sleep(Duration::from_millis(50)).await;
            was_there = self.look_for_halt_file(was_there);
        }
    }

    /// Halts when it is there and was not before, or is another than that was; whether it is there.
    fn look_for_halt_file(&self, was_there: bool) -> bool {
        let is_there = self.directory.is_halted();
        let mark = if is_there { self.directory.halt_mark().ok().flatten() } else { None };
        let is_another = mark.is_some() && mark != *self.halted_for.borrow();
        if is_there && (!was_there || is_another || !self.desk.is_halted()) {
            // The run itself puts it there when its journal has failed (R34), and that cancels nothing.
            if self.desk.has_lost_its_journal() {
                self.desk.halt("file", "the halt file is there");
            } else {
                self.desk.kill("file", "the halt file is there");
            }
        }
        *self.halted_for.borrow_mut() = mark;
        is_there
    }
}

/// What stopped it since, whoever resumes has not looked at.
fn halted_again() -> Refused {
    Refused::new(
        "it was stopped again meanwhile, and nothing was acknowledged",
        "look again: arb status, then arb resume",
    )
}

const fn journal_name(state: JournalState) -> &'static str {
    match state {
        JournalState::Well => "well",
        JournalState::Behind => "behind",
        JournalState::Failed => "failed",
    }
}

#[cfg(test)]
mod tests;
