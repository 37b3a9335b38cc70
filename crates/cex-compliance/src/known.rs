//! Gaps that are known: behaviours an adapter claims and does not show yet, each with its reason. They are printed as
//! failed, do not fail the run, and must be taken out here when they are mended: a gap that passes fails the run.

/// A behaviour that is known to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// The exchange, by its registered name.
    pub exchange: &'static str,
    /// The behaviour.
    pub behaviour: &'static str,
    /// What is wrong, and where.
    pub reason: &'static str,
}

/// All of them: none at present.
pub const GAPS: &[Gap] = &[];

/// The gap of an exchange in a behaviour, if there is one.
#[must_use]
pub fn gap(exchange: &str, behaviour: &str) -> Option<&'static Gap> {
    GAPS.iter().find(|gap| gap.exchange == exchange && gap.behaviour == behaviour)
}
