//! Orders over REST: place, cancel, look up, list; fills.

use super::ids::OrderId;
use super::params::Params;
use super::public::{object, rows, span};
use super::refusal::Refusal;
use super::rest::Request;
use super::shape::{self, State};
use super::{Mexc, batch, place};
use crate::dialect::{DuplicateClientIds, json};
use crate::matching::{AccountIndex, Exchange, MarketIndex, OrderNo, OrderView};
use cex_core::Timestamp;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);
/// What happened longer ago is gone: orders, and fills.
const ORDERS_KEPT: Duration = Duration::from_secs(7 * 86_400);
const FILLS_KEPT: Duration = Duration::from_secs(30 * 86_400);
/// Symbols that a list may name.
const MOST_SYMBOLS: usize = 5;

/// `POST /order/test`: everything but the balances is checked, nothing is placed.
pub(super) fn test(
    mexc: &Mexc,
    exchange: &Exchange,
    account: AccountIndex,
    request: &Request<'_>,
) -> Result<String, Refusal> {
    place::check(mexc, exchange, account, request.params)?;
    Ok("{}".to_owned())
}

/// `POST /order`
pub(super) fn place(
    mexc: &mut Mexc,
    exchange: &mut Exchange,
    account: AccountIndex,
    request: &Request<'_>,
) -> Result<String, Refusal> {
    let order = place_one(mexc, exchange, account, request.now, request.params)?;
    Ok(object(|row| mexc.shown(exchange, &order).placed(row)))
}

/// `POST /batchOrders`: 200 even when all fail.
pub(super) fn place_batch(
    mexc: &mut Mexc,
    exchange: &mut Exchange,
    account: AccountIndex,
    request: &Request<'_>,
) -> Result<String, Refusal> {
    let batch = batch::parse(request.params.required("batchOrders")?)?;
    let mut body = String::new();
    json::array(&mut body, &batch, |out, params| {
        let placed = place_one(mexc, exchange, account, request.now, params);
        let client_id = params.get("newClientOrderId");
        json::object(out, |row| match placed {
            Ok(order) => {
                row.text("symbol", mexc.listings.name(order.request.market));
                row.quoted("orderId", OrderId(order.no));
                client_id.into_iter().for_each(|id| row.text("newClientOrderId", id));
                row.plain("orderListId", -1);
            }
            Err(refusal) => {
                client_id.into_iter().for_each(|id| row.text("newClientOrderId", id));
                row.text("msg", &refusal.message);
                row.plain("code", refusal.code);
            }
        });
    });
    Ok(body)
}

fn place_one(
    mexc: &mut Mexc,
    exchange: &mut Exchange,
    account: AccountIndex,
    now: Timestamp,
    params: &Params<'_>,
) -> Result<OrderView, Refusal> {
    let placement = place::check(mexc, exchange, account, params)?;
    if let Some(first) = exchange.order_by_client_id(account, &placement.order.client_id) {
        match mexc.duplicate_client_ids() {
            DuplicateClientIds::Reject => return Err(Refusal::duplicate_client_id()),
            DuplicateClientIds::Echo => return Ok(first.clone()),
            DuplicateClientIds::Accept => {}
        }
    }
    let market = placement.order.market;
    let placed = match (placement.self_trade, mexc.stp_group(exchange, account)) {
        (Some((act, word)), Some(members)) => exchange
            .place_apart(now, account, placement.order, act, &members)
            .inspect(|order| mexc.stp.extend([(order.no, word)])),
        // Without a group its word for it is nothing.
        (_, None) | (None, Some(_)) => exchange.place(now, account, placement.order),
    };
    let order = placed.map_err(|reject| Refusal::of(&reject, exchange.rules(market)))?;
    mexc.protective.extend(placement.protective.map(|price| (order.no, price)));
    Ok(order)
}

/// `DELETE /order`
pub(super) fn cancel(
    mexc: &Mexc,
    exchange: &mut Exchange,
    account: AccountIndex,
    request: &Request<'_>,
) -> Result<String, Refusal> {
    let order = find(mexc, exchange, account, request)?.ok_or_else(Refusal::unknown_order)?;
    let (no, state_before) = (order.no, State::of(order));
    let order = exchange.cancel(request.now, account, no).map_err(|_| Refusal::unknown_order())?;
    Ok(object(|row| mexc.shown(exchange, &order).cancelled(row, state_before, false)))
}

/// `DELETE /openOrders`: of one to five symbols.
pub(super) fn cancel_open(
    mexc: &Mexc,
    exchange: &mut Exchange,
    account: AccountIndex,
    request: &Request<'_>,
) -> Result<String, Refusal> {
    request.params.required("symbol")?;
    let markets = markets(mexc, request)?;
    let is_wanted = |order: &&OrderView| markets.contains(&order.request.market);
    let open = exchange.open_orders(account).filter(is_wanted);
    let open: Vec<(OrderNo, State)> = open.map(|order| (order.no, State::of(order))).collect();
    let cancelled = cancel_each(exchange, account, request.now, open);
    Ok(rows(&cancelled, |row, (order, state)| mexc.shown(exchange, order).cancelled(row, *state, true)))
}

