//! The exchange's end of a connection: calls, upgrades, frames. What `listen` and `socket` do over real sockets.

use super::World;
use super::line::{Arrival, Call, LineId, Parcel, Said};
use super::way::{BACK, OUT};
use crate::dialect::{ConnId, Frame, HttpAnswer, HttpCall, Message};
use crate::fault::{Moment, RestEffect};
use crate::server::SimExchange;
use crate::server::host::Queued;
use crate::server::line::Plug;
use crate::server::listen::canned_answer;
use bytes::Bytes;
use cex_core::Timestamp;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::mpsc::error::TryRecvError;

/// Everybody is on the same machine, as with real sockets on loopback.
const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

impl World {
    /// Sends something to the exchange.
    pub(super) fn send_out(&mut self, id: LineId, said: Said) {
        let Some(at) = self.arrives_at(id, OUT) else { return };
        self.post.send(at, Parcel::Said(id, said));
    }

    /// Sends something to the client.
    pub(super) fn send_back(&mut self, id: LineId, arrival: Arrival) {
        let Some(at) = self.arrives_at(id, BACK) else { return };
        self.post.send(at, Parcel::Arrival(id, arrival));
    }

    /// When something sent now arrives; nothing overtakes on one connection.
    fn arrives_at(&mut self, id: LineId, way: usize) -> Option<Timestamp> {
        let exchange = self.lines.get(&id)?.exchange.index();
        let luck = self.roll(self.ways[exchange].jitter());
        let at = self.ways[exchange].arrives_at(self.now, way, luck);
        let line = self.lines.get_mut(&id)?;
        line.last_at[way] = line.last_at[way].max(at);
        Some(line.last_at[way])
    }

    /// Something arrives.
    pub(super) fn deliver(&mut self, parcel: Parcel) {
        match parcel {
            Parcel::Said(id, said) => self.hear(id, said),
            Parcel::Serve(id, call) => {
                if self.listens(id) {
                    self.serve(id, &call);
                }
            }
            Parcel::Arrival(id, arrival) => self.arrive(id, arrival),
            Parcel::Silence(id) => self.mind_silence(id),
            Parcel::CutAll(exchange) => self.cut_all(exchange),
        }
    }

    fn arrive(&mut self, id: LineId, arrival: Arrival) {
        let Some(line) = self.lines.get(&id) else { return };
        let is_end = arrival == Arrival::Lost;
        if !line.client_left && (!line.is_broken || is_end) {
            self.arrivals.push_back((id, arrival));
        }
        if is_end {
            self.lines.remove(&id);
        }
    }

    fn listens(&self, id: LineId) -> bool {
        self.lines.get(&id).is_some_and(|line| !line.exchange_left)
    }

    fn hear(&mut self, id: LineId, said: Said) {
        let Some(line) = self.lines.get_mut(&id).filter(|line| !line.exchange_left) else { return };
        line.heard_at = self.now;
        let (exchange, conn) = (line.exchange, ConnId(id.0));
        match said {
            Said::Dial => self.enter(id, exchange),
            Said::Upgrade { path, query } => self.open(id, exchange, &path, &query),
            Said::Call(call) => self.call(id, exchange, call),
            Said::Text(text) => self.host.message(exchange, conn, Message::Text(&text)),
            Said::Binary(bytes) => self.host.message(exchange, conn, Message::Binary(&bytes)),
            Said::Ping => self.host.pong(exchange, conn, b""),
            Said::Pong => {}
            Said::Bye => {
                line.exchange_left = true;
                self.host.disconnected(exchange, conn);
                self.lines.remove(&id);
            }
        }
    }

    fn enter(&mut self, id: LineId, exchange: SimExchange) {
        if self.ways[exchange.index()].refuses(self.now) {
            return self.leave(id, true);
        }
        let Some(line) = self.lines.get_mut(&id) else { return };
        line.is_entered = true;
        let plug = Plug::of_memory(Arc::clone(&line.is_cut));
        self.host.connected(exchange, ConnId(id.0), plug);
        self.send_back(id, Arrival::Dialed);
    }

    fn open(&mut self, id: LineId, exchange: SimExchange, path: &str, query: &str) {
        match self.host.open(exchange, ConnId(id.0), path, query) {
            Ok(opened) => {
                self.send_back(id, Arrival::Upgraded);
                let Some(line) = self.lines.get_mut(&id) else { return };
                (line.queue, line.silence_max) = (Some(opened.queue), opened.silence_max);
                self.mind_silence(id);
            }
            Err(answer) => self.send_back(id, Arrival::Refused(answer)),
        }
    }

    /// Ends a session whose client has been silent for too long, or looks again when it may have been.
    fn mind_silence(&mut self, id: LineId) {
        let Some(line) = self.lines.get(&id).filter(|line| !line.exchange_left) else { return };
        let Some(most) = line.silence_max else { return };
        let due = line.heard_at + most;
        if due > self.now {
            self.post.send(due, Parcel::Silence(id));
        } else {
            self.leave(id, false);
        }
    }

    /// A call arrives.
    fn call(&mut self, id: LineId, exchange: SimExchange, call: Call) {
        let effect = self.host.rest_fault(exchange, Moment::Before, call.method, &call.path);
        match effect {
            Some(RestEffect::Late(by)) => self.post.send(self.now + by, Parcel::Serve(id, call)),
            Some(RestEffect::Answer(canned)) => self.send_back(id, Arrival::Answer(canned_answer(canned))),
            Some(RestEffect::Close) => self.leave(id, false),
            Some(RestEffect::Reset) => self.cut(id),
            Some(RestEffect::Stall) => {}
            Some(
                RestEffect::Truncate(_) | RestEffect::CutBody(_) | RestEffect::Gzip | RestEffect::HangUp,
            )
            | None => self.serve(id, &call),
        }
    }

