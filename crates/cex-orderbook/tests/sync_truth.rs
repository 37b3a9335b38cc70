//! A book that is usable equals the exchange's at its version, whatever the network does; and it comes back.
//!
//! Exchanges of all three kinds run for a while over a network that loses, repeats and swaps frames, answers with old
//! snapshots and breaks connections. Each seed is one run; a failure names it.

mod support;

use cex_core::{BookSide, Continuity, Level, SnapshotSource, SyncRule, UpdateKind};
use cex_orderbook::{BookConfig, BookSync, SyncOutcome, SyncState};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use support::{Dice, Feed, Pair, SYMBOL, levels, ms};

const SIDES: [BookSide; 2] = [BookSide::Bid, BookSide::Ask];

/// Both sides of a book: price to quantity.
type Sides = [BTreeMap<i64, i64>; 2];

/// The best `depth` levels of a side, best first.
fn top(sides: &Sides, side: usize, depth: usize) -> Vec<Pair> {
    let pairs = sides[side].iter().map(|(price, qty)| (*price, *qty));
    if side == 0 { pairs.rev().take(depth).collect() } else { pairs.take(depth).collect() }
}

/// The exchange's book at every version: entry v is the state at version `FIRST + v`.
struct Exchange {
    history: Vec<Sides>,
    /// Up to which version the stream has told.
    told: u64,
    /// How many levels the stream reports, if not all.
    view: usize,
}

const FIRST: u64 = 1_000;

impl Exchange {
    fn new(dice: &mut Dice, rule: &SyncRule) -> Self {
        let mut exchange = Self {
            history: vec![Sides::default()],
            told: FIRST,
            view: rule.depth.map_or(usize::MAX, |depth| depth as usize),
        };
        (0..60).for_each(|_| exchange.change(dice));
        exchange.told = exchange.version();
        exchange
    }

    fn version(&self) -> u64 {
        FIRST + self.history.len() as u64 - 1
    }

    fn at(&self, version: u64) -> &Sides {
        &self.history[(version - FIRST) as usize]
    }

    /// One level changes. Sides never meet, and never run dry for long.
    fn change(&mut self, dice: &mut Dice) {
        let mut sides = self.at(self.version()).clone();
        let side = dice.below(2) as usize;
        let distance = 1 + dice.below(40) as i64;
        let price = if side == 0 { 500 - distance } else { 500 + distance };
        if dice.below(10) < 4 {
            sides[side].remove(&price)
        } else {
            sides[side].insert(price, 1 + dice.below(9) as i64)
        };
        self.history.push(sides);
    }

    /// The frame since the last one: what changed within the view at any step, as it is now. A level that is there but
    /// out of view is not told of.
    fn frame(&mut self) -> Frame {
        let (from, to) = (self.told, self.version());
        self.told = to;
        let mut told: [Vec<Pair>; 2] = Default::default();
        for (side, told) in told.iter_mut().enumerate() {
            let view =
                |version| top(self.at(version), side, self.view).into_iter().collect::<BTreeMap<_, _>>();
            let mut touched = BTreeSet::new();
            for version in from..to {
                let (before, after) = (view(version), view(version + 1));
                let prices = before.keys().chain(after.keys());
                touched.extend(prices.filter(|price| before.get(price) != after.get(price)).copied());
            }
            let now = view(to);
            for price in touched {
                match (now.get(&price), self.at(to)[side].contains_key(&price)) {
                    (Some(qty), _) => told.push((price, *qty)),
                    (None, false) => told.push((price, 0)),
                    (None, true) => {}
                }
            }
        }
        Frame { kind: UpdateKind::Delta, seqs: (from + 1, to), told }
    }

    fn whole(&self, version: u64, depth: usize) -> Frame {
        let told = [0, 1].map(|side| top(self.at(version), side, depth));
        Frame { kind: UpdateKind::Snapshot, seqs: (version, version), told }
    }
}

