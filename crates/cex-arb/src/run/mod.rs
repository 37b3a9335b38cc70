//! The wiring: one engine, the venues it trades at, and the thread that owns them all.
//!
//! | module | what |
//! |---|---|
//! | [`desk`] | [`desk::Desk`]: events from sockets into the engine, its commands into calls, by plain calls |
//! | [`venue`] | [`venue::Venue`]: an exchange opened: rules, clock, links |
//! | [`stopwatch`] | [`stopwatch::Stopwatch`]: latencies of frames and orders |
//! | [`pace`] | [`pace::Pace`]: sleeps or spins while nothing happens |
//! | [`record`] | [`record::Recorder`]: what is done and heard, into the journal |
//! | [`recover`] | [`recover::Unfinished`]: what an earlier run left undecided |
//! | [`live`] | `arb run`: the exchanges of a configuration |
//! | [`limits`], [`choice`], [`coins`] | a configuration's limits for the engine; which symbols are traded, and whether their coins are the same |
//! | `finish` | the end of a run |
//! | [`control`], [`remote`] | the control socket, from both sides: `arb status`, `stop`, `kill`, `resume` |
//! | [`demo`], [`proof`] | `arb demo`: simulated exchanges, the real rest; its profit proven |

pub mod choice;
pub mod coins;
pub mod control;
pub mod demo;
pub mod desk;
mod finish;
pub mod limits;
pub mod live;
pub mod pace;
pub mod proof;
pub mod record;
pub mod recover;
pub mod remote;
pub mod stopwatch;
pub mod venue;
