//! An order leaves at most once, and whoever asks is told truly whether it may have.

use super::exchange::{MadeUp, config, info, order, rest_of, synced, wall_ms};
use super::http_server::{Act, Asked, HttpServer, ok, status, until};
use cex_core::{Market, Markets, OrderRequest, Scale, Side, SymbolId, TimeInForce};
use cex_errors::{ErrorKind, ExchangeError, Op, Outcome, Phase};
use cex_interface::{OrderRef, Reply, Request, WrittenOrder};
use cex_transport::driver::BoxFuture;
use cex_transport::endpoint::Endpoint;
use cex_transport::venue_clock::ClockSample;
use cex_transport::{ByteStream, Clock, Connector, Dial, Lists, Rest, RestConfig, TransportConfig, Urgency};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

/// A server that tells the time and does `act` to every order.
async fn server(act: impl Fn(&Asked) -> Act + Send + Sync + 'static) -> HttpServer {
    HttpServer::start(move |asked| if asked.path == "/time" { ok(&wall_ms()) } else { act(asked) }).await
}

/// R36: what would go to the socket is compared with what was approved, on both ways out.
#[tokio::test]
async fn an_order_whose_bytes_say_something_else_does_not_leave() {
    let scale = Scale::new(2, 4).expect("small");
    let market = Market::new(order("a").venue, SymbolId(0), info("BTC/USDT"), scale).expect("rules fit");
    let right = WrittenOrder {
        symbol: market.native().as_bytes().to_vec().into(),
        side: Side::Buy,
        tif: TimeInForce::Ioc,
        price: b"0.01",
        qty: b"0.0001",
        client_id: b"a-1",
    };
    for (written, word) in [
        (right.clone(), None),
        (WrittenOrder { price: b"0.1", ..right.clone() }, Some("price")),
        (WrittenOrder { side: Side::Sell, ..right.clone() }, Some("side")),
        (WrittenOrder { client_id: b"a-2", ..right }, Some("name")),
    ] {
        let server = server(|_| ok("id")).await;
        let mut protocol = MadeUp::new(&server.url);
        protocol.written = Some(written);
        let rest = synced(protocol, config()).await;
        rest.set_markets(Arc::new(Markets::new(vec![market.clone()])));
        let placed = rest.call(&Request::Place(order("a-1"))).await;
        let told = |error: &ExchangeError| match error.kind {
            ErrorKind::InvalidInput(what) => what.contains(word.unwrap_or("nothing")),
            _ => false,
        };
        match (&placed, word) {
            (Ok(_), None) => {}
            (Err(error), Some(_)) if told(error) && error.outcome() == Outcome::NotSent => {}
            other => panic!("{other:?}"),
        }
        assert_eq!(server.count("POST", "/order"), usize::from(word.is_none()), "{word:?}");
        assert_eq!(rest.take_contradiction().is_some(), word.is_some());
        assert_eq!(rest.take_contradiction(), None, "told once");
        // A rehearsal tells it before any order has to leave.
        let cancel = Request::Cancel { symbol: SymbolId(0), order: OrderRef::Client(order("a-1").client_id) };
        rest.call(&cancel).await.expect("an open connection");
        rest.rehearse(Request::Place(order("a-1")));
        assert_eq!(rest.take_contradiction().is_some(), word.is_some());
        let prepared = rest.prepare(Request::Place(order("a-1")), Urgency::Normal);
        assert_eq!(prepared.as_ref().err().map(told), word.map(|_| true), "{word:?}");
        assert_eq!(server.count("POST", "/order"), usize::from(word.is_none()), "{word:?}");
    }
}

type Expected = fn(&ErrorKind) -> bool;

