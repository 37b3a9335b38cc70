//! The private link: a listen key, its keep-alive, and our orders, fills and balances.
//!
//! The stream only tells changes (MEXC-ACCOUNT-04): when all three channels are acknowledged the link says
//! [`LinkEvent::AccountReady`], and from then on whoever reads balances and open orders misses nothing.
//!
//! A key lives 60 minutes from its last renewal and leaks when it is not given back (MEXC-ACCOUNT-01,
//! MEXC-ACCOUNT-02): it is kept across reconnects while it lives, renewed every 22 minutes, replaced when a renewal
//! fails, and the old one is deleted once the new connection is complete.

use crate::config::Settings;
use crate::control::{Channel, Needs, Session};
use crate::push::{self, Origin};
use crate::symbol::push_encoded;
use crate::wire::{Body, PushDataV3ApiWrapper};
use cex_core::{AccountEvent, LinkEvent, Market, Markets, StreamKind, Timestamp, VenueId};
use cex_errors::{ErrorKind, ExchangeError, Op, Outcome};
use cex_interface::{CloseReason, Effect, Input, Link, Outbox, Reply, Request};
use prost::Message;
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The private channels (MEXC-ACCOUNT-03).
const CHANNELS: [&str; 3] =
    ["spot@private.orders.v3.api.pb", "spot@private.deals.v3.api.pb", "spot@private.account.v3.api.pb"];

/// How often a key is renewed: far inside its hour, and never the only chance.
const KEEP_EVERY: Duration = Duration::from_secs(22 * 60);

/// A renewal that never left us is tried again after this.
const KEEP_RETRY: Duration = Duration::from_secs(30);

/// From this age a key is not trusted with another connection or another retry.
const KEY_WORN_OUT: Duration = Duration::from_secs(50 * 60);

/// Keys that wait to be deleted; older ones die by themselves within the hour.
const MOST_SPENT_KEYS: usize = 8;

/// The key of a private stream: as good as a password for reading, so it is never shown.
#[derive(Clone, PartialEq, Eq)]
struct ListenKey {
    text: String,
    /// Creation or last renewal.
    renewed_at: Timestamp,
}

impl fmt::Debug for ListenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// No connection, and none asked for.
    Idle,
    /// A key was asked for with this tag.
    AwaitingKey(u32),
    Connecting,
    Live {
        /// All channels were acknowledged.
        ready: bool,
    },
    /// We asked for an end; what still comes in is not looked at.
    Closing,
}

/// When the key is renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keep {
    Never,
    Due(Timestamp),
    /// A renewal was asked for with this tag.
    Asked(u32),
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
    keep: Keep,
    spent: VecDeque<ListenKey>,
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
            keep: Keep::Never,
            spent: VecDeque::new(),
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
        // The answer to a renewal asked for before the loss may never reach us.
        if matches!(self.keep, Keep::Asked(_)) {
            self.keep = Keep::Due(now);
        }
        if self.key.as_ref().is_some_and(|key| now.since(key.renewed_at) >= KEY_WORN_OUT) {
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

    /// Sets the key aside, to be deleted when a new connection is complete.
    fn retire_key(&mut self) {
        self.keep = Keep::Never;
        self.spent.extend(self.key.take());
        if self.spent.len() > MOST_SPENT_KEYS {
            self.spent.pop_front();
        }
    }

    fn delete_spent_keys(&mut self, out: &mut Outbox) {
        while let Some(key) = self.spent.pop_front() {
            self.request(Request::DeleteListenKey(key.text), out);
        }
    }

    fn close(&mut self, reason: CloseReason, out: &mut Outbox) {
        // A refusal of the private channels most likely means that the key is dead (MEXC-ACCOUNT-03).
        match reason {
            CloseReason::KeyExpired => {
                self.key = None;
                self.keep = Keep::Never;
            }
            CloseReason::Refused => self.retire_key(),
            CloseReason::Silent | CloseReason::Announced | CloseReason::Corrupt => {}
        }
        self.session.close();
        self.state = if matches!(self.state, State::Live { .. }) { State::Closing } else { State::Idle };
        out.effects.push(Effect::Reconnect(reason));
    }

    fn reply(&mut self, now: Timestamp, tag: u32, result: &Result<Reply, ExchangeError>, out: &mut Outbox) {
        match result {
            Ok(Reply::ListenKey(text)) => {
                let key = ListenKey { text: text.clone(), renewed_at: now };
                if self.state == State::AwaitingKey(tag) {
                    let url = with_key(&self.url, &key.text);
                    self.key = Some(key);
                    self.keep = Keep::Due(now + KEEP_EVERY);
                    self.connect(url, out);
                } else {
                    // It came too late to be used.
                    self.request(Request::DeleteListenKey(key.text), out);
                }
            }
            Ok(_) if self.keep == Keep::Asked(tag) => {
                if let Some(key) = &mut self.key {
                    key.renewed_at = now;
                    self.keep = Keep::Due(now + KEEP_EVERY);
                }
            }
            Err(_) if self.state == State::AwaitingKey(tag) => self.close(CloseReason::Refused, out),
            Err(error) if self.keep == Keep::Asked(tag) => self.keep_failed(now, error, out),
            // Nothing hangs on a deletion.
            Ok(_) | Err(_) => {}
        }
    }

    /// A renewal that failed: the key cannot be trusted any more, so a new one takes over before its hour ends. Only
    /// what never left us may be tried again.
    fn keep_failed(&mut self, now: Timestamp, error: &ExchangeError, out: &mut Outbox) {
        let worn_out = self.key.as_ref().is_none_or(|key| now.since(key.renewed_at) >= KEY_WORN_OUT);
        if error.outcome() == Outcome::NotSent && !worn_out {
            self.keep = Keep::Due(now + KEEP_RETRY);
            return;
        }
        self.retire_key();
        if matches!(self.state, State::Connecting | State::Live { .. }) {
            self.close(CloseReason::KeyExpired, out);
        }
    }

    fn keep_due(&mut self, now: Timestamp, out: &mut Outbox) {
        match (self.keep, &self.key) {
            (Keep::Due(at), Some(key)) if at <= now => {
                let request = Request::KeepListenKey(key.text.clone());
                self.keep = Keep::Asked(self.request(request, out));
            }
            (Keep::Never | Keep::Due(_) | Keep::Asked(_), _) => {}
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

/// The stream's address with its key as the query.
fn with_key(url: &str, key: &str) -> String {
    let mut address = String::with_capacity(url.len() + key.len() + 16);
    address.push_str(url);
    address.push_str("?listenKey=");
    push_encoded(&mut address, key);
    address
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
                self.keep_due(now, out);
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
                State::Idle | State::AwaitingKey(_) | State::Connecting | State::Closing,
            ) => {}
        }
        Ok(())
    }

    fn wakeup_at(&self) -> Option<Timestamp> {
        let keep_at = match self.keep {
            Keep::Due(at) => Some(at),
            Keep::Never | Keep::Asked(_) => None,
        };
        keep_at.into_iter().chain(self.session.wakeup_at()).min()
    }

    fn name(&self) -> &str {
        &self.name
    }
}

#[cfg(test)]
mod tests;
