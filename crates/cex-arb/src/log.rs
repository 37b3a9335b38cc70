//! Logs are formatted where they arise and written by a thread of their own: a terminal that stands still, a full pipe or a
//! reader that has gone away never holds up the thread that trades. While the screen is drawn they go into a file, and the last
//! of them are said on the terminal when it is given back.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tracing_subscriber::fmt::MakeWriter;

/// Lines waiting for a slow reader before new ones are dropped and counted.
const QUEUE: usize = 4_096;
/// Lines kept while the screen is drawn, for when it is given back.
const HELD: usize = 40;
/// Bytes of the file before it is begun anew; the one before is kept beside it.
const FILE_BYTES: u64 = 8 << 20;
/// How long a line that must be seen, or the end of the program, waits for a reader.
const PATIENCE: Duration = Duration::from_secs(1);

/// The program's one log: screens and watchdogs reach it from their own threads.
static LOG: OnceLock<Log> = OnceLock::new();

/// The side that never waits.
#[derive(Debug, Clone)]
pub struct Log {
    sender: SyncSender<Message>,
    dropped: Arc<AtomicU64>,
    /// What a screen shows of lines that it hides.
    hidden: Arc<Mutex<Latest>>,
}

/// Lines since the screen was drawn.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Latest {
    /// Number of lines written.
    pub lines: usize,
    /// The last of them; empty when there is none.
    pub text: String,
}

#[derive(Debug)]
enum Message {
    Line(Vec<u8>),
    /// The terminal belongs to a screen from now on; lines go into a file, if there is one.
    Hide(Option<PathBuf>),
    /// The terminal is free again.
    Show,
    /// Answered when everything before it is written.
    Flush(SyncSender<()>),
}

impl Log {
    /// A log that ends up in `terminal`.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn spawn(terminal: impl Write + Send + 'static) -> io::Result<Self> {
        let (sender, receiver) = sync_channel(QUEUE);
        let dropped = Arc::new(AtomicU64::new(0));
        let hidden = Arc::new(Mutex::new(Latest::default()));
        let latest = Arc::clone(&hidden);
        let place = Place { terminal, hidden: None, dropped: Arc::clone(&dropped), latest };
        std::thread::Builder::new().name("log".to_owned()).spawn(move || place.write_all_of(&receiver))?;
        Ok(Self { sender, dropped, hidden })
    }

    /// A line, without waiting; dropped and counted when too many wait already.
    fn line(&self, bytes: Vec<u8>) {
        if self.sender.try_send(Message::Line(bytes)).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Something that must not be dropped; waits so long for room.
    fn tell(&self, mut message: Message, patience: Duration) {
        let until = Instant::now() + patience;
        while let Err(TrySendError::Full(back)) = self.sender.try_send(message) {
            if Instant::now() > until {
                return;
            }
            message = back;
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits until everything said so far is written, or for so long.
    fn flush(&self, patience: Duration) {
        let (done, written) = sync_channel(1);
        self.tell(Message::Flush(done), patience);
        let _ = written.recv_timeout(patience);
    }
}

/// Makes this the log of the program. There is one; a second call changes nothing.
pub fn install(log: Log) {
    let _ = LOG.set(log);
}

/// Says something outside of any log line: why the program ends. Waits for a reader, but not for long.
pub fn say(text: &str) {
    let Some(log) = LOG.get() else {
        // Nobody may be there to read it.
        let _ = writeln!(io::stderr(), "{text}");
        return;
    };
    log.tell(Message::Line(format!("{text}\n").into_bytes()), PATIENCE);
    log.flush(PATIENCE);
}

/// Says something outside of any log line to whoever reads it, and waits for nobody: what is to be done does not wait for what is
/// told of it. [`flush`] at the end gives it its time.
pub fn mention(text: &str) {
    match LOG.get() {
        Some(log) => log.line(format!("{text}\n").into_bytes()),
        // Nobody may be there to read it.
        None => drop(writeln!(io::stderr(), "{text}")),
    }
}

/// Waits until everything said so far is written, but not for long.
pub fn flush() {
    if let Some(log) = LOG.get() {
        log.flush(PATIENCE);
    }
}

/// A screen takes the terminal: from now on lines go into `file`, and the last of them are kept for [`show`].
pub fn hide(file: Option<&Path>) {
    if let Some(log) = LOG.get() {
        log.tell(Message::Hide(file.map(Path::to_owned)), PATIENCE);
        // What was said before the screen belongs above it.
        log.flush(PATIENCE);
    }
}

/// The terminal is given back: what was kept is written there.
pub fn show() {
    if let Some(log) = LOG.get() {
        log.tell(Message::Show, PATIENCE);
        log.flush(PATIENCE);
    }
}

/// What is hidden by now.
#[must_use]
pub fn hidden() -> Latest {
    LOG.get().map(|log| locked(&log.hidden).clone()).unwrap_or_default()
}

/// Nothing is half done by whoever panics while it holds it.
fn locked(latest: &Mutex<Latest>) -> MutexGuard<'_, Latest> {
    latest.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One event being formatted; handed over whole.
pub struct Line<'a> {
    log: &'a Log,
    bytes: Vec<u8>,
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        if !self.bytes.is_empty() {
            self.log.line(std::mem::take(&mut self.bytes));
        }
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line { log: self, bytes: Vec::new() }
    }
}

