//! The directory of a run: what outlives it, and what others reach it by.

use super::SOCKET;
use crate::exit::{Exit, Failure};
use cex_core::Timestamp;
use std::fs::{File, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The file that belongs to the one run of a directory.
const LOCK: &str = "run.lock";

/// What a halt file is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HaltMark {
    /// `None` where it belongs to somebody else, who lets nobody read it.
    text: Option<Vec<u8>>,
    inode: u64,
    written_at: SystemTime,
}

/// Where a run keeps what outlives it, and what others reach it by.
#[derive(Debug, Clone)]
pub struct Directory(pub PathBuf);

/// Where a run on paper keeps its own, in the directory of the others: what happened on paper must never be taken for what happened.
const PAPER: &str = "paper";

/// An engine of the same configuration that runs in another mode, and so in another directory.
#[derive(Debug, PartialEq, Eq)]
pub struct OtherMode {
    directory: PathBuf,
    on_paper: bool,
}

impl OtherMode {
    /// It is not the one that was meant, and it is not told anything.
    #[must_use]
    pub fn failure(&self) -> Failure {
        let what =
            format!("the engine that runs is another one, in {}: it goes on", self.directory.display());
        let fix = if self.on_paper { "add --set mode=paper" } else { "leave mode = \"paper\" out" };
        Failure::new(Exit::NotRunning, what, fix)
    }
}

impl Directory {
    /// Of runs on paper, inside this one.
    #[must_use]
    pub fn on_paper(&self) -> Self {
        Self(self.0.join(PAPER))
    }

    /// An engine of another mode that answers where none of this one does.
    #[must_use]
    pub fn engine_of_another_mode(&self) -> Option<OtherMode> {
        let outer = self.0.parent().filter(|_| self.0.ends_with(PAPER));
        let others = [(Some(self.on_paper()), true), (outer.map(|path| Self(path.to_owned())), false)];
        others.into_iter().find_map(|(other, on_paper)| {
            let other =
                other.filter(|other| std::os::unix::net::UnixStream::connect(other.socket()).is_ok())?;
            Some(OtherMode { directory: other.0, on_paper })
        })
    }

    /// The control socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.0.join(SOCKET)
    }

    /// The file that halts every run: it works while nobody answers the socket.
    #[must_use]
    pub fn halt_file(&self) -> PathBuf {
        self.0.join("HALT")
    }

    /// Whether the halt file is there. Where that cannot be told it counts as there: a halt must not be lost to a bad disk, nor to an
    /// `arb resume` that took it aside and died.
    #[must_use]
    pub fn is_halted(&self) -> bool {
        self.halted_by().is_some()
    }

    /// The halt file, where it is now.
    #[must_use]
    pub fn halted_by(&self) -> Option<PathBuf> {
        [self.halt_file(), self.aside()].into_iter().find(|file| file.try_exists().unwrap_or(true))
    }

    /// Whether there ever was a run. Where that cannot be told, as if there had been.
    #[must_use]
    pub fn had_a_run(&self) -> bool {
        [LOCK, "journal"].iter().any(|name| self.0.join(name).try_exists().unwrap_or(true))
    }

    /// Where logs go while a screen is drawn.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.0.join("arb.log")
    }

    /// Makes this the one run of the directory, for as long as the file is open.
    ///
    /// # Errors
    /// [`io::ErrorKind::AddrInUse`] when there is another, or as the system says.
    pub fn claim(&self) -> io::Result<File> {
        let file = File::options().create(true).append(true).mode(0o600).open(self.0.join(LOCK))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::AddrInUse.into()),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Puts the halt file there; it is on disk when this returns.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn put_halt_file(&self, what: &dyn std::fmt::Display) -> std::io::Result<()> {
        let mut file = File::create(self.halt_file())?;
        writeln!(file, "{what}")?;
        file.sync_all()?;
        File::open(&self.0)?.sync_all()
    }

    /// What tells the halt file that is there from one that is put there later; `None` where there is none.
    ///
    /// # Errors
    /// When that cannot be told.
    pub fn halt_mark(&self) -> io::Result<Option<HaltMark>> {
        Ok(mark_of(&self.halt_file())?.or(mark_of(&self.aside())?))
    }

    /// Where a halt file is while it is looked at for the last time.
    fn aside(&self) -> PathBuf {
        self.0.join("HALT.aside")
    }

    /// Takes the halt file aside, so that none that is put there meanwhile is taken for it; what it is known by, `None` where there is
    /// none. [`Self::put_halt_back`] or [`Self::forget_halt`] follows.
    ///
    /// # Errors
    /// When it stays there.
    pub fn take_halt_aside(&self) -> io::Result<Option<HaltMark>> {
        match std::fs::rename(self.halt_file(), self.aside()) {
            Ok(()) => mark_of(&self.aside()).inspect_err(|_| self.put_halt_back()),
            // One that died before may have done so, and lifted nothing.
            Err(error) if error.kind() == io::ErrorKind::NotFound => mark_of(&self.aside()),
            Err(error) => Err(error),
        }
    }

    /// Puts it back: it was not lifted.
    pub fn put_halt_back(&self) {
        match std::fs::rename(self.aside(), self.halt_file()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                let file = self.halt_file();
                tracing::error!(%error, file = %file.display(), "NOT HALTED OVER RESTARTS: the halt file could not be put back");
            }
            Ok(()) | Err(_) => {}
        }
    }

    /// It was lifted: the file that was taken aside goes.
    ///
    /// # Errors
    /// When it stays there.
    pub fn forget_halt(&self) -> io::Result<()> {
        match std::fs::remove_file(self.aside()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// The file that says which run ended in order last.
    fn ended_file(&self) -> PathBuf {
        self.0.join("ended")
    }

    /// The run of this process, which started then, has ended in order. Where that cannot be written, it looks as if it had not.
    pub fn note_ended(&self, started_at: Timestamp) {
        let run = run_name(std::process::id(), started_at.as_millis());
        if let Err(error) = std::fs::write(self.ended_file(), run) {
            tracing::warn!(%error, "that it ended in order could not be written down");
        }
    }

    /// Whether the run of this process, which started then, ended in order.
    #[must_use]
    pub fn has_ended(&self, pid: u32, started_at_ms: i64) -> bool {
        std::fs::read_to_string(self.ended_file()).is_ok_and(|last| last == run_name(pid, started_at_ms))
    }
}

/// What a halt file is known by, wherever it is.
fn mark_of(file: &Path) -> io::Result<Option<HaltMark>> {
    let text = std::fs::read(file).ok();
    match std::fs::metadata(file) {
        Ok(told) => Ok(Some(HaltMark { text, inode: told.ino(), written_at: told.modified()? })),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// One run among all of a directory: numbers of processes come again.
fn run_name(pid: u32, started_at_ms: i64) -> String {
    format!("process {pid}, started at {started_at_ms}\n")
}
