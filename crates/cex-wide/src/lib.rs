//! ASCII decimals into scaled integers, sixteen bytes at a time.
//!
//! Exchanges send prices and quantities as text; two of them stand in every level of a book, so this is where a
//! decoder spends its time. The wide path loads sixteen bytes in place and neither loops nor branches on their
//! length; byte loops ([`portable`]) take whatever it does not: longer texts, faulty texts, other processors.
//!
//! This is the only crate that may say `unsafe`, for two things and no other: a load of sixteen bytes through a
//! reference to sixteen bytes, and a call into code compiled for instructions the processor was seen to have.
//! No pointer is computed here; every index goes through a checked slice.
//!
//! - [`parse_scaled`], [`parse_scaled_in`], [`parse_quoted_in`]: what a caller with a number now and then wants.
//! - [`Wide`]: the same, with the processor asked once; what a decoder keeps.
//! - [`parse_u64`], [`find_byte`]: sequence numbers, and the next quote or brace.
//! - [`is_shallow_json`]: whether a text may be given to a parser that recurses; no wide path, and none needed.
//! - [`portable`]: the same functions as byte loops, the oracle of all of them.
//!
//! Under Miri the processor has what the build asks for, so the wide path needs asking for:
//! `RUSTFLAGS="-C target-feature=+sse4.1" cargo +nightly miri test -p cex-wide`.

#![deny(unsafe_op_in_unsafe_fn)]
#![deny(clippy::undocumented_unsafe_blocks)]
#![deny(clippy::multiple_unsafe_ops_per_block)]

mod decimal;
mod fault;
mod find;
mod integer;
mod nesting;
pub mod portable;
#[cfg(target_arch = "x86_64")]
mod sse;
mod wide;
mod words;

pub use decimal::{parse_quoted_in, parse_scaled, parse_scaled_in};
pub use fault::{Finer, NumberFault};
pub use find::find_byte;
pub use integer::parse_u64;
pub use nesting::{DEEPEST_JSON, is_shallow_json};
pub use wide::Wide;
