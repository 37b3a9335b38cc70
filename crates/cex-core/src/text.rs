//! Short inline text: `Copy`, no allocation, for names and identifiers.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

/// Why a text cannot be held inline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// More bytes than the type holds.
    #[error("text of {len} bytes is longer than the {max} allowed")]
    TooLong {
        /// Bytes given.
        len: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// Not valid UTF-8.
    #[error("text is not UTF-8")]
    NotUtf8,
}

/// UTF-8 text of at most `N` bytes (`N` < 256), kept inline.
#[derive(Clone, Copy)]
pub struct Text<const N: usize> {
    len: u8,
    bytes: [u8; N],
}

impl<const N: usize> Text<N> {
    /// The empty text.
    pub const EMPTY: Self = Self { len: 0, bytes: [0; N] };

    /// Copies `text`; an error when it is too long.
    pub fn new(text: &str) -> Result<Self, TextError> {
        let too_long = TextError::TooLong { len: text.len(), max: N };
        let len = u8::try_from(text.len()).map_err(|_| too_long)?;
        let mut bytes = [0; N];
        bytes.get_mut(..text.len()).ok_or(too_long)?.copy_from_slice(text.as_bytes());
        Ok(Self { len, bytes })
    }

    /// Copies bytes that must be UTF-8.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TextError> {
        Self::new(std::str::from_utf8(bytes).map_err(|_| TextError::NotUtf8)?)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Only whole `&str`s are ever copied in, so this cannot fail; an empty text is the harmless answer if it did.
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    /// The bytes of the text.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// Whether there is no text.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl<const N: usize> Default for Text<N> {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl<const N: usize> PartialEq for Text<N> {
    fn eq(&self, other: &Self) -> bool {
        // Bytes past the length are always zero, so the whole array compares, without a length-dependent loop.
        self.len == other.len && self.bytes == other.bytes
    }
}

impl<const N: usize> Eq for Text<N> {}

impl<const N: usize> PartialOrd for Text<N> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<const N: usize> Ord for Text<N> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl<const N: usize> Hash for Text<N> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl<const N: usize> fmt::Display for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl<const N: usize> fmt::Debug for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl<const N: usize> FromStr for Text<N> {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        Self::new(text)
    }
}

impl<const N: usize> AsRef<str> for Text<N> {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_what_fits_and_refuses_the_rest() {
        let text = Text::<8>::new("龙虾").expect("six bytes");
        assert_eq!(text.as_str(), "龙虾");
        assert_eq!(Text::<8>::new("123456789"), Err(TextError::TooLong { len: 9, max: 8 }));
        assert_eq!(Text::<8>::from_bytes(&[0xff]), Err(TextError::NotUtf8));
        assert_eq!(Text::<8>::new(""), Ok(Text::EMPTY));
        assert!(Text::<8>::new("a").expect("fits") < Text::<8>::new("ab").expect("fits"));
    }
}
