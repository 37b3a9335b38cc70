//! Gate.io's dialect without sockets: calls and messages in, answers and frames out, time as an argument.

mod bench;
mod join;
mod orders;
mod rest;
mod stream;
mod vectors;
