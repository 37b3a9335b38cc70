//! Reading from anywhere, following a writer, and what a whole life of a journal reads like.

use crate::disk::Disk;
use crate::script::{self, NOW, body};
use cex_journal::{Kind, Reader, messages};
use proptest::prelude::*;
use std::sync::Arc;

fn reader(disk: &Disk, from: u64) -> Reader {
    Reader::new(Arc::new(disk.clone()), from).expect("a directory")
}

#[test]
fn reading_can_begin_at_any_record() {
    let disk = Disk::default();
    let (mut writer, _syncer, _) = script::open(&disk).expect("a new journal");
    writer.begin(NOW, messages::SessionStart::default()).expect("room");
    for number in 0..60 {
        writer.append(NOW, &body(number, 150)).expect("room");
    }
    let end = writer.next_seq();
    assert!(disk.files(".seg").len() > 2);
    let all: Vec<_> = reader(&disk, 0).map(|record| record.expect("sound")).collect();
    assert_eq!(all.iter().map(|record| record.seq).collect::<Vec<_>>(), (1..end).collect::<Vec<_>>());
    for from in 0..=end + 1 {
        let found: Vec<_> = reader(&disk, from).map(|record| record.expect("sound")).collect();
        let skipped = (from.max(1) - 1) as usize;
        assert_eq!(found, all[skipped.min(all.len())..], "from {from}");
    }
}

#[test]
fn a_reader_follows_a_writer_from_before_there_is_a_journal() {
    let disk = Disk::default();
    let mut reader = reader(&disk, 0);
    assert_eq!(reader.next_record().expect("nothing there"), None);
    let (mut writer, mut syncer, _) = script::open(&disk).expect("a new journal");
    for number in 0..200 {
        let seq = writer.append(NOW, &body(number, (number * 37 % 400) as usize)).expect("room");
        let record = reader.next_record().expect("sound").expect("what was just written");
        assert_eq!((record.seq, record.kind), (seq, Kind::Halt));
        assert_eq!(reader.next_record().expect("sound"), None);
        if number % 7 == 0 {
            // A segment made ready ahead is not a segment that is used.
            syncer.tick(std::time::Instant::now()).expect("a sound disk");
        }
    }
    assert!(reader.segments().len() > 5);
}

#[test]
fn what_is_just_being_written_is_waited_for() {
    let disk = Disk::default();
    let (mut writer, _syncer, _) = script::open(&disk).expect("a new journal");
    let mut reader = reader(&disk, 0);
    writer.append(NOW, &body(0, 100)).expect("room");
    assert!(reader.next_record().expect("sound").is_some());
    let seq = writer.append(NOW, &body(1, 100)).expect("room");
    let whole = disk.files("00000001.seg").swap_remove(0).1;
    disk.spoil("00000001.seg", |bytes| {
        let end = bytes.iter().rposition(|byte| *byte != 0).expect("records");
        bytes[end - 50..].fill(0);
    });
    assert_eq!(reader.next_record().expect("half a record is no damage"), None);
    assert!(reader.tail().expect("sound").is_some());
    disk.spoil("00000001.seg", |bytes| *bytes = whole);
    assert_eq!(reader.next_record().expect("sound").map(|record| record.seq), Some(seq));
}

#[test]
fn what_a_session_leaves_is_told_to_the_next() {
    let disk = Disk::default();
    let (mut writer, _syncer, recovered) = script::open(&disk).expect("a new journal");
    assert_eq!((recovered.records, recovered.next_seq, recovered.clean), (0, 1, true));
    writer.begin(NOW, messages::SessionStart::default()).expect("room");
    let halt = writer.append(NOW, &body(0, 3)).expect("room");
    let born = writer.born();
    drop(writer);
    let (mut writer, _syncer, recovered) = script::open(&disk).expect("a journal");
    assert_eq!((recovered.sessions, recovered.clean, recovered.halt), (1, false, Some(halt)));
    assert_eq!((recovered.next_seq, recovered.ids_end, writer.born()), (halt + 1, 1_024, born));
    writer.begin(NOW, messages::SessionStart::default()).expect("room");
    writer.append(NOW, &messages::OperatorAck { halt_seq: halt, ..Default::default() }).expect("room");
    let checkpoint = writer.append(NOW, &messages::Checkpoint::default()).expect("room");
    writer.close(NOW, &messages::SessionEnd::default()).expect("room");
    let (_writer, _syncer, recovered) = script::open(&disk).expect("a journal");
    assert_eq!((recovered.sessions, recovered.clean, recovered.halt), (2, true, None));
    assert_eq!((recovered.checkpoint, recovered.ids_end), (Some(checkpoint), 2_048));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever is written in whatever portions over however many sessions is read back, in order.
    #[test]
    fn a_journal_is_a_list(sessions in prop::collection::vec(prop::collection::vec((0..900usize, 0..4u8), 0..30), 1..5)) {
        let disk = Disk::default();
        let mut wrote = Vec::new();
        for steps in sessions {
            let (mut writer, mut syncer, _) = script::open(&disk).expect("a journal");
            writer.begin(NOW, messages::SessionStart::default()).expect("room");
            for (len, then) in steps {
                let body = body(wrote.len() as u64, len);
                writer.stage(NOW, &body).expect("room");
                wrote.push(body);
                match then {
                    0 => writer.flush().expect("room"),
                    1 => writer.sync().expect("room"),
                    2 => syncer.tick(std::time::Instant::now()).expect("room"),
                    _ => {}
                }
            }
        }
        prop_assert_eq!(script::bodies(&disk).expect("sound"), wrote);
    }
}
