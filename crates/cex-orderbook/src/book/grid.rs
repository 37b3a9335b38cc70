//! Prices as counts of a tick, without a division.

/// The multiples of a tick.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grid {
    tick: i64,
    /// Inverse of the tick's odd part modulo 2^64: multiplying by it divides exactly what is divisible.
    inverse: i64,
    /// Trailing zero bits of the tick.
    zeros: u32,
}

impl Grid {
    /// The multiples of `tick`, which is at least one.
    pub(super) fn new(tick: i64) -> Self {
        let tick = tick.max(1);
        let zeros = tick.trailing_zeros();
        let odd = tick >> zeros;
        // An odd number is its own inverse in the lowest three bits; each of Newton's steps doubles the right ones.
        let mut inverse = odd;
        for _ in 0..5 {
            inverse = inverse.wrapping_mul(2_i64.wrapping_sub(odd.wrapping_mul(inverse)));
        }
        Self { tick, inverse, zeros }
    }

    /// The price in ticks; `None` when it is no multiple.
    #[inline]
    pub(super) const fn ticks(self, price: i64) -> Option<i64> {
        let ticks = price.wrapping_mul(self.inverse) >> self.zeros;
        match ticks.overflowing_mul(self.tick) {
            (back, false) if back == price => Some(ticks),
            _ => None,
        }
    }

    /// The price in ticks when the answer lies in `0 ..= most()`; for a price that is negative or no multiple the answer
    /// lies outside. One multiplication and no branch.
    #[inline]
    pub(super) const fn ticks_or_outside(self, price: i64) -> i64 {
        // Multiples of the tick, and only they, turn into the numbers up to 2^64 / tick (Granlund and Montgomery 1994,
        // section 9); a rotation keeps the bits that a multiple does not have, as the highest.
        price.wrapping_mul(self.inverse).rotate_right(self.zeros)
    }

    /// The most ticks a price can have.
    pub(super) const fn most(self) -> i64 {
        i64::MAX / self.tick
    }

    /// The price of an exact number of ticks.
    #[inline]
    pub(super) const fn price(self, ticks: i64) -> i64 {
        ticks.wrapping_mul(self.tick)
    }

    /// The coarsest grid that has all points of this one, and `price`.
    pub(super) fn with(self, price: i64) -> Self {
        let (mut larger, mut smaller) = (price.unsigned_abs(), self.tick.unsigned_abs());
        while smaller != 0 {
            (larger, smaller) = (smaller, larger % smaller);
        }
        // A divisor of the tick is no larger than the tick, so it fits.
        Self::new(i64::try_from(larger).unwrap_or(self.tick))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn divides_exactly_what_is_divisible_and_says_what_is_not() {
        let ticks = [1, 2, 3, 5, 6, 7, 10, 64, 100, 1_000, 12_345, 1 << 40, (1 << 62) + 1, i64::MAX];
        let prices = [0, 1, 2, 99, 100, 12_345, 617_250, 1 << 41, i64::MAX, i64::MAX - 7, -1, -100, i64::MIN];
        for tick in ticks {
            let grid = Grid::new(tick);
            for price in prices
                .into_iter()
                .chain((0..500).map(|count: i64| count.wrapping_mul(tick).wrapping_add(count % 3)))
            {
                let expected = (price % tick == 0).then(|| price / tick);
                assert_eq!(grid.ticks(price), expected, "{price} in ticks of {tick}");
                assert!(
                    expected.is_none_or(|count| grid.price(count) == price),
                    "{price} in ticks of {tick}"
                );
                let fast =
                    Some(grid.ticks_or_outside(price)).filter(|count| (0..=grid.most()).contains(count));
                assert_eq!(fast, expected.filter(|_| price >= 0), "{price} in ticks of {tick}");
            }
        }
    }

    #[test]
    fn refines_to_the_greatest_common_divisor() {
        for (tick, price, refined) in
            [(100, 250, 50), (100, 200, 100), (100, 0, 100), (8, -12, 4), (6, i64::MIN, 2)]
        {
            assert_eq!(Grid::new(tick).with(price).tick, refined, "{tick} and {price}");
        }
    }
}
