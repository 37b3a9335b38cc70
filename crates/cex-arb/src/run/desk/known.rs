//! What those who compare the engine with the exchanges ask of it, and tell it.

use super::Desk;
use cex_core::{AccountEvent, ClientOrderId, FillKey, SymbolId, Timestamp, VenueId};
use cex_engine::Event;

impl Desk {
    /// Whether an order is one of this run's, or of an earlier one that goes on in it.
    #[must_use]
    pub fn knows_order(&self, client_id: ClientOrderId) -> bool {
        self.0.borrow().engine.knows_order(client_id)
    }

    /// Whether a fill was booked, here or by an earlier run.
    #[must_use]
    pub fn knows_fill(&self, key: FillKey) -> bool {
        self.0.borrow().engine.knows_fill(key)
    }

    /// Symbols in which orders of ours ended at a venue since then.
    #[must_use]
    pub fn traded_since(&self, venue: VenueId, since: Timestamp) -> Vec<SymbolId> {
        self.0.borrow().engine.traded_since(venue, since)
    }

    /// News of an account that came by another way than its stream.
    pub fn account_event(&self, now: Timestamp, venue: VenueId, event: &AccountEvent) {
        self.record(|recorder| recorder.account(now, venue, event));
        self.feed(now, Event::Account { venue, event });
    }
}
