//! What is said to an engine, or in its place, and told of its answer.

use super::super::control::{self, Door, Starting};
use super::resume::{Lifted, Meant, lift, take_away, tell_lifted};
use super::*;
use cex_core::Timestamp;
use cex_transport::Clock;
use std::rc::Rc;

/// A halted directory, and the configuration of its runs.
fn halted() -> (tempfile::TempDir, Config, Directory) {
    let place = tempfile::tempdir().expect("a directory");
    let path = place.path().join("arb.toml");
    std::fs::write(&path, "version = 1\n[venues.mexc]\n[venues.gateio]\n").expect("written");
    let around = Surroundings {
        vars: [("HOME".to_owned(), place.path().display().to_string())].into(),
        directory: place.path().to_owned(),
    };
    let config = Config::load(Some(&path), &[], &around).map_err(|problems| problems.to_string());
    let directory = Directory(place.path().to_owned());
    directory.put_halt_file(&"somebody").expect("written");
    (place, config.expect("a configuration"), directory)
}

#[test]
fn a_stop_tells_what_the_run_left() {
    let told = |ended, mode: &str, unfinished, halted| {
        let status = Status { mode: mode.to_owned(), run: "LIVE".to_owned(), ..Status::default() };
        how_it_ended(ended, &status, (unfinished, 0), halted).err()
    };
    let exit =
        |ended, mode: &str, unfinished| told(ended, mode, unfinished, false).map(|failure| failure.exit);
    assert_eq!(exit("stopped", "active", 0), None);
    assert_eq!(exit("stopped", "active", 1), Some(Exit::Residual));
    assert_eq!(exit(RESIDUAL, "active", 0), Some(Exit::Residual));
    assert_eq!(exit(HALTED, "active", 1), Some(Exit::Halted));
    assert_eq!(exit("", "active", 0), Some(Exit::CheckFailed), "it died");
    assert_eq!(exit("", STARTING, 0), None, "its session had not begun");
    // The next run finds out what became of it only where there may be one.
    let fix = |halted| told(RESIDUAL, "active", 1, halted).expect("something is open").fix;
    assert!(fix(false).starts_with("arb run finds out"), "{}", fix(false));
    assert!(fix(true).ends_with("arb resume --take-over") && !fix(true).contains("arb run"), "{}", fix(true));
}

#[test]
fn an_engine_of_another_mode_is_not_taken_for_none() {
    let place = tempfile::tempdir().expect("a directory");
    let live = Directory(place.path().to_owned());
    let paper = live.on_paper();
    std::fs::create_dir(&paper.0).expect("a directory");
    assert_eq!(live.engine_of_another_mode(), None);
    let fix = |asked: &Directory| {
        let failure = ask(asked, Verb::Status).expect_err("none of this mode runs");
        assert_eq!(failure.exit, Exit::NotRunning);
        failure.fix
    };
    let listener = std::os::unix::net::UnixListener::bind(paper.socket()).expect("our own directory");
    assert!(fix(&live).contains("--set mode=paper"));
    drop(listener);
    let _listener = std::os::unix::net::UnixListener::bind(live.socket()).expect("our own directory");
    assert!(fix(&paper).contains("leave mode"));
}

/// Whoever resumes a run on paper and forgets to say so must not give away what a live one left open.
#[test]
fn a_halt_stays_where_an_engine_of_another_mode_runs() {
    let (_place, config, directory) = halted();
    let paper = directory.on_paper();
    std::fs::create_dir(&paper.0).expect("a directory");
    let _listener = std::os::unix::net::UnixListener::bind(paper.socket()).expect("our own directory");
    let refused = lift(&config, &directory, Meant::default()).expect_err("the wrong one is meant");
    assert_eq!(refused.exit, Exit::NotRunning);
    assert!(refused.fix.starts_with("if that one is meant: add --set mode=paper; if the one"), "{refused}");
    assert!(
        directory.halt_file().exists() && !directory.0.join("journal").exists(),
        "nothing is acknowledged"
    );
    // Whoever says which one is meant is believed.
    assert_eq!(
        lift(&config, &directory, Meant { names_mode: true, take_over: false }),
        Ok(Lifted::Alone { theirs: Vec::new() })
    );
}

