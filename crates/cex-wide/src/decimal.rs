//! The parsers for callers who keep no [`Wide`]: each call asks the processor anew, which costs 0 to 5 %
//! (`examples/time.rs`).

use crate::{Finer, NumberFault, Wide};

/// Parses the whole of `text` into a count of 10^-`dp`.
///
/// Shape: `digits` or `digits.digits`, with at least one digit on each side of a dot; leading zeros are allowed; no
/// sign, exponent, blank or separator. The count is never negative. `dp` up to 18 is what an `i64` is good for; above
/// that the rule stays the same and only ever smaller numbers fit.
///
/// With no bytes behind the text to load, this is a sixth slower than [`parse_scaled_in`] (`examples/time.rs`).
///
/// # Errors
/// The first that applies of: `Empty`, no text; `BadByte`, not that shape; `TooFine`, a digit other than zero beyond
/// `dp` decimals under [`Finer::Refuse`]; `Overflow`, a count above `i64::MAX`.
#[inline]
pub fn parse_scaled(text: &[u8], dp: u8, finer: Finer) -> Result<i64, NumberFault> {
    Wide::detect().parse_scaled(text, dp, finer)
}

/// Parses `buffer[start..end]` as [`parse_scaled`] would.
///
/// Fastest when the buffer has sixteen bytes from `start` on: those behind the text are loaded but never looked at,
/// so a receive buffer wants that much slack behind its last frame.
///
/// # Errors
/// As [`parse_scaled`]; a range outside the buffer is `Empty`.
#[inline]
pub fn parse_scaled_in(
    buffer: &[u8],
    start: usize,
    end: usize,
    dp: u8,
    finer: Finer,
) -> Result<i64, NumberFault> {
    Wide::detect().parse_scaled_in(buffer, start, end, dp, finer)
}

/// Parses the text from `start` up to the first double quote, as it stands in JSON; `start` is the byte behind the
/// opening quote. Returns the count and the index of the closing quote.
///
/// # Errors
/// As [`parse_scaled`]; a text the buffer ends before its quote is `BadByte`, and nothing at all at `start` is `Empty`.
#[inline]
pub fn parse_quoted_in(
    buffer: &[u8],
    start: usize,
    dp: u8,
    finer: Finer,
) -> Result<(i64, usize), NumberFault> {
    Wide::detect().parse_quoted_in(buffer, start, dp, finer)
}
