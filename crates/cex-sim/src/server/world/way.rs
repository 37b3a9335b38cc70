//! How long things take between a client and an exchange, and what goes wrong on the way.

use cex_core::Timestamp;
use std::fmt;
use std::time::Duration;

/// A network without trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NetworkConfig {
    /// One way, at least.
    pub latency: Duration,
    /// Added at most, each time anew.
    pub jitter: Duration,
}

/// Direction between client and exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// From the client to the exchange.
    Out,
    /// From the exchange to the client.
    Back,
    /// Both.
    Both,
}

/// What goes wrong on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Everything takes longer (T8).
    Slow {
        /// Direction that is slow.
        route: Route,
        /// How much longer everything takes.
        by: Duration,
        /// How long the trouble lasts.
        lasts: Duration,
    },
    /// Nothing arrives (T2, T3, T4): in the end all of it does, or every connection breaks.
    Loss {
        /// Direction in which nothing arrives.
        route: Route,
        /// How long the trouble lasts.
        lasts: Duration,
        /// Whether connections break in the end.
        resets: bool,
    },
    /// One connection breaks (T1).
    ResetOne,
    /// All connections break (T11).
    CutAll,
    /// Nobody can connect (T9).
    Refuse {
        /// How long the trouble lasts.
        lasts: Duration,
    },
}

/// Where in tables of the two ways.
pub(super) const OUT: usize = 0;
pub(super) const BACK: usize = 1;

/// Both ways between the client and one exchange.
#[derive(Debug)]
pub(super) struct Ways {
    network: NetworkConfig,
    slow: [(Timestamp, Duration); 2],
    lost_until: [Timestamp; 2],
    refused_until: Timestamp,
}

impl Ways {
    pub(super) const fn new(network: NetworkConfig) -> Self {
        Self {
            network,
            slow: [(Timestamp::EPOCH, Duration::ZERO); 2],
            lost_until: [Timestamp::EPOCH; 2],
            refused_until: Timestamp::EPOCH,
        }
    }

    /// The most that chance adds.
    pub(super) const fn jitter(&self) -> Duration {
        self.network.jitter
    }

    /// When something said now arrives, with this much bad luck.
    pub(super) fn arrives_at(&self, now: Timestamp, way: usize, luck: Duration) -> Timestamp {
        let (slow_until, by) = self.slow[way];
        let extra = if now < slow_until { by } else { Duration::ZERO };
        let at = now + self.network.latency + luck + extra;
        // What was lost is sent again once something gets through.
        if now < self.lost_until[way] {
            at.max(self.lost_until[way] + self.network.latency + luck)
        } else {
            at
        }
    }

    pub(super) fn slow(&mut self, route: Route, by: Duration, until: Timestamp) {
        ways(route).for_each(|way| self.slow[way] = (until, by));
    }

    pub(super) fn lose(&mut self, route: Route, until: Timestamp) {
        ways(route).for_each(|way| self.lost_until[way] = self.lost_until[way].max(until));
    }

    pub(super) fn refuse_until(&mut self, until: Timestamp) {
        self.refused_until = self.refused_until.max(until);
    }

    /// Whether a connection attempt that arrives now is refused.
    pub(super) fn refuses(&self, now: Timestamp) -> bool {
        now < self.refused_until
    }

    /// Nothing new goes wrong from now on.
    pub(super) const fn calm(&mut self) {
        *self = Self::new(self.network);
    }
}

fn ways(route: Route) -> impl Iterator<Item = usize> {
    let both = match route {
        Route::Out => [Some(OUT), None],
        Route::Back => [Some(BACK), None],
        Route::Both => [Some(OUT), Some(BACK)],
    };
    both.into_iter().flatten()
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Out => "out",
            Self::Back => "back",
            Self::Both => "both ways",
        })
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slow { route, by, lasts } => {
                write!(f, "net.delay {route} by {} ms, for {} ms", by.as_millis(), lasts.as_millis())
            }
            Self::Loss { route, lasts, resets } => {
                let end = if *resets { ", then reset" } else { "" };
                write!(f, "net.loss {route}, for {} ms{end}", lasts.as_millis())
            }
            Self::ResetOne => f.write_str("net.rst of one connection"),
            Self::CutAll => f.write_str("net.rst of all connections"),
            Self::Refuse { lasts } => write!(f, "net.refuse for {} ms", lasts.as_millis()),
        }
    }
}
