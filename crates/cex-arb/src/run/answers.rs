//! What the answers to the engine's calls come to: what of each is written down, and what the engine is told, in that order. The
//! desk of `arb run` and the simulated world hear them by these rules; how calls are made, waited for and given up is theirs.

use super::record::Recorder;
use cex_core::{ClientOrderId, Fill, Order, OrderId, OrderRequest, SymbolId, Timestamp, VenueId};
use cex_engine::{Engine, Event};
use cex_errors::{ErrorKind, ExchangeError, Outcome};
use cex_interface::{Listing, Reply};

/// Whoever keeps the engine and its records.
pub trait Keeper {
    /// When the answer came.
    fn now(&self) -> Timestamp;

    /// Reads the engine.
    fn engine<T>(&self, read: impl FnOnce(&Engine) -> T) -> T;

    /// Writes something down, if anything is.
    fn record(&mut self, write: impl FnOnce(&mut Recorder));

    /// Tells the engine, and does nothing of what it wants yet.
    fn tell(&mut self, event: Event<'_>);

    /// The engine decides, and what it wants is done.
    fn settle(&mut self);

    /// One thing that happened, alone.
    fn feed(&mut self, event: Event<'_>) {
        self.tell(event);
        self.settle();
    }
}

/// A placement was answered.
pub fn placed(keeper: &mut impl Keeper, order: &OrderRequest, answer: Result<Reply, ExchangeError>) {
    let (now, client_id) = (keeper.now(), order.client_id);
    match answer {
        Ok(Reply::Placed(placed)) => {
            let (order_id, order) = (placed.order_id, placed.order.as_ref());
            keeper.record(|recorder| order.into_iter().for_each(|order| recorder.order(now, order)));
            keeper.feed(Event::Placed { client_id, order_id, order });
        }
        Ok(other) => {
            tracing::error!(venue = %order.venue, reply = ?other, "a placement was answered with something else");
            keeper.feed(Event::PlaceFailed { client_id, outcome: Outcome::Unknown });
        }
        Err(error) => {
            let outcome = error.outcome();
            tracing::debug!(%error, order = %client_id, ?outcome, "placement failed");
            failed(keeper, order.venue, &error);
            if outcome != Outcome::Unknown {
                keeper.record(|recorder| recorder.refused(now, order));
            }
            keeper.feed(Event::PlaceFailed { client_id, outcome });
        }
    }
}

/// What the engine is told of a leg that does not leave, and why if it was this one that could not.
pub fn withheld(
    now: Timestamp,
    order: &OrderRequest,
    why: Option<&ExchangeError>,
) -> impl Iterator<Item = Event<'static>> + use<> {
    let spent = match why.map(|error| &error.kind) {
        Some(ErrorKind::Throttled { retry_after }) => {
            Some(Event::BudgetSpent { venue: order.venue, until: now + *retry_after })
        }
        _other => None,
    };
    let not_sent = Event::PlaceFailed { client_id: order.client_id, outcome: Outcome::NotSent };
    spent.into_iter().chain([not_sent])
}

/// A call failed: a key that is refused, or a ban, stops its exchange until somebody has looked (R25).
pub fn failed(keeper: &mut impl Keeper, venue: VenueId, error: &ExchangeError) {
    if let Some(rule) = shut_out_by(&error.kind) {
        keeper.feed(Event::ShutOut { venue, rule });
    }
}

/// A book was asked for.
pub fn book(
    keeper: &mut impl Keeper,
    (venue, symbol): (VenueId, SymbolId),
    asked_at: Timestamp,
    answer: Result<Reply, ExchangeError>,
) {
    match answer {
        Ok(Reply::Book(book)) => keeper.feed(Event::Book {
            venue,
            symbol,
            asked_at,
            seq: book.seq,
            exchange_ts: book.exchange_ts,
            bids: &book.bids,
            asks: &book.asks,
        }),
        Ok(_) => keeper.feed(Event::BookFailed { venue, symbol, asked_at }),
        Err(error) => {
            tracing::warn!(%error, "no book snapshot");
            keeper.feed(Event::BookFailed { venue, symbol, asked_at });
        }
    }
}

/// It was asked what became of an order.
pub fn order(
    keeper: &mut impl Keeper,
    client_id: ClientOrderId,
    asked_at: Timestamp,
    answer: Result<Reply, ExchangeError>,
) {
    let now = keeper.now();
    match answer {
        Ok(Reply::Order(order)) => {
            keeper.record(|recorder| recorder.order(now, &order));
            keeper.feed(Event::OrderRead { client_id, asked_at, order: Some(&order) });
        }
        Err(ExchangeError { kind: ErrorKind::OrderNotFound, .. }) => {
            keeper.feed(Event::OrderRead { client_id, asked_at, order: None });
        }
        // No answer is no answer: the engine asks again.
        Ok(_) => tracing::error!(order = %client_id, "a query was answered with something else"),
        Err(error) => tracing::warn!(%error, order = %client_id, "query failed"),
    }
}

/// Open orders were asked for, to find one among them.
pub fn open_orders(
    keeper: &mut impl Keeper,
    client_id: ClientOrderId,
    asked_at: Timestamp,
    answer: Result<Listing<Order>, ExchangeError>,
) {
    let now = keeper.now();
    match answer {
        Ok(open) => {
            let ours = open.iter().filter(|order| order.client_id == Some(client_id));
            keeper.record(|recorder| ours.for_each(|order| recorder.order(now, order)));
            let whole = open.unreadable == 0;
            keeper.feed(Event::OpenRead { client_id, asked_at, orders: &open.rows, whole });
        }
        Err(error) => tracing::warn!(%error, order = %client_id, "query of open orders failed"),
    }
}

