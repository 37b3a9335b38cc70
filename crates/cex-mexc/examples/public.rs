//! Prints the best levels of a book and the trades of some symbols as they happen.
//!
//! ```text
//! cargo run -p cex-mexc --example mexc-public -- BTC/USDT ETH/USDT
//! cargo run -p cex-mexc --example mexc-public -- --rest http://127.0.0.1:7801 --ws ws://127.0.0.1:7801/ws --events 20 BTC/USDT
//! ```
//!
//! Without addresses it is the real exchange, with them a simulated one (`arb sim`); no keys are needed. Whatever is done
//! with an adapter that is open is the same for every exchange: `session/public.rs` knows none by name.

#![expect(clippy::print_stdout, reason = "an example shows what it hears")]

#[path = "../../cex-transport/examples/session/public.rs"]
mod session;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    session::main("mexc", cex_mexc::connect)
}
