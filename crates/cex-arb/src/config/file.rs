//! The file as it stands: TOML into a flat list of keys and values with their places.

use super::layers::{Given, Origin, Raw, Surroundings};
use super::place;
use super::problem::Problems;
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};

/// A file that was read.
#[derive(Debug, Clone, Default)]
pub(super) struct Source {
    pub(super) path: Option<PathBuf>,
    pub(super) text: String,
}

impl Source {
    /// How messages call it.
    pub(super) fn name(&self) -> String {
        self.path.as_ref().map_or_else(|| "arb.toml".to_owned(), |path| path.display().to_string())
    }
}

/// Finds and reads the file.
pub(super) fn read(named: Option<&Path>, around: &Surroundings) -> Result<Source, Box<Problems>> {
    let Some(path) = place::find(named, around) else {
        let looked: Vec<String> =
            place::candidates(around).iter().map(|path| path.display().to_string()).collect();
        let what =
            format!("there is no configuration: no --config, no ARB_CONFIG, no {}", looked.join(", no "));
        return Err(Problems::single(what, "arb config example > arb.toml".to_owned()));
    };
    let text = std::fs::read_to_string(&path).map_err(|error| {
        let what = format!("{}: {error}", path.display());
        let fix = if error.kind() == std::io::ErrorKind::NotFound {
            "name a file that is there, or make one: arb config example > arb.toml"
        } else {
            "name a file that can be read, and holds plain UTF-8 text"
        };
        Problems::single(what, fix.to_owned())
    })?;
    Ok(Source { path: Some(path), text })
}

/// All keys of a file that have a value, in the order of the file.
pub(super) fn keys(file: &Source, problems: &mut Problems) -> Vec<Given> {
    let mut given = Vec::new();
    match DeTable::parse(&file.text) {
        Ok(table) => flatten(table.get_ref(), "", &mut given),
        Err(error) => {
            let origin = Origin::File(error.span().unwrap_or(0..0));
            problems.add("", &origin, format!("this is not TOML: {}", error.message()), "");
        }
    }
    given.sort_by_key(|given| match &given.origin {
        Origin::File(span) => span.start,
        Origin::Env(_) | Origin::Flag | Origin::Default => 0,
    });
    given
}

fn flatten(table: &DeTable<'_>, prefix: &str, out: &mut Vec<Given>) {
    for (key, value) in table {
        let name: &str = key.get_ref();
        let path = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") };
        let raw = match value.get_ref() {
            DeValue::Table(table) if !table.is_empty() => {
                flatten(table, &path, out);
                continue;
            }
            DeValue::Table(_) => Raw::Table,
            DeValue::String(text) => Raw::Text(text.clone().into_owned()),
            DeValue::Integer(number) if number.radix() == 10 => Raw::Number(number.as_str().to_owned()),
            DeValue::Float(number) => Raw::Number(number.as_str().to_owned()),
            DeValue::Boolean(flag) => Raw::Flag(*flag),
            DeValue::Array(items) => match items.iter().map(|item| item.get_ref().as_str()).collect() {
                Some(texts) => Raw::List(Vec::into_iter(texts).map(str::to_owned).collect()),
                None => Raw::Other("a list of other things than texts"),
            },
            DeValue::Integer(_) => Raw::Other("a number that is not decimal"),
            DeValue::Datetime(_) => Raw::Other("a date"),
        };
        // The place of a problem is the key: a value can be long, or a secret.
        out.push(Given { key: path, raw, origin: Origin::File(key.span()) });
    }
}
