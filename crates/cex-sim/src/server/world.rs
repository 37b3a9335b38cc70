//! The simulated exchanges in memory: the very host that serves real sockets, on a virtual clock, behind a network made of
//! seeded chance. The same seed and the same calls give the same answers at the same times, on every machine.
//!
//! Whoever drives it asks [`World::next_at`] when something happens next, moves time there with [`World::step`], and
//! takes what reached the client's end with [`World::take`]. A [`LineId`] is one TCP connection: what is said on it
//! arrives in order or not at all.
//!
//! | module | what |
//! |---|---|
//! | `line` | connections and what passes over them |
//! | `post` | what is on its way, by time |
//! | `way` | how long it takes, and what goes wrong on the way |
//! | `serve` | the exchange's end: calls, upgrades, frames, as `listen` and `socket` do it over real sockets |
//! | `history` | what every book was at every version: the truth that clients' books are compared with |

mod history;
mod line;
mod post;
mod serve;
mod way;

pub use history::{BookTruth, HASHED_LEVELS, book_hash};
pub use line::{Arrival, Call, LineId, Said};
pub use way::{NetworkConfig, Route, Trouble};

use super::clock::Clock;
use super::config::{SimConfig, SimExchange};
use super::error::SimError;
use super::host::Host;
use super::ledger::{Ledger, LedgerFill};
use super::truth::TruthBook;
use crate::dialect::ConnId;
use crate::fault::{ActiveFault, Fault, FaultId, Fired};
use cex_core::{Decimal, Scale, Symbol, Timestamp};
pub(super) use history::History;
use line::{Line, Parcel};
use post::Post;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use way::Ways;

/// Between two turns of the exchanges at least: what is overdue must not stop time.
const LEAST_TURN: Duration = Duration::from_micros(1);

/// What a world is made of.
#[derive(Debug, Clone)]
pub struct WorldConfig {
    /// The exchanges. Ports and the control interface mean nothing here.
    pub sim: SimConfig,
    /// Time at which the world begins.
    pub starts_at: Timestamp,
    /// The network to each exchange, in the order of [`SimExchange::ALL`].
    pub networks: [NetworkConfig; 2],
}

/// Simulated exchanges in memory.
pub struct World {
    host: Host,
    now: Timestamp,
    tick_at: Timestamp,
    lines: BTreeMap<LineId, Line>,
    post: Post,
    ways: [Ways; 2],
    dice: ChaCha8Rng,
    arrivals: VecDeque<(LineId, Arrival)>,
    /// Room for the connections with news, used over and over.
    stirred: Vec<ConnId>,
    /// Asked before anything is said: whether the client is there to say it.
    says: Option<Box<dyn Fn() -> bool>>,
}

impl World {
    /// Opens the exchanges.
    #[must_use]
    pub fn new(config: WorldConfig) -> Self {
        let WorldConfig { sim, starts_at, networks } = config;
        let dice = ChaCha8Rng::seed_from_u64(sim.seed ^ 0x6e65_7477_6f72_6b21);
        let mut host = Host::new(sim, Clock::standing(starts_at));
        host.list_stirred();
        let mut world = Self {
            tick_at: starts_at,
            host,
            now: starts_at,
            lines: BTreeMap::new(),
            post: Post::default(),
            ways: networks.map(Ways::new),
            dice,
            arrivals: VecDeque::new(),
            stirred: Vec::new(),
            says: None,
        };
        world.after_host();
        world
    }

    /// How late it is.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// When something happens next by itself.
    #[must_use]
    pub fn next_at(&self) -> Timestamp {
        self.post.next_at().map_or(self.tick_at, |at| self.tick_at.min(at))
    }

    /// Lets everything happen that happens until then, in order.
    pub fn step(&mut self, to: Timestamp) {
        while self.happens_until(to) {}
        self.stand_at(to.max(self.now));
    }

