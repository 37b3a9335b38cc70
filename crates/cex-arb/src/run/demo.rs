//! `arb demo`: two simulated exchanges on loopback, and the real engine trading between them.

use super::cancel;
use super::desk::{Desk, Tally};
use super::fees;
use super::pace::Pace;
use super::proof::{Proof, prove};
use super::reasons::Reasons;
use super::reconcile::Reconciler;
use super::venue::{Venue, shared_markets};
use crate::cli::DemoArgs;
use crate::exit::{Exit, Failure};
use crate::show::json::Json;
use crate::show::lines::Lines;
use crate::show::screen::Screen;
use crate::show::summary::{Arbitrages, Summary};
use crate::show::{Names, Show, Viewer, Wish};
use crate::venues::EXCHANGES;
use cex_core::{Bps, Decimal, Markets, Timestamp, VenueId};
use cex_engine::{Engine, EngineConfig};
use cex_interface::{Secret, VenueConfig};
use cex_orderbook::WatchLimits;
use cex_risk::{Limits, Mode};
use cex_sim::server::{SimConfig, SimExchange, SimHandle, SimServer};
use cex_transport::{Clock, LinkConfig, TransportConfig};
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

/// How long orders on the way may take to end once the run is over: proving that a lost one never arrived takes its time
/// to expire, the exchange's lag, and two questions.
const DRAIN: Duration = Duration::from_secs(15);
/// How long links may take to say goodbye.
const FAREWELL: Duration = Duration::from_secs(4);

/// Runs the command.
pub fn run(args: &DemoArgs) -> Result<(), Failure> {
    // The exchanges live on this machine too, and need its cores.
    let pace = Pace::of(args.spin, true);
    pace.block_on(demo(args))
        .map_err(|error| Failure::new(Exit::Internal, format!("no runtime: {error}"), ""))?
}

async fn demo(args: &DemoArgs) -> Result<(), Failure> {
    let clock = Clock::new();
    let started_at = clock.now();
    let sim = start_simulator(args)?;
    let (venues, markets) = open_venues(&sim, args, clock).await?;
    let quit = Arc::new(Notify::new());
    let mut terminated = signal(SignalKind::terminate())
        .map_err(|error| Failure::new(Exit::Internal, format!("signals: {error}"), ""))?;
    let killed = Arc::new(Notify::new());
    let viewer = Rc::new(viewer(args, &venues, &markets, (Arc::clone(&quit), Arc::clone(&killed)))?);
    let mut desk = open_desk(venues, &markets, clock, started_at, Rc::clone(&viewer)).await?;
    desk.helpers.push(tokio::task::spawn_local(cancel::when_killed(desk.desk.clone())));
    desk.helpers.push(tokio::task::spawn_local({
        let desk = desk.desk.clone();
        async move {
            loop {
                killed.notified().await;
                desk.kill("operator", "the keyboard");
            }
        }
    }));
    let ended = tokio::select! {
        () = tokio::time::sleep(args.seconds.map_or(Duration::MAX, Duration::from_secs)) => Ended::TimeUp,
        () = quit.notified() => Ended::Asked,
        _ = tokio::signal::ctrl_c() => Ended::Asked,
        _ = terminated.recv() => Ended::Terminated,
        failure = pull_the_plug(&sim, args.cut_after) => return Err(failure),
    };
    desk.desk.drain(DRAIN, None).await;
    desk.desk.stop_links();
    let farewell = async {
        for link in desk.links {
            // A link that panicked has been reported by the runtime; there is nothing to wait for.
            let _ = link.await;
        }
    };
    if tokio::time::timeout(FAREWELL, farewell).await.is_err() {
        tracing::warn!("some connections did not end in time");
    }
    desk.helpers.iter().for_each(tokio::task::JoinHandle::abort);
    let summary =
        desk.desk.close(|engine, venues, tally| summary(args.seed, &sim, engine, venues, &tally))?;
    drop(desk.desk);
    let summary = Summary { lines_dropped: viewer.dropped(), ..summary };
    let verdict = verdict(&summary, ended);
    Viewer::end(viewer, summary).await;
    sim.stop().map_err(|error| Failure::new(Exit::Internal, format!("simulator: {error}"), ""))?;
    verdict
}

