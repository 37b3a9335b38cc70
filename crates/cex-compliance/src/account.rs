//! Balances, fees, fills, and the stream that tells of them.

mod calls;
mod hearing;
mod histories;
mod losses;
mod stream;

use crate::behaviour::Behaviour;

/// All behaviours of this theme.
#[must_use]
pub fn all() -> Vec<&'static Behaviour> {
    [calls::ALL, histories::ALL, stream::ALL, losses::ALL].into_iter().flatten().collect()
}
