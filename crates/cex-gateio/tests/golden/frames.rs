//! Every frame of the vectors: what the server's mean to us, and whether the client's are what we send.

use crate::support::{account, frame, lines, list, markets, now, text, venue};
use cex_core::{
    ClientOrderId, KlineInterval, LinkEvent, OrderKind, OrderRequest, Price, Qty, Side, StreamKind, SymbolId,
    TimeInForce,
};
use cex_gateio::RecordedFrames;
use cex_interface::{Effect, HttpRequest, Input, Link, Outbox, Payload, Protocol, Request, Subscription};
use sonic_rs::{JsonValueMutTrait, JsonValueTrait, Value};
use std::collections::BTreeSet;
use std::time::Duration;

/// The server's frames and the events they become, on the public link and on the private one together.
const SERVER: &[(&str, &[&str])] = &[
    ("pong", &[]),
    // Answers to requests that nobody remembers say nothing; `links` below has those that somebody does.
    ("sub_trades_ack", &[]),
    ("sub_ack_doc_shape", &[]),
    ("unsub_trades_ack", &[]),
    ("obu_sub_ack", &[]),
    (
        "ticker",
        &["day BTC/USDT last 37001.2 change Some(-0.018254) volume Some(9110.473081735) at 1700000000406"],
    ),
    ("trade", &["trade BTC/USDT sell 37001.2x0.015 at 1700000000213457800 id 6812345678"]),
    (
        "candle",
        &[
            "candle BTC/USDT 1m at 1699999980 open 36995 high 37010 low 36990.1 close 37001.2 base 0.06384444 \
           quote 2362.32035 closed Some(false)",
        ],
    ),
    ("book_ticker", &["best BTC/USDT 37001.2x0.33415 37001.3x0.09 version Some(48733182) at 1700000000500"]),
    ("book_ticker_empty_side", &["best XYZ/USDT none 0.0123x900 version Some(77) at 1700000000500"]),
    (
        "order_book_limited",
        &[
            "top BTC/USDT 48791820..48791820 at 1700000000123 bids [37001.2x0.0195,37001.1x0.7341,37000.9x0.00011808,\
             37000x0.105,36999.5x0.1009] asks [37001.3x0.1638,37001.9x0.1366,37002x0.01,37002.4x0.01,37003x0.097]",
        ],
    ),
    (
        "obu_full",
        &["whole BTC/USDT 1000..1000 at 1700000000673 bids [37001.2x0.5,37001.1x0.25,37000x2] \
           asks [37001.3x0.4,37001.4x0.3,37005x1]"],
    ),
    (
        "obu_delta",
        &["delta BTC/USDT 1001..1004 at 1700000000695 bids [37001.1x0,37000.5x0.7] asks [37001.3x0.15]"],
    ),
    ("obu_delta_no_asks", &["delta BTC/USDT 1005..1005 at 1700000000715 bids [37000.5x0.6] asks []"]),
    (
        "book_update",
        &["delta BTC/USDT 2001..2006 at 1700000000123 bids [37001.2x0.0001,36988.3x0] asks [37001.3x0.6135]"],
    ),
    (
        "book_update_full",
        &["whole BTC/USDT 2007..2007 at 1700000000323 bids [37001.2x0.5,37001x1] asks [37001.3x0.4]"],
    ),
    // The dot in `t-abc_1.2` is allowed by the exchange but not in ids of ours.
    (
        "order_put",
        &[
            "order 399123456 BTC/USDT buy New qty 0.001 price 37000 filled 0 for 0 fee 0 BTC client _t-abc_1_2 at 1700000000315",
        ],
    ),
    (
        "order_partial",
        &["order 399123456 BTC/USDT buy PartiallyFilled qty 0.001 price 37000 filled 0.0004 for 14.8 \
           fee 0.0000008 BTC client _t-abc_1_2 at 1700000001001"],
    ),
    (
        "order_filled",
        &[
            "order 399123456 BTC/USDT buy Filled qty 0.001 price 37000 filled 0.001 for 37 fee 0.000002 BTC client _t-abc_1_2 \
           at 1700000002001",
        ],
    ),
    (
        "order_cancelled_partial",
        &[
            "order 399123457 BTC/USDT buy Canceled qty 0.001 price 37000 filled 0.0004 for 14.8 fee 0.0000008 BTC \
           client abc_2 at 1700000003001",
        ],
    ),
    (
        "order_ioc_partial",
        &[
            "order 399123458 BTC/USDT buy Canceled qty 0.001 price 37000 filled 0.0003 for 11.1 fee 0.0000006 BTC \
           client ioc1 at 1700000000315",
        ],
    ),
    (
        "order_market_buy_dust",
        &["order 399123459 BTC/USDT buy Filled qty - price - filled 0.00027027 for 9.9999999844506 \
           fee 0.00000054054 BTC client mkt1 at 1700000000315"],
    ),
    // Lite channels carry no fees and are not subscribed to; nor are the others that follow.
    ("order_poc_reject", &[]),
    ("usertrade_v2", &[]),
    ("cross_balance", &[]),
    ("price_order", &[]),
    (
        "usertrade",
        &[
            "fill 6812345679 of 399123456 BTC/USDT buy 0.0004 at 37000 fee 0.0000008 BTC Maker client _t-abc_1_2 \
           at 1700000001001399200",
        ],
    ),
    (
        "usertrade_gt_fee",
        &["fill 6812345680 of 399123460 BTC/USDT sell 0.01 at 37001.2 fee 0.0481 GT Taker client gt1 \
           at 1700000001101000000"],
    ),
    ("balance_order_create", &["balance USDT free 963 locked 37 at 1700000000330"]),
    (
        "balance_order_match",
        &[
            "balance USDT free 963 locked 22.2 at 1700000000330",
            "balance BTC free 0.0004 locked 0 at 1700000000330",
            "balance BTC free 0.0003992 locked 0 at 1700000000330",
        ],
    ),
    ("balance_cancel", &["balance USDT free 985.2 locked 0 at 1700000000330"]),
    // Answers of the trading interface are for the link that carries calls (see `entry.rs`); these pass them over.
    ("login_ok", &[]),
    ("login_bad_key", &[]),
    ("not_logged_in", &[]),
    ("place_ack", &[]),
    ("place_result_ioc_nothing", &[]),
    ("place_result_ack_mode", &[]),
    ("place_rejected", &[]),
    ("place_rate_limited", &[]),
    ("place_batch_result", &[]),
    ("cancel_not_found", &[]),
    ("cancel_ids_result", &[]),
];

