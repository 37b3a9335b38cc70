//! Events from sockets into the engine, its commands into calls: plain calls on one thread.

mod alert;
mod calls;
mod halts;
mod known;
mod links;
mod paper;
mod rehearsal;
mod withheld;

use self::alert::Hearing;
pub use self::halts::Seen;
use self::withheld::Withheld;
use super::answers;
use super::paper::Paper;
use super::record::Recorder;
use super::stopwatch::Stopwatch;
use super::venue::Venue;
use crate::show::{Status, Told, Viewer};
use cex_core::{Bps, ClientOrderId, Decimal, OrderRequest, Timestamp};
use cex_engine::{Command, Commands, Engine, EngineView, Event, Notice, Understudy};
use cex_interface::Request;
use cex_risk::{Approved, JournalState, Standing, Until};
use cex_transport::{Clock, Prepared, Urgency};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::Notify;

/// How often the engine is told how journal and clocks are: a journal may lag by less before openings stop.
const WATCH_EVERY: Duration = Duration::from_millis(25);

/// What the thread that trades owns.
struct Core {
    engine: Engine,
    out: Commands,
    venues: Vec<Venue>,
    clock: Clock,
    started_at: Timestamp,
    stopwatch: Stopwatch,
    /// What the base moved by each order of an ended arbitrage is valued at, when somebody wants to know at the end.
    marks: Option<BTreeMap<ClientOrderId, Decimal>>,
    all_joined_at: Option<Timestamp>,
    viewer: Rc<Viewer>,
    understudy: Option<Understudy>,
    rehearsed_at: Timestamp,
    /// Symbols kept in the caches so far.
    warmed: usize,
    /// Approvals that were used up by sending an order.
    permits: u64,
    recorder: Option<Recorder>,
    hearing: Hearing,
    /// The session is over: an order that left now would be in no record.
    closed: bool,
    /// Halted until an operator has looked.
    halted: bool,
    /// How often something stopped it that only an operator ends.
    halts: u64,
    /// Told when the kill switch was thrown.
    killed: Rc<Notify>,
    /// How often it was.
    kills: u64,
    /// It was, and it is not proven since that no order is open.
    may_rest: bool,
    /// What an operator has looked at.
    seen: Seen,
    /// Why legs did not leave, as far as it was told.
    withheld: Withheld,
    /// Orders go here and nowhere else.
    paper: Option<Paper>,
}

/// A handle on the thread's one [`Engine`] and what is around it. Cheap to clone; never leaves its thread.
#[derive(Clone)]
pub struct Desk(Rc<RefCell<Core>>);

/// What a run came to, beside the engine's own view.
pub struct Tally {
    /// What the base moved by each order of an ended arbitrage is valued at.
    pub marks: BTreeMap<ClientOrderId, Decimal>,
    /// Latencies.
    pub stopwatch: Stopwatch,
    /// From the start to the first symbol whose books could be used on every venue.
    pub first_book: Option<Duration>,
    /// When the run was closed.
    pub closed_at: Timestamp,
    /// Since the start.
    pub elapsed: Duration,
}

impl Desk {
    /// A desk over an engine and its venues, in the order of their indexes.
    #[must_use]
    pub fn new(
        engine: Engine,
        venues: Vec<Venue>,
        clock: Clock,
        started_at: Timestamp,
        viewer: Rc<Viewer>,
    ) -> Self {
        Self(Rc::new(RefCell::new(Core {
            engine,
            out: Commands::default(),
            venues,
            clock,
            started_at,
            stopwatch: Stopwatch::new(),
            marks: None,
            all_joined_at: None,
            viewer,
            understudy: None,
            rehearsed_at: started_at,
            warmed: 0,
            permits: 0,
            recorder: None,
            hearing: Hearing::default(),
            closed: false,
            halted: false,
            halts: 0,
            killed: Rc::default(),
            kills: 0,
            may_rest: false,
            seen: Seen::default(),
            withheld: Withheld::default(),
            paper: None,
        })))
    }

    /// Keeps from now on what each order of an ended arbitrage is valued at, for the [`Tally`]: for a run that ends soon,
    /// because that is kept for all of them.
    pub fn keep_marks(&self) {
        self.0.borrow_mut().marks = Some(BTreeMap::new());
    }

    /// Records from now on what is done and heard: no opening leaves that was not written down before.
    pub fn record_into(&self, recorder: Recorder) {
        self.0.borrow_mut().recorder = Some(recorder);
    }

