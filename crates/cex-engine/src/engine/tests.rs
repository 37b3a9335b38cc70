//! The engine as a whole, against a scripted pair of venues.

mod accounts;
mod adopt;
mod changes;
mod fees;
mod leveling;
mod orders;
mod other_fees;
mod outcomes;
mod position;
mod proof;
mod rules;
mod trading;

use super::*;
use crate::execute::Ending;
use crate::message::Command;
use crate::opportunity::Verdict;
use cex_core::{
    Asset, Balance, BookUpdate, Continuity, Fill, Level, LevelRange, Liquidity, Order, OrderKind,
    OrderRequest, OrderStatus, Price, Qty, Side, SnapshotSource, SymbolInfo, Text, TradingStatus, UpdateKind,
};
use cex_errors::Outcome as CallOutcome;

const SYMBOL: SymbolId = SymbolId(0);

fn decimal(text: &str) -> Decimal {
    text.parse().expect("decimal")
}

fn asset(name: &str) -> Asset {
    name.parse().expect("asset")
}

/// Price 2 decimals, lot 0.001; fees: a 5 bps in quote, b 10 bps in base on buys.
fn info() -> SymbolInfo {
    SymbolInfo {
        symbol: "BTC/USDT".parse().expect("symbol"),
        native: Text::new("BTCUSDT").expect("short"),
        status: TradingStatus::Trading,
        api_tradable: true,
        risk_flagged: false,
        tick: decimal("0.01"),
        lot: decimal("0.001"),
        price_dp: 2,
        lot_dp: 3,
        min_qty: Decimal::ZERO,
        min_notional: decimal("1"),
        max_qty: None,
        max_notional: None,
        price_band: None,
        maker_fee: Bps::ZERO,
        taker_fee: Bps::from_bps(5),
        opens_at: None,
        delists_at: None,
    }
}

fn limits() -> Limits {
    Limits {
        max_leg_notional: decimal("1000"),
        max_open_per_symbol: 1,
        max_open: 4,
        max_book_age: Duration::from_secs(5),
        max_age_gap: Duration::from_secs(5),
        min_edge: Bps::from_bps(2),
        max_edge: Bps::from_bps(500),
        max_orders_per_second: 10,
        cooldown: Duration::from_secs(10),
        max_cooldown: Duration::from_secs(10),
        max_unknown: 1,
        max_failures: 5,
        breaker_pause: Duration::from_secs(60),
        ..Limits::boundless()
    }
}

/// A venue with one symbol.
fn setup(index: u8, fee: i32) -> VenueSetup {
    let rule = SyncRule {
        snapshot: SnapshotSource::Rest { depth: 100 },
        continuity: Continuity::Contiguous,
        depth: None,
    };
    let scale = Scale::new(2, 5).expect("fits");
    let venue = VenueId::new(index, ["a", "b", "c"][usize::from(index)]).expect("short");
    let market = Market::new(venue, SYMBOL, info(), scale).expect("rules fit");
    VenueSetup {
        venue,
        markets: Arc::new(Markets::new(vec![market])),
        sync: rule,
        taker_fees: BTreeMap::from([(SYMBOL, Bps::from_bps(fee))]),
        order_windows: Vec::new(),
    }
}

/// Two venues with one symbol, and what may be risked on them.
pub(crate) fn setups() -> (EngineConfig, [VenueSetup; 2]) {
    let config = EngineConfig {
        limits: limits(),
        mode: Mode::Active,
        wallet_max_age: Duration::from_secs(60),
        expires_in: Duration::from_secs(1),
        decision_ttl: Duration::from_millis(50),
        settle: Duration::from_millis(20),
        max_unwind: Bps::from_bps(50),
        max_closings: 3,
        max_naked: Duration::from_secs(5),
        venue_lag: Duration::from_secs(2),
        max_pause: Duration::MAX,
        account_refresh: Duration::from_secs(10),
        max_snapshots: 4,
        book_depth: 100,
        watch: WatchLimits::default(),
    };
    (config, [setup(0, 5), setup(1, 10)])
}

