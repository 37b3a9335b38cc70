//! One order, from sent to settled.

use super::booked::{Booked, OtherFee, OtherFees};
use cex_core::{
    Bps, Decimal, Fill, NumError, Order, OrderId, OrderRequest, OrderStatus, Rounding, Scale, Side, Symbol,
    Timestamp,
};
use std::time::Duration;

/// After this long without news an order is asked about.
const QUIET: Duration = Duration::from_millis(1_000);
/// Missing fills of an ended order are asked for after this long.
const FILLS_LATE: Duration = Duration::from_millis(300);
/// First and longest pause between questions about the same order.
const ASK_FIRST: Duration = Duration::from_millis(200);
const ASK_LONGEST: Duration = Duration::from_secs(5);
/// ... and while its fate is unknown: the other leg may stand alone meanwhile.
const ASK_LONGEST_UNKNOWN: Duration = Duration::from_secs(1);
/// Two answers that an order is not known must be asked for this far apart to count as two.
const ABSENT_APART: Duration = Duration::from_secs(2);
/// An accepted order that the exchange says it does not know for this long is doubted: reads lag writes by less.
const DOUBTED_AFTER: Duration = Duration::from_secs(5);
/// An order that nothing was heard of for this long counts as one of unknown fate, though its answer may come: what else were opened
/// meanwhile may meet with the same.
const UNHEARD_AFTER: Duration = Duration::from_secs(2);
/// Somebody must look at an order that is not settled after this.
const UNDECIDED_MAX: Duration = Duration::from_secs(120);

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderState {
    /// Sent, nothing heard.
    Sent,
    /// The exchange has it.
    Accepted,
    /// Whether the exchange has it cannot be told; its exposure stays reserved.
    Unknown {
        /// When its fate became unknown, by our clock: it was signed and sent before.
        since: Timestamp,
    },
    /// It is over with this much filled.
    Ended {
        /// Final state of the order.
        status: OrderStatus,
        /// Filled base quantity.
        filled: Decimal,
    },
}

/// What to do about an order of which more must be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// What became of it?
    State,
    /// It rests, which no order of ours may: it is cancelled.
    Cancel,
    /// Which fills did it have?
    Fills(OrderId),
    /// It is not found: is it among the open orders?
    Open,
    /// It is not open either: is it in what the account traded?
    Trades,
    /// What it traded is booked: is what the account holds what all orders explain?
    Account,
}

/// How far the proof has come that an order is not there, since the last time it was not found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Missed {
    /// It was not looked for, or found.
    No,
    /// Not by its name, when it could not arrive any more.
    ByName,
    /// Nor among the open orders.
    Open,
    /// What it traded, if anything, is booked: the account traded no more by it, asked then.
    Traded(Timestamp),
}

/// One order and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderRun {
    /// The order as it was sent.
    pub request: OrderRequest,
    /// How far the order has come.
    pub state: OrderState,
    /// The exchange's identifier of the order, once known.
    pub order_id: Option<OrderId>,
    /// What its fills moved.
    pub booked: Booked,
    /// What they were charged in other coins than its symbol's own.
    pub other_fees: OtherFees,
    /// What those cost by books, and whether that is not all of it.
    priced: (Decimal, bool),
    /// Its end was acted upon: reservation released, result told.
    pub closed: bool,
    /// It was handed to a connection, or is about to be.
    pub left_us: bool,
    /// Whether it counts as a try: one of an earlier run that no exchange knows may never have left.
    pub attempted: bool,
    /// Ordered base quantity, exact.
    ordered: Decimal,
    /// The largest filled quantity any report or fill told of.
    reported: Decimal,
    sent_at: Timestamp,
    /// When the first of an unbroken row of questions was asked to which an accepted order was not known.
    denied_since: Option<Timestamp>,
    /// When the first of an unbroken row of proofs was begun that it is not there, and what it had filled by then.
    absent_since: Option<(Timestamp, Decimal)>,
    missed: Missed,
    /// An exchange says that it rests, asked when it should long have been over.
    rests: bool,
    /// That it is not settled after so long was told.
    overdue_told: bool,
    /// When an operator had looked at it, who was told that its fills do not fit.
    given_up_at: Option<Timestamp>,
    ask_at: Timestamp,
    ask_pause: Duration,
}

