//! Who may call: the vectors of the reference, and the order of the checks.

use crate::bench::{Bench, KEY, NOW, PEER, SECRET, code, hmac, json, text};
use crate::wire::vectors;
use cex_core::Timestamp;
use cex_sim::dialect::mexc::{KeyRules, MexcConfig, Permission};
use sonic_rs::{JsonContainerTrait as _, JsonValueTrait, Value};
use std::time::Duration;

const HEADERS: [(&str, &str); 2] = [("x-mexc-apikey", KEY), ("content-type", "application/json")];

/// What a client sends for a vector: (query, body), both with this signature.
fn sent(row: &Value, signature: &str) -> (String, String) {
    if let Some(query) = row["query_as_sent"].as_str() {
        return (query.replace(text(&row["signature"]), signature), String::new());
    }
    let (query, body) = (text(&row["query_without_signature"]), text(&row["body_without_signature"]));
    let signed = format!("signature={signature}");
    if query.is_empty() {
        (String::new(), format!("{body}&{signed}"))
    } else {
        (format!("{query}&{signed}"), body.to_owned())
    }
}

#[test]
fn every_signature_of_the_reference_is_accepted_and_a_wrong_one_is_not() {
    let vectors = vectors();
    let rows = vectors["rest_signatures"].as_array().expect("a list");
    assert_eq!(rows.len(), 15);
    for row in rows {
        let (name, method, path) = (text(&row["name"]), text(&row["method"]), text(&row["path"]));
        assert_eq!((text(&row["apiKey"]), text(&row["secret"])), (KEY, SECRET), "{name}");
        let signature = text(&row["signature"]);
        let answer = |signature: &str| {
            let (query, body) = sent(row, signature);
            json(&Bench::new().call(method, path, &query, &body, &HEADERS))
        };
        let (status, good) = answer(signature);
        let code = good.get("code").and_then(JsonValueTrait::as_i64);
        let is_past_the_checks = match code {
            None | Some(0) => status == 200,
            // The vectors name orders and listen keys that do not exist here.
            Some(code) => [-2013, -2011, 730_002].contains(&code),
        };
        assert!(is_past_the_checks, "{name}: {good:?}");
        for wrong in [signature.replace('0', "1"), signature.to_uppercase()] {
            assert_eq!(answer(&wrong).1["code"].as_i64(), Some(700_002), "{name}");
        }
    }
}

#[test]
fn values_may_be_signed_decoded_or_encoded() {
    let stamp = format!("timestamp={}", NOW.as_millis());
    let check = |query: &str, body: &str, signed: &str| {
        let signature = hmac(SECRET, signed);
        let query = format!("{query}&signature={signature}");
        let answer = Bench::new().call("GET", "/api/v3/openOrders", &query, body, &HEADERS);
        assert_eq!(answer.status, 200, "{signed}");
    };
    let decoded = format!("symbol=BTCUSDT,MXUSDT&{stamp}");
    let encoded = format!("symbol=BTCUSDT%2CMXUSDT&{stamp}");
    check(&encoded, "", &encoded);
    check(&encoded, "", &decoded);
    check(&decoded, "", &encoded);
    check(&format!("{stamp}&note=a+b"), "", &format!("{stamp}&note=a%20b"));
    check(&stamp, "symbol=BTCUSDT", &format!("{stamp}symbol=BTCUSDT"));
}

/// A bad call for every check; each passes all checks before its own and fails all after it.
#[test]
fn checks_are_made_in_their_order() {
    let config = MexcConfig {
        keys: [
            (
                "elsewhere".to_owned(),
                KeyRules { addresses: vec!["10.0.0.1".parse().unwrap()], ..KeyRules::default() },
            ),
            (
                KEY.to_owned(),
                KeyRules { addresses: vec![PEER], denied: vec![Permission::DealWrite], is_expired: false },
            ),
        ]
        .into(),
        ..MexcConfig::default()
    };
    let mut bench = Bench::with(config);
    bench.exchange.open_account(NOW, "elsewhere", "elsewhere", "secret", &[]);
    let mut check = |key: &str, kind: &str, query: &str, expected: (i64, &str)| {
        let headers = [("x-mexc-apikey", key), ("content-type", kind)];
        let answer = json(&bench.call("POST", "/api/v3/order", query, "", &headers));
        assert_eq!((code(&answer), text(&answer.1["msg"])), expected, "{query}");
    };
    let json = "application/json; charset=utf-8";
    let now = NOW.as_millis();
    let late = format!("signature=x&timestamp={}", now - 5_001);
    let early = format!("signature=x&timestamp={}&recvWindow=60000", now + 1_000);
    let signed = format!("timestamp={now}");
    let signed = format!("{signed}&signature={}", hmac(SECRET, &signed));
    let missing =
        |name: &str| format!("Mandatory parameter '{name}' was not sent, was empty/null, or malformed.");
    let out_of_window = (700_003, "Timestamp for this request is outside of the recvWindow.");
    check("", "text/plain", "", (700_013, "Invalid content Type."));
    check("", "", "", (700_013, "Invalid content Type."));
    check("", json, "", (400, "api key required"));
    check("nobody", json, "", (10_072, "Api key info invalid"));
    check("elsewhere", json, "", (700_006, "IP [127.0.0.1] not in the ip white list"));
    check(KEY, json, "", (700_004, &missing("signature")));
    check(KEY, json, "signature=x", (700_004, &missing("timestamp")));
    check(KEY, json, "signature=x&timestamp=1x&recvWindow=60001", (700_004, &missing("timestamp")));
    check(
        KEY,
        json,
        "signature=x&timestamp=1&recvWindow=60001",
        (700_005, "recvWindow must less than 60000"),
    );
    check(KEY, json, &late, out_of_window);
    check(KEY, json, &early, out_of_window);
    check(
        KEY,
        json,
        &format!("signature=x&timestamp={now}"),
        (700_002, "Signature for this request is not valid."),
    );
    check(KEY, json, &signed, (700_007, "No permission to access the endpoint."));
}

#[test]
fn the_window_and_the_content_type_can_be_switched_off() {
    let config = MexcConfig { check_time: false, strict_content_type: false, ..MexcConfig::default() };
    let mut bench = Bench::with(config);
    bench.now = Timestamp::from_secs(2_000_000_000);
    let query = format!("timestamp=1&signature={}", hmac(SECRET, "timestamp=1"));
    let answer = bench.call("POST", "/api/v3/userDataStream", &query, "", &[("x-mexc-apikey", KEY)]);
    assert_eq!(answer.status, 200);
}

#[test]
fn rate_limits_pause_and_ban() {
    let mut bench = Bench::with(MexcConfig { rate_limits: true, ..MexcConfig::default() });
    let status = |bench: &mut Bench| bench.signed("GET", "account", "").0;
    assert_eq!([status(&mut bench), status(&mut bench), status(&mut bench)], [200, 200, 429]);
    let answer = bench.call("GET", "/api/v3/ping", "", "", &[]);
    assert_eq!(answer.status, 429, "the address has to wait, whatever it asks");
    assert!(answer.headers.contains(&("retry-after", "1".to_owned())), "{:?}", answer.headers);
    assert_eq!(json(&answer).1["msg"].as_str(), Some("Too Many Requests"));
    let bans = (0..20).filter(|_| bench.public("ping", "").0 == 418).count();
    assert!(bans > 0, "who does not wait is banned");
    bench.pass(Duration::from_secs(120));
    assert_eq!(bench.public("ping", "").0, 200);
}
