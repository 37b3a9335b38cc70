//! The exchange's budgets as data, and what answers say of them (GATEIO-REST-10).

use crate::error;
use crate::wire::{ErrorBody, parse, text};
use cex_core::{SymbolId, Timestamp};
use cex_interface::{
    BatchRule, Bucket, BucketRule, CallClass, Charge, Cost, Feedback, HttpResponse, PageRule, Request,
};
use std::time::Duration;

/// Levels a side of a snapshot: deeper ones are cached and can be tens of seconds old (GATEIO-REST-12).
pub(crate) const DEEPEST_BOOK: u32 = 100;
/// Books on one connection: more delay each other (GATEIO-WS-23).
pub(crate) const BOOKS_PER_CONNECTION: usize = 50;
/// The most that may be configured.
pub(crate) const MOST_BOOKS_PER_CONNECTION: usize = 200;
/// Streams other than books on one connection: each sends little.
pub(crate) const OTHERS_PER_CONNECTION: usize = 200;
/// Connections the exchange takes from one address (GATEIO-WS-28).
const CONNECTIONS_PER_ADDRESS: usize = 300;
/// Public connections of one account that may be configured: each may have its successor beside it while it is
/// replaced, and the account's connection and that for orders too.
pub(crate) const MOST_CONNECTIONS: usize = CONNECTIONS_PER_ADDRESS / 2 - 2;

/// Orders of one market that may be placed in a second.
const ORDERS_PER_SECOND: u32 = 10;
/// The exchange takes 10 orders of each of 4 markets in a batch (GATEIO-REST-29). Every order counts against its market's
/// budget, of which a part is kept, and a call touches three budgets at most.
pub(crate) const PLACE_BATCH: BatchRule =
    BatchRule { orders: 3 * PLACEABLE, symbols: 3, orders_per_symbol: PLACEABLE };
const PLACEABLE: usize =
    (ORDERS_PER_SECOND - (ORDERS_PER_SECOND * RESERVE_PCT as u32).div_ceil(100)) as usize;
/// Orders cancelled in one call (GATEIO-REST-30).
pub(crate) const CANCEL_BATCH: BatchRule = BatchRule { orders: 20, symbols: 20, orders_per_symbol: 20 };

const MONTH: Duration = Duration::from_secs(30 * 24 * 3_600);
/// Ended orders, by the time they ended (GATEIO-REST-23).
pub(crate) const ORDERS_PAGE: PageRule =
    PageRule { rows: 1_000, rows_perhaps: 1_000, span: MONTH, grain: Duration::from_secs(1), kept: None };
/// Our fills: at most 30 days in one call (GATEIO-REST-24).
pub(crate) const FILLS_PAGE: PageRule = ORDERS_PAGE;

/// Placing and amending together; each market has its own.
const ORDERS: Bucket = Bucket("orders");
/// Cancelling one or all.
const CANCELS: Bucket = Bucket("cancels");

/// The window of [`ORDERS`].
const ORDERS_WINDOW: Duration = Duration::from_secs(1);

/// What is left of [`ORDERS`] to an account that trades little for its requests: ten in ten seconds for all markets together,
/// for an hour at least (GATEIO-REST-11). After it the exchange says so again if it must. Its reset is not waited for longer
/// than that: closings get through.
const FEW_FILLS: Feedback = Feedback::Narrowed {
    bucket: ORDERS,
    capacity: 10,
    window: FEW_FILLS_WINDOW,
    lasts: Duration::from_secs(3_600),
};
const FEW_FILLS_WINDOW: Duration = Duration::from_secs(10);

/// Kept for cancels, hedges and queries of unknown orders.
const RESERVE_PCT: u8 = 30;
/// Added to what a reset time says: its unit and rounding are not documented (GATEIO-REST-08).
const RESET_MARGIN: Duration = Duration::from_secs(1);
/// No reset lies further ahead than the fill-ratio rule's hour (GATEIO-REST-11); a larger one is a broken
/// clock.
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);
/// A refusal is short: a longer body is not searched a second time for its label.
const LONGEST_REFUSAL: usize = 1_024;

