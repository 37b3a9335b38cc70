//! Two connections that carry the same streams, heard as one: nothing twice, and nothing from the newcomer that would look
//! like a gap.

use cex_core::{MarketEvent, Price, Qty, Side, SymbolId, Timestamp, Trade, TradeId, UpdateKind};
use std::collections::{BTreeMap, HashMap};

/// Trades told apart while two connections overlap; beyond it the overlap has gone on for too long to matter.
const TRADES_MAX: usize = 100_000;

/// Which of two overlapping connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ear {
    /// The one that is listened to.
    Main,
    /// The one that is to take over, or has just been taken over from.
    Other,
}

/// What tells a trade from another; exchanges that number none can have several alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum TradeKey {
    Id(SymbolId, TradeId),
    Alike(SymbolId, Side, Price, Qty, Timestamp),
}

impl TradeKey {
    fn of(trade: &Trade) -> Self {
        match trade.trade_id {
            Some(id) => Self::Id(trade.symbol, id),
            None => Self::Alike(trade.symbol, trade.taker_side, trade.price, trade.qty, trade.exchange_ts),
        }
    }
}

/// How far each book was told, and which trades both connections have told.
#[derive(Debug, Default)]
pub(super) struct Merge {
    /// By symbol: the newest version told; zero while none was.
    told: Vec<u64>,
    /// Books of which the other connection has told a version that nothing told so far leads to.
    ahead: BTreeMap<SymbolId, u64>,
    /// How often each connection has told a trade.
    trades: HashMap<TradeKey, [u32; 2]>,
}

impl Merge {
    /// Only one connection: all of it is told, and remembered as told.
    pub(super) fn note(&mut self, event: &MarketEvent) {
        if let MarketEvent::Book(update) = event {
            *self.told_of(update.symbol) = update.last_seq;
        }
    }

    /// Whether an event is told while two connections overlap.
    pub(super) fn admits(&mut self, from: Ear, event: &MarketEvent) -> bool {
        match event {
            MarketEvent::Book(update) => {
                let told = self.told_of(update.symbol);
                let known = *told != 0;
                let old = known && update.last_seq <= *told;
                let follows = known && (update.kind == UpdateKind::Snapshot || update.first_seq <= *told + 1);
                let admitted = !old && (follows || from == Ear::Main);
                if admitted {
                    *told = update.last_seq;
                } else if !old {
                    self.ahead.insert(update.symbol, update.last_seq);
                }
                admitted
            }
            MarketEvent::Trade(trade) => self.is_new(from, TradeKey::of(trade)),
            // Of these only the newest counts, and the one listened to has it a moment sooner or later.
            MarketEvent::TopLevels(_)
            | MarketEvent::BookTicker(_)
            | MarketEvent::Ticker(_)
            | MarketEvent::Kline(_) => from == Ear::Main,
        }
    }

    /// Whether what was told leads to all that the other connection has told, so that its next frames continue it.
    pub(super) fn has_caught_up(&mut self) -> bool {
        let told = &self.told;
        self.ahead.retain(|symbol, seq| told.get(symbol.index()).is_none_or(|told| told < seq));
        self.ahead.is_empty()
    }

    /// The other connection has become the one listened to.
    pub(super) fn swap(&mut self) {
        self.trades.values_mut().for_each(|counts| counts.reverse());
    }

    /// The overlap is over.
    pub(super) fn end(&mut self) {
        self.trades = HashMap::new();
        self.ahead.clear();
    }

    /// A trade is told as often as the connection that has told it more often.
    fn is_new(&mut self, from: Ear, key: TradeKey) -> bool {
        if self.trades.len() >= TRADES_MAX {
            return from == Ear::Main;
        }
        let [main, other] = self.trades.entry(key).or_default();
        let (mine, theirs) = match from {
            Ear::Main => (main, other),
            Ear::Other => (other, main),
        };
        *mine += 1;
        *mine > *theirs
    }

