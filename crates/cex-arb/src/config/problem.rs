//! What is wrong with a configuration: what, where, the line itself, and how to fix it. No secret is ever shown.

use super::file::Source;
use super::layers::Origin;
use serde::Serialize;
use std::fmt;
use std::ops::Range;

/// Words in a line that make what stands behind its `=` a secret. An address with a user name holds a password.
const SECRETIVE: [&str; 6] = ["key", "secret", "token", "pass", "credential", "@"];

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Path of the key; empty for the file as a whole.
    pub key: String,
    /// `arb.toml:12:3`, the name of a variable, `--set`, or nothing.
    pub place: String,
    /// The line, when it stands in the file; what could be a secret is masked.
    pub line: Option<String>,
    /// What is wrong.
    pub what: String,
    /// How to fix it.
    pub fix: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.place.is_empty() {
            write!(f, "{}: ", self.place)?;
        }
        write!(f, "{}", self.what)?;
        if let Some(line) = &self.line {
            write!(f, "\n    | {line}")?;
        }
        if self.fix.is_empty() { Ok(()) } else { write!(f, "\n  fix: {}", self.fix) }
    }
}

/// Everything that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems {
    name: String,
    text: String,
    found: Vec<Problem>,
}

impl Problems {
    pub(super) fn new(file: &Source) -> Self {
        Self { name: file.name(), text: file.text.clone(), found: Vec::new() }
    }

    /// One problem of no place.
    pub(super) fn single(what: String, fix: String) -> Box<Self> {
        let found = vec![Problem { key: String::new(), place: String::new(), line: None, what, fix }];
        Box::new(Self { name: String::new(), text: String::new(), found })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// All of them, as they were found.
    #[must_use]
    pub fn all(&self) -> &[Problem] {
        &self.found
    }

    /// Adds one about a key that has a value.
    pub(super) fn add(
        &mut self,
        key: &str,
        origin: &Origin,
        what: impl Into<String>,
        fix: impl Into<String>,
    ) {
        let (place, line) = match origin {
            Origin::File(span) => (self.place(span), Some(self.line(span))),
            Origin::Env(name) => (name.clone(), None),
            Origin::Flag => ("--set".to_owned(), None),
            Origin::Default => (self.name.clone(), None),
        };
        self.found.push(Problem { key: key.to_owned(), place, line, what: what.into(), fix: fix.into() });
    }

    /// Adds one about something that is not there.
    pub(super) fn missing(&mut self, key: &str, what: impl Into<String>, fix: impl Into<String>) {
        self.add(key, &Origin::Default, what, fix);
    }

    fn place(&self, span: &Range<usize>) -> String {
        let before = self.text.get(..span.start).unwrap_or_default();
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        format!("{}:{line}:{column}", self.name)
    }

    /// The line in which a span begins. What stands behind `=` is masked where the line, or the one its value began on,
    /// speaks of a secret.
    fn line(&self, span: &Range<usize>) -> String {
        let before = self.text.get(..span.start).unwrap_or_default();
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = self.text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        let secretive = |line: &str| {
            let line = line.to_ascii_lowercase();
            SECRETIVE.iter().any(|word| line.contains(word))
        };
        match line.split_once('=') {
            Some((key, _)) if secretive(line) => format!("{}= ***", key.trim_start()),
            Some(_) => line.trim().to_owned(),
            None => {
                let owner = before.get(..start).unwrap_or_default().lines().rfind(|line| line.contains('='));
                let masked =
                    owner.is_some_and(secretive) || (secretive(line) && !line.trim().starts_with('['));
                if masked { "***".to_owned() } else { line.trim().to_owned() }
            }
        }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, problem) in self.found.iter().enumerate() {
            let gap = if number > 0 { "\n" } else { "" };
            write!(f, "{gap}error: {problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
