//! The generated MEXC types against bytes made by an independent encoder.
//!
//! `golden/mexc_ws_vectors.json` was written from the field tables of the wire reference and checked with three other
//! protobuf libraries, so the types and the vectors cannot share a mistake of ours.

mod lines;

use cex_proto::mexc::PushDataV3ApiWrapper;
use cex_proto::mexc::push_data_v3_api_wrapper::Body;
use prost::Message;
use serde::Deserialize;

const VECTORS: &str = include_str!("golden/mexc_ws_vectors.json");

#[derive(Deserialize)]
struct File {
    vectors: Vec<Vector>,
    invalid: Vec<Invalid>,
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    hex: String,
    decoded: sonic_rs::Value,
    /// False when an encoder that writes fields in ascending order gives other bytes.
    canonical_order: Option<bool>,
}

#[derive(Deserialize)]
struct Invalid {
    name: String,
    hex: String,
}

fn file() -> File {
    sonic_rs::from_str(VECTORS).expect("the golden file is JSON of this shape")
}

fn bytes(hex: &str) -> Vec<u8> {
    let digit = |c: u8| char::from(c).to_digit(16).expect("a hexadecimal digit") as u8;
    hex.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

/// The fields as `path = value` lines, which make a readable difference when they are not equal.
fn decoded_lines(frame: &[u8]) -> Vec<String> {
    lines::of_wrapper(&PushDataV3ApiWrapper::decode(frame).expect("a valid frame"))
}

#[test]
fn every_vector_decodes_field_by_field() {
    let file = file();
    assert_eq!(file.vectors.len(), 29);
    for vector in &file.vectors {
        assert_eq!(decoded_lines(&bytes(&vector.hex)), lines::of_json(&vector.decoded), "{}", vector.name);
    }
}

#[test]
fn canonical_vectors_encode_to_the_same_bytes() {
    let file = file();
    let canonical: Vec<_> =
        file.vectors.iter().filter(|vector| vector.canonical_order != Some(false)).collect();
    assert_eq!(canonical.len(), 25);
    for vector in canonical {
        let frame = bytes(&vector.hex);
        let wrapper = PushDataV3ApiWrapper::decode(frame.as_slice()).expect("a valid frame");
        assert_eq!(wrapper.encode_to_vec(), frame, "{}", vector.name);
    }
}

#[test]
fn every_invalid_frame_is_refused() {
    let file = file();
    assert_eq!(file.invalid.len(), 5);
    for invalid in &file.invalid {
        assert!(PushDataV3ApiWrapper::decode(bytes(&invalid.hex).as_slice()).is_err(), "{}", invalid.name);
    }
}

/// Cut anywhere, a frame is refused or decodes to less; it never panics. Only a cut between fields can be accepted.
#[test]
fn every_prefix_of_every_vector_is_handled() {
    for vector in &file().vectors {
        let frame = bytes(&vector.hex);
        for end in 0..frame.len() {
            if let Ok(wrapper) = PushDataV3ApiWrapper::decode(&frame[..end]) {
                assert!(wrapper.encoded_len() <= end, "{} cut at {end}", vector.name);
            }
        }
    }
}

/// Every byte worked out by hand from the field numbers: a key is number << 3 | wire type, with 2 for text and messages
/// and 0 for integers; 313 << 3 | 2 = 2506 is the varint `ca 13`.
const DEPTH_FRAME: &[&[u8]] = &[
    &[0x0a, 2, b'c', b'h'],          // 1 channel
    &[0x1a, 3, b'A', b'-', b'B'],    // 3 symbol
    &[0x30, 0xac, 0x02],             // 6 sendTime: 0x2c + (2 << 7) = 300
    &[0xca, 0x13, 20],               // 313 publicAggreDepths
    &[0x0a, 8],                      // - 1 asks
    &[0x0a, 3, b'1', b'.', b'5'],    // - - 1 price
    &[0x12, 1, b'2'],                // - - 2 quantity
    &[0x22, 1, b'7', 0x2a, 1, b'9'], // - 4 fromVersion, 5 toVersion
    &[0x30, 1, 0x30, 2],             // - 6 lastOrderCreateTime twice: the last one counts
];

#[test]
fn a_frame_computed_by_hand_decodes() {
    let wrapper = PushDataV3ApiWrapper::decode(DEPTH_FRAME.concat().as_slice()).expect("a valid frame");
    assert_eq!(wrapper.channel, "ch");
    assert_eq!(wrapper.symbol.as_deref(), Some("A-B"));
    assert_eq!((wrapper.symbol_id, wrapper.create_time, wrapper.send_time), (None, None, Some(300)));
    let Some(Body::PublicAggreDepths(depths)) = wrapper.body else {
        panic!("another body: {:?}", wrapper.body)
    };
    assert!(depths.bids.is_empty());
    assert_eq!(depths.asks.len(), 1);
    assert_eq!((depths.asks[0].price.as_str(), depths.asks[0].quantity.as_str()), ("1.5", "2"));
    assert_eq!((depths.from_version.as_str(), depths.to_version.as_str()), ("7", "9"));
    assert_eq!(depths.last_order_create_time, 2);
}

#[test]
fn a_wrong_wire_type_is_refused() {
    let mut frame = DEPTH_FRAME.concat();
    let key = frame.iter().position(|byte| *byte == 0x30).expect("sendTime has this key");
    frame[key] = 0x32; // 6 sendTime, announced as text
    assert!(PushDataV3ApiWrapper::decode(frame.as_slice()).is_err());
}

/// No vector carries these bodies; keys computed as above.
#[test]
fn legacy_bodies_without_a_vector_decode() {
    let deals = [
        &[0xea, 0x12, 16][..],                       // 301 publicDeals
        &[0x0a, 11, 0x0a, 1, b'5', 0x12, 1, b'6'],   // - 1 deals: 1 price, 2 quantity
        &[0x18, 2, 0x20, 0xac, 0x02, 0x12, 1, b'e'], // - - 3 tradeType, 4 time; - 2 eventType
    ]
    .concat();
    let expected = [
        "publicDeals.deals[0].price = \"5\"",
        "publicDeals.deals[0].quantity = \"6\"",
        "publicDeals.deals[0].time = 300",
        "publicDeals.deals[0].tradeType = 2",
        "publicDeals.eventType = \"e\"",
    ];
    assert_eq!(decoded_lines(&deals), expected);

    // 302 publicIncreaseDepths: 2 bids with 1 price, then 4 version.
    let depths = [0xf2, 0x12, 8, 0x12, 3, 0x0a, 1, b'5', 0x22, 1, b'8'];
    let expected = ["publicIncreaseDepths.bids[0].price = \"5\"", "publicIncreaseDepths.version = \"8\""];
    assert_eq!(decoded_lines(&depths), expected);

    // 305 publicBookTicker: 1 bidPrice, 4 askQuantity. A second body replaces the first.
    let ticker = [&depths[..], &[0x8a, 0x13, 6, 0x0a, 1, b'1', 0x22, 1, b'4']].concat();
    let expected = ["publicBookTicker.askQuantity = \"4\"", "publicBookTicker.bidPrice = \"1\""];
    assert_eq!(decoded_lines(&ticker), expected);
}