/// Where lines end up. Failures are nobody's: there is no better place to tell of them.
struct Place<W> {
    terminal: W,
    hidden: Option<Hidden>,
    dropped: Arc<AtomicU64>,
    latest: Arc<Mutex<Latest>>,
}

/// Where they go while a screen is drawn.
struct Hidden {
    file: Option<Rotated>,
    held: VecDeque<Vec<u8>>,
    lines: usize,
}

impl<W: Write> Place<W> {
    fn write_all_of(mut self, receiver: &Receiver<Message>) {
        for message in receiver {
            let lost = self.dropped.swap(0, Ordering::Relaxed);
            if lost > 0 {
                self.write(
                    format!("{lost} log lines were lost: nobody read them fast enough\n").into_bytes(),
                );
            }
            match message {
                Message::Line(bytes) => self.write(bytes),
                Message::Hide(path) => {
                    let file = path.and_then(|path| Rotated::open(path).ok());
                    self.hidden = Some(Hidden { file, held: VecDeque::new(), lines: 0 });
                }
                Message::Show => self.show(),
                Message::Flush(done) => {
                    // Whoever waited may have gone on.
                    let _ = done.try_send(());
                }
            }
        }
    }

    fn write(&mut self, bytes: Vec<u8>) {
        let Some(hidden) = &mut self.hidden else {
            let _ = self.terminal.write_all(&bytes);
            return;
        };
        if let Some(file) = &mut hidden.file {
            file.write(&bytes);
        }
        hidden.lines += 1;
        *locked(&self.latest) =
            Latest { lines: hidden.lines, text: String::from_utf8_lossy(&bytes).trim_end().to_owned() };
        hidden.held.push_back(bytes);
        if hidden.held.len() > HELD {
            hidden.held.pop_front();
        }
    }

    fn show(&mut self) {
        let Some(hidden) = self.hidden.take() else { return };
        let before = hidden.lines - hidden.held.len();
        if before > 0 {
            let place = hidden.file.map_or_else(String::new, |file| format!(": {}", file.path.display()));
            let _ = writeln!(self.terminal, "{before} earlier log lines are not shown here{place}");
        }
        for line in hidden.held {
            let _ = self.terminal.write_all(&line);
        }
    }
}

/// A file that does not grow beyond [`FILE_BYTES`]: the one before is kept as `NAME.1`.
struct Rotated {
    path: PathBuf,
    file: File,
    bytes: u64,
}

impl Rotated {
    fn open(path: PathBuf) -> io::Result<Self> {
        let file = File::options().create(true).append(true).mode(0o600).open(&path)?;
        let bytes = file.metadata()?.len();
        Ok(Self { path, file, bytes })
    }

    fn write(&mut self, bytes: &[u8]) {
        if self.bytes >= FILE_BYTES {
            let _ = self.begin_anew();
        }
        if self.file.write_all(bytes).is_ok() {
            self.bytes += bytes.len() as u64;
        }
    }

