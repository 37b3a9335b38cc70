//! A desk over a simulated exchange: what left is compared with what was approved.

use super::super::cancel;
use super::super::control::Directory;
use super::super::dead_man::DeadMan;
use super::super::limits::settings;
use super::super::pace::Pace;
use super::super::record::Tolerance;
use super::super::recover::stage;
use super::super::venue::shared_markets;
use super::*;
use crate::config::{Config, Surroundings, command};
use crate::show::{Names, Show};
use crate::venues::EXCHANGES;
use cex_core::{
    Continuity, Markets, OrderKind, Price, Qty, Side, SnapshotSource, SymbolId, SyncRule, TimeInForce,
    VenueId,
};
use cex_engine::{EngineConfig, IdSource, VenueSetup};
use cex_errors::{ErrorKind, ExchangeError, Op};
use cex_interface::{Reply, Secret, VenueConfig};
use cex_journal::messages::SessionStart;
use cex_journal::{Entry, Reader};
use cex_risk::{Mode, Scope, Trip, Until};
use cex_sim::fault::{Fault, Moment, RestEffect};
use cex_sim::server::{SimConfig, SimExchange, SimHandle, SimServer};
use cex_transport::{Rest, TransportConfig};
use std::path::Path;
use std::sync::{Arc, Mutex};

/// Rules that people were told of.
#[derive(Clone, Default)]
struct Tripped(Arc<Mutex<Vec<&'static str>>>);

impl Show for Tripped {
    fn tell(&mut self, told: &Told) -> std::io::Result<()> {
        if let Told::Notice(_, Notice::Tripped(trip)) = told {
            self.0.lock().expect("nobody panicked").push(trip.rule);
        }
        Ok(())
    }
}

/// The limits that `arb config example` writes.
pub(in crate::run) fn engine_config() -> EngineConfig {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), command::example()).expect("our own file");
    let vars = BTreeMap::from([("HOME".to_owned(), "/home/trader".to_owned())]);
    let around = Surroundings { vars, directory: "/nowhere".into() };
    let config = Config::load(Some(file.path()), &[], &around);
    settings(&config.unwrap_or_else(|problems| panic!("the example is good: {problems}")))
}

/// A desk of these markets, and no exchange behind it.
pub(in crate::run) fn quiet_desk(setups: &[VenueSetup]) -> Desk {
    desk_of(Engine::new(engine_config(), setups, 1), Vec::new(), Clock::new(), Tripped::default())
}

fn desk_of(engine: Engine, venues: Vec<Venue>, clock: Clock, show: Tripped) -> Desk {
    let viewer = Viewer::spawn(Box::new(show), |_| {}).expect("a thread");
    Desk::new(engine, venues, clock, clock.now(), Rc::new(viewer))
}

/// A desk with its first exchange, and one order for it.
async fn desk(sim: &SimHandle, place: &Path) -> (Desk, OrderRequest) {
    let registration = EXCHANGES[0];
    let exchange = SimExchange::ALL.into_iter().find(|exchange| exchange.name() == registration.name);
    let endpoint = sim.endpoint(exchange.expect("the simulator knows it"));
    let account = sim.accounts().first().expect("an account");
    let config = VenueConfig {
        rest_url: Some(endpoint.rest.clone()),
        ws_url: Some(endpoint.ws.clone()),
        key: Secret::new(account.key.clone()),
        secret: Secret::new(account.secret.clone()),
        ..VenueConfig::public(VenueId::new(0, registration.name).expect("short"))
    };
    let clock = Clock::new();
    let opened = Venue::open(&registration, config, TransportConfig::default(), clock);
    let (venue, rules) = opened.await.unwrap_or_else(|failure| panic!("{failure}"));
    let markets = shared_markets(&[venue.id], vec![rules]).unwrap_or_else(|failure| panic!("{failure}"));
    let (setup, _) = venue.setup(markets[0].clone()).await.unwrap_or_else(|failure| panic!("{failure}"));
    let market = setup.markets.iter().next().expect("a market");
    let order = OrderRequest {
        venue: venue.id,
        symbol: market.id,
        client_id: IdSource::new(1_781_690_000_123).next('b'),
        side: Side::Buy,
        kind: OrderKind::Limit { price: market.tick, qty: market.lot, tif: TimeInForce::Ioc },
        expires_in: Duration::from_secs(1),
    };
    let desk = desk_of(Engine::new(engine_config(), &[setup], 1), vec![venue], clock, Tripped::default());
    let now = clock.now();
    let opened = cex_journal::open_directory(&place.join("journal"), cex_journal::Options::default(), now);
    let mut writer = opened.expect("a new journal").writer;
    writer.begin(now, SessionStart::default()).expect("a disk that works");
    let tolerance = Tolerance { lag: Duration::MAX, free: 0 };
    desk.record_into(Recorder::new(writer, tolerance, Names::default(), Directory(place.to_owned())));
    (desk, order)
}

