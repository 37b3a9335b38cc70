//! Gate.io's dialect without sockets: calls and messages in, answers and frames out, time as an argument.

mod batch;
mod bench;
mod join;
mod orders;
mod rest;
mod stp;
mod stream;
mod trading;
mod triggers;
mod vectors;
