//! I1, of what is held and of prices: positions of symbols, what venues hold, collars; by the exchanges' ledgers and books.

use super::{Checks, Invariant};
use crate::day::{Day, Place};
use cex_core::{Asset, Bps, Decimal, Market, NumError, OrderRequest, Price, Symbol, Timestamp};
use cex_risk::Limits;
use cex_sim::server::Ledger;
use cex_sim::world::World;
use std::collections::BTreeSet;
use std::time::Duration;

/// Accounts are valued once a second, by one of several books: so much of a value, two in a hundred less, is surely over a limit.
const EQUITY_NEAR: Decimal = Decimal::new(98, 2);

/// A process values its accounts within so much time once it has heard of all of them, and of all prices: what it has not heard of
/// counts as nothing.
const VALUED_WITHIN: Duration = Duration::from_millis(1_100);

/// What an account holds, by its exchange's ledger.
#[derive(Debug, Clone, Copy)]
struct Held {
    /// Of the coin that is traded.
    base: Decimal,
    /// Of all coins, in quote.
    equity: Decimal,
}

impl Day {
    /// Where prices are and what is held, when an opening is decided.
    pub(super) fn check_holdings(&mut self, orders: &[OrderRequest; 2]) {
        let now = self.now();
        let mids = [0, 1].map(|leg| self.mid(&orders[leg]));
        self.desk.checks.check_collars(now, orders, mids);
        if !self.desk.checks.limits_inventory() {
            return;
        }
        let (ledger, all_told) = (self.world.ledger(), self.is_all_told());
        let held = (self.held(&ledger, &orders[0]), self.held(&ledger, &orders[1]));
        let checks = &mut self.desk.checks;
        checks.valued(now, all_told);
        match held {
            (Some(buys), Some(sells)) => checks.check_inventory(now, orders, [buys, sells]),
            (_, _) => checks.harness(now, "what is held cannot be valued".to_owned()),
        }
    }

    /// The middle of the book that an order is decided on.
    fn mid(&self, order: &OrderRequest) -> Option<Price> {
        let book = self.desk.engine.book(order.venue, order.symbol)?;
        Some(Price((book.best_bid()?.price.0 + book.best_ask()?.price.0) / 2))
    }

    /// Whether this process has heard of all accounts, and of a price of every coin.
    fn is_all_told(&self) -> bool {
        let engine = &self.desk.engine;
        let holdings = engine.holdings();
        let is_known = |place: &Place| holdings.iter().any(|(venue, ..)| *venue == place.id);
        let has_price = |id| self.places.iter().any(|place| engine.book(place.id, id).is_some());
        self.places.iter().all(is_known) && engine.symbols().all(|(id, _)| has_price(id))
    }

    /// What the venue of an order holds, by its own ledger and books.
    fn held(&self, ledger: &Ledger, order: &OrderRequest) -> Option<Held> {
        let place = self.places.get(order.venue.index())?;
        let account = ledger.accounts.iter().find(|account| account.exchange == place.exchange())?;
        let traded = place.markets.get(order.symbol)?.symbol().base;
        let nothing = Held { base: Decimal::ZERO, equity: Decimal::ZERO };
        account.balances.iter().try_fold(nothing, |held, (asset, free, locked)| {
            let amount = free.checked_add(*locked).ok()?;
            let worth = amount.checked_mul(self.worth(place, *asset)).ok()?;
            let base = if *asset == traded { amount } else { held.base };
            Some(Held { base, equity: held.equity.checked_add(worth).ok()? })
        })
    }

    /// Quote for one coin by the best bid of its exchange; nothing where there is none.
    fn worth(&self, place: &Place, asset: Asset) -> Decimal {
        let symbols = || place.markets.iter().map(Market::symbol);
        if symbols().any(|symbol| symbol.quote == asset) {
            return Decimal::ONE;
        }
        let symbol = symbols().find(|symbol| symbol.base == asset);
        let book = symbol.and_then(|symbol| self.world.book(place.exchange(), symbol).ok());
        book.and_then(|book| Some(book.bids.first()?.0)).unwrap_or(Decimal::ZERO)
    }
}

impl Checks {
    /// R12: by the ledgers, and at worst. No other order of the symbol can be out: in a market in which one is nothing is decided, and
    /// every arbitrage is between the two venues there are.
    pub(super) fn check_position(&mut self, now: Timestamp, world: &World, orders: &[OrderRequest; 2]) {
        let worst = self.read_fills(world).and_then(|()| self.worst_position(orders));
        let (name, max) = (orders[0].client_id, self.limits.max_symbol_net);
        match worst {
            Ok(worst) if worst <= max => {}
            Ok(worst) => {
                self.violate(
                    Invariant::I1,
                    now,
                    format!("{name}: a position of {worst}, at most {max} (R12)"),
                );
            }
            Err(error) => self.harness(now, format!("a position does not add up: {error}")),
        }
    }

    /// What the position of a symbol comes to in quote, whichever of these orders fills.
    fn worst_position(&self, orders: &[OrderRequest; 2]) -> Result<Decimal, NumError> {
        let symbol = self.name_of(orders[0].symbol);
        let numbers = symbol.and_then(|symbol| self.risked.positions.get(&symbol));
        let net = numbers
            .into_iter()
            .flatten()
            .try_fold(Decimal::ZERO, |sum, number| sum.checked_add(self.naked.kept(*number)))?;
        let [long, short] = [(&orders[0], net), (&orders[1], net.negated()?)].map(|(order, held)| {
            let worst = held.checked_add(self.qty(order).ok_or(NumError::Overflow)?)?;
            worst.checked_mul(self.limit(&orders[0]).ok_or(NumError::Overflow)?)
        });
        Ok(long?.max(short?))
    }

