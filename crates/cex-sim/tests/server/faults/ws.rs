//! Frames that are lost, late, double or spoilt; subscriptions that are refused; connections that die.

use super::{Gateio, Mexc, btc, decimal, fired, inject};
use crate::client::{Http, Ws, run, start_quiet, text};
use cex_core::Side;
use cex_sim::fault::{Fault, Frames, Stream, WsEffect};
use cex_sim::server::SimHandle;
use fastwebsockets::OpCode;
use sonic_rs::{JsonValueTrait as _, Value};
use std::time::Duration;

/// Subscribes to bitcoin's trades.
async fn trades(sim: &SimHandle) -> Ws {
    let mut ws = Ws::connect(sim, Gateio).await.expect("connected");
    ws.subscribe("spot.trades", r#"["BTC_USDT"]"#).await;
    ws
}

/// Lets something trade at Gate.io: one trade of this many lots of 0.001.
fn trade(sim: &SimHandle, lots: u32) {
    let qty = decimal(&format!("0.{lots:03}"));
    for side in [Side::Sell, Side::Buy] {
        sim.place_quote(Gateio, btc(), side, decimal("1000"), qty).expect("on the grid");
    }
}

fn amount(frame: &Value) -> String {
    text(&frame["result"]["amount"]).to_owned()
}

/// The amounts of the next trades.
async fn amounts(ws: &mut Ws, count: usize) -> Vec<String> {
    let mut amounts = Vec::new();
    while amounts.len() < count {
        let frame = ws.next(|frame| frame["event"].as_str() == Some("update")).await;
        amounts.push(amount(&frame));
    }
    amounts
}

#[test]
fn frames_are_lost_doubled_swapped_and_late() {
    let cases: [(WsEffect, &[&str]); 5] = [
        (WsEffect::Drop, &["0.004", "0.006"]),
        (WsEffect::Duplicate, &["0.004", "0.005", "0.005", "0.006"]),
        (WsEffect::Reorder, &["0.004", "0.006", "0.005"]),
        (WsEffect::Delay(Duration::from_secs(1)), &["0.004", "0.006", "0.005"]),
        (WsEffect::Mute, &["0.004"]),
    ];
    run(async {
        for (effect, expected) in cases {
            let sim = start_quiet();
            let mut ws = trades(&sim).await;
            let fault = Fault::ws(Stream::Public, &["spot.trades", "BTC_USDT"], effect.clone()).skip(1);
            let id = inject(&sim, Gateio, fault);
            (4..7).for_each(|lots| trade(&sim, lots));
            assert_eq!(amounts(&mut ws, expected.len()).await, expected, "{effect}");
            assert_eq!(fired(&sim, id), 1, "{effect}");
            // All that came before the answer to a ping has come.
            ws.send(r#"{"time":1,"channel":"spot.ping"}"#).await.expect("sent");
            let next = ws.next(|_| true).await;
            assert_eq!(next["channel"].as_str(), Some("spot.pong"), "{effect}: {next:?}");
        }
    });
}

#[test]
fn a_muted_symbol_is_heard_again_once_it_is_cleared() {
    run(async {
        let sim = start_quiet();
        let mut ws = trades(&sim).await;
        let id = inject(&sim, Gateio, Fault::ws(Stream::Any, &["BTC_USDT"], WsEffect::Mute));
        (4..7).for_each(|lots| trade(&sim, lots));
        sim.clear(id).expect("it is there");
        trade(&sim, 8);
        assert_eq!(amounts(&mut ws, 1).await, ["0.008"]);
    });
}

#[test]
fn frames_are_spoilt() {
    run(async {
        let sim = start_quiet();
        let mut ws = trades(&sim).await;
        let whole = {
            trade(&sim, 5);
            ws.read().await.expect("a frame").1
        };
        let fault = |effect| Fault::ws(Stream::Any, &["spot.trades"], effect);
        inject(&sim, Gateio, fault(WsEffect::Truncate(10)));
        trade(&sim, 5);
        assert_eq!(ws.read().await.expect("a frame"), (OpCode::Text, whole[..10].to_vec()));
        inject(&sim, Gateio, fault(WsEffect::SwapKind));
        trade(&sim, 5);
        let (opcode, bytes) = ws.read().await.expect("a frame");
        assert_eq!((opcode, bytes.len()), (OpCode::Binary, whole.len()));
        let (from, to) = ("BTC_USDT".to_owned(), "XYZ_USDT".to_owned());
        inject(&sim, Gateio, fault(WsEffect::Replace { from, to }));
        trade(&sim, 5);
        let frame = ws.next(|_| true).await;
        assert_eq!(text(&frame["result"]["currency_pair"]), "XYZ_USDT");
        inject(&sim, Gateio, fault(WsEffect::Insert(r#"{"type":"upgrade"}"#.to_owned())));
        trade(&sim, 5);
        assert_eq!(ws.read().await.expect("a frame").1, br#"{"type":"upgrade"}"#);
        assert_eq!(amounts(&mut ws, 1).await, ["0.005"]);
        inject(&sim, Gateio, fault(WsEffect::PingFlood(3)));
        trade(&sim, 5);
        for _ in 0..3 {
            assert_eq!(ws.read().await.expect("a frame").0, OpCode::Ping);
        }
    });
}

#[test]
fn connections_end_properly_abruptly_or_without_a_word() {
    run(async {
        for effect in [WsEffect::Close, WsEffect::Reset, WsEffect::Blackhole] {
            let sim = start_quiet();
            let mut ws = trades(&sim).await;
            let mut other = Ws::connect(&sim, Gateio).await.expect("connected");
            inject(&sim, Gateio, Fault::ws(Stream::Any, &["spot.trades"], effect.clone()));
            trade(&sim, 5);
            match effect {
                WsEffect::Close => assert_eq!(ws.read().await.expect("a frame").0, OpCode::Close),
                WsEffect::Reset => assert!(ws.read().await.is_err()),
                _ => {
                    ws.send(r#"{"time":1,"channel":"spot.ping"}"#).await.expect("nobody says no");
                    let silence = tokio::time::timeout(Duration::from_millis(200), ws.read()).await;
                    assert!(silence.is_err(), "{silence:?}");
                }
            }
            other.subscribe("spot.trades", r#"["BTC_USDT"]"#).await;
        }
    });
}

#[test]
fn subscriptions_are_refused_as_each_exchange_refuses() {
    run(async {
        let sim = start_quiet();
        let refuse = |what: &str| Fault::ws(Stream::Any, &[what], WsEffect::RefuseSubscription);
        inject(&sim, Mexc, refuse("ETHUSDT"));
        let mut ws = Ws::connect(&sim, Mexc).await.expect("connected");
        let channel = |symbol| format!("spot@public.aggre.deals.v3.api.pb@100ms@{symbol}");
        let (good, bad) = (channel("BTCUSDT"), channel("ETHUSDT"));
        ws.send(&format!(r#"{{"method":"SUBSCRIPTION","params":["{good}","{bad}"],"id":3}}"#))
            .await
            .expect("sent");
        let answer = ws.next(|frame| frame.get("code").is_some()).await;
        let told = text(&answer["msg"]);
        assert_eq!((answer["id"].as_i64(), answer["code"].as_i64()), (Some(3), Some(0)));
        assert!(told.contains(&format!("Subscribed successful! [{good}]")), "{told}");
        assert!(
            told.contains(&format!("Not Subscribed successfully! [{bad}].  Reason： Blocked! ")),
            "{told}"
        );
        inject(&sim, Gateio, refuse("BTC_USDT"));
        let mut ws = Ws::connect(&sim, Gateio).await.expect("connected");
        let request = r#"{"time":1,"channel":"spot.trades","event":"subscribe","payload":["BTC_USDT"]}"#;
        for refused in [true, false] {
            ws.send(request).await.expect("sent");
            let answer = ws.next(|frame| frame["event"].as_str() == Some("subscribe")).await;
            assert_eq!(answer.get("error").is_some(), refused, "{answer:?}");
        }
    });
}

#[test]
fn acknowledgements_and_messages_are_lost() {
    run(async {
        let sim = start_quiet();
        let mut ws = Ws::connect(&sim, Gateio).await.expect("connected");
        let ping = r#"{"time":1,"channel":"spot.ping"}"#;
        inject(&sim, Gateio, Fault::ws(Stream::Any, &["spot.pong"], WsEffect::Drop).on(Frames::Answers));
        inject(&sim, Gateio, Fault::ws(Stream::Any, &["spot.trades"], WsEffect::Deafen));
        ws.send(ping).await.expect("sent");
        ws.send(r#"{"time":1,"channel":"spot.trades","event":"subscribe","payload":["BTC_USDT"]}"#)
            .await
            .expect("sent");
        ws.send(ping).await.expect("sent");
        assert_eq!(text(&ws.next(|_| true).await["channel"]), "spot.pong");
        assert_eq!(sim.fired().expect("running").len(), 2);
    });
}

#[test]
fn private_streams_are_told_from_public_ones() {
    run(async {
        let sim = start_quiet();
        super::fill_books(&sim);
        let account = sim.accounts()[0].clone();
        let mut public = trades(&sim).await;
        let mut private = Ws::connect(&sim, Gateio).await.expect("connected");
        private.subscribe_private(&account, "spot.orders").await;
        inject(&sim, Gateio, Fault::ws(Stream::Private, &[], WsEffect::UnknownEnum));
        let mut http = Http::connect(&sim, Gateio).await.expect("connected");
        super::buy(&mut http, "t-one").await.expect("an answer");
        let told = private.next(|frame| frame["event"].as_str() == Some("update")).await;
        assert_eq!(text(&told["result"][0]["finish_as"]), "something_new");
        assert_eq!(amounts(&mut public, 1).await, ["0.5"]);
    });
}
