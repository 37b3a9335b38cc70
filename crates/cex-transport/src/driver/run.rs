//! The one loop of a running link.
//!
//! It is polled by hand over state it owns, so there is no branch that could drop a read, a call or a connection attempt
//! halfway: each is kept until it ends, or is given up on purpose. In one turn come first frames (within a budget), then
//! calls to carry and wishes of others, then answers to calls, then deadlines; what is to be sent leaves at the end of the turn.

use super::book_keeping::{Answered, Calls, Timer};
use super::feed::Feed;
use super::handle::{Command, LinkCommands};
use super::network::Network;
use super::phase::{Open, Phase};
use super::rotate::{Rotating, Rotation};
use super::sink::Sink;
use crate::clock::Clock;
use crate::config::LinkConfig;
use crate::jitter::{Backoff, Jitter};
use crate::metrics::LinkMetrics;
use crate::ws::{Message, WsError};
use cex_core::{Timestamp, VenueId};
use cex_errors::Retry;
use cex_interface::{Input, Link};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// Socket reads in one turn, before others get theirs.
const READS_PER_TURN: usize = 8;
/// Turns in one poll, before the runtime gets its own.
const TURNS_PER_POLL: usize = 8;

/// Close codes of RFC 6455 §7.4.1. They are for the server's log: whether they arrive does not matter.
pub(super) const CLOSE_NORMAL: u16 = 1000;
const CLOSE_PROTOCOL_ERROR: u16 = 1002;

/// What a driver is given besides its link, sink and network.
#[derive(Debug)]
pub struct DriveContext {
    /// The venue, for errors.
    pub venue: VenueId,
    /// Our clock.
    pub clock: Clock,
    /// Bounds and pauses.
    pub config: LinkConfig,
    /// The other end of the link's handles.
    pub commands: LinkCommands,
    /// Counters of the link.
    pub metrics: Arc<LinkMetrics>,
    /// Seed of its pauses.
    pub seed: u64,
}

/// Runs a link until it is stopped; gives the sink back then. Never gives up, whatever the exchange does.
///
/// The future is `Send` when the sink is; with an `Rc` inside the sink, run it with `spawn_local`.
pub async fn drive<S: Sink, N: Network>(
    link: Box<dyn Link>,
    sink: S,
    network: N,
    context: DriveContext,
) -> S {
    let mut driver = Driver::new(link, sink, network, context);
    poll_fn(|cx| driver.poll(cx)).await;
    driver.feed.sink
}

/// As [`drive`], and replaces the connection before its exchange cuts it: see [`Rotation`]. Gives the sink back at the end.
///
/// An exchange that announces that it will close a connection gets the same answer at once.
pub async fn drive_rotating<S: Sink, N: Network + Clone>(
    link: Box<dyn Link>,
    sink: S,
    network: N,
    context: DriveContext,
    rotation: Rotation,
) -> Option<S> {
    let mut rotating = Rotating::new(link, sink, network, context, rotation);
    poll_fn(|cx| rotating.poll(cx)).await
}

pub(super) struct Driver<S, N: Network> {
    pub(super) feed: Feed<S>,
    pub(super) network: N,
    pub(super) venue: VenueId,
    pub(super) clock: Clock,
    pub(super) config: LinkConfig,
    pub(super) commands: LinkCommands,
    pub(super) phase: Phase<N::Stream>,
    pub(super) calls: Calls,
    /// Counts starts. An answer to a call of an earlier life is not delivered: a start begins anew.
    pub(super) life: u32,
    pub(super) backoff: Backoff,
    pub(super) jitter: Jitter,
    pub(super) timer: Timer,
    pub(super) wake_not_before: Timestamp,
    /// Set once the end is wanted: until then it may take.
    pub(super) stop_by: Option<Timestamp>,
    pub(super) ended: bool,
    stood_before: bool,
    /// Whether a successor can be had, so that an announced end need not be waited for.
    pub(super) has_successor: bool,
    /// The exchange announced the end of this connection; it serves until a successor does.
    pub(super) is_doomed: bool,
}

