//! Fees in the exchange's own coin, where an account wants that, while it has enough of it.

use super::Exchange;
use super::account::Account;
use super::types::AccountIndex;
use super::units::{AssetIndex, Assets};
use cex_core::{Asset, Decimal, Rounding};

impl Exchange {
    /// From now on an account pays fees in this coin, of which one is worth so much quote; `None`: as usual.
    pub fn pay_fees_in(&mut self, account: AccountIndex, coin: Option<(Asset, Decimal)>) {
        let coin = coin.map(|(asset, worth)| (self.assets.index_or_insert(asset), worth));
        if let Some(account) = self.accounts.get_mut(account.0 as usize) {
            account.pays_in = coin;
        }
    }

    /// The coin an account pays its fees in, if that is not the usual one.
    #[must_use]
    pub fn pays_fees_in(&self, account: AccountIndex) -> Option<Asset> {
        let (asset, _) = self.accounts.get(account.0 as usize)?.pays_in?;
        Some(self.assets.asset(asset))
    }
}

/// A fee as it is charged: one in quote becomes one in the owner's coin, rounded up, if there is enough of that.
pub(super) fn fee(
    assets: &Assets,
    owner: &Account,
    quote: AssetIndex,
    (asset, fee): (AssetIndex, i128),
) -> (AssetIndex, i128) {
    let usual = (asset, fee);
    let Some((coin, worth)) = owner.pays_in.filter(|_| asset == quote && fee > 0) else { return usual };
    let Ok(amount) = assets.decimal(quote, fee).checked_div(worth, assets.dp(coin), Rounding::Ceil) else {
        return usual;
    };
    match assets.units(coin, amount) {
        Some(units) if units <= owner.balance(coin).free => (coin, units),
        Some(_) | None => usual,
    }
}
