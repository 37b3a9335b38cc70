//! REST: from a path to an endpoint, from an endpoint to an answer, with the headers every answer carries.

use super::batch::{self, Twin};
use super::limit::{Budget, Quota};
use super::query::{self, Query};
use super::refusal::Refusal;
use super::{Gateio, account, orders, public, sign, triggers, wallet};
use crate::dialect::{HttpAnswer, HttpCall};
use crate::matching::{AccountIndex, Exchange};
use cex_core::Timestamp;
use std::borrow::Cow;

/// What a call asks for, before anything of it is checked but path and method.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Route<'a> {
    Public(Public<'a>),
    Private(Private<'a>),
}

/// Endpoints anyone may call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Public<'a> {
    Time,
    Currencies,
    Currency(Cow<'a, str>),
    CurrencyChains,
    Pairs,
    Pair(Cow<'a, str>),
    MarginPairs,
    Tickers,
    OrderBook,
    Trades,
    Candlesticks,
}

/// Endpoints that need a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Private<'a> {
    AccountDetail,
    Accounts,
    WalletFee,
    SpotFee,
    BatchFee,
    Place,
    List,
    CancelAll,
    /// By number or client id.
    Get(Cow<'a, str>),
    /// By number or client id.
    Cancel(Cow<'a, str>),
    /// By number or client id.
    Amend(Cow<'a, str>),
    PlaceBatch,
    AmendBatch,
    CancelBatch,
    RateLimit,
    OpenOrders,
    MyTrades,
    Countdown,
    Withdrawals,
    Deposits,
    WithdrawStatus,
    AccountBook,
    UnifiedAccounts,
    Trigger,
    Triggers,
    CancelTriggers,
    /// By number.
    GetTrigger(Cow<'a, str>),
    /// By number.
    CancelTrigger(Cow<'a, str>),
}

/// A successful answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    /// 200, or 201 for a new order.
    pub(super) status: u16,
    /// JSON.
    pub(super) body: String,
}

impl Reply {
    /// A plain 200.
    pub(super) const fn ok(body: String) -> Self {
        Self { status: 200, body }
    }
}

/// A call with what the endpoints need of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request<'a> {
    /// When it arrived.
    pub(super) now: Timestamp,
    /// Its parameters.
    pub(super) query: &'a Query<'a>,
    /// Its raw body.
    pub(super) body: &'a [u8],
}

/// Answers a call.
pub(super) fn answer(
    gateio: &mut Gateio,
    now: Timestamp,
    exchange: &mut Exchange,
    call: &HttpCall<'_>,
) -> HttpAnswer {
    let mut quota = None;
    let mut answer = match dispatch(gateio, now, exchange, call, &mut quota) {
        Ok(reply) => HttpAnswer::json(reply.status, reply.body),
        Err(refusal) => refusal.answer(),
    };
    let micros = now.as_nanos().div_euclid(1_000);
    answer.headers.push(("x-gate-trace-id", gateio.next_trace()));
    answer.headers.push(("x-in-time", micros.to_string()));
    answer.headers.push(("x-out-time", micros.to_string()));
    if let Some(Quota { limit, remain, reset }) = quota {
        answer.headers.push(("x-gate-ratelimit-limit", limit.to_string()));
        answer.headers.push(("x-gate-ratelimit-reset-timestamp", reset.to_string()));
        answer.headers.extend(remain.map(|remain| ("x-gate-ratelimit-requests-remain", remain.to_string())));
    }
    answer
}

fn dispatch(
    gateio: &mut Gateio,
    now: Timestamp,
    exchange: &mut Exchange,
    call: &HttpCall<'_>,
    quota: &mut Option<Quota>,
) -> Result<Reply, Refusal> {
    let query = Query::parse(call.query);
    let request = Request { now, query: &query, body: call.body };
    match route(call.method, call.path)? {
        Route::Public(endpoint) => {
            gateio.count(now, Budget::Public(call.peer, endpoint.name()), quota)?;
            public::answer(gateio, exchange, &request, &endpoint).map(Reply::ok)
        }
        Route::Private(endpoint) => {
            let account = sign::authorize(&gateio.config.keys, now, exchange, call)?;
            sign::check_rights(&gateio.config.keys, call, endpoint.needs_wallet())?;
            for budget in budgets(gateio, account, &endpoint, call.body) {
                gateio.count(now, budget, quota)?;
            }
            check_content_type(call)?;
            private(gateio, exchange, account, &request, &endpoint)
        }
    }
}

fn private(
    gateio: &mut Gateio,
    exchange: &mut Exchange,
    account: AccountIndex,
    request: &Request<'_>,
    endpoint: &Private<'_>,
) -> Result<Reply, Refusal> {
    match endpoint {
        Private::AccountDetail => Ok(Reply::ok(account::detail(account))),
        Private::Accounts => account::balances(gateio, exchange, account, request).map(Reply::ok),
        Private::WalletFee | Private::SpotFee => {
            account::fee(gateio, exchange, account, request).map(Reply::ok)
        }
        Private::BatchFee => account::batch_fee(gateio, exchange, account, request).map(Reply::ok),
        Private::Place => {
            let body = orders::place(gateio, exchange, account, request)?;
            Ok(Reply { status: 201, body })
        }
        Private::List => orders::list(gateio, exchange, account, request).map(Reply::ok),
        Private::CancelAll => orders::cancel_all(gateio, exchange, account, request).map(Reply::ok),
        Private::Get(id) => orders::get(gateio, exchange, account, request, id).map(Reply::ok),
        Private::Cancel(id) => orders::cancel(gateio, exchange, account, request, id).map(Reply::ok),
        Private::Amend(id) => orders::amend(gateio, exchange, account, request, id).map(Reply::ok),
        Private::PlaceBatch => batch::place(gateio, exchange, account, request, Twin::Rest).map(Reply::ok),
        Private::AmendBatch => batch::amend(gateio, exchange, account, request).map(Reply::ok),
        Private::CancelBatch => batch::cancel(gateio, exchange, account, request).map(Reply::ok),
        Private::RateLimit => Ok(Reply::ok(account::rate_limit(request))),
        Private::OpenOrders => orders::open(gateio, exchange, account, request).map(Reply::ok),
        Private::MyTrades => orders::my_trades(gateio, exchange, account, request).map(Reply::ok),
        Private::Countdown => orders::countdown(gateio, account, request).map(Reply::ok),
        // Nothing ever left or came.
        Private::Withdrawals | Private::Deposits => Ok(Reply::ok("[]".to_owned())),
        Private::WithdrawStatus => wallet::withdraw_status(exchange, request).map(Reply::ok),
        // All accounts here are classic ones.
        Private::UnifiedAccounts => {
            Err(Refusal::new(400, "UNIFIED_ACCOUNT_NOT_ACTIVATED", "Unified account is not activated"))
        }
        Private::AccountBook => wallet::account_book(gateio, exchange, account, request).map(Reply::ok),
        Private::Trigger => triggers::create(gateio, exchange, account, request),
        Private::Triggers => triggers::list(gateio, exchange, account, request).map(Reply::ok),
        Private::CancelTriggers => triggers::cancel_all(gateio, exchange, account, request).map(Reply::ok),
        Private::GetTrigger(id) => triggers::get(gateio, exchange, account, id).map(Reply::ok),
        Private::CancelTrigger(id) => {
            triggers::cancel(gateio, exchange, account, (request.now, id)).map(Reply::ok)
        }
    }
}

/// A placement counts against its pair, and every one of a batch does, so the body is looked into before it is checked.
fn budgets(gateio: &Gateio, account: AccountIndex, endpoint: &Private<'_>, body: &[u8]) -> Vec<Budget> {
    match endpoint {
        Private::Place | Private::Amend(_) => vec![Budget::Place(account, orders::pair_of(gateio, body))],
        Private::PlaceBatch | Private::AmendBatch => {
            batch::markets(gateio, body).into_iter().map(|market| Budget::Place(account, market)).collect()
        }
        Private::Cancel(_) | Private::CancelAll | Private::CancelBatch => vec![Budget::Cancel(account)],
        Private::AccountDetail
        | Private::Accounts
        | Private::WalletFee
        | Private::SpotFee
        | Private::BatchFee
        | Private::List
        | Private::Get(_)
        | Private::OpenOrders
        | Private::MyTrades
        | Private::Countdown
        | Private::RateLimit
        | Private::Withdrawals
        | Private::Deposits
        | Private::WithdrawStatus
        | Private::AccountBook
        | Private::UnifiedAccounts
        | Private::Trigger
        | Private::Triggers
        | Private::CancelTriggers
        | Private::GetTrigger(_)
        | Private::CancelTrigger(_) => vec![Budget::Private(account, endpoint.name())],
    }
}

fn check_content_type(call: &HttpCall<'_>) -> Result<(), Refusal> {
    let is_json = call.header("content-type").is_none_or(|kind| kind.to_ascii_lowercase().contains("json"));
    if call.body.is_empty() || is_json {
        return Ok(());
    }
    Err(Refusal::new(400, "INVALID_CONTENT_TYPE", "Content-Type must be application/json"))
}

fn route<'a>(method: &str, path: &'a str) -> Result<Route<'a>, Refusal> {
    let inner = path.strip_prefix("/api/v4/").ok_or_else(Refusal::not_found)?;
    let parts: Vec<&str> = inner.split('/').collect();
    let get = |endpoint| only(method, "GET", Route::Public(endpoint));
    let signed = |wanted, endpoint| only(method, wanted, Route::Private(endpoint));
    match parts.as_slice() {
        ["spot", "time"] => get(Public::Time),
        ["spot", "currencies"] => get(Public::Currencies),
        ["spot", "currencies", name] => get(Public::Currency(query::decode(name))),
        ["wallet", "currency_chains"] => get(Public::CurrencyChains),
        ["spot", "currency_pairs"] => get(Public::Pairs),
        ["spot", "currency_pairs", name] => get(Public::Pair(query::decode(name))),
        ["margin", "currency_pairs"] => get(Public::MarginPairs),
        ["spot", "tickers"] => get(Public::Tickers),
        ["spot", "order_book"] => get(Public::OrderBook),
        ["spot", "trades"] => get(Public::Trades),
        ["spot", "candlesticks"] => get(Public::Candlesticks),
        ["account", "detail"] => signed("GET", Private::AccountDetail),
        ["spot", "accounts"] => signed("GET", Private::Accounts),
        ["wallet", "withdrawals"] => signed("GET", Private::Withdrawals),
        ["wallet", "deposits"] => signed("GET", Private::Deposits),
        ["wallet", "withdraw_status"] => signed("GET", Private::WithdrawStatus),
        ["unified", "accounts"] => signed("GET", Private::UnifiedAccounts),
        ["spot", "account_book"] => signed("GET", Private::AccountBook),
        ["spot", "price_orders"] => match method {
            "POST" => Ok(Route::Private(Private::Trigger)),
            "GET" => Ok(Route::Private(Private::Triggers)),
            "DELETE" => Ok(Route::Private(Private::CancelTriggers)),
            _ => Err(Refusal::method_not_allowed()),
        },
        ["spot", "price_orders", id] => match method {
            "GET" => Ok(Route::Private(Private::GetTrigger(query::decode(id)))),
            "DELETE" => Ok(Route::Private(Private::CancelTrigger(query::decode(id)))),
            _ => Err(Refusal::method_not_allowed()),
        },
        ["wallet", "fee"] => signed("GET", Private::WalletFee),
        ["spot", "fee"] => signed("GET", Private::SpotFee),
        ["spot", "batch_fee"] => signed("GET", Private::BatchFee),
        ["account", "rate_limit"] => signed("GET", Private::RateLimit),
        ["spot", "batch_orders"] => signed("POST", Private::PlaceBatch),
        ["spot", "amend_batch_orders"] => signed("POST", Private::AmendBatch),
        ["spot", "cancel_batch_orders"] => signed("POST", Private::CancelBatch),
        ["spot", "open_orders"] => signed("GET", Private::OpenOrders),
        ["spot", "my_trades"] => signed("GET", Private::MyTrades),
        ["spot", "countdown_cancel_all"] => signed("POST", Private::Countdown),
        ["spot", "orders"] => match method {
            "POST" => Ok(Route::Private(Private::Place)),
            "GET" => Ok(Route::Private(Private::List)),
            "DELETE" => Ok(Route::Private(Private::CancelAll)),
            _ => Err(Refusal::method_not_allowed()),
        },
        ["spot", "orders", id] => match method {
            "GET" => Ok(Route::Private(Private::Get(query::decode(id)))),
            "DELETE" => Ok(Route::Private(Private::Cancel(query::decode(id)))),
            "PATCH" => Ok(Route::Private(Private::Amend(query::decode(id)))),
            _ => Err(Refusal::method_not_allowed()),
        },
        _ => Err(Refusal::not_found()),
    }
}

fn only<'a>(method: &str, wanted: &str, route: Route<'a>) -> Result<Route<'a>, Refusal> {
    if method == wanted { Ok(route) } else { Err(Refusal::method_not_allowed()) }
}

