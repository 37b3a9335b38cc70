//! A disk that is full, fails, or is slow; and bounds that hold.

use crate::disk::{Dice, Disk, Trouble};
use crate::script::{self, NOW, body};
use cex_journal::{JournalError, Options, SyncPolicy, frame, messages};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

#[test]
fn after_a_failed_sync_nothing_is_written_and_no_sync_is_tried_again() {
    let disk = Disk::default();
    let (mut writer, mut syncer, _) = script::open(&disk).expect("a new journal");
    writer.begin(NOW, messages::SessionStart::default()).expect("room");
    let health = writer.health();
    writer.append(NOW, &body(0, 10)).expect("room");
    disk.trouble(Trouble::Sync);
    let error = syncer.tick(Instant::now()).expect_err("the disk failed");
    assert_eq!(error.to_string(), "disk/the current segment: syncing: input/output error");
    let (syncs, bytes) = (disk.syncs(), disk.files(".seg"));
    assert!(health.failed() && health.why() == Some(error.to_string().as_str()));
    for _ in 0..3 {
        assert!(matches!(writer.append(NOW, &body(1, 10)), Err(JournalError::Failed { .. })));
        assert!(matches!(writer.sync(), Err(JournalError::Failed { .. })));
        assert!(matches!(writer.next_id(NOW), Err(JournalError::Failed { .. })));
        assert!(syncer.tick(Instant::now()).is_err());
    }
    assert_eq!((disk.syncs(), disk.files(".seg")), (syncs, bytes));
    assert!(health.durable() < health.written(), "what was lost is not called safe");
}

#[test]
fn a_start_after_a_failed_sync_puts_on_disk_what_it_goes_on_from() {
    let disk = Disk::default();
    let (mut writer, mut syncer, _) = script::open(&disk).expect("a new journal");
    writer.begin(NOW, messages::SessionStart::default()).expect("room");
    for number in 0..30 {
        writer.append(NOW, &body(number, 200)).expect("room");
    }
    disk.trouble(Trouble::Sync);
    syncer.tick(Instant::now()).expect_err("the disk failed");
    drop(writer);
    // The cache still has the records, and the system believes that they are on disk.
    let again = disk.after_kill();
    let (mut writer, _syncer, recovered) = script::open(&again).expect("readable");
    assert_eq!((recovered.cut, script::bodies(&again).expect("sound").len()), (None, 30));
    writer.begin(NOW, messages::SessionStart::default()).expect("room");
    let mut dice = Dice::new(1);
    let lost = again.after_power_loss(|bound| dice.below(bound));
    assert_eq!(script::bodies(&lost).expect("sound").len(), 30);
}

#[test]
fn a_full_disk_is_told_before_it_hurts_and_loses_nothing() {
    let disk = Disk::default();
    disk.trouble(Trouble::Space(2 * 4_096 + 100));
    let (mut writer, mut syncer, _) = script::open(&disk).expect("room for the first segment");
    writer.begin(NOW, messages::SessionStart::default()).expect("room");
    let health = writer.health();
    let mut at = Instant::now();
    let mut wrote = 0;
    let error = loop {
        at += Duration::from_secs(2);
        syncer.tick(at).expect("no room for another segment is no failure yet");
        match writer.append(NOW, &body(wrote, 200)) {
            Ok(_) => wrote += 1,
            Err(error) => break error,
        }
        assert!(wrote < 100, "two segments hold no more");
    };
    assert!(health.starved() && health.failed());
    assert_eq!(health.free_bytes(), 100);
    assert_eq!(error.to_string(), "disk/00000003.seg: making the segment: no storage space");
    assert_eq!(error.remedy(), "make room on the disk, then start again");
    drop(writer);
    assert_eq!(script::bodies(&disk).expect("sound").len() as u64, wrote);
    disk.trouble(Trouble::None);
    let (_writer, _syncer, recovered) = script::open(&disk).expect("there is room again");
    assert_eq!(recovered.cut, None);
}

