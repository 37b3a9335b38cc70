//! Calls as they leave and answers as they come.

use super::*;
use crate::testing::{markets, venue};
use cex_core::{
    ClientOrderId, Decimal, KlineInterval, Notional, OrderId, OrderKind, OrderRequest, OrderStatus, Price,
    Qty, Side, TimeInForce,
};
use cex_interface::{Method, OrderRef, Secret, TimeRange};
use proptest::prelude::*;
use std::time::Duration;

const BTC: SymbolId = SymbolId(0);
const CJK: SymbolId = SymbolId(3);

fn gateio(options: &[(&str, &str)]) -> Gateio {
    let mut config = VenueConfig::public(venue());
    config.key = Secret::new("k".to_owned());
    config.secret = Secret::new("s".to_owned());
    config.options = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Gateio::new(config).expect("valid")
}

fn encoded(request: &Request) -> Result<HttpRequest, ErrorKind> {
    let mut out = HttpRequest::default();
    let now = Timestamp::from_secs(1_700_000_000);
    gateio(&[]).encode(now, &markets(), request, &mut out).map(|()| out).map_err(|error| error.kind)
}

/// Method, target and body of a call.
fn wire(request: &Request) -> String {
    let call = encoded(request).expect("valid");
    let body = String::from_utf8(call.body.clone()).expect("UTF-8");
    format!("{} {} {body}", call.method.as_str(), call.target).trim_end().to_owned()
}

fn by_id() -> OrderRef {
    OrderRef::Id(OrderId::new("12332324").expect("short"))
}

fn by_client() -> OrderRef {
    OrderRef::Client(ClientOrderId::new("abc_1").expect("plain"))
}

fn secs(from: i64, to: i64) -> TimeRange {
    TimeRange { from: Some(Timestamp::from_secs(from)), to: Some(Timestamp::from_secs(to)) }
}

fn order(side: Side, kind: OrderKind) -> Request {
    let client_id = ClientOrderId::new("abc_1").expect("plain");
    Request::Place(OrderRequest {
        venue: venue(),
        symbol: BTC,
        client_id,
        side,
        kind,
        expires_in: Duration::from_millis(1_500),
    })
}

fn limit(price: i64, qty: i64, tif: TimeInForce) -> Request {
    order(Side::Buy, OrderKind::Limit { price: Price(price), qty: Qty(qty), tif })
}

#[test]
fn reading_calls_have_the_exchanges_paths() {
    let none = TimeRange::default();
    for (request, expected) in [
        (Request::Ping, "GET /api/v4/spot/time"),
        (Request::ServerTime, "GET /api/v4/spot/time"),
        (Request::Symbols, "GET /api/v4/spot/currency_pairs"),
        (Request::Assets, "GET /api/v4/spot/currencies"),
        (
            Request::Book { symbol: BTC, depth: 5_000 },
            "GET /api/v4/spot/order_book?currency_pair=BTC_USDT&limit=100&with_id=true",
        ),
        (
            Request::Trades { symbol: BTC, limit: 7, range: secs(1, 2) },
            "GET /api/v4/spot/trades?currency_pair=BTC_USDT&limit=7&from=1&to=2",
        ),
        (Request::Tickers { symbol: None }, "GET /api/v4/spot/tickers"),
        (Request::BookTickers { symbol: Some(BTC) }, "GET /api/v4/spot/tickers?currency_pair=BTC_USDT"),
        (Request::Account, "GET /api/v4/spot/accounts"),
        (Request::Fees { symbol: None }, "GET /api/v4/wallet/fee"),
        (Request::Fees { symbol: Some(BTC) }, "GET /api/v4/spot/batch_fee?currency_pairs=BTC_USDT"),
        (
            Request::Order { symbol: BTC, order: by_client() },
            "GET /api/v4/spot/orders/t-abc_1?currency_pair=BTC_USDT",
        ),
        (Request::OpenOrders { symbol: None }, "GET /api/v4/spot/open_orders?limit=100"),
        (
            Request::OpenOrders { symbol: Some(BTC) },
            "GET /api/v4/spot/orders?currency_pair=BTC_USDT&status=open&limit=100",
        ),
        (
            Request::OrderHistory { symbol: BTC, range: none, limit: 9_999 },
            "GET /api/v4/spot/orders?currency_pair=BTC_USDT&status=finished&limit=1000",
        ),
        (
            Request::MyTrades {
                symbol: BTC,
                order: Some(OrderId::new("9").expect("short")),
                range: none,
                limit: 0,
            },
            "GET /api/v4/spot/my_trades?currency_pair=BTC_USDT&limit=1&order_id=9",
        ),
    ] {
        assert_eq!(wire(&request), expected);
    }
}

#[test]
fn candles_take_a_limit_or_a_span_but_not_both() {
    let check = |range, limit, expected: &str| {
        let request = Request::Klines { symbol: BTC, interval: KlineInterval::Min5, range, limit };
        let start = "GET /api/v4/spot/candlesticks?currency_pair=BTC_USDT&interval=5m&";
        assert_eq!(wire(&request), format!("{start}{expected}"));
    };
    check(TimeRange::default(), 50, "limit=50");
    check(secs(3_000, 3_300), 50, "from=3000&to=3300");
    check(secs(3_000, 300_000), 3, "from=3000&to=3600");
    check(TimeRange { to: None, ..secs(3_000, 0) }, 3, "from=3000&to=3600");
    check(TimeRange { from: None, ..secs(0, 3_600) }, 3, "from=3000&to=3600");
    let half_a_day = Request::Klines {
        symbol: BTC,
        interval: KlineInterval::Hour12,
        range: TimeRange::default(),
        limit: 1,
    };
    assert_eq!(encoded(&half_a_day).map(|_| ()), Err(ErrorKind::Unsupported));
}

