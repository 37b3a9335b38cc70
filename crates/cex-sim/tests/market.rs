//! The seeded market keeps its promises: deep books that keep moving, differences that pay now and then and never
//! otherwise, the same events for the same seed.

use cex_core::{Decimal, OrderStatus, Price, Qty, Scale, Side, Symbol, Timestamp};
use cex_sim::market::{Market, MarketConfig, Mood, Tape, TapeEntry, TapeEvent, TapeSymbol, VenueConfig};
use cex_sim::matching::{Exchange, ExchangeEvent, MarketIndex, NewOrder, NewOrderKind};
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

const START: Timestamp = Timestamp::from_secs(1_800_000_000);

/// A market with its exchanges and a virtual clock.
struct Floor {
    seed: u64,
    market: Market,
    exchanges: Vec<Exchange>,
    now: Timestamp,
    events: Vec<ExchangeEvent>,
}

impl Floor {
    fn new(seed: u64, config: MarketConfig) -> Self {
        let venues = config.venues.len();
        let market = Market::new(seed, config);
        let exchanges = (0..venues).map(|index| Exchange::new("sim", market.rules(index))).collect();
        let mut floor = Self { seed, market, exchanges, now: START, events: Vec::new() };
        floor.step();
        floor
    }

    /// Moves to the market's next deadline and does what is due.
    fn step(&mut self) {
        self.now = self.now.max(self.market.wakeup_at().expect("the market never sleeps"));
        self.market.step(self.now, &mut self.exchanges);
        self.events.clear();
        for exchange in &mut self.exchanges {
            exchange.drain_events(&mut self.events);
        }
    }

    fn run(&mut self, span: Duration, mut each: impl FnMut(&mut Self)) {
        let end = self.now + span;
        while self.now < end {
            self.step();
            each(self);
        }
    }

    fn symbols(&self) -> usize {
        self.exchanges[0].markets().len()
    }

    /// Best bid at one exchange and best ask at the other, as exact prices.
    fn best(&self, exchange: usize, market: MarketIndex, side: Side) -> Decimal {
        let exchange = &self.exchanges[exchange];
        let level = match side {
            Side::Buy => exchange.bids(market).next(),
            Side::Sell => exchange.asks(market).next(),
        };
        let (price, _) = level.expect("no book is ever empty");
        exchange.rules(market).scale.price_value(price)
    }

    /// What buying at one exchange and selling at the other earns per unit of base, after both taker fees.
    fn net(&self, market: MarketIndex, buy_at: usize, sell_at: usize) -> Decimal {
        let keep = |exchange: usize, sign: i64| {
            let fee = self.exchanges[exchange].rules(market).taker_fee.fraction();
            let change = fee.checked_mul(Decimal::from(sign)).expect("fees are small");
            Decimal::ONE.checked_add(change).expect("fees are small")
        };
        let paid = self.best(buy_at, market, Side::Sell).checked_mul(keep(buy_at, 1)).expect("prices fit");
        let got = self.best(sell_at, market, Side::Buy).checked_mul(keep(sell_at, -1)).expect("prices fit");
        got.checked_sub(paid).expect("prices fit")
    }

    fn pays(&self, market: MarketIndex) -> bool {
        self.net(market, 0, 1).is_positive() || self.net(market, 1, 0).is_positive()
    }
}

fn markets(count: usize) -> impl Iterator<Item = MarketIndex> {
    (0..count as u32).map(MarketIndex)
}

fn calm() -> MarketConfig {
    MarketConfig { divergences_per_minute: 0, ..MarketConfig::default() }
}

fn symbol_of(floor: &Floor, market: MarketIndex) -> Symbol {
    floor.exchanges[0].rules(market).symbol
}

/// A hash of everything that happens in a span of virtual time.
fn fingerprint(seed: u64, span: Duration) -> u64 {
    let mut hasher = DefaultHasher::new();
    let mut floor = Floor::new(seed, MarketConfig::default());
    floor.run(span, |floor| {
        for event in &floor.events {
            match event {
                ExchangeEvent::Level { market, version, side, price, qty, at } => {
                    (market, version, side, price, qty, at).hash(&mut hasher);
                }
                ExchangeEvent::Trade { trade, market_trade, market, taker, price, qty, at } => {
                    (trade, market_trade, market, taker, price, qty, at).hash(&mut hasher);
                }
                ExchangeEvent::Order(_) | ExchangeEvent::Fill(_) | ExchangeEvent::Balance(_) => {
                    panic!("house accounts tell nothing, yet: {event:?}");
                }
            }
        }
    });
    hasher.finish()
}