impl OrderRun {
    /// An order for `ordered` base that is being sent.
    #[must_use]
    pub fn new(now: Timestamp, request: OrderRequest, ordered: Decimal) -> Self {
        Self {
            request,
            state: OrderState::Sent,
            order_id: None,
            booked: Booked::default(),
            other_fees: OtherFees::default(),
            priced: (Decimal::ZERO, false),
            closed: false,
            left_us: true,
            attempted: true,
            ordered,
            reported: Decimal::ZERO,
            sent_at: now,
            denied_since: None,
            absent_since: None,
            missed: Missed::No,
            rests: false,
            overdue_told: false,
            given_up_at: None,
            ask_at: now + QUIET,
            ask_pause: ASK_FIRST,
        }
    }

    /// An order of an earlier run, whose end and fills are known, each with what its fees in other coins count as. It
    /// reserves nothing any more.
    pub fn over(
        at: Timestamp,
        request: OrderRequest,
        ordered: Decimal,
        (symbol, status): (Symbol, OrderStatus),
        fills: impl IntoIterator<Item = (Fill, OtherFee)>,
    ) -> Result<Self, NumError> {
        let mut run = Self::new(at, request, ordered);
        for (fill, other_fee) in fills {
            run.book(symbol, &fill, other_fee)?;
            run.order_id = Some(fill.order_id);
        }
        run.reported = run.booked.qty;
        run.attempted = status != OrderStatus::Rejected || run.order_id.is_some();
        run.end(status);
        run.closed = true;
        Ok(run)
    }

    /// Base quantity that was ordered, exact.
    #[must_use]
    pub const fn ordered(&self) -> Decimal {
        self.ordered
    }

    /// Whether a report tells of another order than was approved (R36): another side, price or quantity.
    #[must_use]
    pub fn contradicts(&self, scale: Scale, order: &Order) -> bool {
        let price = self.request.kind.price().map(|price| scale.price_value(price));
        let other = |approved: Option<Decimal>, told: Option<Decimal>| {
            approved.zip(told).is_some_and(|(approved, told)| approved != told)
        };
        order.side != self.request.side
            || order.symbol != self.request.symbol
            || other(price, order.price)
            || other(self.request.kind.qty().map(|_| self.ordered), order.qty)
            || order.filled_qty > self.ordered
    }

    /// Whether a fill of which nobody says whose it is may be of this order: on its side, within its limit.
    #[must_use]
    pub fn may_have_made(&self, scale: Scale, fill: &Fill) -> bool {
        let limit = self.request.kind.price().map(|price| scale.price_value(price));
        let is_within = |limit| match fill.side {
            Side::Buy => fill.price <= limit,
            Side::Sell => fill.price >= limit,
        };
        fill.side == self.request.side && fill.symbol == self.request.symbol && limit.is_none_or(is_within)
    }

    /// When it was decided on.
    #[must_use]
    pub const fn sent_at(&self) -> Timestamp {
        self.sent_at
    }

    /// How much more it was charged than `expected`, as parts of what was filled, in whatever coin; `None` while nothing was
    /// charged, when it does not fit, or when a coin without a price may make the difference.
    #[must_use]
    pub fn fee_excess(&self, expected: Bps) -> Option<Bps> {
        let Booked { qty, notional, base_fee, quote_fee, .. } = self.booked;
        if qty.is_zero() || notional.is_zero() {
            return None;
        }
        let (priced, unpriced) = self.priced;
        let part = |fee: Decimal, whole| fee.checked_div(whole, 8, Rounding::Ceil);
        let in_quote = quote_fee.checked_add(priced).ok()?;
        let charged = part(base_fee, qty).ok()?.checked_add(part(in_quote, notional).ok()?).ok()?;
        let excess = Bps::from_e8(Bps::from_fraction(charged).ok()?.e8().checked_sub(expected.e8())?);
        // What is known to have been too much stays so, whatever comes on top.
        (!unpriced || excess > Bps::ZERO).then_some(excess)
    }