    /// An operator has looked: the position of a symbol in which nothing is on the way is theirs.
    pub(super) fn forget_positions(&mut self) {
        let open: BTreeSet<Symbol> = self.open.values().filter_map(|open| open.symbol).collect();
        self.risked.positions.retain(|symbol, _| open.contains(symbol));
    }

    /// R10: by the middles of the books that are decided on, which I7 compares with the exchanges'.
    fn check_collars(&mut self, now: Timestamp, orders: &[OrderRequest; 2], mids: [Option<Price>; 2]) {
        let mut wrong = Vec::new();
        for (order, mid) in orders.iter().zip(mids) {
            let (Some(limit), Some(mid)) = (order.kind.price(), mid) else { continue };
            if is_farther(limit, mid, self.limits.max_collar) {
                wrong.push(format!("{}: a limit of {limit:?}, and the middle is {mid:?}", order.client_id));
            }
        }
        if let [Some(buy), Some(sell)] = mids
            && is_farther(buy, sell, self.limits.max_cross_collar)
        {
            wrong.push(format!("{}: middles of {buy:?} and {sell:?}", orders[0].client_id));
        }
        for what in wrong {
            self.violate(Invariant::I1, now, format!("{what} (R10)"));
        }
    }

    /// Whether anything of what is held is limited: to look costs something.
    fn limits_inventory(&self) -> bool {
        let (limits, boundless) = (&self.limits, Limits::boundless());
        limits.max_venue_equity < boundless.max_venue_equity || limits.min_inventory_share > Bps::ZERO
    }

    /// An opening is decided; whether accounts and all prices are known by now.
    fn valued(&mut self, now: Timestamp, all_told: bool) {
        if all_told {
            self.risked.told_at.get_or_insert(now);
        }
    }

    /// R13: what the venues of an opening hold by their ledgers, in base and in quote.
    fn check_inventory(&mut self, now: Timestamp, orders: &[OrderRequest; 2], held: [Held; 2]) {
        let name = orders[0].client_id;
        let is_valued = self.risked.told_at.is_some_and(|at| now.since(at) > VALUED_WITHIN);
        match self.inventory_exceeded(orders, held, is_valued) {
            Ok(wrong) => wrong
                .into_iter()
                .for_each(|what| self.violate(Invariant::I1, now, format!("{name}: {what} (R13)"))),
            Err(error) => self.harness(now, format!("what is held does not add up: {error}")),
        }
    }

    fn inventory_exceeded(
        &self,
        orders: &[OrderRequest; 2],
        held: [Held; 2],
        is_valued: bool,
    ) -> Result<Vec<String>, NumError> {
        let (limits, mut wrong) = (&self.limits, Vec::new());
        for (order, Held { equity, .. }) in orders.iter().zip(held) {
            let max = limits.max_venue_equity;
            if is_valued && equity.checked_mul(EQUITY_NEAR)? > max {
                wrong.push(format!("{equity} at {}, at most {max}", order.venue));
            }
        }
        // What is out in other symbols spends no base of this one.
        let all = held[0].base.checked_add(held[1].base)?;
        let left = held[1].base.checked_sub(self.qty(&orders[1]).ok_or(NumError::Overflow)?)?;
        if left < all.checked_mul(limits.min_inventory_share.fraction())? {
            wrong.push(format!("{left} of {all} left at {}", orders[1].venue));
        }
        Ok(wrong)
    }

    fn qty(&self, order: &OrderRequest) -> Option<Decimal> {
        let scale = self.markets.get(order.venue.index())?.get(order.symbol)?.scale;
        Some(scale.qty_value(order.kind.qty()?))
    }
}

/// Whether a price is farther from another than this part of it. Parts are whole 10^-8: what is less than one more is not over.
fn is_farther(price: Price, from: Price, max: Bps) -> bool {
    let off = i128::from(price.0.abs_diff(from.0)) * i128::from(Bps::ONE);
    off >= (i128::from(max.e8()) + 1) * i128::from(from.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{Options, Schedule};

    /// What a quiet day comes to that is judged by other limits than those it trades under.
    fn judged_by(change: fn(&mut Limits)) -> String {
        let starts_at = Timestamp::from_secs(1_800_000_000);
        let schedule = Schedule { starts_at, faults_from: starts_at, calm_from: starts_at, kill_at: None };
        let mut day = Day::new(1, &Options::default(), &schedule).expect("a quiet world");
        change(&mut day.desk.checks.limits);
        day.run_until(day.now() + Duration::from_secs(10));
        let (violations, _) = day.desk.checks.into_violations();
        violations.into_iter().map(|violation| violation.what).collect()
    }

    #[test]
    fn an_opening_that_another_limit_would_have_refused_is_seen_by_the_rule_that_is_for_it() {
        assert_eq!(judged_by(|_| {}), "");
        let one = Bps::from_e8(1);
        for (rule, what) in [
            ("R10", judged_by(|limits| limits.max_collar = Bps::ZERO)),
            ("R10", judged_by(|limits| limits.max_cross_collar = Bps::ZERO)),
            ("R12", judged_by(|limits| limits.max_symbol_net = Decimal::ONE)),
            ("R13", judged_by(|limits| limits.max_venue_equity = Decimal::from(50_000))),
            ("R13", judged_by(|limits| limits.min_inventory_share = Bps::from_bps(6_000))),
        ] {
            assert!(what.contains(rule), "{rule}: {what}");
        }
        assert!(!is_farther(Price(100), Price(100), Bps::ZERO));
        assert!(
            is_farther(Price(1), Price(100_000_000), one)
                && !is_farther(Price(100_000_001), Price(100_000_000), one)
        );
    }
}
