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
        const MOST: usize = 30;
        let mut octaves = 0;
        while octaves < MOST && low * f64::from(1u32 << (octaves + 1)) < high {
            octaves += 1;
        }
        let start = low * f64::from(1u32 << self.below(octaves + 1));
        self.between(start, (2.0 * start).min(high))
    }
}

#[cfg(test)]
mod tests {
    use super::Dice;

    #[test]
    fn a_seed_and_a_stream_are_a_sequence() {
        let draw = |seed, stream| {
            let mut dice = Dice::new(seed, stream);
            (0..8).map(|_| dice.below(1_000_000)).collect::<Vec<_>>()
        };
        assert_eq!(draw(1, 1), draw(1, 1));
        assert_ne!(draw(1, 1), draw(1, 2));
        assert_ne!(draw(1, 1), draw(2, 1));
    }

    #[test]
    fn numbers_stay_in_their_range() {
        let mut dice = Dice::new(7, 0);
        for _ in 0..10_000 {
            assert!((0.0..1.0).contains(&dice.unit()));
            assert!((-2.0..3.0).contains(&dice.between(-2.0, 3.0)));
            assert!(dice.below(3) < 3);
            assert!(dice.normal().abs() <= 3.5);
            assert!((50.0..=5_000.0).contains(&dice.octaves(50.0, 5_000.0)));
        }
        assert_eq!(dice.below(0), 0);
        assert!((1.0..=f64::from(u32::MAX)).contains(&dice.octaves(1.0, f64::from(u32::MAX))));
    }

    #[test]
    fn normal_numbers_have_mean_zero_and_deviation_one() {
        const COUNT: usize = 20_000;
        let mut dice = Dice::new(7, 0);
        let numbers: Vec<f64> = (0..COUNT).map(|_| dice.normal()).collect();
        let mean = numbers.iter().sum::<f64>() / COUNT as f64;
        let square = numbers.iter().map(|number| number * number).sum::<f64>() / COUNT as f64;
        assert!(mean.abs() < 0.03 && (square - 1.0).abs() < 0.05, "mean {mean}, square {square}");
    }

    #[test]
    fn short_spans_are_commoner_than_long_ones() {
        let mut dice = Dice::new(7, 0);
        let short = (0..1_000).filter(|_| dice.octaves(50.0, 5_000.0) < 400.0).count();
        assert!((350..500).contains(&short), "{short} of 1000 are below 400, three octaves of seven");
    }
}
