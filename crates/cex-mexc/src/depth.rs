//! The hot message: `publicAggreDepths` read in place, straight into levels, without allocation.
//!
//! A frame is walked twice over: first the few fields of the wrapper, whose body is skipped by its length, since the
//! symbol (and with it the scale of the numbers) may stand behind the body; then the body. Fields may come in any
//! order, unknown ones are skipped, and of a repeated scalar the last counts (MEXC-WS-06).
//!
//! The oracle is prost with plain number parsing; the two agree on every valid frame. Beyond what prost refuses, this
//! reader refuses: groups; two bodies in one frame; a channel and a symbol that name two markets; a version that is
//! not a number, missing, or before the first; a level without a price or quantity that fit the symbol's scale. Each
//! would make the book wrong.

use crate::config::DepthInterval;
use crate::walk::{Value, Walk};
use cex_core::{
    BookSide, BookUpdate, Level, LevelRange, Market, Markets, Price, Qty, Scale, SymbolId, Timestamp,
    UpdateKind,
};
use cex_wide::{Finer, Wide, parse_u64};

/// The field of the aggregated depth body in the wrapper.
const BODY: u32 = 313;

/// The fields of all bodies the wrapper knows.
const BODIES: std::ops::RangeInclusive<u32> = 301..=315;

/// What a frame was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// Changes of a registered market's book; the levels were appended.
    Book(BookUpdate),
    /// Changes of a book nobody here registered.
    Unregistered,
    /// Well-formed, but another message.
    Other,
}

/// A frame that must not be used; nothing of it was appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable {
    /// Symbol whose book can no longer be trusted; `None` when that cannot be told.
    pub symbol: Option<SymbolId>,
    /// What is wrong with the frame, in words.
    pub what: &'static str,
}

/// Reads depth frames. Keeps what does not change from frame to frame, no state.
#[derive(Debug, Clone)]
pub struct DepthReader {
    wide: Wide,
    /// What the channels begin with: `spot@public.aggre.depth.v3.api.pb@10ms@`; the native symbol follows.
    prefix: &'static str,
}

/// The channel of a symbol's book is this followed by the native symbol (MEXC-WS-12).
pub(crate) const fn channel_prefix(interval: DepthInterval) -> &'static str {
    match interval {
        DepthInterval::Ms10 => "spot@public.aggre.depth.v3.api.pb@10ms@",
        DepthInterval::Ms100 => "spot@public.aggre.depth.v3.api.pb@100ms@",
    }
}

impl DepthReader {
    /// A reader for streams of this speed. Frames of the other speed are read as well, a little slower.
    #[must_use]
    pub fn new(interval: DepthInterval) -> Self {
        Self { wide: Wide::detect(), prefix: channel_prefix(interval) }
    }

    /// The same reader on byte loops: the oracle of the wide number parsing.
    #[must_use]
    pub const fn portable(interval: DepthInterval) -> Self {
        Self { wide: Wide::portable(), prefix: channel_prefix(interval) }
    }

    /// Reads one binary message and appends its levels, asks and bids each in wire order and in one piece.
    ///
    /// Shape: `PushDataV3ApiWrapper`. Units: the registered market's scale; prices finer than it are an error,
    /// quantities are cut. `exchange_ts` is `sendTime`. Source: MEXC-WS-05, MEXC-WS-07, MEXC-WS-08.
    pub fn read(
        &self,
        frame: &[u8],
        markets: &Markets,
        levels: &mut Vec<Level>,
    ) -> Result<Reading, Unreadable> {
        let wrapper = Wrapper::read(frame).map_err(|what| Unreadable { symbol: None, what })?;
        let Some((start, end)) = wrapper.depth else { return Ok(Reading::Other) };
        let market = match wrapper.market(self.prefix, markets) {
            Ok(Some(market)) => market,
            Ok(None) => return Ok(Reading::Unregistered),
            Err(what) => return Err(Unreadable { symbol: None, what }),
        };
        let before = levels.len();
        let frame = Body { frame, start, end, scale: market.scale, usual_type: self.prefix.as_bytes() };
        match self.wide.enter(|wide| frame.read(wide, levels)) {
            Ok(changes) => Ok(Reading::Book(BookUpdate {
                symbol: market.id,
                kind: UpdateKind::Delta,
                first_seq: changes.first,
                last_seq: changes.last,
                exchange_ts: Timestamp::from_millis(wrapper.send_time),
                bids: changes.bids,
                asks: changes.asks,
            })),
            Err(what) => {
                levels.truncate(before);
                Err(Unreadable { symbol: Some(market.id), what })
            }
        }
    }
}

