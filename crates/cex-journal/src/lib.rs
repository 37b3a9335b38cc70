//! The journal: what came in, what went out, in order, on disk before it counts.
//!
//! A journal is a directory of append-only segments of checksummed records, each of which names the hash of the one
//! before it. One process writes it. `docs/journal.md` gives the format byte by byte, what is promised after a crash, and
//! what is not.
//!
//! | module | what |
//! |---|---|
//! | [`kind`] | [`Kind`], [`Payload`], [`Entry`]: what a record can be |
//! | [`frame`] | a record's bytes: header, payload, checksum, chain |
//! | [`segment`] | a segment's header and file name |
//! | [`writer`] | [`Writer`]: the trading thread's side; [`Options`], [`SyncPolicy`] |
//! | [`syncer`] | [`Syncer`]: the other thread's side, which makes groups of records durable |
//! | [`health`] | [`Health`]: lag, space and failure, read without a lock |
//! | [`recover`] | [`open`]: lock, verify, cut off what a crash left incomplete |
//! | [`reader`] | [`Reader`]: everything verified, from any sequence number, to the end and beyond |
//! | [`damage`] | what is wrong with a journal, where, and how to go on |
//! | [`storage`] | [`Storage`], the few effects on a disk; [`Directory`], the real one |
//! | [`record`] | the market's nouns as records, into messages that are reused |
//!
//! ```
//! use cex_core::Timestamp;
//! use cex_journal::{Entry, Options, Reader, open_directory, messages};
//!
//! let dir = std::env::temp_dir().join(format!("journal-doc-{}", std::process::id()));
//! let now = Timestamp::from_secs(1_800_000_000);
//! let options = Options { segment_bytes: 1 << 16, ..Options::default() };
//!
//! let mut writer = open_directory(&dir, options, now)?.writer;
//! writer.begin(now, messages::SessionStart::default())?;
//! let intent = messages::Intent { arbitrage: 1, symbol: "BTC/USDT".to_owned(), ..Default::default() };
//! let seq = writer.append(now, &intent)?; // In the page cache: it survives `kill -9`.
//! writer.close(now, &messages::SessionEnd::default())?;
//!
//! let mut reader = Reader::of_directory(&dir, seq)?;
//! let record = reader.next_record()?.expect("what was written");
//! assert_eq!(record.entry()?, Entry::Intent(intent));
//! # std::fs::remove_dir_all(&dir)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

pub mod damage;
pub mod frame;
pub mod health;
pub mod kind;
pub mod reader;
pub mod record;
pub mod recover;
pub mod segment;
pub mod storage;
pub mod syncer;
pub mod writer;

mod ids;
mod shared;
mod window;

/// The payloads: generated from `proto/journal.proto`.
pub use cex_proto::journal as messages;

pub use damage::{Damage, Fault, JournalError, Torn};
pub use health::Health;
pub use kind::{Entry, Kind, Payload};
pub use reader::{Place, Reader, Record};
pub use recover::{Opened, Recovered, open, open_directory, open_directory_reading, open_reading};
pub use storage::{Access, Directory, Storage, StorageFile};
pub use syncer::Syncer;
pub use writer::{Options, SyncPolicy, Writer};
