//! The only sockets on the trading side: streams, the request interface, and one client for all adapters.
//!
//! | module | what |
//! |---|---|
//! | [`clock`] | [`Clock`]: monotonic nanoseconds anchored once to the wall clock |
//! | [`venue_clock`] | [`VenueClock`]: the exchange's clock, by least round trip, leaning to the past |
//! | [`endpoint`] | which addresses may be connected to at all |
//! | [`tls`], [`net`] | rustls without a way around it; sockets set up for latency, or a [`Dial`] in their place |
//! | [`ws`] | WebSocket: handshake, in-place frame reader, masked writer |
//! | [`driver`] | [`drive`]: turns any link into a running connection; [`Sink`] hears what it learns |
//! | [`rate`] | request budgets with a reserve for what must go through |
//! | [`rest`] | [`Rest`]: typed calls; a placement is never sent twice |
//! | [`lists`] | [`Lists`]: orders and fills, of more rows and symbols than one call shows |
//! | [`client`] | [`Client`]: both exchange traits, once for all adapters |
//! | [`watch`] | asking where a stream cannot tell: the end of an order, balances |
//! | [`metrics`] | what is counted, and snapshots of it |
//! | [`config`] | every bound and pause, with its reason |
//! | [`jitter`] | seeded pauses |
//!
//! A program that trades runs [`drive`] with a sink of its own and [`Rest::begin`], all on one thread; who uses one
//! adapter alone takes a [`Client`]:
//!
//! ```no_run
//! use cex_core::StreamKind;
//! use cex_errors::ExchangeError;
//! use cex_interface::{EventSource, Protocol, PublicExchange, Subscription};
//! use cex_transport::{Client, TransportConfig};
//! use std::sync::Arc;
//!
//! async fn watch(protocol: Arc<dyn Protocol>) -> Result<(), ExchangeError> {
//!     let exchange = Client::connect(protocol, TransportConfig::default()).await?;
//!     let markets = exchange.init(&["BTC/USDT".parse().expect("a symbol")]).await?;
//!     let wanted: Vec<_> =
//!         markets.iter().map(|market| Subscription { symbol: market.id, stream: StreamKind::Trades }).collect();
//!     let mut stream = exchange.subscribe(&wanted).await?;
//!     while let Some((event, _levels)) = stream.next_market().await {
//!         println!("{event:?}");
//!     }
//!     Ok(())
//! }
//! ```
#![forbid(unsafe_code)]

pub mod client;
pub mod clock;
pub mod config;
pub mod driver;
pub mod endpoint;
pub mod jitter;
pub mod lists;
pub mod metrics;
pub mod net;
pub mod rate;
pub mod rest;
pub mod tls;
pub mod venue_clock;
pub mod watch;
pub mod ws;

pub use client::{Client, OrderEntry};
pub use clock::Clock;
pub use config::{LinkConfig, RestConfig, TransportConfig};
pub use driver::{
    DriveContext, LinkHandle, Received, Rotation, Sink, VenueNetwork, drive, drive_rotating, link_channel,
};
pub use lists::Lists;
pub use net::{ByteStream, Connector, Dial};
pub use rate::Urgency;
pub use rest::{Answer, CallStamps, Prepared, Rest, Started};
pub use tls::ExtraRoots;
pub use venue_clock::VenueClock;
pub use watch::{OrderEnd, Polling, balances_agree, watch_order_to_end};

/// How we name ourselves to servers.
pub(crate) const USER_AGENT: &str = concat!("arb/", env!("CARGO_PKG_VERSION"));
