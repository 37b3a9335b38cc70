//! What the simulator can be asked for: every effect must be shown to happen and shown to be survived.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use super::catalogue::{Proof, proof};
use super::{behaviours, exists, read};
use crate::error::TaskError;

/// The effects and what shows them.
const REGISTER: &str = "docs/effects.txt";
/// Where effects are read from what is written down, one function of the source for each kind.
const SPEC: &str = "crates/cex-sim/src/fault/spec.rs";
const KINDS: [(&str, &str); 4] =
    [("rest", "fn rest("), ("ws", "fn ws_effect("), ("order", "fn order("), ("venue", "fn venue(")];

/// What is said of one effect.
#[derive(Debug, Default)]
struct Entry {
    name: String,
    fires: Vec<Shown>,
    survived: Vec<Shown>,
}

/// What shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Shown {
    /// Of the catalogue's kinds.
    Proof(Proof),
    /// A behaviour of the compliance suite.
    Behaviour(String),
}

/// Checks the register against the source. Answers what is wrong, and a line that sums it up.
pub(super) fn check(root: &Path) -> Result<(Vec<String>, String), TaskError> {
    let (entries, mut problems) = parse(&read(root, REGISTER)?);
    let effects = effects(&read(root, SPEC)?);
    let behaviours = behaviours::names(root)?;
    for effect in &effects {
        match entries.iter().filter(|entry| entry.name == *effect).count() {
            0 => problems.push(format!("{REGISTER}: {effect} is missing")),
            1 => {}
            more => problems.push(format!("{REGISTER}: {effect} is there {more} times")),
        }
    }
    for entry in &entries {
        let name = &entry.name;
        if !effects.contains(name) {
            problems.push(format!("{REGISTER}: {SPEC} has no effect {name}"));
        }
        for (what, shown) in [("shown to happen", &entry.fires), ("shown to be survived", &entry.survived)] {
            if shown.is_empty() {
                problems.push(format!("{REGISTER}: {name} is not {what}"));
            }
        }
        for shown in entry.fires.iter().chain(&entry.survived) {
            let wrong = match shown {
                Shown::Proof(proof) => exists(root, proof)?,
                Shown::Behaviour(named) if behaviours.contains(named) => None,
                Shown::Behaviour(named) => Some(format!("there is no behaviour {named}")),
            };
            problems.extend(wrong.map(|wrong| format!("{REGISTER}: {name}: {wrong}")));
        }
    }
    let mut summary = String::new();
    let shown = entries.iter().filter(|entry| !entry.fires.is_empty() && !entry.survived.is_empty()).count();
    // Writing to a text does not fail.
    let _ = writeln!(
        summary,
        "effects of the simulator: {}, shown to happen and to be survived: {shown}",
        effects.len()
    );
    Ok((problems, summary))
}

/// The effects that the source reads: `rest.close` for an arm `"close" =>` of the function of that kind.
fn effects(spec: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (kind, head) in KINDS {
        let Some(begin) = spec.find(head) else { continue };
        let body = spec[begin..].split("\n    }\n").next().unwrap_or_default();
        let arms = body.lines().filter_map(|line| {
            let (name, rest) = line.trim().strip_prefix('"')?.split_once("\" =>")?;
            // Words of other keys are wrapped.
            (!rest.trim_start().starts_with("Some(")).then_some(name)
        });
        found.extend(arms.map(|name| format!("{kind}.{name}")));
    }
    found
}

/// The register's entries, and the lines that are none.
fn parse(text: &str) -> (Vec<Entry>, Vec<String>) {
    let (mut entries, mut problems) = (Vec::<Entry>::new(), Vec::new());
    for (number, line) in text.lines().enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let understood = match line.strip_prefix("  ") {
            None => {
                entries.push(Entry { name: line.to_owned(), ..Entry::default() });
                line.contains('.') && !line.contains(' ')
            }
            Some(line) => match (line.split_once(' '), entries.last_mut()) {
                (Some(("fires", rest)), Some(entry)) => {
                    shown(rest).map(|shown| entry.fires.push(shown)).is_some()
                }
                (Some(("survived", rest)), Some(entry)) => {
                    shown(rest).map(|shown| entry.survived.push(shown)).is_some()
                }
                (None | Some(_), _) => false,
            },
        };
        if !understood {
            problems.push(format!("{REGISTER}: line {}: `{line}` is not understood", number + 1));
        }
    }
    (entries, problems)
}

fn shown(text: &str) -> Option<Shown> {
    match text.split_once(' ')? {
        ("behaviour", name) => Some(Shown::Behaviour(name.to_owned())),
        ("not", _) => None,
        _ => proof(text).map(Shown::Proof),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testdir::TestDir;

    const SOURCE: &str = r#"
    fn rest(&self) {
        match x {
            "close" => RestEffect::Close,
            "late" => RestEffect::Late(self.time()?),
        }
        |text| match text {
            "before" => Some(Moment::Before),
        }
    }

    fn other() {
            "nothing" => 1,
    }
"#;

    fn said(register: &str) -> Vec<String> {
        let dir = TestDir::new();
        dir.write(SPEC, SOURCE);
        dir.write(REGISTER, register);
        dir.write("crates/a.rs", "#[test]\nfn it_fires() {}\n");
        dir.write("crates/cex-world/src/plan.rs", "RestEffect::Late\n");
        dir.write("crates/cex-compliance/src/x.rs", "behaviour!(A, B, it_lives, \"It does.\"),\n");
        check(dir.path()).expect("readable").0
    }

    const GOOD: &str = "rest.close\n  fires test a.rs::it_fires\n  survived behaviour it_lives\n\
                        rest.late\n  fires test a.rs::it_fires\n  survived world RestEffect::Late\n";

    #[test]
    fn a_register_without_holes_passes() {
        assert_eq!(said(GOOD), Vec::<String>::new());
    }

    #[test]
    fn every_hole_and_every_wrong_name_is_told() {
        for (from, to, expected) in [
            (
                "rest.close\n  fires test a.rs::it_fires\n  survived behaviour it_lives\n",
                "",
                "rest.close is missing",
            ),
            ("rest.close", "rest.open", "has no effect rest.open"),
            ("  survived behaviour it_lives\n", "", "rest.close is not shown to be survived"),
            (
                "rest.close\n  fires test a.rs::it_fires\n",
                "rest.close\n",
                "rest.close is not shown to happen",
            ),
            ("it_lives", "it_dies", "there is no behaviour it_dies"),
            ("a.rs::it_fires", "a.rs::it_hides", "has no test it_hides"),
            ("world RestEffect::Late", "world RestEffect::Early", "does not have `RestEffect::Early`"),
            ("fires test", "hires test", "is not understood"),
            ("survived behaviour it_lives", "survived not today", "is not understood"),
        ] {
            let told = said(&GOOD.replacen(from, to, 1)).join("\n");
            assert!(told.contains(expected), "{from:?} to {to:?}: {told}");
        }
    }
}
