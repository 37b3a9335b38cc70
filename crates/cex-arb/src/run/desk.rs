//! Events from sockets into the engine, its commands into calls: plain calls on one thread.

mod alert;
mod calls;
mod known;
mod paper;

use self::alert::Hearing;
use super::answers;
use super::paper::Paper;
use super::record::Recorder;
use super::stopwatch::Stopwatch;
use super::venue::Venue;
use crate::show::summary::Arbitrages;
use crate::show::{Status, Told, Viewer};
use cex_core::{Bps, ClientOrderId, Decimal, LinkEvent, OrderRequest, SymbolId, Timestamp, VenueId};
use cex_engine::{
    Command, Commands, Engine, EngineConfig, EngineView, Event, Notice, Understudy, VenueSetup,
};
use cex_errors::Op;
use cex_interface::{Outbox, Request};
use cex_risk::{Approved, JournalState, Standing};
use cex_transport::{Clock, Prepared, Received, Sink, Urgency};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::Notify;

/// How often the way of an order is rehearsed at most: with every frame would double their cost, seldom leaves it cold.
const REHEARSE_EVERY: Duration = Duration::from_micros(200);
/// Symbols that left an understudy nothing to play are tried again after this.
const ENGAGE_AGAIN: Duration = Duration::from_secs(60);
/// Symbols whose books and rules are read into the caches with each rehearsal: some hundred come round before they are lost
/// again.
const WARMED_EACH: usize = 2;

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
    /// Told when the kill switch was thrown.
    killed: Rc<Notify>,
    /// How often it was.
    kills: u64,
    /// It was, and it is not proven since that no order is open.
    may_rest: bool,
    /// What an operator has looked at.
    seen: Seen,
    /// Orders go here and nowhere else.
    paper: Option<Paper>,
}

/// A handle on the thread's one [`Engine`] and what is around it. Cheap to clone; never leaves its thread.
#[derive(Clone)]
pub struct Desk(Rc<RefCell<Core>>);

