//! An exchange's side of the wire, sans-IO: the same code answers over real sockets and in memory under a
//! virtual clock.
//!
//! Written from the wire references, apart from the adapters; the two share only the published schema. A dialect
//! turns calls and messages into actions on an [`Exchange`], and the exchange's events into frames.

mod bars;
mod depth;
pub mod gateio;
mod json;
pub mod mexc;
mod percent;

use crate::matching::{Exchange, ExchangeEvent, MarketIndex};
use cex_core::{Asset, Price, Qty, Scale, Side, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// A connection, numbered by the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub u64);

/// An HTTP call as it arrived.
#[derive(Debug, Clone, Copy)]
pub struct HttpCall<'a> {
    /// Upper-case method.
    pub method: &'a str,
    /// Path without query.
    pub path: &'a str,
    /// Raw query, without the question mark, still encoded.
    pub query: &'a str,
    /// Header names (lower case) and values.
    pub headers: &'a [(String, String)],
    /// Raw body.
    pub body: &'a [u8],
    /// Address of the client.
    pub peer: std::net::IpAddr,
}

impl HttpCall<'_> {
    /// The value of a header by its lower-case name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// An HTTP answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpAnswer {
    /// Status code.
    pub status: u16,
    /// Headers beyond what the host adds.
    pub headers: Vec<(&'static str, String)>,
    /// Body.
    pub body: Vec<u8>,
}

impl HttpCall<'_> {
    /// Whether it would change something below one of these paths.
    fn changes(&self, paths: &[&str]) -> bool {
        self.method != "GET" && paths.iter().any(|path| self.path.starts_with(path))
    }
}

impl HttpAnswer {
    /// A JSON answer.
    #[must_use]
    pub fn json(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: vec![("content-type", "application/json".to_owned())], body: body.into() }
    }
}

/// A WebSocket message as it arrived. Pings and pongs are the host's business.
#[derive(Debug, Clone, Copy)]
pub enum Message<'a> {
    /// Text.
    Text(&'a str),
    /// Bytes.
    Binary(&'a [u8]),
}

/// A frame to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// Text.
    Text(String),
    /// Text that goes to many connections: made once, never copied.
    Shared(Arc<str>),
    /// Bytes; cheap to clone.
    Binary(bytes::Bytes),
    /// A protocol-level ping.
    Ping,
    /// Close the connection after what was sent before.
    Close,
}

/// Frames to send, in order.
pub type Outgoing = Vec<(ConnId, Frame)>;

/// What happens to a placement whose client order id the account used before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DuplicateClientIds {
    /// It is refused.
    Reject,
    /// A second order is placed; queries find the newest.
    Accept,
    /// The answer is the first order's; nothing is placed.
    Echo,
}

/// How a dialect misbehaves on request. `None` and `false` everywhere is good behaviour.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manners {
    /// What becomes of client order ids that were used before, instead of what the configuration says.
    pub duplicate_client_ids: Option<DuplicateClientIds>,
    /// Whether extending a listen key succeeds and extends nothing.
    pub listen_keys_lie: bool,
    /// Whether open orders are listed of named symbols only.
    pub open_orders_by_symbol: bool,
    /// Whether streams whose listen key ended go silent, whatever the configuration says.
    pub listen_keys_end_silently: bool,
    /// Whether whatever changes orders is refused for maintenance.
    pub maintenance: bool,
    /// Whether lists of symbols show every second one only.
    pub half_info: bool,
    /// Markets that are not as they were.
    pub markets: BTreeMap<MarketIndex, MarketManners>,
    /// Wallets that are closed, in part or altogether.
    pub wallets: BTreeMap<Asset, Wallet>,
}

/// What is different about a market from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MarketManners {
    /// Whether it can be bought.
    pub buy: bool,
    /// Whether it can be sold.
    pub sell: bool,
    /// Decimals of prices, if fewer than those of the market's scale.
    pub price_dp: Option<u8>,
    /// Decimals of quantities, if fewer than those of the market's scale.
    pub qty_dp: Option<u8>,
    /// When it is delisted, by the venue's clock.
    pub delisted_at: Option<Timestamp>,
}

impl Default for MarketManners {
    fn default() -> Self {
        Self { buy: true, sell: true, price_dp: None, qty_dp: None, delisted_at: None }
    }
}

/// Whether a coin can come and go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wallet {
    /// Whether deposits of the coin are open.
    pub deposits: bool,
    /// Whether withdrawals of the coin are open.
    pub withdrawals: bool,
}

impl Manners {
    /// What is different about a market.
    pub(crate) fn market(&self, market: MarketIndex) -> MarketManners {
        self.markets.get(&market).copied().unwrap_or_default()
    }

    /// Whether a coin can come and go.
    pub(crate) fn wallet(&self, asset: Asset) -> Wallet {
        self.wallets.get(&asset).copied().unwrap_or(Wallet { deposits: true, withdrawals: true })
    }

