//! Answers to reads and cancels that are not what was promised.

use crate::behaviour::{Behaviour, Failure, Verdict, behaviour, ensure, error_of, outcome, same};
use crate::stage::{Stage, bare_call};
use crate::wire::{Cause, Fault, Match};
use cex_core::{Side, Timestamp};
use cex_errors::{ErrorKind, Outcome};
use cex_interface::{HttpResponse, Method, OrderRef, PrivateExchange, PublicExchange, Request, TimeRange};
use std::time::Duration;

pub(super) static ALL: &[Behaviour] = &[
    behaviour!(
        Failures,
        RestPublic,
        read_is_repeated_after_a_lost_answer,
        "A read whose answer was lost is made again and answered."
    )
    .rows("T13"),
    behaviour!(
        Failures,
        RestPublic,
        read_is_repeated_after_a_server_error,
        "A read that met a 5xx is made again and answered."
    )
    .rows("H3"),
    behaviour!(
        Failures,
        RestPublic,
        garbage_answers_to_reads_are_errors_not_data,
        "Pages, nothing and halves are never taken for data."
    )
    .rows("T15 H10"),
    behaviour!(
        Failures,
        RestPrivate,
        cancel_is_repeated_after_a_lost_answer,
        "A cancel whose answer was lost is made again, and the order ends."
    )
    .rows("T4"),
    behaviour!(
        Failures,
        RestPrivate,
        unreadable_balance_is_an_error_not_zero,
        "An answer that cannot be read never shows as an empty account."
    )
    .rows("T15"),
    behaviour!(
        Failures,
        RestPrivate,
        cut_list_of_open_orders_is_an_error_not_fewer,
        "Half a list of open orders is never taken for all of them."
    )
    .rows("T15"),
    behaviour!(
        Failures,
        RestPrivate,
        refusal_within_a_success_is_a_refusal,
        "A refusal with status 200 is a refusal."
    )
    .rows("H11"),
    behaviour!(
        Failures,
        RestPrivate,
        slow_answer_is_still_an_answer,
        "An answer that comes late but in time counts."
    )
    .rows("T8"),
    behaviour!(
        Failures,
        Compliance,
        decoders_survive_whatever_comes,
        "No bytes, of any status, make a decoder panic or invent a placement."
    )
    .rows("W13 T15"),
    behaviour!(
        Failures,
        Compliance,
        decoders_survive_every_cut_of_a_real_answer,
        "A real answer cut anywhere is an error or a whole answer, never a panic."
    )
    .rows("W13 T15"),
];

async fn read_is_repeated_after_a_lost_answer(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    stage.wire()?.on_call(Match::method("GET").and(market.native()), Fault::LoseAnswer);
    let book = stage.exchange.book(market.id, 5).await?;
    ensure!(!book.bids.is_empty(), "a book", "an empty one");
    same("faults that happened", &1, &stage.wire()?.fired())
}

async fn read_is_repeated_after_a_server_error(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let page =
        Fault::Instead { cause: Cause::Before, status: 503, headers: "", kind: "text/html", body: "<html>" };
    stage.wire()?.on_call(Match::method("GET").and(market.native()), page);
    stage.exchange.book(market.id, 5).await?;
    same("faults that happened", &1, &stage.wire()?.fired())
}

/// Everything that can stand in an answer's place.
fn garbage() -> Vec<Fault> {
    let instead =
        |status, kind, body| Fault::Instead { cause: Cause::Before, status, headers: "", kind, body };
    vec![
        instead(200, "text/html", "<html>welcome</html>"),
        instead(200, "application/json", ""),
        instead(200, "application/json", "{"),
        instead(200, "text/plain", "ok"),
        Fault::HalfAnswer,
        Fault::BreakAnswer,
    ]
}

async fn garbage_answers_to_reads_are_errors_not_data(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    for fault in garbage() {
        let wire = stage.wire()?;
        wire.on_calls(Match::method("GET").and(market.native()), fault.clone(), 8);
        let result = stage.exchange.book(market.id, 5).await;
        wire.clear();
        error_of(&format!("an error after {fault:?}"), result)?;
    }
    Ok(())
}

async fn cancel_is_repeated_after_a_lost_answer(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let (order, placed) = stage.rest(&market, Side::Buy).await?;
    stage.wire()?.on_call(Match::method("DELETE"), Fault::LoseAnswer);
    // The second one may find that the first was heard.
    match stage.exchange.cancel(market.id, OrderRef::Id(placed.order_id)).await {
        Ok(()) => {}
        Err(error) => same("kind of refusal", &ErrorKind::OrderNotFound, &error.kind)?,
    }
    same("faults that happened", &1, &stage.wire()?.fired())?;
    ensure!(stage.wire()?.asked(&Match::method("DELETE")).len() > 1, "a second cancel", "one");
    stage.ended(&order).await.map(|_| ())
}

async fn unreadable_balance_is_an_error_not_zero(stage: &mut Stage) -> Verdict {
    let quote = stage.market(0)?.info.symbol.quote;
    for fault in garbage() {
        let wire = stage.wire()?;
        wire.on_calls(Match::method("GET"), fault.clone(), 8);
        let result = stage.exchange.balance(quote).await;
        wire.clear();
        error_of(&format!("an error after {fault:?}"), result)?;
    }
    Ok(())
}

