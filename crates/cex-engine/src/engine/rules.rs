//! Rules of a market that its exchange changes while it is traded: adopted between two arbitrages, never within one.

use super::{Engine, EngineConfig, Slot, Wanted, with_margin};
use crate::message::{Command, Commands};
use cex_core::{Bps, Market, SymbolId, SyncRule, Timestamp};
use cex_orderbook::{BookConfig, BookSync, SyncLimits, WatchLimits};

impl Engine {
    /// From now on a symbol is traded at a venue by these rules and for this fee; not while anything of the symbol is on its
    /// way: its orders, and what closes them, keep to the rules they were made by. Whoever tells of it sees by
    /// [`Self::market`] whether it was adopted, and tells of it again later if not.
    pub(super) fn change_rules(&mut self, now: Timestamp, market: &Market, fee: Bps, out: &mut Commands) {
        let (venue, symbol) = (market.venue, market.id);
        if self.is_open(symbol) {
            return;
        }
        let sync = new_sync(&self.config, market, self.slot(venue, symbol).map(|slot| slot.rule));
        let margin = self.config.limits.min_notional_margin;
        let Some(slot) = self.slot_mut(venue, symbol) else { return };
        // Prices and quantities of a run are counted in one scale.
        if slot.market.scale != market.scale || slot.market.symbol() != market.symbol() {
            return;
        }
        // A book counts in ticks: one of another tick is built anew, by the whole way of a book that is joined.
        let counts_otherwise = slot.market.tick != market.tick;
        slot.least_notional = with_margin(market.min_notional, margin);
        slot.market = market.clone();
        slot.taker_fee = fee;
        if let Some(sync) = sync.filter(|_| counts_otherwise) {
            (slot.sync, slot.snapshot, slot.drifts) = (sync, Wanted::No, 0);
            out.commands.push(Command::Resubscribe { venue, symbol });
        }
        if let Some(state) = self.symbols.get_mut(symbol.index()).and_then(Option::as_mut) {
            state.tops.set_fee(venue.index(), fee);
        }
        self.retop(now, venue, symbol, out);
    }

    /// Whether anything of a symbol is on its way.
    fn is_open(&self, symbol: SymbolId) -> bool {
        self.arbitrages.iter().any(|arbitrage| arbitrage.symbol == symbol)
            || self.starting.iter().any(|starting| starting.plan.symbol == symbol)
    }

    /// The fee that plans reckon with in a market.
    #[must_use]
    pub fn reckons_with(&self, market: &Market) -> Option<Bps> {
        self.slot(market.venue, market.id).map(|slot: &Slot| slot.taker_fee)
    }
}

/// A book of a market that is to be joined.
pub(super) fn new_sync(config: &EngineConfig, market: &Market, rule: Option<SyncRule>) -> Option<BookSync> {
    let rule = rule?;
    // In time for the rule that wants it (R9), should an answer fail.
    let audit_every = config.watch.audit_every.min(config.limits.max_audit_age / 2);
    let limits = SyncLimits {
        watch: WatchLimits { audit_every, ..config.watch },
        ..SyncLimits::for_rule(&rule, config.book_depth)
    };
    Some(BookSync::with_limits(market.id, rule, BookConfig::new(market.tick, config.book_depth), limits))
}
