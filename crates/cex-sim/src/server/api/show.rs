//! Faults, books and ledgers as JSON: amounts as texts, times as Unix nanoseconds.

use super::super::config::SimExchange;
use super::super::error::SimError;
use super::super::host::Host;
use super::super::ledger::{Ledger, LedgerFill, LedgerOrder};
use super::super::truth::TruthBook;
use crate::fault::{ActiveFault, Fault, FaultId, Fired};
use cex_core::{Asset, Decimal};
use sonic_rs::{JsonContainerTrait as _, Value, json};

type Balances = [(Asset, Decimal, Decimal)];

pub(super) fn error(message: &str) -> String {
    json!({ "error": message }).to_string()
}

pub(super) fn done() -> String {
    json!({ "done": true }).to_string()
}

pub(super) fn status(host: &Host) -> String {
    let symbols: Vec<String> =
        host.exchanges[0].markets().iter().map(|rules| rules.symbol.to_string()).collect();
    let accounts: Vec<Value> = host
        .config
        .accounts
        .iter()
        .map(|account| json!({ "name": account.name, "key": account.key, "rights": account.rights.name() }))
        .collect();
    text(&json!({
        "now": host.clock.now().as_nanos(),
        "seed": host.config.seed,
        "symbols": symbols,
        "accounts": accounts,
        "faults": host.active_faults().len(),
        "fired": host.fired_faults().len(),
    }))
}

pub(super) fn injected(id: FaultId, fault: &Fault) -> String {
    text(&json!({ "id": id.0, "fault": fault.to_string() }))
}

pub(super) fn faults(faults: &[ActiveFault]) -> String {
    let row = |active: &ActiveFault| {
        json!({
            "id": active.id.0,
            "exchange": active.exchange.name(),
            "fault": active.fault.to_string(),
            "fired": active.fired,
        })
    };
    text(&json!(faults.iter().map(row).collect::<Vec<Value>>()))
}

pub(super) fn fired(fired: &[Fired], since: usize) -> String {
    let row = |(number, fired): (usize, &Fired)| {
        json!({
            "number": number,
            "id": fired.id.0,
            "at": fired.at.as_nanos(),
            "exchange": fired.exchange.name(),
            "fault": fired.fault,
            "hit": fired.hit,
            "seed": fired.seed,
        })
    };
    text(&json!(fired.iter().enumerate().skip(since).map(row).collect::<Vec<Value>>()))
}

pub(super) fn book(book: &TruthBook) -> String {
    text(&book_value(book))
}

fn book_value(book: &TruthBook) -> Value {
    let levels = |levels: &[(Decimal, Decimal)]| {
        let level = |(price, qty): &(Decimal, Decimal)| json!([price.to_string(), qty.to_string()]);
        json!(levels.iter().map(level).collect::<Vec<Value>>())
    };
    json!({ "version": book.version, "bids": levels(&book.bids), "asks": levels(&book.asks) })
}

pub(super) fn balances(balances: &Balances) -> String {
    text(&balances_value(balances))
}

fn balances_value(balances: &Balances) -> Value {
    let row = |(asset, free, locked): &(Asset, Decimal, Decimal)| json!({ "asset": asset.as_str(), "free": free.to_string(), "locked": locked.to_string() });
    json!(balances.iter().map(row).collect::<Vec<Value>>())
}

pub(super) fn orders(orders: &[LedgerOrder]) -> String {
    text(&orders_value(orders))
}

fn orders_value(orders: &[LedgerOrder]) -> Value {
    let row = |order: &LedgerOrder| {
        json!({
            "order": order.order.0,
            "client_id": order.client_id,
            "symbol": order.symbol.to_string(),
            "side": side(order.side),
            "status": order.status.to_string(),
            "filled_qty": order.filled_qty.to_string(),
            "filled_notional": order.filled_notional.to_string(),
            "created_at": order.created_at.as_nanos(),
            "hidden": order.is_hidden,
        })
    };
    json!(orders.iter().map(row).collect::<Vec<Value>>())
}