    /// The exchange accepted it.
    pub fn accepted(&mut self, now: Timestamp, order_id: OrderId) {
        self.order_id = Some(order_id);
        if matches!(self.state, OrderState::Sent | OrderState::Unknown { .. }) {
            self.state = OrderState::Accepted;
            self.ask_again(now + QUIET);
        }
    }

    /// The exchange refused it: nothing happened there. Where it has told of the order otherwise, it is asked again.
    pub fn refused(&mut self, now: Timestamp) {
        let told =
            self.order_id.is_some() || self.state == OrderState::Accepted || !self.booked.qty.is_zero();
        if told && !self.is_settled() {
            return self.ask_again(now);
        }
        self.end(OrderStatus::Rejected);
    }

    /// It never left us, which says nothing about the exchange.
    pub fn not_sent(&mut self) {
        self.left_us = false;
        self.end(OrderStatus::Canceled);
    }

    /// It cannot be told whether it was accepted.
    pub fn unknown(&mut self, now: Timestamp) {
        if self.state == OrderState::Sent {
            self.state = OrderState::Unknown { since: now };
            self.ask_again(now);
        }
    }

    /// News of it may have been missed: it is asked about at once.
    pub fn doubt(&mut self, now: Timestamp) {
        self.ask_again(now);
    }

    /// A report of its state, from the stream, an answer or a query; may be old or seen before.
    pub fn report(&mut self, now: Timestamp, order: &Order) {
        if order.order_id.is_some() {
            self.order_id = order.order_id;
        }
        (self.denied_since, self.absent_since, self.missed) = (None, None, Missed::No);
        self.reported = self.reported.max(order.filled_qty);
        if order.status.is_terminal() {
            self.end(order.status);
            self.ask_again(now + FILLS_LATE);
        } else if matches!(self.state, OrderState::Sent | OrderState::Unknown { .. }) {
            self.state = OrderState::Accepted;
            self.ask_again(now + QUIET);
        }
    }

    /// An answer to a question of `asked_at`. An order that is still open then, which is to fill at once or not at all, rests
    /// against our will.
    pub fn answered(&mut self, now: Timestamp, asked_at: Timestamp, order: &Order) {
        self.report(now, order);
        self.rests = !order.status.is_terminal() && asked_at.since(self.sent_at) >= QUIET;
        if self.rests && !matches!(self.state, OrderState::Ended { .. }) {
            self.ask_at = self.ask_at.min(now);
        }
    }

    /// The exchange answered a question of `asked_at` that it does not know the order. That alone is no proof: exchanges know
    /// orders late and forget them early. Once the order could not arrive any more, after it expired there and `lag` more,
    /// three things are looked at next: open orders, what the account traded, and what it holds.
    pub fn missing(&mut self, asked_at: Timestamp, lag: Duration) {
        let sent_by = match self.state {
            OrderState::Unknown { since } => since,
            // One accepted a moment ago can be unknown to a query: reads lag writes.
            OrderState::Accepted => {
                self.denied_since.get_or_insert(asked_at);
                self.sent_at
            }
            OrderState::Sent | OrderState::Ended { .. } => return,
        };
        if asked_at > sent_by + self.request.expires_in + lag {
            self.missed = Missed::ByName;
            self.ask_at = asked_at;
        }
    }

    /// It is not among the open orders, asked for at `asked_at`.
    pub fn not_open(&mut self, asked_at: Timestamp) {
        self.missed_too(Missed::ByName, Missed::Open, asked_at);
    }

