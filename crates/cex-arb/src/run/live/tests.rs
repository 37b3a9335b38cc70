//! What happens between a start that knows all it must and a run.

use super::super::past::Past;
use super::*;
use crate::run::record::Tolerance;
use crate::run::venue::shared_markets;
use crate::show::Told;
use crate::venues::EXCHANGES;
use cex_interface::{Secret, VenueConfig};
use cex_sim::fault::{Fault, Moment, RestEffect};
use cex_sim::server::{SimConfig, SimExchange, SimHandle, SimServer};
use cex_transport::TransportConfig;

/// Shows nothing.
struct Nobody;

impl Show for Nobody {
    fn tell(&mut self, _: &Told) -> std::io::Result<()> {
        Ok(())
    }
}

/// The least that makes sense, of a user whose home is there.
fn configuration(home: &Path) -> Config {
    let path = home.join("arb.toml");
    std::fs::write(&path, "version = 1\n[venues.mexc]\n[venues.gateio]\n").expect("written");
    let around = Surroundings {
        vars: [("HOME".to_owned(), home.display().to_string())].into(),
        directory: home.to_owned(),
    };
    let config = Config::load(Some(&path), &[], &around).map_err(|problems| problems.to_string());
    config.expect("a configuration")
}

/// Whether a run with these exchanges opens once it is ready, and whether its session then has an end: one without may have sent
/// what a loss of power took.
async fn opened(
    (venues, markets): (Vec<Venue>, Vec<Arc<Markets>>),
    quit: &Notify,
    halted: bool,
) -> (Result<bool, Exit>, bool) {
    let place = tempfile::tempdir().expect("a directory");
    let (config, directory) = (configuration(place.path()), Directory(place.path().to_owned()));
    let clock = Clock::new();
    let now = clock.now();
    let (writer, _, _) = journal(config.storage.journal_options(), &directory, now, Past::default())
        .map_err(|failure| failure.what)
        .expect("new");
    let live = |boot: &str| SessionStart {
        mode: messages::Mode::Live.into(),
        boot: boot.to_owned(),
        ..SessionStart::default()
    };
    let writer = begin(writer, now, live("before")).map_err(|failure| failure.what).expect("written");
    let tolerance = Tolerance { lag: config.risk.journal_max_lag_ms, free: config.risk.journal_min_free_mib };
    let recorder = Recorder::new(writer, tolerance, Names::default(), directory.clone());
    if halted {
        directory.put_halt_file(&"somebody").expect("written");
    }
    let viewer = Rc::new(Viewer::spawn(Box::new(Nobody), |_| {}).expect("a thread"));
    let (times, so_far) = ((clock, now, 1), (recorder, None));
    let opening = open(&config, venues, &markets, times, viewer, so_far, (&directory, quit));
    let outcome = opening.await.map(|run| run.is_some()).map_err(|failure| failure.exit);
    let mut past = Past::read(&place.path().join("journal")).expect("a journal");
    past.begins(&live("after"));
    (outcome, past.doubt().is_none())
}

#[test]
fn what_is_stopped_or_halted_once_it_is_ready_opens_nothing_and_ends_its_session() {
    let program = async {
        let opened = async |rung: bool, halted| {
            let quit = Notify::new();
            if rung {
                quit.notify_one();
            }
            opened((Vec::new(), Vec::new()), &quit, halted).await
        };
        assert_eq!(opened(false, false).await, (Ok(true), false), "it runs");
        assert_eq!(opened(true, false).await, (Ok(false), true), "somebody was told that it ends");
        assert_eq!(opened(false, true).await, (Err(Exit::Halted), true));
        assert_eq!(
            opened(true, true).await,
            (Ok(false), true),
            "whoever stops it looks for the file once more"
        );
    };
    Pace::Sleep.block_on(program).expect("a runtime");
}

/// An old program, left running or started by mistake, is found out by what it wrote.
#[test]
fn a_session_names_the_build_that_writes_it() {
    let place = tempfile::tempdir().expect("a directory");
    let start = session(&configuration(place.path()), 7);
    assert_eq!((start.seed, start.version.as_str()), (7, env!("CARGO_PKG_VERSION")));
    assert_eq!((start.build.as_str(), start.host), (crate::BUILD, machine::host()));
    let git = |args: &[&str]| {
        let git =
            std::process::Command::new("git").args(["-C", env!("CARGO_MANIFEST_DIR")]).args(args).output();
        git.is_ok_and(|output| output.status.success())
    };
    // Outside of a checkout nobody can tell. Within one the commit is there, whatever was committed since.
    let commit = start.build.strip_suffix("-dirty").unwrap_or(&start.build);
    if git(&["ls-files", "--error-unmatch", "Cargo.toml"]) {
        assert!(commit.len() >= 12, "{commit}");
        assert!(git(&["cat-file", "-e", &format!("{commit}^{{commit}}")]), "{commit}");
    } else {
        assert_eq!(commit, "unknown");
    }
}

