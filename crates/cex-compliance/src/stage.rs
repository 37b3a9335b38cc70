//! A simulator, an adapter opened against it, and the truth beside it.

mod bare;
mod opening;
mod orders;
mod quiet;
mod setting;
mod waiting;

pub use bare::bare_call;
pub use orders::sum;
pub use setting::Setting;
pub use waiting::{PATIENCE, now_or_never, until};

use crate::behaviour::{Failure, Verdict};
use crate::program::Cast;
use crate::subject::Subject;
use crate::wire::Wire;
use cex_core::{Decimal, Market, Markets, Symbol, SymbolId, Timestamp, VenueId};
use cex_interface::{Capabilities, Protocol, PublicExchange, Secret, VenueConfig};
use cex_sim::fault::{Fault, FaultId};
use cex_sim::market::{Market as Seeded, MarketConfig};
use cex_sim::matching::MarketRules;
use cex_sim::server::{AccountLedger, SimAccount, SimConfig, SimExchange, SimHandle, SimServer};
use cex_transport::metrics::LatencySnapshot;
use cex_transport::{Client, TransportConfig};
use opening::{connect, dialect, unnamed, venue_config};
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// What a stage saw, for the report.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// Calls made.
    pub calls: u64,
    /// Calls that failed.
    pub failed: u64,
    /// Frames received.
    pub frames: u64,
    /// Round trips of the commonest call.
    pub round_trip: Option<LatencySnapshot>,
    /// What was measured against a threshold.
    pub measured: Vec<Measured>,
}

/// A figure and the threshold it was held against, in microseconds unless its name says otherwise.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// Name of what was measured.
    pub name: &'static str,
    /// The figure.
    pub value: f64,
    /// The most it may be.
    pub at_most: f64,
}

/// A simulator with an adapter opened against it, or the adapter alone against the real exchange.
pub struct Stage {
    /// The adapter under test.
    pub exchange: Subject,
    /// Its codec.
    pub protocol: Arc<dyn Protocol>,
    /// The relay between it and the simulator.
    pub wire: Option<Wire>,
    sim: Option<SimHandle>,
    sim_exchange: SimExchange,
    rules: Vec<MarketRules>,
    cast: Cast,
    setting: Setting,
    venue: VenueId,
    next_id: Cell<u64>,
    others: RefCell<Vec<Subject>>,
    measured: RefCell<Vec<Measured>>,
}

impl Stage {
    /// Starts a simulator and opens the adapter against it.
    ///
    /// # Errors
    /// When the simulator knows no such exchange, or the adapter does not open.
    pub async fn open(cast: &Cast, setting: Setting) -> Result<Self, Failure> {
        let sim_exchange = dialect(cast)?;
        let config = SimConfig {
            symbols: setting.symbols,
            divergences_per_minute: 0,
            rate_limits: setting.exchange_limits,
            is_quiet: setting.is_quiet,
            accounts: vec![SimAccount::new("subject"), SimAccount::new("other")],
            ..SimConfig::default()
        };
        let rules =
            Seeded::new(config.seed, MarketConfig { symbols: setting.symbols, ..MarketConfig::default() });
        let index = SimExchange::ALL.iter().position(|one| *one == sim_exchange).unwrap_or(0);
        let rules = rules.rules(index);
        let sim = SimServer::start(config)?;
        let endpoint = sim.endpoint(sim_exchange);
        let wire = Wire::start(&endpoint.rest, &endpoint.ws).await;
        let wire = wire.map_err(|error| Failure::new("a free port for the relay", error))?;
        let account = sim.accounts()[0].clone();
        let config = venue_config(cast, &setting, &wire, &account)?;
        let venue = config.venue;
        let (exchange, protocol) = connect(cast, config, setting.transport.clone()).await?;
        let stage = Self {
            exchange,
            protocol,
            wire: Some(wire),
            sim: Some(sim),
            sim_exchange,
            rules,
            cast: *cast,
            setting,
            venue,
            next_id: Cell::new(0),
            others: RefCell::default(),
            measured: RefCell::default(),
        };
        if stage.setting.is_quiet {
            quiet::fill_books(&stage)?;
        }
        stage.exchange.init(&stage.symbols()).await?;
        Ok(stage)
    }

