//! The request interface of one venue in virtual time: what `cex_transport::rest` does over sockets, with its own budgets,
//! clock estimate, bounds and rules. A call that is not idempotent leaves at most once.

mod attempt;
mod clock;
mod lanes;

use cex_core::{ClientOrderId, Markets, OrderId, OrderRequest, SymbolId, Timestamp};
use cex_errors::{ErrorKind, ExchangeError, Op, Outcome, Retry};
use cex_interface::{CallClass, Cost, Protocol, Reply, Request};
use cex_sim::server::SimExchange;
use cex_sim::world::{LineId, World};
use cex_transport::jitter::Jitter;
use cex_transport::rate::Budget;
use cex_transport::{RestConfig, Urgency, VenueClock};
use clock::Measuring;
use lanes::{Lane, Lanes};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Repeats are spread over this, doubled with each; as transport does it.
const REPEAT_SPREAD: Duration = Duration::from_millis(100);

/// What a call is for, so that its answer finds its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Read before the engine is there.
    Setup,
    /// What became of an order of an earlier process: which question.
    Inquiry(usize),
    /// One sample of the exchange's clock.
    Clock,
    /// A link asked, in this life of it.
    Link { index: usize, tag: u32, life: u32 },
    /// A book for the engine.
    Book { symbol: SymbolId, asked_at: Timestamp },
    /// A placement.
    Place(OrderRequest),
    /// What became of an order.
    Order { client_id: ClientOrderId, asked_at: Timestamp },
    /// Open orders, of which an order is looked for.
    Open { client_id: ClientOrderId, asked_at: Timestamp },
    /// An order that rests is cancelled.
    Cancel { client_id: ClientOrderId },
    /// What the account traded, of which an order is looked for.
    Trades { client_id: ClientOrderId, order_id: Option<OrderId>, asked_at: Timestamp },
    /// Fills of an order; `since` is from when the account's are asked for, should the exchange have forgotten the order.
    Fills { client_id: ClientOrderId, order_id: OrderId, symbol: SymbolId, since: Option<Timestamp> },
    /// All an account holds.
    Account { asked_at: Timestamp },
}

impl Purpose {
    /// Whether it is a question of the engine, or what it wants cancelled.
    pub(crate) const fn is_of_engine(&self) -> bool {
        !matches!(self, Self::Place(_) | Self::Setup | Self::Inquiry(_) | Self::Clock | Self::Link { .. })
    }
}

/// A call on its way.
#[derive(Debug)]
struct Pending {
    request: Request,
    purpose: Purpose,
    cost: Cost,
    urgency: Urgency,
    repeats: u32,
    clock_mended: bool,
    state: State,
}

/// Where a call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Waits to be tried, or tried again: for its budget, or after a failure.
    Resting { until: Timestamp, give_up_at: Timestamp },
    /// Waits for a connection, no longer than until then.
    NeedsLine { lease_by: Timestamp, deadline: Timestamp },
    /// On a connection.
    Away { line: LineId, deadline: Timestamp, sent_at: Timestamp },
    /// Waits for the exchange's clock to be measured.
    Measuring,
}

/// An order that is ready to leave: signed, paid for, with a connection.
#[derive(Debug)]
pub(crate) struct Ready {
    order: OrderRequest,
    cost: Cost,
    line: LineId,
    call: cex_sim::world::Call,
    at: Timestamp,
}

/// The request interface of one venue.
pub(crate) struct Rest {
    pub(crate) protocol: Arc<dyn Protocol>,
    pub(crate) exchange: SimExchange,
    pub(crate) markets: Arc<Markets>,
    config: RestConfig,
    clock: VenueClock,
    budget: Budget,
    jitter: Jitter,
    lanes: Lanes,
    calls: BTreeMap<u64, Pending>,
    next_call: u64,
    measuring: Option<Measuring>,
    clock_at: Timestamp,
    upkeep_at: Timestamp,
    /// Answers nobody has taken yet.
    done: Vec<(Purpose, Result<Reply, ExchangeError>)>,
    /// Placements that left, for the comparison of what was sent with what was wanted.
    pub(crate) placements: BTreeMap<ClientOrderId, u32>,
    /// How far the venue's clock is signed wrong on purpose, in nanoseconds.
    pub(crate) sign_off_by: i64,
}

