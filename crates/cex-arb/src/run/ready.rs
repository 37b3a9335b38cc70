//! What must be so before a run does anything of its own: nothing forbids it, its exchanges answer, and what earlier runs left
//! undecided is known.

use super::budget::reserve_pct;
use super::choice;
use super::control::Directory;
use super::live::{START, names, without_key};
use super::paper;
use super::probe;
use super::record::{Recorder, Tolerance};
use super::recover::{self, Unfinished};
use super::venue::{Rules, Venue, listed_markets, shared_markets};
use crate::config::{Config, Mode};
use crate::exit::{Exit, Failure};
use crate::show::Names;
use cex_core::{Bps, Decimal, Markets, NumError, Symbol, VenueId};
use cex_engine::CLOCK_OFFSET_MAX;
use cex_interface::{Reply, Request};
use cex_journal::Writer;
use cex_transport::{Clock, RestConfig, TransportConfig};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// What a run knows before it does anything of its own.
pub(super) struct Ready {
    pub(super) venues: Vec<Venue>,
    pub(super) markets: Vec<Arc<Markets>>,
    pub(super) names: Names,
    pub(super) recorder: Recorder,
    /// Earlier runs, for one that trades.
    pub(super) unfinished: Option<Unfinished>,
}

/// All that must be so before a run does anything of its own. If it is not, the session ends: it has sent no order, and no later
/// start need look for any. `None` when it was stopped before that.
pub(super) async fn ready(
    config: &Config,
    directory: &Directory,
    (clock, epoch): (Clock, u64),
    halt: Option<u64>,
    (writer, mut unfinished): (Writer, Unfinished),
    stop: &Notify,
) -> Result<Option<Ready>, Failure> {
    let tolerance = Tolerance { lag: config.risk.journal_max_lag_ms, free: config.risk.journal_min_free_mib };
    let kept = unfinished.open_symbols();
    let reached = unless_stopped(stop, reach(config, (clock, epoch), halt, &kept)).await;
    let Reached { venues, markets, named } = match reached {
        Some(Ok(reached)) => reached,
        None => {
            let recorder = Recorder::new(writer, tolerance, Names::default(), directory.clone());
            recorder.abandon(clock.now(), unfinished.undecided_orders());
            return Ok(None);
        }
        Some(Err(failure)) => {
            let mut recorder = Recorder::new(writer, tolerance, Names::default(), directory.clone());
            // Whoever is sent to the accounts must know what for.
            let told = match failure.exit {
                Exit::Halted => unfinished.tell_doubt(clock.now(), failure, &mut recorder),
                _other => failure,
            };
            let told = unfinished.naming_what_is_open(told);
            recorder.abandon(clock.now(), unfinished.undecided_orders());
            return Err(told);
        }
    };
    tell_of_dust(config, &markets);
    let names = names(config, &venues, &markets);
    let mut recorder = Recorder::new(writer, tolerance, names.clone(), directory.clone());
    set_markets(&venues, &named);
    let looked = unless_stopped(stop, look_back(config, &venues, &mut unfinished, &mut recorder)).await;
    let looked = looked.map(|looked| looked.and_then(|()| is_written(&mut recorder)));
    if looked != Some(Ok(())) {
        recorder.abandon(clock.now(), unfinished.undecided_orders());
        let looked = looked.transpose().map_err(|failure| unfinished.naming_what_is_open(failure));
        return looked.map(|_| None);
    }
    set_markets(&venues, &markets);
    let unfinished = Some(unfinished).filter(|_| config.mode == Mode::Live);
    Ok(Some(Ready { venues, markets, names, recorder, unfinished }))
}

/// Whether what was found out is written down. If it is not, nothing that earlier runs left open may be closed: no record would tell
/// the next run of it, and it would close it once more (R34).
pub(super) fn is_written(recorder: &mut Recorder) -> Result<(), Failure> {
    recorder.flush();
    if !recorder.has_failed() {
        return Ok(());
    }
    let fix = "mend the disk, then start again: what earlier runs left open waits for that start";
    Err(Failure::new(Exit::CheckFailed, "the journal cannot be written", fix))
}

