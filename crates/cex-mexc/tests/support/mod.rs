//! What the tests of this directory share: markets, links, and the golden file.

#![allow(dead_code, reason = "each test program uses its own part of this module")]

use cex_core::{Market, Markets, Scale, StreamKind, SymbolId, Timestamp, VenueId};
use cex_errors::ExchangeError;
use cex_interface::{
    HttpResponse, Input, Link, Outbox, Protocol, Reply, Request, Secret, Subscription, VenueConfig,
};
use serde::Deserialize;
use std::sync::Arc;

/// The symbols of the golden file: base, native name, decimals of price and quantity.
const SYMBOLS: [(&str, &str, u8, u8); 5] = [
    ("BTC", "BTCUSDT", 2, 8),
    ("ETH", "ETHUSDT", 2, 5),
    ("MX", "MXUSDT", 4, 2),
    ("龙虾", "龙虾USDT", 8, 0),
    ("WELL", "WELLUSDT", 6, 0),
];

/// The vectors written from the field tables of the wire reference by an independent encoder, and checked there with
/// three other protobuf libraries.
const VECTORS: &str = include_str!("../golden/mexc_ws_vectors.json");

#[derive(Deserialize)]
pub(crate) struct Golden {
    pub(crate) vectors: Vec<Vector>,
    pub(crate) invalid: Vec<Invalid>,
    pub(crate) book_sync: BookSyncCase,
    pub(crate) control_frames: Vec<ControlPair>,
    pub(crate) rest_signatures: Vec<SignatureCase>,
}

#[derive(Deserialize)]
pub(crate) struct Vector {
    pub(crate) name: String,
    pub(crate) hex: String,
    pub(crate) decoded: sonic_rs::Value,
}

#[derive(Deserialize)]
pub(crate) struct Invalid {
    pub(crate) name: String,
    pub(crate) hex: String,
}

#[derive(Deserialize)]
pub(crate) struct BookSyncCase {
    pub(crate) snapshot: sonic_rs::Value,
    pub(crate) steps: Vec<Step>,
}

#[derive(Deserialize)]
pub(crate) struct Step {
    pub(crate) kind: String,
    pub(crate) hex: Option<String>,
    pub(crate) expect: Option<String>,
    pub(crate) body: Option<sonic_rs::Value>,
    pub(crate) book: Option<sonic_rs::Value>,
}

#[derive(Deserialize)]
pub(crate) struct ControlPair {
    pub(crate) name: String,
    pub(crate) send: Option<sonic_rs::Value>,
    pub(crate) receive: sonic_rs::Value,
}

#[derive(Deserialize)]
pub(crate) struct SignatureCase {
    pub(crate) name: String,
    pub(crate) secret: String,
    pub(crate) query_without_signature: Option<String>,
    pub(crate) body_without_signature: Option<String>,
    pub(crate) string_to_sign: String,
    pub(crate) signature: String,
}

pub(crate) fn golden() -> Golden {
    sonic_rs::from_str(VECTORS).expect("the golden file is JSON of this shape")
}

pub(crate) fn bytes(hex: &str) -> Vec<u8> {
    let digit = |c: u8| char::from(c).to_digit(16).expect("a hexadecimal digit") as u8;
    hex.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

/// The adapter as a user would open it, with options and a made-up key.
pub(crate) fn adapter(options: &[(&str, &str)]) -> Arc<dyn Protocol> {
    let mut config = VenueConfig::public(VenueId::new(0, "mexc").expect("short"));
    config.key = Secret::new("key".to_owned());
    config.secret = Secret::new("secret".to_owned());
    config.options = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    cex_mexc::protocol(config).expect("a valid configuration")
}

/// The registered markets, made from rules the adapter read itself.
pub(crate) fn markets() -> Arc<Markets> {
    let entry = |(base, native, price_dp, lot_dp): &(&str, &str, u8, u8)| {
        format!(
            r#"{{"symbol":"{native}","status":"1","baseAsset":"{base}","baseAssetPrecision":{lot_dp},"quoteAsset":"USDT",
                "quotePrecision":{price_dp},"isSpotTradingAllowed":true,"quoteAmountPrecision":"1","permissions":["SPOT"],
                "makerCommission":"0","takerCommission":"0.0005","tradeSideType":1}}"#
        )
    };
    let body = format!(r#"{{"symbols":[{}]}}"#, SYMBOLS.iter().map(entry).collect::<Vec<_>>().join(","));
    let response = HttpResponse { status: 200, headers: &[], body: body.as_bytes() };
    let reply = adapter(&[]).decode(&Markets::default(), &Request::Symbols, &response);
    let Ok(Reply::Symbols(rules)) = reply else { panic!("rules: {reply:?}") };
    let market = |(id, info): (u32, cex_core::SymbolInfo)| {
        let scale = Scale::new(info.price_dp, info.lot_dp.max(8)).expect("within range");
        Market::new(VenueId::new(0, "mexc").expect("short"), SymbolId(id), info, scale).expect("rules fit")
    };
    Arc::new(Markets::new((0..).zip(rules).map(market).collect()))
}

/// What one input leads to.
pub(crate) fn tell(link: &mut dyn Link, now: i64, input: Input<'_>) -> (Outbox, Result<(), ExchangeError>) {
    let mut out = Outbox::default();
    let result = link.handle(Timestamp::from_millis(now), input, &mut out);
    (out, result)
}

/// A public link over books, best prices and trades of all symbols, just connected.
pub(crate) fn market_link(options: &[(&str, &str)]) -> Box<dyn Link> {
    let markets = markets();
    let streams = [StreamKind::Book, StreamKind::BookTicker, StreamKind::Trades];
    let wanted: Vec<Subscription> = markets
        .iter()
        .flat_map(|market| streams.map(|stream| Subscription { symbol: market.id, stream }))
        .collect();
    let mut links = adapter(options).market_links(&markets, &wanted).expect("a plan");
    assert_eq!(links.len(), 1);
    let mut link = links.remove(0);
    assert_eq!(tell(&mut *link, 0, Input::Start).1, Ok(()));
    assert_eq!(tell(&mut *link, 0, Input::Connected).1, Ok(()));
    link
}

/// The private link, just connected.
pub(crate) fn account_link() -> Box<dyn Link> {
    let mut link = adapter(&[]).account_link(&markets()).expect("credentials");
    let (out, _) = tell(&mut *link, 0, Input::Start);
    let [cex_interface::Effect::Request { tag, request: Request::CreateListenKey }] = out.effects[..] else {
        panic!("{:?}", out.effects)
    };
    let key = Ok(Reply::ListenKey("key".to_owned()));
    assert_eq!(tell(&mut *link, 0, Input::Reply { tag, result: &key }).1, Ok(()));
    assert_eq!(tell(&mut *link, 0, Input::Connected).1, Ok(()));
    link
}
