//! What can be asked of the control interface, and who answers.

use super::super::config::SimExchange;
use super::super::error::SimError;
use super::super::host::Host;
use super::show;
use crate::fault::{FaultId, FaultSpec, exchange_named};
use cex_core::{Asset, Decimal, Side, Symbol};
use serde::Deserialize;
use std::time::Duration;

/// What all paths begin with.
pub(super) const PREFIX: &str = "/sim/v1";

/// Why something is not answered.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) message: String,
}

impl Refusal {
    fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }
}

impl From<SimError> for Refusal {
    fn from(error: SimError) -> Self {
        let status = match error {
            SimError::UnknownFault(_) | SimError::UnknownSymbol { .. } | SimError::UnknownAccount { .. } => {
                404
            }
            SimError::BadFault(_) | SimError::OffGrid { .. } | SimError::Refused { .. } => 400,
            SimError::Listen { .. }
            | SimError::ListenControl { .. }
            | SimError::Start(_)
            | SimError::Certificate(_)
            | SimError::Stopped => 500,
        };
        Self::new(status, error.to_string())
    }
}

type Answer = Result<String, Refusal>;

/// Levels as texts: price and quantity.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Levels {
    #[serde(default)]
    bids: Vec<(String, String)>,
    #[serde(default)]
    asks: Vec<(String, String)>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Quote {
    side: String,
    price: String,
    qty: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Balance {
    asset: String,
    free: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    ms: u64,
}

impl Advance {
    /// Keys live for an hour and connections for a day; more than a year is a slip.
    const MOST_MS: u64 = 366 * 24 * 3_600 * 1_000;

    fn checked(self) -> Result<Duration, Refusal> {
        if (1..=Self::MOST_MS).contains(&self.ms) {
            return Ok(Duration::from_millis(self.ms));
        }
        Err(Refusal::new(400, format!("`ms` is {}; it must be 1 to {}", self.ms, Self::MOST_MS)))
    }
}

/// Answers a call.
pub(super) fn answer(host: &mut Host, method: &str, path: &str, query: &str, body: &[u8]) -> Answer {
    let inner = path.strip_prefix(PREFIX).and_then(|inner| inner.strip_prefix('/')).ok_or_else(not_found)?;
    let parts: Vec<&str> = inner.split('/').filter(|part| !part.is_empty()).collect();
    match (method, parts.as_slice()) {
        ("GET", ["status"]) => Ok(show::status(host)),
        ("GET", ["faults"]) => Ok(show::faults(&host.active_faults())),
        ("POST", ["faults"]) => inject(host, body),
        ("DELETE", ["faults"]) => {
            host.clear_all();
            Ok(show::done())
        }
        ("DELETE", ["faults", id]) => {
            let id = id.parse().map_err(|_| Refusal::new(400, format!("{id:?} is no number of a fault")))?;
            host.clear(FaultId(id))?;
            Ok(show::done())
        }
        ("GET", ["fired"]) => Ok(show::fired(&host.fired_faults(), since(query)?)),
        ("GET", ["ledger"]) => Ok(show::ledger(&host.ledger())),
        ("GET", ["dump"]) => show::dump(host).map_err(Refusal::from),
        ("POST", ["advance"]) => {
            host.elapse(read::<Advance>(body)?.checked()?);
            Ok(show::done())
        }
        ("POST", ["cut", name]) => {
            host.cut_all(exchange(name)?);
            Ok(show::done())
        }
        (_, [what, name, rest @ ..]) => of_exchange(host, method, (what, exchange(name)?, rest), body),
        (_, _) => Err(not_found()),
    }
}

/// What belongs to an exchange: its books, and its accounts' balances, orders and fills.
fn of_exchange(
    host: &mut Host,
    method: &str,
    (what, exchange, rest): (&str, SimExchange, &[&str]),
    body: &[u8],
) -> Answer {
    match (method, what, rest) {
        ("GET", "books", [name]) => Ok(show::book(&host.truth_book(exchange, symbol(name)?)?)),
        ("PUT", "books", [name]) => {
            let levels: Levels = read(body)?;
            let (bids, asks) = (decimals(&levels.bids)?, decimals(&levels.asks)?);
            let symbol = symbol(name)?;
            host.set_book(exchange, symbol, &bids, &asks)?;
            Ok(show::book(&host.truth_book(exchange, symbol)?))
        }
        ("POST", "books", [name]) => {
            let quote: Quote = read(body)?;
            let side = match quote.side.as_str() {
                "buy" => Side::Buy,
                "sell" => Side::Sell,
                other => {
                    return Err(Refusal::new(400, format!("`side` is {other:?}; it must be buy or sell")));
                }
            };
            let symbol = symbol(name)?;
            host.place_quote(exchange, symbol, side, decimal(&quote.price)?, decimal(&quote.qty)?)?;
            Ok(show::book(&host.truth_book(exchange, symbol)?))
        }
        ("GET", "balances", [name]) => Ok(show::balances(&host.truth_balances(exchange, name)?)),
        ("PUT", "balances", [name]) => {
            let balance: Balance = read(body)?;
            let asset = Asset::new(&balance.asset).ok().filter(|asset| !asset.as_str().is_empty());
            let asset = asset
                .ok_or_else(|| Refusal::new(400, format!("{:?} is no asset such as USDT", balance.asset)))?;
            host.set_balance(exchange, name, asset, decimal(&balance.free)?)?;
            Ok(show::balances(&host.truth_balances(exchange, name)?))
        }
        ("GET", "orders", [name]) => Ok(show::orders(&host.truth_orders(exchange, name)?)),
        ("GET", "fills", [name]) => Ok(show::fills(&host.truth_fills(exchange, name)?)),
        (_, _, _) => Err(not_found()),
    }
}

fn inject(host: &mut Host, body: &[u8]) -> Answer {
    let spec: FaultSpec = read(body)?;
    let (exchange, fault) = spec.fault().map_err(|error| Refusal::new(400, error.to_string()))?;
    Ok(show::injected(host.inject(exchange, &fault)?, &fault))
}

fn not_found() -> Refusal {
    Refusal::new(404, format!("no such path or method; docs/simulator.md lists what is under {PREFIX}"))
}

fn exchange(name: &str) -> Result<SimExchange, Refusal> {
    exchange_named(name)
        .ok_or_else(|| Refusal::new(404, format!("{name:?} is no exchange; it must be mexc or gateio")))
}

/// `BTC_USDT`, since a slash would end the path's part.
fn symbol(name: &str) -> Result<Symbol, Refusal> {
    let symbol = name.replacen('_', "/", 1).parse();
    symbol.map_err(|_| Refusal::new(400, format!("{name:?} is no symbol such as BTC_USDT")))
}

fn since(query: &str) -> Result<usize, Refusal> {
    match query.split_once('=') {
        None if query.is_empty() => Ok(0),
        Some(("since", number)) => {
            number.parse().map_err(|_| Refusal::new(400, format!("`since` is {number:?}, no number")))
        }
        None | Some(_) => {
            Err(Refusal::new(400, format!("{query:?} is no parameter of it; there is `since`")))
        }
    }
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Refusal> {
    let nests = body.iter().filter(|byte| matches!(byte, b'[' | b'{')).count() > MOST_BRACKETS;
    if nests {
        return Err(Refusal::new(400, "the body has too many brackets"));
    }
    // The parser lends texts out before it looks whether they are UTF-8.
    let body = std::str::from_utf8(body).map_err(|_| Refusal::new(400, "the body is not UTF-8"))?;
    // What follows the first line draws where it is, in blanks that mean nothing inside a text.
    sonic_rs::from_str(body).map_err(|error| {
        let told = error.to_string();
        Refusal::new(400, format!("the body cannot be read: {}", told.lines().next().unwrap_or_default()))
    })
}

/// The parser recurses; no request that means something has more brackets than two books of ten thousand levels.
const MOST_BRACKETS: usize = 20_010;

fn decimal(text: &str) -> Result<Decimal, Refusal> {
    text.parse()
        .map_err(|_| Refusal::new(400, format!("{text:?} is no decimal; write it as a text such as \"0.5\"")))
}

fn decimals(levels: &[(String, String)]) -> Result<Vec<(Decimal, Decimal)>, Refusal> {
    levels.iter().map(|(price, qty)| Ok((decimal(price)?, decimal(qty)?))).collect()
}
