//! What a start finds out, as records.

use cex_core::{Decimal, Fill, Order, Symbol, Timestamp};
use cex_journal::messages::{self, Status};
use cex_journal::{Entry, record};

/// An order as an exchange tells it.
pub(super) fn order(symbol: &Symbol, order: &Order) -> Entry {
    let mut event = messages::OrderEvent::default();
    record::order_event(&mut event, symbol, order);
    Entry::OrderEvent(event)
}

/// A fill.
pub(super) fn fill(symbol: &Symbol, fill: &Fill) -> messages::Fill {
    let mut message = messages::Fill::default();
    record::fill(&mut message, symbol, fill);
    message
}

/// An order that never arrived: nobody need ask for it again.
pub(super) fn never_arrived(now: Timestamp, symbol: &str, leg: &messages::Leg) -> Entry {
    let mut event = messages::OrderEvent {
        venue: leg.venue.clone(),
        symbol: symbol.to_owned(),
        client_id: leg.client_id.clone(),
        side: leg.side,
        filled_qty: Decimal::ZERO.to_string(),
        filled_notional: Decimal::ZERO.to_string(),
        as_of_ns: now.as_nanos(),
        ..messages::OrderEvent::default()
    };
    event.set_status(Status::Rejected);
    Entry::OrderEvent(event)
}
