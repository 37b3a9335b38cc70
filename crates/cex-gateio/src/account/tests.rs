//! The private link, told what happens to it.

use super::*;
use crate::testing::{markets, venue};
use cex_core::{Decimal, Fill, Liquidity, OrderStatus};
use cex_interface::{
    Effect, HttpResponse, Payload, Protocol, Reply, Request, Secret, TimeRange, VenueConfig,
};

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(1_700_000_000 + secs)
}

fn link() -> (AccountLink, Outbox) {
    let signer = Signer::new(Secret::new("k".to_owned()), &Secret::new("s".to_owned()));
    let mut link = AccountLink::new(venue(), "wss://x".to_owned(), &Arc::new(markets()), Arc::new(signer));
    let mut out = Outbox::default();
    link.handle(at(0), Input::Start, &mut out).expect("starts");
    link.handle(at(0), Input::Connected, &mut out).expect("connects");
    (link, out)
}

fn hear(link: &mut AccountLink, text: &str, out: &mut Outbox) -> Result<(), ExchangeError> {
    out.clear();
    link.handle(at(1), Input::Text(text.as_bytes()), out)
}

#[test]
fn every_channel_is_asked_for_at_once_and_signed_for_its_own_time() {
    let (link, out) = link();
    assert_eq!((link.name(), link.subscriptions().len()), ("gateio account", 0));
    let texts = out.effects.iter().filter_map(|effect| match effect {
        Effect::Send(Payload::Text(text)) => Some(text),
        Effect::Send(_) | Effect::Connect(_) | Effect::Request { .. } | Effect::Reconnect(_) => None,
    });
    for ((id, (channel, _)), text) in (1..).zip(CHANNELS).zip(texts) {
        let begins = format!("{{\"time\":1700000000,\"id\":{id},\"channel\":\"{channel}\",");
        assert!(text.starts_with(&begins), "{text}");
        assert!(text.contains(link.signer.stream(channel, "subscribe", 1_700_000_000).as_str()));
    }
}

#[test]
fn an_account_that_is_not_confirmed_in_time_is_tried_again() {
    let (mut link, mut out) = link();
    let pong = "{\"time\":1,\"channel\":\"spot.pong\",\"event\":\"\",\"result\":null}";
    hear(&mut link, pong, &mut out).expect("heard");
    link.handle(at(10), Input::Wake, &mut out).expect("wakes");
    assert_eq!(out.effects, [Effect::Reconnect(CloseReason::Silent)]);
    out.clear();
    link.handle(at(11), Input::Disconnected, &mut out).expect("heard");
    assert_eq!((out.link.as_slice(), link.wakeup_at()), ([LinkEvent::Down].as_slice(), None));
}

/// What the link sends, the heartbeat aside.
fn sent(out: &Outbox) -> Vec<&str> {
    let texts = out.effects.iter().filter_map(|effect| match effect {
        Effect::Send(Payload::Text(text)) => Some(text.as_str()),
        Effect::Send(_) | Effect::Connect(_) | Effect::Request { .. } | Effect::Reconnect(_) => None,
    });
    texts.filter(|text| !text.contains("spot.ping")).collect()
}

/// The refusal of a subscription, with the exchange's clock so far ahead of ours.
fn refusal(id: i32, label: &str, ahead: i64) -> String {
    let millis = at(1).as_millis() + ahead * 1_000;
    format!(
        r#"{{"time":{},"time_ms":{millis},"id":{id},"channel":"spot.orders","event":"subscribe",
        "error":{{"code":4,"message":"{{\"label\":\"{label}\",\"message\":\"x\"}}\n"}},"result":null}}"#,
        millis / 1_000
    )
}

