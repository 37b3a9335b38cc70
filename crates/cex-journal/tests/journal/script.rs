//! What a program does with a journal, and what it was told; and what must be found afterwards.

use crate::disk::{Dice, Disk};
use cex_core::Timestamp;
use cex_journal::{Entry, JournalError, Options, Reader, Recovered, Storage, Syncer, Writer, messages};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

pub(crate) const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

/// The smallest segments, so that few records fill several.
pub(crate) fn small() -> Options {
    Options { segment_bytes: 4_096, ..Options::default() }
}

pub(crate) fn open(disk: &Disk) -> Result<(Writer, Syncer, Recovered), JournalError> {
    let storage: Arc<dyn Storage> = Arc::new(disk.clone());
    let (opened, syncer) = cex_journal::open(storage, small(), NOW)?;
    Ok((opened.writer, syncer, opened.recovered))
}

/// A record with a body of some length that says which it is.
pub(crate) fn body(number: u64, len: usize) -> messages::Halt {
    messages::Halt { by: format!("number {number}"), reason: "x".repeat(len) }
}

/// What a program knows when it ends, however it ends.
#[derive(Debug, Default)]
pub(crate) struct Knowledge {
    /// Bodies in the order of their numbers, staged ones included.
    pub(crate) bodies: Vec<messages::Halt>,
    /// How many of them were written, as far as the program was told.
    pub(crate) written: usize,
    /// How many of them are on disk, as far as the program was told.
    pub(crate) durable: usize,
    pub(crate) ids: BTreeSet<u64>,
    pub(crate) closed: bool,
}

/// A session: opens, writes, takes ids, syncs now and then, ends. Stops at the first error, as a program must.
pub(crate) fn session(disk: &Disk, seed: u64, steps: u64, known: &mut Knowledge) -> Result<(), JournalError> {
    let mut dice = Dice::new(seed);
    let (mut writer, mut syncer, _) = open(disk)?;
    writer.begin(NOW, messages::SessionStart::default())?;
    // Bodies that are known to be there from before are on disk now: opening has synced them.
    known.durable = known.written;
    for _ in 0..steps {
        step(&mut writer, &mut syncer, &mut dice, known)?;
    }
    writer.close(NOW, &messages::SessionEnd::default())?;
    known.closed = true;
    (known.written, known.durable) = (known.bodies.len(), known.bodies.len());
    Ok(())
}

fn step(
    writer: &mut Writer,
    syncer: &mut Syncer,
    dice: &mut Dice,
    known: &mut Knowledge,
) -> Result<(), JournalError> {
    match dice.below(8) {
        0..4 => {
            let body = body(known.bodies.len() as u64, dice.below(300) as usize);
            known.bodies.push(body.clone());
            writer.append(NOW, &body)?;
            known.written = known.bodies.len();
        }
        4 => {
            let body = body(known.bodies.len() as u64, dice.below(300) as usize);
            known.bodies.push(body.clone());
            writer.stage(NOW, &body)?;
        }
        5 => {
            for _ in 0..dice.below(700) {
                known.ids.insert(writer.next_id(NOW)?);
            }
        }
        6 => {
            syncer.tick(Instant::now())?;
            known.durable = known.written;
        }
        _ => {
            writer.sync()?;
            (known.written, known.durable) = (known.bodies.len(), known.bodies.len());
        }
    }
    Ok(())
}

/// The bodies in a journal, in order. Everything is verified on the way.
pub(crate) fn bodies(disk: &Disk) -> Result<Vec<messages::Halt>, JournalError> {
    let reader = Reader::new(Arc::new(disk.clone()), 0)?;
    let mut found = Vec::new();
    for record in reader {
        if let Entry::Halt(halt) = record?.entry().expect("what we wrote") {
            found.push(halt);
        }
    }
    Ok(found)
}

/// Opens what was found after a crash and checks it against what the program knew: at least the first `least` bodies are
/// there, nothing else is, and no id is given twice. How many are there.
pub(crate) fn recover(disk: &Disk, known: &Knowledge, least: usize) -> usize {
    let (mut writer, _syncer, recovered) = open(disk).unwrap_or_else(|error| panic!("{error}"));
    let found = bodies(disk).unwrap_or_else(|error| panic!("{error}"));
    assert!(found.len() >= least, "{} of {least} bodies are left", found.len());
    assert_eq!(found, known.bodies[..found.len()], "what is left is what was written, from the first on");
    assert!(known.ids.iter().all(|id| *id < recovered.ids_end), "an id that was given is in no block");
    writer.begin(NOW, messages::SessionStart::default()).expect("the disk is sound again");
    let fresh = writer.next_id(NOW).expect("the disk is sound again");
    assert!(!known.ids.contains(&fresh), "id {fresh} is given twice");
    writer.append(NOW, &body(u64::MAX, 5)).expect("the disk is sound again");
    let after = bodies(disk).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(after.len(), found.len() + 1, "the journal goes on where it ended");
    let mut reader = Reader::new(Arc::new(disk.clone()), 0).expect("a journal");
    while reader.next_record().expect("sound").is_some() {}
    assert_eq!(reader.tail().expect("sound"), None, "nothing is left of what was cut off");
    found.len()
}
