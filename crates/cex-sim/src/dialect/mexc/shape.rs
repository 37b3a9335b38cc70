//! Orders and fills as REST shows them, and the words and numbers that REST and the streams use for the same thing.

use super::ids::{OrderId, TradeId};
use crate::dialect::json::{Object, Scaled};
use crate::fault::ForcedEnd;
use crate::matching::{EndReason, Exchange, FillView, MarketRules, NewOrderKind, OrderView};
use cex_core::{Decimal, OrderStatus, Price, Qty, Rounding, Side};

/// Decimals of an average price beyond those of a price; what is finer is cut off.
const AVERAGE_EXTRA_DP: u8 = 4;

/// How far an order has come, in the five states the exchange tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    New,
    Filled,
    PartiallyFilled,
    Canceled,
    PartiallyCanceled,
}

impl State {
    /// The state of an order as it stands.
    pub(super) const fn of(order: &OrderView) -> Self {
        let is_untouched = order.filled_qty.is_zero();
        match order.status {
            OrderStatus::Filled => Self::Filled,
            OrderStatus::PendingNew
            | OrderStatus::New
            | OrderStatus::PartiallyFilled
            | OrderStatus::PendingCancel
            | OrderStatus::Unknown => {
                if is_untouched {
                    Self::New
                } else {
                    Self::PartiallyFilled
                }
            }
            OrderStatus::Canceled | OrderStatus::Rejected | OrderStatus::Expired => {
                if is_untouched {
                    Self::Canceled
                } else {
                    Self::PartiallyCanceled
                }
            }
        }
    }

    /// As REST spells it.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::New => "NEW",
            Self::Filled => "FILLED",
            Self::PartiallyFilled => "PARTIALLY_FILLED",
            Self::Canceled => "CANCELED",
            Self::PartiallyCanceled => "PARTIALLY_CANCELED",
        }
    }

    /// As the stream counts it.
    pub(super) const fn number(self) -> i32 {
        match self {
            Self::New => 1,
            Self::Filled => 2,
            Self::PartiallyFilled => 3,
            Self::Canceled => 4,
            Self::PartiallyCanceled => 5,
        }
    }
}

/// The kind of an order: as REST spells it, as the stream counts it.
pub(super) const fn kind(kind: &NewOrderKind) -> (&'static str, i32) {
    match kind {
        NewOrderKind::Limit { .. } => ("LIMIT", 1),
        NewOrderKind::PostOnly { .. } => ("LIMIT_MAKER", 2),
        NewOrderKind::Ioc { .. } => ("IMMEDIATE_OR_CANCEL", 3),
        NewOrderKind::Fok { .. } => ("FILL_OR_KILL", 4),
        NewOrderKind::Market { .. } | NewOrderKind::MarketNotional { .. } => ("MARKET", 5),
    }
}

/// A side as REST spells it.
pub(super) const fn side_text(side: Side) -> &'static str {
    match side {
        Side::Buy => "BUY",
        Side::Sell => "SELL",
    }
}

/// A side as the streams count it: of a trade the taker's, of an own order or fill ours.
pub(super) const fn side_number(side: Side) -> i32 {
    match side {
        Side::Buy => 1,
        Side::Sell => 2,
    }
}

/// An order with what is needed to show it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown<'a> {
    /// The order.
    pub(super) order: &'a OrderView,
    /// Its market's name.
    pub(super) name: &'a str,
    /// Its market's rules.
    pub(super) rules: &'a MarketRules,
    /// What a market order shows as its price; zero for others.
    pub(super) protective: Price,
    /// Who was to go if it met one of its own; empty for nobody.
    pub(super) stp_mode: &'static str,
}

