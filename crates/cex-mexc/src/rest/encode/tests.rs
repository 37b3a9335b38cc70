//! Calls as they leave: method, path, query, headers.

use super::*;
use crate::config::Settings;
use crate::testing::{at, config_with_keys, markets};
use cex_core::{ClientOrderId, Notional, OrderId, Price, VenueId};

const NOW: i64 = 1_644_489_390_087;

fn client_id() -> ClientOrderId {
    ClientOrderId::new("arb-000017").expect("plain")
}

fn built(request: &Request) -> Result<HttpRequest, ErrorKind> {
    let settings = Settings::read(config_with_keys()).expect("valid");
    let mut out = HttpRequest::default();
    encode(settings.credentials.as_ref(), at(NOW), &markets(), request, &mut out).map(|()| out)
}

/// Method, path and query, without the signature that ends a signed one.
fn sent(request: &Request) -> String {
    let built = built(request).expect("a call");
    assert!(built.body.is_empty());
    let unsigned = built.target.split("&signature=").next().unwrap_or_default();
    format!("{} {unsigned}", built.method.as_str())
}

fn order(side: Side, kind: OrderKind, expires_ms: u64) -> OrderRequest {
    let venue = VenueId::new(0, "mexc").expect("short");
    let expires_in = Duration::from_millis(expires_ms);
    OrderRequest { venue, symbol: SymbolId(0), client_id: client_id(), side, kind, expires_in }
}

/// 11 USDT for 1 BTC: two decimals of price, eight of quantity.
fn limit_kind(tif: TimeInForce) -> OrderKind {
    OrderKind::Limit { price: Price(1_100), qty: Qty(100_000_000), tif }
}

/// The string to sign and the signature of these calls are published vectors.
#[test]
fn calls_carry_the_published_signatures() {
    let by_client_id = OrderRef::Client(client_id());
    for (request, target) in [
        (
            Request::Place(order(Side::Buy, limit_kind(TimeInForce::Gtc), 5_000)),
            "/api/v3/order?symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=11&newClientOrderId=arb-000017\
             &timestamp=1644489390087&recvWindow=5000\
             &signature=0a8071032f60c3a6a98fb553309bbab928df373f90aa2e5ee99ad1ade797cb7d",
        ),
        (
            Request::Cancel { symbol: SymbolId(0), order: by_client_id },
            "/api/v3/order?symbol=BTCUSDT&origClientOrderId=arb-000017&timestamp=1644489390087&recvWindow=5000\
             &signature=b44ac95873d3a637809b94c0022164a6ba0e4b3dd1b633c96224602e65a35d41",
        ),
        (
            Request::Account,
            "/api/v3/account?timestamp=1644489390087&recvWindow=5000\
             &signature=b5b203b847a18d84fcd7886409f1efef45a18662756c84d29b9a7439d909b8cd",
        ),
        (
            Request::KeepListenKey("abc".to_owned()),
            "/api/v3/userDataStream?listenKey=abc&timestamp=1644489390087&recvWindow=5000\
             &signature=3aa9d35ec119c3e9d4ef182ef9fe2bac7bf321b5a0d9f10a4808234e2c85a943",
        ),
    ] {
        assert_eq!(built(&request).expect("a call").target, target);
    }
}

#[test]
fn writes_carry_the_content_type_and_signed_calls_the_key() {
    let headers = |request: &Request| built(request).expect("a call").headers;
    let key = ("x-mexc-apikey", "mx0aBYs33eIilxBWC5");
    let json = ("content-type", "application/json");
    assert_eq!(Vec::from_iter(headers(&Request::CreateListenKey).iter()), [key, json]);
    assert_eq!(Vec::from_iter(headers(&Request::Account).iter()), [key]);
    assert_eq!(headers(&Request::Ping).iter().count(), 0);
}

