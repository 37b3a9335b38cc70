//! The trading thread's side: a record is encoded into a buffer that is kept, and handed to the system in one write.

use crate::damage::{JournalError, Torn};
use crate::frame::{self, Hash, Head};
use crate::health::Health;
use crate::ids::{BLOCK, Ids, Need};
use crate::kind::Payload;
use crate::messages::{Cut, IdBlock, Seal, SessionEnd, SessionStart};
use crate::segment::{self, SegmentHeader};
use crate::shared::{Prepared, Shared, locked};
use crate::storage::StorageFile;
use crate::syncer::SyncThread;
use cex_core::Timestamp;
use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

/// Between two looks whether the other thread is done.
const LOOK: Duration = Duration::from_micros(100);

/// Staged records are written when they have come to so many bytes.
const STAGED_BYTES: usize = 1 << 18;

/// When records are put on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncPolicy {
    /// In groups, by another thread, this often: at most every 10 ms. A record survives the end of the process when
    /// [`Writer::append`] returns, and the end of the machine that much later.
    Grouped(Duration),
    /// Each before [`Writer::append`] returns.
    Strict,
}

impl SyncPolicy {
    /// The longest a group may wait.
    pub const LONGEST_GROUP: Duration = Duration::from_millis(10);
}

/// How a journal is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Bytes of a segment, which is made whole before it is used: [`segment::MIN_BYTES`] to [`segment::MAX_BYTES`].
    pub segment_bytes: u64,
    /// When records are put on disk.
    pub sync: SyncPolicy,
}

impl Default for Options {
    /// 64 MiB, groups of 5 ms.
    fn default() -> Self {
        Self { segment_bytes: 64 << 20, sync: SyncPolicy::Grouped(Duration::from_millis(5)) }
    }
}

impl Options {
    pub(crate) fn check(&self) -> Result<(), JournalError> {
        let in_range = (segment::MIN_BYTES..=segment::MAX_BYTES).contains(&self.segment_bytes);
        if !in_range || !self.segment_bytes.is_multiple_of(8) {
            return Err(JournalError::Options("segments have 4 KiB to 1 GiB, a multiple of 8"));
        }
        match self.sync {
            SyncPolicy::Grouped(every) if every > SyncPolicy::LONGEST_GROUP || every.is_zero() => {
                Err(JournalError::Options("records are put on disk at least every 10 ms"))
            }
            SyncPolicy::Grouped(_) | SyncPolicy::Strict => Ok(()),
        }
    }
}

/// Where writing goes on: after everything that was verified.
pub(crate) struct Start {
    pub(crate) shared: Arc<Shared>,
    pub(crate) options: Options,
    pub(crate) header: SegmentHeader,
    pub(crate) file: Arc<dyn StorageFile>,
    pub(crate) offset: u64,
    pub(crate) seq: u64,
    pub(crate) prev: Hash,
    pub(crate) ids_end: u64,
    pub(crate) cut: Option<(Torn, Vec<String>)>,
    pub(crate) lock: Box<dyn Any + Send>,
}

/// Writes a journal. There is one per journal, and it belongs to the thread that trades.
///
/// After any failure nothing more is written: what the file holds beyond the last success is not known.
pub struct Writer {
    shared: Arc<Shared>,
    options: Options,
    header: SegmentHeader,
    file: Arc<dyn StorageFile>,
    /// Where the staged bytes go.
    offset: u64,
    /// The next record's number, staged ones counted.
    seq: u64,
    prev: Hash,
    staged: Vec<u8>,
    ids: Ids,
    cut: Option<Cut>,
    // Fields are dropped in this order: the lock goes last, when nobody writes any more.
    thread: Option<SyncThread>,
    _lock: Box<dyn Any + Send>,
}

