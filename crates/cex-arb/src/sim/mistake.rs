//! What is wrong with `sim.toml`: where, the line itself, and how to fix it. Written as `arb config check` writes it.

use std::ops::Range;
use std::path::Path;

use crate::exit::{Exit, Failure};

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mistake {
    /// Which bytes of the file; `None` for the file as a whole.
    pub(super) at: Option<Range<usize>>,
    /// What is wrong, as a sentence for people.
    pub(super) what: String,
    /// What the user can do about it.
    pub(super) fix: String,
}

impl Mistake {
    /// A mistake in these bytes.
    pub(super) fn at(at: Range<usize>, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { at: Some(at), what: what.into(), fix: fix.into() }
    }

    /// What the parser says; of a word it does not know, the nearest one it does know.
    pub(super) fn of_parser(error: &toml::de::Error) -> Self {
        let message = error.message().trim();
        let fix = match quoted(message).as_slice() {
            [unknown, known @ ..] if message.starts_with("unknown ") && !known.is_empty() => {
                nearest(unknown, known)
            }
            _ => "docs/simulator.md lists every key and what it may be".to_owned(),
        };
        // The list of all that would have been right is the fix's business.
        let what = message.split(", expected").next().unwrap_or(message);
        let what =
            if what.starts_with("unknown ") { what.replace("field", "key") } else { message.to_owned() };
        Self { at: error.span(), what, fix }
    }

    /// How the program ends because of it: `sim.toml:2:1: unknown key ..`, the line, the fix.
    pub(super) fn failure(&self, path: &Path, text: &str) -> Failure {
        let mut what = path.display().to_string();
        if let Some(at) = &self.at {
            let before = text.get(..at.start).unwrap_or_default();
            let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            what.push_str(&format!(":{line}:{column}: {}", self.what));
            let shown = text.lines().nth(line - 1).map(str::trim).filter(|line| may_be_shown(line));
            what.extend(shown.map(|line| format!("\n    | {line}")));
        } else {
            what.push_str(&format!(": {}", self.what));
        }
        Failure::new(Exit::BadConfig, what, self.fix.as_str())
    }
}

/// Keys are worth nothing here, but somebody may have written a real one by mistake.
fn may_be_shown(line: &str) -> bool {
    !line.is_empty() && !line.contains("secret") && !line.contains("key")
}

/// The words between backticks.
fn quoted(message: &str) -> Vec<&str> {
    message.split('`').skip(1).step_by(2).collect()
}

/// Which of the known words was meant, or all of them.
pub(super) fn nearest(unknown: &str, known: &[&str]) -> String {
    let distance = |word: &&&str| strsim::damerau_levenshtein(word, unknown);
    let near = known.iter().min_by_key(distance).filter(|word| distance(word) <= 3.min(unknown.len() / 2));
    match near {
        Some(word) => format!("did you mean `{word}`?"),
        None => format!("use one of {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelling_is_understood_and_nonsense_is_answered_with_all_there_is() {
        assert_eq!(nearest("sede", &["seed", "speed"]), "did you mean `seed`?");
        assert_eq!(nearest("x", &["seed", "speed"]), "use one of seed, speed");
    }

    #[test]
    fn lines_with_keys_are_not_shown() {
        let text = "secret = \"abc\"\nkee = 1";
        let told = |at| Mistake::at(at, "bad", "").failure(Path::new("sim.toml"), text).what;
        assert_eq!(told(0..6), "sim.toml:1:1: bad");
        assert_eq!(told(15..18), "sim.toml:2:1: bad\n    | kee = 1");
    }
}
