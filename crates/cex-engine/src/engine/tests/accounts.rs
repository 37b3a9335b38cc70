//! Whose word counts on what an account holds: answers may be from the past.

use super::*;

/// What venue a is asked for; its answer comes at once, and says this.
pub(super) fn answer(stage: &mut Stage, usdt: &str, btc: &str) {
    let balance = |name: &str, free: &str| Balance {
        asset: asset(name),
        free: decimal(free),
        locked: Decimal::ZERO,
        as_of: Timestamp::EPOCH,
    };
    let (venue, asked_at) = (stage.venue(0), stage.now);
    let balances = [balance("USDT", usdt), balance("BTC", btc)];
    stage.feed(Event::AccountRead { venue, asked_at, balances: &balances });
}

/// What we hold at venue a: quote and base.
fn held(stage: &Stage) -> [String; 2] {
    ["USDT", "BTC"].map(|name| stage.engine.gate.funds().held(stage.venue(0), asset(name)).to_string())
}

fn is_ready(stage: &Stage) -> bool {
    stage.view().venues[0].account_ready
}

/// Whether venue a is asked for its account when this has passed.
fn is_asked(stage: &mut Stage, millis: u64) -> bool {
    let venue = stage.venue(0);
    let asks = |command: &Command| matches!(command, Command::ReadAccount { venue: of, .. } if *of == venue);
    stage.pass(millis).iter().any(asks)
}

/// Under the limits that are shipped, 5 bought at a for 100.10 and 5 sold at b, 1.5 s ago.
fn traded() -> Stage {
    let (mut config, setups) = setups();
    config.limits.max_drift = decimal("1");
    let mut stage = Stage::with(config, &setups);
    let [buy, sell] = stage.cross();
    stage.fill(&buy, "100.10", "5", ("0.25025", "USDT"));
    stage.fill(&sell, "101", "5", ("0.505", "USDT"));
    stage.report(&buy, OrderStatus::Filled, "5");
    stage.report(&sell, OrderStatus::Filled, "5");
    assert_eq!(stage.view().open, 0);
    stage.now += Duration::from_millis(1_500);
    stage
}

/// A start by whose records venue a holds so much, of which something moved 0.5 s ago; the account's stream is up.
fn started(records: Option<[&str; 2]>, moved: bool) -> Stage {
    let (config, setups) = setups();
    let (engine, now) = (Engine::new(config, &setups, 1), Timestamp::from_secs(1_000));
    let mut stage = Stage { engine, out: Commands::default(), now, seq: [10; 3], ahead: [0; 3], trades: 0 };
    let venue = stage.venue(0);
    let rows = |[usdt, btc]: [&str; 2]| {
        BTreeMap::from([(asset("USDT"), decimal(usdt)), (asset("BTC"), decimal(btc))])
    };
    let moved_at = moved.then(|| now - Duration::from_millis(500));
    stage.engine.recall_account(now, venue, records.map(rows), moved_at);
    stage.feed(Event::Link { venue, event: LinkEvent::AccountReady, symbols: &[] });
    stage
}

const LEDGER: [&str; 2] = ["4499.24975", "55"];

#[test]
fn an_answer_from_before_a_fill_undoes_it_not_and_is_no_drift() {
    let mut stage = traded();
    assert_eq!(held(&stage), LEDGER);
    for _ in 0..3 {
        answer(&mut stage, "5000", "50");
        assert_eq!(held(&stage), LEDGER, "that is what was held 1.5 s ago, and an exchange may lag 2 s");
        stage.now += Duration::from_millis(100);
    }
    assert_eq!(stage.view().trips, []);
    stage.now += Duration::from_secs(1);
    answer(&mut stage, "5000", "50");
    assert_eq!(held(&stage), LEDGER, "looked at twice: by now the fill must show");
    stage.now += Duration::from_secs(10);
    answer(&mut stage, "5000", "50");
    assert_eq!(held(&stage), ["5000", "50"]);
    let trips: Vec<_> = stage.view().trips.iter().map(|trip| trip.rule).collect();
    assert_eq!(trips, ["drift"]);
}

#[test]
fn what_was_held_at_no_moment_is_adopted_when_every_fill_must_show() {
    let mut stage = traded();
    // Less than the limit at no moment.
    answer(&mut stage, "4497", "55");
    assert_eq!(held(&stage), LEDGER);
    stage.now += Duration::from_millis(499);
    answer(&mut stage, "4497", "55");
    assert_eq!(held(&stage), LEDGER, "a millisecond less than the exchange may lag");
    stage.now += Duration::from_millis(1);
    answer(&mut stage, "4497", "55");
    assert_eq!(held(&stage), ["4497", "55"]);
}

