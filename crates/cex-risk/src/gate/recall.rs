//! What earlier runs did counts: the day's losses, pauses, breakers and trips do not begin anew with a restart.

use super::{ArbitrageId, CycleEnd, CycleSums, Gate, Open, Rows};
use crate::breaker::OrderResult;
use crate::dust::Dust;
use crate::symbol::SymbolRisk;
use crate::trip::{SYMBOL_FAILURES, Scope, Trip, Until, VENUE_FAILURES};
use crate::venue::VenueRisk;
use cex_core::{Bps, ClientOrderId, Decimal, Fill, NumError, Side, Symbol, SymbolId, Timestamp, VenueId};
use std::fmt;
use std::time::Duration;

/// Arbitrages of earlier runs have no number in this one.
const EARLIER: ArbitrageId = ArbitrageId(u64::MAX);

/// What the rules that look back stand at: the same for a run and for whoever reads its journal. Money in quote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Profit of the day (UTC).
    pub day_profit: Decimal,
    /// Profit of the hour.
    pub hour_profit: Decimal,
    /// Profit of all days.
    pub total: Decimal,
    /// Its highest since an operator last looked.
    pub peak: Decimal,
    /// Orders of openings today.
    pub orders_today: u32,
    /// Notional they may have moved.
    pub notional_today: Decimal,
    /// Value left over in all, since an operator last looked.
    pub dust: Decimal,
}

impl fmt::Display for Standing {
    /// The form that a journal's sessions end with a hash of. Numbers that are equal look equal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { day_profit, hour_profit, total, peak, orders_today, notional_today, dust } = self;
        write!(
            f,
            "day {day_profit} hour {hour_profit} total {total} peak {peak} orders {orders_today} notional \
             {notional_today} dust {dust}"
        )
    }
}

/// Tells a gate what happened in earlier runs, in order. Nothing of it is told to people a second time.
#[derive(Debug)]
pub struct Recall<'a> {
    gate: &'a mut Gate,
    /// Whether nothing is told after it: what was not heard of by then never is.
    is_last: bool,
}

impl Drop for Recall<'_> {
    fn drop(&mut self) {
        self.gate.untold.clear();
        // The one attempt after a pause that an earlier run made, and of which it did not hear any more, is made again.
        if self.is_last {
            self.gate.venues.iter_mut().for_each(|venue| venue.breaker.lose_probe());
        }
    }
}

impl<'a> Recall<'a> {
    /// Of a part: what comes next is told by another.
    pub(super) const fn part(gate: &'a mut Gate) -> Self {
        Self { gate, is_last: false }
    }

    /// Goes on where rows stand before what is told one by one. Of each symbol and venue its number there, and here.
    pub fn rows(&mut self, rows: &Rows, symbols: &[(SymbolId, SymbolId)], venues: &[(VenueId, VenueId)]) {
        for (there, here) in venues {
            if let Some(earlier) = rows.gate().venues.get(there.index()) {
                self.gate.venue(*here).go_on(earlier);
            }
        }
        for (there, here) in symbols {
            if let Some(earlier) = rows.gate().symbols.get(there.index()) {
                self.gate.symbol(*here).go_on(earlier, venues);
            }
        }
    }

    /// What all arbitrages before those told one by one came to, and the most that was since an operator last looked.
    pub fn profit(&mut self, total: Decimal, peak: Decimal) {
        self.gate.losses.begin_at(total, peak);
    }

    /// What all arbitrages of a symbol before those told one by one left over, since an operator last looked.
    pub fn left_over(&mut self, id: Option<SymbolId>, symbol: Symbol, dust: Dust) -> Result<(), NumError> {
        self.gate.left_over.add(symbol, dust.base, dust.mark, dust.parked)?;
        self.gate.value_left_over(id, symbol)
    }

    /// Two orders of an opening left at `at`; what they may have moved.
    pub fn opening(&mut self, at: Timestamp, gross: Decimal) -> Result<(), NumError> {
        self.gate.pace.now(at);
        self.gate.pace.note(at, gross)?;
        self.gate.pace.note(at, Decimal::ZERO)
    }

    /// An order left for a venue at `at`; whether it opens, or closes what others opened.
    pub fn sent(
        &mut self,
        at: Timestamp,
        venue: VenueId,
        symbol: SymbolId,
        (order, opens): (ClientOrderId, bool),
    ) {
        // What was counted before is looked at, so that what is over is forgotten and does not add up.
        let state = self.gate.venue(venue);
        state.pace.recent(at, symbol);
        state.windows.wait(at, symbol);
        // Nothing is opened while the one attempt after a pause is out: that one never left after all.
        if opens {
            state.breaker.lose_probe();
        }
        self.gate.left(at, venue, symbol, order);
    }

