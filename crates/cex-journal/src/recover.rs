//! Opening: lock, verify everything, cut off what a crash left incomplete, and go on after it.

use crate::damage::{JournalError, Torn};
use crate::frame::Hash;
use crate::kind::{Entry, Kind};
use crate::reader::{Reader, Record};
use crate::segment::{self, FIRST_SEGMENT, FIRST_SEQ, SegmentHeader};
use crate::shared::Shared;
use crate::storage::{Access, Directory, Storage};
use crate::syncer::{SyncThread, Syncer};
use crate::window::Window;
use crate::writer::{Options, Start, SyncPolicy, Writer};
use cex_core::Timestamp;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// Bytes copied or cleared at once.
const PIECE: usize = 1 << 16;

/// What was found when a journal was opened.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recovered {
    /// Records that are there.
    pub records: u64,
    /// Number of the next record.
    pub next_seq: u64,
    /// Sessions that were begun.
    pub sessions: u64,
    /// Whether the last session ended orderly, or there is none.
    pub clean: bool,
    /// The last halt no operator has acknowledged.
    pub halt: Option<u64>,
    /// The last checkpoint.
    pub checkpoint: Option<u64>,
    /// First number that no id block reserves. Every client order id that could ever have been used is below.
    pub ids_end: u64,
    /// The incomplete end that was cut off.
    pub cut: Option<Torn>,
}

/// An opened journal.
#[derive(Debug)]
pub struct Opened {
    /// Writes it.
    pub writer: Writer,
    /// What was found when it was opened.
    pub recovered: Recovered,
}

/// Opens the journal in a directory for writing, with a thread that puts records on disk. The directory is made where it
/// does not exist.
///
/// # Errors
/// When another process writes it, when it is damaged or its beginning is gone, or as the disk says.
pub fn open_directory(path: &Path, options: Options, now: Timestamp) -> Result<Opened, JournalError> {
    open_directory_reading(path, options, now, &mut |_| {})
}

/// As [`open_directory`]; every record that is there is shown to `each` while it is verified: a journal grows, and reading it
/// once is what a start waits for.
///
/// # Errors
/// As [`open_directory`]. What was shown by then is worth nothing.
pub fn open_directory_reading(
    path: &Path,
    options: Options,
    now: Timestamp,
    each: &mut dyn FnMut(&Record),
) -> Result<Opened, JournalError> {
    let storage = Arc::new(Directory::create(path)?);
    let (mut opened, syncer) = open_reading(storage, options, now, each)?;
    let every = match options.sync {
        SyncPolicy::Grouped(every) => every,
        SyncPolicy::Strict => SyncPolicy::LONGEST_GROUP,
    };
    let thread = SyncThread::spawn(syncer, every);
    let failed = |source| JournalError::Io {
        op: "starting the syncing thread",
        dir: path.display().to_string(),
        file: String::new(),
        source,
    };
    opened.writer.attach(thread.map_err(failed)?);
    Ok(opened)
}

/// Opens a journal for writing and leaves it to the caller to [`Syncer::tick`].
///
/// # Errors
/// As [`open_directory`].
pub fn open(
    storage: Arc<dyn Storage>,
    options: Options,
    now: Timestamp,
) -> Result<(Opened, Syncer), JournalError> {
    open_reading(storage, options, now, &mut |_| {})
}

/// As [`open`]; every record that is there is shown to `each` while it is verified.
///
/// # Errors
/// As [`open`].
pub fn open_reading(
    storage: Arc<dyn Storage>,
    options: Options,
    now: Timestamp,
    each: &mut dyn FnMut(&Record),
) -> Result<(Opened, Syncer), JournalError> {
    options.check()?;
    let lock = storage.lock()?;
    let found = Found::read(&storage, each)?;
    let repair = Repair { storage: &storage };
    let cut = match found.recovered.cut.clone() {
        Some(torn) => Some((torn.clone(), repair.cut(&torn)?)),
        None => None,
    };
    repair.remove_unused(found.last.map_or(0, |last| last.number))?;
    repair.sync(&found)?;
    let seq = found.recovered.next_seq;
    let last =
        found.last.map(|header| Ok::<_, JournalError>((header, repair.open(header.number)?))).transpose()?;
    let shared = Arc::new(Shared::new(storage, options.segment_bytes, seq));
    let (header, file) = last.map_or_else(|| first_segment(&shared, now), Ok)?;
    // A journal that has just begun goes on after its header.
    let (offset, prev) = found.end.unwrap_or_else(|| (segment::HEADER as u64, header.hash()));
    let ids_end = found.recovered.ids_end;
    let start =
        Start { shared: Arc::clone(&shared), options, header, file, offset, seq, prev, ids_end, cut, lock };
    let opened = Opened { writer: Writer::new(start), recovered: found.recovered };
    Ok((opened, Syncer::new(shared)))
}

