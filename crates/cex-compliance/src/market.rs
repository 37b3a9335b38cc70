//! Public data: rules, calls, books, streams.

mod books;
mod calls;
mod rules;
mod streams;

use crate::behaviour::Behaviour;

/// All behaviours of this theme.
#[must_use]
pub fn all() -> Vec<&'static Behaviour> {
    [rules::ALL, calls::ALL, books::ALL, streams::ALL].into_iter().flatten().collect()
}