async fn cut_list_of_open_orders_is_an_error_not_fewer(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    for _ in 0..3 {
        stage.rest(&market, Side::Buy).await?;
    }
    let wire = stage.wire()?;
    wire.on_calls(Match::method("GET").and(market.native()), Fault::HalfAnswer, 8);
    let result = stage.exchange.open_orders(Some(market.id)).await;
    wire.clear();
    let error = error_of("an error", result)?;
    ensure!(matches!(error.kind, ErrorKind::Undecodable(_)), "an answer that cannot be read", error);
    Ok(())
}

async fn refusal_within_a_success_is_a_refusal(stage: &mut Stage) -> Verdict {
    let market = stage.market(2)?;
    let mut order = stage.resting(&market, Side::Sell).await?;
    let cex_core::OrderKind::Limit { price, qty, tif } = order.kind else {
        return Err(Failure::new("a limit order", "another"));
    };
    order.kind = cex_core::OrderKind::Limit { price, qty: cex_core::Qty(qty.0 * 100_000), tif };
    stage.wire()?.on_call(Match::method("POST").and(order.client_id.as_str()), Fault::OtherStatus(200));
    let error = outcome(stage.exchange.place(order).await, Outcome::Refused)?;
    same("kind of refusal", &ErrorKind::InsufficientBalance, &error.kind)
}

async fn slow_answer_is_still_an_answer(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let order = stage.resting(&market, Side::Buy).await?;
    let placement = Match::method("POST").and(order.client_id.as_str());
    stage.wire()?.on_call(placement, Fault::HoldAnswer(Duration::from_millis(500)));
    let placed = stage.exchange.place(order).await?;
    same("our identifier", &order.client_id, &placed.client_id)?;
    stage.record(order.client_id).map(|_| ())
}

fn requests(stage: &Stage, order: cex_core::OrderRequest) -> Vec<Request> {
    let symbol = order.symbol;
    let name = OrderRef::Client(order.client_id);
    let _ = stage;
    vec![
        Request::Ping,
        Request::ServerTime,
        Request::Symbols,
        Request::Assets,
        Request::Book { symbol, depth: 5 },
        Request::Trades { symbol, limit: 5, range: TimeRange::default() },
        Request::Klines {
            symbol,
            interval: cex_core::KlineInterval::Min1,
            range: TimeRange::default(),
            limit: 5,
        },
        Request::Tickers { symbol: None },
        Request::BookTickers { symbol: Some(symbol) },
        Request::Account,
        Request::Fees { symbol: Some(symbol) },
        Request::Place(order),
        Request::Cancel { symbol, order: name },
        Request::CancelAll { symbol },
        Request::Order { symbol, order: name },
        Request::OpenOrders { symbol: Some(symbol) },
        Request::OrderHistory { symbol, range: TimeRange::default(), limit: 5 },
        Request::MyTrades { symbol, order: None, range: TimeRange::default(), limit: 5 },
    ]
}

async fn decoders_survive_whatever_comes(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let order = stage.resting(&market, Side::Buy).await?;
    let markets = stage.markets();
    let bodies: [&[u8]; 14] = [
        b"",
        b"null",
        b"{}",
        b"[]",
        b"[[]]",
        b"{\"code\":",
        b"<html></html>",
        b"\xff\xfe\x00",
        b"{\"id\":1e400,\"price\":NaN}",
        b"[{\"symbol\":null,\"price\":\"-1\",\"qty\":\"1e5\"}]",
        b"{\"bids\":[[\"1\"]],\"asks\":[[]],\"lastUpdateId\":-1,\"id\":-1}",
        b"{\"label\":5,\"message\":[]}",
        b"{\"code\":\"99999999999999999999999999\",\"msg\":{}}",
        b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    ];
    for request in requests(stage, order) {
        for body in bodies {
            for status in [0, 200, 201, 204, 301, 400, 401, 403, 404, 418, 429, 500, 599, 999] {
                let headers: [(&str, &[u8]); 2] =
                    [("retry-after", b"\xff"), ("content-type", b"application/json")];
                let response = HttpResponse { status, headers: &headers, body };
                let result = stage.protocol.decode(&markets, &request, &response);
                // What any of them says of budgets must not panic either.
                let _ = stage.protocol.feedback(&request, &response, Timestamp::EPOCH);
                if let (Request::Place(_), Ok(reply)) = (&request, &result) {
                    let found = format!("{reply:?} from {status} {}", String::from_utf8_lossy(body));
                    return Err(Failure::new("no placement out of garbage", found));
                }
            }
        }
    }
    Ok(())
}

async fn decoders_survive_every_cut_of_a_real_answer(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let order = stage.resting(&market, Side::Buy).await?;
    stage.exchange.place(order).await?;
    stage.take(&market, Side::Buy).await?;
    stage.found(&order).await?;
    let markets = stage.markets();
    for request in requests(stage, order) {
        // Rules of all symbols are long; the start of a list is as good as the whole.
        if matches!(request, Request::Symbols | Request::Assets | Request::Place(_)) {
            continue;
        }
        let Some(body) = raw(stage, &request).await? else { continue };
        for cut in 0..body.len() {
            let response = HttpResponse { status: 200, headers: &[], body: &body[..cut] };
            let _ = stage.protocol.decode(&markets, &request, &response);
        }
    }
    Ok(())
}

/// The exchange's own answer to a request, as bytes; nothing when there is no such call.
async fn raw(stage: &Stage, request: &Request) -> Result<Option<Vec<u8>>, Failure> {
    let mut built = cex_interface::HttpRequest::default();
    let encoded = stage.protocol.encode(stage.now(), &stage.markets(), request, &mut built);
    if encoded.is_err() || built.method != Method::Get {
        return Ok(None);
    }
    Ok(Some(bare_call(stage, &built).await?.1))
}
