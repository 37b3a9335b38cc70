//! An order with more fills than an exchange shows at once is told whole to the run after a crash, and to the one after a loss
//! of power of which no record tells.

use cex_arb::run::control::Directory;
use cex_arb::run::past::Past;
use cex_arb::run::record::{Recorder, Tolerance};
use cex_arb::run::recover::Unfinished;
use cex_arb::run::venue::{Venue, shared_markets};
use cex_arb::show::Names;
use cex_arb::venues::EXCHANGES;
use cex_core::{
    ClientOrderId, Decimal, Market, OrderKind, OrderRequest, Price, Qty, Side, TimeInForce, VenueId,
};
use cex_engine::IdParts;
use cex_interface::{Request, Secret, VenueConfig};
use cex_journal::messages::{self, Status};
use cex_journal::{Options, open_directory};
use cex_sim::server::{SimAccount, SimConfig, SimExchange, SimHandle, SimServer};
use cex_transport::{Clock, TransportConfig};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;
use tokio::task::LocalSet;

/// More than any exchange here shows in an answer.
const LEVELS: i64 = 130;

/// Gate.io simulated, with a book of many small asks.
struct Stage {
    sim: SimHandle,
    venue: Venue,
    market: Market,
}

impl Stage {
    async fn new() -> Self {
        let accounts = vec![SimAccount::new("rich")];
        let config = SimConfig { symbols: 1, is_quiet: true, accounts, ..SimConfig::default() };
        let sim = SimServer::start(config).expect("loopback");
        let (endpoint, account) = (sim.endpoint(SimExchange::Gateio), sim.accounts()[0].clone());
        let config = VenueConfig {
            rest_url: Some(endpoint.rest.clone()),
            ws_url: Some(endpoint.ws.clone()),
            key: Secret::new(account.key),
            secret: Secret::new(account.secret),
            ..VenueConfig::public(VenueId::new(0, "gateio").expect("short"))
        };
        let registration = EXCHANGES.iter().find(|one| one.name == "gateio").expect("registered");
        let opened = Venue::open(registration, config, TransportConfig::default(), Clock::new());
        let (venue, rules) = opened.await.expect("opens");
        let markets = shared_markets(&[venue.id], vec![rules]).expect("markets").remove(0);
        venue.rest.set_markets(markets.clone());
        let market = markets.iter().next().expect("one").clone();
        Self { sim, venue, market }
    }

    /// What a level holds: worth fifty, in whole lots.
    fn each(&self) -> Qty {
        let price = self.market.scale.price_value(self.ask(1));
        let qty = Decimal::from(50).checked_div(price, self.market.info.lot_dp, cex_core::Rounding::Ceil);
        self.market.scale.qty(qty.expect("fits")).expect("fits").max(self.market.min_qty)
    }

    fn ask(&self, at: i64) -> Price {
        Price((10_000 + at) * self.market.tick.0)
    }

    fn fill_book(&self) {
        let scale = self.market.scale;
        let level = |at| (scale.price_value(self.ask(at)), scale.qty_value(self.each()));
        let asks: Vec<_> = (1..=LEVELS).map(level).collect();
        self.sim.set_book(SimExchange::Gateio, self.market.symbol(), &[], &asks).expect("a book");
    }

    /// Buys all of it.
    fn sweep(&self) -> OrderRequest {
        let qty = Qty(self.each().0 * LEVELS);
        OrderRequest {
            venue: self.venue.id,
            symbol: self.market.id,
            client_id: ClientOrderId::new("mqhw82kb-1b").expect("plain"),
            side: Side::Buy,
            kind: OrderKind::Limit { price: self.ask(LEVELS), qty, tif: TimeInForce::Ioc },
            expires_in: Duration::from_secs(5),
        }
    }
}

/// What a run writes down before its orders leave, and nothing more: it crashed then. The sale is known to have been refused.
fn crashed(path: &Path, stage: &Stage, order: &OrderRequest) {
    let now = stage.venue.rest.clock().now();
    let mut writer = open_directory(path, Options::default(), now).expect("a journal").writer;
    let start = messages::SessionStart { mode: messages::Mode::Live.into(), ..Default::default() };
    writer.begin(now, start).expect("written");
    let leg = |client_id: &str, side: messages::Side| messages::Leg {
        venue: "gateio".to_owned(),
        client_id: client_id.to_owned(),
        side: side.into(),
        price: order.kind.price().map_or(0, |price| price.0),
        price_dp: u32::from(stage.market.scale.price_dp()),
        qty: order.kind.qty().map_or(0, |qty| qty.0),
        qty_dp: u32::from(stage.market.scale.qty_dp()),
        expires_in_ns: 5_000_000_000,
        ..messages::Leg::default()
    };
    let intent = messages::Intent {
        symbol: stage.market.symbol().to_string(),
        legs: vec![
            leg(order.client_id.as_str(), messages::Side::Buy),
            leg("mqhw82kb-1s", messages::Side::Sell),
        ],
        purpose: "open".to_owned(),
        ..messages::Intent::default()
    };
    writer.append(now, &intent).expect("written");
    let refused = messages::OrderEvent {
        venue: "gateio".to_owned(),
        symbol: stage.market.symbol().to_string(),
        client_id: "mqhw82kb-1s".to_owned(),
        status: Status::Rejected.into(),
        filled_qty: "0".to_owned(),
        filled_notional: "0".to_owned(),
        ..messages::OrderEvent::default()
    };
    writer.append(now, &refused).expect("written");
}

