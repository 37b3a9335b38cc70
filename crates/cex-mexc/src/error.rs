//! What an answer that is not a success means: one table of the exchange's codes, and the rules around it.
//!
//! A code decides before the HTTP status does (MEXC-ERR-01); the same number means different things in a few places,
//! which are handled beside the table. An order that may have reached the matching engine stays
//! [`Outcome::Unknown`] unless the exchange itself refused it with a code we know (MEXC-ERR-06).

use crate::wire::{Envelope, parse};
use cex_core::VenueId;
use cex_errors::{ErrorKind, ExchangeError, Outcome};
use cex_interface::{Feedback, HttpResponse, Request};
use std::time::Duration;

/// How long the front end shuts out an address that it answered with an HTML page (MEXC-ERR-04).
pub const FRONT_END_PAUSE: Duration = Duration::from_secs(90);

/// The shortest ban the exchange documents (MEXC-LIMIT-03): what a 418 without `Retry-After` counts as.
const SHORTEST_BAN: Duration = Duration::from_secs(120);
/// The longest one: more is a broken clock, or a time where seconds were meant.
const LONGEST_BAN: Duration = Duration::from_secs(3 * 24 * 3_600);

/// What a 429 without `Retry-After` counts as, and the least that is waited.
const LIMIT_PAUSE: Duration = Duration::from_secs(1);
/// After so long whoever exceeded a limit is served again, as the exchange says (MEXC-LIMIT-03).
const LONGEST_LIMIT_PAUSE: Duration = Duration::from_secs(600);

/// A refusal is short: a longer body is not searched a second time for a code about budgets.
const LONGEST_REFUSAL: usize = 1_024;

/// A code and its usual meaning.
type Row = (i64, ErrorKind);

const LIMITED: ErrorKind = ErrorKind::RateLimited { retry_after: None };

