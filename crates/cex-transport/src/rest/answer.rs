//! An HTTP/1.1 answer out of the bytes of a socket, however they are cut.

use http::{HeaderMap, HeaderName, HeaderValue};

/// Longest head of an answer.
const HEAD_MAX: usize = 64 << 10;
/// Most headers of an answer.
const HEADERS_MAX: usize = 100;

/// Why an answer cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AnswerError {
    /// More than may be read.
    TooLarge,
    /// The stream ended before the answer did.
    Cut,
    /// Not HTTP/1.1.
    Malformed(&'static str),
}

/// A whole answer.
#[derive(Debug)]
pub(super) struct WholeAnswer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    /// Nothing may be sent on this connection any more.
    pub(super) closes: bool,
}

/// Reads one answer.
pub(super) struct AnswerReader {
    body_max: usize,
    /// Bytes that were read and are not worked off.
    bytes: Vec<u8>,
    head: Option<Head>,
    body: Vec<u8>,
}

struct Head {
    status: u16,
    headers: HeaderMap,
    closes: bool,
    rest: Rest,
}

/// How the body goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    /// So many bytes.
    Bytes(usize),
    /// A chunk's size comes next.
    ChunkSize,
    /// So many bytes of a chunk, and its line end.
    Chunk(usize),
    /// Lines after the last chunk, up to an empty one.
    Trailers,
    /// Until the stream ends.
    ToTheEnd,
}

impl AnswerReader {
    pub(super) fn new(body_max: usize) -> Self {
        Self { body_max, bytes: Vec::new(), head: None, body: Vec::new() }
    }

    /// Takes in what a read brought (nothing: the stream has ended); the answer, when that was the last of it.
    pub(super) fn feed(&mut self, read: &[u8]) -> Result<Option<WholeAnswer>, AnswerError> {
        self.bytes.extend_from_slice(read);
        let ended = read.is_empty();
        while self.head.is_none() {
            let Some((head, length)) = read_head(&self.bytes)? else {
                return if ended { Err(AnswerError::Cut) } else { Ok(None) };
            };
            self.bytes.drain(..length);
            // An interim answer is followed by the real one.
            if head.status >= 200 {
                self.head = Some(head);
            }
        }
        if !self.read_body(ended)? {
            return Ok(None);
        }
        let Some(Head { status, headers, closes, .. }) = self.head.take() else { return Ok(None) };
        // Bytes after the answer belong to no call: such a connection is not used again.
        let closes = closes || ended || !self.bytes.is_empty();
        Ok(Some(WholeAnswer { status, headers, body: std::mem::take(&mut self.body), closes }))
    }

    /// Works off what is there; whether the body is whole.
    fn read_body(&mut self, ended: bool) -> Result<bool, AnswerError> {
        let Some(head) = &mut self.head else { return Ok(false) };
        loop {
            match head.rest {
                Rest::Bytes(0) => return Ok(true),
                Rest::Bytes(left) => {
                    if left > self.body_max.saturating_sub(self.body.len()) {
                        return Err(AnswerError::TooLarge);
                    }
                    let count = left.min(self.bytes.len());
                    self.body.extend(self.bytes.drain(..count));
                    head.rest = Rest::Bytes(left - count);
                    if count < left {
                        break;
                    }
                }
                Rest::ChunkSize => {
                    let Some(line) = take_line(&mut self.bytes)? else { break };
                    let size = chunk_size(&line)?;
                    if size > self.body_max.saturating_sub(self.body.len()) {
                        return Err(AnswerError::TooLarge);
                    }
                    head.rest = if size == 0 { Rest::Trailers } else { Rest::Chunk(size) };
                }
                Rest::Chunk(size) => {
                    if self.bytes.len() < size + 2 {
                        break;
                    }
                    if self.bytes.get(size..size + 2) != Some(b"\r\n") {
                        return Err(AnswerError::Malformed("a chunk that does not end where it says"));
                    }
                    self.body.extend(self.bytes.drain(..size + 2).take(size));
                    head.rest = Rest::ChunkSize;
                }
                Rest::Trailers => {
                    let Some(line) = take_line(&mut self.bytes)? else { break };
                    if line.is_empty() {
                        head.rest = Rest::Bytes(0);
                    }
                }
                Rest::ToTheEnd => {
                    if self.bytes.len() > self.body_max.saturating_sub(self.body.len()) {
                        return Err(AnswerError::TooLarge);
                    }
                    self.body.append(&mut self.bytes);
                    return Ok(ended);
                }
            }
        }
        if ended { Err(AnswerError::Cut) } else { Ok(false) }
    }
}

