use super::*;
use cex_core::{
    Bps, ClientOrderId, Leg as PlanLeg, Notional, Plan, Price, Qty, Scale, Symbol, SymbolId, VenueId,
};
use cex_journal::messages::{Side, Status, Told};
use cex_journal::record;
use cex_risk::{Approved, BookFacts, Conditions, OrderResult};
use std::time::Duration;

fn leg(venue: &str, client_id: &str, side: Side) -> messages::Leg {
    messages::Leg {
        venue: venue.to_owned(),
        client_id: client_id.to_owned(),
        side: side.into(),
        price: 10_000,
        price_dp: 2,
        qty: 2_000,
        qty_dp: 3,
        notional: "200".to_owned(),
        ..messages::Leg::default()
    }
}

/// Buys 2 at 100 on mexc, sells them on gateio.
fn intent(ids: [&str; 2]) -> Entry {
    Entry::Intent(messages::Intent {
        symbol: "BTC/USDT".to_owned(),
        legs: vec![leg("mexc", ids[0], Side::Buy), leg("gateio", ids[1], Side::Sell)],
        purpose: "open".to_owned(),
        ..messages::Intent::default()
    })
}

fn closing(parent: &str, client_id: &str) -> Entry {
    Entry::Intent(messages::Intent {
        symbol: "BTC/USDT".to_owned(),
        legs: vec![leg("mexc", client_id, Side::Sell)],
        purpose: "unwind".to_owned(),
        parent: parent.to_owned(),
        ..messages::Intent::default()
    })
}

fn fill(client_id: &str, venue: &str, trade: &str, side: Side, qty: &str) -> Entry {
    Entry::Fill(messages::Fill {
        venue: venue.to_owned(),
        symbol: "BTC/USDT".to_owned(),
        trade_id: trade.to_owned(),
        order_id: format!("o-{client_id}"),
        client_id: client_id.to_owned(),
        side: side.into(),
        price: "100".to_owned(),
        qty: qty.to_owned(),
        fees: vec![messages::Fee { amount: "0.1".to_owned(), asset: "USDT".to_owned() }],
        ..messages::Fill::default()
    })
}

fn ended(client_id: &str, filled: &str) -> Entry {
    Entry::OrderEvent(messages::OrderEvent {
        client_id: client_id.to_owned(),
        venue: if client_id == "s" { "gateio" } else { "mexc" }.to_owned(),
        order_id: format!("o-{client_id}"),
        status: Status::Filled.into(),
        filled_qty: filled.to_owned(),
        ..messages::OrderEvent::default()
    })
}

fn end(name: &str, ending: &str, realised: &str) -> Entry {
    Entry::ArbitrageEnd(messages::ArbitrageEnd {
        name: name.to_owned(),
        symbol: "BTC/USDT".to_owned(),
        ending: ending.to_owned(),
        realised: realised.to_owned(),
        base_change: "0".to_owned(),
        mark: "100".to_owned(),
        left_over: "0".to_owned(),
        ..messages::ArbitrageEnd::default()
    })
}

fn session(mode: Mode) -> Entry {
    Entry::SessionStart(messages::SessionStart { mode: mode.into(), ..Default::default() })
}

fn read(entries: &[Entry]) -> Past {
    let mut past = Past::default();
    for (seq, entry) in (1..).zip(entries) {
        past.take_in(seq, Timestamp::from_secs(1_000), entry);
    }
    past
}

fn undecided(past: &Past) -> Vec<&str> {
    let orders = past.cycles().values().flat_map(|cycle| &cycle.orders);
    orders.filter(|order| !order.is_settled()).map(|order| order.leg.client_id.as_str()).collect()
}

fn residual(past: &Past, name: &str) -> String {
    past.cycles()[name].residual().expect("fits").to_string()
}

