//! The exchange's labels and codes to [`ErrorKind`]: one table (GATEIO-REST-26).

use crate::limits;
use crate::wire::{ErrorBody, StreamError, parse, text};
use cex_core::VenueId;
use cex_errors::{ErrorKind, ExchangeError, Op, Outcome};
use cex_interface::HttpResponse;

/// Every label known, of calls and of the trading interface of the streams alike.
const LABELS: &[(&str, ErrorKind)] = &[
    // What was sent is malformed.
    ("INVALID_PARAM_VALUE", ErrorKind::InvalidRequest),
    ("INVALID_PROTOCOL", ErrorKind::InvalidRequest),
    ("INVALID_ARGUMENT", ErrorKind::InvalidRequest),
    ("INVALID_REQUEST_BODY", ErrorKind::InvalidRequest),
    ("MISSING_REQUIRED_PARAM", ErrorKind::InvalidRequest),
    ("BAD_REQUEST", ErrorKind::InvalidRequest),
    ("INVALID_CONTENT_TYPE", ErrorKind::InvalidRequest),
    ("NOT_ACCEPTABLE", ErrorKind::InvalidRequest),
    ("METHOD_NOT_ALLOWED", ErrorKind::InvalidRequest),
    ("NOT_FOUND", ErrorKind::InvalidRequest),
    ("INVALID_CLIENT_ORDER_ID", ErrorKind::InvalidRequest),
    ("TOO_MANY_ORDERS", ErrorKind::InvalidRequest),
    ("TOO_MANY_CURRENCY_PAIRS", ErrorKind::InvalidRequest),
    ("MIXED_ACCOUNT_TYPE", ErrorKind::InvalidRequest),
    ("MARGIN_NOT_SUPPORTED", ErrorKind::InvalidRequest),
    // Who sent it.
    ("INVALID_CREDENTIALS", ErrorKind::InvalidKey),
    ("INVALID_KEY", ErrorKind::InvalidKey),
    ("AUTHENTICATION_FAILED", ErrorKind::InvalidKey),
    ("INVALID_SIGNATURE", ErrorKind::InvalidSignature),
    ("MISSING_REQUIRED_HEADER", ErrorKind::InvalidSignature),
    ("REQUEST_EXPIRED", ErrorKind::ClockSkew),
    ("IP_FORBIDDEN", ErrorKind::PermissionDenied),
    ("READ_ONLY", ErrorKind::PermissionDenied),
    ("FORBIDDEN", ErrorKind::PermissionDenied),
    ("ACCOUNT_LOCKED", ErrorKind::AccountRestricted),
    ("SUB_ACCOUNT_LOCKED", ErrorKind::AccountRestricted),
    ("ACCOUNT_EXCEPTION", ErrorKind::AccountRestricted),
    ("MARGIN_BALANCE_EXCEPTION", ErrorKind::AccountRestricted),
    ("INVALID_UNIFIED_ACCOUNT", ErrorKind::AccountRestricted),
    ("UNIFIED_ACCOUNT_NOT_ACTIVATED", ErrorKind::AccountRestricted),
    ("USER_NOT_FOUND", ErrorKind::AccountRestricted),
    // How often.
    ("TOO_MANY_REQUESTS", ErrorKind::RateLimited { retry_after: None }),
    ("TOO_FAST", ErrorKind::RateLimited { retry_after: None }),
    // What it was about.
    ("INVALID_CURRENCY", ErrorKind::InvalidSymbol),
    ("INVALID_CURRENCY_PAIR", ErrorKind::InvalidSymbol),
    ("INVALID_PRECISION", ErrorKind::Precision),
    ("AMOUNT_TOO_LITTLE", ErrorKind::BelowMinimum),
    ("AMOUNT_TOO_MUCH", ErrorKind::AboveMaximum),
    ("PRICE_THRESHOLD_EXCEEDED", ErrorKind::PriceOutOfBand),
    ("TRADE_RESTRICTED", ErrorKind::TradingHalted),
    ("ORDER_BOOK_NOT_FOUND", ErrorKind::TradingHalted),
    ("API_WITHDRAW_DISABLED", ErrorKind::TradingHalted),
    ("QUANTITY_NOT_ENOUGH", ErrorKind::InsufficientBalance),
    ("BALANCE_NOT_ENOUGH", ErrorKind::InsufficientBalance),
    ("MARGIN_BALANCE_NOT_ENOUGH", ErrorKind::InsufficientBalance),
    ("INITIAL_MARGIN_TOO_LOW", ErrorKind::InsufficientBalance),
    ("AUTO_BORROW_TOO_MUCH", ErrorKind::InsufficientBalance),
    // What became of the order. A finished order answers like an unknown one: read it again.
    ("POC_FILL_IMMEDIATELY", ErrorKind::PostOnlyWouldTake),
    ("ORDER_POC_IMMEDIATE", ErrorKind::PostOnlyWouldTake),
    ("FOK_NOT_FILL", ErrorKind::FokNotFilled),
    ("ORDER_NOT_FOUND", ErrorKind::OrderNotFound),
    ("CLIENT_ID_NOT_FOUND", ErrorKind::OrderNotFound),
    ("ORDER_CLOSED", ErrorKind::OrderNotFound),
    ("ORDER_CANCELLED", ErrorKind::OrderNotFound),
    ("ORDER_FINISHED", ErrorKind::OrderNotFound),
    ("NO_CHANGE", ErrorKind::NoChange),
    // Not reliably told (GATEIO-ORD-10), so never relied upon.
    ("REPEATED_CREATION", ErrorKind::DuplicateClientId),
    ("DUPLICATE_REQUEST", ErrorKind::DuplicateClientId),
    ("ORDER_EXISTS", ErrorKind::DuplicateClientId),
    // The exchange is in trouble: a write may have been executed, a cancelled order may still live.
    ("CANCEL_FAIL", ErrorKind::ServerBusy),
    ("FAILED_RETRIEVE_ASSETS", ErrorKind::ServerBusy),
    ("INTERNAL", ErrorKind::ServerBusy),
    ("SERVER_ERROR", ErrorKind::ServerBusy),
    ("INTERNAL_SERVER_ERROR", ErrorKind::ServerBusy),
    ("TOO_BUSY", ErrorKind::ServerBusy),
    ("SERVER_TIMEOUT", ErrorKind::ServerBusy),
];

