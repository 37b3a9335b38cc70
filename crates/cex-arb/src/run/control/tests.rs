//! Who is answered what, and what lifts a halt.

use super::*;
use crate::run::desk::tests::quiet_desk;
use crate::run::record::tests::on_failing_disk;
use std::sync::atomic::Ordering;

#[tokio::test]
async fn a_start_tells_that_it_starts_is_ended_by_a_stop_and_acknowledges_nothing() {
    let place = tempfile::tempdir().expect("a directory");
    let directory = Directory(place.path().to_owned());
    let clock = Clock::new();
    let stop = Rc::new(Notify::new());
    let door = Door::new(Starting {
        clock,
        started_at: clock.now(),
        run: "LIVE",
        stop: Rc::clone(&stop),
        directory: directory.clone(),
    });
    let rung = async || tokio::time::timeout(Duration::ZERO, stop.notified()).await.is_ok();
    for (verb, obeyed, ends) in [
        (Verb::Status, true, false),
        (Verb::Resume, false, false),
        (Verb::Stop, true, true),
        (Verb::StopFlat, false, false),
        (Verb::Kill, true, true),
    ] {
        let answer = door.obey(verb);
        let mode = answer.status.map(|status| status.mode);
        assert_eq!((answer.ok, mode.as_deref()), (obeyed, Some("starting")), "{verb:?}");
        assert_eq!(answer.error.is_some(), !obeyed, "{verb:?}");
        assert_eq!(rung().await, ends, "{verb:?}");
        assert_eq!(directory.is_halted(), verb == Verb::Kill, "{verb:?}");
    }
}

#[test]
fn a_directory_has_one_run_at_a_time() {
    let place = tempfile::tempdir().expect("a directory");
    let directory = Directory(place.path().to_owned());
    let first = directory.claim().expect("free");
    let second = directory.claim().map(drop).map_err(|error| error.kind());
    assert_eq!(second, Err(io::ErrorKind::AddrInUse));
    drop(first);
    directory.claim().expect("free again");
}

#[test]
fn a_halt_file_that_cannot_be_looked_for_counts_as_there() {
    let place = tempfile::tempdir().expect("a directory");
    let file = place.path().join("file");
    std::fs::write(&file, "").expect("written");
    assert!(!Directory(place.path().to_owned()).is_halted());
    assert!(Directory(file).is_halted(), "no directory at all");
}

#[test]
fn a_run_that_ended_in_order_is_told_from_every_other() {
    let place = tempfile::tempdir().expect("a directory");
    let directory = Directory(place.path().to_owned());
    let (pid, at) = (std::process::id(), Timestamp::from_millis(1_700_000_000_123));
    assert!(!directory.has_ended(pid, at.as_millis()), "none has");
    directory.note_ended(at);
    assert!(directory.has_ended(pid, at.as_millis()));
    assert!(!directory.has_ended(pid, at.as_millis() + 1), "a later one of the same number");
    assert!(!directory.has_ended(pid + 1, at.as_millis()));
}

fn controls(desk: &Desk, directory: Directory) -> Controls {
    Controls {
        started_at: desk.look(|now, _, _, _| now),
        desk: desk.clone(),
        names: Names::default(),
        stop: Rc::default(),
        draining: Rc::default(),
        flatten: Rc::default(),
        directory,
        run: "LIVE",
        halted_for: RefCell::default(),
    }
}

/// What came between is nothing that whoever resumes can have looked at.
#[test]
fn a_resume_lifts_nothing_that_came_after_what_was_looked_at() {
    let place = tempfile::tempdir().expect("a directory");
    let desk = quiet_desk(&[]);
    let controls = controls(&desk, Directory(place.path().to_owned()));
    let halts = |controls: &Controls| controls.status().halts;
    let resume = |seen| controls.obey(Question { verb: Verb::Resume, seen });
    assert_eq!(halts(&controls), Some(0));
    desk.halt("operator", "arb kill");
    let seen = halts(&controls);
    desk.halt("R36", "more orders left than were approved");
    let refused = resume(seen);
    assert!(!refused.ok && desk.is_halted() && refused.fix.is_some_and(|fix| fix.contains("look again")));
    assert!(resume(halts(&controls)).ok && !desk.is_halted());
    desk.halt("operator", "arb kill");
    assert!(resume(None).ok && !desk.is_halted(), "an older client does not tell");
}

