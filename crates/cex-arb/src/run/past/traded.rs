//! Which markets the sessions that trade sent orders to, and when last: where a search begins, and what it cannot search any more.

use cex_core::Timestamp;
use std::collections::BTreeMap;

/// When orders went to markets, by venue and symbol.
#[derive(Debug, Default)]
pub(super) struct Sendings {
    last: BTreeMap<(String, String), Sending>,
}

/// The last order to a market.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sending {
    /// When it was written down.
    pub at: Timestamp,
    /// Number of the session that sent it.
    pub epoch: u64,
}

impl Sendings {
    /// An order was written down.
    pub(super) fn sent(&mut self, venue: &str, symbol: &str, sending: Sending) {
        self.last.insert((venue.to_owned(), symbol.to_owned()), sending);
    }

    pub(super) fn last(&self, venue: &str, symbol: &str) -> Option<Sending> {
        self.last.get(&(venue.to_owned(), symbol.to_owned())).copied()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &str, Sending)> {
        self.last.iter().map(|((venue, symbol), sending)| (venue.as_str(), symbol.as_str(), *sending))
    }
}
