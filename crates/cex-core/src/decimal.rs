//! Exact decimal numbers for money that is booked: fills, fees, balances, profit.
//!
//! A [`Decimal`] is `mantissa * 10^-dp` with a 128-bit mantissa: real accounts carry twenty decimals. Operations are
//! checked; nothing rounds unless a [`Rounding`] is named.

use crate::num::NumError;
use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// Which way an inexact result goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    /// Toward zero: what an exchange does to a quantity.
    Down,
    /// Toward plus infinity: what we do to a cost.
    Ceil,
    /// Toward minus infinity: what we do to a gain.
    Floor,
}

/// An exact decimal number, always in its shortest form, so equal values are equal in every field.
///
/// ```
/// use cex_core::Decimal;
/// let price: Decimal = "64210.10".parse()?;
/// let qty: Decimal = "0.0003".parse()?;
/// assert_eq!(price.checked_mul(qty)?.to_string(), "19.26303");
/// # Ok::<(), cex_core::NumError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Decimal {
    mantissa: i128,
    dp: u8,
}

impl Decimal {
    /// Zero.
    pub const ZERO: Self = Self { mantissa: 0, dp: 0 };
    /// One.
    pub const ONE: Self = Self { mantissa: 1, dp: 0 };
    /// The most decimals a value may have: 10^38 is the last power of ten an `i128` holds.
    pub const MAX_DP: u8 = 38;

    /// `mantissa * 10^-dp`. `dp` above [`Self::MAX_DP`] is a programming error; digits there are cut off.
    #[must_use]
    pub const fn new(mantissa: i128, dp: u8) -> Self {
        let narrow = mantissa as i64;
        // Already the shortest form: nearly all sums are, and need no more than this.
        let is_shortest = dp <= Self::MAX_DP && (narrow % 10 != 0 || (dp == 0 && narrow != 0));
        if narrow as i128 == mantissa && is_shortest {
            return Self { mantissa, dp };
        }
        Self::shortened(mantissa, dp)
    }

    const fn shortened(mut mantissa: i128, mut dp: u8) -> Self {
        while dp > Self::MAX_DP {
            mantissa /= 10;
            dp -= 1;
        }
        if mantissa == 0 {
            return Self::ZERO;
        }
        let mut digits = mantissa.unsigned_abs();
        while dp > 0
            && digits > u64::MAX as u128
            && let Some(tenth) = exact_tenth(digits)
        {
            digits = tenth;
            dp -= 1;
        }
        if digits <= u64::MAX as u128 {
            let (shortest, left) = without_zeros(digits as u64, dp);
            (digits, dp) = (shortest as u128, left);
        }
        // It fits: the digits are those of `mantissa`, or fewer.
        let shortest = digits.cast_signed();
        Self { mantissa: if mantissa < 0 { shortest.wrapping_neg() } else { shortest }, dp }
    }

    /// Parses `[-]digits[.digits]` from bytes: no exponent, plus sign, blank or separator. More digits than fit are
    /// an [`NumError::Overflow`], never rounded.
    pub fn parse(text: &[u8]) -> Result<Self, NumError> {
        let (negative, digits) = match text.split_first() {
            Some((b'-', rest)) => (true, rest),
            Some(_) => (false, text),
            None => return Err(NumError::Empty),
        };
        let dot = digits.iter().position(|byte| *byte == b'.');
        let (whole, fraction) = match dot {
            Some(at) => (&digits[..at], &digits[at + 1..]),
            None => (digits, &digits[..0]),
        };
        if whole.iter().chain(fraction).any(|byte| !byte.is_ascii_digit()) {
            return Err(NumError::BadByte);
        }
        if whole.is_empty() || (dot.is_some() && fraction.is_empty()) {
            return Err(NumError::Empty);
        }
        let kept = fraction.iter().rposition(|byte| *byte != b'0').map_or(0, |last| last + 1);
        let fraction = &fraction[..kept];
        let dp =
            u8::try_from(fraction.len()).ok().filter(|dp| *dp <= Self::MAX_DP).ok_or(NumError::Overflow)?;
        let mut mantissa: i128 = 0;
        for byte in whole.iter().chain(fraction) {
            mantissa = mantissa
                .checked_mul(10)
                .and_then(|value| value.checked_add(i128::from(byte - b'0')))
                .ok_or(NumError::Overflow)?;
        }
        Ok(Self::new(if negative { -mantissa } else { mantissa }, dp))
    }

