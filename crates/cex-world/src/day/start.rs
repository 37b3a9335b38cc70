//! A process starts: the same way the first time and after a crash, in the order of `arb run`.

use super::life::Halt;
use super::setup::{link_up, open_place, setup};
use super::{Day, Place};
use crate::bugs::Bug;
use crate::check::Invariant;
use crate::journal;
use crate::rest::Purpose;
use cex_arb::exit::{Exit, Failure};
use cex_arb::run::past::Past;
use cex_arb::run::recover::Unfinished;
use cex_arb::run::venue::{listed_markets, shared_markets};
use cex_arb::show::Names;
use cex_core::{Markets, Timestamp, VenueId};
use cex_engine::{Engine, Event};
use cex_errors::{ErrorKind, ExchangeError};
use cex_interface::{Reply, Request};
use cex_journal::messages::{self, SessionStart};
use cex_risk::Mode;
use cex_sim::server::SimExchange;
use cex_transport::Urgency;
use std::sync::Arc;
use std::time::Duration;

/// How long one question of a start may take.
const SETUP_MAX: Duration = Duration::from_secs(10);

/// Why a start came to nothing.
#[derive(Debug)]
pub(crate) enum NoStart {
    /// The process died.
    Died,
    /// It ended by itself.
    Failed {
        /// Why, as it said.
        why: String,
        /// Only an operator can make the next one go on.
        for_operator: bool,
    },
}

impl NoStart {
    /// What `arb run` would have ended with.
    pub(super) fn of(failure: &Failure) -> Self {
        let for_operator = matches!(failure.exit, Exit::Halted | Exit::Residual);
        Self::Failed { why: failure.to_string(), for_operator }
    }

    /// It could not be made; the next one may.
    pub(super) fn failed(why: impl Into<String>) -> Self {
        Self::Failed { why: why.into(), for_operator: false }
    }
}

impl Day {
    /// Starts a process; how many arbitrages of earlier ones it goes on with.
    pub(super) fn start(&mut self) -> Result<usize, NoStart> {
        let epoch = self.next_epoch();
        let session = SessionStart {
            seed: epoch,
            mode: messages::Mode::Live.into(),
            boot: format!("boot {}", self.life.boots),
            strict: self.is_strict,
            ..SessionStart::default()
        };
        let opened = journal::open(&self.disk, self.syncs_first(), self.now(), session);
        let opened = opened.map_err(|error| self.journal_refused(&error.to_string()))?;
        let halt = opened.recovered.halt;
        self.still_lives()?;
        self.learn_of_operator();
        self.found_halt(halt.is_some());
        if let Some(seq) = halt {
            return Err(self.refuse(opened, seq));
        }

        let markets = self.open_venues()?;
        let (journal, past) = opened.record(names(&self.places, &markets));
        self.desk.journal = Some(journal);
        let mut unfinished =
            Unfinished::new(past).map_err(|failure| self.journal_refused(&failure.to_string()))?;
        self.settle_unfinished(&mut unfinished)?;
        self.cancel_strays()?;
        if !self.has(Bug::NothingSought) {
            self.seek_lost(&mut unfinished)?;
        }
        self.prove_unfinished(&mut unfinished)?;
        self.set_markets(&markets);
        self.desk.checks.knows(markets);

        let mut setups = Vec::new();
        for index in 0..self.places.len() {
            let known = |places: &[Place], now| places[index].rest.knows_time(now);
            self.wait_until(self.now() + SETUP_MAX, known)?;
            let mut fees = vec![self.call(index, Request::Fees { symbol: None })?];
            if let Err(ExchangeError { kind: ErrorKind::Unsupported | ErrorKind::PermissionDenied, .. }) =
                &fees[0]
            {
                let traded = Arc::clone(&self.places[index].markets);
                for symbol in traded.iter().map(|market| market.id) {
                    fees.push(self.call(index, Request::Fees { symbol: Some(symbol) })?);
                }
            }
            setups.push(setup(&self.places[index], &fees).map_err(NoStart::failed)?);
        }
        let now = self.now();
        let mut engine = Engine::new(self.config.clone(), &setups, epoch);
        if self.has(Bug::NothingAdopted) {
            unfinished = Unfinished::new(Past::default()).map_err(|failure| NoStart::of(&failure))?;
        }
        let Some(journal) = &mut self.desk.journal else { return Err(NoStart::Died) };
        let entered = unfinished.enter(now, &mut engine, &mut journal.recorder);
        journal.touched(now);
        let adopted = entered.map_err(|failure| NoStart::of(&failure))?;
        self.still_lives()?;
        if self.has(Bug::TripsForgotten) {
            engine.handle(now, Event::Acknowledge, &mut self.desk.out);
        }
        let waits = !self.has(Bug::OpensBeforeLevel);
        if adopted > 0 && waits {
            engine.handle(now, Event::Mode(Mode::CloseOnly), &mut self.desk.out);
        }
        self.desk.checks.goes_on(&engine);
        self.forget_lost();
        self.desk.engine = engine;
        for place in &mut self.places {
            link_up(self.seed, &self.world, place).map_err(NoStart::failed)?;
        }
        Ok(adopted)
    }