    /// As [`Self::step`], but stops at the first moment at which something reaches the client, with all that happens at it:
    /// whoever has nothing to do before that need not look in between. Answers whether something did.
    pub fn step_to_arrival(&mut self, to: Timestamp) -> bool {
        while self.arrivals.is_empty() {
            if !self.happens_until(to) {
                self.stand_at(to.max(self.now));
                return false;
            }
        }
        self.step(self.now);
        true
    }

    /// Lets one thing happen, if one does until then.
    fn happens_until(&mut self, to: Timestamp) -> bool {
        match self.post.next_at().filter(|at| *at <= to) {
            Some(at) if at <= self.tick_at.max(self.now) => {
                self.stand_at(at.max(self.now));
                let Some(parcel) = self.post.take() else { return false };
                let is_ours = matches!(parcel, Parcel::Arrival(..));
                self.deliver(parcel);
                // What reaches the client changes nothing at the exchanges.
                if !is_ours {
                    self.after_host();
                }
            }
            Some(_) | None if self.tick_at <= to => {
                let at = self.tick_at.max(self.now);
                self.stand_at(at);
                self.host.turn();
                self.tick_at = at + LEAST_TURN;
                self.after_host();
            }
            Some(_) | None => return false,
        }
        true
    }

    /// What reached the client's end, oldest first.
    pub fn take(&mut self) -> Option<(LineId, Arrival)> {
        self.arrivals.pop_front()
    }

    /// From now on, whatever the client says leaves only when this says so; it is asked once each time. For tests in which
    /// the client dies between two things it says.
    pub fn says_while(&mut self, says: impl Fn() -> bool + 'static) {
        self.says = Some(Box::new(says));
    }

    /// The client is gone, all at once. Its system closes its connections for it (`closes`), or is gone too, and the
    /// exchanges find out in their own time. What was said before is on its way.
    pub fn client_dies(&mut self, closes: bool) {
        let ids: Vec<LineId> =
            self.lines.iter().filter(|(_, line)| !line.client_left).map(|(id, _)| *id).collect();
        for id in ids {
            if closes {
                self.send_out(id, Said::Bye);
            }
            if let Some(line) = self.lines.get_mut(&id) {
                line.client_left = true;
            }
        }
        self.arrivals.clear();
    }

    fn speaks(&self) -> bool {
        self.says.as_ref().is_none_or(|says| says())
    }

    /// Connects to an exchange. [`Arrival::Dialed`] follows, or [`Arrival::Lost`], or nothing.
    pub fn dial(&mut self, exchange: SimExchange) -> LineId {
        let ConnId(number) = self.host.next_connection();
        let id = LineId(number);
        if self.speaks() {
            self.lines.insert(id, Line::new(exchange));
            self.send_out(id, Said::Dial);
        }
        id
    }

    /// Says something on a connection. On one that is gone it is said to nobody.
    pub fn say(&mut self, line: LineId, said: Said) {
        if self.speaks() {
            self.send_out(line, said);
        }
    }

    /// Leaves a connection: nothing arrives from it any more. What was said before still reaches the exchange.
    pub fn hang_up(&mut self, line: LineId) {
        if !self.speaks() {
            return;
        }
        self.send_out(line, Said::Bye);
        if let Some(line) = self.lines.get_mut(&line) {
            line.client_left = true;
        }
    }

    /// Lets something go wrong on the way to an exchange, and says what in words.
    pub fn disturb(&mut self, exchange: SimExchange, trouble: &Trouble) {
        match *trouble {
            Trouble::Slow { route, by, lasts } => {
                self.ways[exchange.index()].slow(route, by, self.now + lasts);
            }
            Trouble::Loss { route, lasts, resets } => {
                let until = self.now + lasts;
                self.ways[exchange.index()].lose(route, until);
                if resets {
                    self.post.send(until, Parcel::CutAll(exchange));
                }
            }
            Trouble::ResetOne => {
                let of_exchange = self.lines.iter().filter(|(_, line)| line.exchange == exchange);
                let ids: Vec<LineId> = of_exchange.map(|(id, _)| *id).collect();
                if !ids.is_empty() {
                    let at = usize::try_from(self.dice.next_u64() % ids.len() as u64).unwrap_or(0);
                    self.cut(ids[at]);
                }
            }
            Trouble::CutAll => self.cut_all(exchange),
            Trouble::Refuse { lasts } => self.ways[exchange.index()].refuse_until(self.now + lasts),
        }
        self.after_host();
    }

