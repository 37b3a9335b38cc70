//! Questions put to an exchange, over the wire and on the clock.

use super::{Audit, Explained, Inquiry, Search, Sought, Told, Turn};
use cex_core::Timestamp;
use cex_errors::{ErrorKind, ExchangeError};
use cex_interface::{Reply, Request, TimeRange};
use cex_transport::{Lists, Rest};
use std::time::Duration;

/// Who asks question by question, until something is known.
pub(super) trait Asks {
    /// What becomes known.
    type Told;
    fn turn(&mut self, now: Timestamp) -> Turn<Self::Told>;
    fn answered(&mut self, now: Timestamp, answer: Result<Reply, ExchangeError>);
}

impl Asks for Inquiry {
    type Told = Told;

    fn turn(&mut self, now: Timestamp) -> Turn {
        Self::turn(self, now)
    }

    fn answered(&mut self, now: Timestamp, answer: Result<Reply, ExchangeError>) {
        Self::answered(self, now, answer);
    }
}

impl Asks for Search {
    type Told = Sought;

    fn turn(&mut self, now: Timestamp) -> Turn<Sought> {
        Self::turn(self, now)
    }

    fn answered(&mut self, now: Timestamp, answer: Result<Reply, ExchangeError>) {
        Self::answered(self, now, answer);
    }
}

impl Asks for Audit {
    type Told = Explained;

    fn turn(&mut self, now: Timestamp) -> Turn<Explained> {
        Self::turn(self, now)
    }

    fn answered(&mut self, now: Timestamp, answer: Result<Reply, ExchangeError>) {
        Self::answered(self, now, answer);
    }
}

/// Asks until it is known.
pub(super) async fn ask<A: Asks>(rest: &Rest, asks: A) -> A::Told {
    ask_later(rest, asks, Duration::ZERO).await
}

/// As [`ask`], the first question so much later than it could be.
pub(super) async fn ask_later<A: Asks>(rest: &Rest, mut asks: A, later: Duration) -> A::Told {
    let mut later = Some(later).filter(|later| !later.is_zero());
    loop {
        match asks.turn(rest.clock().now()) {
            Turn::Ask(_) | Turn::List(_) if later.is_some() => {
                tokio::time::sleep(later.take().unwrap_or_default()).await;
            }
            Turn::Ask(request) => {
                let answer = rest.call(&request).await;
                asks.answered(rest.clock().now(), answer);
            }
            Turn::List(request) => {
                let answer = list(rest, request).await;
                asks.answered(rest.clock().now(), answer);
            }
            Turn::Wait(until) => tokio::time::sleep(until.since(rest.clock().now())).await,
            Turn::Done(told) => return told,
        }
    }
}

/// A list, whole: in as many calls as it takes, and an error when some of it could not be read.
async fn list(rest: &Rest, request: Request) -> Result<Reply, ExchangeError> {
    let lists = Lists::of(rest);
    let op = request.op();
    let (reply, unreadable) = match request {
        Request::OpenOrders { symbol: Some(symbol) } => {
            let open = lists.open_orders_of(symbol).await?;
            (Reply::Orders(open.rows), open.unreadable)
        }
        Request::MyTrades { symbol, order, range: TimeRange { from: Some(from), to: Some(to) }, .. } => {
            let fills = match order {
                None => lists.fills(symbol, from, to).await?,
                Some(order) => lists.fills_of_order(symbol, order, from, to).await?,
            };
            (Reply::Fills(fills.rows), fills.unreadable)
        }
        other => return rest.call(&other).await,
    };
    if unreadable > 0 {
        let kind = ErrorKind::Undecodable("rows of a list that cannot be read");
        return Err(ExchangeError::new(rest.venue(), op, kind));
    }
    Ok(reply)
}
