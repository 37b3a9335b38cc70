//! The command line.

use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::Deserialize;
use std::path::PathBuf;

/// Cross-exchange arbitrage for crypto exchanges.
#[derive(Debug, Parser)]
#[command(
    name = "arb",
    version = concat!(env!("CARGO_PKG_VERSION"), " (", env!("ARB_BUILD"), ")"),
    about = "Cross-exchange arbitrage for crypto exchanges",
    after_help = "Start here: arb demo    (two simulated exchanges on this machine, no keys, no internet)\n\n\
                  Exit codes: 0 success, 1 internal error, 2 usage, 3 bad configuration, 4 credentials,\n5 exchange unreachable, 6 not \
                  running or running already, 7 timeout, 8 halted,\n9 ended with residual exposure, an unknown order or a ledger that \
                  differs,\n10 check failed, 130 / 143 interrupted / terminated"
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
    /// Observe the exchanges of a configuration, or trade between them
    ///
    /// With mode = "observe" it shows what would be traded. With mode = "live", --live and the name of the accounts it
    /// places real orders. Ctrl-C lets what is open end. Everything it does and hears is in its journal.
    Run(RunArgs),
    /// How a running engine is
    Status(ControlArgs),
    /// Have a running engine open nothing new, let what is open end, and end
    ///
    /// Tells what is left. With --flatten it also cancels every open order, and trades away what arbitrages left over: by
    /// immediate orders, at most risk.flatten_collar_bps from the best prices.
    Stop(StopArgs),
    /// Halt: no engine of this configuration opens anything any more, and all open orders are cancelled
    ///
    /// Works while the engine is stopped, hangs or is gone: a halt file holds it, and the orders are cancelled over
    /// connections of this command's own. `arb resume` ends it, once you have looked.
    Kill(ControlArgs),
    /// Watch a running engine from outside: end one that hangs, and cancel what it leaves open
    ///
    /// Runs until it is ended. An engine that does not answer for risk.watchdog_ms (60 s while it ends) is killed; whenever one
    /// is gone without having ended in order, all open orders are cancelled over connections of this command's own, again and
    /// again until none is open or the next engine runs. The next arb run
    /// recovers.
    Watch(ControlArgs),
    /// Say that you have looked at what halted the engine, and let it go on
    ///
    /// Where no engine runs and earlier runs left something open, it names that and does nothing without --take-over: the next
    /// `arb run` would find out what became of it and trade the difference away, and does so no more once it is yours.
    Resume(ResumeArgs),
    /// Feed recorded Gate.io traffic through the codecs and books, and print what they came to
    ///
    /// DIR holds currency_pairs.json (an answer of /spot/currency_pairs), rest_order_book.jsonl (a line per snapshot:
    /// received_at, url, body) and ws_frames.jsonl (a line per frame: at, direction, text).
    Replay(ReplayArgs),
    /// Bring up a simulated MEXC and Gate.io for any client, in any language, until Ctrl-C
    ///
    /// Clients reach them over HTTP and WebSocket at the exchanges' own paths. Faults, balances and books are set over
    /// a control interface on a port of its own. docs/simulator.md tells the rest.
    Sim(SimArgs),
    /// Look into a journal: verify it, count it, print it, work it out again
    ///
    /// A journal is read without its lock, so this works while a program writes it. docs/journal.md tells its format and
    /// what it promises.
    #[command(subcommand)]
    Journal(JournalCommand),
    /// Look at the configuration: check it, show what holds, print an example
    ///
    /// It is read from --config FILE, else from the file ARB_CONFIG names, else ./arb.toml, else the user's own
    /// (XDG_CONFIG_HOME/arb/arb.toml). docs/configuration.md tells the rest.
    #[command(subcommand)]
    Config(ConfigCommand),
}

/// How to run.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// The configuration
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Override a key, such as risk.max_leg_usdt=100; may be given more than once
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Place real orders; the configuration must say mode = "live" too
    #[arg(long)]
    pub live: bool,
    /// The name of the accounts, such as mexc+gateio, instead of typing it
    #[arg(long, value_name = "ACCOUNTS", requires = "live")]
    pub yes_live: Option<String>,
    /// Stop after this many seconds
    #[arg(long)]
    pub seconds: Option<u64>,
    /// Never let the trading thread sleep; usually it does when no frame has come for a millisecond
    #[arg(long)]
    pub spin: bool,
    /// Let the trading thread sleep whenever there is no frame: spares a core, adds some microseconds to each decision
    #[arg(long, conflicts_with = "spin")]
    pub sleep: bool,
    /// Print one JSON object per line
    #[arg(long)]
    pub json: bool,
    /// Print the summary only
    #[arg(long, short)]
    pub quiet: bool,
}

