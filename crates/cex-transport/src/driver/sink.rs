//! Who hears what a link learned.

use cex_core::Timestamp;
use cex_interface::{Input, Outbox};

/// Where and when something came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Received {
    /// When the socket read that brought it returned; for what no socket brought, when it happened.
    pub read_at: Timestamp,
    /// Which connection of this link, counted from one; zero before the first. What carries an older number than the
    /// newest seen is from a connection that is gone.
    pub epoch: u32,
}

/// Hears what a link learned, on the driver's own thread, by a plain call: no queue, no lock, no task switch.
///
/// A sink that shares an engine with other sinks of the same thread holds an `Rc` of it; the driver is then run with
/// `spawn_local`. It must not wait for anything.
pub trait Sink {
    /// News of one call of [`cex_interface::Link::handle`] or [`cex_interface::Link::call`]: market events with their
    /// levels, account events, link events, answers to calls it carried. Effects are the driver's own business and not in
    /// here.
    fn deliver(&mut self, now: Timestamp, received: &Received, out: &mut Outbox);

    /// Everything one socket read, answer or deadline brought has been delivered: work that is worth doing once for many
    /// events belongs here. Does nothing unless overridden.
    fn settled(&mut self, now: Timestamp) {
        let _ = now;
    }

    /// Everything a link is told, before it is told: what a recorder writes down so that the same run can be played
    /// again. Does nothing unless overridden.
    fn observe(&mut self, now: Timestamp, received: &Received, input: &Input<'_>) {
        let _ = (now, received, input);
    }
}

impl<F: FnMut(Timestamp, &Received, &mut Outbox)> Sink for F {
    fn deliver(&mut self, now: Timestamp, received: &Received, out: &mut Outbox) {
        self(now, received, out);
    }
}
