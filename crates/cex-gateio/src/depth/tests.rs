//! The hot decoder against the serde shapes of the same frames: whatever the order of keys, blanks, unknown
//! keys and escapes, and whatever bytes are broken.

use super::*;
use crate::testing::markets;
use crate::wire::{Scalar, parse};
use cex_core::{Price, Qty};
use proptest::prelude::*;
use serde::Deserialize;

/// A book frame as serde sees it.
#[derive(Debug, Deserialize)]
struct Oracle<'a> {
    #[serde(borrow)]
    channel: Option<Scalar<'a>>,
    event: Option<Scalar<'a>>,
    result: Option<OracleBook<'a>>,
}

#[derive(Debug, Deserialize)]
struct OracleBook<'a> {
    #[serde(borrow)]
    t: Option<Scalar<'a>>,
    full: Option<bool>,
    s: Scalar<'a>,
    #[serde(rename = "U")]
    first: Option<Scalar<'a>>,
    #[serde(rename = "u")]
    last: Scalar<'a>,
    b: Option<Vec<(Scalar<'a>, Scalar<'a>)>>,
    a: Option<Vec<(Scalar<'a>, Scalar<'a>)>>,
}

/// A decoded frame with its levels, however it was decoded.
#[derive(Debug, PartialEq, Eq)]
struct Book {
    symbol: SymbolId,
    whole: bool,
    seq: (u64, u64),
    exchange_ts: Timestamp,
    bids: Vec<Level>,
    asks: Vec<Level>,
}

fn of_update(update: &BookUpdate, levels: &[Level]) -> Book {
    Book {
        symbol: update.symbol,
        whole: update.kind == UpdateKind::Snapshot,
        seq: (update.first_seq, update.last_seq),
        exchange_ts: update.exchange_ts,
        bids: update.bids.of(levels).to_vec(),
        asks: update.asks.of(levels).to_vec(),
    }
}

/// What serde makes of a frame; `None` for a frame it refuses and for one that is no book of ours.
fn oracle(markets: &Markets, frame: &[u8]) -> Option<Book> {
    let frame: Oracle<'_> = parse(frame).ok()?;
    let obu = match frame.channel?.as_str() {
        "spot.obu" => true,
        "spot.order_book_update" => false,
        _ => return None,
    };
    if frame.event.is_some_and(|event| event.as_str() != "update") {
        return None;
    }
    let book = frame.result?;
    let market = market_of(markets, obu, book.s.as_str().as_bytes())?;
    let last = book.last.integer().ok()?;
    let first = book.first.map(|first| first.integer()).transpose().ok()?;
    let whole = book.full == Some(true);
    let millis = book.t.map_or(Ok(0), |t| t.integer()).ok().and_then(|millis| i64::try_from(millis).ok())?;
    let exchange_ts = Timestamp::from_millis(millis);
    let side = |rows: Option<Vec<(Scalar<'_>, Scalar<'_>)>>| {
        let level = |(price, qty): (Scalar<'_>, Scalar<'_>)| {
            let price = market.scale.parse_price(price.as_str().as_bytes()).ok()?;
            Some(Level { price, qty: market.scale.parse_qty(qty.as_str().as_bytes()).ok()? })
        };
        rows.unwrap_or_default().into_iter().map(level).collect::<Option<Vec<_>>>()
    };
    let seq = if whole { (last, last) } else { (first.filter(|first| *first <= last)?, last) };
    Some(Book { symbol: market.id, whole, seq, exchange_ts, bids: side(book.b)?, asks: side(book.a)? })
}

/// What the decoder makes of a frame, and whether the template sufficed.
fn decoded(markets: &Markets, frame: &[u8]) -> (Option<Book>, bool) {
    let reader = DepthReader::new();
    let earlier = Level { price: Price(-1), qty: Qty(-1) };
    let mut levels = vec![earlier];
    let usual = reader.usual(markets, frame, &mut levels).map(|update| of_update(&update, &levels));
    if usual.is_none() {
        assert_eq!(levels, [earlier], "levels of a frame of another form must be taken back");
    }
    levels.truncate(1);
    let any = match reader.any(markets, frame, &mut levels) {
        Ok(Frame::Update(update)) => Some(of_update(&update, &levels)),
        Ok(Frame::Foreign | Frame::Other) | Err(_) => {
            assert_eq!(levels, [earlier], "levels of a refused frame must be taken back");
            None
        }
    };
    let sufficed = usual.is_some();
    if sufficed {
        assert_eq!(usual, any, "the template must not read what the scan reads otherwise");
    }
    (any, sufficed)
}