fn first_segment(
    shared: &Shared,
    now: Timestamp,
) -> Result<(SegmentHeader, Arc<dyn crate::StorageFile>), JournalError> {
    let prepared = shared.make(FIRST_SEGMENT)?;
    let header = SegmentHeader {
        number: FIRST_SEGMENT,
        bytes: shared.segment_bytes,
        first_seq: FIRST_SEQ,
        born: now,
        ids_end: 0,
        prev: [0; 32],
    };
    let written = prepared.file.write_at(&header.encode(), 0).and_then(|()| prepared.file.sync());
    written.map_err(|source| shared.io("writing", segment::file_name(FIRST_SEGMENT), source))?;
    Ok((header, prepared.file))
}

/// A journal as it was found.
struct Found {
    recovered: Recovered,
    /// The segment to go on in; `None` when there is no journal.
    last: Option<SegmentHeader>,
    /// Offset and hash to go on with.
    end: Option<(u64, Hash)>,
    /// Records from this number on are not known to be on disk.
    durable: u64,
    /// Segments with such records.
    unsynced: Vec<u64>,
}

impl Found {
    fn read(storage: &Arc<dyn Storage>, each: &mut dyn FnMut(&Record)) -> Result<Self, JournalError> {
        let mut reader = Reader::new(Arc::clone(storage), 0)?;
        reader.check_beginning()?;
        let mut recovered = Recovered { clean: true, next_seq: FIRST_SEQ, ..Recovered::default() };
        while let Some(record) = reader.next_record()? {
            recovered.take(&record);
            each(&record);
        }
        recovered.cut = reader.tail()?;
        let segments = reader.segments();
        let last = segments.last().copied();
        if let Some(last) = last {
            recovered.next_seq = reader.next_seq();
            recovered.ids_end = recovered.ids_end.max(last.ids_end);
        }
        let ends = segments.iter().skip(1).map(|next| next.first_seq).chain([u64::MAX]);
        let durable = reader.known_durable();
        let unsynced = segments.iter().zip(ends).filter(|(_, end)| *end > durable);
        let unsynced = unsynced.map(|(header, _)| header.number).collect();
        let end = reader.next_place().map(|place| (place.offset, reader.prev_hash()));
        Ok(Self { recovered, last, end, durable, unsynced })
    }
}

impl Recovered {
    fn take(&mut self, record: &Record) {
        self.records += 1;
        self.clean = record.kind == Kind::Seal;
        match record.entry() {
            Ok(Entry::SessionStart(_)) => self.sessions += 1,
            Ok(Entry::IdBlock(block)) => {
                self.ids_end = self.ids_end.max(block.first.saturating_add(u64::from(block.count)));
            }
            Ok(Entry::Halt(_)) => self.halt = Some(record.seq),
            Ok(Entry::OperatorAck(_)) => self.halt = None,
            Ok(Entry::Checkpoint(_)) => self.checkpoint = Some(record.seq),
            // The state is for others to make of the rest; a payload that cannot be read is theirs to refuse too.
            Ok(_) | Err(_) => {}
        }
    }
}

/// Mending what a crash left. Every step can be interrupted by another crash and done again.
struct Repair<'a> {
    storage: &'a Arc<dyn Storage>,
}

