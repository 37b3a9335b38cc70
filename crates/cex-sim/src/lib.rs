//! Exchanges to practise against: the same wire protocols, real matching, exact ledgers, a seeded market.
//!
//! | module | what |
//! |---|---|
//! | [`matching`] | one exchange's books, orders, accounts and fees; pure, price-time priority |
//! | [`market`] | seeded order flow on all exchanges, correlated, with divergences |
//! | [`fault`] | what goes wrong on request |
//! | [`dialect`] | an exchange's side of the wire, written from the wire references apart from the adapters |
//! | [`server`] | real HTTP and WebSocket servers on loopback |
//! | [`world`] | the same exchanges in memory, on a virtual clock and a network made of chance |
#![forbid(unsafe_code)]

pub mod dialect;
pub mod fault;
pub mod market;
pub mod matching;
mod ranked;
pub mod server;

pub use server::world;
