//! Rules whose facts the engine gathers: what it sizes by, and what it tells the gate.

use super::*;
use cex_risk::{JournalState, Scope, Wallet};

/// A stage under limits changed so.
fn under(change: impl FnOnce(&mut EngineConfig)) -> Stage {
    let (mut config, setups) = setups();
    change(&mut config);
    Stage::with(config, &setups)
}

/// Silence is not looked into: books are compared because it is time.
fn patient() -> WatchLimits {
    let long = Duration::from_secs(3_600);
    WatchLimits { ceiling: long * 8, pauses: u32::MAX, ..WatchLimits::default() }
}

/// Venue b's bid is above venue a's ask, and both books change; what is sent.
fn crossing(stage: &mut Stage) -> Vec<OrderRequest> {
    stage.now += Duration::from_millis(100);
    let mut commands = stage.delta(0, &[], &[]);
    commands.extend(stage.delta(1, &[level(10_100, 5_000)], &[level(10_010, 0), level(10_110, 9_000)]));
    placed(commands)
}

fn qty(order: &OrderRequest) -> Qty {
    match order.kind {
        OrderKind::Limit { qty, .. } => qty,
        other => panic!("a limit order, not {other:?}"),
    }
}

fn tripped(stage: &Stage) -> Vec<(&'static str, Scope)> {
    stage.engine.gate.trips(stage.now).map(|trip| (trip.rule, trip.scope)).collect()
}

#[test]
fn sizes_leave_most_of_the_book_and_a_part_of_the_funds_alone() {
    let sent = crossing(&mut under(|_| {}));
    assert_eq!(qty(&sent[0]), Qty(500_000), "all that is bid");
    let sent = crossing(&mut under(|config| config.limits.max_depth_share = Bps::from_bps(2_500)));
    assert_eq!(qty(&sent[0]), Qty(250_000), "a quarter of the ten that a asks");
    let sent = crossing(&mut under(|config| config.limits.max_cycle_notional = decimal("202.02")));
    assert_eq!(qty(&sent[0]), Qty(100_000), "101.01 on each leg");
    // 50 BTC at venue b; with a buffer of 24 times as much, two may be sold.
    let sent = crossing(&mut under(|config| config.limits.fee_buffer = Bps::from_bps(240_000)));
    assert_eq!(qty(&sent[0]), Qty(199_700), "5000 USDT over 25, less the fee");
    let least = |margin| {
        crossing(&mut under(move |config| {
            config.limits.max_leg_notional = decimal("1.2");
            config.limits.min_notional_margin = Bps::from_bps(margin);
        }))
    };
    assert_eq!(
        (least(900).len(), least(1_100).len()),
        (2, 0),
        "one is the least, and a tenth of it the margin"
    );
}

/// What earns most may earn too little on each (R11): a good price with little behind it is taken, and what lies behind is not.
#[test]
fn a_few_lots_with_the_edge_are_taken_where_all_that_earn_something_lack_it() {
    for (min_edge, taken) in [(1, 500_000), (8, 20_000)] {
        let mut stage = under(|config| config.limits.min_edge = Bps::from_bps(min_edge));
        stage.now += Duration::from_millis(100);
        stage.delta(0, &[], &[]);
        let bids = [level(10_100, 200), level(10_030, 4_800)];
        let asks = [level(10_010, 0), level(10_110, 9_000)];
        let legs = placed(stage.delta(1, &bids, &asks));
        assert_eq!(legs.iter().map(qty).collect::<Vec<_>>(), [Qty(taken); 2], "{min_edge} bps");
    }
}

