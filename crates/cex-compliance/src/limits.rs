//! Budgets; and below, clocks, and how fast it all is.

mod clocks;
mod speed;

use crate::behaviour::{Behaviour, Failure, Verdict, behaviour, ensure, error_of, outcome, same};
use crate::stage::Stage;
use crate::wire::{Cause, Fault, Match};
use cex_core::Side;
use cex_errors::{ErrorKind, Outcome, Retry};
use cex_interface::{CallClass, OrderRef, PrivateExchange, Request, TimeRange};
use std::time::{Duration, Instant};

static ALL: &[Behaviour] = &[
    behaviour!(
        Limits,
        Compliance,
        every_call_is_charged_to_a_known_budget,
        "Each call takes from budgets that have a rule."
    )
    .rows("H1")
    .set(own_limits),
    behaviour!(
        Limits,
        Compliance,
        a_reserve_is_kept_for_what_must_go_through,
        "The budgets of orders keep at least thirty percent for cancels and hedges."
    )
    .rows("H1 K4")
    .set(own_limits),
    behaviour!(
        Limits,
        Compliance,
        calls_are_classed_by_what_they_do,
        "Placements are never repeated as reads are, and cancels may use the reserve."
    )
    .rows("O3")
    .set(own_limits),
    behaviour!(
        Limits,
        RestPrivate,
        spent_budget_means_not_sent,
        "An order beyond our own budget does not leave us, and says when to come back."
    )
    .rows("H1 K3")
    .set(own_limits),
    behaviour!(
        Limits,
        RestPrivate,
        cancels_go_through_a_spent_budget,
        "When placements are throttled a cancel still leaves."
    )
    .rows("H1 H2")
    .set(own_limits),
    behaviour!(
        Limits,
        RestPrivate,
        own_budget_stays_within_the_exchanges,
        "At full speed within our own budgets the exchange never refuses for its limits."
    )
    .rows("H1")
    .set(both_limits),
    behaviour!(
        Limits,
        RestPrivate,
        too_many_requests_means_not_executed,
        "A 429 is a refusal: the order was not placed."
    )
    .rows("H1"),
    behaviour!(
        Limits,
        RestPrivate,
        wait_asked_for_is_passed_on,
        "How long the exchange asks to wait is passed on to whoever calls."
    )
    .rows("H1")
    .set(own_limits),
    behaviour!(
        Limits,
        RestPrivate,
        nothing_is_sent_while_told_to_wait,
        "While the exchange asks to wait nothing of that budget leaves us."
    )
    .rows("H1 H2")
    .set(own_limits),
    behaviour!(
        Limits,
        RestPrivate,
        exchanges_own_limit_is_told_as_such,
        "Beyond the exchange's limit its refusal is told as one of too many requests."
    )
    .rows("H1 H2")
    .set(|setting| setting.exchange_limits = true),
];

/// All behaviours of this theme.
#[must_use]
pub fn all() -> Vec<&'static Behaviour> {
    [ALL, clocks::ALL, speed::ALL].into_iter().flatten().collect()
}

fn own_limits(setting: &mut crate::stage::Setting) {
    setting.own_limits = true;
}

fn both_limits(setting: &mut crate::stage::Setting) {
    setting.own_limits = true;
    setting.exchange_limits = true;
}

fn requests(order: cex_core::OrderRequest) -> Vec<Request> {
    let symbol = order.symbol;
    let name = OrderRef::Client(order.client_id);
    vec![
        Request::Ping,
        Request::ServerTime,
        Request::Symbols,
        Request::Book { symbol, depth: 5 },
        Request::Trades { symbol, limit: 5, range: TimeRange::default() },
        Request::Tickers { symbol: None },
        Request::Account,
        Request::Fees { symbol: Some(symbol) },
        Request::Place(order),
        Request::Cancel { symbol, order: name },
        Request::CancelAll { symbol },
        Request::Order { symbol, order: name },
        Request::OpenOrders { symbol: Some(symbol) },
        Request::MyTrades { symbol, order: None, range: TimeRange::default(), limit: 5 },
    ]
}

