//! Kills engines: `arb run` against simulated exchanges, ended by SIGKILL at random moments and started again, over and over.
//! Afterwards every fill of the exchanges must be in the journal and no other, no order twice at an exchange, and no start
//! may have taken too long to trade again. `cargo xtask kills` builds and runs it.

use cex_core::{Decimal, Side, Symbol};
use cex_sim::server::{SimConfig, SimExchange, SimHandle, SimServer};
use clap::Parser;
use sonic_rs::{JsonValueTrait, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Starts with one simulator: crashed runs leave keys of private streams behind, of which an account has sixty.
const PER_STAGE: u32 = 40;
/// The longest a start may take until it trades again, for 99 of 100.
const RECOVERY_P99: Duration = Duration::from_secs(3);
/// ... once so many starts were seen.
const TELLING: usize = 100;
/// A start that takes longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(60);
/// A crash comes so much later than the engine trades, at most ...
const TRADING: u64 = 1_500;
/// ... or one time in four so much later than its start, whatever it is doing.
const STARTING: u64 = 1_000;

/// How often, and with what left to chance.
#[derive(Debug, Parser)]
struct Options {
    /// Kills in all
    #[arg(long, default_value_t = 200)]
    times: u32,
    /// Seed of the markets and of the moments
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The program; the one built beside this one when not given
    #[arg(long)]
    arb: Option<PathBuf>,
}

/// Worth less than this in quote, a difference is too little to trade away.
const DUST: i64 = 10;

/// What is wrong, in words.
type Fault = String;

/// A generator of moments: the same seed, the same moments.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        // xorshift64*: enough for moments.
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound.max(1)
    }
}

/// What one stage came to.
#[derive(Debug, Default)]
struct Row {
    kills: u32,
    orders: usize,
    twice: usize,
    in_journal: usize,
    at_exchanges: usize,
    lost: usize,
    invented: usize,
    uneven: usize,
}

struct Stage {
    arb: PathBuf,
    sim: SimHandle,
    directory: TempDir,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("kills: {fault}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), Fault> {
    let arb = match &options.arb {
        Some(path) => path.clone(),
        None => beside_us().ok_or("no program beside this one: give --arb")?,
    };
    let mut chance = Chance(options.seed | 1);
    let (mut left, mut recoveries, mut rows) = (options.times, Vec::new(), Vec::new());
    println!("stage  kills  orders  twice  fills: journal  exchanges  lost  invented  uneven");
    while left > 0 {
        let kills = left.min(PER_STAGE);
        let number = u64::try_from(rows.len()).unwrap_or(0);
        let row = Stage::new(&arb, options.seed + number)?.play(kills, &mut chance, &mut recoveries)?;
        println!(
            "{number:>5}  {:>5}  {:>6}  {:>5}  {:>14}  {:>9}  {:>4}  {:>8}  {:>6}",
            row.kills,
            row.orders,
            row.twice,
            row.in_journal,
            row.at_exchanges,
            row.lost,
            row.invented,
            row.uneven
        );
        rows.push(row);
        left -= kills;
    }
    recoveries.sort();
    let at = |percent: usize| {
        recoveries.get((recoveries.len() * percent).div_ceil(100).saturating_sub(1)).copied()
    };
    let (p50, p99) = (at(50).unwrap_or_default(), at(99).unwrap_or_default());
    println!(
        "start to trading again: {} starts, p50 {} ms, p99 {} ms, longest {} ms",
        recoveries.len(),
        p50.as_millis(),
        p99.as_millis(),
        recoveries.last().copied().unwrap_or_default().as_millis()
    );
    let wrong: usize = rows.iter().map(|row| row.twice + row.lost + row.invented + row.uneven).sum();
    if wrong > 0 {
        return Err(format!(
            "{wrong} differences; the same seed plays the same moments again: --seed {}",
            options.seed
        ));
    }
    // Of fewer starts the slowest is no percentile, and may have had an order to wait for.
    if recoveries.len() >= TELLING && p99 > RECOVERY_P99 {
        return Err(format!(
            "starts took too long: p99 {} ms, at most {}",
            p99.as_millis(),
            RECOVERY_P99.as_millis()
        ));
    }
    println!("kills: {} kills, nothing lost, nothing twice", options.times);
    Ok(())
}

/// `target/release/examples/kills` stands two below `target/release/arb`.
fn beside_us() -> Option<PathBuf> {
    let path = std::env::current_exe().ok()?.parent()?.parent()?.join("arb");
    path.exists().then_some(path)
}

impl Stage {
    fn new(arb: &Path, seed: u64) -> Result<Self, Fault> {
        let sim = SimServer::start(SimConfig { seed, symbols: 6, ..SimConfig::default() });
        let stage = Self {
            arb: arb.to_owned(),
            sim: sim.map_err(|error| error.to_string())?,
            directory: tempfile::tempdir().map_err(|error| error.to_string())?,
        };
        stage.configure()?;
        Ok(stage)
    }