#[test]
fn an_order_is_over_when_its_end_and_all_its_fills_are_there() {
    let mut entries = vec![intent(["b", "s"])];
    assert_eq!(undecided(&read(&entries)), ["b", "s"], "nothing was heard of either");
    entries.push(ended("b", "2"));
    assert_eq!(undecided(&read(&entries)), ["b", "s"], "its fills are missing");
    entries.push(fill("b", "mexc", "1", Side::Buy, "1"));
    entries.push(fill("b", "mexc", "1", Side::Buy, "1"));
    assert_eq!(undecided(&read(&entries)), ["b", "s"], "told twice is once");
    entries.push(fill("b", "mexc", "2", Side::Buy, "1"));
    assert_eq!(undecided(&read(&entries)), ["s"]);
    assert_eq!(residual(&read(&entries), "b"), "2");
    entries.extend([ended("s", "2"), fill("s", "gateio", "1", Side::Sell, "2")]);
    assert_eq!(undecided(&read(&entries)), Vec::<&str>::new());
    assert_eq!(residual(&read(&entries), "b"), "0");
    assert_eq!(read(&entries).cycles().len(), 1, "its end is to be told yet");
    entries.push(end("b", "both_filled", "0"));
    assert_eq!(read(&entries).cycles().len(), 0);
}

#[test]
fn a_closing_order_belongs_to_its_arbitrage_and_a_fill_without_a_name_to_its_order() {
    let past = read(&[
        intent(["b", "s"]),
        fill("b", "mexc", "1", Side::Buy, "2"),
        closing("b", "c"),
        match fill("c", "mexc", "2", Side::Sell, "1.5") {
            Entry::Fill(told) => Entry::Fill(messages::Fill { client_id: String::new(), ..told }),
            other => other,
        },
        ended("c", "1.5"),
    ]);
    assert_eq!(residual(&past, "b"), "0.5");
    assert_eq!(undecided(&past), ["b", "s"], "the closing order is known to its end");
    let (quote, base) = past.cycles()["b"].changes().expect("fits");
    assert_eq!((quote.to_string().as_str(), base.to_string().as_str()), ("-50.2", "0.5"));
}

#[test]
fn an_operator_settles_what_earlier_runs_left_and_not_what_a_running_one_does() {
    let ack = Entry::OperatorAck(messages::OperatorAck::default());
    let open = vec![session(Mode::Live), intent(["b", "s"]), fill("b", "mexc", "1", Side::Buy, "1")];
    let running = read(&[open.clone(), vec![ack.clone()]].concat());
    assert!(!running.cycles()["b"].acknowledged, "the run looks after it itself");
    let watching = read(&[open.clone(), vec![session(Mode::Observe), ack.clone()]].concat());
    assert!(
        !watching.cycles()["b"].acknowledged,
        "nobody was told of it: the next run that trades looks after it"
    );
    let looked = read(&[open, vec![session(Mode::Unspecified), ack]].concat());
    assert!(looked.cycles()["b"].acknowledged);
    assert_eq!(looked.undecided(), 2, "its orders are still asked for: their fills belong into the journal");
}

#[test]
fn a_session_that_ends_with_another_state_than_its_records_give_is_noticed() {
    let mut entries = vec![session(Mode::Live), intent(["b", "s"]), end("b", "unwound", "-1.5")];
    let state = read(&entries).state(Timestamp::from_secs(1_000)).expect("fits");
    assert_eq!(
        state, "day -1.5 hour -1.5 total -1.5 peak 0 orders 2 notional 400 dust 0 unfinished 0",
        "the form is the journal's"
    );
    let ends = |state: &str| {
        Entry::SessionEnd(messages::SessionEnd { state_hash: state_hash(state), ..Default::default() })
    };
    entries.push(ends(&state));
    assert_eq!(read(&entries).contradiction(), None);
    entries.push(ends(&state.replace("-1.5", "1.5")));
    assert_eq!(read(&entries).contradiction().map(|found| found.seq), Some(5));
}

