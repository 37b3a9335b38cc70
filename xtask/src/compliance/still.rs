//! What can be checked of an adapter without running it: who it uses, its files, its facts, its table of errors.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::Adapter;
use crate::error::TaskError;
use crate::{layers, tidy};

/// The files every adapter has, so that who has read one has read all.
const FILES: [&str; 12] = [
    "README.md",
    "src/lib.rs",
    "src/config.rs",
    "src/symbol.rs",
    "src/sign.rs",
    "src/error.rs",
    "src/rest.rs",
    "src/market.rs",
    "src/account.rs",
    "src/wire.rs",
    "src/limits.rs",
    "tests/compliance.rs",
];

/// Everything that is wrong.
///
/// # Errors
/// When a file cannot be read.
pub(super) fn problems(root: &Path, adapters: &[Adapter]) -> Result<Vec<String>, TaskError> {
    let mut found = Vec::new();
    // Layers hold who may use whom and which crates must not be reached; tidy holds that every fact is cited.
    for result in [layers::run(root), tidy::run(root)] {
        match result {
            Ok(()) => {}
            Err(TaskError::Problems { task, problems }) => {
                found.extend(problems.into_iter().map(|problem| format!("{task}: {problem}")));
            }
            Err(other) => return Err(other),
        }
    }
    for adapter in adapters {
        found.extend(missing_files(root, adapter));
        found.extend(unmapped_codes(root, adapter)?);
    }
    Ok(found)
}

fn missing_files(root: &Path, adapter: &Adapter) -> Vec<String> {
    let own = FILES.iter().map(|file| (adapter.dir.join(file), format!("{}/{file}", adapter.package)));
    let page = format!("docs/exchanges/{}.md", adapter.name);
    own.chain([(root.join(&page), page)])
        .filter(|(path, _)| !path.is_file())
        .map(|(_, name)| format!("{}: {name} is missing", adapter.name))
        .collect()
}

/// Codes and labels the simulated exchange refuses with, which stand nowhere in the adapter's table.
fn unmapped_codes(root: &Path, adapter: &Adapter) -> Result<Vec<String>, TaskError> {
    let dialect = root.join("crates/cex-sim/src/dialect").join(&adapter.name).join("refusal.rs");
    if !dialect.is_file() {
        return Ok(vec![format!("{}: no dialect in crates/cex-sim/src/dialect/{0}", adapter.name)]);
    }
    let read = |path: &Path| fs::read_to_string(path).map_err(|source| TaskError::io(path, source));
    let table = read(&adapter.dir.join("src/error.rs"))?;
    let known = codes(&table);
    let refusals = read(&dialect)?;
    let unknown = answered(&refusals).into_iter().filter(|code| !known.contains(code));
    Ok(unknown
        .map(|code| {
            format!(
                "{}: the exchange answers {code}, which {}/src/error.rs does not map",
                adapter.name, adapter.package
            )
        })
        .collect())
}

/// Codes in calls of a refusal's constructor: the first number that is no HTTP status alone, or the label.
fn answered(source: &str) -> BTreeSet<String> {
    let calls = source.match_indices("::new(").map(|(at, call)| &source[at + call.len()..]);
    calls
        .filter_map(|arguments| {
            let arguments = arguments.trim_start();
            let first: String =
                arguments.chars().take_while(|c| c.is_ascii_digit() || matches!(c, '-' | '_')).collect();
            let label = arguments
                .split(')')
                .next()
                .and_then(|call| call.split('"').nth(1))
                .filter(|text| is_label(text));
            label.map(str::to_owned).or_else(|| (!first.is_empty()).then(|| first.replace('_', "")))
        })
        .collect()
}

/// Every label and number of a table.
fn codes(table: &str) -> BTreeSet<String> {
    let labels = table.split('"').filter(|text| is_label(text)).map(str::to_owned);
    let in_number = |c: char| c.is_ascii_digit() || matches!(c, '-' | '_');
    let numbers = table.split(|c| !in_number(c)).filter(|word| word.chars().any(|c| c.is_ascii_digit()));
    labels.chain(numbers.map(|word| word.replace('_', ""))).collect()
}

fn is_label(text: &str) -> bool {
    text.len() > 4 && text.chars().all(|c| c.is_ascii_uppercase() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testdir::TestDir;

    fn adapter(dir: &TestDir) -> Adapter {
        let path = dir.path().join("crates/cex-any");
        Adapter { name: "any".to_owned(), package: "cex-any".to_owned(), dir: path }
    }

    #[test]
    fn missing_files_are_named() {
        let dir = TestDir::new();
        for file in FILES.iter().filter(|file| **file != "src/sign.rs") {
            dir.write(&format!("crates/cex-any/{file}"), "");
        }
        let found = missing_files(dir.path(), &adapter(&dir));
        assert_eq!(found, ["any: cex-any/src/sign.rs is missing", "any: docs/exchanges/any.md is missing"]);
        dir.write("docs/exchanges/any.md", "");
        dir.write("crates/cex-any/src/sign.rs", "");
        assert_eq!(missing_files(dir.path(), &adapter(&dir)), Vec::<String>::new());
    }

    #[test]
    fn codes_nobody_maps_are_named() {
        let dir = TestDir::new();
        dir.write("crates/cex-any/src/error.rs", "[(-2013, A), (700_004, B)]; [(\"TOO_FAST\", C)]");
        let refusals = "Self::new(-2013, \"x\") Self::new(700_004, m) Self::new(30_002, \"y\")\
                        Self::new(400, \"TOO_FAST\", \"z\") Refusal::new(\n 400, \"TOO_SLOW\", m)";
        dir.write("crates/cex-sim/src/dialect/any/refusal.rs", refusals);
        let found = unmapped_codes(dir.path(), &adapter(&dir)).unwrap();
        assert_eq!(
            found,
            [
                "any: the exchange answers 30002, which cex-any/src/error.rs does not map",
                "any: the exchange answers TOO_SLOW, which cex-any/src/error.rs does not map",
            ]
        );
    }
}