/// What a label means as the answer to a call. The message is looked at for one case only: an order that is too small
/// answers with the label of any bad parameter (GATEIO-REST-27).
pub(crate) fn kind_of(op: Op, label: &str, message: &str) -> ErrorKind {
    if label == "INVALID_PARAM_VALUE"
        && message.starts_with("Your order size")
        && message.contains("is too small")
    {
        return ErrorKind::BelowMinimum;
    }
    match LABELS.iter().find(|(known, _)| *known == label).map(|(_, kind)| kind) {
        // An order that is placed cannot have been missed or have ended before: what the answer means is not known.
        Some(ErrorKind::OrderNotFound) if op == Op::PlaceOrder => ErrorKind::Unmapped,
        Some(known) => known.clone(),
        None => ErrorKind::Unmapped,
    }
}

/// Whether a label says that there were too many calls.
pub(crate) fn is_limit(label: &str) -> bool {
    LABELS.iter().any(|(known, kind)| *known == label && matches!(kind, ErrorKind::RateLimited { .. }))
}

/// The error of an answer that is not a success.
pub(crate) fn of_response(venue: VenueId, op: Op, response: &HttpResponse<'_>) -> ExchangeError {
    let body = parse::<ErrorBody<'_>>(response.body).ok();
    let label = text(body.as_ref().and_then(|body| body.label.as_ref()));
    let words = body.as_ref().and_then(|body| body.message.as_ref().or(body.detail.as_ref()));
    let kind = match kind_of(op, label, text(words)) {
        // Label first, status second: several labels come with more than one status (GATEIO-REST-05).
        ErrorKind::RateLimited { .. } => {
            ErrorKind::RateLimited { retry_after: limits::retry_after(response) }
        }
        ErrorKind::Unmapped => of_status(label, response),
        known => careful(op, response.status, known),
    };
    let error = ExchangeError::new(venue, op, kind);
    if label.is_empty() {
        return error.with_code(&format!("HTTP {}", response.status), text(words));
    }
    error.with_code(label, text(words))
}

/// A 5xx leaves open whether a write was executed, whatever label it carries (GATEIO-REST-07). Only a limit and a time that
/// passed are certain: what met them was not processed (GATEIO-REST-26).
fn careful(op: Op, status: u16, kind: ErrorKind) -> ErrorKind {
    let writes_orders = matches!(op, Op::PlaceOrder | Op::AmendOrder | Op::CancelOrder | Op::CancelAll);
    let is_certain = matches!(kind, ErrorKind::RateLimited { .. } | ErrorKind::ClockSkew);
    if status >= 500 && writes_orders && !is_certain && kind.outcome() == Outcome::Refused {
        ErrorKind::ServerBusy
    } else {
        kind
    }
}