/// What comes of it, or nothing once somebody wants the program to end. What was found out until then is written down, and the rest
/// is as it was.
pub(super) async fn unless_stopped<T>(stop: &Notify, doing: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        // Whoever was answered that it ends must not see it go on.
        biased;
        () = stop.notified() => None,
        done = doing => Some(done),
    }
}

/// The exchanges of a run.
struct Reached {
    venues: Vec<Venue>,
    /// Markets this run trades, in the order of `venues`.
    markets: Vec<Arc<Markets>>,
    /// What earlier ones may have traded: also what an exchange delists soon, has halted, or warns against.
    named: Vec<Arc<Markets>>,
}

fn set_markets(venues: &[Venue], markets: &[Arc<Markets>]) {
    for (venue, markets) in venues.iter().zip(markets) {
        venue.rest.set_markets(Arc::clone(markets));
    }
}

/// The exchanges of a run that nothing forbids, and what they trade.
async fn reach(
    config: &Config,
    (clock, epoch): (Clock, u64),
    halt: Option<u64>,
    kept: &BTreeSet<Symbol>,
) -> Result<Reached, Failure> {
    if let Some(seq) = halt {
        let what = format!("halted: record {seq} of the journal was not acknowledged");
        return Err(Failure::new(Exit::Halted, what, "look at both accounts, then: arb resume"));
    }
    let reached = open_venues(config, clock, epoch, kept).await?;
    let Reached { venues, markets, .. } = &reached;
    set_markets(venues, markets);
    if config.mode == Mode::Paper {
        paper::fits(config, markets.first().map_or(0, |markets| markets.len()))?;
    } else {
        probe::keys(config, venues, epoch).await?;
        let keys = config.venues.iter().filter(|venue| !venue.config.key.is_empty()).count();
        tracing::info!(target: START, keys, "keys may do what they must, and do not reach withdrawals");
        for venue in venues {
            venue
                .rest
                .venue_clock()
                .estimate()
                .map_or(Ok(()), |known| agrees(venue.id, known.offset_nanos))?;
        }
    }
    Ok(reached)
}

/// Whether an exchange's clock is near enough to ours (R29): what an account traded is asked for by our time.
fn agrees(venue: VenueId, offset_nanos: i64) -> Result<(), Failure> {
    let apart = Duration::from_nanos(offset_nanos.unsigned_abs());
    if apart < CLOCK_OFFSET_MAX {
        return Ok(());
    }
    let (by, than) = (apart.as_secs_f64(), CLOCK_OFFSET_MAX.as_secs());
    let what = format!("the clocks of {venue} and of this machine are {by:.1} s apart, more than {than} s");
    Err(Failure::new(Exit::CheckFailed, what, "set this machine's clock, as by NTP, and start again"))
}

/// What earlier runs left undecided. Who only looks changes nothing, and leaves it to the next run that trades.
async fn look_back(
    config: &Config,
    venues: &[Venue],
    unfinished: &mut Unfinished,
    recorder: &mut Recorder,
) -> Result<(), Failure> {
    match config.mode {
        Mode::Live => {
            tracing::info!(target: START, "what earlier runs left is asked for");
            unfinished.settle(venues, recorder).await?;
            recover::cancel_strays(venues).await?;
            unfinished.search(venues, config.risk.order_expire_ms, recorder).await?;
            unfinished.prove(venues, recorder).await
        }
        Mode::Observe => {
            unfinished.tell();
            Ok(())
        }
        // Its accounts begin anew, and with them everything on paper.
        Mode::Paper => Ok(()),
    }
}