#[test]
fn every_kind_of_order_says_what_it_is() {
    let (price, qty) = (Price(6_421_010), Qty(30_000));
    let prefix = "POST /api/v3/order?symbol=BTCUSDT&side=SELL&type=";
    let suffix = "&newClientOrderId=arb-000017&timestamp=1644489390087&recvWindow=2000";
    for (kind, what) in [
        (OrderKind::Limit { price, qty, tif: TimeInForce::Gtc }, "LIMIT&quantity=0.0003&price=64210.1"),
        (
            OrderKind::Limit { price, qty, tif: TimeInForce::Ioc },
            "IMMEDIATE_OR_CANCEL&quantity=0.0003&price=64210.1",
        ),
        (
            OrderKind::Limit { price, qty, tif: TimeInForce::Fok },
            "FILL_OR_KILL&quantity=0.0003&price=64210.1",
        ),
        (OrderKind::PostOnly { price, qty }, "LIMIT_MAKER&quantity=0.0003&price=64210.1"),
        (OrderKind::Market { qty }, "MARKET&quantity=0.0003"),
        (OrderKind::MarketNotional { notional: Notional(102_500_000_000) }, "MARKET&quoteOrderQty=10.25"),
    ] {
        let placed = order(Side::Sell, kind, 2_000);
        assert_eq!(sent(&Request::Place(placed)), format!("{prefix}{what}{suffix}"));
        assert!(
            sent(&Request::TestOrder(placed)).starts_with("POST /api/v3/order/test?symbol=BTCUSDT&side=SELL")
        );
    }
}

#[test]
fn an_order_expires_within_what_the_exchange_takes() {
    for (asked, window) in [(0, 1), (1, 1), (2_500, 2_500), (60_000, 60_000), (3_600_000, 60_000)] {
        let placed = order(Side::Buy, limit_kind(TimeInForce::Ioc), asked);
        assert!(sent(&Request::Place(placed)).ends_with(&format!("&recvWindow={window}")), "{asked}");
    }
}

#[test]
fn numbers_off_the_grid_are_refused_before_they_are_sent() {
    let gtc = TimeInForce::Gtc;
    let (price, qty) = (Price(100), Qty(100));
    for kind in [
        OrderKind::Limit { price: Price(0), qty, tif: gtc },
        OrderKind::Limit { price: Price(-1), qty, tif: gtc },
        OrderKind::Limit { price, qty: Qty(0), tif: gtc },
        OrderKind::PostOnly { price, qty: Qty(-1) },
        OrderKind::Market { qty: Qty(0) },
        OrderKind::MarketNotional { notional: Notional(0) },
        OrderKind::MarketNotional { notional: Notional(1) },
    ] {
        let refused = built(&Request::Place(order(Side::Buy, kind, 1_000)));
        assert!(matches!(refused, Err(ErrorKind::InvalidInput(_))), "{kind:?}");
    }
    // Shared scales are finer than this market's own steps: MX has four lot digits less and two price digits less.
    let mut fine =
        order(Side::Buy, OrderKind::Limit { price: Price(35_001), qty: Qty(1_000_000), tif: gtc }, 1_000);
    fine.symbol = SymbolId(1);
    assert!(matches!(built(&Request::Place(fine)), Err(ErrorKind::InvalidInput(_))));
    fine.kind = OrderKind::Limit { price: Price(35_000), qty: Qty(1_000_001), tif: gtc };
    assert!(matches!(built(&Request::Place(fine)), Err(ErrorKind::InvalidInput(_))));
    fine.kind = OrderKind::Limit { price: Price(35_000), qty: Qty(1_000_000), tif: gtc };
    assert!(
        sent(&Request::Place(fine)).contains("symbol=MXUSDT&side=BUY&type=LIMIT&quantity=0.01&price=0.35&")
    );
}

