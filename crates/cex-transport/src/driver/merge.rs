//! Two connections that carry the same streams, heard as one: nothing twice, and nothing that would look like a gap.
//!
//! Exchanges may cut the same changes into other frames on each connection, and some books take no frame that reaches back over
//! what they know. So a frame that does is told from where it is news: its levels are absolute, and what the first part of it
//! changed has been told already.

use cex_core::{BookUpdate, MarketEvent, Price, Qty, Side, SymbolId, Timestamp, Trade, TradeId, UpdateKind};
use std::collections::{BTreeMap, BTreeSet, HashMap};

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
    /// Books of which the connection that is left may not have told yet what was told while there were two.
    joining: BTreeSet<SymbolId>,
    /// How often each connection has told a trade.
    trades: HashMap<TradeKey, [u32; 2]>,
}

/// Has a change begin behind the version told.
fn trim(update: &mut BookUpdate, told: u64) {
    if update.kind == UpdateKind::Delta && update.first_seq <= told && told < update.last_seq {
        update.first_seq = told + 1;
    }
}

impl Merge {
    /// Only one connection: all of it is told, and remembered as told.
    pub(super) fn note(&mut self, event: &mut MarketEvent) {
        let MarketEvent::Book(update) = event else { return };
        let told = *self.told_of(update.symbol);
        if self.joining.contains(&update.symbol) {
            // Whoever keeps the book knows it as old.
            if update.kind == UpdateKind::Delta && update.last_seq <= told {
                return;
            }
            trim(update, told);
            self.joining.remove(&update.symbol);
        }
        *self.told_of(update.symbol) = update.last_seq;
    }

