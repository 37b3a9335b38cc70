//! One attempt at a call: built, paid for, sent, answered.

use super::lanes::Lane;
use super::{Rest, State, bounds};
use cex_core::Timestamp;
use cex_errors::{ErrorKind, ExchangeError, Phase};
use cex_interface::{CallClass, Cost, HttpRequest, HttpResponse, Reply, Request};
use cex_sim::dialect::HttpAnswer;
use cex_sim::world::{Arrival, Call, LineId, Said, World};
use cex_transport::Urgency;
use cex_transport::rate::Refusal;

impl Rest {
    /// Tries a call: what the exchange cannot do costs nothing, and market data waits for its budget.
    pub(super) fn attempt(&mut self, world: &mut World, id: u64) {
        let now = world.now();
        let Some(pending) = self.calls.get(&id) else { return };
        let State::Resting { give_up_at, .. } = pending.state else { return };
        let (request, cost, urgency) = (pending.request.clone(), pending.cost, pending.urgency);
        if let Err(error) = self.encode(now, &request, (cost.class, urgency)) {
            return self.finish(world, id, Err(error));
        }
        if let Err(kind) = self.spend(&cost, urgency, now) {
            // As transport does: a start waits for its questions, the engine asks again by its own clock.
            let waits = cost.class == CallClass::MarketData || urgency == Urgency::CanWait;
            return match kind {
                ErrorKind::Throttled { retry_after } if waits && now + retry_after <= give_up_at => {
                    self.rest_until(id, now + retry_after, give_up_at);
                }
                kind => self.end(world, id, kind),
            };
        }
        let (_, timeout) = bounds(cost.class, &self.config);
        let wait = match cost.class {
            CallClass::MarketData | CallClass::Query | CallClass::Cancel => timeout,
            CallClass::Placement => self.config.placement_wait_max,
        };
        if let Some(pending) = self.calls.get_mut(&id) {
            pending.state = State::NeedsLine { lease_by: now + wait, deadline: now + timeout };
        }
        self.lanes.queue(Lane::of(cost.class), id);
        self.serve_waiting(world);
    }

    fn rest_until(&mut self, id: u64, until: Timestamp, give_up_at: Timestamp) {
        if let Some(pending) = self.calls.get_mut(&id) {
            pending.state = State::Resting { until, give_up_at };
        }
    }

    /// Gives connections to the calls that wait for one, and dials where there are none.
    pub(super) fn serve_waiting(&mut self, world: &mut World) {
        let now = world.now();
        for lane in Lane::ALL {
            while let Some(id) = self.lanes.first_waiting(lane) {
                let Some(State::NeedsLine { deadline, .. }) =
                    self.calls.get(&id).map(|pending| pending.state)
                else {
                    self.lanes.forget_first(lane);
                    continue;
                };
                let Some(line) = self.lanes.take_idle(lane, now, &self.config) else {
                    self.lanes.dial(lane, world, self.exchange, now + self.config.connect_timeout);
                    break;
                };
                self.lanes.forget_first(lane);
                self.send_on(world, id, lane, line, deadline);
            }
        }
    }

    fn send_on(&mut self, world: &mut World, id: u64, lane: Lane, line: LineId, deadline: Timestamp) {
        let now = world.now();
        let Some(pending) = self.calls.get(&id) else { return };
        let request = pending.request.clone();
        // Signed here, not when it was asked for: a connection may have had to be waited for.
        match self.encode(now, &request, (pending.cost.class, pending.urgency)) {
            Ok(call) => {
                if let Some(pending) = self.calls.get_mut(&id) {
                    pending.state = State::Away { line, deadline, sent_at: now };
                }
                self.leave(world, line, &request, call);
            }
            Err(error) => {
                self.lanes.give_back(lane, line, now);
                self.finish(world, id, Err(error));
            }
        }
    }

    /// A call's bytes are with the socket.
    pub(super) fn leave(&mut self, world: &mut World, line: LineId, request: &Request, call: Call) {
        if let Request::Place(order) = request {
            *self.placements.entry(order.client_id).or_default() += 1;
        }
        world.say(line, Said::Call(call));
    }

