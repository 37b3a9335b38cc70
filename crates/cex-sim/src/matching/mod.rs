//! One exchange: books, orders, accounts, fees. Pure: time is an argument, nothing is random, nothing is rounded.
//!
//! | module | what |
//! |---|---|
//! | `types` | the words: rules, orders, rejects, views, events |
//! | `book` | price-time priority, nothing of money |
//! | `listing` | a market's rules as integers; checks an order, computes locks and fees |
//! | `trade` | placing, cancelling, executing: the only code that moves money |
//! | `house` | the same for those who bring liquidity |
//! | `amend` | changing an open order |
//! | `selftrade` | orders that would meet their own |
//! | `transfer` | to the exchange's other accounts and back |
//! | `mischief`, `misfortune` | what goes wrong inside on request, and what becomes of orders then |
//! | `orders`, `account`, `units` | the tables behind |
//!
//! # Money
//!
//! Amounts are integers of each asset's smallest unit, which is so fine that every fee is exact. Whatever happens,
//! free plus locked over all accounts plus fees collected plus what was transferred elsewhere equals what was deposited, to the last digit; no balance is
//! ever negative. An order locks what it may spend when it is placed: a sale its quantity, a purchase price times
//! quantity. A better price gives the difference back. Fees are no part of it: they are taken from what is free, which
//! for a buyer who pays them in quote may be too little. Then the fee of that execution is taken in base, of which he has
//! just got more. An account may trade with itself, unless it asks not to.
//!
//! # Order of events
//!
//! A placement: `Balance(OrderPlaced)`; `Order(New)` if some of it will rest; for each execution `Level`, `Trade`, the
//! maker's `Fill`, `Balance`s and `Order`, the taker's `Fill` and `Balance`s; then the taker's
//! `Balance(OrderReleased)` if anything came back, its `Order` if anything was filled or it ended, and the `Level` it
//! rests at. The balances of one side of an execution: what it spent (`Fill`), what it got (`Fill`), its fee (`Fee`,
//! unless zero), and for a maker what came back (`OrderReleased`, unless nothing).
//!
//! A cancel: `Level`, `Balance(OrderReleased)`, `Order`.

mod account;
mod amend;
mod book;
mod house;
mod listing;
mod mischief;
mod misfortune;
mod orders;
mod outsiders;
mod platform;
mod selftrade;
mod trade;
mod transfer;
mod types;
mod units;

pub use selftrade::SelfTrade;
pub use types::{
    AccountIndex, AccountView, BalanceChange, BalanceReason, BuyFee, EndReason, ExchangeEvent, FillView,
    MarketIndex, MarketRules, NewOrder, NewOrderKind, OrderNo, OrderView, PublicTrade, Reject, TradeNo,
};

use account::Account;
use book::OrderSlot;
use cex_core::{Asset, Decimal, Price, Qty, Side, Symbol, Timestamp};
use listing::Listing;
use mischief::Mischief;
use orders::Orders;
pub(crate) use orders::Resting;
use std::collections::{BTreeMap, HashMap};
use units::Assets;

/// A simulated exchange: markets, accounts and what happened so far.
///
/// Indices of markets and accounts come from this exchange; one of another exchange is a programming error and may
/// panic. Order and market numbers that come from clients are looked up and may be wrong.
#[derive(Debug, Clone)]
pub struct Exchange {
    name: String,
    rules: Vec<MarketRules>,
    listings: Vec<Listing>,
    by_symbol: HashMap<Symbol, MarketIndex>,
    assets: Assets,
    accounts: Vec<Account>,
    by_key: HashMap<String, AccountIndex>,
    orders: Orders,
    /// Number of the last trade.
    trades: u64,
    /// Fees taken so far by asset, in smallest units.
    fees: Vec<i128>,
    /// What was transferred to other accounts: whose, where, and how much of what, in smallest units.
    elsewhere: BTreeMap<(AccountIndex, &'static str, Asset), i128>,
    /// Everything ever deposited by asset, in smallest units: no balance can grow beyond.
    supply: Vec<i128>,
    refuses_duplicate_client_ids: bool,
    mischief: Mischief,
    events: Vec<ExchangeEvent>,
}

impl Exchange {
    /// An exchange with these markets and no accounts. The first of two markets with the same symbol is found by
    /// symbol.
    ///
    /// # Panics
    ///
    /// When a market's rules cannot be counted exactly: more than 38 decimals in price, quantity and fee together,
    /// or a fee of 100 % and more.
    #[must_use]
    pub fn new(name: &str, markets: Vec<MarketRules>) -> Self {
        let assets = Assets::new(&markets);
        let listings = markets.iter().map(|rules| Listing::new(rules, &assets)).collect();
        let mut by_symbol = HashMap::new();
        for (index, rules) in (0..).zip(&markets) {
            by_symbol.entry(rules.symbol).or_insert(MarketIndex(index));
        }
        Self {
            name: name.to_owned(),
            rules: markets,
            listings,
            by_symbol,
            assets,
            accounts: Vec::new(),
            by_key: HashMap::new(),
            orders: Orders::default(),
            trades: 0,
            fees: Vec::new(),
            elsewhere: BTreeMap::new(),
            supply: Vec::new(),
            refuses_duplicate_client_ids: false,
            mischief: Mischief::default(),
            events: Vec::new(),
        }
    }

