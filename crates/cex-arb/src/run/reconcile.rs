//! What a running engine is compared with, again and again: open orders, fills, and the rules and fees it trades by.
//! Balances are read by the engine itself, wallets by [`super::coins`].

use super::desk::Desk;
use super::fees::{self, Told};
use super::reasons::{Reasons, Source};
use super::venue::narrow;
use cex_core::{
    AccountEvent, Bps, Fill, Market, Markets, NumError, Order, OrderId, SymbolId, SymbolInfo, Timestamp,
    VenueId,
};
use cex_engine::{Event, VenueSetup, is_our_form};
use cex_errors::ExchangeError;
use cex_interface::{Listing, OrderRef, Reply, Request};
use cex_transport::{Lists, Rest};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Open orders are looked at this often ...
const ORDERS_EVERY: Duration = Duration::from_secs(2);
/// ... fills this often ...
const FILLS_EVERY: Duration = Duration::from_secs(5);
/// ... of symbols with orders of ours within so long, and as far back ...
const FILLS_BACK: Duration = Duration::from_secs(60);
/// ... call after call, not all at once: at some exchanges orders share their budget ...
const FILLS_APART: Duration = Duration::from_millis(300);
const ORDERS_APART: Duration = Duration::from_millis(500);
/// ... and rules and fees this often.
const RULES_EVERY: Duration = Duration::from_secs(60);
/// At first a fee is asked for this often, so that orders find their budget ...
const FIRST_FEES_EVERY: Duration = Duration::from_millis(400);
/// ... and those that could not be read this long after.
const UNKNOWN_FEES_EVERY: Duration = Duration::from_secs(5);
/// Of the symbols traded, so many per cent may be missing from a list before the list is not believed.
const MISSING_PCT: usize = 20;

/// What changed is adopted, where it can be, this often tried.
const ADOPT_EVERY: Duration = Duration::from_secs(1);

/// All open orders of an exchange, in calls apart where it takes several.
async fn open_orders(rest: &Rest) -> Result<Listing<Order>, ExchangeError> {
    let mut parts = Lists::of(rest).open_orders_in_parts();
    let mut all = Listing { rows: Vec::new(), unreadable: 0 };
    while let Some(part) = parts.next().await? {
        all.unreadable += part.unreadable;
        all.rows.extend(part);
        if parts.has_more() {
            tokio::time::sleep(ORDERS_APART).await;
        }
    }
    Ok(all)
}

/// Compares, until its tasks are dropped.
#[derive(Clone)]
pub struct Reconciler {
    desk: Desk,
    venues: Rc<[(VenueId, Arc<Rest>)]>,
    /// What symbols are traded by now.
    setups: Rc<RefCell<Vec<VenueSetup>>>,
    /// How fees are told, by venue.
    fees_told: Rc<[Told]>,
    reasons: Reasons,
    /// So long before a symbol is delisted it is left alone.
    delist_guard: Duration,
    /// What happened before is in the accounts this run began with.
    began: Timestamp,
}

impl Reconciler {
    /// For these venues, of which each tells its fees as it does; why symbols must be left alone is put into `reasons`. A market
    /// whose fee is not known yet is left alone from now on.
    #[must_use]
    pub fn new(
        desk: Desk,
        venues: &[(VenueId, Arc<Rest>)],
        (setups, fees_told): (&[VenueSetup], &[Told]),
        reasons: Reasons,
        delist_guard: Duration,
    ) -> Self {
        let began = venues.first().map_or(Timestamp::EPOCH, |(_, rest)| rest.clock().now());
        let setups = Rc::new(RefCell::new(setups.to_vec()));
        let fees_told = fees_told.into();
        let new = Self { desk, venues: venues.into(), setups, fees_told, reasons, delist_guard, began };
        for index in (0..new.fees_told.len()).filter(|index| new.tells_fees(*index) == Told::ByMarket) {
            for market in new.symbols(index).into_iter().filter_map(|symbol| new.market(index, symbol)) {
                new.block(&market, Source::Fee(market.venue), Some("its fee is not known yet"));
            }
        }
        new
    }

    /// Open orders: nothing of ours rests on purpose. One that is there twice in a row is cancelled; one of another run
    /// means that another engine trades here, which halts this one; one of somebody else is told once and left alone.
    pub async fn orders(self) {
        self.each_venue(Self::orders_of).await;
    }

