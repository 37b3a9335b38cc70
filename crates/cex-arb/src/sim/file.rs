//! `sim.toml`: everything the command line can say, and accounts and faults besides.

use super::mistake::{Mistake, nearest};
use crate::cli::{RateLimits, SimProfile, certificate, speed_percent};
use crate::exit::{Exit, Failure};
use cex_core::{Asset, Decimal};
use cex_sim::fault::{Fault, FaultSpec};
use cex_sim::market::{MOST_SYMBOLS, Mood};
use cex_sim::server::{Certificate, Rights, SimAccount, SimExchange};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::time::Duration;
use toml::Spanned;

/// A file that was read and makes sense.
#[derive(Debug, Default)]
pub(super) struct SimFile {
    pub(super) mexc_port: Option<u16>,
    pub(super) gateio_port: Option<u16>,
    pub(super) control_port: Option<u16>,
    pub(super) seed: Option<u64>,
    pub(super) symbols: Option<usize>,
    pub(super) speed_percent: Option<u32>,
    pub(super) rate_limits: Option<RateLimits>,
    pub(super) profile: Option<SimProfile>,
    pub(super) divergences_per_minute: Option<u32>,
    pub(super) mood: Mood,
    pub(super) divergence_bps: Option<(u32, u32)>,
    pub(super) quiet: bool,
    pub(super) mexc_market_orders: Option<bool>,
    pub(super) mexc_names_in_trades: Option<bool>,
    pub(super) accounts: Option<Vec<SimAccount>>,
    pub(super) tls: Option<Certificate>,
    pub(super) playback: Option<PathBuf>,
    pub(super) faults: Vec<(Duration, SimExchange, Fault)>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    mexc_port: Option<u16>,
    gateio_port: Option<u16>,
    control_port: Option<u16>,
    seed: Option<u64>,
    symbols: Option<Spanned<usize>>,
    speed: Option<Spanned<f64>>,
    rate_limits: Option<RateLimits>,
    profile: Option<SimProfile>,
    divergences_per_minute: Option<u32>,
    divergence_bps: Option<Spanned<(u32, u32)>>,
    volatility: Option<Spanned<f64>>,
    trend_bps_per_minute: Option<Spanned<i32>>,
    depth: Option<Spanned<f64>>,
    levels: Option<Spanned<usize>>,
    #[serde(default)]
    quiet: bool,
    mexc_market_orders: Option<bool>,
    mexc_names_in_trades: Option<bool>,
    tls: Option<Spanned<String>>,
    playback: Option<PathBuf>,
    accounts: Option<Vec<RawAccount>>,
    #[serde(default)]
    faults: Vec<Spanned<FaultSpec>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAccount {
    name: Spanned<String>,
    key: Option<String>,
    secret: Option<String>,
    rights: Option<Spanned<String>>,
    stp_group: Option<u32>,
    /// Amounts as texts, by asset.
    balances: Option<BTreeMap<String, Spanned<String>>>,
}

/// Reads a file.
pub(super) fn read(path: &Path) -> Result<SimFile, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let what = format!("{}: {error}", path.display());
        Failure::new(Exit::BadConfig, what, "name a file that can be read, or leave --config out")
    })?;
    parse(&text).map_err(|mistake| mistake.failure(path, &text))
}

fn parse(text: &str) -> Result<SimFile, Mistake> {
    let raw: Raw = toml::from_str(text).map_err(|error| Mistake::of_parser(&error))?;
    let speed = raw.speed.as_ref().map(|speed| {
        let fix = "1 is real time, 2 twice as fast";
        speed_percent(&speed.get_ref().to_string()).map_err(|what| Mistake::at(speed.span(), what, fix))
    });
    let tls = raw.tls.as_ref().map(|name| {
        let what = format!("there is no certificate {:?}", name.get_ref());
        certificate(name.get_ref()).map_err(|fix| Mistake::at(name.span(), what, fix))
    });
    let faults = raw.faults.iter().map(|spec| {
        let wrong = |error| Mistake::at(spec.span(), format!("this fault: {error}"), FAULTS);
        let (exchange, fault) = spec.get_ref().fault().map_err(wrong)?;
        Ok((Duration::from_millis(spec.get_ref().start_ms), exchange, fault))
    });
    Ok(SimFile {
        mexc_port: raw.mexc_port,
        gateio_port: raw.gateio_port,
        control_port: raw.control_port,
        seed: raw.seed,
        symbols: raw.symbols.as_ref().map(symbols).transpose()?,
        speed_percent: speed.transpose()?,
        rate_limits: raw.rate_limits,
        profile: raw.profile,
        divergences_per_minute: raw.divergences_per_minute,
        mood: mood(&raw)?,
        divergence_bps: raw.divergence_bps.as_ref().map(departure).transpose()?,
        quiet: raw.quiet,
        mexc_market_orders: raw.mexc_market_orders,
        mexc_names_in_trades: raw.mexc_names_in_trades,
        accounts: raw.accounts.as_deref().map(accounts).transpose()?,
        tls: tls.transpose()?,
        playback: raw.playback,
        faults: faults.collect::<Result<_, Mistake>>()?,
    })
}