    /// All that the account traded by it is booked, asked for at `asked_at`; that may be nothing.
    pub fn traded_read(&mut self, asked_at: Timestamp) {
        self.missed_too(Missed::Open, Missed::Traded(asked_at), asked_at);
    }

    fn missed_too(&mut self, before: Missed, after: Missed, asked_at: Timestamp) {
        if self.missed == before {
            (self.missed, self.ask_at) = (after, asked_at);
        }
    }

    /// Whether all that is missing to a proof is what the account holds, asked for at `asked_at`: after what it traded, for what it
    /// held before that says nothing.
    #[must_use]
    pub fn awaits_account(&self, asked_at: Timestamp) -> bool {
        matches!(self.missed, Missed::Traded(before) if asked_at >= before)
    }

    /// Neither did the exchange know the order, nor is it open, and what the account traded by it and held when asked at `asked_at`
    /// is what is booked. Believed only when that was so twice, well apart, with the same fills. Then it is over: one that was
    /// never accepted and filled nothing never arrived, any other was forgotten early and filled what it traded. An order of
    /// which more was reported than is booked is never believed away.
    pub fn absent(&mut self, asked_at: Timestamp) {
        if !self.awaits_account(asked_at) {
            return;
        }
        self.missed = Missed::No;
        let is_open = matches!(self.state, OrderState::Unknown { .. } | OrderState::Accepted);
        if !is_open || self.reported != self.booked.qty {
            return;
        }
        let first = match self.absent_since {
            Some((first, filled)) if filled == self.booked.qty => first,
            Some(_) | None => {
                self.absent_since = Some((asked_at, self.booked.qty));
                return;
            }
        };
        if asked_at.since(first) >= ABSENT_APART {
            self.end_as_known();
        }
    }

    /// It is over: one that was never accepted and filled nothing never arrived.
    fn end_as_known(&mut self) {
        let arrived = self.order_id.is_some() || !self.booked.qty.is_zero();
        self.end(if arrived { OrderStatus::Canceled } else { OrderStatus::Rejected });
    }

    /// Books a fill; the caller has seen to it that it is new, and says what its fees in other coins count as. Whether it came
    /// after the order seemed settled.
    pub fn fill(&mut self, symbol: Symbol, fill: &Fill, other_fee: OtherFee) -> Result<bool, NumError> {
        let was_settled = self.is_settled();
        self.book(symbol, fill, other_fee)?;
        self.order_id = Some(fill.order_id);
        self.reported = self.reported.max(self.booked.qty);
        match &mut self.state {
            OrderState::Ended { filled, .. } => *filled = self.reported,
            OrderState::Sent | OrderState::Accepted | OrderState::Unknown { .. } => {
                // An order all of whose quantity is filled is over, whatever else is still to be reported.
                if self.booked.qty == self.ordered {
                    self.end(OrderStatus::Filled);
                }
            }
        }
        Ok(was_settled)
    }

    fn book(&mut self, symbol: Symbol, fill: &Fill, other_fee: OtherFee) -> Result<(), NumError> {
        self.booked.add(symbol, fill, other_fee.counted)?;
        let (priced, unpriced) = self.priced;
        self.priced = (priced.checked_add(other_fee.priced)?, unpriced || other_fee.unpriced);
        self.other_fees.add_fill(symbol, fill)
    }

