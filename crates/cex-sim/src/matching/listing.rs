//! One market of an exchange: its book, its trades, and its rules turned into integers.

use super::book::{Book, Take};
use super::types::{BuyFee, MarketRules, NewOrder, NewOrderKind, PublicTrade, Reject};
use super::units::{AssetIndex, Assets, units_per};
use cex_core::{Bps, Decimal, Notional, Price, Qty, Rounding, Scale, Side};
use std::collections::VecDeque;

/// Versions start here: far below any clock in milliseconds, so nobody mistakes one for the other.
pub(super) const FIRST_VERSION: u64 = 1_000_000_000;

/// How many public trades a market remembers.
pub(super) const TRADES_KEPT: usize = 1_000;

/// Fees of an order. They are fixed when it is placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rates {
    /// Fee while it rests.
    pub(super) maker: Bps,
    /// Fee when it takes.
    pub(super) taker: Bps,
}

impl Rates {
    /// The rate of a side of an execution.
    pub(super) const fn of(self, is_maker: bool) -> Bps {
        if is_maker { self.maker } else { self.taker }
    }
}

/// A market as the matching engine sees it.
#[derive(Debug, Clone)]
pub(super) struct Listing {
    pub(super) base: AssetIndex,
    pub(super) quote: AssetIndex,
    pub(super) book: Book,
    pub(super) version: u64,
    /// Number of the last trade of this market.
    pub(super) trades: u64,
    pub(super) recent: VecDeque<PublicTrade>,
    min_qty: Qty,
    min_notional: Notional,
    stated_min_notional: Decimal,
    buy_fee: BuyFee,
    rates: Rates,
    /// Smallest units of base in one unit of quantity, and of a hundred-millionth of it (what fees multiply).
    base_unit: i128,
    base_fee_unit: i128,
    /// The same of quote in one unit of price times quantity.
    quote_unit: i128,
    quote_fee_unit: i128,
}

/// A checked order: what it takes at once and how far it may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Intent {
    /// Worst price; none for market orders.
    pub(super) limit: Option<Price>,
    /// Base to trade; for an order by notional what its notional trades now.
    pub(super) qty: Qty,
    /// Quantity and notional that trade at once.
    pub(super) take: Take,
    /// Whether the rest stays in the book.
    pub(super) rests: bool,
    /// What is locked of the asset the order spends, in its smallest units.
    pub(super) lock: i128,
}

impl Listing {
    pub(super) fn new(rules: &MarketRules, assets: &Assets) -> Self {
        let known = |asset| assets.index_of(asset).expect("the assets were made from these markets");
        let (base, quote) = (known(rules.symbol.base), known(rules.symbol.quote));
        let notional_dp = rules.scale.price_dp() + rules.scale.qty_dp();
        let base_unit = units_per(assets.dp(base), rules.scale.qty_dp());
        let quote_unit = units_per(assets.dp(quote), notional_dp);
        let below_one = |fee: Bps| fee.e8().abs() < Bps::ONE;
        assert!(
            below_one(rules.maker_fee) && below_one(rules.taker_fee),
            "fees of {} are above 100 %",
            rules.symbol
        );
        let min_notional = rules.min_notional.to_scaled_wide(notional_dp, Some(Rounding::Ceil));
        Self {
            base,
            quote,
            book: Book::default(),
            version: FIRST_VERSION,
            trades: 0,
            recent: VecDeque::new(),
            min_qty: rules.min_qty,
            min_notional: Notional(
                min_notional.expect("the least notional can be counted in the market's scale"),
            ),
            stated_min_notional: rules.min_notional,
            buy_fee: rules.buy_fee,
            rates: Rates { maker: rules.maker_fee, taker: rules.taker_fee },
            base_unit,
            base_fee_unit: base_unit / i128::from(Bps::ONE),
            quote_unit,
            quote_fee_unit: quote_unit / i128::from(Bps::ONE),
        }
    }

    /// Quantity in smallest units of base.
    pub(super) const fn base_units(&self, qty: Qty) -> i128 {
        qty.0 as i128 * self.base_unit
    }

    /// Notional in smallest units of quote.
    pub(super) const fn quote_units(&self, notional: Notional) -> i128 {
        notional.0 * self.quote_unit
    }

    /// The asset an order of this side spends.
    pub(super) const fn spends(&self, side: Side) -> AssetIndex {
        match side {
            Side::Buy => self.quote,
            Side::Sell => self.base,
        }
    }

    /// The asset an order of this side pays its fee in.
    pub(super) const fn fee_asset(&self, side: Side) -> AssetIndex {
        match (side, self.buy_fee) {
            (Side::Buy, BuyFee::Base) => self.base,
            (Side::Buy, BuyFee::Quote) | (Side::Sell, _) => self.quote,
        }
    }

    /// The rates for orders placed now.
    pub(super) const fn rates(&self) -> Rates {
        self.rates
    }

    /// Changes the rates for orders placed from now on.
    pub(super) const fn set_rates(&mut self, rates: Rates) {
        self.rates = rates;
    }

    /// Changes the least notional for orders placed from now on. One that cannot be counted in the market's scale is the
    /// largest that can.
    pub(super) fn set_min_notional(&mut self, scale: Scale, least: Decimal) {
        let counted = least.to_scaled_wide(scale.price_dp() + scale.qty_dp(), Some(Rounding::Ceil));
        self.min_notional = Notional(counted.unwrap_or(i128::MAX));
        self.stated_min_notional = least;
    }

