//! Orders, fills and balances in Gate.io's shapes. REST and WebSocket differ in types and keys on purpose: that is
//! how the exchange is.

use super::json::{Object, Scaled};
use crate::fault::ForcedEnd;
use crate::matching::{
    BalanceChange, BalanceReason, EndReason, FillView, MarketRules, NewOrderKind, OrderView, PublicTrade,
};
use cex_core::{Decimal, OrderStatus, Price, Qty, Rounding, Side, Timestamp};

/// Decimals of an average price; what is finer is cut off.
const AVERAGE_DP: u8 = 12;

/// How much of an order a REST answer shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ActionMode {
    /// Identifiers only.
    Ack,
    /// Without fees.
    Result,
    /// Everything.
    Full,
}

/// An order with what is needed to show it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown<'a> {
    /// The order.
    pub(super) order: &'a OrderView,
    /// Its market's name.
    pub(super) pair: &'a str,
    /// Its market's rules.
    pub(super) rules: &'a MarketRules,
    /// Whether it is a market order that had to fill at once and completely.
    pub(super) is_market_fok: bool,
    /// What the client called its last change; empty for none.
    pub(super) amend_text: &'a str,
    /// Its group for self-trade prevention, 0 for none, and who was to go.
    pub(super) stp: (u32, &'static str),
}

impl Shown<'_> {
    /// The order object of REST.
    pub(super) fn rest(&self, row: &mut Object<'_>, mode: ActionMode) {
        row.quoted("id", self.order.no.0);
        row.text("text", client_text(&self.order.request.client_id));
        row.text("amend_text", self.amend_text());
        if mode == ActionMode::Ack {
            return;
        }
        let (created, updated) = (self.order.created_at, self.order.updated_at);
        row.quoted("create_time", created.as_secs());
        row.quoted("update_time", updated.as_secs());
        row.plain("create_time_ms", created.as_millis());
        row.plain("update_time_ms", updated.as_millis());
        row.quoted("status", status(self.order.status));
        self.terms(row);
        row.quoted("iceberg", 0);
        row.quoted("left", self.left());
        if mode == ActionMode::Full {
            row.quoted("filled_amount", self.filled());
        }
        row.quoted("filled_total", self.order.filled_notional);
        if mode == ActionMode::Full {
            // A deprecated second name of the turnover; it is not a price.
            row.quoted("fill_price", self.order.filled_notional);
        }
        if let Some(average) = self.average() {
            row.quoted("avg_deal_price", average);
        }
        if mode == ActionMode::Full {
            self.rest_fees(row);
        }
        row.plain("stp_id", self.stp.0);
        row.quoted("stp_act", self.stp.1);
        row.quoted("finish_as", finish_as(self.order.end));
    }

    /// The row of `spot.orders`, or of its lite twin, which lacks the fees.
    pub(super) fn stream(&self, row: &mut Object<'_>, user: u64, event: &str, lite: bool) {
        let (created, updated) = (self.order.created_at, self.order.updated_at);
        row.quoted("id", self.order.no.0);
        row.text("text", client_text(&self.order.request.client_id));
        row.quoted("create_time", created.as_secs());
        row.quoted("update_time", updated.as_secs());
        self.terms(row);
        row.quoted("left", self.left());
        row.quoted("filled_total", self.order.filled_notional);
        row.quoted("filled_amount", self.filled());
        row.quoted("avg_deal_price", self.average().unwrap_or(Decimal::ZERO));
        if !lite {
            row.quoted("fee", self.order.fee);
        }
        row.text("fee_currency", self.order.fee_asset.as_str());
        if !lite {
            for zero in ["point_fee", "gt_fee", "rebated_fee"] {
                row.quoted(zero, 0);
            }
        }
        row.text("rebated_fee_currency", self.rules.symbol.quote.as_str());
        row.quoted("create_time_ms", created.as_millis());
        row.quoted("update_time_ms", updated.as_millis());
        row.plain("user", user);
        row.quoted("event", event);
        row.plain("stp_id", self.stp.0);
        row.quoted("stp_act", self.stp.1);
        row.quoted("finish_as", finish_as(self.order.end));
        row.quoted("biz_info", "-");
        row.text("amend_text", self.amend_text());
    }

    const fn amend_text(&self) -> &str {
        if self.amend_text.is_empty() { "-" } else { self.amend_text }
    }

    /// What was asked for, in the keys REST and WebSocket share.
    fn terms(&self, row: &mut Object<'_>) {
        let (price_dp, qty_dp) = (self.rules.scale.price_dp(), self.rules.scale.qty_dp());
        let (is_market, tif) = match &self.order.request.kind {
            NewOrderKind::Limit { .. } => (false, "gtc"),
            NewOrderKind::PostOnly { .. } => (false, "poc"),
            NewOrderKind::Ioc { .. } => (false, "ioc"),
            NewOrderKind::Fok { .. } => (false, "fok"),
            NewOrderKind::Market { .. } | NewOrderKind::MarketNotional { .. } => {
                (true, if self.is_market_fok { "fok" } else { "ioc" })
            }
        };
        row.text("currency_pair", self.pair);
        row.quoted("type", if is_market { "market" } else { "limit" });
        row.quoted("account", "spot");
        row.quoted("side", self.order.request.side);
        match &self.order.request.kind {
            NewOrderKind::Limit { price, qty }
            | NewOrderKind::PostOnly { price, qty }
            | NewOrderKind::Ioc { price, qty }
            | NewOrderKind::Fok { price, qty } => {
                row.quoted("amount", Scaled(qty.0, qty_dp));
                row.quoted("price", Scaled(price.0, price_dp));
            }
            NewOrderKind::Market { qty } => {
                row.quoted("amount", Scaled(qty.0, qty_dp));
                row.quoted("price", 0);
            }
            NewOrderKind::MarketNotional { notional } => {
                row.quoted("amount", notional);
                row.quoted("price", 0);
            }
        }
        row.quoted("time_in_force", tif);
    }

    fn rest_fees(&self, row: &mut Object<'_>) {
        row.quoted("fee", self.order.fee);
        row.text("fee_currency", self.order.fee_asset.as_str());
        for zero in ["point_fee", "gt_fee", "gt_maker_fee", "gt_taker_fee"] {
            row.quoted(zero, 0);
        }
        row.plain("gt_discount", false);
        row.quoted("rebated_fee", 0);
        row.text("rebated_fee_currency", self.rules.symbol.quote.as_str());
    }

    fn filled(&self) -> Scaled {
        Scaled(self.order.filled_qty.0, self.rules.scale.qty_dp())
    }

    /// What is not filled, in the unit of `amount`: quote for a market buy.
    fn left(&self) -> Decimal {
        match &self.order.request.kind {
            NewOrderKind::Limit { qty, .. }
            | NewOrderKind::PostOnly { qty, .. }
            | NewOrderKind::Ioc { qty, .. }
            | NewOrderKind::Fok { qty, .. }
            | NewOrderKind::Market { qty } => {
                self.rules.scale.qty_value(Qty(qty.0 - self.order.filled_qty.0))
            }
            NewOrderKind::MarketNotional { notional } => notional
                .checked_sub(self.order.filled_notional)
                .expect("both have at most the decimals of price and quantity together"),
        }
    }

    fn average(&self) -> Option<Decimal> {
        let filled = self.rules.scale.qty_value(self.order.filled_qty);
        self.order.filled_notional.checked_div(filled, AVERAGE_DP, Rounding::Down).ok()
    }
}