impl Rest {
    pub(crate) fn new(protocol: Arc<dyn Protocol>, exchange: SimExchange, seed: u64, now: Timestamp) -> Self {
        let config = RestConfig::default();
        Self {
            exchange,
            markets: Arc::default(),
            clock: VenueClock::new(config.clock_error_max),
            budget: Budget::new(protocol.limits(), config.budget_spread),
            jitter: Jitter::new(seed),
            lanes: Lanes::new(&config),
            calls: BTreeMap::new(),
            next_call: 0,
            measuring: None,
            clock_at: now,
            upkeep_at: now,
            done: Vec::new(),
            placements: BTreeMap::new(),
            sign_off_by: 0,
            protocol,
            config,
        }
    }

    /// Whether nothing is asked for a while, because calls were refused too often.
    pub(crate) fn asks_nothing(&mut self, now: Timestamp) -> bool {
        let costless = Cost { class: CallClass::Cancel, charges: [None; 3] };
        let wait = self.budget.next_allowed(&costless, Urgency::MustGo, now);
        wait.is_some_and(|wait| !wait.is_zero())
    }

    /// A placement is waited for without an end.
    pub(crate) fn wait_for_ever(&mut self) {
        self.config.placement_timeout = Duration::from_secs(86_400);
    }

    /// Begins a call.
    pub(crate) fn begin(&mut self, world: &mut World, request: Request, purpose: Purpose, urgency: Urgency) {
        let cost = self.protocol.cost(&request);
        let now = world.now();
        let give_up_at = now + self.config.budget_wait_max;
        let state = State::Resting { until: now, give_up_at };
        let pending = Pending { request, purpose, cost, urgency, repeats: 0, clock_mended: false, state };
        self.next_call += 1;
        let id = self.next_call;
        self.calls.insert(id, pending);
        self.attempt(world, id);
    }

    /// Makes a placement ready to leave; nothing was sent and nothing is taken when it cannot.
    pub(crate) fn prepare(&mut self, world: &World, order: OrderRequest) -> Result<Ready, ExchangeError> {
        let now = world.now();
        let request = Request::Place(order);
        let cost = self.protocol.cost(&request);
        let made = self
            .lanes
            .take_idle(Lane::Orders, now, &self.config)
            .ok_or_else(|| self.failed(request.op(), ErrorKind::Connection(cex_errors::Phase::BeforeSend)));
        let line = made?;
        let call = self.encode(now, &request, (cost.class, Urgency::Normal)).and_then(|call| {
            self.spend(&cost, Urgency::Normal, now).map_err(|kind| self.failed(request.op(), kind))?;
            Ok(call)
        });
        match call {
            Ok(call) => Ok(Ready { order, cost, line, call, at: now }),
            Err(error) => {
                self.lanes.give_back(Lane::Orders, line, now);
                self.doubt_clock(now, None, &error.kind);
                Err(error)
            }
        }
    }

    /// Sends what was made ready.
    pub(crate) fn send(&mut self, world: &mut World, ready: Ready) {
        let Ready { order, cost, line, call, .. } = ready;
        let (now, request) = (world.now(), Request::Place(order));
        self.next_call += 1;
        let state = State::Away { line, deadline: now + self.config.placement_timeout, sent_at: now };
        let pending = Pending {
            request,
            purpose: Purpose::Place(order),
            cost,
            urgency: Urgency::Normal,
            repeats: 0,
            clock_mended: false,
            state,
        };
        self.calls.insert(self.next_call, pending);
        self.leave(world, line, &Request::Place(order), call);
    }

    /// Does not send it: its connection serves the next call, and the budgets forget it.
    pub(crate) fn give_up(&mut self, ready: &Ready, now: Timestamp) {
        self.budget.give_back(&ready.cost, ready.at);
        self.lanes.give_back(Lane::Orders, ready.line, now);
    }

    /// The answers that came since the last call.
    pub(crate) fn take_done(&mut self) -> Vec<(Purpose, Result<Reply, ExchangeError>)> {
        std::mem::take(&mut self.done)
    }

    /// Whether an answer waits to be taken.
    pub(crate) fn has_done(&self) -> bool {
        !self.done.is_empty()
    }

    /// When something is due.
    pub(crate) fn next_at(&self) -> Timestamp {
        let calls = self.calls.values().filter_map(|pending| match pending.state {
            State::Resting { until, .. } => Some(until),
            State::NeedsLine { lease_by: until, .. } | State::Away { deadline: until, .. } => Some(until),
            State::Measuring => None,
        });
        calls.chain([self.upkeep_at, self.lanes.next_at()]).min().unwrap_or(Timestamp::MAX)
    }