impl Writer {
    pub(crate) fn new(start: Start) -> Self {
        let Start { shared, options, header, file, offset, seq, prev, ids_end, cut, lock } = start;
        shared.enter(Arc::clone(&file));
        shared.wanted.store(header.number + 1, Ordering::Release);
        let cut = cut.map(|(torn, kept_in)| Cut {
            segment: torn.segment,
            offset: torn.offset,
            bytes: torn.bytes,
            seq: torn.seq,
            kept_in,
        });
        Self {
            shared,
            options,
            header,
            file,
            offset,
            seq,
            prev,
            staged: Vec::with_capacity(2 * STAGED_BYTES),
            ids: Ids::new(ids_end),
            cut,
            thread: None,
            _lock: lock,
        }
    }

    pub(crate) fn attach(&mut self, thread: SyncThread) {
        self.thread = Some(thread);
    }

    /// How the journal is doing; can be given to other threads.
    #[must_use]
    pub fn health(&self) -> Health {
        Health::new(Arc::clone(&self.shared))
    }

    /// The number the next record will have.
    #[must_use]
    pub fn next_seq(&self) -> u64 {
        self.seq
    }

    /// When the journal was begun: the same over all its sessions, and another for every other journal.
    #[must_use]
    pub fn born(&self) -> Timestamp {
        self.header.born
    }

    /// Begins a session: writes its start, what was cut off before, and the first block of ids, and puts all on disk.
    ///
    /// # Errors
    /// As [`Writer::append`].
    pub fn begin(&mut self, now: Timestamp, mut start: SessionStart) -> Result<u64, JournalError> {
        start.cut = self.cut.take();
        let seq = self.stage(now, &start)?;
        if self.ids.is_low() {
            self.reserve(now)?;
        }
        self.sync()?;
        Ok(seq)
    }

    /// Writes a record, with everything staged before it. When this returns it survives the end of this process, under
    /// [`SyncPolicy::Strict`] the end of the machine too. Its number.
    ///
    /// # Errors
    /// When it could not be written. Nothing is written after that; what was acted on must not depend on this record.
    pub fn append<P: Payload>(&mut self, now: Timestamp, payload: &P) -> Result<u64, JournalError> {
        let seq = self.stage(now, payload)?;
        match self.options.sync {
            SyncPolicy::Grouped(_) => self.flush()?,
            SyncPolicy::Strict => self.sync()?,
        }
        Ok(seq)
    }

    /// Adds a record to the buffer. It is written with the next [`Writer::append`] or [`Writer::flush`], or when the
    /// buffer is full: for records on which nothing is acted before. Its number.
    ///
    /// # Errors
    /// As [`Writer::append`].
    pub fn stage<P: Payload>(&mut self, now: Timestamp, payload: &P) -> Result<u64, JournalError> {
        self.shared.alive()?;
        let bytes = payload.encoded_len();
        let size = frame::padded_size(bytes);
        let room = usize::try_from(self.options.segment_bytes).unwrap_or(usize::MAX) - segment::HEADER;
        let most = frame::MAX_PAYLOAD.min(room.saturating_sub(frame::padded_size(0)));
        if bytes > most {
            return Err(JournalError::TooLarge { kind: P::KIND, bytes, most });
        }
        if self.offset + (self.staged.len() + size) as u64 > self.header.bytes {
            self.rotate()?;
        }
        let (seq, durable) = (self.seq, self.shared.durable.load(Ordering::Acquire));
        let head = Head { kind: P::KIND, seq, at: now, durable, prev: self.prev };
        self.prev = frame::write(&mut self.staged, &head, payload);
        self.seq += 1;
        if self.staged.len() >= STAGED_BYTES {
            self.flush()?;
        }
        Ok(seq)
    }

    /// Writes what is staged.
    ///
    /// # Errors
    /// As [`Writer::append`].
    pub fn flush(&mut self) -> Result<(), JournalError> {
        self.shared.alive()?;
        if self.staged.is_empty() {
            return Ok(());
        }
        if let Err(source) = self.file.write_at(&self.staged, self.offset) {
            return Err(self.fail("writing", self.header.number, source));
        }
        self.offset += self.staged.len() as u64;
        self.staged.clear();
        self.shared.written.store(self.seq, Ordering::Release);
        Ok(())
    }

