//! JSON written by hand: the order of keys and the spelling of numbers are the exchange's, and a frame for a
//! thousand markets is one pass over one `String`.

use std::fmt::{self, Display, Write as _};

/// A raw integer of a scale, shown as a plain decimal without trailing zeros: `Scaled(1_500, 3)` is `1.5`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scaled(pub(super) i64, pub(super) u8);

impl Display for Scaled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = 10u64.pow(u32::from(self.1));
        let digits = self.0.unsigned_abs();
        if self.0 < 0 {
            f.write_char('-')?;
        }
        write!(f, "{}", digits / unit)?;
        let (mut fraction, mut width) = (digits % unit, usize::from(self.1));
        if fraction == 0 {
            return Ok(());
        }
        while fraction.is_multiple_of(10) {
            fraction /= 10;
            width -= 1;
        }
        write!(f, ".{fraction:0width$}")
    }
}

/// Appends what [`Scaled`] shows, without the machinery of formatting: depth frames are little else.
pub(super) fn scaled(out: &mut String, Scaled(raw, dp): Scaled) {
    let unit = 10u64.pow(u32::from(dp));
    let digits = raw.unsigned_abs();
    if raw < 0 {
        out.push('-');
    }
    let mut buffer = itoa::Buffer::new();
    out.push_str(buffer.format(digits / unit));
    let (mut fraction, mut width) = (digits % unit, usize::from(dp));
    if fraction == 0 {
        return;
    }
    while fraction.is_multiple_of(10) {
        fraction /= 10;
        width -= 1;
    }
    let text = buffer.format(fraction);
    out.push('.');
    (text.len()..width).for_each(|_| out.push('0'));
    out.push_str(text);
}

/// A raw integer of a scale with all its decimals: `Padded(1_500, 3)` is `1.500`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Padded(pub(super) i64, pub(super) u8);

impl Display for Padded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, width) = (10u64.pow(u32::from(self.1)), usize::from(self.1));
        let digits = self.0.unsigned_abs();
        if self.0 < 0 {
            f.write_char('-')?;
        }
        write!(f, "{}", digits / unit)?;
        if width == 0 {
            return Ok(());
        }
        write!(f, ".{:0width$}", digits % unit)
    }
}

/// Writes a JSON object.
pub(super) fn object(out: &mut String, fill: impl FnOnce(&mut Object<'_>)) {
    out.push('{');
    let mut object = Object { out, is_empty: true };
    fill(&mut object);
    object.out.push('}');
}

/// Writes a JSON array, one element per item.
pub(super) fn array<T>(
    out: &mut String,
    items: impl IntoIterator<Item = T>,
    mut element: impl FnMut(&mut String, T),
) {
    out.push('[');
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        element(out, item);
    }
    out.push(']');
}

/// Writes a text that may hold anything: a name or an echo of what a client sent.
pub(super) fn text(out: &mut String, value: &str) {
    out.push('"');
    for character in value.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if u32::from(control) < 0x20 => show(out, format_args!("\\u{:04x}", u32::from(control))),
            plain => out.push(plain),
        }
    }
    out.push('"');
}

/// Appends what `value` shows, unquoted.
pub(super) fn show(out: &mut String, value: impl Display) {
    write!(out, "{value}").expect("writing to a String cannot fail");
}

/// A JSON object being written.
pub(super) struct Object<'a> {
    out: &'a mut String,
    is_empty: bool,
}

impl Object<'_> {
    /// A text that may need escapes.
    pub(super) fn text(&mut self, key: &str, value: &str) {
        text(self.key(key), value);
    }

    /// A text that needs no escapes: a number in quotes, a name of ours.
    pub(super) fn quoted(&mut self, key: &str, value: impl Display) {
        show(self.key(key), format_args!("\"{value}\""));
    }

    /// A number, a truth value, or JSON made elsewhere.
    pub(super) fn plain(&mut self, key: &str, value: impl Display) {
        show(self.key(key), value);
    }

    /// An object.
    pub(super) fn object(&mut self, key: &str, fill: impl FnOnce(&mut Object<'_>)) {
        object(self.key(key), fill);
    }

    /// An array.
    pub(super) fn array<T>(
        &mut self,
        key: &str,
        items: impl IntoIterator<Item = T>,
        element: impl FnMut(&mut String, T),
    ) {
        array(self.key(key), items, element);
    }

    /// How long the whole text is so far.
    pub(super) fn written(&self) -> usize {
        self.out.len()
    }

    fn key(&mut self, key: &str) -> &mut String {
        if !self.is_empty {
            self.out.push(',');
        }
        self.is_empty = false;
        self.out.push('"');
        self.out.push_str(key);
        self.out.push_str("\":");
        self.out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_of_showing_a_scaled_number_agree() {
        for raw in [0, 1, 9, 10, 105, 1_500, 100_000, 123_456_789, -1, -1_500, i64::MAX, i64::MIN] {
            for dp in [0, 1, 3, 8, 18] {
                let mut text = String::new();
                scaled(&mut text, Scaled(raw, dp));
                assert_eq!(text, Scaled(raw, dp).to_string(), "{raw} {dp}");
            }
        }
    }

    #[test]
    fn scaled_numbers_are_short_and_exact() {
        for (raw, dp, shown) in [
            (1_500, 3, "1.5"),
            (15, 3, "0.015"),
            (0, 8, "0"),
            (-2_050, 2, "-20.5"),
            (7, 0, "7"),
            (100, 2, "1"),
            (i64::MAX, 18, "9.223372036854775807"),
            (i64::MIN, 0, "-9223372036854775808"),
        ] {
            assert_eq!(Scaled(raw, dp).to_string(), shown);
        }
    }

    #[test]
    fn padded_numbers_keep_their_zeros() {
        for (raw, dp, shown) in
            [(1_500, 3, "1.500"), (15, 3, "0.015"), (0, 2, "0.00"), (-2_050, 2, "-20.50"), (7, 0, "7")]
        {
            assert_eq!(Padded(raw, dp).to_string(), shown);
        }
    }

    #[test]
    fn texts_are_escaped_and_keys_keep_their_order() {
        let mut out = String::new();
        object(&mut out, |row| {
            row.text("b", "say \"hi\"\\\n\u{1}");
            row.quoted("a", 12);
            row.object("in", |inner| inner.plain("n", true));
            row.array("l", [1, 2], show);
        });
        assert_eq!(out, r#"{"b":"say \"hi\"\\\n\u0001","a":"12","in":{"n":true},"l":[1,2]}"#);
    }
}
