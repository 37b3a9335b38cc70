//! Which behaviours of the compliance suite name which rows. Read from the text: this package uses no crate of ours.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::error::TaskError;

const SUITE: &str = "crates/cex-compliance/src";
const ROWS: &str = ".rows(\"";
const BEHAVIOUR: &str = "behaviour!(";

/// Names of behaviours by the rows they name.
pub(super) fn by_row(root: &Path) -> Result<BTreeMap<String, Vec<String>>, TaskError> {
    let mut found = BTreeMap::<String, Vec<String>>::new();
    look(&root.join(SUITE), &mut |text| {
        for (name, rows) in of_text(text) {
            for row in rows.split_whitespace() {
                found.entry(row.to_owned()).or_default().push(name.to_owned());
            }
        }
    })?;
    found.values_mut().for_each(|names| names.sort_unstable());
    Ok(found)
}

/// The names of all behaviours.
pub(super) fn names(root: &Path) -> Result<BTreeSet<String>, TaskError> {
    let mut found = BTreeSet::new();
    look(&root.join(SUITE), &mut |text| {
        let begun = text.split(BEHAVIOUR).skip(1);
        found.extend(begun.filter_map(|rest| Some(rest.split(',').nth(2)?.trim().to_owned())));
    })?;
    Ok(found)
}

/// Hands on the text of every source below a directory.
fn look(directory: &Path, each: &mut dyn FnMut(&str)) -> Result<(), TaskError> {
    let failed = |source| TaskError::io(directory, source);
    for entry in fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            look(&path, each)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            each(&fs::read_to_string(&path).map_err(|source| TaskError::io(&path, source))?);
        }
    }
    Ok(())
}

/// The behaviours of a file with the rows they name: the name is the third argument of the `behaviour!` before the rows.
fn of_text(text: &str) -> Vec<(&str, &str)> {
    let named = text.match_indices(ROWS).filter_map(|(at, _)| {
        let rows = text[at + ROWS.len()..].split('"').next()?;
        let begun = text[..at].rfind(BEHAVIOUR)? + BEHAVIOUR.len();
        let name = text[begun..at].split(',').nth(2)?.trim();
        Some((name, rows))
    });
    named.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_behaviour_is_found_by_its_rows() {
        let text = "behaviour!(A, B, first, \"Says, so.\"),\nbehaviour!(\n    A,\n    B,\n    second,\n    \"x\"\n)\n.needs(y)\n.rows(\"T1 O3\"),";
        assert_eq!(of_text(text), [("second", "T1 O3")]);
    }
}
