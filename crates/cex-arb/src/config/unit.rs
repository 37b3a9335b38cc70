//! What a value can be. A unit reads a value as it was given, knows its range, and makes the type the program uses.

use super::layers::Raw;
use cex_core::{Bps, Decimal};
use std::fmt;
use std::time::Duration;

/// What may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Real data, no orders.
    Observe,
    /// Real data, simulated fills.
    Paper,
    /// Real orders. Every limit must be written.
    Live,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Observe => "observe",
            Self::Paper => "paper",
            Self::Live => "live",
        })
    }
}

/// When records of the journal are put on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncChoice {
    /// In groups.
    Grouped,
    /// Each before anything is sent.
    Strict,
}

/// How a key's values are read.
pub trait Unit {
    /// What the program gets.
    type Value;

    /// Reads a value; the error says what is wrong with it. `range` is for numbers.
    ///
    /// # Errors
    /// What is wrong, and how it should be.
    fn read(raw: &Given<'_>, range: Option<(&str, &str)>) -> Result<Self::Value, String>;
}

/// A value as a unit sees it.
#[derive(Debug, Clone, Copy)]
pub struct Given<'a>(pub(super) &'a Raw);

/// A number within its range.
fn number(raw: &Raw, range: Option<(&str, &str)>) -> Result<Decimal, String> {
    let text = match raw {
        Raw::Number(text) | Raw::Plain(text) => text,
        Raw::Text(text) if text.parse::<Decimal>().is_ok() => {
            return Err(format!("is text; write the number without quotes: {text}"));
        }
        Raw::Text(_) | Raw::Flag(_) | Raw::List(_) | Raw::Table | Raw::Other(_) => {
            return Err("must be a number".to_owned());
        }
    };
    let plain = text.replace('_', "");
    let value: Decimal =
        plain.parse().map_err(|_| format!("{text:?} is not a plain decimal number such as 12.5"))?;
    let bounds =
        range.and_then(|(low, high)| Some((low.parse::<Decimal>().ok()?, high.parse::<Decimal>().ok()?)));
    match (bounds, range) {
        (Some((low, high)), Some((least, most))) if value < low || value > high => {
            Err(format!("{text} is out of range: {least} to {most}"))
        }
        _ => Ok(value),
    }
}

/// A number as a count of 10^-`dp`.
fn scaled(raw: &Raw, range: Option<(&str, &str)>, dp: u8) -> Result<i64, String> {
    let value = number(raw, range)?;
    value.to_scaled(dp, None).map_err(|_| match dp {
        0 => format!("{value} must be a whole number"),
        _ => format!("{value} has more than {dp} decimals"),
    })
}

/// Least parts in their units that anybody means; below, and not nothing, another unit was meant.
const LEAST_PERCENT: Decimal = Decimal::new(5, 1);
const LEAST_BASIS_POINTS: Decimal = Decimal::new(5, 1);
/// No exchange takes so little, whoever trades there.
const LEAST_FEE: Decimal = Decimal::ONE;

/// A part that is next to nothing in its unit: a fraction or per cent was written where per cent or basis points belong.
fn slipped(value: Decimal, least: Decimal, unit: &str) -> Result<(), String> {
    let size = value.abs().unwrap_or(value);
    if value.is_zero() || size >= least {
        return Ok(());
    }
    let times = |factor: i128| value.checked_mul(Decimal::new(factor, 0)).unwrap_or(value);
    let enough = |meant: &Decimal| meant.abs().is_ok_and(|size| size >= least);
    let meant = [100, 10_000].map(times).into_iter().find(enough);
    let meant = meant.map_or_else(String::new, |meant| format!("; did you mean {meant}?"));
    Err(format!("{value} {unit} is next to nothing, as if another unit had been meant{meant}"))
}

fn text(raw: &Raw) -> Result<&str, String> {
    match raw {
        Raw::Text(text) | Raw::Plain(text) => Ok(text),
        Raw::Number(_) | Raw::Flag(_) | Raw::List(_) | Raw::Table | Raw::Other(_) => {
            Err("must be text in quotes".to_owned())
        }
    }
}

