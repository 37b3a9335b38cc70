//! A connection is replaced before its exchange cuts it: the new one is made and heard before the old one is left, so
//! nobody who listens notices.
//!
//! Both feed the same sink through a relay while they overlap. Account events pass through twice then: whoever
//! listens to an account must know an event it has seen, because exchanges repeat them after any reconnect.

use super::book_keeping::Timer;
use super::handle::{Command, LinkHandle, link_channel};
use super::merge::{Ear, Merge};
use super::network::Network;
use super::run::{DriveContext, Driver};
use super::sink::{Received, Sink};
use crate::config::LinkConfig;
use crate::jitter::Jitter;
use cex_core::{LinkEvent, Markets, Timestamp};
use cex_errors::{ErrorKind, ExchangeError, Op};
use cex_interface::{Input, Link, Outbox, Protocol, Subscription};
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// How long both are heard after the new one has said that it carries everything.
const OVERLAP: Duration = Duration::from_secs(3);
/// How much longer a takeover waits for the old one to catch up with what the new one has told.
const LATE: Duration = Duration::from_secs(10);
/// How long the old one is still heard after the new one has taken over: what it was about to tell still counts.
const TRAIL: Duration = Duration::from_secs(1);
/// A new connection that does not carry everything within this is given up.
const PATIENCE: Duration = Duration::from_secs(60);
/// After which it is tried again.
const RETRY: Duration = Duration::from_secs(300);

/// A connection is replaced when this part of its life is left, or two.
const EARLY: u32 = 24;

/// Makes the next link like the one before.
pub type MakeLink = Box<dyn FnMut() -> Result<Box<dyn Link>, ExchangeError> + Send>;

/// When a connection is replaced, and by what.
pub struct Rotation {
    /// So long after it was made; well before the exchange would cut it. `None`: only when the exchange announces the end.
    pub after: Option<Duration>,
    /// Makes its successor's link.
    pub make: MakeLink,
}

impl Rotation {
    /// The rotation of a link of `protocol`: a little before the exchange would cut its connection, or as configured.
    #[must_use]
    pub fn of(
        protocol: Arc<dyn Protocol>,
        markets: Arc<Markets>,
        link: &dyn Link,
        config: &LinkConfig,
        seed: u64,
    ) -> Self {
        let lifetime = protocol.capabilities().connection_lifetime;
        let most = config.rotate_after.or(lifetime.map(|lifetime| lifetime - lifetime / EARLY));
        // Connections made together must not all be replaced together.
        let after = most.map(|most| most - Jitter::new(seed).up_to(most / EARLY));
        let wanted = link.subscriptions().to_vec();
        let make = Box::new(move || successor(protocol.as_ref(), &markets, &wanted));
        Self { after, make }
    }
}

/// A link that carries the same; the account's, when nothing is wanted.
fn successor(
    protocol: &dyn Protocol,
    markets: &Arc<Markets>,
    wanted: &[Subscription],
) -> Result<Box<dyn Link>, ExchangeError> {
    if wanted.is_empty() {
        return protocol.account_link(markets);
    }
    let mut links = protocol.market_links(markets, wanted)?;
    match (links.pop(), links.is_empty()) {
        (Some(link), true) => Ok(link),
        (Some(_) | None, _) => {
            let kind = ErrorKind::InvalidInput("what one connection carried no longer fits into one");
            Err(ExchangeError::new(protocol.venue(), Op::Stream, kind))
        }
    }
}

impl fmt::Debug for Rotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rotation").field("after", &self.after).finish_non_exhaustive()
    }
}

/// What a connection is to the listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Listened to.
    Main,
    /// To take over.
    Successor,
    /// Taken over from; heard a moment longer.
    Predecessor,
    /// Not heard any more.
    Gone,
}

/// Between the connections and the listener. It travels to whichever driver is being polled, so there is no lock.
struct Relay<S> {
    sink: S,
    merge: Merge,
    /// Whether two connections are heard.
    overlaps: bool,
    /// What a successor has said of itself since it was connected, to be told when it takes over.
    said: Vec<LinkEvent>,
    main_is_lost: bool,
}

