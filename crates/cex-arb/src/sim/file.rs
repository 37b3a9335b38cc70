//! `sim.toml`: everything the command line can say, and accounts and faults besides.

use crate::cli::{RateLimits, SimProfile, certificate, speed_percent};
use crate::exit::{Exit, Failure};
use cex_core::{Asset, Decimal};
use cex_sim::fault::{Fault, FaultSpec};
use cex_sim::server::{Certificate, Rights, SimAccount, SimExchange};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

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
    pub(super) quiet: bool,
    pub(super) mexc_market_orders: Option<bool>,
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
    symbols: Option<usize>,
    speed: Option<f64>,
    rate_limits: Option<RateLimits>,
    profile: Option<SimProfile>,
    divergences_per_minute: Option<u32>,
    #[serde(default)]
    quiet: bool,
    mexc_market_orders: Option<bool>,
    tls: Option<String>,
    playback: Option<PathBuf>,
    accounts: Option<Vec<RawAccount>>,
    #[serde(default)]
    faults: Vec<FaultSpec>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAccount {
    name: String,
    key: Option<String>,
    secret: Option<String>,
    rights: Option<String>,
    stp_group: Option<u32>,
    /// Amounts as texts, by asset.
    balances: Option<BTreeMap<String, String>>,
}

/// Reads a file.
pub(super) fn read(path: &Path) -> Result<SimFile, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let what = format!("{}: {error}", path.display());
        Failure::new(Exit::BadConfig, what, "name a file that can be read, or leave --config out")
    })?;
    parse(&text).map_err(|problem| {
        let fix = "docs/simulator.md lists every key";
        Failure::new(Exit::BadConfig, format!("{}: {problem}", path.display()), fix)
    })
}

/// What is wrong with a file is told with line and column where they are known.
fn parse(text: &str) -> Result<SimFile, String> {
    let raw: Raw = toml::from_str(text).map_err(|error| placed(text, &error))?;
    let accounts =
        raw.accounts.as_ref().map(|accounts| accounts.iter().map(account).collect::<Result<_, _>>());
    let speed = raw.speed.map(|speed| speed_percent(&speed.to_string())).transpose();
    let faults = raw.faults.iter().enumerate().map(|(index, spec)| {
        let (exchange, fault) = spec.fault().map_err(|error| format!("faults[{index}]: {error}"))?;
        Ok((Duration::from_millis(spec.start_ms), exchange, fault))
    });
    Ok(SimFile {
        mexc_port: raw.mexc_port,
        gateio_port: raw.gateio_port,
        control_port: raw.control_port,
        seed: raw.seed,
        symbols: raw.symbols,
        speed_percent: speed.map_err(|problem| format!("speed: {problem}"))?,
        rate_limits: raw.rate_limits,
        profile: raw.profile,
        divergences_per_minute: raw.divergences_per_minute,
        quiet: raw.quiet,
        mexc_market_orders: raw.mexc_market_orders,
        accounts: accounts.transpose()?,
        tls: raw.tls.as_deref().map(certificate).transpose().map_err(|problem| format!("tls: {problem}"))?,
        playback: raw.playback,
        faults: faults.collect::<Result<_, String>>()?,
    })
}

fn placed(text: &str, error: &toml::de::Error) -> String {
    let Some(span) = error.span() else { return error.message().to_owned() };
    let before = text.get(..span.start).unwrap_or_default();
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("line {line}, column {column}: {}", error.message())
}

fn account(raw: &RawAccount) -> Result<SimAccount, String> {
    let usual = SimAccount::new(&raw.name);
    let rights = match &raw.rights {
        None => Rights::Trade,
        Some(name) => Rights::ALL.into_iter().find(|rights| rights.name() == name).ok_or_else(|| {
            let known: Vec<&str> = Rights::ALL.iter().map(|rights| rights.name()).collect();
            format!("account {}: rights {name:?} do not exist; use {}", raw.name, known.join(", "))
        })?,
    };
    let amount = |(asset, amount): (&String, &String)| {
        let bad = || {
            format!(
                "account {}: {asset} = {amount:?} is no asset and amount such as USDT = \"100.5\"",
                raw.name
            )
        };
        let value: Decimal = amount.parse().map_err(|_| bad())?;
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
        rights,
        stp_group: raw.stp_group,
        ..usual
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
        let account = &file.accounts.expect("accounts")[0];
        assert_eq!((account.key.as_str(), account.rights), ("me-key", Rights::ReadOnly));
        assert_eq!(account.deposits.as_ref().map(Vec::len), Some(2));
        assert_eq!(file.faults[0].0, Duration::from_millis(1_500));
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        for (text, told) in [
            ("seed = 1\nsede = 2\n", "line 2, column 1: unknown field `sede`"),
            ("seed = \"x\"", "line 1, column 8: invalid type"),
            ("speed = 0.0", "speed: "),
            ("tls = \"best\"", "tls: use one of good, expired"),
            ("[[accounts]]\nname = \"a\"\nrights = \"all\"", "use trade, read-only"),
            ("[[accounts]]\nname = \"a\"\nbalances = { USDT = \"1e5\" }", "USDT = \"1e5\""),
            (
                "[[faults]]\nexchange = \"mexc\"\nkind = \"rest\"\neffect = \"close\"",
                "faults[0]: rest.close needs `moment`",
            ),
        ] {
            let problem = parse(text).expect_err(text);
            assert!(problem.contains(told), "{text}: {problem}");
        }
    }
}
