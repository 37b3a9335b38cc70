//! Faults as they come and go: what each changes, and how it is undone.

use super::config::SimExchange;
use super::error::SimError;
use super::faults::Delisting;
use super::host::Host;
use crate::dialect::{Manners, Wallet};
use crate::fault::{
    ActiveFault, BadFault, Fault, FaultId, FaultKind, Fired, OrderFault, Trigger, VenueFault, When,
};
use crate::matching::{AccountIndex, MarketIndex};
use cex_core::{Symbol, Timestamp};

impl Host {
    /// Lets something go wrong.
    pub(super) fn inject(&mut self, exchange: SimExchange, fault: &Fault) -> Result<FaultId, SimError> {
        fault.check()?;
        self.resolve(exchange, fault)?;
        let now = self.clock.now();
        let id = self.faults.board.inject(now, exchange, fault.clone());
        match &fault.kind {
            FaultKind::Rest(_) | FaultKind::Ws(_) => {}
            FaultKind::Order(order) => self.arm(exchange, id, order, fault.when)?,
            FaultKind::Venue(venue) => {
                self.begin(exchange, id, venue)?;
                self.faults.board.happened(now, id, exchange.to_string());
                if venue.is_deed() {
                    self.faults.board.clear(id);
                }
            }
        }
        self.settle(exchange);
        Ok(id)
    }

    /// Whether all that is planned can happen: a name that nobody has is found at the start, not hours later.
    pub(super) fn check_planned(&self) -> Result<(), SimError> {
        self.config.faults.iter().try_for_each(|(_, exchange, fault)| {
            fault.check()?;
            self.resolve(*exchange, fault)
        })
    }

    /// Lets it go wrong no more.
    pub(super) fn clear(&mut self, id: FaultId) -> Result<(), SimError> {
        let (exchange, fault) = self.faults.board.clear(id).ok_or(SimError::UnknownFault(id))?;
        match &fault.kind {
            FaultKind::Rest(_) | FaultKind::Ws(_) => {}
            FaultKind::Order(_) => self.exchanges[exchange.index()].disarm(id),
            FaultKind::Venue(venue) => self.undo(exchange, id, venue),
        }
        self.settle(exchange);
        Ok(())
    }

    /// Lets nothing go wrong any more.
    pub(super) fn clear_all(&mut self) {
        for id in self.faults.board.ids() {
            // It was listed a moment ago.
            let _ = self.clear(id);
        }
    }

    /// What is wrong.
    pub(super) fn active_faults(&self) -> Vec<ActiveFault> {
        self.faults.board.active(self.clock.now())
    }

    /// Whether anything is wrong.
    pub(super) fn is_at_fault(&self) -> bool {
        self.faults.board.has_active(self.clock.now())
    }

    /// What went wrong so far.
    pub(super) fn fired_faults(&self) -> Vec<Fired> {
        self.faults.board.fired().to_vec()
    }

    /// Ends the faults whose time is over.
    pub(super) fn end_faults(&mut self, now: Timestamp) {
        for id in self.faults.board.over(now) {
            // It was listed a moment ago.
            let _ = self.clear(id);
        }
    }

    /// Begins the faults whose time has come.
    pub(super) fn begin_planned_faults(&mut self, now: Timestamp) {
        let is_due = |(at, ..): &(Timestamp, SimExchange, Fault)| *at <= now;
        let (due, rest) = std::mem::take(&mut self.faults.planned).into_iter().partition(is_due);
        self.faults.planned = rest;
        let drawn = self.faults.schedule.as_mut().filter(|schedule| schedule.next_at() <= now);
        let drawn = drawn.map(|schedule| schedule.draw(now));
        let due: Vec<(Timestamp, SimExchange, Fault)> = due;
        for (exchange, fault) in due.into_iter().map(|(_, exchange, fault)| (exchange, fault)).chain(drawn) {
            if let Err(error) = self.inject(exchange, &fault) {
                tracing::error!(%exchange, %fault, %error, "a planned fault cannot be injected");
            }
        }
    }

