//! `arb watch`: a process of its own beside the engine (R35). An engine that does not answer is ended, and whenever one is
//! gone without having ended in order, what is open at the exchanges is cancelled over connections of this process, again and
//! again until it is proven that nothing is. The next `arb run` recovers; starting it is a supervisor's business.

use super::control::{Directory, STARTING, Status, Verb};
use super::pace::Pace;
use super::remote::{ask_within, cancel_everywhere, place};
use crate::cli::ControlArgs;
use crate::config::Config;
use crate::exit::{Exit, Failure};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

/// Questions within the time an engine may be silent.
const QUESTIONS: u32 = 4;
/// How long one that is ending may be silent: the thread that answers waits for its disk then, and its own watchdog is called
/// off.
const ENDING: Duration = Duration::from_secs(60);
/// From an attempt that did not prove that nothing is open to the next.
const AGAIN: Duration = Duration::from_secs(3);
/// Lines that wait for whoever reads them; what is said beyond that is lost.
const LINES: usize = 256;

/// What it says; the names are a promise to scripts.
#[derive(Debug, Serialize)]
struct Line {
    /// `watching`, `killed`, `gone`, `ended`, `canceled`, `not_proven`.
    event: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    #[serde(skip_serializing_if = "String::is_empty")]
    what: String,
}

/// Watches until it is ended itself. What it says is written by the thread of the caller, and it watches on one of its own: a
/// reader that stands still or is gone, or a full disk, must not keep it from cancelling.
///
/// # Errors
/// When the configuration is wrong, or the system gives no thread.
pub fn watch(args: &ControlArgs, out: &mut impl Write) -> Result<(), Failure> {
    let (config, directory) = place(args)?;
    // It would watch, and could cancel nothing when it must.
    if let Some(what) = config.venues.iter().find_map(|venue| venue.key_unread.as_ref()) {
        return Err(Failure::new(Exit::BadConfig, what, "give it the keys of the run it watches"));
    }
    let (says, said) = sync_channel(LINES);
    let watching = std::thread::Builder::new()
        .name("watch".to_owned())
        .spawn(move || Watch::new(config, directory, says, OwnHands).go_on());
    watching.map_err(|error| Failure::new(Exit::Internal, format!("no thread to watch on: {error}"), ""))?;
    tell_all(args.json, &said, out);
    Err(Failure::new(Exit::Internal, "the thread that watches panicked: nothing is watched any more", ""))
}

/// A run, as it tells of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    pid: u32,
    started_at_ms: i64,
}

impl Run {
    const fn of(status: &Status) -> Self {
        Self { pid: status.pid, started_at_ms: status.started_at_ms }
    }
}

/// The run that is watched, as it was heard last.
#[derive(Debug, Clone, Copy)]
struct Watched {
    run: Run,
    draining: bool,
    heard_at: Instant,
}

impl Watched {
    /// How long it may be silent.
    fn patience(&self, silence: Duration) -> Duration {
        if self.draining { silence.max(ENDING) } else { silence }
    }
}

/// What came of cancelling, by exchange: how many orders were open, or why it is not proven that none is.
type Outcomes = Vec<(String, Result<usize, String>)>;

/// What it asks and does; a test has hands of its own.
trait Hands {
    fn now(&self) -> Instant;
    fn sleep(&mut self, span: Duration);
    /// How the engine that runs there is.
    fn ask(&mut self, directory: &Directory, patience: Duration) -> Result<Status, Failure>;
    /// Whether there is such a process.
    fn is_there(&self, pid: u32) -> bool;
    fn kill(&mut self, pid: u32);
    fn cancel(&mut self, config: &Config) -> Outcomes;
}

/// What it knows between two questions.
struct Watch<H> {
    config: Config,
    directory: Directory,
    says: SyncSender<Line>,
    hands: H,
    /// Never a run that is starting: it holds nothing, and may take its time over a journal.
    watched: Option<Watched>,
    /// The run that was told of last.
    told: Option<Run>,
    /// Whether it was told that answers cannot be read.
    told_unreadable: bool,
    /// Whether it was told that lines are lost.
    told_lost: bool,
    /// Exchanges of which it is not proven that nothing is open, with the reason that was told last.
    unproven: BTreeMap<String, String>,
    /// When that was tried last.
    tried_at: Instant,
    /// When it was asked last.
    asked_at: Instant,
}

