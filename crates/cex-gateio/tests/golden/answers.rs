//! The answers of the vectors.

use crate::support::{account, list, markets, order_line, text};
use cex_core::{ClientOrderId, OrderKind, OrderRequest, Price, Qty, Side, SymbolId, TimeInForce};
use cex_errors::{ErrorKind, ExchangeError};
use cex_interface::{HttpResponse, Protocol, Reply, Request};
use sonic_rs::JsonValueTrait;
use std::time::Duration;

/// The vectors' order: `t-ws-1`, 0.001 BTC at 30000.5.
fn order() -> Request {
    Request::Place(OrderRequest {
        venue: crate::support::venue(),
        symbol: SymbolId(0),
        client_id: ClientOrderId::new("ws-1").expect("plain"),
        side: Side::Buy,
        kind: OrderKind::Limit { price: Price(300_005), qty: Qty(100_000), tif: TimeInForce::Ioc },
        expires_in: Duration::from_secs(1),
    })
}

fn answered(name: &str, request: &Request) -> Result<Reply, ExchangeError> {
    let examples = list("rest_examples");
    let example = examples.iter().find(|example| text(example, "name") == name).expect(name);
    let status = u16::try_from(example["status"].as_u64().expect("status")).expect("a status code");
    let response = HttpResponse { status, headers: &[], body: text(example, "text").as_bytes() };
    account(&[]).decode(&markets(), request, &response)
}

#[test]
fn every_answer_is_accounted_for() {
    let examples = list("rest_examples");
    let names: Vec<&str> = examples.iter().map(|example| text(example, "name")).collect();
    assert_eq!(
        names,
        [
            "error_body",
            "error_detail",
            "too_small",
            "html_502",
            "order_full",
            "accounts",
            "order_book_with_id"
        ]
    );
}

#[test]
fn refusals_are_understood() {
    for (name, expected) in [
        ("error_body", ErrorKind::InvalidRequest),
        ("error_detail", ErrorKind::InvalidRequest),
        ("too_small", ErrorKind::BelowMinimum),
        ("html_502", ErrorKind::ServerBusy),
    ] {
        assert_eq!(answered(name, &order()).expect_err(name).kind, expected, "{name}");
    }
    let words = answered("error_detail", &order()).expect_err("refused").to_string();
    assert_eq!(words, "gateio place order: malformed or missing parameter (INVALID_ARGUMENT: invalid size)");
}

#[test]
fn a_placement_tells_the_orders_state() {
    let Ok(Reply::Placed(placed)) = answered("order_full", &order()) else { panic!("placed") };
    assert_eq!((placed.client_id.as_str(), placed.order_id.as_str()), ("ws-1", "1852454420"));
    assert_eq!(
        order_line(&markets(), &placed.order.expect("told")),
        "order 1852454420 BTC/USDT buy Filled qty 0.001 price 30000.5 filled 0.001 for 30.0005 fee 0.000002 BTC \
         client ws-1 at 1700000001012"
    );
}

#[test]
fn balances_are_read() {
    let Ok(Reply::Account(account)) = answered("accounts", &Request::Account) else { panic!("balances") };
    let balance = account.balance("USDT".parse().expect("an asset")).expect("listed");
    assert_eq!((balance.free.to_string(), balance.locked.to_string()), ("963".to_owned(), "37".to_owned()));
}

#[test]
fn a_snapshot_is_read() {
    let request = Request::Book { symbol: SymbolId(0), depth: 20 };
    let Ok(Reply::Book(book)) = answered("order_book_with_id", &request) else { panic!("a book") };
    assert_eq!((book.seq, book.exchange_ts.as_millis()), (2003, 1_700_000_000_090));
    let prices = |levels: &[cex_core::Level]| levels.iter().map(|level| level.price.0).collect::<Vec<_>>();
    assert_eq!((prices(&book.bids), prices(&book.asks)), (vec![370_012, 369_883], vec![370_013, 370_020]));
}