#[tokio::test]
async fn an_order_whose_answer_is_lost_is_unknown_and_was_sent_once() {
    let cases: [(&str, Act, Expected); 7] = [
        ("dies after reading", Act::Die, |kind| *kind == ErrorKind::Connection(Phase::AfterSend)),
        ("dies in the body", Act::DieInBody, |kind| *kind == ErrorKind::Connection(Phase::AfterSend)),
        ("never answers", Act::Stall, |kind| *kind == ErrorKind::Timeout(Phase::AfterSend)),
        ("gateway error", status(502, "<html>"), |kind| *kind == ErrorKind::ServerBusy),
        ("html", status(403, "<HTML>"), |kind| matches!(kind, ErrorKind::Undecodable(_))),
        (
            "compressed",
            Act::Answer(200, vec![("content-encoding", "gzip".to_owned())], b"id".to_vec()),
            |kind| matches!(kind, ErrorKind::Undecodable(_)),
        ),
        ("huge", ok(&"x".repeat(2_000)), |kind| matches!(kind, ErrorKind::Undecodable(_))),
    ];
    for (name, act, expected) in cases {
        // Short only where it must run out: a busy machine may be slow to answer.
        let seconds = if matches!(act, Act::Stall) { 0.3 } else { 10.0 };
        let server = server(move |_| act.clone()).await;
        let placement_timeout = Duration::from_secs_f64(seconds);
        let config = RestConfig { placement_timeout, body_max: 1_000, ..config() };
        let rest = synced(MadeUp::new(&server.url), config).await;
        let answer = rest.call_stamped(&Request::Place(order("a-1")), Urgency::Normal).await;
        let error = answer.result.expect_err(name);
        assert!(expected(&error.kind), "{name}: {error}");
        assert_eq!(error.outcome(), Outcome::Unknown, "{name}");
        assert!(answer.stamps.written_at.is_some(), "{name}: it left");
        assert_eq!(server.count("POST", "/order"), 1, "{name}");
    }
}

#[tokio::test]
async fn an_order_on_a_reused_connection_that_dies_is_not_sent_again() {
    let orders = AtomicUsize::new(0);
    let server = server(move |asked| match asked.method.as_str() {
        "POST" if orders.fetch_add(1, Ordering::SeqCst) > 0 => Act::Die,
        _first => ok("id-1"),
    })
    .await;
    let rest = synced(MadeUp::new(&server.url), config()).await;
    rest.call(&Request::Place(order("a-1"))).await.expect("placed");
    let error = rest.call(&Request::Place(order("a-2"))).await.expect_err("died");
    assert_eq!(error.kind, ErrorKind::Connection(Phase::AfterSend));
    let asked: Vec<_> = server.asked().into_iter().filter(|asked| asked.path == "/order").collect();
    assert_eq!(asked.iter().map(|asked| asked.body.as_slice()).collect::<Vec<_>>(), [b"a-1", b"a-2"]);
    assert_eq!(asked[0].connection, asked[1].connection, "the second used the warm connection");
}