    /// A venue answered an order at `at` after so long, or its answer never came.
    pub fn answered(&mut self, at: Timestamp, venue: VenueId, took: Option<Duration>) {
        self.gate.answered(at, venue, took);
    }

    /// An order that left ended at `at`.
    pub fn order_ended(&mut self, at: Timestamp, venue: VenueId, order: ClientOrderId, result: OrderResult) {
        self.gate.order_told(at, venue, order, result);
    }

    /// An order was charged this much more than was reckoned with.
    pub fn charged(&mut self, at: Timestamp, symbol: SymbolId, venue: VenueId, excess: Bps) {
        self.gate.charged(at, symbol, venue, excess);
    }

    /// An arbitrage ended at `at`. `None` for a symbol that is not traded any more: its money counts all the same. `opened`
    /// is what [`Self::opening`] was told of it.
    pub fn end(
        &mut self,
        at: Timestamp,
        symbol: Option<SymbolId>,
        end: CycleEnd,
        sums: CycleSums,
        opened: Option<(Timestamp, Decimal)>,
    ) -> Result<(), NumError> {
        let gate = &mut *self.gate;
        let began = opened.map_or(at, |(began, _)| began);
        if let (CycleEnd::Withheld { .. }, Some((opened_at, gross))) = (end, opened) {
            gate.pace.take_back(opened_at, gross)?;
        }
        let Some(symbol) = symbol else {
            return gate.note_sums(at, None, end, &sums);
        };
        // What began before the breaker opened and ends after its pause is not the one attempt that decides.
        if !matches!(end, CycleEnd::Swept | CycleEnd::Unswept) {
            gate.symbol(symbol).breaker.attempt(began, EARLIER);
        }
        gate.over(at, (EARLIER, symbol), end, &sums)
    }

    /// A rule was tripped.
    pub fn trip(&mut self, trip: Trip) {
        match trip {
            Trip { rule: VENUE_FAILURES, scope: Scope::Venue(venue), until: Until::Time(until) } => {
                self.gate.venue(venue).breaker.open_until(until);
                self.gate.note_opened(trip);
            }
            Trip { rule: SYMBOL_FAILURES, scope: Scope::Symbol(symbol), until: Until::Time(until) } => {
                self.gate.symbol(symbol).breaker.open_until(until);
                self.gate.note_opened(trip);
            }
            stopped => self.gate.trip(stopped),
        }
    }

    /// An operator looked at what had happened before.
    pub fn acknowledged(&mut self) {
        self.gate.acknowledge();
    }
}

