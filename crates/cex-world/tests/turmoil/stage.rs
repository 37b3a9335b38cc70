//! The hosts: two exchanges, and the trader as `arb` wires it.

use crate::road::{PORTS, Roads};
use cex_arb::run::desk::Desk;
use cex_arb::run::venue::{Venue, shared_markets};
use cex_arb::show::{Show, Told, Viewer};
use cex_arb::venues::EXCHANGES;
use cex_core::{Asset, Bps, Decimal, Market, Markets, Timestamp, VenueId};
use cex_engine::{Engine, EngineConfig};
use cex_interface::{Secret, VenueConfig};
use cex_orderbook::WatchLimits;
use cex_risk::{Limits, Mode};
use cex_sim::server::{EmbeddedSim, SimAccount, SimConfig, SimExchange};
use cex_transport::{Clock, LinkConfig, TransportConfig};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use turmoil::net::TcpListener;

/// The account that trades.
pub(crate) const ACCOUNT: &str = "rich";

/// The trader's host; the exchanges' are named as they are.
pub(crate) const TRADER: &str = "trader";

/// When every simulation begins.
pub(crate) const START: Timestamp = Timestamp::from_secs(1_800_000_000);

/// What a simulation is made of.
pub(crate) struct Setting {
    pub(crate) seed: u64,
    pub(crate) sim: SimConfig,
    /// Each message takes at least and at most so long: what is sent on two connections overtakes.
    pub(crate) latency: (Duration, Duration),
    /// Virtual time, at most.
    pub(crate) lasts: Duration,
}

impl Setting {
    pub(crate) fn new(seed: u64) -> Self {
        let sim = SimConfig {
            seed,
            symbols: 2,
            divergences_per_minute: 200,
            // Some of the exchange's own coin too, enough for a few fees.
            accounts: vec![SimAccount { also: vec![(mx(), Decimal::new(2, 1))], ..SimAccount::new(ACCOUNT) }],
            ..SimConfig::default()
        };
        let latency = (Duration::from_millis(1), Duration::from_millis(25));
        Self { seed, sim, latency, lasts: Duration::from_secs(600) }
    }

    /// Nobody trades but the client, and what is sent arrives within a millisecond.
    pub(crate) fn quiet(seed: u64) -> Self {
        let new = Self::new(seed);
        let latency = (Duration::from_millis(1), Duration::from_millis(1));
        Self { sim: SimConfig { is_quiet: true, ..new.sim }, latency, ..new }
    }
}

/// What a scenario plays on.
#[derive(Clone)]
pub(crate) struct Stage {
    pub(crate) seed: u64,
    pub(crate) sim: EmbeddedSim,
    pub(crate) roads: Roads,
    pub(crate) clock: Clock,
}

/// The coin of MEXC, in which it takes fees on request.
pub(crate) fn mx() -> Asset {
    Asset::new("MX").expect("short")
}

