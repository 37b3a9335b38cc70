//! Rot: every changed byte is found, and told from the incomplete end of a crash.

use crate::disk::Disk;
use crate::script::{self, Knowledge, NOW, bodies, body, session};
use cex_journal::{Damage, Fault, JournalError, Reader, Torn, messages};
use proptest::prelude::*;
use std::sync::Arc;

/// A journal of a few segments that was closed orderly, and its bodies.
fn closed() -> (Disk, Vec<messages::Halt>) {
    let disk = Disk::default();
    let mut known = Knowledge::default();
    session(&disk, 3, 60, &mut known).expect("nothing goes wrong");
    (disk, known.bodies)
}

/// What reading everything comes to.
fn verify(disk: &Disk) -> Result<Option<Torn>, Damage> {
    let read = || {
        let mut reader = Reader::new(Arc::new(disk.clone()), 0)?;
        while reader.next_record()?.is_some() {}
        reader.tail()
    };
    match read() {
        Ok(torn) => Ok(torn),
        Err(JournalError::Damaged(damage)) => Err(damage),
        Err(error) => panic!("{error}"),
    }
}

/// Bytes of a file up to the last that is not zero, padding included.
fn used(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| (last + 1).next_multiple_of(8))
}

#[test]
fn rot_at_any_byte_is_found_and_no_record_is_misread() {
    let (disk, wrote) = closed();
    assert_eq!(verify(&disk), Ok(None));
    let files = disk.files(".seg");
    assert!(files.len() > 1, "{} segments", files.len());
    let last = files.iter().rposition(|(_, bytes)| used(bytes) > 0).expect("records");
    for (number, (name, bytes)) in files.iter().enumerate().take(last + 1) {
        // The seal is the one record that no later one vouches for; nothing is lost with it.
        let seal_at = if number == last { used(bytes) - 72 } else { used(bytes) };
        for at in 0..bytes.len() {
            disk.spoil(name, |bytes| bytes[at] ^= 1 << (at % 8));
            let found = verify(&disk);
            match &found {
                Err(damage) => assert!(damage.segment <= number as u64 + 2 && damage.offset <= at as u64),
                Ok(Some(torn)) => {
                    assert!(number == last && at >= seal_at && torn.segment == number as u64 + 1);
                }
                Ok(None) => panic!("{name} offset {at}: not found"),
            }
            if at < seal_at {
                let error = script::open(&disk).err().unwrap_or_else(|| panic!("{name} offset {at}: opened"));
                assert!(matches!(error, JournalError::Damaged(_)), "{error}");
                assert!(error.remedy().contains("keep disk as it is"), "{}", error.remedy());
            }
            disk.spoil(name, |bytes| bytes[at] ^= 1 << (at % 8));
        }
    }
    assert_eq!(bodies(&disk).expect("sound again"), wrote);
}

#[test]
fn a_torn_write_at_every_byte_of_the_last_record_loses_that_record_only() {
    let disk = Disk::default();
    let (mut writer, _syncer, _) = script::open(&disk).expect("a new journal");
    writer.begin(NOW, messages::SessionStart::default()).expect("room");
    writer.append(NOW, &body(0, 100)).expect("room");
    let before = used(&disk.files(".seg")[0].1);
    writer.append(NOW, &body(1, 700)).expect("room");
    drop(writer);
    let (name, whole) = disk.files(".seg").swap_remove(0);
    let end = whole.iter().rposition(|byte| *byte != 0).expect("records") + 1;
    for at in before..=end {
        let torn = disk.after_kill();
        torn.spoil(&name, |bytes| bytes[at..].fill(0));
        let left = if at == end { 2 } else { 1 };
        let (_writer, _syncer, recovered) =
            script::open(&torn).unwrap_or_else(|error| panic!("{at}: {error}"));
        let expected = (at < end && at > before).then_some(before as u64);
        assert_eq!(recovered.cut.map(|cut| cut.offset), expected, "torn at {at}");
        assert_eq!(bodies(&torn).expect("sound").len(), left, "torn at {at}");
    }
}

#[test]
fn pieces_of_a_group_that_was_never_synced_are_no_damage() {
    let disk = Disk::default();
    let (mut writer, _syncer, _) = script::open(&disk).expect("a new journal");
    writer.begin(NOW, messages::SessionStart::default()).expect("room");
    let before = used(&disk.files(".seg")[0].1);
    for number in 0..4 {
        writer.append(NOW, &body(number, 200)).expect("room");
    }
    drop(writer);
    disk.spoil("00000001.seg", |bytes| bytes[before..before + 100].fill(0));
    let (_writer, _syncer, recovered) = script::open(&disk).expect("nobody was told they were safe");
    assert_eq!(recovered.cut.map(|cut| cut.offset), Some(before as u64));
    assert_eq!(bodies(&disk).expect("sound").len(), 0);
}

