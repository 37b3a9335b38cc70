//! The watchdog of a run (R35): a thread of its own that ends the process when the thread that trades stands still. A
//! process that is gone is recovered from by the next start; one that hangs holds positions and answers nobody. What
//! watches from outside is `arb watch`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Beats of the trading thread between two looks of the watchdog.
const LOOKS: u32 = 8;

/// What the trading thread shows it lives by.
#[derive(Debug, Clone)]
pub struct Heartbeat(Arc<AtomicU64>);

impl Heartbeat {
    /// Beats for as long as the thread it runs on comes round, until the task is dropped.
    pub async fn keep_beating(self, silence: Duration) {
        loop {
            self.0.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(silence / (2 * LOOKS)).await;
        }
    }
}

/// The watching thread; it watches no more once this is dropped.
#[derive(Debug)]
pub struct Watchdog {
    watching: Arc<()>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.watching = Arc::new(());
        // It ends by itself within a look; nobody waits for it.
        drop(self.thread.take());
    }
}

/// Watches from now on: `bite` is called when no heart has beaten for `silence`, once.
///
/// # Errors
/// When the system gives no thread.
pub fn watch(
    silence: Duration,
    bite: impl FnOnce() + Send + 'static,
) -> std::io::Result<(Heartbeat, Watchdog)> {
    let (beats, watching) = (Arc::new(AtomicU64::new(0)), Arc::new(()));
    let (seen, held) = (Arc::clone(&beats), Arc::downgrade(&watching));
    let thread = thread::Builder::new().name("watchdog".to_owned()).spawn(move || {
        let (began, every) = (Instant::now(), silence / LOOKS);
        let mut look = Look::new(silence, every);
        while held.strong_count() > 0 {
            thread::sleep(every);
            if look.is_silent(began.elapsed(), seen.load(Ordering::Relaxed)) {
                return bite();
            }
        }
    })?;
    Ok((Heartbeat(beats), Watchdog { watching, thread: Some(thread) }))
}

/// What the watchdog has seen.
#[derive(Debug)]
struct Look {
    silence: Duration,
    every: Duration,
    beats: u64,
    /// When the last beat was seen, and when it was looked at all, since the beginning.
    beaten_at: Duration,
    looked_at: Duration,
}

impl Look {
    const fn new(silence: Duration, every: Duration) -> Self {
        Self { silence, every, beats: 0, beaten_at: Duration::ZERO, looked_at: Duration::ZERO }
    }

    /// Whether the heart has been silent for too long. A watchdog that was stopped itself, with the whole process or the
    /// whole machine, has seen nothing meanwhile and gives the heart its time again.
    fn is_silent(&mut self, now: Duration, beats: u64) -> bool {
        let stopped = now.saturating_sub(self.looked_at) > self.every * 4;
        if beats != self.beats || stopped {
            self.beaten_at = now;
        }
        (self.beats, self.looked_at) = (beats, now);
        now.saturating_sub(self.beaten_at) > self.silence
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn silence_is_noticed_and_a_pause_of_everything_is_none() {
        let millis = Duration::from_millis;
        let mut look = Look::new(millis(2_000), millis(250));
        let mut now = 0;
        let mut pass = |look: &mut Look, by: u64, beats: u64| {
            now += by;
            look.is_silent(millis(now), beats)
        };
        for beats in 1..100 {
            assert!(!pass(&mut look, 250, beats));
        }
        assert!((0..8).all(|_| !pass(&mut look, 250, 99)), "silent for two seconds is what may be");
        assert!(pass(&mut look, 250, 99));
        assert!(!pass(&mut look, 5_000, 99), "the watchdog itself was stopped");
        assert!((0..8).all(|_| !pass(&mut look, 250, 99)));
        assert!(pass(&mut look, 250, 99));
    }

    #[test]
    fn it_bites_when_no_heart_beats_and_not_when_it_is_called_off() {
        let (told, bitten) = channel();
        let (_heart, dog) = watch(Duration::from_millis(40), move || told.send(()).expect("somebody waits"))
            .expect("a thread");
        bitten.recv_timeout(Duration::from_secs(10)).expect("it bites");
        drop(dog);
        let (told, bitten) = channel();
        let (_heart, dog) = watch(Duration::from_millis(400), move || told.send(()).expect("somebody waits"))
            .expect("a thread");
        drop(dog);
        assert!(bitten.recv_timeout(Duration::from_millis(1_000)).is_err(), "it was called off");
    }
}
