//! Waiting for conditions, never for luck.

use crate::behaviour::Failure;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// How long a condition is waited for: a hundred times what it usually takes, because machines stall.
pub const PATIENCE: Duration = Duration::from_secs(8);

/// How often a condition is looked at.
const PAUSE: Duration = Duration::from_millis(4);

/// Looks until something is there.
///
/// # Errors
/// What was waited for, when it did not come in time; or what looking failed with.
pub async fn until<T, F>(what: &str, mut look: impl FnMut() -> F) -> Result<T, Failure>
where
    F: Future<Output = Result<Option<T>, Failure>>,
{
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        if Instant::now() > deadline {
            return Err(Failure::new(
                format_args!("{what} within {} s", PATIENCE.as_secs()),
                "it did not come",
            ));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// What a future has at hand, without waiting.
pub fn now_or_never<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}
