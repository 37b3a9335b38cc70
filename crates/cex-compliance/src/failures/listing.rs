//! What an exchange lists changes while we trade: symbols go, open on one side, get other rules; wallets close.

use crate::behaviour::{Behaviour, Failure, Verdict, behaviour, ensure, outcome, same};
use crate::follow::Follow;
use crate::stage::{Stage, until};
use cex_core::{OrderStatus, Side, Symbol, SymbolInfo};
use cex_errors::{ErrorKind, Outcome};
use cex_interface::{PrivateExchange, PublicExchange};
use cex_sim::fault::{Fault, VenueFault};
use std::time::Duration;

pub(super) static ALL: &[Behaviour] = &[
    behaviour!(Failures, RestPrivate, delisted_symbol_is_told_and_its_orders_are_ends, "A delisted symbol is not tradable any more, takes no orders, and what was open has ended.").rows("M15 O18"),
    behaviour!(Failures, RestPrivate, announced_delisting_is_told, "A symbol that is going to be delisted still trades, until its time.").rows("M15"),
    behaviour!(Failures, RestPrivate, symbol_open_on_one_side_takes_that_side, "A symbol that can only be sold is told as such, sells, and buys are refused.").rows("M15 H14"),
    behaviour!(Failures, RestPrivate, symbol_closed_to_the_api_is_not_tradable, "A symbol that is closed to the API is told as such, and orders are refused.").rows("H14"),
    behaviour!(Failures, RestPrivate, changed_rules_are_told_and_kept, "After a change of rules the steps and the minimum are the new ones, and orders by the old ones are refused, definitely.").rows("M4"),
    behaviour!(Failures, RestPrivate, closed_wallet_is_told, "A coin whose deposits or withdrawals are closed is told as such.").rows("M14"),
    behaviour!(Failures, RestPublic, partial_list_of_symbols_is_told_as_it_is, "Of a list with half of the symbols the others are told right, and nothing is made up for the missing ones.").rows("H10"),
    behaviour!(Failures, WebsocketPublic, book_follows_a_stream_in_pieces, "A stream that comes in pieces of a few bytes gives the same book.").rows("T5"),
];

async fn told(stage: &Stage, symbol: Symbol) -> Result<Option<SymbolInfo>, Failure> {
    Ok(stage.exchange.symbols().await?.into_iter().find(|info| info.symbol == symbol))
}

/// An order must be refused, definitely, and must not be on record.
async fn turned_down(stage: &Stage, order: cex_core::OrderRequest) -> Result<ErrorKind, Failure> {
    let error = outcome(stage.exchange.place(order).await, Outcome::Refused)?;
    same("orders on record", &0, &stage.on_record(order.client_id)?.len())?;
    Ok(error.kind)
}

async fn delisted_symbol_is_told_and_its_orders_are_ends(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let (open, _) = stage.rest(&market, Side::Buy).await?;
    // Asked for while there is a book.
    let late = stage.resting(&market, Side::Buy).await?;
    stage.inject(Fault::venue(VenueFault::Delist { symbol: market.symbol(), after: Duration::ZERO }))?;
    let ended = stage.ended(&open).await?;
    same("state of what was open", &OrderStatus::Canceled, &ended.status)?;
    let kind = turned_down(stage, late).await?;
    ensure!(
        matches!(kind, ErrorKind::TradingHalted | ErrorKind::InvalidSymbol),
        "a halt or an unknown symbol",
        format_args!("{kind:?}")
    );
    let info = told(stage, market.symbol()).await?;
    ensure!(info.as_ref().is_none_or(|info| !info.is_tradable()), "not tradable", format_args!("{info:?}"));
    let other = stage.market(1)?;
    let (order, _) = stage.take(&other, Side::Buy).await?;
    stage.record(order.client_id).map(|_| ())
}

async fn announced_delisting_is_told(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let after = Duration::from_secs(3_600);
    let id = stage.inject(Fault::venue(VenueFault::Delist { symbol: market.symbol(), after }))?;
    let (order, _) = stage.take(&market, Side::Buy).await?;
    stage.record(order.client_id)?;
    stage.sim()?.clear(id)?;
    let info = told(stage, market.symbol()).await?;
    ensure!(info.as_ref().is_some_and(SymbolInfo::is_tradable), "tradable again", format_args!("{info:?}"));
    Ok(())
}