impl<S: Sink> Relay<S> {
    fn deliver(&mut self, role: Role, now: Timestamp, received: &Received, out: &mut Outbox) {
        let ear = match role {
            Role::Main => {
                self.main_is_lost |= out.link.contains(&LinkEvent::Down);
                Ear::Main
            }
            Role::Successor => {
                out.link.drain(..).for_each(|event| self.note_said(event));
                Ear::Other
            }
            Role::Predecessor => {
                out.link.clear();
                Ear::Other
            }
            Role::Gone => return out.clear(),
        };
        if self.overlaps {
            out.market.retain_mut(|event| self.merge.admits(ear, event));
        } else {
            out.market.iter_mut().for_each(|event| self.merge.note(event));
        }
        self.sink.deliver(now, received, out);
    }

    /// What a successor was promised on a connection that it has lost itself, nobody holds to.
    fn note_said(&mut self, event: LinkEvent) {
        if event == LinkEvent::Down {
            self.said.clear();
        } else {
            self.said.push(event);
        }
    }
}

/// The sink of one driver: where the relay is while that driver is polled.
pub(super) struct Seat<S> {
    role: Role,
    relay: Option<Box<Relay<S>>>,
}

impl<S: Sink> Sink for Seat<S> {
    fn deliver(&mut self, now: Timestamp, received: &Received, out: &mut Outbox) {
        if let Some(relay) = &mut self.relay {
            relay.deliver(self.role, now, received, out);
        }
    }

    fn settled(&mut self, now: Timestamp) {
        if let Some(relay) = &mut self.relay {
            relay.sink.settled(now);
        }
    }

    fn observe(&mut self, now: Timestamp, received: &Received, input: &Input<'_>) {
        if let Some(relay) = &mut self.relay {
            relay.sink.observe(now, received, input);
        }
    }
}

/// A driver and the way to ask it for something.
struct Runner<S, N: Network> {
    driver: Driver<Seat<S>, N>,
    handle: LinkHandle,
    ended: bool,
}

impl<S: Sink, N: Network> Runner<S, N> {
    fn poll(&mut self, relay: &mut Option<Box<Relay<S>>>, cx: &mut Context<'_>) {
        if self.ended {
            return;
        }
        self.driver.feed.sink.relay = relay.take();
        self.ended = self.driver.poll(cx).is_ready();
        *relay = self.driver.feed.sink.relay.take();
    }

    const fn be(&mut self, role: Role) {
        self.driver.feed.sink.role = role;
    }
}

/// A second connection beside the main one.
struct Second<S, N: Network> {
    runner: Runner<S, N>,
    /// The step that comes next for it, and when.
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It is being made; given up at this time.
    Coming(Timestamp),
    /// It carries everything; takes over at this time.
    Ready(Timestamp),
    /// It was taken over from; heard until then.
    Trailing(Timestamp),
    /// It says goodbye.
    Leaving,
}

/// Everything that runs one link for as long as it is wanted.
pub(super) struct Rotating<S, N: Network> {
    relay: Option<Box<Relay<S>>>,
    main: Runner<S, N>,
    second: Option<Second<S, N>>,
    context: DriveContext,
    network: N,
    /// `None` once the end is wanted.
    rotation: Option<Rotation>,
    rotate_at: Option<Timestamp>,
    timer: Timer,
    generation: u64,
}