    async fn orders_of(self, index: usize) {
        let Some((venue, rest)) = self.venues.get(index).cloned() else { return };
        let (mut before, mut told) = (BTreeSet::new(), BTreeSet::new());
        loop {
            tokio::time::sleep(ORDERS_EVERY).await;
            match open_orders(&rest).await {
                Ok(orders) if orders.unreadable == 0 => {
                    let open: BTreeSet<_> = orders.rows.iter().filter_map(|order| order.order_id).collect();
                    for order in orders {
                        self.look_at_open((venue, &rest), &order, &before, &mut told).await;
                    }
                    before = open;
                }
                Ok(_) => tracing::warn!(%venue, "open orders could not be read as a whole"),
                Err(error) => tracing::debug!(%error, "open orders could not be read"),
            }
        }
    }

    async fn look_at_open(
        &self,
        (venue, rest): (VenueId, &Rest),
        order: &Order,
        before: &BTreeSet<OrderId>,
        told: &mut BTreeSet<OrderId>,
    ) {
        let Some(order_id) = order.order_id else { return };
        match self.whose(order) {
            Whose::This if before.contains(&order_id) => {
                tracing::warn!(%venue, order = %order_id, "an order that must not rest does: it is cancelled");
                let (symbol, order) = (order.symbol, OrderRef::Id(order_id));
                if let Err(error) = rest.call(&Request::Cancel { symbol, order }).await {
                    tracing::warn!(%error, "it could not be cancelled");
                }
            }
            Whose::This => {}
            Whose::AnotherRun => {
                if told.insert(order_id) {
                    self.desk.halt("O14", "an order of another run is open: does another engine trade here?");
                }
            }
            Whose::SomebodyElse => {
                if told.insert(order_id) {
                    tracing::warn!(%venue, order = %order_id, "an order that is not ours is open: it is left alone");
                }
            }
        }
    }