/// R36: the halt is taken where the contradiction is found, also while what is open is let end, and does not end the process that
/// must still close.
#[test]
fn more_orders_than_were_approved_halt_the_desk() {
    for drains in [false, true] {
        let sim = SimServer::start(SimConfig { seed: 7, symbols: 1, ..SimConfig::default() });
        let sim = sim.expect("loopback");
        let place = tempfile::tempdir().expect("a directory");
        let program = async {
            let (desk, order) = desk(&sim, place.path()).await;
            desk.glance();
            assert!(!desk.is_halted(), "nothing has left");
            if drains {
                desk.tell_engine(Event::Kill);
            }
            // Past the desk: nobody approved it. Whether the exchange takes it does not matter.
            let rest = desk.0.borrow().venues[0].rest.clone();
            let answer = rest.call(&Request::Place(order)).await;
            assert_eq!(rest.metrics().of(Op::PlaceOrder).sent.value(), 1, "{answer:?}");
            if drains {
                desk.drain(Duration::ZERO, None).await;
            } else {
                desk.glance();
            }
            assert!(desk.is_halted() && desk.look(|_, view, _, _| view.killed), "drains: {drains}");
            // It goes on: the next look finds nothing new.
            desk.glance();
        };
        Pace::Sleep.block_on(program).expect("a runtime");
        let halts: Vec<_> = Reader::of_directory(&place.path().join("journal"), 0)
            .expect("a journal")
            .filter_map(|record| match record.expect("whole").entry() {
                Ok(Entry::Halt(halt)) => Some((halt.by, halt.reason)),
                _other => None,
            })
            .collect();
        assert_eq!(halts, [("R36".to_owned(), "more orders left than were approved".to_owned())]);
        sim.stop().expect("it stops");
    }
}

/// What keeps orders back once a session is closed keeps none back where there never was one.
#[test]
fn a_closed_session_is_told_from_none_at_all() {
    let sim = SimServer::start(SimConfig { seed: 7, symbols: 1, ..SimConfig::default() }).expect("loopback");
    let place = tempfile::tempdir().expect("a directory");
    let program = async {
        let (desk, _) = desk(&sim, place.path()).await;
        assert!(!desk.0.borrow().closed);
        drop(desk.take_recorder());
        assert!(desk.0.borrow().closed);
        let nothing_recorded = quiet_desk(&[]);
        assert!(nothing_recorded.take_recorder().is_none());
        assert!(!nothing_recorded.0.borrow().closed, "a demo has no session");
    };
    Pace::Sleep.block_on(program).expect("a runtime");
    sim.stop().expect("it stops");
}

