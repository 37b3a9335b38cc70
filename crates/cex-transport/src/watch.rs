//! Asking where a stream cannot tell: what became of an order, and whether balances are what they should be.
//!
//! Over any [`PrivateExchange`]. Whoever trades with an engine has these rules there; this is for who uses an adapter alone.
//!
//! A placement whose outcome is unknown is followed by [`watch_order_to_end`]:
//!
//! | the exchange | means |
//! |---|---|
//! | finds it, ended, and its fills sum up to what it says | [`OrderEnd::Ended`] |
//! | does not find it | nothing, since exchanges find orders late and forget them early |
//! | finds neither it, nor an open order, nor a fill of it, twice, both times when it could no longer arrive | [`OrderEnd::Absent`], unless it was ever confirmed |
//! | none of these until patience ends | [`OrderEnd::Undecided`]: whoever asked keeps counting on both |
//!
//! Nothing here places or cancels anything.

use cex_core::{Asset, Decimal, Fill, Order, OrderId, OrderRequest};
use cex_errors::{ErrorKind, ExchangeError, Op, Outcome, Retry};
use cex_interface::{OrderRef, PrivateExchange};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// The clocks of an exchange and ours may differ by so much where spans of time are asked for.
const CLOCK_SLACK: Duration = Duration::from_secs(30);

/// Orders asked for because a fill does not say whose it is; with more of them nothing is proven.
const NAMELESS_MAX: usize = 8;

/// How often and how long is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Polling {
    /// The first pause; each next one is twice as long.
    pub pause_min: Duration,
    /// No pause is longer.
    pub pause_max: Duration,
    /// How much later than its expiry an order may still turn up in the exchange's answers.
    pub venue_lag: Duration,
    /// The least time between two answers that prove something only together.
    pub apart: Duration,
    /// How long to go on asking without a result before giving up.
    pub patience: Duration,
}

impl Default for Polling {
    /// 0.2 to 5 s between questions, 10 s of lag, 2 s apart, two minutes in all.
    fn default() -> Self {
        Self {
            pause_min: Duration::from_millis(200),
            pause_max: Duration::from_secs(5),
            venue_lag: Duration::from_secs(10),
            apart: Duration::from_secs(2),
            patience: Duration::from_secs(120),
        }
    }
}

/// What became of an order.
#[derive(Debug, Clone, PartialEq)]
pub enum OrderEnd {
    /// It ended like this, and these are all its fills.
    Ended {
        /// The order's final state, as the exchange tells it.
        order: Order,
        /// Oldest first; their quantities sum up to the order's.
        fills: Vec<Fill>,
    },
    /// It never arrived, and can no longer do so.
    Absent,
    /// It may be open, or ended, or absent.
    Undecided {
        /// The furthest state told, if any.
        last: Option<Order>,
        /// Fills known to be its own; there may be more.
        fills: Vec<Fill>,
        /// Why the last question had no answer, where it had none.
        error: Option<ExchangeError>,
    },
}

/// What is known of an order that is being followed.
struct Followed<'a, E> {
    exchange: &'a E,
    order: &'a OrderRequest,
    order_id: Option<OrderId>,
    /// When following began, a moment after it was sent.
    began: Instant,
    last: Option<Order>,
    fills: Vec<Fill>,
    error: Option<ExchangeError>,
    /// When it was first missed with proof.
    missed_at: Option<Instant>,
}

/// Follows an order to its end by asking for it, as long as `polling` says.
///
/// Call it right after the placement returned, whatever it returned; `order_id` is what a successful one told. The order's
/// `expires_in` counts from then, which is later than the exchange counts.
///
/// An order that rests is followed until it ends by itself or somebody cancels it.
pub async fn watch_order_to_end<E: PrivateExchange>(
    exchange: &E,
    order: &OrderRequest,
    order_id: Option<OrderId>,
    polling: &Polling,
) -> OrderEnd {
    let began = Instant::now();
    let gone_by = began + order.expires_in + polling.venue_lag;
    let mut followed = Followed {
        exchange,
        order,
        order_id,
        began,
        last: None,
        fills: Vec::new(),
        error: None,
        missed_at: None,
    };
    let mut pause = polling.pause_min;
    loop {
        let asked_at = Instant::now();
        if let Some(end) = followed.ask(asked_at, gone_by, polling.apart).await {
            return end;
        }
        if began.elapsed() + pause > polling.patience || followed.is_hopeless() {
            let Followed { last, fills, error, .. } = followed;
            return OrderEnd::Undecided { last, fills, error };
        }
        sleep(pause).await;
        pause = (pause * 2).min(polling.pause_max);
    }
}

