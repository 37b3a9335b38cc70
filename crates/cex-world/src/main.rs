//! `soak`: many seeds of the deterministic world. `cargo xtask soak` calls it.
#![forbid(unsafe_code)]

use cex_world::Family;
use cex_world::crashes::{Plan, crash_everywhere};
use cex_world::run::{CrashAt, Options, Report, run};
use cex_world::soak::{Seeds, name_seeds_in_panics, soak};
use clap::Parser;
use std::process::ExitCode;
#[cfg(feature = "bugs")]
use std::sync::atomic::{AtomicUsize, Ordering};

/// A day in the world takes and gives back memory some million times, and several days go by at once.
#[global_allocator]
static MEMORY: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Lines of a trace shown with a violation.
const LAST_LINES: usize = 40;

/// Runs seeds of the simulated world and checks what must hold
#[derive(Debug, Parser)]
#[command(name = "soak")]
struct Cli {
    /// How many seeds
    #[arg(long, default_value_t = 200)]
    seeds: u64,
    /// The first seed
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// What may go wrong: `all`, `none`, or families of the fault catalogue such as `T,W`
    #[arg(long, default_value = "all")]
    faults: String,
    /// Threads
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// Show all that happens in the first seed
    #[arg(long)]
    trace: bool,
    /// Stop after so many failed seeds
    #[arg(long, default_value_t = 5)]
    failures: usize,
    /// Run one of so many seeds twice, and compare the hashes; 1 for all of them
    #[arg(long, default_value_t = 16)]
    twice_every: u64,
    /// Print the counts as one line of JSON instead, and what failed to standard error
    #[arg(long, conflicts_with_all = ["trace", "crashes"])]
    json: bool,
    /// Let the process die at every effect of each seed's trading, and again while it recovers
    #[arg(long)]
    crashes: bool,
    /// Of these effects only every so manyth
    #[arg(long, default_value_t = 1)]
    every: u64,
    /// Of the effects of each recovery every so manyth; 0 for none
    #[arg(long, default_value_t = 50)]
    recovery_every: u64,
    /// One crash, as a failure names it: `kill:17`, `power:17:3`
    #[arg(long)]
    crash: Option<CrashAt>,
    /// Plant bugs and look whether each is found within so many seeds
    #[cfg(feature = "bugs")]
    #[arg(long)]
    bugs: bool,
    /// Of these bugs only the one of this name
    #[cfg(feature = "bugs")]
    #[arg(long, requires = "bugs")]
    bug: Option<String>,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    name_seeds_in_panics();
    let Some(families) = families(&cli.faults) else {
        eprintln!(
            "error: --faults {:?} is neither all, none, nor a list such as T,W,H,B,O,M,K,P",
            cli.faults
        );
        return ExitCode::from(2);
    };
    #[cfg(feature = "bugs")]
    if cli.bugs {
        return look_for_bugs(&cli);
    }
    let options = Options { families, crash: cli.crash, ..Options::default() };
    if cli.crashes {
        return crash(&cli, &options);
    }
    if cli.trace {
        let report = run(cli.from, &Options { trace: true, ..options.clone() });
        report.lines.iter().for_each(|line| println!("{line}"));
    }
    let seeds = Seeds {
        from: cli.from,
        count: cli.seeds,
        jobs: cli.jobs,
        failures_max: cli.failures,
        twice_every: cli.twice_every,
    };
    let summary = soak(seeds, &options);
    let say: fn(String) = if cli.json { |text| eprintln!("{text}") } else { |text| println!("{text}") };
    for report in summary.failed.values() {
        say(told(report, &cli.faults, &options));
    }
    for seed in &summary.differing {
        say(format!(
            "seed {seed}: two runs differ\n  cargo xtask soak --seeds 1 --from {seed} --faults {}",
            cli.faults
        ));
    }
    if cli.json {
        println!("{}", summary.to_json(cli.from));
    } else {
        println!("{summary}");
    }
    if summary.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn families(text: &str) -> Option<Vec<Family>> {
    match text {
        "all" => Some(Family::ALL.to_vec()),
        "none" => Some(Vec::new()),
        list => list
            .split(',')
            .map(|one| Family::ALL.into_iter().find(|family| family.to_string() == one))
            .collect(),
    }
}

/// Lets processes die.
fn crash(cli: &Cli, options: &Options) -> ExitCode {
    let plan = Plan {
        seeds: cli.from..cli.from + cli.seeds,
        every: cli.every,
        recovery_every: cli.recovery_every,
        jobs: cli.jobs,
        failures_max: cli.failures,
    };
    let summary = crash_everywhere(&plan, options);
    for failure in &summary.failed {
        let options = Options { crash: Some(failure.crash), ..options.clone() };
        println!("{}", told(&failure.report, &cli.faults, &options));
    }
    println!("{summary}");
    if summary.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Plants each bug in turn; says which invariant found it, and in which seed.
#[cfg(feature = "bugs")]
fn look_for_bugs(cli: &Cli) -> ExitCode {
    use cex_world::bugs::Bug;
    let wanted = |bug: &Bug| cli.bug.as_ref().is_none_or(|name| *name == format!("{bug:?}"));
    let bugs: Vec<Bug> = Bug::ALL.into_iter().filter(wanted).collect();
    if bugs.is_empty() {
        eprintln!("error: no planted bug is called {:?}; --bugs alone prints their names", cli.bug);
        return ExitCode::from(2);
    }
    let (next, missed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..cli.jobs.max(1) {
            scope.spawn(|| {
                while let Some(bug) = bugs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let name = format!("{bug:?}");
                    match cex_world::bugs::find(*bug, cli.from, cli.seeds) {
                        Some((seed, invariant)) => println!("{name:<22} {invariant:<8} seed {seed}"),
                        None => {
                            missed.fetch_add(1, Ordering::Relaxed);
                            println!("{name:<22} NOT FOUND within {} seeds", cli.seeds);
                        }
                    }
                }
            });
        }
    });
    let (all, missed) = (bugs.len(), missed.into_inner());
    println!("{} of {all} planted bugs found", all - missed);
    if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What does not hold in a seed, and what happened before.
fn told(report: &Report, faults: &str, options: &Options) -> String {
    let seed = report.seed;
    let mut lines = vec![format!("seed {seed} FAILED")];
    let violations = report.violations.iter();
    lines.extend(violations.map(|violation| format!("  {}: {}", violation.invariant, violation.what)));
    let again = run(seed, &Options { trace: true, ..options.clone() });
    let from = again.lines.len().saturating_sub(LAST_LINES);
    lines.extend(again.lines[from..].iter().map(|line| format!("    {line}")));
    let crash = options.crash.map_or_else(String::new, |crash| format!(" --crash {crash}"));
    lines.push(format!(
        "  replay: cargo xtask soak --seeds 1 --from {seed} --faults {faults}{crash} --trace\n"
    ));
    lines.join("\n")
}
