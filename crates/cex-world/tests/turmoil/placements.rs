//! An order cut at every byte of its request and of its answer, at both exchanges: what we make of it is never more than
//! what is known, the exchange has it once at most, and nothing of it is ever sent again.

use crate::road::{Purpose, Roads, Tear};
use crate::stage::{ACCOUNT, Setting, Stage, play};
use cex_arb::run::venue::Venue;
use cex_core::{
    ClientOrderId, Decimal, Market, OrderKind, OrderRequest, Price, Qty, Rounding, Side, TimeInForce,
};
use cex_errors::{Op, Outcome};
use cex_interface::{Protocol, Request};
use cex_sim::server::{LedgerOrder, SimExchange};
use cex_transport::{Connector, LinkConfig, Rest, RestConfig, TransportConfig};
use std::sync::Arc;
use std::time::Duration;

/// Where the ask lies that every order takes a little of, in ticks.
const ASK: i64 = 10_000;

/// What one order is worth, in quote.
const WORTH: i64 = 20;

/// What became of one placement.
struct Told {
    /// `None`: it was confirmed.
    outcome: Option<Outcome>,
    /// Whether the exchange has it.
    is_there: bool,
}

/// One exchange, and orders to it.
struct Counter {
    stage: Stage,
    exchange: SimExchange,
    venue: Venue,
    market: Market,
    /// Nobody else's connections are made over these, so that a tear meets the order it is for.
    roads: Roads,
    orders: u32,
}

impl Counter {
    async fn open(stage: &Stage, exchange: SimExchange) -> Self {
        let (venues, markets) = stage.venues(&LinkConfig::default()).await;
        let market = markets[exchange as usize].iter().next().expect("a market").clone();
        let mut venues = venues.into_iter();
        let venue = venues.nth(exchange as usize).expect("a venue");
        venue.rest.set_markets(Arc::clone(&markets[exchange as usize]));
        let level = (market.scale.price_value(price(&market)), Decimal::from(1_000_000));
        stage.sim.set_book(exchange, market.symbol(), &[], &[level]).expect("a level on the grid");
        Self { stage: stage.clone(), exchange, venue, market, roads: Roads::default(), orders: 0 }
    }

    /// A request interface without connections, so that the next one is the order's.
    async fn fresh(&self) -> Arc<Rest> {
        let config = TransportConfig { dialer: Some(Arc::new(self.roads.clone())), ..Default::default() };
        let connector = Connector::of(&config).expect("no roots");
        let protocol: Arc<dyn Protocol> = Arc::clone(&self.venue.protocol);
        let timings = RestConfig {
            clock_samples: 1,
            placement_timeout: Duration::from_secs(1),
            ..RestConfig::default()
        };
        let rest =
            Rest::new(protocol, connector, self.stage.clock, timings, 1).expect("an address of this machine");
        rest.set_markets(self.venue.rest.markets());
        rest.sync_clock().await.expect("the exchange tells the time");
        rest
    }

    /// Places one order over a connection that is torn there.
    async fn place(&mut self, tear: Option<Tear>) -> Told {
        let rest = self.fresh().await;
        let road = Arc::clone(self.roads.to(self.exchange));
        if let Some(tear) = tear {
            road.arm(Purpose::Calls, tear);
        }
        self.orders += 1;
        let id = format!("cut{:08}", self.orders);
        let order = OrderRequest {
            venue: self.venue.id,
            symbol: self.market.id,
            client_id: ClientOrderId::new(&id).expect("plain"),
            side: Side::Buy,
            kind: OrderKind::Limit {
                price: price(&self.market),
                qty: qty(&self.market),
                tif: TimeInForce::Ioc,
            },
            expires_in: Duration::from_millis(1_500),
        };
        let result = rest.call(&Request::Place(order)).await;
        let what = format!("{} {tear:?}", self.exchange);
        assert!(!road.is_armed(), "{what}: the order took a connection that was there already");
        let sent = rest.metrics().of(Op::PlaceOrder);
        assert_eq!((sent.sent.value(), sent.repeats.value()), (1, 0), "{what}: sent and repeated");
        // Whatever is still on its way may arrive, and would be seen.
        self.stage.sleep(20).await;
        let count = self.ledger(&id).len();
        assert!(count <= 1, "{what}: {count} orders of one");
        Told { outcome: result.err().map(|error| error.outcome()), is_there: count == 1 }
    }

    fn ledger(&self, id: &str) -> Vec<LedgerOrder> {
        let ledger = self.stage.sim.ledger();
        let account = ledger.account(self.exchange, ACCOUNT).expect("our account");
        account.orders.iter().filter(|order| order.client_id.ends_with(id)).cloned().collect()
    }
}

fn price(market: &Market) -> Price {
    Price(market.tick.0 * ASK)
}

fn qty(market: &Market) -> Qty {
    let worth = Decimal::from(WORTH);
    let qty = worth.checked_div(market.scale.price_value(price(market)), market.info.lot_dp, Rounding::Ceil);
    let qty = qty.expect("no zero").max(market.info.min_qty);
    Qty(qty.to_scaled(market.scale.qty_dp(), None).expect("a quantity"))
}