    /// The market of a symbol.
    pub(super) fn market(&self, exchange: SimExchange, symbol: Symbol) -> Result<MarketIndex, SimError> {
        let market = self.exchanges[exchange.index()].market_by_symbol(symbol);
        market.ok_or(SimError::UnknownSymbol { exchange, symbol })
    }

    /// The account of this name.
    pub(super) fn account(&self, exchange: SimExchange, name: &str) -> Result<AccountIndex, SimError> {
        let account = self.exchanges[exchange.index()].account_by_name(name);
        account.ok_or_else(|| SimError::UnknownAccount { exchange, account: name.to_owned() })
    }

    /// Refuses names that nobody has.
    fn resolve(&self, exchange: SimExchange, fault: &Fault) -> Result<(), SimError> {
        let (account, symbol) = match &fault.kind {
            FaultKind::Order(order) => (order.account.as_deref(), order.symbol),
            FaultKind::Venue(VenueFault::Freeze(account)) => (Some(account.as_str()), None),
            FaultKind::Venue(VenueFault::ForeignOrder { account, symbol, .. }) => {
                (Some(account.as_str()), Some(*symbol))
            }
            FaultKind::Venue(venue) => (None, venue.symbol()),
            FaultKind::Rest(_) | FaultKind::Ws(_) => (None, None),
        };
        account.map(|name| self.account(exchange, name)).transpose()?;
        symbol.map(|symbol| self.market(exchange, symbol)).transpose()?;
        Ok(())
    }

    fn arm(
        &mut self,
        exchange: SimExchange,
        id: FaultId,
        fault: &OrderFault,
        when: When,
    ) -> Result<(), SimError> {
        let account = fault.account.as_deref().map(|name| self.account(exchange, name)).transpose()?;
        let market = fault.symbol.map(|symbol| self.market(exchange, symbol)).transpose()?;
        // The board ends it when its time is over, by a clock that is never wrong.
        let trigger = Trigger::new(self.now(exchange), When { lasts: None, ..when });
        self.exchanges[exchange.index()].arm(id, (account, market), fault.effect, trigger);
        Ok(())
    }

