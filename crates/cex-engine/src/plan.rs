//! How much: the quantity with the largest profit, exactly.
//!
//! Both ladders are walked together. Between two breakpoints the prices paid and received are constant, so profit is
//! linear in the quantity and every constraint is an interval; the best quantity of a segment is one end of its
//! interval, and the best of all segments is the optimum. Nothing is approximated: the result equals trying every
//! multiple of the lot.

use cex_core::{Bps, Level, Notional, Price, Qty};

/// What bounds the size of an arbitrage. All in the symbol's scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Fee of the buying leg, of what it pays.
    pub buy_fee: Bps,
    /// Fee of the selling leg, of what it yields.
    pub sell_fee: Bps,
    /// Prices of buying orders are multiples of this. Books may hold finer ones, so the limit is rounded up to it.
    pub buy_tick: Price,
    /// Prices of selling orders are multiples of this; the limit is rounded down to it.
    pub sell_tick: Price,
    /// The least common multiple of both venues' lots.
    pub step: Qty,
    /// Least quantity either venue takes.
    pub min_qty: Qty,
    /// Largest quantity both venues take.
    pub max_qty: Qty,
    /// Least notional of the buying order (limit times quantity).
    pub min_buy_notional: Notional,
    /// Least notional of the selling order (limit times quantity).
    pub min_sell_notional: Notional,
    /// Largest notional of either order (limit times quantity), by the venues' rules.
    pub max_order_notional: Notional,
    /// Largest notional of either leg, by our own limits: what the buy may cost, what the sale is expected to yield.
    pub max_leg_notional: Notional,
    /// Quote that may be spent, fee included.
    pub quote_free: Notional,
    /// Base that may be sold.
    pub base_free: Qty,
}

impl Bounds {
    /// The least that both venues take at these best prices, and one step more, since deeper bids bring less.
    #[must_use]
    pub fn least(&self, ask: Price, bid: Price) -> Qty {
        let enough = |notional: Notional, price: Price| {
            let price = i128::from(price.0.max(1));
            notional.0.div_euclid(price) + i128::from(notional.0.rem_euclid(price) != 0)
        };
        let least = i128::from(self.min_qty.0)
            .max(enough(self.min_buy_notional, ask))
            .max(enough(self.min_sell_notional, bid));
        let step = i128::from(self.step.0.max(1));
        let steps = least.div_euclid(step) + i128::from(least.rem_euclid(step) != 0) + 1;
        Qty(i64::try_from(steps * step).unwrap_or(i64::MAX))
    }
}

/// The best size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Quantity of both legs.
    pub qty: Qty,
    /// Worst ask swept, rounded up to the tick.
    pub buy_limit: Price,
    /// Worst bid swept, rounded down to the tick.
    pub sell_limit: Price,
    /// What the sweep costs, before fees.
    pub buy_notional: Notional,
    /// What the sweep yields, before fees.
    pub sell_notional: Notional,
    /// Profit after fees, in 10^-8 of a notional unit.
    pub profit_e8: i128,
}

/// Why there is no size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoSize {
    /// No quantity makes a profit after fees.
    NoEdge,
    /// What makes a profit is below a minimum of a venue, of quantity, notional or price.
    TooSmall,
    /// A profitable size exists but there is nothing to pay it with.
    NoBalance,
    /// A product of price, quantity and fee does not fit.
    Overflow,
}

