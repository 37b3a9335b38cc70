//! The subscriptions of one connection: which share a request, and what the exchange said of each.

use super::decode::interval_name;
use crate::config::Streams;
use crate::session::{ANSWER_WITHIN, Answer, Session};
use crate::wire::part;
use cex_core::{LinkEvent, Markets, StreamKind, SymbolId, Timestamp};
use cex_interface::{Outbox, Subscription};
use std::time::Duration;

/// Pairs in one request (GATEIO-WS-23): few enough that a refused one is soon found.
const PAIRS_PER_REQUEST: usize = 100;
/// Requests sent before a connection that does not answer is given up.
const ATTEMPTS: u8 = 3;
/// How long to leave an exchange alone that says it cannot.
const PAUSE: Duration = Duration::from_secs(2);

/// What an answer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Accepted,
    Refused,
    /// The exchange cannot just now.
    Later,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Not asked for on this connection.
    Unsent,
    /// Asked for.
    Asked { id: i32, due: Timestamp },
    /// To be asked for again.
    Resting { due: Timestamp },
    /// Ended by us, to be asked for again once the exchange has confirmed the end.
    Leaving { id: i32, due: Timestamp },
    /// To be ended again: the exchange could not just now.
    Staying { due: Timestamp },
    /// Confirmed.
    Live,
    /// Refused for good.
    Refused,
}

/// Subscriptions that stand in one request.
#[derive(Debug)]
struct Group {
    stream: StreamKind,
    symbols: Vec<SymbolId>,
    /// What stands in the request's payload, in the order of `symbols` for streams that take many.
    payload: Vec<String>,
    state: State,
    attempts: u8,
}

/// All of a connection's subscriptions.
#[derive(Debug)]
pub(super) struct Groups {
    streams: Streams,
    groups: Vec<Group>,
}

/// The exchange's name of a stream, where it has one.
fn channel_of(stream: StreamKind, streams: Streams) -> Option<&'static str> {
    match stream {
        StreamKind::Book => Some(streams.book.channel()),
        StreamKind::TopLevels(_) => Some("spot.order_book"),
        StreamKind::BookTicker => Some("spot.book_ticker"),
        StreamKind::Trades => Some("spot.trades"),
        StreamKind::Ticker => Some("spot.tickers"),
        StreamKind::Klines(_) => Some("spot.candlesticks"),
        // The account has a link of its own.
        StreamKind::Account => None,
    }
}

/// What stands in the payload of a request for one pair's stream (GATEIO-WS-26, GATEIO-WS-27).
fn payload_of(stream: StreamKind, streams: Streams, native: &str) -> Vec<String> {
    match stream {
        StreamKind::Book => streams.book.payload(native),
        StreamKind::TopLevels(depth) => {
            vec![native.to_owned(), depth.to_string(), streams.top_levels.name().to_owned()]
        }
        StreamKind::Klines(interval) => {
            vec![interval_name(interval).to_owned(), native.to_owned()]
        }
        StreamKind::BookTicker | StreamKind::Trades | StreamKind::Ticker | StreamKind::Account => {
            vec![native.to_owned()]
        }
    }
}

/// Whether a request for this stream names one pair only.
const fn is_alone(stream: StreamKind) -> bool {
    matches!(stream, StreamKind::Book | StreamKind::TopLevels(_) | StreamKind::Klines(_))
}

impl Groups {
    /// Groups of these wishes: one request for each where the exchange takes one pair at a time, shared ones for
    /// everything else.
    pub(super) fn new(streams: Streams, markets: &Markets, wanted: &[Subscription]) -> Self {
        let mut groups: Vec<Group> = Vec::new();
        for Subscription { symbol, stream } in wanted {
            let Some(market) = markets.get(*symbol) else { continue };
            let shared = groups.iter_mut().rfind(|group| {
                group.stream == *stream && !is_alone(*stream) && group.symbols.len() < PAIRS_PER_REQUEST
            });
            if let Some(group) = shared {
                group.symbols.push(*symbol);
                group.payload.push(market.native().to_owned());
                continue;
            }
            let payload = payload_of(*stream, streams, market.native());
            groups.push(Group {
                stream: *stream,
                symbols: vec![*symbol],
                payload,
                state: State::Unsent,
                attempts: 0,
            });
        }
        Self { streams, groups }
    }

