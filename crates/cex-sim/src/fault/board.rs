//! All faults of a simulator, and the log of what they did.

use super::rest::Moment;
use super::ws::{Seen, WsEffect, WsFault};
use super::{Fault, FaultId, FaultKind, RestEffect, Trigger, VenueFault};
use crate::server::SimExchange;
use cex_core::Timestamp;

/// Entries of the log; older ones are forgotten.
const MOST_FIRED: usize = 100_000;

/// A fault that may still happen, or that lasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActiveFault {
    /// Its number.
    pub id: FaultId,
    /// Exchange the fault was injected at.
    pub exchange: SimExchange,
    /// The fault itself.
    pub fault: Fault,
    /// How often it happened so far.
    pub fired: u64,
}

/// A fault that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fired {
    /// The fault's number.
    pub id: FaultId,
    /// When it happened, by the simulator's clock.
    pub at: Timestamp,
    /// Exchange it happened at.
    pub exchange: SimExchange,
    /// What was injected, in words.
    pub fault: String,
    /// What it hit, in words.
    pub hit: String,
    /// What chance was left was decided by this seed.
    pub seed: u64,
}

/// A fault with what is needed to let it happen.
#[derive(Debug)]
struct Entry {
    id: FaultId,
    exchange: SimExchange,
    fault: Fault,
    trigger: Trigger,
    /// Of a mute: what it hit first is logged, the rest is silence.
    is_mute: bool,
    /// Orders meet their faults inside of the exchange, which counts for itself.
    fired_inside: u64,
}

/// All faults of a simulator.
#[derive(Debug)]
pub(crate) struct Board {
    seed: u64,
    last: u64,
    entries: Vec<Entry>,
    fired: Vec<Fired>,
}

impl Board {
    /// Nothing is wrong. The seed is the simulator's.
    pub(crate) const fn new(seed: u64) -> Self {
        Self { seed, last: 0, entries: Vec::new(), fired: Vec::new() }
    }

    /// Adds a fault that was checked.
    pub(crate) fn inject(&mut self, now: Timestamp, exchange: SimExchange, fault: Fault) -> FaultId {
        self.last += 1;
        let id = FaultId(self.last);
        let trigger = Trigger::new(now, fault.when);
        self.entries.push(Entry { id, exchange, fault, trigger, is_mute: false, fired_inside: 0 });
        id
    }

    /// Takes a fault away; answers it with its place, if it was there.
    pub(crate) fn clear(&mut self, id: FaultId) -> Option<(SimExchange, Fault)> {
        let at = self.entries.iter().position(|entry| entry.id == id)?;
        let entry = self.entries.remove(at);
        Some((entry.exchange, entry.fault))
    }

    /// The numbers of all faults.
    pub(crate) fn ids(&self) -> Vec<FaultId> {
        self.entries.iter().map(|entry| entry.id).collect()
    }

    /// All faults that may still happen, or that last.
    pub(crate) fn active(&self, now: Timestamp) -> Vec<ActiveFault> {
        let alive = self.entries.iter().filter(|entry| !entry.is_over(now));
        let shown = |entry: &Entry| ActiveFault {
            id: entry.id,
            exchange: entry.exchange,
            fault: entry.fault.clone(),
            fired: entry.trigger.fired() + entry.fired_inside,
        };
        alive.map(shown).collect()
    }

    /// Whether [`Self::active`] has any.
    pub(crate) fn has_active(&self, now: Timestamp) -> bool {
        self.entries.iter().any(|entry| !entry.is_over(now))
    }

    /// What happened so far, oldest first.
    pub(crate) fn fired(&self) -> &[Fired] {
        &self.fired
    }

    /// So much time has passed (a negative step).
    pub(crate) fn age(&mut self, by_nanos: i64) {
        self.entries.iter_mut().for_each(|entry| entry.trigger.age(by_nanos));
    }

    /// When the next fault is over by itself.
    pub(crate) fn wakeup_at(&self) -> Option<Timestamp> {
        self.entries.iter().filter_map(|entry| entry.trigger.over_at()).min()
    }

    /// The faults that are over.
    pub(crate) fn over(&self, now: Timestamp) -> Vec<FaultId> {
        self.entries.iter().filter(|entry| entry.is_over(now)).map(|entry| entry.id).collect()
    }

    /// Whether any fault of a kind is there: the quick answer for every frame.
    pub(crate) fn has_ws(&self, exchange: SimExchange) -> bool {
        let is_ws =
            |entry: &Entry| entry.exchange == exchange && matches!(entry.fault.kind, FaultKind::Ws(_));
        self.entries.iter().any(is_ws)
    }

