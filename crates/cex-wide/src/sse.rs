//! The wide path: a text of up to sixteen bytes in one register, with no loop and no branch on what it says.
//!
//! These functions answer only for good texts. Anything else is [`UNREAD`], and the caller asks the byte loop, which
//! alone decides what is wrong; so both paths report the same fault without two tellings of it.

use std::arch::x86_64::{
    __m128i, _mm_add_epi8, _mm_adds_epu8, _mm_cmpeq_epi8, _mm_cvtsi128_si64, _mm_loadu_si128, _mm_madd_epi16,
    _mm_maddubs_epi16, _mm_movemask_epi8, _mm_packus_epi32, _mm_set_epi64x, _mm_set1_epi8, _mm_set1_epi16,
    _mm_set1_epi32, _mm_setzero_si128, _mm_shuffle_epi8, _mm_sub_epi8, _mm_xor_si128,
};

use crate::{Finer, words};

/// Bytes in a register, and the longest text read here.
const WIDTH: usize = 16;

/// What stands for "ask the byte loop". Counts are never negative, and one integer returns in one register.
pub(crate) const UNREAD: i64 = -1;

/// Sixteen entries from `n` on put the first `n` bytes of a register at its end, zeros in front: a shuffle index with
/// its high bit set gives zero.
static TO_THE_END: [u8; 2 * WIDTH] = {
    let mut lanes = [0x80; 2 * WIDTH];
    let mut at = 0;
    while at < WIDTH {
        lanes[WIDTH + at] = at as u8;
        at += 1;
    }
    lanes
};

/// Sixteen entries from `n` on add one to the last `n` shuffle indices: the fraction lies one byte further, behind
/// the dot.
static PAST_THE_DOT: [u8; 2 * WIDTH] = {
    let mut lanes = [0; 2 * WIDTH];
    let mut at = WIDTH;
    while at < 2 * WIDTH {
        lanes[at] = 1;
        at += 1;
    }
    lanes
};

/// The powers of ten an `i64` holds.
static POWERS: [i64; 19] = {
    let mut powers = [1; 19];
    let mut at = 1;
    while at < powers.len() {
        powers[at] = powers[at - 1] * 10;
        at += 1;
    }
    powers
};

/// A text with nothing behind it that may be loaded.
#[target_feature(enable = "sse4.1")]
#[inline]
pub(crate) fn parse_scaled(text: &[u8], dp: u8, finer: Finer) -> i64 {
    scaled(start_of(text), text.len(), dp, finer)
}

#[target_feature(enable = "sse4.1")]
#[inline]
pub(crate) fn parse_scaled_in(buffer: &[u8], start: usize, end: usize, dp: u8, finer: Finer) -> i64 {
    let Some(chunk) = buffer.get(start..).and_then(<[u8]>::first_chunk) else {
        return parse_at_the_end(buffer, start, end, dp, finer);
    };
    scaled(load(chunk), end.wrapping_sub(start), dp, finer)
}

/// Kept out of line, so that the usual case stays short.
#[target_feature(enable = "sse4.1")]
#[inline(never)]
fn parse_at_the_end(buffer: &[u8], start: usize, end: usize, dp: u8, finer: Finer) -> i64 {
    parse_scaled(buffer.get(start..end).unwrap_or_default(), dp, finer)
}

/// Returns the count and the index of the quote; the index means nothing if the count is [`UNREAD`].
#[target_feature(enable = "sse4.1")]
#[inline]
pub(crate) fn parse_quoted_in(buffer: &[u8], start: usize, dp: u8, finer: Finer) -> (i64, usize) {
    let Some(chunk) = buffer.get(start..).and_then(<[u8]>::first_chunk) else {
        return parse_quoted_at_the_end(buffer, start, dp, finer);
    };
    quoted(load(chunk), start, dp, finer)
}

#[target_feature(enable = "sse4.1")]
#[inline(never)]
fn parse_quoted_at_the_end(buffer: &[u8], start: usize, dp: u8, finer: Finer) -> (i64, usize) {
    quoted(start_of(buffer.get(start..).unwrap_or_default()), start, dp, finer)
}

#[target_feature(enable = "sse4.1")]
#[inline]
fn quoted(text: __m128i, start: usize, dp: u8, finer: Finer) -> (i64, usize) {
    let len = mask(_mm_cmpeq_epi8(text, _mm_set1_epi8(b'"'.cast_signed()))).trailing_zeros() as usize;
    (scaled(text, len, dp, finer), start.wrapping_add(len))
}

