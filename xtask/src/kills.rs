//! `kills`: engines ended by SIGKILL at random moments and started again. The program itself is an example of `cex-arb`.

use std::path::Path;

use clap::Args;

use crate::error::TaskError;
use crate::process;

/// Kills of every `cargo xtask ci`: enough to notice that starting again is broken.
const CI_TIMES: u32 = 8;

/// How often.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How many kills
    #[arg(long, default_value_t = 200)]
    times: u32,
    /// Seed of the markets and of the moments
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl Default for Options {
    /// What every `cargo xtask ci` runs.
    fn default() -> Self {
        Self { times: CI_TIMES, seed: 1 }
    }
}

/// Builds the program for speed, and kills it.
///
/// # Errors
/// When a fill was lost or booked twice, an order placed twice, or a start took too long.
pub(crate) fn run(root: &Path, options: &Options) -> Result<(), TaskError> {
    let package = ["--release", "--locked", "--package", "cex-arb"];
    process::run(process::cargo(root).arg("build").args(package).args(["--bin", "arb"]))?;
    let mut command = process::cargo(root);
    command.arg("run").args(package).args(["--example", "kills", "--"]);
    command.args(["--times", &options.times.to_string(), "--seed", &options.seed.to_string()]);
    process::run(&mut command)
}
