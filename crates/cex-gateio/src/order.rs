//! Rows about our orders, fills and balances to the words of the house; the same for answers and for the
//! streams.

use crate::wire::{BalanceRow, Fault, FillRow, OrderRow, Scalar, optional, text, time};
use cex_core::{
    Asset, Balance, ClientOrderId, Decimal, Fill, Liquidity, Market, Markets, Order, OrderId, OrderStatus,
    OrderType, Side, TimeInForce, TradeId, VenueId,
};

/// What the exchange wants before every client order id (GATEIO-ORD-01).
pub(crate) const CLIENT_PREFIX: &str = "t-";

/// The client order id in a `text`; `None` only where there is none: such an order may be anybody's.
///
/// The exchange's own marks (`apiv4`, `web`, ..) and ids that no order of ours can have prove whose an order is not
/// (GATEIO-ORD-02). They are kept as near as they can be held, after an underscore, which no identifier of the house has: as
/// it stands `apiv4-ws` would be made like ours.
pub(crate) fn client_id(text: &str) -> Option<ClientOrderId> {
    const LONGEST: usize = 28;
    // A dash is how this exchange says nothing in fields of other names.
    if matches!(text, "" | "-" | CLIENT_PREFIX) {
        return None;
    }
    text.strip_prefix(CLIENT_PREFIX).and_then(ClientOrderId::new).or_else(|| {
        let held = |char: char| if char.is_ascii_alphanumeric() || char == '-' { char } else { '_' };
        let others: String = std::iter::once('_').chain(text.chars().map(held)).take(LONGEST).collect();
        ClientOrderId::new(&others)
    })
}

/// The exchange's identifier of an order; `None` when the row has none.
pub(crate) fn order_id(field: Option<&Scalar<'_>>) -> Result<Option<OrderId>, Fault> {
    match text(field) {
        "" => Ok(None),
        id => OrderId::new(id).map(Some).map_err(|_| "order id"),
    }
}

pub(crate) fn side(text: &str) -> Result<Side, Fault> {
    match text {
        "buy" => Ok(Side::Buy),
        "sell" => Ok(Side::Sell),
        _ => Err("side"),
    }
}

/// An order; `None` when its market is not registered.
pub(crate) fn order(venue: VenueId, markets: &Markets, row: &OrderRow<'_>) -> Result<Option<Order>, Fault> {
    let native = row.currency_pair.as_ref().ok_or("an order without a pair")?.as_str();
    let Some(market) = markets.by_native(native.as_bytes()) else {
        tracing::warn!(%venue, native, "order of a market that is not registered");
        return Ok(None);
    };
    let side = side(text(row.side.as_ref()))?;
    // Unified accounts have `limit_borrow`, `market_repay` and more (GATEIO-ORD-06).
    let is_market = text(row.kind.as_ref()).starts_with("market");
    let sized_in_quote = is_market && side == Side::Buy;
    let (filled_qty, filled_notional) = filled(row, sized_in_quote)?;
    let fee = FeeFields {
        fee: row.fee.as_ref(),
        currency: row.fee_currency.as_ref(),
        gt: row.gt_fee.as_ref(),
        points: row.point_fee.as_ref(),
    };
    let (order_id, client_id) = (order_id(row.id.as_ref())?, client_id(text(row.text.as_ref())));
    if order_id.is_none() && client_id.is_none() {
        return Err("an order without a name");
    }
    Ok(Some(Order {
        venue,
        symbol: market.id,
        order_id,
        client_id,
        side,
        order_type: order_type(text(row.kind.as_ref()), text(row.time_in_force.as_ref())),
        status: status(row, filled_qty)?,
        price: if is_market { None } else { optional(row.price.as_ref())? },
        qty: if sized_in_quote { None } else { optional(row.amount.as_ref())? },
        filled_qty,
        filled_notional,
        // Its fills tell more of a fee in two coins than an order can.
        fee: match fee.charged(market, side)? {
            (only, None) => only,
            (_, Some(_)) => None,
        },
        created_at: time(row.create_time_ms.as_ref(), row.create_time.as_ref()),
        as_of: time(row.update_time_ms.as_ref(), row.update_time.as_ref()),
    }))
}

/// What kind of order it is. Kinds of unified accounts have more behind an underscore (GATEIO-ORD-06).
fn order_type(kind: &str, time_in_force: &str) -> Option<OrderType> {
    match (kind.split('_').next()?, time_in_force) {
        ("market", _) => Some(OrderType::Market),
        ("limit", "poc") => Some(OrderType::PostOnly),
        ("limit", "gtc") => Some(OrderType::Limit(TimeInForce::Gtc)),
        ("limit", "ioc") => Some(OrderType::Limit(TimeInForce::Ioc)),
        ("limit", "fok") => Some(OrderType::Limit(TimeInForce::Fok)),
        _other => None,
    }
}

