//! What is wrong with a configuration: what, where, the line itself, and how to fix it. No secret is ever shown.

use super::file::Source;
use super::keys;
use super::layers::Origin;
use serde::Serialize;
use std::fmt;
use std::ops::Range;

/// What stands for something that could be a secret.
const MASK: &str = "***";
/// Longest part of a key that is shown as it stands; known ones are shorter.
const LONGEST_NAME: usize = 32;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Path of the key; empty for the file as a whole.
    pub key: String,
    /// `arb.toml:12:3`, the name of a variable, `--set`, or nothing.
    pub place: String,
    /// The line, when it stands in the file; what could be a secret is masked.
    pub line: Option<String>,
    /// What is wrong, as a sentence for people.
    pub what: String,
    /// What the user can do about it.
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
    /// What may well be meant otherwise, where that alone refuses nothing; `None` where it does.
    doubts: Option<Vec<Problem>>,
}

impl Problems {
    pub(super) fn new(file: &Source) -> Self {
        Self { name: file.name(), text: file.text.clone(), found: Vec::new(), doubts: None }
    }

    /// For whoever risks nothing by a value that was meant otherwise, and must not be held up by it.
    pub(super) fn lenient(file: &Source) -> Self {
        Self { doubts: Some(Vec::new()), ..Self::new(file) }
    }

    /// Whether what is doubtful refuses nothing.
    pub(super) const fn are_lenient(&self) -> bool {
        self.doubts.is_some()
    }

    /// What was found doubtful and refuses nothing.
    pub(super) fn take_doubts(&mut self) -> Vec<Problem> {
        self.doubts.take().unwrap_or_default()
    }

    /// One problem of no place.
    pub(super) fn single(what: String, fix: String) -> Box<Self> {
        let found = vec![Problem { key: String::new(), place: String::new(), line: None, what, fix }];
        Box::new(Self { name: String::new(), text: String::new(), found, doubts: None })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// All of them, as they were found.
    #[must_use]
    pub fn all(&self) -> &[Problem] {
        &self.found
    }

    /// Adds one about a key that has a value. Where doubts refuse nothing, neither does a key that only a run minds.
    pub(super) fn add(
        &mut self,
        key: &str,
        origin: &Origin,
        what: impl Into<String>,
        fix: impl Into<String>,
    ) {
        let problem = self.problem(key, origin, what.into(), fix.into());
        match &mut self.doubts {
            Some(doubts) if keys::only_a_run_minds(key) => doubts.push(problem),
            Some(_) | None => self.found.push(problem),
        }
    }

    /// Adds one about something that can be used as it stands and was hardly meant so.
    pub(super) fn doubt(
        &mut self,
        key: &str,
        origin: &Origin,
        what: impl Into<String>,
        fix: impl Into<String>,
    ) {
        let problem = self.problem(key, origin, what.into(), fix.into());
        self.doubts.as_mut().unwrap_or(&mut self.found).push(problem);
    }

    /// Adds one about a secret that cannot be had. Where doubts refuse nothing, it refuses nothing either: what it is, is given
    /// back.
    pub(super) fn unread(&mut self, key: &str, origin: &Origin, what: String, fix: String) -> Option<String> {
        if self.doubts.is_some() {
            return Some(what);
        }
        self.add(key, origin, what, fix);
        None
    }

    fn problem(&self, key: &str, origin: &Origin, what: String, fix: String) -> Problem {
        let (place, line) = match origin {
            Origin::File(span) => (self.place(span), Some(self.line(span))),
            Origin::Env(name) => (shown_variable(name), None),
            Origin::Flag => ("--set".to_owned(), None),
            Origin::Default => (self.name.clone(), None),
        };
        Problem { key: shown_key(key).to_owned(), place, line, what, fix }
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

    /// The line in which a span begins, as far as it can be shown.
    fn line(&self, span: &Range<usize>) -> String {
        let before = self.text.get(..span.start).unwrap_or_default();
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = self.text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        showable(line.trim())
    }
}

/// A line of the file without anything that could be a secret: what is misspelt or misplaced can be one, too. Shown are
/// the headers of sections, the values of known keys that are no secrets, and plain numbers.
fn showable(line: &str) -> String {
    let Some((key, value)) = line.split_once('=') else {
        let header = line.starts_with('[') && name_is_plain(line.trim_matches(['[', ']']));
        return if header { line.to_owned() } else { MASK.to_owned() };
    };
    let key = key.trim();
    // An inline table or a second `=` may bring anything.
    let simple = !value.contains(['=', '{', '@']);
    let number = value.trim().parse::<cex_core::Decimal>().is_ok();
    match (name_is_plain(key), simple && (number || keys::is_harmless(key, value.trim()))) {
        (true, true) => line.to_owned(),
        (true, false) => format!("{key} = {MASK}"),
        (false, _) => MASK.to_owned(),
    }
}

/// The name of a variable as it can be shown, likewise.
fn shown_variable(name: &str) -> String {
    if name_is_plain(&name.to_ascii_lowercase().replace("__", ".")) {
        name.to_owned()
    } else {
        format!("ARB__{MASK}")
    }
}

/// A key as it can be shown: keys and values may have been exchanged.
pub(super) fn shown_key(path: &str) -> &str {
    if name_is_plain(path) { path } else { MASK }
}

/// The name of any variable as it can be shown: the secret itself may stand where its variable should.
pub(super) fn shown_name(name: &str) -> &str {
    if name_is_plain(&name.to_ascii_lowercase()) { name } else { MASK }
}

/// Whether every part of a path looks like a name and not like something drawn by lot.
fn name_is_plain(path: &str) -> bool {
    path.split('.').all(|part| {
        let digits = part.bytes().filter(u8::is_ascii_digit).count();
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        part.len() <= LONGEST_NAME && digits <= 3 && part.bytes().all(plain)
    })
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