    /// The digits without the decimal point, with sign.
    #[must_use]
    pub const fn mantissa(self) -> i128 {
        self.mantissa
    }

    /// How many of the digits are decimals; as few as possible.
    #[must_use]
    pub const fn dp(self) -> u8 {
        self.dp
    }

    /// Whether the value is zero.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.mantissa == 0
    }

    /// Whether the value is below zero.
    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.mantissa < 0
    }

    /// Whether the value is above zero.
    #[must_use]
    pub const fn is_positive(self) -> bool {
        self.mantissa > 0
    }

    /// The value without its sign.
    pub fn abs(self) -> Result<Self, NumError> {
        self.mantissa.checked_abs().map(|mantissa| Self { mantissa, dp: self.dp }).ok_or(NumError::Overflow)
    }

    /// The value with the other sign.
    pub fn negated(self) -> Result<Self, NumError> {
        self.mantissa.checked_neg().map(|mantissa| Self { mantissa, dp: self.dp }).ok_or(NumError::Overflow)
    }

    /// Exact sum.
    pub fn checked_add(self, other: Self) -> Result<Self, NumError> {
        // Much of what is added up is nothing: no reservation, no fee, no leftover.
        if other.is_zero() {
            return Ok(self);
        }
        if self.is_zero() {
            return Ok(other);
        }
        let dp = self.dp.max(other.dp);
        if let Some((left, right)) = self.aligned(other) {
            return Ok(Self::new(left + right, dp));
        }
        let sum = self.widened(dp)?.checked_add(other.widened(dp)?).ok_or(NumError::Overflow)?;
        Ok(Self::new(sum, dp))
    }

    /// Exact difference.
    pub fn checked_sub(self, other: Self) -> Result<Self, NumError> {
        self.checked_add(other.negated()?)
    }

    /// Exact product.
    pub fn checked_mul(self, other: Self) -> Result<Self, NumError> {
        let dp = self.dp + other.dp;
        let product = product(self.mantissa, other.mantissa).ok_or(NumError::Overflow)?;
        if dp <= Self::MAX_DP {
            return Ok(Self::new(product, dp));
        }
        // Only trailing zeros may be dropped without losing value.
        let excess = 10i128.checked_pow(u32::from(dp - Self::MAX_DP)).ok_or(NumError::Overflow)?;
        if product % excess != 0 {
            return Err(NumError::Overflow);
        }
        Ok(Self::new(product / excess, Self::MAX_DP))
    }

    /// Quotient with `dp` decimals, rounded as told.
    pub fn checked_div(self, other: Self, dp: u8, rounding: Rounding) -> Result<Self, NumError> {
        if other.mantissa == 0 {
            return Err(NumError::DivisionByZero);
        }
        // self / other = (m1 * 10^(dp + dp2 - dp1)) / m2 * 10^-dp
        let shift = i32::from(dp) + i32::from(other.dp) - i32::from(self.dp);
        let (numerator, denominator) = if shift >= 0 {
            (scale_up(self.mantissa, shift.unsigned_abs())?, other.mantissa)
        } else {
            (self.mantissa, scale_up(other.mantissa, shift.unsigned_abs())?)
        };
        Ok(Self::new(divide(numerator, denominator, rounding)?, dp))
    }

    /// The value with at most `dp` decimals, rounded as told.
    pub fn rounded(self, dp: u8, rounding: Rounding) -> Result<Self, NumError> {
        if self.dp <= dp {
            return Ok(self);
        }
        Ok(Self::new(self.to_scaled_wide(dp, Some(rounding))?, dp))
    }

    /// As a count of 10^-dp. With `rounding` `None` a value finer than that is [`NumError::TooFine`].
    pub fn to_scaled(self, dp: u8, rounding: Option<Rounding>) -> Result<i64, NumError> {
        i64::try_from(self.to_scaled_wide(dp, rounding)?).map_err(|_| NumError::Overflow)
    }

    /// As [`Self::to_scaled`], with the full range.
    pub fn to_scaled_wide(self, dp: u8, rounding: Option<Rounding>) -> Result<i128, NumError> {
        if self.dp <= dp {
            return self.widened(dp);
        }
        let rounding = rounding.ok_or(NumError::TooFine)?;
        divide(self.mantissa, scale_up(1, u32::from(self.dp - dp))?, rounding)
    }

    /// As a float, for ranking and display only; never for money.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        self.mantissa as f64 / 10f64.powi(i32::from(self.dp))
    }

    /// Both mantissas with the decimals of the finer one, where both are as narrow as nearly all money: then nothing can
    /// overflow, not even their sum (2^63 * 10^18 < 2^123).
    fn aligned(self, other: Self) -> Option<(i128, i128)> {
        let (left, right) = (i64::try_from(self.mantissa).ok()?, i64::try_from(other.mantissa).ok()?);
        let factor = *NARROW_POWERS_OF_TEN.get(usize::from(self.dp.abs_diff(other.dp)))?;
        let (left, right, factor) = (i128::from(left), i128::from(right), i128::from(factor));
        Some(if self.dp < other.dp { (left * factor, right) } else { (left, right * factor) })
    }

    fn widened(self, dp: u8) -> Result<i128, NumError> {
        scale_up(self.mantissa, u32::from(dp - self.dp))
    }
}

