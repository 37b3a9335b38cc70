//! Calls as they leave.

use super::*;

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
        (Request::Withdrawals, "GET /api/v4/wallet/withdrawals?limit=1"),
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
    assert_eq!(names(Request::Symbols), [""; 0]);
    assert_eq!(names(Request::Account), ["key", "timestamp", "sign"]);
    let placement = encoded(&limit(1, 1_000, TimeInForce::Gtc)).expect("valid");
    let headers: Vec<_> = placement.headers.iter().collect();
    assert_eq!(
        headers[..4],
        [
            ("content-type", "application/json"),
            ("x-gate-exptime", "1700000001500"),
            ("key", "k"),
            ("timestamp", "1700000000"),
        ]
    );
    assert_eq!((headers[4].0, headers[4].1.len()), ("sign", 128));
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
