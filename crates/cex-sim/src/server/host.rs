//! The one place where everything happens: market, exchanges and dialects, called one after the other.

use super::clock::Clock;
use super::clock::Pace;
use super::config::{Profile, SimConfig, SimExchange};
use super::error::SimError;
use super::faults::{Faults, Heard};
use super::ledger::{self, Ledger, LedgerFill};
use super::line::Plug;
use super::rules;
use super::world::History;
use crate::dialect::gateio::Gateio;
use crate::dialect::mexc::Mexc;
use crate::dialect::{ConnId, Dialect, Frame, HttpAnswer, HttpCall, Message, Outgoing};
use crate::market::{Market, MarketConfig, VenueConfig};
use crate::matching::{Exchange, ExchangeEvent};
use cex_core::{Asset, Decimal, Scale, Symbol, Timestamp};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// The host, shared by the tasks of its thread.
pub(super) type Shared = Rc<RefCell<Host>>;

/// What waits to be written to a WebSocket.
#[derive(Debug)]
pub(super) enum Queued {
    /// A frame of the dialect.
    Frame(Frame),
    /// Bytes under the opcode of texts, whatever they are.
    RawText(bytes::Bytes),
    /// The answer to a client's ping.
    Pong(Vec<u8>),
}

/// A WebSocket as its session needs it.
#[derive(Debug)]
pub(super) struct Opened {
    /// What waits to be written, oldest first.
    pub(super) queue: Receiver<Queued>,
    /// After how long without a word from the client it ends.
    pub(super) silence_max: Option<Duration>,
}

/// Everything behind the sockets.
pub(super) struct Host {
    pub(super) config: SimConfig,
    pub(super) clock: Clock,
    market: Market,
    pace: Pace,
    /// In the order of [`SimExchange::ALL`], like `venues` and `deposits`.
    pub(super) exchanges: Vec<Exchange>,
    pub(super) venues: Vec<Venue>,
    pub(super) deposits: Vec<Vec<Vec<(Asset, Decimal)>>>,
    pub(super) faults: Faults,
    /// What the books that are watched were at every version.
    pub(super) history: History,
    connections: u64,
    /// Connections that were sent something, or that ended, for whoever carries them himself; `None` where each has a task
    /// that waits for its own.
    stirred: Option<Vec<ConnId>>,
    /// When the ticker will run by itself, and how it is called earlier.
    armed_at: Timestamp,
    alarm: Rc<Notify>,
    events: Vec<ExchangeEvent>,
    out: Outgoing,
}

/// One exchange's dialect and connections.
pub(super) struct Venue {
    pub(super) dialect: Box<dyn Dialect>,
    pub(super) connections: BTreeMap<ConnId, Connection>,
    /// In pieces of how many bytes whatever is sent leaves; 0 for as it comes.
    pieces: Arc<AtomicUsize>,
}

pub(super) struct Connection {
    plug: Plug,
    /// Of a WebSocket.
    queue: Option<Sender<Queued>>,
    /// Whether it belongs to an account.
    pub(super) is_private: bool,
    /// Whether nothing passes any more, in either direction.
    pub(super) is_black_hole: bool,
}

impl Host {
    /// Opens the accounts and the market, by this clock.
    pub(super) fn new(config: SimConfig, clock: Clock) -> Self {
        let now = clock.now();
        let market = Market::new(config.seed, market_config(&config));
        let mut exchanges = Vec::new();
        let mut deposits = Vec::new();
        for exchange in SimExchange::ALL {
            let mut state = Exchange::new(exchange.name(), market.rules(exchange.index()));
            deposits.push(open_accounts(now, &config, &market, exchange, &mut state));
            exchanges.push(state);
        }
        let venues =
            SimExchange::ALL.map(|exchange| Venue::new(&config, exchange, &exchanges[exchange.index()]));
        let mut host = Self {
            faults: Faults::new(&config, now),
            pace: Pace::new(now, config.speed_percent),
            config,
            clock,
            market,
            exchanges,
            venues: venues.into(),
            deposits,
            history: History::default(),
            connections: 0,
            stirred: None,
            armed_at: Timestamp::EPOCH,
            alarm: Rc::new(Notify::new()),
            events: Vec::new(),
            out: Outgoing::new(),
        };
        host.tick();
        host
    }

    /// What calls the ticker before its time.
    pub(super) fn alarm(&self) -> Rc<Notify> {
        Rc::clone(&self.alarm)
    }

