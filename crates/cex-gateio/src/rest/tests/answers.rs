//! Answers that are none, and those of public calls.

use super::*;

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

#[test]
fn a_balance_whose_coin_cannot_be_held_is_left_out_alone() {
    let row =
        |coin: &str, free: &str| format!(r#"{{"currency":"{coin}","available":"{free}","locked":"0"}}"#);
    let long = "A".repeat(40);
    let body = format!("[{},{}]", row(&long, "much"), row("USDT", "12.5"));
    let Ok(Reply::Account(account)) = decoded(&Request::Account, &body) else { panic!("an account") };
    let held: Vec<_> =
        account.balances.iter().map(|one| (one.asset.as_str(), one.free.to_string())).collect();
    assert_eq!(held, [("USDT", "12.5".to_owned())]);
    // A coin that is not listed is zero: one of ours that cannot be read fails them all.
    assert!(decoded(&Request::Account, &format!("[{}]", row("USDT", "much"))).is_err());
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
        Request::Withdrawals,
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
    assert_eq!((btc.bid_qty, btc.ask_qty), (None, Some(Decimal::new(1_638, 4))));
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
    let row = r#"{"user_id":10001,"taker_fee":"0.002","maker_fee":"-0.00005","gt_discount":true,"gt_taker_fee":"0","point_type":"1"}"#;
    let Ok(Reply::Fees(fees)) = decoded(&Request::Fees { symbol: None }, row) else { panic!("fees") };
    assert_eq!((fees[0].symbol, fees[0].taker.e8(), fees[0].maker.e8()), (None, 200_000, -5_000));
    assert_eq!(fees[0].point_type, Some(1));
    let of_btc = Request::Fees { symbol: Some(BTC) };
    let Ok(Reply::Fees(fees)) = decoded(&of_btc, &format!("{{\"BTC_USDT\":{row}}}")) else { panic!("fees") };
    assert_eq!(fees[0].symbol, Some(BTC));
    assert!(decoded(&of_btc, &format!("{{\"ETH_USDT\":{row}}}")).is_err());

    let coins = r#"[{"currency":"GT","name":"GateToken","delisted":false,"trade_disabled":false,"chain":"GT","chains":
        [{"name":"GT","addr":"","withdraw_disabled":false,"deposit_disabled":false},
        {"name":"ETH","addr":"0xE66","withdraw_disabled":false,"withdraw_delayed":false,"deposit_disabled":true},
        {"name":"BSC","addr":"0xB5C","withdraw_disabled":false,"withdraw_delayed":true,"deposit_disabled":false}]},
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
    assert!(!gt.networks[2].withdraw_enabled, "what comes late may come too late");
    assert_eq!((old.networks[0].deposit_enabled, old.networks[0].network.as_str()), (false, "OLD"));

    let switch = Request::DeadManSwitch { timeout: Duration::from_secs(10) };
    assert_eq!(decoded(&switch, r#"{"triggerTime":"1660039145000"}"#), Ok(Reply::Done));
    assert_eq!(decoded(&switch, r#"{"triggerTime":1660039145000}"#), Ok(Reply::Done));
    assert!(decoded(&switch, "{}").is_err());
}

/// GATEIO-REST-32.
#[test]
fn what_stands_for_a_share_or_a_metal_is_no_coin_to_trade() {
    let check = |category: &str, is_coin: bool| {
        let row = format!(
            r#"[{{"currency":"X","chains":[{{"name":"ETH","addr":"0xE66"}}],"trade_disabled":false{category}}}]"#
        );
        let Ok(Reply::Assets(assets)) = decoded(&Request::Assets, &row) else { panic!("{category}") };
        let told = (assets[0].trade_enabled, assets[0].networks.len());
        assert_eq!(told, if is_coin { (true, 1) } else { (false, 0) }, "{category}");
    };
    for none in ["", r#","category":[]"#, r#","category":null"#, r#","category":"""#, r#","category":[""]"#] {
        check(none, true);
    }
    for known in ["stocks", "metals", "indices", "forex", "commodities", "brand_new"] {
        check(&format!(r#","category":["{known}"]"#), false);
        check(&format!(r#","category":"{known}""#), false);
    }
    check(r#","category":[{"name":"stocks"}]"#, false);
    check(r#","category":{}"#, false);
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
