//! A gate that is told what is kept of a journal, against one that lived through all of it.

use super::*;
use crate::run::past::Past;
use cex_core::{Leg, OrderRequest, Plan, Price, Qty, Scale, Side};
use cex_journal::messages::Mode;
use cex_journal::{Entry, record};
use cex_risk::{Approved, ArbitrageId, BookFacts, Conditions, Gate};
use std::collections::BTreeSet;

const BEGIN: Timestamp = Timestamp::from_secs(1_700_000_000);
/// Venues by their numbers, which are others than a journal meets them in.
const VENUES: [&str; 3] = ["third", "gateio", "mexc"];
/// Symbols by their numbers, and where each is bought and sold: the first is traded now and then, the second all day.
const SYMBOLS: [(&str, [usize; 2]); 2] = [("ETH/USDT", [2, 0]), ("BTC/USDT", [2, 1])];

fn limits() -> Limits {
    Limits {
        cooldown: Duration::from_secs(30),
        max_cooldown: Duration::from_secs(3_600),
        max_symbol_failures: 3,
        failure_window: Duration::from_secs(86_400),
        max_failures: 4,
        max_failure_share: Bps::from_bps(2_000),
        max_answer: Duration::from_secs(2),
        max_fee_surprise: Bps::from_bps(1),
        slippage_cycles: 20,
        breaker_pause: Duration::from_secs(3_600),
        ..Limits::boundless()
    }
}

fn venue(index: usize) -> VenueId {
    VenueId::new(u8::try_from(index).expect("few"), VENUES[index]).expect("short")
}

fn symbol(index: usize) -> SymbolId {
    SymbolId(u32::try_from(index).expect("few"))
}

/// A gate of a run that begins now.
fn told(past: &Past) -> Gate {
    let symbols = SYMBOLS.iter().enumerate().map(|(index, (name, _))| ((*name).to_owned(), symbol(index)));
    let mut names = Traded::new(symbols, (0..VENUES.len()).map(venue));
    let mut gate = Gate::new(limits());
    past.history().tell(&mut gate.recall(), &mut names).expect("fits");
    gate
}

/// Numbers like those of chance, the same each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }

    fn one_in(&mut self, of: u64) -> bool {
        self.below(of) == 0
    }
}

/// An arbitrage on the way.
struct Trade {
    id: ArbitrageId,
    symbol: usize,
    orders: [OrderRequest; 2],
}

/// A run that goes on and on, and what it writes down.
struct Life {
    gate: Gate,
    past: Past,
    /// What it writes down, as whoever keeps no rows reads it.
    forgetful: Past,
    now: Timestamp,
    seq: u64,
    named: u32,
    tripped: BTreeSet<&'static str>,
}

impl Life {
    fn new() -> Self {
        let (gate, past) = (Gate::new(limits()), Past::under(limits()));
        let (forgetful, tripped) = (Past::default(), BTreeSet::new());
        let mut life = Self { gate, past, forgetful, now: BEGIN, seq: 0, named: 0, tripped };
        for (name, [_, sells_at]) in SYMBOLS {
            let (pair, much) = (name.parse::<Symbol>().expect("a symbol"), Decimal::from(1_000_000));
            life.gate.funds_mut().set_held(venue(2), pair.quote, much);
            life.gate.funds_mut().set_held(venue(sells_at), pair.base, much);
        }
        life.write(&Entry::SessionStart(messages::SessionStart {
            mode: Mode::Live.into(),
            ..Default::default()
        }));
        life
    }

    fn write(&mut self, entry: &Entry) {
        self.seq += 1;
        self.past.take_in(self.seq, self.now, entry);
        self.forgetful.take_in(self.seq, self.now, entry);
    }

    fn write_trips(&mut self) {
        for trip in self.gate.take_trips().collect::<Vec<_>>() {
            self.tripped.insert(trip.rule);
            let (venue, symbol) = match trip.scope {
                Scope::All => (String::new(), String::new()),
                Scope::Venue(venue) => (venue.to_string(), String::new()),
                Scope::Symbol(symbol) => (String::new(), SYMBOLS[symbol.index()].0.to_owned()),
            };
            let until_ns = match trip.until {
                Until::Time(until) => until.as_nanos(),
                Until::Operator => 0,
            };
            let rule = trip.rule.to_owned();
            self.write(&Entry::RiskTrip(messages::RiskTrip {
                rule,
                venue,
                symbol,
                until_ns,
                ..Default::default()
            }));
        }
    }