impl Public<'_> {
    const fn name(&self) -> &'static str {
        match self {
            Self::Time => "spot/time",
            Self::Currencies => "spot/currencies",
            Self::Currency(_) => "spot/currencies/{currency}",
            Self::CurrencyChains => "wallet/currency_chains",
            Self::Pairs => "spot/currency_pairs",
            Self::Pair(_) => "spot/currency_pairs/{pair}",
            Self::MarginPairs => "margin/currency_pairs",
            Self::Tickers => "spot/tickers",
            Self::OrderBook => "spot/order_book",
            Self::Trades => "spot/trades",
            Self::Candlesticks => "spot/candlesticks",
        }
    }
}

impl Private<'_> {
    const fn name(&self) -> &'static str {
        match self {
            Self::AccountDetail => "account/detail",
            Self::Accounts => "spot/accounts",
            Self::WalletFee => "wallet/fee",
            Self::SpotFee => "spot/fee",
            Self::BatchFee => "spot/batch_fee",
            Self::Place => "spot/orders place",
            Self::List => "spot/orders list",
            Self::CancelAll => "spot/orders cancel",
            Self::Get(_) => "spot/orders/{id}",
            Self::Cancel(_) => "spot/orders/{id} cancel",
            Self::Amend(_) => "spot/orders/{id} amend",
            Self::PlaceBatch => "spot/batch_orders",
            Self::AmendBatch => "spot/amend_batch_orders",
            Self::CancelBatch => "spot/cancel_batch_orders",
            Self::RateLimit => "account/rate_limit",
            Self::OpenOrders => "spot/open_orders",
            Self::MyTrades => "spot/my_trades",
            Self::Countdown => "spot/countdown_cancel_all",
            Self::Withdrawals => "wallet/withdrawals",
            Self::Deposits => "wallet/deposits",
            Self::WithdrawStatus => "wallet/withdraw_status",
            Self::AccountBook => "spot/account_book",
            Self::UnifiedAccounts => "unified/accounts",
            Self::Trigger => "spot/price_orders place",
            Self::Triggers => "spot/price_orders list",
            Self::CancelTriggers => "spot/price_orders cancel",
            Self::GetTrigger(_) => "spot/price_orders/{id}",
            Self::CancelTrigger(_) => "spot/price_orders/{id} cancel",
        }
    }

    /// Whether a key needs the right to use wallets.
    const fn needs_wallet(&self) -> bool {
        matches!(self, Self::Withdrawals | Self::Deposits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_endpoints() {
        let check = |method, path, expected: Result<Route<'_>, u16>| {
            assert_eq!(route(method, path).map_err(|refusal| refusal.status), expected, "{method} {path}");
        };
        check("GET", "/api/v4/spot/time", Ok(Route::Public(Public::Time)));
        check("POST", "/api/v4/spot/time", Err(405));
        check("POST", "/api/v4/spot/orders", Ok(Route::Private(Private::Place)));
        check("PUT", "/api/v4/spot/orders", Err(405));
        check("DELETE", "/api/v4/spot/orders/t-a%5F1", Ok(Route::Private(Private::Cancel("t-a_1".into()))));
        for unknown in ["/spot/time", "/api/v4/spot/pov_orders", "/api/v4", "/", ""] {
            check("GET", unknown, Err(404));
        }
    }
}
