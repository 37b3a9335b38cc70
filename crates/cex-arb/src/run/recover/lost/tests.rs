use super::super::NotKnown;
use super::super::Turn;
use super::super::stage::{market, markets, recorder};
use super::*;
use crate::run::past::Past;
use cex_core::{ClientOrderId, Decimal, Fill, Liquidity, OrderId, Side, TradeId};
use cex_interface::Request;
use cex_journal::messages::{Mode, OperatorAck, PastUnsought, SessionEnd, SessionStart};

const NOW: Timestamp = Timestamp::from_secs(1_000);
const LOST: &str = "mqhw82kb-1b";

fn fill(venue: VenueId, client_id: &str, side: Side, qty: i64) -> Fill {
    Fill {
        venue,
        symbol: SymbolId(0),
        trade_id: TradeId::new("t").expect("short"),
        order_id: OrderId::new(client_id).expect("short"),
        client_id: ClientOrderId::new(client_id),
        side,
        price: Decimal::from(100),
        qty: Decimal::from(qty),
        fee: Decimal::ZERO,
        fee_asset: "USDT".parse().expect("an asset"),
        second_fee: None,
        liquidity: Liquidity::Taker,
        exchange_ts: NOW,
    }
}

/// A start after a loss of power, of which an earlier one told an operator who has looked since, or not.
fn unfinished(acknowledged: bool) -> Unfinished {
    let epoch = IdParts::of(LOST).expect("ours").epoch;
    let live = |seed, boot: &str| SessionStart {
        seed,
        mode: Mode::Live.into(),
        boot: boot.to_owned(),
        ..SessionStart::default()
    };
    let mut past = Past::default();
    past.take_in(1, NOW, &Entry::SessionStart(live(epoch, "before")));
    if acknowledged {
        let resume = SessionStart { boot: "now".to_owned(), ..SessionStart::default() };
        for entry in [
            Entry::SessionStart(live(epoch + 1, "now")),
            Entry::PastUnsought(PastUnsought::default()),
            Entry::SessionEnd(SessionEnd::default()),
            Entry::SessionStart(resume),
            Entry::OperatorAck(OperatorAck::default()),
            Entry::SessionEnd(SessionEnd::default()),
        ] {
            past.take_in(2, NOW, &entry);
        }
    }
    past.begins(&live(epoch + 2, "now"));
    Unfinished::new(past).expect("no contradiction")
}

/// Whether a start goes on when its searches come to this, and what it knows then.
fn after(acknowledged: bool, mexc: Sought, gateio: Sought) -> (bool, Unfinished) {
    let (place, markets) = (tempfile::tempdir().expect("a directory"), markets());
    let (mut recorder, mut unfinished) = (recorder(place.path(), NOW), unfinished(acknowledged));
    let all = markets.iter().map(|(venue, _)| (*venue, SymbolId(0))).zip([mexc, gateio]);
    let all = all.map(|((venue, symbol), sought)| (venue, symbol, sought)).collect();
    let goes_on = unfinished.sought(NOW, all, &markets, &mut recorder).is_ok();
    if goes_on {
        unfinished.proven(NOW, &mut recorder);
    }
    (goes_on, unfinished)
}

fn bought() -> Sought {
    Sought { fills: vec![fill(markets()[1].0, LOST, Side::Buy, 2)], whole: Ok(()) }
}

fn sold() -> Sought {
    Sought { fills: vec![fill(markets()[0].0, "mqhw82kb-2s", Side::Sell, 1)], whole: Ok(()) }
}

fn unread() -> Sought {
    Sought { fills: Vec::new(), whole: Err("busy".into()) }
}

#[test]
fn half_of_what_was_traded_is_written_down_only_as_an_operators() {
    let (goes_on, half) = after(false, unread(), bought());
    assert_eq!((goes_on, half.past.cycles().len()), (false, 0));
    assert!(half.past.doubt().is_some_and(|doubt| doubt.told), "only now an operator knows of it");
    let (goes_on, half) = after(true, unread(), bought());
    assert_eq!((goes_on, half.past.cycles().len(), half.past.unfinished()), (true, 1, 0));
    assert_eq!(half.past.undecided(), 1, "nobody knows what the other leg did");
    assert_eq!(half.past.doubt(), None, "no later start waits for what an operator has looked at");
}

#[test]
fn an_exchange_that_does_not_answer_is_nothing_to_look_at() {
    let (place, markets) = (tempfile::tempdir().expect("a directory"), markets());
    let (mut recorder, mut unfinished) = (recorder(place.path(), NOW), unfinished(false));
    let since = unfinished.past.doubt().expect("a loss of power").since;
    let silent = |venue| {
        (venue, SymbolId(0), Sought { fills: Vec::new(), whole: Err(NotKnown::not_yet("no answer")) })
    };
    let all = || vec![silent(markets[0].0), silent(markets[1].0)];
    let failure = unfinished.sought(since, all(), &markets, &mut recorder).expect_err("it is not known");
    assert_eq!(failure.exit, Exit::Unreachable);
    assert!(unfinished.past.doubt().is_some_and(|doubt| !doubt.told), "the next start asks again");
    let odd = (markets[1].0, SymbolId(0), unread());
    let all_of = vec![silent(markets[0].0), odd];
    let failure = unfinished.sought(since, all_of, &markets, &mut recorder).expect_err("it is not known");
    assert_eq!(failure.exit, Exit::Residual, "what somebody must look at waits for no exchange");
    let late = since + Duration::from_secs(1_801);
    let failure = unfinished.sought(late, all(), &markets, &mut recorder).expect_err("it is not known");
    assert_eq!(failure.exit, Exit::Residual, "nor does what is undecided for half an hour");
}

