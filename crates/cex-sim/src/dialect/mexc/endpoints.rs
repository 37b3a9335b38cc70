//! REST: which path leads to which endpoint, what right it needs, what it weighs, and which limit it counts against.

use super::config::Permission;
use super::limit::Bucket;
use super::refusal::Refusal;

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
    /// Groups for self-trade prevention: named by the reference, their shapes are not.
    StrategyGroup,
    /// As the groups: addresses to deposit to.
    DepositAddress,
    /// As the groups: to and from the futures account.
    Transfer,
    /// To withdraw, or not to after all.
    Withdraw,
}

/// What a call asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endpoint {
    Public(Public),
    Signed(Signed),
}

/// The endpoint behind a method and a path.
pub(super) fn route(method: &str, path: &str) -> Result<Endpoint, Refusal> {
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
        ("GET" | "POST" | "DELETE", "strategy/group" | "strategy/group/uid") => Signed::StrategyGroup,
        ("GET" | "POST", "capital/deposit/address") => Signed::DepositAddress,
        ("GET" | "POST", "capital/transfer") => Signed::Transfer,
        ("POST" | "DELETE", "capital/withdraw") => Signed::Withdraw,
        _ => return None,
    })
}

impl Public {
    /// Its name among the limits.
    pub(super) const fn path(self) -> &'static str {
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

    /// What it weighs there; tickers weigh more when those of all symbols are asked for.
    pub(super) const fn weight(self, is_of_all: bool) -> u32 {
        match self {
            Self::DayTicker if is_of_all => 40,
            Self::PriceTicker if is_of_all => 2,
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
    /// Which right a key needs for it.
    pub(super) const fn permission(self) -> Permission {
        match self {
            Self::TestOrder
            | Self::Place
            | Self::PlaceBatch
            | Self::Cancel
            | Self::CancelOpen
            | Self::CancelAll
            | Self::SetMxDeduct
            | Self::StrategyGroup => Permission::DealWrite,
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
            Self::Withdrawals | Self::Deposits | Self::DepositAddress | Self::Withdraw => {
                Permission::Withdraw
            }
            Self::Transfer => Permission::Transfer,
        }
    }

    /// Which limit it counts against.
    pub(super) const fn bucket(self) -> Bucket {
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
            Self::StrategyGroup => Bucket::Endpoint("strategy/group"),
            Self::DepositAddress => Bucket::Endpoint("capital/deposit/address"),
            Self::Transfer => Bucket::Endpoint("capital/transfer"),
            Self::Withdraw => Bucket::Endpoint("capital/withdraw"),
            Self::CreateListenKey | Self::ListenKeys | Self::ExtendListenKey | Self::DeleteListenKey => {
                Bucket::Endpoint("userDataStream")
            }
        }
    }

    /// What it weighs there.
    pub(super) const fn weight(self) -> u32 {
        match self {
            Self::Query => 2,
            Self::OpenOrders => 3,
            Self::AllOrders | Self::MyTrades | Self::Coins => 10,
            Self::TradeFee | Self::StrategyGroup => 20,
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
            | Self::DeleteListenKey
            | Self::DepositAddress
            | Self::Transfer
            | Self::Withdraw => 1,
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
