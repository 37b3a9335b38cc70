//! What earlier processes left undecided, asked for as `arb run` asks: the questions are its own.

use super::Day;
use super::start::NoStart;
use crate::bugs::Bug;
use crate::rest::Purpose;
use cex_arb::exit::Exit;
use cex_arb::run::recover::{Turn, Undecided, Unfinished, cancel_ours};
use cex_core::{Markets, Timestamp, VenueId};
use cex_errors::{ErrorKind, ExchangeError};
use cex_interface::{Reply, Request};
use cex_transport::Urgency;
use std::sync::Arc;

/// Fills that an inquiry asks for at once.
const FILLS: usize = 100;

/// An order that is asked for.
struct Asked {
    undecided: Undecided,
    /// A call of it is on its way.
    away: bool,
    /// The first answer was that the order is not known.
    denied: bool,
}

impl Day {
    /// Asks for every order that is not known to its end, all at once, and writes down what is told.
    pub(super) fn settle_unfinished(&mut self, unfinished: &mut Unfinished) -> Result<(), NoStart> {
        let markets: Vec<(VenueId, Arc<Markets>)> =
            self.places.iter().map(|place| (place.id, Arc::clone(&place.markets))).collect();
        let now = self.now();
        let Some(journal) = &mut self.desk.journal else { return Err(NoStart::Died) };
        let undecided = unfinished.undecided(now, &markets, &mut journal.recorder);
        journal.touched(now);
        let undecided = undecided.map_err(|failure| NoStart::of(&failure))?;
        let mut passing = Ok(());
        let mut asked: Vec<Option<Asked>> = undecided
            .into_iter()
            .map(|undecided| Some(Asked { undecided, away: false, denied: false }))
            .collect();
        while asked.iter().any(Option::is_some) {
            let next = self.ask_all(&mut asked, unfinished, &mut passing)?;
            self.wait_until(next, |places, _| places.iter().any(|place| place.rest.has_done()))?;
            for place in 0..self.places.len() {
                for (purpose, result) in self.places[place].rest.take_done() {
                    self.hear_answer(&mut asked, &purpose, result);
                }
            }
        }
        let now = self.now();
        self.desk.record(now, cex_arb::run::record::Recorder::flush);
        self.still_lives()?;
        passing
    }

    /// Begins the calls that are wanted; when somebody wants something next.
    fn ask_all(
        &mut self,
        asked: &mut [Option<Asked>],
        unfinished: &mut Unfinished,
        passing: &mut Result<(), NoStart>,
    ) -> Result<Timestamp, NoStart> {
        let (now, mut next) = (self.now(), Timestamp::MAX);
        for (index, slot) in asked.iter_mut().enumerate() {
            let Some(one) = slot.as_mut().filter(|one| !one.away) else { continue };
            let turn = if one.denied { Turn::Done(Ok(None)) } else { one.undecided.inquiry.turn(now) };
            match turn {
                Turn::Ask(request) | Turn::List(request) => {
                    one.away = true;
                    let venue = one.undecided.venue.index();
                    let Self { world, places, .. } = self;
                    places[venue].rest.begin(world, request, Purpose::Inquiry(index), Urgency::CanWait);
                }
                Turn::Wait(until) => next = next.min(until),
                Turn::Done(told) => {
                    next = now;
                    let order = one.undecided.order.clone();
                    *slot = None;
                    let Some(journal) = &mut self.desk.journal else { return Err(NoStart::Died) };
                    let decided = unfinished.decided(now, &order, told, &mut journal.recorder);
                    journal.touched(now);
                    match decided {
                        Ok(()) => {}
                        // What somebody must look at waits for no exchange.
                        Err(failure) if failure.exit == Exit::Unreachable => {
                            *passing = Err(NoStart::of(&failure));
                        }
                        Err(failure) => return Err(NoStart::of(&failure)),
                    }
                }
            }
        }
        Ok(next)
    }

    fn hear_answer(
        &mut self,
        asked: &mut [Option<Asked>],
        purpose: &Purpose,
        result: Result<Reply, ExchangeError>,
    ) {
        let now = self.now();
        self.desk.trace.note(now, format!("{purpose:?}").as_bytes(), || format!("{purpose:?} -> {result:?}"));
        self.desk.checks.answered(&result);
        if let Purpose::Inquiry(index) = purpose
            && let Some(Some(one)) = asked.get_mut(*index)
        {
            one.away = false;
            let result = self.spoil_recovery(whole(result));
            if self.has(Bug::AbsenceBelievedAtStart) {
                one.denied |= result.as_ref().is_err_and(|error| error.kind == ErrorKind::OrderNotFound);
            }
            one.undecided.inquiry.answered(now, result);
        }
    }

    /// Looks whether the accounts hold what the records explain, and writes down what follows.
    pub(super) fn prove_unfinished(&mut self, unfinished: &mut Unfinished) -> Result<(), NoStart> {
        let markets: Vec<(VenueId, Arc<Markets>)> =
            self.places.iter().map(|place| (place.id, Arc::clone(&place.markets))).collect();
        for (venue, mut audit) in unfinished.audits(self.now(), &markets) {
            loop {
                match audit.turn(self.now()) {
                    Turn::Ask(request) | Turn::List(request) => {
                        let answer = self.call(venue.index(), request)?;
                        audit.answered(self.now(), answer);
                    }
                    Turn::Wait(until) => self.wait_until(until, |_, _| false)?,
                    Turn::Done(told) => {
                        let now = self.now();
                        let Some(journal) = &mut self.desk.journal else { return Err(NoStart::Died) };
                        let explained = unfinished.explained(now, venue, told, &mut journal.recorder);
                        journal.touched(now);
                        explained.map_err(|failure| NoStart::of(&failure))?;
                        break;
                    }
                }
            }
        }
        let now = self.now();
        let Some(journal) = &mut self.desk.journal else { return Err(NoStart::Died) };
        unfinished.proven(now, &mut journal.recorder);
        journal.touched(now);
        self.still_lives()
    }

    /// Cancels what rests of ours.
    pub(super) fn cancel_strays(&mut self) -> Result<(), NoStart> {
        for index in 0..self.places.len() {
            let orders = match self.ask(index, Request::OpenOrders { symbol: None })? {
                Reply::Orders(orders) => orders,
                other => return Err(NoStart::failed(format!("open orders answered as {other:?}"))),
            };
            for (_, request) in cancel_ours(orders) {
                match self.call(index, request)? {
                    Ok(_) => {}
                    Err(error) if error.kind == ErrorKind::OrderNotFound => {}
                    Err(error) => return Err(NoStart::failed(error.to_string())),
                }
            }
        }
        Ok(())
    }
}

/// The world reads one page of a list: a full one may be a part of it.
fn whole(answer: Result<Reply, ExchangeError>) -> Result<Reply, ExchangeError> {
    match answer {
        Ok(Reply::Fills(fills)) if fills.len() >= FILLS => Ok(Reply::Done),
        answer => answer,
    }
}
