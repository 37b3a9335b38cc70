//! Typed calls to HTTP requests.

use super::body::Body;
use super::market;
use crate::config::{Config, PREFIX};
use crate::limits::{CANCEL_BATCH, DEEPEST_BOOK, PLACE_BATCH};
use crate::market::decode::interval_name;
use crate::order::CLIENT_PREFIX;
use crate::sign::{Call, Signer};
use crate::symbol::is_plain;
use cex_core::{KlineInterval, Market, Markets, OrderRequest, Price, Qty, SymbolId, Text, Timestamp};
use cex_errors::ErrorKind;
use cex_interface::{HttpRequest, Method, OrderRef, Request, TimeRange};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::Duration;

/// Rows of most lists.
const MOST_ROWS: u32 = 1_000;
/// Open orders of a pair in one answer (GATEIO-REST-22).
pub(super) const MOST_OPEN: u32 = 100;
/// Says until when a placement may be executed, in milliseconds (GATEIO-REST-04).
pub(crate) const EXPIRY: &str = "x-gate-exptime";
/// The shortest time the dead man's switch takes (GATEIO-REST-25).
const SHORTEST_COUNTDOWN: Duration = Duration::from_secs(5);

/// Builds a call into `out`, which arrives empty.
pub(super) fn encode(
    config: &Config,
    signer: Option<&Signer>,
    venue_now: Timestamp,
    markets: &Markets,
    request: &Request,
    out: &mut HttpRequest,
) -> Result<(), ErrorKind> {
    let mut call = Builder { unusual_names: config.unusual_names, markets, out, has_query: false };
    match (call.fill(venue_now, request)?, signer) {
        (Access::Public, _) => Ok(()),
        (Access::Private, Some(signer)) => {
            call.sign(signer, venue_now);
            Ok(())
        }
        (Access::Private, None) => Err(ErrorKind::InvalidInput("no API key")),
    }
}

/// Builds a call without headers of its own and without a signature, for whoever sends its parts in another way.
pub(crate) fn parts(
    unusual_names: bool,
    venue_now: Timestamp,
    markets: &Markets,
    request: &Request,
) -> Result<HttpRequest, ErrorKind> {
    let mut out = HttpRequest::default();
    Builder { unusual_names, markets, out: &mut out, has_query: false }.fill(venue_now, request)?;
    Ok(out)
}

/// Whether a call must be signed.
enum Access {
    Public,
    Private,
}

struct Builder<'a> {
    unusual_names: bool,
    markets: &'a Markets,
    out: &'a mut HttpRequest,
    has_query: bool,
}

impl<'a> Builder<'a> {
    fn fill(&mut self, venue_now: Timestamp, request: &Request) -> Result<Access, ErrorKind> {
        match request {
            // There is no probe of its own; the clock answers without touching anything.
            Request::Ping | Request::ServerTime => self.public("/spot/time"),
            Request::Symbols => self.public("/spot/currency_pairs"),
            Request::Assets => self.public("/spot/currencies"),
            Request::Book { symbol, depth } => self.book(*symbol, *depth),
            Request::Trades { symbol, limit, range } => self.trades(*symbol, *limit, *range),
            Request::Klines { symbol, interval, range, limit } => {
                self.klines(*symbol, *interval, *range, *limit)
            }
            Request::Tickers { symbol } | Request::BookTickers { symbol } => self.tickers(*symbol),
            Request::Account => self.private("/spot/accounts"),
            Request::Fees { symbol } => self.fees(*symbol),
            Request::Withdrawals => {
                let access = self.private("/wallet/withdrawals")?;
                self.count("limit", 1);
                Ok(access)
            }
            Request::Place(order) => self.place(order, venue_now),
            Request::PlaceBatch(orders) => self.place_batch(orders, venue_now),
            Request::CancelBatch(orders) => self.cancel_batch(orders),
            Request::Cancel { symbol, order } => self.order(Method::Delete, *symbol, order),
            Request::CancelAll { symbol } => self.cancel_all(*symbol),
            Request::Amend { symbol, order, price, qty } => self.amend(*symbol, order, *price, *qty),
            Request::Order { symbol, order } => self.order(Method::Get, *symbol, order),
            Request::OpenOrders { symbol } => self.open_orders(*symbol),
            Request::OrderHistory { symbol, range, limit } => self.order_history(*symbol, *range, *limit),
            Request::MyTrades { symbol, order, range, limit } => {
                self.my_trades(*symbol, order.as_ref().map(Text::as_str), *range, *limit)
            }
            Request::DeadManSwitch { timeout } => self.countdown(*timeout),
            Request::TestOrder(_)
            | Request::OpenOrdersOf(_)
            | Request::CreateListenKey
            | Request::ListenKeys
            | Request::KeepListenKey(_)
            | Request::DeleteListenKey(_)
            // What a key may trade follows from its rights alone.
            | Request::Tradable => Err(ErrorKind::Unsupported),
        }
    }

