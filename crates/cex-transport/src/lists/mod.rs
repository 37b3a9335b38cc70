//! Lists, whole or not at all: of more rows than one answer holds, or of more symbols than one call names.
//!
//! | module | what |
//! |---|---|
//! | `pages`, `moment` | lists longer than one answer; a moment that holds more fills than one |

mod moment;
mod pages;

use self::pages::{Answered, Pages};
use crate::rate::Urgency;
use crate::rest::Rest;
use cex_core::{Fill, Order, OrderId, SymbolId, Timestamp};
use cex_errors::{ErrorKind, ExchangeError, Op};
use cex_interface::{Capabilities, Listing, PageRule, Reply, Request, TimeRange};
use std::collections::BTreeMap;

/// Reads lists over the request interface of a venue, in as many calls as it takes.
#[derive(Clone, Copy)]
pub struct Lists<'a> {
    rest: &'a Rest,
    urgency: Urgency,
}

impl<'a> Lists<'a> {
    /// Of this venue, for somebody who can wait: each call waits for its budget, and leaves the reserve alone.
    #[must_use]
    pub const fn of(rest: &'a Rest) -> Self {
        Self { rest, urgency: Urgency::CanWait }
    }

    /// For somebody who trades on the answer, as who looks for a lost order: the calls may use the budgets' reserve, and
    /// fail at once where nothing is left of it.
    #[must_use]
    pub const fn urgent(self) -> Self {
        Self { urgency: Urgency::Normal, ..self }
    }

    /// Open orders of all markets registered. Where the exchange lists them of named symbols only, which is found out by
    /// asking, they are asked for by as many symbols as one call takes.
    ///
    /// # Errors
    /// What the calls fail with.
    pub async fn open_orders(&self) -> Result<Listing<Order>, ExchangeError> {
        let mut all = Listing { rows: Vec::new(), unreadable: 0 };
        let mut parts = self.open_orders_in_parts();
        while let Some(part) = parts.next().await? {
            all.unreadable += part.unreadable;
            all.rows.extend(part);
        }
        Ok(all)
    }