    /// Begins an arbitrage, if the gate lets it.
    fn open(&mut self, index: usize) -> Option<Trade> {
        let (name, [buys_at, sells_at]) = SYMBOLS[index];
        let (pair, scale) = (name.parse().expect("a symbol"), Scale::new(2, 3).expect("fits"));
        let leg = |at, side| Leg {
            venue: venue(at),
            side,
            limit: Price(10_000),
            qty: Qty(2_000),
            notional: Price(10_000).times(Qty(2_000)),
            fee: Bps::ZERO,
        };
        let plan = Plan {
            symbol: symbol(index),
            buy: leg(buys_at, Side::Buy),
            sell: leg(sells_at, Side::Sell),
            expected: Decimal::ONE,
            net_edge: Bps::from_bps(10),
        };
        let book = BookFacts {
            as_of: self.now,
            venue_age: None,
            venue_lead: Duration::ZERO,
            audit_age: None,
            mid: Price(10_000),
        };
        let expires_in = Duration::from_secs(1);
        let conditions = Conditions { symbol: pair, scale, buy_book: book, sell_book: book, expires_in };
        self.named += 1;
        let ids = ["b", "s"].map(|leg| ClientOrderId::new(&format!("{leg}{}", self.named)).expect("plain"));
        let (id, orders) = self.gate.approve(self.now, &plan, &conditions, || ids).ok()?;
        let orders = orders.map(Approved::into_inner);
        let mut intent = messages::Intent::default();
        record::intent(&mut intent, id.0, &pair, scale, &plan, [&orders[0], &orders[1]]);
        self.write(&Entry::Intent(intent));
        Some(Trade { id, symbol: index, orders })
    }

    /// What an order tells of its venue, to the gate and to the journal.
    fn end_order(&mut self, name: &str, order: &OrderRequest, chance: &mut Chance) {
        let note = |told: Told, took: Duration, fee_excess_e8| {
            Entry::VenueNote(messages::VenueNote {
                venue: order.venue.to_string(),
                symbol: name.to_owned(),
                client_id: order.client_id.to_string(),
                told: told.into(),
                took_ns: u64::try_from(took.as_nanos()).expect("short"),
                fee_excess_e8,
            })
        };
        let took = match chance.below(400) {
            0..30 => None,
            30..33 => Some(Duration::from_secs(3)),
            more => Some(Duration::from_millis(more)),
        };
        self.gate.answered(self.now, order.venue, took);
        let answer = if took.is_some() { Told::Answered } else { Told::Lost };
        self.write(&note(answer, took.unwrap_or_default(), None));
        self.write_trips();
        let failed = chance.one_in(8);
        let result = if failed { OrderResult::Failed } else { OrderResult::Worked };
        self.gate.order_ended(self.now, order, Decimal::from(2), result).expect("fits");
        let excess = Bps::from_bps(if chance.one_in(4) { 2 } else { 0 });
        if failed {
            self.write(&note(Told::Failed, Duration::ZERO, None));
        } else {
            self.gate.charged(self.now, order.symbol, order.venue, excess);
            self.write(&note(Told::Worked, Duration::ZERO, Some(excess.e8())));
        }
        self.write_trips();
    }

    fn end(&mut self, trade: &Trade, chance: &mut Chance) {
        let (name, _) = SYMBOLS[trade.symbol];
        for order in &trade.orders {
            self.end_order(name, order, chance);
        }
        let ending = match chance.below(120) {
            0 => Ending::Parked,
            1..30 => Ending::Unwound,
            30..35 => Ending::NoneFilled,
            _ => Ending::BothFilled,
        };
        let edge = Bps::from_e8(i64::try_from(chance.below(5_000)).expect("small") - 2_700);
        let sums = CycleSums {
            symbol: name.parse().expect("a symbol"),
            profit: Decimal::ZERO,
            edge,
            base: Decimal::ZERO,
            mark: Decimal::from(100),
        };
        self.gate.finished(self.now, trade.id, ending.cycle_end(), sums).expect("fits");
        self.write(&ended(trade.orders[0].client_id.as_str(), name, ending, edge));
        self.write_trips();
    }
}

