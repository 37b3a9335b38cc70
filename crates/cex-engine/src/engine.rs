//! The engine: one event in, commands and notices out. No IO, no clock, no randomness: the same events give the same
//! commands, so what was recorded can be replayed.
//!
//! | part | what |
//! |---|---|
//! | `accounts` | accounts as exchanges tell them, against our own ledger |
//! | `adopt` | what an earlier run began, and what it did, into this one |
//! | `books` | updates and snapshots into books; which books are wanted anew |
//! | `trade` | a crossing into a sized, approved pair of orders, or a verdict why not |
//! | `equity` | what coins and accounts are worth |
//! | `fees` | what fees in coins that are neither base nor quote count as |
//! | `orders` | reports, answers and fills into settled orders and ended arbitrages |
//! | `proof` | whether what fills moved is what arbitrages came to |
//! | `rules` | rules that change while they are traded by |
//! | `flatten` | what ended arbitrages left over, traded away |
//! | `leveling` | what a half-done arbitrage left open into closing orders |
//! | `warm` | what frames and openings of a symbol read, kept in the caches |

mod accounts;
mod adopt;
mod books;
mod equity;
mod fees;
mod flatten;
mod leveling;
mod orders;
mod proof;
mod rules;
mod trade;
mod warm;

use crate::detect::Tops;
use crate::execute::Arbitrages;
use crate::ids::IdSource;
use crate::message::{Commands, Event, Notice};
use crate::opportunity::Opportunity;
use crate::view::{EngineView, Totals, VenueView};
pub use adopt::{PastArbitrage, PastOrder};
use books::Snapshot;
use cex_core::{
    AccountEvent, Bps, ClientOrderId, Decimal, Fill, FillKey, LinkEvent, Market, MarketEvent, Markets,
    Notional, OrderId, OrderRequest, Plan, Price, Qty, Scale, SnapshotSource, StreamKind, Symbol, SymbolId,
    SyncRule, Timestamp, VenueId,
};
use cex_orderbook::{BookSync, WatchLimits};
use cex_risk::{ArbitrageId, Gate, Limits, Mode, OrderWindow, Scope, Trip, Until};
use rustc_hash::{FxBuildHasher, FxHashMap, FxHashSet};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// How often the engine looks at what waits: unanswered orders, books to join anew, accounts to read.
const TICK: Duration = Duration::from_millis(50);
/// Nothing is opened for a moment after this part of [`EngineConfig::max_pause`] in which nothing came, not even the time to look:
/// books of one venue are news then, and those of another still wait to be read.
const UNEVEN: u32 = 8;
/// ... which is longer than what usually comes: [`TICK`], and what a timer is late.
const UNEVEN_MIN: Duration = Duration::from_millis(100);

/// A venue's clock must be less than this from ours (R29): what an account traded is asked for by our time, with half a minute to
/// spare, and farther apart a fill would not be in what is answered.
pub const CLOCK_OFFSET_MAX: Duration = Duration::from_secs(20);

/// Arbitrages on the way at once before their table must grow.
const OPEN_USUALLY: usize = 64;

/// What the engine is told to do.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// The risk rules' limits.
    pub limits: Limits,
    /// What the operator allows at the start.
    pub mode: Mode,
    /// How long what was said of wallets counts; it does so once it was said.
    pub wallet_max_age: Duration,
    /// Exchanges must refuse our orders when they arrive later than this.
    pub expires_in: Duration,
    /// Whoever sends orders must not, when the news that caused them came longer ago than this.
    pub decision_ttl: Duration,
    /// After we traded at a venue its book counts again only when updated this much later.
    pub settle: Duration,
    /// How far from the best price a closing order may go.
    pub max_unwind: Bps,
    /// Closing orders per arbitrage before the rest is parked.
    pub max_closings: usize,
    /// How long a difference may wait for a usable book before it is parked.
    pub max_naked: Duration,
    /// How far an exchange's answers may lag: an order may turn up in them so much later than it expired there, and a fill
    /// so much later than we heard of it.
    pub venue_lag: Duration,
    /// After a longer standstill of whoever drives the engine no book is believed any more (R29).
    pub max_pause: Duration,
    /// Accounts are read anew this often.
    pub account_refresh: Duration,
    /// Snapshots asked for at once, per venue.
    pub max_snapshots: usize,
    /// Levels kept per side of a book.
    pub book_depth: usize,
    /// When the silence of a book's stream is looked into.
    pub watch: WatchLimits,
}