#[test]
fn modes_journal_wallets_and_blocks_reach_the_gate() {
    let both = Wallet::OPEN;
    let wallets = [(asset("BTC"), both), (asset("USDT"), both)];
    let mut stage = under(|config| config.mode = Mode::Observe);
    assert_eq!(crossing(&mut stage), [], "observing");
    stage.feed(Event::Mode(Mode::Active));
    stage.feed(Event::Journal(JournalState::Failed));
    assert_eq!(crossing(&mut stage), [], "nothing would be recorded");
    stage.feed(Event::Journal(JournalState::Well));
    stage.feed(Event::Blocked { symbol: SYMBOL, why: Some("coins differ") });
    assert_eq!(crossing(&mut stage), [], "blocked");
    stage.feed(Event::Blocked { symbol: SYMBOL, why: None });
    stage.feed(Event::Wallets { venue: stage.venue(0), wallets: &wallets[1..] });
    assert_eq!(crossing(&mut stage), [], "a wallet that is not named");
    stage.feed(Event::Wallets { venue: stage.venue(0), wallets: &wallets });
    stage.feed(Event::ShutOut { venue: stage.venue(1), rule: "banned" });
    assert_eq!(tripped(&stage), [("banned", Scope::Venue(stage.venue(1)))]);
    assert_eq!(crossing(&mut stage), [], "banned");
    stage.feed(Event::Acknowledge);
    assert_eq!(crossing(&mut stage).len(), 2, "an operator has looked");
    let totals = stage.view();
    assert_eq!((totals.mode, totals.trips), (Mode::Active, vec![]));
}

#[test]
fn a_book_old_by_the_clock_of_its_exchange_is_not_traded_on() {
    let behind = |offset_nanos| {
        let mut stage = under(|config| config.limits.max_venue_age = Duration::from_millis(1_000));
        stage.feed(Event::Clock { venue: stage.venue(1), offset_nanos });
        crossing(&mut stage).len()
    };
    assert_eq!(behind(Some(1_000_000_000)), 2);
    assert_eq!(behind(Some(1_000_000_001)), 0, "a second and more behind its exchange's clock");
    assert_eq!(behind(None), 2, "the clock is not known: arrival alone tells");
}

/// A frame in another unit, or of a node whose clock runs ahead, would be young for ever (W14).
#[test]
fn a_book_of_a_time_to_come_by_the_clock_of_its_exchange_is_not_traded_on() {
    let told = |ahead: i64, offset_nanos| {
        let mut stage = under(|config| config.limits.max_venue_age = Duration::from_millis(1_000));
        stage.feed(Event::Clock { venue: stage.venue(1), offset_nanos });
        stage.ahead[1] = ahead;
        crossing(&mut stage).len()
    };
    let (second, most) = (1_000_000_000, 1_250_000_000);
    assert_eq!((told(most, Some(0)), told(most + 1, Some(0))), (2, 0));
    assert_eq!((told(most + second, Some(second)), told(most - second, Some(-second))), (2, 2));
    assert_eq!((told(most + second + 1, Some(second)), told(most - second + 1, Some(-second))), (0, 0));
    assert_eq!(told(i64::MAX, Some(0)), 0, "microseconds for milliseconds");
    assert_eq!(told(i64::MAX, None), 2, "the clock is not known: arrival alone tells");
}

#[test]
fn a_clock_so_far_off_that_fills_would_not_be_found_stops_its_venue() {
    let off = |seconds: i64| {
        let mut stage = under(|_| {});
        stage.ahead[1] = seconds * 1_000_000_000;
        stage.feed(Event::Clock { venue: stage.venue(1), offset_nanos: Some(stage.ahead[1]) });
        (crossing(&mut stage).len(), tripped(&stage))
    };
    let venue = under(|_| {}).venue(1);
    assert_eq!((off(19), off(-19)), ((2, vec![]), (2, vec![])));
    for seconds in [20, -20, 90] {
        assert_eq!(off(seconds), (0, vec![("clock", Scope::Venue(venue))]), "{seconds} s");
    }
}

#[test]
fn an_account_that_differs_twice_stops_its_venue_and_is_then_believed() {
    let mut stage = under(|config| config.limits.max_drift = decimal("1"));
    let tell = |stage: &mut Stage, usdt: &str| {
        stage.now += Duration::from_secs(5);
        accounts::answer(stage, usdt, "50");
        stage.engine.gate.funds().held(stage.venue(0), asset("USDT"))
    };
    assert_eq!(tell(&mut stage, "4999.5"), decimal("4999.5"), "small change is adopted");
    assert_eq!(tell(&mut stage, "4000"), decimal("4999.5"), "once may be a fill we are about to hear of");
    assert_eq!(tell(&mut stage, "4999.5"), decimal("4999.5"), "as it was");
    assert_eq!(tripped(&stage), []);
    assert_eq!(tell(&mut stage, "4000"), decimal("4999.5"));
    assert_eq!(tell(&mut stage, "4000"), decimal("4000"));
    assert_eq!(tripped(&stage), [("drift", Scope::Venue(stage.venue(0)))]);
}

