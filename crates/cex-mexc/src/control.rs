//! What keeps a connection: subscriptions with their acknowledgements and refusals, pings, silence.
//!
//! A [`Session`] belongs to one connection from the moment it stands. Links feed it text messages and wake-ups; it
//! says when the connection has to go.

use crate::wire::ControlMessage;
use cex_core::{LinkEvent, StreamKind, SymbolId, Timers, Timestamp};
use cex_errors::ErrorKind;
use cex_interface::{CloseReason, Outbox};
use std::time::Duration;

/// How often we ask whether the other side is there (MEXC-WS-11).
pub(crate) const PING_EVERY: Duration = Duration::from_secs(15);

/// Without any frame for this long the connection is dead.
pub(crate) const LONGEST_SILENCE: Duration = Duration::from_secs(30);

/// Pings that may stay unanswered.
const MISSED_PONGS: u32 = 2;

/// How long a subscription may stay unacknowledged.
pub(crate) const ACK_WITHIN: Duration = Duration::from_secs(10);

/// Size of a subscribe message, which the exchange wants below 1024 bytes (MEXC-WS-03).
const LONGEST_MESSAGE: usize = 1_000;

/// A channel of a connection.
#[derive(Debug, Clone)]
pub(crate) struct Channel {
    /// Its name on the wire.
    pub(crate) name: String,
    /// Of what; `None` for account channels.
    pub(crate) symbol: Option<SymbolId>,
    /// What it carries.
    pub(crate) stream: StreamKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Asked for in the subscribe message with this number.
    Asked(u32),
    /// Its data came before its acknowledgement, which is legal (MEXC-WS-04).
    Fed,
    Confirmed,
    Refused,
}

/// What the connection is worth without some of its channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    /// Every channel that works is worth keeping.
    Any,
    /// All or nothing.
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deadline {
    Ping,
    Silence,
    Ack,
}

/// The subscriptions and the pulse of a connection.
#[derive(Debug)]
pub(crate) struct Session {
    channels: Vec<Channel>,
    states: Vec<State>,
    needs: Needs,
    timers: Timers<Deadline>,
    last_heard: Timestamp,
    unanswered: u32,
    /// Acknowledgements may still come.
    waiting: bool,
}

impl Session {
    pub(crate) fn new(channels: Vec<Channel>, needs: Needs) -> Self {
        let states = vec![State::Asked(0); channels.len()];
        let (timers, last_heard) = (Timers::new(), Timestamp::EPOCH);
        Self { channels, states, needs, timers, last_heard, unanswered: 0, waiting: false }
    }

    /// The connection stands: subscribe, and start to listen for its pulse.
    pub(crate) fn open(&mut self, now: Timestamp, out: &mut Outbox) {
        self.unanswered = 0;
        self.waiting = true;
        self.last_heard = now;
        self.timers.set(Deadline::Ping, now + PING_EVERY);
        self.timers.set(Deadline::Silence, now + LONGEST_SILENCE);
        self.timers.set(Deadline::Ack, now + ACK_WITHIN);
        self.subscribe(out);
    }

    /// The connection is gone, or has to go.
    pub(crate) fn close(&mut self) {
        self.timers.clear_all();
    }

    pub(crate) fn wakeup_at(&self) -> Option<Timestamp> {
        self.timers.next_at()
    }

    /// Any frame came.
    #[inline]
    pub(crate) fn heard(&mut self, now: Timestamp) {
        self.last_heard = now;
    }

    /// Data of a public channel came.
    #[inline]
    pub(crate) fn fed(&mut self, symbol: SymbolId, stream: StreamKind) {
        if self.waiting {
            self.mark_fed(symbol, stream);
        }
    }

    #[cold]
    fn mark_fed(&mut self, symbol: SymbolId, stream: StreamKind) {
        for (channel, state) in self.channels.iter().zip(&mut self.states) {
            if channel.symbol == Some(symbol) && channel.stream == stream && matches!(state, State::Asked(_))
            {
                *state = State::Fed;
            }
        }
    }

    /// Whether every channel was acknowledged.
    pub(crate) fn all_confirmed(&self) -> bool {
        self.states.iter().all(|state| *state == State::Confirmed)
    }

