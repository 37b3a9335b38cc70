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
mod tests {
    use super::*;
    use cex_interface::{Effect, Payload};

    const DEPTH: &str = "spot@public.aggre.depth.v3.api.pb@100ms@";

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_secs(1_000 + seconds)
    }

    /// A session over depth channels of these symbols, just opened at second zero.
    fn session(symbols: &[&str], needs: Needs) -> Session {
        let channel = |(index, symbol): (usize, &&str)| Channel {
            name: format!("{DEPTH}{symbol}"),
            symbol: Some(SymbolId(u32::try_from(index).expect("few"))),
            stream: StreamKind::Book,
        };
        let mut session = Session::new(symbols.iter().enumerate().map(channel).collect(), needs);
        session.open(at(0), &mut Outbox::default());
        session
    }

    fn sent(out: &Outbox) -> Vec<&str> {
        let text = |effect| match effect {
            &Effect::Send(Payload::Text(ref text)) => text.as_str(),
            other => panic!("{other:?}"),
        };
        out.effects.iter().map(text).collect()
    }

    fn subscribed(symbol: u32) -> LinkEvent {
        LinkEvent::Subscribed { symbol: Some(SymbolId(symbol)), stream: StreamKind::Book }
    }

    fn refused(symbol: u32) -> LinkEvent {
        LinkEvent::Refused { symbol: Some(SymbolId(symbol)), stream: StreamKind::Book }
    }

    #[test]
    fn subscribe_messages_stay_below_a_kilobyte_and_name_every_channel() {
        let names: Vec<String> = (0..30).map(|index| format!("龙虾COIN{index:02}USDT")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut session = session(&names, Needs::Any);
        let mut out = Outbox::default();
        session.open(at(0), &mut out);
        let messages = sent(&out);
        assert!(messages.len() > 1 && messages.iter().all(|message| message.len() < 1_024));
        assert!(
            messages[1].starts_with(r#"{"method":"SUBSCRIPTION","id":2,"params":["spot@public.aggre.depth"#)
        );
        for name in names {
            let quoted = format!("\"{DEPTH}{name}\"");
            assert_eq!(messages.iter().filter(|message| message.contains(&quoted)).count(), 1, "{name}");
        }
        for message in messages {
            assert!(sonic_rs::from_str::<sonic_rs::Value>(message).is_ok(), "{message}");
        }
    }

    #[test]
    fn acknowledgements_and_refusals_are_told_by_their_words() {
        let a = format!("{DEPTH}A");
        let b = format!("{DEPTH}B");
        for (words, id, expected) in [
            (format!("{b},{a}"), 0, vec![subscribed(1), subscribed(0)]),
            (a.clone(), 1, vec![subscribed(0)]),
            (
                format!("Not Subscribed successfully! [{a},{b}].  Reason： Blocked! "),
                0,
                vec![refused(0), refused(1)],
            ),
            (
                format!(
                    "Subscribed successful! [{a}]. Not Subscribed successfully! [{b}].  Reason： Blocked! "
                ),
                0,
                vec![subscribed(0), refused(1)],
            ),
            (
                "Not Subscribed successfully! [].  Reason： Blocked! ".to_owned(),
                1,
                vec![refused(0), refused(1)],
            ),
            ("Not Subscribed successfully! [].  Reason： Blocked! ".to_owned(), 7, vec![]),
            ("Blocked!".to_owned(), 0, vec![refused(0), refused(1)]),
        ] {
            let mut out = Outbox::default();
            let message = format!(r#"{{"id":{id},"code":0,"msg":"{words}"}}"#);
            let verdict = session(&["A", "B"], Needs::Any).text(message.as_bytes(), &mut out);
            assert_eq!((verdict, out.link), (Ok(None), expected), "{words}");
        }
    }

    #[test]
    fn a_code_other_than_zero_refuses_what_was_asked() {
        let mut out = Outbox::default();
        let text = br#"{"id":1,"code":1,"msg":"x"}"#;
        assert_eq!(session(&["A"], Needs::Any).text(text, &mut out), Ok(None));
        assert_eq!(out.link, [refused(0)]);
    }

    #[test]
    fn where_all_is_needed_one_refusal_ends_the_connection() {
        let text = format!(
            r#"{{"id":0,"code":0,"msg":"Not Subscribed successfully! [{DEPTH}A].  Reason： Blocked! "}}"#
        );
        let mut session = session(&["A", "B"], Needs::All);
        assert_eq!(session.text(text.as_bytes(), &mut Outbox::default()), Ok(Some(CloseReason::Refused)));
        assert!(!session.all_confirmed());
    }

    #[test]
    fn texts_that_mean_nothing_are_errors() {
        for text in ["", "{not json", "[]", r#"{"id":0}"#, r#"{"id":0,"code":0,"msg":"msg format invalid"}"#]
        {
            assert!(
                session(&["A"], Needs::Any).text(text.as_bytes(), &mut Outbox::default()).is_err(),
                "{text}"
            );
        }
        let dead = session(&["A"], Needs::Any).text(b"Invalid listen key", &mut Outbox::default());
        assert_eq!(dead, Ok(Some(CloseReason::KeyExpired)));
    }

    /// Wakes the session whenever it wants, until `until` or until it gives up.
    fn run(
        session: &mut Session,
        until: i64,
        mut at_wake: impl FnMut(&mut Session, Timestamp),
    ) -> Option<(Timestamp, CloseReason)> {
        let mut out = Outbox::default();
        while let Some(due) = session.wakeup_at().filter(|due| *due <= at(until)) {
            at_wake(session, due);
            if let Some(reason) = session.wake(due, &mut out) {
                return Some((due, reason));
            }
        }
        None
    }

    fn acknowledge(session: &mut Session) {
        let text = format!(r#"{{"id":1,"code":0,"msg":"{DEPTH}A"}}"#);
        assert_eq!(session.text(text.as_bytes(), &mut Outbox::default()), Ok(None));
    }

    #[test]
    fn silence_ends_a_connection_after_thirty_seconds() {
        let mut session = session(&["A"], Needs::Any);
        acknowledge(&mut session);
        session.heard(at(5));
        assert_eq!(run(&mut session, 100, |_, _| {}), Some((at(35), CloseReason::Silent)));
    }

    #[test]
    fn two_missed_pongs_end_a_connection_though_data_flows() {
        let mut session = session(&["A"], Needs::Any);
        acknowledge(&mut session);
        assert_eq!(run(&mut session, 100, Session::heard), Some((at(45), CloseReason::Silent)));
    }

    #[test]
    fn answered_pings_keep_a_connection() {
        let mut session = session(&["A"], Needs::Any);
        acknowledge(&mut session);
        let pong = |session: &mut Session, now| {
            session.heard(now);
            session.text(br#"{"id":0,"code":0,"msg":"PONG"}"#, &mut Outbox::default()).expect("a pong");
        };
        assert_eq!(run(&mut session, 3_600, pong), None);
        session.close();
        assert_eq!(session.wakeup_at(), None);
    }

    #[test]
    fn subscriptions_nobody_answers_count_as_refused() {
        let mut mute = session(&["A", "B"], Needs::Any);
        assert_eq!(run(&mut mute, 10, |_, _| {}), Some((at(10), CloseReason::Refused)));
        let mut half = session(&["A", "B", "C"], Needs::Any);
        acknowledge(&mut half);
        half.fed(SymbolId(2), StreamKind::Book);
        let mut out = Outbox::default();
        assert_eq!(half.wake(at(10), &mut out), None);
        assert_eq!(out.link, [refused(1)], "data without an acknowledgement is good enough");
    }
}