/// What of a run's totals an operator had looked at when openings were last allowed to go on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// Alarms.
    pub alarms: u64,
    /// Arbitrages that were parked.
    pub parked: u64,
}

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
            killed: Rc::default(),
            kills: 0,
            may_rest: false,
            seen: Seen::default(),
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

    /// The kill switch: halts, and has what is open in the accounts cancelled by whoever waits for it ([`super::cancel`]).
    pub fn kill(&self, by: &str, reason: &str) {
        self.halt(by, reason);
        self.0.borrow_mut().note_killed();
    }

    /// Waits until the kill switch is thrown.
    pub async fn until_killed(&self) {
        let killed = Rc::clone(&self.0.borrow().killed);
        killed.notified().await;
    }

    /// Whether the kill switch was thrown, and an order may be open for all that is known.
    #[must_use]
    pub fn may_rest(&self) -> bool {
        self.0.borrow().may_rest
    }

    /// How often the kill switch was thrown.
    #[must_use]
    pub fn kills(&self) -> u64 {
        self.0.borrow().kills
    }

    /// It is proven that no order is open, to whoever began to look when the switch had been thrown so often: one that was thrown
    /// since wants a look of its own.
    pub fn nothing_rests(&self, kills: u64) {
        let mut core = self.0.borrow_mut();
        core.may_rest &= core.kills != kills;
    }

    /// Stops all openings until an operator has looked, over restarts too.
    pub fn halt(&self, by: &str, reason: &str) {
        let now = self.now();
        tracing::warn!(by, reason, "halted: nothing new is opened");
        {
            let mut core = self.0.borrow_mut();
            core.halted = true;
            if let Some(recorder) = &mut core.recorder {
                recorder.halt(now, by, reason);
            }
        }
        self.feed(now, Event::Kill);
    }

    /// An operator has looked at what stopped openings. Whether that is written down: otherwise nothing was acknowledged.
    #[must_use]
    pub fn acknowledge(&self, by: &str) -> bool {
        let now = self.now();
        let acknowledged =
            self.0.borrow_mut().recorder.as_mut().is_none_or(|recorder| recorder.acknowledged(now, by));
        // It may be there later, and the next run must know no more of it than whoever asked was told.
        if !acknowledged && !self.has_lost_its_journal() {
            self.tell(now, Event::Acknowledge);
            self.halt(by, "an acknowledgement was not on disk in time");
        }
        acknowledged
    }

    /// Lets openings go on after an operator has looked.
    pub fn go_on(&self) {
        let now = self.now();
        {
            let mut core = self.0.borrow_mut();
            let view = core.engine.view(now);
            let parked = Arbitrages::new(&view.totals, view.open).parked;
            core.seen = Seen { alarms: view.totals.alarms, parked };
            (core.halted, core.may_rest) = (false, false);
        }
        self.feed(now, Event::Acknowledge);
    }

    /// Whether the journal cannot be written any more. Where orders leave, it is halted then, again if need be: an operator looks
    /// when it has ended.
    #[must_use]
    pub fn has_lost_its_journal(&self) -> bool {
        let (failed, lost) = {
            let core = self.0.borrow();
            let told =
                core.recorder.as_ref().map(|recorder| (recorder.has_failed(), recorder.loses_orders()));
            told.unwrap_or_default()
        };
        if lost {
            self.halt("R34", "the journal cannot be written");
        }
        failed
    }

    /// Whether somebody or something halted it, and no operator has looked since.
    #[must_use]
    pub fn is_halted(&self) -> bool {
        self.0.borrow().halted
    }

    /// What an operator has looked at, and so is no reason any more to call for one.
    #[must_use]
    pub fn seen(&self) -> Seen {
        self.0.borrow().seen
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

    /// A sink for a link of `venue` that carries these symbols (none: the account's).
    #[must_use]
    pub fn sink(&self, venue: VenueId, symbols: Rc<[SymbolId]>) -> impl Sink + use<> {
        LinkSink { desk: self.clone(), venue, symbols, unsettled: None }
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

    /// Has the way of an order rehearsed from now on, between frames that bring none, until the task is dropped. There is
    /// something to play once a symbol has books at two venues.
    pub async fn rehearse(self, config: EngineConfig, setups: Vec<VenueSetup>) {
        let mut tried = BTreeSet::new();
        let mut forget_at = self.now() + ENGAGE_AGAIN;
        loop {
            if self.0.borrow().understudy.is_none() {
                self.0.borrow_mut().engage(&config, &setups, &mut tried);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            if self.now() >= forget_at {
                tried.clear();
                forget_at = self.now() + ENGAGE_AGAIN;
            }
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
            engine: core.engine.view(now),
            frames: core.venues.iter().map(Venue::frames).collect(),
            latency: core.stopwatch.rows(),
        })));
    }

    fn halt_if_contradicted(&self) {
        // A statement of its own: halting borrows again.
        let contradiction = self.0.borrow().contradiction();
        if let Some(what) = contradiction {
            self.kill("R36", what);
        }
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
                for (order, outcome) in ready {
                    let why = outcome.map(Prepared::give_up).err();
                    if let Some(error) = &why {
                        tracing::debug!(%error, order = %order.client_id, "legs withheld");
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
    fn note_killed(&mut self) {
        self.may_rest = true;
        self.kills += 1;
        self.killed.notify_one();
    }

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

    /// What leaves is not what was approved (R36); told until it halts, also while what is open is let end.
    fn contradiction(&self) -> Option<&'static str> {
        let bytes = self.venues.iter().find_map(|venue| venue.rest.take_contradiction());
        let more = !self.halted && !self.orders_match_permits();
        bytes.or(more.then_some("more orders left than were approved"))
    }

    /// An order could not leave. When that is because its bytes said something else than was approved, nothing more leaves:
    /// whatever wrote it writes the next one too (R36).
    fn stop_when_contradicted(&mut self, venue: VenueId) {
        let Some(what) = self.venues[venue.index()].rest.take_contradiction() else { return };
        let now = self.clock.now();
        tracing::error!(%venue, what, "halted: nothing new is opened");
        self.halted = true;
        if let Some(recorder) = &mut self.recorder {
            recorder.halt(now, "R36", what);
        }
        self.note_killed();
        self.engine.handle(now, Event::Kill, &mut self.out);
    }

    /// Whether no more orders were given to connections than were approved (R36). One that could not leave was approved too.
    fn orders_match_permits(&self) -> bool {
        let sent = |venue: &Venue| venue.rest.metrics().of(Op::PlaceOrder).sent.value();
        self.venues.iter().map(sent).sum::<u64>() <= self.permits
    }

    /// Engages an understudy for the first symbol whose books can be used, if it leaves it something to play and was not `tried`.
    /// One is costly to make: no more than that at once.
    fn engage(&mut self, config: &EngineConfig, setups: &[VenueSetup], tried: &mut BTreeSet<SymbolId>) {
        let mut markets = setups.iter().flat_map(|setup| setup.markets.iter());
        let untried = markets.find_map(|market| {
            let price = self.engine.book(market.venue, market.id)?.best_ask()?.price;
            (!tried.contains(&market.id)).then_some((market.id, price))
        });
        if let Some((symbol, price)) = untried {
            tried.insert(symbol);
            self.understudy = Understudy::new(config, setups, symbol, price);
        }
    }

    /// Goes the way of an order from books to signed bytes on a connection, and throws them away there, unless that was
    /// done a moment ago. Without it the way is cold when an order comes, and takes several times as long.
    fn rehearse(&mut self, now: Timestamp) {
        if self.understudy.is_none() || now.since(self.rehearsed_at) < REHEARSE_EVERY {
            return;
        }
        self.rehearsed_at = now;
        self.warm(now);
        let Some(orders) = self.understudy.as_mut().and_then(Understudy::play) else {
            // It has played enough: the next one is engaged soon.
            self.understudy = None;
            return;
        };
        for order in orders {
            self.venues[order.venue.index()].rest.rehearse(Request::Place(order));
        }
    }

    /// Reads what frames and openings of the next few symbols will read, so that it is in the caches then.
    fn warm(&mut self, now: Timestamp) {
        for _ in 0..WARMED_EACH {
            self.warmed = self.warmed.wrapping_add(1);
            if let Some(symbol) = self.engine.warm(now, self.warmed) {
                self.venues.iter().for_each(|venue| venue.rest.warm(symbol));
            }
        }
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
                | Notice::Noted(_)
                | Notice::Tripped(_) => {}
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
            self.note_killed();
        }
    }

    fn tell_link(&self, now: Timestamp, venue: VenueId, event: LinkEvent) {
        let state = match event {
            LinkEvent::Up => "connected",
            LinkEvent::Down => "connection lost",
            LinkEvent::AccountReady => "account stream ready",
            LinkEvent::Refused { .. } => "subscription refused",
            LinkEvent::Undecodable { .. } => "frame could not be used",
            LinkEvent::Subscribed { .. } => return,
        };
        self.viewer.tell(Told::Link(now, venue.to_string(), state));
    }
}

