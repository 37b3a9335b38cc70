//! What happened, as a hash always and as lines on request. Two runs of a seed have equal hashes, or something in the house
//! is not a function of its arguments.

use crate::run::CANARY;
use cex_core::Timestamp;
use rustc_hash::FxHasher;
use std::collections::VecDeque;
use std::hash::Hasher as _;

/// Lines kept of a run that is traced.
const LINES_KEPT: usize = 100_000;

/// The trace of one run.
pub(crate) struct Trace {
    hasher: FxHasher,
    steps: u64,
    began: Timestamp,
    lines: Option<VecDeque<String>>,
    /// The first words that have a secret in them.
    secret: Option<String>,
}

impl Trace {
    /// Begins at this time; with lines on request.
    pub(crate) fn new(began: Timestamp, keeps_lines: bool) -> Self {
        Self {
            hasher: FxHasher::default(),
            steps: 0,
            began,
            lines: keeps_lines.then(VecDeque::new),
            secret: None,
        }
    }

    /// One thing that happened: its bytes count, its words are made only when somebody reads them.
    pub(crate) fn note(&mut self, now: Timestamp, bytes: &[u8], words: impl FnOnce() -> String) {
        self.steps += 1;
        self.hasher.write_i64(now.as_nanos());
        self.hasher.write(bytes);
        let began = self.began;
        if let Some(lines) = &mut self.lines {
            if lines.len() == LINES_KEPT {
                lines.pop_front();
            }
            let micros = now.since(began).as_micros();
            lines.push_back(format!("{:>4}.{:06} {}", micros / 1_000_000, micros % 1_000_000, words()));
        }
    }

    /// As [`Self::note`] of something rare, whose words are what counts.
    pub(crate) fn tell(&mut self, now: Timestamp, words: String) {
        if self.secret.is_none() && words.contains(CANARY) {
            self.secret = Some(words.clone());
        }
        let bytes = words.clone();
        self.note(now, bytes.as_bytes(), || words);
    }

    /// The first words told that have a secret in them.
    pub(crate) fn secret(&self) -> Option<&str> {
        self.secret.as_deref()
    }

    /// The hash of everything so far.
    pub(crate) fn hash(&self) -> u64 {
        self.hasher.finish()
    }

    /// How many things happened so far.
    pub(crate) const fn steps(&self) -> u64 {
        self.steps
    }

    /// The lines, if they were kept.
    pub(crate) fn into_lines(self) -> Vec<String> {
        self.lines.map(Vec::from).unwrap_or_default()
    }
}
