//! Orders over REST: place, look up, list, cancel; fills; the dead man's switch.

use super::body::Fields;
use super::json;
use super::refusal::Refusal;
use super::rest::Request;
use super::shape::{self, ActionMode};
use super::{DuplicateClientIds, Gateio, place};
use crate::matching::{AccountIndex, Exchange, MarketIndex, NewOrderKind, OrderView, Reject, SelfTrade};
use cex_core::{Side, Timestamp};
use std::collections::BTreeMap;
use std::time::Duration;

/// `POST /spot/orders`.
pub(super) fn place(
    gateio: &mut Gateio,
    exchange: &mut Exchange,
    account: AccountIndex,
    request: &Request<'_>,
) -> Result<String, Refusal> {
    let fields = fields(request.body)?;
    let (order, mode) = place_one(gateio, exchange, account, request.now, &fields)?;
    Ok(one(gateio, exchange, &order, mode))
}

/// Places one order; answers it with how much of it is to be shown.
pub(super) fn place_one(
    gateio: &mut Gateio,
    exchange: &mut Exchange,
    account: AccountIndex,
    now: Timestamp,
    fields: &Fields<'_>,
) -> Result<(OrderView, ActionMode), Refusal> {
    let mode = action_mode(fields.text("action_mode")?.as_deref())?;
    let placed = place::parse(&gateio.names, exchange, fields)?;
    place::check_manners(&gateio.manners, exchange, &placed.order)?;
    let order = &placed.order;
    let band = gateio.config.price_band;
    place::check_band(band, exchange, (order.market, order.side), place::limit(&order.kind))?;
    if let Some(first) = earlier(exchange, account, &placed.order.client_id) {
        match gateio.duplicate_client_ids() {
            DuplicateClientIds::Reject => return Err(Refusal::repeated(&placed.order.client_id)),
            DuplicateClientIds::Echo => return Ok((first.clone(), mode)),
            DuplicateClientIds::Accept => {}
        }
    }
    place::check_book(exchange, &placed)?;
    let group = gateio.stp_group(exchange, account);
    let apart = match (placed.self_trade, group) {
        (None, None) => None,
        // A group without a word of the order's own: the new one goes.
        (None, Some((id, members))) => Some((SelfTrade::CancelNew, "cn", id, members)),
        (Some((act, word)), Some((id, members))) => Some((act, word, id, members)),
        (Some((_, word)), None) => return Err(Refusal::bad_param("stp_act", word)),
    };
    let order = match &apart {
        None => exchange.place(now, account, placed.order.clone()),
        Some((act, .., members)) => exchange.place_apart(now, account, placed.order.clone(), *act, members),
    };
    let order =
        order.map_err(|reject| Refusal::of(&reject, exchange.rules(placed.order.market), &placed.order))?;
    if let Some((_, word, id, _)) = apart {
        gateio.stp.insert(order.no, (id, word));
    }
    if placed.is_market_fok {
        gateio.market_foks.insert(order.no);
    }
    Ok((order, mode))
}

/// `PATCH /spot/orders/{id}`: what is in the body counts, then what is in the query.
pub(super) fn amend(
    gateio: &mut Gateio,
    exchange: &mut Exchange,
    account: AccountIndex,
    request: &Request<'_>,
    id: &str,
) -> Result<String, Refusal> {
    let fields = if request.body.is_empty() { Fields::empty() } else { fields(request.body)? };
    let pair = fields.text("currency_pair")?.map(std::borrow::Cow::into_owned);
    let pair = pair
        .as_deref()
        .or(request.query.get("currency_pair"))
        .ok_or_else(|| Refusal::missing("currency_pair"))?;
    let (order, mode) = amend_one(gateio, exchange, account, request.now, (id, pair), &fields)?;
    Ok(one(gateio, exchange, &order, mode))
}