#[test]
fn what_is_older_than_two_days_counts_in_the_sums_only() {
    let mut past = Past::default();
    let day = |day: i64| Timestamp::from_secs(day * 86_400 + 10);
    past.take_in(1, day(1), &intent(["b", "s"]));
    past.take_in(2, day(1), &end("b", "both_filled", "7"));
    past.take_in(3, day(2), &intent(["c", "t"]));
    let dust = match end("c", "dust", "-2") {
        Entry::ArbitrageEnd(end) => messages::ArbitrageEnd { base_change: "-0.03".to_owned(), ..end },
        other => panic!("an end, not {other:?}"),
    };
    past.take_in(4, day(2), &Entry::ArbitrageEnd(dust));
    past.take_in(5, day(9), &intent(["d", "u"]));
    past.take_in(6, day(9), &end("d", "withheld", "0"));
    let standing = past.standing(day(9)).expect("fits");
    assert_eq!((standing.total.to_string(), standing.peak.to_string()), ("5".to_owned(), "7".to_owned()));
    assert_eq!(standing.dust.to_string(), "3", "until somebody has looked");
    assert_eq!(
        (standing.day_profit, standing.orders_today),
        (Decimal::ZERO, 0),
        "what never left does not count"
    );
    let swept = match end("e", "swept", "-0.1") {
        Entry::ArbitrageEnd(end) => messages::ArbitrageEnd { base_change: "0.02".to_owned(), ..end },
        other => panic!("an end, not {other:?}"),
    };
    past.take_in(7, day(9), &Entry::ArbitrageEnd(swept));
    assert_eq!(past.standing(day(9)).expect("fits").dust.to_string(), "1", "some of it was bought back");
    past.take_in(8, day(9), &Entry::OperatorAck(messages::OperatorAck::default()));
    assert_eq!(past.standing(day(9)).expect("fits").dust, Decimal::ZERO);
    // The highest profit is counted anew, while the acknowledgement is told and when it is in the sums.
    for later in [9, 20] {
        past.take_in(9, day(later), &end("f", "withheld", "0"));
        let Standing { total, peak, dust, .. } = past.standing(day(later)).expect("fits");
        assert_eq!([total, peak, dust].map(|sum| sum.to_string()), ["4.9", "4.9", "0"], "day {later}");
    }
}

#[test]
fn what_is_open_is_what_was_received_and_a_flattening_cut_short_is_gone_on_with() {
    let in_base = |entry: Entry| match entry {
        Entry::Fill(told) => {
            let fees = vec![messages::Fee { amount: "0.002".to_owned(), asset: "BTC".to_owned() }];
            Entry::Fill(messages::Fill { fees, ..told })
        }
        other => other,
    };
    let past = read(&[intent(["b", "s"]), in_base(fill("b", "mexc", "1", Side::Buy, "2")), ended("b", "2")]);
    assert_eq!(residual(&past, "b"), "1.998");
    let both = read(&[
        intent(["b", "s"]),
        in_base(fill("b", "mexc", "1", Side::Buy, "2")),
        ended("b", "2"),
        fill("s", "gateio", "1", Side::Sell, "2"),
        ended("s", "2"),
    ]);
    let end = both.cycles()["b"].end("b", ten_bps).expect("fits");
    assert_eq!((end.ending.as_str(), end.base_change.as_str()), ("both_filled", "-0.002"));
    // Of 0.5 that were left over, 0.2 were sold when the run ended.
    let carried = match closing("c", "c") {
        Entry::Intent(told) => Entry::Intent(messages::Intent { carried: "0.5".to_owned(), ..told }),
        other => other,
    };
    let past = read(&[carried, fill("c", "mexc", "2", Side::Sell, "0.2"), ended("c", "0.2")]);
    let end = past.cycles()["c"].end("c", ten_bps).expect("fits");
    assert_eq!(
        (end.ending.as_str(), end.base_change.as_str()),
        ("swept", "-0.2"),
        "0.3 are left over as before"
    );
}

/// R25, R30: what a journal tells of a venue is what was counted of it.
#[test]
fn what_orders_told_of_a_venue_is_told_to_the_next_run() {
    let note = |venue: &str, told: Told, took_ns: u64, fee_excess_e8: Option<i64>| {
        Entry::VenueNote(messages::VenueNote {
            venue: venue.to_owned(),
            symbol: "BTC/USDT".to_owned(),
            client_id: "b".to_owned(),
            told: told.into(),
            took_ns,
            fee_excess_e8,
        })
    };
    let at = Timestamp::from_secs(1_000);
    let past = read(&[
        intent(["b", "s"]),
        note("mexc", Told::Answered, 2_500_000, None),
        note("mexc", Told::Lost, 0, None),
        note("mexc", Told::Worked, 0, Some(30_000)),
        note("mexc", Told::Failed, 0, None),
        note("elsewhere", Told::Failed, 0, None),
        note("mexc", Told::Unspecified, 0, None),
    ]);
    let (venue, symbol) = (VenueId::new(0, "mexc").expect("short"), SymbolId(0));
    let [mut told, mut direct] = [(); 2].map(|()| Gate::new(Limits::boundless()));
    let mut names = Traded::new([("BTC/USDT".to_owned(), symbol)], [venue]);
    past.history().tell(&mut told.recall(), &mut names).expect("fits");
    let (mut recall, order) = (direct.recall(), ClientOrderId::new("b").expect("plain"));
    recall.answered(at, venue, Some(Duration::from_micros(2_500)));
    recall.answered(at, venue, None);
    recall.order_ended(at, venue, order, OrderResult::Worked);
    recall.charged(at, symbol, venue, Bps::from_bps(3));
    recall.order_ended(at, venue, order, OrderResult::Failed);
    drop(recall);
    assert_eq!(told.counts(), direct.counts());
    assert_ne!(told.counts(), Gate::new(Limits::boundless()).counts());
}

