//! `arb run`: the engine against the exchanges of a configuration, observing or trading.

use super::cancel;
use super::coins::Coins;
use super::control::{self, Controls, Directory, Door, Starting};
use super::dead_man::DeadMan;
use super::desk::Desk;
use super::fees::{self, Told};
use super::finish::finish;
use super::limits;
use super::machine;
use super::pace::Pace;
use super::paper::Paper;
use super::past::Past;
use super::ready::{Ready, is_written, ready, unless_stopped};
use super::reasons::Reasons;
use super::reconcile::Reconciler;
use super::record::Recorder;
use super::recover::{Leveled, Unfinished, leveled, standing_open};
use super::signals::{Ended, KillSignal, Signals};
use super::venue::{PendingLink, Venue};
use super::watchdog;
use crate::cli::RunArgs;
use crate::config::command::failure;
use crate::config::{Config, Mode, Surroundings};
use crate::exit::{Exit, Failure};
use crate::show::json::Json;
use crate::show::lines::Lines;
use crate::show::screen::{Screen, give_back};
use crate::show::{Names, Show, Viewer, Wish};
use crate::{crash, log};
use cex_core::{Bps, Markets, SymbolId, Timestamp, VenueId};
use cex_engine::{Commands, Engine, Event, VenueSetup};
use cex_journal::messages::{self, SessionStart};
use cex_journal::{JournalError, Recovered, SyncPolicy, Writer};
use cex_transport::Clock;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io::{BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// Whose log lines are shown though nothing is wrong: a start takes its time, and says with what.
pub(super) const START: &str = "start";

/// Runs the command.
///
/// # Errors
/// With the exit code that says why it ended.
pub fn run(args: &RunArgs) -> Result<(), Failure> {
    let around = Surroundings::real();
    let config =
        Config::load(args.config.as_deref(), &args.set, &around).map_err(|problems| failure(&problems))?;
    may_run(args, &config)?;
    let directory = place(&config);
    make(&directory)?;
    crash::keep_in(&directory.0);
    let pace = Pace::of(args.spin, args.sleep);
    pace.block_on(trade(args, &config, directory))
        .map_err(|error| Failure::new(Exit::Internal, format!("no runtime: {error}"), ""))?
}

/// Real orders need the mode, the flag, and the name of the accounts.
fn may_run(args: &RunArgs, config: &Config) -> Result<(), Failure> {
    let refuse = |what: &str, fix: String| Err(Failure::new(Exit::BadConfig, what, fix));
    match (config.mode, args.live) {
        (Mode::Observe | Mode::Paper, false) => Ok(()),
        (Mode::Observe | Mode::Paper, true) => refuse(
            "--live, but the configuration says another mode",
            "set mode = \"live\" to trade".to_owned(),
        ),
        (Mode::Live, false) => refuse(
            "mode is \"live\", and --live is not given",
            "arb run --live places real orders".to_owned(),
        ),
        (Mode::Live, true) => {
            let label = label(config);
            let given = match &args.yes_live {
                Some(given) => given.clone(),
                None if std::io::stdin().is_terminal() => ask(&label),
                None => String::new(),
            };
            if given == label {
                return Ok(());
            }
            refuse("the accounts were not named", format!("--yes-live {label} places real orders there"))
        }
    }
}

/// What the accounts are called: their exchanges, joined.
fn label(config: &Config) -> String {
    let names: Vec<&str> = config.venues.iter().map(|venue| venue.exchange.name).collect();
    names.join("+")
}

fn ask(label: &str) -> String {
    // Whoever cannot be asked has not named them.
    let _ = write!(std::io::stderr(), "this places real orders. Type {label} to go on: ");
    let _ = std::io::stderr().flush();
    let mut line = String::new();
    // What cannot be read is not the label.
    let _ = std::io::stdin().lock().read_line(&mut line);
    line.trim().to_owned()
}

/// Where a run keeps what outlives it.
pub(super) fn place(config: &Config) -> Directory {
    let shared = Directory(PathBuf::from(&config.storage.dir));
    if config.mode == Mode::Paper { shared.on_paper() } else { shared }
}

/// Makes a run's directory when it is not there, for its owner alone, and on disk before anything stands in it.
///
/// # Errors
/// When it cannot be made.
pub(super) fn make(directory: &Directory) -> Result<(), Failure> {
    cex_journal::storage::make_directory(&directory.0).map_err(|error| {
        let what = format!("{}: {error}", directory.0.display());
        Failure::new(Exit::BadConfig, what, "name another storage.dir")
    })
}

async fn trade(args: &RunArgs, config: &Config, directory: Directory) -> Result<(), Failure> {
    if let Err(failure) = no_halt_file(&directory) {
        tell_left(&directory);
        return Err(failure);
    }
    let clock = Clock::new();
    let started_at = clock.now();
    // Before the socket: whoever comes second must not take it from whoever came first.
    let _claim = directory.claim().map_err(|error| no_place(&directory.0, &error))?;
    let listener =
        control::listen(&directory.socket()).map_err(|error| no_place(&directory.socket(), &error))?;
    let quit = Rc::new(Notify::new());
    let signals = Signals::listen(Rc::clone(&quit))?;
    let kill = KillSignal::listen(&directory, Rc::clone(&quit))?;
    let starting = Starting {
        clock,
        started_at,
        run: mode_name(config.mode),
        stop: Rc::clone(&quit),
        directory: directory.clone(),
    };
    let door = Rc::new(Door::new(starting));
    let serving = tokio::task::spawn_local(control::serve(listener, Rc::clone(&door)));
    let (writer, recovered, mut past) = read_aside(config, &directory, started_at).await?;
    tracing::info!(target: START, records = writer.next_seq(), "the journal is read");
    let epoch = past.next_epoch(started_at);
    let start = session(config, epoch);
    past.begins(&start);
    let unfinished = Unfinished::new(past)?;
    let writer = begin(writer, started_at, start)?;
    let so_far = (writer, unfinished);
    let ready = ready(config, &directory, (clock, epoch), recovered.halt, so_far, &quit).await?;
    let Some(Ready { venues, markets, names, recorder, unfinished }) = ready else {
        return stopped(&directory, signals.how(), &kill);
    };
    let viewer = match viewer(args, config.mode, names.clone(), &directory) {
        Ok(viewer) => Rc::new(viewer),
        Err(failure) => return Err(given_up(clock.now(), recorder, unfinished.as_ref(), failure)),
    };
    let symbols = markets.first().map_or(0, |markets| markets.len());
    tracing::info!(target: START, symbols, "books are joined from here on");
    let times = (clock, started_at, epoch);
    let so_far = (recorder, unfinished);
    let opened =
        open(config, venues, &markets, times, Rc::clone(&viewer), so_far, (&directory, &quit)).await?;
    let Some((mut running, adopted)) = opened else {
        return stopped(&directory, signals.how(), &kill);
    };
    if Pace::of(args.spin, args.sleep) == Pace::Alert {
        running.helpers.push(tokio::task::spawn_local(running.desk.clone().stay_alert()));
    }
    let controls = Rc::new(Controls {
        desk: running.desk.clone(),
        names,
        stop: Rc::clone(&quit),
        draining: Rc::new(Cell::new(false)),
        flatten: Rc::new(Cell::new(false)),
        directory,
        started_at,
        run: mode_name(config.mode),
        halted_for: RefCell::default(),
    });
    door.leads_to(Rc::clone(&controls));
    let (heart, watchdog) = watchdog::watch(config.risk.watchdog_ms, || {
        // Whoever reads it is not waited for long: that may be what stands still.
        give_back();
        log::say("R35: the trading thread stands still: the process is ended, the next start recovers");
        std::process::abort();
    })
    .map_err(|error| Failure::new(Exit::Internal, format!("no thread for the watchdog: {error}"), ""))?;
    let helpers = [
        tokio::task::spawn_local(heart.keep_beating(config.risk.watchdog_ms)),
        serving,
        tokio::task::spawn_local(Rc::clone(&controls).watch_halt_file()),
        tokio::task::spawn_local(kill.throws(running.desk.clone())),
        tokio::task::spawn_local(running.desk.clone().watch()),
        tokio::task::spawn_local(level_first(running.desk.clone(), adopted, Rc::clone(&quit))),
    ];
    let ended = tokio::select! {
        () = tokio::time::sleep(args.seconds.map_or(Duration::MAX, Duration::from_secs)) => Ended::TimeUp,
        () = quit.notified() => signals.how(),
    };
    controls.draining.set(true);
    // From here on every wait has its own end, and a slow disk must not look like a thread that stands still.
    drop(watchdog);
    let flatten = controls.flatten.get().then_some(config.risk.flatten_collar_bps);
    let how = (ended, controls.run, flatten);
    let (summary, verdict, flat) = finish(running, &viewer, epoch, how, &controls.directory).await;
    helpers.iter().for_each(JoinHandle::abort);
    // Where an order may rest yet, `arb watch` takes us for one that is gone, and cancels until none does.
    if flat {
        controls.directory.note_ended(started_at);
        let _ = std::fs::remove_file(controls.directory.socket());
    }
    drop((controls, door));
    Viewer::end(viewer, summary).await;
    verdict
}

/// Why a run has no place there.
fn no_place(path: &Path, error: &std::io::Error) -> Failure {
    let what = format!("{}: {error}", path.display());
    if error.kind() == std::io::ErrorKind::AddrInUse {
        let fix = "another arb runs there: arb status; or name another storage.dir";
        return Failure::new(Exit::Running, what, fix);
    }
    let fix = "name a storage.dir that can be written, with a path of less than 90 bytes";
    Failure::new(Exit::BadConfig, what, fix)
}

/// Somebody ended a start: nothing was opened, and nobody listens any more.
fn stopped(directory: &Directory, ended: Ended, kill: &KillSignal) -> Result<(), Failure> {
    tracing::warn!("stopped while it was starting: what earlier runs left is the next start's");
    // It goes away with the process, as far as anybody can tell who asks there.
    let _ = std::fs::remove_file(directory.socket());
    no_halt_file(directory)?;
    if kill.came() {
        let what = format!("halted, but {} could not be written", directory.halt_file().display());
        return Err(Failure::new(Exit::CheckFailed, what, "create it by hand before anything is started"));
    }
    ended.verdict()
}

/// Whether nothing holds every run.
fn no_halt_file(directory: &Directory) -> Result<(), Failure> {
    if let Some(file) = directory.halted_by() {
        let what = format!("halted: {} is there", file.display());
        return Err(Failure::new(Exit::Halted, what, "look at both accounts, then: arb resume"));
    }
    Ok(())
}

/// Says what earlier runs left open to whoever is sent to the accounts before the journal was read. Where it cannot be, the start
/// ends as it would have.
fn tell_left(directory: &Directory) {
    let past = Past::read(&directory.0.join("journal"));
    for left in past.map(|past| standing_open(&past)).unwrap_or_default() {
        log::mention(&format!("left open by earlier runs: {left}"));
    }
}

/// Opens nothing before what earlier runs left open is level. What cannot be made so is an operator's: the run halts, over
/// restarts too, and ends.
async fn level_first(desk: Desk, adopted: usize, quit: Rc<Notify>) {
    if adopted == 0 {
        return;
    }
    loop {
        match desk.look(|_, view, _, _| leveled(view)) {
            Leveled::All => break,
            Leveled::NotYet => tokio::time::sleep(Duration::from_millis(20)).await,
            Leveled::NotAll => {
                desk.halt("recovery", "what an earlier run left open could not be traded away");
                return quit.notify_one();
            }
        }
    }
    tracing::info!(arbitrages = adopted, "what earlier runs left open is level");
    desk.tell_engine(Event::Mode(cex_risk::Mode::Active));
}

/// The journal of a run, read on a thread of its own: a long one takes its time, and whoever asks is answered meanwhile.
async fn read_aside(
    config: &Config,
    directory: &Directory,
    now: Timestamp,
) -> Result<(Writer, Recovered, Past), Failure> {
    let (options, directory) = (config.storage.journal_options(), directory.clone());
    let past = Past::under(config.risk.limits());
    let read = tokio::task::spawn_blocking(move || journal(options, &directory, now, past)).await;
    read.unwrap_or_else(|error| {
        Err(Failure::new(Exit::Internal, format!("the journal's reader: {error}"), ""))
    })
}

/// The journal of a run, and what it says, in one reading: `past` has nothing read yet.
pub(super) fn journal(
    options: cex_journal::Options,
    directory: &Directory,
    now: Timestamp,
    mut past: Past,
) -> Result<(Writer, Recovered, Past), Failure> {
    let path = directory.0.join("journal");
    let opened = cex_journal::open_directory_reading(&path, options, now, &mut |record| past.take(record));
    let opened = opened.map_err(|error| match error {
        // A start that is tried again finds it free.
        JournalError::Locked { .. } => Failure::new(
            Exit::Running,
            error.to_string(),
            "wait until that has ended; arb status, if it is a run",
        ),
        error => Failure::new(Exit::CheckFailed, error.to_string(), error.remedy()),
    })?;
    if let Some(cut) = &opened.recovered.cut {
        tracing::warn!(%cut, "an incomplete record at the journal's end was cut off");
    }
    Ok((opened.writer, opened.recovered, past))
}

/// Opens the journal of a run, for its one writer.
///
/// # Errors
/// When another program writes it, or it is damaged.
pub fn open_journal(
    config: &Config,
    directory: &Directory,
    now: Timestamp,
) -> Result<(Writer, Recovered), JournalError> {
    let options = config.storage.journal_options();
    let opened = cex_journal::open_directory(&directory.0.join("journal"), options, now)?;
    Ok((opened.writer, opened.recovered))
}

/// What a session of this run begins with. Its epoch stands in every client order id of it.
fn session(config: &Config, epoch: u64) -> SessionStart {
    SessionStart {
        seed: epoch,
        config_hash: config.hash.to_vec(),
        mode: match config.mode {
            Mode::Observe => messages::Mode::Observe,
            Mode::Paper => messages::Mode::Paper,
            Mode::Live => messages::Mode::Live,
        }
        .into(),
        strict: config.storage.journal_options().sync == SyncPolicy::Strict,
        ..of_this_process()
    }
}

/// What every session says of the program that writes it, and of where that runs. Nothing is decided by its build: it tells an old
/// program that somebody left running, or started, from the one that was meant (C8).
pub(super) fn of_this_process() -> SessionStart {
    SessionStart {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        build: crate::BUILD.to_owned(),
        host: machine::host(),
        pid: std::process::id(),
        boot: machine::boot(),
        ..SessionStart::default()
    }
}

/// Begins a session: it is on disk before any of its ids is used.
pub(super) fn begin(mut writer: Writer, now: Timestamp, start: SessionStart) -> Result<Writer, Failure> {
    writer
        .begin(now, start)
        .map_err(|error| Failure::new(Exit::CheckFailed, error.to_string(), error.remedy()))?;
    Ok(writer)
}

/// Whether an account has a key at all: without one only books are seen.
fn has_key(config: &Config, index: usize) -> bool {
    config.mode != Mode::Paper && config.venues.get(index).is_some_and(|venue| !venue.config.key.is_empty())
}

/// The settings of an exchange; on paper without its key, so that nothing private can be asked whatever goes wrong.
pub(super) fn without_key(config: &Config, venue: &crate::config::Venue) -> cex_interface::VenueConfig {
    let mut settings = venue.config.clone();
    if config.mode == Mode::Paper {
        settings.key = cex_interface::Secret::default();
        settings.secret = cex_interface::Secret::default();
    }
    settings
}

/// The running trading thread.
pub(super) struct Running {
    pub(super) desk: Desk,
    pub(super) links: Vec<JoinHandle<()>>,
    pub(super) helpers: Vec<JoinHandle<()>>,
    /// Where orders are cancelled when we are not heard of any more.
    pub(super) dead_man: Vec<DeadMan>,
}

/// What its exchanges say last, and the run with what earlier ones left: how many arbitrages that is. `None` when it was stopped
/// before its links started.
async fn open(
    config: &Config,
    mut venues: Vec<Venue>,
    markets: &[Arc<Markets>],
    (clock, started_at, epoch): (Clock, Timestamp, u64),
    viewer: Rc<Viewer>,
    (mut recorder, unfinished): (Recorder, Option<Unfinished>),
    (directory, stop): (&Directory, &Notify),
) -> Result<Option<(Running, usize)>, Failure> {
    let undecided = unfinished.as_ref().map_or(0, Unfinished::undecided_orders);
    let SetUp { setups, fees_told, pending } =
        match unless_stopped(stop, set_up(config, &mut venues, markets)).await {
            Some(Ok(set_up)) => set_up,
            Some(Err(failure)) => return Err(given_up(clock.now(), recorder, unfinished.as_ref(), failure)),
            None => {
                recorder.abandon(clock.now(), undecided);
                return Ok(None);
            }
        };
    let settings = limits::settings(config);
    let rests: Vec<_> = venues.iter().map(|venue| (venue.id, Arc::clone(&venue.rest))).collect();
    let switches: Vec<_> = venues
        .iter()
        .filter(|venue| config.mode == Mode::Live && venue.protocol.capabilities().dead_man_switch)
        .map(|venue| Arc::clone(&venue.rest))
        .collect();
    let at_first: Vec<_> =
        setups.iter().zip(&fees_told).map(|(setup, told)| fees::reckoned_at_first(setup, *told)).collect();
    let mut engine = Engine::new(settings.clone(), &at_first, epoch);
    let entered = unfinished.as_ref().map(|past| past.enter(clock.now(), &mut engine, &mut recorder));
    let written = |adopted| is_written(&mut recorder).map(|()| adopted);
    let adopted = match entered.unwrap_or(Ok(0)).and_then(written) {
        Ok(adopted) => adopted,
        Err(failure) => return Err(given_up(clock.now(), recorder, unfinished.as_ref(), failure)),
    };
    if adopted > 0 {
        let mut out = Commands::default();
        engine.handle(clock.now(), Event::Mode(cex_risk::Mode::CloseOnly), &mut out);
    }
    let desk = Desk::new(engine, venues, clock, started_at, viewer);
    // Before a frame can come in: what is opened is written down, and nothing is opened of which the coins are not known.
    desk.record_into(recorder);
    desk.tell_trips();
    let reasons = Reasons::default();
    let compared = (&*setups, &*fees_told);
    let reconciler =
        Reconciler::new(desk.clone(), &rests, compared, reasons.clone(), config.risk.delist_guard_h);
    let coins = Coins::new(desk.clone(), rests, &setups, reasons);
    let looked = if config.mode == Mode::Paper {
        desk.on_paper(Paper::new(config.paper.latency_ms, configured_fees(&setups)));
        Some(())
    } else {
        unless_stopped(stop, coins.look()).await
    };
    // The last moment at which nothing was sent. From here to where it is watched for, nothing waits.
    let free = no_halt_file(directory);
    if looked.is_none() || free.is_err() {
        if let Some(recorder) = desk.take_recorder() {
            recorder.abandon(clock.now(), undecided);
        }
        return free.map(|()| None);
    }
    let links = pending.into_iter().map(|link| link.run(&desk)).collect();
    let mut helpers =
        vec![tokio::task::spawn_local(desk.clone().wake()), tokio::task::spawn_local(desk.clone().report())];
    if config.mode == Mode::Paper {
        let (quote, coin) = (config.paper.start_quote_usdt, config.paper.start_coin_usdt);
        helpers.push(tokio::task::spawn_local(desk.clone().fill_paper_accounts(quote, coin)));
    } else {
        helpers.push(tokio::task::spawn_local(coins.keep_looking()));
    }
    helpers.push(tokio::task::spawn_local(reconciler.clone().rules()));
    if config.mode == Mode::Live {
        helpers.push(tokio::task::spawn_local(cancel::when_killed(desk.clone())));
        helpers.push(tokio::task::spawn_local(reconciler.clone().orders()));
        helpers.push(tokio::task::spawn_local(reconciler.fills()));
        helpers.push(tokio::task::spawn_local(desk.clone().rehearse(settings, setups)));
    }
    let dead_man = switches.into_iter().map(|rest| DeadMan::arm(rest, desk.clone())).collect();
    Ok(Some((Running { desk, links, helpers, dead_man }, adopted)))
}

/// A run cannot begin: its session ends, and has sent nothing that could be lost.
fn given_up(now: Timestamp, recorder: Recorder, past: Option<&Unfinished>, failure: Failure) -> Failure {
    recorder.abandon(now, past.map_or(0, Unfinished::undecided_orders));
    failure
}

/// What the engine is told of its exchanges, and the links to them that nobody listens to yet.
struct SetUp {
    setups: Vec<VenueSetup>,
    /// How each tells its fees.
    fees_told: Vec<Told>,
    pending: Vec<PendingLink>,
}

async fn set_up(config: &Config, venues: &mut [Venue], markets: &[Arc<Markets>]) -> Result<SetUp, Failure> {
    let (mut setups, mut fees_told, mut pending) = (Vec::new(), Vec::new(), Vec::new());
    for (index, (venue, markets)) in venues.iter_mut().zip(markets).enumerate() {
        let (mut setup, told) = venue.setup(Arc::clone(markets)).await?;
        fees_told.push(told);
        if let Some(fee) = config.venues.get(index).and_then(|venue| venue.taker_fee) {
            reckon_with(&mut setup, fee);
        }
        setups.push(setup);
        pending.extend(venue.start(markets, has_key(config, index))?);
    }
    Ok(SetUp { setups, fees_told, pending })
}

/// Has plans reckon with a configured fee, unless the exchange says that it takes more.
fn reckon_with(setup: &mut VenueSetup, fee: Bps) {
    for market in setup.markets.iter() {
        let stated = setup.taker_fees.get(&market.id).copied().unwrap_or(market.info.taker_fee);
        fees::tell_if_dearer(market, stated, fee);
        setup.taker_fees.insert(market.id, fee.max(stated));
    }
}

/// What each market charges whoever takes.
fn configured_fees(setups: &[VenueSetup]) -> BTreeMap<(VenueId, SymbolId), Bps> {
    let of = |setup: &VenueSetup| {
        let venue = setup.venue;
        setup.taker_fees.iter().map(|(symbol, fee)| ((venue, *symbol), *fee)).collect::<Vec<_>>()
    };
    setups.iter().flat_map(of).collect()
}

/// The mode as people are shown it.
pub(super) const fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::Observe => "OBSERVE",
        Mode::Paper => "PAPER",
        Mode::Live => "LIVE",
    }
}

