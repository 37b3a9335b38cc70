//! The request interface: [`Gateio`] implements [`Protocol`].

pub(crate) mod body;
pub(crate) mod reply;
pub(crate) mod request;

use crate::account::AccountLink;
use crate::config::Config;
use crate::entry::EntryLink;
use crate::market::MarketLink;
use crate::sign::Signer;
use crate::{limits, read_back, symbol};
use cex_core::{KlineInterval, Market, Markets, StreamKind, SymbolId, Timestamp, VenueId};
use cex_errors::{ErrorKind, ExchangeError, Op};
use cex_interface::{
    BucketRule, Capabilities, Cost, Feedback, HttpRequest, HttpResponse, Link, Protocol, Reply, Request,
    Subscription, VenueConfig, WrittenOrder, connections_for,
};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Every public stream: candles of the lengths that any version of the documentation has, since each is asked for by
/// itself and a refusal costs no other; best levels at the depths that it has (GATEIO-WS-26, GATEIO-WS-27).
const PUBLIC_STREAMS: &[StreamKind] = &[
    StreamKind::Book,
    StreamKind::BookTicker,
    StreamKind::Trades,
    StreamKind::Ticker,
    StreamKind::TopLevels(5),
    StreamKind::TopLevels(10),
    StreamKind::TopLevels(20),
    StreamKind::TopLevels(50),
    StreamKind::TopLevels(100),
    StreamKind::Klines(KlineInterval::Sec10),
    StreamKind::Klines(KlineInterval::Min1),
    StreamKind::Klines(KlineInterval::Min5),
    StreamKind::Klines(KlineInterval::Min15),
    StreamKind::Klines(KlineInterval::Min30),
    StreamKind::Klines(KlineInterval::Hour1),
    StreamKind::Klines(KlineInterval::Hour4),
    StreamKind::Klines(KlineInterval::Hour8),
    StreamKind::Klines(KlineInterval::Hour12),
    StreamKind::Klines(KlineInterval::Day1),
    StreamKind::Klines(KlineInterval::Week1),
    StreamKind::Klines(KlineInterval::Month1),
];

/// One Gate.io spot account, or public use of the exchange.
pub struct Gateio {
    config: Config,
    capabilities: Capabilities,
    signer: Option<Arc<Signer>>,
}

impl std::fmt::Debug for Gateio {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateio").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Gateio {
    /// Checks the configuration; the error names the setting that is wrong.
    pub fn new(config: VenueConfig) -> Result<Self, ExchangeError> {
        let signs = config.has_credentials();
        let config = Config::new(config)?;
        let signer = signs.then(|| Arc::new(Signer::new(config.key.clone(), &config.secret)));
        let capabilities = Capabilities {
            books: config.streams.book.streams(),
            public_streams: PUBLIC_STREAMS,
            subscriptions_per_connection: config.books_per_connection,
            connections: config.connections_max,
            messages_per_second: None,
            connection_lifetime: None,
            announces_end: true,
            open_orders_of: None,
            place_batch: Some(limits::PLACE_BATCH),
            cancel_batch: Some(limits::CANCEL_BATCH),
            orders_page: limits::ORDERS_PAGE,
            fills_page: limits::FILLS_PAGE,
            amend: true,
            order_entry: true,
            test_order: false,
            dead_man_switch: true,
            order_history: true,
            assets: true,
            market_orders: true,
            placement_tells_state: true,
            cancel_tells_state: true,
            client_id_len: 28,
        };
        Ok(Self { config, capabilities, signer })
    }

    fn error(&self, op: Op, kind: ErrorKind) -> ExchangeError {
        ExchangeError::new(self.config.venue, op, kind)
    }

    /// Whether a wish may be sent; an error when it cannot be served at all.
    fn is_sendable(&self, markets: &Markets, wanted: &Subscription) -> Result<bool, ErrorKind> {
        if !PUBLIC_STREAMS.contains(&wanted.stream) {
            return Err(ErrorKind::Unsupported);
        }
        let market = market(markets, wanted.symbol)?;
        Ok(self.config.unusual_names || symbol::is_plain(market.native()))
    }

    /// Books have connections of their own, so each sort counts in whole connections.
    fn check_capacity(&self, books: usize, others: usize) -> Result<(), ExchangeError> {
        let (most, each) = (self.config.connections_max, self.config.books_per_connection);
        let for_others = connections_for(others, limits::OTHERS_PER_CONNECTION, most);
        let refusal = match for_others {
            Ok(taken) => connections_for(books, each, most - taken).map(|_| ()),
            Err(sentence) => Err(sentence),
        };
        refusal.map_err(|sentence| {
            let kind = ErrorKind::InvalidInput("more subscriptions than the connections carry");
            let mut error = self.error(Op::Subscribe, kind);
            let advice = format!(
                "{sentence}; books_per_connection is {each}, at most {}",
                limits::MOST_BOOKS_PER_CONNECTION
            );
            error.message = Some(advice.into_boxed_str());
            error
        })
    }

