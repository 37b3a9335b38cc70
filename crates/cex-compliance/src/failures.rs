//! What breaks on the way: connections, answers, frames.

mod answers;
mod connections;
mod entry;
mod exchange;
mod frames;
mod listing;
mod maintenance;
mod news;
mod placements;
mod silence;
mod spoilt;
mod successors;

use crate::behaviour::Behaviour;

/// All behaviours of this theme.
#[must_use]
pub fn all() -> Vec<&'static Behaviour> {
    [
        connections::ALL,
        placements::ALL,
        answers::ALL,
        frames::ALL,
        exchange::ALL,
        listing::ALL,
        entry::ALL,
        successors::ALL,
        news::ALL,
        silence::ALL,
        spoilt::ALL,
        maintenance::ALL,
    ]
    .into_iter()
    .flatten()
    .collect()
}
