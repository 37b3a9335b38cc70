//! Faults of an adapter's codec.

use super::links::{BrokenLink, LinkFault};
use cex_core::{
    ClientOrderId, Decimal, Liquidity, Markets, OrderKind, OrderRequest, OrderStatus, Price, Qty,
    TimeInForce, Timestamp, VenueId,
};
use cex_errors::{ErrorKind, ExchangeError, Outcome};
use cex_interface::{
    BookSnapshot, BucketRule, CallClass, Capabilities, Cost, Feedback, HttpRequest, HttpResponse, Link,
    Placed, Protocol, Reply, Request, Subscription,
};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What is wrong with the codec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CodecFault {
    SwapSide,
    ScaleQty,
    ShiftPrice,
    IocIsGtc,
    FokIsIoc,
    PostOnlyIsLimit,
    CutClientId,
    RoundPrice,
    StaleClock,
    CachedClock,
    NoExpiry,
    LeakSecret,
    AllFills,
    BusyIsRefused,
    GarbageIsPlaced,
    GarbageIsEmpty,
    NoLocked,
    FeePercent,
    NoMinimum,
    LotIsMinimum,
    NewestFirst,
    SwapTaker,
    SnapshotAhead,
    CachedSnapshot,
    TimeUnit,
    NotFoundIsCanceled,
    AlwaysTaker,
    NoFees,
    NoBudget,
    NoFeedback,
    PlacementIsQuery,
    HideUnreadable,
    BatchIsPlaced,
    NoSpan,
}

/// An adapter's codec with a fault in it, or in its links.
pub(super) struct Broken {
    inner: Arc<dyn Protocol>,
    codec: Option<CodecFault>,
    links: Option<LinkFault>,
    /// The first time signed with, in nanoseconds; zero before.
    first: AtomicI64,
    /// The first book told of each symbol.
    books: Mutex<BTreeMap<cex_core::SymbolId, BookSnapshot>>,
}

impl Broken {
    pub(super) fn codec(inner: Arc<dyn Protocol>, fault: CodecFault) -> Self {
        Self { inner, codec: Some(fault), links: None, first: AtomicI64::new(0), books: Mutex::default() }
    }

    pub(super) fn links(inner: Arc<dyn Protocol>, fault: LinkFault) -> Self {
        Self { inner, codec: None, links: Some(fault), first: AtomicI64::new(0), books: Mutex::default() }
    }

    fn is(&self, fault: CodecFault) -> bool {
        self.codec == Some(fault)
    }

    fn clock(&self, now: Timestamp) -> Timestamp {
        match self.codec {
            Some(CodecFault::StaleClock) => now - Duration::from_secs(300),
            Some(CodecFault::CachedClock) => {
                let first =
                    self.first.compare_exchange(0, now.as_nanos(), Ordering::Relaxed, Ordering::Relaxed);
                Timestamp::from_nanos(first.err().unwrap_or(now.as_nanos()))
            }
            _ => now,
        }
    }

    fn request(&self, markets: &Markets, request: &Request) -> Request {
        let mut request = request.clone();
        match &mut request {
            Request::Place(order) => self.order(markets, order),
            Request::MyTrades { order, .. } if self.is(CodecFault::AllFills) => *order = None,
            Request::OrderHistory { range, .. } if self.is(CodecFault::NoSpan) => *range = Default::default(),
            _ => {}
        }
        request
    }

