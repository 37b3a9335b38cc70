//! A made-up exchange: the simplest protocol and link that show what transport does with any.

use cex_core::{
    Asset, Balance, Bps, ClientOrderId, Continuity, Decimal, KlineInterval, LinkEvent, MarketEvent, Markets,
    OrderId, OrderKind, OrderRequest, Price, Qty, Side, SnapshotSource, StreamKind, Symbol, SymbolId,
    SymbolInfo, SyncRule, Text, TimeInForce, Timestamp, Trade, TradingStatus, VenueId,
};
use cex_errors::{ErrorKind, ExchangeError, Op};
use cex_interface::{
    BookStream, Bucket, BucketRule, CallClass, Capabilities, Charge, Cost, Effect, Feedback, HttpRequest,
    HttpResponse, Input, Link, Method, Outbox, Placed, Protocol, Reply, Request, Subscription, WrittenOrder,
};
use cex_transport::{Clock, Connector, ExtraRoots, Rest, RestConfig};
use std::sync::Arc;
use std::time::Duration;

pub(crate) const BUDGET: Bucket = Bucket("all");

pub(crate) fn venue() -> VenueId {
    VenueId::new(3, "made-up").expect("short")
}

/// The made-up exchange's codec.
pub(crate) struct MadeUp {
    pub(crate) rest_url: String,
    pub(crate) ws_url: String,
    pub(crate) limits: Vec<BucketRule>,
    /// What its orders' bytes are said to be, when it can tell.
    pub(crate) written: Option<WrittenOrder<'static>>,
    capabilities: Capabilities,
}

impl MadeUp {
    pub(crate) fn new(rest_url: &str) -> Self {
        Self::with_limit(rest_url, 1_000, Duration::from_secs(10))
    }

    pub(crate) fn with_limit(rest_url: &str, capacity: u32, window: Duration) -> Self {
        let rule = BucketRule { bucket: BUDGET, capacity, window, per_symbol: false, reserve_pct: 30 };
        Self {
            rest_url: rest_url.to_owned(),
            ws_url: String::new(),
            limits: vec![rule],
            written: None,
            capabilities: capabilities(),
        }
    }

    pub(crate) fn streaming(mut self, ws_url: &str) -> Self {
        self.ws_url = ws_url.to_owned();
        self
    }

    fn error(request: &Request, kind: ErrorKind) -> ExchangeError {
        ExchangeError::new(venue(), request.op(), kind)
    }
}

const PAGE: cex_interface::PageRule = cex_interface::PageRule {
    rows: 10,
    rows_perhaps: 10,
    span: Duration::from_secs(60),
    grain: Duration::from_millis(1),
    kept: None,
};

fn capabilities() -> Capabilities {
    const BOOKS: &[BookStream] = &[BookStream {
        name: "made-up",
        interval: Duration::from_millis(100),
        sync: SyncRule {
            snapshot: SnapshotSource::Stream { depth: 100 },
            continuity: Continuity::Strict,
            depth: None,
        },
    }];
    Capabilities {
        books: BOOKS,
        public_streams: &[StreamKind::Trades],
        subscriptions_per_connection: 2,
        connections: 8,
        messages_per_second: None,
        connection_lifetime: None,
        announces_end: false,
        open_orders_of: Some(2),
        place_batch: None,
        cancel_batch: None,
        orders_page: PAGE,
        fills_page: PAGE,
        amend: false,
        order_entry: false,
        test_order: true,
        dead_man_switch: false,
        order_history: false,
        assets: false,
        market_orders: false,
        placement_tells_state: false,
        cancel_tells_state: false,
        client_id_len: 28,
    }
}

