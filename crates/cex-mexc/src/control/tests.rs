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
        symbols: vec![SymbolId(u32::try_from(index).expect("few"))],
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
        let verdict = session(&["A", "B"], Needs::Any).text(at(1), message.as_bytes(), &mut out);
        assert_eq!((verdict, out.link), (Ok(None), expected), "{words}");
    }
}

#[test]
fn a_code_other_than_zero_refuses_what_was_asked() {
    let mut out = Outbox::default();
    let text = br#"{"id":1,"code":1,"msg":"x"}"#;
    assert_eq!(session(&["A"], Needs::Any).text(at(1), text, &mut out), Ok(None));
    assert_eq!(out.link, [refused(0)]);
}

#[test]
fn where_all_is_needed_one_refusal_ends_the_connection() {
    let text = format!(
        r#"{{"id":0,"code":0,"msg":"Not Subscribed successfully! [{DEPTH}A].  Reason： Blocked! "}}"#
    );
    let mut session = session(&["A", "B"], Needs::All);
    let verdict = session.text(at(1), text.as_bytes(), &mut Outbox::default());
    assert_eq!(verdict, Ok(Some(CloseReason::Refused)));
    assert!(!session.all_confirmed());
}

#[test]
fn texts_that_mean_nothing_are_errors() {
    for text in ["", "{not json", "[]", r#"{"id":0}"#, r#"{"id":0,"code":0,"msg":"msg format invalid"}"#] {
        let read = session(&["A"], Needs::Any).text(at(1), text.as_bytes(), &mut Outbox::default());
        assert!(read.is_err(), "{text}");
    }
    let dead = session(&["A"], Needs::Any).text(at(1), b"Invalid listen key", &mut Outbox::default());
    assert_eq!(dead, Ok(Some(CloseReason::KeyExpired)));
}

