//! Gate.io spot: symbols, books, trades, tickers, candles, orders, fills, balances.
//!
//! Sans-IO: [`Gateio`] turns typed calls into signed HTTP requests and answers into typed replies, and its
//! links are state machines that are told what happened. With feature `client` (on by default) `connect`
//! makes a client that runs.
//!
//! | module | what |
//! |---|---|
//! | `config` | addresses, the book stream in use, options |
//! | `symbol` | `BTC/USDT` and `BTC_USDT`; trading rules |
//! | [`sign`] | the three signatures |
//! | `error` | the exchange's labels and codes to `ErrorKind`: one table |
//! | `limits` | the exchange's budgets |
//! | `rest` | the request interface: [`Gateio`] |
//! | `market` | the public link |
//! | `account` | the private link |
//! | `entry` | the link that carries calls about orders |
//! | `depth` | the hot decoder of book frames |
//! | `session` | what all links share: heartbeat, what a message is |
//! | `order` | rows about our orders, fills and balances |
//! | `wire` | shapes, exactly as sent |
//! | [`recording`] | recorded frames to events |
//!
//! Facts about the exchange are numbered in `docs/exchanges/gateio.md`; the code cites the numbers.
#![forbid(unsafe_code)]

mod account;
mod config;
mod depth;
mod entry;
mod error;
mod limits;
mod market;
mod order;
mod read_back;
pub mod recording;
mod rest;
mod session;
pub mod sign;
mod symbol;
#[cfg(test)]
mod testing;
mod wire;

pub use recording::RecordedFrames;
pub use rest::Gateio;
pub use symbol::is_plain;

use cex_errors::ExchangeError;
use cex_interface::{Protocol, Registration, VenueConfig};
use std::sync::Arc;

/// How the program finds this adapter.
pub const REGISTRATION: Registration = Registration { name: "gateio", title: "Gate.io", open: protocol };

/// The protocol of one account, or of public use.
///
/// # Errors
/// `InvalidInput`, naming the setting that is wrong.
pub fn protocol(config: VenueConfig) -> Result<Arc<dyn Protocol>, ExchangeError> {
    Ok(Arc::new(Gateio::new(config)?))
}

/// A running client of this exchange: measures its clock and keeps connections fresh. Needs a tokio runtime;
/// [`cex_interface::PublicExchange::init`] must come next.
///
/// # Errors
/// `InvalidInput`, naming the setting that is wrong; whatever keeps the exchange from answering.
#[cfg(feature = "client")]
pub async fn connect(config: VenueConfig) -> Result<cex_transport::Client, ExchangeError> {
    cex_transport::Client::connect(protocol(config)?, cex_transport::TransportConfig::default()).await
}

/// The example in the README compiles and holds.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