/// The profit-maximal size of buying from `asks` and selling to `bids`, both best first; of several equal ones the
/// smallest.
pub fn best_size(
    asks: impl IntoIterator<Item = Level>,
    bids: impl IntoIterator<Item = Level>,
    bounds: &Bounds,
) -> Result<Size, NoSize> {
    let mut walk = Walk::new(asks.into_iter(), bids.into_iter());
    let mut best: Option<Size> = None;
    // The last of the segments that need no looking at as long as a better one follows.
    let mut passed: Option<(Segment, i128, Limits)> = None;
    let mut starved = false;
    let mut any_edge = false;
    while let Some(segment) = walk.segment() {
        let margin = segment.margin_e8(bounds)?;
        any_edge |= margin > 0;
        if margin > 0
            && let Some(limits) = segment.limits(bounds)?
            && segment.is_free(bounds, limits)
        {
            walk.advance(&segment, margin)?;
            passed = Some((segment, margin, limits));
            continue;
        }
        if let Some((segment, margin, limits)) = passed.take() {
            best = segment.best(bounds, margin, limits)?.or(best);
        }
        // Past the crossing point profit only falls, but a minimum or a coarse lot may still force us there.
        if margin <= 0 && segment.profit_e8 <= best.map_or(0, |known| known.profit_e8) {
            break;
        }
        let Some(limits) = segment.limits(bounds)? else { break };
        let room = segment.room(bounds, limits)?;
        if let Some(qty) = room.pick(margin) {
            let size = segment.size(qty, margin, limits)?;
            if size.profit_e8 > best.map_or(0, |known| known.profit_e8) {
                best = Some(size);
            }
        }
        starved |= room.is_starved();
        if room.ends_here {
            break;
        }
        walk.advance(&segment, margin)?;
    }
    if let Some((segment, margin, limits)) = passed {
        best = segment.best(bounds, margin, limits)?.or(best);
    }
    best.ok_or(if starved {
        NoSize::NoBalance
    } else if any_edge {
        NoSize::TooSmall
    } else {
        NoSize::NoEdge
    })
}

/// A stretch of quantities `(from, to]` over which both prices are constant.
#[derive(Debug, Clone, Copy)]
struct Segment {
    ask: Price,
    bid: Price,
    from: i64,
    to: i64,
    buy_notional: i128,
    sell_notional: i128,
    profit_e8: i128,
}

impl Segment {
    /// Profit of one more unit of quantity, in 10^-8.
    fn margin_e8(&self, bounds: &Bounds) -> Result<i128, NoSize> {
        let gain = times(i128::from(self.bid.0), i128::from(Bps::ONE - bounds.sell_fee.e8()))?;
        let cost = times(i128::from(self.ask.0), i128::from(Bps::ONE + bounds.buy_fee.e8()))?;
        Ok(gain - cost)
    }

    /// The prices of orders that reach this far; `None` when the bids are below the least price that can be asked.
    fn limits(&self, bounds: &Bounds) -> Result<Option<Limits>, NoSize> {
        let buy = self.ask.ceil_to(bounds.buy_tick).ok_or(NoSize::Overflow)?;
        let sell = self.bid.floor_to(bounds.sell_tick);
        Ok((sell.0 > 0).then_some(Limits { buy, sell }))
    }

    /// Whether all of this segment may be traded and a lot surely is: nothing of it but its last lot can be the best, and not
    /// even that if a profitable segment follows that can be traded. Told by products alone, and `false` when in doubt;
    /// dividing by every bound takes ten times as long.
    fn is_free(&self, bounds: &Bounds, limits: Limits) -> bool {
        let (ask, bid) = (i128::from(limits.buy.0), i128::from(limits.sell.0));
        let (step, to) = (bounds.step.0.max(1), i128::from(self.to));
        // Whatever the last lot is, it is no less than this.
        let least = to - i128::from(step) + 1;
        let fits = |factor: i128, price: i128, bound: i128| {
            factor.checked_mul(price).is_some_and(|notional| notional <= bound)
        };
        let unit = i128::from(Bps::ONE + bounds.buy_fee.e8().max(0)).checked_mul(ask);
        let budget = bounds.quote_free.0.checked_mul(i128::from(Bps::ONE)).unwrap_or(i128::MAX);
        let left = bounds.max_leg_notional.0.saturating_sub(self.sell_notional);
        self.to - self.from >= step
            && least >= i128::from(bounds.min_qty.0)
            && least.checked_mul(ask).is_some_and(|notional| notional >= bounds.min_buy_notional.0)
            && least.checked_mul(bid).is_some_and(|notional| notional >= bounds.min_sell_notional.0)
            && self.to <= bounds.max_qty.0.min(bounds.base_free.0)
            && fits(to, ask.max(bid), bounds.max_order_notional.0)
            && fits(to, ask, bounds.max_leg_notional.0)
            && fits(i128::from(self.to - self.from), i128::from(self.bid.0), left)
            && unit.is_some_and(|unit| fits(to, unit, budget))
    }

