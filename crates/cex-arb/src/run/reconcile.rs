//! What a running engine is compared with, again and again: open orders, fills, and the rules and fees it trades by.
//! Balances are read by the engine itself, wallets by [`super::coins`].

use super::desk::Desk;
use cex_core::{AccountEvent, Fill, Market, Order, SymbolId, SymbolInfo, Timestamp, VenueId};
use cex_engine::{Event, VenueSetup};
use cex_interface::{OrderRef, Reply, Request};
use cex_transport::{Lists, Rest};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// Open orders are looked at this often ...
const ORDERS_EVERY: Duration = Duration::from_secs(2);
/// ... fills this often ...
const FILLS_EVERY: Duration = Duration::from_secs(5);
/// ... of symbols with orders of ours within so long, and as far back ...
const FILLS_BACK: Duration = Duration::from_secs(60);
/// ... and rules and fees this often.
const RULES_EVERY: Duration = Duration::from_secs(60);
/// Of the symbols traded, so many per cent may be missing from a list before the list is not believed.
const MISSING_PCT: usize = 20;

/// Symbols whose rules are not those they are traded by any more, and why.
pub type Changed = Rc<RefCell<BTreeMap<SymbolId, &'static str>>>;

/// Compares, until its tasks are dropped.
#[derive(Clone)]
pub struct Reconciler {
    desk: Desk,
    venues: Rc<[(VenueId, Arc<Rest>)]>,
    setups: Rc<[VenueSetup]>,
    changed: Changed,
    /// So long before a symbol is delisted it is left alone.
    delist_guard: Duration,
    /// What happened before is in the accounts this run began with.
    began: Timestamp,
}

impl Reconciler {
    /// For these venues; what has changed is put into `changed`.
    #[must_use]
    pub fn new(
        desk: Desk,
        venues: &[(VenueId, Arc<Rest>)],
        setups: &[VenueSetup],
        changed: Changed,
        delist_guard: Duration,
    ) -> Self {
        let began = venues.first().map_or(Timestamp::EPOCH, |(_, rest)| rest.clock().now());
        Self { desk, venues: venues.into(), setups: setups.into(), changed, delist_guard, began }
    }

