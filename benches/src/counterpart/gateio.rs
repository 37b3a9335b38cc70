//! Gate.io's side of the wire.

use sonic_rs::{JsonValueTrait, Value};

/// What the stream answers to a text message: a confirmation with the request's number, or a pong.
#[must_use]
pub fn stream_answer(message: &str) -> Option<String> {
    let message: Value = sonic_rs::from_str(message).ok()?;
    let channel = message.get("channel")?.as_str()?;
    if channel == "spot.ping" {
        return Some("{\"time\":1,\"channel\":\"spot.pong\",\"event\":\"\",\"result\":null}".to_owned());
    }
    let (id, event) = (message.get("id")?.as_i64()?, message.get("event")?.as_str()?);
    Some(format!(
        "{{\"time\":1,\"id\":{id},\"channel\":\"{channel}\",\"event\":\"{event}\",\"error\":null,\
         \"result\":{{\"status\":\"success\"}}}}"
    ))
}
