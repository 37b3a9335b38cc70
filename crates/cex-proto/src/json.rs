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
