//! Reading: everything is verified, from any sequence number, to the end and, called again, beyond it.

mod trouble;

use crate::damage::{Damage, Fault, JournalError, Torn};
use crate::frame::{self, Hash};
use crate::kind::{Entry, Kind};
use crate::segment::{self, FIRST_SEGMENT, FIRST_SEQ, SegmentHeader};
use crate::storage::{Access, Directory, Storage};
use crate::window::Window;
use cex_core::Timestamp;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Where a record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Number of the segment.
    pub segment: u64,
    /// Offset in the segment.
    pub offset: u64,
}

/// A record that was read and verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Sequence number: one more than the record before.
    pub seq: u64,
    /// When the record was written, by the writer's clock.
    pub at: Timestamp,
    /// Kind of the record.
    pub kind: Kind,
    /// The payload, one message of `proto/journal.proto`.
    pub payload: Vec<u8>,
    /// Segment and offset it was read from.
    pub place: Place,
}

impl Record {
    /// The payload, decoded.
    ///
    /// # Errors
    /// A payload that is not its kind's message, which the checksum makes a bug or a forgery.
    pub fn entry(&self) -> Result<Entry, prost::DecodeError> {
        Entry::decode(self.kind, &self.payload)
    }
}

/// A segment being read.
struct Current {
    header: SegmentHeader,
    window: Window,
    offset: u64,
}

/// What one step came to.
enum Step {
    Record(Record),
    Again,
    End,
}

/// Reads a journal in order and verifies lengths, checksums, sequence numbers, the chain and the padding.
///
/// At the end [`Iterator::next`] gives `None`; called again it looks for what was written since, so a reader can follow a
/// writer. After an error it gives nothing more.
pub struct Reader {
    storage: Arc<dyn Storage>,
    from: u64,
    current: Option<Current>,
    seq: u64,
    prev: Hash,
    /// Records below this number are known to have been on disk, by the word of later ones.
    durable: u64,
    segments: Vec<SegmentHeader>,
    torn: Option<Torn>,
    stopped: bool,
}

impl Reader {
    /// Reads the journal in `storage` from record `from` on, or from the first that is there when that is later
    /// ([`Reader::check_beginning`]). No lock is taken: a journal can be read while it is written.
    ///
    /// # Errors
    /// When the directory cannot be read, or a segment is missing between others.
    pub fn new(storage: Arc<dyn Storage>, from: u64) -> Result<Self, JournalError> {
        let mut reader = Self {
            storage,
            from,
            current: None,
            seq: 0,
            prev: [0; 32],
            durable: 0,
            segments: Vec::new(),
            torn: None,
            stopped: false,
        };
        reader.start()?;
        Ok(reader)
    }

    /// As [`Reader::new`], on a directory.
    ///
    /// # Errors
    /// As [`Reader::new`].
    pub fn of_directory(path: &Path, from: u64) -> Result<Self, JournalError> {
        Self::new(Arc::new(Directory::existing(path)), from)
    }

    /// The number the next record has or will have; zero while there is no journal.
    #[must_use]
    pub fn next_seq(&self) -> u64 {
        self.seq
    }

    /// Where the next record is or will be; `None` while there is no journal.
    #[must_use]
    pub fn next_place(&self) -> Option<Place> {
        self.current.as_ref().map(|current| Place { segment: current.header.number, offset: current.offset })
    }