async fn open_venues(
    config: &Config,
    clock: Clock,
    seed: u64,
    kept: &BTreeSet<Symbol>,
) -> Result<Reached, Failure> {
    let (mut venues, mut rules, mut named) = (Vec::new(), Vec::new(), Vec::new());
    let mut listed = BTreeSet::new();
    for configured in &config.venues {
        let rest = RestConfig {
            clock_error_max: config.risk.max_clock_error_ms,
            reserve_pct: Some(reserve_pct(config.risk.request_reserve_pct)),
            ..RestConfig::default()
        };
        // As many openings as may be on their way at once, and a closing order or a cancel beside them.
        let at_once = usize::try_from(config.risk.max_open_cycles_per_venue).unwrap_or(usize::MAX);
        let rest =
            RestConfig { warm: at_once.saturating_add(1).clamp(rest.warm, rest.order_connections), ..rest };
        let transport = TransportConfig {
            seed: seed ^ u64::try_from(configured.config.venue.index()).unwrap_or(0),
            rest,
            ..TransportConfig::default()
        };
        let opened =
            Venue::open(configured.exchange, without_key(config, configured), transport, clock).await;
        let (venue, mut stated) = opened?;
        tracing::info!(target: START, venue = %venue.id, symbols = stated.len(), "an exchange answers");
        venue.narrow(&mut stated).await;
        venues.push(venue);
        listed.extend(stated.iter().map(|info| info.symbol.to_string()));
        named.push(choice::named(stated.clone(), &config.symbols));
        rules.push(choice::wanted(stated, &config.symbols, clock.now(), config.risk.delist_guard_h));
    }
    for name in choice::never_listed(&config.symbols, &listed) {
        tracing::warn!(target: START, name, "symbols.exclude names what no exchange lists: is it spelt as meant?");
    }
    choice::missing(&config.symbols, &rules)?;
    let ids: Vec<_> = venues.iter().map(|venue| venue.id).collect();
    let (mut markets, named) = (shared_markets(&ids, rules.clone())?, listed_markets(&ids, named)?);
    let kept_out = config.symbols.include.iter().filter(|name| {
        let traded =
            |markets: &Arc<Markets>| markets.iter().any(|market| market.symbol().to_string() == **name);
        !markets.iter().all(traded)
    });
    for name in kept_out {
        tracing::warn!(target: START, name, "is not traded: an exchange takes no orders of it now, or of one side only");
    }
    if config.symbols.top > 0 {
        let top = usize::try_from(config.symbols.top).unwrap_or(usize::MAX);
        let mut chosen = choice::most_traded(&turnovers(&venues, &markets).await?, top);
        chosen.extend(kept);
        let of_them = |rules: Rules| rules.into_iter().filter(|info| chosen.contains(&info.symbol)).collect();
        markets = shared_markets(&ids, rules.into_iter().map(of_them).collect())?;
    }
    Ok(Reached { venues, markets, named })
}

/// Tells whoever trades so many symbols that what none of their venues would take may come to more than is allowed (R33).
fn tell_of_dust(config: &Config, markets: &[Arc<Markets>]) {
    let most = dust_at_most(markets, config.risk.min_notional_margin_pct);
    if config.mode != Mode::Observe && most.is_ok_and(|most| most > config.risk.max_dust_usdt) {
        let (symbols, allowed) =
            (markets.first().map_or(0, |markets| markets.len()), config.risk.max_dust_usdt);
        tracing::warn!(
            target: START,
            symbols,
            "leftovers too small to be traded away may come to more than risk.max_dust_usdt = {allowed}, and then nothing is opened"
        );
    }
}

/// What can be left over in each symbol before its cheapest venue takes it, in all and in quote.
fn dust_at_most(markets: &[Arc<Markets>], margin: Bps) -> Result<Decimal, NumError> {
    let mut least: BTreeMap<Symbol, Decimal> = BTreeMap::new();
    for market in markets.iter().flat_map(|markets| markets.iter()) {
        let here = market.info.min_notional;
        least.entry(market.symbol()).and_modify(|known| *known = here.min(*known)).or_insert(here);
    }
    let sum = least.into_values().try_fold(Decimal::ZERO, Decimal::checked_add)?;
    sum.checked_mul(Decimal::ONE.checked_add(margin.fraction())?)
}

/// What was turned over in a day, in quote, at each exchange.
async fn turnovers(
    venues: &[Venue],
    markets: &[Arc<Markets>],
) -> Result<Vec<BTreeMap<Symbol, Decimal>>, Failure> {
    let mut turnovers = Vec::new();
    for (venue, markets) in venues.iter().zip(markets) {
        venue.rest.set_markets(Arc::clone(markets));
        let tickers = match venue.rest.call(&Request::Tickers { symbol: None }).await {
            Ok(Reply::Tickers(tickers)) => tickers,
            Ok(other) => {
                let what = format!("{}: tickers answered as {other:?}", venue.id);
                return Err(Failure::new(Exit::Internal, what, ""));
            }
            Err(error) => {
                let what = format!("which symbols are traded most could not be asked: {error}");
                let fix = "start again when the exchange answers, or name them in symbols.include";
                return Err(Failure::new(Exit::Unreachable, what, fix));
            }
        };
        let turned = tickers.iter().filter_map(|ticker| {
            Some((markets.get(ticker.symbol)?.symbol(), ticker.quote_volume.unwrap_or(Decimal::ZERO)))
        });
        turnovers.push(turned.collect());
    }
    Ok(turnovers)
}

