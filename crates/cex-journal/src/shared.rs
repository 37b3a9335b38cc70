//! What the trading thread and the syncing thread both see.

use crate::damage::JournalError;
use crate::segment;
use crate::storage::{Storage, StorageFile};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

/// A segment made ready for use: its number and its file.
pub(crate) struct Prepared {
    pub(crate) number: u64,
    pub(crate) file: Arc<dyn StorageFile>,
}

/// Shared state. The trading thread only ever takes a lock when it changes segments, or when it syncs itself.
pub(crate) struct Shared {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) segment_bytes: u64,
    /// Number of the next record that is not written yet.
    pub(crate) written: AtomicU64,
    /// Number of the next record that is not known to be on disk.
    pub(crate) durable: AtomicU64,
    /// When everything written by then was seen to be on disk, in nanoseconds after `origin`.
    pub(crate) clean_at: AtomicU64,
    pub(crate) free_bytes: AtomicU64,
    /// Set once, never unset.
    pub(crate) failed: AtomicBool,
    /// Whether the next segment could not be made.
    pub(crate) starved: AtomicBool,
    why: OnceLock<String>,
    origin: Instant,
    /// Segments with bytes that may not be on disk, the current one last.
    open: Mutex<Vec<Arc<dyn StorageFile>>>,
    /// Number of the segment to make ready next.
    pub(crate) wanted: AtomicU64,
    /// The next segment. Whoever makes one holds the lock meanwhile, so two threads never make the same.
    pub(crate) next: Mutex<Option<Prepared>>,
    /// Held while syncing: a file reports a failed write to one caller only, which must have told of it before the next
    /// one asks.
    syncing: Mutex<()>,
}

impl Shared {
    pub(crate) fn new(storage: Arc<dyn Storage>, segment_bytes: u64, seq: u64) -> Self {
        let free = storage.free_bytes().unwrap_or(0);
        Self {
            storage,
            segment_bytes,
            written: AtomicU64::new(seq),
            durable: AtomicU64::new(seq),
            clean_at: AtomicU64::new(0),
            free_bytes: AtomicU64::new(free),
            failed: AtomicBool::new(false),
            starved: AtomicBool::new(false),
            why: OnceLock::new(),
            origin: Instant::now(),
            open: Mutex::new(Vec::new()),
            wanted: AtomicU64::new(0),
            next: Mutex::new(None),
            syncing: Mutex::new(()),
        }
    }

    pub(crate) fn nanos(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.origin).as_nanos()).unwrap_or(u64::MAX)
    }

    /// Nothing is written after this.
    pub(crate) fn fail(&self, error: &JournalError) {
        let _ = self.why.set(error.to_string());
        self.failed.store(true, Ordering::Release);
    }

    pub(crate) fn why(&self) -> Option<&str> {
        self.why.get().map(String::as_str)
    }

    /// An error when there was a failure before.
    pub(crate) fn alive(&self) -> Result<(), JournalError> {
        if self.failed.load(Ordering::Acquire) {
            return Err(JournalError::Failed { why: self.why().unwrap_or_default().to_owned() });
        }
        Ok(())
    }

    /// A failure of the disk, as an error.
    pub(crate) fn io(&self, op: &'static str, file: String, source: io::Error) -> JournalError {
        JournalError::Io { op, dir: self.storage.place(), file, source }
    }

    /// From now on this segment is written to.
    pub(crate) fn enter(&self, file: Arc<dyn StorageFile>) {
        locked(&self.open).push(file);
    }

    /// Makes segment `number`, whose name is then on disk.
    pub(crate) fn make(&self, number: u64) -> Result<Prepared, JournalError> {
        let name = segment::file_name(number);
        let made = self.storage.create(&name, self.segment_bytes);
        let file = made.map_err(|source| self.io("making the segment", name, source))?;
        let named = self.storage.sync_names();
        named.map_err(|source| self.io("syncing the directory", String::new(), source))?;
        Ok(Prepared { number, file })
    }

    /// Puts everything written so far on disk. A failure is final.
    pub(crate) fn sync(&self) -> Result<(), JournalError> {
        let _turn = locked(&self.syncing);
        self.alive()?;
        let target = self.written.load(Ordering::Acquire);
        if self.durable.load(Ordering::Acquire) >= target {
            return Ok(());
        }
        let files: Vec<_> = locked(&self.open).clone();
        for file in &files {
            if let Err(source) = file.sync() {
                let error = self.io("syncing", "the current segment".to_owned(), source);
                self.fail(&error);
                return Err(error);
            }
        }
        // A segment that had a successor when the sync began has got its last byte before.
        locked(&self.open).drain(..files.len().saturating_sub(1));
        self.durable.store(target, Ordering::Release);
        Ok(())
    }
}

/// A panic while holding one of these locks leaves nothing half done that the next holder would trip over.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
