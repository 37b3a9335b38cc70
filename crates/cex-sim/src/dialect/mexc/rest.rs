//! REST: from a path to an endpoint, from an endpoint to an answer.

use super::config::Permission;
use super::limit::{Bucket, Caller};
use super::params::Params;
use super::refusal::Refusal;
use super::{Mexc, account, klines, orders, public, sign, tickers};
use crate::dialect::{HttpAnswer, HttpCall};
use crate::matching::{AccountIndex, Exchange};
use cex_core::Timestamp;

/// Endpoints anyone may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Public {
    Ping,
    Time,
    DefaultSymbols,
    ExchangeInfo,
    Depth,
    Trades,
    AggTrades,
    Klines,
    AvgPrice,
    DayTicker,
    PriceTicker,
    BookTicker,
    OfflineSymbols,
    /// Of the futures interface, which some clients ask as well.
    Contracts,
    /// Of an older interface.
    LegacySymbols,
}

/// Endpoints that need a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signed {
    TestOrder,
    Place,
    PlaceBatch,
    Cancel,
    CancelOpen,
    CancelAll,
    Query,
    OpenOrders,
    AllOrders,
    MyTrades,
    Account,
    TradeFee,
    SelfSymbols,
    Uid,
    KycStatus,
    MxDeduct,
    SetMxDeduct,
    Coins,
    Withdrawals,
    Deposits,
    CreateListenKey,
    ListenKeys,
    ExtendListenKey,
    DeleteListenKey,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Endpoint {
    Public(Public),
    Signed(Signed),
}

/// A call with what the endpoints need of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request<'a> {
    /// When it arrived.
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
            charge(mexc, now, call, caller, Bucket::Endpoint(endpoint.path()), endpoint.weight())?;
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
    }
}

fn route(method: &str, path: &str) -> Result<Endpoint, Refusal> {
    let outside = match (method, path) {
        ("GET", "/api/v1/contract/detail") => Some(Public::Contracts),
        ("GET", "/open/api/v2/market/api_default_symbols") => Some(Public::LegacySymbols),
        _ => None,
    };
    let found =
        outside.or_else(|| public_route(method, path.strip_prefix("/api/v3/")?)).map(Endpoint::Public);
    let found = found.or_else(|| signed_route(method, path.strip_prefix("/api/v3/")?).map(Endpoint::Signed));
    found.ok_or_else(Refusal::not_found)
}

fn public_route(method: &str, inner: &str) -> Option<Public> {
    if method != "GET" {
        return None;
    }
    Some(match inner {
        "ping" => Public::Ping,
        "time" => Public::Time,
        "defaultSymbols" => Public::DefaultSymbols,
        "exchangeInfo" => Public::ExchangeInfo,
        "depth" => Public::Depth,
        "trades" | "historicalTrades" => Public::Trades,
        "aggTrades" => Public::AggTrades,
        "klines" => Public::Klines,
        "avgPrice" => Public::AvgPrice,
        "ticker/24hr" => Public::DayTicker,
        "ticker/price" => Public::PriceTicker,
        "ticker/bookTicker" => Public::BookTicker,
        "symbol/offline" => Public::OfflineSymbols,
        _ => return None,
    })
}

fn signed_route(method: &str, inner: &str) -> Option<Signed> {
    Some(match (method, inner) {
        ("POST", "order/test") => Signed::TestOrder,
        ("POST", "order") => Signed::Place,
        ("POST", "batchOrders") => Signed::PlaceBatch,
        ("DELETE", "order") => Signed::Cancel,
        ("DELETE", "openOrders") => Signed::CancelOpen,
        ("DELETE", "order/all") => Signed::CancelAll,
        ("GET", "order") => Signed::Query,
        ("GET", "openOrders") => Signed::OpenOrders,
        ("GET", "allOrders") => Signed::AllOrders,
        ("GET", "myTrades") => Signed::MyTrades,
        ("GET", "account") => Signed::Account,
        ("GET", "tradeFee") => Signed::TradeFee,
        ("GET", "selfSymbols") => Signed::SelfSymbols,
        ("GET", "uid") => Signed::Uid,
        ("GET", "kyc/status") => Signed::KycStatus,
        ("GET", "mxDeduct/enable") => Signed::MxDeduct,
        ("POST", "mxDeduct/enable") => Signed::SetMxDeduct,
        ("GET", "capital/config/getall") => Signed::Coins,
        ("GET", "capital/withdraw/history") => Signed::Withdrawals,
        ("GET", "capital/deposit/hisrec") => Signed::Deposits,
        ("POST", "userDataStream") => Signed::CreateListenKey,
        ("GET", "userDataStream") => Signed::ListenKeys,
        ("PUT", "userDataStream") => Signed::ExtendListenKey,
        ("DELETE", "userDataStream") => Signed::DeleteListenKey,
        _ => return None,
    })
}