    /// Open orders: nothing of ours rests on purpose. One that is there twice in a row is cancelled; one of another run
    /// means that another engine trades here, which halts this one; one of somebody else is told once and left alone.
    pub async fn orders(self) {
        let (mut before, mut told) = (BTreeSet::new(), BTreeSet::new());
        loop {
            tokio::time::sleep(ORDERS_EVERY).await;
            let mut open = BTreeSet::new();
            for (venue, rest) in self.venues.iter() {
                let orders = match Lists::of(rest).open_orders().await {
                    Ok(orders) if orders.unreadable == 0 => orders,
                    Ok(_) => {
                        tracing::warn!(%venue, "open orders could not be read as a whole");
                        continue;
                    }
                    Err(error) => {
                        tracing::debug!(%error, "open orders could not be read");
                        continue;
                    }
                };
                for order in orders {
                    let Some(order_id) = order.order_id else { continue };
                    open.insert((*venue, order_id));
                    match self.whose(&order) {
                        Whose::This if before.contains(&(*venue, order_id)) => {
                            tracing::warn!(%venue, order = %order_id, "an order that must not rest does: it is cancelled");
                            let (symbol, order) = (order.symbol, OrderRef::Id(order_id));
                            if let Err(error) = rest.call(&Request::Cancel { symbol, order }).await {
                                tracing::warn!(%error, "it could not be cancelled");
                            }
                        }
                        Whose::This => {}
                        Whose::AnotherRun => {
                            if told.insert((*venue, order_id)) {
                                self.desk.halt(
                                    "O14",
                                    "an order of another run is open: does another engine trade here?",
                                );
                            }
                        }
                        Whose::SomebodyElse => {
                            if told.insert((*venue, order_id)) {
                                tracing::warn!(%venue, order = %order_id, "an order that is not ours is open: it is left alone");
                            }
                        }
                    }
                }
            }
            before = open;
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
        loop {
            tokio::time::sleep(FILLS_EVERY).await;
            for (venue, rest) in self.venues.iter() {
                let now = rest.clock().now();
                for symbol in self.desk.traded_since(*venue, now - FILLS_BACK) {
                    match Lists::of(rest).fills(symbol, now - FILLS_BACK, now + FILLS_BACK).await {
                        Ok(fills) => {
                            if fills.unreadable > 0 {
                                tracing::warn!(%venue, "fills could not be read as a whole");
                            }
                            self.book(rest.clock().now(), *venue, &fills.rows);
                        }
                        Err(error) => tracing::debug!(%error, "fills could not be read"),
                    }
                }
            }
        }
    }

    fn book(&self, now: Timestamp, venue: VenueId, fills: &[Fill]) {
        for fill in fills {
            if fill.exchange_ts >= self.began && !self.desk.knows_fill(fill.key()) {
                tracing::warn!(%venue, trade = %fill.trade_id, "a fill nobody heard of is booked");
                self.desk.account_event(now, venue, &AccountEvent::Fill(*fill));
            }
        }
    }

    /// Rules and fees: a symbol whose rules changed is left alone until the next start reads them.
    pub async fn rules(self) {
        loop {
            tokio::time::sleep(RULES_EVERY).await;
            for ((venue, rest), setup) in self.venues.iter().zip(self.setups.iter()) {
                match rest.call(&Request::Symbols).await {
                    Ok(Reply::Symbols(infos)) => {
                        self.compare((*venue, rest.clock().now()), setup, &infos);
                    }
                    Ok(_) => tracing::warn!(%venue, "rules were answered as something else"),
                    Err(error) => tracing::warn!(%error, "rules could not be read"),
                }
                self.compare_fees(*venue, setup, rest).await;
            }
        }
    }

    fn compare(&self, (venue, now): (VenueId, Timestamp), setup: &VenueSetup, infos: &[SymbolInfo]) {
        let told: BTreeMap<_, _> = infos.iter().map(|info| (info.symbol, info)).collect();
        let (all, missing) = setup.markets.iter().fold((0, 0), |(all, missing), market| {
            (all + 1, missing + usize::from(!told.contains_key(&market.symbol())))
        });
        // Half a list is no news of the other half.
        if missing * 100 > all * MISSING_PCT {
            tracing::error!(%venue, missing, all, "a list of symbols lacks too many to be believed");
            return;
        }
        for market in setup.markets.iter() {
            if let Some(why) = change(market, told.get(&market.symbol()).copied(), now + self.delist_guard) {
                self.block(market.id, why);
            }
        }
    }

    async fn compare_fees(&self, venue: VenueId, setup: &VenueSetup, rest: &Rest) {
        // Where there is no fee for the account as a whole, each fill's charge is compared with what was expected (R30).
        let Ok(Reply::Fees(fees)) = rest.call(&Request::Fees { symbol: None }).await else { return };
        let Some(fee) = fees.iter().find(|fee| fee.symbol.is_none()) else { return };
        for market in setup.markets.iter() {
            if setup.taker_fees.get(&market.id).is_some_and(|known| fee.taker > *known) {
                tracing::warn!(%venue, symbol = %market.symbol(), fee = %fee.taker, "the fee rose");
                self.block(market.id, "its fee rose: the next start reads it");
            }
        }
    }

    fn block(&self, symbol: SymbolId, why: &'static str) {
        if self.changed.borrow_mut().insert(symbol, why).is_none() {
            tracing::warn!(symbol = symbol.0, why, "left alone");
        }
        self.desk.tell_engine(Event::Blocked { symbol, why: Some(why) });
    }
}

/// Whose an open order is.
enum Whose {
    This,
    AnotherRun,
    SomebodyElse,
}

/// What of a market's rules is not as it was when the run began, or why it would not have been chosen then: one that is
/// delisted by `soon`, or against which its exchange warns.
fn change(market: &Market, told: Option<&SymbolInfo>, soon: Timestamp) -> Option<&'static str> {
    let known = &market.info;
    let Some(told) = told else { return Some("it is not listed any more") };
    if !told.is_tradable() {
        return Some("it cannot be traded now");
    }
    if told.delists_at.is_some_and(|at| at <= soon) {
        return Some("it is delisted soon");
    }
    if told.risk_flagged {
        return Some("its exchange warns against it");
    }
    let same = (told.tick, told.lot, told.min_qty, told.min_notional, told.max_qty, told.max_notional)
        == (known.tick, known.lot, known.min_qty, known.min_notional, known.max_qty, known.max_notional);
    (!same).then_some("its rules changed: the next start reads them")
}

