//! Public channels: who reads them, what is gathered for them, and when it goes out.
//!
//! Frames leave on a grid of time that all markets share, so that a host wakes once for all of them. Each frame is
//! built once and shared by its readers.

mod every;
mod frames;
mod window;

use super::channel::{Speed, Topic};
use super::frame::FrameWriter;
use super::listings::Listings;
use crate::dialect::bars::Bars;
use crate::dialect::{ConnId, Frame, Outgoing};
use crate::matching::{Exchange, ExchangeEvent, MarketIndex, PublicTrade};
use bytes::Bytes;
use cex_core::{Price, Qty, Side, Timestamp};
use every::Every;
use std::collections::VecDeque;
use window::Window;

/// How long changes are gathered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    Ms5,
    Ms10,
    Ms100,
    Second,
}

impl Pace {
    const ALL: [Self; 4] = [Self::Ms5, Self::Ms10, Self::Ms100, Self::Second];

    const fn index(self) -> usize {
        self as usize
    }

    /// The next point of the grid after `now`.
    const fn next(self, now: Timestamp) -> Timestamp {
        let millis = match self {
            Self::Ms5 => 5,
            Self::Ms10 => 10,
            Self::Ms100 => 100,
            Self::Second => 1_000,
        };
        let nanos = millis * 1_000_000;
        Timestamp::from_nanos((now.as_nanos().div_euclid(nanos) + 1) * nanos)
    }
}

impl Topic {
    /// Where clients cannot choose, no source tells how often frames come; these are ours.
    const fn pace(self) -> Pace {
        match self {
            Self::Depth(Speed::Ms10) | Self::Deals(Speed::Ms10) | Self::BookTicker(Speed::Ms10) => Pace::Ms10,
            Self::TickerBatch => Pace::Ms10,
            Self::DepthSteps => Pace::Ms5,
            Self::Depth(Speed::Ms100) | Self::Deals(Speed::Ms100) | Self::BookTicker(Speed::Ms100) => {
                Pace::Ms100
            }
            Self::LimitDepth(_) => Pace::Ms100,
            Self::MiniTicker(_) | Self::Kline(_) => Pace::Second,
        }
    }

    fn new_state(self) -> State {
        match self {
            Self::Depth(_) => State::Changes(Window::default()),
            Self::DepthSteps => State::Steps(VecDeque::new()),
            Self::Deals(_) => State::Trades(Vec::new()),
            Self::BookTicker(_) | Self::TickerBatch => State::Top(None),
            Self::LimitDepth(_) => State::Book,
            Self::MiniTicker(_) | Self::Kline(_) => State::Bars,
        }
    }
}

/// Best bid and ask.
type Top = [Option<(Price, Qty)>; 2];

/// One change of a book: its version, and the level as it is now.
type Step = (u64, Side, Price, Qty);

/// What a feed gathers, or remembers of what it sent.
#[derive(Debug)]
enum State {
    /// Changes since the last frame.
    Changes(Window),
    /// Every change since the last frame, oldest first.
    Steps(VecDeque<Step>),
    /// Trades since the last frame.
    Trades(Vec<PublicTrade>),
    /// What the last frame showed; an unchanged top is not sent again.
    Top(Option<Top>),
    /// The book itself, read when a frame is due.
    Book,
    /// The bars, read when a frame is due.
    Bars,
}

/// A channel of a market with its readers.
#[derive(Debug)]
struct Feed {
    topic: Topic,
    /// The channel's full name as subscribed.
    name: String,
    readers: Vec<ConnId>,
    state: State,
    /// Whether something is to be sent, and when it last happened.
    is_changed: bool,
    changed_at: Timestamp,
    sent_at: Option<Timestamp>,
}

/// The feeds of one market.
#[derive(Debug, Default)]
struct MarketFeeds {
    feeds: Vec<Feed>,
    /// By pace: whether the market stands on that list of what is due.
    is_due: [bool; 4],
}

