//! What a venue's request interface needs between calls: the exchange's clock, and connections kept warm.

use super::interface::Rest;
use crate::jitter::Backoff;
use crate::rate::Urgency;
use crate::venue_clock::{ClockEstimate, ClockSample};
use cex_core::Timestamp;
use cex_errors::{ErrorKind, ExchangeError, Op};
use cex_interface::{Reply, Request};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// After a failed measurement the next comes sooner.
const RETRY_CLOCK: Duration = Duration::from_secs(5);

impl Rest {
    /// Measures the exchange's clock with a few questions. Several callers at once share one measurement.
    ///
    /// # Errors
    /// When no question was answered.
    pub async fn sync_clock(&self) -> Result<ClockEstimate, ExchangeError> {
        let before = self.venue_clock.estimate();
        let _one_at_a_time = self.measuring.lock().await;
        if let Some(known) = self.venue_clock.estimate().filter(|known| Some(*known) != before) {
            return Ok(known);
        }
        let cost = self.protocol.cost(&Request::ServerTime);
        let mut samples = Vec::with_capacity(self.config.clock_samples);
        let mut failed = None;
        for _ in 0..self.config.clock_samples.max(1) {
            let answer = self.attempt(&Request::ServerTime, &cost, Urgency::Normal).await;
            match (answer.result, answer.stamps.written_at, answer.stamps.answered_at) {
                (Ok(Reply::ServerTime(venue_time)), Some(sent_at), Some(answered_at)) => {
                    samples.push(ClockSample { sent_at, answered_at, venue_time });
                }
                (Ok(_), ..) => {
                    failed = Some(self.no_time(ErrorKind::Undecodable("an answer that is not the time")));
                }
                (Err(error), ..) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        let learned =
            (!samples.is_empty()).then(|| self.venue_clock.learn(&samples, self.clock.now())).flatten();
        match learned {
            Some(known) => {
                self.metrics.clock_rounds.add_one();
                tracing::debug!(
                    venue = %self.venue(),
                    offset_us = known.offset_nanos / 1_000,
                    error_us = known.error.as_micros(),
                    "exchange clock measured"
                );
                Ok(known)
            }
            None => {
                self.metrics.clock_failures.add_one();
                Err(failed.unwrap_or_else(|| self.no_time(ErrorKind::ClockUnknown)))
            }
        }
    }

    fn no_time(&self, kind: ErrorKind) -> ExchangeError {
        ExchangeError::new(self.venue(), Op::ServerTime, kind)
    }

    /// Measures the exchange's clock at once and then regularly, keeps connections of the order lane open, and closes what
    /// has idled too long. Ends soon after the last other owner of the interface is gone; spawn it.
    pub fn maintain(self: &Arc<Self>) -> impl Future<Output = ()> + Send + 'static + use<> {
        upkeep(Arc::downgrade(self))
    }
}

/// When the clock is next measured, and when connections are next opened after a failure.
struct Plan {
    clock_at: Timestamp,
    warm_at: Timestamp,
    pauses: Backoff,
    /// Whether it was told that the clock could not be measured, and that it is not known well enough: once, until that is over.
    told: [bool; 2],
}

async fn upkeep(rest: Weak<Rest>) {
    let Some((now, every)) = rest.upgrade().map(|rest| (rest.clock.now(), rest.config.upkeep_every)) else {
        return;
    };
    let pauses = Backoff::new(every, Duration::from_secs(30).max(every));
    let mut plan = Plan { clock_at: now, warm_at: now, pauses, told: [false; 2] };
    while let Some(rest) = rest.upgrade() {
        plan.round(&rest).await;
        let wanted =
            tokio::time::timeout(rest.config.upkeep_every, rest.clock_wanted.notified()).await.is_ok();
        if wanted {
            plan.clock_at = rest.clock.now();
        }
    }
}

impl Plan {
    async fn round(&mut self, rest: &Rest) {
        if rest.clock.now() >= self.clock_at {
            let outcome = rest.sync_clock().await;
            let measured = outcome.is_ok();
            if is_news(&mut self.told[0], !measured)
                && let Err(error) = outcome
            {
                tracing::warn!(venue = %rest.venue(), %error, "the exchange's clock could not be measured");
            }
            let pause =
                if measured { rest.config.clock_every } else { rest.config.clock_every.min(RETRY_CLOCK) };
            self.clock_at = rest.clock.now() + pause;
        }
        let now = rest.clock.now();
        let limit = rest.config.clock_error_max;
        if let Some(error) = rest.venue_clock.estimate().map(|known| known.error_at(now))
            && is_news(&mut self.told[1], error > limit)
        {
            let (error_ms, limit_ms) = (error.as_millis(), limit.as_millis());
            tracing::warn!(
                venue = %rest.venue(),
                error_ms,
                limit_ms,
                "the exchange's clock is not known well enough: nothing is opened there"
            );
        }
        let warm = if now >= self.warm_at { rest.config.warm } else { 0 };
        match rest.orders.refresh(warm, rest.config.upkeep_every).await {
            Ok(()) if warm > 0 => self.pauses.reset(),
            Ok(()) => {}
            Err(error) => {
                tracing::warn!(venue = %rest.venue(), %error, "no connection could be kept warm");
                self.warm_at = rest.clock.now() + self.pauses.next(&mut rest.jitter());
            }
        }
    }
}

/// Whether something is wrong that was not before.
fn is_news(told: &mut bool, wrong: bool) -> bool {
    !std::mem::replace(told, wrong) && wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_told_once_until_it_is_right_again() {
        let mut told = false;
        let news = [false, true, true, false, true].map(|wrong| is_news(&mut told, wrong));
        assert_eq!(news, [false, true, false, false, true]);
    }
}
