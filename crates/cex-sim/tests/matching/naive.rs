//! A matcher too simple to be wrong: one list of orders, sorted anew for every order, money in exact decimals.

use cex_core::{Asset, Decimal, OrderStatus, Price, Qty, Rounding, Side};
use cex_sim::matching::{BuyFee, EndReason, MarketRules, NewOrder, NewOrderKind, Reject};
use std::collections::BTreeMap;

pub(crate) fn add(left: Decimal, right: Decimal) -> Decimal {
    left.checked_add(right).expect("sums of tests fit")
}

pub(crate) fn subtract(left: Decimal, right: Decimal) -> Decimal {
    left.checked_sub(right).expect("differences of tests fit")
}

pub(crate) fn multiply(left: Decimal, right: Decimal) -> Decimal {
    left.checked_mul(right).expect("products of tests fit")
}

/// One side of an execution: account, order by position, price, quantity, fee, whether it rested.
pub(crate) type Fill = (usize, usize, i64, i64, Decimal, bool);

#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) account: usize,
    pub(crate) request: NewOrder,
    pub(crate) price: Option<i64>,
    pub(crate) leaves: i64,
    pub(crate) is_open: bool,
    pub(crate) status: OrderStatus,
    pub(crate) end: EndReason,
    pub(crate) filled: i64,
    pub(crate) turnover: Decimal,
    pub(crate) fee: Decimal,
    /// What it still holds of what it spends while it arrives.
    held: Decimal,
}

pub(crate) struct Naive {
    pub(crate) markets: Vec<MarketRules>,
    /// Orders in the order they came: position plus one is the number.
    pub(crate) orders: Vec<Order>,
    /// Everything an account has, locked or not.
    pub(crate) total: BTreeMap<(usize, Asset), Decimal>,
    pub(crate) fees: BTreeMap<Asset, Decimal>,
    pub(crate) fills: Vec<Fill>,
}

impl Naive {
    pub(crate) fn new(markets: Vec<MarketRules>, accounts: usize, deposits: &[(Asset, Decimal)]) -> Self {
        let own = |account| deposits.iter().map(move |(asset, amount)| ((account, *asset), *amount));
        let total = (0..accounts).flat_map(own).collect();
        Self { markets, orders: Vec::new(), total, fees: BTreeMap::new(), fills: Vec::new() }
    }

    /// What an open order needs: its rest.
    fn need(&self, order: &Order) -> Decimal {
        let rules = &self.markets[order.request.market.0 as usize];
        let qty = rules.scale.qty_value(Qty(order.leaves));
        match (order.request.side, order.price) {
            (Side::Buy, Some(price)) => multiply(rules.scale.price_value(Price(price)), qty),
            (Side::Buy, None) => Decimal::ZERO,
            (Side::Sell, _) => qty,
        }
    }

    pub(crate) fn locked(&self, account: usize, asset: Asset) -> Decimal {
        let own = self.orders.iter().filter(|order| order.is_open && order.account == account);
        let spends = |order: &&Order| {
            let symbol = self.markets[order.request.market.0 as usize].symbol;
            asset == if order.request.side == Side::Buy { symbol.quote } else { symbol.base }
        };
        own.filter(spends).fold(Decimal::ZERO, |sum, order| add(sum, self.need(order)))
    }

    pub(crate) fn free(&self, account: usize, asset: Asset) -> Decimal {
        subtract(self.total[&(account, asset)], self.locked(account, asset))
    }

    /// Levels of a side, best first.
    pub(crate) fn levels(&self, market: usize, side: Side) -> Vec<(i64, i64)> {
        let mut levels: BTreeMap<i64, i64> = BTreeMap::new();
        for order in self.queue(market, side) {
            let order = &self.orders[order];
            *levels.entry(order.price.expect("only limit orders rest")).or_default() += order.leaves;
        }
        let sorted = levels.into_iter();
        if side == Side::Buy { sorted.rev().collect() } else { sorted.collect() }
    }

    /// Positions of the resting orders of a side, next to trade first.
    fn queue(&self, market: usize, side: Side) -> Vec<usize> {
        let rests = |order: &Order| {
            order.is_open && order.request.market.0 as usize == market && order.request.side == side
        };
        let mut queue: Vec<usize> = (0..self.orders.len()).filter(|at| rests(&self.orders[*at])).collect();
        let rank = |at: &usize| match side {
            Side::Buy => (self.orders[*at].price.map(|price| -price), *at),
            Side::Sell => (self.orders[*at].price, *at),
        };
        queue.sort_by_key(rank);
        queue
    }

