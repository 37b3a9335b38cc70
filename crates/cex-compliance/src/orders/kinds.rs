//! Each kind of order.

use crate::behaviour::{Behaviour, Failure, Verdict, behaviour, ensure, outcome, refused, same};
use crate::stage::{Stage, sum};
use cex_core::{Decimal, Market, OrderKind, OrderRequest, OrderStatus, Qty, Side, TimeInForce};
use cex_errors::{ErrorKind, Outcome};
use cex_interface::PrivateExchange;

pub(super) static ALL: &[Behaviour] = &[
    behaviour!(
        Orders,
        RestPrivate,
        immediate_order_fills_and_ends,
        "An immediate-or-cancel order within reach fills and ends."
    ),
    behaviour!(
        Orders,
        RestPrivate,
        immediate_order_out_of_reach_ends_unfilled,
        "An immediate-or-cancel order out of reach ends with nothing filled, and rests nowhere."
    )
    .rows("O10"),
    behaviour!(
        Orders,
        RestPrivate,
        immediate_order_larger_than_its_limit_allows_ends_partly_filled,
        "What an immediate-or-cancel order does not get is dropped; what it got counts."
    )
    .rows("O6 O10"),
    behaviour!(
        Orders,
        RestPrivate,
        fill_or_kill_fills_whole,
        "A fill-or-kill order within reach fills whole."
    ),
    behaviour!(
        Orders,
        RestPrivate,
        fill_or_kill_too_large_fills_nothing,
        "A fill-or-kill order that cannot fill whole trades nothing, however the exchange says so."
    )
    .rows("O10 O18"),
    behaviour!(Orders, RestPrivate, post_only_order_rests, "A post-only order away from the market rests."),
    behaviour!(
        Orders,
        RestPrivate,
        post_only_order_never_takes,
        "A post-only order that would take trades nothing, however the exchange says so."
    )
    .rows("O18"),
    behaviour!(
        Orders,
        RestPrivate,
        market_purchase_by_notional_spends_no_more,
        "A market purchase by notional buys, and spends no more than that."
    )
    .rows("M8")
    .needs(|claims| claims.market_orders),
    behaviour!(
        Orders,
        RestPrivate,
        market_sale_by_quantity_sells_it,
        "A market sale by quantity sells exactly that."
    )
    .needs(|claims| claims.market_orders),
    behaviour!(
        Orders,
        RestPrivate,
        market_purchase_by_quantity_is_exact_or_unsupported,
        "A market purchase by quantity buys exactly that, or never leaves us."
    )
    .rows("M8")
    .needs(|claims| claims.market_orders),
    behaviour!(
        Orders,
        RestPrivate,
        market_sale_by_notional_is_honest_or_unsupported,
        "A market sale by notional yields no more than a lot beyond it, or never leaves us."
    )
    .needs(|claims| claims.market_orders),
    behaviour!(
        Orders,
        RestPrivate,
        market_orders_are_unsupported_where_not_claimed,
        "Market orders that are not claimed never leave us."
    )
    .rows("H13")
    .needs(|claims| !claims.market_orders),
    behaviour!(
        Orders,
        RestPrivate,
        market_order_reports_no_limit_price,
        "A protective price of the exchange is not shown as ours."
    )
    .needs(|claims| claims.market_orders),
    behaviour!(
        Orders,
        RestPrivate,
        test_order_is_checked_and_not_placed,
        "A test order is accepted and makes no order."
    )
    .needs(|claims| claims.test_order),
    behaviour!(
        Orders,
        RestPrivate,
        test_order_is_refused_like_an_order,
        "A test order that could not be placed is refused."
    )
    .needs(|claims| claims.test_order),
    behaviour!(
        Orders,
        RestPrivate,
        test_order_is_unsupported_where_not_claimed,
        "A test order where there is none never becomes an order."
    )
    .needs(|claims| !claims.test_order),
];

async fn immediate_order_fills_and_ends(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    for side in [Side::Buy, Side::Sell] {
        let (order, told) = stage.take(&market, side).await?;
        same("state", &OrderStatus::Filled, &told.status)?;
        same("filled", &stage.asked_qty(&market, &order), &Some(told.filled_qty))?;
    }
    Ok(())
}

