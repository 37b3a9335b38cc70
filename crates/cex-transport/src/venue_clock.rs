//! What we know of an exchange's clock.
//!
//! An offset is measured from `ServerTime` answers: half a round trip after sending, the exchange read its clock. The
//! sample with the least round trip of a round is the best, and half of it bounds the error. What is handed out leans to
//! the past by that bound: exchanges refuse timestamps ahead of their own clock far more strictly than late ones.

use crate::rate::Urgency;
use cex_core::Timestamp;
use cex_errors::ErrorKind;
use cex_interface::{CallClass, Request};
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering, fence};
use std::time::Duration;

/// One question for the time and its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockSample {
    /// When the question left, by our clock.
    pub sent_at: Timestamp,
    /// When the answer came, by our clock.
    pub answered_at: Timestamp,
    /// The time the exchange told, by its clock.
    pub venue_time: Timestamp,
}

/// An exchange's clock, measured against ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockEstimate {
    /// What to add to our clock to get the exchange's, in nanoseconds.
    pub offset_nanos: i64,
    /// Half the round trip of the sample: the offset is wrong by at most this.
    pub error: Duration,
    /// When it was measured, by our clock.
    pub sampled_at: Timestamp,
}

/// Ordinary quartz drifts by less than this many nanoseconds a millisecond (100 parts in a million).
const DRIFT_NANOS_PER_MS: u64 = 100;

/// No exchange gives a signed call less than this when it says nothing itself (MEXC 5 s, Gate.io 60 s).
const LEAST_LIFE: Duration = Duration::from_secs(1);

/// Every exchange takes a signed call that comes so late and has no life of its own: MEXC within the window the call asks for
/// (MEXC-SIGN-02), Gate.io within 60 s (GATEIO-REST-03).
const TAKEN_LATE: Duration = Duration::from_secs(5);

/// The error may be this part of a call's life. The time it is signed with is up to twice the error old when it leaves: as much
/// again is left for the way.
const LIFE_PER_ERROR: u32 = 3;

impl ClockEstimate {
    /// What a sample says; `None` when its answer came before its question.
    #[must_use]
    pub fn from_sample(sample: &ClockSample) -> Option<Self> {
        let round_trip = sample.answered_at.as_nanos().checked_sub(sample.sent_at.as_nanos())?;
        let half = u64::try_from(round_trip).ok()? / 2;
        let middle = sample.sent_at + Duration::from_nanos(half);
        Some(Self {
            offset_nanos: sample.venue_time.as_nanos().checked_sub(middle.as_nanos())?,
            error: Duration::from_nanos(half),
            sampled_at: sample.answered_at,
        })
    }

    /// The bound on the error at `now`: it grows with age, because clocks drift.
    #[must_use]
    pub fn error_at(&self, now: Timestamp) -> Duration {
        let age_ms = u64::try_from(now.since(self.sampled_at).as_millis()).unwrap_or(u64::MAX);
        self.error.saturating_add(Duration::from_nanos(age_ms.saturating_mul(DRIFT_NANOS_PER_MS)))
    }

    /// Whether both can be true of one clock at `now`.
    fn agrees_with(&self, other: &Self, now: Timestamp) -> bool {
        let apart = Duration::from_nanos(self.offset_nanos.abs_diff(other.offset_nanos));
        apart <= self.error_at(now).saturating_add(other.error_at(now))
    }
}

/// The best known estimate, shared between threads. Reading takes no lock.
#[derive(Debug)]
pub struct VenueClock {
    max_error: Duration,
    writing: Mutex<()>,
    /// Odd while the fields below are being written; readers then try again.
    version: AtomicU64,
    offset_nanos: AtomicI64,
    /// [`UNKNOWN`] when nothing is known.
    error_nanos: AtomicU64,
    sampled_at: AtomicI64,
}

const UNKNOWN: u64 = u64::MAX;

impl VenueClock {
    /// Nothing known yet; later, an error above `max_error` counts as not knowing to whoever opens something.
    #[must_use]
    pub const fn new(max_error: Duration) -> Self {
        Self {
            max_error,
            writing: Mutex::new(()),
            version: AtomicU64::new(0),
            offset_nanos: AtomicI64::new(0),
            error_nanos: AtomicU64::new(UNKNOWN),
            sampled_at: AtomicI64::new(0),
        }
    }

    /// The exchange's time when ours is `now`, leaning to the past by the error bound: as good as an opening wants it.
    ///
    /// # Errors
    /// [`ErrorKind::ClockUnknown`] when nothing is known, or the error bound is above the maximum.
    pub fn at(&self, now: Timestamp) -> Result<Timestamp, ErrorKind> {
        self.within(self.max_error, now)
    }

