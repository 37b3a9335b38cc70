//! Calls as they leave and answers as they come.

use super::*;
use crate::testing::{markets, venue};
use cex_core::{
    ClientOrderId, Decimal, KlineInterval, Notional, OrderId, OrderKind, OrderRequest, OrderStatus, Price,
    Qty, Side, TimeInForce,
};
use cex_interface::{Method, OrderRef, Secret, TimeRange};
use proptest::prelude::*;
use std::time::Duration;

mod answers;
mod batches;
mod connections;
mod lists;
mod requests;

const BTC: SymbolId = SymbolId(0);
const CJK: SymbolId = SymbolId(3);

fn gateio(options: &[(&str, &str)]) -> Gateio {
    let mut config = VenueConfig::public(venue());
    config.key = Secret::new("k".to_owned());
    config.secret = Secret::new("s".to_owned());
    config.options = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Gateio::new(config).expect("valid")
}

fn encoded(request: &Request) -> Result<HttpRequest, ErrorKind> {
    let mut out = HttpRequest::default();
    let now = Timestamp::from_secs(1_700_000_000);
    gateio(&[]).encode(now, &markets(), request, &mut out).map(|()| out).map_err(|error| error.kind)
}

/// Method, target and body of a call.
fn wire(request: &Request) -> String {
    let call = encoded(request).expect("valid");
    let body = String::from_utf8(call.body.clone()).expect("UTF-8");
    format!("{} {} {body}", call.method.as_str(), call.target).trim_end().to_owned()
}

fn by_id() -> OrderRef {
    OrderRef::Id(OrderId::new("12332324").expect("short"))
}

fn by_client() -> OrderRef {
    OrderRef::Client(ClientOrderId::new("abc_1").expect("plain"))
}

fn secs(from: i64, to: i64) -> TimeRange {
    TimeRange { from: Some(Timestamp::from_secs(from)), to: Some(Timestamp::from_secs(to)) }
}

fn order(side: Side, kind: OrderKind) -> Request {
    let client_id = ClientOrderId::new("abc_1").expect("plain");
    Request::Place(OrderRequest {
        venue: venue(),
        symbol: BTC,
        client_id,
        side,
        kind,
        expires_in: Duration::from_millis(1_500),
    })
}

fn limit(price: i64, qty: i64, tif: TimeInForce) -> Request {
    order(Side::Buy, OrderKind::Limit { price: Price(price), qty: Qty(qty), tif })
}

fn decoded(request: &Request, body: &str) -> Result<Reply, ErrorKind> {
    let response = HttpResponse { status: 200, headers: &[], body: body.as_bytes() };
    gateio(&[]).decode(&markets(), request, &response).map_err(|error| error.kind)
}

const ORDER: &str = r#"{"id":"12332324","text":"t-abc_1","currency_pair":"BTC_USDT","type":"limit","side":"buy","status":"cancelled",
    "amount":"1","price":"2","left":"0.4","filled_amount":"0.6","filled_total":"1.2","fee":"0.001","fee_currency":"BTC",
    "create_time_ms":1700000000123,"update_time_ms":"1700000001123","finish_as":"cancelled","label":"","succeeded":true}"#;

fn batch_of(ids: &[(&str, SymbolId)]) -> Request {
    let of = |(id, symbol): &(&str, SymbolId)| OrderRequest {
        venue: venue(),
        symbol: *symbol,
        client_id: ClientOrderId::new(id).expect("plain"),
        side: Side::Sell,
        kind: OrderKind::Limit { price: Price(10), qty: Qty(100_000_000), tif: TimeInForce::Ioc },
        expires_in: Duration::from_secs(2),
    };
    Request::PlaceBatch(ids.iter().map(of).collect())
}
