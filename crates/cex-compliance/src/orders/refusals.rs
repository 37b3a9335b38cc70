//! Orders that must not be.

use crate::behaviour::{Behaviour, Failure, Verdict, behaviour, ensure, error_of, outcome, same};
use crate::stage::Stage;
use cex_core::{OrderKind, OrderRequest, Price, Qty, Side, TimeInForce, VenueId};
use cex_errors::{ErrorKind, Outcome};
use cex_interface::PrivateExchange;

pub(super) static ALL: &[Behaviour] = &[
    behaviour!(
        Orders,
        RestPrivate,
        order_beyond_the_balance_is_refused,
        "An order that cannot be paid is refused as such, and nothing is on record."
    ),
    behaviour!(
        Orders,
        RestPrivate,
        order_below_the_least_notional_is_refused,
        "A worthless order is refused as too small."
    )
    .rows("M3"),
    behaviour!(
        Orders,
        RestPrivate,
        price_off_the_tick_is_refused,
        "A price between two ticks never becomes an order at another price."
    )
    .rows("M3"),
    behaviour!(
        Orders,
        RestPrivate,
        quantity_off_the_lot_is_refused,
        "A quantity between two lots never becomes an order of another quantity."
    )
    .rows("M3"),
    behaviour!(Orders, RestPrivate, order_of_nothing_is_refused, "A quantity of zero is no order."),
    behaviour!(
        Orders,
        RestPrivate,
        order_for_another_venue_is_never_sent,
        "An order addressed to another venue does not reach this one."
    ),
    behaviour!(
        Orders,
        RestPrivate,
        order_of_an_unregistered_symbol_is_never_sent,
        "An order of a symbol nobody registered does not leave us."
    ),
    behaviour!(
        Orders,
        RestPrivate,
        refusals_carry_the_exchanges_own_code,
        "The exchange's own words come with a refusal, untouched."
    ),
    behaviour!(Orders, RestPrivate, refused_order_changes_no_balance, "A refusal locks nothing."),
];

/// The order must not be placed: refused, or never sent; and there must be nothing on record.
async fn never(stage: &Stage, order: OrderRequest, kinds: &[ErrorKind]) -> Verdict {
    let error = error_of("a refusal", stage.exchange.place(order).await)?;
    ensure!(
        error.outcome() != Outcome::Unknown,
        "a definite refusal",
        format_args!("{:?}: {error}", error.outcome())
    );
    let fits = |kind: &ErrorKind| std::mem::discriminant(kind) == std::mem::discriminant(&error.kind);
    ensure!(kinds.iter().any(fits), format_args!("one of {kinds:?}"), error);
    same("orders on record", &Vec::new(), &stage.on_record(order.client_id)?)
}

async fn order_beyond_the_balance_is_refused(stage: &mut Stage) -> Verdict {
    for (index, side) in [(0, Side::Buy), (2, Side::Sell)] {
        let market = stage.market(index)?;
        let price = stage.far_price(&market, side).await?;
        let (free, _) = match side {
            Side::Buy => stage.has(market.info.symbol.quote)?,
            Side::Sell => stage.has(market.info.symbol.base)?,
        };
        let base = match side {
            Side::Buy => free.checked_div(market.scale.price_value(price), 8, cex_core::Rounding::Down)?,
            Side::Sell => free,
        };
        // A tenth more than there is.
        let more = base.checked_mul(crate::stage::decimal("1.1")?)?;
        let qty = market.scale.qty(more)?.floor_to(market.lot);
        let order = stage.request(&market, side, OrderKind::Limit { price, qty, tif: TimeInForce::Gtc })?;
        never(stage, order, &[ErrorKind::InsufficientBalance]).await?;
    }
    Ok(())
}

