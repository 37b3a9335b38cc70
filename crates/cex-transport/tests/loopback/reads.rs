//! Calls that may be repeated: when they are, when not, and what is reused.

use super::exchange::{MadeUp, config, info, order, rest_of, synced, wall_ms};
use super::http_server::{Act, Asked, HttpServer, ok, status, until};
use cex_core::{Market, Markets, Scale, SymbolId};
use cex_errors::{ErrorKind, Op, Phase};
use cex_interface::{OrderRef, Reply, Request};
use cex_transport::{Lists, RestConfig, Urgency};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

async fn server(act: impl Fn(&Asked) -> Act + Send + Sync + 'static) -> HttpServer {
    HttpServer::start(move |asked| if asked.path == "/time" { ok(&wall_ms()) } else { act(asked) }).await
}

/// Does `bad` the first `times`, then answers.
async fn failing_first(times: usize, bad: Act) -> HttpServer {
    let asked = AtomicUsize::new(0);
    server(move |_| if asked.fetch_add(1, Ordering::SeqCst) < times { bad.clone() } else { ok("12.5") }).await
}

#[tokio::test]
async fn reads_are_repeated_as_often_as_their_class_allows() {
    let cancel = Request::Cancel { symbol: SymbolId(0), order: OrderRef::Client(order("a").client_id) };
    let cases = [
        (Request::Account, "/account", 2, Act::Die),
        (Request::Account, "/account", 2, status(503, "busy")),
        (Request::Account, "/account", 2, status(200, "<html>")),
        (Request::Ping, "/ping", 1, Act::DieInBody),
        (cancel, "/order", 3, status(503, "busy")),
    ];
    for (request, path, failures, bad) in cases {
        let server = failing_first(failures, bad.clone()).await;
        let rest = synced(MadeUp::new(&server.url), config()).await;
        let reply = rest.call(&request).await;
        assert!(reply.is_ok(), "{request:?} after {failures} of {bad:?}: {reply:?}");
        assert_eq!(server.asked().iter().filter(|asked| asked.path == path).count(), failures + 1);
        assert_eq!(rest.metrics().of(request.op()).snapshot().repeats, failures as u64);
    }
}

#[tokio::test]
async fn repeats_end() {
    let server = failing_first(usize::MAX, Act::Die).await;
    let rest = synced(MadeUp::new(&server.url), config()).await;
    let error = rest.call(&Request::Account).await.expect_err("always dies");
    assert_eq!(error.kind, ErrorKind::Connection(Phase::AfterSend));
    assert_eq!(server.count("GET", "/account"), 3);
}

/// Which word an exchange has for a list that must name its symbols is not always known.
#[tokio::test]
async fn open_orders_are_asked_for_by_symbol_where_all_at_once_are_refused() {
    for (word, falls_back, is_learned) in [
        ("malformed", true, true),
        ("no symbol", true, true),
        // It may have been about something else, so all at once are tried again.
        ("a new word", true, false),
        ("empty", false, false),
    ] {
        let server = server(move |asked| ok(if asked.path == "/orders" { word } else { "fine" })).await;
        let rest = synced(MadeUp::new(&server.url), config()).await;
        let lists = Lists::of(&rest);
        for _ in 0..2 {
            let listed = lists.open_orders().await;
            assert_eq!(listed.is_ok(), falls_back, "{word}: {listed:?}");
        }
        let by_symbol = rest.markets().iter().count();
        assert_eq!(server.count("GET", "/orders"), if is_learned { 1 } else { 2 }, "{word}");
        assert_eq!(server.count("GET", "/orders/one"), if falls_back { 2 * by_symbol } else { 0 }, "{word}");
    }
}

fn market(number: u32) -> Market {
    let scale = Scale::new(2, 4).expect("small");
    let info = info(&format!("C{number}/USDT"));
    Market::new(order("a").venue, SymbolId(number), info, scale).expect("rules fit")
}

