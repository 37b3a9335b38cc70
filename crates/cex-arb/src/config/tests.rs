//! Broken files and what is said of them, to the letter; files that make sense, and what they come to.

use super::command::{example, run};
use super::file::Source;
use super::keys::{KEYS, LIMIT_QUOTE};
use super::problem::{Problem, Problems};
use super::{Config, Mode, Surroundings, SyncChoice};
use crate::cli::{ConfigArgs, ConfigCommand, ShowArgs};
use cex_core::{Bps, Decimal};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A word that must never be seen outside.
const CANARY: &str = "canary-5ecret-9b1d";

/// The least that makes sense.
const GOOD: &str = "version = 1\n[venues.mexc]\n[venues.gateio]\n";

fn around(vars: &[(&str, &str)]) -> Surroundings {
    let own = [("HOME", "/home/trader")];
    let vars = own.iter().chain(vars).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Surroundings { vars: vars.collect(), directory: PathBuf::from("/nowhere") }
}

fn read(text: &str, sets: &[&str], vars: &[(&str, &str)]) -> Result<Config, Box<Problems>> {
    let file = Source { path: Some(PathBuf::from("arb.toml")), text: text.to_owned() };
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    Config::read(&file, &sets, &around(vars))
}

fn good(text: &str) -> Config {
    read(text, &[], &[]).unwrap_or_else(|problems| panic!("{text}\n{problems}"))
}

/// What is said of a file must be exactly this.
fn check(text: &str, expected: &str) {
    let said = read(text, &[], &[]).map(|_| String::new()).unwrap_or_else(|problems| problems.to_string());
    assert_eq!(said, expected, "\nof the file:\n{text}");
}

/// A file that makes sense but for these lines.
fn check_with(lines: &str, expected: &str) {
    check(&format!("{GOOD}{lines}"), expected);
}

#[test]
fn defaults_hold_where_nothing_is_said() {
    let config = good(GOOD);
    assert_eq!(config.mode, Mode::Observe);
    let names: Vec<&str> = config.venues.iter().map(|venue| venue.exchange.name).collect();
    assert_eq!(names, ["mexc", "gateio"]);
    assert_eq!(config.risk.max_leg_usdt, Decimal::new(200, 0));
    assert_eq!(config.risk.min_edge_bps, Bps::from_bps(8));
    assert_eq!(config.risk.max_depth_share_pct, Bps::from_bps(2_500));
    assert_eq!(config.risk.order_expire_ms, Duration::from_millis(1_500));
    assert_eq!(config.risk.delist_guard_h, Duration::from_secs(86_400));
    assert_eq!(config.risk.journal_min_free_mib, 1 << 30);
    assert_eq!((config.symbols.include.len(), config.symbols.quote.as_str()), (0, "USDT"));
    assert_eq!(config.storage.dir, "/home/trader/.local/state/arb");
    assert_eq!(config.storage.journal_sync, SyncChoice::Grouped);
}

#[test]
fn numbers_are_exact_and_in_their_units() {
    let config =
        good(&format!("{GOOD}[risk]\nmin_edge_bps = 3.25\nmax_leg_usdt = 1_50.10\nfee_buffer_pct = 0.5\n"));
    assert_eq!(config.risk.min_edge_bps, Bps::from_e8(32_500));
    assert_eq!(config.risk.max_leg_usdt, "150.1".parse().expect("a decimal"));
    assert_eq!(config.risk.fee_buffer_pct, Bps::from_bps(50));
}

#[test]
fn the_stronger_source_wins() {
    let text = format!("{GOOD}[risk]\nmax_leg_usdt = 10\nmax_cycle_usdt = 150\ncooldown_s = 7\n");
    let vars = [
        ("ARB__RISK__MAX_LEG_USDT", "20"),
        ("ARB__RISK__MAX_CYCLE_USDT", "160"),
        ("ARB__SYMBOLS__INCLUDE", "BTC/USDT, ETH/USDT"),
    ];
    let config =
        read(&text, &["risk.max_leg_usdt=30"], &vars).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(config.risk.max_leg_usdt, Decimal::new(30, 0));
    assert_eq!(config.risk.max_cycle_usdt, Decimal::new(160, 0));
    assert_eq!(config.risk.cooldown_s, Duration::from_secs(7));
    assert_eq!(config.symbols.include, ["BTC/USDT", "ETH/USDT"]);
    for (sets, vars, expected) in [
        (
            &["risk.max_leg_usdt"][..],
            &[][..],
            "error: --set: a setting without `=`\n  fix: --set risk.max_leg_usdt=100",
        ),
        (
            &["risk.max_leg=1"],
            &[],
            "error: --set: unknown key `risk.max_leg`\n  fix: did you mean `risk.max_leg_usdt`?",
        ),
        (
            &[],
            &[("ARB__RISK__MAX_LEG_USDT", "lots")],
            "error: ARB__RISK__MAX_LEG_USDT: risk.max_leg_usdt: \"lots\" is not a plain decimal number such as 12.5\n  fix: a number from 1 to 1000000, such as: max_leg_usdt = 200 (R4: largest notional of one leg.)",
        ),
    ] {
        let problems = read(GOOD, sets, vars).expect_err("wrong");
        assert_eq!(problems.to_string(), expected);
    }
}

