//! The exchange's clock, measured by questions over the wire; connections kept warm.

use super::{Pending, Purpose, Rest, State, is_about_time};
use cex_core::Timestamp;
use cex_errors::{ErrorKind, ExchangeError};
use cex_interface::{Reply, Request};
use cex_sim::world::{LineId, World};
use cex_transport::Urgency;
use cex_transport::venue_clock::ClockSample;
use std::time::Duration;

/// After a failed measurement the next comes sooner; as transport does it.
const RETRY_CLOCK: Duration = Duration::from_secs(5);

/// A measurement under way.
#[derive(Debug, Default)]
pub(super) struct Measuring {
    samples: Vec<ClockSample>,
}

impl Rest {
    /// Looks after the clock and the connections.
    pub(super) fn upkeep(&mut self, world: &mut World) {
        let now = world.now();
        self.upkeep_at = now + self.config.upkeep_every.min(super::lanes::WARM_PAUSE);
        if now >= self.clock_at {
            self.measure(world);
        }
        let warm = self.config.warm;
        self.lanes.refresh(world, self.exchange, warm, &self.config);
    }

    /// How far the exchange's clock is off, in nanoseconds, once that was measured.
    pub(crate) fn clock_offset(&self) -> Option<i64> {
        self.clock.estimate().map(|known| known.offset_nanos)
    }

    /// Begins to measure, unless that is under way.
    pub(super) fn measure(&mut self, world: &mut World) {
        if self.measuring.is_none() {
            self.measuring = Some(Measuring::default());
            self.clock_at = Timestamp::MAX;
            self.begin(world, Request::ServerTime, Purpose::Clock, Urgency::Normal);
        }
    }

    /// One question for the time was answered, or failed.
    pub(super) fn clock_answered(
        &mut self,
        world: &mut World,
        state: State,
        result: &Result<Reply, ExchangeError>,
    ) {
        let now = world.now();
        let Some(measuring) = &mut self.measuring else { return };
        let sent_at = match state {
            State::Away { sent_at, .. } => Some(sent_at),
            State::Resting { .. } | State::NeedsLine { .. } | State::Measuring => None,
        };
        let mut more = false;
        if let (Ok(Reply::ServerTime(venue_time)), Some(sent_at)) = (result, sent_at) {
            measuring.samples.push(ClockSample { sent_at, answered_at: now, venue_time: *venue_time });
            more = measuring.samples.len() < self.config.clock_samples;
        }
        if more {
            return self.begin(world, Request::ServerTime, Purpose::Clock, Urgency::Normal);
        }
        let samples = std::mem::take(&mut measuring.samples);
        self.measuring = None;
        let known = !samples.is_empty() && self.clock.learn(&samples, now).is_some();
        let pause = if known { self.config.clock_every } else { self.config.clock_every.min(RETRY_CLOCK) };
        self.clock_at = now + pause;
        self.release_measured(world, known);
    }

    /// The calls that waited for the clock go on, or end.
    fn release_measured(&mut self, world: &mut World, known: bool) {
        let waited = |state| state == State::Measuring;
        let ids: Vec<u64> =
            self.calls.iter().filter(|(_, one)| waited(one.state)).map(|(id, _)| *id).collect();
        let now = world.now();
        for id in ids {
            if known {
                if let Some(pending) = self.calls.get_mut(&id) {
                    let give_up_at = now + self.config.budget_wait_max;
                    pending.state = State::Resting { until: now, give_up_at };
                }
                self.attempt(world, id);
            } else {
                self.end(world, id, ErrorKind::ClockUnknown);
            }
        }
    }

    /// Has the clock measured soon when it may be to blame, and trusts it no longer when the refusal of a call cannot mean
    /// anything else; as transport does it. `id`: a call that was under way.
    pub(super) fn doubt_clock(&mut self, now: Timestamp, id: Option<u64>, kind: &ErrorKind) {
        let call = id.and_then(|id| self.calls.get(&id));
        if let (ErrorKind::ClockSkew, Some(Pending { request, state: State::Away { sent_at, .. }, .. })) =
            (kind, call)
        {
            self.clock.refused(*sent_at, now, request.expires_in());
        }
        if is_about_time(kind) && self.measuring.is_none() {
            (self.clock_at, self.upkeep_at) = (now, now);
        }
    }

    /// Whether the exchange's clock is known.
    pub(crate) fn knows_time(&self, now: Timestamp) -> bool {
        self.clock.at(now).is_ok()
    }

    /// Whether this connection is one of ours.
    pub(crate) fn knows(&self, line: LineId) -> bool {
        self.lanes.knows(line)
    }
}