/// A row of `my_trades`.
pub(super) fn rest_fill(row: &mut Object<'_>, fill: &FillView, pair: &str, rules: &MarketRules) {
    row.quoted("id", fill.trade.0);
    row.quoted("create_time", fill.at.as_secs());
    row.quoted("create_time_ms", FineMillis(fill.at));
    row.text("currency_pair", pair);
    row.quoted("side", fill.side);
    row.quoted("role", role(fill));
    row.quoted("amount", Scaled(fill.qty.0, rules.scale.qty_dp()));
    row.quoted("price", Scaled(fill.price.0, rules.scale.price_dp()));
    row.quoted("order_id", fill.order.0);
    row.quoted("fee", fill.fee);
    row.text("fee_currency", fill.fee_asset.as_str());
    row.quoted("point_fee", 0);
    row.quoted("gt_fee", 0);
    row.quoted("amend_text", "-");
    row.quoted("sequence_id", fill.market_trade);
    row.text("text", client_text(&fill.client_id));
    row.quoted("deal", fill.notional);
}

/// A row of `spot.usertrades`, or of its lite twin.
pub(super) fn stream_fill(
    row: &mut Object<'_>,
    fill: &FillView,
    pair: &str,
    rules: &MarketRules,
    user: u64,
    lite: bool,
) {
    row.plain("id", fill.trade.0);
    row.plain("user_id", user);
    row.quoted("order_id", fill.order.0);
    row.text("currency_pair", pair);
    row.plain("create_time", fill.at.as_secs());
    row.quoted("create_time_ms", FineMillis(fill.at));
    row.quoted("side", fill.side);
    row.quoted("amount", Scaled(fill.qty.0, rules.scale.qty_dp()));
    row.quoted("role", role(fill));
    row.quoted("price", Scaled(fill.price.0, rules.scale.price_dp()));
    if !lite {
        row.quoted("fee", fill.fee);
        row.text("fee_currency", fill.fee_asset.as_str());
        row.quoted("point_fee", 0);
        row.quoted("gt_fee", 0);
    }
    row.text("text", client_text(&fill.client_id));
    row.plain("id_market", fill.market_trade);
    if !lite {
        row.quoted("amend_text", "-");
        row.quoted("biz_info", "-");
    }
}

/// A row of `spot.balances`.
pub(super) fn stream_balance(row: &mut Object<'_>, change: &BalanceChange, user: u64) {
    let sum = |left: Decimal, right: Decimal| left.checked_add(right).expect("a balance fits its own ledger");
    row.quoted("timestamp", change.at.as_secs());
    row.quoted("timestamp_ms", change.at.as_millis());
    row.quoted("user", user);
    row.text("currency", change.asset.as_str());
    row.quoted("change", sum(change.free_change, change.locked_change));
    row.quoted("total", sum(change.free, change.locked));
    row.quoted("available", change.free);
    row.quoted("freeze", change.locked);
    row.quoted("freeze_change", change.locked_change);
    row.quoted("change_type", change_type(change.reason));
}