/// A fee that nobody tells, say: each time too little to be told from rounding.
#[test]
fn what_seeps_away_a_little_at_a_time_stops_its_venue_too() {
    let mut stage = under(|config| config.limits.max_drift = decimal("1"));
    let tell = |stage: &mut Stage, usdt: &str| {
        stage.now += Duration::from_secs(5);
        accounts::answer(stage, usdt, "50");
        tripped(stage).into_iter().map(|(rule, _)| rule).collect::<Vec<_>>()
    };
    let none: Vec<&str> = vec![];
    assert_eq!(tell(&mut stage, "5000.9"), none);
    for usdt in ["5000.5", "5000.1", "5000.4", "4999.9"] {
        assert_eq!(tell(&mut stage, usdt), none, "{usdt}: a gain makes up for no loss that comes later");
    }
    assert_eq!(tell(&mut stage, "4999.8"), ["drift_sum"], "0.8, less 0.3, and 0.5 and 0.1 on top");
    stage.feed(Event::Acknowledge);
    assert_eq!(tell(&mut stage, "4998.9"), none, "counted anew");
    assert_eq!(tell(&mut stage, "4998.7"), ["drift_sum"]);
}

/// R27: what would be opened meanwhile may meet with the same, and an answer may take ten seconds not to come.
#[test]
fn an_order_that_nothing_is_heard_of_counts_as_unknown_before_its_answer_fails() {
    let mut stage = under(|config| config.limits.stop_unknown = 1);
    let orders = stage.cross();
    stage.pass(1_900);
    assert_eq!((stage.view().unknown, tripped(&stage)), (0, vec![]));
    stage.pass(200);
    let both = [0, 1].map(|index| ("venue_unknown", Scope::Venue(stage.venue(index))));
    assert_eq!((stage.view().unknown, tripped(&stage)), (1, both.to_vec()));
    for order in &orders {
        stage.report(order, OrderStatus::Canceled, "0");
    }
    assert_eq!((stage.view().unknown, stage.ended(Ending::NoneFilled)), (0, 1));
}

#[test]
fn surprising_fees_and_naked_legs_stop_the_symbol() {
    let mut stage = under(|config| {
        config.limits.max_fee_surprise = Bps::from_bps(1);
        config.limits.max_naked_notional = decimal("400");
        config.settle = Duration::ZERO;
    });
    for _ in 0..3 {
        let [buy, sell]: [OrderRequest; 2] = crossing(&mut stage).try_into().expect("two orders");
        // Five basis points were expected at venue a, seven are charged.
        stage.fill(&buy, "100.10", "5", ("0.35035", "USDT"));
        stage.fill(&sell, "101", "5", ("0.505", "USDT"));
        stage.now += Duration::from_secs(1);
    }
    assert_eq!(tripped(&stage), [("fee_surprise", Scope::Symbol(SYMBOL))]);
    assert_eq!(crossing(&mut stage), []);
    stage.now += Duration::from_secs(60);
    let [buy, sell]: [OrderRequest; 2] = crossing(&mut stage).try_into().expect("the pause is over");
    stage.report(&sell, OrderStatus::Canceled, "0");
    stage.fill(&buy, "100.10", "5", ("0.25025", "USDT"));
    assert_eq!(tripped(&stage), [("naked", Scope::Symbol(SYMBOL))], "500 stand alone");
}

#[test]
fn too_much_value_at_one_venue_is_not_added_to() {
    let mut stage = under(|config| config.limits.max_venue_equity = decimal("9999"));
    // 5000 USDT and 50 BTC at 100, from the moment the account is known.
    assert_eq!(crossing(&mut stage), []);
    let mut stage = under(|config| config.limits.max_venue_equity = decimal("10100"));
    stage.pass(1_000);
    assert_eq!(crossing(&mut stage).len(), 2);
}

