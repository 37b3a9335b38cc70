//! What a journal holds, counted.

use super::exact;
use crate::exit::Failure;
use cex_core::Timestamp;
use cex_journal::{Entry, Kind, Record, frame};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

/// Everything counted while reading.
#[derive(Debug)]
pub(super) struct Count {
    dir: String,
    /// Number of segments read.
    pub(super) segments: usize,
    kinds: BTreeMap<Kind, Row>,
    first: Option<(u64, Timestamp)>,
    last: Option<(u64, Timestamp)>,
    last_kind: Option<Kind>,
    ids_end: u64,
    halted: bool,
}

#[derive(Debug, Default, Clone, Copy, Serialize)]
struct Row {
    records: u64,
    bytes: u64,
}

/// What `verify` tells; the names are a promise to scripts.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    dir: String,
    sound: bool,
    segments: usize,
    records: u64,
    first_seq: Option<u64>,
    last_seq: Option<u64>,
    sessions: u64,
    /// Whether the last session ended orderly.
    closed: bool,
    /// Whether an operator must acknowledge a halt.
    halted: bool,
    error: Option<String>,
}

/// What `stats` tells; the names are a promise to scripts.
#[derive(Debug, Serialize)]
pub(super) struct Stats {
    #[serde(flatten)]
    summary: Summary,
    first_at: Option<String>,
    last_at: Option<String>,
    /// First number no id block reserves.
    ids_end: u64,
    types: BTreeMap<&'static str, Row>,
}

impl Count {
    pub(super) fn new(dir: &Path) -> Self {
        Self {
            dir: dir.display().to_string(),
            segments: 0,
            kinds: BTreeMap::new(),
            first: None,
            last: None,
            last_kind: None,
            ids_end: 0,
            halted: false,
        }
    }

    pub(super) fn take(&mut self, record: &Record) {
        let row = self.kinds.entry(record.kind).or_default();
        row.records += 1;
        row.bytes += frame::padded_size(record.payload.len()) as u64;
        self.first.get_or_insert((record.seq, record.at));
        self.last = Some((record.seq, record.at));
        self.last_kind = Some(record.kind);
        match record.entry() {
            Ok(Entry::IdBlock(block)) => {
                let end = block.first.saturating_add(u64::from(block.count));
                self.ids_end = self.ids_end.max(end);
            }
            Ok(Entry::Halt(_)) => self.halted = true,
            Ok(Entry::OperatorAck(_)) => self.halted = false,
            Ok(_) | Err(_) => {}
        }
    }

    pub(super) fn summary(&self, verdict: &Result<(), Failure>) -> Summary {
        Summary {
            dir: self.dir.clone(),
            sound: verdict.is_ok(),
            segments: self.segments,
            records: self.kinds.values().map(|row| row.records).sum(),
            first_seq: self.first.map(|(seq, _)| seq),
            last_seq: self.last.map(|(seq, _)| seq),
            sessions: self.kinds.get(&Kind::SessionStart).map_or(0, |row| row.records),
            closed: matches!(self.last_kind, Some(Kind::Seal) | None),
            halted: self.halted,
            error: verdict.as_ref().err().map(|failure| failure.what.clone()),
        }
    }

    pub(super) fn stats(&self, verdict: &Result<(), Failure>) -> Stats {
        Stats {
            summary: self.summary(verdict),
            first_at: self.first.map(|(_, at)| exact(at)),
            last_at: self.last.map(|(_, at)| exact(at)),
            ids_end: self.ids_end,
            types: self.kinds.iter().map(|(kind, row)| (kind.name(), *row)).collect(),
        }
    }
}

impl Summary {
    pub(super) fn print(&self, out: &mut impl Write) -> io::Result<()> {
        let Self { dir, sound, segments, records, sessions, closed, halted, .. } = self;
        let begins_late = self.first_seq.filter(|first| *first > 1);
        let verdict = match (*sound, begins_late) {
            (true, _) => "sound",
            (false, Some(_)) => "NOT WHOLE; what is left:",
            (false, None) => "NOT SOUND; what stands before the fault:",
        };
        writeln!(out, "{dir}: {verdict}")?;
        writeln!(out, "  {records} records in {segments} segments, {sessions} sessions")?;
        if let (Some(first), Some(last)) = (self.first_seq, self.last_seq) {
            writeln!(out, "  records {first} to {last}")?;
        }
        if let Some(first) = begins_late {
            writeln!(
                out,
                "  begins with record {first}: what was before it is gone, and no run goes on with it"
            )?;
        }
        if !closed {
            writeln!(out, "  the last session has no end: it is running, or ended in a crash")?;
        }
        if *halted {
            writeln!(out, "  HALTED: an operator must acknowledge before anything is opened")?;
        }
        Ok(())
    }
}

impl Stats {
    pub(super) fn print(&self, out: &mut impl Write) -> io::Result<()> {
        self.summary.print(out)?;
        if let (Some(first), Some(last)) = (&self.first_at, &self.last_at) {
            writeln!(out, "  {first} to {last}, client order ids below {} reserved", self.ids_end)?;
        }
        writeln!(out, "{:<14} {:>12} {:>14}", "type", "records", "bytes")?;
        self.types
            .iter()
            .try_for_each(|(kind, row)| writeln!(out, "{kind:<14} {:>12} {:>14}", row.records, row.bytes))
    }
}