/// Plays a scenario on the trader's host to its end.
pub(crate) fn play<F>(setting: Setting, scenario: impl FnOnce(Stage) -> F + 'static)
where
    F: Future<Output = ()> + 'static,
{
    let Setting { seed, sim, latency, lasts } = setting;
    let mut network = turmoil::Builder::new()
        .rng_seed(seed)
        .tick_duration(Duration::from_millis(1))
        .min_message_latency(latency.0)
        .max_message_latency(latency.1)
        .tcp_capacity(256)
        .simulation_duration(lasts)
        .build();
    let sim = EmbeddedSim::new(sim, START);
    for exchange in SimExchange::ALL {
        let sim = sim.clone();
        network.host(exchange.name(), move || listen(sim.clone(), exchange));
    }
    network.client(TRADER, async move {
        let stage = Stage { seed, sim, roads: Roads::default(), clock: Clock::anchored(START) };
        scenario(stage).await;
        Ok(())
    });
    if let Err(error) = network.run() {
        panic!("seed {seed}: {error}");
    }
}

/// An exchange's host. The first also carries the time of both.
async fn listen(sim: EmbeddedSim, exchange: SimExchange) -> Result<(), Box<dyn std::error::Error>> {
    if exchange == SimExchange::ALL[0] {
        let (sim, clock) = (sim.clone(), Clock::anchored(START));
        tokio::task::spawn_local(async move {
            loop {
                tokio::time::sleep(Duration::from_millis(1)).await;
                sim.advance(clock.now());
            }
        });
    }
    let listener = TcpListener::bind(("0.0.0.0", PORTS[exchange as usize])).await?;
    loop {
        let (stream, peer) = listener.accept().await?;
        sim.serve(exchange, stream, peer.ip());
    }
}

impl Stage {
    /// Opens both venues, as `arb` does.
    pub(crate) async fn venues(&self, links: &LinkConfig) -> (Vec<Venue>, Vec<Arc<Markets>>) {
        let (mut venues, mut rules) = (Vec::new(), Vec::new());
        for (index, registration) in EXCHANGES.iter().enumerate() {
            let transport = TransportConfig {
                seed: self.seed ^ index as u64,
                links: links.clone(),
                dialer: Some(Arc::new(self.roads.clone())),
                ..TransportConfig::default()
            };
            let opened = Venue::open(registration, venue_config(index), transport, self.clock).await;
            let (venue, stated) = opened.unwrap_or_else(|failure| panic!("seed {}: {failure}", self.seed));
            venues.push(venue);
            rules.push(stated);
        }
        let ids: Vec<_> = venues.iter().map(|venue| venue.id).collect();
        let markets = shared_markets(&ids, rules).unwrap_or_else(|failure| panic!("{failure}"));
        for (exchange, market) in SimExchange::ALL.into_iter().zip(&markets) {
            for market in market.iter() {
                self.sim.watch(exchange, market.symbol(), market.scale).expect("a market that trades");
            }
        }
        (venues, markets)
    }

    /// Opens the trader and starts its links.
    pub(crate) async fn trader(&self, links: LinkConfig, mode: Mode) -> Trader {
        let (mut venues, markets) = self.venues(&links).await;
        let (mut setups, mut pending) = (Vec::new(), Vec::new());
        for (venue, markets) in venues.iter_mut().zip(&markets) {
            let setup = venue.setup(Arc::clone(markets)).await;
            setups.push(setup.unwrap_or_else(|failure| panic!("{failure}")).0);
            let started = venue.start(markets, mode == Mode::Active);
            pending.extend(started.unwrap_or_else(|failure| panic!("{failure}")));
        }
        let epoch = u64::try_from(self.clock.now().as_millis()).unwrap_or(0);
        let settings = EngineConfig { mode, ..settings() };
        let engine = Engine::new(settings.clone(), &setups, epoch);
        let viewer = Rc::new(Viewer::spawn(Box::new(Nobody), |_| ()).expect("a thread"));
        let desk = Desk::new(engine, venues, self.clock, self.clock.now(), viewer);
        desk.keep_marks();
        let links = pending.into_iter().map(|link| link.run(&desk)).collect();
        let helpers = vec![
            tokio::task::spawn_local(desk.clone().wake()),
            tokio::task::spawn_local(desk.clone().report()),
            tokio::task::spawn_local(desk.clone().watch()),
            tokio::task::spawn_local(desk.clone().rehearse(settings, setups)),
        ];
        Trader { stage: self.clone(), desk, markets, links, helpers }
    }

    pub(crate) async fn sleep(&self, millis: u64) {
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }
}

fn venue_config(index: usize) -> VenueConfig {
    let account = SimAccount::new(ACCOUNT);
    let id = VenueId::new(u8::try_from(index).expect("few"), EXCHANGES[index].name).expect("short");
    let path = ["/ws", "/ws/v4/"][index];
    VenueConfig {
        rest_url: Some(format!("http://127.0.0.1:{}", PORTS[index])),
        ws_url: Some(format!("ws://127.0.0.1:{}{path}", PORTS[index])),
        key: Secret::new(account.key),
        secret: Secret::new(account.secret),
        ..VenueConfig::public(id)
    }
}

/// The demo's settings, whose bounds are the tightest there are.
fn settings() -> EngineConfig {
    EngineConfig {
        limits: Limits {
            max_leg_notional: Decimal::from(500),
            max_open_per_symbol: 1,
            max_open: 8,
            max_book_age: Duration::from_millis(1_500),
            max_age_gap: Duration::from_millis(1_500),
            max_venue_age: Duration::from_secs(2),
            min_edge: Bps::from_bps(1),
            max_edge: Bps::from_bps(300),
            max_orders_per_second: 8,
            cooldown: Duration::from_secs(1),
            max_cooldown: Duration::from_secs(1),
            max_unknown: 1,
            max_failures: 5,
            breaker_pause: Duration::from_secs(5),
            ..Limits::boundless()
        },
        mode: Mode::Active,
        wallet_max_age: Duration::from_secs(60),
        expires_in: Duration::from_millis(1_500),
        decision_ttl: Duration::from_millis(50),
        settle: Duration::from_millis(50),
        max_unwind: Bps::from_bps(50),
        max_closings: 3,
        max_naked: Duration::from_secs(6),
        venue_lag: Duration::from_secs(2),
        account_refresh: Duration::from_secs(10),
        max_snapshots: 4,
        book_depth: 200,
        watch: WatchLimits::default(),
        max_pause: Duration::from_secs(1),
    }
}

/// Nobody looks.
struct Nobody;

impl Show for Nobody {
    fn tell(&mut self, _: &Told) -> std::io::Result<()> {
        Ok(())
    }
}

/// The running trader.
pub(crate) struct Trader {
    pub(crate) stage: Stage,
    pub(crate) desk: Desk,
    pub(crate) markets: Vec<Arc<Markets>>,
    links: Vec<JoinHandle<()>>,
    helpers: Vec<JoinHandle<()>>,
}

impl Trader {
    /// Every market, with the exchange it is at.
    pub(crate) fn all_markets(&self) -> impl Iterator<Item = (SimExchange, &Market)> {
        SimExchange::ALL
            .into_iter()
            .zip(&self.markets)
            .flat_map(|(exchange, markets)| markets.iter().map(move |market| (exchange, market)))
    }

    /// Opens nothing new, lets what is open end, and stops everything.
    pub(crate) async fn end(&mut self) {
        self.desk.drain(Duration::from_secs(40), None).await;
        self.desk.stop_links();
        for link in self.links.drain(..) {
            let ended = tokio::time::timeout(Duration::from_secs(4), link).await;
            assert!(ended.is_ok_and(|joined| joined.is_ok()), "seed {}: a link did not end", self.stage.seed);
        }
        self.helpers.iter().for_each(JoinHandle::abort);
    }
}