#[test]
fn what_is_next_to_a_moment_is_adopted_with_what_filled_since() {
    for (told, adopted) in [
        (["4499.249750001", "55.000001"], ["4499.249750001", "55.000001"]),
        (["4499", "55"], ["4499", "55"]),
        // From before the fill, a fee that nobody told or interest beside it.
        (["5000.00001", "50"], ["4499.24976", "55"]),
        (["4999.2", "50"], ["4498.44975", "55"]),
    ] {
        let mut stage = traded();
        for _ in 0..3 {
            answer(&mut stage, told[0], told[1]);
            assert_eq!((held(&stage), stage.view().trips), (adopted.map(str::to_owned), vec![]), "{told:?}");
        }
    }
}

#[test]
fn small_differences_are_adopted_while_it_trades_and_never_add_up() {
    let mut stage = traded();
    let (mut usdt, mut btc) = (decimal("4499.24975"), 55);
    for _ in 0..10 {
        let [buy, sell] = stage.cross();
        assert_eq!(buy.venue, stage.venue(0));
        stage.fill(&buy, "100.10", "5", ("0.25025", "USDT"));
        stage.fill(&sell, "101", "5", ("0.505", "USDT"));
        stage.report(&buy, OrderStatus::Filled, "5");
        stage.report(&sell, OrderStatus::Filled, "5");
        stage.now += Duration::from_millis(1_500);
        // As it was before this fill, and 0.4 more.
        usdt = usdt.checked_add(decimal("0.4")).expect("fits");
        answer(&mut stage, &usdt.to_string(), &btc.to_string());
        usdt = usdt.checked_sub(decimal("500.75025")).expect("fits");
        btc += 5;
        assert_eq!(held(&stage), [usdt.to_string(), btc.to_string()]);
        if usdt < decimal("600") {
            break;
        }
    }
    assert_eq!(stage.view().trips, []);
}

#[test]
fn a_coin_that_is_not_traded_makes_no_answer_a_strange_one() {
    let mut stage = started(Some(LEDGER), true);
    let (venue, asked_at) = (stage.venue(0), stage.now);
    let balance = |name: &str, free: &str| Balance {
        asset: asset(name),
        free: decimal(free),
        locked: Decimal::ZERO,
        as_of: Timestamp::EPOCH,
    };
    let balances = [balance("USDT", LEDGER[0]), balance("BTC", LEDGER[1]), balance("POINT", "17")];
    stage.feed(Event::AccountRead { venue, asked_at, balances: &balances });
    assert_eq!((is_ready(&stage), held(&stage)), (true, LEDGER.map(str::to_owned)));
    assert_eq!(stage.engine.gate.funds().held(venue, asset("POINT")), decimal("17"));
}

#[test]
fn an_account_in_which_somebody_else_trades_all_the_time_is_ready_after_a_while() {
    let mut stage = started(None, false);
    let order = stage.purchase_by("theirs");
    let mut ready_at = None;
    for second in 1..10 {
        stage.fill(&order, "100.10", "5", ("0", "USDT"));
        stage.now += Duration::from_secs(1);
        answer(&mut stage, "5000", "50");
        ready_at = ready_at.or(is_ready(&stage).then_some(second));
    }
    assert_eq!(ready_at, Some(6), "three times what the exchange may lag");
}

#[test]
fn a_difference_beside_missing_fills_counts_as_drift() {
    let mut stage = traded();
    for trips in [0, 1] {
        answer(&mut stage, "4000", "50");
        assert_eq!((held(&stage), stage.view().trips.len()), (LEDGER.map(str::to_owned), trips));
    }
    stage.now += Duration::from_millis(500);
    answer(&mut stage, "4499", "55");
    assert_eq!(held(&stage), ["4499", "55"]);
}

