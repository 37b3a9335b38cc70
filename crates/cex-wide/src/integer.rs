//! Sequence numbers and times: digits only. Eight digits are one word and three multiplications, so this needs no
//! special instructions and no `unsafe`.

use crate::{NumberFault, portable, words};

const ZEROS: u64 = 0x3030_3030_3030_3030;

/// Parses the whole of `text`, digits only, leading zeros allowed. Up to sixteen digits are read in one or two words.
///
/// # Errors
/// `Empty` without text, `BadByte` if anything is no digit, else `Overflow` above `u64::MAX`.
#[inline]
pub fn parse_u64(text: &[u8]) -> Result<u64, NumberFault> {
    let len = text.len();
    let (head, tail) = match len {
        1..=8 => (right_aligned(words::one(text), len), 0),
        9..=16 => (right_aligned(words::eight(text, 0), len - 8), values(words::eight(text, len - 8))),
        _ => return byte_by_byte(text),
    };
    if not_digits(head) | not_digits(tail) != 0 {
        return byte_by_byte(text);
    }
    let head = number(head);
    Ok(if len > 8 { head * 100_000_000 + number(tail) } else { head })
}

#[cold]
#[inline(never)]
fn byte_by_byte(text: &[u8]) -> Result<u64, NumberFault> {
    portable::parse_u64(text)
}

/// Digit values of the first `len` (1 to 8) bytes, moved to the end of the word, zeros in front.
#[inline]
fn right_aligned(text: u64, len: usize) -> u64 {
    let shift = 8 * (8 - len);
    (text << shift).wrapping_sub(ZEROS << shift)
}

#[inline]
fn values(text: u64) -> u64 {
    text.wrapping_sub(ZEROS)
}

/// Zero if all eight bytes are digit values. A byte below `'0'` borrows and one above `'9'` may carry, but only into
/// bytes behind it, and it shows its own high bit before that.
#[inline]
fn not_digits(values: u64) -> u64 {
    (values | values.wrapping_add(0x7676_7676_7676_7676)) & 0x8080_8080_8080_8080
}

/// Eight digit values, the first lowest: neighbours join to pairs, pairs to fours, fours to eight.
#[inline]
fn number(values: u64) -> u64 {
    const EVERY_OTHER_PAIR: u64 = 0x0000_00FF_0000_00FF;
    let pairs = values.wrapping_mul(10).wrapping_add(values >> 8);
    let first_third = (pairs & EVERY_OTHER_PAIR).wrapping_mul(100 | 1_000_000 << 32);
    let second_fourth = (pairs >> 16 & EVERY_OTHER_PAIR).wrapping_mul(1 | 10_000 << 32);
    first_third.wrapping_add(second_fourth) >> 32
}
