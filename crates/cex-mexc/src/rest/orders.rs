//! Orders and fills as queries report them.

use super::decode::{json, maybe_number, millis, number, oldest_first, order_id};
use crate::error;
use crate::wire::{BatchRow, MyTrade, OrderEntry, Scalar, part};
use cex_core::{
    Asset, ClientOrderId, Decimal, Fill, Liquidity, Market, Markets, Order, OrderRequest, OrderStatus,
    OrderType, Side, TimeInForce, Timestamp, TradeId, VenueId,
};
use cex_errors::{ErrorKind, ExchangeError, Op};
use cex_interface::{OrderRef, Placed, Reply, by_name};
use sonic_rs::LazyValue;

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

/// The rows of a list, each read by itself: one that cannot be read costs the others nothing, and is told of.
fn rows<T>(
    body: &[u8],
    what: &'static str,
    mut read: impl FnMut(&LazyValue<'_>) -> Result<Option<T>, ErrorKind>,
) -> Result<(Vec<T>, Vec<&'static str>), ErrorKind> {
    let raw = json::<Vec<LazyValue<'_>>>(body, what)?;
    let (mut found, mut unreadable) = (Vec::with_capacity(raw.len()), Vec::new());
    for row in &raw {
        match read(row) {
            Ok(row) => found.extend(row),
            Err(ErrorKind::Undecodable(fault)) => unreadable.push(fault),
            Err(_) => unreadable.push(what),
        }
    }
    Ok((found, unreadable))
}

fn entry<'r>(raw: &'r LazyValue<'_>) -> Result<OrderEntry<'r>, ErrorKind> {
    part(raw).ok_or(ErrorKind::Undecodable("order"))
}

/// Orders of one symbol.
pub(super) fn of_market(venue: VenueId, market: &Market, body: &[u8]) -> Result<Reply, ErrorKind> {
    let read = |raw: &LazyValue<'_>| of_market_named(venue, market, &entry(raw)?).map(Some);
    let (orders, unreadable) = rows(body, "orders", read)?;
    Ok(Reply::Orders(orders).without(unreadable))
}

/// Orders of all registered symbols. Orders of others cannot be named by us and are left out.
pub(super) fn of_any_market(venue: VenueId, markets: &Markets, body: &[u8]) -> Result<Reply, ErrorKind> {
    let read = |raw: &LazyValue<'_>| {
        let entry = entry(raw)?;
        let native = entry.symbol.text().ok_or(ErrorKind::Undecodable("an order without a symbol"))?;
        markets.by_native(native.as_bytes()).map(|market| order(venue, market, &entry)).transpose()
    };
    let (orders, unreadable) = rows(body, "orders", read)?;
    Ok(Reply::Orders(orders).without(unreadable))
}

/// Orders that a mass cancel ended. As with a single cancel, the state told is the one before it (MEXC-REST-20): what
/// is not said to have ended is on its way out.
pub(super) fn canceled(venue: VenueId, market: &Market, body: &[u8]) -> Result<Reply, ErrorKind> {
    let read = |raw: &LazyValue<'_>| {
        let mut order = of_market_named(venue, market, &entry(raw)?)?;
        if !order.status.is_terminal() {
            order.status = OrderStatus::PendingCancel;
        }
        Ok(Some(order))
    };
    let (orders, unreadable) = rows(body, "orders", read)?;
    Ok(Reply::Orders(orders).without(unreadable))
}