fn every_byte(exchange: SimExchange) {
    let setting = Setting { lasts: Duration::from_secs(7_200), ..Setting::quiet(7) };
    play(setting, move |stage| async move {
        let mut counter = Counter::open(&stage, exchange).await;
        let whole = counter.place(None).await;
        assert!(whole.outcome.is_none() && whole.is_there, "{exchange}: an order that nothing happens to");
        let (request, answer) = counter.roads.to(exchange).passed(Purpose::Calls);
        assert!(request > 100 && answer > 50, "{exchange}: {request} bytes out, {answer} back");
        for cut in 0..=request {
            let told = counter.place(Some(Tear::Written(cut))).await;
            // A stream that refuses the first byte may have taken it: bytes were handed to it, so nobody claims it left not.
            assert_eq!(
                told.outcome,
                Some(Outcome::Unknown),
                "{exchange}: request cut after {cut} of {request}"
            );
            assert!(cut == request || !told.is_there, "{exchange}: an order of {cut} bytes of {request}");
        }
        for cut in 0..answer {
            for tear in [Tear::ReadReset(cut), Tear::ReadEnd(cut)] {
                let told = counter.place(Some(tear)).await;
                assert!(
                    told.is_there,
                    "{exchange}: {tear:?} of an answer of {answer}: the order is not there"
                );
                assert_eq!(
                    told.outcome,
                    Some(Outcome::Unknown),
                    "{exchange}: {tear:?} of an answer of {answer}"
                );
            }
        }
        let whole = counter.place(Some(Tear::ReadReset(answer + 8))).await;
        assert!(whole.outcome.is_none() && whole.is_there, "{exchange}: a cut after the answer");
        println!("{exchange}: request of {request} bytes, answer of {answer}: {} orders", counter.orders);
    });
}

#[test]
fn an_order_cut_at_every_byte_is_unknown_and_never_there_twice_at_mexc() {
    every_byte(SimExchange::Mexc);
}

#[test]
fn an_order_cut_at_every_byte_is_unknown_and_never_there_twice_at_gateio() {
    every_byte(SimExchange::Gateio);
}

/// A connection that is refused carried nothing; a question that the network swallowed did not either, and no answer in
/// time to one that was sent proves nothing.
#[test]
fn what_never_left_is_known_not_to_have() {
    play(Setting::quiet(8), |stage| async move {
        for exchange in SimExchange::ALL {
            let mut counter = Counter::open(&stage, exchange).await;
            let (rest, host) = (counter.fresh().await, exchange.name());
            let order = |id: &str| {
                Request::Place(OrderRequest {
                    venue: counter.venue.id,
                    symbol: counter.market.id,
                    client_id: ClientOrderId::new(id).expect("plain"),
                    side: Side::Buy,
                    kind: OrderKind::Limit {
                        price: price(&counter.market),
                        qty: qty(&counter.market),
                        tif: TimeInForce::Ioc,
                    },
                    expires_in: Duration::from_millis(1_500),
                })
            };
            counter.roads.to(exchange).refuse(true);
            let refused = rest.call(&order("refused")).await.expect_err("no connection");
            assert_eq!(refused.outcome(), Outcome::NotSent, "{exchange}");
            counter.roads.to(exchange).refuse(false);
            turmoil::partition(crate::stage::TRADER, host);
            let swallowed = rest.call(&order("swallowed")).await.expect_err("no connection");
            assert_eq!(swallowed.outcome(), Outcome::NotSent, "{exchange}");
            turmoil::repair(crate::stage::TRADER, host);
            let confirmed = rest.call(&order("confirmed")).await;
            assert!(confirmed.is_ok(), "{exchange}: {confirmed:?}");
            // The connection stands; the answer of the next order is lost on its way, the order itself is not.
            turmoil::partition_oneway(host, crate::stage::TRADER);
            let unheard = rest.call(&order("unheard")).await.expect_err("no answer");
            assert_eq!(unheard.outcome(), Outcome::Unknown, "{exchange}");
            turmoil::repair_oneway(host, crate::stage::TRADER);
            // And this one is lost itself; from here the two look the same.
            let again = rest.call(&order("again")).await;
            assert!(again.is_ok(), "{exchange}: {again:?}");
            turmoil::partition_oneway(crate::stage::TRADER, host);
            let lost = rest.call(&order("lost")).await.expect_err("no answer");
            assert_eq!(lost.outcome(), Outcome::Unknown, "{exchange}");
            turmoil::repair_oneway(crate::stage::TRADER, host);
            stage.sleep(3_000).await;
            let there = ["refused", "swallowed", "confirmed", "unheard", "again", "lost"]
                .map(|id| counter.ledger(id).len());
            assert_eq!(there, [0, 0, 1, 1, 1, 0], "{exchange}");
            counter.orders = 6;
        }
    });
}
