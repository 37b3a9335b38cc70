//! A seeded market on all exchanges at once.
//!
//! House accounts quote every symbol on every exchange around prices that wander together, so that outside of
//! *divergences* nothing can be earned between two exchanges after fees. Now and then one exchange's price of one
//! symbol departs for a moment, with some liquidity at the departed price that is not put back once it is taken:
//! that is what there is to earn. (Two exchanges' prices stay within 4 bps of each other otherwise: taker fees that
//! sum up to less leave crumbs.)
//!
//! Time is an argument and chance is seeded: the same seed and the same calls give the same events, byte for byte.
//!
//! | module | what |
//! |---|---|
//! | `config`, `catalogue` | what is traded where, under which rules |
//! | `dice`, `drift` | seeded chance; prices that wander |
//! | `traded` | one symbol on all exchanges |
//! | `quoter`, `ladder` | the makers of one market, one side of their book |
//! | `tape` | a recording instead of all that |
//! | `desk` | the only place that touches an exchange |

mod catalogue;
mod config;
mod desk;
mod dice;
mod drift;
mod ladder;
mod quoter;
mod tape;
mod traded;

pub use config::{Grid, MOST_SYMBOLS, MarketConfig, Mood, VenueConfig};
pub use tape::{Tape, TapeEntry, TapeEvent, TapeSymbol};

use crate::matching::{Exchange, MarketRules};
use catalogue::{Coin, QUOTE, coins};
pub(crate) use catalogue::{NOT_FOR_API, PAUSED, SELL_ONLY};
use cex_core::{Asset, Decimal, Symbol, Timestamp};
use desk::House;
use dice::Dice;
use drift::{BPS, Drift};
use quoter::Quoter;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;
use tape::Player;
use traded::Traded;

/// How much a client of the demo gets: quote, and worth of every coin.
const DEFAULT_QUOTE: i64 = 100_000;
const DEFAULT_WORTH: f64 = 20_000.0;

/// The house can never run dry: quote, and worth of every coin.
const HOUSE_QUOTE: i64 = 1_000_000_000_000;
const HOUSE_WORTH: f64 = 1e9;

/// Of each coin of a recording at most: its scales may be finer than those of made-up ones.
const TAPE_MOST: i64 = 1_000_000_000;

/// How often the factor common to all prices moves.
const FACTOR_PAUSE: Duration = Duration::from_millis(20);

/// The common factor: deviation after a second, part lost per second, bound.
const FACTOR: (f64, f64, f64) = (0.4 * BPS, 0.000_2, 0.1);

/// One call does no more than this; what is left is due at once.
const MOST_TASKS: usize = 512;

/// How often a symbol is looked for that may diverge; with most symbols diverged already there may be none.
const DIVERGENCE_TRIES: usize = 8;

/// Something to do at a time. At the same time the first of these comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Task {
    /// Move the common factor.
    MoveFactor,
    /// Bring a diverged symbol back.
    Converge { symbol: u32 },
    /// Let a symbol diverge.
    Diverge,
    /// Change a book.
    Requote { symbol: u32, exchange: u32 },
}

/// The seeded market.
#[derive(Debug, Clone)]
pub struct Market {
    seed: u64,
    config: MarketConfig,
    coins: Vec<Coin>,
    dice: Dice,
    factor: Drift,
    /// When the market opened.
    began: Timestamp,
    /// By symbol; empty until the first step.
    traded: Vec<Traded>,
    agenda: BinaryHeap<Reverse<(Timestamp, Task)>>,
    divergences: u64,
    /// Plays the recording, where there is one.
    player: Player,
}

impl Market {
    /// A market of this seed. Nothing happens before the first [`Self::step`].
    ///
    /// More symbols than [`MOST_SYMBOLS`] are cut to that.
    #[must_use]
    pub fn new(seed: u64, config: MarketConfig) -> Self {
        let (deviation, pull, bound) = FACTOR;
        let deviation = config.mood.deviation(deviation);
        Self {
            seed,
            began: Timestamp::EPOCH,
            coins: coins(config.symbols.min(MOST_SYMBOLS), config.has_odd),
            config,
            dice: Dice::new(seed, 0),
            factor: Drift::new(Timestamp::EPOCH, deviation, pull, bound),
            traded: Vec::new(),
            agenda: BinaryHeap::new(),
            divergences: 0,
            player: Player::default(),
        }
    }