/// What became of each order of a batch, told by our identifier (MEXC-REST-24). An order that no row is readably about
/// may have been placed.
pub(super) fn batch(
    venue: VenueId,
    placed: &[OrderRequest],
    body: &[u8],
) -> Result<Vec<Result<Placed, ExchangeError>>, ErrorKind> {
    let raw = json::<Vec<LazyValue<'_>>>(body, "batch")?;
    let asked: Vec<ClientOrderId> = placed.iter().map(|order| order.client_id).collect();
    let told: Vec<_> = raw.iter().filter_map(part::<BatchRow<'_>>).map(|row| (row.name(), row)).collect();
    let rows = by_name(&asked, told).map_err(ErrorKind::Undecodable)?;
    let open = |what| ExchangeError::new(venue, Op::PlaceOrder, ErrorKind::Undecodable(what));
    Ok(placed
        .iter()
        .zip(rows)
        .map(|(order, row)| {
            let row = row.ok_or_else(|| open("a batch that says nothing of an order"))?;
            match row.code.text().filter(|code| !matches!(*code, "0" | "200")) {
                Some(code) => Err(error::of_row(venue, *order, (code, row.msg.text().unwrap_or_default()))),
                None => {
                    let order_id = order_id(&row.order_id).map_err(|_| open("order id"))?;
                    Ok(Placed { client_id: order.client_id, order_id, order: None })
                }
            }
        })
        .collect())
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
        client_id: name(&[&entry.client_order_id, &entry.orig_client_order_id]),
        side: side(&entry.side)?,
        order_type: order_type(&entry.kind),
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

fn order_type(kind: &Scalar<'_>) -> Option<OrderType> {
    match kind.text()? {
        "LIMIT" => Some(OrderType::Limit(TimeInForce::Gtc)),
        "LIMIT_MAKER" => Some(OrderType::PostOnly),
        "IMMEDIATE_OR_CANCEL" => Some(OrderType::Limit(TimeInForce::Ioc)),
        "FILL_OR_KILL" => Some(OrderType::Limit(TimeInForce::Fok)),
        "MARKET" => Some(OrderType::Market),
        // Stops placed on the exchange's own pages.
        _other => None,
    }
}

/// Our fills, oldest first. The identifier is the one the private stream sends (MEXC-REST-18), and where there is none
/// the fill is named as that of the stream would be.
pub(super) fn fills(venue: VenueId, market: &Market, body: &[u8]) -> Result<Reply, ErrorKind> {
    let read = |raw: &LazyValue<'_>| {
        let row = part::<MyTrade<'_>>(raw).ok_or(ErrorKind::Undecodable("own trade"))?;
        fill(venue, market, &row).map(Some)
    };
    let (mut fills, unreadable) = rows(body, "own trades", read)?;
    oldest_first(&mut fills, |fill: &Fill| fill.exchange_ts);
    Ok(Reply::Fills(fills).without(unreadable))
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
        client_id: name(&[&row.client_order_id]),
        side: match row.is_buyer.text() {
            Some("true") => Side::Buy,
            Some("false") => Side::Sell,
            Some(_) | None => return Err(ErrorKind::Undecodable("side")),
        },
        price: number(&row.price, "price")?,
        qty: number(&row.qty, "quantity")?,
        fee,
        fee_asset: fee_asset(row.commission_asset.text(), fee, market)?,
        second_fee: None,
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

/// The client order id among fields that may hold it: the first that can be ours, else whatever proves that none is.
fn name(fields: &[&Scalar<'_>]) -> Option<ClientOrderId> {
    let mut texts = fields.iter().filter_map(|field| field.text());
    texts.clone().find_map(ClientOrderId::new).or_else(|| texts.find_map(client_id))
}

/// Orders placed by others, or before our time, carry identifiers that are none of ours. `None` only where there is none: such
/// an order may be anybody's. One that no order of ours can have is kept as near as it can be held, after an underscore,
/// which no identifier of the house has: it proves whose the order is not.
pub(crate) fn client_id(text: &str) -> Option<ClientOrderId> {
    const LONGEST: usize = 28;
    if text.is_empty() {
        return None;
    }
    ClientOrderId::new(text).or_else(|| {
        let held = |char: char| if char.is_ascii_alphanumeric() || char == '-' { char } else { '_' };
        let others: String = std::iter::once('_').chain(text.chars().map(held)).take(LONGEST).collect();
        ClientOrderId::new(&others)
    })
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
