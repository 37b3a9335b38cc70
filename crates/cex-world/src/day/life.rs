//! A process in the world: it dies at an effect, and another one begins.

use super::Day;
use super::start::NoStart;
use crate::bugs::Bug;
use crate::check::Invariant;
use crate::fuse::Death;
use cex_arb::run::answers::Keeper;
use cex_arb::run::recover::{Leveled, leveled};
use cex_core::Timestamp;
use cex_engine::{Commands, Engine, Event};
use cex_risk::Mode;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Who starts the program again waits so long when it ended by itself.
const AGAIN: Duration = Duration::from_secs(2);

/// Parts per thousand of a write that a crash interrupts which reach the disk.
const TORN: [usize; 4] = [0, 1, 500, 999];

/// A crash that is to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Crash {
    /// After so many effects of the process.
    pub(crate) after: u64,
    pub(crate) death: Death,
    /// Until the next process begins.
    pub(crate) pause: Duration,
    /// The next process dies too, after so many effects of its own.
    pub(crate) again: Option<u64>,
}

impl fmt::Display for Crash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = match self.death {
            Death::Kill => "proc.kill",
            Death::PowerLoss => "proc.power",
        };
        write!(f, "{how} after {} effects, for {} ms", self.after, self.pause.as_millis())?;
        self.again.map_or(Ok(()), |again| write!(f, ", and again after {again}"))
    }
}

/// Where the process stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Life {
    /// None is there until then.
    starts_at: Option<Timestamp>,
    /// What an earlier process left open is not level yet.
    pub(super) levels: bool,
    crash: Option<Crash>,
    /// Of the last process: no other may have the same.
    epoch: u64,
    /// How many processes died so far.
    pub(crate) deaths: u32,
    /// How often the machine was started again.
    pub(super) boots: u32,
    /// A process is there that does not run yet.
    pub(super) is_starting: bool,
    /// How many processes came after the first one.
    pub(crate) restarts: u32,
    /// Effects of all processes when this one began.
    began_at: u64,
    /// What the next start finds.
    pub(crate) halt: Halt,
}

/// Whether a halt waits for an operator, on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Halt {
    /// None does: there was none, or it was acknowledged.
    #[default]
    Off,
    /// One does.
    On,
    /// Whoever wrote, or acknowledged, it got no answer.
    Unknown,
}

impl Day {
    /// When the next process begins, if none is there.
    pub(super) const fn starts_at(&self) -> Option<Timestamp> {
        self.life.starts_at
    }

    /// Whether a process is there that has levelled what the one before left open.
    pub(crate) const fn is_up(&self) -> bool {
        self.life.starts_at.is_none() && !self.life.levels
    }

    /// The process will die; none that is down, or will already.
    pub(crate) fn arm(&mut self, crash: Crash) {
        if self.life.starts_at.is_none() && self.life.crash.is_none() {
            self.life.crash = Some(crash);
            self.fuse.blow_after(crash.after);
        }
    }

    /// No process dies any more.
    pub(crate) fn disarm(&mut self) {
        if !self.fuse.is_blown() {
            self.fuse.renew();
            self.life.crash = None;
        }
    }

    /// A number for a session, larger than any before it.
    pub(super) fn next_epoch(&mut self) -> u64 {
        let now = u64::try_from(self.now().as_millis()).unwrap_or(0);
        if self.has(Bug::IdsBeginAnew) && self.life.epoch > 0 {
            return self.life.epoch;
        }
        self.life.epoch = now.max(self.life.epoch + 1);
        self.life.epoch
    }

    /// The process is gone, in the middle of whatever it did.
    pub(super) fn die(&mut self) {
        let now = self.now();
        let crash = self.life.crash;
        let death = crash.map_or(Death::Kill, |crash| crash.death);
        self.desk.trace.tell(now, format!("the process dies: {death:?}"));
        self.world.client_dies(death == Death::Kill);
        self.bury();
        let disk = match death {
            Death::Kill => self.disk.after_kill(),
            Death::PowerLoss => {
                self.life.boots += 1;
                let dice = &mut self.dice;
                self.disk.after_power_loss(|bound| dice.below(bound))
            }
        };
        self.disk = disk;
        self.fuse.renew();
        self.give_disk();
        self.life.deaths += 1;
        self.life.starts_at = Some(now + crash.map_or(AGAIN, |crash| crash.pause));
        self.desk.checks.died(now, death);
    }

