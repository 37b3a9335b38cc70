//! The integers of the hot path: prices and quantities as counts of a power of ten fixed per symbol.
//!
//! A [`Scale`] belongs to a **symbol**, not to a venue: for a symbol that trades on several venues it is the finest
//! of them, fixed when the symbol is registered, so prices of two venues compare as plain integers.

use crate::decimal::{Decimal, Rounding};
use cex_wide::{Finer, NumberFault};
use std::fmt;

/// Why a text or an operation has no exact result. Nothing is ever rounded, wrapped or saturated instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NumError {
    /// The text is empty, or has no digit where one must be.
    #[error("number is empty or lacks a digit")]
    Empty,
    /// A byte that is not part of a plain decimal number (signs, exponents and separators included).
    #[error("not a plain decimal number")]
    BadByte,
    /// The value has non-zero digits finer than the scale can hold.
    #[error("number is finer than its scale")]
    TooFine,
    /// The value, or the result of an operation, does not fit.
    #[error("number overflows its range")]
    Overflow,
    /// Division by zero.
    #[error("division by zero")]
    DivisionByZero,
}

impl From<NumberFault> for NumError {
    fn from(fault: NumberFault) -> Self {
        match fault {
            NumberFault::Empty => Self::Empty,
            NumberFault::BadByte => Self::BadByte,
            NumberFault::TooFine => Self::TooFine,
            NumberFault::Overflow => Self::Overflow,
        }
    }
}

/// How many decimals a symbol's prices and quantities carry: price unit = 10^-`price_dp` quote per base, quantity
/// unit = 10^-`qty_dp` base.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Scale {
    price_dp: u8,
    qty_dp: u8,
}

impl Scale {
    /// The most decimals a price or quantity may have.
    pub const MAX_DP: u8 = 18;

    /// A scale with exactly these decimals; `None` above [`Self::MAX_DP`].
    #[must_use]
    pub const fn new(price_dp: u8, qty_dp: u8) -> Option<Self> {
        if price_dp > Self::MAX_DP || qty_dp > Self::MAX_DP {
            return None;
        }
        Some(Self { price_dp, qty_dp })
    }

    /// The scale for one market's rules, with headroom beyond the digits of a tick and a lot.
    ///
    /// Real books carry prices finer than today's tick (`0.00004802` at seven digits: orders older than the rule) and
    /// quantities finer than the lot (`0.00896999` at three digits), hence two more digits for prices, up to twelve, and
    /// five more for quantities, up to eight. A coin with a price tick of 1e-9 or finer carries quantities of 1e15, so
    /// there quantities get three more, which leaves a range of 9e15.
    #[must_use]
    pub fn for_market(price_dp: u8, lot_dp: u8) -> Option<Self> {
        let headroom = if price_dp >= 9 { 3 } else { 5 };
        let price_dp = price_dp.max(price_dp.saturating_add(2).min(12));
        Self::new(price_dp, lot_dp.max(lot_dp.saturating_add(headroom).min(8)))
    }

    /// The scale that can hold what either of the two can hold.
    #[must_use]
    pub fn finest(self, other: Self) -> Self {
        Self { price_dp: self.price_dp.max(other.price_dp), qty_dp: self.qty_dp.max(other.qty_dp) }
    }

    /// Decimals of a price.
    #[must_use]
    pub const fn price_dp(self) -> u8 {
        self.price_dp
    }

    /// Decimals of a quantity.
    #[must_use]
    pub const fn qty_dp(self) -> u8 {
        self.qty_dp
    }

    /// Parses a price, e.g. `b"64210.10"`. A price finer than the scale is an error: comparing it would lie.
    pub fn parse_price(self, text: &[u8]) -> Result<Price, NumError> {
        Ok(Price(cex_wide::portable::parse_scaled(text, self.price_dp, Finer::Refuse)?))
    }

    /// Parses a quantity; what is finer than the scale is cut off, so that depth is never overstated.
    pub fn parse_qty(self, text: &[u8]) -> Result<Qty, NumError> {
        Ok(Qty(cex_wide::portable::parse_scaled(text, self.qty_dp, Finer::Cut)?))
    }

    /// The price with this value; an error when it is finer than the scale, negative, or too large.
    pub fn price(self, value: Decimal) -> Result<Price, NumError> {
        value.to_scaled(self.price_dp, None).and_then(non_negative).map(Price)
    }

    /// The quantity with this value, rounded down to the scale.
    pub fn qty(self, value: Decimal) -> Result<Qty, NumError> {
        value.to_scaled(self.qty_dp, Some(Rounding::Down)).and_then(non_negative).map(Qty)
    }

