//! Balances, fees and own trades over calls.

use crate::behaviour::{Behaviour, Failure, Verdict, behaviour, ensure, same};
use crate::stage::{Stage, until};
use cex_core::{Asset, Decimal, Fill, Liquidity, Side};
use cex_errors::{ErrorKind, Outcome};
use cex_interface::{Listing, OrderRef, PrivateExchange, TimeRange};
use std::collections::BTreeSet;
use std::time::Duration;

pub(super) static ALL: &[Behaviour] = &[
    behaviour!(
        Account,
        RestPrivate,
        balances_equal_the_exchanges,
        "Free and locked of every coin are the exchange's, to the last digit."
    )
    .rows("M2"),
    behaviour!(
        Account,
        RestPrivate,
        balance_of_one_coin_is_that_coins,
        "The balance of one coin is that coin's."
    ),
    behaviour!(
        Account,
        RestPrivate,
        coin_never_held_has_nothing,
        "A coin the account never held is zero, not an error."
    ),
    behaviour!(
        Account,
        RestPrivate,
        account_says_that_it_may_trade,
        "Permissions of a trading key are not denied."
    )
    .rows("C6"),
    behaviour!(
        Account,
        RestPrivate,
        open_order_locks_what_it_spends,
        "What an open order spends is locked, and freed by its end."
    ),
    behaviour!(
        Account,
        RestPrivate,
        balances_after_trading_equal_the_exchanges,
        "After a purchase and a sale balances are the exchange's, fees included."
    )
    .rows("M5"),
    behaviour!(
        Account,
        RestPrivate,
        trading_fee_of_a_symbol_is_the_accounts,
        "The fees of a symbol are those the account is charged."
    )
    .rows("M6"),
    behaviour!(
        Account,
        RestPrivate,
        fees_without_a_symbol_hold_or_are_unsupported,
        "Fees of the account as a whole are the account's, or it is said that there is no such thing."
    ),
    behaviour!(
        Account,
        RestPrivate,
        fills_of_an_order_equal_the_exchanges,
        "Price, quantity, fee and role of each fill are on record the same."
    )
    .rows("M2 M5"),
    behaviour!(
        Account,
        RestPrivate,
        fee_assets_equal_the_exchanges,
        "The coin a fee is taken in is the one it was taken in."
    )
    .rows("M5"),
    behaviour!(Account, RestPrivate, fills_name_our_orders, "Each fill names the order it belongs to."),
    behaviour!(Account, RestPrivate, fills_come_once_each, "No fill is told twice in one answer.").rows("W9"),
    behaviour!(
        Account,
        RestPrivate,
        fills_of_one_order_exclude_the_others,
        "Asked for one order's fills, only those come."
    ),
    behaviour!(Account, RestPrivate, fills_honour_their_limit, "No more fills than asked for.").rows("H7"),
    behaviour!(
        Account,
        RestPrivate,
        fills_of_a_span_hold_the_new_ones,
        "Fills of the last minute hold what was just filled."
    )
    .rows("H7"),
    behaviour!(
        Account,
        RestPrivate,
        resting_side_is_told_as_maker,
        "A fill of a resting order is a maker's."
    ),
];

async fn compare_balances(stage: &Stage) -> Verdict {
    let truth = stage.truth()?;
    let told = stage.exchange.account().await?;
    for (asset, free, locked) in &truth.balances {
        let balance = told.balance(*asset);
        let told = balance.map_or((Decimal::ZERO, Decimal::ZERO), |balance| (balance.free, balance.locked));
        same(&format!("free and locked {asset}"), &(*free, *locked), &told)?;
    }
    Ok(())
}

async fn balances_equal_the_exchanges(stage: &mut Stage) -> Verdict {
    ensure!(!stage.truth()?.balances.is_empty(), "balances on record", "none");
    compare_balances(stage).await
}

async fn balance_of_one_coin_is_that_coins(stage: &mut Stage) -> Verdict {
    for symbol in stage.symbols() {
        let told = stage.exchange.balance(symbol.base).await?;
        let (free, locked) = stage.has(symbol.base)?;
        same("coin, free and locked", &(symbol.base, free, locked), &(told.asset, told.free, told.locked))?;
        ensure!(told.free.is_positive(), "something of it", told.free);
    }
    Ok(())
}

async fn coin_never_held_has_nothing(stage: &mut Stage) -> Verdict {
    let asset = Asset::new("NEVERHELD").map_err(|error| Failure::new("a short name", error))?;
    let told = stage.exchange.balance(asset).await?;
    same(
        "coin, free and locked",
        &(asset, Decimal::ZERO, Decimal::ZERO),
        &(told.asset, told.free, told.locked),
    )
}

async fn account_says_that_it_may_trade(stage: &mut Stage) -> Verdict {
    let told = stage.exchange.account().await?;
    ensure!(told.can_trade != Some(false), "a key that may trade", format_args!("{:?}", told.can_trade));
    Ok(())
}