#[test]
fn a_part_in_another_unit_is_no_small_part() {
    for (lines, expected) in [
        (
            "[risk]\nmin_edge_bps = 0.08\n",
            "0.08 basis points is next to nothing, as if another unit had been meant; did you mean 8?",
        ),
        ("[risk]\nmin_edge_bps = 0.0008\n", "; did you mean 8?"),
        (
            "[risk]\nfee_buffer_pct = 0.01\n",
            "0.01 per cent is next to nothing, as if another unit had been meant; did you mean 1?",
        ),
        (
            "[venues.mexc]\nfee_taker_bps = 0.05\n",
            "venues.mexc.fee_taker_bps: 0.05 basis points is next to nothing, as if another unit had been meant; did you mean 5?",
        ),
        ("[risk]\nfee_surprise_bps = 0.01\n", "; did you mean 1?"),
        ("[risk]\nmin_inventory_pct = 0.2\n", "; did you mean 20?"),
        ("[venues.mexc]\nfee_taker_bps = 0.0005\n", "; did you mean 5?"),
        ("[venues.mexc]\nfee_taker_bps = -0.1\n", "; did you mean -10?"),
        ("[venues.mexc]\nfee_taker_bps = 500\n", "500 is out of range: -10 to 100"),
    ] {
        let file = format!(
            "version = 1\n{lines}{}[venues.gateio]\n",
            if lines.contains("venues") { "" } else { "[venues.mexc]\n" }
        );
        let said = read(&file, &[], &[]).expect_err(lines).to_string();
        assert!(said.contains(expected), "{lines}\n{said}");
        assert!(said.contains(" from ") && said.contains(" to "), "how it should be: {said}");
    }
    // What is little is another thing for each key.
    for lines in [
        "min_edge_bps = 0",
        "min_edge_bps = 0.5",
        "fee_buffer_pct = 0",
        "fee_buffer_pct = 0.2",
        "fee_surprise_bps = 0",
        "fee_surprise_bps = 0.25",
    ] {
        good(&format!("{GOOD}[risk]\n{lines}\n"));
    }
    good("version = 1\n[venues.mexc]\nfee_taker_bps = 0\n[venues.gateio]\nfee_taker_bps = 1\n");
}

#[test]
fn a_run_s_directory_is_one_place_wherever_it_is_asked_for() {
    let dir = |dir: &str| {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), format!("{GOOD}[storage]\ndir = \"{dir}\"\n")).expect("our own file");
        let config = Config::load(Some(file.path()), &[], &around(&[("HOME", "/home/trader")]));
        config.map(|config| config.storage.dir).map_err(|problems| problems.to_string())
    };
    assert_eq!(dir("/var/lib/arb").as_deref(), Ok("/var/lib/arb"));
    assert_eq!(dir("~/arb").as_deref(), Ok("/home/trader/arb"));
    assert_eq!(dir("auto").as_deref(), Ok("/home/trader/.local/state/arb"));
    for relative in ["here", "./here", "", "~other/x"] {
        let refused = dir(relative).expect_err(relative);
        assert!(refused.contains("storage.dir: ") && refused.contains("a path from /"), "{refused}");
    }
}

/// Names are compared letter by letter: what is not spelt as it is compared would be traded although it is excluded.
#[test]
fn a_symbol_is_spelt_as_it_is_compared_or_refused() {
    for (list, what) in [
        ("exclude = [\"LUNA/USDT\", \"*3L/USDT\", \"*/USDT\", \"A*/*\", \"币/USDT\"]", None),
        ("include = [\"BTC/USDT\", \"1INCH/USDT\"]", None),
        ("exclude = [\"luna/usdt\"]", Some("\"luna/usdt\" is no symbol as")),
        ("exclude = [\"*3l/USDT\"]", Some("\"*3l/USDT\" is no symbol as")),
        ("exclude = [\" LUNA/USDT\"]", Some("\" LUNA/USDT\" is no symbol as")),
        ("exclude = [\"LUNA/USD\"]", Some("excludes nothing that is priced in USDT")),
        ("exclude = [\"LUNA*\"]", Some("is not of the form BASE/QUOTE with *")),
        ("include = [\"btc/USDT\"]", Some("\"btc/USDT\" is no symbol as")),
        ("include = [\"BTC/USDT \"]", Some("is not priced in USDT")),
    ] {
        let found = read(&format!("{GOOD}[symbols]\n{list}\n"), &[], &[]);
        match (found, what) {
            (Ok(_), None) => {}
            (Err(problems), Some(what)) => {
                let told = problems.to_string();
                assert!(told.contains(what) && told.contains("fix: "), "{list}: {told}");
            }
            (other, _) => panic!("{list}: {other:?}"),
        }
    }
}

