//! What the gate knows of a symbol.

use crate::breaker::Breaker;
use crate::gate::ArbitrageId;
use crate::limits::Limits;
use crate::stops::Stops;
use crate::trip::Trip;
use cex_core::{Bps, Decimal, NumError, Side, Timestamp, VenueId};
use std::hint::black_box;
use std::time::Duration;

/// Surprising fees in a row that stop a symbol (R30).
const SURPRISES: u32 = 3;
/// The newest arbitrage's part in the average edge (R31): a twentieth, as of twenty arbitrages.
const NEWEST: i64 = 20;

/// Position, pauses and averages of one symbol.
#[derive(Debug)]
pub(crate) struct SymbolRisk {
    pub(crate) breaker: Breaker<ArbitrageId>,
    /// Why it must not be traded, if so (R2).
    pub(crate) blocked: Option<&'static str>,
    pub(crate) stops: Stops,
    /// The trip its breaker last opened with: beside the others, because its end is half an end.
    pub(crate) opened: Option<Trip>,
    /// It pauses until then, after an arbitrage that failed.
    pause_until: Timestamp,
    /// Its last opening did not leave, and none is tried before. What did not leave may be in no journal: no later run knows.
    withheld_until: Timestamp,
    /// How long the next pause is.
    pause: Duration,
    /// Bought less sold by our own orders, in base, since an operator last looked.
    net: Decimal,
    /// What open orders may still buy and sell, in base.
    buying: Decimal,
    selling: Decimal,
    /// Value left over, in quote.
    pub(crate) dust: Decimal,
    /// Surprising fees in a row, by venue index.
    surprises: Vec<u32>,
    /// Average realised edge in 10^-8 of what was paid, and of how many arbitrages.
    edge: (i64, u32),
}