async fn every_call_is_charged_to_a_known_budget(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let order = stage.resting(&market, Side::Buy).await?;
    let rules = stage.protocol.limits();
    ensure!(!rules.is_empty(), "budgets", "none");
    for rule in rules {
        ensure!(
            rule.capacity > 0 && !rule.window.is_zero(),
            "a budget that allows something",
            format_args!("{rule:?}")
        );
    }
    for request in requests(order) {
        let cost = stage.protocol.cost(&request);
        let charges: Vec<_> = cost.charges.iter().flatten().collect();
        ensure!(!charges.is_empty(), format_args!("a charge for {:?}", request.op()), "none");
        for charge in charges {
            let rule = rules.iter().find(|rule| rule.bucket == charge.bucket);
            let rule =
                rule.ok_or_else(|| Failure::new(format_args!("a rule of {:?}", charge.bucket), "none"))?;
            ensure!(
                charge.weight > 0 && charge.weight <= rule.capacity,
                "a weight that can be paid",
                format_args!("{charge:?}")
            );
            same("whether each symbol has its own", &rule.per_symbol, &charge.symbol.is_some())?;
        }
    }
    Ok(())
}

async fn a_reserve_is_kept_for_what_must_go_through(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let order = stage.resting(&market, Side::Buy).await?;
    let rules = stage.protocol.limits();
    for charge in stage.protocol.cost(&Request::Place(order)).charges.iter().flatten() {
        let reserve =
            rules.iter().find(|rule| rule.bucket == charge.bucket).map_or(0, |rule| rule.reserve_pct);
        ensure!(reserve >= 30, format_args!("30 percent of {:?} kept back", charge.bucket), reserve);
    }
    Ok(())
}

async fn calls_are_classed_by_what_they_do(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let order = stage.resting(&market, Side::Buy).await?;
    for request in requests(order) {
        let expected: &[CallClass] = match request {
            Request::Place(_) => &[CallClass::Placement],
            Request::Cancel { .. } | Request::CancelAll { .. } => &[CallClass::Cancel],
            _ => &[CallClass::MarketData, CallClass::Query],
        };
        let class = stage.protocol.cost(&request).class;
        ensure!(
            expected.contains(&class),
            format_args!("{:?} as {expected:?}", request.op()),
            format_args!("{class:?}")
        );
    }
    Ok(())
}

/// Places orders until our own budget says no; the error, and how many left.
async fn spend(stage: &Stage) -> Result<(cex_errors::ExchangeError, usize, cex_core::OrderRequest), Failure> {
    let market = stage.market(0)?;
    let first = stage.resting(&market, Side::Buy).await?;
    stage.exchange.place(first).await?;
    for count in 1..200 {
        let order = stage.request(&market, Side::Buy, first.kind)?;
        match stage.exchange.place(order).await {
            Ok(_) => {}
            Err(error) if matches!(error.kind, ErrorKind::Throttled { .. }) => {
                same("orders on record of one not sent", &0, &stage.on_record(order.client_id)?.len())?;
                return Ok((error, count, first));
            }
            Err(error) => return Err(Failure::new("our own budget to say no", error)),
        }
    }
    Err(Failure::new("our own budget to say no", "200 orders went out at once"))
}

async fn spent_budget_means_not_sent(stage: &mut Stage) -> Verdict {
    let (error, count, _) = spend(stage).await?;
    same("outcome", &Outcome::NotSent, &error.outcome())?;
    let waits = matches!(error.retry(), Retry::After(wait) if !wait.is_zero());
    ensure!(waits, "when to come back", format_args!("{:?}", error.retry()));
    same("orders on record", &count, &stage.truth()?.orders.len())
}

async fn cancels_go_through_a_spent_budget(stage: &mut Stage) -> Verdict {
    let (_, _, first) = spend(stage).await?;
    stage.exchange.cancel(first.symbol, OrderRef::Client(first.client_id)).await?;
    let record = stage.record(first.client_id)?;
    same("state on record", &cex_core::OrderStatus::Canceled, &record.status)
}

