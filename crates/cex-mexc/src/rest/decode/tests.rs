//! Answers as the exchange writes them, with the samples of the wire reference.

use super::*;
use crate::testing::{at, markets, venue};
use cex_core::{ClientOrderId, OrderKind, OrderRequest, Qty, TradingStatus};
use cex_errors::Outcome;
use cex_interface::{HttpResponse, OrderRef, Protocol};
use proptest::prelude::*;
use std::time::Duration;

fn reply(request: &Request, body: &str) -> Result<Reply, ErrorKind> {
    decode(venue(), &markets(), request, body.as_bytes())
}

fn dec(text: &str) -> Decimal {
    text.parse().expect("a decimal")
}

fn level(price: i64, qty: i64) -> Level {
    Level { price: Price(price), qty: Qty(qty) }
}

fn placement() -> Request {
    Request::Place(OrderRequest {
        venue: venue(),
        symbol: SymbolId(1),
        client_id: ClientOrderId::new("arb-000017").expect("plain"),
        side: Side::Buy,
        kind: OrderKind::Market { qty: Qty(1) },
        expires_in: Duration::from_secs(1),
    })
}

const SYMBOL: SymbolId = SymbolId(0);

#[test]
fn clocks_and_probes() {
    assert_eq!(reply(&Request::Ping, "{}"), Ok(Reply::Done));
    let time = reply(&Request::ServerTime, r#"{"serverTime":1781690000123}"#);
    assert_eq!(time, Ok(Reply::ServerTime(at(1_781_690_000_123))));
    for bad in ["", "{", "null", r#"{"serverTime":"soon"}"#] {
        assert!(reply(&Request::ServerTime, bad).is_err(), "{bad}");
    }
    assert!(reply(&Request::Ping, "pong").is_err());
}

/// Found by fuzzing: the JSON parser lends texts out before it looks whether they are UTF-8.
#[test]
fn bytes_that_are_no_utf8_never_reach_the_parser() {
    for body in [
        &b"{\"serverTime\":1,\"x\":\"\xff\xff\xff\"}"[..],
        b"{\"symbol\":\"BTCUSDT\",\"orderId\":\"C02\xff\xff__57\",\"price\":`",
        b"{\"code\":30004,\"msg\":\"\xc3\x28\"}",
    ] {
        for request in [Request::ServerTime, placement(), Request::Account] {
            let answer = decode(venue(), &markets(), &request, body);
            assert!(matches!(answer, Err(ErrorKind::Undecodable(_))), "{request:?}: {answer:?}");
        }
    }
}

#[test]
fn one_odd_symbol_does_not_hide_the_others() {
    let entry = |name: &str, precision: &str| {
        format!(
            r#"{{"symbol":"{name}","status":"2","baseAsset":"A","baseAssetPrecision":{precision},"quoteAsset":"USDT",
                "quotePrecision":4,"makerCommission":"0","takerCommission":"0.0005","permissions":["SPOT"]}}"#
        )
    };
    let body = |entries: &[String]| format!(r#"{{"timezone":"CST","symbols":[{}]}}"#, entries.join(","));
    let (good, odd) = (entry("AUSDT", "2"), entry("BUSDT", "null"));
    let Ok(Reply::Symbols(found)) = reply(&Request::Symbols, &body(&[odd.clone(), good])) else {
        panic!("symbols")
    };
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].native.as_str(), found[0].status), ("AUSDT", TradingStatus::Halted));
    assert!(reply(&Request::Symbols, &body(&[odd])).is_err(), "nothing readable is no answer");
    assert_eq!(reply(&Request::Symbols, &body(&[])), Ok(Reply::Symbols(vec![])));
}

