//! Crashes at every effect (G4): the effects of a seed's trading are counted, and a process dies at each, by its end and by the
//! machine's; and the process after it dies too, at effects of its recovery.

use crate::fuse::Death;
use crate::run::{CrashAt, Options, Report, run};
use std::fmt;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Both ways a process ends.
const DEATHS: [Death; 2] = [Death::Kill, Death::PowerLoss];

/// What to try.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Of these seeds.
    pub seeds: Range<u64>,
    /// Every so many effects of trading; 1 for each.
    pub every: u64,
    /// Every so many effects of each recovery, another one each time; 1 for each, 0 for none.
    pub recovery_every: u64,
    /// Threads.
    pub jobs: usize,
    /// Stop after so many runs in which something does not hold.
    pub failures_max: usize,
}

/// A run in which something does not hold.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The effect at which the process died, and how.
    pub crash: CrashAt,
    /// What the run came to.
    pub report: Report,
}

/// What it came to.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// Seeds whose effects were counted.
    pub seeds: u64,
    /// Effects of trading.
    pub effects: u64,
    /// Runs in which a process died.
    pub crashes: u64,
    /// Runs in which the process after it died too, while it recovered.
    pub in_recovery: u64,
    /// Processes that died, in all.
    pub deaths: u64,
    /// Orders that left, and fills by the exchanges' ledgers.
    pub orders: u64,
    /// Fills by the exchanges' ledgers.
    pub fills: u64,
    /// Placements of which nobody could say whether they happened.
    pub unknown: u64,
    /// Most effects of a recovery.
    pub longest_recovery: u64,
    /// Runs in which something does not hold.
    pub failed: Vec<Failure>,
}

/// Lets a process die at every effect.
#[must_use]
pub fn crash_everywhere(plan: &Plan, options: &Options) -> Summary {
    let mut summary = Summary::default();
    let mut work = Vec::new();
    for seed in plan.seeds.clone() {
        let counted = crashed(seed, options, CrashAt { effect: u64::MAX, death: Death::Kill, again: None });
        let effects = counted.effects.trading;
        summary.seeds += 1;
        summary.effects += effects;
        let first = seed % plan.every.max(1);
        let at = (first..effects).step_by(usize::try_from(plan.every.max(1)).unwrap_or(1));
        work.extend(at.flat_map(|effect| DEATHS.map(|death| (seed, effect, death))));
        if !counted.violations.is_empty() {
            let crash = CrashAt { effect: u64::MAX, death: Death::Kill, again: None };
            summary.failed.push(Failure { crash, report: counted });
        }
    }
    let (next, stop, summary) = (AtomicUsize::new(0), AtomicBool::new(false), Mutex::new(summary));
    std::thread::scope(|scope| {
        for _ in 0..plan.jobs.max(1) {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some((seed, effect, death)) = work.get(index).copied() else { return };
                    for (crash, report) in at_effect(seed, (effect, death), plan, options) {
                        let mut summary = summary.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                        summary.add(crash, report);
                        stop.fetch_or(summary.failed.len() >= plan.failures_max, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    summary.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// The crash at one effect, and those at effects of the recovery after it.
fn at_effect(
    seed: u64,
    (effect, death): (u64, Death),
    plan: &Plan,
    options: &Options,
) -> Vec<(CrashAt, Report)> {
    let first = CrashAt { effect, death, again: None };
    let report = crashed(seed, options, first);
    let recovery = report.effects.recovery;
    let mut all = vec![(first, report)];
    if plan.recovery_every > 0 {
        let step = usize::try_from(plan.recovery_every).unwrap_or(usize::MAX);
        for again in (effect % plan.recovery_every..recovery).step_by(step) {
            let crash = CrashAt { again: Some(again), ..first };
            all.push((crash, crashed(seed, options, crash)));
        }
    }
    all
}

fn crashed(seed: u64, options: &Options, crash: CrashAt) -> Report {
    run(seed, &Options { crash: Some(crash), ..options.clone() })
}

impl Summary {
    /// Whether everything holds.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.failed.is_empty()
    }

    fn add(&mut self, crash: CrashAt, report: Report) {
        self.crashes += u64::from(crash.again.is_none());
        self.in_recovery += u64::from(crash.again.is_some());
        self.deaths += report.counts.deaths;
        self.orders += report.counts.orders;
        self.fills += report.counts.fills;
        self.unknown += report.counts.unknown;
        self.longest_recovery = self.longest_recovery.max(report.effects.recovery);
        if !report.violations.is_empty() {
            self.failed.push(Failure { crash, report });
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seeds                {}", self.seeds)?;
        writeln!(f, "effects of trading   {}", self.effects)?;
        writeln!(f, "crashes              {} (by the process's end, and by the machine's)", self.crashes)?;
        writeln!(
            f,
            "crashes in recovery  {} (longest recovery: {} effects)",
            self.in_recovery, self.longest_recovery
        )?;
        writeln!(f, "processes that died  {}", self.deaths)?;
        writeln!(f, "orders               {}", self.orders)?;
        writeln!(f, "fills                {}", self.fills)?;
        writeln!(f, "placements unknown   {}", self.unknown)?;
        write!(f, "runs that failed     {}", self.failed.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Family;

    /// Journals of the first seeds are written in groups but for every third.
    const SEED: u64 = 2;

    #[test]
    fn what_the_power_took_is_found_once_wherever_the_recovery_dies() {
        let options =
            Options { families: vec![Family::T, Family::H, Family::O, Family::M], ..Options::default() };
        let loses = |effect: &u64| {
            let crash = CrashAt { effect: *effect, death: Death::PowerLoss, again: None };
            crashed(SEED, &options, crash).counts.found > 0
        };
        let effect =
            (0..120).find(loses).expect("some loss of power takes the record of an order that filled");
        let plan =
            Plan { seeds: SEED..SEED + 1, every: 1, recovery_every: 1, jobs: 1, failures_max: usize::MAX };
        let all = at_effect(SEED, (effect, Death::PowerLoss), &plan, &options);
        assert!(all.len() > 30, "{} effects of a recovery that asks, searches and writes down", all.len());
        // The journal has every fill of the exchanges exactly once (I3), or there is a violation.
        for (crash, report) in &all {
            assert!(report.violations.is_empty(), "{crash}: {:?}", report.violations);
        }
        let again = all.iter().filter(|(crash, report)| crash.again.is_some() && report.counts.searches > 1);
        assert!(again.count() > 0, "some recovery dies between what it searched and what it wrote down");
    }
}