    /// The best size within this segment, if any of it may be traded.
    fn best(&self, bounds: &Bounds, margin: i128, limits: Limits) -> Result<Option<Size>, NoSize> {
        let qty = self.room(bounds, limits)?.pick(margin);
        qty.map(|qty| self.size(qty, margin, limits)).transpose()
    }

    /// Which multiples of the step may be traded within this segment. Rules of the venues and our funds bind orders, so
    /// they are checked at the limits; what the sale yields is what the book shows.
    fn room(&self, bounds: &Bounds, limits: Limits) -> Result<Room, NoSize> {
        let (ask, bid) = (i128::from(limits.buy.0), i128::from(limits.sell.0));
        let (from, to) = (i128::from(self.from), i128::from(self.to));
        let step = i128::from(bounds.step.0.max(1));
        let least = (from + 1)
            .max(i128::from(bounds.min_qty.0))
            .max(ceil_div(bounds.min_buy_notional.0, ask))
            .max(ceil_div(bounds.min_sell_notional.0, bid));
        let rules = i128::from(bounds.max_qty.0)
            .min(whole(bounds.max_order_notional.0, ask))
            .min(whole(bounds.max_leg_notional.0, ask))
            .min(from + self.until_yield(bounds.max_leg_notional));
        let most_by_rules = rules.min(to);
        let affordable = affordable(bounds, ask, most_by_rules)?.min(i128::from(bounds.base_free.0));
        // A quantity beyond 64 bits binds nothing; within them the division is the machine's own.
        let floor = |qty: i128| {
            let qty = i64::try_from(qty).unwrap_or(if qty < 0 { i64::MIN } else { i64::MAX });
            i128::from(qty.div_euclid(bounds.step.0.max(1))) * step
        };
        Ok(Room {
            least: ceil_div(least, step) * step,
            most: floor(most_by_rules.min(affordable)),
            most_by_rules: floor(most_by_rules),
            // The selling order's notional limit is left out: the next, lower bid makes room under it again.
            ends_here: rules.min(affordable) < to,
        }
        .within_order_limit(floor(whole(bounds.max_order_notional.0, bid))))
    }

    /// How much more may be sold until the sale yields `most`.
    fn until_yield(&self, most: Notional) -> i128 {
        whole(most.0 - self.sell_notional, i128::from(self.bid.0)).min(i128::from(i64::MAX))
    }

    fn size(&self, qty: i128, margin: i128, limits: Limits) -> Result<Size, NoSize> {
        let more = qty - i128::from(self.from);
        Ok(Size {
            qty: Qty(i64::try_from(qty).map_err(|_| NoSize::Overflow)?),
            buy_limit: limits.buy,
            sell_limit: limits.sell,
            buy_notional: Notional(plus(self.buy_notional, times(more, i128::from(self.ask.0))?)?),
            sell_notional: Notional(plus(self.sell_notional, times(more, i128::from(self.bid.0))?)?),
            profit_e8: plus(self.profit_e8, times(more, margin)?)?,
        })
    }
}

/// The prices of the two orders that sweep as far as a segment.
#[derive(Debug, Clone, Copy)]
struct Limits {
    buy: Price,
    sell: Price,
}

/// The tradable multiples of the step in a segment: `least..=most`, empty when `least > most`.
struct Room {
    least: i128,
    most: i128,
    /// `most` if funds did not matter.
    most_by_rules: i128,
    ends_here: bool,
}

impl Room {
    fn within_order_limit(mut self, limit: i128) -> Self {
        self.most = self.most.min(limit);
        self.most_by_rules = self.most_by_rules.min(limit);
        self
    }

    fn pick(&self, margin: i128) -> Option<i128> {
        (self.least <= self.most).then_some(if margin > 0 { self.most } else { self.least })
    }

    fn is_starved(&self) -> bool {
        self.least > self.most && self.least <= self.most_by_rules
    }
}

/// Two ladders walked side by side.
struct Walk<A, B> {
    asks: A,
    bids: B,
    ask: Option<Level>,
    bid: Option<Level>,
    at: i64,
    buy_notional: i128,
    sell_notional: i128,
    profit_e8: i128,
}