/// Whether a name is of the form that this program gives its orders: `<start>-<count><leg>` in base 36.
#[must_use]
pub fn is_our_form(name: &str) -> bool {
    let base36 = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase())
    };
    name.split_once('-').is_some_and(|(start, rest)| {
        // Starts are milliseconds since the epoch: eight digits from 1972 to 2059.
        start.len() == 8
            && base36(start)
            && rest.len() >= 2
            && base36(rest)
            && rest.ends_with(['b', 's', 'c', 'p'])
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use cex_core::{Bps, Decimal, Scale, Text, TradingStatus};
    use cex_engine::IdSource;

    #[test]
    fn our_orders_are_known_by_their_form() {
        let mut ids = IdSource::new(1_781_690_000_123);
        for leg in ['b', 's', 'c', 'p'] {
            assert!(is_our_form(ids.next(leg).as_str()));
        }
        for other in [
            "",
            "web-order",
            "mqhw82kb",
            "mqhw82kb-",
            "mqhw82kb-b",
            "mqhw82kb-1x",
            "MQHW82KB-1b",
            "arb-000017",
        ] {
            assert!(!is_our_form(other), "{other}");
        }
    }

    #[test]
    fn a_change_of_rules_is_told_in_words() {
        let decimal = |text: &str| text.parse::<Decimal>().expect("a decimal");
        let info = SymbolInfo {
            symbol: "BTC/USDT".parse().expect("a symbol"),
            native: Text::new("BTCUSDT").expect("short"),
            status: TradingStatus::Trading,
            api_tradable: true,
            risk_flagged: false,
            tick: decimal("0.01"),
            lot: decimal("0.001"),
            price_dp: 2,
            lot_dp: 3,
            min_qty: Decimal::ZERO,
            min_notional: decimal("1"),
            max_qty: None,
            max_notional: None,
            price_band: None,
            maker_fee: Bps::ZERO,
            taker_fee: Bps::from_bps(10),
            opens_at: None,
            delists_at: None,
        };
        let venue = VenueId::new(0, "a").expect("short");
        let scale = Scale::new(2, 3).expect("small");
        let market = Market::new(venue, SymbolId(0), info.clone(), scale).expect("rules fit");
        let soon = Timestamp::from_secs(1_000);
        let change = |market: &Market, told: Option<&SymbolInfo>| change(market, told, soon);
        assert_eq!(change(&market, Some(&info)), None);
        assert_eq!(change(&market, None), Some("it is not listed any more"));
        let halted = SymbolInfo { api_tradable: false, ..info.clone() };
        assert_eq!(change(&market, Some(&halted)), Some("it cannot be traded now"));
        let at = |secs| SymbolInfo { delists_at: Some(Timestamp::from_secs(secs)), ..info.clone() };
        for (secs, why) in [(1_000, Some("it is delisted soon")), (1_001, None)] {
            let told = at(secs);
            assert_eq!(change(&market, Some(&told)), why);
        }
        let flagged = SymbolInfo { risk_flagged: true, ..info.clone() };
        assert_eq!(change(&market, Some(&flagged)), Some("its exchange warns against it"));
        let finer = SymbolInfo { lot: decimal("0.01"), ..info };
        assert_eq!(change(&market, Some(&finer)), Some("its rules changed: the next start reads them"));
    }
}
