//! A segment: a file of fixed size, made whole and empty before it is used, with a header of 96 bytes.
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 8 | `arbjrnl1` |
//! | 8 | 2 | version of the segment format: 1 |
//! | 10 | 2 | bytes of this header: 96 |
//! | 12 | 4 | zero |
//! | 16 | 8 | number of the segment, from 1 |
//! | 24 | 8 | bytes of the file |
//! | 32 | 8 | sequence number of its first record |
//! | 40 | 8 | when the journal was begun, nanoseconds since the epoch: the same in all its segments |
//! | 48 | 8 | first number that no id block before this segment reserves |
//! | 56 | 32 | SHA-256 of the last record of the segment before; zeros in the first |
//! | 88 | 4 | CRC-32C of the 88 bytes before it |
//! | 92 | 4 | zero |
//!
//! A header of zeros belongs to a segment that was made ready and not used yet.

use crate::damage::Fault;
use crate::frame::{Hash, array_at, hash_of, u32_at, u64_at};
use cex_core::Timestamp;

/// Bytes of a header.
pub const HEADER: usize = 96;
/// The smallest segment: room for a header and some records.
pub const MIN_BYTES: u64 = 4096;
/// The largest segment.
pub const MAX_BYTES: u64 = 1 << 30;

/// Number of the first segment of a journal.
pub(crate) const FIRST_SEGMENT: u64 = 1;
/// Number of the first record of a journal.
pub(crate) const FIRST_SEQ: u64 = 1;

const MAGIC: [u8; 8] = *b"arbjrnl1";
const VERSION: u16 = 1;

/// What a header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentHeader {
    /// From 1, without gaps.
    pub number: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// Sequence number of the first record.
    pub first_seq: u64,
    /// When the journal was begun.
    pub born: Timestamp,
    /// First number that no id block before this segment reserves.
    pub ids_end: u64,
    /// Hash of the last record of the segment before.
    pub prev: Hash,
}

impl SegmentHeader {
    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        let mut put = |at: usize, field: &[u8]| {
            for (to, from) in bytes.iter_mut().skip(at).zip(field) {
                *to = *from;
            }
        };
        put(0, &MAGIC);
        put(8, &VERSION.to_le_bytes());
        put(10, &(HEADER as u16).to_le_bytes());
        put(16, &self.number.to_le_bytes());
        put(24, &self.bytes.to_le_bytes());
        put(32, &self.first_seq.to_le_bytes());
        put(40, &self.born.as_nanos().to_le_bytes());
        put(48, &self.ids_end.to_le_bytes());
        put(56, &self.prev);
        let crc = crc32c::crc32c(bytes.get(..88).unwrap_or_default());
        for (to, from) in bytes.iter_mut().skip(88).zip(crc.to_le_bytes()) {
            *to = from;
        }
        bytes
    }

    /// Reads a header; `None` when the segment is made ready and not used yet.
    ///
    /// # Errors
    /// Bytes that are no header, or one of a later format.
    pub fn decode(bytes: &[u8; HEADER]) -> Result<Option<Self>, Fault> {
        if bytes.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let crc = crc32c::crc32c(bytes.get(..88).unwrap_or_default());
        let whole = u32_at(bytes, 88) == Some(crc) && u32_at(bytes, 92) == Some(0);
        if !bytes.starts_with(&MAGIC) || !whole {
            return Err(Fault::Header);
        }
        let version = u16::from_le_bytes(array_at(bytes, 8).unwrap_or_default());
        if version != VERSION {
            return Err(Fault::Newer { version: u8::try_from(version).unwrap_or(u8::MAX), kind: 0 });
        }
        let number = |at| u64_at(bytes, at).unwrap_or(0);
        Ok(Some(Self {
            number: number(16),
            bytes: number(24),
            first_seq: number(32),
            born: Timestamp::from_nanos(i64::from_le_bytes(array_at(bytes, 40).unwrap_or_default())),
            ids_end: number(48),
            prev: array_at(bytes, 56).unwrap_or_default(),
        }))
    }

    /// The hash by which the first record of the segment names its header.
    #[must_use]
    pub fn hash(&self) -> Hash {
        hash_of(&self.encode())
    }
}

/// The file of a segment: `00000001.seg`.
#[must_use]
pub fn file_name(number: u64) -> String {
    format!("{number:08}.seg")
}

/// The number of the segment in a file of this name; `None` for other files.
#[must_use]
pub fn number_of(file_name: &str) -> Option<u64> {
    let digits = file_name.strip_suffix(".seg")?;
    let number = digits.parse().ok()?;
    (self::file_name(number) == file_name).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> SegmentHeader {
        SegmentHeader {
            number: 3,
            bytes: 1 << 26,
            first_seq: 77,
            born: Timestamp::from_secs(1_800_000_000),
            ids_end: 2_048,
            prev: [9; 32],
        }
    }

    #[test]
    fn a_header_is_read_back_and_every_changed_bit_is_found() {
        let mut bytes = header().encode();
        assert_eq!(SegmentHeader::decode(&bytes), Ok(Some(header())));
        for at in 0..bytes.len() {
            for bit in 0..8 {
                bytes[at] ^= 1 << bit;
                assert!(SegmentHeader::decode(&bytes).is_err(), "byte {at} bit {bit}");
                bytes[at] ^= 1 << bit;
            }
        }
    }

    #[test]
    fn an_unused_segment_is_not_an_error() {
        assert_eq!(SegmentHeader::decode(&[0; HEADER]), Ok(None));
    }

    #[test]
    fn names_are_numbers_and_nothing_else() {
        assert_eq!(file_name(1), "00000001.seg");
        assert_eq!(number_of("00000001.seg"), Some(1));
        assert_eq!(number_of("123456789.seg"), Some(123_456_789));
        for other in ["1.seg", "00000001.seg.bak", "LOCK", "0000000x.seg", "cut-1-1.bin"] {
            assert_eq!(number_of(other), None, "{other}");
        }
    }
}
