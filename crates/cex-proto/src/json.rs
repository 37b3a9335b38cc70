//! How fields of the journal are shown to people: enums by name, hashes in hex, an exchange's words as text.

use serde::{Serialize, Serializer};
use std::fmt::Write as _;

/// An enum by its name; a number that a newer program wrote stays a number.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
pub(crate) fn named<E, S>(value: &i32, serializer: S) -> Result<S::Ok, S::Error>
where
    E: TryFrom<i32> + Serialize,
    S: Serializer,
{
    match E::try_from(*value) {
        Ok(known) => known.serialize(serializer),
        Err(_) => serializer.serialize_i32(*value),
    }
}

/// Bytes in hex.
pub(crate) fn hex<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    serializer.serialize_str(&text)
}

/// Bytes as the text they mostly are; what is not text shows as the replacement character.
pub(crate) fn text<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&String::from_utf8_lossy(bytes))
}

#[cfg(test)]
mod tests {
    use crate::journal::{Balance, SessionStart, Source, VenueReport};

    #[test]
    fn enums_have_names_hashes_are_hex_and_words_are_text() {
        let json = |value: &dyn Fn() -> Result<String, sonic_rs::Error>| value().expect("it serializes");
        let source = Source::Stream.into();
        let report = VenueReport { source, body: b"{\"a\":\xff}".to_vec(), ..Default::default() };
        let text = json(&|| sonic_rs::to_string(&report));
        let body = "{\\\"a\\\":\u{fffd}}";
        assert_eq!(text, format!(r#"{{"venue":"","source":"stream","op":"","status":0,"body":"{body}"}}"#));
        let start = SessionStart { config_hash: vec![0, 0xab], ..Default::default() };
        assert!(json(&|| sonic_rs::to_string(&start)).contains(r#""config_hash":"00ab""#));
        let newer = Balance { source: 99, ..Default::default() };
        assert!(json(&|| sonic_rs::to_string(&newer)).contains(r#""source":99"#), "a later program's word");
    }
}