struct Stage {
    engine: Engine,
    out: Commands,
    now: Timestamp,
    seq: [u64; 3],
    /// How far each venue's clock is ahead of ours, in nanoseconds: what its frames tell.
    ahead: [i64; 3],
    trades: u32,
}

impl Stage {
    /// All venues joined at 100.00 / 100.10 with 10 a level, both accounts read.
    fn ready() -> Self {
        let (config, setups) = setups();
        Self::with(config, &setups)
    }

    fn with(config: EngineConfig, setups: &[VenueSetup]) -> Self {
        let engine = Engine::new(config, setups, 1);
        let now = Timestamp::from_secs(1_000);
        let mut stage =
            Self { engine, out: Commands::default(), now, seq: [10; 3], ahead: [0; 3], trades: 0 };
        for index in 0..setups.len() {
            stage.join(index);
            stage.read_account(index);
        }
        stage
    }

    fn view(&self) -> EngineView {
        self.engine.view(self.now)
    }

    fn venue(&self, index: usize) -> VenueId {
        self.engine.venues[index].id
    }

    fn feed(&mut self, event: Event<'_>) -> Vec<Command> {
        self.out.clear();
        self.engine.handle(self.now, event, &mut self.out);
        self.engine.handle(self.now, Event::Settled, &mut self.out);
        std::mem::take(&mut self.out.commands)
    }

    fn pass(&mut self, millis: u64) -> Vec<Command> {
        self.now += Duration::from_millis(millis);
        self.feed(Event::Wake)
    }

    fn link(&mut self, index: usize, event: LinkEvent) -> Vec<Command> {
        self.feed(Event::Link { venue: self.venue(index), event, symbols: &[SYMBOL] })
    }

    fn join(&mut self, index: usize) {
        self.link(index, LinkEvent::Subscribed { symbol: Some(SYMBOL), stream: StreamKind::Book });
        let commands = self.delta(index, &[], &[]);
        let venue = self.venue(index);
        let asked_at = self.now;
        assert_eq!(commands, vec![Command::FetchBook { venue, symbol: SYMBOL, depth: 100, asked_at }]);
        self.answer_book(index, asked_at);
        assert!(self.engine.book(venue, SYMBOL).is_some());
    }

    fn answer_book(&mut self, index: usize, asked_at: Timestamp) {
        let (venue, seq, exchange_ts) = (self.venue(index), self.seq[index], self.now);
        let (bids, asks) = ([level(10_000, 10_000)], [level(10_010, 10_000)]);
        let symbol = SYMBOL;
        self.feed(Event::Book { venue, symbol, asked_at, seq, exchange_ts, bids: &bids, asks: &asks });
    }

    fn read_account(&mut self, index: usize) {
        let (venue, asked_at) = (self.venue(index), self.now);
        let commands = self.feed(Event::Link { venue, event: LinkEvent::AccountReady, symbols: &[] });
        assert_eq!(commands, vec![Command::ReadAccount { venue, asked_at }]);
        self.answer_account(index, asked_at);
    }

    fn answer_account(&mut self, index: usize, asked_at: Timestamp) -> Vec<Command> {
        let balance = |name: &str, free: &str| Balance {
            asset: asset(name),
            free: decimal(free),
            locked: Decimal::ZERO,
            as_of: Timestamp::EPOCH,
        };
        let balances = [balance("USDT", "5000"), balance("BTC", "50")];
        self.feed(Event::AccountRead { venue: self.venue(index), asked_at, balances: &balances })
    }

    /// The next contiguous delta of a venue's book.
    fn delta(&mut self, index: usize, bids: &[Level], asks: &[Level]) -> Vec<Command> {
        self.seq[index] += 1;
        self.delta_at(index, self.seq[index], bids, asks)
    }

