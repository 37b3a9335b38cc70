//! A file read in large pieces.

use crate::storage::StorageFile;
use std::io;
use std::sync::Arc;

/// Bytes read at once.
const PIECE: usize = 1 << 18;

/// A file, and the piece of it that was read last.
pub(crate) struct Window {
    file: Arc<dyn StorageFile>,
    start: u64,
    bytes: Vec<u8>,
}

impl Window {
    pub(crate) fn new(file: Arc<dyn StorageFile>) -> Self {
        Self { file, start: 0, bytes: Vec::new() }
    }

    /// `len` bytes from `offset`, fewer at the end of the file.
    pub(crate) fn at(&mut self, offset: u64, len: usize) -> io::Result<&[u8]> {
        let inside = |start: u64, held: usize| {
            let from = usize::try_from(offset.checked_sub(start)?).ok()?;
            (from + len <= held).then_some(from)
        };
        let from = match inside(self.start, self.bytes.len()) {
            Some(from) => from,
            None => {
                self.bytes.resize(len.max(PIECE), 0);
                self.start = offset;
                // On an error nothing is held.
                let filled = self.file.read_at(&mut self.bytes, offset);
                self.bytes.truncate(*filled.as_ref().unwrap_or(&0));
                filled?;
                0
            }
        };
        let to = (from + len).min(self.bytes.len());
        Ok(self.bytes.get(from..to).unwrap_or_default())
    }

    /// Forgets what was read: the file may have grown.
    pub(crate) fn forget(&mut self) {
        self.bytes.clear();
    }

    /// Offset after the last byte of `from..to` that is not zero; `None` when all are.
    pub(crate) fn last_used(&mut self, from: u64, to: u64) -> io::Result<Option<u64>> {
        let (mut at, mut last) = (from, None);
        while at < to {
            let len = usize::try_from(to - at).unwrap_or(PIECE).min(PIECE);
            let piece = self.at(at, len)?;
            if piece.is_empty() {
                break;
            }
            if let Some(used) = piece.iter().rposition(|byte| *byte != 0) {
                last = Some(at + used as u64 + 1);
            }
            at += piece.len() as u64;
        }
        Ok(last)
    }
}
