//! The configuration as a whole: sections together, and what each of them cannot see alone.

use super::command::literal;
use super::file::Source;
use super::keys::{KEYS, Key, LIMIT_QUOTE, Paper, Risk, Storage, Symbols, Top, default_value};
use super::layers::{Given, Origin, Surroundings};
use super::pattern::matches;
use super::problem::Problems;
use super::unit::Mode;
use super::venue::{self, Venue};
use super::{Config, place};
use cex_core::Symbol;
use std::collections::BTreeMap;

type Keys = BTreeMap<String, Given>;

/// Everything read and checked; `None` when something is wrong. All problems are told.
pub(super) fn config(
    given: &Keys,
    file: &Source,
    around: &Surroundings,
    problems: &mut Problems,
) -> Option<Config> {
    let top = Top::read(given, problems);
    let symbols = Symbols::read(given, problems);
    let risk = Risk::read(given, problems);
    let paper = Paper::read(given, problems);
    let storage = Storage::read(given, problems);
    let mut venues = venue::read(given, around, problems);
    if given.contains_key("version") || problems.is_empty() {
        version(given, problems);
    }
    let mode = top.map(|top| top.mode);
    if mode == Some(Mode::Live) {
        live(given, symbols.as_ref(), &mut venues, problems);
    }
    if let Some(symbols) = &symbols {
        patterns(given, symbols, problems);
        counted(given, symbols, problems);
    }
    if let Some(risk) = &risk {
        consistent(given, risk, problems);
    }
    let storage = storage.and_then(|storage| directory(given, storage, around, problems));
    if problems.is_empty() && venues.len() < 2 {
        let what = format!("an arbitrage needs two venues; there is {}", venues.len());
        problems.missing("venues", what, "add sections such as [venues.mexc] and [venues.gateio]");
    }
    let hash = cex_journal::frame::hash_of(held(given).as_bytes());
    let file = file.path.clone();
    let (risk, paper) = (risk?, paper?);
    Some(Config { file, mode: mode?, venues, symbols: symbols?, risk, paper, storage: storage?, hash })
}

/// Every value that holds, one a line, in an order that depends on nothing else.
fn held(given: &Keys) -> String {
    let mut rows: BTreeMap<String, String> =
        KEYS.iter().map(|key| (key.path(), literal(&default_value(key)))).collect();
    rows.extend(given.values().map(|given| (given.key.clone(), literal(&given.raw))));
    rows.into_iter().map(|(key, value)| format!("{key} = {value}\n")).collect()
}

fn version(given: &Keys, problems: &mut Problems) {
    if !given.contains_key("version") {
        problems.missing("version", "`version` is missing", "begin the file with: version = 1");
    }
}

/// Where real money runs nothing is left to a default, somebody says what is traded, and every account has its key. Whoever only
/// halts or asks needs none of it.
fn live(given: &Keys, symbols: Option<&Symbols>, venues: &mut [Venue], problems: &mut Problems) {
    if problems.are_lenient() {
        for venue in venues.iter_mut().filter(|venue| !venue.config.has_credentials()) {
            let name = venue.exchange.name;
            venue.key_unread.get_or_insert_with(|| format!("venues.{name}: has no key here"));
        }
        return;
    }
    for key in KEYS.iter().filter(|key| key.is_limit() && !given.contains_key(&key.path())) {
        let what = format!("{}: has no value, and limits have no default in mode live", key.path());
        problems.missing(
            &key.path(),
            what,
            format!("{}; write it under [risk], such as: {} = {}", key.about, key.name, key.default),
        );
    }
    if symbols.is_some_and(|symbols| symbols.include.is_empty() && symbols.top == 0) {
        let written = ["symbols.include", "symbols.top"].into_iter().find(|key| given.contains_key(*key));
        let key = written.unwrap_or("symbols.include");
        let origin = given.get(key).map_or(Origin::Default, |given| given.origin.clone());
        let what = "symbols: include is empty and top is 0, and mode live trades nothing that nobody named";
        let fix =
            "under [symbols], include = [\"BTC/USDT\", \"ETH/USDT\"], or top = 10 for the ten most traded";
        problems.add(key, &origin, what, fix);
    }
    for venue in venues.iter().filter(|venue| !venue.config.has_credentials()) {
        let name = venue.exchange.name;
        let what = format!("venues.{name}: has no key, and mode live signs orders");
        problems.missing(
            &format!("venues.{name}"),
            what,
            "key = \"env:NAME\" and secret = \"env:NAME\" in its section",
        );
    }
}

