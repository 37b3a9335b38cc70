//! What MEXC says when it says no: a code and a sentence. One table from the exchange's own refusals.

use crate::dialect::HttpAnswer;
use crate::dialect::json;
use crate::matching::{MarketRules, Reject};
use cex_core::Asset;
use std::borrow::Cow;
use std::fmt::Display;

/// A refusal. Clients branch on the code, some also look for the sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// HTTP status: 400 for every business error.
    pub(super) status: u16,
    /// The exchange's own code.
    pub(super) code: i32,
    /// The sentence.
    pub(super) message: Cow<'static, str>,
    /// Seconds to wait, on refusals for asking too often.
    pub(super) retry_after: Option<u64>,
}

impl Refusal {
    /// A business error.
    pub(super) fn new(code: i32, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status: 400, code, message: message.into(), retry_after: None }
    }

    /// A path or method that does not exist.
    pub(super) fn not_found() -> Self {
        Self { status: 404, ..Self::new(404, "Not Found") }
    }

    /// Too many requests: 429, or 418 once that was ignored too often.
    pub(super) fn too_many(status: u16, retry_after: u64) -> Self {
        let refusal = Self::new(i32::from(status), "Too Many Requests");
        Self { status, retry_after: Some(retry_after), ..refusal }
    }

    /// A parameter that must be there and make sense.
    pub(super) fn mandatory(name: &str) -> Self {
        let message = format!("Mandatory parameter '{name}' was not sent, was empty/null, or malformed.");
        Self::new(700_004, message)
    }

    /// A symbol that is not listed, in market data.
    pub(super) fn unknown_symbol() -> Self {
        Self::new(-1121, "Invalid symbol.")
    }

    /// A symbol that is not listed, where orders are concerned.
    pub(super) fn bad_symbol() -> Self {
        Self::new(10_007, "bad symbol")
    }

    /// An order that cannot be cancelled.
    pub(super) fn unknown_order() -> Self {
        Self::new(-2011, "Unknown order sent.")
    }

    /// An order that is not found.
    pub(super) fn no_such_order() -> Self {
        Self::new(-2013, "Order does not exist.")
    }

    /// Below the least value or quantity.
    pub(super) fn below_minimum(least: impl Display, unit: Asset) -> Self {
        Self::new(30_002, format!("The minimum transaction volume cannot be less than:{least}{unit}"))
    }

    /// Above the largest value.
    pub(super) fn above_maximum() -> Self {
        Self::new(30_003, "maximum transaction volume exceeded")
    }

    /// A client order id that was used before. No source knows the code.
    pub(super) fn duplicate_client_id() -> Self {
        Self::new(400, "duplicate client order id")
    }

    /// The exchange's refusal of an order, in MEXC's words.
    pub(super) fn of(reject: &Reject, rules: &MarketRules) -> Self {
        match reject {
            Reject::UnknownMarket => Self::bad_symbol(),
            Reject::OrderNotFound => Self::unknown_order(),
            Reject::NotPositive => Self::new(10_102, "amount cannot be zero or negative"),
            Reject::BelowMinQty => {
                Self::below_minimum(rules.scale.qty_value(rules.min_qty), rules.symbol.base)
            }
            Reject::BelowMinNotional(least) => Self::below_minimum(least, rules.symbol.quote),
            Reject::InsufficientBalance { asset, .. } if *asset == rules.symbol.base => {
                Self::new(30_005, "Oversold")
            }
            Reject::InsufficientBalance { .. } => Self::new(30_004, "Insufficient position"),
            // No source names a code for these two; both are the nearest in meaning.
            Reject::WouldTake => Self::new(30_010, "no valid trade price"),
            Reject::CannotFill => Self::no_counter_order(),
            Reject::DuplicateClientId => Self::duplicate_client_id(),
            Reject::TooLarge => Self::above_maximum(),
            Reject::Halted => Self::new(30_000, "suspended transaction for the symbol"),
            Reject::Frozen => Self::new(10_098, "risk control system detected abnormal"),
            Reject::Overloaded => {
                Self { status: 503, ..Self::new(503, "Service not available, please try again") }
            }
        }
    }

    /// Nothing to trade with.
    pub(super) fn no_counter_order() -> Self {
        Self::new(30_025, "no exist opponent order")
    }

    /// The HTTP answer.
    pub(super) fn answer(&self) -> HttpAnswer {
        let mut body = String::new();
        json::object(&mut body, |error| {
            error.plain("code", self.code);
            error.text("msg", &self.message);
        });
        let mut answer = HttpAnswer::json(self.status, body);
        answer.headers.extend(self.retry_after.map(|seconds| ("retry-after", seconds.to_string())));
        answer
    }
}

/// What is said while orders are not taken: a code of its own takes turns with the general one, which says `message`
/// instead of `msg` and points to an announcement.
pub(super) fn maintenance(turn: u64) -> HttpAnswer {
    if turn % 2 == 1 {
        return Refusal::new(604, "The system is under maintenance").answer();
    }
    let mut body = String::new();
    json::object(&mut body, |error| {
        error.plain("code", 500);
        error.text("message", "Under maintenance, please try again later");
        error.text("announcement", "https://www.mexc.com/support");
    });
    HttpAnswer::json(503, body)
}
