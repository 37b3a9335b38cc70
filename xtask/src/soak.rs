//! `soak`: many seeds of the deterministic world, built for speed. The program itself is `cex-world`'s.

use std::path::Path;

use clap::Args;

use crate::error::TaskError;
use crate::process;

/// Seeds of every `cargo xtask ci`, each run twice: what two cores do in some minutes.
const CI_SEEDS: u64 = 1_000;

/// Seeds whose effects every `cargo xtask ci` crashes at: one in five of them, in less than a minute.
const CI_CRASH_SEEDS: u64 = 6;

/// What to run.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How many seeds
    #[arg(long, default_value_t = CI_SEEDS)]
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
    /// Run one of so many seeds twice, and compare the hashes of all that happened; 1 for all of them
    #[arg(long, default_value_t = 16)]
    twice_every: u64,
    /// Print the counts as one line of JSON, alone on standard output: those of several runs add up
    #[arg(long)]
    json: bool,
    /// Let the process die at every effect of each seed's trading instead, and again while it recovers
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
    crash: Option<String>,
    /// Build it as what is shipped is built: takes minutes once, and pays for itself from some ten thousand seeds on
    #[arg(long)]
    dist: bool,
    /// Plant bugs instead, and look whether each is found within so many seeds
    #[arg(long)]
    bugs: bool,
}

impl Default for Options {
    /// What every `cargo xtask ci` runs.
    fn default() -> Self {
        Self {
            seeds: CI_SEEDS,
            from: 1,
            faults: "all".to_owned(),
            jobs: 2,
            twice_every: 1,
            trace: false,
            json: false,
            crashes: false,
            every: 1,
            recovery_every: 50,
            crash: None,
            dist: false,
            bugs: false,
        }
    }
}

impl Options {
    /// What every `cargo xtask ci` does with crashes.
    pub(crate) fn crashes() -> Self {
        Self {
            seeds: CI_CRASH_SEEDS,
            faults: "T,H,O,M".to_owned(),
            crashes: true,
            every: 5,
            recovery_every: 60,
            ..Self::default()
        }
    }
}

/// Runs the seeds.
///
/// # Errors
/// When something does not hold, or a planted bug is not found.
pub(crate) fn run(root: &Path, options: &Options) -> Result<(), TaskError> {
    let mut command = process::cargo(root);
    let profile = if options.dist { "dist" } else { "release" };
    command.args(["run", "--profile", profile, "--locked", "--package", "cex-world", "--bin", "soak"]);
    if options.bugs {
        command.args(["--features", "bugs"]);
    }
    command.args(["--", "--seeds", &options.seeds.to_string(), "--from", &options.from.to_string()]);
    command.args(["--faults", &options.faults, "--jobs", &options.jobs.to_string()]);
    command.args(["--twice-every", &options.twice_every.to_string()]);
    command.args(options.trace.then_some("--trace"));
    command.args(options.json.then_some("--json"));
    command.args(options.bugs.then_some("--bugs"));
    command.args(options.crash.iter().flat_map(|crash| ["--crash", crash]));
    if options.crashes {
        command.args(["--crashes", "--every", &options.every.to_string()]);
        command.args(["--recovery-every", &options.recovery_every.to_string()]);
    }
    if options.json { process::run_unheard(&mut command) } else { process::run(&mut command) }
}