#[test]
fn what_only_a_run_must_refuse_holds_no_control_up() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let load = |lines: &str, vars: &[(&str, &str)]| {
        std::fs::write(file.path(), format!("{GOOD}{lines}")).expect("our own file");
        let strict = Config::load(Some(file.path()), &[], &around(vars));
        let lenient = Config::load_for_control(Some(file.path()), &[], &around(vars));
        let whats = |problems: &[Problem]| problems.iter().map(|one| one.what.clone()).collect::<Vec<_>>();
        let strict = strict.map_err(|problems| whats(problems.all())).map(|_| ());
        (strict, lenient.map(|(_, doubts)| whats(&doubts)).map_err(|problems| whats(problems.all())))
    };
    assert_eq!(load("", &[]), (Ok(()), Ok(vec![])));
    for (lines, vars) in [
        ("", &[("ARB_SYMBOLS", "x")][..]),
        ("[risk]\nmin_edge_bps = 0.08\n", &[]),
        ("", &[("ARB__VENUES__MEXC__FEE_TAKER_BPS", "0.05")]),
        ("[symbols]\nquote = \"BTC\"\ninclude = [\"ETH/BTC\"]\n", &[]),
        ("[symbols]\nexclude = [\"luna/usdt\"]\n", &[]),
        ("[symbols]\ntop = \"ten\"\n", &[]),
        ("[risk]\nmin_edge_bps = 1001\n", &[]),
        ("[risk]\nmax_leg_usdt = 200\nmax_cycle_usdt = 100\n", &[]),
        ("[risk]\nmax_leg = 200\n", &[]),
        ("[rsk]\nmax_leg_usdt = 200\n", &[]),
        ("[paper]\nlatency_ms = 5.5\n", &[]),
        ("[storage]\njournal_sync = \"always\"\n", &[]),
        ("", &[("ARB__VERSION", "2")]),
        ("", &[("ARB__VENUES__MEXC__FEE_TAKER_BPS", "500")]),
        ("", &[("ARB__RISK", "5")]),
    ] {
        let (strict, lenient) = load(lines, vars);
        let told = lenient.unwrap_or_else(|problems| panic!("{lines} {vars:?} {problems:?}"));
        assert_eq!((told.len(), strict), (1, Err(told)), "told here, refused there");
    }
    // A key that only a run can read: told where it is needed.
    let keys = "version = 1\n[venues.gateio]\n[venues.mexc]\nkey = \"env:UNSET\"\nsecret = \"env:S\"\n";
    std::fs::write(file.path(), keys).expect("our own file");
    let vars = [("S", CANARY)];
    assert!(Config::load(Some(file.path()), &[], &around(&vars)).is_err());
    let (config, doubts) = Config::load_for_control(Some(file.path()), &[], &around(&vars)).expect("no run");
    let mexc = config.venues.iter().find(|venue| venue.exchange.name == "mexc").expect("it is there");
    assert!(doubts.is_empty() && mexc.config.key.is_empty() && mexc.config.secret.is_empty());
    assert!(mexc.key_unread.as_ref().is_some_and(|what| what.contains("UNSET")), "{:?}", mexc.key_unread);
    // Real money runs: without limits written down and without any key a run is refused, and nothing that ends one.
    let live = "version = 1\nmode = \"live\"\n[venues.gateio]\n[venues.mexc]\nkey = \"env:UNSET\"\nsecret = \"env:S\"\n";
    std::fs::write(file.path(), live).expect("our own file");
    assert!(Config::load(Some(file.path()), &[], &around(&vars)).is_err());
    let (config, doubts) = Config::load_for_control(Some(file.path()), &[], &around(&vars)).expect("no run");
    assert_eq!((config.mode, doubts), (Mode::Live, vec![]));
    let unread: Vec<&str> = config.venues.iter().filter_map(|venue| venue.key_unread.as_deref()).collect();
    assert!(unread.iter().any(|what| what.contains("UNSET")), "{unread:?}");
    assert!(unread.contains(&"venues.gateio: has no key here"), "{unread:?}");
    // What cannot be used is refused by both.
    let (strict, lenient) = load("[risk]\nmin_edge_bps = x\n", &[]);
    assert!(strict.is_err() && lenient.is_err());
    // So is what tells which run is meant, where it is and whose orders are to be cancelled: none of it is guessed.
    for lines in [
        "[storage]\ndir = \"state\"\n",
        "[venues.mexc]\nrest = \"nowhere\"\n",
        "[venues.mexc]\nkey = \"env:S\"\n",
    ] {
        let (strict, lenient) = load(lines, &vars);
        assert!(strict.is_err() && lenient.is_err(), "{lines}");
    }
    let (strict, lenient) = load("", &[("ARB__MODE", "lve")]);
    assert!(strict.is_err() && lenient.is_err());
    let (strict, lenient) =
        load("[risk]\nmin_edge_bps = 1001\n", &[("ARB__MODE", "x"), ("ARB_SYMBOLS", "x")]);
    assert_eq!((strict.map_err(|all| all.len()), lenient.map_err(|all| all.len())), (Err(3), Err(1)));
    // A key that is typed for this command may be one of these misspelt.
    std::fs::write(file.path(), GOOD).expect("our own file");
    for (set, refused) in [("storage.dri=/tmp", true), ("moed=paper", true), ("risk.max_leg=5", false)] {
        let set = [set.to_owned()];
        let lenient = Config::load_for_control(Some(file.path()), &set, &around(&[]));
        assert_eq!(lenient.is_err(), refused, "{set:?}");
    }
}

/// Nothing that only a run minds is made up: what was not usable is as if it had not been written.
#[test]
fn what_holds_no_control_up_counts_as_not_written() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let unversioned =
        "mode = \"paper\"\n[venues.mexc]\n[venues.gateio]\n[risk]\nwatchdog_ms = 1\nhedge_ms = 900\n";
    std::fs::write(file.path(), unversioned).expect("our own file");
    let (config, doubts) = Config::load_for_control(Some(file.path()), &[], &around(&[])).expect("no run");
    assert_eq!((config.mode, doubts.len()), (Mode::Paper, 2), "{doubts:?}");
    let (watchdog, hedge) = (config.risk.watchdog_ms.as_millis(), config.risk.hedge_ms.as_millis());
    assert_eq!((watchdog, hedge), (2_000, 900));
}

#[test]
fn a_misspelt_override_is_told_and_a_secret_s_variable_is_not() {
    for (name, fix) in [
        ("ARB_RISK__MAX_LEG_USDT", "did you mean `ARB__RISK__MAX_LEG_USDT`?"),
        ("ARB_RISK_MAX_LEG_USDT", "did you mean `ARB__RISK__MAX_LEG_USDT`?"),
        ("ARB_RISK__MAX_LEG_UDST", "did you mean `ARB__RISK__MAX_LEG_USDT`?"),
        ("arb__risk__max_leg_usdt", "did you mean `ARB__RISK__MAX_LEG_USDT`?"),
        ("ARB_VENUES__MEXC__KEY", "did you mean `ARB__VENUES__MEXC__KEY`?"),
        ("ARB_NOTHING__LIKE_ANY", "spell it ARB__SECTION__KEY; `arb config example` shows all keys"),
    ] {
        let said = read(GOOD, &[], &[(name, "1")]).expect_err(name).to_string();
        assert_eq!(said, format!("error: {name}: a variable of this name overrides nothing\n  fix: {fix}"));
    }
    let said = read(GOOD, &[], &[("ARB__RISK__MAX_LEG_UDST", "1")]).expect_err("misspelt").to_string();
    assert!(said.contains("did you mean `risk.max_leg_usdt`?"), "{said}");
    for name in ["ARB_MEXC_KEY", "ARB_CONFIG", "ARB_TEST", "HARB_RISK__MAX", "ARBITER__RISK__X"] {
        read(GOOD, &[], &[(name, "")]).unwrap_or_else(|problems| panic!("{name}: {problems}"));
    }
    let text = "version = 1\n[venues.mexc]\nkey = \"env:ARB_VENUES_MEXC_KEY\"\nsecret = \"env:ARB_VENUES_MEXC_SECRET\"\n[venues.gateio]\n";
    let vars = [("ARB_VENUES_MEXC_KEY", "k"), ("ARB_VENUES_MEXC_SECRET", "s")];
    read(text, &[], &vars).unwrap_or_else(|problems| panic!("{problems}"));
}

