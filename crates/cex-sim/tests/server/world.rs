//! Two hosts, one dialect: the same calls get the same answers over real sockets and in memory. Clocks differ, and with them
//! times and the numbers made from them; nothing else may.

use crate::client::{Http, hex, hmac, run, start_quiet, unix_secs};
use cex_core::{Decimal, Symbol, Timestamp};
use cex_sim::server::{SimAccount, SimConfig, SimExchange};
use cex_sim::world::{Arrival, Call, LineId, NetworkConfig, Said, Trouble, World, WorldConfig};
use sha2::{Digest as _, Sha512};
use std::time::Duration;

const INSTANT: NetworkConfig = NetworkConfig { latency: Duration::from_millis(1), jitter: Duration::ZERO };

/// The world whose twin [`start_quiet`] starts.
fn quiet_world(network: NetworkConfig) -> World {
    let sim = SimConfig { symbols: 3, divergences_per_minute: 0, is_quiet: true, ..SimConfig::default() };
    let starts_at = Timestamp::from_secs(i64::try_from(unix_secs()).expect("this century"));
    World::new(WorldConfig { sim, starts_at, networks: [network; 2] })
}

/// Lets the world go on until something arrives, or nothing does for a second.
fn next(world: &mut World) -> Option<(LineId, Arrival)> {
    let until = world.now() + Duration::from_secs(1);
    loop {
        if let Some(arrival) = world.take() {
            return Some(arrival);
        }
        let at = world.next_at();
        if at > until {
            return None;
        }
        world.step(at);
    }
}

fn dialed(world: &mut World, exchange: SimExchange) -> LineId {
    let line = world.dial(exchange);
    assert_eq!(next(world), Some((line, Arrival::Dialed)));
    line
}

fn answered(world: &mut World, line: LineId, call: Call) -> (u16, Vec<u8>) {
    world.say(line, Said::Call(call));
    match next(world) {
        Some((_, Arrival::Answer(answer))) => (answer.status, answer.body),
        other => panic!("no answer but {other:?}"),
    }
}

fn gateio(at: Timestamp, method: &'static str, path: &str, query: &str, body: &str) -> Call {
    let (account, path) = (SimAccount::new("rich"), format!("/api/v4{path}"));
    let (timestamp, hash) = (at.as_secs().to_string(), hex(&Sha512::digest(body.as_bytes())));
    let sign = hmac(&account.secret, &format!("{method}\n{path}\n{query}\n{hash}\n{timestamp}"));
    let headers = [
        ("key", account.key),
        ("timestamp", timestamp),
        ("sign", sign),
        ("content-type", "application/json".to_owned()),
    ];
    let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Call { method, path, query: query.to_owned(), headers, body: body.as_bytes().to_vec() }
}

/// Long runs of digits are times, or numbers made from them.
fn scrubbed(body: &[u8]) -> String {
    let (mut out, mut digits) = (String::new(), String::new());
    for char in String::from_utf8_lossy(body).chars().chain(['\n']) {
        if char.is_ascii_digit() {
            digits.push(char);
            continue;
        }
        out.push_str(if digits.len() < 10 { &digits } else { "#" });
        digits.clear();
        out.push(char);
    }
    out
}

fn levels(text: &[(&str, &str)]) -> Vec<(Decimal, Decimal)> {
    let number = |text: &str| text.parse().expect("a number");
    text.iter().map(|(price, qty)| (number(price), number(qty))).collect()
}