    /// Does so at every venue, each at its own pace: none waits for the calls of another.
    async fn each_venue<F: Future<Output = ()> + 'static>(self, what: impl Fn(Self, usize) -> F) {
        let mut all = JoinSet::new();
        for index in 0..self.venues.len() {
            all.spawn_local(what(self.clone(), index));
        }
        while let Some(ended) = all.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a comparison has ended");
            }
        }
    }

    fn whose(&self, order: &Order) -> Whose {
        match order.client_id {
            Some(client_id) if self.desk.knows_order(client_id) => Whose::This,
            Some(client_id) if is_our_form(client_id.as_str()) => Whose::AnotherRun,
            Some(_) | None => Whose::SomebodyElse,
        }
    }

    /// Fills of symbols that were traded lately: one nobody heard of is booked.
    pub async fn fills(self) {
        self.each_venue(Self::fills_of).await;
    }

    async fn fills_of(self, index: usize) {
        let Some((venue, rest)) = self.venues.get(index).cloned() else { return };
        let mut looked_at = rest.clock().now();
        loop {
            tokio::time::sleep(FILLS_EVERY).await;
            let now = rest.clock().now();
            // What was traded while the last round took its time is looked at too.
            let since = (now - FILLS_BACK).min(looked_at - FILLS_EVERY);
            looked_at = now;
            for symbol in self.desk.traded_since(venue, since) {
                match Lists::of(&rest).fills(symbol, since, now + FILLS_BACK).await {
                    Ok(fills) => {
                        if fills.unreadable > 0 {
                            tracing::warn!(%venue, "fills could not be read as a whole");
                        }
                        self.book(rest.clock().now(), venue, &fills.rows);
                    }
                    Err(error) => tracing::debug!(%error, "fills could not be read"),
                }
                tokio::time::sleep(FILLS_APART).await;
            }
        }
    }

    fn book(&self, now: Timestamp, venue: VenueId, fills: &[Fill]) {
        for fill in fills {
            if fill.exchange_ts >= self.began && !self.desk.holds(fill) {
                tracing::warn!(%venue, trade = %fill.trade_id, "a fill nobody heard of is booked");
                self.desk.account_event(now, venue, &AccountEvent::Fill(*fill));
            }
        }
    }

    /// Rules and fees: a symbol whose rules or fee changed is left alone until nothing of it is open; then they are adopted, and
    /// it is traded again.
    pub async fn rules(self) {
        let mut of_markets = JoinSet::new();
        for index in 0..self.venues.len() {
            of_markets.spawn_local(self.clone().market_fees(index));
        }
        self.lists().await;
    }

    /// Rules, and fees of accounts as a whole.
    async fn lists(&self) {
        let mut changes: Vec<Change> = Vec::new();
        let mut tradable: Vec<Option<Vec<String>>> = vec![None; self.venues.len()];
        loop {
            for _ in 0..RULES_EVERY.as_secs() {
                tokio::time::sleep(ADOPT_EVERY).await;
                changes.retain(|change| !self.adopt(change));
            }
            changes.clear();
            for (index, ((venue, rest), might)) in self.venues.iter().zip(&mut tradable).enumerate() {
                match rest.call(&Request::Symbols).await {
                    Ok(Reply::Symbols(mut infos)) => {
                        narrow(rest, &mut infos, might).await;
                        changes.extend(self.compare(index, rest.clock().now(), &infos));
                    }
                    Ok(_) => tracing::warn!(%venue, "rules were answered as something else"),
                    Err(error) => tracing::warn!(%error, "rules could not be read"),
                }
                changes.extend(self.compare_fees(index, rest).await);
            }
        }
    }

    /// What of a venue's rules can be adopted.
    fn compare(&self, index: usize, now: Timestamp, infos: &[SymbolInfo]) -> Vec<Change> {
        let told: BTreeMap<_, _> = infos.iter().map(|info| (info.symbol, info)).collect();
        let setups = self.setups.borrow();
        let Some(setup) = setups.get(index) else { return Vec::new() };
        let venue = setup.venue;
        let (all, missing) = setup.markets.iter().fold((0, 0), |(all, missing), market| {
            (all + 1, missing + usize::from(!told.contains_key(&market.symbol())))
        });
        // Half a list is no news of the other half; that one of few is gone may be.
        let is_short = missing > 1 && missing * 100 > all * MISSING_PCT;
        if is_short {
            tracing::error!(%venue, missing, all, "a list of symbols lacks too many to be believed of those");
        }
        let listed = self.tells_fees(index) == Told::Listed;
        let mut changes = Vec::new();
        for market in setup.markets.iter() {
            let info = told.get(&market.symbol()).copied();
            if is_short && info.is_none() {
                continue;
            }
            let mut rose = None;
            let why = match difference(market, info, (now, now + self.delist_guard)) {
                None => {
                    let higher = |info: &SymbolInfo| info.taker_fee > reckoned(setup, market);
                    rose = info.filter(|info| listed && higher(info));
                    None
                }
                Some(Difference::Stop(why)) => Some(why),
                // With the fee that is listed beside them.
                Some(Difference::Rules(Ok(changed))) => {
                    changes.push(Change { index, symbol: market.id, what: What::Rules(changed) });
                    Some("its rules changed: they are adopted when nothing of it is open")
                }
                Some(Difference::Rules(Err(_))) => {
                    Some("its rules need finer numbers: the next start reads them")
                }
            };
            self.leave_alone(market, Source::Rules(venue), why);
            if let Some(info) = rose {
                changes.push(Change { index, symbol: market.id, what: What::Fee(info.taker_fee) });
            }
            if listed {
                self.leave_alone(market, Source::Fee(venue), rose.map(|_| FEE_ROSE));
            }
        }
        changes
    }

    /// How a venue tells its fees.
    fn tells_fees(&self, index: usize) -> Told {
        self.fees_told.get(index).copied().unwrap_or(Told::Listed)
    }

    /// The fee of an account as a whole. Where there is none the markets' are compared, or the list's, and each fill's charge with
    /// what was expected (R30).
    async fn compare_fees(&self, index: usize, rest: &Rest) -> Vec<Change> {
        match fees::of_account(rest).await {
            Ok(Some(fee)) => self
                .symbols(index)
                .into_iter()
                .filter_map(|symbol| self.compare_fee(index, symbol, fee))
                .collect(),
            Ok(None) => Vec::new(),
            Err(error) => {
                tracing::debug!(%error, "the account's fee could not be read");
                Vec::new()
            }
        }
    }

    /// Where an account's fee is told market by market: first all of them, at a pace that leaves orders their budget, each market
    /// being traded from then on. Then one a second, so that each is asked for as often as the others' fees where there are no
    /// more than sixty, and those that are not known yet more often.
    async fn market_fees(self, index: usize) {
        let Some((venue, rest)) = self.venues.get(index) else { return };
        let mut unknown: BTreeSet<SymbolId> = match self.tells_fees(index) {
            Told::Listed => return,
            Told::AsOne => BTreeSet::new(),
            Told::ByMarket => self.symbols(index).into_iter().collect(),
        };
        let (mut changes, mut waiting) = (Vec::<Change>::new(), VecDeque::new());
        let mut due = Instant::now() + if unknown.is_empty() { RULES_EVERY } else { Duration::ZERO };
        let mut unknown_due = due;
        let mut every = FIRST_FEES_EVERY;
        loop {
            tokio::time::sleep(every).await;
            changes.retain(|change| !self.adopt(change));
            let now = Instant::now();
            if waiting.is_empty() && now >= due.min(unknown_due) {
                match fees::of_account(rest).await {
                    // Compared with the rules.
                    Ok(Some(fee)) => {
                        changes.clear();
                        let learnt = std::mem::take(&mut unknown);
                        changes
                            .extend(learnt.into_iter().filter_map(|symbol| self.learn(index, symbol, fee)));
                    }
                    Ok(None) if now >= due => waiting = self.symbols(index).into(),
                    Ok(None) => waiting.extend(&unknown),
                    Err(error) if unknown.is_empty() => {
                        tracing::debug!(%error, "the account's fee could not be read");
                    }
                    Err(error) => tracing::warn!(%error, "no fee is known, and nothing opened"),
                }
                if now >= due {
                    due = now + RULES_EVERY;
                }
                unknown_due = if unknown.is_empty() { due } else { now + UNKNOWN_FEES_EVERY };
            }
            let Some(symbol) = waiting.pop_front() else {
                every = ADOPT_EVERY;
                continue;
            };
            let Some(market) = self.market(index, symbol) else { continue };
            let is_unknown = unknown.contains(&symbol);
            match fees::of_market(rest, &market).await {
                Ok(Some(fee)) => {
                    changes.retain(|change| change.symbol != symbol);
                    changes.extend(if unknown.remove(&symbol) {
                        self.learn(index, symbol, fee)
                    } else {
                        self.compare_fee(index, symbol, fee)
                    });
                }
                Ok(None) => tracing::debug!(%venue, "the exchange tells no fee of a market"),
                Err(error) if is_unknown => {
                    tracing::warn!(%error, symbol = %market.symbol(), "its fee is not known: it is left alone");
                }
                Err(error) => tracing::debug!(%error, symbol = %market.symbol(), "its fee could not be read"),
            }
        }
    }

    fn symbols(&self, index: usize) -> Vec<SymbolId> {
        let setups = self.setups.borrow();
        setups.get(index).into_iter().flat_map(|setup| setup.markets.iter()).map(|market| market.id).collect()
    }

    fn market(&self, index: usize, symbol: SymbolId) -> Option<Market> {
        self.setups.borrow().get(index)?.markets.get(symbol).cloned()
    }

    /// What of a market's fee is to be adopted.
    fn compare_fee(&self, index: usize, symbol: SymbolId, fee: Bps) -> Option<Change> {
        let setups = self.setups.borrow();
        let setup = setups.get(index)?;
        let market = setup.markets.get(symbol)?;
        let rose = fee > reckoned(setup, market);
        self.leave_alone(market, Source::Fee(setup.venue), rose.then_some(FEE_ROSE));
        rose.then_some(Change { index, symbol, what: What::Fee(fee) })
    }

    /// Tries to adopt a change; whether it is, or is no matter any more.
    fn adopt(&self, change: &Change) -> bool {
        let setups = self.setups.borrow();
        let Some(setup) = setups.get(change.index) else { return true };
        let Some(known) = setup.markets.get(change.symbol) else { return true };
        let listed = self.tells_fees(change.index) == Told::Listed;
        let reckoned = reckoned(setup, known);
        let (market, fee, source) = match &change.what {
            // A list fee that rose with the rules is adopted with them: once they are, nothing tells that it had been lower.
            What::Rules(market) => {
                let told = if listed { market.info.taker_fee } else { reckoned };
                ((**market).clone(), reckoned.max(told), Source::Rules(setup.venue))
            }
            What::Fee(fee) => (known.clone(), *fee, Source::Fee(setup.venue)),
        };
        drop(setups);
        let adopted = self.trade_by(change.index, &market, fee);
        if adopted {
            self.leave_alone(&market, source, None);
        }
        adopted
    }

    /// The fee of a market is known for the first time. It is traded from now on, or once this change is adopted, when what an
    /// earlier run left open of its symbol is closed.
    fn learn(&self, index: usize, symbol: SymbolId, told: Bps) -> Option<Change> {
        let (market, fee) = {
            let setups = self.setups.borrow();
            let setup = setups.get(index)?;
            let market = setup.markets.get(symbol)?.clone();
            let configured = setup.taker_fees.get(&symbol).copied().unwrap_or(told);
            fees::tell_if_dearer(&market, told, configured);
            (market, told.max(configured))
        };
        if !self.trade_by(index, &market, fee) {
            return Some(Change { index, symbol, what: What::Fee(fee) });
        }
        self.block(&market, Source::Fee(market.venue), None);
        None
    }

    /// Has a market traded by these rules and for this fee, unless something of its symbol is open; whether it is.
    fn trade_by(&self, index: usize, market: &Market, fee: Bps) -> bool {
        if !self.desk.adopt_rules(market, fee) {
            return false;
        }
        let mut setups = self.setups.borrow_mut();
        let Some(setup) = setups.get_mut(index) else { return true };
        let others = setup.markets.iter().filter(|other| other.id != market.id).cloned();
        setup.markets = Arc::new(Markets::new(others.chain([market.clone()]).collect()));
        setup.taker_fees.insert(market.id, fee);
        if let Some((_, rest)) = self.venues.get(index) {
            rest.set_markets(Arc::clone(&setup.markets));
        }
        true
    }

    /// A symbol must be left alone for a reason, or for this one no more; told when that is news.
    fn leave_alone(&self, market: &Market, source: Source, why: Option<&'static str>) {
        if !self.block(market, source, why) {
            return;
        }
        let (venue, symbol, left) = (market.venue, market.symbol(), self.reasons.why(market.id));
        match (why, left) {
            (Some(why), _) => {
                tracing::warn!(%venue, %symbol, why, "left alone");
            }
            (None, Some(why)) => {
                tracing::warn!(%venue, %symbol, why, "one reason less, and still left alone");
            }
            (None, None) => {
                tracing::warn!(%venue, %symbol, "traded again");
            }
        }
    }

    /// The same without a word; whether it is news.
    fn block(&self, market: &Market, source: Source, why: Option<&'static str>) -> bool {
        let news = self.reasons.set(market.id, source, why);
        if news {
            self.desk.tell_engine(Event::Blocked { symbol: market.id, why: self.reasons.why(market.id) });
        }
        news
    }
}