#[test]
fn the_same_hole_in_what_was_synced_is_damage_and_nothing_is_touched() {
    let disk = Disk::default();
    let (mut writer, _syncer, _) = script::open(&disk).expect("a new journal");
    writer.begin(NOW, messages::SessionStart::default()).expect("room");
    let before = used(&disk.files(".seg")[0].1);
    let lost = writer.append(NOW, &body(0, 200)).expect("room");
    writer.sync().expect("a sound disk");
    let witness = writer.append(NOW, &body(1, 200)).expect("room");
    drop(writer);
    disk.spoil("00000001.seg", |bytes| bytes[before..before + 100].fill(0));
    let spoilt = disk.files("");
    let error = script::open(&disk).map(drop).expect_err("the disk lost what it had promised");
    assert_eq!(
        error.to_string(),
        format!(
            "disk/00000001.seg, offset {before}, record {lost}: there are bytes behind the last record; record \
             {witness} proves that it was once on disk whole"
        )
    );
    assert_eq!(disk.files(""), spoilt);
}

#[test]
fn what_no_crash_can_do_is_damage() {
    let check = |spoil: &dyn Fn(&Disk), expected: &dyn Fn(Fault) -> bool| {
        let (disk, _) = closed();
        spoil(&disk);
        let damage = verify(&disk).expect_err("damage");
        assert!(expected(damage.fault), "{damage}");
        assert!(script::open(&disk).is_err());
    };
    let segments = closed().0.files(".seg");
    assert!(segments.len() >= 3, "{}", segments.len());
    use cex_journal::Storage as _;
    check(&|disk| disk.remove("00000002.seg").expect("it is there"), &|fault| fault == Fault::Missing);
    check(&|disk| disk.spoil("00000002.seg", |bytes| bytes.truncate(2_000)), &|fault| {
        fault == Fault::Short { found: 2_000, expected: 4_096 }
    });
    // A segment in the place of another, whole as it is.
    let other = segments[0].1.clone();
    check(&move |disk| disk.spoil("00000002.seg", |bytes| bytes.clone_from(&other)), &|fault| {
        fault == Fault::Successor { next: 1 }
    });
    // A record taken out, the rest moved up: every checksum is right.
    check(
        &|disk| {
            disk.spoil("00000001.seg", |bytes| {
                let size = u32::from_le_bytes(bytes[96..100].try_into().expect("four bytes")) as usize;
                bytes.drain(96..96 + size.next_multiple_of(8));
                bytes.resize(4_096, 0);
            });
        },
        &|fault| fault == Fault::Sequence { found: 2 },
    );
}

#[test]
fn a_record_forged_with_a_right_checksum_breaks_the_chain() {
    use cex_journal::{frame, segment};
    let (disk, _) = closed();
    let second = disk.files("00000002.seg").swap_remove(0).1;
    let second = segment::SegmentHeader::decode(second.first_chunk().expect("a header")).expect("sound");
    let second = second.expect("it is used").first_seq;
    // Of a record in the middle of a segment, and of the last, which the next segment's header names.
    for forged in [1, second - 1] {
        let (disk, _) = closed();
        let mut reader = Reader::new(Arc::new(disk.clone()), forged).expect("a journal");
        let at = reader.next_record().expect("sound").expect("it is there").place.offset as usize;
        disk.spoil("00000001.seg", |bytes| {
            let size = u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes")) as usize;
            // Another time, and the checksum made to fit.
            bytes[at + 16] ^= 1;
            let crc = crc(&bytes[at..at + size - 4]);
            bytes[at + size - 4..at + size].copy_from_slice(&crc.to_le_bytes());
            assert!(frame::read(&bytes[at..at + size.next_multiple_of(8)]).is_ok());
        });
        let damage = verify(&disk).expect_err("what follows names another");
        assert_eq!((damage.seq, damage.fault), (forged + 1, Fault::Chain));
    }
}

/// Halts, open arbitrages and the peak of profits may have been in what is gone.
#[test]
fn a_journal_without_its_beginning_can_be_read_and_is_not_gone_on_with() {
    use cex_journal::Storage as _;
    for (gone, back) in [
        (&["00000001.seg"][..], "put back 00000001.seg. Where "),
        (&["00000001.seg", "00000002.seg"], "put back 00000001.seg to 00000002.seg. Where "),
    ] {
        let (disk, mut wrote) = (Disk::default(), Vec::new());
        let (mut writer, _syncer, _) = script::open(&disk).expect("a new journal");
        writer.begin(NOW, messages::SessionStart::default()).expect("room");
        while disk.files(".seg").len() < 4 {
            wrote.push(body(wrote.len() as u64, 500));
            writer.append(NOW, &wrote[wrote.len() - 1]).expect("room");
        }
        writer.close(NOW, &messages::SessionEnd::default()).expect("room");
        let all = Reader::new(Arc::new(disk.clone()), 0).expect("a journal");
        assert_eq!((all.next_seq(), all.check_beginning().is_ok()), (1, true));
        gone.iter().for_each(|name| disk.remove(name).expect("it is there"));
        let left = bodies(&disk).expect("what is left is sound");
        assert!(!left.is_empty() && left.len() < wrote.len() && wrote.ends_with(&left));
        let rest = Reader::new(Arc::new(disk.clone()), 0).expect("it can be read");
        let (first, files) = (rest.next_seq(), disk.files(""));
        let error = script::open(&disk).map(drop).expect_err("nobody knows what was in it");
        let expected = format!(
            "disk/00000001.seg, offset 0, record 1: the journal's beginning is missing: what is there begins with record \
             {first}, in 0000000{}.seg",
            gone.len() + 1
        );
        assert_eq!(error.to_string(), expected);
        assert_eq!(rest.check_beginning().expect_err("the same").to_string(), expected);
        let remedy = error.remedy();
        assert!(remedy.starts_with(back) && remedy.contains("then move disk away"), "{remedy}");
        assert_eq!(disk.files(""), files, "nothing is touched");
    }
}