#[test]
fn lag_is_how_long_the_oldest_unsynced_record_waits() {
    let disk = Disk::default();
    let (mut writer, mut syncer, _) = script::open(&disk).expect("a new journal");
    writer.begin(NOW, messages::SessionStart::default()).expect("room");
    let health = writer.health();
    let start = Instant::now();
    syncer.tick(start).expect("a sound disk");
    assert_eq!(health.lag(start + Duration::from_secs(9)), Duration::ZERO, "nothing waits");
    writer.append(NOW, &body(0, 10)).expect("room");
    // Nobody syncs: the disk is slow, or the thread is gone.
    assert_eq!(health.lag(start + Duration::from_millis(150)), Duration::from_millis(150));
    syncer.tick(start + Duration::from_millis(200)).expect("a sound disk");
    assert_eq!(health.lag(start + Duration::from_millis(300)), Duration::ZERO);
    assert_eq!((health.written(), health.durable()), (writer.next_seq(), writer.next_seq()));
}

#[test]
fn strict_means_on_disk_when_append_returns() {
    let disk = Disk::default();
    let options = Options { sync: SyncPolicy::Strict, ..script::small() };
    let (opened, _syncer) = cex_journal::open(Arc::new(disk.clone()), options, NOW).expect("a new journal");
    let mut writer = opened.writer;
    writer.begin(NOW, messages::SessionStart::default()).expect("room");
    for number in 0..40 {
        let seq = writer.append(NOW, &body(number, 200)).expect("room");
        assert_eq!(writer.health().durable(), seq + 1);
    }
}

#[test]
fn ids_are_on_disk_before_they_are_given_and_cost_no_wait_when_the_disk_keeps_up() {
    let disk = Disk::default();
    let (mut writer, mut syncer, _) = script::open(&disk).expect("a new journal");
    writer.begin(NOW, messages::SessionStart::default()).expect("room");
    let mut given = BTreeSet::new();
    let mut waited = 0;
    for number in 0..5_000 {
        let syncs = disk.syncs();
        assert!(given.insert(writer.next_id(NOW).expect("room")), "given twice");
        waited += disk.syncs() - syncs;
        if number % 400 == 0 {
            syncer.tick(Instant::now()).expect("a sound disk");
        }
    }
    assert_eq!((given.first(), given.last(), waited), (Some(&0), Some(&4_999), 0));
    // Without the other thread the writer waits for the disk itself, once a block.
    let syncs = disk.syncs();
    for _ in 0..4_096 {
        writer.next_id(NOW).expect("room");
    }
    assert!((3..=4).contains(&(disk.syncs() - syncs)), "{}", disk.syncs() - syncs);
}

#[test]
fn what_does_not_fit_is_refused_and_the_journal_goes_on() {
    let disk = Disk::default();
    let (mut writer, _syncer, _) = script::open(&disk).expect("a new journal");
    let most = 4_096 - 96 - frame::padded_size(0);
    let error = writer.append(NOW, &body(0, most)).expect_err("larger than a segment");
    assert!(matches!(error, JournalError::TooLarge { kind: cex_journal::Kind::Halt, .. }), "{error}");
    writer.append(NOW, &body(0, most - 40)).expect("just fits");
    writer.append(NOW, &body(1, most - 40)).expect("just fits the next");
    assert_eq!(script::bodies(&disk).expect("sound").len(), 2);
}

#[test]
fn options_that_promise_less_are_refused() {
    let grouped = |millis| SyncPolicy::Grouped(Duration::from_millis(millis));
    for options in [
        Options { segment_bytes: 4_095, ..Options::default() },
        Options { segment_bytes: 4_100, ..Options::default() },
        Options { segment_bytes: 2 << 30, ..Options::default() },
        Options { sync: grouped(11), ..Options::default() },
        Options { sync: grouped(0), ..Options::default() },
    ] {
        let error = cex_journal::open(Arc::new(Disk::default()), options, NOW).map(drop);
        assert!(matches!(error, Err(JournalError::Options(_))), "{options:?}");
    }
}

#[test]
fn a_second_writer_is_refused() {
    let disk = Disk::default();
    let first = script::open(&disk).expect("a new journal");
    let error = script::open(&disk).map(drop).expect_err("it is in use");
    assert_eq!(error.to_string(), "disk: in use by process 1");
    drop(first);
    script::open(&disk).expect("free again");
}