/// A file that the run has not seen is a halt of which nobody can know what it was for.
#[test]
fn a_resume_takes_no_halt_file_away_that_the_run_has_not_halted_for() {
    let place = tempfile::tempdir().expect("a directory");
    let desk = quiet_desk(&[]);
    let controls = controls(&desk, Directory(place.path().to_owned()));
    let directory = &controls.directory;
    directory.put_halt_file(&"somebody").expect("written");
    assert!(!controls.obey(Verb::Resume).ok && directory.is_halted(), "not seen yet");
    assert!(controls.look_for_halt_file(false) && desk.is_halted());
    let halts = desk.halts();
    assert!(controls.look_for_halt_file(true) && desk.halts() == halts, "it is told of once");
    directory.put_halt_file(&"somebody else").expect("written");
    assert!(!controls.obey(Verb::Resume).ok && directory.is_halted() && desk.is_halted(), "another one");
    assert!(controls.look_for_halt_file(true) && desk.halts() > halts, "it halts once more");
    assert!(controls.obey(Verb::Resume).ok && !directory.is_halted() && !desk.is_halted());
    assert!(!controls.look_for_halt_file(true) && !desk.is_halted());
}

#[test]
fn a_run_that_drains_does_not_say_that_it_is_halted() {
    let place = tempfile::tempdir().expect("a directory");
    let desk = quiet_desk(&[]);
    let controls = controls(&desk, Directory(place.path().to_owned()));
    desk.tell_engine(cex_engine::Event::Kill);
    assert!(!controls.status().halted && desk.look(|_, view, _, _| view.killed));
    desk.halt("operator", "arb kill");
    assert!(controls.status().halted);
}

/// Whoever gave up waiting may have halted it again by then, as anybody may.
#[tokio::test]
async fn a_halt_is_lifted_for_nobody_who_has_gone_away() {
    let place = tempfile::tempdir().expect("a directory");
    let directory = Directory(place.path().to_owned());
    let desk = quiet_desk(&[]);
    let starting = Starting {
        clock: Clock::new(),
        started_at: Timestamp::from_millis(0),
        run: "LIVE",
        stop: Rc::default(),
        directory: directory.clone(),
    };
    let door = Door::new(starting);
    door.leads_to(Rc::new(controls(&desk, directory)));
    for waits in [false, true] {
        desk.halt("operator", "arb kill");
        let (client, engine) = UnixStream::pair().expect("sockets");
        let (answers, mut asks) = client.into_split();
        asks.write_all(b"{\"verb\":\"resume\"}\n").await.expect("it is there");
        // Who closes its writing side alone still waits.
        asks.shutdown().await.expect("it is there");
        let answers = waits.then_some(answers);
        drop(asks);
        // The kernel tells of both in one turn.
        tokio::time::sleep(Duration::from_millis(1)).await;
        answer(engine, &door).await.expect("a question");
        assert_eq!(desk.is_halted(), !waits);
        drop(answers);
    }
}

#[test]
fn nobody_acknowledges_what_no_record_would_tell_the_next_run_of() {
    let place = tempfile::tempdir().expect("a directory");
    let (recorder, directory, broken) = on_failing_disk(place.path());
    let desk = quiet_desk(&[]);
    desk.record_into(recorder);
    let controls = controls(&desk, directory);
    assert!(controls.obey(Verb::Resume).ok);
    assert!(controls.obey(Verb::Stop).ok);
    let late = controls.obey(Verb::StopFlat);
    assert!(!late.ok && !controls.flatten.get(), "what ends already trades nothing away: {late:?}");
    controls.draining.set(false);
    assert!(controls.obey(Verb::StopFlat).ok && controls.flatten.get());
    assert!(controls.obey(Verb::StopFlat).ok, "asked for once more");
    controls.draining.set(false);
    broken.store(true, Ordering::Relaxed);
    desk.halt("operator", "arb kill");
    let halt_file = controls.directory.halt_file();
    assert!(halt_file.exists(), "the halt could not be written either");
    let answer = controls.obey(Verb::Resume);
    assert!(!answer.ok && answer.fix.is_some_and(|fix| fix.contains("mend the disk")));
    assert!(halt_file.exists() && desk.is_halted());
}
