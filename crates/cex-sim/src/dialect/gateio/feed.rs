//! Public channels: who reads them, what is due, and the frames, each built once and shared by all its readers.

use super::json::{self, Object, Scaled};
use super::shape;
use super::view::SideView;
use super::{Gateio, public};
use crate::dialect::{ConnId, Frame, Outgoing};
use crate::matching::{Exchange, ExchangeEvent, MarketIndex, PublicTrade};
use cex_core::{Price, Qty, Side, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a public channel reports of a market.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// `spot.trades`
    Trades,
    /// `spot.book_ticker`
    BookTicker,
    /// `spot.tickers`
    Ticker,
    /// `spot.order_book_update` with its interval.
    Update(Period),
    /// `spot.obu` with its depth.
    Obu(u16),
    /// `spot.order_book` with its depth and interval.
    Book(u16, Period),
}

/// How often frames of a channel go out at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Period {
    Ms10,
    Ms20,
    Ms100,
    Ms1000,
}

impl Period {
    const ALL: [Self; 4] = [Self::Ms10, Self::Ms20, Self::Ms100, Self::Ms1000];

    pub(super) const fn millis(self) -> i64 {
        match self {
            Self::Ms10 => 10,
            Self::Ms20 => 20,
            Self::Ms100 => 100,
            Self::Ms1000 => 1_000,
        }
    }

    /// The next multiple of the period after `now`.
    const fn next(self, now: Timestamp) -> Timestamp {
        let nanos = self.millis() * 1_000_000;
        Timestamp::from_nanos((now.as_nanos().div_euclid(nanos) + 1) * nanos)
    }
}

impl Kind {
    /// `None` for what goes out at once.
    const fn period(self) -> Option<Period> {
        match self {
            Self::Trades => None,
            Self::BookTicker => Some(Period::Ms10),
            Self::Ticker => Some(Period::Ms1000),
            Self::Update(period) | Self::Book(_, period) => Some(period),
            Self::Obu(depth) => Some(if depth <= 50 { Period::Ms20 } else { Period::Ms100 }),
        }
    }

    const fn channel(self) -> &'static str {
        match self {
            Self::Trades => "spot.trades",
            Self::BookTicker => "spot.book_ticker",
            Self::Ticker => "spot.tickers",
            Self::Update(_) => "spot.order_book_update",
            Self::Obu(_) => "spot.obu",
            Self::Book(..) => "spot.order_book",
        }
    }

    /// Levels a side; zero for channels without levels.
    const fn depth(self) -> usize {
        match self {
            Self::Trades | Self::BookTicker | Self::Ticker => 0,
            Self::Update(Period::Ms10 | Period::Ms20) => 20,
            Self::Update(Period::Ms100 | Period::Ms1000) => 100,
            Self::Obu(depth) | Self::Book(depth, _) => depth as usize,
        }
    }
}

/// A channel of a market with its readers.
#[derive(Debug)]
struct Feed {
    kind: Kind,
    market: MarketIndex,
    readers: Vec<ConnId>,
    /// Readers that get a complete frame first.
    fresh: Vec<ConnId>,
    is_due: bool,
    state: State,
}

/// What a feed remembers of its last frame.
#[derive(Debug)]
enum State {
    /// Nothing.
    None,
    /// The last result, so that an unchanged one is not sent again.
    Last(String),
    /// The levels and version of the last frame.
    View { bids: SideView, asks: SideView, version: u64 },
}

/// All feeds that anyone ever read.
#[derive(Debug)]
pub(super) struct Feeds {
    feeds: Vec<Feed>,
    by_kind: BTreeMap<(Kind, MarketIndex), usize>,
    by_market: Vec<Vec<usize>>,
    /// Per period: feeds that changed, and when they are sent.
    due: [(Vec<usize>, Option<Timestamp>); 4],
    /// When each market's book last changed.
    changed_at: Vec<Option<Timestamp>>,
    changes: (Vec<(Price, Qty)>, Vec<(Price, Qty)>),
    result: String,
}

impl Feeds {
    /// No readers yet.
    pub(super) fn new(markets: usize) -> Self {
        Self {
            feeds: Vec::new(),
            by_kind: BTreeMap::new(),
            by_market: vec![Vec::new(); markets],
            due: Default::default(),
            changed_at: vec![None; markets],
            changes: Default::default(),
            result: String::new(),
        }
    }