#[test]
fn what_does_not_fit_holds_a_start_until_an_operator_has_looked() {
    let too_much = || {
        let (mexc, price) = (markets()[0].0, Decimal::new(i128::MAX, 0));
        let odd = Fill { price, ..fill(mexc, "mqhw82kb-4s", Side::Sell, 3) };
        Sought { fills: vec![fill(mexc, "mqhw82kb-2s", Side::Sell, 1), odd], whole: Ok(()) }
    };
    for acknowledged in [false, true] {
        let (goes_on, rest) = after(acknowledged, too_much(), bought());
        assert_eq!(goes_on, acknowledged);
        let names: Vec<&String> = rest.past.cycles().keys().collect();
        assert_eq!(names, [LOST], "what fits is written down");
        assert_eq!(rest.past.doubt().is_some_and(|doubt| doubt.told), !acknowledged);
    }
}

#[test]
fn a_search_ends_with_what_can_have_left_before_the_machine_was_started() {
    let ends = |unfinished: &Unfinished, started: Option<Timestamp>| {
        let (now, expires_in) = (NOW + Duration::from_secs(86_400), Duration::from_secs(2));
        let mut searches = unfinished.searches(now, started, expires_in, &markets());
        assert_eq!(searches.len(), 2);
        let dead_at = now + expires_in + VENUE_LAG;
        assert_eq!(searches[0].search.turn(now), Turn::Wait(dead_at));
        match searches[0].search.turn(dead_at) {
            Turn::List(Request::MyTrades { range, .. }) => range.to.map(|to| to.since(NOW)),
            other => panic!("{other:?}"),
        }
    };
    let lost = unfinished(false);
    let started = Some(NOW + Duration::from_secs(100));
    assert_eq!(ends(&lost, started), Some(Duration::from_secs(100 + 2 + 10 + 60)));
    assert_eq!(ends(&lost, None), Some(Duration::from_secs(86_400 + 2 + 10 + 60)));
    let long_ago = Some(NOW - Duration::from_secs(86_400));
    assert_eq!(ends(&lost, long_ago), ends(&lost, None), "another machine, which took over the disk");
    let mut past = Past::default();
    past.take_in(
        1,
        NOW,
        &Entry::SessionStart(SessionStart { mode: Mode::Live.into(), ..Default::default() }),
    );
    past.begins(&SessionStart { boot: "now".to_owned(), ..Default::default() });
    let unplaced = Unfinished::new(past).expect("no contradiction");
    assert_eq!(ends(&unplaced, started), ends(&lost, None), "it may have been of this very run");
}

/// Two exchanges that trade three symbols; the loss of power came when the orders of `sent` had been written down.
fn lost_with(sent: &[(i64, &str, &str)]) -> (Unfinished, Vec<(VenueId, Arc<Markets>)>) {
    let named = |venue: VenueId, id: u32, symbol: &str| {
        let market = market(venue);
        let info = cex_core::SymbolInfo { symbol: symbol.parse().expect("a symbol"), ..market.info };
        Market::new(venue, SymbolId(id), info, market.scale).expect("rules fit")
    };
    let all =
        |venue| (0..).zip(["AAA/USDT", "BBB/USDT", "CCC/USDT"]).map(move |(id, name)| named(venue, id, name));
    let markets =
        markets().into_iter().map(|(venue, _)| (venue, Arc::new(Markets::new(all(venue).collect()))));
    let session = |seed, boot: &str| SessionStart {
        seed,
        mode: Mode::Live.into(),
        boot: boot.to_owned(),
        ..SessionStart::default()
    };
    let mut past = Past::default();
    past.take_in(1, NOW, &Entry::SessionStart(session(1, "before")));
    for (number, (seconds, symbol, ending)) in sent.iter().enumerate() {
        let leg = |venue: &str, side: messages::Side| messages::Leg {
            venue: venue.to_owned(),
            client_id: format!("{number}{venue}"),
            side: side.into(),
            ..messages::Leg::default()
        };
        let legs = vec![leg("mexc", messages::Side::Buy), leg("gateio", messages::Side::Sell)];
        let at = NOW + Duration::from_secs(u64::try_from(*seconds).expect("later"));
        let intent = messages::Intent { symbol: (*symbol).to_owned(), legs, ..messages::Intent::default() };
        past.take_in(2, at, &Entry::Intent(intent));
        if !ending.is_empty() {
            let (name, symbol) = (format!("{number}mexc"), (*symbol).to_owned());
            let end =
                messages::ArbitrageEnd { name, symbol, ending: (*ending).to_owned(), ..Default::default() };
            past.take_in(3, at, &Entry::ArbitrageEnd(end));
        }
    }
    past.begins(&session(2, "now"));
    (Unfinished::new(past).expect("no contradiction"), markets.collect())
}