    fn order(&self, markets: &Markets, order: &mut OrderRequest) {
        let Some(fault) = self.codec else { return };
        let tick = markets.get(order.symbol).map_or(Price(1), |market| market.tick);
        match (fault, &mut order.kind) {
            (CodecFault::SwapSide, _) => order.side = order.side.opposite(),
            (CodecFault::ScaleQty, OrderKind::Limit { qty, .. } | OrderKind::PostOnly { qty, .. }) => {
                *qty = Qty(qty.0 * 10);
            }
            (CodecFault::ShiftPrice, OrderKind::Limit { price, .. } | OrderKind::PostOnly { price, .. }) => {
                *price = Price(price.0 + tick.0);
            }
            (CodecFault::RoundPrice, OrderKind::Limit { price, .. } | OrderKind::PostOnly { price, .. }) => {
                *price = price.floor_to(tick);
            }
            (CodecFault::IocIsGtc, OrderKind::Limit { tif, .. }) => *tif = TimeInForce::Gtc,
            (CodecFault::FokIsIoc, OrderKind::Limit { tif, .. }) if *tif == TimeInForce::Fok => {
                *tif = TimeInForce::Ioc;
            }
            (CodecFault::PostOnlyIsLimit, OrderKind::PostOnly { price, qty }) => {
                order.kind = OrderKind::Limit { price: *price, qty: *qty, tif: TimeInForce::Gtc };
            }
            (CodecFault::CutClientId, _) => {
                let cut: String = order.client_id.as_str().chars().take(16).collect();
                order.client_id = ClientOrderId::new(&cut).unwrap_or(order.client_id);
            }
            (CodecFault::NoExpiry, _) => order.expires_in = Duration::from_secs(60),
            _ => {}
        }
    }

    fn reply(
        &self,
        request: &Request,
        response: &HttpResponse<'_>,
        result: Result<Reply, ExchangeError>,
    ) -> Result<Reply, ExchangeError> {
        let Some(fault) = self.codec else { return result };
        match (fault, request, result) {
            (CodecFault::BusyIsRefused, _, Err(mut error)) if response.status >= 500 => {
                error.kind = ErrorKind::Maintenance;
                Err(error)
            }
            (CodecFault::GarbageIsPlaced, Request::Place(order), Err(error))
                if error.outcome() == Outcome::Unknown =>
            {
                Ok(Reply::Placed(Placed {
                    client_id: order.client_id,
                    order_id: Default::default(),
                    order: None,
                }))
            }
            (CodecFault::GarbageIsEmpty, Request::Account, Err(error))
                if error.outcome() == Outcome::Unknown =>
            {
                Ok(Reply::Account(Default::default()))
            }
            (CodecFault::NotFoundIsCanceled, Request::Order { symbol, .. }, Err(error))
                if error.kind == ErrorKind::OrderNotFound =>
            {
                Ok(Reply::Order(canceled(error.venue, *symbol)))
            }
            (CodecFault::CachedSnapshot, Request::Book { symbol, .. }, Ok(Reply::Book(book))) => {
                let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
                Ok(Reply::Book(books.entry(*symbol).or_insert(book).clone()))
            }
            (CodecFault::HideUnreadable, _, Ok(Reply::Incomplete(incomplete))) => Ok(incomplete.read),
            (CodecFault::BatchIsPlaced, Request::PlaceBatch(orders), Ok(Reply::PlacedBatch(_))) => {
                let placed = |order: &OrderRequest| {
                    Ok(Placed { client_id: order.client_id, order_id: Default::default(), order: None })
                };
                Ok(Reply::PlacedBatch(orders.iter().map(placed).collect()))
            }
            (fault, _, Ok(reply)) => Ok(changed(fault, reply)),
            (_, _, result) => result,
        }
    }
}

fn canceled(venue: VenueId, symbol: cex_core::SymbolId) -> cex_core::Order {
    cex_core::Order {
        venue,
        symbol,
        order_id: None,
        client_id: None,
        side: cex_core::Side::Buy,
        order_type: None,
        status: OrderStatus::Canceled,
        price: None,
        qty: None,
        filled_qty: Decimal::ZERO,
        filled_notional: Decimal::ZERO,
        fee: None,
        created_at: Timestamp::EPOCH,
        as_of: Timestamp::EPOCH,
    }
}

