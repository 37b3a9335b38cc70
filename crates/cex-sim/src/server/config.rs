//! What can be chosen about a simulator.

use super::tls::Certificate;
use crate::fault::Fault;
use crate::market::{MarketConfig, Mood, Tape};
use cex_core::{Asset, Decimal};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// One of the simulated exchanges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SimExchange {
    /// MEXC.
    Mexc,
    /// Gate.io.
    Gateio,
}

impl SimExchange {
    /// All of them, in the order of every table of the simulator and of the market's venues.
    pub const ALL: [Self; 2] = [Self::Mexc, Self::Gateio];

    /// The position in such a table.
    pub(super) const fn index(self) -> usize {
        self as usize
    }

    /// The name, as the rest of the house spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mexc => "mexc",
            Self::Gateio => "gateio",
        }
    }

    /// What it says before it closes a connection for its own reasons; `None` where it says nothing.
    #[must_use]
    pub const fn announcement(self) -> Option<&'static str> {
        match self {
            Self::Mexc => None,
            Self::Gateio => Some(crate::dialect::gateio::UPGRADE),
        }
    }
}

impl fmt::Display for SimExchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A client's account, the same on every exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimAccount {
    /// For people.
    pub name: String,
    /// API key. Not a secret worth hiding: it opens nothing but this simulator.
    pub key: String,
    /// API secret, of the same worth.
    pub secret: String,
    /// What its key may do.
    pub rights: Rights,
    /// Its group for self-trade prevention: orders of a group's accounts can be kept from meeting each other.
    pub stp_group: Option<u32>,
    /// What it has on each exchange at the start; `None` for what the market gives a client by default.
    pub deposits: Option<Vec<(Asset, Decimal)>>,
    /// What of it is exactly this much instead, such as more of one coin.
    pub also: Vec<(Asset, Decimal)>,
}

impl SimAccount {
    /// An account with this name, keys made from it, and default deposits.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let (key, secret) = (format!("{name}-key"), format!("{name}-secret"));
        Self {
            name: name.to_owned(),
            key,
            secret,
            rights: Rights::Trade,
            stp_group: None,
            deposits: None,
            also: Vec::new(),
        }
    }
}

/// What an API key may do. Each shortcoming meets the error that the real exchange answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rights {
    /// Read and trade, as a trading key should.
    Trade,
    /// Read only.
    ReadOnly,
    /// Nothing: it is too old.
    Expired,
    /// Everything, from an address that is not this machine's.
    IpBound,
    /// Withdraw too, which a trading key should not.
    Withdraw,
}

impl Rights {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Trade, Self::ReadOnly, Self::Expired, Self::IpBound, Self::Withdraw];

    /// As it is written down.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trade => "trade",
            Self::ReadOnly => "read-only",
            Self::Expired => "expired",
            Self::IpBound => "ip-bound",
            Self::Withdraw => "withdraw",
        }
    }
}

/// How exchanges treat their clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Profile {
    /// Every rule in its harshest reading: no client order id twice, narrow price bands, no market orders at MEXC, and coins
    /// whose names and states clients stumble over.
    Strict,
    /// What the references call normal.
    Normal,
    /// Normal, and something goes wrong every few seconds, as the seed decides.
    Hostile,
}

/// What a simulator is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimConfig {
    /// Seed of the market: the same seed gives the same prices, as far as the clock allows.
    pub seed: u64,
    /// Number of symbols that trade.
    pub symbols: usize,
    /// A recording to play instead of the seeded market; the symbols are its own then.
    pub tape: Option<Arc<Tape>>,
    /// How many divergences begin per minute, over all symbols together.
    pub divergences_per_minute: u32,
    /// How the seeded market feels.
    pub mood: Mood,
    /// Least and most by which an exchange's price departs in a divergence, in bps.
    pub divergence_bps: (u32, u32),
    /// Whether nobody but clients trades: books hold what [`SimHandle::set_book`](super::SimHandle::set_book) puts
    /// there, and a test decides what fills.
    pub is_quiet: bool,
    /// Port of MEXC on loopback; 0 for any.
    pub mexc_port: u16,
    /// Port of Gate.io on loopback; 0 for any.
    pub gateio_port: u16,
    /// Accounts that may trade.
    pub accounts: Vec<SimAccount>,
    /// How exchanges treat their clients.
    pub profile: Profile,
    /// Whether MEXC takes market orders; the strict one never does.
    pub mexc_market_orders: bool,
    /// Whether MEXC's lists of trades name the client order ids of their orders.
    pub mexc_names_in_trades: bool,
    /// How fast the market lives, in per cent of real time. Clocks and requests are not concerned.
    pub speed_percent: u32,
    /// Port of the control interface on loopback, 0 for any; `None` for none.
    pub control_port: Option<u16>,
    /// The certificate of the exchanges' ports; `None` for no TLS.
    pub tls: Option<Certificate>,
    /// What goes wrong, and how long after the start.
    pub faults: Vec<(Duration, SimExchange, Fault)>,
    /// Whether too many requests are refused as on the real exchanges.
    pub rate_limits: bool,
    /// How many frames may wait for a reader before it is too slow and is cut off.
    pub queue_frames: usize,
}

impl Default for SimConfig {
    /// The demo: its market, any free ports, one account called `rich`, no rate limits.
    fn default() -> Self {
        let market = MarketConfig::default();
        Self {
            seed: 1,
            symbols: market.symbols,
            tape: None,
            divergences_per_minute: market.divergences_per_minute,
            mood: market.mood,
            divergence_bps: market.divergence_bps,
            is_quiet: false,
            mexc_port: 0,
            gateio_port: 0,
            accounts: vec![SimAccount::new("rich")],
            profile: Profile::Normal,
            mexc_market_orders: true,
            mexc_names_in_trades: false,
            speed_percent: 100,
            control_port: None,
            tls: None,
            faults: Vec::new(),
            rate_limits: false,
            queue_frames: 4_096,
        }
    }
}

impl SimConfig {
    /// The port of an exchange.
    pub(super) const fn port(&self, exchange: SimExchange) -> u16 {
        match exchange {
            SimExchange::Mexc => self.mexc_port,
            SimExchange::Gateio => self.gateio_port,
        }
    }
}