#[tokio::test]
async fn an_order_that_finds_its_connection_closed_goes_over_a_new_one() {
    let server = server(|_| Act::AnswerAndClose(b"id".to_vec())).await;
    let rest = synced(MadeUp::new(&server.url), config()).await;
    for number in 0..5 {
        let placed = rest.call(&Request::Place(order(&format!("a-{number}")))).await;
        // The close may race the next order only if it has not arrived yet; wait until the connection is seen closed.
        assert!(matches!(placed, Ok(Reply::Placed(_))), "{placed:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(server.count("POST", "/order"), 5);
    assert_eq!(rest.metrics().orders.reused.value(), 0);
}

#[tokio::test]
async fn an_order_that_never_left_says_so() {
    let server = server(|_| ok("id")).await;
    // A port nobody listens on.
    let free = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("bound");
    let unknown_clock = rest_of(MadeUp::new(&server.url), config());
    let error = unknown_clock.call(&Request::Place(order("a-1"))).await.expect_err("no clock");
    assert_eq!((error.kind.clone(), error.outcome()), (ErrorKind::ClockUnknown, Outcome::NotSent));
    assert_eq!(server.asked().len(), 0);

    let gone = rest_of(MadeUp::new(&format!("http://{free}")), config());
    gone.venue_clock().learn(
        &[ClockSample {
            sent_at: gone.clock().now(),
            answered_at: gone.clock().now(),
            venue_time: gone.clock().now(),
        }],
        gone.clock().now(),
    );
    let answer = gone.call_stamped(&Request::Place(order("a-1")), Urgency::Normal).await;
    let error = answer.result.expect_err("nobody listens");
    assert_eq!(
        (error.kind.clone(), error.outcome()),
        (ErrorKind::Connection(Phase::BeforeSend), Outcome::NotSent)
    );
    assert_eq!(answer.stamps.written_at, None);
    let counted = gone.metrics().of(Op::PlaceOrder).snapshot();
    assert_eq!(
        (counted.calls, counted.repeats, counted.not_sent),
        (1, 0, 1),
        "not even what never left is repeated"
    );
}

/// R29: a position is closed, an order cancelled and asked for by a clock that is not good enough to open anything by.
#[tokio::test]
async fn an_error_of_the_clock_stops_openings_and_not_what_must_go() {
    // It does not tell the time: what is known of it is all there is.
    let server =
        HttpServer::start(|asked| if asked.path == "/time" { status(503, "busy") } else { ok("1") }).await;
    // `order` lives for 2 s, cancels and questions are taken 5 s late: a third of each.
    for (error_ms, closes, ends) in [(400, true, true), (1_000, false, true), (2_000, false, false)] {
        let rest = rest_of(MadeUp::new(&server.url), config());
        let (now, error) = (rest.clock().now(), Duration::from_millis(error_ms));
        let sample = ClockSample { sent_at: now - error * 2, answered_at: now, venue_time: now - error };
        rest.venue_clock().learn(&[sample], now);
        let cancel = Request::Cancel { symbol: SymbolId(0), order: OrderRef::Client(order("a").client_id) };
        for (request, urgency, goes) in [
            (Request::Place(order("opening")), Urgency::Normal, false),
            (Request::Place(order("closing")), Urgency::MustGo, closes),
            (cancel, Urgency::CanWait, ends),
            (Request::Account, Urgency::CanWait, ends),
        ] {
            let what = format!("{error_ms} {request:?}");
            let before = server.asked().len();
            let answer = rest.call_stamped(&request, urgency).await;
            let asked: Vec<_> =
                server.asked().into_iter().skip(before).filter(|asked| asked.path != "/time").collect();
            assert_eq!((answer.result.is_ok(), asked.len()), (goes, usize::from(goes)), "{what}");
            if let Some(asked) = asked.first() {
                let signed: i64 = asked.header("x-time").and_then(|ms| ms.parse().ok()).expect("a time");
                let encoded = answer.stamps.encoded_at.expect("signed");
                let old = encoded.as_millis() - signed;
                assert!(old >= i64::try_from(error_ms).expect("small"), "{what}: {old} ms old");
            }
            if let (Err(error), Request::Place(_)) = (&answer.result, &request) {
                assert_eq!(error.kind, ErrorKind::ClockUnknown, "{what}");
                assert_eq!(error.outcome(), Outcome::NotSent, "{what}");
            }
        }
        if ends {
            // The cancel left a connection, so that nothing but the clock holds these back.
            let opening = rest.prepare(Request::Place(order("opening")), Urgency::Normal);
            assert_eq!(opening.err().map(|error| error.kind), Some(ErrorKind::ClockUnknown), "{error_ms}");
            let closing = rest.prepare(Request::Place(order("closing")), Urgency::MustGo);
            assert_eq!(closing.is_ok(), closes, "{error_ms}: {closing:?}");
        }
    }
}

#[tokio::test]
async fn a_refused_order_is_refused_and_a_limit_holds_back_everything_after_it() {
    let server = server(|asked| match asked.body.as_slice() {
        b"poor" => status(400, "empty"),
        _other => Act::Answer(429, vec![("retry-after", "600".to_owned())], b"slow down".to_vec()),
    })
    .await;
    let rest = synced(MadeUp::new(&server.url), config()).await;
    let error = rest.call(&Request::Place(order("poor"))).await.expect_err("refused");
    assert_eq!((error.kind.clone(), error.outcome()), (ErrorKind::InsufficientBalance, Outcome::Refused));
    let limited = ErrorKind::RateLimited { retry_after: Some(Duration::from_secs(600)) };
    let error = rest.call(&Request::Place(order("fast"))).await.expect_err("limited");
    assert_eq!((error.kind.clone(), error.outcome()), (limited, Outcome::Refused));
    let sent = server.asked().len();
    for request in [Request::Place(order("later")), Request::Account, Request::Ping] {
        let error = rest.call(&request).await.expect_err("held back");
        assert!(matches!(error.kind, ErrorKind::Throttled { .. }), "{error}");
        assert_eq!(error.outcome(), Outcome::NotSent);
    }
    assert_eq!(server.asked().len(), sent, "the exchange was not asked again");
}

#[tokio::test]
async fn an_order_never_waits_for_market_data() {
    let server = server(|asked| if asked.path == "/ping" { Act::Stall } else { ok("id") }).await;
    let rest = synced(MadeUp::new(&server.url), config()).await;
    let slow: Vec<_> = (0..20).map(|_| rest.begin(Request::Ping, Urgency::Normal)).collect();
    let slow: Vec<_> = slow.into_iter().map(tokio::spawn).collect();
    until("market data is stuck", || server.count("GET", "/ping") == 4).await;
    let placed = tokio::time::timeout(Duration::from_secs(2), rest.call(&Request::Place(order("a-1")))).await;
    assert!(matches!(placed, Ok(Ok(Reply::Placed(_)))), "{placed:?}");
    slow.iter().for_each(tokio::task::JoinHandle::abort);
}

/// Whoever closes a position has another exchange to turn to.
#[tokio::test]
async fn an_order_waits_for_a_connection_for_so_long_only_and_a_cancel_for_as_long_as_it_takes() {
    let server = server(|asked| match asked.method.as_str() {
        "DELETE" => Act::AnswerAfter(Duration::from_millis(400), b"id".to_vec()),
        _order => ok("id"),
    })
    .await;
    let placement_wait_max = Duration::from_millis(50);
    let config = RestConfig { order_connections: 1, placement_wait_max, ..config() };
    let rest = synced(MadeUp::new(&server.url), config).await;
    let cancel = || Request::Cancel { symbol: SymbolId(0), order: OrderRef::Client(order("a-1").client_id) };
    let slow = tokio::spawn(rest.begin(cancel(), Urgency::MustGo));
    until("the only connection is taken", || server.count("DELETE", "/order") == 1).await;
    let queued = tokio::spawn(rest.begin(cancel(), Urgency::MustGo));
    let answer = rest.begin(Request::Place(order("closing")), Urgency::MustGo).await;
    let error = answer.result.expect_err("no connection in time");
    assert_eq!(
        (error.kind.clone(), error.outcome()),
        (ErrorKind::Timeout(Phase::BeforeSend), Outcome::NotSent)
    );
    assert_eq!(answer.stamps.written_at, None);
    for cancel in [slow, queued] {
        let answer = cancel.await.expect("no panic");
        assert!(matches!(answer.result, Ok(Reply::Canceled { .. })), "{answer:?}");
    }
    assert_eq!(server.count("POST", "/order"), 0, "what was given up does not leave later");
}

/// A network on which nobody is reached at once.
#[derive(Debug)]
struct FarAway(Duration);

impl Dial for FarAway {
    fn dial(&self, endpoint: &Endpoint) -> BoxFuture<io::Result<Box<dyn ByteStream>>> {
        let (pause, origin) = (self.0, endpoint.origin());
        Box::pin(async move {
            tokio::time::sleep(pause).await;
            let address = origin.strip_prefix("http://").expect("plain text");
            Ok(Box::new(TcpStream::connect(address).await?) as Box<dyn ByteStream>)
        })
    }
}

#[tokio::test]
async fn an_order_waits_for_a_connection_that_must_be_dialed() {
    let server = server(|_| ok("id")).await;
    let dialer: Arc<dyn Dial> = Arc::new(FarAway(Duration::from_millis(80)));
    let connector =
        Connector::of(&TransportConfig { dialer: Some(dialer), ..Default::default() }).expect("no roots");
    for (placement_wait_max, placed) in [(Duration::from_millis(20), 0), (Duration::from_secs(5), 1)] {
        let config = RestConfig { placement_wait_max, ..config() };
        let protocol = Arc::new(MadeUp::new(&server.url));
        let rest = Rest::new(protocol, connector.clone(), Clock::new(), config, 7).expect("loopback");
        rest.sync_clock().await.expect("the server tells the time");
        let answer = rest.begin(Request::Place(order("closing")), Urgency::MustGo).await;
        assert_eq!(answer.result.is_ok(), placed == 1, "{answer:?}");
        assert_eq!(server.count("POST", "/order"), placed);
        if placed == 1 {
            let (encoded, written) = (answer.stamps.encoded_at, answer.stamps.written_at);
            let age = written.expect("written").since(encoded.expect("signed"));
            assert!(age < Duration::from_millis(80), "signed anew after it had waited: {age:?}");
        }
    }
}

#[tokio::test]
async fn an_order_that_nobody_looked_after_in_time_does_not_leave() {
    let server = server(|_| ok("id")).await;
    let placement_wait_max = Duration::from_millis(50);
    let config = RestConfig { placement_wait_max, ..config() };
    let rest = synced(MadeUp::new(&server.url), config).await;
    let started = rest.begin(Request::Place(order("closing")), Urgency::MustGo);
    // The whole thread stands still; the system makes the connection meanwhile.
    std::thread::sleep(Duration::from_millis(100));
    let error = started.await.result.expect_err("too late");
    assert_eq!(
        (error.kind.clone(), error.outcome()),
        (ErrorKind::Timeout(Phase::BeforeSend), Outcome::NotSent)
    );
    assert_eq!(server.count("POST", "/order"), 0);
}

#[tokio::test]
async fn a_skewed_order_is_not_repeated_but_the_clock_is_mended() {
    let server = server(|asked| if asked.body == b"skewed" { ok("skew") } else { ok("id") }).await;
    let rest = synced(MadeUp::new(&server.url), config()).await;
    let error = rest.call(&Request::Place(order("skewed"))).await.expect_err("refused");
    assert_eq!((error.kind.clone(), error.outcome()), (ErrorKind::ClockSkew, Outcome::Refused));
    assert_eq!(server.count("POST", "/order"), 1);
    let error = rest.call(&Request::Place(order("later"))).await.expect_err("the clock is not trusted");
    assert_eq!(error.outcome(), Outcome::NotSent, "it was refused too soon to have been late");
    let upkeep = tokio::spawn(rest.maintain());
    until("the clock is known again", || rest.venue_clock().estimate().is_some()).await;
    rest.call(&Request::Place(order("again"))).await.expect("placed");
    upkeep.abort();
}

#[tokio::test]
async fn an_order_refused_because_it_was_late_does_not_cost_the_next_one_its_clock() {
    let server = server(|asked| match asked.body.as_slice() {
        b"late" => Act::AnswerAfter(Duration::from_millis(300), b"skew".to_vec()),
        _hedge => ok("id"),
    })
    .await;
    let rest = synced(MadeUp::new(&server.url), config()).await;
    rest.call(&Request::Place(order("warm"))).await.expect("placed");
    let upkeep = tokio::spawn(rest.maintain());
    until("upkeep has begun", || rest.metrics().clock_rounds.value() == 2).await;
    let late = OrderRequest { expires_in: Duration::from_millis(100), ..order("late") };
    for prepared in [false, true] {
        let answer = if prepared {
            rest.prepare(Request::Place(late), Urgency::MustGo).expect("all is ready").send().await
        } else {
            rest.call_stamped(&Request::Place(late), Urgency::MustGo).await
        };
        let error = answer.result.expect_err("refused");
        assert_eq!((error.kind.clone(), error.outcome()), (ErrorKind::ClockSkew, Outcome::Refused));
        let hedge = rest.prepare(Request::Place(order("hedge")), Urgency::MustGo).expect("it leaves at once");
        assert!(matches!(hedge.send().await.result, Ok(Reply::Placed(_))));
    }
    until("it is found out beside whether it was the clock", || rest.metrics().clock_rounds.value() > 2)
        .await;
    upkeep.abort();
}

#[tokio::test]
async fn an_order_begun_is_written_before_anything_else_runs() {
    let server = server(|_| ok("id")).await;
    let rest = synced(MadeUp::new(&server.url), config()).await;
    rest.call(&Request::Place(order("warm"))).await.expect("placed");
    let started = rest.begin(Request::Place(order("now")), Urgency::MustGo);
    // Nobody polls it; yet the exchange has it.
    until("the order is there", || server.asked().iter().any(|asked| asked.body == b"now")).await;
    let answer = tokio::spawn(started).await.expect("no panic");
    let stamps = answer.stamps;
    let (encoded, written, answered) = (
        stamps.encoded_at.expect("encoded"),
        stamps.written_at.expect("written"),
        stamps.answered_at.expect("answered"),
    );
    assert!(encoded <= written && written <= answered);
    assert!(matches!(answer.result, Ok(Reply::Placed(_))));
    let counted = rest.metrics().of(Op::PlaceOrder).snapshot();
    assert_eq!((counted.calls, counted.repeats, counted.round_trip.count), (2, 0, 2));
}

#[tokio::test]
async fn a_prepared_order_leaves_at_once_or_not_at_all() {
    let server = server(|_| ok("id")).await;
    // Four calls: two went to the clock, two orders are left.
    let rest = synced(MadeUp::with_limit(&server.url, 4, Duration::from_secs(600)), config()).await;
    let cold = rest.prepare(Request::Place(order("cold")), Urgency::MustGo).expect_err("no connection yet");
    assert_eq!(
        (cold.kind.clone(), cold.outcome()),
        (ErrorKind::Connection(Phase::BeforeSend), Outcome::NotSent)
    );
    rest.call_stamped(&Request::Place(order("warm")), Urgency::MustGo).await.result.expect("placed");
    let kept = rest.prepare(Request::Place(order("kept")), Urgency::MustGo).expect("all is ready");
    let busy =
        rest.prepare(Request::Place(order("busy")), Urgency::MustGo).expect_err("one connection, one call");
    assert_eq!(busy.outcome(), Outcome::NotSent);
    kept.give_up();
    tokio::time::sleep(Duration::from_millis(20)).await;
    let sent = rest.prepare(Request::Place(order("sent")), Urgency::MustGo).expect("given back").send();
    until("the order is there", || server.asked().iter().any(|asked| asked.body == b"sent")).await;
    let answer = tokio::spawn(sent).await.expect("no panic");
    assert!(matches!(answer.result, Ok(Reply::Placed(_))), "{answer:?}");
    assert!(answer.stamps.encoded_at <= answer.stamps.written_at && answer.stamps.written_at.is_some());
    let spent =
        rest.prepare(Request::Place(order("late")), Urgency::MustGo).expect_err("the budget is spent");
    assert!(matches!(spent.kind, ErrorKind::Throttled { .. }), "{spent}");
    let bodies: Vec<_> =
        server.asked().into_iter().filter(|asked| asked.path == "/order").map(|asked| asked.body).collect();
    assert_eq!(bodies, [b"warm".to_vec(), b"sent".to_vec()], "what was given up never left");
    let counted = rest.metrics().of(Op::PlaceOrder).snapshot();
    assert_eq!((counted.calls, counted.not_sent, counted.round_trip.count), (6, 4, 2));
}

#[tokio::test]
async fn a_late_answer_is_never_taken_for_the_next_one() {
    let server = server(|asked| match asked.body.as_slice() {
        b"first" => Act::AnswerAfter(Duration::from_millis(650), b"id-first".to_vec()),
        _second => ok("id-second"),
    })
    .await;
    let config = RestConfig { placement_timeout: Duration::from_millis(500), ..config() };
    let rest = synced(MadeUp::new(&server.url), config).await;
    let error = rest.call(&Request::Place(order("first"))).await.expect_err("too late");
    assert_eq!(error.kind, ErrorKind::Timeout(Phase::AfterSend));
    for _ in 0..25 {
        let Ok(Reply::Placed(placed)) = rest.call(&Request::Place(order("second"))).await else {
            panic!("placed")
        };
        assert_eq!(placed.order_id.as_str(), "id-second");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn the_reserve_takes_cancels_and_hedges_when_orders_are_spent() {
    let server = server(|_| ok("id")).await;
    // Ten calls: two went to the clock; seven may be orders, the reserve is three.
    let rest = synced(MadeUp::with_limit(&server.url, 10, Duration::from_secs(600)), config()).await;
    let mut placed = 0;
    while rest.call(&Request::Place(order("open"))).await.is_ok() {
        placed += 1;
    }
    assert_eq!(placed, 5);
    let hedge = rest.call_stamped(&Request::Place(order("hedge")), Urgency::MustGo).await;
    assert!(hedge.result.is_ok());
    let cancel = Request::Cancel { symbol: SymbolId(0), order: OrderRef::Client(order("open").client_id) };
    assert!(rest.call(&cancel).await.is_ok());
    let open = Lists::of(&rest);
    let error = open.open_orders_of(SymbolId(0)).await.expect_err("who compares can wait");
    assert!(matches!(error.kind, ErrorKind::Throttled { .. }), "{error}");
    assert!(open.urgent().open_orders_of(SymbolId(0)).await.is_ok(), "a lost order is looked for");
    assert!(rest.call(&cancel).await.is_err(), "all ten are gone");
    assert_eq!(server.asked().len(), 10);
}
