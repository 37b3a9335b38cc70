//! One run: the exchanges, the network, the adapters and the engine, one event after the other.

mod carry;
mod life;
mod lost;
mod operator;
mod recovery;
mod setup;
mod start;

use crate::bugs::{Bug, Planted};
use crate::check::Checks;
use crate::fuse::Fuse;
use crate::journal::Journal;
use crate::plan::{Act, Dice, Planned};
use crate::rest::{Purpose, Rest};
use crate::run::Effects;
use crate::trace::Trace;
use crate::wire::{Around, Hears, Wire};
use cex_arb::run::answers::Keeper;
use cex_arb::run::record::Recorder;
use cex_core::{Account, Market, Markets, SymbolId, Timestamp, VenueId};
use cex_engine::{Commands, Engine, EngineConfig, Event};
use cex_interface::Outbox;
use cex_journal::storage::MemoryDisk;
use cex_sim::server::SimExchange;
use cex_sim::world::{Arrival, LineId, World};
use cex_transport::driver::DialBudget;
pub(crate) use life::{Crash, Halt};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

/// The engine, its journal, and who watches it.
pub(crate) struct Desk {
    pub(crate) engine: Engine,
    pub(crate) out: Commands,
    /// None between two processes.
    pub(crate) journal: Option<Journal>,
    pub(crate) fuse: Fuse,
    pub(crate) checks: Checks,
    pub(crate) trace: Trace,
    pub(crate) bug: Option<Planted>,
}

/// One venue.
pub(crate) struct Place {
    pub(crate) id: VenueId,
    pub(crate) rest: Rest,
    pub(crate) wires: Vec<Wire>,
    pub(crate) dials: DialBudget,
    pub(crate) markets: Arc<Markets>,
    /// What its account was last, for the bug that answers with it.
    pub(crate) account_before: Option<Account>,
    /// What the engine was told last of how far its clock is off, in nanoseconds.
    told_clock: Option<i64>,
}

/// Everything.
pub(crate) struct Day {
    pub(crate) world: World,
    pub(crate) desk: Desk,
    pub(crate) places: Vec<Place>,
    planned: VecDeque<Planned>,
    /// An exchange may have shut us out for a long time.
    pub(crate) is_banned: bool,
    pub(crate) fuse: Fuse,
    pub(crate) disk: MemoryDisk,
    pub(crate) life: life::Life,
    pub(crate) operator: operator::Operator,
    seed: u64,
    config: EngineConfig,
    /// Whether orders are on disk before they leave; elsewhere those of the last moments are in no journal after a loss of power.
    pub(crate) is_strict: bool,
    /// Whether lists of trades tell our names of their orders: else nobody can tell what an order traded that is forgotten.
    pub(crate) names_trades: bool,
    /// Chance of what the machine loses.
    dice: Dice,
    pub(crate) effects: Effects,
}

/// Hears one link for the engine.
struct Ear<'a> {
    desk: &'a mut Desk,
    venue: VenueId,
    symbols: Rc<[SymbolId]>,
}

impl Hears for Ear<'_> {
    fn hear(&mut self, now: Timestamp, out: &mut Outbox) {
        let (venue, symbols) = (self.venue, &self.symbols);
        if self.desk.fuse.is_blown() {
            return;
        }
        if let Some(bug) = &mut self.desk.bug {
            bug.spoil_news(out);
        }
        let looks_fresh = self.desk.has(Bug::FramesLookFresh);
        let is_written = !self.desk.has(Bug::FillsUnwritten);
        let Desk { engine, out: wanted, checks, journal, fuse, .. } = &mut *self.desk;
        // Connection news first: a stream that went down must not be traded on.
        for event in out.link.drain(..) {
            engine.handle(now, Event::Link { venue, event, symbols }, wanted);
        }
        let told = if looks_fresh { now + std::time::Duration::from_secs(10) } else { now };
        for event in &out.market {
            checks.market_news(now, venue, event);
            engine.handle(told, Event::Market { venue, event, levels: &out.levels }, wanted);
        }
        for event in &out.account {
            if !fuse.effect() {
                return;
            }
            if let Some(journal) = journal.as_mut().filter(|_| is_written) {
                journal.recorder.account(now, venue, event);
                journal.touched(now);
            }
            engine.handle(now, Event::Account { venue, event }, wanted);
        }
    }
}

impl Day {
    /// How late it is.
    pub(crate) const fn now(&self) -> Timestamp {
        self.world.now()
    }