/// Base and quote filled. `filled_amount` is base always; without it only an order sized in base tells, since
/// `left` is in the unit of `amount` (GATEIO-ORD-03). `fill_price` is turnover under an old name, not a price
/// (GATEIO-ORD-04).
fn filled(row: &OrderRow<'_>, sized_in_quote: bool) -> Result<(Decimal, Decimal), Fault> {
    let notional = match optional(row.filled_total.as_ref())? {
        Some(total) => total,
        None => optional(row.fill_price.as_ref())?.ok_or("an order without its turnover")?,
    };
    let qty = match (
        optional(row.filled_amount.as_ref())?,
        optional(row.amount.as_ref())?,
        optional(row.left.as_ref())?,
    ) {
        (Some(filled), ..) => filled,
        (None, Some(amount), Some(left)) if !sized_in_quote => {
            amount.checked_sub(left).map_err(|_| "left")?
        }
        _ if notional.is_zero() => Decimal::ZERO,
        _ => return Err("an order without its filled amount"),
    };
    if qty.is_negative() || notional.is_negative() {
        return Err("a negative fill");
    }
    Ok((qty, notional))
}

/// An order's state. The stream tells it by `event`, answers by `status` (GATEIO-ORD-06); `finish_as`
/// explains (GATEIO-ORD-05). A word nobody knows is [`OrderStatus::Unknown`], never a guess.
fn status(row: &OrderRow<'_>, filled_qty: Decimal) -> Result<OrderStatus, Fault> {
    let live = if filled_qty.is_positive() { OrderStatus::PartiallyFilled } else { OrderStatus::New };
    Ok(match (text(row.status.as_ref()), text(row.event.as_ref())) {
        ("open", _) | ("", "put" | "update") => live,
        ("closed", _) => OrderStatus::Filled,
        ("cancelled", _) | ("", "finish") => ended(text(row.finish_as.as_ref()), filled_qty),
        ("", "") => return Err("an order without a state"),
        (status, event) => {
            tracing::warn!(status, event, "order state that no table knows");
            OrderStatus::Unknown
        }
    })
}

/// The state of an order that is no longer live, by the reason it gives. A refusal that nevertheless filled
/// something is no refusal: quantities decide.
fn ended(finish_as: &str, filled_qty: Decimal) -> OrderStatus {
    match finish_as {
        "filled" => OrderStatus::Filled,
        "poc" | "fok" if filled_qty.is_zero() => OrderStatus::Rejected,
        "cancelled"
        | "liquidate_cancelled"
        | "small"
        | "depth_not_enough"
        | "trader_not_enough"
        | "ioc"
        | "poc"
        | "fok"
        | "stp"
        | "price_protect_cancelled" => OrderStatus::Canceled,
        reason => {
            tracing::warn!(reason, "order ended for a reason that no table knows");
            OrderStatus::Canceled
        }
    }
}

/// What a row says of fees.
struct FeeFields<'a> {
    fee: Option<&'a Scalar<'a>>,
    currency: Option<&'a Scalar<'a>>,
    gt: Option<&'a Scalar<'a>>,
    points: Option<&'a Scalar<'a>>,
}

/// What was charged, and besides it what was charged in another coin.
type Charged = (Option<(Decimal, Asset)>, Option<(Decimal, Asset)>);

impl FeeFields<'_> {
    /// What was charged, each with its coin (GATEIO-ORD-07): GT or points when those pay, else the coin received; both
    /// when GT or points ran out half way. Nothing where the row says nothing of fees. GT and points never pay
    /// together, so a row that says so is not understood.
    fn charged(&self, market: &Market, side: Side) -> Result<Charged, Fault> {
        let Some(fee) = optional(self.fee)? else { return Ok((None, None)) };
        // The stream may leave the currency out (GATEIO-WS-20).
        let received = if side == Side::Buy { market.symbol().base } else { market.symbol().quote };
        let currency = text(self.currency);
        let currency = if currency.is_empty() { received } else { asset(currency)? };
        let (gt, points) = (asset("GT")?, asset("POINT")?);
        let mut charged = [
            Some((fee, currency)),
            optional(self.gt)?.map(|fee| (fee, gt)),
            optional(self.points)?.map(|fee| (fee, points)),
        ]
        .into_iter()
        .flatten()
        .filter(|(fee, _)| !fee.is_zero());
        match (charged.next(), charged.next(), charged.next()) {
            (None, ..) => Ok((Some((fee, currency)), None)),
            (first, second, None) => Ok((first, second)),
            (Some(_), _, Some(_)) => Err("a fee in three coins"),
        }
    }
}

