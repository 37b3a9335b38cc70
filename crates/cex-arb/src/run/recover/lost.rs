//! After a loss of power: orders that may have left and of which no record tells are looked for in what the accounts traded.

use super::found::{self, Found, Known};
use super::{Search, Sought, Unfinished, Wanted, ask, left_open, tell};
use crate::exit::{Exit, Failure};
use crate::run::machine;
use crate::run::past::{Doubt, VENUE_LAG};
use crate::run::record::Recorder;
use crate::run::venue::Venue;
use cex_core::{Decimal, Market, Markets, NumError, OrderId, Symbol, SymbolId, Timestamp, TradeId, VenueId};
use cex_engine::IdParts;
use cex_journal::{Entry, messages};
use std::collections::{BTreeMap, BTreeSet};
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
    /// The searches that are needed, for every market there is: none unless the power may have been lost. `started` is when
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
        let all: Vec<(VenueId, &Market)> = all.collect();
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
        let now = clock.now();
        let searches = self.searches(now, machine::started(now), expires_in, &markets);
        for Searched { venue, symbol, search } in searches {
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
        let (mut unheard, mut unread) = (Vec::new(), BTreeSet::new());
        for (venue, symbol, sought) in all {
            let market = markets.iter().find(|(known, _)| *known == venue);
            let Some(symbol) = market.and_then(|(_, markets)| markets.get(symbol)).map(Market::symbol) else {
                continue;
            };
            unheard.extend(sought.fills.iter().map(|fill| tell::fill(&symbol, fill)));
            if let Err(why) = sought.whole {
                let what = format!("{symbol} at {venue}: what was traded is not known: {why}");
                look(what, doubt.is_acknowledged())?;
                unread.insert(symbol.to_string());
            }
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
        let cycles = self.past.cycles().iter().filter(|(_, cycle)| !cycle.acknowledged);
        let open = cycles.filter(|(_, cycle)| !cycle.residual().is_ok_and(Decimal::is_zero));
        let open = open.map(|(name, cycle)| {
            let left = cycle.residual().map_or_else(|error| error.to_string(), |net| left_open(cycle, net));
            format!("arbitrage {name}, {left}")
        });
        let open: Vec<String> = open.collect();
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
mod tests {
    use super::super::Turn;
    use super::super::stage::{markets, recorder};
    use super::*;
    use crate::run::past::Past;
    use cex_core::{ClientOrderId, Fill, Liquidity, OrderId, Side, TradeId};
    use cex_interface::Request;
    use cex_journal::messages::{Mode, OperatorAck, PastUnsought, SessionEnd, SessionStart};

    const NOW: Timestamp = Timestamp::from_secs(1_000);
    const LOST: &str = "mqhw82kb-1b";

    fn fill(venue: VenueId, client_id: &str, side: Side, qty: i64) -> Fill {
        Fill {
            venue,
            symbol: SymbolId(0),
            trade_id: TradeId::new("t").expect("short"),
            order_id: OrderId::new(client_id).expect("short"),
            client_id: ClientOrderId::new(client_id),
            side,
            price: Decimal::from(100),
            qty: Decimal::from(qty),
            fee: Decimal::ZERO,
            fee_asset: "USDT".parse().expect("an asset"),
            second_fee: None,
            liquidity: Liquidity::Taker,
            exchange_ts: NOW,
        }
    }

    /// A start after a loss of power, of which an earlier one told an operator who has looked since, or not.
    fn unfinished(acknowledged: bool) -> Unfinished {
        let epoch = IdParts::of(LOST).expect("ours").epoch;
        let live = |seed, boot: &str| SessionStart {
            seed,
            mode: Mode::Live.into(),
            boot: boot.to_owned(),
            ..SessionStart::default()
        };
        let mut past = Past::default();
        past.take_in(1, NOW, &Entry::SessionStart(live(epoch, "before")));
        if acknowledged {
            let resume = SessionStart { boot: "now".to_owned(), ..SessionStart::default() };
            for entry in [
                Entry::SessionStart(live(epoch + 1, "now")),
                Entry::PastUnsought(PastUnsought::default()),
                Entry::SessionEnd(SessionEnd::default()),
                Entry::SessionStart(resume),
                Entry::OperatorAck(OperatorAck::default()),
                Entry::SessionEnd(SessionEnd::default()),
            ] {
                past.take_in(2, NOW, &entry);
            }
        }
        past.begins(&live(epoch + 2, "now"));
        Unfinished::new(past).expect("no contradiction")
    }

    /// Whether a start goes on when its searches come to this, and what it knows then.
    fn after(acknowledged: bool, mexc: Sought, gateio: Sought) -> (bool, Unfinished) {
        let (place, markets) = (tempfile::tempdir().expect("a directory"), markets());
        let (mut recorder, mut unfinished) = (recorder(place.path(), NOW), unfinished(acknowledged));
        let all = markets.iter().map(|(venue, _)| (*venue, SymbolId(0))).zip([mexc, gateio]);
        let all = all.map(|((venue, symbol), sought)| (venue, symbol, sought)).collect();
        let goes_on = unfinished.sought(NOW, all, &markets, &mut recorder).is_ok();
        if goes_on {
            unfinished.proven(NOW, &mut recorder);
        }
        (goes_on, unfinished)
    }

    fn bought() -> Sought {
        Sought { fills: vec![fill(markets()[1].0, LOST, Side::Buy, 2)], whole: Ok(()) }
    }

    fn sold() -> Sought {
        Sought { fills: vec![fill(markets()[0].0, "mqhw82kb-2s", Side::Sell, 1)], whole: Ok(()) }
    }

    fn unread() -> Sought {
        Sought { fills: Vec::new(), whole: Err("busy".to_owned()) }
    }

    #[test]
    fn half_of_what_was_traded_is_written_down_only_as_an_operators() {
        let (goes_on, half) = after(false, unread(), bought());
        assert_eq!((goes_on, half.past.cycles().len()), (false, 0));
        assert!(half.past.doubt().is_some_and(|doubt| doubt.told), "only now an operator knows of it");
        let (goes_on, half) = after(true, unread(), bought());
        assert_eq!((goes_on, half.past.cycles().len(), half.past.unfinished()), (true, 1, 0));
        assert_eq!(half.past.undecided(), 1, "nobody knows what the other leg did");
        assert_eq!(half.past.doubt(), None, "no later start waits for what an operator has looked at");
    }

    #[test]
    fn what_does_not_fit_holds_a_start_until_an_operator_has_looked() {
        let too_much = || {
            let (mexc, price) = (markets()[0].0, Decimal::new(i128::MAX, 0));
            let odd = Fill { price, ..fill(mexc, "mqhw82kb-4s", Side::Sell, 3) };
            Sought { fills: vec![fill(mexc, "mqhw82kb-2s", Side::Sell, 1), odd], whole: Ok(()) }
        };
        for acknowledged in [false, true] {
            let (goes_on, rest) = after(acknowledged, too_much(), bought());
            assert_eq!(goes_on, acknowledged);
            let names: Vec<&String> = rest.past.cycles().keys().collect();
            assert_eq!(names, [LOST], "what fits is written down");
            assert_eq!(rest.past.doubt().is_some_and(|doubt| doubt.told), !acknowledged);
        }
    }

    #[test]
    fn a_search_ends_with_what_can_have_left_before_the_machine_was_started() {
        let ends = |unfinished: &Unfinished, started: Option<Timestamp>| {
            let (now, expires_in) = (NOW + Duration::from_secs(86_400), Duration::from_secs(2));
            let mut searches = unfinished.searches(now, started, expires_in, &markets());
            assert_eq!(searches.len(), 2);
            let dead_at = now + expires_in + VENUE_LAG;
            assert_eq!(searches[0].search.turn(now), Turn::Wait(dead_at));
            match searches[0].search.turn(dead_at) {
                Turn::List(Request::MyTrades { range, .. }) => range.to.map(|to| to.since(NOW)),
                other => panic!("{other:?}"),
            }
        };
        let lost = unfinished(false);
        let started = Some(NOW + Duration::from_secs(100));
        assert_eq!(ends(&lost, started), Some(Duration::from_secs(100 + 2 + 10 + 60)));
        assert_eq!(ends(&lost, None), Some(Duration::from_secs(86_400 + 2 + 10 + 60)));
        let long_ago = Some(NOW - Duration::from_secs(86_400));
        assert_eq!(ends(&lost, long_ago), ends(&lost, None), "another machine, which took over the disk");
        let mut past = Past::default();
        past.take_in(
            1,
            NOW,
            &Entry::SessionStart(SessionStart { mode: Mode::Live.into(), ..Default::default() }),
        );
        past.begins(&SessionStart { boot: "now".to_owned(), ..Default::default() });
        let unplaced = Unfinished::new(past).expect("no contradiction");
        assert_eq!(ends(&unplaced, started), ends(&lost, None), "it may have been of this very run");
    }

    #[test]
    fn what_was_traded_goes_on_unless_an_operator_has_looked() {
        for acknowledged in [false, true] {
            let (goes_on, all) = after(acknowledged, sold(), bought());
            assert_eq!((goes_on, all.past.cycles().len(), all.past.undecided()), (true, 1, 0));
            assert_eq!(all.past.unfinished(), usize::from(!acknowledged));
            assert_eq!(all.past.cycles()[LOST].residual(), Ok(Decimal::ONE));
            assert_eq!(all.past.doubt(), None);
        }
    }

    #[test]
    fn what_stands_open_is_told_and_not_traded_once_an_operator_has_looked_who_did_not_know_of_it() {
        let (place, markets) = (tempfile::tempdir().expect("a directory"), markets());
        let mut recorder = recorder(place.path(), NOW);
        let live = |seed, boot: &str| SessionStart {
            seed,
            mode: Mode::Live.into(),
            boot: boot.to_owned(),
            ..SessionStart::default()
        };
        let resumed = |past: &mut Past| {
            let resume = SessionStart { boot: "now".to_owned(), ..SessionStart::default() };
            for entry in [
                Entry::SessionStart(resume),
                Entry::OperatorAck(OperatorAck::default()),
                Entry::SessionEnd(SessionEnd::default()),
            ] {
                past.take_in(2, NOW, &entry);
            }
        };
        let epoch = IdParts::of(LOST).expect("ours").epoch;
        let mut past = Past::default();
        past.take_in(1, NOW, &Entry::SessionStart(live(epoch, "before")));
        resumed(&mut past);
        let mut all = Unfinished::new(past).expect("no contradiction");
        // The search finds it, and the next one knows it already.
        for mut found in [vec![sold(), bought()], vec![sold(), bought()]] {
            all.past.begins(&live(epoch + 1, "now"));
            let venues = markets.iter().map(|(venue, _)| (*venue, SymbolId(0), found.remove(0))).collect();
            let failure =
                all.sought(NOW, venues, &markets, &mut recorder).expect_err("it may be even by now");
            assert_eq!(failure.exit, Exit::Residual);
            assert!(
                failure.what.contains("arbitrage mqhw82kb-1b, BTC/USDT: 1 bought and not sold"),
                "{}",
                failure.what
            );
            assert!(failure.what.contains("the power may have been lost"), "{}", failure.what);
            assert!(all.past.doubt().is_some_and(|doubt| doubt.told));
            all.past.take_in(3, NOW, &Entry::SessionEnd(SessionEnd::default()));
        }
        // Now an operator knows what to look at.
        resumed(&mut all.past);
        let venues = markets.iter().map(|(venue, _)| (*venue, SymbolId(0), unread())).collect();
        all.sought(NOW, venues, &markets, &mut recorder).expect("an operator has looked");
        all.proven(NOW, &mut recorder);
        assert_eq!((all.past.cycles().len(), all.past.unfinished(), all.past.doubt()), (1, 0, None));
    }
}
