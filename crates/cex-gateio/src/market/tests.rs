//! The public link's life: what it asks for, how often, and when it gives up.

use super::*;
use crate::config::{BookChannel, TopLevelsInterval};
use crate::testing::{markets, venue};
use cex_core::MarketEvent;
use cex_interface::{Effect, Payload};
use std::time::Duration;

fn streams(book: BookChannel) -> Streams {
    Streams { book, top_levels: TopLevelsInterval::Ms100 }
}

fn link(channel: BookChannel, symbols: &[u32]) -> MarketLink {
    let wish = |symbol: &u32| Subscription { symbol: SymbolId(*symbol), stream: StreamKind::Book };
    let wanted: Vec<_> = symbols.iter().map(wish).collect();
    let unusual = Subscription { symbol: SymbolId(3), stream: StreamKind::Book };
    let (url, markets) = ("wss://x".to_owned(), Arc::new(markets()));
    MarketLink::new(
        "gateio book 1".to_owned(),
        venue(),
        url,
        streams(channel),
        &markets,
        &wanted,
        vec![unusual],
    )
}

fn connected(channel: BookChannel, symbols: &[u32]) -> (MarketLink, Outbox) {
    let (mut link, mut out) = (link(channel, symbols), Outbox::default());
    handle(&mut link, at(0), Input::Start, &mut out);
    handle(&mut link, at(0), Input::Connected, &mut out);
    (link, out)
}

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(1_700_000_000 + secs)
}

/// Replaces what is in the outbox by what this input does.
fn handle(link: &mut MarketLink, now: Timestamp, input: Input<'_>, out: &mut Outbox) {
    out.clear();
    link.handle(now, input, out).expect("handled");
}

fn hear(link: &mut MarketLink, now: Timestamp, text: &str, out: &mut Outbox) {
    handle(link, now, Input::Text(text.as_bytes()), out);
}

fn sent(out: &Outbox) -> Vec<&str> {
    let text = |effect| match effect {
        &Effect::Send(Payload::Text(ref text)) => Some(text.as_str()),
        Effect::Send(_) | Effect::Connect(_) | Effect::Request { .. } | Effect::Reconnect(_) => None,
    };
    out.effects.iter().filter_map(text).collect()
}

fn answer(id: i32, event: &str) -> String {
    format!(
        r#"{{"time":1,"id":{id},"channel":"spot.obu","event":"{event}","result":{{"status":"success"}},"requestId":"x"}}"#
    )
}

const SUBSCRIBED: LinkEvent = LinkEvent::Subscribed { symbol: Some(SymbolId(0)), stream: StreamKind::Book };

#[test]
fn a_book_is_asked_for_in_a_request_of_its_own_and_unusual_names_never() {
    let (_, out) = connected(BookChannel::Update20, &[0, 1]);
    assert_eq!(
        sent(&out),
        [
            r#"{"time":1700000000,"id":1,"channel":"spot.order_book_update","event":"subscribe","payload":["BTC_USDT","20ms"]}"#,
            r#"{"time":1700000000,"id":2,"channel":"spot.order_book_update","event":"subscribe","payload":["ETH_USDT","20ms"]}"#,
        ]
    );
    let refused = LinkEvent::Refused { symbol: Some(SymbolId(3)), stream: StreamKind::Book };
    assert_eq!(out.link, [LinkEvent::Up, refused]);
}

#[test]
fn a_lost_book_waits_for_the_end_of_its_subscription_before_it_subscribes_again() {
    let (mut link, mut out) = connected(BookChannel::Obu20, &[0, 1]);
    let again = Input::Resubscribe(SymbolId(0));
    handle(&mut link, at(0), again, &mut out);
    assert!(out.is_empty(), "its first frame is still to come");

    hear(&mut link, at(1), &answer(1, "subscribe"), &mut out);
    assert_eq!(out.link, [SUBSCRIBED]);
    handle(&mut link, at(2), again, &mut out);
    let end = r#"{"time":1700000002,"id":3,"channel":"spot.obu","event":"unsubscribe","payload":["ob.BTC_USDT.50"]}"#;
    assert_eq!(sent(&out), [end]);
    handle(&mut link, at(2), again, &mut out);
    assert!(out.is_empty(), "once is enough");

    hear(&mut link, at(3), &answer(3, "unsubscribe"), &mut out);
    let begin =
        r#"{"time":1700000003,"id":4,"channel":"spot.obu","event":"subscribe","payload":["ob.BTC_USDT.50"]}"#;
    assert_eq!(sent(&out), [begin]);
    hear(&mut link, at(4), &answer(4, "subscribe"), &mut out);
    assert_eq!(out.link, [SUBSCRIBED]);
}

