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
    /// Whose book can no longer be trusted; `None` when that cannot be told.
    pub symbol: Option<SymbolId>,
    /// What is wrong.
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
    #[inline]
    fn read(frame: &'f [u8]) -> Result<Self, &'static str> {
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
    #[inline]
    fn market<'m>(&self, prefix: &str, markets: &'m Markets) -> Result<Option<&'m Market>, &'static str> {
        let by_channel =
            self.channel.strip_prefix(prefix.as_bytes()).and_then(|native| markets.by_native(native));
        match (by_channel, self.symbol) {
            // Both are equal to known text, so neither needs a check of its own.
            (Some(market), Some(symbol)) if symbol == market.native().as_bytes() => Ok(Some(market)),
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
        let named_by_channel = by_channel.map(|market| market.native().as_bytes()).or(tail);
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

/// What a body says, its levels aside.
struct Changes {
    first: u64,
    last: u64,
    bids: LevelRange,
    asks: LevelRange,
}

/// The levels of one side, which must lie in one piece.
#[derive(Clone, Copy, Default)]
struct Piece {
    start: usize,
    end: usize,
}

impl Piece {
    fn range(self) -> Result<LevelRange, &'static str> {
        let index = |at: usize| u32::try_from(at).map_err(|_| "too many levels");
        Ok(LevelRange { start: index(self.start)?, end: index(self.end)? })
    }
}

impl Body<'_> {
    #[inline(always)]
    fn read(self, wide: Wide, levels: &mut Vec<Level>) -> Result<Changes, &'static str> {
        let before = levels.len();
        match self.walk(wide, None, levels)? {
            Some(changes) => Ok(changes),
            None => {
                levels.truncate(before);
                self.read_scattered(wide, levels)
            }
        }
    }

    /// Sides that take turns on the wire: legal, never seen. Each is gathered in a walk of its own.
    #[cold]
    #[inline(never)]
    fn read_scattered(self, wide: Wide, levels: &mut Vec<Level>) -> Result<Changes, &'static str> {
        let scattered = "a side in pieces";
        let asks = self.walk(wide, Some(BookSide::Ask), levels)?.ok_or(scattered)?;
        let bids = self.walk(wide, Some(BookSide::Bid), levels)?.ok_or(scattered)?;
        Ok(Changes { asks: asks.asks, ..bids })
    }

    /// Appends the levels of both sides, or of `only` one. `None` when a side did not lie in one piece.
    #[inline(always)]
    fn walk(
        self,
        wide: Wide,
        only: Option<BookSide>,
        levels: &mut Vec<Level>,
    ) -> Result<Option<Changes>, &'static str> {
        let (mut asks, mut bids) = (Piece::default(), Piece::default());
        let (mut first, mut last) = (None, None);
        let mut walk = Walk::new(self.frame, self.start, self.end);
        while let Some((field, value)) = walk.next()? {
            match (field, value) {
                (1 | 2, Value::Bytes { start, end }) => {
                    let (piece, side) =
                        if field == 1 { (&mut asks, BookSide::Ask) } else { (&mut bids, BookSide::Bid) };
                    if only.is_some_and(|only| only != side) {
                        continue;
                    }
                    let at = levels.len();
                    if piece.start == piece.end {
                        piece.start = at;
                    } else if piece.end != at {
                        return Ok(None);
                    }
                    levels.push(self.level(wide, start, end)?);
                    piece.end = at + 1;
                }
                (3, Value::Bytes { start, end }) => {
                    let text = slice(self.frame, start, end);
                    if !self.usual_type.starts_with(text) {
                        check_text(text)?;
                    }
                }
                (4, Value::Bytes { start, end }) => first = Some(self.version(start, end)?),
                (5, Value::Bytes { start, end }) => last = Some(self.version(start, end)?),
                (6, Value::Varint(_)) => {}
                (1..=6, _) => return Err("a field of the body has another type"),
                (_, Value::Varint(_) | Value::Bytes { .. } | Value::Fixed) => {}
            }
        }
        let (Some(first), Some(last)) = (first, last) else { return Err("no version") };
        if first > last {
            return Err("versions run backwards");
        }
        Ok(Some(Changes { first, last, bids: bids.range()?, asks: asks.range()? }))
    }

    #[inline(always)]
    fn version(self, start: usize, end: usize) -> Result<u64, &'static str> {
        parse_u64(slice(self.frame, start, end)).map_err(|_| "a version is not a number")
    }

    /// A level: price and quantity, usually in this order and nothing else.
    #[inline(always)]
    fn level(self, wide: Wide, start: usize, end: usize) -> Result<Level, &'static str> {
        match usual_level(slice(self.frame, start, end)) {
            Some(price_len) => {
                let price_end = start + 2 + price_len;
                self.numbers(wide, (start + 2, price_end), (price_end + 2, end))
            }
            None => self.unusual_level(wide, start, end),
        }
    }

    #[cold]
    #[inline(never)]
    fn unusual_level(self, wide: Wide, start: usize, end: usize) -> Result<Level, &'static str> {
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

/// The length of the price when `level` is exactly a price and a quantity of less than 128 bytes each.
#[inline(always)]
fn usual_level(level: &[u8]) -> Option<usize> {
    let [0x0a, price_len @ 0..0x80, rest @ ..] = level else { return None };
    let price_len = usize::from(*price_len);
    let [0x12, qty_len @ 0..0x80, qty @ ..] = rest.get(price_len..)? else { return None };
    (qty.len() == usize::from(*qty_len)).then_some(price_len)
}

#[inline(always)]
fn slice(frame: &[u8], start: usize, end: usize) -> &[u8] {
    frame.get(start..end).unwrap_or_default()
}

fn check_text(bytes: &[u8]) -> Result<(), &'static str> {
    std::str::from_utf8(bytes).map(|_| ()).map_err(|_| "a text is not UTF-8")
}
