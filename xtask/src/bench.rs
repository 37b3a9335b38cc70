//! `bench`: one bench target per budget of docs/performance.md.

use std::path::Path;

use crate::error::TaskError;
use crate::process;

/// Runs the bench targets `names` (all without any), passing `args` on to them.
///
/// # Errors
/// When cargo or a benchmark fails.
pub(crate) fn run(root: &Path, names: &[String], args: &[String]) -> Result<(), TaskError> {
    let mut command = process::cargo(root);
    command.args(["bench", "--package", "cex-benches", "--locked"]);
    for name in names {
        command.args(["--bench", name]);
    }
    if !args.is_empty() {
        command.arg("--").args(args);
    }
    process::run(&mut command)
}