const BUSY: &str = r#""error":{"code":3,"message":"x"}"#;
const NO: &str = r#""error":{"code":2,"message":"x"}"#;

/// An answer on the channel of books that are joined with a snapshot over REST.
fn update_answer(id: i32, event: &str, rest: &str) -> String {
    format!(r#"{{"time":1,"id":{id},"channel":"spot.order_book_update","event":"{event}",{rest}}}"#)
}

const REFUSED: LinkEvent = LinkEvent::Refused { symbol: Some(SymbolId(0)), stream: StreamKind::Book };

#[test]
fn also_where_snapshots_come_over_rest_the_subscription_is_ended_and_begun_again() {
    let yes = r#""result":{"status":"success"}"#;
    // The end may be refused, which means that nothing stood; and an answer may lack the number.
    for (number, end) in [(true, yes), (true, NO), (true, BUSY), (false, yes)] {
        let (mut link, mut out) = connected(BookChannel::Update100, &[0, 1]);
        let answer = |id, event: &str, rest: &str| {
            let answer = update_answer(id, event, rest);
            if number { answer } else { answer.replace(&format!("\"id\":{id},"), "") }
        };
        hear(&mut link, at(1), &answer(1, "subscribe", yes), &mut out);
        hear(&mut link, at(1), &answer(2, "subscribe", yes), &mut out);
        let again = Input::Resubscribe(SymbolId(0));
        handle(&mut link, at(2), again, &mut out);
        let request = |id: i32, event: &str, secs: i64| {
            format!(
                r#"{{"time":{secs},"id":{id},"channel":"spot.order_book_update","event":"{event}","payload":["BTC_USDT","100ms"]}}"#
            )
        };
        assert_eq!(sent(&out), [request(3, "unsubscribe", 1_700_000_002)]);
        handle(&mut link, at(2), again, &mut out);
        assert!(out.is_empty(), "it is under way");
        hear(&mut link, at(3), &answer(3, "unsubscribe", end), &mut out);
        assert_eq!(sent(&out), [request(4, "subscribe", 1_700_000_003)], "{end}");
        hear(&mut link, at(4), &answer(4, "subscribe", yes), &mut out);
        assert_eq!((out.link.as_slice(), out.effects.len()), ([SUBSCRIBED].as_slice(), 0));
        assert!(link.wakeup_at() > Some(at(12)), "nothing is waited for");
    }
}

#[test]
fn a_refused_book_is_asked_for_again_and_one_that_cannot_be_sent_is_refused_again() {
    let (mut link, mut out) = connected(BookChannel::Update20, &[0]);
    hear(&mut link, at(1), &update_answer(1, "subscribe", NO), &mut out);
    assert_eq!(out.link, [REFUSED]);
    handle(&mut link, at(11), Input::Resubscribe(SymbolId(0)), &mut out);
    assert!(sent(&out)[0].contains("\"id\":2,") && sent(&out)[0].contains("\"subscribe\""), "{out:?}");
    hear(&mut link, at(12), &update_answer(2, "subscribe", NO), &mut out);
    assert_eq!(out.link, [REFUSED]);

    handle(&mut link, at(12), Input::Resubscribe(SymbolId(3)), &mut out);
    assert_eq!(out.link, [LinkEvent::Refused { symbol: Some(SymbolId(3)), stream: StreamKind::Book }]);
    handle(&mut link, at(12), Input::Resubscribe(SymbolId(2)), &mut out);
    assert!(out.is_empty(), "not carried here");
}

/// What the exchange knows of one `spot.obu` stream, and how many more requests it cannot serve.
struct Obu {
    stands: bool,
    busy: u32,
}

impl Obu {
    /// Its answer to a request (GATEIO-WS-15).
    fn answer(&mut self, request: &str) -> String {
        let json: sonic_rs::Value = sonic_rs::from_str(request).expect("JSON");
        let event = if request.contains("\"unsubscribe\"") { "unsubscribe" } else { "subscribe" };
        let (begins, was) = (event == "subscribe", self.stands);
        let rest = if self.busy > 0 {
            self.busy -= 1;
            BUSY
        } else if begins && was {
            r#""error":{"code":2,"message":"Alert sub ob.BTC_USDT.50"}"#
        } else {
            self.stands = begins;
            r#""result":{"status":"success"}"#
        };
        format!(r#"{{"time":1,"id":{},"channel":"spot.obu","event":"{event}",{rest}}}"#, json["id"])
    }
}

#[test]
fn an_obu_book_that_could_not_be_ended_is_ended_once_the_exchange_can_again() {
    for busy in 0..12 {
        let (mut link, mut out) = connected(BookChannel::Obu20, &[0]);
        hear(&mut link, at(0), &answer(1, "subscribe"), &mut out);
        let mut exchange = Obu { stands: true, busy };
        handle(&mut link, at(1), Input::Resubscribe(SymbolId(0)), &mut out);
        let (mut secs, mut refusals, mut retry_at) = (1, 0, None);
        while !out.link.contains(&SUBSCRIBED) {
            if out.link.contains(&REFUSED) {
                refusals += 1;
                // So long the book rests before it asks again.
                retry_at = Some(secs + 10);
            }
            let asked: Vec<String> = sent(&out).iter().map(|text| (*text).to_owned()).collect();
            if let Some(request) = asked.iter().find(|text| text.contains("BTC_USDT")) {
                hear(&mut link, at(secs), &exchange.answer(request), &mut out);
            } else {
                secs += 1;
                assert!(secs < 120, "refused for ever after {busy} failures");
                let pong = r#"{"time":1,"channel":"spot.pong","event":"","result":null}"#;
                hear(&mut link, at(secs), pong, &mut out);
                let is_time = retry_at == Some(secs);
                let input = if is_time { Input::Resubscribe(SymbolId(0)) } else { Input::Wake };
                handle(&mut link, at(secs), input, &mut out);
            }
            assert!(!out.effects.iter().any(|effect| matches!(effect, Effect::Reconnect(_))), "{busy}");
        }
        assert!(exchange.stands);
        assert_eq!(refusals, (busy + 1) / 4, "three ends and then a beginning are tried at a time");
    }
}

#[test]
fn a_refused_obu_book_is_ended_before_it_is_asked_for_again() {
    let (mut link, mut out) = connected(BookChannel::Obu20, &[0]);
    hear(&mut link, at(1), &update_answer(1, "subscribe", NO).replace("order_book_update", "obu"), &mut out);
    assert_eq!(out.link, [REFUSED]);
    handle(&mut link, at(11), Input::Resubscribe(SymbolId(0)), &mut out);
    assert!(sent(&out)[0].contains("\"unsubscribe\""), "it may stand: {out:?}");
    hear(
        &mut link,
        at(12),
        &update_answer(2, "unsubscribe", NO).replace("order_book_update", "obu"),
        &mut out,
    );
    assert!(sent(&out)[0].contains("\"subscribe\""), "it does not: {out:?}");
}

proptest::proptest! {
    /// The promise of `Link`: whatever the exchange does, a wish ends.
    #[test]
    fn every_wish_to_resubscribe_ends(
        channel in 0..4usize,
        answers in proptest::collection::vec(0..5usize, 1..6),
        begun in proptest::bool::ANY,
    ) {
        use BookChannel::{Obu20, Obu100, Update20, Update100};
        let channel = [Update20, Update100, Obu20, Obu100][channel];
        let (mut link, mut out) = connected(channel, &[0, 1]);
        if begun {
            hear(&mut link, at(0), &answer(1, "subscribe"), &mut out);
            hear(&mut link, at(0), &answer(2, "subscribe"), &mut out);
        }
        let mut answers = answers.iter().copied().cycle();
        handle(&mut link, at(1), Input::Resubscribe(SymbolId(0)), &mut out);
        let (mut now, mut ended) = (1, false);
        while !ended && now <= 60 {
            let asked: Vec<String> =
                sent(&out).iter().filter(|text| text.contains("BTC_USDT")).map(|text| (*text).to_owned()).collect();
            let mut next = Outbox::default();
            for text in asked {
                let member = |name: &str| -> String {
                    let json: sonic_rs::Value = sonic_rs::from_str(&text).expect("JSON");
                    json[name].to_string()
                };
                let (id, name, event) = (member("id"), member("channel"), member("event"));
                let answer = |rest: &str| format!(r#"{{"time":1,{rest},"channel":{name},"event":{event}}}"#);
                let answer = match answers.next().expect("endless") {
                    0 => continue,
                    1 => answer(&format!(r#""id":{id}"#)),
                    2 => answer(r#""result":null"#),
                    3 => answer(&format!(r#""id":{id},{NO}"#)),
                    _ => answer(&format!(r#""id":{id},{BUSY}"#)),
                };
                link.handle(at(now), Input::Text(answer.as_bytes()), &mut next).expect("an answer");
            }
            if next.is_empty() {
                now += 1;
                let pong = r#"{"time":1,"channel":"spot.pong","event":"","result":null}"#;
                link.handle(at(now), Input::Text(pong.as_bytes()), &mut next).expect("a pong");
                link.handle(at(now), Input::Wake, &mut next).expect("awake");
            }
            ended = next.link.iter().any(|event| [SUBSCRIBED, REFUSED].contains(event))
                || next.effects.iter().any(|effect| matches!(effect, Effect::Reconnect(_)));
            out = next;
        }
        proptest::prop_assert!(ended, "not ended at second {}", now);
    }
}

#[test]
fn an_unanswered_request_is_repeated_and_then_the_connection_given_up() {
    let (mut link, mut out) = connected(BookChannel::Update20, &[0]);
    let pong = r#"{"time":1,"channel":"spot.pong","event":"","result":null}"#;
    let mut asked = 1;
    for secs in 1..=40 {
        hear(&mut link, at(secs), pong, &mut out);
        if link.wakeup_at().is_some_and(|due| due <= at(secs)) {
            handle(&mut link, at(secs), Input::Wake, &mut out);
            asked += sent(&out).iter().filter(|text| text.contains("subscribe")).count();
            if out.effects.contains(&Effect::Reconnect(CloseReason::Silent)) {
                assert_eq!((asked, secs), (3, 30));
                return;
            }
        }
    }
    panic!("never given up");
}

#[test]
fn an_unanswered_obu_request_is_ended_before_it_is_repeated() {
    let (mut link, mut out) = connected(BookChannel::Obu100, &[0]);
    handle(&mut link, at(10), Input::Wake, &mut out);
    assert_eq!(sent(&out).len(), 1);
    assert!(sent(&out)[0].contains("unsubscribe"), "{:?}", out.effects);
    let refused =
        r#"{"time":1,"id":2,"channel":"spot.obu","event":"unsubscribe","error":{"code":2,"message":"x"}}"#;
    hear(&mut link, at(11), refused, &mut out);
    assert!(sent(&out)[0].contains("\"subscribe\""), "{:?}", out.effects);
}

#[test]
fn an_exchange_that_cannot_just_now_is_asked_again_later() {
    let (mut link, mut out) = connected(BookChannel::Update20, &[0]);
    let busy = r#"{"time":1,"id":1,"channel":"spot.order_book_update","event":"subscribe","error":{"code":3,"message":"x"}}"#;
    hear(&mut link, at(0), busy, &mut out);
    assert!(out.is_empty(), "{out:?}");
    assert_eq!(link.wakeup_at(), Some(at(2)));
    handle(&mut link, at(2), Input::Wake, &mut out);
    assert_eq!(sent(&out).len(), 1);
}

#[test]
fn answers_without_a_number_are_told_by_channel_and_payload() {
    let (mut link, mut out) = connected(BookChannel::Update20, &[0, 1]);
    let with = |payload: &str| {
        format!(
            r#"{{"time":1,"channel":"spot.order_book_update","event":"subscribe"{payload},"result":{{"status":"success"}}}}"#
        )
    };
    let of = |symbol| LinkEvent::Subscribed { symbol: Some(SymbolId(symbol)), stream: StreamKind::Book };
    hear(&mut link, at(1), &with(r#","payload":["ETH_USDT","20ms"]"#), &mut out);
    assert_eq!(out.link, [of(1)]);
    hear(&mut link, at(1), &with(""), &mut out);
    assert_eq!(out.link, [of(0)]);
    hear(&mut link, at(1), &with(""), &mut out);
    assert!(out.is_empty(), "an answer to nobody");
}

#[test]
fn a_new_connection_starts_over() {
    let (mut link, mut out) = connected(BookChannel::Update20, &[0]);
    hear(&mut link, at(1), &answer(1, "subscribe"), &mut out);
    handle(&mut link, at(2), Input::Disconnected, &mut out);
    assert_eq!((out.link.as_slice(), link.wakeup_at()), ([LinkEvent::Down].as_slice(), None));
    handle(&mut link, at(3), Input::Start, &mut out);
    assert_eq!(out.effects, [Effect::Connect("wss://x".to_owned())]);
    handle(&mut link, at(4), Input::Connected, &mut out);
    assert!(sent(&out)[0].contains("\"id\":1,"), "{:?}", out.effects);
    handle(&mut link, at(5), Input::Stop, &mut out);
    assert_eq!((out.is_empty(), link.wakeup_at()), (true, None));
}

#[test]
fn data_may_come_before_the_answer_and_after_a_notice() {
    let (mut link, mut out) = connected(BookChannel::Update20, &[0]);
    let frame = r#"{"time":1,"channel":"spot.order_book_update","event":"update","result":{"t":1,"s":"ETH_USDT","U":1,"u":2,"b":[],"a":[["5","1"]]}}"#;
    let book =
        |out: &Outbox| matches!(out.market[..], [MarketEvent::Book(update)] if update.symbol == SymbolId(1));
    hear(&mut link, at(0), frame, &mut out);
    assert!(book(&out));
    hear(&mut link, at(0), r#"{"type":"upgrade","msg":"soon"}"#, &mut out);
    assert_eq!(out.effects, [Effect::Reconnect(CloseReason::Announced)]);
    hear(&mut link, at(0), frame, &mut out);
    assert!(book(&out));
    hear(&mut link, at(1), &answer(1, "subscribe").replace("spot.obu", "spot.order_book_update"), &mut out);
    assert_eq!(out.link, [SUBSCRIBED], "answers count until the end");
    handle(&mut link, at(2), Input::Resubscribe(SymbolId(0)), &mut out);
    assert!(sent(&out)[0].contains("unsubscribe"), "and so do wishes");
    hear(&mut link, at(3), r#"{"type":"upgrade","msg":"soon"}"#, &mut out);
    assert!(out.effects.is_empty(), "once a connection");
}

/// One request for each pair, depth and length (GATEIO-WS-26, GATEIO-WS-27).
#[test]
fn candles_and_best_levels_are_asked_for_one_by_one() {
    let wish = |symbol, stream| Subscription { symbol: SymbolId(symbol), stream };
    let wanted = [
        wish(0, StreamKind::TopLevels(20)),
        wish(1, StreamKind::TopLevels(20)),
        wish(0, StreamKind::Klines(cex_core::KlineInterval::Week1)),
    ];
    let streams = Streams { book: BookChannel::Update20, top_levels: TopLevelsInterval::Ms1000 };
    let (url, markets) = ("wss://x".to_owned(), Arc::new(markets()));
    let mut link = MarketLink::new("gateio".to_owned(), venue(), url, streams, &markets, &wanted, vec![]);
    let mut out = Outbox::default();
    handle(&mut link, at(0), Input::Start, &mut out);
    handle(&mut link, at(0), Input::Connected, &mut out);
    let asked: Vec<_> =
        sent(&out).iter().map(|text| text.split_once("\"channel\":").expect("one").1).collect();
    assert_eq!(
        asked,
        [
            r#""spot.order_book","event":"subscribe","payload":["BTC_USDT","20","1000ms"]}"#,
            r#""spot.order_book","event":"subscribe","payload":["ETH_USDT","20","1000ms"]}"#,
            r#""spot.candlesticks","event":"subscribe","payload":["7d","BTC_USDT"]}"#,
        ]
    );
    let refusal = r#"{"time":1,"id":2,"channel":"spot.order_book","event":"subscribe","error":{"code":2,"message":"x"}}"#;
    hear(&mut link, at(1), refusal, &mut out);
    let refused = LinkEvent::Refused { symbol: Some(SymbolId(1)), stream: StreamKind::TopLevels(20) };
    assert_eq!(out.link, [refused]);
}

#[test]
fn best_levels_that_cannot_be_read_leave_nothing_behind() {
    let (mut link, mut out) = connected(BookChannel::Update20, &[0]);
    let frame = r#"{"time":1,"channel":"spot.order_book","event":"update","result":{"t":1,"lastUpdateId":5,"s":"BTC_USDT","l":"5","bids":[["5","1"]],"asks":[["x","1"]]}}"#;
    out.clear();
    assert!(link.handle(at(0), Input::Text(frame.as_bytes()), &mut out).is_err());
    assert!(out.levels.is_empty() && out.market.is_empty());
    assert_eq!(out.link, [LinkEvent::Undecodable { symbol: Some(SymbolId(0)) }]);
}

#[test]
fn a_frame_that_cannot_be_read_makes_its_book_stale() {
    let (mut link, mut out) = connected(BookChannel::Update20, &[0]);
    let frame = |price: &str| {
        format!(
            r#"{{"time":1,"channel":"spot.order_book_update","event":"update","result":{{"t":1,"s":"BTC_USDT","U":1,"u":2,"b":[["5","1"]],"a":[["{price}","1"]]}}}}"#
        )
    };
    for (frame, symbol) in [
        (frame("37001.35"), Some(SymbolId(0))),
        (frame("1e5"), Some(SymbolId(0))),
        (frame("6").replace("}}", ""), None),
        (r#"{"time":1,"channel":"spot.trades","event":"update","result":{"id":1}}"#.to_owned(), None),
        ("\u{0}".to_owned(), None),
    ] {
        out.clear();
        let refused = link.handle(at(0), Input::Text(frame.as_bytes()), &mut out).expect_err("refused");
        assert!(matches!(refused.kind, ErrorKind::Undecodable(_)));
        assert_eq!(out.link, [LinkEvent::Undecodable { symbol }], "{frame}");
        assert!(out.market.is_empty() && out.levels.is_empty());
    }
    out.clear();
    assert!(link.handle(at(0), Input::Binary(b"\x01"), &mut out).is_err());
    handle(&mut link, at(0), Input::Text(frame("6").as_bytes()), &mut out);
    assert_eq!(out.market.len(), 1);
    assert_eq!(link.name(), "gateio book 1");
    assert_eq!(link.handle(at(40), Input::Wake, &mut out), Ok(()));
}

/// The parser would overflow the stack, and with it end the program.
#[test]
fn a_frame_that_nests_too_deep_is_refused() {
    let (mut link, mut out) = connected(BookChannel::Update20, &[0]);
    let (arrays, objects) = ("[".repeat(65_536), "{\"a\":".repeat(13_107));
    let update = |channel: &str, rest: &str| {
        format!(r#"{{"time":1,"channel":"{channel}","event":"update","result":{rest}}}"#)
    };
    // A refusal carries JSON inside of a string.
    let inside = format!(
        r#"{{"time":1,"id":1,"channel":"spot.order_book_update","event":"subscribe","error":{{"code":4,"message":"{arrays}"}}}}"#
    );
    hear(&mut link, at(0), &inside, &mut out);
    assert_eq!(out.link, [REFUSED], "a string of brackets is a string");
    let recorded = crate::RecordedFrames::new(venue(), &Arc::new(markets()));
    for frame in [
        update("spot.trades", &arrays),
        update("spot.order_book_update", &objects),
        update("spot.order_book_update", &format!(r#"{{"t":1,"s":"BTC_USDT","U":1,"u":2,"b":{arrays}}}"#)),
        format!(r#"{{"error":{objects}"#),
        arrays,
        objects,
    ] {
        out.clear();
        let refused = link.handle(at(0), Input::Text(frame.as_bytes()), &mut out).expect_err("refused");
        assert_eq!(refused.kind, ErrorKind::Undecodable("nested too deep"), "{frame:.90}");
        assert_eq!(out.link, [LinkEvent::Undecodable { symbol: None }]);
        out.clear();
        assert_eq!(recorded.decode(frame.as_bytes(), &mut out), Err(refused));
    }
}

#[test]
fn silence_ends_a_connection() {
    let (mut link, mut out) = connected(BookChannel::Update20, &[0]);
    hear(&mut link, at(1), &answer(1, "subscribe"), &mut out);
    handle(&mut link, at(16), Input::Wake, &mut out);
    handle(&mut link, at(31), Input::Wake, &mut out);
    assert_eq!(out.effects.last(), Some(&Effect::Reconnect(CloseReason::Silent)));
    assert_eq!(at(31) - Duration::from_secs(30), at(1));
}

/// The frame's own, as a gateway answers whose exchange is gone (W2).
#[test]
fn pongs_alone_do_not_keep_a_connection() {
    let (mut link, mut out) = connected(BookChannel::Update20, &[0]);
    hear(&mut link, at(1), &answer(1, "subscribe"), &mut out);
    for second in 2..60 {
        handle(&mut link, at(second), Input::Pong, &mut out);
        if link.wakeup_at().is_some_and(|due| due <= at(second)) {
            handle(&mut link, at(second), Input::Wake, &mut out);
        }
        if out.effects.last() == Some(&Effect::Reconnect(CloseReason::Silent)) {
            assert_eq!(second, 31);
            return;
        }
    }
    panic!("it was kept");
}