async fn open_order_locks_what_it_spends(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    for (side, asset) in [(Side::Buy, market.info.symbol.quote), (Side::Sell, market.info.symbol.base)] {
        let (before, _) = stage.has(asset)?;
        let (order, placed) = stage.rest(&market, side).await?;
        let told = stage.exchange.balance(asset).await?;
        same("free and locked", &stage.has(asset)?, &(told.free, told.locked))?;
        ensure!(told.locked.is_positive(), "something locked", told.locked);
        let spent = match (side, order.kind.price(), order.kind.qty()) {
            (Side::Buy, Some(price), Some(qty)) => market.scale.notional_value(price.times(qty)),
            (_, _, Some(qty)) => market.scale.qty_value(qty),
            _ => Decimal::ZERO,
        };
        ensure!(told.locked >= spent, format_args!("at least {spent} locked"), told.locked);
        stage.exchange.cancel(market.id, OrderRef::Id(placed.order_id)).await?;
        stage.ended(&order).await?;
        let told = stage.exchange.balance(asset).await?;
        same("free and locked after the end", &(before, Decimal::ZERO), &(told.free, told.locked))?;
    }
    Ok(())
}

async fn balances_after_trading_equal_the_exchanges(stage: &mut Stage) -> Verdict {
    let before = stage.truth()?.balances;
    for index in 0..2 {
        let market = stage.market(index)?;
        stage.take(&market, Side::Buy).await?;
        stage.take(&market, Side::Sell).await?;
    }
    ensure!(before != stage.truth()?.balances, "balances that moved", "the same");
    compare_balances(stage).await
}

async fn trading_fee_of_a_symbol_is_the_accounts(stage: &mut Stage) -> Verdict {
    for (index, rules) in stage.rules().iter().enumerate() {
        let market = stage.market(index)?;
        let fees = stage.exchange.trading_fees(Some(market.id)).await?;
        let fee = fees.iter().find(|fee| fee.symbol.is_none_or(|symbol| symbol == market.id));
        let fee = fee.ok_or_else(|| Failure::new("a fee of the symbol", "none"))?;
        same("maker and taker fee", &(rules.maker_fee, rules.taker_fee), &(fee.maker, fee.taker))?;
    }
    Ok(())
}

async fn fees_without_a_symbol_hold_or_are_unsupported(stage: &mut Stage) -> Verdict {
    match stage.exchange.trading_fees(None).await {
        Ok(fees) => {
            let rules = stage.rules().first().ok_or_else(|| Failure::new("rules", "none"))?;
            ensure!(!fees.is_empty(), "fees", "none");
            for fee in fees {
                same("maker and taker fee", &(rules.maker_fee, rules.taker_fee), &(fee.maker, fee.taker))?;
            }
            Ok(())
        }
        // A key that trades and nothing else need not reach them.
        Err(error) if error.kind == ErrorKind::PermissionDenied => Ok(()),
        Err(error) => same("outcome", &Outcome::NotSent, &error.outcome()),
    }
}

/// Our fills of an order, once the exchange tells as many as it has on record.
async fn fills(
    stage: &Stage,
    order: &cex_core::OrderRequest,
    id: cex_core::OrderId,
) -> Result<Listing<Fill>, Failure> {
    until("all fills of the order", || async {
        let expected = stage.fills_on_record(order.client_id)?.len();
        let told = stage.exchange.my_trades(order.symbol, Some(id), TimeRange::default(), 100).await?;
        Ok((told.len() >= expected && expected > 0).then_some(told))
    })
    .await
}

async fn fills_of_an_order_equal_the_exchanges(stage: &mut Stage) -> Verdict {
    for (index, side) in [(0, Side::Buy), (1, Side::Sell), (2, Side::Buy)] {
        let market = stage.market(index)?;
        let (order, told) = stage.take(&market, side).await?;
        let id = told.order_id.ok_or_else(|| Failure::new("an order id", "none"))?;
        let mut told: Vec<_> = fills(stage, &order, id)
            .await?
            .iter()
            .map(|fill| (fill.price, fill.qty, fill.fee, fill.side, fill.liquidity == Liquidity::Maker))
            .collect();
        let on_record = stage.fills_on_record(order.client_id)?;
        let mut expected: Vec<_> =
            on_record.iter().map(|fill| (fill.price, fill.qty, fill.fee, fill.side, fill.is_maker)).collect();
        told.sort_by_key(|fill| (fill.0, fill.1));
        expected.sort_by_key(|fill| (fill.0, fill.1));
        same("price, quantity, fee, side and role of the fills", &expected, &told)?;
    }
    Ok(())
}

async fn fee_assets_equal_the_exchanges(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    for side in [Side::Buy, Side::Sell] {
        let (order, told) = stage.take(&market, side).await?;
        let id = told.order_id.ok_or_else(|| Failure::new("an order id", "none"))?;
        let expected = stage.fills_on_record(order.client_id)?.first().map(|fill| fill.fee_asset);
        for fill in fills(stage, &order, id).await? {
            same("coin of the fee", &expected, &Some(fill.fee_asset))?;
        }
    }
    Ok(())
}