/// A run that was killed while one leg stood alone.
fn leave_a_leg(directory: &Directory) {
    use cex_journal::messages::{Fill, Intent, Leg, Mode, SessionStart, Side};
    let (path, now) = (directory.0.join("journal"), Timestamp::from_secs(1_000));
    let options = cex_journal::Options::default();
    let mut writer = cex_journal::open_directory(&path, options, now).expect("a journal").writer;
    let start = SessionStart { mode: Mode::Live.into(), seed: 1, ..SessionStart::default() };
    writer.begin(now, start).expect("a disk that works");
    let leg = |venue: &str, client_id: &str, side: Side| Leg {
        venue: venue.to_owned(),
        client_id: client_id.to_owned(),
        side: side.into(),
        price: 10_000,
        price_dp: 2,
        qty: 2_000,
        qty_dp: 3,
        notional: "200".to_owned(),
        ..Leg::default()
    };
    let intent = Intent {
        symbol: "BTC/USDT".to_owned(),
        legs: vec![leg("mexc", "b", Side::Buy), leg("gateio", "s", Side::Sell)],
        purpose: "open".to_owned(),
        ..Intent::default()
    };
    let fill = Fill {
        venue: "mexc".to_owned(),
        symbol: "BTC/USDT".to_owned(),
        trade_id: "1".to_owned(),
        order_id: "o".to_owned(),
        client_id: "b".to_owned(),
        side: Side::Buy.into(),
        price: "100".to_owned(),
        qty: "2".to_owned(),
        ..Fill::default()
    };
    writer.append(now, &intent).expect("room");
    writer.append(now, &fill).expect("room");
}

/// Whoever resumes by habit after a crash must not take the next run's work away from it.
#[test]
fn what_a_crash_left_open_is_taken_over_by_nobody_who_has_not_said_so() {
    let (_place, config, directory) = halted();
    leave_a_leg(&directory);
    let unfinished = || Past::read(&directory.0.join("journal")).expect("sound").unfinished();
    for halted in [true, false] {
        let refused = lift(&config, &directory, Meant::default()).expect_err("something stands open");
        assert_eq!(refused.exit, Exit::Residual);
        assert!(refused.what.contains("arbitrage b, BTC/USDT: 2 bought and not sold"), "{refused}");
        assert!(refused.fix.ends_with("arb resume --take-over"), "{refused}");
        assert_eq!(refused.fix.starts_with("arb run finds out"), !halted, "{refused}");
        assert_eq!((unfinished(), directory.halt_file().exists()), (1, halted), "nothing is acknowledged");
        directory.take_halt_aside().and_then(|_| directory.forget_halt()).expect("ours");
    }
    let lifted = lift(&config, &directory, Meant { take_over: true, ..Meant::default() });
    assert!(matches!(&lifted, Ok(Lifted::Alone { theirs }) if theirs.len() == 1), "{lifted:?}");
    assert_eq!(unfinished(), 0, "no run trades it away");
    assert_eq!(lift(&config, &directory, Meant::default()), Ok(Lifted::Alone { theirs: Vec::new() }));
}

#[test]
fn no_start_and_no_acknowledgement_meet_in_one_journal() {
    let (_place, config, directory) = halted();
    let start = directory.claim().expect("free");
    let refused = lift(&config, &directory, Meant::default()).expect_err("a start has it");
    assert_eq!((refused.exit, refused.fix.as_str()), (Exit::Timeout, "try again"), "{refused}");
    assert!(directory.halt_file().exists() && !directory.0.join("journal").exists());
    drop(start);
    // Somebody of another build may have it without that.
    let path = directory.0.join("journal");
    let options = cex_journal::Options::default();
    let opened = cex_journal::open_directory(&path, options, Timestamp::from_secs(1)).expect("a journal");
    let refused = lift(&config, &directory, Meant::default()).expect_err("another writes it");
    assert_eq!(refused.exit, Exit::Timeout, "{refused}");
    let started = crate::run::live::journal(options, &directory, Timestamp::from_secs(2), Past::default());
    assert_eq!(started.err().map(|failure| failure.exit), Some(Exit::Running), "a supervisor tries again");
    drop(opened);
    assert_eq!(lift(&config, &directory, Meant::default()), Ok(Lifted::Alone { theirs: Vec::new() }));
}

#[test]
fn a_halt_is_another_when_its_file_is_put_there_again() {
    let (_place, _, directory) = halted();
    let seen = directory.halt_mark().expect("ours");
    assert_eq!(directory.halt_mark().expect("ours"), seen);
    directory.put_halt_file(&"somebody else").expect("written");
    let again = directory.halt_mark().expect("ours");
    assert_ne!(again, seen);
    directory.take_halt_aside().and_then(|_| directory.forget_halt()).expect("ours");
    assert_eq!(directory.halt_mark().expect("ours"), None);
}

