//! Which fields a frame carries, read off the bytes, and the vectors of the reference.

use crate::bench::{parse, text};
use sonic_rs::{JsonContainerTrait as _, JsonValueTrait as _, Value};
use std::collections::BTreeSet;

/// Fields that hold messages; all others that are delimited hold texts.
const MESSAGES: &[&str] = &[
    "303", "303.1", "303.2", "304", "306", "307", "308", "309", "311", "311.1", "313", "313.1", "313.2",
    "314", "314.1", "315",
];

/// The file of vectors.
pub(crate) fn vectors() -> Value {
    parse(include_str!("../golden/mexc_ws_vectors.json"))
}

/// The bytes of a vector.
pub(crate) fn frame(name: &str) -> Vec<u8> {
    let vectors = vectors();
    let list = vectors["vectors"].as_array().expect("a list");
    let found = list.iter().find(|row| row["name"].as_str() == Some(name));
    bytes(text(&found.unwrap_or_else(|| panic!("no vector {name}"))["hex"]))
}

fn bytes(hex: &str) -> Vec<u8> {
    let digit = |c: u8| char::from(c).to_digit(16).expect("a hexadecimal digit") as u8;
    hex.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

/// The fields of a frame as paths of numbers, such as `313.1.2`, in any order and number.
pub(crate) fn fields(frame: &[u8]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    collect(frame, "", &mut found);
    found
}

fn collect(mut rest: &[u8], path: &str, found: &mut BTreeSet<String>) {
    while !rest.is_empty() {
        let key = varint(&mut rest);
        let (field, wire_type) = (key >> 3, key & 7);
        let path = if path.is_empty() { field.to_string() } else { format!("{path}.{field}") };
        let value = varint(&mut rest);
        match wire_type {
            0 => {}
            2 => {
                let (inner, after) = rest.split_at(usize::try_from(value).expect("a length"));
                rest = after;
                if MESSAGES.contains(&path.as_str()) {
                    collect(inner, &path, found);
                } else {
                    assert!(!inner.is_empty(), "{path} is an empty text");
                }
            }
            other => panic!("{path} has wire type {other}"),
        }
        found.insert(path);
    }
}

fn varint(rest: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first().expect("a whole number");
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return value;
        }
    }
    panic!("a number longer than 64 bits");
}