/// Why the run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    TimeUp,
    Asked,
    Terminated,
}

fn verdict(summary: &Summary, ended: Ended) -> Result<(), Failure> {
    let arbitrages = &summary.arbitrages;
    let difference = summary.pnl_difference.as_deref().unwrap_or("?");
    let holdings = summary.ledger_mismatches.len();
    let differs = match (difference != "0", holdings > 0) {
        (false, false) => None,
        (true, false) => Some(format!("our profit and the exchanges' ledgers differ by {difference}")),
        (false, true) => Some(format!("{holdings} holdings differ from the exchanges' ledgers")),
        (true, true) => Some(format!(
            "our profit and the exchanges' ledgers differ by {difference}, and {holdings} holdings differ from them"
        )),
    };
    if let Some(what) = differs {
        return Err(Failure::new(Exit::Residual, what, "this is a bug: please report it with the seed"));
    }
    if arbitrages.unknown + arbitrages.parked > 0 {
        let what = format!("{} arbitrages unknown, {} parked", arbitrages.unknown, arbitrages.parked);
        return Err(Failure::new(Exit::Residual, what, "look at the orders and holdings on both exchanges"));
    }
    if summary.alarms > 0 {
        let what = format!("{} alarms: something happened that must not", summary.alarms);
        return Err(Failure::new(Exit::Residual, what, "look for alarms among the lines above"));
    }
    match ended {
        Ended::TimeUp => Ok(()),
        Ended::Asked => Err(Failure::new(Exit::Interrupted, "", "")),
        Ended::Terminated => Err(Failure::new(Exit::Terminated, "", "")),
    }
}

fn start_simulator(args: &DemoArgs) -> Result<SimHandle, Failure> {
    let config = SimConfig { seed: args.seed, symbols: usize::from(args.symbols), ..SimConfig::default() };
    SimServer::start(config).map_err(|error| {
        Failure::new(
            Exit::Unreachable,
            format!("simulator: {error}"),
            "another program may hold the port; try again",
        )
    })
}

/// Cuts every connection once, if asked to; ends only when that fails.
async fn pull_the_plug(sim: &SimHandle, after: Option<u64>) -> Failure {
    if let Some(seconds) = after {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        for exchange in SimExchange::ALL {
            if let Err(error) = sim.cut_connections(exchange) {
                return Failure::new(Exit::Internal, format!("simulator: {error}"), "");
            }
        }
    }
    std::future::pending().await
}

async fn open_venues(
    sim: &SimHandle,
    args: &DemoArgs,
    clock: Clock,
) -> Result<(Vec<Venue>, Vec<Arc<Markets>>), Failure> {
    let account = sim
        .accounts()
        .first()
        .ok_or_else(|| Failure::new(Exit::Internal, "the simulator has no account", ""))?;
    let (mut venues, mut rules) = (Vec::new(), Vec::new());
    for (index, registration) in EXCHANGES.iter().enumerate() {
        let id = VenueId::new(u8::try_from(index).unwrap_or(u8::MAX), registration.name)
            .map_err(|error| Failure::new(Exit::Internal, error.to_string(), ""))?;
        let endpoint = sim.endpoint(simulated(registration.name)?);
        let config = VenueConfig {
            rest_url: Some(endpoint.rest.clone()),
            ws_url: Some(endpoint.ws.clone()),
            key: Secret::new(account.key.clone()),
            secret: Secret::new(account.secret.clone()),
            ..VenueConfig::public(id)
        };
        let rotate_after = args.rotate_after.map(Duration::from_secs);
        let transport = TransportConfig {
            seed: args.seed ^ u64::from(u8::try_from(index).unwrap_or(0)),
            links: LinkConfig { rotate_after, ..LinkConfig::default() },
            ..TransportConfig::default()
        };
        let (venue, mut stated) = Venue::open(registration, config, transport, clock).await?;
        venue.narrow(&mut stated).await;
        venues.push(venue);
        rules.push(stated);
    }
    let ids: Vec<_> = venues.iter().map(|venue| venue.id).collect();
    let markets = shared_markets(&ids, rules)?;
    Ok((venues, markets))
}

