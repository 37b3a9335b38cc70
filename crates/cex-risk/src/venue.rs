//! What the gate knows of a venue.

use crate::breaker::{Breaker, OrderResult};
use crate::limits::Limits;
use crate::pace::{OrderWindows, VenuePace};
use crate::stops::Stops;
use crate::trip::Trip;
use cex_core::{Asset, Bps, ClientOrderId, Decimal, Timestamp};
use rustc_hash::FxHashMap;
use std::collections::VecDeque;
use std::time::Duration;

/// Orders whose results are looked at together (R25).
const RESULTS: u32 = 50;
/// Fewer results than this tell nothing about a share.
const TELLING: u32 = 10;

/// Answers to orders whose times are looked at together: of a hundred, 99 must be in time (R25).
const ANSWERS: usize = 100;
/// So many of them may be late.
const SLOW: usize = 1;

/// Chains a coin may be moved over. Which number stands for which chain is the teller's, for each coin, and the same at all
/// venues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Chains(u64);

impl Chains {
    /// No chain: closed.
    pub const NONE: Self = Self(0);
    /// Every chain.
    pub const ALL: Self = Self(u64::MAX);
    /// How many can be told apart.
    pub const MOST: usize = 64;

    /// These and the chain of this number, if it is below [`Self::MOST`].
    #[must_use]
    pub fn with(self, number: usize) -> Self {
        let bit = u32::try_from(number).ok().and_then(|number| 1_u64.checked_shl(number));
        Self(self.0 | bit.unwrap_or(0))
    }

    /// Those in both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// Over which chains a coin can be moved in and out of a venue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wallet {
    /// It can be sent there.
    pub deposits: Chains,
    /// It can be sent from there.
    pub withdrawals: Chains,
}

impl Wallet {
    /// Open both ways over every chain.
    pub const OPEN: Self = Self { deposits: Chains::ALL, withdrawals: Chains::ALL };
}

/// Breaker, pace and health of one venue.
#[derive(Debug)]
pub(crate) struct VenueRisk {
    pub(crate) breaker: Breaker<ClientOrderId>,
    pub(crate) stops: Stops,
    /// The trip its breaker last opened with: beside the others, because its end is half an end.
    pub(crate) opened: Option<Trip>,
    pub(crate) pace: VenuePace,
    /// Orders whose fate is unknown.
    pub(crate) unknown: u32,
    /// How many orders the venue itself takes.
    pub(crate) windows: OrderWindows,
    /// Until when what may be sent there is used up.
    pub(crate) budget_spent_until: Timestamp,
    /// The value of what is held there, in quote, as of the last look.
    pub(crate) equity: Decimal,
    /// Accounts in a row that differed from our ledger.
    pub(crate) drifts: u32,
    /// What adopted accounts held less than our ledger, added up, in quote.
    pub(crate) seeped: Decimal,
    wallets: Option<Wallets>,
    /// Of the last orders, a bit each, newest lowest: whether it failed.
    failed: u64,
    results: u32,
    answers: Answers,
}

/// How long the last answers to orders took.
#[derive(Debug, Clone, Default)]
struct Answers {
    /// Newest last; `None` for one that never came.
    took: VecDeque<Option<Duration>>,
}

/// The wallets of a venue.
#[derive(Debug)]
struct Wallets {
    max_age: Duration,
    as_of: Timestamp,
    known: FxHashMap<Asset, Wallet>,
}

