//! A seed from beginning to end: a quiet start, a time of faults, a calm, and the kill switch.

use crate::check::{Counts, Invariant, Violation};
use crate::day::Day;
use crate::plan::{Dice, Family};
use cex_core::Timestamp;
use cex_engine::Event;
use std::time::Duration;

/// What every secret of a run has in it; what shows nowhere.
pub(crate) const CANARY: &str = "canary7f3a";

/// How long everything works before anything goes wrong.
const QUIET: Duration = Duration::from_secs(4);

/// How long everything has to work again (I10). The specification says 30 s; a half-open connection is noticed only after
/// `LinkConfig::idle_max`, which is as long, and is then to be made anew.
const CALM: Duration = Duration::from_secs(45);

/// How long an adapter keeps silent towards an exchange that shut it out without saying for how long.
const BAN: Duration = Duration::from_secs(90);

/// How long what is on the way may take to end after the kill switch: a lost placement must be proven absent.
const DRAIN: Duration = Duration::from_secs(25);

/// How a run is made.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// What may go wrong.
    pub families: Vec<Family>,
    /// Whether lines are kept of what happens.
    pub trace: bool,
    /// A bug to find.
    #[cfg(feature = "bugs")]
    pub bug: Option<crate::bugs::Bug>,
}

/// When what begins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Schedule {
    pub(crate) starts_at: Timestamp,
    pub(crate) faults_from: Timestamp,
    pub(crate) calm_from: Timestamp,
    /// The kill switch, before the calm.
    pub(crate) kill_at: Option<Timestamp>,
}

/// What a seed came to.
#[derive(Debug, Clone)]
pub struct Report {
    /// Which.
    pub seed: u64,
    /// The hash of all that happened.
    pub hash: u64,
    /// How much time passed in the world.
    pub virtual_time: Duration,
    /// What does not hold.
    pub violations: Vec<Violation>,
    /// Numbers.
    pub counts: Counts,
    /// What happened, in words, if they were kept.
    pub lines: Vec<String>,
}

/// Runs a seed.
#[must_use]
pub fn run(seed: u64, options: &Options) -> Report {
    let schedule = schedule(seed);
    let mut day = match Day::new(seed, options, &schedule) {
        Ok(day) => day,
        Err(what) => return broken(seed, &schedule, what),
    };
    if let Some(kill_at) = schedule.kill_at {
        day.run_until(kill_at);
        day.kill();
    }
    day.run_until(schedule.calm_from);
    day.world.calm();
    let ban = if day.is_banned { BAN } else { Duration::ZERO };
    day.run_until(schedule.calm_from + CALM + ban);
    if !day.desk.checks.is_broken() {
        day.check_recovered();
    }
    day.kill();
    day.drain();
    if !day.desk.checks.is_broken() {
        day.close();
    }
    report(seed, &schedule, day)
}

impl Day {
    /// An operator throws the kill switch.
    fn kill(&mut self) {
        if !self.desk.checks.is_broken() {
            let now = self.now();
            self.desk.trace.tell(now, "the kill switch is thrown".to_owned());
            self.desk.checks.killed_at.get_or_insert(now);
            #[cfg(feature = "bugs")]
            if self.has(crate::bugs::Bug::KillIgnored) {
                return;
            }
            self.feed(Event::Kill);
        }
    }

    /// Waits until nothing is on the way any more, and all news of it have come.
    fn drain(&mut self) {
        let until = self.now() + DRAIN;
        while !self.desk.engine.is_idle() && self.now() < until && !self.desk.checks.is_broken() {
            self.run_until(self.now() + Duration::from_millis(500));
        }
        self.run_until(self.now() + Duration::from_secs(2));
    }
}

fn schedule(seed: u64) -> Schedule {
    let mut dice = Dice::new(seed, 0);
    // A moment of its own for every seed: what depends on the clock's digits shows.
    let starts_at = Timestamp::from_nanos(1_800_000_000_000_000_000)
        .shifted(i64::try_from(dice.below(86_400_000_000_000)).unwrap_or(0));
    let faults_from = starts_at + QUIET;
    let calm_from = faults_from + Duration::from_millis(dice.between(5_000, 20_000));
    let kill_at = (dice.below(6) == 0).then(|| faults_from + Duration::from_millis(dice.between(0, 5_000)));
    Schedule { starts_at, faults_from, calm_from, kill_at }
}

fn broken(seed: u64, schedule: &Schedule, what: String) -> Report {
    Report {
        seed,
        hash: 0,
        virtual_time: Duration::ZERO,
        violations: vec![Violation { invariant: Invariant::Harness, at: schedule.starts_at, what }],
        counts: Counts::default(),
        lines: Vec::new(),
    }
}

fn report(seed: u64, schedule: &Schedule, day: Day) -> Report {
    let virtual_time = day.now().since(schedule.starts_at);
    let (hash, desk) = (day.desk.trace.hash(), day.desk);
    let (violations, counts) = desk.checks.into_violations();
    Report { seed, hash, virtual_time, violations, counts, lines: desk.trace.into_lines() }
}
