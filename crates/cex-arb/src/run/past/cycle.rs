//! An arbitrage as it was written down: its orders, and what is known of each.

use super::decimal;
use cex_core::{
    Bps, ClientOrderId, Decimal, Fill, Leg, Liquidity, Market, NumError, Order, OrderId, OrderKind,
    OrderRequest, OrderStatus, Plan, Qty, Scale, Side, Symbol, TimeInForce, Timestamp, TradeId,
};
use cex_engine::{Ending, Engine, PastArbitrage, PastOrder};
use cex_journal::messages::{self, Status};
use std::collections::BTreeMap;
use std::time::Duration;

/// How much later than it expired an order may still turn up in an exchange's answers.
pub(crate) const VENUE_LAG: Duration = Duration::from_secs(10);

/// How an arbitrage ends of which an operator has looked at what no exchange tells: it counts for nothing, and is over.
pub(crate) const LEFT_TO_OPERATOR: &str = "left_to_operator";

/// An arbitrage whose end was not written down.
#[derive(Debug, Clone, PartialEq)]
pub struct Cycle {
    /// BASE/QUOTE.
    pub symbol: String,
    /// When the arbitrage was decided, by our clock.
    pub at: Timestamp,
    /// What its legs may have moved, in quote.
    pub gross: Decimal,
    /// The two legs, then closing orders.
    pub orders: Vec<Written>,
    /// An operator has looked since: its orders are asked for, and what it left open is theirs.
    pub acknowledged: bool,
    /// When an operator last looked, by our clock; the epoch when none has.
    pub looked_at: Timestamp,
    /// What ended arbitrages left over and this one trades away, in base.
    pub carried: Decimal,
    expected: Decimal,
    net_edge: Bps,
}

impl Cycle {
    pub(super) fn new(at: Timestamp, intent: &messages::Intent) -> Self {
        // As the gate counts it: a buy may cost up to its limit, a sale yields what the book showed.
        let gross = |leg: &messages::Leg| match leg.side() {
            messages::Side::Sell => decimal(&leg.notional),
            messages::Side::Buy | messages::Side::Unspecified => Ok(Decimal::new(
                i128::from(leg.price) * i128::from(leg.qty),
                u8::try_from(leg.price_dp + leg.qty_dp).unwrap_or(u8::MAX),
            )),
        };
        let sum = intent.legs.iter().try_fold(Decimal::ZERO, |sum, leg| sum.checked_add(gross(leg)?));
        Self {
            symbol: intent.symbol.clone(),
            at,
            // What does not fit is more than any limit.
            gross: sum.unwrap_or(Decimal::from(i64::MAX)),
            orders: intent.legs.iter().map(|leg| Written::new(at, leg)).collect(),
            acknowledged: intent.acknowledged,
            looked_at: Timestamp::EPOCH,
            carried: decimal(&intent.carried).unwrap_or(Decimal::ZERO),
            expected: decimal(&intent.expected).unwrap_or(Decimal::ZERO),
            net_edge: Bps::from_e8(intent.net_edge_e8),
        }
    }

    /// Received less given, in base, fees taken in base included.
    ///
    /// # Errors
    /// When a number is none, or does not fit.
    pub fn residual(&self) -> Result<Decimal, NumError> {
        self.carried.checked_add(self.changes()?.1)
    }

    /// Whether nothing of it stands open: what a fee took of the coin that was bought was not left out, it is gone.
    #[must_use]
    pub fn is_level(&self) -> bool {
        self.residual().is_ok_and(Decimal::is_zero) || self.apart().is_ok_and(Decimal::is_zero)
    }

    /// Bought less sold, in base, before fees.
    ///
    /// # Errors
    /// When a number is none, or does not fit.
    pub fn apart(&self) -> Result<Decimal, NumError> {
        self.orders.iter().try_fold(self.carried, |sum, order| match order.leg.side() {
            messages::Side::Buy | messages::Side::Unspecified => sum.checked_add(order.booked()?),
            messages::Side::Sell => sum.checked_sub(order.booked()?),
        })
    }