impl<H: Hands> Watch<H> {
    fn new(config: Config, directory: Directory, says: SyncSender<Line>, hands: H) -> Self {
        let tried_at = hands.now();
        Self {
            config,
            directory,
            says,
            hands,
            watched: None,
            told: None,
            told_unreadable: false,
            told_lost: false,
            unproven: BTreeMap::new(),
            tried_at,
            asked_at: tried_at,
        }
    }

    fn go_on(&mut self) {
        loop {
            self.round();
        }
    }

    /// Asks once and does what the answer calls for. Whatever that was, the next question is not due before its time.
    fn round(&mut self) {
        let every = self.config.risk.watchdog_ms / QUESTIONS;
        let asked_at = self.hands.now();
        // Whoever stood still itself, or was busy with cancels, has heard nothing for as long, and knows nothing by that.
        if asked_at.saturating_duration_since(self.asked_at) > every * QUESTIONS {
            self.hear_anew();
        }
        self.asked_at = asked_at;
        let answer = self.hands.ask(&self.directory, every);
        if self.since(asked_at) > every * QUESTIONS {
            self.hear_anew();
        }
        match answer {
            Ok(status) => self.answered(&status),
            Err(failure) if failure.exit == Exit::NotRunning => self.nobody_is_there(),
            // It listens and does not answer.
            Err(failure) if failure.exit == Exit::Timeout => self.silent(failure.what),
            Err(failure) => self.unreadable(&failure),
        }
        self.try_again();
        let spent = self.since(asked_at);
        self.hands.sleep(every.saturating_sub(spent));
    }

    /// The silence of the run that is watched counts from now on.
    fn hear_anew(&mut self) {
        if let Some(watched) = &mut self.watched {
            watched.heard_at = self.hands.now();
        }
    }

    fn since(&self, earlier: Instant) -> Duration {
        self.hands.now().saturating_duration_since(earlier)
    }

    fn answered(&mut self, status: &Status) {
        let run = Run::of(status);
        if let Some(before) = self.watched.take_if(|watched| watched.run != run) {
            self.gone(before.run);
        }
        if status.mode != STARTING {
            self.runs(run, status.draining);
        }
    }

    /// A run answers that may have orders of its own. What one before it left open is for it to find; one that is only starting
    /// may end its start, and leaves that to us.
    fn runs(&mut self, run: Run, draining: bool) {
        if !self.unproven.is_empty() {
            let unproven = std::mem::take(&mut self.unproven);
            tracing::warn!(?unproven, "orders may be open yet: they are left to the engine that runs now");
        }
        if self.told != Some(run) {
            self.told = Some(run);
            self.told_unreadable = false;
            self.say("watching", Some(run.pid), String::new());
        }
        // Only now: what was done before took its time, and that was not silence.
        self.watched = Some(Watched { run, draining, heard_at: self.hands.now() });
    }

    fn nobody_is_there(&mut self) {
        if let Some(Watched { run, .. }) = self.watched.take() {
            self.gone(run);
        }
    }

    /// One that was never heard running is starting.
    fn silent(&mut self, what: String) {
        let Some(watched) = self.watched else { return };
        if self.since(watched.heard_at) < watched.patience(self.config.risk.watchdog_ms) {
            return;
        }
        self.watched = None;
        self.hands.kill(watched.run.pid);
        self.cancel("killed", watched.run.pid, what);
    }

    /// Who answers is alive, though it may be an engine of another version. It is another one than we watch when the process of
    /// that is not there any more.
    fn unreadable(&mut self, failure: &Failure) {
        if !std::mem::replace(&mut self.told_unreadable, true) {
            let Failure { what, fix, .. } = failure;
            tracing::warn!(
                what,
                fix,
                "the engine answers what cannot be read: it counts as alive, and is not watched if it never answered otherwise"
            );
        }
        let hands = &self.hands;
        if let Some(before) = self.watched.take_if(|watched| !hands.is_there(watched.run.pid)) {
            self.gone(before.run);
        }
        self.hear_anew();
    }

    /// A run is not there any more: one that ended in order has said so, and has taken its socket away, unless the next one has
    /// put its own there.
    fn gone(&mut self, Run { pid, started_at_ms }: Run) {
        if self.directory.has_ended(pid, started_at_ms) || !self.directory.socket().exists() {
            self.say("ended", Some(pid), String::new());
        } else {
            self.cancel("gone", pid, String::new());
        }
    }

    /// Cancels everywhere, and only then tells what became of the run, and what came of cancelling.
    fn cancel(&mut self, event: &'static str, pid: u32, what: String) {
        let outcomes = self.hands.cancel(&self.config);
        self.say(event, Some(pid), what);
        self.settle(outcomes);
    }

