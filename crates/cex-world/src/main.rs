//! `soak`: many seeds of the deterministic world. `cargo xtask soak` calls it.
#![forbid(unsafe_code)]

use cex_world::Family;
use cex_world::run::{Options, Report, run};
use cex_world::soak::soak;
use clap::Parser;
use std::process::ExitCode;

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
    /// Plant bugs and look whether each is found within so many seeds
    #[cfg(feature = "bugs")]
    #[arg(long)]
    bugs: bool,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let Some(families) = families(&cli.faults) else {
        eprintln!("error: --faults {:?} is neither all, none, nor a list such as T,W,H,B,O,M,K", cli.faults);
        return ExitCode::from(2);
    };
    #[cfg(feature = "bugs")]
    if cli.bugs {
        return look_for_bugs(&cli);
    }
    let options = Options { families, ..Options::default() };
    if cli.trace {
        let report = run(cli.from, &Options { trace: true, ..options.clone() });
        report.lines.iter().for_each(|line| println!("{line}"));
    }
    let summary = soak(cli.from, cli.seeds, cli.jobs, cli.failures, &options);
    for report in summary.failed.values() {
        tell(report, &cli.faults, &options);
    }
    for seed in &summary.differing {
        println!(
            "seed {seed}: two runs differ\n  cargo xtask soak --seeds 1 --from {seed} --faults {}",
            cli.faults
        );
    }
    println!("{summary}");
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

/// Plants each bug in turn; says which invariant found it, and in which seed.
#[cfg(feature = "bugs")]
fn look_for_bugs(cli: &Cli) -> ExitCode {
    let mut missed = 0;
    for bug in cex_world::bugs::Bug::ALL {
        let name = format!("{bug:?}");
        match cex_world::bugs::find(bug, cli.from, cli.seeds) {
            Some((seed, invariant)) => println!("{name:<22} {invariant:<8} seed {seed}"),
            None => {
                missed += 1;
                println!("{name:<22} NOT FOUND within {} seeds", cli.seeds);
            }
        }
    }
    println!(
        "{} of {} planted bugs found",
        cex_world::bugs::Bug::ALL.len() - missed,
        cex_world::bugs::Bug::ALL.len()
    );
    if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What does not hold in a seed, and what happened before.
fn tell(report: &Report, faults: &str, options: &Options) {
    let seed = report.seed;
    println!("seed {seed} FAILED");
    for violation in &report.violations {
        println!("  {}: {}", violation.invariant, violation.what);
    }
    let again = run(seed, &Options { trace: true, ..options.clone() });
    let from = again.lines.len().saturating_sub(LAST_LINES);
    again.lines[from..].iter().for_each(|line| println!("    {line}"));
    println!("  replay: cargo xtask soak --seeds 1 --from {seed} --faults {faults} --trace\n");
}