    fn begin(&mut self, exchange: SimExchange, id: FaultId, fault: &VenueFault) -> Result<(), SimError> {
        let index = exchange.index();
        match fault {
            VenueFault::Halt(symbol) => {
                let market = self.market(exchange, *symbol)?;
                self.exchanges[index].halt(market, true);
            }
            VenueFault::Freeze(name) => {
                let account = self.account(exchange, name)?;
                self.exchanges[index].freeze(account, true);
            }
            VenueFault::VersionReset(symbol) => {
                let market = self.market(exchange, *symbol)?;
                self.exchanges[index].reset_version(market);
            }
            VenueFault::DuplicateClientIds(_)
            | VenueFault::ListenKeysLie
            | VenueFault::OpenOrdersBySymbol
            | VenueFault::ListenKeysEndSilently
            | VenueFault::Maintenance
            | VenueFault::Sides { .. }
            | VenueFault::Wallet { .. }
            | VenueFault::HalfInfo => self.behave(exchange),
            VenueFault::Rules { symbol, min_notional, .. } => {
                let market = self.market(exchange, *symbol)?;
                if let Some(least) = min_notional {
                    let before = self.exchanges[index].rules(market).min_notional;
                    self.faults.minimums_before.insert(id, before);
                    self.exchanges[index].set_min_notional(market, *least);
                }
                self.behave(exchange);
            }
            VenueFault::Delist { symbol, after } => {
                let market = self.market(exchange, *symbol)?;
                let at = self.clock.now() + *after;
                self.faults.delistings.insert(id, Delisting { exchange, market, at, is_done: false });
                self.behave(exchange);
                self.delist(self.clock.now());
            }
            VenueFault::Deauthorize => self.venues[index].dialect.deauthorize(),
            VenueFault::Slice(bytes) => self.venues[index].slice(*bytes),
            VenueFault::Fees { symbol, maker, taker } => {
                let market = self.market(exchange, *symbol)?;
                let rules = self.exchanges[index].rules(market);
                self.faults.fees_before.insert(id, (rules.maker_fee, rules.taker_fee));
                self.exchanges[index].set_fees(market, *maker, *taker);
            }
            VenueFault::ClockSkew(millis) => self.step_clock(exchange, *millis),
            VenueFault::ExpireListenKeys => {
                let now = self.now(exchange);
                self.venues[index].dialect.expire_listen_keys(now);
            }
            VenueFault::Flicker { symbol, every } => {
                let market = self.market(exchange, *symbol)?;
                let now = self.now(exchange);
                self.exchanges[index].flicker(now, id, market, *every);
            }
            VenueFault::ForeignOrder { account, symbol, side, qty, price, client_id } => {
                let what = (*symbol, *side, *qty, *price);
                self.place_foreign(exchange, account, what, client_id.clone())?;
            }
            VenueFault::FeesIn { account, asset, price } => {
                if exchange != SimExchange::Mexc {
                    let problem = "only mexc takes fees in a coin of the account's choice".to_owned();
                    return Err(BadFault { fault: fault.to_string(), problem }.into());
                }
                let account = self.account(exchange, account)?;
                self.exchanges[index].pay_fees_in(account, Some((*asset, *price)));
            }
            VenueFault::Redenominate { symbol, into_one } => {
                self.redenominate(exchange, *symbol, *into_one)?;
            }
            VenueFault::ReadLag { path, lag } => {
                let state = &self.exchanges[index];
                self.faults.begin_past(self.clock.now(), id, (exchange, state), path, *lag);
            }
        }
        Ok(())
    }

    fn undo(&mut self, exchange: SimExchange, id: FaultId, fault: &VenueFault) {
        // Another one like it keeps it up.
        if self.faults.board.lists(exchange, |other| other == fault)
            && !matches!(fault, VenueFault::ClockSkew(_) | VenueFault::Flicker { .. })
        {
            return;
        }
        let index = exchange.index();
        match fault {
            VenueFault::Halt(symbol) => {
                if let Ok(market) = self.market(exchange, *symbol) {
                    self.exchanges[index].halt(market, false);
                }
            }
            VenueFault::Freeze(name) => {
                if let Ok(account) = self.account(exchange, name) {
                    self.exchanges[index].freeze(account, false);
                }
            }
            VenueFault::DuplicateClientIds(_)
            | VenueFault::ListenKeysLie
            | VenueFault::OpenOrdersBySymbol
            | VenueFault::ListenKeysEndSilently
            | VenueFault::Maintenance
            | VenueFault::Sides { .. }
            | VenueFault::Wallet { .. }
            | VenueFault::HalfInfo => self.behave(exchange),
            VenueFault::Rules { symbol, .. } => {
                let before = self.faults.minimums_before.remove(&id);
                if let (Ok(market), Some(before)) = (self.market(exchange, *symbol), before) {
                    self.exchanges[index].set_min_notional(market, before);
                }
                self.behave(exchange);
            }
            VenueFault::Delist { symbol, .. } => {
                self.faults.delistings.remove(&id);
                if let Ok(market) = self.market(exchange, *symbol) {
                    self.exchanges[index].halt(market, false);
                }
                self.behave(exchange);
            }
            VenueFault::Slice(_) => self.venues[index].slice(0),
            VenueFault::Fees { symbol, .. } => {
                let before = self.faults.fees_before.remove(&id);
                if let (Ok(market), Some((maker, taker))) = (self.market(exchange, *symbol), before) {
                    self.exchanges[index].set_fees(market, maker, taker);
                }
            }
            VenueFault::ClockSkew(millis) => self.step_clock(exchange, millis.saturating_neg()),
            VenueFault::ReadLag { .. } => self.faults.end_past(id),
            VenueFault::Flicker { .. } => {
                let now = self.now(exchange);
                self.exchanges[index].steady(now, id);
            }
            VenueFault::FeesIn { account, .. } => {
                if let Ok(account) = self.account(exchange, account) {
                    self.exchanges[index].pay_fees_in(account, None);
                }
            }
            VenueFault::VersionReset(_)
            | VenueFault::ExpireListenKeys
            | VenueFault::Deauthorize
            | VenueFault::ForeignOrder { .. }
            | VenueFault::Redenominate { .. } => {}
        }
    }

