//! What transport counts. The hot path counts here with plain atomics; whoever publishes takes snapshots.
//!
//! Times are nanoseconds inside and [`Duration`]s in snapshots.

use cex_core::Timestamp;
use cex_errors::{Op, Outcome};
use hdrhistogram::Histogram;
use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Longest time told apart; longer ones count as this.
const LONGEST_NANOS: u64 = 120_000_000_000;

/// A count that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn add_one(&self) {
        self.add(1);
    }

    /// So many more.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// How many so far.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How long something took, as a histogram with two significant digits.
pub struct Latency {
    histogram: Mutex<Option<Histogram<u64>>>,
    missed: Counter,
}

/// A histogram's figures at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LatencySnapshot {
    /// Number of measurements.
    pub count: u64,
    /// Median.
    pub p50: Duration,
    /// Nine of ten were no longer.
    pub p90: Duration,
    /// Ninety-nine of a hundred were no longer.
    pub p99: Duration,
    /// The longest.
    pub max: Duration,
    /// Not measured, because a snapshot was being taken.
    pub missed: u64,
}

impl Latency {
    /// Nothing measured; memory is taken by the first measurement.
    #[must_use]
    pub const fn new() -> Self {
        Self { histogram: Mutex::new(None), missed: Counter(AtomicU64::new(0)) }
    }

    /// Counts one. Never waits: while a snapshot is being taken it is only counted as missed.
    pub fn record(&self, took: Duration) {
        let Ok(mut guard) = self.histogram.try_lock() else {
            self.missed.add_one();
            return;
        };
        if guard.is_none() {
            *guard = Histogram::new_with_bounds(1, LONGEST_NANOS, 2).ok();
        }
        if let Some(histogram) = guard.as_mut() {
            histogram.saturating_record(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
        }
    }

    /// The figures so far.
    #[must_use]
    pub fn snapshot(&self) -> LatencySnapshot {
        let guard = self.histogram.lock().unwrap_or_else(PoisonError::into_inner);
        let missed = self.missed.value();
        let Some(histogram) = guard.as_ref() else { return LatencySnapshot { missed, ..Default::default() } };
        let at = |quantile| Duration::from_nanos(histogram.value_at_quantile(quantile));
        LatencySnapshot {
            count: histogram.len(),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            max: Duration::from_nanos(histogram.max()),
            missed,
        }
    }
}

impl Default for Latency {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.snapshot().fmt(f)
    }
}

/// One streaming connection over all its lives.
#[derive(Debug, Default)]
pub struct LinkMetrics {
    /// Connections that stand now: two while one takes over from another.
    open: AtomicI64,
    /// Nanoseconds; zero before the first frame.
    last_frame_at: AtomicI64,
    /// Data messages received.
    pub frames: Counter,
    /// Bytes received.
    pub bytes: Counter,
    /// Socket reads.
    pub reads: Counter,
    /// Attempts to connect.
    pub dials: Counter,
    /// Connections that stood.
    pub connects: Counter,
    /// Connections that stood again after a loss.
    pub reconnects: Counter,
    /// Connections lost, or left.
    pub losses: Counter,
    /// Connections replaced by another while they still stood.
    pub rotations: Counter,
    /// Frames the link could not use, and other errors it returned.
    pub errors: Counter,
    /// Books asked for again.
    pub resubscribes: Counter,
    /// Things a link asked for that could not be done as it stood.
    pub misuses: Counter,
    /// Events a full queue did not take.
    pub overflows: Counter,
    /// From a socket read's return until everything in it was handled.
    pub handling: Latency,
}

/// A link's figures at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LinkSnapshot {
    /// Whether the connection stands.
    pub up: bool,
    /// When the last frame came.
    pub last_frame_at: Option<Timestamp>,
    /// Data messages received.
    pub frames: u64,
    /// Bytes received.
    pub bytes: u64,
    /// Socket reads.
    pub reads: u64,
    /// Attempts to connect.
    pub dials: u64,
    /// Connections that stood.
    pub connects: u64,
    /// Connections that stood again after a loss.
    pub reconnects: u64,
    /// Connections lost, or left.
    pub losses: u64,
    /// Connections replaced by another while they still stood.
    pub rotations: u64,
    /// Frames the link could not use, and other errors it returned.
    pub errors: u64,
    /// Books asked for again.
    pub resubscribes: u64,
    /// Things a link asked for that could not be done as it stood.
    pub misuses: u64,
    /// Events a full queue did not take.
    pub overflows: u64,
    /// From a socket read's return until everything in it was handled.
    pub handling: LatencySnapshot,
}

