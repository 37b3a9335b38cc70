//! Public data over any protocol.

use super::{Client, KLINES_PER_CALL, Stream, kline_spans};
use cex_core::{
    BookTicker, Kline, KlineInterval, Market, Markets, Symbol, SymbolId, SymbolInfo, Ticker, Timestamp,
    Trade, VenueId,
};
use cex_errors::{ErrorKind, ExchangeError, Op};
use cex_interface::{
    BookSnapshot, Capabilities, Health, PublicExchange, Reply, Request, Subscription, TimeRange,
};
use std::sync::Arc;

/// Makes a call and takes the answer's value out; another answer than the call's own cannot be trusted.
macro_rules! ask {
    ($client:expr, $request:expr, $answer:ident) => {{
        let request = $request;
        match $client.rest.call(&request).await? {
            Reply::$answer(value) => Ok(value),
            _another => {
                Err($client.error(request.op(), ErrorKind::Undecodable("the answer to another call")))
            }
        }
    }};
}

/// Makes a call whose answer says nothing but that it is done.
macro_rules! tell {
    ($client:expr, $request:expr) => {{
        let request = $request;
        match $client.rest.call(&request).await? {
            Reply::Done => Ok(()),
            _another => {
                Err($client.error(request.op(), ErrorKind::Undecodable("the answer to another call")))
            }
        }
    }};
}
pub(super) use {ask, tell};

impl Client {
    /// The markets of `wanted` (all, when none are named) out of the exchange's rules, numbered in that order.
    fn register(&self, wanted: &[Symbol], rules: Vec<SymbolInfo>) -> Result<Markets, ExchangeError> {
        let refuse = |what| self.error(Op::Symbols, ErrorKind::InvalidInput(what));
        let mut markets = Vec::new();
        let mut add = |info: SymbolInfo| {
            let id = SymbolId(u32::try_from(markets.len()).unwrap_or(u32::MAX));
            let market = info.scale().and_then(|scale| Market::new(self.venue(), id, info, scale))?;
            markets.push(market);
            Ok::<_, cex_core::NumError>(())
        };
        if wanted.is_empty() {
            for info in rules {
                let symbol = info.symbol;
                if let Err(error) = add(info) {
                    tracing::warn!(venue = %self.venue(), %symbol, %error, "symbol left out: its rules do not fit");
                }
            }
        } else {
            for symbol in wanted {
                let info = rules.iter().find(|info| info.symbol == *symbol);
                let info = info.ok_or_else(|| refuse("a symbol the exchange does not list"))?;
                add(info.clone()).map_err(|error| self.error(Op::Symbols, ErrorKind::Number(error)))?;
            }
        }
        Ok(Markets::new(markets))
    }
}

impl PublicExchange for Client {
    type Stream = Stream;

    fn venue(&self) -> VenueId {
        self.protocol.venue()
    }

    fn capabilities(&self) -> &Capabilities {
        self.protocol.capabilities()
    }

    fn markets(&self) -> Arc<Markets> {
        self.rest.markets()
    }

    async fn init(&self, symbols: &[Symbol]) -> Result<Arc<Markets>, ExchangeError> {
        let rules = self.symbols().await?;
        let markets = Arc::new(self.register(symbols, rules)?);
        self.rest.set_markets(Arc::clone(&markets));
        Ok(markets)
    }

    async fn ping(&self) -> Result<(), ExchangeError> {
        tell!(self, Request::Ping)
    }

    async fn server_time(&self) -> Result<Timestamp, ExchangeError> {
        ask!(self, Request::ServerTime, ServerTime)
    }

    async fn symbols(&self) -> Result<Vec<SymbolInfo>, ExchangeError> {
        ask!(self, Request::Symbols, Symbols)
    }

    async fn book(&self, symbol: SymbolId, depth: u32) -> Result<BookSnapshot, ExchangeError> {
        ask!(self, Request::Book { symbol, depth }, Book)
    }

    async fn recent_trades(&self, symbol: SymbolId, limit: u32) -> Result<Vec<Trade>, ExchangeError> {
        ask!(self, Request::Trades { symbol, limit, range: TimeRange::default() }, Trades)
    }

    async fn historical_trades(
        &self,
        symbol: SymbolId,
        limit: u32,
        range: TimeRange,
    ) -> Result<Vec<Trade>, ExchangeError> {
        ask!(self, Request::Trades { symbol, limit, range }, Trades)
    }

    async fn klines(
        &self,
        symbol: SymbolId,
        interval: KlineInterval,
        range: TimeRange,
        limit: u32,
    ) -> Result<Vec<Kline>, ExchangeError> {
        ask!(self, Request::Klines { symbol, interval, range, limit }, Klines)
    }

    async fn klines_batch(
        &self,
        symbol: SymbolId,
        interval: KlineInterval,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Kline>, ExchangeError> {
        let spans = kline_spans(interval.length(), from, to).ok_or_else(|| {
            self.error(
                Op::Klines,
                ErrorKind::InvalidInput("a span of candles that ends before it begins, or is too long"),
            )
        })?;
        let mut all: Vec<Kline> = Vec::new();
        for (begin, end) in spans {
            let range = TimeRange { from: Some(begin), to: Some(end) };
            let page = self.klines(symbol, interval, range, KLINES_PER_CALL).await?;
            let newest = all.last().map(|kline| kline.open_time);
            let fresh = |kline: &Kline| newest.is_none_or(|newest| kline.open_time > newest);
            all.extend(
                page.into_iter()
                    .filter(|kline| fresh(kline) && kline.open_time >= from && kline.open_time <= to),
            );
        }
        Ok(all)
    }

    async fn tickers(&self, symbol: Option<SymbolId>) -> Result<Vec<Ticker>, ExchangeError> {
        ask!(self, Request::Tickers { symbol }, Tickers)
    }

    async fn book_tickers(&self, symbol: Option<SymbolId>) -> Result<Vec<BookTicker>, ExchangeError> {
        ask!(self, Request::BookTickers { symbol }, BookTickers)
    }

    async fn subscribe(&self, wanted: &[Subscription]) -> Result<Stream, ExchangeError> {
        let links = self.protocol.market_links(&self.rest.markets(), wanted)?;
        Ok(self.run(links))
    }

    fn health(&self) -> Health {
        self.health_now()
    }
}