    /// The exact value of a price.
    #[must_use]
    pub fn price_value(self, price: Price) -> Decimal {
        Decimal::new(i128::from(price.0), self.price_dp)
    }

    /// The exact value of a quantity.
    #[must_use]
    pub fn qty_value(self, qty: Qty) -> Decimal {
        Decimal::new(i128::from(qty.0), self.qty_dp)
    }

    /// The exact value of a notional.
    #[must_use]
    pub fn notional_value(self, notional: Notional) -> Decimal {
        Decimal::new(notional.0, self.price_dp + self.qty_dp)
    }

    /// The notional with this value, rounded down to the scale.
    pub fn notional(self, value: Decimal) -> Result<Notional, NumError> {
        value.to_scaled_wide(self.price_dp + self.qty_dp, Some(Rounding::Down)).map(Notional)
    }
}

fn non_negative(value: i64) -> Result<i64, NumError> {
    if value < 0 { Err(NumError::BadByte) } else { Ok(value) }
}

/// A price: a count of 10^-`price_dp` quote per base. Meaningless without its symbol's [`Scale`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Price(pub i64);

/// A quantity of the base asset: a count of 10^-`qty_dp`. Meaningless without its symbol's [`Scale`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Qty(pub i64);

/// Price times quantity: a count of 10^-(`price_dp` + `qty_dp`) quote. Wide enough for every price and quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Notional(pub i128);

impl Price {
    /// Price times quantity, exact: two 64-bit factors always fit.
    #[must_use]
    pub const fn times(self, qty: Qty) -> Notional {
        Notional(self.0 as i128 * qty.0 as i128)
    }

    /// Rounded down to a multiple of `tick` (at least one unit): what a seller may ask for at most to reach this price.
    #[must_use]
    pub const fn floor_to(self, tick: Self) -> Self {
        Self(floored(self.0, tick.0))
    }

    /// Rounded up to a multiple of `tick` (at least one unit): what a buyer must offer at least to reach this price.
    /// `None` when that does not fit.
    #[must_use]
    pub const fn ceil_to(self, tick: Self) -> Option<Self> {
        match ceiled(self.0, tick.0) {
            Some(price) => Some(Self(price)),
            None => None,
        }
    }
}

impl Qty {
    /// No quantity.
    pub const ZERO: Self = Self(0);

    /// Whether there is none.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Rounded down to a multiple of `lot` (at least one unit).
    #[must_use]
    pub const fn floor_to(self, lot: Self) -> Self {
        Self(floored(self.0, lot.0))
    }

    /// Rounded up to a multiple of `lot`; `None` when that does not fit.
    #[must_use]
    pub const fn ceil_to(self, lot: Self) -> Option<Self> {
        match ceiled(self.0, lot.0) {
            Some(qty) => Some(Self(qty)),
            None => None,
        }
    }
}

const fn floored(value: i64, step: i64) -> i64 {
    if step <= 1 { value } else { value - value.rem_euclid(step) }
}

const fn ceiled(value: i64, step: i64) -> Option<i64> {
    let floored = floored(value, step);
    if floored == value { Some(value) } else { floored.checked_add(step) }
}

impl Notional {
    /// Nothing.
    pub const ZERO: Self = Self(0);
}

/// A rate in basis points, held as a count of 10^-8 (a ten-thousandth of a basis point): `Bps::from_bps(5)` is
/// 0.0005. Signed: a rebate is a negative fee, a loss a negative edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Bps(i64);

impl Bps {
    /// Zero.
    pub const ZERO: Self = Self(0);
    /// The rate 1 (10,000 bps), as the count of units this type keeps.
    pub const ONE: i64 = 100_000_000;

    /// Whole basis points.
    #[must_use]
    pub const fn from_bps(bps: i32) -> Self {
        Self(bps as i64 * 10_000)
    }

    /// A count of 10^-8.
    #[must_use]
    pub const fn from_e8(units: i64) -> Self {
        Self(units)
    }

    /// As a count of 10^-8.
    #[must_use]
    pub const fn e8(self) -> i64 {
        self.0
    }

    /// From a fraction such as `0.0005`; digits finer than 1e-8 round **up** in magnitude for positive rates, so that
    /// a fee is never understated.
    pub fn from_fraction(value: Decimal) -> Result<Self, NumError> {
        value.to_scaled(8, Some(Rounding::Ceil)).map(Self)
    }

    /// As an exact fraction.
    #[must_use]
    pub fn fraction(self) -> Decimal {
        Decimal::new(i128::from(self.0), 8)
    }

