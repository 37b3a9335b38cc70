//! When an engine counts as gone, and what is done then.

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
    let (config, directory) = meant(&args).expect("a configuration");
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
