//! Typed request to signed HTTP.
//!
//! All parameters stand in the query, as most clients send them, and the body is empty (MEXC-REST-03).

use crate::config::Credentials;
use crate::limits::{FILLS_PAGE, OPEN_ORDERS_OF, ORDERS_PAGE, PLACE_BATCH};
use crate::symbol::push_encoded;
use cex_core::{
    KlineInterval, Market, Markets, OrderKind, OrderRequest, Price, Qty, Side, SymbolId, TimeInForce,
    Timestamp,
};
use cex_errors::ErrorKind;
use cex_interface::{HttpRequest, Method, OrderRef, Request, TimeRange};
use std::time::Duration;

/// How long after its timestamp a call other than a placement may arrive (MEXC-SIGN-02).
const RECV_WINDOW_MS: u64 = 5_000;

/// The longest window the exchange takes (MEXC-SIGN-02).
const LONGEST_RECV_WINDOW_MS: u64 = 60_000;

/// Levels a side the exchange documents; it answers at most 2,000 (MEXC-REST-12).
const MOST_LEVELS: u32 = 5_000;

/// Rows of public trades.
const MOST_ROWS: u32 = 1_000;

/// Candles the exchange gives in practice, half of what it documents (MEXC-REST-13).
const MOST_KLINES: u32 = 500;

/// Builds and signs `request` into `out`.
pub(super) fn encode(
    credentials: Option<&Credentials>,
    venue_now: Timestamp,
    markets: &Markets,
    request: &Request,
    out: &mut HttpRequest,
) -> Result<(), ErrorKind> {
    let now = venue_now;
    match request {
        Request::Ping => Query::get(out, "/ping").public(),
        Request::ServerTime => Query::get(out, "/time").public(),
        Request::Symbols => Query::get(out, "/exchangeInfo").public(),
        Request::Tradable if credentials.is_none() => Query::get(out, "/defaultSymbols").public(),
        Request::Tradable => Query::get(out, "/selfSymbols").signed(credentials, now),
        Request::Book { symbol, depth } => Query::get(out, "/depth")
            .symbol(markets, *symbol)?
            .whole("limit", clamped(*depth, MOST_LEVELS))
            .public(),
        Request::Trades { symbol, limit, range } => trades(out, now, markets, *symbol, *limit, *range),
        Request::Klines { symbol, interval, range, limit } => Query::get(out, "/klines")
            .symbol(markets, *symbol)?
            .plain("interval", interval_name(*interval).ok_or(ErrorKind::Unsupported)?)
            .maybe_millis("startTime", range.from)
            // The end is not inclusive here, and ours is.
            .maybe_millis("endTime", range.to.map(|to| to + Duration::from_millis(1)))
            .whole("limit", clamped(*limit, MOST_KLINES))
            .public(),
        Request::Tickers { symbol } => {
            Query::get(out, "/ticker/24hr").maybe_symbol(markets, *symbol)?.public()
        }
        Request::BookTickers { symbol } => {
            Query::get(out, "/ticker/bookTicker").maybe_symbol(markets, *symbol)?.public()
        }
        Request::Assets => Query::get(out, "/capital/config/getall").signed(credentials, now),
        Request::Account => Query::get(out, "/account").signed(credentials, now),
        // There is no fee for the account as a whole (MEXC-REST-19).
        Request::Fees { symbol: None } => Err(ErrorKind::Unsupported),
        Request::Fees { symbol: Some(symbol) } => {
            Query::get(out, "/tradeFee").symbol(markets, *symbol)?.signed(credentials, now)
        }
        Request::Withdrawals => {
            Query::get(out, "/capital/withdraw/history").whole("limit", 1).signed(credentials, now)
        }
        Request::Place(order) => place(Query::post(out, "/order"), credentials, now, markets, order),
        Request::PlaceBatch(orders) => {
            place_batch(Query::post(out, "/batchOrders"), credentials, now, markets, orders)
        }
        Request::TestOrder(order) => place(Query::post(out, "/order/test"), credentials, now, markets, order),
        Request::Cancel { symbol, order } => {
            Query::delete(out, "/order").symbol(markets, *symbol)?.order(*order).signed(credentials, now)
        }
        Request::CancelAll { symbol } => {
            Query::delete(out, "/openOrders").symbol(markets, *symbol)?.signed(credentials, now)
        }
        Request::Order { symbol, order } => {
            Query::get(out, "/order").symbol(markets, *symbol)?.order(*order).signed(credentials, now)
        }
        Request::OpenOrders { symbol } => {
            Query::get(out, "/openOrders").maybe_symbol(markets, *symbol)?.signed(credentials, now)
        }
        Request::OpenOrdersOf(symbols) => {
            Query::get(out, "/openOrders").symbols(markets, symbols)?.signed(credentials, now)
        }
        Request::OrderHistory { symbol, range, limit } => Query::get(out, "/allOrders")
            .symbol(markets, *symbol)?
            .range(*range)
            .whole("limit", clamped(*limit, ORDERS_PAGE.rows))
            .signed(credentials, now),
        Request::MyTrades { symbol, order, range, limit } => {
            let query = Query::get(out, "/myTrades").symbol(markets, *symbol)?;
            let query = match order {
                Some(order) => query.text("orderId", order.as_str()),
                None => query,
            };
            query
                .range(*range)
                .whole("limit", clamped(*limit, FILLS_PAGE.rows_perhaps))
                .signed(credentials, now)
        }
        Request::CreateListenKey => Query::post(out, "/userDataStream").signed(credentials, now),
        Request::ListenKeys => Query::get(out, "/userDataStream").signed(credentials, now),
        Request::KeepListenKey(key) => {
            Query::put(out, "/userDataStream").text("listenKey", key).signed(credentials, now)
        }
        Request::DeleteListenKey(key) => {
            Query::delete(out, "/userDataStream").text("listenKey", key).signed(credentials, now)
        }
        // The exchange has none of them (MEXC-REST-21).
        Request::Amend { .. } | Request::DeadManSwitch { .. } | Request::CancelBatch(_) => {
            Err(ErrorKind::Unsupported)
        }
    }
}