async fn immediate_order_out_of_reach_ends_unfilled(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let mut order = stage.resting(&market, Side::Buy).await?;
    order.kind = with_tif(&order, TimeInForce::Ioc)?;
    // Refused at once or ended at once: both are normal. It must not rest.
    if stage.exchange.place(order).await.is_ok() {
        let told = stage.ended(&order).await?;
        ensure!(told.status != OrderStatus::Filled, "an end without a fill", told.status);
        same("filled", &Decimal::ZERO, &told.filled_qty)?;
    }
    for record in stage.on_record(order.client_id)? {
        ensure!(record.status.is_terminal(), "an order that has ended", record.status);
        same("filled on record", &Decimal::ZERO, &record.filled_qty)?;
    }
    Ok(())
}

fn with_tif(order: &OrderRequest, tif: TimeInForce) -> Result<OrderKind, Failure> {
    match order.kind {
        OrderKind::Limit { price, qty, .. } => Ok(OrderKind::Limit { price, qty, tif }),
        other => Err(Failure::new("a limit order", format_args!("{other:?}"))),
    }
}

/// A limit at the best price for more than lies there.
async fn too_large(stage: &Stage, market: &Market, tif: TimeInForce) -> Result<OrderRequest, Failure> {
    let best = stage.book(market).await?.bids[0];
    let qty = stage.more_than(market, best)?;
    stage.request(market, Side::Sell, OrderKind::Limit { price: best.price, qty, tif })
}

async fn immediate_order_larger_than_its_limit_allows_ends_partly_filled(stage: &mut Stage) -> Verdict {
    let market = stage.market(2)?;
    // The best price may be gone when the order arrives; then there is nothing to see and it is tried again.
    for _ in 0..10 {
        let order = too_large(stage, &market, TimeInForce::Ioc).await?;
        stage.exchange.place(order).await?;
        let told = stage.ended(&order).await?;
        let record = stage.record(order.client_id)?;
        same("filled quantity", &record.filled_qty, &told.filled_qty)?;
        if told.filled_qty.is_positive() {
            same("state", &OrderStatus::Canceled, &told.status)?;
            let fills = sum(stage.fills_on_record(order.client_id)?.iter().map(|fill| fill.qty))?;
            same("fills", &fills, &told.filled_qty)?;
            ensure!(Some(told.filled_qty) < told.qty, "a part", format_args!("{told:?}"));
            return Ok(());
        }
    }
    Err(Failure::new("a partial fill in ten attempts", "none"))
}

async fn fill_or_kill_fills_whole(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let mut order = stage.taking(&market, Side::Buy).await?;
    order.kind = with_tif(&order, TimeInForce::Fok)?;
    stage.exchange.place(order).await?;
    let told = stage.ended(&order).await?;
    same("state", &OrderStatus::Filled, &told.status)?;
    same("filled", &stage.asked_qty(&market, &order), &Some(told.filled_qty))
}

async fn fill_or_kill_too_large_fills_nothing(stage: &mut Stage) -> Verdict {
    let market = stage.market(2)?;
    let order = too_large(stage, &market, TimeInForce::Fok).await?;
    match stage.exchange.place(order).await {
        Ok(_) => {
            let told = stage.ended(&order).await?;
            ensure!(told.status != OrderStatus::Filled, "an end without a fill", told.status);
        }
        Err(error) => same("outcome", &Outcome::Refused, &error.outcome())?,
    }
    same("fills on record", &0, &stage.fills_on_record(order.client_id)?.len())
}

async fn post_only_order_rests(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let price = stage.far_price(&market, Side::Sell).await?;
    let qty = stage.qty(&market, price)?;
    let order = stage.request(&market, Side::Sell, OrderKind::PostOnly { price, qty })?;
    stage.exchange.place(order).await?;
    same("state", &OrderStatus::New, &stage.found(&order).await?.status)
}

async fn post_only_order_never_takes(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let price = stage.near_price(&market, Side::Buy).await?;
    let qty = stage.qty(&market, price)?;
    let order = stage.request(&market, Side::Buy, OrderKind::PostOnly { price, qty })?;
    match stage.exchange.place(order).await {
        Ok(_) => {
            let told = stage.ended(&order).await?;
            same("filled", &Decimal::ZERO, &told.filled_qty)?;
        }
        Err(error) => same("outcome", &Outcome::Refused, &error.outcome())?,
    }
    same("fills on record", &0, &stage.fills_on_record(order.client_id)?.len())
}

async fn notional(stage: &Stage, market: &Market) -> Result<(Decimal, OrderKind), Failure> {
    let value = market.info.min_notional.checked_mul(Decimal::from(20))?;
    let _ = stage;
    Ok((value, OrderKind::MarketNotional { notional: market.scale.notional(value)? }))
}

