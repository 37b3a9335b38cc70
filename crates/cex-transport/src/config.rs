//! Every bound and pause of transport, in one place, with its reason.

use crate::net::Dial;
use crate::tls::ExtraRoots;
use crate::ws::WsLimits;
use std::sync::Arc;
use std::time::Duration;

/// How transport behaves towards one venue. The defaults are meant for real exchanges.
#[derive(Debug, Clone, Default)]
pub struct TransportConfig {
    /// Roots trusted besides the public ones.
    pub extra_roots: ExtraRoots,
    /// Streaming connections.
    pub links: LinkConfig,
    /// The request interface.
    pub rest: RestConfig,
    /// Seed of all jitter: give each process its own, so that they do not all reconnect together.
    pub seed: u64,
    /// Who makes connections instead of sockets; `None` for sockets. For simulated networks.
    pub dialer: Option<Arc<dyn Dial>>,
}

/// How streaming connections behave.
#[derive(Debug, Clone)]
pub struct LinkConfig {
    /// What a server may send.
    pub limits: WsLimits,
    /// Connecting, TLS and the upgrade may take this long together.
    pub dial_timeout: Duration,
    /// A link that was told to start must ask to connect within this.
    pub start_timeout: Duration,
    /// A connection on which nothing came for this long is dead.
    pub idle_max: Duration,
    /// A connection on which no text or binary message came for this long is dead, whatever pings say.
    /// `None` where silence is normal and the exchange answers no text pings.
    pub data_idle_max: Option<Duration>,
    /// After this long without a frame a protocol-level ping is sent. `None` where the exchange dislikes them.
    pub ping_after: Option<Duration>,
    /// What was sent must have left within this, or the connection is dead.
    pub write_stall_max: Duration,
    /// Shortest pause before a connection is made again.
    pub backoff_base: Duration,
    /// Longest pause.
    pub backoff_cap: Duration,
    /// A connection that lived this long and brought data makes pauses short again.
    pub stable_after: Duration,
    /// Time between two connection attempts to the venue, of all links together: exchanges ban storms.
    pub dial_spacing: Duration,
    /// A connection is replaced after this long, by one that is heard before it is left. `None`: shortly before the
    /// exchange would cut it, where it does.
    pub rotate_after: Option<Duration>,
    /// An orderly end may take this long.
    pub stop_timeout: Duration,
    /// Calls one link may have on the way.
    pub calls_max: usize,
    /// Wishes for resubscription that may wait at one link.
    pub commands_max: usize,
    /// Events that may wait for the reader of a [`crate::client::Stream`], of each sort.
    pub queue_max: usize,
}

impl Default for LinkConfig {
    fn default() -> Self {
        Self {
            limits: WsLimits::default(),
            dial_timeout: Duration::from_secs(10),
            start_timeout: Duration::from_secs(60),
            idle_max: Duration::from_secs(30),
            data_idle_max: None,
            ping_after: Some(Duration::from_secs(10)),
            write_stall_max: Duration::from_secs(5),
            backoff_base: Duration::from_millis(250),
            backoff_cap: Duration::from_secs(30),
            stable_after: Duration::from_secs(30),
            dial_spacing: Duration::from_millis(50),
            rotate_after: None,
            stop_timeout: Duration::from_secs(3),
            calls_max: 8,
            commands_max: 1_024,
            queue_max: 16_384,
        }
    }
}

/// How the request interface behaves.
#[derive(Debug, Clone)]
pub struct RestConfig {
    /// Making a connection, TLS included, may take this long.
    pub connect_timeout: Duration,
    /// One attempt of a [`cex_interface::CallClass::MarketData`] call may take this long, connection included.
    pub market_timeout: Duration,
    /// The same for [`cex_interface::CallClass::Query`].
    pub query_timeout: Duration,
    /// The same for [`cex_interface::CallClass::Cancel`].
    pub cancel_timeout: Duration,
    /// The same for [`cex_interface::CallClass::Placement`]. Beyond it the order's fate is unknown.
    pub placement_timeout: Duration,
    /// A placement waits this long for a connection, and is given back unsent then: the price it was meant for is gone, and who
    /// closes a position can do it elsewhere. Long enough to dial.
    pub placement_wait_max: Duration,
    /// Largest body read; the rules of all symbols are some 3 MB.
    pub body_max: usize,
    /// Connections of placements and cancels, at most.
    pub order_connections: usize,
    /// Connections of account queries, at most.
    pub query_connections: usize,
    /// Connections of market data, at most.
    pub market_connections: usize,
    /// Connections of the order lane kept open and idle: the one in use, and a spare.
    pub warm: usize,
    /// An idle connection is closed after this, before the server does it while an order is on its way.
    pub idle_max: Duration,
    /// How often idle connections are looked after.
    pub upkeep_every: Duration,
    /// How long a call that waits for its budget does before it is refused.
    pub budget_wait_max: Duration,
    /// Added to every budget's window: departures are counted, the exchange counts arrivals.
    pub budget_spread: Duration,
    /// Part of each budget, in per cent, that is kept for cancels, hedges and urgent questions; `None` for what the adapter says.
    pub reserve_pct: Option<u8>,
    /// Beyond this error of the exchange's clock nothing is opened; see [`crate::VenueClock::for_call`] for everything else.
    pub clock_error_max: Duration,
    /// How often the exchange's clock is measured.
    pub clock_every: Duration,
    /// Questions in one measurement.
    pub clock_samples: usize,
}

impl Default for RestConfig {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(4),
            market_timeout: Duration::from_secs(5),
            query_timeout: Duration::from_secs(5),
            cancel_timeout: Duration::from_secs(10),
            placement_timeout: Duration::from_secs(10),
            placement_wait_max: Duration::from_secs(1),
            body_max: 16 << 20,
            order_connections: 8,
            query_connections: 4,
            market_connections: 4,
            warm: 2,
            idle_max: Duration::from_secs(20),
            upkeep_every: Duration::from_secs(1),
            budget_wait_max: Duration::from_secs(5),
            budget_spread: Duration::from_millis(50),
            reserve_pct: None,
            clock_error_max: Duration::from_millis(250),
            clock_every: Duration::from_secs(60),
            clock_samples: 5,
        }
    }
}