    /// Whether an event is told while two connections overlap, and from where.
    pub(super) fn admits(&mut self, from: Ear, event: &mut MarketEvent) -> bool {
        match event {
            MarketEvent::Book(update) => {
                let told = self.told_of(update.symbol);
                let known = *told != 0;
                let old = known && update.last_seq <= *told;
                let follows = known && (update.kind == UpdateKind::Snapshot || update.first_seq <= *told + 1);
                let admitted = !old && (follows || from == Ear::Main);
                if admitted {
                    if known {
                        trim(update, *told);
                    }
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
        let told = self.told.iter().enumerate().filter(|(_, told)| **told != 0);
        self.joining = told.filter_map(|(index, _)| u32::try_from(index).ok()).map(SymbolId).collect();
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
        assert!(!merge.admits(Ear::Other, &mut book(UpdateKind::Delta, 5, 5)), "nobody knows what is told");
        merge.note(&mut book(UpdateKind::Delta, 9, 10));
        assert!(!merge.admits(Ear::Other, &mut book(UpdateKind::Delta, 12, 13)), "it would look like a gap");
        assert!(!merge.admits(Ear::Other, &mut book(UpdateKind::Snapshot, 8, 8)), "old");
        assert!(merge.admits(Ear::Other, &mut book(UpdateKind::Delta, 11, 13)));
        assert!(!merge.admits(Ear::Main, &mut book(UpdateKind::Delta, 11, 13)), "told already");
        assert!(
            merge.admits(Ear::Main, &mut book(UpdateKind::Delta, 16, 16)),
            "a gap of the main one is one"
        );
        assert!(
            merge.admits(Ear::Other, &mut book(UpdateKind::Snapshot, 20, 20)),
            "a whole book joins anything"
        );
    }

    #[test]
    fn trades_are_told_as_often_as_either_told_them() {
        let mut merge = Merge::default();
        assert!(merge.admits(Ear::Main, &mut trade(1)) && merge.admits(Ear::Main, &mut trade(1)));
        assert!(!merge.admits(Ear::Other, &mut trade(1)) && !merge.admits(Ear::Other, &mut trade(1)));
        assert!(merge.admits(Ear::Other, &mut trade(1)), "the third of its kind");
        merge.swap();
        assert!(!merge.admits(Ear::Other, &mut trade(1)), "which the old one tells too, later");
        assert!(merge.admits(Ear::Main, &mut trade(2)));
    }

    #[test]
    fn what_reaches_back_is_told_from_where_it_is_news() {
        let mut merge = Merge::default();
        let told = |merge: &mut Merge, ear, first, last| {
            let mut event = book(UpdateKind::Delta, first, last);
            let admitted = merge.admits(ear, &mut event);
            let MarketEvent::Book(update) = event else { panic!("a book") };
            admitted.then_some((update.first_seq, update.last_seq))
        };
        merge.note(&mut book(UpdateKind::Delta, 9, 10));
        assert_eq!(told(&mut merge, Ear::Other, 8, 13), Some((11, 13)));
        assert_eq!(told(&mut merge, Ear::Main, 11, 12), None);
        assert_eq!(told(&mut merge, Ear::Main, 13, 17), Some((14, 17)));
        merge.swap();
        merge.end();
        // The one that is left had told up to thirteen.
        for (first, last, expected) in [(14, 15, 14), (16, 19, 18), (20, 20, 20), (20, 22, 20)] {
            let mut event = book(UpdateKind::Delta, first, last);
            merge.note(&mut event);
            let MarketEvent::Book(update) = event else { panic!("a book") };
            assert_eq!((update.first_seq, update.last_seq), (expected, last), "alone, it is told as it came");
        }
    }

    /// Frames that carry one version after the other, from `begin` on, cut in another way by each `cuts`.
    fn frames(begin: u64, cuts: &[u64]) -> Vec<(u64, u64)> {
        let mut next = begin;
        let cut = |len: &u64| {
            let frame = (next, next + len - 1);
            next += len;
            frame
        };
        cuts.iter().map(cut).collect()
    }

    proptest! {
        /// Two copies of one gapless stream, each cut into frames in its own way, the second beginning late and both
        /// interleaved in any way, with the second becoming the main one at any time and the only one at any later: what is
        /// told is gapless and complete by the strictest rule of a book, that a change begins where the last one ended.
        #[test]
        fn what_is_told_is_gapless(
            begins in 1_u64..20,
            swap_at in 0_usize..60,
            trail in 0_usize..40,
            turns in proptest::collection::vec(any::<bool>(), 200),
            cuts in proptest::collection::vec((1_u64..5, 1_u64..5), 200),
        ) {
            let (first, second): (Vec<u64>, Vec<u64>) = cuts.into_iter().unzip();
            let (first, second) = (frames(2, &first), frames(begins, &second));
            let mut merge = Merge::default();
            merge.note(&mut book(UpdateKind::Delta, 1, 1));
            let (mut one, mut two, mut told) = (0, 0, 1_u64);
            let (mut swapped_at, mut alone) = (None, false);
            for (turn, is_first) in turns.into_iter().enumerate() {
                if turn >= swap_at && swapped_at.is_none() && merge.has_caught_up() && two > 0 {
                    merge.swap();
                    swapped_at = Some(turn);
                }
                if !alone && swapped_at.is_some_and(|at| turn > at + trail) {
                    merge.end();
                    alone = true;
                }
                let is_first = is_first && !alone;
                let frame = if is_first { &mut one } else { &mut two };
                let (from, to) = if is_first { first[*frame] } else { second[*frame] };
                *frame += 1;
                let ear = if is_first == swapped_at.is_some() { Ear::Other } else { Ear::Main };
                let mut event = book(UpdateKind::Delta, from, to);
                let is_told = if alone { merge.note(&mut event); true } else { merge.admits(ear, &mut event) };
                let MarketEvent::Book(update) = event else { panic!("a book") };
                // What ends before is old to any book.
                if is_told && update.last_seq > told {
                    prop_assert_eq!(update.first_seq, told + 1);
                    told = update.last_seq;
                }
            }
        }
    }
}
