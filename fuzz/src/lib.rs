//! What the fuzz targets share: registered markets, links that stand, requests of every kind.
#![forbid(unsafe_code)]

use cex_core::{
    Bps, ClientOrderId, Decimal, KlineInterval, Level, LinkEvent, Market, MarketEvent, Markets, OrderId,
    OrderKind, OrderRequest, Price, Qty, Scale, Side, Symbol, SymbolId, SymbolInfo, Text, TimeInForce,
    Timestamp, TradingStatus, VenueId,
};
use cex_interface::{
    Effect, HttpResponse, Input, Link, LinkCall, OrderRef, Outbox, Protocol, Request, Secret, Subscription,
    TimeRange, VenueConfig,
};
use std::sync::Arc;
use std::time::Duration;

/// The time of the golden vectors.
#[must_use]
pub fn now() -> Timestamp {
    Timestamp::from_secs(1_700_000_000)
}

/// A venue with keys.
#[must_use]
pub fn config(name: &str) -> VenueConfig {
    let mut config = VenueConfig::public(VenueId::new(0, name).expect("short"));
    config.key = Secret::new("k-0123456789abcdef".to_owned());
    config.secret = Secret::new("s-fedcba9876543210".to_owned());
    config
}

/// Markets of the golden vectors, spelt with this between base and quote.
#[must_use]
pub fn markets(name: &str, between: &str) -> Arc<Markets> {
    let rules = [("BTC", 2, 8), ("ETH", 2, 5), ("MX", 4, 2), ("XYZ", 9, 3), ("WELL", 6, 0)];
    let market = |(index, (base, price_dp, qty_dp)): (usize, (&str, u8, u8))| {
        let info = SymbolInfo {
            symbol: Symbol::new(base, "USDT").expect("short"),
            native: Text::new(&format!("{base}{between}USDT")).expect("short"),
            status: TradingStatus::Trading,
            api_tradable: true,
            risk_flagged: false,
            tick: Decimal::new(1, price_dp),
            lot: Decimal::new(1, qty_dp),
            price_dp,
            lot_dp: qty_dp,
            min_qty: Decimal::ZERO,
            min_notional: Decimal::from(1),
            max_qty: None,
            max_notional: None,
            price_band: None,
            maker_fee: Bps::from_bps(20),
            taker_fee: Bps::from_bps(20),
            opens_at: None,
            delists_at: None,
        };
        let venue = VenueId::new(0, name).expect("short");
        let id = SymbolId(u32::try_from(index).expect("few"));
        Market::new(venue, id, info, Scale::new(price_dp, qty_dp).expect("fits")).expect("rules fit")
    };
    Arc::new(Markets::new(rules.into_iter().enumerate().map(market).collect()))
}

/// Links that stand, of every public stream of every market.
#[must_use]
pub fn market_links(protocol: &dyn Protocol, markets: &Arc<Markets>) -> Vec<Box<dyn Link>> {
    let streams = protocol.capabilities().public_streams;
    let wish = |market: &Market| {
        let symbol = market.id;
        streams.iter().map(move |stream| Subscription { symbol, stream: *stream }).collect::<Vec<_>>()
    };
    let wanted: Vec<_> = markets.iter().flat_map(wish).collect();
    let mut links = protocol.market_links(markets, &wanted).expect("few");
    links.iter_mut().for_each(|link| stand(link.as_mut()));
    links
}

/// Tells a link that it is connected.
pub fn stand(link: &mut dyn Link) {
    let mut out = Outbox::default();
    for input in [Input::Start, Input::Connected] {
        link.handle(now(), input, &mut out).expect("it begins");
    }
}

/// Links that stand, and how they came to.
pub struct Desk {
    links: Vec<Box<dyn Link>>,
    make: fn() -> Vec<Box<dyn Link>>,
    /// Whether data comes as text; else a text is a control message, of which nothing depends.
    data_is_text: bool,
    out: Outbox,
}

impl Desk {
    /// A desk of these links.
    #[must_use]
    pub fn new(data_is_text: bool, make: fn() -> Vec<Box<dyn Link>>) -> Self {
        Self { links: make(), make, data_is_text, out: Outbox::default() }
    }