/// One venue as the engine knows it: no exchange by name.
#[derive(Debug, Clone)]
pub struct VenueSetup {
    /// Index and name.
    pub venue: VenueId,
    /// Its markets; the same symbol has the same id and scale on every venue.
    pub markets: Arc<Markets>,
    /// How its books are kept.
    pub sync: SyncRule,
    /// The account's taker fee per market; the list fee where missing.
    pub taker_fees: BTreeMap<SymbolId, Bps>,
    /// How many orders the venue takes from us, where it has such limits.
    pub order_windows: Vec<OrderWindow>,
}

/// One symbol on all venues.
#[derive(Debug)]
struct SymbolState {
    symbol: Symbol,
    scale: Scale,
    /// The symbol at each venue, by venue index; `None` where it is not traded.
    slots: Vec<Option<Slot>>,
    tops: Tops,
    opportunities: Vec<Opportunity>,
    /// Its last usable best bid, where holdings were valued or a book was lost: what is held is worth something without a book.
    last_bid: Option<Price>,
}

/// One symbol at one venue.
#[derive(Debug)]
struct Slot {
    market: Market,
    taker_fee: Bps,
    /// The venue's least notional, and our margin on top.
    least_notional: Notional,
    sync: BookSync,
    rule: SyncRule,
    /// The snapshot wanted for it, queued or on its way.
    snapshot: Wanted,
    live: bool,
    /// It changed, and has not been looked at since.
    changed: bool,
    /// Our last order here ended at this time.
    touched_at: Timestamp,
    /// When our newest fill here was made, by the exchange's clock.
    filled_ts: Timestamp,
    /// How often it was not what it should have been, as far as that was noticed and told.
    drifts: u64,
}

impl Slot {
    /// Whether it can be compared with the exchange's own: where whole books are asked for, not sent by the stream.
    const fn is_auditable(&self) -> bool {
        matches!(self.rule.snapshot, SnapshotSource::Rest { .. })
    }

    /// The middle between the best prices of its book; `None` while that cannot be used, or lacks a side.
    fn mid(&self) -> Option<Price> {
        let book = self.sync.usable()?;
        Some(Price(i64::midpoint(book.best_bid()?.price.0, book.best_ask()?.price.0)))
    }
}

/// Where the snapshot of a book stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// Not wanted.
    No,
    /// Waits for its turn.
    Queued,
    /// Asked for then. An answer to any other question is from before the book was lost.
    Asked(Timestamp),
}

/// One venue.
#[derive(Debug)]
struct VenueState {
    id: VenueId,
    account_ready: bool,
    /// Since when the account's stream has been up without a break; an answer to an earlier question says nothing.
    account_since: Option<Timestamp>,
    account_due_at: Timestamp,
    /// What our ledger of it rests on.
    basis: accounts::Basis,
    /// Our last order or fill here.
    active_at: Timestamp,
    /// When the first of an unbroken row of answers was asked for that could not be compared with our ledger.
    uncompared_since: Option<Timestamp>,
    snapshots_out: usize,
    snapshots_due: VecDeque<SymbolId>,
    /// What to add to our clock to get the venue's, in nanoseconds.
    clock_offset: Option<i64>,
    /// The last account differed from our ledger by more than may be.
    drifting: bool,
}

/// Whose an order is, and how the venue names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct KnownOrder {
    arbitrage: ArbitrageId,
    venue: VenueId,
    symbol: SymbolId,
    sent_at: Timestamp,
    order_id: Option<OrderId>,
}

/// An arbitrage whose orders leave, and which is not in the tables yet.
#[derive(Debug)]
struct Starting {
    at: Timestamp,
    id: ArbitrageId,
    plan: Plan,
    orders: [OrderRequest; 2],
}

impl Starting {
    fn has(&self, client_id: ClientOrderId) -> bool {
        self.orders.iter().any(|order| order.client_id == client_id)
    }
}