    /// The connection is gone and everything on it.
    pub(super) fn forget(&mut self) {
        for group in &mut self.groups {
            group.state = State::Unsent;
            group.attempts = 0;
        }
    }

    pub(super) fn subscribe_all(&mut self, now: Timestamp, session: &mut Session, out: &mut Outbox) {
        for group in &mut self.groups {
            group.subscribe(self.streams, now, session, out);
        }
    }

    /// When the first unanswered request becomes overdue.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.groups.iter().filter_map(|group| group.state.due()).min()
    }

    /// Repeats what is overdue; whether one was repeated often enough.
    pub(super) fn overdue(&mut self, now: Timestamp, session: &mut Session, out: &mut Outbox) -> bool {
        for group in &mut self.groups {
            if group.state.due().is_none_or(|due| due > now) {
                continue;
            }
            if group.attempts >= ATTEMPTS {
                return true;
            }
            match group.state {
                // A second subscription of the same `spot.obu` stream would be refused if the first one
                // stands.
                State::Asked { .. } | State::Leaving { .. } if group.is_exclusive(self.streams) => {
                    group.unsubscribe(self.streams, now, session, out);
                }
                State::Staying { .. } => group.unsubscribe(self.streams, now, session, out),
                State::Asked { .. } | State::Leaving { .. } | State::Resting { .. } => {
                    group.subscribe(self.streams, now, session, out);
                }
                State::Unsent | State::Live | State::Refused => {}
            }
        }
        false
    }

    /// Takes in an answer. Answers to requests nobody remembers are ignored: recordings have them.
    pub(super) fn answered(
        &mut self,
        now: Timestamp,
        answer: &Answer<'_>,
        verdict: Verdict,
        session: &mut Session,
        out: &mut Outbox,
    ) {
        let Some(index) = self.find(answer) else { return };
        let group = &mut self.groups[index];
        if let State::Leaving { .. } = group.state {
            // Whether it was subscribed at all does not matter any more. One that may still stand does where a second
            // one would be refused (GATEIO-WS-15).
            if verdict == Verdict::Later && group.is_exclusive(self.streams) && group.attempts < ATTEMPTS {
                group.state = State::Staying { due: now + PAUSE };
            } else {
                group.subscribe(self.streams, now, session, out);
            }
            return;
        }
        match verdict {
            Verdict::Accepted => group.accepted(out),
            Verdict::Later if group.attempts < ATTEMPTS => group.state = State::Resting { due: now + PAUSE },
            Verdict::Later | Verdict::Refused if group.symbols.len() > 1 => {
                // One bad name fails the whole request (GATEIO-SYM-01), so each half is tried by itself.
                let half = group.split();
                group.subscribe(self.streams, now, session, out);
                self.groups.push(half);
                if let Some(half) = self.groups.last_mut() {
                    half.subscribe(self.streams, now, session, out);
                }
            }
            Verdict::Later | Verdict::Refused => group.refused(out),
        }
    }

    /// The group an answer is about: by the request's number, else by channel and payload, else the oldest of
    /// the channel; old answers carry the channel only.
    fn find(&self, answer: &Answer<'_>) -> Option<usize> {
        if let Some(id) = answer.id() {
            return self.groups.iter().position(|group| group.state.id() == Some(id));
        }
        let payload = answer.payload.as_ref().and_then(|payload| part::<Vec<String>>(payload).ok());
        self.groups.iter().position(|group| {
            let waiting = match group.state {
                State::Asked { .. } => answer.is_subscribe,
                State::Leaving { .. } => !answer.is_subscribe,
                State::Unsent
                | State::Resting { .. }
                | State::Staying { .. }
                | State::Live
                | State::Refused => false,
            };
            waiting
                && channel_of(group.stream, self.streams) == Some(answer.channel.as_str())
                && payload.as_ref().is_none_or(|payload| *payload == group.payload)
        })
    }

    /// Begins a book anew: ends its subscription, waits for the exchange to confirm that, subscribes again. Where the
    /// stream sends the first state nothing else brings it (GATEIO-WS-15); where the first state comes over REST the
    /// exchange would let us subscribe twice (GATEIO-WS-25), but a stream that went quiet is hardly mended by that.
    pub(super) fn resubscribe(
        &mut self,
        now: Timestamp,
        symbol: SymbolId,
        session: &mut Session,
        out: &mut Outbox,
    ) {
        let streams = self.streams;
        let book = self.groups.iter_mut().find(|group| group.is_book() && group.symbols.contains(&symbol));
        let Some(group) = book else { return };
        match group.state {
            State::Live => {
                group.attempts = 0;
                group.unsubscribe(streams, now, session, out);
            }
            // It may be refused because it stands: nothing else tells of that, and as long as it does every further
            // request is refused as well.
            State::Refused if group.is_exclusive(streams) => {
                group.attempts = 0;
                group.unsubscribe(streams, now, session, out);
            }
            State::Unsent | State::Refused => {
                group.attempts = 0;
                group.subscribe(streams, now, session, out);
            }
            // Under way: what is answered, or not, ends it.
            State::Asked { .. } | State::Resting { .. } | State::Leaving { .. } | State::Staying { .. } => {}
        }
    }
}

