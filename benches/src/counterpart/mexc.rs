//! MEXC's side of the wire.

use sonic_rs::{JsonContainerTrait, JsonValueTrait, Value};

/// What the stream answers to a text message: a confirmation that names the channels, or a pong.
#[must_use]
pub fn stream_answer(message: &str) -> Option<String> {
    let message: Value = sonic_rs::from_str(message).ok()?;
    match message.get("method")?.as_str()? {
        "PING" => Some("{\"id\":0,\"code\":0,\"msg\":\"PONG\"}".to_owned()),
        "SUBSCRIPTION" => {
            let channels: Vec<&str> =
                message.get("params")?.as_array()?.iter().filter_map(|name| name.as_str()).collect();
            let id = message.get("id").and_then(JsonValueTrait::as_i64).unwrap_or(0);
            Some(format!("{{\"id\":{id},\"code\":0,\"msg\":\"{}\"}}", channels.join(",")))
        }
        _other => None,
    }
}
