use super::*;
use crate::run::record::Tolerance;
use crate::show::Told;

/// Shows nothing.
struct Nobody;

impl Show for Nobody {
    fn tell(&mut self, _: &Told) -> std::io::Result<()> {
        Ok(())
    }
}

/// Whether a run with no exchange opens once it is ready, and whether its session then has an end: one without may have sent
/// what a loss of power took.
async fn opened(rung: bool, halted: bool) -> (Result<bool, Exit>, bool) {
    let place = tempfile::tempdir().expect("a directory");
    let path = place.path().join("arb.toml");
    std::fs::write(&path, "version = 1\n[venues.mexc]\n[venues.gateio]\n").expect("written");
    let around = Surroundings {
        vars: [("HOME".to_owned(), place.path().display().to_string())].into(),
        directory: place.path().to_owned(),
    };
    let config = Config::load(Some(&path), &[], &around).map_err(|problems| problems.to_string());
    let (config, directory) = (config.expect("a configuration"), Directory(place.path().to_owned()));
    let clock = Clock::new();
    let now = clock.now();
    let (writer, _, _) = journal(&config, &directory, now).map_err(|failure| failure.what).expect("new");
    let live = |boot: &str| SessionStart {
        mode: messages::Mode::Live.into(),
        boot: boot.to_owned(),
        ..SessionStart::default()
    };
    let writer = begin(writer, now, live("before")).map_err(|failure| failure.what).expect("written");
    let tolerance = Tolerance { lag: config.risk.journal_max_lag_ms, free: config.risk.journal_min_free_mib };
    let recorder = Recorder::new(writer, tolerance, Names::default(), directory.clone());
    let quit = Notify::new();
    if rung {
        quit.notify_one();
    }
    if halted {
        directory.put_halt_file(&"somebody").expect("written");
    }
    let viewer = Rc::new(Viewer::spawn(Box::new(Nobody), || {}).expect("a thread"));
    let (times, so_far) = ((clock, now, 1), (recorder, None));
    let opening = open(&config, Vec::new(), &[], times, viewer, so_far, (&directory, &quit));
    let outcome = tokio::task::LocalSet::new().run_until(opening).await;
    let outcome = outcome.map(|run| run.is_some()).map_err(|failure| failure.exit);
    let mut past = Past::read(&place.path().join("journal")).expect("a journal");
    past.begins(&live("after"));
    (outcome, past.doubt().is_none())
}

#[tokio::test]
async fn what_is_stopped_or_halted_while_its_exchanges_are_asked_last_opens_nothing_and_ends_its_session() {
    assert_eq!(opened(false, false).await, (Ok(true), false), "it runs");
    assert_eq!(opened(true, false).await, (Ok(false), true), "somebody was told that it ends");
    for rung in [false, true] {
        let (outcome, ended) = opened(rung, true).await;
        // Whoever stops it looks for the file once more.
        let wanted = if rung { Ok(false) } else { Err(Exit::Halted) };
        assert_eq!((outcome, ended), (wanted, true), "halted, rung: {rung}");
    }
}

#[test]
fn a_stopped_start_that_is_halted_says_so() {
    let place = tempfile::tempdir().expect("a directory");
    let directory = Directory(place.path().to_owned());
    assert_eq!(stopped(&directory), Ok(()));
    directory.put_halt_file(&"somebody").expect("written");
    assert_eq!(stopped(&directory).map_err(|failure| failure.exit), Err(Exit::Halted));
}
