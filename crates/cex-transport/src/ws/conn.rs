//! Both halves of a WebSocket on one stream, polled by one owner.
//!
//! There is no async function here on purpose: reading is `poll_read` into the reader's buffer and nothing else, so
//! there is no half-done read that a timer or another branch could drop.

use super::reader::{FrameError, FrameReader, Message, WsLimits};
use super::writer::FrameWriter;
use cex_errors::{ErrorKind, Phase};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Most bytes that may wait to be written. A server that reads so little is dead or hostile.
const PENDING_MAX: usize = 1 << 20;

/// Why a connection is of no further use.
#[derive(Debug, thiserror::Error)]
pub enum WsError {
    /// The stream broke.
    #[error("the stream broke: {0}")]
    Io(#[from] io::Error),
    /// The stream ended without a close frame.
    #[error("the stream ended without a close frame{}", if *.mid_message { ", inside a message" } else { "" })]
    Eof {
        /// Whether a message had begun.
        mid_message: bool,
    },
    /// The server broke the protocol or a limit.
    #[error("{0}")]
    Frame(#[from] FrameError),
    /// The server does not read what is sent.
    #[error("the server does not read what is sent")]
    Stuck,
}

impl WsError {
    /// What it is in the house's taxonomy.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Io(_) | Self::Eof { .. } | Self::Stuck => ErrorKind::Connection(Phase::AfterSend),
            Self::Frame(FrameError(what)) => ErrorKind::BadFrame(what),
        }
    }
}

/// An open WebSocket.
#[derive(Debug)]
pub struct WsConn<S> {
    stream: S,
    reader: FrameReader,
    writer: FrameWriter,
    /// Bytes were given to the stream that it may still hold back (TLS does).
    unflushed: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> WsConn<S> {
    /// Takes over a stream after its handshake, with the bytes already read beyond it.
    #[must_use]
    pub fn new(stream: S, limits: WsLimits, read_ahead: &[u8]) -> Self {
        let mut reader = FrameReader::new(limits);
        reader.preload(read_ahead);
        Self { stream, reader, writer: FrameWriter::new(), unflushed: false }
    }

    /// Reads once: as much as there is and fits. Returns how many bytes came, never zero.
    ///
    /// # Errors
    /// A broken stream, or its end.
    pub fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, WsError>> {
        let mut space = ReadBuf::new(self.reader.space());
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut space))?;
        let count = space.filled().len();
        if count == 0 {
            return Poll::Ready(Err(WsError::Eof { mid_message: self.reader.is_mid_message() }));
        }
        self.reader.filled(count);
        Poll::Ready(Ok(count))
    }

    /// The next whole message of what was read; `None` when there is none. A ping's pong is queued before it is returned.
    ///
    /// # Errors
    /// A server that breaks the protocol or a limit.
    pub fn next_message(&mut self) -> Result<Option<Message<'_>>, WsError> {
        let message = self.reader.next_message()?;
        if let Some(Message::Ping(payload)) = &message {
            self.writer.pong(payload);
        }
        Ok(message)
    }

    /// Where to queue what is to be sent.
    pub const fn writer(&mut self) -> &mut FrameWriter {
        &mut self.writer
    }

    /// Whether everything queued has left.
    #[must_use]
    pub fn is_flushed(&self) -> bool {
        !self.unflushed && self.writer.pending().is_empty()
    }

    /// Writes what is queued; ready when all of it has left.
    ///
    /// # Errors
    /// A broken stream, or a server that does not read.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), WsError>> {
        while !self.writer.pending().is_empty() {
            self.unflushed = true;
            match Pin::new(&mut self.stream).poll_write(cx, self.writer.pending())? {
                Poll::Ready(0) => return Poll::Ready(Err(io::Error::from(io::ErrorKind::WriteZero).into())),
                Poll::Ready(count) => self.writer.advance(count),
                Poll::Pending if self.writer.pending().len() > PENDING_MAX => {
                    return Poll::Ready(Err(WsError::Stuck));
                }
                Poll::Pending => return Poll::Pending,
            }
        }
        if self.unflushed {
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fastwebsockets::{Frame, OpCode, Payload};
    use std::future::poll_fn;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    fn connected() -> (WsConn<DuplexStream>, DuplexStream) {
        let (ours, theirs) = duplex(1 << 16);
        (WsConn::new(ours, WsLimits::default(), b""), theirs)
    }

    fn frame(opcode: OpCode, payload: &[u8]) -> Vec<u8> {
        let mut buffer = Vec::new();
        Frame::new(true, opcode, None, Payload::Borrowed(payload)).write(&mut buffer).to_vec()
    }

    #[tokio::test]
    async fn one_read_gives_all_frames_that_came() {
        let (mut ours, mut theirs) = connected();
        theirs.write_all(&frame(OpCode::Text, b"a").repeat(3)).await.expect("written");
        assert_eq!(poll_fn(|cx| ours.poll_read(cx)).await.expect("bytes"), 9);
        for _ in 0..3 {
            assert_eq!(ours.next_message().expect("valid"), Some(Message::Text(b"a")));
        }
        assert_eq!(ours.next_message().expect("valid"), None);
    }

    #[tokio::test]
    async fn pings_are_answered() {
        let (mut ours, mut theirs) = connected();
        theirs.write_all(&frame(OpCode::Ping, b"42")).await.expect("written");
        poll_fn(|cx| ours.poll_read(cx)).await.expect("bytes");
        assert_eq!(ours.next_message().expect("valid"), Some(Message::Ping(b"42")));
        poll_fn(|cx| ours.poll_flush(cx)).await.expect("written");
        let mut pong = [0; 8];
        theirs.read_exact(&mut pong).await.expect("a pong");
        assert_eq!(pong[..2], [0x8a, 0x82]);
        assert_eq!([pong[6] ^ pong[2], pong[7] ^ pong[3]], *b"42");
        assert!(ours.is_flushed());
    }

    #[tokio::test]
    async fn an_end_without_a_close_frame_is_an_error() {
        let (mut ours, mut theirs) = connected();
        theirs.write_all(&frame(OpCode::Text, b"abc")[..3]).await.expect("written");
        drop(theirs);
        poll_fn(|cx| ours.poll_read(cx)).await.expect("bytes");
        assert_eq!(ours.next_message().expect("no error yet"), None);
        let end = poll_fn(|cx| ours.poll_read(cx)).await.expect_err("the end");
        assert!(matches!(end, WsError::Eof { mid_message: true }), "{end}");
    }

    #[tokio::test]
    async fn a_server_that_never_reads_is_given_up() {
        let (mut ours, _theirs) = connected();
        ours.writer().binary(&vec![0; 2 * PENDING_MAX]);
        let end = poll_fn(|cx| ours.poll_flush(cx)).await.expect_err("stuck");
        assert!(matches!(end, WsError::Stuck), "{end}");
    }
}