/// Every code the wire reference knows (MEXC-ERR-03), in order. Those of calls we never make (transfers, withdrawals,
/// sub-accounts, keys) stay unmapped: seen anywhere else they would mean something new, and a write that answers so
/// is ambiguous.
#[rustfmt::skip]
static CODES: [Row; 118] = [
    (-2013, ErrorKind::OrderNotFound),
    (-2011, ErrorKind::OrderNotFound),
    (-1128, ErrorKind::InvalidRequest),
    (-1121, ErrorKind::InvalidSymbol),
    (-1003, ErrorKind::ServerBusy),
    (26, ErrorKind::PermissionDenied),
    (400, ErrorKind::InvalidRequest), // Generic; see `by_words`.
    (401, ErrorKind::InvalidKey),
    (402, ErrorKind::InvalidKey),
    (403, ErrorKind::PermissionDenied),
    (406, ErrorKind::PermissionDenied),
    (429, LIMITED),
    (500, ErrorKind::ServerBusy),
    (501, ErrorKind::ServerBusy),
    (503, ErrorKind::ServerBusy),
    (504, ErrorKind::ServerBusy),
    (510, LIMITED),
    (511, ErrorKind::PermissionDenied),
    (600, ErrorKind::InvalidRequest),
    (601, ErrorKind::InvalidRequest),
    (602, ErrorKind::InvalidSignature),
    (603, ErrorKind::DuplicateClientId), // "Repeated request": the first one may stand.
    (604, ErrorKind::Maintenance),
    (701, ErrorKind::PermissionDenied),
    (702, ErrorKind::PermissionDenied),
    (703, ErrorKind::PermissionDenied),
    (704, ErrorKind::PermissionDenied),
    (801, ErrorKind::Maintenance),
    (1000, ErrorKind::InvalidKey),
    (10001, ErrorKind::InvalidKey),
    (10007, ErrorKind::InvalidSymbol),
    (10015, ErrorKind::InvalidRequest),
    (10072, ErrorKind::InvalidKey),
    (10073, ErrorKind::ClockSkew),
    (10095, ErrorKind::InvalidRequest),
    (10096, ErrorKind::Precision),
    (10097, ErrorKind::InvalidRequest),
    (10098, ErrorKind::AccountRestricted),
    (10099, ErrorKind::AccountRestricted),
    (10100, ErrorKind::InvalidRequest),
    (10101, ErrorKind::InsufficientBalance),
    (10102, ErrorKind::InvalidRequest),
    (10103, ErrorKind::InvalidRequest),
    (10200, ErrorKind::Unmapped),
    (10201, ErrorKind::Unmapped),
    (10202, ErrorKind::Unmapped),
    (10206, ErrorKind::Unmapped),
    (10211, ErrorKind::Unmapped),
    (10212, ErrorKind::Unmapped),
    (10216, ErrorKind::Unmapped),
    (10219, ErrorKind::ServerBusy),
    (10222, ErrorKind::InvalidRequest),
    (10232, ErrorKind::InvalidRequest),
    (10259, ErrorKind::ServerBusy),
    (10265, ErrorKind::Unmapped),
    (10268, ErrorKind::Unmapped),
    (11444, ErrorKind::Maintenance),
    (20001, ErrorKind::InvalidRequest),
    (20002, ErrorKind::ServerBusy),
    (22222, ErrorKind::OrderNotFound),
    (30000, ErrorKind::TradingHalted),
    (30001, ErrorKind::TradingHalted),
    (30002, ErrorKind::BelowMinimum),
    (30003, ErrorKind::AboveMaximum),
    (30004, ErrorKind::InsufficientBalance),
    (30005, ErrorKind::InsufficientBalance),
    (30010, ErrorKind::PriceOutOfBand),
    (30014, ErrorKind::InvalidSymbol),
    (30016, ErrorKind::TradingHalted),
    (30018, ErrorKind::AccountRestricted), // For market orders: those are off; see `by_code`.
    (30019, ErrorKind::TradingHalted),
    (30020, ErrorKind::InvalidSymbol), // No permission for one symbol: the key is good for the others.
    (30021, ErrorKind::InvalidSymbol),
    (30025, ErrorKind::NoLiquidity),
    (30026, ErrorKind::OrderNotFound),
    (30027, ErrorKind::AboveMaximum),
    (30028, ErrorKind::TradingHalted),
    (30029, ErrorKind::AboveMaximum),
    (30032, ErrorKind::AboveMaximum),
    (30041, ErrorKind::TradingHalted),
    (30051, ErrorKind::TradingHalted),
    (30087, ErrorKind::PriceOutOfBand),
    (33333, ErrorKind::InvalidRequest),
    (44444, ErrorKind::InvalidRequest),
    (60005, ErrorKind::AccountRestricted),
    (70011, ErrorKind::InvalidSymbol), // A pair that keys may not trade.
    (88004, ErrorKind::InsufficientBalance),
    (88009, ErrorKind::OrderNotFound),
    (88013, ErrorKind::BelowMinimum),
    (88015, ErrorKind::InsufficientBalance),
    (140001, ErrorKind::AccountRestricted),
    (140002, ErrorKind::AccountRestricted),
    (700001, ErrorKind::InvalidKey),
    (700002, ErrorKind::InvalidSignature),
    (700003, ErrorKind::ClockSkew),
    (700004, ErrorKind::InvalidRequest),
    (700005, ErrorKind::InvalidRequest),
    (700006, ErrorKind::PermissionDenied),
    (700007, ErrorKind::PermissionDenied),
    (700008, ErrorKind::InvalidRequest),
    (700013, ErrorKind::InvalidRequest),
    (730000, ErrorKind::ServerBusy),
    (730001, ErrorKind::InvalidSymbol),
    (730002, ErrorKind::InvalidRequest),
    (730003, ErrorKind::InvalidRequest),
    (730100, ErrorKind::AccountRestricted),
    (730101, ErrorKind::Unmapped),
    (730600, ErrorKind::Unmapped),
    (730601, ErrorKind::Unmapped),
    (730602, ErrorKind::Unmapped),
    (730700, ErrorKind::Unmapped),
    (730701, ErrorKind::Unmapped),
    (730702, ErrorKind::Unmapped),
    (730703, ErrorKind::Unmapped),
    (730704, ErrorKind::Unmapped),
    (730705, ErrorKind::Unmapped),
    (730706, ErrorKind::Unmapped),
    (730707, ErrorKind::Unmapped),
];