/// The engine.
#[derive(Debug)]
pub struct Engine {
    config: EngineConfig,
    gate: Gate,
    ids: IdSource,
    /// State of each symbol, by symbol id; `None` for one that is not traded.
    symbols: Vec<Option<SymbolState>>,
    /// State of each venue, by venue index.
    venues: Vec<VenueState>,
    arbitrages: Arbitrages,
    /// Arbitrages the last event started.
    starting: Vec<Starting>,
    /// Orders of open arbitrages and of those that ended not long ago.
    orders: FxHashMap<ClientOrderId, KnownOrder>,
    by_order_id: FxHashMap<(VenueId, OrderId), ClientOrderId>,
    /// What leftovers of ended arbitrages are valued at, should a fill of theirs come late.
    marks: FxHashMap<ArbitrageId, Decimal>,
    seen_fills: FxHashSet<FillKey>,
    fills_in_order: VecDeque<FillKey>,
    /// Fills of orders nobody knew when they came; an answer may yet say whose they are.
    orphans: VecDeque<Fill>,
    retired: VecDeque<(ArbitrageId, Vec<ClientOrderId>)>,
    /// Books that changed and have not been looked at since.
    changed: Vec<(VenueId, SymbolId)>,
    totals: Totals,
    killed: bool,
    tick_at: Timestamp,
    /// When the last event was handled, by our clock.
    seen_at: Timestamp,
    /// When all that waited to be read during the last standstill has been.
    even_at: Timestamp,
    equity_at: Timestamp,
    sweep_at: Timestamp,
    proof_at: Timestamp,
    unexplained: proof::Unexplained,
    /// What one leg may come to by the limits: of the money both legs may move, one has half.
    max_leg: Decimal,
}

impl Engine {
    /// An engine for these venues; venue indexes are `0..venues.len()`. `epoch` must differ from every earlier run's.
    #[must_use]
    pub fn new(config: EngineConfig, venues: &[VenueSetup], epoch: u64) -> Self {
        let symbols = symbol_states(&config, venues);
        let Limits { max_leg_notional, max_cycle_notional, .. } = config.limits;
        let half = max_cycle_notional.checked_mul(Decimal::new(5, 1));
        let max_leg = half.map_or(max_leg_notional, |half| half.min(max_leg_notional));
        let mut gate = Gate::new(config.limits.clone());
        gate.set_mode(config.mode);
        for setup in venues {
            gate.set_order_windows(setup.venue, &setup.order_windows);
        }
        let venues = venues.iter().map(|setup| VenueState::new(setup.venue)).collect();
        Self {
            gate,
            ids: IdSource::new(epoch),
            config,
            symbols,
            venues,
            arbitrages: Arbitrages::with_capacity(OPEN_USUALLY),
            starting: Vec::with_capacity(OPEN_USUALLY),
            // Taken at once: a table that grows in mid-trade would move everything it holds.
            orders: table(2 * orders::ENDED_KEPT),
            by_order_id: table(2 * orders::ENDED_KEPT),
            marks: table(orders::ENDED_KEPT),
            seen_fills: FxHashSet::with_capacity_and_hasher(orders::FILLS_KEPT, FxBuildHasher),
            fills_in_order: VecDeque::with_capacity(orders::FILLS_KEPT + 1),
            orphans: VecDeque::new(),
            retired: VecDeque::with_capacity(orders::ENDED_KEPT + 1),
            changed: Vec::new(),
            totals: Totals::default(),
            killed: false,
            tick_at: Timestamp::EPOCH,
            seen_at: Timestamp::EPOCH,
            even_at: Timestamp::EPOCH,
            equity_at: Timestamp::EPOCH,
            sweep_at: Timestamp::EPOCH,
            proof_at: Timestamp::EPOCH,
            unexplained: proof::Unexplained::default(),
            max_leg,
        }
    }

