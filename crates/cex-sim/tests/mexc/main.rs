//! MEXC's dialect without sockets: calls and messages in, answers and frames out, time as an argument.

mod bench;
mod fees;
mod follow;
mod frames;
mod join;
mod market_data;
mod orders;
mod pushes;
mod signatures;
mod stream;
mod wire;
