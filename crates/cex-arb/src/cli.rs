//! The command line.

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Cross-exchange arbitrage for crypto exchanges.
#[derive(Debug, Parser)]
#[command(
    name = "arb",
    version,
    about = "Cross-exchange arbitrage for crypto exchanges",
    after_help = "Start here: arb demo    (two simulated exchanges on this machine, no keys, no internet)\n\n\
                  Exit codes: 0 success, 1 internal error, 2 usage, 5 exchange unreachable, 9 ended with residual \
                  exposure,\nan unknown order or a ledger that differs, 10 check failed, 130 interrupted and drained"
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Trade between two simulated exchanges on this machine: no keys, no internet
    ///
    /// Brings up a simulated MEXC and a simulated Gate.io on loopback, speaking the exchanges' own protocols, and
    /// runs the real engine against them over HTTP and WebSocket: the code that would trade live.
    Demo(DemoArgs),
    /// Feed recorded Gate.io traffic through the codecs and books, and print what they came to
    ///
    /// DIR holds currency_pairs.json (an answer of /spot/currency_pairs), rest_order_book.jsonl (a line per snapshot:
    /// received_at, url, body) and ws_frames.jsonl (a line per frame: at, direction, text).
    Replay(ReplayArgs),
}

/// Options of `arb demo`.
#[derive(Debug, Clone, Args)]
pub struct DemoArgs {
    /// Seed of the simulated market: the same seed gives the same prices and order flow
    #[arg(long, default_value_t = 42)]
    pub seed: u64,
    /// Stop after this many seconds; otherwise run until Ctrl-C
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub seconds: Option<u64>,
    /// How many symbols to trade
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub symbols: u16,
    /// Print one JSON object per line; the last one is the summary
    #[arg(long)]
    pub json: bool,
    /// Print the summary only
    #[arg(long, short)]
    pub quiet: bool,
    /// Cut every connection of the simulated exchanges after this many seconds, to watch the recovery
    #[arg(long, value_name = "SECONDS")]
    pub cut_after: Option<u64>,
    /// Replace every connection after about this many seconds, as is done daily before an exchange cuts it, to watch
    /// that nothing is missed
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub rotate_after: Option<u64>,
}

/// Options of `arb replay`.
#[derive(Debug, Clone, Args)]
pub struct ReplayArgs {
    /// Directory with the recording
    #[arg(long)]
    pub dir: PathBuf,
    /// Print one JSON object per symbol and line
    #[arg(long)]
    pub json: bool,
}
