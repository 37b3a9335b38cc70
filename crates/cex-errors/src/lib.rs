//! One taxonomy for everything that can go wrong between us and an exchange.
//!
//! A caller asks an [`ExchangeError`] two questions: [`ExchangeError::retry`] (may the same call be made again, and
//! when) and [`ExchangeError::outcome`] (did the exchange act on it). Only an adapter's `error.rs` maps the exchange's
//! own codes to an [`ErrorKind`]; everyone else looks at the kind.
#![forbid(unsafe_code)]

mod error;
mod kind;
mod op;

pub use error::{ApiCode, ExchangeError, Plain};
pub use kind::{ErrorKind, Outcome, Phase, Retry};
pub use op::Op;
