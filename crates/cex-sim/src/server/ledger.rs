//! The simulator's books, exact: what a client's own reckoning is compared with.

use super::config::{SimAccount, SimExchange};
use crate::matching::{AccountIndex, BalanceReason, Exchange, ExchangeEvent, OrderNo, TradeNo};
use cex_core::{Asset, Decimal, OrderStatus, Side, Symbol, Timestamp};

/// All accounts of clients on all exchanges, at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ledger {
    /// When the ledger was read, by the simulator's clock.
    pub as_of: Timestamp,
    /// By exchange and account, in the order of the configuration.
    pub accounts: Vec<AccountLedger>,
}

impl Ledger {
    /// The account of this name on an exchange.
    #[must_use]
    pub fn account(&self, exchange: SimExchange, name: &str) -> Option<&AccountLedger> {
        self.accounts.iter().find(|account| account.exchange == exchange && account.name == name)
    }
}

/// An account's part of the ledger. What it had, plus what its fills moved, less their fees, is what it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountLedger {
    /// Exchange the account is at.
    pub exchange: SimExchange,
    /// Name of the account.
    pub name: String,
    /// What it was opened with.
    pub deposits: Vec<(Asset, Decimal)>,
    /// What it has: asset, free, locked.
    pub balances: Vec<(Asset, Decimal, Decimal)>,
    /// What was traded, oldest first.
    pub fills: Vec<LedgerFill>,
    /// Every order ever accepted, oldest first.
    pub orders: Vec<LedgerOrder>,
}

/// One side of an execution, in exact decimals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerFill {
    /// Symbol that was traded.
    pub symbol: Symbol,
    /// Number of the trade.
    pub trade: TradeNo,
    /// Number of the order.
    pub order: OrderNo,
    /// Client order id as the client spelt it on the wire; empty for none.
    pub client_id: String,
    /// Side of the order.
    pub side: Side,
    /// Price.
    pub price: Decimal,
    /// Base quantity, before fees.
    pub qty: Decimal,
    /// Price times quantity.
    pub notional: Decimal,
    /// Fee charged.
    pub fee: Decimal,
    /// What it was taken in.
    pub fee_asset: Asset,
    /// Whether the order was the resting one.
    pub is_maker: bool,
    /// When it was executed, by the exchange's clock.
    pub at: Timestamp,
}

/// An order as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerOrder {
    /// Symbol the order trades.
    pub symbol: Symbol,
    /// Number of the order.
    pub order: OrderNo,
    /// Client order id as the client spelt it on the wire; empty for none.
    pub client_id: String,
    /// Side.
    pub side: Side,
    /// State of the order.
    pub status: OrderStatus,
    /// Filled base, before fees.
    pub filled_qty: Decimal,
    /// Quote turned over, before fees.
    pub filled_notional: Decimal,
    /// When it was accepted, by the exchange's clock.
    pub created_at: Timestamp,
    /// Whether the exchange pretends not to know it.
    pub is_hidden: bool,
}

/// The part of one account.
pub(super) fn account(
    exchange: SimExchange,
    state: &Exchange,
    account: &SimAccount,
    deposits: &[(Asset, Decimal)],
) -> Option<AccountLedger> {
    let index = state.account_by_key(&account.key)?;
    Some(AccountLedger {
        exchange,
        name: account.name.clone(),
        deposits: deposits.to_vec(),
        balances: state.balances(index).collect(),
        fills: fills(state, index, 0),
        orders: orders(state, index),
    })
}

/// What was transferred away was deposited less; what came back was deposited.
pub(super) fn enter_transfers(deposits: &mut [Vec<(Asset, Decimal)>], events: &[ExchangeEvent]) {
    for event in events {
        let ExchangeEvent::Balance(change) = event else { continue };
        if change.reason != BalanceReason::Transfer {
            continue;
        }
        // Clients' accounts were opened first, in the order of the configuration.
        let Some(sums) = deposits.get_mut(change.account.0 as usize) else { continue };
        match sums.iter_mut().find(|(known, _)| *known == change.asset) {
            Some((_, sum)) => *sum = sum.checked_add(change.free_change).unwrap_or(*sum),
            None => sums.push((change.asset, change.free_change)),
        }
    }
}

/// The fills of an account beyond the first `known`.
pub(super) fn fills(state: &Exchange, account: AccountIndex, known: usize) -> Vec<LedgerFill> {
    let entry = |fill: &crate::matching::FillView| {
        let rules = state.rules(fill.market);
        LedgerFill {
            symbol: rules.symbol,
            trade: fill.trade,
            order: fill.order,
            client_id: fill.client_id.clone(),
            side: fill.side,
            price: rules.scale.price_value(fill.price),
            qty: rules.scale.qty_value(fill.qty),
            notional: fill.notional,
            fee: fill.fee,
            fee_asset: fill.fee_asset,
            is_maker: fill.is_maker,
            at: fill.at,
        }
    };
    state.fills(account).iter().skip(known).map(entry).collect()
}

pub(super) fn orders(state: &Exchange, account: AccountIndex) -> Vec<LedgerOrder> {
    let entry = |order: &crate::matching::OrderView| {
        let rules = state.rules(order.request.market);
        LedgerOrder {
            symbol: rules.symbol,
            order: order.no,
            client_id: order.request.client_id.clone(),
            side: order.request.side,
            status: order.status,
            filled_qty: rules.scale.qty_value(order.filled_qty),
            filled_notional: order.filled_notional,
            created_at: order.created_at,
            is_hidden: state.is_hidden(order.no),
        }
    };
    state.all_orders(account).map(entry).collect()
}
