//! What keeps a connection: subscriptions with their acknowledgements and refusals, pings, silence.
//!
//! A [`Session`] belongs to one connection from the moment it stands. Links feed it text messages and wake-ups; it
//! says when the connection has to go.

use crate::wire::{ControlMessage, parse};
use cex_core::{LinkEvent, StreamKind, SymbolId, Timers, Timestamp};
use cex_errors::ErrorKind;
use cex_interface::{CloseReason, Outbox, Pace};
use std::time::Duration;

/// How often we ask whether the other side is there (MEXC-WS-11).
pub(crate) const PING_EVERY: Duration = Duration::from_secs(15);

/// Without any frame for this long the connection is dead.
pub(crate) const LONGEST_SILENCE: Duration = Duration::from_secs(30);

/// Pings that may stay unanswered.
const MISSED_PONGS: u32 = 2;

/// How long a subscription may stay unacknowledged.
pub(crate) const ACK_WITHIN: Duration = Duration::from_secs(10);

/// Messages the exchange takes on a connection in a second (MEXC-WS-03).
pub(crate) const MESSAGES_PER_SECOND: u32 = 100;

/// Size of a subscribe message, which the exchange wants below 1024 bytes (MEXC-WS-03).
const LONGEST_MESSAGE: usize = 1_000;

/// A channel of a connection.
#[derive(Debug, Clone)]
pub(crate) struct Channel {
    /// Its name on the wire.
    pub(crate) name: String,
    /// Symbols it carries: none for account channels, many for the one channel that carries all tickers.
    pub(crate) symbols: Vec<SymbolId>,
    /// Kind of data it carries.
    pub(crate) stream: StreamKind,
}

impl Channel {
    /// What became of it, told of each of its symbols.
    fn tell(&self, out: &mut Outbox, news: impl Fn(Option<SymbolId>, StreamKind) -> LinkEvent) {
        match &self.symbols[..] {
            [] => out.link.push(news(None, self.stream)),
            symbols => out.link.extend(symbols.iter().map(|symbol| news(Some(*symbol), self.stream))),
        }
    }

    fn confirmed(&self, out: &mut Outbox) {
        self.tell(out, |symbol, stream| LinkEvent::Subscribed { symbol, stream });
    }

    fn refused(&self, out: &mut Outbox) {
        self.tell(out, |symbol, stream| LinkEvent::Refused { symbol, stream });
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// To be asked for.
    Unsent,
    /// Asked for in the message with this number, to be answered by then.
    Asked {
        number: u32,
        due: Timestamp,
    },
    /// Its data came before its acknowledgement, which is legal (MEXC-WS-04).
    Fed {
        due: Timestamp,
    },
    Confirmed,
    Refused,
    /// Its end is to be asked for.
    Ending,
    /// Its end was asked for in the message with this number; what comes next is to ask for it anew.
    Leaving {
        number: u32,
        due: Timestamp,
    },
}

impl State {
    /// When an answer is no longer waited for.
    const fn due(self) -> Option<Timestamp> {
        match self {
            Self::Asked { due, .. } | Self::Fed { due } | Self::Leaving { due, .. } => Some(due),
            Self::Unsent | Self::Confirmed | Self::Refused | Self::Ending => None,
        }
    }

    const fn is_asked(self) -> bool {
        matches!(self, Self::Asked { .. })
    }
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
    /// What had to wait for the sake of the message rate may be sent.
    Pace,
}

/// The subscriptions and the pulse of a connection.
#[derive(Debug)]
pub(crate) struct Session {
    channels: Vec<Channel>,
    states: Vec<State>,
    needs: Needs,
    timers: Timers<Deadline>,
    pace: Pace,
    last_heard: Timestamp,
    unanswered: u32,
    /// Number of the last message that wants an answer.
    last_number: u32,
    /// Something was asked for and neither acknowledged nor fed.
    waiting: bool,
}

impl Session {
    pub(crate) fn new(channels: Vec<Channel>, needs: Needs) -> Self {
        let states = vec![State::Unsent; channels.len()];
        let (timers, last_heard) = (Timers::new(), Timestamp::EPOCH);
        let pace = Pace::new(MESSAGES_PER_SECOND);
        Self {
            channels,
            states,
            needs,
            timers,
            pace,
            last_heard,
            unanswered: 0,
            last_number: 0,
            waiting: false,
        }
    }

    /// The connection stands: subscribe, and start to listen for its pulse.
    pub(crate) fn open(&mut self, now: Timestamp, out: &mut Outbox) {
        self.unanswered = 0;
        self.last_number = 0;
        self.last_heard = now;
        self.timers.set(Deadline::Ping, now + PING_EVERY);
        self.timers.set(Deadline::Silence, now + LONGEST_SILENCE);
        self.pace = Pace::new(MESSAGES_PER_SECOND);
        self.states.fill(State::Unsent);
        self.send_due(now, out);
    }