    /// Lets everything happen until then.
    pub(crate) fn run_until(&mut self, until: Timestamp) {
        while !self.desk.checks.is_broken() {
            if self.fuse.is_blown() {
                self.die();
            }
            if let Some(at) = self.starts_at() {
                self.pump_until(at.min(until));
                if at > until {
                    return;
                }
                self.begin_again();
                continue;
            }
            let (due, now) = (self.due_at(), self.now());
            if self.world.step_to_arrival(due.min(until).max(now)) {
                self.turn(self.now());
            } else if due <= until {
                self.turn(due.max(now));
            } else {
                return;
            }
        }
    }

    /// When something is due that does not come from the exchanges: until then, and until something arrives, nobody here has
    /// anything to do.
    fn due_at(&self) -> Timestamp {
        let engine = self.desk.engine.wakeup_at().unwrap_or(Timestamp::MAX);
        let plan = self.planned.front().map_or(Timestamp::MAX, |planned| planned.at);
        let places = self.places.iter().map(Place::next_at).min().unwrap_or(Timestamp::MAX);
        let journal = self.desk.journal.as_ref().map_or(Timestamp::MAX, Journal::next_at);
        // What a crash left is looked at after everything that happens, until it is level.
        let leveling = if self.life.levels { self.world.next_at() } else { Timestamp::MAX };
        let look = self.desk.checks.next_look();
        [engine, plan, places, journal, leveling, look, self.operator.looks_at()]
            .into_iter()
            .min()
            .unwrap_or(Timestamp::MAX)
    }

    /// Everything that happens at one moment, to a process that may die in it.
    fn turn(&mut self, at: Timestamp) {
        self.world.step(at);
        while let Some((line, arrival)) = self.world.take() {
            self.arrive(line, arrival);
        }
        for index in 0..self.places.len() {
            if self.places[index].rest.next_at() <= at {
                let Self { world, places, .. } = self;
                places[index].rest.wake(world);
            }
            self.hand_out(index);
            self.wake_wires(index, at);
        }
        self.tell_clocks();
        if self.desk.engine.wakeup_at().is_some_and(|due| due <= at) {
            self.feed(Event::Wake);
        }
        self.desk.wake_journal(at);
        self.level_first();
        self.go_on(at);
    }

    /// Tells the engine how far each exchange's clock is off, when that is measured anew.
    fn tell_clocks(&mut self) {
        for index in 0..self.places.len() {
            let place = &mut self.places[index];
            let (venue, offset_nanos) = (place.id, place.rest.clock_offset());
            if std::mem::replace(&mut place.told_clock, offset_nanos) != offset_nanos {
                self.feed(Event::Clock { venue, offset_nanos });
            }
        }
    }

    /// What happens whether a process is there or not.
    fn go_on(&mut self, at: Timestamp) {
        while let Some(planned) = self.planned.pop_front_if(|planned| planned.at <= at) {
            self.go_wrong(&planned);
        }
        self.let_operator_look(at);
        if at >= self.desk.checks.next_look() {
            let refused = self.places.iter_mut().any(|place| place.rest.asks_nothing(at));
            self.desk.checks.look(at, &self.world, refused);
        }
    }

    fn arrive(&mut self, line: LineId, arrival: Arrival) {
        let now = self.now();
        self.desk
            .trace
            .note(now, arrival_bytes(&arrival), || format!("{} {}", line.0, arrival_words(&arrival)));
        for index in 0..self.places.len() {
            if self.places[index].rest.knows(line) {
                let Self { world, places, .. } = self;
                places[index].rest.hear(world, line, arrival);
                return self.hand_out(index);
            }
            if let Some(wire) = self.places[index].wires.iter().position(|wire| wire.uses(line)) {
                self.with_wire(index, wire, |wire, around| wire.arrive(around, arrival));
                return self.settle();
            }
        }
    }

    fn wake_wires(&mut self, index: usize, at: Timestamp) {
        for wire in 0..self.places[index].wires.len() {
            if self.places[index].wires[wire].next_at() <= at {
                self.with_wire(index, wire, Wire::wake);
                self.settle();
            }
        }
    }