    /// When a market's book last changed.
    pub(super) fn changed_at(&self, market: MarketIndex) -> Option<Timestamp> {
        self.changed_at.get(market.0 as usize).copied().flatten()
    }

    /// Whether a connection reads a feed.
    pub(super) fn is_read_by(&self, kind: Kind, market: MarketIndex, conn: ConnId) -> bool {
        self.by_kind.get(&(kind, market)).is_some_and(|index| {
            let feed = &self.feeds[*index];
            feed.readers.contains(&conn) || feed.fresh.contains(&conn)
        })
    }

    /// Adds a reader. Reading twice is reading once.
    pub(super) fn join(
        &mut self,
        now: Timestamp,
        exchange: &Exchange,
        kind: Kind,
        market: MarketIndex,
        conn: ConnId,
    ) {
        if self.is_read_by(kind, market, conn) {
            return;
        }
        let index = self.index(kind, market);
        let feed = &mut self.feeds[index];
        if feed.is_idle() {
            feed.start(exchange);
        }
        match kind {
            Kind::Trades | Kind::Update(_) => feed.readers.push(conn),
            Kind::BookTicker | Kind::Ticker | Kind::Obu(_) | Kind::Book(..) => {
                feed.fresh.push(conn);
                self.mark(now, index);
            }
        }
    }

    /// Takes a reader away, if it is one.
    pub(super) fn leave(&mut self, kind: Kind, market: MarketIndex, conn: ConnId) {
        if let Some(index) = self.by_kind.get(&(kind, market)) {
            self.feeds[*index].forget(conn);
        }
    }

    /// Takes a connection away from everything it read.
    pub(super) fn leave_all(&mut self, conn: ConnId) {
        for feed in &mut self.feeds {
            feed.forget(conn);
        }
    }

    /// When something is due next.
    pub(super) fn next_at(&self) -> Option<Timestamp> {
        self.due.iter().filter_map(|(_, at)| *at).min()
    }

    fn level_changed(
        &mut self,
        now: Timestamp,
        market: MarketIndex,
        side: Side,
        (price, qty): (Price, Qty),
        at: Timestamp,
    ) {
        let market = market.0 as usize;
        self.changed_at[market] = Some(at);
        for position in 0..self.by_market[market].len() {
            let index = self.by_market[market][position];
            let feed = &mut self.feeds[index];
            if feed.is_idle() {
                continue;
            }
            if let State::View { bids, asks, .. } = &mut feed.state {
                match side {
                    Side::Buy => bids.touch(price, qty),
                    Side::Sell => asks.touch(price, qty),
                }
            }
            self.mark(now, index);
        }
    }

    fn index(&mut self, kind: Kind, market: MarketIndex) -> usize {
        *self.by_kind.entry((kind, market)).or_insert_with(|| {
            let (readers, fresh) = (Vec::new(), Vec::new());
            self.feeds.push(Feed { kind, market, readers, fresh, is_due: false, state: State::None });
            let index = self.feeds.len() - 1;
            self.by_market[market.0 as usize].push(index);
            index
        })
    }

    fn mark(&mut self, now: Timestamp, index: usize) {
        let feed = &mut self.feeds[index];
        let Some(period) = feed.kind.period().filter(|_| !feed.is_due) else { return };
        feed.is_due = true;
        let (feeds, at) = &mut self.due[period as usize];
        feeds.push(index);
        at.get_or_insert(period.next(now));
    }
}

impl Feed {
    fn is_idle(&self) -> bool {
        self.readers.is_empty() && self.fresh.is_empty()
    }

    fn forget(&mut self, conn: ConnId) {
        self.readers.retain(|reader| *reader != conn);
        self.fresh.retain(|reader| *reader != conn);
    }

    /// The first reader of an idle feed begins with the book as it is.
    fn start(&mut self, exchange: &Exchange) {
        let depth = self.kind.depth();
        self.state = match self.kind {
            Kind::Trades => State::None,
            Kind::BookTicker | Kind::Ticker | Kind::Book(..) => State::Last(String::new()),
            Kind::Update(_) | Kind::Obu(_) => State::View {
                bids: SideView::new(Side::Buy, depth, exchange.bids(self.market)),
                asks: SideView::new(Side::Sell, depth, exchange.asks(self.market)),
                version: exchange.version(self.market),
            },
        };
    }
}