fn ten_bps(_: &str) -> Bps {
    Bps::from_bps(10)
}

#[test]
fn fees_in_a_third_coin_count_at_their_worst_and_are_listed_by_coin() {
    let in_coins = |entry: Entry, fees: &[(&str, &str)]| match entry {
        Entry::Fill(told) => {
            let row = |(amount, asset): &(&str, &str)| messages::Fee {
                amount: (*amount).to_owned(),
                asset: (*asset).to_owned(),
            };
            Entry::Fill(messages::Fill { fees: fees.iter().map(row).collect(), ..told })
        }
        other => other,
    };
    let past = read(&[
        intent(["b", "s"]),
        in_coins(fill("b", "mexc", "1", Side::Buy, "2"), &[("0.05", "MX"), ("0.01", "USDT")]),
        ended("b", "2"),
        in_coins(fill("s", "gateio", "1", Side::Sell, "2"), &[("0.3", "GT"), ("0.02", "MX")]),
        ended("s", "2"),
    ]);
    let cycle = &past.cycles()["b"];
    let (quote, base) = cycle.changes().expect("fits");
    let end = cycle.end("b", ten_bps).expect("fits");
    let listed: Vec<_> = end.other_fees.iter().map(|fee| (fee.asset.as_str(), fee.amount.as_str())).collect();
    assert_eq!(listed, [("GT", "0.3"), ("MX", "0.07")]);
    // Two fills of 2 at 100, ten basis points of each, of which a cent was taken in quote.
    assert_eq!((end.other_fee.as_str(), base), ("0.39", Decimal::ZERO));
    assert_eq!(end.realised, quote.checked_sub(Decimal::new(39, 2)).expect("fits").to_string());
}

const AT: Timestamp = Timestamp::from_secs(1_700_000_000);

/// What counts for the day when an opening is decided must be what reading its record gives, or no later run begins.
#[test]
fn a_sale_that_sweeps_two_levels_counts_the_same_when_it_is_read_again() {
    let (symbol, scale) = ("BTC/USDT".parse::<Symbol>().expect("symbol"), Scale::new(2, 3).expect("fits"));
    let venue = |index, name| VenueId::new(index, name).expect("short");
    let plan_leg = |venue, side, notional| PlanLeg {
        venue,
        side,
        limit: Price(10_000),
        qty: Qty(2_000),
        notional,
        fee: Bps::ZERO,
    };
    let worst = Price(10_000).times(Qty(2_000));
    let plan = Plan {
        symbol: SymbolId(0),
        buy: plan_leg(venue(0, "mexc"), cex_core::Side::Buy, Notional(worst.0 - 7)),
        sell: plan_leg(venue(1, "gateio"), cex_core::Side::Sell, Notional(worst.0 + 12_345)),
        expected: Decimal::ONE,
        net_edge: Bps::from_bps(10),
    };
    let mut gate = Gate::new(Limits::boundless());
    for (venue, asset) in [(plan.buy.venue, symbol.quote), (plan.sell.venue, symbol.base)] {
        gate.funds_mut().set_held(venue, asset, Decimal::from(1_000));
    }
    let (venue_lead, mid) = (Duration::ZERO, Price(10_000));
    let book = BookFacts { as_of: AT, venue_age: None, venue_lead, audit_age: None, mid };
    let conditions =
        Conditions { symbol, scale, buy_book: book, sell_book: book, expires_in: Duration::from_secs(1) };
    let ids = ["b", "s"].map(|id| ClientOrderId::new(id).expect("plain"));
    let (id, legs) = gate.approve(AT, &plan, &conditions, || ids).expect("within all limits");
    let legs = legs.map(Approved::into_inner);
    let mut intent = messages::Intent::default();
    record::intent(&mut intent, id.0, &symbol, scale, &plan, [&legs[0], &legs[1]]);
    let mut past = Past::default();
    past.take_in(1, AT, &Entry::SessionStart(messages::SessionStart::default()));
    past.take_in(2, AT, &Entry::Intent(intent));
    let read = past.standing(AT).expect("fits");
    assert_eq!(read, gate.standing(AT));
    assert_eq!(read.notional_today.to_string(), "400.12345");
}

