//! Public data: rules, calls, books, streams.

mod books;
mod calls;
mod candles;
mod rules;
mod streams;
mod subscriptions;

use crate::behaviour::Behaviour;

/// All behaviours of this theme.
#[must_use]
pub fn all() -> Vec<&'static Behaviour> {
    [rules::ALL, calls::ALL, candles::ALL, books::ALL, streams::ALL, subscriptions::ALL]
        .into_iter()
        .flatten()
        .collect()
}