    /// What its fills came to: change of quote and of base over both venues, fees in these included.
    ///
    /// # Errors
    /// When a number is none, or does not fit.
    pub fn changes(&self) -> Result<(Decimal, Decimal), NumError> {
        let symbol: Symbol = self.symbol.parse().map_err(|_| NumError::Overflow)?;
        let (mut quote, mut base) = (Decimal::ZERO, Decimal::ZERO);
        for order in &self.orders {
            for fill in &order.fills {
                let (price, qty) = (decimal(&fill.price)?, decimal(&fill.qty)?);
                let notional = price.checked_mul(qty)?;
                (quote, base) = match fill.side() {
                    messages::Side::Buy | messages::Side::Unspecified => {
                        (quote.checked_sub(notional)?, base.checked_add(qty)?)
                    }
                    messages::Side::Sell => (quote.checked_add(notional)?, base.checked_sub(qty)?),
                };
                for fee in &fill.fees {
                    let amount = decimal(&fee.amount)?;
                    if fee.asset == symbol.base.as_str() {
                        base = base.checked_sub(amount)?;
                    }
                    if fee.asset == symbol.quote.as_str() {
                        quote = quote.checked_sub(amount)?;
                    }
                }
            }
        }
        Ok((quote, base))
    }

    /// Fees in coins that are neither base nor quote, a row a coin, by name.
    ///
    /// # Errors
    /// When a number is none, or does not fit.
    pub fn other_fees(&self) -> Result<Vec<messages::Fee>, NumError> {
        let mut sums: BTreeMap<&str, Decimal> = BTreeMap::new();
        for fill in self.orders.iter().flat_map(|order| &order.fills) {
            for (amount, asset) in self.beside(fill)? {
                let sum = sums.entry(asset).or_default();
                *sum = sum.checked_add(amount)?;
            }
        }
        let row = |(asset, amount): (&str, Decimal)| messages::Fee {
            amount: amount.to_string(),
            asset: asset.to_owned(),
        };
        Ok(sums.into_iter().map(row).collect())
    }

    /// What a fill was charged in neither coin of its symbol.
    fn beside<'a>(&self, fill: &'a messages::Fill) -> Result<Vec<(Decimal, &'a str)>, NumError> {
        let symbol: Symbol = self.symbol.parse().map_err(|_| NumError::Overflow)?;
        let its = |asset: &str| asset == symbol.base.as_str() || asset == symbol.quote.as_str();
        let rows = fill.fees.iter().filter(|fee| !its(&fee.asset));
        let rows = rows.map(|fee| Ok((decimal(&fee.amount)?, fee.asset.as_str())));
        let rows: Vec<_> = rows.collect::<Result<_, NumError>>()?;
        Ok(rows.into_iter().filter(|(amount, _)| !amount.is_zero()).collect())
    }

    /// What fees in other coins count as, in quote: no book is at hand, so all that each exchange could have charged, less
    /// what it did charge of the same fill in base and quote.
    fn other_fee(&self, full_fee: impl Fn(&str) -> Bps) -> Result<Decimal, NumError> {
        let symbol: Symbol = self.symbol.parse().map_err(|_| NumError::Overflow)?;
        let mut sum = Decimal::ZERO;
        for fill in self.orders.iter().flat_map(|order| &order.fills) {
            if self.beside(fill)?.iter().any(|(amount, _)| amount.is_positive()) {
                let notional = decimal(&fill.price)?.checked_mul(decimal(&fill.qty)?)?;
                let full = notional.checked_mul(full_fee(&fill.venue).fraction())?;
                let own = own_fees(symbol, fill)?.max(Decimal::ZERO);
                sum = sum.checked_add(full.checked_sub(own)?.max(Decimal::ZERO))?;
            }
        }
        Ok(sum)
    }

    /// Its end as its fills give it, for one that needs nothing done or whose leftovers stay. `full_fee` is the most that a
    /// venue takes of what is filled ([`Engine::full_fee`]).
    ///
    /// # Errors
    /// When a number is none, or does not fit.
    pub fn end(
        &self,
        name: &str,
        full_fee: impl Fn(&str) -> Bps,
    ) -> Result<messages::ArbitrageEnd, NumError> {
        let (quote, base) = self.changes()?;
        let other_fee = self.other_fee(full_fee)?;
        let first = self.orders.first().map(|order| &order.leg);
        let mark = first.map_or(Decimal::ZERO, |leg| {
            Decimal::new(i128::from(leg.price), u8::try_from(leg.price_dp).unwrap_or(u8::MAX))
        });
        let residual = self.residual()?;
        let level = residual.is_zero() || self.apart()?.is_zero();
        let any = self.orders.iter().any(|order| !order.fills.is_empty());
        let ending = match (level, any, self.orders.len() > 2) {
            // What it did not trade away is left over as it was before, and this run goes on with that.
            _ if !self.carried.is_zero() => Ending::Swept,
            (false, _, _) => Ending::Parked,
            (true, false, _) => Ending::NoneFilled,
            (true, true, true) => Ending::Unwound,
            (true, true, false) => Ending::BothFilled,
        };
        let left_over = residual.abs()?.checked_mul(mark)?;
        Ok(messages::ArbitrageEnd {
            name: name.to_owned(),
            symbol: self.symbol.clone(),
            ending: ending.name().to_owned(),
            realised: quote.checked_add(base.checked_mul(mark)?)?.checked_sub(other_fee)?.to_string(),
            quote_change: quote.to_string(),
            base_change: base.to_string(),
            mark: mark.to_string(),
            left_over: left_over.to_string(),
            edge_e8: 0,
            other_fees: self.other_fees()?,
            other_fee: other_fee.to_string(),
        })
    }

    /// Its end when what became of it is an operator's knowledge and nobody else's.
    #[must_use]
    pub fn left_to_operator(&self, name: &str) -> messages::ArbitrageEnd {
        let nothing = || Decimal::ZERO.to_string();
        messages::ArbitrageEnd {
            name: name.to_owned(),
            symbol: self.symbol.clone(),
            ending: LEFT_TO_OPERATOR.to_owned(),
            realised: nothing(),
            quote_change: nothing(),
            base_change: nothing(),
            mark: nothing(),
            left_over: nothing(),
            ..messages::ArbitrageEnd::default()
        }
    }

    /// The arbitrage as an engine can go on with it.
    ///
    /// # Errors
    /// Why it cannot, in words.
    pub fn for_engine(&self, engine: &Engine) -> Result<PastArbitrage, &'static str> {
        let [buy, sell, ..] = self.orders.as_slice() else { return Err("its plan was not written down") };
        let symbol: Symbol = self.symbol.parse().map_err(|_| "its symbol is none")?;
        let market = |order: &Written| engine.market(&order.leg.venue, symbol);
        let orders = self.orders.iter().map(|order| {
            let market = market(order).ok_or("its symbol is not traded any more at one of its exchanges")?;
            order.for_engine(market)
        });
        let orders: Vec<PastOrder> = orders.collect::<Result<_, _>>()?;
        let leg = |order: &Written, past: &PastOrder| {
            let market = market(order)?;
            let (limit, qty) = (past.request.kind.price()?, past.request.kind.qty()?);
            let fee = market.info.taker_fee;
            let venue = market.venue;
            Some(Leg { venue, side: past.request.side, limit, qty, notional: limit.times(qty), fee })
        };
        let legs = (leg(buy, &orders[0]), leg(sell, &orders[1]));
        let (Some(buy), Some(sell)) = legs else { return Err("its legs are no limit orders") };
        if (buy.side, sell.side) != (Side::Buy, Side::Sell) {
            return Err("its legs are not one of each side");
        }
        let symbol = orders[0].request.symbol;
        let plan = Plan { symbol, buy, sell, expected: self.expected, net_edge: self.net_edge };
        Ok(PastArbitrage { plan, orders, started_at: self.at })
    }
}