/// A head and its length, once it is whole.
fn read_head(bytes: &[u8]) -> Result<Option<(Head, usize)>, AnswerError> {
    let mut room = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut parsed = httparse::Response::new(&mut room);
    let length = match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) if bytes.len() > HEAD_MAX => return Err(AnswerError::TooLarge),
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(AnswerError::Malformed("a head that is not HTTP/1.1")),
    };
    let (Some(status), Some(version)) = (parsed.code, parsed.version) else {
        return Err(AnswerError::Malformed("a head without a status"));
    };
    let mut headers = HeaderMap::with_capacity(parsed.headers.len());
    for header in parsed.headers.iter() {
        let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(header.name.as_bytes()), HeaderValue::from_bytes(header.value))
        else {
            return Err(AnswerError::Malformed("a header that cannot be read"));
        };
        headers.append(name, value);
    }
    let rest = rest_of(status, &headers)?;
    let closes = rest == Rest::ToTheEnd || version == 0 || says_close(&headers);
    Ok(Some((Head { status, headers, closes, rest }, length)))
}

/// How the body of an answer comes. Two lengths, or a length and chunks, are how requests are smuggled: refused.
fn rest_of(status: u16, headers: &HeaderMap) -> Result<Rest, AnswerError> {
    if status < 200 || status == 204 || status == 304 {
        return Ok(Rest::Bytes(0));
    }
    let mut lengths = headers.get_all(http::header::CONTENT_LENGTH).iter();
    let length = lengths.next();
    if lengths.any(|other| Some(other) != length) {
        return Err(AnswerError::Malformed("two lengths"));
    }
    let mut codings = headers.get_all(http::header::TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next(), length) {
        (None, _, None) => Ok(Rest::ToTheEnd),
        (None, _, Some(length)) => {
            let digits = length.as_bytes();
            let plain = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
            let length =
                std::str::from_utf8(digits).ok().filter(|_| plain).and_then(|text| text.parse().ok());
            length.map(Rest::Bytes).ok_or(AnswerError::Malformed("a length that is no number"))
        }
        (Some(coding), None, None) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => {
            Ok(Rest::ChunkSize)
        }
        (Some(_), _, _) => Err(AnswerError::Malformed("a transfer coding that is not plainly chunked")),
    }
}

fn says_close(headers: &HeaderMap) -> bool {
    headers.get_all(http::header::CONNECTION).iter().any(|value| {
        value
            .as_bytes()
            .split(|byte| *byte == b',')
            .any(|word| word.trim_ascii().eq_ignore_ascii_case(b"close"))
    })
}

/// The next line without its end, once it is whole.
fn take_line(bytes: &mut Vec<u8>) -> Result<Option<Vec<u8>>, AnswerError> {
    let Some(end) = bytes.windows(2).position(|pair| pair == b"\r\n") else {
        return if bytes.len() > HEAD_MAX { Err(AnswerError::TooLarge) } else { Ok(None) };
    };
    let line = bytes[..end].to_vec();
    bytes.drain(..end + 2);
    Ok(Some(line))
}

