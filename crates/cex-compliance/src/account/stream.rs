//! The account's stream.

use super::hearing::{next, order, ready};
use crate::behaviour::{Behaviour, Failure, Verdict, behaviour, ensure, same};
use crate::stage::{Stage, sum, until};
use cex_core::{AccountEvent, Balance, Decimal, Fill, OrderStatus, Side};
use cex_interface::{OrderRef, PrivateExchange};
use cex_transport::client::Stream;
use std::collections::BTreeSet;

pub(super) static ALL: &[Behaviour] = &[
    behaviour!(
        Account,
        WebsocketPrivate,
        account_stream_says_when_it_is_complete,
        "The account stream says from when on nothing is missed."
    ),
    behaviour!(
        Account,
        WebsocketPrivate,
        account_stream_tells_of_a_new_order,
        "An order that rests is told."
    ),
    behaviour!(
        Account,
        WebsocketPrivate,
        account_stream_tells_of_the_end_of_an_order,
        "The end of an order is told."
    )
    .rows("W7"),
    behaviour!(
        Account,
        WebsocketPrivate,
        account_stream_tells_every_fill_once,
        "Every fill on record is told, none twice."
    )
    .rows("W9"),
    behaviour!(
        Account,
        WebsocketPrivate,
        streamed_fills_equal_the_exchanges,
        "Price, quantity, fee and side of streamed fills are those on record."
    )
    .rows("M5"),
    behaviour!(
        Account,
        WebsocketPrivate,
        streamed_fills_equal_those_of_calls,
        "A fill has the same identifier over stream and call, so that it counts once."
    )
    .rows("W9"),
    behaviour!(
        Account,
        WebsocketPrivate,
        streamed_order_quantities_never_fall,
        "Cumulative quantities of an order grow."
    )
    .rows("W8"),
    behaviour!(
        Account,
        WebsocketPrivate,
        account_stream_tells_of_balances,
        "Free and locked of what an order moves are told, and end at the exchange's."
    )
    .rows("W16"),
    behaviour!(
        Account,
        WebsocketPrivate,
        streamed_orders_carry_our_identifier,
        "Reports of our orders carry our client order id."
    ),
    behaviour!(
        Account,
        WebsocketPrivate,
        streamed_side_price_and_quantity_are_exact,
        "Side, price and quantity of a streamed order are those of the request."
    ),
    behaviour!(
        Account,
        WebsocketPrivate,
        account_stream_keeps_apart_from_the_other_account,
        "Events of another account never come."
    ),
];

async fn account_stream_says_when_it_is_complete(stage: &mut Stage) -> Verdict {
    ready(stage).await.map(|_| ())
}

async fn account_stream_tells_of_a_new_order(stage: &mut Stage) -> Verdict {
    let mut stream = ready(stage).await?;
    let market = stage.market(0)?;
    let (placed, _) = stage.rest(&market, Side::Buy).await?;
    next("news of the order", &mut stream, |event| {
        let Some(told) = order(event).filter(|told| told.client_id == Some(placed.client_id)) else {
            return Ok(None);
        };
        same("state and fills", &(OrderStatus::New, Decimal::ZERO), &(told.status, told.filled_qty))?;
        Ok(Some(()))
    })
    .await
}

async fn account_stream_tells_of_the_end_of_an_order(stage: &mut Stage) -> Verdict {
    let mut stream = ready(stage).await?;
    let market = stage.market(0)?;
    let (placed, answer) = stage.rest(&market, Side::Sell).await?;
    stage.exchange.cancel(market.id, OrderRef::Id(answer.order_id)).await?;
    next("the end of the order", &mut stream, |event| {
        let ended =
            order(event).filter(|told| told.client_id == Some(placed.client_id) && told.status.is_terminal());
        ended.map(|told| same("state", &OrderStatus::Canceled, &told.status)).transpose()
    })
    .await
}

/// Trades, and collects fills until all on record were told.
async fn traded(stage: &Stage, stream: &mut Stream) -> Result<Vec<Fill>, Failure> {
    let market = stage.market(1)?;
    for side in [Side::Buy, Side::Sell, Side::Buy] {
        stage.take(&market, side).await?;
    }
    let expected = sum(stage.truth()?.fills.iter().map(|fill| fill.qty))?;
    let mut told: Vec<Fill> = Vec::new();
    next("all fills on record", stream, |event| {
        if let AccountEvent::Fill(fill) = event {
            told.push(fill);
        }
        Ok((sum(told.iter().map(|fill| fill.qty))? >= expected).then_some(()))
    })
    .await?;
    // Whatever was told twice has come before the news of an order placed now.
    let (marker, _) = stage.rest(&market, Side::Buy).await?;
    next("news of a later order", stream, |event| {
        if let AccountEvent::Fill(fill) = event {
            told.push(fill);
        }
        Ok(order(event).filter(|order| order.client_id == Some(marker.client_id)).map(|_| ()))
    })
    .await?;
    Ok(told)
}

async fn account_stream_tells_every_fill_once(stage: &mut Stage) -> Verdict {
    let mut stream = ready(stage).await?;
    let told = traded(stage, &mut stream).await?;
    let keys: BTreeSet<_> = told.iter().map(|fill| fill.trade_id.as_str().to_owned()).collect();
    let expected = stage.truth()?.fills.len();
    same("fills, and different ones", &(expected, expected), &(told.len(), keys.len()))
}

