//! The wiring: one engine, the venues it trades at, and the thread that owns them all.
//!
//! | module | what |
//! |---|---|
//! | [`desk`] | [`desk::Desk`]: events from sockets into the engine, its commands into calls, by plain calls |
//! | [`answers`] | what the answers to its calls come to |
//! | [`venue`] | [`venue::Venue`]: an exchange opened: rules, clock, links |
//! | [`stopwatch`] | [`stopwatch::Stopwatch`]: latencies of frames and orders |
//! | [`pace`] | [`pace::Pace`]: sleeps or spins while nothing happens |
//! | [`record`] | [`record::Recorder`]: what is done and heard, into the journal |
//! | [`paper`] | accounts that exist only here, filled against live books |
//! | [`machine`] | what tells one run of the machine from another |
//! | [`past`] | [`past::Past`]: what a journal says of earlier runs |
//! | [`reasons`] | why symbols are left alone, by who says so |
//! | [`reconcile`] | open orders, fills, rules and fees, compared again and again |
//! | [`recover`] | [`recover::Unfinished`]: what an earlier run left undecided, asked for and gone on with |
//! | [`live`] | `arb run`: the exchanges of a configuration |
//! | `ready`, [`probe`] | what must be so before a run does anything; what keys may do |
//! | [`limits`], [`choice`], [`coins`] | a configuration's limits for the engine; which symbols are traded, and whether their coins are the same |
//! | `budget`, `fees` | how many orders an exchange's request budgets take; what an account pays |
//! | [`cancel`], `dead_man`, `finish` | every open order cancelled, by us or when we are silent; the end of a run |
//! | `signals` | what ends or halts a run from the keyboard and from other programs |
//! | [`control`], [`remote`] | the control socket, from both sides: `arb status`, `stop`, `kill`, `resume` |
//! | [`watchdog`], [`watch`] | what notices a thread, or a process, that stands still |
//! | [`demo`], [`proof`] | `arb demo`: simulated exchanges, the real rest; its profit proven |

pub mod answers;
mod budget;
pub mod cancel;
pub mod choice;
pub mod coins;
pub mod control;
mod dead_man;
pub mod demo;
pub mod desk;
mod fees;
mod finish;
pub mod limits;
pub mod live;
pub mod machine;
pub mod pace;
pub mod paper;
pub mod past;
pub mod probe;
pub mod proof;
mod ready;
pub mod reasons;
pub mod reconcile;
pub mod record;
pub mod recover;
pub mod remote;
mod signals;
pub mod stopwatch;
pub mod venue;
pub mod watch;
pub mod watchdog;
