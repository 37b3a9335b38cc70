//! What an earlier run left undecided, from its journal and the exchanges: the same way after a crash and after none.
//!
//! Every order that was written down and not seen to its end is asked for; fills that nobody heard of are booked into the
//! journal. What the fills of a symbol do not even out stands at an exchange and is told: nothing is opened until an
//! operator has looked.

use super::record::Recorder;
use super::venue::Venue;
use crate::exit::{Exit, Failure};
use cex_core::{ClientOrderId, Decimal, Fill, NumError, OrderId, Symbol, SymbolId, Timestamp, VenueId};
use cex_errors::ErrorKind;
use cex_interface::{OrderRef, Reply, Request, TimeRange};
use cex_journal::messages::{self, Side, Status};
use cex_journal::{Entry, JournalError, Reader};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

/// How much later than it expired an order may still turn up in an exchange's answers.
const VENUE_LAG: Duration = Duration::from_secs(10);
/// Two answers that an order is not known are this far apart before they are believed.
const APART: Duration = Duration::from_secs(2);
/// Questions about one order before an operator must look.
const QUESTIONS: usize = 40;
/// Fills asked for at once of one order: more than an order of ours can have.
const FILLS: u32 = 100;

/// What a journal says of the orders of runs that did not end level.
#[derive(Debug, Default)]
pub struct Unfinished {
    orders: BTreeMap<String, Open>,
    /// Fills known, and whose: venue, order, trade.
    fills: BTreeSet<(String, String, String)>,
    /// Bought less sold since all was last level, by symbol.
    net: BTreeMap<String, Decimal>,
}

/// An order that was written down.
#[derive(Debug, Clone)]
struct Open {
    venue: String,
    symbol: String,
    order_id: String,
    /// When the exchange no longer takes it, by our clock.
    dead_at: Timestamp,
    booked: Decimal,
    /// How much it filled, once it is over.
    ended_with: Option<Decimal>,
    /// An operator has looked since: it is asked for, and no longer in the way.
    acknowledged: bool,
}

impl Unfinished {
    /// Reads a journal from its beginning.
    ///
    /// # Errors
    /// When it cannot be read, or holds what no program of ours writes.
    pub fn read(path: &Path) -> Result<Self, JournalError> {
        let mut unfinished = Self::default();
        let mut reader = Reader::of_directory(path, 0)?;
        while let Some(record) = reader.next_record()? {
            // A record of a kind this version does not know moves nothing it knows.
            if let Ok(entry) = record.entry() {
                // A number that is no number was not written by us; the order it belongs to is asked for.
                let _ = unfinished.take_in(record.at, &entry);
            }
        }
        Ok(unfinished)
    }

    fn take_in(&mut self, at: Timestamp, entry: &Entry) -> Result<(), NumError> {
        match entry {
            Entry::Intent(intent) => intent.legs.iter().for_each(|leg| self.intend(at, &intent.symbol, leg)),
            Entry::OrderEvent(event) => self.hear(event)?,
            Entry::Fill(fill) => self.book(fill)?,
            Entry::SessionEnd(end) if end.orders_left == 0 => *self = Self::default(),
            Entry::OperatorAck(_) => {
                self.net.clear();
                self.orders.values_mut().for_each(|open| open.acknowledged = true);
            }
            _other => {}
        }
        Ok(())
    }

    fn intend(&mut self, at: Timestamp, symbol: &str, leg: &messages::Leg) {
        let open = Open {
            venue: leg.venue.clone(),
            symbol: symbol.to_owned(),
            order_id: String::new(),
            dead_at: at + Duration::from_nanos(leg.expires_in_ns) + VENUE_LAG,
            booked: Decimal::ZERO,
            ended_with: None,
            acknowledged: false,
        };
        self.orders.insert(leg.client_id.clone(), open);
    }