    /// As [`Self::open_orders`], answer by answer: with many symbols the last one may come a minute after the first.
    #[must_use]
    pub fn open_orders_in_parts(&self) -> OpenOrders<'a> {
        OpenOrders { lists: *self, left: Left::All(self.rest.wants_symbols()) }
    }

    /// Open orders of one symbol.
    ///
    /// # Errors
    /// What the call fails with.
    pub async fn open_orders_of(&self, symbol: SymbolId) -> Result<Listing<Order>, ExchangeError> {
        self.orders(Request::OpenOrders { symbol: Some(symbol) }).await
    }

    /// All orders of a span of any length; in no particular order.
    ///
    /// # Errors
    /// Where the exchange no longer has the span, or cannot be made to show all of it.
    pub async fn order_history(
        &self,
        symbol: SymbolId,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Listing<Order>, ExchangeError> {
        let rule = self.capabilities().orders_page;
        let ask = |range| self.orders(Request::OrderHistory { symbol, range, limit: rule.rows });
        let key = |order: &Order| (order.order_id, order.client_id);
        let dense = |_| async { Err(self.error(Op::OrderHistory, ErrorKind::AboveMaximum)) };
        self.all_of(Op::OrderHistory, rule, (from, to), ask, dense, key).await
    }

    /// All our fills of a span of any length, oldest first. A moment that holds more fills than an answer is asked for order
    /// by order.
    ///
    /// # Errors
    /// As [`Self::order_history`].
    pub async fn fills(
        &self,
        symbol: SymbolId,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Listing<Fill>, ExchangeError> {
        let rule = self.capabilities().fills_page;
        let ask = |range| self.some_fills(Request::MyTrades { symbol, order: None, range, limit: rule.rows });
        let dense = |range| self.fills_of_a_moment(symbol, range);
        let mut all = self.all_of(Op::MyTrades, rule, (from, to), ask, dense, Fill::key).await?;
        all.rows.retain(|fill| fill.exchange_ts >= from && fill.exchange_ts <= to);
        all.rows.sort_by_key(|fill| fill.exchange_ts);
        Ok(all)
    }

    /// All fills of one order, however many, oldest first; `from` to `to` is when they may have happened. An exchange that does
    /// not know the order any more, and says so, is asked for all fills of that time, of which the order's are told.
    ///
    /// # Errors
    /// Where one moment alone holds more of them than the exchange can be made to show: fewer are never told as all.
    pub async fn fills_of_order(
        &self,
        symbol: SymbolId,
        order: OrderId,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Listing<Fill>, ExchangeError> {
        let rule = self.capabilities().fills_page;
        let named = Some(order);
        let ask =
            |range| self.some_fills(Request::MyTrades { symbol, order: named, range, limit: rule.rows });
        let dense = |range| self.fills_of_order_in_a_moment(symbol, named, range);
        match self.all_of(Op::MyTrades, rule, (from, to), ask, dense, Fill::key).await {
            Ok(mut all) => {
                all.rows.sort_by_key(|fill| fill.exchange_ts);
                Ok(all)
            }
            Err(error) if error.kind == ErrorKind::OrderNotFound => {
                let mut all = self.fills(symbol, from, to).await?;
                all.rows.retain(|fill| fill.order_id == order);
                Ok(all)
            }
            Err(error) => Err(error),
        }
    }

    /// The orders one call answers.
    pub(crate) async fn orders(&self, request: Request) -> Result<Listing<Order>, ExchangeError> {
        let (read, unreadable) = split(self.rest.call_stamped(&request, self.urgency).await.result?);
        match read {
            Reply::Orders(rows) => Ok(Listing { rows, unreadable }),
            _another => Err(self.of_another(&request)),
        }
    }

    /// The fills one call answers.
    pub(crate) async fn some_fills(&self, request: Request) -> Result<Listing<Fill>, ExchangeError> {
        let (read, unreadable) = split(self.rest.call_stamped(&request, self.urgency).await.result?);
        match read {
            Reply::Fills(rows) => Ok(Listing { rows, unreadable }),
            _another => Err(self.of_another(&request)),
        }
    }

    fn of_another(&self, request: &Request) -> ExchangeError {
        self.error(request.op(), ErrorKind::Undecodable("the answer to another call"))
    }

    fn error(&self, op: Op, kind: ErrorKind) -> ExchangeError {
        ExchangeError::new(self.rest.venue(), op, kind)
    }

    fn capabilities(&self) -> &Capabilities {
        self.rest.capabilities()
    }

    fn now(&self) -> Timestamp {
        self.rest.clock().now()
    }

    /// Everything of a span, each row once by `key`. `dense` is asked about a moment that holds more than an answer.
    async fn all_of<T, K: Ord, F, D>(
        &self,
        op: Op,
        rule: PageRule,
        (from, to): (Timestamp, Timestamp),
        ask: impl Fn(TimeRange) -> F,
        dense: impl Fn(TimeRange) -> D,
        key: impl Fn(&T) -> K,
    ) -> Result<Listing<T>, ExchangeError>
    where
        F: Future<Output = Result<Listing<T>, ExchangeError>>,
        D: Future<Output = Result<Listing<T>, ExchangeError>>,
    {
        let fail = |kind| self.error(op, kind);
        let mut pages = Pages::new(rule, from, to, self.now()).map_err(fail)?;
        let (mut rows, mut unreadable) = (BTreeMap::new(), 0);
        while let Some(page) = pages.next().map_err(fail)? {
            let answer = ask(page.range).await?;
            let answer = match pages.answered(&page, answer.len() + answer.unreadable) {
                Answered::Whole => answer,
                Answered::Halved => continue,
                Answered::Dense => dense(page.range).await?,
            };
            unreadable += answer.unreadable;
            rows.extend(answer.into_iter().map(|row| (key(&row), row)));
        }
        Ok(Listing { rows: rows.into_values().collect(), unreadable })
    }
}

/// Open orders of all markets registered, by [`Lists::open_orders_in_parts`].
pub struct OpenOrders<'a> {
    lists: Lists<'a>,
    left: Left,
}

/// What is not asked for yet.
enum Left {
    /// Everything, and whether that is known to be asked for by symbol.
    All(bool),
    Named(Named),
    Nothing,
}

/// Calls that name their symbols.
struct Named {
    /// By these symbols, the last ones first.
    calls: Vec<Vec<SymbolId>>,
    /// Whether it is news that symbols must be named.
    is_news: bool,
    /// Whether one was answered with a list.
    is_answered: bool,
    /// Why there was none of a symbol.
    unlisted: Option<ExchangeError>,
}

impl OpenOrders<'_> {
    /// Whether there is more to ask for.
    #[must_use]
    pub fn has_more(&self) -> bool {
        match &self.left {
            Left::All(_) => true,
            Left::Named(named) => !named.calls.is_empty(),
            Left::Nothing => false,
        }
    }

    /// The next answer; `None` when there was all.
    ///
    /// # Errors
    /// What the call fails with: then there is nothing more.
    pub async fn next(&mut self) -> Result<Option<Listing<Order>>, ExchangeError> {
        let Lists { rest, .. } = self.lists;
        if let Left::All(by_symbol) = self.left {
            self.left = Left::Nothing;
            let mut is_news = false;
            if !by_symbol {
                match self.lists.orders(Request::OpenOrders { symbol: None }).await {
                    // A code nobody knows may have been trouble of the moment, and is no reason to ask more for good.
                    Err(error) if may_want_symbols(&error.kind) => {
                        is_news = error.kind != ErrorKind::Unmapped;
                    }
                    answer => return answer.map(Some),
                }
            }
            let symbols: Vec<SymbolId> = rest.markets().iter().map(|market| market.id).collect();
            let at_once = rest.capabilities().open_orders_of.unwrap_or(1).max(1);
            let calls = symbols.chunks(at_once).rev().map(<[_]>::to_vec).collect();
            self.left = Left::Named(Named { calls, is_news, is_answered: false, unlisted: None });
        }
        let Left::Named(named) = &mut self.left else { return Ok(None) };
        let Some(symbols) = named.calls.pop() else {
            // Where every symbol is unlisted, it is the question that is wrong.
            let nothing = named.unlisted.take().filter(|_| !named.is_answered).map_or(Ok(None), Err);
            if named.is_news {
                rest.note_wants_symbols();
            }
            self.left = Left::Nothing;
            return nothing;
        };
        match self.lists.orders(open_orders_of(&symbols)).await {
            Ok(listing) => {
                named.is_answered = true;
                Ok(Some(listing))
            }
            // One that the exchange lists no longer can have no open orders, and must not hide those of all others.
            Err(error) if error.kind == ErrorKind::InvalidSymbol => {
                if symbols.len() > 1 {
                    named.calls.extend(symbols.into_iter().rev().map(|symbol| vec![symbol]));
                } else {
                    tracing::warn!(venue = %rest.venue(), ?symbols, %error, "its open orders: there is no such symbol");
                    named.unlisted = Some(error);
                }
                Ok(Some(Listing { rows: Vec::new(), unreadable: 0 }))
            }
            Err(error) => {
                self.left = Left::Nothing;
                Err(error)
            }
        }
    }
}

fn open_orders_of(symbols: &[SymbolId]) -> Request {
    match symbols {
        [symbol] => Request::OpenOrders { symbol: Some(*symbol) },
        several => Request::OpenOrdersOf(several.to_vec()),
    }
}

/// Whether a refusal to list everything at once may be for want of a symbol: by the adapter, or by the exchange as a call that
/// lacks something, has a wrong symbol, or something it has a word of its own for.
const fn may_want_symbols(kind: &ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Unsupported | ErrorKind::InvalidRequest | ErrorKind::InvalidSymbol | ErrorKind::Unmapped
    )
}

/// A list and how many rows of it could not be read.
fn split(reply: Reply) -> (Reply, usize) {
    match reply {
        Reply::Incomplete(incomplete) => (incomplete.read, incomplete.unreadable.len()),
        whole => (whole, 0),
    }
}
