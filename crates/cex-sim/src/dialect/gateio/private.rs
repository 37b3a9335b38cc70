//! Private channels: who may read them, and the frames of an account's orders, fills and balances.

use super::body::Fields;
use super::frames::update;
use super::json;
use super::names::Names;
use super::refusal::Refusal;
use super::stream::{Request, StreamError, market};
use super::{Gateio, shape, sign, user_id};
use crate::dialect::{ConnId, Frame, Outgoing};
use crate::matching::{AccountIndex, Exchange, ExchangeEvent, MarketIndex};
use cex_core::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A private channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Channel {
    /// `spot.orders`, or its twin without fees.
    Orders {
        /// Whether it is the twin.
        lite: bool,
    },
    /// `spot.usertrades`, or its twin without fees.
    Fills {
        /// Whether it is the twin.
        lite: bool,
    },
    /// `spot.balances`
    Balances,
    /// `spot.priceorders`
    PriceOrders,
    /// Channels of accounts that nobody has here: they can be read, and are silent.
    Silent(&'static str),
}

/// The names of [`Channel::Silent`].
const SILENT: [&str; 4] =
    ["spot.margin_balances", "spot.funding_balances", "spot.cross_balances", "spot.cross_loan"];

/// Which markets of a channel are read.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Filter {
    All,
    Only(Vec<MarketIndex>),
}

/// What a private subscription is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Topic {
    channel: Channel,
    filter: Filter,
}

/// A subscription.
#[derive(Debug)]
pub(super) struct Subscription {
    conn: ConnId,
    account: AccountIndex,
    channel: Channel,
    filter: Filter,
}

impl Channel {
    /// The channel of this name.
    pub(super) fn parse(name: &str) -> Option<Self> {
        match name {
            "spot.orders" => Some(Self::Orders { lite: false }),
            "spot.orders_v2" => Some(Self::Orders { lite: true }),
            "spot.usertrades" => Some(Self::Fills { lite: false }),
            "spot.usertrades_v2" => Some(Self::Fills { lite: true }),
            "spot.balances" => Some(Self::Balances),
            "spot.priceorders" => Some(Self::PriceOrders),
            other => SILENT.into_iter().find(|known| *known == other).map(Self::Silent),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Orders { lite: false } => "spot.orders",
            Self::Orders { lite: true } => "spot.orders_v2",
            Self::Fills { lite: false } => "spot.usertrades",
            Self::Fills { lite: true } => "spot.usertrades_v2",
            Self::Balances => "spot.balances",
            Self::PriceOrders => "spot.priceorders",
            Self::Silent(name) => name,
        }
    }
}

/// Reads a payload: pairs or `!all`; balances take none.
pub(super) fn topic(names: &Names, channel: Channel, words: &[&str]) -> Result<Topic, StreamError> {
    let filter = match (channel, words) {
        (Channel::Balances | Channel::Silent(_), _) | (_, ["!all"]) => Filter::All,
        (_, []) => return Err(StreamError::argument("payload is empty")),
        (_, pairs) => Filter::Only(pairs.iter().map(|pair| market(names, pair)).collect::<Result<_, _>>()?),
    };
    Ok(Topic { channel, filter })
}

/// Adds a subscription, signed for its channel and time.
pub(super) fn subscribe(
    gateio: &mut Gateio,
    now: Timestamp,
    exchange: &Exchange,
    conn: ConnId,
    request: &Request<'_>,
    topic: Topic,
) -> Result<(), StreamError> {
    let account = authorize(gateio, now, exchange, request).map_err(|refusal| StreamError::auth(&refusal))?;
    let Topic { channel, filter } = topic;
    let same = |known: &&mut Subscription| {
        known.conn == conn && known.account == account && known.channel == channel
    };
    match gateio.private.iter_mut().find(same) {
        Some(known) => known.filter.add(filter),
        None => gateio.private.push(Subscription { conn, account, channel, filter }),
    }
    Ok(())
}

/// Takes a subscription away. Whoever holds the connection may do that without a signature.
pub(super) fn unsubscribe(gateio: &mut Gateio, conn: ConnId, topic: &Topic) {
    gateio.private.retain_mut(|known| {
        known.conn != conn || known.channel != topic.channel || known.filter.remove(&topic.filter)
    });
}

fn authorize(
    gateio: &Gateio,
    now: Timestamp,
    exchange: &Exchange,
    request: &Request<'_>,
) -> Result<AccountIndex, Refusal> {
    let auth = request.auth.cloned().and_then(Fields::of).ok_or_else(sign::invalid_key)?;
    let text = |name: &str| auth.text(name).ok().flatten();
    if text("method").as_deref() != Some("api_key") {
        return Err(sign::invalid_key());
    }
    let time = request.time.to_string();
    sign::check_time(now, &time)?;
    let key = text("KEY").ok_or_else(sign::invalid_key)?;
    let account = sign::known_key(&gateio.config.keys, exchange, &key)?;
    let expected =
        sign::stream_signature(&exchange.account(account).secret, request.channel, request.event, &time);
    if text("SIGN").as_deref() != Some(expected.as_str()) {
        return Err(Refusal::new(401, "INVALID_SIGNATURE", "Signature mismatch"));
    }
    Ok(account)
}