/// Why a symbol is left alone whose fee rose.
const FEE_ROSE: &str = "its fee rose: it is adopted when nothing of it is open";

/// The fee that is reckoned with in a market.
fn reckoned(setup: &VenueSetup, market: &Market) -> Bps {
    setup.taker_fees.get(&market.id).copied().unwrap_or(market.info.taker_fee)
}

/// A change that waits until it can be adopted.
struct Change {
    /// Of the venue.
    index: usize,
    symbol: SymbolId,
    what: What,
}

enum What {
    Rules(Box<Market>),
    Fee(Bps),
}

/// Whose an open order is.
enum Whose {
    This,
    AnotherRun,
    SomebodyElse,
}

/// What of a market is not as it is traded.
#[derive(Debug, PartialEq, Eq)]
enum Difference {
    /// It would not be chosen now.
    Stop(&'static str),
    /// Its rules are these, where they fit its scale.
    Rules(Result<Box<Market>, NumError>),
}

/// What of a market's rules is not as it is traded by, or why it would not be chosen: one that opens after `now`, is delisted by
/// `soon`, or against which its exchange warns.
fn difference(
    market: &Market,
    told: Option<&SymbolInfo>,
    (now, soon): (Timestamp, Timestamp),
) -> Option<Difference> {
    let known = &market.info;
    let Some(told) = told else { return Some(Difference::Stop("it is not listed any more")) };
    if !told.is_tradable() {
        return Some(Difference::Stop("it cannot be traded now"));
    }
    if told.opens_at.is_some_and(|at| at > now) {
        return Some(Difference::Stop("it has not opened yet"));
    }
    if told.delists_at.is_some_and(|at| at <= soon) {
        return Some(Difference::Stop("it is delisted soon"));
    }
    if told.risk_flagged {
        return Some(Difference::Stop("its exchange warns against it"));
    }
    let same = (told.tick, told.lot, told.min_qty, told.min_notional, told.max_qty, told.max_notional)
        == (known.tick, known.lot, known.min_qty, known.min_notional, known.max_qty, known.max_notional);
    let changed = || Market::new(market.venue, market.id, told.clone(), market.scale).map(Box::new);
    (!same).then(|| Difference::Rules(changed()))
}

#[cfg(test)]
mod tests;
