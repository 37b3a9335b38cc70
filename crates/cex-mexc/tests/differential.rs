//! The hot reader against prost: any valid message in any order of fields, and any damaged bytes.

mod support;

use cex_core::{Level, Market, Markets, Price, Qty};
use cex_mexc::config::DepthInterval;
use cex_mexc::depth::{DepthReader, Reading};
use cex_proto::mexc::PushDataV3ApiWrapper;
use cex_proto::mexc::push_data_v3_api_wrapper::Body;
use proptest::prelude::*;
use prost::Message;
use std::sync::{Arc, LazyLock};

static MARKETS: LazyLock<Arc<Markets>> = LazyLock::new(support::markets);

/// A book update with its levels taken out of the buffer: what both readers must agree on.
#[derive(Debug, PartialEq, Eq)]
struct Update {
    symbol: u32,
    versions: (u64, u64),
    exchange_ms: i64,
    bids: Vec<Level>,
    asks: Vec<Level>,
}

fn ours(reader: &DepthReader, frame: &[u8]) -> Result<Option<Update>, &'static str> {
    // Something stands in the buffer already, as when the frame is not the first of its batch.
    let before = vec![Level { price: Price(7), qty: Qty(7) }];
    let mut levels = before.clone();
    match reader.read(frame, &MARKETS, &mut levels) {
        Ok(Reading::Book(update)) => Ok(Some(Update {
            symbol: update.symbol.0,
            versions: (update.first_seq, update.last_seq),
            exchange_ms: update.exchange_ts.as_millis(),
            bids: update.bids.of(&levels).to_vec(),
            asks: update.asks.of(&levels).to_vec(),
        })),
        Ok(Reading::Unregistered | Reading::Other) => {
            assert_eq!(levels, before);
            Ok(None)
        }
        Err(unreadable) => {
            assert_eq!(levels, before, "what was refused leaves nothing behind");
            Err(unreadable.what)
        }
    }
}

/// Prost, owned texts, and the plain number parser.
fn oracle(frame: &[u8]) -> Result<Option<Update>, &'static str> {
    let wrapper = PushDataV3ApiWrapper::decode(frame).map_err(|_| "protobuf")?;
    let Some(Body::PublicAggreDepths(depth)) = &wrapper.body else { return Ok(None) };
    let by_channel = wrapper.channel.rsplit_once('@').map(|(_, native)| native);
    let native = match (by_channel, wrapper.symbol.as_deref()) {
        (None, None) => return Err("nameless"),
        (Some(channel), Some(symbol)) if channel != symbol => return Err("two names"),
        (Some(native), _) | (None, Some(native)) => native,
    };
    let Some(market) = MARKETS.by_native(native.as_bytes()) else { return Ok(None) };
    let side = |rows: &[cex_proto::mexc::DepthLevel]| {
        rows.iter().map(|row| level(market, row)).collect::<Result<Vec<_>, _>>()
    };
    let version = |text: &str| match text.bytes().all(|byte| byte.is_ascii_digit()) {
        true => text.parse::<u64>().map_err(|_| "version"),
        false => Err("version"),
    };
    let versions = (version(&depth.from_version)?, version(&depth.to_version)?);
    if versions.0 > versions.1 {
        return Err("backwards");
    }
    Ok(Some(Update {
        symbol: market.id.0,
        versions,
        exchange_ms: cex_core::Timestamp::from_millis(wrapper.send_time.unwrap_or(0)).as_millis(),
        bids: side(&depth.bids)?,
        asks: side(&depth.asks)?,
    }))
}

fn level(market: &Market, row: &cex_proto::mexc::DepthLevel) -> Result<Level, &'static str> {
    Ok(Level {
        price: market.scale.parse_price(row.price.as_bytes()).map_err(|_| "price")?,
        qty: market.scale.parse_qty(row.quantity.as_bytes()).map_err(|_| "quantity")?,
    })
}

// --- messages of any order ------------------------------------------------------------------------------------------

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn bytes_field(number: u64, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    varint(number << 3 | 2, &mut out);
    varint(content.len() as u64, &mut out);
    out.extend_from_slice(content);
    out
}

fn varint_field(number: u64, value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    varint(number << 3, &mut out);
    varint(value, &mut out);
    out
}

/// Fields no message of ours has, of every wire type.
fn unknown_field() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        any::<u64>().prop_map(|value| varint_field(900, value)),
        prop::collection::vec(any::<u8>(), 0..6).prop_map(|content| bytes_field(77, &content)),
        Just([bytes_field(20, b""), vec![0x0d | 0x80, 0x40, 1, 2, 3, 4]].concat()),
        Just(vec![0x91, 0x38, 1, 2, 3, 4, 5, 6, 7, 8]),
    ]
}