    /// Lets something go wrong at the exchange.
    ///
    /// # Errors
    /// When the fault makes no sense.
    pub fn inject(&self, fault: Fault) -> Result<FaultId, Failure> {
        Ok(self.sim()?.inject(self.sim_exchange, fault)?)
    }

    /// How often injected faults happened so far.
    ///
    /// # Errors
    /// When the simulator has stopped.
    pub fn fired(&self) -> Result<usize, Failure> {
        Ok(self.sim()?.fired()?.len())
    }

    /// Opens the adapter against the real exchange: public data only, no keys.
    ///
    /// # Errors
    /// When the exchange cannot be reached.
    pub async fn open_live(cast: &Cast, symbols: &[Symbol]) -> Result<Self, cex_errors::ExchangeError> {
        let name = cast.registration.name;
        let venue = VenueId::new(0, name).unwrap_or_else(|_| unnamed());
        let protocol = (cast.registration.open)(VenueConfig::public(venue))?;
        let client = Client::connect(Arc::clone(&protocol), TransportConfig::default()).await?;
        let exchange = Subject::new(client);
        exchange.init(symbols).await?;
        Ok(Self {
            exchange,
            protocol,
            wire: None,
            sim: None,
            sim_exchange: SimExchange::ALL[0],
            rules: Vec::new(),
            cast: *cast,
            setting: Setting::default(),
            venue,
            next_id: Cell::new(0),
            others: RefCell::default(),
            measured: RefCell::default(),
        })
    }

