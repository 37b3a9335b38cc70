//! Placements whose fate nobody knows: the one thing that must never be guessed.

use crate::behaviour::{Behaviour, Failure, Verdict, behaviour, ensure, outcome, same};
use crate::stage::Stage;
use crate::wire::{Cause, Fault, Match};
use cex_core::{OrderRequest, Side};
use cex_errors::{Outcome, Retry};
use cex_interface::PrivateExchange;
use std::time::Duration;

const HTML: &str = "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>";

pub(super) static ALL: &[Behaviour] = &[
    behaviour!(
        Failures,
        RestPrivate,
        lost_answer_of_placement_is_unknown_and_never_resent,
        "The exchange took the order and its answer was lost: unknown, sent once, one order."
    )
    .rows("O1 O3 T13"),
    behaviour!(
        Failures,
        RestPrivate,
        lost_placement_is_unknown_and_never_resent,
        "The order was lost on its way: unknown all the same, sent once, no order."
    )
    .rows("O2 O3"),
    behaviour!(
        Failures,
        RestPrivate,
        timeout_of_placement_is_unknown_and_never_resent,
        "No answer in time: unknown, sent once."
    )
    .rows("O1 O3 T4")
    .set(|setting| setting.transport.rest.placement_timeout = Duration::from_millis(400)),
    behaviour!(
        Failures,
        RestPrivate,
        late_answer_is_never_taken_for_the_next_orders,
        "An answer that comes after its call was given up belongs to nobody."
    )
    .rows("T14")
    .set(|setting| setting.transport.rest.placement_timeout = Duration::from_millis(400)),
    behaviour!(
        Failures,
        RestPrivate,
        server_error_after_placement_is_unknown,
        "A 5xx after the order was taken is unknown, sent once, one order."
    )
    .rows("H3 O3"),
    behaviour!(
        Failures,
        RestPrivate,
        server_error_before_placement_is_unknown,
        "A 5xx before the order was taken is unknown, sent once, no order."
    )
    .rows("H3 O3"),
    behaviour!(
        Failures,
        RestPrivate,
        every_gateway_status_leaves_a_placement_unknown,
        "500, 502, 503 and 504, with a page or nothing, all leave a placement unknown."
    )
    .rows("H3 T15"),
    behaviour!(
        Failures,
        RestPrivate,
        html_answer_to_placement_is_unknown,
        "A page with status 200 is no acceptance and no refusal."
    )
    .rows("T15 H11"),
    behaviour!(
        Failures,
        RestPrivate,
        empty_answer_to_placement_is_unknown,
        "An empty body with status 200 is no acceptance and no refusal."
    )
    .rows("T15"),
    behaviour!(
        Failures,
        RestPrivate,
        truncated_answer_to_placement_is_unknown,
        "Half an answer is no acceptance and no refusal."
    )
    .rows("T15"),
    behaviour!(
        Failures,
        RestPrivate,
        broken_answer_to_placement_is_unknown,
        "A connection that breaks within the answer leaves the placement unknown."
    )
    .rows("T13 T15"),
    behaviour!(
        Failures,
        RestPrivate,
        foreign_json_as_answer_to_placement_is_unknown,
        "Valid JSON that is no answer to a placement is no acceptance and no refusal."
    )
    .rows("T15 T14"),
    behaviour!(
        Failures,
        RestPrivate,
        unmapped_code_leaves_a_placement_unknown,
        "A refusal nobody knows leaves the placement unknown."
    )
    .rows("W11"),
    behaviour!(
        Failures,
        RestPrivate,
        unknown_placement_is_found_by_its_client_id,
        "After an unknown outcome a query by our identifier finds the order."
    )
    .rows("O1 H8"),
    behaviour!(
        Failures,
        RestPrivate,
        unknown_placement_that_never_was_is_not_found,
        "After an unknown outcome a query finds nothing where nothing is."
    )
    .rows("O2 O5"),
    behaviour!(
        Failures,
        RestPrivate,
        fill_of_an_unknown_placement_counts,
        "An order of unknown outcome that filled is found with its fills."
    )
    .rows("O5 O6"),
    behaviour!(
        Failures,
        RestPrivate,
        late_placement_is_fenced_by_its_expiry,
        "An order that arrives after its expiry is refused by the exchange."
    )
    .rows("O16 O17")
    .set(|setting| setting.transport.rest.placement_timeout = Duration::from_secs(6)),
];

/// Places an order while this happens to it: the outcome must be unknown, it must have been sent once, and so many
/// orders must be on record.
async fn unknown(stage: &Stage, fault: Fault, orders: usize) -> Result<OrderRequest, Failure> {
    let market = stage.market(0)?;
    let order = stage.resting(&market, Side::Buy).await?;
    unknown_of(stage, order, fault, orders).await
}

async fn unknown_of(
    stage: &Stage,
    order: OrderRequest,
    fault: Fault,
    orders: usize,
) -> Result<OrderRequest, Failure> {
    let wire = stage.wire()?;
    let fired = wire.fired();
    let placements = Match::method("POST").and(order.client_id.as_str());
    wire.on_call(placements.clone(), fault);
    let error = outcome(stage.exchange.place(order).await, Outcome::Unknown)?;
    ensure!(error.retry() == Retry::Never, "no repeat", format_args!("{:?}: {error}", error.retry()));
    same("faults that happened", &(fired + 1), &wire.fired())?;
    same("placements sent", &1, &wire.asked(&placements).len())?;
    same("orders on record", &orders, &stage.on_record(order.client_id)?.len())?;
    Ok(order)
}

const fn instead(cause: Cause, status: u16, kind: &'static str, body: &'static str) -> Fault {
    Fault::Instead { cause, status, headers: "", kind, body }
}