#[test]
fn writing_calls_have_the_exchanges_bodies() {
    let head = r#"POST /api/v4/spot/orders {"text":"t-abc_1","currency_pair":"BTC_USDT","#;
    for (request, expected) in [
        (
            limit(300_005, 100_000, TimeInForce::Gtc),
            r#""type":"limit","account":"spot","side":"buy","amount":"0.001","price":"30000.5","time_in_force":"gtc"}"#,
        ),
        (
            limit(300_000, 1_000_000_000, TimeInForce::Ioc),
            r#""type":"limit","account":"spot","side":"buy","amount":"10","price":"30000","time_in_force":"ioc"}"#,
        ),
        (
            limit(1, 1_000, TimeInForce::Fok),
            r#""type":"limit","account":"spot","side":"buy","amount":"0.00001","price":"0.1","time_in_force":"fok"}"#,
        ),
        (
            order(Side::Sell, OrderKind::PostOnly { price: Price(10), qty: Qty(123_000) }),
            r#""type":"limit","account":"spot","side":"sell","amount":"0.00123","price":"1","time_in_force":"poc"}"#,
        ),
        (
            order(Side::Sell, OrderKind::Market { qty: Qty(100_000_000) }),
            r#""type":"market","account":"spot","side":"sell","amount":"1","time_in_force":"ioc"}"#,
        ),
        (
            // 30.19 of quote at one decimal of price.
            order(Side::Buy, OrderKind::MarketNotional { notional: Notional(30_190_000_000) }),
            r#""type":"market","account":"spot","side":"buy","amount":"30.1","time_in_force":"ioc"}"#,
        ),
    ] {
        assert_eq!(wire(&request), format!("{head}{expected}"));
    }
    for (request, expected) in [
        (
            Request::Cancel { symbol: BTC, order: by_id() },
            "DELETE /api/v4/spot/orders/12332324?currency_pair=BTC_USDT",
        ),
        (Request::CancelAll { symbol: BTC }, "DELETE /api/v4/spot/orders?currency_pair=BTC_USDT"),
        (
            Request::Amend { symbol: BTC, order: by_id(), price: Some(Price(5)), qty: Some(Qty(1_000)) },
            r#"PATCH /api/v4/spot/orders/12332324 {"currency_pair":"BTC_USDT","account":"spot","price":"0.5","amount":"0.00001"}"#,
        ),
        (
            Request::DeadManSwitch { timeout: Duration::from_millis(10_900) },
            r#"POST /api/v4/spot/countdown_cancel_all {"timeout":10}"#,
        ),
        (
            Request::DeadManSwitch { timeout: Duration::ZERO },
            r#"POST /api/v4/spot/countdown_cancel_all {"timeout":0}"#,
        ),
    ] {
        assert_eq!(wire(&request), expected);
    }
}

#[test]
fn what_cannot_be_said_is_not_sent() {
    let invalid = |kind| matches!(kind, Err(ErrorKind::InvalidInput(_)));
    for request in [
        limit(300_005, 100_001, TimeInForce::Gtc),
        limit(300_005, 0, TimeInForce::Gtc),
        limit(-1, 1_000, TimeInForce::Gtc),
        order(Side::Buy, OrderKind::MarketNotional { notional: Notional(1) }),
        order(Side::Buy, OrderKind::MarketNotional { notional: Notional(i128::MAX) }),
        Request::Amend { symbol: BTC, order: by_id(), price: None, qty: None },
        Request::Cancel { symbol: BTC, order: OrderRef::Id(OrderId::new("../withdrawals").expect("short")) },
        Request::Cancel { symbol: BTC, order: OrderRef::Id(OrderId::EMPTY) },
        Request::DeadManSwitch { timeout: Duration::from_secs(4) },
        Request::CancelAll { symbol: SymbolId(99) },
        Request::CancelAll { symbol: CJK },
    ] {
        assert!(invalid(encoded(&request)), "{request:?}");
    }
    for request in [
        order(Side::Buy, OrderKind::Market { qty: Qty(1_000) }),
        order(Side::Sell, OrderKind::MarketNotional { notional: Notional(30_190_000_000) }),
        Request::TestOrder(match limit(1, 1_000, TimeInForce::Gtc) {
            Request::Place(order) => order,
            other => panic!("{other:?}"),
        }),
        Request::CreateListenKey,
    ] {
        assert_eq!(encoded(&request).map(|_| ()), Err(ErrorKind::Unsupported), "{request:?}");
    }
}