    fn told_of(&mut self, symbol: SymbolId) -> &mut u64 {
        let index = symbol.index();
        if self.told.len() <= index {
            self.told.resize(index + 1, 0);
        }
        &mut self.told[index]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cex_core::{BookUpdate, LevelRange};
    use proptest::prelude::*;

    fn book(kind: UpdateKind, first_seq: u64, last_seq: u64) -> MarketEvent {
        MarketEvent::Book(BookUpdate {
            symbol: SymbolId(3),
            kind,
            first_seq,
            last_seq,
            exchange_ts: Timestamp::EPOCH,
            bids: LevelRange::default(),
            asks: LevelRange::default(),
        })
    }

    fn trade(price: i64) -> MarketEvent {
        MarketEvent::Trade(Trade {
            symbol: SymbolId(3),
            trade_id: None,
            taker_side: Side::Buy,
            price: Price(price),
            qty: Qty(1),
            exchange_ts: Timestamp::EPOCH,
        })
    }

    #[test]
    fn the_newcomer_is_heard_only_where_it_continues() {
        let mut merge = Merge::default();
        assert!(!merge.admits(Ear::Other, &book(UpdateKind::Delta, 5, 5)), "nobody knows what is told");
        merge.note(&book(UpdateKind::Delta, 9, 10));
        assert!(!merge.admits(Ear::Other, &book(UpdateKind::Delta, 12, 13)), "it would look like a gap");
        assert!(!merge.admits(Ear::Other, &book(UpdateKind::Snapshot, 8, 8)), "old");
        assert!(merge.admits(Ear::Other, &book(UpdateKind::Delta, 11, 13)));
        assert!(!merge.admits(Ear::Main, &book(UpdateKind::Delta, 11, 13)), "told already");
        assert!(merge.admits(Ear::Main, &book(UpdateKind::Delta, 16, 16)), "a gap of the main one is one");
        assert!(merge.admits(Ear::Other, &book(UpdateKind::Snapshot, 20, 20)), "a whole book joins anything");
    }

    #[test]
    fn trades_are_told_as_often_as_either_told_them() {
        let mut merge = Merge::default();
        assert!(merge.admits(Ear::Main, &trade(1)) && merge.admits(Ear::Main, &trade(1)));
        assert!(!merge.admits(Ear::Other, &trade(1)) && !merge.admits(Ear::Other, &trade(1)));
        assert!(merge.admits(Ear::Other, &trade(1)), "the third of its kind");
        merge.swap();
        assert!(!merge.admits(Ear::Other, &trade(1)), "which the old one tells too, later");
        assert!(merge.admits(Ear::Main, &trade(2)));
    }

    proptest! {
        /// Two copies of one gapless stream, the second beginning late and both interleaved in any way, with the second
        /// becoming the main one at any time: what is told is gapless and complete.
        #[test]
        fn what_is_told_is_gapless(
            begins in 1u64..20,
            swap_at in 0usize..60,
            turns in proptest::collection::vec(any::<bool>(), 200),
        ) {
            let mut merge = Merge::default();
            merge.note(&book(UpdateKind::Delta, 1, 1));
            let (mut first, mut second, mut told, mut swapped) = (2u64, begins, 1u64, false);
            for (turn, is_first) in turns.into_iter().enumerate() {
                if turn >= swap_at && !swapped && merge.has_caught_up() && second > begins {
                    merge.swap();
                    swapped = true;
                }
                let (next, side) = match (is_first, swapped) {
                    (true, false) => (&mut first, Ear::Main),
                    (true, true) => (&mut first, Ear::Other),
                    (false, false) => (&mut second, Ear::Other),
                    (false, true) => (&mut second, Ear::Main),
                };
                let seq = *next;
                *next += 1;
                if merge.admits(side, &book(UpdateKind::Delta, seq, seq)) {
                    prop_assert_eq!(seq, told + 1);
                    told = seq;
                }
            }
        }
    }
}
