//! The private link: our orders, fills and balances. It remembers which subscriptions were confirmed and
//! nothing else.

use crate::session::{ANSWER_WITHIN, Answer, Message, News, Session, Timer};
use crate::sign::Signer;
use crate::wire::{BalanceRow, Fault, FillRow, OrderRow, Scalar, part};
use crate::{error, order, session};
use cex_core::{AccountEvent, LinkEvent, Markets, StreamKind, Timestamp, VenueId};
use cex_errors::{ErrorKind, ExchangeError, Op};
use cex_interface::{CloseReason, Input, Link, Outbox};
use sonic_rs::LazyValue;
use std::sync::Arc;
use std::time::Duration;

/// The channels we cannot do without, and their payloads (GATEIO-WS-03). The lite `_v2` channels carry no
/// fees (GATEIO-WS-22), so they are of no use.
const CHANNELS: [(&str, &str); 3] = [
    ("spot.orders", ",\"payload\":[\"!all\"]"),
    ("spot.usertrades", ",\"payload\":[\"!all\"]"),
    ("spot.balances", ""),
];

/// A time further from the exchange's than this may be what a refusal of the key is about: it takes 60 s either way, and its
/// answer was some time on its way.
const DOUBTFUL: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subscribed {
    No,
    Asked(i32),
    Yes,
}

/// The private connection.
pub(crate) struct AccountLink {
    name: String,
    venue: VenueId,
    markets: Arc<Markets>,
    signer: Arc<Signer>,
    session: Session,
    channels: [Subscribed; CHANNELS.len()],
    /// What to add to our clock to sign: known only after the exchange refused our time.
    offset_nanos: i64,
    /// The time was corrected by the exchange's own once on this connection; a second refusal for it is final.
    corrected: bool,
}

impl AccountLink {
    pub(crate) fn new(venue: VenueId, url: String, markets: &Arc<Markets>, signer: Arc<Signer>) -> Self {
        Self {
            name: format!("{venue} account"),
            venue,
            markets: Arc::clone(markets),
            signer,
            session: Session::new(url),
            channels: [Subscribed::No; CHANNELS.len()],
            offset_nanos: 0,
            corrected: false,
        }
    }

    fn connected(&mut self, now: Timestamp, out: &mut Outbox) {
        self.session.connected(now, out);
        self.corrected = false;
        self.subscribe(now, out);
    }

    fn subscribe(&mut self, now: Timestamp, out: &mut Outbox) {
        let time = now.shifted(self.offset_nanos).as_secs();
        for ((channel, payload), state) in CHANNELS.iter().zip(&mut self.channels) {
            let id = self.session.next_id();
            let sign = self.signer.stream(channel, "subscribe", time);
            let (key, sign) = (self.signer.key(), sign.as_str());
            out.send_text(format!(
                "{{\"time\":{time},\"id\":{id},\"channel\":\"{channel}\",\"event\":\"subscribe\"{payload},\
                 \"auth\":{{\"method\":\"api_key\",\"KEY\":\"{key}\",\"SIGN\":\"{sign}\"}}}}"
            ));
            *state = Subscribed::Asked(id);
        }
        self.session.set(Timer::Answers, now + ANSWER_WITHIN);
    }

    fn text(&mut self, now: Timestamp, frame: &[u8], out: &mut Outbox) -> Result<(), ExchangeError> {
        self.session.heard(now);
        let read = match session::read(frame) {
            Ok(Message::News(news)) => self.news(&news, out),
            Ok(Message::Answer(answer)) => {
                self.answered(now, &answer, out);
                Ok(())
            }
            Ok(Message::Upgrade) => {
                self.session.announced(out);
                Ok(())
            }
            // It may have been about an order of ours.
            Ok(Message::Strange(channel)) if is_ours(&channel) => Err("private news of an unknown kind"),
            Ok(Message::Pong | Message::Strange(_) | Message::Trading | Message::Nothing) => Ok(()),
            Err(fault) => Err(fault),
        };
        read.map_err(|fault| {
            out.link.push(LinkEvent::Undecodable { symbol: None });
            ExchangeError::new(self.venue, Op::Stream, ErrorKind::Undecodable(fault))
        })
    }