    /// Begins a book anew: ends its subscription, waits until that is confirmed, subscribes again. To the exchange that
    /// is as good as a new connection (MEXC-WS-13), and it costs the other books nothing.
    pub(crate) fn resubscribe(&mut self, now: Timestamp, symbol: SymbolId, out: &mut Outbox) {
        let is_its_book =
            |channel: &Channel| channel.stream == StreamKind::Book && channel.symbols.contains(&symbol);
        let Some(index) = self.channels.iter().position(is_its_book) else { return };
        match self.states[index] {
            State::Confirmed | State::Fed { .. } => self.states[index] = State::Ending,
            State::Refused => self.states[index] = State::Unsent,
            // Under way.
            State::Unsent | State::Asked { .. } | State::Ending | State::Leaving { .. } => return,
        }
        self.send_due(now, out);
    }

    /// Sends what is to be sent, as far as the message rate allows; the rest follows when it does (MEXC-WS-03).
    fn send_due(&mut self, now: Timestamp, out: &mut Outbox) {
        self.unsubscribe(now, out);
        self.subscribe(now, out);
        self.watch();
    }

    /// Whether one more message may be sent; if not, what is left is looked at again when it may.
    fn may_send(&mut self, now: Timestamp) -> bool {
        let may = self.pace.take(now);
        if !may {
            self.timers.set(Deadline::Pace, self.pace.free_at());
        }
        may
    }

