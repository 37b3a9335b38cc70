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

/// One timer of the runtime, moved only when its moment changes.
pub(super) struct Timer {
    sleep: Pin<Box<Sleep>>,
    set_for: Option<Timestamp>,
}

impl Timer {
    pub(super) fn new() -> Self {
        Self { sleep: Box::pin(tokio::time::sleep(Duration::ZERO)), set_for: None }
    }

    /// Arranges to be woken at `at`; `true` when that has come already.
    pub(super) fn arm(&mut self, clock: &Clock, at: Timestamp, cx: &mut Context<'_>) -> bool {
        if self.set_for != Some(at) {
            self.sleep.as_mut().reset(clock.instant(at));
            self.set_for = Some(at);
        }
        if self.sleep.as_mut().poll(cx).is_pending() {
            return false;
        }
        // A finished timer must be set again before it is polled again.
        self.set_for = None;
        true
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
