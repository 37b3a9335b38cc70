//! Random trading by clients and a house account; after every operation the laws of money hold to the last digit,
//! no book is crossed, and the events tell the whole story.

use super::naive::{add, multiply, subtract};
use super::{BASE_FEE, CROSS, NOW, QUOTE_FEE, asset, deposits, exchange};
use cex_core::{Asset, Decimal, Price, Qty, Side, Timestamp};
use cex_sim::matching::{
    AccountIndex, BalanceReason, Exchange, ExchangeEvent, FillView, MarketIndex, NewOrder, NewOrderKind,
    OrderNo, OrderView,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, HashMap};

const OPERATIONS: usize = 200_000;
/// What these come to at least.
const EVENTS: usize = 1_000_000;
const CLIENTS: [&str; 4] = ["one", "two", "three", "four"];
const MARKETS: [MarketIndex; 3] = [QUOTE_FEE, BASE_FEE, CROSS];
const ASSETS: [&str; 3] = ["AAA", "BBB", "QQQ"];

struct Trading {
    seed: u64,
    rng: ChaCha8Rng,
    now: Timestamp,
    exchange: Exchange,
    accounts: Vec<AccountIndex>,
    story: Story,
    events: Vec<ExchangeEvent>,
    told: usize,
}

impl Trading {
    fn new(seed: u64) -> Self {
        let mut exchange = exchange(&CLIENTS);
        exchange.open_house_account(NOW, "house", &deposits());
        let accounts = (0..=CLIENTS.len() as u32).map(AccountIndex).collect();
        let rng = ChaCha8Rng::seed_from_u64(seed);
        let story = Story::default();
        Self { seed, rng, now: NOW, exchange, accounts, story, events: Vec::new(), told: 0 }
    }

    fn below(&mut self, count: u64) -> i64 {
        (self.rng.next_u64() % count) as i64
    }

    fn random_order(&mut self) -> NewOrder {
        let market = MARKETS[self.below(3) as usize];
        let side = if self.below(2) == 0 { Side::Buy } else { Side::Sell };
        let (price, qty) = (Price(80 + self.below(40)), Qty(1 + self.below(200)));
        let kind = match self.below(12) {
            0 => NewOrderKind::PostOnly { price, qty },
            1 | 2 => NewOrderKind::Ioc { price, qty },
            3 => NewOrderKind::Fok { price, qty },
            4 => NewOrderKind::Market { qty },
            5 => NewOrderKind::MarketNotional {
                notional: Decimal::new(i128::from(1 + self.below(1_000_000)), 4),
            },
            _ => NewOrderKind::Limit { price, qty },
        };
        NewOrder { market, client_id: String::new(), side, kind }
    }

    /// One random operation: mostly an order, and a cancel often enough that books stay small.
    fn operate(&mut self) {
        self.now = self.now.shifted(1_000);
        let account = AccountIndex(self.below(5) as u32);
        if account.0 < CLIENTS.len() as u32 && self.below(50) == 0 {
            self.transfer(account);
        }
        let open: Vec<OrderNo> = self.exchange.open_orders(account).map(|order| order.no).collect();
        if open.len() as i64 > self.below(12) {
            let order = open[self.below(open.len() as u64) as usize];
            if self.below(4) == 0 {
                let price = (self.below(2) == 0).then(|| Price(80 + self.below(40)));
                let qty = (self.below(3) > 0).then(|| Qty(1 + self.below(200)));
                // Refused where the rest would be: too small, too poor, would take.
                let _ = self.exchange.amend(self.now, account, order, price, qty);
            } else {
                self.exchange.cancel(self.now, account, order).expect("it is open");
            }
        } else {
            let order = self.random_order();
            // Refusals are part of the game: too small, too poor, would take, cannot fill.
            let _ = self.exchange.place(self.now, account, order);
        }
        self.events.clear();
        self.exchange.drain_events(&mut self.events);
        self.told += self.events.len();
        for event in &self.events {
            self.story.tell(event);
        }
    }

    /// Something goes to another account of its owner, or comes back, if there is as much.
    fn transfer(&mut self, account: AccountIndex) {
        let moved =
            (asset(ASSETS[self.below(3) as usize]), Decimal::new(i128::from(1 + self.below(9_000)), 1));
        let is_outward = self.below(2) == 0;
        let _ = self.exchange.transfer(self.now, account, moved, "elsewhere", is_outward);
    }

