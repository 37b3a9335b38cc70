//! Why the simulator cannot start or answer.

use super::SimExchange;
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
        /// Whose port.
        exchange: SimExchange,
        /// Which address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The simulator's thread or its runtime cannot be made.
    #[error("cannot start the simulator: {0}")]
    Start(#[source] io::Error),
    /// The simulator's thread has ended.
    #[error("the simulator has stopped")]
    Stopped,
}