#[test]
fn public_calls_are_plain() {
    let symbol = SymbolId(0);
    let (from, to) = (Some(at(1_000)), Some(at(2_000)));
    let span = TimeRange { from, to };
    let klines = |interval| Request::Klines { symbol, interval, range: span, limit: 5_000 };
    for (request, expected) in [
        (Request::Ping, "GET /api/v3/ping"),
        (Request::ServerTime, "GET /api/v3/time"),
        (Request::Symbols, "GET /api/v3/exchangeInfo"),
        (Request::Book { symbol, depth: 1_000 }, "GET /api/v3/depth?symbol=BTCUSDT&limit=1000"),
        (
            Request::Book { symbol: SymbolId(2), depth: 0 },
            "GET /api/v3/depth?symbol=%E9%BE%99%E8%99%BEUSDT&limit=1",
        ),
        (
            Request::Trades { symbol, limit: 9_999, range: TimeRange::default() },
            "GET /api/v3/trades?symbol=BTCUSDT&limit=1000",
        ),
        (
            Request::Trades { symbol, limit: 10, range: span },
            "GET /api/v3/aggTrades?symbol=BTCUSDT&startTime=1000&endTime=2000&limit=10",
        ),
        (
            Request::Trades { symbol, limit: 10, range: TimeRange { from, to: None } },
            "GET /api/v3/aggTrades?symbol=BTCUSDT&startTime=1000&endTime=1644489390087&limit=10",
        ),
        (
            klines(KlineInterval::Hour1),
            "GET /api/v3/klines?symbol=BTCUSDT&interval=60m&startTime=1000&endTime=2001&limit=500",
        ),
        (Request::Tickers { symbol: None }, "GET /api/v3/ticker/24hr"),
        (Request::Tickers { symbol: Some(symbol) }, "GET /api/v3/ticker/24hr?symbol=BTCUSDT"),
        (Request::BookTickers { symbol: None }, "GET /api/v3/ticker/bookTicker"),
    ] {
        assert_eq!(sent(&request), expected);
    }
    let open_end = Request::Trades { symbol, limit: 1, range: TimeRange { from: None, to } };
    assert!(matches!(built(&open_end), Err(ErrorKind::InvalidInput(_))));
    assert_eq!(built(&klines(KlineInterval::Hour8)).err(), Some(ErrorKind::Unsupported));
}

#[test]
fn signed_calls_name_what_they_are_about() {
    let symbol = SymbolId(0);
    let order = OrderRef::Id(OrderId::new("C02__579000000000001044").expect("short"));
    let range = TimeRange { from: Some(at(1_000)), to: Some(at(2_000)) };
    let none = TimeRange::default();
    let id = OrderId::new("C02__1").expect("short");
    for (request, expected) in [
        (Request::Assets, "GET /api/v3/capital/config/getall?"),
        (Request::Fees { symbol: Some(symbol) }, "GET /api/v3/tradeFee?symbol=BTCUSDT&"),
        (
            Request::Cancel { symbol, order },
            "DELETE /api/v3/order?symbol=BTCUSDT&orderId=C02__579000000000001044&",
        ),
        (Request::CancelAll { symbol }, "DELETE /api/v3/openOrders?symbol=BTCUSDT&"),
        (
            Request::Order { symbol: SymbolId(2), order },
            "GET /api/v3/order?symbol=%E9%BE%99%E8%99%BEUSDT&orderId=C02__579000000000001044&",
        ),
        (Request::OpenOrders { symbol: None }, "GET /api/v3/openOrders?"),
        (Request::OpenOrders { symbol: Some(symbol) }, "GET /api/v3/openOrders?symbol=BTCUSDT&"),
        // MEXC-REST-27.
        (
            Request::OpenOrdersOf(vec![symbol, SymbolId(2)]),
            "GET /api/v3/openOrders?symbol=BTCUSDT%2C%E9%BE%99%E8%99%BEUSDT&",
        ),
        (
            Request::OrderHistory { symbol, range, limit: 5_000 },
            "GET /api/v3/allOrders?symbol=BTCUSDT&startTime=1000&endTime=2000&limit=1000&",
        ),
        (
            Request::MyTrades { symbol, order: Some(id), range: none, limit: 500 },
            "GET /api/v3/myTrades?symbol=BTCUSDT&orderId=C02__1&limit=500&",
        ),
        (Request::CreateListenKey, "POST /api/v3/userDataStream?"),
        (Request::ListenKeys, "GET /api/v3/userDataStream?"),
        (Request::Withdrawals, "GET /api/v3/capital/withdraw/history?limit=1&"),
        (Request::Tradable, "GET /api/v3/selfSymbols?"),
        (Request::DeleteListenKey("a/b".to_owned()), "DELETE /api/v3/userDataStream?listenKey=a%2Fb&"),
    ] {
        assert_eq!(sent(&request), format!("{expected}timestamp=1644489390087&recvWindow=5000"));
    }
}