/// The error an answer is, if it is one. Successes and bodies without a code pass: reading them is the caller's
/// business.
pub(crate) fn refusal(
    venue: VenueId,
    request: &Request,
    response: &HttpResponse<'_>,
) -> Option<ExchangeError> {
    let error = |kind| Some(ExchangeError::new(venue, request.op(), kind));
    let envelope = envelope(response.body);
    let code = envelope.as_ref().and_then(|envelope| envelope.code.integer());
    let kind = match (response.status, code) {
        (429, _) => ErrorKind::RateLimited { retry_after: retry_after(response) },
        (418, _) => ErrorKind::Banned { retry_after: retry_after(response) },
        // Wrappers carry 0 live and 200 in the documentation (MEXC-ERR-02).
        (200..=299, None | Some(0 | 200)) if is_html(response) => {
            return error(ErrorKind::Undecodable("HTML"));
        }
        (200..=299, None | Some(0 | 200)) => return None,
        (status, Some(code)) if !matches!(code, 0 | 200) => {
            let words = envelope.as_ref().and_then(words).unwrap_or_default();
            careful(request, status, by_code(code, words, request, response))
        }
        (status, _) => by_status(status, request, response),
    };
    let error = ExchangeError::new(venue, request.op(), kind);
    let Some(envelope) = &envelope else { return Some(error) };
    match envelope.code.text() {
        Some(code) => Some(error.with_code(code, words(envelope).unwrap_or_default())),
        None => Some(error),
    }
}

/// The error a row of a batch's answer is: one order's own, under a 200 for all (MEXC-REST-24).
pub(crate) fn of_row(
    venue: VenueId,
    order: cex_core::OrderRequest,
    (code, words): (&str, &str),
) -> ExchangeError {
    let request = Request::Place(order);
    let nothing = HttpResponse { status: 200, headers: &[], body: &[] };
    let kind = code.parse().map_or(ErrorKind::Unmapped, |code| by_code(code, words, &request, &nothing));
    ExchangeError::new(venue, request.op(), kind).with_code(code, words)
}

/// What a response says about the budgets (MEXC-LIMIT-03, MEXC-ERR-04). The front end's page blocks everything, also
/// when it answered a placement whose own outcome it leaves open.
pub(crate) fn feedback(response: &HttpResponse<'_>) -> Option<Feedback> {
    let blocked = |wait| Some(Feedback::Blocked { bucket: None, wait });
    match response.status {
        429 => blocked(retry_after(response).unwrap_or(LIMIT_PAUSE)),
        418 => blocked(retry_after(response).unwrap_or(SHORTEST_BAN)),
        403 if envelope(response.body).is_none_or(|envelope| envelope.code.text().is_none()) => {
            blocked(FRONT_END_PAUSE)
        }
        _ if response.body.len() > LONGEST_REFUSAL => None,
        _ => match envelope(response.body)?.code.integer()? {
            429 | 510 => blocked(retry_after(response).unwrap_or(LIMIT_PAUSE)),
            _ => None,
        },
    }
}

/// The envelope around an answer. Lists have none, and long answers begin with what they are: only a body that begins
/// as an object is looked at.
fn envelope(body: &[u8]) -> Option<Envelope<'_>> {
    (body.trim_ascii_start().first() == Some(&b'{')).then(|| parse(body)).flatten()
}

fn words<'e>(envelope: &'e Envelope<'_>) -> Option<&'e str> {
    envelope.msg.text().or_else(|| envelope.message.text()).or_else(|| envelope.data.text())
}