    /// Whether there is anything to read, or was when last looked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.current.is_none() && self.torn.is_none()
    }

    /// The hash the next record must name.
    pub(crate) fn prev_hash(&self) -> Hash {
        self.prev
    }

    /// Records below this number were on disk when a later record was written.
    #[must_use]
    pub fn known_durable(&self) -> u64 {
        self.durable
    }

    /// Whether what a reader of the whole journal reads begins with the journal's first record. What is left of one that does not
    /// can be read and no more: halts, open arbitrages, the peak of profits, all may have been in what is gone.
    ///
    /// # Errors
    /// [`Fault::Beginning`] when it does not.
    pub fn check_beginning(&self) -> Result<(), JournalError> {
        let is_later = |first: &&SegmentHeader| (first.number, first.first_seq) != (FIRST_SEGMENT, FIRST_SEQ);
        let Some(first) = self.segments.first().filter(is_later) else { return Ok(()) };
        let fault = Fault::Beginning { first: first.first_seq, segment: first.number };
        let damage = self.damage(FIRST_SEGMENT, 0, fault, None);
        Err(JournalError::Damaged(Damage { seq: FIRST_SEQ, ..damage }))
    }

    /// The segments read so far, the current one last.
    #[must_use]
    pub fn segments(&self) -> &[SegmentHeader] {
        &self.segments
    }

    /// At the end: whether what follows the last record is an incomplete record or empty, to the last byte. While a
    /// writer is at work, what it is just writing can look incomplete.
    ///
    /// # Errors
    /// As [`Reader::next_record`].
    pub fn tail(&mut self) -> Result<Option<Torn>, JournalError> {
        if self.torn.is_none() && !self.stopped {
            self.check_rest()?;
        }
        Ok(self.torn.clone())
    }

    /// The next record; `None` at the end.
    ///
    /// # Errors
    /// Damage that no crash explains, or what the disk says.
    pub fn next_record(&mut self) -> Result<Option<Record>, JournalError> {
        while !self.stopped {
            self.torn = None;
            match self.step() {
                Ok(Step::Record(record)) if record.seq >= self.from => return Ok(Some(record)),
                Ok(Step::Record(_) | Step::Again) => {}
                Ok(Step::End) => return Ok(None),
                Err(error) => {
                    self.stopped = true;
                    return Err(error);
                }
            }
        }
        Ok(None)
    }

    /// Chooses the segment to begin with: the last that begins at or before the wanted record.
    fn start(&mut self) -> Result<(), JournalError> {
        let names = self.storage.list().map_err(|source| self.io("listing", String::new(), source))?;
        let mut numbers: Vec<u64> = names.iter().filter_map(|name| segment::number_of(name)).collect();
        numbers.sort_unstable();
        let gap = numbers.windows(2).find_map(|pair| match pair {
            [one, next] if one + 1 != *next => Some(one + 1),
            _ => None,
        });
        if let Some(missing) = gap {
            return Err(JournalError::Damaged(self.damage(missing, 0, Fault::Missing, None)));
        }
        let Some(first) = numbers.first().copied() else { return Ok(()) };
        // Each is whole on disk before the next is made.
        for number in numbers.iter().copied().take(numbers.len() - 1) {
            self.check_begun(number)?;
        }
        let begins_before = |number: &u64| match self.header(*number) {
            Ok((Ok(Some(header)), _)) => header.first_seq <= self.from,
            Ok((Ok(None) | Err(_), _)) | Err(_) => false,
        };
        let chosen = numbers.iter().rev().copied().find(begins_before).unwrap_or(first);
        self.enter_first(chosen)
    }

    /// Whether a segment that others follow has room for its header at least.
    fn check_begun(&self, number: u64) -> Result<(), JournalError> {
        let name = segment::file_name(number);
        let file = self.storage.open(&name, Access::Read);
        let found = file.and_then(|file| file.bytes()).map_err(|source| self.io("opening", name, source))?;
        let expected = segment::HEADER as u64;
        if found >= expected {
            return Ok(());
        }
        Err(JournalError::Damaged(self.damage(number, found, Fault::Short { found, expected }, None)))
    }

    /// Opens the first segment that is read. What precedes it is taken on its header's word.
    fn enter_first(&mut self, number: u64) -> Result<(), JournalError> {
        match self.header(number)? {
            (Ok(Some(header)), window) => {
                (self.seq, self.prev) = (header.first_seq, header.hash());
                self.enter(number, header, window)
            }
            (Ok(None), _) if number == FIRST_SEGMENT => self.check_unused(number),
            // What is left of a journal can be read without its oldest segments, but a spare follows others.
            (Ok(None), _) => Err(JournalError::Damaged(self.damage(number - 1, 0, Fault::Missing, None))),
            // A journal whose very first write was interrupted has no record yet; any later segment follows others.
            (Err(fault), _) if number == FIRST_SEGMENT => {
                self.bad_at(Place { segment: number, offset: 0 }, fault).map(drop)
            }
            (Err(fault), _) => Err(JournalError::Damaged(self.damage(number, 0, fault, None))),
        }
    }

    /// Makes a segment the current one.
    fn enter(&mut self, number: u64, header: SegmentHeader, window: Window) -> Result<(), JournalError> {
        if header.number != number {
            let fault = Fault::Number { found: header.number };
            return Err(JournalError::Damaged(self.damage(number, 0, fault, None)));
        }
        self.check_length(&header)?;
        self.segments.push(header);
        self.prev = header.hash();
        self.current = Some(Current { header, window, offset: segment::HEADER as u64 });
        Ok(())
    }

    fn check_length(&self, header: &SegmentHeader) -> Result<(), JournalError> {
        let name = segment::file_name(header.number);
        let file = self.storage.open(&name, Access::Read);
        let found = file.and_then(|file| file.bytes()).map_err(|source| self.io("opening", name, source))?;
        if found == header.bytes {
            return Ok(());
        }
        let fault = Fault::Short { found, expected: header.bytes };
        Err(JournalError::Damaged(self.damage(header.number, found, fault, None)))
    }

    /// A segment's header, and a window on its file. A file too short for a header was never used.
    fn header(&self, number: u64) -> Result<(Result<Option<SegmentHeader>, Fault>, Window), JournalError> {
        let name = segment::file_name(number);
        let file = self.storage.open(&name, Access::Read);
        let mut window = Window::new(file.map_err(|source| self.io("opening", name.clone(), source))?);
        let bytes = window.at(0, segment::HEADER).map_err(|source| self.io("reading", name, source))?;
        let header = match bytes.first_chunk() {
            Some(bytes) => SegmentHeader::decode(bytes),
            None => Ok(None),
        };
        Ok((header, window))
    }

    fn step(&mut self) -> Result<Step, JournalError> {
        let Some(current) = self.current.as_mut() else {
            self.start()?;
            return Ok(if self.current.is_some() { Step::Again } else { Step::End });
        };
        let Current { header, window, offset } = current;
        let place = Place { segment: header.number, offset: *offset };
        let failed = |source| read_failed(self.storage.as_ref(), place.segment, source);
        let left = header.bytes.saturating_sub(*offset);
        if left < frame::OVERHEAD as u64 {
            return self.segment_end();
        }
        let size = match frame::claimed_size(window.at(*offset, 4).map_err(failed)?) {
            Ok(Some(size)) if size as u64 <= left => size,
            Ok(Some(size)) => return self.bad(Fault::Length { len: size as u64 }),
            Ok(None) => return self.segment_end(),
            Err(fault) => return self.bad(fault),
        };
        let view = match frame::read(window.at(*offset, size).map_err(failed)?) {
            Ok(view) => view,
            Err(fault) => return self.bad(fault),
        };
        let frame::Head { kind, seq, at, durable, prev } = view.head;
        // A whole record in the wrong place is no crash's work.
        let fault = match (seq == self.seq, prev == self.prev) {
            (true, true) => None,
            (false, _) => Some(Fault::Sequence { found: seq }),
            (true, false) => Some(Fault::Chain),
        };
        if let Some(fault) = fault {
            return Err(JournalError::Damaged(self.damage(place.segment, place.offset, fault, None)));
        }
        let payload = if seq >= self.from { view.payload.to_vec() } else { Vec::new() };
        (self.seq, self.prev) = (seq + 1, view.hash);
        self.durable = self.durable.max(durable);
        *offset += view.size as u64;
        Ok(Step::Record(Record { seq, at, kind, payload, place }))
    }

    /// No record begins here: either the next segment goes on, or this is the end for now.
    fn segment_end(&mut self) -> Result<Step, JournalError> {
        let Some(current) = self.current.as_ref() else { return Ok(Step::End) };
        let (number, offset, bytes) = (current.header.number, current.offset, current.header.bytes);
        let next = self.next_header(number + 1)?;
        // A writer may have filled this segment and gone on since it was looked at, so it is looked at again, after
        // the next one was found.
        let Some(current) = self.current.as_mut() else { return Ok(Step::End) };
        current.window.forget();
        let failed = |source| read_failed(self.storage.as_ref(), number, source);
        if bytes.saturating_sub(offset) >= frame::OVERHEAD as u64 {
            let start = current.window.at(offset, 4).map_err(failed)?;
            if frame::claimed_size(start) != Ok(None) {
                return Ok(Step::Again);
            }
        }
        let Some((header, window)) = next else { return Ok(Step::End) };
        if current.window.last_used(offset, bytes).map_err(failed)?.is_some() {
            return self.bad(Fault::Rest);
        }
        let header = match header {
            Ok(header) => header,
            Err(fault) => return self.bad_at(Place { segment: number + 1, offset: 0 }, fault),
        };
        if header.first_seq != self.seq {
            return self.bad(Fault::Successor { next: header.first_seq });
        }
        if header.prev != self.prev {
            return Err(JournalError::Damaged(self.damage(number + 1, 0, Fault::Chain, None)));
        }
        self.enter(number + 1, header, window)?;
        Ok(Step::Again)
    }

    /// The header of the segment with this number, if it exists and is used.
    #[expect(
        clippy::type_complexity,
        reason = "a header or its fault, and where the rest of the file is read"
    )]
    fn next_header(
        &self,
        number: u64,
    ) -> Result<Option<(Result<SegmentHeader, Fault>, Window)>, JournalError> {
        match self.header(number) {
            Ok((Ok(Some(header)), window)) => Ok(Some((Ok(header), window))),
            Ok((Err(fault), window)) => Ok(Some((Err(fault), window))),
            Ok((Ok(None), _)) => Ok(None),
            Err(JournalError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn damage(&self, segment: u64, offset: u64, fault: Fault, proof: Option<u64>) -> Damage {
        Damage { dir: self.storage.place(), segment, offset, seq: self.seq, fault, proof }
    }

    fn io(&self, op: &'static str, file: String, source: io::Error) -> JournalError {
        JournalError::Io { op, dir: self.storage.place(), file, source }
    }
}

fn read_failed(storage: &dyn Storage, segment: u64, source: io::Error) -> JournalError {
    JournalError::Io { op: "reading", dir: storage.place(), file: segment::file_name(segment), source }
}

impl Iterator for Reader {
    type Item = Result<Record, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_record().transpose()
    }
}
