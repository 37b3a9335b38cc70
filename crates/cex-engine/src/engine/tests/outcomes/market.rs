//! The exchanges of a case: what they made of each order, and a ledger of their own.
//!
//! The ledger counts in whole numbers, cents, thousandths of a coin and millionths of a millionth, and uses none of the
//! arithmetic it is there to judge.

use super::super::*;
use super::case::{Closings, Fees, Outcome};
use std::collections::BTreeMap;

/// Prices in cents, quantities in thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Trade {
    pub(super) cents: i128,
    pub(super) thousandths: i128,
}

/// The limit of the buying leg, at which what is left over is valued.
const MARK_CENTS: i128 = 10_010;
/// Digits of everything in the ledger.
const DP: u8 = 12;

/// What the exchanges' accounts hold, by their own reckoning.
#[derive(Debug, Clone)]
pub(super) struct Ledger {
    /// By venue and coin, in 10^-12.
    held: BTreeMap<(usize, &'static str), i128>,
    /// Changes of base and quote over both, fees included.
    base: i128,
    quote: i128,
    /// What fees in a third coin, which has no book, count as: the full fee of twenty basis points, in 10^-12 quote.
    other: i128,
}

impl Ledger {
    fn new() -> Self {
        let coins = [("USDT", 5_000), ("BTC", 50)];
        let one = 10_i128.pow(u32::from(DP));
        let held = (0..2).flat_map(|venue| coins.map(|(coin, held)| ((venue, coin), held * one)));
        Self { held: held.collect(), base: 0, quote: 0, other: 0 }
    }

    fn add(&mut self, venue: usize, coin: &'static str, change: i128) {
        *self.held.entry((venue, coin)).or_default() += change;
        match coin {
            "BTC" => self.base += change,
            "USDT" => self.quote += change,
            _third => {}
        }
    }

    /// Books a trade and gives the fee that was charged for it.
    fn book(&mut self, venue: usize, side: Side, trade: Trade, fees: Fees) -> (i128, u8, &'static str) {
        let Trade { cents, thousandths } = trade;
        let sign = if side == Side::Buy { 1 } else { -1 };
        self.add(venue, "BTC", sign * thousandths * 1_000_000_000);
        self.add(venue, "USDT", -sign * cents * thousandths * 10_000_000);
        let bps = if venue == 0 { 5 } else { 10 };
        let (fee, dp, coin) = match (fees, side) {
            (Fees::Quote, _) | (Fees::Received, Side::Sell) => (cents * thousandths * bps, 9, "USDT"),
            (Fees::Received, Side::Buy) => (thousandths * bps, 7, "BTC"),
            (Fees::Third, _) => (thousandths * bps, 6, "MX"),
        };
        self.add(venue, coin, -fee * 10_i128.pow(u32::from(DP - dp)));
        if fees == Fees::Third {
            self.other += cents * thousandths * 20 * 1_000;
        }
        (fee, dp, coin)
    }

    /// Profit with what is left over valued at the mark.
    pub(super) fn profit(&self) -> Decimal {
        Decimal::new((self.quote - self.other) * 100 + self.base * MARK_CENTS, DP + 2)
    }

    /// As an exchange tells of an account.
    pub(super) fn balances(&self, venue: VenueId) -> Vec<Balance> {
        let rows = self.held.iter().filter(|((at, _), _)| *at == venue.index());
        rows.map(|((_, coin), held)| Balance {
            asset: asset(coin),
            free: Decimal::new(*held, DP),
            locked: Decimal::ZERO,
            as_of: Timestamp::EPOCH,
        })
        .collect()
    }

    /// What is not level over both, valued at the mark, whichever its sign.
    pub(super) fn left_over(&self) -> Decimal {
        Decimal::new(self.base.abs() * MARK_CENTS, DP + 2)
    }

    /// As the engine lists holdings.
    pub(super) fn held(&self) -> BTreeMap<(usize, String), Decimal> {
        let rows = self.held.iter();
        rows.map(|((venue, coin), held)| ((*venue, (*coin).to_owned()), Decimal::new(*held, DP))).collect()
    }
}

/// What an exchange made of an order.
#[derive(Debug, Clone)]
pub(super) struct Made {
    pub(super) request: OrderRequest,
    /// It knows the order.
    pub(super) arrived: bool,
    pub(super) status: OrderStatus,
    /// What it says was filled when it ended.
    pub(super) told: Decimal,
    pub(super) fills: Vec<Fill>,
    /// Fills nobody can hear of before all is over.
    pub(super) late: Vec<Fill>,
}

/// Both exchanges.
#[derive(Debug)]
pub(super) struct Market {
    pub(super) ledger: Ledger,
    pub(super) made: Vec<Made>,
    fees: Fees,
    trades: u32,
    closings: u32,
}

impl Market {
    pub(super) fn new(fees: Fees) -> Self {
        Self { ledger: Ledger::new(), made: Vec::new(), fees, trades: 0, closings: 0 }
    }

    pub(super) fn order(&self, client_id: ClientOrderId) -> Option<&Made> {
        self.made.iter().find(|made| made.request.client_id == client_id)
    }

