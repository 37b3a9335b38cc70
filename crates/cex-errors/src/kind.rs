//! What went wrong, what it means for the call, and when to try again.

use crate::op::Op;
use cex_core::NumError;
use std::fmt;
use std::time::Duration;

/// How far a call had come when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// No byte of it had been handed to a connection.
    BeforeSend,
    /// Some or all of it had.
    AfterSend,
}

/// Whether the exchange acted on a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It never left us.
    NotSent,
    /// The exchange said no: nothing happened.
    Refused,
    /// It may have happened. Never guess: ask.
    Unknown,
}

/// When the same call may be made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Retry {
    /// Not as it is.
    Never,
    /// At once.
    Now,
    /// After at least this long.
    After(Duration),
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    // --- on our side ---
    /// The exchange has no such call.
    Unsupported,
    /// The request cannot be expressed: an unknown symbol, a number off the exchange's grid, a missing key.
    InvalidInput(&'static str),
    /// A number does not fit.
    Number(NumError),
    /// Our own budget for calls is spent; the exchange was not asked.
    Throttled {
        /// Time until the budget allows this call.
        retry_after: Duration,
    },
    /// The exchange's clock is not known well enough to sign.
    ClockUnknown,
    /// We are shutting down.
    ShuttingDown,
    // --- on the way ---
    /// No connection, or it broke.
    Connection(Phase),
    /// No answer in time.
    Timeout(Phase),
    /// An answer that is not what the exchange's documents promise (HTML, empty, cut off, wrong type).
    Undecodable(&'static str),
    /// A frame that breaks the WebSocket protocol or our caps.
    BadFrame(&'static str),
    // --- the exchange says no ---
    /// Key unknown, expired or malformed.
    InvalidKey,
    /// Signature does not match.
    InvalidSignature,
    /// The key may not do this, or not from this address.
    PermissionDenied,
    /// Our timestamp is outside the exchange's window; the call was not executed.
    ClockSkew,
    /// Too many calls; not executed.
    RateLimited {
        /// How long the exchange asks to wait, if it says.
        retry_after: Option<Duration>,
    },
    /// Shut out for a while; not executed.
    Banned {
        /// How long the exchange asks to wait, if it says.
        retry_after: Option<Duration>,
    },
    /// Malformed or missing parameter.
    InvalidRequest,
    /// Too many decimals.
    Precision,
    /// Below the least quantity or notional.
    BelowMinimum,
    /// Above the largest quantity, notional or number of orders.
    AboveMaximum,
    /// Price outside the allowed band.
    PriceOutOfBand,
    /// Unknown symbol, or not for trading over the API.
    InvalidSymbol,
    /// Trading of the symbol, side or order type is off.
    TradingHalted,
    /// Not enough of what the order spends.
    InsufficientBalance,
    /// Order unknown, or ended: read it again before believing either.
    OrderNotFound,
    /// Client order id seen before.
    DuplicateClientId,
    /// A post-only order would have taken.
    PostOnlyWouldTake,
    /// A fill-or-kill order could not fill.
    FokNotFilled,
    /// An amendment that changes nothing.
    NoChange,
    /// Nobody to trade with.
    NoLiquidity,
    /// The account is restricted.
    AccountRestricted,
    /// Subscription refused.
    SubscriptionRefused,
    /// Listen key wrong or expired.
    ListenKeyInvalid,
    // --- the exchange is in trouble ---
    /// Overloaded or broken; a write may have been executed.
    ServerBusy,
    /// Under maintenance; not executed.
    Maintenance,
    /// A code no table knows. For a write that means: it may have been executed.
    Unmapped,
}

impl ErrorKind {
    /// Whether the exchange acted on the call.
    #[must_use]
    pub const fn outcome(&self) -> Outcome {
        match self {
            Self::Unsupported
            | Self::InvalidInput(_)
            | Self::Number(_)
            | Self::Throttled { .. }
            | Self::ClockUnknown
            | Self::ShuttingDown
            | Self::Connection(Phase::BeforeSend)
            | Self::Timeout(Phase::BeforeSend) => Outcome::NotSent,
            Self::Connection(Phase::AfterSend)
            | Self::Timeout(Phase::AfterSend)
            | Self::Undecodable(_)
            | Self::BadFrame(_)
            | Self::ServerBusy
            | Self::Unmapped
            // The id exists: an earlier send of ours may be the order it belongs to.
            | Self::DuplicateClientId => Outcome::Unknown,
            Self::InvalidKey
            | Self::InvalidSignature
            | Self::PermissionDenied
            | Self::ClockSkew
            | Self::RateLimited { .. }
            | Self::Banned { .. }
            | Self::InvalidRequest
            | Self::Precision
            | Self::BelowMinimum
            | Self::AboveMaximum
            | Self::PriceOutOfBand
            | Self::InvalidSymbol
            | Self::TradingHalted
            | Self::InsufficientBalance
            | Self::OrderNotFound
            | Self::PostOnlyWouldTake
            | Self::FokNotFilled
            | Self::NoChange
            | Self::NoLiquidity
            | Self::AccountRestricted
            | Self::SubscriptionRefused
            | Self::ListenKeyInvalid
            | Self::Maintenance => Outcome::Refused,
        }
    }

    /// Whether it passes by itself: nobody need look for who asks later to get an answer. A ban does end, but who called too often
    /// would again, and the next one is longer.
    #[must_use]
    pub const fn passes(&self) -> bool {
        matches!(
            self,
            Self::Connection(_)
                | Self::Timeout(_)
                | Self::ServerBusy
                | Self::Maintenance
                | Self::Throttled { .. }
                | Self::RateLimited { .. }
                | Self::ClockSkew
                | Self::ClockUnknown
        )
    }

    /// When `op` may be made again as it is. A call that is not idempotent is never repeated while its outcome is
    /// unknown; whether it is *worth* repeating is the caller's business.
    #[must_use]
    pub fn retry(&self, op: Op) -> Retry {
        const PAUSE: Duration = Duration::from_millis(250);
        const BAN: Duration = Duration::from_secs(90);
        if self.outcome() == Outcome::Unknown && !op.is_idempotent() {
            return Retry::Never;
        }
        match self {
            Self::Throttled { retry_after } => Retry::After(*retry_after),
            Self::RateLimited { retry_after } => Retry::After(retry_after.unwrap_or(Duration::from_secs(1))),
            Self::Banned { retry_after } => Retry::After(retry_after.unwrap_or(BAN)),
            Self::Connection(_) | Self::Timeout(_) | Self::ServerBusy | Self::Undecodable(_) => {
                Retry::After(PAUSE)
            }
            Self::Maintenance => Retry::After(Duration::from_secs(30)),
            Self::ClockSkew | Self::ClockUnknown => Retry::After(PAUSE),
            Self::Unsupported
            | Self::InvalidInput(_)
            | Self::Number(_)
            | Self::ShuttingDown
            | Self::BadFrame(_)
            | Self::InvalidKey
            | Self::InvalidSignature
            | Self::PermissionDenied
            | Self::InvalidRequest
            | Self::Precision
            | Self::BelowMinimum
            | Self::AboveMaximum
            | Self::PriceOutOfBand
            | Self::InvalidSymbol
            | Self::TradingHalted
            | Self::InsufficientBalance
            | Self::OrderNotFound
            | Self::DuplicateClientId
            | Self::PostOnlyWouldTake
            | Self::FokNotFilled
            | Self::NoChange
            | Self::NoLiquidity
            | Self::AccountRestricted
            | Self::SubscriptionRefused
            | Self::ListenKeyInvalid
            | Self::Unmapped => Retry::Never,
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::InvalidInput(what) => return write!(f, "invalid input: {what}"),
            Self::Number(error) => return write!(f, "invalid number: {error}"),
            Self::Undecodable(what) => return write!(f, "answer could not be read: {what}"),
            Self::BadFrame(what) => return write!(f, "bad WebSocket frame: {what}"),
            Self::Throttled { retry_after } => {
                return write!(f, "our own request budget is spent for {} ms", retry_after.as_millis());
            }
            Self::RateLimited { retry_after: Some(wait) } => {
                return write!(f, "rate limited for {} ms", wait.as_millis());
            }
            Self::Banned { retry_after: Some(wait) } => return write!(f, "banned for {} s", wait.as_secs()),
            Self::Unsupported => "not supported by this exchange",
            Self::ClockUnknown => "the exchange's clock is not known well enough to sign",
            Self::ShuttingDown => "shutting down",
            Self::Connection(Phase::BeforeSend) => "no connection",
            Self::Connection(Phase::AfterSend) => "connection lost after sending",
            Self::Timeout(Phase::BeforeSend) => "timed out before sending",
            Self::Timeout(Phase::AfterSend) => "no answer in time",
            Self::InvalidKey => "API key is unknown, expired or malformed",
            Self::InvalidSignature => "signature does not match",
            Self::PermissionDenied => "the API key may not do this, or not from this address",
            Self::ClockSkew => "our timestamp is outside the exchange's window",
            Self::RateLimited { retry_after: None } => "rate limited",
            Self::Banned { retry_after: None } => "banned",
            Self::InvalidRequest => "malformed or missing parameter",
            Self::Precision => "too many decimals",
            Self::BelowMinimum => "below the least quantity or notional",
            Self::AboveMaximum => "above the largest quantity, notional or order count",
            Self::PriceOutOfBand => "price outside the allowed band",
            Self::InvalidSymbol => "symbol is unknown or not for trading over the API",
            Self::TradingHalted => "trading is halted for this symbol, side or order type",
            Self::InsufficientBalance => "not enough balance",
            Self::OrderNotFound => "order not found",
            Self::DuplicateClientId => "client order id already used",
            Self::PostOnlyWouldTake => "post-only order would take",
            Self::FokNotFilled => "fill-or-kill order cannot fill",
            Self::NoChange => "amendment changes nothing",
            Self::NoLiquidity => "nobody to trade with",
            Self::AccountRestricted => "account is restricted",
            Self::SubscriptionRefused => "subscription refused",
            Self::ListenKeyInvalid => "listen key is wrong or expired",
            Self::ServerBusy => "exchange is overloaded or broken",
            Self::Maintenance => "exchange is under maintenance",
            Self::Unmapped => "unknown error code",
        };
        f.write_str(text)
    }
}
