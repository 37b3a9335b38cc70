//! What people see. It lives on a thread of its own behind a bounded channel: a slow terminal loses lines (and says
//! how many), the market never waits for it.

pub mod json;
pub mod lines;
pub mod screen;
pub mod summary;

use cex_core::{Scale, Symbol, SymbolId, Timestamp};
use cex_engine::{EngineView, Notice};
use cex_risk::{Scope, Trip};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use summary::{LatencyRow, Summary};

/// How long the end waits for a terminal that stands still.
const PATIENCE: Duration = Duration::from_secs(3);
/// Between two looks whether it goes on.
const LOOK: Duration = Duration::from_millis(5);
/// Lines waiting for a slow terminal before new ones are dropped and counted.
const QUEUE: usize = 8_192;

/// Something to show.
#[derive(Debug)]
pub enum Told {
    /// The engine told something.
    Notice(Timestamp, Notice),
    /// A connection of a venue changed.
    Link(Timestamp, String, &'static str),
    /// Everything at a glance, a few times a second.
    Status(Box<Status>),
    /// The end.
    Summary(Box<Summary>),
}

/// Everything at a glance.
#[derive(Debug, Clone)]
pub struct Status {
    /// Since the start.
    pub uptime: Duration,
    /// Whether somebody or something halted it, and no operator has looked since.
    pub halted: bool,
    /// The engine's numbers.
    pub engine: EngineView,
    /// Frames received, by venue index.
    pub frames: Vec<u64>,
    /// Latencies so far.
    pub latency: Vec<LatencyRow>,
}

/// Names of what the engine numbers.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// Symbol and scale by id.
    pub symbols: BTreeMap<SymbolId, (Symbol, Scale)>,
    /// Venue names by index.
    pub venues: Vec<String>,
    /// Which market is this, for the heading.
    pub title: String,
}

/// The rule that stops a venue whose clock is far from ours (R29).
const CLOCK: &str = "clock";
/// What cures it.
const CLOCK_CURE: &str = "set the machine's clock, arb stop, start, then arb resume";

impl Names {
    /// The name of a venue.
    #[must_use]
    pub fn venue(&self, index: usize) -> &str {
        self.venues.get(index).map_or("?", String::as_str)
    }

    /// The name of a symbol.
    #[must_use]
    pub fn symbol(&self, symbol: SymbolId) -> String {
        self.symbols.get(&symbol).map_or_else(|| "?".to_owned(), |(symbol, _)| symbol.to_string())
    }

    /// A tripped rule in words.
    #[must_use]
    pub fn trip(&self, trip: &Trip) -> String {
        match trip.scope {
            // Looking alone does not cure it: a run goes on by the time it began with.
            Scope::Venue(_) if trip.rule == CLOCK => format!("{trip}: {CLOCK_CURE}"),
            Scope::Symbol(symbol) => format!("{}: {trip}", self.symbol(symbol)),
            Scope::All | Scope::Venue(_) => trip.to_string(),
        }
    }
}

/// What somebody at the keyboard wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// An end: what is open is let end.
    Quit,
    /// The same, as by the signal that Ctrl-C is elsewhere: asked for again later it means an end at once.
    Interrupt,
    /// The kill switch.
    Kill,
}

/// Somebody who shows what is told.
pub trait Show: Send {
    /// One thing, in order.
    fn tell(&mut self, told: &Told) -> std::io::Result<()>;

    /// Nothing came for a moment: a screen looks at the keyboard, and says what is wanted there.
    fn idle(&mut self) -> std::io::Result<Option<Wish>> {
        Ok(None)
    }
}