/// The wrapper's fields, texts still unchecked.
#[derive(Debug, Default)]
struct Wrapper<'f> {
    channel: &'f [u8],
    symbol: Option<&'f [u8]>,
    send_time: i64,
    /// Where the depth body lies.
    depth: Option<(usize, usize)>,
    bodies: u32,
}

impl<'f> Wrapper<'f> {
    /// The fields as they usually come, and nothing else: channel, symbol, time of sending, depth body.
    #[inline(always)]
    fn usual(frame: &'f [u8]) -> Option<Self> {
        let mut walk = Walk::new(frame, 0, frame.len());
        let (1, channel_start, channel_end) = walk.short_bytes()? else { return None };
        let (3, symbol_start, symbol_end) = walk.short_bytes()? else { return None };
        let Ok(Some((6, Value::Varint(millis)))) = walk.next() else { return None };
        let Ok(Some((BODY, Value::Bytes { start, end }))) = walk.next() else { return None };
        if end != frame.len() {
            return None;
        }
        Some(Self {
            channel: slice(frame, channel_start, channel_end),
            symbol: Some(slice(frame, symbol_start, symbol_end)),
            send_time: millis.cast_signed(),
            depth: Some((start, end)),
            bodies: 1,
        })
    }

    #[inline(always)]
    fn read(frame: &'f [u8]) -> Result<Self, &'static str> {
        match Self::usual(frame) {
            Some(wrapper) => Ok(wrapper),
            None => Self::read_in_any_order(frame),
        }
    }

    #[inline(never)]
    fn read_in_any_order(frame: &'f [u8]) -> Result<Self, &'static str> {
        let mut wrapper = Self::default();
        let mut walk = Walk::new(frame, 0, frame.len());
        while let Some((field, value)) = walk.next()? {
            match (field, value) {
                (1, Value::Bytes { start, end }) => {
                    // Of a repeated text the last counts, but each must be text.
                    check_text(wrapper.channel)?;
                    wrapper.channel = slice(frame, start, end);
                }
                (3, Value::Bytes { start, end }) => {
                    check_text(wrapper.symbol.unwrap_or_default())?;
                    wrapper.symbol = Some(slice(frame, start, end));
                }
                (4, Value::Bytes { start, end }) => check_text(slice(frame, start, end))?,
                (5, Value::Varint(_)) => {}
                (6, Value::Varint(millis)) => wrapper.send_time = millis.cast_signed(),
                (BODY, Value::Bytes { start, end }) => {
                    wrapper.depth = Some((start, end));
                    wrapper.bodies += 1;
                }
                (field, Value::Bytes { .. }) if BODIES.contains(&field) => wrapper.bodies += 1,
                (1 | 3..=6, _) => return Err("a field of the wrapper has another type"),
                (field, _) if BODIES.contains(&field) => return Err("a body is not a message"),
                (_, Value::Varint(_) | Value::Bytes { .. } | Value::Fixed) => {}
            }
        }
        if wrapper.bodies > 1 {
            return Err("two bodies in one frame");
        }
        Ok(wrapper)
    }

    /// The market the frame is about. The channel decides; where it is of another speed than ours, its end does. A
    /// frame that names no market at all is an error, since its book cannot be told.
    #[inline(always)]
    fn market<'m>(&self, prefix: &str, markets: &'m Markets) -> Result<Option<&'m Market>, &'static str> {
        let by_channel =
            self.channel.strip_prefix(prefix.as_bytes()).and_then(|native| markets.by_native(native));
        match (by_channel, self.symbol) {
            // Both are equal to known text, so neither needs a check of its own.
            (Some(market), Some(symbol)) if symbol == market.info.native.as_bytes() => Ok(Some(market)),
            _ => self.market_by_any_name(by_channel, markets),
        }
    }

    #[cold]
    #[inline(never)]
    fn market_by_any_name<'m>(
        &self,
        by_channel: Option<&'m Market>,
        markets: &'m Markets,
    ) -> Result<Option<&'m Market>, &'static str> {
        check_text(self.channel)?;
        check_text(self.symbol.unwrap_or_default())?;
        let tail = self.channel.iter().rposition(|byte| *byte == b'@').map(|at| &self.channel[at + 1..]);
        let named_by_channel = by_channel.map(|market| market.info.native.as_bytes()).or(tail);
        match (named_by_channel, self.symbol) {
            (None, None) => Err("no channel and no symbol"),
            (Some(channel), Some(symbol)) if channel != symbol => Err("channel and symbol name two markets"),
            (Some(native), _) | (None, Some(native)) => Ok(markets.by_native(native)),
        }
    }
}

