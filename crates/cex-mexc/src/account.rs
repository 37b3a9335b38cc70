//! The private link: a listen key, its keep-alive, and our orders, fills and balances.
//!
//! The stream only tells changes (MEXC-ACCOUNT-04): when all three channels are acknowledged the link says
//! [`LinkEvent::AccountReady`], and from then on whoever reads balances and open orders misses nothing.

mod key;

use crate::config::Settings;
use crate::control::{Channel, Needs, Session};
use crate::push::{self, Origin};
use crate::wire::{Body, PushDataV3ApiWrapper};
use cex_core::{AccountEvent, LinkEvent, Market, Markets, StreamKind, Timestamp, VenueId};
use cex_errors::{ErrorKind, ExchangeError, Op};
use cex_interface::{CloseReason, Effect, Input, Link, Outbox, Reply, Request};
use key::{
    CHECK_EVERY, Care, KEEP_EVERY, KEEP_RETRY, ListenKey, SpentKeys, adoptable, may_be_too_many,
    speaks_of_the_key, with_key,
};
use prost::Message;
use std::fmt;
use std::sync::Arc;

/// The private channels (MEXC-ACCOUNT-03).
const CHANNELS: [&str; 3] =
    ["spot@private.orders.v3.api.pb", "spot@private.deals.v3.api.pb", "spot@private.account.v3.api.pb"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// No connection, and none asked for.
    Idle,
    /// A key was asked for with this tag.
    AwaitingKey(u32),
    /// No new one was to be had, and the living ones were asked for with this tag.
    Choosing(u32),
    /// One of them is being renewed with this tag; it becomes ours if that works.
    Adopting(u32),
    Connecting,
    Live {
        /// All channels were acknowledged.
        ready: bool,
    },
    /// We asked for an end; what still comes in is not looked at.
    Closing,
}

/// The private connection of one account.
pub struct AccountLink {
    venue: VenueId,
    name: String,
    url: String,
    markets: Arc<Markets>,
    session: Session,
    state: State,
    key: Option<ListenKey>,
    /// When the key is renewed.
    keep: Care,
    /// When it is looked up whether it lives.
    check: Care,
    spent: SpentKeys,
    /// Living keys that may be taken over, the next one last.
    candidates: Vec<String>,
    last_tag: u32,
}

