//! The connections of one lane: a bounded few, kept open between calls.

use crate::clock::Clock;
use crate::endpoint::Endpoint;
use crate::metrics::{PoolMetrics, RestMetrics};
use crate::net::{Connector, NetStream};
use cex_core::Timestamp;
use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Where and how connections of a venue are made.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) connector: Connector,
    pub(super) endpoint: Endpoint,
    pub(super) connect_timeout: Duration,
    pub(super) idle_max: Duration,
    pub(super) clock: Clock,
}

/// A kind of connection, as a pool needs to know it.
pub(super) trait Conn: Sized + Send {
    /// Begins to speak HTTP over a stream.
    fn open(stream: NetStream, clock: Clock) -> impl Future<Output = io::Result<Self>> + Send;

    /// Whether the next call may use it: neither closed by the server as far as we have heard, nor idle for so long that
    /// the server may be about to.
    fn is_usable(&mut self, now: Timestamp, idle_max: Duration) -> bool;

    /// Whether it will have been idle for too long within `soon`.
    fn expires_within(&self, soon: Duration, now: Timestamp, idle_max: Duration) -> bool;
}

/// A lane.
pub(super) struct Pool<C> {
    target: Target,
    most: usize,
    /// One permit for each connection in use.
    permits: Arc<Semaphore>,
    /// Most recently used last.
    idle: Mutex<Vec<C>>,
    metrics: Arc<RestMetrics>,
    counters: fn(&RestMetrics) -> &PoolMetrics,
}

/// A connection in use. Dropped, it closes and is counted; [`Lease::give_back`] keeps it.
pub(super) struct Lease<C> {
    pub(super) conn: C,
    closing: ClosedCount<C>,
    _permit: OwnedSemaphorePermit,
}

/// Counts a connection as closed unless told that it was kept.
struct ClosedCount<C> {
    pool: Arc<Pool<C>>,
    kept: bool,
}

impl<C> Drop for ClosedCount<C> {
    fn drop(&mut self) {
        if !self.kept {
            self.pool.count().closed.add_one();
        }
    }
}

impl<C> Pool<C> {
    fn count(&self) -> &PoolMetrics {
        (self.counters)(&self.metrics)
    }
}

impl<C: Conn> Pool<C> {
    pub(super) fn new(
        target: Target,
        most: usize,
        metrics: Arc<RestMetrics>,
        counters: fn(&RestMetrics) -> &PoolMetrics,
    ) -> Arc<Self> {
        let most = most.max(1);
        let permits = Arc::new(Semaphore::new(most));
        Arc::new(Self { target, most, permits, idle: Mutex::new(Vec::new()), metrics, counters })
    }

    /// Where its connections go, for people.
    pub(super) fn origin(&self) -> String {
        self.target.endpoint.origin()
    }

    /// A connection that is open: the most recently used idle one, or a new one. The caller bounds the time.
    pub(super) async fn lease(self: &Arc<Self>) -> io::Result<Lease<C>> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(io::Error::other)?;
        let conn = match self.take_idle(self.target.clock.now()) {
            Some(conn) => {
                self.count().reused.add_one();
                conn
            }
            None => self.open().await?,
        };
        Ok(self.leased(conn, permit))
    }

    /// A connection that stands ready now, if one does. Whoever uses it counts that.
    pub(super) fn ready(self: &Arc<Self>, now: Timestamp) -> Option<Lease<C>> {
        let permit = Arc::clone(&self.permits).try_acquire_owned().ok()?;
        Some(self.leased(self.take_idle(now)?, permit))
    }

    fn leased(self: &Arc<Self>, conn: C, permit: OwnedSemaphorePermit) -> Lease<C> {
        Lease { conn, closing: ClosedCount { pool: Arc::clone(self), kept: false }, _permit: permit }
    }

    /// Closes what has been idle for too long, and opens connections until `warm` stand ready. New ones are opened before
    /// the old ones are closed.
    pub(super) async fn refresh(&self, warm: usize, every: Duration) -> io::Result<()> {
        let result = self.open_until(warm, every).await;
        let now = self.target.clock.now();
        let mut idle = self.idle();
        let before = idle.len();
        idle.retain_mut(|conn| conn.is_usable(now, self.target.idle_max));
        self.count().closed.add((before - idle.len()) as u64);
        result
    }

    async fn open_until(&self, warm: usize, every: Duration) -> io::Result<()> {
        loop {
            let now = self.target.clock.now();
            // Whatever expires before the next round but one would leave a gap.
            let lasting = |conn: &&C| !conn.expires_within(every * 2, now, self.target.idle_max);
            let (ready, held) = {
                let idle = self.idle();
                (idle.iter().filter(lasting).count(), idle.len())
            };
            let in_use = self.most.saturating_sub(self.permits.available_permits());
            if ready >= warm || in_use + ready >= self.most || held >= 2 * self.most {
                return Ok(());
            }
            let conn = self.open().await?;
            self.idle().push(conn);
        }
    }

    async fn open(&self) -> io::Result<C> {
        let Target { connector, endpoint, connect_timeout, clock, .. } = &self.target;
        let opening = async {
            let stream = connector.connect(endpoint).await?;
            C::open(stream, *clock).await
        };
        let conn = tokio::time::timeout(*connect_timeout, opening)
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        self.count().opened.add_one();
        Ok(conn)
    }

    fn take_idle(&self, now: Timestamp) -> Option<C> {
        let mut idle = self.idle();
        while let Some(mut conn) = idle.pop() {
            if conn.is_usable(now, self.target.idle_max) {
                return Some(conn);
            }
            self.count().closed.add_one();
        }
        None
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<C>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C: Conn> Lease<C> {
    /// A connection that stood ready is used.
    pub(super) fn count_reuse(&self) {
        self.closing.pool.count().reused.add_one();
    }

    /// Keeps the connection for the next call, if it is still good and there are not too many.
    pub(super) fn give_back(self) {
        let Self { mut conn, mut closing, .. } = self;
        let pool = Arc::clone(&closing.pool);
        let now = pool.target.clock.now();
        let usable = conn.is_usable(now, pool.target.idle_max);
        let mut idle = pool.idle();
        if usable && idle.len() < pool.most {
            idle.push(conn);
            closing.kept = true;
        }
    }
}