#[test]
fn a_segment_others_follow_was_used_however_short_it_is() {
    use cex_journal::Storage as _;
    for left in [0, 7] {
        let (disk, _) = closed();
        disk.spoil("00000001.seg", |bytes| bytes.truncate(left));
        let damage = verify(&disk).expect_err("it is not a new journal");
        assert_eq!(damage.segment, 1);
        assert!(matches!(damage.fault, Fault::Short { .. }), "{damage:?}");
        assert!(script::open(&disk).is_err(), "nothing begins anew over it");
    }
    let (disk, _) = closed();
    let names: Vec<String> = disk.files(".seg").into_iter().map(|(name, _)| name).collect();
    let (spare, used) = names.split_last().expect("some");
    disk.spoil(spare, |bytes| bytes.fill(0));
    for name in used {
        disk.remove(name).expect("it is there");
    }
    assert_eq!(verify(&disk).expect_err("a spare alone is no journal").fault, Fault::Missing);
    assert!(script::open(&disk).is_err());
}

/// One way to spoil a file.
#[derive(Debug, Clone)]
enum Spoil {
    Set(usize, u8),
    Zero(usize, usize),
    Copy(usize, usize, usize),
    Cut(usize),
}

impl Spoil {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let len = bytes.len().max(1);
        let clamp = |from: usize, count: usize| from % len..(from % len + count).min(bytes.len());
        match *self {
            Self::Set(at, byte) => bytes.iter_mut().skip(at % len).take(1).for_each(|to| *to = byte),
            Self::Zero(from, count) => {
                let range = clamp(from, count);
                bytes[range].fill(0);
            }
            // Whole records land in other places, too.
            Self::Copy(from, to, count) => {
                let (from, to) = (clamp(from & !7, count & !7), clamp(to & !7, count & !7));
                let count = from.len().min(to.len());
                bytes.copy_within(from.start..from.start + count, to.start);
            }
            Self::Cut(at) => bytes.truncate(at % len),
        }
    }
}

fn spoils() -> impl Strategy<Value = Vec<(usize, Spoil)>> {
    let spoil = prop_oneof![
        (0..4_096usize, any::<u8>()).prop_map(|(at, byte)| Spoil::Set(at, byte)),
        (0..4_096usize, 1..900usize).prop_map(|(from, count)| Spoil::Zero(from, count)),
        (0..4_096usize, 0..4_096usize, 8..900usize)
            .prop_map(|(from, to, count)| Spoil::Copy(from, to, count)),
        (0..4_096usize).prop_map(Spoil::Cut),
    ];
    prop::collection::vec((0..8usize, spoil), 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Whatever happens to the bytes: reading does not panic, and gives what was written from the first on, or stops.
    #[test]
    fn spoilt_journals_are_never_misread(spoils in spoils()) {
        let (disk, wrote) = closed();
        let names: Vec<String> = disk.files(".seg").into_iter().map(|(name, _)| name).collect();
        for (file, spoil) in &spoils {
            disk.spoil(&names[file % names.len()], |bytes| spoil.apply(bytes));
        }
        let reader = Reader::new(Arc::new(disk.clone()), 0);
        let records = reader.into_iter().flatten().map_while(Result::ok);
        let found: Vec<_> = records
            .filter_map(|record| match record.entry() {
                Ok(cex_journal::Entry::Halt(halt)) => Some(halt),
                Ok(_) | Err(_) => None,
            })
            .collect();
        // A first segment whose header is gone may leave nothing; nothing else may be left out at the front.
        prop_assert!(wrote.starts_with(&found), "{} records", found.len());
        if let Ok((_, _, recovered)) = script::open(&disk) {
            prop_assert!(recovered.cut.is_some() || script::bodies(&disk).is_ok_and(|left| left == wrote));
        }
    }
}

/// CRC-32C, bit by bit.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(
            crc ^ u32::from(*byte),
            |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 },
        )
    })
}