#[test]
fn broken_files_are_told_with_place_line_and_way_out() {
    for (lines, expected) in [
        (
            "[risk]\n  max_leg_ustd = 100\n",
            "error: arb.toml:5:3: unknown key `risk.max_leg_ustd`\n    | max_leg_ustd = 100\n  fix: did you mean `risk.max_leg_usdt`?",
        ),
        (
            "[riks]\nmax_leg_usdt = 100\n",
            "error: arb.toml:5:1: unknown key `riks.max_leg_usdt`\n    | max_leg_usdt = 100\n  fix: did you mean `risk.max_leg_usdt`?",
        ),
        (
            "[dashboard]\nlisten = \"x\"\n",
            "error: arb.toml:5:1: unknown key `dashboard.listen`\n    | listen = ***\n  fix: `arb config example` shows all keys",
        ),
        (
            "[venues.gate]\n",
            "error: arb.toml:4:9: unknown key `venues.gate`\n    | [venues.gate]\n  fix: no exchange \"gate\" is registered; there are mexc, gateio",
        ),
        (
            "[risk]\nmax_leg_usdt = \"100\"\n",
            "error: arb.toml:5:1: risk.max_leg_usdt: is text; write the number without quotes: 100\n    | max_leg_usdt = \"100\"\n  fix: a number from 1 to 1000000, such as: max_leg_usdt = 200 (R4: largest notional of one leg.)",
        ),
        (
            "[risk]\nmin_edge_bps = 5001\n",
            "error: arb.toml:5:1: risk.min_edge_bps: 5001 is out of range: 0 to 1000\n    | min_edge_bps = 5001\n  fix: a number from 0 to 1000, such as: min_edge_bps = 8 (R11: least edge, after fees.)",
        ),
        (
            "[risk]\nmax_unknown = 1.5\n",
            "error: arb.toml:5:1: risk.max_unknown: 1.5 must be a whole number\n    | max_unknown = 1.5\n  fix: a number from 1 to 100, such as: max_unknown = 1 (R27: unknown orders at one venue with which nothing is opened.)",
        ),
        (
            "[risk]\nmax_leg_usdt = 1e2\n",
            "error: arb.toml:5:1: risk.max_leg_usdt: \"1e2\" is not a plain decimal number such as 12.5\n    | max_leg_usdt = 1e2\n  fix: a number from 1 to 1000000, such as: max_leg_usdt = 200 (R4: largest notional of one leg.)",
        ),
        (
            "[risk]\nmin_edge_bps = nan\n",
            "error: arb.toml:5:1: risk.min_edge_bps: \"nan\" is not a plain decimal number such as 12.5\n    | min_edge_bps = nan\n  fix: a number from 0 to 1000, such as: min_edge_bps = 8 (R11: least edge, after fees.)",
        ),
        (
            "[risk]\nmin_edge_bps = 400\n",
            "error: arb.toml:5:1: risk.min_edge_bps = 400 does not fit risk.max_edge_bps = 300 (default)\n    | min_edge_bps = 400\n  fix: min_edge_bps must not be above max_edge_bps",
        ),
        (
            "[risk]\nmax_leg_usdt = 201\n",
            "error: arb.toml:5:1: risk.max_leg_usdt = 201 does not fit risk.max_naked_usdt = 200 (default)\n    | max_leg_usdt = 201\n  fix: max_leg_usdt must not be above max_naked_usdt",
        ),
        (
            "[symbols]\ninclude = [\"BTCUSDT\"]\n",
            "error: arb.toml:5:1: symbols.include: symbol \"BTCUSDT\" is not of the form BASE/QUOTE, e.g. BTC/USDT\n    | include = [\"BTCUSDT\"]\n  fix: spell symbols BASE/QUOTE",
        ),
        (
            "[symbols]\ninclude = [\"BTC/USDC\"]\n",
            "error: arb.toml:5:1: symbols.include: BTC/USDC is not priced in USDT\n    | include = [\"BTC/USDC\"]\n  fix: one quote at a time: prices of two quotes do not compare",
        ),
        (
            "[symbols]\ninclude = [1]\n",
            "error: arb.toml:5:1: symbols.include: must be a list of texts: [\"BTC/USDT\"]\n    | include = [1]\n  fix: such as: include = [\"BTC/USDT\", \"ETH/USDT\"] (Symbols to trade; empty for all that both exchanges list (never in mode live).)",
        ),
        (
            "[storage]\njournal_sync = \"never\"\n",
            "error: arb.toml:5:1: storage.journal_sync: \"never\" is not one of grouped, strict\n    | journal_sync = \"never\"\n  fix: such as: journal_sync = \"grouped\" (grouped: what an order is sent by is on disk within journal_group_ms. strict: before it is sent.)",
        ),
        (
            "[venues.gateio.options]\ndepth_intervall = \"100ms\"\n",
            "error: arb.toml:5:1: venues.gateio: invalid input: configuration: unknown option \"depth_intervall\"; known are ",
        ),
        ("[risk\n", "error: arb.toml:4:6: this is not TOML: "),
        ("[risk]\nhedge_ms = 1\nhedge_ms = 2\n", "error: arb.toml:6:1: this is not TOML: "),
    ] {
        let said = read(&format!("{GOOD}{lines}"), &[], &[]).expect_err(lines).to_string();
        let exact = !expected.ends_with("TOML: ") && !expected.contains("unknown option");
        assert!(if exact { said == expected } else { said.starts_with(expected) }, "{lines}\n{said}");
    }
}

#[test]
fn in_mode_live_nothing_is_traded_that_nobody_named() {
    let what = "symbols: include is empty and top is 0, and mode live trades nothing that nobody named";
    let file = |symbols: &str, mode: &str| {
        let text =
            KEYED.replace("[symbols]\ntop = 10\n", symbols).replace("\"live\"", &format!("\"{mode}\""));
        text + &all_limits()
    };
    for (symbols, place) in [
        ("", "arb.toml"),
        ("[symbols]\nexclude = [\"*3L/USDT\"]\n", "arb.toml"),
        ("[symbols]\ninclude = []\n", "arb.toml:4:1"),
        ("[symbols]\ninclude = []\ntop = 0\n", "arb.toml:4:1"),
        ("[symbols]\ntop = 0\n", "arb.toml:4:1"),
    ] {
        let problems = read(&file(symbols, "live"), &[], &VARS).expect_err(symbols);
        let [problem] = problems.all() else { panic!("{problems}") };
        assert_eq!((problem.what.as_str(), problem.place.as_str()), (what, place), "{symbols}");
        assert!(problem.fix.contains("include = [") && problem.fix.contains("top = 10"), "{}", problem.fix);
        for mode in ["observe", "paper"] {
            assert!(read(&file(symbols, mode), &[], &VARS).is_ok(), "{mode} {symbols}");
        }
    }
    for symbols in ["[symbols]\ninclude = [\"BTC/USDT\"]\n", "[symbols]\ntop = 1\n"] {
        let config = read(&file(symbols, "live"), &[], &VARS).map(|config| config.mode);
        assert_eq!(config, Ok(Mode::Live), "{symbols}");
    }
}