#[test]
fn a_snapshot_is_in_the_symbols_scale_best_first() {
    let body = r#"{"lastUpdateId":43296363240,"bids":[["117053.41","1.86837271"],["117053.40","0.01000000"]],
        "asks":[["117053.42","0.50000000"]],"timestamp":1754741322100}"#;
    let request = Request::Book { symbol: SYMBOL, depth: 100 };
    let Ok(Reply::Book(book)) = reply(&request, body) else { panic!("a book") };
    assert_eq!((book.seq, book.exchange_ts), (43_296_363_240, at(1_754_741_322_100)));
    assert_eq!(book.bids, [level(11_705_341, 186_837_271), level(11_705_340, 1_000_000)]);
    assert_eq!(book.asks, [level(11_705_342, 50_000_000)]);
    let numbers = r#"{"lastUpdateId":"7","bids":[[1.5,2]],"asks":[]}"#;
    let Ok(Reply::Book(book)) = reply(&request, numbers) else { panic!("a book") };
    assert_eq!((book.seq, book.bids, book.exchange_ts), (7, vec![level(150, 200_000_000)], Timestamp::EPOCH));
    for bad in [
        r#"{"bids":[],"asks":[]}"#,
        r#"{"lastUpdateId":-1,"bids":[],"asks":[]}"#,
        r#"{"lastUpdateId":1,"bids":[["1.005","1"]],"asks":[]}"#,
        r#"{"lastUpdateId":1,"bids":[["1","-1"]],"asks":[]}"#,
        r#"{"lastUpdateId":1,"bids":[["1","1"],["2","1"]],"asks":[]}"#,
        r#"{"lastUpdateId":1,"bids":[],"asks":[["1","1"],["1","1"]]}"#,
        r#"{"lastUpdateId":1,"bids":[["1","1"]"#,
    ] {
        assert!(reply(&request, bad).is_err(), "{bad}");
    }
}

#[test]
fn trades_come_oldest_first_whichever_way_they_were_sorted() {
    let row = |time: i64, maker: bool| {
        format!(
            r#"{{"id":null,"price":"117053.41","qty":"0.0125","quoteQty":"1","time":{time},"isBuyerMaker":{maker}}}"#
        )
    };
    let request = Request::Trades { symbol: SYMBOL, limit: 10, range: TimeRange::default() };
    for rows in [[row(3, true), row(2, false)], [row(2, false), row(3, true)]] {
        let Ok(Reply::Trades(trades)) = reply(&request, &format!("[{}]", rows.join(","))) else {
            panic!("trades")
        };
        assert_eq!(trades.iter().map(|trade| trade.exchange_ts).collect::<Vec<_>>(), [at(2), at(3)]);
        assert_eq!((trades[0].taker_side, trades[1].taker_side), (Side::Buy, Side::Sell));
        assert_eq!(
            (trades[0].price, trades[0].qty, trades[0].trade_id),
            (Price(11_705_341), Qty(1_250_000), None)
        );
    }
    let span = TimeRange { from: Some(at(1)), to: Some(at(9)) };
    let aggregated =
        r#"[{"a":null,"f":null,"l":null,"p":"46782.67","q":"0.0038","T":1641380483000,"m":false,"M":true}]"#;
    let Ok(Reply::Trades(trades)) =
        reply(&Request::Trades { symbol: SYMBOL, limit: 1, range: span }, aggregated)
    else {
        panic!("trades")
    };
    assert_eq!((trades[0].price, trades[0].taker_side), (Price(4_678_267), Side::Buy));
}