/// The server's frames that make links act, checked one by one below.
const ACTED_ON: &[&str] = &[
    "sub_unknown_pair",
    "err_schema",
    "err_auth",
    "obu_duplicate",
    "upgrade_notice_plain",
    "upgrade_notice_event",
];

/// The client's frames that we send too, checked one by one below.
const SENT: &[&str] = &[
    "ping",
    "sub_trades",
    "obu_sub",
    "book_update_sub",
    "candle_sub",
    "orders_sub",
    "orders_sub_all",
    "balances_sub",
    "place_unsigned",
];

/// The client's frames for which we have no use: single unsubscriptions, the trading interface.
const NOT_SENT: &[&str] = &[
    "unsub_trades",
    "login",
    "login_ccxt_style",
    "place_signed",
    "place_batch",
    "cancel",
    "cancel_ids",
    "cancel_cp",
    "amend",
    "status",
    "list",
];

#[test]
fn every_frame_is_accounted_for() {
    let listed = SERVER.iter().map(|(name, _)| name).chain(ACTED_ON).chain(SENT).chain(NOT_SENT).copied();
    let listed: Vec<&str> = listed.collect();
    let frames = list("frames");
    let named: BTreeSet<&str> = frames.iter().map(|frame| text(frame, "name")).collect();
    assert_eq!((frames.len(), listed.len()), (68, 68));
    assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), named);
}

fn subscriptions(stream: StreamKind, symbols: &[u32]) -> Vec<Subscription> {
    symbols.iter().map(|symbol| Subscription { symbol: SymbolId(*symbol), stream }).collect()
}

/// A public link for these wishes, connected; what it sent is in the outbox.
fn market_link(options: &[(&str, &str)], wanted: &[Subscription]) -> (Box<dyn Link>, Outbox) {
    connected(account(options).market_links(&markets(), wanted).expect("wishes are possible").remove(0))
}

fn account_link() -> (Box<dyn Link>, Outbox) {
    connected(account(&[]).account_link(&markets()).expect("credentials"))
}

fn connected(mut link: Box<dyn Link>) -> (Box<dyn Link>, Outbox) {
    let mut out = Outbox::default();
    link.handle(now(), Input::Start, &mut out).expect("starts");
    assert_eq!(out.effects, [Effect::Connect("wss://api.gateio.ws/ws/v4/".to_owned())]);
    out.clear();
    link.handle(now(), Input::Connected, &mut out).expect("connects");
    assert_eq!(out.link, [LinkEvent::Up]);
    out.link.clear();
    (link, out)
}

fn heard(link: &mut Box<dyn Link>, frame: &str) -> Outbox {
    let mut out = Outbox::default();
    link.handle(now(), Input::Text(frame.as_bytes()), &mut out).expect(frame);
    out
}