    /// A halt that was on disk is there, and none that was acknowledged.
    fn found_halt(&mut self, is_halted: bool) {
        let now = self.now();
        match (self.life.halt, is_halted) {
            (Halt::On, false) => {
                let what = "a halt was on disk, and the next start does not know of it".to_owned();
                self.desk.checks.violate(Invariant::I9, now, what);
            }
            (Halt::Off, true) => {
                let what = "a start is halted, and whatever halted it was acknowledged".to_owned();
                self.desk.checks.violate(Invariant::I9, now, what);
            }
            (Halt::On | Halt::Unknown, true) => {
                self.life.halt = Halt::On;
                self.desk.checks.halted(now);
            }
            (Halt::Off | Halt::Unknown, false) => {
                self.life.halt = Halt::Off;
                self.desk.checks.killed_at = None;
            }
        }
    }

    /// A start that is halted ends, and says what an operator must look at.
    fn refuse(&mut self, opened: journal::Opened, seq: u64) -> NoStart {
        let now = self.now();
        let (journal, past) = opened.record(names(&[], &[]));
        let mut recorder = journal.recorder;
        let mut unfinished = match Unfinished::new(past) {
            Ok(unfinished) => unfinished,
            Err(failure) => return self.journal_refused(&failure.to_string()),
        };
        let what = format!("halted: record {seq} of the journal was not acknowledged");
        let failure = Failure::new(Exit::Halted, what, "look at both accounts, then: arb resume");
        let failure = unfinished.tell_doubt(now, failure, &mut recorder);
        recorder.abandon(now, unfinished.undecided_orders());
        if self.fuse.is_blown() { NoStart::Died } else { NoStart::of(&failure) }
    }

    /// A crash leaves no journal that the next start must refuse.
    fn journal_refused(&mut self, why: &str) -> NoStart {
        if self.fuse.is_blown() {
            return NoStart::Died;
        }
        let now = self.now();
        self.desk.checks.violate(Invariant::I3, now, format!("the journal is refused: {why}"));
        NoStart::failed(why)
    }

    /// Whether what is written is on disk before anything leaves.
    fn syncs_first(&self) -> bool {
        if self.has(Bug::SyncForgotten) {
            return false;
        }
        self.is_strict
    }

    fn open_venues(&mut self) -> Result<Vec<Arc<Markets>>, NoStart> {
        let now = self.now();
        for (index, exchange) in SimExchange::ALL.into_iter().enumerate() {
            // No two processes draw the same luck.
            let seed = self.seed.wrapping_add(u64::from(self.life.deaths) << 32);
            self.places.push(open_place(seed, index, exchange, now).map_err(NoStart::failed)?);
            if self.has(Bug::SignedLate) {
                self.places[index].rest.sign_off_by = -10_000_000_000;
            }
            if self.has(Bug::NoTimeout) {
                self.places[index].rest.wait_for_ever();
            }
        }
        let mut stated = Vec::new();
        for index in 0..self.places.len() {
            match self.ask(index, Request::Symbols)? {
                Reply::Symbols(rules) => stated.push(rules),
                other => return Err(NoStart::failed(format!("symbols answered as {other:?}"))),
            }
        }
        let ids: Vec<VenueId> = self.places.iter().map(|place| place.id).collect();
        let listed = listed_markets(&ids, stated.clone()).map_err(|failure| NoStart::of(&failure))?;
        self.set_markets(&listed);
        shared_markets(&ids, stated).map_err(|failure| NoStart::of(&failure))
    }