    fn check(&self) {
        for name in ASSETS {
            self.check_conservation(asset(name));
        }
        for account in &self.accounts {
            self.check_locks(*account);
        }
        for market in MARKETS {
            let (bid, ask) = (self.exchange.bids(market).next(), self.exchange.asks(market).next());
            if let (Some((bid, _)), Some((ask, _))) = (bid, ask) {
                assert!(bid < ask, "seed {}: {market:?} is crossed", self.seed);
            }
        }
    }

    fn check_conservation(&self, asset: Asset) {
        let others = add(self.exchange.fees(asset), self.exchange.elsewhere(asset));
        let sum = self.accounts.iter().fold(others, |sum, account| {
            let (free, locked) = self.exchange.balance(*account, asset);
            assert!(
                !free.is_negative() && !locked.is_negative(),
                "seed {}: {account:?} {free} {locked}",
                self.seed
            );
            add(sum, add(free, locked))
        });
        assert_eq!(sum, Decimal::from(5 * 1_000), "seed {}: {asset} is conserved", self.seed);
    }

    /// What is locked is what the open orders need, no more and no less.
    fn check_locks(&self, account: AccountIndex) {
        let mut needed: BTreeMap<Asset, Decimal> = BTreeMap::new();
        for order in self.exchange.open_orders(account) {
            let (asset, amount) = need(&self.exchange, order);
            let sum = needed.entry(asset).or_default();
            *sum = add(*sum, amount);
        }
        for name in ASSETS {
            let (_, locked) = self.exchange.balance(account, asset(name));
            let needed = needed.get(&asset(name)).copied().unwrap_or_default();
            assert_eq!(locked, needed, "seed {}: {account:?} {name}", self.seed);
        }
    }
}

fn need(exchange: &Exchange, order: &OrderView) -> (Asset, Decimal) {
    let rules = exchange.rules(order.request.market);
    let (price, qty) = match order.request.kind {
        NewOrderKind::Limit { price, qty } | NewOrderKind::PostOnly { price, qty } => (price, qty),
        other => panic!("{other:?} does not rest"),
    };
    let leaves = rules.scale.qty_value(Qty(qty.0 - order.filled_qty.0));
    match order.request.side {
        Side::Sell => (rules.symbol.base, leaves),
        Side::Buy => {
            let notional = multiply(rules.scale.price_value(price), leaves);
            (rules.symbol.quote, notional)
        }
    }
}

/// The state of everything, as the events tell it.
#[derive(Default)]
struct Story {
    levels: HashMap<(MarketIndex, Side, Price), Qty>,
    versions: HashMap<MarketIndex, u64>,
    trades: HashMap<MarketIndex, u64>,
    balances: HashMap<(AccountIndex, Asset), (Decimal, Decimal)>,
    orders: HashMap<OrderNo, OrderView>,
    fills: Vec<FillView>,
    /// What came from elsewhere, less what went there.
    transferred: HashMap<(AccountIndex, Asset), Decimal>,
}

impl Story {
    fn tell(&mut self, event: &ExchangeEvent) {
        match event {
            ExchangeEvent::Level { market, version, side, price, qty, .. } => {
                let last = self.versions.insert(*market, *version).unwrap_or(1_000_000_000);
                assert_eq!(*version, last + 1, "no version is left out");
                let before = self.levels.insert((*market, *side, *price), *qty).unwrap_or_default();
                assert_ne!(before, *qty, "a level that is told has changed");
            }
            ExchangeEvent::Trade { market, market_trade, .. } => {
                let last = self.trades.insert(*market, *market_trade).unwrap_or(0);
                assert_eq!(*market_trade, last + 1, "no trade is left out");
            }
            ExchangeEvent::Order(order) => {
                self.orders.insert(order.no, OrderView::clone(order));
            }
            ExchangeEvent::Fill(fill) => self.fills.push(FillView::clone(fill)),
            ExchangeEvent::Balance(change) => {
                let balance = self.balances.entry((change.account, change.asset)).or_default();
                *balance = (add(balance.0, change.free_change), add(balance.1, change.locked_change));
                assert_eq!(*balance, (change.free, change.locked), "changes add up");
                if change.reason == BalanceReason::Transfer {
                    let moved = self.transferred.entry((change.account, change.asset)).or_default();
                    *moved = add(*moved, change.free_change);
                }
                assert!(!change.free.is_negative() && !change.locked.is_negative(), "{change:?}");
            }
        }
    }