/// Recent trades; a span asks for aggregated ones, whose two ends must come together (MEXC-REST-14).
fn trades(
    out: &mut HttpRequest,
    now: Timestamp,
    markets: &Markets,
    symbol: SymbolId,
    limit: u32,
    range: TimeRange,
) -> Result<(), ErrorKind> {
    let limit = clamped(limit, MOST_ROWS);
    match (range.from, range.to) {
        (None, None) => Query::get(out, "/trades").symbol(markets, symbol)?.whole("limit", limit).public(),
        (Some(from), to) => Query::get(out, "/aggTrades")
            .symbol(markets, symbol)?
            .maybe_millis("startTime", Some(from))
            .maybe_millis("endTime", Some(to.unwrap_or(now)))
            .whole("limit", limit)
            .public(),
        (None, Some(_)) => Err(ErrorKind::InvalidInput("a span of trades needs its beginning")),
    }
}

/// An order, with our identifier and an expiry: the exchange refuses it when it arrives later than `recvWindow` after
/// its timestamp (MEXC-SIGN-02). What the order is, its `type` alone says: `timeInForce` is ignored (MEXC-REST-16).
fn place(
    query: Query<'_>,
    credentials: Option<&Credentials>,
    now: Timestamp,
    markets: &Markets,
    order: &OrderRequest,
) -> Result<(), ErrorKind> {
    let market = market(markets, order.symbol)?;
    let fields = fields(market, order)?;
    let query =
        query.text("symbol", market.native()).plain("side", side_name(order.side)).plain("type", fields.kind);
    let query = match fields.size {
        Size::Base(qty) => query.scaled("quantity", qty, market.scale.qty_dp()),
        Size::Quote(notional) => query.scaled("quoteOrderQty", notional, quote_dp(market)),
    };
    let query = match fields.price {
        Some(price) => query.scaled("price", price, market.scale.price_dp()),
        None => query,
    };
    query.plain("newClientOrderId", order.client_id.as_str()).signed_within(credentials, now, window(order))
}