    /// The exchange's time to sign a call with, leaning to the past by the error bound.
    ///
    /// Only placements that open something want it as in [`Self::at`] (R29). Cancels, questions and closings, which must go,
    /// are signed as long as the exchange would take them: an error above the maximum must not keep a position open, or hide
    /// what became of an order. That is safe however large the error is: as the time is never ahead of the exchange's, an
    /// order expires no later than its `expires_in` after it was signed, only sooner.
    ///
    /// # Errors
    /// [`ErrorKind::ClockUnknown`] when nothing is known, or the error bound is too large for the call.
    pub fn for_call(
        &self,
        request: &Request,
        class: CallClass,
        urgency: Urgency,
        now: Timestamp,
    ) -> Result<Timestamp, ErrorKind> {
        let most = match (class, urgency) {
            (CallClass::Placement, Urgency::CanWait | Urgency::Normal) => self.max_error,
            (CallClass::Placement, Urgency::MustGo)
            | (CallClass::MarketData | CallClass::Query | CallClass::Cancel, _) => {
                let life = request.expires_in().unwrap_or(TAKEN_LATE).min(TAKEN_LATE);
                self.max_error.max(life / LIFE_PER_ERROR)
            }
        };
        self.within(most, now)
    }

    fn within(&self, max_error: Duration, now: Timestamp) -> Result<Timestamp, ErrorKind> {
        let known = self.estimate().ok_or(ErrorKind::ClockUnknown)?;
        let error = known.error_at(now);
        if error > max_error {
            return Err(ErrorKind::ClockUnknown);
        }
        Ok(now.shifted(known.offset_nanos) - error)
    }

    /// The estimate in use.
    #[must_use]
    pub fn estimate(&self) -> Option<ClockEstimate> {
        loop {
            let before = self.version.load(Ordering::Acquire);
            let offset_nanos = self.offset_nanos.load(Ordering::Relaxed);
            let error_nanos = self.error_nanos.load(Ordering::Relaxed);
            let sampled_at = self.sampled_at.load(Ordering::Relaxed);
            fence(Ordering::Acquire);
            if before.is_multiple_of(2) && before == self.version.load(Ordering::Relaxed) {
                return (error_nanos != UNKNOWN).then(|| ClockEstimate {
                    offset_nanos,
                    error: Duration::from_nanos(error_nanos),
                    sampled_at: Timestamp::from_nanos(sampled_at),
                });
            }
            std::hint::spin_loop();
        }
    }

    /// Takes the best sample of a round. An older estimate stays when it is tighter and agrees; one that contradicts
    /// the new round is thrown away, because one of the clocks was stepped.
    ///
    /// Returns the estimate in use afterwards; `None` when no sample could be used and nothing was known.
    pub fn learn(&self, samples: &[ClockSample], now: Timestamp) -> Option<ClockEstimate> {
        let best =
            samples.iter().filter_map(ClockEstimate::from_sample).min_by_key(|estimate| estimate.error);
        if let Some(best) = best {
            let keep = self
                .estimate()
                .is_some_and(|old| old.agrees_with(&best, now) && old.error_at(now) < best.error_at(now));
            if !keep {
                self.store(Some(best));
            }
        }
        self.estimate()
    }

    /// The exchange refused a call for its time: `signed_at` is when it was signed, `now` when the refusal was there, both by
    /// our clock, and `expires_in` the life it was given, if it was given one.
    ///
    /// Everything is forgotten if the call cannot have been late: then our time is wrong. One that was long on its way says
    /// nothing of the clock, and what is known must outlive it: the hedge of what its sibling bought is signed with it.
    pub fn refused(&self, signed_at: Timestamp, now: Timestamp, expires_in: Option<Duration>) {
        // The time it was signed with leans to the past by the error, and was wrong by as much again at most.
        let Some(lean) = self.estimate().map(|known| known.error_at(now).saturating_mul(2)) else { return };
        if now.since(signed_at).saturating_add(lean) < expires_in.unwrap_or(LEAST_LIFE) {
            self.store(None);
        }
    }