impl SymbolRisk {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            breaker: Breaker::within(limits.max_symbol_failures, limits.breaker_pause, limits.failure_window),
            blocked: None,
            stops: Stops::default(),
            opened: None,
            pause_until: Timestamp::EPOCH,
            withheld_until: Timestamp::EPOCH,
            pause: limits.cooldown,
            net: Decimal::ZERO,
            buying: Decimal::ZERO,
            selling: Decimal::ZERO,
            dust: Decimal::ZERO,
            surprises: Vec::new(),
            edge: (0, 0),
        }
    }

    /// Trips that may be in force.
    pub(crate) fn trips(&self) -> impl Iterator<Item = Trip> {
        self.stops.iter().chain(self.opened)
    }

    /// The largest position that `qty` more on both sides could come to, whichever of the open orders fill.
    pub(crate) fn worst(&self, qty: Decimal) -> Result<Decimal, NumError> {
        let long = self.net.checked_add(self.buying)?.checked_add(qty)?;
        let short = self.selling.checked_add(qty)?.checked_sub(self.net)?;
        Ok(long.max(short))
    }

    /// Reads what an opening reads.
    pub(crate) fn warm(&self, now: Timestamp) {
        black_box((
            self.breaker.allows(now),
            self.blocked,
            self.stops.iter().count(),
            self.rests_until(),
            self.dust,
        ));
        let _ = black_box(self.worst(Decimal::ZERO));
    }

    /// An order for this much base leaves.
    pub(crate) fn ordered(&mut self, side: Side, qty: Decimal) -> Result<(), NumError> {
        let open = self.open(side);
        *open = open.checked_add(qty)?;
        Ok(())
    }

    /// An order for this much base is over.
    pub(crate) fn ended(&mut self, side: Side, qty: Decimal) -> Result<(), NumError> {
        let open = self.open(side);
        *open = open.checked_sub(qty)?.max(Decimal::ZERO);
        Ok(())
    }

    /// This much base was traded.
    pub(crate) fn traded(&mut self, side: Side, qty: Decimal) -> Result<(), NumError> {
        self.net = match side {
            Side::Buy => self.net.checked_add(qty)?,
            Side::Sell => self.net.checked_sub(qty)?,
        };
        Ok(())
    }

    /// What was bought and not sold, or the other way round, is the operator's from now on.
    pub(crate) const fn forget_position(&mut self) {
        self.net = Decimal::ZERO;
    }

    const fn open(&mut self, side: Side) -> &mut Decimal {
        match side {
            Side::Buy => &mut self.buying,
            Side::Sell => &mut self.selling,
        }
    }

    /// Nothing is opened before.
    pub(crate) fn rests_until(&self) -> Timestamp {
        self.pause_until.max(self.withheld_until)
    }

    /// An opening did not leave: the next one is for after this pause.
    pub(crate) fn withheld(&mut self, now: Timestamp, pause: Duration) {
        self.withheld_until = self.withheld_until.max(now + pause);
    }

    /// An arbitrage filled on both legs: the next pause is a short one again.
    pub(crate) fn went_well(&mut self, limits: &Limits) {
        self.pause = limits.cooldown;
    }

    /// An arbitrage did not: the symbol pauses, and longer the next time.
    pub(crate) fn went_wrong(&mut self, now: Timestamp, limits: &Limits) {
        self.pause_until = self.pause_until.max(now + self.pause);
        self.pause = (self.pause * 2).min(limits.max_cooldown).max(limits.cooldown);
    }

    /// What is counted of its arbitrages and fees, in words.
    pub(crate) fn counts(&self) -> String {
        let Self { breaker, pause_until, pause, edge, .. } = self;
        let surprises: Vec<_> = self.surprises().collect();
        format!(
            "{breaker:?}, next pause {pause:?} after {pause_until}, edge {edge:?}, surprises {surprises:?}"
        )
    }

    /// Goes on with what was counted of its arbitrages and fees before. Of each venue its number there, and here.
    pub(crate) fn go_on(&mut self, earlier: &Self, venues: &[(VenueId, VenueId)]) {
        self.breaker = earlier.breaker.clone();
        (self.pause_until, self.pause, self.edge) = (earlier.pause_until, earlier.pause, earlier.edge);
        for (there, here) in venues {
            *self.surprises_mut(*here) = earlier.surprises.get(there.index()).copied().unwrap_or_default();
        }
    }

    fn surprises_mut(&mut self, venue: VenueId) -> &mut u32 {
        if self.surprises.len() <= venue.index() {
            self.surprises.resize(venue.index() + 1, 0);
        }
        &mut self.surprises[venue.index()]
    }

    /// Surprising fees in a row at the venues that had some.
    fn surprises(&self) -> impl Iterator<Item = (usize, u32)> {
        self.surprises.iter().copied().enumerate().filter(|(_, row)| *row > 0)
    }

    /// A venue charged a fee that was this much more than expected; whether it was one surprise too many.
    pub(crate) fn charged(&mut self, venue: VenueId, excess: Bps, limits: &Limits) -> bool {
        let row = self.surprises_mut(venue);
        *row = if excess > limits.max_fee_surprise { *row + 1 } else { 0 };
        let too_many = *row >= SURPRISES;
        if too_many {
            *row = 0;
        }
        too_many
    }

    /// An arbitrage earned this much of what it paid; whether the average has been below nothing for too long.
    pub(crate) fn earned(&mut self, edge: Bps, limits: &Limits) -> bool {
        let (average, count) = self.edge;
        let weight = i64::from(count + 1).min(NEWEST);
        let next = average.saturating_add(edge.e8().saturating_sub(average) / weight);
        self.edge = (next, count.saturating_add(1));
        if self.edge.1 < limits.slippage_cycles || next >= 0 {
            return false;
        }
        self.edge = (0, 0);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits {
            cooldown: Duration::from_secs(30),
            max_cooldown: Duration::from_secs(100),
            max_fee_surprise: Bps::from_bps(1),
            slippage_cycles: 3,
            ..Limits::boundless()
        }
    }

    #[test]
    fn the_worst_position_counts_open_orders_on_the_bad_side() {
        let mut symbol = SymbolRisk::new(&limits());
        let worst = |symbol: &SymbolRisk, qty: i64| symbol.worst(Decimal::from(qty)).expect("fits");
        assert_eq!(worst(&symbol, 5), Decimal::from(5));
        symbol.ordered(Side::Buy, Decimal::from(3)).expect("fits");
        symbol.traded(Side::Buy, Decimal::from(2)).expect("fits");
        assert_eq!(worst(&symbol, 5), Decimal::from(10), "long: 2 held, 3 on order, 5 more");
        symbol.ended(Side::Buy, Decimal::from(3)).expect("fits");
        symbol.traded(Side::Sell, Decimal::from(9)).expect("fits");
        assert_eq!(worst(&symbol, 5), Decimal::from(12), "short: 7 sold too much, 5 more");
    }

    #[test]
    fn pauses_double_up_to_the_longest_and_a_success_makes_them_short() {
        let (mut symbol, limits, now) = (SymbolRisk::new(&limits()), limits(), Timestamp::from_secs(1_000));
        for secs in [30, 60, 100, 100] {
            symbol.went_wrong(now, &limits);
            assert_eq!(symbol.pause_until, now + Duration::from_secs(secs));
        }
        symbol.went_well(&limits);
        symbol.went_wrong(now + Duration::from_secs(200), &limits);
        assert_eq!(symbol.pause_until, now + Duration::from_secs(230));
    }

    #[test]
    fn the_third_surprising_fee_in_a_row_is_one_too_many() {
        let (mut symbol, limits) = (SymbolRisk::new(&limits()), limits());
        let venues = [0, 1].map(|index| VenueId::new(index, "x").expect("short"));
        let mut charged = |venue: usize, bps| symbol.charged(venues[venue], Bps::from_bps(bps), &limits);
        let told = [2, 2, 1, 2, 2, 2, 2].map(|bps| {
            assert!(!charged(1, 0), "another venue is another row");
            charged(0, bps)
        });
        assert_eq!(told, [false, false, false, false, false, true, false]);
    }

    #[test]
    fn an_average_below_nothing_counts_after_enough_arbitrages() {
        let (mut symbol, limits) = (SymbolRisk::new(&limits()), limits());
        let told: Vec<bool> =
            [-5, -5, 30, -50, -50].iter().map(|bps| symbol.earned(Bps::from_bps(*bps), &limits)).collect();
        assert_eq!(told, [false, false, false, true, false]);
    }
}
