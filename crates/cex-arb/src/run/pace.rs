//! What the trading thread does while nothing happens.

use std::future::Future;
use std::io;

/// How the thread waits for the next frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pace {
    /// It sleeps until the kernel wakes it: costs nothing, and some microseconds when a frame comes.
    #[default]
    Sleep,
    /// It asks again and again: takes a whole core, and what it needs stays in the caches.
    Spin,
}

impl Pace {
    /// Runs a program of the trading thread to its end.
    ///
    /// # Errors
    /// When the system gives no runtime.
    pub fn block_on<T>(self, program: impl Future<Output = T>) -> io::Result<T> {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        if self == Self::Spin {
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
    use std::time::Duration;

    #[test]
    fn both_paces_run_timers_and_end() {
        for pace in [Pace::Sleep, Pace::Spin] {
            let ended = pace.block_on(async {
                tokio::time::sleep(Duration::from_millis(2)).await;
                tokio::task::spawn_local(async { 7 }).await.expect("no panic")
            });
            assert_eq!(ended.expect("a runtime"), 7);
        }
    }
}