const UPDATE: &str = r#"{"time":1700000000,"time_ms":1700000000236,"channel":"spot.order_book_update","event":"update","result":{"t":1700000000123,"l":"100","e":"depthUpdate","E":1700000000,"s":"BTC_USDT","U":2001,"u":2006,"b":[["37001.2","0.0001"],["36988.3","0"]],"a":[["37001.3","0.6135"]]}}"#;
const OBU: &str = r#"{"channel":"spot.obu","event":"update","time":1700000000,"time_ms":1700000000848,"result":{"t":1700000000673,"full":true,"s":"ob.BTC_USDT.50","u":1000,"b":[["37001.2","0.5"]],"a":[]}}"#;

#[test]
fn frames_of_the_usual_form_need_no_scan() {
    let check = |frame: &str| {
        let (book, sufficed) = decoded(&markets(), frame.as_bytes());
        assert!(sufficed, "{frame}");
        assert_eq!(book, oracle(&markets(), frame.as_bytes()));
    };
    check(UPDATE);
    check(OBU);
    check(&UPDATE.replace("{\"t\":1700000000123,", "{\"t\":1700000000123,\"full\":true,"));
    check(&UPDATE.replace("\"time_ms\":1700000000236,", "").replace("\"l\":\"100\",", ""));
    check(&OBU.replace("\"full\":true,", "").replace("\"u\":1000", "\"U\":999,\"u\":1000"));
    check(
        &OBU.replace("\"full\":true,", "")
            .replace("\"u\":1000", "\"U\":1000,\"u\":1000")
            .replace(",\"a\":[]", ""),
    );
}

#[test]
fn frames_of_other_forms_mean_the_same() {
    let (expected, _) = decoded(&markets(), UPDATE.as_bytes());
    let check = |from: &str, to: &str| {
        let frame = UPDATE.replace(from, to);
        assert_ne!(frame, UPDATE);
        assert_eq!(decoded(&markets(), frame.as_bytes()), (expected_again(&expected), false), "{frame}");
        assert_eq!(oracle(&markets(), frame.as_bytes()), expected_again(&expected), "{frame}");
    };
    check("\"result\":", "\"result\" : ");
    check("\"U\":2001,\"u\":2006", "\"u\":\"2006\",\"U\":\"2001\"");
    check("\"s\":\"BTC_USDT\"", "\"s\":\"BTC\\u005fUSDT\"");
    check("\"s\":", "\"\\u0073\":");
    check("[\"37001.3\",\"0.6135\"]", "[37001.3,0.6135]");
    check("\"e\":\"depthUpdate\"", "\"e\":{\"s\":\"ETH_USDT\",\"b\":[[1,2]]}");
    check("\"event\":\"update\"", "\"event\":null");
}

fn expected_again(book: &Option<Book>) -> Option<Book> {
    book.as_ref().map(|book| Book { bids: book.bids.clone(), asks: book.asks.clone(), ..*book })
}