fn ended(id: &str, symbol: &str, ending: Ending, edge: Bps) -> Entry {
    Entry::ArbitrageEnd(messages::ArbitrageEnd {
        name: id.to_owned(),
        symbol: symbol.to_owned(),
        ending: ending.name().to_owned(),
        realised: "0".to_owned(),
        base_change: "0".to_owned(),
        mark: "100".to_owned(),
        left_over: "0".to_owned(),
        edge_e8: edge.e8(),
        ..messages::ArbitrageEnd::default()
    })
}

/// R23, R24, R25, R30, R31: whenever it is started anew, a gate stands where the one stands that was never stopped.
#[test]
fn a_gate_that_is_told_ten_days_stands_as_the_one_that_lived_through_them() {
    let mut tripped = BTreeSet::new();
    for seed in 1..=12 {
        let (mut life, mut chance) = (Life::new(), Chance(0x9E37_79B9_7F4A_7C15 + seed));
        let (mut open, mut looked, mut forgot): (Vec<Trade>, _, _) = (Vec::new(), 0, 0);
        while life.now.since(BEGIN) < Duration::from_secs(10 * 86_400) {
            life.now += Duration::from_secs(chance.below(1_200));
            let often = usize::from(!chance.one_in(40));
            open.extend(life.open(often));
            // Now and then some are on the way at once, and which of them ends first is nobody's plan.
            while !open.is_empty() && !chance.one_in(3) {
                life.now += Duration::from_millis(chance.below(5_000));
                let at = usize::try_from(chance.below(open.len() as u64)).expect("few");
                let trade = open.swap_remove(at);
                life.end(&trade, &mut chance);
            }
            if chance.one_in(30) {
                life.gate.acknowledge();
                life.write(&Entry::OperatorAck(messages::OperatorAck::default()));
            }
            // What is on the way when a run ends is no matter of what is counted.
            if open.is_empty() && chance.one_in(25) {
                let again = told(&life.past);
                assert_eq!(again.counts(), life.gate.counts(), "seed {seed} at {}", life.now);
                let trips = [&again, &life.gate].map(|gate| gate.trips(life.now).collect::<Vec<_>>());
                assert_eq!(trips[0], trips[1], "seed {seed} at {}", life.now);
                looked += 1;
                forgot += usize::from(told(&life.forgetful).counts() != life.gate.counts());
            }
        }
        // It would prove nothing if the last two days said as much.
        assert!(looked > 10 && forgot > 5, "seed {seed}: {forgot} of {looked}");
        tripped.append(&mut life.tripped);
    }
    let rules =
        ["fee_surprise", "latency", "parked", "slippage", "symbol_failures", "timeouts", "venue_failures"];
    assert_eq!(tripped.into_iter().collect::<Vec<_>>(), rules, "all that is counted is put to the test");
}

/// R31: six losses a day and a start every night, of which none alone is told enough of within two days.
#[test]
fn a_symbol_that_loses_slowly_stops_however_often_the_program_is_started() {
    let (mut past, mut losses, mut stopped) = (Past::under(limits()), 0_u32, Vec::new());
    for day in 0..5 {
        let mut gate = told(&past);
        for cycle in 0..6 {
            let at = BEGIN + Duration::from_secs(day * 86_400 + cycle * 7_200);
            let id = gate.adopt(at, symbol(0), [venue(2), venue(0)], Decimal::ZERO);
            let (name, edge) = (SYMBOLS[0].0, Bps::from_bps(-5));
            let (profit, base, mark) = (Decimal::ZERO, Decimal::ZERO, Decimal::from(100));
            let sums = CycleSums { symbol: name.parse().expect("a symbol"), profit, edge, base, mark };
            gate.finished(at, id, CycleEnd::Filled, sums).expect("fits");
            losses += 1;
            stopped.extend(gate.take_trips().map(|trip| (losses, trip.rule)));
            past.take_in(u64::from(losses), at, &ended("b", name, Ending::BothFilled, edge));
        }
    }
    assert_eq!(stopped, [(20, "slippage")]);
}