impl<S: Sink, N: Network + Clone> Rotating<S, N> {
    pub(super) fn new(
        link: Box<dyn Link>,
        sink: S,
        network: N,
        context: DriveContext,
        rotation: Rotation,
    ) -> Self {
        let merge = Merge::default();
        let relay = Relay { sink, merge, overlaps: false, said: Vec::new(), main_is_lost: false };
        let main = runner(link, Role::Main, network.clone(), &context, 0);
        let rotate_at = rotation.after.map(|after| context.clock.now() + after);
        Self {
            relay: Some(Box::new(relay)),
            main,
            second: None,
            context,
            network,
            rotation: Some(rotation),
            rotate_at,
            timer: Timer::new(),
            generation: 0,
        }
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<S>> {
        loop {
            self.pass_on_wishes(cx);
            self.main.poll(&mut self.relay, cx);
            if let Some(second) = &mut self.second {
                second.runner.poll(&mut self.relay, cx);
            }
            if self.main.ended {
                return Poll::Ready(self.relay.take().map(|relay| relay.sink));
            }
            let now = self.context.clock.now();
            let moved = self.move_on(now);
            let due = self.due_at();
            if !moved && !due.is_some_and(|at| self.timer.arm(&self.context.clock, at, cx)) {
                return Poll::Pending;
            }
        }
    }

    /// What others ask of the link is asked of the connection that is listened to.
    fn pass_on_wishes(&mut self, cx: &mut Context<'_>) {
        while let Poll::Ready(Some(command)) = self.context.commands.poll_command(cx) {
            // A full queue means that as much is wanted already; what is still missing then is asked for again.
            let _taken = match command {
                Command::Resubscribe(symbol) => self.main.handle.resubscribe(symbol),
                Command::Reconnect => self.main.handle.reconnect(),
            };
        }
        if self.context.commands.poll_stop(cx).is_ready() {
            self.main.handle.stop();
            self.rotation = None;
            self.rotate_at = None;
            self.drop_second();
        }
    }

    fn due_at(&self) -> Option<Timestamp> {
        match &self.second {
            None => self.rotate_at,
            Some(second) => match second.stage {
                Stage::Ready(at) if at <= self.context.clock.now() => Some(at + LATE),
                Stage::Coming(at) | Stage::Ready(at) | Stage::Trailing(at) => Some(at),
                Stage::Leaving => None,
            },
        }
    }

    /// The next step of a rotation, if it is time for one.
    fn move_on(&mut self, now: Timestamp) -> bool {
        let Some(second) = &mut self.second else {
            let is_due = self.rotate_at.is_some_and(|at| at <= now) || self.main.driver.is_doomed;
            return is_due && self.rotation.is_some() && self.begin(now);
        };
        let lost = self.relay.as_mut().is_some_and(|relay| std::mem::take(&mut relay.main_is_lost));
        let has_caught_up = self.relay.as_mut().is_some_and(|relay| relay.merge.has_caught_up());
        let carries_all =
            |second: &Second<S, N>| self.relay.as_ref().is_some_and(|relay| carries_all(second, &relay.said));
        match second.stage {
            Stage::Coming(until) => match (carries_all(second), lost) {
                // The loss is known in this turn only.
                (true, true) => self.take_over(now, true),
                (true, false) => second.stage = Stage::Ready(now + OVERLAP),
                (false, _) if lost || until <= now || second.runner.ended => self.give_up(now),
                (false, _) => return false,
            },
            Stage::Ready(_) if !second.runner.driver.is_open() => self.give_up(now),
            Stage::Ready(at) if lost || (at <= now && (has_caught_up || at + LATE <= now)) => {
                if carries_all(second) { self.take_over(now, lost) } else { self.give_up(now) }
            }
            Stage::Trailing(at) if at <= now => {
                second.runner.be(Role::Gone);
                second.runner.handle.stop();
                second.stage = Stage::Leaving;
                self.end_overlap();
            }
            Stage::Leaving if second.runner.ended => self.second = None,
            Stage::Ready(_) | Stage::Trailing(_) | Stage::Leaving => return false,
        }
        true
    }

    /// Makes the successor; not while the main connection is being made anew, which is a rotation of its own.
    fn begin(&mut self, now: Timestamp) -> bool {
        let Some(rotation) = &mut self.rotation else { return false };
        self.main.driver.is_doomed = false;
        if !self.main.driver.is_open() {
            self.rotate_at = rotation.after.map(|after| now + after);
            return true;
        }
        match (rotation.make)() {
            Ok(link) => {
                self.generation += 1;
                let runner =
                    runner(link, Role::Successor, self.network.clone(), &self.context, self.generation);
                self.second = Some(Second { runner, stage: Stage::Coming(now + PATIENCE) });
                if let Some(relay) = &mut self.relay {
                    relay.said.clear();
                    relay.main_is_lost = false;
                    relay.overlaps = true;
                }
            }
            Err(error) => {
                tracing::error!(%error, "no successor for a connection could be made");
                self.rotate_at = Some(now + RETRY);
            }
        }
        true
    }

    /// The new connection is listened to from now on.
    fn take_over(&mut self, now: Timestamp, main_was_lost: bool) {
        let (Some(second), Some(relay)) = (&mut self.second, &mut self.relay) else { return };
        std::mem::swap(&mut self.main, &mut second.runner);
        self.main.be(Role::Main);
        second.runner.be(Role::Predecessor);
        second.stage = Stage::Trailing(now + TRAIL);
        self.context.metrics.rotations.add_one();
        relay.merge.swap();
        let mut said = std::mem::take(&mut relay.said);
        // After a loss the listener begins anew with what now stands; without one it hears only what stands no longer.
        if !main_was_lost {
            said = missing(&said);
        }
        if !said.is_empty() {
            let mut out = Outbox { link: said, ..Outbox::default() };
            let received = Received { read_at: now, epoch: self.main.driver.feed.epoch };
            relay.sink.deliver(now, &received, &mut out);
            relay.sink.settled(now);
        }
        self.rotate_at = self.next_rotation(now);
    }

    fn next_rotation(&self, now: Timestamp) -> Option<Timestamp> {
        Some(now + self.rotation.as_ref()?.after?)
    }

    fn give_up(&mut self, now: Timestamp) {
        tracing::warn!("a connection's successor did not come to carry everything; tried again later");
        self.drop_second();
        let next = self.next_rotation(now);
        self.rotate_at = Some(next.map_or(now + RETRY, |next| next.min(now + RETRY)));
    }

    fn drop_second(&mut self) {
        if let Some(mut second) = self.second.take() {
            second.runner.driver.abandon();
        }
        self.end_overlap();
    }

    fn end_overlap(&mut self) {
        if let Some(relay) = &mut self.relay {
            relay.overlaps = false;
            relay.said.clear();
            relay.merge.end();
        }
    }
}

/// Whether a connection has an answer to every subscription of its link; an account's, that it is ready.
fn carries_all<S: Sink, N: Network>(second: &Second<S, N>, said: &[LinkEvent]) -> bool {
    let wanted = second.runner.driver.feed.link.subscriptions();
    if wanted.is_empty() {
        return said.contains(&LinkEvent::AccountReady);
    }
    wanted.iter().all(|one| is_answered(one, said))
}

/// What a successor was refused and has not been granted since. The main connection may carry it, so whoever listens must
/// hear of it when the successor takes over, and asks again.
fn missing(said: &[LinkEvent]) -> Vec<LinkEvent> {
    let still_missing = |(index, event): (usize, &LinkEvent)| match *event {
        LinkEvent::Refused { symbol, stream } => {
            let granted = LinkEvent::Subscribed { symbol, stream };
            (!said[index..].contains(&granted)).then_some(*event)
        }
        LinkEvent::Up
        | LinkEvent::Subscribed { .. }
        | LinkEvent::Undecodable { .. }
        | LinkEvent::AccountReady
        | LinkEvent::Down => None,
    };
    said.iter().enumerate().filter_map(still_missing).collect()
}

/// Confirmed or refused: what the exchange refuses it may refuse for good, and the main connection is cut either way.
fn is_answered(one: &Subscription, said: &[LinkEvent]) -> bool {
    let (symbol, stream) = (Some(one.symbol), one.stream);
    said.contains(&LinkEvent::Subscribed { symbol, stream })
        || said.contains(&LinkEvent::Refused { symbol, stream })
}

fn runner<S: Sink, N: Network>(
    link: Box<dyn Link>,
    role: Role,
    network: N,
    context: &DriveContext,
    generation: u64,
) -> Runner<S, N> {
    let (handle, commands) = link_channel(context.config.commands_max);
    let own = DriveContext {
        venue: context.venue,
        clock: context.clock,
        config: context.config.clone(),
        commands,
        metrics: Arc::clone(&context.metrics),
        seed: context.seed.wrapping_add(generation),
    };
    let mut driver = Driver::new(link, Seat { role, relay: None }, network, own);
    driver.has_successor = true;
    Runner { driver, handle, ended: false }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cex_core::{StreamKind, SymbolId};

    #[test]
    fn a_refused_subscription_does_not_keep_a_successor_waiting() {
        let one = Subscription { symbol: SymbolId(3), stream: StreamKind::Book };
        let (symbol, stream) = (Some(one.symbol), one.stream);
        assert!(!is_answered(&one, &[LinkEvent::Up]));
        assert!(!is_answered(&one, &[LinkEvent::Subscribed { symbol, stream: StreamKind::Trades }]));
        assert!(is_answered(&one, &[LinkEvent::Up, LinkEvent::Subscribed { symbol, stream }]));
        assert!(is_answered(&one, &[LinkEvent::Refused { symbol, stream }]));
    }
}
