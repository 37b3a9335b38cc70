//! `arb watch`: a process of its own beside the engine (R35). An engine that does not answer is ended, and whenever one is
//! gone without having ended in order, what is open at the exchanges is cancelled over connections of this process. The next
//! `arb run` recovers; starting it is a supervisor's business.

use super::control::{Directory, STARTING, Status, Verb};
use super::pace::Pace;
use super::remote::{ask_within, cancel_everywhere, place};
use crate::cli::ControlArgs;
use crate::config::Config;
use crate::exit::{Exit, Failure, written};
use rustix::process::{Pid, Signal, kill_process};
use serde::Serialize;
use std::io::Write;
use std::time::Instant;

/// Questions within the time an engine may be silent.
const QUESTIONS: u32 = 4;

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

/// Watches until it is ended itself.
///
/// # Errors
/// When the configuration is wrong, or nobody reads what it says.
pub fn watch(args: &ControlArgs, out: &mut impl Write) -> Result<(), Failure> {
    let (config, directory) = place(args)?;
    // It would watch, and could cancel nothing when it must.
    if let Some(what) = config.venues.iter().find_map(|venue| venue.key_unread.as_ref()) {
        return Err(Failure::new(Exit::BadConfig, what, "give it the keys of the run it watches"));
    }
    let silence = config.risk.watchdog_ms;
    let (mut watched, mut told) = (None, None);
    let mut heard_at = Instant::now();
    let say =
        |out: &mut dyn Write, event, pid, what: String| tell(args.json, out, &Line { event, pid, what });
    loop {
        match ask_within(&directory, Verb::Status, silence / QUESTIONS) {
            // One that is starting holds nothing, and may take its time over a journal. Whoever was there before it is gone.
            Ok(status) if status.mode == STARTING => {
                if let Some(run) = watched.take_if(|run| *run != Watched::of(&status)) {
                    gone(args, &config, &directory, run, out)?;
                }
                heard_at = Instant::now();
                std::thread::sleep(silence / QUESTIONS);
            }
            Ok(status) => {
                heard_at = Instant::now();
                let run = Watched::of(&status);
                if let Some(before) = watched.replace(run).filter(|before| *before != run) {
                    gone(args, &config, &directory, before, out)?;
                }
                if told != Some(run) {
                    told = Some(run);
                    say(out, "watching", Some(status.pid), String::new())?;
                }
                std::thread::sleep(silence / QUESTIONS);
            }
            Err(failure) if failure.exit == Exit::NotRunning => {
                if let Some(run) = watched.take() {
                    gone(args, &config, &directory, run, out)?;
                }
                heard_at = Instant::now();
                std::thread::sleep(silence / QUESTIONS);
            }
            // It listens and does not answer. One that was never heard running is starting.
            Err(failure) => {
                if heard_at.elapsed() < silence {
                    continue;
                }
                if let Some(Watched { pid, .. }) = watched.take() {
                    end(pid);
                    say(out, "killed", Some(pid), failure.what)?;
                    cancel(args, &config, out)?;
                }
                heard_at = Instant::now();
            }
        }
    }
}

/// A run, as it tells of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Watched {
    pid: u32,
    started_at_ms: i64,
}

impl Watched {
    const fn of(status: &Status) -> Self {
        Self { pid: status.pid, started_at_ms: status.started_at_ms }
    }
}

/// A run is not there any more: one that ended in order has said so, and has taken its socket away, unless the next one has put its
/// own there.
fn gone(
    args: &ControlArgs,
    config: &Config,
    directory: &Directory,
    Watched { pid, started_at_ms }: Watched,
    out: &mut impl Write,
) -> Result<(), Failure> {
    if directory.has_ended(pid, started_at_ms) || !directory.socket().exists() {
        return tell(args.json, out, &Line { event: "ended", pid: Some(pid), what: String::new() });
    }
    tell(args.json, out, &Line { event: "gone", pid: Some(pid), what: String::new() })?;
    cancel(args, config, out)
}

/// Ends a process that hangs; one that is stopped too. Whether it is still there is seen by the next question.
fn end(pid: u32) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    if let Some(Err(error)) = pid.map(|pid| kill_process(pid, Signal::KILL)) {
        tracing::error!(%error, "the engine could not be ended");
    }
}

fn cancel(args: &ControlArgs, config: &Config, out: &mut impl Write) -> Result<(), Failure> {
    let canceled = Pace::Sleep
        .block_on(cancel_everywhere(config))
        .map_err(|error| Failure::new(Exit::Internal, format!("no runtime: {error}"), ""))?;
    for (venue, outcome) in canceled {
        let (event, what) = match outcome {
            Ok(count) => ("canceled", format!("{venue}: {count}")),
            Err(what) => ("not_proven", format!("{venue}: {what}")),
        };
        tell(args.json, out, &Line { event, pid: None, what })?;
    }
    Ok(())
}

fn tell(json: bool, out: &mut (impl Write + ?Sized), line: &Line) -> Result<(), Failure> {
    let said = if json {
        sonic_rs::to_string(line).map_err(std::io::Error::other).and_then(|line| writeln!(out, "{line}"))
    } else {
        let pid = line.pid.map(|pid| format!(" process {pid}")).unwrap_or_default();
        writeln!(out, "{}{pid} {}", line.event, line.what)
    };
    // Whoever reads it hears of a hanging engine when it hangs, not when a buffer is full.
    written(said.and_then(|()| out.flush()))
}

#[cfg(test)]
mod tests {
    use super::super::control::Answer;
    use super::*;
    use crate::config::command::example;
    use std::io::{BufRead as _, BufReader};
    use std::os::unix::net::UnixListener;

    /// Reads lines until one is `gone`, and then no more.
    #[derive(Default)]
    struct Reader(String);

    impl Write for Reader {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.push_str(&String::from_utf8_lossy(bytes));
            if self.0.contains("gone") { Err(std::io::Error::other("read enough")) } else { Ok(bytes.len()) }
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_engine_whose_successor_starts_is_gone() {
        let place = tempfile::tempdir().expect("a directory");
        let directory = Directory(place.path().to_owned());
        let file = place.path().join("arb.toml");
        std::fs::write(&file, example()).expect("our own directory");
        let listener = UnixListener::bind(directory.socket()).expect("our own directory");
        let engines = std::thread::spawn(move || {
            for (pid, mode) in [(1, "active"), (1, "active"), (2, STARTING)] {
                let (mut stream, _) = listener.accept().expect("somebody asks");
                let mut question = String::new();
                BufReader::new(&stream).read_line(&mut question).expect("a question");
                let status = Status { pid, mode: mode.to_owned(), ..Status::default() };
                let answer = Answer { ok: true, error: None, fix: None, status: Some(status) };
                writeln!(stream, "{}", sonic_rs::to_string(&answer).expect("plain data")).expect("it waits");
            }
        });
        let set = vec![format!("storage.dir={}", place.path().display())];
        let mut out = Reader::default();
        let args = ControlArgs { config: Some(file), set, json: false };
        let failure = watch(&args, &mut out).expect_err("nobody reads on");
        assert_eq!(out.0, "watching process 1 \ngone", "{failure}");
        engines.join().expect("all was asked");
    }
}