impl State {
    const fn id(self) -> Option<i32> {
        match self {
            Self::Asked { id, .. } | Self::Leaving { id, .. } => Some(id),
            Self::Unsent | Self::Resting { .. } | Self::Staying { .. } | Self::Live | Self::Refused => None,
        }
    }

    const fn due(self) -> Option<Timestamp> {
        match self {
            Self::Asked { due, .. }
            | Self::Leaving { due, .. }
            | Self::Resting { due }
            | Self::Staying { due } => Some(due),
            Self::Unsent | Self::Live | Self::Refused => None,
        }
    }
}

impl Group {
    fn is_book(&self) -> bool {
        self.stream == StreamKind::Book
    }

    /// Whether the exchange refuses it while it stands (GATEIO-WS-15).
    fn is_exclusive(&self, streams: Streams) -> bool {
        self.is_book() && streams.book.is_obu()
    }

    fn subscribe(&mut self, streams: Streams, now: Timestamp, session: &mut Session, out: &mut Outbox) {
        let id = self.send("subscribe", streams, now, session, out);
        self.state = State::Asked { id, due: now + ANSWER_WITHIN };
    }

    fn unsubscribe(&mut self, streams: Streams, now: Timestamp, session: &mut Session, out: &mut Outbox) {
        let id = self.send("unsubscribe", streams, now, session, out);
        self.state = State::Leaving { id, due: now + ANSWER_WITHIN };
    }

    fn send(
        &mut self,
        event: &str,
        streams: Streams,
        now: Timestamp,
        session: &mut Session,
        out: &mut Outbox,
    ) -> i32 {
        let id = session.next_id();
        self.attempts = self.attempts.saturating_add(1);
        // Only streams with a channel get into a group.
        let channel = channel_of(self.stream, streams).unwrap_or_default();
        let payload = sonic_rs::to_string(&self.payload).unwrap_or_default();
        out.send_text(format!(
            "{{\"time\":{},\"id\":{id},\"channel\":\"{channel}\",\"event\":\"{event}\",\"payload\":{payload}}}",
            now.as_secs()
        ));
        id
    }

    fn accepted(&mut self, out: &mut Outbox) {
        self.state = State::Live;
        self.attempts = 0;
        let stream = self.stream;
        out.link.extend(
            self.symbols.iter().map(|symbol| LinkEvent::Subscribed { symbol: Some(*symbol), stream }),
        );
    }

    fn refused(&mut self, out: &mut Outbox) {
        self.state = State::Refused;
        let stream = self.stream;
        out.link
            .extend(self.symbols.iter().map(|symbol| LinkEvent::Refused { symbol: Some(*symbol), stream }));
    }

    /// Keeps the first half and gives the second. Only groups whose payload is a list of pairs have halves.
    fn split(&mut self) -> Self {
        self.attempts = 0;
        let middle = self.symbols.len() / 2;
        Self {
            stream: self.stream,
            symbols: self.symbols.split_off(middle),
            payload: self.payload.split_off(middle),
            state: State::Unsent,
            attempts: 0,
        }
    }
}