/// What a fill was charged in the two coins of its symbol, in quote.
fn own_fees(symbol: Symbol, fill: &messages::Fill) -> Result<Decimal, NumError> {
    let price = decimal(&fill.price)?;
    fill.fees.iter().try_fold(Decimal::ZERO, |sum, fee| {
        let amount = decimal(&fee.amount)?;
        match fee.asset.as_str() {
            asset if asset == symbol.base.as_str() => sum.checked_add(amount.checked_mul(price)?),
            asset if asset == symbol.quote.as_str() => sum.checked_add(amount),
            _third => Ok(sum),
        }
    })
}

/// An order that was written down before it left.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// The order as the journal has it.
    pub leg: messages::Leg,
    /// The exchange's identifier, once known.
    pub order_id: String,
    /// When the exchange no longer takes it, by our clock.
    pub dead_at: Timestamp,
    /// How it ended, and with how much filled, once that is known.
    pub end: Option<(Status, Decimal)>,
    /// Its fills, each once.
    pub fills: Vec<messages::Fill>,
}

impl Written {
    pub(super) fn new(at: Timestamp, leg: &messages::Leg) -> Self {
        Self {
            leg: leg.clone(),
            order_id: String::new(),
            dead_at: at + Duration::from_nanos(leg.expires_in_ns) + VENUE_LAG,
            end: None,
            fills: Vec::new(),
        }
    }

    pub(super) fn hear(&mut self, event: &messages::OrderEvent) {
        if !event.order_id.is_empty() {
            self.order_id.clone_from(&event.order_id);
        }
        match event.status() {
            Status::Filled | Status::Canceled | Status::Rejected | Status::Expired => {
                // A number that is none leaves the order open: it is asked for.
                self.end = decimal(&event.filled_qty).ok().map(|filled| (event.status(), filled));
            }
            Status::Unspecified
            | Status::PendingNew
            | Status::New
            | Status::PartiallyFilled
            | Status::PendingCancel
            | Status::Unknown => {}
        }
    }