    fn play(&self, kills: u32, chance: &mut Chance, recoveries: &mut Vec<Duration>) -> Result<Row, Fault> {
        for _ in 0..kills {
            let began = Instant::now();
            let mut child = self.start()?;
            if chance.below(4) == 0 {
                std::thread::sleep(Duration::from_millis(chance.below(STARTING)));
            } else {
                self.trades(&mut child, began)?;
                recoveries.push(began.elapsed());
                std::thread::sleep(Duration::from_millis(chance.below(TRADING)));
            }
            if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
                return Err(format!("the engine ended by itself: {status}: {}", self.complaint(child)));
            }
            child.kill().and_then(|()| child.wait()).map_err(|error| error.to_string())?;
        }
        let began = Instant::now();
        let mut child = self.start()?;
        self.trades(&mut child, began)?;
        recoveries.push(began.elapsed());
        let stopped = self.arb(&["stop"])?;
        if !stopped.status.success() {
            return Err(format!("it could not be stopped: {}", said(&stopped)));
        }
        let end = child.wait().map_err(|error| error.to_string())?;
        if !end.success() {
            return Err(format!("the last run did not end in order: {end}"));
        }
        for verb in ["verify", "replay"] {
            let output = self.journal(&[verb])?;
            if !output.status.success() {
                return Err(format!("journal {verb}: {}", said(&output)));
            }
        }
        self.compare(kills)
    }

