//! What all links share: connecting, the heartbeat, and what a message is before its channel matters.

use crate::wire::{Envelope, Fault, Notice, Scalar, StreamError, parse, part, text, time};
use cex_core::{LinkEvent, Timers, Timestamp};
use cex_interface::{CloseReason, Effect, Outbox};
use sonic_rs::LazyValue;
use std::time::Duration;

/// How often the exchange is asked whether it still hears us (GATEIO-WS-07).
const PING_EVERY: Duration = Duration::from_secs(15);
/// A connection without any message for this long is dead: two questions of ours went unanswered (GATEIO-WS-08).
const SILENT_AFTER: Duration = Duration::from_secs(30);
/// How long a subscription may stay unanswered.
pub(crate) const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// What a message is.
pub(crate) enum Message<'a> {
    /// The answer to our ping.
    Pong,
    /// The exchange will close the connection soon.
    Upgrade,
    /// The answer to a subscription or its end, or a refusal that tells no more.
    Answer(Answer<'a>),
    /// News of a channel.
    News(News<'a>),
    /// Something else of this channel: a kind of message nobody knows.
    Strange(Scalar<'a>),
    /// An answer of the trading interface (GATEIO-WS-29).
    Trading,
    /// A message of no channel.
    Nothing,
}

/// An answer to a request of ours (GATEIO-WS-04).
pub(crate) struct Answer<'a> {
    id: Option<Scalar<'a>>,
    pub(crate) channel: Scalar<'a>,
    pub(crate) is_subscribe: bool,
    pub(crate) payload: Option<LazyValue<'a>>,
    pub(crate) error: Option<StreamError<'a>>,
    /// When it was sent, by the exchange's clock; the epoch when not said.
    pub(crate) sent_at: Timestamp,
}

impl Answer<'_> {
    /// The number of the request, where the answer repeats it.
    pub(crate) fn id(&self) -> Option<i32> {
        self.id.as_ref()?.as_str().parse().ok()
    }
}

/// News of a channel.
pub(crate) struct News<'a> {
    pub(crate) channel: Scalar<'a>,
    pub(crate) result: LazyValue<'a>,
    /// When it was sent, by the exchange's clock; the epoch when not said.
    pub(crate) sent_at: Timestamp,
}

/// Tells what a message is. Upgrade notices come in three shapes, one of them without a channel
/// (GATEIO-WS-09).
pub(crate) fn read(frame: &[u8]) -> Result<Message<'_>, Fault> {
    let message = parse::<Envelope<'_>>(frame)?;
    let sent_at = time(message.time_ms.as_ref(), message.time.as_ref());
    let event = text(message.event.as_ref());
    if text(message.kind.as_ref()) == "upgrade" || event == "upgrade" {
        return Ok(Message::Upgrade);
    }
    if message.request_id.is_some() {
        return Ok(Message::Trading);
    }
    let is_subscribe = event == "subscribe";
    let (is_answer, is_news) =
        (is_subscribe || event == "unsubscribe" || message.error.is_some(), event == "update");
    let Some(channel) = message.channel else { return Ok(Message::Nothing) };
    if channel.as_str() == "spot.pong" {
        return Ok(Message::Pong);
    }
    if is_answer {
        let (id, payload, error) = (message.id, message.payload, message.error);
        return Ok(Message::Answer(Answer { id, channel, is_subscribe, payload, error, sent_at }));
    }
    let Some(result) = message.result else { return Ok(Message::Strange(channel)) };
    if channel.as_str().ends_with(".system") && is_upgrade(&result) {
        return Ok(Message::Upgrade);
    }
    // Samples of `spot.obu` lack the event; every other channel has it.
    let is_news = is_news || (event.is_empty() && channel.as_str() == "spot.obu");
    Ok(if is_news { Message::News(News { channel, result, sent_at }) } else { Message::Strange(channel) })
}

fn is_upgrade(result: &LazyValue<'_>) -> bool {
    part::<Notice<'_>>(result).is_ok_and(|notice| text(notice.kind.as_ref()) == "upgrade")
}

/// What a connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timer {
    /// Time to ask.
    Ping,
    /// Time to look whether anything was heard.
    Silence,
    /// Time to look whether the subscriptions were answered.
    Answers,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Down,
    Connecting,
    Up,
    /// The driver was told to reconnect and has not yet done so.
    Leaving,
}

/// One connection and its heartbeat.
#[derive(Debug)]
pub(crate) struct Session {
    url: String,
    phase: Phase,
    last_heard: Timestamp,
    timers: Timers<Timer>,
    last_id: i32,
    /// The exchange said that it will close this connection, and we passed it on.
    is_announced: bool,
}