    /// What happens to a call, if anything.
    pub(crate) fn rest(
        &mut self,
        now: Timestamp,
        exchange: SimExchange,
        moment: Moment,
        method: &str,
        path: &str,
    ) -> Option<RestEffect> {
        let index = self.entries.iter_mut().position(|entry| match &entry.fault.kind {
            FaultKind::Rest(fault) => {
                entry.exchange == exchange && fault.matches(moment, method, path) && entry.trigger.pull(now)
            }
            FaultKind::Ws(_) | FaultKind::Order(_) | FaultKind::Venue(_) => false,
        })?;
        self.log(now, index, format!("{method} {path}"));
        match &self.entries[index].fault.kind {
            FaultKind::Rest(fault) => Some(fault.effect.clone()),
            FaultKind::Ws(_) | FaultKind::Order(_) | FaultKind::Venue(_) => None,
        }
    }

    /// What happens to a frame or message, if anything, and the seed of what chance decides.
    pub(crate) fn ws(
        &mut self,
        now: Timestamp,
        exchange: SimExchange,
        conn: u64,
        seen: Seen<'_>,
    ) -> Option<(WsFault, u64)> {
        let index = self.entries.iter_mut().position(|entry| match &entry.fault.kind {
            FaultKind::Ws(fault) => {
                let mutes = fault.effect == WsEffect::Mute;
                entry.exchange == exchange && fault.matches(seen) && entry.happens(now, mutes)
            }
            FaultKind::Rest(_) | FaultKind::Order(_) | FaultKind::Venue(_) => false,
        })?;
        let entry = &mut self.entries[index];
        let FaultKind::Ws(fault) = &entry.fault.kind else { return None };
        let fault = fault.clone();
        let is_news = !std::mem::replace(&mut entry.is_mute, fault.effect == WsEffect::Mute);
        let seed = entry.seed(self.seed);
        if is_news {
            let side = if seen.is_from_client { "message" } else { "frame" };
            self.log(now, index, format!("{side} of {} bytes on connection {conn}", seen.bytes.len()));
        }
        Some((fault, seed))
    }

    /// All faults of the venue itself, oldest first.
    pub(crate) fn venue(&self, exchange: SimExchange) -> impl Iterator<Item = (FaultId, &VenueFault)> {
        self.entries.iter().filter(move |entry| entry.exchange == exchange).filter_map(|entry| {
            match &entry.fault.kind {
                FaultKind::Venue(fault) => Some((entry.id, fault)),
                FaultKind::Rest(_) | FaultKind::Ws(_) | FaultKind::Order(_) => None,
            }
        })
    }

    /// Whether a fault of the venue like this is there.
    pub(crate) fn lists(&self, exchange: SimExchange, wanted: impl Fn(&VenueFault) -> bool) -> bool {
        self.entries.iter().any(|entry| match &entry.fault.kind {
            FaultKind::Venue(fault) => entry.exchange == exchange && wanted(fault),
            FaultKind::Rest(_) | FaultKind::Ws(_) | FaultKind::Order(_) => false,
        })
    }

    /// Enters what happened inside of an exchange.
    pub(crate) fn happened(&mut self, now: Timestamp, id: FaultId, hit: String) {
        let Some(index) = self.entries.iter().position(|entry| entry.id == id) else { return };
        self.entries[index].fired_inside += 1;
        self.log(now, index, hit);
    }

    fn log(&mut self, now: Timestamp, index: usize, hit: String) {
        let entry = &self.entries[index];
        let (id, exchange, fault) = (entry.id, entry.exchange, entry.fault.to_string());
        let seed = entry.seed(self.seed);
        tracing::info!(%exchange, %id, %fault, %hit, seed, "fault");
        if self.fired.len() == MOST_FIRED {
            self.fired.drain(..MOST_FIRED / 10);
        }
        self.fired.push(Fired { id, at: now, exchange, fault, hit, seed });
    }
}

impl Entry {
    /// A mute that began goes on, however often it was to begin.
    fn happens(&mut self, now: Timestamp, mutes: bool) -> bool {
        let is_over_by_time = self.trigger.over_at().is_some_and(|at| at <= now);
        if self.is_mute && mutes {
            return !is_over_by_time;
        }
        self.trigger.pull(now)
    }

