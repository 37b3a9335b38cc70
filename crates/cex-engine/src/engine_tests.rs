//! The engine as a whole, against a scripted pair of venues.

use super::*;
use crate::execute::Ending;
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
        max_unknown: 0,
        max_failures: 5,
        breaker_pause: Duration::from_secs(60),
    }
}

struct Stage {
    engine: Engine,
    out: Commands,
    now: Timestamp,
    seq: [u64; 2],
    trades: u32,
}

impl Stage {
    /// Both venues joined at 100.00 / 100.10 with 10 a level, both accounts read.
    fn ready() -> Self {
        let rule = SyncRule {
            snapshot: SnapshotSource::Rest { depth: 100 },
            continuity: Continuity::Contiguous,
            depth: None,
        };
        let scale = Scale::new(2, 5).expect("fits");
        let setup = |index: u8, fee| {
            let venue = VenueId::new(index, ["a", "b"][usize::from(index)]).expect("short");
            let market = Market::new(venue, SYMBOL, info(), scale).expect("rules fit");
            VenueSetup {
                venue,
                markets: Arc::new(Markets::new(vec![market])),
                sync: rule,
                taker_fees: BTreeMap::from([(SYMBOL, Bps::from_bps(fee))]),
                orders_per_second: None,
            }
        };
        let config = EngineConfig {
            limits: limits(),
            expires_in: Duration::from_secs(1),
            settle: Duration::from_millis(20),
            max_unwind: Bps::from_bps(50),
            max_closings: 3,
            max_naked: Duration::from_secs(5),
            venue_lag: Duration::from_secs(2),
            account_refresh: Duration::from_secs(10),
            max_snapshots: 4,
            book_depth: 100,
        };
        let engine = Engine::new(config, &[setup(0, 5), setup(1, 10)], 1);
        let now = Timestamp::from_secs(1_000);
        let mut stage = Self { engine, out: Commands::default(), now, seq: [10, 10], trades: 0 };
        for index in 0..2 {
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

    fn answer_account(&mut self, index: usize, asked_at: Timestamp) {
        let balance = |name: &str, free: &str| Balance {
            asset: asset(name),
            free: decimal(free),
            locked: Decimal::ZERO,
            as_of: Timestamp::EPOCH,
        };
        let balances = [balance("USDT", "5000"), balance("BTC", "50")];
        self.feed(Event::AccountRead { venue: self.venue(index), asked_at, balances: &balances });
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
            exchange_ts: self.now,
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
            Command::Close { order } => vec![order.into_inner()],
            Command::FetchBook { .. }
            | Command::Resubscribe { .. }
            | Command::QueryOrder { .. }
            | Command::QueryFills { .. }
            | Command::ReadAccount { .. } => vec![],
        })
        .collect()
}

#[test]
fn a_crossing_becomes_two_immediate_orders_and_an_exact_profit() {
    let mut stage = Stage::ready();
    let [buy, sell] = stage.cross();
    let kind =
        |price| OrderKind::Limit { price: Price(price), qty: Qty(500_000), tif: cex_core::TimeInForce::Ioc };
    assert_eq!((buy.venue, buy.side, buy.kind), (stage.venue(0), Side::Buy, kind(10_010)));
    assert_eq!((sell.venue, sell.side, sell.kind), (stage.venue(1), Side::Sell, kind(10_100)));
    stage.fill(&buy, "100.10", "5", ("0.25025", "USDT"));
    stage.fill(&sell, "101", "2", ("0.202", "USDT"));
    assert!(!stage.engine.is_idle());
    stage.fill(&sell, "101", "3", ("0.303", "USDT"));
    assert!(stage.engine.is_idle());
    let totals = stage.view().totals;
    assert_eq!(stage.ended(Ending::BothFilled), 1);
    // 505 - 500.5 - 0.25025 - 0.505
    assert_eq!((totals.realised, totals.expected), (decimal("3.74475"), decimal("3.74475")));
    let held: BTreeMap<_, _> = stage
        .engine
        .holdings()
        .map(|(venue, asset, held)| ((venue.index(), asset.to_string()), held))
        .collect();
    assert_eq!(held[&(0, "USDT".to_owned())], decimal("4499.24975"));
    assert_eq!(held[&(1, "BTC".to_owned())], decimal("45"));
}

#[test]
fn a_gap_takes_the_book_out_before_anything_is_decided() {
    let mut stage = Stage::ready();
    stage.now += Duration::from_millis(100);
    let skipped = stage.seq[1] + 2;
    let commands = stage.delta_at(1, skipped, &[level(10_100, 5_000)], &[level(10_010, 0)]);
    assert_eq!(placed(commands), vec![], "the frame that shows the gap must not be traded on");
    assert!(stage.engine.book(stage.venue(1), SYMBOL).is_none());
    // Venue a's whole book falls below what b bid last.
    let fall = stage.delta(0, &[level(10_000, 0), level(9_700, 1_000)], &[level(9_800, 1_000)]);
    assert_eq!(placed(fall), vec![], "nor may the other venue trade against it");
    assert!(stage.engine.book(stage.venue(0), SYMBOL).is_some());
    let mut joined = Stage::ready();
    joined.now += Duration::from_millis(100);
    let fall = joined.delta(0, &[level(10_000, 0), level(9_700, 1_000)], &[level(9_800, 1_000)]);
    assert_eq!(placed(fall).len(), 2, "without the gap it would");
}

#[test]
fn a_leg_that_did_not_fill_is_unwound_with_an_immediate_order() {
    let mut stage = Stage::ready();
    let [buy, sell] = stage.cross();
    stage.fill(&buy, "100.10", "5", ("0.25025", "USDT"));
    let commands = stage.report(&sell, OrderStatus::Canceled, "0");
    let closing = placed(commands);
    let [closing] = closing.as_slice() else { panic!("one closing order, not {closing:?}") };
    assert_eq!((closing.venue, closing.side), (stage.venue(1), Side::Sell), "b still bids higher");
    // 0.5 % below 101.00 is 100.495: no further than that, on the tick.
    let kind = OrderKind::Limit { price: Price(10_050), qty: Qty(500_000), tif: cex_core::TimeInForce::Ioc };
    assert_eq!(closing.kind, kind);
    let closing = *closing;
    stage.fill(&closing, "100.90", "5", ("0.5045", "USDT"));
    assert_eq!(stage.ended(Ending::Unwound), 1);
    assert_eq!(stage.view().totals.realised, decimal("3.24525"));
    // The symbol pauses after an arbitrage that did not fill on both legs.
    stage.now += Duration::from_millis(100);
    stage.delta(0, &[], &[]);
    assert_eq!(placed(stage.delta(1, &[level(10_102, 5_000)], &[])), vec![]);
    stage.now += Duration::from_secs(10);
    stage.delta(0, &[], &[]);
    assert_eq!(placed(stage.delta(1, &[level(10_103, 5_000)], &[])).len(), 2);
}

#[test]
fn a_closing_order_that_could_not_leave_is_tried_again_and_three_that_did_not_fill_are_enough() {
    let mut stage = Stage::ready();
    let [buy, sell] = stage.cross();
    stage.fill(&buy, "100.10", "5", ("0.25025", "USDT"));
    let mut closing = placed(stage.report(&sell, OrderStatus::Canceled, "0"));
    for _ in 0..5 {
        let client_id = closing[0].client_id;
        let at_once = stage.feed(Event::PlaceFailed { client_id, outcome: CallOutcome::NotSent });
        assert_eq!(placed(at_once), vec![], "not without a pause");
        closing = placed(stage.pass(250));
        assert_eq!(closing.len(), 1, "what never left is no attempt");
    }
    for attempt in 1..=3 {
        assert_eq!(stage.ended(Ending::Parked), 0, "attempt {attempt}");
        let order = closing[0];
        stage.report(&order, OrderStatus::Canceled, "0");
        closing = placed(stage.pass(250));
    }
    assert_eq!((closing.len(), stage.ended(Ending::Parked)), (0, 1));
    let usdt = stage.engine.gate.funds().reserved(stage.venue(0), asset("USDT"));
    assert_eq!(usdt, Decimal::ZERO);
}

#[test]
fn a_difference_below_every_minimum_stays_as_dust() {
    let mut stage = Stage::ready();
    let [buy, sell] = stage.cross();
    stage.fill(&buy, "100.10", "5", ("0.25025", "USDT"));
    stage.fill(&sell, "101", "4.995", ("0.504495", "USDT"));
    stage.report(&sell, OrderStatus::Canceled, "4.995");
    assert_eq!(stage.ended(Ending::Dust), 1);
}

#[test]
fn nothing_filled_ends_without_profit_or_reservation() {
    let mut stage = Stage::ready();
    let [buy, sell] = stage.cross();
    stage.feed(Event::PlaceFailed { client_id: buy.client_id, outcome: CallOutcome::Refused });
    stage.feed(Event::PlaceFailed { client_id: sell.client_id, outcome: CallOutcome::NotSent });
    assert_eq!(stage.ended(Ending::NoneFilled), 1);
    assert_eq!(stage.view().totals.realised, Decimal::ZERO);
    assert!(
        !stage.engine.gate.funds().is_busy(stage.venue(0))
            && !stage.engine.gate.funds().is_busy(stage.venue(1))
    );
}

#[test]
fn an_unknown_order_is_asked_about_and_never_sent_again() {
    let mut stage = Stage::ready();
    let [buy, sell] = stage.cross();
    stage.fill(&sell, "101", "5", ("0.505", "USDT"));
    stage.feed(Event::PlaceFailed { client_id: buy.client_id, outcome: CallOutcome::Unknown });
    assert_eq!(stage.view().unknown, 1);
    let mut asked = 0;
    for _ in 0..30 {
        let commands = stage.pass(50);
        asked += commands
            .iter()
            .filter(|command| matches!(command, Command::QueryOrder { client_id, .. } if *client_id == buy.client_id))
            .count();
        assert_eq!(placed(commands), vec![]);
    }
    assert!((2..10).contains(&asked), "asked {asked} times in 1.5 s");
    // It was there all the time.
    stage.report(&buy, OrderStatus::Filled, "5");
    assert_eq!(stage.view().unknown, 0);
    assert!(!stage.engine.is_idle(), "its fills are not booked yet");
    stage.now += Duration::from_millis(400);
    let commands = stage.feed(Event::Wake);
    let order_id = order_id(&buy);
    let (venue, client_id) = (buy.venue, buy.client_id);
    assert!(commands.contains(&Command::QueryFills { venue, symbol: SYMBOL, client_id, order_id }));
    stage.trades += 1;
    let fill = stage.fill_event(&buy, "100.10", "5", ("0.25025", "USDT"));
    stage.feed(Event::FillsRead { client_id, fills: &[fill] });
    assert_eq!(stage.ended(Ending::BothFilled), 1);
    // The same fill over the stream, late, counts no second time.
    stage.feed(Event::Account { venue, event: &AccountEvent::Fill(fill) });
    let totals = stage.view().totals;
    assert_eq!((totals.duplicate_fills, totals.realised), (1, decimal("3.74475")));
}

#[test]
fn a_fill_after_the_end_is_booked_and_alarms() {
    let mut stage = Stage::ready();
    let [buy, sell] = stage.cross();
    stage.report(&buy, OrderStatus::Canceled, "0");
    stage.report(&sell, OrderStatus::Canceled, "0");
    assert_eq!(stage.ended(Ending::NoneFilled), 1);
    stage.fill(&sell, "101", "1", ("0.101", "USDT"));
    let totals = stage.view().totals;
    assert_eq!(totals.late_fills, 1);
    // Sold at 101 what is valued at the buying leg's limit.
    assert_eq!(totals.realised, decimal("0.799"));
    assert!(stage.out.notices.iter().any(|notice| matches!(notice, Notice::Alarm(_))));
    assert!(stage.view().killed && totals.alarms == 1, "nothing new before somebody has looked");
}

#[test]
fn a_late_fill_charged_in_a_third_coin_costs_that_coin_only() {
    let mut stage = Stage::ready();
    let [buy, sell] = stage.cross();
    stage.report(&buy, OrderStatus::Canceled, "0");
    stage.report(&sell, OrderStatus::Canceled, "0");
    stage.fill(&sell, "101", "1", ("7", "MX"));
    assert_eq!(stage.view().totals.realised, decimal("0.9"));
}

#[test]
fn a_fee_taken_in_base_lowers_the_profit_by_its_worth() {
    let mut stage = Stage::ready();
    let [buy, sell] = stage.cross();
    stage.fill(&buy, "100.10", "5", ("0.0025", "BTC"));
    stage.fill(&sell, "101", "5", ("0.505", "USDT"));
    assert_eq!(stage.ended(Ending::BothFilled), 1);
    assert_eq!(stage.view().totals.realised, decimal("3.74475"));
}

#[test]
fn every_opportunity_ends_with_a_verdict() {
    let mut stage = Stage::ready();
    // One tick above a's ask: fees eat it.
    stage.now += Duration::from_millis(100);
    assert_eq!(
        placed(stage.delta(1, &[level(10_011, 1_000)], &[level(10_010, 0), level(10_020, 5_000)])),
        vec![]
    );
    stage.delta(1, &[level(10_011, 0)], &[]);
    let verdicts = |stage: &Stage| stage.view().totals.opportunities;
    assert_eq!(verdicts(&stage), BTreeMap::from([(Verdict::BelowEdge, 1)]));
    stage.feed(Event::Kill);
    stage.now += Duration::from_millis(100);
    assert_eq!(
        placed(stage.delta(1, &[level(10_100, 5_000)], &[level(10_020, 0), level(10_110, 1_000)])),
        vec![]
    );
    stage.delta(1, &[level(10_100, 0)], &[]);
    assert_eq!(verdicts(&stage).get(&Verdict::Refused("kill_switch")), Some(&1));
    assert_eq!(stage.view().standing, 0);
}

#[test]
fn a_lost_account_stream_stops_openings_until_read_again() {
    let mut stage = Stage::ready();
    let venue = stage.venue(1);
    let asked_before = stage.now;
    stage.feed(Event::Link { venue, event: LinkEvent::Down, symbols: &[] });
    stage.now += Duration::from_millis(100);
    stage.answer_account(1, asked_before);
    assert_eq!(
        placed(stage.delta(1, &[level(10_100, 5_000)], &[level(10_010, 0), level(10_110, 1_000)])),
        vec![]
    );
    stage.read_account(1);
    assert_eq!(placed(stage.delta(1, &[level(10_101, 5_000)], &[])).len(), 2);
}

#[test]
fn what_may_have_been_missed_of_an_account_is_asked_for_at_once() {
    let mut stage = Stage::ready();
    let [buy, _] = stage.cross();
    let venue = buy.venue;
    let asks = |commands: &[Command]| {
        let account = commands.iter().any(|command| matches!(command, Command::ReadAccount { .. }));
        let order = commands.iter().any(
            |command| matches!(command, Command::QueryOrder { client_id, .. } if *client_id == buy.client_id),
        );
        (account, order)
    };
    let undecodable = LinkEvent::Undecodable { symbol: None };
    let at_once = stage.feed(Event::Link { venue, event: undecodable, symbols: &[] });
    assert_eq!(asks(&at_once), (true, false));
    assert_eq!(asks(&stage.pass(50)), (false, true));
    stage.feed(Event::Link { venue, event: LinkEvent::Down, symbols: &[] });
    stage.pass(50);
    let back = stage.feed(Event::Link { venue, event: LinkEvent::AccountReady, symbols: &[] });
    assert_eq!(asks(&back), (true, false));
    assert_eq!(asks(&stage.pass(50)), (false, true));
}

#[test]
fn a_snapshot_asked_for_before_the_connection_was_lost_is_not_joined_to_the_next() {
    let mut stage = Stage::ready();
    let venue = stage.venue(0);
    stage.link(0, LinkEvent::Down);
    stage.link(0, LinkEvent::Subscribed { symbol: Some(SYMBOL), stream: StreamKind::Book });
    let first = stage.now;
    assert_eq!(
        stage.delta(0, &[], &[]),
        vec![Command::FetchBook { venue, symbol: SYMBOL, depth: 100, asked_at: first }]
    );
    stage.link(0, LinkEvent::Down);
    stage.now += Duration::from_millis(300);
    stage.link(0, LinkEvent::Subscribed { symbol: Some(SYMBOL), stream: StreamKind::Book });
    stage.delta(0, &[], &[]);
    stage.answer_book(0, first);
    assert!(stage.engine.book(venue, SYMBOL).is_none(), "it was true before the loss, not after");
    let second = stage.now;
    stage.answer_book(0, second);
    assert!(stage.engine.book(venue, SYMBOL).is_some());
}

#[test]
fn a_frame_that_another_of_the_same_read_has_overtaken_is_not_traded_on() {
    let mut stage = Stage::ready();
    stage.now += Duration::from_millis(100);
    stage.delta(0, &[], &[]);
    let levels = [level(10_100, 5_000), level(10_010, 0), level(10_110, 1_000)];
    let update = |seq, bids, end| {
        MarketEvent::Book(BookUpdate {
            symbol: SYMBOL,
            kind: UpdateKind::Delta,
            first_seq: seq,
            last_seq: seq,
            exchange_ts: stage.now,
            bids: LevelRange { start: 0, end: bids },
            asks: LevelRange { start: bids, end },
        })
    };
    let crossing = update(stage.seq[1] + 1, 1, 3);
    let uncrossing = update(stage.seq[1] + 2, 1, 1);
    let (venue, gone) = (stage.venue(1), [level(10_100, 0)]);
    stage.out.clear();
    let (now, engine) = (stage.now, &mut stage.engine);
    engine.handle(now, Event::Market { venue, event: &crossing, levels: &levels }, &mut stage.out);
    engine.handle(now, Event::Market { venue, event: &uncrossing, levels: &gone }, &mut stage.out);
    engine.handle(now, Event::Settled, &mut stage.out);
    assert_eq!(stage.out.commands, vec![]);
}

#[test]
fn legs_that_could_not_leave_cost_neither_a_pause_nor_a_failure() {
    let mut stage = Stage::ready();
    for _ in 0..20 {
        let [buy, sell] = stage.cross();
        for leg in [buy, sell] {
            stage.feed(Event::PlaceFailed { client_id: leg.client_id, outcome: CallOutcome::NotSent });
        }
    }
    assert_eq!((stage.ended(Ending::Withheld), stage.ended(Ending::NoneFilled)), (20, 0));
    assert!(stage.engine.is_idle());
    stage.delta(1, &[level(10_100, 0)], &[]);
    let verdicts = stage.view().totals.opportunities;
    assert_eq!(verdicts, BTreeMap::from([(Verdict::Refused("not_sent"), 1)]));
}

#[test]
fn a_fill_that_comes_before_anyone_knows_its_order_finds_it() {
    let mut stage = Stage::ready();
    let [buy, sell] = stage.cross();
    stage.fill(&sell, "101", "5", ("0.505", "USDT"));
    stage.trades += 1;
    let nameless = Fill { client_id: None, ..stage.fill_event(&buy, "100.10", "5", ("0.25025", "USDT")) };
    stage.feed(Event::Account { venue: buy.venue, event: &AccountEvent::Fill(nameless) });
    assert_eq!((stage.view().totals.foreign_fills, stage.engine.is_idle()), (1, false));
    stage.feed(Event::Placed { client_id: buy.client_id, order_id: order_id(&buy), order: None });
    assert_eq!(stage.ended(Ending::BothFilled), 1);
    let totals = stage.view().totals;
    assert_eq!((totals.foreign_fills, totals.realised), (0, decimal("3.74475")));
    // Asked for as well, it is known already.
    stage.feed(Event::FillsRead { client_id: buy.client_id, fills: &[nameless] });
    assert_eq!(stage.view().totals.duplicate_fills, 1);
}

#[test]
fn two_orders_for_one_id_throw_the_kill_switch() {
    let mut stage = Stage::ready();
    let [buy, _] = stage.cross();
    stage.feed(Event::Placed { client_id: buy.client_id, order_id: order_id(&buy), order: None });
    assert!(!stage.view().killed);
    let other = Text::new("ex-2").expect("short");
    stage.feed(Event::Placed { client_id: buy.client_id, order_id: other, order: None });
    assert!(stage.view().killed);
}

#[test]
fn a_lost_order_that_never_arrived_frees_its_twin_as_soon_as_that_is_proven() {
    let mut stage = Stage::ready();
    let [buy, sell] = stage.cross();
    stage.fill(&sell, "101", "5", ("0.505", "USDT"));
    stage.feed(Event::PlaceFailed { client_id: buy.client_id, outcome: CallOutcome::Unknown });
    let lost_at = stage.now;
    let closing = loop {
        let commands = stage.pass(50);
        let mut orders = vec![];
        for command in commands {
            if let Command::QueryOrder { client_id, asked_at, .. } = command {
                // The answer takes a while, and tells of the time of the question.
                stage.now += Duration::from_millis(20);
                orders.extend(placed(stage.feed(Event::OrderRead { client_id, asked_at, order: None })));
            }
        }
        if let [closing] = orders.as_slice() {
            break *closing;
        }
        assert!(stage.now.since(lost_at) < Duration::from_secs(10), "naked for too long");
    };
    assert_eq!(closing.side, Side::Buy, "what was sold is bought back");
    // It expired after one second and may turn up for two more; then two answers two seconds apart.
    assert!(stage.now.since(lost_at) > Duration::from_secs(5));
}

/// Sold 5 at b; the buy at a was refused. What was sold must be bought back.
fn sold_without_having_bought() -> (Stage, Vec<OrderRequest>) {
    let mut stage = Stage::ready();
    let [buy, sell] = stage.cross();
    stage.fill(&sell, "101", "5", ("0.505", "USDT"));
    let closing =
        placed(stage.feed(Event::PlaceFailed { client_id: buy.client_id, outcome: CallOutcome::Refused }));
    (stage, closing)
}

#[test]
fn a_difference_is_closed_at_the_venue_that_did_not_just_refuse() {
    let (mut stage, closing) = sold_without_having_bought();
    // a asks 100.10 and b 101.10: a is cheaper, and has just refused to sell.
    assert_eq!(closing.iter().map(|order| order.venue).collect::<Vec<_>>(), [stage.venue(1)]);
    // When b finds nothing either, and a has refused but once, both have failed once: the cheaper one is tried.
    stage.report(&closing[0], OrderStatus::Canceled, "0");
    let next = placed(stage.pass(250));
    assert_eq!(next.iter().map(|order| order.venue).collect::<Vec<_>>(), [stage.venue(0)]);
}

#[test]
fn a_difference_is_closed_where_the_account_is_heard_of_and_as_far_as_it_can_be_paid() {
    let mut stage = Stage::ready();
    let [buy, sell] = stage.cross();
    stage.feed(Event::Link { venue: stage.venue(0), event: LinkEvent::Down, symbols: &[] });
    let usdt = asset("USDT");
    stage.fill(&sell, "101", "5", ("0.505", "USDT"));
    // b has 300 left: not enough to buy 5 back at 101.60 and pay the fee.
    let venue = stage.venue(1);
    stage.engine.gate.funds_mut().set_held(venue, usdt, decimal("300"));
    let closing = placed(stage.report(&buy, OrderStatus::Canceled, "0"));
    let [closing] = closing.as_slice() else { panic!("one order, not {closing:?}") };
    let OrderKind::Limit { price, qty, .. } = closing.kind else { panic!("a limit, not {closing:?}") };
    // 300 / (101.60 * 1.001) = 2.9497.., in lots of 0.001.
    assert_eq!((closing.venue, price, qty), (venue, Price(10_160), Qty(294_900)));
    // b can pay for nothing more, so the rest is closed at a, heard of or not.
    let closing = *closing;
    stage.fill(&closing, "101.60", "2.949", ("0.298", "USDT"));
    let rest = placed(stage.pass(250));
    assert_eq!(rest.iter().map(|order| order.venue).collect::<Vec<_>>(), [stage.venue(0)]);
}

#[test]
fn what_one_venue_does_not_take_may_wait_for_the_other_ones_book() {
    let mut stage = Stage::ready();
    let [buy, sell] = stage.cross();
    stage.link(0, LinkEvent::Down);
    stage.fill(&buy, "100.10", "5", ("0.25025", "USDT"));
    stage.fill(&sell, "101", "4.995", ("0.504495", "USDT"));
    stage.report(&sell, OrderStatus::Canceled, "4.995");
    assert_eq!(stage.ended(Ending::Dust), 0, "a has no book, so nobody knows what it would take");
    stage.pass(5_000);
    assert_eq!(stage.ended(Ending::Parked), 1);
}

#[test]
fn an_order_nobody_can_decide_on_alarms_after_two_minutes() {
    let mut stage = Stage::ready();
    let [buy, sell] = stage.cross();
    stage.fill(&sell, "101", "5", ("0.505", "USDT"));
    stage.feed(Event::Placed { client_id: buy.client_id, order_id: order_id(&buy), order: None });
    for _ in 0..119 {
        for command in stage.pass(1_000) {
            if let Command::QueryOrder { client_id, asked_at, .. } = command {
                stage.feed(Event::OrderRead { client_id, asked_at, order: None });
            }
        }
    }
    assert_eq!((stage.view().unknown, stage.view().killed), (1, false), "denied for long, so doubted");
    stage.pass(2_000);
    assert_eq!((stage.view().totals.alarms, stage.view().killed), (1, true));
}

#[test]
fn a_book_just_traded_on_must_show_it_before_it_is_traded_on_again() {
    let mut stage = Stage::ready();
    let [buy, sell] = stage.cross();
    stage.fill(&buy, "100.10", "5", ("0.25025", "USDT"));
    stage.fill(&sell, "101", "5", ("0.505", "USDT"));
    // The frame was under way before the exchange saw our order: it still shows what we took.
    stage.now += Duration::from_millis(10);
    assert_eq!(placed(stage.delta(1, &[level(10_100, 5_000)], &[])), vec![]);
    let [_, _] = stage.cross();
}

#[test]
fn the_same_events_give_the_same_commands() {
    let run = || {
        let mut stage = Stage::ready();
        let [buy, sell] = stage.cross();
        stage.fill(&buy, "100.10", "3", ("0.15015", "USDT"));
        let mut told = format!("{:?}", stage.out.notices);
        for command in stage.report(&sell, OrderStatus::Canceled, "0") {
            told += &format!("{command:?}");
        }
        for command in stage.report(&buy, OrderStatus::Canceled, "3") {
            told += &format!("{command:?}");
        }
        told + &format!("{:?}", stage.view())
    };
    assert_eq!(run(), run());
}
