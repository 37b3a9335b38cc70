//! REST: from a call to an answer, with the headers every answer carries.

use super::batch::{self, Twin};
use super::endpoints::{Private, Route, route};
use super::limit::{Budget, Quota};
use super::query::Query;
use super::refusal::Refusal;
use super::{Gateio, account, orders, public, sign, transfers, triggers, wallet};
use crate::dialect::{HttpAnswer, HttpCall};
use crate::matching::{AccountIndex, Exchange};
use cex_core::Timestamp;

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
    /// When the call arrived, by the exchange's clock.
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
        Private::Transfer => transfers::transfer(gateio, exchange, account, request).map(Reply::ok),
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
        Private::Transfer => vec![Budget::Transfer(account)],
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