/// What halted, stood open or was lost in the segment that is gone is known to nobody.
#[test]
fn a_start_refuses_a_journal_without_its_beginning() {
    let place = tempfile::tempdir().expect("a directory");
    let directory = Directory(place.path().to_owned());
    let options = cex_journal::Options { segment_bytes: 1 << 16, ..cex_journal::Options::default() };
    let now = Timestamp::from_secs(1_000);
    let (writer, _, _) =
        journal(options, &directory, now, Past::default()).map_err(|failure| failure.what).expect("new");
    let live = SessionStart { mode: messages::Mode::Live.into(), ..SessionStart::default() };
    let mut writer = begin(writer, now, live).map_err(|failure| failure.what).expect("written");
    let halt = messages::Halt { reason: "x".repeat(1 << 14), ..messages::Halt::default() };
    for _ in 0..10 {
        writer.append(now, &halt).expect("room");
    }
    writer.close(now, &messages::SessionEnd::default()).expect("room");
    std::fs::remove_file(place.path().join("journal/00000001.seg")).expect("our own file");
    let refused =
        journal(options, &directory, now, Past::default()).map(drop).expect_err("its first session is gone");
    assert_eq!(refused.exit, Exit::CheckFailed);
    assert!(refused.what.contains("/00000001.seg, offset 0, record 1: the journal's beginning"), "{refused}");
    assert!(
        refused.fix.starts_with("put back 00000001.seg") && refused.fix.contains("/journal away"),
        "{refused}"
    );
    // It is moved away, and the next start begins a new one.
    std::fs::rename(place.path().join("journal"), place.path().join("old")).expect("our own directory");
    assert!(journal(options, &directory, now, Past::default()).is_ok());
}

/// The first exchange, and all it lists.
async fn first(sim: &SimHandle) -> (Vec<Venue>, Vec<Arc<Markets>>) {
    let registration = EXCHANGES[0];
    let exchange = SimExchange::ALL.into_iter().find(|exchange| exchange.name() == registration.name);
    let endpoint = sim.endpoint(exchange.expect("the simulator knows it"));
    let account = sim.accounts().first().expect("an account");
    let config = VenueConfig {
        rest_url: Some(endpoint.rest.clone()),
        ws_url: Some(endpoint.ws.clone()),
        key: Secret::new(account.key.clone()),
        secret: Secret::new(account.secret.clone()),
        ..VenueConfig::public(VenueId::new(0, registration.name).expect("short"))
    };
    let opened = Venue::open(&registration, config, TransportConfig::default(), Clock::new());
    let (venue, rules) = opened.await.unwrap_or_else(|failure| panic!("{failure}"));
    let markets = shared_markets(&[venue.id], vec![rules]).unwrap_or_else(|failure| panic!("{failure}"));
    (vec![venue], markets)
}

#[test]
fn a_stop_ends_a_start_whose_exchange_does_not_tell_of_its_coins() {
    let sim = SimServer::start(SimConfig { seed: 7, symbols: 1, ..SimConfig::default() }).expect("loopback");
    let program = async {
        let exchanges = first(&sim).await;
        let coins = Fault::rest("GET", "/api/v3/capital/config/getall", Moment::Before, RestEffect::Stall);
        sim.inject(SimExchange::ALL[0], coins).expect("a fault it knows");
        let quit = Notify::new();
        let asked = async {
            while sim.fired().expect("it runs").is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            quit.notify_one();
        };
        tokio::join!(opened(exchanges, &quit, false), asked).0
    };
    assert_eq!(Pace::Sleep.block_on(program).expect("a runtime"), (Ok(false), true));
    sim.stop().expect("it stops");
}

#[test]
fn a_stopped_start_that_is_halted_says_so() {
    let program = async {
        let place = tempfile::tempdir().expect("a directory");
        let directory = Directory(place.path().to_owned());
        let kill =
            KillSignal::listen(&directory, Rc::default()).map_err(|failure| failure.what).expect("listens");
        let ended = |how| stopped(&directory, how, &kill).map_err(|failure| failure.exit);
        assert_eq!(ended(Ended::Stopped), Ok(()));
        assert_eq!(ended(Ended::Interrupted), Err(Exit::Interrupted));
        directory.put_halt_file(&"somebody").expect("written");
        assert_eq!(ended(Ended::Stopped), Err(Exit::Halted));
    };
    Pace::Sleep.block_on(program).expect("a runtime");
}

#[test]
fn the_kill_signal_ends_a_start_also_where_no_file_can_hold_the_next() {
    let program = async |can_be_written: bool| {
        let place = tempfile::tempdir().expect("a directory");
        let there = place.path().join(if can_be_written { "" } else { "nowhere" });
        let directory = Directory(there);
        let quit = Rc::new(Notify::new());
        let kill = KillSignal::listen(&directory, Rc::clone(&quit)).map_err(|failure| failure.what);
        let kill = kill.expect("listens");
        let pid = rustix::process::getpid();
        rustix::process::kill_process(pid, rustix::process::Signal::USR1).expect("our own process");
        assert_eq!(unless_stopped(&quit, std::future::pending::<()>()).await, None);
        stopped(&directory, Ended::Stopped, &kill).map_err(|failure| failure.exit)
    };
    for (can_be_written, exit) in [(true, Exit::Halted), (false, Exit::CheckFailed)] {
        let ended = Pace::Sleep.block_on(program(can_be_written)).expect("a runtime");
        assert_eq!(ended, Err(exit));
    }
}

#[test]
fn a_signal_ends_a_start_as_a_stop_does() {
    let program = async {
        let quit = Rc::new(Notify::new());
        let signals = Signals::listen(Rc::clone(&quit)).map_err(|failure| failure.what).expect("listens");
        assert_eq!(signals.how(), Ended::Stopped);
        let pid = rustix::process::getpid();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("our own process");
        let ended = unless_stopped(&quit, std::future::pending::<()>()).await;
        (ended, signals.how())
    };
    assert_eq!(Pace::Sleep.block_on(program).expect("a runtime"), (None, Ended::Terminated));
}