    /// Writes what is staged and puts everything on disk before it returns.
    ///
    /// # Errors
    /// As [`Writer::append`].
    pub fn sync(&mut self) -> Result<(), JournalError> {
        self.flush()?;
        self.shared.sync()
    }

    /// As [`Writer::sync`], but waits for the disk so long at most, where another thread puts records there; whether everything is on
    /// disk. What is not yet survives the end of this process all the same.
    ///
    /// # Errors
    /// As [`Writer::append`].
    pub fn sync_within(&mut self, patience: Duration) -> Result<bool, JournalError> {
        self.flush()?;
        let Some(thread) = &self.thread else { return self.shared.sync().map(|()| true) };
        let until = Instant::now() + patience;
        thread.hurry();
        while self.shared.durable.load(Ordering::Acquire) < self.seq {
            self.shared.alive()?;
            if Instant::now() >= until {
                return Ok(false);
            }
            thread::sleep(LOOK);
        }
        Ok(true)
    }

    /// A number for a client order id, never given before in the life of this journal, whatever happens. Waits for the
    /// disk only when 512 numbers were used faster than the disk takes one group.
    ///
    /// # Errors
    /// As [`Writer::append`].
    pub fn next_id(&mut self, now: Timestamp) -> Result<u64, JournalError> {
        self.shared.alive()?;
        if self.ids.need() == Need::Block {
            self.reserve(now)?;
        }
        match self.ids.need() {
            Need::Durable(safe_at) if self.shared.durable.load(Ordering::Acquire) < safe_at => self.sync()?,
            Need::Durable(_) | Need::Nothing | Need::Block => {}
        }
        let id = self.ids.take().ok_or(JournalError::IdsExhausted)?;
        if self.ids.is_low() {
            self.reserve(now)?;
        }
        Ok(id)
    }

    /// Ends the session: writes its end and puts all on disk, then seals it, so that damage to any record of it can be
    /// told from an incomplete end.
    ///
    /// # Errors
    /// As [`Writer::append`].
    pub fn close(mut self, now: Timestamp, end: &SessionEnd) -> Result<(), JournalError> {
        self.stage(now, end)?;
        self.sync()?;
        self.stage(now, &Seal {})?;
        self.sync()
    }

    /// Writes a block of ids.
    fn reserve(&mut self, now: Timestamp) -> Result<(), JournalError> {
        let first = self.ids.unreserved();
        if first.checked_add(u64::from(BLOCK)).is_none() {
            return Err(JournalError::IdsExhausted);
        }
        let seq = self.stage(now, &IdBlock { first, count: BLOCK })?;
        self.flush()?;
        self.ids.reserved(seq + 1);
        Ok(())
    }

    /// Goes on in the next segment: the one made ready, or one made now.
    fn rotate(&mut self) -> Result<(), JournalError> {
        self.flush()?;
        let number = self.header.number + 1;
        let file = self.take_next(number)?;
        let header = SegmentHeader {
            number,
            bytes: self.options.segment_bytes,
            first_seq: self.seq,
            ids_end: self.ids.unreserved(),
            prev: self.prev,
            ..self.header
        };
        if let Err(source) = file.write_at(&header.encode(), 0) {
            return Err(self.fail("writing", number, source));
        }
        self.shared.enter(Arc::clone(&file));
        (self.file, self.header, self.offset, self.prev) =
            (file, header, segment::HEADER as u64, header.hash());
        Ok(())
    }