impl Filter {
    fn has(&self, market: MarketIndex) -> bool {
        match self {
            Self::All => true,
            Self::Only(markets) => markets.contains(&market),
        }
    }

    fn add(&mut self, other: Self) {
        match (&mut *self, other) {
            (Self::All, _) => {}
            (_, Self::All) => *self = Self::All,
            (Self::Only(known), Self::Only(more)) => {
                known.extend(more.into_iter().filter(|market| !known.contains(market)).collect::<Vec<_>>());
            }
        }
    }

    /// Answers whether something is left.
    fn remove(&mut self, other: &Self) -> bool {
        match (self, other) {
            (_, Self::All) => false,
            // Nobody says what taking a pair from `!all` means; all goes on.
            (Self::All, Self::Only(_)) => true,
            (Self::Only(known), Self::Only(less)) => {
                known.retain(|market| !less.contains(market));
                !known.is_empty()
            }
        }
    }
}

/// Sends what concerns accounts: a frame for each order event and fill, and one for all balances of an account that
/// changed together.
pub(super) fn events(
    gateio: &Gateio,
    now: Timestamp,
    exchange: &Exchange,
    events: &[ExchangeEvent],
    out: &mut Outgoing,
) {
    if gateio.private.is_empty() {
        return;
    }
    let mut balances: BTreeMap<AccountIndex, Vec<&crate::matching::BalanceChange>> = BTreeMap::new();
    for event in events {
        match event {
            ExchangeEvent::Order(order) => {
                let shown = gateio.shown(exchange, order);
                send(gateio, now, order.account, Some(order.request.market), out, |channel, result| {
                    let Channel::Orders { lite } = channel else { return false };
                    let (user, event) = (user_id(order.account), shape::order_event(order));
                    json::array(result, [()], |out, ()| {
                        json::object(out, |row| shown.stream(row, user, event, lite));
                    });
                    true
                });
            }
            ExchangeEvent::Fill(fill) => {
                let (pair, rules) = (gateio.names.of(fill.market), exchange.rules(fill.market));
                send(gateio, now, fill.account, Some(fill.market), out, |channel, result| {
                    let Channel::Fills { lite } = channel else { return false };
                    let user = user_id(fill.account);
                    json::array(result, [()], |out, ()| {
                        json::object(out, |row| shape::stream_fill(row, fill, pair, rules, user, lite));
                    });
                    true
                });
            }
            ExchangeEvent::Balance(change) => balances.entry(change.account).or_default().push(change),
            ExchangeEvent::Level { .. } | ExchangeEvent::Trade { .. } => {}
        }
    }
    for (account, changes) in balances {
        send(gateio, now, account, None, out, |channel, result| {
            if channel != Channel::Balances {
                return false;
            }
            json::array(result, &changes, |out, change| {
                json::object(out, |row| shape::stream_balance(row, change, user_id(account)));
            });
            true
        });
    }
}

/// Sends what became of orders that wait for a price.
pub(super) fn trigger_news(gateio: &mut Gateio, now: Timestamp, exchange: &Exchange, out: &mut Outgoing) {
    for (account, market, news) in gateio.triggers.take_news() {
        send(gateio, now, account, Some(market), out, |channel, result| {
            if channel != Channel::PriceOrders {
                return false;
            }
            json::object(result, |row| news.write(exchange, row));
            true
        });
    }
}

/// Sends to all who read this account and market. `fill` writes the result for a channel, or answers that it has
/// nothing for it; each channel's frame is built once.
fn send(
    gateio: &Gateio,
    now: Timestamp,
    account: AccountIndex,
    market: Option<MarketIndex>,
    out: &mut Outgoing,
    fill: impl Fn(Channel, &mut String) -> bool,
) {
    let mut built: Vec<(Channel, Option<Arc<str>>)> = Vec::new();
    for reader in &gateio.private {
        if reader.account != account || !market.is_none_or(|market| reader.filter.has(market)) {
            continue;
        }
        let known = built.iter().position(|(channel, _)| *channel == reader.channel);
        let index = known.unwrap_or_else(|| {
            let mut result = String::new();
            let frame =
                fill(reader.channel, &mut result).then(|| update(now, reader.channel.name(), &result));
            built.push((reader.channel, frame));
            built.len() - 1
        });
        if let Some(frame) = &built[index].1 {
            out.push((reader.conn, Frame::Shared(Arc::clone(frame))));
        }
    }
}

/// Forgets a connection.
pub(super) fn leave_all(gateio: &mut Gateio, conn: ConnId) {
    gateio.private.retain(|known| known.conn != conn);
}