/// What is due at a pace.
#[derive(Debug, Default)]
struct Due {
    at: Option<Timestamp>,
    markets: Vec<MarketIndex>,
}

/// All feeds that someone reads.
#[derive(Debug)]
pub(super) struct Feeds {
    markets: Vec<MarketFeeds>,
    due: [Due; 4],
    writer: FrameWriter,
    /// Whether frames carry the fields of June 2026.
    june_2026: bool,
    /// The channel of all markets.
    pub(super) every: Every,
}

/// What frames are made from besides what was gathered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a> {
    /// Books and rules.
    pub(super) exchange: &'a Exchange,
    /// Names.
    pub(super) listings: &'a Listings,
    /// What trades add up to.
    pub(super) bars: &'a [Bars],
}

impl Feeds {
    /// No readers yet.
    pub(super) fn new(markets: usize, june_2026: bool) -> Self {
        let count = markets;
        let markets = std::iter::repeat_with(MarketFeeds::default).take(markets).collect();
        Self {
            markets,
            due: Default::default(),
            writer: FrameWriter::default(),
            june_2026,
            every: Every::new(count),
        }
    }

    /// Adds a reader. What shows a state rather than changes is sent at the next point of the grid.
    pub(super) fn join(
        &mut self,
        now: Timestamp,
        conn: ConnId,
        market: MarketIndex,
        topic: Topic,
        name: &str,
    ) {
        let feeds = &mut self.markets[market.0 as usize].feeds;
        let known = feeds.iter().position(|feed| feed.topic == topic);
        let index = known.unwrap_or_else(|| {
            feeds.push(Feed::new(topic, name));
            feeds.len() - 1
        });
        let feed = &mut feeds[index];
        feed.readers.push(conn);
        let shows_state = match &mut feed.state {
            State::Changes(_) | State::Steps(_) | State::Trades(_) => false,
            State::Top(sent) => {
                *sent = None;
                true
            }
            State::Book | State::Bars => true,
        };
        if shows_state {
            feed.change(now);
            self.mark(now, market, [topic.pace()].into_iter());
        }
    }

    /// Takes a reader away.
    pub(super) fn leave(&mut self, conn: ConnId, market: MarketIndex, topic: Topic) {
        self.markets[market.0 as usize].feeds.retain_mut(|feed| {
            if feed.topic == topic {
                feed.readers.retain(|reader| *reader != conn);
            }
            !feed.readers.is_empty()
        });
    }

    /// When a connection was last sent a frame of this channel.
    pub(super) fn sent_at(&self, conn: ConnId, market: MarketIndex, topic: Topic) -> Option<Timestamp> {
        let feeds = &self.markets[market.0 as usize].feeds;
        feeds.iter().find(|feed| feed.topic == topic && feed.readers.contains(&conn))?.sent_at
    }

    /// Gathers what happened.
    pub(super) fn events(&mut self, now: Timestamp, events: &[ExchangeEvent]) {
        for event in events {
            match event {
                ExchangeEvent::Level { market, version, side, price, qty, at } => {
                    self.gather(now, *market, *at, |state| match state {
                        State::Changes(window) => {
                            window.push(*version, *side, *price, *qty);
                            true
                        }
                        State::Steps(steps) => {
                            steps.push_back((*version, *side, *price, *qty));
                            true
                        }
                        State::Top(_) | State::Book => true,
                        State::Trades(_) | State::Bars => false,
                    });
                }
                ExchangeEvent::Trade { trade, market_trade, market, taker, price, qty, at } => {
                    let (trade, market_trade, taker) = (*trade, *market_trade, *taker);
                    let trade = PublicTrade { trade, market_trade, taker, price: *price, qty: *qty, at: *at };
                    self.every.traded(now, *market);
                    self.gather(now, *market, *at, |state| match state {
                        State::Trades(trades) => {
                            trades.push(trade);
                            true
                        }
                        State::Bars => true,
                        State::Changes(_) | State::Steps(_) | State::Top(_) | State::Book => false,
                    });
                }
                ExchangeEvent::Order(_) | ExchangeEvent::Fill(_) | ExchangeEvent::Balance(_) => {}
            }
        }
    }