/// What a delisted symbol does to a list of several is in no specification.
#[tokio::test]
async fn one_symbol_that_is_not_listed_hides_the_open_orders_of_no_other() {
    for (unlisted, is_proof, asked_for) in [
        (&["1"][..], true, &["0,1", "0", "1", "2,3", "4"][..]),
        (&["1", "4"], true, &["0,1", "0", "1", "2,3", "4"]),
        (&["0", "1", "2", "3", "4"], false, &["0,1", "0", "1", "2,3", "2", "3", "4"]),
    ] {
        let server = server(move |asked| {
            let named = asked.header("x-symbols").map(|named| named.split(','));
            let known = named.is_some_and(|mut named| named.all(|symbol| !unlisted.contains(&symbol)));
            ok(if known { "fine" } else { "no symbol" })
        })
        .await;
        let rest = synced(MadeUp::new(&server.url), config()).await;
        rest.set_markets(Arc::new(Markets::new((0..5).map(market).collect())));
        let listed = Lists::of(&rest).open_orders().await;
        assert_eq!(listed.is_ok(), is_proof, "without {unlisted:?}: {listed:?}");
        let calls = server.asked();
        let named: Vec<_> = calls.iter().filter_map(|asked| asked.header("x-symbols")).collect();
        assert_eq!(named, asked_for, "without {unlisted:?}");
    }
}

#[tokio::test]
async fn a_listen_key_is_asked_for_once() {
    for bad in [Act::Die, status(503, "busy"), status(200, "<html>")] {
        let server = failing_first(1, bad.clone()).await;
        let rest = synced(MadeUp::new(&server.url), config()).await;
        assert!(rest.call(&Request::CreateListenKey).await.is_err(), "{bad:?}: there may be a key now");
        assert_eq!(server.count("POST", "/key"), 1);
    }
}

#[tokio::test]
async fn what_is_refused_for_good_or_for_long_is_not_repeated() {
    let long = Act::Answer(429, vec![("retry-after", "600".to_owned())], Vec::new());
    for (bad, expected) in [
        (status(400, "empty"), ErrorKind::InsufficientBalance),
        (long, ErrorKind::RateLimited { retry_after: Some(Duration::from_secs(600)) }),
    ] {
        let server = failing_first(usize::MAX, bad).await;
        let rest = synced(MadeUp::new(&server.url), config()).await;
        let began = Instant::now();
        assert_eq!(rest.call(&Request::Account).await.expect_err("refused").kind, expected);
        assert_eq!(server.count("GET", "/account"), 1);
        assert!(began.elapsed() < Duration::from_secs(2));
    }
}

#[tokio::test]
async fn what_the_exchange_cannot_do_costs_nothing() {
    let server = server(|_| ok("")).await;
    let rest = rest_of(MadeUp::new(&server.url), config());
    let error = rest.call(&Request::Assets).await.expect_err("unsupported");
    assert_eq!(error.kind, ErrorKind::Unsupported);
    assert_eq!((server.connections(), rest.metrics().market.opened.value()), (0, 0));
}

#[tokio::test]
async fn a_skewed_read_measures_the_clock_and_is_made_once_more() {
    let server = failing_first(1, ok("skew")).await;
    let rest = synced(MadeUp::new(&server.url), config()).await;
    let rounds = rest.metrics().clock_rounds.value();
    assert!(matches!(rest.call(&Request::Account).await, Ok(Reply::Account(_))));
    assert_eq!((server.count("GET", "/account"), rest.metrics().clock_rounds.value()), (2, rounds + 1));

    let always = failing_first(usize::MAX, ok("skew")).await;
    let rest = synced(MadeUp::new(&always.url), config()).await;
    assert_eq!(rest.call(&Request::Account).await.expect_err("skewed").kind, ErrorKind::ClockSkew);
    assert_eq!(always.count("GET", "/account"), 2);
}

#[tokio::test]
async fn a_read_without_a_known_clock_measures_it_first() {
    let server = server(|_| ok("1")).await;
    let rest = rest_of(MadeUp::new(&server.url), config());
    assert!(rest.call(&Request::Account).await.is_ok());
    let asked = server.asked();
    assert_eq!(asked.last().map(|asked| asked.path.as_str()), Some("/account"));
    let signed: i64 = asked.last().and_then(|asked| asked.header("x-time")?.parse().ok()).expect("signed");
    let now: i64 = wall_ms().parse().expect("a time");
    assert!(signed <= now && now - signed < 2_000, "{signed} at {now}");
}

#[tokio::test]
async fn connections_are_reused_and_counted() {
    let server = server(|_| ok("1")).await;
    let rest = synced(MadeUp::new(&server.url), config()).await;
    for _ in 0..10 {
        rest.call(&Request::Account).await.expect("answered");
    }
    let queries = rest.metrics().queries.snapshot();
    assert_eq!((queries.opened, queries.reused, queries.closed), (1, 9, 0));
    assert_eq!(server.connections(), 2, "one for the clock, one for queries");
}

