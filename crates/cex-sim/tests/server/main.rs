//! The simulator over real sockets on loopback.

mod client;
mod control;
mod failures;
mod faults;
mod mexc;
mod surface;
mod trading;
mod twins;
mod world;