#[test]
fn what_is_wrong_is_refused_and_says_whose_it_was() {
    let check = |from: &str, to: &str, symbol: Option<u32>, fault: &str| {
        let (frame, mut levels) = (UPDATE.replace(from, to), Vec::new());
        assert_eq!(DepthReader::new().usual(&markets(), frame.as_bytes(), &mut levels), None);
        let refused = DepthReader::new().any(&markets(), frame.as_bytes(), &mut levels).expect_err(&frame);
        assert_eq!((refused.symbol, refused.fault), (symbol.map(SymbolId), fault), "{frame}");
        assert!(levels.is_empty());
    };
    check("\"37001.3\"", "\"37001.35\"", Some(0), "price of a level");
    check("\"37001.3\"", "\"-37001.3\"", Some(0), "price of a level");
    check("\"37001.3\"", "\"3.7e4\"", Some(0), "price of a level");
    check("\"0.6135\"", "\"\"", Some(0), "quantity of a level");
    check("\"0.6135\"", "null", Some(0), "a level is not of numbers");
    check("[\"37001.3\",\"0.6135\"]", "[\"37001.3\"]", Some(0), "a level is not a pair");
    check("[\"37001.3\",\"0.6135\"]", "[\"37001.3\",\"1\",\"2\"]", Some(0), "a level is not a pair");
    check("\"a\":[[\"37001.3\",\"0.6135\"]]", "\"a\":{}", Some(0), "a level is not a pair");
    check("\"a\":[[\"37001.3\",\"0.6135\"]]", "\"a\":\"\"", Some(0), "a side is no array");
    check("\"U\":2001", "\"U\":2007", Some(0), "first version after the last");
    check("\"U\":2001,", "", Some(0), "no first version");
    check("\"u\":2006,", "", Some(0), "no last version");
    check("\"u\":2006", "\"u\":20.5", Some(0), "a count has other than digits, or too many");
    check("\"t\":1700000000123", "\"t\":1700000000123,\"t\":1", None, "a key stands twice");
    check("\"s\":\"BTC_USDT\",", "", None, "no name");
    check("}}", "}", None, "not JSON");
    check("}}", "}}}", None, "not JSON");
    check("\"l\":\"100\"", "\"l\":\"10\n\"", None, "not JSON");
}

#[test]
fn what_is_not_a_book_of_ours_is_passed_over() {
    let check = |frame: &str, expected: Frame| {
        assert_eq!(
            DepthReader::new().any(&markets(), frame.as_bytes(), &mut Vec::new()),
            Ok(expected),
            "{frame}"
        );
    };
    check(&UPDATE.replace("BTC_USDT", "FOO_USDT"), Frame::Foreign);
    check(&OBU.replace("ob.BTC_USDT.50", "BTC_USDT"), Frame::Foreign);
    check(&OBU.replace("ob.BTC_USDT.50", "ob.BTC_USDT.x"), Frame::Foreign);
    check(&UPDATE.replace("\"update\"", "\"subscribe\""), Frame::Other);
    check(&UPDATE.replace("spot.order_book_update", "spot.trades"), Frame::Other);
    check("{}", Frame::Other);
}

#[test]
fn a_name_beyond_ascii_is_found_raw_and_escaped() {
    for name in ["龙虾_USDT", "\\u9f99\\u867e_USDT"] {
        let frame = UPDATE.replace("BTC_USDT", name).replace("37001", "0");
        let (book, sufficed) = decoded(&markets(), frame.as_bytes());
        assert_eq!((book.map(|book| book.symbol), sufficed), (Some(SymbolId(3)), !name.contains('\\')));
    }
}

#[test]
fn a_quantity_finer_than_the_scale_is_cut_and_may_delete() {
    let frame = UPDATE.replace("\"0.6135\"", "\"0.00000000999\"");
    let (book, _) = decoded(&markets(), frame.as_bytes());
    assert_eq!(book.expect("valid").asks, [Level { price: Price(370_013), qty: Qty(0) }]);
}

/// A number's text, now and then beyond what a book can hold.
fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => (0u64..10_000_000, 0u32..10).prop_map(|(whole, tenth)| format!("{whole}.{tenth}")),
        4 => (0u64..1_000_000_000).prop_map(|whole| whole.to_string()),
        2 => (0u64..100, 0u64..u64::MAX).prop_map(|(whole, fraction)| format!("{whole}.{fraction}")),
        1 => "[0-9.eE+-]{0,24}",
    ]
}

/// A number as a string or bare; a bare one may be no JSON, which both sides must then refuse.
fn scalar() -> impl Strategy<Value = String> {
    (number(), 0..8).prop_map(|(text, form)| match form {
        0 => text,
        1 => format!("\"\\u0030{text}\""),
        _ => format!("\"{text}\""),
    })
}

fn side() -> impl Strategy<Value = String> {
    let level = (scalar(), scalar()).prop_map(|(price, qty)| format!("[{price},{qty}]"));
    proptest::collection::vec(level, 0..4).prop_map(|levels| format!("[{}]", levels.join(",")))
}

