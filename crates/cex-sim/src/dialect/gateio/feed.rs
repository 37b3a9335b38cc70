//! Public channels: who reads them and what is due.

use super::candles::Window;
use super::view::SideView;
use super::{Gateio, frames};
use crate::dialect::{ConnId, Outgoing};
use crate::matching::{Exchange, ExchangeEvent, MarketIndex, PublicTrade};
use cex_core::{Price, Qty, Side, Timestamp};
use std::collections::BTreeMap;

/// What a public channel reports of a market.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// `spot.trades`, or its deprecated twin `spot.trades_v2`.
    Trades {
        /// Whether it is the twin.
        is_twin: bool,
    },
    /// `spot.book_ticker`
    BookTicker,
    /// `spot.tickers`
    Ticker,
    /// `spot.candlesticks` with its interval.
    Candles(Window),
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
            Self::Trades { .. } => None,
            Self::BookTicker => Some(Period::Ms10),
            Self::Ticker | Self::Candles(_) => Some(Period::Ms1000),
            Self::Update(period) | Self::Book(_, period) => Some(period),
            Self::Obu(depth) => Some(if depth <= 50 { Period::Ms20 } else { Period::Ms100 }),
        }
    }

    /// The channel's name.
    pub(super) const fn channel(self) -> &'static str {
        match self {
            Self::Trades { is_twin: false } => "spot.trades",
            Self::Trades { is_twin: true } => "spot.trades_v2",
            Self::BookTicker => "spot.book_ticker",
            Self::Ticker => "spot.tickers",
            Self::Candles(_) => "spot.candlesticks",
            Self::Update(_) => "spot.order_book_update",
            Self::Obu(_) => "spot.obu",
            Self::Book(..) => "spot.order_book",
        }
    }

    /// Levels a side; zero for channels without levels.
    pub(super) const fn depth(self) -> usize {
        match self {
            Self::Trades { .. } | Self::BookTicker | Self::Ticker | Self::Candles(_) => 0,
            Self::Update(Period::Ms10 | Period::Ms20) => 20,
            Self::Update(Period::Ms100 | Period::Ms1000) => 100,
            Self::Obu(depth) | Self::Book(depth, _) => depth as usize,
        }
    }
}

/// A channel of a market with its readers.
#[derive(Debug)]
pub(super) struct Feed {
    /// Kind of the channel.
    pub(super) kind: Kind,
    /// Market the channel belongs to.
    pub(super) market: MarketIndex,
    /// Connections that read it.
    pub(super) readers: Vec<ConnId>,
    /// Connections that read it and get a complete frame first.
    pub(super) fresh: Vec<ConnId>,
    /// What is remembered of the last frame.
    pub(super) state: State,
    is_due: bool,
}

/// What a feed remembers of its last frame.
#[derive(Debug)]
pub(super) enum State {
    /// Nothing.
    None,
    /// The last result, so that an unchanged one is not sent again.
    Last(String),
    /// The levels and version of the last frame.
    View { bids: SideView, asks: SideView, version: u64 },
}

/// Room for one frame, used over and over.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// Changed bids, best first.
    pub(super) bids: Vec<(Price, Qty)>,
    /// Changed asks, best first.
    pub(super) asks: Vec<(Price, Qty)>,
    /// A result.
    pub(super) result: String,
}

/// All feeds that anyone ever read.
#[derive(Debug)]
pub(super) struct Feeds {
    pub(super) feeds: Vec<Feed>,
    by_kind: BTreeMap<(Kind, MarketIndex), usize>,
    by_market: Vec<Vec<usize>>,
    /// Per period: feeds that changed, and when they are sent.
    due: [(Vec<usize>, Option<Timestamp>); 4],
    /// When each market's book last changed.
    pub(super) changed_at: Vec<Option<Timestamp>>,
    pub(super) scratch: Scratch,
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
            scratch: Scratch::default(),
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
            Kind::Trades { .. } | Kind::Update(_) => feed.readers.push(conn),
            Kind::BookTicker | Kind::Ticker | Kind::Candles(_) | Kind::Obu(_) | Kind::Book(..) => {
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

    /// The clock was moved: what is due stays as far ahead as it was.
    pub(super) fn step_clock(&mut self, by_nanos: i64) {
        for (_, at) in &mut self.due {
            *at = at.map(|at| at.shifted(by_nanos));
        }
    }

    fn level_changed(
        &mut self,
        now: Timestamp,
        market: MarketIndex,
        new_version: u64,
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
            if let State::View { bids, asks, version } = &mut feed.state {
                if new_version <= *version {
                    // The venue restarted; its versions begin anew.
                    *version = new_version - 1;
                }
                match side {
                    Side::Buy => bids.touch(price, qty),
                    Side::Sell => asks.touch(price, qty),
                }
            }
            self.mark(now, index);
        }
    }

    /// The feed of this kind and market, if anyone reads it.
    pub(super) fn read(&self, kind: Kind, market: MarketIndex) -> Option<&Feed> {
        let index = self.by_kind.get(&(kind, market))?;
        self.feeds.get(*index).filter(|feed| !feed.is_idle())
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
    /// Whether nobody reads it.
    pub(super) fn is_idle(&self) -> bool {
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
            Kind::Trades { .. } => State::None,
            Kind::BookTicker | Kind::Ticker | Kind::Candles(_) | Kind::Book(..) => State::Last(String::new()),
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
            ExchangeEvent::Level { market, version, side, price, qty, at } => {
                gateio.feeds.level_changed(now, *market, *version, *side, (*price, *qty), *at);
            }
            ExchangeEvent::Trade { trade, market_trade, market, taker, price, qty, at } => {
                let (trade, market_trade, taker) = (*trade, *market_trade, *taker);
                let trade = PublicTrade { trade, market_trade, taker, price: *price, qty: *qty, at: *at };
                gateio.bars[market.0 as usize].add(&trade);
                frames::trade(gateio, now, exchange, *market, &trade, out);
            }
            ExchangeEvent::Order(_) | ExchangeEvent::Fill(_) | ExchangeEvent::Balance(_) => {}
        }
    }
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
            frames::due(gateio, now, exchange, index, out);
        }
    }
}
