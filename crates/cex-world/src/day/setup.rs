//! A run is set up: exchanges opened, rules read over the wire, links made, faults drawn.

use super::{Day, Desk, Place};
use crate::check::Checks;
use crate::plan::{ACCOUNT, Dice, plan};
use crate::rest::{Purpose, Rest};
use crate::run::{CANARY, Options, Schedule};
use crate::trace::Trace;
use crate::wire::Wire;
use cex_arb::run::venue::shared_markets;
use cex_core::{Bps, Decimal, Markets, StreamKind, Symbol, Timestamp, VenueId};
use cex_engine::{Commands, Engine, EngineConfig, VenueSetup};
use cex_interface::{Protocol, Registration, Reply, Request, Secret, Subscription, VenueConfig};
use cex_orderbook::WatchLimits;
use cex_risk::{Limits, Mode};
use cex_sim::server::{SimAccount, SimConfig, SimExchange};
use cex_sim::world::{NetworkConfig, World, WorldConfig};
use cex_transport::driver::DialBudget;
use cex_transport::{LinkConfig, Urgency};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// The exchanges, in the order of [`SimExchange::ALL`].
const REGISTRATIONS: [Registration; 2] = [cex_mexc::REGISTRATION, cex_gateio::REGISTRATION];

/// Where the streams are; nobody connects to it.
const STREAMS: [&str; 2] = ["ws://127.0.0.1:1/ws", "ws://127.0.0.1:1/ws/v4/"];

/// How long reading the rules may take.
const SETUP_MAX: Duration = Duration::from_secs(10);

impl Day {
    /// The day of a seed.
    ///
    /// # Errors
    /// What kept it from beginning.
    pub(crate) fn new(seed: u64, options: &Options, schedule: &Schedule) -> Result<Self, String> {
        let mut dice = Dice::new(seed, 1);
        let now = schedule.starts_at;
        let mut world = World::new(WorldConfig {
            sim: sim_config(seed, &mut dice),
            starts_at: now,
            networks: [network(&mut dice), network(&mut dice)],
        });
        let mut places = Vec::new();
        for (index, exchange) in SimExchange::ALL.into_iter().enumerate() {
            places.push(open_place(seed, index, exchange, now)?);
        }
        let mut stated = Vec::new();
        for index in 0..places.len() {
            match ask(&mut world, &mut places, index, Request::Symbols)? {
                Reply::Symbols(rules) => stated.push(rules),
                other => return Err(format!("symbols answered as {other:?}")),
            }
        }
        let ids: Vec<VenueId> = places.iter().map(|place| place.id).collect();
        let markets = shared_markets(&ids, stated).map_err(|failure| failure.to_string())?;
        for (place, markets) in places.iter_mut().zip(&markets) {
            (place.markets, place.rest.markets) = (Arc::clone(markets), Arc::clone(markets));
        }
        let mut setups = Vec::new();
        for index in 0..places.len() {
            setups.push(setup(&mut world, &mut places, index)?);
        }
        for place in &mut places {
            link_up(seed, &world, place)?;
            for market in place.markets.iter() {
                let watched = world.watch(place.exchange(), market.symbol(), market.scale);
                watched.map_err(|error| error.to_string())?;
            }
        }
        let symbols: Vec<Symbol> =
            markets.iter().flat_map(|all| all.iter()).map(cex_core::Market::symbol).collect();
        let span = (schedule.faults_from, schedule.calm_from);
        let planned = plan(&mut Dice::new(seed, 2), &options.families, &symbols, span);
        let config = settings();
        let checks = Checks::new(world.now(), &config, &markets, &setups);
        let epoch = u64::try_from(now.as_millis()).unwrap_or(0);
        let desk = Desk {
            engine: Engine::new(config, &setups, epoch),
            out: Commands::default(),
            checks,
            trace: Trace::new(now, options.trace),
            #[cfg(feature = "bugs")]
            bug: options.bug.map(crate::bugs::Planted::new),
        };
        #[cfg(feature = "bugs")]
        if options.bug == Some(crate::bugs::Bug::SignedLate) {
            places.iter_mut().for_each(|place| place.rest.sign_off_by = -10_000_000_000);
        }
        Ok(Self { world, desk, places, planned: VecDeque::from(planned), is_banned: false })
    }
}

fn sim_config(seed: u64, dice: &mut Dice) -> SimConfig {
    let account = SimAccount {
        key: format!("{CANARY}-key"),
        secret: format!("{CANARY}-secret"),
        ..SimAccount::new(ACCOUNT)
    };
    SimConfig {
        seed,
        symbols: usize::try_from(dice.between(1, 3)).unwrap_or(1),
        divergences_per_minute: u32::try_from(dice.between(60, 400)).unwrap_or(60),
        accounts: vec![account],
        rate_limits: true,
        ..SimConfig::default()
    }
}

fn network(dice: &mut Dice) -> NetworkConfig {
    NetworkConfig { latency: dice.millis(1, 60), jitter: dice.millis(0, 20) }
}