fn asset(name: &str) -> Result<Asset, Fault> {
    Asset::new(name).map_err(|_| "asset name")
}

/// One of our fills; `None` when its market is not registered. Calls and the stream give it one identifier
/// (GATEIO-REST-28), and where there is none it is named alike. A row without any fee comes from a channel
/// that has none (GATEIO-WS-22) and is refused: it cannot be booked.
pub(crate) fn fill(venue: VenueId, markets: &Markets, row: &FillRow<'_>) -> Result<Option<Fill>, Fault> {
    let Some(market) = markets.by_native(row.currency_pair.as_str().as_bytes()) else {
        tracing::warn!(%venue, native = row.currency_pair.as_str(), "fill in a market that is not registered");
        return Ok(None);
    };
    let side = side(row.side.as_str())?;
    let fee = FeeFields {
        fee: row.fee.as_ref(),
        currency: row.fee_currency.as_ref(),
        gt: row.gt_fee.as_ref(),
        points: row.point_fee.as_ref(),
    };
    let (fee, second_fee) = fee.charged(market, side)?;
    let (fee, fee_asset) = fee.ok_or("a fill whose fee cannot be told")?;
    let fill = Fill {
        venue,
        symbol: market.id,
        trade_id: TradeId::EMPTY,
        order_id: order_id(row.order_id.as_ref())?.ok_or("a fill without its order")?,
        client_id: client_id(text(row.text.as_ref())),
        side,
        price: positive(&row.price)?,
        qty: positive(&row.amount)?,
        fee,
        fee_asset,
        second_fee,
        liquidity: match text(row.role.as_ref()) {
            "maker" => Liquidity::Maker,
            "taker" => Liquidity::Taker,
            // What it cost is told beside it, so a new word is no reason to lose the fill.
            role => {
                tracing::warn!(%venue, role, "role that no table knows, taken for a taker's");
                Liquidity::Taker
            }
        },
        exchange_ts: time(row.create_time_ms.as_ref(), row.create_time.as_ref()),
    };
    Ok(Some(fill.named(text(row.id.as_ref()))))
}

fn positive(field: &Scalar<'_>) -> Result<Decimal, Fault> {
    Some(field.decimal()?).filter(|value| value.is_positive()).ok_or("not a positive number")
}