pub(super) fn names(config: &Config, venues: &[Venue], markets: &[Arc<Markets>]) -> Names {
    let symbols = markets.first().map(|markets| {
        markets.iter().map(|market| (market.id, (market.symbol(), market.scale))).collect::<BTreeMap<_, _>>()
    });
    Names {
        symbols: symbols.unwrap_or_default(),
        venues: venues.iter().map(|venue| venue.id.to_string()).collect(),
        title: format!(
            "arb run   {}   {}   {} symbols",
            mode_name(config.mode),
            label(config),
            markets.first().map_or(0, |markets| markets.len())
        ),
    }
}

fn viewer(args: &RunArgs, mode: Mode, names: Names, directory: &Directory) -> Result<Viewer, Failure> {
    let failed =
        |error: std::io::Error| Failure::new(Exit::Internal, format!("terminal: {error}"), "try --json");
    let out = std::io::stdout();
    let show: Box<dyn Show> = if args.json {
        Box::new(Json::new(names, out, args.quiet))
    } else if args.quiet || !out.is_terminal() {
        let lines = Lines::new(names, out, args.quiet);
        Box::new(if mode == Mode::Observe { lines.with_opportunities() } else { lines })
    } else {
        Box::new(Screen::new(names, Some(&directory.log())).map_err(failed)?)
    };
    // What is wanted at the keyboard is done as if a signal had come.
    Viewer::spawn(show, |wish| {
        let signal = match wish {
            Wish::Quit | Wish::Interrupt => rustix::process::Signal::INT,
            Wish::Kill => rustix::process::Signal::USR1,
        };
        let _ = rustix::process::kill_process(rustix::process::getpid(), signal);
    })
    .map_err(failed)
}

#[cfg(test)]
mod tests;
