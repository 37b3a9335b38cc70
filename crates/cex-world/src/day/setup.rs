//! A run is set up: exchanges opened, faults drawn, the first process started; what a process is made of.

use super::life::Life;
use super::operator::Operator;
use super::{Day, Desk, Place};
use crate::bugs::Planted;
use crate::check::Checks;
use crate::fuse::Fuse;
use crate::plan::{ACCOUNT, Dice, fee_coin, plan};
use crate::rest::Rest;
use crate::run::{CANARY, Effects, Options, Schedule};
use crate::trace::Trace;
use crate::wire::Wire;
use cex_core::{Bps, Decimal, Markets, StreamKind, Symbol, Timestamp, VenueId};
use cex_engine::{Commands, Engine, EngineConfig, VenueSetup};
use cex_errors::ExchangeError;
use cex_interface::{Protocol, Registration, Reply, Secret, Subscription, VenueConfig};
use cex_journal::storage::MemoryDisk;
use cex_orderbook::WatchLimits;
use cex_risk::{Limits, Mode};
use cex_sim::server::{SimAccount, SimConfig, SimExchange};
use cex_sim::world::{NetworkConfig, World, WorldConfig};
use cex_transport::LinkConfig;
use cex_transport::driver::DialBudget;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// The exchanges, in the order of [`SimExchange::ALL`].
const REGISTRATIONS: [Registration; 2] = [cex_mexc::REGISTRATION, cex_gateio::REGISTRATION];

/// In every so many seeds orders are on disk before they leave.
const STRICT_EVERY: u64 = 3;

/// Where the streams are; nobody connects to it.
const STREAMS: [&str; 2] = ["ws://127.0.0.1:1/ws", "ws://127.0.0.1:1/ws/v4/"];

impl Day {
    /// The day of a seed.
    ///
    /// # Errors
    /// What kept it from beginning.
    pub(crate) fn new(seed: u64, options: &Options, schedule: &Schedule) -> Result<Self, String> {
        let mut dice = Dice::new(seed, 1);
        let now = schedule.starts_at;
        let sim = sim_config(seed, &mut dice);
        let names_trades = sim.mexc_names_in_trades;
        let mut world = World::new(WorldConfig {
            sim,
            starts_at: now,
            networks: [network(&mut dice), network(&mut dice)],
        });
        let (fuse, config) = (Fuse::default(), settings(seed));
        let limits = config.limits.clone();
        let limits = options.planted().map_or(limits.clone(), |bug| bug.loosen(limits));
        let told = EngineConfig { limits, ..config.clone() };
        let is_strict = seed.is_multiple_of(STRICT_EVERY);
        let says = fuse.clone();
        world.says_while(move || says.effect());
        let desk = Desk {
            engine: Engine::new(config.clone(), &[], 0),
            out: Commands::default(),
            journal: None,
            fuse: fuse.clone(),
            checks: Checks::new(now, &config),
            trace: Trace::new(now, options.trace),
            bug: options.planted().map(Planted::new),
        };
        let mut day = Self {
            world,
            desk,
            places: Vec::new(),
            planned: VecDeque::new(),
            is_banned: false,
            fuse,
            disk: MemoryDisk::default(),
            life: Life::default(),
            operator: Operator::new(seed),
            seed,
            config: told,
            is_strict,
            names_trades,
            dice: Dice::new(seed, 3),
            effects: Effects::default(),
        };
        day.give_disk();
        day.start().map_err(|why| format!("{why:?}"))?;
        day.watch_all()?;
        let markets = day.places.iter().flat_map(|place| place.markets.iter());
        let symbols: Vec<Symbol> = markets.map(cex_core::Market::symbol).collect();
        let span = (schedule.faults_from, schedule.calm_from);
        let planned = plan(&mut Dice::new(seed, 2), &options.families, &symbols, span);
        day.planned = VecDeque::from(planned);
        Ok(day)
    }

    /// The truth of every book is remembered from now on.
    fn watch_all(&mut self) -> Result<(), String> {
        for place in &self.places {
            for market in place.markets.iter() {
                let watched = self.world.watch(place.exchange(), market.symbol(), market.scale);
                watched.map_err(|error| error.to_string())?;
            }
        }
        Ok(())
    }
}

fn sim_config(seed: u64, dice: &mut Dice) -> SimConfig {
    let account = SimAccount {
        key: format!("{CANARY}-key"),
        secret: format!("{CANARY}-secret"),
        // Enough for a few fees.
        also: fee_coin().into_iter().map(|coin| (coin, Decimal::ONE)).collect(),
        ..SimAccount::new(ACCOUNT)
    };
    SimConfig {
        seed,
        symbols: usize::try_from(dice.between(1, 3)).unwrap_or(1),
        divergences_per_minute: u32::try_from(dice.between(60, 400)).unwrap_or(60),
        accounts: vec![account],
        mexc_names_in_trades: dice.below(2) == 0,
        rate_limits: true,
        ..SimConfig::default()
    }
}

fn network(dice: &mut Dice) -> NetworkConfig {
    NetworkConfig { latency: dice.millis(1, 60), jitter: dice.millis(0, 20) }
}

pub(super) fn open_place(
    seed: u64,
    index: usize,
    exchange: SimExchange,
    now: Timestamp,
) -> Result<Place, String> {
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
        account_before: None,
        told_clock: None,
    })
}

