//! Budgets: the frames of a thousand symbols on two exchanges, by activity, to the tops of their 2,000 books; and all that a
//! frame passes in memory, from the link of its adapter to the end of the decision.

use cex_arb::show::summary::Latency;
use cex_benches::measure::{Bound, Budget, Contestant, figure, finish, measure, median_of, percentiles};
use cex_benches::mix::{GATEIO, MEXC, Mix, MixFrame, START};
use cex_benches::naive::{GateFrame, MexcFrame, NaiveBook};
use cex_benches::pair::Pair;
use cex_core::{
    BookUpdate, Continuity, Level, LevelRange, MarketEvent, SnapshotSource, SyncRule, Timestamp, UpdateKind,
};
use cex_gateio::RecordedFrames;
use cex_interface::Outbox;
use cex_mexc::config::DepthInterval;
use cex_mexc::depth::{DepthReader, Reading};
use cex_orderbook::{BookConfig, BookSync};
use hdrhistogram::Histogram;
use std::cell::RefCell;
use std::collections::HashMap;
use std::process::ExitCode;
use std::time::Instant;

const SYMBOLS: usize = 1_000;
const DEPTH: usize = 100;
const FRAMES: usize = 100_000;
/// Laps of the pass through everything; the median is quoted.
const LAPS: usize = 5;

fn main() -> ExitCode {
    let mix = Mix::new(42, SYMBOLS, DEPTH, FRAMES, 1);
    let kept = [tops(&mix), tails(&mix), everything(&mix)];
    finish(&kept)
}

fn tops(mix: &Mix) -> bool {
    let naive = RefCell::new(naive_books(mix));
    let frames = mix.len() as u64;
    measure(
        "frame to top of one of 2,000 books: decode, check, apply; 100 levels a side",
        Budget::TimesFaster(4.0),
        vec![
            Contestant::prepared(
                "hot readers, BookSync",
                frames,
                || Ours::new(mix),
                |mut ours| mix.lap(0).map(|frame| ours.top(frame)).fold(0, u64::wrapping_add),
            ),
            Contestant::prepared(
                "prost, sonic-rs, BTreeMap<OrderedFloat>",
                frames,
                || naive.borrow_mut().values_mut().for_each(NaiveBook::restart),
                |()| {
                    let books = &mut *naive.borrow_mut();
                    mix.lap(0).map(|frame| naive_top(books, frame)).fold(0, u64::wrapping_add)
                },
            ),
        ],
    )
}

/// Each frame by itself, clock included.
fn tails(mix: &Mix) -> bool {
    let mut times = Histogram::<u64>::new_with_bounds(1, 1_000_000_000, 2).expect("constants that fit");
    let mut ours = Ours::new(mix);
    for frame in mix.lap(0) {
        let started = Instant::now();
        std::hint::black_box(ours.top(frame));
        times.saturating_record(u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX));
    }
    percentiles("the same, frame by frame (reading the clock included)", &Latency::from(&times), None)
}

fn everything(mix: &Mix) -> bool {
    let rates: Vec<f64> = (0..LAPS)
        .map(|_| {
            let mut pair = Pair::new(mix);
            let started = Instant::now();
            mix.lap(0).for_each(|frame| pair.feed(frame));
            let rate = mix.len() as f64 / started.elapsed().as_secs_f64();
            let view = pair.view();
            for venue in &view.venues {
                assert_eq!((venue.gaps, venue.resyncs, venue.books_live.0), (0, 0, venue.books_live.1));
            }
            rate
        })
        .collect();
    figure(
        "all steps in memory, one core: link, book, detection, sizing where books cross, refused by the gate",
        median_of(&rates),
        "frames a second",
        Bound::AtLeast(500_000.0),
    )
}

/// The readers of both adapters and a synchronised book per symbol and exchange.
struct Ours<'m> {
    mix: &'m Mix,
    mexc: DepthReader,
    gateio: RecordedFrames,
    books: [Vec<BookSync>; 2],
    levels: Vec<Level>,
    out: Outbox,
}

impl<'m> Ours<'m> {
    fn new(mix: &'m Mix) -> Self {
        let gateio = &mix.markets[GATEIO];
        let venue = gateio.iter().next().expect("some markets").venue;
        Self {
            mix,
            mexc: DepthReader::new(DepthInterval::Ms10),
            gateio: RecordedFrames::new(venue, gateio),
            books: [MEXC, GATEIO].map(|venue| books(mix, venue)),
            levels: Vec::new(),
            out: Outbox::default(),
        }
    }

    fn top(&mut self, frame: MixFrame<'_>) -> u64 {
        let (update, levels) = if frame.venue == MEXC {
            self.levels.clear();
            match self.mexc.read(frame.bytes, &self.mix.markets[MEXC], &mut self.levels) {
                Ok(Reading::Book(update)) => (update, &self.levels),
                Ok(Reading::Unregistered | Reading::Other) | Err(_) => panic!("a frame was refused"),
            }
        } else {
            self.out.clear();
            match (self.gateio.decode(frame.bytes, &mut self.out), self.out.market.first()) {
                (Ok(()), Some(MarketEvent::Book(update))) => (*update, &self.out.levels),
                _refused => panic!("a frame was refused"),
            }
        };
        let sync = &mut self.books[frame.venue][update.symbol.index()];
        sync.on_update(Timestamp::EPOCH, &update, levels);
        let book = sync.usable().unwrap_or_else(|| panic!("no usable book: {:?}", sync.state()));
        book.best_bid().map_or(0, |level| level.price.0.unsigned_abs())
    }
}

fn books(mix: &Mix, venue: usize) -> Vec<BookSync> {
    let rule = SyncRule {
        snapshot: SnapshotSource::Rest { depth: 5_000 },
        continuity: Continuity::Contiguous,
        depth: None,
    };
    let markets = mix.markets[venue].iter();
    markets
        .zip(&mix.starts[venue])
        .map(|(market, start)| {
            let mut sync = BookSync::new(market.id, rule, BookConfig::new(market.tick, 2 * DEPTH));
            sync.on_subscribed(Timestamp::EPOCH);
            // A snapshot is asked for, and taken, once the stream has begun.
            let nothing = LevelRange::default();
            let begin = BookUpdate {
                symbol: market.id,
                kind: UpdateKind::Delta,
                first_seq: START,
                last_seq: START,
                exchange_ts: Timestamp::EPOCH,
                bids: nothing,
                asks: nothing,
            };
            sync.on_update(Timestamp::EPOCH, &begin, &[]);
            sync.on_snapshot(Timestamp::EPOCH, START, Timestamp::EPOCH, &start.bids, &start.asks);
            sync
        })
        .collect()
}

/// By the exchange's spelling, which the two exchanges never share.
fn naive_books(mix: &Mix) -> HashMap<String, NaiveBook> {
    let sides = mix.markets.iter().zip(&mix.starts);
    let books = sides.flat_map(|(markets, starts)| markets.iter().zip(starts));
    books
        .map(|(market, start)| (market.native().to_owned(), NaiveBook::new(market.scale, start, START)))
        .collect()
}

fn naive_top(books: &mut HashMap<String, NaiveBook>, frame: MixFrame<'_>) -> u64 {
    if frame.venue == MEXC {
        let frame = MexcFrame::read(frame.bytes).expect("a frame of ours");
        books.get_mut(frame.native()).expect("a market of ours").mexc(&frame)
    } else {
        let frame = GateFrame::read(frame.bytes).expect("a frame of ours");
        books.get_mut(frame.native()).expect("a market of ours").gateio(&frame)
    }
}