impl Session {
    pub(crate) fn new(url: String) -> Self {
        let (timers, last_heard) = (Timers::new(), Timestamp::EPOCH);
        Self { url, phase: Phase::Down, last_heard, timers, last_id: 0, is_announced: false }
    }

    pub(crate) fn start(&mut self, out: &mut Outbox) {
        self.phase = Phase::Connecting;
        self.timers.clear_all();
        out.effects.push(Effect::Connect(self.url.clone()));
    }

    pub(crate) fn connected(&mut self, now: Timestamp, out: &mut Outbox) {
        self.phase = Phase::Up;
        self.is_announced = false;
        self.last_heard = now;
        self.last_id = 0;
        self.timers.set(Timer::Ping, now + PING_EVERY);
        self.timers.set(Timer::Silence, now + SILENT_AFTER);
        out.link.push(LinkEvent::Up);
    }

    /// The connection is gone, whoever ended it.
    pub(crate) fn disconnected(&mut self, out: &mut Outbox) {
        if matches!(self.phase, Phase::Up | Phase::Leaving) {
            out.link.push(LinkEvent::Down);
        }
        self.stop();
    }

    pub(crate) fn stop(&mut self) {
        self.phase = Phase::Down;
        self.timers.clear_all();
    }

    pub(crate) const fn is_up(&self) -> bool {
        matches!(self.phase, Phase::Up)
    }

    /// Notes that a message was received.
    #[inline]
    pub(crate) const fn heard(&mut self, now: Timestamp) {
        self.last_heard = now;
    }

    /// Tells, once, that the exchange will close this connection. Until it does, everything goes on as before
    /// (GATEIO-WS-09).
    pub(crate) fn announced(&mut self, out: &mut Outbox) {
        if self.is_up() && !std::mem::replace(&mut self.is_announced, true) {
            out.effects.push(Effect::Reconnect(CloseReason::Announced));
        }
    }

    /// Leaves the connection for this reason: at once, or when the exchange closes it as it said.
    pub(crate) fn leave(&mut self, reason: CloseReason, out: &mut Outbox) {
        match reason {
            CloseReason::Announced => self.announced(out),
            CloseReason::Silent | CloseReason::Refused | CloseReason::KeyExpired | CloseReason::Corrupt => {
                self.reconnect(reason, out);
            }
        }
    }

    /// Asks for another connection, once.
    pub(crate) fn reconnect(&mut self, reason: CloseReason, out: &mut Outbox) {
        if self.is_up() {
            self.phase = Phase::Leaving;
            self.timers.clear_all();
            out.effects.push(Effect::Reconnect(reason));
        }
    }

    /// The number of the next request; fits in 32 bits (GATEIO-WS-02), since a connection sends far fewer.
    pub(crate) const fn next_id(&mut self) -> i32 {
        self.last_id = self.last_id.wrapping_add(1) & i32::MAX;
        self.last_id
    }

    pub(crate) fn set(&mut self, timer: Timer, at: Timestamp) {
        self.timers.set(timer, at);
    }

    pub(crate) fn clear(&mut self, timer: Timer) {
        self.timers.clear(timer);
    }

    pub(crate) fn wakeup_at(&self) -> Option<Timestamp> {
        self.timers.next_at()
    }