    /// What becomes of a leg. Money of late fills moves when they come; see [`Self::fill_late`].
    pub(super) fn leg(&mut self, request: OrderRequest, outcome: Outcome) -> Made {
        let prices = match request.side {
            Side::Buy => [10_010, 10_005],
            Side::Sell => [10_100, 10_110],
        };
        let trade = |at: usize, thousandths| Trade { cents: prices[at], thousandths };
        let (arrived, trades): (bool, &[Trade]) = match outcome {
            Outcome::Full | Outcome::LostAndFilled => (true, &[trade(0, 3_000), trade(1, 2_000)]),
            Outcome::Part => (true, &[trade(0, 2_000), trade(1, 1_000)]),
            Outcome::Almost => (true, &[trade(0, 3_000), trade(1, 1_995)]),
            Outcome::Nothing | Outcome::FilledLate => (true, &[]),
            Outcome::Refused | Outcome::NotSent | Outcome::LostAndAbsent => (false, &[]),
        };
        let mut made = self.make(request, arrived, trades);
        if outcome == Outcome::FilledLate {
            let trade = trade(0, 5_000);
            made.late = vec![self.fill(&request, trade)];
        }
        self.made.push(made.clone());
        made
    }

    /// What becomes of a closing order.
    pub(super) fn closing(&mut self, request: OrderRequest, closings: Closings) -> Made {
        self.closings += 1;
        let OrderKind::Limit { price, qty, .. } = request.kind else { panic!("a limit, not {request:?}") };
        let thousandths = i128::from(qty.0 / 100);
        // Better than the limit by 0.40.
        let cents = i128::from(price.0) + if request.side == Side::Buy { -40 } else { 40 };
        let filled = match closings {
            Closings::Taken => thousandths,
            Closings::TakenInTwo if self.closings == 1 => thousandths * 2 / 5,
            Closings::TakenInTwo => thousandths,
            Closings::Refused => 0,
        };
        let trades = [Trade { cents, thousandths: filled }];
        let made = self.make(request, true, if filled == 0 { &[] } else { &trades });
        self.made.push(made.clone());
        made
    }

    fn make(&mut self, request: OrderRequest, arrived: bool, trades: &[Trade]) -> Made {
        let fills: Vec<_> = trades.iter().map(|trade| self.booked_fill(&request, *trade)).collect();
        let filled: i128 = trades.iter().map(|trade| trade.thousandths).sum();
        let OrderKind::Limit { qty, .. } = request.kind else { panic!("a limit, not {request:?}") };
        let whole = filled == i128::from(qty.0 / 100);
        Made {
            request,
            arrived,
            status: if whole { OrderStatus::Filled } else { OrderStatus::Canceled },
            told: Decimal::new(filled, 3),
            fills,
            late: Vec::new(),
        }
    }

    fn booked_fill(&mut self, request: &OrderRequest, trade: Trade) -> Fill {
        let fill = self.fill(request, trade);
        self.book(&fill, trade);
        fill
    }

    /// The money of fills that nobody was told of moves; they are told now.
    pub(super) fn fill_late(&mut self) -> Vec<Fill> {
        let late: Vec<_> = self.made.iter().flat_map(|made| made.late.clone()).collect();
        for fill in &late {
            let cents = fill.price.to_scaled(2, None).expect("cents");
            self.book(fill, Trade { cents: cents.into(), thousandths: 5_000 });
        }
        late
    }

    fn book(&mut self, fill: &Fill, trade: Trade) {
        self.ledger.book(fill.venue.index(), fill.side, trade, self.fees);
    }

    fn fill(&mut self, request: &OrderRequest, trade: Trade) -> Fill {
        self.trades += 1;
        let (fee, dp, coin) = Ledger::new().book(request.venue.index(), request.side, trade, self.fees);
        Fill {
            venue: request.venue,
            symbol: SYMBOL,
            trade_id: Text::new(&self.trades.to_string()).expect("short"),
            order_id: order_id(request),
            client_id: Some(request.client_id),
            side: request.side,
            price: Decimal::new(trade.cents, 2),
            qty: Decimal::new(trade.thousandths, 3),
            fee: Decimal::new(fee, dp),
            fee_asset: asset(coin),
            second_fee: None,
            liquidity: Liquidity::Taker,
            exchange_ts: Timestamp::from_secs(1_000),
        }
    }
}

impl Made {
    /// The order as the exchange tells of it once it ended.
    pub(super) fn told(&self, now: Timestamp) -> Order {
        self.told_as(now, self.status, self.told)
    }

    /// The order as the exchange told of it on the way.
    pub(super) fn told_as(&self, now: Timestamp, status: OrderStatus, filled_qty: Decimal) -> Order {
        Order {
            venue: self.request.venue,
            symbol: SYMBOL,
            order_id: Some(order_id(&self.request)),
            client_id: Some(self.request.client_id),
            side: self.request.side,
            order_type: None,
            status,
            price: None,
            qty: None,
            filled_qty,
            filled_notional: Decimal::ZERO,
            fee: None,
            created_at: now,
            as_of: now,
        }
    }
}