#[test]
fn a_seed_is_a_market() {
    let span = Duration::from_secs(10);
    let one = fingerprint(7, span);
    assert_eq!(one, fingerprint(7, span), "the same seed gives the same events");
    assert_ne!(one, fingerprint(8, span), "another seed gives others");
}

/// The middle of a market's book, and what rests on its bid side in quote.
fn middle_and_depth(floor: &Floor, exchange: usize, market: MarketIndex) -> (f64, f64) {
    let value = |decimal: Decimal| decimal.to_string().parse::<f64>().expect("a number");
    let (bid, ask) = (floor.best(exchange, market, Side::Buy), floor.best(exchange, market, Side::Sell));
    let scale = floor.exchanges[exchange].rules(market).scale;
    let worth = |(price, qty): (Price, Qty)| value(scale.price_value(price)) * value(scale.qty_value(qty));
    ((value(bid) + value(ask)) / 2.0, floor.exchanges[exchange].bids(market).take(20).map(worth).sum())
}

#[test]
fn prices_follow_the_trend_on_all_exchanges() {
    for trend in [600, -600] {
        let mood = Mood { trend_bps_per_minute: trend, volatility_percent: 0, ..Mood::default() };
        let mut floor = Floor::new(3, MarketConfig { symbols: 3, mood, ..calm() });
        let all = || (0..2).flat_map(|exchange| markets(3).map(move |market| (exchange, market)));
        let before: Vec<f64> = all().map(|(at, market)| middle_and_depth(&floor, at, market).0).collect();
        floor.run(Duration::from_secs(60), |_| {});
        for ((at, market), before) in all().zip(before) {
            let moved = (middle_and_depth(&floor, at, market).0 / before - 1.0) * 10_000.0;
            // Coins follow what is common to 100 to 140 %.
            let expected = f64::from(trend);
            assert!((0.9..1.6).contains(&(moved / expected)), "{at} {market:?}: {moved} bps of {expected}");
        }
    }
}

#[test]
fn thin_books_hold_little_and_wild_ones_wander_far() {
    let floor = |mood| Floor::new(4, MarketConfig { symbols: 2, mood, ..calm() });
    let usual = floor(Mood::default());
    let thin = floor(Mood { depth_percent: 20, levels: 5, ..Mood::default() });
    for market in markets(2) {
        let (usual, thin) = (middle_and_depth(&usual, 0, market).1, middle_and_depth(&thin, 0, market).1);
        assert!(thin < usual / 2.0, "{thin} of {usual}");
    }
    let wandered = |volatility_percent| {
        let mut floor = floor(Mood { volatility_percent, ..Mood::default() });
        let (begin, mut farthest) = (middle_and_depth(&floor, 0, MarketIndex(0)).0, 0f64);
        floor.run(Duration::from_secs(30), |floor| {
            let now = middle_and_depth(floor, 0, MarketIndex(0)).0;
            farthest = farthest.max((now / begin - 1.0).abs());
        });
        farthest
    };
    assert!(wandered(1_000) > 3.0 * wandered(100), "ten times as far, more or less");
}

#[test]
fn books_are_deep_from_the_start_and_never_crossed() {
    for seed in [1, 2] {
        let mut floor = Floor::new(seed, MarketConfig::default());
        check_books(&floor);
        let mut steps = 0;
        floor.run(Duration::from_secs(20), |floor| {
            steps += 1;
            // All books after every step would take most of the time; each is seen often enough.
            if steps % 16 == 0 {
                check_books(floor);
            }
        });
    }
}

fn check_books(floor: &Floor) {
    for exchange in &floor.exchanges {
        for market in markets(floor.symbols()) {
            let symbol = exchange.rules(market).symbol;
            let (bids, asks) = (exchange.bids(market).count(), exchange.asks(market).count());
            assert!(bids >= 100 && asks >= 100, "seed {}: {symbol} has {bids} bids, {asks} asks", floor.seed);
            let best = (exchange.bids(market).next(), exchange.asks(market).next());
            let (Some((bid, _)), Some((ask, _))) = best else { panic!("{symbol} has an empty side") };
            assert!(bid < ask, "seed {}: {symbol} is crossed: {bid:?} {ask:?}", floor.seed);
            assert!(exchange.last_price(market).is_some(), "seed {}: {symbol} has a last price", floor.seed);
        }
    }
}

