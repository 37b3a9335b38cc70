//! One connection of the HTTP library, and whether any byte of a call was handed to it.
//!
//! Nothing runs in the background: the connection is polled by the call that uses it. A call that is given up drops it,
//! so neither can its request still leave later, nor can its answer be taken for the answer to the next call.

use super::pool::Conn;
use crate::clock::Clock;
use crate::net::NetStream;
use bytes::{Buf, Bytes};
use cex_core::Timestamp;
use http::{HeaderMap, Request};
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::{Connection, SendRequest};
use hyper_util::rt::TokioIo;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The moment the first byte of a request was handed to the socket.
#[derive(Debug)]
pub(super) struct WriteProbe {
    clock: Clock,
    /// Nanoseconds; [`UNTOUCHED`] before.
    first_at: AtomicI64,
}

const UNTOUCHED: i64 = i64::MIN;

impl WriteProbe {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, first_at: AtomicI64::new(UNTOUCHED) }
    }

    pub(super) fn reset(&self) {
        self.first_at.store(UNTOUCHED, Ordering::Relaxed);
    }

    /// `None` proves that nothing of the request has left us.
    pub(super) fn written_at(&self) -> Option<Timestamp> {
        let nanos = self.first_at.load(Ordering::Relaxed);
        (nanos != UNTOUCHED).then(|| Timestamp::from_nanos(nanos))
    }

    /// Called before the stream is given the bytes, because a stream that fails may have taken some.
    pub(super) fn touch(&self) {
        if self.first_at.load(Ordering::Relaxed) == UNTOUCHED {
            self.first_at.store(self.clock.now().as_nanos(), Ordering::Relaxed);
        }
    }
}

/// A stream whose writes are noticed.
struct Probed {
    stream: NetStream,
    probe: Arc<WriteProbe>,
}

impl AsyncRead for Probed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Probed {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.probe.touch();
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.probe.touch();
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A response as it came.
pub(super) struct RawResponse {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    pub(super) answered_at: Timestamp,
}

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("{0}")]
    Broken(#[from] io::Error),
    #[error("the body is larger than allowed")]
    TooLarge,
    #[error("{0}")]
    Malformed(&'static str),
}

impl From<hyper::Error> for Failure {
    fn from(error: hyper::Error) -> Self {
        Self::Broken(io::Error::other(error))
    }
}

/// Since when a connection waits for the next call, and what the server says it keeps an idle one for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Idle {
    since: Timestamp,
    server_keeps: Option<Duration>,
}

impl Idle {
    /// A new connection.
    pub(super) const fn since(now: Timestamp) -> Self {
        Self { since: now, server_keeps: None }
    }

    /// After an answer with these headers.
    pub(super) fn after(now: Timestamp, headers: &HeaderMap) -> Self {
        Self { since: now, server_keeps: server_keeps(headers) }
    }

    pub(super) fn is_too_long(&self, now: Timestamp, idle_max: Duration) -> bool {
        self.will_be_too_long_within(Duration::ZERO, now, idle_max)
    }

    /// Half of what the server says at least, so that a call never races its close.
    pub(super) fn will_be_too_long_within(&self, soon: Duration, now: Timestamp, idle_max: Duration) -> bool {
        let most = self.server_keeps.map_or(idle_max, |keeps| idle_max.min(keeps / 2));
        now.since(self.since) + soon >= most
    }
}

/// A connection that serves one call at a time.
pub(super) struct HttpConn {
    sender: SendRequest<Full<Bytes>>,
    connection: Connection<TokioIo<Probed>, Full<Bytes>>,
    finished: bool,
    pub(super) probe: Arc<WriteProbe>,
    clock: Clock,
    idle: Idle,
}

impl Conn for HttpConn {
    async fn open(stream: NetStream, clock: Clock) -> io::Result<Self> {
        let probe = Arc::new(WriteProbe::new(clock));
        let io = TokioIo::new(Probed { stream, probe: Arc::clone(&probe) });
        let (sender, connection) =
            hyper::client::conn::http1::handshake(io).await.map_err(io::Error::other)?;
        let idle = Idle::since(clock.now());
        Ok(Self { sender, connection, finished: false, probe, clock, idle })
    }

    fn is_usable(&mut self, now: Timestamp, idle_max: Duration) -> bool {
        if self.idle.is_too_long(now, idle_max) {
            return false;
        }
        // Lets the connection notice an end, or bytes nobody asked for.
        self.advance(&mut Context::from_waker(Waker::noop()));
        !self.finished && !self.sender.is_closed() && self.sender.is_ready()
    }

    fn expires_within(&self, soon: Duration, now: Timestamp, idle_max: Duration) -> bool {
        self.idle.will_be_too_long_within(soon, now, idle_max)
    }
}

impl HttpConn {
    /// Sends `request` and reads the whole answer. After an error, or when this is dropped before its end, the connection
    /// is of no further use.
    pub(super) async fn exchange(
        &mut self,
        request: Request<Full<Bytes>>,
        body_max: usize,
    ) -> Result<RawResponse, Failure> {
        self.probe.reset();
        let mut sending = pin!(self.sender.send_request(request));
        let response = poll_fn(|cx| self.poll_with_connection(cx, |cx| sending.as_mut().poll(cx))).await?;
        let (head, incoming) = response.into_parts();
        let body = self.read_body(incoming, body_max).await?;
        let answered_at = self.clock.now();
        self.idle = Idle::after(answered_at, &head.headers);
        Ok(RawResponse { status: head.status.as_u16(), headers: head.headers, body, answered_at })
    }

    async fn read_body(&mut self, mut incoming: Incoming, most: usize) -> Result<Vec<u8>, Failure> {
        let expected = incoming.size_hint();
        if expected.lower() > most as u64 {
            return Err(Failure::TooLarge);
        }
        let mut body = Vec::with_capacity(usize::try_from(expected.lower()).unwrap_or_default());
        while let Some(frame) =
            poll_fn(|cx| self.poll_with_connection(cx, |cx| Pin::new(&mut incoming).poll_frame(cx))).await
        {
            let Ok(mut data) = frame?.into_data() else { continue };
            if body.len() + data.len() > most {
                return Err(Failure::TooLarge);
            }
            while data.has_remaining() {
                let chunk = data.chunk();
                body.extend_from_slice(chunk);
                let count = chunk.len();
                data.advance(count);
            }
        }
        Ok(body)
    }

    fn advance(&mut self, cx: &mut Context<'_>) {
        if !self.finished {
            // What went wrong reaches the call itself, too.
            self.finished = Pin::new(&mut self.connection).poll(cx).is_ready();
        }
    }

    fn poll_with_connection<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut wanted: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        if let Poll::Ready(value) = wanted(cx) {
            return Poll::Ready(value);
        }
        self.advance(cx);
        wanted(cx)
    }
}

/// `Keep-Alive: timeout=5, max=100`.
fn server_keeps(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get("keep-alive")?.to_str().ok()?;
    let seconds = value.split(',').find_map(|part| part.trim().strip_prefix("timeout="))?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_word_on_idle_connections_is_read() {
        for (value, seconds) in
            [("timeout=5", Some(5)), ("max=9, timeout=75", Some(75)), ("max=9", None), ("x", None)]
        {
            let mut headers = HeaderMap::new();
            headers.insert("keep-alive", value.parse().expect("a value"));
            assert_eq!(server_keeps(&headers), seconds.map(Duration::from_secs), "{value}");
        }
    }
}