/// Symbols as the exchanges' are spelt, since names are compared letter by letter: one that is never met would be traded although it
/// is excluded. Whoever only halts needs none of it.
fn patterns(given: &Keys, symbols: &Symbols, problems: &mut Problems) {
    let mut tell = |key: &str, what: String, fix: &str| {
        let origin = given.get(key).map_or(Origin::Default, |given| given.origin.clone());
        problems.doubt(key, &origin, format!("{key}: {what}"), fix);
    };
    for text in &symbols.include {
        match text.parse::<Symbol>() {
            Ok(symbol) if symbol.quote.as_str() != symbols.quote => {
                let what = format!("{symbol} is not priced in {}", symbols.quote);
                tell("symbols.include", what, "one quote at a time: prices of two quotes do not compare");
            }
            Ok(symbol) if !is_spelt_so(text, &symbol) => tell("symbols.include", misspelt(text), UPPER_CASE),
            Ok(_) => {}
            Err(error) => tell("symbols.include", error.to_string(), "spell symbols BASE/QUOTE"),
        }
    }
    for text in &symbols.exclude {
        let literal = text.replace('*', "X");
        let quote = text.split_once('/').map_or("", |(_, quote)| quote);
        match literal.parse::<Symbol>() {
            Ok(symbol) if !is_spelt_so(&literal, &symbol) => {
                tell("symbols.exclude", misspelt(text), UPPER_CASE);
            }
            Ok(_) if !matches(quote, &symbols.quote) => {
                let what = format!("{text:?} excludes nothing that is priced in {}", symbols.quote);
                tell("symbols.exclude", what, "such as *3L/USDT");
            }
            Ok(_) => {}
            Err(_) => {
                let what = format!("{text:?} is not of the form BASE/QUOTE with *");
                tell("symbols.exclude", what, "such as *3L/USDT");
            }
        }
    }
    if symbols.top > 0 && !symbols.include.is_empty() {
        tell("symbols.top", "stands beside include".to_owned(), "give one of the two");
    }
}

/// How symbols are spelt.
const UPPER_CASE: &str = "upper case, without blanks: BTC/USDT";

/// Whether a symbol is written as it is compared.
fn is_spelt_so(text: &str, symbol: &Symbol) -> bool {
    !text.contains(|letter: char| letter.is_whitespace() || letter.is_control()) && symbol.to_string() == text
}

fn misspelt(text: &str) -> String {
    format!("{text:?} is no symbol as exchanges' are spelt here")
}

/// Whether amounts are what their keys say: with another quote `max_leg_usdt = 200` would be 200 of that. In every mode: also who
/// only looks is told what limits make of it.
fn counted(given: &Keys, symbols: &Symbols, problems: &mut Problems) {
    if symbols.quote == LIMIT_QUOTE {
        return;
    }
    let origin = given.get("symbols.quote").map_or(Origin::Default, |given| given.origin.clone());
    let what = format!(
        "symbols.quote: {:?}, and every amount of a limit is {LIMIT_QUOTE}, as its key says (_usdt)",
        symbols.quote
    );
    problems.doubt("symbols.quote", &origin, what, format!("quote = \"{LIMIT_QUOTE}\", or leave it out"));
}