impl<E: PrivateExchange> Followed<'_, E> {
    /// One question, and what it proves.
    async fn ask(&mut self, asked_at: Instant, gone_by: Instant, apart: Duration) -> Option<OrderEnd> {
        let named = OrderRef::Client(self.order.client_id);
        match self.exchange.order(self.order.symbol, named).await {
            Ok(told) => {
                self.error = None;
                self.order_id = told.order_id.or(self.order_id);
                // Answers may come from different machines: what was known is never taken back.
                if self.last.as_ref().is_none_or(|last| rank(&told) >= rank(last)) {
                    self.last = Some(told);
                }
                self.missed_at = None;
            }
            Err(error) if error.kind == ErrorKind::OrderNotFound => {
                self.error = Some(error);
                return self.missed(asked_at, gone_by, apart).await;
            }
            Err(error) => self.error = Some(error),
        }
        let ended = self.last.filter(|last| last.status.is_terminal())?;
        if !self.read_fills().await {
            return None;
        }
        (sum(&self.fills) == Some(ended.filled_qty))
            .then(|| OrderEnd::Ended { order: ended, fills: std::mem::take(&mut self.fills) })
    }

    /// It was not found. That counts only when it could no longer arrive, was never seen, and nothing else shows it.
    async fn missed(&mut self, asked_at: Instant, gone_by: Instant, apart: Duration) -> Option<OrderEnd> {
        let sure = self.read_fills().await;
        let was_seen = self.last.is_some() || self.order_id.is_some() || !self.fills.is_empty();
        if !sure || was_seen || asked_at < gone_by {
            return None;
        }
        match self.exchange.open_orders(Some(self.order.symbol)).await {
            Ok(open) if open.unreadable == 0 => {
                let ours = open.iter().find(|one| one.client_id == Some(self.order.client_id));
                if let Some(found) = ours {
                    (self.last, self.order_id, self.missed_at) = (Some(*found), found.order_id, None);
                    return None;
                }
            }
            Ok(_) => return None,
            Err(error) => {
                self.error = Some(error);
                return None;
            }
        }
        match self.missed_at {
            Some(first) if asked_at.duration_since(first) >= apart => Some(OrderEnd::Absent),
            Some(_) => None,
            None => {
                self.missed_at = Some(asked_at);
                None
            }
        }
    }

    /// Reads the fills of the order, by its identifier if that is known, else by ours. `false` when there may be more.
    async fn read_fills(&mut self) -> bool {
        let now = match self.exchange.server_time().await {
            Ok(now) => now,
            Err(error) => return self.failed(error),
        };
        let (from, to) =
            (now - self.began.elapsed() - self.order.expires_in - CLOCK_SLACK, now + CLOCK_SLACK);
        let symbol = self.order.symbol;
        let by_order = match self.order_id {
            Some(id) => self.exchange.order_trades_all(symbol, id, from, to).await,
            None => Err(ExchangeError::new(self.order.venue, Op::MyTrades, ErrorKind::OrderNotFound)),
        };
        let told = match by_order {
            // Fills of an order that was forgotten are still among the others.
            Err(error) if error.kind == ErrorKind::OrderNotFound => {
                self.exchange.my_trades_all(symbol, from, to).await
            }
            told => told,
        };
        let told = match told {
            Ok(told) => told,
            Err(error) => return self.failed(error),
        };
        let mut sure = told.unreadable == 0;
        let mut ours = told.rows;
        if self.order_id.is_none() {
            sure &= self.find_nameless(&ours).await;
        }
        let (client_id, id) = (self.order.client_id, self.order_id);
        ours.retain(|fill| fill.client_id == Some(client_id) || Some(fill.order_id) == id);
        // Never fewer than before: an answer may come from a machine that lags.
        if ours.len() >= self.fills.len() {
            self.fills = ours;
        }
        sure
    }

    /// Fills of orders that are not named as we name them: one of them may be ours. `false` when that stays open.
    async fn find_nameless(&mut self, fills: &[Fill]) -> bool {
        let nameless = fills.iter().filter(|fill| fill.client_id.is_none() && fill.side == self.order.side);
        let orders: BTreeSet<OrderId> = nameless.map(|fill| fill.order_id).collect();
        if orders.len() > NAMELESS_MAX {
            return false;
        }
        for id in orders {
            match self.exchange.order(self.order.symbol, OrderRef::Id(id)).await {
                Ok(found) if found.client_id == Some(self.order.client_id) => {
                    (self.order_id, self.last) = (Some(id), Some(found));
                    return true;
                }
                Ok(found) if found.client_id.is_some() => {}
                Ok(_) => return false,
                Err(error) => return self.failed(error),
            }
        }
        true
    }

    fn failed(&mut self, error: ExchangeError) -> bool {
        self.error = Some(error);
        false
    }

    /// Whether asking again cannot help: the exchange refuses us, not the order.
    fn is_hopeless(&self) -> bool {
        self.error.as_ref().is_some_and(|error| {
            error.kind != ErrorKind::OrderNotFound
                && error.kind.outcome() == Outcome::Refused
                && error.retry() == Retry::Never
        })
    }
}

