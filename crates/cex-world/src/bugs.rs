//! Bugs on purpose: a harness that cannot find planted bugs proves nothing (G21). Each breaks what stands between the exchanges
//! and the engine, or around its journal, as a careless adapter, transport, desk or start would; the engine itself is the one
//! that trades. Limits are broken by an engine that is told others than those it is judged by.

mod answers;
mod limits;
mod news;

use crate::check::Invariant;
use crate::day::{Day, Desk};
use crate::plan::Family;
use crate::run::{Options, run};
use cex_core::SymbolId;
use std::collections::BTreeMap;

macro_rules! bugs {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Something done wrong on purpose.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Bug {
            $($(#[$doc])* $name,)*
        }

        impl Bug {
            /// All of them.
            pub const ALL: [Self; [$(stringify!($name)),*].len()] = [$(Self::$name),*];
        }
    };
}

bugs! {
    /// A fill comes again under another number (W9).
    FillTwice,
    /// A fee is not booked (M5).
    FeeForgotten,
    /// A fill is booked at a price a little off (M1).
    PriceOff,
    /// A fill is booked on the wrong side.
    SideSwapped,
    /// A gap of the stream is papered over (B1).
    GapSkipped,
    /// One level of an update is lost (B1).
    LevelLost,
    /// Levels that are gone stay (B5).
    RemovalIgnored,
    /// A lost connection is not told (T1).
    LossUntold,
    /// Frames that could not be read, and all that could have shown it, are not told (W13).
    UndecodableUntold,
    /// A placement without an answer counts as refused (O5).
    UnknownIsRefused,
    /// A placement without an answer counts as never sent (O1).
    UnknownIsNotSent,
    /// A placement without an answer is made again (O3).
    PlacementRepeated,
    /// A leg that is told to be kept back leaves (O7).
    WithheldLegLeaves,
    /// Not found is believed at once (H8).
    AbsenceBelieved,
    /// The fills of an order are never asked for (W7).
    FillsNeverRead,
    /// The answer about an account before the last one counts as the last, and none is looked at twice (W16).
    StaleBalanceAdopted,
    /// An acknowledgement is read as the end (O11).
    AckIsFinal,
    /// Calls are signed ten seconds late (H4).
    SignedLate,
    /// The kill switch is not connected (K4).
    KillIgnored,
    /// An error shows a secret (X1).
    SecretShown,
    /// The ids of trades are cut to their last digit (W9).
    TradeIdsCut,
    /// A fee counts in another coin than it was taken in (M5).
    FeeInAnotherCoin,
    /// A fee is rounded to cents (M1).
    FeeRounded,
    /// An order that was cancelled in part is read as filled (O6).
    CanceledIsFilled,
    /// What an ended order filled is read as nothing (O6).
    FilledQtyLost,
    /// A price of an update is one unit off (B1).
    LevelPriceOff,
    /// A quantity of an update is ten times what it is (B1).
    LevelQtyOff,
    /// Balances are rounded to cents (M1).
    BalanceRounded,
    /// A snapshot is cut to its best levels (B10).
    SnapshotCut,
    /// A snapshot counts as one version newer than it is (B3).
    SnapshotAhead,
    /// Of the fills of an order only the first is taken (H7).
    FirstFillOnly,
    /// Frames count as come later than they did (T8).
    FramesLookFresh,
    /// An order leaves with twice the quantity that was approved (R36).
    QtyDoubled,
    /// An order leaves at a better price for the other side than was approved (R36).
    PriceWorse,
    /// The second leg of an arbitrage never leaves (O7).
    SecondLegForgotten,
    /// A closing order leaves twice, under two names (O3).
    ClosingTwice,
    /// A closing order never leaves (O7).
    ClosingForgotten,
    /// A closing order is on the wrong side (O15).
    ClosingFlipped,
    /// A placement is waited for without an end (T2).
    NoTimeout,
    /// The limit of a leg is read ten times too large (R4).
    LegLimitTenfold,
    /// How many arbitrages may be open is not looked at (R15).
    OpenUnlimited,
    /// What may be open in all is not looked at (R14).
    GrossUnlimited,
    /// Orders of a venue per second are not counted (R17).
    RateUnlimited,
    /// Orders of a symbol per second are not counted (R17).
    SymbolRateUnlimited,
    /// Orders at once are not counted (R17).
    BurstUnlimited,
    /// Orders per minute are not counted (R18).
    MinuteUnlimited,
    /// Orders per day are not counted (R18).
    DayUnlimited,
    /// What moves in a day is not counted (R18).
    DayNotionalUnlimited,
    /// Losses stop nothing (R20).
    LossesUnlimited,
    /// Profit may fall as far as it likes (R21).
    DrawdownUnlimited,
    /// A symbol that failed does not rest (R23).
    CooldownForgotten,
    /// The age of a book is not looked at (R7).
    AgeUnlimited,
    /// A later process gives its orders the names of an earlier one (O4).
    IdsBeginAnew,
    /// Legs are written down after they left (O19).
    IntentAfterSend,
    /// Closing orders are not written down (O19).
    ClosingUnwritten,
    /// Fills are not written down (P1).
    FillsUnwritten,
    /// That an arbitrage is over is not written down (P1).
    EndUnwritten,
    /// Records are not on disk when an order leaves (P2).
    SyncForgotten,
    /// A start goes on with nothing of what a crash left (P1).
    NothingAdopted,
    /// A start believes the first answer that an order is not known (H8).
    AbsenceBelievedAtStart,
    /// A start books fills without their fees (M5).
    FeeForgottenAtStart,
    /// What only an operator may end is over with a restart (K6).
    TripsForgotten,
    /// A halt is not written down (K4).
    HaltUnwritten,
    /// A start opens before what a crash left is level (P1).
    OpensBeforeLevel,
    /// A start after a loss of power does not look for orders of which no record tells (P2).
    NothingSought,
    /// An acknowledgement is not written down (K4).
    AcknowledgementUnwritten,
    /// An acknowledgement where nothing runs is written as one of a run that trades (P1).
    AcknowledgedByARun,
    /// What a crash left is level, and nothing may be opened all the same (P1).
    StaysCloseOnly,
    /// A breaker that opened lets no attempt through (R25).
    BreakerNeverTries,
    /// The position of a symbol is not looked at (R12).
    NetUnlimited,
    /// Where prices are is not looked at (R10).
    CollarsUnlimited,
    /// A symbol whose edge was not believed is not left alone (R11).
    QuarantineForgotten,
    /// What a venue holds is not looked at (R13).
    EquityUnlimited,
    /// The last of a coin is spent (R13).
    InventoryUnlimited,
}

/// The first seed in which a bug shows, and what it breaks; `None` when it does not within so many.
#[must_use]
pub fn find(bug: Bug, from: u64, seeds: u64) -> Option<(u64, Invariant)> {
    let options = Options { families: Family::ALL.to_vec(), bug: Some(bug), ..Options::default() };
    (from..from + seeds).find_map(|seed| {
        let report = run(seed, &options);
        report.violations.first().map(|violation| (seed, violation.invariant))
    })
}

/// A bug at work.
#[derive(Debug)]
pub(crate) struct Planted {
    pub(crate) bug: Bug,
    told: BTreeMap<SymbolId, u64>,
    count: u64,
}

impl Planted {
    pub(crate) const fn new(bug: Bug) -> Self {
        Self { bug, told: BTreeMap::new(), count: 0 }
    }

    /// Whether it is this time's turn: now and then, as bugs are.
    fn now_and_then(&mut self, every: u64) -> bool {
        self.count += 1;
        self.count.is_multiple_of(every)
    }
}

impl Day {
    /// Whether this bug is planted.
    pub(crate) fn has(&self, bug: Bug) -> bool {
        self.desk.has(bug)
    }
}

impl Desk {
    /// Whether this bug is planted.
    pub(crate) fn has(&self, bug: Bug) -> bool {
        self.bug.as_ref().is_some_and(|planted| planted.bug == bug)
    }
}