/// A tenth of a number that ends in zero, else nothing. Without a division, which this wide takes some thirty times as
/// long: an odd divisor of a number is divided by with its inverse modulo 2^128, and only multiples of it give a quotient
/// that is small enough.
const fn exact_tenth(digits: u128) -> Option<u128> {
    /// Five times this is one, modulo 2^128.
    const FIFTH: u128 = u128::MAX / 5 * 4 + 1;
    if digits & 1 == 1 {
        return None;
    }
    let tenth = (digits >> 1).wrapping_mul(FIFTH);
    if tenth <= u128::MAX / 5 { Some(tenth) } else { None }
}

/// Digits without the zeros they end in, at most `dp` of them, and how many of `dp` are left. Nearly all money is this
/// narrow and ends in many zeros, so eight, four and two of them are looked for before one: 19 at most. Never called with
/// nothing.
const fn without_zeros(mut digits: u64, mut dp: u8) -> (u64, u8) {
    const STEPS: [(u8, u64, u64); 5] = [step(8), step(8), step(4), step(2), step(1)];
    const fn step(zeros: u8) -> (u8, u64, u64) {
        const FIFTH: u64 = u64::MAX / 5 * 4 + 1;
        let (mut power, mut inverse, mut at) = (1, 1_u64, 0);
        while at < zeros {
            (power, inverse, at) = (power * 5, inverse.wrapping_mul(FIFTH), at + 1);
        }
        (zeros, u64::MAX / power, inverse)
    }
    let mut at = 0;
    while at < STEPS.len() {
        let (zeros, largest, inverse) = STEPS[at];
        // A multiple of 2^zeros, and of 5^zeros: an odd divisor is divided by with its inverse modulo 2^64.
        let shorter = (digits >> zeros).wrapping_mul(inverse);
        if dp >= zeros && digits.trailing_zeros() >= zeros as u32 && shorter <= largest {
            (digits, dp) = (shorter, dp - zeros);
        }
        at += 1;
    }
    (digits, dp)
}

/// The powers of ten that fit.
const POWERS_OF_TEN: [i128; Decimal::MAX_DP as usize + 1] = {
    let mut powers = [1; Decimal::MAX_DP as usize + 1];
    let mut at = 1;
    while at < powers.len() {
        powers[at] = powers[at - 1] * 10;
        at += 1;
    }
    powers
};

/// Those that fit into 64 bits.
const NARROW_POWERS_OF_TEN: [i64; 19] = {
    let mut powers = [1; 19];
    let mut at = 1;
    while at < powers.len() {
        powers[at] = powers[at - 1] * 10;
        at += 1;
    }
    powers
};

fn scale_up(mantissa: i128, zeros: u32) -> Result<i128, NumError> {
    if mantissa == 0 || zeros == 0 {
        return Ok(mantissa);
    }
    let factor = POWERS_OF_TEN.get(zeros as usize);
    factor.and_then(|factor| product(mantissa, *factor)).ok_or(NumError::Overflow)
}

/// The product if it fits. Nearly all money fits into 64 bits, and then one multiplication does without any check.
fn product(left: i128, right: i128) -> Option<i128> {
    match (i64::try_from(left), i64::try_from(right)) {
        (Ok(left), Ok(right)) => Some(i128::from(left) * i128::from(right)),
        (Ok(_) | Err(_), _) => left.checked_mul(right),
    }
}

