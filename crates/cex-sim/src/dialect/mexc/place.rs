//! From a placement's parameters to an order: every rule, in the order the exchange checks them. Balances are the
//! matching engine's business.

use super::Mexc;
use super::config::{MarketFlags, MarketStatus, TradeSides};
use super::params::Params;
use super::refusal::Refusal;
use crate::matching::{
    AccountIndex, Exchange, MarketIndex, MarketRules, NewOrder, NewOrderKind, Reject, SelfTrade,
};
use cex_core::{Decimal, NumError, Price, Qty, Side};

/// Orders of an account that may be open at a time.
const MOST_OPEN: usize = 500;
/// Bytes of a client order id. No source knows the limit.
const LONGEST_CLIENT_ID: usize = 36;
/// How far from the best price a market order goes at worst, in per cent.
const PROTECTION_PERCENT: i128 = 5;

/// A placement that obeys every rule but the balances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Placement {
    /// The order.
    pub(super) order: NewOrder,
    /// What a market order will show as its price.
    pub(super) protective: Option<Price>,
    /// Who goes when it would meet one of its own, with the exchange's word for it.
    pub(super) self_trade: Option<(SelfTrade, &'static str)>,
}

/// The types a client may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Limit,
    LimitMaker,
    Ioc,
    Fok,
    Market,
}

/// Checks a placement.
pub(super) fn check(
    mexc: &Mexc,
    exchange: &Exchange,
    account: AccountIndex,
    params: &Params<'_>,
) -> Result<Placement, Refusal> {
    let client_id = client_id(params)?;
    let market = market(mexc, params)?;
    let flags = mexc.listings.of(market).flags;
    let manners = mexc.manners.market(market);
    let side = side(params, flags)?;
    if !manners.takes(side) {
        return Err(Refusal::new(30_001, "current transaction direction is not allowed"));
    }
    let kind = type_of(params, flags)?;
    let rules = exchange.rules(market);
    let (kind, protective) = match kind {
        Type::Market => {
            let kind = market_kind(rules, side, params)?;
            if let NewOrderKind::Market { qty } = kind
                && !manners.fits(rules.scale, None, Some(qty))
            {
                return Err(too_fine());
            }
            (kind, Some(check_market(mexc, exchange, market, side, &kind)?))
        }
        Type::Limit | Type::LimitMaker | Type::Ioc | Type::Fok => {
            let (price, qty) = price_and_qty(rules, params)?;
            if !manners.fits(rules.scale, Some(price), Some(qty)) {
                return Err(too_fine());
            }
            check_value(mexc, rules, price, qty)?;
            check_band(exchange, market, flags, side, price)?;
            (limit_kind(kind, price, qty), None)
        }
    };
    check_open(exchange, account, &kind)?;
    let self_trade = match params.get("stpMode").unwrap_or_default() {
        "" => None,
        "cancel_taker" => Some((SelfTrade::CancelNew, "cancel_taker")),
        "cancel_maker" => Some((SelfTrade::CancelOld, "cancel_maker")),
        "cancel_both" => Some((SelfTrade::CancelBoth, "cancel_both")),
        _ => return Err(Refusal::new(33_333, "param is error")),
    };
    Ok(Placement { order: NewOrder { market, client_id, side, kind }, protective, self_trade })
}

fn client_id(params: &Params<'_>) -> Result<String, Refusal> {
    let text = params.get("newClientOrderId").unwrap_or_default();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if text.len() > LONGEST_CLIENT_ID || !text.bytes().all(is_plain) {
        return Err(Refusal::new(700_008, "Illegal characters found in parameter 'newClientOrderId'"));
    }
    Ok(text.to_owned())
}

fn market(mexc: &Mexc, params: &Params<'_>) -> Result<MarketIndex, Refusal> {
    let market = mexc.listings.find(params.required("symbol")?).ok_or_else(Refusal::bad_symbol)?;
    let flags = mexc.listings.of(market).flags;
    if !flags.api_tradable || mexc.manners.market(market).is_closed() {
        return Err(Refusal::new(10_007, "symbol not support api"));
    }
    match flags.status {
        MarketStatus::Online => Ok(market),
        MarketStatus::Paused => Err(Refusal::new(30_000, "suspended transaction for the symbol")),
        MarketStatus::Offline => Err(Refusal::new(30_016, "trading disabled")),
    }
}

