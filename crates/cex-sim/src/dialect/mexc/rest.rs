//! REST: from a call to an answer.

use super::endpoints::{Endpoint, Public, Signed, route};
use super::limit::{Bucket, Caller};
use super::params::Params;
use super::refusal::Refusal;
use super::{Mexc, account, klines, orders, public, sign, tickers};
use crate::dialect::{HttpAnswer, HttpCall};
use crate::matching::{AccountIndex, Exchange};
use cex_core::Timestamp;

/// A call with what the endpoints need of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request<'a> {
    /// When the call arrived, by the exchange's clock.
    pub(super) now: Timestamp,
    /// Its parameters.
    pub(super) params: &'a Params<'a>,
}

/// Answers a call.
pub(super) fn answer(
    mexc: &mut Mexc,
    now: Timestamp,
    exchange: &mut Exchange,
    call: &HttpCall<'_>,
) -> HttpAnswer {
    match dispatch(mexc, now, exchange, call) {
        Ok(body) => HttpAnswer::json(200, body),
        Err(refusal) => refusal.answer(),
    }
}

fn dispatch(
    mexc: &mut Mexc,
    now: Timestamp,
    exchange: &mut Exchange,
    call: &HttpCall<'_>,
) -> Result<String, Refusal> {
    if mexc.config.rate_limits {
        mexc.limits.admit(now, call.peer)?;
    }
    let endpoint = route(call.method, call.path)?;
    let body = std::str::from_utf8(call.body);
    let body = body.map_err(|_| Refusal::new(700_008, "Illegal characters found in parameter"))?;
    let params = Params::parse(call.query, body);
    let request = Request { now, params: &params };
    match endpoint {
        Endpoint::Public(endpoint) => {
            let caller = Caller::Address(call.peer);
            let is_of_all = params.get("symbol").is_none();
            let bucket = Bucket::Endpoint(endpoint.path());
            charge(mexc, now, call, caller, bucket, endpoint.weight(is_of_all))?;
            serve_public(mexc, exchange, &request, endpoint)
        }
        Endpoint::Signed(endpoint) => {
            let needed = endpoint.permission();
            let account = sign::authorize(&mexc.config, now, exchange, call, body, &params, needed)?;
            let caller = Caller::Account(account);
            charge(mexc, now, call, caller, endpoint.bucket(), endpoint.weight())?;
            serve_signed(mexc, exchange, account, &request, endpoint)
        }
    }
}

fn charge(
    mexc: &mut Mexc,
    now: Timestamp,
    call: &HttpCall<'_>,
    caller: Caller,
    bucket: Bucket,
    weight: u32,
) -> Result<(), Refusal> {
    if !mexc.config.rate_limits {
        return Ok(());
    }
    mexc.limits.take(now, call.peer, caller, bucket, weight)
}

fn serve_public(
    mexc: &Mexc,
    exchange: &Exchange,
    request: &Request<'_>,
    endpoint: Public,
) -> Result<String, Refusal> {
    match endpoint {
        Public::Ping => Ok("{}".to_owned()),
        Public::Time => Ok(format!("{{\"serverTime\":{}}}", request.now.as_millis())),
        Public::DefaultSymbols => Ok(public::tradable_symbols(mexc, request.now)),
        Public::ExchangeInfo => public::exchange_info(mexc, exchange, request),
        Public::Depth => public::depth(mexc, exchange, request),
        Public::Trades => public::trades(mexc, exchange, request),
        Public::AggTrades => public::agg_trades(mexc, exchange, request),
        Public::Klines => klines::rest(mexc, exchange, request),
        Public::AvgPrice => tickers::average(mexc, exchange, request),
        Public::DayTicker => tickers::day(mexc, exchange, request),
        Public::PriceTicker => tickers::price(mexc, exchange, request),
        Public::BookTicker => tickers::book(mexc, exchange, request),
        Public::OfflineSymbols => Ok(public::offline_symbols(mexc, request.now)),
        Public::Contracts => Ok("{\"success\":true,\"code\":0,\"data\":[]}".to_owned()),
        Public::LegacySymbols => Ok(public::legacy_symbols(mexc, exchange)),
    }
}

fn serve_signed(
    mexc: &mut Mexc,
    exchange: &mut Exchange,
    account: AccountIndex,
    request: &Request<'_>,
    endpoint: Signed,
) -> Result<String, Refusal> {
    match endpoint {
        Signed::TestOrder => orders::test(mexc, exchange, account, request),
        Signed::Place => orders::place(mexc, exchange, account, request),
        Signed::PlaceBatch => orders::place_batch(mexc, exchange, account, request),
        Signed::Cancel => orders::cancel(mexc, exchange, account, request),
        Signed::CancelOpen => orders::cancel_open(mexc, exchange, account, request),
        Signed::CancelAll => Ok(orders::cancel_all(exchange, account, request)),
        Signed::Query => orders::query(mexc, exchange, account, request),
        Signed::OpenOrders => orders::open(mexc, exchange, account, request),
        Signed::AllOrders => orders::all(mexc, exchange, account, request),
        Signed::MyTrades => orders::my_trades(mexc, exchange, account, request),
        Signed::Account => Ok(account::balances(exchange, account)),
        Signed::TradeFee => account::fee(mexc, exchange, request),
        Signed::SelfSymbols => Ok(public::tradable_symbols(mexc, request.now)),
        Signed::Uid => Ok(account::uid(account)),
        Signed::KycStatus => Ok("{\"status\":\"1\"}".to_owned()),
        Signed::MxDeduct => Ok(account::mx_deduct(exchange, account, request.now)),
        Signed::SetMxDeduct => account::set_mx_deduct(exchange, account, request),
        Signed::Coins => Ok(account::coins(mexc, exchange)),
        // Nothing ever left or came.
        Signed::Withdrawals | Signed::Deposits => Ok("[]".to_owned()),
        Signed::CreateListenKey => account::create_listen_key(mexc, account, request.now),
        Signed::ListenKeys => Ok(account::listen_keys(mexc, account, request.now)),
        Signed::ExtendListenKey => account::extend_listen_key(mexc, account, request),
        Signed::DeleteListenKey => account::delete_listen_key(mexc, account, request),
        Signed::StrategyGroup => Err(Refusal::new(730_003, "unsupported operation")),
        // There are no wallets and no futures account here: what an exchange says to those who have none.
        Signed::DepositAddress => Err(Refusal::new(10_216, "No address is available")),
        Signed::Transfer => Err(Refusal::new(33_333, "Not support transfer")),
        Signed::Withdraw => Err(Refusal::new(10_212, "This address is not one of yours")),
    }
}
