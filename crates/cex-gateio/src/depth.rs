//! The hot decoder: a book frame's bytes straight to levels. No allocation, no intermediate structs.
//!
//! [`template`] knows the one order of keys the exchange sends and reads numbers in place; at the first
//! difference it gives up, without a verdict. [`scan`] then reads the frame in whatever order it comes, and
//! it alone decides what a frame means or what is wrong with it. Both serve `spot.order_book_update` and
//! `spot.obu`, whose fields are the same (GATEIO-WS-10, GATEIO-WS-14). The serde shapes of the same frames
//! are the oracle of both, in the tests.

mod json;
mod scan;
mod template;

use crate::wire::Fault;
use cex_core::{BookUpdate, Level, LevelRange, Market, Markets, SymbolId, Timestamp, UpdateKind};
use cex_wide::Wide;

/// What a frame turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// Changes of a book or a whole one; its levels were appended.
    Update(BookUpdate),
    /// A book of a market that is not registered.
    Foreign,
    /// Not a book update: another channel, or an answer on a book channel.
    Other,
}

/// A book frame that cannot be used. Whatever levels it had were taken back.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed {
    /// Whose book it was, if that much could be read.
    pub(crate) symbol: Option<SymbolId>,
    /// What is wrong with it.
    pub(crate) fault: Fault,
}

/// Reads book frames.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DepthReader {
    wide: Wide,
}

impl DepthReader {
    /// Asks the processor once what it can do.
    pub(crate) fn new() -> Self {
        Self { wide: Wide::detect() }
    }

    /// Reads a frame of the usual form, appending its levels; `None` when it has another form, whatever it
    /// means.
    pub(crate) fn usual(
        &self,
        markets: &Markets,
        frame: &[u8],
        levels: &mut Vec<Level>,
    ) -> Option<BookUpdate> {
        let mark = levels.len();
        let update = self.wide.enter(|wide| template::read(wide, markets, frame, levels));
        if update.is_none() {
            levels.truncate(mark);
        }
        update
    }

    /// Reads a frame of any form, appending its levels.
    pub(crate) fn any(
        &self,
        markets: &Markets,
        frame: &[u8],
        levels: &mut Vec<Level>,
    ) -> Result<Frame, Malformed> {
        let mark = levels.len();
        let read = scan::read(self.wide, markets, frame, levels);
        if read.is_err() {
            levels.truncate(mark);
        }
        read
    }
}

/// The numbers of a frame beside its levels.
struct Head {
    full: bool,
    millis: u64,
    first: Option<u64>,
    last: u64,
}

impl Head {
    /// The update these numbers and levels make; `bids` and `asks` are where each side begins and ends.
    fn update(
        &self,
        market: &Market,
        bids: (usize, usize),
        asks: (usize, usize),
    ) -> Result<BookUpdate, Fault> {
        let range = |(start, end): (usize, usize)| {
            let index = |at| u32::try_from(at).map_err(|_| "too many levels");
            Ok::<_, Fault>(LevelRange { start: index(start)?, end: index(end)? })
        };
        let (kind, first_seq) = match (self.full, self.first) {
            // A whole book stands for itself: on one channel it carries `U`, on the other it does not
            // (GATEIO-WS-12).
            (true, _) => (UpdateKind::Snapshot, self.last),
            (false, Some(first)) if first <= self.last => (UpdateKind::Delta, first),
            (false, Some(_)) => return Err("first version after the last"),
            (false, None) => return Err("no first version"),
        };
        let millis = i64::try_from(self.millis).map_err(|_| "time out of range")?;
        Ok(BookUpdate {
            symbol: market.id,
            kind,
            first_seq,
            last_seq: self.last,
            exchange_ts: Timestamp::from_millis(millis),
            bids: range(bids)?,
            asks: range(asks)?,
        })
    }
}

/// The market of a book's name: `BTC_USDT`, or `ob.BTC_USDT.50` on `spot.obu`.
fn market_of<'m>(markets: &'m Markets, obu: bool, name: &[u8]) -> Option<&'m Market> {
    if !obu {
        return markets.by_native(name);
    }
    let rest = name.strip_prefix(b"ob.")?;
    let dot = rest.iter().rposition(|byte| *byte == b'.')?;
    let (native, depth) = (&rest[..dot], &rest[dot + 1..]);
    let counted = !depth.is_empty() && depth.iter().all(u8::is_ascii_digit);
    if counted { markets.by_native(native) } else { None }
}

#[cfg(test)]
mod tests;
