//! `soak`: many seeds of the deterministic world, built for speed. The program itself is `cex-world`'s.

use std::path::Path;

use clap::Args;

use crate::error::TaskError;
use crate::process;

/// Seeds of every `cargo xtask ci`: what two cores do in about a minute.
const CI_SEEDS: u64 = 800;

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
    /// Plant bugs instead, and look whether each is found within so many seeds
    #[arg(long)]
    bugs: bool,
}

impl Default for Options {
    /// What every `cargo xtask ci` runs.
    fn default() -> Self {
        Self { seeds: CI_SEEDS, from: 1, faults: "all".to_owned(), jobs: 2, trace: false, bugs: false }
    }
}

/// Runs the seeds.
///
/// # Errors
/// When something does not hold, or a planted bug is not found.
pub(crate) fn run(root: &Path, options: &Options) -> Result<(), TaskError> {
    let mut command = process::cargo(root);
    command.args(["run", "--release", "--locked", "--package", "cex-world", "--bin", "soak"]);
    if options.bugs {
        command.args(["--features", "bugs"]);
    }
    command.args(["--", "--seeds", &options.seeds.to_string(), "--from", &options.from.to_string()]);
    command.args(["--faults", &options.faults, "--jobs", &options.jobs.to_string()]);
    command.args(options.trace.then_some("--trace"));
    command.args(options.bugs.then_some("--bugs"));
    process::run(&mut command)
}
