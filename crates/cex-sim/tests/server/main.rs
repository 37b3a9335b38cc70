//! The simulator over real sockets on loopback.

mod client;
mod control;
mod failures;
mod faults;
mod mexc;
mod trading;
mod world;
