//! Orders and fills as queries report them.

use super::decode::{json, maybe_number, millis, number, oldest_first, order_id};
use crate::wire::{MyTrade, OrderEntry, Scalar};
use cex_core::{
    Asset, ClientOrderId, Decimal, Fill, Liquidity, Market, Markets, Order, OrderStatus, Side, Timestamp,
    TradeId, VenueId,
};
use cex_errors::ErrorKind;
use cex_interface::OrderRef;

/// The order that was asked for: an answer about another one is not an answer.
pub(super) fn queried(
    venue: VenueId,
    market: &Market,
    asked: OrderRef,
    body: &[u8],
) -> Result<Order, ErrorKind> {
    let entry = json::<OrderEntry<'_>>(body, "order")?;
    let mut order = of_market_named(venue, market, &entry)?;
    let same = match asked {
        OrderRef::Id(id) => order.order_id == Some(id),
        // Our identifier may be missing from the answer, but not be another.
        OrderRef::Client(id) => *order.client_id.get_or_insert(id) == id,
    };
    if same { Ok(order) } else { Err(ErrorKind::Undecodable("another order's answer")) }
}

/// Orders of one symbol.
pub(super) fn of_market(venue: VenueId, market: &Market, body: &[u8]) -> Result<Vec<Order>, ErrorKind> {
    json::<Vec<OrderEntry<'_>>>(body, "orders")?
        .iter()
        .map(|entry| of_market_named(venue, market, entry))
        .collect()
}

/// Orders of all registered symbols. Orders of others cannot be named by us and are left out.
pub(super) fn of_any_market(venue: VenueId, markets: &Markets, body: &[u8]) -> Result<Vec<Order>, ErrorKind> {
    let entries = json::<Vec<OrderEntry<'_>>>(body, "orders")?;
    let market = |entry: &OrderEntry<'_>| markets.by_native(entry.symbol.text()?.as_bytes());
    entries.iter().filter_map(|entry| Some(order(venue, market(entry)?, entry))).collect()
}

/// Orders that a mass cancel ended. As with a single cancel, the state told is the one before it (MEXC-REST-20): what
/// is not said to have ended is on its way out.
pub(super) fn canceled(venue: VenueId, market: &Market, body: &[u8]) -> Result<Vec<Order>, ErrorKind> {
    let mut orders = of_market(venue, market, body)?;
    for order in orders.iter_mut().filter(|order| !order.status.is_terminal()) {
        order.status = OrderStatus::PendingCancel;
    }
    Ok(orders)
}

fn of_market_named(venue: VenueId, market: &Market, entry: &OrderEntry<'_>) -> Result<Order, ErrorKind> {
    if entry.symbol.text() != Some(market.native()) {
        return Err(ErrorKind::Undecodable("another symbol's order"));
    }
    order(venue, market, entry)
}

/// An order. The price of a market order is only a protective limit (MEXC-REST-16) and is not passed on.
fn order(venue: VenueId, market: &Market, entry: &OrderEntry<'_>) -> Result<Order, ErrorKind> {
    let is_market = entry.kind.text() == Some("MARKET");
    let created_at = entry.time.millis();
    let changed_at = entry.update_time.millis();
    let qty = match maybe_number(&entry.orig_qty, "quantity")? {
        Some(qty) => Some(qty),
        None => maybe_number(&entry.qty, "quantity")?,
    };
    Ok(Order {
        venue,
        symbol: market.id,
        order_id: Some(order_id(&entry.order_id)?),
        client_id: client_id(&entry.client_order_id).or_else(|| client_id(&entry.orig_client_order_id)),
        side: side(&entry.side)?,
        status: status(&entry.status),
        price: if is_market { None } else { maybe_number(&entry.price, "price")? },
        qty: qty.filter(|qty| qty.is_positive()),
        filled_qty: number(&entry.executed_qty, "filled quantity")?,
        filled_notional: number(&entry.cummulative_quote_qty, "filled notional")?,
        fee: None,
        created_at,
        // Null for orders nothing happened to (MEXC-REST-15).
        as_of: if changed_at == Timestamp::EPOCH { created_at } else { changed_at },
    })
}