impl fmt::Debug for AccountLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccountLink")
            .field("name", &self.name)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl AccountLink {
    pub(crate) fn new(settings: &Settings, markets: &Arc<Markets>) -> Result<Self, ExchangeError> {
        if settings.credentials.is_none() {
            let kind = ErrorKind::InvalidInput("the account stream needs an API key and secret");
            return Err(ExchangeError::new(settings.venue, Op::Stream, kind));
        }
        let channel =
            |name: &str| Channel { name: name.to_owned(), symbols: Vec::new(), stream: StreamKind::Account };
        Ok(Self {
            venue: settings.venue,
            name: format!("{} account", settings.venue),
            url: settings.ws_url.clone(),
            markets: Arc::clone(markets),
            session: Session::new(CHANNELS.map(channel).to_vec(), Needs::All),
            state: State::Idle,
            key: None,
            keep: Care::Never,
            check: Care::Never,
            spent: SpentKeys::default(),
            candidates: Vec::new(),
            last_tag: 0,
        })
    }

    fn request(&mut self, request: Request, out: &mut Outbox) -> u32 {
        self.last_tag = self.last_tag.wrapping_add(1);
        out.effects.push(Effect::Request { tag: self.last_tag, request });
        self.last_tag
    }

    /// Connects with the key at hand if it is young enough, else asks for one.
    fn start(&mut self, now: Timestamp, out: &mut Outbox) {
        self.session.close();
        self.keep.doubt(now);
        self.check.doubt(now);
        if self.key.as_ref().is_some_and(|key| key.is_worn_out(now)) {
            self.retire_key();
        }
        match &self.key {
            Some(key) => {
                let url = with_key(&self.url, &key.text);
                self.connect(url, out);
            }
            None => {
                let tag = self.request(Request::CreateListenKey, out);
                self.state = State::AwaitingKey(tag);
            }
        }
    }

    fn connect(&mut self, url: String, out: &mut Outbox) {
        self.state = State::Connecting;
        out.effects.push(Effect::Connect(url));
    }

    /// A key is there: connects with it.
    fn take_key(&mut self, now: Timestamp, key: ListenKey, out: &mut Outbox) {
        let url = with_key(&self.url, &key.text);
        self.key = Some(key);
        (self.keep, self.check) = (Care::Due(now + KEEP_EVERY), Care::Due(now + CHECK_EVERY));
        self.connect(url, out);
    }

    /// The key is dead or of no use any more.
    fn drop_key(&mut self) -> Option<ListenKey> {
        (self.keep, self.check) = (Care::Never, Care::Never);
        self.key.take()
    }

    /// Sets the key aside, to be deleted when a new connection is complete.
    fn retire_key(&mut self) {
        let key = self.drop_key();
        self.spent.push(key);
    }

    fn delete_spent_keys(&mut self, out: &mut Outbox) {
        while let Some(key) = self.spent.pop() {
            self.request(Request::DeleteListenKey(key.text), out);
        }
    }

    /// Tries the next of the living keys, or gives up for now.
    fn adopt(&mut self, out: &mut Outbox) {
        match self.candidates.last().cloned() {
            Some(text) => self.state = State::Adopting(self.request(Request::KeepListenKey(text), out)),
            None => self.close(CloseReason::Refused, out),
        }
    }

    fn close(&mut self, reason: CloseReason, out: &mut Outbox) {
        // A refusal of the private channels most likely means that the key is dead (MEXC-ACCOUNT-03).
        match reason {
            CloseReason::KeyExpired => drop(self.drop_key()),
            CloseReason::Refused => self.retire_key(),
            CloseReason::Silent | CloseReason::Announced | CloseReason::Corrupt => {}
        }
        self.session.close();
        self.state = if matches!(self.state, State::Live { .. }) { State::Closing } else { State::Idle };
        out.effects.push(Effect::Reconnect(reason));
    }

    fn reply(&mut self, now: Timestamp, tag: u32, result: &Result<Reply, ExchangeError>, out: &mut Outbox) {
        match (result, self.state) {
            (Ok(Reply::ListenKey(text)), State::AwaitingKey(asked)) if asked == tag => {
                self.take_key(now, ListenKey::new(text.clone(), now, true), out);
            }
            // It came too late to be used.
            (Ok(Reply::ListenKey(text)), _) => {
                self.request(Request::DeleteListenKey(text.clone()), out);
            }
            (Err(error), State::AwaitingKey(asked)) if asked == tag => {
                if may_be_too_many(&error.kind) {
                    self.state = State::Choosing(self.request(Request::ListenKeys, out));
                } else {
                    self.close(CloseReason::Refused, out);
                }
            }
            (Ok(Reply::ListenKeys(listed)), State::Choosing(asked)) if asked == tag => {
                self.candidates = adoptable(listed, &self.spent);
                self.adopt(out);
            }
            (Err(_), State::Choosing(asked)) if asked == tag => self.close(CloseReason::Refused, out),
            (result, State::Adopting(asked)) if asked == tag => match (result, self.candidates.pop()) {
                (Ok(_), Some(text)) => self.take_key(now, ListenKey::new(text, now, false), out),
                (Ok(_) | Err(_), _) => self.adopt(out),
            },
            (Ok(_), _) if self.keep == Care::Asked(tag) => {
                if let Some(key) = &mut self.key {
                    key.renewed_at = now;
                    // Success is what is said; whether it lives is looked up.
                    (self.keep, self.check) = (Care::Due(now + KEEP_EVERY), Care::Due(now));
                }
            }
            (Err(error), _) if self.keep == Care::Asked(tag) => self.keep_failed(now, error, out),
            (result, _) if self.check == Care::Asked(tag) => self.checked(now, result, out),
            // Nothing hangs on a deletion.
            (Ok(_) | Err(_), _) => {}
        }
    }

    /// The living keys were listed, or could not be.
    fn checked(&mut self, now: Timestamp, result: &Result<Reply, ExchangeError>, out: &mut Outbox) {
        self.check = Care::Due(now + CHECK_EVERY);
        let (Ok(Reply::ListenKeys(listed)), Some(key)) = (result, &mut self.key) else { return };
        if key.lives(&listed.living) {
            return;
        }
        tracing::warn!(venue = %self.venue, "the stream's key is dead although it was renewed in time");
        self.drop_key();
        if matches!(self.state, State::Connecting | State::Live { .. }) {
            self.close(CloseReason::KeyExpired, out);
        }
    }

    /// A renewal that failed. A refused key cannot be trusted any more, so a new one takes over before its hour ends; what
    /// says nothing of the key is no reason to cut a stream that works, and it is renewed again while there is time.
    fn keep_failed(&mut self, now: Timestamp, error: &ExchangeError, out: &mut Outbox) {
        let worn_out = self.key.as_ref().is_none_or(|key| key.is_worn_out(now));
        if !speaks_of_the_key(&error.kind) && !worn_out {
            self.keep = Care::Due(now + KEEP_RETRY);
            return;
        }
        self.retire_key();
        if matches!(self.state, State::Connecting | State::Live { .. }) {
            self.close(CloseReason::KeyExpired, out);
        }
    }

    /// Renews the key and looks up whether it lives, when their time has come.
    fn care(&mut self, now: Timestamp, out: &mut Outbox) {
        let is_due = |care: Care| care.due_at().is_some_and(|at| at <= now);
        let Some(key) = &self.key else { return };
        if is_due(self.keep) {
            let request = Request::KeepListenKey(key.text.clone());
            self.keep = Care::Asked(self.request(request, out));
        }
        if is_due(self.check) {
            self.check = Care::Asked(self.request(Request::ListenKeys, out));
        }
    }

    fn text(&mut self, now: Timestamp, text: &[u8], out: &mut Outbox) -> Result<(), ExchangeError> {
        let verdict = self.session.text(now, text, out).map_err(|kind| {
            // Nobody knows what it was about, and nothing private may be missed in silence.
            out.link.push(LinkEvent::Undecodable { symbol: None });
            ExchangeError::new(self.venue, Op::Subscribe, kind)
        });
        match verdict? {
            Some(reason) => self.close(reason, out),
            None if self.state == (State::Live { ready: false }) && self.session.all_confirmed() => {
                self.state = State::Live { ready: true };
                out.link.push(LinkEvent::AccountReady);
                self.delete_spent_keys(out);
            }
            None => {}
        }
        Ok(())
    }

    /// A private message. One of a symbol nobody registered is passed by; one that cannot be read means that we no
    /// longer know the account.
    fn push(&mut self, frame: &[u8], out: &mut Outbox) -> Result<(), ExchangeError> {
        match self.event(frame) {
            Ok(event) => {
                out.account.extend(event);
                Ok(())
            }
            Err(kind) => {
                out.link.push(LinkEvent::Undecodable { symbol: None });
                Err(ExchangeError::new(self.venue, Op::Stream, kind))
            }
        }
    }

    fn event(&self, frame: &[u8]) -> Result<Option<AccountEvent>, ErrorKind> {
        let wrapper =
            PushDataV3ApiWrapper::decode(frame).map_err(|_| ErrorKind::Undecodable("private frame"))?;
        let sent_at =
            wrapper.send_time.or(wrapper.create_time).map_or(Timestamp::EPOCH, Timestamp::from_millis);
        let origin = Origin { venue: self.venue, sent_at };
        Ok(match &wrapper.body {
            Some(Body::PrivateOrders(order)) => match self.market(&wrapper)? {
                Some(market) => Some(AccountEvent::Order(push::order(origin, market, order)?)),
                None => None,
            },
            Some(Body::PrivateDeals(deal)) => match self.market(&wrapper)? {
                Some(market) => Some(AccountEvent::Fill(push::fill(origin, market, deal)?)),
                None => None,
            },
            Some(Body::PrivateAccount(account)) => Some(AccountEvent::Balance(push::balance(account)?)),
            // An empty message is protobuf too, and a channel of ours may change what it carries.
            Some(_) | None if wrapper.channel.is_empty() || CHANNELS.contains(&wrapper.channel.as_str()) => {
                return Err(ErrorKind::Undecodable("a private frame of an unknown kind"));
            }
            Some(_) | None => None,
        })
    }

    /// The market of an order or a fill; `None` when it is not registered. Private channels do not name it, so without
    /// the wrapper's word it might be any of ours.
    fn market(&self, wrapper: &PushDataV3ApiWrapper) -> Result<Option<&Market>, ErrorKind> {
        let native = wrapper.symbol.as_deref().filter(|native| !native.is_empty());
        let native = native.ok_or(ErrorKind::Undecodable("a private frame without a symbol"))?;
        let market = self.markets.by_native(native.as_bytes());
        if market.is_none() {
            tracing::warn!(venue = %self.venue, native, "private news of a market that is not registered");
        }
        Ok(market)
    }
}