/// A row of the public REST trades.
pub(super) fn rest_trade(row: &mut Object<'_>, trade: &PublicTrade, pair: &str, rules: &MarketRules) {
    row.quoted("id", trade.trade.0);
    row.quoted("create_time", trade.at.as_secs());
    row.quoted("create_time_ms", FineMillis(trade.at));
    row.text("currency_pair", pair);
    row.quoted("side", trade.taker);
    row.quoted("amount", Scaled(trade.qty.0, rules.scale.qty_dp()));
    row.quoted("price", Scaled(trade.price.0, rules.scale.price_dp()));
    row.quoted("sequence_id", trade.market_trade);
}

/// The result of a `spot.trades` frame.
pub(super) fn stream_trade(row: &mut Object<'_>, trade: &PublicTrade, pair: &str, rules: &MarketRules) {
    row.plain("id", trade.trade.0);
    row.plain("id_market", trade.market_trade);
    row.plain("create_time", trade.at.as_secs());
    row.quoted("create_time_ms", FineMillis(trade.at));
    row.quoted("side", trade.taker);
    row.text("currency_pair", pair);
    row.quoted("amount", Scaled(trade.qty.0, rules.scale.qty_dp()));
    row.quoted("price", Scaled(trade.price.0, rules.scale.price_dp()));
    row.quoted("range", format_args!("{0}-{0}", trade.market_trade));
}

/// A book level as `["price","amount"]`.
pub(super) fn level(out: &mut String, (price, qty): (Price, Qty), rules: &MarketRules) {
    out.push_str("[\"");
    super::json::scaled(out, Scaled(price.0, rules.scale.price_dp()));
    out.push_str("\",\"");
    super::json::scaled(out, Scaled(qty.0, rules.scale.qty_dp()));
    out.push_str("\"]");
}

/// What an order event on the stream is called.
pub(super) fn order_event(order: &OrderView) -> &'static str {
    match order.status {
        // It was changed since.
        OrderStatus::PendingNew | OrderStatus::New if order.updated_at != order.created_at => "update",
        OrderStatus::PendingNew | OrderStatus::New => "put",
        OrderStatus::PartiallyFilled | OrderStatus::PendingCancel | OrderStatus::Unknown => "update",
        OrderStatus::Filled | OrderStatus::Canceled | OrderStatus::Rejected | OrderStatus::Expired => {
            "finish"
        }
    }
}

/// Milliseconds with six decimals, as trades carry them.
struct FineMillis(Timestamp);

impl std::fmt::Display for FineMillis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:06}", self.0.as_millis(), self.0.as_nanos().rem_euclid(1_000_000))
    }
}

/// An order without a client id shows where it came from instead.
pub(super) fn client_text(client_id: &str) -> &str {
    if client_id.is_empty() { "apiv4" } else { client_id }
}

const fn role(fill: &FillView) -> &'static str {
    if fill.is_maker { "maker" } else { "taker" }
}

/// `cancelled` means ended before it was full, whatever was filled.
const fn status(status: OrderStatus) -> &'static str {
    match status {
        OrderStatus::PendingNew
        | OrderStatus::New
        | OrderStatus::PartiallyFilled
        | OrderStatus::PendingCancel
        | OrderStatus::Unknown => "open",
        OrderStatus::Filled => "closed",
        OrderStatus::Canceled | OrderStatus::Rejected | OrderStatus::Expired => "cancelled",
    }
}

const fn finish_as(end: EndReason) -> &'static str {
    match end {
        EndReason::Open => "open",
        EndReason::Filled => "filled",
        EndReason::Canceled => "cancelled",
        EndReason::Ioc => "ioc",
        EndReason::NoLiquidity | EndReason::Forced(ForcedEnd::Depth) => "depth_not_enough",
        EndReason::Forced(ForcedEnd::SelfTrade) => "stp",
        EndReason::Forced(ForcedEnd::Trader) => "trader_not_enough",
        EndReason::Forced(ForcedEnd::Small) => "small",
        EndReason::Forced(ForcedEnd::Liquidation) => "liquidate_cancelled",
        EndReason::Forced(ForcedEnd::PriceProtection) => "price_protect_cancelled",
    }
}

/// What a change of a balance is called.
pub(super) const fn change_type(reason: BalanceReason) -> &'static str {
    match reason {
        BalanceReason::Deposit => "deposit",
        BalanceReason::OrderPlaced => "order-create",
        BalanceReason::OrderReleased => "order-update",
        BalanceReason::Fill => "order-match",
        BalanceReason::Fee => "trade-fee-deduct",
        BalanceReason::Transfer => "spot-transfer",
    }
}

/// The side of an order as a request spells it.
pub(super) fn parse_side(text: &str) -> Option<Side> {
    match text {
        "buy" => Some(Side::Buy),
        "sell" => Some(Side::Sell),
        _ => None,
    }
}
