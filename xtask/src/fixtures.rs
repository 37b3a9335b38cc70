//! `fixtures`: recorded payloads through the adapters. The program is one of cex-benches, since it needs our crates.

use std::path::Path;

use crate::error::TaskError;
use crate::process;

/// Runs the fixtures program of cex-benches on `dir`, which may be relative to the caller's directory.
///
/// # Errors
/// When there is no such directory, or the program cannot be built or finds a payload it cannot read.
pub(crate) fn run(root: &Path, dir: &Path, args: &[String]) -> Result<(), TaskError> {
    let dir = dir.canonicalize().map_err(|source| TaskError::io(dir, source))?;
    let mut command = process::cargo(root);
    command.args(["run", "--quiet", "--locked", "--package", "cex-benches", "--bin", "fixtures", "--"]);
    command.arg("--dir").arg(dir).args(args);
    process::run(&mut command)
}
