//! A connection for orders: the request is one buffer and one write, with nothing between it and the socket.
//!
//! The HTTP library serves calls that may take their time. What it does for every call (a channel to a connection task's
//! state, maps of headers) costs an order microseconds when caches are cold. Whatever is not plainly HTTP/1.1 is an error
//! here; an order whose answer cannot be read is unknown, as everywhere.

use super::answer::{AnswerError, AnswerReader};
use super::conn::{Failure, Idle, RawResponse, WriteProbe};
use super::pool::Conn;
use crate::clock::Clock;
use crate::net::NetStream;
use cex_core::Timestamp;
use cex_interface::{HttpRequest, Method};
use http::HeaderValue;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Room for a request and for a usual answer: neither buffer grows on the way of an order.
const BUFFER: usize = 4_096;

/// A connection that serves one order at a time.
pub(super) struct DirectConn {
    stream: NetStream,
    out: Vec<u8>,
    input: Vec<u8>,
    probe: WriteProbe,
    idle: Idle,
    /// It was closed, or said something nobody asked for.
    spoiled: bool,
    clock: Clock,
}

impl Conn for DirectConn {
    async fn open(stream: NetStream, clock: Clock) -> io::Result<Self> {
        Ok(Self {
            stream,
            out: Vec::with_capacity(BUFFER),
            input: vec![0; BUFFER],
            probe: WriteProbe::new(clock),
            idle: Idle::since(clock.now()),
            spoiled: false,
            clock,
        })
    }

    fn is_usable(&mut self, now: Timestamp, idle_max: Duration) -> bool {
        if self.spoiled || self.idle.is_too_long(now, idle_max) {
            return false;
        }
        let mut room = ReadBuf::new(&mut self.input);
        let cx = &mut Context::from_waker(Waker::noop());
        // Nothing to read is what is wanted: an end, an error or bytes nobody asked for spoil it.
        self.spoiled = Pin::new(&mut self.stream).poll_read(cx, &mut room).is_ready();
        !self.spoiled
    }

    fn expires_within(&self, soon: Duration, now: Timestamp, idle_max: Duration) -> bool {
        self.idle.will_be_too_long_within(soon, now, idle_max)
    }
}

impl DirectConn {
    /// Writes the request into the connection's buffer; nothing is sent.
    ///
    /// # Errors
    /// What in it cannot be written, in words for the adapter's author.
    pub(super) fn load(&mut self, request: &HttpRequest, preamble: &Preamble) -> Result<(), &'static str> {
        write_request(&mut self.out, request, preamble)
    }

    /// What was loaded: the very bytes that go to the socket.
    pub(super) fn loaded(&self) -> &[u8] {
        &self.out
    }

    /// When the first byte of the request was handed to the socket; `None` proves that nothing of it has left us.
    pub(super) fn written_at(&self) -> Option<Timestamp> {
        self.probe.written_at()
    }

    /// Sends what was loaded and reads the whole answer. After an error, or when this is dropped before its end, the
    /// connection is of no further use.
    pub(super) async fn exchange(&mut self, body_max: usize) -> Result<RawResponse, Failure> {
        self.probe.reset();
        self.spoiled = true;
        poll_fn(|cx| self.poll_write_all(cx)).await?;
        let mut answer = AnswerReader::new(body_max);
        let answer = loop {
            let count = poll_fn(|cx| self.poll_input(cx)).await?;
            if let Some(answer) = answer.feed(self.input.get(..count).unwrap_or_default())? {
                break answer;
            }
        };
        let answered_at = self.clock.now();
        self.idle = Idle::after(answered_at, &answer.headers);
        self.spoiled = answer.closes;
        Ok(RawResponse { status: answer.status, headers: answer.headers, body: answer.body, answered_at })
    }

    fn poll_write_all(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.out.is_empty() {
            // Before the stream is given the bytes, because a stream that fails may have taken some.
            self.probe.touch();
            match Pin::new(&mut self.stream).poll_write(cx, &self.out) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(count)) => drop(self.out.drain(..count)),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            }
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Reads what there is; nothing at the end of the stream.
    fn poll_input(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut room = ReadBuf::new(&mut self.input);
        let result = Pin::new(&mut self.stream).poll_read(cx, &mut room);
        let count = room.filled().len();
        result.map_ok(|()| count)
    }
}

impl From<AnswerError> for Failure {
    fn from(error: AnswerError) -> Self {
        match error {
            AnswerError::TooLarge => Self::TooLarge,
            AnswerError::Cut => Self::Broken(io::ErrorKind::UnexpectedEof.into()),
            AnswerError::Malformed(what) => Self::Malformed(what),
        }
    }
}

/// What follows the target in every request to a host.
pub(super) struct Preamble(Box<[u8]>);