    /// Lets the ticker look again when it is wanted.
    pub(super) fn wake_ticker(&self) {
        self.alarm.notify_one();
    }

    /// From now on connections with news are listed for [`Self::take_stirred`], which must be called again and again.
    pub(super) fn list_stirred(&mut self) {
        self.stirred.get_or_insert_default();
    }

    /// Moves the connections that may have news since the last call into `into`, which is empty; some of them twice.
    pub(super) const fn take_stirred(&mut self, into: &mut Vec<ConnId>) {
        if let Some(stirred) = &mut self.stirred {
            std::mem::swap(stirred, into);
        }
    }

    fn stir(&mut self, conn: ConnId) {
        if let Some(stirred) = &mut self.stirred
            && stirred.last() != Some(&conn)
        {
            stirred.push(conn);
        }
    }

    /// How many connections an exchange has.
    pub(super) fn connection_count(&self, exchange: SimExchange) -> usize {
        self.venues[exchange.index()].connections.len()
    }

    /// In pieces of how many bytes what an exchange sends leaves.
    pub(super) fn pieces(&self, exchange: SimExchange) -> Arc<AtomicUsize> {
        Arc::clone(&self.venues[exchange.index()].pieces)
    }

    /// The number of the next connection.
    pub(super) fn next_connection(&mut self) -> ConnId {
        self.connections += 1;
        ConnId(self.connections)
    }

    /// Enters a connection.
    pub(super) fn connected(&mut self, exchange: SimExchange, conn: ConnId, plug: Plug) {
        let connection = Connection { plug, queue: None, is_private: false, is_black_hole: false };
        self.venues[exchange.index()].connections.insert(conn, connection);
    }

    /// A connection ended by itself, if it was not cut before.
    pub(super) fn disconnected(&mut self, exchange: SimExchange, conn: ConnId) {
        let venue = &mut self.venues[exchange.index()];
        if venue.connections.remove(&conn).is_some_and(|connection| connection.queue.is_some()) {
            venue.dialect.closed(conn);
        }
        self.stir(conn);
    }

    /// Pulls the plug of all connections of an exchange.
    pub(super) fn cut_all(&mut self, exchange: SimExchange) {
        let conns: Vec<ConnId> = self.venues[exchange.index()].connections.keys().copied().collect();
        for conn in conns {
            self.cut(exchange, conn);
        }
    }

    pub(super) fn cut(&mut self, exchange: SimExchange, conn: ConnId) {
        if let Some(connection) = self.venues[exchange.index()].connections.get(&conn) {
            connection.plug.pull();
        }
        self.disconnected(exchange, conn);
    }

    /// Answers a call.
    pub(super) fn http(&mut self, exchange: SimExchange, call: &HttpCall<'_>) -> HttpAnswer {
        let (now, index) = (self.now(exchange), exchange.index());
        let past = self.faults.past(self.clock.now(), exchange, call.method, call.path);
        let state = past.unwrap_or(&mut self.exchanges[index]);
        let answer = self.venues[index].dialect.http(now, state, call);
        self.settle(exchange);
        answer
    }

    /// The time by an exchange's own clock.
    pub(super) fn now(&self, exchange: SimExchange) -> Timestamp {
        self.exchanges[exchange.index()].venue_time(self.clock.now())
    }

    /// Opens a WebSocket on a connection, or answers why not.
    pub(super) fn open(
        &mut self,
        exchange: SimExchange,
        conn: ConnId,
        path: &str,
        query: &str,
    ) -> Result<Opened, HttpAnswer> {
        let now = self.now(exchange);
        let venue = &mut self.venues[exchange.index()];
        venue.dialect.open(now, conn, path, query)?;
        let silence_max = venue.dialect.silence_max();
        let (sender, queue) = channel(self.config.queue_frames.max(1));
        match venue.connections.get_mut(&conn) {
            Some(connection) => {
                connection.queue = Some(sender);
                connection.is_private = query.contains("listenKey=");
            }
            // Cut in this very moment: the queue ends at once, and so does the session.
            None => venue.dialect.closed(conn),
        }
        self.stir(conn);
        self.settle(exchange);
        Ok(Opened { queue, silence_max })
    }