    /// Cancels once more where it is not proven that nothing is open. An exchange that cannot be reached now may be later.
    fn try_again(&mut self) {
        if self.unproven.is_empty() || self.since(self.tried_at) < AGAIN {
            return;
        }
        let mut config = self.config.clone();
        config.venues.retain(|venue| self.unproven.contains_key(venue.exchange.name));
        let outcomes = self.hands.cancel(&config);
        self.settle(outcomes);
    }

    /// Keeps in mind what is not proven, and tells what is news.
    fn settle(&mut self, outcomes: Outcomes) {
        let before = std::mem::take(&mut self.unproven);
        for (venue, outcome) in outcomes {
            match outcome {
                Ok(count) => self.say("canceled", None, format!("{venue}: {count}")),
                Err(what) => {
                    if before.get(&venue) != Some(&what) {
                        self.say("not_proven", None, format!("{venue}: {what}"));
                    }
                    self.unproven.insert(venue, what);
                }
            }
        }
        self.tried_at = self.hands.now();
    }

    /// Never waits for whoever reads it.
    fn say(&mut self, event: &'static str, pid: Option<u32>, what: String) {
        let lost = self.says.try_send(Line { event, pid, what }).is_err();
        if lost && !std::mem::replace(&mut self.told_lost, true) {
            tracing::warn!("nobody reads what is said: lines are lost, and it watches on");
        }
    }
}

/// Those of this process.
struct OwnHands;

impl Hands for OwnHands {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn sleep(&mut self, span: Duration) {
        std::thread::sleep(span);
    }

    fn ask(&mut self, directory: &Directory, patience: Duration) -> Result<Status, Failure> {
        ask_within(directory, Verb::Status, patience)
    }

    fn is_there(&self, pid: u32) -> bool {
        // One that may not be asked after is there.
        process(pid).is_some_and(|pid| test_kill_process(pid) != Err(Errno::SRCH))
    }

    /// Ends a process that hangs; one that is stopped too. Whether it is still there is seen by the next question.
    fn kill(&mut self, pid: u32) {
        if let Some(Err(error)) = process(pid).map(|pid| kill_process(pid, Signal::KILL)) {
            tracing::error!(%error, "the engine could not be ended");
        }
    }

    fn cancel(&mut self, config: &Config) -> Outcomes {
        Pace::Sleep.block_on(cancel_everywhere(config)).unwrap_or_else(|error| {
            let unasked = |venue: &crate::config::Venue| {
                (venue.exchange.name.to_owned(), Err(format!("no runtime: {error}")))
            };
            config.venues.iter().map(unasked).collect()
        })
    }
}

fn process(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}

/// Writes what is said until nobody says anything any more. What cannot be written is lost, and nothing else is.
fn tell_all(json: bool, said: &Receiver<Line>, out: &mut impl Write) {
    let mut warned = false;
    for line in said {
        if let Err(error) = tell(json, out, &line)
            && !std::mem::replace(&mut warned, true)
        {
            tracing::warn!(%error, "what is said cannot be written: it watches on");
        }
    }
}