/// Takes in what happened: trades go out at once, the rest when its time comes.
pub(super) fn events(
    gateio: &mut Gateio,
    now: Timestamp,
    exchange: &Exchange,
    events: &[ExchangeEvent],
    out: &mut Outgoing,
) {
    for event in events {
        match event {
            ExchangeEvent::Level { market, side, price, qty, at, .. } => {
                gateio.feeds.level_changed(now, *market, *side, (*price, *qty), *at);
            }
            ExchangeEvent::Trade { trade, market_trade, market, taker, price, qty, at } => {
                let (trade, market_trade, taker) = (*trade, *market_trade, *taker);
                let trade = PublicTrade { trade, market_trade, taker, price: *price, qty: *qty, at: *at };
                gateio.bars[market.0 as usize].add(&trade);
                send_trade(gateio, now, exchange, *market, &trade, out);
            }
            ExchangeEvent::Order(_) | ExchangeEvent::Fill(_) | ExchangeEvent::Balance(_) => {}
        }
    }
}

fn send_trade(
    gateio: &Gateio,
    now: Timestamp,
    exchange: &Exchange,
    market: MarketIndex,
    trade: &PublicTrade,
    out: &mut Outgoing,
) {
    let Some(index) = gateio.feeds.by_kind.get(&(Kind::Trades, market)) else { return };
    let feed = &gateio.feeds.feeds[*index];
    if feed.is_idle() {
        return;
    }
    let mut result = String::with_capacity(256);
    let (pair, rules) = (gateio.names.of(market), exchange.rules(market));
    json::object(&mut result, |row| shape::stream_trade(row, trade, pair, rules));
    send(&feed.readers, update(now, feed.kind.channel(), &result), out);
}

/// Sends what is due.
pub(super) fn wake(gateio: &mut Gateio, now: Timestamp, exchange: &Exchange, out: &mut Outgoing) {
    for period in Period::ALL {
        let (indices, at) = &mut gateio.feeds.due[period as usize];
        if at.is_none_or(|at| at > now) {
            continue;
        }
        *at = None;
        for index in std::mem::take(indices) {
            gateio.feeds.feeds[index].is_due = false;
            send_due(gateio, now, exchange, index, out);
        }
    }
}

fn send_due(gateio: &mut Gateio, now: Timestamp, exchange: &Exchange, index: usize, out: &mut Outgoing) {
    if gateio.feeds.feeds[index].is_idle() {
        return;
    }
    match gateio.feeds.feeds[index].kind {
        Kind::Trades => {}
        Kind::BookTicker | Kind::Ticker | Kind::Book(..) => send_if_new(gateio, now, exchange, index, out),
        Kind::Update(_) | Kind::Obu(_) => send_changes(gateio, now, exchange, index, out),
    }
}

/// Channels whose every frame is complete: sent when it differs from the last one, and to fresh readers.
fn send_if_new(gateio: &mut Gateio, now: Timestamp, exchange: &Exchange, index: usize, out: &mut Outgoing) {
    let mut result = std::mem::take(&mut gateio.feeds.result);
    result.clear();
    let (kind, market) = (gateio.feeds.feeds[index].kind, gateio.feeds.feeds[index].market);
    let mut compared = 0;
    json::object(&mut result, |row| compared = complete(row, gateio, now, exchange, kind, market));
    let feed = &mut gateio.feeds.feeds[index];
    let State::Last(last) = &mut feed.state else { return };
    let is_new = last.as_str() != &result[compared..];
    if is_new {
        last.clear();
        last.push_str(&result[compared..]);
    }
    let frame = update(now, kind.channel(), &result);
    if is_new {
        send(&feed.readers, Arc::clone(&frame), out);
    }
    send(&feed.fresh, frame, out);
    let fresh = std::mem::take(&mut feed.fresh);
    feed.readers.extend(fresh);
    gateio.feeds.result = result;
}