/// The gate takes every amount for one of the quote: 200 of a limit in USDT must never become 200 BTC.
#[test]
fn no_quote_but_that_of_the_limits_is_taken_in_any_mode() {
    check_with(
        "[symbols]\ninclude = [\"ETH/BTC\"]\nquote = \"BTC\"\n[risk]\nmax_leg_usdt = 200\n",
        "error: arb.toml:6:1: symbols.quote: \"BTC\", and every amount of a limit is USDT, as its key says (_usdt)\n    | quote = \"BTC\"\n  fix: quote = \"USDT\", or leave it out",
    );
    for mode in ["observe", "paper", "live"] {
        let text = format!("{}{}", KEYED.replace("\"live\"", &format!("\"{mode}\"")), all_limits());
        assert_eq!(
            read(&text, &["symbols.quote=USDT"], &VARS).map(|config| config.symbols.quote).as_deref(),
            Ok("USDT")
        );
        for quote in ["BTC", "USDC", "usdt", "USDT/X", ""] {
            let said = read(&text, &[&format!("symbols.quote={quote}")], &VARS).expect_err(quote).to_string();
            assert!(
                said.starts_with(&format!("error: --set: symbols.quote: {quote:?}, and every")),
                "{said}"
            );
        }
    }
    // Whatever a key says that ends in the unit, it is this one.
    let unit = format!("_{}", LIMIT_QUOTE.to_lowercase());
    assert!(KEYS.iter().filter(|key| key.name.ends_with(&unit)).count() > 10);
}

#[test]
fn addresses_are_checked_before_anything_connects() {
    let plain = "[venues.mexc]\nrest = \"http://10.0.0.1:80\"\n[venues.gateio]\n";
    check(
        &format!("version = 1\n{plain}"),
        "error: arb.toml:3:1: venues.mexc.rest: plain text to another machine; use https or wss\n    | rest = \
         \"http://10.0.0.1:80\"\n  fix: address of the request interface, when it is not the real one; plain http only to \
         this machine",
    );
    let local = "version = 1\n[venues.mexc]\nrest = \"http://127.0.0.1:7801\"\nws = \"ws://127.0.0.1:7801/ws\"\n\
                 options = { depth_interval = \"100ms\" }\nfee_taker_bps = 5\nwithdrawals_readable = true\n[venues.gateio]\nfee_taker_bps = \"auto\"\n";
    let config = good(local);
    assert_eq!(config.venues[0].config.rest_url.as_deref(), Some("http://127.0.0.1:7801"));
    assert_eq!(config.venues[0].config.options["depth_interval"], "100ms");
    assert_eq!((config.venues[0].taker_fee, config.venues[1].taker_fee), (Some(Bps::from_bps(5)), None));
    assert!(config.venues[0].withdrawals_readable && !config.venues[1].withdrawals_readable);
    check(
        "version = 1\n[venues.mexc]\nwithdrawals_readable = 1\n[venues.gateio]\n",
        "error: arb.toml:3:1: venues.mexc.withdrawals_readable: must be true or false\n    | withdrawals_readable = 1\n  fix: \
         true when you know that the key may read the withdrawal area and write nothing there",
    );
}

#[test]
fn modes_that_are_not_built_are_refused_with_the_reason() {
    for (mode, said) in [
        ("demo", "\"demo\" needs no configuration: run `arb demo`"),
        ("shadow", "\"shadow\" is not built yet; use observe or paper"),
        ("real", "\"real\" is not one of observe, paper, live"),
    ] {
        let text = format!("mode = \"{mode}\"\n{GOOD}");
        let problems = read(&text, &[], &[]).expect_err("no such mode");
        let expected = format!("arb.toml:1:1: mode: {said}");
        assert!(problems.to_string().starts_with(&format!("error: {expected}\n")), "{problems}");
    }
}

#[test]
fn the_file_as_a_whole_must_make_sense() {
    check(
        "[venues.mexc]\n[venues.gateio]\n",
        "error: arb.toml: `version` is missing\n  fix: begin the file with: version = 1",
    );
    check(
        "version = 1\n[venues.mexc]\n",
        "error: arb.toml: an arbitrage needs two venues; there is 1\n  fix: add sections such as [venues.mexc] and [venues.gateio]",
    );
    check(
        "version = 1\nrisk = 5\n[venues.mexc]\n[venues.gateio]\n",
        "error: arb.toml:2:1: `risk` is a section, not a key\n    | risk = 5\n  fix: [risk]",
    );
    check_with(
        "[symbols]\ntop = 5\ninclude = [\"BTC/USDT\"]\n",
        "error: arb.toml:5:1: symbols.top: stands beside include\n    | top = 5\n  fix: give one of the two",
    );
}

/// Every limit written, as its default.
fn all_limits() -> String {
    let rows =
        KEYS.iter().filter(|key| key.is_limit()).map(|key| format!("{} = {}\n", key.name, key.default));
    format!("[risk]\n{}", rows.collect::<String>())
}

const KEYED: &str = "version = 1\nmode = \"live\"\n[symbols]\ntop = 10\n[venues.mexc]\nkey = \"env:K\"\nsecret = \"env:S\"\n\
                     [venues.gateio]\nkey = \"env:K\"\nsecret = \"env:S\"\n";
const VARS: [(&str, &str); 2] = [("K", CANARY), ("S", CANARY)];