    /// Takes in a fill; one that was told before counts once.
    pub fn book(&mut self, fill: messages::Fill) {
        let known =
            |known: &messages::Fill| (&known.order_id, &known.trade_id) == (&fill.order_id, &fill.trade_id);
        if !self.fills.iter().any(known) {
            if self.order_id.is_empty() {
                self.order_id.clone_from(&fill.order_id);
            }
            self.fills.push(fill);
        }
    }

    /// Base filled, before fees.
    ///
    /// # Errors
    /// When a number is none, or does not fit.
    pub fn booked(&self) -> Result<Decimal, NumError> {
        self.fills.iter().try_fold(Decimal::ZERO, |sum, fill| sum.checked_add(decimal(&fill.qty)?))
    }

    /// Whether its end is known, and all its fills.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.end.is_some_and(|(_, filled)| self.booked() == Ok(filled))
    }

    /// Takes in what an exchange says of it.
    pub fn ended(&mut self, order: &Order) {
        if let Some(order_id) = order.order_id {
            self.order_id = order_id.to_string();
        }
        let status = match order.status {
            OrderStatus::Filled => Status::Filled,
            OrderStatus::Rejected => Status::Rejected,
            OrderStatus::Expired => Status::Expired,
            _other => Status::Canceled,
        };
        self.end = Some((status, order.filled_qty));
    }

    fn for_engine(&self, market: &Market) -> Result<PastOrder, &'static str> {
        let Numbers { price, qty } = Numbers::of(&self.leg, market.scale)
            .ok_or("its numbers do not fit the symbol's rules any more")?;
        let (status, _) = self.end.ok_or("what became of an order is not known")?;
        let client_id = ClientOrderId::new(&self.leg.client_id).ok_or("its name is none of ours")?;
        let side = match self.leg.side() {
            messages::Side::Buy => Side::Buy,
            messages::Side::Sell => Side::Sell,
            messages::Side::Unspecified => return Err("its side was not written down"),
        };
        let request = OrderRequest {
            venue: market.venue,
            symbol: market.id,
            client_id,
            side,
            kind: OrderKind::Limit { price, qty, tif: TimeInForce::Ioc },
            expires_in: Duration::from_nanos(self.leg.expires_in_ns),
        };
        let fills = self.fills.iter().map(|told| fill(told, &request).ok_or("a fill could not be read"));
        Ok(PastOrder {
            request,
            order_id: OrderId::new(&self.order_id).ok().filter(|id| !id.is_empty()),
            status: match status {
                Status::Filled => OrderStatus::Filled,
                Status::Rejected => OrderStatus::Rejected,
                Status::Expired => OrderStatus::Expired,
                _other => OrderStatus::Canceled,
            },
            fills: fills.collect::<Result<_, _>>()?,
        })
    }
}

/// Price and quantity of a leg in another scale than it was written down in.
struct Numbers {
    price: cex_core::Price,
    qty: Qty,
}

impl Numbers {
    fn of(leg: &messages::Leg, scale: Scale) -> Option<Self> {
        let value = |count: i64, dp: u32| Some(Decimal::new(i128::from(count), u8::try_from(dp).ok()?));
        let (price, qty) = (value(leg.price, leg.price_dp)?, value(leg.qty, leg.qty_dp)?);
        let (price, scaled) = (scale.price(price).ok()?, scale.qty(qty).ok()?);
        (scale.qty_value(scaled) == qty).then_some(Self { price, qty: scaled })
    }
}

fn fill(told: &messages::Fill, request: &OrderRequest) -> Option<Fill> {
    let mut fees = told.fees.iter().map(|fee| Some((decimal(&fee.amount).ok()?, fee.asset.parse().ok()?)));
    let (fee, fee_asset) = match fees.next() {
        Some(first) => first?,
        None => (Decimal::ZERO, "USDT".parse().ok()?),
    };
    let second_fee = match fees.next() {
        Some(second) => Some(second?),
        None => None,
    };
    Some(Fill {
        venue: request.venue,
        symbol: request.symbol,
        trade_id: TradeId::new(&told.trade_id).ok()?,
        order_id: OrderId::new(&told.order_id).ok()?,
        client_id: Some(request.client_id),
        side: request.side,
        price: decimal(&told.price).ok()?,
        qty: decimal(&told.qty).ok()?,
        fee,
        fee_asset,
        second_fee,
        liquidity: match told.liquidity() {
            messages::Liquidity::Maker => Liquidity::Maker,
            messages::Liquidity::Taker | messages::Liquidity::Unspecified => Liquidity::Taker,
        },
        exchange_ts: Timestamp::from_nanos(told.exchange_ts_ns),
    })
}
