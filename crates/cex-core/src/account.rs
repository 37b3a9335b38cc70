//! What an account holds and pays, and what can be moved.

use crate::decimal::Decimal;
use crate::num::{Bps, NumError};
use crate::symbol::{Asset, SymbolId};
use crate::time::Timestamp;

/// What an account holds of one asset, exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Balance {
    /// The asset that is held.
    pub asset: Asset,
    /// What may be spent, in units of the asset.
    pub free: Decimal,
    /// What open orders hold back, in units of the asset.
    pub locked: Decimal,
    /// When this was true by the exchange's clock; the epoch when not said.
    pub as_of: Timestamp,
}

impl Balance {
    /// Free and locked together.
    pub fn total(&self) -> Result<Decimal, NumError> {
        self.free.checked_add(self.locked)
    }
}

/// All an account holds, and what it may do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Account {
    /// Balances; an asset not listed is zero.
    pub balances: Vec<Balance>,
    /// Whether orders may be placed; `None` when the exchange does not say.
    pub can_trade: Option<bool>,
    /// Whether coins may be moved out with this key; `None` when the exchange does not say.
    pub can_withdraw: Option<bool>,
}

impl Account {
    /// The balance of one asset, if listed.
    #[must_use]
    pub fn balance(&self, asset: Asset) -> Option<&Balance> {
        self.balances.iter().find(|balance| balance.asset == asset)
    }
}

/// What this account pays for trading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TradingFee {
    /// The symbol; `None` when the fee holds for the whole account.
    pub symbol: Option<SymbolId>,
    /// For resting orders; negative is a rebate.
    pub maker: Bps,
    /// For taking orders.
    pub taker: Bps,
    /// Which kind of points pays fees there, where there are such.
    pub point_type: Option<u8>,
}

/// One chain an asset can move over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkInfo {
    /// The exchange's name of the chain.
    pub network: String,
    /// The token's contract; `None` for a chain's own coin or where the exchange does not say.
    pub contract: Option<String>,
    /// Whether deposits over it are open.
    pub deposit_enabled: bool,
    /// Whether withdrawals over it are open.
    pub withdraw_enabled: bool,
    /// Cost of a withdrawal, in the asset.
    pub withdraw_fee: Option<Decimal>,
    /// Least withdrawal, in the asset.
    pub withdraw_min: Option<Decimal>,
    /// Largest withdrawal, in the asset.
    pub withdraw_max: Option<Decimal>,
    /// Confirmations a deposit needs.
    pub min_confirmations: Option<u32>,
    /// Whether an address is shared, so that a transfer needs a memo; `None` where the exchange does not say.
    pub needs_memo: Option<bool>,
    /// What the exchange says to whoever deposits, in its words.
    pub deposit_note: Option<String>,
    /// What it says to whoever withdraws.
    pub withdraw_note: Option<String>,
}

/// An asset and the chains it can move over: what decides whether two tickers are the same coin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssetInfo {
    /// Ticker.
    pub asset: Asset,
    /// Name for people.
    pub name: String,
    /// Whether trading of the coin is on.
    pub trade_enabled: bool,
    /// Chains.
    pub networks: Vec<NetworkInfo>,
}
