//! Orders over a streaming connection, where the exchange takes them there.

use super::Client;
use super::private::for_each;
use crate::config::RestConfig;
use crate::driver::handle::QueuedCall;
use crate::driver::{DriveContext, LinkHandle, Received, Sink, drive, link_channel};
use crate::rate::{Budget, Urgency};
use crate::rest::Rest;
use cex_core::{LinkEvent, Order, OrderRequest, Price, Qty, StreamKind, SymbolId, Timestamp, VenueId};
use cex_errors::{ErrorKind, ExchangeError, Op, Outcome, Phase};
use cex_interface::{
    CallClass, Cost, LinkAnswer, OrderRef, Outbox, Placed, Protocol, PublicExchange as _, Reply, Request,
};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{oneshot, watch};

/// A connection of its own that carries calls about orders; made again by itself until the last clone is dropped.
///
/// Every call leaves at most once, cancels too: what to do after a failure is the caller's to decide, by the error's
/// `outcome()`. While the connection is down or not logged in calls are not sent, and say so. An order whose outcome is
/// unknown is asked about by its client id, here or over [`Client`].
///
/// ```no_run
/// # use cex_core::OrderRequest;
/// # use cex_errors::{ExchangeError, Outcome};
/// # use cex_interface::OrderRef;
/// # use cex_transport::Client;
/// # use std::time::Duration;
/// async fn buy(exchange: &Client, order: OrderRequest) -> Result<(), ExchangeError> {
///     let orders = exchange.order_entry()?;
///     orders.ready(Duration::from_secs(5)).await;
///     match orders.place(order).await {
///         Ok(placed) => println!("{} stands as {}", placed.client_id, placed.order_id),
///         Err(error) if error.outcome() == Outcome::Unknown => {
///             println!("{:?}", orders.order(order.symbol, OrderRef::Client(order.client_id)).await);
///         }
///         Err(error) => println!("no order: {error}"),
///     }
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct OrderEntry {
    protocol: Arc<dyn Protocol>,
    rest: Arc<Rest>,
    config: RestConfig,
    handle: LinkHandle,
    calls: Arc<Calls>,
    ready: watch::Receiver<bool>,
}

/// Calls that were given to the link and have no answer.
#[derive(Debug, Default)]
struct Calls {
    last_tag: AtomicU32,
    waiting: Mutex<BTreeMap<u32, oneshot::Sender<LinkAnswer>>>,
}

impl Calls {
    fn begin(&self) -> (u32, oneshot::Receiver<LinkAnswer>) {
        let tag = self.last_tag.fetch_add(1, Ordering::Relaxed);
        let (tell, told) = oneshot::channel();
        self.waiting().insert(tag, tell);
        (tag, told)
    }

    fn end(&self, tag: u32) -> Option<oneshot::Sender<LinkAnswer>> {
        self.waiting().remove(&tag)
    }

    fn waiting(&self) -> MutexGuard<'_, BTreeMap<u32, oneshot::Sender<LinkAnswer>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives answers to those who wait, and tells whether calls are taken.
struct AnswerSink {
    calls: Arc<Calls>,
    ready: watch::Sender<bool>,
}

impl Sink for AnswerSink {
    fn deliver(&mut self, _now: Timestamp, _received: &Received, out: &mut Outbox) {
        for event in &out.link {
            match event {
                LinkEvent::Subscribed { stream: StreamKind::Account, .. } => {
                    self.ready.send_replace(true);
                }
                LinkEvent::Down => {
                    self.ready.send_replace(false);
                }
                LinkEvent::Up
                | LinkEvent::Subscribed { .. }
                | LinkEvent::Refused { .. }
                | LinkEvent::Undecodable { .. }
                | LinkEvent::AccountReady => {}
            }
        }
        for answer in out.answers.drain(..) {
            if let Some(tell) = self.calls.end(answer.tag) {
                // Whoever asked may have stopped waiting.
                let _ = tell.send(answer);
            }
        }
    }
}

impl Drop for AnswerSink {
    fn drop(&mut self) {
        self.calls.waiting().clear();
    }
}

impl Client {
    /// Opens a connection that carries calls about orders, in a task of its own. Markets must be registered before.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] where the exchange has none
    /// ([`order_entry`](cex_interface::Capabilities::order_entry)); a missing key.
    pub fn order_entry(&self) -> Result<OrderEntry, ExchangeError> {
        let link = self.protocol.order_link(&self.markets())?;
        let (handle, commands) = link_channel(self.config.links.commands_max);
        let (metrics, number) = self.links.begin();
        let (tell_ready, ready) = watch::channel(false);
        let calls = Arc::<Calls>::default();
        let sink = AnswerSink { calls: Arc::clone(&calls), ready: tell_ready };
        let context = DriveContext {
            venue: self.protocol.venue(),
            clock: self.rest.clock(),
            config: self.config.links.clone(),
            commands,
            metrics,
            seed: self.seed_of(number),
        };
        tokio::spawn(drive(link, sink, self.network.clone(), context));
        let config = self.config.rest.clone();
        Ok(OrderEntry {
            protocol: Arc::clone(&self.protocol),
            rest: Arc::clone(&self.rest),
            config,
            handle,
            calls,
            ready,
        })
    }
}

impl OrderEntry {
    /// The venue that orders go to.
    #[must_use]
    pub fn venue(&self) -> VenueId {
        self.protocol.venue()
    }