/// The count of 10^-`dp` in the first `len` bytes of `text`; the other bytes do not matter.
#[target_feature(enable = "sse4.1")]
#[inline]
fn scaled(text: __m128i, len: usize, dp: u8, finer: Finer) -> i64 {
    if len.wrapping_sub(1) >= WIDTH {
        return UNREAD;
    }
    let len = len as u32;
    let values = _mm_sub_epi8(text, _mm_set1_epi8(b'0'.cast_signed()));
    // The high bit of each byte: set unless the value is at most nine.
    let not_digit = _mm_adds_epu8(values, _mm_set1_epi8(i8::MAX - 9));
    let is_dot = _mm_cmpeq_epi8(text, _mm_set1_epi8(b'.'.cast_signed()));

    let end = 1_u32 << len;
    let inside = end - 1;
    let strange = mask(_mm_xor_si128(not_digit, is_dot)) & inside;
    let dots = mask(is_dot) & inside;
    // A dot may not be the first or the last byte, and there may not be two.
    let edges = 1 | end >> 1;
    if strange | dots & (edges | dots.wrapping_sub(1)) != 0 {
        return UNREAD;
    }

    let whole = (dots | end).trailing_zeros();
    let fraction = (len - whole).saturating_sub(1);
    let kept = fraction.min(u32::from(dp));
    if finer == Finer::Refuse && kept < fraction {
        let cut = inside & !(inside >> (fraction - kept));
        if cut & !mask(_mm_cmpeq_epi8(values, _mm_setzero_si128())) != 0 {
            return UNREAD;
        }
    }

    let (Some(lanes), Some(step)) = (window(&TO_THE_END, whole + kept), window(&PAST_THE_DOT, kept)) else {
        return UNREAD;
    };
    let digits = _mm_shuffle_epi8(values, _mm_add_epi8(load(lanes), load(step)));
    let Some(power) = POWERS.get((u32::from(dp) - kept) as usize) else { return UNREAD };
    number(digits).checked_mul(*power).unwrap_or(UNREAD)
}

/// Sixteen digit values, the first the most significant: neighbours join to pairs, fours and eights.
#[target_feature(enable = "sse4.1")]
#[inline]
fn number(digits: __m128i) -> i64 {
    let pairs = _mm_maddubs_epi16(digits, _mm_set1_epi16(10 | 1 << 8));
    let fours = _mm_madd_epi16(pairs, _mm_set1_epi32(100 | 1 << 16));
    let fours = _mm_packus_epi32(fours, fours);
    let eights = _mm_madd_epi16(fours, _mm_set1_epi32(10_000 | 1 << 16));
    let both = _mm_cvtsi128_si64(eights);
    (both & 0xFFFF_FFFF) * 100_000_000 + (both >> 32)
}

/// The first sixteen bytes, with zeros where there are fewer.
#[target_feature(enable = "sse4.1")]
#[inline]
fn start_of(bytes: &[u8]) -> __m128i {
    if let Some(chunk) = bytes.first_chunk() {
        return load(chunk);
    }
    let (low, high) = words::two(bytes);
    _mm_set_epi64x(high.cast_signed(), low.cast_signed())
}

#[target_feature(enable = "sse4.1")]
#[inline]
fn load(bytes: &[u8; WIDTH]) -> __m128i {
    // SAFETY: the reference is to sixteen readable bytes, and the load asks for no alignment.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

/// One bit a byte, the first lowest: its high bit.
#[target_feature(enable = "sse4.1")]
#[inline]
fn mask(bytes: __m128i) -> u32 {
    _mm_movemask_epi8(bytes).cast_unsigned()
}

#[inline]
fn window(table: &[u8; 2 * WIDTH], at: u32) -> Option<&[u8; WIDTH]> {
    table.get(at as usize..)?.first_chunk()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The byte loop would hide a wide path that gives up too easily, so this looks behind it.
    #[test]
    fn good_texts_up_to_sixteen_bytes_are_read_here() {
        if !std::arch::is_x86_feature_detected!("sse4.1") {
            return;
        }
        for len in 1..=WIDTH {
            let digits: Vec<u8> = b"9876543210".iter().copied().cycle().take(len).collect();
            // SAFETY: the processor has SSE4.1, as was just asked.
            unsafe { read_everywhere(&digits, 0, Finer::Refuse) };
            for dot in 1..len.saturating_sub(1) {
                let mut text = digits.clone();
                text[dot] = b'.';
                let fraction = (len - dot - 1) as u8;
                for dp in 0..=fraction {
                    // SAFETY: the processor has SSE4.1, as was just asked.
                    unsafe { read_everywhere(&text, dp, Finer::Cut) };
                    text[dot + 1 + usize::from(dp)..].fill(b'0');
                    // SAFETY: the processor has SSE4.1, as was just asked.
                    unsafe { read_everywhere(&text, dp, Finer::Refuse) };
                    text[dot + 1..].copy_from_slice(&digits[dot + 1..]);
                }
            }
        }
    }

    #[target_feature(enable = "sse4.1")]
    fn read_everywhere(text: &[u8], dp: u8, finer: Finer) {
        let read = |count: i64| assert_ne!(count, UNREAD, "{} {dp} {finer:?}", text.escape_ascii());
        read(parse_scaled(text, dp, finer));
        for behind in [&b"\""[..], b"\".\"2./:\xff 3456789012345"] {
            let buffer = [text, behind].concat();
            read(parse_scaled_in(&buffer, 0, text.len(), dp, finer));
            if text.len() < WIDTH {
                read(parse_quoted_in(&buffer, 0, dp, finer).0);
            }
        }
    }
}
