//! Events of running links, through bounded queues.
//!
//! A full queue never loses anything in silence: what it did not take is counted, news of the loss goes to the link
//! queue, and what was fed by it is asked for again.

use crate::driver::{LinkHandle, Received, Sink};
use crate::metrics::LinkMetrics;
use cex_core::{AccountEvent, Level, LevelRange, LinkEvent, MarketEvent, SymbolId, Timestamp};
use cex_interface::{EventSource, Outbox};
use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// Events of some links; reconnected and resubscribed by themselves until this is dropped.
pub struct Stream {
    queues: Arc<Queues>,
    handles: Vec<LinkHandle>,
}

impl Stream {
    pub(super) const fn new(queues: Arc<Queues>, handles: Vec<LinkHandle>) -> Self {
        Self { queues, handles }
    }

    /// The links behind it, for resynchronising a book.
    #[must_use]
    pub fn links(&self) -> &[LinkHandle] {
        &self.handles
    }
}

impl EventSource for Stream {
    async fn next_market(&mut self) -> Option<(MarketEvent, Vec<Level>)> {
        self.queues.market.pop(&self.queues.running).await
    }

    async fn next_account(&mut self) -> Option<AccountEvent> {
        self.queues.account.pop(&self.queues.running).await
    }

    async fn next_link(&mut self) -> Option<LinkEvent> {
        self.queues.link.pop(&self.queues.running).await
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.handles.iter().for_each(LinkHandle::stop);
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("links", &self.handles.len()).finish_non_exhaustive()
    }
}

/// One queue for each sort of event.
pub(super) struct Queues {
    market: Queue<(MarketEvent, Vec<Level>)>,
    account: Queue<AccountEvent>,
    link: Queue<LinkEvent>,
    /// Links that may still put something in.
    running: AtomicUsize,
}

impl Queues {
    pub(super) fn new(most: usize, links: usize) -> Self {
        Self {
            market: Queue::new(most),
            account: Queue::new(most),
            link: Queue::new(most),
            running: AtomicUsize::new(links),
        }
    }

    fn one_link_ended(&self) {
        if self.running.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.market.bell.notify_one();
            self.account.bell.notify_one();
            self.link.bell.notify_one();
        }
    }
}

/// A bounded queue with one reader.
struct Queue<T> {
    most: usize,
    waiting: Mutex<VecDeque<T>>,
    bell: Notify,
}

impl<T> Queue<T> {
    fn new(most: usize) -> Self {
        Self { most: most.max(1), waiting: Mutex::new(VecDeque::new()), bell: Notify::new() }
    }

    /// Appends; `false` when the queue is full.
    fn push(&self, item: T) -> bool {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= self.most {
            return false;
        }
        waiting.push_back(item);
        drop(waiting);
        self.bell.notify_one();
        true
    }

    /// Appends; the oldest makes room when the queue is full, and `false` says so.
    fn push_over_oldest(&self, item: T) -> bool {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let had_room = waiting.len() < self.most;
        if !had_room {
            waiting.pop_front();
        }
        waiting.push_back(item);
        drop(waiting);
        self.bell.notify_one();
        had_room
    }

    /// The next; `None` when nothing waits and nobody is left to put something in.
    async fn pop(&self, running: &AtomicUsize) -> Option<T> {
        loop {
            // Asked before looking, so that what the last link put in before it ended is still found.
            let ended = running.load(Ordering::Acquire) == 0;
            let next = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            if next.is_some() || ended {
                return next;
            }
            self.bell.notified().await;
        }
    }
}

/// Puts a link's events into the queues.
pub(super) struct QueueSink {
    queues: Arc<Queues>,
    handle: LinkHandle,
    metrics: Arc<LinkMetrics>,
    /// Symbols of which something was lost and news of it given; nothing of them has been taken since.
    lost: BTreeSet<SymbolId>,
    /// The connection that lost an account event: it is being replaced, and what it still brings is worth nothing.
    spoiled_epoch: Option<u32>,
}

