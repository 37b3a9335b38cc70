//! What a link wants done, and what was queued by it leaving.

use super::network::Network;
use super::phase::Phase;
use super::run::{CLOSE_NORMAL, Driver};
use super::sink::Sink;
use cex_core::Timestamp;
use cex_errors::{ErrorKind, ExchangeError};
use cex_interface::{CloseReason, Effect, Input, Payload, Request};
use std::task::{Context, Poll};
use std::time::Duration;

/// Things a link may want done in one turn; a link that never stops wanting must not stop the loop.
const EFFECTS_PER_TURN: usize = 256;

impl<S: Sink, N: Network> Driver<S, N> {
    pub(super) fn do_wanted(&mut self) -> bool {
        for done in 0..EFFECTS_PER_TURN {
            let Some(effect) = self.feed.next_wanted() else { return done > 0 };
            let now = self.clock.now();
            match effect {
                Effect::Connect(url) => self.connect(now, &url),
                Effect::Send(payload) => self.send(now, &payload),
                Effect::Request { tag, request } => self.request(now, tag, request),
                // Others will take its place; until then it serves.
                Effect::Reconnect(CloseReason::Announced) if self.has_successor => self.is_doomed = true,
                Effect::Reconnect(reason) => {
                    tracing::info!(link = self.feed.link.name(), ?reason, "link asked for a new connection");
                    self.say_goodbye(CLOSE_NORMAL);
                    self.lose(now, Duration::ZERO);
                }
            }
        }
        true
    }

    fn connect(&mut self, now: Timestamp, url: &str) {
        match &self.phase {
            Phase::Starting { .. } if self.stop_by.is_none() => {
                self.feed.metrics.dials.add_one();
                let deadline = now + self.config.dial_timeout;
                self.phase = Phase::Dialing { attempt: self.network.dial(url), deadline };
            }
            Phase::Starting { .. } => {}
            Phase::Resting { .. } | Phase::Dialing { .. } | Phase::Open(_) => {
                self.feed.misuse(now, "to connect without having been told to start");
            }
        }
    }

    fn send(&mut self, now: Timestamp, payload: &Payload) {
        let Phase::Open(open) = &mut self.phase else {
            return self.feed.misuse(now, "to send without a connection");
        };
        let writer = open.ws.writer();
        match payload {
            Payload::Text(text) => writer.text(text),
            Payload::Binary(bytes) => writer.binary(bytes),
            Payload::Ping => writer.ping(),
        }
    }

    fn request(&mut self, now: Timestamp, tag: u32, request: Request) {
        if self.calls.len() < self.config.calls_max {
            let answer = self.network.call(request);
            return self.calls.push(tag, self.life, answer);
        }
        self.feed.misuse(now, "more calls than may be on the way");
        let kind = ErrorKind::Throttled { retry_after: Duration::from_secs(1) };
        let refused = Err(ExchangeError::new(self.venue, request.op(), kind));
        self.feed.tell(now, Input::Reply { tag, result: &refused });
    }

    pub(super) fn flush(&mut self, cx: &mut Context<'_>) {
        let Phase::Open(open) = &mut self.phase else { return };
        match open.ws.poll_flush(cx) {
            Poll::Ready(Ok(())) => open.stalled_since = None,
            Poll::Pending => {
                let now = self.clock.now();
                open.stalled_since.get_or_insert(now);
            }
            Poll::Ready(Err(error)) => self.broken(&error),
        }
    }
}
