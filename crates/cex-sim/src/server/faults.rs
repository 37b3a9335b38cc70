//! Faults between the dialects and the sockets: what becomes of calls, frames and messages.

use super::config::{Profile, SimConfig, SimExchange};
use super::host::{Host, Queued};
use crate::dialect::{ConnId, Frame, Message};
use crate::fault::{Board, Fate, FaultId, Moment, RestEffect, Seen, Wire, WsEffect, WsFault, fate, payload};
use crate::fault::{Fault, Schedule};
use crate::matching::{Exchange, MarketIndex};
use cex_core::{Bps, Decimal, Timestamp};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// How many states of an exchange are kept to answer from the past.
const STATES_KEPT: u32 = 8;

/// What is heard of a client's message.
pub(super) enum Heard {
    /// All of it.
    All,
    /// All of it, but subscriptions to such channels are refused.
    Refusing(String),
    /// Nothing.
    Nothing,
}

/// A market that is to be delisted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Delisting {
    pub(super) exchange: SimExchange,
    pub(super) market: MarketIndex,
    /// By everybody's clock.
    pub(super) at: Timestamp,
    pub(super) is_done: bool,
}

/// The past of an exchange.
struct Past {
    id: FaultId,
    exchange: SimExchange,
    path: String,
    lag: Duration,
    states: VecDeque<(Timestamp, Exchange)>,
}

/// A frame that waits for the next one like it.
struct Held {
    exchange: SimExchange,
    conn: ConnId,
    fault: WsFault,
    frame: Frame,
}

/// All faults, and what they hold back.
pub(super) struct Faults {
    pub(super) board: Board,
    /// What is to go wrong, and when.
    pub(super) planned: Vec<(Timestamp, SimExchange, Fault)>,
    pub(super) schedule: Option<Schedule>,
    /// Frames that come late, by time; the number keeps their order.
    late: BTreeMap<(Timestamp, u64), (SimExchange, ConnId, Frame)>,
    lates: u64,
    held: Vec<Held>,
    past: Vec<Past>,
    /// What fees were before they were changed.
    pub(super) fees_before: BTreeMap<FaultId, (Bps, Bps)>,
    /// What least notionals were before they were changed.
    pub(super) minimums_before: BTreeMap<FaultId, Decimal>,
    /// Which markets are to be delisted, and when.
    pub(super) delistings: BTreeMap<FaultId, Delisting>,
    fired: Vec<(FaultId, String)>,
}

impl Faults {
    /// Nothing is wrong yet.
    pub(super) fn new(config: &SimConfig, now: Timestamp) -> Self {
        let hostile = config.profile == Profile::Hostile;
        let planned =
            config.faults.iter().map(|(after, exchange, fault)| (now + *after, *exchange, fault.clone()));
        Self {
            board: Board::new(config.seed),
            planned: planned.collect(),
            schedule: hostile.then(|| Schedule::new(config.seed, now)),
            late: BTreeMap::new(),
            lates: 0,
            held: Vec::new(),
            past: Vec::new(),
            fees_before: BTreeMap::new(),
            minimums_before: BTreeMap::new(),
            delistings: BTreeMap::new(),
            fired: Vec::new(),
        }
    }

    /// When something is due.
    pub(super) fn wakeup_at(&self) -> Option<Timestamp> {
        let late = self.late.first_key_value().map(|((at, _), _)| *at);
        let past = self.past.iter().map(Past::next_at).min();
        let planned = self.planned.iter().map(|(at, ..)| *at).min();
        let drawn = self.schedule.as_ref().map(Schedule::next_at);
        let delisted = self.delistings.values().filter(|delisting| !delisting.is_done);
        let delisted = delisted.map(|delisting| delisting.at).min();
        [self.board.wakeup_at(), late, past, planned, drawn, delisted].into_iter().flatten().min()
    }

