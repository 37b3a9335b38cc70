//! Two books, a jump that makes them cross, and what is wrong with it.

use crate::chance::Chance;

/// What makes an edge one that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trap {
    /// The other book has not been heard of for long (T8, B9).
    Stale,
    /// Both books are young, but not equally (B9).
    UnequalAge,
    /// The frame comes now and tells of long ago (W14).
    Skewed,
    /// The same ticker is another coin (M12).
    OtherCoin,
    /// What is bought cannot be sent to where it is sold, or the other way (M14).
    ClosedWallet,
    /// Nobody has heard of the wallets for long (M14).
    OldWallet,
    /// One exchange counts in tens, hundreds or thousands of what the other counts in (M13).
    Redenominated,
    /// An edge that is too good (X11).
    TooGood,
    /// A book that crosses itself (B4).
    Crossed,
    /// A book with a hole in its sequence (B1).
    Gapped,
    /// A book whose connection is gone (T1).
    Disconnected,
    /// It will be delisted within the guard (M15).
    Delisting,
    /// It is suspended, one-sided, flagged, or not to be traded by programs (H14, M15).
    Suspended,
    /// It is paid for in another coin (M10).
    OtherQuote,
    /// The frame tells of a time to come (W14).
    Ahead,
}

impl Trap {
    pub(crate) const ALL: [Self; 15] = [
        Self::Stale,
        Self::UnequalAge,
        Self::Skewed,
        Self::OtherCoin,
        Self::ClosedWallet,
        Self::OldWallet,
        Self::Redenominated,
        Self::TooGood,
        Self::Crossed,
        Self::Gapped,
        Self::Disconnected,
        Self::Delisting,
        Self::Suspended,
        Self::OtherQuote,
        Self::Ahead,
    ];
}

/// How a symbol cannot be traded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Suspension {
    Halted,
    BuyOnly,
    SellOnly,
    NotByPrograms,
    Flagged,
}

/// How a coin is another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OtherCoin {
    Contract,
    Chain,
    NotTold,
}

/// A level as distance from the middle in ticks, and its worth in quote.
pub(crate) type Shape = Vec<(i64, i64)>;

/// One scenario; ticks, basis points, milliseconds, quote.
#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    pub(crate) trap: Trap,
    /// Middle of both books before the jump.
    pub(crate) mid_ticks: i64,
    pub(crate) price_dp: u8,
    pub(crate) fees_bps: [i64; 2],
    /// Index of the venue where it is bought.
    pub(crate) buy: usize,
    /// Whose book jumps: where to sell up, where to buy down.
    pub(crate) mover: usize,
    /// Net edge of the jump at the tops.
    pub(crate) net_bps: i64,
    /// By venue: bids and asks.
    pub(crate) shapes: [[Shape; 2]; 2],
    /// How old the other book is when the first jumps.
    pub(crate) age_ms: i64,
    /// How far the jump's own time lies back, or ahead.
    pub(crate) skew_ms: i64,
    /// How long before wallets were told.
    pub(crate) wallets_s: i64,
    /// The one of four doors that is closed.
    pub(crate) door: usize,
    pub(crate) factor: i64,
    pub(crate) delisted_in_h: i64,
    pub(crate) suspension: Suspension,
    pub(crate) other_coin: OtherCoin,
    /// At which exchange the trap lies, where it lies at one.
    pub(crate) at: usize,
}

impl Scenario {
    /// A scenario of a trap.
    pub(crate) fn new(trap: Trap, chance: &mut Chance) -> Self {
        let price_dp = u8::try_from(chance.between(1, 6)).expect("small");
        let mid_ticks = chance.between(30_000, 2_000_000);
        let half_bps = chance.between(1, 4);
        let buy = chance.one_of(&[0, 1]);
        let shape = |chance: &mut Chance| {
            let mut at = mid_ticks * half_bps / 10_000;
            let levels = (0..5).map(|_| {
                let level = (at.max(1), chance.between(120, 2_500));
                at += 1 + mid_ticks * chance.between(1, 3) / 10_000;
                level
            });
            levels.collect::<Shape>()
        };
        let shapes = [(); 2].map(|()| [shape(chance), shape(chance)]);
        Self {
            trap,
            mid_ticks,
            price_dp,
            fees_bps: [chance.between(0, 20), chance.between(0, 20)],
            buy,
            mover: chance.one_of(&[0, 1]),
            net_bps: match trap {
                Trap::TooGood => chance.between(320, 1_500),
                _other => chance.between(16, 110),
            },
            shapes,
            age_ms: match trap {
                Trap::Stale => chance.between(501, 5_000),
                Trap::UnequalAge => chance.between(301, 500),
                _other => chance.between(1, 250),
            },
            skew_ms: match trap {
                Trap::Ahead => chance.between(1_251, 20_000),
                _other => chance.between(1_001, 20_000),
            },
            wallets_s: chance.between(61, 200),
            door: chance.one_of(&[0, 1, 2, 3]),
            factor: chance.one_of(&[10, 100, 1_000]),
            delisted_in_h: chance.between(-48, 24),
            suspension: chance.one_of(&[
                Suspension::Halted,
                Suspension::BuyOnly,
                Suspension::SellOnly,
                Suspension::NotByPrograms,
                Suspension::Flagged,
            ]),
            other_coin: chance.one_of(&[OtherCoin::Contract, OtherCoin::Chain, OtherCoin::NotTold]),
            at: usize::from(chance.coin()),
        }
    }

    /// Where to sell.
    pub(crate) const fn sell(&self) -> usize {
        1 - self.buy
    }

    /// Middle of the book that jumps, after the jump: the best bid of where to sell is above the best ask of where to buy by
    /// the fees and the edge.
    pub(crate) fn jumped_mid(&self, trapped: bool) -> i64 {
        if trapped && self.trap == Trap::Redenominated {
            return if self.mover == self.buy {
                (self.mid_ticks / self.factor).max(10)
            } else {
                self.mid_ticks * self.factor
            };
        }
        // Without its trap an edge that is too good is one that is good.
        let net = if trapped || self.trap != Trap::TooGood { self.net_bps } else { self.net_bps % 90 + 20 };
        let gross_bps = net + self.fees_bps[0] + self.fees_bps[1];
        let half = |venue: usize, side: usize| self.shapes[venue][side].first().map_or(1, |level| level.0);
        let (bid_off, ask_off) = (half(self.sell(), 0), half(self.buy, 1));
        // One basis point more than asked for, so that rounding to ticks and fees of fees never take it below.
        let gap =
            self.mid_ticks * (gross_bps + 1 + gross_bps * gross_bps / 10_000) / 10_000 + bid_off + ask_off;
        if self.mover == self.buy { self.mid_ticks - gap } else { self.mid_ticks + gap }
    }
}
