//! The catalogue's text into rows.

use std::fmt;

/// What a fault can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Severity {
    /// Lose money or keys.
    S1,
    /// Go wrong or stand still, within bounds.
    S2,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::S1 => "S1",
            Self::S2 => "S2",
        })
    }
}

/// What is said about a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Proof {
    /// A test.
    Test {
        /// Below `crates/`.
        file: String,
        function: String,
    },
    /// Words of the world's plan.
    World(String),
    /// A fuzz target.
    Fuzz(String),
    /// Why nothing tries it, or not all of it.
    Not(String),
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Test { file, function } => write!(f, "test {file}::{function}"),
            Self::World(words) => write!(f, "world {words}"),
            Self::Fuzz(target) => write!(f, "fuzz {target}"),
            Self::Not(reason) => write!(f, "not: {reason}"),
        }
    }
}

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    /// `T1`.
    pub(super) id: String,
    pub(super) severity: Severity,
    pub(super) name: String,
    pub(super) proofs: Vec<Proof>,
}

/// The rows of a catalogue, and the lines that are none.
pub(super) fn parse(text: &str) -> (Vec<Row>, Vec<String>) {
    let (mut rows, mut problems) = (Vec::<Row>::new(), Vec::new());
    for (number, line) in text.lines().enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let understood = match line.strip_prefix("  ") {
            Some(line) => match (proof(line), rows.last_mut()) {
                (Some(proof), Some(row)) => {
                    row.proofs.push(proof);
                    true
                }
                (None, _) | (_, None) => false,
            },
            None => row(line).map(|row| rows.push(row)).is_some(),
        };
        if !understood {
            problems.push(format!("line {}: `{line}` is neither a row nor a proof of one", number + 1));
        }
    }
    (rows, problems)
}

fn row(line: &str) -> Option<Row> {
    let (id, rest) = line.split_once(' ')?;
    let (severity, name) = rest.split_once(' ')?;
    let severity = match severity {
        "S1" => Severity::S1,
        "S2" => Severity::S2,
        _other => return None,
    };
    Some(Row { id: id.to_owned(), severity, name: name.to_owned(), proofs: Vec::new() })
}

/// What a line says shows something.
pub(super) fn proof(line: &str) -> Option<Proof> {
    let (kind, rest) = line.split_once(' ')?;
    match kind {
        "test" => {
            let (file, function) = rest.rsplit_once("::")?;
            Some(Proof::Test { file: file.to_owned(), function: function.to_owned() })
        }
        "world" => Some(Proof::World(rest.to_owned())),
        "fuzz" => Some(Proof::Fuzz(rest.to_owned())),
        "not" => Some(Proof::Not(rest.to_owned())),
        _other => None,
    }
}
