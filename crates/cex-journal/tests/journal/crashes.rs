//! Crashes at every effect, of the process and of the machine, and crashes while recovering from one.

use crate::disk::{Dice, Disk};
use crate::script::{self, Knowledge, recover, session};

const SEEDS: u64 = 4;
const STEPS: u64 = 40;

/// Effects of a session of this seed that is not disturbed.
fn effects(seed: u64) -> u64 {
    let disk = Disk::default();
    let mut known = Knowledge::default();
    session(&disk, seed, STEPS, &mut known).expect("nothing goes wrong");
    assert!(known.closed && known.bodies.len() > 10 && disk.files(".seg").len() > 1);
    disk.effects()
}

/// A disk on which a session of this seed crashed at its effect `at`, and what the session knew.
fn crashed(seed: u64, at: u64, torn_per_mille: usize) -> (Disk, Knowledge) {
    let disk = Disk::default();
    disk.crash_at(at, torn_per_mille);
    let mut known = Knowledge::default();
    session(&disk, seed, STEPS, &mut known).expect_err("the disk is down");
    (disk, known)
}

#[test]
fn after_kill_everything_written_is_there() {
    for seed in 0..SEEDS {
        for at in 0..effects(seed) {
            for torn in [0, 1, 500, 999] {
                let (disk, known) = crashed(seed, at, torn);
                recover(&disk.after_kill(), &known, known.written);
            }
        }
    }
}

#[test]
fn after_power_loss_everything_synced_is_there() {
    for seed in 0..SEEDS {
        for at in 0..effects(seed) {
            let (disk, known) = crashed(seed, at, 700);
            for roll in 0..6 {
                let mut dice = Dice::new(at * 100 + roll);
                recover(&disk.after_power_loss(|bound| dice.below(bound)), &known, known.durable);
            }
        }
    }
}

#[test]
fn recovery_can_crash_at_every_effect_and_be_done_again() {
    let mut crashes = 0;
    for seed in 0..2 {
        for at in 0..effects(seed) {
            let (disk, known) = crashed(seed, at, 300);
            let mut dice = Dice::new(at + 1);
            let found = disk.after_power_loss(|bound| dice.below(bound));
            let undisturbed = recover(&found.after_kill(), &known, known.durable);
            for effect in 0.. {
                let again = found.after_kill();
                again.crash_at(effect, 400);
                // The writer is dropped at once: only what opening does is disturbed.
                let opened = script::open(&again).map(drop);
                if !again.crashed() {
                    opened.expect("nothing was disturbed");
                    break;
                }
                crashes += 1;
                let killed = recover(&again.after_kill(), &known, known.durable);
                let lost = recover(&again.after_power_loss(|bound| dice.below(bound)), &known, known.durable);
                assert_eq!(
                    [killed, lost],
                    [undisturbed; 2],
                    "seed {seed} effect {at}, recovery effect {effect}"
                );
            }
        }
    }
    assert!(crashes > 200, "{crashes} crashes in recovery");
}

#[test]
fn sessions_that_crash_one_after_another_lose_nothing_and_repeat_no_id() {
    for seed in 0..200 {
        let mut dice = Dice::new(seed);
        let mut disk = Disk::default();
        let mut known = Knowledge::default();
        for round in 0..6 {
            disk.crash_at(dice.below(120), dice.below(1_000) as usize);
            let ended = session(&disk, seed * 10 + round, STEPS, &mut known);
            assert_eq!(ended.is_err(), disk.crashed(), "only crashes end a session early");
            let power = dice.below(2) == 0;
            disk = if power { disk.after_power_loss(|bound| dice.below(bound)) } else { disk.after_kill() };
            let least = if power { known.durable } else { known.written };
            let left = recover(&disk.after_kill(), &known, least);
            known.bodies.truncate(left);
            // What a kill leaves in the cache is on disk only when the next session has begun.
            known.durable = if power { left } else { known.durable.min(left) };
            known.written = left;
        }
    }
}

#[test]
fn what_is_cut_off_is_kept_and_told_in_the_next_session() {
    use cex_journal::{Entry, Reader, messages};
    let disk = Disk::default();
    let (mut writer, _syncer, _) = script::open(&disk).expect("a new journal");
    writer.begin(script::NOW, messages::SessionStart::default()).expect("room");
    let seq = writer.append(script::NOW, &script::body(1, 40)).expect("room");
    drop(writer);
    disk.spoil("00000001.seg", |bytes| {
        let end = bytes.iter().rposition(|byte| *byte != 0).expect("records");
        bytes[end - 20..].fill(0);
    });
    let (mut writer, _syncer, recovered) = script::open(&disk).expect("an incomplete end is no damage");
    let cut = recovered.cut.expect("it was cut off");
    assert_eq!((cut.seq, cut.segment), (seq, 1));
    assert!(cut.to_string().starts_with(&format!("incomplete end: 00000001.seg, offset {}, ", cut.offset)));
    let kept = disk.files(".bin");
    assert_eq!((kept.len(), kept[0].1.len() as u64), (1, cut.bytes));
    let again = writer.begin(script::NOW, messages::SessionStart::default()).expect("room");
    assert_eq!(again, seq, "its number is used again: nobody was told it was safe");
    let mut reader = Reader::new(std::sync::Arc::new(disk.clone()), again).expect("a journal");
    let record = reader.next_record().expect("sound").expect("the session's start");
    let Ok(Entry::SessionStart(start)) = record.entry() else { panic!("{record:?}") };
    let told = start.cut.expect("what was cut off");
    assert_eq!((told.offset, told.bytes, told.kept_in), (cut.offset, cut.bytes, vec![kept[0].0.clone()]));
}
