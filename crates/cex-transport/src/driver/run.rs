//! The one loop of a running link.
//!
//! It is polled by hand over state it owns, so there is no branch that could drop a read, a call or a connection attempt
//! halfway: each is kept until it ends, or is given up on purpose. In one turn come first frames (within a budget), then
//! wishes of others, then answers to calls, then deadlines; what is to be sent leaves at the end of the turn.

use super::book_keeping::{Answered, Calls, Timer};
use super::feed::Feed;
use super::handle::{Command, LinkCommands};
use super::network::Network;
use super::phase::{Open, Phase};
use super::sink::Sink;
use crate::clock::Clock;
use crate::config::LinkConfig;
use crate::jitter::{Backoff, Jitter};
use crate::metrics::LinkMetrics;
use crate::ws::{Message, WsError};
use cex_core::{Timestamp, VenueId};
use cex_errors::{ErrorKind, ExchangeError, Retry};
use cex_interface::{Effect, Input, Link, Payload, Request};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// Socket reads in one turn, before others get theirs.
const READS_PER_TURN: usize = 8;
/// Turns in one poll, before the runtime gets its own.
const TURNS_PER_POLL: usize = 8;
/// Things a link may want done in one turn; a link that never stops wanting must not stop the loop.
const EFFECTS_PER_TURN: usize = 256;
/// A link that asks to be woken at a time already past is woken no more often than this.
const WAKE_PAUSE: Duration = Duration::from_millis(10);

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
    /// Where the link counts.
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

struct Driver<S, N: Network> {
    feed: Feed<S>,
    network: N,
    venue: VenueId,
    clock: Clock,
    config: LinkConfig,
    commands: LinkCommands,
    phase: Phase<N::Stream>,
    calls: Calls,
    /// Counts starts. An answer to a call of an earlier life is not delivered: a start begins anew.
    life: u32,
    backoff: Backoff,
    jitter: Jitter,
    timer: Timer,
    wake_not_before: Timestamp,
    /// Set once the end is wanted: until then it may take.
    stop_by: Option<Timestamp>,
    ended: bool,
}