#[test]
fn of_fills_heard_of_in_another_order_the_exchanges_is_what_it_shows() {
    let mut stage = traded();
    let [buy, sell] = stage.cross();
    assert_eq!(buy.venue, stage.venue(0));
    let first = Fill {
        trade_id: Text::new("first").expect("short"),
        ..stage.fill_event(&buy, "100.10", "2", ("0.1001", "USDT"))
    };
    stage.now += Duration::from_millis(5);
    let second = Fill {
        trade_id: Text::new("second").expect("short"),
        ..stage.fill_event(&buy, "100.10", "3", ("0.15015", "USDT"))
    };
    for fill in [second, first] {
        stage.feed(Event::Account { venue: fill.venue, event: &AccountEvent::Fill(fill) });
    }
    stage.fill(&sell, "101", "5", ("0.505", "USDT"));
    stage.report(&buy, OrderStatus::Filled, "5");
    stage.report(&sell, OrderStatus::Filled, "5");
    stage.now += Duration::from_millis(1_500);
    stage.feed(Event::Link { venue: stage.venue(0), event: LinkEvent::Down, symbols: &[] });
    stage.feed(Event::Link { venue: stage.venue(0), event: LinkEvent::AccountReady, symbols: &[] });
    let ours = held(&stage);
    assert_eq!(ours, ["3998.4995", "60"]);
    answer(&mut stage, "4198.89955", "58");
    assert!(!is_ready(&stage), "the exchange made the other one first");
    answer(&mut stage, "4298.94965", "57");
    assert_eq!((is_ready(&stage), held(&stage)), (true, ours));
}

#[test]
fn an_account_that_was_lost_is_ready_when_it_fits_or_every_fill_must_show() {
    let mut stage = traded();
    let venue = stage.venue(0);
    let lose = |stage: &mut Stage| {
        stage.feed(Event::Link { venue, event: LinkEvent::Down, symbols: &[] });
        stage.feed(Event::Link { venue, event: LinkEvent::AccountReady, symbols: &[] });
        assert!(!is_ready(stage));
    };
    for told in [LEDGER, ["5000", "50"]] {
        lose(&mut stage);
        answer(&mut stage, told[0], told[1]);
        assert_eq!((is_ready(&stage), held(&stage)), (true, LEDGER.map(str::to_owned)));
    }
    lose(&mut stage);
    answer(&mut stage, "4000", "55");
    assert_eq!((is_ready(&stage), held(&stage)), (false, LEDGER.map(str::to_owned)));
    assert!(is_asked(&mut stage, 1_000));
    answer(&mut stage, "4000", "55");
    assert_eq!((is_ready(&stage), held(&stage)), (true, ["4000", "55"].map(str::to_owned)));
    let trips: Vec<_> = stage.view().trips.iter().map(|trip| trip.rule).collect();
    assert_eq!(trips, ["drift"], "what moved while nobody listened is told");
}

#[test]
fn the_first_account_of_a_start_agrees_with_the_records_or_is_asked_for_again() {
    let mut stage = started(Some(LEDGER), true);
    answer(&mut stage, "5000", "50");
    assert!(!is_ready(&stage), "from before the last fill");
    assert!(!is_asked(&mut stage, 900) && is_asked(&mut stage, 100));
    answer(&mut stage, LEDGER[0], LEDGER[1]);
    assert_eq!((is_ready(&stage), held(&stage)), (true, LEDGER.map(str::to_owned)));

    let mut stage = started(Some(LEDGER), true);
    answer(&mut stage, LEDGER[0], LEDGER[1]);
    assert!(is_ready(&stage), "nobody waits when all agrees");

    let mut stage = started(Some(LEDGER), true);
    stage.now += Duration::from_millis(1_499);
    answer(&mut stage, "5000", "50");
    assert!(!is_ready(&stage));
    stage.now += Duration::from_millis(1);
    answer(&mut stage, "5000", "50");
    assert_eq!((is_ready(&stage), held(&stage)), (true, ["5000", "50"].map(str::to_owned)), "it was moved");

    let mut stage = started(Some(LEDGER), false);
    answer(&mut stage, "5000", "50");
    assert!(is_ready(&stage), "nothing moved lately");
}

#[test]
fn records_that_do_not_tell_what_is_held_tell_when_it_moved() {
    let mut stage = started(None, true);
    stage.now += Duration::from_millis(1_499);
    answer(&mut stage, "0", "0");
    assert!(!is_ready(&stage));
    stage.now += Duration::from_millis(1);
    answer(&mut stage, "5000", "50");
    assert_eq!((is_ready(&stage), held(&stage)), (true, ["5000", "50"].map(str::to_owned)));
    let mut stage = started(None, false);
    answer(&mut stage, "5000", "50");
    assert!(is_ready(&stage), "the first run there is");
}

