//! The public link: subscribes, keeps the connection alive, decodes. It remembers its own subscriptions and
//! nothing else; books live elsewhere.

pub(crate) mod decode;
mod groups;

use crate::config::Streams;
use crate::session::{Answer, Message, Session, Timer};
use crate::{error, session};
use cex_core::{LinkEvent, Markets, StreamKind, SymbolId, Timestamp, VenueId};
use cex_errors::{ErrorKind, ExchangeError, Op};
use cex_interface::{CloseReason, Input, Link, Outbox, Subscription};
use decode::MarketDecoder;
use groups::{Groups, Verdict};
use std::sync::Arc;

/// One public connection.
pub(crate) struct MarketLink {
    name: String,
    venue: VenueId,
    session: Session,
    decoder: MarketDecoder,
    groups: Groups,
    /// Wishes the exchange would refuse for their spelling, and the whole request with them.
    unsendable: Vec<Subscription>,
    /// Everything this connection is for.
    wanted: Vec<Subscription>,
}

impl MarketLink {
    /// A link for these wishes, of one connection's size. Frames of every market in `markets` are decoded,
    /// asked for or not, so that recordings can be played through it.
    pub(crate) fn new(
        name: String,
        venue: VenueId,
        url: String,
        streams: Streams,
        markets: &Arc<Markets>,
        wanted: &[Subscription],
        unsendable: Vec<Subscription>,
    ) -> Self {
        Self {
            name,
            venue,
            session: Session::new(url),
            decoder: MarketDecoder::new(venue, Arc::clone(markets)),
            groups: Groups::new(streams, markets, wanted),
            wanted: wanted.iter().chain(&unsendable).copied().collect(),
            unsendable,
        }
    }

    fn connected(&mut self, now: Timestamp, out: &mut Outbox) {
        self.session.connected(now, out);
        for Subscription { symbol, stream } in &self.unsendable {
            out.link.push(LinkEvent::Refused { symbol: Some(*symbol), stream: *stream });
        }
        self.groups.subscribe_all(now, &mut self.session, out);
        self.watch_answers();
    }

    fn text(&mut self, now: Timestamp, frame: &[u8], out: &mut Outbox) -> Result<(), ExchangeError> {
        self.session.heard(now);
        if self.decoder.usual_book(frame, out) {
            return Ok(());
        }
        match session::read(frame) {
            Ok(Message::News(news)) => self.decoder.news(frame, &news, out),
            Ok(Message::Answer(answer)) => {
                self.answered(now, &answer, out);
                Ok(())
            }
            Ok(Message::Upgrade) => {
                self.session.announced(out);
                Ok(())
            }
            Ok(Message::Pong | Message::Strange(_) | Message::Trading | Message::Nothing) => Ok(()),
            Err(fault) => {
                out.link.push(LinkEvent::Undecodable { symbol: None });
                Err(ExchangeError::new(self.venue, Op::Stream, ErrorKind::Undecodable(fault)))
            }
        }
    }

    fn answered(&mut self, now: Timestamp, answer: &Answer<'_>, out: &mut Outbox) {
        let error = answer.error.as_ref().map(|error| error::of_stream(self.venue, Op::Subscribe, error));
        if let Some(error) = &error {
            tracing::warn!(link = %self.name, channel = answer.channel.as_str(), %error, "request refused");
        }
        let verdict = match error.map(|error| error.kind) {
            None => Verdict::Accepted,
            Some(ErrorKind::ServerBusy) => Verdict::Later,
            Some(_) => Verdict::Refused,
        };
        self.groups.answered(now, answer, verdict, &mut self.session, out);
        self.watch_answers();
    }

    fn wake(&mut self, now: Timestamp, out: &mut Outbox) {
        if !self.session.wake(now, out) {
            return;
        }
        if self.groups.overdue(now, &mut self.session, out) {
            // The connection passes data perhaps, but not our words.
            self.session.reconnect(CloseReason::Silent, out);
            return;
        }
        self.watch_answers();
    }

    fn watch_answers(&mut self) {
        match self.groups.next_due().filter(|_| self.session.is_up()) {
            Some(due) => self.session.set(Timer::Answers, due),
            None => self.session.clear(Timer::Answers),
        }
    }

    /// Without a connection the next one begins with everything anew.
    fn resubscribe(&mut self, now: Timestamp, symbol: SymbolId, out: &mut Outbox) {
        if !self.session.is_up() {
            return;
        }
        let wish = Subscription { symbol, stream: StreamKind::Book };
        if self.unsendable.contains(&wish) {
            out.link.push(LinkEvent::Refused { symbol: Some(symbol), stream: wish.stream });
            return;
        }
        self.groups.resubscribe(now, symbol, &mut self.session, out);
        self.watch_answers();
    }
}

impl Link for MarketLink {
    fn handle(&mut self, now: Timestamp, input: Input<'_>, out: &mut Outbox) -> Result<(), ExchangeError> {
        match input {
            Input::Text(frame) => return self.text(now, frame, out),
            Input::Binary(_) => {
                out.link.push(LinkEvent::Undecodable { symbol: None });
                return Err(ExchangeError::new(
                    self.venue,
                    Op::Stream,
                    ErrorKind::BadFrame("binary message"),
                ));
            }
            Input::Start => {
                self.groups.forget();
                self.session.start(out);
            }
            Input::Connected => self.connected(now, out),
            Input::Wake => self.wake(now, out),
            Input::Resubscribe(symbol) => self.resubscribe(now, symbol, out),
            Input::Disconnected => {
                self.groups.forget();
                self.session.disconnected(out);
            }
            Input::Stop => {
                self.groups.forget();
                self.session.stop();
            }
            // A frame's pong comes from a gateway and says nothing of the exchange behind it (GATEIO-WS-08). This link makes no
            // calls.
            Input::Pong | Input::Reply { .. } => {}
        }
        Ok(())
    }

    fn wakeup_at(&self) -> Option<Timestamp> {
        self.session.wakeup_at()
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn subscriptions(&self) -> &[Subscription] {
        &self.wanted
    }
}

#[cfg(test)]
mod tests;