impl Link for AccountLink {
    fn handle(&mut self, now: Timestamp, input: Input<'_>, out: &mut Outbox) -> Result<(), ExchangeError> {
        match (input, self.state) {
            (Input::Binary(frame), State::Live { .. }) => {
                self.session.heard(now);
                self.push(frame, out)?;
            }
            (Input::Text(text), State::Live { .. }) => {
                self.session.heard(now);
                self.text(now, text, out)?;
            }
            (Input::Pong, State::Live { .. }) => self.session.heard(now),
            (Input::Wake, _) => {
                if let Some(reason) = self.session.wake(now, out) {
                    self.close(reason, out);
                }
                self.care(now, out);
            }
            (Input::Reply { tag, result }, _) => self.reply(now, tag, result, out),
            (Input::Start, _) => self.start(now, out),
            (Input::Connected, _) => {
                self.state = State::Live { ready: false };
                out.link.push(LinkEvent::Up);
                self.session.open(now, out);
            }
            (Input::Disconnected, state) => {
                if matches!(state, State::Live { .. } | State::Closing) {
                    out.link.push(LinkEvent::Down);
                }
                self.session.close();
                self.state = State::Idle;
            }
            (Input::Stop, _) => {
                self.session.close();
                self.state = State::Idle;
                self.retire_key();
                self.delete_spent_keys(out);
            }
            (Input::Resubscribe(_), _)
            | (
                Input::Binary(_) | Input::Text(_) | Input::Pong,
                State::Idle
                | State::AwaitingKey(_)
                | State::Choosing(_)
                | State::Adopting(_)
                | State::Connecting
                | State::Closing,
            ) => {}
        }
        Ok(())
    }

    fn wakeup_at(&self) -> Option<Timestamp> {
        self.session.wakeup_at().into_iter().chain(self.keep.due_at()).chain(self.check.due_at()).min()
    }

    fn name(&self) -> &str {
        &self.name
    }
}

#[cfg(test)]
mod tests;
