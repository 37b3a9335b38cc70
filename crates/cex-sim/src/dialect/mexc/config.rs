//! What can be chosen about the simulated MEXC.

use crate::dialect::DuplicateClientIds;
use cex_core::{Decimal, Symbol};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

/// What can be chosen about MEXC. The default behaves like the live exchange, without rate limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MexcConfig {
    /// Whether too many requests and messages are refused.
    pub rate_limits: bool,
    /// What a client order id does that the account used before: no source says.
    pub duplicate_client_ids: DuplicateClientIds,
    /// Whether POST, PUT and DELETE must carry a JSON content type.
    pub strict_content_type: bool,
    /// Whether signed requests must carry a timestamp near ours.
    pub check_time: bool,
    /// Whether frames carry the fields that were added in June 2026.
    pub june_2026_fields: bool,
    /// Whether a list of trades names the client order ids of their orders. The documentation shows none of an order that has one.
    pub names_in_trades: bool,
    /// What a connection does whose listen key expired: no source says.
    pub expired_streams: ExpiredStreams,
    /// When the server closes connections by itself; `None` for never.
    pub connections: Option<ConnectionRules>,
    /// Largest notional of an order, in quote.
    pub max_notional: Decimal,
    /// Markets that are not open for everything.
    pub markets: BTreeMap<Symbol, MarketFlags>,
    /// API keys that may not do everything from everywhere.
    pub keys: BTreeMap<String, KeyRules>,
    /// Which keys belong to which group for self-trade prevention.
    pub stp_groups: BTreeMap<String, u32>,
}

impl Default for MexcConfig {
    fn default() -> Self {
        Self {
            rate_limits: false,
            duplicate_client_ids: DuplicateClientIds::Reject,
            strict_content_type: true,
            check_time: true,
            june_2026_fields: true,
            names_in_trades: false,
            expired_streams: ExpiredStreams::Close,
            connections: Some(ConnectionRules::default()),
            max_notional: Decimal::from(4_000_000),
            markets: BTreeMap::new(),
            keys: BTreeMap::new(),
            stp_groups: BTreeMap::new(),
        }
    }
}

/// What happens to a private stream whose listen key expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpiredStreams {
    /// The connection is closed.
    Close,
    /// The private channels go silent.
    GoSilent,
}

/// When the server closes connections by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionRules {
    /// After so long without any subscription.
    pub unsubscribed: Duration,
    /// After so long without a word in either direction.
    pub silent: Duration,
    /// After so long in any case.
    pub life: Duration,
}

impl Default for ConnectionRules {
    fn default() -> Self {
        Self {
            unsubscribed: Duration::from_secs(30),
            silent: Duration::from_secs(60),
            life: Duration::from_secs(24 * 3_600),
        }
    }
}

/// What may be done in a market. The default is everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MarketFlags {
    /// Whether it trades at all.
    pub status: MarketStatus,
    /// Whether it may be traded over the API; its book streams even when not.
    pub api_tradable: bool,
    /// Which sides may be traded.
    pub sides: TradeSides,
    /// Whether market orders are taken.
    pub market_orders: bool,
    /// The warning flag for risky coins.
    pub special_treatment: bool,
    /// How far from the last price a limit may be.
    pub price_band: Option<PriceBand>,
}

impl Default for MarketFlags {
    fn default() -> Self {
        Self {
            status: MarketStatus::Online,
            api_tradable: true,
            sides: TradeSides::Both,
            market_orders: true,
            special_treatment: false,
            price_band: None,
        }
    }
}

/// Whether a market trades.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MarketStatus {
    /// It does.
    Online,
    /// Not now.
    Paused,
    /// Not any more.
    Offline,
}

/// Which sides of a market may be traded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TradeSides {
    /// Buying and selling.
    Both,
    /// Buying only.
    BuyOnly,
    /// Selling only.
    SellOnly,
    /// Neither.
    Closed,
}

/// How far from the last price a limit may be, as factors of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PriceBand {
    /// A bid may not be above this times the last price.
    pub bid_up: Decimal,
    /// An ask may not be below this times the last price.
    pub ask_down: Decimal,
}

/// What an API key may do, and from where. The default is everything from everywhere.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyRules {
    /// Whether it is too old: then it is as unknown as one that never was.
    pub is_expired: bool,
    /// Addresses it may be used from; none for any.
    pub addresses: Vec<IpAddr>,
    /// What it may not do.
    pub denied: Vec<Permission>,
}

/// A right of an API key, as far as endpoints here ask for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// `SPOT_ACCOUNT_READ`
    AccountRead,
    /// `SPOT_DEAL_READ`
    DealRead,
    /// `SPOT_DEAL_WRITE`
    DealWrite,
    /// `SPOT_WITHDRAW_READ`, for what is known of coins.
    WithdrawRead,
    /// `SPOT_TRANSFER_READ` and `SPOT_TRANSFER_WRITE`.
    Transfer,
    /// `SPOT_WITHDRAW_WRITE`; here also what was withdrawn, which tells whether a key can withdraw.
    Withdraw,
}