/// The messages sent, as JSON without their numbers.
fn sent(out: &Outbox) -> Vec<Value> {
    let text = |effect: &Effect| match effect {
        Effect::Send(Payload::Text(text)) => text.clone(),
        other => panic!("{other:?}"),
    };
    out.effects.iter().map(|effect| unnumbered(&text(effect))).collect()
}

fn unnumbered(text: &str) -> Value {
    let mut value: Value = sonic_rs::from_str(text).expect(text);
    value.as_object_mut().expect("an object").remove(&"id");
    value
}

#[test]
fn the_servers_frames_become_events() {
    let wanted = subscriptions(StreamKind::Book, &[1]);
    for (name, expected) in SERVER {
        let frame = frame(name);
        let mut public = account(&[]).market_links(&markets(), &wanted).expect("possible").remove(0);
        let mut private = account(&[]).account_link(&markets()).expect("credentials");
        let mut found = lines(&markets(), &heard(&mut public, &frame));
        found.extend(lines(&markets(), &heard(&mut private, &frame)));
        assert_eq!(found, *expected, "{name}");
    }
}

#[test]
fn recorded_frames_of_either_direction_need_no_link() {
    let (reader, markets) = (RecordedFrames::new(venue(), &markets()), markets());
    let is_private = |line: &str| ["order ", "fill ", "balance "].iter().any(|word| line.starts_with(word));
    for recorded in list("frames") {
        let (name, mut out) = (text(&recorded, "name"), Outbox::default());
        reader.decode(text(&recorded, "text").as_bytes(), &mut out).expect(name);
        let server = SERVER.iter().find(|(server, _)| *server == name);
        let expected =
            server.map_or(&[][..], |(_, expected)| expected).iter().filter(|line| !is_private(line));
        assert_eq!(lines(&markets, &out), expected.copied().collect::<Vec<_>>(), "{name}");
    }
}

#[test]
fn we_send_what_the_vectors_send() {
    let (_, out) = market_link(&[], &subscriptions(StreamKind::Trades, &[0, 1]));
    assert_eq!(sent(&out), [unnumbered(&frame("sub_trades"))]);
    let (_, out) = market_link(&[("book_channel", "obu")], &subscriptions(StreamKind::Book, &[0]));
    assert_eq!(sent(&out), [unnumbered(&frame("obu_sub"))]);
    let (_, out) = market_link(&[("depth_interval", "100ms")], &subscriptions(StreamKind::Book, &[0]));
    assert_eq!(sent(&out), [unnumbered(&frame("book_update_sub"))]);

    let candles = StreamKind::Klines(KlineInterval::Min1);
    let (_, out) = market_link(&[], &subscriptions(candles, &[0]));
    assert_eq!(sent(&out), [unnumbered(&frame("candle_sub"))]);

    let (_, out) = account_link();
    let [orders, trades, balances] = &sent(&out)[..] else { panic!("three channels") };
    assert_eq!(*trades, unnumbered(&frame("orders_sub_all")));
    assert_eq!(*balances, unnumbered(&frame("balances_sub")));
    // The vector names one pair, we take all: the signature does not cover the payload.
    assert_eq!(orders["auth"], unnumbered(&frame("orders_sub"))["auth"]);
    assert_eq!(
        (orders["channel"].as_str(), orders["payload"][0].as_str()),
        (Some("spot.orders"), Some("!all"))
    );
}

#[test]
fn we_ping_as_the_vectors_do() {
    let (mut link, mut out) = market_link(&[], &subscriptions(StreamKind::Trades, &[0]));
    heard(&mut link, &frame("sub_trades_ack"));
    let due = link.wakeup_at().expect("the heartbeat");
    assert_eq!(due, now() + Duration::from_secs(15));
    out.clear();
    link.handle(due, Input::Wake, &mut out).expect("wakes");
    assert_eq!(sent(&out), [unnumbered(&frame("ping").replace("1700000000", "1700000015"))]);
}

#[test]
fn an_order_has_the_fields_of_the_vectors() {
    let vector: Value = sonic_rs::from_str(&frame("place_unsigned")).expect("JSON");
    let order = OrderRequest {
        venue: venue(),
        symbol: SymbolId(0),
        client_id: ClientOrderId::new("ws-1").expect("plain"),
        side: Side::Buy,
        kind: OrderKind::Limit { price: Price(300_005), qty: Qty(100_000), tif: TimeInForce::Ioc },
        expires_in: Duration::from_secs(3),
    };
    let mut call = HttpRequest::default();
    account(&[]).encode(now(), &markets(), &Request::Place(order), &mut call).expect("valid");
    let body = String::from_utf8(call.body.clone()).expect("UTF-8");
    let body: Value = sonic_rs::from_str(&body).expect("JSON");
    assert_eq!(body, vector["payload"]["req_param"]);
    assert_eq!(
        call.headers.value("x-gate-exptime"),
        vector["payload"]["req_header"]["x-gate-exptime"].as_str()
    );
}

