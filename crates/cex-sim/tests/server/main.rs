//! The simulator over real sockets on loopback.

mod client;
mod failures;
mod mexc;
mod trading;
