//! A session, told what happens to its connection.

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
    assert!(messages[1].starts_with(r#"{"method":"SUBSCRIPTION","id":2,"params":["spot@public.aggre.depth"#));
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
            format!("Subscribed successful! [{a}]. Not Subscribed successfully! [{b}].  Reason： Blocked! "),
            0,
            vec![subscribed(0), refused(1)],
        ),
        ("Not Subscribed successfully! [].  Reason： Blocked! ".to_owned(), 1, vec![refused(0), refused(1)]),
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
    for text in ["", "{not json", "[]", r#"{"id":0}"#, r#"{"id":0,"code":0,"msg":"msg format invalid"}"#] {
        assert!(session(&["A"], Needs::Any).text(text.as_bytes(), &mut Outbox::default()).is_err(), "{text}");
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
