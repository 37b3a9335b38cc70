//! Budget: building and signing a placement, per adapter.

use cex_benches::market;
use cex_benches::measure::{Budget, Contestant, finish, measure};
use cex_core::{
    ClientOrderId, Markets, OrderKind, OrderRequest, Price, Qty, Side, TimeInForce, Timestamp, VenueId,
};
use cex_interface::{HttpRequest, Registration, Request, Secret, VenueConfig};
use std::process::ExitCode;
use std::time::Duration;

fn main() -> ExitCode {
    finish(&[
        placement("MEXC: build and sign a placement", &cex_mexc::REGISTRATION, "BTCUSDT"),
        placement("Gate.io: build and sign a placement", &cex_gateio::REGISTRATION, "BTC_USDT"),
    ])
}

fn placement(title: &str, registration: &Registration, native: &str) -> bool {
    let venue = VenueId::new(0, registration.name).expect("a short name");
    let mut config = VenueConfig::public(venue);
    config.key = Secret::new("k-0123456789abcdef".to_owned());
    config.secret = Secret::new("s-fedcba9876543210".to_owned());
    let protocol = (registration.open)(config).expect("a plain configuration");
    let market = market(registration.name, native, 2, 5);
    let request = Request::Place(OrderRequest {
        venue,
        symbol: market.id,
        client_id: ClientOrderId::new("mwpq94sf-2s").expect("plain"),
        side: Side::Buy,
        kind: OrderKind::Limit { price: Price(642_101_000), qty: Qty(8_400_000), tif: TimeInForce::Ioc },
        expires_in: Duration::from_millis(1_500),
    });
    let markets = Markets::new(vec![market]);
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