    /// The exact fee of an execution at this rate, with the asset it is taken in, in that asset's smallest units.
    /// `free` is what the order's owner has free of an asset, what this execution brought him included.
    pub(super) fn fee(
        &self,
        side: Side,
        rate: Bps,
        (qty, notional): (Qty, Notional),
        free: impl Fn(AssetIndex) -> i128,
    ) -> (AssetIndex, i128) {
        let rate = i128::from(rate.e8());
        let in_quote = notional.0 * rate * self.quote_fee_unit;
        if self.fee_asset(side) == self.quote && (side == Side::Sell || free(self.quote) >= in_quote) {
            return (self.quote, in_quote);
        }
        (self.base, i128::from(qty.0) * rate * self.base_fee_unit)
    }

    /// What an open order needs locked, in smallest units of what it spends; `None` when it cannot be counted.
    pub(super) fn lock(&self, side: Side, price: Price, qty: Qty) -> Option<i128> {
        match side {
            Side::Buy => self.spending(price.times(qty)),
            Side::Sell => i128::from(qty.0).checked_mul(self.base_unit),
        }
    }

    /// What a buyer needs to turn over this notional; `None` when it or its fee cannot be counted.
    fn spending(&self, notional: Notional) -> Option<i128> {
        let cost = notional.0.checked_mul(self.quote_unit)?;
        let rate = i128::from(self.rates.maker.max(self.rates.taker).e8().max(0));
        let fee = notional.0.checked_mul(self.quote_fee_unit)?.checked_mul(rate)?;
        cost.checked_add(fee).map(|_| cost)
    }

    /// Checks an order against the rules and the book, money aside.
    pub(super) fn intent(&self, assets: &Assets, order: &NewOrder) -> Result<Intent, Reject> {
        match order.kind {
            NewOrderKind::Limit { price, qty } => self.limit_intent(order.side, price, qty, true),
            NewOrderKind::PostOnly { price, qty } => {
                let intent = self.limit_intent(order.side, price, qty, true)?;
                if intent.take.qty.is_zero() { Ok(intent) } else { Err(Reject::WouldTake) }
            }
            NewOrderKind::Ioc { price, qty } => self.limit_intent(order.side, price, qty, false),
            NewOrderKind::Fok { price, qty } => {
                let intent = self.limit_intent(order.side, price, qty, false)?;
                if intent.take.qty == qty { Ok(intent) } else { Err(Reject::CannotFill) }
            }
            NewOrderKind::Market { qty } => self.market_intent(order.side, qty),
            NewOrderKind::MarketNotional { notional } => {
                if !notional.is_positive() {
                    return Err(Reject::NotPositive);
                }
                let units = assets.units(self.quote, notional).ok_or(Reject::TooLarge)?;
                self.notional_intent(order.side, Notional(units / self.quote_unit))
            }
        }
    }

    fn limit_intent(&self, side: Side, price: Price, qty: Qty, may_rest: bool) -> Result<Intent, Reject> {
        if price.0 <= 0 || qty.0 <= 0 {
            return Err(Reject::NotPositive);
        }
        self.check_minimums(qty, Some(price.times(qty)))?;
        let take = self.book.takeable(side, Some(price), qty);
        let rests = may_rest && take.qty < qty;
        if rests && !self.book.has_room(side, price, qty) {
            return Err(Reject::TooLarge);
        }
        // What a seller may get must be countable too, or a fill could not be booked.
        self.spending(price.times(qty)).ok_or(Reject::TooLarge)?;
        let lock = self.lock(side, price, qty).ok_or(Reject::TooLarge)?;
        Ok(Intent { limit: Some(price), qty, take, rests, lock })
    }

    /// A market order by quantity is worth what the best price says; nobody can say in an empty book.
    fn market_intent(&self, side: Side, qty: Qty) -> Result<Intent, Reject> {
        if qty.0 <= 0 {
            return Err(Reject::NotPositive);
        }
        self.check_minimums(qty, self.book.best(side.opposite()).map(|price| price.times(qty)))?;
        let take = self.book.takeable(side, None, qty);
        let lock = match side {
            Side::Buy => self.spending(take.notional),
            Side::Sell => i128::from(qty.0).checked_mul(self.base_unit),
        };
        Ok(Intent { limit: None, qty, take, rests: false, lock: lock.ok_or(Reject::TooLarge)? })
    }

    fn notional_intent(&self, side: Side, budget: Notional) -> Result<Intent, Reject> {
        if budget < self.min_notional {
            return Err(Reject::BelowMinNotional(self.stated_min_notional));
        }
        let take = self.book.takeable_for(side, budget).ok_or(Reject::TooLarge)?;
        let lock = match side {
            Side::Buy => self.spending(budget),
            Side::Sell => i128::from(take.qty.0).checked_mul(self.base_unit),
        };
        Ok(Intent { limit: None, qty: take.qty, take, rests: false, lock: lock.ok_or(Reject::TooLarge)? })
    }

    fn check_minimums(&self, qty: Qty, notional: Option<Notional>) -> Result<(), Reject> {
        if qty < self.min_qty {
            return Err(Reject::BelowMinQty);
        }
        match notional {
            Some(notional) if notional < self.min_notional => {
                Err(Reject::BelowMinNotional(self.stated_min_notional))
            }
            Some(_) | None => Ok(()),
        }
    }
}