#[test]
fn a_halt_that_is_put_back_is_the_same_and_one_put_there_meanwhile_stays() {
    let (_place, _, directory) = halted();
    let seen = directory.halt_mark().expect("ours");
    assert_eq!(directory.take_halt_aside().expect("ours"), seen);
    assert!(!directory.halt_file().exists());
    directory.put_halt_back();
    assert_eq!(directory.halt_mark().expect("ours"), seen);
    directory.take_halt_aside().expect("ours");
    directory.put_halt_file(&"somebody else").expect("written");
    directory.forget_halt().expect("ours");
    assert_eq!(directory.halted_by(), Some(directory.halt_file()));
    let at = std::fs::read_dir(&directory.0).expect("ours").count();
    assert!(
        directory.take_halt_aside().is_ok()
            && directory.forget_halt().is_ok()
            && directory.forget_halt().is_ok()
    );
    assert_eq!(std::fs::read_dir(&directory.0).expect("ours").count(), at - 1, "nothing is left of it");
    assert_eq!(directory.take_halt_aside().expect("there is none"), None);
}

/// The file may be all that holds the next start.
#[test]
fn a_halt_outlives_a_resume_that_died_while_it_had_it_aside() {
    let (_place, config, directory) = halted();
    let seen = directory.halt_mark().expect("ours");
    directory.take_halt_aside().expect("ours");
    assert!(directory.is_halted() && directory.halt_mark().expect("ours") == seen);
    let file = directory.halted_by().expect("it is there");
    assert!(file.ends_with("HALT.aside"), "{}", file.display());
    assert_eq!(lift(&config, &directory, Meant::default()), Ok(Lifted::Alone { theirs: Vec::new() }));
    assert!(!directory.is_halted());
}

#[test]
fn where_no_engine_runs_a_halt_that_came_meanwhile_stays() {
    let (_place, _, directory) = halted();
    let looked_at = directory.halt_mark().expect("ours");
    directory.put_halt_file(&"somebody else").expect("written");
    for seen in [looked_at.as_ref(), None] {
        let refused = take_away(&directory, seen).expect_err("nobody has looked at it");
        assert_eq!((refused.exit, directory.is_halted()), (Exit::Halted, true), "{refused}");
    }
    let looked_at = directory.halt_mark().expect("ours");
    assert_eq!(take_away(&directory, looked_at.as_ref()), Ok(()));
    assert!(!directory.is_halted());
}

#[test]
fn a_drain_is_no_halt_and_both_are_said_where_both_hold() {
    let said = |halted, draining| {
        let mut out = Vec::new();
        let status = Status { mode: "active".to_owned(), halted, draining, ..Status::default() };
        print(&status, &mut out).expect("memory");
        let text = String::from_utf8(out).expect("text");
        (text.contains("HALTED"), text.contains("draining"))
    };
    for holds in [(false, false), (false, true), (true, false), (true, true)] {
        assert_eq!(said(holds.0, holds.1), holds);
    }
}

#[test]
fn a_halt_is_lifted_only_once_the_journal_has_it() {
    let (_place, config, directory) = halted();
    let journal = directory.0.join("journal");
    std::fs::write(&journal, "no directory").expect("written");
    let failed = lift(&config, &directory, Meant::default()).expect_err("nothing can be written");
    assert_eq!(failed.exit, Exit::CheckFailed);
    assert!(directory.halt_file().exists(), "the next start is held");
    std::fs::remove_file(&journal).expect("it is there");
    assert_eq!(lift(&config, &directory, Meant::default()), Ok(Lifted::Alone { theirs: Vec::new() }));
    assert!(!directory.halt_file().exists());
    assert!(journal.is_dir());
    let mut records = cex_journal::Reader::of_directory(&journal, 0).expect("a journal");
    let first = records.next_record().expect("sound").expect("a session").entry();
    let Ok(cex_journal::Entry::SessionStart(start)) = first else { panic!("{first:?}") };
    assert_eq!((start.build.as_str(), start.pid), (crate::BUILD, std::process::id()));
}

