//! `arb config check`, `show`, `example`.

use super::keys::{KEYS, Key, VENUE_KEYS, default_value};
use super::layers::{self, Given, Origin, Raw, Surroundings};
use super::problem::{Problem, Problems};
use super::unit::{self, List, Unit};
use super::{Config, check, file, place};
use crate::cli::{ConfigArgs, ConfigCommand};
use crate::exit::{Exit, Failure, written};
use crate::venues;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};

/// What `check --json` tells; the names are a promise to scripts.
#[derive(Debug, Serialize)]
struct Verdict<'a> {
    ok: bool,
    file: Option<String>,
    problems: &'a [Problem],
}

/// Runs the command.
///
/// # Errors
/// Exit code 3 when the configuration is wrong.
pub fn run(command: &ConfigCommand, around: &Surroundings, out: &mut impl Write) -> Result<(), Failure> {
    let result = match command {
        ConfigCommand::Check(args) => return checked(args, around, out),
        ConfigCommand::Show(args) => show(&args.config, args.origin, around)?,
        ConfigCommand::Example => example(),
    };
    written(write!(out, "{result}"))
}

fn checked(args: &ConfigArgs, around: &Surroundings, out: &mut impl Write) -> Result<(), Failure> {
    let loaded = Config::load(args.config.as_deref(), &args.set, around);
    if args.json {
        let file = place::find(args.config.as_deref(), around).map(|file| file.display().to_string());
        let problems = loaded.as_ref().map_or_else(|problems| problems.all(), |_config| &[]);
        let line = sonic_rs::to_string(&Verdict { ok: loaded.is_ok(), file, problems });
        written(line.map_err(io::Error::other).and_then(|line| writeln!(out, "{line}")))?;
    }
    let config = loaded.map_err(|problems| failure(&problems))?;
    if !args.json {
        let file = config.file.as_ref().map(|file| file.display().to_string()).unwrap_or_default();
        let venues: Vec<&str> = config.venues.iter().map(|venue| venue.exchange.name).collect();
        written(writeln!(out, "{file}: good; mode {}, venues {}", config.mode, venues.join(", ")))?;
    }
    Ok(())
}

/// All values that hold, in the file's own form, so that what is printed can be read again.
fn show(args: &ConfigArgs, origin: bool, around: &Surroundings) -> Result<String, Failure> {
    let source = file::read(args.config.as_deref(), around).map_err(|problems| failure(&problems))?;
    let mut problems = Problems::new(&source);
    let given = layers::collect(&source, &args.set, around, &mut problems);
    // What is wrong is not shown as if it held.
    let config = check::config(&given, &source, around, &mut problems);
    if config.is_none() || !problems.is_empty() {
        return Err(failure(&problems));
    }
    let shown = Shown { name: source.name(), source: &source.text };
    let mut rows = Vec::new();
    for key in KEYS {
        let found = given.get(&key.path());
        let value = found.map_or_else(|| literal(&default_value(key)), |given| literal_of(key, &given.raw));
        let origin = shown.origin(found.map_or(&Origin::Default, |given| &given.origin));
        rows.push(Row { section: key.section.to_owned(), key: key.name.to_owned(), value, origin });
    }
    for given in venues::EXCHANGES.iter().flat_map(|exchange| shown.venue(exchange.name, &given)) {
        rows.push(given);
    }
    if !args.json {
        return Ok(lines(&rows, origin));
    }
    let line = sonic_rs::to_string(&rows);
    line.map(|line| line + "\n").map_err(|error| Failure::new(Exit::Internal, error.to_string(), ""))
}

/// One value that holds; as `show --json` prints it, the names are a promise to scripts.
#[derive(Debug, Serialize)]
struct Row {
    section: String,
    key: String,
    value: String,
    origin: String,
}

/// What rows are made with.
struct Shown<'a> {
    name: String,
    source: &'a str,
}

