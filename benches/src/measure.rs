//! A stopwatch for contestants that run in turn.

use cex_arb::show::summary::Latency;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Rounds per measurement; the median of each contestant is quoted.
const ROUNDS: usize = 9;
/// How long a contestant runs per round.
const PER_ROUND: Duration = Duration::from_millis(120);

/// One contestant: a name, and a job that does `items` things each time it is called.
pub struct Contestant<'a> {
    name: &'static str,
    items: u64,
    job: Box<dyn FnMut() -> Duration + 'a>,
}

impl<'a> Contestant<'a> {
    /// `job` does `items` things per call and returns something that depends on all of them.
    pub fn new(name: &'static str, items: u64, mut job: impl FnMut() -> u64 + 'a) -> Self {
        Self::prepared(name, items, || (), move |()| job())
    }

    /// As [`Contestant::new`], with something made ready before each call that is not timed.
    pub fn prepared<T>(
        name: &'static str,
        items: u64,
        mut prepare: impl FnMut() -> T + 'a,
        mut job: impl FnMut(T) -> u64 + 'a,
    ) -> Self {
        let timed = move || {
            let ready = prepare();
            let started = Instant::now();
            black_box(job(ready));
            started.elapsed()
        };
        Self { name, items, job: Box::new(timed) }
    }

    fn round(&mut self) -> f64 {
        let (mut spent, mut calls) = (Duration::ZERO, 0u64);
        while spent < PER_ROUND {
            spent += (self.job)();
            calls += 1;
        }
        spent.as_nanos() as f64 / (calls * self.items) as f64
    }
}

/// What a budget asks for.
#[derive(Debug, Clone, Copy)]
pub enum Budget {
    /// The first contestant must be at least this many times as fast as the second.
    TimesFaster(f64),
    /// The first contestant must take at most this many nanoseconds per item.
    Nanos(f64),
    /// The first contestant must take at most this many times what the second takes.
    AtMostTimes(f64),
    /// Shown for information.
    None,
}

/// Runs the contestants in turn and prints a line for each; whether the budget is kept.
pub fn measure(title: &str, budget: Budget, mut contestants: Vec<Contestant<'_>>) -> bool {
    let mut rounds = vec![Vec::new(); contestants.len()];
    for contestant in &mut contestants {
        contestant.round();
    }
    for _ in 0..ROUNDS {
        for (contestant, figures) in contestants.iter_mut().zip(&mut rounds) {
            figures.push(contestant.round());
        }
    }
    println!("{title}");
    let medians: Vec<f64> = rounds.iter().map(|figures| median(figures)).collect();
    for ((contestant, figures), median) in contestants.iter().zip(&rounds).zip(&medians) {
        let (low, high) = (least(figures), most(figures));
        println!("  {:<34} {median:>10.1} ns   ({low:.1} .. {high:.1})", contestant.name);
    }
    let ratios: Vec<Vec<f64>> = rounds
        .iter()
        .map(|figures| figures.iter().zip(&rounds[0]).map(|(other, first)| other / first).collect())
        .collect();
    let ratio = ratios.get(1).map_or(1.0, |ratios| median_of(ratios));
    verdict(match budget {
        Budget::TimesFaster(times) => (ratio >= times, format!("{ratio:.2}x faster, budget >= {times}x")),
        Budget::Nanos(nanos) => (medians[0] <= nanos, format!("budget <= {nanos} ns")),
        Budget::AtMostTimes(times) => {
            (1.0 / ratio <= times, format!("{:.2}x of the baseline, budget <= {times}x", 1.0 / ratio))
        }
        Budget::None => (true, "for information".to_owned()),
    })
}

/// Prints a distribution of times; whether half and all but one in a hundred are within the budgets, in nanoseconds.
pub fn percentiles(title: &str, times: &Latency, budgets: Option<(u64, u64)>) -> bool {
    let Latency { count, p50, p90, p99, p99_9, max } = times;
    println!("{title}");
    println!(
        "  p50 {p50:>8} ns   p90 {p90:>8}   p99 {p99:>8}   p99.9 {p99_9:>8}   max {max:>9}   ({count} times)"
    );
    verdict(match budgets {
        None => (true, "for information".to_owned()),
        Some((half, most)) => {
            let kept = *count > 0 && *p50 <= half && *p99 <= most;
            (kept, format!("budget p50 <= {half} ns, p99 <= {most} ns"))
        }
    })
}

/// Prints whether one figure is within its budget.
pub fn figure(title: &str, value: f64, unit: &str, budget: Bound) -> bool {
    println!("{title}");
    println!("  {value:.2} {unit}");
    verdict(match budget {
        Bound::AtMost(most) => (value <= most, format!("budget <= {most} {unit}")),
        Bound::AtLeast(least) => (value >= least, format!("budget >= {least} {unit}")),
    })
}

/// What a single figure must keep to.
#[derive(Debug, Clone, Copy)]
pub enum Bound {
    /// It must not be larger.
    AtMost(f64),
    /// It must not be smaller.
    AtLeast(f64),
}

fn verdict((kept, wanted): (bool, String)) -> bool {
    println!("  => {} {wanted}\n", if kept { "kept  " } else { "MISSED" });
    kept
}

/// Ends a bench: prints what was missed and sets the exit code.
pub fn finish(results: &[bool]) -> std::process::ExitCode {
    let missed = results.iter().filter(|kept| !**kept).count();
    if missed == 0 {
        return std::process::ExitCode::SUCCESS;
    }
    println!("{missed} of {} budgets missed", results.len());
    std::process::ExitCode::FAILURE
}

fn median(figures: &[f64]) -> f64 {
    median_of(figures)
}

/// The median.
#[must_use]
pub fn median_of(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

fn least(figures: &[f64]) -> f64 {
    figures.iter().copied().fold(f64::INFINITY, f64::min)
}

fn most(figures: &[f64]) -> f64 {
    figures.iter().copied().fold(0.0, f64::max)
}
