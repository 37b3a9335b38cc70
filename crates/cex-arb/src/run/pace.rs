//! What the trading thread does while nothing happens.

use std::future::Future;
use std::io;
use std::num::NonZero;
use std::thread::available_parallelism;
use std::time::Duration;

/// How long after a frame a thread that is alert still waits for the next one without sleeping. On a market worth trading
/// frames are nearer to each other than that.
pub(super) const ALERT_FOR: Duration = Duration::from_millis(1);

/// How the thread waits for the next frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pace {
    /// It sleeps until the kernel wakes it: costs nothing, and some microseconds when a frame comes.
    Sleep,
    /// It asks again and again while frames come, and sleeps when none has for a millisecond
    /// ([`Desk::stay_alert`](super::desk::Desk::stay_alert)): takes a core while the market is busy.
    #[default]
    Alert,
    /// It asks again and again: takes a whole core, and what it needs stays in the caches.
    Spin,
}

impl Pace {
    /// The pace of a program that trades, by its options. Where there is one core only, the kernel needs it too.
    #[must_use]
    pub fn of(spin: bool, sleep: bool) -> Self {
        match (spin, sleep) {
            (true, _) => Self::Spin,
            (false, true) => Self::Sleep,
            (false, false) if available_parallelism().map_or(1, NonZero::get) < 2 => Self::Sleep,
            (false, false) => Self::Alert,
        }
    }

    /// Runs a program of the trading thread to its end.
    ///
    /// # Errors
    /// When the system gives no runtime.
    pub fn block_on<T>(self, program: impl Future<Output = T>) -> io::Result<T> {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        if self != Self::Sleep {
            // Every turn asks the kernel for news; the usual 61 turns between would be as many microseconds.
            runtime.event_interval(1);
        }
        let runtime = runtime.enable_all().build()?;
        let local = tokio::task::LocalSet::new();
        if self == Self::Spin {
            local.spawn_local(never_sleep());
        }
        Ok(local.block_on(&runtime, program))
    }
}

/// A task that is always ready keeps the runtime from waiting in the kernel.
async fn never_sleep() {
    loop {
        tokio::task::yield_now().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pace_runs_timers_and_ends() {
        for pace in [Pace::Sleep, Pace::Alert, Pace::Spin] {
            let ended = pace.block_on(async {
                tokio::time::sleep(Duration::from_millis(2)).await;
                tokio::task::spawn_local(async { 7 }).await.expect("no panic")
            });
            assert_eq!(ended.expect("a runtime"), 7);
        }
    }

    #[test]
    fn options_decide() {
        assert_eq!((Pace::of(true, false), Pace::of(false, true)), (Pace::Spin, Pace::Sleep));
        assert_ne!(Pace::of(false, false), Pace::Spin, "a core is not taken for good unless asked for");
    }
}
