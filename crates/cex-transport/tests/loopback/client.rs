//! The client over the made-up exchange: both traits, streams, health.

use super::exchange::{MadeUp, config, order, venue, wall_ms};
use super::http_server::{Asked, HttpServer, ok, until};
use super::ws_server::{ServerSocket, WsServer, next_text, send_binary};
use cex_core::{
    Asset, Decimal, KlineInterval, LinkEvent, MarketEvent, StreamKind, Symbol, SymbolId, Timestamp, VenueId,
};
use cex_errors::{ErrorKind, Op};
use cex_interface::{EventSource, OrderRef, PrivateExchange, PublicExchange, Subscription};
use cex_transport::{Client, LinkConfig, TransportConfig};
use std::sync::Arc;
use std::time::Duration;

async fn exchange() -> HttpServer {
    HttpServer::start(|asked: &Asked| match asked.path.split('?').next().unwrap_or_default() {
        "/time" => ok(&wall_ms()),
        "/symbols" => ok("BTC/USDT,ETH/USDT,SOL/USDT"),
        "/account" => ok("12.5"),
        "/key" => ok("secret-key"),
        "/klines" => ok(&candles(&asked.path)),
        _other => ok("id-1"),
    })
    .await
}

/// Every minute's candle of the span asked for, its end included.
fn candles(path: &str) -> String {
    let number = |name: &str| {
        let (_, rest) = path.split_once(name).expect("a parameter");
        rest.split('&').next().expect("a value").parse::<i64>().expect("a number")
    };
    let (from, to) = (number("from="), number("to="));
    let first = (from + 59_999) / 60_000 * 60_000;
    (first..=to).step_by(60_000).map(|ms| ms.to_string()).collect::<Vec<_>>().join(" ")
}

async fn connect(server: &HttpServer, ws_url: &str, links: LinkConfig) -> Client {
    let protocol = Arc::new(MadeUp::new(&server.url).streaming(ws_url));
    let config = TransportConfig { rest: config(), links, ..TransportConfig::default() };
    Client::connect(protocol, config).await.expect("the exchange answers")
}

fn symbol(name: &str) -> Symbol {
    name.parse().expect("a symbol")
}

fn trades(symbols: &[u32]) -> Vec<Subscription> {
    let wish = |symbol: &u32| Subscription { symbol: SymbolId(*symbol), stream: StreamKind::Trades };
    symbols.iter().map(wish).collect()
}

#[tokio::test]
async fn orders_over_a_stream_and_over_http_share_the_budgets() {
    let server = exchange().await;
    let protocol = Arc::new(MadeUp::with_limit(&server.url, 20, Duration::from_secs(600)));
    let config = TransportConfig { rest: config(), ..TransportConfig::default() };
    let client = Client::connect(protocol, config).await.expect("the exchange answers");
    let entry = client.order_entry().expect("a link");
    let error = entry.place(order("a-0")).await.expect_err("no connection");
    assert!(!matches!(error.kind, ErrorKind::Throttled { .. }), "nothing is spent yet: {error}");
    while client.place(order("a-1")).await.is_ok() {}
    let error = client.place(order("a-2")).await.expect_err("spent");
    assert!(matches!(error.kind, ErrorKind::Throttled { .. }), "{error}");
    let error = entry.place(order("a-3")).await.expect_err("spent here too");
    assert!(matches!(error.kind, ErrorKind::Throttled { .. }), "{error}");
}

#[tokio::test]
async fn markets_are_registered_in_the_order_asked_for() {
    let server = exchange().await;
    let client = connect(&server, "", LinkConfig::default()).await;
    assert!(client.markets().is_empty());
    let markets = client.init(&[symbol("SOL/USDT"), symbol("BTC/USDT")]).await.expect("listed");
    let ids: Vec<_> = markets.iter().map(|market| (market.id.0, market.symbol().to_string())).collect();
    assert_eq!(ids, [(0, "SOL/USDT".to_owned()), (1, "BTC/USDT".to_owned())]);
    assert_eq!(client.init(&[]).await.expect("all").len(), 3);
    let error = client.init(&[symbol("DOGE/USDT")]).await.expect_err("not listed");
    assert!(matches!(error.kind, ErrorKind::InvalidInput(_)), "{error}");
    assert_eq!(client.markets().len(), 3, "a failed registration changes nothing");
}

#[tokio::test]
async fn calls_give_the_answers_of_their_kind() {
    let server = exchange().await;
    let client = connect(&server, "", LinkConfig::default()).await;
    client.ping().await.expect("alive");
    let now: i64 = wall_ms().parse().expect("a time");
    assert!(now - client.server_time().await.expect("the time").as_millis() < 2_000);
    let usdt = client.balance(Asset::new("USDT").expect("short")).await.expect("balances");
    assert_eq!(usdt.free, "12.5".parse::<Decimal>().expect("a number"));
    let btc = client.balance(Asset::new("BTC").expect("short")).await.expect("balances");
    assert_eq!(btc.free, Decimal::ZERO);
    let placed = client.place(order("a-1")).await.expect("placed");
    assert_eq!((placed.client_id, placed.order_id.as_str()), (order("a-1").client_id, "id-1"));
    client.cancel(SymbolId(0), OrderRef::Id(placed.order_id)).await.expect("accepted");
    client.test_order(order("a-2")).await.expect("checked");
    let error = client.assets().await.expect_err("not offered");
    assert_eq!((error.op, error.kind), (Op::Assets, ErrorKind::Unsupported));
    let error =
        client.amend(SymbolId(0), OrderRef::Id(placed.order_id), None, None).await.expect_err("not offered");
    assert_eq!(error.kind, ErrorKind::Unsupported);
}

