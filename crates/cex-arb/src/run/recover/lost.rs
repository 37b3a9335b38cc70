//! After a loss of power: orders that may have left and of which no record tells are looked for in what the accounts traded.

use super::found::{self, Found, Known};
use super::{Search, Sought, Unfinished, Wanted, ask, left_of, passing, tell};
use crate::exit::{Exit, Failure};
use crate::run::machine;
use crate::run::past::{Doubt, Sending, VENUE_LAG};
use crate::run::record::Recorder;
use crate::run::venue::Venue;
use cex_core::{Market, Markets, NumError, OrderId, Symbol, SymbolId, Timestamp, TradeId, VenueId};
use cex_engine::IdParts;
use cex_journal::{Entry, messages};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// Clocks of exchanges and of a machine that has just started are apart by less: so much earlier, and later, is looked.
const MARGIN: Duration = Duration::from_secs(60);
/// How long an account may take to be read, and as long again for each market by the second: they share a budget of calls.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two markets that are asked for the first time.
const APART_EACH: Duration = Duration::from_millis(2);
/// A market that was sent to so long before the power was lost may have been sent to when it was.
const OF_LATE: Duration = Duration::from_secs(24 * 3_600);

/// A market that is searched, and how.
#[derive(Debug)]
pub struct Searched {
    /// Venue that is searched.
    pub venue: VenueId,
    /// Symbol whose fills are looked for.
    pub symbol: SymbolId,
    /// The questions that are asked there.
    pub search: Search,
}

impl Unfinished {
    /// The searches that are needed, for every market there is: none unless the power may have been lost. Those of open arbitrages
    /// come first, then what was sent to last: with hundreds of markets the budget of calls makes the others wait. `started` is when
    /// the machine was started, as far as that is known; `expires_in` is how long an order is taken after it was sent.
    #[must_use]
    pub fn searches(
        &self,
        now: Timestamp,
        started: Option<Timestamp>,
        expires_in: Duration,
        markets: &[(VenueId, Arc<Markets>)],
    ) -> Vec<Searched> {
        let Some(doubt) = self.past.doubt() else { return Vec::new() };
        // Whoever sent them was dead when this start began; and when the machine did, if it is theirs: not another one that took
        // over their disk and has been up for longer, nor one of which it is not known which run they were of.
        let arrives = expires_in.max(doubt.expires_in) + VENUE_LAG;
        let started = started.filter(|at| !doubt.unplaced && *at > doubt.since).unwrap_or(now);
        let dead_at = now + arrives;
        let range = (doubt.since - MARGIN, (started.min(now) + arrives).max(doubt.since) + MARGIN);
        let mut known = self.known();
        let all = markets.iter().flat_map(|(venue, markets)| markets.iter().map(|market| (*venue, market)));
        let mut all: Vec<(VenueId, &Market)> = all.collect();
        all.sort_by_cached_key(|(venue, market)| self.turn_of(*venue, &market.symbol().to_string()));
        let patience = PATIENCE + Duration::from_secs(all.len() as u64);
        let mut all_searches = Vec::new();
        for (venue, market) in all {
            let name = (venue.name().to_owned(), market.symbol().to_string());
            let known = known.remove(&name).unwrap_or_default();
            let wanted = Wanted { epochs: doubt.epochs.clone(), known };
            let search = Search::new(market.id, range, dead_at, patience, wanted);
            all_searches.push(Searched { venue, symbol: market.id, search });
        }
        all_searches
    }

    /// When a market is searched: the smaller the sooner.
    fn turn_of(&self, venue: VenueId, symbol: &str) -> (bool, Reverse<Option<Timestamp>>) {
        let open = self.past.cycles().values().any(|cycle| !cycle.acknowledged && cycle.symbol == symbol);
        (!open, Reverse(self.past.last_sent(venue.name(), symbol).map(|sending| sending.at)))
    }

    /// Markets, by venue and symbol, that a session sent orders to whose last records may be lost, or any within a day before, and
    /// that are in no search: they are not configured, or not served, any more.
    #[must_use]
    pub fn unsearched(&self, markets: &[(VenueId, Arc<Markets>)]) -> Vec<(String, String)> {
        let Some(doubt) = self.past.doubt().filter(|doubt| !doubt.is_acknowledged()) else {
            return Vec::new();
        };
        let is_searched = |venue: &str, symbol: &str| {
            let symbol: Option<Symbol> = symbol.parse().ok();
            let mut its = markets.iter().filter(|(known, _)| known.name() == venue);
            its.any(|(_, markets)| symbol.is_some_and(|symbol| markets.by_symbol(symbol).is_some()))
        };
        let of_late =
            |sending: Sending| sending.at >= doubt.since - OF_LATE || doubt.epochs.contains(&sending.epoch);
        let sent = self.past.all_last_sent().filter(|(.., sending)| of_late(*sending));
        let unsearched = sent.filter(|(venue, symbol, _)| !is_searched(venue, symbol));
        unsearched.map(|(venue, symbol, _)| (venue.to_owned(), symbol.to_owned())).collect()
    }