/// Changes one order; answers it with how much of it is to be shown.
pub(super) fn amend_one(
    gateio: &mut Gateio,
    exchange: &mut Exchange,
    account: AccountIndex,
    now: Timestamp,
    (id, pair): (&str, &str),
    fields: &Fields<'_>,
) -> Result<(OrderView, ActionMode), Refusal> {
    let mode = action_mode(fields.text("action_mode")?.as_deref())?;
    let found = find_in(exchange, account, id, gateio.names.market(pair)?)?.clone();
    let rules = exchange.rules(found.request.market);
    let (price, qty) = place::amended(rules, fields)?;
    let (NewOrderKind::Limit { price: old, qty: total } | NewOrderKind::PostOnly { price: old, qty: total }) =
        found.request.kind
    else {
        return Err(Refusal::order_not_found());
    };
    if price.is_none_or(|price| price == old) && qty.is_none_or(|qty| qty == total) {
        return Err(Refusal::new(400, "NO_CHANGE", "No change"));
    }
    place::check_band(gateio.config.price_band, exchange, (found.request.market, found.request.side), price)?;
    let amended = exchange.amend(now, account, found.no, price, qty);
    let order = amended
        .map_err(|reject| Refusal::of(&reject, exchange.rules(found.request.market), &found.request))?;
    if let Some(text) = fields.text("amend_text")? {
        gateio.amend_texts.insert(order.no, text.into_owned());
    }
    Ok((order, mode))
}

/// Cancels one order.
pub(super) fn cancel_one(
    gateio: &Gateio,
    exchange: &mut Exchange,
    account: AccountIndex,
    now: Timestamp,
    (id, pair): (&str, &str),
) -> Result<OrderView, Refusal> {
    // Whatever is unknown, elsewhere or ended is told in one word; that is what clients look for.
    let market = gateio.names.market(pair)?;
    let found = find_in(exchange, account, id, market).map(|order| order.no);
    let no =
        found.map_err(|refusal| if refusal.status == 404 { Refusal::order_not_found() } else { refusal })?;
    exchange.cancel(now, account, no).map_err(|_: Reject| Refusal::order_not_found())
}

/// The order for which the account used this client order id before.
fn earlier<'a>(exchange: &'a Exchange, account: AccountIndex, client_id: &str) -> Option<&'a OrderView> {
    if client_id.is_empty() {
        return None;
    }
    exchange.order_by_client_id(account, client_id)
}

/// The market a placement is for, as far as its body can be read: its budget is counted before the body is checked.
pub(super) fn pair_of(gateio: &Gateio, body: &[u8]) -> Option<MarketIndex> {
    let fields = Fields::parse(body)?;
    let name = fields.text("currency_pair").ok()??;
    gateio.names.find(&name)
}

/// `GET /spot/orders/{id}`.
pub(super) fn get(
    gateio: &Gateio,
    exchange: &Exchange,
    account: AccountIndex,
    request: &Request<'_>,
    id: &str,
) -> Result<String, Refusal> {
    let order = find(gateio, exchange, account, request, id)?;
    Ok(one(gateio, exchange, order, ActionMode::Full))
}

/// `DELETE /spot/orders/{id}`.
pub(super) fn cancel(
    gateio: &Gateio,
    exchange: &mut Exchange,
    account: AccountIndex,
    request: &Request<'_>,
    id: &str,
) -> Result<String, Refusal> {
    let mode = action_mode(request.query.get("action_mode"))?;
    let pair = request.query.required("currency_pair")?;
    let order = cancel_one(gateio, exchange, account, request.now, (id, pair))?;
    Ok(one(gateio, exchange, &order, mode))
}

/// `DELETE /spot/orders`: without a pair, of all pairs.
pub(super) fn cancel_all(
    gateio: &Gateio,
    exchange: &mut Exchange,
    account: AccountIndex,
    request: &Request<'_>,
) -> Result<String, Refusal> {
    let mode = action_mode(request.query.get("action_mode"))?;
    let market = request.query.get("currency_pair").map(|name| gateio.names.market(name)).transpose()?;
    let side = side_of(request.query.get("side"))?;
    let cancelled = cancel_matching(exchange, request.now, account, market, side);
    let mut body = String::new();
    json::array(&mut body, &cancelled, |out, order| {
        json::object(out, |row| {
            gateio.shown(exchange, order).rest(row, mode);
            row.plain("succeeded", true);
            row.quoted("label", "");
            row.quoted("message", "");
        });
    });
    Ok(body)
}