    fn public(&mut self, path: &str) -> Result<Access, ErrorKind> {
        self.begin(Method::Get, path);
        Ok(Access::Public)
    }

    fn private(&mut self, path: &str) -> Result<Access, ErrorKind> {
        self.begin(Method::Get, path);
        Ok(Access::Private)
    }

    fn book(&mut self, symbol: SymbolId, depth: u32) -> Result<Access, ErrorKind> {
        self.begin(Method::Get, "/spot/order_book");
        self.pair(symbol)?;
        self.count("limit", i64::from(depth.clamp(1, DEEPEST_BOOK)));
        // Without it the answer lacks the version that joins it with the stream.
        self.query("with_id", "true");
        Ok(Access::Public)
    }

    fn trades(&mut self, symbol: SymbolId, limit: u32, range: TimeRange) -> Result<Access, ErrorKind> {
        self.begin(Method::Get, "/spot/trades");
        self.pair(symbol)?;
        self.count("limit", i64::from(limit.clamp(1, MOST_ROWS)));
        self.range(range);
        Ok(Access::Public)
    }

    /// A span excludes a limit (GATEIO-REST-13), so a limit within a span becomes its other end.
    fn klines(
        &mut self,
        symbol: SymbolId,
        interval: KlineInterval,
        range: TimeRange,
        limit: u32,
    ) -> Result<Access, ErrorKind> {
        // Only the streams have candles of half a day.
        if interval == KlineInterval::Hour12 {
            return Err(ErrorKind::Unsupported);
        }
        let name = interval_name(interval);
        let limit = limit.clamp(1, MOST_ROWS);
        self.begin(Method::Get, "/spot/candlesticks");
        self.pair(symbol)?;
        self.query("interval", name);
        let span = interval.length() * (limit - 1);
        match (range.from, range.to) {
            (None, None) => self.count("limit", i64::from(limit)),
            (Some(from), to) => {
                let most = from + span;
                self.range(TimeRange { from: Some(from), to: Some(to.map_or(most, |to| to.min(most))) });
            }
            (None, Some(to)) => self.range(TimeRange { from: Some(to - span), to: Some(to) }),
        }
        Ok(Access::Public)
    }

    fn tickers(&mut self, symbol: Option<SymbolId>) -> Result<Access, ErrorKind> {
        self.begin(Method::Get, "/spot/tickers");
        if let Some(symbol) = symbol {
            self.pair(symbol)?;
        }
        Ok(Access::Public)
    }

    fn fees(&mut self, symbol: Option<SymbolId>) -> Result<Access, ErrorKind> {
        match symbol {
            None => self.begin(Method::Get, "/wallet/fee"),
            Some(symbol) => {
                self.begin(Method::Get, "/spot/batch_fee");
                let market = self.market(symbol)?;
                self.query("currency_pairs", &percent_encoded(market.native()));
            }
        }
        Ok(Access::Private)
    }

    fn place(&mut self, order: &OrderRequest, venue_now: Timestamp) -> Result<Access, ErrorKind> {
        let market = self.market(order.symbol)?;
        self.begin(Method::Post, "/spot/orders");
        Body::new(&mut self.out.body).order(market, order)?;
        self.body_is_json();
        // The exchange refuses what arrives later, so an order whose answer is lost is decided soon
        // (GATEIO-REST-04).
        let mut digits = itoa::Buffer::new();
        self.out.header(EXPIRY, digits.format((venue_now + order.expires_in).as_millis()));
        Ok(Access::Private)
    }