/// `1a3` or `1a3;extension`.
fn chunk_size(line: &[u8]) -> Result<usize, AnswerError> {
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii_end();
    let plain = !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit);
    let text = std::str::from_utf8(digits).ok().filter(|_| plain);
    text.and_then(|text| usize::from_str_radix(text, 16).ok())
        .ok_or(AnswerError::Malformed("a chunk's size that is no number"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Feeds `wire` in pieces of these sizes, then the end of the stream.
    fn read(wire: &[u8], sizes: &[usize]) -> Result<Option<WholeAnswer>, AnswerError> {
        let mut reader = AnswerReader::new(1_000);
        let (mut left, mut sizes) = (wire, sizes.iter().cycle());
        while !left.is_empty() {
            let size = sizes.next().copied().unwrap_or(usize::MAX).clamp(1, left.len());
            let (piece, rest) = left.split_at(size);
            left = rest;
            if let Some(answer) = reader.feed(piece)? {
                return Ok(Some(answer));
            }
        }
        reader.feed(&[])
    }

    fn body(wire: &str) -> Result<String, AnswerError> {
        let answer = read(wire.as_bytes(), &[])?.expect("an end ends it");
        Ok(String::from_utf8(answer.body).expect("text"))
    }

    const CHUNKED: &str =
        "HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nt: v\r\n\r\n";

    #[test]
    fn bodies_end_where_the_head_says() {
        assert_eq!(body("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"), Ok("hello".to_owned()));
        assert_eq!(body(CHUNKED), Ok("hello!".to_owned()));
        assert_eq!(body("HTTP/1.1 200 OK\r\n\r\nto the end"), Ok("to the end".to_owned()));
        assert_eq!(body("HTTP/1.1 204 No\r\n\r\n"), Ok(String::new()));
        assert_eq!(
            body("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx"),
            Ok("x".to_owned())
        );
    }

    #[test]
    fn what_is_cut_too_large_or_ambiguous_is_refused() {
        let malformed = |wire: &str| matches!(body(wire), Err(AnswerError::Malformed(_)));
        assert_eq!(body("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhell"), Err(AnswerError::Cut));
        assert_eq!(body("HTTP/1.1 200 OK\r\ncontent-le"), Err(AnswerError::Cut));
        assert_eq!(body(&CHUNKED[..CHUNKED.len() - 2]), Err(AnswerError::Cut));
        assert_eq!(body("HTTP/1.1 200 OK\r\ncontent-length: 1001\r\n\r\n"), Err(AnswerError::TooLarge));
        assert_eq!(
            body("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nfffffff\r\n"),
            Err(AnswerError::TooLarge)
        );
        assert!(malformed("HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello"));
        assert!(malformed("HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n"));
        assert!(malformed("HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n"));
        assert!(malformed("HTTP/1.1 200 OK\r\ncontent-length: +5\r\n\r\nhello"));
        assert!(malformed("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n-1\r\n"));
        assert!(malformed("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nxyz\r\n"));
        assert!(malformed("SSH-2.0-x\r\n"));
    }

    #[test]
    fn connections_are_kept_only_when_nothing_speaks_against_it() {
        let closes = |wire: &str| read(wire.as_bytes(), &[]).expect("readable").expect("whole").closes;
        assert!(!closes("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"));
        assert!(!closes(CHUNKED));
        assert!(closes("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: keep-alive, Close\r\n\r\n"));
        assert!(closes("HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n"));
        assert!(closes("HTTP/1.1 200 OK\r\n\r\n"));
        assert!(closes("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\nmore"));
    }

    proptest! {
        #[test]
        fn cuts_change_nothing(sizes in proptest::collection::vec(1usize..9, 1..20), chunked in any::<bool>()) {
            let wire = if chunked { CHUNKED } else { "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nhello!" };
            let answer = read(wire.as_bytes(), &sizes).expect("readable").expect("whole");
            prop_assert_eq!((answer.status, answer.body.as_slice(), answer.closes), (200, b"hello!".as_slice(), false));
        }

        #[test]
        fn any_bytes_are_read_or_refused(wire in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(&[b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".as_slice(), &wire].concat(), &[7]);
            let _ = read(&wire, &[3]);
        }
    }
}
