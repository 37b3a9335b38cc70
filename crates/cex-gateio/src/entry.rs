//! The link that carries calls about orders: the trading interface of the streams (GATEIO-WS-24).
//!
//! It logs in once a connection, then sends each call as one message and waits for its result. An acknowledgement is not
//! a result. It remembers the calls that wait and nothing else; whatever ends without a result is unknown, and nothing
//! is sent twice.

mod answer;
mod message;

use crate::config::Config;
use crate::session::{self, ANSWER_WITHIN, Message, Session, Timer};
use crate::sign::Signer;
use crate::wire::{Fault, TradingAnswer, parse};
use answer::Reading;
use cex_core::{LinkEvent, Markets, StreamKind, Timestamp, VenueId};
use cex_errors::{ErrorKind, ExchangeError, Op, Outcome, Phase};
use cex_interface::{CloseReason, Input, Link, LinkAnswer, LinkCall, Outbox, Request};
use message::LOGIN;
use std::sync::Arc;
use std::time::Duration;

/// Calls that may wait for results at once: far more than the budgets allow within the longest wait, so reaching it
/// means that the exchange has stopped answering.
const MOST_WAITING: usize = 256;

/// How far the connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// There is none that calls may use.
    Down,
    /// Who we are was told.
    LoggingIn {
        /// When the answer is overdue.
        by: Timestamp,
        /// The time was corrected by the exchange's own once; a second refusal for it is final.
        corrected: bool,
    },
    /// Calls are taken.
    Ready,
    /// The exchange will close the connection (GATEIO-WS-09), or does not know us on it any more (GATEIO-WS-35): what waits may
    /// still end on it, nothing new begins.
    Leaving(CloseReason),
}

/// A call that was sent and has no result.
struct Waiting {
    tag: u32,
    id: u64,
    request: Request,
    give_up_at: Timestamp,
    acknowledged: bool,
}

/// The connection for orders.
pub(crate) struct EntryLink {
    name: String,
    venue: VenueId,
    unusual_names: bool,
    learns_limits: bool,
    markets: Arc<Markets>,
    signer: Arc<Signer>,
    session: Session,
    state: State,
    waiting: Vec<Waiting>,
    last_id: u64,
    /// What to add to our clock to log in: known only after the exchange refused our time.
    offset_nanos: i64,
    /// Why the last login was refused, if it was.
    refused: Option<ErrorKind>,
}

impl EntryLink {
    pub(crate) fn new(config: &Config, markets: &Arc<Markets>, signer: Arc<Signer>) -> Self {
        Self {
            name: format!("{} orders", config.venue),
            venue: config.venue,
            unusual_names: config.unusual_names,
            learns_limits: config.rate_limits,
            markets: Arc::clone(markets),
            signer,
            session: Session::new(config.ws_url.clone()),
            state: State::Down,
            waiting: Vec::new(),
            last_id: 0,
            offset_nanos: 0,
            refused: None,
        }
    }

    fn connected(&mut self, now: Timestamp, out: &mut Outbox) {
        self.session.connected(now, out);
        self.log_in(now, false, out);
    }

    fn log_in(&mut self, now: Timestamp, corrected: bool, out: &mut Outbox) {
        let time = now.shifted(self.offset_nanos).as_secs();
        out.send_text(message::login(&self.signer, time));
        self.state = State::LoggingIn { by: now + ANSWER_WITHIN, corrected };
        self.arm();
    }

    fn text(&mut self, now: Timestamp, frame: &[u8], out: &mut Outbox) -> Result<(), ExchangeError> {
        self.session.heard(now);
        let read = match session::read(frame) {
            Ok(Message::Trading) => self.answered(now, frame, out),
            Ok(Message::Upgrade) => {
                self.announced(out);
                Ok(())
            }
            // A refusal that names no call leaves all that wait unknown; each ends when its time is over.
            Ok(Message::Answer(_)) => Err("a refusal that names no call"),
            Ok(Message::Pong | Message::News(_) | Message::Strange(_) | Message::Nothing) => Ok(()),
            Err(fault) => Err(fault),
        };
        read.map_err(|fault| {
            out.link.push(LinkEvent::Undecodable { symbol: None });
            ExchangeError::new(self.venue, Op::Stream, ErrorKind::Undecodable(fault))
        })
    }