    fn hear(&mut self, event: &messages::OrderEvent) -> Result<(), NumError> {
        let Some(open) = self.orders.get_mut(&event.client_id) else { return Ok(()) };
        open.order_id.clone_from(&event.order_id);
        match event.status() {
            Status::Filled | Status::Canceled | Status::Rejected | Status::Expired => {
                open.ended_with = Some(event.filled_qty.parse()?);
            }
            Status::Unspecified
            | Status::PendingNew
            | Status::New
            | Status::PartiallyFilled
            | Status::PendingCancel
            | Status::Unknown => {}
        }
        Ok(())
    }

    fn book(&mut self, fill: &messages::Fill) -> Result<(), NumError> {
        let key = (fill.venue.clone(), fill.order_id.clone(), fill.trade_id.clone());
        if !self.fills.insert(key) {
            return Ok(());
        }
        let qty: Decimal = fill.qty.parse()?;
        let named = self.orders.iter_mut().find(|(client_id, open)| {
            **client_id == fill.client_id || (open.venue == fill.venue && open.order_id == fill.order_id)
        });
        let Some((_, open)) = named else { return Ok(()) };
        open.booked = open.booked.checked_add(qty)?;
        let net = self.net.entry(fill.symbol.clone()).or_default();
        *net = match fill.side() {
            Side::Buy | Side::Unspecified => net.checked_add(qty)?,
            Side::Sell => net.checked_sub(qty)?,
        };
        Ok(())
    }

    /// Orders whose end, or whose fills, are not known.
    fn open(&self) -> impl Iterator<Item = (&String, &Open)> {
        self.orders.iter().filter(|(_, open)| open.ended_with != Some(open.booked))
    }

    /// How many orders are not known to their end.
    #[must_use]
    pub fn count(&self) -> u32 {
        u32::try_from(self.open().count()).unwrap_or(u32::MAX)
    }

    /// Asks the exchanges for every order that is not known to its end, and books what they tell.
    ///
    /// # Errors
    /// What an operator must look at.
    pub async fn settle(&mut self, venues: &[Venue], recorder: &mut Recorder) -> Result<(), Failure> {
        let open: Vec<(String, Open)> =
            self.open().map(|(client_id, open)| (client_id.clone(), open.clone())).collect();
        if !open.is_empty() {
            tracing::warn!(orders = open.len(), "orders of an earlier run are asked for");
        }
        for (client_id, order) in open {
            match self.settle_one(&client_id, &order, venues, recorder).await {
                Err(failure) if order.acknowledged => {
                    tracing::warn!(%failure, "an operator has looked at it");
                }
                settled => settled?,
            }
        }
        recorder.flush();
        self.judge()
    }

    /// What does not even out stands at an exchange.
    fn judge(&self) -> Result<(), Failure> {
        let uneven: Vec<String> = self
            .net
            .iter()
            .filter(|(_, net)| !net.is_zero())
            .map(|(symbol, net)| {
                let what = if net.is_negative() { "sold and not bought" } else { "bought and not sold" };
                format!("{symbol}: {} {what}", net.abs().unwrap_or(*net))
            })
            .collect();
        if uneven.is_empty() {
            return Ok(());
        }
        let what = format!("an earlier run left open: {}", uneven.join("; "));
        Err(Failure::new(Exit::Residual, what, "even it out at the exchanges, then: arb resume"))
    }