/// All fills of an order were asked for.
pub fn fills(
    keeper: &mut impl Keeper,
    client_id: ClientOrderId,
    answer: Result<Listing<Fill>, ExchangeError>,
) {
    let now = keeper.now();
    match answer {
        Ok(fills) => {
            // Those that could be read are booked; what they miss to the order's own quantity is asked for again.
            if fills.unreadable > 0 {
                tracing::error!(order = %client_id, fills.unreadable, "fills could not be read");
            }
            // They are the order's, whether or not the exchange says its name.
            let named = |fill: &Fill| Fill { client_id: Some(client_id), ..*fill };
            keeper.record(|recorder| fills.iter().for_each(|fill| recorder.fill(now, &named(fill))));
            keeper.feed(Event::FillsRead { client_id, fills: &fills.rows });
        }
        Err(error) => tracing::warn!(%error, order = %client_id, "query of fills failed"),
    }
}

/// What an account traded was asked for, to find an order's trades among it; `order_id` is its number as known when it was asked.
pub fn trades(
    keeper: &mut impl Keeper,
    (client_id, order_id): (ClientOrderId, Option<OrderId>),
    asked_at: Timestamp,
    answer: Result<Listing<Fill>, ExchangeError>,
) {
    let now = keeper.now();
    match answer {
        Ok(fills) => {
            // It may have been learned meanwhile.
            let order_id = keeper.engine(|engine| engine.order_id(client_id)).or(order_id);
            let ours = of_order(&fills.rows, client_id, order_id);
            keeper.record(|recorder| ours.for_each(|fill| recorder.fill(now, &fill)));
            let whole = fills.unreadable == 0;
            keeper.feed(Event::TradesRead { client_id, asked_at, fills: &fills.rows, whole });
        }
        Err(error) => tracing::warn!(%error, order = %client_id, "query of trades failed"),
    }
}

/// What an account holds: as far as the engine takes it for held, it is written down before anything follows from it.
pub fn account(
    keeper: &mut impl Keeper,
    venue: VenueId,
    asked_at: Timestamp,
    answer: Result<Reply, ExchangeError>,
) {
    let now = keeper.now();
    match answer {
        Ok(Reply::Account(account)) => {
            let before = keeper.engine(Engine::holdings);
            keeper.tell(Event::AccountRead { venue, asked_at, balances: &account.balances });
            let after = keeper.engine(Engine::holdings);
            keeper.record(|recorder| recorder.adopted(now, &before, &after));
            keeper.settle();
        }
        Ok(_) => tracing::error!(%venue, "an account was answered with something else"),
        Err(error) => tracing::warn!(%error, "account could not be read"),
    }
}

/// The trades of an order, which some exchanges tell by its number only: with its name, for a record of the number there may be
/// none.
fn of_order(
    fills: &[Fill],
    client_id: ClientOrderId,
    order_id: Option<OrderId>,
) -> impl Iterator<Item = Fill> {
    let is_its = move |fill: &&Fill| fill.client_id == Some(client_id) || Some(fill.order_id) == order_id;
    fills.iter().filter(is_its).map(move |fill| Fill { client_id: Some(client_id), ..*fill })
}

/// The rule a failed call trips, when it says that the exchange does not let us in any more.
const fn shut_out_by(kind: &ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::InvalidKey | ErrorKind::InvalidSignature => Some("auth"),
        ErrorKind::PermissionDenied | ErrorKind::AccountRestricted => Some("permission"),
        ErrorKind::Banned { .. } => Some("banned"),
        _other => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::past::Past;
    use cex_core::{Decimal, Liquidity, Side, Symbol, TradeId};
    use cex_journal::{Entry, messages, record};

    const NOW: Timestamp = Timestamp::from_secs(1_000);

    /// Of an order that was accepted and forgotten the placement's answer was lost, so its number is in no record.
    #[test]
    fn a_trade_told_by_a_number_only_is_its_orders_when_the_journal_is_read() {
        let (name, number) =
            (ClientOrderId::new("mqhw82kb-1b").expect("ours"), OrderId::new("77").expect("short"));
        let trade = |order_id: &str, client_id: Option<ClientOrderId>| Fill {
            venue: VenueId::new(0, "mexc").expect("short"),
            symbol: SymbolId(0),
            trade_id: TradeId::new("t").expect("short"),
            order_id: OrderId::new(order_id).expect("short"),
            client_id,
            side: Side::Buy,
            price: Decimal::from(100),
            qty: Decimal::from(2),
            fee: Decimal::ZERO,
            fee_asset: "USDT".parse().expect("an asset"),
            second_fee: None,
            liquidity: Liquidity::Taker,
            exchange_ts: NOW,
        };
        let fills = [trade("76", None), trade("77", None), trade("78", ClientOrderId::new("another"))];
        let leg = messages::Leg {
            venue: "mexc".to_owned(),
            client_id: name.to_string(),
            side: messages::Side::Buy.into(),
            ..messages::Leg::default()
        };
        let symbol: Symbol = "BTC/USDT".parse().expect("a symbol");
        let mut past = Past::default();
        let intent = messages::Intent { symbol: symbol.to_string(), legs: vec![leg], ..Default::default() };
        past.take_in(1, NOW, &Entry::Intent(intent));
        for fill in of_order(&fills, name, Some(number)) {
            let mut message = messages::Fill::default();
            record::fill(&mut message, &symbol, &fill);
            past.take_in(2, NOW, &Entry::Fill(message));
        }
        let order = past.order(name.as_str()).expect("written down");
        let its: Vec<&str> = order.fills.iter().map(|fill| fill.order_id.as_str()).collect();
        assert_eq!(its, ["77"]);
    }
}