/// Orders as a JSON list in one parameter, all of one symbol (MEXC-REST-24). Its expiry is that of the order that
/// expires first.
fn place_batch(
    query: Query<'_>,
    credentials: Option<&Credentials>,
    now: Timestamp,
    markets: &Markets,
    orders: &[OrderRequest],
) -> Result<(), ErrorKind> {
    PLACE_BATCH.check(orders.iter().map(|order| order.symbol)).map_err(ErrorKind::InvalidInput)?;
    let mut ids = std::collections::BTreeSet::new();
    if !orders.iter().all(|order| ids.insert(order.client_id)) {
        return Err(ErrorKind::InvalidInput("a client order id twice in one batch"));
    }
    let mut list = String::from("[");
    for order in orders {
        let market = market(markets, order.symbol)?;
        if market.native().contains(['"', '\\']) {
            return Err(ErrorKind::InvalidSymbol);
        }
        element(&mut list, market, order)?;
        list.push(',');
    }
    list.pop();
    list.push(']');
    let window = orders.iter().map(window).min().unwrap_or(1);
    query.text("batchOrders", &list).signed_within(credentials, now, window)
}

/// One order of a batch. Nothing in it needs escapes.
fn element(out: &mut String, market: &Market, order: &OrderRequest) -> Result<(), ErrorKind> {
    let fields = fields(market, order)?;
    for (name, value) in
        [("{\"symbol", market.native()), (",\"side", side_name(order.side)), (",\"type", fields.kind)]
    {
        for part in [name, "\":\"", value, "\""] {
            out.push_str(part);
        }
    }
    match fields.size {
        Size::Base(qty) => {
            out.push_str(",\"quantity\":\"");
            push_scaled(out, qty, market.scale.qty_dp());
        }
        Size::Quote(notional) => {
            out.push_str(",\"quoteOrderQty\":\"");
            push_scaled(out, notional, quote_dp(market));
        }
    }
    if let Some(price) = fields.price {
        out.push_str("\",\"price\":\"");
        push_scaled(out, price, market.scale.price_dp());
    }
    for part in ["\",\"newClientOrderId\":\"", order.client_id.as_str(), "\"}"] {
        out.push_str(part);
    }
    Ok(())
}

/// How much of what.
enum Size {
    Base(u64),
    Quote(u128),
}

/// An order's own fields, checked.
struct Fields {
    kind: &'static str,
    size: Size,
    price: Option<u64>,
}

fn fields(market: &Market, order: &OrderRequest) -> Result<Fields, ErrorKind> {
    let limit = |kind, price, qty| {
        Ok(Fields { kind, size: Size::Base(on_lot(market, qty)?), price: Some(on_tick(market, price)?) })
    };
    match order.kind {
        OrderKind::Limit { price, qty, tif } => limit(type_name(tif), price, qty),
        OrderKind::PostOnly { price, qty } => limit("LIMIT_MAKER", price, qty),
        OrderKind::Market { qty } => {
            Ok(Fields { kind: "MARKET", size: Size::Base(on_lot(market, qty)?), price: None })
        }
        OrderKind::MarketNotional { notional } => {
            // More decimals than the quote takes are refused as "amount scale is invalid" (MEXC-REST-16).
            let step = 10i128.pow(u32::from(quote_dp(market).saturating_sub(market.info.price_dp)));
            if notional.0 <= 0 || notional.0 % step != 0 {
                return Err(ErrorKind::InvalidInput("notional is not positive or has too many decimals"));
            }
            Ok(Fields { kind: "MARKET", size: Size::Quote(notional.0.unsigned_abs()), price: None })
        }
    }
}

const fn quote_dp(market: &Market) -> u8 {
    market.scale.price_dp() + market.scale.qty_dp()
}

