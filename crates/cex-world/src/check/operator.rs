//! What waits for an operator, and what they have looked at: I9, and who is excused meanwhile (I6).

use super::{Checks, RESTART};
use cex_core::{ClientOrderId, Timestamp};

impl Checks {
    /// Nothing may be opened until an operator has looked.
    pub(crate) fn halted(&mut self, now: Timestamp) {
        self.killed_at.get_or_insert(now);
    }

    /// An operator lets openings go on.
    pub(crate) fn acknowledged(&mut self) {
        self.killed_at = None;
        self.risked.acknowledged();
        self.forget_positions();
    }

    /// An operator has looked while no process was there: what was open is theirs, of these arbitrages by the journal.
    pub(crate) fn leaves_to_operator(&mut self, names: impl IntoIterator<Item = ClientOrderId>) {
        self.parked.extend(std::mem::take(&mut self.open).into_keys());
        self.forget_positions();
        for name in names {
            self.parked.extend(self.sent.get(&name).map(|sent| sent.of));
            self.theirs.insert(name);
        }
    }

    /// A start has ended and said why, and an operator looks then: until then nothing can be closed.
    pub(crate) fn told_people(&mut self, looks_at: Timestamp) {
        self.naked.excuse_until(looks_at + RESTART);
    }
}