    /// A message arrived.
    pub(super) fn message(&mut self, exchange: SimExchange, conn: ConnId, message: Message<'_>) {
        let (now, index) = (self.now(exchange), exchange.index());
        let heard = self.hear(exchange, conn, message);
        let Self { venues, exchanges, out, .. } = self;
        let (dialect, state) = (&mut venues[index].dialect, &mut exchanges[index]);
        match heard {
            Heard::All => dialect.message(now, state, conn, message, out),
            Heard::Refusing(refused) => dialect.message_refused(now, state, conn, message, &refused, out),
            Heard::Nothing => return,
        }
        self.settle(exchange);
    }

    /// A client's protocol-level ping is answered by the host.
    pub(super) fn pong(&mut self, exchange: SimExchange, conn: ConnId, payload: &[u8]) {
        self.enqueue(exchange, conn, Queued::Pong(payload.to_vec()));
    }

    /// A client closes: it gets what is queued, and then a close frame.
    pub(super) fn close(&mut self, exchange: SimExchange, conn: ConnId) {
        self.enqueue(exchange, conn, Queued::Frame(Frame::Close));
    }

    /// Does what is due everywhere. Answers how long until something is due again.
    pub(super) fn tick(&mut self) -> Duration {
        self.turn();
        self.armed_at = self.wakeup_at();
        self.armed_at.since(self.clock.now())
    }

    /// As [`Self::tick`], for whoever asks [`Self::wakeup_at`] by himself.
    pub(super) fn turn(&mut self) {
        let now = self.clock.now();
        self.end_faults(now);
        self.begin_planned_faults(now);
        self.delist(now);
        self.step_market(now);
        for exchange in SimExchange::ALL {
            let index = exchange.index();
            let now = self.exchanges[index].venue_time(now);
            let is_due = self.venues[index].dialect.wakeup_at().is_some_and(|at| at <= now);
            self.exchanges[index].act(now);
            if is_due {
                self.venues[index].dialect.act(now, &mut self.exchanges[index]);
            }
            self.hand_on(now, exchange);
            if is_due {
                let Self { venues, exchanges, out, .. } = self;
                venues[index].dialect.wake(now, &exchanges[index], out);
            }
            self.deliver(exchange);
        }
        self.deliver_late(now);
        self.faults.remember(now, &self.exchanges);
        self.remember_books();
    }

    /// Lets the market do what is due by its own time.
    fn step_market(&mut self, now: Timestamp) {
        let local = self.pace.market_time(now);
        if self.market.wakeup_at().is_none_or(|at| at > local) {
            return;
        }
        let ahead = local.as_nanos() - now.as_nanos();
        self.exchanges.iter_mut().for_each(|exchange| exchange.market_is_ahead(ahead));
        self.market.step(local, &mut self.exchanges);
    }

    /// The makers of a symbol quote so many times what they did.
    pub(super) fn market_counts_anew(&mut self, exchange: SimExchange, symbol: Symbol, into_one: u32) {
        self.market.redenominate(exchange.index(), symbol, into_one);
    }

    /// When [`Self::tick`] is wanted next.
    pub(super) fn wakeup_at(&self) -> Timestamp {
        let inside = self.venues.iter().zip(&self.exchanges).flat_map(|(venue, exchange)| {
            let due = [venue.dialect.wakeup_at(), exchange.wakeup_at()].into_iter().flatten();
            due.map(|at| exchange.true_time(at))
        });
        let market = self.market.wakeup_at().map(|at| self.pace.true_time(at));
        let outside = [market, self.faults.wakeup_at()];
        inside.chain(outside.into_iter().flatten()).min().unwrap_or(Timestamp::MAX)
    }

    /// After a call: its events become frames, frames are queued, and the ticker learns of new deadlines.
    pub(super) fn settle(&mut self, exchange: SimExchange) {
        self.hand_on(self.now(exchange), exchange);
        self.deliver(exchange);
        self.remember_books();
        // Nobody waits for the alarm of a clock that is told the time.
        if self.clock.runs() && self.wakeup_at() < self.armed_at {
            self.alarm.notify_one();
        }
    }

    /// Remembers what the books that are watched became.
    pub(super) fn remember_books(&mut self) {
        self.history.note(self.clock.now(), &self.exchanges);
    }

    /// Remembers from now on what a book was at each version, in a client's scale.
    pub(super) fn watch(
        &mut self,
        exchange: SimExchange,
        symbol: Symbol,
        scale: Scale,
    ) -> Result<(), SimError> {
        let market = self.market(exchange, symbol)?;
        self.history.watch(exchange, symbol, market, scale, &self.exchanges[exchange.index()]);
        self.remember_books();
        Ok(())
    }

