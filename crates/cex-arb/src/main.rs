//! `arb`: cross-exchange arbitrage for crypto exchanges.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    cex_arb::main()
}