    fn is_over(&self, now: Timestamp) -> bool {
        if self.trigger.over_at().is_some_and(|at| at <= now) {
            return true;
        }
        match self.fault.kind {
            FaultKind::Venue(_) => false,
            FaultKind::Order(_) => self.fault.when.count.is_some_and(|count| self.fired_inside >= count),
            FaultKind::Rest(_) | FaultKind::Ws(_) => !self.is_mute && self.trigger.is_over(now),
        }
    }

    /// Different for every fault and every time it happens, the same in every run of a seed.
    fn seed(&self, seed: u64) -> u64 {
        let step = (self.id.0 << 32) ^ (self.trigger.fired() + self.fired_inside);
        seed ^ step.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Stream;
    use std::time::Duration;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
    const MEXC: SimExchange = SimExchange::Mexc;

    fn frame(bytes: &[u8]) -> Seen<'_> {
        Seen { is_private: false, is_from_client: false, is_data: true, bytes }
    }

    #[test]
    fn a_call_meets_its_fault_as_often_as_asked_and_the_log_is_complete() {
        let mut board = Board::new(1);
        let fault = Fault::rest("POST", "/api/v3/order", Moment::After, RestEffect::Close).skip(1).times(2);
        let id = board.inject(NOW, MEXC, fault.clone());
        let post =
            |board: &mut Board, moment, method: &str, path: &str| board.rest(NOW, MEXC, moment, method, path);
        assert_eq!(post(&mut board, Moment::Before, "POST", "/api/v3/order"), None);
        assert_eq!(post(&mut board, Moment::After, "GET", "/api/v3/order"), None);
        assert_eq!(post(&mut board, Moment::After, "POST", "/api/v3/batchOrders"), None);
        assert_eq!(board.rest(NOW, SimExchange::Gateio, Moment::After, "POST", "/api/v3/order"), None);
        let happened: Vec<bool> =
            (0..4).map(|_| post(&mut board, Moment::After, "POST", "/api/v3/order").is_some()).collect();
        assert_eq!(happened, [false, true, true, false]);
        assert_eq!(board.fired().len(), 2);
        let first = &board.fired()[0];
        assert_eq!(
            (first.id, first.at, first.exchange, first.hit.as_str()),
            (id, NOW, MEXC, "POST /api/v3/order")
        );
        assert_eq!(first.fault, fault.to_string());
        assert!(board.active(NOW).is_empty(), "it is used up");
    }

    #[test]
    fn a_mute_lasts_and_is_logged_once() {
        let mut board = Board::new(1);
        let fault = Fault::ws(Stream::Any, &["BTC"], WsEffect::Mute).skip(1).lasting(Duration::from_secs(10));
        let id = board.inject(NOW, MEXC, fault);
        let later = |secs| NOW + Duration::from_secs(secs);
        let mut is_mute = |at, bytes| board.ws(at, MEXC, 1, frame(bytes)).is_some();
        let heard = [
            is_mute(later(0), b"BTC"),
            is_mute(later(1), b"BTC"),
            is_mute(later(2), b"ETH"),
            is_mute(later(9), b"BTC"),
            is_mute(later(10), b"BTC"),
        ];
        assert_eq!(heard, [false, true, false, true, false]);
        assert_eq!(board.fired().len(), 1);
        assert_eq!(board.over(later(9)), []);
        assert_eq!(board.over(later(10)), [id]);
        assert!(board.clear(id).is_some() && board.clear(id).is_none());
    }

    #[test]
    fn seeds_differ_from_time_to_time_and_repeat_with_the_run() {
        let seeds = || {
            let mut board = Board::new(42);
            board.inject(NOW, MEXC, Fault::ws(Stream::Any, &[], WsEffect::FlipBytes(1)).always());
            (0..3).map(|_| board.ws(NOW, MEXC, 1, frame(b"x")).map(|(_, seed)| seed)).collect::<Vec<_>>()
        };
        assert_eq!(seeds(), seeds());
        assert!(seeds()[0] != seeds()[1] && seeds()[1] != seeds()[2]);
    }

    #[test]
    fn faults_that_make_no_sense_are_refused() {
        for fault in [
            Fault::rest("POST", "", Moment::Before, RestEffect::Truncate(3)),
            Fault::rest("post", "", Moment::After, RestEffect::Close),
            Fault::ws(Stream::Any, &[], WsEffect::RefuseSubscription),
            Fault::venue(VenueFault::ClockSkew(i64::MAX)),
            Fault::rest("GET", "", Moment::After, RestEffect::Close).times(0),
        ] {
            assert!(fault.check().is_err(), "{fault}");
        }
    }
}
