//! Updates and snapshots into books; which books are wanted anew.

use super::{Engine, Wanted};
use crate::message::{Command, Commands, Notice};
use cex_core::{BookUpdate, Level, SymbolId, Timestamp, VenueId};
use cex_orderbook::{StaleReason, SyncOutcome};
use std::collections::VecDeque;

/// A whole book.
#[derive(Clone, Copy)]
pub(super) struct Snapshot<'a> {
    pub(super) seq: u64,
    pub(super) exchange_ts: Timestamp,
    pub(super) bids: &'a [Level],
    pub(super) asks: &'a [Level],
}

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

    /// The answer to a question for a snapshot: the book, or that it could not be had. One asked before the connection
    /// was lost may lie before everything the new one brings, and a quiet symbol has no frame to show it: it is dropped.
    pub(super) fn book_answered(
        &mut self,
        now: Timestamp,
        (venue, symbol, asked_at): (VenueId, SymbolId, Timestamp),
        snapshot: Option<Snapshot<'_>>,
        out: &mut Commands,
    ) {
        self.snapshot_returned(venue);
        if let Some(slot) = self.slot_mut(venue, symbol)
            && slot.snapshot == Wanted::Asked(asked_at)
        {
            slot.snapshot = Wanted::No;
            let outcome = match snapshot {
                Some(Snapshot { seq, exchange_ts, bids, asks }) => {
                    slot.sync.on_snapshot(now, seq, exchange_ts, bids, asks)
                }
                None => slot.sync.on_snapshot_failed(now),
            };
            self.after_book(now, venue, symbol, outcome, out);
        }
        self.notice_drift(now, venue, symbol);
        self.send_snapshots(now, venue, out);
    }

    /// A book that was not the exchange's while it counted as such is now; nobody knows since when it was not.
    fn notice_drift(&mut self, now: Timestamp, venue: VenueId, symbol: SymbolId) {
        let Some(slot) = self.slot_mut(venue, symbol) else { return };
        let drifts = slot.sync.counters().drifts;
        if drifts > std::mem::replace(&mut slot.drifts, drifts) {
            self.gate.book_drifted(now, symbol);
        }
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
        slot.snapshot = Wanted::No;
        slot.sync.on_disconnect(now);
        self.retop(now, venue, symbol, out);
    }

    /// What was received of this book could not be used, so it no longer is what the exchange has.
    pub(super) fn book_lost(&mut self, now: Timestamp, venue: VenueId, symbol: SymbolId, out: &mut Commands) {
        let Some(slot) = self.slot_mut(venue, symbol) else { return };
        let outcome = slot.sync.invalidate(now, StaleReason::Undecodable);
        self.after_book(now, venue, symbol, outcome, out);
    }

    /// We stood still for longer than a book is believed; one that is being joined has not been believed yet.
    pub(super) fn book_stood_still(
        &mut self,
        now: Timestamp,
        venue: VenueId,
        symbol: SymbolId,
        out: &mut Commands,
    ) {
        let Some(slot) = self.slot_mut(venue, symbol) else { return };
        if slot.sync.live().is_none() {
            return;
        }
        let outcome = slot.sync.invalidate(now, StaleReason::Paused);
        self.after_book(now, venue, symbol, outcome, out);
    }

    /// The exchange does not give us this book, for now.
    pub(super) fn book_refused(
        &mut self,
        now: Timestamp,
        venue: VenueId,
        symbol: SymbolId,
        out: &mut Commands,
    ) {
        let Some(slot) = self.slot_mut(venue, symbol) else { return };
        slot.snapshot = Wanted::No;
        let outcome = slot.sync.on_refused(now);
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
            self.send_snapshots(now, self.venues[index].id, out);
        }
    }

    /// Everything that came at once is in the books: looks at those that changed, once each.
    pub(super) fn look_at_changes(&mut self, now: Timestamp, out: &mut Commands) {
        let mut changed = std::mem::take(&mut self.changed);
        for (venue, symbol) in changed.drain(..) {
            if let Some(slot) = self.slot_mut(venue, symbol) {
                slot.changed = false;
            }
            self.look(now, venue, symbol, out);
        }
        // Kept for its memory: looking changes no book.
        self.changed = changed;
    }

    /// Acts on what the synchroniser made of an input and looks at the top again: a book that became unusable is out of
    /// the tops before anything is decided.
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
                self.note_change(venue, symbol);
            }
            SyncOutcome::NeedSnapshot => {
                self.retop(now, venue, symbol, out);
                self.want_snapshot(now, venue, symbol, out);
            }
            SyncOutcome::NeedResubscribe => {
                self.retop(now, venue, symbol, out);
                out.commands.push(Command::Resubscribe { venue, symbol });
            }
        }
    }

    /// Puts the book's top, or its absence, beside the other venues'; ends opportunities that no longer stand.
    pub(super) fn retop(&mut self, now: Timestamp, venue: VenueId, symbol: SymbolId, out: &mut Commands) {
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
            if !live {
                state.last_bid = state.tops.bid(venue.index()).or(state.last_bid);
            }
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

    fn note_change(&mut self, venue: VenueId, symbol: SymbolId) {
        if let Some(slot) = self.slot_mut(venue, symbol)
            && !std::mem::replace(&mut slot.changed, true)
        {
            self.changed.push((venue, symbol));
        }
    }

    fn want_snapshot(&mut self, now: Timestamp, venue: VenueId, symbol: SymbolId, out: &mut Commands) {
        let Some(slot) = self.slot_mut(venue, symbol) else { return };
        let was_queued = std::mem::replace(&mut slot.snapshot, Wanted::Queued) == Wanted::Queued;
        let is_lost = slot.sync.live().is_none();
        if was_queued && !is_lost {
            return;
        }
        if let Some(due) = self.venues.get_mut(venue.index()).map(|state| &mut state.snapshots_due) {
            // It may have been there still when it was queued.
            if let Some(at) = due.iter().position(|queued| was_queued && *queued == symbol) {
                due.remove(at);
            }
            // A book that is there can wait to be compared.
            if is_lost {
                due.push_front(symbol);
            } else {
                due.push_back(symbol);
            }
        }
        self.send_snapshots(now, venue, out);
    }

    fn snapshot_returned(&mut self, venue: VenueId) {
        if let Some(state) = self.venues.get_mut(venue.index()) {
            state.snapshots_out = state.snapshots_out.saturating_sub(1);
        }
    }

    /// Asks for the snapshots that are due, a few at a time: many books joining at once would spend the exchange's
    /// whole budget.
    fn send_snapshots(&mut self, now: Timestamp, venue: VenueId, out: &mut Commands) {
        let limit = self.config.max_snapshots;
        let open: Vec<_> = self.arbitrages.iter().map(|arbitrage| arbitrage.symbol).collect();
        while let Some(state) = self.venues.get_mut(venue.index())
            && state.snapshots_out < limit
            && let Some(symbol) = next_due(&mut state.snapshots_due, &open)
        {
            let Some(slot) = self.slot_mut(venue, symbol) else { continue };
            // A book that was lost meanwhile wants none.
            if slot.snapshot != Wanted::Queued {
                continue;
            }
            slot.snapshot = Wanted::Asked(now);
            let depth = slot.rule.snapshot_depth();
            if let Some(state) = self.venues.get_mut(venue.index()) {
                state.snapshots_out += 1;
            }
            out.commands.push(Command::FetchBook { venue, symbol, depth, asked_at: now });
        }
    }
}

/// The next symbol whose book is asked for: one in which something is `open` must not wait for those in which nothing is.
fn next_due(due: &mut VecDeque<SymbolId>, open: &[SymbolId]) -> Option<SymbolId> {
    let first = due.iter().position(|symbol| open.contains(symbol));
    first.and_then(|at| due.remove(at)).or_else(|| due.pop_front())
}