impl Repair<'_> {
    /// Cuts off an incomplete end. What is cut is kept in files beside the journal, whose names are returned.
    fn cut(&self, torn: &Torn) -> Result<Vec<String>, JournalError> {
        let mut kept = Vec::new();
        // From the back, so that no segment is ever missing between others.
        for number in self.segments()?.into_iter().rev().filter(|number| *number > torn.segment) {
            kept.extend(self.keep(torn, number, 0)?);
            self.remove(&segment::file_name(number))?;
        }
        self.sync_names()?;
        kept.extend(self.keep(torn, torn.segment, torn.offset)?);
        self.clear(torn.segment, torn.offset)?;
        Ok(kept)
    }

    /// Copies what is used of a segment from `offset` on.
    fn keep(&self, torn: &Torn, number: u64, offset: u64) -> Result<Option<String>, JournalError> {
        let file = self.open(number)?;
        let failed = |source| self.io("copying what is cut off", &segment::file_name(number), source);
        let mut window = Window::new(Arc::clone(&file));
        let end = file.bytes().map_err(failed)?;
        let Some(used) = window.last_used(offset, end).map_err(failed)? else { return Ok(None) };
        let name = self.unused_name(torn.seq, number)?;
        let kept = self.storage.create(&name, used - offset).map_err(failed)?;
        copy(&mut window, offset..used, &kept, 0).and_then(|()| kept.sync()).map_err(failed)?;
        self.sync_names()?;
        Ok(Some(name))
    }

    /// A name for what is cut off: an earlier repair may have been interrupted, and its files are kept too.
    fn unused_name(&self, seq: u64, number: u64) -> Result<String, JournalError> {
        let taken = self.storage.list().map_err(|source| self.io("listing", "", source))?;
        let names = (1..=taken.len() + 1).map(|count| format!("cut-{seq}-{number}-{count}.bin"));
        names
            .into_iter()
            .find(|name| !taken.contains(name))
            .ok_or_else(|| self.io("copying what is cut off", "", io::ErrorKind::AlreadyExists.into()))
    }

    /// Zeros a segment from `offset` on.
    fn clear(&self, number: u64, offset: u64) -> Result<(), JournalError> {
        let file = self.open(number)?;
        let failed = |source| self.io("cutting off", &segment::file_name(number), source);
        let end = file.bytes().map_err(failed)?;
        let Some(used) = Window::new(Arc::clone(&file)).last_used(offset, end).map_err(failed)? else {
            return Ok(());
        };
        let zeros = vec![0; PIECE];
        let mut at = offset;
        while at < used {
            let len = usize::try_from(used - at).unwrap_or(zeros.len()).min(zeros.len());
            file.write_at(zeros.get(..len).unwrap_or_default(), at).map_err(failed)?;
            at += len as u64;
        }
        file.sync().map_err(failed)
    }

    /// Removes segments behind the last used one: they may have been half made.
    fn remove_unused(&self, last: u64) -> Result<(), JournalError> {
        for number in self.segments()?.into_iter().rev().filter(|number| *number > last) {
            self.remove(&segment::file_name(number))?;
        }
        self.sync_names()
    }

    /// Puts on disk what was written and is not known to be there. It is written anew, as it was read: after a failed
    /// write-back the system calls pages clean that never reached the disk, and a mere sync would leave them so.
    fn sync(&self, found: &Found) -> Result<(), JournalError> {
        let mut reader = Reader::new(Arc::clone(self.storage), found.durable)?;
        let Some(first) = reader.next_record()?.map(|record| record.place) else { return Ok(()) };
        found.unsynced.iter().filter(|number| **number >= first.segment).try_for_each(|number| {
            let from = if *number == first.segment { first.offset } else { 0 };
            self.write_anew(*number, from)
        })
    }

    fn write_anew(&self, number: u64, from: u64) -> Result<(), JournalError> {
        let file = self.open(number)?;
        let failed = |source| self.io("writing anew", &segment::file_name(number), source);
        let end = file.bytes().map_err(failed)?;
        let mut window = Window::new(Arc::clone(&file));
        let used = window.last_used(from, end).map_err(failed)?.unwrap_or(from);
        copy(&mut window, from..used, &file, from).and_then(|()| file.sync()).map_err(failed)
    }

    fn segments(&self) -> Result<Vec<u64>, JournalError> {
        let names = self.storage.list().map_err(|source| self.io("listing", "", source))?;
        let mut numbers: Vec<u64> = names.iter().filter_map(|name| segment::number_of(name)).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    fn open(&self, number: u64) -> Result<Arc<dyn crate::StorageFile>, JournalError> {
        let name = segment::file_name(number);
        self.storage.open(&name, Access::Write).map_err(|source| self.io("opening", &name, source))
    }

    fn remove(&self, name: &str) -> Result<(), JournalError> {
        self.storage.remove(name).map_err(|source| self.io("removing", name, source))
    }

    fn sync_names(&self) -> Result<(), JournalError> {
        self.storage.sync_names().map_err(|source| self.io("syncing the directory", "", source))
    }

    fn io(&self, op: &'static str, file: &str, source: io::Error) -> JournalError {
        JournalError::Io { op, dir: self.storage.place(), file: file.to_owned(), source }
    }
}

/// Copies a range of one file to another, or of a file onto itself.
fn copy(
    from: &mut Window,
    range: Range<u64>,
    to: &Arc<dyn crate::StorageFile>,
    offset: u64,
) -> io::Result<()> {
    let mut at = range.start;
    while at < range.end {
        let len = usize::try_from(range.end - at).unwrap_or(PIECE).min(PIECE);
        to.write_at(from.at(at, len)?, offset + (at - range.start))?;
        at += len as u64;
    }
    Ok(())
}