/// Where a body lies and what its numbers mean.
#[derive(Clone, Copy)]
struct Body<'f> {
    frame: &'f [u8],
    start: usize,
    end: usize,
    scale: Scale,
    /// The channel up to the symbol: what `eventType` usually repeats.
    usual_type: &'f [u8],
}

/// The first byte of a level: field 1 or 2, a message.
const ASKS: u8 = 0x0a;
const BIDS: u8 = 0x12;

/// What a body says, its levels aside.
struct Changes {
    first: u64,
    last: u64,
    bids: LevelRange,
    asks: LevelRange,
}

/// The versions of a body, as far as they have been read.
#[derive(Default)]
struct Versions {
    first: Option<u64>,
    last: Option<u64>,
}

impl Versions {
    /// Both must be there and in order: only then may the levels be used.
    #[inline(always)]
    fn with_levels(self, bids: (usize, usize), asks: (usize, usize)) -> Result<Changes, &'static str> {
        let (Some(first), Some(last)) = (self.first, self.last) else { return Err("no version") };
        if first > last {
            return Err("versions run backwards");
        }
        Ok(Changes { first, last, bids: range(bids)?, asks: range(asks)? })
    }
}

/// An empty side lies nowhere.
#[inline(always)]
fn range((start, end): (usize, usize)) -> Result<LevelRange, &'static str> {
    if start == end {
        return Ok(LevelRange::default());
    }
    let index = |at: usize| u32::try_from(at).map_err(|_| "too many levels");
    Ok(LevelRange { start: index(start)?, end: index(end)? })
}

/// What a field of a body was.
#[derive(PartialEq, Eq)]
enum Kind {
    Level(BookSide),
    Other,
}