/// How long after its timestamp a placement may arrive.
fn window(order: &OrderRequest) -> u64 {
    u64::try_from(order.expires_in.as_millis()).unwrap_or(u64::MAX).clamp(1, LONGEST_RECV_WINDOW_MS)
}

const fn side_name(side: Side) -> &'static str {
    match side {
        Side::Buy => "BUY",
        Side::Sell => "SELL",
    }
}

fn on_tick(market: &Market, price: Price) -> Result<u64, ErrorKind> {
    if price.0 <= 0 || price.0 % market.tick.0 != 0 {
        return Err(ErrorKind::InvalidInput("price is not a positive multiple of the tick size"));
    }
    Ok(price.0.unsigned_abs())
}

fn on_lot(market: &Market, qty: Qty) -> Result<u64, ErrorKind> {
    if qty.0 <= 0 || qty.0 % market.lot.0 != 0 {
        return Err(ErrorKind::InvalidInput("quantity is not a positive multiple of the lot size"));
    }
    Ok(qty.0.unsigned_abs())
}

const fn type_name(tif: TimeInForce) -> &'static str {
    match tif {
        TimeInForce::Gtc => "LIMIT",
        TimeInForce::Ioc => "IMMEDIATE_OR_CANCEL",
        TimeInForce::Fok => "FILL_OR_KILL",
    }
}

/// There is no candle of eight or twelve hours here, and an hour is `60m` (MEXC-REST-13).
const fn interval_name(interval: KlineInterval) -> Option<&'static str> {
    match interval {
        KlineInterval::Min1 => Some("1m"),
        KlineInterval::Min5 => Some("5m"),
        KlineInterval::Min15 => Some("15m"),
        KlineInterval::Min30 => Some("30m"),
        KlineInterval::Hour1 => Some("60m"),
        KlineInterval::Hour4 => Some("4h"),
        KlineInterval::Day1 => Some("1d"),
        KlineInterval::Week1 => Some("1W"),
        KlineInterval::Month1 => Some("1M"),
        KlineInterval::Sec10 | KlineInterval::Hour8 | KlineInterval::Hour12 => None,
    }
}

fn clamped(wanted: u32, most: u32) -> u64 {
    u64::from(wanted.clamp(1, most))
}

fn market(markets: &Markets, symbol: SymbolId) -> Result<&Market, ErrorKind> {
    markets.get(symbol).ok_or(ErrorKind::InvalidInput("symbol is not registered"))
}

/// A call being written into the reused buffers of a request.
struct Query<'o> {
    out: &'o mut HttpRequest,
    /// Where the query begins in the target: what is signed. The `?` stands before it.
    at: usize,
}

impl<'o> Query<'o> {
    fn new(out: &'o mut HttpRequest, method: Method, path: &str) -> Self {
        out.method = method;
        out.target.push_str("/api/v3");
        out.target.push_str(path);
        let at = out.target.len() + 1;
        Self { out, at }
    }

    fn get(out: &'o mut HttpRequest, path: &str) -> Self {
        Self::new(out, Method::Get, path)
    }

    fn post(out: &'o mut HttpRequest, path: &str) -> Self {
        Self::new(out, Method::Post, path)
    }

    fn put(out: &'o mut HttpRequest, path: &str) -> Self {
        Self::new(out, Method::Put, path)
    }

    fn delete(out: &'o mut HttpRequest, path: &str) -> Self {
        Self::new(out, Method::Delete, path)
    }

    fn name(&mut self, name: &str) -> &mut String {
        let target = &mut self.out.target;
        target.push(if target.len() < self.at { '?' } else { '&' });
        target.push_str(name);
        target.push('=');
        target
    }

    /// A value that needs no encoding.
    fn plain(mut self, name: &str, value: &str) -> Self {
        self.name(name).push_str(value);
        self
    }

    fn text(mut self, name: &str, value: &str) -> Self {
        push_encoded(self.name(name), value);
        self
    }

    fn whole(mut self, name: &str, value: u64) -> Self {
        let mut buffer = itoa::Buffer::new();
        self.name(name).push_str(buffer.format(value));
        self
    }

