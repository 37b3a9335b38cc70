//! Orders of every kind, from placement to end.

mod batches;
mod changes;
mod entry;
mod kinds;
mod life;
mod polling;
mod refusals;

pub(crate) use entry::entry;

use crate::behaviour::Behaviour;

/// All behaviours of this theme.
#[must_use]
pub fn all() -> Vec<&'static Behaviour> {
    [life::ALL, kinds::ALL, changes::ALL, refusals::ALL, entry::ALL, batches::ALL, polling::ALL]
        .into_iter()
        .flatten()
        .collect()
}