/// Where all of them stand.
const FAULTS: &str = "docs/simulator.md lists every fault and its keys";

fn symbols(count: &Spanned<usize>) -> Result<usize, Mistake> {
    let (at, count) = (count.span(), *count.get_ref());
    if (1..=MOST_SYMBOLS).contains(&count) {
        return Ok(count);
    }
    Err(Mistake::at(at, format!("{count} symbols are out of range"), format!("use 1 to {MOST_SYMBOLS}")))
}

/// A number that must lie between these.
fn within<T: PartialOrd + Copy + Display>(value: &Spanned<T>, least: T, most: T) -> Result<T, Mistake> {
    let (at, value) = (value.span(), *value.get_ref());
    if (least..=most).contains(&value) {
        return Ok(value);
    }
    Err(Mistake::at(at, format!("{value} is out of range"), format!("use {least} to {most}")))
}

fn mood(raw: &Raw) -> Result<Mood, Mistake> {
    let usual = Mood::default();
    // A factor with two decimals is a percentage.
    let percent = |factor: &Spanned<f64>, least| {
        within(factor, least, 100.0).map(|factor| (factor * 100.0).round() as u32)
    };
    Ok(Mood {
        volatility_percent: raw
            .volatility
            .as_ref()
            .map_or(Ok(usual.volatility_percent), |factor| percent(factor, 0.0))?,
        trend_bps_per_minute: raw
            .trend_bps_per_minute
            .as_ref()
            .map_or(Ok(usual.trend_bps_per_minute), |trend| within(trend, -1_000, 1_000))?,
        depth_percent: raw.depth.as_ref().map_or(Ok(usual.depth_percent), |factor| percent(factor, 0.01))?,
        levels: raw.levels.as_ref().map_or(Ok(usual.levels), |levels| within(levels, 1, 500))?,
    })
}

/// Least and most of a divergence.
fn departure(bps: &Spanned<(u32, u32)>) -> Result<(u32, u32), Mistake> {
    let (at, (least, most)) = (bps.span(), *bps.get_ref());
    if least <= most && most <= 1_000 {
        return Ok((least, most));
    }
    let what = format!("a divergence of {least} to {most} bps makes no sense");
    Err(Mistake::at(at, what, "write the least first, and at most 1000"))
}

/// Names and keys are how accounts are told apart.
fn accounts(raw: &[RawAccount]) -> Result<Vec<SimAccount>, Mistake> {
    let mut known: Vec<SimAccount> = Vec::new();
    for raw in raw {
        let account = account(raw)?;
        let twin = known.iter().find(|other| other.name == account.name || other.key == account.key);
        if let Some(twin) = twin {
            let what =
                format!("account {:?} has the name or the key of account {:?}", account.name, twin.name);
            return Err(Mistake::at(raw.name.span(), what, "give each account a name and a key of its own"));
        }
        known.push(account);
    }
    Ok(known)
}

fn account(raw: &RawAccount) -> Result<SimAccount, Mistake> {
    let usual = SimAccount::new(raw.name.get_ref());
    let amount = |(asset, amount): (&String, &Spanned<String>)| {
        let bad = || {
            let what = format!("{asset} = {:?} is no asset and amount", amount.get_ref());
            Mistake::at(amount.span(), what, "write plain amounts such as USDT = \"100.5\"")
        };
        let value: Decimal = amount.get_ref().parse().map_err(|_| bad())?;
        if value.is_negative() {
            return Err(bad());
        }
        Ok((Asset::new(asset).map_err(|_| bad())?, value))
    };
    let deposits =
        raw.balances.as_ref().map(|balances| balances.iter().map(amount).collect::<Result<_, _>>());
    Ok(SimAccount {
        deposits: deposits.transpose()?,
        key: raw.key.clone().unwrap_or(usual.key.clone()),
        secret: raw.secret.clone().unwrap_or(usual.secret.clone()),
        rights: raw.rights.as_ref().map_or(Ok(Rights::Trade), rights)?,
        stp_group: raw.stp_group,
        ..usual
    })
}

