//! What goes wrong on request: faults in front of, behind and inside the simulated exchanges. Sans-IO and seeded.
//!
//! A fault says *what* happens, *to which* calls, frames or orders, and *when*: after how many it lets pass, how
//! often, for how long. Each one that happens is entered into a log with its time and seed. Variants name the row of
//! the fault catalogue they are for (`T13`, `O1`).
//!
//! | module | what |
//! |---|---|
//! | `when` | skip, count, expiry |
//! | `rest` | calls: before the exchange sees them, or after it has acted |
//! | `ws` | frames and subscriptions |
//! | `venue` | the exchange itself: orders, rules, clock, keys |
//! | `spec` | faults as they are written down |
//! | `schedule` | a hostile day |
//! | `board` | all faults of a simulator, and the log |

mod board;
mod rest;
mod schedule;
mod spec;
mod venue;
mod when;
mod ws;

pub use board::{ActiveFault, Fired};
pub use rest::{Canned, Moment, RestEffect, RestFault};
pub use spec::{FaultSpec, SpecError};
pub use venue::{ForcedEnd, OrderEffect, OrderFault, Refused, VenueFault};
pub use when::When;
pub use ws::{Frames, Stream, WsEffect, WsFault};

pub(crate) use board::Board;
pub(crate) use schedule::Schedule;
pub(crate) use spec::exchange as exchange_named;
pub(crate) use when::Trigger;
pub(crate) use ws::{Fate, Seen, Wire, fate, payload};

use cex_core::Symbol;
use std::fmt;
use std::time::Duration;

/// The number of an injected fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FaultId(pub u64);

impl fmt::Display for FaultId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// What goes wrong, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// When it goes wrong, and how often. Once, unless told otherwise; venue states last until cleared.
    pub when: When,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultKind {
    /// A call.
    Rest(RestFault),
    /// A frame or a subscription.
    Ws(WsFault),
    /// An order, on its way through the exchange.
    Order(OrderFault),
    /// The exchange itself.
    Venue(VenueFault),
}

/// A fault that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{fault}: {problem}")]
pub struct BadFault {
    /// The fault, in words.
    pub fault: String,
    /// What is wrong with it, and how to mend it.
    pub problem: String,
}

impl Fault {
    /// The next call of this method (empty for any) whose path begins so.
    #[must_use]
    pub fn rest(method: &str, path: &str, moment: Moment, effect: RestEffect) -> Self {
        let (method, path) = (method.to_owned(), path.to_owned());
        Self { kind: FaultKind::Rest(RestFault { method, path, moment, effect }), when: When::once() }
    }

    /// The next data frame on such a connection that has all of these texts in it: a channel, a symbol.
    #[must_use]
    pub fn ws(stream: Stream, contains: &[&str], effect: WsEffect) -> Self {
        let contains = contains.iter().map(|text| (*text).to_owned()).collect();
        let fault = WsFault { stream, frames: Frames::Data, contains, effect };
        Self { kind: FaultKind::Ws(fault), when: When::once() }
    }

    /// The next order of any client in any market.
    #[must_use]
    pub const fn order(effect: OrderEffect) -> Self {
        let fault = OrderFault { account: None, symbol: None, effect };
        Self { kind: FaultKind::Order(fault), when: When::once() }
    }

    /// The exchange itself, until cleared.
    #[must_use]
    pub const fn venue(fault: VenueFault) -> Self {
        Self { kind: FaultKind::Venue(fault), when: When::always() }
    }

    /// Only answers to what clients say, or all frames, instead of data.
    #[must_use]
    pub fn on(mut self, frames: Frames) -> Self {
        if let FaultKind::Ws(fault) = &mut self.kind {
            fault.frames = frames;
        }
        self
    }

    /// Only orders of this account.
    #[must_use]
    pub fn of_account(mut self, name: &str) -> Self {
        if let FaultKind::Order(fault) = &mut self.kind {
            fault.account = Some(name.to_owned());
        }
        self
    }

    /// Only orders in this symbol.
    #[must_use]
    pub const fn in_symbol(mut self, symbol: Symbol) -> Self {
        if let FaultKind::Order(fault) = &mut self.kind {
            fault.symbol = Some(symbol);
        }
        self
    }

    /// Lets this many pass first.
    #[must_use]
    pub const fn skip(mut self, skip: u64) -> Self {
        self.when.skip = skip;
        self
    }

    /// Happens this often.
    #[must_use]
    pub const fn times(mut self, count: u64) -> Self {
        self.when.count = Some(count);
        self
    }

    /// Happens every time, until cleared or over.
    #[must_use]
    pub const fn always(mut self) -> Self {
        self.when.count = None;
        self
    }

    /// Is over after this time, whatever happened.
    #[must_use]
    pub const fn lasting(mut self, lasts: Duration) -> Self {
        self.when.lasts = Some(lasts);
        self
    }

    /// Refuses what can never happen.
    pub(crate) fn check(&self) -> Result<(), BadFault> {
        let problem = match &self.kind {
            FaultKind::Rest(fault) => fault.problem(),
            FaultKind::Ws(fault) => fault.problem(),
            FaultKind::Order(fault) => fault.problem(),
            FaultKind::Venue(fault) => fault.problem(),
        };
        let problem =
            problem.or((self.when.count == Some(0)).then_some("a count of 0 never happens; leave it out"));
        match problem {
            None => Ok(()),
            Some(problem) => Err(BadFault { fault: self.to_string(), problem: problem.to_owned() }),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            FaultKind::Rest(fault) => write!(f, "{fault}")?,
            FaultKind::Ws(fault) => write!(f, "{fault}")?,
            FaultKind::Order(fault) => write!(f, "{fault}")?,
            FaultKind::Venue(fault) => write!(f, "{fault}")?,
        }
        write!(f, "{}", self.when)
    }
}