#[test]
fn markets_of_open_arbitrages_are_searched_first_and_then_what_was_sent_to_last() {
    let sent = [(1, "BBB/USDT", ""), (2, "AAA/USDT", "both_filled"), (3, "CCC/USDT", "both_filled")];
    let (unfinished, markets) = lost_with(&sent);
    let searches = unfinished.searches(NOW, None, Duration::ZERO, &markets);
    let order: Vec<(u32, &str)> =
        searches.iter().map(|searched| (searched.symbol.0, searched.venue.name())).collect();
    let pair = |id| [(id, "mexc"), (id, "gateio")];
    assert_eq!(order, [pair(1), pair(2), pair(0)].concat());
}

#[test]
fn what_was_traded_and_is_not_searched_is_named() {
    let (unfinished, markets) = lost_with(&[(1, "AAA/USDT", ""), (2, "OLD/USDT", "both_filled")]);
    let of = |venue: &str, symbol: &str| (venue.to_owned(), symbol.to_owned());
    let old = [of("gateio", "OLD/USDT"), of("mexc", "OLD/USDT")];
    assert_eq!(unfinished.unsearched(&markets), old);
    let without = unfinished.unsearched(&markets[..1]);
    assert_eq!(without, [of("gateio", "AAA/USDT"), old[0].clone(), old[1].clone()]);
    let failure = unfinished.all_searched(&markets).expect_err("nobody has looked there");
    assert_eq!(failure.exit, Exit::Residual);
    assert!(failure.what.starts_with("OLD/USDT at gateio, OLD/USDT at mexc "), "{}", failure.what);
    let unlost = Unfinished::new(Past::default()).expect("no contradiction");
    assert!(unlost.unsearched(&markets).is_empty());
    unlost.all_searched(&markets).expect("nothing was lost");
}

#[test]
fn what_was_traded_goes_on_unless_an_operator_has_looked() {
    for acknowledged in [false, true] {
        let (goes_on, all) = after(acknowledged, sold(), bought());
        assert_eq!((goes_on, all.past.cycles().len(), all.past.undecided()), (true, 1, 0));
        assert_eq!(all.past.unfinished(), usize::from(!acknowledged));
        assert_eq!(all.past.cycles()[LOST].residual(), Ok(Decimal::ONE));
        assert_eq!(all.past.doubt(), None);
    }
}

#[test]
fn what_stands_open_is_told_and_not_traded_once_an_operator_has_looked_who_did_not_know_of_it() {
    let (place, markets) = (tempfile::tempdir().expect("a directory"), markets());
    let mut recorder = recorder(place.path(), NOW);
    let live = |seed, boot: &str| SessionStart {
        seed,
        mode: Mode::Live.into(),
        boot: boot.to_owned(),
        ..SessionStart::default()
    };
    let resumed = |past: &mut Past| {
        let resume = SessionStart { boot: "now".to_owned(), ..SessionStart::default() };
        for entry in [
            Entry::SessionStart(resume),
            Entry::OperatorAck(OperatorAck::default()),
            Entry::SessionEnd(SessionEnd::default()),
        ] {
            past.take_in(2, NOW, &entry);
        }
    };
    let epoch = IdParts::of(LOST).expect("ours").epoch;
    let mut past = Past::default();
    past.take_in(1, NOW, &Entry::SessionStart(live(epoch, "before")));
    resumed(&mut past);
    let mut all = Unfinished::new(past).expect("no contradiction");
    // The search finds it, and the next one knows it already.
    for mut found in [vec![sold(), bought()], vec![sold(), bought()]] {
        all.past.begins(&live(epoch + 1, "now"));
        let venues = markets.iter().map(|(venue, _)| (*venue, SymbolId(0), found.remove(0))).collect();
        let failure = all.sought(NOW, venues, &markets, &mut recorder).expect_err("it may be even by now");
        assert_eq!(failure.exit, Exit::Residual);
        assert!(
            failure.what.contains("arbitrage mqhw82kb-1b, BTC/USDT: 1 bought and not sold"),
            "{}",
            failure.what
        );
        assert!(failure.what.contains("the power may have been lost"), "{}", failure.what);
        assert!(all.past.doubt().is_some_and(|doubt| doubt.told));
        all.past.take_in(3, NOW, &Entry::SessionEnd(SessionEnd::default()));
    }
    // Now an operator knows what to look at.
    resumed(&mut all.past);
    let venues = markets.iter().map(|(venue, _)| (*venue, SymbolId(0), unread())).collect();
    all.sought(NOW, venues, &markets, &mut recorder).expect("an operator has looked");
    all.proven(NOW, &mut recorder);
    assert_eq!((all.past.cycles().len(), all.past.unfinished(), all.past.doubt()), (1, 0, None));
}
