//! A recording played back as the market: every exchange's books are, level by level, what was recorded.
//!
//! The makers put in and take out what the recording says of each level, and the crowd trades what it says was traded.
//! What a client took of a level comes back when the recording next speaks of that level. At its end the recording begins
//! anew.

use super::desk::{Desk, House};
use crate::matching::{BuyFee, Exchange, MarketIndex, MarketRules, Resting};
use cex_core::{Asset, Bps, Decimal, Price, Qty, Scale, Side, Symbol, Timestamp};
use std::collections::BTreeMap;
use std::time::Duration;

/// Between the end of a recording and its beginning.
const PAUSE: Duration = Duration::from_secs(1);

/// One call does no more than this; what is left is due at once.
const MOST_CHANGES: usize = 512;

/// A symbol of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TapeSymbol {
    /// The symbol.
    pub symbol: Symbol,
    /// Decimals of its prices and quantities.
    pub scale: Scale,
    /// Least order quantity.
    pub min_qty: Qty,
    /// Least order notional.
    pub min_notional: Decimal,
}

/// What happened to a symbol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TapeEvent {
    /// Levels changed; quantities are absolute, zero means gone.
    Levels {
        /// Bids, in any order.
        bids: Vec<(Price, Qty)>,
        /// Asks, in any order.
        asks: Vec<(Price, Qty)>,
    },
    /// A trade.
    Trade {
        /// Side of the taker.
        taker: Side,
        /// Price.
        price: Price,
        /// Base quantity.
        qty: Qty,
    },
}

/// Something that happened, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TapeEntry {
    /// How long after the beginning of the recording it happened.
    pub after: Duration,
    /// Position in [`Tape::symbols`].
    pub symbol: usize,
    /// The change of the book, or the trade.
    pub event: TapeEvent,
}

/// A recording of books and trades, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tape {
    /// Symbols of the recording.
    pub symbols: Vec<TapeSymbol>,
    /// What happened, oldest first.
    pub entries: Vec<TapeEntry>,
}

impl Tape {
    /// The rules of all symbols, with an exchange's fees.
    pub(super) fn rules(&self, maker_fee: Bps, taker_fee: Bps, buy_fee: BuyFee) -> Vec<MarketRules> {
        let rules = |symbol: &TapeSymbol| MarketRules {
            symbol: symbol.symbol,
            scale: symbol.scale,
            min_qty: symbol.min_qty,
            min_notional: symbol.min_notional,
            maker_fee,
            taker_fee,
            buy_fee,
        };
        self.symbols.iter().map(rules).collect()
    }

    /// The same amount of every coin that occurs.
    pub(super) fn deposits(&self, amount: i64) -> Vec<(Asset, Decimal)> {
        let coins = self.symbols.iter().flat_map(|row| [row.symbol.base, row.symbol.quote]);
        let coins: std::collections::BTreeSet<Asset> = coins.collect();
        coins.into_iter().map(|asset| (asset, Decimal::from(amount))).collect()
    }
}

/// The makers' order at each price of a side.
type Orders = BTreeMap<(bool, Price), Resting>;

/// Plays a recording.
#[derive(Debug, Clone, Default)]
pub(super) struct Player {
    /// By exchange.
    houses: Vec<House>,
    /// By exchange, then by symbol.
    resting: Vec<Vec<Orders>>,
    /// When this round of the recording began.
    began_at: Option<Timestamp>,
    next: usize,
}

impl Player {
    /// When [`Self::step`] is wanted next; never for an empty recording.
    pub(super) fn wakeup_at(&self, tape: &Tape) -> Option<Timestamp> {
        let Some(began_at) = self.began_at else { return Some(Timestamp::EPOCH) };
        match tape.entries.get(self.next) {
            Some(entry) => Some(began_at + entry.after),
            None => Some(began_at + tape.entries.last()?.after + PAUSE),
        }
    }

    /// Does what is due.
    pub(super) fn step(
        &mut self,
        now: Timestamp,
        tape: &Tape,
        exchanges: &mut [Exchange],
        open_house: impl Fn(usize, &mut Exchange) -> House,
    ) {
        if self.houses.is_empty() {
            self.houses = exchanges
                .iter_mut()
                .enumerate()
                .map(|(index, exchange)| open_house(index, exchange))
                .collect();
            self.resting = vec![vec![Orders::new(); tape.symbols.len()]; exchanges.len()];
        }
        let began_at = *self.began_at.get_or_insert(now);
        for _ in 0..MOST_CHANGES {
            let Some(entry) = tape.entries.get(self.next) else { break };
            if began_at + entry.after > now {
                return;
            }
            self.next += 1;
            for at in 0..exchanges.len() {
                self.play(now, entry, at, exchanges);
            }
        }
        if self.next == tape.entries.len() && self.wakeup_at(tape).is_some_and(|at| at <= now) {
            self.rewind(now, exchanges);
        }
    }

    /// Takes everything out and begins anew.
    fn rewind(&mut self, now: Timestamp, exchanges: &mut [Exchange]) {
        (self.began_at, self.next) = (Some(now), 0);
        for (at, exchange) in exchanges.iter_mut().enumerate() {
            for (symbol, resting) in self.resting[at].iter_mut().enumerate() {
                let mut desk = seat(now, exchange, symbol, self.houses[at]);
                std::mem::take(resting).into_values().for_each(|order| desk.cancel(order));
            }
        }
    }

    fn play(&mut self, now: Timestamp, entry: &TapeEntry, at: usize, exchanges: &mut [Exchange]) {
        let mut desk = seat(now, &mut exchanges[at], entry.symbol, self.houses[at]);
        let resting = &mut self.resting[at][entry.symbol];
        match &entry.event {
            TapeEvent::Trade { taker, price, qty } => desk.trade(*taker, *price, *qty),
            TapeEvent::Levels { bids, asks } => {
                let all = || {
                    let bids = bids.iter().map(|level| (Side::Buy, *level));
                    bids.chain(asks.iter().map(|level| (Side::Sell, *level)))
                };
                // What goes goes first, so that what comes meets nothing that is not there any more.
                for (side, (price, _)) in all() {
                    if let Some(order) = resting.remove(&(side == Side::Buy, price)) {
                        desk.cancel(order);
                    }
                }
                for (side, (price, qty)) in all().filter(|(_, (_, qty))| !qty.is_zero()) {
                    if let Some(order) = desk.quote(side, price, qty) {
                        resting.insert((side == Side::Buy, price), order);
                    }
                }
            }
        }
    }
}

fn seat(now: Timestamp, exchange: &mut Exchange, symbol: usize, house: House) -> Desk<'_> {
    let market = MarketIndex(u32::try_from(symbol).unwrap_or(u32::MAX));
    Desk { now, exchange, market, house }
}
