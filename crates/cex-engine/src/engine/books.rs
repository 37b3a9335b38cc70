//! Updates and snapshots into books; which books are wanted anew.

use super::Engine;
use crate::message::{Command, Commands, Notice};
use cex_core::{BookUpdate, Level, SnapshotSource, SymbolId, Timestamp, VenueId};
use cex_orderbook::{StaleReason, SyncOutcome};

impl Engine {
    pub(super) fn book_update(
        &mut self,
        now: Timestamp,
        venue: VenueId,
        update: &BookUpdate,
        levels: &[Level],
        out: &mut Commands,
    ) {
        let Some(slot) = self.slot_mut(venue, update.symbol) else { return };
        let outcome = slot.sync.on_update(now, update, levels);
        self.after_book(now, venue, update.symbol, outcome, out);
    }

    #[expect(clippy::too_many_arguments, reason = "one snapshot, taken apart at the engine's edge")]
    pub(super) fn book_snapshot(
        &mut self,
        now: Timestamp,
        venue: VenueId,
        symbol: SymbolId,
        (seq, exchange_ts): (u64, Timestamp),
        bids: &[Level],
        asks: &[Level],
        out: &mut Commands,
    ) {
        self.snapshot_returned(venue);
        let Some(slot) = self.slot_mut(venue, symbol) else { return };
        slot.wanted = false;
        let outcome = slot.sync.on_snapshot(now, seq, exchange_ts, bids, asks);
        self.after_book(now, venue, symbol, outcome, out);
        self.send_snapshots(venue, out);
    }

    pub(super) fn book_failed(
        &mut self,
        now: Timestamp,
        venue: VenueId,
        symbol: SymbolId,
        out: &mut Commands,
    ) {
        self.snapshot_returned(venue);
        let Some(slot) = self.slot_mut(venue, symbol) else { return };
        slot.wanted = false;
        let outcome = slot.sync.on_snapshot_failed(now);
        self.after_book(now, venue, symbol, outcome, out);
        self.send_snapshots(venue, out);
    }

    pub(super) fn book_subscribed(&mut self, now: Timestamp, venue: VenueId, symbol: SymbolId) {
        if let Some(slot) = self.slot_mut(venue, symbol) {
            slot.sync.on_subscribed(now);
        }
    }

    pub(super) fn book_disconnected(
        &mut self,
        now: Timestamp,
        venue: VenueId,
        symbol: SymbolId,
        out: &mut Commands,
    ) {
        let Some(slot) = self.slot_mut(venue, symbol) else { return };
        slot.sync.on_disconnect(now);
        self.retop(now, venue, symbol, out);
    }

    /// What was received of this book could not be used, so it no longer is what the exchange has.
    pub(super) fn book_lost(&mut self, now: Timestamp, venue: VenueId, symbol: SymbolId, out: &mut Commands) {
        let Some(slot) = self.slot_mut(venue, symbol) else { return };
        let outcome = slot.sync.invalidate(now, StaleReason::Undecodable);
        self.after_book(now, venue, symbol, outcome, out);
    }

    pub(super) fn wake_books(&mut self, now: Timestamp, out: &mut Commands) {
        for symbol in 0..self.symbols.len() {
            let symbol = SymbolId(u32::try_from(symbol).unwrap_or(u32::MAX));
            for index in 0..self.venues.len() {
                let venue = self.venues[index].id;
                let Some(slot) = self.slot_mut(venue, symbol) else { continue };
                if slot.sync.wakeup_at().is_some_and(|at| at <= now) {
                    let outcome = slot.sync.on_wake(now);
                    self.after_book(now, venue, symbol, outcome, out);
                }
            }
        }
        for index in 0..self.venues.len() {
            self.send_snapshots(self.venues[index].id, out);
        }
    }

    /// Acts on what the synchroniser made of an input, then looks at the top again. The order matters: a book that
    /// became unusable must be out of the tops before anything is decided.
    fn after_book(
        &mut self,
        now: Timestamp,
        venue: VenueId,
        symbol: SymbolId,
        outcome: SyncOutcome,
        out: &mut Commands,
    ) {
        match outcome {
            SyncOutcome::Ignored | SyncOutcome::Buffered | SyncOutcome::Unusable => {
                self.retop(now, venue, symbol, out);
            }
            SyncOutcome::Applied(_) => {
                self.retop(now, venue, symbol, out);
                self.look(now, venue, symbol, out);
            }
            SyncOutcome::NeedSnapshot => {
                self.retop(now, venue, symbol, out);
                self.want_snapshot(venue, symbol, out);
            }
            SyncOutcome::NeedResubscribe => {
                self.retop(now, venue, symbol, out);
                out.commands.push(Command::Resubscribe { venue, symbol });
            }
        }
    }

    /// Puts the book's top, or its absence, beside the other venues'; ends opportunities that no longer stand.
    fn retop(&mut self, now: Timestamp, venue: VenueId, symbol: SymbolId, out: &mut Commands) {
        let Some(state) = self.symbols.get_mut(symbol.index()).and_then(Option::as_mut) else { return };
        let Some(slot) = state.slots.get_mut(venue.index()).and_then(Option::as_mut) else { return };
        let (bid, ask) = match slot.sync.usable() {
            Some(book) => {
                (book.best_bid().map(|level| level.price), book.best_ask().map(|level| level.price))
            }
            None => (None, None),
        };
        let live = bid.is_some() && ask.is_some();
        if live != slot.live {
            slot.live = live;
            out.notices.push(if live {
                Notice::BookLive { venue, symbol }
            } else {
                Notice::BookLost { venue, symbol }
            });
        }
        if state.tops.set(venue.index(), bid, ask) {
            self.end_opportunities(now, venue, symbol, out);
        }
    }

    fn want_snapshot(&mut self, venue: VenueId, symbol: SymbolId, out: &mut Commands) {
        let Some(slot) = self.slot_mut(venue, symbol) else { return };
        if std::mem::replace(&mut slot.wanted, true) {
            return;
        }
        if let Some(state) = self.venues.get_mut(venue.index()) {
            state.snapshots_due.push_back(symbol);
        }
        self.send_snapshots(venue, out);
    }

    fn snapshot_returned(&mut self, venue: VenueId) {
        if let Some(state) = self.venues.get_mut(venue.index()) {
            state.snapshots_out = state.snapshots_out.saturating_sub(1);
        }
    }

    /// Asks for the snapshots that are due, a few at a time: many books joining at once would spend the exchange's
    /// whole budget.
    fn send_snapshots(&mut self, venue: VenueId, out: &mut Commands) {
        let limit = self.config.max_snapshots;
        while let Some(state) = self.venues.get_mut(venue.index()) {
            if state.snapshots_out >= limit {
                return;
            }
            let Some(symbol) = state.snapshots_due.pop_front() else { return };
            state.snapshots_out += 1;
            let depth = match self.slot(venue, symbol).map(|slot| slot.rule.snapshot) {
                Some(SnapshotSource::Rest { depth }) => depth,
                Some(SnapshotSource::Stream) | None => {
                    self.snapshot_returned(venue);
                    continue;
                }
            };
            out.commands.push(Command::FetchBook { venue, symbol, depth });
        }
    }
}