/// Numbers as they come, and now and then one that only a quantity may be.
fn number_text(finer: u32) -> impl Strategy<Value = String> {
    prop_oneof![
        16 => (0_u64..200_000, 0_u64..100).prop_map(|(whole, cents)| format!("{whole}.{cents:02}")),
        4 => (0_u64..1_000_000_000).prop_map(|whole| whole.to_string()),
        1 => Just("0.00000000".to_owned()),
        1 => Just("00000000000000000000001.50".to_owned()),
        finer => Just("251.8481948663".to_owned()),
    ]
}

/// Shuffled fields, now and then with one repeated or an unknown one among them.
fn shuffled(fields: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    (Just(fields), prop::collection::vec(unknown_field(), 0..2))
        .prop_map(|(mut fields, unknown)| {
            fields.extend(unknown);
            fields
        })
        .prop_shuffle()
        .prop_map(|fields| fields.concat())
}

/// A level as it usually comes, or in any order and perhaps with a price that a later one replaces.
fn level_bytes() -> impl Strategy<Value = Vec<u8>> {
    let earlier = prop::option::of(number_text(0));
    (number_text(0), number_text(6), earlier, any::<bool>()).prop_flat_map(|(price, qty, earlier, plain)| {
        let mut fields = vec![bytes_field(1, price.as_bytes()), bytes_field(2, qty.as_bytes())];
        if plain {
            return Just(fields.concat()).boxed();
        }
        fields.extend(earlier.map(|price| bytes_field(1, price.as_bytes())));
        shuffled(fields).boxed()
    })
}

fn body_bytes() -> impl Strategy<Value = Vec<u8>> {
    let levels = || prop::collection::vec(level_bytes(), 0..5);
    let versions = prop_oneof![
        20 => (0_u64..1_000, 0_u64..50).prop_map(|(from, span)| (from, from + span)),
        1 => Just((5, 4)),
        1 => Just((0, u64::MAX)),
    ];
    (levels(), levels(), versions, any::<u64>(), any::<bool>()).prop_flat_map(
        |(asks, bids, (from, to), created, in_order)| {
            let mut fields: Vec<_> = asks.iter().map(|level| bytes_field(1, level)).collect();
            fields.extend(bids.iter().map(|level| bytes_field(2, level)));
            fields.push(bytes_field(3, "spot@public.aggre.depth.v3.api.pb@10ms".as_bytes()));
            fields.push(bytes_field(4, from.to_string().as_bytes()));
            fields.push(bytes_field(5, to.to_string().as_bytes()));
            fields.push(varint_field(6, created));
            if in_order { Just(fields.concat()).boxed() } else { shuffled(fields).boxed() }
        },
    )
}

fn frame_bytes() -> impl Strategy<Value = Vec<u8>> {
    let channel = prop::sample::select(vec![
        "spot@public.aggre.depth.v3.api.pb@10ms@BTCUSDT",
        "spot@public.aggre.depth.v3.api.pb@10ms@龙虾USDT",
        "spot@public.aggre.depth.v3.api.pb@100ms@MXUSDT",
        "spot@public.aggre.depth.v3.api.pb@10ms@ZZZUSDT",
    ]);
    let repeated = any::<bool>();
    let named =
        prop::sample::select(vec![(true, true), (true, true), (true, true), (true, false), (false, true)]);
    (channel, body_bytes(), any::<i64>(), repeated, named, any::<bool>()).prop_flat_map(
        |(channel, body, sent_at, repeated, (by_channel, by_symbol), in_order)| {
            let symbol = channel.rsplit('@').next().unwrap_or_default();
            let mut fields = Vec::new();
            if by_channel {
                fields.push(bytes_field(1, channel.as_bytes()));
            }
            if by_symbol {
                fields.push(bytes_field(3, symbol.as_bytes()));
            }
            fields.push(varint_field(6, sent_at.cast_unsigned()));
            fields.push(bytes_field(313, &body));
            if repeated {
                fields.push(varint_field(6, 1_754_741_322_152));
                fields.push(bytes_field(4, b"2fb942154ef44a4ab2ef98c8afb6a4a7"));
            }
            if in_order { Just(fields.concat()).boxed() } else { shuffled(fields).boxed() }
        },
    )
}