/// Our fills, oldest first. The identifier is the one the private stream sends (MEXC-REST-18), and where there is none
/// the fill is named as that of the stream would be.
pub(super) fn fills(venue: VenueId, market: &Market, body: &[u8]) -> Result<Vec<Fill>, ErrorKind> {
    let rows = json::<Vec<MyTrade<'_>>>(body, "own trades")?;
    let mut fills = rows.iter().map(|row| fill(venue, market, row)).collect::<Result<Vec<_>, _>>()?;
    oldest_first(&mut fills, |fill| fill.exchange_ts);
    Ok(fills)
}

fn fill(venue: VenueId, market: &Market, row: &MyTrade<'_>) -> Result<Fill, ErrorKind> {
    if row.symbol.text() != Some(market.native()) {
        return Err(ErrorKind::Undecodable("another symbol's trade"));
    }
    let fee = maybe_number(&row.commission, "fee")?.unwrap_or_default();
    let fill = Fill {
        venue,
        symbol: market.id,
        trade_id: TradeId::EMPTY,
        order_id: order_id(&row.order_id)?,
        client_id: client_id(&row.client_order_id),
        side: match row.is_buyer.text() {
            Some("true") => Side::Buy,
            Some("false") => Side::Sell,
            Some(_) | None => return Err(ErrorKind::Undecodable("side")),
        },
        price: number(&row.price, "price")?,
        qty: number(&row.qty, "quantity")?,
        fee,
        fee_asset: fee_asset(row.commission_asset.text(), fee, market)?,
        liquidity: if row.is_maker.flag() { Liquidity::Maker } else { Liquidity::Taker },
        exchange_ts: millis(&row.time, "trade time")?,
    };
    Ok(fill.named(row.id.text().unwrap_or_default()))
}

/// The coin a fee was taken in: base, quote or MX (MEXC-REST-19), so never guessed when there is a fee.
pub(crate) fn fee_asset(name: Option<&str>, fee: Decimal, market: &Market) -> Result<Asset, ErrorKind> {
    match name.filter(|name| !name.is_empty()) {
        Some(name) => Asset::new(name).map_err(|_| ErrorKind::Undecodable("fee asset")),
        None if fee.is_zero() => Ok(market.symbol().quote),
        None => Err(ErrorKind::Undecodable("fee asset")),
    }
}

/// Orders placed by others, or before our time, carry identifiers that are none of ours.
fn client_id(scalar: &Scalar<'_>) -> Option<ClientOrderId> {
    scalar.text().and_then(ClientOrderId::new)
}

fn side(scalar: &Scalar<'_>) -> Result<Side, ErrorKind> {
    match scalar.text() {
        Some("BUY") => Ok(Side::Buy),
        Some("SELL") => Ok(Side::Sell),
        Some(_) | None => Err(ErrorKind::Undecodable("side")),
    }
}

/// The exchange documents the first five (MEXC-REST-15); an order type or state it may add must not break reading.
fn status(scalar: &Scalar<'_>) -> OrderStatus {
    match scalar.text() {
        Some("NEW") => OrderStatus::New,
        Some("PARTIALLY_FILLED") => OrderStatus::PartiallyFilled,
        Some("FILLED") => OrderStatus::Filled,
        Some("CANCELED" | "PARTIALLY_CANCELED") => OrderStatus::Canceled,
        Some("PENDING") => OrderStatus::PendingNew,
        Some("PENDING_CANCEL") => OrderStatus::PendingCancel,
        Some("REJECTED") => OrderStatus::Rejected,
        Some("EXPIRED") => OrderStatus::Expired,
        Some(_) | None => OrderStatus::Unknown,
    }
}

#[cfg(test)]
mod tests;