    /// Lets something go wrong at an exchange.
    ///
    /// # Errors
    /// When the fault makes no sense, or names a symbol or an account that is not there.
    pub fn inject(&mut self, exchange: SimExchange, fault: &Fault) -> Result<FaultId, SimError> {
        let injected = self.host.inject(exchange, fault);
        self.after_host();
        injected
    }

    /// Lets nothing go wrong any more, on the way or at the exchanges. What is lost stays lost.
    pub fn calm(&mut self) {
        self.host.clear_all();
        self.ways.iter_mut().for_each(Ways::calm);
        self.after_host();
    }

    /// What is wrong at the exchanges.
    #[must_use]
    pub fn faults(&self) -> Vec<ActiveFault> {
        self.host.active_faults()
    }

    /// Whether anything is wrong at the exchanges: whether [`Self::faults`] has any.
    #[must_use]
    pub fn is_at_fault(&self) -> bool {
        self.host.is_at_fault()
    }

    /// What went wrong at the exchanges so far.
    #[must_use]
    pub fn fired(&self) -> Vec<Fired> {
        self.host.fired_faults()
    }

    /// The exact books of all accounts.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        self.host.ledger()
    }

    /// What an account traded after its first `known` fills, oldest first: the rest of its part of [`Self::ledger`], for
    /// whoever has read that far already. Nothing of an account that is not there.
    #[must_use]
    pub fn fills_after(&self, exchange: SimExchange, account: &str, known: usize) -> Vec<LedgerFill> {
        self.host.fills_after(exchange, account, known)
    }

    /// A book as it is.
    ///
    /// # Errors
    /// When the symbol does not trade there.
    pub fn book(&self, exchange: SimExchange, symbol: Symbol) -> Result<TruthBook, SimError> {
        self.host.truth_book(exchange, symbol)
    }

    /// Replaces what was put into a book by these levels, as over real sockets.
    ///
    /// # Errors
    /// When the symbol does not trade there, or a level does not fit its grid.
    pub fn set_book(
        &mut self,
        exchange: SimExchange,
        symbol: Symbol,
        bids: &[(Decimal, Decimal)],
        asks: &[(Decimal, Decimal)],
    ) -> Result<(), SimError> {
        let set = self.host.set_book(exchange, symbol, bids, asks);
        self.after_host();
        set
    }

    /// Remembers from now on what a book was at each version, in a client's scale.
    ///
    /// # Errors
    /// When the symbol does not trade there.
    pub fn watch(&mut self, exchange: SimExchange, symbol: Symbol, scale: Scale) -> Result<(), SimError> {
        self.host.watch(exchange, symbol, scale)
    }

    /// What a client's book of this version and hash is worth. The book must be watched.
    #[must_use]
    pub fn truth(&self, exchange: SimExchange, symbol: Symbol, version: u64, hash: u64) -> BookTruth {
        self.host.history.truth(exchange, symbol, version, hash)
    }

    fn stand_at(&mut self, at: Timestamp) {
        self.now = at;
        self.host.clock.stand_at(at);
    }

    /// After anything the exchanges did: what they say is on its way.
    fn after_host(&mut self) {
        self.pump();
        self.tick_at = self.host.wakeup_at().max(self.tick_at.min(self.now + LEAST_TURN));
    }

    /// Evenly spread in `0..=most`.
    fn roll(&mut self, most: Duration) -> Duration {
        let most = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX - 1);
        Duration::from_nanos(self.dice.next_u64() % (most + 1))
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").field("now", &self.now).finish_non_exhaustive()
    }
}
