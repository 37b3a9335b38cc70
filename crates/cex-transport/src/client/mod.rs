//! One client for all adapters: both exchange traits over any [`Protocol`].
//!
//! | module | what |
//! |---|---|
//! | `public`, `private` | the traits |
//! | [`order_entry`] | [`OrderEntry`]: orders over a streaming connection |
//! | [`stream`] | [`Stream`]: events of running links, through bounded queues |

pub mod order_entry;
mod private;
mod public;
pub mod stream;

pub use order_entry::OrderEntry;
pub use stream::Stream;

use crate::clock::Clock;
use crate::config::TransportConfig;
use crate::driver::{DriveContext, Rotation, VenueNetwork, drive_rotating, link_channel};
use crate::metrics::{LinkMetrics, LinkSnapshot, RestMetrics};
use crate::net::Connector;
use crate::rest::Rest;
use cex_core::{Markets, Timestamp};
use cex_errors::{ErrorKind, ExchangeError, Op};
use cex_interface::{Health, Link, Protocol};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use stream::{QueueSink, Queues};

/// An exchange, for somebody who uses one adapter alone. Cheap to clone; needs a tokio runtime.
#[derive(Clone)]
pub struct Client {
    protocol: Arc<dyn Protocol>,
    rest: Arc<Rest>,
    network: VenueNetwork,
    config: Arc<TransportConfig>,
    links: Arc<Links>,
}

/// The links of a client, running and ended.
#[derive(Debug, Default)]
struct Links {
    running: Mutex<Vec<Arc<LinkMetrics>>>,
    started: AtomicU64,
    /// Frames and reconnects of links that have ended.
    ended_frames: AtomicU64,
    ended_reconnects: AtomicU64,
}

impl Client {
    /// Connects to `protocol`'s venue: measures its clock, and from then on keeps that and connections fresh in a task of
    /// its own. [`cex_interface::PublicExchange::init`] must come next.
    ///
    /// # Errors
    /// An address that must not be connected to, an unusable extra root, or an exchange that does not tell the time.
    pub async fn connect(
        protocol: Arc<dyn Protocol>,
        config: TransportConfig,
    ) -> Result<Self, ExchangeError> {
        let connector = Connector::of(&config).map_err(|_| {
            ExchangeError::new(
                protocol.venue(),
                Op::Configure,
                ErrorKind::InvalidInput("an extra root that is unusable"),
            )
        })?;
        let clock = Clock::new();
        let rest =
            Rest::new(Arc::clone(&protocol), connector.clone(), clock, config.rest.clone(), config.seed)?;
        tokio::spawn(rest.maintain());
        rest.sync_clock().await?;
        let network = VenueNetwork::new(Arc::clone(&rest), connector, &config.links);
        Ok(Self { protocol, rest, network, config: Arc::new(config), links: Arc::default() })
    }

    /// The request interface under it: for calls with stamps, and for [`Rest::begin`].
    #[must_use]
    pub const fn rest(&self) -> &Arc<Rest> {
        &self.rest
    }

    /// The network under it, for [`crate::drive`].
    #[must_use]
    pub const fn network(&self) -> &VenueNetwork {
        &self.network
    }

    /// Registers markets made elsewhere, where the ids and scales of several venues must agree.
    pub fn set_markets(&self, markets: Arc<Markets>) {
        self.rest.set_markets(markets);
    }

    /// What was counted of calls.
    #[must_use]
    pub fn call_metrics(&self) -> &Arc<RestMetrics> {
        self.rest.metrics()
    }

    /// What was counted of the links that run now.
    #[must_use]
    pub fn link_metrics(&self) -> Vec<LinkSnapshot> {
        self.links.with_running(|running| running.iter().map(|one| one.snapshot()).collect())
    }

    /// Runs `links`, each in a task of its own, and gives their events as one stream.
    fn run(&self, links: Vec<Box<dyn Link>>) -> Stream {
        let queues = Arc::new(Queues::new(self.config.links.queue_max, links.len()));
        let mut handles = Vec::with_capacity(links.len());
        for link in links {
            let (handle, commands) = link_channel(self.config.links.commands_max);
            let (metrics, number) = self.links.begin();
            let sink = QueueSink::new(Arc::clone(&queues), handle.clone(), Arc::clone(&metrics));
            let seed = self.seed_of(number);
            let config = &self.config.links;
            let protocol = Arc::clone(&self.protocol);
            let rotation = Rotation::of(protocol, self.rest.markets(), link.as_ref(), config, seed);
            let context = DriveContext {
                venue: self.protocol.venue(),
                clock: self.rest.clock(),
                config: self.config.links.clone(),
                commands,
                metrics,
                seed,
            };
            tokio::spawn(drive_rotating(link, sink, self.network.clone(), context, rotation));
            handles.push(handle);
        }
        Stream::new(queues, handles)
    }

