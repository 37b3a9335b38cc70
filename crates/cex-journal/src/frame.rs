//! A record's bytes. All numbers are little-endian; a record begins at a multiple of eight.
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 4 | `len`: bytes of the record from here to the end of its checksum; never zero |
//! | 4 | 1 | version of the record format: 1 |
//! | 5 | 1 | zero |
//! | 6 | 2 | kind ([`Kind::number`]) |
//! | 8 | 8 | sequence number: one more than the record before |
//! | 16 | 8 | when it was written, nanoseconds since the epoch, signed |
//! | 24 | 8 | `durable`: records below this number were on disk when this one was written |
//! | 32 | 32 | SHA-256 of the record before (of the segment's header, for the first of a segment) |
//! | 64 | `len` - 68 | payload: one protobuf message of `proto/journal.proto` |
//! | `len` - 4 | 4 | CRC-32C of everything before it |
//! | `len` | 0 to 7 | zeros up to a multiple of eight |

use crate::damage::Fault;
use crate::kind::{Kind, Payload};
use cex_core::Timestamp;
use sha2::{Digest, Sha256};

/// A SHA-256.
pub type Hash = [u8; 32];

/// Bytes before the payload.
pub const HEADER: usize = 64;
/// Bytes of a record without its payload and padding.
pub const OVERHEAD: usize = HEADER + 4;
/// Largest payload: a checkpoint of a large state fits, and what a damaged length can make a reader allocate is bounded.
pub const MAX_PAYLOAD: usize = 4 << 20;
/// The version of the record format written here.
pub const VERSION: u8 = 1;

/// Bytes a record with such a payload takes, padding included.
#[must_use]
pub const fn padded_size(payload: usize) -> usize {
    (OVERHEAD + payload).next_multiple_of(8)
}

/// What is not in the payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Kind of the record.
    pub kind: Kind,
    /// Sequence number.
    pub seq: u64,
    /// When the record was written, by the writer's clock.
    pub at: Timestamp,
    /// Records below this number were on disk when this one was written.
    pub durable: u64,
    /// Hash of what precedes it.
    pub prev: Hash,
}

/// Appends a record to `out` and returns its hash. `out` keeps its capacity, so this allocates only until it has grown.
///
/// The caller has checked that the payload is not larger than [`MAX_PAYLOAD`].
pub fn write<P: Payload>(out: &mut Vec<u8>, head: &Head, payload: &P) -> Hash {
    let start = out.len();
    let payload_len = payload.encoded_len();
    let len = u32::try_from(OVERHEAD + payload_len).unwrap_or(u32::MAX);
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(&[VERSION, 0]);
    out.extend_from_slice(&head.kind.number().to_le_bytes());
    out.extend_from_slice(&head.seq.to_le_bytes());
    out.extend_from_slice(&head.at.as_nanos().to_le_bytes());
    out.extend_from_slice(&head.durable.to_le_bytes());
    out.extend_from_slice(&head.prev);
    // A Vec grows, so there is always room.
    let _ = payload.encode(out);
    let crc = crc32c::crc32c(out.get(start..).unwrap_or_default());
    out.extend_from_slice(&crc.to_le_bytes());
    let hash = hash_of(out.get(start..).unwrap_or_default());
    out.resize(start + padded_size(payload_len), 0);
    hash
}

/// The hash by which a following record names these bytes.
#[must_use]
pub fn hash_of(bytes: &[u8]) -> Hash {
    Sha256::digest(bytes).into()
}

/// A record whose checksum is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View<'a> {
    /// All but the payload.
    pub head: Head,
    /// The payload.
    pub payload: &'a [u8],
    /// Hash of the record, which the next one names.
    pub hash: Hash,
    /// Bytes it takes, padding included.
    pub size: usize,
}

/// How many bytes the record that begins with `start` claims to take, padding included; `None` where no record begins.
/// The claim is believed only when [`read`] agrees.
///
/// # Errors
/// A length no record has.
pub fn claimed_size(start: &[u8]) -> Result<Option<usize>, Fault> {
    let Some(len) = u32_at(start, 0) else { return Ok(None) };
    let len = len as usize;
    match len {
        0 => Ok(None),
        OVERHEAD.. if len - OVERHEAD <= MAX_PAYLOAD => Ok(Some(len.next_multiple_of(8))),
        _ => Err(Fault::Length { len: len as u64 }),
    }
}