pub(super) fn fills(fills: &[LedgerFill]) -> String {
    text(&fills_value(fills))
}

fn fills_value(fills: &[LedgerFill]) -> Value {
    let row = |fill: &LedgerFill| {
        json!({
            "trade": fill.trade.0,
            "order": fill.order.0,
            "client_id": fill.client_id,
            "symbol": fill.symbol.to_string(),
            "side": side(fill.side),
            "price": fill.price.to_string(),
            "qty": fill.qty.to_string(),
            "notional": fill.notional.to_string(),
            "fee": fill.fee.to_string(),
            "fee_asset": fill.fee_asset.as_str(),
            "is_maker": fill.is_maker,
            "at": fill.at.as_nanos(),
        })
    };
    json!(fills.iter().map(row).collect::<Vec<Value>>())
}

const fn side(side: cex_core::Side) -> &'static str {
    match side {
        cex_core::Side::Buy => "buy",
        cex_core::Side::Sell => "sell",
    }
}

pub(super) fn ledger(ledger: &Ledger) -> String {
    text(&ledger_value(ledger))
}

fn ledger_value(ledger: &Ledger) -> Value {
    let accounts = ledger.accounts.iter().map(|account| {
        let deposit = |(asset, amount): &(Asset, Decimal)| {
            json!({ "asset": asset.as_str(), "amount": amount.to_string() })
        };
        json!({
            "exchange": account.exchange.name(),
            "account": account.name,
            "deposits": account.deposits.iter().map(deposit).collect::<Vec<Value>>(),
            "balances": balances_value(&account.balances),
            "orders": orders_value(&account.orders),
            "fills": fills_value(&account.fills),
        })
    });
    json!({ "as_of": ledger.as_of.as_nanos(), "accounts": accounts.collect::<Vec<Value>>() })
}

/// Everything that is true: every book with its version, and the ledger.
pub(super) fn dump(host: &Host) -> Result<String, SimError> {
    let mut books = Vec::new();
    for exchange in SimExchange::ALL {
        for rules in host.exchanges[exchange.index()].markets() {
            let book = book_value(&host.truth_book(exchange, rules.symbol)?);
            let symbol = rules.symbol.to_string();
            books.push(json!({ "exchange": exchange.name(), "symbol": symbol, "book": book }));
        }
    }
    Ok(text(&json!({ "books": books, "ledger": ledger_value(&host.ledger()) })))
}

/// A value as text, its keys in alphabetical order: the parser's own objects have another order every time.
fn text(value: &Value) -> String {
    let mut out = String::new();
    write(&mut out, value);
    out
}

fn write(out: &mut String, value: &Value) {
    if let Some(object) = value.as_object() {
        let mut fields: Vec<(&str, &Value)> = object.iter().collect();
        fields.sort_unstable_by_key(|(key, _)| *key);
        list(out, ['{', '}'], fields, |out, (key, value)| {
            // Keys are words of ours.
            out.push('"');
            out.push_str(key);
            out.push_str("\":");
            write(out, value);
        });
    } else if let Some(array) = value.as_array() {
        list(out, ['[', ']'], array.iter(), write);
    } else {
        out.push_str(&value.to_string());
    }
}

fn list<T>(
    out: &mut String,
    [open, close]: [char; 2],
    items: impl IntoIterator<Item = T>,
    mut each: impl FnMut(&mut String, T),
) {
    out.push(open);
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        each(out, item);
    }
    out.push(close);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_value_is_the_same_text() {
        let value = || json!({ "b": [1, "x\"y"], "a": { "d": null, "c": [] } });
        for _ in 0..20 {
            assert_eq!(text(&value()), r#"{"a":{"c":[],"d":null},"b":[1,"x\"y"]}"#);
        }
    }
}