    /// Does what is due.
    pub(crate) fn wake(&mut self, world: &mut World) {
        let now = world.now();
        for line in self.lanes.overdue(now) {
            world.hang_up(line);
        }
        let due: Vec<u64> = self.calls.keys().copied().collect();
        for id in due {
            match self.calls.get(&id).map(|pending| pending.state) {
                Some(State::Resting { until, .. }) if until <= now => self.attempt(world, id),
                Some(State::NeedsLine { lease_by, .. }) if lease_by <= now => {
                    self.end(world, id, ErrorKind::Timeout(cex_errors::Phase::BeforeSend));
                }
                Some(State::Away { line, deadline, .. }) if deadline <= now => {
                    // A connection whose call was not answered is dropped: no late answer can meet the next call.
                    self.lanes.drop_line(line);
                    world.hang_up(line);
                    self.end(world, id, ErrorKind::Timeout(cex_errors::Phase::AfterSend));
                }
                Some(
                    State::Resting { .. } | State::NeedsLine { .. } | State::Away { .. } | State::Measuring,
                )
                | None => {}
            }
        }
        if self.upkeep_at <= now {
            self.upkeep(world);
        }
        self.serve_waiting(world);
    }

    /// A call failed on our side or on the way.
    fn end(&mut self, world: &mut World, id: u64, kind: ErrorKind) {
        let Some(pending) = self.calls.get(&id) else { return };
        let error = self.failed(pending.request.op(), kind);
        self.finish(world, id, Err(error));
    }

    /// An attempt ended: the call is over, or is made again.
    fn finish(&mut self, world: &mut World, id: u64, result: Result<Reply, ExchangeError>) {
        let now = world.now();
        if let Err(error) = &result {
            self.doubt_clock(now, Some(id), &error.kind);
            if let Some(state) = self.state_before_repeat(now, id, error)
                && let Some(pending) = self.calls.get_mut(&id)
            {
                pending.repeats += 1;
                pending.state = state;
                return;
            }
        }
        if let Some(pending) = self.calls.remove(&id) {
            match pending.purpose {
                Purpose::Clock => self.clock_answered(world, pending.state, &result),
                purpose => self.done.push((purpose, result)),
            }
        }
    }

    /// How a call waits to be made again; `None` when it must not be, or is not worth it.
    fn state_before_repeat(&mut self, now: Timestamp, id: u64, error: &ExchangeError) -> Option<State> {
        let pending = self.calls.get_mut(&id)?;
        if pending.purpose == Purpose::Clock {
            return None;
        }
        if is_about_time(&error.kind) {
            let may = error.op.is_idempotent() && !std::mem::replace(&mut pending.clock_mended, true);
            return may.then_some(State::Measuring);
        }
        let spent = matches!(error.kind, ErrorKind::Throttled { .. });
        let (most, timeout) = bounds(pending.cost.class, &self.config);
        // As transport has it: each creation of a listen key makes another.
        let may = error.op.is_idempotent() && pending.request != Request::CreateListenKey;
        if !may || pending.repeats >= most || spent {
            return None;
        }
        let at_least = match error.retry() {
            Retry::Never => return None,
            Retry::Now => Duration::ZERO,
            Retry::After(pause) => pause,
        };
        let spread = REPEAT_SPREAD.saturating_mul(1 << pending.repeats.min(8));
        let until = now + at_least + self.jitter.up_to(spread);
        let give_up_at = until + self.config.budget_wait_max;
        (at_least <= timeout).then_some(State::Resting { until, give_up_at })
    }

    fn failed(&self, op: Op, kind: ErrorKind) -> ExchangeError {
        ExchangeError::new(self.protocol.venue(), op, kind)
    }
}

/// Attempts beyond the first and the time of each, by class; as transport's policy says.
const fn bounds(class: CallClass, config: &RestConfig) -> (u32, Duration) {
    match class {
        CallClass::MarketData => (2, config.market_timeout),
        CallClass::Query => (2, config.query_timeout),
        CallClass::Cancel => (3, config.cancel_timeout),
        CallClass::Placement => (0, config.placement_timeout),
    }
}

const fn is_about_time(kind: &ErrorKind) -> bool {
    matches!(kind, ErrorKind::ClockSkew | ErrorKind::ClockUnknown)
}

/// Whether an outcome says that an order may be at the exchange.
pub(crate) const fn may_have_happened(outcome: Outcome) -> bool {
    match outcome {
        Outcome::Unknown => true,
        Outcome::NotSent | Outcome::Refused => false,
    }
}
