//! The relay of a stream: bytes to the exchange as they are, messages to the adapter one by one.

use super::{Shared, StreamFault, locked};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

const TEXT: u8 = 1;
const BINARY: u8 = 2;
const READ_BYTES: usize = 1 << 16;
const MASK: [u8; 4] = [0x11, 0x22, 0x33, 0x44];

/// One frame, unmasked, and in one piece, since neither side splits messages.
struct Frame {
    head: u8,
    payload: Vec<u8>,
}

/// Relays both directions until either side hangs up.
pub(super) async fn relay(
    client: TcpStream,
    server: TcpStream,
    from_client: Vec<u8>,
    from_server: Vec<u8>,
    shared: &Shared,
) -> io::Result<()> {
    let (from, to) = client.into_split();
    let (back, out) = server.into_split();
    tokio::select! {
        ended = upwards(from, out, from_client, shared) => ended,
        ended = downwards(back, to, from_server, shared) => ended,
    }
}

async fn upwards(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut buffer: Vec<u8>,
    shared: &Shared,
) -> io::Result<()> {
    let mut heard = Vec::new();
    // Room for any message at once: one that is held up must be whole to be heard before.
    buffer.reserve(READ_BYTES);
    loop {
        listen(&mut heard, &buffer, shared);
        shared.pass().await;
        to.write_all(&buffer).await?;
        buffer.clear();
        if from.read_buf(&mut buffer).await? == 0 {
            return Ok(());
        }
    }
}

/// Notes the whole messages among what the adapter sent; `heard` keeps the beginning of the next.
fn listen(heard: &mut Vec<u8>, sent: &[u8], shared: &Shared) {
    heard.extend_from_slice(sent);
    while let Some(frame) = split(heard) {
        if matches!(frame.head & 0x0f, TEXT | BINARY) {
            locked(&shared.said).push(frame.payload);
        }
    }
}

async fn downwards(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut buffer: Vec<u8>,
    shared: &Shared,
) -> io::Result<()> {
    loop {
        let Some(frame) = split(&mut buffer) else {
            if from.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
            continue;
        };
        shared.pass().await;
        let is_message = matches!(frame.head & 0x0f, TEXT | BINARY);
        let fault = is_message.then(|| shared.fault_of_message(&frame.payload)).flatten();
        let mut whole = Vec::new();
        match fault {
            None => encode(frame.head, &frame.payload, false, &mut whole),
            Some(StreamFault::Drop) => {}
            Some(StreamFault::Twice) => {
                encode(frame.head, &frame.payload, false, &mut whole);
                encode(frame.head, &frame.payload, false, &mut whole);
            }
            Some(StreamFault::Half) => {
                encode(frame.head, &frame.payload[..frame.payload.len() / 2], false, &mut whole);
            }
            Some(StreamFault::Text(text)) => encode(0x80 | TEXT, text.as_bytes(), false, &mut whole),
            Some(StreamFault::Binary(bytes)) => encode(0x80 | BINARY, bytes, false, &mut whole),
            Some(StreamFault::BreakWithin) => {
                encode(frame.head, &frame.payload, false, &mut whole);
                whole.truncate(whole.len() / 2);
                to.write_all(&whole).await?;
                return to.shutdown().await;
            }
            Some(StreamFault::Masked) => encode(frame.head, &frame.payload, true, &mut whole),
            Some(StreamFault::Hold(wait)) => {
                tokio::time::sleep(wait).await;
                encode(frame.head, &frame.payload, false, &mut whole);
            }
        }
        to.write_all(&whole).await?;
    }
}

/// Takes the first whole frame out of the buffer.
fn split(buffer: &mut Vec<u8>) -> Option<Frame> {
    let [head, short, ..] = buffer[..] else { return None };
    let (start, length) = match short & 0x7f {
        126 => (4, u64::from(u16::from_be_bytes(buffer.get(2..4)?.try_into().ok()?))),
        127 => (10, u64::from_be_bytes(buffer.get(2..10)?.try_into().ok()?)),
        length => (2, u64::from(length)),
    };
    let (mask, start) = match short & 0x80 {
        0 => ([0; 4], start),
        _ => (buffer.get(start..start + 4)?.try_into().ok()?, start + 4),
    };
    let end = start + usize::try_from(length).ok()?;
    if buffer.len() < end {
        return None;
    }
    let rest = buffer.split_off(end);
    let mut payload = std::mem::replace(buffer, rest).split_off(start);
    payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
    Some(Frame { head, payload })
}

fn encode(head: u8, payload: &[u8], masked: bool, out: &mut Vec<u8>) {
    let bit = if masked { 0x80 } else { 0 };
    out.push(head);
    match payload.len() {
        short @ 0..=125 => out.push(bit | short as u8),
        middle @ 126..=0xffff => {
            out.push(bit | 126);
            out.extend((middle as u16).to_be_bytes());
        }
        long => {
            out.push(bit | 127);
            out.extend((long as u64).to_be_bytes());
        }
    }
    if masked {
        out.extend(MASK);
        out.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    } else {
        out.extend(payload);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_adapter_masks_is_heard_unmasked() {
        let mut bytes = Vec::new();
        encode(0x81, b"an order", true, &mut bytes);
        let whole = bytes.clone();
        let frame = split(&mut bytes).expect("a frame");
        assert_eq!((frame.payload.as_slice(), bytes.is_empty()), (&b"an order"[..], true));
        assert!(split(&mut whole[..whole.len() - 1].to_vec()).is_none());
    }

    #[test]
    fn frames_of_every_length_come_out_as_they_went_in() {
        for length in [0, 1, 125, 126, 65_535, 65_536] {
            let payload = vec![7; length];
            let mut bytes = Vec::new();
            encode(0x82, &payload, false, &mut bytes);
            let whole = bytes.clone();
            bytes.extend(b"next");
            let frame = split(&mut bytes).expect("a frame");
            assert_eq!((frame.head, frame.payload == payload, bytes.as_slice()), (0x82, true, &b"next"[..]));
            for cut in [1, whole.len().saturating_sub(1)] {
                let mut part = whole[..cut].to_vec();
                if cut < whole.len() {
                    assert!(split(&mut part).is_none(), "{cut} of {length}");
                }
            }
        }
    }
}
