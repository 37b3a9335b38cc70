//! Chance from a seed.

/// Numbers that look like chance: SplitMix64.
#[derive(Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    /// The chance of one scenario: those of others do not change it.
    pub(crate) fn new(seed: u64, kind: u64, number: u64) -> Self {
        let mut chance = Self(seed);
        chance.0 = chance.next().wrapping_add(kind);
        chance.0 = chance.next().wrapping_add(number);
        chance
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        let span = (high - low).unsigned_abs() + 1;
        low + i64::try_from(self.next() % span).expect("less than the span")
    }

    /// One of these.
    pub(crate) fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        let last = i64::try_from(choices.len()).expect("few") - 1;
        choices[usize::try_from(self.between(0, last)).expect("an index")]
    }

    /// Every other time.
    pub(crate) fn coin(&mut self) -> bool {
        self.between(0, 1) == 1
    }
}