    async fn settle_one(
        &mut self,
        client_id: &str,
        order: &Open,
        venues: &[Venue],
        recorder: &mut Recorder,
    ) -> Result<(), Failure> {
        let lost = |why: &str| {
            let what = format!("order {client_id} at {} of an earlier run: {why}", order.venue);
            Failure::new(Exit::Residual, what, "look for it at the exchange, then: arb resume")
        };
        let venue = venues.iter().find(|venue| venue.id.name() == order.venue);
        let venue = venue.ok_or_else(|| lost("its exchange is not configured any more"))?;
        let symbol = order.symbol.parse::<Symbol>().ok();
        let market = symbol.and_then(|symbol| venue.rest.markets().by_symbol(symbol).map(|market| market.id));
        let market = market.ok_or_else(|| lost("its symbol is not traded any more"))?;
        let id = ClientOrderId::new(client_id).ok_or_else(|| lost("its name is none of ours"))?;
        match ask(venue, market, id, order.dead_at).await.map_err(|why| lost(&why))? {
            None => tracing::info!(order = client_id, "never arrived"),
            Some((order_id, told)) => {
                let now = venue.rest.clock().now();
                recorder.order(now, &told);
                let fills = fills(venue, market, order_id).await.map_err(|why| lost(&why))?;
                for fill in &fills {
                    self.tell(client_id, venue.id, fill, now, recorder)
                        .map_err(|_| lost("a fill does not fit"))?;
                }
                let booked = fills.iter().try_fold(Decimal::ZERO, |sum, fill| sum.checked_add(fill.qty));
                if booked != Ok(told.filled_qty) {
                    return Err(lost("its fills do not add up to what it filled"));
                }
            }
        }
        Ok(())
    }

    /// Records a fill the journal does not have, and books it.
    fn tell(
        &mut self,
        client_id: &str,
        venue: VenueId,
        fill: &Fill,
        now: Timestamp,
        recorder: &mut Recorder,
    ) -> Result<(), NumError> {
        let key = (venue.to_string(), fill.order_id.to_string(), fill.trade_id.to_string());
        if self.fills.contains(&key) {
            return Ok(());
        }
        tracing::warn!(order = client_id, trade = %fill.trade_id, "a fill nobody heard of is booked");
        recorder.fill(now, &Fill { client_id: ClientOrderId::new(client_id), ..*fill });
        let message = messages::Fill {
            venue: key.0,
            order_id: key.1,
            trade_id: key.2,
            client_id: client_id.to_owned(),
            symbol: self.orders.get(client_id).map(|open| open.symbol.clone()).unwrap_or_default(),
            side: match fill.side {
                cex_core::Side::Buy => Side::Buy,
                cex_core::Side::Sell => Side::Sell,
            }
            .into(),
            qty: fill.qty.to_string(),
            ..messages::Fill::default()
        };
        self.book(&message)
    }
}