    /// Fills that records tell of, by venue and symbol.
    fn known(&self) -> BTreeMap<(String, String), BTreeSet<(OrderId, TradeId)>> {
        let mut known: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for (venue, symbol, order, trade) in self.past.fills() {
            if let (Ok(order), Ok(trade)) = (OrderId::new(order), TradeId::new(trade)) {
                known.entry((venue.clone(), symbol.clone())).or_default().insert((order, trade));
            }
        }
        known
    }

    /// Looks for orders of which no record tells, and writes down what they filled.
    ///
    /// # Errors
    /// Exit code 9 with what an operator must look at, 5 when an exchange did not answer.
    pub async fn search(
        &mut self,
        venues: &[Venue],
        expires_in: Duration,
        recorder: &mut Recorder,
    ) -> Result<(), Failure> {
        let Some(clock) = venues.first().map(|venue| venue.rest.clock()) else { return Ok(()) };
        let markets: Vec<_> = venues.iter().map(|venue| (venue.id, venue.rest.markets())).collect();
        let mut asked = JoinSet::new();
        let now = clock.now();
        let searches = self.searches(now, machine::started(now), expires_in, &markets);
        for (turn, Searched { venue, symbol, search }) in searches.into_iter().enumerate() {
            let Some(rest) = venues.iter().find(|known| known.id == venue).map(|venue| &venue.rest) else {
                continue;
            };
            let rest = Arc::clone(rest);
            // All may ask from the same moment on: who comes first is first in the queue for the budget of calls.
            let later = APART_EACH * u32::try_from(turn).unwrap_or(u32::MAX);
            asked.spawn_local(async move { (venue, symbol, ask::ask_later(&rest, search, later).await) });
        }
        if !asked.is_empty() {
            tracing::warn!(
                markets = asked.len(),
                "the machine may have lost its power, and with it the last records: what was traded is compared with the journal"
            );
        }
        let mut all = Vec::new();
        while let Some(answer) = asked.join_next().await {
            all.push(answer.map_err(|error| Failure::new(Exit::Internal, error.to_string(), ""))?);
        }
        // Whoever answers first must not decide what is written first.
        all.sort_by_key(|(venue, symbol, _)| (*venue, *symbol));
        let all_searched = self.all_searched(&markets);
        match (self.sought(clock.now(), all, &markets, recorder), all_searched) {
            (Ok(()), all_searched) => self.doubted(clock.now(), all_searched, recorder),
            // Whoever looks after the one knows of the other too.
            (Err(failure), Err(mut unsearched)) => {
                unsearched.what = format!("{}; {}", failure.what, unsearched.what);
                self.doubted(clock.now(), Err(unsearched), recorder)
            }
            (failed, Ok(())) => failed,
        }
    }

    /// What may have been traded where nobody looks is an operator's.
    fn all_searched(&self, markets: &[(VenueId, Arc<Markets>)]) -> Result<(), Failure> {
        let unsearched = self.unsearched(markets);
        if unsearched.is_empty() {
            return Ok(());
        }
        let names: Vec<String> =
            unsearched.iter().map(|(venue, symbol)| format!("{symbol} at {venue}")).collect();
        let what = format!(
            "{} traded before the power was lost, and not configured or served any more, so nobody searched there",
            names.join(", ")
        );
        look(what, false)
    }

    /// Writes down what the searches found: orders that filled and of which no record tells.
    ///
    /// # Errors
    /// Exit code 9 with what an operator must look at, 5 when an exchange did not answer.
    pub fn sought(
        &mut self,
        now: Timestamp,
        all: Vec<(VenueId, SymbolId, Sought)>,
        markets: &[(VenueId, Arc<Markets>)],
        recorder: &mut Recorder,
    ) -> Result<(), Failure> {
        let Some(doubt) = self.past.doubt().cloned() else { return Ok(()) };
        let written = self.write_sought(now, all, markets, &doubt, recorder);
        self.doubted(now, written, recorder)
    }

