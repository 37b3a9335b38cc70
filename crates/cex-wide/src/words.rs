//! Short texts into machine words, without a copy through memory: a load right behind narrower stores waits for them,
//! which made parsing from a sixteen-byte copy four times as slow as from here.

/// Up to fifteen bytes, the first lowest, zeros behind the last, as low and high word. More bytes are left out.
#[inline]
pub(crate) fn two(text: &[u8]) -> (u64, u64) {
    match text.len() {
        // The last eight bytes overlap the first; the shifts (two, as one of 64 does not exist) push those out.
        len @ 8..=15 => (eight(text, 0), eight(text, len - 8) >> 8 >> (8 * (15 - len))),
        _ => (one(text), 0),
    }
}

/// Up to eight bytes, the first lowest, zeros behind the last. More bytes are left out.
#[inline]
pub(crate) fn one(text: &[u8]) -> u64 {
    match text {
        [] => 0,
        [a] => u64::from(*a),
        [a, b] => u64::from(u16::from_le_bytes([*a, *b])),
        [a, b, c] => u64::from(u32::from_le_bytes([*a, *b, *c, 0])),
        // Two loads of four bytes; where they overlap they agree.
        _ if text.len() < 8 => four(text, 0) | four(text, text.len() - 4) << (8 * (text.len() - 4)),
        _ => eight(text, 0),
    }
}

/// Eight bytes from `at` on, the first lowest; zero where there are not as many.
#[inline]
pub(crate) fn eight(text: &[u8], at: usize) -> u64 {
    let bytes = text.get(at..).and_then(<[u8]>::first_chunk);
    bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

#[inline]
fn four(text: &[u8], at: usize) -> u64 {
    let bytes = text.get(at..).and_then(<[u8]>::first_chunk);
    bytes.map_or(0, |bytes| u64::from(u32::from_le_bytes(*bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_texts_keep_their_bytes_in_order() {
        let bytes: [u8; 15] = std::array::from_fn(|at| 0xA1 + at as u8);
        for len in 0..=bytes.len() {
            let mut padded = [0; 16];
            padded[..len].copy_from_slice(&bytes[..len]);
            let whole = u128::from_le_bytes(padded);
            let (low, high) = two(&bytes[..len]);
            assert_eq!(u128::from(high) << 64 | u128::from(low), whole, "{len} bytes");
            assert_eq!(one(&bytes[..len]), whole as u64, "{len} bytes");
        }
    }
}