#[test]
fn the_one_attempt_after_a_breakers_pause_is_as_small_as_can_be() {
    let mut stage = under(|config| {
        config.limits.max_symbol_failures = 1;
        config.limits.failure_window = Duration::from_secs(600);
    });
    let [buy, sell] = stage.cross();
    assert_eq!(qty(&buy), Qty(500_000));
    stage.report(&buy, OrderStatus::Canceled, "0");
    stage.report(&sell, OrderStatus::Canceled, "0");
    assert_eq!(stage.ended(Ending::NoneFilled), 1);
    stage.now += Duration::from_secs(61);
    let [buy, sell] = stage.cross();
    // The least is worth 1: 0.01 at 100.10, and one lot more.
    assert_eq!((qty(&buy), qty(&sell)), (Qty(1_100), Qty(1_100)));
    stage.fill(&buy, "100.10", "0.011", ("0.0005", "USDT"));
    stage.fill(&sell, "101", "0.011", ("0.001", "USDT"));
    stage.report(&buy, OrderStatus::Filled, "0.011");
    stage.report(&sell, OrderStatus::Filled, "0.011");
    assert_eq!(stage.ended(Ending::BothFilled), 1);
    assert_eq!(qty(&stage.cross()[0]), Qty(500_000), "it went well: all that is bid again");
}

#[test]
fn slow_answers_and_lost_ones_reach_the_gate() {
    let mut stage = under(|config| config.limits.max_answer = Duration::from_secs(2));
    let [buy, sell] = stage.cross();
    stage.now += Duration::from_millis(2_001);
    for order in [buy, sell] {
        let (client_id, order_id) = (order.client_id, order_id(&order));
        stage.feed(Event::Placed { client_id, order_id, order: None });
    }
    assert_eq!(tripped(&stage), [], "one slow answer of each venue");
    let [buy, _] = {
        stage.report(&buy, OrderStatus::Canceled, "0");
        stage.report(&sell, OrderStatus::Canceled, "0");
        stage.now += Duration::from_secs(11);
        stage.cross()
    };
    stage.now += Duration::from_millis(2_001);
    stage.feed(Event::PlaceFailed { client_id: buy.client_id, outcome: CallOutcome::Refused });
    assert_eq!(tripped(&stage), [("latency", Scope::Venue(stage.venue(0)))]);
}

#[test]
fn books_are_compared_with_the_exchanges_own_in_time_and_not_traded_on_when_they_are_not() {
    let mut stage = under(|config| {
        config.limits.max_audit_age = Duration::from_secs(100);
        config.watch = patient();
    });
    let asked = |commands: &[Command]| -> Vec<VenueId> {
        commands
            .iter()
            .filter_map(|command| match command {
                Command::FetchBook { venue, .. } => Some(*venue),
                _other => None,
            })
            .collect()
    };
    assert_eq!(asked(&stage.pass(49_000)), []);
    // It is looked two seconds after the last look.
    let commands = stage.pass(2_000);
    assert_eq!(asked(&commands), [stage.venue(0), stage.venue(1)]);
    assert!(stage.engine.book(stage.venue(0), SYMBOL).is_some(), "it stays usable");
    let asked_at = stage.now;
    stage.answer_book(0, asked_at);
    // Venue b does not answer: its book may be traded on for as long again.
    stage.now += Duration::from_secs(40);
    let [buy, sell] = crossing(&mut stage).try_into().expect("two orders");
    stage.report(&buy, OrderStatus::Canceled, "0");
    stage.report(&sell, OrderStatus::Canceled, "0");
    stage.now += Duration::from_secs(20);
    let cross = |stage: &mut Stage, bid| {
        stage.now += Duration::from_millis(100);
        stage.delta(0, &[], &[]);
        placed(stage.delta(1, &[level(bid, 5_000)], &[]))
    };
    assert_eq!(cross(&mut stage, 10_101), vec![], "not compared for too long");
    let (venue, seq, exchange_ts) = (stage.venue(1), stage.seq[1], stage.now);
    let (bids, asks) =
        ([level(10_101, 5_000), level(10_100, 5_000), level(10_000, 10_000)], [level(10_110, 9_000)]);
    let symbol = SYMBOL;
    let answered =
        stage.feed(Event::Book { venue, symbol, asked_at, seq, exchange_ts, bids: &bids, asks: &asks });
    assert_eq!(placed(answered).len() + cross(&mut stage, 10_102).len(), 2, "it is what it should be");
    assert_eq!(tripped(&stage), []);
}