    /// The story is true and complete.
    fn check(&self, trading: &Trading) {
        let exchange = &trading.exchange;
        for market in MARKETS {
            for (side, levels) in
                [(Side::Buy, exchange.bids(market).count()), (Side::Sell, exchange.asks(market).count())]
            {
                let told = self
                    .levels
                    .iter()
                    .filter(|((at, of, _), qty)| (*at, *of) == (market, side) && !qty.is_zero());
                assert_eq!(told.count(), levels, "seed {}", trading.seed);
            }
            assert_eq!(self.versions.get(&market), Some(&exchange.version(market)), "seed {}", trading.seed);
        }
        for ((market, side, price), qty) in &self.levels {
            assert_eq!(exchange.level(*market, *side, *price), *qty, "seed {}", trading.seed);
        }
        for account in &trading.accounts[..CLIENTS.len()] {
            for (asset, free, locked) in exchange.balances(*account) {
                assert_eq!(self.balances[&(*account, asset)], (free, locked), "seed {}", trading.seed);
            }
            for order in exchange.orders(*account) {
                assert_eq!(self.orders.get(&order.no), Some(order), "seed {}", trading.seed);
            }
            let told: Vec<&FillView> = self.fills.iter().filter(|fill| fill.account == *account).collect();
            assert_eq!(told, exchange.fills(*account).iter().collect::<Vec<_>>(), "seed {}", trading.seed);
            check_ledger(exchange, *account, &self.transferred);
        }
    }
}

/// The orders add up from the ledger, and so does the balance: deposit plus what was transferred plus fills less fees.
fn check_ledger(
    exchange: &Exchange,
    account: AccountIndex,
    transferred: &HashMap<(AccountIndex, Asset), Decimal>,
) {
    let moved = |asset| transferred.get(&(account, asset)).copied().unwrap_or_default();
    let deposits = deposits().into_iter().map(|(asset, amount)| (asset, add(amount, moved(asset))));
    let mut balances: BTreeMap<Asset, Decimal> = deposits.collect();
    let mut orders: HashMap<OrderNo, (i64, Decimal, Decimal)> = HashMap::new();
    for fill in exchange.fills(account) {
        let rules = exchange.rules(fill.market);
        let qty = rules.scale.qty_value(fill.qty);
        assert_eq!(fill.notional, multiply(rules.scale.price_value(fill.price), qty));
        let (gets, got, gives, gave) = match fill.side {
            Side::Buy => (rules.symbol.base, qty, rules.symbol.quote, fill.notional),
            Side::Sell => (rules.symbol.quote, fill.notional, rules.symbol.base, qty),
        };
        balances.entry(gets).and_modify(|sum| *sum = add(*sum, got));
        balances.entry(gives).and_modify(|sum| *sum = subtract(*sum, gave));
        balances.entry(fill.fee_asset).and_modify(|sum| *sum = subtract(*sum, fill.fee));
        let order = orders.entry(fill.order).or_default();
        let is_usual = exchange.order(fill.order).is_some_and(|order| order.fee_asset == fill.fee_asset);
        let fee = if is_usual { fill.fee } else { Decimal::ZERO };
        *order = (order.0 + fill.qty.0, add(order.1, fill.notional), add(order.2, fee));
    }
    for (asset, free, locked) in exchange.balances(account) {
        assert_eq!(balances[&asset], add(free, locked));
    }
    for order in exchange.orders(account) {
        let (qty, notional, fee) = orders.get(&order.no).copied().unwrap_or_default();
        assert_eq!((order.filled_qty.0, order.filled_notional, order.fee), (qty, notional, fee));
    }
}

#[test]
fn money_is_conserved_after_every_operation() {
    let mut trading = Trading::new(20_261_121);
    for _ in 0..OPERATIONS {
        trading.operate();
        trading.check();
    }
    trading.story.check(&trading);
    assert!(trading.told >= EVENTS, "only {} events", trading.told);
    let traded: u64 = trading.story.trades.values().sum();
    assert!(traded > OPERATIONS as u64 / 20, "{traded} trades are trading worth the name");
    assert!(!trading.story.transferred.is_empty(), "something was transferred");
}