impl<S: Sink, N: Network> Driver<S, N> {
    pub(super) fn new(link: Box<dyn Link>, sink: S, network: N, context: DriveContext) -> Self {
        let DriveContext { venue, clock, config, commands, metrics, seed } = context;
        Self {
            feed: Feed::new(link, sink, metrics),
            network,
            venue,
            clock,
            phase: Phase::Resting { until: Some(clock.now()), reserved: false },
            commands,
            calls: Calls::default(),
            life: 0,
            backoff: Backoff::new(config.backoff_base, config.backoff_cap),
            jitter: Jitter::new(seed),
            timer: Timer::new(),
            wake_not_before: Timestamp::EPOCH,
            stop_by: None,
            ended: false,
            stood_before: false,
            has_successor: false,
            is_doomed: false,
            config,
        }
    }

    /// Whether the connection stands.
    pub(super) const fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open(_))
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        for _ in 0..TURNS_PER_POLL {
            let mut progress = self.poll_frames(cx);
            progress |= self.poll_carried(cx);
            progress |= self.poll_commands(cx);
            progress |= self.poll_calls(cx);
            progress |= self.poll_dial(cx);
            progress |= self.meet_deadlines();
            progress |= self.do_wanted();
            self.flush(cx);
            self.end_if_done();
            if self.feed.is_unsettled() {
                self.feed.settle(self.clock.now());
            }
            if self.ended {
                return Poll::Ready(());
            }
            if !progress && !self.wait_for_next(cx) {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn poll_frames(&mut self, cx: &mut Context<'_>) -> bool {
        for turn in 0..READS_PER_TURN {
            let Phase::Open(open) = &mut self.phase else { return turn > 0 };
            match open.ws.poll_read(cx) {
                Poll::Pending => return turn > 0,
                Poll::Ready(Ok(count)) => {
                    // The stamp of everything this read brought is taken here, before any of it is looked at.
                    let now = self.clock.now();
                    self.feed.metrics.reads.add_one();
                    self.feed.metrics.bytes.add(count as u64);
                    self.handle_frames(now);
                    self.feed.settle(now);
                    self.feed.metrics.handling.record(self.clock.now().since(now));
                }
                Poll::Ready(Err(error)) => self.broken(&error),
            }
        }
        true
    }

    /// Works off everything that was read.
    pub(super) fn handle_frames(&mut self, now: Timestamp) {
        while let Phase::Open(open) = &mut self.phase {
            let Open { ws, last_frame_at, last_data_at, pinged, brought_data, .. } = open.as_mut();
            let message = match ws.next_message() {
                Ok(Some(message)) => message,
                Ok(None) => return,
                Err(error) => return self.broken(&error),
            };
            (*last_frame_at, *pinged) = (now, false);
            match message {
                Message::Text(bytes) => {
                    (*last_data_at, *brought_data) = (now, true);
                    self.feed.metrics.frames.add_one();
                    self.feed.tell(now, Input::Text(bytes));
                }
                Message::Binary(bytes) => {
                    (*last_data_at, *brought_data) = (now, true);
                    self.feed.metrics.frames.add_one();
                    self.feed.tell(now, Input::Binary(bytes));
                }
                Message::Ping(_) => {}
                Message::Pong(_) => self.feed.tell(now, Input::Pong),
                Message::Close { code, reason } => {
                    tracing::info!(link = self.feed.link.name(), code, ?reason, "server closed the stream");
                    self.say_goodbye(CLOSE_NORMAL);
                    return self.lose(now, Duration::ZERO);
                }
            }
            self.feed.metrics.frame_at(now);
            self.do_wanted();
        }
    }

    pub(super) fn broken(&mut self, error: &WsError) {
        tracing::warn!(link = self.feed.link.name(), %error, "stream lost");
        if let WsError::Frame(_) = error {
            self.say_goodbye(CLOSE_PROTOCOL_ERROR);
        }
        let now = self.clock.now();
        self.lose(now, Duration::ZERO);
    }

    /// Tells the server why the connection is about to be dropped, if that can be written at once.
    pub(super) fn say_goodbye(&mut self, code: u16) {
        if let Phase::Open(open) = &mut self.phase {
            open.ws.writer().close(code);
            // The connection is given up whatever the write says.
            let _ = open.ws.poll_flush(&mut Context::from_waker(std::task::Waker::noop()));
        }
    }

    /// Leaves the connection for good; the driver is not polled again.
    pub(super) fn abandon(&mut self) {
        if self.is_open() {
            self.say_goodbye(CLOSE_NORMAL);
            self.lose(self.clock.now(), Duration::ZERO);
        }
    }

    fn poll_commands(&mut self, cx: &mut Context<'_>) -> bool {
        if self.stop_by.is_some() {
            return false;
        }
        let mut progress = false;
        while let Poll::Ready(Some(command)) = self.commands.poll_command(cx) {
            progress = true;
            self.obey(command);
        }
        if self.commands.poll_stop(cx).is_ready() {
            self.begin_to_stop();
            return true;
        }
        progress
    }

    /// Calls for the link to carry; also while it stops, since each must be answered.
    fn poll_carried(&mut self, cx: &mut Context<'_>) -> bool {
        let mut progress = false;
        while let Poll::Ready(Some(call)) = self.commands.poll_call(cx) {
            progress = true;
            let now = self.clock.now();
            self.feed.tell_call(now, self.venue, &call);
            self.do_wanted();
        }
        progress
    }

    fn obey(&mut self, command: Command) {
        let now = self.clock.now();
        match (command, &self.phase) {
            (Command::Resubscribe(symbol), Phase::Open(_)) => {
                self.feed.metrics.resubscribes.add_one();
                self.feed.tell(now, Input::Resubscribe(symbol));
                self.do_wanted();
            }
            (Command::Reconnect, Phase::Open(_)) => {
                self.say_goodbye(CLOSE_NORMAL);
                self.lose(now, Duration::ZERO);
            }
            // Without a connection there is nothing to mend: the next one begins with everything anew.
            (
                Command::Resubscribe(_) | Command::Reconnect,
                Phase::Resting { .. } | Phase::Starting { .. } | Phase::Dialing { .. },
            ) => {}
        }
    }

    fn poll_calls(&mut self, cx: &mut Context<'_>) -> bool {
        let mut progress = false;
        while let Some(Answered { tag, life, result }) = self.calls.poll_next(cx) {
            progress = true;
            if life == self.life {
                let now = self.clock.now();
                self.feed.tell(now, Input::Reply { tag, result: &result });
                self.do_wanted();
            }
        }
        progress
    }

    fn poll_dial(&mut self, cx: &mut Context<'_>) -> bool {
        let Phase::Dialing { attempt, .. } = &mut self.phase else { return false };
        let Poll::Ready(result) = attempt.as_mut().poll(cx) else { return false };
        let now = self.clock.now();
        match result {
            Ok(ws) => {
                self.is_doomed = false;
                if std::mem::replace(&mut self.stood_before, true) {
                    self.feed.metrics.reconnects.add_one();
                }
                self.feed.begin_epoch();
                self.feed.metrics.opened();
                self.phase = Phase::Open(Box::new(Open::new(ws, now)));
                self.feed.tell(now, Input::Connected);
                self.do_wanted();
                // The first frames may have come together with the answer to the upgrade.
                self.handle_frames(now);
            }
            Err(error) => {
                tracing::warn!(link = self.feed.link.name(), %error, "stream could not be opened");
                let at_least = match error.retry() {
                    Retry::After(pause) => pause,
                    Retry::Now | Retry::Never => Duration::ZERO,
                };
                self.lose(now, at_least);
            }
        }
        true
    }
}