/// The hot side of the channel to a [`Show`].
#[derive(Debug)]
pub struct Viewer {
    /// There until the end.
    sender: Option<SyncSender<Told>>,
    dropped: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Viewer {
    /// Starts `show` on its own thread; `wanted` is called with what the user asks for; a key
    /// that was held down asks for one end.
    pub fn spawn(mut show: Box<dyn Show>, wanted: impl Fn(Wish) + Send + 'static) -> std::io::Result<Self> {
        let (sender, receiver) = sync_channel(QUEUE);
        let dropped = Arc::new(AtomicU64::new(0));
        let thread = std::thread::Builder::new().name("show".to_owned()).spawn(move || {
            // A closed pipe or a gone terminal ends the showing, not the trading.
            let _ = pump(show.as_mut(), &receiver, &wanted);
        })?;
        Ok(Self { sender: Some(sender), dropped, thread: Some(thread) })
    }

    /// Hands something over without waiting.
    pub fn tell(&self, told: Told) {
        let Some(sender) = &self.sender else { return };
        if let Err(TrySendError::Full(_)) = sender.try_send(told) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Hands over the end, waits until everything is shown.
    pub fn finish(self, summary: Summary) {
        // The end is worth waiting for; a viewer that has gone, or stands still, is not.
        let Some(sender) = &self.sender else { return };
        let (mut told, until) = (Told::Summary(Box::new(summary)), Instant::now() + PATIENCE);
        while let Err(TrySendError::Full(back)) = sender.try_send(told) {
            if Instant::now() > until {
                return;
            }
            told = back;
            std::thread::sleep(LOOK);
        }
    }

    /// As [`Self::finish`], once the tasks that still hold the viewer are gone; they were asked to go.
    pub async fn end(viewer: Rc<Self>, summary: Summary) {
        for _ in 0..100 {
            if Rc::strong_count(&viewer) == 1 {
                break;
            }
            tokio::task::yield_now().await;
        }
        match Rc::try_unwrap(viewer) {
            Ok(viewer) => viewer.finish(summary),
            Err(viewer) => viewer.tell(Told::Summary(Box::new(summary))),
        }
    }

    /// Lines a slow viewer lost.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// Whatever ends a program, its screen is given back before anything else is said there; unless whoever reads it stands still.
impl Drop for Viewer {
    fn drop(&mut self) {
        drop(self.sender.take());
        let Some(thread) = self.thread.take() else { return };
        let until = Instant::now() + PATIENCE;
        while !thread.is_finished() && Instant::now() < until {
            std::thread::sleep(LOOK);
        }
    }
}

fn pump(show: &mut dyn Show, receiver: &Receiver<Told>, wanted: &dyn Fn(Wish)) -> std::io::Result<()> {
    let mut ends = false;
    loop {
        match receiver.recv_timeout(Duration::from_millis(50)) {
            Ok(told) => show.tell(&told)?,
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {}
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => return Ok(()),
        }
        if let Some(wish) = show.idle()?
            && !(ends && wish == Wish::Quit)
        {
            ends |= matches!(wish, Wish::Quit | Wish::Interrupt);
            wanted(wish);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cex_core::VenueId;
    use cex_risk::Until;

    /// A terminal whose reader stands still.
    struct Still(Receiver<()>);

    impl Show for Still {
        fn tell(&mut self, _: &Told) -> std::io::Result<()> {
            // Until the test is over.
            let _ = self.0.recv();
            Ok(())
        }
    }

    /// Somebody at the keyboard, who presses all of this and is gone.
    struct Hands(std::vec::IntoIter<Wish>);

    impl Show for Hands {
        fn tell(&mut self, _: &Told) -> std::io::Result<()> {
            Ok(())
        }

        fn idle(&mut self) -> std::io::Result<Option<Wish>> {
            Ok(Some(self.0.next().ok_or(std::io::ErrorKind::UnexpectedEof)?))
        }
    }

    #[test]
    fn a_second_interrupt_is_passed_on_and_a_key_that_is_held_down_is_one_wish() {
        let pressed = vec![Wish::Quit, Wish::Quit, Wish::Interrupt, Wish::Kill, Wish::Quit, Wish::Interrupt];
        let (told, wishes) = sync_channel(QUEUE);
        let hands = Hands(pressed.into_iter());
        let viewer =
            Viewer::spawn(Box::new(hands), move |wish| told.send(wish).expect("room")).expect("a thread");
        let passed: Vec<Wish> = wishes.iter().collect();
        assert_eq!(passed, [Wish::Quit, Wish::Interrupt, Wish::Kill, Wish::Interrupt]);
        drop(viewer);
    }

    #[test]
    fn a_terminal_that_stands_still_keeps_no_program_from_ending() {
        let (_reader, stands) = sync_channel(0);
        let viewer = Viewer::spawn(Box::new(Still(stands)), |_| {}).expect("a thread");
        (0..QUEUE + 2).for_each(|_| viewer.tell(Told::Link(Timestamp::EPOCH, String::new(), "up")));
        assert!(viewer.dropped() > 0);
        viewer.finish(Summary::default());
    }

    #[test]
    fn a_clock_that_is_far_off_says_what_cures_it() {
        let scope = Scope::Venue(VenueId::new(0, "mexc").expect("short"));
        let said = |rule| Names::default().trip(&Trip { rule, scope, until: Until::Operator });
        assert_eq!(said("auth"), "rule auth stopped openings at mexc until an operator has looked");
        assert_eq!(
            said(cex_risk::trip::rule(CLOCK).expect("there is one")),
            "rule clock stopped openings at mexc until an operator has looked: set the machine's clock, arb stop, start, then \
             arb resume"
        );
    }
}