    /// Does something with a wire of a place.
    fn with_wire(&mut self, place: usize, wire: usize, work: impl FnOnce(&mut Wire, &mut Around<'_>)) {
        let Self { world, desk, places, .. } = self;
        let Place { id, rest, wires, dials, .. } = &mut places[place];
        let mut ear = Ear { desk, venue: *id, symbols: Rc::clone(&wires[wire].symbols) };
        let mut around = Around { world, rest, dials, ear: &mut ear };
        work(&mut wires[wire], &mut around);
        wires[wire].reckon();
    }

    /// Answers to calls go to whoever asked.
    fn hand_out(&mut self, place: usize) {
        while self.places[place].rest.has_done() {
            for (purpose, result) in self.places[place].rest.take_done() {
                let (mut purpose, mut result) = (purpose, result);
                self.spoil_answer(place, &mut purpose, &mut result);
                if self.fuse.is_blown() {
                    return;
                }
                self.desk.checks.answered(&result);
                if let Purpose::Link { index, tag, life } = purpose {
                    self.with_wire(place, index, |wire, around| wire.answered(around, (tag, life), &result));
                    self.settle();
                } else {
                    self.answered(place, &purpose, result);
                }
            }
        }
    }

    fn go_wrong(&mut self, planned: &Planned) {
        let now = self.now();
        let Planned { exchange, act, family, .. } = planned;
        match act {
            Act::Trouble(trouble) => {
                self.desk.trace.tell(now, format!("{family} {exchange} {trouble}"));
                self.world.disturb(*exchange, trouble);
                self.desk.checks.went_wrong(now, *family, trouble);
            }
            Act::Fault(fault) => {
                self.desk.trace.tell(now, format!("{family} {exchange} {fault}"));
                if planned.is_ban() {
                    self.is_banned = true;
                    self.desk.checks.went_silent(now);
                }
                // What is drawn makes sense, or the seed would say so.
                if let Err(error) = self.world.inject(*exchange, fault) {
                    self.desk.checks.harness(now, format!("{fault}: {error}"));
                }
            }
            Act::Crash(crash) => {
                self.desk.trace.tell(now, format!("{family} {crash}"));
                self.arm(*crash);
            }
        }
    }

    /// The market of a symbol at a venue.
    pub(crate) fn market(&self, venue: VenueId, symbol: SymbolId) -> Option<&Market> {
        self.places.get(venue.index())?.markets.get(symbol)
    }
}

impl Desk {
    /// Something is written down.
    pub(crate) fn record(&mut self, now: Timestamp, what: impl FnOnce(&mut Recorder)) {
        if let Some(journal) = &mut self.journal {
            what(&mut journal.recorder);
            journal.touched(now);
        }
    }

    fn wake_journal(&mut self, now: Timestamp) {
        if let Some(journal) = self.journal.as_mut().filter(|journal| journal.next_at() <= now) {
            journal.wake(now);
        }
    }
}

impl Place {
    fn next_at(&self) -> Timestamp {
        let wires = self.wires.iter().map(Wire::next_at).min().unwrap_or(Timestamp::MAX);
        if self.rest.has_done() { Timestamp::EPOCH } else { wires.min(self.rest.next_at()) }
    }

    /// Which exchange it is.
    pub(crate) const fn exchange(&self) -> SimExchange {
        self.rest.exchange
    }
}

fn arrival_bytes(arrival: &Arrival) -> &[u8] {
    match arrival {
        Arrival::Text(bytes) | Arrival::Binary(bytes) => bytes,
        Arrival::Answer(answer) | Arrival::Refused(answer) => &answer.body,
        Arrival::Dialed => b"dialed",
        Arrival::Upgraded => b"upgraded",
        Arrival::Ping => b"ping",
        Arrival::Pong => b"pong",
        Arrival::Closed => b"closed",
        Arrival::Lost => b"lost",
    }
}

fn arrival_words(arrival: &Arrival) -> String {
    let shown = |bytes: &[u8]| {
        let text: String = String::from_utf8_lossy(bytes).chars().take(200).collect();
        text.escape_debug().to_string()
    };
    match arrival {
        Arrival::Text(bytes) => format!("text {}", shown(bytes)),
        Arrival::Binary(bytes) => format!("{} bytes", bytes.len()),
        Arrival::Answer(answer) => format!("answer {} {}", answer.status, shown(&answer.body)),
        Arrival::Refused(answer) => format!("refused {}", answer.status),
        Arrival::Dialed
        | Arrival::Upgraded
        | Arrival::Ping
        | Arrival::Pong
        | Arrival::Closed
        | Arrival::Lost => shown(arrival_bytes(arrival)),
    }
}