/// 200 calls in 10 s: what every endpoint without a rule of its own allows, each for itself.
const fn endpoint(name: &'static str) -> BucketRule {
    BucketRule {
        bucket: Bucket(name),
        capacity: 200,
        window: Duration::from_secs(10),
        per_symbol: false,
        reserve_pct: RESERVE_PCT,
    }
}

/// Every budget our calls touch.
pub(crate) const RULES: &[BucketRule] = &[
    BucketRule {
        bucket: ORDERS,
        capacity: ORDERS_PER_SECOND,
        window: ORDERS_WINDOW,
        per_symbol: true,
        reserve_pct: RESERVE_PCT,
    },
    BucketRule {
        bucket: CANCELS,
        capacity: 200,
        window: Duration::from_secs(1),
        per_symbol: false,
        reserve_pct: RESERVE_PCT,
    },
    endpoint("time"),
    endpoint("currency_pairs"),
    endpoint("currencies"),
    endpoint("order_book"),
    endpoint("trades"),
    endpoint("candlesticks"),
    endpoint("tickers"),
    endpoint("accounts"),
    endpoint("wallet_fee"),
    endpoint("batch_fee"),
    endpoint("order"),
    endpoint("open_orders"),
    endpoint("finished_orders"),
    endpoint("my_trades"),
    endpoint("withdrawals"),
    endpoint("countdown_cancel_all"),
];

/// What a call takes, and of which budget; nothing for calls the exchange lacks.
fn charged(request: &Request) -> [Option<Charge>; 3] {
    match request {
        Request::PlaceBatch(orders) => {
            let mut charges: [Option<Charge>; 3] = [None; 3];
            for order in orders {
                let symbol = Some(order.symbol);
                let is_its = |slot: &&mut Option<Charge>| slot.is_none_or(|charge| charge.symbol == symbol);
                if let Some(slot) = charges.iter_mut().find(is_its) {
                    let weight = slot.map_or(0, |charge| charge.weight) + 1;
                    *slot = Some(Charge { bucket: ORDERS, symbol, weight });
                }
            }
            charges
        }
        Request::CancelBatch(orders) => {
            let weight = u32::try_from(orders.len()).unwrap_or(u32::MAX);
            [Some(Charge { bucket: CANCELS, symbol: None, weight }), None, None]
        }
        _single => [single(request).map(|(bucket, symbol)| Charge { bucket, symbol, weight: 1 }), None, None],
    }
}

/// The budget of a call that is about one thing, and the symbol where each has its own.
fn single(request: &Request) -> Option<(Bucket, Option<SymbolId>)> {
    let (bucket, symbol) = match request {
        Request::Place(order) => (ORDERS, Some(order.symbol)),
        Request::Amend { symbol, .. } => (ORDERS, Some(*symbol)),
        Request::Cancel { .. } | Request::CancelAll { .. } => (CANCELS, None),
        Request::Ping | Request::ServerTime => (Bucket("time"), None),
        Request::Symbols => (Bucket("currency_pairs"), None),
        Request::Assets => (Bucket("currencies"), None),
        Request::Book { .. } => (Bucket("order_book"), None),
        Request::Trades { .. } => (Bucket("trades"), None),
        Request::Klines { .. } => (Bucket("candlesticks"), None),
        Request::Tickers { .. } | Request::BookTickers { .. } => (Bucket("tickers"), None),
        Request::Account => (Bucket("accounts"), None),
        Request::Fees { symbol: None } => (Bucket("wallet_fee"), None),
        Request::Fees { symbol: Some(_) } => (Bucket("batch_fee"), None),
        Request::Withdrawals => (Bucket("withdrawals"), None),
        Request::Order { .. } => (Bucket("order"), None),
        Request::OpenOrders { .. } => (Bucket("open_orders"), None),
        Request::OrderHistory { .. } => (Bucket("finished_orders"), None),
        Request::MyTrades { .. } => (Bucket("my_trades"), None),
        Request::DeadManSwitch { .. } => (Bucket("countdown_cancel_all"), None),
        Request::PlaceBatch(_)
        | Request::CancelBatch(_)
        | Request::OpenOrdersOf(_)
        | Request::TestOrder(_)
        | Request::CreateListenKey
        | Request::ListenKeys
        | Request::KeepListenKey(_)
        | Request::DeleteListenKey(_)
        | Request::Tradable => return None,
    };
    Some((bucket, symbol))
}