impl Protocol for MadeUp {
    fn venue(&self) -> VenueId {
        venue()
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn rest_base(&self) -> &str {
        &self.rest_url
    }

    fn limits(&self) -> &[BucketRule] {
        &self.limits
    }

    fn cost(&self, request: &Request) -> Cost {
        let class = match request.op() {
            Op::PlaceOrder | Op::AmendOrder | Op::TestOrder => CallClass::Placement,
            Op::CancelOrder | Op::CancelAll => CallClass::Cancel,
            Op::Account | Op::OpenOrders | Op::QueryOrder | Op::ListenKey => CallClass::Query,
            _public => CallClass::MarketData,
        };
        Cost { class, charges: [Some(Charge { bucket: BUDGET, symbol: None, weight: 1 }), None, None] }
    }

    fn encode(
        &self,
        venue_now: Timestamp,
        _markets: &Markets,
        request: &Request,
        out: &mut HttpRequest,
    ) -> Result<(), ExchangeError> {
        let (method, path) = match request {
            Request::Ping => (Method::Get, "/ping"),
            Request::ServerTime => (Method::Get, "/time"),
            Request::Symbols => (Method::Get, "/symbols"),
            Request::Klines { range, .. } => {
                let ms = |at: Option<Timestamp>| at.map_or(0, Timestamp::as_millis);
                out.target = format!("/klines?from={}&to={}", ms(range.from), ms(range.to));
                return Ok(());
            }
            Request::Account => (Method::Get, "/account"),
            Request::Place(_) | Request::TestOrder(_) => (Method::Post, "/order"),
            Request::Cancel { .. } => (Method::Delete, "/order"),
            Request::OpenOrders { symbol: None } => (Method::Get, "/orders"),
            Request::OpenOrders { symbol: Some(_) } => (Method::Get, "/orders/one"),
            Request::OpenOrdersOf(_) => (Method::Get, "/orders/some"),
            Request::CreateListenKey => (Method::Post, "/key"),
            _other => return Err(Self::error(request, ErrorKind::Unsupported)),
        };
        (out.method, out.target) = (method, path.to_owned());
        out.header("x-time", &venue_now.as_millis().to_string());
        match request {
            Request::Place(order) => out.body = order.client_id.as_str().as_bytes().to_vec(),
            Request::OpenOrders { symbol: Some(symbol) } => out.header("x-symbols", &symbol.0.to_string()),
            Request::OpenOrdersOf(symbols) => {
                let named: Vec<_> = symbols.iter().map(|symbol| symbol.0.to_string()).collect();
                out.header("x-symbols", &named.join(","));
            }
            _other => {}
        }
        Ok(())
    }

    fn read_back<'a>(&self, _: &'a [u8]) -> Option<Result<WrittenOrder<'a>, &'static str>> {
        self.written.clone().map(Ok)
    }

    fn decode(
        &self,
        _markets: &Markets,
        request: &Request,
        response: &HttpResponse<'_>,
    ) -> Result<Reply, ExchangeError> {
        let fail = |kind| Err(Self::error(request, kind));
        let body = std::str::from_utf8(response.body).unwrap_or("<");
        match (response.status, body) {
            (429, _) => return fail(ErrorKind::RateLimited { retry_after: retry_after(response) }),
            (500.., _) => return fail(ErrorKind::ServerBusy),
            (_, "skew") => return fail(ErrorKind::ClockSkew),
            (_, "empty") => return fail(ErrorKind::InsufficientBalance),
            (_, "malformed") => return fail(ErrorKind::InvalidRequest),
            (_, "no symbol") => return fail(ErrorKind::InvalidSymbol),
            (_, "a new word") => return fail(ErrorKind::Unmapped),
            (_, html) if html.starts_with('<') => return fail(ErrorKind::Undecodable("html")),
            _good => {}
        }
        Ok(match request {
            Request::ServerTime => {
                Reply::ServerTime(Timestamp::from_millis(body.parse().unwrap_or_default()))
            }
            Request::Symbols => Reply::Symbols(body.split(',').map(info).collect()),
            Request::Klines { symbol, interval, .. } => {
                Reply::Klines(body.split_whitespace().map(|ms| kline(*symbol, *interval, ms)).collect())
            }
            Request::Account => Reply::Account(cex_core::Account {
                balances: vec![Balance {
                    asset: Asset::new("USDT").expect("short"),
                    free: body.parse().unwrap_or(Decimal::ZERO),
                    locked: Decimal::ZERO,
                    as_of: Timestamp::EPOCH,
                }],
                ..Default::default()
            }),
            Request::Place(order) => Reply::Placed(Placed {
                client_id: order.client_id,
                order_id: OrderId::new(body).expect("short"),
                order: None,
            }),
            Request::Cancel { .. } => Reply::Canceled { order_id: None, order: None },
            Request::OpenOrders { .. } | Request::OpenOrdersOf(_) => Reply::Orders(Vec::new()),
            Request::CreateListenKey => Reply::ListenKey(body.to_owned()),
            _other => Reply::Done,
        })
    }

