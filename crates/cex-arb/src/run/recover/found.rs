//! Orders of ours that no record tells of, out of what the accounts traded. What they filled becomes records: an arbitrage that
//! stands open like any other that a crash left, or a closing order of one.

use super::tell;
use crate::run::past::{Cycle, Past};
use cex_core::{Decimal, NumError, Timestamp};
use cex_engine::IdParts;
use cex_journal::Entry;
use cex_journal::messages::{self, Side, Status};
use std::collections::{BTreeMap, BTreeSet};

/// Why such an order was sent is not known any more.
const PURPOSE: &str = "found";

/// An order and all that it filled. An order that filled nothing moved nothing, and is not found.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Found {
    pub(super) parts: IdParts,
    /// The first one says where, of what and by which names.
    pub(super) fills: Vec<messages::Fill>,
}

impl Found {
    /// These fills, by order; each has our name of its order, and is of an order of ours.
    pub(super) fn group(fills: impl IntoIterator<Item = messages::Fill>) -> Vec<Self> {
        let mut orders: BTreeMap<IdParts, Vec<messages::Fill>> = BTreeMap::new();
        for fill in fills {
            if let Some(parts) = IdParts::of(&fill.client_id) {
                orders.entry(parts).or_default().push(fill);
            }
        }
        orders.into_iter().map(|(parts, fills)| Self { parts, fills }).collect()
    }

    /// Whether it is one of the two that open an arbitrage.
    pub(super) const fn is_leg(&self) -> bool {
        matches!(self.parts.leg, 'b' | 's')
    }

    fn first(&self) -> messages::Fill {
        self.fills.first().cloned().unwrap_or_default()
    }

    /// What it filled, and for how much.
    fn sums(&self) -> Result<(Decimal, Decimal), NumError> {
        self.fills.iter().try_fold((Decimal::ZERO, Decimal::ZERO), |(qty, notional), fill| {
            let (price, more): (Decimal, Decimal) = (fill.price.parse()?, fill.qty.parse()?);
            Ok((qty.checked_add(more)?, notional.checked_add(price.checked_mul(more)?)?))
        })
    }

    /// The order as it would have been written down, at the worst price it filled at: what it asked for is not known.
    fn leg(&self) -> Result<messages::Leg, NumError> {
        let (qty, notional) = self.sums()?;
        let first = self.first();
        let prices = self.fills.iter().map(|fill| fill.price.parse::<Decimal>());
        let prices = prices.collect::<Result<Vec<_>, _>>()?.into_iter();
        let worst = if first.side() == Side::Sell { prices.min() } else { prices.max() };
        let worst = worst.unwrap_or_default();
        let count = |of: Decimal| i64::try_from(of.mantissa()).map_err(|_| NumError::Overflow);
        Ok(messages::Leg {
            venue: first.venue,
            client_id: first.client_id,
            side: first.side,
            r#type: messages::OrderType::LimitIoc.into(),
            price: count(worst)?,
            price_dp: u32::from(worst.dp()),
            qty: count(qty)?,
            qty_dp: u32::from(qty.dp()),
            notional: notional.to_string(),
            expires_in_ns: 0,
        })
    }

    /// Its end, and its fills. It cannot be open: nothing that is has not been cancelled.
    fn ended(self) -> Result<Vec<Entry>, NumError> {
        let (qty, notional) = self.sums()?;
        let first = self.first();
        let mut event = messages::OrderEvent {
            venue: first.venue,
            symbol: first.symbol,
            client_id: first.client_id,
            order_id: first.order_id,
            side: first.side,
            filled_qty: qty.to_string(),
            filled_notional: notional.to_string(),
            as_of_ns: first.exchange_ts_ns,
            ..messages::OrderEvent::default()
        };
        event.set_status(Status::Canceled);
        let fills = self.fills.into_iter().map(Entry::Fill);
        Ok(std::iter::once(Entry::OrderEvent(event)).chain(fills).collect())
    }
}

/// What is known of the search that found orders.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) now: Timestamp,
    /// Runs of which an operator has looked at the accounts: what their orders left open is theirs.
    pub(super) looked: &'a BTreeSet<u64>,
    /// Symbols of which some market could not be read: what did not fill in another may have filled there.
    pub(super) unread: &'a BTreeSet<String>,
    /// When the last record was written before the loss of power, if an operator has looked since of whom nobody had told it.
    pub(super) overlooked: Option<Timestamp>,
}

/// Two legs that left together: neighbouring numbers of one run.
#[derive(Debug, Default)]
struct Legs {
    buy: Option<Found>,
    sell: Option<Found>,
}

