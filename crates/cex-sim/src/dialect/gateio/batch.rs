//! Several orders in one call: placed, changed, cancelled. One bad row harms no other.

use super::body::Fields;
use super::json::{self, Object};
use super::refusal::Refusal;
use super::rest::Request;
use super::shape::ActionMode;
use super::{Gateio, orders};
use crate::matching::{AccountIndex, Exchange, MarketIndex, OrderView};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Pairs of one batch, orders of one pair, changes, cancels.
const MOST_PAIRS: usize = 4;
const MOST_PER_PAIR: usize = 10;
const MOST_AMENDS: usize = 5;
const MOST_CANCELS: usize = 20;

/// Where the answer goes: a row that failed is spelt differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Twin {
    /// REST.
    Rest,
    /// The trading interface over WebSocket.
    Stream,
}

/// `POST /spot/batch_orders`, and `spot.order_place` with a list.
pub(super) fn place(
    gateio: &mut Gateio,
    exchange: &mut Exchange,
    account: AccountIndex,
    request: &Request<'_>,
    twin: Twin,
) -> Result<String, Refusal> {
    let rows = rows(request.body)?;
    check_rules(&rows)?;
    let mut results = Vec::new();
    for row in &rows {
        let text = text(row, "text");
        results.push((text, orders::place_one(gateio, exchange, account, request.now, row)));
    }
    Ok(show(&results, |out, (text, result)| match result {
        Ok((order, mode)) => placed(out, gateio, exchange, order, *mode),
        Err(refusal) => failed(out, text, refusal, twin),
    }))
}

/// `POST /spot/amend_batch_orders`.
pub(super) fn amend(
    gateio: &mut Gateio,
    exchange: &mut Exchange,
    account: AccountIndex,
    request: &Request<'_>,
) -> Result<String, Refusal> {
    let rows = rows(request.body)?;
    refuse_more_than(MOST_AMENDS, rows.len())?;
    let mut results = Vec::new();
    for row in &rows {
        let id = text(row, "order_id");
        let pair = text(row, "currency_pair");
        results
            .push((id.clone(), orders::amend_one(gateio, exchange, account, request.now, (&id, &pair), row)));
    }
    Ok(show(&results, |out, (text, result)| match result {
        Ok((order, mode)) => placed(out, gateio, exchange, order, *mode),
        Err(refusal) => failed(out, text, refusal, Twin::Rest),
    }))
}

/// `POST /spot/cancel_batch_orders`, and `spot.order_cancel_ids`.
pub(super) fn cancel(
    gateio: &Gateio,
    exchange: &mut Exchange,
    account: AccountIndex,
    request: &Request<'_>,
) -> Result<String, Refusal> {
    let rows = rows(request.body)?;
    refuse_more_than(MOST_CANCELS, rows.len())?;
    let mut results = Vec::new();
    for row in &rows {
        let (id, pair) = (text(row, "id"), text(row, "currency_pair"));
        let result = orders::cancel_one(gateio, exchange, account, request.now, (&id, &pair));
        results.push(((id, pair), result));
    }
    Ok(show(&results, |out, ((id, pair), result)| {
        json::object(out, |row| {
            row.text("currency_pair", pair);
            match result {
                Ok(order) => {
                    row.quoted("id", order.no.0);
                    row.text("text", super::shape::client_text(&order.request.client_id));
                }
                Err(_) => {
                    row.text("id", id);
                    row.text("text", id);
                }
            }
            verdict(row, result.as_ref().err());
        });
    }))
}

/// The market of each row, as far as it can be read: budgets are counted before bodies are checked.
pub(super) fn markets(gateio: &Gateio, body: &[u8]) -> Vec<Option<MarketIndex>> {
    let rows = rows(body).unwrap_or_default();
    rows.iter().map(|row| gateio.names.find(&text(row, "currency_pair"))).collect()
}

fn rows(body: &[u8]) -> Result<Vec<Fields<'_>>, Refusal> {
    let rows = Fields::parse_list(body).filter(|rows| !rows.is_empty());
    rows.ok_or_else(|| {
        Refusal::new(400, "INVALID_REQUEST_BODY", "Request body must be a list of JSON objects")
    })
}

/// Breaches of these fail the whole request.
fn check_rules(rows: &[Fields<'_>]) -> Result<(), Refusal> {
    let mut per_pair: BTreeMap<String, usize> = BTreeMap::new();
    let mut accounts: Vec<String> = Vec::new();
    for row in rows {
        row.required("text")?;
        *per_pair.entry(text(row, "currency_pair")).or_default() += 1;
        let account = row.text("account")?.map_or_else(|| "spot".to_owned(), Cow::into_owned);
        if !accounts.contains(&account) {
            accounts.push(account);
        }
    }
    if per_pair.len() > MOST_PAIRS {
        return Err(Refusal::new(400, "TOO_MANY_CURRENCY_PAIRS", format!("at most {MOST_PAIRS} pairs")));
    }
    if let Some(count) = per_pair.values().find(|count| **count > MOST_PER_PAIR) {
        return Err(too_many(*count, MOST_PER_PAIR));
    }
    if accounts.len() > 1 {
        return Err(Refusal::new(400, "MIXED_ACCOUNT_TYPE", "all orders must be of one account type"));
    }
    Ok(())
}

fn refuse_more_than(most: usize, count: usize) -> Result<(), Refusal> {
    if count > most { Err(too_many(count, most)) } else { Ok(()) }
}

fn too_many(count: usize, most: usize) -> Refusal {
    Refusal::new(400, "TOO_MANY_ORDERS", format!("{count} orders, at most {most}"))
}

fn show<T>(results: &[T], row: impl FnMut(&mut String, &T)) -> String {
    let mut body = String::new();
    json::array(&mut body, results, row);
    body
}

fn placed(out: &mut String, gateio: &Gateio, exchange: &Exchange, order: &OrderView, mode: ActionMode) {
    json::object(out, |row| {
        row.quoted("order_id", order.no.0);
        gateio.shown(exchange, order).rest(row, mode);
        verdict(row, None);
    });
}

fn failed(out: &mut String, text: &str, refusal: &Refusal, twin: Twin) {
    json::object(out, |row| {
        row.text("text", text);
        match twin {
            Twin::Rest => verdict(row, Some(refusal)),
            Twin::Stream => {
                row.text("label", refusal.label);
                row.text("message", &refusal.message);
            }
        }
    });
}

fn verdict(row: &mut Object<'_>, refusal: Option<&Refusal>) {
    row.plain("succeeded", refusal.is_none());
    row.text("label", refusal.map_or("", |refusal| refusal.label));
    row.text("message", refusal.map_or("", |refusal| &refusal.message));
}

fn text(row: &Fields<'_>, name: &str) -> String {
    row.text(name).ok().flatten().map(Cow::into_owned).unwrap_or_default()
}
