//! Time, and what it does to a link: starts, losses, deadlines, the end.

use super::network::Network;
use super::phase::Phase;
use super::run::{CLOSE_NORMAL, Driver};
use super::sink::Sink;
use cex_core::Timestamp;
use cex_interface::Input;
use std::task::Context;
use std::time::Duration;

/// A link that asks to be woken at a time already past is woken no more often than this.
const WAKE_PAUSE: Duration = Duration::from_millis(10);

impl<S: Sink, N: Network> Driver<S, N> {
    pub(super) fn meet_deadlines(&mut self) -> bool {
        let now = self.clock.now();
        self.meet_phase_deadline(now) | self.wake_link(now)
    }

    fn meet_phase_deadline(&mut self, now: Timestamp) -> bool {
        if self.phase.due_at(&self.config).is_none_or(|at| at > now) {
            return false;
        }
        let overdue = match &mut self.phase {
            Phase::Resting { reserved, .. } => {
                let reserved = *reserved;
                self.start_or_queue(now, reserved);
                return true;
            }
            Phase::Starting { .. } => Some("the link did not ask to connect"),
            Phase::Dialing { .. } => Some("connecting took too long"),
            Phase::Open(open) => open.dead_because(now, &self.config),
        };
        match (overdue, &mut self.phase) {
            (Some(why), _) => {
                tracing::warn!(link = self.feed.link.name(), why, "stream given up");
                self.lose(now, Duration::ZERO);
            }
            (None, Phase::Open(open)) => {
                open.pinged = true;
                open.ws.writer().ping();
            }
            (None, Phase::Resting { .. } | Phase::Starting { .. } | Phase::Dialing { .. }) => {}
        }
        true
    }

    fn wake_link(&mut self, now: Timestamp) -> bool {
        let due = self.feed.link.wakeup_at().is_some_and(|at| at <= now);
        // Before the first start a link has nothing to be woken for.
        if self.life == 0 || !due || now < self.wake_not_before {
            return false;
        }
        self.feed.tell(now, Input::Wake);
        self.do_wanted();
        if self.feed.link.wakeup_at().is_some_and(|at| at <= now) {
            self.wake_not_before = now + WAKE_PAUSE;
        }
        true
    }

    /// Arranges to be woken when something is due; `true` when that is now.
    pub(super) fn wait_for_next(&mut self, cx: &mut Context<'_>) -> bool {
        let wake =
            self.feed.link.wakeup_at().filter(|_| self.life > 0).map(|at| at.max(self.wake_not_before));
        let due = [wake, self.phase.due_at(&self.config), self.stop_by].into_iter().flatten().min();
        due.is_some_and(|at| self.timer.arm(&self.clock, at, cx))
    }

    /// Starts, or rests until the moment the venue's budget of connection attempts has free.
    fn start_or_queue(&mut self, now: Timestamp, reserved: bool) {
        let slot = if reserved { now } else { self.network.dial_slot(now) };
        if slot > now {
            self.phase = Phase::Resting { until: Some(slot), reserved: true };
            return;
        }
        self.life += 1;
        self.phase = Phase::Starting { deadline: now + self.config.start_timeout };
        self.feed.tell(now, Input::Start);
        self.do_wanted();
    }

    /// The connection, or the attempt at one, is gone. The next start comes after a pause of at least `at_least`.
    pub(super) fn lose(&mut self, now: Timestamp, at_least: Duration) {
        if let Phase::Open(open) = &self.phase {
            self.feed.metrics.losses.add_one();
            self.feed.metrics.closed();
            if open.brought_data && now.since(open.opened_at) >= self.config.stable_after {
                self.backoff.reset();
            }
        }
        let pause = self.backoff.next(&mut self.jitter).max(at_least);
        self.phase = Phase::Resting { until: self.stop_by.is_none().then(|| now + pause), reserved: false };
        self.feed.tell(now, Input::Disconnected);
        // What the link says to a loss must not reach into the next life.
        self.feed.forget_wishes_of_connection();
    }

    pub(super) fn end_if_done(&mut self) {
        let Some(stop_by) = self.stop_by else { return };
        let now = self.clock.now();
        let sent = match &self.phase {
            Phase::Open(open) => open.ws.is_flushed(),
            Phase::Resting { .. } | Phase::Starting { .. } | Phase::Dialing { .. } => true,
        };
        if now < stop_by && (self.calls.len() > 0 || self.feed.wants_something() || !sent) {
            return;
        }
        if let Phase::Open(_) = &self.phase {
            self.say_goodbye(CLOSE_NORMAL);
            self.lose(now, Duration::ZERO);
        }
        self.ended = true;
    }

    pub(super) fn begin_to_stop(&mut self) {
        let now = self.clock.now();
        self.stop_by = Some(now + self.config.stop_timeout);
        match &self.phase {
            Phase::Open(_) => {}
            Phase::Resting { .. } | Phase::Starting { .. } | Phase::Dialing { .. } => {
                self.phase = Phase::Resting { until: None, reserved: false };
            }
        }
        self.feed.tell(now, Input::Stop);
    }
}