fn divide(numerator: i128, denominator: i128, rounding: Rounding) -> Result<i128, NumError> {
    let (quotient, rest) = match (i64::try_from(numerator), i64::try_from(denominator)) {
        // One division, by the machine; minus one is left to the wide one, because of the least integer.
        (Ok(numerator), Ok(denominator)) if denominator > 0 => {
            (i128::from(numerator / denominator), i128::from(numerator % denominator))
        }
        (Ok(_) | Err(_), _) => {
            let quotient = numerator.checked_div(denominator).ok_or(NumError::Overflow)?;
            (quotient, numerator - quotient * denominator)
        }
    };
    let inexact = rest != 0;
    let positive = (numerator < 0) == (denominator < 0);
    Ok(match rounding {
        Rounding::Ceil if inexact && positive => quotient + 1,
        Rounding::Floor if inexact && !positive => quotient - 1,
        Rounding::Down | Rounding::Ceil | Rounding::Floor => quotient,
    })
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        if let Some((left, right)) = self.aligned(*other) {
            return left.cmp(&right);
        }
        let dp = self.dp.max(other.dp);
        match (self.widened(dp), other.widened(dp)) {
            (Ok(left), Ok(right)) => left.cmp(&right),
            // A value whose digits overflow when widened is larger in magnitude than any that does not; both cannot
            // overflow, since the one with more decimals is not widened at all.
            (Err(_), _) => self.mantissa.cmp(&0),
            (_, Err(_)) => 0.cmp(&other.mantissa),
        }
    }
}

impl From<i64> for Decimal {
    fn from(value: i64) -> Self {
        Self::new(i128::from(value), 0)
    }
}

impl FromStr for Decimal {
    type Err = NumError;

    fn from_str(text: &str) -> Result<Self, NumError> {
        Self::parse(text.as_bytes())
    }
}

impl fmt::Display for Decimal {
    /// Plain digits, never an exponent; `{:.2}` pads with zeros or cuts toward zero.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.mantissa.unsigned_abs().to_string();
        let dp = usize::from(self.dp);
        let (whole, fraction) = if digits.len() > dp {
            let (whole, fraction) = digits.split_at(digits.len() - dp);
            (whole.to_owned(), fraction.to_owned())
        } else {
            ("0".to_owned(), format!("{digits:0>dp$}"))
        };
        let mut text = whole;
        match f.precision() {
            Some(0) => {}
            Some(wanted) => {
                text.push('.');
                text.extend(fraction.chars().chain(std::iter::repeat('0')).take(wanted));
            }
            None if dp == 0 => {}
            None => {
                text.push('.');
                text.push_str(&fraction);
            }
        }
        // `pad_integral` would take a precision for a width of digits, so it is applied by hand above.
        f.pad_integral(self.mantissa >= 0, "", &text)
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use num_bigint::BigInt;
    use proptest::prelude::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn grammar_is_strict() {
        for good in
            ["0", "-0", "00.10", "1", "-1.5", "20.00000000000000000001", "123456789012345678901234567890"]
        {
            assert!(good.parse::<Decimal>().is_ok(), "{good}");
        }
        for bad in
            ["", "-", ".", "1.", ".5", "+1", "1e5", " 1", "1 ", "1,000", "1.2.3", "--1", "nan", "0x10", "１"]
        {
            assert!(bad.parse::<Decimal>().is_err(), "{bad}");
        }
        assert_eq!("9".repeat(40).parse::<Decimal>(), Err(NumError::Overflow));
        assert_eq!(format!("0.{}1", "0".repeat(40)).parse::<Decimal>(), Err(NumError::Overflow));
        assert_eq!(format!("0.{}", "0".repeat(60)).parse::<Decimal>(), Ok(Decimal::ZERO));
    }

    #[test]
    fn shows_plain_digits() {
        for (text, shown) in
            [("0.10", "0.1"), ("-0.000001", "-0.000001"), ("100", "100"), ("-0", "0"), ("1.50", "1.5")]
        {
            assert_eq!(decimal(text).to_string(), shown);
        }
        assert_eq!(format!("{:.2}", decimal("1.5")), "1.50");
        assert_eq!(format!("{:.2}", decimal("-1.559")), "-1.55");
        assert_eq!(format!("{:>8.3}", decimal("1.5")), "   1.500");
        assert_eq!(format!("{:.0}", decimal("1.5")), "1");
    }