    /// Takes in one event; what is to be done and told is appended to `out`.
    pub fn handle(&mut self, now: Timestamp, event: Event<'_>, out: &mut Commands) {
        self.enter_started();
        let still_for = now.since(self.seen_at);
        if still_for > self.config.max_pause {
            self.paused(now, out);
        }
        // Frames of one venue are read before those of another that have waited as long.
        if still_for > (self.config.max_pause / UNEVEN).max(UNEVEN_MIN) && self.seen_at > Timestamp::EPOCH {
            self.even_at = now + TICK;
        }
        self.seen_at = now;
        match event {
            Event::Market { venue, event: MarketEvent::Book(update), levels } => {
                self.book_update(now, venue, update, levels, out);
            }
            // Only books are traded on; the other streams are for people.
            Event::Market {
                event:
                    MarketEvent::TopLevels(_)
                    | MarketEvent::BookTicker(_)
                    | MarketEvent::Trade(_)
                    | MarketEvent::Ticker(_)
                    | MarketEvent::Kline(_),
                ..
            } => {}
            Event::Book { venue, symbol, asked_at, seq, exchange_ts, bids, asks } => {
                let snapshot = Snapshot { seq, exchange_ts, bids, asks };
                self.book_answered(now, (venue, symbol, asked_at), Some(snapshot), out);
            }
            Event::BookFailed { venue, symbol, asked_at } => {
                self.book_answered(now, (venue, symbol, asked_at), None, out);
            }
            Event::Link { venue, event, symbols } => self.link(now, venue, event, symbols, out),
            Event::Account { event: AccountEvent::Order(order), .. } => self.order_report(now, order, out),
            Event::Account { event: AccountEvent::Fill(fill), .. } => self.fill(now, fill, out),
            // Holdings are our own ledger, moved by fills; see `Funds`.
            Event::Account { event: AccountEvent::Balance(_), .. } => {}
            Event::AccountRead { venue, asked_at, balances } => {
                self.prove_absent(now, venue, asked_at, balances, out);
                self.account_read(now, venue, asked_at, balances);
            }
            Event::Placed { client_id, order_id, order } => self.placed(now, client_id, order_id, order, out),
            Event::PlaceFailed { client_id, outcome } => self.place_failed(now, client_id, outcome, out),
            Event::OrderRead { client_id, asked_at, order } => {
                self.order_read(now, client_id, asked_at, order, out);
            }
            Event::OpenRead { client_id, asked_at, orders, whole } => {
                self.open_read(now, client_id, asked_at, (orders, whole), out);
            }
            Event::TradesRead { client_id, asked_at, fills, whole } => {
                self.trades_read(now, client_id, asked_at, (fills, whole), out);
            }
            Event::FillsRead { client_id, fills } => self.fills_read(now, client_id, fills, out),
            Event::Settled => self.look_at_changes(now, out),
            Event::Wake => self.wake(now, out),
            Event::Kill => self.kill(),
            Event::Flatten { give } => self.flatten(now, give),
            Event::Acknowledge => self.acknowledge(now, out),
            Event::Mode(mode) => self.gate.set_mode(mode),
            Event::Journal(state) => self.gate.set_journal(state),
            Event::Clock { venue, offset_nanos } => self.note_clock(venue, offset_nanos),
            Event::Wallets { venue, wallets } => {
                self.gate.set_wallets(now, venue, self.config.wallet_max_age, wallets.iter().copied());
            }
            Event::Rules { market, taker_fee } => self.change_rules(now, market, taker_fee, out),
            Event::Blocked { symbol, why } => self.gate.block(symbol, why),
            Event::BudgetSpent { venue, until } => self.gate.set_budget_spent(venue, until),
            Event::ShutOut { venue, rule } => {
                self.gate.trip(Trip { rule, scope: Scope::Venue(venue), until: Until::Operator });
            }
        }
        out.notices.extend(self.gate.take_trips().map(Notice::Tripped));
    }

    /// How long ago the news that caused an opening may have come when it is sent.
    #[must_use]
    pub const fn decision_ttl(&self) -> Duration {
        self.config.decision_ttl
    }

    /// When [`Event::Wake`] is wanted next.
    #[must_use]
    pub const fn wakeup_at(&self) -> Option<Timestamp> {
        Some(self.tick_at)
    }

    /// Everything at a glance.
    #[must_use]
    pub fn view(&self, now: Timestamp) -> EngineView {
        let unknown =
            self.arbitrages.iter().filter(|arbitrage| arbitrage.orders.iter().any(|run| run.is_unknown(now)));
        let standing: usize = self.symbols.iter().flatten().map(|state| state.opportunities.len()).sum();
        EngineView {
            totals: self.totals.clone(),
            venues: self.venues.iter().map(|venue| self.venue_view(venue)).collect(),
            open: count(self.arbitrages.len() + self.starting.len()),
            unknown: count(unknown.count()),
            standing: count(standing),
            killed: self.killed,
            mode: self.gate.mode(),
            trips: self.gate.trips(now).collect(),
        }
    }

    /// What we hold by our own ledger, per venue and asset.
    #[must_use]
    pub fn holdings(&self) -> Vec<(VenueId, cex_core::Asset, Decimal)> {
        self.gate.funds().all_held()
    }

    /// What live orders may still spend, per venue and asset; nothing when nothing is on the way.
    #[must_use]
    pub fn reserved(&self) -> Vec<(VenueId, cex_core::Asset, Decimal)> {
        let funds = self.gate.funds();
        let all = funds.all_held().into_iter();
        all.map(|(venue, asset, _)| (venue, asset, funds.reserved(venue, asset)))
            .filter(|(_, _, reserved)| !reserved.is_zero())
            .collect()
    }

