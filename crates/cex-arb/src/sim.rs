//! `arb sim`: a simulated MEXC and Gate.io for any client, until Ctrl-C.
//!
//! | module | what |
//! |---|---|
//! | `file`, `mistake` | `sim.toml`, and what is wrong with it |

mod file;
mod mistake;

use crate::cli::{RateLimits, SimArgs, SimProfile};
use crate::exit::{Exit, Failure};
use cex_sim::market::Tape;
use cex_sim::server::{Profile, Rights, SimAccount, SimConfig, SimError, SimHandle, SimServer};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Where things are unless somebody says otherwise.
const MEXC_PORT: u16 = 7_801;
const GATEIO_PORT: u16 = 7_802;
const CONTROL_PORT: u16 = 7_803;
const SEED: u64 = 42;
const SYMBOLS: usize = 20;

/// Runs the command.
pub fn run(args: &SimArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let sim = SimServer::start(config(args)?).map_err(|error| failure(&error))?;
    write_roots(args, &sim)?;
    // Before anybody is told that it is ready: they may end it at once.
    let interrupt = Interrupt::listen()?;
    let told = if args.json { tell_json(&sim, out) } else { tell(&sim, out) };
    told.map_err(|error| Failure::new(Exit::Internal, format!("standard output: {error}"), ""))?;
    interrupt.wait();
    sim.stop().map_err(|error| failure(&error))?;
    Err(Failure::new(Exit::Interrupted, "", ""))
}

/// Writes what a client has to trust.
fn write_roots(args: &SimArgs, sim: &SimHandle) -> Result<(), Failure> {
    let (Some(path), Some(roots)) = (&args.tls_roots, sim.roots_pem()) else { return Ok(()) };
    std::fs::write(path, roots).map_err(|error| {
        let what = format!("--tls-roots {}: {error}", path.display());
        Failure::new(Exit::BadConfig, what, "name a file that can be written")
    })
}

/// Ctrl-C, from when it is listened to.
struct Interrupt {
    runtime: Runtime,
    came: Signal,
}

impl Interrupt {
    fn listen() -> Result<Self, Failure> {
        let listened = Builder::new_current_thread().enable_all().build().and_then(|runtime| {
            let guard = runtime.enter();
            let came = signal(SignalKind::interrupt())?;
            drop(guard);
            Ok(Self { runtime, came })
        });
        listened.map_err(|error| Failure::new(Exit::Internal, format!("waiting for Ctrl-C: {error}"), ""))
    }

    fn wait(mut self) {
        self.runtime.block_on(self.came.recv());
    }
}

fn failure(error: &SimError) -> Failure {
    let exit = match error {
        SimError::Listen { .. } | SimError::ListenControl { .. } => Exit::Unreachable,
        SimError::BadFault(_) | SimError::UnknownSymbol { .. } | SimError::UnknownAccount { .. } => {
            Exit::BadConfig
        }
        SimError::Start(_)
        | SimError::Certificate(_)
        | SimError::UnknownFault(_)
        | SimError::OffGrid { .. }
        | SimError::Refused { .. }
        | SimError::Stopped => Exit::Internal,
    };
    Failure::new(exit, format!("simulator: {error}"), "")
}

/// What the command line says counts, then the file, then what is usual.
fn config(args: &SimArgs) -> Result<SimConfig, Failure> {
    let file = args.config.as_deref().map(file::read).transpose()?.unwrap_or_default();
    let profile = args.profile.or(file.profile).unwrap_or(SimProfile::Normal);
    let is_strict = profile == SimProfile::Strict;
    let rate_limits = args.rate_limits.or(file.rate_limits);
    let rate_limits = rate_limits.unwrap_or(if is_strict { RateLimits::Real } else { RateLimits::Off });
    let tls = args.tls.or(file.tls);
    if tls.is_none() && args.tls_roots.is_some() {
        let what = "--tls-roots: nothing is served over TLS";
        return Err(Failure::new(Exit::BadConfig, what, "give --tls good too, or `tls` in the file"));
    }
    let playback = args.playback.as_deref().or(file.playback.as_deref());
    let tape = playback.map(recording).transpose()?.map(Arc::new);
    let usual = SimConfig::default();
    Ok(SimConfig {
        seed: args.seed.or(file.seed).unwrap_or(SEED),
        symbols: args.symbols.map(usize::from).or(file.symbols).unwrap_or(SYMBOLS),
        tape,
        divergences_per_minute: file.divergences_per_minute.unwrap_or(usual.divergences_per_minute),
        mood: file.mood,
        divergence_bps: file.divergence_bps.unwrap_or(usual.divergence_bps),
        is_quiet: file.quiet,
        mexc_port: args.mexc_port.or(file.mexc_port).unwrap_or(MEXC_PORT),
        gateio_port: args.gateio_port.or(file.gateio_port).unwrap_or(GATEIO_PORT),
        control_port: Some(args.control_port.or(file.control_port).unwrap_or(CONTROL_PORT)),
        accounts: file.accounts.unwrap_or_else(accounts),
        profile: match profile {
            SimProfile::Strict => Profile::Strict,
            SimProfile::Normal => Profile::Normal,
            SimProfile::Hostile => Profile::Hostile,
        },
        mexc_market_orders: file.mexc_market_orders.unwrap_or(true),
        mexc_names_in_trades: file.mexc_names_in_trades.unwrap_or(false),
        speed_percent: args.speed.or(file.speed_percent).unwrap_or(100),
        faults: file.faults,
        tls,
        rate_limits: rate_limits == RateLimits::Real,
        queue_frames: usual.queue_frames,
    })
}

