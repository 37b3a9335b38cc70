//! The journal of a process in the world: the very writer, recorder and reader of `arb run`, on a disk in memory and in virtual
//! time.

use cex_arb::run::control::Directory;
use cex_arb::run::past::Past;
use cex_arb::run::record::{Recorder, Tolerance};
use cex_arb::run::remote::write_acknowledgement;
use cex_arb::show::Names;
use cex_core::Timestamp;
use cex_journal::messages::SessionStart;
use cex_journal::storage::MemoryDisk;
use cex_journal::{Health, JournalError, Options, Reader, Recovered, SyncPolicy, Syncer, Writer};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Groups are put on disk this often; as by default.
const SYNC_EVERY: Duration = Duration::from_millis(5);
/// What was staged is written this often; as the desk does it.
const FLUSH_EVERY: Duration = Duration::from_millis(25);
/// Small enough that a run fills several.
const SEGMENT_BYTES: u64 = 128 << 10;

/// Where a halt file would be: a process that cannot write its journal here is dead, and leaves none.
const NOWHERE: &str = "/dev/null/world";

/// A journal that is open, and whose session has begun.
pub(crate) struct Opened {
    writer: Writer,
    syncer: Syncer,
    pub(crate) recovered: Recovered,
    pub(crate) past: Past,
}

/// Opens a journal as a start does: repaired, read as a whole, and this session begun.
pub(crate) fn open(
    disk: &MemoryDisk,
    is_strict: bool,
    now: Timestamp,
    start: SessionStart,
) -> Result<Opened, JournalError> {
    let sync = if is_strict { SyncPolicy::Strict } else { SyncPolicy::Grouped(SYNC_EVERY) };
    let options = Options { segment_bytes: SEGMENT_BYTES, sync };
    let mut past = Past::default();
    let opened =
        cex_journal::open_reading(Arc::new(disk.clone()), options, now, &mut |record| past.take(record));
    let (opened, syncer) = opened?;
    past.begins(&start);
    let mut writer = opened.writer;
    writer.begin(now, start)?;
    Ok(Opened { writer, syncer, recovered: opened.recovered, past })
}

/// Writes down that an operator has looked while no process is there, as `arb resume` does.
pub(crate) fn acknowledge(
    disk: &MemoryDisk,
    now: Timestamp,
    start: SessionStart,
) -> Result<(), JournalError> {
    let options = Options { segment_bytes: SEGMENT_BYTES, sync: SyncPolicy::Strict };
    let mut past = Past::default();
    let opened =
        cex_journal::open_reading(Arc::new(disk.clone()), options, now, &mut |record| past.take(record));
    let (opened, _syncer) = opened?;
    write_acknowledgement(now, opened.writer, start, opened.recovered.halt, &past)
}

/// What a journal says, from its beginning.
pub(crate) fn read(disk: &MemoryDisk) -> Result<Past, JournalError> {
    Past::of(Reader::new(Arc::new(disk.clone()), 0)?)
}

impl Opened {
    /// Records from now on.
    pub(crate) fn record(self, names: Names) -> (Journal, Past) {
        let health = self.writer.health();
        let tolerance = Tolerance { lag: Duration::MAX, free: 0 };
        let recorder = Recorder::new(self.writer, tolerance, names, Directory(NOWHERE.into()));
        let journal = Journal {
            recorder,
            syncer: self.syncer,
            health,
            origin: Instant::now(),
            began: None,
            flush_at: Timestamp::MAX,
            sync_at: Timestamp::MAX,
        };
        (journal, self.past)
    }
}

/// A journal that is written.
pub(crate) struct Journal {
    pub(crate) recorder: Recorder,
    syncer: Syncer,
    health: Health,
    origin: Instant,
    began: Option<Timestamp>,
    flush_at: Timestamp,
    sync_at: Timestamp,
}

impl Journal {
    /// Something was recorded: it is written, and put on disk, in time.
    pub(crate) fn touched(&mut self, now: Timestamp) {
        self.flush_at = self.flush_at.min(now + FLUSH_EVERY);
        if self.health.durable() < self.health.written() {
            self.sync_at = self.sync_at.min(now + SYNC_EVERY);
        }
    }

    /// When something is due.
    pub(crate) fn next_at(&self) -> Timestamp {
        self.flush_at.min(self.sync_at)
    }

    /// Does what is due.
    pub(crate) fn wake(&mut self, now: Timestamp) {
        if self.flush_at <= now {
            self.flush_at = Timestamp::MAX;
            self.recorder.flush();
            self.sync_at = self.sync_at.min(now + SYNC_EVERY);
        }
        if self.sync_at <= now {
            self.sync_at = Timestamp::MAX;
            let began = *self.began.get_or_insert(now);
            // A disk that fails is one whose machine is going down: whoever records next sees it.
            let _ = self.syncer.tick(self.origin + now.since(began));
        }
    }
}
