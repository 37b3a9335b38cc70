//! `faults`: what shows, for every row of the fault catalogue, that it does no harm.
//!
//! | module | what |
//! |---|---|
//! | `catalogue` | `docs/faults.txt` into rows |
//! | `behaviours` | which behaviours of cex-compliance name which rows |
//! | `effects` | what the simulator can be asked for, shown to happen and to be survived |

mod behaviours;
mod catalogue;
mod effects;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::error::TaskError;
use catalogue::{Proof, Row, Severity};

/// The rows and what shows them harmless.
const CATALOGUE: &str = "docs/faults.txt";
/// What the world draws.
const WORLD: &str = "crates/cex-world/src/plan.rs";
/// How many rows each family has, so that none is lost.
const FAMILIES: [(char, usize); 10] = [
    ('T', 16),
    ('W', 16),
    ('H', 14),
    ('B', 14),
    ('O', 19),
    ('M', 15),
    ('K', 7),
    ('C', 8),
    ('P', 15),
    ('X', 12),
];

/// Prints the table and checks it.
///
/// # Errors
/// Rows of severity 1 that nothing covers, rows missing or there twice, and names that do not exist.
pub(crate) fn run(root: &Path) -> Result<(), TaskError> {
    let text = read(root, CATALOGUE)?;
    let (rows, mut problems) = catalogue::parse(&text);
    let behaviours = behaviours::by_row(root)?;
    problems.extend(missing_rows(&rows));
    problems.extend(unknown_rows(&rows, &behaviours));
    for row in &rows {
        for proof in &row.proofs {
            problems.extend(check(root, row, proof)?);
        }
        if row.severity == Severity::S1 && !is_covered(row, &behaviours) {
            problems.push(format!("{CATALOGUE}: {} ({}) is covered by nothing", row.id, row.name));
        }
    }
    let (holes, summary) = effects::check(root)?;
    problems.extend(holes);
    print!("{}{summary}", table(&rows, &behaviours));
    TaskError::unless_empty("faults", problems)
}

type Behaviours = BTreeMap<String, Vec<String>>;

fn read(root: &Path, name: &str) -> Result<String, TaskError> {
    let path = root.join(name);
    fs::read_to_string(&path).map_err(|source| TaskError::io(&path, source))
}

/// Whether anything is said about a row, be it why nothing tries it.
fn is_covered(row: &Row, behaviours: &Behaviours) -> bool {
    !row.proofs.is_empty() || behaviours.contains_key(&row.id)
}

/// Whether something tries it.
fn is_tried(row: &Row, behaviours: &Behaviours) -> bool {
    row.proofs.iter().any(|proof| !matches!(proof, Proof::Not(_))) || behaviours.contains_key(&row.id)
}

/// Rows that are missing, or there twice.
fn missing_rows(rows: &[Row]) -> Vec<String> {
    let numbered = |family: &char, count: &usize| {
        (1..=*count).map(|number| format!("{family}{number}")).collect::<Vec<_>>()
    };
    let wanted = FAMILIES.iter().flat_map(|(family, count)| numbered(family, count));
    wanted
        .filter_map(|id| match rows.iter().filter(|row| row.id == id).count() {
            0 => Some(format!("{CATALOGUE}: {id} is missing")),
            1 => None,
            more => Some(format!("{CATALOGUE}: {id} is there {more} times")),
        })
        .collect()
}

/// Rows that the catalogue's families do not have: in the file, or named by a behaviour.
fn unknown_rows(rows: &[Row], behaviours: &Behaviours) -> Vec<String> {
    let known = |id: &str| {
        FAMILIES.iter().any(|(family, count)| {
            let number = id.strip_prefix(*family).and_then(|number| number.parse::<usize>().ok());
            number.is_some_and(|number| (1..=*count).contains(&number))
        })
    };
    let in_file = rows.iter().filter(|row| !known(&row.id));
    let named = behaviours.iter().filter(|(id, _)| !known(id));
    in_file
        .map(|row| format!("{CATALOGUE}: there is no row {}", row.id))
        .chain(named.map(|(id, names)| format!("behaviour {}: there is no row {id}", names.join(", "))))
        .collect()
}

/// Why a proof of a row does not hold.
fn check(root: &Path, row: &Row, proof: &Proof) -> Result<Option<String>, TaskError> {
    let wrong = exists(root, proof)?;
    Ok(wrong.map(|what| format!("{CATALOGUE}: {}: {what}", row.id)))
}

/// Why a proof's name does not exist.
fn exists(root: &Path, proof: &Proof) -> Result<Option<String>, TaskError> {
    let wrong = |what: String| Ok(Some(what));
    match proof {
        Proof::Test { file, function } => {
            let name = format!("crates/{file}");
            if !root.join(&name).is_file() {
                return wrong(format!("there is no file {name}"));
            }
            if !is_test(&read(root, &name)?, function) {
                return wrong(format!("{name} has no test {function}"));
            }
        }
        Proof::World(words) if !read(root, WORLD)?.contains(words.as_str()) => {
            return wrong(format!("{WORLD} does not have `{words}`"));
        }
        Proof::Fuzz(target) if !root.join(format!("fuzz/fuzz_targets/{target}.rs")).is_file() => {
            return wrong(format!("fuzz/ has no target {target}"));
        }
        Proof::World(_) | Proof::Fuzz(_) | Proof::Not(_) => {}
    }
    Ok(None)
}

