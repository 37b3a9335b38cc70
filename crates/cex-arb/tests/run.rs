//! `arb run` and what is said to it, with the real binary against simulated exchanges: trading, killed in the middle, halted
//! while it hangs.

use cex_arb::run::venue::{Venue, shared_markets};
use cex_arb::venues::EXCHANGES;
use cex_core::{
    ClientOrderId, Decimal, OrderKind, OrderRequest, Price, Rounding, Side, Symbol, TimeInForce, VenueId,
};
use cex_interface::{Reply, Request, Secret, VenueConfig};
use cex_sim::fault::{Fault, Moment, RestEffect};
use cex_sim::server::{Rights, SimAccount, SimConfig, SimExchange, SimHandle, SimServer};
use cex_transport::{Clock, TransportConfig};
use sonic_rs::{JsonValueTrait, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Simulated exchanges and a configuration for them.
struct Stage {
    sim: SimHandle,
    directory: TempDir,
}

impl Stage {
    fn new(mode: &str) -> Self {
        Self::with(mode, Rights::Trade)
    }

    /// With keys that may do this.
    fn with(mode: &str, rights: Rights) -> Self {
        let accounts = vec![SimAccount { rights, ..SimAccount::new("rich") }];
        let config = SimConfig { seed: 7, symbols: 6, accounts, ..SimConfig::default() };
        let sim = SimServer::start(config).expect("loopback");
        let directory = tempfile::tempdir().expect("a directory");
        let stage = Self { sim, directory };
        stage.write(mode);
        stage
    }

    /// The example, with real values where it must differ: the simulator's addresses, a market that crosses often, and no
    /// limit that ends the trading within seconds.
    fn write(&self, mode: &str) {
        let example = arb(&["config", "example"]);
        let mut text = String::from_utf8(example.stdout).expect("text");
        for (key, value) in [
            ("mode", format!("\"{mode}\"")),
            ("include", "[]".to_owned()),
            // All of them, and said so: real orders need that.
            ("top", if mode == "live" { "100" } else { "0" }.to_owned()),
            ("dir", format!("\"{}\"", self.state().display())),
            ("max_venue_equity_usdt", "100000000".to_owned()),
            ("min_inventory_pct", "0".to_owned()),
            ("min_edge_bps", "1".to_owned()),
            ("max_book_age_ms", "2000".to_owned()),
            ("max_book_venue_age_ms", "5000".to_owned()),
            ("max_age_gap_ms", "2000".to_owned()),
            ("decision_ttl_ms", "1000".to_owned()),
            ("cooldown_s", "1".to_owned()),
            ("symbol_failures", "100".to_owned()),
            ("venue_failures", "100".to_owned()),
            ("global_failures", "1000".to_owned()),
            ("slippage_cycles", "1000".to_owned()),
            ("max_orders_per_min", "60000".to_owned()),
            ("max_cycle_loss_usdt", "1000".to_owned()),
            ("max_hour_loss_usdt", "1000".to_owned()),
            ("max_day_loss_usdt", "1000".to_owned()),
            ("max_drawdown_usdt", "1000".to_owned()),
            ("journal_max_lag_ms", "10000".to_owned()),
            ("journal_min_free_mib", "64".to_owned()),
            ("journal_segment_mib", "1".to_owned()),
        ] {
            text = with(&text, key, &value);
        }
        for exchange in SimExchange::ALL {
            let endpoint = self.sim.endpoint(exchange);
            let (head, tail) = text.split_once(&format!("[venues.{}]", exchange.name())).expect("a section");
            let account = format!(
                "[venues.{}]\nkey = \"env:ARB_TEST_KEY\"\nsecret = \"env:ARB_TEST_SECRET\"\nrest = \"{}\"\nws = \"{}\"",
                exchange.name(),
                endpoint.rest,
                endpoint.ws
            );
            text = format!("{head}{account}{tail}");
        }
        std::fs::write(self.config(), text).expect("a file");
        std::fs::set_permissions(self.config(), std::fs::Permissions::from_mode(0o600)).expect("its owner's");
    }

    fn config(&self) -> std::path::PathBuf {
        self.directory.path().join("arb.toml")
    }

    fn state(&self) -> std::path::PathBuf {
        self.directory.path().join("state")
    }

    fn command(&self, verb: &str, args: &[&str]) -> Command {
        let account = self.sim.accounts().first().expect("an account").clone();
        let mut command = Command::new(env!("CARGO_BIN_EXE_arb"));
        command.arg(verb).arg("--config").arg(self.config()).args(args);
        command.env("ARB_TEST_KEY", account.key).env("ARB_TEST_SECRET", account.secret);
        command
    }

    fn say(&self, verb: &str, args: &[&str]) -> Output {
        self.command(verb, args).output().expect("the program starts")
    }

    /// An engine that may trade.
    fn run(&self) -> Child {
        self.runs(&[])
    }

    /// The same with more arguments. What it says is kept for whoever waits for it in vain.
    fn runs(&self, args: &[&str]) -> Child {
        let mut command = self.command("run", &["--live", "--yes-live", "mexc+gateio", "--json", "--quiet"]);
        let said = std::fs::File::options().create(true).append(true).open(self.said()).expect("a file");
        let too = said.try_clone().expect("a file");
        command.args(args).stdout(said).stderr(too).spawn().expect("the program starts")
    }

    fn said(&self) -> std::path::PathBuf {
        self.directory.path().join("said.log")
    }

    /// In how many symbols more was bought than sold at the exchanges, or less, by more than is too little to trade.
    fn uneven(&self) -> usize {
        let name = self.sim.accounts().first().expect("an account").name.clone();
        let mut net: BTreeMap<Symbol, (Decimal, Decimal)> = BTreeMap::new();
        for exchange in SimExchange::ALL {
            for fill in self.sim.fills(exchange, &name).expect("the truth") {
                let (sum, price) = net.entry(fill.symbol).or_default();
                *price = fill.price;
                *sum = match fill.side {
                    Side::Buy => sum.checked_add(fill.qty).expect("fits"),
                    Side::Sell => sum.checked_sub(fill.qty).expect("fits"),
                };
            }
        }
        let least = Decimal::from(10);
        let value = |(net, price): &(Decimal, Decimal)| {
            net.abs().and_then(|net| net.checked_mul(*price)).expect("fits")
        };
        net.values().filter(|left| value(left) >= least).count()
    }

    /// Somebody places an order in the account at Gate.io that rests far below the market: its name.
    fn rest_an_order(&self) -> String {
        let endpoint = self.sim.endpoint(SimExchange::Gateio);
        let account = self.sim.accounts().first().expect("an account").clone();
        let config = VenueConfig {
            rest_url: Some(endpoint.rest.clone()),
            ws_url: Some(endpoint.ws.clone()),
            key: Secret::new(account.key),
            secret: Secret::new(account.secret),
            ..VenueConfig::public(VenueId::new(0, "gateio").expect("short"))
        };
        let registration = EXCHANGES.iter().find(|one| one.name == "gateio").expect("registered");
        let placed = async {
            let opened = Venue::open(registration, config, TransportConfig::default(), Clock::new());
            let (venue, rules) = opened.await.expect("opens");
            let markets = shared_markets(&[venue.id], vec![rules]).expect("markets").remove(0);
            venue.rest.set_markets(markets.clone());
            let market = markets.iter().next().expect("one");
            let book = venue.rest.call(&Request::Book { symbol: market.id, depth: 5 }).await.expect("a book");
            let Reply::Book(book) = book else { panic!("{book:?}") };
            let best = book.bids.first().expect("a bid").price;
            let price = Price(best.0 * 9 / 10).floor_to(market.tick);
            let twenty = Decimal::from(20);
            let qty = twenty.checked_div(market.scale.price_value(price), market.info.lot_dp, Rounding::Ceil);
            let qty = market.scale.qty(qty.expect("fits"));
            let order = OrderRequest {
                venue: venue.id,
                symbol: market.id,
                client_id: ClientOrderId::new("somebody-1").expect("plain"),
                side: Side::Buy,
                kind: OrderKind::Limit { price, qty: qty.expect("fits"), tif: TimeInForce::Gtc },
                expires_in: Duration::from_secs(5),
            };
            venue.rest.call(&Request::Place(order)).await.expect("placed");
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        tokio::task::LocalSet::new().block_on(&runtime, placed);
        "t-somebody-1".to_owned()
    }

    /// Whether an order of the account is open at Gate.io.
    fn is_open(&self, client_id: &str) -> bool {
        let name = self.sim.accounts().first().expect("an account").name.clone();
        let orders = self.sim.orders(SimExchange::Gateio, &name).expect("the truth");
        orders.iter().any(|order| order.client_id == client_id && !order.status.is_terminal())
    }

    /// The journal says what follows from it.
    fn replays(&self) {
        let journal = self.journal();
        let replayed = arb(&["journal", "replay", "--json", "--dir", journal.to_str().expect("text")]);
        assert!(replayed.status.success(), "{}", said(&replayed));
        let told: Value = sonic_rs::from_slice(&replayed.stdout).expect("JSON");
        assert!(number(&told, "arbitrages") > 0 && number(&told, "sessions") > 0, "{}", said(&replayed));
        assert_eq!(number(&told, "unfinished"), 0);
    }

    /// An engine that trades, once it has started an arbitrage.
    fn trading(&self) -> Child {
        let child = self.run();
        self.until("an arbitrage started", || number(&self.status(), "started") > 0);
        child
    }

    fn status(&self) -> Value {
        let output = self.say("status", &["--json"]);
        sonic_rs::from_slice(&output.stdout).unwrap_or_default()
    }

    fn until(&self, what: &str, done: impl Fn() -> bool) {
        let until = Instant::now() + Duration::from_secs(30);
        while !done() {
            let said = || std::fs::read_to_string(self.said()).unwrap_or_default();
            assert!(Instant::now() < until, "{what}: {:?}, after\n{}", self.status(), said());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn journal(&self) -> std::path::PathBuf {
        self.state().join("journal")
    }

    /// Every fill, in the journal (where one that was told twice counts once) and at the exchanges.
    fn fills(&self) -> [Vec<String>; 2] {
        let journal = self.journal();
        let path = journal.to_str().expect("text");
        let dump = arb(&["journal", "dump", "--dir", path, "--json", "--type", "fill"]);
        let text = String::from_utf8(dump.stdout).expect("text");
        let ours: BTreeSet<[String; 6]> = text
            .lines()
            .map(|line| {
                let record: Value = sonic_rs::from_str(line).expect("JSON");
                let fill = &record["payload"];
                ["venue", "client_id", "qty", "price", "order_id", "trade_id"]
                    .map(|key| fill[key].as_str().unwrap_or_else(|| panic!("{key} in {line}")).to_owned())
            })
            .collect();
        let mut ours: Vec<String> = ours
            .into_iter()
            .map(|[venue, client_id, qty, price, ..]| format!("{venue} {client_id} {qty} at {price}"))
            .collect();
        let name = self.sim.accounts().first().expect("an account").name.clone();
        let mut theirs = Vec::new();
        for exchange in SimExchange::ALL {
            for fill in self.sim.fills(exchange, &name).expect("the truth") {
                let client_id = fill.client_id.strip_prefix("t-").unwrap_or(&fill.client_id);
                theirs.push(format!("{} {client_id} {} at {}", exchange.name(), fill.qty, fill.price));
            }
        }
        ours.sort();
        theirs.sort();
        [ours, theirs]
    }
}

/// The example with another value for a key.
fn with(text: &str, key: &str, value: &str) -> String {
    let begins = format!("{key} = ");
    let mut found = false;
    let lines: Vec<String> = text
        .lines()
        .map(|line| {
            if line.starts_with(&begins) {
                found = true;
                format!("{begins}{value}")
            } else {
                line.to_owned()
            }
        })
        .collect();
    assert!(found, "the example has no key {key}");
    lines.join("\n") + "\n"
}

fn arb(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_arb")).args(args).output().expect("the program starts")
}

fn number(value: &Value, key: &str) -> u64 {
    value.get(key).and_then(JsonValueTrait::as_u64).unwrap_or_default()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn signal(child: &Child, name: &str) {
    let done = Command::new("kill").args([name, &child.id().to_string()]).status().expect("kill");
    assert!(done.success());
}

fn exists(path: &Path) -> bool {
    path.try_exists().expect("a directory of ours")
}

#[test]
fn real_orders_need_the_mode_the_flag_and_the_name_of_the_accounts() {
    let stage = Stage::new("observe");
    for (mode, args, what) in [
        ("observe", &["--live", "--yes-live", "mexc+gateio"][..], "says another mode"),
        ("live", &[], "--live is not given"),
        ("live", &["--live", "--yes-live", "mexc"], "the accounts were not named"),
        ("paper", &["--live"], "says another mode"),
    ] {
        stage.write(mode);
        let output = stage.say("run", args);
        assert_eq!(output.status.code(), Some(3), "{}", said(&output));
        assert!(said(&output).contains(what), "{}", said(&output));
    }
    stage.write("observe");
    let watched = stage.say("run", &["--seconds", "3", "--json", "--quiet"]);
    assert!(watched.status.success(), "{}", said(&watched));
    assert_eq!(stage.fills()[1].len(), 0, "observing sends nothing");
    for verb in ["status", "stop"] {
        assert_eq!(stage.say(verb, &[]).status.code(), Some(6), "nothing runs any more");
    }
}

/// Everything as with real orders but the orders: no private call reaches an exchange, and the records are apart.
#[test]
fn on_paper_nothing_private_is_asked_and_nothing_is_sent() {
    let stage = Stage::new("paper");
    for (exchange, paths) in [
        (
            SimExchange::Mexc,
            ["/api/v3/order", "/api/v3/account", "/api/v3/capital", "/api/v3/userDataStream"],
        ),
        (
            SimExchange::Gateio,
            ["/api/v4/spot/orders", "/api/v4/spot/accounts", "/api/v4/wallet", "/api/v4/account"],
        ),
    ] {
        for path in paths {
            let noticed = Fault::rest("", path, Moment::Before, RestEffect::Close).times(1_000);
            stage.sim.inject(exchange, noticed).expect("a fault");
        }
    }
    let mut command = stage.command("run", &["--json", "--quiet", "--set", "paper.start_coin_usdt=2000"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
    stage.until("it trades on paper", || number(&stage.status(), "started") > 2);
    assert_eq!(stage.status()["run"].as_str(), Some("PAPER"));
    let stopped = stage.say("stop", &[]);
    assert!(stopped.status.success(), "{}", said(&stopped));
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{}", said(&output));
    let summary: Value = sonic_rs::from_slice(output.stdout.trim_ascii()).expect("a summary");
    assert_eq!(summary["run"].as_str(), Some("PAPER"));
    assert_eq!(stage.sim.fired().expect("it runs"), [], "nothing private was asked");
    let [_, theirs] = stage.fills();
    assert_eq!(theirs, Vec::<String>::new(), "nothing was sent");
    assert!(!exists(&stage.state().join("journal")), "what is real is recorded elsewhere");
    let journal = stage.state().join("paper/journal");
    let path = journal.to_str().expect("text");
    let fills = arb(&["journal", "dump", "--dir", path, "--json", "--type", "fill"]);
    assert!(said(&fills).lines().count() > 2, "{}", said(&fills));
    let replayed = arb(&["journal", "replay", "--dir", path]);
    assert!(replayed.status.success(), "{}", said(&replayed));
}

/// Of all that both exchanges list, the so many most traded.
#[test]
fn the_most_traded_symbols_are_traded_and_no_others() {
    let stage = Stage::new("observe");
    let books = |args: &[&str]| {
        let mut command = stage.command("run", &["--json", "--quiet"]);
        let child = command.args(args).stdout(Stdio::null()).spawn().expect("the program starts");
        let of = |name: &str| stage.status()["exchanges"][name]["books"].as_u64();
        stage.until("it runs", || of("mexc").is_some_and(|books| books > 0));
        let told = (of("mexc"), of("gateio"));
        assert!(stage.say("stop", &[]).status.success());
        child.wait_with_output().expect("it ends");
        told
    };
    assert_eq!(books(&[]), (Some(6), Some(6)));
    assert_eq!(books(&["--set", "symbols.top=2"]), (Some(2), Some(2)));
}

/// What is parked when the run is stopped is traded away, and what is open cancelled.
/// Sockets of a process that wait for connections over a network, by what the kernel says.
fn listens(child: &Child) -> Vec<String> {
    let own: Vec<String> = std::fs::read_dir(format!("/proc/{}/fd", child.id()))
        .expect("it lives")
        .filter_map(|entry| Some(std::fs::read_link(entry.ok()?.path()).ok()?.display().to_string()))
        .collect();
    let tables = ["tcp", "tcp6"]
        .map(|name| std::fs::read_to_string(format!("/proc/{}/net/{name}", child.id())).unwrap_or_default());
    let rows = tables.iter().flat_map(|table| table.lines().skip(1));
    let listening = rows.filter(|row| row.split_whitespace().nth(3) == Some("0A"));
    let of_its = listening.filter(|row| {
        row.split_whitespace().nth(9).is_some_and(|inode| own.contains(&format!("socket:[{inode}]")))
    });
    of_its.map(str::to_owned).collect()
}

#[test]
fn stopped_flat_nothing_is_left_open() {
    let stage = Stage::new("live");
    let mut child = stage.trading();
    assert_eq!(listens(&child), Vec::<String>::new(), "a running engine has no door to a network (X5)");
    let stopped = stage.say("stop", &["--flatten", "--json"]);
    assert!(stopped.status.success(), "{}", said(&stopped));
    let told: Value = sonic_rs::from_slice(&stopped.stdout).expect("JSON");
    assert_eq!((number(&told, "unfinished"), number(&told, "undecided")), (0, 0));
    let end = child.wait().expect("it is ours");
    assert!(end.success(), "{end}");
    assert_eq!(stage.uneven(), 0);
    stage.replays();
}

/// Each shortcoming of a key ends the start with a message of its own; and one that can do too much does, whatever the mode.
#[test]
fn keys_that_may_do_too_little_or_too_much_end_the_start() {
    for (mode, rights, what) in [
        ("live", Rights::ReadOnly, "the key cannot trade"),
        ("live", Rights::Expired, "not known there or has expired"),
        ("live", Rights::IpBound, "not from this machine's address"),
        ("live", Rights::Withdraw, "the key reaches withdrawals"),
        ("observe", Rights::Withdraw, "the key reaches withdrawals"),
    ] {
        let stage = Stage::with(mode, rights);
        let live: &[&str] = if mode == "live" { &["--live", "--yes-live", "mexc+gateio"] } else { &[] };
        let ended = stage.say("run", &[live, &["--seconds", "1", "--json", "--quiet"]].concat());
        assert_eq!(ended.status.code(), Some(4), "{rights:?}: {}", said(&ended));
        assert!(said(&ended).contains(what), "{rights:?}: {}", said(&ended));
        assert_eq!(stage.sim.orders(SimExchange::Gateio, "rich").expect("the truth").len(), 0);
    }
    let stage = Stage::with("observe", Rights::Withdraw);
    let known = ["mexc", "gateio"].map(|venue| format!("venues.{venue}.withdrawals_readable=true"));
    let [mexc, gateio] = known.each_ref().map(String::as_str);
    let ended = stage.say("run", &["--seconds", "1", "--json", "--quiet", "--set", mexc, "--set", gateio]);
    assert!(ended.status.success(), "the operator says that it only reads: {}", said(&ended));
    let stage = Stage::with("observe", Rights::ReadOnly);
    let watched = stage.say("run", &["--seconds", "1", "--json", "--quiet"]);
    assert!(watched.status.success(), "whoever only looks needs no more: {}", said(&watched));
}

#[test]
fn an_engine_killed_in_the_middle_loses_no_fill_and_books_none_twice() {
    let stage = Stage::new("live");
    for _ in 0..3 {
        let mut child = stage.trading();
        child.kill().expect("it runs");
        child.wait().expect("it is ours");
    }
    let mut child = stage.trading();
    let second = stage.say("run", &["--live", "--yes-live", "mexc+gateio"]);
    assert_eq!(second.status.code(), Some(6), "one engine at a time: {}", said(&second));
    let stopped = stage.say("stop", &["--json"]);
    assert!(stopped.status.success(), "{}", said(&stopped));
    let end = child.wait().expect("it is ours");
    assert!(end.success(), "{end}");
    let [ours, theirs] = stage.fills();
    assert!(!theirs.is_empty());
    assert_eq!(ours, theirs, "every fill of the exchanges is in the journal, and no other");
    let path = stage.journal();
    assert!(arb(&["journal", "verify", "--dir", path.to_str().expect("text")]).status.success());
    stage.replays();
}

#[test]
fn a_halt_holds_an_engine_that_hangs_and_every_later_one_until_somebody_has_looked() {
    let stage = Stage::new("live");
    let mut child = stage.trading();
    signal(&child, "-STOP");
    let killed = stage.say("kill", &[]);
    assert!(killed.status.success(), "{}", said(&killed));
    assert!(said(&killed).contains("mexc: no open orders"), "{}", said(&killed));
    assert!(exists(&stage.state().join("HALT")));
    signal(&child, "-CONT");
    stage.until("it is halted", || stage.status()["halted"].as_bool() == Some(true));
    let started = number(&stage.status(), "started");
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(number(&stage.status(), "started"), started, "nothing new is opened");
    assert_eq!(stage.say("stop", &[]).status.code(), Some(8), "it ends halted");
    child.wait().expect("it is ours");
    let refused = stage.say("run", &["--live", "--yes-live", "mexc+gateio", "--seconds", "1"]);
    assert_eq!(refused.status.code(), Some(8), "{}", said(&refused));
    let resumed = stage.say("resume", &[]);
    assert!(resumed.status.success(), "{}", said(&resumed));
    assert!(!exists(&stage.state().join("HALT")));
    let mut child = stage.trading();
    assert!(stage.say("stop", &[]).status.success());
    child.wait().expect("it is ours");
}

#[test]
fn the_kill_signal_halts_cancels_what_is_open_and_holds_later_starts() {
    let stage = Stage::new("live");
    let mut child = stage.trading();
    let resting = stage.rest_an_order();
    assert!(stage.is_open(&resting));
    signal(&child, "-USR1");
    stage.until("it is halted", || stage.status()["halted"].as_bool() == Some(true));
    stage.until("its order is cancelled", || !stage.is_open(&resting));
    assert!(exists(&stage.state().join("HALT")));
    assert!(child.try_wait().expect("it is ours").is_none(), "it lets end what is open");
    assert_eq!(stage.say("stop", &[]).status.code(), Some(8), "it ends halted");
    child.wait().expect("it is ours");
    let refused = stage.say("run", &["--live", "--yes-live", "mexc+gateio", "--seconds", "1"]);
    assert_eq!(refused.status.code(), Some(8), "{}", said(&refused));
}

/// What is lost, sent and tripped counts for the day, whatever ends and begins in it.
#[test]
fn the_day_goes_on_over_restarts() {
    let stage = Stage::new("live");
    let mut child = stage.trading();
    assert!(stage.say("stop", &[]).status.success());
    child.wait().expect("it is ours");
    let replayed = arb(&["journal", "replay", "--json", "--dir", stage.journal().to_str().expect("text")]);
    let told: Value = sonic_rs::from_slice(&replayed.stdout).expect("JSON");
    let state = told["state"].as_str().expect("words").to_owned();
    let of = |word: &str| -> String {
        let mut words = state.split(' ').skip_while(|known| *known != word);
        words.nth(1).unwrap_or_else(|| panic!("{word} in {state}")).to_owned()
    };
    assert_ne!(of("orders"), "0", "{state}");
    let mut child = stage.runs(&["--set", "risk.max_orders_per_day=2"]);
    stage.until("it runs", || stage.status()["mode"].as_str() == Some("active"));
    let status = stage.status();
    assert_eq!(number(&status, "orders_today").to_string(), of("orders"), "they were sent today");
    assert_eq!(status["pnl_day"].as_str(), Some(of("day").as_str()));
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(number(&stage.status(), "started"), 0, "two a day were sent before");
    assert!(stage.say("stop", &[]).status.success());
    child.wait().expect("it is ours");
}

/// One leg bought, the other never answered, and the engine killed: the next run finds out, trades the difference away, and
/// only then opens anything.
#[test]
fn what_a_crash_left_open_is_traded_away_before_anything_is_opened() {
    let stage = Stage::new("live");
    let mut child = stage.trading();
    let stall = Fault::rest("POST", "/api/v3/order", Moment::Before, RestEffect::Stall).times(1_000);
    stage.sim.inject(SimExchange::Mexc, stall).expect("a fault");
    // The other leg of an order that is never answered has filled.
    let fired = || !stage.sim.fired().expect("it runs").is_empty();
    stage.until("a leg stands alone", || fired() && stage.uneven() > 0);
    child.kill().expect("it runs");
    child.wait().expect("it is ours");
    stage.sim.clear_all().expect("it runs");
    assert!(stage.uneven() > 0, "the crash left it so");
    let resumed = stage.say("resume", &[]);
    assert_eq!(resumed.status.code(), Some(9), "nobody takes it over by habit: {}", said(&resumed));
    assert!(said(&resumed).contains("left open: arbitrage"), "{}", said(&resumed));
    let halt = stage.state().join("HALT");
    std::fs::write(&halt, "somebody").expect("our own directory");
    let held = stage.say("run", &["--live", "--yes-live", "mexc+gateio", "--seconds", "1"]);
    assert_eq!(held.status.code(), Some(8), "{}", said(&held));
    assert!(said(&held).contains("left open by earlier runs: arbitrage"), "{}", said(&held));
    std::fs::remove_file(&halt).expect("ours");
    let mut child = stage.run();
    stage.until("it looks after what was left", || stage.status()["mode"].as_str() == Some("close_only"));
    assert_eq!(number(&stage.status(), "started"), 0, "nothing is opened before");
    stage.until("it trades", || stage.status()["mode"].as_str() == Some("active"));
    assert!(stage.say("stop", &[]).status.success());
    let end = child.wait().expect("it is ours");
    assert!(end.success(), "{end}");
    let [ours, theirs] = stage.fills();
    assert_eq!(ours, theirs, "every fill of the exchanges is in the journal, and no other");
    assert_eq!(stage.uneven(), 0, "what was bought is sold, and what was sold is bought");
    stage.replays();
}

/// Another process notices an engine that stands still, ends it, and sees to it that nothing is open; the next one recovers.
#[test]
fn an_engine_that_hangs_is_ended_from_outside_and_the_next_one_recovers() {
    let stage = Stage::new("live");
    let mut child = stage.trading();
    let mut command = stage.command("watch", &["--json"]);
    let mut watch = command.stdout(Stdio::piped()).spawn().expect("the program starts");
    let mut lines = BufReader::new(watch.stdout.take().expect("a pipe")).lines();
    let mut next = || -> Value {
        let line = lines.next().expect("it says something").expect("text");
        sonic_rs::from_str(&line).expect("JSON")
    };
    assert_eq!(next()["event"].as_str(), Some("watching"));
    signal(&child, "-STOP");
    let killed = next();
    assert_eq!((killed["event"].as_str(), number(&killed, "pid")), (Some("killed"), u64::from(child.id())));
    for _ in SimExchange::ALL {
        assert_eq!(next()["event"].as_str(), Some("canceled"));
    }
    assert_eq!(child.wait().expect("it is ours").signal(), Some(9));
    let mut child = stage.trading();
    assert_eq!(next()["event"].as_str(), Some("watching"), "it watches the next one");
    assert!(stage.say("stop", &[]).status.success());
    assert_eq!(next()["event"].as_str(), Some("ended"));
    assert!(child.wait().expect("it is ours").success());
    watch.kill().expect("it runs");
    watch.wait().expect("it is ours");
    let [ours, theirs] = stage.fills();
    assert_eq!(ours, theirs);
}

/// `nohup arb run`, and its terminal closes.
#[test]
fn a_hang_up_ends_no_run_that_was_started_to_ignore_it() {
    let stage = Stage::new("observe");
    let run = stage.command("run", &["--json", "--quiet"]);
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' HUP; exec \"$0\" \"$@\""]).arg(run.get_program()).args(run.get_args());
    command.envs(run.get_envs().filter_map(|(name, value)| Some((name, value?)))).stdout(Stdio::null());
    let mut child = command.spawn().expect("a shell");
    stage.until("it runs", || stage.status()["mode"].as_str() == Some("observe"));
    signal(&child, "-HUP");
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(stage.status()["draining"].as_bool(), Some(false), "it goes on");
    signal(&child, "-TERM");
    assert_eq!(child.wait().expect("it is ours").code(), Some(143));
}

/// A run that ended because of what an earlier one left open has written no halt; it waits for this all the same.
#[test]
fn resume_is_written_down_where_no_engine_runs_and_nothing_was_halted() {
    let stage = Stage::new("observe");
    let resumed = stage.say("resume", &[]);
    assert!(resumed.status.success(), "{}", said(&resumed));
    let journal = stage.journal();
    let path = journal.to_str().expect("text");
    let dump = arb(&["journal", "dump", "--dir", path, "--json", "--type", "operator_ack"]);
    assert_eq!(said(&dump).lines().count(), 1, "{}", said(&dump));
}
