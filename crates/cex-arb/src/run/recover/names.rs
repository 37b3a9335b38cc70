//! Whose trades are, where an exchange lists them without our names: their orders are asked for by the exchange's numbers.

use cex_core::{ClientOrderId, Fill, OrderId, Timestamp};
use std::collections::BTreeMap;
use std::time::Duration;

/// Orders that traded and are denied for so long are forgotten: who asks on learns nothing more.
pub(super) const FORGOTTEN: Duration = Duration::from_secs(10);

/// How the orders of trades are named, as far as the exchange told. It is asked in rounds, each known by when it began.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// `None` for an order without a name.
    told: BTreeMap<OrderId, Option<ClientOrderId>>,
    /// Orders that the exchange does not know, and the last round in which it said so.
    denied: BTreeMap<OrderId, Timestamp>,
    /// The first round since which nothing but denials came.
    denied_since: Option<Timestamp>,
}

/// What is to be done about trades without a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Naming {
    /// Nothing: it is known whose each of them is.
    Done,
    /// The exchange is asked how it knows this order.
    Ask(OrderId),
    /// Nothing in this round: the exchange does not know this order, nor maybe others, and all were asked for.
    Denied(OrderId),
}

impl Names {
    /// Puts the known names on trades. Each order is asked for once, and then in each round one of those that were denied.
    pub(super) fn put_on(&self, fills: &mut [Fill], round: Timestamp) -> Naming {
        for fill in fills.iter_mut().filter(|fill| fill.client_id.is_none()) {
            fill.client_id = self.told.get(&fill.order_id).copied().flatten();
        }
        let nameless = fills.iter().filter(|fill| fill.client_id.is_none()).map(|fill| fill.order_id);
        let unknown = nameless.filter(|order| !self.told.contains_key(order));
        let Some(order) = unknown.min_by_key(|order| self.denied.get(order)) else { return Naming::Done };
        if self.denied.contains_key(&order) && self.denied.values().any(|last| *last >= round) {
            Naming::Denied(order)
        } else {
            Naming::Ask(order)
        }
    }

    /// The exchange knows an order by this name, or by none.
    pub(super) fn tell(&mut self, order: OrderId, name: Option<ClientOrderId>) {
        self.told.insert(order, name);
        self.denied.remove(&order);
        self.denied_since = None;
    }

    /// The exchange does not know an order.
    pub(super) fn deny(&mut self, order: OrderId, round: Timestamp) {
        self.denied.insert(order, round);
        self.denied_since.get_or_insert(round);
    }

    /// Whether those that were denied are not asked for any more.
    pub(super) fn are_forgotten(&self, round: Timestamp) -> bool {
        self.denied_since.is_some_and(|since| round.since(since) >= FORGOTTEN)
    }
}
