//! Typed calls to one venue.

use super::call::{Answer, CallStamps, Started};
use super::conn::{Failure, HttpConn, RawResponse};
use super::direct::{DirectConn, Preamble};
use super::message::{header_list, is_compressed, outgoing};
use super::policy::{Lane, Policy, may_repeat};
use super::pool::{Conn, Lease, Pool, Target};
use super::prepared::Prepared;
use crate::clock::Clock;
use crate::config::RestConfig;
use crate::endpoint::Endpoint;
use crate::jitter::Jitter;
use crate::metrics::{CallMetrics, RestMetrics};
use crate::net::{Connector, cause};
use crate::rate::{Budget, Refusal, Urgency, reserving};
use crate::venue_clock::VenueClock;
use cex_core::{Markets, OrderKind, SymbolId, Timestamp, VenueId};
use cex_errors::{ErrorKind, ExchangeError, Op, Phase, Retry};
use cex_interface::{CallClass, Capabilities, Cost, HttpRequest, HttpResponse, Protocol, Reply, Request};
use http::HeaderValue;
use std::fmt;
use std::hint::black_box;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, sleep, timeout_at};

/// A signed request older than this is signed again before it leaves: budgets and connections may have to be waited for.
const SIGNED_MAX_AGE: Duration = Duration::from_millis(20);

/// Repeats are spread over this, doubled with each.
const REPEAT_SPREAD: Duration = Duration::from_millis(100);

/// Makes typed calls to one venue: budgets, connections, timeouts, repeats.
///
/// Whatever happens, a call that is not idempotent leaves at most once. Spawn [`Rest::maintain`] beside it.
pub struct Rest {
    pub(super) protocol: Arc<dyn Protocol>,
    host: HeaderValue,
    preamble: Preamble,
    markets: RwLock<Arc<Markets>>,
    pub(super) clock: Clock,
    pub(super) venue_clock: VenueClock,
    budget: Mutex<Budget>,
    pub(super) orders: Arc<Pool<DirectConn>>,
    queries: Arc<Pool<HttpConn>>,
    market: Arc<Pool<HttpConn>>,
    pub(super) config: RestConfig,
    jitter: Mutex<Jitter>,
    /// The exchange lists open orders of named symbols only.
    wants_symbols: AtomicBool,
    /// What orders are built in, so that building one takes no memory.
    scratch: Mutex<HttpRequest>,
    pub(super) metrics: Arc<RestMetrics>,
    /// Held while the exchange's clock is measured.
    pub(super) measuring: tokio::sync::Mutex<()>,
    /// Rung when the exchange's clock should be measured soon.
    pub(super) clock_wanted: Notify,
    contradiction: Mutex<Option<&'static str>>,
}

impl Rest {
    /// The request interface of `protocol`'s venue. Opens nothing yet.
    ///
    /// # Errors
    /// An address that must not be connected to.
    pub fn new(
        protocol: Arc<dyn Protocol>,
        connector: Connector,
        clock: Clock,
        config: RestConfig,
        seed: u64,
    ) -> Result<Arc<Self>, ExchangeError> {
        let invalid =
            |what| ExchangeError::new(protocol.venue(), Op::Configure, ErrorKind::InvalidInput(what));
        let endpoint = Endpoint::parse(protocol.rest_base()).map_err(|error| invalid(error.0))?;
        let host = HeaderValue::from_str(&endpoint.host_header())
            .map_err(|_| invalid("a host that cannot be named"))?;
        let metrics = Arc::new(RestMetrics::default());
        let target = Target {
            connector,
            endpoint,
            connect_timeout: config.connect_timeout,
            idle_max: config.idle_max,
            clock,
        };
        let pool = |most, counters| Pool::new(target.clone(), most, Arc::clone(&metrics), counters);
        let orders =
            Pool::new(target.clone(), config.order_connections, Arc::clone(&metrics), |all| &all.orders);
        Ok(Arc::new(Self {
            preamble: Preamble::of(&host),
            host,
            markets: RwLock::default(),
            clock,
            venue_clock: VenueClock::new(config.clock_error_max),
            budget: Mutex::new(Budget::new(
                &reserving(protocol.limits(), config.reserve_pct),
                config.budget_spread,
            )),
            orders,
            queries: pool(config.query_connections, |all| &all.queries),
            market: pool(config.market_connections, |all| &all.market),
            config,
            jitter: Mutex::new(Jitter::new(seed)),
            wants_symbols: AtomicBool::new(false),
            scratch: Mutex::default(),
            metrics,
            measuring: tokio::sync::Mutex::new(()),
            clock_wanted: Notify::new(),
            contradiction: Mutex::default(),
            protocol,
        }))
    }

