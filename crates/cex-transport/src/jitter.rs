//! Randomness as an argument: a small seeded generator, and the pauses made from it.

use std::time::Duration;

/// SplitMix64: a few seeded bits for jitter, never for anything secret.
#[derive(Debug, Clone)]
pub struct Jitter(u64);

impl Jitter {
    /// A generator that always gives the same for the same seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub const fn next_bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Evenly spread between the two, both included.
    pub fn between(&mut self, least: Duration, most: Duration) -> Duration {
        let span = most.saturating_sub(least).as_nanos();
        // The high half of a 64 by 64 bit product spreads evenly over the span without a division's bias to matter.
        let part = (u128::from(self.next_bits()) * (span.min(u128::from(u64::MAX - 1)) + 1)) >> 64;
        least + Duration::from_nanos(u64::try_from(part).unwrap_or(u64::MAX))
    }

    /// Evenly spread between nothing and `most`.
    pub fn up_to(&mut self, most: Duration) -> Duration {
        self.between(Duration::ZERO, most)
    }
}

/// Pauses that grow while attempts fail: evenly spread between `base` and a ceiling that doubles up to `cap`.
///
/// The floor keeps jitter from collapsing to nothing, which would make many links reconnect as a storm.
#[derive(Debug, Clone)]
pub struct Backoff {
    base: Duration,
    cap: Duration,
    failures: u32,
}

impl Backoff {
    /// No failures yet.
    #[must_use]
    pub const fn new(base: Duration, cap: Duration) -> Self {
        Self { base, cap, failures: 0 }
    }

    /// The pause before the next attempt.
    pub fn next(&mut self, jitter: &mut Jitter) -> Duration {
        self.failures = self.failures.saturating_add(1);
        let doubled = self.base.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX));
        jitter.between(self.base.min(self.cap), doubled.min(self.cap))
    }

    /// Things went well for a while: begin again with short pauses.
    pub const fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BASE: Duration = Duration::from_millis(250);
    const CAP: Duration = Duration::from_secs(30);

    #[test]
    fn the_same_seed_gives_the_same_pauses() {
        let run = |seed| {
            let (mut jitter, mut backoff) = (Jitter::new(seed), Backoff::new(BASE, CAP));
            (0..20).map(|_| backoff.next(&mut jitter)).collect::<Vec<_>>()
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
    }

    #[test]
    fn pauses_grow_to_the_cap_and_a_reset_shortens_them() {
        let (mut jitter, mut backoff) = (Jitter::new(1), Backoff::new(BASE, CAP));
        let pauses: Vec<_> = (0..200).map(|_| backoff.next(&mut jitter)).collect();
        assert!(pauses[0] <= BASE * 2);
        assert!(pauses.iter().any(|pause| *pause > CAP / 2));
        backoff.reset();
        assert!(backoff.next(&mut jitter) <= BASE * 2);
    }

    proptest! {
        #[test]
        fn pauses_stay_between_base_and_cap(seed: u64, rounds in 1_usize..100) {
            let (mut jitter, mut backoff) = (Jitter::new(seed), Backoff::new(BASE, CAP));
            for _ in 0..rounds {
                let pause = backoff.next(&mut jitter);
                prop_assert!(pause >= BASE && pause <= CAP);
            }
        }

        #[test]
        fn between_stays_between(seed: u64, low in 0_u64..1_000_000, span in 0_u64..1_000_000) {
            let (least, most) = (Duration::from_nanos(low), Duration::from_nanos(low + span));
            let got = Jitter::new(seed).between(least, most);
            prop_assert!(least <= got && got <= most);
        }
    }
}
