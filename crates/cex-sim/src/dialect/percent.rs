//! Percent-encoding, both ways.

use std::borrow::Cow;

/// How a blank is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blank {
    /// `%20`
    Percent,
    /// `+`
    Plus,
}

/// Percent-decoded, with `+` as a blank. What is not valid UTF-8 afterwards is shown with replacement characters.
pub(super) fn decode(raw: &str) -> Cow<'_, str> {
    if !raw.bytes().any(|byte| byte == b'%' || byte == b'+') {
        return Cow::Borrowed(raw);
    }
    let bytes = raw.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let escaped = bytes.get(at + 1..at + 3).filter(|_| *byte == b'%').and_then(hex_byte);
        match (byte, escaped) {
            (_, Some(value)) => {
                decoded.push(value);
                at += 2;
            }
            (b'+', None) => decoded.push(b' '),
            (plain, None) => decoded.push(*plain),
        }
        at += 1;
    }
    Cow::Owned(String::from_utf8_lossy(&decoded).into_owned())
}

/// Percent-encoded with upper-case digits; only letters, digits and `-_.~` stay as they are.
pub(super) fn encode(plain: &str, blank: Blank) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut encoded = String::with_capacity(plain.len());
    for byte in plain.bytes() {
        match (byte, blank) {
            (b' ', Blank::Plus) => encoded.push('+'),
            (b'-' | b'_' | b'.' | b'~', _) => encoded.push(char::from(byte)),
            (byte, _) if byte.is_ascii_alphanumeric() => encoded.push(char::from(byte)),
            (byte, _) => {
                encoded.push('%');
                encoded.extend([byte >> 4, byte & 15].map(|digit| char::from(DIGITS[usize::from(digit)])));
            }
        }
    }
    encoded
}

fn hex_byte(digits: &[u8]) -> Option<u8> {
    let value = |digit: &u8| char::from(*digit).to_digit(16);
    match digits {
        [high, low] => u8::try_from(value(high)? * 16 + value(low)?).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_what_clients_send() {
        for (raw, decoded) in [
            ("A%2CB", "A,B"),
            ("a+b%20c", "a b c"),
            ("%", "%"),
            ("%zz%4", "%zz%4"),
            ("%C3%A9", "é"),
            ("", ""),
        ] {
            assert_eq!(decode(raw), decoded, "{raw}");
        }
    }

    #[test]
    fn encodes_as_clients_sign() {
        assert_eq!(encode("GOLD(PAXG) a,b-_.~", Blank::Percent), "GOLD%28PAXG%29%20a%2Cb-_.~");
        assert_eq!(encode("龙 x", Blank::Plus), "%E9%BE%99+x");
    }
}
