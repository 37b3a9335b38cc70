//! Places an order far from the market, follows it over the account stream, cancels it, and asks what became of it.
//!
//! ```text
//! cargo run -p cex-gateio --example gateio-private -- --rest http://127.0.0.1:7802 --ws ws://127.0.0.1:7802/ws/v4/ \
//!     --key rich-key --secret rich-secret BTC/USDT
//! ```
//!
//! It is meant for a simulated exchange (`arb sim` brings one up), so both addresses must be given. Whatever is done with
//! an adapter that is open is the same for every exchange: `session/private.rs` knows none by name.

#![expect(clippy::print_stdout, reason = "an example shows what it hears")]

#[path = "../../cex-transport/examples/session/private.rs"]
mod session;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    session::main("gateio", cex_gateio::connect)
}
