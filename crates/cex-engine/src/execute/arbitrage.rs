//! The orders of an arbitrage together, and what they came to.

use super::booked::OtherFees;
use super::order::OrderRun;
use cex_core::{Bps, ClientOrderId, Decimal, NumError, Plan, Rounding, Side, SymbolId, Timestamp, VenueId};
use cex_risk::{ArbitrageId, CycleEnd};
use std::time::Duration;

/// A symbol whose legs could not leave is left alone this long: budgets and connections come back in their own time.
const WITHHELD_PAUSE: Duration = Duration::from_millis(100);

/// How an arbitrage ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ending {
    /// Both legs filled the same quantity; what a fee took of the coin itself is left over.
    BothFilled,
    /// Neither leg filled anything.
    NoneFilled,
    /// Neither leg left us: one of them could not have.
    Withheld,
    /// The legs differed and the difference was traded away, but for what fees took and what is less than a lot.
    Unwound,
    /// The legs differed by less than any venue trades; the rest stays in inventory.
    Dust,
    /// The legs differed and the difference could not be traded away; it stays in inventory.
    Parked,
    /// It had no legs: what others had left over was traded away, as far as a venue took it.
    Swept,
    /// It had no legs: what others had left over could not be traded away; it stays in inventory.
    Unswept,
}

impl Ending {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::BothFilled,
        Self::NoneFilled,
        Self::Withheld,
        Self::Unwound,
        Self::Dust,
        Self::Parked,
        Self::Swept,
        Self::Unswept,
    ];

    /// The one of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|ending| ending.name() == name)
    }

    /// As the rules see it.
    #[must_use]
    pub const fn cycle_end(self) -> CycleEnd {
        match self {
            Self::BothFilled => CycleEnd::Filled,
            Self::Withheld => CycleEnd::Withheld { pause: WITHHELD_PAUSE },
            Self::NoneFilled => CycleEnd::Missed,
            Self::Unwound | Self::Dust => CycleEnd::Failed,
            Self::Parked => CycleEnd::Parked,
            Self::Swept => CycleEnd::Swept,
            Self::Unswept => CycleEnd::Unswept,
        }
    }

    /// A stable name: `both_filled`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BothFilled => "both_filled",
            Self::NoneFilled => "none_filled",
            Self::Withheld => "withheld",
            Self::Unwound => "unwound",
            Self::Dust => "dust",
            Self::Parked => "parked",
            Self::Swept => "swept",
            Self::Unswept => "unswept",
        }
    }
}

/// What an arbitrage came to. All money is exact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Number of the arbitrage in this run.
    pub id: ArbitrageId,
    /// Symbol that was traded.
    pub symbol: SymbolId,
    /// The plan as decided.
    pub plan: Plan,
    /// How it ended.
    pub ending: Ending,
    /// Profit after all fees in quote, with base left over (or short) valued at `mark`.
    pub realised: Decimal,
    /// Change of quote over both venues, fees in it included.
    pub quote_change: Decimal,
    /// Change of base over both venues, fees in it included.
    pub base_change: Decimal,
    /// Fees in other coins, by coin.
    pub other_fees: OtherFees,
    /// What those count as in quote.
    pub other_fee: Decimal,
    /// Quote per base at which `base_change` is valued: the limit of the buying leg.
    pub mark: Decimal,
    /// Profit over what was to be paid.
    pub edge: Bps,
    /// Value of what is not level at its end, in quote, fees included.
    pub left_over: Decimal,
    /// When it was decided and when it was over, by our clock.
    pub times: (Timestamp, Timestamp),
    /// Its orders: the two legs, then closing orders.
    pub orders: Vec<ClientOrderId>,
}

/// The first orders of an arbitrage; those after them close what these left open.
const LEGS: usize = 2;

/// A pair of orders on the way, and whatever it takes to end level.
#[derive(Debug, Clone)]
pub struct Arbitrage {
    /// Number of the arbitrage in this run.
    pub id: ArbitrageId,
    /// Symbol that is traded.
    pub symbol: SymbolId,
    /// The plan as decided.
    pub plan: Plan,
    /// The two legs, then closing orders if it came to that.
    pub orders: Vec<OrderRun>,
    /// Quote per base at which leftovers are valued.
    pub mark: Decimal,
    /// When it was decided, by our clock.
    pub started_at: Timestamp,
    /// Set once its legs have ended with a difference.
    pub leveling: Option<Leveling>,
    /// What one without legs trades away; `None` for one with legs.
    pub carried: Option<Carried>,
}

