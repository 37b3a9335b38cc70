//! The public links: plan, subscribe, decode, pass on.

use crate::config::{DepthInterval, Settings};
use crate::control::{Channel, Needs, Session};
use crate::depth::{DepthReader, Reading, channel_prefix};
use crate::push;
use crate::wire::{Body, PushDataV3ApiWrapper};
use cex_core::{
    Continuity, LinkEvent, Market, MarketEvent, Markets, SnapshotSource, StreamKind, SymbolId, SyncRule,
    Timestamp, VenueId,
};
use cex_errors::{ErrorKind, ExchangeError, Op};
use cex_interface::{BookStream, Capabilities, CloseReason, Effect, Input, Link, Outbox, Subscription};
use prost::Message;
use std::sync::Arc;
use std::time::Duration;

/// Subscriptions a connection carries; more are refused (MEXC-WS-02).
pub const SUBSCRIPTIONS_PER_CONNECTION: usize = 30;

/// A message may reach back over what the book already knows, so ranges may overlap; a snapshot's version often falls
/// inside one (MEXC-BOOK-01, MEXC-BOOK-02).
const SYNC: SyncRule = SyncRule {
    snapshot: SnapshotSource::Rest { depth: 1_000 },
    continuity: Continuity::Overlapping,
    depth: None,
};

const FAST: BookStream = BookStream { name: "aggre@10ms", interval: Duration::from_millis(10), sync: SYNC };
const SLOW: BookStream = BookStream { name: "aggre@100ms", interval: Duration::from_millis(100), sync: SYNC };

/// What the exchange can do (MEXC-REST-17, MEXC-REST-20, MEXC-REST-21, MEXC-WS-02). The configured speed comes first.
#[must_use]
pub fn capabilities(interval: DepthInterval) -> Capabilities {
    Capabilities {
        books: match interval {
            DepthInterval::Ms10 => &[FAST, SLOW],
            DepthInterval::Ms100 => &[SLOW, FAST],
        },
        public_streams: &[StreamKind::Book, StreamKind::BookTicker, StreamKind::Trades],
        subscriptions_per_connection: SUBSCRIPTIONS_PER_CONNECTION,
        connection_lifetime: Some(Duration::from_secs(24 * 3_600)),
        amend: false,
        test_order: true,
        dead_man_switch: false,
        order_history: true,
        assets: true,
        market_orders: true,
        placement_tells_state: false,
        cancel_tells_state: false,
        client_id_len: 32,
    }
}

/// Links that carry these streams, as few as can be and evenly filled. A subscription named twice is made once.
pub(crate) fn plan(
    settings: &Settings,
    markets: &Arc<Markets>,
    wanted: &[Subscription],
) -> Result<Vec<Box<dyn Link>>, ErrorKind> {
    let mut planned: Vec<(Subscription, Channel)> = Vec::with_capacity(wanted.len());
    let mut seen = std::collections::BTreeSet::new();
    for subscription in wanted {
        let Subscription { symbol, stream } = *subscription;
        if seen.insert((symbol.0, stream)) {
            let market = markets.get(symbol).ok_or(ErrorKind::InvalidInput("symbol is not registered"))?;
            planned.push((*subscription, channel(settings.depth_interval, market, stream)?));
        }
    }
    let links = planned.len().div_ceil(SUBSCRIPTIONS_PER_CONNECTION);
    let each = planned.len().div_ceil(links.max(1)).max(1);
    let link = |(index, part): (usize, &[(Subscription, Channel)])| {
        Box::new(MarketLink::new(settings, Arc::clone(markets), index + 1, part)) as Box<dyn Link>
    };
    Ok(planned.chunks(each).enumerate().map(link).collect())
}

/// The channel of a stream (MEXC-WS-12). Symbols are sent as raw UTF-8, so one that would need escaping in JSON
/// cannot be asked for.
fn channel(interval: DepthInterval, market: &Market, stream: StreamKind) -> Result<Channel, ErrorKind> {
    let native = market.native();
    if native.chars().any(|c| c.is_control() || matches!(c, '"' | '\\' | ',' | '@' | '[' | ']')) {
        return Err(ErrorKind::InvalidSymbol);
    }
    let speed = interval.as_str();
    let name = match stream {
        StreamKind::Book => format!("{}{native}", channel_prefix(interval)),
        StreamKind::BookTicker => format!("spot@public.aggre.bookTicker.v3.api.pb@{speed}@{native}"),
        StreamKind::Trades => format!("spot@public.aggre.deals.v3.api.pb@{speed}@{native}"),
        StreamKind::Ticker | StreamKind::Klines | StreamKind::Account => return Err(ErrorKind::Unsupported),
    };
    Ok(Channel { name, symbol: Some(market.id), stream })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// No connection, and none asked for.
    Idle,
    Connecting,
    Live,
    /// We asked for an end; what still comes in is not looked at.
    Closing,
}

/// One public connection and its subscriptions.
#[derive(Debug)]
pub struct MarketLink {
    venue: VenueId,
    name: String,
    url: String,
    markets: Arc<Markets>,
    subscriptions: Vec<Subscription>,
    depth: DepthReader,
    session: Session,
    state: State,
}