async fn fills_name_our_orders(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let (order, told) = stage.take(&market, Side::Buy).await?;
    let id = told.order_id.ok_or_else(|| Failure::new("an order id", "none"))?;
    for fill in fills(stage, &order, id).await? {
        same(
            "order, symbol and venue",
            &(id, market.id, stage.venue()),
            &(fill.order_id, fill.symbol, fill.venue),
        )?;
        ensure!(
            fill.client_id.is_none_or(|client_id| client_id == order.client_id),
            format_args!("{} or nothing", order.client_id),
            format_args!("{:?}", fill.client_id)
        );
        let now = stage.now();
        let apart = now.since(fill.exchange_ts).max(fill.exchange_ts.since(now));
        ensure!(apart < Duration::from_secs(60), format_args!("a time near {now}"), fill.exchange_ts);
    }
    Ok(())
}

async fn some_fills(stage: &Stage) -> Result<usize, Failure> {
    let market = stage.market(0)?;
    for _ in 0..4 {
        stage.take(&market, Side::Buy).await?;
    }
    let expected = stage.truth()?.fills.iter().filter(|fill| fill.symbol == market.symbol()).count();
    until("all fills of the symbol", || async {
        let told = stage.exchange.my_trades(market.id, None, TimeRange::default(), 100).await?;
        Ok((told.len() >= expected).then_some(()))
    })
    .await?;
    Ok(expected)
}

async fn fills_come_once_each(stage: &mut Stage) -> Verdict {
    let expected = some_fills(stage).await?;
    let market = stage.market(0)?;
    let told = stage.exchange.my_trades(market.id, None, TimeRange::default(), 100).await?;
    let keys: BTreeSet<_> = told.iter().map(|fill| fill.trade_id.as_str().to_owned()).collect();
    same("fills, and different ones", &(expected, expected), &(told.len(), keys.len()))
}

async fn fills_of_one_order_exclude_the_others(stage: &mut Stage) -> Verdict {
    some_fills(stage).await?;
    let market = stage.market(0)?;
    let (order, told) = stage.take(&market, Side::Sell).await?;
    let id = told.order_id.ok_or_else(|| Failure::new("an order id", "none"))?;
    let told = fills(stage, &order, id).await?;
    let strange = told.iter().find(|fill| fill.order_id != id);
    ensure!(strange.is_none(), format_args!("fills of {id} only"), format_args!("{strange:?}"));
    same("fills", &stage.fills_on_record(order.client_id)?.len(), &told.len())
}

async fn fills_honour_their_limit(stage: &mut Stage) -> Verdict {
    some_fills(stage).await?;
    let market = stage.market(0)?;
    let told = stage.exchange.my_trades(market.id, None, TimeRange::default(), 2).await?;
    same("fills", &2, &told.len())
}

async fn fills_of_a_span_hold_the_new_ones(stage: &mut Stage) -> Verdict {
    let expected = some_fills(stage).await?;
    let market = stage.market(0)?;
    let (from, to) = (stage.now() - Duration::from_secs(60), stage.now() + Duration::from_secs(2));
    let range = TimeRange { from: Some(from), to: Some(to) };
    let told = stage.exchange.my_trades(market.id, None, range, 100).await?;
    same("fills of the last minute", &expected, &told.len())?;
    let range = TimeRange {
        from: Some(from - Duration::from_secs(7_200)),
        to: Some(from - Duration::from_secs(3_600)),
    };
    let told = stage.exchange.my_trades(market.id, None, range, 100).await?;
    same("fills of an hour before", &0, &told.len())
}

/// Our order at a price of its own inside the spread is met by the other account's.
async fn resting_side_is_told_as_maker(stage: &mut Stage) -> Verdict {
    let market = stage.market(2)?;
    let other = stage.other().await?;
    for _ in 0..10 {
        let book = stage.book(&market).await?;
        let price = book.asks[0].price.0 - market.tick.0;
        if price <= book.bids[0].price.0 {
            continue;
        }
        let price = cex_core::Price(price);
        let qty = stage.qty(&market, price)?;
        let order = stage.request(&market, Side::Sell, cex_core::OrderKind::PostOnly { price, qty })?;
        if stage.exchange.place(order).await.is_err() {
            continue;
        }
        let kind = cex_core::OrderKind::Limit { price, qty, tif: cex_core::TimeInForce::Ioc };
        other.place(stage.request(&market, Side::Buy, kind)?).await?;
        let Some(fill) = stage.fills_on_record(order.client_id)?.pop() else {
            continue;
        };
        let told = stage.found(&order).await?;
        let id = told.order_id.ok_or_else(|| Failure::new("an order id", "none"))?;
        let told = fills(stage, &order, id).await?;
        ensure!(fill.is_maker, "a maker's fill on record", "a taker's");
        let roles: Vec<_> = told.iter().map(|fill| fill.liquidity).collect();
        return same("roles", &vec![Liquidity::Maker; roles.len()], &roles);
    }
    Err(Failure::new("room inside the spread in ten attempts", "none"))
}
