//! Node, and the pinned packages that clients are made of.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::TaskError;
use crate::process;

/// The driver.
pub(super) const DRIVER: &str = "xtask/clients/node/driver.js";

/// The clients, their versions, and the sums of everything they bring.
const MANIFEST: &str = "xtask/clients/node/package.json";
const LOCK: &str = "xtask/clients/node/package-lock.json";

/// What npm says when it reaches no registry.
const UNREACHABLE: &[&str] =
    &["ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ETIMEDOUT", "ENETUNREACH", "network connectivity"];

/// Packages that are ready.
#[derive(Debug)]
pub(super) struct Environment {
    packages: PathBuf,
}

impl Environment {
    /// Installs the packages under `target`, or takes those of an earlier run with the same lock. The inner error says why
    /// nothing can be checked here: no Node, or no registry.
    ///
    /// # Errors
    /// When Node and the registry are there and the packages cannot be installed all the same.
    pub(super) fn prepare(root: &Path, target: &Path) -> Result<Result<Self, String>, TaskError> {
        for (program, least) in [("node", 18), ("npm", 8)] {
            if major_version(program).is_none_or(|major| major < least) {
                return Ok(Err(format!("there is no `{program}` of version {least} or later")));
            }
        }
        let directory = target.join("clients-node");
        let (packages, stamp) = (directory.join("node_modules"), directory.join("installed-lock.json"));
        let lock = read(&root.join(LOCK))?;
        if fs::read_to_string(&stamp).is_ok_and(|installed| installed == lock) && packages.is_dir() {
            return Ok(Ok(Self { packages }));
        }
        let failed = |source| TaskError::io(&directory, source);
        fs::create_dir_all(&directory).map_err(failed)?;
        fs::write(directory.join("package.json"), read(&root.join(MANIFEST))?).map_err(failed)?;
        fs::write(directory.join("package-lock.json"), &lock).map_err(failed)?;
        println!("$ npm ci # {LOCK}");
        let mut npm = Command::new("npm");
        // Nothing that a package brings is run while it is installed.
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries", "1"]);
        match process::capture(npm.current_dir(&directory)) {
            Ok(_) => {}
            Err(TaskError::Command { details, .. }) if is_unreachable(&details) => {
                return Ok(Err("the package registry of npm could not be reached".to_owned()));
            }
            Err(error) => return Err(error),
        }
        fs::write(&stamp, lock).map_err(failed)?;
        Ok(Ok(Self { packages }))
    }

    /// The driver, told where the simulator is.
    pub(super) fn driver(&self, root: &Path, ready: &str) -> Command {
        let mut command = Command::new("node");
        command.current_dir(root).arg(DRIVER).arg(ready).env("NODE_PATH", &self.packages);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        command
    }
}

fn read(path: &Path) -> Result<String, TaskError> {
    fs::read_to_string(path).map_err(|source| TaskError::io(path, source))
}

fn is_unreachable(details: &str) -> bool {
    UNREACHABLE.iter().any(|words| details.contains(words))
}

/// The first number a program prints when asked for its version; nothing where there is no such program.
fn major_version(program: &str) -> Option<u32> {
    let output = Command::new(program).arg("--version").output().ok()?;
    major(&String::from_utf8_lossy(&output.stdout))
}

fn major(version: &str) -> Option<u32> {
    version.trim().trim_start_matches('v').split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_a_registry_out_of_reach_are_understood() {
        assert_eq!((major("v20.20.2\n"), major("10.8.2"), major("")), (Some(20), Some(10), None));
        assert!(is_unreachable("npm error code EAI_AGAIN\nnpm error syscall getaddrinfo"));
        assert!(!is_unreachable("npm error code ETARGET\nnpm error notarget No matching version found"));
    }
}