#[test]
fn an_operator_who_has_looked_at_a_contradiction_lets_the_next_run_begin() {
    let wrong =
        |seq| (seq, Entry::SessionEnd(messages::SessionEnd { state_hash: vec![1], ..Default::default() }));
    let mut past = Past::default();
    let unlooked =
        |past: &Past| past.contradiction().filter(|found| !found.acknowledged).map(|found| found.seq);
    let (seq, entry) = wrong(1);
    past.take_in(seq, AT, &entry);
    assert_eq!(unlooked(&past), Some(1));
    past.take_in(2, AT, &Entry::OperatorAck(messages::OperatorAck::default()));
    assert_eq!(unlooked(&past), None);
    assert!(past.contradiction().is_some(), "it is told all the same");
    let (seq, entry) = wrong(3);
    past.take_in(seq, AT, &entry);
    assert_eq!(unlooked(&past), Some(3), "the next one must be looked at too");
}

/// A session of another run of the machine follows one that did not end; the start of `arb resume` itself may be the first to.
#[test]
fn an_acknowledgement_is_of_a_loss_of_power_only_when_a_start_has_told_of_it() {
    let start = |mode: Mode, boot: &str| {
        Entry::SessionStart(messages::SessionStart {
            mode: mode.into(),
            seed: boot.bytes().map(u64::from).sum(),
            boot: boot.to_owned(),
            ..Default::default()
        })
    };
    let ack = Entry::OperatorAck(messages::OperatorAck::default());
    let over = Entry::SessionEnd(messages::SessionEnd::default());
    let mut entries = vec![
        start(Mode::Live, "a"),
        Entry::Halt(messages::Halt::default()),
        start(Mode::Unspecified, "b"),
        ack.clone(),
        over.clone(),
    ];
    let acknowledged = |entries: &[Entry]| read(entries).doubt().map(Doubt::is_acknowledged);
    assert_eq!(acknowledged(&entries), Some(false), "it was of the halt");
    let unsought = Entry::PastUnsought(messages::PastUnsought::default());
    entries.extend([start(Mode::Live, "b"), unsought, over.clone()]);
    assert_eq!(acknowledged(&entries), Some(false), "nobody has looked yet");
    entries.extend([start(Mode::Unspecified, "b"), ack, over]);
    assert_eq!(acknowledged(&entries), Some(true));
    entries.extend([start(Mode::Live, "b"), start(Mode::Live, "c")]);
    assert_eq!(acknowledged(&entries), Some(false), "the power was lost again");
}

/// Who only looks between a crash and the next start sees an account that has what the start then finds.
#[test]
fn a_fill_that_is_found_counts_once_whatever_a_session_that_only_looks_has_read() {
    let balance = |free: &str| {
        Entry::Balance(messages::Balance {
            venue: "mexc".to_owned(),
            asset: "BTC".to_owned(),
            free: free.to_owned(),
            locked: "0".to_owned(),
            source: messages::Source::Answer.into(),
            ..Default::default()
        })
    };
    let over = Entry::SessionEnd(messages::SessionEnd::default());
    let mut entries = vec![
        session(Mode::Live),
        balance("5"),
        over,
        session(Mode::Observe),
        balance("6"),
        session(Mode::Live),
        fill("b", "mexc", "1", Side::Buy, "1"),
    ];
    let held = |entries: &[Entry]| read(entries).held("mexc", "BTC".parse().expect("a coin"));
    assert_eq!(held(&entries), Some(Decimal::from(6)));
    // The power went in the middle of what the next one held.
    entries.extend([session(Mode::Live), balance("9"), session(Mode::Live)]);
    assert_eq!(held(&entries), Some(Decimal::from(6)));
    // And again, and what it took is found before anything of the next one is read.
    entries.push(balance("9"));
    let mut past = read(&entries);
    past.begins(&messages::SessionStart { mode: Mode::Live.into(), ..Default::default() });
    past.take_in(99, Timestamp::from_secs(1_000), &fill("c", "mexc", "2", Side::Buy, "1"));
    assert_eq!(past.held("mexc", "BTC".parse().expect("a coin")), Some(Decimal::from(7)));
}