#[tokio::test]
async fn idle_connections_are_left_before_the_server_leaves_them() {
    let server = server(|asked| match asked.path.as_str() {
        "/account" => Act::Answer(200, vec![("keep-alive", "timeout=1".to_owned())], b"1".to_vec()),
        _other => ok("1"),
    })
    .await;
    let rest = synced(MadeUp::new(&server.url), config()).await;
    rest.call(&Request::Account).await.expect("answered");
    // The server keeps it for one second; half of that is trusted.
    tokio::time::sleep(Duration::from_millis(550)).await;
    rest.call(&Request::Account).await.expect("answered");
    let queries = rest.metrics().queries.snapshot();
    assert_eq!((queries.opened, queries.reused, queries.closed), (2, 0, 1));
}

#[tokio::test]
async fn the_lane_of_orders_is_kept_warm() {
    let server = server(|_| ok("id")).await;
    let config = RestConfig {
        upkeep_every: Duration::from_millis(20),
        idle_max: Duration::from_millis(200),
        ..config()
    };
    let rest = rest_of(MadeUp::new(&server.url), config);
    let upkeep = tokio::spawn(rest.maintain());
    until("two stand ready", || rest.metrics().orders.opened.value() >= 2).await;
    until("they are renewed", || rest.metrics().orders.opened.value() >= 6).await;
    let opened = || rest.metrics().orders.opened.value();
    rest.call(&Request::Place(order("a"))).await.expect("placed");
    assert_eq!(rest.metrics().orders.reused.value(), 1, "after {} connections", opened());
    let closed = rest.metrics().orders.closed.value();
    assert!(opened() - closed <= 6, "{} opened, {closed} closed", opened());
    drop(rest);
    let ended = tokio::time::timeout(Duration::from_secs(5), upkeep).await;
    assert!(ended.is_ok(), "upkeep ends with its owner");
}

#[tokio::test]
async fn who_can_wait_waits_for_its_budget_and_others_are_told() {
    let server = server(|_| ok("1")).await;
    let rest = rest_of(MadeUp::with_limit(&server.url, 2, Duration::from_millis(300)), config());
    let began = Instant::now();
    for _ in 0..3 {
        rest.call(&Request::Ping).await.expect("answered");
    }
    assert!(began.elapsed() >= Duration::from_millis(600), "one a window: the other is the reserve");

    let rest = rest_of(MadeUp::with_limit(&server.url, 3, Duration::from_secs(1)), config());
    let first = rest.call_stamped(&Request::Account, Urgency::Normal).await;
    first.result.expect("two for the clock, one for the call");
    let began = Instant::now();
    let told = rest.call_stamped(&Request::Account, Urgency::Normal).await;
    let error = told.result.expect_err("a second is not waited for");
    assert!(
        matches!(error.kind, ErrorKind::Throttled { .. }) && began.elapsed() < Duration::from_millis(500)
    );
    rest.call(&Request::Account).await.expect("who does not trade on it waits");

    let rest = rest_of(MadeUp::with_limit(&server.url, 1, Duration::from_secs(60)), config());
    rest.call(&Request::Ping).await.expect("answered");
    let error = rest.call(&Request::Ping).await.expect_err("a minute is too long");
    assert!(
        matches!(error.kind, ErrorKind::Throttled { retry_after } if retry_after > Duration::from_secs(50))
    );
}

#[tokio::test]
async fn the_exchanges_word_on_what_remains_is_believed() {
    let server = server(|_| Act::Answer(200, vec![("x-remaining", "0".to_owned())], b"1".to_vec())).await;
    let rest = synced(MadeUp::new(&server.url), config()).await;
    rest.call(&Request::Account).await.expect("answered");
    let error = rest.call(&Request::Account).await.expect_err("nothing remains");
    assert!(matches!(error.kind, ErrorKind::Throttled { .. }), "{error}");
}

#[tokio::test]
async fn a_clock_that_cannot_be_measured_is_an_error() {
    let server = HttpServer::start(|_| status(503, "busy")).await;
    let rest = rest_of(MadeUp::new(&server.url), config());
    let error = rest.sync_clock().await.expect_err("no time");
    assert_eq!((error.op, error.kind), (Op::ServerTime, ErrorKind::ServerBusy));
    assert_eq!(rest.metrics().clock_failures.value(), 1);
}
