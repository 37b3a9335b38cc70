//! What clients say on a connection: subscribe, unsubscribe, ping. Every answer has code 0; a refusal is a sentence.

use super::Mexc;
use super::channel::Channel;
use super::sessions::{self, MOST_CHANNELS};
use crate::dialect::{ConnId, Frame, Message, Outgoing, depth, json};
use cex_core::Timestamp;
use sonic_rs::{JsonType, JsonValueTrait as _, LazyValue};

/// A request, as far as it can be read.
#[derive(Debug, PartialEq, Eq)]
struct Command {
    method: Method,
    /// Names of channels; what is not a text is left out.
    params: Vec<String>,
    /// The digits that are echoed.
    id: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    Subscribe,
    Unsubscribe,
    Ping,
}

/// Takes in a message.
pub(super) fn message(
    mexc: &mut Mexc,
    now: Timestamp,
    conn: ConnId,
    message: Message<'_>,
    out: &mut Outgoing,
) {
    let is_limited = mexc.config.rate_limits;
    let Some(session) = mexc.sessions.get_mut(conn) else { return };
    session.active_at = now;
    if session.counts_too_many(now) && is_limited {
        sessions::close(mexc, conn);
        return out.push((conn, Frame::Close));
    }
    let command = match message {
        Message::Text(text) => Command::parse(text),
        Message::Binary(_) => None,
    };
    let answer = match command {
        None => answer("0", "msg format invalid"),
        Some(Command { method: Method::Ping, id, .. }) => answer(&id, "PONG"),
        Some(Command { method: Method::Subscribe, params, id }) => {
            answer(&id, &subscribe(mexc, now, conn, &params))
        }
        Some(Command { method: Method::Unsubscribe, params, id }) => {
            unsubscribe(mexc, now, conn, &params);
            answer(&id, &params.join(","))
        }
    };
    out.push((conn, answer));
}

fn answer(id: &str, message: &str) -> Frame {
    let mut text = String::with_capacity(message.len() + 40);
    json::object(&mut text, |row| {
        row.plain("id", id);
        row.plain("code", 0);
        row.text("msg", message);
    });
    Frame::Text(text)
}

/// Subscribes what it can and says what it could not.
fn subscribe(mexc: &mut Mexc, now: Timestamp, conn: ConnId, names: &[String]) -> String {
    let (good, bad): (Vec<&str>, Vec<&str>) =
        names.iter().map(String::as_str).partition(|name| subscribe_one(mexc, now, conn, name));
    let refused = || format!("Not Subscribed successfully! [{}].  Reason： Blocked! ", bad.join(","));
    match (good.as_slice(), bad.as_slice()) {
        (good, []) if !good.is_empty() => good.join(","),
        ([], _) => refused(),
        (good, _) => format!("Subscribed successful! [{}]. {}", good.join(","), refused()),
    }
}

/// Whether a channel is subscribed now. What was subscribed before is not counted twice.
fn subscribe_one(mexc: &mut Mexc, now: Timestamp, conn: ConnId, name: &str) -> bool {
    if mexc.refused.as_deref().is_some_and(|refused| name.contains(refused)) {
        return false;
    }
    let Some(channel) = Channel::parse(&mexc.listings, name) else { return false };
    let Some(session) = mexc.sessions.get_mut(conn) else { return false };
    if session.channels.contains(&channel) {
        return true;
    }
    if session.channels.len() >= MOST_CHANNELS {
        return false;
    }
    match channel {
        Channel::Public(market, topic) => mexc.feeds.join(now, conn, market, topic, name),
        Channel::Everything(zone) => mexc.feeds.every.join(now, conn, zone, name),
        Channel::Private(private) => {
            let Some(account) = session.account else { return false };
            mexc.private.join(account, private, conn);
        }
    }
    session.channels.push(channel);
    true
}

fn unsubscribe(mexc: &mut Mexc, now: Timestamp, conn: ConnId, names: &[String]) {
    let Some(session) = mexc.sessions.get_mut(conn) else { return };
    for channel in names.iter().filter_map(|name| Channel::parse(&mexc.listings, name)) {
        let Some(at) = session.channels.iter().position(|known| *known == channel) else { continue };
        session.channels.remove(at);
        match channel {
            Channel::Public(market, topic) => mexc.feeds.leave(conn, market, topic),
            Channel::Everything(zone) => mexc.feeds.every.leave(conn, zone),
            Channel::Private(private) => {
                session.account.into_iter().for_each(|account| mexc.private.leave(account, private, conn));
            }
        }
    }
    if session.channels.is_empty() {
        session.idle_since = now;
        // The patience with connections that read nothing may be the shorter one.
        mexc.sessions.check_soon(now);
    }
}

impl Command {
    /// Reads a request; nothing when it is not JSON or names no method that exists.
    fn parse(text: &str) -> Option<Self> {
        if !depth::is_shallow(text) {
            return None;
        }
        let message: LazyValue<'_> = sonic_rs::from_str(text).ok()?;
        let (mut method, mut params, mut id) = (None, Vec::new(), "0".to_owned());
        for field in message.into_object_iter()? {
            let (name, value) = field.ok()?;
            match &*name {
                "method" => method = value.as_str().and_then(Method::parse),
                "params" => params = texts(value),
                "id" if value.get_type() == JsonType::Number => value.as_raw_str().trim().clone_into(&mut id),
                _ => {}
            }
        }
        Some(Self { method: method?, params, id })
    }
}

fn texts(list: LazyValue<'_>) -> Vec<String> {
    let text = |item: sonic_rs::Result<LazyValue<'_>>| item.ok()?.as_str().map(str::to_owned);
    list.into_array_iter().into_iter().flatten().filter_map(text).collect()
}

impl Method {
    fn parse(name: &str) -> Option<Self> {
        let known =
            [("SUBSCRIPTION", Self::Subscribe), ("UNSUBSCRIPTION", Self::Unsubscribe), ("PING", Self::Ping)];
        known.into_iter().find(|(known, _)| name.eq_ignore_ascii_case(known)).map(|(_, method)| method)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_whatever_else_they_hold() {
        let command =
            Command::parse(r#" {"x":[{}],"id": 7 ,"params":["a",1,null,"b"],"method":"subscription"} "#);
        let expected = Command {
            method: Method::Subscribe,
            params: vec!["a".to_owned(), "b".to_owned()],
            id: "7".to_owned(),
        };
        assert_eq!(command, Some(expected));
        let ping = Command::parse(r#"{"method":"ping","id":"seven","params":{}}"#);
        assert_eq!(ping, Some(Command { method: Method::Ping, params: vec![], id: "0".to_owned() }));
    }

    #[test]
    fn garbage_is_refused_without_harm() {
        let deep = "[".repeat(1_000_000);
        let deep_object = "{\"a\":".repeat(16 * 1024);
        let deep_value = format!("{{\"params\":{deep}");
        for garbage in [
            "",
            "{not json",
            "null",
            "[]",
            "{}",
            "{\"method\":1}",
            "{\"method\":\"X\"}",
            &deep,
            &deep_object,
            &deep_value,
        ] {
            assert_eq!(Command::parse(garbage), None, "{garbage:.20}");
        }
    }
}