    fn feedback(&self, _request: &Request, response: &HttpResponse<'_>, _now: Timestamp) -> Vec<Feedback> {
        let blocked = (response.status == 429).then(|| Feedback::Blocked {
            bucket: None,
            wait: retry_after(response).unwrap_or(Duration::from_secs(1)),
        });
        let remaining = response.header("x-remaining").and_then(|left| left.parse().ok());
        let remaining = remaining.map(|weight| Feedback::Remaining { bucket: BUDGET, symbol: None, weight });
        blocked.into_iter().chain(remaining).collect()
    }

    fn market_links(
        &self,
        _markets: &Arc<Markets>,
        wanted: &[Subscription],
    ) -> Result<Vec<Box<dyn Link>>, ExchangeError> {
        let most = self.capabilities.subscriptions_per_connection;
        let link =
            |part: &[Subscription]| Box::new(TradeLink { url: self.ws_url.clone(), wanted: part.to_vec() });
        Ok(wanted.chunks(most).map(|part| link(part) as Box<dyn Link>).collect())
    }

    fn account_link(&self, _markets: &Arc<Markets>) -> Result<Box<dyn Link>, ExchangeError> {
        Ok(Box::new(KeyLink { url: self.ws_url.clone() }))
    }

    /// One that carries no calls: enough for what happens before a call reaches it.
    fn order_link(&self, markets: &Arc<Markets>) -> Result<Box<dyn Link>, ExchangeError> {
        self.account_link(markets)
    }
}

fn retry_after(response: &HttpResponse<'_>) -> Option<Duration> {
    response.header("retry-after")?.parse().ok().map(Duration::from_secs)
}

pub(crate) fn info(name: &str) -> SymbolInfo {
    let symbol: Symbol = name.parse().expect("a symbol");
    SymbolInfo {
        symbol,
        native: Text::new(name).expect("short"),
        status: TradingStatus::Trading,
        api_tradable: true,
        risk_flagged: false,
        tick: Decimal::new(1, 2),
        lot: Decimal::new(1, 4),
        price_dp: 2,
        lot_dp: 4,
        min_qty: Decimal::ZERO,
        min_notional: Decimal::from(1),
        max_qty: None,
        max_notional: None,
        price_band: None,
        maker_fee: Bps::ZERO,
        taker_fee: Bps::ZERO,
        opens_at: None,
        delists_at: None,
    }
}

fn kline(symbol: SymbolId, interval: KlineInterval, ms: &str) -> cex_core::Kline {
    let one = Decimal::from(1);
    cex_core::Kline {
        symbol,
        interval,
        open_time: Timestamp::from_millis(ms.parse().expect("a time")),
        open: one,
        high: one,
        low: one,
        close: one,
        volume: one,
        quote_volume: one,
        closed: None,
    }
}

/// Trades of a few symbols: subscribes by text, and each binary message `[symbol, price]` is a trade.
struct TradeLink {
    url: String,
    wanted: Vec<Subscription>,
}