/// What a call takes from the budgets.
pub(crate) fn cost(request: &Request, counted: bool) -> Cost {
    let class = match request {
        Request::Place(_) | Request::PlaceBatch(_) | Request::Amend { .. } => CallClass::Placement,
        // The dead man's switch protects like a cancel does, so it goes through like one.
        Request::Cancel { .. }
        | Request::CancelBatch(_)
        | Request::CancelAll { .. }
        | Request::DeadManSwitch { .. } => CallClass::Cancel,
        Request::Account
        | Request::Fees { .. }
        | Request::Withdrawals
        | Request::Order { .. }
        | Request::OpenOrders { .. }
        | Request::OpenOrdersOf(_)
        | Request::OrderHistory { .. }
        | Request::MyTrades { .. }
        | Request::TestOrder(_)
        | Request::CreateListenKey
        | Request::ListenKeys
        | Request::KeepListenKey(_)
        | Request::DeleteListenKey(_) => CallClass::Query,
        Request::Tradable
        | Request::Ping
        | Request::ServerTime
        | Request::Symbols
        | Request::Assets
        | Request::Book { .. }
        | Request::Trades { .. }
        | Request::Klines { .. }
        | Request::Tickers { .. }
        | Request::BookTickers { .. } => CallClass::MarketData,
    };
    Cost { class, charges: if counted { charged(request) } else { [None; 3] } }
}

/// What an answer says of the budget its call took from. `now` is our clock, which may run apart from the
/// exchange's, so the exchange's own time of departure is preferred.
pub(crate) fn feedback(request: &Request, response: &HttpResponse<'_>, now: Timestamp) -> Vec<Feedback> {
    let charges = charged(request);
    let told = charges.iter().flatten();
    let refusal = Refusal::of(response);
    if refusal == Some(Refusal::FewFills) && told.clone().any(|charge| charge.bucket == ORDERS) {
        return vec![FEW_FILLS];
    }
    if refusal.is_some() {
        let wait = wait_until_reset(response, departed(response).unwrap_or(now)).unwrap_or(RESET_MARGIN);
        // One market's window is spent: the others' are not, and a hedge there must not wait. A longer wait
        // is a rule for the account as a whole (GATEIO-REST-11).
        let of_one = |charge: &Charge| {
            let Charge { bucket, symbol, .. } = *charge;
            if symbol.is_some() && wait <= ORDERS_WINDOW + RESET_MARGIN {
                return Feedback::Remaining { bucket, symbol, weight: 0 };
            }
            Feedback::Blocked { bucket: Some(bucket), wait }
        };
        return told.map(of_one).collect();
    }
    // Of several markets it is not said which one's is told.
    let [Some(Charge { bucket, symbol, .. }), None, None] = charges else { return Vec::new() };
    let remaining =
        number(response, "x-gate-ratelimit-requests-remain").and_then(|left| u32::try_from(left).ok());
    remaining.map(|weight| Feedback::Remaining { bucket, symbol, weight }).into_iter().collect()
}

/// How long a refusal asks to wait, where it tells by the exchange's own clock.
pub(crate) fn retry_after(response: &HttpResponse<'_>) -> Option<Duration> {
    if Refusal::of(response) == Some(Refusal::FewFills) {
        return Some(FEW_FILLS_WINDOW);
    }
    wait_until_reset(response, departed(response)?)
}

/// Which limit a call met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    /// Too many calls in a window.
    TooMany,
    /// Trading little with many requests, which the words tell by their end only (GATEIO-REST-11).
    FewFills,
}

