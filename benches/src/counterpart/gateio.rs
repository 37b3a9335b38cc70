//! Gate.io's side of the wire.

use super::books::Book;
use super::mexc::rows;
use super::{Placement, millis, rank};
use crate::mix::{GATEIO, START};
use sonic_rs::{JsonValueTrait, Value};
use std::time::Instant;

/// What the stream answers to a text message: a confirmation with the request's number, or a pong.
#[must_use]
pub fn stream_answer(message: &str) -> Option<String> {
    let message: Value = sonic_rs::from_str(message).ok()?;
    let channel = message.get("channel")?.as_str()?;
    if channel == "spot.ping" {
        return Some("{\"time\":1,\"channel\":\"spot.pong\",\"event\":\"\",\"result\":null}".to_owned());
    }
    let (id, event) = (message.get("id")?.as_i64()?, message.get("event")?.as_str()?);
    Some(format!(
        "{{\"time\":1,\"id\":{id},\"channel\":\"{channel}\",\"event\":\"{event}\",\"error\":null,\
         \"result\":{{\"status\":\"success\"}}}}"
    ))
}

/// The answer to a call that is not a placement; `None` to one that is, or to one we do not know.
pub(super) fn answer(books: &[Book], target: &str) -> Option<String> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Some(match path {
        "/api/v4/spot/time" => format!("{{\"server_time\":{}}}", millis()),
        "/api/v4/spot/currency_pairs" => {
            let pairs: Vec<String> = books.iter().map(rules).collect();
            format!("[{}]", pairs.join(","))
        }
        "/api/v4/spot/order_book" => {
            let pair = query.split('&').find_map(|pair| pair.strip_prefix("currency_pair="))?;
            let [bids, asks] = books[rank(pair)?].start().map(|levels| rows(&levels));
            let time = millis();
            format!(
                "{{\"id\":{START},\"current\":{time},\"update\":{time},\"asks\":[{asks}],\"bids\":[{bids}]}}"
            )
        }
        "/api/v4/spot/accounts" => {
            let row = |coin: &str| {
                format!("{{\"currency\":\"{coin}\",\"available\":\"1000000000\",\"locked\":\"0\"}}")
            };
            let coins: Vec<String> =
                books.iter().map(|book| row(book.market.symbol().base.as_str())).collect();
            format!("[{},{}]", row("USDT"), coins.join(","))
        }
        "/api/v4/wallet/fee" => {
            "{\"user_id\":1,\"taker_fee\":\"0.0005\",\"maker_fee\":\"0.0005\"}".to_owned()
        }
        _other => return None,
    })
}

/// Reads a placement: all of it stands in the body.
pub(super) fn placement(body: &[u8]) -> Option<Placement> {
    let body: Value = sonic_rs::from_slice(body).ok()?;
    let text = |name: &str| body.get(name).and_then(|value| value.as_str()).map(str::to_owned);
    Some(Placement {
        venue: GATEIO,
        symbol: rank(&text("currency_pair")?)?,
        buys: text("side")? == "buy",
        client_id: text("text")?.strip_prefix("t-")?.to_owned(),
        order_id: 0,
        price: text("price")?,
        qty: text("amount")?,
        at: Instant::now(),
    })
}

/// The answer to a placement in its shortest form: identifiers only. The outcome comes over the stream.
pub(super) fn placed(_native: &str, order: &Placement) -> String {
    format!("{{\"id\":\"{}\",\"text\":\"t-{}\",\"amend_text\":\"-\"}}", order.order_id, order.client_id)
}

/// The private message of a fill.
pub(super) fn fill(native: &str, order: &Placement) -> String {
    let Placement { price, qty, order_id, client_id, buys, .. } = order;
    let (side, time) = (if *buys { "buy" } else { "sell" }, millis());
    format!(
        "{{\"time\":{},\"time_ms\":{time},\"channel\":\"spot.usertrades\",\"event\":\"update\",\"result\":[{{\
         \"id\":{order_id},\"user_id\":1,\"order_id\":\"{order_id}\",\"currency_pair\":\"{native}\",\
         \"create_time\":{},\"create_time_ms\":\"{time}.000\",\"side\":\"{side}\",\"amount\":\"{qty}\",\
         \"role\":\"taker\",\"price\":\"{price}\",\"fee\":\"0\",\"fee_currency\":\"USDT\",\"point_fee\":\"0\",\
         \"gt_fee\":\"0\",\"text\":\"t-{client_id}\"}}]}}",
        time / 1_000,
        time / 1_000
    )
}

fn rules(book: &Book) -> String {
    let (native, base) = (book.market.native(), book.market.symbol().base);
    format!(
        "{{\"id\":\"{native}\",\"base\":\"{base}\",\"quote\":\"USDT\",\"fee\":\"0.05\",\"min_quote_amount\":\"1\",\
         \"amount_precision\":3,\"precision\":2,\"trade_status\":\"tradable\",\"sell_start\":0,\"buy_start\":0,\
         \"delisting_time\":0,\"type\":\"normal\",\"st_tag\":false}}"
    )
}