#[test]
fn no_acknowledgement_lifts_a_halt_over_a_journal_without_its_beginning() {
    let (_place, config, directory) = halted();
    let path = directory.0.join("journal");
    let options = cex_journal::Options { segment_bytes: 1 << 16, ..cex_journal::Options::default() };
    let now = Timestamp::from_secs(1_000);
    let mut writer = cex_journal::open_directory(&path, options, now).expect("a journal").writer;
    let halt = cex_journal::messages::Halt { reason: "x".repeat(1 << 14), ..Default::default() };
    for _ in 0..10 {
        writer.append(now, &halt).expect("room");
    }
    drop(writer);
    std::fs::remove_file(path.join("00000001.seg")).expect("our own file");
    let refused = lift(&config, &directory, Meant::default()).expect_err("nobody knows what it said");
    assert_eq!(refused.exit, Exit::CheckFailed);
    assert!(refused.what.contains("/00000001.seg, ") && refused.what.contains("beginning"), "{refused}");
    assert!(directory.halt_file().exists(), "the next start is held");
}

#[test]
fn a_start_tells_no_sums_that_it_has_not_read() {
    let said = |mode: &str| {
        let mut out = Vec::new();
        let status = Status { mode: mode.to_owned(), pnl_day: "0".to_owned(), ..Status::default() };
        print(&status, &mut out).expect("memory");
        String::from_utf8(out).expect("text")
    };
    assert!(said("active").contains("of the day 0 with 0 orders"), "{}", said("active"));
    let starting = said(STARTING);
    assert!(!starting.contains("of the day") && starting.contains("is being read"), "{starting}");
}

#[test]
fn what_is_refused_is_never_taken_for_an_engine_that_is_not_there() {
    let exit = |mode: &str, draining, journal: &str| {
        let (mode, journal) = (mode.to_owned(), journal.to_owned());
        refusal(&Status { mode, draining, journal, ..Status::default() })
    };
    assert_eq!(exit(STARTING, false, "well"), Exit::Timeout);
    assert_eq!(exit("active", true, "failed"), Exit::Timeout);
    assert_eq!(exit("active", false, "failed"), Exit::CheckFailed);
    assert_eq!(exit("active", false, "well"), Exit::Halted, "the halt file cannot be removed");
}

#[test]
fn whoever_stops_or_resumes_is_told_what_stands_open() {
    let left = ["arbitrage x-1b, BTC/USDT: 0.5 bought and not sold".to_owned()];
    let said = |tell: &dyn Fn(&mut Vec<u8>) -> std::io::Result<()>| {
        let mut out = Vec::new();
        tell(&mut out).expect("memory");
        String::from_utf8(out).expect("text")
    };
    let line =
        Stopped { event: "stopped", pid: 7, ended: "residual", unfinished: 1, undecided: 0, left: &left };
    let text = said(&|out| tell_stopped(&line, 2, false, out));
    assert!(
        text.ends_with(
            "orders are undecided\n  left open: arbitrage x-1b, BTC/USDT: 0.5 bought and not sold\n"
        )
    );
    let json = said(&|out| tell_stopped(&line, 2, true, out));
    assert!(json.contains(r#""left":["arbitrage x-1b, BTC/USDT: 0.5 bought and not sold"]"#), "{json}");
    let text = said(&|out| tell_lifted(&left, false, out));
    assert!(text.contains("yours from now on") && text.contains("0.5 bought"), "{text}");
    let json = said(&|out| tell_lifted(&[], true, out));
    assert_eq!(json, "{\"event\":\"resumed\",\"running\":false,\"left\":[]}\n");
}

#[tokio::test]
async fn a_halt_stays_where_a_start_refuses_to_lift_it() {
    let (_place, config, directory) = halted();
    let listener = control::listen(&directory.socket()).expect("nobody else is there");
    let clock = Clock::new();
    let started_at = clock.now();
    let starting =
        Starting { clock, started_at, run: "LIVE", stop: Rc::default(), directory: directory.clone() };
    let asked = tokio::task::spawn_blocking({
        let directory = directory.clone();
        move || lift(&config, &directory, Meant::default())
    });
    let here = tokio::task::LocalSet::new();
    here.spawn_local(control::serve(listener, Rc::new(Door::new(starting))));
    let refused = here.run_until(asked).await.expect("it ends").expect_err("it only starts");
    assert_eq!((refused.exit, refused.fix.contains("try again")), (Exit::Timeout, true), "{refused}");
    assert!(refused.what.contains("it is starting"), "{}", refused.what);
    assert!(directory.halt_file().exists());
}
