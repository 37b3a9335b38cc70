//! A seed from beginning to end: a quiet start, a time of faults, a calm, and the kill switch.

use crate::bugs::Bug;
use crate::check::{Counts, Invariant, Violation};
use crate::day::{Crash, Day, Halt};
use crate::fuse::Death;
use crate::plan::{Dice, Family};
use cex_core::Timestamp;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// What every secret of a run has in it; what shows nowhere.
pub(crate) const CANARY: &str = "canary7f3a";

/// How long everything works before anything goes wrong.
const QUIET: Duration = Duration::from_secs(4);

/// How long everything has to work again (I10). The specification says 30 s; a half-open connection is noticed only after
/// `LinkConfig::idle_max`, which is as long, and is then to be made anew.
const CALM: Duration = Duration::from_secs(45);

/// Within the last so much of the calm something is tried, if a breaker is in the way of anything.
const LAST: Duration = Duration::from_secs(15);

/// How long an operator who is on the way at the end of the calm may take, and a start that is in their way.
const OPERATOR_MAX: Duration = Duration::from_secs(5);

/// How long an adapter keeps silent towards an exchange that shut it out without saying for how long.
const BAN: Duration = Duration::from_secs(90);

/// How long what is on the way may take to end after the kill switch: a lost placement must be proven absent.
const DRAIN: Duration = Duration::from_secs(25);

/// How long a run trades that is about one crash.
const CRASH_SPAN: Duration = Duration::from_millis(2_500);

/// How a run is made.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Families of the fault catalogue that may go wrong; empty for none.
    pub families: Vec<Family>,
    /// Where the process dies, for a run that is about that.
    pub crash: Option<CrashAt>,
    /// Whether lines are kept of what happens.
    pub trace: bool,
    /// A bug to find, where bugs can be planted at all.
    pub bug: Option<Bug>,
}

impl Options {
    /// The bug that is at work.
    pub(crate) const fn planted(&self) -> Option<Bug> {
        if cfg!(feature = "bugs") { self.bug } else { None }
    }
}

/// Where a process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CrashAt {
    /// At this effect after the quiet beginning; none is too late.
    pub effect: u64,
    /// Whether the process is killed or the machine loses power.
    pub death: Death,
    /// The next process dies too, at this effect of its own.
    pub again: Option<u64>,
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
    /// The seed.
    pub seed: u64,
    /// The hash of all that happened.
    pub hash: u64,
    /// How much time passed in the world.
    pub virtual_time: Duration,
    /// Invariants that do not hold.
    pub violations: Vec<Violation>,
    /// Numbers.
    pub counts: Counts,
    /// What happened, in words, if they were kept.
    pub lines: Vec<String>,
    /// Effects of processes between the quiet beginning and the calm, or of the last start of one.
    pub effects: Effects,
}

impl fmt::Display for CrashAt {
    /// As [`FromStr`] reads it: `kill:17`, `power:17:3`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let death = match self.death {
            Death::Kill => "kill",
            Death::PowerLoss => "power",
        };
        write!(f, "{death}:{}", self.effect)?;
        self.again.map_or(Ok(()), |again| write!(f, ":{again}"))
    }
}

impl FromStr for CrashAt {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no crash: kill:17 is one, power:17:3 another");
        let mut parts = text.split(':');
        let death = match parts.next() {
            Some("kill") => Death::Kill,
            Some("power") => Death::PowerLoss,
            Some(_) | None => return Err(wrong()),
        };
        let effect = parts.next().and_then(|part| part.parse().ok()).ok_or_else(wrong)?;
        let again = parts.next().map(|part| part.parse().map_err(|_| wrong())).transpose()?;
        Ok(Self { effect, death, again })
    }
}

/// How many effects there were at which a process could have died.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Effects {
    /// Between the quiet beginning and the calm.
    pub trading: u64,
    /// Of the process that began after the crash, until what was left open was level.
    pub recovery: u64,
}

/// Runs a seed.
#[must_use]
pub fn run(seed: u64, options: &Options) -> Report {
    let schedule = schedule(seed, options);
    let mut day = match Day::new(seed, options, &schedule) {
        Ok(day) => day,
        Err(what) => return broken(seed, &schedule, what),
    };
    if let Some(crash) = options.crash {
        day.crash_run(&schedule, crash);
    } else {
        day.whole_run(&schedule);
    }
    day.operator.leave();
    day.kill();
    day.drain();
    if !day.desk.checks.is_broken() {
        day.close();
    }
    report(seed, &schedule, day)
}

