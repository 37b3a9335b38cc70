//! What ends a run, or halts it, from the keyboard and from other programs: signals.

use super::control::Directory;
use super::desk::Desk;
use crate::exit::{Exit, Failure};
use crate::log;
use crate::show::screen::give_back;
use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// Signals that come so soon after the first do not ask for more than it does.
const ONE_STROKE: Duration = Duration::from_secs(1);

/// Why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    TimeUp,
    Stopped,
    Interrupted,
    Terminated,
}

impl Ended {
    /// How the program ends where nothing else is to be said.
    pub(super) fn verdict(self) -> Result<(), Failure> {
        match self {
            Self::TimeUp | Self::Stopped => Ok(()),
            Self::Interrupted => Err(Failure::new(Exit::Interrupted, "", "")),
            Self::Terminated => Err(Failure::new(Exit::Terminated, "", "")),
        }
    }
}

/// SIGINT, SIGTERM, and SIGHUP when a terminal closes, from the program's first moment on: they do what `arb stop` does. A second
/// one, a second later or more, ends the program at once, as a crash would. A SIGHUP that whoever started the program had it ignore
/// (`nohup`) stays ignored.
pub(super) struct Signals {
    received: Rc<Cell<Ended>>,
    listening: JoinHandle<()>,
}

impl Signals {
    /// Rings `quit` when one comes.
    pub(super) fn listen(quit: Rc<Notify>) -> Result<Self, Failure> {
        let failed = |error: std::io::Error| Failure::new(Exit::Internal, format!("signals: {error}"), "");
        let mut interrupted = signal(SignalKind::interrupt()).map_err(failed)?;
        let mut terminated = signal(SignalKind::terminate()).map_err(failed)?;
        // Listening would end what was started to outlive its terminal.
        let mut hung_up = match is_ignored(SignalKind::hangup()) {
            true => None,
            false => Some(signal(SignalKind::hangup()).map_err(failed)?),
        };
        let received = Rc::new(Cell::new(Ended::Stopped));
        let listening = tokio::task::spawn_local({
            let received = Rc::clone(&received);
            async move {
                let mut next = async || {
                    tokio::select! {
                        _ = interrupted.recv() => Ended::Interrupted,
                        _ = terminated.recv() => Ended::Terminated,
                        Some(_) = async { hung_up.as_mut()?.recv().await } => Ended::Terminated,
                    }
                };
                received.set(next().await);
                let first_at = Instant::now();
                quit.notify_one();
                // Two of one stroke are one: a terminal that closes sends more than one.
                let last = loop {
                    let again = next().await;
                    if first_at.elapsed() > ONE_STROKE {
                        break again;
                    }
                };
                give_back();
                log::say("ended at once, as asked twice: what is open is the next start's");
                let exit = last.verdict().err().map_or(Exit::Internal, |failure| failure.exit);
                std::process::exit(exit.code().into());
            }
        });
        Ok(Self { received, listening })
    }

    /// Who rang: a signal, or else somebody who asked.
    pub(super) fn how(&self) -> Ended {
        self.received.get()
    }
}

/// Whether the program was started with this signal ignored. Where the system does not tell, it was not.
fn is_ignored(kind: SignalKind) -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores(&status, kind.as_raw_value()))
}

/// Whether a process ignores a signal, by what Linux tells of it.
fn ignores(status: &str, signal: i32) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    (1..=64).contains(&signal) && mask >> (signal - 1) & 1 == 1
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// SIGUSR1, from before anything is asked or opened: the kill switch. It puts the halt file there, ends a start, and halts a run, also where no
/// file can be put.
pub(super) struct KillSignal {
    thrown: Rc<Notify>,
    /// There is a run that it halts.
    runs: Rc<Cell<bool>>,
    /// It came.
    came: Rc<Cell<bool>>,
    listening: JoinHandle<()>,
}

impl KillSignal {
    pub(super) fn listen(directory: &Directory, quit: Rc<Notify>) -> Result<Self, Failure> {
        let failed = |error: std::io::Error| Failure::new(Exit::Internal, format!("signals: {error}"), "");
        let mut thrown_by = signal(SignalKind::user_defined1()).map_err(failed)?;
        let (thrown, runs, came) = (Rc::<Notify>::default(), Rc::<Cell<bool>>::default(), Rc::default());
        let listening = tokio::task::spawn_local({
            let (thrown, runs, came): (_, _, Rc<Cell<bool>>) =
                (Rc::clone(&thrown), Rc::clone(&runs), Rc::clone(&came));
            let directory = directory.clone();
            async move {
                while thrown_by.recv().await.is_some() {
                    came.set(true);
                    thrown.notify_one();
                    let file = directory.halt_file();
                    let directory = directory.clone();
                    // A disk takes its time, and the halt waits for none.
                    let put = tokio::task::spawn_blocking(move || directory.put_halt_file(&"SIGUSR1")).await;
                    if let Err(error) = put.map_err(std::io::Error::other).flatten() {
                        tracing::error!(%error, file = %file.display(), "NOT HALTED OVER RESTARTS");
                    }
                    if !runs.get() {
                        quit.notify_one();
                    }
                }
            }
        });
        Ok(Self { thrown, runs, came, listening })
    }

    /// Whether it came.
    pub(super) fn came(&self) -> bool {
        self.came.get()
    }

    /// Halts a run each time, until the task is dropped.
    pub(super) async fn throws(self, desk: Desk) {
        self.runs.set(true);
        loop {
            self.thrown.notified().await;
            desk.kill("operator", "SIGUSR1");
        }
    }
}

impl Drop for KillSignal {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_started_to_outlive_its_terminal_ignores_a_hang_up() {
        let status = |mask: &str| {
            format!("Name:\tarb\nSigBlk:\tffffffffffffffff\nSigIgn:\t{mask}\nSigCgt:\tffffffffffffffff\n")
        };
        let hang_up = SignalKind::hangup().as_raw_value();
        assert!(ignores(&status("0000000000000001"), hang_up));
        assert!(ignores(&status("0000000000001001"), hang_up));
        assert!(!ignores(&status("0000000000001000"), hang_up), "broken pipes only");
        assert!(!ignores("", hang_up) && !ignores(&status("?"), hang_up));
    }
}
