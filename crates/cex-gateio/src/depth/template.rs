//! The usual form of a book frame, byte for byte. Anything else is `None`: the caller reads the frame the
//! slow way.

use super::{Head, market_of};
use cex_core::{BookUpdate, Level, Markets, Price, Qty, Scale};
use cex_wide::{Finer, Wide, find_byte};

/// Reads a frame of the usual form. On `None` some levels may have been appended; the caller takes them back.
#[inline(always)]
pub(super) fn read(
    wide: Wide,
    markets: &Markets,
    frame: &[u8],
    levels: &mut Vec<Level>,
) -> Option<BookUpdate> {
    let mut at = Cursor { bytes: frame, at: 0 };
    let obu = at.envelope()?;
    at.literal(b"{\"t\":")?;
    let millis = at.number()?;
    let full = at.literal(b",\"full\":true").is_some();
    if !obu {
        at.optional_depth()?;
        if at.literal(b",\"e\":\"depthUpdate\",\"E\":").is_some() {
            at.number()?;
        }
    }
    at.literal(b",\"s\":\"")?;
    let market = market_of(markets, obu, at.until_quote()?)?;
    let first = if at.literal(b",\"U\":").is_some() { Some(at.number()?) } else { None };
    at.literal(b",\"u\":")?;
    let last = at.number()?;
    let start = levels.len();
    if at.literal(b",\"b\":[").is_some() {
        at.levels(wide, market.scale, levels)?;
    }
    let middle = levels.len();
    if at.literal(b",\"a\":[").is_some() {
        at.levels(wide, market.scale, levels)?;
    }
    at.literal(b"}}")?;
    if at.at != frame.len() {
        return None;
    }
    let head = Head { full, millis, first, last };
    head.update(market, (start, middle), (middle, levels.len())).ok()
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    /// Steps over exactly these bytes, or stays.
    #[inline(always)]
    fn literal<const N: usize>(&mut self, expected: &[u8; N]) -> Option<()> {
        let found = self.bytes.get(self.at..)?.first_chunk::<N>()?;
        if found != expected {
            return None;
        }
        self.at += N;
        Some(())
    }

    /// Everything up to `"result":`, in either of the two orders the exchange sends; whether the channel is
    /// `spot.obu`.
    #[inline(always)]
    fn envelope(&mut self) -> Option<bool> {
        if self.literal(b"{\"time\":").is_some() {
            self.number()?;
            if self.literal(b",\"time_ms\":").is_some() {
                self.number()?;
            }
            self.literal(b",\"channel\":\"spot.order_book_update\",\"event\":\"update\",\"result\":")?;
            return Some(false);
        }
        self.literal(b"{\"channel\":\"spot.obu\",\"event\":\"update\",\"time\":")?;
        self.number()?;
        if self.literal(b",\"time_ms\":").is_some() {
            self.number()?;
        }
        self.literal(b",\"result\":")?;
        Some(true)
    }

    /// A count as JSON writes one, ended by a comma or a brace.
    #[inline(always)]
    fn number(&mut self) -> Option<u64> {
        let rest = self.bytes.get(self.at..)?;
        let digits = rest.iter().take(20).take_while(|byte| byte.is_ascii_digit()).count();
        let text = &rest[..digits];
        // JSON knows no leading zeros; a parser that took them would accept what the oracle refuses.
        if digits > 1 && text[0] == b'0' {
            return None;
        }
        self.at += digits;
        cex_wide::parse_u64(text).ok()
    }

    /// `,"l":"100"`, which older frames lack.
    #[inline(always)]
    fn optional_depth(&mut self) -> Option<()> {
        if self.literal(b",\"l\":\"").is_some() {
            let depth = self.until_quote()?;
            return depth.iter().all(u8::is_ascii_digit).then_some(());
        }
        Some(())
    }

    /// The bytes up to the next quote, and steps over it. The caller must not trust them to be a JSON string.
    #[inline(always)]
    fn until_quote(&mut self) -> Option<&'a [u8]> {
        let quote = find_byte(self.bytes, self.at, b'"')?;
        let text = &self.bytes[self.at..quote];
        self.at = quote + 1;
        Some(text)
    }

    /// `["price","qty"],..]`: the rest of an array whose bracket has been read.
    #[inline(always)]
    fn levels(&mut self, wide: Wide, scale: Scale, levels: &mut Vec<Level>) -> Option<()> {
        if self.literal(b"]").is_some() {
            return Some(());
        }
        loop {
            self.literal(b"[\"")?;
            let (price, quote) =
                wide.parse_quoted_in(self.bytes, self.at, scale.price_dp(), Finer::Refuse).ok()?;
            self.at = quote;
            self.literal(b"\",\"")?;
            let (qty, quote) = wide.parse_quoted_in(self.bytes, self.at, scale.qty_dp(), Finer::Cut).ok()?;
            self.at = quote;
            levels.push(Level { price: Price(price), qty: Qty(qty) });
            if self.literal(b"\"],").is_none() {
                return self.literal(b"\"]]");
            }
        }
    }
}
