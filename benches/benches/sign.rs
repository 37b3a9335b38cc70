//! Budgets: building and signing a placement, and comparing its bytes with what was approved (R36), per adapter.

use cex_benches::market;
use cex_benches::measure::{Budget, Contestant, finish, measure};
use cex_core::{
    ClientOrderId, Market, Markets, OrderKind, OrderRequest, Price, Qty, Side, TimeInForce, Timestamp,
    VenueId,
};
use cex_interface::{HttpRequest, Protocol, Registration, Request, Secret, VenueConfig};
use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

fn main() -> ExitCode {
    finish(&[
        placement("MEXC: build and sign a placement", &cex_mexc::REGISTRATION, "BTCUSDT"),
        placement("Gate.io: build and sign a placement", &cex_gateio::REGISTRATION, "BTC_USDT"),
        comparison("MEXC: compare the bytes of a placement", &cex_mexc::REGISTRATION, "BTCUSDT"),
        comparison("Gate.io: compare the bytes of a placement", &cex_gateio::REGISTRATION, "BTC_USDT"),
    ])
}

/// An adapter with made-up keys, and an order.
fn order(registration: &Registration, native: &str) -> (Arc<dyn Protocol>, Market, OrderRequest) {
    let venue = VenueId::new(0, registration.name).expect("a short name");
    let mut config = VenueConfig::public(venue);
    config.key = Secret::new("k-0123456789abcdef".to_owned());
    config.secret = Secret::new("s-fedcba9876543210".to_owned());
    let protocol = (registration.open)(config).expect("a plain configuration");
    let market = market(registration.name, native, 2, 5);
    let order = OrderRequest {
        venue,
        symbol: market.id,
        client_id: ClientOrderId::new("mwpq94sf-2s").expect("plain"),
        side: Side::Buy,
        kind: OrderKind::Limit { price: Price(642_101_000), qty: Qty(8_400_000), tif: TimeInForce::Ioc },
        expires_in: Duration::from_millis(1_500),
    };
    (protocol, market, order)
}

fn placement(title: &str, registration: &Registration, native: &str) -> bool {
    let (protocol, market, order) = order(registration, native);
    let (request, markets) = (Request::Place(order), Markets::new(vec![market]));
    let (mut out, mut at) = (HttpRequest::default(), Timestamp::from_secs(1_700_000_000));
    measure(
        title,
        Budget::Nanos(2_000.0),
        vec![Contestant::new("kept key state, reused buffers", 1, || {
            // A new time each call: a signature is never the same twice.
            at += Duration::from_millis(1);
            out.clear();
            protocol.encode(at, &markets, &request, &mut out).expect("a request that can be expressed");
            out.target.len() as u64 + out.body.len() as u64
        })],
    )
}

/// As transport does it for every order, right before its bytes go to the socket.
fn comparison(title: &str, registration: &Registration, native: &str) -> bool {
    let (protocol, market, order) = order(registration, native);
    let (markets, mut out) = (Markets::new(vec![market.clone()]), HttpRequest::default());
    let now = Timestamp::from_secs(1_700_000_000);
    protocol
        .encode(now, &markets, &Request::Place(order), &mut out)
        .expect("a request that can be expressed");
    let mut bytes = format!("{} {} HTTP/1.1\r\nhost: api.example.com\r\n", out.method.as_str(), out.target);
    for (name, value) in out.headers.iter() {
        bytes += &format!("{name}: {value}\r\n");
    }
    let bytes = [bytes.as_bytes(), b"\r\n", &out.body].concat();
    measure(
        title,
        Budget::Nanos(300.0),
        vec![Contestant::new("read back, and every field compared", 1, || {
            let written = protocol.read_back(black_box(&bytes)).expect("it can tell").expect("an order");
            assert_eq!(written.differs(&market, black_box(&order)), None);
            written.price.len() as u64
        })],
    )
}
