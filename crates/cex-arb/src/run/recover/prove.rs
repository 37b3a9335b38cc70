//! Before an order is believed never to have arrived, and before nothing more is looked for after a loss of power, the accounts
//! must hold what the records explain.

use super::audit::{Audit, Expected, Explained};
use super::{Unfinished, ask, passing, tell};
use crate::exit::{Exit, Failure};
use crate::run::record::Recorder;
use crate::run::venue::Venue;
use cex_core::{Asset, Decimal, Market, Markets, Qty, Symbol, Timestamp, VenueId};
use cex_journal::{Entry, messages};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// An order that seems never to have arrived.
#[derive(Debug, Clone)]
pub(super) struct Absent {
    pub(super) symbol: String,
    pub(super) leg: messages::Leg,
}

impl Unfinished {
    /// The accounts that must be looked at, and for which coins: those of orders that seem absent, those of what stands open and
    /// would be levelled, and all of them when records may have been lost. What an operator has looked at is not looked at again,
    /// nor what the records do not tell.
    #[must_use]
    pub fn audits(&self, now: Timestamp, markets: &[(VenueId, Arc<Markets>)]) -> Vec<(VenueId, Audit)> {
        let doubted = self.past.doubt().is_some_and(|doubt| !doubt.is_acknowledged());
        let open = self.open_coins();
        let mut audits = Vec::new();
        for (venue, markets) in markets {
            let mut units: BTreeMap<Asset, Decimal> = BTreeMap::new();
            for market in markets.iter() {
                let symbol = market.symbol();
                if doubted || open.contains(&symbol.base) || self.seems_absent(*venue, symbol) {
                    let least = least_moved(market);
                    let unit = units.entry(symbol.base).or_insert(least);
                    *unit = (*unit).min(least);
                }
            }
            let of =
                |(asset, unit)| Some(Expected { asset, held: self.past.held(venue.name(), asset)?, unit });
            let expected: Vec<Expected> = units.into_iter().filter_map(of).collect();
            if !expected.is_empty() {
                audits.push((*venue, Audit::new(now, expected)));
            }
        }
        audits
    }

    /// Coins of which something stands open: levelled by a journal that failed before it knew of it, or by hand, it would be
    /// traded once more.
    fn open_coins(&self) -> BTreeSet<Asset> {
        let cycles = self.past.cycles().values().filter(|cycle| !cycle.acknowledged);
        let open = cycles.filter(|cycle| !cycle.is_level());
        open.filter_map(|cycle| Some(cycle.symbol.parse::<Symbol>().ok()?.base)).collect()
    }

    fn seems_absent(&self, venue: VenueId, symbol: Symbol) -> bool {
        let unseen = |absent: &Absent| {
            let cycles = self.past.cycles().values();
            let mut acknowledged = cycles.filter(|cycle| cycle.acknowledged).flat_map(|cycle| &cycle.orders);
            !acknowledged.any(|order| order.leg.client_id == absent.leg.client_id)
        };
        let is_it =
            |absent: &&Absent| absent.leg.venue == venue.name() && absent.symbol == symbol.to_string();
        self.absent.iter().filter(is_it).any(unseen)
    }

    /// Looks whether the accounts hold what the records explain, and writes down what follows from it.
    ///
    /// # Errors
    /// Exit code 9 with what an operator must look at, 5 when an exchange did not answer.
    pub async fn prove(&mut self, venues: &[Venue], recorder: &mut Recorder) -> Result<(), Failure> {
        let Some(clock) = venues.first().map(|venue| venue.rest.clock()) else { return Ok(()) };
        let markets: Vec<_> = venues.iter().map(|venue| (venue.id, venue.rest.markets())).collect();
        for (id, audit) in self.audits(clock.now(), &markets) {
            let Some(venue) = venues.iter().find(|venue| venue.id == id) else { continue };
            let told = ask::ask(&venue.rest, audit).await;
            self.explained(clock.now(), id, told, recorder)?;
        }
        self.proven(clock.now(), recorder);
        Ok(())
    }