    fn market_link(
        &self,
        name: String,
        markets: &Arc<Markets>,
        wanted: &[Subscription],
        unsendable: Vec<Subscription>,
    ) -> Box<dyn Link> {
        let (venue, url) = (self.config.venue, self.config.ws_url.clone());
        Box::new(MarketLink::new(name, venue, url, self.config.streams, markets, wanted, unsendable))
    }
}

impl Protocol for Gateio {
    fn venue(&self) -> VenueId {
        self.config.venue
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn rest_base(&self) -> &str {
        &self.config.rest_url
    }

    fn limits(&self) -> &[BucketRule] {
        if self.config.rate_limits { limits::RULES } else { &[] }
    }

    fn cost(&self, request: &Request) -> Cost {
        limits::cost(request, self.config.rate_limits)
    }

    fn encode(
        &self,
        venue_now: Timestamp,
        markets: &Markets,
        request: &Request,
        out: &mut HttpRequest,
    ) -> Result<(), ExchangeError> {
        request::encode(&self.config, self.signer.as_deref(), venue_now, markets, request, out)
            .map_err(|kind| self.error(request.op(), kind))
    }

    fn read_back<'a>(&self, bytes: &'a [u8]) -> Option<Result<WrittenOrder<'a>, &'static str>> {
        Some(read_back::read_back(bytes))
    }

    fn decode(
        &self,
        markets: &Markets,
        request: &Request,
        response: &HttpResponse<'_>,
    ) -> Result<Reply, ExchangeError> {
        reply::decode(self.config.venue, markets, request, response)
    }

    fn feedback(&self, request: &Request, response: &HttpResponse<'_>, now: Timestamp) -> Vec<Feedback> {
        if self.config.rate_limits { limits::feedback(request, response, now) } else { Vec::new() }
    }

    /// Books by themselves, a limited number a connection; everything else together. A pair whose spelling
    /// the exchange may refuse is not sent, since it would take others with it (GATEIO-SYM-01): its link
    /// reports it as refused.
    fn market_links(
        &self,
        markets: &Arc<Markets>,
        wanted: &[Subscription],
    ) -> Result<Vec<Box<dyn Link>>, ExchangeError> {
        let (mut books, mut others, mut unsendable) = (Vec::new(), Vec::new(), Vec::new());
        let mut seen = BTreeSet::new();
        for wish in wanted {
            let sendable = self.is_sendable(markets, wish).map_err(|kind| self.error(Op::Subscribe, kind))?;
            if !seen.insert((wish.symbol, wish.stream)) {
                continue;
            }
            let list = match sendable {
                false => &mut unsendable,
                true if wish.stream == StreamKind::Book => &mut books,
                true => &mut others,
            };
            list.push(*wish);
        }
        self.check_capacity(books.len(), others.len())?;
        let venue = self.config.venue;
        let book_links = books.chunks(self.config.books_per_connection).enumerate();
        let other_links = others.chunks(limits::OTHERS_PER_CONNECTION).enumerate();
        let named = book_links
            .map(|(index, wishes)| (format!("{venue} book {}", index + 1), wishes))
            .chain(other_links.map(|(index, wishes)| (format!("{venue} public {}", index + 1), wishes)));
        let mut links: Vec<Box<dyn Link>> = Vec::new();
        for (name, wishes) in named {
            links.push(self.market_link(name, markets, wishes, std::mem::take(&mut unsendable)));
        }
        if !unsendable.is_empty() {
            links.push(self.market_link(format!("{venue} refused"), markets, &[], unsendable));
        }
        Ok(links)
    }

    fn account_link(&self, markets: &Arc<Markets>) -> Result<Box<dyn Link>, ExchangeError> {
        let no_key = || self.error(Op::Stream, ErrorKind::InvalidInput("no API key"));
        let signer = self.signer.as_ref().ok_or_else(no_key)?;
        let (venue, url) = (self.config.venue, self.config.ws_url.clone());
        Ok(Box::new(AccountLink::new(venue, url, markets, Arc::clone(signer))))
    }

    fn order_link(&self, markets: &Arc<Markets>) -> Result<Box<dyn Link>, ExchangeError> {
        let no_key = || self.error(Op::Stream, ErrorKind::InvalidInput("no API key"));
        let signer = self.signer.as_ref().ok_or_else(no_key)?;
        Ok(Box::new(EntryLink::new(&self.config, markets, Arc::clone(signer))))
    }
}

/// The market a call is about.
pub(crate) fn market(markets: &Markets, symbol: SymbolId) -> Result<&Market, ErrorKind> {
    markets.get(symbol).ok_or(ErrorKind::InvalidInput("unknown symbol"))
}

#[cfg(test)]
mod tests;
