//! What an earlier run began and did not see to its end goes on here, by the same policy as what this run begins; what it
//! did counts for the rules that look back.

use super::Engine;
use crate::execute::{Arbitrage, Leveling, OrderRun};
use cex_core::{
    ClientOrderId, Decimal, Fill, FillKey, Market, NumError, OrderId, OrderRequest, OrderStatus, Plan,
    Symbol, SymbolId, Timestamp, VenueId,
};
use cex_risk::{ArbitrageId, Limits, Recall, Standing};
use std::time::Duration;

/// A start waits so long at most until all venues of what was left open can be used: before that nothing could be traded away
/// at the better of them. One that cannot be used for so long has an outage.
const UNTIL_VENUES: Duration = Duration::from_secs(300);

/// An order of an earlier run, whose end is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastOrder {
    /// The order as it was sent.
    pub request: OrderRequest,
    /// The exchange's identifier, where it has one.
    pub order_id: Option<OrderId>,
    /// Final state of the order.
    pub status: OrderStatus,
    /// All its fills.
    pub fills: Vec<Fill>,
}

/// An arbitrage of an earlier run, all of whose orders are known to their end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastArbitrage {
    /// The plan as decided.
    pub plan: Plan,
    /// The two legs, buying leg first, then closing orders.
    pub orders: Vec<PastOrder>,
    /// When it was decided, by our clock.
    pub started_at: Timestamp,
}

impl Engine {
    /// Goes on with an arbitrage of an earlier run: it ends at once when it is level, and is levelled when it is not, as
    /// soon as books and accounts allow. Its fills are in the accounts already.
    ///
    /// # Errors
    /// When its money does not fit, or its symbol is not traded here; then nothing has changed but the position.
    pub fn adopt(&mut self, now: Timestamp, past: &PastArbitrage) -> Result<ArbitrageId, NumError> {
        let symbol_id = past.plan.symbol;
        let state = self.symbol(symbol_id).ok_or(NumError::Overflow)?;
        let (symbol, scale) = (state.symbol, state.scale);
        let mut runs = Vec::with_capacity(past.orders.len());
        for order in &past.orders {
            let ordered = order.request.kind.qty().map_or(Decimal::ZERO, |qty| scale.qty_value(qty));
            let end = (symbol, order.status);
            let valued = order.fills.iter().map(|fill| Ok((*fill, self.other_fee(symbol, fill)?)));
            let fills = valued.collect::<Result<Vec<_>, NumError>>()?;
            let mut run = OrderRun::over(past.started_at, order.request, ordered, end, fills)?;
            run.order_id = run.order_id.or(order.order_id);
            for fill in &order.fills {
                self.gate.carry(symbol, fill)?;
                self.unexplained.fill(symbol, fill)?;
            }
            runs.push(run);
        }
        let legs = [past.plan.buy, past.plan.sell];
        let gross = legs.iter().try_fold(Decimal::ZERO, |sum, leg| {
            sum.checked_add(scale.notional_value(leg.limit.times(leg.qty)))
        })?;
        let id = self.gate.adopt(now, symbol_id, legs.map(|leg| leg.venue), gross);
        self.gate.began(past.started_at, id, symbol_id);
        let mark = scale.price_value(past.plan.buy.limit);
        for order in &past.orders {
            self.note_sent(now, id, &order.request);
            self.note_past(order);
        }
        self.marks.insert(id, mark);
        self.arbitrages.insert(Arbitrage {
            id,
            symbol: symbol_id,
            plan: past.plan,
            orders: runs,
            mark,
            started_at: past.started_at,
            leveling: Some(Leveling { awaits_venues: true, ..Leveling::new(now, now + UNTIL_VENUES) }),
            carried: None,
        });
        Ok(id)
    }

    /// Late reports of an adopted order find it, and its fills are not booked again.
    fn note_past(&mut self, order: &PastOrder) {
        let client_id = order.request.client_id;
        let order_id = order.order_id.or_else(|| order.fills.first().map(|fill| fill.order_id));
        if let (Some(order_id), Some(known)) = (order_id, self.orders.get_mut(&client_id)) {
            known.order_id = Some(order_id);
            self.by_order_id.insert((order.request.venue, order_id), client_id);
        }
        order.fills.iter().for_each(|fill| self.remember_past(fill.key()));
    }

    /// A fill that an earlier run booked is in the accounts: told again, it counts no second time.
    pub fn remember_past(&mut self, key: FillKey) {
        self.remember(key);
    }

    /// To be told what happened in earlier runs.
    pub const fn recall(&mut self) -> Recall<'_> {
        self.gate.recall()
    }

    /// What is counted of venues and symbols, in words; see [`cex_risk::Gate::counts`].
    #[must_use]
    pub fn counts(&self) -> String {
        self.gate.counts()
    }

    /// The limits it trades under.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        self.gate.limits()
    }

    /// What the rules that look back stand at.
    #[must_use]
    pub fn standing(&self, now: Timestamp) -> Standing {
        self.gate.standing(now)
    }

    /// A market by its names, as an earlier run wrote them down.
    #[must_use]
    pub fn market(&self, venue: &str, symbol: Symbol) -> Option<&Market> {
        let venue: VenueId = self.venues.iter().map(|state| state.id).find(|id| id.name() == venue)?;
        let state = self.symbols.iter().flatten().find(|state| state.symbol == symbol)?;
        Some(&state.slots.get(venue.index())?.as_ref()?.market)
    }

    /// All symbols and their numbers.
    pub fn symbols(&self) -> impl Iterator<Item = (SymbolId, Symbol)> {
        let numbered = self.symbols.iter().enumerate();
        numbered
            .filter_map(|(index, state)| Some((SymbolId(u32::try_from(index).ok()?), state.as_ref()?.symbol)))
    }

    /// All venues, by index.
    pub fn venues(&self) -> impl Iterator<Item = VenueId> {
        self.venues.iter().map(|state| state.id)
    }

    /// Whether an order is one of ours that is remembered.
    #[must_use]
    pub fn knows_order(&self, client_id: ClientOrderId) -> bool {
        self.orders.contains_key(&client_id) || self.starting.iter().any(|starting| starting.has(client_id))
    }

    /// Whether a fill is in our holdings: it was booked, or it is somebody else's and was made before the account was asked for
    /// that we adopted last. Fills of ours are booked one by one, whatever an account shows.
    #[must_use]
    pub fn holds(&self, fill: &Fill) -> bool {
        if self.seen_fills.contains(&fill.key()) {
            return true;
        }
        let Some(state) = self.venues.get(fill.venue.index()) else { return false };
        let shown_until = state.basis.adopted().map(|at| at.shifted(state.clock_offset.unwrap_or(0)));
        let is_ours = self.whose(fill.venue, fill.client_id, Some(fill.order_id)).is_some()
            || fill.client_id.is_some_and(|client_id| self.knows_order(client_id));
        !is_ours && shown_until.is_some_and(|until| fill.exchange_ts <= until)
    }

    /// Symbols in which orders of ours ended at a venue since then.
    #[must_use]
    pub fn traded_since(&self, venue: VenueId, since: Timestamp) -> Vec<SymbolId> {
        let slots =
            self.symbols.iter().flatten().filter_map(|state| state.slots.get(venue.index())?.as_ref());
        slots.filter(|slot| slot.touched_at >= since).map(|slot| slot.market.id).collect()
    }
}