    /// What an order would trade: position of the maker and quantity.
    fn matches(&self, order: &NewOrder) -> Vec<(usize, i64)> {
        let (limit, mut leaves, mut budget) = self.bounds(order);
        let mut matches = Vec::new();
        for maker in self.queue(order.market.0 as usize, order.side.opposite()) {
            let (price, available) = (self.orders[maker].price.expect("it rests"), self.orders[maker].leaves);
            let reaches = limit
                .is_none_or(|limit| if order.side == Side::Buy { price <= limit } else { price >= limit });
            let qty =
                available.min(leaves).min(i64::try_from(budget / i128::from(price)).unwrap_or(i64::MAX));
            if !reaches || qty == 0 {
                break;
            }
            matches.push((maker, qty));
            leaves -= qty;
            budget -= i128::from(price) * i128::from(qty);
            if qty < available {
                break;
            }
        }
        matches
    }

    /// Limit, quantity and notional an order keeps to.
    fn bounds(&self, order: &NewOrder) -> (Option<i64>, i64, i128) {
        let scale = self.markets[order.market.0 as usize].scale;
        match order.kind {
            NewOrderKind::Limit { price, qty }
            | NewOrderKind::PostOnly { price, qty }
            | NewOrderKind::Ioc { price, qty }
            | NewOrderKind::Fok { price, qty } => (Some(price.0), qty.0, i128::MAX),
            NewOrderKind::Market { qty } => (None, qty.0, i128::MAX),
            NewOrderKind::MarketNotional { notional } => {
                let dp = scale.price_dp() + scale.qty_dp();
                (
                    None,
                    i64::MAX,
                    notional.to_scaled_wide(dp, Some(Rounding::Down)).expect("budgets of tests fit"),
                )
            }
        }
    }

    pub(crate) fn place(&mut self, account: usize, order: &NewOrder) -> Result<usize, Reject> {
        let rules = self.markets[order.market.0 as usize].clone();
        let matches = self.matches(order);
        let taken: i64 = matches.iter().map(|(_, qty)| qty).sum();
        let (limit, qty, budget) = self.bounds(order);
        let value = |price: i64, qty: i64| {
            multiply(rules.scale.price_value(Price(price)), rules.scale.qty_value(Qty(qty)))
        };
        let turnover = |naive: &Self| {
            let prices =
                matches.iter().map(|(maker, qty)| (naive.orders[*maker].price.expect("it rests"), *qty));
            prices.fold(Decimal::ZERO, |sum, (price, qty)| add(sum, value(price, qty)))
        };
        let best =
            self.levels(order.market.0 as usize, order.side.opposite()).first().map(|(price, _)| *price);
        let worth = match order.kind {
            NewOrderKind::MarketNotional { .. } => {
                Some(Decimal::new(budget, rules.scale.price_dp() + rules.scale.qty_dp()))
            }
            _ => limit.or(best).map(|price| value(price, qty)),
        };
        let by_notional = matches!(order.kind, NewOrderKind::MarketNotional { .. });
        if !by_notional && Qty(qty) < rules.min_qty {
            return Err(Reject::BelowMinQty);
        }
        if worth.is_some_and(|worth| worth < rules.min_notional) {
            return Err(Reject::BelowMinNotional(rules.min_notional));
        }
        match order.kind {
            NewOrderKind::PostOnly { .. } if taken > 0 => return Err(Reject::WouldTake),
            NewOrderKind::Fok { .. } if taken < qty => return Err(Reject::CannotFill),
            _ => {}
        }
        let qty = if by_notional { taken } else { qty };
        let (spends, needed) = match order.side {
            Side::Sell => (rules.symbol.base, rules.scale.qty_value(Qty(qty))),
            Side::Buy => {
                let notional = match (limit, by_notional) {
                    (Some(limit), _) => value(limit, qty),
                    (None, true) => worth.expect("an order by notional has one"),
                    (None, false) => turnover(self),
                };
                (rules.symbol.quote, notional)
            }
        };
        let free = self.free(account, spends);
        if free < needed {
            return Err(Reject::InsufficientBalance { asset: spends, needed, free });
        }
        Ok(self.accept(account, order, (limit, qty, needed), &matches))
    }

