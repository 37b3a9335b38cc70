//! The other thread's side: groups of records are put on disk, and the next segment is made ready.

use crate::damage::JournalError;
use crate::segment;
use crate::shared::{Shared, locked};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How often free space is asked for, and how often making a segment that could not be made is tried again.
const UPKEEP: Duration = Duration::from_secs(1);

/// Puts what has been written on disk, one group a call. Runs on a thread of its own unless a test drives it.
pub struct Syncer {
    shared: Arc<Shared>,
    upkeep_at: Option<Instant>,
}

impl Syncer {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, upkeep_at: None }
    }

    /// Puts everything written so far on disk, and sees to the next segment and the free space.
    ///
    /// # Errors
    /// A sync that failed: the journal has failed then, and every later call says so.
    pub fn tick(&mut self, now: Instant) -> Result<(), JournalError> {
        // Taken before the sync: what is written during it may wait from now on.
        let clean_at = self.shared.nanos(now);
        self.shared.sync()?;
        self.shared.clean_at.store(clean_at, Ordering::Release);
        if self.upkeep_at.is_none_or(|at| now >= at) {
            let free = self.shared.storage.free_bytes().unwrap_or(0);
            self.shared.free_bytes.store(free, Ordering::Relaxed);
            self.upkeep_at = Some(now + UPKEEP);
            self.shared.starved.store(false, Ordering::Relaxed);
        }
        if !self.shared.starved.load(Ordering::Relaxed) {
            self.prepare();
        }
        Ok(())
    }

    /// Makes the next segment where there is none. That it could not be made is no failure yet: the current segment has
    /// its space.
    fn prepare(&self) {
        let mut next = locked(&self.shared.next);
        let wanted = self.shared.wanted.load(Ordering::Acquire);
        if wanted == 0 || next.is_some() {
            return;
        }
        match self.shared.make(wanted) {
            Ok(prepared) => *next = Some(prepared),
            Err(_) => {
                // A name without its directory entry on disk must not be found by the next attempt.
                let _ = self.shared.storage.remove(&segment::file_name(wanted));
                self.shared.starved.store(true, Ordering::Relaxed);
            }
        }
    }
}

/// A thread that ticks until it is dropped.
pub(crate) struct SyncThread {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl SyncThread {
    /// Starts the thread, which syncs every `every`.
    pub(crate) fn spawn(mut syncer: Syncer, every: Duration) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let run = move || {
            // A failure is in the shared state, where the trading thread sees it; there is nothing left to do here.
            while !told.load(Ordering::Acquire) && syncer.tick(Instant::now()).is_ok() {
                thread::park_timeout(every);
            }
        };
        let thread = thread::Builder::new().name("journal-sync".to_owned()).spawn(run)?;
        Ok(Self { stop, thread: Some(thread) })
    }

    /// Has the next group put on disk at once.
    pub(crate) fn hurry(&self) {
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

impl Drop for SyncThread {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}