impl Shown<'_> {
    /// The limit price; of a market order the protective price.
    pub(super) fn price(&self) -> Price {
        match self.order.request.kind {
            NewOrderKind::Limit { price, .. }
            | NewOrderKind::PostOnly { price, .. }
            | NewOrderKind::Ioc { price, .. }
            | NewOrderKind::Fok { price, .. } => price,
            NewOrderKind::Market { .. } | NewOrderKind::MarketNotional { .. } => self.protective,
        }
    }

    /// The ordered quantity; of an order by quote what it filled.
    pub(super) fn qty(&self) -> Qty {
        match self.order.request.kind {
            NewOrderKind::Limit { qty, .. }
            | NewOrderKind::PostOnly { qty, .. }
            | NewOrderKind::Ioc { qty, .. }
            | NewOrderKind::Fok { qty, .. }
            | NewOrderKind::Market { qty } => qty,
            NewOrderKind::MarketNotional { .. } => self.order.filled_qty,
        }
    }

    /// The ordered quote: price times quantity, or what was asked for; zero for a market order by quantity.
    pub(super) fn amount(&self) -> Decimal {
        match self.order.request.kind {
            NewOrderKind::Limit { .. }
            | NewOrderKind::PostOnly { .. }
            | NewOrderKind::Ioc { .. }
            | NewOrderKind::Fok { .. } => self.rules.scale.notional_value(self.price().times(self.qty())),
            NewOrderKind::Market { .. } => Decimal::ZERO,
            NewOrderKind::MarketNotional { notional } => notional,
        }
    }

    /// What is not filled of the quantity.
    pub(super) fn leaves(&self) -> Qty {
        Qty(self.qty().0 - self.order.filled_qty.0)
    }

    /// The average price of the fills, zero before the first.
    pub(super) fn average(&self) -> Decimal {
        let scale = self.rules.scale;
        let filled = scale.qty_value(self.order.filled_qty);
        let dp = scale.price_dp() + AVERAGE_EXTRA_DP;
        self.order.filled_notional.checked_div(filled, dp, Rounding::Down).unwrap_or_default()
    }

    /// A price of this order's market.
    pub(super) const fn price_text(&self, price: Price) -> Scaled {
        Scaled(price.0, self.rules.scale.price_dp())
    }

    /// A quantity of this order's market.
    pub(super) const fn qty_text(&self, qty: Qty) -> Scaled {
        Scaled(qty.0, self.rules.scale.qty_dp())
    }

    /// The answer to a placement: no status, no fills.
    pub(super) fn placed(&self, row: &mut Object<'_>) {
        row.text("symbol", self.name);
        row.quoted("orderId", OrderId(self.order.no));
        row.plain("orderListId", -1);
        row.quoted("price", self.price_text(self.price()));
        row.quoted("origQty", self.qty_text(self.qty()));
        row.quoted("type", kind(&self.order.request.kind).0);
        row.quoted("side", side_text(self.order.request.side));
        row.quoted("stpMode", self.stp_mode);
        row.plain("transactTime", self.order.created_at.as_millis());
    }

    /// The answer to a cancel. The state is the one before: that is how the exchange is.
    pub(super) fn cancelled(&self, row: &mut Object<'_>, state_before: State, with_list: bool) {
        row.text("symbol", self.name);
        row.text("origClientOrderId", &self.order.request.client_id);
        row.quoted("orderId", OrderId(self.order.no));
        if with_list {
            row.plain("orderListId", -1);
        }
        row.text("clientOrderId", &self.order.request.client_id);
        self.progress(row, state_before);
        row.quoted("type", kind(&self.order.request.kind).0);
        row.quoted("side", side_text(self.order.request.side));
    }

    /// The full object of queries.
    pub(super) fn full(&self, row: &mut Object<'_>) {
        row.text("symbol", self.name);
        row.quoted("orderId", OrderId(self.order.no));
        row.plain("orderListId", -1);
        row.text("clientOrderId", &self.order.request.client_id);
        self.progress(row, State::of(self.order));
        row.quoted("type", kind(&self.order.request.kind).0);
        row.quoted("side", side_text(self.order.request.side));
        row.plain("stopPrice", "null");
        row.plain("icebergQty", "null");
        row.plain("time", self.order.created_at.as_millis());
        row.plain("updateTime", self.order.updated_at.as_millis());
        row.plain("isWorking", true);
        row.quoted("stpMode", self.stp_mode);
        let is_own = self.order.end == EndReason::Forced(ForcedEnd::SelfTrade);
        row.quoted("cancelReason", if is_own { "stp_cancel" } else { "" });
        row.quoted("origQuoteOrderQty", self.amount());
    }

    fn progress(&self, row: &mut Object<'_>, state: State) {
        row.quoted("price", self.price_text(self.price()));
        row.quoted("origQty", self.qty_text(self.qty()));
        row.quoted("executedQty", self.qty_text(self.order.filled_qty));
        row.quoted("cummulativeQuoteQty", self.order.filled_notional);
        row.quoted("status", state.text());
        row.plain("timeInForce", "null");
    }
}

/// A fill's id, and whether the account traded with itself: then its ledger has the trade twice.
pub(super) fn trade_id(exchange: &Exchange, fill: &FillView) -> (TradeId, bool) {
    let ledger = exchange.fills(fill.account);
    let first = ledger.partition_point(|known| known.trade < fill.trade);
    let is_self = ledger[first..].iter().take_while(|known| known.trade == fill.trade).count() > 1;
    (TradeId { trade: fill.trade, is_second: is_self && fill.is_maker }, is_self)
}

/// A row of `myTrades` in the market of this name, with the client order id of its order or without.
pub(super) fn fill(
    row: &mut Object<'_>,
    exchange: &Exchange,
    (name, names_order): (&str, bool),
    fill: &FillView,
) {
    let scale = exchange.rules(fill.market).scale;
    let (id, is_self) = trade_id(exchange, fill);
    row.text("symbol", name);
    row.quoted("id", id);
    row.quoted("orderId", OrderId(fill.order));
    row.plain("orderListId", -1);
    row.quoted("price", Scaled(fill.price.0, scale.price_dp()));
    row.quoted("qty", Scaled(fill.qty.0, scale.qty_dp()));
    row.quoted("quoteQty", fill.notional);
    row.quoted("commission", fill.fee);
    row.text("commissionAsset", fill.fee_asset.as_str());
    row.plain("time", fill.at.as_millis());
    row.plain("isBuyer", fill.side == Side::Buy);
    row.plain("isMaker", fill.is_maker);
    row.plain("isBestMatch", true);
    row.plain("isSelfTrade", is_self);
    if names_order && !fill.client_id.is_empty() {
        row.text("clientOrderId", &fill.client_id);
    } else {
        row.plain("clientOrderId", "null");
    }
}