    /// The disk goes down with the process.
    pub(super) fn give_disk(&mut self) {
        let fuse = self.fuse.clone();
        let torn = self.dice.pick(&TORN);
        self.disk.crash_when_down(Arc::new(move || fuse.effect()), torn);
    }

    /// Nothing of the process is left.
    fn bury(&mut self) {
        for place in std::mem::take(&mut self.places) {
            self.desk.checks.left(place.rest.placements);
        }
        self.desk.journal = None;
        self.desk.engine = Engine::new(self.config.clone(), &[], 0);
        self.desk.out = Commands::default();
        self.life.levels = false;
    }

    /// Another process begins, as `arb run` does.
    pub(super) fn begin_again(&mut self) {
        self.life.starts_at = None;
        if let Some(again) = self.life.crash.take().and_then(|crash| crash.again.map(|again| (crash, again)))
        {
            let (crash, again) = again;
            self.life.crash = Some(Crash { again: None, ..crash });
            self.fuse.blow_after(again);
        }
        self.life.began_at = self.fuse.effects();
        self.life.restarts += 1;
        self.life.is_starting = true;
        let started = self.start();
        self.life.is_starting = false;
        match started {
            Ok(adopted) => {
                let now = self.now();
                self.life.levels = adopted > 0;
                self.effects.recovery = self.fuse.effects() - self.life.began_at;
                self.desk.trace.tell(now, format!("a process begins, and goes on with {adopted}"));
                self.tell_trips();
            }
            Err(NoStart::Died) => {}
            Err(NoStart::Failed { why, for_operator }) => {
                let now = self.now();
                self.desk.trace.tell(now, format!("a start fails: {why}"));
                self.desk.checks.counts.failed_starts += 1;
                self.world.client_dies(true);
                self.bury();
                self.life.starts_at = Some(now + AGAIN);
                if for_operator {
                    let looks_at = self.call_operator();
                    self.desk.checks.told_people(looks_at);
                }
            }
        }
    }

    /// Stops all openings until an operator has looked, over restarts too. Whether that is on disk.
    pub(crate) fn halt(&mut self, by: &str, reason: &str) -> bool {
        let now = self.now();
        self.desk.trace.tell(now, format!("{by}: halted: {reason}"));
        let is_written = !self.has(Bug::HaltUnwritten);
        if is_written {
            self.desk.record(now, |recorder| recorder.halt(now, by, reason));
        }
        if self.fuse.is_blown() {
            // Whoever halts it gets no answer.
            self.life.halt = if self.life.halt == Halt::On { Halt::On } else { Halt::Unknown };
            return false;
        }
        self.life.halt = Halt::On;
        self.desk.checks.halted(now);
        if !self.has(Bug::KillIgnored) {
            self.feed(Event::Kill);
        }
        true
    }

    /// The process ends by itself, as `arb run` does: nothing is on the way.
    fn end(&mut self) {
        let now = self.now();
        let standing = self.desk.engine.standing(now);
        let Some(journal) = self.desk.journal.take() else { return };
        let closed = journal.recorder.close(now, "stopped", 0, &standing);
        if self.fuse.is_blown() {
            return;
        }
        if let Err(error) = closed {
            self.desk.checks.violate(Invariant::I3, now, format!("a session does not end: {error}"));
        }
        self.desk.trace.tell(now, "the process ends".to_owned());
        self.world.client_dies(true);
        self.bury();
        self.desk.checks.ended();
        self.life.starts_at = Some(now + AGAIN);
    }

    /// Opens nothing before what earlier processes left open is level; what cannot be made so is an operator's: the run halts, over
    /// restarts too, and ends.
    pub(super) fn level_first(&mut self) {
        if !self.life.levels || self.fuse.is_blown() {
            return;
        }
        let now = self.now();
        match leveled(&self.desk.engine.view(now)) {
            Leveled::NotYet => {}
            Leveled::All => {
                self.life.levels = false;
                self.effects.recovery = self.fuse.effects() - self.life.began_at;
                if !self.has(Bug::StaysCloseOnly) {
                    self.feed(Event::Mode(Mode::Active));
                }
            }
            Leveled::NotAll => {
                self.life.levels = false;
                if self.halt("recovery", "what an earlier run left open could not be traded away") {
                    self.end();
                }
            }
        }
    }
}
