//! The Python interpreter, and a virtual environment with the pinned clients in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::TaskError;

/// The clients and their versions.
const REQUIREMENTS: &str = "xtask/clients/requirements.txt";

/// What pip says when it reaches no index, as opposed to one that has no such version.
const UNREACHABLE: &[&str] = &[
    "Failed to establish a new connection",
    "Temporary failure in name resolution",
    "Network is unreachable",
    "Connection refused",
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "ProxyError",
    "NewConnectionError",
    "from versions: none",
];

/// A virtual environment that is ready.
#[derive(Debug)]
pub(super) struct Environment {
    /// Its interpreter.
    pub(super) python: PathBuf,
}

impl Environment {
    /// Makes the environment under `target`, or takes the one of an earlier run with the same requirements. The inner
    /// error says why nothing can be checked here: no Python, or no package index.
    ///
    /// # Errors
    /// When Python and the index are there and the environment cannot be made all the same.
    pub(super) fn prepare(root: &Path, target: &Path) -> Result<Result<Self, String>, TaskError> {
        let Some(interpreter) = interpreter() else {
            return Ok(Err("no Python 3 with `venv` is installed (`python3 -m venv`)".to_owned()));
        };
        let wanted = root.join(REQUIREMENTS);
        let text = fs::read_to_string(&wanted).map_err(|source| TaskError::io(&wanted, source))?;
        let directory = target.join("clients-venv");
        let (python, stamp) =
            (directory.join("bin").join("python"), directory.join("requirements-installed.txt"));
        if fs::read_to_string(&stamp).is_ok_and(|installed| installed == text) && python.is_file() {
            return Ok(Ok(Self { python }));
        }
        if directory.exists() {
            fs::remove_dir_all(&directory).map_err(|source| TaskError::io(&directory, source))?;
        }
        run(Command::new(interpreter).args(["-m", "venv"]).arg(&directory))?;
        println!("$ pip install --requirement {REQUIREMENTS}");
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]);
        pip.args(["--timeout", "15", "--retries", "2", "--requirement"]).arg(&wanted);
        match run(&mut pip) {
            Ok(()) => {}
            Err(TaskError::Command { details, .. }) if is_unreachable(&details) => {
                return Ok(Err(format!(
                    "the Python package index could not be reached: {}",
                    last_line(&details)
                )));
            }
            Err(error) => return Err(error),
        }
        fs::write(&stamp, text).map_err(|source| TaskError::io(&stamp, source))?;
        Ok(Ok(Self { python }))
    }
}

/// The first interpreter that can make environments.
fn interpreter() -> Option<&'static str> {
    let can = |name: &&str| {
        let script = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 9))";
        Command::new(name).args(["-c", script]).output().is_ok_and(|output| output.status.success())
    };
    ["python3", "python"].into_iter().find(can)
}

fn is_unreachable(details: &str) -> bool {
    UNREACHABLE.iter().any(|words| details.contains(words))
}

fn last_line(details: &str) -> &str {
    details.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default().trim()
}

fn run(command: &mut Command) -> Result<(), TaskError> {
    crate::process::capture(command).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unreachable_index_is_told_from_a_version_that_does_not_exist() {
        let offline = "WARNING: Retrying (Retry(total=0)) after connection broken by \
                       'NewConnectionError: Failed to establish a new connection: [Errno -3]'\n\
                       ERROR: Could not find a version that satisfies the requirement ccxt==4.5.90 (from versions: none)\n";
        assert!(is_unreachable(offline));
        assert!(last_line(offline).starts_with("ERROR: Could not find"), "{}", last_line(offline));
        let missing = "ERROR: Could not find a version that satisfies the requirement ccxt==99 (from versions: 4.5.89, 4.5.90)";
        assert!(!is_unreachable(missing));
    }
}