    /// Takes in an answer, told by the request's number or, where that is missing, by the channel
    /// (GATEIO-WS-04).
    fn answered(&mut self, now: Timestamp, answer: &Answer<'_>, out: &mut Outbox) {
        let index = CHANNELS.iter().zip(&self.channels).position(|((channel, _), state)| {
            match (state, answer.id()) {
                (Subscribed::Asked(asked), Some(id)) => *asked == id,
                (Subscribed::Asked(_), None) => *channel == answer.channel.as_str(),
                (Subscribed::No | Subscribed::Yes, _) => false,
            }
        });
        if let Some(refusal) = &answer.error {
            if self.corrected && index.is_none() && answer.id().is_some() {
                // The same verdict on what was asked for with the wrong time.
                return;
            }
            let error = error::of_stream(self.venue, Op::Subscribe, refusal);
            if !self.corrected && self.is_for_time(now, &error.kind, answer.sent_at) {
                // Nobody gave us the exchange's clock, but its refusal tells the time (GATEIO-WS-34).
                self.corrected = true;
                self.offset_nanos = answer.sent_at.as_nanos().saturating_sub(now.as_nanos());
                return self.subscribe(now, out);
            }
            tracing::warn!(link = %self.name, channel = answer.channel.as_str(), %error, "subscription refused");
            out.link.push(LinkEvent::Refused { symbol: None, stream: StreamKind::Account });
            self.session.reconnect(CloseReason::Refused, out);
            return;
        }
        let Some(index) = index else { return };
        self.channels[index] = Subscribed::Yes;
        if self.is_complete() {
            self.session.clear(Timer::Answers);
            out.link.push(LinkEvent::Subscribed { symbol: None, stream: StreamKind::Account });
            out.link.push(LinkEvent::AccountReady);
        }
    }

    /// Whether a refusal is for our time. It may be worded as one of the key or the signature, for the time is signed too.
    fn is_for_time(&self, now: Timestamp, kind: &ErrorKind, told: Timestamp) -> bool {
        let ours = now.shifted(self.offset_nanos);
        let apart = ours.since(told).max(told.since(ours));
        match kind {
            _ if told == Timestamp::EPOCH => false,
            ErrorKind::ClockSkew => true,
            ErrorKind::InvalidKey | ErrorKind::InvalidSignature => apart > DOUBTFUL,
            _another => false,
        }
    }

    fn is_complete(&self) -> bool {
        self.channels.iter().all(|state| *state == Subscribed::Yes)
    }

    /// News may come before the answer (GATEIO-WS-06). The exchange sends no first state: whoever listens
    /// reads balances and open orders after [`LinkEvent::AccountReady`].
    fn news(&self, news: &News<'_>, out: &mut Outbox) -> Result<(), Fault> {
        let (venue, markets) = (self.venue, &*self.markets);
        let account = &mut out.account;
        match news.channel.as_str() {
            "spot.orders" => rows(&news.result, |row: LazyValue<'_>| {
                let order = order::order(venue, markets, &part::<OrderRow<'_>>(&row)?)?;
                account.extend(order.map(AccountEvent::Order));
                Ok(())
            }),
            "spot.usertrades" => rows(&news.result, |row: LazyValue<'_>| {
                let fill = order::fill(venue, markets, &part::<FillRow<'_>>(&row)?)?;
                account.extend(fill.map(AccountEvent::Fill));
                Ok(())
            }),
            "spot.balances" => rows(&news.result, |row: LazyValue<'_>| {
                account.push(AccountEvent::Balance(order::balance(&part::<BalanceRow<'_>>(&row)?)?));
                Ok(())
            }),
            _ => Ok(()),
        }
    }

    fn wake(&mut self, now: Timestamp, out: &mut Outbox) {
        if self.session.wake(now, out) && !self.is_complete() {
            self.session.reconnect(CloseReason::Silent, out);
        }
    }

    fn forget(&mut self) {
        self.channels = [Subscribed::No; CHANNELS.len()];
    }
}

fn is_ours(channel: &Scalar<'_>) -> bool {
    CHANNELS.iter().any(|(ours, _)| *ours == channel.as_str())
}

/// Reads every row of a result; one bad row costs the frame its good name, not the other rows their effect.
fn rows(
    result: &LazyValue<'_>,
    mut row: impl FnMut(LazyValue<'_>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut outcome = Ok(());
    for raw in part::<Vec<LazyValue<'_>>>(result)? {
        if let Err(fault) = row(raw) {
            outcome = Err(fault);
        }
    }
    outcome
}

impl Link for AccountLink {
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
                self.forget();
                self.session.start(out);
            }
            Input::Connected => self.connected(now, out),
            Input::Wake => self.wake(now, out),
            Input::Disconnected => {
                self.forget();
                self.session.disconnected(out);
            }
            Input::Stop => {
                self.forget();
                self.session.stop();
            }
            // A frame's pong comes from a gateway and says nothing of the exchange behind it (GATEIO-WS-08). This link makes no
            // calls and keeps no books.
            Input::Pong | Input::Reply { .. } | Input::Resubscribe(_) => {}
        }
        Ok(())
    }

    fn wakeup_at(&self) -> Option<Timestamp> {
        self.session.wakeup_at()
    }

    fn name(&self) -> &str {
        &self.name
    }
}

#[cfg(test)]
mod tests;
