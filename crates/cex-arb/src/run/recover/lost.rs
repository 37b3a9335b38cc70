//! After a loss of power: orders that may have left and of which no record tells are looked for in what the accounts traded.

use super::found::{self, Found, Known};
use super::{Search, Sought, Unfinished, Wanted, ask, tell};
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
    /// Where.
    pub venue: VenueId,
    /// Of what.
    pub symbol: SymbolId,
    /// How.
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
        // Whoever sent them was dead when this start began, and when the machine did if it was known of which run they were.
        let arrives = expires_in.max(doubt.expires_in) + VENUE_LAG;
        let (dead_at, started) = (now + arrives, started.filter(|_| !doubt.unplaced).unwrap_or(now));
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
        for (turn, Searched { venue, symbol, search }) in searches.into_iter().enumerate() {
            let Some(rest) = venues.iter().find(|known| known.id == venue).map(|venue| &venue.rest) else {
                continue;
            };
            let rest = Arc::clone(rest);
            // All may ask from the same moment on: who comes first is first in the queue for the budget of calls.
            let later = APART_EACH * u32::try_from(turn).unwrap_or(u32::MAX);
            asked.spawn_local(async move { (venue, symbol, ask::ask_later(&rest, search, later).await) });
        }
        if asked.is_empty() {
            return Ok(());
        }
        tracing::warn!(
            markets = asked.len(),
            "the machine may have lost its power, and with it the last records: what was traded is compared with the journal"
        );
        for (venue, symbol) in self.unsearched(&markets) {
            tracing::warn!(
                venue,
                symbol,
                since = %self.past.doubt().map_or(now, |doubt| doubt.since),
                "was traded before the power was lost and is not configured or served any more, so it is not searched: \
                 compare its trades at the exchange with arb journal dump, and even out what is missing there"
            );
        }
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
                let what = format!(
                    "{symbol} at {venue}: the power may have been lost, and what was traded since {} is not known: {why}",
                    doubt.since
                );
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
        let search = Known { now, looked: &doubt.looked, unread: &unread };
        let booked = self.book(search, &Found::group(lost), markets, recorder);
        recorder.flush();
        booked.or_else(|error| {
            let what = format!("what was traded and not written down does not fit: {error}");
            look(what, doubt.is_acknowledged())
        })
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
            let entries = found::closing(&self.past, order, search.looked);
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
    use super::super::stage::{market, markets, recorder};
    use super::*;
    use crate::run::past::Past;
    use cex_core::{ClientOrderId, Decimal, Fill, Liquidity, OrderId, Side, TradeId};
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

    /// Two exchanges that trade three symbols; the loss of power came when the orders of `sent` had been written down.
    fn lost_with(sent: &[(i64, &str, &str)]) -> (Unfinished, Vec<(VenueId, Arc<Markets>)>) {
        let named = |venue: VenueId, id: u32, symbol: &str| {
            let market = market(venue);
            let info = cex_core::SymbolInfo { symbol: symbol.parse().expect("a symbol"), ..market.info };
            Market::new(venue, SymbolId(id), info, market.scale).expect("rules fit")
        };
        let all = |venue| {
            (0..).zip(["AAA/USDT", "BBB/USDT", "CCC/USDT"]).map(move |(id, name)| named(venue, id, name))
        };
        let markets =
            markets().into_iter().map(|(venue, _)| (venue, Arc::new(Markets::new(all(venue).collect()))));
        let session = |seed, boot: &str| SessionStart {
            seed,
            mode: Mode::Live.into(),
            boot: boot.to_owned(),
            ..SessionStart::default()
        };
        let mut past = Past::default();
        past.take_in(1, NOW, &Entry::SessionStart(session(1, "before")));
        for (number, (seconds, symbol, ending)) in sent.iter().enumerate() {
            let leg = |venue: &str, side: messages::Side| messages::Leg {
                venue: venue.to_owned(),
                client_id: format!("{number}{venue}"),
                side: side.into(),
                ..messages::Leg::default()
            };
            let legs = vec![leg("mexc", messages::Side::Buy), leg("gateio", messages::Side::Sell)];
            let at = NOW + Duration::from_secs(u64::try_from(*seconds).expect("later"));
            let intent =
                messages::Intent { symbol: (*symbol).to_owned(), legs, ..messages::Intent::default() };
            past.take_in(2, at, &Entry::Intent(intent));
            if !ending.is_empty() {
                let (name, symbol) = (format!("{number}mexc"), (*symbol).to_owned());
                let end = messages::ArbitrageEnd {
                    name,
                    symbol,
                    ending: (*ending).to_owned(),
                    ..Default::default()
                };
                past.take_in(3, at, &Entry::ArbitrageEnd(end));
            }
        }
        past.begins(&session(2, "now"));
        (Unfinished::new(past).expect("no contradiction"), markets.collect())
    }

    #[test]
    fn markets_of_open_arbitrages_are_searched_first_and_then_what_was_sent_to_last() {
        let sent = [(1, "BBB/USDT", ""), (2, "AAA/USDT", "both_filled"), (3, "CCC/USDT", "both_filled")];
        let (unfinished, markets) = lost_with(&sent);
        let searches = unfinished.searches(NOW, None, Duration::ZERO, &markets);
        let order: Vec<(u32, &str)> =
            searches.iter().map(|searched| (searched.symbol.0, searched.venue.name())).collect();
        let pair = |id| [(id, "mexc"), (id, "gateio")];
        assert_eq!(order, [pair(1), pair(2), pair(0)].concat());
    }

    #[test]
    fn what_was_traded_and_is_not_searched_is_named() {
        let (unfinished, markets) = lost_with(&[(1, "AAA/USDT", ""), (2, "OLD/USDT", "both_filled")]);
        let of = |venue: &str, symbol: &str| (venue.to_owned(), symbol.to_owned());
        let old = [of("gateio", "OLD/USDT"), of("mexc", "OLD/USDT")];
        assert_eq!(unfinished.unsearched(&markets), old);
        let without = unfinished.unsearched(&markets[..1]);
        assert_eq!(without, [of("gateio", "AAA/USDT"), old[0].clone(), old[1].clone()]);
        let unlost = Unfinished::new(Past::default()).expect("no contradiction");
        assert!(unlost.unsearched(&markets).is_empty());
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
}
