//! Orders that are ready to leave: two orders that must go together are both prepared before either is sent.

use super::call::{Answer, CallStamps, Started};
use super::direct::DirectConn;
use super::interface::{Rest, count};
use super::policy::Policy;
use super::pool::Lease;
use crate::metrics::CallMetrics;
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
    metrics: Arc<CallMetrics>,
}

impl Prepared {
    /// What can fail without taking anything comes first: the budget is touched last.
    pub(super) fn new(rest: Arc<Rest>, request: Request, urgency: Urgency) -> Result<Self, ExchangeError> {
        let metrics = rest.metrics.of(request.op());
        metrics.calls.add_one();
        let refused = |error: ExchangeError| {
            metrics.count_failure(error.outcome());
            rest.doubt_clock(&error.kind);
            error
        };
        let cost = rest.protocol.cost(&request);
        let policy = Policy::of(cost.class, &rest.config);
        let mut stamps = CallStamps::default();
        let built = rest
            .encode(&request, cost.class, &mut stamps)
            .map_err(|error| refused(rest.error(request.op(), error)))?;
        let Some(mut lease) = rest.orders.ready() else {
            let kind = ErrorKind::Connection(Phase::BeforeSend);
            return Err(refused(rest.error(request.op(), kind.into())));
        };
        if let Err(what) = lease.conn.load(&built, rest.host()) {
            lease.give_back();
            return Err(refused(rest.error(request.op(), ErrorKind::InvalidInput(what).into())));
        }
        let prepared_at = rest.clock.now();
        if let Err(refusal) = rest.budget().acquire(&cost, urgency, prepared_at) {
            lease.give_back();
            return Err(refused(rest.error(request.op(), ErrorKind::from(refusal).into())));
        }
        Ok(Self {
            request,
            cost,
            timeout: policy.timeout,
            lease,
            stamps,
            prepared_at,
            metrics: Arc::clone(&metrics),
            rest,
        })
    }

    /// Sends it: its bytes are with the socket when this returns. What is returned must be polled to its end, so spawn
    /// it. It leaves once, whatever happens: what failed is the caller's to decide on.
    pub fn send(self) -> Started {
        Started::begin(self.exchange())
    }

    async fn exchange(self) -> Answer {
        let Self { rest, request, timeout, lease, mut stamps, prepared_at, metrics, .. } = self;
        let result = match rest.send(lease, Instant::now() + timeout, &mut stamps).await {
            Ok(response) => rest.read(&request, &response),
            Err(error) => Err(rest.error(request.op(), error)),
        };
        if let Err(error) = &result {
            rest.doubt_clock(&error.kind);
        }
        let answer = Answer { result, stamps };
        count(&metrics, prepared_at, &answer);
        answer
    }

    /// Does not send it: its connection serves the next call, and the budgets forget it.
    pub fn give_up(self) {
        self.metrics.not_sent.add_one();
        self.rest.budget().give_back(&self.cost, self.prepared_at);
        self.lease.give_back();
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared").field("op", &self.request.op()).finish_non_exhaustive()
    }
}