    /// The recorder, to end its session. Nothing is recorded any more, and no order leaves.
    #[must_use]
    pub fn take_recorder(&self) -> Option<Recorder> {
        let mut core = self.0.borrow_mut();
        core.closed |= core.recorder.is_some();
        core.recorder.take()
    }

    /// Tells the engine something that came from elsewhere than a stream.
    pub fn tell_engine(&self, event: Event<'_>) {
        self.feed(self.now(), event);
    }

    /// Reads what the engine shows, and the counters of its venues.
    pub fn look<T>(&self, read: impl FnOnce(Timestamp, &EngineView, &[Venue], JournalState) -> T) -> T {
        let core = self.0.borrow();
        let now = core.clock.now();
        let journal = core.recorder.as_ref().map_or_else(JournalState::default, Recorder::state);
        read(now, &core.engine.view(now), &core.venues, journal)
    }

    /// Reads the engine itself: books, versions, holdings.
    pub fn inspect<T>(&self, read: impl FnOnce(Timestamp, &Engine) -> T) -> T {
        let core = self.0.borrow();
        read(core.clock.now(), &core.engine)
    }

    /// What the rules that look back stand at now.
    #[must_use]
    pub fn standing(&self) -> (Timestamp, Standing) {
        let core = self.0.borrow();
        let now = core.clock.now();
        (now, core.engine.standing(now))
    }

    fn now(&self) -> Timestamp {
        self.0.borrow().clock.now()
    }

    /// Tells the engine how journal and clocks are, a few times a second, until the task is dropped.
    pub async fn watch(self) {
        loop {
            tokio::time::sleep(WATCH_EVERY).await;
            let (journal, lost, clocks) = {
                let mut core = self.0.borrow_mut();
                let core = &mut *core;
                if let Some(recorder) = &mut core.recorder {
                    recorder.flush();
                }
                let clocks: Vec<_> = core
                    .venues
                    .iter()
                    .map(|venue| {
                        (venue.id, venue.rest.venue_clock().estimate().map(|known| known.offset_nanos))
                    })
                    .collect();
                let lost = !core.halted && core.recorder.as_ref().is_some_and(Recorder::loses_orders);
                (core.recorder.as_ref().map(Recorder::state), lost, clocks)
            };
            if lost {
                self.halt("R34", "the journal cannot be written");
            }
            if let Some(state) = journal {
                self.tell_engine(Event::Journal(state));
            }
            for (venue, offset_nanos) in clocks {
                self.tell_engine(Event::Clock { venue, offset_nanos });
            }
        }
    }

    /// Tells people what tripped in earlier runs and still stops openings; the journal has it already.
    pub fn tell_trips(&self) {
        let core = self.0.borrow();
        let now = core.clock.now();
        for trip in core.engine.view(now).trips {
            core.viewer.tell(Told::Notice(now, Notice::Tripped(trip)));
        }
    }

    /// Wakes the engine when it wants to be, until the task is dropped.
    pub async fn wake(self) {
        loop {
            let (clock, at) = {
                let core = self.0.borrow();
                (core.clock, core.engine.wakeup_at())
            };
            let pause = at.map_or(Duration::from_millis(50), |at| at.since(clock.now()));
            tokio::time::sleep(pause.max(Duration::from_millis(1))).await;
            self.feed(clock.now(), Event::Wake);
        }
    }

    /// Shows everything at a glance a few times a second, until the task is dropped.
    pub async fn report(self) {
        loop {
            tokio::time::sleep(Duration::from_millis(250)).await;
            self.glance();
        }
    }

    /// Everything at a glance, once; before it, whether more left than was approved (R36).
    fn glance(&self) {
        let now = self.now();
        self.halt_if_contradicted();
        let core = self.0.borrow();
        core.viewer.tell(Told::Status(Box::new(Status {
            uptime: now.since(core.started_at),
            halted: core.halted,
            engine: core.engine.view(now),
            frames: core.venues.iter().map(Venue::frames).collect(),
            latency: core.stopwatch.rows(),
        })));
    }