    /// Waits until the engine trades.
    fn trades(&self, child: &mut Child, began: Instant) -> Result<(), Fault> {
        while self.mode().as_deref() != Some("active") {
            if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
                let mut text = String::new();
                if let Some(mut pipe) = child.stderr.take() {
                    // What cannot be read is not told.
                    let _ = std::io::Read::read_to_string(&mut pipe, &mut text);
                }
                return Err(format!("the engine does not start again: {status}: {text}"));
            }
            if began.elapsed() > PATIENCE {
                return Err("the engine does not trade again".to_owned());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// What the engine may do now, by its own word; nothing while it does not answer.
    fn mode(&self) -> Option<String> {
        let mut stream = UnixStream::connect(self.state().join("control.sock")).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(1))).ok()?;
        writeln!(stream, "{{\"verb\":\"status\"}}").ok()?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).ok()?;
        let answer: Value = sonic_rs::from_str(&line).ok()?;
        answer["status"]["mode"].as_str().map(str::to_owned)
    }

    fn compare(&self, kills: u32) -> Result<Row, Fault> {
        let dump = self.journal(&["dump", "--json", "--type", "fill"])?;
        let text = String::from_utf8(dump.stdout).map_err(|error| error.to_string())?;
        let mut ours = BTreeSet::new();
        for line in text.lines() {
            let record: Value = sonic_rs::from_str(line).map_err(|error| error.to_string())?;
            let fill = &record["payload"];
            // A fill that was told twice is recorded twice and counts once.
            ours.insert(
                ["venue", "client_id", "qty", "price", "order_id", "trade_id"]
                    .map(|key| fill[key].as_str().unwrap_or_default().to_owned()),
            );
        }
        // The same fill may have been told without our name first.
        let named: BTreeSet<[String; 3]> = ours
            .iter()
            .filter(|fill| !fill[1].is_empty())
            .map(|[venue, _, _, _, order, trade]| [venue.clone(), order.clone(), trade.clone()])
            .collect();
        let mut ours: Vec<String> = ours
            .into_iter()
            .filter(|[venue, client_id, _, _, order, trade]| {
                !client_id.is_empty() || !named.contains(&[venue.clone(), order.clone(), trade.clone()])
            })
            .map(|[venue, client_id, qty, price, ..]| format!("{venue} {client_id} {qty} at {price}"))
            .collect();
        let (mut theirs, mut orders, mut twice) = (Vec::new(), 0, 0);
        let mut net: BTreeMap<Symbol, (Decimal, Decimal)> = BTreeMap::new();
        for exchange in SimExchange::ALL {
            let told = self.sim.fills(exchange, "rich").map_err(|error| error.to_string())?;
            for fill in told {
                let client_id = fill.client_id.strip_prefix("t-").unwrap_or(&fill.client_id);
                theirs.push(format!("{} {client_id} {} at {}", exchange.name(), fill.qty, fill.price));
                let (sum, price) = net.entry(fill.symbol).or_default();
                *price = fill.price;
                let moved = match fill.side {
                    Side::Buy => sum.checked_add(fill.qty),
                    Side::Sell => sum.checked_sub(fill.qty),
                };
                *sum = moved.map_err(|error| error.to_string())?;
            }
            let mut seen = BTreeSet::new();
            for order in self.sim.orders(exchange, "rich").map_err(|error| error.to_string())? {
                orders += 1;
                twice += usize::from(!seen.insert(order.client_id));
            }
        }
        ours.sort();
        theirs.sort();
        let (in_journal, at_exchanges) = (ours.len(), theirs.len());
        let lost = missing(&theirs, &ours);
        let invented = missing(&ours, &theirs);
        lost.iter().for_each(|fill| println!("  lost: {fill}"));
        invented.iter().for_each(|fill| println!("  invented: {fill}"));
        let value = |(net, price): &(Decimal, Decimal)| net.abs().and_then(|net| net.checked_mul(*price));
        let uneven: Vec<_> = net
            .iter()
            .filter(|(_, left)| value(left).is_ok_and(|value| value >= Decimal::from(DUST)))
            .collect();
        uneven.iter().for_each(|(symbol, net)| println!("  uneven: {symbol} {}", net.0));
        Ok(Row {
            kills,
            orders,
            twice,
            in_journal,
            at_exchanges,
            lost: lost.len(),
            invented: invented.len(),
            uneven: uneven.len(),
        })
    }

    fn start(&self) -> Result<Child, Fault> {
        let mut command = self.command("run", &["--live", "--yes-live", "mexc+gateio", "--json", "--quiet"]);
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().map_err(|error| error.to_string())
    }

    fn complaint(&self, child: Child) -> String {
        child.wait_with_output().map_or_else(|error| error.to_string(), |output| said(&output))
    }

    fn arb(&self, args: &[&str]) -> Result<Output, Fault> {
        let (verb, args) = args.split_first().ok_or("no verb")?;
        self.command(verb, args).output().map_err(|error| error.to_string())
    }

    fn journal(&self, args: &[&str]) -> Result<Output, Fault> {
        let mut command = Command::new(&self.arb);
        command.arg("journal").args(args).arg("--dir").arg(self.state().join("journal"));
        command.output().map_err(|error| error.to_string())
    }

    fn command(&self, verb: &str, args: &[&str]) -> Command {
        let mut command = Command::new(&self.arb);
        command.arg(verb).arg("--config").arg(self.config()).args(args);
        command.env("ARB_KILLS_KEY", "rich-key").env("ARB_KILLS_SECRET", "rich-secret");
        command
    }

    fn config(&self) -> PathBuf {
        self.directory.path().join("arb.toml")
    }

    fn state(&self) -> PathBuf {
        self.directory.path().join("state")
    }

    /// The example, with the simulator's addresses and without limits that end the trading within seconds.
    fn configure(&self) -> Result<(), Fault> {
        let example = Command::new(&self.arb).args(["config", "example"]).output();
        let example = example.map_err(|error| error.to_string())?;
        let mut text = String::from_utf8(example.stdout).map_err(|error| error.to_string())?;
        for (key, value) in [
            ("mode", "\"live\"".to_owned()),
            ("include", "[]".to_owned()),
            ("top", "100".to_owned()),
            ("dir", format!("\"{}\"", self.state().display())),
            ("max_venue_equity_usdt", "100000000".to_owned()),
            ("min_inventory_pct", "0".to_owned()),
            ("min_edge_bps", "1".to_owned()),
            ("max_book_age_ms", "2000".to_owned()),
            ("max_book_venue_age_ms", "5000".to_owned()),
            ("max_age_gap_ms", "2000".to_owned()),
            ("decision_ttl_ms", "1000".to_owned()),
            ("cooldown_s", "1".to_owned()),
            ("cooldown_max_s", "1".to_owned()),
            ("symbol_failures", "100".to_owned()),
            ("venue_failures", "100".to_owned()),
            ("global_failures", "1000".to_owned()),
            ("slippage_cycles", "1000".to_owned()),
            ("max_orders_per_min", "60000".to_owned()),
            ("max_orders_per_day", "1000000".to_owned()),
            ("max_day_notional_usdt", "100000000".to_owned()),
            ("max_cycle_loss_usdt", "1000".to_owned()),
            ("max_hour_loss_usdt", "1000".to_owned()),
            ("max_day_loss_usdt", "1000".to_owned()),
            ("max_drawdown_usdt", "1000".to_owned()),
            ("journal_max_lag_ms", "10000".to_owned()),
            ("journal_min_free_mib", "64".to_owned()),
            ("journal_segment_mib", "1".to_owned()),
        ] {
            text = with(&text, key, &value)?;
        }
        for exchange in SimExchange::ALL {
            let endpoint = self.sim.endpoint(exchange);
            let section = format!("[venues.{}]", exchange.name());
            let (head, tail) = text.split_once(&section).ok_or("the example has no such section")?;
            text = format!(
                "{head}{section}\nkey = \"env:ARB_KILLS_KEY\"\nsecret = \"env:ARB_KILLS_SECRET\"\nrest = \"{}\"\nws = \
                 \"{}\"{tail}",
                endpoint.rest, endpoint.ws
            );
        }
        std::fs::write(self.config(), text).map_err(|error| error.to_string())?;
        let owner = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(self.config(), owner).map_err(|error| error.to_string())
    }
}

/// Rows of `of` that `from` does not have, each as often as it is missing. Both are sorted.
fn missing<'a>(of: &'a [String], from: &[String]) -> Vec<&'a String> {
    let mut counts: BTreeMap<&String, usize> = BTreeMap::new();
    from.iter().for_each(|row| *counts.entry(row).or_default() += 1);
    let mut rows = Vec::new();
    for row in of {
        match counts.get_mut(row) {
            Some(count) if *count > 0 => *count -= 1,
            _ => rows.push(row),
        }
    }
    rows
}

/// The example with another value for a key.
fn with(text: &str, key: &str, value: &str) -> Result<String, Fault> {
    let begins = format!("{key} = ");
    let mut found = false;
    let lines: Vec<String> = text
        .lines()
        .map(|line| {
            if line.starts_with(&begins) {
                found = true;
                return format!("{begins}{value}");
            }
            line.to_owned()
        })
        .collect();
    if found { Ok(lines.join("\n") + "\n") } else { Err(format!("the example has no key {key}")) }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}