/// What became of an order: `None` when it never arrived, which is believed of two answers apart, both given when it could
/// not arrive any more.
async fn ask(
    venue: &Venue,
    symbol: SymbolId,
    id: ClientOrderId,
    dead_at: Timestamp,
) -> Result<Option<(OrderId, cex_core::Order)>, String> {
    let mut absent_since = None;
    let mut last = String::from("it is still open");
    for _ in 0..QUESTIONS {
        let asked_at = venue.rest.clock().now();
        match venue.rest.call(&Request::Order { symbol, order: OrderRef::Client(id) }).await {
            Ok(Reply::Order(order)) if order.status.is_terminal() => {
                let order_id = order.order_id.ok_or("the exchange does not say its number")?;
                return Ok(Some((order_id, order)));
            }
            // Nothing of ours rests on purpose.
            Ok(Reply::Order(_)) => {
                let cancel = Request::Cancel { symbol, order: OrderRef::Client(id) };
                if let Err(error) = venue.rest.call(&cancel).await {
                    last = error.to_string();
                }
            }
            Ok(other) => return Err(format!("the exchange answered {other:?}")),
            Err(error) if error.kind == ErrorKind::OrderNotFound => {
                if asked_at > dead_at {
                    let first = *absent_since.get_or_insert(asked_at);
                    if asked_at.since(first) >= APART {
                        return Ok(None);
                    }
                }
            }
            Err(error) => last = error.to_string(),
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    Err(last)
}

async fn fills(venue: &Venue, symbol: SymbolId, order: OrderId) -> Result<Vec<Fill>, String> {
    let request = Request::MyTrades { symbol, order: Some(order), range: TimeRange::default(), limit: FILLS };
    match venue.rest.call(&request).await {
        Ok(Reply::Fills(fills)) => Ok(fills),
        Ok(_) => Err("its fills could not be read".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intent(symbol: &str, ids: [&str; 2]) -> Entry {
        let leg = |venue: &str, client_id: &str| messages::Leg {
            venue: venue.to_owned(),
            client_id: client_id.to_owned(),
            ..messages::Leg::default()
        };
        Entry::Intent(messages::Intent {
            symbol: symbol.to_owned(),
            legs: vec![leg("mexc", ids[0]), leg("gateio", ids[1])],
            ..messages::Intent::default()
        })
    }

    fn fill(client_id: &str, venue: &str, trade: &str, side: Side, qty: &str) -> Entry {
        Entry::Fill(messages::Fill {
            venue: venue.to_owned(),
            symbol: "BTC/USDT".to_owned(),
            trade_id: trade.to_owned(),
            order_id: format!("o-{client_id}"),
            client_id: client_id.to_owned(),
            side: side.into(),
            qty: qty.to_owned(),
            ..messages::Fill::default()
        })
    }

    fn ended(client_id: &str, filled: &str) -> Entry {
        Entry::OrderEvent(messages::OrderEvent {
            client_id: client_id.to_owned(),
            order_id: format!("o-{client_id}"),
            status: Status::Filled.into(),
            filled_qty: filled.to_owned(),
            ..messages::OrderEvent::default()
        })
    }

    fn read(entries: &[Entry]) -> Unfinished {
        let mut unfinished = Unfinished::default();
        for entry in entries {
            unfinished.take_in(Timestamp::from_secs(1_000), entry).expect("numbers");
        }
        unfinished
    }

    fn open(unfinished: &Unfinished) -> Vec<&str> {
        unfinished.open().map(|(client_id, _)| client_id.as_str()).collect()
    }

    #[test]
    fn an_order_is_over_when_its_end_and_all_its_fills_are_there() {
        let mut entries = vec![intent("BTC/USDT", ["b", "s"])];
        assert_eq!(open(&read(&entries)), ["b", "s"], "nothing was heard of either");
        entries.push(ended("b", "2"));
        assert_eq!(open(&read(&entries)), ["b", "s"], "its fills are missing");
        entries.push(fill("b", "mexc", "1", Side::Buy, "1"));
        entries.push(fill("b", "mexc", "1", Side::Buy, "1"));
        assert_eq!(open(&read(&entries)), ["b", "s"], "told twice is once");
        entries.push(fill("b", "mexc", "2", Side::Buy, "1"));
        assert_eq!(open(&read(&entries)), ["s"]);
        let failure = read(&entries).judge().expect_err("two were bought and not sold");
        assert_eq!(failure.exit, Exit::Residual);
        assert!(failure.what.contains("BTC/USDT: 2 bought and not sold"), "{failure}");
        entries.extend([ended("s", "2"), fill("s", "gateio", "1", Side::Sell, "2")]);
        assert_eq!(open(&read(&entries)), Vec::<&str>::new());
        assert_eq!(read(&entries).judge(), Ok(()));
    }

    #[test]
    fn an_orderly_end_begins_anew_and_an_operator_settles_what_stood_open() {
        let undecided = vec![intent("BTC/USDT", ["b", "s"]), fill("b", "mexc", "1", Side::Buy, "1")];
        let end = |left| Entry::SessionEnd(messages::SessionEnd { orders_left: left, ..Default::default() });
        for (last, open_then) in [(end(0), 0), (end(1), 2)] {
            let unfinished = read(&[undecided.clone(), vec![last.clone()]].concat());
            assert_eq!(open(&unfinished).len(), open_then, "{last:?}");
            assert_eq!(unfinished.judge().is_ok(), open_then == 0);
        }
        let looked = read(&[undecided, vec![Entry::OperatorAck(messages::OperatorAck::default())]].concat());
        assert_eq!(looked.judge(), Ok(()), "what stood open is the operator's business now");
        assert_eq!(looked.count(), 2, "the orders are still asked for: their fills belong into the journal");
        assert!(looked.orders.values().all(|open| open.acknowledged));
    }
}