/// Cancels the open orders of an account that are in this market (or any) and on this side (or either).
pub(super) fn cancel_matching(
    exchange: &mut Exchange,
    now: Timestamp,
    account: AccountIndex,
    market: Option<MarketIndex>,
    side: Option<Side>,
) -> Vec<OrderView> {
    let wanted = |order: &&OrderView| {
        market.is_none_or(|market| market == order.request.market)
            && side.is_none_or(|side| side == order.request.side)
    };
    let numbers: Vec<_> = exchange.open_orders(account).filter(wanted).map(|order| order.no).collect();
    numbers.into_iter().filter_map(|no| exchange.cancel(now, account, no).ok()).collect()
}

/// `GET /spot/orders`.
pub(super) fn list(
    gateio: &Gateio,
    exchange: &Exchange,
    account: AccountIndex,
    request: &Request<'_>,
) -> Result<String, Refusal> {
    let query = request.query;
    let is_open = match query.required("status")? {
        "open" => true,
        "finished" => false,
        other => return Err(Refusal::bad_param("status", other)),
    };
    let market = match query.get("currency_pair") {
        Some(name) => Some(gateio.names.market(name)?),
        None if is_open => return Err(Refusal::missing("currency_pair")),
        None => None,
    };
    let side = side_of(query.get("side"))?;
    let (skip, limit) = page(request, if is_open { 100 } else { 1_000 })?;
    let (from, to) = span(request)?;
    let wanted = |order: &&OrderView| {
        order.status.is_terminal() != is_open
            && market.is_none_or(|market| market == order.request.market)
            && side.is_none_or(|side| side == order.request.side)
            // Finished orders are found by when they ended.
            && (is_open || (from..=to).contains(&order.updated_at.as_secs()))
    };
    let mut orders: Vec<_> = exchange.orders(account).filter(wanted).collect();
    orders.reverse();
    let mut body = String::new();
    json::array(&mut body, orders.into_iter().skip(skip).take(limit), |out, order| {
        json::object(out, |row| gateio.shown(exchange, order).rest(row, ActionMode::Full));
    });
    Ok(body)
}

/// `GET /spot/open_orders`: every pair with open orders, each with one page of them.
pub(super) fn open(
    gateio: &Gateio,
    exchange: &Exchange,
    account: AccountIndex,
    request: &Request<'_>,
) -> Result<String, Refusal> {
    let (skip, limit) = page(request, 100)?;
    let mut by_market: BTreeMap<MarketIndex, Vec<&OrderView>> = BTreeMap::new();
    for order in exchange.open_orders(account) {
        by_market.entry(order.request.market).or_default().push(order);
    }
    let mut body = String::new();
    json::array(&mut body, by_market, |out, (market, orders)| {
        json::object(out, |row| {
            row.text("currency_pair", gateio.names.of(market));
            row.plain("total", orders.len());
            row.array("orders", orders.iter().rev().skip(skip).take(limit), |out, order| {
                json::object(out, |row| gateio.shown(exchange, order).rest(row, ActionMode::Full));
            });
        });
    });
    Ok(body)
}

/// `GET /spot/my_trades`: newest first.
pub(super) fn my_trades(
    gateio: &Gateio,
    exchange: &Exchange,
    account: AccountIndex,
    request: &Request<'_>,
) -> Result<String, Refusal> {
    let query = request.query;
    let market = query.get("currency_pair").map(|name| gateio.names.market(name)).transpose()?;
    let order = query.get("order_id");
    if order.is_some() && market.is_none() {
        return Err(Refusal::missing("currency_pair"));
    }
    let order =
        order.map(|id| find(gateio, exchange, account, request, id)).transpose()?.map(|order| order.no);
    let (skip, limit) = page(request, 1_000)?;
    let (from, to) = span(request)?;
    let fills = exchange.fills(account).iter().rev().filter(|fill| {
        market.is_none_or(|market| market == fill.market)
            && order.is_none_or(|order| order == fill.order)
            && (from..=to).contains(&fill.at.as_secs())
    });
    let mut body = String::new();
    json::array(&mut body, fills.skip(skip).take(limit), |out, fill| {
        let (pair, rules) = (gateio.names.of(fill.market), exchange.rules(fill.market));
        json::object(out, |row| shape::rest_fill(row, fill, pair, rules));
    });
    Ok(body)
}

