//! The next byte of a kind, sixteen at a time. SSE2 belongs to every x86-64 processor, so nothing is detected.

/// Index of the first `needle` at or after `start`; none also if `start` lies behind the buffer.
#[inline]
#[must_use]
pub fn find_byte(buffer: &[u8], start: usize, needle: u8) -> Option<usize> {
    #[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
    {
        // SAFETY: the target has SSE2 at compile time.
        unsafe { sse2::find_byte(buffer, start, needle) }
    }
    #[cfg(not(all(target_arch = "x86_64", target_feature = "sse2")))]
    crate::portable::find_byte(buffer, start, needle)
}

#[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
mod sse2 {
    use std::arch::x86_64::{__m128i, _mm_cmpeq_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm_set1_epi8};

    use crate::portable;

    #[target_feature(enable = "sse2")]
    #[inline]
    pub(super) fn find_byte(buffer: &[u8], start: usize, needle: u8) -> Option<usize> {
        let rest = buffer.get(start..)?;
        let needles = _mm_set1_epi8(needle.cast_signed());
        let (chunks, tail) = rest.as_chunks();
        let mut at = start;
        for chunk in chunks {
            let found = matches(chunk, needles);
            if found != 0 {
                return Some(at + found.trailing_zeros() as usize);
            }
            at += chunk.len();
        }
        // The buffer's last sixteen bytes end with the tail; what comes before it is shifted out.
        let Some(chunk) = buffer.last_chunk() else { return portable::find_byte(buffer, at, needle) };
        let found = matches(chunk, needles) >> (chunk.len() - tail.len());
        (found != 0).then(|| at + found.trailing_zeros() as usize)
    }

    /// One bit a byte, the first lowest.
    #[target_feature(enable = "sse2")]
    #[inline]
    fn matches(chunk: &[u8; 16], needles: __m128i) -> u32 {
        // SAFETY: the reference is to sixteen readable bytes, and the load asks for no alignment.
        let bytes = unsafe { _mm_loadu_si128(chunk.as_ptr().cast()) };
        _mm_movemask_epi8(_mm_cmpeq_epi8(bytes, needles)).cast_unsigned()
    }
}
