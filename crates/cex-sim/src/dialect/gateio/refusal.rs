//! What Gate.io says when it says no: a status, a label, a message. One table from the exchange's own refusals.

use super::json::{self, Scaled};
use crate::dialect::HttpAnswer;
use crate::matching::{MarketRules, NewOrder, NewOrderKind, Reject};
use cex_core::Decimal;

/// A refusal: clients branch on the label, then on the status, and do not parse the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// HTTP status.
    pub(super) status: u16,
    /// Gate.io's label of the refusal: `INVALID_PARAM_VALUE`.
    pub(super) label: &'static str,
    /// The message, for people.
    pub(super) message: String,
}

impl Refusal {
    /// A refusal with this status, label and message.
    pub(super) fn new(status: u16, label: &'static str, message: impl Into<String>) -> Self {
        Self { status, label, message: message.into() }
    }

    /// A parameter that makes no sense.
    pub(super) fn bad_param(name: &str, value: &str) -> Self {
        Self::new(400, "INVALID_PARAM_VALUE", format!("Invalid request parameter `{name}` value: {value}"))
    }

    /// A parameter that must be there and is not.
    pub(super) fn missing(name: &str) -> Self {
        Self::new(400, "MISSING_REQUIRED_PARAM", format!("Missing required parameter: {name}"))
    }

    /// A pair that is not listed.
    pub(super) fn unknown_pair(name: &str) -> Self {
        Self::new(400, "INVALID_CURRENCY_PAIR", format!("Invalid currency pair {name}"))
    }

    /// An order that is not there, not the caller's, or has ended.
    pub(super) fn order_not_found() -> Self {
        Self::new(404, "ORDER_NOT_FOUND", "Order not found")
    }

    /// A client order id that was used before.
    pub(super) fn repeated(client_id: &str) -> Self {
        Self::new(400, "REPEATED_CREATION", format!("Order with text {client_id} exists"))
    }

    /// Overloaded, or under maintenance, which has no label of its own.
    pub(super) fn too_busy() -> Self {
        Self::new(503, "TOO_BUSY", "The server is busy, please try again later")
    }

    /// A path that does not exist.
    pub(super) fn not_found() -> Self {
        Self::new(404, "NOT_FOUND", "The requested URL was not found")
    }

    /// A path that exists, with another method.
    pub(super) fn method_not_allowed() -> Self {
        Self::new(405, "METHOD_NOT_ALLOWED", "Method not allowed")
    }

    /// The exchange's refusal of `order`, in Gate.io's words.
    pub(super) fn of(reject: &Reject, rules: &MarketRules, order: &NewOrder) -> Self {
        match reject {
            Reject::UnknownMarket => Self::unknown_pair(&rules.symbol.to_string()),
            Reject::OrderNotFound => Self::order_not_found(),
            Reject::NotPositive => Self::new(400, "INVALID_PARAM_VALUE", "Size and price must be positive"),
            Reject::BelowMinQty => {
                let (size, least) = (base_size(&order.kind), Scaled(rules.min_qty.0, rules.scale.qty_dp()));
                let size = rules.scale.qty_value(cex_core::Qty(size));
                too_small(format_args!("{size}"), rules.symbol.base, least)
            }
            Reject::BelowMinNotional(least) => {
                too_small(format_args!("{:.6}", notional(rules, &order.kind)), rules.symbol.quote, *least)
            }
            Reject::InsufficientBalance { .. } => Self::new(400, "BALANCE_NOT_ENOUGH", "Not enough balance"),
            Reject::WouldTake => Self::new(
                400,
                "POC_FILL_IMMEDIATELY",
                "Order would match and take immediately so its cancelled",
            ),
            Reject::CannotFill => Self::new(400, "FOK_NOT_FILL", "Order cannot be filled completely"),
            Reject::DuplicateClientId => Self::repeated(&order.client_id),
            Reject::TooLarge => Self::new(400, "AMOUNT_TOO_MUCH", "Amount is too large"),
            // No source names the label of a suspended pair, nor that of a frozen account.
            Reject::Halted => Self::unknown_pair(&rules.symbol.to_string()),
            Reject::Frozen => Self::new(403, "FORBIDDEN", "Your account is restricted from trading"),
            Reject::Overloaded => Self::too_busy(),
        }
    }

    /// The body, which ends with a newline as the real one does.
    pub(super) fn body(&self) -> String {
        let mut body = String::new();
        json::object(&mut body, |error| {
            error.text("label", self.label);
            error.text("message", &self.message);
        });
        body.push('\n');
        body
    }

    /// The HTTP answer.
    pub(super) fn answer(&self) -> HttpAnswer {
        HttpAnswer::json(self.status, self.body())
    }
}

/// What is said while orders are not taken: no source names a label for it, so the exchange's word for being busy takes
/// turns with the page of a gateway that has nobody behind it.
pub(super) fn maintenance(turn: u64) -> HttpAnswer {
    if turn % 2 == 1 {
        return Refusal::too_busy().answer();
    }
    HttpAnswer {
        status: 502,
        headers: vec![("content-type", "text/html".to_owned())],
        body: b"<html><head><title>502 Bad Gateway</title></head><body></body></html>".to_vec(),
    }
}

fn too_small(size: std::fmt::Arguments<'_>, unit: cex_core::Asset, least: impl std::fmt::Display) -> Refusal {
    let message = format!("Your order size {size} {unit} is too small. The minimum is {least} {unit}");
    Refusal::new(400, "INVALID_PARAM_VALUE", message)
}

fn base_size(kind: &NewOrderKind) -> i64 {
    match kind {
        NewOrderKind::Limit { qty, .. }
        | NewOrderKind::PostOnly { qty, .. }
        | NewOrderKind::Ioc { qty, .. }
        | NewOrderKind::Fok { qty, .. }
        | NewOrderKind::Market { qty } => qty.0,
        NewOrderKind::MarketNotional { .. } => 0,
    }
}

/// What the order is worth, for the message only.
fn notional(rules: &MarketRules, kind: &NewOrderKind) -> Decimal {
    match kind {
        NewOrderKind::Limit { price, qty }
        | NewOrderKind::PostOnly { price, qty }
        | NewOrderKind::Ioc { price, qty }
        | NewOrderKind::Fok { price, qty } => rules.scale.notional_value(price.times(*qty)),
        NewOrderKind::Market { .. } => Decimal::ZERO,
        NewOrderKind::MarketNotional { notional } => *notional,
    }
}
