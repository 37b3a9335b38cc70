//! Tells a link what happened, hands what it learned to the sink, and keeps what it wants done.

use super::book_keeping::Complaints;
use super::handle::QueuedCall;
use super::sink::{Received, Sink};
use crate::metrics::LinkMetrics;
use cex_core::{Timestamp, VenueId};
use cex_errors::ExchangeError;
use cex_interface::{Effect, Input, Link, LinkAnswer, Outbox};
use std::collections::VecDeque;
use std::sync::Arc;

pub(super) struct Feed<S> {
    pub(super) link: Box<dyn Link>,
    pub(super) sink: S,
    pub(super) metrics: Arc<LinkMetrics>,
    /// Number of the connection; part of what the sink is told.
    pub(super) epoch: u32,
    out: Outbox,
    wanted: VecDeque<Effect>,
    complaints: Complaints,
    unsettled: bool,
}

impl<S: Sink> Feed<S> {
    pub(super) fn new(link: Box<dyn Link>, sink: S, metrics: Arc<LinkMetrics>) -> Self {
        Self {
            link,
            sink,
            metrics,
            epoch: 0,
            out: Outbox::default(),
            wanted: VecDeque::new(),
            complaints: Complaints::default(),
            unsettled: false,
        }
    }

    /// A connection stands. Connections of one link are numbered through, also when two of them overlap.
    pub(super) fn begin_epoch(&mut self) {
        self.metrics.connects.add_one();
        self.epoch = u32::try_from(self.metrics.connects.value()).unwrap_or(u32::MAX);
    }

    /// One thing that happened. An error of the link means that one frame was of no use: it has said in its events what
    /// is stale by it, so here it is only counted.
    pub(super) fn tell(&mut self, now: Timestamp, input: Input<'_>) {
        let received = Received { read_at: now, epoch: self.epoch };
        self.sink.observe(now, &received, &input);
        let result = self.link.handle(now, input, &mut self.out);
        self.hand_over(now, &received);
        if let Err(error) = result {
            self.metrics.errors.add_one();
            if let Some(held_back) = self.complaints.may_speak(now) {
                tracing::warn!(link = self.link.name(), %error, held_back, "link could not use what came");
            }
        }
    }

    /// Has the link carry a call. One that cannot leave has its answer at once.
    pub(super) fn tell_call(&mut self, now: Timestamp, venue: VenueId, call: &QueuedCall) {
        if let Err(kind) = self.link.call(now, call.for_link(), &mut self.out) {
            let error = ExchangeError::new(venue, call.request.op(), kind);
            self.out.answers.push(LinkAnswer::failed(call.tag, error));
        }
        self.hand_over(now, &Received { read_at: now, epoch: self.epoch });
    }

    fn hand_over(&mut self, now: Timestamp, received: &Received) {
        self.wanted.extend(self.out.effects.drain(..));
        if !self.out.is_empty() {
            self.sink.deliver(now, received, &mut self.out);
            self.unsettled = true;
        }
        self.out.clear();
    }

    /// Whether something was delivered since the sink was last told that all of it was.
    pub(super) const fn is_unsettled(&self) -> bool {
        self.unsettled
    }

    /// Tells the sink that all of it has been delivered, if anything was.
    pub(super) fn settle(&mut self, now: Timestamp) {
        if std::mem::take(&mut self.unsettled) {
            self.sink.settled(now);
        }
    }

    /// The next thing the link wants done.
    pub(super) fn next_wanted(&mut self) -> Option<Effect> {
        self.wanted.pop_front()
    }

    /// Whether the link wants something done.
    pub(super) fn wants_something(&self) -> bool {
        !self.wanted.is_empty()
    }

    /// Forgets what was wanted of a connection that is gone. Calls stay wanted: giving back a key needs no connection.
    pub(super) fn forget_wishes_of_connection(&mut self) {
        self.wanted.retain(|effect| match effect {
            Effect::Request { .. } => true,
            Effect::Connect(_) | Effect::Send(_) | Effect::Reconnect(_) => false,
        });
    }

    /// The link asked for something that makes no sense as things stand. Counted: it is a fault of the adapter.
    pub(super) fn misuse(&mut self, now: Timestamp, what: &'static str) {
        self.metrics.misuses.add_one();
        if let Some(held_back) = self.complaints.may_speak(now) {
            tracing::warn!(
                link = self.link.name(),
                what,
                held_back,
                "link asked for what cannot be done now"
            );
        }
    }
}