#[test]
fn every_book_changes_every_hundred_milliseconds() {
    let mut floor = Floor::new(3, MarketConfig::default());
    for _ in 0..50 {
        let versions = |floor: &Floor| -> Vec<u64> {
            let of =
                |exchange: &Exchange| markets(20).map(|market| exchange.version(market)).collect::<Vec<_>>();
            floor.exchanges.iter().flat_map(of).collect()
        };
        let before = versions(&floor);
        floor.run(Duration::from_millis(101), |_| {});
        for (before, after) in before.iter().zip(versions(&floor)) {
            assert!(*before < after);
        }
    }
}

#[test]
fn nothing_pays_while_nothing_diverges() {
    for seed in [11, 12, 13] {
        let mut floor = Floor::new(seed, calm());
        floor.run(Duration::from_secs(20), |floor| {
            for market in markets(floor.symbols()) {
                assert!(
                    !floor.pays(market),
                    "seed {seed}: {} pays at {}",
                    symbol_of(floor, market),
                    floor.now
                );
            }
        });
    }
}

#[test]
fn what_pays_has_diverged_and_enough_does() {
    let seconds = 60;
    let mut floor = Floor::new(21, MarketConfig::default());
    let mut paying = HashSet::new();
    let mut paid = 0;
    floor.run(Duration::from_secs(seconds), |floor| {
        for market in markets(floor.symbols()) {
            let symbol = symbol_of(floor, market);
            if !floor.pays(market) {
                paying.remove(&symbol);
                continue;
            }
            assert!(floor.market.has_diverged(symbol), "seed {}: {symbol} pays at {}", floor.seed, floor.now);
            paid += u64::from(paying.insert(symbol));
        }
    });
    assert!(paid >= 3 * seconds, "{paid} of {} divergences paid in {seconds} s", floor.market.divergences());
    assert!(paid <= floor.market.divergences());
}

/// Takes at the best price of one exchange, an amount of base rounded down to lots; the notional traded.
fn take(
    floor: &mut Floor,
    exchange: usize,
    market: MarketIndex,
    side: Side,
    amount: Decimal,
) -> Option<Decimal> {
    let exchange = &mut floor.exchanges[exchange];
    let level = match side {
        Side::Buy => exchange.asks(market).next(),
        Side::Sell => exchange.bids(market).next(),
    };
    let (price, _) = level.expect("no book is ever empty");
    let qty = exchange.rules(market).scale.qty(amount).expect("amounts fit");
    let kind = NewOrderKind::Ioc { price, qty };
    let account = exchange.account_by_key("key").expect("the trader has an account");
    let order = NewOrder { market, client_id: String::new(), side, kind };
    let placed = exchange.place(floor.now, account, order).ok()?;
    assert_eq!(placed.status, OrderStatus::Filled, "seed {}: the level was there", floor.seed);
    Some(placed.filled_notional)
}

/// What rests at the best price of one exchange, in base.
fn available(floor: &Floor, exchange: usize, market: MarketIndex, side: Side) -> Decimal {
    let exchange = &floor.exchanges[exchange];
    let level = match side {
        Side::Buy => exchange.bids(market).next(),
        Side::Sell => exchange.asks(market).next(),
    };
    let (_, qty) = level.expect("no book is ever empty");
    exchange.rules(market).scale.qty_value(qty)
}

/// Buys at one exchange and sells at the other for as long as it pays and both take such small orders; the notional
/// bought.
fn arbitrage(floor: &mut Floor, market: MarketIndex, buy_at: usize, sell_at: usize) -> Decimal {
    let mut bought = Decimal::ZERO;
    while floor.net(market, buy_at, sell_at).is_positive() {
        let amount =
            available(floor, buy_at, market, Side::Sell).min(available(floor, sell_at, market, Side::Buy));
        let Some(notional) = take(floor, buy_at, market, Side::Buy, amount) else { break };
        bought = bought.checked_add(notional).expect("sums fit");
        if take(floor, sell_at, market, Side::Sell, amount).is_none() {
            break;
        }
    }
    bought
}

#[test]
fn what_was_traded_away_does_not_come_back() {
    let mut floor = Floor::new(31, MarketConfig::default());
    for index in 0..2 {
        let deposits = floor.market.default_deposits(index).into_iter();
        let thousandfold = deposits.map(|(asset, amount)| {
            (asset, amount.checked_mul(Decimal::from(1_000)).expect("a thousandfold fits"))
        });
        let deposits: Vec<_> = thousandfold.collect();
        floor.exchanges[index].open_account(START, "trader", "key", "secret", &deposits);
    }
    // Six levels of bait of 4,000 USDT each, at most; put back at every change it would come to many times that.
    let most = Decimal::from(25_000);
    let mut taken = vec![Decimal::ZERO; 20];
    let mut times = 0;
    floor.run(Duration::from_secs(30), |floor| {
        for market in markets(20) {
            let so_far = &mut taken[market.0 as usize];
            if !floor.market.has_diverged(symbol_of(floor, market)) {
                times += usize::from(so_far.is_positive());
                *so_far = Decimal::ZERO;
                continue;
            }
            for (buy_at, sell_at) in [(0, 1), (1, 0)] {
                *so_far = so_far.checked_add(arbitrage(floor, market, buy_at, sell_at)).expect("sums fit");
            }
            assert!(*so_far <= most, "seed {}: {} gave {so_far}", floor.seed, symbol_of(floor, market));
        }
    });
    assert!(times > 60, "{times} divergences were traded away");
}

