//! Two exchanges in memory: the links of both adapters and one engine, fed with frames by plain calls. Everything a frame
//! passes in the program but the socket.

use crate::counterpart::{gateio, mexc};
use crate::mix::{MEXC, Mix, MixFrame, START};
use crate::settings::settings;
use cex_core::{Asset, Balance, Bps, Decimal, LinkEvent, SymbolId, Timestamp};
use cex_engine::{Command, Commands, Engine, EngineConfig, EngineView, Event, VenueSetup};
use cex_interface::{Effect, Input, Link, Outbox, Payload, Protocol, Secret, Subscription, VenueConfig};
use std::sync::Arc;
use std::time::Duration;

/// The links of one exchange.
struct Side {
    links: Vec<Box<dyn Link>>,
    /// Which link carries a symbol.
    carrier: Vec<usize>,
}

/// The engine and what feeds it.
pub struct Pair<'m> {
    mix: &'m Mix,
    engine: Engine,
    sides: [Side; 2],
    now: Timestamp,
    learned: Outbox,
    wanted: Commands,
}

impl<'m> Pair<'m> {
    /// Links connected and subscribed, accounts read, every crossing worth sizing since nothing costs fees; and every plan
    /// refused by the gate's last rule, so that all of the decision is made each time and no order begins.
    ///
    /// # Panics
    /// When an adapter refuses what it is told: the bench is wrong then.
    #[must_use]
    pub fn new(mix: &'m Mix) -> Self {
        let now = Timestamp::from_secs(1_700_000_000);
        let registrations = [cex_mexc::REGISTRATION, cex_gateio::REGISTRATION];
        let protocols: Vec<Arc<dyn Protocol>> = registrations
            .iter()
            .zip(&mix.markets)
            .map(|(registration, markets)| {
                let venue = markets.iter().next().expect("some markets").venue;
                (registration.open)(config(venue)).expect("a plain configuration")
            })
            .collect();
        let setups: Vec<VenueSetup> = protocols
            .iter()
            .zip(&mix.markets)
            .map(|(protocol, markets)| setup(protocol.as_ref(), markets))
            .collect();
        let usual = settings();
        let limits = cex_risk::Limits { max_orders_per_second: 0, ..usual.limits.clone() };
        let engine = Engine::new(EngineConfig { limits, ..usual }, &setups, 1);
        let side = |index: usize| Side::new(protocols[index].as_ref(), &mix.markets[index]);
        let sides = [side(0), side(1)];
        let (learned, wanted) = (Outbox::default(), Commands::default());
        let mut pair = Self { mix, engine, sides, now, learned, wanted };
        for venue in 0..2 {
            pair.connect(venue);
            pair.read_account(venue);
        }
        pair
    }

    /// One frame through link, book and detection. Snapshots the engine asks for are answered at once.
    ///
    /// # Panics
    /// On a frame the adapter refuses.
    pub fn feed(&mut self, frame: MixFrame<'_>) {
        self.now += Duration::from_micros(10);
        let side = &mut self.sides[frame.venue];
        let carrier = side.carrier[frame.symbol.index()];
        let input = if frame.venue == MEXC { Input::Binary(frame.bytes) } else { Input::Text(frame.bytes) };
        self.learned.clear();
        side.links[carrier].handle(self.now, input, &mut self.learned).expect("a frame of ours");
        self.tell(frame.venue, carrier);
    }

    /// The engine.
    #[must_use]
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The engine at a glance.
    #[must_use]
    pub fn view(&self) -> EngineView {
        self.engine.view(self.now)
    }

    fn tell(&mut self, venue: usize, carrier: usize) {
        let id = self.mix.markets[venue].iter().next().expect("some markets").venue;
        for event in self.learned.link.drain(..) {
            let symbols = if let LinkEvent::Subscribed { symbol: Some(symbol), .. } = event {
                vec![symbol]
            } else {
                Vec::new()
            };
            self.engine.handle(
                self.now,
                Event::Link { venue: id, event, symbols: &symbols },
                &mut self.wanted,
            );
        }
        for event in &self.learned.market {
            let event = Event::Market { venue: id, event, levels: &self.learned.levels };
            self.engine.handle(self.now, event, &mut self.wanted);
        }
        self.engine.handle(self.now, Event::Settled, &mut self.wanted);
        let mut commands = std::mem::take(&mut self.wanted.commands);
        for command in commands.drain(..) {
            match command {
                Command::FetchBook { symbol, asked_at, .. } => self.answer_book(venue, symbol, asked_at),
                other => panic!("nothing but books is asked for, not {other:?} (link {carrier})"),
            }
        }
        // Kept for its memory.
        self.wanted.commands = commands;
        self.wanted.clear();
    }

