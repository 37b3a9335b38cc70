//! One streaming connection in virtual time: what `cex_transport::driver` does for a link over sockets, by the same bounds.
//! Not made here: successors. A link that announces its end is closed at once, as a driver without them does.

use crate::rest::{Purpose, Rest};
use cex_core::{SymbolId, Timestamp};
use cex_errors::{ErrorKind, ExchangeError, Retry};
use cex_interface::{Effect, Input, Link, Outbox, Payload, Reply, Request};
use cex_sim::server::SimExchange;
use cex_sim::world::{Arrival, LineId, Said, World};
use cex_transport::driver::DialBudget;
use cex_transport::jitter::{Backoff, Jitter};
use cex_transport::{LinkConfig, Urgency};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

/// A link that asks to be woken at a time already past is woken no more often than this; as the driver does it.
const WAKE_PAUSE: Duration = Duration::from_millis(10);

/// Where a link stands between two connections.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    Resting { until: Timestamp, reserved: bool },
    Starting { deadline: Timestamp },
    Dialing { line: LineId, target: (String, String), deadline: Timestamp },
    Open(Open),
}

/// A connection that stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Open {
    line: LineId,
    opened_at: Timestamp,
    last_frame_at: Timestamp,
    pinged: bool,
    brought_data: bool,
}

/// Hears what a link learned.
pub(crate) trait Hears {
    /// News of one call of the link.
    fn hear(&mut self, now: Timestamp, out: &mut Outbox);
}

/// What a wire needs around it.
pub(crate) struct Around<'a> {
    pub(crate) world: &'a mut World,
    pub(crate) rest: &'a mut Rest,
    pub(crate) dials: &'a DialBudget,
    pub(crate) ear: &'a mut dyn Hears,
}

/// A link and its connection.
pub(crate) struct Wire {
    link: Box<dyn Link>,
    pub(crate) symbols: Rc<[SymbolId]>,
    index: usize,
    exchange: SimExchange,
    config: LinkConfig,
    phase: Phase,
    life: u32,
    calls: usize,
    backoff: Backoff,
    jitter: Jitter,
    wake_not_before: Timestamp,
    wanted: VecDeque<Effect>,
    out: Outbox,
    /// When something is due, as of the last [`Self::reckon`].
    due: Timestamp,
    /// Frames that the link could not use.
    pub(crate) errors: u64,
    /// Connections lost.
    pub(crate) losses: u64,
}

impl Wire {
    pub(crate) fn new(
        link: Box<dyn Link>,
        index: usize,
        exchange: SimExchange,
        seed: u64,
        now: Timestamp,
    ) -> Self {
        let config = LinkConfig::default();
        Self {
            symbols: link.subscriptions().iter().map(|one| one.symbol).collect(),
            link,
            index,
            exchange,
            phase: Phase::Resting { until: now, reserved: false },
            life: 0,
            calls: 0,
            backoff: Backoff::new(config.backoff_base, config.backoff_cap),
            jitter: Jitter::new(seed),
            wake_not_before: Timestamp::EPOCH,
            wanted: VecDeque::new(),
            out: Outbox::default(),
            due: now,
            errors: 0,
            losses: 0,
            config,
        }
    }

    /// Whether this connection is its own.
    pub(crate) fn uses(&self, wanted: LineId) -> bool {
        match &self.phase {
            Phase::Dialing { line, .. } => *line == wanted,
            Phase::Open(open) => open.line == wanted,
            Phase::Resting { .. } | Phase::Starting { .. } => false,
        }
    }

