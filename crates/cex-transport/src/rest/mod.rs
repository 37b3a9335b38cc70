//! The request interface of a venue over HTTP.
//!
//! | module | what |
//! |---|---|
//! | [`interface`] | [`Rest`]: typed calls with budgets, timeouts and repeats; a placement is never sent twice |
//! | [`call`] | [`CallStamps`], [`Answer`], [`Started`]: what a call says of its times, and calls begun at once |
//! | [`prepared`] | [`Prepared`]: a call ready to leave, so that two orders leave together or not at all |
//! | `policy` | what each [`cex_interface::CallClass`] may take |
//! | `pool` | connections of one lane, so that orders never wait behind market data |
//! | `conn` | one connection of the HTTP library, and whether any byte of a call was handed to it |
//! | `direct`, `answer` | one connection for orders: a request is one write; the answer to it |
//! | `upkeep` | the exchange's clock, and connections kept warm |
//!
//! Repeats are decided here and nowhere else: the HTTP library is used one connection at a time, below its own pool, so
//! nothing can send a request again behind our back.

mod answer;
pub mod call;
mod conn;
mod direct;
pub mod interface;
mod message;
mod policy;
mod pool;
pub mod prepared;
mod upkeep;

pub use call::{Answer, CallStamps, Started};
pub use interface::Rest;
pub use prepared::Prepared;