    /// Whether its end is known and everything it filled is booked, and that can be.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        matches!(self.state, OrderState::Ended { filled, .. } if filled == self.booked.qty)
            && !self.is_overfilled()
    }

    /// Whether more is booked than was ordered: the exchange filled too much, or told a fill twice under two names. Nobody here can
    /// tell which.
    #[must_use]
    pub fn is_overfilled(&self) -> bool {
        self.request.kind.qty().is_some() && self.booked.qty > self.ordered
    }

    /// Whether its fate is unknown: never confirmed, not heard of for too long, or denied by the exchange after it was confirmed.
    #[must_use]
    pub fn is_unknown(&self, now: Timestamp) -> bool {
        match self.state {
            OrderState::Unknown { .. } => true,
            OrderState::Accepted => self.denied_since.is_some_and(|since| now.since(since) >= DOUBTED_AFTER),
            OrderState::Sent => now.since(self.sent_at) >= UNHEARD_AFTER,
            OrderState::Ended { .. } => false,
        }
    }

    /// An operator has looked: whether they were told that it is not settled, and it was not given up before. From now on it is, and
    /// nobody is told of it again. One of which nobody could find out whether it was ever there, or still is, is over with what is
    /// booked: whoever looked has seen to the rest.
    pub fn give_up(&mut self, now: Timestamp) -> bool {
        let is_told = self.overdue_told || self.is_overfilled();
        if self.is_settled() || !is_told || self.given_up_at.is_some() {
            return false;
        }
        (self.given_up_at, self.overdue_told) = (Some(now), true);
        if !matches!(self.state, OrderState::Ended { .. }) {
            self.end_as_known();
        }
        true
    }

    /// When it was given up, if it was.
    #[must_use]
    pub const fn given_up_at(&self) -> Option<Timestamp> {
        self.given_up_at
    }

    /// Whether it has been unsettled for too long; told once.
    pub fn is_newly_overdue(&mut self, now: Timestamp) -> bool {
        let overdue = !self.is_settled() && now.since(self.sent_at) >= UNDECIDED_MAX;
        overdue && !std::mem::replace(&mut self.overdue_told, true)
    }

    /// Whether it told us something against its venue: refused there or never left; for a closing order also that it
    /// found nothing to trade with.
    #[must_use]
    pub fn speaks_against_venue(&self, closing: bool) -> bool {
        match self.state {
            OrderState::Ended { status, .. } => {
                let nothing = self.booked.qty.is_zero();
                nothing && (closing || status == OrderStatus::Rejected || !self.left_us)
            }
            OrderState::Sent | OrderState::Accepted | OrderState::Unknown { .. } => false,
        }
    }

    /// What to ask now, if anything; the next question of the same kind waits longer.
    pub fn question(&mut self, now: Timestamp) -> Option<Question> {
        if self.is_settled() || now < self.ask_at {
            return None;
        }
        let longest = match self.state {
            OrderState::Unknown { .. } => ASK_LONGEST_UNKNOWN,
            OrderState::Accepted if self.denied_since.is_some() => ASK_LONGEST_UNKNOWN,
            OrderState::Sent | OrderState::Accepted | OrderState::Ended { .. } => ASK_LONGEST,
        };
        self.ask_at = now + self.ask_pause;
        self.ask_pause = (self.ask_pause * 2).min(longest);
        Some(match (self.state, self.order_id) {
            (OrderState::Ended { .. }, Some(order_id)) => Question::Fills(order_id),
            (OrderState::Ended { .. }, None) => Question::State,
            (OrderState::Sent | OrderState::Accepted, _) if std::mem::take(&mut self.rests) => {
                Question::Cancel
            }
            (OrderState::Sent | OrderState::Accepted | OrderState::Unknown { .. }, _) => match self.missed {
                Missed::No => Question::State,
                Missed::ByName => Question::Open,
                Missed::Open => Question::Trades,
                Missed::Traded(_) => Question::Account,
            },
        })
    }

    fn end(&mut self, status: OrderStatus) {
        if let OrderState::Ended { filled, .. } = &mut self.state {
            *filled = self.reported;
        } else {
            self.state = OrderState::Ended { status, filled: self.reported };
        }
    }

    fn ask_again(&mut self, at: Timestamp) {
        self.ask_at = at;
        self.ask_pause = ASK_FIRST;
    }
}

#[cfg(test)]
mod tests;