#[test]
fn the_same_calls_get_the_same_answers_from_both_hosts() {
    run(async {
        let sim = start_quiet();
        let mut world = quiet_world(INSTANT);
        let symbol: Symbol = "BTC/USDT".parse().expect("a symbol");
        let (bids, asks) = (levels(&[("60000", "0.5")]), levels(&[("60010", "0.25"), ("60020", "1")]));
        sim.set_book(SimExchange::Gateio, symbol, &bids, &asks).expect("a book");
        world.set_book(SimExchange::Gateio, symbol, &bids, &asks).expect("a book");
        let mut http = Http::connect(&sim, SimExchange::Gateio).await.expect("a connection");
        let line = dialed(&mut world, SimExchange::Gateio);
        let order = |text: &str, side: &str, amount: &str, price: &str| {
            format!(
                "{{\"text\":\"{text}\",\"currency_pair\":\"BTC_USDT\",\"type\":\"limit\",\"account\":\"spot\",\
                 \"side\":\"{side}\",\"amount\":\"{amount}\",\"price\":\"{price}\",\"time_in_force\":\"ioc\"}}"
            )
        };
        let mut accepted = 0;
        for (method, path, query, body) in [
            ("GET", "/spot/currency_pairs", "", String::new()),
            ("GET", "/spot/order_book", "currency_pair=BTC_USDT&limit=10&with_id=true", String::new()),
            ("POST", "/spot/orders", "", order("t-one", "buy", "0.3", "60015")),
            ("POST", "/spot/orders", "", order("t-two", "sell", "0.1", "60005")),
            ("POST", "/spot/orders", "", order("t-six", "buy", "0", "60015")),
            ("GET", "/spot/orders/t-one", "currency_pair=BTC_USDT", String::new()),
            ("GET", "/spot/orders/t-none", "currency_pair=BTC_USDT", String::new()),
            ("GET", "/spot/accounts", "", String::new()),
            ("GET", "/spot/nowhere", "", String::new()),
        ] {
            let call = gateio(world.now(), method, path, query, &body);
            let (status, said) = answered(&mut world, line, call);
            let (real, heard) = http.try_gateio(method, path, query, &body).await.expect("an answer");
            assert_eq!((status, scrubbed(&said)), (real, scrubbed(&heard)), "{method} {path}");
            accepted += u32::from(status < 300);
        }
        assert_eq!(accepted, 6, "calls that are answered well are among them");
        let (ours, theirs) = (world.ledger(), sim.ledger().expect("a ledger"));
        let balances = |ledger: &cex_sim::server::Ledger| -> Vec<_> {
            ledger.accounts.iter().map(|account| account.balances.clone()).collect()
        };
        assert_eq!(balances(&ours), balances(&theirs));
    });
}

fn ping() -> Call {
    let (path, headers) = ("/api/v3/ping".to_owned(), Vec::new());
    Call { method: "GET", path, query: String::new(), headers, body: Vec::new() }
}

#[test]
fn nothing_overtakes_on_a_connection_and_what_is_lost_arrives_late_or_breaks_it() {
    let slow = NetworkConfig { latency: Duration::from_millis(5), jitter: Duration::from_millis(50) };
    let mut world = quiet_world(slow);
    let mexc = SimExchange::Mexc;
    let line = dialed(&mut world, mexc);
    let began = world.now();
    let lasts = Duration::from_millis(400);
    let lost = |resets| Trouble::Loss { route: cex_sim::world::Route::Out, lasts, resets };
    world.disturb(mexc, &lost(false));
    assert_eq!(answered(&mut world, line, ping()).0, 200);
    assert!(world.now() >= began + lasts, "it waited for the line");
    world.disturb(mexc, &lost(true));
    world.say(line, Said::Call(ping()));
    assert_eq!(next(&mut world), Some((line, Arrival::Lost)));
    assert_eq!(next(&mut world), None, "and the call is lost with it");
}

#[test]
fn a_refused_door_opens_again() {
    let mut world = quiet_world(INSTANT);
    let gateio = SimExchange::Gateio;
    world.disturb(gateio, &Trouble::Refuse { lasts: Duration::from_millis(50) });
    let refused = world.dial(gateio);
    assert_eq!(next(&mut world), Some((refused, Arrival::Lost)));
    world.step(world.now() + Duration::from_millis(60));
    dialed(&mut world, gateio);
}