    /// So much time has passed for what is to begin, to end or to arrive.
    pub(super) fn age(&mut self, by: Duration) {
        let nanos = i64::try_from(by.as_nanos()).unwrap_or(i64::MAX).saturating_neg();
        self.board.age(nanos);
        if let Some(schedule) = &mut self.schedule {
            schedule.age(nanos);
        }
        let planned = self.planned.iter_mut().map(|(at, ..)| at);
        for at in planned.chain(self.delistings.values_mut().map(|delisting| &mut delisting.at)) {
            *at = at.shifted(nanos);
        }
        let late = std::mem::take(&mut self.late);
        self.late =
            late.into_iter().map(|((at, number), frame)| ((at.shifted(nanos), number), frame)).collect();
    }

    /// Whether frames of an exchange must be looked at.
    pub(super) fn meets_frames(&self, exchange: SimExchange) -> bool {
        self.board.has_ws(exchange) || self.held.iter().any(|held| held.exchange == exchange)
    }

    /// Logs what happened inside of an exchange.
    pub(super) fn collect(&mut self, now: Timestamp, exchange: &mut Exchange) {
        exchange.drain_fired(&mut self.fired);
        for (id, hit) in self.fired.drain(..) {
            self.board.happened(now, id, hit);
        }
    }

    /// Begins to remember the past of an exchange.
    pub(super) fn begin_past(
        &mut self,
        now: Timestamp,
        id: FaultId,
        (exchange, state): (SimExchange, &Exchange),
        path: &str,
        lag: Duration,
    ) {
        let states = VecDeque::from([(now, state.clone())]);
        self.past.push(Past { id, exchange, path: path.to_owned(), lag, states });
    }

    /// Forgets the past again.
    pub(super) fn end_past(&mut self, id: FaultId) {
        self.past.retain(|past| past.id != id);
    }

    /// Keeps the present for later, when it is time.
    pub(super) fn remember(&mut self, now: Timestamp, exchanges: &[Exchange]) {
        for past in &mut self.past {
            if past.next_at() <= now {
                past.states.push_back((now, exchanges[past.exchange.index()].clone()));
            }
            // The second one is old enough to answer from, so the first is not needed any more.
            while past.states.get(1).is_some_and(|(at, _)| *at + past.lag <= now) {
                past.states.pop_front();
            }
        }
    }

    /// The state that a read is answered from, if not the present one.
    pub(super) fn past(
        &mut self,
        now: Timestamp,
        exchange: SimExchange,
        method: &str,
        path: &str,
    ) -> Option<&mut Exchange> {
        let is_meant = |past: &&mut Past| past.exchange == exchange && path.starts_with(&past.path);
        let past = self.past.iter_mut().find(is_meant).filter(|_| method == "GET")?;
        self.board.happened(now, past.id, format!("{method} {path}"));
        past.states.front_mut().map(|(_, state)| state)
    }

    /// Takes out a frame that waited for one like this.
    fn take_held(&mut self, exchange: SimExchange, conn: ConnId, bytes: &[u8]) -> Option<Frame> {
        let is_like = |held: &Held| held.exchange == exchange && held.conn == conn && held.fault.says(bytes);
        let at = self.held.iter().position(is_like)?;
        Some(self.held.remove(at).frame)
    }
}

impl Past {
    /// When the next state is to be kept.
    fn next_at(&self) -> Timestamp {
        let step = (self.lag / STATES_KEPT).max(Duration::from_millis(5));
        self.states.back().map_or(Timestamp::EPOCH, |(at, _)| *at + step)
    }
}

impl Host {
    /// What happens to a call.
    pub(super) fn rest_fault(
        &mut self,
        exchange: SimExchange,
        moment: Moment,
        method: &str,
        path: &str,
    ) -> Option<RestEffect> {
        self.faults.board.rest(self.clock.now(), exchange, moment, method, path)
    }

    /// What is heard of a message.
    pub(super) fn hear(&mut self, exchange: SimExchange, conn: ConnId, message: Message<'_>) -> Heard {
        let bytes = match message {
            Message::Text(text) => text.as_bytes(),
            Message::Binary(bytes) => bytes,
        };
        let Some(connection) = self.venues[exchange.index()].connections.get_mut(&conn) else {
            return Heard::All;
        };
        if connection.is_black_hole {
            return Heard::Nothing;
        }
        connection.is_private |= exchange == SimExchange::Gateio && signs(bytes);
        if !self.faults.board.has_ws(exchange) {
            return Heard::All;
        }
        let seen = Seen { is_private: connection.is_private, is_from_client: true, is_data: false, bytes };
        match self.faults.board.ws(self.clock.now(), exchange, conn.0, seen) {
            Some((fault, _)) if fault.effect == WsEffect::Deafen => Heard::Nothing,
            Some((fault, _)) => Heard::Refusing(fault.contains.first().cloned().unwrap_or_default()),
            None => Heard::All,
        }
    }