async fn symbol_open_on_one_side_takes_that_side(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let (buy, sell) = (stage.resting(&market, Side::Buy).await?, stage.resting(&market, Side::Sell).await?);
    stage.inject(Fault::venue(VenueFault::Sides { symbol: market.symbol(), buy: false, sell: true }))?;
    let kind = turned_down(stage, buy).await?;
    ensure!(
        matches!(kind, ErrorKind::TradingHalted | ErrorKind::InvalidSymbol | ErrorKind::AccountRestricted),
        "a halt of this side",
        format_args!("{kind:?}")
    );
    stage.exchange.place(sell).await?;
    stage.record(sell.client_id)?;
    let info = told(stage, market.symbol()).await?;
    ensure!(
        info.as_ref().is_some_and(|info| info.status == cex_core::TradingStatus::SellOnly),
        "selling only",
        format_args!("{info:?}")
    );
    Ok(())
}

async fn symbol_closed_to_the_api_is_not_tradable(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let order = stage.resting(&market, Side::Buy).await?;
    stage.inject(Fault::venue(VenueFault::Sides { symbol: market.symbol(), buy: false, sell: false }))?;
    let kind = turned_down(stage, order).await?;
    ensure!(
        matches!(kind, ErrorKind::InvalidSymbol | ErrorKind::TradingHalted),
        "an unknown symbol or a halt",
        format_args!("{kind:?}")
    );
    let info = told(stage, market.symbol()).await?;
    ensure!(info.as_ref().is_none_or(|info| !info.is_tradable()), "not tradable", format_args!("{info:?}"));
    Ok(())
}

async fn changed_rules_are_told_and_kept(stage: &mut Stage) -> Verdict {
    let market = stage.market(0)?;
    let before = told(stage, market.symbol()).await?.ok_or_else(|| Failure::new("the symbol", "nothing"))?;
    let mut fine = stage.resting(&market, Side::Buy).await?;
    let price_dp = before.price_dp.checked_sub(1);
    let price_dp = price_dp.ok_or_else(|| Failure::new("a price with decimals", "none"))?;
    let least = before.min_notional.checked_add(cex_core::Decimal::from(7))?;
    stage.inject(Fault::venue(VenueFault::Rules {
        symbol: market.symbol(),
        price_dp: Some(price_dp),
        qty_dp: None,
        min_notional: Some(least),
    }))?;
    until("the new rules", || async {
        let after = told(stage, market.symbol()).await?;
        let after = after.filter(|after| after.price_dp == price_dp && after.min_notional == least);
        Ok(after.map(|_| ()))
    })
    .await?;
    // One old tick off the new ones.
    if let cex_core::OrderKind::Limit { price, .. } = &mut fine.kind {
        *price = price.floor_to(cex_core::Price(market.tick.0 * 10));
        price.0 += market.tick.0;
    }
    turned_down(stage, fine).await.map(|_| ())
}

async fn closed_wallet_is_told(stage: &mut Stage) -> Verdict {
    let asset = stage.market(0)?.symbol().base;
    let open = async |stage: &Stage| -> Result<(bool, bool), Failure> {
        let assets = stage.exchange.assets().await?;
        let info = assets.into_iter().find(|info| info.asset == asset);
        let network = info.and_then(|info| info.networks.into_iter().next());
        let network = network.ok_or_else(|| Failure::new("a chain", "none"))?;
        Ok((network.deposit_enabled, network.withdraw_enabled))
    };
    same("open at first", &(true, true), &open(stage).await?)?;
    let wallet = VenueFault::Wallet { asset, deposits: false, withdrawals: true };
    let id = stage.inject(Fault::venue(wallet))?;
    same("with deposits closed", &(false, true), &open(stage).await?)?;
    stage.sim()?.clear(id)?;
    stage.inject(Fault::venue(VenueFault::Wallet { asset, deposits: true, withdrawals: false }))?;
    same("with withdrawals closed", &(true, false), &open(stage).await?)
}

async fn partial_list_of_symbols_is_told_as_it_is(stage: &mut Stage) -> Verdict {
    let whole = stage.exchange.symbols().await?;
    stage.inject(Fault::venue(VenueFault::HalfInfo))?;
    let part = stage.exchange.symbols().await?;
    ensure!(
        part.len() < whole.len() && !part.is_empty(),
        format_args!("fewer than {}", whole.len()),
        part.len()
    );
    for info in &part {
        ensure!(whole.contains(info), "as in the whole list", format_args!("{info:?}"));
    }
    Ok(())
}

async fn book_follows_a_stream_in_pieces(stage: &mut Stage) -> Verdict {
    stage.inject(Fault::venue(VenueFault::Slice(7)))?;
    let mut follow = Follow::open(stage, 0).await?;
    follow.until_live(stage).await?;
    follow.updates(stage, 20).await?;
    follow.equals_snapshot(stage).await
}