#[test]
fn candles_are_rows_and_the_end_is_kept() {
    let row = |time: i64| format!(r#"[{time},"1","4","0.5","2","10",{},"20"]"#, time + 60_000);
    let body = format!("[{},{},{}]", row(60_000), row(120_000), row(180_000));
    let range = TimeRange { from: Some(at(60_000)), to: Some(at(120_000)) };
    let request = Request::Klines { symbol: SYMBOL, interval: KlineInterval::Min1, range, limit: 10 };
    let Ok(Reply::Klines(klines)) = reply(&request, &body) else { panic!("candles") };
    assert_eq!(klines.iter().map(|kline| kline.open_time).collect::<Vec<_>>(), [at(60_000), at(120_000)]);
    let kline = klines[0];
    assert_eq!([kline.open, kline.high, kline.low, kline.close], ["1", "4", "0.5", "2"].map(dec));
    assert_eq!([kline.volume, kline.quote_volume], ["10", "20"].map(dec));
    assert!(reply(&request, "[[1,2]]").is_err());
}

#[test]
fn tickers_of_one_or_all() {
    let btc = r#"{"symbol":"BTCUSDT","priceChange":"1248.51","priceChangePercent":"0.0173","lastPrice":"73397.77","lastQty":"0.25",
        "prevClosePrice":"72149.25","bidPrice":"73369.83","bidQty":"","askPrice":"73369.84","askQty":"0.5","openPrice":"72149.26","highPrice":"73639.99",
        "lowPrice":"68629.42","volume":"7729.258925","quoteVolume":null,"openTime":1754654922100,"closeTime":1754741322100,"count":null}"#;
    let dead = r#"{"symbol":"MXUSDT","lastPrice":null}"#;
    let unknown = r#"{"symbol":"ZZZUSDT","lastPrice":"1"}"#;
    let Ok(Reply::Tickers(one)) = reply(&Request::Tickers { symbol: Some(SYMBOL) }, btc) else {
        panic!("one")
    };
    let Ok(Reply::Tickers(all)) =
        reply(&Request::Tickers { symbol: None }, &format!("[{unknown},{btc},{dead}]"))
    else {
        panic!("all")
    };
    assert_eq!(one, all);
    assert_eq!(
        (one[0].last, one[0].change, one[0].quote_volume),
        (dec("73397.77"), Some(dec("0.0173")), None)
    );
    assert_eq!((one[0].open_time, one[0].as_of), (Some(at(1_754_654_922_100)), at(1_754_741_322_100)));
    assert_eq!((one[0].last_qty, one[0].prev_close), (Some(dec("0.25")), Some(dec("72149.25"))));
    assert_eq!((one[0].bid_qty, one[0].ask_qty), (None, Some(dec("0.5"))));
    assert_eq!(one[0].price_change(), Some(dec("1248.51")), "as the exchange reckons it");
    assert!(reply(&Request::Tickers { symbol: Some(SYMBOL) }, unknown).is_err(), "another symbol's answer");
}

#[test]
fn best_prices_without_a_book_are_empty() {
    let btc = r#"{"symbol":"BTCUSDT","bidPrice":"117053.41","bidQty":"1.86","askPrice":"117053.42","askQty":"0.5"}"#;
    let empty = r#"{"symbol":"MXUSDT","bidPrice":"","bidQty":null,"askPrice":"0","askQty":"0"}"#;
    let body = format!("[{btc},{empty}]");
    let Ok(Reply::BookTickers(found)) = reply(&Request::BookTickers { symbol: None }, &body) else {
        panic!("tickers")
    };
    assert_eq!(
        (found[0].bid, found[0].ask),
        (Some(level(11_705_341, 186_000_000)), Some(level(11_705_342, 50_000_000)))
    );
    assert_eq!((found[1].bid, found[1].ask, found[1].seq), (None, None, None));
}