#[test]
fn in_mode_live_every_limit_must_be_written() {
    let whole = format!("{KEYED}{}", all_limits());
    let config = read(&whole, &[], &VARS).unwrap_or_else(|problems| panic!("{problems}"));
    assert!(config.mode == Mode::Live && config.venues.iter().all(|venue| venue.config.has_credentials()));
    for key in KEYS.iter().filter(|key| key.is_limit()) {
        let without = whole.replace(&format!("\n{} = {}\n", key.name, key.default), "\n");
        assert_ne!(without, whole, "{}", key.name);
        let problems = read(&without, &[], &VARS).expect_err(key.name);
        let [problem] = problems.all() else { panic!("{problems}") };
        assert_eq!(problem.key, key.path());
        assert_eq!(
            problem.what,
            format!("{}: has no value, and limits have no default in mode live", key.path())
        );
        // In the other modes the same file is good.
        let paper = without.replace("\"live\"", "\"paper\"");
        assert!(read(&paper, &[], &VARS).is_ok(), "{}", key.name);
    }
    let keyless = format!(
        "version = 1\nmode = \"live\"\n[symbols]\ntop = 10\n[venues.mexc]\n[venues.gateio]\n{}",
        all_limits()
    );
    let said = read(&keyless, &[], &[]).expect_err("live signs").to_string();
    assert!(said.contains("venues.mexc: has no key, and mode live signs orders"), "{said}");
}

#[test]
fn every_number_has_a_range_that_its_default_is_in_and_both_ends_hold() {
    for key in KEYS {
        let Some((low, high)) = key.range else { continue };
        let [low, high, default] = [low, high, key.default]
            .map(|text| text.parse::<Decimal>().unwrap_or_else(|_| panic!("{}", key.name)));
        assert!(low <= default && default <= high, "{}", key.name);
        for beyond in [low.checked_sub(Decimal::ONE), high.checked_add(Decimal::ONE)] {
            let set = format!("{}={}", key.path(), beyond.expect("small"));
            let said = read(GOOD, &[&set], &[]).expect_err(&set).to_string();
            assert!(said.contains("is out of range"), "{set}: {said}");
        }
    }
}

#[test]
fn every_misspelt_key_is_found_and_the_right_one_named() {
    for key in KEYS.iter().filter(|key| key.name.len() > 6) {
        let (path, mut name) = (key.path(), key.name.to_owned());
        name.remove(3);
        let set = format!("{}{name}=1", path.strip_suffix(key.name).unwrap_or_default());
        let said = read(GOOD, &[&set], &[]).expect_err(&set).to_string();
        assert!(said.contains("unknown key") && said.contains(&format!("`{path}`")), "{said}");
    }
}

#[test]
fn the_example_is_good_and_holds_every_key() {
    let text = example();
    let config = good(&text);
    assert_eq!(config.mode, Mode::Observe);
    assert_eq!(config.symbols.include, ["BTC/USDT", "ETH/USDT"]);
    for key in KEYS {
        assert!(text.contains(&format!("\n{} = {}\n", key.name, key.default)), "{}", key.name);
    }
    let live = text.replace("mode = \"observe\"", "mode = \"live\"");
    let problems = read(&live, &[], &[]).expect_err("without keys");
    assert_eq!(
        problems.all().len(),
        2,
        "the example writes every limit; only the keys are missing\n{problems}"
    );
}

/// A directory with a configuration that names a secret in a file of this mode.
fn with_secret(mode: u32, content: &str) -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("mexc.secret");
    std::fs::write(&path, content).expect("our own file");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).expect("our own file");
    let path = path.display().to_string();
    (dir, path)
}

fn secret_text(reference: &str) -> String {
    format!("version = 1\n[venues.mexc]\nkey = \"env:K\"\nsecret = \"{reference}\"\n[venues.gateio]\n")
}

#[test]
fn secrets_come_from_where_they_are_said_to_be() {
    let (dir, path) = with_secret(0o600, &format!("{CANARY}\n"));
    let directory = dir.path().display().to_string();
    let vars = [
        ("K", "k"),
        ("S", CANARY),
        ("CREDENTIALS_DIRECTORY", directory.as_str()),
        ("HOME", directory.as_str()),
    ];
    for reference in ["env:S", &format!("file:{path}"), "credential:mexc.secret", "file:~/mexc.secret"] {
        let config =
            read(&secret_text(reference), &[], &vars).unwrap_or_else(|problems| panic!("{problems}"));
        assert_eq!(config.venues[0].config.secret.reveal(), CANARY, "{reference}");
        assert!(!format!("{config:?}").contains(CANARY));
    }
}

#[test]
fn secrets_that_others_can_reach_are_refused() {
    for mode in [0o640, 0o604, 0o660, 0o601, 0o666, 0o777] {
        let (_dir, path) = with_secret(mode, CANARY);
        let said =
            read(&secret_text(&format!("file:{path}")), &[], &[("K", "k")]).expect_err("open to others");
        let expected = format!(
            "error: arb.toml:4:1: venues.mexc.secret: {path} can be read by others (mode {mode:04o})\n    | secret = ***\n  \
             fix: chmod 600 {path}"
        );
        assert_eq!(said.to_string(), expected);
    }
    let (dir, path) = with_secret(0o600, CANARY);
    let link = dir.path().join("link");
    symlink(&path, &link).expect("our own directory");
    for (reference, expected) in [
        (format!("file:{}", link.display()), "is a symbolic link"),
        (format!("file:{}", dir.path().display()), "is not a file"),
        (format!("file:{path}x"), "No such file or directory"),
        ("env:NOPE".to_owned(), "env:NOPE: the variable is not set"),
        ("env:".to_owned(), "env: needs the name of a variable"),
        ("credential:x".to_owned(), "no CREDENTIALS_DIRECTORY is set"),
        ("credential:../x".to_owned(), "credential: needs the name of a credential"),
        ("env:EMPTY".to_owned(), "env:EMPTY is empty"),
        ("env:TWO".to_owned(), "env:TWO holds more than a secret"),
    ] {
        let vars = [("K", "k"), ("EMPTY", "\n"), ("TWO", "canary-5ecret-9b1d two")];
        let said = read(&secret_text(&reference), &[], &vars).expect_err(&reference).to_string();
        assert!(said.contains(expected) && !said.contains(CANARY), "{said}");
    }
}