fn by_code(code: i64, words: &str, request: &Request, response: &HttpResponse<'_>) -> ErrorKind {
    match code {
        400 => by_words(words),
        429 | 510 => ErrorKind::RateLimited { retry_after: retry_after(response) },
        30018 if is_market_order(request) => ErrorKind::TradingHalted,
        _ => match CODES.binary_search_by_key(&code, |(known, _)| *known).map(|row| &CODES[row].1) {
            // An order that is placed cannot have been missed or have ended before: what the answer means is not known.
            Ok(ErrorKind::OrderNotFound) if places_orders(request) => ErrorKind::Unmapped,
            Ok(known) => known.clone(),
            Err(_) => ErrorKind::Unmapped,
        },
    }
}

/// The generic code 400 is the only one told apart by its words, which are English where it is used (MEXC-ERR-05).
fn by_words(words: &str) -> ErrorKind {
    let words = words.to_ascii_lowercase();
    if words.contains("api key required") {
        ErrorKind::InvalidKey
    } else if words.contains("amount scale") {
        ErrorKind::Precision
    } else if words.contains("duplicate") {
        ErrorKind::DuplicateClientId
    } else {
        ErrorKind::InvalidRequest
    }
}

/// A 5xx leaves open whether a write was executed, whatever its body says (MEXC-ERR-06).
fn careful(request: &Request, status: u16, kind: ErrorKind) -> ErrorKind {
    if status >= 500 && writes_orders(request) && kind.outcome() == Outcome::Refused {
        ErrorKind::ServerBusy
    } else {
        kind
    }
}

/// An answer without a code: a gateway or the front end spoke, not the exchange.
fn by_status(status: u16, request: &Request, response: &HttpResponse<'_>) -> ErrorKind {
    match status {
        401 => ErrorKind::InvalidKey,
        403 if writes_orders(request) => ErrorKind::Undecodable("refused by the front end"),
        // The front end limits how often it is asked: over in a minute and a half, and no ban, which an operator ends.
        403 => ErrorKind::RateLimited { retry_after: retry_after(response).or(Some(FRONT_END_PAUSE)) },
        500..=599 => ErrorKind::ServerBusy,
        _ if is_html(response) => ErrorKind::Undecodable("HTML"),
        404 if !writes_orders(request) => ErrorKind::InvalidRequest,
        _ => ErrorKind::Undecodable("an error without a code"),
    }
}

/// Recognised by its type or by its first byte, so that it never reaches a JSON parser (MEXC-ERR-04).
fn is_html(response: &HttpResponse<'_>) -> bool {
    response.header("content-type").is_some_and(|kind| kind.contains("html"))
        || response.body.trim_ascii_start().first() == Some(&b'<')
}

/// What the exchange asks to wait, within what it documents: nothing blocks us for years, or not at all.
fn retry_after(response: &HttpResponse<'_>) -> Option<Duration> {
    let seconds = response.header("retry-after")?.trim().parse().ok()?;
    let (least, most) = match response.status {
        418 => (SHORTEST_BAN, LONGEST_BAN),
        403 => (FRONT_END_PAUSE, LONGEST_LIMIT_PAUSE),
        _ => (LIMIT_PAUSE, LONGEST_LIMIT_PAUSE),
    };
    Some(Duration::from_secs(seconds).clamp(least, most))
}

const fn writes_orders(request: &Request) -> bool {
    matches!(
        request,
        Request::Place(_) | Request::PlaceBatch(_) | Request::Cancel { .. } | Request::CancelAll { .. }
    )
}

const fn places_orders(request: &Request) -> bool {
    matches!(request, Request::Place(_) | Request::PlaceBatch(_))
}

const fn is_market_order(request: &Request) -> bool {
    use cex_core::OrderKind;
    match request {
        Request::Place(order) | Request::TestOrder(order) => {
            matches!(order.kind, OrderKind::Market { .. } | OrderKind::MarketNotional { .. })
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests;
