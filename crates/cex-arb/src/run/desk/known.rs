//! What those who compare the engine with the exchanges ask of it, and tell it.

use super::Desk;
use cex_core::{AccountEvent, Bps, ClientOrderId, Fill, Market, SymbolId, SymbolInfo, Timestamp, VenueId};
use cex_engine::Event;

impl Desk {
    /// Whether an order is one of this run's, or of an earlier one that goes on in it.
    #[must_use]
    pub fn knows_order(&self, client_id: ClientOrderId) -> bool {
        self.0.borrow().engine.knows_order(client_id)
    }

    /// Whether a fill is in our holdings, booked here or by an earlier run, or shown by an account.
    #[must_use]
    pub fn holds(&self, fill: &Fill) -> bool {
        self.0.borrow().engine.holds(fill)
    }

    /// Symbols in which orders of ours ended at a venue since then.
    #[must_use]
    pub fn traded_since(&self, venue: VenueId, since: Timestamp) -> Vec<SymbolId> {
        self.0.borrow().engine.traded_since(venue, since)
    }

    /// Has a symbol traded at a venue by these rules and for this fee, unless something of it is open; whether it is.
    pub fn adopt_rules(&self, market: &Market, taker_fee: Bps) -> bool {
        let state = |desk: &Self| {
            let core = desk.0.borrow();
            let known = core.engine.market(market.venue.name(), market.symbol());
            known.map(|known| known.info.clone()).zip(core.engine.reckons_with(market))
        };
        let before = state(self);
        self.tell_engine(Event::Rules { market, taker_fee });
        if state(self) != Some((market.info.clone(), taker_fee)) {
            return false;
        }
        let now = self.now();
        let key = format!("rules of {} at {}", market.symbol(), market.venue);
        let old = before.map(|(info, fee)| in_words(&info, fee)).unwrap_or_default();
        let new = in_words(&market.info, taker_fee);
        tracing::info!(venue = %market.venue, symbol = %market.symbol(), old, new, "its rules are adopted");
        self.record(|recorder| recorder.changed(now, &key, &old, &new, market.venue.name()));
        true
    }

    /// News of an account that came by another way than its stream.
    pub fn account_event(&self, now: Timestamp, venue: VenueId, event: &AccountEvent) {
        self.record(|recorder| recorder.account(now, venue, event));
        self.feed(now, Event::Account { venue, event });
    }
}

/// The rules that orders are made by, in words.
fn in_words(info: &SymbolInfo, fee: Bps) -> String {
    let SymbolInfo { tick, lot, min_qty, min_notional, .. } = info;
    format!("tick {tick}, lot {lot}, least {min_qty} and {min_notional}, fee {fee}")
}
