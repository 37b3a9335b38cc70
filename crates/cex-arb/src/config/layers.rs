//! Where values come from, the stronger over the weaker: file, environment, command line.

use super::file::{self, Source};
use super::keys;
use super::problem::{Problems, shown_key};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

/// What begins the name of a variable that overrides a key: `ARB__RISK__MAX_LEG_USDT`.
const PREFIX: &str = "ARB__";

/// A value as it was given, before anybody knows what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Raw {
    /// Text in quotes.
    Text(String),
    /// A number as it was written.
    Number(String),
    /// True or false.
    Flag(bool),
    /// A list of texts.
    List(Vec<String>),
    /// An empty table.
    Table,
    /// From a variable or the command line, where nothing has quotes.
    Plain(String),
    /// Something no key takes.
    Other(&'static str),
}

/// Where a value was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nowhere: the default.
    Default,
    /// In the file, at these bytes.
    File(Range<usize>),
    /// In this variable.
    Env(String),
    /// On the command line.
    Flag,
}

/// A key that was given a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Given {
    pub(super) key: String,
    pub(super) raw: Raw,
    pub(super) origin: Origin,
}

/// What surrounds the program, as an argument: tests bring their own. It holds secrets and does not print.
#[derive(Clone, Default)]
pub struct Surroundings {
    /// Variables of the environment.
    pub vars: BTreeMap<String, String>,
    /// Where the program was started.
    pub directory: PathBuf,
}

impl Surroundings {
    /// Those of this process. Variables that are not text are left out.
    #[must_use]
    pub fn real() -> Self {
        let vars = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Self { vars: vars.collect(), directory: PathBuf::from(".") }
    }

    pub(super) fn var(&self, name: &str) -> Option<&str> {
        self.vars.get(name).map(String::as_str)
    }

    pub(super) fn home(&self) -> Option<PathBuf> {
        self.var("HOME").filter(|home| home.starts_with('/')).map(PathBuf::from)
    }
}

/// Whether a secret is kept in this variable.
fn is_referred_to(given: &[Given], name: &str) -> bool {
    let referred = |raw: &Raw| match raw {
        Raw::Text(text) | Raw::Plain(text) => text.strip_prefix("env:") == Some(name),
        Raw::Number(_) | Raw::Flag(_) | Raw::List(_) | Raw::Table | Raw::Other(_) => false,
    };
    given.iter().any(|given| referred(&given.raw))
}

/// All keys that were given, by key; of several values the strongest. Unknown keys are problems.
pub(super) fn collect(
    file: &Source,
    sets: &[String],
    around: &Surroundings,
    problems: &mut Problems,
) -> BTreeMap<String, Given> {
    let mut all = file::keys(file, problems);
    for (name, value) in &around.vars {
        if let Some(path) = name.strip_prefix(PREFIX) {
            let key = path.to_ascii_lowercase().replace("__", ".");
            all.push(Given { key, raw: Raw::Plain(value.clone()), origin: Origin::Env(name.clone()) });
        }
    }
    for set in sets {
        match set.split_once('=') {
            Some((key, value)) => {
                let raw = Raw::Plain(value.trim().to_owned());
                all.push(Given { key: key.trim().to_owned(), raw, origin: Origin::Flag });
            }
            None => problems.add("", &Origin::Flag, "a setting without `=`", "--set risk.max_leg_usdt=100"),
        }
    }
    for name in around.vars.keys().filter(|name| !is_referred_to(&all, name)) {
        if let Some(fix) = keys::misnamed(name) {
            problems.doubt("", &Origin::Env(name.clone()), "a variable of this name overrides nothing", fix);
        }
    }
    let mut by_key = BTreeMap::new();
    for given in all {
        if keys::SECTIONS.contains(&given.key.as_str()) && given.raw != Raw::Table {
            let what = format!("`{}` is a section, not a key", given.key);
            problems.add(&given.key, &given.origin, what, format!("[{}]", given.key));
            continue;
        }
        match keys::unknown(&given.key) {
            None => drop(by_key.insert(given.key.clone(), given)),
            Some(fix) => {
                let what = format!("unknown key `{}`", shown_key(&given.key));
                match given.origin {
                    // Typed just now, it may have been to say which run is meant.
                    Origin::Flag => problems.add(&given.key, &given.origin, what, fix),
                    // No run goes by it: none would have started.
                    Origin::Default | Origin::File(_) | Origin::Env(_) => {
                        problems.doubt(&given.key, &given.origin, what, fix);
                    }
                }
            }
        }
    }
    by_key
}
