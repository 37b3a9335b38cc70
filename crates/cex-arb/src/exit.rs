//! How the program ends: exit codes, and failures that say what, where and how to fix it.

use std::fmt;
use std::io;

/// Exit codes, the same for every command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// A bug, or something no other code covers.
    Internal,
    /// A configuration that makes no sense.
    BadConfig,
    /// A key that is refused, or may do too much or too little.
    Credentials,
    /// An exchange cannot be reached.
    Unreachable,
    /// No engine runs there.
    NotRunning,
    /// Another engine runs there already.
    Running,
    /// Something did not happen in time, or cannot be done yet: trying again helps.
    Timeout,
    /// Halted until an operator has looked.
    Halted,
    /// Ended with residual exposure, an unknown order, or a ledger that differs.
    Residual,
    /// A check failed.
    CheckFailed,
    /// Interrupted, and drained cleanly.
    Interrupted,
    /// Terminated, and drained cleanly.
    Terminated,
}

impl Exit {
    /// The number the shell sees.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Internal => 1,
            Self::BadConfig => 3,
            Self::Credentials => 4,
            Self::Unreachable => 5,
            Self::NotRunning | Self::Running => 6,
            Self::Timeout => 7,
            Self::Halted => 8,
            Self::Residual => 9,
            Self::CheckFailed => 10,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }
}

/// Why a command failed: what happened, where, and how to fix it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Decides the exit code.
    pub exit: Exit,
    /// What happened and where, as a sentence for people.
    pub what: String,
    /// How to fix it; empty when there is nothing to say.
    pub fix: String,
}

impl Failure {
    /// A failure with a way out.
    #[must_use]
    pub fn new(exit: Exit, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { exit, what: what.into(), fix: fix.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.what)?;
        if self.fix.is_empty() { Ok(()) } else { write!(f, "\n  fix: {}", self.fix) }
    }
}

impl std::error::Error for Failure {}

/// What became of writing a result. That nobody reads any more is no failure of ours.
///
/// # Errors
/// When it could not be written for another reason.
pub fn written(result: io::Result<()>) -> Result<(), Failure> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => {
            other.map_err(|error| Failure::new(Exit::Internal, format!("writing the result: {error}"), ""))
        }
    }
}
