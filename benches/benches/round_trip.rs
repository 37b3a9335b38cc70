//! Budget: the round trip of an order through the request interface, against a bare connection of the HTTP library that
//! sends the same bytes to the same server.

use bytes::Bytes;
use cex_benches::counterpart::Counterpart;
use cex_benches::market;
use cex_benches::measure::{Budget, Contestant, finish, measure};
use cex_core::{
    ClientOrderId, Markets, OrderKind, OrderRequest, Price, Qty, Side, TimeInForce, Timestamp, VenueId,
};
use cex_interface::{HttpRequest, Protocol, Registration, Reply, Request, Secret, VenueConfig};
use cex_transport::{Clock, Connector, ExtraRoots, Rest, RestConfig, Urgency};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::runtime::Runtime;

/// Orders per call of a contestant.
const ORDERS: u64 = 100;

fn main() -> ExitCode {
    let mut counterpart = Counterpart::bind(1).expect("a port of loopback");
    let url = counterpart.rest_url();
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let server = std::thread::spawn(move || {
        while !stopped.load(Ordering::Relaxed) {
            counterpart.poll();
        }
    });
    let kept = [
        round_trip("MEXC: round trip of an order", &cex_mexc::REGISTRATION, "C0000USDT", &url),
        round_trip("Gate.io: round trip of an order", &cex_gateio::REGISTRATION, "C0000_USDT", &url),
    ];
    stop.store(true, Ordering::Relaxed);
    server.join().expect("the counterpart does not panic");
    finish(&kept)
}

fn round_trip(title: &str, registration: &Registration, native: &str, url: &str) -> bool {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let venue = VenueId::new(0, registration.name).expect("a short name");
    let mut config = VenueConfig::public(venue);
    config.rest_url = Some(url.to_owned());
    (config.key, config.secret) = (Secret::new("key".to_owned()), Secret::new("secret".to_owned()));
    config.options.insert("rate_limits".to_owned(), "off".to_owned());
    let protocol = (registration.open)(config).expect("a plain configuration");
    let market = market(registration.name, native, 2, 3);
    let order = OrderRequest {
        venue,
        symbol: market.id,
        client_id: ClientOrderId::new("mwpq94sf-2s").expect("plain"),
        side: Side::Buy,
        kind: OrderKind::Limit {
            price: Price(market.tick.0 * 9_965),
            qty: Qty(market.lot.0 * 5_000),
            tif: TimeInForce::Ioc,
        },
        expires_in: Duration::from_millis(1_500),
    };
    let markets = Arc::new(Markets::new(vec![market]));
    let rest = rest(&runtime, &protocol, &markets);
    let request = bytes_of(protocol.as_ref(), &markets, order, url);
    let mut bare = bare(&runtime, url);
    measure(
        title,
        Budget::AtMostTimes(1.2),
        vec![
            Contestant::new("request interface: signed each time", ORDERS, || {
                runtime.block_on(async {
                    for _ in 0..ORDERS {
                        let answer = rest.begin(Request::Place(order), Urgency::Normal).await;
                        assert!(matches!(answer.result, Ok(Reply::Placed(_))), "{answer:?}");
                    }
                });
                ORDERS
            }),
            Contestant::new("bare hyper connection", ORDERS, || {
                runtime.block_on(async {
                    for _ in 0..ORDERS {
                        let answer = bare.send_request(request.clone()).await.expect("an answer");
                        let body = answer.into_body().collect().await.expect("a body").to_bytes();
                        assert!(!body.is_empty());
                    }
                });
                ORDERS
            }),
        ],
    )
}

fn rest(runtime: &Runtime, protocol: &Arc<dyn Protocol>, markets: &Arc<Markets>) -> Arc<Rest> {
    let connector = Connector::new(&ExtraRoots::default(), Duration::from_secs(1)).expect("no extra roots");
    let rest = Rest::new(Arc::clone(protocol), connector, Clock::new(), RestConfig::default(), 1);
    let rest = rest.expect("loopback may be connected to");
    rest.set_markets(Arc::clone(markets));
    runtime.block_on(rest.sync_clock()).expect("the counterpart tells its time");
    rest
}

/// The same request once built and signed, with every header that the request interface sends.
fn bytes_of(
    protocol: &dyn Protocol,
    markets: &Markets,
    order: OrderRequest,
    url: &str,
) -> http::Request<Full<Bytes>> {
    let mut built = HttpRequest::default();
    let at = Timestamp::from_secs(1_700_000_000);
    protocol.encode(at, markets, &Request::Place(order), &mut built).expect("a request of ours");
    let mut request = http::Request::post(built.target.as_str())
        .header("host", url.trim_start_matches("http://"))
        .header("user-agent", "arb/0.1.0")
        .header("accept", "application/json");
    if built.body.is_empty() {
        request = request.header("content-length", "0");
    }
    for (name, value) in built.headers.iter().filter(|(name, _)| *name != "accept") {
        request = request.header(name, value);
    }
    request.body(Full::new(Bytes::from(built.body))).expect("a request of ours")
}

fn bare(runtime: &Runtime, url: &str) -> SendRequest<Full<Bytes>> {
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(url.trim_start_matches("http://")).await;
        let stream = stream.expect("the counterpart listens");
        stream.set_nodelay(true).expect("a connected socket");
        let opened = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (sender, connection) = opened.expect("nothing is said yet");
        tokio::spawn(connection);
        sender
    })
}