    fn answer_book(&mut self, venue: usize, symbol: SymbolId, asked_at: Timestamp) {
        let start = &self.mix.starts[venue][symbol.index()];
        let id = self.mix.markets[venue].get(symbol).expect("a market of ours").venue;
        let (bids, asks) = (start.bids.as_slice(), start.asks.as_slice());
        let (seq, exchange_ts) = (START, Timestamp::EPOCH);
        let event = Event::Book { venue: id, symbol, asked_at, seq, exchange_ts, bids, asks };
        self.engine.handle(self.now, event, &mut self.wanted);
    }

    /// Connects all links of an exchange, as a driver would, and confirms what they subscribe to.
    fn connect(&mut self, venue: usize) {
        for carrier in 0..self.sides[venue].links.len() {
            self.hear(venue, carrier, Input::Start);
            self.hear(venue, carrier, Input::Connected);
            let said = std::mem::take(&mut self.learned.effects);
            for effect in said {
                if let Effect::Send(Payload::Text(text)) = effect {
                    let answer =
                        if venue == MEXC { mexc::stream_answer(&text) } else { gateio::stream_answer(&text) };
                    let answer = answer.expect("a subscription has an answer");
                    self.hear(venue, carrier, Input::Text(answer.as_bytes()));
                    self.tell(venue, carrier);
                }
            }
        }
    }

    fn hear(&mut self, venue: usize, carrier: usize, input: Input<'_>) {
        self.sides[venue].links[carrier]
            .handle(self.now, input, &mut self.learned)
            .expect("a message of ours");
    }

    fn read_account(&mut self, venue: usize) {
        let markets = &self.mix.markets[venue];
        let venue = markets.iter().next().expect("some markets").venue;
        let ready = Event::Link { venue, event: LinkEvent::AccountReady, symbols: &[] };
        self.engine.handle(self.now, ready, &mut self.wanted);
        let mut assets: Vec<Asset> = markets.iter().map(|market| market.symbol().base).collect();
        assets.extend(markets.iter().next().map(|market| market.symbol().quote));
        let balance = |asset| Balance {
            asset,
            free: Decimal::from(1_000_000_000),
            locked: Decimal::ZERO,
            as_of: Timestamp::EPOCH,
        };
        let balances: Vec<Balance> = assets.into_iter().map(balance).collect();
        let read = Event::AccountRead { venue, asked_at: self.now, balances: &balances };
        self.engine.handle(self.now, read, &mut self.wanted);
        self.wanted.clear();
    }
}

impl Side {
    fn new(protocol: &dyn Protocol, markets: &Arc<cex_core::Markets>) -> Self {
        let wanted: Vec<_> = markets
            .iter()
            .map(|market| Subscription { symbol: market.id, stream: cex_core::StreamKind::Book })
            .collect();
        let links = protocol.market_links(markets, &wanted).expect("books of known markets");
        let mut carrier = vec![0; markets.len()];
        for (index, link) in links.iter().enumerate() {
            link.subscriptions().iter().for_each(|wanted| carrier[wanted.symbol.index()] = index);
        }
        Self { links, carrier }
    }
}

fn config(venue: cex_core::VenueId) -> VenueConfig {
    let mut config = VenueConfig::public(venue);
    config.key = Secret::new("key".to_owned());
    config.secret = Secret::new("secret".to_owned());
    if venue.index() != MEXC {
        // The stream of a hundred levels: the other one of 20 would keep smaller books than the budgets speak of.
        config.options.insert("depth_interval".to_owned(), "100ms".to_owned());
    }
    config
}

fn setup(protocol: &dyn Protocol, markets: &Arc<cex_core::Markets>) -> VenueSetup {
    VenueSetup {
        venue: protocol.venue(),
        markets: Arc::clone(markets),
        sync: protocol.capabilities().books.first().expect("a book stream").sync,
        taker_fees: markets.iter().map(|market| (market.id, Bps::ZERO)).collect(),
        order_windows: Vec::new(),
    }
}