/// `DELETE /order/all`
pub(super) fn cancel_all(exchange: &mut Exchange, account: AccountIndex, request: &Request<'_>) -> String {
    let open = exchange.open_orders(account).map(|order| (order.no, State::of(order))).collect();
    cancel_each(exchange, account, request.now, open);
    object(|row| {
        row.plain("code", 200);
        row.quoted("msg", "success");
        row.plain("timestamp", request.now.as_millis());
    })
}

fn cancel_each(
    exchange: &mut Exchange,
    account: AccountIndex,
    now: Timestamp,
    open: Vec<(OrderNo, State)>,
) -> Vec<(OrderView, State)> {
    let mut cancel = |(no, state)| exchange.cancel(now, account, no).ok().map(|order| (order, state));
    open.into_iter().filter_map(&mut cancel).collect()
}

/// `GET /order`
pub(super) fn query(
    mexc: &Mexc,
    exchange: &Exchange,
    account: AccountIndex,
    request: &Request<'_>,
) -> Result<String, Refusal> {
    let order = find(mexc, exchange, account, request)?;
    let order = order.filter(|order| order.created_at + ORDERS_KEPT > request.now);
    let order = order.ok_or_else(Refusal::no_such_order)?;
    Ok(object(|row| mexc.shown(exchange, order).full(row)))
}

/// `GET /openOrders`, newest first: of all symbols, or of up to five.
pub(super) fn open(
    mexc: &Mexc,
    exchange: &Exchange,
    account: AccountIndex,
    request: &Request<'_>,
) -> Result<String, Refusal> {
    const MOST_ROWS: usize = 1_000;
    if mexc.manners.open_orders_by_symbol {
        request.params.required("symbol")?;
    }
    let markets = markets(mexc, request)?;
    let is_wanted = |order: &&OrderView| markets.is_empty() || markets.contains(&order.request.market);
    let open: Vec<&OrderView> = exchange.open_orders(account).filter(is_wanted).collect();
    Ok(rows(open.into_iter().rev().take(MOST_ROWS), |row, order| mexc.shown(exchange, order).full(row)))
}

/// `GET /allOrders`, newest first: of the last day, or of a span within the last week.
pub(super) fn all(
    mexc: &Mexc,
    exchange: &Exchange,
    account: AccountIndex,
    request: &Request<'_>,
) -> Result<String, Refusal> {
    let market = order_market(mexc, request)?;
    let limit = request.params.limit(500, 1_000)?;
    let asked = span(request)?;
    let is_open_ended = *asked.start() == i64::MIN;
    let kept = if is_open_ended { DAY } else { ORDERS_KEPT };
    let is_wanted = |order: &&OrderView| {
        order.request.market == market
            && order.created_at + kept > request.now
            && asked.contains(&order.created_at.as_millis())
    };
    let orders: Vec<&OrderView> = exchange.orders(account).filter(is_wanted).collect();
    Ok(rows(orders.into_iter().rev().take(limit), |row, order| mexc.shown(exchange, order).full(row)))
}

/// `GET /myTrades`, newest first: of the last month.
pub(super) fn my_trades(
    mexc: &Mexc,
    exchange: &Exchange,
    account: AccountIndex,
    request: &Request<'_>,
) -> Result<String, Refusal> {
    let market = order_market(mexc, request)?;
    let limit = request.params.limit(100, 100)?;
    let span = span(request)?;
    let order = request.params.get("orderId").map(OrderId::parse);
    let fills = exchange.fills(account).iter().rev().filter(|fill| {
        fill.market == market
            && fill.at + FILLS_KEPT > request.now
            && span.contains(&fill.at.as_millis())
            && order.is_none_or(|order| order == Some(fill.order))
    });
    let named = (mexc.listings.name(market), mexc.config.names_in_trades);
    Ok(rows(fills.take(limit), |row, fill| shape::fill(row, exchange, named, fill)))
}

/// The market that a call about orders must name.
fn order_market(mexc: &Mexc, request: &Request<'_>) -> Result<MarketIndex, Refusal> {
    mexc.listings.find(request.params.required("symbol")?).ok_or_else(Refusal::bad_symbol)
}

/// The markets a list names; none when there is no list.
fn markets(mexc: &Mexc, request: &Request<'_>) -> Result<Vec<MarketIndex>, Refusal> {
    let find = |name| mexc.listings.find(name).ok_or_else(Refusal::bad_symbol);
    let markets: Vec<MarketIndex> = request.params.list("symbol").map(find).collect::<Result<_, _>>()?;
    if markets.len() > MOST_SYMBOLS {
        return Err(Refusal::mandatory("symbol"));
    }
    Ok(markets)
}

/// The account's order that a call names by either id, in the market it names.
fn find<'a>(
    mexc: &Mexc,
    exchange: &'a Exchange,
    account: AccountIndex,
    request: &Request<'_>,
) -> Result<Option<&'a OrderView>, Refusal> {
    let market = order_market(mexc, request)?;
    let found = match (request.params.get("orderId"), request.params.get("origClientOrderId")) {
        (Some(id), _) => OrderId::parse(id).and_then(|no| exchange.order(no)),
        (None, Some(client_id)) => exchange.order_by_client_id(account, client_id),
        (None, None) => {
            let message = "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null";
            return Err(Refusal::new(700_004, message));
        }
    };
    Ok(found.filter(|order| order.account == account && order.request.market == market))
}