    /// Links of one client must not pause in step.
    fn seed_of(&self, number: u64) -> u64 {
        self.config.seed.wrapping_add(number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn health_now(&self) -> Health {
        let now = self.rest.clock().now();
        let running = self.link_metrics();
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let last: Option<Timestamp> = running.iter().filter_map(|link| link.last_frame_at).max();
        Health {
            links_up: (count(running.iter().filter(|link| link.up).count()), count(running.len())),
            frames: self.links.ended_frames.load(Ordering::Relaxed)
                + running.iter().map(|link| link.frames).sum::<u64>(),
            reconnects: self.links.ended_reconnects.load(Ordering::Relaxed)
                + running.iter().map(|link| link.reconnects).sum::<u64>(),
            calls: self.rest.metrics().totals(),
            clock_error: self.rest.venue_clock().estimate().map(|known| known.error),
            silent_for: last.map(|at| now.since(at)),
        }
    }

    fn error(&self, op: Op, kind: ErrorKind) -> ExchangeError {
        ExchangeError::new(self.protocol.venue(), op, kind)
    }
}

impl Links {
    /// Counters of a new link, and its number.
    fn begin(&self) -> (Arc<LinkMetrics>, u64) {
        let metrics = Arc::new(LinkMetrics::default());
        self.with_running(|running| running.push(Arc::clone(&metrics)));
        (metrics, self.started.fetch_add(1, Ordering::Relaxed))
    }

    fn with_running<T>(&self, look: impl FnOnce(&mut Vec<Arc<LinkMetrics>>) -> T) -> T {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        // A driver that has ended has dropped its counters; only their sums are kept.
        running.retain(|metrics| {
            let runs = Arc::strong_count(metrics) > 1;
            if !runs {
                self.ended_frames.fetch_add(metrics.frames.value(), Ordering::Relaxed);
                self.ended_reconnects.fetch_add(metrics.reconnects.value(), Ordering::Relaxed);
            }
            runs
        });
        look(&mut running)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("venue", &self.protocol.venue()).finish_non_exhaustive()
    }
}

/// Longest span a candle request asks for at once, in candles: every exchange known gives at least this many.
const KLINES_PER_CALL: u32 = 500;

/// Most calls one batch of candles may take; beyond it the span is a mistake.
const KLINE_CALLS_MAX: u64 = 2_000;

/// The spans a batch of candles is asked for in. Neighbours overlap by one candle, because exchanges disagree on whether
/// the end of a span belongs to it.
fn kline_spans(
    length: Duration,
    from: Timestamp,
    to: Timestamp,
) -> Option<impl Iterator<Item = (Timestamp, Timestamp)>> {
    let step = length.checked_mul(KLINES_PER_CALL - 1)?;
    let calls = u64::try_from(to.since(from).as_nanos() / step.as_nanos().max(1)).ok()? + 1;
    if to < from || calls > KLINE_CALLS_MAX {
        return None;
    }
    Some((0..calls).map(move |index| {
        let begin = from + step.saturating_mul(u32::try_from(index).unwrap_or(u32::MAX));
        (begin, (begin + step).min(to))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_of_candles_cover_everything_and_meet() {
        let minute = Duration::from_secs(60);
        let (from, to) = (Timestamp::from_secs(0), Timestamp::from_secs(60 * 1_200));
        let spans: Vec<_> = kline_spans(minute, from, to).expect("few").collect();
        assert_eq!(spans.first().map(|span| span.0), Some(from));
        assert_eq!(spans.last().map(|span| span.1), Some(to));
        assert!(spans.windows(2).all(|pair| pair[0].1 == pair[1].0));
        assert!(spans.iter().all(|(begin, end)| end.since(*begin) < minute * KLINES_PER_CALL));
        assert_eq!(kline_spans(minute, from, from).expect("one").count(), 1);
    }

    #[test]
    fn senseless_spans_of_candles_are_refused() {
        let minute = Duration::from_secs(60);
        assert!(kline_spans(minute, Timestamp::from_secs(1), Timestamp::EPOCH).is_none());
        assert!(kline_spans(minute, Timestamp::EPOCH, Timestamp::MAX).is_none());
    }
}