    fn hand_on(&mut self, now: Timestamp, exchange: SimExchange) {
        let index = exchange.index();
        let Self { venues, exchanges, events, out, faults, clock, .. } = self;
        faults.collect(clock.now(), &mut exchanges[index]);
        exchanges[index].drain_events(events);
        ledger::enter_transfers(&mut self.deposits[index], events);
        if !events.is_empty() {
            venues[index].dialect.events(now, &exchanges[index], events, out);
            events.clear();
        }
    }

    fn deliver(&mut self, exchange: SimExchange) {
        let mut out = std::mem::take(&mut self.out);
        let meets_faults = self.faults.meets_frames(exchange);
        for (conn, frame) in out.drain(..) {
            if meets_faults {
                self.pass(exchange, conn, frame);
            } else {
                self.enqueue(exchange, conn, Queued::Frame(frame));
            }
        }
        self.out = out;
    }

    pub(super) fn enqueue(&mut self, exchange: SimExchange, conn: ConnId, item: Queued) {
        let connection = self.venues[exchange.index()].connections.get(&conn);
        let connection = connection.filter(|connection| !connection.is_black_hole);
        let Some(queue) = connection.and_then(|connection| connection.queue.as_ref()) else { return };
        match queue.try_send(item) {
            Ok(()) => self.stir(conn),
            // A closed queue belongs to a session that is ending.
            Err(TrySendError::Closed(_)) => {}
            Err(TrySendError::Full(_)) => {
                tracing::warn!(%exchange, conn = conn.0, "reader is too slow and is cut off");
                self.cut(exchange, conn);
            }
        }
    }

    /// The exact books.
    pub(super) fn ledger(&self) -> Ledger {
        let accounts = SimExchange::ALL.into_iter().flat_map(|exchange| {
            let opened = self.config.accounts.iter().zip(&self.deposits[exchange.index()]);
            opened.filter_map(move |(account, deposits)| {
                ledger::account(exchange, &self.exchanges[exchange.index()], account, deposits)
            })
        });
        Ledger { as_of: self.clock.now(), accounts: accounts.collect() }
    }

    /// The ledger's fills of an account beyond the first `known`.
    pub(super) fn fills_after(&self, exchange: SimExchange, account: &str, known: usize) -> Vec<LedgerFill> {
        let state = &self.exchanges[exchange.index()];
        let index = state.account_by_name(account);
        index.map_or_else(Vec::new, |index| ledger::fills(state, index, known))
    }
}

impl Venue {
    fn new(config: &SimConfig, exchange: SimExchange, state: &Exchange) -> Self {
        let dialect: Box<dyn Dialect> = match exchange {
            SimExchange::Mexc => Box::new(Mexc::new(rules::mexc(config, state), state)),
            SimExchange::Gateio => Box::new(Gateio::new(rules::gateio(config), state)),
        };
        Self { dialect, connections: BTreeMap::new(), pieces: Arc::default() }
    }

    /// From now on what is sent leaves in pieces of so many bytes; 0 for as it comes.
    pub(super) fn slice(&self, bytes: usize) {
        self.pieces.store(bytes, Ordering::Relaxed);
    }
}

fn market_config(config: &SimConfig) -> MarketConfig {
    let venue = |exchange| match exchange {
        SimExchange::Mexc => VenueConfig::mexc(),
        SimExchange::Gateio => VenueConfig::gateio(),
    };
    MarketConfig {
        symbols: config.symbols,
        has_odd: config.profile == Profile::Strict,
        venues: SimExchange::ALL.map(venue).into(),
        is_quiet: config.is_quiet,
        tape: config.tape.clone(),
        divergences_per_minute: config.divergences_per_minute,
        divergence_bps: config.divergence_bps,
        mood: config.mood,
        ..MarketConfig::default()
    }
}

/// Opens the clients' accounts on an exchange; answers their deposits.
fn open_accounts(
    now: Timestamp,
    config: &SimConfig,
    market: &Market,
    exchange: SimExchange,
    state: &mut Exchange,
) -> Vec<Vec<(Asset, Decimal)>> {
    let open = |account: &super::config::SimAccount| {
        let given = || market.default_deposits(exchange.index());
        let mut deposits = account.deposits.clone().unwrap_or_else(given);
        for (asset, amount) in &account.also {
            deposits.retain(|(known, _)| known != asset);
            deposits.push((*asset, *amount));
        }
        state.open_account(now, &account.name, &account.key, &account.secret, &deposits);
        deposits
    };
    config.accounts.iter().map(open).collect()
}
