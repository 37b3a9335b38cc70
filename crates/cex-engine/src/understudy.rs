//! An engine of its own that opens an arbitrage again and again on an empty stage, and never sends anything.
//!
//! Arbitrages are rare: when one comes, what decides on it has left the processor's caches long ago, and everything takes
//! several times as long. Whoever trades lets the understudy play between frames, so that the way from a book to two
//! orders is warm. It has books, funds and a clock of its own: nothing it does can touch what the engine knows.

use crate::engine::{Engine, EngineConfig, VenueSetup};
use crate::message::{Command, Commands, Event};
use cex_core::{
    Balance, BookUpdate, Bps, Continuity, Decimal, Level, LevelRange, LinkEvent, Market, MarketEvent,
    Markets, OrderRequest, Price, Qty, SnapshotSource, SymbolId, SyncRule, Timestamp, UpdateKind, VenueId,
};
use cex_errors::Outcome;
use std::sync::Arc;
use std::time::Duration;

/// Between two plays, by the understudy's own clock: longer than any pause that follows on what never left, and any rate
/// limit of the engine.
const INTERVAL: Duration = Duration::from_secs(61);
/// Its clock goes no further: numbers end somewhere.
const END: Timestamp = Timestamp::from_secs(9_000_000_000);
/// Levels a side of its books.
const LEVELS: u32 = 4;
/// What the understudy owns of everything: more than any order can spend.
const RICH: i64 = 1_000_000_000_000;

/// Plays the opening of one symbol between pairs of its venues in turn.
#[derive(Debug)]
pub struct Understudy {
    engine: Engine,
    out: Commands,
    now: Timestamp,
    symbol: SymbolId,
    /// Venues that trade the symbol.
    venues: Vec<VenueId>,
    /// Place in `venues` of the venue that sells next.
    turn: usize,
    seq: u64,
    /// What is asked where it is bought, and where it is sold.
    low: Price,
    high: Price,
    /// Offered at each level.
    qty: Qty,
    tick: Price,
    levels: Vec<Level>,
}

impl Understudy {
    /// An understudy for the symbol traded at about `price`; `None` when there is nothing to play: the symbol has fewer
    /// than two venues, or its ticks are too coarse for an edge within the limits.
    #[must_use]
    pub fn new(config: &EngineConfig, setups: &[VenueSetup], symbol: SymbolId, price: Price) -> Option<Self> {
        let stage: Vec<_> = setups.iter().map(|setup| on_stage(setup, symbol)).collect();
        let markets: Vec<&Market> = stage.iter().filter_map(|setup| setup.markets.get(symbol)).collect();
        let first = *markets.first().filter(|_| markets.len() > 1)?;
        let tick = Price(markets.iter().map(|market| market.tick.0).max()?);
        let low = Price(price.floor_to(tick).0.max(tick.0.checked_mul(2 * i64::from(LEVELS))?));
        // A tick above what is bid there.
        let high =
            low.0.checked_add(edge(config, setups, symbol, low)?).map(Price)?.floor_to(tick).0 + tick.0;
        // Enough on the first level for the largest order, so that a play costs no more than an ordinary opening.
        let budget = first.scale.notional(config.limits.max_leg_notional).ok()?;
        let qty = Qty(i64::try_from(budget.0 / i128::from(low.0)).ok()?.checked_add(1)?);
        // It plays now and then, and nothing of its stage grows old; how rich it is forbids nothing (R13).
        let mut config = EngineConfig { max_pause: Duration::MAX, ..config.clone() };
        config.limits.max_venue_equity = Decimal::from(i64::MAX);
        let mut understudy = Self {
            engine: Engine::new(config, &stage, 0),
            out: Commands::default(),
            now: Timestamp::EPOCH + INTERVAL,
            symbol,
            venues: markets.iter().map(|market| market.venue).collect(),
            turn: 0,
            seq: 0,
            low,
            high: Price(high),
            qty,
            tick,
            levels: Vec::new(),
        };
        understudy.open_accounts(first);
        understudy.play().map(|_| understudy)
    }

    /// One opening: the orders the engine would send, which nobody may send. `None` when it did not come to any, and after
    /// some hundred million plays: another understudy must take over then.
    pub fn play(&mut self) -> Option<[OrderRequest; 2]> {
        if self.now >= END {
            return None;
        }
        self.now += INTERVAL;
        let seller = self.turn;
        self.turn = (seller + 1) % self.venues.len();
        (0..self.venues.len()).for_each(|venue| self.show(venue, self.low));
        self.show(seller, self.high);
        self.tell(Event::Settled);
        let legs = self.out.commands.drain(..).find_map(|command| match command {
            Command::Open { legs } => Some(legs.map(cex_risk::Approved::into_inner)),
            Command::FetchBook { .. }
            | Command::Resubscribe { .. }
            | Command::Close { .. }
            | Command::QueryOrder { .. }
            | Command::QueryFills { .. }
            | Command::QueryTrades { .. }
            | Command::QueryOpen { .. }
            | Command::Cancel { .. }
            | Command::ReadAccount { .. } => None,
        });
        // The curtain: neither order left, and the books cross no longer.
        for order in legs.iter().flatten() {
            self.tell(Event::PlaceFailed { client_id: order.client_id, outcome: Outcome::NotSent });
        }
        self.show(seller, self.low);
        self.tell(Event::Settled);
        self.out.commands.clear();
        self.out.notices.clear();
        legs
    }