/// Pairs of limits of which one contains the other: a smaller one above a larger would never be reached, or stop all.
fn consistent(given: &Keys, risk: &Risk, problems: &mut Problems) {
    let rows = [
        ("max_leg_usdt", "max_cycle_usdt", risk.max_leg_usdt <= risk.max_cycle_usdt),
        ("max_cycle_usdt", "max_gross_usdt", risk.max_cycle_usdt <= risk.max_gross_usdt),
        ("max_symbol_net_usdt", "max_gross_usdt", risk.max_symbol_net_usdt <= risk.max_gross_usdt),
        // A leg may stand alone whole: a larger one would be stopped for (R28) only once it does.
        ("max_leg_usdt", "max_naked_usdt", risk.max_leg_usdt <= risk.max_naked_usdt),
        ("max_naked_usdt", "max_gross_usdt", risk.max_naked_usdt <= risk.max_gross_usdt),
        ("min_edge_bps", "max_edge_bps", risk.min_edge_bps < risk.max_edge_bps),
        ("max_cycle_loss_usdt", "max_hour_loss_usdt", risk.max_cycle_loss_usdt <= risk.max_hour_loss_usdt),
        ("max_hour_loss_usdt", "max_day_loss_usdt", risk.max_hour_loss_usdt <= risk.max_day_loss_usdt),
        ("cooldown_s", "cooldown_max_s", risk.cooldown_s <= risk.cooldown_max_s),
        ("decision_ttl_ms", "order_expire_ms", risk.decision_ttl_ms <= risk.order_expire_ms),
        (
            "max_open_cycles_per_symbol",
            "max_open_cycles",
            risk.max_open_cycles_per_symbol <= risk.max_open_cycles,
        ),
        (
            "max_open_cycles_per_venue",
            "max_open_cycles",
            risk.max_open_cycles_per_venue <= risk.max_open_cycles,
        ),
        (
            "max_symbol_orders_per_s",
            "max_venue_orders_per_s",
            risk.max_symbol_orders_per_s <= risk.max_venue_orders_per_s,
        ),
        ("max_symbol_dust_usdt", "max_dust_usdt", risk.max_symbol_dust_usdt <= risk.max_dust_usdt),
        ("max_unknown", "venue_unknown", risk.max_unknown <= risk.venue_unknown),
    ];
    for (inner, outer, _) in rows.into_iter().filter(|(_, _, holds)| !holds) {
        let path = |name: &str| format!("risk.{name}");
        let shown = |name: &str| shown(given, name);
        // The place is the one of the two that somebody wrote.
        let written = [path(inner), path(outer)].into_iter().find(|path| given.contains_key(path));
        let key = written.unwrap_or_else(|| path(inner));
        let origin = given.get(&key).map_or(Origin::Default, |given| given.origin.clone());
        let what =
            format!("{} = {} does not fit {} = {}", path(inner), shown(inner), path(outer), shown(outer));
        problems.add(&key, &origin, what, format!("{inner} must not be above {outer}"));
    }
}

/// A limit as it holds.
fn shown(given: &Keys, name: &str) -> String {
    let default =
        || KEYS.iter().find(|key: &&Key| key.is_limit() && key.name == name).map_or("", |key| key.default);
    match given.get(&format!("risk.{name}")).map(|given| &given.raw) {
        Some(super::layers::Raw::Number(text) | super::layers::Raw::Plain(text)) => text.clone(),
        Some(_) | None => format!("{} (default)", default()),
    }
}

/// Where the files of a run are, whoever asks from wherever: `auto` becomes the user's own directory, `~/` begins in their home,
/// and anything else is a whole path.
fn directory(
    given: &Keys,
    mut storage: Storage,
    around: &Surroundings,
    problems: &mut Problems,
) -> Option<Storage> {
    let origin = given.get("storage.dir").map_or(Origin::Default, |given| given.origin.clone());
    let dir = match storage.dir.as_str() {
        "auto" => place::state(around),
        whole if whole.starts_with('/') => return Some(storage),
        other => match other.strip_prefix("~/") {
            Some(inside) => around.home().map(|home| home.join(inside)),
            None => {
                let what = format!("storage.dir: {other:?} is another place from each directory");
                problems.add("storage.dir", &origin, what, "a path from /, one from ~/, or auto");
                return None;
            }
        },
    };
    let Some(dir) = dir else {
        problems.add("storage.dir", &origin, "storage.dir: there is no home directory", "name a directory");
        return None;
    };
    storage.dir = dir.display().to_string();
    Some(storage)
}