impl QueueSink {
    pub(super) fn new(queues: Arc<Queues>, handle: LinkHandle, metrics: Arc<LinkMetrics>) -> Self {
        Self { queues, handle, metrics, lost: BTreeSet::new(), spoiled_epoch: None }
    }

    fn market(&mut self, event: MarketEvent, levels: &[Level]) {
        let symbol = symbol_of(&event);
        if self.queues.market.push(on_its_own(event, levels)) {
            if !self.lost.is_empty() {
                self.lost.remove(&symbol);
            }
            return;
        }
        self.metrics.overflows.add_one();
        // The news goes out once; the wish for a new snapshot may find its own queue full and is then repeated.
        if !self.lost.contains(&symbol) && self.handle.resubscribe(symbol) {
            self.lost.insert(symbol);
            self.news(LinkEvent::Undecodable { symbol: Some(symbol) });
        }
    }

    /// A lost account event may be a fill: the connection is replaced, so that the reader hears `Down`, then
    /// `AccountReady`, and reads everything again.
    fn account(&mut self, event: AccountEvent, epoch: u32) {
        if self.spoiled_epoch == Some(epoch) || !self.queues.account.push(event) {
            self.metrics.overflows.add_one();
            if self.spoiled_epoch != Some(epoch) && self.handle.reconnect() {
                self.spoiled_epoch = Some(epoch);
            }
        }
    }

    fn news(&self, event: LinkEvent) {
        if !self.queues.link.push_over_oldest(event) {
            self.metrics.overflows.add_one();
        }
    }
}

impl Sink for QueueSink {
    fn deliver(&mut self, _now: Timestamp, received: &Received, out: &mut Outbox) {
        for event in &out.link {
            self.news(*event);
        }
        for event in out.market.drain(..) {
            self.market(event, &out.levels);
        }
        for event in out.account.drain(..) {
            self.account(event, received.epoch);
        }
    }
}

impl Drop for QueueSink {
    fn drop(&mut self) {
        self.queues.one_link_ended();
    }
}

const fn symbol_of(event: &MarketEvent) -> SymbolId {
    match event {
        MarketEvent::Book(update) | MarketEvent::TopLevels(update) => update.symbol,
        MarketEvent::BookTicker(ticker) => ticker.symbol,
        MarketEvent::Trade(trade) => trade.symbol,
        MarketEvent::Ticker(ticker) => ticker.symbol,
        MarketEvent::Kline(kline) => kline.symbol,
    }
}

