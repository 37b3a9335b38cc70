//! Money as integers: each asset counts in its own smallest unit, fine enough that no fee is ever rounded.

use super::types::MarketRules;
use cex_core::{Asset, Decimal, Rounding};
use std::collections::HashMap;

/// Decimals of [`cex_core::Bps`]: what multiplying by a fee adds to the decimals of an amount.
const FEE_DP: u8 = 8;

/// Least decimals of an asset, so that deposits of coins without a market keep their digits.
const LEAST_DP: u8 = 18;

/// An asset's position in an exchange's tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AssetIndex(u32);

impl AssetIndex {
    pub(super) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// The assets of an exchange with their units.
#[derive(Debug, Clone, Default)]
pub(super) struct Assets {
    known: Vec<(Asset, u8)>,
    by_name: HashMap<Asset, AssetIndex>,
}

impl Assets {
    /// The assets of these markets, each as fine as its finest market's fees need.
    pub(super) fn new(markets: &[MarketRules]) -> Self {
        let mut assets = Self::default();
        for market in markets {
            assets.refine(market.symbol.base, market.scale.qty_dp() + FEE_DP);
            assets.refine(market.symbol.quote, market.scale.price_dp() + market.scale.qty_dp() + FEE_DP);
        }
        assets
    }

    fn refine(&mut self, asset: Asset, dp: u8) {
        assert!(dp <= Decimal::MAX_DP, "a market of {asset} needs {dp} decimals, more than can be counted");
        let index = self.index_or_insert(asset);
        let known = &mut self.known[index.index()].1;
        *known = dp.max(*known);
    }

    /// The position of an asset, which is added if need be.
    pub(super) fn index_or_insert(&mut self, asset: Asset) -> AssetIndex {
        *self.by_name.entry(asset).or_insert_with(|| {
            self.known.push((asset, LEAST_DP));
            AssetIndex(u32::try_from(self.known.len() - 1).expect("fewer than 2^32 assets"))
        })
    }

    /// The position of an asset.
    pub(super) fn index_of(&self, asset: Asset) -> Option<AssetIndex> {
        self.by_name.get(&asset).copied()
    }

    /// All assets, in the order of their positions.
    pub(super) fn iter(&self) -> impl Iterator<Item = AssetIndex> + use<> {
        (0..self.known.len() as u32).map(AssetIndex)
    }

    /// How many assets there are.
    pub(super) const fn len(&self) -> usize {
        self.known.len()
    }

    /// The asset's name.
    pub(super) fn asset(&self, index: AssetIndex) -> Asset {
        self.known[index.index()].0
    }

    /// Decimals of the asset's smallest unit.
    pub(super) fn dp(&self, index: AssetIndex) -> u8 {
        self.known[index.index()].1
    }

    /// A number of smallest units as an exact decimal.
    pub(super) fn decimal(&self, index: AssetIndex, units: i128) -> Decimal {
        decimal(units, self.dp(index))
    }

    /// An amount in smallest units, what is finer cut off; `None` when it does not fit.
    pub(super) fn units(&self, index: AssetIndex, amount: Decimal) -> Option<i128> {
        amount.to_scaled_wide(self.dp(index), Some(Rounding::Down)).ok()
    }
}

/// How many smallest units of an asset with `asset_dp` decimals one count of 10^-`dp` is.
pub(super) fn units_per(asset_dp: u8, dp: u8) -> i128 {
    10i128.pow(u32::from(asset_dp - dp))
}

/// How to take a number of trailing zeros off at once.
///
/// A multiple of 10^n is one of 2^n, which a shift takes off, and of 5^n, which is odd and so has an inverse among the
/// 128-bit numbers: multiplying by it divides whatever is a multiple, and gives more than `most` for all else.
struct Cut {
    zeros: u8,
    inverse: u128,
    most: u128,
}

impl Cut {
    const fn new(zeros: u8) -> Self {
        let power = 5u128.pow(zeros as u32);
        // Newton's iteration doubles the digits that are right, from three to more than 128.
        let mut inverse = power;
        let mut right = 3;
        while right < u128::BITS {
            inverse = inverse.wrapping_mul(2u128.wrapping_sub(power.wrapping_mul(inverse)));
            right *= 2;
        }
        Self { zeros, inverse, most: u128::MAX / power }
    }

    /// The number without the zeros; `None` when it does not end in so many.
    const fn apply(&self, digits: u128) -> Option<u128> {
        if digits.trailing_zeros() < self.zeros as u32 {
            return None;
        }
        let shorter = (digits >> self.zeros).wrapping_mul(self.inverse);
        if shorter <= self.most { Some(shorter) } else { None }
    }
}

/// `units * 10^-dp`.
///
/// Most amounts end in many zeros, since units are fine, and dividing 128 bits is slow: so zeros go in large steps and
/// without a division.
pub(super) fn decimal(units: i128, mut dp: u8) -> Decimal {
    const CUTS: [Cut; 5] = [Cut::new(16), Cut::new(8), Cut::new(4), Cut::new(2), Cut::new(1)];
    if units == 0 {
        return Decimal::ZERO;
    }
    let mut digits = units.unsigned_abs();
    for cut in &CUTS {
        if dp >= cut.zeros
            && let Some(shorter) = cut.apply(digits)
        {
            digits = shorter;
            dp -= cut.zeros;
        }
    }
    let value = digits as i128;
    Decimal::new(if units < 0 { value.wrapping_neg() } else { value }, dp)
}

#[cfg(test)]
mod tests {
    use super::{decimal, units_per};
    use cex_core::Decimal;
    use proptest::prelude::*;

    #[test]
    fn zeros_go_and_digits_stay() {
        for (units, dp, expected) in [
            (0, 21, "0"),
            (1, 0, "1"),
            (10, 0, "10"),
            (-1_500, 3, "-1.5"),
            (100_000_000_000_000_000_000, 18, "100"),
            (123_400_000_000_000_000, 16, "12.34"),
            (65_536, 16, "0.0000000000065536"),
            (i128::MIN, 0, "-170141183460469231731687303715884105728"),
            (i128::MAX, 38, "1.70141183460469231731687303715884105727"),
        ] {
            assert_eq!(decimal(units, dp).to_string(), expected);
        }
        assert_eq!(units_per(18, 5), 10_000_000_000_000);
    }

    proptest! {
        #[test]
        fn large_steps_equal_small_ones(digits in any::<i64>(), zeros in 0u32..19, dp in 0u8..38) {
            let units = i128::from(digits) * 10i128.pow(zeros);
            prop_assert_eq!(decimal(units, dp), Decimal::new(units, dp));
        }
    }
}