async fn streamed_fills_equal_the_exchanges(stage: &mut Stage) -> Verdict {
    let mut stream = ready(stage).await?;
    let told = traded(stage, &mut stream).await?;
    let mut told: Vec<_> =
        told.iter().map(|fill| (fill.price, fill.qty, fill.fee, fill.fee_asset, fill.side)).collect();
    let mut expected: Vec<_> = stage
        .truth()?
        .fills
        .iter()
        .map(|fill| (fill.price, fill.qty, fill.fee, fill.fee_asset, fill.side))
        .collect();
    let key = |fill: &(Decimal, Decimal, Decimal, cex_core::Asset, Side)| (fill.0, fill.1, fill.2);
    told.sort_by_key(key);
    expected.sort_by_key(key);
    same("price, quantity, fee, its coin and side of the fills", &expected, &told)
}

async fn streamed_fills_equal_those_of_calls(stage: &mut Stage) -> Verdict {
    let mut stream = ready(stage).await?;
    let streamed = traded(stage, &mut stream).await?;
    let market = stage.market(1)?;
    let streamed: BTreeSet<_> = streamed.iter().map(|fill| fill.trade_id.as_str().to_owned()).collect();
    until("the same fills by asking", || async {
        let range = cex_interface::TimeRange::default();
        let told = stage.exchange.my_trades(market.id, None, range, 100).await?;
        let told: BTreeSet<_> = told.iter().map(|fill| fill.trade_id.as_str().to_owned()).collect();
        if told.len() < streamed.len() {
            return Ok(None);
        }
        same("identifiers of fills", &streamed, &told)?;
        Ok(Some(()))
    })
    .await
}

async fn streamed_order_quantities_never_fall(stage: &mut Stage) -> Verdict {
    let mut stream = ready(stage).await?;
    let market = stage.market(0)?;
    let (placed, end) = stage.take(&market, Side::Buy).await?;
    let mut before = Decimal::ZERO;
    next("the order's end", &mut stream, |event| {
        let Some(told) = order(event).filter(|told| told.client_id == Some(placed.client_id)) else {
            return Ok(None);
        };
        ensure!(told.filled_qty >= before, format_args!("at least {before} filled"), told.filled_qty);
        before = told.filled_qty;
        Ok((told.status.is_terminal() && told.filled_qty == end.filled_qty).then_some(()))
    })
    .await
}

async fn account_stream_tells_of_balances(stage: &mut Stage) -> Verdict {
    let mut stream = ready(stage).await?;
    let market = stage.market(0)?;
    let symbol = market.info.symbol;
    stage.take(&market, Side::Buy).await?;
    stage.rest(&market, Side::Buy).await?;
    let expected = [stage.has(symbol.base)?, stage.has(symbol.quote)?];
    let mut told = [None, None];
    let is = |balance: Balance, expected: (Decimal, Decimal)| (balance.free, balance.locked) == expected;
    next("balances equal to those on record", &mut stream, |event| {
        let AccountEvent::Balance(balance) = event else { return Ok(None) };
        for (at, asset) in [symbol.base, symbol.quote].into_iter().enumerate() {
            if balance.asset == asset {
                told[at] = Some(balance);
            }
        }
        let both =
            told.iter().zip(expected).all(|(told, expected)| told.is_some_and(|told| is(told, expected)));
        Ok(both.then_some(()))
    })
    .await
    .map_err(|failure| {
        Failure::new(format_args!("{} {expected:?}", failure.expected), format_args!("{told:?}"))
    })
}

async fn streamed_orders_carry_our_identifier(stage: &mut Stage) -> Verdict {
    let mut stream = ready(stage).await?;
    let market = stage.market(0)?;
    let (placed, answer) = stage.rest(&market, Side::Buy).await?;
    next("news of the order", &mut stream, |event| {
        let Some(told) = order(event).filter(|told| told.order_id == Some(answer.order_id)) else {
            return Ok(None);
        };
        same("client id", &Some(placed.client_id), &told.client_id)?;
        Ok(Some(()))
    })
    .await
}

async fn streamed_side_price_and_quantity_are_exact(stage: &mut Stage) -> Verdict {
    let mut stream = ready(stage).await?;
    for (index, side) in [(0, Side::Sell), (1, Side::Buy)] {
        let market = stage.market(index)?;
        let (placed, _) = stage.rest(&market, side).await?;
        let price = placed.kind.price().map(|price| market.scale.price_value(price));
        let expected = (market.id, side, price, stage.asked_qty(&market, &placed));
        next("news of the order", &mut stream, |event| {
            let Some(told) = order(event).filter(|told| told.client_id == Some(placed.client_id)) else {
                return Ok(None);
            };
            same(
                "symbol, side, price and quantity",
                &expected,
                &(told.symbol, told.side, told.price, told.qty),
            )?;
            Ok(Some(()))
        })
        .await?;
    }
    Ok(())
}

async fn account_stream_keeps_apart_from_the_other_account(stage: &mut Stage) -> Verdict {
    let mut stream = ready(stage).await?;
    let other = stage.other().await?;
    let market = stage.market(0)?;
    let theirs = stage.taking(&market, Side::Buy).await?;
    other.place(theirs).await?;
    until("the other account's order on record", || async {
        Ok((!stage.truth_of("other")?.orders.is_empty()).then_some(()))
    })
    .await?;
    let (ours, _) = stage.rest(&market, Side::Buy).await?;
    next("news of our order", &mut stream, |event| match event {
        AccountEvent::Order(told) => {
            same("client id of the first order told", &Some(ours.client_id), &told.client_id)?;
            Ok(Some(()))
        }
        AccountEvent::Fill(fill) => Err(Failure::new("no fill", format_args!("{fill:?}"))),
        AccountEvent::Balance(_) => Ok(None),
    })
    .await
}
