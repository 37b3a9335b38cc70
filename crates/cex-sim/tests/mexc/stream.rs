//! What is said on connections: control frames, limits, listen keys, endings.

use crate::bench::{BTC, Bench, Received, code, parse, text};
use crate::wire::vectors;
use cex_core::Side;
use cex_sim::dialect::mexc::{ConnectionRules, ExpiredStreams, MexcConfig};
use cex_sim::dialect::{ConnId, Dialect, Message};
use sonic_rs::{JsonContainerTrait as _, JsonValueTrait as _};
use std::time::Duration;

const DEPTH: &str = "spot@public.aggre.depth.v3.api.pb@10ms@BTCUSDT";

#[test]
fn control_frames_of_the_reference_are_answered_alike() {
    let vectors = vectors();
    let pairs = vectors["control_frames"].as_array().expect("a list");
    assert_eq!(pairs.len(), 8);
    let mut bench = Bench::new();
    let conn = bench.open(1, "");
    for pair in pairs {
        let sent = pair.get("send_text").map_or_else(|| pair["send"].to_string(), |raw| text(raw).to_owned());
        assert_eq!(bench.send(conn, &sent), pair["receive"], "{}", text(&pair["name"]));
    }
}

#[test]
fn garbage_is_answered_and_survived() {
    let mut bench = Bench::new();
    let conn = bench.open(1, "");
    let expected = parse(r#"{"id":0,"code":0,"msg":"msg format invalid"}"#);
    for garbage in ["", "{}", "[]", "null", r#"{"method":3}"#, r#"{"method":"NOTHING"}"#, &"x".repeat(65_536)]
    {
        assert_eq!(bench.send(conn, garbage), expected, "{garbage:.20}");
    }
    let mut out = Vec::new();
    bench.mexc.message(bench.now, &mut bench.exchange, conn, Message::Binary(&[0, 159]), &mut out);
    assert_eq!(out.len(), 1);
    let blocked = r#"{"id":0,"code":0,"msg":"Not Subscribed successfully! [].  Reason： Blocked! "}"#;
    for params in ["", r#","params":[]"#, r#","params":[1,{}]"#, r#","params":"x""#] {
        let answer = bench.send(conn, &format!(r#"{{"method":"SUBSCRIPTION"{params}}}"#));
        assert_eq!(answer, parse(blocked), "{params}");
    }
    let quoted = bench.send(conn, r#"{"method":"SUBSCRIPTION","params":["a\"b"]}"#);
    assert_eq!(text(&quoted["msg"]), "Not Subscribed successfully! [a\"b].  Reason： Blocked! ");
}

#[test]
fn thirty_channels_fit_on_a_connection() {
    let mut bench = Bench::new();
    let conn = bench.open(1, "");
    let mut names: Vec<String> = Vec::new();
    for symbol in ["BTCUSDT", "MXUSDT", "龙虾USDT"] {
        for speed in ["10ms", "100ms"] {
            for topic in ["depth", "deals", "bookTicker"] {
                names.push(format!("spot@public.aggre.{topic}.v3.api.pb@{speed}@{symbol}"));
            }
        }
        for depth in [5, 10, 20] {
            names.push(format!("spot@public.limit.depth.v3.api.pb@{symbol}@{depth}"));
        }
        names.push(format!("spot@public.kline.v3.api.pb@{symbol}@Min1"));
    }
    assert_eq!(names.len(), 30);
    let request = |names: &[String]| {
        format!(r#"{{"id":3,"method":"SUBSCRIPTION","params":["{}"]}}"#, names.join("\",\""))
    };
    assert_eq!(text(&bench.send(conn, &request(&names[..20]))["msg"]), names[..20].join(","));
    assert_eq!(
        text(&bench.send(conn, &request(&names[10..]))["msg"]),
        names[10..].join(","),
        "again is no more"
    );
    let one_more = "spot@public.bookTicker.batch.v3.api.pb@BTCUSDT".to_owned();
    let refused = bench.send(conn, &request(&[names[0].clone(), one_more.clone()]));
    let expected = format!(
        "Subscribed successful! [{}]. Not Subscribed successfully! [{one_more}].  Reason： Blocked! ",
        names[0]
    );
    assert_eq!((text(&refused["msg"]), refused["id"].as_i64()), (expected.as_str(), Some(3)));
    let leave = format!(r#"{{"method":"UNSUBSCRIPTION","params":["{}"]}}"#, names[0]);
    assert_eq!(text(&bench.send(conn, &leave)["msg"]), names[0]);
    assert_eq!(text(&bench.send(conn, &request(std::slice::from_ref(&one_more)))["msg"]), one_more);
}

#[test]
fn frames_stop_with_the_subscription() {
    let mut bench = Bench::new();
    let (one, two) = (bench.open(1, ""), bench.open(2, ""));
    bench.subscribe(one, DEPTH);
    bench.subscribe(two, DEPTH);
    bench.rest(BTC, Side::Buy, "100", "1");
    bench.pass(Duration::from_millis(20));
    let (first, second) = (bench.take(one), bench.take(two));
    assert_eq!((first.len(), &first), (1, &second));
    bench.send(one, &format!(r#"{{"method":"unsubscription","params":["{DEPTH}"]}}"#));
    bench.mexc.closed(two);
    bench.rest(BTC, Side::Buy, "99", "1");
    bench.pass(Duration::from_secs(1));
    assert_eq!((bench.take(one), bench.take(two)), (vec![], vec![]));
}

#[test]
fn private_channels_need_a_listen_key() {
    let mut bench = Bench::new();
    let conn = bench.open(1, "");
    let name = "spot@private.orders.v3.api.pb";
    let answer = bench.send(conn, &format!(r#"{{"method":"SUBSCRIPTION","params":["{name}"]}}"#));
    assert_eq!(text(&answer["msg"]), format!("Not Subscribed successfully! [{name}].  Reason： Blocked! "));
    let wrong = bench.open(2, "listenKey=abc");
    bench.pass(Duration::ZERO);
    assert_eq!(bench.take(wrong), [Received::Text("Invalid listen key".to_owned())], "told at once");
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.take(wrong), [Received::Close], "and closed when it had time to read");
    assert!(bench.mexc.open(bench.now, ConnId(3), "/other", "").is_err());
    bench.open_private(4, &["account", "deals", "orders"]);
}

#[test]
fn listen_keys_are_made_listed_extended_and_deleted() {
    let mut bench = Bench::new();
    let (_, made) = bench.signed("POST", "userDataStream", "");
    let key = text(&made["listenKey"]).to_owned();
    assert_eq!(key.len(), 64);
    let (_, other) = bench.signed("POST", "userDataStream", "");
    assert_ne!(text(&other["listenKey"]), key);
    let (_, list) = bench.signed("GET", "userDataStream", "");
    assert_eq!((list["total"].as_i64(), list["available"].as_i64()), (Some(60), Some(58)));
    assert_eq!(list["listenKey"].as_array().map(sonic_rs::Array::len), Some(2));
    let extended = bench.signed("PUT", "userDataStream", &format!("listenKey={key}"));
    assert_eq!(extended, (200, parse(&format!(r#"{{"listenKey":"{key}"}}"#))), "nothing but the key");
    assert_eq!(bench.signed("DELETE", "userDataStream", &format!("listenKey={key}")).0, 200);
    assert_eq!(code(&bench.signed("PUT", "userDataStream", &format!("listenKey={key}"))), 730_002);
    assert_eq!(code(&bench.signed("PUT", "userDataStream", "")), 700_004);
}

/// A connection that would never be closed for anything but its key.
fn patient(expired_streams: ExpiredStreams) -> Bench {
    Bench::with(MexcConfig { connections: None, expired_streams, ..MexcConfig::default() })
}

#[test]
fn a_stream_ends_with_its_listen_key() {
    let mut bench = patient(ExpiredStreams::Close);
    let conn = bench.open_private(1, &["orders"]);
    let (_, keys) = bench.signed("GET", "userDataStream", "");
    let key = text(&keys["listenKey"][0]).to_owned();
    bench.pass(Duration::from_secs(3_000));
    bench.signed("PUT", "userDataStream", &format!("listenKey={key}"));
    bench.pass(Duration::from_secs(3_599));
    assert_eq!(bench.take(conn), [], "extended in time");
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.take(conn), [Received::Close]);
    let late = bench.open(2, &format!("listenKey={key}"));
    bench.pass(Duration::ZERO);
    assert_eq!(bench.take(late)[0], Received::Text("Invalid listen key".to_owned()));
}

#[test]
fn a_deleted_key_may_only_silence_its_streams() {
    let mut bench = patient(ExpiredStreams::GoSilent);
    let conn = bench.open_private(1, &["account"]);
    let (_, keys) = bench.signed("GET", "userDataStream", "");
    bench.signed("DELETE", "userDataStream", &format!("listenKey={}", text(&keys["listenKey"][0])));
    bench.pass(Duration::ZERO);
    bench.signed("POST", "order", "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=50");
    assert_eq!(bench.take(conn), [], "silent, and open");
    assert_eq!(text(&bench.send(conn, r#"{"method":"PING"}"#)["msg"]), "PONG");
}

#[test]
fn five_connections_share_a_listen_key() {
    let mut bench = Bench::new();
    bench.open_private(1, &["orders"]);
    let (_, keys) = bench.signed("GET", "userDataStream", "");
    let query = format!("listenKey={}", text(&keys["listenKey"][0]));
    for conn in 2..=6 {
        bench.open(conn, &query);
    }
    bench.pass(Duration::ZERO);
    assert_eq!(bench.take(ConnId(5)), [], "the fifth may stay");
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.take(ConnId(6)).len(), 2, "told and closed");
}

#[test]
fn connections_end_by_the_rules() {
    let secs = Duration::from_secs;
    let rules = ConnectionRules { unsubscribed: secs(30), silent: secs(60), life: secs(300) };
    let mut bench = Bench::with(MexcConfig { connections: Some(rules), ..MexcConfig::default() });
    let (idle, quiet, lively, pinging) =
        (bench.open(1, ""), bench.open(2, ""), bench.open(3, ""), bench.open(4, ""));
    for conn in [quiet, pinging] {
        bench.subscribe(conn, "spot@public.aggre.depth.v3.api.pb@10ms@MXUSDT");
    }
    bench.subscribe(lively, DEPTH);
    let mut closed = Vec::new();
    for second in 1..=300 {
        bench.rest(BTC, Side::Buy, "100", "1");
        if second % 20 == 0 {
            bench.send(pinging, r#"{"method":"PING"}"#);
        }
        bench.pass(secs(1));
        for (name, conn) in [(1, idle), (2, quiet), (3, lively), (4, pinging)] {
            if bench.take(conn).contains(&Received::Close) {
                closed.push((name, second));
            }
        }
    }
    assert_eq!(closed, [(1, 30), (2, 60), (3, 300), (4, 300)]);
}

#[test]
fn who_unsubscribes_everything_has_thirty_seconds() {
    let mut bench = Bench::new();
    let conn = bench.open(1, "");
    bench.subscribe(conn, DEPTH);
    bench.pass(Duration::from_secs(40));
    bench.send(conn, &format!(r#"{{"method":"UNSUBSCRIPTION","params":["{DEPTH}"]}}"#));
    bench.pass(Duration::from_secs(29));
    assert_eq!(bench.take(conn), []);
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.take(conn), [Received::Close]);
}

#[test]
fn a_hundred_messages_a_second_are_the_limit() {
    for (rate_limits, is_closed) in [(false, false), (true, true)] {
        let mut bench = Bench::with(MexcConfig { rate_limits, ..MexcConfig::default() });
        let conn = bench.open(1, "");
        let mut out = Vec::new();
        for _ in 0..101 {
            let ping = Message::Text(r#"{"method":"PING"}"#);
            bench.mexc.message(bench.now, &mut bench.exchange, conn, ping, &mut out);
        }
        bench.settle(out);
        assert_eq!(bench.take(conn).contains(&Received::Close), is_closed);
    }
}