    /// Waits until nothing is on the way any more, at most until then.
    async fn idle(&self, until: Timestamp) {
        let clock = self.0.borrow().clock;
        while !self.0.borrow().engine.is_idle() && clock.now() < until {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Opens nothing new from now on, and waits until nothing is on the way any more, at most `patience`. With `flatten`,
    /// what ended arbitrages left over is traded away after that, at most so far from the best prices, with as much patience.
    pub async fn drain(&self, patience: Duration, flatten: Option<Bps>) {
        let (clock, until) = {
            let core = self.0.borrow();
            (core.clock, core.clock.now() + patience)
        };
        self.feed(clock.now(), Event::Kill);
        self.idle(until).await;
        if self.has_lost_its_journal() && flatten.is_some() {
            tracing::error!("what is left over is not traded away: no record would tell the next run of it");
        } else if let Some(give) = flatten {
            self.feed(clock.now(), Event::Flatten { give });
            self.idle(clock.now() + patience).await;
        }
        // What left last was looked at by nobody yet.
        self.halt_if_contradicted();
        let mut core = self.0.borrow_mut();
        let core = &mut *core;
        core.engine.finish(clock.now(), &mut core.out);
        core.tell(clock.now());
    }

    /// Asks every link for an orderly end.
    pub fn stop_links(&self) {
        self.0.borrow().venues.iter().for_each(Venue::stop);
    }

    /// The engine's view, holdings and this run's numbers. The desk is used up by it.
    #[must_use]
    pub fn close<T>(&self, read: impl FnOnce(&Engine, &[Venue], Tally) -> T) -> T {
        let mut core = self.0.borrow_mut();
        let core = &mut *core;
        let closed_at = core.clock.now();
        let tally = Tally {
            marks: core.marks.take().unwrap_or_default(),
            stopwatch: std::mem::take(&mut core.stopwatch),
            first_book: core.all_joined_at.map(|at| at.since(core.started_at)),
            closed_at,
            elapsed: closed_at.since(core.started_at),
        };
        read(&core.engine, &core.venues, tally)
    }

    /// One thing that happened, alone.
    fn feed(&self, now: Timestamp, event: Event<'_>) {
        self.tell(now, event);
        self.settle(now);
    }

    fn tell(&self, now: Timestamp, event: Event<'_>) {
        let mut core = self.0.borrow_mut();
        let core = &mut *core;
        core.engine.handle(now, event, &mut core.out);
    }

    /// The engine decides, and what it wants is done.
    fn settle(&self, now: Timestamp) {
        let mut core = self.0.borrow_mut();
        let core = &mut *core;
        core.engine.handle(now, Event::Settled, &mut core.out);
        self.act(core, now);
    }

    /// Does what the engine wants done, and tells what it told.
    fn act(&self, core: &mut Core, read_at: Timestamp) {
        // Orders first: what is told to people can wait. Legs that cannot leave make the engine want something new.
        while !core.out.commands.is_empty() {
            let mut commands = std::mem::take(&mut core.out.commands);
            for command in commands.drain(..) {
                self.carry_out(core, read_at, command);
            }
            // Kept for its memory, unless there is something new in its place.
            if core.out.commands.is_empty() {
                core.out.commands = commands;
                break;
            }
        }
        core.tell(core.clock.now());
    }

    fn carry_out(&self, core: &mut Core, read_at: Timestamp, command: Command) {
        if core.closed && matches!(command, Command::Open { .. } | Command::Close { .. }) {
            tracing::warn!("an order is not sent any more: what is open is the next start's");
            return;
        }
        let command = match &core.paper {
            None => command,
            Some(_) => match self.paper(core, read_at, command) {
                Some(public) => public,
                None => return,
            },
        };
        match command {
            Command::Open { legs } => self.open(core, read_at, legs),
            Command::Close { order, parent } => {
                let order = order.into_inner();
                core.permits += 1;
                if let Some(recorder) = &mut core.recorder {
                    recorder.closing(core.clock.now(), parent, &order);
                }
                let rest = &core.venues[order.venue.index()].rest;
                self.follow(read_at, order, rest.begin(Request::Place(order), Urgency::MustGo));
            }
            Command::FetchBook { venue, symbol, depth, asked_at } => {
                self.fetch_book(core, (venue, symbol), depth, asked_at);
            }
            Command::Resubscribe { venue, symbol } => core.venues[venue.index()].resubscribe(symbol),
            Command::QueryOrder { venue, symbol, client_id, order_id, asked_at } => {
                self.query_order(core, (venue, symbol), (client_id, order_id), asked_at);
            }
            Command::Cancel { venue, symbol, client_id, order_id } => {
                self.cancel(core, (venue, symbol), client_id, order_id);
            }
            Command::QueryOpen { venue, symbol, client_id, asked_at } => {
                self.query_open(core, (venue, symbol), client_id, asked_at);
            }
            Command::QueryFills { venue, symbol, client_id, order_id, since } => {
                self.query_fills(core, (venue, symbol), (client_id, order_id), since);
            }
            Command::QueryTrades { venue, symbol, client_id, order_id, since, asked_at } => {
                self.query_trades(core, (venue, symbol), (client_id, order_id), since, asked_at);
            }
            Command::ReadAccount { venue, asked_at } => self.read_account(core, venue, asked_at),
        }
    }

    /// Sends both legs of an arbitrage, or neither: each is signed, paid for and has a connection before any byte leaves.
    /// This and a closing order are the only ways out for orders, and take what the gate approved and nothing else.
    fn open(&self, core: &mut Core, read_at: Timestamp, legs: [Approved<OrderRequest>; 2]) {
        let ready = legs.map(|leg| {
            let order = leg.into_inner();
            let rest = &core.venues[order.venue.index()].rest;
            (order, rest.prepare(Request::Place(order), Urgency::Normal))
        });
        match ready {
            // What was approved before the halt of the same turn stays here (R36). Time is asked twice: what is late needs no
            // record, and a disk may take its own.
            [(first, Ok(first_ready)), (second, Ok(second_ready))]
                if !core.halted
                    && !core.is_late(read_at)
                    && core.is_recorded(read_at, [&first, &second])
                    && !core.is_late(read_at) =>
            {
                core.permits += 2;
                core.stopwatch.signed(read_at, [first_ready.prepared_at(), second_ready.prepared_at()]);
                let first_sent = first_ready.send();
                let second_sent = second_ready.send();
                self.follow(read_at, first, first_sent);
                self.follow(read_at, second, second_sent);
            }
            ready => {
                // Of a halt, and of a journal that takes nothing, somebody has told already.
                if !core.halted && core.is_late(read_at) && ready.iter().all(|(_, outcome)| outcome.is_ok()) {
                    let now = core.clock.now();
                    core.withheld.late(now, now.since(read_at), core.engine.decision_ttl());
                }
                for (order, outcome) in ready {
                    let why = outcome.map(Prepared::give_up).err();
                    if let Some(error) = &why {
                        tracing::debug!(%error, order = %order.client_id, "legs withheld");
                        core.withheld.refused(core.clock.now(), order.venue, error);
                        core.stop_when_contradicted(order.venue);
                    }
                    let now = core.clock.now();
                    for event in answers::withheld(now, &order, why.as_ref()) {
                        core.engine.handle(now, event, &mut core.out);
                    }
                }
            }
        }
    }
}

impl Core {
    /// Whether what was decided on a read of then is too old to leave (R22).
    fn is_late(&self, read_at: Timestamp) -> bool {
        self.clock.now().since(read_at) > self.engine.decision_ttl()
    }

    /// Writes the legs down before they leave, as of when they were decided; whether that worked, or nothing is recorded in
    /// this run.
    fn is_recorded(&mut self, decided_at: Timestamp, legs: [&OrderRequest; 2]) -> bool {
        let Some(recorder) = &mut self.recorder else { return true };
        let started = self.out.notices.iter().rev().find_map(|notice| match notice {
            Notice::Started { id, plan } if legs.iter().all(|leg| plan.has(leg)) => Some((id, plan)),
            _other => None,
        });
        started.is_some_and(|(id, plan)| recorder.opening(decided_at, id.0, plan, legs))
    }

    /// Hands what the engine told to the viewer; keeps what the proof at the end needs.
    fn tell(&mut self, now: Timestamp) {
        let mut is_alarmed = false;
        for notice in self.out.notices.drain(..) {
            match &notice {
                Notice::Finished(outcome) => {
                    if let Some(marks) = &mut self.marks {
                        marks.extend(outcome.orders.iter().map(|order| (*order, outcome.mark)));
                    }
                }
                Notice::BookLive { symbol, .. } if self.all_joined_at.is_none() => {
                    let joined =
                        self.venues.iter().all(|venue| self.engine.book(venue.id, *symbol).is_some());
                    self.all_joined_at = joined.then_some(now);
                }
                Notice::BookLive { .. }
                | Notice::BookLost { .. }
                | Notice::Opportunity { .. }
                | Notice::Started { .. }
                | Notice::OrderEnded { .. }
                | Notice::HeldAlready { .. }
                | Notice::Noted(_) => {}
                Notice::Tripped(trip) => self.halts += u64::from(trip.until == Until::Operator),
                Notice::Alarm(_) => is_alarmed = true,
            }
            if let Some(recorder) = &mut self.recorder {
                recorder.notice(now, &notice);
            }
            // What the next run must know is nothing for people, and its lines would crowd theirs out.
            if !matches!(notice, Notice::Noted(_) | Notice::HeldAlready { .. }) {
                self.viewer.tell(Told::Notice(now, notice));
            }
        }
        // The engine has halted, and the recorder has written that down. Whatever happened that must not, an order may rest of it.
        if is_alarmed {
            self.halted = true;
            self.halts += 1;
            self.note_killed();
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