    fn write_sought(
        &mut self,
        now: Timestamp,
        all: Vec<(VenueId, SymbolId, Sought)>,
        markets: &[(VenueId, Arc<Markets>)],
        doubt: &Doubt,
        recorder: &mut Recorder,
    ) -> Result<(), Failure> {
        let (mut unheard, mut unread, mut silent) = (Vec::new(), BTreeSet::new(), Vec::new());
        for (venue, symbol, sought) in all {
            let market = markets.iter().find(|(known, _)| *known == venue);
            let Some(symbol) = market.and_then(|(_, markets)| markets.get(symbol)).map(Market::symbol) else {
                continue;
            };
            unheard.extend(sought.fills.iter().map(|fill| tell::fill(&symbol, fill)));
            if let Err(why) = sought.whole {
                let what = format!("{symbol} at {venue}: what was traded is not known: {why}");
                if why.passes && !doubt.is_acknowledged() {
                    silent.push(what);
                    continue;
                }
                look(what, doubt.is_acknowledged())?;
                unread.insert(symbol.to_string());
            }
        }
        if !silent.is_empty() {
            return Err(passing(silent.join("; "), now.since(doubt.since)));
        }
        unheard.retain(|fill| {
            let ours = IdParts::of(&fill.client_id).is_some_and(|parts| doubt.epochs.contains(&parts.epoch));
            ours && !self.past.knows(fill)
        });
        let (known, lost): (Vec<_>, Vec<_>) =
            unheard.into_iter().partition(|fill| self.past.order(&fill.client_id).is_some());
        self.more_of_known(now, known, doubt.is_acknowledged(), recorder)?;
        let overlooked = doubt.overlooked.then_some(doubt.since);
        let search = Known { now, looked: &doubt.looked, unread: &unread, overlooked };
        let booked = self.book(search, &Found::group(lost), markets, recorder);
        recorder.flush();
        booked.or_else(|error| {
            let what = format!("what was traded and not written down does not fit: {error}");
            look(what, doubt.is_acknowledged())
        })?;
        if doubt.overlooked { self.stands_open() } else { Ok(()) }
    }

    /// What was found after an operator had looked, who did not know of it, may be evened out already: it is not traded, but told.
    /// Everything else that stood open then is theirs.
    fn stands_open(&self) -> Result<(), Failure> {
        // Of orders that seem never to have arrived nothing stands open; that they did not is proven after this.
        let cycles = self.past.cycles().iter().filter(|(_, cycle)| !cycle.acknowledged && !cycle.is_level());
        let open: Vec<String> = cycles.map(|(name, cycle)| left_of(name, cycle)).collect();
        if open.is_empty() {
            return Ok(());
        }
        let what = format!("found, and open unless it was evened out meanwhile: {}", open.join("; "));
        look(what, false)
    }

    /// Fills of orders that were thought to be known to their end.
    fn more_of_known(
        &mut self,
        now: Timestamp,
        fills: Vec<messages::Fill>,
        acknowledged: bool,
        recorder: &mut Recorder,
    ) -> Result<(), Failure> {
        for fill in fills {
            let (name, venue) = (fill.client_id.clone(), fill.venue.clone());
            self.learn(now, &Entry::Fill(fill), recorder);
            if self.past.order(&name).is_some_and(|order| !order.is_settled()) {
                look(format!("order {name} at {venue} filled more than it said"), acknowledged)?;
            }
        }
        Ok(())
    }

    /// Writes down all that fits.
    fn book(
        &mut self,
        search: Known<'_>,
        orders: &[Found],
        markets: &[(VenueId, Arc<Markets>)],
        recorder: &mut Recorder,
    ) -> Result<(), NumError> {
        for order in orders {
            tracing::warn!(order = %order.parts.id(), fills = order.fills.len(), "an order that no record tells of has filled");
        }
        let other = |venue: &str, symbol: &str| {
            let symbol: Option<Symbol> = symbol.parse().ok();
            let trades = |markets: &Markets| symbol.is_some_and(|symbol| markets.by_symbol(symbol).is_some());
            let found = markets.iter().find(|(known, markets)| known.name() != venue && trades(markets));
            found.map_or_else(|| venue.to_owned(), |(known, _)| known.to_string())
        };
        let mut fits = Ok(());
        let mut write = |this: &mut Self, entries: Result<Vec<Entry>, NumError>| match entries {
            Ok(entries) => entries.iter().for_each(|entry| this.learn(search.now, entry, recorder)),
            Err(error) => fits = Err(error),
        };
        for entries in found::arbitrages(search, orders, other) {
            write(self, entries);
        }
        for order in orders.iter().filter(|order| !order.is_leg()) {
            let entries = found::closing(&self.past, order, search);
            write(self, entries);
        }
        fits
    }
}

/// Something must be looked at, unless an operator has since.
fn look(what: String, acknowledged: bool) -> Result<(), Failure> {
    if acknowledged {
        tracing::warn!(what, "an operator has looked at it");
        return Ok(());
    }
    Err(Failure::new(Exit::Residual, what, "compare both accounts with the journal, then: arb resume"))
}

#[cfg(test)]
mod tests;
