//! Latencies, always on: five histograms, some tens of nanoseconds a frame.

use crate::show::summary::{Latency, LatencyRow};
use cex_core::Timestamp;
use cex_transport::CallStamps;
use hdrhistogram::Histogram;

/// A minute: longer is an outage, not a latency.
const LONGEST_NANOS: u64 = 60_000_000_000;

/// The latencies of a run.
#[derive(Debug)]
pub struct Stopwatch {
    frame_to_decision: Histogram<u64>,
    frame_to_leg_signed: Histogram<u64>,
    frame_to_legs_signed: Histogram<u64>,
    frame_to_order: Histogram<u64>,
    order_round_trip: Histogram<u64>,
}

impl Stopwatch {
    /// Nothing measured yet.
    #[must_use]
    pub fn new() -> Self {
        let histogram = || {
            // Two digits are within one percent; the bounds are constants that fit, so this cannot fail.
            Histogram::new_with_bounds(1, LONGEST_NANOS, 2)
                .expect("1..=60e9 at two digits is a valid histogram")
        };
        Self {
            frame_to_decision: histogram(),
            frame_to_leg_signed: histogram(),
            frame_to_legs_signed: histogram(),
            frame_to_order: histogram(),
            order_round_trip: histogram(),
        }
    }

    /// From the socket read that brought a market frame to the engine being done with it.
    pub fn decided(&mut self, read_at: Timestamp, now: Timestamp) {
        self.frame_to_decision.saturating_record(nanos(read_at, now));
    }

    /// The legs that a frame read at `read_at` caused were ready then, signed, in their order; nothing was sent before.
    pub fn signed(&mut self, read_at: Timestamp, [first, second]: [Timestamp; 2]) {
        self.frame_to_leg_signed.saturating_record(nanos(read_at, first));
        self.frame_to_legs_signed.saturating_record(nanos(read_at, second));
    }

    /// An order that a frame read at `read_at` caused.
    pub fn ordered(&mut self, read_at: Timestamp, stamps: &CallStamps) {
        let Some(written_at) = stamps.written_at else { return };
        self.frame_to_order.saturating_record(nanos(read_at, written_at));
        if let Some(answered_at) = stamps.answered_at {
            self.order_round_trip.saturating_record(nanos(written_at, answered_at));
        }
    }

    /// All of them by name.
    #[must_use]
    pub fn rows(&self) -> Vec<LatencyRow> {
        vec![
            ("frame_to_decision", Latency::from(&self.frame_to_decision)),
            ("frame_to_leg_signed", Latency::from(&self.frame_to_leg_signed)),
            ("frame_to_legs_signed", Latency::from(&self.frame_to_legs_signed)),
            ("frame_to_order_written", Latency::from(&self.frame_to_order)),
            ("order_round_trip", Latency::from(&self.order_round_trip)),
        ]
    }
}

impl Default for Stopwatch {
    fn default() -> Self {
        Self::new()
    }
}

fn nanos(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.since(from).as_nanos()).unwrap_or(u64::MAX)
}
