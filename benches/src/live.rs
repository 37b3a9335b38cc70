//! The live wiring against a counterpart: the program's own desk, venues, links and request interfaces, on one thread, with
//! nothing of theirs replaced.

use crate::counterpart::Counterpart;
use crate::settings::settings;
use cex_arb::run::desk::{Desk, Tally};
use cex_arb::run::pace::Pace;
use cex_arb::run::venue::{Venue, shared_markets};
use cex_arb::show::{Show, Told, Viewer};
use cex_core::{Bps, Timestamp, VenueId};
use cex_engine::{Engine, EngineConfig, EngineView};
use cex_interface::{Secret, VenueConfig};
use cex_risk::Limits;
use cex_transport::{Clock, TransportConfig};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// How long books and accounts may take to be ready.
const READY_WITHIN: Duration = Duration::from_secs(10);

/// Where a counterpart is.
#[derive(Debug, Clone)]
pub struct Addresses {
    rest: String,
    ws: [String; 2],
}

impl Addresses {
    /// Those of this one.
    #[must_use]
    pub fn of(counterpart: &Counterpart) -> Self {
        Self { rest: counterpart.rest_url(), ws: [0, 1].map(|venue| counterpart.ws_url(venue)) }
    }

    /// Base address of the request interfaces.
    #[must_use]
    pub fn rest(&self) -> &str {
        &self.rest
    }

    /// Address of an exchange's streams.
    #[must_use]
    pub fn ws(&self, venue: usize) -> &str {
        &self.ws[venue]
    }
}

/// What a run came to.
pub struct Report {
    /// Latencies and outcomes since all was ready.
    pub tally: Tally,
    /// The engine's own numbers.
    pub view: EngineView,
    /// Frames and the socket reads that brought them, of all links.
    pub frames_and_reads: (u64, u64),
}

/// The desk, trading.
pub struct Live {
    desk: Desk,
}

impl Live {
    /// Opens everything, and returns when every book can be used and both accounts are known. Must run in a local set.
    ///
    /// # Panics
    /// When it does not come to that.
    pub async fn open(addresses: &Addresses, pace: Pace) -> Self {
        let clock = Clock::new();
        let started_at = clock.now();
        let (mut venues, mut rules) = (Vec::new(), Vec::new());
        for (index, registration) in [cex_mexc::REGISTRATION, cex_gateio::REGISTRATION].iter().enumerate() {
            let id = u8::try_from(index).expect("two exchanges");
            let config = config(VenueId::new(id, registration.name).expect("a short name"), addresses, index);
            let opened = Venue::open(registration, config, TransportConfig::default(), clock).await;
            let (venue, stated) = opened.unwrap_or_else(|failure| panic!("{failure}"));
            venues.push(venue);
            rules.push(stated);
        }
        let ids: Vec<_> = venues.iter().map(|venue| venue.id).collect();
        let markets = shared_markets(&ids, rules).unwrap_or_else(|failure| panic!("{failure}"));
        let (mut setups, mut pending) = (Vec::new(), Vec::new());
        for (venue, markets) in venues.iter_mut().zip(&markets) {
            let setup = venue.setup(Arc::clone(markets)).await;
            setups.push(setup.unwrap_or_else(|failure| panic!("{failure}")).0);
            pending.extend(venue.start(markets, true).unwrap_or_else(|failure| panic!("{failure}")));
        }
        let epoch = u64::try_from(started_at.as_millis()).unwrap_or(0);
        let settings = trading();
        let engine = Engine::new(settings.clone(), &setups, epoch);
        let viewer = Rc::new(Viewer::spawn(Box::new(Blind), |_| ()).expect("a thread"));
        let desk = Desk::new(engine, venues, clock, started_at, viewer);
        for link in pending {
            drop(link.run(&desk));
        }
        tokio::task::spawn_local(desk.clone().wake());
        tokio::task::spawn_local(desk.clone().report());
        tokio::task::spawn_local(desk.clone().rehearse(settings, setups));
        if pace == Pace::Alert {
            tokio::task::spawn_local(desk.clone().stay_alert());
        }
        let live = Self { desk };
        live.wait_until_ready(clock.now() + READY_WITHIN, clock).await;
        live
    }

    /// What happened since it was ready, or since this was last asked.
    #[must_use]
    pub fn report(&self) -> Report {
        self.desk.close(|engine, venues, tally| {
            let metrics = venues.iter().flat_map(|venue| &venue.metrics);
            let counts = metrics.map(|link| (link.frames.value(), link.reads.value()));
            let frames_and_reads = counts.fold((0, 0), |sum, link| (sum.0 + link.0, sum.1 + link.1));
            let view = engine.view(tally.closed_at);
            Report { tally, view, frames_and_reads }
        })
    }

    async fn wait_until_ready(&self, until: Timestamp, clock: Clock) {
        loop {
            // Asking begins the tally anew, so that nothing of the beginning is in it.
            let view = self.report().view;
            let ready = |venue: &cex_engine::VenueView| {
                venue.account_ready && venue.books_live.0 == venue.books_live.1
            };
            if view.venues.iter().all(ready) {
                return;
            }
            assert!(clock.now() < until, "not ready in time: {view:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn config(venue: VenueId, addresses: &Addresses, index: usize) -> VenueConfig {
    let mut config = VenueConfig::public(venue);
    config.rest_url = Some(addresses.rest().to_owned());
    config.ws_url = Some(addresses.ws(index).to_owned());
    (config.key, config.secret) = (Secret::new("key".to_owned()), Secret::new("secret".to_owned()));
    config.options.insert("rate_limits".to_owned(), "off".to_owned());
    if index == 1 {
        config.options.insert("depth_interval".to_owned(), "100ms".to_owned());
    }
    config
}

/// A basis point after fees is worth a trade, and nothing but that decides.
fn trading() -> EngineConfig {
    let usual = settings();
    EngineConfig { limits: Limits { min_edge: Bps::from_bps(1), ..usual.limits.clone() }, ..usual }
}

/// Shows nothing, on a thread of its own like everything that shows.
struct Blind;

impl Show for Blind {
    fn tell(&mut self, _: &Told) -> std::io::Result<()> {
        Ok(())
    }
}
