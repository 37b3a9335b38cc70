//! Turns any [`cex_interface::Link`] into a running connection.
//!
//! | module | what |
//! |---|---|
//! | [`sink`] | [`Sink`]: who hears what a link learned, by a plain call on the driver's thread |
//! | [`handle`] | [`LinkHandle`]: asks a running link to resubscribe, reconnect or stop |
//! | [`network`] | [`Network`]: what a driver needs of the world, so that tests can fake it |
//! | [`run`] | [`drive`]: the one loop; `life` and `effects` are its parts |
//! | [`rotate`] | [`Rotation`]: a connection replaced before the exchange cuts it; `merge` hears two as one |

mod book_keeping;
mod effects;
mod feed;
pub mod handle;
mod life;
mod merge;
pub mod network;
mod phase;
pub mod rotate;
pub mod run;
pub mod sink;

pub use handle::{LinkCommands, LinkHandle, link_channel};
pub use network::{BoxFuture, DialBudget, Network, VenueNetwork};
pub use rotate::Rotation;
pub use run::{DriveContext, drive, drive_rotating};
pub use sink::{Received, Sink};

#[cfg(test)]
mod tests;