impl Shown<'_> {
    fn origin(&self, origin: &Origin) -> String {
        match origin {
            Origin::Default => "default".to_owned(),
            Origin::Env(name) => name.clone(),
            Origin::Flag => "--set".to_owned(),
            Origin::File(span) => {
                let before = self.source.get(..span.start).unwrap_or_default();
                format!("{}:{}", self.name, before.bytes().filter(|byte| *byte == b'\n').count() + 1)
            }
        }
    }

    /// What was given of a venue: an empty section is a venue too.
    fn venue(&self, name: &str, given: &BTreeMap<String, Given>) -> Vec<Row> {
        let (section, prefix) = (format!("venues.{name}"), format!("venues.{name}."));
        let mut rows: Vec<Row> = given
            .range(prefix.clone()..)
            .map_while(|(key, given)| Some((key.strip_prefix(&prefix)?, given)))
            .map(|(key, given)| Row {
                section: section.clone(),
                key: key.to_owned(),
                value: literal(&given.raw),
                origin: self.origin(&given.origin),
            })
            .collect();
        if let Some(given) = given.get(&section).filter(|_| rows.is_empty()) {
            let (key, value) = (String::new(), String::new());
            rows.push(Row { section, key, value, origin: self.origin(&given.origin) });
        }
        rows
    }
}

fn lines(rows: &[Row], origin: bool) -> String {
    let (mut text, mut section) = (String::new(), "");
    for row in rows {
        if row.section != section {
            section = &row.section;
            // Writing to a String cannot fail.
            let _ = write!(text, "\n[{section}]\n");
        }
        let line = format!("{} = {}", row.key, row.value);
        let _ = match (row.key.is_empty(), origin) {
            (true, _) => Ok(()),
            (false, false) => writeln!(text, "{line}"),
            (false, true) => writeln!(text, "{line:<48} # {}", row.origin),
        };
    }
    text
}

/// As [`literal`], of a key that may take a list, which has no brackets outside of a file.
fn literal_of(key: &Key, raw: &Raw) -> String {
    match (default_value(key), raw, List::read(&unit::Given(raw), None)) {
        (Raw::List(_), Raw::Plain(_), Ok(items)) => literal(&Raw::List(items)),
        _other => literal(raw),
    }
}

/// A value as the file would give it. Secrets are references here, and the configuration has been checked.
pub(super) fn literal(raw: &Raw) -> String {
    match raw {
        Raw::Text(text) => quoted(text),
        Raw::Number(text) => text.clone(),
        Raw::Flag(flag) => flag.to_string(),
        Raw::List(items) => {
            format!("[{}]", items.iter().map(|item| quoted(item)).collect::<Vec<_>>().join(", "))
        }
        Raw::Table | Raw::Other(_) => "{}".to_owned(),
        Raw::Plain(text) if text.parse::<cex_core::Decimal>().is_ok() => text.clone(),
        Raw::Plain(text) => quoted(text),
    }
}

/// Text in quotes: JSON escapes as TOML does.
fn quoted(text: &str) -> String {
    sonic_rs::to_string(text).unwrap_or_default()
}

/// A full file with every key, its meaning, range and default.
#[must_use]
pub fn example() -> String {
    let mut text = String::from(
        "# Configuration of arb. `arb config check` tells what is wrong with it, `arb config show --origin` what holds.\n\
         # ARB__SECTION__KEY in the environment overrides a key, --set section.key=value overrides both.\n\n",
    );
    let mut section = "";
    for key in KEYS {
        if key.section != section {
            section = key.section;
            if section == "symbols" {
                venues_example(&mut text);
            }
            let _ = write!(text, "\n[{section}]\n");
        }
        let _ = writeln!(text, "# {}{}", key.about, limits(key));
        let _ = writeln!(text, "{} = {}", key.name, key.default);
    }
    text
}

fn limits(key: &Key) -> String {
    key.range.map_or_else(String::new, |(low, high)| format!(" ({low} to {high})"))
}

fn venues_example(text: &mut String) {
    for exchange in &venues::EXCHANGES {
        let name = exchange.name;
        let _ = writeln!(text, "\n[venues.{name}]");
        for (key, about) in VENUE_KEYS {
            let value = match *key {
                "key" | "secret" => format!("\"env:{}_API_{}\"", name.to_uppercase(), key.to_uppercase()),
                "fee_taker_bps" => "\"auto\"".to_owned(),
                "withdrawals_readable" => "false".to_owned(),
                "rest" => "\"https://…\"".to_owned(),
                _ => "\"wss://…\"".to_owned(),
            };
            let comment = if *key == "fee_taker_bps" { "" } else { "# " };
            let _ = writeln!(text, "# {about}\n{comment}{key} = {value}");
        }
    }
}

/// All problems as the reason a command failed.
pub(crate) fn failure(problems: &Problems) -> Failure {
    let text = problems.to_string();
    // The first word is the failure's own.
    let what = text.strip_prefix("error: ").unwrap_or(&text);
    Failure::new(Exit::BadConfig, what, "")
}