impl LinkMetrics {
    pub(crate) fn opened(&self) {
        self.open.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn closed(&self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn frame_at(&self, now: Timestamp) {
        self.last_frame_at.store(now.as_nanos(), Ordering::Relaxed);
    }

    /// Whether the connection stands.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.open.load(Ordering::Relaxed) > 0
    }

    /// The figures so far.
    #[must_use]
    pub fn snapshot(&self) -> LinkSnapshot {
        let last = self.last_frame_at.load(Ordering::Relaxed);
        LinkSnapshot {
            up: self.is_up(),
            last_frame_at: (last != 0).then(|| Timestamp::from_nanos(last)),
            frames: self.frames.value(),
            bytes: self.bytes.value(),
            reads: self.reads.value(),
            dials: self.dials.value(),
            connects: self.connects.value(),
            reconnects: self.reconnects.value(),
            losses: self.losses.value(),
            rotations: self.rotations.value(),
            errors: self.errors.value(),
            resubscribes: self.resubscribes.value(),
            misuses: self.misuses.value(),
            overflows: self.overflows.value(),
            handling: self.handling.snapshot(),
        }
    }
}

/// One kind of call.
#[derive(Debug, Default)]
pub struct CallMetrics {
    /// Calls asked for.
    pub calls: Counter,
    /// Attempts beyond the first.
    pub repeats: Counter,
    /// Attempts given to an order connection to be sent.
    pub sent: Counter,
    /// Calls that never left.
    pub not_sent: Counter,
    /// Calls the exchange refused.
    pub refused: Counter,
    /// Calls of which nobody knows whether they were executed.
    pub unknown: Counter,
    /// From the first byte handed to the socket until the answer was whole.
    pub round_trip: Latency,
    /// From being asked for until the first byte was handed to the socket.
    pub until_written: Latency,
}

/// A kind of call's figures at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CallSnapshot {
    /// Calls asked for.
    pub calls: u64,
    /// Attempts beyond the first.
    pub repeats: u64,
    /// Calls that never left.
    pub not_sent: u64,
    /// Calls the exchange refused.
    pub refused: u64,
    /// Calls of which nobody knows whether they were executed.
    pub unknown: u64,
    /// From the first byte handed to the socket until the answer was whole.
    pub round_trip: LatencySnapshot,
    /// From being asked for until the first byte was handed to the socket.
    pub until_written: LatencySnapshot,
}

impl CallMetrics {
    pub(crate) fn count_failure(&self, outcome: Outcome) {
        match outcome {
            Outcome::NotSent => self.not_sent.add_one(),
            Outcome::Refused => self.refused.add_one(),
            Outcome::Unknown => self.unknown.add_one(),
        }
    }

    /// The figures so far.
    #[must_use]
    pub fn snapshot(&self) -> CallSnapshot {
        CallSnapshot {
            calls: self.calls.value(),
            repeats: self.repeats.value(),
            not_sent: self.not_sent.value(),
            refused: self.refused.value(),
            unknown: self.unknown.value(),
            round_trip: self.round_trip.snapshot(),
            until_written: self.until_written.snapshot(),
        }
    }
}

/// The connections of one lane.
#[derive(Debug, Default)]
pub struct PoolMetrics {
    /// Connections made.
    pub opened: Counter,
    /// Calls that found a connection ready.
    pub reused: Counter,
    /// Connections given up: broken, timed out, or idle for too long.
    pub closed: Counter,
}

/// A lane's figures at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PoolSnapshot {
    /// Connections made.
    pub opened: u64,
    /// Calls that found a connection ready.
    pub reused: u64,
    /// Connections given up: broken, timed out, or idle for too long.
    pub closed: u64,
}

impl PoolMetrics {
    /// The figures so far.
    #[must_use]
    pub fn snapshot(&self) -> PoolSnapshot {
        PoolSnapshot { opened: self.opened.value(), reused: self.reused.value(), closed: self.closed.value() }
    }
}

/// The request interface of one venue.
#[derive(Debug, Default)]
pub struct RestMetrics {
    /// Counters of each kind of call, by its number.
    by_op: [CallMetrics; Op::ALL.len()],
    /// The connections of placements and cancels.
    pub orders: PoolMetrics,
    /// The connections of account queries.
    pub queries: PoolMetrics,
    /// The connections of market data.
    pub market: PoolMetrics,
    /// Times the exchange's clock was measured.
    pub clock_rounds: Counter,
    /// Times it could not be.
    pub clock_failures: Counter,
}

impl RestMetrics {
    /// The counters of one kind of call.
    #[must_use]
    pub const fn of(&self, op: Op) -> &CallMetrics {
        &self.by_op[op as usize]
    }

    /// The figures of every kind of call made so far.
    #[must_use]
    pub fn calls(&self) -> Vec<(Op, CallSnapshot)> {
        let made = self.by_op.iter().zip(Op::ALL).filter(|(metrics, _)| metrics.calls.value() > 0);
        made.map(|(metrics, op)| (op, metrics.snapshot())).collect()
    }

    /// Calls made, and those that failed.
    #[must_use]
    pub fn totals(&self) -> (u64, u64) {
        self.by_op.iter().fold((0, 0), |(calls, failed), one| {
            let lost = one.not_sent.value() + one.refused.value() + one.unknown.value();
            (calls + one.calls.value(), failed + lost)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_right_to_two_digits() {
        let latency = Latency::new();
        assert_eq!(latency.snapshot(), LatencySnapshot::default());
        for micros in 1..=1_000 {
            latency.record(Duration::from_micros(micros));
        }
        latency.record(Duration::from_secs(1_000_000));
        let seen = latency.snapshot();
        assert_eq!(seen.count, 1_001);
        for (got, expected) in [(seen.p50, 500), (seen.p90, 900), (seen.p99, 990)] {
            let expected = Duration::from_micros(expected);
            assert!(got.abs_diff(expected) < expected / 50, "{got:?} is not about {expected:?}");
        }
        assert!(seen.max >= Duration::from_secs(119));
    }

    #[test]
    fn calls_are_counted_by_kind_and_by_how_they_failed() {
        let metrics = RestMetrics::default();
        let placing = metrics.of(Op::PlaceOrder);
        placing.calls.add(3);
        placing.count_failure(Outcome::Unknown);
        placing.count_failure(Outcome::Refused);
        metrics.of(Op::Ping).calls.add_one();
        assert_eq!(metrics.totals(), (4, 2));
        let seen = metrics.calls();
        assert_eq!(seen.len(), 2);
        assert_eq!(seen.iter().find(|(op, _)| *op == Op::PlaceOrder).map(|(_, one)| one.unknown), Some(1));
    }
}
