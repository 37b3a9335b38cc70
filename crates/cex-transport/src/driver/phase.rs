//! Where a link stands between two connections, and when something is due there.

use super::network::BoxFuture;
use crate::config::LinkConfig;
use crate::ws::WsConn;
use cex_core::Timestamp;
use cex_errors::ExchangeError;

/// The life of a link, over and over.
pub(super) enum Phase<S> {
    /// Nothing stands; the next start is at `until`. `None`: there will be none. `reserved`: the moment was taken from
    /// the venue's budget of connection attempts.
    Resting { until: Option<Timestamp>, reserved: bool },
    /// Told to start; has not asked to connect yet.
    Starting { deadline: Timestamp },
    /// Connecting.
    Dialing { attempt: BoxFuture<Result<WsConn<S>, ExchangeError>>, deadline: Timestamp },
    /// Connected.
    Open(Box<Open<S>>),
}

/// A connection that stands.
pub(super) struct Open<S> {
    pub(super) ws: WsConn<S>,
    pub(super) opened_at: Timestamp,
    pub(super) last_frame_at: Timestamp,
    pub(super) last_data_at: Timestamp,
    /// When the last ping of ours went out, if nothing came since.
    pub(super) pinged: bool,
    pub(super) brought_data: bool,
    /// When what was sent began to be held up; `None` while it leaves.
    pub(super) stalled_since: Option<Timestamp>,
}

impl<S> Open<S> {
    pub(super) fn new(ws: WsConn<S>, now: Timestamp) -> Self {
        Self {
            ws,
            opened_at: now,
            last_frame_at: now,
            last_data_at: now,
            pinged: false,
            brought_data: false,
            stalled_since: None,
        }
    }

    /// Why this connection counts as dead at `now`, if it does.
    pub(super) fn dead_because(&self, now: Timestamp, config: &LinkConfig) -> Option<&'static str> {
        let due = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
        if due(Some(self.last_frame_at + config.idle_max)) {
            return Some("nothing came for too long");
        }
        if due(config.data_idle_max.map(|most| self.last_data_at + most)) {
            return Some("no data came for too long");
        }
        if due(self.stalled_since.map(|since| since + config.write_stall_max)) {
            return Some("what was sent could not leave");
        }
        None
    }

    /// When a ping of ours is due.
    pub(super) fn ping_at(&self, config: &LinkConfig) -> Option<Timestamp> {
        config.ping_after.filter(|_| !self.pinged).map(|after| self.last_frame_at + after)
    }

    fn due_at(&self, config: &LinkConfig) -> Timestamp {
        [
            self.ping_at(config),
            config.data_idle_max.map(|most| self.last_data_at + most),
            self.stalled_since.map(|since| since + config.write_stall_max),
        ]
        .into_iter()
        .flatten()
        .fold(self.last_frame_at + config.idle_max, Timestamp::min)
    }
}

impl<S> Phase<S> {
    /// When something is due, if anything is.
    pub(super) fn due_at(&self, config: &LinkConfig) -> Option<Timestamp> {
        match self {
            Self::Resting { until, .. } => *until,
            Self::Starting { deadline } | Self::Dialing { deadline, .. } => Some(*deadline),
            Self::Open(open) => Some(open.due_at(config)),
        }
    }
}