impl MarketLink {
    fn new(
        settings: &Settings,
        markets: Arc<Markets>,
        number: usize,
        part: &[(Subscription, Channel)],
    ) -> Self {
        let channels = part.iter().map(|(_, channel)| channel.clone()).collect();
        Self {
            venue: settings.venue,
            name: format!("{} market {number}", settings.venue),
            url: settings.ws_url.clone(),
            markets,
            subscriptions: part.iter().map(|(subscription, _)| *subscription).collect(),
            depth: DepthReader::new(settings.depth_interval),
            session: Session::new(channels, Needs::Any),
            state: State::Idle,
        }
    }

    fn close(&mut self, reason: CloseReason, out: &mut Outbox) {
        self.session.close();
        self.state = State::Closing;
        out.effects.push(Effect::Reconnect(reason));
    }

    /// A pushed message. The hot kind first; whatever cannot be read makes what it fed stale.
    fn push(&mut self, frame: &[u8], out: &mut Outbox) -> Result<(), ExchangeError> {
        let failed = match self.depth.read(frame, &self.markets, &mut out.levels) {
            Ok(Reading::Book(update)) => {
                self.session.fed(update.symbol, StreamKind::Book);
                out.market.push(MarketEvent::Book(update));
                return Ok(());
            }
            Ok(Reading::Unregistered) => return Ok(()),
            Ok(Reading::Other) => match self.push_other(frame, out) {
                Ok(()) => return Ok(()),
                Err(failed) => failed,
            },
            Err(unreadable) => (unreadable.symbol, ErrorKind::Undecodable(unreadable.what)),
        };
        out.link.push(LinkEvent::Undecodable { symbol: failed.0 });
        Err(ExchangeError::new(self.venue, Op::Stream, failed.1))
    }

    /// Best prices and trades. Other bodies, known or not, are not ours and pass by (MEXC-WS-06).
    fn push_other(&mut self, frame: &[u8], out: &mut Outbox) -> Result<(), (Option<SymbolId>, ErrorKind)> {
        let wrapper =
            PushDataV3ApiWrapper::decode(frame).map_err(|_| (None, ErrorKind::Undecodable("frame")))?;
        let Some(market) = market_of(&wrapper, &self.markets) else { return Ok(()) };
        let failed = |kind| (Some(market.id), kind);
        let sent_at = wrapper.send_time.map_or(Timestamp::EPOCH, Timestamp::from_millis);
        match &wrapper.body {
            Some(Body::PublicAggreBookTicker(ticker)) => {
                let ticker = push::book_ticker(market, sent_at, ticker).map_err(failed)?;
                self.session.fed(market.id, StreamKind::BookTicker);
                out.market.push(MarketEvent::BookTicker(ticker));
            }
            Some(Body::PublicAggreDeals(deals)) => {
                let before = out.market.len();
                for deal in &deals.deals {
                    match push::trade(market, deal) {
                        Ok(trade) => out.market.push(MarketEvent::Trade(trade)),
                        Err(kind) => {
                            out.market.truncate(before);
                            return Err(failed(kind));
                        }
                    }
                }
                self.session.fed(market.id, StreamKind::Trades);
            }
            Some(_) | None => {}
        }
        Ok(())
    }
}

/// The market a message is about: named by the wrapper, else by the end of the channel.
fn market_of<'m>(wrapper: &PushDataV3ApiWrapper, markets: &'m Markets) -> Option<&'m Market> {
    let native =
        wrapper.symbol.as_deref().or_else(|| wrapper.channel.rsplit_once('@').map(|(_, native)| native))?;
    markets.by_native(native.as_bytes())
}

impl Link for MarketLink {
    fn handle(&mut self, now: Timestamp, input: Input<'_>, out: &mut Outbox) -> Result<(), ExchangeError> {
        match (input, self.state) {
            (Input::Binary(frame), State::Live) => {
                self.session.heard(now);
                self.push(frame, out)?;
            }
            (Input::Text(text), State::Live) => {
                self.session.heard(now);
                let verdict = self.session.text(now, text, out);
                let verdict = verdict.map_err(|kind| ExchangeError::new(self.venue, Op::Subscribe, kind))?;
                if let Some(reason) = verdict {
                    self.close(reason, out);
                }
            }
            (Input::Pong, State::Live) => self.session.heard(now),
            (Input::Wake, State::Live) => {
                if let Some(reason) = self.session.wake(now, out) {
                    self.close(reason, out);
                }
            }
            (Input::Start, _) => {
                self.session.close();
                self.state = State::Connecting;
                out.effects.push(Effect::Connect(self.url.clone()));
            }
            (Input::Connected, _) => {
                self.state = State::Live;
                out.link.push(LinkEvent::Up);
                self.session.open(now, out);
            }
            (Input::Disconnected, state) => {
                if matches!(state, State::Live | State::Closing) {
                    out.link.push(LinkEvent::Down);
                }
                self.session.close();
                self.state = State::Idle;
            }
            (Input::Stop, _) => {
                self.session.close();
                self.state = State::Idle;
            }
            (Input::Resubscribe(symbol), State::Live) => self.session.resubscribe(now, symbol, out),
            // Without a connection the next one begins with everything anew. This link makes no calls.
            (Input::Reply { .. }, _)
            | (
                Input::Binary(_) | Input::Text(_) | Input::Pong | Input::Wake | Input::Resubscribe(_),
                State::Idle | State::Connecting | State::Closing,
            ) => {}
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
        &self.subscriptions
    }
}

#[cfg(test)]
mod tests;