async fn order_below_the_least_notional_is_refused(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let price = stage.far_price(&market, Side::Buy).await?;
    let kind = OrderKind::Limit { price, qty: market.lot, tif: TimeInForce::Gtc };
    let order = stage.request(&market, Side::Buy, kind)?;
    never(stage, order, &[ErrorKind::BelowMinimum, ErrorKind::InvalidInput("")]).await
}

/// A unit more than a multiple of the step, where the scale is finer than the step.
async fn off_grid(stage: &Stage, price_off: bool) -> Verdict {
    let market = stage.market(0)?;
    let step = if price_off { market.tick.0 } else { market.lot.0 };
    ensure!(step > 1, "a scale finer than the step", step);
    let mut order = stage.resting(&market, Side::Buy).await?;
    let OrderKind::Limit { price, qty, tif } = order.kind else {
        return Err(Failure::new("a limit", "none"));
    };
    order.kind = if price_off {
        OrderKind::Limit { price: Price(price.0 + 1), qty, tif }
    } else {
        OrderKind::Limit { price, qty: Qty(qty.0 + 1), tif }
    };
    let kinds = [ErrorKind::InvalidInput(""), ErrorKind::Precision, ErrorKind::InvalidRequest];
    never(stage, order, &kinds).await
}

async fn price_off_the_tick_is_refused(stage: &mut Stage) -> Verdict {
    off_grid(stage, true).await
}

async fn quantity_off_the_lot_is_refused(stage: &mut Stage) -> Verdict {
    off_grid(stage, false).await
}

async fn order_of_nothing_is_refused(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let price = stage.far_price(&market, Side::Buy).await?;
    let order = stage.request(
        &market,
        Side::Buy,
        OrderKind::Limit { price, qty: Qty::ZERO, tif: TimeInForce::Gtc },
    )?;
    let kinds = [ErrorKind::InvalidInput(""), ErrorKind::InvalidRequest, ErrorKind::BelowMinimum];
    never(stage, order, &kinds).await
}

async fn order_for_another_venue_is_never_sent(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let mut order = stage.resting(&market, Side::Buy).await?;
    order.venue = VenueId::new(1, "elsewhere").map_err(|error| Failure::new("a short name", error))?;
    outcome(stage.exchange.place(order).await, Outcome::NotSent)?;
    same("orders on record", &0, &stage.on_record(order.client_id)?.len())
}

async fn order_of_an_unregistered_symbol_is_never_sent(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let mut order = stage.resting(&market, Side::Buy).await?;
    order.symbol = stage.nobodys_symbol();
    outcome(stage.exchange.place(order).await, Outcome::NotSent)?;
    same("orders on record", &0, &stage.truth()?.orders.len())
}

async fn refusals_carry_the_exchanges_own_code(stage: &mut Stage) -> Verdict {
    let market = stage.market(2)?;
    let mut order = stage.resting(&market, Side::Sell).await?;
    let OrderKind::Limit { price, qty, tif } = order.kind else {
        return Err(Failure::new("a limit", "none"));
    };
    order.kind = OrderKind::Limit { price, qty: Qty(qty.0 * 100_000), tif };
    let error = outcome(stage.exchange.place(order).await, Outcome::Refused)?;
    let code = error.api_code.as_ref().map(|code| code.as_str().to_owned()).unwrap_or_default();
    ensure!(!code.is_empty(), "the exchange's code", error);
    ensure!(error.to_string().contains(&code), "the code in the words", error);
    Ok(())
}

async fn refused_order_changes_no_balance(stage: &mut Stage) -> Verdict {
    let market = stage.market(2)?;
    let before = stage.truth()?.balances;
    let mut order = stage.resting(&market, Side::Sell).await?;
    let OrderKind::Limit { price, qty, tif } = order.kind else {
        return Err(Failure::new("a limit", "none"));
    };
    order.kind = OrderKind::Limit { price, qty: Qty(qty.0 * 100_000), tif };
    outcome(stage.exchange.place(order).await, Outcome::Refused)?;
    same("balances", &before, &stage.truth()?.balances)
}