#[test]
fn answers_confirm_what_was_asked() {
    let (mut link, _) = market_link(&[], &subscriptions(StreamKind::Trades, &[0, 1]));
    let subscribed = |symbol, stream| LinkEvent::Subscribed { symbol: Some(SymbolId(symbol)), stream };
    let out = heard(&mut link, &frame("sub_trades_ack"));
    assert_eq!(out.link, [subscribed(0, StreamKind::Trades), subscribed(1, StreamKind::Trades)]);
    assert!(heard(&mut link, &frame("unsub_trades_ack")).is_empty());

    // The vector answers the fourth request of a connection.
    let obu = [("book_channel", "obu")];
    let (mut link, _) = market_link(&obu, &subscriptions(StreamKind::Book, &[1, 2, 3, 0]));
    assert_eq!(heard(&mut link, &frame("obu_sub_ack")).link, [subscribed(0, StreamKind::Book)]);
}

#[test]
fn one_bad_pair_does_not_cost_the_others_their_subscription() {
    let (mut link, _) = market_link(&[], &subscriptions(StreamKind::Trades, &[3, 1]));
    let out = heard(&mut link, &frame("sub_unknown_pair"));
    assert!(out.link.is_empty(), "{:?}", out.link);
    let payloads: Vec<_> =
        sent(&out).iter().map(|sent| sent["payload"][0].as_str().map(str::to_owned)).collect();
    assert_eq!(payloads, [Some("FOO_USDT".to_owned()), Some("ETH_USDT".to_owned())]);
    let refusal = frame("sub_unknown_pair").replace("\"id\":1", "\"id\":2");
    let refused = LinkEvent::Refused { symbol: Some(SymbolId(3)), stream: StreamKind::Trades };
    assert_eq!(heard(&mut link, &refusal).link, [refused]);
    let accepted = frame("sub_trades_ack").replace("\"id\":1", "\"id\":3");
    let subscribed = LinkEvent::Subscribed { symbol: Some(SymbolId(1)), stream: StreamKind::Trades };
    assert_eq!(heard(&mut link, &accepted).link, [subscribed]);
}

#[test]
fn refusals_are_told() {
    let obu = [("book_channel", "obu")];
    let (mut link, _) = market_link(&obu, &subscriptions(StreamKind::Book, &[0]));
    let duplicate = frame("obu_duplicate").replace("\"id\":6", "\"id\":1");
    let refused = LinkEvent::Refused { symbol: Some(SymbolId(0)), stream: StreamKind::Book };
    assert_eq!(heard(&mut link, &duplicate).link, [refused]);
    // Nobody's request: it names neither number nor channel.
    assert!(heard(&mut link, &frame("err_schema")).is_empty());

    for name in ["err_auth", "err_schema"] {
        let (mut link, _) = account_link();
        let out = heard(&mut link, &frame(name));
        assert_eq!(
            lines(&markets(), &out),
            ["Refused { symbol: None, stream: Account }", "Reconnect(Refused)"],
            "{name}"
        );
    }
}

#[test]
fn upgrade_notices_of_every_shape_ask_for_a_successor_and_change_nothing_else() {
    for name in ["upgrade_notice_plain", "upgrade_notice_event"] {
        let (mut public, _) = market_link(&[], &subscriptions(StreamKind::Book, &[0]));
        let (mut private, _) = account_link();
        for link in [&mut public, &mut private] {
            assert_eq!(lines(&markets(), &heard(link, &frame(name))), ["Reconnect(Announced)"], "{name}");
            assert!(heard(link, &frame(name)).is_empty(), "once is enough");
            if link.subscriptions().is_empty() {
                // Nobody confirmed the account's channels here, which ends its connection for a reason of its own.
                continue;
            }
            let mut out = Outbox::default();
            link.handle(now() + Duration::from_secs(15), Input::Wake, &mut out).expect("wakes");
            assert!(
                sent(&out).iter().any(|sent| sent["channel"].as_str() == Some("spot.ping")),
                "still served"
            );
        }
    }
}

#[test]
fn the_account_is_ready_when_every_channel_is_confirmed() {
    let (mut link, _) = account_link();
    let answer = frame("sub_ack_doc_shape");
    let mut events = Vec::new();
    for channel in ["spot.usertrades", "spot.usertrades", "spot.balances", "spot.orders"] {
        events.push(heard(&mut link, &answer.replace("spot.orders", channel)).link);
    }
    let account = LinkEvent::Subscribed { symbol: None, stream: StreamKind::Account };
    assert_eq!(events, [vec![], vec![], vec![], vec![account, LinkEvent::AccountReady]]);
}
