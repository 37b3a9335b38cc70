//! What the processor can do, asked once.

use crate::{Finer, NumberFault, portable};

/// The parsers with the choice between the wide path and the byte loops already made. A decoder keeps one.
///
/// Both choices give the same answer to every text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wide {
    /// Invariant: true only where this processor was seen to have SSE4.1.
    sse41: bool,
}

impl Wide {
    /// Asks the processor. On anything but x86-64 with SSE4.1 (2008) the answer is [`Wide::portable`].
    #[inline]
    #[must_use]
    pub fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        let sse41 = std::arch::is_x86_feature_detected!("sse4.1");
        #[cfg(not(target_arch = "x86_64"))]
        let sse41 = false;
        Self { sse41 }
    }

    /// The byte loops whatever the processor can do: a decoder built on it is the oracle of the same decoder.
    #[inline]
    #[must_use]
    pub const fn portable() -> Self {
        Self { sse41: false }
    }

    /// Whether the wide path is taken.
    #[inline]
    #[must_use]
    pub const fn is_wide(self) -> bool {
        self.sse41
    }

    /// As [`crate::parse_scaled`].
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub fn parse_scaled(self, text: &[u8], dp: u8, finer: Finer) -> Result<i64, NumberFault> {
        #[cfg(target_arch = "x86_64")]
        if self.sse41 {
            // SAFETY: `sse41` is only true where the processor has SSE4.1.
            let count = unsafe { crate::sse::parse_scaled(text, dp, finer) };
            if count != crate::sse::UNREAD {
                return Ok(count);
            }
        }
        loop_over_range(text, 0, text.len(), dp, finer)
    }

    /// As [`crate::parse_scaled_in`].
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub fn parse_scaled_in(
        self,
        buffer: &[u8],
        start: usize,
        end: usize,
        dp: u8,
        finer: Finer,
    ) -> Result<i64, NumberFault> {
        #[cfg(target_arch = "x86_64")]
        if self.sse41 {
            // SAFETY: `sse41` is only true where the processor has SSE4.1.
            let count = unsafe { crate::sse::parse_scaled_in(buffer, start, end, dp, finer) };
            if count != crate::sse::UNREAD {
                return Ok(count);
            }
        }
        loop_over_range(buffer, start, end, dp, finer)
    }

    /// As [`crate::parse_quoted_in`].
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub fn parse_quoted_in(
        self,
        buffer: &[u8],
        start: usize,
        dp: u8,
        finer: Finer,
    ) -> Result<(i64, usize), NumberFault> {
        #[cfg(target_arch = "x86_64")]
        if self.sse41 {
            // SAFETY: `sse41` is only true where the processor has SSE4.1.
            let (count, quote) = unsafe { crate::sse::parse_quoted_in(buffer, start, dp, finer) };
            if count != crate::sse::UNREAD {
                return Ok((count, quote));
            }
        }
        loop_to_quote(buffer, start, dp, finer)
    }

    /// Runs `job` in code compiled for the wide path, so that the parsers can be inlined into a decoder's loop; worth
    /// 1 to 8 % of the parsing (`examples/time.rs`). It needs the loop itself to be inlined into `job`
    /// (`#[inline(always)]`); if it is not, the answers are the same and nothing is won.
    #[inline]
    pub fn enter<T>(self, job: impl FnOnce(Self) -> T) -> T {
        #[cfg(target_arch = "x86_64")]
        if self.sse41 {
            // SAFETY: `sse41` is only true where the processor has SSE4.1.
            return unsafe { enter_sse41(job) };
        }
        job(Self::portable())
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse4.1")]
#[inline]
fn enter_sse41<T>(job: impl FnOnce(Wide) -> T) -> T {
    job(Wide { sse41: true })
}

#[cold]
#[inline(never)]
fn loop_over_range(
    buffer: &[u8],
    start: usize,
    end: usize,
    dp: u8,
    finer: Finer,
) -> Result<i64, NumberFault> {
    portable::parse_scaled_in(buffer, start, end, dp, finer)
}

#[cold]
#[inline(never)]
fn loop_to_quote(buffer: &[u8], start: usize, dp: u8, finer: Finer) -> Result<(i64, usize), NumberFault> {
    portable::parse_quoted_in(buffer, start, dp, finer)
}
