//! What a call says of its times, and calls that begin at once.

use cex_core::Timestamp;
use cex_errors::ExchangeError;
use cex_interface::Reply;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use tokio::task::coop::unconstrained;

/// When a call passed its stations, by our clock. Of several attempts, the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CallStamps {
    /// It was built and signed.
    pub encoded_at: Option<Timestamp>,
    /// Its first byte was handed to the socket. `None`: it never left.
    pub written_at: Option<Timestamp>,
    /// Its answer was whole.
    pub answered_at: Option<Timestamp>,
}

/// How a call ended, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The exchange's answer, or why there is none.
    pub result: Result<Reply, ExchangeError>,
    /// When each step of the call was reached, by our clock.
    pub stamps: CallStamps,
}

/// A call that is on its way already. Dropping it gives the call up, which for a placement means `Unknown`: never drop
/// one that has not ended; spawn it.
pub struct Started {
    call: Pin<Box<dyn Future<Output = Answer> + Send>>,
    ended: Option<Answer>,
}

impl Started {
    /// Polls `call` once, now: on a warm connection that hands the whole request to the socket.
    ///
    /// tokio's fairness budget is lifted for it, because an order must not wait a turn for having been preceded by many
    /// frames.
    pub(super) fn begin(call: impl Future<Output = Answer> + Send + 'static) -> Self {
        let mut call: Pin<Box<dyn Future<Output = Answer> + Send>> = Box::pin(unconstrained(call));
        let ended = match call.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => Some(answer),
            Poll::Pending => None,
        };
        Self { call, ended }
    }
}

impl Future for Started {
    type Output = Answer;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answer> {
        match self.ended.take() {
            Some(answer) => Poll::Ready(answer),
            None => self.call.as_mut().poll(cx),
        }
    }
}

impl fmt::Debug for Started {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Started").field("ended", &self.ended).finish_non_exhaustive()
    }
}
