//! How many orders an exchange's request budgets take, as the gate must know it: what is decided on must be able to leave.

use cex_core::Bps;
use cex_interface::{BucketRule, Cost};
use cex_risk::OrderWindow;
use cex_transport::RestConfig;
use cex_transport::rate::{open_capacity, reserving};
use std::time::Duration;

/// What was decided leaves within this, or not at all: the gate counts decisions, the budget what leaves.
const LEAVES_WITHIN: Duration = Duration::from_millis(50);

/// Calls that a running engine makes beside its orders within one window of a budget they share: open orders every two
/// seconds, the fee of one market each second, of which two fall into a window, and one of the rarer ones.
const BESIDE: u32 = 4;

/// The windows in which orders of this cost are counted: those of the budgets, as long as the budgets hold them, and without
/// what is kept back for cancels, hedges and questions. No rate per second comes of it: ten in a second and a third is no
/// seven a second, but ten at once and nothing for the rest. `question` is what a call costs that is made beside orders, and
/// takes from the same budgets.
pub(super) fn order_windows(
    rules: &[BucketRule],
    (order, question): (&Cost, &Cost),
    config: &RestConfig,
) -> Vec<OrderWindow> {
    let rules = reserving(rules, config.reserve_pct);
    let windows = order.charges.iter().flatten().filter_map(|charge| {
        let rule = rules.iter().find(|rule| rule.bucket == charge.bucket)?;
        let is_shared = question.charges.iter().flatten().any(|other| other.bucket == charge.bucket);
        let beside = if is_shared { BESIDE } else { 0 };
        Some(OrderWindow {
            orders: open_capacity(rule, rule.capacity).saturating_sub(beside).max(1) / charge.weight.max(1),
            span: rule.window + config.budget_spread + LEAVES_WITHIN,
            per_symbol: rule.per_symbol,
        })
    });
    windows.collect()
}

/// A part in whole per cent, as budgets keep it; never less than was asked for.
pub(super) fn reserve_pct(part: Bps) -> u8 {
    let whole = part.e8().max(0).saturating_add(999_999) / 1_000_000;
    u8::try_from(whole).unwrap_or(u8::MAX).min(100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cex_core::{
        ClientOrderId, OrderKind, OrderRequest, Price, Qty, Side, SymbolId, TimeInForce, Timestamp, VenueId,
    };
    use cex_interface::{Protocol, Registration, Request, VenueConfig};
    use cex_risk::OrderWindows;
    use cex_transport::rate::{Budget, Refusal, Urgency};
    use std::sync::Arc;

    fn place(symbol: u32) -> Request {
        Request::Place(OrderRequest {
            venue: VenueId::new(0, "x").expect("short"),
            symbol: SymbolId(symbol),
            client_id: ClientOrderId::default(),
            side: Side::Buy,
            kind: OrderKind::Limit { price: Price(1), qty: Qty(1), tif: TimeInForce::Ioc },
            expires_in: Duration::from_secs(1),
        })
    }

    fn protocol(exchange: &Registration) -> Arc<dyn Protocol> {
        let id = VenueId::new(0, exchange.name).expect("short");
        (exchange.open)(VenueConfig::public(id)).expect("opens without keys")
    }

    /// A minute of wanting to place orders all the time, in three symbols, each decision leaving after another delay; how
    /// many left and how many the budget refused.
    fn a_minute(exchange: &Registration, reserve_pct: Option<u8>) -> (u32, u32) {
        let (protocol, config) = (protocol(exchange), RestConfig { reserve_pct, ..RestConfig::default() });
        let question = protocol.cost(&Request::OpenOrders { symbol: None });
        let costs = (&protocol.cost(&place(0)), &question);
        let windows = order_windows(protocol.limits(), costs, &config);
        let mut gate = OrderWindows::new(&windows);
        let rules = reserving(protocol.limits(), reserve_pct);
        let mut budget = Budget::new(&rules, config.budget_spread);
        let (mut left, mut refused) = (0, 0);
        for millis in 0..60_000_u32 {
            let decided = Timestamp::from_millis(1_000_000 + i64::from(millis));
            // What a running engine asks besides.
            let asks = [
                (2_000, Request::OpenOrders { symbol: None }, Urgency::CanWait),
                (1_000, Request::Fees { symbol: Some(SymbolId(0)) }, Urgency::CanWait),
                (10_000, Request::Account, Urgency::Normal),
            ];
            for (_, request, urgency) in asks.into_iter().filter(|(every, ..)| millis % every == 0) {
                // Those that can wait do.
                let _ = budget.acquire(&protocol.cost(&request), urgency, decided);
            }
            let symbol = millis / 7 % 3;
            if gate.wait(decided, SymbolId(symbol)).is_zero() {
                gate.note(decided, SymbolId(symbol));
                let leaves = decided + Duration::from_millis(u64::from(millis % 40));
                match budget.acquire(&protocol.cost(&place(symbol)), Urgency::Normal, leaves) {
                    Ok(()) => left += 1,
                    Err(_) => refused += 1,
                }
            }
        }
        (left, refused)
    }

    #[test]
    fn what_the_gate_lets_through_the_budgets_let_leave() {
        for exchange in [cex_mexc::REGISTRATION, cex_gateio::REGISTRATION] {
            for reserve in [None, Some(10), Some(50)] {
                let (left, refused) = a_minute(&exchange, reserve);
                assert_eq!(refused, 0, "{} keeping {reserve:?}: {left} left", exchange.name);
                assert!(left >= 50, "{} keeping {reserve:?}: only {left} left", exchange.name);
            }
        }
        // Seven in 1.1 s at MEXC, and nearly all of them are made use of.
        let (left, _) = a_minute(&cex_mexc::REGISTRATION, None);
        assert!((340..=385).contains(&left), "{left}");
    }

    #[test]
    fn a_burst_of_comparing_leaves_what_a_closing_needs() {
        let protocol = protocol(&cex_mexc::REGISTRATION);
        let mut budget = Budget::new(protocol.limits(), RestConfig::default().budget_spread);
        let now = Timestamp::from_millis(1_000_000);
        let read = protocol.cost(&Request::OpenOrders { symbol: None });
        let left = (0..40).filter(|_| budget.acquire(&read, Urgency::CanWait, now).is_ok()).count();
        assert_eq!(left, 14, "of twenty, and six are kept");
        assert!(matches!(budget.acquire(&read, Urgency::CanWait, now), Err(Refusal::Wait(_))));
        assert_eq!(budget.acquire(&protocol.cost(&place(0)), Urgency::MustGo, now), Ok(()));
        assert_eq!(budget.acquire(&read, Urgency::Normal, now), Ok(()), "about a lost order");
    }

    #[test]
    fn a_part_of_the_budget_is_rounded_up_to_whole_per_cent() {
        for (e8, pct) in
            [(0, 0), (1, 1), (30_000_000, 30), (30_000_001, 31), (100_000_000, 100), (i64::MAX, 100)]
        {
            assert_eq!(reserve_pct(Bps::from_e8(e8)), pct, "{e8}");
        }
    }
}
