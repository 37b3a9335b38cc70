//! `arb.toml`, typed: every key known, in range and in its unit, every limit written where real money runs.
//!
//! | module | what |
//! |---|---|
//! | [`keys`] | the table of all keys, and the sections made of it |
//! | [`mod@unit`] | what a value can be: its unit, its range, its type in the program |
//! | [`venue`] | the accounts: registered exchanges, addresses, references to secrets |
//! | [`problem`] | what is wrong, where, and how to fix it |
//! | [`command`] | `arb config check`, `show`, `example` |
//!
//! Values come from four places, each stronger than the one before: defaults, the file, `ARB__SECTION__KEY` in the
//! environment, and `--set` on the command line. Defaults of limits hold only where no real order can leave.

mod check;
mod file;
mod layers;
mod limits;
mod place;
mod secret;

pub mod command;
pub mod keys;
pub mod pattern;
pub mod problem;
pub mod unit;
pub mod venue;

#[cfg(test)]
mod tests;

pub use keys::{Paper, Risk, Storage, Symbols};
pub use layers::{Origin, Surroundings};
pub use unit::{Mode, SyncChoice};
pub use venue::Venue;

use problem::{Problem, Problems};
use std::path::{Path, PathBuf};

/// A configuration that makes sense as a whole.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where it was read; `None` when there is no file.
    pub file: Option<PathBuf>,
    /// Whether orders are sent, simulated, or neither.
    pub mode: Mode,
    /// The accounts, in the order their exchanges are registered.
    pub venues: Vec<Venue>,
    /// Which symbols are traded.
    pub symbols: Symbols,
    /// What may be risked: the parameters of rules R1 to R36.
    pub risk: Risk,
    /// Accounts that exist on paper only.
    pub paper: Paper,
    /// Where the journal is kept, and how often it is put on disk.
    pub storage: Storage,
    /// SHA-256 of every value that holds, default or not; of secrets only where they are. Equal settings, equal hash.
    pub hash: [u8; 32],
}

impl Storage {
    /// How the journal is written.
    #[must_use]
    pub fn journal_options(&self) -> cex_journal::Options {
        let sync = match self.journal_sync {
            SyncChoice::Grouped => cex_journal::SyncPolicy::Grouped(self.journal_group_ms),
            SyncChoice::Strict => cex_journal::SyncPolicy::Strict,
        };
        cex_journal::Options { segment_bytes: self.journal_segment_mib, sync }
    }
}

impl Config {
    /// Finds the file (`docs/configuration.md` says where), reads it and everything that overrides it, and checks all of it.
    ///
    /// `sets` are `KEY=VALUE` from the command line.
    ///
    /// # Errors
    /// Everything that is wrong, not only the first.
    pub fn load(path: Option<&Path>, sets: &[String], around: &Surroundings) -> Result<Self, Box<Problems>> {
        let file = file::read(path, around)?;
        Self::read(&file, sets, around)
    }

    /// As [`Config::load`], for what halts, ends or asks after a run and opens nothing itself: it must not be held up by values
    /// that were hardly meant so and by variables that override nothing, which are given back, to be told; nor by secrets that
    /// only a run can read, of which [`Venue::key_unread`] tells.
    ///
    /// # Errors
    /// As [`Config::load`], of all the rest.
    pub fn load_for_control(
        path: Option<&Path>,
        sets: &[String],
        around: &Surroundings,
    ) -> Result<(Self, Vec<Problem>), Box<Problems>> {
        let file = file::read(path, around)?;
        let mut problems = Problems::lenient(&file);
        let config = Self::read_into(&file, sets, around, &mut problems);
        config.map(|config| (config, problems.take_doubts())).ok_or_else(|| Box::new(problems))
    }

    /// As [`Config::load`], of a file that has been read.
    fn read(file: &file::Source, sets: &[String], around: &Surroundings) -> Result<Self, Box<Problems>> {
        let mut problems = Problems::new(file);
        Self::read_into(file, sets, around, &mut problems).ok_or_else(|| Box::new(problems))
    }

    /// `None` when there are problems.
    fn read_into(
        file: &file::Source,
        sets: &[String],
        around: &Surroundings,
        problems: &mut Problems,
    ) -> Option<Self> {
        let given = layers::collect(file, sets, around, problems);
        check::config(&given, file, around, problems).filter(|_| problems.is_empty())
    }
}