    /// `count * 10^-dp`, without trailing zeros.
    fn scaled(mut self, name: &str, count: impl itoa::Integer, dp: u8) -> Self {
        push_scaled(self.name(name), count, dp);
        self
    }

    fn maybe_millis(self, name: &str, at: Option<Timestamp>) -> Self {
        match at.and_then(|at| u64::try_from(at.as_millis()).ok()) {
            Some(millis) => self.whole(name, millis),
            None => self,
        }
    }

    fn range(self, range: TimeRange) -> Self {
        self.maybe_millis("startTime", range.from).maybe_millis("endTime", range.to)
    }

    fn symbol(self, markets: &Markets, symbol: SymbolId) -> Result<Self, ErrorKind> {
        Ok(self.text("symbol", market(markets, symbol)?.native()))
    }

    /// Several symbols, separated by commas.
    fn symbols(self, markets: &Markets, symbols: &[SymbolId]) -> Result<Self, ErrorKind> {
        if symbols.is_empty() || symbols.len() > OPEN_ORDERS_OF {
            return Err(ErrorKind::InvalidInput("no symbol, or more than one call lists"));
        }
        let natives = symbols.iter().map(|symbol| Ok(market(markets, *symbol)?.native()));
        let natives: Vec<&str> = natives.collect::<Result<_, ErrorKind>>()?;
        Ok(self.text("symbol", &natives.join(",")))
    }

    fn maybe_symbol(self, markets: &Markets, symbol: Option<SymbolId>) -> Result<Self, ErrorKind> {
        match symbol {
            Some(symbol) => self.symbol(markets, symbol),
            None => Ok(self),
        }
    }

    fn order(self, order: OrderRef) -> Self {
        match order {
            OrderRef::Id(id) => self.text("orderId", id.as_str()),
            OrderRef::Client(id) => self.plain("origClientOrderId", id.as_str()),
        }
    }

    fn public(self) -> Result<(), ErrorKind> {
        Ok(())
    }

    fn signed(self, credentials: Option<&Credentials>, now: Timestamp) -> Result<(), ErrorKind> {
        self.signed_within(credentials, now, RECV_WINDOW_MS)
    }

    /// Adds timestamp, window, signature and the headers of a signed call (MEXC-REST-02, MEXC-SIGN-01).
    ///
    /// The timestamp is rounded down: the exchange forgives one behind by the window, one ahead by a second only.
    fn signed_within(
        self,
        credentials: Option<&Credentials>,
        now: Timestamp,
        window_ms: u64,
    ) -> Result<(), ErrorKind> {
        let credentials =
            credentials.ok_or(ErrorKind::InvalidInput("this call needs an API key and secret"))?;
        let now = u64::try_from(now.as_millis()).map_err(|_| ErrorKind::ClockUnknown)?;
        let Self { out, at } = self.whole("timestamp", now).whole("recvWindow", window_ms);
        let signature = credentials.signer.sign(out.target.get(at..).unwrap_or_default(), &out.body);
        out.target.push_str("&signature=");
        out.target.push_str(signature.as_str());
        out.header("x-mexc-apikey", credentials.key.reveal());
        // Required on writes even though the body is empty (MEXC-REST-04).
        if out.method != Method::Get {
            out.header("content-type", "application/json");
        }
        Ok(())
    }
}

fn push_scaled(out: &mut String, count: impl itoa::Integer, dp: u8) {
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(count);
    let dp = usize::from(dp);
    let (whole, fraction) = match digits.len().checked_sub(dp) {
        Some(0) | None => ("0", digits),
        Some(at) => digits.split_at(at),
    };
    out.push_str(whole);
    let zeros = dp.saturating_sub(digits.len());
    let fraction = fraction.trim_end_matches('0');
    if !fraction.is_empty() {
        out.push('.');
        out.extend(std::iter::repeat_n('0', zeros));
        out.push_str(fraction);
    }
}

#[cfg(test)]
mod tests;
