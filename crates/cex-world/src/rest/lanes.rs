//! The connections of a venue, in lanes as transport keeps them: orders, queries, market data.

use cex_core::Timestamp;
use cex_interface::CallClass;
use cex_sim::server::SimExchange;
use cex_sim::world::{LineId, World};
use cex_transport::RestConfig;
use std::collections::VecDeque;
use std::time::Duration;

/// What a connection is kept for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    Orders,
    Queries,
    Market,
}

impl Lane {
    pub(super) const ALL: [Self; 3] = [Self::Orders, Self::Queries, Self::Market];

    pub(super) const fn of(class: CallClass) -> Self {
        match class {
            CallClass::Placement | CallClass::Cancel => Self::Orders,
            CallClass::Query => Self::Queries,
            CallClass::MarketData => Self::Market,
        }
    }
}

/// One lane.
#[derive(Debug, Default)]
struct Set {
    most: usize,
    /// Since when each has been idle; most recently used last.
    idle: Vec<(LineId, Timestamp)>,
    /// Until when each may take to connect.
    dialing: Vec<(LineId, Timestamp)>,
    busy: Vec<LineId>,
    waiting: VecDeque<u64>,
}

/// All lanes of a venue.
#[derive(Debug)]
pub(super) struct Lanes([Set; 3]);

impl Lanes {
    pub(super) fn new(config: &RestConfig) -> Self {
        let most = [config.order_connections, config.query_connections, config.market_connections];
        Self(most.map(|most| Set { most, ..Set::default() }))
    }

    fn set(&mut self, lane: Lane) -> &mut Set {
        &mut self.0[lane as usize]
    }

    pub(super) fn queue(&mut self, lane: Lane, call: u64) {
        self.set(lane).waiting.push_back(call);
    }

    pub(super) fn first_waiting(&mut self, lane: Lane) -> Option<u64> {
        self.set(lane).waiting.front().copied()
    }

    pub(super) fn forget_first(&mut self, lane: Lane) {
        self.set(lane).waiting.pop_front();
    }

    /// A connection that stands ready, now in use.
    pub(super) fn take_idle(&mut self, lane: Lane, now: Timestamp, config: &RestConfig) -> Option<LineId> {
        let set = self.set(lane);
        let usable = set.idle.iter().rposition(|(_, since)| now.since(*since) < config.idle_max)?;
        let (line, _) = set.idle.remove(usable);
        set.busy.push(line);
        Some(line)
    }

    pub(super) fn give_back(&mut self, lane: Lane, line: LineId, now: Timestamp) {
        let set = self.set(lane);
        set.busy.retain(|busy| *busy != line);
        set.idle.push((line, now));
    }

    /// As [`Self::give_back`], whatever its lane.
    pub(super) fn give_back_line(&mut self, line: LineId, now: Timestamp) {
        if let Some(set) = self.0.iter_mut().find(|set| set.busy.contains(&line)) {
            set.busy.retain(|busy| *busy != line);
            set.idle.push((line, now));
        }
    }

    /// Forgets a connection; its lane when it had not been connected yet.
    pub(super) fn drop_line(&mut self, line: LineId) -> Option<Lane> {
        let mut was_dialing = None;
        for lane in Lane::ALL {
            let set = self.set(lane);
            if set.dialing.iter().any(|(dialing, _)| *dialing == line) {
                was_dialing = Some(lane);
            }
            set.dialing.retain(|(dialing, _)| *dialing != line);
            set.idle.retain(|(idle, _)| *idle != line);
            set.busy.retain(|busy| *busy != line);
        }
        was_dialing
    }

    /// Dials unless enough is on the way already.
    pub(super) fn dial(&mut self, lane: Lane, world: &mut World, exchange: SimExchange, until: Timestamp) {
        let set = self.set(lane);
        let wanted = set.waiting.len();
        while set.dialing.len() < wanted && set.dialing.len() + set.busy.len() < set.most {
            set.dialing.push((world.dial(exchange), until));
        }
    }

    pub(super) fn dialed(&mut self, line: LineId, now: Timestamp) {
        for set in &mut self.0 {
            if set.dialing.iter().any(|(dialing, _)| *dialing == line) {
                set.dialing.retain(|(dialing, _)| *dialing != line);
                set.idle.push((line, now));
            }
        }
    }

    /// Connection attempts that took too long, forgotten from now on.
    pub(super) fn overdue(&mut self, now: Timestamp) -> Vec<LineId> {
        let mut overdue = Vec::new();
        for set in &mut self.0 {
            set.dialing.retain(|(line, until)| {
                let is_late = *until <= now;
                overdue.extend(is_late.then_some(*line));
                !is_late
            });
        }
        overdue
    }

    /// When the next attempt takes too long.
    pub(super) fn next_at(&self) -> Timestamp {
        let due = self.0.iter().flat_map(|set| set.dialing.iter().map(|(_, until)| *until));
        due.min().unwrap_or(Timestamp::MAX)
    }

    /// Closes what has idled for too long, and dials until `warm` order connections stand ready.
    pub(super) fn refresh(
        &mut self,
        world: &mut World,
        exchange: SimExchange,
        warm: usize,
        config: &RestConfig,
    ) {
        let now = world.now();
        let orders = self.set(Lane::Orders);
        let lasting = |since: &Timestamp| now.since(*since) + config.upkeep_every * 2 < config.idle_max;
        let mut ready = orders.idle.iter().filter(|(_, since)| lasting(since)).count() + orders.dialing.len();
        while ready < warm && orders.busy.len() + ready < orders.most {
            orders.dialing.push((world.dial(exchange), now + config.connect_timeout));
            ready += 1;
        }
        let mut old = Vec::new();
        for set in &mut self.0 {
            set.idle.retain(|(line, since)| {
                let is_old = now.since(*since) >= config.idle_max;
                old.extend(is_old.then_some(*line));
                !is_old
            });
        }
        old.into_iter().for_each(|line| world.hang_up(line));
    }

    /// Whether this connection belongs here.
    pub(super) fn knows(&self, line: LineId) -> bool {
        self.0.iter().any(|set| {
            set.busy.contains(&line)
                || set.idle.iter().any(|(idle, _)| *idle == line)
                || set.dialing.iter().any(|(dialing, _)| *dialing == line)
        })
    }
}

/// How long a failed warming rests.
pub(super) const WARM_PAUSE: Duration = Duration::from_secs(1);
