//! MEXC's side of the wire.

use super::books::Book;
use super::{Placement, millis, rank};
use crate::mix::{MEXC, START};
use cex_proto::mexc::{PrivateDeals, PushDataV3ApiWrapper, push_data_v3_api_wrapper::Body};
use prost::Message;
use sonic_rs::{JsonContainerTrait, JsonValueTrait, Value};
use std::time::Instant;

/// What the stream answers to a text message: a confirmation that names the channels, or a pong.
#[must_use]
pub fn stream_answer(message: &str) -> Option<String> {
    let message: Value = sonic_rs::from_str(message).ok()?;
    match message.get("method")?.as_str()? {
        "PING" => Some("{\"id\":0,\"code\":0,\"msg\":\"PONG\"}".to_owned()),
        "SUBSCRIPTION" => {
            let params = message.get("params")?.as_array()?;
            let channels: Vec<&str> = params.iter().filter_map(|name| name.as_str()).collect();
            let id = message.get("id").and_then(JsonValueTrait::as_i64).unwrap_or(0);
            Some(format!("{{\"id\":{id},\"code\":0,\"msg\":\"{}\"}}", channels.join(",")))
        }
        _other => None,
    }
}

/// The answer to a call that is not a placement; `None` to one that is, or to one we do not know.
pub(super) fn answer(books: &[Book], method: &str, target: &str) -> Option<String> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Some(match (method, path) {
        ("GET", "/api/v3/time") => format!("{{\"serverTime\":{}}}", millis()),
        ("GET", "/api/v3/exchangeInfo") => {
            let symbols: Vec<String> = books.iter().map(rules).collect();
            format!("{{\"timezone\":\"CST\",\"symbols\":[{}]}}", symbols.join(","))
        }
        ("GET", "/api/v3/depth") => {
            let [bids, asks] = books[rank(parameter(query, "symbol")?)?].start().map(|levels| rows(&levels));
            let time = millis();
            format!("{{\"lastUpdateId\":{START},\"bids\":[{bids}],\"asks\":[{asks}],\"timestamp\":{time}}}")
        }
        ("GET", "/api/v3/account") => {
            let balance =
                |coin: &str| format!("{{\"asset\":\"{coin}\",\"free\":\"1000000000\",\"locked\":\"0\"}}");
            let coins: Vec<String> =
                books.iter().map(|book| balance(book.market.symbol().base.as_str())).collect();
            let quote = balance("USDT");
            format!("{{\"canTrade\":true,\"updateTime\":null,\"balances\":[{quote},{}]}}", coins.join(","))
        }
        ("GET", "/api/v3/tradeFee") => {
            "{\"data\":{\"makerCommission\":0.0,\"takerCommission\":0.0005},\"code\":0,\"msg\":\"success\",\
             \"timestamp\":0}"
                .to_owned()
        }
        (_, "/api/v3/userDataStream") => "{\"listenKey\":\"0123456789abcdef\"}".to_owned(),
        _other => return None,
    })
}

/// Reads a placement: all of it stands in the query.
pub(super) fn placement(target: &str) -> Option<Placement> {
    let (_, query) = target.split_once('?')?;
    let text = |name| parameter(query, name).map(str::to_owned);
    Some(Placement {
        venue: MEXC,
        symbol: rank(parameter(query, "symbol")?)?,
        buys: parameter(query, "side")? == "BUY",
        client_id: text("newClientOrderId")?,
        order_id: 0,
        price: text("price")?,
        qty: text("quantity")?,
        at: Instant::now(),
    })
}

/// The answer to a placement: neither state nor fills.
pub(super) fn placed(native: &str, order: &Placement) -> String {
    let Placement { price, qty, order_id, buys, .. } = order;
    let (side, time) = (if *buys { "BUY" } else { "SELL" }, millis());
    format!(
        "{{\"symbol\":\"{native}\",\"orderId\":\"C02__{order_id}\",\"orderListId\":-1,\"price\":\"{price}\",\
         \"origQty\":\"{qty}\",\"type\":\"IMMEDIATE_OR_CANCEL\",\"side\":\"{side}\",\"transactTime\":{time}}}"
    )
}

/// The private message of a fill.
pub(super) fn fill(native: &str, order: &Placement) -> Vec<u8> {
    let time = i64::try_from(millis()).unwrap_or(0);
    PushDataV3ApiWrapper {
        channel: "spot@private.deals.v3.api.pb".to_owned(),
        symbol: Some(native.to_owned()),
        send_time: Some(time),
        body: Some(Body::PrivateDeals(PrivateDeals {
            price: order.price.clone(),
            quantity: order.qty.clone(),
            trade_type: if order.buys { 1 } else { 2 },
            trade_id: order.order_id.to_string(),
            client_order_id: order.client_id.clone(),
            order_id: format!("C02__{}", order.order_id),
            fee_amount: "0".to_owned(),
            fee_currency: "USDT".to_owned(),
            time,
            ..PrivateDeals::default()
        })),
        ..PushDataV3ApiWrapper::default()
    }
    .encode_to_vec()
}

fn rules(book: &Book) -> String {
    let (native, base) = (book.market.native(), book.market.symbol().base);
    format!(
        "{{\"symbol\":\"{native}\",\"status\":\"1\",\"baseAsset\":\"{base}\",\"baseAssetPrecision\":3,\
         \"quoteAsset\":\"USDT\",\"quotePrecision\":2,\"isSpotTradingAllowed\":true,\"quoteAmountPrecision\":\"1\",\
         \"baseSizePrecision\":\"0\",\"permissions\":[\"SPOT\"],\"filters\":[],\"maxQuoteAmount\":\"4000000\",\
         \"makerCommission\":\"0\",\"takerCommission\":\"0.0005\",\"tradeSideType\":1,\"st\":false}}"
    )
}

/// Levels as rows of two texts.
pub(super) fn rows(levels: &[(String, String)]) -> String {
    let rows: Vec<String> = levels.iter().map(|(price, qty)| format!("[\"{price}\",\"{qty}\"]")).collect();
    rows.join(",")
}

fn parameter<'q>(query: &'q str, name: &str) -> Option<&'q str> {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}
