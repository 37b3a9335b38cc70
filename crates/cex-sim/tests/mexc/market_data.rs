//! Public market data over REST.

use crate::bench::{BTC, Bench, MX, code, decimal, parse, text};
use cex_core::{Decimal, Side, Symbol};
use cex_sim::dialect::mexc::{MarketFlags, MarketStatus, MexcConfig, PriceBand, TradeSides};
use cex_sim::matching::NewOrderKind;
use sonic_rs::{JsonContainerTrait as _, JsonValueTrait as _, Value};
use std::time::Duration;

/// A book with one trade behind it.
fn traded() -> Bench {
    let mut bench = Bench::new();
    bench.rest(BTC, Side::Sell, "100.5", "0.5");
    bench.rest(BTC, Side::Buy, "100", "1.25");
    bench.house_order(BTC, Side::Buy, NewOrderKind::Market { qty: cex_core::Qty(100_000) });
    bench
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().expect("an object").iter().map(|(key, _)| key).collect()
}

#[test]
fn ping_and_time_and_unknown_paths() {
    let mut bench = Bench::new();
    assert_eq!(bench.public("ping", "timestamp=1&signature=x"), (200, parse("{}")));
    assert_eq!(bench.public("time", "").1["serverTime"].as_i64(), Some(1_644_489_390_087));
    assert_eq!(bench.public("nothing", "").0, 404);
    assert_eq!(bench.call("POST", "/api/v3/ping", "", "", &[]).status, 404);
    let contracts = bench.call("GET", "/api/v1/contract/detail", "", "", &[]).body;
    assert_eq!(contracts, br#"{"success":true,"code":0,"data":[]}"#);
}

#[test]
fn symbols_are_told_with_their_rules() {
    let symbol = |name: &str| name.parse::<Symbol>().expect("a symbol");
    let closed = MarketFlags {
        status: MarketStatus::Paused,
        api_tradable: false,
        sides: TradeSides::SellOnly,
        market_orders: false,
        special_treatment: true,
        price_band: Some(PriceBand { bid_up: decimal("5"), ask_down: decimal("0.2") }),
    };
    let config = MexcConfig { markets: [(symbol("MX/USDT"), closed)].into(), ..MexcConfig::default() };
    let mut bench = Bench::with(config);
    let (status, info) = bench.public("exchangeInfo", "");
    assert_eq!((status, info["symbols"].as_array().expect("symbols").len()), (200, 4));
    assert_eq!(keys(&info), ["timezone", "serverTime", "rateLimits", "exchangeFilters", "symbols"]);
    let expected = r#"{"symbol":"BTCUSDT","status":"1","baseAsset":"BTC","baseAssetPrecision":6,"quoteAsset":"USDT",
        "quotePrecision":2,"quoteAssetPrecision":2,"baseCommissionPrecision":6,"quoteCommissionPrecision":2,
        "orderTypes":["LIMIT","MARKET","LIMIT_MAKER"],"isSpotTradingAllowed":true,"isMarginTradingAllowed":false,
        "quoteAmountPrecision":"1","baseSizePrecision":"0.000001","permissions":["SPOT"],"filters":[],
        "maxQuoteAmount":"4000000","makerCommission":"0","takerCommission":"0.0005",
        "quoteAmountPrecisionMarket":"1","maxQuoteAmountMarket":"4000000","fullName":"BTC","tradeSideType":1,
        "contractAddress":"","st":false}"#;
    assert_eq!(info["symbols"][0], parse(expected));
    let mx = &bench.public("exchangeInfo", "symbol=MXUSDT").1["symbols"][0];
    for (key, expected) in [
        ("status", "\"2\""),
        ("orderTypes", r#"["LIMIT","LIMIT_MAKER"]"#),
        ("isSpotTradingAllowed", "false"),
        ("permissions", "[]"),
        ("tradeSideType", "3"),
        ("st", "true"),
        (
            "filters",
            r#"[{"filterType":"PERCENT_PRICE_BY_SIDE","bidMultiplierUp":"5","askMultiplierDown":"0.2"}]"#,
        ),
    ] {
        assert_eq!(mx[key], parse(expected), "{key}");
    }
    let (_, some) = bench.public("exchangeInfo", "symbols=BTCUSDT%2CNONE%2C%E9%BE%99%E8%99%BEUSDT");
    let names: Vec<&str> =
        some["symbols"].as_array().expect("a list").iter().map(|row| text(&row["symbol"])).collect();
    assert_eq!(names, ["BTCUSDT", "龙虾USDT"]);
    let unknown = bench.public("exchangeInfo", "symbol=btcusdt");
    assert_eq!((code(&unknown), text(&unknown.1["msg"])), (-1121, "Invalid symbol."));
    let (_, default) = bench.public("defaultSymbols", "");
    assert_eq!(default["data"], parse(r#"["BTCUSDT","龙虾USDT","GOLD(PAXG)USDT"]"#));
    assert_eq!((default["code"].as_i64(), default["msg"].as_str()), (Some(0), Some("success")));
    let (_, offline) = bench.public("symbol/offline", "");
    assert_eq!(offline["data"], parse(r#"[{"symbol":"MXUSDT","state":2}]"#));
}

#[test]
fn snapshots_are_padded_and_cut() {
    let mut bench = traded();
    let (_, depth) = bench.public("depth", "symbol=BTCUSDT");
    assert_eq!(keys(&depth), ["lastUpdateId", "bids", "asks", "timestamp"]);
    assert_eq!(depth["bids"], parse(r#"[["100.00","1.250000"]]"#));
    assert_eq!(depth["asks"], parse(r#"[["100.50","0.400000"]]"#));
    assert_eq!(depth["lastUpdateId"].as_u64(), Some(1_000_000_003));
    for level in 0..2_100 {
        bench.rest(MX, Side::Buy, &Decimal::new(10_000 + level, 4).to_string(), "10");
    }
    let levels = |bench: &mut Bench, limit: &str| {
        bench.public("depth", &format!("symbol=MXUSDT{limit}")).1["bids"].as_array().expect("levels").len()
    };
    for (limit, expected) in [("", 100), ("&limit=5", 5), ("&limit=5000", 2_000), ("&limit=0", 1)] {
        assert_eq!(levels(&mut bench, limit), expected, "{limit}");
    }
    assert_eq!(code(&bench.public("depth", "symbol=BTCUSDT&limit=many")), 700_004);
    assert_eq!(code(&bench.public("depth", "")), 700_004);
    assert_eq!(code(&bench.public("depth", "symbol=NONE")), -1121);
}

#[test]
fn trades_are_told_newest_first() {
    let mut bench = traded();
    bench.pass(Duration::from_secs(1));
    bench.house_order(BTC, Side::Sell, NewOrderKind::Market { qty: cex_core::Qty(250_000) });
    let (_, trades) = bench.public("trades", "symbol=BTCUSDT");
    let expected = r#"[{"id":null,"price":"100","qty":"0.25","quoteQty":"25","time":1644489391087,
        "isBuyerMaker":true,"isBestMatch":true,"tradeType":"ASK"},
        {"id":null,"price":"100.5","qty":"0.1","quoteQty":"10.05","time":1644489390087,
        "isBuyerMaker":false,"isBestMatch":true,"tradeType":"BID"}]"#;
    assert_eq!(trades, parse(expected));
    let (_, one) = bench.public("aggTrades", "symbol=BTCUSDT&startTime=1644489391087&endTime=1644489391087");
    let expected =
        r#"[{"a":null,"f":null,"l":null,"p":"100","q":"0.25","T":1644489391087,"m":true,"M":true}]"#;
    assert_eq!(one, parse(expected));
    assert_eq!(
        bench.public("trades", "symbol=BTCUSDT&limit=1").1.as_array().map(sonic_rs::Array::len),
        Some(1)
    );
}

#[test]
fn tickers_of_one_symbol_are_objects_and_of_all_arrays() {
    let mut bench = traded();
    bench.house_order(BTC, Side::Sell, NewOrderKind::Market { qty: cex_core::Qty(250_000) });
    let (_, book) = bench.public("ticker/bookTicker", "symbol=BTCUSDT");
    let expected = r#"{"symbol":"BTCUSDT","bidPrice":"100","bidQty":"1","askPrice":"100.5","askQty":"0.4"}"#;
    assert_eq!(book, parse(expected));
    let (_, all) = bench.public("ticker/bookTicker", "");
    assert_eq!(all.as_array().map(sonic_rs::Array::len), Some(4));
    let empty = r#"{"symbol":"MXUSDT","bidPrice":"","bidQty":"","askPrice":"","askQty":""}"#;
    assert_eq!(all[1], parse(empty));
    assert_eq!(
        bench.public("ticker/price", "symbol=BTCUSDT").1,
        parse(r#"{"symbol":"BTCUSDT","price":"100"}"#)
    );
    let (_, two) = bench.public("ticker/price", "symbols=MXUSDT,BTCUSDT");
    assert_eq!(two.as_array().map(sonic_rs::Array::len), Some(2));
    let (_, day) = bench.public("ticker/24hr", "symbol=BTCUSDT");
    for (key, expected) in [
        ("priceChange", "\"-0.5\""),
        ("priceChangePercent", "\"-0.0049\""),
        ("lastPrice", "\"100\""),
        ("highPrice", "\"100.5\""),
        ("lowPrice", "\"100\""),
        ("volume", "\"0.35\""),
        ("quoteVolume", "\"35.05\""),
        ("count", "null"),
    ] {
        assert_eq!(day[key], parse(expected), "{key}");
    }
    assert_eq!(bench.public("avgPrice", "symbol=BTCUSDT").1, parse(r#"{"mins":5,"price":"100.142857"}"#));
    assert_eq!(bench.public("avgPrice", "symbol=MXUSDT").1["price"].as_str(), Some("0"));
    assert_eq!(code(&bench.public("ticker/24hr", "symbol=NONE")), -1121);
}

#[test]
fn candlesticks_have_eight_columns() {
    let mut bench = traded();
    let (_, rows) = bench.public("klines", "symbol=BTCUSDT&interval=1m");
    let expected = r#"[[1644489360000,"100.5","100.5","100.5","100.5","0.1",1644489420000,"10.05"]]"#;
    assert_eq!(rows, parse(expected));
    let none = bench.public("klines", "symbol=BTCUSDT&interval=60m&endTime=1644487200000").1;
    assert_eq!(none, parse("[]"));
    assert_eq!(code(&bench.public("klines", "symbol=BTCUSDT&interval=1h")), 700_004);
}