    /// An account that does not hold what the records explain is an operator's.
    ///
    /// # Errors
    /// Exit code 9 with what does not fit, 5 when the exchange did not answer.
    pub fn explained(
        &mut self,
        now: Timestamp,
        venue: VenueId,
        explained: Explained,
        recorder: &mut Recorder,
    ) -> Result<(), Failure> {
        let since = self.past.doubt().map(|doubt| doubt.since);
        let open = self.past.cycles().values().filter(|cycle| !cycle.acknowledged).map(|cycle| cycle.at);
        let since = open.chain(since).min().unwrap_or(now);
        self.doubted(now, fits(venue, explained, now.since(since)), recorder)
    }

    /// All accounts hold what the records explain: what seemed absent is, and nothing more is looked for. What could not be read, or
    /// what no exchange told, although an operator had looked, is theirs: no later start waits for it.
    pub fn proven(&mut self, now: Timestamp, recorder: &mut Recorder) {
        for Absent { symbol, leg } in std::mem::take(&mut self.absent) {
            tracing::info!(order = leg.client_id, "never arrived");
            self.learn(now, &tell::never_arrived(now, &symbol, &leg), recorder);
        }
        for name in std::mem::take(&mut self.left) {
            let Some(end) = self.past.cycles().get(&name).map(|cycle| cycle.left_to_operator(&name)) else {
                continue;
            };
            tracing::warn!(
                arbitrage = name,
                "an arbitrage of an earlier run is left to whoever has looked at it"
            );
            self.learn(now, &Entry::ArbitrageEnd(end), recorder);
        }
        if self.past.doubt().is_some() {
            self.learn(now, &Entry::PastSought(messages::PastSought {}), recorder);
        }
        recorder.flush();
    }
}

/// Less of the base than an order that filled moves: half a lot. A lot that was bought and paid its fee in the coin is less than
/// one; what is finer than that is an exchange's rounding. (Against a maker of less than half a lot, cancelled after it, an order
/// may have filled less; that is let pass, and what it moved is in the first account that is read.)
fn least_moved(market: &Market) -> Decimal {
    let half = market.scale.qty_value(market.lot).checked_mul(Decimal::new(5, 1));
    half.unwrap_or_else(|_| market.scale.qty_value(Qty(1)))
}

/// `since` is how long ago the first thing happened that is not known to its end.
fn fits(venue: VenueId, explained: Explained, since: Duration) -> Result<(), Failure> {
    explained.map_err(|why| {
        if why.passes {
            return passing(format!("{venue}: {why}"), since);
        }
        let what = format!("{venue}: {why}; an order of an earlier run may have filled unseen, or what one left open was evened out by hand");
        Failure::new(Exit::Residual, what, "compare both accounts with the journal, then: arb resume")
    })
}

#[cfg(test)]
mod tests {
    use super::super::Turn;
    use super::super::stage::{markets, recorder};
    use super::*;
    use crate::run::past::Past;
    use cex_core::{Account, Balance};
    use cex_interface::Reply;
    use cex_journal::messages::{Leg, Mode, SessionStart, Side, Source};

    const NOW: Timestamp = Timestamp::from_secs(1_000);

    fn leg(venue: &str, client_id: &str, side: Side) -> Leg {
        let (venue, client_id) = (venue.to_owned(), client_id.to_owned());
        Leg { venue, client_id, side: side.into(), price: 100, qty: 2, ..Leg::default() }
    }

