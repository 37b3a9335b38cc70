//! A WebSocket session: one loop reads, one writes, and either ends both.

use super::config::SimExchange;
use super::host::{Opened, Queued, Shared};
use crate::dialect::{ConnId, Frame, Message};
use fastwebsockets::{
    Frame as WsFrame, OpCode, Payload, WebSocket, WebSocketError, WebSocketRead, WebSocketWrite,
};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use std::pin::pin;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, BufWriter};
use tokio::sync::mpsc::Receiver;
use tokio::time::timeout;

/// The largest message a client may send.
const MOST_MESSAGE_BYTES: usize = 1 << 20;

/// How long a closing client may take to read the rest.
const FAREWELL: Duration = Duration::from_secs(1);

/// Frames are gathered up to this many bytes before they are written.
const WRITE_BUFFER_BYTES: usize = 64 * 1_024;

/// Why reading ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// The client closes properly and may read what is queued.
    Closing,
    /// It is gone, silent, or talks nonsense.
    Lost,
}

/// Runs a session to its end.
pub(super) async fn run(
    host: &Shared,
    exchange: SimExchange,
    conn: ConnId,
    mut ws: WebSocket<TokioIo<Upgraded>>,
    opened: Opened,
) {
    // A deadline that never comes where the venue has none.
    let silence_max = opened.silence_max.unwrap_or(Duration::MAX);
    ws.set_auto_pong(false);
    ws.set_auto_close(false);
    ws.set_max_message_size(MOST_MESSAGE_BYTES);
    let (reader, mut writer) = ws.split(|stream| {
        let (reader, writer) = tokio::io::split(stream);
        (reader, BufWriter::with_capacity(WRITE_BUFFER_BYTES, writer))
    });
    // Vectored writes would go around the buffer.
    writer.set_writev(false);
    let mut writing = pin!(write(writer, opened.queue));
    let ended = tokio::select! {
        ended = read(host, exchange, conn, reader, silence_max) => ended,
        written = &mut writing => return note(exchange, conn, written.err()),
    };
    if ended == Ended::Closing {
        host.borrow_mut().close(exchange, conn);
        // A client that does not read its farewell in time goes without.
        let _ = timeout(FAREWELL, writing).await;
    }
}

async fn read<S: AsyncRead + Unpin>(
    host: &Shared,
    exchange: SimExchange,
    conn: ConnId,
    mut reader: WebSocketRead<S>,
    silence_max: Duration,
) -> Ended {
    let mut parts = Parts::default();
    // Pings and closes are answered through the queue, so the reader never has anything to send.
    let mut no_reply = |_: WsFrame<'_>| async { Ok::<(), WebSocketError>(()) };
    loop {
        // Not cancel-safe, but after a timeout nothing is read any more.
        let frame = match timeout(silence_max, reader.read_frame(&mut no_reply)).await {
            Ok(Ok(frame)) => frame,
            Ok(Err(error)) => {
                note(exchange, conn, Some(error));
                return Ended::Lost;
            }
            Err(_) => return Ended::Lost,
        };
        match frame.opcode {
            OpCode::Ping => host.borrow_mut().pong(exchange, conn, &frame.payload),
            OpCode::Pong => {}
            OpCode::Close => return Ended::Closing,
            OpCode::Text | OpCode::Binary | OpCode::Continuation => {
                let Some(done) = parts.add(&frame) else { return Ended::Lost };
                if !done {
                    continue;
                }
                let Some(message) = parts.message() else { return Ended::Lost };
                host.borrow_mut().message(exchange, conn, message);
                parts.bytes.clear();
            }
        }
    }
}

/// A message that may come in several frames.
#[derive(Debug, Default)]
struct Parts {
    is_text: bool,
    is_open: bool,
    bytes: Vec<u8>,
}

impl Parts {
    /// Adds a frame. Answers whether the message is complete, or nothing when the frame does not belong here.
    fn add(&mut self, frame: &WsFrame<'_>) -> Option<bool> {
        let continues = frame.opcode == OpCode::Continuation;
        if continues != self.is_open || self.bytes.len() + frame.payload.len() > MOST_MESSAGE_BYTES {
            return None;
        }
        if !continues {
            self.is_text = frame.opcode == OpCode::Text;
        }
        self.bytes.extend_from_slice(&frame.payload);
        self.is_open = !frame.fin;
        Some(frame.fin)
    }

    /// The complete message; nothing when a text is not UTF-8.
    fn message(&self) -> Option<Message<'_>> {
        if self.is_text {
            return std::str::from_utf8(&self.bytes).ok().map(Message::Text);
        }
        Some(Message::Binary(&self.bytes))
    }
}

/// Writes what is queued, everything that waits in one go. Ends after a close frame.
async fn write<S: AsyncWrite + Unpin>(
    mut writer: WebSocketWrite<S>,
    mut queue: Receiver<Queued>,
) -> Result<(), WebSocketError> {
    while let Some(first) = queue.recv().await {
        let mut next = Some(first);
        while let Some(item) = next {
            let is_last = matches!(item, Queued::Frame(Frame::Close));
            writer.write_frame(ws_frame(&item)).await?;
            if is_last {
                return writer.flush().await;
            }
            next = queue.try_recv().ok();
        }
        writer.flush().await?;
    }
    Ok(())
}

fn ws_frame(item: &Queued) -> WsFrame<'_> {
    match item {
        Queued::Frame(Frame::Text(text)) => WsFrame::text(Payload::Borrowed(text.as_bytes())),
        Queued::Frame(Frame::Shared(text)) => WsFrame::text(Payload::Borrowed(text.as_bytes())),
        Queued::Frame(Frame::Binary(bytes)) => WsFrame::binary(Payload::Borrowed(bytes)),
        Queued::Frame(Frame::Ping) => WsFrame::new(true, OpCode::Ping, None, Payload::Borrowed(b"")),
        Queued::Frame(Frame::Close) => WsFrame::close(1000, b""),
        Queued::RawText(bytes) => WsFrame::text(Payload::Borrowed(bytes)),
        Queued::Pong(payload) => WsFrame::pong(Payload::Borrowed(payload)),
    }
}

fn note(exchange: SimExchange, conn: ConnId, error: Option<WebSocketError>) {
    if let Some(error) = error {
        tracing::debug!(%exchange, conn = conn.0, %error, "session ended");
    }
}
