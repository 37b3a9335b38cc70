//! Answers on their way to the engine, and orders on their way from it.

use super::Bug;
use crate::day::Day;
use crate::rest::{Purpose, may_have_happened};
use crate::run::CANARY;
use cex_arb::run::answers::Keeper;
use cex_core::{
    Balance, ClientOrderId, Decimal, Order, OrderId, OrderKind, OrderRequest, OrderStatus, Price, Qty,
    Rounding, Side, Timestamp, VenueId,
};
use cex_engine::Event;
use cex_errors::{ExchangeError, Outcome};
use cex_interface::{Reply, Request};
use cex_transport::Urgency;
use std::time::Duration;

impl Day {
    /// What we believe an account holds, as if the exchange had told it.
    pub(crate) fn own_balances(&self, venue: VenueId) -> Vec<Balance> {
        let held = self.desk.engine.holdings().into_iter().filter(|(at, _, _)| *at == venue);
        let told = |asset, free| Balance { asset, free, locked: Decimal::ZERO, as_of: Timestamp::EPOCH };
        held.map(|(_, asset, held)| told(asset, held)).collect()
    }

    /// What becomes of the answer to a placement; whether that was all.
    pub(crate) fn spoil_placement(
        &mut self,
        order: &OrderRequest,
        result: &Result<Reply, ExchangeError>,
    ) -> bool {
        let client_id = order.client_id;
        if self.has(Bug::AckIsFinal)
            && let Ok(Reply::Placed(placed)) = result
        {
            let state = ended(placed.order_id, order);
            let (order_id, order) = (placed.order_id, Some(&state));
            self.feed(Event::Placed { client_id, order_id, order });
            return true;
        }
        if !result.as_ref().err().is_some_and(|error| may_have_happened(error.outcome())) {
            return false;
        }
        if self.has(Bug::UnknownIsRefused) {
            self.feed(Event::PlaceFailed { client_id, outcome: Outcome::Refused });
        } else if self.has(Bug::UnknownIsNotSent) {
            self.feed(Event::PlaceFailed { client_id, outcome: Outcome::NotSent });
        } else if self.has(Bug::PlacementRepeated) {
            let Self { world, places, .. } = self;
            let rest = &mut places[order.venue.index()].rest;
            rest.begin(world, Request::Place(*order), Purpose::Place(*order), Urgency::MustGo);
        } else {
            return false;
        }
        true
    }

    /// All that could tell of an order tells that it never arrived, long after it could have.
    pub(crate) fn make_absent(&mut self, venue: VenueId, client_id: ClientOrderId, asked_at: Timestamp) {
        for asked_at in [asked_at - Duration::from_secs(3), asked_at] {
            self.feed(Event::OrderRead { client_id, asked_at, order: None });
            self.feed(Event::OpenRead { client_id, asked_at, orders: &[], whole: true });
            self.feed(Event::TradesRead { client_id, asked_at, fills: &[], whole: true });
            // ... and as if the account had been looked at, too.
            let balances = self.own_balances(venue);
            self.feed(Event::AccountRead { venue, asked_at, balances: &balances });
        }
    }

    /// What becomes of the answer to any other call.
    pub(crate) fn spoil_answer(
        &mut self,
        place: usize,
        purpose: &mut Purpose,
        result: &mut Result<Reply, ExchangeError>,
    ) {
        const LATER: Duration = Duration::from_secs(3_600);
        if let Purpose::Order { asked_at, .. } = purpose
            && self.has(Bug::AbsenceBelieved)
        {
            *asked_at += LATER;
        }
        if let (Purpose::Account { asked_at }, Ok(Reply::Account(account))) = (&mut *purpose, &mut *result)
            && self.has(Bug::StaleBalanceAdopted)
        {
            *asked_at += LATER;
            let before = self.places[place].account_before.replace(account.clone());
            *account = before.unwrap_or_else(|| account.clone());
        }
        if matches!(purpose, Purpose::Fills { .. }) && self.has(Bug::FillsNeverRead) {
            *result = Ok(Reply::Done);
        }
        match result {
            Ok(Reply::Account(account)) if self.has(Bug::BalanceRounded) => {
                for balance in &mut account.balances {
                    balance.free = balance.free.rounded(2, Rounding::Down).unwrap_or(balance.free);
                }
            }
            Ok(Reply::Book(book)) if self.has(Bug::SnapshotCut) => {
                book.bids.truncate(3);
                book.asks.truncate(3);
            }
            Ok(Reply::Book(book)) if self.has(Bug::SnapshotAhead) => book.seq += 1,
            Ok(Reply::Fills(fills)) if self.has(Bug::FirstFillOnly) => fills.truncate(1),
            Ok(_) | Err(_) => {}
        }
        if let Err(error) = result
            && self.has(Bug::SecretShown)
        {
            error.message = Some(CANARY.into());
        }
    }
}

impl Day {
    /// What leaves instead of an order that was approved.
    pub(crate) fn spoil_order(&self, order: OrderRequest, closes: bool) -> OrderRequest {
        let OrderKind::Limit { price, qty, tif } = order.kind else { return order };
        let limit = |price, qty| OrderKind::Limit { price, qty, tif };
        if self.has(Bug::QtyDoubled) {
            OrderRequest { kind: limit(price, Qty(qty.0 * 2)), ..order }
        } else if self.has(Bug::PriceWorse) {
            let tick = self.market(order.venue, order.symbol).map_or(1, |market| market.tick.0);
            let price = match order.side {
                Side::Buy => Price(price.0 + tick),
                Side::Sell => Price(price.0 - tick),
            };
            OrderRequest { kind: limit(price, qty), ..order }
        } else if closes && self.has(Bug::ClosingFlipped) {
            OrderRequest { side: order.side.opposite(), ..order }
        } else {
            order
        }
    }

    /// What a start is told of the orders it asks for.
    pub(crate) fn spoil_recovery(
        &self,
        answer: Result<Reply, ExchangeError>,
    ) -> Result<Reply, ExchangeError> {
        match answer {
            Ok(Reply::Fills(mut fills)) if self.has(Bug::FeeForgottenAtStart) => {
                fills.iter_mut().for_each(|fill| fill.fee = Decimal::ZERO);
                Ok(Reply::Fills(fills))
            }
            answer => answer,
        }
    }
}

/// A report that an order has ended, and filled nothing.
fn ended(order_id: OrderId, order: &OrderRequest) -> Order {
    Order {
        venue: order.venue,
        symbol: order.symbol,
        order_id: Some(order_id),
        client_id: Some(order.client_id),
        side: order.side,
        order_type: None,
        status: OrderStatus::Canceled,
        price: None,
        qty: None,
        filled_qty: Decimal::ZERO,
        filled_notional: Decimal::ZERO,
        fee: None,
        created_at: Timestamp::EPOCH,
        as_of: Timestamp::EPOCH,
    }
}