#[test]
fn what_cannot_be_asked_is_refused() {
    let symbol = SymbolId(0);
    let order = OrderRef::Client(client_id());
    for request in [
        Request::Amend { symbol, order, price: None, qty: None },
        Request::DeadManSwitch { timeout: Duration::from_secs(5) },
        Request::Fees { symbol: None },
    ] {
        assert_eq!(built(&request).err(), Some(ErrorKind::Unsupported), "{request:?}");
    }
    let unknown = Request::Book { symbol: SymbolId(99), depth: 1 };
    assert!(matches!(built(&unknown), Err(ErrorKind::InvalidInput(_))));
    let mut out = HttpRequest::default();
    let unsigned = encode(None, at(NOW), &markets(), &Request::Account, &mut out);
    assert!(matches!(unsigned, Err(ErrorKind::InvalidInput(_))));
}

#[test]
fn counts_are_written_without_trailing_zeros() {
    for (count, dp, text) in [
        (0_u64, 8, "0"),
        (1, 0, "1"),
        (100, 0, "100"),
        (100, 2, "1"),
        (101, 2, "1.01"),
        (10, 2, "0.1"),
        (1, 8, "0.00000001"),
        (123_000, 8, "0.00123"),
        (u64::MAX, 18, "18.446744073709551615"),
    ] {
        let mut out = String::new();
        push_scaled(&mut out, count, dp);
        assert_eq!(out, text);
    }
}

/// The vector of the wire reference is a batch without identifiers, which we always send (MEXC-REST-24, MEXC-SIGN-03).
#[test]
fn a_batch_is_a_list_in_one_parameter_signed_as_encoded() {
    let (price, qty) = (Price(1_100), Qty(100_000_000));
    let of = |id: &str, kind, expires_ms| OrderRequest {
        client_id: ClientOrderId::new(id).expect("plain"),
        ..order(Side::Buy, kind, expires_ms)
    };
    let limit = OrderKind::Limit { price, qty, tif: TimeInForce::Gtc };
    let two = [of("a", limit, 3_000), of("b", OrderKind::Market { qty }, 2_000)];
    let list = "%5B%7B%22symbol%22%3A%22BTCUSDT%22%2C%22side%22%3A%22BUY%22%2C%22type%22%3A%22LIMIT%22%2C%22quantity%22%3A\
                %221%22%2C%22price%22%3A%2211%22%2C%22newClientOrderId%22%3A%22a%22%7D%2C%7B%22symbol%22%3A%22BTCUSDT%22\
                %2C%22side%22%3A%22BUY%22%2C%22type%22%3A%22MARKET%22%2C%22quantity%22%3A%221%22%2C\
                %22newClientOrderId%22%3A%22b%22%7D%5D";
    let expected = format!("POST /api/v3/batchOrders?batchOrders={list}&timestamp={NOW}&recvWindow=2000");
    assert_eq!(sent(&Request::PlaceBatch(two.to_vec())), expected);
    let refused =
        |orders: Vec<OrderRequest>| built(&Request::PlaceBatch(orders)).map(|_| ()).expect_err("refused");
    let elsewhere = OrderRequest { symbol: SymbolId(3), ..two[1] };
    for orders in [vec![], vec![two[0], two[0]], vec![two[0], elsewhere], vec![two[0]; 21]] {
        assert!(matches!(refused(orders), ErrorKind::InvalidInput(_)));
    }
    let no_batch = Request::CancelBatch(vec![(SymbolId(0), OrderRef::Client(client_id()))]);
    assert_eq!(built(&no_batch).map(|_| ()), Err(ErrorKind::Unsupported));
}
