//! The sans-IO state machine of one streaming connection.
//!
//! A [`Link`] is told what happened ([`Input`]) and says what to do ([`Effect`]) and what it learned (events), all in
//! an [`Outbox`] that the driver reuses. It owns no socket and reads no clock, so a gap, an expired listen key or a
//! half-open connection is a function call in a test.

use crate::limit::Feedback;
use crate::protocol::Subscription;
use crate::request::{Reply, Request};
use cex_core::{AccountEvent, Level, LinkEvent, MarketEvent, SymbolId, Timestamp};
use cex_errors::{ErrorKind, ExchangeError};

/// One thing that happened to a connection.
#[derive(Debug, Clone, Copy)]
pub enum Input<'a> {
    /// Begin, at first and again after every loss: answer with [`Effect::Connect`], now or after some requests.
    Start,
    /// The connection asked for stands.
    Connected,
    /// A whole text message.
    Text(&'a [u8]),
    /// A whole binary message.
    Binary(&'a [u8]),
    /// A protocol-level pong. (Protocol pings are answered by the driver.)
    Pong,
    /// The time asked for by [`Link::wakeup_at`] has come.
    Wake,
    /// The answer to an [`Effect::Request`] with this tag.
    Reply {
        /// Tag of the request.
        tag: u32,
        /// The answer.
        result: &'a Result<Reply, ExchangeError>,
    },
    /// Whoever keeps the book of this symbol lost it, or could not join it with any snapshot, and needs its subscription
    /// begun anew. How that ends is promised at [`Link`].
    Resubscribe(SymbolId),
    /// The connection is gone; [`Input::Start`] follows after a pause.
    Disconnected,
    /// Orderly end: say goodbye (give back keys); the driver closes when the outbox holds nothing to wait for.
    Stop,
}

/// What to send on the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
    /// A protocol-level ping.
    Ping,
}

/// Why a link wants its connection closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseReason {
    /// Nothing heard for too long.
    Silent,
    /// The exchange refused what we cannot do without.
    Refused,
    /// The exchange announced that it will close. Nothing is wrong yet: the link asks with this reason once a
    /// connection and goes on serving in every respect (data, heartbeat, answers, resubscriptions, and any later
    /// reason of its own) until [`Input::Disconnected`], because the driver may first make a successor and let this
    /// connection run until it is replaced. A driver without successors closes at once, as for any other reason.
    Announced,
    /// The stream's key died.
    KeyExpired,
    /// Frames that cannot be trusted.
    Corrupt,
}

/// Something for the driver to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Connect to this address (`ws://` or `wss://`). May hold a key: never log it whole.
    Connect(String),
    /// Send on the connection.
    Send(Payload),
    /// Make a call; its answer comes back as [`Input::Reply`].
    Request {
        /// Comes back with the answer.
        tag: u32,
        /// The call.
        request: Request,
    },
    /// Close and start again.
    Reconnect(CloseReason),
}

/// A call that a link is to carry itself, on its own connection. See [`Link::call`].
#[derive(Debug, Clone, Copy)]
pub struct LinkCall<'a> {
    /// Comes back with the answer.
    pub tag: u32,
    /// The call.
    pub request: &'a Request,
    /// The exchange's clock as well as we know it: signatures and expiries are made from it.
    pub venue_now: Timestamp,
    /// When waiting for the answer ends, by our clock.
    pub give_up_at: Timestamp,
}

/// How a call that a link carried ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkAnswer {
    /// Tag of the call.
    pub tag: u32,
    /// The exchange's answer, or why there is none.
    pub result: Result<Reply, ExchangeError>,
    /// What the answer says of the budgets.
    pub feedback: Vec<Feedback>,
}

impl LinkAnswer {
    /// A call that ended without an answer of the exchange.
    #[must_use]
    pub const fn failed(tag: u32, error: ExchangeError) -> Self {
        Self { tag, result: Err(error), feedback: Vec::new() }
    }
}

/// What a link did and learned in one call. Reused: [`Outbox::clear`] keeps the memory.
#[derive(Debug, Default)]
pub struct Outbox {
    /// Public news, in order.
    pub market: Vec<MarketEvent>,
    /// Levels of the book updates in `market`.
    pub levels: Vec<Level>,
    /// Private news, in order.
    pub account: Vec<AccountEvent>,
    /// News about the connection, in order.
    pub link: Vec<LinkEvent>,
    /// Calls this link carried that have ended, in order.
    pub answers: Vec<LinkAnswer>,
    /// Things to do, in order.
    pub effects: Vec<Effect>,
}

impl Outbox {
    /// Empties it, keeping the memory.
    pub fn clear(&mut self) {
        self.market.clear();
        self.levels.clear();
        self.account.clear();
        self.link.clear();
        self.answers.clear();
        self.effects.clear();
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.market.is_empty()
            && self.account.is_empty()
            && self.link.is_empty()
            && self.answers.is_empty()
            && self.effects.is_empty()
    }

    /// Sends a text message.
    pub fn send_text(&mut self, text: impl Into<String>) {
        self.effects.push(Effect::Send(Payload::Text(text.into())));
    }
}

/// The state machine of one streaming connection.
///
/// # Resubscribing
/// [`Input::Resubscribe`] of a book that this connection carries always ends, at once or later, in one of
/// - [`LinkEvent::Subscribed`] with that symbol and [`StreamKind::Book`](cex_core::StreamKind): whoever keeps the book
///   begins to collect and to ask for a snapshot anew. Until then what comes is of no use, so a link that forgets the
///   wish keeps the book stale until the connection is lost;
/// - [`LinkEvent::Refused`] with the same: asked again, the link tries again;
/// - [`Effect::Reconnect`], after which everything is subscribed anew.
///
/// Where the exchange allows it the old subscription is ended on the wire first, also where the first state does not
/// come from the stream: one that went quiet is mended by nothing less. A wish that comes while one is under way is
/// part of it; one for a book that is not carried here means nothing.
pub trait Link: Send {
    /// Feed one thing that happened; effects and events are appended to `out`.
    ///
    /// An error means that one frame could not be used; the link has already said in `out` what is stale by it
    /// ([`LinkEvent::Undecodable`]; nothing is by a control message where data comes under another opcode) and goes on
    /// working.
    fn handle(&mut self, now: Timestamp, input: Input<'_>, out: &mut Outbox) -> Result<(), ExchangeError>;

    /// Carries a call on this connection, where the exchange takes calls there ([`Capabilities::order_entry`]).
    ///
    /// A call that was taken ends in exactly one [`LinkAnswer`]: with the exchange's answer, at its `give_up_at`, or when
    /// the connection is lost; without an answer its outcome is unknown, and it is never sent a second time. Calls are
    /// taken from [`LinkEvent::Subscribed`] with [`StreamKind::Account`](cex_core::StreamKind) on, until
    /// [`LinkEvent::Down`].
    ///
    /// # Errors
    /// Why it cannot leave now; nothing was sent, and no answer follows.
    ///
    /// [`Capabilities::order_entry`]: crate::Capabilities::order_entry
    fn call(&mut self, now: Timestamp, call: LinkCall<'_>, out: &mut Outbox) -> Result<(), ErrorKind> {
        let _ = (now, call, out);
        Err(ErrorKind::Unsupported)
    }

    /// When to be woken next, if at all. The caller owns the clock.
    fn wakeup_at(&self) -> Option<Timestamp>;

    /// A name for logs and metrics: `mexc book 1`.
    fn name(&self) -> &str;

    /// What this connection carries: whose data is stale when it goes down. Empty for account links.
    fn subscriptions(&self) -> &[Subscription] {
        &[]
    }
}