/// Whether a file has a test of this name: a function right behind a `#[test]`, of tokio too, or within `proptest!`.
fn is_test(text: &str, function: &str) -> bool {
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    let head = format!("fn {function}(");
    lines.iter().enumerate().any(|(at, line)| {
        line.trim_start_matches("async ").starts_with(&head)
            && lines[..at]
                .iter()
                .rev()
                .take_while(|above| {
                    above.starts_with('#') || above.starts_with("//") || above.starts_with(')')
                })
                .any(|above| above.ends_with("test]") || above.contains("::test("))
    })
}

fn table(rows: &[Row], behaviours: &Behaviours) -> String {
    let mut out = String::new();
    for row in rows {
        let names = behaviours.get(&row.id).map_or(&[][..], Vec::as_slice);
        let _ = writeln!(out, "{:<4} {}  {}", row.id, row.severity, row.name);
        for proof in &row.proofs {
            let _ = writeln!(out, "         {proof}");
        }
        if let [first, rest @ ..] = names {
            let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
            let _ = writeln!(out, "         behaviour {first}{more}");
        }
        if !is_covered(row, behaviours) {
            let _ = writeln!(out, "         NOTHING");
        }
    }
    let count = |severity, test: &dyn Fn(&Row) -> bool| {
        rows.iter().filter(|row| row.severity == severity && test(row)).count()
    };
    let _ = writeln!(out, "\n              tried  reason  nothing");
    for severity in [Severity::S1, Severity::S2] {
        let tried = count(severity, &|row| is_tried(row, behaviours));
        let covered = count(severity, &|row| is_covered(row, behaviours));
        let all = count(severity, &|_| true);
        let _ = writeln!(out, "severity {severity}  {tried:>6} {:>7} {:>8}", covered - tried, all - covered);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testdir::TestDir;

    /// Every row with a test that exists, but for what `change` does to the text.
    fn checkout(change: impl FnOnce(String) -> String) -> TestDir {
        let dir = TestDir::new();
        let mut text = String::new();
        for (family, count) in FAMILIES {
            for number in 1..=count {
                let _ =
                    write!(text, "{family}{number} S1 a fault\n  test cex-x/src/lib.rs::it_does_no_harm\n");
            }
        }
        dir.write(CATALOGUE, &change(text));
        dir.write(WORLD, "WsEffect::Mute\n");
        // Nothing can be asked for here, so nothing is to be shown.
        dir.write("docs/effects.txt", "");
        dir.write("crates/cex-sim/src/fault/spec.rs", "");
        dir.write("fuzz/fuzz_targets/numbers.rs", "");
        dir.write(
            "crates/cex-x/src/lib.rs",
            "fn helper() {}\n#[test]\n// why\nfn it_does_no_harm() {}\n#[tokio::test(flavor = \"x\")]\nasync fn nor_does_it_here() {}\n",
        );
        dir.write(
            "crates/cex-compliance/src/a.rs",
            "behaviour!(\n Market,\n RestPublic,\n a_name,\n \"It is, so.\",\n)\n.rows(\"T1 H3\"),\n",
        );
        dir
    }

    fn said(change: impl FnOnce(String) -> String) -> String {
        match run(checkout(change).path()) {
            Ok(()) => String::new(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_catalogue_without_holes_passes() {
        assert_eq!(said(|text| text), "");
        let other = "T1 S1 a fault\n  world WsEffect::Mute\n  fuzz numbers\n  not for a reason\n";
        assert_eq!(said(|text| text.replacen("T1 S1 a fault\n", other, 1)), "");
        assert_eq!(said(|text| text.replacen("::it_does_no_harm", "::nor_does_it_here", 1)), "");
    }

    #[test]
    fn every_hole_and_every_wrong_name_is_told() {
        let proof = "  test cex-x/src/lib.rs::it_does_no_harm\n";
        let bare = |id: &str| (format!("{id} S1 a fault\n{proof}"), format!("{id} S1 a fault\n"));
        let (whole, hole) = bare("B7");
        assert!(said(|text| text.replace(&whole, &hole)).contains("B7 (a fault) is covered by nothing"));
        // A row of severity 2 may be open; one that a behaviour names is not.
        assert_eq!(said(|text| text.replace(&whole, &hole.replace("S1", "S2"))), "");
        let (whole, hole) = bare("H3");
        assert_eq!(said(|text| text.replace(&whole, &hole)), "");
        for (from, to, expected) in [
            ("C8 S1 a fault\n", "", "C8 is missing"),
            ("C8 S1", "C7 S1", "C7 is there 2 times"),
            ("C8 S1", "C9 S1", "there is no row C9"),
            ("C8 S1", "C8 S4", "neither a row nor a proof"),
            ("it_does_no_harm", "helper", "has no test helper"),
            ("it_does_no_harm", "it_does", "has no test it_does"),
            ("cex-x/src/lib.rs", "cex-y/src/lib.rs", "there is no file crates/cex-y/src/lib.rs"),
            (proof, "  world WsEffect::Drop\n", "does not have `WsEffect::Drop`"),
            (proof, "  fuzz letters\n", "fuzz/ has no target letters"),
            (proof, "  proof by hand\n", "neither a row nor a proof"),
        ] {
            let error = said(|text| text.replacen(from, to, 1));
            assert!(error.contains(expected), "{from:?} to {to:?}: {error}");
        }
    }

    #[test]
    fn tests_are_told_from_other_functions() {
        let text = "proptest! {\n    /// Doc.\n    #[test]\n    fn a(x in 0..1) {}\n}\n#[test]\n#[expect(\n x\n)]\nfn b() {}\nfn c() {}\n";
        assert!(is_test(text, "a") && !is_test(text, "c") && !is_test(text, "d"));
    }
}
