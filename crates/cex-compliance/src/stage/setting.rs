//! What a stage is like.

use cex_transport::TransportConfig;
use std::time::Duration;

/// What a stage is like. The default suits most behaviours: three symbols, no limits on either side, short pauses.
#[derive(Debug, Clone)]
pub struct Setting {
    /// Symbols of the simulated exchange.
    pub symbols: usize,
    /// How many of them are registered.
    pub registered: usize,
    /// Whether nobody trades but us: books hold a ladder of ten levels a side, and only behaviours change them.
    pub is_quiet: bool,
    /// Whether the exchange keeps its limits.
    pub exchange_limits: bool,
    /// Whether the adapter keeps its own budgets.
    pub own_limits: bool,
    /// Further options of the adapter.
    pub options: Vec<(String, String)>,
    /// How transport behaves towards the exchange.
    pub transport: TransportConfig,
}

impl Default for Setting {
    fn default() -> Self {
        let mut transport = TransportConfig::default();
        transport.links.backoff_base = Duration::from_millis(20);
        transport.links.backoff_cap = Duration::from_millis(250);
        transport.links.dial_spacing = Duration::from_millis(5);
        transport.links.stop_timeout = Duration::from_secs(1);
        transport.rest.market_timeout = Duration::from_secs(3);
        transport.rest.query_timeout = Duration::from_secs(3);
        transport.rest.cancel_timeout = Duration::from_secs(3);
        transport.rest.placement_timeout = Duration::from_secs(3);
        Self {
            symbols: 3,
            registered: 3,
            is_quiet: false,
            exchange_limits: false,
            own_limits: false,
            options: Vec::new(),
            transport,
        }
    }
}
