//! What is shown outside: plain numbers, copied out; nobody looks into the engine.

use crate::execute::Ending;
use crate::opportunity::Verdict;
use cex_core::{Decimal, VenueId};
use cex_risk::{Mode, Trip};
use std::collections::BTreeMap;

/// What the run has come to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Totals {
    /// Opportunities ended, by verdict.
    pub opportunities: BTreeMap<Verdict, u64>,
    /// Arbitrages whose legs left us.
    pub started: u64,
    /// Arbitrages ended, by how.
    pub ended: BTreeMap<Ending, u64>,
    /// Sum of what ended arbitrages were expected to make, in quote.
    pub expected: Decimal,
    /// Sum of what they made, in quote, after all fees.
    pub realised: Decimal,
    /// What of that are fees in coins that are neither base nor quote, by what they count as: ledgers tell those in their own
    /// coins.
    pub other_fee: Decimal,
    /// Fills that came after their order had seemed settled.
    pub late_fills: u64,
    /// Fills of orders that are not ours.
    pub foreign_fills: u64,
    /// Fills seen more than once.
    pub duplicate_fills: u64,
    /// Things that must never happen, or that only a person can decide; each threw the kill switch.
    pub alarms: u64,
}

/// One venue's books.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VenueView {
    /// Venue whose books these are.
    pub venue: VenueId,
    /// Books that can be used, of how many.
    pub books_live: (u32, u32),
    /// Book updates received.
    pub updates: u64,
    /// Sequence gaps.
    pub gaps: u64,
    /// Times a book had to be joined anew.
    pub resyncs: u64,
    /// Whether the account is known well enough to trade.
    pub account_ready: bool,
}

/// Everything at a glance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineView {
    /// What the run has come to.
    pub totals: Totals,
    /// Per venue.
    pub venues: Vec<VenueView>,
    /// Arbitrages on the way.
    pub open: u32,
    /// Those of them that have an order of unknown fate.
    pub unknown: u32,
    /// Opportunities standing now.
    pub standing: u32,
    /// Whether the kill switch is on.
    pub killed: bool,
    /// What the operator allows.
    pub mode: Mode,
    /// Rules that stop openings now.
    pub trips: Vec<Trip>,
}