/// What ended arbitrages left over, to be traded away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Carried {
    /// Bought less sold, in base.
    pub base: Decimal,
    /// How far from the best price it may be traded away.
    pub give: Bps,
}

/// The trading away of a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leveling {
    /// When the trading away ends, by our clock: what is left then is parked. It moves on by as long as each closing order was on
    /// its way.
    pub by: Timestamp,
    /// Not tried again before this.
    pub next_at: Timestamp,
    /// An earlier run left it: `by` is when a start gives up, until all its venues can be used.
    pub awaits_venues: bool,
    /// An order to trade it away was given out.
    pub tried: bool,
}

impl Leveling {
    /// It begins now, and ends then.
    #[must_use]
    pub const fn new(now: Timestamp, by: Timestamp) -> Self {
        Self { by, next_at: now, awaits_venues: false, tried: false }
    }
}

impl Arbitrage {
    /// The order with this id.
    pub fn order_mut(&mut self, client_id: ClientOrderId) -> Option<&mut OrderRun> {
        self.orders.iter_mut().find(|order| order.request.client_id == client_id)
    }

    /// Whether all its orders are settled.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.orders.iter().all(OrderRun::is_settled)
    }

    /// How many of its orders are legs; the others close what these left open.
    const fn legs(&self) -> usize {
        if self.carried.is_some() { 0 } else { LEGS }
    }

    /// An order is over. While one that closes was on its way nothing else could be tried, so that time does not count against what
    /// is left to be traded away.
    pub fn wait_out(&mut self, now: Timestamp, client_id: ClientOrderId) {
        let run = self.orders.iter().skip(self.legs()).find(|run| run.request.client_id == client_id);
        if let (Some(run), Some(leveling)) = (run.filter(|run| run.left_us), &mut self.leveling) {
            leveling.by += now.since(run.sent_at());
        }
    }

    /// How many closing orders have left us.
    #[must_use]
    pub fn closings(&self) -> usize {
        self.orders.iter().skip(self.legs()).filter(|run| run.left_us && run.attempted).count()
    }

    /// Whether none of its orders ever left us.
    #[must_use]
    pub fn is_withheld(&self) -> bool {
        self.orders.iter().all(|run| !run.left_us)
    }

    /// How many of its orders spoke against a venue.
    #[must_use]
    pub fn failures_at(&self, venue: VenueId) -> usize {
        let at_venue = self.orders.iter().enumerate().filter(|(_, run)| run.request.venue == venue);
        at_venue.filter(|(index, run)| run.speaks_against_venue(*index >= self.legs())).count()
    }

    /// Received less given, fees taken in base included: what must still be sold (positive) or bought (negative).
    pub fn residual(&self) -> Result<Decimal, NumError> {
        self.carried().checked_add(self.base_change()?)
    }

    /// Bought less sold, before fees. When it is nothing, what is left is what fees took.
    pub fn apart(&self) -> Result<Decimal, NumError> {
        self.orders.iter().try_fold(self.carried(), |sum, order| match order.request.side {
            Side::Buy => sum.checked_add(order.booked.qty),
            Side::Sell => sum.checked_sub(order.booked.qty),
        })
    }

    /// How it ended, when what is left is nothing, or less than any venue trades; `lot` is the least that one does.
    pub fn levelled(&self, lot: Decimal) -> Result<Ending, NumError> {
        let (legs, closings) = self.orders.split_at(self.legs().min(self.orders.len()));
        let filled = |runs: &[OrderRun]| runs.iter().any(|run| !run.booked.qty.is_zero());
        if self.carried.is_some() {
            return Ok(Ending::Swept);
        }
        if !filled(legs) && !filled(closings) {
            return Ok(if self.is_withheld() { Ending::Withheld } else { Ending::NoneFilled });
        }
        let (residual, apart) = (self.residual()?, self.apart()?);
        let even = apart.is_zero() || residual.is_zero();
        let fees = residual.checked_sub(apart)?.abs()?;
        Ok(match filled(closings) {
            false if even => Ending::BothFilled,
            true if residual.abs()? < lot.checked_add(fees)? => Ending::Unwound,
            false | true => Ending::Dust,
        })
    }

    /// Change of base and of quote over both venues so far, fees included.
    pub fn changes(&self) -> Result<(Decimal, Decimal), NumError> {
        let quote = self.orders.iter().try_fold(Decimal::ZERO, |sum, order| {
            let booked = &order.booked;
            let moved = match order.request.side {
                Side::Buy => sum.checked_sub(booked.notional)?,
                Side::Sell => sum.checked_add(booked.notional)?,
            };
            moved.checked_sub(booked.quote_fee)
        })?;
        Ok((self.base_change()?, quote))
    }

    /// Fees in other coins so far, by coin.
    pub fn other_fees(&self) -> Result<OtherFees, NumError> {
        let mut sum = OtherFees::default();
        let mut all = self.orders.iter().flat_map(|order| order.other_fees.iter());
        all.try_for_each(|(asset, fee)| sum.add(asset, fee))?;
        Ok(sum)
    }

    /// What those count as in quote.
    fn other_fee(&self) -> Result<Decimal, NumError> {
        let mut fees = self.orders.iter().map(|order| order.booked.other_fee);
        fees.try_fold(Decimal::ZERO, Decimal::checked_add)
    }

    fn carried(&self) -> Decimal {
        self.carried.map_or(Decimal::ZERO, |carried| carried.base)
    }

    /// Change of base over both venues, fees included.
    fn base_change(&self) -> Result<Decimal, NumError> {
        self.orders.iter().try_fold(Decimal::ZERO, |sum, order| {
            sum.checked_add(order.booked.base_change(order.request.side)?)
        })
    }

    /// What it has come to so far.
    pub fn outcome(&self, now: Timestamp, ending: Ending) -> Result<Outcome, NumError> {
        let (base, quote) = self.changes()?;
        let other_fee = self.other_fee()?;
        let realised = quote.checked_add(base.checked_mul(self.mark)?)?.checked_sub(other_fee)?;
        let paid = self.mark.checked_mul(self.orders.first().map_or(Decimal::ZERO, OrderRun::ordered))?;
        let edge = if paid.is_zero() {
            Bps::ZERO
        } else {
            Bps::from_fraction(realised.checked_div(paid, 8, Rounding::Floor)?)?
        };
        let left_over = self.residual()?.abs()?.checked_mul(self.mark)?;
        Ok(Outcome {
            id: self.id,
            symbol: self.symbol,
            plan: self.plan,
            ending,
            realised,
            edge,
            left_over,
            quote_change: quote,
            base_change: base,
            other_fees: self.other_fees()?,
            other_fee,
            mark: self.mark,
            times: (self.started_at, now),
            orders: self.orders.iter().map(|run| run.request.client_id).collect(),
        })
    }
}