    fn begin_anew(&mut self) -> io::Result<()> {
        let mut before = self.path.clone().into_os_string();
        before.push(".1");
        std::fs::rename(&self.path, before)?;
        *self = Self::open(std::mem::take(&mut self.path))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Condvar;
    use std::sync::mpsc::channel;

    /// A terminal whose reader can stand still.
    #[derive(Clone, Default)]
    struct Terminal(Arc<Reader>);

    #[derive(Default)]
    struct Reader {
        /// What it has read, and whether it stands still.
        state: Mutex<(Vec<u8>, bool)>,
        moved: Condvar,
    }

    impl Terminal {
        fn text(&self) -> String {
            String::from_utf8(self.0.state.lock().expect("no panic").0.clone()).expect("text")
        }

        fn stands_still(&self, still: bool) {
            self.0.state.lock().expect("no panic").1 = still;
            self.0.moved.notify_all();
        }
    }

    impl Write for Terminal {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut inner = self.0.state.lock().expect("no panic");
            while inner.1 {
                inner = self.0.moved.wait(inner).expect("no panic");
            }
            inner.0.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A terminal that nobody reads any more.
    struct Gone;

    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }

    fn write(log: &Log, line: &str) {
        log.line(format!("{line}\n").into_bytes());
    }

    #[test]
    fn a_reader_that_stands_still_holds_up_nobody_and_what_it_missed_is_counted() {
        let terminal = Terminal::default();
        let log = Log::spawn(terminal.clone()).expect("a thread");
        terminal.stands_still(true);
        let (done, said) = channel();
        let speaker = log.clone();
        std::thread::spawn(move || {
            (0..QUEUE + 100).for_each(|number| write(&speaker, &number.to_string()));
            done.send(()).expect("somebody waits");
        });
        said.recv_timeout(Duration::from_secs(20)).expect("whoever speaks never waits");
        terminal.stands_still(false);
        log.flush(Duration::from_secs(20));
        write(&log, "after");
        log.flush(Duration::from_secs(20));
        let text = terminal.text();
        assert!(text.contains("log lines were lost") && text.ends_with("after\n"), "{} bytes", text.len());
    }

    #[test]
    fn a_reader_that_has_gone_away_ends_nothing() {
        let log = Log::spawn(Gone).expect("a thread");
        write(&log, "one");
        let (done, written) = sync_channel(1);
        log.tell(Message::Flush(done), Duration::ZERO);
        written.recv_timeout(Duration::from_secs(20)).expect("the thread goes on");
    }

    #[test]
    fn while_a_screen_is_drawn_lines_go_into_the_file_and_the_last_are_said_afterwards() {
        let place = tempfile::tempdir().expect("a directory");
        let path = place.path().join("arb.log");
        let terminal = Terminal::default();
        let log = Log::spawn(terminal.clone()).expect("a thread");
        write(&log, "before");
        log.tell(Message::Hide(Some(path.clone())), Duration::ZERO);
        (0..HELD + 3).for_each(|number| write(&log, &format!("hidden {number}")));
        log.flush(Duration::from_secs(20));
        assert_eq!(terminal.text(), "before\n", "the screen is not written over");
        let latest = locked(&log.hidden).clone();
        assert_eq!(latest, Latest { lines: HELD + 3, text: "hidden 42".to_owned() });
        log.tell(Message::Show, Duration::ZERO);
        write(&log, "after");
        log.flush(Duration::from_secs(20));
        let text = terminal.text();
        let told = format!("before\n3 earlier log lines are not shown here: {}\nhidden 3\n", path.display());
        assert!(text.starts_with(&told) && text.ends_with("hidden 42\nafter\n"), "{text}");
        let file = std::fs::read_to_string(&path).expect("it was written");
        assert_eq!(file.lines().count(), HELD + 3);
    }

    #[test]
    fn the_file_does_not_grow_without_end() {
        let place = tempfile::tempdir().expect("a directory");
        let path = place.path().join("arb.log");
        let mut file = Rotated::open(path.clone()).expect("made");
        file.bytes = FILE_BYTES;
        file.write(b"old\n");
        file.bytes = FILE_BYTES;
        file.write(b"new\n");
        assert_eq!(std::fs::read_to_string(&path).expect("there"), "new\n");
        assert_eq!(std::fs::read_to_string(place.path().join("arb.log.1")).expect("there"), "old\n");
    }
}