fn rights(name: &Spanned<String>) -> Result<Rights, Mistake> {
    let found = Rights::ALL.into_iter().find(|rights| rights.name() == name.get_ref());
    found.ok_or_else(|| {
        let known = Rights::ALL.map(Rights::name);
        let what = format!("there are no rights {:?}", name.get_ref());
        Mistake::at(name.span(), what, nearest(name.get_ref(), &known))
    })
}

/// Amounts that are known to be good.
pub(super) fn exactly(balances: &[(&str, &str)]) -> Vec<(Asset, Decimal)> {
    let known = |(asset, amount): &(&str, &str)| Some((Asset::new(asset).ok()?, amount.parse().ok()?));
    balances.iter().filter_map(known).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_all_that_can_be_said() {
        let text = r#"
            mexc_port = 0
            seed = 7
            speed = 2.5
            rate_limits = "real"
            profile = "hostile"
            quiet = true
            volatility = 2.5
            trend_bps_per_minute = -30
            depth = 0.05
            levels = 10
            divergence_bps = [5, 20]

            [[accounts]]
            name = "me"
            rights = "read-only"
            balances = { USDT = "100.5", BTC = "1" }

            [[faults]]
            exchange = "mexc"
            kind = "venue"
            effect = "halt"
            symbol = "BTC/USDT"
            start_ms = 1500
        "#;
        let file = parse(text).expect("a good file");
        assert_eq!((file.mexc_port, file.seed, file.speed_percent), (Some(0), Some(7), Some(250)));
        assert_eq!((file.rate_limits, file.profile), (Some(RateLimits::Real), Some(SimProfile::Hostile)));
        let mood = Mood { volatility_percent: 250, trend_bps_per_minute: -30, depth_percent: 5, levels: 10 };
        assert_eq!((file.mood, file.divergence_bps), (mood, Some((5, 20))));
        let account = &file.accounts.expect("accounts")[0];
        assert_eq!((account.key.as_str(), account.rights), ("me-key", Rights::ReadOnly));
        assert_eq!(account.deposits.as_ref().map(Vec::len), Some(2));
        assert_eq!(file.faults[0].0, Duration::from_millis(1_500));
    }

    #[test]
    fn mistakes_are_told_with_their_place_their_line_and_a_way_out() {
        for (text, told) in [
            (
                "seed = 1\nsede = 2\n",
                "sim.toml:2:1: unknown key `sede`\n    | sede = 2\n  fix: did you mean `seed`?",
            ),
            (
                "profile = \"strct\"",
                "sim.toml:1:11: unknown variant `strct`\n    | profile = \"strct\"\n  fix: did you mean `strict`?",
            ),
            ("zzzzzzzzz = 1", "fix: use one of mexc_port, gateio_port"),
            ("seed = \"x\"", "sim.toml:1:8: invalid type: string \"x\", expected u64"),
            ("seed = 1\nseed = 2", "sim.toml:2:1: duplicate key"),
            ("seed 1", "sim.toml:1:"),
            (
                "symbols = 5000",
                "sim.toml:1:11: 5000 symbols are out of range\n    | symbols = 5000\n  fix: use 1 to 1000",
            ),
            ("speed = 0.0", "sim.toml:1:9: "),
            (
                "volatility = -1.0",
                "sim.toml:1:14: -1 is out of range\n    | volatility = -1.0\n  fix: use 0 to 100",
            ),
            ("levels = 0", "fix: use 1 to 500"),
            ("divergence_bps = [80, 15]", "sim.toml:1:18: a divergence of 80 to 15 bps"),
            ("tls = \"best\"", "fix: use one of good, expired"),
            (
                "[[accounts]]\nname = \"a\"\nrights = \"read_only\"",
                "sim.toml:3:10: there are no rights \"read_only\"\n    | rights = \"read_only\"\n  fix: did you mean `read-only`?",
            ),
            (
                "[[accounts]]\nname = \"a\"\n[[accounts]]\nname = \"a\"",
                "sim.toml:4:8: account \"a\" has the name",
            ),
            (
                "[[accounts]]\nname = \"a\"\nbalances = { USDT = \"1e5\" }",
                "sim.toml:3:21: USDT = \"1e5\" is no asset",
            ),
            (
                "seed = 1\n[[faults]]\nexchange = \"mexc\"\nkind = \"rest\"\neffect = \"close\"",
                "sim.toml:2:1: this fault: rest.close needs `moment`",
            ),
            (
                "[[faults]]\nexchange = \"mexc\"\nefect = \"close\"",
                "sim.toml:3:1: unknown key `efect`\n    | efect = \"close\"\n  fix: did you mean `effect`?",
            ),
        ] {
            let mistake = parse(text).expect_err(text);
            let problem = mistake.failure(Path::new("sim.toml"), text).to_string();
            assert!(problem.contains(told), "{text}: {problem}");
        }
    }
}
