//! Seeded chance. Only exact operations of floats are used (no logarithm, no exponential), so that a seed means the
//! same market on every machine.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A stream of chance.
#[derive(Debug, Clone)]
pub(super) struct Dice(ChaCha8Rng);

impl Dice {
    /// The stream with this number of this seed. Streams of one seed are independent.
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        Self(rng)
    }

    /// Uniform in `0..1`.
    pub(super) fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Uniform in `low..high`.
    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Uniform in `0..count`; zero when there is nothing to choose from.
    pub(super) fn below(&mut self, count: usize) -> usize {
        (self.unit() * count as f64) as usize
    }

    /// Whether something of this probability happens.
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// About normal: mean 0, deviation 1, never beyond 3.5.
    pub(super) fn normal(&mut self) -> f64 {
        let sum = self.unit() + self.unit() + self.unit() + self.unit();
        (sum - 2.0) * 3f64.sqrt()
    }

    /// Between `low` and `high`, each octave as likely as the next.
    pub(super) fn octaves(&mut self, low: f64, high: f64) -> f64 {
        let mut octaves = 0;
        while low * f64::from(1u32 << (octaves + 1)) < high {
            octaves += 1;
        }
        let start = low * f64::from(1u32 << self.below(octaves + 1));
        self.between(start, (2.0 * start).min(high))
    }
}
