//! Money that leaves for the exchange's other accounts and comes back. It does nothing there but wait.

use super::Exchange;
use super::types::{AccountIndex, BalanceReason, Reject};
use cex_core::{Asset, Decimal, Timestamp};

impl Exchange {
    /// Moves so much of what an account has free to another of its owner's accounts (`place`), or back from there.
    ///
    /// # Errors
    ///
    /// When the amount cannot be counted, or is more than there is.
    pub fn transfer(
        &mut self,
        now: Timestamp,
        account: AccountIndex,
        (asset, amount): (Asset, Decimal),
        place: &'static str,
        is_outward: bool,
    ) -> Result<(), Reject> {
        let known = self.assets.index_of(asset).ok_or(Reject::TooLarge)?;
        let units = self.assets.units(known, amount).ok_or(Reject::TooLarge)?;
        let there = self.elsewhere.get(&(account, place, asset)).copied().unwrap_or(0);
        if is_outward {
            self.check_funds(account, known, units)?;
        } else if there < units {
            let free = self.assets.decimal(known, there);
            return Err(Reject::InsufficientBalance { asset, needed: amount, free });
        }
        let out = if is_outward { units } else { -units };
        self.elsewhere.insert((account, place, asset), there + out);
        self.shift(now, account, known, -out, 0, BalanceReason::Transfer);
        Ok(())
    }

    /// What all accounts together have elsewhere of an asset.
    #[must_use]
    pub fn elsewhere(&self, asset: Asset) -> Decimal {
        let Some(known) = self.assets.index_of(asset) else { return Decimal::ZERO };
        let sums = self.elsewhere.iter().filter(|((.., held), _)| *held == asset);
        self.assets.decimal(known, sums.map(|(_, units)| units).sum())
    }
}
