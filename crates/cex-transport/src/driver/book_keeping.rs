//! Small things a driver keeps: a timer, the calls on the way, and complaints that do not flood the log.

use super::network::BoxFuture;
use crate::clock::Clock;
use cex_core::Timestamp;
use cex_errors::ExchangeError;
use cex_interface::Reply;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Sleep;

/// One timer of the runtime, moved as rarely as can be: deadlines of silence move with every frame, and moving a timer
/// costs more than handling one.
pub(super) struct Timer {
    sleep: Pin<Box<Sleep>>,
    /// Never later than the moment wanted; `None` once it has rung.
    set_for: Option<Timestamp>,
}

impl Timer {
    pub(super) fn new() -> Self {
        Self { sleep: Box::pin(tokio::time::sleep(Duration::ZERO)), set_for: None }
    }

    /// Arranges to be woken at `at`, or before; `true` when `at` has come already.
    pub(super) fn arm(&mut self, clock: &Clock, at: Timestamp, cx: &mut Context<'_>) -> bool {
        if self.set_for.is_none_or(|set_for| at < set_for) {
            self.set(clock, at);
        }
        while self.sleep.as_mut().poll(cx).is_ready() {
            self.set_for = None;
            if clock.now() >= at {
                return true;
            }
            // It rang for a moment that has moved on since.
            self.set(clock, at);
        }
        false
    }

    fn set(&mut self, clock: &Clock, at: Timestamp) {
        self.sleep.as_mut().reset(clock.instant(at));
        self.set_for = Some(at);
    }
}

/// A call on the way, made for one life of a link.
struct Call {
    tag: u32,
    life: u32,
    answer: BoxFuture<Result<Reply, ExchangeError>>,
}

/// The calls a link has on the way.
#[derive(Default)]
pub(super) struct Calls(Vec<Call>);

/// An answer, and the life of the link that asked.
pub(super) struct Answered {
    pub(super) tag: u32,
    pub(super) life: u32,
    pub(super) result: Result<Reply, ExchangeError>,
}

impl Calls {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn push(&mut self, tag: u32, life: u32, answer: BoxFuture<Result<Reply, ExchangeError>>) {
        self.0.push(Call { tag, life, answer });
    }

    /// The next answer, oldest call first.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Option<Answered> {
        for index in 0..self.0.len() {
            if let Poll::Ready(result) = self.0[index].answer.as_mut().poll(cx) {
                let Call { tag, life, .. } = self.0.remove(index);
                return Some(Answered { tag, life, result });
            }
        }
        None
    }
}

/// Lets one line a second through and counts the rest.
#[derive(Debug, Default)]
pub(super) struct Complaints {
    next_at: Timestamp,
    held_back: u64,
}

impl Complaints {
    /// How many were held back since the last, when one may be written now.
    pub(super) fn may_speak(&mut self, now: Timestamp) -> Option<u64> {
        if now < self.next_at {
            self.held_back += 1;
            return None;
        }
        self.next_at = now + Duration::from_secs(1);
        Some(std::mem::take(&mut self.held_back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_timer_that_is_moved_later_rings_at_the_last_moment_wanted() {
        let clock = Clock::anchored(Timestamp::from_secs(100));
        let (mut timer, mut asked) = (Timer::new(), 0);
        let at = |ms: i64| Timestamp::from_millis(100_000 + ms);
        // Wanted at first for 50 ms; from the first look on for ever later moments, up to 200 ms.
        std::future::poll_fn(|cx| {
            asked += 1;
            let wanted = at((asked * 50).min(200));
            if timer.arm(&clock, wanted, cx) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        })
        .await;
        assert!(
            clock.now() >= at(asked.min(4) * 50) && clock.now() <= at(asked.min(4) * 50 + 2),
            "{asked} looks"
        );
        // An earlier moment moves it forward.
        std::future::poll_fn(|cx| {
            let early = timer.arm(&clock, at(10_000), cx) || timer.arm(&clock, at(500), cx);
            if early { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        })
        .await;
        assert!(clock.now() >= at(500) && clock.now() < at(510));
    }

    #[test]
    fn complaints_are_one_a_second() {
        let mut complaints = Complaints::default();
        let at = Timestamp::from_millis;
        assert_eq!(complaints.may_speak(at(5_000)), Some(0));
        assert_eq!(complaints.may_speak(at(5_001)), None);
        assert_eq!(complaints.may_speak(at(5_999)), None);
        assert_eq!(complaints.may_speak(at(6_000)), Some(2));
    }
}