    fn delta_at(&mut self, index: usize, seq: u64, bids: &[Level], asks: &[Level]) -> Vec<Command> {
        let levels: Vec<_> = bids.iter().chain(asks).copied().collect();
        let (bid_end, end) =
            (u32::try_from(bids.len()).expect("few"), u32::try_from(levels.len()).expect("few"));
        let update = BookUpdate {
            symbol: SYMBOL,
            kind: UpdateKind::Delta,
            first_seq: seq,
            last_seq: seq,
            exchange_ts: self.now.shifted(self.ahead[index]),
            bids: LevelRange { start: 0, end: bid_end },
            asks: LevelRange { start: bid_end, end },
        };
        let venue = self.venue(index);
        self.feed(Event::Market { venue, event: &MarketEvent::Book(update), levels: &levels })
    }

    /// Venue b's bid jumps to 101: buy on a, sell on b.
    fn cross(&mut self) -> [OrderRequest; 2] {
        self.now += Duration::from_millis(100);
        // A fresh frame of venue a first, so that both books are new enough after an earlier trade.
        self.delta(0, &[], &[]);
        let commands = self.delta(1, &[level(10_100, 5_000)], &[level(10_010, 0), level(10_110, 9_000)]);
        placed(commands).try_into().expect("two orders")
    }

    /// A purchase of five at venue a by somebody the engine does not know.
    fn purchase_by(&self, name: &str) -> OrderRequest {
        OrderRequest {
            venue: self.venue(0),
            symbol: SYMBOL,
            client_id: ClientOrderId::new(name).expect("plain"),
            side: Side::Buy,
            kind: OrderKind::Limit {
                price: Price(10_010),
                qty: Qty(500_000),
                tif: cex_core::TimeInForce::Ioc,
            },
            expires_in: Duration::from_secs(1),
        }
    }

    fn fill(&mut self, order: &OrderRequest, price: &str, qty: &str, fee: (&str, &str)) -> Vec<Command> {
        self.trades += 1;
        let fill = self.fill_event(order, price, qty, fee);
        self.feed(Event::Account { venue: order.venue, event: &AccountEvent::Fill(fill) })
    }

    fn fill_event(&self, order: &OrderRequest, price: &str, qty: &str, fee: (&str, &str)) -> Fill {
        Fill {
            venue: order.venue,
            symbol: SYMBOL,
            trade_id: Text::new(&self.trades.to_string()).expect("short"),
            order_id: order_id(order),
            client_id: Some(order.client_id),
            side: order.side,
            price: decimal(price),
            qty: decimal(qty),
            fee: decimal(fee.0),
            fee_asset: asset(fee.1),
            second_fee: None,
            liquidity: Liquidity::Taker,
            exchange_ts: self.now,
        }
    }

    fn report(&mut self, order: &OrderRequest, status: OrderStatus, filled: &str) -> Vec<Command> {
        let report = Order {
            venue: order.venue,
            symbol: SYMBOL,
            order_id: Some(order_id(order)),
            client_id: Some(order.client_id),
            side: order.side,
            order_type: None,
            status,
            price: None,
            qty: None,
            filled_qty: decimal(filled),
            filled_notional: Decimal::ZERO,
            fee: None,
            created_at: self.now,
            as_of: self.now,
        };
        self.feed(Event::Account { venue: order.venue, event: &AccountEvent::Order(report) })
    }

    fn ended(&self, ending: Ending) -> u64 {
        self.view().totals.ended.get(&ending).copied().unwrap_or(0)
    }
}

fn level(price: i64, qty_thousandths: i64) -> Level {
    Level { price: Price(price), qty: Qty(qty_thousandths * 100) }
}

fn order_id(order: &OrderRequest) -> OrderId {
    Text::new(&format!("ex-{}", order.client_id)).expect("short")
}

fn placed(commands: Vec<Command>) -> Vec<OrderRequest> {
    commands
        .into_iter()
        .flat_map(|command| match command {
            Command::Open { legs } => legs.map(cex_risk::Approved::into_inner).to_vec(),
            Command::Close { order, .. } => vec![order.into_inner()],
            Command::FetchBook { .. }
            | Command::Resubscribe { .. }
            | Command::QueryOrder { .. }
            | Command::QueryFills { .. }
            | Command::QueryTrades { .. }
            | Command::QueryOpen { .. }
            | Command::Cancel { .. }
            | Command::ReadAccount { .. } => vec![],
        })
        .collect()
}
