//! What can be wrong with a journal, where, and how to go on.

use crate::segment;
use std::io;

/// What is wrong with some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A length no record has here.
    #[error("length {len} is not a record's")]
    Length {
        /// The length found.
        len: u64,
    },
    /// The checksum is another.
    #[error("checksum is {found:08x}, its bytes give {expected:08x}")]
    Checksum {
        /// As it stands in the file.
        found: u32,
        /// As computed.
        expected: u32,
    },
    /// The bytes up to the next record are not zero.
    #[error("padding is not zero")]
    Padding,
    /// A whole record or header of a format or kind that this version does not know.
    #[error("format {version}, kind {kind} is not known to this version")]
    Newer {
        /// Version of the format.
        version: u8,
        /// Number of the kind.
        kind: u16,
    },
    /// The segment's header is damaged.
    #[error("the segment's header is damaged or not a journal's")]
    Header,
    /// The header names another segment than the file.
    #[error("the header is that of segment {found}")]
    Number {
        /// As the header says.
        found: u64,
    },
    /// A whole record with another sequence number than its place has.
    #[error("a record numbered {found} stands in its place")]
    Sequence {
        /// The number found.
        found: u64,
    },
    /// A whole record or segment that does not name the hash of what stands before it.
    #[error("it does not follow what stands before it: the chain is broken")]
    Chain,
    /// The records end, and the next segment begins further on.
    #[error("the segment ends here, the next begins with record {next}")]
    Successor {
        /// First record of the next segment.
        next: u64,
    },
    /// Bytes behind the last record, where a segment is empty.
    #[error("there are bytes behind the last record")]
    Rest,
    /// A segment between two others is not there.
    #[error("the segment is missing")]
    Missing,
    /// The first segment is not there, and perhaps others behind it; what follows them is.
    #[error("the journal's beginning is missing: what is there begins with record {first}, in {}", segment::file_name(*.segment))]
    Beginning {
        /// The first record that is there.
        first: u64,
        /// Its segment.
        segment: u64,
    },
    /// The file is shorter than it was made.
    #[error("the file has {found} bytes, it was made with {expected}")]
    Short {
        /// Bytes of the file.
        found: u64,
        /// Bytes its header says.
        expected: u64,
    },
}

/// Damage that no crash explains. The journal is not touched and not used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The directory.
    pub dir: String,
    /// Number of the segment.
    pub segment: u64,
    /// Offset in the segment.
    pub offset: u64,
    /// The record that should be there.
    pub seq: u64,
    /// What is wrong with its bytes.
    pub fault: Fault,
    /// A later record that was written when this one was known to be on disk.
    pub proof: Option<u64>,
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { dir, segment, offset, seq, fault, proof } = self;
        write!(f, "{dir}/{}, offset {offset}, record {seq}: {fault}", segment::file_name(*segment))?;
        match proof {
            Some(proof) => write!(f, "; record {proof} proves that it was once on disk whole"),
            None => Ok(()),
        }
    }
}

/// The incomplete end of a journal, as a crash leaves it: nothing after it was ever known to be on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Torn {
    /// Number of the segment.
    pub segment: u64,
    /// Offset of the first incomplete byte.
    pub offset: u64,
    /// The record that would be there.
    pub seq: u64,
    /// Bytes from there to the last one that is not zero, later segments included.
    pub bytes: u64,
    /// What is wrong with the first of them.
    pub fault: Fault,
}

impl std::fmt::Display for Torn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { segment, offset, seq, bytes, fault } = self;
        write!(
            f,
            "incomplete end: {}, offset {offset}, {bytes} bytes from record {seq} on: {fault}",
            segment::file_name(*segment)
        )
    }
}

/// Why a journal cannot be opened, written or read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The disk refused.
    #[error("{dir}/{file}: {op}: {source}")]
    Io {
        /// What was being done, in words: `reading`.
        op: &'static str,
        /// The directory.
        dir: String,
        /// The file; empty for the directory itself.
        file: String,
        /// The reason.
        source: io::Error,
    },
    /// Another process writes it.
    #[error("{dir}: in use by {}", .pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}")))]
    Locked {
        /// The directory.
        dir: String,
        /// The process, when it could be found out.
        pid: Option<u32>,
    },
    /// Damage that no crash explains.
    #[error("{0}")]
    Damaged(Damage),
    /// An earlier failure: nothing is written after one, and nothing that was not on disk by then is promised.
    #[error("the journal has failed and takes no more records: {why}")]
    Failed {
        /// The failure.
        why: String,
    },
    /// A payload larger than a record or a segment can hold.
    #[error("a {kind} of {bytes} bytes is larger than the {most} that fit")]
    TooLarge {
        /// Kind of the record.
        kind: crate::Kind,
        /// Its payload's size.
        bytes: usize,
        /// The most.
        most: usize,
    },
    /// Options that make no sense.
    #[error("{0}")]
    Options(&'static str),
    /// There are no more numbers for client order ids.
    #[error("the numbers of client order ids are used up")]
    IdsExhausted,
}

impl JournalError {
    /// How to go on; empty when the message says it all.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::Io { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    "make room on the disk, then start again".to_owned()
                }
                io::ErrorKind::PermissionDenied => {
                    "run as the owner of the directory: journals are readable by their owner only".to_owned()
                }
                _ => "check the disk and the path, then start again".to_owned(),
            },
            Self::Locked { .. } => "stop that process, or give this one another directory".to_owned(),
            Self::Damaged(Damage { fault: Fault::Newer { .. }, .. }) => {
                "use the version of the program that wrote it, or a later one".to_owned()
            }
            Self::Damaged(Damage { dir, fault: Fault::Beginning { segment, .. }, .. }) => {
                let last = match segment.saturating_sub(1) {
                    0 | 1 => String::new(),
                    last => format!(" to {}", segment::file_name(last)),
                };
                format!(
                    "put back {}{last}. Where they are gone for good: halts, open arbitrages and losses that only they told \
                     of are known to nobody, so compare both accounts with what `arb journal dump --dir {dir}` shows, cancel \
                     and even out by hand, then move {dir} away: the next start begins a new journal",
                    segment::file_name(segment::FIRST_SEGMENT)
                )
            }
            Self::Damaged(Damage { dir, seq, .. }) => {
                // Nothing was read where no record or only the first was expected, so nothing could be shown.
                let sound = match seq {
                    0 | 1 => String::new(),
                    _ => format!(
                        " Records before {seq} are sound: `arb journal dump --dir {dir}` shows them."
                    ),
                };
                format!(
                    "keep {dir} as it is.{sound} Put back a sound copy of the segment; or, once orders and balances have \
                     been compared with the exchanges by hand, begin a new journal in an empty directory"
                )
            }
            Self::Failed { .. } => {
                "stop and check the disk. What was closed since then is in no record: compare both accounts with the \
                 journal and even them out, then `arb resume`, and start again"
                    .to_owned()
            }
            Self::TooLarge { .. } | Self::Options(_) | Self::IdsExhausted => String::new(),
        }
    }
}