    /// The book of a symbol at a venue, if it can be used now.
    #[must_use]
    pub fn book(&self, venue: VenueId, symbol: SymbolId) -> Option<&cex_orderbook::Book> {
        self.slot(venue, symbol)?.sync.usable()
    }

    /// The version of such a book, by the exchange's own counting.
    #[must_use]
    pub fn book_version(&self, venue: VenueId, symbol: SymbolId) -> Option<u64> {
        self.slot(venue, symbol)?.sync.live().map(|live| live.last_seq)
    }

    /// How the exchange names an order of ours, as far as that is known.
    #[must_use]
    pub fn order_id(&self, client_id: ClientOrderId) -> Option<OrderId> {
        self.orders.get(&client_id)?.order_id
    }

    /// Whether nothing is on the way any more.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.arbitrages.is_empty() && self.starting.is_empty()
    }

    fn venue_view(&self, venue: &VenueState) -> VenueView {
        let mut view = VenueView {
            venue: venue.id,
            books_live: (0, 0),
            updates: 0,
            gaps: 0,
            resyncs: 0,
            account_ready: venue.account_ready,
        };
        let slots =
            self.symbols.iter().flatten().filter_map(|state| state.slots.get(venue.id.index())?.as_ref());
        for slot in slots {
            let counters = slot.sync.counters();
            view.books_live.0 += u32::from(slot.live);
            view.books_live.1 += 1;
            view.updates += counters.updates;
            view.gaps += counters.gaps;
            view.resyncs += counters.resyncs;
        }
        view
    }

    fn link(
        &mut self,
        now: Timestamp,
        venue: VenueId,
        event: LinkEvent,
        symbols: &[SymbolId],
        out: &mut Commands,
    ) {
        match event {
            LinkEvent::Up => {}
            LinkEvent::Subscribed { symbol: Some(symbol), stream: StreamKind::Book } => {
                self.book_subscribed(now, venue, symbol);
            }
            LinkEvent::Refused { symbol: Some(symbol), stream: StreamKind::Book } => {
                self.book_refused(now, venue, symbol, out);
            }
            LinkEvent::Undecodable { symbol: Some(symbol) } => self.book_lost(now, venue, symbol, out),
            // News of the account were lost: whatever they were is asked for.
            LinkEvent::Undecodable { symbol: None } if symbols.is_empty() => {
                self.account_doubted(now, venue, out);
            }
            LinkEvent::Undecodable { symbol: None } => {
                symbols.iter().for_each(|symbol| self.book_lost(now, venue, *symbol, out));
            }
            LinkEvent::Subscribed { .. } | LinkEvent::Refused { .. } => {}
            LinkEvent::AccountReady => self.account_ready(now, venue, out),
            LinkEvent::Down if symbols.is_empty() => self.account_lost(venue),
            LinkEvent::Down => {
                symbols.iter().for_each(|symbol| self.book_disconnected(now, venue, *symbol, out));
            }
        }
    }

    fn wake(&mut self, now: Timestamp, out: &mut Commands) {
        if now < self.tick_at {
            return;
        }
        self.tick_at = now + TICK;
        self.wake_books(now, out);
        self.wake_orders(now, out);
        self.wake_accounts(now, out);
        self.wake_equity(now);
        self.wake_sweeps(now, out);
        self.wake_proof(now, out);
    }

    /// Nothing came for so long that the program must have stood still: a process that was stopped, a machine that slept. What
    /// waits to be read meanwhile is old, and looks fresh.
    fn paused(&mut self, now: Timestamp, out: &mut Commands) {
        // Nothing was seen before the first event.
        if self.seen_at == Timestamp::EPOCH {
            return;
        }
        // Nothing could be traded away meanwhile, and no book can be used for a moment yet.
        let still_for = now.since(self.seen_at);
        // While an order was on its way that time is counted when it is over.
        let waiting = self.arbitrages.iter_mut().filter(|arbitrage| arbitrage.is_settled());
        for leveling in waiting.filter_map(|arbitrage| arbitrage.leveling.as_mut()) {
            leveling.by += still_for;
        }
        for index in 0..self.symbols.len() {
            let symbol = SymbolId(u32::try_from(index).unwrap_or(u32::MAX));
            for venue in 0..self.venues.len() {
                self.book_stood_still(now, self.venues[venue].id, symbol, out);
            }
        }
    }

    fn note_clock(&mut self, venue: VenueId, offset_nanos: Option<i64>) {
        if let Some(state) = self.venues.get_mut(venue.index()) {
            state.clock_offset = offset_nanos;
            if offset_nanos
                .is_some_and(|nanos| Duration::from_nanos(nanos.unsigned_abs()) >= CLOCK_OFFSET_MAX)
            {
                self.gate.trip(Trip { rule: "clock", scope: Scope::Venue(venue), until: Until::Operator });
            }
        }
    }

    fn acknowledge(&mut self, now: Timestamp, out: &mut Commands) {
        self.killed = false;
        self.gate.acknowledge();
        self.give_up_told(now, out);
    }

    fn kill(&mut self) {
        self.killed = true;
        self.gate.kill_switch().throw();
    }

    /// A broken invariant, or something only a person can decide: nothing new is opened until somebody has looked.
    fn alarm(&mut self, what: &'static str, out: &mut Commands) {
        self.kill();
        self.totals.alarms += 1;
        out.notices.push(Notice::Alarm(what));
    }

    fn slot(&self, venue: VenueId, symbol: SymbolId) -> Option<&Slot> {
        self.symbols.get(symbol.index())?.as_ref()?.slots.get(venue.index())?.as_ref()
    }

    fn slot_mut(&mut self, venue: VenueId, symbol: SymbolId) -> Option<&mut Slot> {
        self.symbols.get_mut(symbol.index())?.as_mut()?.slots.get_mut(venue.index())?.as_mut()
    }

    fn symbol(&self, symbol: SymbolId) -> Option<&SymbolState> {
        self.symbols.get(symbol.index())?.as_ref()
    }
}

