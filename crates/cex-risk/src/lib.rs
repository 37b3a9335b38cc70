//! What we refuse to do. Nobody but [`Gate`] can make an [`Approved`], and the order writer takes nothing else.
//!
//! | module | what |
//! |---|---|
//! | [`gate`] | [`Gate`]: checks a plan against every rule and reserves what it may spend, in one step |
//! | [`limits`] | [`Limits`] and [`Refusal`]: every rule, its parameter with its unit, and its reason in words |
//! | [`funds`] | [`Funds`]: what each venue holds, less what live orders may still spend |
//! | [`breaker`] | [`Breaker`] per venue, [`KillSwitch`]: stop openings, never closings |
#![forbid(unsafe_code)]

pub mod breaker;
pub mod funds;
pub mod gate;
pub mod limits;

pub use breaker::{Breaker, KillSwitch, OrderResult};
pub use funds::{Funds, FundsError};
pub use gate::{Approved, ArbitrageId, Conditions, Gate};
pub use limits::{Limits, Refusal};