/// The error hidden in a 2xx answer: a label that is not empty (GATEIO-REST-05).
pub(crate) fn of_success(venue: VenueId, op: Op, response: &HttpResponse<'_>) -> Option<ExchangeError> {
    let body = parse::<ErrorBody<'_>>(response.body).ok()?;
    let failed = body.label.is_some_and(|label| !label.as_str().is_empty());
    failed.then(|| of_response(venue, op, response))
}

/// The meaning of an answer whose label no table knows, or that has none: gateways answer in HTML
/// (GATEIO-REST-07).
fn of_status(label: &str, response: &HttpResponse<'_>) -> ErrorKind {
    match response.status {
        429 => ErrorKind::RateLimited { retry_after: limits::retry_after(response) },
        500.. => ErrorKind::ServerBusy,
        _ if label.is_empty() => ErrorKind::Undecodable("an error without a label"),
        _ => ErrorKind::Unmapped,
    }
}

/// The error of a refusal on the streams (GATEIO-WS-05).
pub(crate) fn of_stream(venue: VenueId, op: Op, error: &StreamError<'_>) -> ExchangeError {
    let message = text(error.message.as_ref());
    let embedded = parse::<ErrorBody<'_>>(message.as_bytes()).ok();
    let label = text(embedded.as_ref().and_then(|body| body.label.as_ref()));
    let words = text(embedded.as_ref().and_then(|body| body.message.as_ref().or(body.detail.as_ref())));
    if !label.is_empty() {
        return ExchangeError::new(venue, op, kind_of(op, label, words)).with_code(label, words);
    }
    let kind = match error.code.as_str() {
        "1" => ErrorKind::InvalidRequest,
        "2" => ErrorKind::SubscriptionRefused,
        "3" => ErrorKind::ServerBusy,
        "4" | "6" | "11" => ErrorKind::InvalidKey,
        _ => ErrorKind::Unmapped,
    };
    ExchangeError::new(venue, op, kind).with_code(error.code.as_str(), message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::venue;
    use cex_errors::Retry;
    use std::time::Duration;

    fn response<'a>(status: u16, headers: &'a [(&'a str, &'a [u8])], body: &'a str) -> HttpResponse<'a> {
        HttpResponse { status, headers, body: body.as_bytes() }
    }

    #[test]
    fn labels_are_listed_once() {
        for (index, (label, _)) in LABELS.iter().enumerate() {
            assert!(LABELS[..index].iter().all(|(earlier, _)| earlier != label), "{label}");
        }
    }

    /// Every label of the wire reference's table, by the category it has there (GATEIO-REST-26).
    #[test]
    fn every_label_of_the_reference_has_its_category() {
        use ErrorKind as K;
        let limited = K::RateLimited { retry_after: None };
        let table: &[(&str, &str, &[K])] = &[
            (
                "InvalidParam",
                "INVALID_PARAM_VALUE INVALID_PROTOCOL INVALID_ARGUMENT INVALID_REQUEST_BODY MISSING_REQUIRED_PARAM \
                 BAD_REQUEST INVALID_CONTENT_TYPE NOT_ACCEPTABLE METHOD_NOT_ALLOWED NOT_FOUND INVALID_PRECISION \
                 MARGIN_NOT_SUPPORTED INVALID_CLIENT_ORDER_ID TOO_MANY_ORDERS TOO_MANY_CURRENCY_PAIRS MIXED_ACCOUNT_TYPE",
                &[K::InvalidRequest, K::Precision],
            ),
            (
                "Auth",
                "INVALID_CREDENTIALS INVALID_KEY INVALID_SIGNATURE MISSING_REQUIRED_HEADER AUTHENTICATION_FAILED",
                &[K::InvalidKey, K::InvalidSignature],
            ),
            ("ClockSkew", "REQUEST_EXPIRED", &[K::ClockSkew]),
            ("Permission", "IP_FORBIDDEN READ_ONLY FORBIDDEN", &[K::PermissionDenied]),
            (
                "AccountState",
                "ACCOUNT_LOCKED SUB_ACCOUNT_LOCKED ACCOUNT_EXCEPTION MARGIN_BALANCE_EXCEPTION INVALID_UNIFIED_ACCOUNT \
                 UNIFIED_ACCOUNT_NOT_ACTIVATED USER_NOT_FOUND",
                &[K::AccountRestricted],
            ),
            ("RateLimited", "TOO_MANY_REQUESTS TOO_FAST", &[limited]),
            ("BadSymbol", "INVALID_CURRENCY INVALID_CURRENCY_PAIR", &[K::InvalidSymbol]),
            ("MinSize", "AMOUNT_TOO_LITTLE", &[K::BelowMinimum]),
            ("MaxSize", "AMOUNT_TOO_MUCH", &[K::AboveMaximum]),
            (
                "InsufficientBalance",
                "QUANTITY_NOT_ENOUGH BALANCE_NOT_ENOUGH MARGIN_BALANCE_NOT_ENOUGH INITIAL_MARGIN_TOO_LOW \
                 AUTO_BORROW_TOO_MUCH",
                &[K::InsufficientBalance],
            ),
            (
                "TradingSuspended",
                "TRADE_RESTRICTED ORDER_BOOK_NOT_FOUND API_WITHDRAW_DISABLED",
                &[K::TradingHalted],
            ),
            ("PostOnlyWouldTake", "POC_FILL_IMMEDIATELY ORDER_POC_IMMEDIATE", &[K::PostOnlyWouldTake]),
            ("FokNotFilled", "FOK_NOT_FILL", &[K::FokNotFilled]),
            (
                "OrderNotFound",
                "ORDER_NOT_FOUND CLIENT_ID_NOT_FOUND ORDER_CLOSED ORDER_CANCELLED ORDER_FINISHED",
                &[K::OrderNotFound],
            ),
            ("NoChange", "NO_CHANGE", &[K::NoChange]),
            (
                "DuplicateClientId",
                "REPEATED_CREATION DUPLICATE_REQUEST ORDER_EXISTS",
                &[K::DuplicateClientId],
            ),
            ("PriceBand", "PRICE_THRESHOLD_EXCEEDED", &[K::PriceOutOfBand]),
            (
                "Ambiguous",
                "CANCEL_FAIL FAILED_RETRIEVE_ASSETS INTERNAL SERVER_ERROR INTERNAL_SERVER_ERROR TOO_BUSY \
                 SERVER_TIMEOUT",
                &[K::ServerBusy],
            ),
        ];
        let mut listed = 0;
        for (category, labels, kinds) in table {
            for label in labels.split_ascii_whitespace() {
                listed += 1;
                let kind = kind_of(Op::CancelOrder, label, "");
                assert!(kinds.contains(&kind), "{label} is {category}, not {kind:?}");
            }
        }
        assert_eq!(listed, LABELS.len(), "the table has a label the reference has not");
    }

    #[test]
    fn a_small_order_is_told_from_other_bad_parameters() {
        let check =
            |message, expected| assert_eq!(kind_of(Op::PlaceOrder, "INVALID_PARAM_VALUE", message), expected);
        check("Your order size 0.600000 USDT is too small. The minimum is 3 USDT", ErrorKind::BelowMinimum);
        check("Invalid parameter `text` with value: abc", ErrorKind::InvalidRequest);
    }

    #[test]
    fn answers_are_told_by_label_then_by_status() {
        let check = |status, body: &str, expected: ErrorKind| {
            let error = of_response(venue(), Op::PlaceOrder, &response(status, &[], body));
            assert_eq!(error.kind, expected, "{status} {body}");
        };
        check(
            400,
            "{\"label\":\"BALANCE_NOT_ENOUGH\",\"message\":\"Not enough balance\"}\n",
            ErrorKind::InsufficientBalance,
        );
        check(400, "{\"label\":\"INVALID_ARGUMENT\",\"detail\":\"invalid size\"}", ErrorKind::InvalidRequest);
        check(400, "{\"label\":\"REQUEST_EXPIRED\",\"message\":\"x\"}", ErrorKind::ClockSkew);
        check(403, "{\"label\":\"REQUEST_EXPIRED\",\"message\":\"x\"}", ErrorKind::ClockSkew);
        check(400, "{\"label\":\"CANCEL_FAIL\",\"message\":\"x\"}", ErrorKind::ServerBusy);
        check(500, "{\"label\":\"INTERNAL\",\"message\":\"x\"}", ErrorKind::ServerBusy);
        check(400, "{\"label\":\"BRAND_NEW\",\"message\":\"x\"}", ErrorKind::Unmapped);
        check(503, "{\"label\":\"BRAND_NEW\",\"message\":\"x\"}", ErrorKind::ServerBusy);
        check(502, "<html>bad gateway</html>", ErrorKind::ServerBusy);
        check(504, "", ErrorKind::ServerBusy);
        check(400, "{\"label\":\"INVALID_PAR", ErrorKind::Undecodable("an error without a label"));
        check(404, "", ErrorKind::Undecodable("an error without a label"));
        check(429, "<html>slow down</html>", ErrorKind::RateLimited { retry_after: None });
    }

    /// GATEIO-REST-07.
    #[test]
    fn a_write_that_the_server_failed_at_is_unknown_whatever_its_label() {
        for (label, kind) in LABELS {
            let body = format!("{{\"label\":\"{label}\",\"message\":\"x\"}}");
            for status in [500, 502, 503, 504] {
                let error = |op| of_response(venue(), op, &response(status, &[], &body));
                for op in [Op::PlaceOrder, Op::AmendOrder, Op::CancelOrder, Op::CancelAll] {
                    let certain = matches!(kind, ErrorKind::RateLimited { .. } | ErrorKind::ClockSkew);
                    let expected = if certain { Outcome::Refused } else { Outcome::Unknown };
                    assert_eq!(error(op).outcome(), expected, "{status} {label} {op}");
                }
                assert_eq!(error(Op::QueryOrder).kind, *kind, "{status} {label}: a read executes nothing");
            }
        }
    }

    #[test]
    fn a_write_with_an_unknown_label_is_unknown() {
        let error = of_response(venue(), Op::PlaceOrder, &response(400, &[], "{\"label\":\"BRAND_NEW\"}"));
        assert_eq!((error.outcome(), error.retry()), (Outcome::Unknown, Retry::Never));
        assert_eq!(error.api_code.expect("kept").as_str(), "BRAND_NEW");
        let error = of_response(venue(), Op::PlaceOrder, &response(502, &[], "<html>"));
        assert_eq!(error.to_string(), "gateio place order: exchange is overloaded or broken (HTTP 502)");
    }

    #[test]
    fn an_order_not_found_is_news_of_a_cancel_and_none_of_a_placement() {
        let labels = LABELS.iter().filter(|(_, kind)| *kind == ErrorKind::OrderNotFound);
        let labels: Vec<&str> = labels.map(|(label, _)| *label).collect();
        assert_eq!(labels.len(), 5);
        for label in labels {
            let body = format!("{{\"label\":\"{label}\",\"message\":\"?\"}}");
            for status in [200, 400, 404] {
                let error = |op| of_response(venue(), op, &response(status, &[], &body));
                let placed = error(Op::PlaceOrder);
                assert_eq!((placed.outcome(), placed.retry()), (Outcome::Unknown, Retry::Never), "{label}");
                for op in [Op::CancelOrder, Op::AmendOrder, Op::QueryOrder] {
                    assert_eq!(error(op).kind, ErrorKind::OrderNotFound, "{label}");
                }
            }
        }
    }

    #[test]
    fn a_rate_limit_tells_how_long() {
        let headers: &[(&str, &[u8])] =
            &[("x-out-time", b"1700000001084098"), ("x-gate-ratelimit-reset-timestamp", b"1700000002000")];
        let body = "{\"label\":\"TOO_MANY_REQUESTS\",\"message\":\"Request Rate limit Exceeded (211)\"}";
        let error = of_response(venue(), Op::PlaceOrder, &response(429, headers, body));
        let wait = Duration::from_micros(1_915_902);
        assert_eq!(error.kind, ErrorKind::RateLimited { retry_after: Some(wait) });
        assert_eq!(error.outcome(), Outcome::Refused);
    }

    #[test]
    fn a_label_in_a_success_is_an_error() {
        let check = |body, failed| {
            assert_eq!(of_success(venue(), Op::QueryOrder, &response(200, &[], body)).is_some(), failed);
        };
        check("{\"label\":\"ORDER_NOT_FOUND\",\"message\":\"\"}", true);
        check("{\"id\":\"1\",\"label\":\"\",\"message\":\"\"}", false);
        check("{\"id\":\"1\"}", false);
        check("[]", false);
    }

    #[test]
    fn stream_refusals_are_told_by_code_or_by_the_label_inside() {
        let check = |json: &str, expected: ErrorKind| {
            let error: StreamError<'_> = parse(json.as_bytes()).expect(json);
            assert_eq!(of_stream(venue(), Op::Subscribe, &error).kind, expected, "{json}");
        };
        check(
            r#"{"code":1,"message":"request payload does not follow json schema"}"#,
            ErrorKind::InvalidRequest,
        );
        check(r#"{"code":2,"message":"unknown currency pair: FOO_USDT"}"#, ErrorKind::SubscriptionRefused);
        check(r#"{"code":3,"message":"server"}"#, ErrorKind::ServerBusy);
        check(r#"{"code":6,"message":"?"}"#, ErrorKind::InvalidKey);
        check(r#"{"code":99}"#, ErrorKind::Unmapped);
        let label = r#"{"code":4,"message":"{\"label\":\"INVALID_SIGNATURE\",\"message\":\"Signature mismatch\"}\n"}"#;
        check(label, ErrorKind::InvalidSignature);
    }
}
