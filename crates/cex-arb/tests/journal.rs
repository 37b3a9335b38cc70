//! `arb journal` as a user runs it: on sound, incomplete and damaged journals.

use cex_core::Timestamp;
use cex_journal::{Options, Writer, messages, open_directory};
use sonic_rs::{JsonValueTrait, Value};
use std::path::Path;
use std::process::{Command, Output};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn journal(verb: &str, dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_arb"));
    command.args(["journal", verb, "--dir"]).arg(dir).args(args).output().expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

fn json(output: &Output) -> Vec<Value> {
    text(&output.stdout).lines().map(|line| sonic_rs::from_str(line).expect("JSON")).collect()
}

fn options() -> Options {
    Options { segment_bytes: 1 << 16, ..Options::default() }
}

/// A journal with a session that wrote an intent, a report and a fill, and did not end yet.
fn running(dir: &Path) -> Writer {
    let mut writer = open_directory(dir, options(), NOW).expect("a journal").writer;
    writer.begin(NOW, messages::SessionStart { seed: 7, ..Default::default() }).expect("room");
    let leg =
        messages::Leg { venue: "mexc".to_owned(), side: messages::Side::Buy.into(), ..Default::default() };
    let intent = messages::Intent { symbol: "BTC/USDT".to_owned(), legs: vec![leg], ..Default::default() };
    writer.append(NOW, &intent).expect("room");
    let body = b"{\"code\":1,\"msg\":\"\x1b[31mred\"}".to_vec();
    writer
        .append(NOW, &messages::VenueReport { venue: "mexc".to_owned(), body, ..Default::default() })
        .expect("room");
    writer.append(NOW, &messages::Fill { price: "1.5".to_owned(), ..Default::default() }).expect("room");
    writer
}

fn spoil(dir: &Path, spoil: impl FnOnce(&mut [u8], usize)) {
    let path = dir.join("00000001.seg");
    let mut bytes = std::fs::read(&path).expect("a segment");
    let end = bytes.iter().rposition(|byte| *byte != 0).expect("records") + 1;
    spoil(&mut bytes, end);
    std::fs::write(path, bytes).expect("our own file");
}

#[test]
fn a_sound_journal_is_verified_counted_and_printed() {
    let dir = tempfile::tempdir().expect("a directory");
    running(dir.path()).close(NOW, &messages::SessionEnd::default()).expect("room");
    let verified = journal("verify", dir.path(), &[]);
    assert!(verified.status.success(), "{}", text(&verified.stderr));
    let place = dir.path().display();
    let expected = format!("{place}: sound\n  7 records in 1 segments, 1 sessions\n  records 1 to 7\n");
    assert_eq!(text(&verified.stdout), expected);
    let stats = json(&journal("stats", dir.path(), &["--json"])).swap_remove(0);
    assert_eq!(stats["types"]["id_block"]["records"].as_u64(), Some(1));
    assert_eq!(stats["ids_end"].as_u64(), Some(1_024));
    assert_eq!(stats["first_at"].as_str(), Some("2027-01-15T08:00:00.000000000Z"));
    assert_eq!((stats["sound"].as_bool(), stats["closed"].as_bool()), (Some(true), Some(true)));
    let all = json(&journal("dump", dir.path(), &["--json"]));
    let types: Vec<&str> = all.iter().map(|line| line["type"].as_str().expect("a type")).collect();
    let expected = ["session_start", "id_block", "intent", "venue_report", "fill", "session_end", "seal"];
    assert_eq!(types, expected);
    let intent = &all[2]["payload"];
    assert_eq!(intent["legs"][0]["side"].as_str(), Some("buy"));
    assert_eq!(all[3]["payload"]["body"].as_str(), Some("{\"code\":1,\"msg\":\"\u{1b}[31mred\"}"));
    let some =
        json(&journal("dump", dir.path(), &["--json", "--from", "3", "--type", "fill", "--type", "seal"]));
    assert_eq!(some.iter().map(|line| line["seq"].as_u64()).collect::<Vec<_>>(), [Some(5), Some(7)]);
    let plain = text(&journal("dump", dir.path(), &["--type", "venue_report"]).stdout);
    assert!(plain.starts_with("       4 2027-01-15T08:00:00.000000000Z venue_report  {"), "{plain}");
    assert!(!plain.contains('\u{1b}'), "what an exchange says does not reach the terminal as it is");
}

#[test]
fn an_incomplete_end_fails_the_check_and_is_no_fault_while_a_program_writes() {
    let dir = tempfile::tempdir().expect("a directory");
    let writer = running(dir.path());
    spoil(dir.path(), |bytes, end| bytes[end - 3..].fill(0));
    assert!(journal("verify", dir.path(), &[]).status.success(), "its last record may be just being written");
    drop(writer);
    let output = journal("verify", dir.path(), &[]);
    assert_eq!(output.status.code(), Some(10));
    let told = text(&output.stderr);
    assert!(
        told.contains("incomplete end: 00000001.seg, offset ") && told.contains("from record 5 on"),
        "{told}"
    );
    assert!(told.contains("fix: nothing that was known to be on disk is lost"), "{told}");
    let verdict = json(&journal("verify", dir.path(), &["--json"])).swap_remove(0);
    assert_eq!((verdict["sound"].as_bool(), verdict["records"].as_u64()), (Some(false), Some(4)));
    assert_eq!(journal("dump", dir.path(), &[]).status.code(), Some(10));
}

#[test]
fn damage_is_told_with_its_place_and_how_to_go_on() {
    let dir = tempfile::tempdir().expect("a directory");
    running(dir.path()).close(NOW, &messages::SessionEnd::default()).expect("room");
    spoil(dir.path(), |bytes, _| bytes[96 + 65] ^= 1);
    for verb in ["verify", "stats", "dump"] {
        let output = journal(verb, dir.path(), &[]);
        assert_eq!(output.status.code(), Some(10));
        let (told, place) = (text(&output.stderr), dir.path().display());
        let expected = format!("error: {place}/00000001.seg, offset 96, record 1: checksum is ");
        assert!(told.starts_with(&expected), "{told}");
        assert!(told.contains("; record 3 proves that it was once on disk whole\n  fix: keep "), "{told}");
    }
}

#[test]
fn what_is_no_journal_is_told() {
    let dir = tempfile::tempdir().expect("a directory");
    for (place, expected) in [
        (dir.path().to_owned(), "there is no journal here"),
        (dir.path().join("x"), "No such file or directory"),
    ] {
        let output = journal("verify", &place, &[]);
        assert_eq!(output.status.code(), Some(10));
        assert!(text(&output.stderr).contains(expected), "{}", text(&output.stderr));
    }
    assert_eq!(journal("dump", dir.path(), &["--type", "nonsense"]).status.code(), Some(2));
}

#[test]
fn a_journal_that_is_not_sound_tells_so_in_one_object_whatever_is_wrong() {
    let whole = || {
        let dir = tempfile::tempdir().expect("a directory");
        running(dir.path()).close(NOW, &messages::SessionEnd::default()).expect("room");
        dir
    };
    let segment = |dir: &tempfile::TempDir, number: u32| dir.path().join(format!("{number:08}.seg"));
    let (sound, short, cut, gap, none) = (whole(), whole(), whole(), whole(), tempfile::tempdir());
    let none = none.expect("a directory");
    let file = |path: &Path| std::fs::OpenOptions::new().write(true).open(path).expect("a segment");
    file(&segment(&short, 1)).set_len(5_000).expect("our own file");
    spoil(cut.path(), |bytes, end| bytes[end - 3..].fill(0));
    std::fs::copy(segment(&gap, 1), segment(&gap, 3)).expect("room");
    // The spare one, if it was made before the journal was closed.
    if segment(&gap, 2).exists() {
        std::fs::remove_file(segment(&gap, 2)).expect("our own file");
    }
    for (name, dir, code, records) in [
        ("sound", sound.path().to_owned(), 0, 7),
        ("short", short.path().to_owned(), 10, 0),
        ("torn", cut.path().to_owned(), 10, 6),
        ("gap", gap.path().to_owned(), 10, 0),
        ("empty", none.path().to_owned(), 10, 0),
        ("none", none.path().join("x"), 10, 0),
    ] {
        for verb in ["verify", "stats", "replay"] {
            let output = journal(verb, &dir, &["--json"]);
            let told = text(&output.stderr);
            assert_eq!(output.status.code(), Some(code), "{name} {verb}: {told}");
            let rows = json(&output);
            let [row] = rows.as_slice() else { panic!("{name} {verb}: {rows:?}") };
            let found = (row["sound"].as_bool(), row["records"].as_u64());
            assert_eq!(found, (Some(code == 0), Some(records)), "{name} {verb}: {row}");
            let error = row["error"].as_str().unwrap_or_default();
            assert_eq!(error.is_empty(), code == 0, "{name} {verb}: {row}");
            assert!(told.contains(error), "{name} {verb}: {error} is not in {told}");
            if verb == "replay" {
                assert_eq!(row["same"].as_bool(), Some(code == 0), "{name}: {row}");
            }
        }
    }
}

#[test]
fn a_journal_without_its_beginning_says_with_which_record_it_begins() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut writer = running(dir.path());
    let body = vec![b'x'; 1 << 14];
    for _ in 0..10 {
        writer
            .append(NOW, &messages::VenueReport { body: body.clone(), ..Default::default() })
            .expect("room");
    }
    writer.close(NOW, &messages::SessionEnd::default()).expect("room");
    let last = json(&journal("verify", dir.path(), &["--json"])).swap_remove(0)["last_seq"].as_u64();
    let last = last.expect("records");
    std::fs::remove_file(dir.path().join("00000001.seg")).expect("our own file");
    let row = json(&journal("verify", dir.path(), &["--json"])).swap_remove(0);
    let first = row["first_seq"].as_u64().expect("records");
    assert!(first > 1 && row["sound"].as_bool() == Some(false), "{row}");
    for verb in ["verify", "stats"] {
        let output = journal(verb, dir.path(), &[]);
        assert_eq!(output.status.code(), Some(10));
        let (told, why) = (text(&output.stdout), text(&output.stderr));
        let expected = format!(
            "  records {first} to {last}\n  begins with record {first}: what was before it is gone, and no run goes on with \
             it\n"
        );
        assert!(told.contains("NOT WHOLE; what is left:") && told.contains(&expected), "{told}");
        assert!(
            why.contains("/00000001.seg, offset 0, record 1: the journal's beginning is missing"),
            "{why}"
        );
        assert!(why.contains("fix: put back 00000001.seg"), "{why}");
    }
    let replayed = json(&journal("replay", dir.path(), &["--json"])).swap_remove(0);
    assert_eq!((replayed["sound"].as_bool(), replayed["same"].as_bool()), (Some(false), Some(false)));
    // Looking at what is left is what whoever begins anew does.
    let shown = journal("dump", dir.path(), &["--json"]);
    assert_eq!((shown.status.code(), json(&shown).len() as u64), (Some(0), last - first + 1));
}

