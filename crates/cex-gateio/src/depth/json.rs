//! A strict JSON walker over bytes: finds the parts of a document without building any.
//!
//! It accepts exactly what RFC 8259 does, nested at most [`DEEPEST`] deep; `None` means "not JSON"
//! throughout. The only thing left unchecked is whether `\u` escapes in strings nobody reads form valid
//! pairs.

use std::borrow::Cow;

/// Nesting that no message of the exchange comes near; deeper ones are refused rather than recursed into.
const DEEPEST: u32 = 32;

/// A value as it stands in the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// A string: what is between the quotes, and whether it has escapes.
    Text(&'a [u8], bool),
    /// A number's digits, sign and exponent.
    Number(&'a [u8]),
    True,
    False,
    Null,
    /// An array or object: where it begins.
    Nested(usize),
}

impl<'a> Token<'a> {
    /// The bytes a string or number means; `None` for anything else and for impossible escapes.
    pub(super) fn scalar(self) -> Option<Cow<'a, [u8]>> {
        match self {
            Self::Text(raw, false) | Self::Number(raw) => Some(Cow::Borrowed(raw)),
            Self::Text(raw, true) => unescaped(raw).map(Cow::Owned),
            Self::True | Self::False | Self::Null | Self::Nested(_) => None,
        }
    }
}

/// Escapes never occur where we look; should one, correctness matters and speed does not.
#[cold]
fn unescaped(raw: &[u8]) -> Option<Vec<u8>> {
    let quoted = [b"\"", raw, b"\""].concat();
    let text: String = sonic_rs::from_str(std::str::from_utf8(&quoted).ok()?).ok()?;
    Some(text.into_bytes())
}