    /// The markets that a list of all shows.
    pub(crate) fn listed(
        &self,
        markets: impl Iterator<Item = MarketIndex>,
    ) -> impl Iterator<Item = MarketIndex> {
        markets.filter(|market| !self.half_info || market.0.is_multiple_of(2))
    }
}

impl MarketManners {
    /// Whether orders of a side are taken.
    pub(crate) const fn takes(&self, side: Side) -> bool {
        match side {
            Side::Buy => self.buy,
            Side::Sell => self.sell,
        }
    }

    /// Whether no order is taken at all.
    pub(crate) const fn is_closed(&self) -> bool {
        !self.buy && !self.sell
    }

    /// Whether its time on the exchange is over.
    pub(crate) fn is_delisted(&self, now: Timestamp) -> bool {
        self.delisted_at.is_some_and(|at| at <= now)
    }

    /// Decimals of prices and of quantities, as they are told and asked for.
    pub(crate) fn decimals(&self, scale: Scale) -> (u8, u8) {
        let (price_dp, qty_dp) = (scale.price_dp(), scale.qty_dp());
        (self.price_dp.unwrap_or(price_dp).min(price_dp), self.qty_dp.unwrap_or(qty_dp).min(qty_dp))
    }

    /// Whether a price and a quantity have no more decimals than are told.
    pub(crate) fn fits(&self, scale: Scale, price: Option<Price>, qty: Option<Qty>) -> bool {
        let (price_dp, qty_dp) = self.decimals(scale);
        let is_on = |raw: i64, dp: u8, told: u8| raw % 10i64.pow(u32::from(dp - told)) == 0;
        price.is_none_or(|price| is_on(price.0, scale.price_dp(), price_dp))
            && qty.is_none_or(|qty| is_on(qty.0, scale.qty_dp(), qty_dp))
    }
}

/// A time that far in the past, as a step of the clock.
fn nanos_ago(by: Duration) -> i64 {
    i64::try_from(by.as_nanos()).unwrap_or(i64::MAX).saturating_neg()
}

/// One exchange's protocol over one [`Exchange`].
pub trait Dialect: Send {
    /// Answers an HTTP call. What it changes shows in the exchange's events, which the host hands to
    /// [`Self::events`] right after.
    fn http(&mut self, now: Timestamp, exchange: &mut Exchange, call: &HttpCall<'_>) -> HttpAnswer;

    /// Whether a WebSocket may be opened with this path and query; the answer to give when not.
    fn open(&mut self, now: Timestamp, conn: ConnId, path: &str, query: &str) -> Result<(), HttpAnswer>;

    /// After how long without anything from a client, not even a pong, the host closes its connection; `None` for
    /// never.
    fn silence_max(&self) -> Option<Duration> {
        None
    }

    /// A message arrived on a connection.
    fn message(
        &mut self,
        now: Timestamp,
        exchange: &mut Exchange,
        conn: ConnId,
        message: Message<'_>,
        out: &mut Outgoing,
    );

    /// As [`Self::message`], but subscriptions to channels with this text in their names are refused.
    fn message_refused(
        &mut self,
        now: Timestamp,
        exchange: &mut Exchange,
        conn: ConnId,
        message: Message<'_>,
        refused: &str,
        out: &mut Outgoing,
    );

    /// Behaves like this from now on.
    fn behave(&mut self, manners: Manners);

    /// The venue's clock was moved by so much: what is due stays as far ahead as it was.
    fn step_clock(&mut self, by_nanos: i64);

    /// So much time has passed for all that waits, though the clock stands where it stood: keys and connections are
    /// older by it, and what was due then is due now.
    fn age(&mut self, by: Duration);

    /// All keys of private streams end now.
    fn expire_listen_keys(&mut self, _now: Timestamp) {}

    /// All private streams lose their rights now, and nobody says so.
    fn deauthorize(&mut self);

    /// A connection is gone.
    fn closed(&mut self, conn: ConnId);

    /// What happened on the exchange: private frames go out at once, public ones are gathered for their interval.
    fn events(&mut self, now: Timestamp, exchange: &Exchange, events: &[ExchangeEvent], out: &mut Outgoing);

    /// What the venue itself does to the exchange when its time has come, such as firing a dead man's switch. The
    /// host calls it right before [`Self::wake`] and hands on the events as after a call.
    fn act(&mut self, _now: Timestamp, _exchange: &mut Exchange) {}

    /// Sends what is due: aggregated frames, pings, closings.
    fn wake(&mut self, now: Timestamp, exchange: &Exchange, out: &mut Outgoing);

    /// When [`Self::act`] and [`Self::wake`] are wanted next.
    fn wakeup_at(&self) -> Option<Timestamp>;
}