    /// Offers what happened in a market to its feeds; `take` says whether it concerns one.
    fn gather(
        &mut self,
        now: Timestamp,
        market: MarketIndex,
        at: Timestamp,
        mut take: impl FnMut(&mut State) -> bool,
    ) {
        let mut paces = [None; 4];
        for feed in &mut self.markets[market.0 as usize].feeds {
            if take(&mut feed.state) {
                feed.change(at);
                let pace = feed.topic.pace();
                paces[pace.index()] = Some(pace);
            }
        }
        self.mark(now, market, paces.into_iter().flatten());
    }

    fn mark(&mut self, now: Timestamp, market: MarketIndex, paces: impl Iterator<Item = Pace>) {
        for pace in paces {
            let is_due = &mut self.markets[market.0 as usize].is_due[pace.index()];
            if !*is_due {
                *is_due = true;
                let due = &mut self.due[pace.index()];
                due.markets.push(market);
                due.at.get_or_insert(pace.next(now));
            }
        }
    }

    /// The clock was moved: what is due stays as far ahead as it was.
    pub(super) fn step_clock(&mut self, by_nanos: i64) {
        self.every.step_clock(by_nanos);
        for due in &mut self.due {
            due.at = due.at.map(|at| at.shifted(by_nanos));
        }
        for feed in self.markets.iter_mut().flat_map(|market| &mut market.feeds) {
            feed.sent_at = feed.sent_at.map(|at| at.shifted(by_nanos));
        }
    }

    /// When something is due next.
    pub(super) fn next_at(&self) -> Option<Timestamp> {
        self.due.iter().map(|due| due.at).chain([self.every.next_at()]).flatten().min()
    }

    /// Sends what is due.
    pub(super) fn wake(&mut self, now: Timestamp, source: Source<'_>, out: &mut Outgoing) {
        self.every.wake(now, source, out);
        for pace in Pace::ALL {
            let due = &mut self.due[pace.index()];
            if due.at.is_none_or(|at| at > now) {
                continue;
            }
            due.at = None;
            let mut markets = std::mem::take(&mut due.markets);
            for market in &markets {
                self.send_market(now, source, *market, pace, out);
            }
            markets.clear();
            self.due[pace.index()].markets = markets;
        }
    }

    fn send_market(
        &mut self,
        now: Timestamp,
        source: Source<'_>,
        market: MarketIndex,
        pace: Pace,
        out: &mut Outgoing,
    ) {
        let MarketFeeds { feeds, is_due } = &mut self.markets[market.0 as usize];
        is_due[pace.index()] = false;
        for feed in feeds.iter_mut().filter(|feed| feed.is_changed && feed.topic.pace() == pace) {
            feed.is_changed = false;
            let frame = frames::build(&mut self.writer, now, source, market, feed, self.june_2026);
            if let Some(frame) = frame {
                feed.send(now, &frame, out);
            }
            // A frame holds so many changes and no more; what is left goes in further ones.
            while matches!(&feed.state, State::Steps(steps) if !steps.is_empty()) {
                let frame = frames::build(&mut self.writer, now, source, market, feed, self.june_2026);
                let Some(frame) = frame else { break };
                feed.send(now, &frame, out);
            }
        }
    }
}

impl Feed {
    fn new(topic: Topic, name: &str) -> Self {
        Self {
            topic,
            name: name.to_owned(),
            readers: Vec::new(),
            state: topic.new_state(),
            is_changed: false,
            changed_at: Timestamp::EPOCH,
            sent_at: None,
        }
    }

    fn change(&mut self, at: Timestamp) {
        self.is_changed = true;
        self.changed_at = at;
    }

    fn send(&mut self, now: Timestamp, frame: &Bytes, out: &mut Outgoing) {
        self.sent_at = Some(now);
        out.extend(self.readers.iter().map(|reader| (*reader, Frame::Binary(frame.clone()))));
    }
}