/// A position in a document.
#[derive(Debug, Clone, Copy)]
pub(super) struct Walker<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Walker<'a> {
    pub(super) const fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    fn skip_blanks(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.bytes.get(self.at) {
            self.at += 1;
        }
    }

    /// The next byte that is no blank, without stepping over it.
    fn peek(&mut self) -> Option<u8> {
        self.skip_blanks();
        self.bytes.get(self.at).copied()
    }

    /// Steps over `wanted`, after blanks.
    fn expect(&mut self, wanted: u8) -> Option<()> {
        (self.peek()? == wanted).then(|| self.at += 1)
    }

    /// Whether only blanks are left.
    pub(super) fn at_end(&mut self) -> bool {
        self.peek().is_none()
    }

    /// Calls `field` with each key of an object and its value.
    pub(super) fn object(&mut self, field: impl FnMut(Token<'a>, Token<'a>) -> Option<()>) -> Option<()> {
        self.object_within(DEEPEST, field)
    }

    fn object_within(
        &mut self,
        depth: u32,
        mut field: impl FnMut(Token<'a>, Token<'a>) -> Option<()>,
    ) -> Option<()> {
        self.expect(b'{')?;
        if self.peek()? == b'}' {
            return self.expect(b'}');
        }
        loop {
            self.skip_blanks();
            let key = self.string()?;
            self.expect(b':')?;
            let value = self.value(depth)?;
            field(key, value)?;
            match self.peek()? {
                b',' => self.at += 1,
                _ => return self.expect(b'}'),
            }
        }
    }

    /// Calls `element` at the beginning of each element of an array; it must step over the element.
    pub(super) fn array(&mut self, mut element: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.expect(b'[')?;
        if self.peek()? == b']' {
            return self.expect(b']');
        }
        loop {
            element(self)?;
            match self.peek()? {
                b',' => self.at += 1,
                _ => return self.expect(b']'),
            }
        }
    }

    /// Two scalars in brackets: a level.
    pub(super) fn pair(&mut self) -> Option<(Token<'a>, Token<'a>)> {
        self.expect(b'[')?;
        let first = self.value(DEEPEST)?;
        self.expect(b',')?;
        let second = self.value(DEEPEST)?;
        self.expect(b']')?;
        Some((first, second))
    }

    /// Any value, checked through and stepped over.
    pub(super) fn value(&mut self, depth: u32) -> Option<Token<'a>> {
        match self.peek()? {
            b'"' => self.string(),
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.word(b"true", Token::True),
            b'f' => self.word(b"false", Token::False),
            b'n' => self.word(b"null", Token::Null),
            b'{' => {
                let (start, inner) = (self.at, depth.checked_sub(1)?);
                self.object_within(inner, |_, _| Some(()))?;
                Some(Token::Nested(start))
            }
            b'[' => {
                let (start, inner) = (self.at, depth.checked_sub(1)?);
                self.array(|walker| walker.value(inner).map(|_| ()))?;
                Some(Token::Nested(start))
            }
            _ => None,
        }
    }

    fn word(&mut self, word: &[u8], token: Token<'a>) -> Option<Token<'a>> {
        let found = self.bytes.get(self.at..)?.starts_with(word);
        found.then(|| {
            self.at += word.len();
            token
        })
    }

    fn string(&mut self) -> Option<Token<'a>> {
        let start = self.at + 1;
        let mut escaped = false;
        if *self.bytes.get(self.at)? != b'"' {
            return None;
        }
        self.at = start;
        loop {
            match *self.bytes.get(self.at)? {
                b'"' => break,
                b'\\' => {
                    escaped = true;
                    self.at += 1;
                    self.escape()?;
                }
                0..0x20 => return None,
                _ => self.at += 1,
            }
        }
        let raw = &self.bytes[start..self.at];
        self.at += 1;
        (raw.is_ascii() || std::str::from_utf8(raw).is_ok()).then_some(Token::Text(raw, escaped))
    }

    /// What follows a backslash.
    fn escape(&mut self) -> Option<()> {
        let len = match *self.bytes.get(self.at)? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => 1,
            b'u' => {
                let digits = self.bytes.get(self.at + 1..self.at + 5)?;
                digits.iter().all(u8::is_ascii_hexdigit).then_some(5)?
            }
            _ => return None,
        };
        self.at += len;
        Some(())
    }

    fn number(&mut self) -> Option<Token<'a>> {
        let start = self.at;
        if self.bytes.get(self.at) == Some(&b'-') {
            self.at += 1;
        }
        match self.bytes.get(self.at)? {
            b'0' => self.at += 1,
            _ => self.digits()?,
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.bytes.get(self.at) {
            self.at += 1;
            if let Some(b'+' | b'-') = self.bytes.get(self.at) {
                self.at += 1;
            }
            self.digits()?;
        }
        Some(Token::Number(&self.bytes[start..self.at]))
    }

    /// At least one digit.
    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &str) -> Option<Token<'_>> {
        let mut walker = Walker::new(text.as_bytes(), 0);
        let value = walker.value(DEEPEST)?;
        walker.at_end().then_some(value)
    }

    #[test]
    fn takes_what_json_is() {
        for good in [
            "0",
            "-0",
            "10.5",
            "1e5",
            "1E-5",
            "0.1e+7",
            "true",
            "false",
            "null",
            "\"\"",
            "\"a\\\"b\\u00e9\\n\"",
            "\"\u{9f99}\"",
            "[]",
            "{}",
            " [ 1 , [ ] , { } ] ",
            "{\"a\":{\"b\":[null]},\"a\":1}",
        ] {
            assert!(whole(good).is_some(), "{good}");
        }
    }

    #[test]
    fn refuses_what_json_is_not() {
        let deep = "[".repeat(200) + &"]".repeat(200);
        for bad in [
            "",
            "01",
            "-",
            "1.",
            ".5",
            "+1",
            "1e",
            "1e+",
            "tru",
            "nul",
            "\"",
            "\"\\x\"",
            "\"\\u12g4\"",
            "\"\t\"",
            "[1,]",
            "[,1]",
            "[1 2]",
            "{\"a\"}",
            "{\"a\":1,}",
            "{a:1}",
            "{\"a\":1",
            "1 2",
            "NaN",
            &deep,
        ] {
            assert!(whole(bad).is_none(), "{bad}");
        }
        assert!(Walker::new(b"\"\xff\"", 0).value(DEEPEST).is_none());
    }

    #[test]
    fn scalars_are_what_they_mean() {
        for (text, expected) in
            [("\"1.5\"", "1.5"), ("1.5", "1.5"), ("\"\\u0031.5\"", "1.5"), ("\"\\/\"", "/")]
        {
            let scalar = whole(text).and_then(Token::scalar);
            assert_eq!(scalar.as_deref(), Some(expected.as_bytes()), "{text}");
        }
        for text in ["null", "true", "[]", "\"\\ud800\""] {
            assert_eq!(whole(text).and_then(Token::scalar), None, "{text}");
        }
    }
}
