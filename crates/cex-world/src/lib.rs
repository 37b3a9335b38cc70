//! The deterministic world: the engine, both adapters and both simulated exchanges in one process, under one virtual clock
//! and one seed, with faults, and with the invariants of the specification checked against the exchanges' own books.
//!
//! | module | what |
//! |---|---|
//! | [`run`] | a seed from beginning to end |
//! | `plan` | what goes wrong, drawn from the seed |
//! | `day` | one event after the other: exchanges, network, links, calls, engine |
//! | `fuse` | where a process dies |
//! | `journal` | what a process writes down, on a disk in memory |
//! | `rest`, `wire` | what transport does over sockets, in virtual time |
//! | [`check`] | what must hold |
//! | `trace` | what happened, as a hash and in words |
//! | [`crashes`] | a process that dies at every effect |
//! | [`soak`] | many seeds, and what is told of them |
#![forbid(unsafe_code)]

pub mod bugs;
pub mod check;
pub mod crashes;
mod day;
mod fuse;
mod journal;
mod plan;
mod rest;
pub mod run;
pub mod soak;
mod trace;
mod wire;

pub use fuse::Death;
pub use plan::Family;
