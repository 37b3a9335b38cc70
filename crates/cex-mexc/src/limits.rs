//! What the exchange lets us ask, as budgets, and what each call takes from them.
//!
//! The published limits disagree with each other and with measurements (MEXC-LIMIT-01), so these are the careful ones
//! (MEXC-LIMIT-02). Every call counts against the whole address; a batch counts as one of the orders' calls and has a
//! limit of its own.

use cex_interface::{BatchRule, Bucket, BucketRule, CallClass, Charge, Cost, PageRule, Request};
use std::time::Duration;

/// Subscriptions a connection carries; more are refused (MEXC-WS-02).
pub const SUBSCRIPTIONS_PER_CONNECTION: usize = 30;

/// Connections that may stand at one address: as many as have been seen to (MEXC-WS-18).
const CONNECTIONS_PER_ADDRESS: usize = 300;

/// Public connections of one account that may be configured: each may have its successor beside it while it is
/// replaced, and the account's connection too.
pub const MOST_CONNECTIONS: usize = CONNECTIONS_PER_ADDRESS / 2 - 1;

/// Orders of one `batchOrders` call, all of one symbol (MEXC-REST-24).
pub const PLACE_BATCH: BatchRule = BatchRule { orders: 20, symbols: 1, orders_per_symbol: 20 };

const DAY: Duration = Duration::from_secs(24 * 3_600);

/// Symbols whose open orders one call lists (MEXC-REST-27).
pub const OPEN_ORDERS_OF: usize = 5;

/// Orders are kept for seven days and listed a thousand at a time (MEXC-REST-25).
pub const ORDERS_PAGE: PageRule = PageRule {
    rows: 1_000,
    rows_perhaps: 1_000,
    span: DAY.saturating_mul(7),
    grain: Duration::from_millis(1),
    kept: Some(DAY.saturating_mul(7)),
};

/// Our trades are kept for a month and listed a hundred at a time, perhaps a thousand (MEXC-REST-18).
pub const FILLS_PAGE: PageRule = PageRule {
    rows: 100,
    rows_perhaps: 1_000,
    span: DAY.saturating_mul(7),
    grain: Duration::from_millis(1),
    kept: Some(DAY.saturating_mul(30)),
};

/// Every call from this address: 15/s, burst 20.
pub const ALL: Bucket = Bucket("all");
/// Placing and cancelling together: 10/s.
pub const ORDERS: Bucket = Bucket("orders");
/// Balances: 3 in 2 s, burst 2.
pub const ACCOUNT: Bucket = Bucket("account");
/// Book snapshots: 5/s, burst 10.
pub const DEPTH: Bucket = Bucket("depth");
/// Batches of orders: 2/s.
pub const BATCHES: Bucket = Bucket("batches");
/// The account's fees, of one symbol in a call: 20 of the 500 that one call's documentation allows in 10 s.
pub const FEES: Bucket = Bucket("fees");
/// Our trades: weight 10 of the 500 that each call's documentation allows an account in 10 s, so 50; less five, for what
/// somebody else asks with the same account.
pub const OWN_TRADES: Bucket = Bucket("own trades");
/// Ended orders: likewise, and apart from [`OWN_TRADES`].
pub const ORDER_HISTORY: Bucket = Bucket("order history");
/// Calls about listen keys: 1/s, burst 5.
pub const LISTEN_KEYS: Bucket = Bucket("listen keys");

/// Kept for what must go through: cancels, hedges, queries of unknown orders.
const RESERVE_PCT: u8 = 30;

/// The budgets; none with limits off.
pub(crate) fn rules(on: bool) -> Vec<BucketRule> {
    let rule = |bucket, capacity, window_ms, reserve_pct| BucketRule {
        bucket,
        capacity,
        window: Duration::from_millis(window_ms),
        per_symbol: false,
        reserve_pct,
    };
    if !on {
        return Vec::new();
    }
    // A window is the burst divided by the rate, rounded up.
    vec![
        rule(ALL, 20, 1_334, RESERVE_PCT),
        rule(ORDERS, 10, 1_000, RESERVE_PCT),
        rule(ACCOUNT, 2, 1_334, 0),
        rule(DEPTH, 10, 2_000, 0),
        rule(BATCHES, 1, 500, 0),
        rule(FEES, 25, 10_000, 0),
        rule(OWN_TRADES, 45, 10_000, RESERVE_PCT),
        rule(ORDER_HISTORY, 45, 10_000, RESERVE_PCT),
        rule(LISTEN_KEYS, 5, 5_000, 0),
    ]
}