fn changed(fault: CodecFault, mut reply: Reply) -> Reply {
    match (fault, &mut reply) {
        (CodecFault::NoLocked, Reply::Account(account)) => {
            account.balances.iter_mut().for_each(|balance| balance.locked = Decimal::ZERO);
        }
        (CodecFault::FeePercent, Reply::Symbols(symbols)) => {
            for info in symbols {
                info.taker_fee = cex_core::Bps::from_e8(info.taker_fee.e8() * 100);
            }
        }
        (CodecFault::NoMinimum, Reply::Symbols(symbols)) => {
            symbols.iter_mut().for_each(|info| info.min_notional = Decimal::ZERO);
        }
        (CodecFault::LotIsMinimum, Reply::Symbols(symbols)) => {
            for info in symbols {
                if info.min_qty.is_positive() {
                    info.lot = info.min_qty;
                    info.min_qty = Decimal::ZERO;
                }
            }
        }
        (CodecFault::NewestFirst, Reply::Trades(trades)) => trades.reverse(),
        (CodecFault::SwapTaker, Reply::Trades(trades)) => {
            trades.iter_mut().for_each(|trade| trade.taker_side = trade.taker_side.opposite());
        }
        (CodecFault::SnapshotAhead, Reply::Book(book)) => book.seq += 3,
        (CodecFault::TimeUnit, Reply::ServerTime(time)) => {
            *time = Timestamp::from_nanos(time.as_nanos() / 1_000);
        }
        (CodecFault::AlwaysTaker, Reply::Fills(fills)) => {
            fills.iter_mut().for_each(|fill| fill.liquidity = Liquidity::Taker);
        }
        (CodecFault::NoFees, Reply::Fills(fills)) => {
            fills.iter_mut().for_each(|fill| fill.fee = Decimal::ZERO);
        }
        _ => {}
    }
    reply
}

impl Protocol for Broken {
    fn venue(&self) -> VenueId {
        self.inner.venue()
    }

    fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }

    fn rest_base(&self) -> &str {
        self.inner.rest_base()
    }

    fn limits(&self) -> &[BucketRule] {
        if self.is(CodecFault::NoBudget) { &[] } else { self.inner.limits() }
    }

    fn cost(&self, request: &Request) -> Cost {
        let mut cost = self.inner.cost(request);
        match (self.codec, request) {
            (Some(CodecFault::NoBudget), _) => cost.charges = [None; 3],
            (Some(CodecFault::PlacementIsQuery), Request::Place(_)) => cost.class = CallClass::Query,
            _ => {}
        }
        cost
    }

    fn encode(
        &self,
        venue_now: Timestamp,
        markets: &Markets,
        request: &Request,
        out: &mut HttpRequest,
    ) -> Result<(), ExchangeError> {
        self.inner.encode(self.clock(venue_now), markets, &self.request(markets, request), out)?;
        if self.is(CodecFault::LeakSecret) {
            // The canary of the behaviour that looks for secrets: a wrapper does not know the real one.
            out.header("x-debug", "canary5ecret7f3a");
        }
        Ok(())
    }

    fn decode(
        &self,
        markets: &Markets,
        request: &Request,
        response: &HttpResponse<'_>,
    ) -> Result<Reply, ExchangeError> {
        self.reply(request, response, self.inner.decode(markets, request, response))
    }

    fn feedback(&self, request: &Request, response: &HttpResponse<'_>, now: Timestamp) -> Vec<Feedback> {
        if self.is(CodecFault::NoFeedback) { Vec::new() } else { self.inner.feedback(request, response, now) }
    }

    fn market_links(
        &self,
        markets: &Arc<Markets>,
        wanted: &[Subscription],
    ) -> Result<Vec<Box<dyn Link>>, ExchangeError> {
        let links = self.inner.market_links(markets, wanted)?;
        Ok(links.into_iter().map(|link| self.broken(link)).collect())
    }

    fn account_link(&self, markets: &Arc<Markets>) -> Result<Box<dyn Link>, ExchangeError> {
        Ok(self.broken(self.inner.account_link(markets)?))
    }

    fn order_link(&self, markets: &Arc<Markets>) -> Result<Box<dyn Link>, ExchangeError> {
        Ok(self.broken(self.inner.order_link(markets)?))
    }
}

impl Broken {
    fn broken(&self, link: Box<dyn Link>) -> Box<dyn Link> {
        match self.links {
            Some(fault) => Box::new(BrokenLink::new(link, fault)),
            None => link,
        }
    }
}
