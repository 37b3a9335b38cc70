//! WebSocket frames: whatever the bytes, and however they are cut, the same messages and the same end.
#![no_main]

use cex_transport::ws::{FrameReader, Message, WsLimits};
use libfuzzer_sys::fuzz_target;

const LIMITS: WsLimits = WsLimits { frame_max: 4_096, message_max: 8_192, fragments_max: 8, buffer: 8_192 };

/// A message with its kind, or the reason of the end.
type Heard = Result<(u8, Vec<u8>), &'static str>;

fn take(reader: &mut FrameReader, heard: &mut Vec<Heard>) -> bool {
    loop {
        match reader.next_message() {
            Ok(Some(message)) => heard.push(Ok(match message {
                Message::Text(bytes) => (0, bytes.to_vec()),
                Message::Binary(bytes) => (1, bytes.to_vec()),
                Message::Ping(bytes) => (2, bytes.to_vec()),
                Message::Pong(bytes) => (3, bytes.to_vec()),
                Message::Close { code, reason } => (4, format!("{code:?}{reason:?}").into_bytes()),
            })),
            Ok(None) => return true,
            Err(error) => {
                heard.push(Err(error.0));
                return false;
            }
        }
    }
}

/// What is heard of these bytes when they come in pieces of at most this many.
fn heard(bytes: &[u8], most: usize) -> Vec<Heard> {
    let (mut reader, mut heard) = (FrameReader::new(LIMITS), Vec::new());
    let mut rest = bytes;
    while !rest.is_empty() {
        let space = reader.space();
        let count = space.len().min(rest.len()).min(most);
        space[..count].copy_from_slice(&rest[..count]);
        reader.filled(count);
        rest = &rest[count..];
        if !take(&mut reader, &mut heard) {
            break;
        }
    }
    heard
}

fuzz_target!(|data: &[u8]| {
    let whole = heard(data, usize::MAX);
    assert_eq!(whole, heard(data, 1));
    assert_eq!(whole, heard(data, 7));
});