    /// Whether the connection stands.
    pub(crate) const fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open(_))
    }

    /// When something is due.
    pub(crate) const fn next_at(&self) -> Timestamp {
        self.due
    }

    /// Finds out when something is due: to be called after whatever was done with it. It is asked far more often.
    pub(crate) fn reckon(&mut self) {
        let due = match &self.phase {
            Phase::Resting { until, .. } => *until,
            Phase::Starting { deadline } | Phase::Dialing { deadline, .. } => *deadline,
            Phase::Open(open) => self.open_due(open),
        };
        let wake = self.link.wakeup_at().filter(|_| self.life > 0).map(|at| at.max(self.wake_not_before));
        self.due = wake.map_or(due, |wake| wake.min(due));
    }

    fn open_due(&self, open: &Open) -> Timestamp {
        let dead = open.last_frame_at + self.config.idle_max;
        let ping = self.config.ping_after.filter(|_| !open.pinged).map(|after| open.last_frame_at + after);
        ping.map_or(dead, |ping| ping.min(dead))
    }

    /// Does what is due.
    pub(crate) fn wake(&mut self, around: &mut Around<'_>) {
        let now = around.world.now();
        match &mut self.phase {
            Phase::Resting { until, reserved } if *until <= now => {
                let reserved = *reserved;
                self.start(around, reserved);
            }
            Phase::Starting { deadline } | Phase::Dialing { deadline, .. } if *deadline <= now => {
                self.lose(around, Duration::ZERO);
            }
            Phase::Open(open) if open.last_frame_at + self.config.idle_max <= now => {
                self.lose(around, Duration::ZERO);
            }
            Phase::Open(open)
                if !open.pinged
                    && self.config.ping_after.is_some_and(|after| open.last_frame_at + after <= now) =>
            {
                open.pinged = true;
                around.world.say(open.line, Said::Ping);
            }
            Phase::Resting { .. } | Phase::Starting { .. } | Phase::Dialing { .. } | Phase::Open(_) => {}
        }
        let due = |link: &dyn Link| link.wakeup_at().is_some_and(|at| at <= now);
        if self.life > 0 && due(self.link.as_ref()) && now >= self.wake_not_before {
            self.tell(around, Input::Wake);
            if due(self.link.as_ref()) {
                self.wake_not_before = now + WAKE_PAUSE;
            }
        }
    }

    /// Starts, or rests until the moment that the venue's budget of connection attempts has free.
    fn start(&mut self, around: &mut Around<'_>, reserved: bool) {
        let now = around.world.now();
        let slot = if reserved { now } else { around.dials.reserve(now) };
        if slot > now {
            self.phase = Phase::Resting { until: slot, reserved: true };
            return;
        }
        self.life += 1;
        self.phase = Phase::Starting { deadline: now + self.config.start_timeout };
        self.tell(around, Input::Start);
    }

    /// Something reached our end of the connection.
    pub(crate) fn arrive(&mut self, around: &mut Around<'_>, arrival: Arrival) {
        let now = around.world.now();
        if let Phase::Open(open) = &mut self.phase {
            (open.last_frame_at, open.pinged) = (now, false);
        }
        match (arrival, &mut self.phase) {
            (Arrival::Dialed, Phase::Dialing { line, target: (path, query), .. }) => {
                let upgrade = Said::Upgrade { path: path.clone(), query: query.clone() };
                around.world.say(*line, upgrade);
            }
            (Arrival::Upgraded, Phase::Dialing { line, .. }) => {
                let line = *line;
                self.phase = Phase::Open(Open {
                    line,
                    opened_at: now,
                    last_frame_at: now,
                    pinged: false,
                    brought_data: false,
                });
                self.tell(around, Input::Connected);
            }
            (Arrival::Refused(answer), Phase::Dialing { .. }) => {
                let error = self.refused(answer.status);
                let at_least = match error.retry(cex_errors::Op::Stream) {
                    Retry::After(pause) => pause,
                    Retry::Now | Retry::Never => Duration::ZERO,
                };
                self.lose(around, at_least);
            }
            (Arrival::Text(bytes), Phase::Open(open)) => {
                open.brought_data = true;
                self.tell(around, Input::Text(&bytes));
            }
            (Arrival::Binary(bytes), Phase::Open(open)) => {
                open.brought_data = true;
                self.tell(around, Input::Binary(&bytes));
            }
            (Arrival::Ping, Phase::Open(open)) => around.world.say(open.line, Said::Pong),
            (Arrival::Pong, Phase::Open(_)) => self.tell(around, Input::Pong),
            (
                Arrival::Closed
                | Arrival::Lost
                | Arrival::Answer(_)
                | Arrival::Dialed
                | Arrival::Upgraded
                | Arrival::Refused(_)
                | Arrival::Text(_)
                | Arrival::Binary(_)
                | Arrival::Ping
                | Arrival::Pong,
                _,
            ) => self.lose(around, Duration::ZERO),
        }
    }

    /// What a refused upgrade means, by HTTP's own statuses as transport reads them.
    const fn refused(&self, status: u16) -> ErrorKind {
        match status {
            429 => ErrorKind::RateLimited { retry_after: None },
            403 | 418 => ErrorKind::Banned { retry_after: None },
            401 => ErrorKind::PermissionDenied,
            500..=599 => ErrorKind::ServerBusy,
            0..=400 | 402 | 404..=417 | 419..=428 | 430..=499 | 600.. => {
                ErrorKind::Undecodable("the server refused the upgrade")
            }
        }
    }

    /// The answer to a call of the link.
    pub(crate) fn answered(
        &mut self,
        around: &mut Around<'_>,
        (tag, life): (u32, u32),
        result: &Result<Reply, ExchangeError>,
    ) {
        self.calls = self.calls.saturating_sub(1);
        // A start begins anew: what an earlier life asked is of no use to this one.
        if life == self.life {
            self.tell(around, Input::Reply { tag, result });
        }
    }

    /// Whoever keeps this book lost it. Without a connection there is nothing to mend: the next begins anew.
    pub(crate) fn resubscribe(&mut self, around: &mut Around<'_>, symbol: SymbolId) {
        if self.is_open() {
            self.tell(around, Input::Resubscribe(symbol));
        }
    }

    fn tell(&mut self, around: &mut Around<'_>, input: Input<'_>) {
        let now = around.world.now();
        let result = self.link.handle(now, input, &mut self.out);
        self.errors += u64::from(result.is_err());
        self.wanted.extend(self.out.effects.drain(..));
        if !self.out.is_empty() {
            around.ear.hear(now, &mut self.out);
        }
        self.out.clear();
        self.do_wanted(around);
    }

    fn do_wanted(&mut self, around: &mut Around<'_>) {
        while let Some(effect) = self.wanted.pop_front() {
            match effect {
                Effect::Connect(url) => self.connect(around, &url),
                Effect::Send(payload) => {
                    if let Phase::Open(open) = &self.phase {
                        around.world.say(open.line, said(payload));
                    }
                }
                Effect::Request { tag, request } => self.request(around, tag, request),
                Effect::Reconnect(_) => self.lose(around, Duration::ZERO),
            }
        }
    }

    fn connect(&mut self, around: &mut Around<'_>, url: &str) {
        let Phase::Starting { .. } = self.phase else { return };
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        let target = rest.find('/').map_or("/", |at| &rest[at..]);
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        self.phase = Phase::Dialing {
            line: around.world.dial(self.exchange),
            target: (path.to_owned(), query.to_owned()),
            deadline: around.world.now() + self.config.dial_timeout,
        };
    }

    fn request(&mut self, around: &mut Around<'_>, tag: u32, request: Request) {
        if self.calls < self.config.calls_max {
            self.calls += 1;
            let purpose = Purpose::Link { index: self.index, tag, life: self.life };
            return around.rest.begin(around.world, request, purpose, Urgency::Normal);
        }
        let kind = ErrorKind::Throttled { retry_after: Duration::from_secs(1) };
        let refused = Err(ExchangeError::new(around.rest.protocol.venue(), request.op(), kind));
        self.tell(around, Input::Reply { tag, result: &refused });
    }

    /// The connection, or the attempt at one, is gone. The next start comes after a pause.
    pub(crate) fn lose(&mut self, around: &mut Around<'_>, at_least: Duration) {
        let now = around.world.now();
        match &self.phase {
            Phase::Open(open) => {
                self.losses += 1;
                if open.brought_data && now.since(open.opened_at) >= self.config.stable_after {
                    self.backoff.reset();
                }
                around.world.hang_up(open.line);
            }
            Phase::Dialing { line, .. } => around.world.hang_up(*line),
            Phase::Resting { .. } | Phase::Starting { .. } => {}
        }
        let pause = self.backoff.next(&mut self.jitter).max(at_least);
        self.phase = Phase::Resting { until: now + pause, reserved: false };
        self.tell(around, Input::Disconnected);
        self.wanted.retain(|effect| match effect {
            Effect::Request { .. } => true,
            Effect::Connect(_) | Effect::Send(_) | Effect::Reconnect(_) => false,
        });
    }
}

fn said(payload: Payload) -> Said {
    match payload {
        Payload::Text(text) => Said::Text(text),
        Payload::Binary(bytes) => Said::Binary(bytes),
        Payload::Ping => Said::Ping,
    }
}
