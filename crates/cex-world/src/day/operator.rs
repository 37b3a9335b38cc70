//! The operator of a day. Whatever only they can end (a halt, a rule that waits for them, a start that ended and said why) calls them;
//! they look some time later, and acknowledge as `arb resume` does: a process that runs writes it down itself, and where none is
//! there it is written into its journal, and what was open is the operator's. What they do with it is nobody's business here: it
//! stays in the accounts.

use super::Day;
use super::life::Halt;
use crate::bugs::Bug;
use crate::check::Invariant;
use crate::journal;
use crate::plan::Dice;
use cex_arb::run::answers::Keeper;
use cex_core::{ClientOrderId, Timestamp};
use cex_engine::Event;
use cex_journal::messages::{Mode, SessionStart};
use cex_risk::Until;
use std::time::Duration;

/// A process that starts acknowledges nothing: whoever was refused tries again after so long.
const AGAIN: Duration = Duration::from_secs(1);

/// Who looks, and when.
pub(crate) struct Operator {
    dice: Dice,
    looks_at: Option<Timestamp>,
    /// Longest until they look, in milliseconds; none comes any more at all.
    within: Option<u64>,
    /// How often they have looked while no process was there, as far as is known.
    looked: usize,
    /// A process died over an acknowledgement: how many there were before it.
    unsure_since: Option<usize>,
}

impl Operator {
    pub(super) fn new(seed: u64) -> Self {
        Self { dice: Dice::new(seed, 5), looks_at: None, within: Some(20_000), looked: 0, unsure_since: None }
    }

    /// When they look next.
    pub(crate) fn looks_at(&self) -> Timestamp {
        self.looks_at.unwrap_or(Timestamp::MAX)
    }

    /// From now on they are quick.
    pub(crate) fn hurry(&mut self, now: Timestamp) {
        let within = 2_000;
        self.within = Some(within);
        self.looks_at = self.looks_at.map(|at| at.min(now + Duration::from_millis(within)));
    }

    /// They do not look any more.
    pub(crate) const fn leave(&mut self) {
        (self.within, self.looks_at) = (None, None);
    }
}

impl Day {
    /// A process that begins tells what tripped before it and still holds, as `arb run` does: who was told of it may be gone, or
    /// nobody was.
    pub(super) fn tell_trips(&mut self) {
        let trips = self.desk.engine.view(self.now()).trips;
        if trips.iter().any(|trip| trip.until == Until::Operator) {
            self.call_operator();
        }
    }

    /// Something waits for an operator. When they look: none who is on the way already comes later.
    pub(crate) fn call_operator(&mut self) -> Timestamp {
        let now = self.now();
        if let (None, Some(within)) = (self.operator.looks_at, self.operator.within) {
            self.operator.looks_at = Some(now + self.operator.dice.millis(300, within));
        }
        self.operator.looks_at()
    }

    /// Lets the operator look, if it is time.
    pub(super) fn let_operator_look(&mut self, at: Timestamp) {
        if self.operator.looks_at() > at || self.fuse.is_blown() {
            return;
        }
        self.operator.looks_at = None;
        if self.starts_at().is_some() {
            self.resume_alone();
        } else if self.life.is_starting {
            self.operator.looks_at = Some(at + AGAIN);
        } else {
            self.resume();
        }
    }

    /// The process that runs is told that an operator has looked.
    fn resume(&mut self) {
        let now = self.now();
        self.desk.trace.tell(now, "an operator has looked".to_owned());
        let before = self.acknowledgements();
        let is_written = !self.has(Bug::AcknowledgementUnwritten);
        if is_written {
            self.desk.record(now, |recorder| {
                let _ = recorder.acknowledged(now, "operator");
            });
        }
        if self.fuse.is_blown() {
            self.operator.unsure_since = Some(before);
            return self.got_no_answer();
        }
        self.life.halt = Halt::Off;
        self.desk.checks.counts.resumed += 1;
        self.desk.checks.acknowledged();
        self.feed(Event::Acknowledge);
    }

    /// No process is there: it is written into the journal that an operator has looked.
    fn resume_alone(&mut self) {
        let now = self.now();
        self.desk.trace.tell(now, "an operator has looked, and no process was there".to_owned());
        let boot = format!("boot {}", self.life.boots);
        let mode = if self.has(Bug::AcknowledgedByARun) { Mode::Live } else { Mode::Unspecified };
        let start = SessionStart { boot, mode: mode.into(), ..SessionStart::default() };
        let done = journal::acknowledge(&self.disk, now, start);
        if let Err(error) = done {
            if self.fuse.is_blown() {
                return self.got_no_answer();
            }
            let what = format!("an operator cannot acknowledge: {error}");
            return self.desk.checks.violate(Invariant::I3, now, what);
        }
        self.life.halt = Halt::Off;
        self.learn_of_operator();
    }

    /// What the journal says that an operator has looked at: also when they got no answer.
    pub(super) fn learn_of_operator(&mut self) {
        let unsure_since = self.operator.unsure_since.take();
        if unsure_since.is_some_and(|before| self.acknowledgements() > before) {
            self.desk.checks.acknowledged();
        }
        let (looked, theirs) = self.left_to_operator();
        if looked > self.operator.looked {
            self.operator.looked = looked;
            self.desk.checks.counts.resumed_alone += 1;
            self.desk.checks.acknowledged();
            self.desk.checks.leaves_to_operator(theirs.iter().filter_map(|name| ClientOrderId::new(name)));
        }
    }

    /// The process, or the machine, went down over it: whether it is on disk nobody knows, and they look again.
    fn got_no_answer(&mut self) {
        if self.life.halt == Halt::On {
            self.life.halt = Halt::Unknown;
        }
        self.call_operator();
    }
}
