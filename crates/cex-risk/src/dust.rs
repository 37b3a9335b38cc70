//! What ended arbitrages left over: too little for any venue, taken as a fee in the coin itself, or not to be traded away.
//!
//! It is kept in base, with its sign: what one arbitrage left short and another left long is nothing. Its value is reckoned at
//! the price at which the last of them valued its leftovers, the same for a run and for whoever reads its journal.

use cex_core::{Decimal, NumError, Symbol};
use std::collections::BTreeMap;

/// What is left over of one symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dust {
    /// Bought less sold, in base, fees included.
    pub base: Decimal,
    /// Quote per base at which it is valued.
    pub mark: Decimal,
    /// Some of it could not be traded away when that was tried: it is not tried again before an operator has looked.
    pub parked: bool,
}

impl Dust {
    /// What it is worth, in quote, whichever its sign.
    ///
    /// # Errors
    /// When it does not fit.
    pub fn value(&self) -> Result<Decimal, NumError> {
        self.base.abs()?.checked_mul(self.mark)
    }
}

/// What is left over of all symbols, since an operator last looked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DustBook(BTreeMap<Symbol, Dust>);

impl DustBook {
    /// An arbitrage left so much more of a symbol, valued at `mark`.
    ///
    /// # Errors
    /// When it does not fit; then nothing has changed.
    pub fn add(
        &mut self,
        symbol: Symbol,
        base: Decimal,
        mark: Decimal,
        parked: bool,
    ) -> Result<(), NumError> {
        if base.is_zero() && !parked {
            return Ok(());
        }
        let before = self.of(symbol);
        let mut after =
            Dust { base: before.base.checked_add(base)?, parked: before.parked || parked, ..before };
        if !base.is_zero() {
            after.mark = mark;
        }
        after.value()?;
        self.0.insert(symbol, after);
        Ok(())
    }

    /// What is left over of a symbol.
    #[must_use]
    pub fn of(&self, symbol: Symbol) -> Dust {
        self.0.get(&symbol).copied().unwrap_or_default()
    }

    /// All of it.
    pub fn iter(&self) -> impl Iterator<Item = (Symbol, Dust)> {
        self.0.iter().map(|(symbol, dust)| (*symbol, *dust))
    }

    /// What all of it is worth, in quote.
    ///
    /// # Errors
    /// When it does not fit.
    pub fn value(&self) -> Result<Decimal, NumError> {
        self.0.values().try_fold(Decimal::ZERO, |sum, dust| sum.checked_add(dust.value()?))
    }

    /// An operator has looked.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().expect("decimal")
    }

    #[test]
    fn what_was_left_short_and_long_evens_out_and_is_valued_at_the_last_price() {
        let [btc, eth] = ["BTC/USDT", "ETH/USDT"].map(|name| name.parse::<Symbol>().expect("symbol"));
        let mut book = DustBook::default();
        let mut left = |symbol, base: &str, mark: &str| {
            book.add(symbol, decimal(base), decimal(mark), false).expect("fits");
            book.value().expect("fits").to_string()
        };
        assert_eq!(left(btc, "-0.003", "100"), "0.3");
        assert_eq!(left(eth, "0.5", "2"), "1.3", "another coin evens nothing out");
        assert_eq!(left(btc, "0.001", "110"), "1.22");
        assert_eq!(left(btc, "0", "999"), "1.22", "what left nothing says nothing of its value");
        assert_eq!(left(btc, "0.002", "120"), "1");
        assert_eq!(book.of(btc), Dust { base: Decimal::ZERO, mark: decimal("120"), parked: false });
        book.clear();
        assert_eq!((book.value(), book.iter().count()), (Ok(Decimal::ZERO), 0));
    }

    #[test]
    fn what_does_not_fit_changes_nothing() {
        let (symbol, mut book) = ("BTC/USDT".parse().expect("symbol"), DustBook::default());
        book.add(symbol, Decimal::from(3), Decimal::from(2), true).expect("fits");
        let much = Decimal::new(i128::MAX, 0);
        assert_eq!(book.add(symbol, much, Decimal::from(2), false), Err(NumError::Overflow));
        assert_eq!(book.of(symbol), Dust { base: Decimal::from(3), mark: Decimal::from(2), parked: true });
    }
}