#[test]
fn an_open_order_is_cancelled_however_long_looking_for_it_took() {
    let sim = SimServer::start(SimConfig { seed: 7, symbols: 1, ..SimConfig::default() }).expect("loopback");
    let place = tempfile::tempdir().expect("a directory");
    let program = async {
        let (desk, order) = desk(&sim, place.path()).await;
        let rest = desk.0.borrow().venues[0].rest.clone();
        rest_in_each_market(&rest, order).await;
        assert_eq!(open(&rest).await, Ok(1));
        // No patience is left after the first look.
        let _proven = cancel::all_within(&rest, Duration::ZERO).await;
        assert_eq!(open(&rest).await, Ok(0));
    };
    Pace::Sleep.block_on(program).expect("a runtime");
    sim.stop().expect("it stops");
}

async fn open(rest: &Rest) -> Result<usize, ExchangeError> {
    cex_transport::Lists::of(rest).open_orders().await.map(|open| open.len())
}

/// Orders like this one that nobody takes, one in each market.
async fn rest_in_each_market(rest: &Rest, order: OrderRequest) {
    let mut ids = IdSource::new(1_781_690_000_124);
    for market in rest.markets().iter().cloned().collect::<Vec<_>>() {
        let symbol = market.id;
        let Ok(Reply::Book(book)) = rest.call(&Request::Book { symbol, depth: 5 }).await else {
            panic!("no book")
        };
        let price = Price(book.bids[0].price.0 / 2).floor_to(market.tick);
        let qty = Qty(2 * market.min_notional.0 as i64 / price.0).ceil_to(market.lot).expect("small");
        let kind = OrderKind::Limit { price, qty: qty.max(market.min_qty), tif: TimeInForce::Gtc };
        let client_id = ids.next('b');
        let place = Request::Place(OrderRequest { symbol, client_id, kind, ..order });
        loop {
            match rest.call(&place).await {
                Ok(Reply::Placed(_)) => break,
                Err(ExchangeError { kind: ErrorKind::Throttled { retry_after }, .. }) => {
                    tokio::time::sleep(retry_after).await;
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

/// A cancel that the exchange swallows, and all other symbols behind it.
#[test]
fn one_cancel_that_is_never_answered_keeps_no_other_order_open() {
    let sim = SimServer::start(SimConfig { seed: 7, symbols: 5, ..SimConfig::default() }).expect("loopback");
    let place = tempfile::tempdir().expect("a directory");
    let program = async {
        let (desk, order) = desk(&sim, place.path()).await;
        let rest = desk.0.borrow().venues[0].rest.clone();
        rest_in_each_market(&rest, order).await;
        let stall = Fault::rest("DELETE", "/api/v3/openOrders", Moment::Before, RestEffect::Stall);
        sim.inject(SimExchange::Mexc, stall).expect("a fault");
        assert_eq!(cancel::in_accounts(&desk).await, []);
        assert_eq!(sim.fired().expect("it runs").len(), 1, "it was swallowed");
        assert_eq!(open(&rest).await, Ok(0));
    };
    Pace::Sleep.block_on(program).expect("a runtime");
    sim.stop().expect("it stops");
}

/// Something happened that must not: of that an order may rest, and nothing proves otherwise but looking.
#[test]
fn an_alarm_throws_the_kill_switch() {
    let desk = quiet_desk(&[]);
    desk.tell_engine(Event::Wake);
    assert!(!desk.is_halted() && !desk.may_rest());
    desk.0.borrow_mut().out.notices.push(Notice::Alarm("an exchange has another order than was approved"));
    desk.tell_engine(Event::Wake);
    assert!(desk.is_halted() && desk.may_rest());
    assert_eq!((desk.kills(), desk.halts()), (1, 1));
    // Whoever has looked at the alarm has not looked at every exchange.
    desk.go_on();
    assert!(!desk.is_halted() && desk.may_rest());
    desk.nothing_rests(desk.kills());
    assert!(!desk.may_rest());
}

#[test]
fn a_rule_that_only_an_operator_ends_counts_as_a_halt_and_no_other_does() {
    let desk = quiet_desk(&[]);
    let trips = [Until::Operator, Until::Time(Timestamp::EPOCH)];
    for (until, halts) in trips.into_iter().zip([1, 1]) {
        let trip = Trip { rule: "loss_day", scope: Scope::All, until };
        desk.0.borrow_mut().out.notices.push(Notice::Tripped(trip));
        desk.tell_engine(Event::Wake);
        assert_eq!((desk.halts(), desk.is_halted()), (halts, false), "{until:?}");
    }
}

/// While nobody can prove that no order rests, the exchange's own switch shall fire.
#[test]
fn the_dead_man_is_not_held_off_while_an_order_may_rest_after_a_kill() {
    let sim = SimServer::start(SimConfig { seed: 7, symbols: 1, ..SimConfig::default() }).expect("loopback");
    let place = tempfile::tempdir().expect("a directory");
    let program = async {
        let (desk, _) = desk(&sim, place.path()).await;
        let rest = desk.0.borrow().venues[0].rest.clone();
        let renewed = async || {
            let before = rest.metrics().of(Op::DeadManSwitch).calls.value();
            let switch = DeadMan::arm(Arc::clone(&rest), desk.clone());
            tokio::time::sleep(Duration::from_millis(50)).await;
            switch.end(false).await;
            rest.metrics().of(Op::DeadManSwitch).calls.value() - before
        };
        assert_eq!(renewed().await, 1);
        desk.kill("operator", "arb kill");
        assert_eq!(renewed().await, 0);
        desk.nothing_rests(desk.kills());
        assert_eq!(renewed().await, 1, "it is proven: what others have open there stays");
    };
    Pace::Sleep.block_on(program).expect("a runtime");
    sim.stop().expect("it stops");
}

#[test]
fn what_tripped_in_an_earlier_run_and_still_holds_is_told_once() {
    let clock = Clock::new();
    let now = clock.now();
    let mut engine = Engine::new(engine_config(), &[], 1);
    let minute = Duration::from_secs(60);
    for (rule, scope, until) in [
        ("day_loss", Scope::All, Until::Operator),
        ("hour_loss", Scope::All, Until::Time(now + minute)),
        ("fee_surprise", Scope::Symbol(SymbolId(0)), Until::Time(now - minute)),
    ] {
        engine.recall().trip(Trip { rule, scope, until });
    }
    let show = Tripped::default();
    let desk = desk_of(engine, Vec::new(), clock, show.clone());
    desk.tell_trips();
    // What happens later tells nothing of it again.
    desk.tell_engine(Event::Wake);
    drop(desk);
    // The thread that shows ends when all is shown that was told.
    while Arc::strong_count(&show.0) > 1 {
        std::thread::sleep(Duration::from_millis(1));
    }
    let told = show.0.lock().expect("nobody panicked");
    assert_eq!(*told, ["day_loss", "hour_loss"]);
}

/// It owns more than any limit allows of a venue (R13), and plays under all others.
#[test]
fn the_shipped_limits_leave_an_understudy_something_to_play() {
    let setups: Vec<_> = [(0, "mexc"), (1, "gateio")]
        .into_iter()
        .map(|(index, name)| {
            let venue = VenueId::new(index, name).expect("short");
            VenueSetup {
                venue,
                markets: Arc::new(Markets::new(vec![stage::market(venue)])),
                sync: SyncRule {
                    snapshot: SnapshotSource::Rest { depth: 100 },
                    continuity: Continuity::Overlapping,
                    depth: None,
                },
                taker_fees: BTreeMap::new(),
                order_windows: Vec::new(),
            }
        })
        .collect();
    let live = EngineConfig { mode: Mode::Active, ..engine_config() };
    let market = stage::market(setups[0].venue);
    let price = market.scale.price("100".parse().expect("a decimal")).expect("it fits");
    assert!(Understudy::new(&live, &setups, market.id, price).is_some());
}
