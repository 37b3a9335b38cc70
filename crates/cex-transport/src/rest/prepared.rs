//! Orders that are ready to leave: two orders that must go together are both prepared before either is sent.

use super::call::{Answer, CallStamps, Started};
use super::direct::DirectConn;
use super::interface::{ErrorOrKind, Rest, count};
use super::policy::Policy;
use super::pool::Lease;
use crate::rate::Urgency;
use cex_core::Timestamp;
use cex_errors::{ErrorKind, ExchangeError, Phase};
use cex_interface::{Cost, Request};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// An order, or a cancel, that is signed, paid for, and has an open connection of its own. [`Self::send`] it at once: the time it is
/// signed with is now. [`Self::give_up`] when it shall not leave.
pub struct Prepared {
    rest: Arc<Rest>,
    request: Request,
    cost: Cost,
    timeout: Duration,
    lease: Lease<DirectConn>,
    stamps: CallStamps,
    prepared_at: Timestamp,
}

impl Prepared {
    pub(super) fn new(rest: &Arc<Rest>, request: Request, urgency: Urgency) -> Result<Self, ExchangeError> {
        let op = request.op();
        rest.metrics.of(op).calls.add_one();
        Self::make(rest, request, urgency).map_err(|what| {
            let error = rest.error(op, what);
            rest.metrics.of(op).count_failure(error.outcome());
            rest.want_clock(&error.kind);
            error
        })
    }

    /// The way of an order up to its sending, and back. Counted nowhere.
    pub(super) fn rehearse(rest: &Arc<Rest>, request: Request) {
        if let Ok(ready) = Self::make(rest, request, Urgency::Normal) {
            ready.take_back();
        }
    }

    /// What can fail without taking anything comes first: the budget is touched last.
    fn make(rest: &Arc<Rest>, request: Request, urgency: Urgency) -> Result<Self, ErrorOrKind> {
        let cost = rest.protocol.cost(&request);
        let timeout = Policy::of(cost.class, &rest.config).timeout;
        let mut stamps = CallStamps::default();
        let now = rest.clock.now();
        let mut lease = rest.orders.ready(now).ok_or(ErrorKind::Connection(Phase::BeforeSend))?;
        let signed = rest.load(&mut lease.conn, now, &request, (cost.class, urgency), &mut stamps);
        let ready = signed.and_then(|()| {
            let prepared_at = rest.clock.now();
            rest.budget().acquire(&cost, urgency, prepared_at).map_err(ErrorKind::from)?;
            Ok(prepared_at)
        });
        match ready {
            Ok(prepared_at) => {
                Ok(Self { rest: Arc::clone(rest), request, cost, timeout, lease, stamps, prepared_at })
            }
            Err(what) => {
                lease.give_back();
                Err(what)
            }
        }
    }

    /// When its bytes were ready, signed.
    #[must_use]
    pub const fn prepared_at(&self) -> Timestamp {
        self.prepared_at
    }

    /// Sends it: its bytes are with the socket when this returns. What is returned must be polled to its end, so spawn
    /// it. It leaves once, whatever happens: what failed is the caller's to decide on.
    pub fn send(self) -> Started {
        Started::begin(self.exchange())
    }

    async fn exchange(self) -> Answer {
        let Self { rest, request, timeout, lease, mut stamps, prepared_at, .. } = self;
        lease.count_reuse();
        let result = match rest.send(request.op(), lease, Instant::now() + timeout, &mut stamps).await {
            Ok(response) => rest.read(&request, &response),
            Err(error) => Err(rest.error(request.op(), error)),
        };
        if let Err(error) = &result {
            rest.doubt_clock(&request, error, stamps.encoded_at);
        }
        let answer = Answer { result, stamps };
        count(rest.metrics.of(request.op()), prepared_at, &answer);
        answer
    }

    /// Does not send it: its connection serves the next call, and the budgets forget it.
    pub fn give_up(self) {
        self.rest.metrics.of(self.request.op()).not_sent.add_one();
        self.take_back();
    }

    fn take_back(self) {
        self.rest.budget().give_back(&self.cost, self.prepared_at);
        self.lease.give_back();
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared").field("op", &self.request.op()).finish_non_exhaustive()
    }
}