#[test]
fn texts_that_nest_too_deep_are_errors_and_brackets_in_strings_are_not() {
    for (open, count) in [("[", 65_536), ("{\"a\":", 13_107), ("{\"msg\":", 9_362)] {
        let read =
            session(&["A"], Needs::Any).text(at(1), open.repeat(count).as_bytes(), &mut Outbox::default());
        assert_eq!(read, Err(ErrorKind::Undecodable("text message")), "{open}");
    }
    let words = "[{".repeat(32_768);
    let text = format!(r#"{{"id":1,"code":0,"msg":"{DEPTH}A","x":"\"{words}"}}"#);
    assert_eq!(session(&["A"], Needs::Any).text(at(1), text.as_bytes(), &mut Outbox::default()), Ok(None));
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
    assert_eq!(session.text(at(1), text.as_bytes(), &mut Outbox::default()), Ok(None));
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
        session.text(now, br#"{"id":0,"code":0,"msg":"PONG"}"#, &mut Outbox::default()).expect("a pong");
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
    assert_eq!(out.link, [refused(1), subscribed(2)], "data without an acknowledgement is good enough");
}

/// What a message leads to.
fn hear(session: &mut Session, now: i64, id: u32, words: &str) -> Outbox {
    let mut out = Outbox::default();
    let text = format!(r#"{{"id":{id},"code":0,"msg":"{words}"}}"#);
    assert_eq!(session.text(at(now), text.as_bytes(), &mut out), Ok(None), "{words}");
    out
}

fn resubscribe(session: &mut Session, now: i64, symbol: u32) -> Outbox {
    let mut out = Outbox::default();
    session.resubscribe(at(now), SymbolId(symbol), &mut out);
    out
}

/// A session over A and B, both acknowledged.
fn confirmed() -> Session {
    let mut session = session(&["A", "B"], Needs::Any);
    hear(&mut session, 1, 1, &format!("{DEPTH}A,{DEPTH}B"));
    session
}

const END: &str =
    r#"{"method":"UNSUBSCRIPTION","id":2,"params":["spot@public.aggre.depth.v3.api.pb@100ms@A"]}"#;
const BEGIN: &str =
    r#"{"method":"SUBSCRIPTION","id":3,"params":["spot@public.aggre.depth.v3.api.pb@100ms@A"]}"#;

/// MEXC-WS-13: both answers have the same words.
#[test]
fn a_book_is_begun_anew_once_the_end_of_its_subscription_is_confirmed() {
    let a = format!("{DEPTH}A");
    for (end_id, begin_id) in [(2, 3), (0, 0)] {
        let mut session = confirmed();
        assert_eq!(sent(&resubscribe(&mut session, 2, 0)), [END]);
        assert!(resubscribe(&mut session, 2, 0).is_empty(), "it is under way");
        let out = hear(&mut session, 3, end_id, &a);
        assert_eq!((sent(&out), out.link.len()), (vec![BEGIN], 0));
        assert!(resubscribe(&mut session, 3, 0).is_empty(), "it is under way");
        let out = hear(&mut session, 4, begin_id, &a);
        assert_eq!((out.effects.len(), out.link), (0, vec![subscribed(0)]));
        assert_eq!(sent(&resubscribe(&mut session, 5, 0)).len(), 1, "and again");
    }
}

#[test]
fn the_end_of_a_subscription_is_told_by_its_number_whatever_the_words() {
    for words in
        ["Unsubscribed successful! [x]", "Not Subscribed successfully! [x].  Reason： Blocked! ", "?"]
    {
        let mut session = confirmed();
        resubscribe(&mut session, 2, 0);
        assert_eq!(sent(&hear(&mut session, 3, 2, words)), [BEGIN], "{words}");
    }
}

#[test]
fn a_late_acknowledgement_is_not_taken_for_the_end() {
    let mut session = session(&["A"], Needs::Any);
    session.fed(SymbolId(0), StreamKind::Book);
    assert_eq!(sent(&resubscribe(&mut session, 1, 0)), [END]);
    assert!(hear(&mut session, 2, 1, &format!("{DEPTH}A")).is_empty());
    assert_eq!(sent(&hear(&mut session, 3, 2, &format!("{DEPTH}A"))), [BEGIN]);
}

#[test]
fn a_refused_book_is_asked_for_again_and_others_mean_nothing() {
    let mut session = confirmed();
    resubscribe(&mut session, 2, 0);
    hear(&mut session, 3, 2, &format!("{DEPTH}A"));
    let no = format!("Not Subscribed successfully! [{DEPTH}A].  Reason： Blocked! ");
    assert_eq!(hear(&mut session, 4, 3, &no).link, [refused(0)]);
    let out = resubscribe(&mut session, 14, 0);
    assert_eq!(sent(&out), [BEGIN.replace(":3,", ":4,")]);
    assert_eq!(hear(&mut session, 15, 4, &no).link, [refused(0)]);
    assert!(resubscribe(&mut session, 15, 7).is_empty());
}

#[test]
fn a_subscription_whose_end_nobody_confirms_is_begun_anew_all_the_same() {
    let mut session = confirmed();
    resubscribe(&mut session, 5, 0);
    let (mut out, mut pings) = (Outbox::default(), 0);
    while let Some(due) = session.wakeup_at().filter(|due| *due <= at(25)) {
        session.heard(due);
        assert_eq!(session.wake(due, &mut out), None);
        pings = sent(&out).iter().filter(|text| text.contains("PING")).count();
        if due == at(15) {
            assert!(sent(&out).contains(&BEGIN) && out.link.is_empty(), "{out:?}");
        }
    }
    assert_eq!((sent(&out).len() - pings, out.link), (1, vec![refused(0)]), "the other book stays");
}

#[test]
fn data_tells_that_a_subscription_stands_though_its_acknowledgement_was_lost() {
    let mut session = confirmed();
    resubscribe(&mut session, 2, 0);
    hear(&mut session, 3, 2, &format!("{DEPTH}A"));
    session.fed(SymbolId(0), StreamKind::Book);
    let mut out = Outbox::default();
    assert_eq!(session.wake(at(13), &mut out), None);
    assert_eq!(out.link, [subscribed(0)]);
}

/// How the exchange treats a message: not at all, with its number, without one, or by refusing it.
#[derive(Debug, Clone, Copy)]
enum Treats {
    Ignores,
    Answers,
    AnswersWithoutNumber,
    Refuses,
}

proptest::proptest! {
    /// The promise of `Link`: whatever the exchange does, a wish ends, and within two waits.
    #[test]
    fn every_wish_to_resubscribe_ends(
        treats in proptest::collection::vec(0..4usize, 1..6),
        feeds in proptest::collection::vec(proptest::bool::ANY, 1..6),
        begun in proptest::bool::ANY,
    ) {
        use Treats::{Answers, AnswersWithoutNumber, Ignores, Refuses};
        let mut session = if begun { confirmed() } else { session(&["A", "B"], Needs::Any) };
        let mut treats = treats.iter().map(|index| [Ignores, Answers, AnswersWithoutNumber, Refuses][*index]).cycle();
        let mut feeds = feeds.iter().copied().cycle();
        let mut out = resubscribe(&mut session, 2, 0);
        let (mut now, mut ended) = (2, false);
        while !ended && now <= 30 {
            let asked: Vec<String> =
                sent(&out).iter().filter(|text| text.contains("SUBSCRIPTION")).map(|text| (*text).to_owned()).collect();
            out.clear();
            for text in asked {
                let id = text.split_once("\"id\":").and_then(|(_, rest)| rest.split(',').next()).expect("a number");
                let (id, words) = match treats.next().expect("endless") {
                    Ignores => continue,
                    Answers => (id, format!("{DEPTH}A")),
                    AnswersWithoutNumber => ("0", format!("{DEPTH}A")),
                    Refuses => (id, format!("Not Subscribed successfully! [{DEPTH}A].  Reason： Blocked! ")),
                };
                let answer = format!(r#"{{"id":{id},"code":0,"msg":"{words}"}}"#);
                proptest::prop_assert_eq!(session.text(at(now), answer.as_bytes(), &mut out), Ok(None));
            }
            if feeds.next() == Some(true) {
                session.fed(SymbolId(0), StreamKind::Book);
            }
            if sent(&out).is_empty() {
                now += 1;
                session.heard(at(now));
                session.unanswered = 0;
                ended = session.wake(at(now), &mut out).is_some();
            }
            ended |= out.link.iter().any(|event| [subscribed(0), refused(0)].contains(event));
        }
        proptest::prop_assert!(ended, "not ended at second {}", now);
    }
}

/// Thirty books that are lost at once, over and over, do not make a connection talk too fast (MEXC-WS-03).
#[test]
fn a_storm_of_resubscriptions_stays_within_the_message_rate() {
    let names: Vec<String> = (0..30).map(|index| format!("C{index}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut session = session(&names, Needs::Any);
    let all: Vec<String> = names.iter().map(|name| format!("{DEPTH}{name}")).collect();
    let stands = format!(r#"{{"id":0,"code":0,"msg":"{}"}}"#, all.join(","));
    assert_eq!(session.text(at(0), stands.as_bytes(), &mut Outbox::default()), Ok(None));
    assert!(session.all_confirmed());
    let (mut sent_at, mut again, mut ended) = (Vec::new(), 0, 0);
    for millis in 0..4_000 {
        let now = at(0) + Duration::from_millis(millis);
        let mut out = Outbox::default();
        if millis % 40 == 0 {
            for symbol in 0..30 {
                session.resubscribe(now, SymbolId(symbol), &mut out);
            }
        }
        if session.wakeup_at().is_some_and(|due| due <= now) {
            assert_eq!(session.wake(now, &mut out), None);
        }
        // The exchange answers at once, in the words of any acknowledgement.
        while !out.effects.is_empty() {
            let mut answers = Outbox::default();
            for message in sent(&out) {
                sent_at.push(millis);
                again += usize::from(message.contains(r#""SUBSCRIPTION""#));
                ended += usize::from(message.contains(r#""UNSUBSCRIPTION""#));
                let message: sonic_rs::Value = sonic_rs::from_str(message).expect("JSON");
                use sonic_rs::{JsonContainerTrait, JsonValueTrait};
                let Some(params) = message["params"].as_array() else { continue };
                let list: Vec<&str> = params.iter().filter_map(|name| name.as_str()).collect();
                let answer = format!(r#"{{"id":{},"code":0,"msg":"{}"}}"#, message["id"], list.join(","));
                assert_eq!(session.text(now, answer.as_bytes(), &mut answers), Ok(None));
            }
            out = answers;
        }
    }
    assert!(ended > 60 && again > 60, "{ended} {again}");
    for from in &sent_at {
        let within = sent_at.iter().filter(|millis| (*from..from + 1_000).contains(*millis)).count();
        assert!(within <= MESSAGES_PER_SECOND as usize, "{within} from {from}");
    }
}
