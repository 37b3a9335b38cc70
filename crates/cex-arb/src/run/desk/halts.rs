//! What keeps openings from leaving until an operator has looked, and what is told of it.

use super::{Core, Desk};
use crate::run::venue::Venue;
use crate::show::summary::Arbitrages;
use cex_core::VenueId;
use cex_engine::Event;
use cex_errors::Op;
use std::rc::Rc;

/// What of a run's totals an operator had looked at when openings were last allowed to go on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// Alarms.
    pub alarms: u64,
    /// Arbitrages that were parked.
    pub parked: u64,
}

impl Desk {
    /// The kill switch: halts, and has what is open in the accounts cancelled by whoever waits for it ([`crate::run::cancel`]).
    pub fn kill(&self, by: &str, reason: &str) {
        self.halt(by, reason);
        self.0.borrow_mut().note_killed();
    }

    /// Waits until the kill switch is thrown.
    pub async fn until_killed(&self) {
        let killed = Rc::clone(&self.0.borrow().killed);
        killed.notified().await;
    }

    /// Whether the kill switch was thrown, and an order may be open for all that is known.
    #[must_use]
    pub fn may_rest(&self) -> bool {
        self.0.borrow().may_rest
    }

    /// How often the kill switch was thrown.
    #[must_use]
    pub fn kills(&self) -> u64 {
        self.0.borrow().kills
    }

    /// How often something stopped it that only an operator ends: a halt, an alarm, a rule that waits for one.
    #[must_use]
    pub fn halts(&self) -> u64 {
        self.0.borrow().halts
    }

    /// It is proven that no order is open, to whoever began to look when the switch had been thrown so often: one that was thrown
    /// since wants a look of its own.
    pub fn nothing_rests(&self, kills: u64) {
        let mut core = self.0.borrow_mut();
        core.may_rest &= core.kills != kills;
    }

    /// Stops all openings until an operator has looked, over restarts too.
    pub fn halt(&self, by: &str, reason: &str) {
        let now = self.now();
        tracing::warn!(by, reason, "halted: nothing new is opened");
        {
            let mut core = self.0.borrow_mut();
            core.halted = true;
            core.halts += 1;
            if let Some(recorder) = &mut core.recorder {
                recorder.halt(now, by, reason);
            }
        }
        self.feed(now, Event::Kill);
    }

    /// An operator has looked at what stopped openings. Whether that is written down: otherwise nothing was acknowledged.
    #[must_use]
    pub fn acknowledge(&self, by: &str) -> bool {
        let now = self.now();
        let acknowledged =
            self.0.borrow_mut().recorder.as_mut().is_none_or(|recorder| recorder.acknowledged(now, by));
        // It may be there later, and the next run must know no more of it than whoever asked was told.
        if !acknowledged && !self.has_lost_its_journal() {
            self.tell(now, Event::Acknowledge);
            self.halt(by, "an acknowledgement was not on disk in time");
        }
        acknowledged
    }

    /// Lets openings go on after an operator has looked. That no order rests is proven by looking at the exchanges alone, at the end
    /// at the latest.
    pub fn go_on(&self) {
        let now = self.now();
        {
            let mut core = self.0.borrow_mut();
            let view = core.engine.view(now);
            let parked = Arbitrages::new(&view.totals, view.open).parked;
            core.seen = Seen { alarms: view.totals.alarms, parked };
            core.halted = false;
        }
        self.feed(now, Event::Acknowledge);
    }

    /// Whether the journal cannot be written any more. Where orders leave, it is halted then, again if need be: an operator looks
    /// when it has ended.
    #[must_use]
    pub fn has_lost_its_journal(&self) -> bool {
        let (failed, lost) = {
            let core = self.0.borrow();
            let told =
                core.recorder.as_ref().map(|recorder| (recorder.has_failed(), recorder.loses_orders()));
            told.unwrap_or_default()
        };
        if lost {
            self.halt("R34", "the journal cannot be written");
        }
        failed
    }

    /// Whether somebody or something halted it, and no operator has looked since.
    #[must_use]
    pub fn is_halted(&self) -> bool {
        self.0.borrow().halted
    }

    /// What an operator has looked at, and so is no reason any more to call for one.
    #[must_use]
    pub fn seen(&self) -> Seen {
        self.0.borrow().seen
    }

    pub(super) fn halt_if_contradicted(&self) {
        // A statement of its own: halting borrows again.
        let contradiction = self.0.borrow().contradiction();
        if let Some(what) = contradiction {
            self.kill("R36", what);
        }
    }
}

impl Core {
    pub(super) fn note_killed(&mut self) {
        self.may_rest = true;
        self.kills += 1;
        self.killed.notify_one();
    }

    /// What leaves is not what was approved (R36); told until it halts, also while what is open is let end.
    fn contradiction(&self) -> Option<&'static str> {
        let bytes = self.venues.iter().find_map(|venue| venue.rest.take_contradiction());
        let more = !self.halted && !self.orders_match_permits();
        bytes.or(more.then_some("more orders left than were approved"))
    }

    /// An order could not leave. When that is because its bytes said something else than was approved, nothing more leaves:
    /// whatever wrote it writes the next one too (R36).
    pub(super) fn stop_when_contradicted(&mut self, venue: VenueId) {
        let Some(what) = self.venues[venue.index()].rest.take_contradiction() else { return };
        let now = self.clock.now();
        tracing::error!(%venue, what, "halted: nothing new is opened");
        self.halted = true;
        self.halts += 1;
        if let Some(recorder) = &mut self.recorder {
            recorder.halt(now, "R36", what);
        }
        self.note_killed();
        self.engine.handle(now, Event::Kill, &mut self.out);
    }

    /// Whether no more orders were given to connections than were approved (R36). One that could not leave was approved too.
    fn orders_match_permits(&self) -> bool {
        let sent = |venue: &Venue| venue.rest.metrics().of(Op::PlaceOrder).sent.value();
        self.venues.iter().map(sent).sum::<u64>() <= self.permits
    }
}