#[test]
fn no_secret_is_ever_in_what_is_said() {
    let two = |line: &str| format!("version = 1\n[venues.mexc]\n{line}\n[venues.gateio]\n");
    for text in [
        two(&format!("key = \"{CANARY}\"\nsecret = \"{CANARY}\"")),
        two(&format!("key = \"env:{CANARY} \"\nsecret = \"x:{CANARY}\"")),
        two(&format!("secret = \"{CANARY}\"")),
        two(&format!("secret = \"{CANARY}")),
        two(&format!("secret = \"env:{}\"", CANARY.replace('-', "1234"))),
        two(&format!("secret = {CANARY}")),
        two(&format!("secret = \"\"\"\n{CANARY}\n\"")),
        two(&format!("secret =\n{CANARY}")),
        two(&format!("secret = [\"{CANARY}\"]")),
        two(&format!("secret = {{ file = \"{CANARY}\" }}")),
        two(&format!("api_secret = \"{CANARY}\"")),
        two(&format!("rest = \"https://me:{CANARY}@example.com\"")),
        two(&format!("secret = \"env:K\" {CANARY}")),
        format!("version = 1\nvenues.mexc = {{ key = \"{CANARY}\", secret = 5 }}\n[venues.gateio]\n"),
        format!("version = 1\nvenues = {{ mexc = {{ secret = \"{CANARY}\" }}, gateio = {{}} }}\n"),
    ] {
        let problems = read(&text, &[], &[]).expect_err("a secret stands in the file");
        let shown = format!("{problems} {problems:?}").replace(&format!("{text:?}"), "");
        assert!(!problems.to_string().contains("5ecret"), "{text}\n{problems}");
        assert!(!sonic_rs::to_string(problems.all()).expect("JSON").contains(CANARY), "{text}");
        assert!(!shown.contains(CANARY), "{text}\n{shown}");
    }
    let name = "ARB__VENUES__MEXC__SECRET";
    let said =
        read(GOOD, &[&format!("venues.mexc.key={CANARY}")], &[(name, CANARY)]).expect_err("no references");
    assert!(said.to_string().contains(name) && !said.to_string().contains(CANARY), "{said}");
}

#[test]
fn no_slip_of_a_finger_shows_a_secret() {
    let text =
        format!("version = 1\n[venues.mexc]\nkey = \"{CANARY}\"\nsecret = \"{CANARY}\"\n[venues.gateio]\n");
    let mut broken = 0;
    let mut try_out = |text: &str| {
        if let Err(problems) = read(text, &[], &[]) {
            let said = format!("{problems}\n{}", sonic_rs::to_string(problems.all()).expect("JSON"));
            // Half a secret is a secret.
            assert!(!said.contains("5ecret-9b") && !said.contains("canary-5e"), "{text}\n{said}");
            broken += 1;
        }
    };
    let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    for at in ends {
        for slip in ["\"", "'", "\n", "=", "[", "]", "{", "#", ".", ",", " ", "x", "\"\"\"", "= 1\n", "\u{7}"]
        {
            try_out(&format!("{}{slip}{}", &text[..at], &text[at..]));
        }
        if at < text.len() {
            try_out(&format!("{}{}", &text[..at], &text[at + 1..]));
            try_out(&text[..at]);
            try_out(&text[at..]);
        }
    }
    assert!(broken > 1_500, "{broken}");
    for swapped in [
        format!("version = 1\n[venues.mexc]\n\"{CANARY}\" = \"key\"\n[venues.gateio]\n"),
        format!("version = 1\n[venues.mexc]\n[venues.\"{CANARY}\"]\n"),
        format!("version = 1\n[{CANARY}]\nx = 1\n"),
        format!("version = 1\n[risk]\nmax_leg_usdt = \"{CANARY}\"\nhedge_ms = {{ x = \"{CANARY}\" }}\n"),
    ] {
        let said = read(&swapped, &[], &[]).expect_err("no such key").to_string();
        assert!(!said.contains(CANARY), "{said}");
    }
    let name = format!("ARB__VENUES__MEXC__{}", CANARY.to_uppercase());
    let said = read(GOOD, &[&format!("{CANARY}=1")], &[(&name, "1")]).expect_err("no such key").to_string();
    assert!(!said.to_lowercase().contains(CANARY), "{said}");
}

#[test]
fn the_gate_gets_every_limit_as_it_was_written() {
    let text = format!(
        "{GOOD}[risk]\nmax_leg_usdt = 11\nmax_cycle_usdt = 22\nmax_venue_orders_per_s = 7\nmax_symbol_orders_per_s = 6\n\
         max_book_age_ms = 40\nmax_book_venue_age_ms = 50\nmin_notional_margin_pct = 15\nfailure_window_s = 60\n\
         max_day_loss_usdt = 9\nmax_hour_loss_usdt = 8\nmax_cycle_loss_usdt = 3.5\ncollar_own_bps = 12.5\n"
    );
    let limits = good(&text).risk.limits();
    let [eleven, twenty_two, nine, eight] = [11, 22, 9, 8].map(|whole| Decimal::new(whole, 0));
    assert_eq!((limits.max_leg_notional, limits.max_cycle_notional), (eleven, twenty_two));
    assert_eq!((limits.max_orders_per_second, limits.max_symbol_orders_per_second), (7, 6));
    assert_eq!(limits.max_book_age, Duration::from_millis(40));
    assert_eq!(limits.max_venue_age, Duration::from_millis(50));
    assert_eq!(
        (limits.min_notional_margin, limits.max_collar),
        (Bps::from_bps(1_500), Bps::from_e8(125_000))
    );
    assert_eq!(limits.failure_window, Duration::from_secs(60));
    assert_eq!(
        (limits.max_day_loss, limits.max_hour_loss, limits.max_cycle_loss),
        (nine, eight, Decimal::new(35, 1))
    );
}

#[test]
fn equal_settings_have_an_equal_hash() {
    let hash = |text: &str| good(text).hash;
    let written = format!("# The default, written.\n{GOOD}[risk]\nmax_leg_usdt = 200\n");
    assert_eq!(hash(GOOD), hash(&written));
    assert_ne!(hash(GOOD), hash(&written.replace("200", "199")));
    let options = good(&format!("{GOOD}[storage]\njournal_segment_mib = 8\njournal_group_ms = 2\n"))
        .storage
        .journal_options();
    let sync = cex_journal::SyncPolicy::Grouped(Duration::from_millis(2));
    assert_eq!(options, cex_journal::Options { segment_bytes: 8 << 20, sync });
}

