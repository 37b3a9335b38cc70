//! Planted bugs are found: what `cargo xtask soak --bugs` does for all of them, for those that show within moments.
#![cfg(feature = "bugs")]

use cex_world::bugs::{Bug, find};
use cex_world::check::Invariant;

#[test]
fn bugs_of_money_books_and_orders_are_found_by_the_invariant_that_is_for_them() {
    for (bug, expected) in [
        (Bug::FillTwice, vec![Invariant::I3, Invariant::I4, Invariant::I5, Invariant::Alarm]),
        (Bug::LevelLost, vec![Invariant::I7]),
        (Bug::RemovalIgnored, vec![Invariant::I7, Invariant::I10]),
        (Bug::KillIgnored, vec![Invariant::I9]),
        (Bug::StaysCloseOnly, vec![Invariant::I10]),
        (Bug::QuarantineForgotten, vec![Invariant::I1]),
        (Bug::SecretShown, vec![Invariant::I11]),
    ] {
        let found = find(bug, 1, 20).map(|(_, invariant)| invariant);
        assert!(found.is_some_and(|found| expected.contains(&found)), "{bug:?}: {found:?}");
    }
}