    /// What the exchange can do.
    #[must_use]
    pub fn capabilities(&self) -> &Capabilities {
        self.protocol.capabilities()
    }

    /// Whether open orders must be asked for by symbol.
    pub(crate) fn wants_symbols(&self) -> bool {
        self.wants_symbols.load(Ordering::Relaxed)
    }

    /// Open orders must be asked for by symbol: asking for all of them was refused, and by symbol they came.
    pub(crate) fn note_wants_symbols(&self) {
        self.wants_symbols.store(true, Ordering::Relaxed);
    }

    /// The venue it calls.
    #[must_use]
    pub fn venue(&self) -> VenueId {
        self.protocol.venue()
    }

    /// Our clock.
    #[must_use]
    pub const fn clock(&self) -> Clock {
        self.clock
    }

    /// What is known of the exchange's clock.
    #[must_use]
    pub const fn venue_clock(&self) -> &VenueClock {
        &self.venue_clock
    }

    /// What was counted.
    #[must_use]
    pub fn metrics(&self) -> &Arc<RestMetrics> {
        &self.metrics
    }

    /// The markets calls are made in.
    #[must_use]
    pub fn markets(&self) -> Arc<Markets> {
        Arc::clone(&self.markets.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Registers the markets calls are made in.
    pub fn set_markets(&self, markets: Arc<Markets>) {
        *self.markets.write().unwrap_or_else(PoisonError::into_inner) = markets;
    }

    /// Makes a call. Unless it is a placement it waits for its budget, for as long as is configured.
    ///
    /// # Errors
    /// Ask the error's `outcome()` whether the exchange may have acted.
    pub async fn call(&self, request: &Request) -> Result<Reply, ExchangeError> {
        self.call_stamped(request, Urgency::CanWait).await.result
    }

    /// Makes a call and says when it passed its stations. With [`Urgency::MustGo`] it may use the budgets' reserve.
    pub async fn call_stamped(&self, request: &Request, urgency: Urgency) -> Answer {
        let asked_at = self.clock.now();
        let metrics = self.metrics.of(request.op());
        metrics.calls.add_one();
        let cost = self.protocol.cost(request);
        let mut clock_mended = false;
        let mut repeats = 0;
        loop {
            let answer = self.attempt(request, &cost, urgency).await;
            let pause = match &answer.result {
                Ok(_) => None,
                Err(error) => {
                    self.doubt_clock(request, error, answer.stamps.encoded_at);
                    let policy = Policy::of(cost.class, &self.config);
                    self.pause_before_repeat(request, error, (repeats, policy), &mut clock_mended).await
                }
            };
            let Some(pause) = pause else {
                count(metrics, asked_at, &answer);
                return answer;
            };
            metrics.repeats.add_one();
            repeats += 1;
            sleep(pause).await;
        }
    }

    /// Makes an order ready to leave: signed, paid for, with an open connection of its own. Whoever sends orders that must
    /// go together prepares them all before sending any. Nothing waits in here.
    ///
    /// # Errors
    /// What keeps the call from leaving now; nothing was sent and nothing is taken.
    pub fn prepare(self: &Arc<Self>, request: Request, urgency: Urgency) -> Result<Prepared, ExchangeError> {
        Prepared::new(self, request, urgency)
    }

    /// Makes an order ready to leave and takes it all back: nothing is sent, spent or counted. Whoever sends orders rarely
    /// rehearses often, so that what it takes is in the caches when one must leave.
    pub fn rehearse(self: &Arc<Self>, request: Request) {
        Prepared::rehearse(self, request);
    }

    /// Looks a market up as a frame of it and an order for it do, and does nothing with it: its rules are in the caches then.
    pub fn warm(&self, symbol: SymbolId) {
        let markets = self.markets();
        let Some(market) = markets.get(symbol) else { return };
        black_box(
            markets
                .by_native(market.native().as_bytes())
                .map(|market| (market.id, market.scale, market.tick)),
        );
    }

    /// Begins a call at once: on a warm connection its bytes are with the socket when this returns. For the thread that
    /// decides on orders; what is returned must be polled to its end, so spawn it.
    pub fn begin(self: &Arc<Self>, request: Request, urgency: Urgency) -> Started {
        let rest = Arc::clone(self);
        Started::begin(async move { rest.call_stamped(&request, urgency).await })
    }

    /// One attempt: leaves at most once.
    pub(super) async fn attempt(&self, request: &Request, cost: &Cost, urgency: Urgency) -> Answer {
        let mut stamps = CallStamps::default();
        let result = match self.exchange(request, cost, urgency, &mut stamps).await {
            Ok(response) => self.read(request, &response),
            Err(kind) => Err(self.error(request.op(), kind)),
        };
        Answer { result, stamps }
    }

    async fn exchange(
        &self,
        request: &Request,
        cost: &Cost,
        urgency: Urgency,
        stamps: &mut CallStamps,
    ) -> Result<RawResponse, ErrorOrKind> {
        let policy = Policy::of(cost.class, &self.config);
        // Built before anything is taken, so that what the exchange cannot do costs nothing.
        let mut built = self.encode(request, (cost.class, urgency), stamps)?;
        self.spend(cost, urgency, policy).await?;
        let began = Instant::now();
        let deadline = began + policy.timeout;
        let lease_by = deadline.min(began + policy.lease_timeout);
        match policy.lane {
            Lane::Orders => {
                let mut lease = self.lease(&self.orders, lease_by).await?;
                self.renew(request, (cost.class, urgency), stamps, &mut built)?;
                lease.conn.load(&built, &self.preamble).map_err(ErrorKind::InvalidInput)?;
                self.compare(request, lease.conn.loaded())?;
                self.send(request.op(), lease, deadline, stamps).await
            }
            Lane::Queries | Lane::Market => {
                let pool = if policy.lane == Lane::Queries { &self.queries } else { &self.market };
                let mut lease = self.lease(pool, lease_by).await?;
                self.renew(request, (cost.class, urgency), stamps, &mut built)?;
                let built = outgoing(built, &self.host).map_err(ErrorKind::InvalidInput)?;
                let result = timeout_at(deadline, lease.conn.exchange(built, self.config.body_max)).await;
                stamps.written_at = lease.conn.probe.written_at();
                self.ended(result, lease, stamps)
            }
        }
    }

    /// Sends a loaded call over a connection of its own and reads the answer.
    pub(super) async fn send(
        &self,
        op: Op,
        mut lease: Lease<DirectConn>,
        deadline: Instant,
        stamps: &mut CallStamps,
    ) -> Result<RawResponse, ErrorOrKind> {
        self.metrics.of(op).sent.add_one();
        let result = timeout_at(deadline, lease.conn.exchange(self.config.body_max)).await;
        stamps.written_at = lease.conn.written_at();
        self.ended(result, lease, stamps)
    }

    /// What became of a call. A connection whose call did not end well is dropped with the lease: no late answer can meet
    /// the next call.
    fn ended<C: Conn>(
        &self,
        result: Result<Result<RawResponse, Failure>, Elapsed>,
        lease: Lease<C>,
        stamps: &mut CallStamps,
    ) -> Result<RawResponse, ErrorOrKind> {
        let phase = if stamps.written_at.is_some() { Phase::AfterSend } else { Phase::BeforeSend };
        match result {
            Err(_) => Err(ErrorKind::Timeout(phase).into()),
            Ok(Err(Failure::Broken(error))) => {
                tracing::debug!(venue = %self.venue(), %error, ?phase, "call broke");
                Err(ErrorKind::Connection(phase).into())
            }
            Ok(Err(Failure::TooLarge)) => Err(ErrorKind::Undecodable("a body larger than allowed").into()),
            Ok(Err(Failure::Malformed(what))) => Err(ErrorKind::Undecodable(what).into()),
            Ok(Ok(response)) => {
                stamps.answered_at = Some(response.answered_at);
                lease.give_back();
                Ok(response)
            }
        }
    }

    fn encode(
        &self,
        request: &Request,
        kind: (CallClass, Urgency),
        stamps: &mut CallStamps,
    ) -> Result<HttpRequest, ErrorOrKind> {
        let mut built = HttpRequest::default();
        self.encode_into(&mut built, self.clock.now(), request, kind, stamps)?;
        Ok(built)
    }

    /// Builds a call into `out`, whatever was in it.
    fn encode_into(
        &self,
        out: &mut HttpRequest,
        now: Timestamp,
        request: &Request,
        (class, urgency): (CallClass, Urgency),
        stamps: &mut CallStamps,
    ) -> Result<(), ErrorOrKind> {
        let venue_now = match (self.venue_clock.for_call(request, class, urgency, now), class) {
            (Ok(venue_now), _) => venue_now,
            // Public calls carry no time that matters; an adapter that signs one is told by the exchange if ours is off.
            (Err(_), CallClass::MarketData) => now,
            (Err(kind), CallClass::Query | CallClass::Cancel | CallClass::Placement) => {
                return Err(kind.into());
            }
        };
        out.clear();
        self.protocol.encode(venue_now, &self.markets(), request, out).map_err(ErrorOrKind::Error)?;
        stamps.encoded_at = Some(now);
        Ok(())
    }

    /// Builds and signs an order straight into the connection that will carry it.
    pub(super) fn load(
        &self,
        conn: &mut DirectConn,
        now: Timestamp,
        request: &Request,
        kind: (CallClass, Urgency),
        stamps: &mut CallStamps,
    ) -> Result<(), ErrorOrKind> {
        let mut built = self.scratch();
        self.encode_into(&mut built, now, request, kind, stamps)?;
        conn.load(&built, &self.preamble).map_err(ErrorKind::InvalidInput)?;
        Ok(self.compare(request, conn.loaded())?)
    }

    /// Compares the bytes of an order, as they go to the socket, with what was approved (R36). What differs does not leave, and
    /// stays known: whatever made it another order makes the next one too.
    fn compare(&self, request: &Request, bytes: &[u8]) -> Result<(), ErrorKind> {
        let Request::Place(order) = request else { return Ok(()) };
        let markets = self.markets();
        let Some(market) = markets.get(order.symbol) else { return Ok(()) };
        // What is no limit order is nothing that an engine approves.
        let OrderKind::Limit { .. } = order.kind else { return Ok(()) };
        let differs = match self.protocol.read_back(bytes) {
            None => None,
            Some(Ok(written)) => written.differs(market, order),
            Some(Err(what)) => Some(what),
        };
        let Some(what) = differs else { return Ok(()) };
        *self.contradiction.lock().unwrap_or_else(PoisonError::into_inner) = Some(what);
        Err(ErrorKind::InvalidInput(what))
    }

    /// What the bytes of an order, of a rehearsed one too, said otherwise than was approved since this was last asked: nothing
    /// more should be sent before somebody has looked.
    pub fn take_contradiction(&self) -> Option<&'static str> {
        self.contradiction.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Signs again what has waited for too long.
    fn renew(
        &self,
        request: &Request,
        kind: (CallClass, Urgency),
        stamps: &mut CallStamps,
        built: &mut HttpRequest,
    ) -> Result<(), ErrorOrKind> {
        if stamps.encoded_at.is_none_or(|at| self.clock.now().since(at) > SIGNED_MAX_AGE) {
            *built = self.encode(request, kind, stamps)?;
        }
        Ok(())
    }

    /// Takes the call's cost from the budgets, or waits for it within bounds: market data always, everything else only when
    /// it can, because whoever trades must know now.
    async fn spend(&self, cost: &Cost, urgency: Urgency, policy: Policy) -> Result<(), ErrorKind> {
        let give_up_at = self.clock.now() + self.config.budget_wait_max;
        loop {
            let now = self.clock.now();
            let refusal = match self.budget().acquire(cost, urgency, now) {
                Ok(()) => return Ok(()),
                Err(refusal) => refusal,
            };
            match refusal {
                Refusal::Wait(wait) if policy.waits(urgency) && now + wait <= give_up_at => {
                    sleep(wait).await;
                }
                Refusal::Wait(_) | Refusal::Never => return Err(refusal.into()),
            }
        }
    }

    async fn lease<C: Conn>(&self, pool: &Arc<Pool<C>>, deadline: Instant) -> Result<Lease<C>, ErrorOrKind> {
        let late = || {
            let said = pool.origin().into_boxed_str();
            Err(ErrorOrKind::Said(ErrorKind::Timeout(Phase::BeforeSend), said))
        };
        match timeout_at(deadline, pool.lease()).await {
            Ok(Ok(lease)) if Instant::now() <= deadline => Ok(lease),
            // Who came too late to look finds a connection all the same: it serves another call.
            Ok(Ok(lease)) => {
                lease.give_back();
                late()
            }
            Err(_) => late(),
            Ok(Err(error)) => {
                tracing::debug!(venue = %self.venue(), %error, "no connection");
                let kind = match error.kind() {
                    io::ErrorKind::TimedOut => ErrorKind::Timeout(Phase::BeforeSend),
                    _other => ErrorKind::Connection(Phase::BeforeSend),
                };
                let said = format!("{}: {}", pool.origin(), cause(&error)).into_boxed_str();
                Err(ErrorOrKind::Said(kind, said))
            }
        }
    }

    pub(super) fn read(&self, request: &Request, raw: &RawResponse) -> Result<Reply, ExchangeError> {
        let headers = header_list(&raw.headers);
        let response = HttpResponse { status: raw.status, headers: &headers, body: &raw.body };
        let said = self.protocol.feedback(request, &response, raw.answered_at);
        if !said.is_empty() {
            let mut budget = self.budget();
            said.iter().for_each(|feedback| budget.learn(feedback, raw.answered_at));
        }
        if is_compressed(&raw.headers) {
            let kind = ErrorKind::Undecodable("a compressed body that was not asked for");
            return Err(ExchangeError::new(self.venue(), request.op(), kind));
        }
        self.protocol.decode(&self.markets(), request, &response)
    }

    /// How long to wait before the same call is made again; `None` when it must not be, or is not worth it.
    async fn pause_before_repeat(
        &self,
        request: &Request,
        error: &ExchangeError,
        (repeats, policy): (u32, Policy),
        clock_mended: &mut bool,
    ) -> Option<Duration> {
        if is_about_time(&error.kind) {
            return self.mend_clock(error, clock_mended).await;
        }
        // A budget that is spent is told at once: its wait has been waited already where that is wanted.
        let spent = matches!(error.kind, ErrorKind::Throttled { .. });
        if !may_repeat(request) || repeats >= policy.repeats || spent {
            return None;
        }
        let at_least = match error.retry() {
            Retry::Never => return None,
            Retry::Now => Duration::ZERO,
            Retry::After(pause) => pause,
        };
        // A longer wait is the caller's decision, not something to sleep through inside of a call.
        (at_least <= policy.timeout).then(|| at_least + self.spread(repeats))
    }

    /// The exchange says that our time is wrong, or we do not know it: nothing was executed. Reads measure and try once
    /// more. A placement is given back at once, and the measuring left to [`Rest::maintain`].
    async fn mend_clock(&self, error: &ExchangeError, mended: &mut bool) -> Option<Duration> {
        if !error.op.is_idempotent() || error.op == Op::ServerTime || std::mem::replace(mended, true) {
            return None;
        }
        self.sync_clock().await.ok().map(|_| Duration::ZERO)
    }

    /// Has the clock measured soon, and trusts it no longer when the exchange's refusal of a call that
    /// was signed at `signed_at` cannot mean anything else.
    pub(super) fn doubt_clock(&self, request: &Request, error: &ExchangeError, signed_at: Option<Timestamp>) {
        if let (ErrorKind::ClockSkew, Some(signed_at)) = (&error.kind, signed_at) {
            self.venue_clock.refused(signed_at, self.clock.now(), request.expires_in());
        }
        self.want_clock(&error.kind);
    }

    /// Has the clock measured soon when it may be to blame.
    pub(super) fn want_clock(&self, kind: &ErrorKind) {
        if is_about_time(kind) {
            self.clock_wanted.notify_one();
        }
    }

    /// Full jitter: repeats of many callers must not meet.
    fn spread(&self, repeats: u32) -> Duration {
        let most = REPEAT_SPREAD.saturating_mul(1_u32.checked_shl(repeats).unwrap_or(u32::MAX));
        self.jitter().up_to(most)
    }

    pub(super) fn jitter(&self) -> std::sync::MutexGuard<'_, Jitter> {
        self.jitter.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn scratch(&self) -> std::sync::MutexGuard<'_, HttpRequest> {
        self.scratch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn budget(&self) -> std::sync::MutexGuard<'_, Budget> {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn error(&self, op: Op, what: ErrorOrKind) -> ExchangeError {
        match what {
            ErrorOrKind::Error(error) => error,
            ErrorOrKind::Kind(kind) => ExchangeError::new(self.venue(), op, kind),
            ErrorOrKind::Said(kind, said) => {
                ExchangeError { message: Some(said), ..ExchangeError::new(self.venue(), op, kind) }
            }
        }
    }
}

/// An adapter's own error, or a kind of ours that still lacks venue and call.
pub(super) enum ErrorOrKind {
    Error(ExchangeError),
    Kind(ErrorKind),
    /// Likewise, with what people want to know of it.
    Said(ErrorKind, Box<str>),
}

impl From<ErrorKind> for ErrorOrKind {
    fn from(kind: ErrorKind) -> Self {
        Self::Kind(kind)
    }
}

impl From<Refusal> for ErrorKind {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Never => Self::InvalidInput("a call that weighs more than its budget"),
            Refusal::Wait(retry_after) => Self::Throttled { retry_after },
        }
    }
}

const fn is_about_time(kind: &ErrorKind) -> bool {
    matches!(kind, ErrorKind::ClockSkew | ErrorKind::ClockUnknown)
}

pub(super) fn count(metrics: &CallMetrics, asked_at: Timestamp, answer: &Answer) {
    if let Err(error) = &answer.result {
        metrics.count_failure(error.outcome());
    }
    if let Some(written_at) = answer.stamps.written_at {
        metrics.until_written.record(written_at.since(asked_at));
        if let Some(answered_at) = answer.stamps.answered_at {
            metrics.round_trip.record(answered_at.since(written_at));
        }
    }
}

impl fmt::Debug for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rest").field("venue", &self.venue()).finish_non_exhaustive()
    }
}