/// The recording to play. One that cannot be played is a mistake of whoever named it, not a check that failed.
fn recording(dir: &Path) -> Result<Tape, Failure> {
    let named = |failure: Failure| {
        let what = format!("playback: {}", failure.what);
        Failure::new(Exit::BadConfig, what, "name a directory as `arb replay --dir` takes it")
    };
    if !dir.is_dir() {
        return Err(named(Failure::new(Exit::BadConfig, format!("{} is no directory", dir.display()), "")));
    }
    crate::replay::tape(dir).map_err(named)
}

/// The usual accounts: two that are rich, one that is poor, and one for every right that a key may lack or have too
/// much of.
fn accounts() -> Vec<SimAccount> {
    let rich = [("USDT", "100000"), ("BTC", "5")];
    let poor = [("USDT", "5")];
    let account = |name: &str, rights, balances: &[(&str, &str)]| SimAccount {
        rights,
        deposits: (name == "poor").then(|| file::exactly(balances)),
        also: file::exactly(if name == "poor" { &[] } else { balances }),
        ..SimAccount::new(name)
    };
    vec![
        account("rich", Rights::Trade, &rich),
        account("rich2", Rights::Trade, &rich),
        account("poor", Rights::Trade, &poor),
        account("read-only", Rights::ReadOnly, &rich),
        account("expired", Rights::Expired, &rich),
        account("ip-bound", Rights::IpBound, &rich),
        account("can-withdraw", Rights::Withdraw, &rich),
    ]
}

fn tell_json(sim: &SimHandle, out: &mut dyn Write) -> std::io::Result<()> {
    // Written by hand where the order of keys is promised.
    let row = |account: &SimAccount| {
        let [name, key, secret] =
            [&account.name, &account.key, &account.secret].map(|text| sonic_rs::json!(text).to_string());
        format!(r#"{{"name":{name},"key":{key},"secret":{secret}}}"#)
    };
    let accounts: Vec<String> = sim.accounts().iter().map(row).collect();
    let endpoints = sim.endpoints();
    let venue = |rest: &str, ws: &str| format!(r#"{{"rest":"{rest}","ws":"{ws}"}}"#);
    writeln!(
        out,
        r#"{{"event":"ready","mexc":{},"gateio":{},"accounts":{}}}"#,
        venue(&endpoints.mexc.rest, &endpoints.mexc.ws),
        venue(&format!("{}/api/v4", endpoints.gateio.rest), &endpoints.gateio.ws),
        format_args!("[{}]", accounts.join(","))
    )?;
    if let Some(control) = &endpoints.control {
        writeln!(out, r#"{{"event":"control","rest":"{control}"}}"#)?;
    }
    out.flush()
}

fn tell(sim: &SimHandle, out: &mut dyn Write) -> std::io::Result<()> {
    let endpoints = sim.endpoints();
    writeln!(out, "ready (Ctrl-C ends it)")?;
    writeln!(out, "  MEXC     {}   {}", endpoints.mexc.rest, endpoints.mexc.ws)?;
    writeln!(out, "  Gate.io  {}/api/v4   {}", endpoints.gateio.rest, endpoints.gateio.ws)?;
    if let Some(control) = &endpoints.control {
        writeln!(out, "  control  {control}   (docs/simulator.md)")?;
    }
    writeln!(out, "  accounts, the same on both exchanges:")?;
    for account in sim.accounts() {
        writeln!(out, "    {:<13} key {:<18} secret {}", account.name, account.key, account.secret)?;
    }
    out.flush()
}
