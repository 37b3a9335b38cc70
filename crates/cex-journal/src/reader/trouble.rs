//! Bytes that are no record: the incomplete end a crash leaves, or damage.
//!
//! Every record says below which number all were on disk when it was written. So when a record is not whole, a later one
//! that counts it among those proves damage: the disk has lost what it had promised. Without such a witness nobody was
//! ever told that the record was safe, and it, with all after it, is the end that was being written when the power went;
//! a disk may have kept later pieces of it and lost earlier ones.

use super::{Place, Reader, Step, read_failed};
use crate::damage::{Fault, JournalError, Torn};
use crate::frame;
use crate::segment;
use crate::storage::Access;
use crate::window::Window;
use std::io;

impl Reader {
    /// The bytes at the current place are no record.
    pub(super) fn bad(&mut self, fault: Fault) -> Result<Step, JournalError> {
        match self.next_place() {
            Some(place) => self.bad_at(place, fault),
            None => Ok(Step::End),
        }
    }

    /// The bytes at `place` are no record or header: the end for now, or an error when a witness says otherwise.
    pub(super) fn bad_at(&mut self, place: Place, fault: Fault) -> Result<Step, JournalError> {
        let newer = matches!(fault, Fault::Newer { .. });
        let failed = |source| read_failed(self.storage.as_ref(), place.segment, source);
        let (witness, bytes) = if newer { (None, 0) } else { self.survey(place).map_err(failed)? };
        if newer || witness.is_some() {
            let damage = self.damage(place.segment, place.offset, fault, witness);
            return Err(JournalError::Damaged(damage));
        }
        self.torn = Some(Torn { segment: place.segment, offset: place.offset, seq: self.seq, bytes, fault });
        // What is being written may be whole when it is looked at again.
        if let Some(current) = self.current.as_mut() {
            current.window.forget();
        }
        Ok(Step::End)
    }

    /// Checks that nothing follows the end.
    pub(super) fn check_rest(&mut self) -> Result<(), JournalError> {
        let Some(current) = self.current.as_mut() else { return Ok(()) };
        let (number, offset, bytes) = (current.header.number, current.offset, current.header.bytes);
        current.window.forget();
        let used = current.window.last_used(offset, bytes);
        if used.map_err(|source| read_failed(self.storage.as_ref(), number, source))?.is_some() {
            return self.bad(Fault::Rest).map(drop);
        }
        self.check_unused(number + 1)
    }

    /// Checks that there is nothing in segment `number`, whose header says that it is not used, nor in any after it.
    pub(super) fn check_unused(&mut self, number: u64) -> Result<(), JournalError> {
        let place = Place { segment: number, offset: 0 };
        let surveyed = self.survey(place);
        let (_, bytes) = surveyed.map_err(|source| read_failed(self.storage.as_ref(), number, source))?;
        if bytes > 0 {
            self.bad_at(place, Fault::Header)?;
        }
        Ok(())
    }

    /// Everything behind `place`: a record that proves that the current one was on disk, and how many bytes are used.
    fn survey(&self, place: Place) -> io::Result<(Option<u64>, u64)> {
        let (mut at, mut bytes) = (place, 0);
        loop {
            let file = match self.storage.open(&segment::file_name(at.segment), Access::Read) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((None, bytes)),
                Err(error) => return Err(error),
            };
            let end = file.bytes()?;
            let mut window = Window::new(file);
            if let Some(used) = window.last_used(at.offset, end)? {
                bytes += used - at.offset;
                if let Some(witness) = witness(&mut window, at.offset, used, self.seq)? {
                    return Ok((Some(witness), bytes));
                }
            }
            at = Place { segment: at.segment + 1, offset: 0 };
        }
    }
}

/// A whole record in `from..to` that says that record `seq` was on disk.
fn witness(window: &mut Window, from: u64, to: u64, seq: u64) -> io::Result<Option<u64>> {
    let mut at = from;
    while at + frame::OVERHEAD as u64 <= to {
        let start = window.at(at, frame::HEADER)?;
        let plausible =
            frame::claimed_size(start).ok().flatten().filter(|_| start.get(4) == Some(&frame::VERSION));
        if let Some(size) = plausible
            && let Ok(view) = frame::read(window.at(at, size)?)
            && view.head.durable > seq
        {
            return Ok(Some(view.head.seq));
        }
        at += 8;
    }
    Ok(None)
}