fn simulated(name: &str) -> Result<SimExchange, Failure> {
    SimExchange::ALL
        .into_iter()
        .find(|exchange| exchange.name() == name)
        .ok_or_else(|| Failure::new(Exit::Internal, format!("the simulator does not know {name}"), ""))
}

/// The running trading thread.
struct Running {
    desk: Desk,
    links: Vec<tokio::task::JoinHandle<()>>,
    helpers: Vec<tokio::task::JoinHandle<()>>,
}

async fn open_desk(
    mut venues: Vec<Venue>,
    markets: &[Arc<Markets>],
    clock: Clock,
    started_at: Timestamp,
    viewer: Rc<Viewer>,
) -> Result<Running, Failure> {
    let (mut setups, mut fees_told, mut pending) = (Vec::new(), Vec::new(), Vec::new());
    for (venue, markets) in venues.iter_mut().zip(markets) {
        let (setup, told) = venue.setup(Arc::clone(markets)).await?;
        setups.push(setup);
        fees_told.push(told);
        pending.extend(venue.start(markets, true)?);
    }
    // Milliseconds since the epoch: larger in every later run, so no client order id is ever used twice.
    let epoch = u64::try_from(started_at.as_millis()).unwrap_or(0);
    let settings = demo_settings();
    let at_first: Vec<_> =
        setups.iter().zip(&fees_told).map(|(setup, told)| fees::reckoned_at_first(setup, *told)).collect();
    let engine = Engine::new(settings.clone(), &at_first, epoch);
    let rests: Vec<_> = venues.iter().map(|venue| (venue.id, Arc::clone(&venue.rest))).collect();
    let desk = Desk::new(engine, venues, clock, started_at, viewer);
    desk.keep_marks();
    let compared = (&*setups, &*fees_told);
    let reconciler = Reconciler::new(desk.clone(), &rests, compared, Reasons::default(), Duration::ZERO);
    let links = pending.into_iter().map(|link| link.run(&desk)).collect();
    let helpers = vec![
        tokio::task::spawn_local(desk.clone().wake()),
        tokio::task::spawn_local(desk.clone().report()),
        tokio::task::spawn_local(reconciler.rules()),
        tokio::task::spawn_local(desk.clone().rehearse(settings, setups)),
    ];
    Ok(Running { desk, links, helpers })
}

/// What the demo risks: small, and quick to come back after a failed leg, so that there is something to watch.
fn demo_settings() -> EngineConfig {
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
            max_unknown: 1,
            max_failures: 5,
            breaker_pause: Duration::from_secs(5),
            ..Limits::boundless()
        },
        mode: Mode::Active,
        wallet_max_age: Duration::from_secs(60),
        expires_in: Duration::from_millis(1_500),
        // The simulator shares our cores: what takes long is its work as often as ours.
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

fn viewer(
    args: &DemoArgs,
    venues: &[Venue],
    markets: &[Arc<Markets>],
    (quit, killed): (Arc<Notify>, Arc<Notify>),
) -> Result<Viewer, Failure> {
    let symbols = markets.first().map(|markets| {
        markets.iter().map(|market| (market.id, (market.symbol(), market.scale))).collect::<BTreeMap<_, _>>()
    });
    let names = Names {
        symbols: symbols.unwrap_or_default(),
        venues: venues.iter().map(|venue| venue.id.to_string()).collect(),
        title: format!(
            "arb demo   seed {}   {} symbols, simulated",
            args.seed,
            markets.first().map_or(0, |m| m.len())
        ),
    };
    let failed =
        |error: std::io::Error| Failure::new(Exit::Internal, format!("terminal: {error}"), "try --json");
    let out = std::io::stdout();
    let show: Box<dyn Show> = if args.json {
        let summary_only = args.quiet;
        Box::new(Json::new(names, out, summary_only))
    } else if args.quiet || !out.is_terminal() {
        Box::new(Lines::new(names, out, args.quiet))
    } else {
        Box::new(Screen::new(names, None).map_err(failed)?)
    };
    let wanted = move |wish| match wish {
        Wish::Quit | Wish::Interrupt => quit.notify_one(),
        Wish::Kill => killed.notify_one(),
    };
    Viewer::spawn(show, wanted).map_err(failed)
}