/// Members of the result, in any order, perhaps with strangers among them.
fn members() -> impl Strategy<Value = Vec<String>> {
    let name =
        prop_oneof![Just("BTC_USDT"), Just("ob.XYZ_USDT.400"), Just("ob.BTC_USDT.50"), Just("FOO_USDT")];
    let stranger = prop_oneof![
        Just(r#""l":"100""#),
        Just(r#""x":{"s":"ETH_USDT","b":[["1","2"]]}"#),
        Just(r#""x":[1.5e3,-0,true,null,"\"\\\u00e9龙"]"#),
        Just(r#""full":true"#),
        Just(r#""full":null"#),
        Just(r#""s":"BTC_USDT""#),
    ];
    let strangers = proptest::collection::vec(stranger, 0..3);
    (side(), side(), 0u64..50, 0u64..50, name, strangers, any::<bool>())
        .prop_map(|(bids, asks, first, more, name, strangers, quoted)| {
            let last = if quoted { format!("\"{}\"", first + more) } else { (first + more).to_string() };
            let mut members = vec![
                "\"t\":1700000000123".to_owned(),
                format!("\"s\":\"{name}\""),
                format!("\"U\":{first}"),
                format!("\"u\":{last}"),
                format!("\"b\":{bids}"),
                format!("\"a\":{asks}"),
            ];
            members.extend(strangers.into_iter().map(str::to_owned));
            members
        })
        .prop_shuffle()
}

fn frame() -> impl Strategy<Value = String> {
    let blank = prop_oneof![4 => Just(""), 1 => Just(" "), 1 => Just("\r\n\t ")];
    let channel = prop_oneof![Just("spot.order_book_update"), Just("spot.obu"), Just("spot\\u002eobu")];
    let outer = (channel, members(), blank).prop_map(|(channel, members, blank)| {
        let result = members.join(&format!("{blank},{blank}"));
        vec![
            "\"time\":1".to_owned(),
            format!("\"channel\":{blank}\"{channel}\""),
            "\"event\":\"update\"".to_owned(),
            format!("\"result\":{blank}{{{result}}}"),
        ]
    });
    outer.prop_shuffle().prop_map(|members| format!("{{{}}}", members.join(",")))
}

/// A frame of the usual form with some numbers of its own.
fn usual_frame() -> impl Strategy<Value = String> {
    let side = || {
        let level = (number(), number()).prop_map(|(price, qty)| format!("[\"{price}\",\"{qty}\"]"));
        proptest::collection::vec(level, 0..5).prop_map(|levels| levels.join(","))
    };
    (side(), side(), any::<u32>(), any::<u16>()).prop_map(|(bids, asks, first, more)| {
        let last = u64::from(first) + u64::from(more);
        format!(
            "{{\"time\":1700000000,\"time_ms\":1700000000236,\"channel\":\"spot.order_book_update\",\"event\":\"update\",\
             \"result\":{{\"t\":1700000000123,\"l\":\"20\",\"e\":\"depthUpdate\",\"E\":1700000000,\"s\":\"BTC_USDT\",\
             \"U\":{first},\"u\":{last},\"b\":[{bids}],\"a\":[{asks}]}}}}"
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn any_frame_is_read_as_serde_reads_it(frame in frame()) {
        prop_assert_eq!(decoded(&markets(), frame.as_bytes()).0, oracle(&markets(), frame.as_bytes()), "{}", frame);
    }

    #[test]
    fn a_usual_frame_is_read_as_serde_reads_it(frame in usual_frame()) {
        let expected = oracle(&markets(), frame.as_bytes());
        let (book, sufficed) = decoded(&markets(), frame.as_bytes());
        prop_assert_eq!(sufficed, expected.is_some(), "{}", &frame);
        prop_assert_eq!(book, expected, "{}", frame);
    }

    /// A broken frame never panics and never means something to us that serde refuses.
    #[test]
    fn a_broken_frame_means_nothing_serde_does_not_see(
        frame in prop_oneof![usual_frame(), frame()],
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3), 1..4),
    ) {
        let mut bytes = frame.into_bytes();
        for (at, byte, edit) in edits {
            let at = at.index(bytes.len());
            match edit {
                0 => bytes[at] = byte,
                1 => bytes.truncate(at.max(1)),
                _ => bytes.insert(at, byte),
            }
        }
        if let (Some(book), _) = decoded(&markets(), &bytes) {
            prop_assert_eq!(Some(book), oracle(&markets(), &bytes), "{}", String::from_utf8_lossy(&bytes));
        }
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(decoded(&markets(), &bytes), (None, false));
    }
}
