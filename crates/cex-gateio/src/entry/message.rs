//! Calls as messages of the trading interface (GATEIO-WS-30): what REST has in address, body and head stands in
//! `req_param` and `req_header`.

use crate::rest::body::Body;
use crate::rest::market;
use crate::rest::request::{EXPIRY, name_order, parts};
use crate::sign::Signer;
use cex_core::{Markets, SymbolId};
use cex_errors::ErrorKind;
use cex_interface::{LinkCall, OrderRef, Request};

/// The number of a login; calls are numbered in digits.
pub(super) const LOGIN: &str = "login";

/// Says who we are, once a connection: signed without parameters (GATEIO-WS-24). Holds the key and a signature: never
/// log it whole.
pub(super) fn login(signer: &Signer, time: i64) -> String {
    let sign = signer.api("spot.login", "", time);
    let (key, sign) = (signer.key(), sign.as_str());
    format!(
        "{{\"time\":{time},\"channel\":\"spot.login\",\"event\":\"api\",\"payload\":{{\"api_key\":\"{key}\",\
         \"signature\":\"{sign}\",\"timestamp\":\"{time}\",\"req_id\":\"{LOGIN}\"}}}}"
    )
}

/// A call, numbered `id`. After the login it needs no signature of its own.
pub(super) fn call(
    unusual_names: bool,
    markets: &Markets,
    call: &LinkCall<'_>,
    id: u64,
) -> Result<String, ErrorKind> {
    let channel = channel(call.request).ok_or(ErrorKind::Unsupported)?;
    let built = parts(unusual_names, call.venue_now, markets, call.request)?;
    let param = match call.request {
        Request::Cancel { symbol, order } | Request::Order { symbol, order } => {
            named(markets, *symbol, order)?
        }
        Request::Amend { order, .. } => named_too(order, &built.body)?,
        _whole => built.body,
    };
    let param = String::from_utf8(param).map_err(|_| ErrorKind::InvalidInput("a text that is not UTF-8"))?;
    let expiry = built.headers.iter().find(|(name, _)| *name == EXPIRY);
    let header = expiry.map(|(name, value)| format!(",\"req_header\":{{\"{name}\":\"{value}\"}}"));
    let (time, header) = (call.venue_now.as_secs(), header.unwrap_or_default());
    Ok(format!(
        "{{\"time\":{time},\"channel\":\"{channel}\",\"event\":\"api\",\"payload\":{{\"req_id\":\"{id}\",\
         \"req_param\":{param}{header}}}}}"
    ))
}

/// The channel of a call; `None` for calls that are not made here. Cancelling all of a pair wants a side there, so that
/// it would be two calls of which one may fail: REST does it in one.
const fn channel(request: &Request) -> Option<&'static str> {
    Some(match request {
        Request::Place(_) | Request::PlaceBatch(_) => "spot.order_place",
        Request::Cancel { .. } => "spot.order_cancel",
        Request::CancelBatch(_) => "spot.order_cancel_ids",
        Request::Amend { .. } => "spot.order_amend",
        Request::Order { .. } => "spot.order_status",
        Request::Ping
        | Request::ServerTime
        | Request::Symbols
        | Request::Tradable
        | Request::Assets
        | Request::Book { .. }
        | Request::Trades { .. }
        | Request::Klines { .. }
        | Request::Tickers { .. }
        | Request::BookTickers { .. }
        | Request::Account
        | Request::Fees { .. }
        | Request::Withdrawals
        | Request::TestOrder(_)
        | Request::CancelAll { .. }
        | Request::OpenOrders { .. }
        | Request::OpenOrdersOf(_)
        | Request::OrderHistory { .. }
        | Request::MyTrades { .. }
        | Request::CreateListenKey
        | Request::ListenKeys
        | Request::KeepListenKey(_)
        | Request::DeleteListenKey(_)
        | Request::DeadManSwitch { .. } => return None,
    })
}

/// The parameters that name one order.
fn named(markets: &Markets, symbol: SymbolId, order: &OrderRef) -> Result<Vec<u8>, ErrorKind> {
    let (mut name, mut param) = (String::new(), Vec::new());
    name_order(order, &mut name)?;
    Body::new(&mut param).named(market(markets, symbol)?, &name);
    Ok(param)
}

/// These parameters, and before them the name of the order that REST has in the address.
fn named_too(order: &OrderRef, body: &[u8]) -> Result<Vec<u8>, ErrorKind> {
    let mut name = String::new();
    name_order(order, &mut name)?;
    let mut param = format!("{{\"order_id\":\"{name}\",").into_bytes();
    param.extend_from_slice(body.get(1..).unwrap_or_default());
    Ok(param)
}
