//! The wiring: one engine, the venues it trades at, and the thread that owns them all.
//!
//! | module | what |
//! |---|---|
//! | [`desk`] | [`desk::Desk`]: events from sockets into the engine, its commands into calls, by plain calls |
//! | [`venue`] | [`venue::Venue`]: an exchange opened: rules, clock, links |
//! | [`stopwatch`] | [`stopwatch::Stopwatch`]: latencies of frames and orders |
//! | [`pace`] | [`pace::Pace`]: sleeps or spins while nothing happens |
//! | [`demo`] | `arb demo`: simulated exchanges, the real rest |

pub mod demo;
pub mod desk;
pub mod pace;
pub mod proof;
pub mod stopwatch;
pub mod venue;
