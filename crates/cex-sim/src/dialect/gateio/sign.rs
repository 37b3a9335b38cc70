//! Signatures as the server checks them: hex HMAC-SHA512 over the request's own bytes.

use super::KeyRules;
use super::query;
use super::refusal::Refusal;
use crate::dialect::HttpCall;
use crate::matching::{AccountIndex, Exchange};
use cex_core::{Decimal, Timestamp};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha512};
use std::collections::BTreeMap;

/// How far a client's clock may be off, in seconds.
const WINDOW_SECS: i64 = 60;

/// Checks an HTTP call in the order the exchange does (headers, time, key, signature, deadline) and names its
/// account.
pub(super) fn authorize(
    keys: &BTreeMap<String, KeyRules>,
    now: Timestamp,
    exchange: &Exchange,
    call: &HttpCall<'_>,
) -> Result<AccountIndex, Refusal> {
    let header = |name: &str, shown: &str| {
        let missing =
            || Refusal::new(401, "MISSING_REQUIRED_HEADER", format!("Missing required header: {shown}"));
        call.header(name).filter(|value| !value.is_empty()).ok_or_else(missing)
    };
    let (key, timestamp, sign) =
        (header("key", "KEY")?, header("timestamp", "Timestamp")?, header("sign", "SIGN")?);
    check_time(now, timestamp)?;
    let account = known_key(keys, exchange, key)?;
    if !is_signed(&exchange.account(account).secret, call, timestamp, sign) {
        return Err(Refusal::new(401, "INVALID_SIGNATURE", "Signature mismatch"));
    }
    if let Some(deadline) = call.header("x-gate-exptime").filter(|_| call.method != "GET") {
        check_deadline(now, deadline)?;
    }
    Ok(account)
}

/// The account of a key that is not too old.
pub(super) fn known_key(
    keys: &BTreeMap<String, KeyRules>,
    exchange: &Exchange,
    key: &str,
) -> Result<AccountIndex, Refusal> {
    let account = exchange.account_by_key(key).ok_or_else(invalid_key)?;
    if keys.get(key).is_some_and(|rules| rules.is_expired) { Err(invalid_key()) } else { Ok(account) }
}

/// Whether a key that is good may make this call.
pub(super) fn check_rights(
    keys: &BTreeMap<String, KeyRules>,
    call: &HttpCall<'_>,
    needs_wallet: bool,
) -> Result<(), Refusal> {
    let usual = KeyRules::default();
    let rules = call.header("key").and_then(|key| keys.get(key)).unwrap_or(&usual);
    if !rules.addresses.is_empty() && !rules.addresses.contains(&call.peer) {
        return Err(Refusal::new(403, "IP_FORBIDDEN", "Request IP not in whitelist"));
    }
    if rules.is_read_only && call.method != "GET" {
        return Err(Refusal::new(403, "READ_ONLY", "API key is read-only"));
    }
    if needs_wallet && !rules.has_wallet {
        return Err(Refusal::new(403, "FORBIDDEN", "Request API key does not have wallet permission"));
    }
    Ok(())
}

/// The refusal of a key nobody has.
pub(super) fn invalid_key() -> Refusal {
    Refusal::new(401, "INVALID_KEY", "Invalid key provided")
}

/// Refuses a time in seconds (whole or not) that is too far from ours.
pub(super) fn check_time(now: Timestamp, text: &str) -> Result<(), Refusal> {
    let seconds: Decimal = text.parse().map_err(|_| Refusal::bad_param("Timestamp", text))?;
    let server = Decimal::new(i128::from(now.as_nanos()), 9);
    let is_near =
        server.checked_sub(seconds).and_then(Decimal::abs).is_ok_and(|gap| gap <= WINDOW_SECS.into());
    if is_near {
        return Ok(());
    }
    let message = format!(
        "gap between request Timestamp and server time exceeds {WINDOW_SECS}, please check your local time: \
         request {seconds}, server {}",
        now.as_secs()
    );
    Err(Refusal::new(403, "REQUEST_EXPIRED", message))
}

/// Honours `x-gate-exptime`: Unix milliseconds after which the request must not be carried out.
pub(super) fn check_deadline(now: Timestamp, text: &str) -> Result<(), Refusal> {
    let deadline: i64 = text.trim().parse().map_err(|_| Refusal::bad_param("x-gate-exptime", text))?;
    if now > Timestamp::from_millis(deadline) {
        let message = format!("Request expired: deadline {deadline}, server time {}", now.as_millis());
        return Err(Refusal::new(403, "REQUEST_EXPIRED", message));
    }
    Ok(())
}

/// Some clients sign the query as sent, some its decoded form; either counts.
fn is_signed(secret: &str, call: &HttpCall<'_>, timestamp: &str, sign: &str) -> bool {
    let decoded = query::decode(call.query);
    [call.query, decoded.as_ref()]
        .into_iter()
        .any(|query| rest_signature(secret, call.method, call.path, query, call.body, timestamp) == sign)
}

/// The signature of a REST request.
pub(super) fn rest_signature(
    secret: &str,
    method: &str,
    path: &str,
    query: &str,
    body: &[u8],
    timestamp: &str,
) -> String {
    let body_hash = hex(&Sha512::digest(body));
    hmac_hex(secret, &[method, "\n", path, "\n", query, "\n", &body_hash, "\n", timestamp])
}

/// The signature of a subscription to a private channel.
pub(super) fn stream_signature(secret: &str, channel: &str, event: &str, time: &str) -> String {
    hmac_hex(secret, &["channel=", channel, "&event=", event, "&time=", time])
}

/// The signature of a request to the trading interface, over its parameters as they are in the message.
pub(super) fn trading_signature(secret: &str, channel: &str, param: &str, timestamp: &str) -> String {
    hmac_hex(secret, &["api\n", channel, "\n", param, "\n", timestamp])
}

fn hmac_hex(secret: &str, parts: &[&str]) -> String {
    let mut mac =
        Hmac::<Sha512>::new_from_slice(secret.as_bytes()).expect("an HMAC takes a key of any length");
    for part in parts {
        mac.update(part.as_bytes());
    }
    hex(&mac.finalize().into_bytes())
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS[usize::from(value & 15)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use sonic_rs::{JsonContainerTrait as _, JsonValueTrait as _, Value};

    fn each(list: &str, mut check: impl FnMut(&dyn Fn(&str) -> String)) -> usize {
        let vectors: Value = sonic_rs::from_str(include_str!("../../../tests/golden/gateio_ws_vectors.json"))
            .expect("the vectors are JSON");
        let rows = vectors[list].as_array().expect("a list");
        for row in rows {
            check(&|key| row[key].as_str().expect("a text").to_owned());
        }
        rows.len()
    }

    #[test]
    fn rest_signatures_are_the_reference_s() {
        let checked = each("rest_signatures", |row| {
            let (method, path, query, body) = (row("method"), row("path"), row("query"), row("body"));
            let made =
                rest_signature(&row("secret"), &method, &path, &query, body.as_bytes(), &row("timestamp"));
            assert_eq!(made, row("sign"), "{}", row("name"));
        });
        assert_eq!(checked, 13);
    }

    #[test]
    fn stream_signatures_are_the_reference_s() {
        let checked = each("ws_signatures", |row| {
            let signed = row("string");
            let part = |name: &str| {
                let parts = signed.split('&').find_map(|part| part.strip_prefix(name));
                parts.expect("channel, event and time are signed")
            };
            let made = stream_signature(&row("secret"), part("channel="), part("event="), part("time="));
            assert_eq!(made, row("sign"), "{}", row("name"));
        });
        assert_eq!(checked, 5);
    }
}