macro_rules! numbers {
    ($($(#[$doc:meta])* $unit:ident -> $value:ty = $dp:literal, $make:expr $(, at least $least:ident $what:literal)?;)*) => {
        $($(#[$doc])*
        #[derive(Debug)]
        pub enum $unit {}

        impl Unit for $unit {
            type Value = $value;

            fn read(raw: &Given<'_>, range: Option<(&str, &str)>) -> Result<$value, String> {
                let make: fn(u64) -> $value = $make;
                let count = scaled(raw.0, range, $dp)?;
                $(slipped(number(raw.0, range)?, $least, $what)?;)?
                u64::try_from(count).map(make).map_err(|_| "must not be negative".to_owned())
            }
        })*
    };
}

numbers! {
    /// Milliseconds.
    Ms -> Duration = 0, Duration::from_millis;
    /// Seconds.
    Seconds -> Duration = 0, Duration::from_secs;
    /// Hours.
    Hours -> Duration = 0, |hours| Duration::from_secs(hours.saturating_mul(3_600));
    /// A count of things.
    Count -> u32 = 0, |count| u32::try_from(count).unwrap_or(u32::MAX);
    /// Mebibytes, as bytes.
    Mib -> u64 = 0, |mib| mib.saturating_mul(1 << 20);
    /// Basis points.
    BasisPoints -> Bps = 4, |units| Bps::from_e8(i64::try_from(units).unwrap_or(i64::MAX)), at least LEAST_BASIS_POINTS "basis points";
    /// Per cent, as a rate.
    Percent -> Bps = 6, |units| Bps::from_e8(i64::try_from(units).unwrap_or(i64::MAX)), at least LEAST_PERCENT "per cent";
}

/// A fee in basis points, which may be negative: a rebate.
#[derive(Debug)]
pub enum Signed {}

impl Unit for Signed {
    type Value = Bps;

    fn read(raw: &Given<'_>, range: Option<(&str, &str)>) -> Result<Bps, String> {
        let count = scaled(raw.0, range, 4)?;
        slipped(number(raw.0, range)?, LEAST_FEE, "basis points")?;
        Ok(Bps::from_e8(count))
    }
}

/// An amount of USDT, exact.
#[derive(Debug)]
pub enum Usdt {}

impl Unit for Usdt {
    type Value = Decimal;

    fn read(raw: &Given<'_>, range: Option<(&str, &str)>) -> Result<Decimal, String> {
        number(raw.0, range)
    }
}

/// Text.
#[derive(Debug)]
pub enum Words {}

impl Unit for Words {
    type Value = String;

    fn read(raw: &Given<'_>, _: Option<(&str, &str)>) -> Result<String, String> {
        text(raw.0).map(str::to_owned)
    }
}

/// A list of texts; outside the file, separated by commas.
#[derive(Debug)]
pub enum List {}

impl Unit for List {
    type Value = Vec<String>;

    fn read(raw: &Given<'_>, _: Option<(&str, &str)>) -> Result<Vec<String>, String> {
        match raw.0 {
            Raw::List(items) => Ok(items.clone()),
            Raw::Plain(text) => Ok(text
                .split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty())
                .map(str::to_owned)
                .collect()),
            Raw::Text(_) | Raw::Number(_) | Raw::Flag(_) | Raw::Table | Raw::Other(_) => {
                Err("must be a list of texts: [\"BTC/USDT\"]".to_owned())
            }
        }
    }
}

impl Unit for Mode {
    type Value = Self;

    fn read(raw: &Given<'_>, _: Option<(&str, &str)>) -> Result<Self, String> {
        match text(raw.0)? {
            "observe" => Ok(Self::Observe),
            "paper" => Ok(Self::Paper),
            "live" => Ok(Self::Live),
            "demo" => Err("\"demo\" needs no configuration: run `arb demo`".to_owned()),
            "shadow" => Err("\"shadow\" is not built yet; use observe or paper".to_owned()),
            other => Err(format!("{other:?} is not one of observe, paper, live")),
        }
    }
}

impl Unit for SyncChoice {
    type Value = Self;

    fn read(raw: &Given<'_>, _: Option<(&str, &str)>) -> Result<Self, String> {
        match text(raw.0)? {
            "grouped" => Ok(Self::Grouped),
            "strict" => Ok(Self::Strict),
            other => Err(format!("{other:?} is not one of grouped, strict")),
        }
    }
}