fn readers() -> [DepthReader; 2] {
    [DepthReader::new(DepthInterval::Ms10), DepthReader::portable(DepthInterval::Ms10)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    /// Equal on every well-formed message: levels, versions, times, refusals.
    #[test]
    fn well_formed_messages_are_read_as_prost_reads_them(frame in frame_bytes()) {
        for reader in readers() {
            let (ours, oracle) = (ours(&reader, &frame), oracle(&frame));
            prop_assert_eq!(ours.is_err(), oracle.is_err(), "{:?} {:?}", ours, oracle);
            if let (Ok(ours), Ok(oracle)) = (ours, oracle) {
                prop_assert_eq!(ours, oracle);
            }
        }
    }

    /// Damaged bytes never panic, and what we accept prost accepts and reads alike. The other way round we may be
    /// stricter, as the reader's documentation says. (Of a market nobody registered only the wrapper is looked at.)
    #[test]
    fn damaged_messages_are_never_read_where_prost_refuses(
        frame in frame_bytes(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut frame = frame;
        for (at, byte) in damage {
            let at = at.index(frame.len());
            frame[at] = byte;
        }
        if let Some(cut) = cut {
            frame.truncate(cut.index(frame.len()));
        }
        for reader in readers() {
            if let Ok(Some(update)) = ours(&reader, &frame) {
                prop_assert_eq!(Ok(Some(update)), oracle(&frame));
            }
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(frame in prop::collection::vec(any::<u8>(), 0..64)) {
        for reader in readers() {
            if let Ok(Some(update)) = ours(&reader, &frame) {
                prop_assert_eq!(Ok(Some(update)), oracle(&frame));
            }
        }
    }
}

/// Where the reader is stricter than prost, case by case.
#[test]
fn stricter_than_prost_only_where_the_book_would_be_wrong() {
    let channel = bytes_field(1, b"spot@public.aggre.depth.v3.api.pb@10ms@BTCUSDT");
    let symbol = bytes_field(3, b"BTCUSDT");
    let versions = [bytes_field(4, b"1"), bytes_field(5, b"2")].concat();
    let body = |content: &[u8]| bytes_field(313, content);
    let frame =
        |parts: &[&[u8]]| [&channel[..], &symbol].iter().chain(parts).copied().collect::<Vec<_>>().concat();
    let level = |fields: &[Vec<u8>]| [bytes_field(1, &fields.concat()), versions.clone()].concat();
    let reader = DepthReader::new(DepthInterval::Ms10);

    assert!(
        ours(&reader, &frame(&[&body(&versions)])).is_ok_and(|update| update.is_some()),
        "no levels are fine"
    );
    let refused = [
        ("a group", frame(&[&body(&versions), &[0xa3, 0x06, 0xa4, 0x06]])),
        ("two bodies", frame(&[&body(&versions), &body(&versions)])),
        ("another body too", frame(&[&body(&versions), &bytes_field(315, b"")])),
        ("two markets", [channel.clone(), bytes_field(3, b"ETHUSDT"), body(&versions)].concat()),
        ("no market", body(&versions)),
        ("no version", frame(&[&body(&[])])),
        ("one version", frame(&[&body(&bytes_field(4, b"1"))])),
        ("versions run backwards", frame(&[&body(&[bytes_field(4, b"3"), bytes_field(5, b"2")].concat())])),
        ("a version with a sign", frame(&[&body(&[bytes_field(4, b"+1"), bytes_field(5, b"2")].concat())])),
        (
            "an early version that is no number",
            frame(&[&body(&[bytes_field(4, b"x"), versions.clone()].concat())]),
        ),
        ("a level without a price", frame(&[&body(&level(&[bytes_field(2, b"1")]))])),
        ("a level without a quantity", frame(&[&body(&level(&[bytes_field(1, b"1")]))])),
        (
            "a price finer than the scale",
            frame(&[&body(&level(&[bytes_field(1, b"1.001"), bytes_field(2, b"1")]))]),
        ),
        ("a negative quantity", frame(&[&body(&level(&[bytes_field(1, b"1"), bytes_field(2, b"-1")]))])),
    ];
    for (what, frame) in refused {
        assert!(PushDataV3ApiWrapper::decode(frame.as_slice()).is_ok(), "prost reads {what}");
        assert!(ours(&reader, &frame).is_err(), "{what}");
    }
}

/// Sides that take turns on the wire are gathered, each in wire order.
#[test]
fn scattered_sides_are_gathered() {
    let level = |field: u64, price: &str| {
        bytes_field(field, &[bytes_field(1, price.as_bytes()), bytes_field(2, b"1")].concat())
    };
    let body = [
        level(1, "5"),
        level(2, "3"),
        level(1, "6"),
        level(2, "2"),
        bytes_field(4, b"1"),
        level(1, "7"),
        bytes_field(5, b"1"),
    ]
    .concat();
    let frame =
        [bytes_field(1, b"spot@public.aggre.depth.v3.api.pb@10ms@BTCUSDT"), bytes_field(313, &body)].concat();
    for reader in readers() {
        let update = ours(&reader, &frame).expect("valid").expect("a book");
        let prices = |levels: &[Level]| levels.iter().map(|level| level.price.0).collect::<Vec<_>>();
        assert_eq!((prices(&update.asks), prices(&update.bids)), (vec![500, 600, 700], vec![300, 200]));
    }
}
