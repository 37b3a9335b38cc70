//! Who calls, and whether they may: the checks of a signed request in the order the exchange makes them.

use super::config::{KeyRules, MexcConfig, Permission};
use super::params::Params;
use super::refusal::Refusal;
use crate::dialect::HttpCall;
use crate::dialect::percent::{self, Blank};
use crate::matching::{AccountIndex, Exchange};
use cex_core::Timestamp;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use std::net::IpAddr;

/// How long a request is good for, in milliseconds, when it does not say.
const USUAL_WINDOW_MS: i64 = 5_000;
/// The longest it may ask for.
const LONGEST_WINDOW_MS: i64 = 60_000;
/// How far a client's clock may be ahead of ours, in milliseconds.
const LEAD_MS: i64 = 1_000;

/// Checks a signed call and names its account.
pub(super) fn authorize(
    config: &MexcConfig,
    now: Timestamp,
    exchange: &Exchange,
    call: &HttpCall<'_>,
    body: &str,
    params: &Params<'_>,
    needed: Permission,
) -> Result<AccountIndex, Refusal> {
    if config.strict_content_type {
        check_content_type(call)?;
    }
    let key = call.header("x-mexc-apikey").map(str::trim).filter(|key| !key.is_empty());
    let key = key.ok_or_else(|| Refusal::new(400, "api key required"))?;
    let account = exchange.account_by_key(key);
    let account = account.ok_or_else(|| Refusal::new(10_072, "Api key info invalid"))?;
    let rules = config.keys.get(key);
    if rules.is_some_and(|rules| rules.is_expired) {
        return Err(Refusal::new(10_072, "Api key info invalid"));
    }
    check_address(rules, call.peer)?;
    let signature = params.required("signature")?;
    let sent_at: i64 = params.number("timestamp")?.ok_or_else(|| Refusal::mandatory("timestamp"))?;
    let window = window(params)?;
    if config.check_time {
        check_time(now, sent_at, window)?;
    }
    let secret = &exchange.account(account).secret;
    if !messages(call.query, body).any(|message| hmac_hex(secret, &message) == signature) {
        return Err(Refusal::new(700_002, "Signature for this request is not valid."));
    }
    if rules.is_some_and(|rules| rules.denied.contains(&needed)) {
        return Err(Refusal::new(700_007, "No permission to access the endpoint."));
    }
    Ok(account)
}

fn check_content_type(call: &HttpCall<'_>) -> Result<(), Refusal> {
    let kind = call.header("content-type").unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if call.method == "GET" || kind.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Refusal::new(700_013, "Invalid content Type."))
}

fn check_address(rules: Option<&KeyRules>, peer: IpAddr) -> Result<(), Refusal> {
    let may = rules.is_none_or(|rules| rules.addresses.is_empty() || rules.addresses.contains(&peer));
    if may { Ok(()) } else { Err(Refusal::new(700_006, format!("IP [{peer}] not in the ip white list"))) }
}

fn window(params: &Params<'_>) -> Result<i64, Refusal> {
    let window = params.number("recvWindow")?.unwrap_or(USUAL_WINDOW_MS);
    // The sentence says less than; the exchange's own samples use the number itself.
    if window > LONGEST_WINDOW_MS {
        return Err(Refusal::new(700_005, "recvWindow must less than 60000"));
    }
    Ok(window)
}

fn check_time(now: Timestamp, sent_at: i64, window: i64) -> Result<(), Refusal> {
    let server = now.as_millis();
    if sent_at < server.saturating_add(LEAD_MS) && server.saturating_sub(sent_at) <= window {
        return Ok(());
    }
    Err(Refusal::new(700_003, "Timestamp for this request is outside of the recvWindow."))
}

/// The texts a client may have signed: query and body without the signature, as they came; with values decoded; with
/// values encoded, blanks in either way; and with a plus taken for the blank it stands for.
fn messages(query: &str, body: &str) -> impl Iterator<Item = String> {
    let (query, body) = (unsigned(query), unsigned(body));
    let each = |value: fn(&str) -> String| {
        let (query, body) = (&query, &body);
        with_values(query, value) + &with_values(body, value)
    };
    let raw = format!("{query}{body}");
    let signed_as_blank = raw.replace('+', "%20");
    [
        raw,
        each(|value| percent::decode(value).into_owned()),
        each(|value| percent::encode(value, Blank::Percent)),
        each(|value| percent::encode(value, Blank::Plus)),
        signed_as_blank,
    ]
    .into_iter()
}

/// Without the signature, wherever it stands.
fn unsigned(pairs: &str) -> String {
    let is_signed = |pair: &&str| pair.split('=').next() != Some("signature");
    pairs.split('&').filter(is_signed).collect::<Vec<_>>().join("&")
}

fn with_values(pairs: &str, value: fn(&str) -> String) -> String {
    let pair = |pair: &str| match pair.split_once('=') {
        Some((name, text)) => format!("{name}={}", value(text)),
        None => pair.to_owned(),
    };
    pairs.split('&').map(pair).collect::<Vec<_>>().join("&")
}

fn hmac_hex(secret: &str, message: &str) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("an HMAC takes a key of any length");
    mac.update(message.as_bytes());
    hex(&mac.finalize().into_bytes())
}

/// Lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS[usize::from(value & 15)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_dropped_wherever_it_stands() {
        for (sent, signed) in [
            ("signature=x&a=1", "a=1"),
            ("a=1&signature=x&b=2", "a=1&b=2"),
            ("a=1&signature=x", "a=1"),
            ("signature=x", ""),
            ("", ""),
            ("signatures=1", "signatures=1"),
        ] {
            assert_eq!(unsigned(sent), signed, "{sent}");
        }
    }

    #[test]
    fn clients_sign_differently_and_all_are_understood() {
        let signs = |query, body, signed: &str| {
            assert!(messages(query, body).any(|message| message == signed), "{query} {body} -> {signed}");
        };
        signs("a=1&signature=0", "b=2", "a=1b=2");
        signs("symbol=%E9%BE%99USDT&signature=0", "", "symbol=龙USDT");
        signs("", "list=[\"a b\"]&t=1&signature=0", "list=%5B%22a%20b%22%5D&t=1");
        signs("", "list=a b&signature=0", "list=a+b");
        signs("x=a+b&signature=0", "", "x=a%20b");
    }

    #[test]
    fn the_window_leans_to_the_past() {
        let now = Timestamp::from_millis(1_700_000_000_000);
        for (offset, window, is_good) in [
            (0, 5_000, true),
            (999, 5_000, true),
            (1_000, 60_000, false),
            (-5_000, 5_000, true),
            (-5_001, 5_000, false),
            (i64::MIN / 2, 60_000, false),
        ] {
            assert_eq!(
                check_time(now, now.as_millis() + offset, window).is_ok(),
                is_good,
                "{offset} {window}"
            );
        }
        assert!(check_time(now, i64::MIN, 60_000).is_err());
        assert!(check_time(now, i64::MAX, 60_000).is_err());
    }
}
