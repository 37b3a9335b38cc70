//! Where the rules that count in rows stand after what is too old to be told one by one.

use super::{Gate, Recall};
use crate::limits::Limits;

/// The rows of orders' results and answers, of fees and of edges, and the breakers and pauses that come of them (R23 to R25, R30,
/// R31). No clock ends them, so they reach back as far as an earlier run did. A gate of its own counts them, as it counts
/// them in a run, under the limits that will go on with them; they need no more memory than that.
#[derive(Debug)]
pub struct Rows(Gate);

impl Rows {
    /// Nothing counted yet, under these limits.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self(Gate::new(limits))
    }

    /// To be told what happened, in order, as often as there is something. Money that it is told moves no row.
    pub const fn recall(&mut self) -> Recall<'_> {
        Recall::part(&mut self.0)
    }

    pub(super) const fn gate(&self) -> &Gate {
        &self.0
    }
}
