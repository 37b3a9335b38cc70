//! After a loss of power: orders of which no record tells, looked for as `arb run` looks; and what the loss means for those who
//! check.

use super::Day;
use super::start::NoStart;
use crate::rest::Purpose;
use cex_arb::run::recover::{Searched, Sought, Turn, Unfinished};
use cex_core::{Fill, Markets, SymbolId, Timestamp, VenueId};
use cex_errors::ExchangeError;
use cex_interface::{Reply, Request, TimeRange};
use cex_transport::Urgency;
use std::sync::Arc;
use std::time::Duration;

/// Fills asked for at once.
const FILLS: usize = 100;
/// A span that is no longer than this has no halves.
const SHORTEST: Duration = Duration::from_secs(2);

/// A market that is searched.
struct Hunt {
    searched: Searched,
    /// A call of it is on its way.
    away: bool,
    /// A list that takes several calls: what is still to be asked for, and what was answered.
    spans: Vec<TimeRange>,
    rows: Vec<Fill>,
}

impl Day {
    /// Looks for orders of which no record tells, and writes down what they filled.
    pub(super) fn seek_lost(&mut self, unfinished: &mut Unfinished) -> Result<(), NoStart> {
        let markets: Vec<(VenueId, Arc<Markets>)> =
            self.places.iter().map(|place| (place.id, Arc::clone(&place.markets))).collect();
        let searches = unfinished.searches(self.now(), None, self.config.expires_in, &markets);
        let mut hunts: Vec<Option<Hunt>> = searches
            .into_iter()
            .map(|searched| Some(Hunt { searched, away: false, spans: Vec::new(), rows: Vec::new() }))
            .collect();
        let mut all: Vec<(VenueId, SymbolId, Sought)> = Vec::new();
        while hunts.iter().any(Option::is_some) {
            let next = self.hunt_on(&mut hunts, &mut all);
            self.wait_until(next, |places, _| places.iter().any(|place| place.rest.has_done()))?;
            for place in 0..self.places.len() {
                for (purpose, result) in self.places[place].rest.take_done() {
                    self.hear_hunted(&mut hunts, &purpose, result);
                }
            }
        }
        if all.is_empty() {
            return Ok(());
        }
        all.sort_by_key(|(venue, symbol, _)| (*venue, *symbol));
        let counts = &mut self.desk.checks.counts;
        counts.searches += 1;
        counts.found += all.iter().map(|(_, _, sought)| sought.fills.len() as u64).sum::<u64>();
        let now = self.now();
        let Some(journal) = &mut self.desk.journal else { return Err(NoStart::Died) };
        let sought = unfinished.sought(now, all, &markets, &mut journal.recorder);
        journal.touched(now);
        sought.map_err(|failure| NoStart::of(&failure))?;
        self.still_lives()
    }

    /// Begins the calls that are wanted; when somebody wants something next.
    fn hunt_on(
        &mut self,
        hunts: &mut [Option<Hunt>],
        all: &mut Vec<(VenueId, SymbolId, Sought)>,
    ) -> Timestamp {
        let (now, mut next) = (self.now(), Timestamp::MAX);
        for (index, slot) in hunts.iter_mut().enumerate() {
            let Some(hunt) = slot.as_mut().filter(|hunt| !hunt.away) else { continue };
            let request = match hunt.searched.search.turn(now) {
                Turn::Ask(request) => request,
                Turn::List(Request::MyTrades { symbol, order, range, limit }) => {
                    let range = hunt.spans.pop().unwrap_or(range);
                    Request::MyTrades { symbol, order, range, limit }
                }
                Turn::List(request) => request,
                Turn::Wait(until) => {
                    next = next.min(until);
                    continue;
                }
                Turn::Done(sought) => {
                    all.push((hunt.searched.venue, hunt.searched.symbol, sought));
                    *slot = None;
                    next = now;
                    continue;
                }
            };
            hunt.away = true;
            if let Request::MyTrades { range, .. } = &request {
                // Until it is answered it is the span that is asked for.
                hunt.spans.push(*range);
            }
            let venue = hunt.searched.venue.index();
            let Self { world, places, .. } = self;
            places[venue].rest.begin(world, request, Purpose::Inquiry(index), Urgency::CanWait);
        }
        next
    }

    fn hear_hunted(
        &mut self,
        hunts: &mut [Option<Hunt>],
        purpose: &Purpose,
        result: Result<Reply, ExchangeError>,
    ) {
        let now = self.now();
        self.desk.trace.note(now, format!("{purpose:?}").as_bytes(), || format!("{purpose:?} -> {result:?}"));
        self.desk.checks.answered(&result);
        if let Purpose::Inquiry(index) = purpose
            && let Some(Some(hunt)) = hunts.get_mut(*index)
        {
            hunt.away = false;
            if let Some(whole) = hunt.gather(result) {
                hunt.searched.search.answered(now, whole);
            }
        }
    }

    /// Orders that left and of which no record tells count for no limit that looks back: nobody can know of them.
    pub(super) fn forget_lost(&mut self) {
        if self.life.deaths == 0 {
            return;
        }
        let known = self.written_orders();
        self.desk.checks.journal_has(|order| known.get(order.as_str()).copied());
    }
}

impl Hunt {
    /// Takes in an answer; the whole one when nothing of it is missing any more.
    fn gather(&mut self, result: Result<Reply, ExchangeError>) -> Option<Result<Reply, ExchangeError>> {
        let span = self.spans.pop();
        match (result, span) {
            (Ok(Reply::Fills(rows)), Some(TimeRange { from: Some(from), to: Some(to) }))
                if rows.len() >= FILLS =>
            {
                if to.since(from) <= SHORTEST {
                    self.spans.clear();
                    self.rows.clear();
                    return Some(Ok(Reply::Done));
                }
                let middle = from + to.since(from) / 2;
                let half = |from, to| TimeRange { from: Some(from), to: Some(to) };
                self.spans.extend([half(middle, to), half(from, middle)]);
                None
            }
            (Ok(Reply::Fills(rows)), Some(_)) => {
                self.rows.extend(rows);
                if !self.spans.is_empty() {
                    return None;
                }
                let mut rows = std::mem::take(&mut self.rows);
                rows.sort_by_key(Fill::key);
                rows.dedup_by_key(|fill| fill.key());
                Some(Ok(Reply::Fills(rows)))
            }
            (result, _) => {
                self.spans.clear();
                self.rows.clear();
                Some(result)
            }
        }
    }
}
