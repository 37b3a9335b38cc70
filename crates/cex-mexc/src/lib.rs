//! MEXC spot: codec, signatures and streaming links. Sans-IO; feature `client` adds the async client.
//!
//! Facts about the exchange are numbered in `docs/exchanges/mexc.md` and cited by number.
//!
//! | module | what |
//! |---|---|
//! | [`config`] | addresses, credentials and options, read strictly |
//! | [`symbol`] | the exchange's trading rules as [`cex_core::SymbolInfo`]; names in addresses |
//! | [`sign`] | the signature |
//! | [`rest`] | typed request to signed HTTP; body to typed reply |
//! | [`error`] | the exchange's codes and answers as [`cex_errors::ErrorKind`] |
//! | [`limits`] | budgets and what calls cost |
//! | `plan` | what is streamed under which name; subscriptions spread over connections |
//! | [`market`] | the public links: subscribe, decode, pass on |
//! | [`account`] | the private link: listen key, orders, fills, balances |
//! | [`depth`] | the hot message: aggregated depth read in place |
//! | `push`, `control` | the other pushed messages; acknowledgements, refusals and keep-alive of a connection |
//! | `wire`, `walk` | JSON and protobuf as they are sent |
//!
//! Supported: rules, books, trades, candles, tickers, balances, fees, coins; limit, immediate-or-cancel,
//! fill-or-kill, post-only and market orders; cancels, queries, history; streams of books, best levels, best prices,
//! trades, tickers and candles; the account stream. Not offered by the exchange: amending, a dead man's switch (MEXC-REST-21).
#![forbid(unsafe_code)]

pub mod account;
pub mod config;
mod control;
pub mod depth;
pub mod error;
pub mod limits;
pub mod market;
mod plan;
mod push;
mod read_back;
pub mod rest;
pub mod sign;
pub mod symbol;
#[cfg(test)]
mod testing;
mod walk;
mod wire;

use cex_errors::ExchangeError;
use cex_interface::{BucketRule, Capabilities, Protocol, Registration, VenueConfig};
use std::sync::Arc;

/// The MEXC spot protocol for one account: configuration and keys, no state.
#[derive(Debug)]
pub struct Mexc {
    settings: config::Settings,
    capabilities: Capabilities,
    limits: Vec<BucketRule>,
}

impl Mexc {
    /// The protocol under this configuration; the error names the setting that is wrong.
    pub fn new(config: VenueConfig) -> Result<Self, ExchangeError> {
        let settings = config::Settings::read(config)?;
        let capabilities = plan::capabilities(&settings);
        let limits = limits::rules(settings.rate_limits);
        Ok(Self { settings, capabilities, limits })
    }
}

/// How the program finds this adapter.
pub const REGISTRATION: Registration = Registration { name: "mexc", title: "MEXC", open: protocol };

/// The protocol for one account, ready for any driver; the error names the setting that is wrong.
pub fn protocol(config: VenueConfig) -> Result<Arc<dyn Protocol>, ExchangeError> {
    Ok(Arc::new(Mexc::new(config)?))
}

/// A running client of this exchange: measures its clock and keeps connections fresh. Needs a tokio runtime;
/// [`cex_interface::PublicExchange::init`] must come next.
#[cfg(feature = "client")]
pub async fn connect(config: VenueConfig) -> Result<cex_transport::Client, ExchangeError> {
    cex_transport::Client::connect(protocol(config)?, cex_transport::TransportConfig::default()).await
}