    /// The exchange acts on a call; what becomes of the answer.
    fn serve(&mut self, id: LineId, call: &Call) {
        let Some(exchange) = self.lines.get(&id).map(|line| line.exchange) else { return };
        let call = HttpCall {
            method: call.method,
            path: &call.path,
            query: &call.query,
            headers: &call.headers,
            body: &call.body,
            peer: PEER,
        };
        let mut answer = self.host.http(exchange, &call);
        let effect = self.host.rest_fault(exchange, Moment::After, call.method, call.path);
        match effect {
            Some(RestEffect::Late(by)) => {
                let Some(at) = self.arrives_at(id, BACK) else { return };
                return self.post.send(at + by, Parcel::Arrival(id, Arrival::Answer(answer)));
            }
            Some(RestEffect::Answer(canned)) => answer = canned_answer(canned),
            Some(RestEffect::Truncate(at)) => answer.body.truncate(at),
            Some(RestEffect::Gzip) => answer.headers.push(("content-encoding", "gzip".to_owned())),
            // The client hears of a body that does not end by its connection ending.
            Some(RestEffect::Close | RestEffect::CutBody(_)) => return self.leave(id, false),
            Some(RestEffect::Reset) => return self.cut(id),
            Some(RestEffect::Stall) => return,
            Some(RestEffect::HangUp) => {
                self.send_back(id, Arrival::Answer(answer));
                return self.leave(id, false);
            }
            None => {}
        }
        self.send_back(id, Arrival::Answer(answer));
    }

    /// The exchange's end of a connection closes; what it sent before arrives, unless it never stood.
    fn leave(&mut self, id: LineId, refused: bool) {
        let Some(line) = self.lines.get_mut(&id) else { return };
        line.exchange_left = true;
        line.queue = None;
        let exchange = line.exchange;
        if !refused {
            self.host.disconnected(exchange, ConnId(id.0));
        }
        self.send_back(id, Arrival::Lost);
    }

    /// A connection breaks: what is on the way is lost.
    pub(super) fn cut(&mut self, id: LineId) {
        let Some(line) = self.lines.get_mut(&id) else { return };
        line.is_broken = true;
        if line.exchange_left {
            return;
        }
        self.leave(id, false);
    }

    /// All connections of an exchange break.
    pub(super) fn cut_all(&mut self, exchange: SimExchange) {
        let of_exchange = self.lines.iter().filter(|(_, line)| line.exchange == exchange && line.is_entered);
        let ids: Vec<LineId> = of_exchange.map(|(id, _)| *id).collect();
        ids.into_iter().for_each(|id| self.cut(id));
    }

    /// What the exchanges queued is on its way now, of the oldest connection first.
    pub(super) fn pump(&mut self) {
        let mut stirred = std::mem::take(&mut self.stirred);
        self.host.take_stirred(&mut stirred);
        stirred.sort_unstable();
        stirred.dedup();
        for ConnId(number) in stirred.drain(..) {
            let id = LineId(number);
            if !self.lines.get(&id).is_some_and(super::line::Line::has_news) {
                continue;
            }
            while let Some(next) = self.lines.get_mut(&id).and_then(super::line::Line::next_queued) {
                match next {
                    Ok(item) => {
                        let arrival = arrival(item);
                        let closes = arrival == Arrival::Closed;
                        self.send_back(id, arrival);
                        if closes {
                            self.leave(id, false);
                        }
                    }
                    Err(()) => self.cut(id),
                }
            }
            if self.lines.get(&id).is_some_and(|line| line.is_cut.load(Ordering::Relaxed)) {
                self.cut(id);
            }
        }
        self.stirred = stirred;
    }
}

impl super::line::Line {
    /// Whether the exchange queued something or cut it.
    fn has_news(&self) -> bool {
        let queued = self.queue.as_ref().is_some_and(|queue| !queue.is_empty() || queue.is_closed());
        !self.exchange_left && (queued || self.is_cut.load(Ordering::Relaxed))
    }

    /// The next thing queued; an error when the exchange ended the connection.
    fn next_queued(&mut self) -> Option<Result<Queued, ()>> {
        match self.queue.as_mut()?.try_recv() {
            Ok(item) => Some(Ok(item)),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Err(())),
        }
    }
}

fn arrival(item: Queued) -> Arrival {
    match item {
        Queued::Frame(Frame::Text(text)) => Arrival::Text(Bytes::from(text)),
        Queued::Frame(Frame::Shared(text)) => Arrival::Text(Bytes::copy_from_slice(text.as_bytes())),
        Queued::Frame(Frame::Binary(bytes)) => Arrival::Binary(bytes),
        Queued::Frame(Frame::Ping) => Arrival::Ping,
        Queued::Frame(Frame::Close) => Arrival::Closed,
        Queued::RawText(bytes) => Arrival::Text(bytes),
        Queued::Pong(_) => Arrival::Pong,
    }
}

/// The answer's headers as a client's codec takes them.
impl HttpAnswer {
    /// Names (lower case) and values.
    #[must_use]
    pub fn header_list(&self) -> Vec<(&str, &[u8])> {
        self.headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect()
    }
}