    /// A journal by which 5 coins are held at each venue, and that knows of two orders and not what became of them. After it the
    /// machine was started again, or not.
    fn past(boot: &str) -> Past {
        let mut past = Past::default();
        let start = SessionStart { mode: Mode::Live.into(), boot: boot.to_owned(), ..Default::default() };
        past.take_in(1, NOW, &Entry::SessionStart(start));
        for venue in ["mexc", "gateio"] {
            let balance = messages::Balance {
                venue: venue.to_owned(),
                asset: "BTC".to_owned(),
                free: "5".to_owned(),
                locked: "0".to_owned(),
                source: Source::Answer.into(),
                ..Default::default()
            };
            past.take_in(2, NOW, &Entry::Balance(balance));
        }
        let legs = vec![leg("mexc", "b", Side::Buy), leg("gateio", "s", Side::Sell)];
        let symbol = "BTC/USDT".to_owned();
        past.take_in(3, NOW, &Entry::Intent(messages::Intent { symbol, legs, ..Default::default() }));
        past.begins(&SessionStart { mode: Mode::Live.into(), boot: "now".to_owned(), ..Default::default() });
        past
    }

    /// Which accounts are looked at, and what comes of it when each holds so much.
    fn audited(unfinished: &Unfinished, held: &str) -> Vec<(String, bool)> {
        let audits = unfinished.audits(NOW, &markets()).into_iter();
        let looked = audits.map(|(venue, mut audit)| {
            let mut now = NOW;
            let told = loop {
                match audit.turn(now) {
                    Turn::Wait(until) => now = until,
                    Turn::Done(told) => break told,
                    Turn::Ask(_) | Turn::List(_) => {
                        let balance = Balance {
                            asset: "BTC".parse().expect("a coin"),
                            free: held.parse().expect("a decimal"),
                            locked: Decimal::ZERO,
                            as_of: NOW,
                        };
                        let balances = vec![balance];
                        let account = Account { balances, can_trade: None, can_withdraw: None };
                        audit.answered(now, Ok(Reply::Account(account)));
                    }
                }
            };
            (venue.to_string(), fits(venue, told, Duration::ZERO).is_ok())
        });
        looked.collect()
    }

    #[test]
    fn the_account_of_an_order_that_seems_absent_is_looked_at_and_every_one_after_a_loss_of_power() {
        let mut unfinished = Unfinished::new(past("now")).expect("no contradiction");
        assert!(audited(&unfinished, "5").is_empty(), "nothing seems absent");
        let absent = Absent { symbol: "BTC/USDT".to_owned(), leg: leg("mexc", "b", Side::Buy) };
        unfinished.absent.push(absent.clone());
        assert_eq!(audited(&unfinished, "5"), [("mexc".to_owned(), true)]);
        assert_eq!(audited(&unfinished, "5.002"), [("mexc".to_owned(), false)], "it may have filled");
        // A lot is 0.001.
        for (held, holds, why) in [
            ("5.00000001", true, "no order is that small"),
            ("5.00049", true, "nor that"),
            ("5.000999", false, "one lot, less its fee"),
            ("4.999", false, "one lot sold"),
        ] {
            assert_eq!(audited(&unfinished, held), [("mexc".to_owned(), holds)], "{held}: {why}");
        }
        let doubted = Unfinished::new(past("before")).expect("no contradiction");
        let both = |holds| [("mexc".to_owned(), holds), ("gateio".to_owned(), holds)];
        assert_eq!(
            (audited(&doubted, "5"), audited(&doubted, "4")),
            (both(true).to_vec(), both(false).to_vec())
        );
        // An operator has looked at all of it.
        let mut looked = past("before");
        looked.take_in(4, NOW, &Entry::PastUnsought(messages::PastUnsought::default()));
        looked.take_in(4, NOW, &Entry::SessionEnd(messages::SessionEnd::default()));
        looked.take_in(4, NOW, &Entry::SessionStart(SessionStart::default()));
        looked.take_in(5, NOW, &Entry::OperatorAck(messages::OperatorAck::default()));
        let mut looked = Unfinished::new(looked).expect("no contradiction");
        looked.absent.push(absent);
        assert!(audited(&looked, "4").is_empty());
    }