/// Reads the record at the start of `bytes`, whatever its sequence number and chain.
///
/// # Errors
/// What is wrong with the bytes. A version or kind this program does not know is found only when the checksum is right.
pub fn read(bytes: &[u8]) -> Result<View<'_>, Fault> {
    let size = claimed_size(bytes)?.ok_or(Fault::Length { len: 0 })?;
    let len = u32_at(bytes, 0).map_or(0, |len| len as usize);
    let (Some(whole), Some(body)) = (bytes.get(..len), bytes.get(..len - 4)) else {
        return Err(Fault::Length { len: len as u64 });
    };
    let (found, expected) = (u32_at(whole, len - 4).unwrap_or(0), crc32c::crc32c(body));
    if found != expected {
        return Err(Fault::Checksum { found, expected });
    }
    if bytes.get(len..size).is_none_or(|padding| padding.iter().any(|byte| *byte != 0)) {
        return Err(Fault::Padding);
    }
    let version = whole.get(4).copied().unwrap_or(0);
    let number = u16::from_le_bytes(array_at(whole, 6).unwrap_or_default());
    let (VERSION, Some(kind)) = (version, Kind::from_number(number)) else {
        return Err(Fault::Newer { version, kind: number });
    };
    let head = Head {
        kind,
        seq: u64_at(whole, 8).unwrap_or(0),
        at: Timestamp::from_nanos(i64::from_le_bytes(array_at(whole, 16).unwrap_or_default())),
        durable: u64_at(whole, 24).unwrap_or(0),
        prev: array_at(whole, 32).unwrap_or_default(),
    };
    Ok(View { head, payload: body.get(HEADER..).unwrap_or_default(), hash: hash_of(whole), size })
}

pub(crate) fn array_at<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    array_at(bytes, at).map(u32::from_le_bytes)
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    array_at(bytes, at).map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::{Halt, Seal};

    fn head(kind: Kind, seq: u64) -> Head {
        Head { kind, seq, at: Timestamp::from_nanos(-5), durable: 3, prev: [7; 32] }
    }

    #[test]
    fn the_bytes_are_the_documented_ones() {
        let mut bytes = Vec::new();
        let halt = Halt { by: "R36".to_owned(), reason: String::new() };
        let hash = write(&mut bytes, &head(Kind::Halt, 0x0102), &halt);
        let mut expected = vec![73, 0, 0, 0, 1, 0, 21, 0, 2, 1, 0, 0, 0, 0, 0, 0];
        expected.extend([0xfb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 3, 0, 0, 0, 0, 0, 0, 0]);
        expected.extend([7; 32]);
        expected.extend(b"\x0a\x03R36");
        assert_eq!(bytes[..69], expected);
        assert_eq!(bytes.len(), 80, "padded to a multiple of eight");
        // The checksum by its definition, bit by bit, so that the library cannot agree with itself alone.
        let mut crc = u32::MAX;
        for byte in &bytes[..69] {
            crc ^= u32::from(*byte);
            for _ in 0..8 {
                crc = if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 };
            }
        }
        assert_eq!(bytes[69..73], (!crc).to_le_bytes());
        assert_eq!(hash, hash_of(&bytes[..73]));
    }

    #[test]
    fn what_was_written_is_read_back() {
        let mut bytes = Vec::new();
        let hash = write(&mut bytes, &head(Kind::Seal, 9), &Seal {});
        let view = read(&bytes).expect("a whole record");
        assert_eq!((view.head, view.hash, view.size), (head(Kind::Seal, 9), hash, bytes.len()));
        assert!(view.payload.is_empty());
    }

    #[test]
    fn every_changed_bit_is_found() {
        let mut bytes = Vec::new();
        let halt = Halt { by: "operator".to_owned(), reason: "maintenance".to_owned() };
        write(&mut bytes, &head(Kind::Halt, 1), &halt);
        for at in 0..bytes.len() {
            for bit in 0..8 {
                bytes[at] ^= 1 << bit;
                assert!(read(&bytes).is_err(), "byte {at} bit {bit}");
                bytes[at] ^= 1 << bit;
            }
        }
        assert!(read(&bytes).is_ok());
    }

    #[test]
    fn lengths_no_record_has_allocate_nothing() {
        for len in [1, 67, (OVERHEAD + MAX_PAYLOAD + 1) as u32, u32::MAX] {
            assert_eq!(claimed_size(&len.to_le_bytes()), Err(Fault::Length { len: u64::from(len) }));
        }
        assert_eq!(claimed_size(&[0; 64]), Ok(None));
    }
}