#[test]
fn balances_are_exact() {
    let body = r#"{"makerCommission":null,"canTrade":true,"canWithdraw":false,"updateTime":null,"accountType":"SPOT",
        "balances":[{"asset":"USDT","free":"1000.5","locked":"35","available":"1000.5"},
                    {"asset":"MX","free":"0.006016465074677006","locked":null}],"permissions":["SPOT"]}"#;
    let Ok(Reply::Account(account)) = reply(&Request::Account, body) else { panic!("an account") };
    assert_eq!((account.can_trade, account.can_withdraw), (Some(true), Some(false)));
    let usdt = account.balance("USDT".parse().expect("short")).expect("listed");
    assert_eq!((usdt.free, usdt.locked), (dec("1000.5"), dec("35")));
    assert_eq!(account.balances[1].free, dec("0.006016465074677006"));
    assert!(reply(&Request::Account, r#"{"balances":[{"asset":"USDT","free":"much"}]}"#).is_err());
    let odd =
        r#"{"balances":[{"asset":"A NAME THAT IS FAR TOO LONG","free":"much"},{"asset":"USDT","free":"1"}]}"#;
    let Ok(Reply::Account(account)) = reply(&Request::Account, odd) else { panic!("an account") };
    assert_eq!(account.balances.iter().map(|held| held.asset.as_str()).collect::<Vec<_>>(), ["USDT"]);
    assert!(reply(&Request::Account, r#"{"balances":[{"asset":"USDT","free":null}]}"#).is_err());
}

#[test]
fn fees_are_json_numbers_read_exactly() {
    let request = Request::Fees { symbol: Some(SYMBOL) };
    for taker in ["0.000500000000000000", "5E-4", "\"0.0005\""] {
        let body = format!(
            r#"{{"data":{{"makerCommission":0.000000000000000000,"takerCommission":{taker}}},"code":0,"msg":"success"}}"#
        );
        let expected =
            TradingFee { symbol: Some(SYMBOL), maker: Bps::ZERO, taker: Bps::from_bps(5), point_type: None };
        assert_eq!(reply(&request, &body), Ok(Reply::Fees(vec![expected])));
    }
    assert!(reply(&request, r#"{"data":{},"code":0}"#).is_err());
}

#[test]
fn coins_tell_chains_under_either_spelling() {
    let body = r#"[{"coin":"USDT","Name":"Tether","networkList":[
        {"coin":"USDT","network":"BEP20(BSC)","netWork":"BSC","name":"x","depositEnable":true,"withdrawEnable":false,
         "withdrawFee":"0.800000000000000000","withdrawMin":"10","withdrawMax":null,"minConfirm":61,
         "sameAddress":false,"depositDesc":"Wait.","depositTips":"Small sums are lost.","withdrawTips":null,
         "contract":"0x55d398326f99059fF775485246999027B3197955"},
        {"network":"Bitcoin(BTC)","contract":""}]},
        {"coin":"A NAME MUCH TOO LONG TO BE ONE OF OURS","name":"x","networkList":[]}]"#;
    let Ok(Reply::Assets(assets)) = reply(&Request::Assets, body) else { panic!("coins") };
    assert_eq!((assets.len(), assets[0].name.as_str()), (1, "Tether"));
    let [bsc, btc] = assets[0].networks.as_slice() else { panic!("two chains") };
    assert_eq!((bsc.network.as_str(), bsc.deposit_enabled, bsc.withdraw_enabled), ("BSC", true, false));
    assert_eq!(
        (bsc.withdraw_fee, bsc.withdraw_max, bsc.min_confirmations),
        (Some(dec("0.8")), None, Some(61))
    );
    let notes = (bsc.deposit_note.as_deref(), bsc.withdraw_note.as_deref());
    assert_eq!((bsc.needs_memo, notes), (Some(false), (Some("Wait. Small sums are lost."), None)));
    assert_eq!(btc.needs_memo, None, "nothing is said of it");
    assert_eq!(bsc.contract.as_deref(), Some("0x55d398326f99059fF775485246999027B3197955"));
    assert_eq!(
        (btc.network.as_str(), btc.contract.as_deref(), btc.deposit_enabled),
        ("Bitcoin(BTC)", None, false)
    );
}

#[test]
fn one_odd_coin_costs_no_other() {
    for odd in [
        "{}",
        "null",
        "7",
        r#"{"coin":["A"],"networkList":[]}"#,
        r#"{"coin":"ODD","networkList":{}}"#,
        r#"{"coin":"ODD","networkList":[null]}"#,
    ] {
        let body = format!(r#"[{odd},{{"coin":"USDT","networkList":[{{"netWork":"BSC"}}]}}]"#);
        let Ok(Reply::Assets(assets)) = reply(&Request::Assets, &body) else { panic!("{odd}") };
        assert_eq!(assets.iter().map(|coin| coin.asset.as_str()).collect::<Vec<_>>(), ["USDT"], "{odd}");
        assert!(reply(&Request::Assets, &format!("[{odd}]")).is_err(), "{odd}");
    }
    let read = r#"[{"coin":"A","name":"live","Name":"printed","networkList":null},{"coin":"B","Name":"b"}]"#;
    let Ok(Reply::Assets(assets)) = reply(&Request::Assets, read) else { panic!("coins") };
    let told: Vec<_> = assets.iter().map(|coin| (coin.name.as_str(), coin.networks.len())).collect();
    assert_eq!(told, [("live", 0), ("b", 0)], "without a chain it cannot be moved");
}

#[test]
fn a_coin_of_which_a_chain_cannot_be_read_is_left_out() {
    for odd in ["withdrawFee", "withdrawMin", "withdrawMax"] {
        let body = format!(
            r#"[{{"coin":"ODD","networkList":[{{"netWork":"A"}},{{"netWork":"B","{odd}":"much"}}]}},
                {{"coin":"USDT","networkList":[{{"netWork":"BSC","{odd}":"10"}}]}}]"#
        );
        let Ok(Reply::Assets(assets)) = reply(&Request::Assets, &body) else { panic!("coins") };
        assert_eq!(assets.iter().map(|coin| coin.asset.as_str()).collect::<Vec<_>>(), ["USDT"], "{odd}");
    }
    let all_odd = r#"[{"coin":"ODD","networkList":[{"netWork":"A","withdrawFee":"much"}]}]"#;
    assert!(reply(&Request::Assets, all_odd).is_err());
}

#[test]
fn a_placement_tells_its_identifier_and_nothing_else() {
    let body = r#"{"symbol":"MXUSDT","orderId":"C02__579000000000001044","orderListId":-1,"price":"0.1","origQty":"50",
        "type":"LIMIT","side":"BUY","stpMode":"","transactTime":1781690000456}"#;
    let Ok(Reply::Placed(placed)) = reply(&placement(), body) else { panic!("placed") };
    assert_eq!(
        (placed.client_id.as_str(), placed.order_id.as_str()),
        ("arb-000017", "C02__579000000000001044")
    );
    assert_eq!(placed.order, None);
    let Ok(Reply::Placed(numeric)) = reply(&placement(), r#"{"orderId":123456789012345678901}"#) else {
        panic!("number")
    };
    assert_eq!(numeric.order_id.as_str(), "123456789012345678901");
    for bad in ["", "{}", r#"{"orderId":null}"#, r#"{"orderId":"C02__5790"#, "[]"] {
        let error = reply(&placement(), bad).expect_err("not an answer");
        assert_eq!(error.outcome(), Outcome::Unknown, "{bad}");
    }
}

#[test]
fn a_cancel_is_accepted_whatever_state_it_tells() {
    let order = OrderRef::Client(ClientOrderId::new("arb-000017").expect("plain"));
    for status in ["NEW", "CANCELED", "PARTIALLY_FILLED"] {
        let body = format!(r#"{{"symbol":"MXUSDT","orderId":"C02__1","status":"{status}"}}"#);
        let Ok(Reply::Canceled { order_id, order }) =
            reply(&Request::Cancel { symbol: SymbolId(1), order }, &body)
        else {
            panic!("canceled")
        };
        assert_eq!((order_id.expect("told").as_str(), order), ("C02__1", None));
    }
}

#[test]
fn listen_keys() {
    let key =
        reply(&Request::CreateListenKey, r#"{"listenKey":"pqia91ma19a5s61cv6a81va65sdf19v8a65a1a5s61cv"}"#);
    assert_eq!(key, Ok(Reply::ListenKey("pqia91ma19a5s61cv6a81va65sdf19v8a65a1a5s61cv".to_owned())));
    assert!(reply(&Request::CreateListenKey, r#"{"listenKey":""}"#).is_err());
    for (body, left) in [
        (r#"{"listenKey":["a","b"]}"#, None),
        (r#"{"total":200,"available":198,"listenKey":["a","b"]}"#, Some(198)),
        (r#"{"total":200,"available":"0","listenKey":["a","b"]}"#, Some(0)),
        (r#"{"total":200,"available":null,"listenKey":["a","b"]}"#, None),
    ] {
        let living = vec!["a".to_owned(), "b".to_owned()];
        let expected = Reply::ListenKeys(cex_interface::ListenKeys { living, left });
        assert_eq!(reply(&Request::ListenKeys, body), Ok(expected));
    }
    assert!(reply(&Request::ListenKeys, r#"{"listenKey":"a"}"#).is_err());
    assert_eq!(reply(&Request::KeepListenKey("x".to_owned()), r#"{"listenKey":"x"}"#), Ok(Reply::Done));
}

/// Every call that has an answer of a shape of its own.
fn requests() -> Vec<Request> {
    let (symbol, range) = (SYMBOL, TimeRange::default());
    let order = OrderRef::Client(ClientOrderId::new("arb-1").expect("plain"));
    vec![
        Request::Ping,
        Request::ServerTime,
        Request::Symbols,
        Request::Assets,
        Request::Book { symbol, depth: 5 },
        Request::Trades { symbol, limit: 5, range },
        Request::Trades { symbol, limit: 5, range: TimeRange { from: Some(at(1)), to: Some(at(2)) } },
        Request::Klines { symbol, interval: KlineInterval::Min1, range, limit: 5 },
        Request::Tickers { symbol: None },
        Request::BookTickers { symbol: None },
        Request::Account,
        Request::Fees { symbol: Some(symbol) },
        placement(),
        Request::Cancel { symbol, order },
        Request::CancelAll { symbol },
        Request::Order { symbol, order },
        Request::OpenOrders { symbol: None },
        Request::MyTrades { symbol, order: None, range, limit: 5 },
        Request::CreateListenKey,
    ]
}

/// 64 kB of nesting, open and closed, and inside of what would else be an answer.
fn deep_bodies() -> Vec<String> {
    let (arrays, objects) = ("[".repeat(65_536), "{\"a\":".repeat(13_107));
    let closed = format!("{arrays}{}", "]".repeat(65_536));
    let ack = format!(r#"{{"orderId":"C02__1","x":{arrays}}}"#);
    let code = format!(r#"{{"code":30004,"msg":"no","data":{objects}}}"#);
    let item = format!("[{objects}");
    vec![arrays, objects, closed, ack, code, item]
}

/// The parser would overflow the stack, and with it end the program.
#[test]
fn an_answer_that_nests_too_deep_is_refused_and_leaves_a_placement_unknown() {
    let mexc = crate::Mexc::new(crate::testing::config_with_keys()).expect("valid");
    for body in deep_bodies() {
        for status in [200, 400, 403, 500] {
            let response = HttpResponse { status, headers: &[], body: body.as_bytes() };
            for request in requests() {
                let error = mexc.decode(&markets(), &request, &response).expect_err("refused");
                let undecodable = matches!(error.kind, ErrorKind::Undecodable(_));
                assert!(status != 200 || undecodable, "{status} {body:.20} {error}");
                mexc.feedback(&request, &response, at(0));
            }
            let error = mexc.decode(&markets(), &placement(), &response).expect_err("refused");
            assert_eq!(error.outcome(), Outcome::Unknown, "{status} {body:.20} {error}");
        }
    }
}

#[test]
fn brackets_in_strings_do_not_nest() {
    let mexc = crate::Mexc::new(crate::testing::config_with_keys()).expect("valid");
    let words = format!(r#"\"{}\\\""#, "[{".repeat(32_768));
    let body = format!(r#"{{"code":30004,"msg":"{words}"}}"#);
    let response = HttpResponse { status: 400, headers: &[], body: body.as_bytes() };
    let error = mexc.decode(&markets(), &placement(), &response).expect_err("refused");
    assert_eq!(error.kind, ErrorKind::InsufficientBalance);
    let body = format!(r#"{{"orderId":"C02__1","x":"{words}"}}"#);
    let response = HttpResponse { status: 200, headers: &[], body: body.as_bytes() };
    assert!(mexc.decode(&markets(), &placement(), &response).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// JSON-like noise, whole and cut: an answer or an error, never a panic.
    #[test]
    fn any_answer_is_read_or_refused(
        status in prop::sample::select(vec![200_u16, 400, 403, 418, 429, 503]),
        pieces in prop::collection::vec(prop::sample::select(vec![
            "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u", "null", "true", "-", ".", "1e9", "9999999999999999999999",
            "\"symbol\":\"BTCUSDT\"", "\"orderId\":\"1\"", "\"code\":", "\"symbols\":[", "\"bids\":[[", "\"price\":\"1\"",
            "\"balances\":", "龙", "<html>", "\"data\":{", "\u{0}",
        ]), 0..24),
        cut in 0_usize..64,
    ) {
        let text = pieces.concat();
        let body = &text.as_bytes()[..text.len().saturating_sub(cut % 4)];
        let mexc = crate::Mexc::new(crate::testing::config_with_keys()).expect("valid");
        let response = HttpResponse { status, headers: &[], body };
        for request in requests() {
            let answer = mexc.decode(&markets(), &request, &response);
            prop_assert!(status == 200 || answer.is_err());
            mexc.feedback(&request, &response, at(0));
        }
    }
}