/// A venue as the engine is told of it, with what its exchange answered of fees.
pub(super) fn setup(place: &Place, answers: &[Result<Reply, ExchangeError>]) -> Result<VenueSetup, String> {
    // The account's own fee: as a whole where the exchange tells that, elsewhere a market's, or the list's where that is more.
    let mut taker_fees: BTreeMap<_, Bps> = BTreeMap::new();
    for fee in
        answers.iter().flatten().flat_map(|answer| if let Reply::Fees(fees) = answer { &**fees } else { &[] })
    {
        for market in place.markets.iter() {
            match fee.symbol {
                None => taker_fees.insert(market.id, fee.taker),
                Some(symbol) if symbol == market.id => {
                    taker_fees.insert(symbol, fee.taker.max(market.info.taker_fee))
                }
                Some(_) => None,
            };
        }
    }
    let book = place.rest.protocol.capabilities().books.first();
    let sync = book.map(|book| book.sync).ok_or_else(|| format!("{} names no book stream", place.id))?;
    let markets = Arc::clone(&place.markets);
    Ok(VenueSetup { venue: place.id, markets, sync, taker_fees, order_windows: Vec::new() })
}

pub(super) fn link_up(seed: u64, world: &World, place: &mut Place) -> Result<(), String> {
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

/// What is risked in the world: the demo's settings, and in one seed of four some of the limits drawn so tight that they bind.
fn settings(seed: u64) -> EngineConfig {
    let limits = Limits {
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
        max_unknown: 1,
        max_failures: 5,
        breaker_pause: Duration::from_secs(5),
        max_drift: Decimal::ONE,
        ..Limits::boundless()
    };
    EngineConfig {
        limits: if seed.is_multiple_of(TIGHT_EVERY) {
            tight(&mut Dice::new(seed, 4), &limits)
        } else {
            limits
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
        // More than calls ever lag here (W10).
        venue_lag: Duration::from_secs(5),
        max_pause: Duration::from_secs(1),
        account_refresh: Duration::from_secs(10),
        max_snapshots: 4,
        book_depth: 200,
        watch: WatchLimits::default(),
    }
}

/// Every so many seeds limits are tight.
pub(crate) const TIGHT_EVERY: u64 = 4;

/// Each of the limits that stop openings, drawn so that some bind at once, some later, some never.
fn tight(dice: &mut Dice, loose: &Limits) -> Limits {
    let leg_usdt = dice.pick(&[40, 150, 300]);
    let leg = Decimal::from(leg_usdt);
    let twice = |amount: Decimal| amount.checked_add(amount).unwrap_or(amount);
    let mut limits = Limits {
        max_leg_notional: leg,
        max_cycle_notional: twice(leg),
        max_depth_share: Bps::from_bps(2_500),
        fee_buffer: Bps::from_bps(100),
        min_notional_margin: Bps::from_bps(2_000),
        cooldown: dice.millis(1_500, 4_000),
        max_cooldown: Duration::from_secs(8),
        ..loose.clone()
    };
    for _ in 0..3 {
        match dice.below(10) {
            0 => limits.max_gross = twice(leg),
            1 => limits.max_open = 1,
            2 => limits.max_open_per_venue = 1,
            3 => limits.max_orders_per_second = 2,
            4 => limits.max_symbol_orders_per_second = 1,
            5 => limits.max_burst = 1,
            6 => limits.max_orders_per_minute = 30,
            7 => limits.max_orders_per_day = 40,
            8 => limits.max_day_notional = Decimal::from(dice.pick(&[1_000, 4_000])),
            _ => {
                let most = Decimal::new(i128::from(dice.between(1, 40)), 2);
                match dice.below(4) {
                    0 => limits.max_cycle_loss = most,
                    1 => limits.max_hour_loss = most,
                    2 => limits.max_day_loss = most,
                    _ => limits.max_drawdown = most,
                }
            }
        }
    }
    tight_holdings(dice, leg_usdt, &mut limits);
    limits
}

/// One of the limits that look at prices and at what is held.
fn tight_holdings(dice: &mut Dice, leg_usdt: i64, limits: &mut Limits) {
    let bps = |dice: &mut Dice, of: &[i32]| Bps::from_bps(dice.pick(of));
    match dice.below(6) {
        // Half a leg, a leg where nothing is left over, a leg and what fees leave over until a venue takes it.
        0 => limits.max_symbol_net = Decimal::from(dice.pick(&[leg_usdt / 2, leg_usdt, leg_usdt + 2])),
        // An account begins with 100,000 and 20,000 in each of one to three coins: some of these leave nothing to trade.
        1 => limits.max_venue_equity = Decimal::from(dice.pick(&[120_000, 140_000, 160_000, 180_000])),
        // Both accounts begin with as much of a coin: soon one direction is over.
        2 => limits.min_inventory_share = bps(dice, &[4_900, 4_970]),
        3 => limits.max_collar = bps(dice, &[15, 40]),
        4 => limits.max_cross_collar = bps(dice, &[5, 20]),
        _ => (limits.max_edge, limits.quarantine) = (bps(dice, &[15, 40]), dice.millis(500, 4_000)),
    }
}