#[derive(Debug, Clone)]
struct Frame {
    kind: UpdateKind,
    seqs: (u64, u64),
    told: [Vec<Pair>; 2],
}

struct World {
    rule: SyncRule,
    exchange: Exchange,
    feed: Feed,
    dice: Dice,
    /// Frames on their way.
    wire: VecDeque<Frame>,
    /// Answers on their way: steps until they come, and the version they were taken at.
    answers: VecDeque<(u64, u64)>,
    /// Steps until the new subscription stands.
    subscribing: Option<u64>,
    faults: bool,
    what: String,
}

impl World {
    fn new(rule: SyncRule, seed: u64) -> Self {
        let mut dice = Dice(seed + 1);
        let exchange = Exchange::new(&mut dice, &rule);
        let feed = Feed::new(BookSync::new(SYMBOL, rule, BookConfig::default()));
        let what = format!("{rule:?} seed {seed}");
        let (wire, answers) = (VecDeque::new(), VecDeque::new());
        Self { rule, exchange, feed, dice, wire, answers, subscribing: Some(1), faults: true, what }
    }

    fn step(&mut self) {
        self.feed.pass(ms(20));
        for _ in 0..self.dice.below(4) {
            self.exchange.change(&mut self.dice);
        }
        self.send();
        if self.faults && self.dice.one_in(200) {
            self.feed.sync.on_disconnect(self.feed.now);
            self.wire.clear();
            self.subscribing = Some(1 + self.dice.below(10));
        }
        self.subscribe();
        let outcome = self.feed.wake();
        self.obey(outcome);
        self.deliver();
        self.answer();
    }

    /// The exchange tells what happened; a subscription that does not stand hears nothing.
    fn send(&mut self) {
        let frame = self.exchange.frame();
        if self.subscribing.is_some() || frame.seqs.0 > frame.seqs.1 {
            return;
        }
        if self.faults && self.dice.one_in(40) {
            return;
        }
        if self.faults && self.dice.one_in(40) {
            self.wire.push_back(frame.clone());
        }
        self.wire.push_back(frame);
        if self.rule.depth.is_some() && self.dice.one_in(100) {
            let whole = self.exchange.whole(self.exchange.version(), self.exchange.view);
            self.wire.push_back(whole);
        }
        if self.faults && self.wire.len() > 1 && self.dice.one_in(40) {
            let last = self.wire.len() - 1;
            self.wire.swap(last, last - 1);
        }
    }

    fn subscribe(&mut self) {
        let Some(left) = self.subscribing else { return };
        if left > 0 {
            self.subscribing = Some(left - 1);
            return;
        }
        self.subscribing = None;
        self.wire.clear();
        self.feed.sync.on_subscribed(self.feed.now);
        if let SnapshotSource::Stream { .. } = self.rule.snapshot {
            self.wire.push_back(self.exchange.whole(self.exchange.version(), self.exchange.view));
        }
    }

    fn deliver(&mut self) {
        // The network holds frames back for a while, then brings many at once.
        if self.dice.one_in(3) {
            return;
        }
        while let Some(frame) = self.wire.pop_front() {
            let [bids, asks] = &frame.told;
            let outcome = self.feed.update_at(self.feed.now, frame.kind, frame.seqs, bids, asks);
            self.check(&outcome);
            self.obey(outcome);
        }
    }

    fn answer(&mut self) {
        self.answers.iter_mut().for_each(|(left, _)| *left = left.saturating_sub(1));
        while let Some((_, version)) = self.answers.pop_front_if(|(left, _)| *left == 0) {
            let SnapshotSource::Rest { depth } = self.rule.snapshot else { return };
            let outcome = if self.faults && self.dice.one_in(10) {
                self.feed.sync.on_snapshot_failed(self.feed.now)
            } else {
                let [bids, asks] = self.exchange.whole(version, depth as usize).told;
                self.feed.sync.on_snapshot(
                    self.feed.now,
                    version,
                    self.feed.now,
                    &levels(&bids),
                    &levels(&asks),
                )
            };
            self.check(&outcome);
            self.obey(outcome);
        }
    }