impl<A: Iterator<Item = Level>, B: Iterator<Item = Level>> Walk<A, B> {
    fn new(mut asks: A, mut bids: B) -> Self {
        let (ask, bid) = (asks.next(), bids.next());
        Self { asks, bids, ask, bid, at: 0, buy_notional: 0, sell_notional: 0, profit_e8: 0 }
    }

    fn segment(&self) -> Option<Segment> {
        let (ask, bid) = (self.ask?, self.bid?);
        let length = ask.qty.0.min(bid.qty.0);
        if ask.price.0 <= 0 || bid.price.0 <= 0 || length <= 0 {
            return None;
        }
        Some(Segment {
            ask: ask.price,
            bid: bid.price,
            from: self.at,
            to: self.at.checked_add(length)?,
            buy_notional: self.buy_notional,
            sell_notional: self.sell_notional,
            profit_e8: self.profit_e8,
        })
    }

    fn advance(&mut self, segment: &Segment, margin: i128) -> Result<(), NoSize> {
        let length = segment.to - segment.from;
        let wide = i128::from(length);
        self.at = segment.to;
        self.buy_notional = plus(self.buy_notional, times(wide, i128::from(segment.ask.0))?)?;
        self.sell_notional = plus(self.sell_notional, times(wide, i128::from(segment.bid.0))?)?;
        self.profit_e8 = plus(self.profit_e8, times(wide, margin)?)?;
        consume(&mut self.ask, &mut self.asks, length);
        consume(&mut self.bid, &mut self.bids, length);
        Ok(())
    }
}

fn consume(level: &mut Option<Level>, rest: &mut impl Iterator<Item = Level>, length: i64) {
    if let Some(current) = level {
        current.qty.0 -= length;
        if current.qty.0 <= 0 {
            *level = rest.next();
        }
    }
}

fn times(left: i128, right: i128) -> Result<i128, NoSize> {
    left.checked_mul(right).ok_or(NoSize::Overflow)
}

fn plus(left: i128, right: i128) -> Result<i128, NoSize> {
    left.checked_add(right).ok_or(NoSize::Overflow)
}

/// How much the free quote buys at `ask`, its fee included; without a bound when it buys `wanted`, which is told by a
/// product: dividing numbers this wide takes several times as long.
fn affordable(bounds: &Bounds, ask: i128, wanted: i128) -> Result<i128, NoSize> {
    let unit = times(ask, i128::from(Bps::ONE + bounds.buy_fee.e8().max(0)))?;
    let Some(budget) = bounds.quote_free.0.checked_mul(i128::from(Bps::ONE)) else { return Ok(i128::MAX) };
    let enough = unit.checked_mul(wanted).is_some_and(|cost| cost <= budget);
    Ok(if enough { i128::MAX } else { budget / unit })
}

/// How many times a positive divisor goes into a bound; most bounds are absent or fit into 64 bits, where dividing is
/// several times cheaper.
fn whole(bound: i128, divisor: i128) -> i128 {
    if bound == i128::MAX {
        return bound;
    }
    match (u64::try_from(bound), u64::try_from(divisor)) {
        (Ok(bound), Ok(divisor)) => i128::from(bound / divisor),
        (Ok(_) | Err(_), _) => bound / divisor,
    }
}

/// Division rounded up, for a positive divisor.
fn ceil_div(value: i128, divisor: i128) -> i128 {
    if let (Ok(value), Ok(divisor)) = (u64::try_from(value), u64::try_from(divisor)) {
        return i128::from(value.div_ceil(divisor));
    }
    value.div_euclid(divisor) + i128::from(value.rem_euclid(divisor) != 0)
}

/// The least common multiple of two lots; `None` when it does not fit.
#[must_use]
pub fn common_step(left: Qty, right: Qty) -> Option<Qty> {
    let (left, right) = (left.0.max(1), right.0.max(1));
    if left == right {
        return Some(Qty(left));
    }
    let (mut a, mut b) = (left, right);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    (left / a).checked_mul(right).map(Qty)
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