    /// The rules of all markets of an exchange, by its position in [`MarketConfig::venues`]; none beyond those.
    #[must_use]
    pub fn rules(&self, exchange: usize) -> Vec<MarketRules> {
        let venue = self.config.venues.get(exchange);
        if let Some(tape) = &self.config.tape {
            let rules = |venue: &VenueConfig| tape.rules(venue.maker_fee, venue.taker_fee, venue.buy_fee);
            return venue.map_or_else(Vec::new, rules);
        }
        venue.map_or_else(Vec::new, |venue| self.coins.iter().map(|coin| coin.rules(venue)).collect())
    }

    /// All symbols.
    pub fn symbols(&self) -> impl Iterator<Item = Symbol> {
        let taped = self.config.tape.iter().flat_map(|tape| tape.symbols.iter().map(|row| row.symbol));
        let made = self.coins.iter().map(Coin::symbol).filter(|_| self.config.tape.is_none());
        taped.chain(made)
    }

    /// What a client of the demo has on an exchange: 100,000 USDT, and of every coin what is worth 20,000 more.
    #[must_use]
    pub fn default_deposits(&self, exchange: usize) -> Vec<(Asset, Decimal)> {
        self.deposits(exchange, DEFAULT_QUOTE, DEFAULT_WORTH)
    }

    fn deposits(&self, exchange: usize, quote: i64, worth: f64) -> Vec<(Asset, Decimal)> {
        let Some(venue) = self.config.venues.get(exchange) else { return Vec::new() };
        if let Some(tape) = &self.config.tape {
            return tape.deposits(quote.min(TAPE_MOST));
        }
        let cash = Asset::new(QUOTE).expect("the quote asset's name is short");
        let coins = self.coins.iter().map(|coin| (coin.symbol().base, coin.worth(worth, venue)));
        std::iter::once((cash, Decimal::from(quote))).chain(coins).collect()
    }

    /// When [`Self::step`] is wanted next; at once before the first, never in a quiet market.
    #[must_use]
    pub fn wakeup_at(&self) -> Option<Timestamp> {
        if self.config.is_quiet {
            return None;
        }
        if let Some(tape) = &self.config.tape {
            return self.player.wakeup_at(tape);
        }
        Some(self.agenda.peek().map_or(Timestamp::EPOCH, |Reverse((at, _))| *at))
    }

    /// Does what is due. The first call opens the house accounts and fills all books.
    ///
    /// The exchanges are those of [`MarketConfig::venues`], in that order, made from [`Self::rules`].
    ///
    /// # Panics
    ///
    /// When they are not.
    pub fn step(&mut self, now: Timestamp, exchanges: &mut [Exchange]) {
        assert_eq!(exchanges.len(), self.config.venues.len(), "one exchange for each venue of the market");
        if self.config.is_quiet {
            return;
        }
        if let Some(tape) = self.config.tape.clone() {
            let mut player = std::mem::take(&mut self.player);
            player.step(now, &tape, exchanges, |index, exchange| self.open_house(now, index, exchange));
            self.player = player;
            return;
        }
        if self.agenda.is_empty() {
            self.open(now, exchanges);
        }
        for _ in 0..MOST_TASKS {
            match self.agenda.peek() {
                Some(Reverse((at, task))) if *at <= now => {
                    let task = *task;
                    self.agenda.pop();
                    self.run(now, task, exchanges);
                }
                Some(_) | None => break,
            }
        }
    }

    fn open(&mut self, now: Timestamp, exchanges: &mut [Exchange]) {
        let houses: Vec<House> = exchanges
            .iter_mut()
            .enumerate()
            .map(|(index, exchange)| self.open_house(now, index, exchange))
            .collect();
        self.began = now;
        self.factor.advance(now, &mut self.dice);
        for symbol in 0..self.coins.len() {
            let mut traded = self.list(now, symbol, &houses, exchanges);
            traded.open(now, self.common(now), exchanges);
            for exchange in 0..exchanges.len() as u32 {
                let task = Task::Requote { symbol: symbol as u32, exchange };
                self.agenda.push(Reverse((now + traded.pause(), task)));
            }
            self.traded.push(traded);
        }
        self.schedule(now, FACTOR_PAUSE, Task::MoveFactor);
        self.schedule_divergence(now);
    }

    fn open_house(&self, now: Timestamp, index: usize, exchange: &mut Exchange) -> House {
        let deposits = self.deposits(index, HOUSE_QUOTE, HOUSE_WORTH);
        House {
            maker: exchange.open_house_account(now, "makers", &deposits),
            taker: exchange.open_house_account(now, "crowd", &deposits),
        }
    }