async fn lost_answer_of_placement_is_unknown_and_never_resent(stage: &mut Stage) -> Verdict {
    unknown(stage, Fault::LoseAnswer, 1).await.map(|_| ())
}

async fn lost_placement_is_unknown_and_never_resent(stage: &mut Stage) -> Verdict {
    unknown(stage, Fault::LoseCall, 0).await.map(|_| ())
}

async fn timeout_of_placement_is_unknown_and_never_resent(stage: &mut Stage) -> Verdict {
    unknown(stage, Fault::HoldAnswer(Duration::from_millis(1_500)), 1).await.map(|_| ())
}

async fn late_answer_is_never_taken_for_the_next_orders(stage: &mut Stage) -> Verdict {
    let late = unknown(stage, Fault::HoldAnswer(Duration::from_millis(600)), 1).await?;
    let market = stage.market(0)?;
    for _ in 0..3 {
        let (order, placed) = stage.rest(&market, Side::Sell).await?;
        same("our identifier", &order.client_id, &placed.client_id)?;
        let told = stage.found(&order).await?;
        same(
            "identifiers",
            &(Some(order.client_id), Some(placed.order_id)),
            &(told.client_id, told.order_id),
        )?;
        let first = stage.found(&late).await?;
        ensure!(first.order_id != told.order_id, "two orders", "one");
    }
    Ok(())
}

async fn server_error_after_placement_is_unknown(stage: &mut Stage) -> Verdict {
    unknown(stage, instead(Cause::After, 502, "text/html", HTML), 1).await.map(|_| ())
}

async fn server_error_before_placement_is_unknown(stage: &mut Stage) -> Verdict {
    unknown(stage, instead(Cause::Before, 503, "text/html", HTML), 0).await.map(|_| ())
}

async fn every_gateway_status_leaves_a_placement_unknown(stage: &mut Stage) -> Verdict {
    for status in [500, 502, 503, 504] {
        for (kind, body) in [("text/html", HTML), ("text/plain", ""), ("application/json", "{}")] {
            unknown(stage, instead(Cause::After, status, kind, body), 1).await.map_err(|failure| {
                Failure::new(format_args!("{} after {status} {kind}", failure.expected), failure.found)
            })?;
        }
    }
    Ok(())
}

async fn html_answer_to_placement_is_unknown(stage: &mut Stage) -> Verdict {
    unknown(stage, instead(Cause::After, 200, "text/html", HTML), 1).await.map(|_| ())
}

async fn empty_answer_to_placement_is_unknown(stage: &mut Stage) -> Verdict {
    unknown(stage, instead(Cause::After, 200, "application/json", ""), 1).await.map(|_| ())
}

async fn truncated_answer_to_placement_is_unknown(stage: &mut Stage) -> Verdict {
    unknown(stage, Fault::HalfAnswer, 1).await.map(|_| ())
}

async fn broken_answer_to_placement_is_unknown(stage: &mut Stage) -> Verdict {
    unknown(stage, Fault::BreakAnswer, 1).await.map(|_| ())
}

async fn foreign_json_as_answer_to_placement_is_unknown(stage: &mut Stage) -> Verdict {
    for body in ["{}", "[]", "null", r#"{"answer":42}"#, r#"["a","b"]"#] {
        unknown(stage, instead(Cause::After, 200, "application/json", body), 1).await.map_err(|failure| {
            Failure::new(format_args!("{} after {body}", failure.expected), failure.found)
        })?;
    }
    Ok(())
}

async fn unmapped_code_leaves_a_placement_unknown(stage: &mut Stage) -> Verdict {
    // In the shape of both families of refusals known, so that it is one, of whatever code.
    let body = r#"{"code":987654,"msg":"?","label":"NEVER_HEARD_OF","message":"?"}"#;
    unknown(stage, instead(Cause::After, 400, "application/json", body), 1).await.map(|_| ())
}

async fn unknown_placement_is_found_by_its_client_id(stage: &mut Stage) -> Verdict {
    let order = unknown(stage, Fault::LoseAnswer, 1).await?;
    let told = stage.found(&order).await?;
    same("client id", &Some(order.client_id), &told.client_id)
}

async fn unknown_placement_that_never_was_is_not_found(stage: &mut Stage) -> Verdict {
    let order = unknown(stage, Fault::LoseCall, 0).await?;
    let name = cex_interface::OrderRef::Client(order.client_id);
    crate::behaviour::refused(
        stage.exchange.order(order.symbol, name).await,
        &[cex_errors::ErrorKind::OrderNotFound],
    )
}

async fn fill_of_an_unknown_placement_counts(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let order = stage.taking(&market, Side::Buy).await?;
    unknown_of(stage, order, Fault::LoseAnswer, 1).await?;
    let told = stage.ended(&order).await?;
    let record = stage.record(order.client_id)?;
    same("state and fills", &(record.status, record.filled_qty), &(told.status, told.filled_qty))?;
    ensure!(told.filled_qty.is_positive(), "a fill", "none");
    Ok(())
}

async fn late_placement_is_fenced_by_its_expiry(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let mut order = stage.resting(&market, Side::Buy).await?;
    order.expires_in = Duration::from_secs(1);
    let placements = Match::method("POST").and(order.client_id.as_str());
    // Well beyond the expiry, whatever the clocks' error.
    stage.wire()?.on_call(placements.clone(), Fault::HoldCall(Duration::from_millis(2_500)));
    let error = outcome(stage.exchange.place(order).await, Outcome::Refused)?;
    same("placements sent", &1, &stage.wire()?.asked(&placements).len())?;
    same(&format!("orders on record after {error}:"), &0, &stage.on_record(order.client_id)?.len())
}