    /// Whether calls are taken now.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        *self.ready.borrow()
    }

    /// Waits until calls are taken; `false` when that did not come to be in time.
    pub async fn ready(&self, within: Duration) -> bool {
        let mut ready = self.ready.clone();
        let outcome = tokio::time::timeout(within, ready.wait_for(|ready| *ready)).await;
        matches!(outcome, Ok(Ok(_)))
    }

    /// Places an order; never sent twice. On `Outcome::Unknown` ask by client id before anything else.
    ///
    /// # Errors
    /// Why it was not sent, why it was refused, or that nobody knows.
    pub async fn place(&self, order: OrderRequest) -> Result<Placed, ExchangeError> {
        self.check_venue(&order)?;
        let request = Request::Place(order);
        match self.call(request.clone()).await? {
            Reply::Placed(placed) => Ok(placed),
            _another => Err(self.of_another(&request)),
        }
    }

    /// Places several orders in one call, within [`place_batch`](cex_interface::Capabilities::place_batch); never sent
    /// twice. What became of each, in the order given.
    pub async fn place_batch(&self, orders: Vec<OrderRequest>) -> Vec<Result<Placed, ExchangeError>> {
        let count = orders.len();
        if let Some(error) = orders.iter().find_map(|order| self.check_venue(order).err()) {
            return for_each(count, &error);
        }
        let request = Request::PlaceBatch(orders);
        match self.call(request.clone()).await {
            Ok(Reply::PlacedBatch(placed)) if placed.len() == count => placed,
            Ok(_another) => for_each(count, &self.of_another(&request)),
            Err(error) => for_each(count, &error),
        }
    }

    /// Changes price, total quantity or both of a resting order; never sent twice.
    ///
    /// # Errors
    /// As [`Self::place`].
    pub async fn amend(
        &self,
        symbol: SymbolId,
        order: OrderRef,
        price: Option<Price>,
        qty: Option<Qty>,
    ) -> Result<Order, ExchangeError> {
        self.one_order(Request::Amend { symbol, order, price, qty }).await
    }

    /// Cancels an order. Accepted is not ended: the final state comes over the account's stream or from [`Self::order`].
    ///
    /// # Errors
    /// As [`Self::place`]; a cancel of unknown outcome may be made again.
    pub async fn cancel(&self, symbol: SymbolId, order: OrderRef) -> Result<(), ExchangeError> {
        let request = Request::Cancel { symbol, order };
        match self.call(request.clone()).await? {
            Reply::Canceled { .. } => Ok(()),
            _another => Err(self.of_another(&request)),
        }
    }

    /// Cancels several orders in one call, within [`cancel_batch`](cex_interface::Capabilities::cancel_batch). What became
    /// of each, in the order given.
    pub async fn cancel_batch(&self, orders: Vec<(SymbolId, OrderRef)>) -> Vec<Result<(), ExchangeError>> {
        let count = orders.len();
        let request = Request::CancelBatch(orders);
        match self.call(request.clone()).await {
            Ok(Reply::CanceledBatch(canceled)) if canceled.len() == count => canceled,
            Ok(_another) => for_each(count, &self.of_another(&request)),
            Err(error) => for_each(count, &error),
        }
    }