    /// Whether a client order id that the account used before is refused. Without this, the default, a lookup by
    /// client order id finds the newest.
    pub const fn refuse_duplicate_client_ids(&mut self, refuse: bool) {
        self.refuses_duplicate_client_ids = refuse;
    }

    /// The name it was given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Opens an account for a client. What of a deposit is finer than the asset's smallest unit is cut off.
    ///
    /// # Panics
    ///
    /// When a deposit is negative or all deposits of an asset cannot be counted.
    pub fn open_account(
        &mut self,
        now: Timestamp,
        name: &str,
        key: &str,
        secret: &str,
        deposits: &[(Asset, Decimal)],
    ) -> AccountIndex {
        let (key, secret) = (key.to_owned(), secret.to_owned());
        let view = AccountView { index: self.next_account(), name: name.to_owned(), key, secret };
        self.by_key.insert(view.key.clone(), view.index);
        self.open(now, view, false, deposits)
    }

    /// Opens an account that brings liquidity: it trades like any other, but tells nothing. It has no key, no events
    /// of its own, no ledger, and remembers only its last ended orders.
    ///
    /// # Panics
    ///
    /// As [`Self::open_account`].
    pub fn open_house_account(
        &mut self,
        now: Timestamp,
        name: &str,
        deposits: &[(Asset, Decimal)],
    ) -> AccountIndex {
        let (key, secret) = (String::new(), String::new());
        let view = AccountView { index: self.next_account(), name: name.to_owned(), key, secret };
        self.open(now, view, true, deposits)
    }

    fn next_account(&self) -> AccountIndex {
        AccountIndex(u32::try_from(self.accounts.len()).expect("fewer than 2^32 accounts"))
    }

    fn open(
        &mut self,
        now: Timestamp,
        view: AccountView,
        is_house: bool,
        deposits: &[(Asset, Decimal)],
    ) -> AccountIndex {
        let index = view.index;
        self.accounts.push(Account::new(view, is_house));
        for (asset, amount) in deposits {
            let asset = self.assets.index_or_insert(*asset);
            let units = self.assets.units(asset, *amount).filter(|units| *units >= 0);
            let units = units.expect("a deposit is positive and can be counted");
            self.supply.resize(self.assets.len(), 0);
            let supply = &mut self.supply[asset.index()];
            *supply = supply.checked_add(units).expect("all deposits of an asset together can be counted");
            self.shift(now, index, asset, units, 0, BalanceReason::Deposit);
        }
        index
    }

    /// The account with this API key.
    #[must_use]
    pub fn account_by_key(&self, key: &str) -> Option<AccountIndex> {
        self.by_key.get(key).copied()
    }

    /// Who an account belongs to.
    #[must_use]
    pub fn account(&self, index: AccountIndex) -> &AccountView {
        &self.owner(index).view
    }

    /// The rules of all markets; a market's index is its position.
    #[must_use]
    pub fn markets(&self) -> &[MarketRules] {
        &self.rules
    }

    /// The market of a symbol.
    #[must_use]
    pub fn market_by_symbol(&self, symbol: Symbol) -> Option<MarketIndex> {
        self.by_symbol.get(&symbol).copied()
    }

    /// The rules of a market.
    #[must_use]
    pub fn rules(&self, market: MarketIndex) -> &MarketRules {
        &self.rules[market.0 as usize]
    }

    /// How often the market's levels have changed, counted from 1,000,000,000.
    #[must_use]
    pub fn version(&self, market: MarketIndex) -> u64 {
        self.listing(market).version
    }

    /// Bid levels, best first.
    pub fn bids(&self, market: MarketIndex) -> impl Iterator<Item = (Price, Qty)> {
        self.listing(market).book.levels(Side::Buy)
    }