impl Refusal {
    /// Told by the label, whatever the status, or by the status where there is no body to read (GATEIO-REST-05).
    fn of(response: &HttpResponse<'_>) -> Option<Self> {
        let by_status = (response.status == 429).then_some(Self::TooMany);
        let body = response.body.trim_ascii_start();
        if !body.starts_with(b"{") || body.len() > LONGEST_REFUSAL {
            return by_status;
        }
        let Ok(body) = parse::<ErrorBody<'_>>(body) else { return by_status };
        if by_status.is_none() && !error::is_limit(text(body.label.as_ref())) {
            return None;
        }
        let words = body.message.as_ref().or(body.detail.as_ref());
        let few_fills = text(words).trim_end().ends_with("(212)");
        Some(if few_fills { Self::FewFills } else { Self::TooMany })
    }
}

/// When the exchange sent the answer (GATEIO-REST-09).
fn departed(response: &HttpResponse<'_>) -> Option<Timestamp> {
    number(response, "x-out-time").map(|micros| Timestamp::from_nanos(micros.saturating_mul(1_000)))
}

fn wait_until_reset(response: &HttpResponse<'_>, now: Timestamp) -> Option<Duration> {
    const LEAST_MILLIS: i64 = 1_000_000_000_000;
    let reset = number(response, "x-gate-ratelimit-reset-timestamp")?;
    let reset =
        if reset >= LEAST_MILLIS { Timestamp::from_millis(reset) } else { Timestamp::from_secs(reset) };
    Some((reset.since(now) + RESET_MARGIN).min(LONGEST_WAIT))
}