    /// A list of placements, each for itself (GATEIO-REST-29). Its expiry is that of the order that expires first.
    fn place_batch(&mut self, orders: &[OrderRequest], venue_now: Timestamp) -> Result<Access, ErrorKind> {
        PLACE_BATCH.check(orders.iter().map(|order| order.symbol)).map_err(ErrorKind::InvalidInput)?;
        let mut ids = BTreeSet::new();
        if !orders.iter().all(|order| ids.insert(order.client_id)) {
            return Err(ErrorKind::InvalidInput("a client order id twice in one batch"));
        }
        self.begin(Method::Post, "/spot/batch_orders");
        self.out.body.push(b'[');
        for order in orders {
            let market = self.market(order.symbol)?;
            Body::new(&mut self.out.body).order(market, order)?;
            self.out.body.push(b',');
        }
        self.end_list();
        let expires_in = orders.iter().map(|order| order.expires_in).min().unwrap_or_default();
        let mut digits = itoa::Buffer::new();
        self.out.header(EXPIRY, digits.format((venue_now + expires_in).as_millis()));
        Ok(Access::Private)
    }

    /// A list of pairs and orders, named by the exchange's number or by our text (GATEIO-REST-30).
    fn cancel_batch(&mut self, orders: &[(SymbolId, OrderRef)]) -> Result<Access, ErrorKind> {
        CANCEL_BATCH.check(orders.iter().map(|(symbol, _)| *symbol)).map_err(ErrorKind::InvalidInput)?;
        self.begin(Method::Post, "/spot/cancel_batch_orders");
        self.out.body.push(b'[');
        for (symbol, order) in orders {
            let market = self.market(*symbol)?;
            let body = Body::new(&mut self.out.body);
            match order {
                OrderRef::Id(id) => body.cancel(market, "", safe(id.as_str())?),
                OrderRef::Client(id) => body.cancel(market, CLIENT_PREFIX, id.as_str()),
            }
            self.out.body.push(b',');
        }
        self.end_list();
        Ok(Access::Private)
    }

    /// Every row ends with a comma; the last one's becomes the bracket.
    fn end_list(&mut self) {
        self.out.body.pop();
        self.out.body.push(b']');
        self.body_is_json();
    }

    fn amend(
        &mut self,
        symbol: SymbolId,
        order: &OrderRef,
        price: Option<Price>,
        qty: Option<Qty>,
    ) -> Result<Access, ErrorKind> {
        let market = self.market(symbol)?;
        self.begin(Method::Patch, "/spot/orders/");
        self.order_name(order)?;
        Body::new(&mut self.out.body).amendment(market, price, qty)?;
        self.body_is_json();
        Ok(Access::Private)
    }

    /// Reads or cancels one order.
    fn order(&mut self, method: Method, symbol: SymbolId, order: &OrderRef) -> Result<Access, ErrorKind> {
        self.begin(method, "/spot/orders/");
        self.order_name(order)?;
        self.pair(symbol)?;
        Ok(Access::Private)
    }

    /// Never without a pair: that would cancel everything the account has (GATEIO-REST-20).
    fn cancel_all(&mut self, symbol: SymbolId) -> Result<Access, ErrorKind> {
        self.begin(Method::Delete, "/spot/orders");
        self.pair(symbol)?;
        Ok(Access::Private)
    }

    fn open_orders(&mut self, symbol: Option<SymbolId>) -> Result<Access, ErrorKind> {
        match symbol {
            None => self.begin(Method::Get, "/spot/open_orders"),
            Some(symbol) => {
                self.begin(Method::Get, "/spot/orders");
                self.pair(symbol)?;
                self.query("status", "open");
            }
        }
        self.count("limit", i64::from(MOST_OPEN));
        Ok(Access::Private)
    }

    /// Ended orders only, and not quite all of them (GATEIO-REST-23).
    fn order_history(&mut self, symbol: SymbolId, range: TimeRange, limit: u32) -> Result<Access, ErrorKind> {
        self.begin(Method::Get, "/spot/orders");
        self.pair(symbol)?;
        self.query("status", "finished");
        self.count("limit", i64::from(limit.clamp(1, MOST_ROWS)));
        self.range(range);
        Ok(Access::Private)
    }

    fn my_trades(
        &mut self,
        symbol: SymbolId,
        order: Option<&str>,
        range: TimeRange,
        limit: u32,
    ) -> Result<Access, ErrorKind> {
        self.begin(Method::Get, "/spot/my_trades");
        self.pair(symbol)?;
        self.count("limit", i64::from(limit.clamp(1, MOST_ROWS)));
        if let Some(id) = order {
            self.query("order_id", safe(id)?);
        }
        self.range(range);
        Ok(Access::Private)
    }