    fn obey(&mut self, outcome: SyncOutcome) {
        match outcome {
            SyncOutcome::NeedSnapshot => {
                // Taken now or, from a cache, some time ago; on its way for a while.
                let lag = self.dice.below(if self.faults { 30 } else { 3 });
                let version = self.exchange.version().saturating_sub(lag).max(FIRST);
                self.answers.push_back((self.dice.below(15), version));
            }
            SyncOutcome::NeedResubscribe => self.subscribing = Some(self.dice.below(10)),
            SyncOutcome::Ignored
            | SyncOutcome::Buffered
            | SyncOutcome::Applied(_)
            | SyncOutcome::Unusable => {}
        }
    }

    /// The book is the exchange's at its version, as far as it says so; and outcome and state fit.
    fn check(&self, outcome: &SyncOutcome) {
        if matches!(outcome, SyncOutcome::Applied(_)) {
            assert!(self.feed.is_usable(), "{}", self.what);
        }
        let Some(book) = self.feed.sync.usable() else { return };
        let version = self.feed.seq().expect("usable means live");
        for (index, side) in SIDES.into_iter().enumerate() {
            let truth = top(self.exchange.at(version), index, self.exchange.view);
            let end = book.exact_to(side).map(|price| price.0);
            let known = truth.into_iter().filter(|(price, _)| match (end, side) {
                (None, _) => true,
                (Some(end), BookSide::Bid) => *price >= end,
                (Some(end), BookSide::Ask) => *price <= end,
            });
            let found = book.levels(side).map(|Level { price, qty }| (price.0, qty.0));
            assert!(
                found.clone().eq(known.clone()),
                "{} at {version}, {side:?}: book {:?}, exchange {:?}",
                self.what,
                found.collect::<Vec<_>>(),
                known.collect::<Vec<_>>()
            );
        }
    }

    fn run(&mut self) -> (u64, u64) {
        let mut usable = 0;
        for _ in 0..1_500 {
            self.step();
            usable += u64::from(self.feed.is_usable());
        }
        // The network heals: within thirty seconds the book is live and stays so.
        self.faults = false;
        (0..1_500).for_each(|_| self.step());
        assert!(
            matches!(self.feed.sync.state(), SyncState::Live(_)),
            "{}: {:?}",
            self.what,
            self.feed.sync.state()
        );
        let behind = self.exchange.version() - self.feed.seq().expect("live");
        assert!(behind < 100, "{} versions behind: {}", behind, self.what);
        assert_eq!(self.feed.sync.counters().drifts, 0, "{}", self.what);
        (usable, self.feed.sync.counters().resyncs)
    }
}

fn check(rule: SyncRule) {
    let (mut usable, mut resyncs) = (0, 0);
    for seed in 0..60 {
        let (steps, faults) = World::new(rule, seed).run();
        usable += steps;
        resyncs += faults;
    }
    // The test would prove nothing if books were hardly ever usable, or nothing ever went wrong.
    assert!(usable > 60 * 1_500 / 4, "usable in {usable} steps of {}", 60 * 1_500);
    assert!(resyncs > 60 * 5, "{resyncs} resyncs");
}

#[test]
fn overlapping_deltas_and_snapshots_cut_at_twenty_levels() {
    check(SyncRule {
        snapshot: SnapshotSource::Rest { depth: 20 },
        continuity: Continuity::Overlapping,
        depth: None,
    });
}

#[test]
fn contiguous_deltas_of_the_best_ten_levels() {
    let snapshot = SnapshotSource::Rest { depth: 10 };
    check(SyncRule { snapshot, continuity: Continuity::Contiguous, depth: Some(10) });
}

#[test]
fn stream_of_its_own_snapshots_and_strict_deltas_of_the_best_eight_levels() {
    let snapshot = SnapshotSource::Stream { depth: 8 };
    check(SyncRule { snapshot, continuity: Continuity::Strict, depth: Some(8) });
}
