//! One account: balances, open orders, history.

use super::book::OrderSlot;
use super::orders::{Links, Orders};
use super::types::{AccountView, FillView};
use super::units::AssetIndex;
use cex_core::Decimal;
use std::collections::{HashMap, VecDeque};

/// How many ended orders a house account remembers. Market makers place millions; nobody asks for them by number
/// long after.
pub(super) const HOUSE_ORDERS_KEPT: usize = 256;

/// What an account has of one asset, in smallest units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Balance {
    pub(super) free: i128,
    pub(super) locked: i128,
    /// Whether the account ever had any.
    pub(super) touched: bool,
}

/// An account with what its owner does not see.
#[derive(Debug, Clone)]
pub(super) struct Account {
    pub(super) view: AccountView,
    /// House accounts bring the market's liquidity: no events, no ledger, a short memory of ended orders.
    pub(super) is_house: bool,
    balances: Vec<Balance>,
    /// The exact ledger, oldest first; empty for house accounts.
    pub(super) fills: Vec<FillView>,
    /// All orders, oldest first; empty for house accounts.
    all: Vec<OrderSlot>,
    /// The last ended orders of a house account, in the order they ended.
    ended: VecDeque<OrderSlot>,
    /// Ends of the chain of open orders.
    oldest: Option<OrderSlot>,
    newest: Option<OrderSlot>,
    by_client_id: HashMap<String, OrderSlot>,
    /// The coin it pays fees in while that lasts, and what one is worth in quote.
    pub(super) pays_in: Option<(AssetIndex, Decimal)>,
}

impl Account {
    pub(super) fn new(view: AccountView, is_house: bool) -> Self {
        Self {
            view,
            is_house,
            balances: Vec::new(),
            fills: Vec::new(),
            all: Vec::new(),
            ended: VecDeque::new(),
            oldest: None,
            newest: None,
            by_client_id: HashMap::new(),
            pays_in: None,
        }
    }

    pub(super) fn balance(&self, asset: AssetIndex) -> Balance {
        self.balances.get(asset.index()).copied().unwrap_or_default()
    }

    pub(super) fn balances(&self) -> &[Balance] {
        &self.balances
    }

    /// Changes a balance. Answers it as it stands after.
    pub(super) fn shift(&mut self, asset: AssetIndex, free: i128, locked: i128) -> Balance {
        if self.balances.len() <= asset.index() {
            self.balances.resize(asset.index() + 1, Balance::default());
        }
        let balance = &mut self.balances[asset.index()];
        balance.free += free;
        balance.locked += locked;
        balance.touched = true;
        debug_assert!(balance.free >= 0 && balance.locked >= 0, "{}: {balance:?}", self.view.name);
        *balance
    }

    /// Enters a new order, open until told otherwise.
    pub(super) fn opened(&mut self, orders: &mut Orders, slot: OrderSlot) {
        orders.links_mut(slot).older = self.newest;
        match self.newest.replace(slot) {
            Some(before) => orders.links_mut(before).newer = Some(slot),
            None => self.oldest = Some(slot),
        }
        if self.is_house {
            return;
        }
        self.all.push(slot);
        let client_id = &orders.get(slot).view.request.client_id;
        if !client_id.is_empty() {
            self.by_client_id.insert(client_id.clone(), slot);
        }
    }

    /// An open order has ended; a house account forgets its oldest ended one in return.
    pub(super) fn ended(&mut self, orders: &mut Orders, slot: OrderSlot) {
        let Links { older, newer } = orders.links(slot);
        match older {
            Some(older) => orders.links_mut(older).newer = newer,
            None => self.oldest = newer,
        }
        match newer {
            Some(newer) => orders.links_mut(newer).older = older,
            None => self.newest = older,
        }
        if !self.is_house {
            return;
        }
        self.ended.push_back(slot);
        if self.ended.len() > HOUSE_ORDERS_KEPT
            && let Some(oldest) = self.ended.pop_front()
        {
            orders.forget(oldest);
        }
    }

    /// The newest order with this client order id.
    pub(super) fn by_client_id(&self, client_id: &str) -> Option<OrderSlot> {
        self.by_client_id.get(client_id).copied()
    }

    /// Open orders, oldest first.
    pub(super) fn open<'a>(&self, orders: &'a Orders) -> impl Iterator<Item = OrderSlot> + use<'a> {
        std::iter::successors(self.oldest, |slot| orders.links(*slot).newer)
    }

    /// All orders, oldest first; of a house account the last ended ones and then the open ones.
    pub(super) fn orders<'a>(&'a self, orders: &'a Orders) -> impl Iterator<Item = OrderSlot> + use<'a> {
        let open = self.is_house.then(|| self.open(orders)).into_iter().flatten();
        self.all.iter().chain(&self.ended).copied().chain(open)
    }
}
