//! What we refuse to do. Nobody but [`Gate`] can make an [`Approved`], and the order writer takes nothing else.
//!
//! | module | what |
//! |---|---|
//! | [`gate`] | [`Gate`]: checks a plan against every rule and reserves what it may spend, in one step |
//! | [`limits`] | [`Limits`]: every rule's parameter, with its unit |
//! | [`refusal`] | [`Refusal`]: every rule's reason in words |
//! | [`mode`] | [`Mode`]: what the operator allows |
//! | [`trip`] | [`Trip`]: rules that stop more than the plan at hand |
//! | [`dust`] | [`DustBook`]: what ended arbitrages left over |
//! | [`funds`] | [`Funds`]: what each venue holds, less what live orders may still spend |
//! | [`breaker`] | [`Breaker`] per venue and symbol, [`KillSwitch`]: stop openings, never closings |
//! | `symbol`, `venue` | position, pauses and averages of a symbol; health, pace and wallets of a venue |
//! | `stops` | the trips that stop one scope |
//! | `pace`, `losses` | orders per second, minute and day; loss per arbitrage, hour and day |
#![forbid(unsafe_code)]

pub mod breaker;
pub mod dust;
pub mod funds;
pub mod gate;
pub mod limits;
mod losses;
pub mod mode;
mod pace;
pub mod refusal;
mod stops;
mod symbol;
pub mod trip;
mod venue;

pub use breaker::{Breaker, KillSwitch, OrderResult};
pub use dust::{Dust, DustBook};
pub use funds::{Funds, FundsError};
pub use gate::{
    Approved, ArbitrageId, BookFacts, Conditions, CycleEnd, CycleSums, Gate, JournalState, Recall, Rows,
    Standing,
};
pub use limits::Limits;
pub use mode::Mode;
pub use pace::{OrderWindow, OrderWindows};
pub use refusal::Refusal;
pub use trip::{Scope, Trip, Until};
pub use venue::{Chains, Wallet};