async fn market_purchase_by_notional_spends_no_more(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let (most, kind) = notional(stage, &market).await?;
    let order = stage.request(&market, Side::Buy, kind)?;
    stage.exchange.place(order).await?;
    let told = stage.ended(&order).await?;
    let record = stage.record(order.client_id)?;
    same("turnover", &record.filled_notional, &told.filled_notional)?;
    ensure!(
        told.filled_notional.is_positive() && told.filled_notional <= most,
        format_args!("a purchase for at most {most}"),
        told.filled_notional
    );
    same("side", &Side::Buy, &record.side)
}

async fn market_sale_by_quantity_sells_it(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let price = stage.near_price(&market, Side::Sell).await?;
    let qty = stage.qty(&market, price)?;
    let order = stage.request(&market, Side::Sell, OrderKind::Market { qty })?;
    stage.exchange.place(order).await?;
    let told = stage.ended(&order).await?;
    same("filled", &market.scale.qty_value(qty), &told.filled_qty)?;
    same("side on record", &Side::Sell, &stage.record(order.client_id)?.side)
}

async fn market_purchase_by_quantity_is_exact_or_unsupported(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let price = stage.near_price(&market, Side::Buy).await?;
    let qty = stage.qty(&market, price)?;
    let order = stage.request(&market, Side::Buy, OrderKind::Market { qty })?;
    match stage.exchange.place(order).await {
        Ok(_) => {
            let told = stage.ended(&order).await?;
            same("filled", &market.scale.qty_value(qty), &told.filled_qty)
        }
        Err(error) => not_sent(stage, &order, Err::<(), _>(error)),
    }
}

fn not_sent<T: std::fmt::Debug>(
    stage: &Stage,
    order: &OrderRequest,
    result: Result<T, cex_errors::ExchangeError>,
) -> Verdict {
    let error = outcome(result, Outcome::NotSent)?;
    let says = matches!(error.kind, ErrorKind::Unsupported | ErrorKind::InvalidInput(_));
    ensure!(says, "unsupported, or invalid input", error);
    same("orders on record", &0, &stage.on_record(order.client_id)?.len())
}

async fn market_sale_by_notional_is_honest_or_unsupported(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let (value, kind) = notional(stage, &market).await?;
    let order = stage.request(&market, Side::Sell, kind)?;
    match stage.exchange.place(order).await {
        Ok(_) => {
            let told = stage.ended(&order).await?;
            let most = value.checked_add(market.info.lot.checked_mul(Decimal::from(100_000))?)?;
            ensure!(
                told.filled_notional <= most,
                format_args!("a sale for about {value}"),
                told.filled_notional
            );
            same("side on record", &Side::Sell, &stage.record(order.client_id)?.side)
        }
        Err(error) => not_sent(stage, &order, Err::<(), _>(error)),
    }
}

async fn market_orders_are_unsupported_where_not_claimed(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let order = stage.request(&market, Side::Sell, OrderKind::Market { qty: market.min_qty })?;
    not_sent(stage, &order, stage.exchange.place(order).await)
}

async fn market_order_reports_no_limit_price(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let price = stage.near_price(&market, Side::Sell).await?;
    let qty = stage.qty(&market, price)?;
    let order = stage.request(&market, Side::Sell, OrderKind::Market { qty })?;
    stage.exchange.place(order).await?;
    same("price", &None, &stage.ended(&order).await?.price)
}

async fn test_order_is_checked_and_not_placed(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let order = stage.taking(&market, Side::Buy).await?;
    stage.exchange.test_order(order).await?;
    same("orders on record", &0, &stage.truth()?.orders.len())
}

async fn test_order_is_refused_like_an_order(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let mut order = stage.resting(&market, Side::Buy).await?;
    let price = order.kind.price().ok_or_else(|| Failure::new("a price", "none"))?;
    order.kind = OrderKind::Limit {
        price,
        qty: Qty(market.min_qty.0.saturating_mul(100_000_000)).floor_to(market.lot),
        tif: TimeInForce::Gtc,
    };
    let kinds = [ErrorKind::InsufficientBalance, ErrorKind::AboveMaximum, ErrorKind::InvalidInput("")];
    refused(stage.exchange.test_order(order).await, &kinds)
}

async fn test_order_is_unsupported_where_not_claimed(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let order = stage.resting(&market, Side::Buy).await?;
    crate::behaviour::unsupported(stage.exchange.test_order(order).await)?;
    same("orders on record", &0, &stage.truth()?.orders.len())
}