/// The records of found arbitrages, each or what does not fit; `other` is another venue than this one that trades a symbol.
pub(super) fn arbitrages(
    Known { now, looked, unread, .. }: Known<'_>,
    orders: &[Found],
    other: impl Fn(&str, &str) -> String,
) -> Vec<Result<Vec<Entry>, NumError>> {
    let mut pairs: BTreeMap<(u64, u64, String), Legs> = BTreeMap::new();
    for order in orders.iter().filter(|order| order.is_leg()) {
        let IdParts { epoch, counter, leg } = order.parts;
        let (symbol, order) = (order.first().symbol, Some(order.clone()));
        if leg == 's' {
            pairs.entry((epoch, counter.saturating_sub(1), symbol)).or_default().sell = order;
        } else {
            pairs.entry((epoch, counter, symbol)).or_default().buy = order;
        }
    }
    let of = |((epoch, counter, symbol), Legs { buy, sell }): ((u64, u64, String), Legs)| {
        let leg = |of: &Option<Found>| of.as_ref().map(Found::leg).transpose();
        let (buy_leg, sell_leg) = (leg(&buy)?, leg(&sell)?);
        // The one that filled nothing, if it was ever there, is at the other venue and has the neighbouring number.
        let idle = |other_leg: &messages::Leg, side: Side, parts: IdParts| messages::Leg {
            venue: other(&other_leg.venue, &symbol),
            client_id: parts.id().to_string(),
            side: side.into(),
            qty: 0,
            notional: Decimal::ZERO.to_string(),
            ..other_leg.clone()
        };
        let buys = IdParts { epoch, counter, leg: 'b' };
        let sells = IdParts { epoch, counter: counter + 1, leg: 's' };
        let legs = match (buy_leg, sell_leg) {
            (Some(buy), Some(sell)) => [buy, sell],
            (Some(buy), None) => {
                let sell = idle(&buy, Side::Sell, sells);
                [buy, sell]
            }
            (None, Some(sell)) => [idle(&sell, Side::Buy, buys), sell],
            (None, None) => return Ok(Vec::new()),
        };
        // Of one that may have filled unseen nothing is said: it is asked for.
        let idle = legs.iter().filter(|leg| leg.qty == 0 && !unread.contains(&symbol));
        let idle: Vec<Entry> = idle.map(|leg| tell::never_arrived(now, &symbol, leg)).collect();
        let mut entries = vec![Entry::Intent(messages::Intent {
            symbol: symbol.clone(),
            legs: legs.to_vec(),
            purpose: PURPOSE.to_owned(),
            acknowledged: looked.contains(&epoch),
            ..messages::Intent::default()
        })];
        entries.extend(idle);
        for order in [buy, sell].into_iter().flatten() {
            entries.extend(order.ended()?);
        }
        Ok(entries)
    };
    pairs.into_iter().map(of).collect()
}

/// The records of a found closing order: of the open arbitrage of its symbol that it closed, or of none when it traded away what
/// ended ones had left over. That of a run an operator has looked at is theirs, and of no arbitrage that goes on. Whoever looked
/// without knowing of it has settled the arbitrages and leftovers of that time: what closed one of these is theirs with it, and
/// leaves nothing over that could be traded back.
///
/// # Errors
/// When a number does not fit.
pub(super) fn closing(
    past: &Past,
    order: &Found,
    Known { looked, overlooked, .. }: Known<'_>,
) -> Result<Vec<Entry>, NumError> {
    let is_theirs = looked.contains(&order.parts.epoch);
    let (leg, (qty, _)) = (order.leg()?, order.sums()?);
    let moved = if leg.side() == Side::Sell { qty.negated()? } else { qty };
    let symbol = order.first().symbol;
    let most = |counts: &dyn Fn(&Cycle) -> bool| {
        let its = past.cycles().iter().filter(|(_, cycle)| cycle.symbol == symbol && counts(cycle));
        its.filter_map(|(name, cycle)| Some((needs(cycle, moved)?, name)))
            .max_by(|(left, _), (right, _)| left.cmp(right))
            .map(|(_, name)| name.clone())
    };
    // What an operator settled before the power was lost nothing closed after that.
    let settled =
        |cycle: &Cycle| overlooked.is_some_and(|since| cycle.acknowledged && cycle.looked_at >= since);
    let closed = match is_theirs {
        true => None,
        false => most(&|cycle| !cycle.acknowledged).or_else(|| most(&settled)),
    };
    let acknowledged = is_theirs || closed.is_none() && overlooked.is_some();
    let carried = if closed.is_some() { String::new() } else { moved.negated()?.to_string() };
    let intent = messages::Intent {
        parent: closed.unwrap_or_else(|| leg.client_id.clone()),
        symbol,
        legs: vec![leg],
        purpose: PURPOSE.to_owned(),
        carried,
        acknowledged,
        ..messages::Intent::default()
    };
    Ok(std::iter::once(Entry::Intent(intent)).chain(order.clone().ended()?).collect())
}