fn side(params: &Params<'_>, flags: MarketFlags) -> Result<Side, Refusal> {
    let side = match params.required("side")? {
        "BUY" => Side::Buy,
        "SELL" => Side::Sell,
        _ => return Err(Refusal::mandatory("side")),
    };
    let is_open = match flags.sides {
        TradeSides::Both => true,
        TradeSides::BuyOnly => side == Side::Buy,
        TradeSides::SellOnly => side == Side::Sell,
        TradeSides::Closed => false,
    };
    if is_open { Ok(side) } else { Err(Refusal::new(30_001, "current transaction direction is not allowed")) }
}

/// `timeInForce` is no parameter here: what clients send of it is ignored.
fn type_of(params: &Params<'_>, flags: MarketFlags) -> Result<Type, Refusal> {
    match params.required("type")? {
        "LIMIT" | "LIMIT_ORDER" => Ok(Type::Limit),
        "LIMIT_MAKER" => Ok(Type::LimitMaker),
        "IMMEDIATE_OR_CANCEL" => Ok(Type::Ioc),
        "FILL_OR_KILL" => Ok(Type::Fok),
        "MARKET" | "MARKET_ORDER" if flags.market_orders => Ok(Type::Market),
        "MARKET" | "MARKET_ORDER" => Err(Refusal::new(30_019, "api market order is disabled")),
        _ => Err(Refusal::new(30_041, "current order type can not place order")),
    }
}

const fn limit_kind(kind: Type, price: Price, qty: Qty) -> NewOrderKind {
    match kind {
        Type::Limit => NewOrderKind::Limit { price, qty },
        Type::LimitMaker => NewOrderKind::PostOnly { price, qty },
        Type::Ioc => NewOrderKind::Ioc { price, qty },
        Type::Fok => NewOrderKind::Fok { price, qty },
        Type::Market => NewOrderKind::Market { qty },
    }
}

/// Presence and sign of both come before the decimals of either.
fn price_and_qty(rules: &MarketRules, params: &Params<'_>) -> Result<(Price, Qty), Refusal> {
    let qty = amount(params, "quantity")?.ok_or_else(amount_missing)?;
    let price = params.get("price").and_then(|text| text.parse::<Decimal>().ok());
    let price =
        price.filter(|price| price.is_positive()).ok_or_else(|| Refusal::new(33_333, "param is error"))?;
    let qty = Qty(scaled(qty, rules.scale.qty_dp())?);
    Ok((Price(scaled(price, rules.scale.price_dp())?), qty))
}

/// By quote for purchases, by quantity for sales, and the other way if only the other is there. A price that came
/// along is ignored.
fn market_kind(rules: &MarketRules, side: Side, params: &Params<'_>) -> Result<NewOrderKind, Refusal> {
    let by_qty = |qty| Ok(NewOrderKind::Market { qty: Qty(scaled(qty, rules.scale.qty_dp())?) });
    let by_quote = |notional: Decimal| {
        if notional.dp() > rules.scale.price_dp() {
            return Err(Refusal::new(400, " amount scale is invalid"));
        }
        Ok(NewOrderKind::MarketNotional { notional })
    };
    match (side, amount(params, "quantity")?, amount(params, "quoteOrderQty")?) {
        (Side::Buy, _, Some(notional)) | (Side::Sell, None, Some(notional)) => by_quote(notional),
        (Side::Buy, Some(qty), None) | (Side::Sell, Some(qty), _) => by_qty(qty),
        (Side::Buy | Side::Sell, None, None) => Err(amount_missing()),
    }
}

fn amount(params: &Params<'_>, name: &str) -> Result<Option<Decimal>, Refusal> {
    let Some(text) = params.get(name) else { return Ok(None) };
    match text.parse::<Decimal>() {
        Ok(amount) if amount.is_positive() => Ok(Some(amount)),
        Ok(_) => Err(Refusal::new(10_102, "amount cannot be zero or negative")),
        Err(NumError::Overflow) => Err(Refusal::above_maximum()),
        Err(NumError::Empty | NumError::BadByte | NumError::TooFine | NumError::DivisionByZero) => {
            Err(Refusal::new(10_097, "amount is error"))
        }
    }
}

fn amount_missing() -> Refusal {
    Refusal::new(10_095, "amount cannot be null")
}

fn scaled(value: Decimal, dp: u8) -> Result<i64, Refusal> {
    value.to_scaled(dp, None).map_err(|error| match error {
        NumError::TooFine => too_fine(),
        NumError::Overflow | NumError::Empty | NumError::BadByte | NumError::DivisionByZero => {
            Refusal::above_maximum()
        }
    })
}

