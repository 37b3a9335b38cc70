//! The byte loops: what every processor runs when the wide path does not apply, and the oracle the wide path is
//! tested against. They alone decide which fault a text has.

use crate::{Finer, NumberFault};

/// Byte-loop twin of [`crate::parse_scaled`].
///
/// # Errors
/// As there.
#[inline]
pub fn parse_scaled(text: &[u8], dp: u8, finer: Finer) -> Result<i64, NumberFault> {
    let read = Read::of(text, dp);
    let grammar = read.grammar && read.end == text.len();
    if !grammar {
        return Err(if text.is_empty() { NumberFault::Empty } else { NumberFault::BadByte });
    }
    read.scaled(dp, finer)
}

/// Byte-loop twin of [`crate::parse_scaled_in`].
///
/// # Errors
/// As there.
#[inline]
pub fn parse_scaled_in(
    buffer: &[u8],
    start: usize,
    end: usize,
    dp: u8,
    finer: Finer,
) -> Result<i64, NumberFault> {
    let Some(text) = buffer.get(start..end) else { return Err(NumberFault::Empty) };
    parse_scaled(text, dp, finer)
}

/// Byte-loop twin of [`crate::parse_quoted_in`].
///
/// # Errors
/// As there.
#[inline]
pub fn parse_quoted_in(
    buffer: &[u8],
    start: usize,
    dp: u8,
    finer: Finer,
) -> Result<(i64, usize), NumberFault> {
    let Some(rest) = buffer.get(start..) else { return Err(NumberFault::Empty) };
    // The first byte that cannot belong to the number has to be the quote, so a text without one is not searched
    // to the end of the buffer.
    let read = Read::of(rest, dp);
    let closed = rest.get(read.end) == Some(&b'"');
    if !(read.grammar && closed) {
        let empty = rest.is_empty() || (closed && read.end == 0);
        return Err(if empty { NumberFault::Empty } else { NumberFault::BadByte });
    }
    Ok((read.scaled(dp, finer)?, start + read.end))
}

/// Byte-loop twin of [`crate::parse_u64`].
///
/// # Errors
/// As there.
#[inline]
pub fn parse_u64(text: &[u8]) -> Result<u64, NumberFault> {
    if text.is_empty() {
        return Err(NumberFault::Empty);
    }
    let mut value = Some(0_u64);
    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return Err(NumberFault::BadByte);
        }
        // Past an overflow the loop goes on, since a byte that is no digit is the fault to tell.
        value = value.and_then(|value| value.checked_mul(10)?.checked_add(digit.into()));
    }
    value.ok_or(NumberFault::Overflow)
}

/// Byte-loop twin of [`crate::find_byte`].
#[inline]
#[must_use]
pub fn find_byte(buffer: &[u8], start: usize, needle: u8) -> Option<usize> {
    let rest = buffer.get(start..)?;
    rest.iter().position(|&byte| byte == needle).map(|at| start + at)
}

/// The longest prefix of a text that can belong to a number, and what its digits say.
struct Read {
    count: Count,
    /// Fraction digits that went into `count`; never more than the asked decimals.
    kept: u8,
    /// A digit other than zero came after those.
    finer: bool,
    /// Digits before a dot, and after it if there is one.
    grammar: bool,
    /// Index of the first byte that does not belong.
    end: usize,
}

impl Read {
    #[inline]
    fn of(text: &[u8], dp: u8) -> Self {
        let mut read = Self { count: Count::ZERO, kept: 0, finer: false, grammar: false, end: 0 };
        while let Some(digit) = digit_at(text, read.end) {
            read.count.push(digit);
            read.end += 1;
        }
        read.grammar = read.end > 0;
        if text.get(read.end) == Some(&b'.') {
            read.end += 1;
            read.fraction(text, dp);
        }
        read
    }

    #[inline]
    fn fraction(&mut self, text: &[u8], dp: u8) {
        let first = self.end;
        while let Some(digit) = digit_at(text, self.end) {
            if self.kept < dp {
                self.count.push(digit);
                self.kept += 1;
            } else {
                self.finer |= digit != 0;
            }
            self.end += 1;
        }
        self.grammar &= self.end > first;
    }

    #[inline]
    fn scaled(&self, dp: u8, finer: Finer) -> Result<i64, NumberFault> {
        if self.finer && finer == Finer::Refuse {
            return Err(NumberFault::TooFine);
        }
        self.count.times_ten_to(dp - self.kept).ok_or(NumberFault::Overflow)
    }
}

/// Digits read so far as one integer.
struct Count {
    value: u64,
    /// The value passed what an `i64` holds. More digits only make a number grow, so it stays that way, and `value`
    /// says nothing any more.
    overflow: bool,
}

impl Count {
    const ZERO: Self = Self { value: 0, overflow: false };

    #[inline]
    fn push(&mut self, digit: u8) {
        const MOST: u64 = i64::MAX as u64 / 10;
        self.overflow |= self.value > MOST;
        self.value = self.value.wrapping_mul(10).wrapping_add(digit.into());
    }

    #[inline]
    fn times_ten_to(&self, power: u8) -> Option<i64> {
        if self.overflow {
            return None;
        }
        if self.value == 0 {
            return Some(0);
        }
        let scaled = self.value.checked_mul(10_u64.checked_pow(power.into())?)?;
        i64::try_from(scaled).ok()
    }
}

#[inline]
fn digit_at(text: &[u8], at: usize) -> Option<u8> {
    text.get(at).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit <= 9)
}