#[test]
fn clients_can_make_the_market_too() {
    let mut floor = Floor::new(41, MarketConfig::default());
    let deposits = floor.market.default_deposits(0);
    let client = floor.exchanges[0].open_account(START, "maker", "key", "secret", &deposits);
    let mut steps = 0;
    floor.run(Duration::from_secs(10), |floor| {
        let exchange = &mut floor.exchanges[0];
        let market = MarketIndex(steps % 20);
        steps += 1;
        // One tick better than the best, which is inside the spread or even trades: the makers must cope with both.
        let (best, _) = exchange.bids(market).next().expect("no book is ever empty");
        let rules = exchange.rules(market);
        let lots = 100.0 / rules.scale.price_value(best).as_f64() * 10f64.powi(rules.scale.qty_dp().into());
        let kind = NewOrderKind::Limit { price: Price(best.0 + 1), qty: Qty(lots as i64) };
        if exchange.open_orders(client).count() < 100 {
            let order = NewOrder { market, client_id: String::new(), side: Side::Buy, kind };
            // Refused once the money is spent, which is fine.
            let _ = exchange.place(floor.now, client, order);
        }
        if steps % 16 == 0 {
            check_books(floor);
        }
    });
    let fills = floor.exchanges[0].fills(client);
    assert!(
        fills.iter().any(|fill| fill.is_maker),
        "seed {}: the crowd found the client's orders",
        floor.seed
    );
}

#[test]
fn a_market_of_nothing_does_nothing() {
    let mut floor = Floor::new(1, MarketConfig { symbols: 0, ..MarketConfig::default() });
    floor.run(Duration::from_secs(1), |floor| assert!(floor.events.is_empty()));
    let mut lonely =
        Floor::new(1, MarketConfig { venues: vec![VenueConfig::mexc()], ..MarketConfig::default() });
    lonely.run(Duration::from_secs(1), |_| {});
    assert_eq!(lonely.market.divergences(), 0, "one exchange has nothing to diverge from");
}

#[test]
fn work_grows_with_symbols_and_no_faster() {
    let events = |symbols: usize| {
        let mut floor = Floor::new(5, MarketConfig { symbols, ..calm() });
        let mut events = 0;
        floor.run(Duration::from_secs(4), |floor| events += floor.events.len());
        events as f64 / symbols as f64
    };
    let (few, many) = (events(40), events(160));
    assert!(many < few * 1.1, "{few} events per symbol of 40, {many} of 160");
}

#[test]
fn a_thousand_symbols_have_names_rules_and_deposits() {
    let config = MarketConfig { symbols: 1_000, ..MarketConfig::default() };
    let market = Market::new(1, config);
    assert_eq!(market.symbols().collect::<HashSet<_>>().len(), 1_000);
    for (index, venue) in [VenueConfig::mexc(), VenueConfig::gateio()].iter().enumerate() {
        let (rules, deposits) = (market.rules(index), market.default_deposits(index));
        assert_eq!((rules.len(), deposits.len()), (1_000, 1_001));
        assert_eq!(deposits[0].1, Decimal::from(100_000));
        for (rules, (asset, amount)) in rules.iter().zip(&deposits[1..]) {
            assert_eq!(rules.symbol.base, *asset);
            assert!(rules.scale.qty(*amount).expect("deposits can be counted") > rules.min_qty);
            assert_eq!(rules.taker_fee, venue.taker_fee);
        }
    }
    assert!(market.rules(2).is_empty() && market.default_deposits(2).is_empty());
}