impl Public {
    const fn path(self) -> &'static str {
        match self {
            Self::Ping => "ping",
            Self::Time => "time",
            Self::DefaultSymbols => "defaultSymbols",
            Self::ExchangeInfo => "exchangeInfo",
            Self::Depth => "depth",
            Self::Trades => "trades",
            Self::AggTrades => "aggTrades",
            Self::Klines => "klines",
            Self::AvgPrice => "avgPrice",
            Self::DayTicker => "ticker/24hr",
            Self::PriceTicker => "ticker/price",
            Self::BookTicker => "ticker/bookTicker",
            Self::OfflineSymbols => "symbol/offline",
            Self::Contracts => "contract/detail",
            Self::LegacySymbols => "api_default_symbols",
        }
    }

    const fn weight(self) -> u32 {
        match self {
            Self::ExchangeInfo => 10,
            Self::Trades => 5,
            Self::Ping
            | Self::Time
            | Self::DefaultSymbols
            | Self::Depth
            | Self::AggTrades
            | Self::Klines
            | Self::AvgPrice
            | Self::DayTicker
            | Self::PriceTicker
            | Self::BookTicker
            | Self::OfflineSymbols
            | Self::Contracts
            | Self::LegacySymbols => 1,
        }
    }
}

impl Signed {
    const fn permission(self) -> Permission {
        match self {
            Self::TestOrder
            | Self::Place
            | Self::PlaceBatch
            | Self::Cancel
            | Self::CancelOpen
            | Self::CancelAll
            | Self::SetMxDeduct => Permission::DealWrite,
            Self::Query | Self::OpenOrders | Self::AllOrders | Self::MxDeduct => Permission::DealRead,
            Self::MyTrades
            | Self::Account
            | Self::TradeFee
            | Self::SelfSymbols
            | Self::Uid
            | Self::KycStatus
            | Self::CreateListenKey
            | Self::ListenKeys
            | Self::ExtendListenKey
            | Self::DeleteListenKey => Permission::AccountRead,
            Self::Coins => Permission::WithdrawRead,
            Self::Withdrawals | Self::Deposits => Permission::Withdraw,
        }
    }

    const fn bucket(self) -> Bucket {
        match self {
            Self::Place | Self::Cancel | Self::CancelOpen | Self::CancelAll => Bucket::Orders,
            Self::PlaceBatch => Bucket::Rare("batchOrders"),
            Self::Account => Bucket::Rare("account"),
            Self::TestOrder => Bucket::Endpoint("order/test"),
            Self::Query => Bucket::Endpoint("order"),
            Self::OpenOrders => Bucket::Endpoint("openOrders"),
            Self::AllOrders => Bucket::Endpoint("allOrders"),
            Self::MyTrades => Bucket::Endpoint("myTrades"),
            Self::TradeFee => Bucket::Endpoint("tradeFee"),
            Self::SelfSymbols => Bucket::Endpoint("selfSymbols"),
            Self::Uid => Bucket::Endpoint("uid"),
            Self::KycStatus => Bucket::Endpoint("kyc/status"),
            Self::MxDeduct | Self::SetMxDeduct => Bucket::Endpoint("mxDeduct/enable"),
            Self::Coins => Bucket::Endpoint("capital/config/getall"),
            Self::Withdrawals => Bucket::Endpoint("capital/withdraw/history"),
            Self::Deposits => Bucket::Endpoint("capital/deposit/hisrec"),
            Self::CreateListenKey | Self::ListenKeys | Self::ExtendListenKey | Self::DeleteListenKey => {
                Bucket::Endpoint("userDataStream")
            }
        }
    }

    const fn weight(self) -> u32 {
        match self {
            Self::Query => 2,
            Self::OpenOrders => 3,
            Self::AllOrders | Self::MyTrades | Self::Coins => 10,
            Self::TradeFee => 20,
            // Two calls a second, whatever they weigh.
            Self::Account
            | Self::TestOrder
            | Self::Place
            | Self::PlaceBatch
            | Self::Cancel
            | Self::CancelOpen
            | Self::CancelAll
            | Self::SelfSymbols
            | Self::Uid
            | Self::KycStatus
            | Self::MxDeduct
            | Self::SetMxDeduct
            | Self::Withdrawals
            | Self::Deposits
            | Self::CreateListenKey
            | Self::ListenKeys
            | Self::ExtendListenKey
            | Self::DeleteListenKey => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_endpoints() {
        let check = |method, path, expected: Result<Endpoint, u16>| {
            assert_eq!(route(method, path).map_err(|refusal| refusal.status), expected, "{method} {path}");
        };
        check("GET", "/api/v3/ping", Ok(Endpoint::Public(Public::Ping)));
        check("GET", "/api/v3/ticker/24hr", Ok(Endpoint::Public(Public::DayTicker)));
        check("GET", "/api/v1/contract/detail", Ok(Endpoint::Public(Public::Contracts)));
        check("GET", "/api/v3/order", Ok(Endpoint::Signed(Signed::Query)));
        check("POST", "/api/v3/order", Ok(Endpoint::Signed(Signed::Place)));
        check("DELETE", "/api/v3/order", Ok(Endpoint::Signed(Signed::Cancel)));
        for (method, path) in [
            ("POST", "/api/v3/ping"),
            ("GET", "/api/v3/"),
            ("GET", "/ping"),
            ("PUT", "/api/v3/order"),
            ("GET", ""),
        ] {
            check(method, path, Err(404));
        }
    }
}