impl<S: Sink, N: Network> Driver<S, N> {
    fn new(link: Box<dyn Link>, sink: S, network: N, context: DriveContext) -> Self {
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
            config,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        for _ in 0..TURNS_PER_POLL {
            let mut progress = self.poll_frames(cx);
            progress |= self.poll_commands(cx);
            progress |= self.poll_calls(cx);
            progress |= self.poll_dial(cx);
            progress |= self.meet_deadlines();
            progress |= self.do_wanted();
            self.flush(cx);
            self.end_if_done();
            self.feed.settle(self.clock.now());
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

    // --- frames -----------------------------------------------------------------------------------------------------

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
    fn handle_frames(&mut self, now: Timestamp) {
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
                    ws.writer().close(1000);
                    self.say_goodbye();
                    return self.lose(now, Duration::ZERO);
                }
            }
            self.feed.metrics.frame_at(now);
            self.do_wanted();
        }
    }

    fn broken(&mut self, error: &WsError) {
        tracing::warn!(link = self.feed.link.name(), %error, "stream lost");
        if let (WsError::Frame(_), Phase::Open(open)) = (error, &mut self.phase) {
            // 1002: protocol error. Sent for the server's log; whether it arrives does not matter.
            open.ws.writer().close(1002);
            self.say_goodbye();
        }
        let now = self.clock.now();
        self.lose(now, Duration::ZERO);
    }

    /// Writes what can be written at once, before a connection is dropped.
    fn say_goodbye(&mut self) {
        if let Phase::Open(open) = &mut self.phase {
            // The connection is given up whatever the write says.
            let _ = open.ws.poll_flush(&mut Context::from_waker(std::task::Waker::noop()));
        }
    }

    // --- wishes of others, answers, connection attempts ---------------------------------------------------------------

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

    fn begin_to_stop(&mut self) {
        let now = self.clock.now();
        self.stop_by = Some(now + self.config.stop_timeout);
        match &self.phase {
            Phase::Open(_) => {}
            Phase::Resting { .. } | Phase::Starting { .. } | Phase::Dialing { .. } => {
                self.phase = Phase::Resting { until: None, reserved: false };
            }
        }
        self.feed.tell(now, Input::Stop);
    }

    fn obey(&mut self, command: Command) {
        let now = self.clock.now();
        match (command, &self.phase) {
            (Command::Resubscribe(symbol), Phase::Open(_)) => {
                self.feed.metrics.resubscribes.add_one();
                self.feed.tell(now, Input::Resubscribe(symbol));
                self.do_wanted();
            }
            (Command::Reconnect, Phase::Open(_)) => self.lose(now, Duration::ZERO),
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
                self.feed.epoch += 1;
                self.feed.metrics.connects.add_one();
                self.feed.metrics.set_up(true);
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

    // --- time -------------------------------------------------------------------------------------------------------

    fn meet_deadlines(&mut self) -> bool {
        let now = self.clock.now();
        self.meet_phase_deadline(now) | self.wake_link(now)
    }

    fn meet_phase_deadline(&mut self, now: Timestamp) -> bool {
        if self.phase.due_at(&self.config).is_none_or(|at| at > now) {
            return false;
        }
        let overdue = match &mut self.phase {
            Phase::Resting { reserved, .. } => {
                let reserved = *reserved;
                self.start_or_queue(now, reserved);
                return true;
            }
            Phase::Starting { .. } => Some("the link did not ask to connect"),
            Phase::Dialing { .. } => Some("connecting took too long"),
            Phase::Open(open) => open.dead_because(now, &self.config),
        };
        match (overdue, &mut self.phase) {
            (Some(why), _) => {
                tracing::warn!(link = self.feed.link.name(), why, "stream given up");
                self.lose(now, Duration::ZERO);
            }
            (None, Phase::Open(open)) => {
                open.pinged = true;
                open.ws.writer().ping();
            }
            (None, Phase::Resting { .. } | Phase::Starting { .. } | Phase::Dialing { .. }) => {}
        }
        true
    }

    fn wake_link(&mut self, now: Timestamp) -> bool {
        let due = self.feed.link.wakeup_at().is_some_and(|at| at <= now);
        // Before the first start a link has nothing to be woken for.
        if self.life == 0 || !due || now < self.wake_not_before {
            return false;
        }
        self.feed.tell(now, Input::Wake);
        self.do_wanted();
        if self.feed.link.wakeup_at().is_some_and(|at| at <= now) {
            self.wake_not_before = now + WAKE_PAUSE;
        }
        true
    }

    /// Arranges to be woken when something is due; `true` when that is now.
    fn wait_for_next(&mut self, cx: &mut Context<'_>) -> bool {
        let wake =
            self.feed.link.wakeup_at().filter(|_| self.life > 0).map(|at| at.max(self.wake_not_before));
        let due = [wake, self.phase.due_at(&self.config), self.stop_by].into_iter().flatten().min();
        due.is_some_and(|at| self.timer.arm(&self.clock, at, cx))
    }

    // --- life and death ---------------------------------------------------------------------------------------------

    /// Starts, or rests until the moment the venue's budget of connection attempts has free.
    fn start_or_queue(&mut self, now: Timestamp, reserved: bool) {
        let slot = if reserved { now } else { self.network.dial_slot(now) };
        if slot > now {
            self.phase = Phase::Resting { until: Some(slot), reserved: true };
            return;
        }
        self.life += 1;
        self.phase = Phase::Starting { deadline: now + self.config.start_timeout };
        self.feed.tell(now, Input::Start);
        self.do_wanted();
    }

    /// The connection, or the attempt at one, is gone. The next start comes after a pause of at least `at_least`.
    fn lose(&mut self, now: Timestamp, at_least: Duration) {
        if let Phase::Open(open) = &self.phase {
            self.feed.metrics.losses.add_one();
            if open.brought_data && now.since(open.opened_at) >= self.config.stable_after {
                self.backoff.reset();
            }
        }
        self.feed.metrics.set_up(false);
        self.feed.forget_wishes_of_connection();
        let pause = self.backoff.next(&mut self.jitter).max(at_least);
        self.phase = Phase::Resting { until: self.stop_by.is_none().then(|| now + pause), reserved: false };
        self.feed.tell(now, Input::Disconnected);
        // What the link says to a loss must not reach into the next life.
        self.feed.forget_wishes_of_connection();
    }

    fn end_if_done(&mut self) {
        let Some(stop_by) = self.stop_by else { return };
        let now = self.clock.now();
        let sent = match &self.phase {
            Phase::Open(open) => open.ws.is_flushed(),
            Phase::Resting { .. } | Phase::Starting { .. } | Phase::Dialing { .. } => true,
        };
        if now < stop_by && (self.calls.len() > 0 || self.feed.wants_something() || !sent) {
            return;
        }
        if let Phase::Open(open) = &mut self.phase {
            open.ws.writer().close(1000);
            self.say_goodbye();
            self.lose(now, Duration::ZERO);
        }
        self.ended = true;
    }

    // --- what the link wants done -----------------------------------------------------------------------------------

    fn do_wanted(&mut self) -> bool {
        for done in 0..EFFECTS_PER_TURN {
            let Some(effect) = self.feed.next_wanted() else { return done > 0 };
            let now = self.clock.now();
            match effect {
                Effect::Connect(url) => self.connect(now, &url),
                Effect::Send(payload) => self.send(now, &payload),
                Effect::Request { tag, request } => self.request(now, tag, request),
                Effect::Reconnect(reason) => {
                    tracing::info!(link = self.feed.link.name(), ?reason, "link asked for a new connection");
                    self.say_goodbye();
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

    fn flush(&mut self, cx: &mut Context<'_>) {
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