    /// Does what is due; whether the time to look after the answers has come, which is the link's own
    /// business.
    pub(crate) fn wake(&mut self, now: Timestamp, out: &mut Outbox) -> bool {
        let mut answers_due = false;
        while let Some(timer) = self.timers.take_due(now) {
            match timer {
                Timer::Ping => {
                    out.send_text(format!("{{\"time\":{},\"channel\":\"spot.ping\"}}", now.as_secs()));
                    self.timers.set(Timer::Ping, now + PING_EVERY);
                }
                Timer::Silence if now.since(self.last_heard) >= SILENT_AFTER => {
                    self.reconnect(CloseReason::Silent, out);
                }
                // Looked at only when due, so that a frame costs no more than noting its time.
                Timer::Silence => self.timers.set(Timer::Silence, self.last_heard + SILENT_AFTER),
                Timer::Answers => answers_due = true,
            }
        }
        answers_due && self.is_up()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn up(now: Timestamp) -> (Session, Outbox) {
        let (mut session, mut out) = (Session::new("wss://x".to_owned()), Outbox::default());
        session.start(&mut out);
        assert_eq!(out.effects, [Effect::Connect("wss://x".to_owned())]);
        session.connected(now, &mut out);
        assert_eq!(out.link, [LinkEvent::Up]);
        out.clear();
        (session, out)
    }

    #[test]
    fn pings_every_fifteen_seconds_and_reconnects_when_nothing_is_heard_for_thirty() {
        let t0 = Timestamp::from_secs(1_700_000_000);
        let (mut session, mut out) = up(t0);
        assert_eq!(session.wakeup_at(), Some(t0 + PING_EVERY));
        assert!(!session.wake(t0 + PING_EVERY, &mut out));
        let ping = "{\"time\":1700000015,\"channel\":\"spot.ping\"}".to_owned();
        assert_eq!(out.effects, [Effect::Send(cex_interface::Payload::Text(ping))]);
        out.clear();

        session.heard(t0 + Duration::from_secs(20));
        session.wake(t0 + SILENT_AFTER, &mut out);
        assert_eq!(out.effects.len(), 1, "one more ping, no reconnect: {:?}", out.effects);
        out.clear();

        session.wake(t0 + Duration::from_secs(50), &mut out);
        assert_eq!(out.effects.last(), Some(&Effect::Reconnect(CloseReason::Silent)));
        assert_eq!(session.wakeup_at(), None);
        out.clear();
        session.disconnected(&mut out);
        session.disconnected(&mut out);
        assert_eq!(out.link, [LinkEvent::Down]);
    }

    #[test]
    fn asks_for_another_connection_only_once() {
        let (mut session, mut out) = up(Timestamp::EPOCH);
        session.reconnect(CloseReason::Refused, &mut out);
        session.reconnect(CloseReason::Silent, &mut out);
        assert_eq!(out.effects, [Effect::Reconnect(CloseReason::Refused)]);
        out.clear();
        session.announced(&mut out);
        assert!(out.is_empty(), "it is on its way out already");
    }

    #[test]
    fn an_announced_end_is_told_once_a_connection_and_changes_nothing() {
        let t0 = Timestamp::from_secs(1_700_000_000);
        let (mut session, mut out) = up(t0);
        let wakes_at = session.wakeup_at();
        session.announced(&mut out);
        session.announced(&mut out);
        assert_eq!(out.effects, [Effect::Reconnect(CloseReason::Announced)]);
        assert!(session.is_up());
        assert_eq!(session.wakeup_at(), wakes_at, "the heartbeat goes on");
        out.clear();
        session.wake(t0 + SILENT_AFTER, &mut out);
        assert_eq!(
            out.effects.last(),
            Some(&Effect::Reconnect(CloseReason::Silent)),
            "silence still ends it"
        );
        out.clear();
        session.disconnected(&mut out);
        assert_eq!(out.link, [LinkEvent::Down]);
        session.start(&mut out);
        session.connected(t0, &mut out);
        out.clear();
        session.announced(&mut out);
        assert_eq!(
            out.effects,
            [Effect::Reconnect(CloseReason::Announced)],
            "the next one may be announced anew"
        );
    }

    #[test]
    fn messages_are_told_apart() {
        let check = |json: &str, expected: &str| {
            let kind = match read(json.as_bytes()) {
                Ok(Message::Pong) => "pong",
                Ok(Message::Upgrade) => "upgrade",
                Ok(Message::Answer(_)) => "answer",
                Ok(Message::News(_)) => "news",
                Ok(Message::Strange(_)) => "strange",
                Ok(Message::Trading) => "trading",
                Ok(Message::Nothing) => "nothing",
                Err(_) => "broken",
            };
            assert_eq!(kind, expected, "{json}");
        };
        check(r#"{"time":1,"channel":"spot.pong","event":"","error":null,"result":null}"#, "pong");
        check(r#"{"type":"upgrade","msg":"soon"}"#, "upgrade");
        check(r#"{"time":1,"channel":"spot.system","event":"upgrade","result":{}}"#, "upgrade");
        check(
            r#"{"time":1,"channel":"spot.system","event":"update","result":{"type":"upgrade"}}"#,
            "upgrade",
        );
        check(r#"{"time":1,"channel":"spot.system","event":"update","result":{"type":"hello"}}"#, "news");
        check(
            r#"{"time":1,"channel":"spot.trades","event":"subscribe","result":{"status":"success"}}"#,
            "answer",
        );
        check(
            r#"{"time":1,"channel":"","event":"","error":{"code":1,"message":"x"},"result":null}"#,
            "answer",
        );
        check(r#"{"time":1,"channel":"spot.trades","event":"update","result":{}}"#, "news");
        check(r#"{"time":1,"channel":"spot.trades","event":"fresh","result":{}}"#, "strange");
        check(r#"{"time":1,"channel":"spot.trades","event":"update","result":null}"#, "strange");
        check(r#"{"request_id":"p","header":{},"data":{}}"#, "trading");
        check("{}", "nothing");
        check("{", "broken");
        check("", "broken");
    }
}
