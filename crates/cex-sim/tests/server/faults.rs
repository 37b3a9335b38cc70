//! Faults over real sockets: each happens to what was asked, as often as asked, and is logged.

mod listing;
mod network;
mod orders;
mod outsiders;
mod rest;
mod venue;
mod ws;

use crate::client::Http;
use cex_core::{Decimal, OrderStatus, Symbol};
use cex_sim::fault::{Fault, FaultId};
use cex_sim::server::SimExchange::{Gateio, Mexc};
use cex_sim::server::{LedgerOrder, SimExchange, SimHandle};

fn decimal(text: &str) -> Decimal {
    text.parse().expect("a decimal")
}

fn btc() -> Symbol {
    "BTC/USDT".parse().expect("a symbol")
}

fn inject(sim: &SimHandle, exchange: SimExchange, fault: Fault) -> FaultId {
    sim.inject(exchange, fault).expect("a good fault")
}

/// One level on each side: 1 BTC to buy at 101, 1 BTC to sell at 99.
fn fill_books(sim: &SimHandle) {
    let level = |price: &str| [(decimal(price), decimal("1"))];
    for exchange in [Mexc, Gateio] {
        sim.set_book(exchange, btc(), &level("99"), &level("101")).expect("on the grid");
    }
}

const ORDERS: &str = "/api/v4/spot/orders";

/// A purchase of half a bitcoin at 101 at Gate.io.
fn purchase(client_id: &str, tif: &str) -> String {
    format!(
        r#"{{"text":"{client_id}","currency_pair":"BTC_USDT","side":"buy","amount":"0.5","price":"101","time_in_force":"{tif}"}}"#
    )
}

async fn buy(http: &mut Http, client_id: &str) -> Result<(u16, bytes::Bytes), hyper::Error> {
    http.try_gateio("POST", "/spot/orders", "", &purchase(client_id, "ioc")).await
}

/// What is true of the only account's orders at Gate.io.
fn orders(sim: &SimHandle) -> Vec<LedgerOrder> {
    sim.orders(Gateio, "rich").expect("an account")
}

fn statuses(sim: &SimHandle) -> Vec<OrderStatus> {
    orders(sim).iter().map(|order| order.status).collect()
}

/// How often a fault happened.
fn fired(sim: &SimHandle, id: FaultId) -> usize {
    sim.fired().expect("running").iter().filter(|fired| fired.id == id).count()
}