    /// Tells a dialect how to behave, from all faults that are there. Of two modes the first one counts.
    pub(super) fn behave(&mut self, exchange: SimExchange) {
        use crate::dialect::DuplicateClientIds::{Accept, Echo, Reject};
        let board = &self.faults.board;
        let has = |mode| board.lists(exchange, |fault| *fault == VenueFault::DuplicateClientIds(mode));
        let manners = Manners {
            duplicate_client_ids: [Reject, Accept, Echo].into_iter().find(|mode| has(*mode)),
            listen_keys_end_silently: board
                .lists(exchange, |fault| *fault == VenueFault::ListenKeysEndSilently),
            maintenance: board.lists(exchange, |fault| *fault == VenueFault::Maintenance),
            listen_keys_lie: board.lists(exchange, |fault| *fault == VenueFault::ListenKeysLie),
            open_orders_by_symbol: board.lists(exchange, |fault| *fault == VenueFault::OpenOrdersBySymbol),
            half_info: board.lists(exchange, |fault| *fault == VenueFault::HalfInfo),
            ..Manners::default()
        };
        let manners = self.markets_and_wallets(exchange, manners);
        self.venues[exchange.index()].dialect.behave(manners);
    }

    /// What faults make of markets and wallets. Of several about the same the last one counts.
    fn markets_and_wallets(&self, exchange: SimExchange, mut manners: Manners) -> Manners {
        for (id, fault) in self.faults.board.venue(exchange) {
            if let VenueFault::Wallet { asset, deposits, withdrawals } = fault {
                manners.wallets.insert(*asset, Wallet { deposits: *deposits, withdrawals: *withdrawals });
            }
            let Some(market) = fault.symbol().and_then(|symbol| self.market(exchange, symbol).ok()) else {
                continue;
            };
            let delisted_at = self.faults.delistings.get(&id).map(|delisting| delisting.at);
            match fault {
                VenueFault::Sides { buy, sell, .. } => {
                    let market = manners.markets.entry(market).or_default();
                    (market.buy, market.sell) = (*buy, *sell);
                }
                VenueFault::Rules { price_dp, qty_dp, .. } => {
                    let market = manners.markets.entry(market).or_default();
                    market.price_dp = price_dp.or(market.price_dp);
                    market.qty_dp = qty_dp.or(market.qty_dp);
                }
                VenueFault::Delist { .. } => {
                    let at = delisted_at.map(|at| self.exchanges[exchange.index()].venue_time(at));
                    manners.markets.entry(market).or_default().delisted_at = at;
                }
                _ => {}
            }
        }
        manners
    }

    /// Delists what is due: open orders are cancelled, and nothing trades any more.
    pub(super) fn delist(&mut self, now: Timestamp) {
        for delisting in self.faults.delistings.values_mut() {
            if delisting.is_done || delisting.at > now {
                continue;
            }
            delisting.is_done = true;
            let state = &mut self.exchanges[delisting.exchange.index()];
            state.halt(delisting.market, true);
            let now = state.venue_time(now);
            state.clear_market(now, delisting.market);
        }
    }

    fn step_clock(&mut self, exchange: SimExchange, millis: i64) {
        let nanos = millis.saturating_mul(1_000_000);
        self.exchanges[exchange.index()].step_clock(nanos);
        self.venues[exchange.index()].dialect.step_clock(nanos);
    }
}