#[test]
fn what_fills_before_the_first_account_is_added_to_the_records() {
    let mut stage = started(Some(["5000", "50"]), false);
    let order = stage.purchase_by("past");
    stage.fill(&order, "100.10", "5", ("0.25025", "USDT"));
    stage.now += Duration::from_secs(1);
    answer(&mut stage, "5000", "45");
    assert!(!is_ready(&stage));
    answer(&mut stage, "5000", "50");
    assert_eq!((is_ready(&stage), held(&stage)), (true, LEDGER.map(str::to_owned)), "from before it");
}

#[test]
fn a_coin_whose_books_are_lost_is_worth_what_it_last_was() {
    let (mut config, setups) = setups();
    config.limits.max_drift = decimal("1");
    let mut stage = Stage::with(config, &setups);
    stage.now += Duration::from_secs(2);
    for index in [0, 1] {
        stage.link(index, LinkEvent::Down);
    }
    assert_eq!(stage.engine.worth(asset("BTC")), decimal("100"));
    answer(&mut stage, "5000", "49");
    assert_eq!(held(&stage), ["5000", "50"], "a whole coin less is looked at twice");
    answer(&mut stage, "5000", "49");
    let trips: Vec<_> = stage.view().trips.iter().map(|trip| trip.rule).collect();
    assert_eq!((trips, held(&stage)), (vec!["drift"], ["5000", "49"].map(str::to_owned)));
}

#[test]
fn a_coin_that_never_had_a_price_is_looked_at_twice_too() {
    let mut stage = started(None, false);
    answer(&mut stage, "5000", "50");
    assert_eq!(held(&stage), ["5000", "50"], "there was nothing to compare the first with");
    stage.now += Duration::from_secs(10);
    answer(&mut stage, "5000", "49");
    assert_eq!(held(&stage), ["5000", "50"]);
    answer(&mut stage, "5000", "49");
    assert_eq!((held(&stage), stage.view().trips), (["5000", "49"].map(str::to_owned), vec![]));
    answer(&mut stage, "5000", "48.999999");
    assert_eq!(held(&stage), ["5000", "48.999999"], "rounding");
}

#[test]
fn what_somebody_else_filled_before_an_account_was_asked_for_is_in_it() {
    let mut stage = started(None, false);
    let order = stage.purchase_by("theirs");
    let theirs = stage.fill_event(&order, "100.10", "5", ("0.25025", "USDT"));
    stage.now += Duration::from_secs(1);
    assert!(!stage.engine.holds(&theirs), "no account was told yet");
    answer(&mut stage, "4499.24975", "55");
    assert!(is_ready(&stage) && stage.engine.holds(&theirs));
    let later = Fill { exchange_ts: stage.now + Duration::from_millis(1), ..theirs };
    assert!(!stage.engine.holds(&later), "made after the question");
    // By the exchange's clock, which is a second ahead.
    let venue = stage.venue(0);
    stage.feed(Event::Clock { venue, offset_nanos: Some(1_000_000_000) });
    assert!(stage.engine.holds(&later));
    stage.feed(Event::Account { venue, event: &AccountEvent::Fill(later) });
    assert!(stage.engine.holds(&Fill { exchange_ts: Timestamp::MAX, ..later }), "it was booked");
}

#[test]
fn what_we_filled_is_booked_whatever_an_account_shows() {
    let mut stage = traded();
    let [buy, _] = stage.cross();
    let fill = stage.fill_event(&buy, "100.10", "1", ("0.05005", "USDT"));
    stage.now += Duration::from_secs(20);
    assert!(!stage.engine.holds(&Fill { exchange_ts: Timestamp::EPOCH, ..fill }));
}