    /// `part` of `whole` as a rate, rounded toward minus infinity; `None` when `whole` is not positive or the result
    /// does not fit.
    #[must_use]
    pub fn ratio(part: Notional, whole: Notional) -> Option<Self> {
        if whole.0 <= 0 {
            return None;
        }
        let scaled = part.0.checked_mul(i128::from(Self::ONE))?;
        i64::try_from(scaled.div_euclid(whole.0)).ok().map(Self)
    }

    /// As a float number of basis points, for ranking and display only; never for money.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        self.0 as f64 / 10_000.0
    }
}

impl std::ops::Neg for Bps {
    type Output = Self;
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl fmt::Display for Bps {
    /// In basis points with up to four decimals: `3.25`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Decimal::new(i128::from(self.0), 4), f)
    }
}

impl std::str::FromStr for Bps {
    type Err = NumError;

    /// Parses a number of basis points, e.g. `3.25`; finer than a ten-thousandth of one is an error.
    fn from_str(text: &str) -> Result<Self, NumError> {
        text.parse::<Decimal>()?.to_scaled(4, None).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scale(price_dp: u8, qty_dp: u8) -> Scale {
        Scale::new(price_dp, qty_dp).expect("within range")
    }

    #[test]
    fn prices_refuse_what_quantities_cut() {
        let scale = scale(2, 8);
        assert_eq!(scale.parse_price(b"64210.10"), Ok(Price(6_421_010)));
        assert_eq!(scale.parse_price(b"64210.100"), Ok(Price(6_421_010)));
        assert_eq!(scale.parse_price(b"64210.101"), Err(NumError::TooFine));
        assert_eq!(scale.parse_qty(b"251.8481948663"), Ok(Qty(25_184_819_486)));
        assert_eq!(scale.parse_qty(b"0.00896999"), Ok(Qty(896_999)));
        for (text, error) in [
            (&b""[..], NumError::Empty),
            (b"-1", NumError::BadByte),
            (b"1e5", NumError::BadByte),
            (b"nan", NumError::BadByte),
            (b"99999999999999999999", NumError::Overflow),
        ] {
            assert_eq!(scale.parse_qty(text), Err(error), "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn scales_leave_headroom_where_the_range_allows() {
        for (rules, held) in [
            ((2, 5), (4, 8)),
            ((7, 3), (9, 8)),
            ((3, 3), (5, 8)),
            ((8, 0), (10, 5)),
            ((9, 0), (11, 3)),
            ((12, 0), (12, 3)),
            ((14, 0), (14, 3)),
            ((2, 8), (4, 8)),
            ((10, 9), (12, 9)),
        ] {
            assert_eq!(Scale::for_market(rules.0, rules.1), Some(scale(held.0, held.1)), "{rules:?}");
        }
        assert_eq!(Scale::for_market(19, 0), None);
        assert_eq!(scale(2, 8).finest(scale(5, 3)), scale(5, 8));
    }

    #[test]
    fn lots_and_ticks_round_both_ways() {
        assert_eq!(Qty(1_234).floor_to(Qty(100)), Qty(1_200));
        assert_eq!(Qty(1_234).ceil_to(Qty(100)), Some(Qty(1_300)));
        assert_eq!(Qty(1_200).ceil_to(Qty(100)), Some(Qty(1_200)));
        assert_eq!(Qty(i64::MAX).ceil_to(Qty(100)), None);
        assert_eq!(Qty(7).floor_to(Qty(0)), Qty(7));
        assert_eq!(Price(1_234).floor_to(Price(100)), Price(1_200));
        assert_eq!(Price(1_234).ceil_to(Price(100)), Some(Price(1_300)));
        assert_eq!(Price(i64::MAX).ceil_to(Price(100)), None);
    }

    #[test]
    fn rates_are_exact_and_never_understated() {
        assert_eq!("0.0005".parse().and_then(Bps::from_fraction), Ok(Bps::from_bps(5)));
        assert_eq!("0.000500000000000001".parse().and_then(Bps::from_fraction), Ok(Bps::from_e8(50_001)));
        assert_eq!("-0.000500000000000001".parse().and_then(Bps::from_fraction), Ok(Bps::from_e8(-50_000)));
        assert_eq!("3.25".parse::<Bps>().map(|bps| bps.to_string()), Ok("3.25".to_owned()));
        assert_eq!("3.25001".parse::<Bps>(), Err(NumError::TooFine));
        assert_eq!(Bps::ratio(Notional(-1), Notional(3)), Some(Bps::from_e8(-33_333_334)));
        assert_eq!(Bps::ratio(Notional(1), Notional(0)), None);
    }
}