/// GATEIO-WS-34.
#[test]
fn a_time_that_is_off_is_set_by_the_refusal_once_a_connection() {
    for (label, ahead) in [
        ("REQUEST_EXPIRED", 120),
        ("REQUEST_EXPIRED", -120),
        ("INVALID_SIGNATURE", 120),
        ("INVALID_KEY", -3_600),
    ] {
        let (mut link, mut out) = link();
        hear(&mut link, &refusal(1, label, ahead), &mut out).expect("heard");
        let time = 1_700_000_001 + ahead;
        for ((id, (channel, _)), text) in (4..).zip(CHANNELS).zip(sent(&out)) {
            let begins = format!(r#"{{"time":{time},"id":{id},"channel":"{channel}","#);
            assert!(text.starts_with(&begins), "{text}");
            assert!(text.contains(link.signer.stream(channel, "subscribe", time).as_str()), "{text}");
        }
        assert_eq!((out.effects.len(), out.link.as_slice()), (3, [].as_slice()), "{label} {ahead}");
        for id in [2, 3] {
            hear(&mut link, &refusal(id, label, ahead), &mut out).expect("heard");
            assert!(out.is_empty(), "the others of the first time say nothing new: {out:?}");
        }
        hear(&mut link, &refusal(4, label, ahead), &mut out).expect("heard");
        assert_eq!(out.effects, [Effect::Reconnect(CloseReason::Refused)], "once is enough");
        // The next connection begins with what was learned, and may learn anew.
        link.handle(at(1), Input::Disconnected, &mut out).expect("heard");
        link.handle(at(1), Input::Start, &mut out).expect("starts");
        out.clear();
        link.handle(at(1), Input::Connected, &mut out).expect("connects");
        assert!(sent(&out)[0].starts_with(&format!(r#"{{"time":{time},"#)), "{out:?}");
        hear(&mut link, &refusal(1, "REQUEST_EXPIRED", 0), &mut out).expect("heard");
        assert!(sent(&out)[0].starts_with(r#"{"time":1700000001,"#), "{out:?}");
    }
}

#[test]
fn a_refusal_of_the_key_at_the_right_time_is_final() {
    for (label, ahead) in [("INVALID_KEY", 0), ("INVALID_SIGNATURE", 29), ("FORBIDDEN", 3_600)] {
        let (mut link, mut out) = link();
        hear(&mut link, &refusal(1, label, ahead), &mut out).expect("heard");
        assert_eq!(out.effects, [Effect::Reconnect(CloseReason::Refused)], "{label} {ahead}");
    }
    let (mut link, mut out) = link();
    let timeless = r#"{"id":1,"channel":"spot.orders","event":"subscribe","error":{"code":4,"message":"{\"label\":\"REQUEST_EXPIRED\"}"}}"#;
    hear(&mut link, timeless, &mut out).expect("heard");
    assert_eq!(out.effects, [Effect::Reconnect(CloseReason::Refused)], "no time is told");
}

#[test]
fn readiness_is_told_once_a_connection() {
    let (mut link, mut out) = link();
    let answer = |id: i32| format!("{{\"time\":1,\"id\":{id},\"channel\":\"x\",\"event\":\"subscribe\"}}");
    let mut ready = 0;
    for id in [2, 1, 1, 3, 3, 2] {
        hear(&mut link, &answer(id), &mut out).expect("heard");
        ready += out.link.iter().filter(|event| **event == LinkEvent::AccountReady).count();
    }
    assert_eq!(ready, 1);
}

#[test]
fn one_bad_row_does_not_cost_the_others_their_effect() {
    let (mut link, mut out) = link();
    let row = |currency: &str, free: &str| {
        format!(
            "{{\"currency\":\"{currency}\",\"available\":\"{free}\",\"freeze\":\"0\",\"timestamp_ms\":\"5\"}}"
        )
    };
    let rows = [row("BTC", "1"), row("ETH", "nan"), row("USDT", "2")].join(",");
    let frame =
        format!("{{\"time\":1,\"channel\":\"spot.balances\",\"event\":\"update\",\"result\":[{rows}]}}");
    let refused = hear(&mut link, &frame, &mut out).expect_err("a bad row");
    assert_eq!(refused.kind, ErrorKind::Undecodable("not a plain decimal number"));
    assert_eq!(out.account.len(), 2);
    assert_eq!(out.link, [LinkEvent::Undecodable { symbol: None }]);
}

#[test]
fn orders_of_markets_that_are_not_registered_are_passed_over() {
    let (mut link, mut out) = link();
    let frame = "{\"time\":1,\"channel\":\"spot.orders\",\"event\":\"update\",\"result\":[{\"currency_pair\":\"ABC_USDT\"}]}";
    hear(&mut link, frame, &mut out).expect("no fault");
    assert!(out.is_empty());
}

/// An update of a private channel.
fn update(channel: &str, rows: &str) -> String {
    format!("{{\"time\":1,\"channel\":\"{channel}\",\"event\":\"update\",\"result\":{rows}}}")
}

/// A fill as the stream and the answers of calls tell it, with these members before its others.
fn fill_row(members: &str) -> String {
    format!(
        r#"{{{members}"order_id":"30784428","currency_pair":"BTC_USDT","create_time":1605176741,
        "create_time_ms":"1605176741123.456","side":"sell","amount":"1.00000000","role":"taker",
        "price":"10000.00000000","fee":"20","fee_currency":"USDT","point_fee":"0","gt_fee":"0"}}"#
    )
}

fn event(row: &str, channel: &str) -> AccountEvent {
    let (mut link, mut out) = link();
    hear(&mut link, &update(channel, &format!("[{row}]")), &mut out).expect(row);
    let [event] = out.account[..] else { panic!("{:?}", out.account) };
    assert!(out.link.is_empty());
    event
}

fn told(row: &str) -> Fill {
    let AccountEvent::Fill(fill) = event(row, "spot.usertrades") else { panic!("no fill") };
    fill
}

/// The same row in an answer, where numbers are strings and written otherwise.
fn asked(row: &str) -> Fill {
    let mut config = VenueConfig::public(venue());
    (config.key, config.secret) = (Secret::new("k".to_owned()), Secret::new("s".to_owned()));
    let row = row.replace("1605176741,", "\"1605176741\",").replace("10000.00000000", "10000");
    let body = format!("[{row}]");
    let response = HttpResponse { status: 200, headers: &[], body: body.as_bytes() };
    let (symbol, range) = (cex_core::SymbolId(0), TimeRange::default());
    let request = Request::MyTrades { symbol, order: None, range, limit: 5 };
    let reply = crate::Gateio::new(config).expect("valid").decode(&markets(), &request, &response);
    let Ok(Reply::Fills(fills)) = reply else { panic!("{reply:?}") };
    fills[0]
}

#[test]
fn a_fill_has_one_key_whichever_way_it_comes_also_without_a_trade_id() {
    let (stream, call) = (told(&fill_row("\"id\":5736713,")), asked(&fill_row("\"id\":\"5736713\",")));
    assert_eq!((stream.key(), stream.trade_id.as_str()), (call.key(), "5736713"));
    let nothings = ["", "\"id\":\"\",", "\"id\":null,", "\"id\":0,", "\"id\":\"-\","];
    let key = told(&fill_row("")).key();
    for nothing in nothings {
        let row = fill_row(nothing);
        assert_eq!((told(&row).key(), asked(&row).key()), (key, key), "{nothing}");
    }
    assert!(told(&fill_row("")).trade_id.as_str().starts_with('~'));
    assert_ne!(told(&fill_row("").replace("\"1.00000000\"", "\"2\"")).key(), key);
}

#[test]
fn what_is_not_under_an_identifier_of_ours_still_comes_under_the_exchanges() {
    let order = |members: &str| {
        format!(
            r#"{{{members}"currency_pair":"BTC_USDT","side":"buy","event":"put","amount":"1","left":"1","filled_total":"0"}}"#
        )
    };
    let others = [
        ("", None),
        ("\"text\":\"\",", None),
        ("\"text\":null,", None),
        ("\"text\":\"apiv4\",", Some("_apiv4")),
        ("\"text\":\"t-a.b\",", Some("_t-a_b")),
        ("\"text\":7,", Some("_7")),
    ];
    for (text, theirs) in others {
        let theirs = theirs.and_then(cex_core::ClientOrderId::new);
        let fill = told(&fill_row(&format!("\"id\":1,{text}")));
        assert_eq!((fill.order_id.as_str(), fill.client_id), ("30784428", theirs), "{text}");
        let row = order(&format!("\"id\":\"9\",{text}"));
        let AccountEvent::Order(order) = event(&row, "spot.orders") else { panic!("no order") };
        assert_eq!(
            (order.order_id.map(|id| id.to_string()), order.client_id),
            (Some("9".to_owned()), theirs)
        );
    }
    let ours = fill_row("\"id\":1,\"text\":\"t-not_ours\",");
    assert_eq!(told(&ours).client_id.map(|id| id.to_string()).as_deref(), Some("not_ours"));
    for id in ["", "\"id\":\"\",", "\"id\":null,"] {
        let row = order(&format!("{id}\"text\":\"t-abc\","));
        let AccountEvent::Order(order) = event(&row, "spot.orders") else { panic!("no order") };
        assert_eq!((order.order_id, order.client_id.is_some()), (None, true), "ours by its other name");
    }
}

#[test]
fn a_word_nobody_knows_does_not_cost_the_event() {
    let order = r#"{"id":"9","text":"t-abc","currency_pair":"BTC_USDT","side":"buy","type":"brand_new","event":"brand_new","finish_as":"brand_new",
        "amount":"1","left":"0.4","filled_amount":"0.6","filled_total":"1.2"}"#;
    let AccountEvent::Order(order) = event(order, "spot.orders") else { panic!("no order") };
    assert_eq!((order.status, order.filled_qty), (OrderStatus::Unknown, Decimal::new(6, 1)));
    let fill = told(&fill_row("\"id\":1,").replace("\"taker\"", "\"brand_new\""));
    assert_eq!((fill.liquidity, fill.fee), (Liquidity::Taker, Decimal::from(20)));
}

/// Whatever cannot be read may have been about an order of ours: the account must be asked.
#[test]
fn every_private_message_that_is_of_no_use_is_said() {
    let (mut link, mut out) = link();
    let deep = "[".repeat(65_536);
    let unnamed = "[{\"currency_pair\":\"BTC_USDT\",\"side\":\"buy\",\"event\":\"put\",\"amount\":\"1\",\"left\":\"1\",\"filled_total\":\"0\"}]";
    let texts = [
        String::new(),
        "{".to_owned(),
        "[]".to_owned(),
        "null".to_owned(),
        "\u{0}".to_owned(),
        deep.clone(),
        update("spot.orders", &deep),
        update("spot.orders", "{}"),
        update("spot.orders", "null"),
        update("spot.orders", "[7]"),
        update("spot.orders", "[{}]"),
        update("spot.orders", unnamed),
        update("spot.usertrades", &format!("[{}]", fill_row("\"id\":1,").replace("30784428", ""))),
        update("spot.balances", "[{\"currency\":\"BTC\"}]"),
        update("spot.usertrades", "[]").replace("update", "brand_new"),
        "{\"time\":1,\"channel\":\"spot.orders\",\"event\":\"update\"}".to_owned(),
    ];
    for text in texts {
        let refused = hear(&mut link, &text, &mut out).expect_err(&text);
        assert!(matches!(refused.kind, ErrorKind::Undecodable(_)), "{refused}");
        assert_eq!(out.link, [LinkEvent::Undecodable { symbol: None }], "{text:.90}");
        assert!(out.account.is_empty());
    }
    hear(&mut link, &update("spot.tickers", "null"), &mut out).expect("not ours to judge");
    assert!(out.is_empty());
}

/// GATEIO-WS-08.
#[test]
fn pongs_alone_do_not_keep_a_connection() {
    let (mut link, mut out) = link();
    for id in 1..=3 {
        let answer = format!("{{\"time\":1,\"id\":{id},\"channel\":\"x\",\"event\":\"subscribe\"}}");
        hear(&mut link, &answer, &mut out).expect("heard");
    }
    out.clear();
    for second in 2..60 {
        link.handle(at(second), Input::Pong, &mut out).expect("heard");
        if link.wakeup_at().is_some_and(|due| due <= at(second)) {
            link.handle(at(second), Input::Wake, &mut out).expect("wakes");
        }
    }
    assert_eq!(out.effects.last(), Some(&Effect::Reconnect(CloseReason::Silent)));
}

#[test]
fn other_messages_and_bytes_never_panic() {
    let (mut link, mut out) = link();
    assert!(link.handle(at(1), Input::Binary(b"\x00"), &mut out).is_err());
    for input in [Input::Pong, Input::Resubscribe(cex_core::SymbolId(0)), Input::Stop] {
        out.clear();
        assert_eq!(link.handle(at(1), input, &mut out), Ok(()));
        assert!(out.is_empty());
    }
}
