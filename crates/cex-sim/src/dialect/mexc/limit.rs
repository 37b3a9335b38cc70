//! Rate limits: windows aligned to the clock, and what happens to those who do not wait.

use super::refusal::Refusal;
use crate::matching::AccountIndex;
use cex_core::Timestamp;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

/// How long a 429 asks to wait.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a 418 does.
const BAN: Duration = Duration::from_secs(120);
/// So many requests during a pause are a ban.
const PATIENCE: u32 = 10;
/// Windows that ended are dropped this often, so that the table holds only recent callers.
const PRUNE_SECS: i64 = 60;

/// Who pays for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Caller {
    /// Public endpoints: the address.
    Address(IpAddr),
    /// Signed endpoints: the account.
    Account(AccountIndex),
}

/// What is paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Bucket {
    /// Each endpoint by itself: 500 of weight in 10 seconds.
    Endpoint(&'static str),
    /// Placing and cancelling together: 12 a second.
    Orders,
    /// Endpoints that allow 2 a second.
    Rare(&'static str),
}

impl Bucket {
    /// (weight, window in seconds).
    const fn allowance(self) -> (u32, i64) {
        match self {
            Self::Endpoint(_) => (500, 10),
            Self::Orders => (12, 1),
            Self::Rare(_) => (2, 1),
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Window {
    start: i64,
    used: u32,
}

/// An address that was told to wait.
#[derive(Debug, Clone, Copy)]
struct Penalty {
    until: Timestamp,
    ignored: u32,
}

/// The windows and penalties in use.
#[derive(Debug, Default)]
pub(super) struct Limits {
    windows: BTreeMap<(Caller, Bucket), Window>,
    penalties: BTreeMap<IpAddr, Penalty>,
    pruned_at: i64,
}

impl Limits {
    /// Refuses an address that still has to wait; ignoring that long enough makes it a ban.
    pub(super) fn admit(&mut self, now: Timestamp, peer: IpAddr) -> Result<(), Refusal> {
        self.prune(now);
        let Some(penalty) = self.penalties.get_mut(&peer).filter(|penalty| penalty.until > now) else {
            return Ok(());
        };
        penalty.ignored = penalty.ignored.saturating_add(1);
        if penalty.ignored == PATIENCE {
            penalty.until = now + BAN;
        }
        let status = if penalty.ignored >= PATIENCE { 418 } else { 429 };
        let seconds = penalty.until.since(now).as_millis().div_ceil(1_000);
        Err(Refusal::too_many(status, u64::try_from(seconds).unwrap_or(u64::MAX)))
    }

    /// Pays for a request.
    pub(super) fn take(
        &mut self,
        now: Timestamp,
        peer: IpAddr,
        caller: Caller,
        bucket: Bucket,
        weight: u32,
    ) -> Result<(), Refusal> {
        let (most, span) = bucket.allowance();
        let start = now.as_secs().div_euclid(span) * span;
        let window = self.windows.entry((caller, bucket)).or_insert(Window { start, used: 0 });
        if window.start != start {
            *window = Window { start, used: 0 };
        }
        if window.used.saturating_add(weight) > most {
            self.penalties.insert(peer, Penalty { until: now + PAUSE, ignored: 0 });
            return Err(Refusal::too_many(429, PAUSE.as_secs()));
        }
        window.used += weight;
        Ok(())
    }

    /// So much time has passed: windows that short have ended, and penalties are shorter by it.
    pub(super) fn age(&mut self, by: Duration) {
        self.windows.retain(|(_, bucket), _| bucket.allowance().1.cast_unsigned() > by.as_secs());
        for penalty in self.penalties.values_mut() {
            penalty.until = penalty.until.shifted(crate::dialect::nanos_ago(by));
        }
    }

    fn prune(&mut self, now: Timestamp) {
        if now.as_secs() < self.pruned_at + PRUNE_SECS {
            return;
        }
        self.pruned_at = now.as_secs();
        self.windows.retain(|(_, bucket), window| window.start + bucket.allowance().1 > now.as_secs());
        self.penalties.retain(|_, penalty| penalty.until > now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn twelve_orders_a_second_then_a_pause_then_a_ban() {
        let mut limits = Limits::default();
        let start = Timestamp::from_secs(1_700_000_000);
        let user = Caller::Account(AccountIndex(0));
        let mut place = |now| limits.take(now, PEER, user, Bucket::Orders, 1);
        assert!((0..12).all(|_| place(start).is_ok()));
        assert_eq!(place(start), Err(Refusal::too_many(429, 1)));
        for ignored in 1..=12 {
            let expected = if ignored < 10 { Refusal::too_many(429, 1) } else { Refusal::too_many(418, 120) };
            assert_eq!(limits.admit(start, PEER), Err(expected), "{ignored}");
        }
        assert!(limits.admit(start + BAN, PEER).is_ok());
    }

    #[test]
    fn every_endpoint_has_its_own_weight() {
        let mut limits = Limits::default();
        let now = Timestamp::from_secs(1_700_000_000);
        let mut take =
            |name, weight| limits.take(now, PEER, Caller::Address(PEER), Bucket::Endpoint(name), weight);
        assert!((0..50).all(|_| take("a", 10).is_ok()));
        assert!(take("a", 1).is_err());
        assert!(take("b", 500).is_ok());
    }
}