#[test]
fn venues_differ_as_real_ones_do() {
    let market = Market::new(1, MarketConfig::default());
    let (mexc, gateio) = (market.rules(0), market.rules(1));
    let pairs = || mexc.iter().zip(&gateio);
    assert!(pairs().any(|(mexc, gateio)| mexc.scale.price_dp() > gateio.scale.price_dp()));
    assert!(pairs().any(|(mexc, gateio)| mexc.scale.qty_dp() > gateio.scale.qty_dp()));
    assert!(mexc.iter().any(|rules| rules.scale.price_dp() == 9), "one ticks in 1e-9");
    assert!(pairs().all(|(mexc, gateio)| mexc.symbol == gateio.symbol));
    let floor = Floor::new(1, calm());
    let huge =
        markets(20).map(|market| floor.exchanges[0].asks(market).next().map_or(0, |(_, qty)| qty.0)).max();
    assert!(huge > Some(10_000_000_000), "one trades in huge quantities: {huge:?}");
}

/// A recording of one symbol: a book, a trade that takes half a level, and what the book was then.
fn tape() -> Tape {
    let level = |price: i64, qty: i64| (Price(price), Qty(qty));
    let entry = |millis, event| TapeEntry { after: Duration::from_millis(millis), symbol: 0, event };
    Tape {
        symbols: vec![TapeSymbol {
            symbol: "NEO/BTC".parse().expect("a symbol"),
            scale: Scale::new(6, 3).expect("a scale"),
            min_qty: Qty(1),
            min_notional: Decimal::ZERO,
        }],
        entries: vec![
            entry(
                0,
                TapeEvent::Levels {
                    bids: vec![level(1_990, 5_000), level(1_980, 7_000)],
                    asks: vec![level(2_000, 4_000), level(2_010, 3_000)],
                },
            ),
            entry(100, TapeEvent::Trade { taker: Side::Buy, price: Price(2_000), qty: Qty(2_500) }),
            entry(
                150,
                TapeEvent::Levels {
                    bids: vec![level(1_980, 0), level(1_985, 1_000)],
                    asks: vec![level(2_000, 1_500)],
                },
            ),
        ],
    }
}

#[test]
fn a_recording_is_the_market_level_by_level_and_begins_anew() {
    let config = MarketConfig { tape: Some(Arc::new(tape())), ..MarketConfig::default() };
    let mut market = Market::new(1, config);
    let mut exchanges: Vec<Exchange> =
        (0..2).map(|index| Exchange::new("taped", market.rules(index))).collect();
    let client = exchanges[0].open_account(START, "me", "key", "secret", &market.default_deposits(0));
    let start = START;
    let at = |millis| start + Duration::from_millis(millis);
    let run = |market: &mut Market, exchanges: &mut [Exchange], millis| {
        while let Some(due) = market.wakeup_at().filter(|due| *due <= at(millis)) {
            market.step(due.max(start), exchanges);
        }
    };
    let shown = |exchange: &Exchange| {
        let plain = |(price, qty): (Price, Qty)| (price.0, qty.0);
        let neo = MarketIndex(0);
        (exchange.bids(neo).map(plain).collect::<Vec<_>>(), exchange.asks(neo).map(plain).collect::<Vec<_>>())
    };
    run(&mut market, &mut exchanges, 99);
    let first = (vec![(1_990, 5_000), (1_980, 7_000)], vec![(2_000, 4_000), (2_010, 3_000)]);
    assert_eq!([shown(&exchanges[0]), shown(&exchanges[1])], [first.clone(), first.clone()]);
    assert_eq!(exchanges[0].last_price(MarketIndex(0)), None);
    run(&mut market, &mut exchanges, 100);
    assert_eq!(shown(&exchanges[0]).1, [(2_000, 1_500), (2_010, 3_000)], "what was traded is gone");
    assert_eq!(exchanges[0].last_price(MarketIndex(0)), Some(Price(2_000)));

    // A client takes a level; it comes back when the recording next speaks of it.
    let kind = NewOrderKind::Ioc { price: Price(2_000), qty: Qty(1_500) };
    let order = NewOrder { market: MarketIndex(0), client_id: String::new(), side: Side::Buy, kind };
    let taken = exchanges[0].place(at(120), client, order).expect("a good order");
    assert_eq!(taken.filled_qty, Qty(1_500));
    run(&mut market, &mut exchanges, 150);
    let then = (vec![(1_990, 5_000), (1_985, 1_000)], vec![(2_000, 1_500), (2_010, 3_000)]);
    assert_eq!([shown(&exchanges[0]), shown(&exchanges[1])], [then.clone(), then.clone()]);
    run(&mut market, &mut exchanges, 1_149);
    assert_eq!(shown(&exchanges[0]), then, "nothing more until the end");
    run(&mut market, &mut exchanges, 1_160);
    assert_eq!([shown(&exchanges[0]), shown(&exchanges[1])], [first.clone(), first], "from the beginning");
}
