//! `arb journal`: verify a journal, count it, print it, work it out again.

mod count;
mod replay;

use crate::cli::{DumpArgs, JournalArgs, JournalCommand};
use crate::exit::{Exit, Failure, written};
use cex_core::Timestamp;
use cex_journal::{Directory, Entry, JournalError, Reader, Record};
use count::Count;
use serde::Serialize;
use std::io::{self, Write};
use std::path::Path;

/// One record as `dump --json` prints it; the names are a promise to scripts.
#[derive(Debug, Serialize)]
struct Line<'a> {
    seq: u64,
    at: String,
    #[serde(rename = "type")]
    kind: &'static str,
    segment: u64,
    offset: u64,
    payload: &'a Entry,
}

/// Runs the command.
///
/// # Errors
/// Exit code 10 when the journal is not whole or not there.
pub fn run(command: &JournalCommand, out: &mut impl Write) -> Result<(), Failure> {
    match command {
        JournalCommand::Verify(args) => verify(args, out),
        JournalCommand::Stats(args) => stats(args, out),
        JournalCommand::Dump(args) => dump(args, out),
        JournalCommand::Replay(args) => replay::run(args, out),
    }
}

fn verify(args: &JournalArgs, out: &mut impl Write) -> Result<(), Failure> {
    let (count, verdict) = read(&args.dir);
    written(match (args.json, count.segments) {
        (true, _) => json_line(out, &count.summary(&verdict)),
        // The failure says it all.
        (false, 0) if verdict.is_err() => Ok(()),
        (false, _) => count.summary(&verdict).print(out),
    })?;
    verdict
}

fn stats(args: &JournalArgs, out: &mut impl Write) -> Result<(), Failure> {
    let (count, verdict) = read(&args.dir);
    written(match (args.json, count.segments) {
        (true, _) => json_line(out, &count.stats(&verdict)),
        (false, 0) if verdict.is_err() => Ok(()),
        (false, _) => count.stats(&verdict).print(out),
    })?;
    verdict
}

fn dump(args: &DumpArgs, out: &mut impl Write) -> Result<(), Failure> {
    let mut reader = open(&args.dir, args.from)?;
    while let Some(record) = reader.next_record().map_err(|error| failure(&error))? {
        if !args.kinds.is_empty() && !args.kinds.contains(&record.kind) {
            continue;
        }
        let entry = record.entry().map_err(|error| {
            let what = format!("{}: record {} cannot be decoded: {error}", args.dir.display(), record.seq);
            Failure::new(
                Exit::CheckFailed,
                what,
                "use the version of the program that wrote it, or a later one",
            )
        })?;
        match line(out, args.json, &record, &entry) {
            // Whoever reads has had enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            result => written(result)?,
        }
    }
    incomplete_end(&args.dir, &mut reader)
}

fn line(out: &mut impl Write, json: bool, record: &Record, entry: &Entry) -> io::Result<()> {
    let at = exact(record.at);
    if json {
        let (kind, place) = (record.kind.name(), record.place);
        let (segment, offset) = (place.segment, place.offset);
        return json_line(out, &Line { seq: record.seq, at, kind, segment, offset, payload: entry });
    }
    // As JSON also for people: whatever an exchange said is escaped.
    let payload = sonic_rs::to_string(entry).map_err(io::Error::other)?;
    writeln!(out, "{:>8} {at} {:<13} {payload}", record.seq, record.kind)
}

/// Reads everything there is. What was counted is told even when it ends in damage, or never began.
fn read(dir: &Path) -> (Count, Result<(), Failure>) {
    let mut count = Count::new(dir);
    let mut reader = match open(dir, 0) {
        Ok(reader) => reader,
        Err(failure) => return (count, Err(failure)),
    };
    let verdict = loop {
        match reader.next_record() {
            Ok(Some(record)) => count.take(&record),
            Ok(None) => break whole(dir, &mut reader),
            Err(error) => break Err(failure(&error)),
        }
    };
    count.segments = reader.segments().len();
    (count, verdict)
}

fn open(dir: &Path, from: u64) -> Result<Reader, Failure> {
    let reader = Reader::of_directory(dir, from).map_err(|error| failure(&error))?;
    if !reader.is_empty() {
        return Ok(reader);
    }
    let what = format!("{}: there is no journal here", dir.display());
    Err(Failure::new(Exit::CheckFailed, what, "name the directory with the files 00000001.seg and so on"))
}

/// Whether nothing is missing of a journal that was read to its end: neither its beginning nor the end of what was written.
fn whole(dir: &Path, reader: &mut Reader) -> Result<(), Failure> {
    reader.check_beginning().map_err(|error| failure(&error))?;
    incomplete_end(dir, reader)
}

/// An incomplete end is what a crash leaves; while a program writes, it is a record being written.
fn incomplete_end(dir: &Path, reader: &mut Reader) -> Result<(), Failure> {
    let Some(torn) = reader.tail().map_err(|error| failure(&error))? else { return Ok(()) };
    if Directory::existing(dir).is_written() {
        return Ok(());
    }
    let what = format!("{}: {torn}", dir.display());
    let fix =
        "nothing that was known to be on disk is lost: the next start cuts it off and keeps a copy beside it";
    Err(Failure::new(Exit::CheckFailed, what, fix))
}

fn failure(error: &JournalError) -> Failure {
    Failure::new(Exit::CheckFailed, error.to_string(), error.remedy())
}

/// RFC 3339 in UTC with nanoseconds.
fn exact(at: Timestamp) -> String {
    let millis = at.to_string();
    format!("{}{:06}Z", millis.trim_end_matches('Z'), at.as_nanos().rem_euclid(1_000_000))
}

fn json_line(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    let line = sonic_rs::to_string(value).map_err(io::Error::other)?;
    writeln!(out, "{line}")
}