    #[test]
    fn divides_with_named_rounding() {
        let (one, three) = (Decimal::ONE, Decimal::from(3));
        assert_eq!(one.checked_div(three, 4, Rounding::Down), Ok(decimal("0.3333")));
        assert_eq!(one.checked_div(three, 4, Rounding::Ceil), Ok(decimal("0.3334")));
        assert_eq!(decimal("-1").checked_div(three, 4, Rounding::Floor), Ok(decimal("-0.3334")));
        assert_eq!(decimal("-1").checked_div(three, 4, Rounding::Ceil), Ok(decimal("-0.3333")));
        assert_eq!(one.checked_div(Decimal::ZERO, 4, Rounding::Down), Err(NumError::DivisionByZero));
    }

    /// (value scaled by 10^40 as a big integer): the oracle every property is compared with.
    fn oracle(value: Decimal) -> BigInt {
        BigInt::from(value.mantissa()) * BigInt::from(10).pow(40 - u32::from(value.dp()))
    }

    fn any_decimal() -> impl Strategy<Value = Decimal> {
        (any::<i128>(), 0u32..=126, 0u8..=30)
            .prop_map(|(mantissa, shift, dp)| Decimal::new(mantissa >> shift, dp))
    }

    proptest! {
        #[test]
        fn the_shortest_form_is_the_same_value(
            mantissa in any::<i128>(), shift in 0u32..=127, zeros in 0u32..=38, dp in 0u8..=38,
        ) {
            let mantissa = mantissa >> shift;
            let mantissa = mantissa.checked_mul(10i128.pow(zeros)).unwrap_or(mantissa);
            let value = Decimal::new(mantissa, dp);
            let whole = BigInt::from(value.mantissa()) * BigInt::from(10).pow(u32::from(dp - value.dp()));
            prop_assert_eq!(whole, BigInt::from(mantissa));
            prop_assert!(value.dp() == 0 || value.mantissa() % 10 != 0, "{value:?} ends in a zero");
        }

        #[test]
        fn text_round_trips(value in any_decimal()) {
            prop_assert_eq!(value.to_string().parse::<Decimal>(), Ok(value));
        }

        #[test]
        fn parsing_equals_big_integers(whole in "[0-9]{1,24}", fraction in "[0-9]{1,24}", negative in any::<bool>()) {
            let sign = if negative { "-" } else { "" };
            let text = format!("{sign}{whole}.{fraction}");
            let digits: BigInt = format!("{sign}{whole}{fraction}").parse().expect("digits");
            let exact = digits * BigInt::from(10).pow(40 - u32::try_from(fraction.len()).expect("short"));
            match text.parse::<Decimal>() {
                Ok(value) => prop_assert_eq!(oracle(value), exact),
                Err(error) => {
                    prop_assert_eq!(error, NumError::Overflow);
                    let kept = fraction.trim_end_matches('0');
                    let shortest: BigInt = format!("{whole}{kept}").parse().expect("digits");
                    prop_assert!(shortest > BigInt::from(i128::MAX));
                }
            }
        }

        #[test]
        fn arithmetic_equals_big_integers(a in any_decimal(), b in any_decimal()) {
            if let Ok(sum) = a.checked_add(b) {
                prop_assert_eq!(oracle(sum), oracle(a) + oracle(b));
            }
            if let Ok(difference) = a.checked_sub(b) {
                prop_assert_eq!(oracle(difference), oracle(a) - oracle(b));
            }
            if let Ok(product) = a.checked_mul(b) {
                prop_assert_eq!(oracle(product) * BigInt::from(10).pow(40), oracle(a) * oracle(b));
            }
            prop_assert_eq!(a.cmp(&b), oracle(a).cmp(&oracle(b)));
        }

        #[test]
        fn rounding_stays_within_one_unit(value in any_decimal(), dp in 0u8..20) {
            let unit = BigInt::from(10).pow(40 - u32::from(dp));
            if let Ok(down) = value.rounded(dp, Rounding::Floor) {
                let lost = oracle(value) - oracle(down);
                prop_assert!(lost >= BigInt::from(0) && lost < unit);
            }
            if let Ok(up) = value.rounded(dp, Rounding::Ceil) {
                let gained = oracle(up) - oracle(value);
                prop_assert!(gained >= BigInt::from(0) && gained < unit);
            }
        }

        #[test]
        fn any_bytes_parse_or_fail_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..50)) {
            let _ = Decimal::parse(&bytes);
        }
    }
}