    fn store(&self, estimate: Option<ClockEstimate>) {
        // A poisoned lock guards no data, only the order of writers.
        let _one_writer = self.writing.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        self.version.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::Release);
        match estimate {
            None => self.error_nanos.store(UNKNOWN, Ordering::Relaxed),
            Some(known) => {
                let error = u64::try_from(known.error.as_nanos()).unwrap_or(UNKNOWN);
                self.offset_nanos.store(known.offset_nanos, Ordering::Relaxed);
                self.error_nanos.store(error, Ordering::Relaxed);
                self.sampled_at.store(known.sampled_at.as_nanos(), Ordering::Relaxed);
            }
        }
        self.version.fetch_add(1, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cex_core::{
        ClientOrderId, OrderKind, OrderRequest, Price, Qty, Side, SymbolId, TimeInForce, VenueId,
    };
    use cex_interface::OrderRef;
    use proptest::prelude::*;

    const MAX: Duration = Duration::from_millis(250);

    fn order(expires_ms: u64) -> Request {
        Request::Place(OrderRequest {
            venue: VenueId::new(0, "made-up").expect("short"),
            symbol: SymbolId(0),
            client_id: ClientOrderId::new("a-1").expect("plain"),
            side: Side::Buy,
            kind: OrderKind::Limit { price: Price(1), qty: Qty(1), tif: TimeInForce::Ioc },
            expires_in: Duration::from_millis(expires_ms),
        })
    }

    fn sample(sent_ms: i64, answered_ms: i64, venue_ms: i64) -> ClockSample {
        ClockSample {
            sent_at: Timestamp::from_millis(sent_ms),
            answered_at: Timestamp::from_millis(answered_ms),
            venue_time: Timestamp::from_millis(venue_ms),
        }
    }

    #[test]
    fn nothing_known_refuses() {
        let clock = VenueClock::new(MAX);
        assert_eq!(clock.at(Timestamp::from_secs(1)), Err(ErrorKind::ClockUnknown));
        assert_eq!(
            clock.learn(&[sample(10, 5, 7)], Timestamp::from_secs(1)),
            None,
            "answered before it was asked"
        );
    }

    #[test]
    fn least_round_trip_wins_and_the_result_leans_to_the_past() {
        let clock = VenueClock::new(MAX);
        let now = Timestamp::from_millis(1_300);
        clock.learn(&[sample(1_000, 1_200, 6_100), sample(1_250, 1_290, 6_270)], now);
        let known = clock.estimate().expect("learned");
        assert_eq!((known.offset_nanos, known.error), (5_000_000_000, Duration::from_millis(20)));
        let said = clock.at(now).expect("known");
        assert_eq!(
            said,
            Timestamp::from_millis(6_280) - Duration::from_nanos(1_000),
            "10 ms of drift at 100 ppm"
        );
    }

    #[test]
    fn error_too_large_or_too_old_refuses() {
        let clock = VenueClock::new(MAX);
        clock.learn(&[sample(0, 600, 300)], Timestamp::from_millis(600));
        assert_eq!(clock.at(Timestamp::from_millis(600)), Err(ErrorKind::ClockUnknown));
        clock.learn(&[sample(1_000, 1_100, 1_050)], Timestamp::from_millis(1_100));
        assert!(clock.at(Timestamp::from_millis(1_100)).is_ok());
        let an_hour_later = Timestamp::from_millis(1_100) + Duration::from_secs(3_600);
        assert_eq!(clock.at(an_hour_later), Err(ErrorKind::ClockUnknown));
    }

    #[test]
    fn an_error_too_large_to_open_with_stops_neither_closings_nor_cancels_nor_questions() {
        use CallClass::{Cancel, Placement, Query};
        use Urgency::{CanWait, MustGo, Normal};
        let id = ClientOrderId::new("a-1").expect("plain");
        let cancel = Request::Cancel { symbol: SymbolId(0), order: OrderRef::Client(id) };
        let check = |request: &Request, class, urgency, error_ms: i64, signs: bool| {
            let clock = VenueClock::new(MAX);
            let now = Timestamp::from_millis(2 * error_ms);
            clock.learn(&[sample(0, 2 * error_ms, 60_000)], now);
            let said = clock.for_call(request, class, urgency, now);
            let leaning = Timestamp::from_millis(60_000);
            let expected = if signs { Ok(leaning) } else { Err(ErrorKind::ClockUnknown) };
            assert_eq!(said, expected, "{class:?} {urgency:?} {error_ms} ms");
        };
        for urgency in [CanWait, Normal] {
            check(&order(1_500), Placement, urgency, 250, true);
            check(&order(1_500), Placement, urgency, 251, false);
        }
        // A third of its life for the way.
        check(&order(1_500), Placement, MustGo, 500, true);
        check(&order(1_500), Placement, MustGo, 501, false);
        check(&order(60_000), Placement, MustGo, 1_667, false);
        // No worse than an opening, however short it lives.
        check(&order(100), Placement, MustGo, 250, true);
        check(&order(100), Placement, MustGo, 251, false);
        for urgency in [CanWait, Normal, MustGo] {
            for (request, class) in [(&cancel, Cancel), (&Request::Account, Query)] {
                check(request, class, urgency, 1_666, true);
                check(request, class, urgency, 1_667, false);
            }
        }
    }

    #[test]
    fn a_worse_round_does_not_spoil_a_good_one_but_a_step_replaces_it() {
        let clock = VenueClock::new(MAX);
        clock.learn(&[sample(0, 10, 1_005)], Timestamp::from_millis(10));
        clock.learn(&[sample(100, 200, 1_160)], Timestamp::from_millis(200));
        assert_eq!(clock.estimate().map(|known| known.error), Some(Duration::from_millis(5)));
        clock.learn(&[sample(300, 400, 9_000)], Timestamp::from_millis(400));
        assert_eq!(clock.estimate().map(|known| known.offset_nanos), Some(8_650_000_000));
    }

    #[test]
    fn only_a_refusal_that_cannot_be_for_lateness_says_that_our_time_is_wrong() {
        // Signed at 1,000 with an error of 20 ms, so it left with a time up to 40 ms old.
        let check = |answered_ms: i64, expires_in_ms: Option<u64>, remains: bool| {
            let clock = VenueClock::new(MAX);
            clock.learn(&[sample(960, 1_000, 6_000)], Timestamp::from_millis(1_000));
            let expires_in = expires_in_ms.map(Duration::from_millis);
            clock.refused(Timestamp::from_millis(1_000), Timestamp::from_millis(answered_ms), expires_in);
            assert_eq!(clock.estimate().is_some(), remains, "{answered_ms} {expires_in_ms:?}");
        };
        check(1_050, Some(100), false);
        check(1_061, Some(100), true);
        check(3_000, Some(1_500), true);
        check(1_061, None, false);
        check(2_000, None, true);
        check(900, Some(100), false);
    }

    proptest! {
        #[test]
        fn never_ahead_of_the_exchange(
            offset_ms in -100_000_000_i64..100_000_000,
            out_ms in 0_i64..200,
            back_ms in 0_i64..200,
            age_ms in 0_u64..100_000,
        ) {
            let clock = VenueClock::new(MAX);
            let sent = 1_700_000_000_000;
            let read = sent + out_ms;
            clock.learn(&[sample(sent, read + back_ms, read + offset_ms)], Timestamp::from_millis(read + back_ms));
            let now = Timestamp::from_millis(read + back_ms) + Duration::from_millis(age_ms);
            let truth = now.shifted(offset_ms * 1_000_000);
            let said = clock.at(now).expect("within the maximum");
            prop_assert!(said <= truth);
            prop_assert!(truth.since(said) <= Duration::from_millis(400 + age_ms / 1_000));
        }

        /// What the proof that an order is absent rests on: it is not taken later than its expiry after it was signed.
        #[test]
        fn a_closing_expires_no_later_than_it_should_and_leaves_with_a_third_of_its_life_whatever_the_error(
            offset_ms in -100_000_000_i64..100_000_000,
            out_ms in 0_i64..1_500,
            back_ms in 0_i64..1_500,
            expires_ms in 100_u64..60_000,
        ) {
            let clock = VenueClock::new(MAX);
            let sent = 1_700_000_000_000;
            let read = sent + out_ms;
            let now = Timestamp::from_millis(read + back_ms);
            clock.learn(&[sample(sent, read + back_ms, read + offset_ms)], now);
            let truth = now.shifted(offset_ms * 1_000_000);
            let life = Duration::from_millis(expires_ms);
            if let Ok(said) = clock.for_call(&order(expires_ms), CallClass::Placement, Urgency::MustGo, now) {
                prop_assert!(said <= truth);
                let left = (said + life).since(truth);
                prop_assert!(left >= life / 3 || out_ms + back_ms <= 500, "{left:?}");
            }
        }
    }

    #[test]
    fn readers_never_see_half_an_estimate() {
        let clock = VenueClock::new(Duration::MAX);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for nanos in 0..20_000_i64 {
                    let error = Duration::from_nanos(nanos.unsigned_abs());
                    let sampled_at = Timestamp::from_nanos(nanos);
                    clock.store(Some(ClockEstimate { offset_nanos: nanos, error, sampled_at }));
                }
            });
            scope.spawn(|| {
                for _ in 0..20_000 {
                    if let Some(seen) = clock.estimate() {
                        assert_eq!(seen.error, Duration::from_nanos(seen.offset_nanos.unsigned_abs()));
                        assert_eq!(seen.sampled_at.as_nanos(), seen.offset_nanos);
                    }
                }
            });
        });
    }
}
