//! A real process on a real disk, killed with SIGKILL: what it was told is written is there.

use cex_core::Timestamp;
use cex_journal::{Entry, Options, Reader, messages, open_directory};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

const DIR: &str = "JOURNAL_KILL_TEST_DIR";
const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn options() -> Options {
    Options { segment_bytes: 1 << 16, ..Options::default() }
}

/// The process to be killed, when it is one: writes records and tells each after it is written. Otherwise nothing.
#[test]
fn child() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let mut writer = open_directory(Path::new(&dir), options(), NOW).expect("a journal").writer;
    writer.begin(NOW, messages::SessionStart::default()).expect("room");
    let mut out = std::io::stdout().lock();
    loop {
        let id = writer.next_id(NOW).expect("room");
        let intent = messages::Intent { arbitrage: id, symbol: "BTC/USDT".to_owned(), ..Default::default() };
        writer.append(NOW, &intent).expect("room");
        if writeln!(out, "wrote {id}").is_err() {
            return;
        }
    }
}

/// Runs the child, kills it after it has told of `lines` records, and returns what it told.
fn killed(dir: &Path, lines: usize) -> Vec<u64> {
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "child", "--nocapture"])
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .spawn()
        .expect("this test again");
    let mut told = Vec::new();
    let out = BufReader::new(child.stdout.take().expect("piped"));
    for line in out.lines() {
        let line = line.expect("text");
        told.extend(line.strip_prefix("wrote ").and_then(|id| id.parse::<u64>().ok()));
        if told.len() == lines {
            child.kill().expect("it runs");
        }
    }
    child.wait().expect("it ends");
    told
}

#[test]
fn what_a_killed_process_had_written_is_there() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut told = Vec::new();
    for round in 0..12 {
        told.extend(killed(dir.path(), 1 + round * 97));
        let opened =
            open_directory(dir.path(), options(), NOW).expect("a killed writer leaves a sound journal");
        assert_eq!(opened.recovered.sessions, round as u64 + 1);
        drop(opened);
        let reader = Reader::of_directory(dir.path(), 0).expect("a journal");
        let found: Vec<u64> = reader
            .filter_map(|record| match record.expect("sound").entry() {
                Ok(Entry::Intent(intent)) => Some(intent.arbitrage),
                Ok(_) | Err(_) => None,
            })
            .collect();
        assert!(found.windows(2).all(|pair| pair[0] < pair[1]), "an id was given twice");
        assert!(told.iter().all(|id| found.binary_search(id).is_ok()), "a record is lost");
    }
    assert!(told.len() > 5_000, "{}", told.len());
}