/// An event with levels of its own: the decoder's buffer is used again for the next frame.
fn on_its_own(event: MarketEvent, levels: &[Level]) -> (MarketEvent, Vec<Level>) {
    let (MarketEvent::Book(mut update) | MarketEvent::TopLevels(mut update)) = event else {
        return (event, Vec::new());
    };
    let is_book = matches!(event, MarketEvent::Book(_));
    let (bids, asks) = (update.bids.of(levels), update.asks.of(levels));
    let own = [bids, asks].concat();
    let at = |index: usize| u32::try_from(index).unwrap_or(u32::MAX);
    update.bids = LevelRange { start: 0, end: at(bids.len()) };
    update.asks = LevelRange { start: at(bids.len()), end: at(own.len()) };
    (if is_book { MarketEvent::Book(update) } else { MarketEvent::TopLevels(update) }, own)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::link_channel;
    use cex_core::{Asset, Balance, BookUpdate, Decimal, Price, Qty, Side, Trade, UpdateKind};

    fn book(symbol: u32, levels: &mut Vec<Level>, bids: &[i64], asks: &[i64]) -> MarketEvent {
        let mut append = |prices: &[i64]| {
            let start = u32::try_from(levels.len()).expect("few");
            levels.extend(prices.iter().map(|price| Level { price: Price(*price), qty: Qty(1) }));
            LevelRange { start, end: u32::try_from(levels.len()).expect("few") }
        };
        MarketEvent::Book(BookUpdate {
            symbol: SymbolId(symbol),
            kind: UpdateKind::Delta,
            first_seq: 1,
            last_seq: 2,
            exchange_ts: Timestamp::EPOCH,
            bids: append(bids),
            asks: append(asks),
        })
    }

    fn trade(symbol: u32) -> MarketEvent {
        MarketEvent::Trade(Trade {
            symbol: SymbolId(symbol),
            trade_id: None,
            taker_side: Side::Buy,
            price: Price(1),
            qty: Qty(1),
            exchange_ts: Timestamp::EPOCH,
        })
    }

    fn sink(most: usize) -> (QueueSink, Stream, crate::driver::LinkCommands) {
        let queues = Arc::new(Queues::new(most, 1));
        let (handle, commands) = link_channel(4);
        let sink = QueueSink::new(Arc::clone(&queues), handle.clone(), Arc::default());
        (sink, Stream::new(queues, vec![handle]), commands)
    }

    fn deliver(sink: &mut QueueSink, epoch: u32, mut out: Outbox) {
        let received = Received { read_at: Timestamp::EPOCH, epoch };
        sink.deliver(Timestamp::EPOCH, &received, &mut out);
    }

    #[tokio::test]
    async fn books_travel_with_levels_of_their_own() {
        let (mut sink, mut stream, _commands) = sink(8);
        let mut out = Outbox::default();
        let first = book(1, &mut out.levels, &[5, 4], &[6]);
        let second = book(2, &mut out.levels, &[], &[9, 10]);
        out.market = vec![first, second];
        deliver(&mut sink, 1, out);
        for (expected_bids, expected_asks) in [(vec![5, 4], vec![6]), (vec![], vec![9, 10])] {
            let Some((MarketEvent::Book(update), levels)) = stream.next_market().await else {
                panic!("a book")
            };
            let prices =
                |range: LevelRange| range.of(&levels).iter().map(|level| level.price.0).collect::<Vec<_>>();
            assert_eq!((prices(update.bids), prices(update.asks)), (expected_bids, expected_asks));
        }
        drop(sink);
        assert_eq!(stream.next_market().await, None, "no link is left");
        assert_eq!(stream.next_link().await, None);
    }

    #[tokio::test]
    async fn an_overflow_is_counted_told_once_and_mended() {
        let (mut sink, mut stream, mut commands) = sink(2);
        deliver(
            &mut sink,
            1,
            Outbox { market: vec![trade(1), trade(1), trade(1), trade(1)], ..Default::default() },
        );
        assert_eq!(sink.metrics.overflows.value(), 2);
        assert_eq!(stream.next_link().await, Some(LinkEvent::Undecodable { symbol: Some(SymbolId(1)) }));
        let wish = std::future::poll_fn(|cx| commands.poll_command(cx)).await;
        assert_eq!(wish, Some(crate::driver::handle::Command::Resubscribe(SymbolId(1))));
        assert!(stream.next_market().await.is_some());
        deliver(&mut sink, 1, Outbox { market: vec![trade(1), trade(1)], ..Default::default() });
        assert_eq!(
            stream.next_link().await,
            Some(LinkEvent::Undecodable { symbol: Some(SymbolId(1)) }),
            "lost again after it was well"
        );
    }

    #[tokio::test]
    async fn a_lost_account_event_replaces_the_connection() {
        let (mut sink, mut stream, mut commands) = sink(1);
        let asset = Asset::new("USDT").expect("short");
        let balance = |free: i64| {
            let free = Decimal::from(free);
            AccountEvent::Balance(Balance { asset, free, locked: Decimal::ZERO, as_of: Timestamp::EPOCH })
        };
        deliver(&mut sink, 1, Outbox { account: vec![balance(1), balance(2)], ..Default::default() });
        let wish = std::future::poll_fn(|cx| commands.poll_command(cx)).await;
        assert_eq!(wish, Some(crate::driver::handle::Command::Reconnect));
        assert_eq!(stream.next_account().await, Some(balance(1)));
        deliver(&mut sink, 1, Outbox { account: vec![balance(3)], ..Default::default() });
        deliver(&mut sink, 2, Outbox { account: vec![balance(4)], ..Default::default() });
        assert_eq!(stream.next_account().await, Some(balance(4)), "nothing more of the spoiled connection");
    }
}