    /// What calls are of from now on: what earlier processes may have traded, and then what this one does.
    fn set_markets(&mut self, markets: &[Arc<Markets>]) {
        for (place, markets) in self.places.iter_mut().zip(markets) {
            (place.markets, place.rest.markets) = (Arc::clone(markets), Arc::clone(markets));
        }
    }

    /// Makes a call and lets nothing else of the process happen until it is answered.
    pub(super) fn call(
        &mut self,
        index: usize,
        request: Request,
    ) -> Result<Result<Reply, ExchangeError>, NoStart> {
        let Self { world, places, .. } = self;
        places[index].rest.begin(world, request, Purpose::Setup, Urgency::CanWait);
        self.wait_until(self.now() + SETUP_MAX, |places, _| places[index].rest.has_done())?;
        let answer = self.places[index].rest.take_done().pop();
        let (_, result) = answer.ok_or_else(|| NoStart::failed("an exchange did not answer in time"))?;
        self.desk.checks.answered(&result);
        Ok(result)
    }

    /// As [`Self::call`] of something that must be answered.
    pub(super) fn ask(&mut self, index: usize, request: Request) -> Result<Reply, NoStart> {
        self.call(index, request)?.map_err(|error| NoStart::failed(error.to_string()))
    }

    pub(super) fn still_lives(&self) -> Result<(), NoStart> {
        if self.fuse.is_blown() { Err(NoStart::Died) } else { Ok(()) }
    }

    /// Lets nothing of the process happen but calls and its journal, until something is so, or it is that late. Once something
    /// does not hold time stands still, and who waits for a later moment would wait for ever: the start is over.
    pub(super) fn wait_until(
        &mut self,
        until: Timestamp,
        is_so: impl Fn(&[Place], Timestamp) -> bool,
    ) -> Result<(), NoStart> {
        loop {
            self.still_lives()?;
            if self.desk.checks.is_broken() {
                return Err(NoStart::failed("something does not hold"));
            }
            let now = self.now();
            if is_so(&self.places, now) || now >= until {
                return Ok(());
            }
            let next = self.pump_at().min(until);
            self.pump(next.max(now));
        }
    }

    /// Lets everything happen that happens without a process, until then.
    pub(super) fn pump_until(&mut self, until: Timestamp) {
        while self.pump_at() <= until && !self.desk.checks.is_broken() {
            self.pump(self.pump_at().max(self.now()));
        }
        self.pump(until.max(self.now()));
    }

    fn pump_at(&self) -> Timestamp {
        let plan = self.planned.front().map_or(Timestamp::MAX, |planned| planned.at);
        let rests = self.places.iter().map(|place| place.rest.next_at()).min().unwrap_or(Timestamp::MAX);
        let journal = self.desk.journal.as_ref().map_or(Timestamp::MAX, journal::Journal::next_at);
        plan.min(rests).min(journal).min(self.world.next_at())
    }

    fn pump(&mut self, at: Timestamp) {
        let Self { world, places, .. } = self;
        world.step(at);
        while let Some((line, arrival)) = world.take() {
            if let Some(place) = places.iter_mut().find(|place| place.rest.knows(line)) {
                place.rest.hear(world, line, arrival);
            }
        }
        places.iter_mut().for_each(|place| place.rest.wake(world));
        self.desk.wake_journal(at);
        self.go_on(at);
    }
}

fn names(places: &[Place], markets: &[Arc<Markets>]) -> Names {
    let all = markets.first().into_iter().flat_map(|markets| markets.iter());
    Names {
        symbols: all.map(|market| (market.id, (market.symbol(), market.scale))).collect(),
        venues: places.iter().map(|place| place.id.to_string()).collect(),
        title: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{Options, Schedule};

    #[test]
    fn a_start_in_which_something_does_not_hold_is_over() {
        let starts_at = Timestamp::from_secs(1_800_000_000);
        let schedule = Schedule { starts_at, faults_from: starts_at, calm_from: starts_at, kill_at: None };
        let mut day = Day::new(1, &Options::default(), &schedule).expect("a quiet world");
        let later = day.now() + Duration::from_secs(1);
        day.wait_until(later, |_, _| false).expect("all holds");
        assert_eq!(day.now(), later);
        day.desk.checks.violate(Invariant::I6, later, "something".to_owned());
        let ended = day.wait_until(later + Duration::from_secs(1), |_, _| false);
        assert!(matches!(ended, Err(NoStart::Failed { .. })), "{ended:?}");
    }
}