#[test]
fn a_finer_scale_than_the_markets_own_changes_nothing_on_the_wire() {
    let info = markets().get(BTC).expect("registered").info.clone();
    let scale = cex_core::Scale::new(4, 10).expect("fits");
    let market = cex_core::Market::new(venue(), BTC, info, scale).expect("rules fit");
    let mut out = HttpRequest::default();
    let request = limit(300_005_000, 10_000_000, TimeInForce::Gtc);
    gateio(&[]).encode(Timestamp::EPOCH, &Markets::new(vec![market]), &request, &mut out).expect("valid");
    assert!(String::from_utf8_lossy(&out.body).contains(r#""amount":"0.001","price":"30000.5""#));
}

#[test]
fn only_private_calls_are_signed_and_placements_expire() {
    let names = |request| {
        let call = encoded(&request).expect("valid");
        call.headers.iter().map(|(name, _)| name).collect::<Vec<_>>()
    };
    assert_eq!(names(Request::Symbols), ["accept"]);
    assert_eq!(names(Request::Account), ["accept", "key", "timestamp", "sign"]);
    let placement = encoded(&limit(1, 1_000, TimeInForce::Gtc)).expect("valid");
    let headers: Vec<_> = placement.headers.iter().collect();
    assert_eq!(
        headers[..5],
        [
            ("accept", "application/json"),
            ("content-type", "application/json"),
            ("x-gate-exptime", "1700000001500"),
            ("key", "k"),
            ("timestamp", "1700000000"),
        ]
    );
    assert_eq!((headers[5].0, headers[5].1.len()), ("sign", 128));
    let public = Gateio::new(VenueConfig::public(venue())).expect("valid");
    let refused = public.encode(Timestamp::EPOCH, &markets(), &Request::Account, &mut HttpRequest::default());
    assert_eq!(refused.expect_err("no key").kind, ErrorKind::InvalidInput("no API key"));
    assert!(public.account_link(&Arc::new(markets())).is_err());
}

#[test]
fn an_unusual_name_is_sent_encoded_and_signed_as_it_reads() {
    let gateio = gateio(&[("unusual_names", "send")]);
    let mut out = HttpRequest::default();
    gateio
        .encode(Timestamp::EPOCH, &markets(), &Request::CancelAll { symbol: CJK }, &mut out)
        .expect("valid");
    assert_eq!(out.target, "/api/v4/spot/orders?currency_pair=%E9%BE%99%E8%99%BE_USDT");
    let query = "currency_pair=龙虾_USDT";
    let call =
        crate::sign::Call { method: "DELETE", path: "/api/v4/spot/orders", query, body: b"", timestamp: "0" };
    let expected = gateio.signer.as_ref().expect("credentials").call(call);
    assert_eq!(out.headers.value("sign"), Some(expected.as_str()));
    assert_eq!(out.method, Method::Delete);
}

fn decoded(request: &Request, body: &str) -> Result<Reply, ErrorKind> {
    let response = HttpResponse { status: 200, headers: &[], body: body.as_bytes() };
    gateio(&[]).decode(&markets(), request, &response).map_err(|error| error.kind)
}

const ORDER: &str = r#"{"id":"12332324","text":"t-abc_1","currency_pair":"BTC_USDT","type":"limit","side":"buy","status":"cancelled",
    "amount":"1","price":"2","left":"0.4","filled_amount":"0.6","filled_total":"1.2","fee":"0.001","fee_currency":"BTC",
    "create_time_ms":1700000000123,"update_time_ms":"1700000001123","finish_as":"cancelled","label":"","succeeded":true}"#;

#[test]
fn a_cancel_tells_how_the_order_ended() {
    let request = Request::Cancel { symbol: BTC, order: by_id() };
    let Ok(Reply::Canceled { order_id, order: Some(order) }) = decoded(&request, ORDER) else {
        panic!("canceled")
    };
    assert_eq!(order_id.map(|id| id.to_string()).as_deref(), Some("12332324"));
    assert_eq!((order.status, order.filled_qty), (OrderStatus::Canceled, Decimal::new(6, 1)));
    assert_eq!(
        (order.created_at.as_millis(), order.as_of.as_millis()),
        (1_700_000_000_123, 1_700_000_001_123)
    );
}

#[test]
fn an_answer_about_another_order_is_not_believed() {
    let other = OrderRef::Id(OrderId::new("1").expect("short"));
    let eth = SymbolId(1);
    for request in [
        Request::Order { symbol: BTC, order: other },
        Request::Cancel { symbol: BTC, order: other },
        Request::Order { symbol: eth, order: by_id() },
        Request::Order { symbol: BTC, order: OrderRef::Client(ClientOrderId::new("zzz").expect("plain")) },
    ] {
        assert!(matches!(decoded(&request, ORDER), Err(ErrorKind::Undecodable(_))), "{request:?}");
    }
    assert!(decoded(&Request::Order { symbol: BTC, order: by_client() }, ORDER).is_ok());
    let another = limit(1, 1_000, TimeInForce::Gtc);
    assert!(decoded(&another, ORDER).is_ok());
    assert!(matches!(
        decoded(&another, &ORDER.replace("t-abc_1", "t-abc_2")),
        Err(ErrorKind::Undecodable(_))
    ));
}

#[test]
fn a_placement_may_tell_identifiers_only() {
    let request = limit(1, 1_000, TimeInForce::Gtc);
    let Ok(Reply::Placed(placed)) =
        decoded(&request, r#"{"id":"12332324","text":"t-abc_1","amend_text":"-"}"#)
    else {
        panic!("placed")
    };
    assert_eq!((placed.order_id.as_str(), placed.order), ("12332324", None));
    for broken in ["", "[]", "{}", "<html>", r#"{"id":"1"}"#, r#"{"text":"t-abc_1"}"#, &ORDER[..100]] {
        assert!(matches!(decoded(&request, broken), Err(ErrorKind::Undecodable(_))), "{broken}");
    }
    let refused = r#"{"label":"BALANCE_NOT_ENOUGH","message":"Not enough balance"}"#;
    assert_eq!(decoded(&request, refused), Err(ErrorKind::InsufficientBalance));
}

#[test]
fn cancelling_all_fails_as_a_whole_only_when_something_may_still_live() {
    let request = Request::CancelAll { symbol: BTC };
    let gone = r#"{"text":"t-b","succeeded":false,"label":"ORDER_NOT_FOUND","message":""}"#;
    let Ok(Reply::Orders(orders)) = decoded(&request, &format!("[{ORDER},{gone}]")) else { panic!("orders") };
    assert_eq!(orders.len(), 1);
    let failed = r#"{"text":"t-b","label":"CANCEL_FAIL","message":"try again"}"#;
    assert_eq!(decoded(&request, &format!("[{ORDER},{failed}]")), Err(ErrorKind::ServerBusy));
    assert_eq!(decoded(&request, "[]"), Ok(Reply::Orders(Vec::new())));
}

#[test]
fn open_orders_are_all_or_an_error() {
    let all = Request::OpenOrders { symbol: None };
    let open = ORDER.replace("cancelled\",\n", "open\",\n");
    let page = |total| format!(r#"[{{"currency_pair":"BTC_USDT","total":{total},"orders":[{open}]}}]"#);
    let Ok(Reply::Orders(orders)) = decoded(&all, &page(1)) else { panic!("orders") };
    assert_eq!(orders[0].status, OrderStatus::PartiallyFilled);
    assert_eq!(decoded(&all, &page(2)), Err(ErrorKind::AboveMaximum));
    let one = Request::OpenOrders { symbol: Some(BTC) };
    assert_eq!(decoded(&one, "[]"), Ok(Reply::Orders(Vec::new())));
    let full = vec![open; 100].join(",");
    assert_eq!(decoded(&one, &format!("[{full}]")), Err(ErrorKind::AboveMaximum));
}

#[test]
fn orders_of_markets_that_are_not_registered_are_left_out() {
    let request = Request::OrderHistory { symbol: BTC, range: TimeRange::default(), limit: 10 };
    let foreign = ORDER.replace("BTC_USDT", "ABC_USDT");
    let Ok(Reply::Orders(orders)) = decoded(&request, &format!("[{foreign},{ORDER}]")) else {
        panic!("orders")
    };
    assert_eq!(orders.len(), 1);
}

#[test]
fn fills_come_oldest_first() {
    let request = Request::MyTrades { symbol: BTC, order: None, range: TimeRange::default(), limit: 10 };
    let fill = |id: u64, millis: &str| {
        format!(
            r#"{{"id":"{id}","create_time_ms":"{millis}","currency_pair":"BTC_USDT","side":"buy","role":"maker","amount":"0.4",
            "price":"37000","order_id":"9","fee":"0","fee_currency":"BTC","point_fee":"0.5","gt_fee":"0","text":"apiv4"}}"#
        )
    };
    let body = format!("[{},{}]", fill(2, "1700000001001.399200"), fill(1, "1700000001001.3"));
    let Ok(Reply::Fills(fills)) = decoded(&request, &body) else { panic!("fills") };
    assert_eq!(fills.iter().map(|fill| fill.trade_id.to_string()).collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!((fills[0].fee.to_string(), fills[0].fee_asset.to_string()), ("0.5".into(), "POINT".into()));
    assert_eq!(fills[0].client_id, None);
    let two_coins = fill(1, "1").replace(r#""fee":"0""#, r#""fee":"1""#);
    let Ok(Reply::Fills(fills)) = decoded(&request, &format!("[{two_coins}]")) else { panic!("fills") };
    let fees: Vec<_> = fills[0].fees().map(|(fee, asset)| format!("{fee} {asset}")).collect();
    assert_eq!(fees, ["1 BTC", "0.5 POINT"]);
    let three = two_coins.replace(r#""gt_fee":"0""#, r#""gt_fee":"1""#);
    for bad in [three.as_str(), "{}", "7", "null"] {
        let Ok(Reply::Incomplete(told)) = decoded(&request, &format!("[{bad},{two_coins}]")) else {
            panic!("{bad}")
        };
        assert_eq!((told.read, told.unreadable.len()), (Reply::Fills(fills.clone()), 1), "{bad}");
    }
}

/// What cannot be read is told of, and hides nothing else.
#[test]
fn one_bad_order_costs_no_other() {
    let open = ORDER.replace("cancelled\",\n", "open\",\n");
    let bad = open.replace("\"buy\"", "\"hold\"");
    let history = Request::OrderHistory { symbol: BTC, range: TimeRange::default(), limit: 10 };
    let list = format!("[{open},{bad},{{\"id\":[]}}]");
    let paged = format!(r#"[{{"currency_pair":"BTC_USDT","total":2,"orders":[{bad},{open}]}}]"#);
    for (request, body, lost) in [
        (history, &list, 2),
        (Request::OpenOrders { symbol: Some(BTC) }, &list, 2),
        (Request::OpenOrders { symbol: None }, &paged, 1),
        (Request::CancelAll { symbol: BTC }, &list, 2),
    ] {
        let Ok(Reply::Incomplete(told)) = decoded(&request, body) else { panic!("{request:?}") };
        assert!(matches!(&told.read, Reply::Orders(orders) if orders.len() == 1), "{request:?}");
        assert_eq!(told.unreadable.len(), lost, "{request:?}");
    }
}

fn batch_of(ids: &[(&str, SymbolId)]) -> Request {
    let of = |(id, symbol): &(&str, SymbolId)| OrderRequest {
        venue: venue(),
        symbol: *symbol,
        client_id: ClientOrderId::new(id).expect("plain"),
        side: Side::Sell,
        kind: OrderKind::Limit { price: Price(10), qty: Qty(100_000_000), tif: TimeInForce::Ioc },
        expires_in: Duration::from_secs(2),
    };
    Request::PlaceBatch(ids.iter().map(of).collect())
}

/// A list of bodies, whose expiry is the first order's to expire (GATEIO-REST-29).
#[test]
fn a_batch_is_a_list_of_placements() {
    let head = r#""type":"limit","account":"spot","side":"sell","amount":"1","price":"#;
    assert_eq!(
        wire(&batch_of(&[("a", BTC), ("b", SymbolId(1))])),
        format!(
            r#"POST /api/v4/spot/batch_orders [{{"text":"t-a","currency_pair":"BTC_USDT",{head}"1","time_in_force":"ioc"}},{{"text":"t-b","currency_pair":"ETH_USDT",{head}"0.1","time_in_force":"ioc"}}]"#
        )
    );
    let call = encoded(&batch_of(&[("a", BTC)])).expect("valid");
    assert_eq!(call.headers.value("x-gate-exptime"), Some("1700000002000"));
    let many: Vec<String> = (0..8).map(|index| format!("c{index}")).collect();
    let many: Vec<_> = many.iter().map(|id| (id.as_str(), BTC)).collect();
    for ids in [&[][..], &[("a", BTC), ("a", BTC)], &many] {
        assert!(matches!(encoded(&batch_of(ids)), Err(ErrorKind::InvalidInput(_))), "{ids:?}");
    }
    assert!(encoded(&batch_of(&many[..7])).is_ok());
    let cancels = Request::CancelBatch(vec![(BTC, by_id()), (SymbolId(1), by_client())]);
    assert_eq!(
        wire(&cancels),
        r#"POST /api/v4/spot/cancel_batch_orders [{"currency_pair":"BTC_USDT","id":"12332324"},{"currency_pair":"ETH_USDT","id":"t-abc_1"}]"#
    );
}

/// Every order counts against its market (GATEIO-REST-10, GATEIO-REST-29).
#[test]
fn a_batch_is_paid_for_order_by_order() {
    let cost = limits::cost(&batch_of(&[("a", BTC), ("b", SymbolId(1)), ("c", BTC)]), true);
    let paid: Vec<_> = cost.charges.iter().flatten().map(|charge| (charge.symbol, charge.weight)).collect();
    assert_eq!(paid, [(Some(BTC), 2), (Some(SymbolId(1)), 1)]);
}

/// Rows are told by our identifiers; what is not told of may have been placed (GATEIO-REST-29).
#[test]
fn a_batch_tells_of_each_order_and_what_it_does_not_tell_stays_unknown() {
    use cex_errors::Outcome::{Refused, Unknown};
    let request = batch_of(&[("a", BTC), ("abc_1", BTC), ("c", BTC), ("d", BTC), ("e", BTC)]);
    let body = format!(
        r#"[{{"text":"t-a","succeeded":false,"label":"BALANCE_NOT_ENOUGH","message":"Not enough balance"}},{ORDER},
            {{"text":"t-c","label":"BRAND_NEW","message":""}},{{"text":"t-d","succeeded":true}},{{"id":"7"}},[]]"#
    );
    let Ok(Reply::PlacedBatch(told)) = decoded(&request, &body) else { panic!("a batch") };
    let placed = told[1].as_ref().expect("placed");
    assert_eq!((placed.order_id.as_str(), placed.order.is_some()), ("12332324", true));
    let outcomes: Vec<_> =
        told.iter().filter_map(|one| one.as_ref().err().map(ExchangeError::outcome)).collect();
    assert_eq!(outcomes, [Refused, Unknown, Unknown, Unknown]);
    let twice = r#"[{"id":"1","text":"t-a"},{"id":"2","text":"t-a"}]"#;
    for unreadable in ["", "{}", "<html>", "[{\"id\":\"1\"", twice] {
        assert_eq!(decoded(&request, unreadable).expect_err(unreadable).outcome(), Unknown, "{unreadable}");
    }
    assert_eq!(
        decoded(&request, r#"{"label":"TOO_MANY_ORDERS","message":""}"#),
        Err(ErrorKind::InvalidRequest)
    );
}

/// The sample of the wire reference (GATEIO-REST-30).
#[test]
fn a_batch_of_cancels_tells_of_each() {
    let of = |id: &str| OrderRef::Client(ClientOrderId::new(id).expect("plain"));
    let by_number = OrderRef::Id(OrderId::new("1700664343").expect("short"));
    let request = Request::CancelBatch(vec![(BTC, of("gone")), (BTC, by_number), (BTC, of("untold"))]);
    let body = r#"[{"currency_pair":"BTC_USDT","id":"1700664343","text":"t-abc","succeeded":true,"label":"","message":""},
        {"currency_pair":"BTC_USDT","id":"t-gone","text":"t-gone","succeeded":false,"label":"ORDER_NOT_FOUND","message":"Order not found"}]"#;
    let Ok(Reply::CanceledBatch(told)) = decoded(&request, body) else { panic!("a batch") };
    let kinds: Vec<_> = told.into_iter().map(|one| one.map_err(|error| error.kind)).collect();
    let untold = ErrorKind::Undecodable("a batch that says nothing of an order");
    assert_eq!(kinds, [Err(ErrorKind::OrderNotFound), Ok(()), Err(untold)]);
}

/// Whatever stands before the exchange may answer; none of it is ever an acceptance, and a placement stays unknown
/// (GATEIO-REST-07).
#[test]
fn answers_that_are_none_leave_a_write_unknown_and_fail_a_read() {
    let page = "<html><body>502 Bad Gateway</body></html>";
    let placement = limit(300_005, 100_000, TimeInForce::Gtc);
    for (status, kind, body) in [
        (201, "text/html", page),
        (200, "application/json", page),
        (200, "text/plain", "ok"),
        (201, "application/json", ""),
        (201, "application/json", " \n"),
        (201, "application/json", r#"{"id":"1","text":"t-ab"#),
        (201, "application/json", r#"{"id":"1"}"#),
        (200, "application/json", r#""ok""#),
        (200, "application/json", r#"{"label":"BRAND_NEW","message":"?"}"#),
        (200, "application/json", r#"{"label":"INTERNAL","message":"?"}"#),
        (404, "text/html", page),
        (502, "text/html", page),
        (504, "application/json", ""),
    ] {
        let headers = [("content-type", kind.as_bytes())];
        let response = HttpResponse { status, headers: &headers, body: body.as_bytes() };
        for request in [placement.clone(), batch_of(&[("a", BTC)])] {
            let error = gateio(&[]).decode(&markets(), &request, &response).expect_err(body);
            assert_eq!(error.outcome(), cex_errors::Outcome::Unknown, "{status} {body}");
            assert_eq!(error.retry(), cex_errors::Retry::Never, "{status} {body}");
        }
        for request in [Request::Account, Request::ServerTime, Request::OpenOrders { symbol: None }] {
            assert!(gateio(&[]).decode(&markets(), &request, &response).is_err(), "{status} {body}");
        }
    }
}

/// The parser would overflow the stack, and with it end the program.
#[test]
fn an_answer_that_nests_too_deep_is_refused_and_leaves_a_placement_unknown() {
    let (range, symbol) = (TimeRange::default(), BTC);
    let requests = [
        Request::Ping,
        Request::Symbols,
        Request::Assets,
        Request::Book { symbol, depth: 20 },
        Request::Trades { symbol, limit: 5, range },
        Request::Klines { symbol, interval: KlineInterval::Min1, range, limit: 5 },
        Request::Tickers { symbol: None },
        Request::BookTickers { symbol: None },
        Request::Account,
        Request::Fees { symbol: None },
        Request::Fees { symbol: Some(symbol) },
        Request::Cancel { symbol, order: by_id() },
        Request::CancelAll { symbol },
        Request::Order { symbol, order: by_id() },
        Request::OpenOrders { symbol: None },
        Request::OpenOrders { symbol: Some(symbol) },
        Request::MyTrades { symbol, order: None, range, limit: 5 },
        Request::DeadManSwitch { timeout: Duration::ZERO },
        limit(1, 1_000, TimeInForce::Ioc),
    ];
    let (arrays, objects) = ("[".repeat(65_536), "{\"a\":".repeat(13_107));
    let bodies = [
        format!("{arrays}{}", "]".repeat(65_536)),
        format!(r#"{{"id":"1","text":"t-abc_1","x":{arrays}}}"#),
        format!(r#"{{"label":"BALANCE_NOT_ENOUGH","message":"no","x":{objects}}}"#),
        format!("[{objects}"),
        arrays,
        objects,
    ];
    for (status, body) in [200, 400, 500].iter().flat_map(|status| bodies.iter().map(|body| (*status, body)))
    {
        let response = HttpResponse { status, headers: &[], body: body.as_bytes() };
        for request in &requests {
            let error = gateio(&[]).decode(&markets(), request, &response).expect_err("refused");
            assert!(status != 200 || error.kind == ErrorKind::Undecodable("nested too deep"), "{error}");
            gateio(&[]).feedback(request, &response, Timestamp::EPOCH);
            if let Request::Place(_) = request {
                assert_eq!(error.outcome(), cex_errors::Outcome::Unknown, "{status} {body:.20} {error}");
            }
        }
    }
}

#[test]
fn brackets_in_strings_do_not_nest() {
    let request = limit(1, 1_000, TimeInForce::Ioc);
    let words = format!(r#"\"{}\\\""#, "[{".repeat(32_768));
    let body = format!(r#"{{"label":"BALANCE_NOT_ENOUGH","message":"{words}"}}"#);
    assert_eq!(decoded(&request, &body), Err(ErrorKind::InsufficientBalance));
    let body = ORDER.replace("\"finish_as\"", &format!("\"x\":\"{words}\",\"finish_as\""));
    assert!(matches!(decoded(&request, &body), Ok(Reply::Placed(_))));
}

#[test]
fn public_answers_are_read() {
    let trades = r#"[{"id":"2","create_time_ms":"1700000000213.457800","currency_pair":"BTC_USDT","side":"sell","amount":"0.015","price":"37001.2"},
        {"id":1,"create_time":"1700000000","currency_pair":"BTC_USDT","side":"buy","amount":0.5,"price":37000}]"#;
    let request = Request::Trades { symbol: BTC, limit: 2, range: TimeRange::default() };
    let Ok(Reply::Trades(trades)) = decoded(&request, trades) else { panic!("trades") };
    assert_eq!(trades.iter().map(|trade| trade.price.0).collect::<Vec<_>>(), [370_000, 370_012]);

    let candles = r#"[["1700000040","971519.677","37001.2","37010","36990.1","36995","26.2614","true"],
        ["1700000100","1205.1","37003","37003","37001.2","37001.2","0.0325"]]"#;
    let request =
        Request::Klines { symbol: BTC, interval: KlineInterval::Min1, range: TimeRange::default(), limit: 2 };
    let Ok(Reply::Klines(klines)) = decoded(&request, candles) else { panic!("candles") };
    let first = klines[0];
    assert_eq!((first.open.to_string(), first.close.to_string()), ("36995".into(), "37001.2".into()));
    assert_eq!(
        (first.volume.to_string(), first.quote_volume.to_string()),
        ("26.2614".into(), "971519.677".into())
    );
    assert_eq!((first.closed, klines[1].closed), (Some(true), None));

    assert_eq!(
        decoded(&Request::ServerTime, r#"{"server_time": 1700000000123}"#),
        Ok(Reply::ServerTime(Timestamp::from_millis(1_700_000_000_123)))
    );
    assert_eq!(decoded(&Request::Ping, r#"{"server_time":"1700000000123"}"#), Ok(Reply::Done));
    assert!(decoded(&Request::Book { symbol: BTC, depth: 5 }, r#"{"asks":[],"bids":[]}"#).is_err());
}

#[test]
fn tickers_of_dead_pairs_and_of_others_are_left_out() {
    let body = r#"[{"currency_pair":"BTC_USDT","last":"37001.2","lowest_ask":"37001.3","lowest_size":"0.1638","highest_bid":"",
        "change_percentage":"-1.82","base_volume":"nan","quote_volume":"337120483.2535","high_24h":"37680.9","low_24h":"36468.5"},
        {"currency_pair":"ETH_USDT","last":"","lowest_ask":"5","highest_bid":"","base_volume":"nan"},
        {"currency_pair":"ABC_USDT","last":"1"}]"#;
    let Ok(Reply::Tickers(tickers)) = decoded(&Request::Tickers { symbol: None }, body) else {
        panic!("tickers")
    };
    let [btc] = &tickers[..] else { panic!("{tickers:?}") };
    assert_eq!((btc.symbol, btc.volume, btc.bid), (BTC, None, None));
    assert_eq!(btc.change, Some(Decimal::new(-182, 4)));

    let request = Request::BookTickers { symbol: None };
    let Ok(Reply::BookTickers(tops)) = decoded(&request, body) else { panic!("tops") };
    let level = |price, qty| Some(cex_core::Level { price: Price(price), qty: Qty(qty) });
    assert_eq!((tops[0].bid, tops[0].ask), (None, level(370_013, 16_380_000)));
    assert_eq!((tops[1].bid, tops[1].ask), (None, level(500, 0)));
    assert_eq!(tops.len(), 2);
}

#[test]
fn fees_coins_and_the_switch_are_read() {
    let row = r#"{"user_id":10001,"taker_fee":"0.002","maker_fee":"-0.00005","gt_discount":true,"gt_taker_fee":"0"}"#;
    let Ok(Reply::Fees(fees)) = decoded(&Request::Fees { symbol: None }, row) else { panic!("fees") };
    assert_eq!((fees[0].symbol, fees[0].taker.e8(), fees[0].maker.e8()), (None, 200_000, -5_000));
    let of_btc = Request::Fees { symbol: Some(BTC) };
    let Ok(Reply::Fees(fees)) = decoded(&of_btc, &format!("{{\"BTC_USDT\":{row}}}")) else { panic!("fees") };
    assert_eq!(fees[0].symbol, Some(BTC));
    assert!(decoded(&of_btc, &format!("{{\"ETH_USDT\":{row}}}")).is_err());

    let coins = r#"[{"currency":"GT","name":"GateToken","delisted":false,"trade_disabled":false,"chain":"GT","chains":
        [{"name":"GT","addr":"","withdraw_disabled":false,"deposit_disabled":false},
        {"name":"ETH","addr":"0xE66","withdraw_disabled":false,"deposit_disabled":true}]},
        {"currency":"OLD","delisted":true,"chain":"OLD","deposit_disabled":true},
        {"currency":"A_NAME_LONGER_THAN_ANY_COIN_HAS","chain":"X"}]"#;
    let Ok(Reply::Assets(assets)) = decoded(&Request::Assets, coins) else { panic!("coins") };
    let [gt, old] = &assets[..] else { panic!("{assets:?}") };
    assert_eq!((gt.trade_enabled, old.trade_enabled), (true, false));
    assert_eq!(
        (gt.networks[0].contract.as_deref(), gt.networks[1].contract.as_deref()),
        (None, Some("0xE66"))
    );
    assert_eq!((gt.networks[1].deposit_enabled, gt.networks[1].withdraw_enabled), (false, true));
    assert_eq!((old.networks[0].deposit_enabled, old.networks[0].network.as_str()), (false, "OLD"));

    let switch = Request::DeadManSwitch { timeout: Duration::from_secs(10) };
    assert_eq!(decoded(&switch, r#"{"triggerTime":"1660039145000"}"#), Ok(Reply::Done));
    assert_eq!(decoded(&switch, r#"{"triggerTime":1660039145000}"#), Ok(Reply::Done));
    assert!(decoded(&switch, "{}").is_err());
}

#[test]
fn one_unusable_pair_does_not_cost_the_others() {
    let pair = |id: &str, precision: &str| {
        let base = id.strip_suffix("_USDT").expect("so named");
        format!(
            r#"{{"id":"{id}","base":"{base}","quote":"USDT","amount_precision":3,"precision":{precision},"trade_status":"tradable"}}"#
        )
    };
    let body = format!("[{},{},{{}}]", pair("AAA_USDT", "99"), pair("BBB_USDT", "4"));
    let Ok(Reply::Symbols(infos)) = decoded(&Request::Symbols, &body) else { panic!("symbols") };
    assert_eq!(infos.iter().map(|info| info.native.as_str()).collect::<Vec<_>>(), ["BBB_USDT"]);
    assert!(decoded(&Request::Symbols, "{}").is_err());
}

#[test]
fn wishes_are_spread_over_connections() {
    let gateio = gateio(&[("books_per_connection", "2")]);
    let markets = Arc::new(markets());
    let wish = |symbol, stream| Subscription { symbol: SymbolId(symbol), stream };
    let wanted = [
        wish(0, StreamKind::Book),
        wish(1, StreamKind::Book),
        wish(1, StreamKind::Book),
        wish(2, StreamKind::Book),
        wish(3, StreamKind::Book),
        wish(0, StreamKind::Trades),
        wish(0, StreamKind::BookTicker),
    ];
    let links = gateio.market_links(&markets, &wanted).expect("possible");
    let carried: Vec<_> = links.iter().map(|link| (link.name(), link.subscriptions().len())).collect();
    // The first link also tells of the pair whose name is not sent.
    assert_eq!(carried, [("gateio book 1", 3), ("gateio book 2", 1), ("gateio public 1", 2)]);
    let failed = |wanted| gateio.market_links(&markets, &[wanted]).map(|_| ()).map_err(|error| error.kind);
    for stream in [StreamKind::Account, StreamKind::TopLevels(7)] {
        assert_eq!(failed(wish(0, stream)), Err(ErrorKind::Unsupported), "{stream:?}");
    }
    assert_eq!(failed(wish(9, StreamKind::Book)), Err(ErrorKind::InvalidInput("unknown symbol")));
    let links = gateio.market_links(&markets, &[wish(3, StreamKind::Book)]).expect("possible");
    assert_eq!(links[0].subscriptions(), [wish(3, StreamKind::Book)]);
}

/// Plain pairs, so many.
fn many(count: u32) -> Arc<Markets> {
    let known = markets().get(SymbolId(0)).expect("BTC").clone();
    let market = |index: u32| {
        let mut market = Market { id: SymbolId(index), ..known.clone() };
        market.info.native = cex_core::Text::new(&format!("C{index}_USDT")).expect("short");
        market
    };
    Arc::new(Markets::new((0..count).map(market).collect()))
}

/// The limit is what the exchange gives an address, halved for successors (GATEIO-WS-28).
#[test]
fn more_than_the_connections_carry_is_refused_in_words() {
    let gateio = gateio(&[("books_per_connection", "10"), ("connections_max", "3")]);
    let books = (0..21).map(|symbol| Subscription { symbol: SymbolId(symbol), stream: StreamKind::Book });
    let mut wanted: Vec<_> = books.collect();
    assert_eq!(gateio.market_links(&many(21), &wanted).map(|links| links.len()).ok(), Some(3));
    wanted.push(Subscription { symbol: SymbolId(0), stream: StreamKind::Trades });
    let error = gateio.market_links(&many(21), &wanted).map(|_| ()).expect_err("too many");
    assert_eq!(
        error.to_string(),
        "gateio subscribe: invalid input: more subscriptions than the connections carry (21 subscriptions are wanted \
         and 20 fit: 2 connections of 10 each; drop symbols or streams, or move some to another account at another \
         address; books_per_connection is 10, at most 200)"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_wish_is_in_exactly_one_link_and_no_link_over_its_limit(
        wanted in prop::collection::vec((0u32..120, 0..PUBLIC_STREAMS.len()), 0..600),
        each in 1usize..60,
        most in 1usize..20,
    ) {
        let wish = |(symbol, at): (u32, usize)| Subscription { symbol: SymbolId(symbol), stream: PUBLIC_STREAMS[at] };
        let wanted: Vec<_> = wanted.into_iter().map(wish).collect();
        let distinct: BTreeSet<_> = wanted.iter().map(|wish| (wish.symbol, wish.stream)).collect();
        let books = distinct.iter().filter(|(_, stream)| *stream == StreamKind::Book).count();
        let needed = books.div_ceil(each) + (distinct.len() - books).div_ceil(limits::OTHERS_PER_CONNECTION);
        let options = [("books_per_connection", each.to_string()), ("connections_max", most.to_string())];
        let options: Vec<(&str, &str)> = options.iter().map(|(name, value)| (*name, value.as_str())).collect();
        match gateio(&options).market_links(&many(120), &wanted) {
            Err(_) => prop_assert!(needed > most),
            Ok(links) => {
                prop_assert!(links.len() == needed && needed <= most);
                let mut carried = BTreeSet::new();
                for link in &links {
                    let has_books = link.subscriptions().iter().any(|wish| wish.stream == StreamKind::Book);
                    let limit = if has_books { each } else { limits::OTHERS_PER_CONNECTION };
                    prop_assert!(link.subscriptions().len() <= limit);
                    for wish in link.subscriptions() {
                        prop_assert!(carried.insert((wish.symbol, wish.stream)));
                    }
                }
                prop_assert_eq!(carried, distinct);
            }
        }
    }
}