    /// Ask levels, best first.
    pub fn asks(&self, market: MarketIndex) -> impl Iterator<Item = (Price, Qty)> {
        self.listing(market).book.levels(Side::Sell)
    }

    /// Levels of a side behind a price, best first; all of them behind none. `Buy` is the bid side.
    pub fn levels_behind(
        &self,
        market: MarketIndex,
        side: Side,
        price: Option<Price>,
    ) -> impl Iterator<Item = (Price, Qty)> {
        self.listing(market).book.levels_behind(side, price)
    }

    /// What rests at a price: `Buy` is the bid side.
    #[must_use]
    pub fn level(&self, market: MarketIndex, side: Side, price: Price) -> Qty {
        self.listing(market).book.level(side, price)
    }

    /// Price of the last trade.
    #[must_use]
    pub fn last_price(&self, market: MarketIndex) -> Option<Price> {
        self.listing(market).recent.back().map(|trade| trade.price)
    }

    /// The last thousand trades of a market, oldest first.
    pub fn recent_trades(&self, market: MarketIndex) -> impl DoubleEndedIterator<Item = &PublicTrade> {
        self.listing(market).recent.iter()
    }

    /// An order by its number: any of a client, the open and last ended ones of a house account.
    #[must_use]
    pub fn order(&self, no: OrderNo) -> Option<&OrderView> {
        let slot = self.orders.slot_of(no).filter(|_| !self.is_hidden(no))?;
        Some(&self.orders.get(slot).view)
    }

    /// The newest order of an account with this client order id.
    #[must_use]
    pub fn order_by_client_id(&self, account: AccountIndex, client_id: &str) -> Option<&OrderView> {
        let found = self.owner(account).by_client_id(client_id).map(|slot| &self.orders.get(slot).view);
        found.filter(|order| !self.is_hidden(order.no))
    }

    /// Open orders of an account, oldest first.
    pub fn open_orders(&self, account: AccountIndex) -> impl Iterator<Item = &OrderView> {
        self.views(self.owner(account).open(&self.orders)).filter(|order| !self.is_hidden(order.no))
    }

    /// All orders of an account, oldest first. Of a house account: the last ended ones in the order they ended, then
    /// the open ones.
    pub fn orders(&self, account: AccountIndex) -> impl Iterator<Item = &OrderView> {
        self.views(self.owner(account).orders(&self.orders)).filter(|order| !self.is_hidden(order.no))
    }

    fn views(&self, slots: impl Iterator<Item = OrderSlot>) -> impl Iterator<Item = &OrderView> {
        slots.map(|slot| &self.orders.get(slot).view)
    }

    /// The exact ledger of an account, oldest first; empty for house accounts.
    #[must_use]
    pub fn fills(&self, account: AccountIndex) -> &[FillView] {
        &self.owner(account).fills
    }

    /// What an account has of an asset: free and locked.
    #[must_use]
    pub fn balance(&self, account: AccountIndex, asset: Asset) -> (Decimal, Decimal) {
        let Some(asset) = self.assets.index_of(asset) else { return (Decimal::ZERO, Decimal::ZERO) };
        let balance = self.owner(account).balance(asset);
        (self.assets.decimal(asset, balance.free), self.assets.decimal(asset, balance.locked))
    }

    /// Everything an account has or ever had: asset, free, locked.
    pub fn balances(&self, account: AccountIndex) -> impl Iterator<Item = (Asset, Decimal, Decimal)> {
        let touched =
            self.assets.iter().zip(self.owner(account).balances()).filter(|(_, balance)| balance.touched);
        touched.map(|(asset, balance)| {
            let value = |units| self.assets.decimal(asset, units);
            (self.assets.asset(asset), value(balance.free), value(balance.locked))
        })
    }

    /// Fees collected so far in an asset, rebates subtracted.
    #[must_use]
    pub fn fees(&self, asset: Asset) -> Decimal {
        let Some(asset) = self.assets.index_of(asset) else { return Decimal::ZERO };
        self.assets.decimal(asset, self.fees.get(asset.index()).copied().unwrap_or(0))
    }

    /// Moves what happened since the last call to the end of `into`, oldest first.
    pub fn drain_events(&mut self, into: &mut Vec<ExchangeEvent>) {
        into.append(&mut self.events);
    }

    fn listing(&self, market: MarketIndex) -> &Listing {
        &self.listings[market.0 as usize]
    }

    fn owner(&self, account: AccountIndex) -> &Account {
        &self.accounts[account.0 as usize]
    }
}