/// How much of what was moved an arbitrage needs to be level, if any.
fn needs(cycle: &Cycle, moved: Decimal) -> Option<Decimal> {
    let open = cycle.residual().ok()?;
    (!open.is_zero() && open.is_negative() != moved.is_negative()).then(|| open.abs().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::past::Written;

    const NOW: Timestamp = Timestamp::from_secs(1_000);

    fn fill(client_id: &str, venue: &str, side: Side, price: &str, qty: &str) -> messages::Fill {
        messages::Fill {
            venue: venue.to_owned(),
            symbol: "BTC/USDT".to_owned(),
            trade_id: format!("{client_id} {price} {qty}"),
            order_id: format!("o-{client_id}"),
            client_id: client_id.to_owned(),
            side: side.into(),
            price: price.to_owned(),
            qty: qty.to_owned(),
            fees: vec![messages::Fee { amount: "0.1".to_owned(), asset: "USDT".to_owned() }],
            ..messages::Fill::default()
        }
    }

    fn other(venue: &str, _: &str) -> String {
        if venue == "mexc" { "gateio" } else { "mexc" }.to_owned()
    }

    /// What is known once all of these fills were found.
    fn known(past: &mut Past, fills: Vec<messages::Fill>) {
        let nothing = (BTreeSet::new(), BTreeSet::new());
        let search = Known { now: NOW, looked: &nothing.0, unread: &nothing.1, overlooked: None };
        known_of(past, search, fills);
    }

    fn known_of(past: &mut Past, search: Known<'_>, fills: Vec<messages::Fill>) {
        let orders = Found::group(fills);
        for entries in arbitrages(search, &orders, other) {
            entries.expect("fits").iter().for_each(|entry| past.take_in(0, NOW, entry));
        }
        for order in orders.iter().filter(|order| !order.is_leg()) {
            let entries = closing(past, order, search).expect("fits");
            entries.iter().for_each(|entry| past.take_in(0, NOW, entry));
        }
    }

    fn residuals(past: &Past) -> Vec<(&str, String)> {
        let cycles = past.cycles().iter();
        cycles.map(|(name, cycle)| (name.as_str(), cycle.residual().expect("fits").to_string())).collect()
    }

    #[test]
    fn neighbours_are_the_legs_of_one_arbitrage_and_a_leg_alone_stands_open() {
        let mut past = Past::default();
        known(
            &mut past,
            vec![
                fill("mqhw82kb-1b", "mexc", Side::Buy, "100", "2"),
                fill("mqhw82kb-1b", "mexc", Side::Buy, "101.5", "1"),
                fill("mqhw82kb-2s", "gateio", Side::Sell, "102", "3"),
                fill("mqhw82kb-6s", "mexc", Side::Sell, "103", "0.5"),
            ],
        );
        assert_eq!(residuals(&past), [("mqhw82kb-1b", "0".to_owned()), ("mqhw82kb-5b", "-0.5".to_owned())]);
        assert_eq!(past.undecided(), 0);
        let [buy, sell] = past.cycles()["mqhw82kb-1b"].orders.as_slice() else { panic!("two legs") };
        let legs =
            [buy, sell].map(|order| (order.leg.price, order.leg.price_dp, order.leg.qty, order.fills.len()));
        assert_eq!(legs, [(1_015, 1, 3, 2), (102, 0, 3, 1)], "at the worst price it filled at");
        let [buy, sell] = past.cycles()["mqhw82kb-5b"].orders.as_slice() else { panic!("two legs") };
        let at = [buy, sell].map(|order| (order.leg.venue.as_str(), order.leg.qty, order.is_settled()));
        assert_eq!(at, [("gateio", 0, true), ("mexc", 5, true)]);
    }

    #[test]
    fn a_closing_order_belongs_to_the_arbitrage_that_it_made_more_even() {
        let mut past = Past::default();
        known(
            &mut past,
            vec![
                fill("mqhw82kb-1b", "mexc", Side::Buy, "100", "2"),
                fill("mqhw82kb-3b", "mexc", Side::Buy, "100", "5"),
                fill("mqhw82kb-6s", "gateio", Side::Sell, "100", "9"),
                fill("mqhw82kb-7c", "gateio", Side::Sell, "99", "4"),
            ],
        );
        let one = |past: &Past, name: &str| past.cycles()[name].residual().expect("fits").to_string();
        assert_eq!(
            ["mqhw82kb-1b", "mqhw82kb-3b", "mqhw82kb-5b"].map(|name| one(&past, name)),
            ["2", "1", "-9"]
        );
        let ended = past.cycles()["mqhw82kb-3b"].end("mqhw82kb-3b", |_| cex_core::Bps::ZERO).expect("fits");
        assert_eq!(
            (ended.ending.as_str(), ended.base_change.as_str()),
            ("parked", "1"),
            "to be levelled first"
        );
    }

    #[test]
    fn what_is_found_of_a_run_that_an_operator_has_looked_at_is_theirs() {
        let epoch = IdParts::of("mqhw82kb-1b").expect("ours").epoch;
        let (looked, unread) = ([epoch].into(), ["BTC/USDT".to_owned()].into());
        let mut past = Past::default();
        // Of a later run, which nobody has looked at: bought and not sold.
        known(&mut past, vec![fill("mqhw82kc-1b", "mexc", Side::Buy, "100", "1")]);
        let search = Known { now: NOW, looked: &looked, unread: &unread, overlooked: None };
        let fills = vec![
            fill("mqhw82kb-1b", "mexc", Side::Buy, "100", "2"),
            fill("mqhw82kb-7c", "gateio", Side::Sell, "99", "1"),
        ];
        known_of(&mut past, search, fills);
        let acknowledged: Vec<(&str, bool)> =
            past.cycles().iter().map(|(name, cycle)| (name.as_str(), cycle.acknowledged)).collect();
        assert_eq!(acknowledged, [("mqhw82kb-1b", true), ("mqhw82kb-7c", true), ("mqhw82kc-1b", false)]);
        assert_eq!(
            past.cycles()["mqhw82kc-1b"].residual(),
            Ok(Decimal::ONE),
            "it closed nothing of another run"
        );
        let settled = past.cycles()["mqhw82kb-1b"].orders.iter().map(Written::is_settled);
        assert_eq!(settled.collect::<Vec<_>>(), [true, false], "it may have filled where nobody could look");
    }

    #[test]
    fn a_closing_order_of_nothing_open_traded_leftovers_away() {
        let mut past = Past::default();
        known(&mut past, vec![fill("mqhw82kb-7c", "gateio", Side::Sell, "99", "4")]);
        let cycle = &past.cycles()["mqhw82kb-7c"];
        assert_eq!(
            (cycle.carried.to_string(), residuals(&past)),
            ("4".to_owned(), vec![("mqhw82kb-7c", "0".to_owned())])
        );
        let end = cycle.end("mqhw82kb-7c", |_| cex_core::Bps::ZERO).expect("fits");
        assert_eq!(
            (end.ending.as_str(), end.base_change.as_str(), end.realised.as_str()),
            ("swept", "-4", "-0.1")
        );
    }

    /// 2 were bought at mexc and not sold, or nothing was. Then the power went, with the record of a sale of 2, and an operator has
    /// looked since without being told of that.
    fn overlooked(is_open: bool) -> Past {
        let mut past = Past::default();
        let start = |mode: messages::Mode, boot: &str| {
            let boot = boot.to_owned();
            Entry::SessionStart(messages::SessionStart { mode: mode.into(), boot, ..Default::default() })
        };
        past.take_in(0, NOW, &start(messages::Mode::Live, "before"));
        if is_open {
            known(&mut past, vec![fill("mqhw82kb-1b", "mexc", Side::Buy, "100", "2")]);
        }
        past.take_in(0, NOW, &start(messages::Mode::Unspecified, "now"));
        past.take_in(0, NOW, &Entry::OperatorAck(messages::OperatorAck::default()));
        assert!(past.doubt().is_some_and(|doubt| doubt.overlooked));
        past
    }

    #[test]
    fn what_closed_something_that_an_operator_settled_since_is_theirs_and_leaves_nothing_over() {
        let nothing = (BTreeSet::new(), BTreeSet::new());
        let sale = || vec![fill("mqhw82kb-7c", "gateio", Side::Sell, "99", "2")];
        let search = |overlooked| Known { now: NOW, looked: &nothing.0, unread: &nothing.1, overlooked };
        for is_open in [true, false] {
            let mut past = overlooked(is_open);
            known_of(&mut past, search(Some(NOW)), sale());
            let name = if is_open { "mqhw82kb-1b" } else { "mqhw82kb-7c" };
            assert_eq!(residuals(&past), [(name, "0".to_owned())]);
            let left = (past.unfinished(), past.undecided());
            assert_eq!(left, (0, 0), "no engine goes on with it, or counts it as left over");
        }
        // What was settled before the power was lost has nothing to do with it.
        let mut past = overlooked(true);
        known_of(&mut past, search(Some(NOW + std::time::Duration::from_secs(1))), sale());
        assert_eq!(past.unfinished(), 0);
        let expected = [("mqhw82kb-1b", "2".to_owned()), ("mqhw82kb-7c", "0".to_owned())];
        assert_eq!(residuals(&past), expected);
    }
}