fn open_place(seed: u64, index: usize, exchange: SimExchange, now: Timestamp) -> Result<Place, String> {
    let registration = &REGISTRATIONS[index];
    let number = u8::try_from(index).unwrap_or(u8::MAX);
    let id = VenueId::new(number, registration.name).map_err(|error| error.to_string())?;
    let config = VenueConfig {
        rest_url: Some("http://127.0.0.1:1".to_owned()),
        ws_url: Some(STREAMS[index].to_owned()),
        key: Secret::new(format!("{CANARY}-key")),
        secret: Secret::new(format!("{CANARY}-secret")),
        ..VenueConfig::public(id)
    };
    let protocol: Arc<dyn Protocol> = (registration.open)(config).map_err(|error| error.to_string())?;
    Ok(Place {
        id,
        rest: Rest::new(protocol, exchange, seed.wrapping_add(u64::from(number)), now),
        wires: Vec::new(),
        dials: DialBudget::new(LinkConfig::default().dial_spacing),
        markets: Arc::default(),
    })
}

/// Makes a call and lets nothing else happen until it is answered.
fn ask(world: &mut World, places: &mut [Place], index: usize, request: Request) -> Result<Reply, String> {
    places[index].rest.begin(world, request, Purpose::Setup, Urgency::Normal);
    wait(world, places, |places, _| places[index].rest.has_done())?;
    let (_, result) = places[index].rest.take_done().pop().ok_or("an answer that is gone")?;
    result.map_err(|error| error.to_string())
}

/// Lets nothing happen but calls, until something is so.
fn wait(
    world: &mut World,
    places: &mut [Place],
    is_so: impl Fn(&[Place], Timestamp) -> bool,
) -> Result<(), String> {
    let until = world.now() + SETUP_MAX;
    while !is_so(places, world.now()) {
        if world.now() > until {
            return Err("an exchange did not answer in time".to_owned());
        }
        let rests = places.iter().map(|place| place.rest.next_at()).min();
        let next = rests.map_or(world.next_at(), |at| at.min(world.next_at()));
        world.step(next.max(world.now()));
        while let Some((line, arrival)) = world.take() {
            if let Some(place) = places.iter_mut().find(|place| place.rest.knows(line)) {
                place.rest.hear(world, line, arrival);
            }
        }
        places.iter_mut().for_each(|place| place.rest.wake(world));
    }
    Ok(())
}

fn setup(world: &mut World, places: &mut [Place], index: usize) -> Result<VenueSetup, String> {
    wait(world, places, |places, now| places[index].rest.knows_time(now))?;
    let fees = ask(world, places, index, Request::Fees { symbol: None });
    let place = &places[index];
    // The account's own fee where the exchange tells it for the account as a whole; elsewhere the list fee stands.
    let taker_fees: BTreeMap<_, Bps> = match fees {
        Ok(Reply::Fees(fees)) => {
            let whole = fees.iter().filter(|fee| fee.symbol.is_none());
            whole.flat_map(|fee| place.markets.iter().map(move |one| (one.id, fee.taker))).collect()
        }
        Ok(_) | Err(_) => BTreeMap::new(),
    };
    let book = place.rest.protocol.capabilities().books.first();
    let sync = book.map(|book| book.sync).ok_or_else(|| format!("{} names no book stream", place.id))?;
    let markets = Arc::clone(&place.markets);
    Ok(VenueSetup { venue: place.id, markets, sync, taker_fees, orders_per_second: None })
}

fn link_up(seed: u64, world: &World, place: &mut Place) -> Result<(), String> {
    let (protocol, markets) = (Arc::clone(&place.rest.protocol), Arc::clone(&place.markets));
    let failed = |error: cex_errors::ExchangeError| error.to_string();
    let books = protocol.market_links(&markets, &wanted(&markets)).map_err(failed)?;
    let account = protocol.account_link(&markets).map_err(failed)?;
    for (index, link) in books.into_iter().chain([account]).enumerate() {
        let own = seed.wrapping_add(u64::try_from(index).unwrap_or(0) << 8);
        place.wires.push(Wire::new(link, index, place.rest.exchange, own, world.now()));
    }
    Ok(())
}

fn wanted(markets: &Markets) -> Vec<Subscription> {
    let of = |market: &cex_core::Market| Subscription { symbol: market.id, stream: StreamKind::Book };
    markets.iter().map(of).collect()
}

/// What is risked in the world: the demo's settings, whose bounds are the tightest there are.
fn settings() -> EngineConfig {
    EngineConfig {
        limits: Limits {
            max_leg_notional: Decimal::from(500),
            max_open_per_symbol: 1,
            max_open: 8,
            max_book_age: Duration::from_millis(1_500),
            max_age_gap: Duration::from_millis(1_500),
            min_edge: Bps::from_bps(1),
            max_edge: Bps::from_bps(300),
            max_orders_per_second: 8,
            cooldown: Duration::from_secs(1),
            max_cooldown: Duration::from_secs(1),
            max_unknown: 0,
            max_failures: 5,
            breaker_pause: Duration::from_secs(5),
            ..Limits::boundless()
        },
        mode: Mode::Active,
        wallet_max_age: Duration::from_secs(60),
        expires_in: Duration::from_millis(1_500),
        // Time stands still while the world decides.
        decision_ttl: Duration::from_millis(50),
        settle: Duration::from_millis(50),
        max_unwind: Bps::from_bps(50),
        max_closings: 3,
        max_naked: Duration::from_secs(6),
        venue_lag: Duration::from_secs(2),
        max_pause: Duration::from_secs(1),
        account_refresh: Duration::from_secs(10),
        max_snapshots: 4,
        book_depth: 200,
        watch: WatchLimits::default(),
    }
}