    fn open_accounts(&mut self, market: &Market) {
        let symbol = market.symbol();
        let owned =
            |asset| Balance { asset, free: Decimal::from(RICH), locked: Decimal::ZERO, as_of: self.now };
        let balances = [symbol.base, symbol.quote].map(owned);
        for venue in self.venues.clone() {
            self.tell(Event::Link { venue, event: LinkEvent::AccountReady, symbols: &[] });
            self.tell(Event::AccountRead { venue, asked_at: self.now, balances: &balances });
            let subscribed =
                LinkEvent::Subscribed { symbol: Some(self.symbol), stream: cex_core::StreamKind::Book };
            self.tell(Event::Link { venue, event: subscribed, symbols: &[self.symbol] });
        }
    }

    /// Gives the book of a venue its whole state, asks from `price` on.
    fn show(&mut self, venue: usize, ask: Price) {
        let (bid, ask, qty) = (ask.0 - self.tick.0, ask.0, self.qty);
        let side = |best: i64, step: i64| {
            (0..i64::from(LEVELS)).map(move |level| Level { price: Price(best + level * step), qty })
        };
        self.levels.clear();
        self.levels.extend(side(bid, -self.tick.0));
        self.levels.extend(side(ask, self.tick.0));
        self.seq += 1;
        let update = MarketEvent::Book(BookUpdate {
            symbol: self.symbol,
            kind: UpdateKind::Snapshot,
            first_seq: self.seq,
            last_seq: self.seq,
            exchange_ts: self.now,
            bids: LevelRange { start: 0, end: LEVELS },
            asks: LevelRange { start: LEVELS, end: 2 * LEVELS },
        });
        let event = Event::Market { venue: self.venues[venue], event: &update, levels: &self.levels };
        self.engine.handle(self.now, event, &mut self.out);
    }

    fn tell(&mut self, event: Event<'_>) {
        self.engine.handle(self.now, event, &mut self.out);
    }
}

/// A venue with this symbol only, whose books come whole.
fn on_stage(setup: &VenueSetup, symbol: SymbolId) -> VenueSetup {
    let market = setup.markets.get(symbol).cloned();
    VenueSetup {
        venue: setup.venue,
        markets: Arc::new(Markets::new(market.into_iter().collect())),
        sync: SyncRule {
            snapshot: SnapshotSource::Stream { depth: 100 },
            continuity: Continuity::Overlapping,
            depth: None,
        },
        taker_fees: setup.taker_fees.clone(),
        order_windows: setup.order_windows.clone(),
    }
}

/// How far apart prices at `price` must be to leave an edge in the middle of what is allowed, after the highest fees.
fn edge(config: &EngineConfig, setups: &[VenueSetup], symbol: SymbolId, price: Price) -> Option<i64> {
    let fee = |setup: &VenueSetup| {
        let listed = setup.markets.get(symbol).map(|market| market.info.taker_fee);
        setup.taker_fees.get(&symbol).copied().or(listed).unwrap_or(Bps::ZERO).e8()
    };
    let fees: i64 = setups.iter().map(fee).max()?.checked_mul(2)?;
    let (min, max) = (config.limits.min_edge.e8(), config.limits.max_edge.e8());
    let wanted = i128::from(fees) + i128::midpoint(i128::from(min), i128::from(max));
    i64::try_from(i128::from(price.0) * wanted / i128::from(Bps::ONE)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::tests::setups;

    #[test]
    fn plays_the_same_opening_again_and_again() {
        let (config, setups) = setups();
        let symbol = SymbolId(0);
        let mut understudy =
            Understudy::new(&config, &setups, symbol, Price(10_000)).expect("an edge within the limits");
        let held = understudy.engine.holdings();
        let mut ids = std::collections::BTreeSet::new();
        for round in 0..20_000 {
            let legs = understudy.play().unwrap_or_else(|| panic!("round {round} opened nothing"));
            assert_ne!(legs[0].venue, legs[1].venue);
            assert!(legs.iter().all(|leg| leg.symbol == symbol && ids.insert(leg.client_id)), "{legs:?}");
            assert!(understudy.engine.is_idle(), "nothing stays open");
        }
        assert_eq!(understudy.engine.holdings(), held);
        assert_eq!(understudy.engine.view(understudy.now).totals.started, 0, "none of it happened");
    }

    #[test]
    fn plays_to_the_end_of_its_days_and_no_further() {
        let (config, setups) = setups();
        let mut understudy =
            Understudy::new(&config, &setups, SymbolId(0), Price(10_000)).expect("an edge within the limits");
        understudy.now = END - INTERVAL * 20;
        let plays = std::iter::from_fn(|| understudy.play()).count();
        assert_eq!(plays, 20, "then another one takes over");
    }

    #[test]
    fn has_nothing_to_play_without_two_venues_or_an_edge() {
        let (config, setups) = setups();
        let nothing =
            |symbol, setups, price| Understudy::new(&config, setups, symbol, Price(price)).is_none();
        assert!(nothing(SymbolId(1), &setups, 10_000), "a symbol nobody trades");
        assert!(nothing(SymbolId(0), &setups[..1], 10_000), "one venue");
        assert!(nothing(SymbolId(0), &setups, i64::MAX), "a price beyond all numbers");
    }
}