fn number(response: &HttpResponse<'_>, name: &str) -> Option<i64> {
    response.header(name)?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use cex_core::OrderId;
    use cex_interface::OrderRef;

    const CANCEL: Request = Request::CancelAll { symbol: SymbolId(3) };

    fn amend() -> Request {
        let order = OrderRef::Id(OrderId::new("1").expect("short"));
        Request::Amend { symbol: SymbolId(3), order, price: None, qty: None }
    }

    fn told(request: &Request, status: u16, headers: &[(&str, &[u8])], now: i64) -> Vec<Feedback> {
        feedback(request, &HttpResponse { status, headers, body: b"" }, Timestamp::from_millis(now))
    }

    #[test]
    fn every_charge_has_a_rule() {
        let requests = [
            Request::Ping,
            Request::Symbols,
            Request::Assets,
            Request::Book { symbol: SymbolId(0), depth: 20 },
            Request::Tickers { symbol: None },
            Request::Account,
            Request::Fees { symbol: None },
            Request::Fees { symbol: Some(SymbolId(0)) },
            Request::Withdrawals,
            Request::OpenOrders { symbol: None },
            Request::DeadManSwitch { timeout: Duration::ZERO },
            CANCEL,
            amend(),
        ];
        for request in requests {
            let [Some(charge), None, None] = cost(&request, true).charges else { panic!("{request:?}") };
            let rule = RULES.iter().find(|rule| rule.bucket == charge.bucket).expect("a rule");
            assert_eq!(rule.per_symbol, charge.symbol.is_some(), "{request:?}");
            assert_eq!(cost(&request, false).charges, [None; 3]);
        }
    }

    #[test]
    fn amendments_share_the_budget_of_placements_and_are_never_repeated() {
        let cost = cost(&amend(), true);
        assert_eq!(cost.class, CallClass::Placement);
        assert_eq!(cost.charges[0], Some(Charge { bucket: ORDERS, symbol: Some(SymbolId(3)), weight: 1 }));
    }

    #[test]
    fn headers_correct_our_count() {
        let left = [("x-gate-ratelimit-requests-remain", b"7".as_slice())];
        let expected = Feedback::Remaining { bucket: ORDERS, symbol: Some(SymbolId(3)), weight: 7 };
        assert_eq!(told(&amend(), 200, &left, 0), [expected]);
        assert_eq!(told(&amend(), 200, &[], 0), []);
        assert_eq!(told(&amend(), 200, &[("x-gate-ratelimit-requests-remain", b"many")], 0), []);
    }

    #[test]
    fn one_markets_limit_stops_that_market_only_unless_it_is_long() {
        let check = |reset: &[u8], expected| {
            let headers = [("x-gate-ratelimit-reset-timestamp", reset)];
            assert_eq!(told(&amend(), 429, &headers, 1_700_000_000_500), [expected]);
        };
        check(b"1700000001000", Feedback::Remaining { bucket: ORDERS, symbol: Some(SymbolId(3)), weight: 0 });
        let wait = Duration::from_millis(10_500);
        check(b"1700000010000", Feedback::Blocked { bucket: Some(ORDERS), wait });
    }

    /// GATEIO-REST-11.
    #[test]
    fn a_poor_fill_ratio_narrows_all_markets_for_an_hour() {
        let check = |request: &Request, status, message: &str, narrowed: bool| {
            let body = format!("{{\"label\":\"TOO_MANY_REQUESTS\",\"message\":\"{message}\"}}\n");
            for reset in [&[][..], &[("x-gate-ratelimit-reset-timestamp", b"1700000001000".as_slice())][..]] {
                let response = HttpResponse { status, headers: reset, body: body.as_bytes() };
                let said = feedback(request, &response, Timestamp::from_millis(1_700_000_000_500));
                assert_eq!(said == [FEW_FILLS], narrowed, "{status} {message}: {said:?}");
                let is_told = retry_after(&response) == Some(Duration::from_secs(10));
                assert_eq!(is_told, message.ends_with("(212)"), "{status} {message}");
            }
        };
        check(&amend(), 429, "Request Rate limit Exceeded (212)", true);
        check(&amend(), 429, "Request Rate limit Exceeded (211)", false);
        check(&amend(), 400, "Request Rate limit Exceeded (212)", true);
        check(&CANCEL, 429, "Request Rate limit Exceeded (212)", false);
    }

    /// The trading interface of the streams and a gateway may put it under another status (GATEIO-REST-05).
    #[test]
    fn a_limit_is_learned_by_its_label_whatever_the_status() {
        let check = |status, body: &str, blocked: bool| {
            let response = HttpResponse { status, headers: &[], body: body.as_bytes() };
            let said = feedback(&CANCEL, &response, Timestamp::from_secs(1_700_000_000));
            let expected = Feedback::Blocked { bucket: Some(CANCELS), wait: RESET_MARGIN };
            assert_eq!(said == [expected], blocked, "{status} {body}: {said:?}");
            assert_eq!(said.is_empty(), !blocked, "{status} {body}: {said:?}");
        };
        let label = r#"{"label":"TOO_MANY_REQUESTS","message":"Request Rate limit Exceeded (211)"}"#;
        for status in [0, 200, 400, 403, 429, 503] {
            check(status, label, true);
        }
        check(429, "<html>", true);
        check(429, "", true);
        check(429, r#"{"label":"BRAND_NEW"}"#, true);
        check(400, r#"{"label":"INVALID_PARAM_VALUE","message":"TOO_MANY_REQUESTS (212)"}"#, false);
        check(400, "<html>", false);
        check(200, r#"{"id":"1","text":"TOO_MANY_REQUESTS"}"#, false);
    }

    #[test]
    fn a_reset_is_in_seconds_or_milliseconds_by_its_size() {
        let check = |reset: &[u8], expected| {
            let blocked =
                told(&CANCEL, 429, &[("x-gate-ratelimit-reset-timestamp", reset)], 1_700_000_000_500);
            let wait = Duration::from_millis(expected);
            assert_eq!(blocked, [Feedback::Blocked { bucket: Some(CANCELS), wait }]);
        };
        check(b"1700000002", 2_500);
        check(b"1700000002000", 2_500);
        check(b"1600000000", 1_000);
        check(b"9999999999999", 3_600_000);
        check(b"soon", 1_000);
    }
}