impl VenueRisk {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            breaker: Breaker::new(limits.max_failures, limits.breaker_pause),
            stops: Stops::default(),
            opened: None,
            pace: VenuePace::default(),
            unknown: 0,
            windows: OrderWindows::default(),
            budget_spent_until: Timestamp::EPOCH,
            equity: Decimal::ZERO,
            drifts: 0,
            seeped: Decimal::ZERO,
            wallets: None,
            failed: 0,
            results: 0,
            answers: Answers::default(),
        }
    }

    /// An operator has looked: how often the account differed, and by how much, is counted anew.
    pub(crate) fn acknowledge(&mut self) {
        self.stops.acknowledge();
        (self.drifts, self.seeped) = (0, Decimal::ZERO);
    }

    /// Trips that may be in force.
    pub(crate) fn trips(&self) -> impl Iterator<Item = Trip> {
        self.stops.iter().chain(self.opened)
    }

    /// What is counted of its orders, in words.
    pub(crate) fn counts(&self) -> String {
        let Self { breaker, failed, results, answers, .. } = self;
        format!("{breaker:?} {failed:x} of {results}, {:?}", answers.took)
    }

    /// Goes on with what was counted of its orders before.
    pub(crate) fn go_on(&mut self, earlier: &Self) {
        self.breaker = earlier.breaker.clone();
        (self.failed, self.results) = (earlier.failed, earlier.results);
        self.answers = earlier.answers.clone();
    }

    /// An order was answered after this long, or its answer never came; the rule that breaks, if one does (R25). Counting
    /// begins anew then.
    pub(crate) fn answered(&mut self, took: Option<Duration>, limits: &Limits) -> Option<&'static str> {
        let took_all = &mut self.answers.took;
        if took_all.len() == ANSWERS {
            took_all.pop_front();
        }
        took_all.push_back(took);
        let slow = took_all.iter().flatten().filter(|took| **took > limits.max_answer).count();
        let last = took_all.iter().rev().take(RESULTS as usize);
        let (of, lost) = last.fold((0, 0), |(of, lost), took| (of + 1, lost + i64::from(took.is_none())));
        let rule = if slow > SLOW {
            "latency"
        } else if of >= i64::from(TELLING) && lost * Bps::ONE / of > limits.max_failure_share.e8() {
            "timeouts"
        } else {
            return None;
        };
        took_all.clear();
        Some(rule)
    }

    /// Takes in the result of an order; whether too large a part of the last ones failed (R25). Counting begins anew then.
    pub(crate) fn ended(&mut self, result: OrderResult, limits: &Limits) -> bool {
        let failed = match result {
            OrderResult::Withheld => return false,
            OrderResult::Worked => 0,
            OrderResult::Failed => 1,
        };
        self.failed = (self.failed << 1 | failed) & ((1 << RESULTS) - 1);
        self.results = (self.results + 1).min(RESULTS);
        let share = i64::from(self.failed.count_ones()) * Bps::ONE / i64::from(self.results);
        if self.results < TELLING || share <= limits.max_failure_share.e8() {
            return false;
        }
        (self.failed, self.results) = (0, 0);
        true
    }

    /// Takes in what the venue says of its wallets. From then on they must be known, and as fresh as `max_age`.
    pub(crate) fn set_wallets(
        &mut self,
        now: Timestamp,
        max_age: Duration,
        wallets: impl IntoIterator<Item = (Asset, Wallet)>,
    ) {
        self.wallets = Some(Wallets { max_age, as_of: now, known: wallets.into_iter().collect() });
    }

    /// The wallet of a coin (R3): `None` when it is not known well enough. Open when wallets are not looked at.
    pub(crate) fn wallet(&self, now: Timestamp, asset: Asset) -> Option<Wallet> {
        match &self.wallets {
            None => Some(Wallet::OPEN),
            Some(wallets) if now.since(wallets.as_of) > wallets.max_age => None,
            Some(wallets) => wallets.known.get(&asset).copied(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_large_a_part_of_failures_shows_after_enough_orders() {
        let limits = Limits { max_failure_share: Bps::from_bps(2_000), ..Limits::boundless() };
        let mut venue = VenueRisk::new(&limits);
        let mut told = |failed: bool| {
            venue.ended(if failed { OrderResult::Failed } else { OrderResult::Worked }, &limits)
        };
        assert!((0..8).all(|_| !told(false)));
        assert!(!told(true), "nine tell nothing");
        assert!(!told(true), "two of ten are a fifth");
        assert!(told(true), "three of eleven are more");
        assert!(!told(true), "counted anew");
        assert!((0..50).all(|_| !told(false)));
        assert!((0..10).all(|_| !told(true)), "ten of fifty are a fifth");
        assert!(told(true));
    }

    #[test]
    fn the_second_late_answer_of_a_hundred_is_one_too_many() {
        let limits = Limits { max_answer: Duration::from_secs(2), ..Limits::boundless() };
        let mut venue = VenueRisk::new(&limits);
        let mut told = |millis: u64| venue.answered(Some(Duration::from_millis(millis)), &limits);
        assert_eq!(told(2_001), None, "one may be");
        assert!((0..99).all(|_| told(2_000).is_none()), "the limit itself is in time");
        assert_eq!(told(5_000), None, "the first is a hundred answers ago");
        assert_eq!(told(5_000), Some("latency"));
        assert_eq!(told(5_000), None, "counted anew");
    }

    #[test]
    fn too_many_answers_that_never_come_are_noticed() {
        let limits = Limits { max_failure_share: Bps::from_bps(2_000), ..Limits::boundless() };
        let mut venue = VenueRisk::new(&limits);
        let mut told = |came: bool| venue.answered(came.then_some(Duration::ZERO), &limits);
        assert!((0..3).all(|_| told(false).is_none()), "three tell nothing");
        assert!((0..6).all(|_| told(true).is_none()));
        assert_eq!(told(true), Some("timeouts"), "three of ten");
        assert!((0..10).all(|_| told(true).is_none()));
        assert!((0..2).all(|_| told(false).is_none()), "two of twelve");
    }

    #[test]
    fn wallets_once_looked_at_must_be_known_and_fresh() {
        let (mut venue, now) = (VenueRisk::new(&Limits::boundless()), Timestamp::from_secs(1_000));
        let asset = |name: &str| name.parse::<Asset>().expect("short");
        let open = Wallet::OPEN;
        assert_eq!(venue.wallet(now, asset("BTC")), Some(open), "nobody looks at wallets");
        let closed = Wallet { deposits: Chains::NONE, ..open };
        venue.set_wallets(now, Duration::from_secs(60), [(asset("BTC"), closed)]);
        assert_eq!(venue.wallet(now + Duration::from_secs(60), asset("BTC")), Some(closed));
        assert_eq!(venue.wallet(now + Duration::from_secs(61), asset("BTC")), None);
        assert_eq!(venue.wallet(now, asset("ETH")), None);
    }
}