    fn accept(
        &mut self,
        account: usize,
        order: &NewOrder,
        (limit, qty, held): (Option<i64>, i64, Decimal),
        matches: &[(usize, i64)],
    ) -> usize {
        let at = self.orders.len();
        self.orders.push(Order {
            account,
            request: order.clone(),
            price: limit,
            leaves: qty,
            is_open: false,
            status: OrderStatus::New,
            end: EndReason::Open,
            filled: 0,
            turnover: Decimal::ZERO,
            fee: Decimal::ZERO,
            held,
        });
        for (maker, qty) in matches {
            let price = self.orders[*maker].price.expect("it rests");
            self.fill(*maker, price, *qty, Some(at));
            if self.orders[*maker].leaves == 0 {
                self.close(*maker, OrderStatus::Filled, EndReason::Filled);
            }
            self.fill(at, price, *qty, None);
        }
        let order = &mut self.orders[at];
        order.held = Decimal::ZERO;
        let rests = matches!(order.request.kind, NewOrderKind::Limit { .. } | NewOrderKind::PostOnly { .. });
        let reason = if matches!(order.request.kind, NewOrderKind::Ioc { .. }) {
            EndReason::Ioc
        } else {
            EndReason::NoLiquidity
        };
        if order.leaves == 0 && order.filled > 0 {
            self.close(at, OrderStatus::Filled, EndReason::Filled);
        } else if rests {
            order.is_open = true;
        } else {
            self.close(at, OrderStatus::Canceled, reason);
        }
        at
    }

    fn close(&mut self, at: usize, status: OrderStatus, end: EndReason) {
        let order = &mut self.orders[at];
        (order.is_open, order.status, order.end) = (false, status, end);
    }

    /// Books a side of an execution: of the arriving order, or of one that rests and meets the order `arriving`.
    fn fill(&mut self, at: usize, price: i64, qty: i64, arriving: Option<usize>) {
        let is_maker = arriving.is_some();
        let order = &mut self.orders[at];
        let rules = self.markets[order.request.market.0 as usize].clone();
        let (base, quote) = (rules.symbol.base, rules.symbol.quote);
        let bought = rules.scale.qty_value(Qty(qty));
        let paid = multiply(rules.scale.price_value(Price(price)), bought);
        let rate = if is_maker { rules.maker_fee } else { rules.taker_fee }.fraction();
        order.leaves -= qty;
        order.filled += qty;
        order.turnover = add(order.turnover, paid);
        order.status = OrderStatus::PartiallyFilled;
        let (account, side) = (order.account, order.request.side);
        if !is_maker {
            order.held = subtract(order.held, if side == Side::Buy { paid } else { bought });
        }
        let negated = |value: Decimal| subtract(Decimal::ZERO, value);
        self.change(account, base, if side == Side::Buy { bought } else { negated(bought) });
        self.change(account, quote, if side == Side::Buy { negated(paid) } else { paid });

        // What the order that arrives holds is not free either.
        let arriving = &self.orders[arriving.unwrap_or(at)];
        let is_spent_here = arriving.account == account && arriving.request.side == Side::Buy;
        let same_quote = self.markets[arriving.request.market.0 as usize].symbol.quote == quote;
        let held = if is_spent_here && same_quote { arriving.held } else { Decimal::ZERO };
        let in_quote = multiply(paid, rate);
        let has_quote = subtract(self.free(account, quote), held) >= in_quote;
        let usual = if (side, rules.buy_fee) == (Side::Buy, BuyFee::Base) { base } else { quote };
        let (fee_asset, fee) = if usual == quote && (side == Side::Sell || has_quote) {
            (quote, in_quote)
        } else {
            (base, multiply(bought, rate))
        };
        if fee_asset == usual {
            let order = &mut self.orders[at];
            order.fee = add(order.fee, fee);
        }
        self.fills.push((account, at, price, qty, fee, is_maker));
        self.change(account, fee_asset, negated(fee));
        let fees = self.fees.entry(fee_asset).or_default();
        *fees = add(*fees, fee);
    }

    fn change(&mut self, account: usize, asset: Asset, by: Decimal) {
        let total = self.total.entry((account, asset)).or_default();
        *total = add(*total, by);
    }

    pub(crate) fn cancel(&mut self, account: usize, at: usize) -> Result<(), Reject> {
        match self.orders.get(at) {
            Some(order) if order.is_open && order.account == account => {
                self.close(at, OrderStatus::Canceled, EndReason::Canceled);
                Ok(())
            }
            Some(_) | None => Err(Reject::OrderNotFound),
        }
    }
}