    /// Something reached our end of a connection of ours.
    pub(crate) fn hear(&mut self, world: &mut World, line: LineId, arrival: Arrival) {
        let now = world.now();
        let call = self.calls.iter().find_map(|(id, pending)| match pending.state {
            State::Away { line: used, .. } if used == line => Some(*id),
            State::Away { .. } | State::Resting { .. } | State::NeedsLine { .. } | State::Measuring => None,
        });
        match (arrival, call) {
            (Arrival::Dialed, _) => self.lanes.dialed(line, now),
            (Arrival::Answer(answer), Some(id)) => {
                self.lanes.give_back_line(line, now);
                let result = self.read(now, id, &answer);
                self.finish(world, id, result);
            }
            (Arrival::Lost, Some(id)) => {
                self.lanes.drop_line(line);
                self.end(world, id, ErrorKind::Connection(Phase::AfterSend));
            }
            (Arrival::Lost, None) => {
                if let Some(lane) = self.lanes.drop_line(line) {
                    self.refuse_waiting(world, lane);
                }
            }
            // An answer nobody waits for, or what belongs to a WebSocket: the connection cannot be trusted.
            (
                Arrival::Answer(_)
                | Arrival::Upgraded
                | Arrival::Refused(_)
                | Arrival::Text(_)
                | Arrival::Binary(_)
                | Arrival::Ping
                | Arrival::Pong
                | Arrival::Closed,
                _,
            ) => {
                self.lanes.drop_line(line);
                world.hang_up(line);
            }
        }
        self.serve_waiting(world);
    }

    /// A connection attempt failed: the call it was made for fails with it.
    fn refuse_waiting(&mut self, world: &mut World, lane: Lane) {
        if let Some(id) = self.lanes.first_waiting(lane) {
            self.lanes.forget_first(lane);
            self.end(world, id, ErrorKind::Connection(Phase::BeforeSend));
        }
    }

    fn read(&mut self, now: Timestamp, id: u64, answer: &HttpAnswer) -> Result<Reply, ExchangeError> {
        let Some(request) = self.calls.get(&id).map(|pending| pending.request.clone()) else {
            return Ok(Reply::Done);
        };
        let headers = answer.header_list();
        let response = HttpResponse { status: answer.status, headers: &headers, body: &answer.body };
        for said in self.protocol.feedback(&request, &response, now) {
            self.budget.learn(&said, now);
        }
        if response.header("content-encoding").is_some_and(|coding| coding != "identity") {
            let kind = ErrorKind::Undecodable("a compressed body that was not asked for");
            return Err(self.failed(request.op(), kind));
        }
        self.protocol.decode(&self.markets, &request, &response)
    }

    /// Builds and signs a call.
    pub(super) fn encode(
        &self,
        now: Timestamp,
        request: &Request,
        (class, urgency): (CallClass, Urgency),
    ) -> Result<Call, ExchangeError> {
        let venue_now = match (self.clock.for_call(request, class, urgency, now), class) {
            (Ok(venue_now), _) => venue_now,
            (Err(_), CallClass::MarketData) => now,
            (Err(kind), CallClass::Query | CallClass::Cancel | CallClass::Placement) => {
                return Err(self.failed(request.op(), kind));
            }
        };
        let mut built = HttpRequest::default();
        self.protocol.encode(venue_now.shifted(self.sign_off_by), &self.markets, request, &mut built)?;
        let (path, query) = built.target.split_once('?').unwrap_or((built.target.as_str(), ""));
        let headers = built.headers.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        Ok(Call {
            method: built.method.as_str(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: headers.collect(),
            body: built.body.clone(),
        })
    }

    pub(super) fn spend(&mut self, cost: &Cost, urgency: Urgency, now: Timestamp) -> Result<(), ErrorKind> {
        self.budget.acquire(cost, urgency, now).map_err(|refusal| match refusal {
            Refusal::Never => ErrorKind::InvalidInput("a call that weighs more than its budget"),
            Refusal::Wait(retry_after) => ErrorKind::Throttled { retry_after },
        })
    }
}
