//! The orders of an arbitrage, from sent to settled.
//!
//! Two sources say what an order did: order reports (cumulative quantity, final state) and fills (price, fee, trade
//! id). Money is booked from fills only, each once; reports only say how much must have been booked. An order is
//! *settled* when its end is known and every fill of it is booked; an arbitrage moves on when all its orders are.

mod arbitrage;
mod booked;
mod order;

pub use arbitrage::{Arbitrage, Arbitrages, Carried, Ending, Leveling, Outcome};
pub use booked::{Booked, OtherFee, OtherFees};
pub use order::{OrderRun, OrderState, Question};