    /// Sends a frame, or what a fault makes of it.
    pub(super) fn pass(&mut self, exchange: SimExchange, conn: ConnId, frame: Frame) {
        let connection = self.venues[exchange.index()].connections.get(&conn);
        let is_private = connection.is_some_and(|connection| connection.is_private);
        let Some(bytes) = payload(&frame) else { return self.enqueue(exchange, conn, Queued::Frame(frame)) };
        let seen = Seen { is_private, is_from_client: false, is_data: is_data(exchange, &frame), bytes };
        let fate = match self.faults.board.ws(self.clock.now(), exchange, conn.0, seen) {
            Some((fault, seed)) => match fate(&fault.effect, frame.clone(), seed) {
                Fate::AfterNext(frame) if !self.faults.held.iter().any(|held| held.fault == fault) => {
                    return self.faults.held.push(Held { exchange, conn, fault, frame });
                }
                fate => fate,
            },
            None => Fate::Send(vec![Wire::Frame(frame.clone())]),
        };
        let held = self.faults.take_held(exchange, conn, bytes);
        self.meet_fate(exchange, conn, fate);
        if let Some(held) = held {
            self.enqueue(exchange, conn, Queued::Frame(held));
        }
    }

    fn meet_fate(&mut self, exchange: SimExchange, conn: ConnId, fate: Fate) {
        match fate {
            Fate::Send(wires) => {
                for wire in wires {
                    let item = match wire {
                        Wire::Frame(frame) => Queued::Frame(frame),
                        Wire::RawText(bytes) => Queued::RawText(bytes),
                    };
                    self.enqueue(exchange, conn, item);
                }
            }
            Fate::AfterNext(frame) => self.enqueue(exchange, conn, Queued::Frame(frame)),
            Fate::Later(by, frame) => {
                self.faults.lates += 1;
                let key = (self.clock.now() + by, self.faults.lates);
                self.faults.late.insert(key, (exchange, conn, frame));
            }
            Fate::Close => self.enqueue(exchange, conn, Queued::Frame(Frame::Close)),
            Fate::Reset => self.cut(exchange, conn),
            Fate::Blackhole => {
                if let Some(connection) = self.venues[exchange.index()].connections.get_mut(&conn) {
                    connection.is_black_hole = true;
                }
            }
        }
    }

    /// Sends the frames that were held back until now.
    pub(super) fn deliver_late(&mut self, now: Timestamp) {
        while let Some(entry) = self.faults.late.first_entry()
            && entry.key().0 <= now
        {
            let (exchange, conn, frame) = entry.remove();
            self.enqueue(exchange, conn, Queued::Frame(frame));
        }
    }
}

/// Whether a client of Gate.io says who it is.
fn signs(bytes: &[u8]) -> bool {
    let has = |text: &[u8]| bytes.windows(text.len()).any(|part| part == text);
    has(b"\"auth\"") || has(b"spot.login")
}

/// Whether a frame is data rather than an answer.
fn is_data(exchange: SimExchange, frame: &Frame) -> bool {
    const UPDATE: &[u8] = b"\"event\":\"update\"";
    match (exchange, frame) {
        (SimExchange::Mexc, Frame::Binary(_)) => true,
        (SimExchange::Gateio, Frame::Text(_) | Frame::Shared(_)) => {
            payload(frame).is_some_and(|bytes| bytes.windows(UPDATE.len()).any(|part| part == UPDATE))
        }
        (SimExchange::Mexc, Frame::Text(_) | Frame::Shared(_))
        | (SimExchange::Gateio, Frame::Binary(_))
        | (_, Frame::Ping | Frame::Close) => false,
    }
}
