//! Balances, fees, fills, and the stream that tells of them.

mod calls;
mod histories;
mod stream;

use crate::behaviour::Behaviour;

/// All behaviours of this theme.
#[must_use]
pub fn all() -> Vec<&'static Behaviour> {
    [calls::ALL, histories::ALL, stream::ALL].into_iter().flatten().collect()
}