impl Day {
    fn whole_run(&mut self, schedule: &Schedule) {
        if let Some(kill_at) = schedule.kill_at {
            self.run_until(kill_at);
            self.kill();
            if self.life.halt != Halt::Off {
                self.call_operator();
            }
        }
        self.run_until(schedule.calm_from);
        self.world.calm();
        self.disarm();
        self.operator.hurry(self.now());
        let ban = if self.is_banned { BAN } else { Duration::ZERO };
        let restart = if self.life.deaths > 0 { CALM } else { Duration::ZERO };
        let until = schedule.calm_from + CALM + ban + restart;
        self.run_until(until - LAST);
        let tried = self.tried();
        self.run_until(until);
        self.await_operator();
        if !self.desk.checks.is_broken() {
            self.check_recovered(Some(tried));
        }
    }

    /// Something may have called an operator just now: it is theirs until they have looked.
    fn await_operator(&mut self) {
        let last = self.now() + OPERATOR_MAX;
        while self.operator.looks_at() <= last && !self.desk.checks.is_broken() && !self.is_recovered() {
            self.run_until(self.operator.looks_at());
            // Where no process was there the next one only begins now.
            let begins_by = self.now() + 3 * CALM;
            while self.now() < begins_by && self.operator.looks_at() > begins_by && !self.is_recovered() {
                self.run_until(self.now() + LAST);
            }
        }
    }

    /// A short run that is about one crash: as soon as everything works again it may end.
    fn crash_run(&mut self, schedule: &Schedule, crash: CrashAt) {
        self.operator.hurry(self.now());
        self.run_until(schedule.faults_from);
        let before = self.fuse.effects();
        let pause = RESTART_PAUSES[usize::try_from(crash.effect).unwrap_or(0) % RESTART_PAUSES.len()];
        self.arm(Crash { after: crash.effect, death: crash.death, pause, again: crash.again });
        self.run_until(schedule.calm_from);
        self.effects.trading = self.fuse.effects() - before;
        self.world.calm();
        let until = self.now() + CALM + CALM;
        while self.now() < until && !self.desk.checks.is_broken() && !self.is_recovered() {
            self.run_until(self.now() + Duration::from_millis(500));
        }
        self.disarm();
        if !self.desk.checks.is_broken() {
            self.check_recovered(None);
        }
    }
}

/// Until a process that died is started again.
const RESTART_PAUSES: [Duration; 4] = [
    Duration::from_millis(1),
    Duration::from_millis(200),
    Duration::from_millis(1_700),
    Duration::from_millis(6_000),
];

impl Day {
    /// An operator throws the kill switch.
    fn kill(&mut self) {
        // To a process that is not there nobody can say anything.
        if !self.desk.checks.is_broken() && self.desk.journal.is_some() && !self.fuse.is_blown() {
            // If it dies over it whoever threw the switch got no answer.
            self.halt("operator", "the kill switch");
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

fn schedule(seed: u64, options: &Options) -> Schedule {
    let mut dice = Dice::new(seed, 0);
    // A moment of its own for every seed: what depends on the clock's digits shows.
    let starts_at = Timestamp::from_nanos(1_800_000_000_000_000_000)
        .shifted(i64::try_from(dice.below(86_400_000_000_000)).unwrap_or(0));
    let faults_from = starts_at + QUIET;
    let calm_from = faults_from + Duration::from_millis(dice.between(5_000, 20_000));
    let kill_at = (dice.below(6) == 0).then(|| faults_from + Duration::from_millis(dice.between(0, 5_000)));
    match options.crash {
        None => Schedule { starts_at, faults_from, calm_from, kill_at },
        Some(_) => Schedule { starts_at, faults_from, calm_from: faults_from + CRASH_SPAN, kill_at: None },
    }
}

fn broken(seed: u64, schedule: &Schedule, what: String) -> Report {
    Report {
        seed,
        hash: 0,
        virtual_time: Duration::ZERO,
        violations: vec![Violation { invariant: Invariant::I10, at: schedule.starts_at, what }],
        counts: Counts::default(),
        lines: Vec::new(),
        effects: Effects::default(),
    }
}

fn report(seed: u64, schedule: &Schedule, day: Day) -> Report {
    let virtual_time = day.now().since(schedule.starts_at);
    let (hash, effects, desk) = (day.desk.trace.hash(), day.effects, day.desk);
    let (violations, counts) = desk.checks.into_violations();
    Report { seed, hash, virtual_time, violations, counts, lines: desk.trace.into_lines(), effects }
}
