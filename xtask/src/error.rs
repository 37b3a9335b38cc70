//! Why a task failed, in words that say what to do.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

/// The failure of a task.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TaskError {
    /// The check ran and found something wrong; one line each.
    #[error("{task}: {} found\n{}", count(problems.len()), listed(problems))]
    Problems {
        /// The task that found them.
        task: &'static str,
        /// What was found, each with its place.
        problems: Vec<String>,
    },
    /// A program could not be started.
    #[error("`{command}` could not be started: {source}")]
    Spawn {
        /// The command line.
        command: String,
        /// The system's reason.
        source: io::Error,
    },
    /// A program ran and failed.
    #[error("`{command}` failed ({status}){}", indented(details))]
    Command {
        /// The command line.
        command: String,
        /// Exit status of the program.
        status: ExitStatus,
        /// What it wrote to standard error, when that was not shown already.
        details: String,
    },
    /// A program's output was not what was expected.
    #[error("`{command}` printed something unexpected: {reason}")]
    Output {
        /// The command line.
        command: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A file or directory could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The `.proto` files do not compile.
    #[error("proto/ does not compile: {0}")]
    Proto(String),
    /// Not inside a checkout of this project.
    #[error("no workspace manifest in {} or above it", start.display())]
    NoWorkspace {
        /// Directory in which the search began.
        start: PathBuf,
    },
    /// A task ended with a code of its own; what it found was printed where it happened.
    #[error("{task} ended with exit code {code}")]
    Exit {
        /// The task.
        task: &'static str,
        /// 1 failed, 2 could not be tried, 3 did not end, 4 configuration.
        code: u8,
    },
    /// Steps of `ci` failed; their own messages were printed where they happened.
    #[error("ci failed at {}", .0.join(", "))]
    Steps(Vec<&'static str>),
}

impl TaskError {
    /// An [`TaskError::Io`] at `path`.
    pub(crate) fn io(path: impl AsRef<Path>, source: io::Error) -> Self {
        TaskError::Io { path: path.as_ref().to_path_buf(), source }
    }

    /// What the program ends with.
    pub(crate) const fn exit_code(&self) -> u8 {
        match self {
            TaskError::Exit { code, .. } => *code,
            _ => 1,
        }
    }

    /// `Ok` without problems, [`TaskError::Problems`] with them.
    pub(crate) fn unless_empty(task: &'static str, problems: Vec<String>) -> Result<(), Self> {
        if problems.is_empty() { Ok(()) } else { Err(TaskError::Problems { task, problems }) }
    }
}

fn count(problems: usize) -> String {
    if problems == 1 { "1 problem".to_owned() } else { format!("{problems} problems") }
}

fn listed(problems: &[String]) -> String {
    problems.iter().map(|problem| format!("  {problem}")).collect::<Vec<_>>().join("\n")
}

fn indented(details: &str) -> String {
    details.trim_end().lines().map(|line| format!("\n  {line}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_are_counted_and_listed_one_a_line() {
        assert!(TaskError::unless_empty("tidy", Vec::new()).is_ok());
        let error = TaskError::unless_empty("tidy", vec!["a: x".into(), "b: y".into()]).unwrap_err();
        assert_eq!(error.to_string(), "tidy: 2 problems found\n  a: x\n  b: y");
    }
}