async fn own_budget_stays_within_the_exchanges(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let first = stage.resting(&market, Side::Buy).await?;
    let deadline = Instant::now() + Duration::from_millis(2_500);
    let mut sent = 0;
    while Instant::now() < deadline {
        let order = stage.request(&market, Side::Buy, first.kind)?;
        match stage.exchange.place(order).await {
            Ok(_) => sent += 1,
            Err(error) => match error.kind {
                ErrorKind::Throttled { retry_after } => {
                    tokio::time::sleep(retry_after.min(Duration::from_millis(200))).await;
                }
                _ => return Err(Failure::new("no refusal of the exchange", error)),
            },
        }
    }
    ensure!(sent >= 8, "some orders", sent);
    Ok(())
}

const fn too_many(headers: &'static str) -> Fault {
    Fault::Instead {
        cause: Cause::Before,
        status: 429,
        headers,
        kind: "application/json",
        body: r#"{"code":429,"msg":"Too Many Requests","label":"TOO_MANY_REQUESTS","message":"Request Rate limit Exceeded"}"#,
    }
}

async fn too_many_requests_means_not_executed(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let order = stage.resting(&market, Side::Buy).await?;
    stage.wire()?.on_call(Match::method("POST").and(order.client_id.as_str()), too_many(""));
    let error = outcome(stage.exchange.place(order).await, Outcome::Refused)?;
    ensure!(matches!(error.kind, ErrorKind::RateLimited { .. }), "too many requests", error);
    ensure!(matches!(error.retry(), Retry::After(_)), "a pause", format_args!("{:?}", error.retry()));
    Ok(())
}

/// Seconds to wait, in the ways exchanges say it. The reset time is in the distant future, so that an adapter that reads
/// it waits as long as it ever does.
const WAIT: &str = "retry-after: 7\r\nx-gate-ratelimit-reset-timestamp: 9999999999\r\n";

async fn wait_asked_for_is_passed_on(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let order = stage.resting(&market, Side::Buy).await?;
    stage.wire()?.on_call(Match::method("POST").and(order.client_id.as_str()), too_many(WAIT));
    let error = outcome(stage.exchange.place(order).await, Outcome::Refused)?;
    let next = stage.request(&market, Side::Buy, order.kind)?;
    let blocked = error_of("our own budget to say no", stage.exchange.place(next).await)?;
    let longest = [error, blocked]
        .iter()
        .map(|error| match error.retry() {
            Retry::After(wait) => wait,
            Retry::Now | Retry::Never => Duration::ZERO,
        })
        .max()
        .unwrap_or_default();
    ensure!(
        longest >= Duration::from_secs(5),
        "the seconds the exchange asked for",
        format_args!("{longest:?}")
    );
    Ok(())
}

async fn nothing_is_sent_while_told_to_wait(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let order = stage.resting(&market, Side::Buy).await?;
    stage.wire()?.on_call(Match::method("POST").and(order.client_id.as_str()), too_many(WAIT));
    outcome(stage.exchange.place(order).await, Outcome::Refused)?;
    for _ in 0..5 {
        let next = stage.request(&market, Side::Buy, order.kind)?;
        outcome(stage.exchange.place(next).await, Outcome::NotSent)?;
        let sent = stage.wire()?.asked(&Match::text(next.client_id.as_str())).len();
        same("calls sent", &0, &sent)?;
    }
    Ok(())
}

async fn exchanges_own_limit_is_told_as_such(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    for _ in 0..2_000 {
        let order = stage.exchange.open_orders(Some(market.id)).await;
        let Err(error) = order else { continue };
        let told = matches!(error.kind, ErrorKind::RateLimited { .. } | ErrorKind::Banned { .. });
        // Adapters obey the exchange even when their own budgets are off.
        ensure!(
            told || matches!(error.kind, ErrorKind::Throttled { .. }),
            "a refusal for too many requests",
            error
        );
        return Ok(());
    }
    Err(Failure::new("the exchange's limit within 2000 calls", "none"))
}
