//! What the budgets in `docs/performance.md` are measured with: a seeded workload as on the wire, and a stopwatch that
//! lets the contestants run in turn.
//!
//! Machines are shared and noisy, so every budget is a ratio to a baseline of the same run, or generous where it is
//! absolute; a figure is the median over rounds in which each contestant runs once.
#![forbid(unsafe_code)]

pub mod frames;
pub mod measure;
pub mod workload;