fn rank(order: &Order) -> (bool, Decimal) {
    (order.status.is_terminal(), order.filled_qty)
}

fn sum(fills: &[Fill]) -> Option<Decimal> {
    fills.iter().try_fold(Decimal::ZERO, |sum, fill| sum.checked_add(fill.qty).ok())
}

/// An asset of which there is not as much as there should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Difference {
    /// Asset whose balance differs.
    pub asset: Asset,
    /// Free and locked together as it should be, in units of the asset.
    pub expected: Decimal,
    /// Free and locked together as the exchange has it, in units of the asset.
    pub found: Decimal,
}

/// Compares balances (free and locked together, in units of each asset) with what they should be; assets not listed are
/// not looked at. Nothing in the list: they agree to the last digit.
///
/// A call may lag behind what streams told, so a difference is believed only when two answers that lie
/// [`Polling::apart`] apart show the same one; until then it is asked again.
///
/// # Errors
/// The exchange's, when it cannot be asked; [`ErrorKind::Undecodable`] when balances would not stand still for as long as
/// `polling` says.
pub async fn balances_agree<E: PrivateExchange>(
    exchange: &E,
    expected: &[(Asset, Decimal)],
    polling: &Polling,
) -> Result<Vec<Difference>, ExchangeError> {
    let began = Instant::now();
    let mut before: Option<(Instant, Vec<Difference>)> = None;
    loop {
        let asked_at = Instant::now();
        let found = differences(exchange, expected).await?;
        if found.is_empty() {
            return Ok(found);
        }
        match &before {
            Some((first, same)) if *same == found => {
                if asked_at.duration_since(*first) >= polling.apart {
                    return Ok(found);
                }
            }
            Some(_) | None => before = Some((asked_at, found)),
        }
        if began.elapsed() + polling.pause_min > polling.patience {
            let kind = ErrorKind::Undecodable("balances that do not stand still");
            return Err(ExchangeError::new(exchange.venue(), Op::Account, kind));
        }
        sleep(polling.pause_min).await;
    }
}

async fn differences<E: PrivateExchange>(
    exchange: &E,
    expected: &[(Asset, Decimal)],
) -> Result<Vec<Difference>, ExchangeError> {
    let account = exchange.account().await?;
    let mut found = Vec::new();
    for (asset, expected) in expected {
        let held = match account.balance(*asset) {
            Some(balance) => balance.free.checked_add(balance.locked).map_err(|error| {
                ExchangeError::new(exchange.venue(), Op::Account, ErrorKind::Number(error))
            })?,
            None => Decimal::ZERO,
        };
        if held != *expected {
            found.push(Difference { asset: *asset, expected: *expected, found: held });
        }
    }
    Ok(found)
}
