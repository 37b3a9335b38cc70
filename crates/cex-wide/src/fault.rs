//! What can be wrong with a text, and what to do with digits nobody asked for.

use std::error::Error;
use std::fmt;

/// Why a text is not a number of the asked kind.
///
/// Where several apply, the first in this order is reported, by every parser of the crate: `Empty` and `BadByte`
/// (the text is no number at all), then `TooFine`, then `Overflow`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberFault {
    /// There is no text: no byte, or a range that does not lie in the buffer.
    Empty,
    /// A byte that is neither a digit nor a dot in its place, a dot without digits on both sides, or no closing quote.
    BadByte,
    /// A digit other than zero beyond the asked decimals, under [`Finer::Refuse`].
    TooFine,
    /// The number is fine but its count does not fit into the integer.
    Overflow,
}

impl fmt::Display for NumberFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the number is empty",
            Self::BadByte => "not a plain decimal number",
            Self::TooFine => "more decimals than the scale carries",
            Self::Overflow => "the number does not fit",
        })
    }
}

impl Error for NumberFault {}

/// What to do with digits finer than asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finer {
    /// Zeros are fine, anything else is [`NumberFault::TooFine`].
    Refuse,
    /// Cut off, which rounds toward zero.
    Cut,
}
