//! A moment that holds more fills than an answer shows: one order that swept a deep book, or many at once.
//!
//! A span that cannot be halved is first asked for with as many rows as the exchange may perhaps give. If it gives no more,
//! the fills are asked for order by order, since each of those lists is shorter.

use super::Lists;
use cex_core::{Fill, Order, OrderId, SymbolId, Timestamp};
use cex_errors::{ErrorKind, ExchangeError, Op, Outcome};
use cex_interface::{Listing, Request, TimeRange};
use std::collections::BTreeSet;
use std::time::Duration;

/// The time of an order's last change may be told a little earlier than its last fill's.
const ORDER_TIME_SLACK: Duration = Duration::from_secs(5);

/// How close to the end of what is kept orders are still asked for: the exchange's clock is not quite ours.
const KEPT_MARGIN: Duration = Duration::from_secs(60);

impl Lists<'_> {
    /// All fills of a span that one answer does not show whole.
    ///
    /// # Errors
    /// [`ErrorKind::AboveMaximum`] where one order alone has more fills in it than an answer shows, or orders of that time
    /// are no longer listed.
    pub(super) async fn fills_of_a_moment(
        &self,
        symbol: SymbolId,
        range: TimeRange,
    ) -> Result<Listing<Fill>, ExchangeError> {
        let shown = self.most_fills(symbol, None, range).await?;
        if self.is_whole(&shown) {
            return Ok(shown);
        }
        let mut orders: BTreeSet<OrderId> = shown.iter().map(|fill| fill.order_id).collect();
        orders.extend(self.orders_of_a_moment(symbol, range).await?);
        // An order from before what is listed may have been filled in that moment too, unseen.
        let may_miss = usize::from(self.capabilities().orders_page.kept.is_some());
        let mut all = Listing { rows: Vec::new(), unreadable: may_miss };
        for order in orders {
            let fills = self.fills_of_order_in_a_moment(symbol, Some(order), range).await?;
            all.unreadable += fills.unreadable;
            all.rows.extend(fills);
        }
        Ok(all)
    }

    /// All fills of one order in a span that cannot be halved.
    ///
    /// # Errors
    /// [`ErrorKind::AboveMaximum`] where there are more than the exchange shows.
    pub(super) async fn fills_of_order_in_a_moment(
        &self,
        symbol: SymbolId,
        order: Option<OrderId>,
        range: TimeRange,
    ) -> Result<Listing<Fill>, ExchangeError> {
        let fills = self.most_fills(symbol, order, range).await?;
        if self.is_whole(&fills) { Ok(fills) } else { Err(self.error(Op::MyTrades, ErrorKind::AboveMaximum)) }
    }

    /// As many fills as the exchange perhaps gives; as many as it surely gives where it refuses to be asked for more.
    async fn most_fills(
        &self,
        symbol: SymbolId,
        order: Option<OrderId>,
        range: TimeRange,
    ) -> Result<Listing<Fill>, ExchangeError> {
        let rule = self.capabilities().fills_page;
        let ask = |limit| self.some_fills(Request::MyTrades { symbol, order, range, limit });
        match ask(rule.rows_perhaps).await {
            Err(error) if error.outcome() == Outcome::Refused && rule.rows_perhaps > rule.rows => {
                ask(rule.rows).await
            }
            answer => answer,
        }
    }

    /// Whether an answer to [`Self::most_fills`] shows all there is: it is full neither by what is known nor by what was
    /// asked for.
    fn is_whole(&self, fills: &Listing<Fill>) -> bool {
        let rule = self.capabilities().fills_page;
        let count = fills.len() + fills.unreadable;
        count != rule.rows as usize && count < rule.rows_perhaps as usize
    }

    /// The orders that may have been filled in a span.
    async fn orders_of_a_moment(
        &self,
        symbol: SymbolId,
        range: TimeRange,
    ) -> Result<Vec<OrderId>, ExchangeError> {
        let now = self.now();
        let (from, to) = (range.from.unwrap_or(Timestamp::EPOCH), range.to.unwrap_or(now));
        let begin = match self.capabilities().orders_page.kept {
            Some(kept) if from < now - kept + KEPT_MARGIN => {
                return Err(self.error(Op::MyTrades, ErrorKind::AboveMaximum));
            }
            Some(kept) => now - kept + KEPT_MARGIN,
            // Listed by the time they ended: what ended later may have been filled then as well.
            None => from,
        };
        let ended = self.order_history(symbol, begin, now).await?;
        let open = self.open_orders_of(symbol).await?;
        if ended.unreadable + open.unreadable > 0 {
            let kind = ErrorKind::Undecodable("a list of orders with rows that cannot be read");
            return Err(self.error(Op::MyTrades, kind));
        }
        let was_there = |order: &Order| {
            let ended_before = order.status.is_terminal()
                && order.as_of > Timestamp::EPOCH
                && order.as_of + ORDER_TIME_SLACK < from;
            !ended_before && order.created_at <= to + ORDER_TIME_SLACK
        };
        let orders = ended.into_iter().chain(open).filter(was_there);
        Ok(orders.filter_map(|order| order.order_id).collect())
    }
}