    /// Feeds a frame, whose first byte says under which opcode it comes; what comes out must be sound. Links that want
    /// another connection make place for new ones.
    pub fn feed(&mut self, data: &[u8]) {
        let Some((kind, frame)) = data.split_first() else { return };
        let is_text = kind % 2 == 0;
        let mut leaves = false;
        for link in &mut self.links {
            let out = &mut self.out;
            out.clear();
            let input = if is_text { Input::Text(frame) } else { Input::Binary(frame) };
            let result = link.handle(now(), input, out);
            if result.is_err() && (self.data_is_text || !is_text) {
                let told = |event: &LinkEvent| matches!(event, LinkEvent::Undecodable { .. });
                assert!(out.link.iter().any(told), "an error without news of what is stale by it");
            }
            out.market.iter().for_each(|event| sound(event, &out.levels));
            leaves |= out.effects.iter().any(|effect| matches!(effect, Effect::Reconnect(_)));
        }
        if leaves {
            self.links = (self.make)();
        }
    }
}

fn sound(event: &MarketEvent, levels: &[Level]) {
    let (MarketEvent::Book(update) | MarketEvent::TopLevels(update)) = event else { return };
    assert!(update.first_seq <= update.last_seq);
    // A price of nought is the book's business: it makes an ask side cross, and a crossed book is not used.
    for range in [update.bids, update.asks] {
        assert!(range.of(levels).iter().all(|level| level.price.0 >= 0 && level.qty.0 >= 0), "{event:?}");
    }
}

/// An order that rests.
#[must_use]
pub fn order(name: &str, client_id: &str) -> OrderRequest {
    OrderRequest {
        venue: VenueId::new(0, name).expect("short"),
        symbol: SymbolId(0),
        client_id: ClientOrderId::new(client_id).expect("plain"),
        side: Side::Buy,
        kind: OrderKind::Limit { price: Price(3_000_050), qty: Qty(100_000), tif: TimeInForce::Gtc },
        expires_in: Duration::from_secs(2),
    }
}

/// A request of every kind.
#[must_use]
pub fn requests(name: &str) -> Vec<Request> {
    let symbol = SymbolId(0);
    let range = TimeRange::default();
    let (one, two) = (order(name, "ws-1"), order(name, "b2"));
    let by_client = OrderRef::Client(one.client_id);
    let by_id = OrderRef::Id(OrderId::new("1852454420").expect("short"));
    vec![
        Request::Ping,
        Request::ServerTime,
        Request::Symbols,
        Request::Assets,
        Request::Book { symbol, depth: 20 },
        Request::Trades { symbol, limit: 10, range },
        Request::Klines { symbol, interval: KlineInterval::Min1, range, limit: 10 },
        Request::Tickers { symbol: Some(symbol) },
        Request::BookTickers { symbol: None },
        Request::Account,
        Request::Fees { symbol: Some(symbol) },
        Request::Fees { symbol: None },
        Request::Place(one),
        Request::PlaceBatch(vec![one, two]),
        Request::TestOrder(one),
        Request::Cancel { symbol, order: by_client },
        Request::CancelBatch(vec![(symbol, by_client), (symbol, by_id)]),
        Request::CancelAll { symbol },
        Request::Amend { symbol, order: by_id, price: Some(Price(1_00)), qty: None },
        Request::Order { symbol, order: by_client },
        Request::Order { symbol, order: by_id },
        Request::OpenOrders { symbol: Some(symbol) },
        Request::OpenOrders { symbol: None },
        Request::OrderHistory { symbol, range, limit: 10 },
        Request::MyTrades { symbol, order: None, range, limit: 10 },
        Request::CreateListenKey,
        Request::KeepListenKey("k".to_owned()),
        Request::DeadManSwitch { timeout: Duration::from_secs(10) },
    ]
}

const STATUSES: [u16; 8] = [200, 201, 400, 401, 404, 429, 500, 502];

/// Decodes a body as the answer to one of these requests: its first two bytes say which, and under which status.
pub fn decode(protocol: &dyn Protocol, markets: &Markets, requests: &[Request], data: &[u8]) {
    let [which, status, body @ ..] = data else { return };
    let request = &requests[usize::from(*which) % requests.len()];
    let status = STATUSES[usize::from(*status) % STATUSES.len()];
    let response = HttpResponse { status, headers: &[("retry-after", b"2")], body };
    let reply = protocol.decode(markets, request, &response);
    if status >= 400 {
        assert!(reply.is_err(), "{request:?}: {status} is no success: {reply:?}");
    }
    let _ = protocol.feedback(request, &response, now());
}

/// Gives a link calls to carry: those it takes wait under the numbers that follow.
pub fn call(link: &mut dyn Link, requests: &[Request]) -> usize {
    let mut out = Outbox::default();
    let give_up_at = now() + Duration::from_secs(10);
    let calls = (0..).zip(requests).filter(|(tag, request)| {
        link.call(now(), LinkCall { tag: *tag, request, venue_now: now(), give_up_at }, &mut out).is_ok()
    });
    calls.count()
}