/// A balance of the stream. What answers call `locked` is `freeze` here (GATEIO-WS-21).
pub(crate) fn balance(row: &BalanceRow<'_>) -> Result<Balance, Fault> {
    Ok(Balance {
        asset: asset(row.currency.as_str())?,
        free: row.available.decimal()?,
        locked: row.freeze.decimal()?,
        as_of: time(row.timestamp_ms.as_ref(), row.timestamp.as_ref()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{markets, venue};
    use crate::wire::parse;

    fn read(json: &str) -> Result<Order, Fault> {
        let row = parse::<OrderRow<'_>>(json.as_bytes())?;
        order(venue(), &markets(), &row).map(|order| order.expect("registered"))
    }

    fn with(extra: &str) -> String {
        format!(
            "{{\"id\":\"1\",\"currency_pair\":\"BTC_USDT\",\"side\":\"buy\",\"filled_total\":\"0\",\"amount\":\"1\",{extra}}}"
        )
    }

    #[test]
    fn states_are_told_by_event_status_and_reason() {
        let check = |extra: &str, expected| {
            assert_eq!(read(&with(extra)).expect(extra).status, expected, "{extra}");
        };
        check(r#""left":"1","event":"put","finish_as":"open""#, OrderStatus::New);
        check(r#""left":"0.4","event":"update","finish_as":"open""#, OrderStatus::PartiallyFilled);
        check(r#""left":"0","event":"finish","finish_as":"filled""#, OrderStatus::Filled);
        check(r#""left":"0.4","event":"finish","finish_as":"ioc""#, OrderStatus::Canceled);
        check(r#""left":"1","event":"finish","finish_as":"poc""#, OrderStatus::Rejected);
        check(r#""left":"1","event":"finish","finish_as":"fok""#, OrderStatus::Rejected);
        check(r#""left":"0.5","event":"finish","finish_as":"fok""#, OrderStatus::Canceled);
        check(r#""left":"1","event":"finish","finish_as":"brand_new""#, OrderStatus::Canceled);
        check(r#""left":"1","event":"replaced""#, OrderStatus::Unknown);
        check(r#""left":"1","status":"open""#, OrderStatus::New);
        check(r#""left":"0.1","status":"closed","finish_as":"filled""#, OrderStatus::Filled);
        check(r#""left":"1","status":"cancelled","finish_as":"ioc""#, OrderStatus::Canceled);
        check(r#""left":"1","status":"cancelled""#, OrderStatus::Canceled);
        check(r#""left":"1","status":"suspended""#, OrderStatus::Unknown);
        assert_eq!(read(&with(r#""left":"1""#)), Err("an order without a state"));
    }

    #[test]
    fn a_market_buy_is_sized_in_quote() {
        let json =
            with(r#""type":"market","status":"closed","left":"0.2","filled_amount":"0.5","price":"0""#);
        let order = read(&json).expect("complete");
        assert_eq!((order.qty, order.price, order.filled_qty), (None, None, Decimal::new(5, 1)));
        let blind = with(r#""type":"market","status":"closed","left":"0.2""#).replace("\"0\"", "\"7\"");
        assert_eq!(read(&blind), Err("an order without its filled amount"));
    }

    #[test]
    fn fees_are_in_the_coin_that_paid() {
        let check = |extra: &str, expected: Result<Option<(&str, &str)>, Fault>| {
            let order = read(&with(&format!("\"status\":\"open\",\"left\":\"1\"{extra}")));
            let fee = order.map(|order| order.fee.map(|(fee, asset)| (fee.to_string(), asset.to_string())));
            assert_eq!(
                fee,
                expected.map(|fee| fee.map(|(fee, asset)| (fee.to_owned(), asset.to_owned()))),
                "{extra}"
            );
        };
        check("", Ok(None));
        check(r#","fee":"0.1","fee_currency":"BTC","gt_fee":"0","point_fee":"0""#, Ok(Some(("0.1", "BTC"))));
        check(r#","fee":"-0.1","fee_currency":"BTC""#, Ok(Some(("-0.1", "BTC"))));
        check(r#","fee":"0.1""#, Ok(Some(("0.1", "BTC"))));
        check(r#","fee":"0","fee_currency":"BTC","gt_fee":"0.3""#, Ok(Some(("0.3", "GT"))));
        check(r#","fee":"0","fee_currency":"BTC","point_fee":"0.4""#, Ok(Some(("0.4", "POINT"))));
        check(r#","fee":"0.1","gt_fee":"0.3""#, Ok(None));
        check(r#","fee":"0.1","gt_fee":"0.3","point_fee":"1""#, Err("a fee in three coins"));
    }

    #[test]
    fn a_fill_charged_in_two_coins_is_kept_with_both() {
        let json = r#"{"id":"7","order_id":"1","currency_pair":"BTC_USDT","side":"buy","role":"taker","amount":"1",
            "price":"2","fee":"0.1","fee_currency":"BTC","gt_fee":"0.3","point_fee":"0","create_time":"1700000000"}"#;
        let row = parse::<FillRow<'_>>(json.as_bytes()).expect("a row");
        let fill = fill(venue(), &markets(), &row).expect("readable").expect("registered");
        let fees: Vec<String> = fill.fees().map(|(fee, asset)| format!("{fee} {asset}")).collect();
        assert_eq!(fees, ["0.1 BTC", "0.3 GT"]);
    }

    #[test]
    fn the_kind_of_an_order_is_told_as_it_can_be_placed() {
        let limit = |tif| Some(OrderType::Limit(tif));
        for (kind, time_in_force, told) in [
            ("limit", "gtc", limit(TimeInForce::Gtc)),
            ("limit", "ioc", limit(TimeInForce::Ioc)),
            ("limit", "fok", limit(TimeInForce::Fok)),
            ("limit", "poc", Some(OrderType::PostOnly)),
            ("market", "ioc", Some(OrderType::Market)),
            ("limit_borrow", "gtc", limit(TimeInForce::Gtc)),
            ("market_repay", "", Some(OrderType::Market)),
            ("limit", "", None),
            ("", "gtc", None),
        ] {
            assert_eq!(order_type(kind, time_in_force), told, "{kind} {time_in_force}");
        }
    }

    #[test]
    fn texts_that_are_not_of_ours_are_names_of_somebody_else() {
        for (text, expected) in [
            ("t-a1_b", Some("a1_b")),
            ("t-mqhw82kb-1b", Some("mqhw82kb-1b")),
            ("apiv4", Some("_apiv4")),
            ("apiv4-ws", Some("_apiv4-ws")),
            ("mqhw82kb-1b", Some("_mqhw82kb-1b")),
            ("web", Some("_web")),
            ("101", Some("_101")),
            ("comb_margin_liquidate", Some("_comb_margin_liquidate")),
            ("t-abc_1.2", Some("_t-abc_1_2")),
            ("t-0123456789012345678901234567.", Some("_t-0123456789012345678901234")),
            ("\u{9910}", Some("__")),
            // Nothing is said: it may be anybody's.
            ("", None),
            ("-", None),
            ("t-", None),
        ] {
            assert_eq!(client_id(text).map(|id| id.as_str().to_owned()).as_deref(), expected, "{text}");
        }
    }
}
