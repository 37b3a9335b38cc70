//! What one writes first: library decoders with their own strings, floats in ordered maps, a version check. The baseline of
//! several budgets, and the books of the plain program.

use crate::workload::Frame;
use cex_core::{Level, Scale};
use cex_proto::mexc::{PublicAggreDepths, PushDataV3ApiWrapper, push_data_v3_api_wrapper::Body};
use ordered_float::OrderedFloat;
use prost::Message;
use serde::Deserialize;
use std::collections::BTreeMap;

type Side = BTreeMap<OrderedFloat<f64>, f64>;

/// A book.
pub struct NaiveBook {
    start: [Side; 2],
    sides: [Side; 2],
    first_seq: u64,
    last_seq: u64,
}

/// A `spot.order_book_update` frame.
#[derive(Deserialize)]
pub struct GateFrame {
    result: GateBook,
}

#[derive(Deserialize)]
struct GateBook {
    s: String,
    #[serde(rename = "U")]
    first: u64,
    #[serde(rename = "u")]
    last: u64,
    b: Vec<(String, String)>,
    a: Vec<(String, String)>,
}

impl GateFrame {
    /// Reads one; `None` for anything else.
    #[must_use]
    pub fn read(frame: &[u8]) -> Option<Self> {
        sonic_rs::from_slice(frame).ok()
    }

    /// Native symbol the book belongs to.
    #[must_use]
    pub fn native(&self) -> &str {
        &self.result.s
    }
}

/// A message with aggregated depth.
pub struct MexcFrame {
    native: String,
    depths: PublicAggreDepths,
}

impl MexcFrame {
    /// Reads one; `None` for anything else.
    #[must_use]
    pub fn read(frame: &[u8]) -> Option<Self> {
        let wrapper = PushDataV3ApiWrapper::decode(frame).ok()?;
        let Some(Body::PublicAggreDepths(depths)) = wrapper.body else { return None };
        Some(Self { native: wrapper.symbol?, depths })
    }

    /// Native symbol the book belongs to.
    #[must_use]
    pub fn native(&self) -> &str {
        &self.native
    }
}

impl NaiveBook {
    /// A book at a version.
    #[must_use]
    pub fn new(scale: Scale, start: &Frame, seq: u64) -> Self {
        let side = |levels: &[Level]| {
            let floats = |level: &Level| {
                (OrderedFloat(scale.price_value(level.price).as_f64()), scale.qty_value(level.qty).as_f64())
            };
            levels.iter().map(floats).collect()
        };
        let start = [side(&start.bids), side(&start.asks)];
        Self { sides: start.clone(), start, first_seq: seq, last_seq: seq }
    }

    /// A book at a version, from the rows of a snapshot.
    ///
    /// # Panics
    /// On a number that is none.
    #[must_use]
    pub fn from_rows(bids: &[(String, String)], asks: &[(String, String)], seq: u64) -> Self {
        let empty = [Side::new(), Side::new()];
        let mut book = Self { start: empty.clone(), sides: empty, first_seq: seq, last_seq: seq };
        for (side, rows) in [(0, bids), (1, asks)] {
            rows.iter().for_each(|(price, qty)| book.set(side, price, qty));
        }
        book.start = book.sides.clone();
        book
    }

    /// Back to the beginning. The last frame of a story leads there, so only the version begins anew; the first time it is
    /// there already.
    pub fn restart(&mut self) {
        self.last_seq = self.first_seq;
        if self.sides[0].is_empty() {
            self.sides = self.start.clone();
        }
    }

    /// Applies a frame; something that depends on the new best bid.
    ///
    /// # Panics
    /// On a gap or a number that is none.
    pub fn mexc(&mut self, frame: &MexcFrame) -> u64 {
        let depths = &frame.depths;
        self.check(depths.from_version.parse().expect("digits"), depths.to_version.parse().expect("digits"));
        for (side, items) in [(0, &depths.bids), (1, &depths.asks)] {
            for item in items {
                self.set(side, &item.price, &item.quantity);
            }
        }
        self.best()
    }

    /// The same for the other exchange.
    ///
    /// # Panics
    /// As [`Self::mexc`].
    pub fn gateio(&mut self, frame: &GateFrame) -> u64 {
        let book = &frame.result;
        self.check(book.first, book.last);
        for (side, items) in [(0, &book.b), (1, &book.a)] {
            for (price, qty) in items {
                self.set(side, price, qty);
            }
        }
        self.best()
    }

    /// Bids, best first.
    pub fn bids(&self) -> impl Iterator<Item = (f64, f64)> {
        self.sides[0].iter().rev().map(|(price, qty)| (price.0, *qty))
    }

    /// Asks, best first.
    pub fn asks(&self) -> impl Iterator<Item = (f64, f64)> {
        self.sides[1].iter().map(|(price, qty)| (price.0, *qty))
    }

    fn check(&mut self, first: u64, last: u64) {
        assert_eq!(first, self.last_seq + 1, "frames are contiguous");
        self.last_seq = last;
    }

    fn set(&mut self, side: usize, price: &str, qty: &str) {
        let (price, qty): (f64, f64) = (price.parse().expect("a number"), qty.parse().expect("a number"));
        if qty > 0.0 {
            self.sides[side].insert(OrderedFloat(price), qty);
        } else {
            self.sides[side].remove(&OrderedFloat(price));
        }
    }

    fn best(&self) -> u64 {
        self.sides[0].last_key_value().map_or(0, |(price, _)| price.to_bits())
    }
}
