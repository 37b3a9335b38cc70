//! The published vectors: every frame, answer, signature and book scenario of
//! `golden/gateio_ws_vectors.json`, whose values come from the exchange's documentation and from recorded
//! traffic, never from this crate.

#[path = "golden/answers.rs"]
mod answers;
#[path = "golden/books.rs"]
mod books;
#[path = "golden/entry.rs"]
mod entry;
#[path = "golden/frames.rs"]
mod frames;
#[path = "golden/signatures.rs"]
mod signatures;
#[path = "golden/support.rs"]
mod support;