    fn answered(&mut self, now: Timestamp, frame: &[u8], out: &mut Outbox) -> Result<(), Fault> {
        let answer: TradingAnswer<'_> = parse(frame)?;
        if answer.request_id.as_str() == LOGIN {
            self.logged_in(now, &answer, out);
            return Ok(());
        }
        let is_its = |waiting: &Waiting| answer.request_id.integer() == Ok(waiting.id);
        let Some(index) = self.waiting.iter().position(is_its) else {
            // Its call was given up on, or the answer came twice: it belongs to nobody.
            tracing::debug!(link = %self.name, id = answer.request_id.as_str(), "answer to no call that waits");
            return Ok(());
        };
        if answer::is_acknowledgement(&answer) {
            self.waiting[index].acknowledged = true;
            return Ok(());
        }
        let Waiting { tag, request, .. } = self.waiting.swap_remove(index);
        let reading = Reading { venue: self.venue, markets: &self.markets, now };
        let (result, mut feedback) = reading.result(&request, &answer);
        if !self.learns_limits {
            feedback.clear();
        }
        if matches!(&result, Err(error) if error.kind == ErrorKind::InvalidKey) {
            self.logged_out(out);
        }
        out.answers.push(LinkAnswer { tag, result, feedback });
        self.arm();
        self.leave_when_idle(out);
        Ok(())
    }

    /// Calls carry no signature of their own, so one that is refused for who we are says that the login holds no longer. Only
    /// a new connection begins with another; its pauses grow while logins are refused.
    fn logged_out(&mut self, out: &mut Outbox) {
        if self.state == State::Ready {
            tracing::warn!(link = %self.name, "the login is gone, another is made on a new connection");
            self.state = State::Leaving(CloseReason::Refused);
            out.link.push(LinkEvent::Refused { symbol: None, stream: StreamKind::Account });
        }
    }

    fn logged_in(&mut self, now: Timestamp, answer: &TradingAnswer<'_>, out: &mut Outbox) {
        let State::LoggingIn { corrected, .. } = self.state else { return };
        let Some(error) = answer::login_refusal(self.venue, answer) else {
            self.state = State::Ready;
            self.refused = None;
            self.arm();
            out.link.push(LinkEvent::Subscribed { symbol: None, stream: StreamKind::Account });
            return;
        };
        let told = answer::told_time(answer).filter(|_| error.kind == ErrorKind::ClockSkew && !corrected);
        if let Some(told) = told {
            // Nobody gave us the exchange's clock yet, but its refusal tells the time (GATEIO-WS-33).
            self.offset_nanos = told.as_nanos().saturating_sub(now.as_nanos());
            return self.log_in(now, true, out);
        }
        tracing::warn!(link = %self.name, %error, "login refused");
        self.refused = (error.outcome() == Outcome::Refused).then_some(error.kind);
        out.link.push(LinkEvent::Refused { symbol: None, stream: StreamKind::Account });
        self.session.reconnect(CloseReason::Refused, out);
    }

    /// Closing at once would leave what waits unknown, so that ends first.
    fn announced(&mut self, out: &mut Outbox) {
        match self.state {
            State::Down | State::Leaving(_) => {}
            State::LoggingIn { .. } | State::Ready => {
                self.state = State::Leaving(CloseReason::Announced);
                self.arm();
                self.leave_when_idle(out);
            }
        }
    }

    fn leave_when_idle(&mut self, out: &mut Outbox) {
        match self.state {
            State::Leaving(reason) if self.waiting.is_empty() => self.session.leave(reason, out),
            State::Leaving(_) | State::Down | State::LoggingIn { .. } | State::Ready => {}
        }
    }