/// What a command prints, and its exit code.
fn command(command: &ConfigCommand, vars: &[(&str, &str)]) -> (String, u8) {
    let mut out = Vec::new();
    let result = run(command, &around(vars), &mut out);
    let text = String::from_utf8(out).expect("text");
    match result {
        Ok(()) => (text, 0),
        Err(failure) => (format!("{text}{failure}"), failure.exit.code()),
    }
}

fn args(config: Option<&Path>, json: bool) -> ConfigArgs {
    ConfigArgs { config: config.map(Path::to_owned), set: vec!["risk.cooldown_s=9".to_owned()], json }
}

#[test]
fn show_prints_what_holds_where_it_comes_from_and_no_secret() {
    let (dir, secret) = with_secret(0o600, CANARY);
    let path = dir.path().join("arb.toml");
    std::fs::write(&path, format!("{}[risk]\nmax_leg_usdt = 150\n", secret_text(&format!("file:{secret}"))))
        .expect("our own file");
    let vars = [("K", CANARY), ("ARB__RISK__HEDGE_MS", "900")];
    let shown = |origin, json| {
        let show = ConfigCommand::Show(ShowArgs { config: args(Some(&path), json), origin });
        let (text, code) = command(&show, &vars);
        assert_eq!(code, 0, "{text}");
        assert!(!text.contains(CANARY), "{text}");
        text
    };
    let text = shown(true, false);
    for (value, origin) in [
        ("max_leg_usdt = 150", format!("{}:7", path.display())),
        ("max_cycle_usdt = 400", "default".to_owned()),
        ("hedge_ms = 900", "ARB__RISK__HEDGE_MS".to_owned()),
        ("cooldown_s = 9", "--set".to_owned()),
        ("key = \"env:K\"", format!("{}:3", path.display())),
    ] {
        assert!(text.contains(&format!("{value:<48} # {origin}\n")), "{value} {origin}\n{text}");
    }
    // What is shown is a file that says the same.
    let again = read(&shown(false, false), &[], &vars).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(
        (again.risk.max_leg_usdt, again.risk.cooldown_s),
        (Decimal::new(150, 0), Duration::from_secs(9))
    );
    assert!(
        shown(true, true)
            .contains("\"key\":\"hedge_ms\",\"value\":\"900\",\"origin\":\"ARB__RISK__HEDGE_MS\"")
    );
}

#[test]
fn a_list_from_outside_the_file_is_shown_as_the_file_would_have_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("arb.toml");
    std::fs::write(&path, "version = 1\n[venues.mexc]\n[venues.gateio]\n").expect("our own file");
    for (given, shown) in [
        ("BTC/USDT, ETH/USDT", "include = [\"BTC/USDT\", \"ETH/USDT\"]\n"),
        ("BTC/USDT", "include = [\"BTC/USDT\"]\n"),
        ("", "include = []\n"),
    ] {
        let home = dir.path().display().to_string();
        let vars = [("HOME", home.as_str()), ("ARB__SYMBOLS__INCLUDE", given)];
        let show = ConfigCommand::Show(ShowArgs { config: args(Some(&path), false), origin: false });
        let (text, code) = command(&show, &vars);
        assert_eq!(code, 0, "{text}");
        assert!(text.contains(shown), "{given:?}: {text}");
        let again = read(&text, &[], &vars[..1]).unwrap_or_else(|problems| panic!("{problems}"));
        assert_eq!(again.symbols.include.join(", "), given);
    }
}

#[test]
fn an_address_that_an_adapter_refuses_is_named_by_its_key() {
    for (venue, key, value, form) in [
        ("mexc", "ws", "http://127.0.0.1:1", "wss://host[:port]/path"),
        ("gateio", "ws", "http://127.0.0.1:1", "wss://host[:port]/path"),
        ("mexc", "rest", "ws://127.0.0.1:1", "https://host[:port]"),
        ("gateio", "rest", "ws://127.0.0.1:1", "https://host[:port]"),
    ] {
        let set = format!("venues.{venue}.{key}={value}");
        let text = "version = 1\n[venues.mexc]\n[venues.gateio]\n";
        let problems = read(text, &[&set], &[("HOME", "/nowhere")]).expect_err(&set).to_string();
        assert!(
            problems.contains(&format!("venues.{venue}.{key}: must be of the form {form}")),
            "{problems}"
        );
        assert!(problems.contains(&format!("fix: {key} = \"{form}\"")), "{problems}");
        assert!(!problems.contains("options"), "{problems}");
    }
}

#[test]
fn check_finds_the_file_and_ends_with_0_or_3() {
    let dir = tempfile::tempdir().expect("a directory");
    let home = dir.path().display().to_string();
    let check = |config: Option<&Path>, vars: &[(&str, &str)], json| {
        command(&ConfigCommand::Check(args(config, json)), vars)
    };
    let (said, code) = check(None, &[("HOME", &home)], false);
    assert_eq!(code, 3);
    let expected = format!(
        "error: there is no configuration: no --config, no ARB_CONFIG, no /nowhere/arb.toml, no {home}/.config/arb/arb.toml\n  fix: arb config example > arb.toml"
    );
    assert_eq!(said, expected);
    let own = dir.path().join(".config/arb/arb.toml");
    std::fs::create_dir_all(own.parent().expect("it has one")).expect("our own directory");
    std::fs::write(&own, GOOD).expect("our own file");
    let good = format!("{}: good; mode observe, venues mexc, gateio\n", own.display());
    assert_eq!(check(None, &[("HOME", &home)], false), (good, 0));
    let (said, code) = check(None, &[("HOME", &home), ("ARB_CONFIG", "/nowhere/x.toml")], false);
    assert!(code == 3 && said.starts_with("error: /nowhere/x.toml: "), "{said}");
    let bad = dir.path().join("bad.toml");
    std::fs::write(&bad, "version = 1\nmode = 3\nseed = 4\n").expect("our own file");
    let (said, code) = check(Some(&bad), &[], true);
    assert!(
        code == 3
            && said.starts_with(&format!(
                "{{\"ok\":false,\"file\":\"{}\",\"problems\":[{{\"key\":\"seed\"",
                bad.display()
            )),
        "{said}"
    );
    let (said, code) = check(Some(&own), &[], true);
    assert_eq!(
        (said, code),
        (format!("{{\"ok\":true,\"file\":\"{}\",\"problems\":[]}}\n", own.display()), 0)
    );
}