/// Which engine.
#[derive(Debug, Clone, Args)]
pub struct ControlArgs {
    /// The configuration it runs with
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Override a key, as it was overridden there
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// How to stop.
#[derive(Debug, Clone, Args)]
pub struct StopArgs {
    /// Which engine
    #[command(flatten)]
    pub control: ControlArgs,
    /// Cancel what is open, and trade away what arbitrages left over
    #[arg(long)]
    pub flatten: bool,
}

/// What is looked at.
#[derive(Debug, Clone, Args)]
pub struct ResumeArgs {
    /// Which engine
    #[command(flatten)]
    pub control: ControlArgs,
    /// Where no engine runs: what earlier runs left open is yours from now on, evened out by you or kept; no run trades it away
    #[arg(long)]
    pub take_over: bool,
}

/// What to do with the configuration.
#[derive(Debug, Clone, Subcommand)]
pub enum ConfigCommand {
    /// Tell everything that is wrong with it; exit code 3 when something is
    Check(ConfigArgs),
    /// Print the values that hold; of secrets only where they are
    Show(ShowArgs),
    /// Print a full file with every key explained
    Example,
}

/// Which configuration.
#[derive(Debug, Clone, Args)]
pub struct ConfigArgs {
    /// The file
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Override a key, such as risk.max_leg_usdt=100; may be given more than once
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// How the configuration is shown.
#[derive(Debug, Clone, Args)]
pub struct ShowArgs {
    /// Which
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Say beside each value where it comes from
    #[arg(long)]
    pub origin: bool,
}

/// What to do with a journal.
#[derive(Debug, Clone, Subcommand)]
pub enum JournalCommand {
    /// Verify every byte: lengths, checksums, numbers, the chain of hashes; exit code 10 when something is wrong
    Verify(JournalArgs),
    /// Verify, and count records and bytes by kind
    Stats(JournalArgs),
    /// Print the records, one a line, each after it was verified
    Dump(DumpArgs),
    /// Work it out again: records, ends of arbitrages from their fills, and states must come out the same; exit code 10
    /// when something differs
    Replay(JournalArgs),
}

/// Which journal.
#[derive(Debug, Clone, Args)]
pub struct JournalArgs {
    /// Directory of the journal
    #[arg(long)]
    pub dir: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Which records of which journal.
#[derive(Debug, Clone, Args)]
pub struct DumpArgs {
    /// Directory of the journal
    #[arg(long)]
    pub dir: PathBuf,
    /// Print one JSON object per record and line
    #[arg(long)]
    pub json: bool,
    /// Begin with this record
    #[arg(long, value_name = "SEQ", default_value_t = 0)]
    pub from: u64,
    /// Only records of this type, such as `intent`; may be given more than once
    #[arg(long = "type", value_name = "TYPE", value_parser = journal_kind)]
    pub kinds: Vec<cex_journal::Kind>,
}

/// The kind of record with this name.
fn journal_kind(text: &str) -> Result<cex_journal::Kind, String> {
    cex_journal::Kind::from_name(text).ok_or_else(|| {
        let known: Vec<&str> = cex_journal::Kind::ALL.iter().map(|kind| kind.name()).collect();
        format!("no such type; there are {}", known.join(", "))
    })
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
    /// Never let the trading thread sleep: it burns a core and decides in half the time
    #[arg(long)]
    pub spin: bool,
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

/// Options of `arb sim`. What is not given here or in the file is as usual.
#[derive(Debug, Clone, Args)]
pub struct SimArgs {
    /// Port of MEXC on 127.0.0.1; 0 for any [usual: 7801]
    #[arg(long, value_name = "PORT")]
    pub mexc_port: Option<u16>,
    /// Port of Gate.io on 127.0.0.1; 0 for any [usual: 7802]
    #[arg(long, value_name = "PORT")]
    pub gateio_port: Option<u16>,
    /// Port of the control interface on 127.0.0.1; 0 for any [usual: 7803]
    #[arg(long, value_name = "PORT")]
    pub control_port: Option<u16>,
    /// Seed of the market and of everything left to chance [usual: 42]
    #[arg(long)]
    pub seed: Option<u64>,
    /// How many symbols trade [usual: 20]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub symbols: Option<u16>,
    /// How fast the market lives, times real time: 0.01 to 100 [usual: 1]; clocks and requests are not concerned
    #[arg(long, value_name = "X", value_parser = speed_percent)]
    pub speed: Option<u32>,
    /// Whether too many requests are refused [usual: off, real with the strict profile]
    #[arg(long)]
    pub rate_limits: Option<RateLimits>,
    /// How the exchanges treat their clients [usual: normal]
    #[arg(long)]
    pub profile: Option<SimProfile>,
    /// Play a recording as the market, on both exchanges: a directory as `arb replay` takes it
    #[arg(long, value_name = "DIR")]
    pub playback: Option<PathBuf>,
    /// Serve the exchanges over TLS, with a certificate that holds or one that must be refused
    #[arg(long, value_name = "CERTIFICATE", value_parser = certificate)]
    pub tls: Option<cex_sim::server::Certificate>,
    /// Where to write the roots a client has to trust, as PEM
    #[arg(long, value_name = "FILE")]
    pub tls_roots: Option<PathBuf>,
    /// A file that says all this, and accounts and faults besides
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print where everything is as one JSON object per line
    #[arg(long)]
    pub json: bool,
}

/// The certificate of this name.
pub fn certificate(name: &str) -> Result<cex_sim::server::Certificate, String> {
    let all = cex_sim::server::Certificate::ALL;
    let known = || all.map(cex_sim::server::Certificate::name).join(", ");
    all.into_iter().find(|one| one.name() == name).ok_or_else(|| format!("use one of {}", known()))
}

/// Whether too many requests are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RateLimits {
    /// As on the real exchanges
    Real,
    /// Never
    Off,
}

/// How simulated exchanges treat their clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SimProfile {
    /// Every rule in its harshest reading
    Strict,
    /// As the exchanges are
    Normal,
    /// As the exchanges are on a bad day: something goes wrong every few seconds
    Hostile,
}

/// Times real time, as per cent of it.
pub(crate) fn speed_percent(text: &str) -> Result<u32, String> {
    let speed: Option<cex_core::Decimal> = text.parse().ok();
    let percent = speed.and_then(|speed| speed.to_scaled(2, Some(cex_core::Rounding::Down)).ok());
    let percent = percent.and_then(|percent| u32::try_from(percent).ok());
    percent
        .filter(|percent| (1..=10_000).contains(percent))
        .ok_or_else(|| format!("{text} is not 0.01 to 100"))
}