impl Link for TradeLink {
    fn handle(&mut self, _now: Timestamp, input: Input<'_>, out: &mut Outbox) -> Result<(), ExchangeError> {
        match input {
            Input::Start => out.effects.push(Effect::Connect(self.url.clone())),
            Input::Connected => {
                out.link.push(LinkEvent::Up);
                for wish in &self.wanted {
                    out.send_text(format!("subscribe {}", wish.symbol.0));
                }
            }
            Input::Binary([symbol, price]) => out.market.push(MarketEvent::Trade(Trade {
                symbol: SymbolId(u32::from(*symbol)),
                trade_id: None,
                taker_side: Side::Buy,
                price: Price(i64::from(*price)),
                qty: Qty(1),
                exchange_ts: Timestamp::EPOCH,
            })),
            Input::Disconnected => out.link.push(LinkEvent::Down),
            Input::Resubscribe(symbol) => out.send_text(format!("subscribe {}", symbol.0)),
            Input::Text(_) | Input::Binary(_) => {
                out.link.push(LinkEvent::Undecodable { symbol: None });
                return Err(ExchangeError::new(venue(), Op::Stream, ErrorKind::Undecodable("not a trade")));
            }
            Input::Pong | Input::Wake | Input::Reply { .. } | Input::Stop => {}
        }
        Ok(())
    }

    fn wakeup_at(&self) -> Option<Timestamp> {
        None
    }

    fn name(&self) -> &str {
        "made-up trades"
    }

    fn subscriptions(&self) -> &[Subscription] {
        &self.wanted
    }
}

/// The private stream: asks for a key, then connects with it.
struct KeyLink {
    url: String,
}

impl Link for KeyLink {
    fn handle(&mut self, _now: Timestamp, input: Input<'_>, out: &mut Outbox) -> Result<(), ExchangeError> {
        match input {
            Input::Start => out.effects.push(Effect::Request { tag: 1, request: Request::CreateListenKey }),
            Input::Reply { result: Ok(Reply::ListenKey(key)), .. } => {
                out.effects.push(Effect::Connect(format!("{}?key={key}", self.url)));
            }
            Input::Reply { .. } => {
                out.effects.push(Effect::Reconnect(cex_interface::CloseReason::Refused));
            }
            Input::Connected => out.link.push(LinkEvent::AccountReady),
            Input::Disconnected => out.link.push(LinkEvent::Down),
            Input::Text(_)
            | Input::Binary(_)
            | Input::Pong
            | Input::Wake
            | Input::Resubscribe(_)
            | Input::Stop => {}
        }
        Ok(())
    }

    fn wakeup_at(&self) -> Option<Timestamp> {
        None
    }

    fn name(&self) -> &str {
        "made-up account"
    }
}

pub(crate) fn order(id: &str) -> OrderRequest {
    OrderRequest {
        venue: venue(),
        symbol: SymbolId(0),
        client_id: ClientOrderId::new(id).expect("plain"),
        side: Side::Buy,
        kind: OrderKind::Limit { price: Price(1), qty: Qty(1), tif: TimeInForce::Ioc },
        expires_in: Duration::from_secs(2),
    }
}

/// Short times, so that a test of a timeout takes moments; long ones where none is expected.
pub(crate) fn config() -> RestConfig {
    RestConfig { clock_samples: 2, ..RestConfig::default() }
}

pub(crate) fn rest_of(protocol: MadeUp, config: RestConfig) -> Arc<Rest> {
    let connector = Connector::new(&ExtraRoots::default(), Duration::from_secs(5)).expect("public roots");
    Rest::new(Arc::new(protocol), connector, Clock::new(), config, 7).expect("loopback")
}

/// A request interface that knows the exchange's clock.
pub(crate) async fn synced(protocol: MadeUp, config: RestConfig) -> Arc<Rest> {
    let rest = rest_of(protocol, config);
    rest.sync_clock().await.expect("the server tells the time");
    rest
}

/// The wall clock in milliseconds, as a server tells it.
pub(crate) fn wall_ms() -> String {
    Clock::new().now().as_millis().to_string()
}