    fn wake(&mut self, now: Timestamp, out: &mut Outbox) {
        if !self.session.wake(now, out) {
            return;
        }
        if matches!(self.state, State::LoggingIn { by, .. } if by <= now) {
            return self.session.reconnect(CloseReason::Silent, out);
        }
        let overdue = |waiting: &mut Waiting| waiting.give_up_at <= now;
        for waiting in self.waiting.extract_if(.., overdue) {
            out.answers.push(waiting.lost(self.venue, ErrorKind::Timeout(Phase::AfterSend)));
        }
        self.arm();
        self.leave_when_idle(out);
    }

    /// Wakes when the first of what is waited for is overdue.
    fn arm(&mut self) {
        let login_by = match self.state {
            State::LoggingIn { by, .. } => Some(by),
            State::Down | State::Ready | State::Leaving(_) => None,
        };
        match self.waiting.iter().map(|waiting| waiting.give_up_at).chain(login_by).min() {
            Some(at) => self.session.set(Timer::Answers, at),
            None => self.session.clear(Timer::Answers),
        }
    }

    /// The connection can tell nothing any more of what was sent on it.
    fn lost(&mut self, out: &mut Outbox) {
        self.state = State::Down;
        let venue = self.venue;
        let lost = |waiting: Waiting| waiting.lost(venue, ErrorKind::Connection(Phase::AfterSend));
        out.answers.extend(self.waiting.drain(..).map(lost));
    }
}

impl Waiting {
    fn lost(self, venue: VenueId, kind: ErrorKind) -> LinkAnswer {
        let mut error = ExchangeError::new(venue, self.request.op(), kind);
        error.message = self.acknowledged.then(|| "received by the exchange, no result".into());
        LinkAnswer::failed(self.tag, error)
    }
}

impl Link for EntryLink {
    fn handle(&mut self, now: Timestamp, input: Input<'_>, out: &mut Outbox) -> Result<(), ExchangeError> {
        match input {
            Input::Text(frame) => return self.text(now, frame, out),
            Input::Binary(_) => {
                out.link.push(LinkEvent::Undecodable { symbol: None });
                let kind = ErrorKind::BadFrame("binary message");
                return Err(ExchangeError::new(self.venue, Op::Stream, kind));
            }
            Input::Start => {
                self.lost(out);
                self.session.start(out);
            }
            Input::Connected => self.connected(now, out),
            Input::Wake => self.wake(now, out),
            Input::Disconnected => {
                self.lost(out);
                self.session.disconnected(out);
            }
            Input::Stop => {
                self.lost(out);
                self.session.stop();
            }
            // A frame's pong comes from a gateway and says nothing of the exchange behind it (GATEIO-WS-08). This link makes no
            // calls of its own and keeps no books.
            Input::Pong | Input::Reply { .. } | Input::Resubscribe(_) => {}
        }
        Ok(())
    }

    fn call(&mut self, now: Timestamp, call: LinkCall<'_>, out: &mut Outbox) -> Result<(), ErrorKind> {
        if self.state != State::Ready || !self.session.is_up() {
            return Err(self.refused.clone().unwrap_or(ErrorKind::Connection(Phase::BeforeSend)));
        }
        if self.waiting.len() >= MOST_WAITING {
            return Err(ErrorKind::Throttled { retry_after: Duration::from_secs(1) });
        }
        if call.give_up_at <= now {
            return Err(ErrorKind::Timeout(Phase::BeforeSend));
        }
        let id = self.last_id + 1;
        out.send_text(message::call(self.unusual_names, &self.markets, &call, id)?);
        self.last_id = id;
        let LinkCall { tag, request, give_up_at, .. } = call;
        self.waiting.push(Waiting { tag, id, request: request.clone(), give_up_at, acknowledged: false });
        self.arm();
        Ok(())
    }

    fn wakeup_at(&self) -> Option<Timestamp> {
        self.session.wakeup_at()
    }

    fn name(&self) -> &str {
        &self.name
    }
}

#[cfg(test)]
mod tests;