/// A person, or another program, may have orders of their own in the account.
#[test]
fn what_orders_of_others_lock_is_held_and_not_spent() {
    let mut stage = Stage::ready();
    stage.now += Duration::from_secs(5);
    let (venue, usdt, asked_at) = (stage.venue(0), asset("USDT"), stage.now);
    let balance = |name: &str, free: &str, locked: &str| Balance {
        asset: asset(name),
        free: decimal(free),
        locked: decimal(locked),
        as_of: Timestamp::EPOCH,
    };
    let read = |stage: &mut Stage, balances: &[Balance]| {
        stage.feed(Event::AccountRead { venue, asked_at, balances });
        let funds = stage.engine.gate.funds();
        (funds.held(venue, usdt), funds.free(venue, usdt).expect("small"))
    };
    let locked = [balance("USDT", "200", "4800"), balance("BTC", "50", "0")];
    assert_eq!(read(&mut stage, &locked), (decimal("5000"), decimal("200")), "no drift: it is all there");
    let [buy, sell] = stage.cross();
    assert!(buy.kind.qty() < Some(Qty(200_000)) && buy.kind.qty() == sell.kind.qty(), "{buy:?}");
    let mut stage = Stage::ready();
    stage.now += Duration::from_secs(5);
    read(&mut stage, &locked);
    let free = [balance("USDT", "5000", "0"), balance("BTC", "50", "0")];
    assert_eq!(read(&mut stage, &free), (decimal("5000"), decimal("5000")), "it is given back");
}

/// An answer soon after the end of an order, which was sent long before, may still show what it locked.
#[test]
fn what_an_order_of_ours_locked_until_now_is_not_taken_for_that_of_others() {
    let mut stage = Stage::ready();
    let orders = stage.cross();
    stage.now += Duration::from_secs(10);
    for order in &orders {
        stage.report(order, OrderStatus::Canceled, "0");
    }
    let (venue, usdt) = (stage.venue(0), asset("USDT"));
    let free_with_locked = |stage: &mut Stage| {
        let balance = |name: &str, free: &str, locked: &str| Balance {
            asset: asset(name),
            free: decimal(free),
            locked: decimal(locked),
            as_of: Timestamp::EPOCH,
        };
        let balances = [balance("USDT", "4499", "501"), balance("BTC", "50", "0")];
        stage.feed(Event::AccountRead { venue, asked_at: stage.now, balances: &balances });
        stage.engine.gate.funds().free(venue, usdt).expect("small")
    };
    stage.now += Duration::from_millis(1_999);
    assert_eq!(free_with_locked(&mut stage), decimal("5000"), "an exchange may lag 2 s");
    stage.now += Duration::from_millis(1);
    assert_eq!(free_with_locked(&mut stage), decimal("4499"), "whoever locked it, it was not us");
}

/// R32, W9: what an order filled whose fills came only after an operator had given it up is in the account that was asked for then.
#[test]
fn an_order_that_was_given_up_and_filled_is_held_once() {
    let (mut config, setups) = setups();
    config.limits.max_drift = decimal("1");
    let mut stage = Stage::with(config, &setups);
    let [buy, sell] = stage.cross();
    stage.fill(&sell, "101", "5", ("0.505", "USDT"));
    stage.report(&sell, OrderStatus::Filled, "5");
    stage.report(&buy, OrderStatus::Filled, "5");
    for _ in 0..130 {
        stage.pass(1_000);
    }
    assert!(stage.view().killed && is_ready(&stage), "its fills are nowhere");
    stage.feed(Event::Acknowledge);
    assert!(!is_ready(&stage), "what it spent may be gone: nothing is opened on it");
    assert!(is_asked(&mut stage, 50));
    let alarms = stage.view().totals.alarms;
    // What does not fit is looked at twice, and told.
    for _ in 0..2 {
        answer(&mut stage, LEDGER[0], LEDGER[1]);
        stage.now += Duration::from_secs(1);
    }
    assert!(is_ready(&stage));
    assert_eq!(held(&stage), LEDGER);
    assert_eq!(stage.view().trips.iter().map(|trip| trip.rule).collect::<Vec<_>>(), ["drift"]);
    stage.feed(Event::Acknowledge);
    for _ in 0..130 {
        stage.pass(1_000);
    }
    assert_eq!((stage.view().open, stage.view().totals.alarms), (1, alarms), "nobody is told of it again");
    let fill = stage.fill_event(&buy, "100.10", "5", ("0.25025", "USDT"));
    stage.feed(Event::FillsRead { client_id: buy.client_id, fills: &[fill] });
    assert_eq!(held(&stage), LEDGER, "the account has it already");
    assert_eq!((stage.view().open, stage.ended(Ending::BothFilled)), (0, 1));
    assert_eq!(stage.engine.contradiction(), None);
}

