//! From a placement's JSON to an order: every rule of the body, in the order the exchange checks them.

use super::PriceBand;
use super::body::Fields;
use super::names::Names;
use super::refusal::Refusal;
use super::shape;
use crate::dialect::Manners;
use crate::matching::{Exchange, MarketIndex, MarketRules, NewOrder, NewOrderKind, SelfTrade};
use cex_core::{Decimal, NumError, Price, Qty, Side};

/// A placement that makes sense by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Placement {
    /// The order.
    pub(super) order: NewOrder,
    /// Whether it is a market order that must fill at once and completely.
    pub(super) is_market_fok: bool,
    /// Who goes when it would meet one of its own, with the exchange's word for it.
    pub(super) self_trade: Option<(SelfTrade, &'static str)>,
}

/// The words of a body that need no market to be understood.
struct Terms {
    client_id: String,
    side: Side,
    is_market: bool,
    tif: Tif,
    self_trade: Option<(SelfTrade, &'static str)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tif {
    Gtc,
    Ioc,
    Poc,
    Fok,
}

/// Reads a placement: parameters, then the pair, then precision. Minimums and balances are the exchange's business.
pub(super) fn parse(names: &Names, exchange: &Exchange, fields: &Fields<'_>) -> Result<Placement, Refusal> {
    let terms = terms(fields)?;
    let amount = positive(fields, "amount")?.ok_or_else(|| Refusal::missing("amount"))?;
    let price = if terms.is_market { None } else { positive(fields, "price")? };
    if !terms.is_market && price.is_none() {
        return Err(Refusal::missing("price"));
    }
    let market = names.market(&fields.required("currency_pair")?)?;
    let kind = kind(exchange.rules(market), &terms, amount, price)?;
    let order = NewOrder { market, client_id: terms.client_id, side: terms.side, kind };
    let is_market_fok = terms.is_market && terms.tif == Tif::Fok;
    Ok(Placement { order, is_market_fok, self_trade: terms.self_trade })
}

/// What has changed about the market since it was listed: sides that are shut, and fewer decimals.
pub(super) fn check_manners(manners: &Manners, exchange: &Exchange, order: &NewOrder) -> Result<(), Refusal> {
    let (manners, rules) = (manners.market(order.market), exchange.rules(order.market));
    if manners.is_closed() {
        return Err(Refusal::unknown_pair(&format!("{}_{}", rules.symbol.base, rules.symbol.quote)));
    }
    if !manners.takes(order.side) {
        return Err(Refusal::new(400, "TRADE_RESTRICTED", "This side of the pair is not open"));
    }
    let (price, qty) = match order.kind {
        NewOrderKind::Limit { price, qty }
        | NewOrderKind::PostOnly { price, qty }
        | NewOrderKind::Ioc { price, qty }
        | NewOrderKind::Fok { price, qty } => (Some(price), Some(qty)),
        NewOrderKind::Market { qty } => (None, Some(qty)),
        NewOrderKind::MarketNotional { .. } => (None, None),
    };
    if manners.fits(rules.scale, price, qty) {
        return Ok(());
    }
    Err(Refusal::new(400, "INVALID_PRECISION", "price or amount has too many decimals"))
}

/// Refuses a limit that is too far from the last price.
pub(super) fn check_band(
    band: Option<PriceBand>,
    exchange: &Exchange,
    (market, side): (MarketIndex, Side),
    price: Option<Price>,
) -> Result<(), Refusal> {
    let (Some(band), Some(price), Some(last)) = (band, price, exchange.last_price(market)) else {
        return Ok(());
    };
    let scale = exchange.rules(market).scale;
    let (price, last) = (scale.price_value(price), scale.price_value(last));
    let part = match side {
        Side::Buy => Decimal::ONE.checked_add(band.up_rate),
        Side::Sell => Decimal::ONE.checked_sub(band.down_rate),
    };
    let Ok(end) = part.and_then(|part| last.checked_mul(part)) else { return Ok(()) };
    let is_inside = match side {
        Side::Buy => price <= end,
        Side::Sell => price >= end,
    };
    if is_inside {
        return Ok(());
    }
    Err(Refusal::new(400, "PRICE_THRESHOLD_EXCEEDED", format!("Price threshold exceeded: {end}")))
}

/// The limit of an order that has one.
pub(super) const fn limit(kind: &NewOrderKind) -> Option<Price> {
    match *kind {
        NewOrderKind::Limit { price, .. }
        | NewOrderKind::PostOnly { price, .. }
        | NewOrderKind::Ioc { price, .. }
        | NewOrderKind::Fok { price, .. } => Some(price),
        NewOrderKind::Market { .. } | NewOrderKind::MarketNotional { .. } => None,
    }
}

/// The matching engine has no market order that must fill completely; whether it would is read off the book, which
/// cannot change in between.
pub(super) fn check_book(exchange: &Exchange, placed: &Placement) -> Result<(), Refusal> {
    if !placed.is_market_fok {
        return Ok(());
    }
    let order = &placed.order;
    let fills = match &order.kind {
        NewOrderKind::Market { qty } => {
            let resting = |levels: &mut dyn Iterator<Item = (Price, Qty)>| {
                levels.map(|(_, level)| i128::from(level.0)).sum::<i128>() >= i128::from(qty.0)
            };
            match order.side {
                Side::Buy => resting(&mut exchange.asks(order.market)),
                Side::Sell => resting(&mut exchange.bids(order.market)),
            }
        }
        NewOrderKind::MarketNotional { notional } => {
            let offered = exchange.asks(order.market).map(|(price, qty)| price.times(qty).0).sum::<i128>();
            let scale = exchange.rules(order.market).scale;
            scale.notional_value(cex_core::Notional(offered)) >= *notional
        }
        NewOrderKind::Limit { .. }
        | NewOrderKind::PostOnly { .. }
        | NewOrderKind::Ioc { .. }
        | NewOrderKind::Fok { .. } => true,
    };
    if fills { Ok(()) } else { Err(Refusal::new(400, "FOK_NOT_FILL", "Order cannot be filled completely")) }
}

fn terms(fields: &Fields<'_>) -> Result<Terms, Refusal> {
    let client_id = fields.text("text")?.unwrap_or_default();
    if !client_id.is_empty() && !is_client_id(&client_id) {
        return Err(Refusal::bad_param("text", &client_id));
    }
    let kind = fields.text("type")?;
    let is_market = match kind.as_deref() {
        None | Some("limit") => false,
        Some("market") => true,
        Some(other) => return Err(Refusal::bad_param("type", other)),
    };
    let account = fields.text("account")?;
    match account.as_deref() {
        None | Some("spot" | "unified") => {}
        Some(other) => return Err(Refusal::bad_param("account", other)),
    }
    let side = fields.required("side")?;
    let side = shape::parse_side(&side).ok_or_else(|| Refusal::bad_param("side", &side))?;
    let tif = tif(fields, is_market)?;
    refuse_unserved(fields)?;
    let self_trade = match fields.text("stp_act")?.as_deref() {
        None | Some("-") => None,
        Some("cn") => Some((SelfTrade::CancelNew, "cn")),
        Some("co") => Some((SelfTrade::CancelOld, "co")),
        Some("cb") => Some((SelfTrade::CancelBoth, "cb")),
        Some(other) => return Err(Refusal::bad_param("stp_act", other)),
    };
    Ok(Terms { client_id: client_id.into_owned(), side, is_market, tif, self_trade })
}

fn tif(fields: &Fields<'_>, is_market: bool) -> Result<Tif, Refusal> {
    let text = fields.text("time_in_force")?;
    let tif = match text.as_deref() {
        None if is_market => Tif::Ioc,
        None | Some("gtc") => Tif::Gtc,
        Some("ioc") => Tif::Ioc,
        Some("poc") => Tif::Poc,
        Some("fok") => Tif::Fok,
        Some(other) => return Err(Refusal::bad_param("time_in_force", other)),
    };
    if is_market && !matches!(tif, Tif::Ioc | Tif::Fok) {
        return Err(Refusal::bad_param("time_in_force", text.as_deref().unwrap_or_default()));
    }
    Ok(tif)
}

/// What would change the order's meaning and is not simulated is refused, never ignored.
fn refuse_unserved(fields: &Fields<'_>) -> Result<(), Refusal> {
    let iceberg = fields.text("iceberg")?;
    if let Some(visible) = iceberg.as_deref().filter(|text| text.parse() != Ok(Decimal::ZERO)) {
        return Err(Refusal::bad_param("iceberg", visible));
    }
    for name in ["stop_profit", "stop_loss", "slippage"] {
        if let Some(value) = fields.get(name) {
            return Err(Refusal::bad_param(name, value.as_raw_str()));
        }
    }
    Ok(())
}

fn kind(
    rules: &MarketRules,
    terms: &Terms,
    amount: Decimal,
    price: Option<Decimal>,
) -> Result<NewOrderKind, Refusal> {
    let Some(price) = price else {
        return match terms.side {
            Side::Buy => market_buy(rules, amount),
            Side::Sell => {
                Ok(NewOrderKind::Market { qty: Qty(scaled("amount", amount, rules.scale.qty_dp())?) })
            }
        };
    };
    let price = Price(scaled("price", price, rules.scale.price_dp())?);
    let qty = Qty(scaled("amount", amount, rules.scale.qty_dp())?);
    Ok(match terms.tif {
        Tif::Gtc => NewOrderKind::Limit { price, qty },
        Tif::Poc => NewOrderKind::PostOnly { price, qty },
        Tif::Ioc => NewOrderKind::Ioc { price, qty },
        Tif::Fok => NewOrderKind::Fok { price, qty },
    })
}

/// The amount of a market purchase is quote. No scale is published for it; what the market can count is taken.
fn market_buy(rules: &MarketRules, notional: Decimal) -> Result<NewOrderKind, Refusal> {
    const DP: u8 = 8;
    if notional.dp() > DP.max(rules.scale.price_dp() + rules.scale.qty_dp()) {
        return Err(too_fine("amount", notional));
    }
    Ok(NewOrderKind::MarketNotional { notional })
}

/// The price and the total that a change asks for; at least one of them.
pub(super) fn amended(
    rules: &MarketRules,
    fields: &Fields<'_>,
) -> Result<(Option<Price>, Option<Qty>), Refusal> {
    let price =
        positive(fields, "price")?.map(|price| scaled("price", price, rules.scale.price_dp())).transpose()?;
    let qty =
        positive(fields, "amount")?.map(|qty| scaled("amount", qty, rules.scale.qty_dp())).transpose()?;
    if price.is_none() && qty.is_none() {
        return Err(Refusal::missing("amount"));
    }
    Ok((price.map(Price), qty.map(Qty)))
}

fn scaled(name: &str, value: Decimal, dp: u8) -> Result<i64, Refusal> {
    value.to_scaled(dp, None).map_err(|error| match error {
        NumError::TooFine => too_fine(name, value),
        NumError::Overflow => Refusal::new(400, "AMOUNT_TOO_MUCH", format!("`{name}` is too large")),
        NumError::Empty | NumError::BadByte | NumError::DivisionByZero => {
            Refusal::bad_param(name, &value.to_string())
        }
    })
}

fn too_fine(name: &str, value: Decimal) -> Refusal {
    Refusal::new(400, "INVALID_PRECISION", format!("`{name}` {value} has too many decimals"))
}

/// A plain positive decimal: no exponent, no sign, no separators.
fn positive(fields: &Fields<'_>, name: &str) -> Result<Option<Decimal>, Refusal> {
    let Some(text) = fields.text(name)? else { return Ok(None) };
    let value = text.parse::<Decimal>().ok().filter(|value| value.is_positive());
    value.map(Some).ok_or_else(|| Refusal::bad_param(name, &text))
}

/// `t-` and 1 to 28 characters of `[0-9A-Za-z_.-]`.
fn is_client_id(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    text.strip_prefix("t-").is_some_and(|rest| (1..=28).contains(&rest.len()) && rest.bytes().all(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_ids_need_their_prefix() {
        for good in ["t-1", "t-abc_1.2-Z", &format!("t-{}", "x".repeat(28))] {
            assert!(is_client_id(good), "{good}");
        }
        for bad in ["", "t-", "test1", "T-1", "t-é", "t-a b", &format!("t-{}", "x".repeat(29))] {
            assert!(!is_client_id(bad), "{bad}");
        }
    }
}