    /// One order.
    ///
    /// # Errors
    /// As [`Self::place`]; not found is no proof that it never was.
    pub async fn order(&self, symbol: SymbolId, order: OrderRef) -> Result<Order, ExchangeError> {
        self.one_order(Request::Order { symbol, order }).await
    }

    /// Makes any call that the connection carries; any other is [`ErrorKind::Unsupported`].
    ///
    /// # Errors
    /// Ask the error's `outcome()` whether the exchange may have acted.
    pub async fn call(&self, request: Request) -> Result<Reply, ExchangeError> {
        let op = request.op();
        let metrics = self.rest.metrics().of(op);
        metrics.calls.add_one();
        let result = self.carry(request).await.map_err(|failed| match failed {
            Failed::Here(kind) => self.error(op, kind),
            Failed::There(error) => error,
        });
        if let Err(error) = &result {
            metrics.count_failure(error.outcome());
        }
        result
    }

    async fn carry(&self, request: Request) -> Result<Reply, Failed> {
        let now = self.rest.clock().now();
        let cost = self.protocol.cost(&request);
        let venue_now = self.rest.venue_clock().for_call(&request, cost.class, Urgency::Normal, now)?;
        self.budget().acquire(&cost, Urgency::Normal, now).map_err(ErrorKind::from)?;
        let expires_in = request.expires_in();
        let give_up_at = now + self.timeout(cost.class);
        let (tag, told) = self.calls.begin();
        if let Err(kind) = self.handle.call(QueuedCall { tag, request, venue_now, give_up_at }) {
            self.calls.end(tag);
            self.budget().give_back(&cost, now);
            return Err(kind.into());
        }
        // A link that was dropped with the call may have sent it.
        let LinkAnswer { result, feedback, .. } =
            told.await.map_err(|_| ErrorKind::Connection(Phase::AfterSend))?;
        let answered_at = self.rest.clock().now();
        feedback.iter().for_each(|said| self.budget().learn(said, answered_at));
        if let Err(ExchangeError { kind: ErrorKind::ClockSkew, .. }) = &result {
            self.rest.venue_clock().refused(now, answered_at, expires_in);
            let rest = Arc::clone(&self.rest);
            tokio::spawn(async move { rest.sync_clock().await });
        }
        result.map_err(|error| self.failed(error, &cost, now))
    }

    /// What was not sent costs nothing.
    fn failed(&self, error: ExchangeError, cost: &Cost, taken_at: Timestamp) -> Failed {
        if error.outcome() == Outcome::NotSent {
            self.budget().give_back(cost, taken_at);
        }
        Failed::There(error)
    }

    async fn one_order(&self, request: Request) -> Result<Order, ExchangeError> {
        match self.call(request.clone()).await? {
            Reply::Order(order) => Ok(order),
            _another => Err(self.of_another(&request)),
        }
    }

    const fn timeout(&self, class: CallClass) -> Duration {
        match class {
            CallClass::MarketData | CallClass::Query => self.config.query_timeout,
            CallClass::Cancel => self.config.cancel_timeout,
            CallClass::Placement => self.config.placement_timeout,
        }
    }

    /// An order for another venue must not reach this one.
    fn check_venue(&self, order: &OrderRequest) -> Result<(), ExchangeError> {
        if order.venue == self.venue() {
            return Ok(());
        }
        Err(self.error(Op::PlaceOrder, ErrorKind::InvalidInput("an order for another venue")))
    }

    fn of_another(&self, request: &Request) -> ExchangeError {
        self.error(request.op(), ErrorKind::Undecodable("the answer to another call"))
    }

    fn error(&self, op: Op, kind: ErrorKind) -> ExchangeError {
        ExchangeError::new(self.venue(), op, kind)
    }

    /// That of the calls over HTTP: no exchange says that it counts both ways apart, so they are taken for one.
    fn budget(&self) -> MutexGuard<'_, Budget> {
        self.rest.budget()
    }
}

/// Why there is no reply: a kind that still lacks venue and call, or the link's own error.
enum Failed {
    Here(ErrorKind),
    There(ExchangeError),
}

impl From<ErrorKind> for Failed {
    fn from(kind: ErrorKind) -> Self {
        Self::Here(kind)
    }
}

impl fmt::Debug for OrderEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OrderEntry").field("venue", &self.venue()).finish_non_exhaustive()
    }
}