/// `POST /spot/countdown_cancel_all`: arms, moves or disarms the dead man's switch.
pub(super) fn countdown(
    gateio: &mut Gateio,
    account: AccountIndex,
    request: &Request<'_>,
) -> Result<String, Refusal> {
    const LEAST_SECS: u64 = 5;
    let fields = fields(request.body)?;
    let text = fields.required("timeout")?;
    let timeout: u64 = text.parse().map_err(|_| Refusal::bad_param("timeout", &text))?;
    if timeout != 0 && timeout < LEAST_SECS {
        return Err(Refusal::bad_param("timeout", &text));
    }
    let pair = fields.text("currency_pair")?;
    let market = pair.map(|name| gateio.names.market(&name)).transpose()?;
    let fires_at = request.now + Duration::from_secs(timeout);
    if timeout == 0 {
        gateio.switches.remove(&(account, market));
    } else {
        gateio.switches.insert((account, market), fires_at);
    }
    let mut body = String::new();
    json::object(&mut body, |row| row.quoted("triggerTime", fires_at.as_millis()));
    Ok(body)
}

fn fields(body: &[u8]) -> Result<Fields<'_>, Refusal> {
    Fields::parse(body)
        .ok_or_else(|| Refusal::new(400, "INVALID_REQUEST_BODY", "Request body must be a JSON object"))
}

fn one(gateio: &Gateio, exchange: &Exchange, order: &OrderView, mode: ActionMode) -> String {
    let mut body = String::new();
    json::object(&mut body, |row| gateio.shown(exchange, order).rest(row, mode));
    body
}

/// The account's order with this number or client id, in the pair the query names.
fn find<'a>(
    gateio: &Gateio,
    exchange: &'a Exchange,
    account: AccountIndex,
    request: &Request<'_>,
    id: &str,
) -> Result<&'a OrderView, Refusal> {
    let market = gateio.names.market(request.query.required("currency_pair")?)?;
    find_in(exchange, account, id, market)
}

/// The account's order with this number or client id in this market.
fn find_in<'a>(
    exchange: &'a Exchange,
    account: AccountIndex,
    id: &str,
    market: MarketIndex,
) -> Result<&'a OrderView, Refusal> {
    let in_market = |order: &&OrderView| order.account == account && order.request.market == market;
    if id.starts_with("t-") {
        return exchange.order_by_client_id(account, id).filter(in_market).ok_or_else(|| {
            Refusal::new(404, "CLIENT_ID_NOT_FOUND", format!("Order with client ID {id} not found"))
        });
    }
    let number: u64 = id.parse().map_err(|_| Refusal::bad_param("order_id", id))?;
    exchange.order(crate::matching::OrderNo(number)).filter(in_market).ok_or_else(Refusal::order_not_found)
}

fn action_mode(text: Option<&str>) -> Result<ActionMode, Refusal> {
    match text {
        None | Some("FULL") => Ok(ActionMode::Full),
        Some("RESULT") => Ok(ActionMode::Result),
        Some("ACK") => Ok(ActionMode::Ack),
        Some(other) => Err(Refusal::bad_param("action_mode", other)),
    }
}

fn side_of(text: Option<&str>) -> Result<Option<Side>, Refusal> {
    text.map(|text| shape::parse_side(text).ok_or_else(|| Refusal::bad_param("side", text))).transpose()
}

/// How many to skip, and how many to show.
fn page(request: &Request<'_>, most: u64) -> Result<(usize, usize), Refusal> {
    let limit = request.query.number("limit", 100, (1, most))?;
    let page = request.query.number("page", 1, (1, u64::from(u32::MAX)))?;
    let skip = (page - 1).saturating_mul(limit);
    Ok((usize::try_from(skip).unwrap_or(usize::MAX), usize::try_from(limit).unwrap_or(usize::MAX)))
}

/// Seconds, both ends included.
fn span(request: &Request<'_>) -> Result<(i64, i64), Refusal> {
    let from = request.query.optional_number("from")?.unwrap_or(i64::MIN);
    let to = request.query.optional_number("to")?.unwrap_or(i64::MAX);
    Ok((from, to))
}