fn tell(json: bool, out: &mut impl Write, line: &Line) -> std::io::Result<()> {
    if json {
        let line = sonic_rs::to_string(line).map_err(std::io::Error::other)?;
        writeln!(out, "{line}")?;
    } else {
        let pid = line.pid.map(|pid| format!(" process {pid}")).unwrap_or_default();
        writeln!(out, "{}{pid} {}", line.event, line.what)?;
    }
    // Whoever reads it hears of a hanging engine when it hangs, not when a buffer is full.
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use cex_core::Timestamp;
    use std::collections::VecDeque;
    use std::io::{BufRead as _, BufReader};
    use std::iter::repeat_n;
    use std::os::unix::net::UnixListener;
    use tempfile::TempDir;
    use tracing_subscriber::EnvFilter;

    type Answered = Result<Status, Failure>;

    /// An engine, exchanges and a clock that do as a test says, and what happens to them and is said, in its order.
    struct Stage {
        now: Instant,
        answers: VecDeque<Answered>,
        /// What comes of cancelling; afterwards it is proven everywhere.
        outcomes: VecDeque<Outcomes>,
        /// Processes that are not there any more.
        gone: Vec<u32>,
        said: Receiver<Line>,
        happened: Vec<String>,
        /// The directory the runs are kept in.
        _room: TempDir,
    }

    impl Stage {
        fn listen(&mut self) {
            while let Ok(Line { event, pid, what }) = self.said.try_recv() {
                let pid = pid.map(|pid| format!(" {pid}")).unwrap_or_default();
                let what = if what.is_empty() { what } else { format!(" {what}") };
                self.happened.push(format!("{event}{pid}{what}"));
            }
        }

        fn happens(&mut self, what: String) {
            self.listen();
            self.happened.push(what);
        }
    }

    impl Hands for Stage {
        fn now(&self) -> Instant {
            self.now
        }

        fn sleep(&mut self, span: Duration) {
            self.now += span;
        }

        fn ask(&mut self, _: &Directory, patience: Duration) -> Answered {
            let answer = self.answers.pop_front().expect("an answer to each question");
            if answer.as_ref().is_err_and(|failure| failure.exit == Exit::Timeout) {
                self.now += patience;
            }
            answer
        }

        fn is_there(&self, pid: u32) -> bool {
            !self.gone.contains(&pid)
        }

        fn kill(&mut self, pid: u32) {
            self.happens(format!("kill {pid}"));
        }

        fn cancel(&mut self, config: &Config) -> Outcomes {
            let names: Vec<&str> = config.venues.iter().map(|venue| venue.exchange.name).collect();
            self.happens(format!("cancel {}", names.join("+")));
            let proven = || names.iter().map(|name| ((*name).to_owned(), Ok(0))).collect();
            self.outcomes.pop_front().unwrap_or_else(proven)
        }
    }

    /// Two seconds of silence are allowed, so it asks every half second.
    fn stage() -> Watch<Stage> {
        let room = tempfile::tempdir().expect("a directory");
        let file = room.path().join("arb.toml");
        std::fs::write(&file, "version = 1\n[venues.mexc]\n[venues.gateio]\n").expect("our own directory");
        let dir = format!("storage.dir={}", room.path().display());
        let set = vec![dir, "risk.watchdog_ms=2000".to_owned()];
        let args = ControlArgs { config: Some(file), set, json: false };
        let (config, directory) = place(&args).expect("a configuration");
        // Nobody has taken it away.
        std::fs::write(directory.socket(), "").expect("our own directory");
        let (says, said) = sync_channel(LINES);
        let stage = Stage {
            now: Instant::now(),
            answers: VecDeque::new(),
            outcomes: VecDeque::new(),
            gone: Vec::new(),
            said,
            happened: Vec::new(),
            _room: room,
        };
        Watch::new(config, directory, says, stage)
    }

    /// What happens when these are the answers.
    fn play(watch: &mut Watch<Stage>, answers: impl IntoIterator<Item = Answered>) -> Vec<String> {
        watch.hands.answers.extend(answers);
        while !watch.hands.answers.is_empty() {
            watch.round();
        }
        watch.hands.listen();
        std::mem::take(&mut watch.hands.happened)
    }

    /// What comes of it, and what is logged meanwhile.
    fn logged<T>(work: impl FnOnce() -> T) -> (T, String) {
        let room = tempfile::tempdir().expect("a directory");
        let path = room.path().join("log");
        let file = std::fs::File::create(&path).expect("our own directory");
        let logger = crate::logger(EnvFilter::new("warn"), false, file);
        let came = tracing::subscriber::with_default(logger, work);
        (came, std::fs::read_to_string(&path).expect("text"))
    }

    fn status(pid: u32, mode: &str, draining: bool) -> Answered {
        Ok(Status { pid, mode: mode.to_owned(), draining, ..Status::default() })
    }

    fn active(pid: u32) -> Answered {
        status(pid, "active", false)
    }

    fn ending(pid: u32) -> Answered {
        status(pid, "active", true)
    }

    fn starting(pid: u32) -> Answered {
        status(pid, STARTING, false)
    }

    fn nobody() -> Answered {
        Err(Failure::new(Exit::NotRunning, "no engine runs there", ""))
    }

    fn silence() -> Answered {
        Err(Failure::new(Exit::Timeout, "it hangs", ""))
    }

    fn unreadable() -> Answered {
        Err(Failure::new(Exit::Internal, "a field is missing", "is it the same version?"))
    }

    fn outcomes(rows: &[(&str, Result<usize, &str>)]) -> Outcomes {
        let row = |(venue, outcome): &(&str, Result<usize, &str>)| {
            ((*venue).to_owned(), outcome.map_err(str::to_owned))
        };
        rows.iter().map(row).collect()
    }

    const CANCELED: [&str; 2] = ["canceled mexc: 0", "canceled gateio: 0"];

    #[test]
    fn an_engine_whose_successor_starts_is_gone() {
        let mut watch = stage();
        let happened = play(&mut watch, [active(1), active(1), starting(2)]);
        assert_eq!(happened[..3], ["watching 1", "cancel mexc+gateio", "gone 1"]);
        assert_eq!(happened[3..], CANCELED);
        assert_eq!(play(&mut watch, [starting(2), active(2), active(2)]), ["watching 2"]);
    }

    #[test]
    fn an_engine_that_hangs_is_ended_and_its_orders_are_cancelled_before_a_word_is_said() {
        let mut watch = stage();
        assert_eq!(play(&mut watch, [active(1), silence(), silence()]), ["watching 1"], "not long enough");
        let happened = play(&mut watch, [silence()]);
        assert_eq!(happened[..3], ["kill 1", "cancel mexc+gateio", "killed 1 it hangs"]);
        assert_eq!(happened[3..], CANCELED);
        assert_eq!(play(&mut watch, repeat_n(silence(), 20)), [""; 0], "nobody is watched");
    }

    #[test]
    fn whoever_stood_still_itself_takes_one_missed_answer_for_no_silence() {
        let mut watch = stage();
        assert_eq!(play(&mut watch, [active(1)]), ["watching 1"]);
        watch.hands.now += Duration::from_secs(10);
        assert_eq!(play(&mut watch, repeat_n(silence(), 3)), [""; 0], "it may be busy with what waited");
        assert_eq!(play(&mut watch, [silence()])[0], "kill 1");
    }

    #[test]
    fn whoever_reads_nothing_keeps_nothing_from_being_cancelled() {
        let mut watch = stage();
        let (says, said) = sync_channel(0);
        watch.says = says;
        let (happened, log) = logged(|| {
            let unread = play(&mut watch, [active(1), nobody()]);
            drop(said);
            [unread, play(&mut watch, [active(2), nobody()])].concat()
        });
        assert_eq!(happened, ["cancel mexc+gateio", "cancel mexc+gateio"]);
        assert_eq!(log.matches("lines are lost").count(), 1, "{log}");
    }

    /// A disk that is full.
    #[derive(Default)]
    struct Full {
        writes: usize,
    }

    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            self.writes += 1;
            Err(std::io::ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_that_cannot_be_written_is_told_of_once_and_the_next_is_tried() {
        for json in [true, false] {
            let (says, said) = sync_channel(3);
            for event in ["watching", "gone", "canceled"] {
                says.try_send(Line { event, pid: None, what: String::new() }).expect("there is room");
            }
            drop(says);
            let mut out = Full::default();
            let ((), log) = logged(|| tell_all(json, &said, &mut out));
            assert_eq!((out.writes, log.matches("cannot be written").count()), (3, 1), "{log}");
        }
    }

    #[test]
    fn what_is_not_proven_is_tried_again_until_it_is_and_only_news_are_told() {
        let mut watch = stage();
        watch.hands.outcomes.extend([
            outcomes(&[("mexc", Err("down")), ("gateio", Ok(2))]),
            outcomes(&[("mexc", Err("down"))]),
            outcomes(&[("mexc", Err("1 orders are still open"))]),
            outcomes(&[("mexc", Ok(1))]),
        ]);
        let first = play(&mut watch, [active(1), nobody()]);
        let told = ["gone 1", "not_proven mexc: down", "canceled gateio: 2"];
        assert_eq!(first[..2], ["watching 1", "cancel mexc+gateio"]);
        assert_eq!(first[2..], told);
        let mut later = || play(&mut watch, repeat_n(nobody(), 6));
        assert_eq!(later(), ["cancel mexc"], "that is known already");
        assert_eq!(later(), ["cancel mexc", "not_proven mexc: 1 orders are still open"]);
        assert_eq!(later(), ["cancel mexc", "canceled mexc: 1"]);
        assert_eq!(later(), [""; 0]);
    }

    #[test]
    fn what_is_not_proven_is_left_to_a_successor_that_runs_and_not_to_one_that_starts() {
        let mut watch = stage();
        let down = || outcomes(&[("mexc", Err("down")), ("gateio", Ok(0))]);
        watch.hands.outcomes.extend([down(), outcomes(&[("mexc", Err("down"))])]);
        let first = play(&mut watch, [active(1), nobody()]);
        assert_eq!(first[3..], ["not_proven mexc: down", "canceled gateio: 0"]);
        assert_eq!(play(&mut watch, repeat_n(starting(2), 6)), ["cancel mexc"]);
        assert_eq!(play(&mut watch, repeat_n(active(2), 20)), ["watching 2"]);
        let hangs = play(&mut watch, repeat_n(silence(), 3));
        assert_eq!(hangs[..2], ["kill 2", "cancel mexc+gateio"], "it is watched as any other");
    }

    #[test]
    fn an_engine_that_is_ending_may_be_silent_for_longer() {
        let mut watch = stage();
        assert_eq!(play(&mut watch, [active(1), ending(1)]), ["watching 1"]);
        assert_eq!(play(&mut watch, repeat_n(silence(), 118)), [""; 0], "59.5 s");
        assert_eq!(play(&mut watch, [silence()])[..2], ["kill 1", "cancel mexc+gateio"]);
    }

    #[test]
    fn an_engine_that_ended_in_order_on_a_slow_disk_is_left_alone() {
        let mut watch = stage();
        let pid = std::process::id();
        play(&mut watch, [active(pid), ending(pid)]);
        assert_eq!(play(&mut watch, repeat_n(silence(), 20)), [""; 0]);
        watch.directory.note_ended(Timestamp::from_millis(0));
        assert_eq!(play(&mut watch, repeat_n(nobody(), 20)), [format!("ended {pid}")]);
    }

    #[test]
    fn an_answer_that_cannot_be_read_is_told_once_and_counts_as_alive() {
        let mut watch = stage();
        let answers = [active(1)].into_iter().chain(repeat_n(unreadable(), 50));
        let (happened, log) = logged(|| play(&mut watch, answers));
        assert_eq!(happened, ["watching 1"]);
        assert_eq!(log.matches("cannot be read").count(), 1, "{log}");
        assert!(log.contains("a field is missing") && log.contains("is it the same version?"), "{log}");
        assert_eq!(play(&mut watch, [silence(), silence()]), [""; 0], "it was alive until just now");
        assert_eq!(play(&mut watch, [silence()])[..2], ["kill 1", "cancel mexc+gateio"]);
    }

    #[test]
    fn whoever_cannot_be_read_is_not_taken_for_an_engine_that_is_gone() {
        let mut watch = stage();
        play(&mut watch, [active(1)]);
        watch.hands.gone.push(1);
        let happened = play(&mut watch, repeat_n(unreadable(), 20));
        assert_eq!(happened[..2], ["cancel mexc+gateio", "gone 1"]);
        assert_eq!(happened[2..], CANCELED);
    }

    #[test]
    fn whatever_the_answer_is_the_next_question_waits() {
        for answer in [active(1), ending(1), starting(1), nobody(), silence(), unreadable()] {
            let mut watch = stage();
            let began = watch.hands.now;
            play(&mut watch, repeat_n(answer.clone(), 4));
            assert_eq!(watch.hands.now - began, Duration::from_secs(2), "{answer:?}");
        }
    }

    #[test]
    fn only_an_engine_that_says_nothing_is_silent() {
        let room = tempfile::tempdir().expect("a directory");
        let directory = Directory(room.path().to_owned());
        let listener = UnixListener::bind(directory.socket()).expect("our own directory");
        let engine = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("somebody asks");
            let mut question = String::new();
            BufReader::new(&stream).read_line(&mut question).expect("a question");
            let status = r#"{"ok":true,"status":{"pid":1,"mode":"active"}}"#;
            writeln!(stream, "{status}").expect("it waits");
            listener
        });
        let asked = |patience: Duration| OwnHands.ask(&directory, patience).map_err(|failure| failure.exit);
        assert_eq!(asked(Duration::from_secs(20)), Err(Exit::Internal), "of another version");
        let hangs = engine.join().expect("it was asked");
        assert_eq!(asked(Duration::from_millis(50)), Err(Exit::Timeout));
        drop(hangs);
        assert_eq!(asked(Duration::from_secs(20)), Err(Exit::NotRunning));
    }

    #[test]
    fn a_process_is_there_until_it_is_not() {
        assert!(OwnHands.is_there(std::process::id()));
        let mut child = std::process::Command::new("true").spawn().expect("the program starts");
        child.wait().expect("it is ours");
        assert!(!OwnHands.is_there(child.id()));
        assert!(!OwnHands.is_there(0) && !OwnHands.is_there(u32::MAX));
    }
}