impl VenueState {
    fn new(id: VenueId) -> Self {
        Self {
            id,
            account_ready: false,
            account_since: None,
            account_due_at: Timestamp::MAX,
            basis: accounts::Basis::default(),
            active_at: Timestamp::EPOCH,
            uncompared_since: None,
            snapshots_out: 0,
            snapshots_due: VecDeque::new(),
            clock_offset: None,
            drifting: false,
        }
    }
}

fn symbol_states(config: &EngineConfig, venues: &[VenueSetup]) -> Vec<Option<SymbolState>> {
    let mut symbols: Vec<Option<SymbolState>> = Vec::new();
    for setup in venues {
        for market in setup.markets.iter() {
            let index = market.id.index();
            if symbols.len() <= index {
                symbols.resize_with(index + 1, || None);
            }
            let state = symbols[index].get_or_insert_with(|| SymbolState {
                symbol: market.symbol(),
                scale: market.scale,
                slots: venues.iter().map(|_| None).collect(),
                tops: Tops::default(),
                opportunities: Vec::new(),
                last_bid: None,
            });
            let taker_fee = setup.taker_fees.get(&market.id).copied().unwrap_or(market.info.taker_fee);
            let sync = rules::new_sync(config, market, Some(setup.sync));
            state.slots[setup.venue.index()] = sync.map(|sync| Slot {
                market: market.clone(),
                taker_fee,
                least_notional: with_margin(market.min_notional, config.limits.min_notional_margin),
                sync,
                rule: setup.sync,
                snapshot: Wanted::No,
                live: false,
                changed: false,
                touched_at: Timestamp::EPOCH,
                filled_ts: Timestamp::EPOCH,
                drifts: 0,
            });
        }
    }
    for state in symbols.iter_mut().flatten() {
        let fees: Vec<_> =
            state.slots.iter().map(|slot| slot.as_ref().map_or(Bps::ZERO, |slot| slot.taker_fee)).collect();
        state.tops = Tops::new(&fees);
    }
    symbols
}

/// A notional and a part of it on top, rounded up. What does not fit is more than any order has.
fn with_margin(notional: Notional, margin: Bps) -> Notional {
    let one = i128::from(Bps::ONE);
    let wide = notional.0.checked_mul(one.saturating_add(i128::from(margin.e8())));
    Notional(wide.map_or(i128::MAX, |wide| wide.div_euclid(one) + i128::from(wide.rem_euclid(one) != 0)))
}

fn table<K, V>(capacity: usize) -> FxHashMap<K, V> {
    FxHashMap::with_capacity_and_hasher(capacity, FxBuildHasher)
}

fn count(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// The common lot of two markets, for sizing.
fn common_lot(left: &Market, right: &Market) -> Option<Qty> {
    crate::plan::common_step(left.lot, right.lot)
}

#[cfg(test)]
pub(crate) mod tests;