#[test]
fn only_records_that_a_dump_shows_are_promised() {
    let told_and_shown = |damage: &dyn Fn(&mut Vec<u8>)| {
        let dir = tempfile::tempdir().expect("a directory");
        running(dir.path()).close(NOW, &messages::SessionEnd::default()).expect("room");
        let path = dir.path().join("00000001.seg");
        let mut bytes = std::fs::read(&path).expect("a segment");
        damage(&mut bytes);
        std::fs::write(path, bytes).expect("our own file");
        let told = text(&journal("verify", dir.path(), &[]).stderr);
        assert!(told.contains("fix: keep "), "{told}");
        let shown = json(&journal("dump", dir.path(), &["--json"])).len();
        (told.contains("are sound: `arb journal dump"), shown)
    };
    assert_eq!(told_and_shown(&|bytes| bytes.truncate(5_000)), (false, 0), "a short file");
    assert_eq!(told_and_shown(&|bytes| bytes[96 + 65] ^= 1), (false, 0), "the first record");
    // What an exchange sent is in the fourth.
    let body = |bytes: &[u8]| bytes.windows(3).position(|some| some == b"msg").expect("its body");
    let spoilt = told_and_shown(&|bytes| {
        let at = body(bytes);
        bytes[at] ^= 1;
    });
    assert_eq!(spoilt, (true, 3));
}
