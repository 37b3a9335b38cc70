//! REST: which path leads to which endpoint.

use super::query;
use super::refusal::Refusal;
use std::borrow::Cow;

/// What a call asks for, before anything of it is checked but path and method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route<'a> {
    /// Anyone may.
    Public(Public<'a>),
    /// Only who signs.
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
    /// What trades elsewhere at the exchange, which clients ask for at their start: nothing.
    Elsewhere,
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
    Transfer,
    UnifiedAccounts,
    Trigger,
    Triggers,
    CancelTriggers,
    /// By number.
    GetTrigger(Cow<'a, str>),
    /// By number.
    CancelTrigger(Cow<'a, str>),
}

/// The endpoint behind a method and a path.
pub(super) fn route<'a>(method: &str, path: &'a str) -> Result<Route<'a>, Refusal> {
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
        ["futures" | "delivery", _, "contracts"] | ["options", "underlyings" | "contracts"] => {
            get(Public::Elsewhere)
        }
        ["spot", "tickers"] => get(Public::Tickers),
        ["spot", "order_book"] => get(Public::OrderBook),
        ["spot", "trades"] => get(Public::Trades),
        ["spot", "candlesticks"] => get(Public::Candlesticks),
        ["account", "detail"] => signed("GET", Private::AccountDetail),
        ["spot", "accounts"] => signed("GET", Private::Accounts),
        ["wallet", "withdrawals"] => signed("GET", Private::Withdrawals),
        ["wallet", "deposits"] => signed("GET", Private::Deposits),
        ["wallet", "transfers"] => signed("POST", Private::Transfer),
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
    /// Its name among the limits.
    pub(super) const fn name(&self) -> &'static str {
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
            Self::Elsewhere => "futures",
        }
    }
}

impl Private<'_> {
    /// Its name among the limits.
    pub(super) const fn name(&self) -> &'static str {
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
            Self::Transfer => "wallet/transfers",
            Self::UnifiedAccounts => "unified/accounts",
            Self::Trigger => "spot/price_orders place",
            Self::Triggers => "spot/price_orders list",
            Self::CancelTriggers => "spot/price_orders cancel",
            Self::GetTrigger(_) => "spot/price_orders/{id}",
            Self::CancelTrigger(_) => "spot/price_orders/{id} cancel",
        }
    }

    /// Whether a key needs the right to use wallets, to read too.
    pub(super) const fn needs_wallet(&self) -> bool {
        matches!(self, Self::Withdrawals | Self::Deposits | Self::Transfer | Self::WalletFee)
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
        check("GET", "/api/v4/futures/usdt/contracts", Ok(Route::Public(Public::Elsewhere)));
        for unknown in ["/spot/time", "/api/v4/spot/pov_orders", "/api/v4", "/", ""] {
            check("GET", unknown, Err(404));
        }
    }
}
