//! A book frame in any order of keys, with blanks, unknown keys and escapes. Slower than the template and
//! stricter: it decides what a frame means.

use super::json::{Token, Walker};
use super::{Frame, Head, Malformed, market_of};
use crate::wire::Fault;
use cex_core::{BookUpdate, Level, Market, Markets, Price, Qty};
use cex_wide::{Finer, Wide};
use std::borrow::Cow;

const NOT_JSON: Fault = "not JSON";
const TWICE: Fault = "a key stands twice";

/// Reads any frame. On an error some levels may have been appended; the caller takes them back.
pub(super) fn read(
    wide: Wide,
    markets: &Markets,
    frame: &[u8],
    levels: &mut Vec<Level>,
) -> Result<Frame, Malformed> {
    let nameless = |fault| Malformed { symbol: None, fault };
    let envelope = Envelope::of(frame).map_err(nameless)?;
    let obu = match envelope.channel.as_deref() {
        Some(b"spot.order_book_update") => false,
        Some(b"spot.obu") => true,
        _ => return Ok(Frame::Other),
    };
    // Samples of `spot.obu` lack the event; an answer always has it.
    if !matches!(envelope.event.as_deref(), None | Some(b"update")) {
        return Ok(Frame::Other);
    }
    let Some(Token::Nested(start)) = envelope.result else { return Err(nameless("no result")) };
    let result = Fields::of(frame, start).map_err(nameless)?;
    let name = result.name.and_then(Token::scalar).ok_or(nameless("no name"))?;
    let Some(market) = market_of(markets, obu, &name) else { return Ok(Frame::Foreign) };
    result
        .update(wide, market, frame, levels)
        .map(Frame::Update)
        .map_err(|fault| Malformed { symbol: Some(market.id), fault })
}

/// The parts of a message that tell what it is.
struct Envelope<'a> {
    channel: Option<Cow<'a, [u8]>>,
    event: Option<Cow<'a, [u8]>>,
    result: Option<Token<'a>>,
}

impl<'a> Envelope<'a> {
    fn of(frame: &'a [u8]) -> Result<Self, Fault> {
        let (mut channel, mut event, mut result) = (None, None, None);
        let mut walker = Walker::new(frame, 0);
        let mut fault = NOT_JSON;
        let walked = walker.object(|key, value| {
            let slot = match key.scalar()?.as_ref() {
                b"channel" => &mut channel,
                b"event" => &mut event,
                b"result" => &mut result,
                _ => return Some(()),
            };
            once(slot, value, &mut fault)
        });
        if walked.is_none() || !walker.at_end() {
            return Err(fault);
        }
        let text = |token: Option<Token<'a>>| match token {
            None | Some(Token::Null) => Ok(None),
            Some(token) => token.scalar().map(Some).ok_or("not a text"),
        };
        Ok(Self { channel: text(channel)?, event: text(event)?, result })
    }
}

/// Keeps the value of a key that must not come again.
fn once<'a>(slot: &mut Option<Token<'a>>, value: Token<'a>, fault: &mut Fault) -> Option<()> {
    if slot.replace(value).is_some() {
        *fault = TWICE;
        return None;
    }
    Some(())
}

/// The parts of a book update.
#[derive(Default)]
struct Fields<'a> {
    millis: Option<Token<'a>>,
    full: Option<Token<'a>>,
    name: Option<Token<'a>>,
    first: Option<Token<'a>>,
    last: Option<Token<'a>>,
    bids: Option<Token<'a>>,
    asks: Option<Token<'a>>,
}

impl<'a> Fields<'a> {
    fn of(frame: &'a [u8], start: usize) -> Result<Self, Fault> {
        let mut fields = Self::default();
        let mut fault = "the result is not an object";
        let walked = Walker::new(frame, start).object(|key, value| {
            let slot = match key.scalar()?.as_ref() {
                b"t" => &mut fields.millis,
                b"full" => &mut fields.full,
                b"s" => &mut fields.name,
                b"U" => &mut fields.first,
                b"u" => &mut fields.last,
                b"b" => &mut fields.bids,
                b"a" => &mut fields.asks,
                _ => return Some(()),
            };
            once(slot, value, &mut fault)
        });
        walked.map(|()| fields).ok_or(fault)
    }

    fn update(
        &self,
        wide: Wide,
        market: &Market,
        frame: &[u8],
        levels: &mut Vec<Level>,
    ) -> Result<BookUpdate, Fault> {
        let full = match self.full {
            None | Some(Token::Null | Token::False) => false,
            Some(Token::True) => true,
            Some(Token::Text(..) | Token::Number(_) | Token::Nested(_)) => {
                return Err("`full` is no boolean");
            }
        };
        let head = Head {
            full,
            millis: count(self.millis)?.unwrap_or(0),
            first: count(self.first)?,
            last: count(self.last)?.ok_or("no last version")?,
        };
        let start = levels.len();
        side(wide, market, frame, self.bids, levels)?;
        let middle = levels.len();
        side(wide, market, frame, self.asks, levels)?;
        head.update(market, (start, middle), (middle, levels.len()))
    }
}

/// A count, as a number or a text.
fn count(token: Option<Token<'_>>) -> Result<Option<u64>, Fault> {
    let token = match token {
        None | Some(Token::Null) => return Ok(None),
        Some(token) => token,
    };
    let text = token.scalar().ok_or("a count is neither number nor text")?;
    cex_wide::parse_u64(&text).map(Some).map_err(|_| "a count has other than digits, or too many")
}

/// The levels of a side; a side may be missing.
fn side(
    wide: Wide,
    market: &Market,
    frame: &[u8],
    side: Option<Token<'_>>,
    levels: &mut Vec<Level>,
) -> Result<(), Fault> {
    let start = match side {
        None | Some(Token::Null) => return Ok(()),
        Some(Token::Nested(start)) => start,
        Some(_) => return Err("a side is no array"),
    };
    let mut fault = "a level is not a pair";
    let walked = Walker::new(frame, start).array(|walker| {
        let (price, qty) = walker.pair()?;
        match level(wide, market, price, qty) {
            Ok(level) => levels.push(level),
            Err(what) => {
                fault = what;
                return None;
            }
        }
        Some(())
    });
    walked.ok_or(fault)
}

fn level(wide: Wide, market: &Market, price: Token<'_>, qty: Token<'_>) -> Result<Level, Fault> {
    let (price, qty) = price.scalar().zip(qty.scalar()).ok_or("a level is not of numbers")?;
    let price =
        wide.parse_scaled(&price, market.scale.price_dp(), Finer::Refuse).map_err(|_| "price of a level")?;
    let qty =
        wide.parse_scaled(&qty, market.scale.qty_dp(), Finer::Cut).map_err(|_| "quantity of a level")?;
    Ok(Level { price: Price(price), qty: Qty(qty) })
}
