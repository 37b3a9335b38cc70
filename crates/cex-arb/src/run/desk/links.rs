//! What streams bring: into the engine as it comes, and decided on once a read is through.

use super::{Core, Desk};
use crate::show::Told;
use cex_core::{LinkEvent, SymbolId, Timestamp, VenueId};
use cex_engine::Event;
use cex_interface::Outbox;
use cex_transport::{Received, Sink};
use std::rc::Rc;

impl Desk {
    /// A sink for a link of `venue` that carries these symbols (none: the account's).
    #[must_use]
    pub fn sink(&self, venue: VenueId, symbols: Rc<[SymbolId]>) -> impl Sink + use<> {
        LinkSink { desk: self.clone(), venue, symbols, unsettled: None }
    }
}

impl Core {
    fn tell_link(&self, now: Timestamp, venue: VenueId, event: LinkEvent) {
        let state = match event {
            LinkEvent::Up => "connected",
            LinkEvent::Down => "connection lost",
            LinkEvent::AccountReady => "account stream ready",
            LinkEvent::Refused { .. } => "subscription refused",
            LinkEvent::Undecodable { .. } => "frame could not be used",
            LinkEvent::Subscribed { .. } => return,
        };
        self.viewer.tell(Told::Link(now, venue.to_string(), state));
    }
}

/// Hears one link.
struct LinkSink {
    desk: Desk,
    venue: VenueId,
    symbols: Rc<[SymbolId]>,
    /// When the read returned whose news are with the engine but not settled, and whether any were of the market.
    unsettled: Option<(Timestamp, bool)>,
}

impl Sink for LinkSink {
    fn deliver(&mut self, now: Timestamp, received: &Received, out: &mut Outbox) {
        let mut core = self.desk.0.borrow_mut();
        let core = &mut *core;
        let venue = self.venue;
        // Connection news first: a stream that went down must not be traded on.
        for event in out.link.drain(..) {
            core.tell_link(now, venue, event);
            core.engine.handle(now, Event::Link { venue, event, symbols: &self.symbols }, &mut core.out);
        }
        for event in &out.market {
            core.engine.handle(now, Event::Market { venue, event, levels: &out.levels }, &mut core.out);
        }
        for event in &out.account {
            if let Some(recorder) = &mut core.recorder {
                recorder.account(now, venue, event);
            }
            core.engine.handle(now, Event::Account { venue, event }, &mut core.out);
        }
        let (_, market) = self.unsettled.unwrap_or_default();
        self.unsettled = Some((received.read_at, market || !out.market.is_empty()));
    }

    fn settled(&mut self, _: Timestamp) {
        let Some((read_at, market)) = self.unsettled.take() else { return };
        let mut core = self.desk.0.borrow_mut();
        let core = &mut *core;
        core.hearing.heard(read_at);
        core.engine.handle(read_at, Event::Settled, &mut core.out);
        let decided_at = core.clock.now();
        if market {
            core.stopwatch.decided(read_at, decided_at);
        }
        let trades = !core.out.commands.is_empty();
        self.desk.act(core, read_at);
        if !trades {
            core.rehearse(decided_at);
        }
    }
}