    fn list(&self, now: Timestamp, symbol: usize, houses: &[House], exchanges: &[Exchange]) -> Traded {
        let coin = &self.coins[symbol];
        let venues = self.config.venues.iter().zip(exchanges).zip(houses);
        let quoters = venues.map(|((venue, exchange), house)| {
            let market =
                exchange.market_by_symbol(coin.symbol()).expect("the exchange was made from our rules");
            Quoter::new(now, market, *house, coin, venue, &self.config.mood)
        });
        // Stream 0 is the market's own.
        let dice = Dice::new(self.seed, symbol as u64 + 1);
        Traded::new(now, dice, coin.class, &self.config.mood, quoters.collect())
    }

    /// What all prices follow: a factor that wanders, and the trend.
    fn common(&self, now: Timestamp) -> f64 {
        let after = Duration::from_nanos(u64::try_from(now.since(self.began).as_nanos()).unwrap_or(u64::MAX));
        self.factor.value() + self.config.mood.trend(after)
    }

    fn run(&mut self, now: Timestamp, task: Task, exchanges: &mut [Exchange]) {
        let factor = self.common(now);
        match task {
            Task::MoveFactor => {
                self.factor.advance(now, &mut self.dice);
                self.schedule(now, FACTOR_PAUSE, Task::MoveFactor);
            }
            Task::Requote { symbol, exchange } => {
                let traded = &mut self.traded[symbol as usize];
                traded.requote(now, factor, exchange as usize, exchanges);
                let pause = traded.pause();
                self.schedule(now, pause, task);
            }
            Task::Diverge => {
                self.diverge(now, factor, exchanges);
                self.schedule_divergence(now);
            }
            Task::Converge { symbol } => self.traded[symbol as usize].converge(now, factor, exchanges),
        }
    }

    fn diverge(&mut self, now: Timestamp, factor: f64, exchanges: &mut [Exchange]) {
        let symbols = self.traded.len();
        let mut tries = (0..DIVERGENCE_TRIES).map(|_| self.dice.below(symbols));
        let Some(symbol) = tries.find(|symbol| self.traded[*symbol].may_diverge(now)) else { return };
        let (low, high) = self.config.divergence_bps;
        let size = self.dice.between(f64::from(low), f64::from(high)) * BPS;
        let shift = if self.dice.chance(0.5) { size } else { -size };
        let at = self.dice.below(exchanges.len());
        self.traded[symbol].diverge(now, factor, at, shift, exchanges);
        self.divergences += 1;
        let (short, long) = self.config.divergence_ms;
        let millis = self.dice.octaves(f64::from(short.max(1)), f64::from(long.max(1)));
        let life = Duration::from_nanos((millis * 1e6) as u64);
        self.schedule(now, life, Task::Converge { symbol: symbol as u32 });
    }

    fn schedule(&mut self, now: Timestamp, pause: Duration, task: Task) {
        self.agenda.push(Reverse((now + pause, task)));
    }

    /// The next divergence comes after a quarter to seven quarters of the usual time; never with a single exchange.
    fn schedule_divergence(&mut self, now: Timestamp) {
        if self.config.divergences_per_minute == 0 || self.config.venues.len() < 2 || self.coins.is_empty() {
            return;
        }
        let usual = 60.0 / f64::from(self.config.divergences_per_minute);
        let pause = Duration::from_secs_f64(usual * self.dice.between(0.25, 1.75));
        self.schedule(now, pause, Task::Diverge);
    }

    /// So many coins of a symbol became one on an exchange, which has cancelled all its orders: its makers begin anew there.
    pub fn redenominate(&mut self, exchange: usize, symbol: Symbol, into_one: u32) {
        let index = self.coins.iter().position(|coin| coin.symbol() == symbol);
        if let Some(traded) = index.and_then(|index| self.traded.get_mut(index)) {
            traded.redenominate(exchange, f64::from(into_one));
        }
    }

    /// Whether a symbol has diverged: one of its exchanges quotes another price than the rest.
    #[must_use]
    pub fn has_diverged(&self, symbol: Symbol) -> bool {
        let index = self.coins.iter().position(|coin| coin.symbol() == symbol);
        index.and_then(|index| self.traded.get(index)).is_some_and(Traded::has_diverged)
    }

    /// How many divergences began so far.
    #[must_use]
    pub const fn divergences(&self) -> u64 {
        self.divergences
    }
}
