//! After a loss of power: orders that may have left and of which no record tells are looked for in what the accounts traded.

use super::found::{self, Found};
use super::{Search, Sought, Unfinished, ask, tell};
use crate::exit::{Exit, Failure};
use crate::run::past::VENUE_LAG;
use crate::run::record::Recorder;
use crate::run::venue::Venue;
use cex_core::{Market, Markets, NumError, Symbol, SymbolId, Timestamp, VenueId};
use cex_engine::IdParts;
use cex_journal::{Entry, messages};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// Clocks of exchanges and of a machine that has just started are apart by less: so much earlier, and later, is looked.
const MARGIN: Duration = Duration::from_secs(60);
/// How long an account may take to be read, and as long again for each market by the second: they share a budget of calls.
const PATIENCE: Duration = Duration::from_secs(60);

/// A market that is searched, and how.
#[derive(Debug)]
pub struct Searched {
    /// Where.
    pub venue: VenueId,
    /// Of what.
    pub symbol: SymbolId,
    /// How.
    pub search: Search,
}

impl Unfinished {
    /// The searches that are needed, for every market there is: none unless the power may have been lost. `expires_in` is how
    /// long an order is taken after it was sent.
    #[must_use]
    pub fn searches(
        &self,
        now: Timestamp,
        expires_in: Duration,
        markets: &[(VenueId, Arc<Markets>)],
    ) -> Vec<Searched> {
        let Some(doubt) = self.past.doubt() else { return Vec::new() };
        // Whoever sent them was dead when this start began.
        let dead_at = now + expires_in.max(doubt.expires_in) + VENUE_LAG;
        let range = (doubt.since - MARGIN, dead_at.max(doubt.since) + MARGIN);
        let all =
            markets.iter().flat_map(|(venue, markets)| markets.iter().map(|market| (*venue, market.id)));
        let all: Vec<(VenueId, SymbolId)> = all.collect();
        let patience = PATIENCE + Duration::from_secs(all.len() as u64);
        let of = |(venue, symbol)| Searched {
            venue,
            symbol,
            search: Search::new(symbol, range, dead_at, patience),
        };
        all.into_iter().map(of).collect()
    }

    /// Looks for orders of which no record tells, and writes down what they filled.
    ///
    /// # Errors
    /// Exit code 9 with what an operator must look at.
    pub async fn search(
        &mut self,
        venues: &[Venue],
        expires_in: Duration,
        recorder: &mut Recorder,
    ) -> Result<(), Failure> {
        let Some(clock) = venues.first().map(|venue| venue.rest.clock()) else { return Ok(()) };
        let markets: Vec<_> = venues.iter().map(|venue| (venue.id, venue.rest.markets())).collect();
        let mut asked = JoinSet::new();
        for Searched { venue, symbol, search } in self.searches(clock.now(), expires_in, &markets) {
            let Some(rest) = venues.iter().find(|known| known.id == venue).map(|venue| &venue.rest) else {
                continue;
            };
            let rest = Arc::clone(rest);
            asked.spawn_local(async move { (venue, symbol, ask::ask(&rest, search).await) });
        }
        if asked.is_empty() {
            return Ok(());
        }
        tracing::warn!(
            markets = asked.len(),
            "the machine may have lost its power, and with it the last records: what was traded is compared with the journal"
        );
        let mut all = Vec::new();
        while let Some(answer) = asked.join_next().await {
            all.push(answer.map_err(|error| Failure::new(Exit::Internal, error.to_string(), ""))?);
        }
        // Whoever answers first must not decide what is written first.
        all.sort_by_key(|(venue, symbol, _)| (*venue, *symbol));
        self.sought(clock.now(), all, &markets, recorder)
    }

    /// Writes down what the searches found: orders that filled and of which no record tells.
    ///
    /// # Errors
    /// Exit code 9 with what an operator must look at.
    pub fn sought(
        &mut self,
        now: Timestamp,
        all: Vec<(VenueId, SymbolId, Sought)>,
        markets: &[(VenueId, Arc<Markets>)],
        recorder: &mut Recorder,
    ) -> Result<(), Failure> {
        let Some(doubt) = self.past.doubt().cloned() else { return Ok(()) };
        let mut unheard = Vec::new();
        for (venue, symbol, sought) in all {
            let market = markets.iter().find(|(known, _)| *known == venue);
            let Some(symbol) = market.and_then(|(_, markets)| markets.get(symbol)).map(Market::symbol) else {
                continue;
            };
            match sought {
                Ok(fills) => unheard.extend(fills.iter().map(|fill| tell::fill(&symbol, fill))),
                Err(why) => {
                    let what = format!(
                        "{symbol} at {venue}: the power may have been lost, and what was traded since {} is not known: {why}",
                        doubt.since
                    );
                    look(what, doubt.acknowledged)?;
                }
            }
        }
        unheard.retain(|fill| {
            let ours = IdParts::of(&fill.client_id).is_some_and(|parts| doubt.epochs.contains(&parts.epoch));
            ours && !self.past.knows(fill)
        });
        let (known, lost): (Vec<_>, Vec<_>) =
            unheard.into_iter().partition(|fill| self.past.order(&fill.client_id).is_some());
        self.more_of_known(now, known, doubt.acknowledged, recorder)?;
        let booked = self.book(now, &Found::group(lost), markets, recorder);
        booked.map_err(|error| {
            let what = format!("what was traded and not written down does not fit: {error}");
            Failure::new(Exit::Residual, what, "compare both accounts with the journal, then: arb resume")
        })?;
        recorder.flush();
        Ok(())
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
            self.learn(now, Entry::Fill(fill), recorder);
            if self.past.order(&name).is_some_and(|order| !order.is_settled()) {
                look(format!("order {name} at {venue} filled more than it said"), acknowledged)?;
            }
        }
        Ok(())
    }

    fn book(
        &mut self,
        now: Timestamp,
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
        for entry in found::arbitrages(now, orders, other)? {
            self.learn(now, entry, recorder);
        }
        for order in orders.iter().filter(|order| !order.is_leg()) {
            for entry in found::closing(&self.past, order)? {
                self.learn(now, entry, recorder);
            }
        }
        Ok(())
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
