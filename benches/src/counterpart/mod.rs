//! Just enough of both exchanges' wire for benches, written from the published pages and apart from the adapters.

pub mod gateio;
pub mod mexc;
