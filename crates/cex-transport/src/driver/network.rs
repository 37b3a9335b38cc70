//! What a driver needs of the world.

use crate::config::LinkConfig;
use crate::endpoint::Endpoint;
use crate::net::{Connector, NetStream};
use crate::rest::Rest;
use crate::ws::handshake::{HandshakeError, handshake};
use crate::ws::{WsConn, WsLimits};
use cex_core::{Timestamp, VenueId};
use cex_errors::{ErrorKind, ExchangeError, Op, Phase};
use cex_interface::{Reply, Request};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};

/// A future that owns all it needs.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Connections and calls, for a driver. Tests have their own.
pub trait Network {
    /// The stream under a WebSocket.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send;

    /// When the next attempt to connect may begin, if one is wanted at `now`. Reserves that moment.
    fn dial_slot(&self, now: Timestamp) -> Timestamp {
        now
    }

    /// Connects a WebSocket. The driver bounds its time.
    fn dial(&self, url: &str) -> BoxFuture<Result<WsConn<Self::Stream>, ExchangeError>>;

    /// Makes a call. Bounded in time by itself.
    fn call(&self, request: Request) -> BoxFuture<Result<Reply, ExchangeError>>;
}

/// Spaces the connection attempts of all links of a venue: reconnecting all at once is what exchanges ban.
#[derive(Debug)]
pub struct DialBudget {
    spacing: Duration,
    next: AtomicI64,
}

impl DialBudget {
    /// One attempt every `spacing`.
    #[must_use]
    pub const fn new(spacing: Duration) -> Self {
        Self { spacing, next: AtomicI64::new(i64::MIN) }
    }

    /// Reserves the first free moment from `now` on.
    pub fn reserve(&self, now: Timestamp) -> Timestamp {
        let after = |next: i64| Timestamp::from_nanos(next.max(now.as_nanos()));
        let moved = self.next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |next| {
            Some((after(next) + self.spacing).as_nanos())
        });
        // The update never declines, so both arms hold what was there before.
        let (Ok(before) | Err(before)) = moved;
        after(before)
    }
}

/// The real network of one venue.
#[derive(Debug, Clone)]
pub struct VenueNetwork {
    venue: VenueId,
    rest: Arc<Rest>,
    connector: Connector,
    limits: WsLimits,
    dials: Arc<DialBudget>,
}

impl VenueNetwork {
    /// Links of `rest`'s venue; all that share this value, or a clone, share its budget of attempts.
    #[must_use]
    pub fn new(rest: Arc<Rest>, connector: Connector, config: &LinkConfig) -> Self {
        let dials = Arc::new(DialBudget::new(config.dial_spacing));
        Self { venue: rest.venue(), rest, connector, limits: config.limits, dials }
    }
}

impl Network for VenueNetwork {
    type Stream = NetStream;

    fn dial_slot(&self, now: Timestamp) -> Timestamp {
        self.dials.reserve(now)
    }

    fn dial(&self, url: &str) -> BoxFuture<Result<WsConn<NetStream>, ExchangeError>> {
        let endpoint = Endpoint::parse(url);
        let (connector, limits, venue) = (self.connector.clone(), self.limits, self.venue);
        Box::pin(async move {
            let failed = |kind| ExchangeError::new(venue, Op::Stream, kind);
            let endpoint = endpoint.map_err(|error| failed(ErrorKind::InvalidInput(error.0)))?;
            let stream = connector.connect(&endpoint).await.map_err(|error| {
                tracing::warn!(%venue, %endpoint, %error, "stream could not connect");
                failed(ErrorKind::Connection(Phase::BeforeSend))
            })?;
            stream.delay_acknowledgements();
            handshake(stream, &endpoint.host_header(), endpoint.target(), limits).await.map_err(|error| {
                tracing::warn!(%venue, %endpoint, %error, "stream could not be upgraded");
                failed(kind_of(&error))
            })
        })
    }

    fn call(&self, request: Request) -> BoxFuture<Result<Reply, ExchangeError>> {
        let rest = Arc::clone(&self.rest);
        Box::pin(async move { rest.call(&request).await })
    }
}

/// What a failed upgrade means. The statuses are HTTP's own; no exchange's codes are read here.
fn kind_of(error: &HandshakeError) -> ErrorKind {
    match error {
        HandshakeError::Http(_) => ErrorKind::Connection(Phase::AfterSend),
        HandshakeError::Request(_) => ErrorKind::InvalidInput("the stream's address cannot be asked for"),
        HandshakeError::NotAnUpgrade(what) => ErrorKind::Undecodable(what),
        HandshakeError::Refused { status, retry_after } => match status.as_u16() {
            429 => ErrorKind::RateLimited { retry_after: *retry_after },
            403 | 418 => ErrorKind::Banned { retry_after: *retry_after },
            401 => ErrorKind::PermissionDenied,
            500..=599 => ErrorKind::ServerBusy,
            0..=400 | 402 | 404..=417 | 419..=428 | 430..=499 | 600.. => {
                ErrorKind::Undecodable("the server refused the upgrade")
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_are_spaced_and_the_unused_time_is_not_saved_up() {
        let budget = DialBudget::new(Duration::from_millis(50));
        let at = Timestamp::from_millis;
        assert_eq!(budget.reserve(at(1_000)), at(1_000));
        assert_eq!(budget.reserve(at(1_000)), at(1_050));
        assert_eq!(budget.reserve(at(1_010)), at(1_100));
        assert_eq!(budget.reserve(at(9_000)), at(9_000));
        assert_eq!(budget.reserve(at(9_000)), at(9_050));
    }
}