/// Writes a whole result. Answers from where on it tells something new when it differs from the last one: the leading
/// time and version also move with changes that the channel does not show.
fn complete(
    row: &mut Object<'_>,
    gateio: &Gateio,
    now: Timestamp,
    exchange: &Exchange,
    kind: Kind,
    market: MarketIndex,
) -> usize {
    let rules = exchange.rules(market);
    let (bids, asks) = (|| exchange.bids(market), || exchange.asks(market));
    let head = |row: &mut Object<'_>, version_key| {
        row.plain("t", gateio.feeds.changed_at(market).unwrap_or(now).as_millis());
        row.plain(version_key, exchange.version(market));
        let compared = row.written();
        row.text("s", gateio.names.of(market));
        compared
    };
    match kind {
        Kind::Ticker => {
            let compared = row.written();
            public::ticker(row, gateio, exchange, market, now, false);
            compared
        }
        Kind::BookTicker => {
            let compared = head(row, "u");
            for (price_key, qty_key, level) in [("b", "B", bids().next()), ("a", "A", asks().next())] {
                let (price, qty) = level.unzip();
                public::maybe(row, price_key, price.map(|price| Scaled(price.0, rules.scale.price_dp())));
                public::maybe(row, qty_key, qty.map(|qty| Scaled(qty.0, rules.scale.qty_dp())));
            }
            compared
        }
        Kind::Book(depth, _) => {
            let compared = head(row, "lastUpdateId");
            row.quoted("l", depth);
            row.array("bids", bids().take(depth.into()), |out, level| shape::level(out, level, rules));
            row.array("asks", asks().take(depth.into()), |out, level| shape::level(out, level, rules));
            compared
        }
        Kind::Trades | Kind::Update(_) | Kind::Obu(_) => row.written(),
    }
}

/// The incremental channels: `U` continues where the last frame ended, whatever happened in between.
fn send_changes(gateio: &mut Gateio, now: Timestamp, exchange: &Exchange, index: usize, out: &mut Outgoing) {
    let Gateio { names, feeds, .. } = gateio;
    let Feeds { feeds, changed_at, changes, result, .. } = feeds;
    let feed = &mut feeds[index];
    let (kind, market) = (feed.kind, feed.market);
    let State::View { bids, asks, version } = &mut feed.state else { return };
    bids.advance(exchange.bids(market), &mut changes.0);
    asks.advance(exchange.asks(market), &mut changes.1);
    let rules = exchange.rules(market);
    let changed_at = changed_at[market.0 as usize].unwrap_or(now);
    let head = Head { kind, pair: names.of(market), changed_at };
    let mut build = |first: Option<u64>, last: u64, bids: &[(Price, Qty)], asks: &[(Price, Qty)]| {
        result.clear();
        json::object(result, |row| {
            head.write(row, first, last);
            row.array("b", bids, |out, level| shape::level(out, *level, rules));
            row.array("a", asks, |out, level| shape::level(out, *level, rules));
        });
        update(now, kind.channel(), result)
    };
    if !changes.0.is_empty() || !changes.1.is_empty() {
        let first = *version + 1;
        *version = exchange.version(market);
        if !feed.readers.is_empty() {
            send(&feed.readers, build(Some(first), *version, &changes.0, &changes.1), out);
        }
    }
    if !feed.fresh.is_empty() {
        // The view did not change since `version`, so it may carry that number, and the next frame joins on.
        send(&feed.fresh, build(None, *version, bids.levels(), asks.levels()), out);
        feed.readers.append(&mut feed.fresh);
    }
}

/// The keys before the levels.
struct Head<'a> {
    kind: Kind,
    pair: &'a str,
    changed_at: Timestamp,
}

impl Head<'_> {
    /// `first` is absent on a complete frame.
    fn write(&self, row: &mut Object<'_>, first: Option<u64>, last: u64) {
        row.plain("t", self.changed_at.as_millis());
        if first.is_none() {
            row.plain("full", true);
        }
        if let Kind::Obu(depth) = self.kind {
            row.text("s", &format!("ob.{}.{depth}", self.pair));
        } else {
            row.quoted("l", self.kind.depth());
            row.quoted("e", "depthUpdate");
            row.plain("E", self.changed_at.as_secs());
            row.text("s", self.pair);
        }
        if let Some(first) = first {
            row.plain("U", first);
        }
        row.plain("u", last);
    }
}

/// A frame with a result.
pub(super) fn update(now: Timestamp, channel: &str, result: &str) -> Arc<str> {
    let mut frame = String::with_capacity(result.len() + 96);
    json::object(&mut frame, |row| {
        row.plain("time", now.as_secs());
        row.plain("time_ms", now.as_millis());
        row.quoted("channel", channel);
        row.quoted("event", "update");
        row.plain("result", result);
    });
    frame.into()
}

fn send(readers: &[ConnId], frame: Arc<str>, out: &mut Outgoing) {
    out.extend(readers.iter().map(|reader| (*reader, Frame::Shared(Arc::clone(&frame)))));
}