impl Preamble {
    pub(super) fn of(host: &HeaderValue) -> Self {
        let parts = [
            b" HTTP/1.1\r\nhost: ",
            host.as_bytes(),
            b"\r\nuser-agent: ",
            crate::USER_AGENT.as_bytes(),
            b"\r\naccept: application/json\r\n",
        ];
        Self(parts.concat().into())
    }
}

/// A request as HTTP/1.1 has it. Everything is checked: a line break in a value would make two requests of one.
fn write_request(out: &mut Vec<u8>, request: &HttpRequest, preamble: &Preamble) -> Result<(), &'static str> {
    out.clear();
    let target = request.target.as_str();
    if !target.starts_with('/') || !every(target, |byte| byte.is_ascii_graphic()) {
        return Err("a path that cannot be written");
    }
    // All at once, since they lie in one piece.
    if !every(request.headers.values(), |byte| byte == b'\t' || (b' '..=b'~').contains(&byte)) {
        return Err("a header value that cannot be written");
    }
    for part in [request.method.as_str(), " ", target] {
        out.extend_from_slice(part.as_bytes());
    }
    out.extend_from_slice(&preamble.0);
    let may_carry_body = matches!(request.method, Method::Post | Method::Put | Method::Patch);
    // Some gateways answer 411 to such a request without it.
    if may_carry_body || !request.body.is_empty() {
        out.extend_from_slice(b"content-length: ");
        push_number(out, request.body.len());
        out.extend_from_slice(b"\r\n");
    }
    for (name, value) in request.headers.iter() {
        if name.is_empty() || !every(name, is_token) {
            return Err("a header name that cannot be written");
        }
        for part in [name, ": ", value, "\r\n"] {
            out.extend_from_slice(part.as_bytes());
        }
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(&request.body);
    Ok(())
}

/// Whether every byte is as wanted. Looks at all of them whatever it finds, so that it takes sixteen at a time.
fn every(text: &str, wanted: impl Fn(u8) -> bool) -> bool {
    text.bytes().fold(true, |all, byte| all & wanted(byte))
}

const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

fn push_number(out: &mut Vec<u8>, number: usize) {
    let mut digits = [0; 20];
    let (mut left, mut at) = (number, digits.len());
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(left % 10).unwrap_or(0);
        left /= 10;
        if left == 0 {
            return out.extend_from_slice(&digits[at..]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(request: &HttpRequest) -> Result<String, &'static str> {
        let mut out = Vec::new();
        write_request(&mut out, request, &Preamble::of(&HeaderValue::from_static("api.example.com")))?;
        Ok(String::from_utf8(out).expect("text"))
    }

    fn post(target: &str, body: &str) -> HttpRequest {
        HttpRequest {
            method: Method::Post,
            target: target.to_owned(),
            body: body.as_bytes().to_vec(),
            ..HttpRequest::default()
        }
    }

    #[test]
    fn a_request_is_written_as_the_adapter_says() {
        let mut request = post("/order?a=1%2C", "");
        request.header("x-key", "secret");
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(
            written(&request).expect("plain"),
            format!(
                "POST /order?a=1%2C HTTP/1.1\r\nhost: api.example.com\r\nuser-agent: arb/{version}\r\n\
                 accept: application/json\r\ncontent-length: 0\r\nx-key: secret\r\n\r\n"
            )
        );
        assert!(
            written(&post("/o", "{\"a\":1}")).expect("plain").ends_with("content-length: 7\r\n\r\n{\"a\":1}")
        );
        let delete =
            HttpRequest { method: Method::Delete, target: "/o".to_owned(), ..HttpRequest::default() };
        assert!(!written(&delete).expect("plain").contains("content-length"));
    }

    #[test]
    fn what_would_make_two_requests_of_one_is_refused() {
        for target in ["", "order", "/a b", "/a\r\nx: y", "/a\u{e9}"] {
            assert_eq!(written(&post(target, "")), Err("a path that cannot be written"), "{target:?}");
        }
        for value in ["a\r\nb: c", "a\nb", "\u{0}", "\u{e9}"] {
            let mut request = post("/", "");
            request.header("x-key", value);
            assert_eq!(written(&request), Err("a header value that cannot be written"), "{value:?}");
        }
        for name in ["", "a b", "a:b", "a\r\nb"] {
            let mut request = post("/", "");
            request.header(name, "v");
            assert_eq!(written(&request), Err("a header name that cannot be written"), "{name:?}");
        }
    }

    #[test]
    fn numbers_are_written_in_full() {
        for number in [0, 7, 10, 12_345, usize::MAX] {
            let mut out = Vec::new();
            push_number(&mut out, number);
            assert_eq!(String::from_utf8(out).expect("digits"), number.to_string());
        }
    }
}
