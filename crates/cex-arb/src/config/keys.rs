//! The table of all keys: name with its unit, default, range, and what it is for. The sections the program uses, the
//! commented example and the check for unknown keys are made of it.

use super::layers::{Given, Origin};
use super::problem::{Problems, shown_key};
use super::unit::{self, Unit};
use crate::venues;
use std::collections::BTreeMap;

/// One key.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its section; empty for the top.
    pub section: &'static str,
    /// Its name, which ends in its unit.
    pub name: &'static str,
    /// As it would stand in the file. For limits it holds only where no real order can leave.
    pub default: &'static str,
    /// Least and most, for numbers.
    pub range: Option<(&'static str, &'static str)>,
    /// What is below and not 0 is taken for a slip of a unit: nobody means so little.
    pub least: Option<&'static str>,
    /// What it is for.
    pub about: &'static str,
}

impl Key {
    /// `section.name`.
    #[must_use]
    pub fn path(&self) -> String {
        if self.section.is_empty() { self.name.to_owned() } else { format!("{}.{}", self.section, self.name) }
    }

    /// How to write it right: what it can be, an example, and what it is for.
    pub(super) fn remedy(&self) -> String {
        let Self { name, default, about, .. } = self;
        self.range.map_or_else(
            || format!("such as: {name} = {default} ({about})"),
            |(low, high)| format!("a number from {low} to {high}, such as: {name} = {default} ({about})"),
        )
    }

    /// Whether it is a limit: written out where real money runs.
    #[must_use]
    pub fn is_limit(&self) -> bool {
        self.section == "risk"
    }
}