    /// Subscribe messages of a bounded size, each with a number that refusals can be traced by.
    fn subscribe(&mut self, out: &mut Outbox) {
        let mut message = String::new();
        let mut number = 0;
        for (channel, state) in self.channels.iter().zip(&mut self.states) {
            if !message.is_empty() && message.len() + channel.name.len() + 5 > LONGEST_MESSAGE {
                message.push_str("]}");
                out.send_text(std::mem::take(&mut message));
            }
            if message.is_empty() {
                number += 1;
                message.push_str(r#"{"method":"SUBSCRIPTION","id":"#);
                message.push_str(itoa::Buffer::new().format(number));
                message.push_str(r#","params":["#);
            } else {
                message.push(',');
            }
            message.push('"');
            message.push_str(&channel.name);
            message.push('"');
            *state = State::Asked(number);
        }
        if !message.is_empty() {
            message.push_str("]}");
            out.send_text(message);
        }
    }

    /// Deadlines that have come. Some reason means that the connection has to go.
    pub(crate) fn wake(&mut self, now: Timestamp, out: &mut Outbox) -> Option<CloseReason> {
        while let Some(due) = self.timers.take_due(now) {
            let verdict = match due {
                Deadline::Ping => self.ping(now, out),
                // The deadline is moved only when it comes, so that frames need not touch the table.
                Deadline::Silence => {
                    let silent_at = self.last_heard + LONGEST_SILENCE;
                    self.timers.set(Deadline::Silence, silent_at);
                    (now >= silent_at).then_some(CloseReason::Silent)
                }
                Deadline::Ack => self.give_up_waiting(out),
            };
            if verdict.is_some() {
                return verdict;
            }
        }
        None
    }

    fn ping(&mut self, now: Timestamp, out: &mut Outbox) -> Option<CloseReason> {
        if self.unanswered >= MISSED_PONGS {
            return Some(CloseReason::Silent);
        }
        self.unanswered += 1;
        self.timers.set(Deadline::Ping, now + PING_EVERY);
        out.send_text(r#"{"method":"PING"}"#);
        None
    }

    /// Subscriptions nobody answered count as refused. Without a single answer the connection is worth nothing.
    fn give_up_waiting(&mut self, out: &mut Outbox) -> Option<CloseReason> {
        self.waiting = false;
        let unheard = self.states.iter().all(|state| matches!(state, State::Asked(_)));
        let waiting = self.states.iter().any(|state| matches!(state, State::Asked(_)));
        if waiting && (unheard || self.needs == Needs::All) {
            return Some(CloseReason::Refused);
        }
        self.refuse(out, |state, _| matches!(state, State::Asked(_)));
        None
    }

    /// A text message. Some reason means that the connection has to go.
    pub(crate) fn text(&mut self, text: &[u8], out: &mut Outbox) -> Result<Option<CloseReason>, ErrorKind> {
        // A bad listen key is answered in plain text, not JSON (MEXC-ACCOUNT-03).
        if text.trim_ascii() == b"Invalid listen key" {
            return Ok(Some(CloseReason::KeyExpired));
        }
        let Ok(message) = sonic_rs::from_slice::<ControlMessage<'_>>(text) else {
            return Err(ErrorKind::Undecodable("text message"));
        };
        let Some(words) = message.msg.text() else { return Err(ErrorKind::Undecodable("control message")) };
        if words == "PONG" {
            self.unanswered = 0;
            return Ok(None);
        }
        match Answer::read(words) {
            Answer::Accepted(list) if message.code.integer().unwrap_or(0) == 0 => {
                if !self.confirm(list, out) {
                    return Err(ErrorKind::Undecodable("control message"));
                }
                Ok(None)
            }
            Answer::Accepted(_) => {
                let number = message.id.integer();
                self.refuse(out, |state, _| asked_in(state, number));
                Ok(self.after_refusal())
            }
            Answer::Refused { accepted, refused } => {
                self.confirm(accepted, out);
                let number = message.id.integer();
                if refused.is_empty() {
                    // Malformed names are refused without being named.
                    self.refuse(out, |state, _| asked_in(state, number));
                } else {
                    self.refuse(out, |_, name| names(refused).any(|refused| refused == name));
                }
                Ok(self.after_refusal())
            }
        }
    }

    fn after_refusal(&self) -> Option<CloseReason> {
        (self.needs == Needs::All).then_some(CloseReason::Refused)
    }

    /// Marks the channels of `list`; false when none of them is ours.
    fn confirm(&mut self, list: &str, out: &mut Outbox) -> bool {
        let mut any = false;
        for name in names(list) {
            for (channel, state) in self.channels.iter().zip(&mut self.states) {
                if channel.name == name {
                    any = true;
                    if *state != State::Confirmed {
                        *state = State::Confirmed;
                        out.link
                            .push(LinkEvent::Subscribed { symbol: channel.symbol, stream: channel.stream });
                    }
                }
            }
        }
        any
    }

    fn refuse(&mut self, out: &mut Outbox, is_meant: impl Fn(State, &str) -> bool) {
        for (channel, state) in self.channels.iter().zip(&mut self.states) {
            if *state != State::Refused && is_meant(*state, &channel.name) {
                *state = State::Refused;
                out.link.push(LinkEvent::Refused { symbol: channel.symbol, stream: channel.stream });
            }
        }
    }
}

/// Whether a channel still waits for the answer with this number; an answer without a usable one is about all.
fn asked_in(state: State, number: Option<i64>) -> bool {
    match (state, number) {
        (State::Asked(asked), Some(number)) if number > 0 => i64::from(asked) == number,
        (State::Asked(_), _) => true,
        (State::Fed | State::Confirmed | State::Refused, _) => false,
    }
}

/// The words of an acknowledgement. A refusal has `code` 0 like everything else: only its words tell (MEXC-WS-04).
#[derive(Debug, PartialEq, Eq)]
enum Answer<'m> {
    /// Channels joined by commas, in any order.
    Accepted(&'m str),
    /// Some were refused: `Subscribed successful! [A]. Not Subscribed successfully! [B].  Reason： Blocked! `.
    Refused { accepted: &'m str, refused: &'m str },
}

impl<'m> Answer<'m> {
    fn read(words: &'m str) -> Self {
        const REFUSED: &str = "Not Subscribed successfully!";
        const ACCEPTED: &str = "Subscribed successful!";
        match words.split_once(REFUSED) {
            Some((before, after)) => {
                let accepted = before.split_once(ACCEPTED).map_or("", |(_, after)| bracketed(after));
                Self::Refused { accepted, refused: bracketed(after) }
            }
            None if words.contains("Blocked!") => Self::Refused { accepted: "", refused: "" },
            None => Self::Accepted(words.split_once(ACCEPTED).map_or(words, |(_, after)| bracketed(after))),
        }
    }
}

/// What stands in the first brackets.
fn bracketed(text: &str) -> &str {
    text.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map_or("", |(inside, _)| inside)
}

fn names(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests;
