//! The published signatures, of calls, streams and the trading interface.

use crate::support::{list, text};
use cex_gateio::sign::{Call, Signer};
use cex_interface::Secret;
use sonic_rs::{JsonValueTrait, Value};

fn signer(vector: &Value) -> Signer {
    Signer::new(Secret::new("k".to_owned()), &Secret::new(text(vector, "secret").to_owned()))
}

#[test]
fn calls_are_signed_as_published() {
    let vectors = list("rest_signatures");
    assert_eq!(vectors.len(), 13);
    for vector in &vectors {
        let call = Call {
            method: text(vector, "method"),
            path: text(vector, "path"),
            query: text(vector, "query"),
            body: text(vector, "body").as_bytes(),
            timestamp: text(vector, "timestamp"),
        };
        assert_eq!(signer(vector).call(call).as_str(), text(vector, "sign"), "{}", text(vector, "name"));
    }
}

#[test]
fn streams_are_signed_as_published() {
    let vectors = list("ws_signatures");
    assert_eq!(vectors.len(), 5);
    for vector in &vectors {
        let string = text(vector, "string");
        let parts: Vec<&str> =
            string.split('&').filter_map(|part| part.split_once('=')).map(|(_, v)| v).collect();
        let [channel, event, time] = parts[..] else { panic!("{string}") };
        let sign = signer(vector).stream(channel, event, time.parse().expect("seconds"));
        assert_eq!(sign.as_str(), text(vector, "sign"), "{string}");
    }
}

#[test]
fn the_trading_interface_is_signed_as_published() {
    let vectors = list("ws_api_signatures");
    assert_eq!(vectors.len(), 7);
    for vector in &vectors {
        let time = vector["timestamp"].as_i64().expect("seconds");
        let sign = signer(vector).api(text(vector, "channel"), text(vector, "req_param"), time);
        assert_eq!(sign.as_str(), text(vector, "sign"), "{}", text(vector, "name"));
    }
}