#[tokio::test]
async fn an_order_for_another_venue_never_leaves() {
    let server = exchange().await;
    let client = connect(&server, "", LinkConfig::default()).await;
    let mut foreign = order("a-1");
    foreign.venue = VenueId::new(9, "other").expect("short");
    let error = client.place(foreign).await.expect_err("another venue");
    assert!(matches!(error.kind, ErrorKind::InvalidInput(_)), "{error}");
    assert_eq!((error.venue, server.count("POST", "/order")), (venue(), 0));
}

#[tokio::test]
async fn candles_of_any_span_come_whole_and_once() {
    let server = exchange().await;
    let client = connect(&server, "", LinkConfig::default()).await;
    let (from, to) = (Timestamp::from_secs(600), Timestamp::from_secs(600 + 60 * 1_700));
    let all = client.klines_batch(SymbolId(0), KlineInterval::Min1, from, to).await.expect("candles");
    let times: Vec<_> = all.iter().map(|kline| kline.open_time.as_secs()).collect();
    let expected: Vec<_> = (0..=1_700).map(|minute| 600 + 60 * minute).collect();
    assert_eq!(times, expected);
    assert_eq!(server.asked().iter().filter(|asked| asked.path.starts_with("/klines")).count(), 4);
    let error = client.klines_batch(SymbolId(0), KlineInterval::Min1, to, from).await.expect_err("backwards");
    assert!(matches!(error.kind, ErrorKind::InvalidInput(_)), "{error}");
}

/// Sends a trade for every subscription, and stays.
async fn echo_subscriptions(mut socket: ServerSocket) {
    while let Some(text) = next_text(&mut socket).await {
        let symbol: u8 = text.strip_prefix("subscribe ").expect("a subscription").parse().expect("a number");
        send_binary(&mut socket, &[symbol, 1]).await;
    }
}

#[tokio::test]
async fn a_stream_carries_all_its_links_and_ends_with_its_owner() {
    let (server, stream_server) =
        (exchange().await, WsServer::start(|_, socket| echo_subscriptions(socket)).await);
    let client = connect(&server, &stream_server.url, LinkConfig::default()).await;
    let mut stream = client.subscribe(&trades(&[1, 2, 3])).await.expect("subscribed");
    let mut symbols = Vec::new();
    for _ in 0..3 {
        let Some((MarketEvent::Trade(trade), levels)) = stream.next_market().await else { panic!("a trade") };
        assert!(levels.is_empty());
        symbols.push(trade.symbol.0);
    }
    symbols.sort_unstable();
    assert_eq!(symbols, [1, 2, 3]);
    assert_eq!(
        (stream.next_link().await, stream.next_link().await),
        (Some(LinkEvent::Up), Some(LinkEvent::Up))
    );
    let health = client.health();
    assert_eq!((health.links_up, health.frames, health.reconnects), ((2, 2), 3, 0));
    assert!(health.clock_error.is_some_and(|error| error < Duration::from_secs(1)));
    assert!(health.silent_for.is_some_and(|silent| silent < Duration::from_secs(5)));
    assert_eq!(health.calls.1, 0);
    assert!(stream.links()[0].resubscribe(SymbolId(2)));
    assert!(matches!(stream.next_market().await, Some((MarketEvent::Trade(_), _))));
    drop(stream);
    until("the links end", || client.health().links_up == (0, 0)).await;
    assert_eq!(client.health().frames, 4, "what ended still counts");
}

#[tokio::test]
async fn a_slow_reader_is_told_what_it_lost() {
    let flood = WsServer::start(|_, mut socket| async move {
        assert!(next_text(&mut socket).await.is_some());
        for _ in 0..100 {
            send_binary(&mut socket, &[1, 1]).await;
        }
        while next_text(&mut socket).await.is_some() {
            send_binary(&mut socket, &[1, 2]).await;
        }
    })
    .await;
    let server = exchange().await;
    let client = connect(&server, &flood.url, LinkConfig { queue_max: 10, ..LinkConfig::default() }).await;
    let mut stream = client.subscribe(&trades(&[1])).await.expect("subscribed");
    until("the queue overflows", || client.link_metrics().iter().any(|link| link.overflows >= 90)).await;
    assert_eq!(stream.next_link().await, Some(LinkEvent::Up));
    assert_eq!(stream.next_link().await, Some(LinkEvent::Undecodable { symbol: Some(SymbolId(1)) }));
    assert!(client.link_metrics().iter().any(|link| link.resubscribes == 1), "asked for again, once");
}

#[tokio::test]
async fn the_account_stream_gets_its_key_first() {
    let (server, stream_server) =
        (exchange().await, WsServer::start(|_, socket| echo_subscriptions(socket)).await);
    let client = connect(&server, &stream_server.url, LinkConfig::default()).await;
    let mut stream = client.account_stream().await.expect("started");
    assert_eq!(stream.next_link().await, Some(LinkEvent::AccountReady));
    assert_eq!(*stream_server.paths.lock().expect("paths"), ["/ws?key=secret-key"]);
    assert_eq!(server.count("POST", "/key"), 1);
}

#[tokio::test]
async fn an_exchange_that_is_not_there_is_an_error_at_once() {
    let protocol = Arc::new(MadeUp::new("http://127.0.0.1:9"));
    let error = Client::connect(protocol, TransportConfig::default()).await.expect_err("nobody is there");
    assert_eq!(error.op, Op::ServerTime);
    let protocol = Arc::new(MadeUp::new("http://exchange.example"));
    let error = Client::connect(protocol, TransportConfig::default()).await.expect_err("plain text");
    assert!(matches!(error.kind, ErrorKind::InvalidInput(_)), "{error}");
}