/// The arbitrages on the way, oldest first: few, so a row of them is faster than any index.
#[derive(Debug, Default)]
pub struct Arbitrages(Vec<Arbitrage>);

impl Arbitrages {
    /// Room for what is usual, so that starting one takes no memory.
    #[must_use]
    pub fn with_capacity(usual: usize) -> Self {
        Self(Vec::with_capacity(usual))
    }

    /// Adds one.
    pub fn insert(&mut self, arbitrage: Arbitrage) {
        self.0.push(arbitrage);
    }

    /// Takes one out.
    pub fn remove(&mut self, id: ArbitrageId) -> Option<Arbitrage> {
        let at = self.0.iter().position(|arbitrage| arbitrage.id == id)?;
        Some(self.0.remove(at))
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, id: ArbitrageId) -> Option<&Arbitrage> {
        self.0.iter().find(|arbitrage| arbitrage.id == id)
    }

    /// One of them.
    pub fn get_mut(&mut self, id: ArbitrageId) -> Option<&mut Arbitrage> {
        self.0.iter_mut().find(|arbitrage| arbitrage.id == id)
    }

    /// The numbers of all.
    pub fn ids(&self) -> impl Iterator<Item = ArbitrageId> {
        self.0.iter().map(|arbitrage| arbitrage.id)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Arbitrage> {
        self.0.iter()
    }

    /// All their orders.
    pub fn orders(&self) -> impl Iterator<Item = &OrderRun> {
        self.0.iter().flat_map(|arbitrage| &arbitrage.orders)
    }

    /// All of them.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Arbitrage> {
        self.0.iter_mut()
    }

    /// All their orders.
    pub fn orders_mut(&mut self) -> impl Iterator<Item = &mut OrderRun> {
        self.0.iter_mut().flat_map(|arbitrage| &mut arbitrage.orders)
    }

    /// Number of arbitrages in it.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