#[cfg(test)]
mod tests {
    use super::super::live::{begin, journal};
    use super::*;
    use crate::config::Surroundings;
    use crate::run::past::Past;
    use crate::run::record::tests::on_failing_disk;
    use crate::run::recover::stage;
    use cex_core::Timestamp;
    use cex_journal::Entry;
    use cex_journal::messages::{self, SessionStart};
    use std::sync::atomic::Ordering;

    const NOW: Timestamp = Timestamp::from_secs(1_000);

    #[test]
    fn leftovers_count_to_the_least_notional_of_the_cheaper_venue_and_its_margin() {
        let markets: Vec<_> = stage::markets().into_iter().map(|(_, markets)| markets).collect();
        assert_eq!(
            dust_at_most(&markets, Bps::from_bps(2_000)).map(|most| most.to_string()),
            Ok("1.2".to_owned())
        );
    }

    /// What a start of another run of the machine doubts after a live session: one that failed at once, or one that died.
    async fn doubted(failed: bool) -> bool {
        let place = tempfile::tempdir().expect("a directory");
        let path = place.path().join("arb.toml");
        std::fs::write(&path, "version = 1\n[venues.mexc]\n[venues.gateio]\n").expect("written");
        let around = Surroundings {
            vars: [("HOME".to_owned(), place.path().display().to_string())].into(),
            directory: place.path().to_owned(),
        };
        let config = Config::load(Some(&path), &[], &around).map_err(|problems| problems.to_string());
        let (config, directory) = (config.expect("a configuration"), Directory(place.path().to_owned()));
        let (writer, _, past) = journal(config.storage.journal_options(), &directory, NOW, Past::default())
            .map_err(|failure| failure.what)
            .expect("new");
        let live = |boot: &str| SessionStart {
            mode: messages::Mode::Live.into(),
            boot: boot.to_owned(),
            ..SessionStart::default()
        };
        let writer = begin(writer, NOW, live("before")).map_err(|failure| failure.what).expect("written");
        let unfinished = Unfinished::new(past).map_err(|failure| failure.what).expect("no contradiction");
        if failed {
            let so_far = (writer, unfinished);
            let (clock, stop) = (Clock::new(), Notify::new());
            let ready = ready(&config, &directory, (clock, 1), Some(7), so_far, &stop).await;
            assert_eq!(ready.map(|_| ()).map_err(|failure| failure.exit), Err(Exit::Halted));
        } else {
            drop(writer);
        }
        let mut past = Past::read(&place.path().join("journal")).expect("a journal");
        past.begins(&live("after"));
        past.doubt().is_some()
    }

    #[tokio::test]
    async fn a_start_that_failed_has_sent_nothing_that_could_be_lost() {
        assert!(doubted(false).await);
        assert!(!doubted(true).await);
    }

    #[test]
    fn a_start_whose_findings_cannot_be_written_goes_no_further() {
        let place = tempfile::tempdir().expect("a directory");
        let (mut recorder, _, broken) = on_failing_disk(place.path());
        assert_eq!(is_written(&mut recorder), Ok(()));
        broken.store(true, Ordering::Relaxed);
        recorder.learned(NOW, &Entry::PastSought(messages::PastSought {}));
        assert_eq!(is_written(&mut recorder).map_err(|failure| failure.exit), Err(Exit::CheckFailed));
    }

    #[test]
    fn a_machine_whose_clock_is_far_from_an_exchanges_starts_nothing() {
        let venue = VenueId::new(0, "mexc").expect("short");
        let after = |seconds: i64| agrees(venue, seconds * 1_000_000_000).map_err(|failure| failure.what);
        assert_eq!((after(19), after(-19)), (Ok(()), Ok(())));
        for seconds in [90, -90] {
            let what = after(seconds).expect_err("fills would not be found");
            assert!(what.contains("mexc") && what.contains("90.0 s apart"), "{what}");
        }
    }
}