/// What stood open of an order that was given up was an operator's to even out: it is not traded once more.
#[test]
fn what_an_order_that_was_given_up_left_open_is_told_and_not_traded() {
    let mut stage = Stage::ready();
    let [buy, sell] = stage.cross();
    stage.fill(&sell, "101", "3", ("0.303", "USDT"));
    stage.report(&sell, OrderStatus::Canceled, "3");
    stage.report(&buy, OrderStatus::Filled, "5");
    for _ in 0..130 {
        stage.pass(1_000);
    }
    stage.feed(Event::Acknowledge);
    let fill = stage.fill_event(&buy, "100.10", "5", ("0.25025", "USDT"));
    let commands = stage.feed(Event::FillsRead { client_id: buy.client_id, fills: &[fill] });
    assert_eq!(placed(commands), vec![]);
    assert_eq!((stage.view().open, stage.ended(Ending::Parked)), (0, 1));
}

/// O1: coins that somebody moves while an order is lost keep its absence from ever being proven. Whoever was told, and has looked,
/// has seen to what it did: the run goes on without it.
#[test]
fn an_order_that_nobody_can_find_is_given_up_once_an_operator_has_looked() {
    let mut stage = Stage::ready();
    let [buy, sell] = stage.cross();
    stage.fill(&sell, "101", "5", ("0.505", "USDT"));
    stage.report(&sell, OrderStatus::Filled, "5");
    stage.feed(Event::PlaceFailed { client_id: buy.client_id, outcome: CallOutcome::Unknown });
    stage.feed(Event::Acknowledge);
    assert_eq!((stage.view().unknown, stage.view().open), (1, 1), "nobody was told of it yet");
    for _ in 0..130 {
        stage.pass(1_000);
    }
    assert!(stage.view().killed, "somebody must look");
    let commands = stage.feed(Event::Acknowledge);
    assert_eq!(placed(commands), vec![], "what stands open is theirs to even out");
    assert_eq!((stage.view().unknown, stage.view().open, stage.ended(Ending::Parked)), (0, 0, 1));
    let usdt = stage.engine.gate.funds().reserved(stage.venue(0), asset("USDT"));
    assert_eq!(usdt, Decimal::ZERO);
    assert!(!is_ready(&stage), "what it spent may be gone: nothing is opened on it");
    assert_eq!(stage.engine.contradiction(), None);
}

#[test]
fn both_orders_of_an_arbitrage_that_are_given_up_give_back_what_they_reserved() {
    let mut stage = Stage::ready();
    let orders = stage.cross();
    for order in &orders {
        stage.feed(Event::PlaceFailed { client_id: order.client_id, outcome: CallOutcome::Unknown });
    }
    for _ in 0..130 {
        stage.pass(1_000);
    }
    stage.feed(Event::Acknowledge);
    assert_eq!((stage.view().unknown, stage.view().open, stage.ended(Ending::NoneFilled)), (0, 0, 1));
    let busy = [0, 1].map(|index| stage.engine.gate.funds().is_busy(stage.venue(index)));
    assert_eq!((busy, stage.engine.contradiction()), ([false, false], None));
}

/// R32: orders that follow each other faster than an account has a quiet moment hide from it whatever else moves there.
#[test]
fn an_account_that_could_not_be_compared_for_a_minute_is_not_traded_on() {
    let mut stage = Stage::ready();
    let stranger = stage.purchase_by("by-hand");
    let began = stage.now;
    let busy = |stage: &mut Stage, secs: u64| {
        while stage.now.since(began) < Duration::from_secs(secs) {
            stage.fill(&stranger, "100.10", "0.001", ("0", "USDT"));
            for command in stage.pass(500) {
                if let Command::ReadAccount { venue, asked_at } = command {
                    stage.answer_account(venue.index(), asked_at);
                }
            }
        }
    };
    busy(&mut stage, 65);
    for order in stage.cross() {
        stage.report(&order, OrderStatus::Canceled, "0");
    }
    busy(&mut stage, 80);
    let crossing = |stage: &mut Stage, bid: i64| {
        let first = placed(stage.delta(1, &[level(bid, 5_000)], &[])).len();
        first + placed(stage.delta(0, &[], &[])).len()
    };
    assert_eq!(crossing(&mut stage, 10_101), 0, "nobody compared it for a minute");
    let mut asked = stage.pass(1_500);
    asked.retain(|command| matches!(command, Command::ReadAccount { venue, .. } if venue.index() == 0));
    assert_eq!(asked.len(), 1, "it is asked for at once, now that it is quiet");
    stage.answer_account(0, stage.now);
    assert_eq!(crossing(&mut stage, 10_100), 2);
}