macro_rules! sections {
    ($($(#[$doc:meta])* $Section:ident $section:literal {
        $($about:literal $field:ident: $unit:ty = $default:literal $(, $low:literal to $high:literal $(, least $least:literal)?)?;)*
    })*) => {
        /// All keys but those of venues, in the order of the example.
        pub const KEYS: &[Key] = &[$($(Key {
            section: $section,
            name: stringify!($field),
            default: $default,
            range: range!($($low to $high)?),
            least: least!($($($least)?)?),
            about: $about,
        },)*)*];

        $($(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $Section {
            $(#[doc = $about] pub $field: <$unit as Unit>::Value,)*
        }

        impl $Section {
            /// Reads the section; `None` when something of it is wrong.
            pub(super) fn read(given: &BTreeMap<String, Given>, problems: &mut Problems) -> Option<Self> {
                // Every field is read before any is missed, so that all problems are told.
                $(let $field = value::<$unit>($section, stringify!($field), given, problems);)*
                Some(Self { $($field: $field?,)* })
            }
        })*
    };
}

macro_rules! range {
    () => {
        None
    };
    ($low:literal to $high:literal) => {
        Some(($low, $high))
    };
}

macro_rules! least {
    () => {
        None
    };
    ($least:literal) => {
        Some($least)
    };
}

sections! {
    /// What the program may do at all.
    Top "" {
        "Version of this file's shape." version: unit::Count = "1", "1" to "1";
        "observe: looks, never orders. paper: live data, simulated fills. live: real orders; then every key of the section risk must be written." mode: unit::Mode = "\"observe\"";
    }
    /// What is traded.
    Symbols "symbols" {
        "Symbols to trade; empty for all that both exchanges list (never in mode live)." include: unit::List = "[\"BTC/USDT\", \"ETH/USDT\"]";
        "Symbols never to trade; * stands for any letters." exclude: unit::List = "[\"*3L/USDT\", \"*3S/USDT\"]";
        "With an empty include: the so many most traded; 0 for all (never in mode live)." top: unit::Count = "0", "0" to "5000";
        "What pays: only symbols of this quote. Only USDT can stand here: limits count in it." quote: unit::Words = "\"USDT\"";
    }
    /// What may be risked: the parameters of rules R1 to R36. Amounts are USDT, edges are after fees.
    Risk "risk" {
        "R2: hours before a delisting from which a symbol is not opened." delist_guard_h: unit::Hours = "24", "0" to "720";
        "R3: oldest news of a coin's deposits and withdrawals." wallet_max_age_s: unit::Seconds = "60", "1" to "3600";
        "R4: largest notional of one leg." max_leg_usdt: unit::Usdt = "200", "1" to "1000000";
        "R4: largest notional of one cycle, both legs together." max_cycle_usdt: unit::Usdt = "400", "1" to "1000000";
        "R5: how far an order must be above the least that both exchanges take." min_notional_margin_pct: unit::Percent = "20", "0" to "1000", least "0.5";
        "R6: largest share of the visible depth." max_depth_share_pct: unit::Percent = "25", "1" to "100";
        "R7: oldest book, by arrival." max_book_age_ms: unit::Ms = "500", "10" to "10000";
        "R7: oldest book, by the exchange's clock." max_book_venue_age_ms: unit::Ms = "1000", "10" to "10000";
        "R8: largest difference between the ages of two books." max_age_gap_ms: unit::Ms = "300", "10" to "10000";
        "R9: longest time since a book was compared with the exchange's own." audit_max_age_s: unit::Seconds = "300", "10" to "3600";
        "R10: furthest price from the venue's own mid." collar_own_bps: unit::BasisPoints = "50", "1" to "1000";
        "R10: how far the mids of the two venues may be apart." collar_cross_bps: unit::BasisPoints = "200", "1" to "2000";
        "R11: least edge, after fees." min_edge_bps: unit::BasisPoints = "8", "0" to "1000", least "0.5";
        "R11: largest edge that is believed; above, the data is suspected." max_edge_bps: unit::BasisPoints = "300", "1" to "5000";
        "R11: how long a symbol whose edge was not believed is left alone." quarantine_s: unit::Seconds = "600", "1" to "86400";
        "R12: largest net position of one symbol, unknown orders at their worst." max_symbol_net_usdt: unit::Usdt = "300", "1" to "1000000";
        "R13: most to be held at one venue." max_venue_equity_usdt: unit::Usdt = "2000", "1" to "100000000";
        "R13: least part of all we hold of a coin that must stay where an opening spends it." min_inventory_pct: unit::Percent = "20", "0" to "50", least "0.5";
        "R14: largest exposure in all: reserved, live, unknown and naked." max_gross_usdt: unit::Usdt = "2000", "1" to "10000000";
        "R15: cycles open at once." max_open_cycles: unit::Count = "4", "1" to "1000";
        "R15: cycles open at once in one symbol." max_open_cycles_per_symbol: unit::Count = "1", "1" to "100";
        "R15: cycles open at once at one venue." max_open_cycles_per_venue: unit::Count = "4", "1" to "1000";
        "R16: part of what a leg spends that must be free beside it." fee_buffer_pct: unit::Percent = "1", "0" to "50", least "0.05";
        "R17: orders a second in one symbol at one venue." max_symbol_orders_per_s: unit::Count = "5", "1" to "100";
        "R17: orders a second at one venue." max_venue_orders_per_s: unit::Count = "20", "1" to "1000";
        "R17: orders at one venue in one burst." max_order_burst: unit::Count = "10", "1" to "1000";
        "R18: orders of openings a minute; more, and only closing is allowed." max_orders_per_min: unit::Count = "120", "1" to "60000";
        "R18: orders of openings a day." max_orders_per_day: unit::Count = "20000", "1" to "10000000";
        "R18: notional of openings a day." max_day_notional_usdt: unit::Usdt = "100000", "1" to "1000000000";
        "R19: part of the request budget that is kept for cancels, hedges and questions." request_reserve_pct: unit::Percent = "30", "10" to "90";
        "R20: realised loss of one UTC day that stops everything." max_day_loss_usdt: unit::Usdt = "50", "0.01" to "1000000";
        "R20: realised loss of one hour after which only closing is allowed." max_hour_loss_usdt: unit::Usdt = "20", "0.01" to "1000000";
        "R20: realised loss of one cycle after which only closing is allowed." max_cycle_loss_usdt: unit::Usdt = "5", "0.01" to "1000000";
        "R21: largest fall from the highest equity." max_drawdown_usdt: unit::Usdt = "80", "0.01" to "1000000";
        "R22: oldest decision that is still sent." decision_ttl_ms: unit::Ms = "50", "1" to "1000";
        "R22: when the exchange itself must refuse an order that is late." order_expire_ms: unit::Ms = "1500", "100" to "60000";
        "R23: pause of a symbol after a cycle that failed; doubles each time." cooldown_s: unit::Seconds = "30", "1" to "3600";
        "R23: longest such pause." cooldown_max_s: unit::Seconds = "3600", "1" to "86400";
        "R24: failures in one symbol that pause it." symbol_failures: unit::Count = "3", "1" to "100";
        "R24, R26: within what time failures count together." failure_window_s: unit::Seconds = "600", "10" to "86400";
        "R25: failed orders in a row that pause a venue." venue_failures: unit::Count = "5", "1" to "100";
        "R25: part of a venue's last fifty orders that may have failed." venue_error_pct: unit::Percent = "20", "1" to "100";
        "R24, R25: how long such a pause lasts." breaker_pause_s: unit::Seconds = "300", "1" to "86400";
        "R25: unknown orders at one venue after which only closing is allowed." venue_unknown: unit::Count = "2", "1" to "100";
        "R25: slowest answer of a hundred that is tolerated." venue_p99_ms: unit::Ms = "2000", "50" to "60000";
        "R26: failures over all symbols that stop everything." global_failures: unit::Count = "5", "1" to "1000";
        "R27: unknown orders at one venue with which nothing is opened." max_unknown: unit::Count = "1", "1" to "100";
        "R28: time in which the other leg should follow; after four times that the difference is parked and its symbol stops." hedge_ms: unit::Ms = "1500", "100" to "60000";
        "R28: largest notional of one leg without the other." max_naked_usdt: unit::Usdt = "200", "1" to "1000000";
        "R28: attempts to mend half a cycle." hedge_attempts: unit::Count = "3", "1" to "10";
        "R28: how far from the best price mending may trade; the best price itself must keep to both collars." max_unwind_bps: unit::BasisPoints = "30", "0" to "1000", least "0.5";
        "R29: how wrong the difference to a venue's clock may be." max_clock_error_ms: unit::Ms = "250", "1" to "1000";
        "R29: longest standstill of the program after which all books are stale." max_pause_ms: unit::Ms = "1000", "100" to "10000";
        "R30: how much more than expected a fee may be; the third in a row pauses the symbol." fee_surprise_bps: unit::BasisPoints = "1", "0" to "100", least "0.05";
        "R31: over how many cycles the realised edge must not be negative." slippage_cycles: unit::Count = "20", "1" to "1000";
        "R32: how far our own books may be from an exchange's balance; two in a row stop the venue." max_drift_usdt: unit::Usdt = "1", "0" to "10000";
        "R33: most of one symbol that is too little to sell." max_symbol_dust_usdt: unit::Usdt = "5", "0" to "10000";
        "R33: most of that in all." max_dust_usdt: unit::Usdt = "50", "0" to "100000";
        "R34: how far the disk may lag behind the journal." journal_max_lag_ms: unit::Ms = "100", "10" to "10000";
        "R34: space that must be left on the journal's disk." journal_min_free_mib: unit::Mib = "1024", "64" to "1048576";
        "R35: longest silence of the trading thread." watchdog_ms: unit::Ms = "2000", "100" to "60000";
        "stop --flatten: how far from the best price leftovers may be traded away." flatten_collar_bps: unit::BasisPoints = "100", "1" to "5000";
    }
    /// Accounts that exist on paper only, the same at each exchange.
    Paper "paper" {
        "What an account holds of the quote at the start; R13 counts it like any other." start_quote_usdt: unit::Usdt = "1000", "0" to "100000000";
        "Value of what it holds of every coin at the start: a leg, and what R13 keeps." start_coin_usdt: unit::Usdt = "400", "0" to "100000000";
        "How long an order is on its way, and its answer too." latency_ms: unit::Ms = "20", "0" to "10000";
    }
    /// Where records go.
    Storage "storage" {
        "Directory of the journal: a path from / or ~/; auto for the user's own (XDG_STATE_HOME/arb)." dir: unit::Words = "\"auto\"";
        "Size of one file of the journal." journal_segment_mib: unit::Mib = "64", "1" to "1024";
        "grouped: what an order is sent by is on disk within journal_group_ms. strict: before it is sent." journal_sync: unit::SyncChoice = "\"grouped\"";
        "How often records are put on disk." journal_group_ms: unit::Ms = "5", "1" to "10";
    }
}

/// What an amount counts in whose key ends in `_usdt`; the engine takes every amount for one of the quote it trades in.
pub(super) const LIMIT_QUOTE: &str = "USDT";

/// Longest text beside a number's key that is shown: no secret is so short.
const LONGEST_NUMBER: usize = 12;

/// The sections of the file.
pub(super) const SECTIONS: [&str; 5] = ["venues", "symbols", "risk", "paper", "storage"];

/// Keys of a venue's section, with what they are for. Options of an exchange stand in `venues.<name>.options`.
pub const VENUE_KEYS: &[(&str, &str)] = &[
    ("key", "where the API key is: env:NAME, file:PATH or credential:NAME; never the key itself"),
    ("secret", "where the API secret is, likewise"),
    ("fee_taker_bps", "the taker fee in basis points, or \"auto\" for what the account says"),
    (
        "withdrawals_readable",
        "true when you know that the key may read the withdrawal area and write nothing there",
    ),
    (
        "rest",
        "address of the request interface, when it is not the real one; plain http only to this machine",
    ),
    ("ws", "address of the streams, likewise"),
];

/// The value of a key, given or by default; `None` when it is wrong.
fn value<U: Unit>(
    section: &'static str,
    name: &'static str,
    given: &BTreeMap<String, Given>,
    problems: &mut Problems,
) -> Option<U::Value> {
    let key = KEYS.iter().find(|key| key.section == section && key.name == name)?;
    let path = key.path();
    match given.get(&path) {
        Some(found) => {
            let given = unit::Given(&found.raw);
            let read = U::read(&given, key.range);
            if read.is_ok()
                && let Some(what) = unit::slip(&given, name, key.least)
            {
                problems.doubt(&path, &found.origin, format!("{path}: {what}"), key.remedy());
            }
            read.map_err(|what| problems.add(&path, &found.origin, format!("{path}: {what}"), key.remedy()))
                .ok()
                // Whoever may not be held up by it goes on with what holds where nothing is written.
                .or_else(|| of_default::<U>(key, problems).filter(|_| spares(problems, &path)))
        }
        None => of_default::<U>(key, problems),
    }
}

/// The value of a key by default.
fn of_default<U: Unit>(key: &Key, problems: &mut Problems) -> Option<U::Value> {
    let (raw, path) = (default_value(key), key.path());
    let read = U::read(&unit::Given(&raw), key.range);
    read.map_err(|what| problems.add(&path, &Origin::Default, format!("{path}: {what}"), "")).ok()
}

/// Whether what is wrong with this key refuses nothing.
fn spares(problems: &Problems, path: &str) -> bool {
    problems.are_lenient() && only_a_run_minds(path)
}

/// Whether nobody but a run can be wrong by the value of this key. What tells which run is meant, where it is and whose orders are
/// to be cancelled is not among them: who halts needs that, and must not guess it.
pub(super) fn only_a_run_minds(path: &str) -> bool {
    let (section, name) = path.rsplit_once('.').unwrap_or((path, ""));
    let of_account =
        section.starts_with("venues.") && ["fee_taker_bps", "withdrawals_readable"].contains(&name);
    let of_journal = section == "storage" && name.starts_with("journal_");
    let first = path.split('.').next().unwrap_or_default();
    ["version", "risk", "symbols", "paper"].contains(&first) || of_account || of_journal
}

/// A default, as the file would give it. Lists of defaults are examples: what is not written is empty.
pub(super) fn default_value(key: &Key) -> super::layers::Raw {
    use super::layers::Raw;
    if key.default.starts_with('[') {
        return Raw::List(Vec::new());
    }
    match key.default.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        Some(text) => Raw::Text(text.to_owned()),
        None => Raw::Number(key.default.to_owned()),
    }
}

/// What to do about a key that does not exist; `None` for one that does.
pub(super) fn unknown(path: &str) -> Option<String> {
    let known: Vec<String> = KEYS.iter().map(Key::path).chain(venue_paths()).collect();
    let options = venues::EXCHANGES.iter().any(|exchange| {
        let prefix = format!("venues.{}.options.", exchange.name);
        path.strip_prefix(&prefix).is_some_and(|name| !name.is_empty() && !name.contains('.'))
    });
    let section = venues::EXCHANGES.iter().any(|exchange| path == format!("venues.{}", exchange.name));
    let table = SECTIONS.contains(&path);
    if options || section || table || known.iter().any(|known| known == path) {
        return None;
    }
    Some(suggestion(path, &known))
}

/// Whether a value can be shown beside the name of its key: known keys that are no secrets, numbers only when they are
/// as short as numbers.
pub(super) fn is_harmless(name: &str, value: &str) -> bool {
    if ["key", "secret"].contains(&name) {
        return false;
    }
    let known = KEYS.iter().find(|key| key.name == name);
    let text = known.is_some_and(|key| key.default.starts_with(['"', '[']));
    let venue = VENUE_KEYS.iter().any(|(known, _)| *known == name);
    venue || text || (known.is_some() && value.len() <= LONGEST_NUMBER)
}

fn venue_paths() -> impl Iterator<Item = String> {
    venues::EXCHANGES.iter().flat_map(|exchange| {
        VENUE_KEYS.iter().map(move |(name, _)| format!("venues.{}.{name}", exchange.name))
    })
}

/// What to do about a variable that looks as if it were to override a key and does not; `None` for any other. Names of
/// variables that hold secrets are the user's own.
pub(super) fn misnamed(variable: &str) -> Option<String> {
    let (name, plain) = (variable.to_ascii_uppercase(), |name: &str| {
        name.split('_').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("_").to_ascii_lowercase()
    });
    if variable.starts_with("ARB__") || variable == "ARB_CONFIG" {
        return None;
    }
    let rest = name.strip_prefix("ARB_").map(plain)?;
    // `ARB_RISK...` is meant for a section, and so is whatever has the double underscore that sets parts apart.
    let sections =
        SECTIONS.iter().any(|section| rest == *section || rest.starts_with(&format!("{section}_")));
    if !sections && !variable.get(4..).is_some_and(|rest| rest.contains("__")) {
        return None;
    }
    let known: Vec<String> = KEYS.iter().map(Key::path).chain(venue_paths()).collect();
    let distance = |known: &&String| strsim::damerau_levenshtein(&plain(&known.replace('.', "_")), &rest);
    let near = known.iter().min_by_key(distance).filter(|known| distance(known) <= 3.max(rest.len() / 5));
    Some(match near {
        Some(known) => format!("did you mean `ARB__{}`?", known.replace('.', "__").to_ascii_uppercase()),
        None => "spell it ARB__SECTION__KEY; `arb config example` shows all keys".to_owned(),
    })
}

fn suggestion(path: &str, known: &[String]) -> String {
    if let Some(rest) = path.strip_prefix("venues.") {
        let name = rest.split('.').next().unwrap_or_default();
        if venues::by_name(name).is_none() {
            let names: Vec<&str> = venues::EXCHANGES.iter().map(|exchange| exchange.name).collect();
            let name = shown_key(name);
            return format!("no exchange {name:?} is registered; there are {}", names.join(", "));
        }
    }
    let distance = |known: &&String| strsim::damerau_levenshtein(known, path);
    // The right name in the wrong section is nearer than any misspelling.
    let last = path.rsplit('.').next().unwrap_or_default();
    let moved = known.iter().find(|known| known.rsplit('.').next() == Some(last));
    let near = known.iter().min_by_key(distance).filter(|known| distance(known) <= 3.max(path.len() / 5));
    let longer = known.iter().find(|known| path.len() > 6 && known.starts_with(path));
    match moved.or(longer).or(near) {
        Some(known) => format!("did you mean `{known}`?"),
        None => "`arb config example` shows all keys".to_owned(),
    }
}