#[test]
fn a_book_that_was_not_the_exchanges_is_put_right_and_its_symbol_left_alone() {
    let mut stage = under(|config| {
        config.limits.max_audit_age = Duration::from_secs(100);
        config.limits.quarantine = Duration::from_secs(600);
        config.watch = patient();
    });
    stage.pass(50_000);
    let (venue, seq, asked_at) = (stage.venue(0), stage.seq[0], stage.now);
    let (bids, asks) = ([level(10_000, 10_000)], [level(10_010, 9_000)]);
    let (symbol, exchange_ts) = (SYMBOL, stage.now);
    stage.feed(Event::Book { venue, symbol, asked_at, seq, exchange_ts, bids: &bids, asks: &asks });
    assert_eq!(tripped(&stage), [("audit", Scope::Symbol(SYMBOL))], "nine are asked where ten should be");
    let book = stage.engine.book(venue, SYMBOL).expect("usable");
    assert_eq!(book.best_ask().map(|level| level.qty), Some(Qty(900_000)));
}

/// Three books of venue a, asked for one at a time: they are due to be compared at once, and the last in the line is lost while it waits.
#[test]
fn a_book_that_is_lost_while_it_waits_to_be_compared_is_asked_for_next() {
    let (mut config, mut setups) = setups();
    config.watch = patient();
    config.max_snapshots = 1;
    let venue = setups[0].venue;
    let of =
        |id| Market::new(venue, SymbolId(id), info(), Scale::new(2, 5).expect("fits")).expect("rules fit");
    setups[0].markets = Arc::new(Markets::new((0..3).map(of).collect()));
    let engine = Engine::new(config, &setups, 1);
    let now = Timestamp::from_secs(1_000);
    let mut stage = Stage { engine, out: Commands::default(), now, seq: [10; 3], ahead: [0; 3], trades: 0 };
    let frame = |stage: &mut Stage, symbol, seq| {
        let none = LevelRange { start: 0, end: 0 };
        let update = BookUpdate {
            symbol,
            kind: UpdateKind::Delta,
            first_seq: seq,
            last_seq: seq,
            exchange_ts: stage.now,
            bids: none,
            asks: none,
        };
        stage.feed(Event::Market { venue, event: &MarketEvent::Book(update), levels: &[] })
    };
    let asked = |commands: &[Command]| {
        commands.iter().find_map(|command| match command {
            Command::FetchBook { symbol, .. } => Some(symbol.0),
            _other => None,
        })
    };
    let answer = |stage: &mut Stage, symbol, seq| {
        let (bids, asks) = ([level(10_000, 10_000)], [level(10_010, 10_000)]);
        let (asked_at, exchange_ts) = (stage.now, stage.now);
        stage.feed(Event::Book { venue, symbol, asked_at, seq, exchange_ts, bids: &bids, asks: &asks })
    };
    for symbol in (0..3).map(SymbolId) {
        let stream = StreamKind::Book;
        let event = LinkEvent::Subscribed { symbol: Some(symbol), stream };
        stage.feed(Event::Link { venue, event, symbols: &[symbol] });
        assert_eq!(asked(&frame(&mut stage, symbol, 11)), Some(symbol.0));
        answer(&mut stage, symbol, 11);
        assert!(stage.engine.book(venue, symbol).is_some());
    }
    let first = (0..600).find_map(|_| asked(&stage.pass(1_000)));
    assert_eq!(first, Some(0), "all are due");
    let last = SymbolId(2);
    assert_eq!(asked(&frame(&mut stage, last, 13)), None, "one at a time");
    assert!(stage.engine.book(venue, last).is_none(), "a frame is missing");
    assert_eq!(
        asked(&answer(&mut stage, SymbolId(0), 11)),
        Some(2),
        "the other one is there still, and can wait"
    );
    assert_eq!(asked(&answer(&mut stage, last, 13)), Some(1));
    assert!(stage.engine.book(venue, last).is_some());
    assert_eq!(asked(&answer(&mut stage, SymbolId(1), 11)), None, "each is asked for once");
}
