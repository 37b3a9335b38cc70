//! Walking the depth: what a quantity costs when it takes level after level.

use cex_core::{Level, Notional, Price, Qty};

/// What a walk from the best level on found. Exact: nothing is rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Sweep {
    /// How much of the wanted quantity the levels hold.
    pub filled: Qty,
    /// Price times quantity, summed over what is filled: paid by a buyer, received by a seller, before fees.
    pub notional: Notional,
    /// Price of the last level touched: the limit of an order that fills so far. `None` when nothing is filled.
    pub worst: Option<Price>,
}

impl Sweep {
    /// The average price rounded down to a price unit: what a seller gets at least. `None` when nothing is filled.
    #[must_use]
    pub fn average_floor(&self) -> Option<Price> {
        self.average(Notional::ZERO)
    }

    /// The average price rounded up to a price unit: what a buyer pays at most. `None` when nothing is filled.
    #[must_use]
    pub fn average_ceil(&self) -> Option<Price> {
        self.average(Notional(i128::from(self.filled.0) - 1))
    }

    fn average(&self, added: Notional) -> Option<Price> {
        if self.filled <= Qty::ZERO {
            return None;
        }
        let average = (self.notional.0 + added.0).div_euclid(i128::from(self.filled.0));
        // An average lies between the best and the worst price, so it fits where they do.
        i64::try_from(average).ok().map(Price)
    }
}

/// Takes `qty` from `levels`, which come best first; takes less when they hold less, and nothing when `qty` is not
/// positive. The sum cannot overflow: no more than one `i64` of quantity is taken.
#[must_use]
pub fn sweep(levels: impl IntoIterator<Item = Level>, qty: Qty) -> Sweep {
    let mut swept = Sweep::default();
    let mut left = qty.0;
    for level in levels {
        if left <= 0 {
            break;
        }
        let taken = Qty(level.qty.0.min(left));
        left -= taken.0;
        swept.filled.0 += taken.0;
        swept.notional.0 += level.price.times(taken).0;
        swept.worst = Some(level.price);
    }
    swept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(price: i64, qty: i64) -> Level {
        Level { price: Price(price), qty: Qty(qty) }
    }

    #[test]
    fn takes_what_is_wanted_and_no_more() {
        let asks = [level(100, 5), level(101, 3), level(110, 2)];
        for (wanted, filled, notional, worst) in [
            (-1, 0, 0, None),
            (0, 0, 0, None),
            (1, 1, 100, Some(100)),
            (5, 5, 500, Some(100)),
            (6, 6, 601, Some(101)),
            (8, 8, 803, Some(101)),
            (9, 9, 913, Some(110)),
            (10, 10, 1_023, Some(110)),
            (11, 10, 1_023, Some(110)),
        ] {
            let swept = sweep(asks, Qty(wanted));
            let expected =
                Sweep { filled: Qty(filled), notional: Notional(notional), worst: worst.map(Price) };
            assert_eq!(swept, expected, "{wanted} wanted");
        }
    }

    #[test]
    fn averages_round_against_us() {
        let swept = sweep([level(100, 5), level(101, 3)], Qty(7));
        assert_eq!((swept.average_floor(), swept.average_ceil()), (Some(Price(100)), Some(Price(101))));
        let whole = sweep([level(100, 5)], Qty(5));
        assert_eq!((whole.average_floor(), whole.average_ceil()), (Some(Price(100)), Some(Price(100))));
        assert_eq!(sweep([], Qty(5)).average_ceil(), None);
    }

    #[test]
    fn the_largest_numbers_do_not_overflow() {
        let levels = [level(i64::MAX, i64::MAX - 1), level(i64::MAX, i64::MAX)];
        let swept = sweep(levels, Qty(i64::MAX));
        assert_eq!(swept.notional, Price(i64::MAX).times(Qty(i64::MAX)));
        assert_eq!(swept.average_ceil(), Some(Price(i64::MAX)));
    }
}
