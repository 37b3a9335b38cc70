//! What fills moved, fees in whatever coin included.

use cex_core::{Asset, Decimal, Fill, NumError, Side, Symbol};

/// What an order moved, before and after fees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Booked {
    /// Base, before fees.
    pub qty: Decimal,
    /// Quote, before fees.
    pub notional: Decimal,
    /// Fees taken in base.
    pub base_fee: Decimal,
    /// Fees taken in quote.
    pub quote_fee: Decimal,
    /// What fees in any other coin count as, in quote.
    pub other_fee: Decimal,
}

/// What a fill's fees in neither base nor quote count as, in quote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OtherFee {
    /// What profit counts them as.
    pub counted: Decimal,
    /// What they cost by the books of their coins, however much that is: what R30 compares with what was reckoned with.
    pub priced: Decimal,
    /// A coin has no price: `priced` is the least that it can have been.
    pub unpriced: bool,
}

/// Fees by the coin they were taken in, neither base nor quote: few, and mostly none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OtherFees(Vec<(Asset, Decimal)>);

impl OtherFees {
    /// This much more of a coin.
    pub fn add(&mut self, asset: Asset, fee: Decimal) -> Result<(), NumError> {
        match self.0.iter_mut().find(|(known, _)| *known == asset) {
            Some((_, sum)) => *sum = sum.checked_add(fee)?,
            None => self.0.push((asset, fee)),
        }
        Ok(())
    }

    /// All that a fill was charged in other coins than its symbol's own.
    pub fn add_fill(&mut self, symbol: Symbol, fill: &Fill) -> Result<(), NumError> {
        fill.fees_beside(symbol).try_for_each(|(fee, asset)| self.add(asset, fee))
    }

    /// Each coin once, in the order they came.
    pub fn iter(&self) -> impl Iterator<Item = (Asset, Decimal)> {
        self.0.iter().copied()
    }
}

impl Booked {
    /// `other_fee`: what the fees count as that were taken in neither base nor quote.
    pub(super) fn add(&mut self, symbol: Symbol, fill: &Fill, other_fee: Decimal) -> Result<(), NumError> {
        self.qty = self.qty.checked_add(fill.qty)?;
        self.notional = self.notional.checked_add(fill.notional()?)?;
        self.base_fee = self.base_fee.checked_add(fill.fee_in(symbol.base)?)?;
        self.quote_fee = self.quote_fee.checked_add(fill.fee_in(symbol.quote)?)?;
        self.other_fee = self.other_fee.checked_add(other_fee)?;
        Ok(())
    }

    /// What it changed of base: received when it bought, given when it sold, a fee taken in base included.
    pub(super) fn base_change(&self, side: Side) -> Result<Decimal, NumError> {
        match side {
            Side::Buy => self.qty.checked_sub(self.base_fee),
            Side::Sell => self.qty.checked_add(self.base_fee)?.negated(),
        }
    }
}
