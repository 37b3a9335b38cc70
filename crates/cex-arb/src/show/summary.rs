//! The end of a run, in numbers. The names are a promise to scripts.

use cex_engine::{Ending, Totals};
use hdrhistogram::Histogram;
use serde::Serialize;
use std::collections::BTreeMap;

/// One exchange.
#[derive(Debug, Clone, Default, Serialize, PartialEq, Eq)]
pub struct ExchangeRow {
    /// Messages received on public and private streams.
    pub frames: u64,
    /// Book frames taken in.
    pub book_updates: u64,
    /// Sequence gaps found.
    pub gaps: u64,
    /// Times a book was joined anew.
    pub resyncs: u64,
    /// Connections lost and made again.
    pub reconnects: u64,
    /// Connections replaced before they were lost.
    pub rotations: u64,
    /// Books usable at the end.
    pub books_live: u32,
}

/// Percentiles of one latency, in nanoseconds.
#[derive(Debug, Clone, Default, Serialize, PartialEq, Eq)]
pub struct Latency {
    /// Number of measurements.
    pub count: u64,
    /// Half are below.
    pub p50: u64,
    /// Nine in ten are below.
    pub p90: u64,
    /// 99 in 100 are below.
    pub p99: u64,
    /// 999 in 1,000 are below.
    #[serde(rename = "p99.9")]
    pub p99_9: u64,
    /// The worst.
    pub max: u64,
}

/// A named latency.
pub type LatencyRow = (&'static str, Latency);

impl From<&Histogram<u64>> for Latency {
    fn from(histogram: &Histogram<u64>) -> Self {
        let at = |quantile| histogram.value_at_quantile(quantile);
        Self {
            count: histogram.len(),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p99_9: at(0.999),
            max: histogram.max(),
        }
    }
}

/// Arbitrages by how they went.
#[derive(Debug, Clone, Default, Serialize, PartialEq, Eq)]
pub struct Arbitrages {
    /// Arbitrages whose legs left us.
    pub started: u64,
    /// Both legs filled the same.
    pub both_filled: u64,
    /// A difference was traded away.
    pub unwound: u64,
    /// At the end, not over yet: the fate of an order is unknown.
    pub unknown: u64,
    /// Neither leg filled.
    pub none_filled: u64,
    /// Neither leg left us, because one of them could not have.
    pub withheld: u64,
    /// A difference too small to trade stayed.
    pub dust: u64,
    /// A difference that could not be traded away stayed.
    pub parked: u64,
    /// What others had left over, fees above all, was traded away.
    pub swept: u64,
}

impl Arbitrages {
    /// From the engine's totals, and how many are not over.
    #[must_use]
    pub fn new(totals: &Totals, open: u32) -> Self {
        let ended = |ending| totals.ended.get(&ending).copied().unwrap_or(0);
        Self {
            started: totals.started,
            both_filled: ended(Ending::BothFilled),
            unwound: ended(Ending::Unwound),
            unknown: u64::from(open),
            none_filled: ended(Ending::NoneFilled),
            withheld: ended(Ending::Withheld),
            dust: ended(Ending::Dust),
            parked: ended(Ending::Parked) + ended(Ending::Unswept),
            swept: ended(Ending::Swept),
        }
    }
}

/// A holding that differs between our ledger and the exchange's.
#[derive(Debug, Clone, Default, Serialize, PartialEq, Eq)]
pub struct Mismatch {
    /// Venue the holding is at.
    pub venue: String,
    /// Asset that is held.
    pub asset: String,
    /// What our ledger says we hold, in units of the asset.
    pub ours: String,
    /// What the exchange says we hold, in units of the asset.
    pub theirs: String,
}

/// The end of a run. Money is exact decimal text in quote coin.
#[derive(Debug, Clone, Default, Serialize, PartialEq, Eq)]
pub struct Summary {
    /// Always `summary`.
    pub event: &'static str,
    /// What kind of run: `DEMO`, `OBSERVE`, `PAPER`, `LIVE`.
    pub run: &'static str,
    /// Seed of the market.
    pub seed: u64,
    /// How long it ran, in milliseconds.
    pub elapsed_ms: u64,
    /// From start to the first book usable on both exchanges, in milliseconds.
    pub first_book_ms: Option<u64>,
    /// Per exchange.
    pub exchanges: BTreeMap<String, ExchangeRow>,
    /// Opportunities ended, by verdict.
    pub opportunities: BTreeMap<String, u64>,
    /// Arbitrages.
    pub arbitrages: Arbitrages,
    /// What ended arbitrages were expected to make.
    pub pnl_expected: String,
    /// What they made by our own books, after all fees.
    pub pnl_realised: String,
    /// What of that are fees in an exchange's own coin, by what they count as; ledgers tell those in that coin.
    pub pnl_other_fees: String,
    /// What they made by the exchanges' own account ledgers, where those can be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pnl_ledger: Option<String>,
    /// The difference of the two, fees in an exchange's own coin aside: must be 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pnl_difference: Option<String>,
    /// Holdings that differ: must be none.
    pub ledger_mismatches: Vec<Mismatch>,
    /// Exchanges whose holdings were not compared, because the run ended before their account was read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ledgers_unread: Vec<String>,
    /// Fills that came after their order seemed settled, that were not ours, that were seen twice.
    pub odd_fills: [u64; 3],
    /// Things that must never happen, or that only a person can decide; each threw the kill switch.
    pub alarms: u64,
    /// Lines a slow terminal lost.
    pub lines_dropped: u64,
    /// Percentiles in nanoseconds.
    pub latency_ns: BTreeMap<&'static str, Latency>,
}