    #[test]
    fn what_an_operator_has_looked_at_is_asked_for_once() {
        let mut looked = past("now");
        let resume = SessionStart { boot: "now".to_owned(), ..SessionStart::default() };
        looked.take_in(6, NOW, &Entry::SessionStart(resume));
        looked.take_in(7, NOW, &Entry::OperatorAck(messages::OperatorAck::default()));
        let (place, markets) = (tempfile::tempdir().expect("a directory"), markets());
        let mut recorder = recorder(place.path(), NOW);
        let mut unfinished = Unfinished::new(looked).expect("no contradiction");
        let before = unfinished.past.state(NOW).expect("fits");
        let asked = unfinished.undecided(NOW, &markets, &mut recorder).expect("it can be asked for");
        assert_eq!(asked.len(), 2);
        for undecided in asked {
            let told = Err("it is not found, and trades could not be read".into());
            unfinished.decided(NOW, &undecided.order, told, &mut recorder).expect("an operator has looked");
        }
        unfinished.proven(NOW, &mut recorder);
        drop(recorder);
        assert!(unfinished.past.cycles().is_empty(), "the next start asks nothing");
        assert_eq!(unfinished.past.state(NOW).expect("fits"), before, "and it counts for nothing");
        let mut journal = cex_journal::Reader::of_directory(place.path(), 0).expect("a journal");
        let mut ends = Vec::new();
        while let Some(record) = journal.next_record().expect("whole") {
            if let Ok(Entry::ArbitrageEnd(end)) = record.entry() {
                ends.push((end.name, end.ending));
            }
        }
        assert_eq!(ends, [("b".to_owned(), "left_to_operator".to_owned())], "as it will be read");
    }

    /// By the journal 2 were bought at mexc and not sold, and no record tells more.
    fn open_by_two() -> Past {
        let mut past = past("now");
        for (client_id, venue, status, filled) in
            [("b", "mexc", messages::Status::Filled, "2"), ("s", "gateio", messages::Status::Canceled, "0")]
        {
            let mut event = messages::OrderEvent {
                venue: venue.to_owned(),
                symbol: "BTC/USDT".to_owned(),
                client_id: client_id.to_owned(),
                order_id: client_id.to_owned(),
                filled_qty: filled.to_owned(),
                ..Default::default()
            };
            event.set_status(status);
            past.take_in(4, NOW, &Entry::OrderEvent(event));
        }
        let fill = messages::Fill {
            venue: "mexc".to_owned(),
            symbol: "BTC/USDT".to_owned(),
            client_id: "b".to_owned(),
            order_id: "b".to_owned(),
            side: Side::Buy.into(),
            price: "100".to_owned(),
            qty: "2".to_owned(),
            ..Default::default()
        };
        past.take_in(5, NOW, &Entry::Fill(fill));
        past
    }

    #[test]
    fn what_stands_open_is_levelled_only_if_the_accounts_hold_it() {
        let unfinished = Unfinished::new(open_by_two()).expect("no contradiction");
        assert_eq!(unfinished.past.unfinished(), 1);
        let held =
            |held| audited(&unfinished, held).into_iter().map(|(venue, fits)| format!("{venue} {fits}"));
        // Each account alone holds what the records explain, 7 and 5, or does not.
        assert_eq!(held("7").collect::<Vec<_>>(), ["mexc true", "gateio false"]);
        assert_eq!(
            held("5").collect::<Vec<_>>(),
            ["mexc false", "gateio true"],
            "sold meanwhile, unrecorded"
        );
        let mut looked = open_by_two();
        let resume = SessionStart { boot: "now".to_owned(), ..SessionStart::default() };
        looked.take_in(6, NOW, &Entry::SessionStart(resume));
        looked.take_in(7, NOW, &Entry::OperatorAck(messages::OperatorAck::default()));
        let looked = Unfinished::new(looked).expect("no contradiction");
        assert!(audited(&looked, "5").is_empty(), "it is an operator's");
    }
}