    /// Whole seconds, rounded down: a switch must not act later than it was asked to.
    fn countdown(&mut self, timeout: Duration) -> Result<Access, ErrorKind> {
        if !timeout.is_zero() && timeout < SHORTEST_COUNTDOWN {
            return Err(ErrorKind::InvalidInput("the dead man's switch takes 5 s or more"));
        }
        self.begin(Method::Post, "/spot/countdown_cancel_all");
        Body::new(&mut self.out.body).countdown(timeout.as_secs());
        self.body_is_json();
        Ok(Access::Private)
    }

    fn begin(&mut self, method: Method, path: &str) {
        self.out.method = method;
        self.out.target.push_str(PREFIX);
        self.out.target.push_str(path);
    }

    fn body_is_json(&mut self) {
        self.out.header("content-type", "application/json");
    }

    /// Names an order in the path.
    fn order_name(&mut self, order: &OrderRef) -> Result<(), ErrorKind> {
        name_order(order, &mut self.out.target)
    }

    /// Adds a parameter; the value must need no encoding.
    fn query(&mut self, name: &str, value: &str) {
        self.out.target.push(if self.has_query { '&' } else { '?' });
        self.has_query = true;
        self.out.target.push_str(name);
        self.out.target.push('=');
        self.out.target.push_str(value);
    }

    fn count(&mut self, name: &str, value: i64) {
        self.query(name, itoa::Buffer::new().format(value));
    }

    fn range(&mut self, range: TimeRange) {
        for (name, end) in [("from", range.from), ("to", range.to)] {
            if let Some(at) = end {
                self.count(name, at.as_secs());
            }
        }
    }

    fn pair(&mut self, symbol: SymbolId) -> Result<(), ErrorKind> {
        let market = self.market(symbol)?;
        self.query("currency_pair", &percent_encoded(market.native()));
        Ok(())
    }

    /// The market of a call, unless its spelling is not to be sent (GATEIO-SYM-01).
    fn market(&self, symbol: SymbolId) -> Result<&'a Market, ErrorKind> {
        let market = market(self.markets, symbol)?;
        let sendable = self.unusual_names || is_plain(market.native());
        sendable
            .then_some(market)
            .ok_or(ErrorKind::InvalidInput("unusual spelling; see option unusual_names"))
    }

    /// Signs what was built (GATEIO-REST-02, GATEIO-REST-03). The query is signed as it reads before
    /// encoding.
    fn sign(&mut self, signer: &Signer, venue_now: Timestamp) {
        let mut digits = itoa::Buffer::new();
        let timestamp = digits.format(venue_now.as_secs());
        let (path, query) = self.out.target.split_once('?').unwrap_or((&self.out.target, ""));
        let query = percent_decoded(query);
        let method = self.out.method.as_str();
        let hex = signer.call(Call { method, path, query: &query, body: &self.out.body, timestamp });
        self.out.header("key", signer.key());
        self.out.header("timestamp", timestamp);
        self.out.header("sign", hex.as_str());
    }
}

/// Names an order: by the exchange's number or by our text.
pub(crate) fn name_order(order: &OrderRef, out: &mut String) -> Result<(), ErrorKind> {
    match order {
        OrderRef::Id(id) => out.push_str(safe(id.as_str())?),
        OrderRef::Client(id) => {
            out.push_str(CLIENT_PREFIX);
            out.push_str(id.as_str());
        }
    }
    Ok(())
}

/// An identifier that stands in an address as it is; whatever the exchange may send, nothing else gets into
/// one.
fn safe(id: &str) -> Result<&str, ErrorKind> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    let valid = !id.is_empty() && id.bytes().all(plain);
    valid.then_some(id).ok_or(ErrorKind::InvalidInput("order id"))
}

fn percent_encoded(text: &str) -> Cow<'_, str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    if text.bytes().all(plain) {
        return Cow::Borrowed(text);
    }
    let encoded = text
        .bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") });
    Cow::Owned(encoded.collect())
}

/// Undoes [`percent_encoded`], which is the only maker of what it reads.
fn percent_decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        bytes.extend_from_slice(before.as_bytes());
        let (digits, tail) = after.split_at_checked(2).unwrap_or((after, ""));
        bytes.extend(u8::from_str_radix(digits, 16));
        rest = tail;
    }
    bytes.extend_from_slice(rest.as_bytes());
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}