    /// Whether this is the real exchange.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        self.sim.is_none()
    }

    /// What the adapter claims.
    #[must_use]
    pub fn claims(&self) -> &Capabilities {
        self.exchange.capabilities()
    }

    /// The venue under test.
    #[must_use]
    pub const fn venue(&self) -> VenueId {
        self.venue
    }

    /// What is tried, and how.
    #[must_use]
    pub const fn cast(&self) -> &Cast {
        &self.cast
    }

    /// The rules of the simulated exchange, in the order of its symbols.
    #[must_use]
    pub fn rules(&self) -> &[MarketRules] {
        &self.rules
    }

    /// The symbols to register.
    #[must_use]
    pub fn symbols(&self) -> Vec<Symbol> {
        self.rules.iter().take(self.setting.registered).map(|rules| rules.symbol).collect()
    }

    /// The registered markets.
    #[must_use]
    pub fn markets(&self) -> Arc<Markets> {
        self.exchange.markets()
    }

    /// The registered market at this position.
    ///
    /// # Errors
    /// When there are fewer.
    pub fn market(&self, index: usize) -> Result<Market, Failure> {
        let markets = self.markets();
        let market = markets.iter().nth(index).cloned();
        market.ok_or_else(|| Failure::new(format_args!("{} markets", index + 1), markets.len()))
    }

    /// The simulator.
    ///
    /// # Errors
    /// Against the real exchange.
    pub fn sim(&self) -> Result<&SimHandle, Failure> {
        self.sim.as_ref().ok_or_else(|| Failure::new("a simulator", "the real exchange"))
    }

    /// The relay in front of it.
    ///
    /// # Errors
    /// Against the real exchange.
    pub fn wire(&self) -> Result<&Wire, Failure> {
        self.wire.as_ref().ok_or_else(|| Failure::new("a relay", "the real exchange"))
    }

    /// Which simulated exchange it is.
    #[must_use]
    pub const fn sim_exchange(&self) -> SimExchange {
        self.sim_exchange
    }

    /// What the exchange itself has on record of our account.
    ///
    /// # Errors
    /// When the simulator has stopped.
    pub fn truth(&self) -> Result<AccountLedger, Failure> {
        self.truth_of("subject")
    }

    /// The same of another account.
    ///
    /// # Errors
    /// When the simulator has stopped.
    pub fn truth_of(&self, name: &str) -> Result<AccountLedger, Failure> {
        let ledger = self.sim()?.ledger()?;
        let account = ledger.account(self.sim_exchange, name).cloned();
        account.ok_or_else(|| Failure::new("an account on record", "none"))
    }

    /// Resets all connections.
    ///
    /// # Errors
    /// When the simulator has stopped.
    pub fn cut(&self) -> Verdict {
        Ok(self.sim()?.cut_connections(self.sim_exchange)?)
    }

    /// The adapter opened once more: with other options, keys, budgets or pauses.
    ///
    /// # Errors
    /// When it does not open.
    pub async fn another(
        &self,
        change: impl FnOnce(&mut VenueConfig, &mut TransportConfig),
    ) -> Result<Subject, Failure> {
        let (mut config, mut transport) = (self.config()?, self.setting.transport.clone());
        change(&mut config, &mut transport);
        let (exchange, _protocol) = connect(&self.cast, config, transport).await?;
        exchange.init(&self.symbols()).await?;
        self.others.borrow_mut().push(exchange.clone());
        Ok(exchange)
    }

    /// The adapter opened for the other account, which trades with ours.
    ///
    /// # Errors
    /// When it does not open.
    pub async fn other(&self) -> Result<Subject, Failure> {
        let account = self.sim()?.accounts()[1].clone();
        self.another(move |config, _| {
            config.key = Secret::new(account.key);
            config.secret = Secret::new(account.secret);
        })
        .await
    }

    /// How the adapter was configured.
    ///
    /// # Errors
    /// Against the real exchange.
    pub fn config(&self) -> Result<VenueConfig, Failure> {
        let account = self.sim()?.accounts()[0].clone();
        venue_config(&self.cast, &self.setting, self.wire()?, &account)
    }

    /// The codec alone, under another configuration.
    ///
    /// # Errors
    /// What is wrong with it, in the adapter's words.
    pub fn codec(
        &self,
        change: impl FnOnce(&mut VenueConfig),
    ) -> Result<Result<Arc<dyn Protocol>, cex_errors::ExchangeError>, Failure> {
        let mut config = self.config()?;
        change(&mut config);
        Ok((self.cast.registration.open)(config).map(|protocol| self.cast.broken(protocol)))
    }

    /// Our clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_nanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
    }

    /// What was seen so far, by all clients of this stage.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let mut sum = Figures::default();
        let others = self.others.borrow();
        for one in others.iter().chain([&self.exchange]) {
            let health = one.health();
            sum.calls += health.calls.0;
            sum.failed += health.calls.1;
            sum.frames += health.frames;
            for (_, call) in one.client().call_metrics().calls() {
                if sum.round_trip.is_none_or(|most| most.count < call.round_trip.count) {
                    sum.round_trip = Some(call.round_trip);
                }
            }
        }
        sum.measured.clone_from(&self.measured.borrow());
        sum
    }

    /// Notes a figure for the report, and fails when it is beyond its threshold.
    ///
    /// # Errors
    /// When the figure is too large.
    pub fn measure(&self, name: &'static str, value: f64, at_most: f64) -> Verdict {
        self.measured.borrow_mut().push(Measured { name, value, at_most });
        if value > at_most {
            return Err(Failure::new(
                format_args!("{name} of at most {at_most:.0}"),
                format_args!("{value:.1}"),
            ));
        }
        Ok(())
    }

    /// An unregistered symbol's id.
    #[must_use]
    pub const fn nobodys_symbol(&self) -> SymbolId {
        SymbolId(9_999)
    }
}

impl std::fmt::Debug for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stage").field("venue", &self.venue).finish_non_exhaustive()
    }
}

/// A decimal written out.
///
/// # Errors
/// When it is none.
pub fn decimal(text: &str) -> Result<Decimal, Failure> {
    Ok(text.parse()?)
}