impl Body<'_> {
    #[inline(always)]
    fn read(self, wide: Wide, levels: &mut Vec<Level>) -> Result<Changes, &'static str> {
        let before = levels.len();
        match self.read_in_usual_order(wide, levels)? {
            Some(changes) => Ok(changes),
            None => {
                levels.truncate(before);
                self.read_in_any_order(wide, levels)
            }
        }
    }

    /// Asks, bids, and whatever follows, as long as that is no level. `None` when it is.
    #[inline(always)]
    fn read_in_usual_order(
        self,
        wide: Wide,
        levels: &mut Vec<Level>,
    ) -> Result<Option<Changes>, &'static str> {
        let mut walk = Walk::new(self.frame, self.start, self.end);
        let start = levels.len();
        let middle = self.run(wide, ASKS, &mut walk, levels)?;
        let end = self.run(wide, BIDS, &mut walk, levels)?;
        let mut versions = Versions::default();
        while let Some((field, value)) = walk.next()? {
            if self.field(field, value, &mut versions)? != Kind::Other {
                return Ok(None);
            }
        }
        versions.with_levels((middle, end), (start, middle)).map(Some)
    }

    /// Levels as they usually stand: those of a side one after the other, each a price and a quantity. Returns where
    /// the buffer ends.
    #[inline(always)]
    fn run(
        self,
        wide: Wide,
        key: u8,
        walk: &mut Walk<'_>,
        levels: &mut Vec<Level>,
    ) -> Result<usize, &'static str> {
        while let Some([price, qty]) = walk.pair_of_texts(key) {
            levels.push(self.numbers(wide, price, qty)?);
        }
        Ok(levels.len())
    }

    /// Sides that take turns, levels after versions, levels with fields in another order: legal, never seen. Each side
    /// is gathered in a walk of its own.
    #[cold]
    #[inline(never)]
    fn read_in_any_order(self, wide: Wide, levels: &mut Vec<Level>) -> Result<Changes, &'static str> {
        let start = levels.len();
        self.gather(wide, BookSide::Ask, levels)?;
        let middle = levels.len();
        let versions = self.gather(wide, BookSide::Bid, levels)?;
        versions.with_levels((middle, levels.len()), (start, middle))
    }

    fn gather(self, wide: Wide, wanted: BookSide, levels: &mut Vec<Level>) -> Result<Versions, &'static str> {
        let mut versions = Versions::default();
        let mut walk = Walk::new(self.frame, self.start, self.end);
        while let Some((field, value)) = walk.next()? {
            let kind = self.field(field, value, &mut versions)?;
            if let (true, Value::Bytes { start, end }) = (kind == Kind::Level(wanted), value) {
                levels.push(self.level(wide, start, end)?);
            }
        }
        Ok(versions)
    }

    #[inline(always)]
    fn field(self, field: u32, value: Value, versions: &mut Versions) -> Result<Kind, &'static str> {
        match (field, value) {
            (1, Value::Bytes { .. }) => return Ok(Kind::Level(BookSide::Ask)),
            (2, Value::Bytes { .. }) => return Ok(Kind::Level(BookSide::Bid)),
            (3, Value::Bytes { start, end }) => {
                let text = slice(self.frame, start, end);
                if !self.usual_type.starts_with(text) {
                    check_text(text)?;
                }
            }
            (4, Value::Bytes { start, end }) => versions.first = Some(self.version(start, end)?),
            (5, Value::Bytes { start, end }) => versions.last = Some(self.version(start, end)?),
            (6, Value::Varint(_)) => {}
            (1..=6, _) => return Err("a field of the body has another type"),
            (_, Value::Varint(_) | Value::Bytes { .. } | Value::Fixed) => {}
        }
        Ok(Kind::Other)
    }

    #[inline(always)]
    fn version(self, start: usize, end: usize) -> Result<u64, &'static str> {
        parse_u64(slice(self.frame, start, end)).map_err(|_| "a version is not a number")
    }

    /// A level whose fields may stand in any order, among others.
    #[cold]
    #[inline(never)]
    fn level(self, wide: Wide, start: usize, end: usize) -> Result<Level, &'static str> {
        let (mut price, mut qty) = (None, None);
        let mut walk = Walk::new(self.frame, start, end);
        while let Some((field, value)) = walk.next()? {
            match (field, value) {
                (1 | 2, Value::Bytes { start, end }) => {
                    check_text(slice(self.frame, start, end))?;
                    *(if field == 1 { &mut price } else { &mut qty }) = Some((start, end));
                }
                (1 | 2, _) => return Err("a field of a level has another type"),
                (_, Value::Varint(_) | Value::Bytes { .. } | Value::Fixed) => {}
            }
        }
        let (Some(price), Some(qty)) = (price, qty) else { return Err("a level without price or quantity") };
        self.numbers(wide, price, qty)
    }

    #[inline(always)]
    fn numbers(self, wide: Wide, price: (usize, usize), qty: (usize, usize)) -> Result<Level, &'static str> {
        let price = wide
            .parse_scaled_in(self.frame, price.0, price.1, self.scale.price_dp(), Finer::Refuse)
            .map_err(|_| "a price is no number or finer than its scale")?;
        let qty = wide
            .parse_scaled_in(self.frame, qty.0, qty.1, self.scale.qty_dp(), Finer::Cut)
            .map_err(|_| "a quantity is no number or too large")?;
        Ok(Level { price: Price(price), qty: Qty(qty) })
    }
}

#[inline(always)]
fn slice(frame: &[u8], start: usize, end: usize) -> &[u8] {
    frame.get(start..end).unwrap_or_default()
}

#[inline(always)]
fn check_text(bytes: &[u8]) -> Result<(), &'static str> {
    if bytes.is_empty() { Ok(()) } else { check_some_text(bytes) }
}

#[inline(never)]
fn check_some_text(bytes: &[u8]) -> Result<(), &'static str> {
    std::str::from_utf8(bytes).map(|_| ()).map_err(|_| "a text is not UTF-8")
}