    fn take_next(&self, number: u64) -> Result<Arc<dyn StorageFile>, JournalError> {
        let mut next = locked(&self.shared.next);
        let ready = match next.take() {
            Some(prepared) if prepared.number == number => prepared,
            Some(_) | None => self.shared.make(number).inspect_err(|error| self.shared.fail(error))?,
        };
        self.shared.wanted.store(number + 1, Ordering::Release);
        let Prepared { file, .. } = ready;
        Ok(file)
    }

    fn fail(&self, op: &'static str, number: u64, source: std::io::Error) -> JournalError {
        let error = self.shared.io(op, segment::file_name(number), source);
        self.shared.fail(&error);
        error
    }
}

impl Drop for Writer {
    /// What is staged is written, as far as the journal still takes it. A session that was not closed stays without an
    /// end, as after a crash.
    fn drop(&mut self) {
        let _ = self.flush();
        // The thread stops before the lock is released.
        self.thread = None;
    }
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer")
            .field("next_seq", &self.seq)
            .field("segment", &self.header.number)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recover::open;
    use crate::storage::{Access, MemoryDisk, Storage};
    use std::io;
    use std::sync::Mutex;

    /// A disk that takes nothing while somebody holds this up.
    struct Stalling(MemoryDisk, Arc<Mutex<()>>);

    struct StallingFile(Arc<dyn StorageFile>, Arc<Mutex<()>>);

    impl Stalling {
        fn file(&self, file: Arc<dyn StorageFile>) -> Arc<dyn StorageFile> {
            Arc::new(StallingFile(file, Arc::clone(&self.1)))
        }
    }

    impl Storage for Stalling {
        fn place(&self) -> String {
            self.0.place()
        }

        fn lock(&self) -> Result<Box<dyn Any + Send>, JournalError> {
            self.0.lock()
        }

        fn list(&self) -> io::Result<Vec<String>> {
            self.0.list()
        }

        fn create(&self, name: &str, bytes: u64) -> io::Result<Arc<dyn StorageFile>> {
            Ok(self.file(self.0.create(name, bytes)?))
        }

        fn open(&self, name: &str, access: Access) -> io::Result<Arc<dyn StorageFile>> {
            Ok(self.file(self.0.open(name, access)?))
        }

        fn remove(&self, name: &str) -> io::Result<()> {
            self.0.remove(name)
        }

        fn sync_names(&self) -> io::Result<()> {
            self.0.sync_names()
        }

        fn free_bytes(&self) -> io::Result<u64> {
            self.0.free_bytes()
        }
    }

    impl StorageFile for StallingFile {
        fn bytes(&self) -> io::Result<u64> {
            self.0.bytes()
        }

        fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
            self.0.read_at(buffer, offset)
        }

        fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
            self.0.write_at(bytes, offset)
        }

        fn sync(&self) -> io::Result<()> {
            let _turn = locked(&self.1);
            self.0.sync()
        }
    }

    #[test]
    fn a_disk_that_hangs_is_waited_for_no_longer_than_one_is_ready_to() {
        let stall = Arc::new(Mutex::new(()));
        let disk = Arc::new(Stalling(MemoryDisk::default(), Arc::clone(&stall)));
        let now = Timestamp::from_secs(1_000);
        let (mut opened, syncer) = open(disk, Options::default(), now).expect("a new journal");
        let every = Duration::from_millis(5);
        opened.writer.attach(SyncThread::spawn(syncer, every).expect("a thread"));
        let writer = &mut opened.writer;
        writer.begin(now, SessionStart::default()).expect("room");
        let hanging = locked(&stall);
        writer.stage(now, &Seal {}).expect("room");
        let patience = Duration::from_millis(30);
        assert!(!writer.sync_within(patience).expect("nothing failed"));
        assert_eq!(writer.shared.written.load(Ordering::Acquire), writer.next_seq(), "the system has it");
        drop(hanging);
        assert!(writer.sync_within(Duration::from_secs(60)).expect("nothing failed"));
        assert_eq!(writer.shared.durable.load(Ordering::Acquire), writer.next_seq());
    }
}
