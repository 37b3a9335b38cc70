//! The public links: subscribe, decode, pass on.

use crate::config::Settings;
use crate::control::{Channel, Needs, Session};
use crate::depth::{DepthReader, Reading};
use crate::wire::{Body, PublicMiniTicker, PushDataV3ApiWrapper};
use crate::{plan, push};
use cex_core::{LinkEvent, Market, MarketEvent, Markets, StreamKind, SymbolId, Timestamp, VenueId};
use cex_errors::{ErrorKind, ExchangeError, Op};
use cex_interface::{CloseReason, Effect, Input, Link, Outbox, Subscription};
use prost::Message;
use std::sync::Arc;

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
    /// Symbols whose tickers are wanted, where one channel brings those of all; in order.
    tickers: Vec<SymbolId>,
    depth: DepthReader,
    session: Session,
    state: State,
}

impl MarketLink {
    pub(crate) fn new(
        settings: &Settings,
        markets: Arc<Markets>,
        number: usize,
        channels: Vec<Channel>,
    ) -> Self {
        let shared = channels.iter().find(|channel| channel.symbols.len() > 1);
        let mut tickers = shared.map_or_else(Vec::new, |channel| channel.symbols.clone());
        tickers.sort_unstable();
        Self {
            venue: settings.venue,
            name: format!("{} market {number}", settings.venue),
            url: settings.ws_url.clone(),
            markets,
            subscriptions: plan::subscriptions(&channels),
            tickers,
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

    /// Everything but books. Bodies we never ask for, known or not, are not ours and pass by (MEXC-WS-06).
    fn push_other(&mut self, frame: &[u8], out: &mut Outbox) -> Result<(), (Option<SymbolId>, ErrorKind)> {
        let wrapper =
            PushDataV3ApiWrapper::decode(frame).map_err(|_| (None, ErrorKind::Undecodable("frame")))?;
        let sent_at =
            wrapper.send_time.or(wrapper.create_time).map_or(Timestamp::EPOCH, Timestamp::from_millis);
        match &wrapper.body {
            // These name their symbols themselves.
            Some(Body::PublicMiniTicker(ticker)) => return self.mini_ticker(sent_at, ticker, out),
            Some(Body::PublicMiniTickers(tickers)) => return self.mini_tickers(sent_at, &tickers.items, out),
            Some(_) | None => {}
        }
        let markets = Arc::clone(&self.markets);
        let Some(market) = market_of(&wrapper, &markets) else { return Ok(()) };
        let (before, levels_before) = (out.market.len(), out.levels.len());
        match body(&wrapper, market, sent_at, out) {
            Ok(Some(stream)) => self.session.fed(market.id, stream),
            Ok(None) => {}
            Err(kind) => {
                out.market.truncate(before);
                out.levels.truncate(levels_before);
                return Err((Some(market.id), kind));
            }
        }
        Ok(())
    }

    fn mini_ticker(
        &mut self,
        sent_at: Timestamp,
        ticker: &PublicMiniTicker,
        out: &mut Outbox,
    ) -> Result<(), (Option<SymbolId>, ErrorKind)> {
        let Some(market) = self.markets.by_native(ticker.symbol.as_bytes()) else { return Ok(()) };
        let id = market.id;
        if let Some(ticker) = push::ticker(id, sent_at, ticker).map_err(|kind| (Some(id), kind))? {
            out.market.push(MarketEvent::Ticker(Box::new(ticker)));
        }
        self.session.fed(id, StreamKind::Ticker);
        Ok(())
    }

    /// All symbols at once, of which only those asked for are passed on. One that cannot be read does not hide the
    /// others.
    fn mini_tickers(
        &mut self,
        sent_at: Timestamp,
        tickers: &[PublicMiniTicker],
        out: &mut Outbox,
    ) -> Result<(), (Option<SymbolId>, ErrorKind)> {
        let mut outcome = Ok(());
        for ticker in tickers {
            let market = self.markets.by_native(ticker.symbol.as_bytes());
            let is_wanted = |id: SymbolId| self.tickers.is_empty() || self.tickers.binary_search(&id).is_ok();
            if market.is_some_and(|market| is_wanted(market.id)) {
                let read = self.mini_ticker(sent_at, ticker, out);
                outcome = outcome.and(read);
            }
        }
        outcome
    }
}

/// The events of a message about one market, and the stream it belongs to; `None` for what nobody asks for.
fn body(
    wrapper: &PushDataV3ApiWrapper,
    market: &Market,
    sent_at: Timestamp,
    out: &mut Outbox,
) -> Result<Option<StreamKind>, ErrorKind> {
    Ok(match &wrapper.body {
        Some(Body::PublicAggreBookTicker(ticker)) => {
            out.market.push(MarketEvent::BookTicker(push::book_ticker(market, sent_at, ticker)?));
            Some(StreamKind::BookTicker)
        }
        Some(Body::PublicBookTickerBatch(batch)) => {
            for item in &batch.items {
                let ticker = push::book_ticker_of_batch(market, sent_at, &batch.version, item)?;
                out.market.push(MarketEvent::BookTicker(ticker));
            }
            Some(StreamKind::BookTicker)
        }
        Some(Body::PublicAggreDeals(deals)) => {
            for deal in &deals.deals {
                out.market.push(MarketEvent::Trade(push::trade(market, deal)?));
            }
            Some(StreamKind::Trades)
        }
        Some(Body::PublicLimitDepths(depths)) => {
            let update = push::top_levels(market, sent_at, depths, &mut out.levels)?;
            out.market.push(MarketEvent::TopLevels(update));
            // How many levels were asked for only the channel tells.
            wrapper.channel.rsplit('@').next().and_then(|depth| depth.parse().ok()).map(StreamKind::TopLevels)
        }
        Some(Body::PublicSpotKline(kline)) => {
            let interval =
                plan::interval_of(&kline.interval).ok_or(ErrorKind::Undecodable("candle length"))?;
            out.market.push(MarketEvent::Kline(Box::new(push::kline(market.id, interval, kline)?)));
            Some(StreamKind::Klines(interval))
        }
        Some(_) | None => None,
    })
}

/// The market a message is about: named by the wrapper, else by a part of the channel.
fn market_of<'m>(wrapper: &PushDataV3ApiWrapper, markets: &'m Markets) -> Option<&'m Market> {
    match wrapper.symbol.as_deref() {
        Some(native) => markets.by_native(native.as_bytes()),
        None => wrapper.channel.split('@').skip(2).find_map(|part| markets.by_native(part.as_bytes())),
    }
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