/// What a call takes; nothing with limits off.
pub(crate) fn cost(request: &Request, on: bool) -> Cost {
    let (class, own) = match request {
        Request::Ping
        | Request::ServerTime
        | Request::Symbols
        | Request::Tradable
        | Request::Assets
        | Request::Trades { .. }
        | Request::Klines { .. }
        | Request::Tickers { .. }
        | Request::BookTickers { .. } => (CallClass::MarketData, None),
        Request::Fees { .. } => (CallClass::MarketData, Some(FEES)),
        Request::Book { .. } => (CallClass::MarketData, Some(DEPTH)),
        Request::Account => (CallClass::Query, Some(ACCOUNT)),
        Request::MyTrades { .. } => (CallClass::Query, Some(OWN_TRADES)),
        Request::OrderHistory { .. } => (CallClass::Query, Some(ORDER_HISTORY)),
        Request::Order { .. }
        | Request::OpenOrders { .. }
        | Request::OpenOrdersOf(_)
        | Request::Withdrawals => (CallClass::Query, None),
        Request::CreateListenKey
        | Request::ListenKeys
        | Request::KeepListenKey(_)
        | Request::DeleteListenKey(_) => (CallClass::Query, Some(LISTEN_KEYS)),
        Request::Cancel { .. } | Request::CancelAll { .. } => (CallClass::Cancel, Some(ORDERS)),
        Request::Place(_) | Request::PlaceBatch(_) | Request::TestOrder(_) => {
            (CallClass::Placement, Some(ORDERS))
        }
        // Never sent: encoding refuses them.
        Request::Amend { .. } | Request::DeadManSwitch { .. } | Request::CancelBatch(_) => {
            (CallClass::Query, None)
        }
    };
    let charge = |bucket| Charge { bucket, symbol: None, weight: 1 };
    let batch = matches!(request, Request::PlaceBatch(_)).then_some(BATCHES);
    let charges = if on { [Some(charge(ALL)), own.map(charge), batch.map(charge)] } else { [None; 3] };
    Cost { class, charges }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buckets(request: &Request) -> Vec<&'static str> {
        cost(request, true).charges.iter().flatten().map(|charge| charge.bucket.0).collect()
    }

    #[test]
    fn every_call_counts_against_the_address_and_some_against_more() {
        let (symbol, range) = (cex_core::SymbolId(0), cex_interface::TimeRange::default());
        for (request, expected) in [
            (Request::Ping, &["all"][..]),
            (Request::Book { symbol, depth: 1_000 }, &["all", "depth"]),
            (Request::CancelAll { symbol }, &["all", "orders"]),
            (Request::Account, &["all", "account"]),
            (Request::Fees { symbol: Some(symbol) }, &["all", "fees"]),
            (Request::MyTrades { symbol, order: None, range, limit: 100 }, &["all", "own trades"]),
            (Request::OrderHistory { symbol, range, limit: 1_000 }, &["all", "order history"]),
            (Request::OpenOrders { symbol: None }, &["all"]),
            (Request::PlaceBatch(vec![]), &["all", "orders", "batches"]),
            (Request::CreateListenKey, &["all", "listen keys"]),
        ] {
            assert_eq!(buckets(&request), expected, "{request:?}");
        }
    }

    #[test]
    fn every_charged_budget_exists_and_rates_hold() {
        let rules = rules(true);
        for bucket in [ALL, ORDERS, ACCOUNT, DEPTH, BATCHES, FEES, OWN_TRADES, ORDER_HISTORY, LISTEN_KEYS] {
            assert!(rules.iter().any(|rule| rule.bucket == bucket), "{bucket:?}");
        }
        for (rule, rate) in rules.iter().zip([15.0, 10.0, 1.5, 5.0, 2.0, 2.5, 4.5, 4.5, 1.0]) {
            assert!(f64::from(rule.capacity) / rule.window.as_secs_f64() <= rate, "{:?}", rule.bucket);
        }
    }

    /// MEXC-LIMIT-02: the span of a lost order is read in many calls, and none of them may be one too many.
    #[test]
    fn own_trades_and_order_history_stay_below_what_their_weight_allows() {
        const WEIGHT: u32 = 10;
        for bucket in [OWN_TRADES, ORDER_HISTORY] {
            let rule = rules(true).into_iter().find(|rule| rule.bucket == bucket).expect("a rule");
            assert_eq!(rule.window, Duration::from_secs(10), "{bucket:?}");
            assert!(rule.capacity * WEIGHT < 500, "{bucket:?}");
            assert_eq!(rule.reserve_pct, RESERVE_PCT, "{bucket:?}");
        }
    }

    #[test]
    fn limits_can_be_off_against_a_simulator() {
        assert!(super::rules(false).is_empty());
        assert_eq!(cost(&Request::Account, false), Cost { class: CallClass::Query, charges: [None; 3] });
    }
}