    fn unsubscribe(&mut self, now: Timestamp, out: &mut Outbox) {
        for index in 0..self.channels.len() {
            if self.states[index] != State::Ending {
                continue;
            }
            if !self.may_send(now) {
                return;
            }
            self.last_number += 1;
            let (number, name) = (self.last_number, &self.channels[index].name);
            out.send_text(format!(r#"{{"method":"UNSUBSCRIPTION","id":{number},"params":["{name}"]}}"#));
            self.states[index] = State::Leaving { number, due: now + ACK_WITHIN };
        }
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
            if let State::Asked { due, .. } = *state
                && channel.stream == stream
                && channel.symbols.contains(&symbol)
            {
                *state = State::Fed { due };
            }
        }
        self.watch();
    }

    /// Whether every channel was acknowledged.
    pub(crate) fn all_confirmed(&self) -> bool {
        self.states.iter().all(|state| *state == State::Confirmed)
    }

    /// Looks again at what is still to be answered, and by when.
    fn watch(&mut self) {
        self.waiting = self.states.iter().any(|state| state.is_asked());
        match self.states.iter().filter_map(|state| state.due()).min() {
            Some(due) => self.timers.set(Deadline::Ack, due),
            None => self.timers.clear(Deadline::Ack),
        }
    }

    /// Asks for what is to be asked for, in messages of a bounded size, each with a number that its answer can be told
    /// by.
    fn subscribe(&mut self, now: Timestamp, out: &mut Outbox) {
        let due = now + ACK_WITHIN;
        let mut message = String::new();
        for index in 0..self.channels.len() {
            if self.states[index] != State::Unsent {
                continue;
            }
            let length = self.channels[index].name.len();
            if !message.is_empty() && message.len() + length + 5 > LONGEST_MESSAGE {
                message.push_str("]}");
                out.send_text(std::mem::take(&mut message));
            }
            if message.is_empty() {
                if !self.may_send(now) {
                    return;
                }
                self.last_number += 1;
                message.push_str(r#"{"method":"SUBSCRIPTION","id":"#);
                message.push_str(itoa::Buffer::new().format(self.last_number));
                message.push_str(r#","params":["#);
            } else {
                message.push(',');
            }
            message.push('"');
            message.push_str(&self.channels[index].name);
            message.push('"');
            self.states[index] = State::Asked { number: self.last_number, due };
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
                Deadline::Ack => self.give_up_waiting(now, out),
                Deadline::Pace => {
                    self.send_due(now, out);
                    None
                }
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
        // Counted like any other; one too many is less bad than a connection taken for dead.
        let _counted = self.pace.take(now);
        out.send_text(r#"{"method":"PING"}"#);
        None
    }

    /// Subscriptions nobody answered count as refused, unless their data tells that they stand. Without a single answer
    /// the connection is worth nothing.
    fn give_up_waiting(&mut self, now: Timestamp, out: &mut Outbox) -> Option<CloseReason> {
        let is_due = |state: State| state.due().is_some_and(|due| due <= now);
        let unanswered = self.states.iter().any(|state| state.is_asked() && is_due(*state));
        let unheard = self.states.iter().all(|state| state.is_asked());
        if unanswered && (unheard || self.needs == Needs::All) {
            return Some(CloseReason::Refused);
        }
        for (channel, state) in
            self.channels.iter().zip(&mut self.states).filter(|(_, state)| is_due(**state))
        {
            *state = match state {
                State::Fed { .. } => {
                    channel.confirmed(out);
                    State::Confirmed
                }
                // The exchange may have heard us all the same. If it did not, it may refuse what stands, which is an
                // end as well.
                State::Leaving { .. } => State::Unsent,
                State::Asked { .. } | State::Unsent | State::Confirmed | State::Refused | State::Ending => {
                    channel.refused(out);
                    State::Refused
                }
            };
        }
        self.send_due(now, out);
        None
    }

    /// A text message. Some reason means that the connection has to go.
    pub(crate) fn text(
        &mut self,
        now: Timestamp,
        text: &[u8],
        out: &mut Outbox,
    ) -> Result<Option<CloseReason>, ErrorKind> {
        // A bad listen key is answered in plain text, not JSON (MEXC-ACCOUNT-03).
        if text.trim_ascii() == b"Invalid listen key" {
            return Ok(Some(CloseReason::KeyExpired));
        }
        let Some(message) = parse::<ControlMessage<'_>>(text) else {
            return Err(ErrorKind::Undecodable("text message"));
        };
        let Some(words) = message.msg.text() else { return Err(ErrorKind::Undecodable("control message")) };
        if words == "PONG" {
            self.unanswered = 0;
            return Ok(None);
        }
        // Without a number of ours it answers anything, also in words.
        let number = message.id.integer().filter(|number| *number > 0);
        if self.has_ended(number) {
            self.send_due(now, out);
            return Ok(None);
        }
        let verdict = match Answer::read(words) {
            Answer::Accepted(list) if message.code.integer().unwrap_or(0) == 0 => {
                if !self.confirm(list, number, out) {
                    return Err(ErrorKind::Undecodable("control message"));
                }
                None
            }
            Answer::Accepted(_) => {
                self.refuse(out, |state, _| asked_in(state, number));
                self.after_refusal()
            }
            Answer::Refused { accepted, refused } => {
                self.confirm(accepted, number, out);
                if refused.is_empty() {
                    // Malformed names are refused without being named.
                    self.refuse(out, |state, _| asked_in(state, number));
                } else {
                    self.refuse(out, |_, name| names(refused).any(|refused| refused == name));
                }
                self.after_refusal()
            }
        };
        self.send_due(now, out);
        Ok(verdict)
    }

    /// Takes in the answer to the end of a subscription, whatever its words: what counts is that it was dealt with. Its
    /// words are those of any acknowledgement, so it is told by its number (MEXC-WS-13).
    fn has_ended(&mut self, number: Option<i64>) -> bool {
        let is_meant = |state: &&mut State| match (&**state, number) {
            (State::Leaving { number: asked, .. }, Some(number)) => i64::from(*asked) == number,
            (State::Leaving { .. }, None)
            | (
                State::Unsent
                | State::Asked { .. }
                | State::Fed { .. }
                | State::Confirmed
                | State::Refused
                | State::Ending,
                _,
            ) => false,
        };
        self.states.iter_mut().find(is_meant).map(|state| *state = State::Unsent).is_some()
    }

    fn after_refusal(&self) -> Option<CloseReason> {
        (self.needs == Needs::All).then_some(CloseReason::Refused)
    }

    /// Marks the channels of `list`; false when none of them is ours.
    fn confirm(&mut self, list: &str, number: Option<i64>, out: &mut Outbox) -> bool {
        let mut any = false;
        for name in names(list) {
            for (channel, state) in self.channels.iter().zip(&mut self.states) {
                if channel.name != name {
                    continue;
                }
                any = true;
                *state = match (*state, number) {
                    (State::Confirmed, _) => State::Confirmed,
                    // An answer without a number comes in its turn, so it is about the end.
                    (State::Leaving { .. }, None) => State::Unsent,
                    // Late news of the subscription that is being ended.
                    (leaving @ State::Leaving { .. }, Some(_)) | (leaving @ State::Ending, _) => leaving,
                    (State::Unsent | State::Asked { .. } | State::Fed { .. } | State::Refused, _) => {
                        channel.confirmed(out);
                        State::Confirmed
                    }
                };
            }
        }
        any
    }

    fn refuse(&mut self, out: &mut Outbox, is_meant: impl Fn(State, &str) -> bool) {
        for (channel, state) in self.channels.iter().zip(&mut self.states) {
            if *state != State::Refused && is_meant(*state, &channel.name) {
                *state = State::Refused;
                channel.refused(out);
            }
        }
    }
}

/// Whether a channel still waits for the answer with this number; an answer without one is about all.
fn asked_in(state: State, number: Option<i64>) -> bool {
    match (state, number) {
        (State::Asked { number: asked, .. }, Some(number)) => i64::from(asked) == number,
        (State::Asked { .. }, None) => true,
        (
            State::Unsent
            | State::Fed { .. }
            | State::Confirmed
            | State::Refused
            | State::Ending
            | State::Leaving { .. },
            _,
        ) => false,
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
