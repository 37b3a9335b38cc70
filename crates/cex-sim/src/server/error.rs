//! Why the simulator cannot start or answer.

use super::SimExchange;
use crate::fault::{BadFault, FaultId};
use crate::matching::Reject;
use cex_core::{Decimal, NumError, Symbol};
use std::io;
use std::net::SocketAddr;

/// What can go wrong with a simulator.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// A port cannot be listened on.
    #[error(
        "{exchange}: cannot listen on {address}: {source}; stop whoever uses the port, or choose another one \
         (0 takes any that is free)"
    )]
    Listen {
        /// Exchange whose port it is.
        exchange: SimExchange,
        /// Address that was to be listened on.
        address: SocketAddr,
        /// The system's reason.
        source: io::Error,
    },
    /// The port of the control interface cannot be listened on.
    #[error(
        "control interface: cannot listen on {address}: {source}; stop whoever uses the port, or choose another one \
         (0 takes any that is free)"
    )]
    ListenControl {
        /// Address that was to be listened on.
        address: SocketAddr,
        /// The system's reason.
        source: io::Error,
    },
    /// The simulator's thread or its runtime cannot be made.
    #[error("cannot start the simulator: {0}")]
    Start(#[source] io::Error),
    /// A certificate cannot be made or used.
    #[error("cannot make a certificate: {0}")]
    Certificate(String),
    /// A fault that makes no sense.
    #[error(transparent)]
    BadFault(#[from] BadFault),
    /// A fault that is not there (any more).
    #[error("there is no fault {0}: it was cleared, or it is used up")]
    UnknownFault(FaultId),
    /// A symbol that does not trade here.
    #[error(
        "{exchange}: {symbol} does not trade here; the simulator lists as many symbols as it was told to"
    )]
    UnknownSymbol {
        /// Exchange that was asked.
        exchange: SimExchange,
        /// Symbol that does not trade there.
        symbol: Symbol,
    },
    /// An account that was not configured.
    #[error("{exchange}: no account is called {account:?}")]
    UnknownAccount {
        /// Exchange that was asked.
        exchange: SimExchange,
        /// Name of the account that is not there.
        account: String,
    },
    /// A price or quantity that is off the market's grid.
    #[error("{exchange}: {value} does not fit the decimals of {symbol}: {source}")]
    OffGrid {
        /// Exchange the market belongs to.
        exchange: SimExchange,
        /// Symbol of the market.
        symbol: Symbol,
        /// The price or quantity, in units of quote or base.
        value: Decimal,
        /// Why it does not fit.
        source: NumError,
    },
    /// The exchange refuses what a test wants of it.
    #[error("{exchange}: {reject}")]
    Refused {
        /// Exchange that refuses.
        exchange: SimExchange,
        /// Why the exchange refuses.
        reject: Reject,
    },
    /// The simulator's thread has ended.
    #[error("the simulator has stopped")]
    Stopped,
}