fn summary(
    seed: u64,
    sim: &SimHandle,
    engine: &Engine,
    venues: &[Venue],
    tally: &Tally,
) -> Result<Summary, Failure> {
    let proof = proof(sim, engine, venues, tally)?;
    let view = engine.view(tally.closed_at);
    // Ledgers tell fees in an exchange's own coin in that coin: of those, holdings must agree.
    let own = view.totals.realised.checked_add(view.totals.other_fee);
    let difference = own.and_then(|own| own.checked_sub(proof.profit));
    let difference =
        difference.map_err(|error| Failure::new(Exit::Residual, format!("profit: {error}"), ""))?;
    let exchanges = view.venues.iter().zip(venues).map(|(row, venue)| (venue.id.to_string(), venue.row(row)));
    let millis = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    Ok(Summary {
        event: "summary",
        run: "DEMO",
        seed,
        elapsed_ms: millis(tally.elapsed),
        first_book_ms: tally.first_book.map(millis),
        exchanges: exchanges.collect(),
        opportunities: view
            .totals
            .opportunities
            .iter()
            .map(|(verdict, count)| (verdict.name(), *count))
            .collect(),
        arbitrages: Arbitrages::new(&view.totals, view.open),
        pnl_expected: view.totals.expected.to_string(),
        pnl_realised: view.totals.realised.to_string(),
        pnl_other_fees: view.totals.other_fee.to_string(),
        pnl_ledger: Some(proof.profit.to_string()),
        pnl_difference: Some(difference.to_string()),
        ledger_mismatches: proof.mismatches,
        ledgers_unread: proof.unread,
        odd_fills: [view.totals.late_fills, view.totals.foreign_fills, view.totals.duplicate_fills],
        alarms: view.totals.alarms,
        lines_dropped: 0,
        latency_ns: tally.stopwatch.rows().into_iter().collect(),
    })
}

fn proof(sim: &SimHandle, engine: &Engine, venues: &[Venue], tally: &Tally) -> Result<Proof, Failure> {
    let ledger =
        sim.ledger().map_err(|error| Failure::new(Exit::Internal, format!("simulator: {error}"), ""))?;
    let ours = sim.accounts().first().map(|account| account.name.clone()).unwrap_or_default();
    let mut ledgers = Vec::new();
    for venue in venues {
        if let Some(account) = ledger.account(simulated(venue.id.name())?, &ours) {
            ledgers.push((venue.id, account));
        }
    }
    let holdings: BTreeMap<_, _> =
        engine.holdings().into_iter().map(|(venue, asset, held)| ((venue, asset), held)).collect();
    // What was once read is known, also where the account is not ready any more.
    let ready = engine.view(tally.closed_at).venues.into_iter().filter(|row| row.account_ready);
    let read = ready.map(|row| row.venue).chain(holdings.keys().map(|(venue, _)| *venue)).collect();
    prove(&ledgers, &tally.marks, &holdings, &read)
        .map_err(|error| Failure::new(Exit::Residual, format!("the ledgers do not add up: {error}"), ""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::summary::Mismatch;

    #[test]
    fn what_differs_from_the_ledgers_is_named() {
        let said = |difference: &str, holdings: usize| {
            let summary = Summary {
                pnl_difference: Some(difference.to_owned()),
                ledger_mismatches: vec![Mismatch::default(); holdings],
                ..Summary::default()
            };
            verdict(&summary, Ended::TimeUp).err().map(|failure| (failure.exit, failure.what))
        };
        assert_eq!(said("0", 0), None);
        let residual = |what: &str| Some((Exit::Residual, what.to_owned()));
        assert_eq!(said("0", 21), residual("21 holdings differ from the exchanges' ledgers"));
        assert_eq!(said("0.5", 0), residual("our profit and the exchanges' ledgers differ by 0.5"));
        let both = "our profit and the exchanges' ledgers differ by 0.5, and 2 holdings differ from them";
        assert_eq!(said("0.5", 2), residual(both));
    }
}