fn too_fine() -> Refusal {
    Refusal::new(10_096, "amount decimal places is too long")
}

/// Least quantity and value, then the largest value.
fn check_value(mexc: &Mexc, rules: &MarketRules, price: Price, qty: Qty) -> Result<(), Refusal> {
    if qty < rules.min_qty {
        return Err(Refusal::of(&Reject::BelowMinQty, rules));
    }
    check_notional(mexc, rules, rules.scale.notional_value(price.times(qty)))
}

fn check_notional(mexc: &Mexc, rules: &MarketRules, notional: Decimal) -> Result<(), Refusal> {
    if notional < rules.min_notional {
        return Err(Refusal::below_minimum(rules.min_notional, rules.symbol.quote));
    }
    if notional > mexc.config.max_notional { Err(Refusal::above_maximum()) } else { Ok(()) }
}

/// A market order is worth what the best price says, and there must be one. Answers the protective price.
fn check_market(
    mexc: &Mexc,
    exchange: &Exchange,
    market: MarketIndex,
    side: Side,
    kind: &NewOrderKind,
) -> Result<Price, Refusal> {
    let best = match side {
        Side::Buy => exchange.asks(market).next(),
        Side::Sell => exchange.bids(market).next(),
    };
    let (best, _) = best.ok_or_else(Refusal::no_counter_order)?;
    let rules = exchange.rules(market);
    match kind {
        NewOrderKind::MarketNotional { notional } => check_notional(mexc, rules, *notional)?,
        NewOrderKind::Market { qty }
        | NewOrderKind::Limit { qty, .. }
        | NewOrderKind::PostOnly { qty, .. }
        | NewOrderKind::Ioc { qty, .. }
        | NewOrderKind::Fok { qty, .. } => check_value(mexc, rules, best, *qty)?,
    }
    Ok(protective(side, best))
}

/// Rounded toward the best price, so that it protects at least as much as it says.
fn protective(side: Side, best: Price) -> Price {
    let best = i128::from(best.0);
    let away = best * PROTECTION_PERCENT / 100;
    let price = match side {
        Side::Buy => best + away,
        Side::Sell => best - away,
    };
    Price(i64::try_from(price).unwrap_or(i64::MAX))
}

fn check_band(
    exchange: &Exchange,
    market: MarketIndex,
    flags: MarketFlags,
    side: Side,
    price: Price,
) -> Result<(), Refusal> {
    let (Some(band), Some(last)) = (flags.price_band, exchange.last_price(market)) else { return Ok(()) };
    let scale = exchange.rules(market).scale;
    let (price, last) = (scale.price_value(price), scale.price_value(last));
    let is_inside = match side {
        Side::Buy => last.checked_mul(band.bid_up).is_ok_and(|most| price <= most),
        Side::Sell => last.checked_mul(band.ask_down).is_ok_and(|least| price >= least),
    };
    if is_inside { Ok(()) } else { Err(Refusal::new(30_087, "Order price exceeds allowed range")) }
}

fn check_open(exchange: &Exchange, account: AccountIndex, kind: &NewOrderKind) -> Result<(), Refusal> {
    let may_rest = match kind {
        NewOrderKind::Limit { .. } | NewOrderKind::PostOnly { .. } => true,
        NewOrderKind::Ioc { .. }
        | NewOrderKind::Fok { .. }
        | NewOrderKind::Market { .. }
        | NewOrderKind::MarketNotional { .. } => false,
    };
    if may_rest && exchange.open_orders(account).nth(MOST_OPEN - 1).is_some() {
        return Err(Refusal::new(30_029, "maximum order limit exceeded"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_protective_price_is_five_per_cent_away() {
        assert_eq!(protective(Side::Buy, Price(10_010)), Price(10_510));
        assert_eq!(protective(Side::Sell, Price(10_010)), Price(9_510));
        assert_eq!(protective(Side::Sell, Price(1)), Price(1));
    }

    #[test]
    fn client_ids_are_plain_texts() {
        let check = |text: &str| client_id(&Params::of(vec![("newClientOrderId".into(), text.into())]));
        for good in ["", "arb-000017", "HUMBOT_1", &"x".repeat(36)] {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in ["a b", "é", "a=b", &"x".repeat(37)] {
            assert_eq!(check(bad).map_err(|refusal| refusal.code), Err(700_008), "{bad}");
        }
    }
}