/// Hears one link.
struct LinkSink {
    desk: Desk,
    venue: VenueId,
    symbols: Rc<[SymbolId]>,
    /// When the read returned whose news are with the engine but not settled, and whether any were of the market.
    unsettled: Option<(Timestamp, bool)>,
}

impl Sink for LinkSink {
    fn deliver(&mut self, now: Timestamp, received: &Received, out: &mut Outbox) {
        let mut core = self.desk.0.borrow_mut();
        let core = &mut *core;
        let venue = self.venue;
        // Connection news first: a stream that went down must not be traded on.
        for event in out.link.drain(..) {
            core.tell_link(now, venue, event);
            core.engine.handle(now, Event::Link { venue, event, symbols: &self.symbols }, &mut core.out);
        }
        for event in &out.market {
            core.engine.handle(now, Event::Market { venue, event, levels: &out.levels }, &mut core.out);
        }
        for event in &out.account {
            if let Some(recorder) = &mut core.recorder {
                recorder.account(now, venue, event);
            }
            core.engine.handle(now, Event::Account { venue, event }, &mut core.out);
        }
        let (_, market) = self.unsettled.unwrap_or_default();
        self.unsettled = Some((received.read_at, market || !out.market.is_empty()));
    }

    fn settled(&mut self, _: Timestamp) {
        let Some((read_at, market)) = self.unsettled.take() else { return };
        let mut core = self.desk.0.borrow_mut();
        let core = &mut *core;
        core.hearing.heard(read_at);
        core.engine.handle(read_at, Event::Settled, &mut core.out);
        let decided_at = core.clock.now();
        if market {
            core.stopwatch.decided(read_at, decided_at);
        }
        let trades = !core.out.commands.is_empty();
        self.desk.act(core, read_at);
        if !trades {
            core.rehearse(decided_at);
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
