//! The sans-IO codec of an exchange's request interface, and how an adapter is found.

use crate::capability::Capabilities;
use crate::config::VenueConfig;
use crate::http::{HttpRequest, HttpResponse};
use crate::limit::{BucketRule, Cost, Feedback};
use crate::link::Link;
use crate::request::{Reply, Request};
use crate::written::WrittenOrder;
use cex_core::{Markets, StreamKind, SymbolId, Timestamp, VenueId};
use cex_errors::{ErrorKind, ExchangeError, Op};
use std::sync::Arc;

/// A wish for a stream of one symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Subscription {
    /// Symbol the stream is about.
    pub symbol: SymbolId,
    /// Kind of the stream.
    pub stream: StreamKind,
}

/// An exchange's request interface and the links it offers. Holds configuration and keys, no state.
pub trait Protocol: Send + Sync {
    /// The venue this is.
    fn venue(&self) -> VenueId;

    /// What the exchange can do, under this configuration.
    fn capabilities(&self) -> &Capabilities;

    /// Base address of the request interface: scheme, host and port.
    fn rest_base(&self) -> &str;

    /// The exchange's budgets.
    fn limits(&self) -> &[BucketRule];

    /// What a call takes from them.
    fn cost(&self, request: &Request) -> Cost;

    /// Builds (and signs) a call into `out`, which arrives empty.
    ///
    /// `venue_now` is the exchange's clock as well as we know it: signatures and expiries are made from it.
    fn encode(
        &self,
        venue_now: Timestamp,
        markets: &Markets,
        request: &Request,
        out: &mut HttpRequest,
    ) -> Result<(), ExchangeError>;

    /// The placement of one limit order that the bytes of a request are, as they go to the socket: read by code that shares
    /// nothing with what wrote them (R36). The inner error says what makes them no such thing; `None` unless overridden: the
    /// adapter cannot tell.
    fn read_back<'a>(&self, bytes: &'a [u8]) -> Option<Result<WrittenOrder<'a>, &'static str>> {
        let _ = bytes;
        None
    }

    /// Reads the answer to `request`. Never panics, whatever the bytes.
    fn decode(
        &self,
        markets: &Markets,
        request: &Request,
        response: &HttpResponse<'_>,
    ) -> Result<Reply, ExchangeError>;

    /// What a response says about the budgets, whether it succeeded or not.
    fn feedback(&self, request: &Request, response: &HttpResponse<'_>, now: Timestamp) -> Vec<Feedback>;

    /// Links that carry these public streams, spread within the exchange's limits; an error when they cannot be.
    fn market_links(
        &self,
        markets: &Arc<Markets>,
        wanted: &[Subscription],
    ) -> Result<Vec<Box<dyn Link>>, ExchangeError>;

    /// The link that carries our orders, fills and balances.
    fn account_link(&self, markets: &Arc<Markets>) -> Result<Box<dyn Link>, ExchangeError>;

    /// The link that carries calls about orders, where the exchange takes them over a stream: see [`Link::call`].
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] unless overridden; a missing key.
    fn order_link(&self, markets: &Arc<Markets>) -> Result<Box<dyn Link>, ExchangeError> {
        let _ = markets;
        Err(ExchangeError::new(self.venue(), Op::Stream, ErrorKind::Unsupported))
    }
}

/// How an adapter is found: its name, and how to make its protocol.
#[derive(Clone, Copy)]
pub struct Registration {
    /// The exchange's name in configuration and output, lower case: `gateio`.
    pub name: &'static str,
    /// The exchange's name for people: `Gate.io`.
    pub title: &'static str,
    /// Makes the protocol for one account; the error names the setting that is wrong.
    pub open: fn(VenueConfig) -> Result<Arc<dyn Protocol>, ExchangeError>,
}

impl std::fmt::Debug for Registration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registration").field("name", &self.name).finish_non_exhaustive()
    }
}