impl Gate {
    /// To be told what happened in earlier runs.
    pub const fn recall(&mut self) -> Recall<'_> {
        Recall { gate: self, is_last: true }
    }

    /// What the rules that look back stand at.
    #[must_use]
    pub fn standing(&self, now: Timestamp) -> Standing {
        let [day_profit, hour_profit, total, peak] = self.losses.standing(now);
        let (orders_today, notional_today) = self.pace.today(now);
        Standing { day_profit, hour_profit, total, peak, orders_today, notional_today, dust: self.dust }
    }

    /// What is counted of venues and symbols in rows, averages and pauses, in words: two gates that stop at the same next event
    /// say the same. Not what counts for a second, which is over before anybody could compare it.
    #[must_use]
    pub fn counts(&self) -> String {
        // Whether a venue or a symbol of which nothing is counted was ever asked for makes no difference.
        let nothing = VenueRisk::new(&self.limits).counts();
        let venues = self.venues.iter().map(VenueRisk::counts).enumerate();
        let venues = venues.filter(|(_, counts)| *counts != nothing);
        let venues = venues.map(|(index, counts)| format!("venue {index}: {counts}"));
        let nothing = SymbolRisk::new(&self.limits).counts();
        let symbols = self.symbols.iter().map(SymbolRisk::counts).enumerate();
        let symbols = symbols.filter(|(_, counts)| *counts != nothing);
        let symbols = symbols.map(|(index, counts)| format!("symbol {index}: {counts}"));
        venues.chain(symbols).collect::<Vec<_>>().join("; ")
    }

    /// An arbitrage that an earlier run began and did not see to its end. It counts as open, whatever the limits say.
    pub fn adopt(
        &mut self,
        at: Timestamp,
        symbol: SymbolId,
        venues: [VenueId; 2],
        gross: Decimal,
    ) -> ArbitrageId {
        let id = ArbitrageId(self.next_id);
        self.next_id += 1;
        self.open.push(Open { id, symbol, venues, gross, at });
        id
    }

    /// An arbitrage that is adopted began at `at`, by our clock: after the pause of its symbol's breaker it is the one attempt
    /// that decides (R24).
    pub fn began(&mut self, at: Timestamp, id: ArbitrageId, symbol: SymbolId) {
        self.symbol(symbol).breaker.attempt(at, id);
    }

    /// What a fill of an order of ours moves of its symbol's position (R12): what was received or given, a fee taken in base
    /// included. A fill of an earlier run counts too, for an arbitrage that is adopted: accounts have it already. What somebody
    /// else trades by hand moves holdings, and is no position of ours.
    pub fn carry(&mut self, symbol: Symbol, fill: &Fill) -> Result<(), NumError> {
        let fee = fill.fee_in(symbol.base)?;
        let moved = match fill.side {
            Side::Buy => fill.qty.checked_sub(fee)?,
            Side::Sell => fill.qty.checked_add(fee)?,
        };
        self.symbol(fill.symbol).traded(fill.side, moved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    const NOW: Timestamp = Timestamp::from_secs(1_000);
    const SYMBOL: SymbolId = SymbolId(0);

    fn venue() -> VenueId {
        VenueId::new(0, "a").expect("short")
    }

    fn order(number: usize) -> ClientOrderId {
        ClientOrderId::new(&format!("o-{number}")).expect("plain")
    }

    fn limits() -> Limits {
        Limits {
            max_failures: 3,
            max_failure_share: Bps::from_bps(2_000),
            max_answer: Duration::from_secs(2),
            max_fee_surprise: Bps::from_bps(1),
            breaker_pause: Duration::from_secs(60),
            ..Limits::boundless()
        }
    }

    /// Something an order tells of its venue.
    #[derive(Clone, Copy)]
    enum Told {
        Ended(OrderResult),
        Answered(Option<u64>),
        Charged(i32),
    }

    fn tell(gate: &mut Gate, number: usize, told: Told) {
        match told {
            Told::Ended(result) => gate.order_told(NOW, venue(), order(number), result),
            Told::Answered(took) => gate.answered(NOW, venue(), took.map(Duration::from_millis)),
            Told::Charged(bps) => gate.charged(NOW, SYMBOL, venue(), Bps::from_bps(bps)),
        }
    }

    fn recall(recall: &mut Recall<'_>, number: usize, told: Told) {
        match told {
            Told::Ended(result) => recall.order_ended(NOW, venue(), order(number), result),
            Told::Answered(took) => recall.answered(NOW, venue(), took.map(Duration::from_millis)),
            Told::Charged(bps) => recall.charged(NOW, SYMBOL, venue(), Bps::from_bps(bps)),
        }
    }

    /// A row that is one short of what stops a venue or a symbol: the last one does, wherever between them the program was
    /// started anew, and would not if it had begun to count anew.
    #[test]
    fn what_orders_told_of_a_venue_counts_over_a_restart() {
        use OrderResult::{Failed, Worked};
        let results =
            |worked, failed| [vec![Told::Ended(Worked); worked], vec![Told::Ended(Failed); failed]].concat();
        let answers =
            |came, lost| [vec![Told::Answered(Some(10)); came], vec![Told::Answered(None); lost]].concat();
        for (row, rule) in [
            (results(0, 3), "venue_failures"),
            (results(9, 3), "venue_failures"),
            ([results(8, 2), results(1, 1)].concat(), "venue_failures"),
            (answers(7, 3), "timeouts"),
            (vec![Told::Answered(Some(2_001)); 2], "latency"),
            (vec![Told::Charged(2); 3], "fee_surprise"),
        ] {
            for restart in 0..row.len() {
                let (mut gate, mut earlier) = (Gate::new(limits()), Gate::new(limits()));
                for (number, told) in row.iter().enumerate().take(restart) {
                    tell(&mut earlier, number, *told);
                    recall(&mut gate.recall(), number, *told);
                }
                assert_eq!(gate.counts(), earlier.counts(), "{rule} after {restart}");
                assert_eq!(earlier.take_trips().count(), 0, "{rule} after {restart}: not yet");
                for (number, told) in row.iter().enumerate().skip(restart) {
                    tell(&mut gate, number, *told);
                }
                let rules: Vec<_> = gate.take_trips().map(|trip| trip.rule).collect();
                assert_eq!(rules, [rule], "restarted after {restart}");
            }
        }
    }

    #[test]
    fn orders_of_the_last_second_count_over_a_restart() {
        let mut gate = Gate::new(limits());
        for (number, millis) in [0, 300, 950].into_iter().enumerate() {
            gate.recall().sent(NOW + Duration::from_millis(millis), venue(), SYMBOL, (order(number), true));
        }
        let recent = |gate: &mut Gate, millis| {
            let recent = gate.venue(venue()).pace.recent(NOW + Duration::from_millis(millis), SYMBOL);
            (recent.all, recent.of_symbol, recent.at_once)
        };
        assert_eq!(recent(&mut gate, 960), (3, 3, 1));
        assert_eq!(recent(&mut gate, 1_100), (2, 2, 0), "the first has passed");
        for number in 0..100_000_u64 {
            let at = NOW + Duration::from_secs(10 + number);
            gate.recall().sent(at, venue(), SYMBOL, (order(0), true));
        }
        assert!(gate.venue(venue()).pace.remembered() <= 2, "two days of orders are not kept");
    }

    #[test]
    fn an_attempt_after_a_pause_that_was_not_heard_of_again_is_made_again() {
        let mut gate = Gate::new(limits());
        let later = NOW + Duration::from_secs(61);
        let mut recall = gate.recall();
        for number in 0..3 {
            recall.order_ended(NOW, venue(), order(number), OrderResult::Failed);
        }
        recall.sent(later, venue(), SYMBOL, (order(3), true));
        drop(recall);
        assert!(gate.venue(venue()).breaker.is_trying(later), "one attempt, and not none for ever");
        let mut recall = gate.recall();
        // One that was written down and did not leave, one that leaves, and a closing that is no attempt.
        for (number, opens) in [(4, true), (5, true), (6, false)] {
            recall.sent(later, venue(), SYMBOL, (order(number), opens));
        }
        recall.order_ended(later, venue(), order(6), OrderResult::Worked);
        assert!(!recall.gate.venue(venue()).breaker.allows(later), "a closing closes no breaker");
        recall.order_ended(later, venue(), order(5), OrderResult::Worked);
        drop(recall);
        assert!(gate.venue(venue()).breaker.allows(later) && !gate.venue(venue()).breaker.is_trying(later));
    }

    fn sums() -> CycleSums {
        let symbol = "BTC/USDT".parse().expect("a symbol");
        CycleSums { symbol, profit: Decimal::ZERO, edge: Bps::ZERO, base: Decimal::ZERO, mark: Decimal::ONE }
    }

    /// R24: two failures open the symbol's breaker at 10, for a minute; a third began before, and ends after that minute.
    #[test]
    fn what_began_before_a_breaker_opened_is_no_attempt_after_its_pause() {
        let limits = || Limits {
            max_symbol_failures: 2,
            failure_window: Duration::from_secs(600),
            breaker_pause: Duration::from_secs(60),
            ..Limits::boundless()
        };
        let at = |secs| NOW + Duration::from_secs(secs);
        let (mut lived, mut told) = (Gate::new(limits()), Gate::new(limits()));
        let ends = [(0, 9, CycleEnd::Failed), (1, 10, CycleEnd::Failed), (2, 75, CycleEnd::Failed)];
        let begun = ends.map(|(began, _, _)| lived.adopt(at(began), SYMBOL, [venue(); 2], Decimal::ZERO));
        for ((began, ended, end), id) in ends.into_iter().zip(begun) {
            lived.finished(at(ended), id, end, sums()).expect("fits");
            let opened = Some((at(began), Decimal::ZERO));
            told.recall().end(at(ended), Some(SYMBOL), end, sums(), opened).expect("fits");
        }
        assert!(lived.is_probing(at(75), SYMBOL) && told.is_probing(at(75), SYMBOL));
        assert_eq!(told.counts(), lived.counts());
        // The one attempt was on the way when the run ended: it is adopted, and decides.
        let attempt = told.adopt(at(90), SYMBOL, [venue(); 2], Decimal::ZERO);
        told.began(at(80), attempt, SYMBOL);
        assert!(!told.symbol(SYMBOL).breaker.allows(at(90)), "one at a time");
        told.finished(at(91), attempt, CycleEnd::Filled, sums()).expect("fits");
        assert!(told.symbol(SYMBOL).breaker.allows(at(91)) && !told.is_probing(at(91), SYMBOL));
        let opened = Some((at(80), Decimal::ZERO));
        lived.recall().end(at(91), Some(SYMBOL), CycleEnd::Filled, sums(), opened).expect("fits");
        assert_eq!(told.counts(), lived.counts(), "as whoever is told all of it has it");
    }
}