fn recorder(path: &Path, stage: &Stage) -> Recorder {
    let now = stage.venue.rest.clock().now();
    let writer = open_directory(path, Options::default(), now).expect("a journal").writer;
    let market = &stage.market;
    let names = Names {
        symbols: [(market.id, (market.symbol(), market.scale))].into(),
        venues: vec!["gateio".to_owned()],
        title: String::new(),
    };
    let tolerance = Tolerance { lag: Duration::from_secs(60), free: 0 };
    Recorder::new(writer, tolerance, names, Directory(path.to_owned()))
}

/// A session of this run of the machine.
fn session(epoch: u64, boot: &str) -> messages::SessionStart {
    let mode = messages::Mode::Live.into();
    messages::SessionStart { seed: epoch, mode, boot: boot.to_owned(), ..Default::default() }
}

#[tokio::test]
async fn an_order_whose_record_was_lost_with_the_power_is_found_in_what_was_traded() {
    LocalSet::new()
        .run_until(async {
            let stage = Stage::new().await;
            stage.fill_book();
            let (order, directory) = (stage.sweep(), tempfile::tempdir().expect("a directory"));
            let epoch = IdParts::of(order.client_id.as_str()).expect("ours").epoch;
            let now = stage.venue.rest.clock().now();
            let mut writer =
                open_directory(directory.path(), Options::default(), now).expect("a journal").writer;
            writer.begin(now, session(epoch, "before")).expect("written");
            drop(writer);
            stage.venue.rest.call(&Request::Place(order)).await.expect("placed");
            // Orders that look like ours, of a run that no record knows: another machine's.
            let others =
                OrderRequest { client_id: ClientOrderId::new("mqhw82kc-1b").expect("plain"), ..order };
            stage.fill_book();
            stage.venue.rest.call(&Request::Place(others)).await.expect("placed");

            let mut past = Past::read(directory.path()).expect("a journal");
            past.begins(&session(epoch + 1, "before"));
            assert_eq!(past.doubt(), None, "the process died, and the machine did not");
            let mut past = Past::read(directory.path()).expect("a journal");
            past.begins(&session(epoch + 1, "after"));
            let mut recorder = recorder(directory.path(), &stage);
            let mut unfinished = Unfinished::new(past).expect("no contradiction");
            let venues = std::slice::from_ref(&stage.venue);
            let found = unfinished.search(venues, Duration::ZERO, &mut recorder).await;
            assert_eq!(found.map_err(|failure| failure.what), Ok(()));
            let proven = unfinished.prove(venues, &mut recorder).await;
            assert_eq!(proven.map_err(|failure| failure.what), Ok(()));
            drop(recorder);

            let past = Past::read(directory.path()).expect("a journal");
            assert_eq!((past.undecided(), past.doubt()), (0, None));
            let made = stage.sim.fills(SimExchange::Gateio, "rich").expect("the truth");
            let names: BTreeSet<String> = past.fills().map(|(_, _, _, trade)| trade.clone()).collect();
            let (ours, levels) = (&made[..made.len() / 2], usize::try_from(LEVELS).expect("few"));
            assert_eq!((names.len(), ours.len()), (levels, levels));
            let cycle = &past.cycles()[order.client_id.as_str()];
            let bought = ours.iter().try_fold(Decimal::ZERO, |sum, fill| sum.checked_add(fill.qty));
            assert_eq!(cycle.apart(), bought);
            let legs: Vec<&str> = cycle.orders.iter().map(|order| order.leg.client_id.as_str()).collect();
            assert_eq!(legs, ["mqhw82kb-1b", "mqhw82kb-2s"], "its other leg filled nothing");
        })
        .await;
}

#[tokio::test]
async fn every_fill_of_an_order_is_booked_however_many_an_answer_shows() {
    LocalSet::new()
        .run_until(async {
            let stage = Stage::new().await;
            stage.fill_book();
            let (order, directory) = (stage.sweep(), tempfile::tempdir().expect("a directory"));
            crashed(directory.path(), &stage, &order);
            stage.venue.rest.call(&Request::Place(order)).await.expect("placed");
            let made = stage.sim.fills(SimExchange::Gateio, "rich").expect("the truth");
            assert_eq!(made.len(), usize::try_from(LEVELS).expect("few"));

            let mut recorder = recorder(directory.path(), &stage);
            let past = Past::read(directory.path()).expect("a journal");
            assert_eq!((past.undecided(), past.fills().count()), (1, 0), "nothing was heard of it");
            let mut unfinished = Unfinished::new(past).expect("no contradiction");
            let settled = unfinished.settle(std::slice::from_ref(&stage.venue), &mut recorder).await;
            assert_eq!(settled.map_err(|failure| failure.what), Ok(()));
            drop(recorder);

            let past = Past::read(directory.path()).expect("a journal");
            assert_eq!((past.undecided(), past.fills().count()), (0, made.len()));
            let cycle = past.cycles().values().next().expect("one");
            let bought = made.iter().try_fold(Decimal::ZERO, |sum, fill| sum.checked_add(fill.qty));
            assert_eq!(cycle.apart(), bought);
        })
        .await;
}
