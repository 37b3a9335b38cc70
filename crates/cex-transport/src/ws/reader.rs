//! WebSocket frames parsed in place, without IO.
//!
//! The owner reads bytes into [`FrameReader::space`], says how many came, and takes whole messages out until there is
//! none. A message that came in one frame is lent straight from the read buffer; only fragments are copied together.
//! What is broken is refused at the first byte that shows it, before anything is buffered for it. Nothing is lost when
//! the owner stops between two calls, so nothing here can be cancelled halfway.
//!
//! Text is not checked to be UTF-8: every text message goes to a JSON reader that judges its bytes anyway.

use std::ops::Range;

/// Bytes kept allocated behind the data, so that wide loads of a decoder never end at the edge of an allocation.
pub const SLACK: usize = 64;

/// A read is offered at least this much room.
const READ_MIN: usize = 16 * 1024;

/// Longest frame header from a server: two bytes and eight of length (servers do not mask).
const HEADER_MAX: usize = 10;

/// Longest payload of a control frame.
const CONTROL_MAX: u64 = 125;

/// What a server may send. Beyond it the connection is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WsLimits {
    /// Longest payload of one frame, in bytes.
    pub frame_max: usize,
    /// Longest message, in bytes.
    pub message_max: usize,
    /// Most frames of one message.
    pub fragments_max: u32,
    /// Size of the read buffer at first, in bytes; it grows to hold one longest frame.
    pub buffer: usize,
}

impl Default for WsLimits {
    fn default() -> Self {
        Self { frame_max: 1 << 20, message_max: 4 << 20, fragments_max: 64, buffer: 256 * 1024 }
    }
}

/// Bytes that break the protocol or a limit. The connection must be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FrameError(pub &'static str);

/// A whole message, lent from the reader's buffers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message<'a> {
    /// A text message; not checked to be UTF-8.
    Text(&'a [u8]),
    /// A binary message.
    Binary(&'a [u8]),
    /// The server asks for a pong with the same payload.
    Ping(&'a [u8]),
    /// The server answers a ping.
    Pong(&'a [u8]),
    /// The server closes.
    Close {
        /// Status code of the close frame; `None` when it has none.
        code: Option<u16>,
        /// The server's reason in words; empty when it gives none.
        reason: &'a str,
    },
}

/// What kind of data message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Data {
    Text,
    Binary,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opcode {
    Continuation,
    Data(Data),
    Close,
    Ping,
    Pong,
}

/// Where a finished message lies.
enum Found {
    Whole(Data, Range<usize>),
    Assembled(Data),
    Close(Range<usize>),
    Ping(Range<usize>),
    Pong(Range<usize>),
}

struct Header {
    fin: bool,
    opcode: Opcode,
    /// Where the payload begins, counted from the frame's first byte.
    at: usize,
    len: usize,
}

/// See the module's words.
#[derive(Debug)]
pub struct FrameReader {
    limits: WsLimits,
    /// Always initialised over its whole length, so that reads need no unsafe code; data is `start..end`.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Fragments of a message not yet whole.
    assembly: Vec<u8>,
    /// Kind and number of frames of that message.
    open: Option<(Data, u32)>,
}

impl FrameReader {
    /// An empty reader.
    #[must_use]
    pub fn new(limits: WsLimits) -> Self {
        let size = limits.buffer.max(READ_MIN + HEADER_MAX) + SLACK;
        Self { limits, buffer: vec![0; size], start: 0, end: 0, assembly: Vec::new(), open: None }
    }

    /// Room to read into, never empty. Bytes put there count only after [`Self::filled`].
    pub fn space(&mut self) -> &mut [u8] {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.usable() - self.end < self.wanted() {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
            if self.usable() - self.end < self.wanted() {
                let size = self.end + self.wanted() + SLACK;
                self.buffer.resize(size, 0);
            }
        }
        let usable = self.usable();
        &mut self.buffer[self.end..usable]
    }

    /// The first `count` bytes of [`Self::space`] were read.
    pub fn filled(&mut self, count: usize) {
        self.end = (self.end + count).min(self.usable());
    }

    /// Takes over bytes that were read before this reader existed.
    pub fn preload(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let space = self.space();
            let count = space.len().min(bytes.len());
            space[..count].copy_from_slice(&bytes[..count]);
            self.filled(count);
            bytes = &bytes[count..];
        }
    }

    /// Whether bytes are held that do not make a whole message yet: an end of the stream now is ungraceful.
    #[must_use]
    pub const fn is_mid_message(&self) -> bool {
        self.start != self.end || self.open.is_some()
    }

    /// The next whole message; `None` when more bytes are needed.
    ///
    /// # Errors
    /// Bytes that break the protocol or a limit; the reader is of no further use then.
    pub fn next_message(&mut self) -> Result<Option<Message<'_>>, FrameError> {
        let Some(found) = self.advance()? else { return Ok(None) };
        Ok(Some(match found {
            Found::Whole(Data::Text, at) => Message::Text(&self.buffer[at]),
            Found::Whole(Data::Binary, at) => Message::Binary(&self.buffer[at]),
            Found::Assembled(Data::Text) => Message::Text(&self.assembly),
            Found::Assembled(Data::Binary) => Message::Binary(&self.assembly),
            Found::Ping(at) => Message::Ping(&self.buffer[at]),
            Found::Pong(at) => Message::Pong(&self.buffer[at]),
            Found::Close(at) => close_message(&self.buffer[at])?,
        }))
    }

    const fn usable(&self) -> usize {
        self.buffer.len() - SLACK
    }

    /// How much room a read should have: the rest of a large frame already begun, or an ordinary read.
    fn wanted(&self) -> usize {
        match self.header() {
            Ok(Some(header)) => (header.at + header.len).saturating_sub(self.end - self.start).max(READ_MIN),
            Ok(None) | Err(_) => READ_MIN,
        }
    }

    /// Takes frames off the buffer until one finishes a message.
    fn advance(&mut self) -> Result<Option<Found>, FrameError> {
        loop {
            let Some(header) = self.header()? else { return Ok(None) };
            self.check_place(&header)?;
            if self.end - self.start < header.at + header.len {
                return Ok(None);
            }
            let at = self.start + header.at..self.start + header.at + header.len;
            self.start = at.end;
            match header.opcode {
                Opcode::Close => return Ok(Some(Found::Close(at))),
                Opcode::Ping => return Ok(Some(Found::Ping(at))),
                Opcode::Pong => return Ok(Some(Found::Pong(at))),
                Opcode::Data(kind) if header.fin => return Ok(Some(Found::Whole(kind, at))),
                Opcode::Data(kind) => {
                    self.assembly.clear();
                    self.open = Some((kind, 1));
                    self.append(at);
                }
                Opcode::Continuation => {
                    self.append(at);
                    if let (Some((kind, _)), true) = (self.open, header.fin) {
                        self.open = None;
                        return Ok(Some(Found::Assembled(kind)));
                    }
                    self.open = self.open.map(|(kind, frames)| (kind, frames + 1));
                }
            }
        }
    }

    fn append(&mut self, at: Range<usize>) {
        if self.assembly.capacity() < self.assembly.len() + at.len() + SLACK {
            self.assembly.reserve(at.len() + SLACK);
        }
        self.assembly.extend_from_slice(&self.buffer[at]);
    }

    /// Whether a frame with this header may come now, and whether the message it belongs to may grow by it.
    fn check_place(&self, header: &Header) -> Result<(), FrameError> {
        match (header.opcode, self.open) {
            (Opcode::Close | Opcode::Ping | Opcode::Pong, _) => Ok(()),
            (Opcode::Data(_), Some(_)) => Err(FrameError("a new message inside a fragmented one")),
            (Opcode::Continuation, None) => Err(FrameError("a continuation of nothing")),
            (Opcode::Continuation, Some((_, frames))) if frames >= self.limits.fragments_max => {
                Err(FrameError("a message of too many fragments"))
            }
            (Opcode::Continuation, Some(_)) if self.assembly.len() + header.len > self.limits.message_max => {
                Err(FrameError("a message that is too long"))
            }
            (Opcode::Data(_), None) if header.len > self.limits.message_max => {
                Err(FrameError("a message that is too long"))
            }
            (Opcode::Data(_), None) | (Opcode::Continuation, Some(_)) => Ok(()),
        }
    }

    /// The header at the front; `None` when it is not whole yet.
    fn header(&self) -> Result<Option<Header>, FrameError> {
        let data = &self.buffer[self.start..self.end];
        let Some(&first) = data.first() else { return Ok(None) };
        let fin = first & 0x80 != 0;
        if first & 0x70 != 0 {
            return Err(FrameError("reserved bits are set"));
        }
        let opcode = match first & 0x0f {
            0x0 => Opcode::Continuation,
            0x1 => Opcode::Data(Data::Text),
            0x2 => Opcode::Data(Data::Binary),
            0x8 => Opcode::Close,
            0x9 => Opcode::Ping,
            0xa => Opcode::Pong,
            0x3..=0x7 | 0xb.. => return Err(FrameError("a reserved opcode")),
        };
        let is_control = matches!(opcode, Opcode::Close | Opcode::Ping | Opcode::Pong);
        if is_control && !fin {
            return Err(FrameError("a fragmented control frame"));
        }
        let Some(&second) = data.get(1) else { return Ok(None) };
        if second & 0x80 != 0 {
            return Err(FrameError("a masked frame from a server"));
        }
        let Some((len, at)) = payload_len(second, data)? else { return Ok(None) };
        if is_control && len > CONTROL_MAX {
            return Err(FrameError("a control frame that is too long"));
        }
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        if len > self.limits.frame_max {
            return Err(FrameError("a frame that is too long"));
        }
        Ok(Some(Header { fin, opcode, at, len }))
    }
}

/// Length of the payload and of the header, when all of the length is there.
fn payload_len(second: u8, data: &[u8]) -> Result<Option<(u64, usize)>, FrameError> {
    let (len, at, least) = match second {
        0..=125 => return Ok(Some((u64::from(second), 2))),
        126 => match data.get(2..4) {
            None => return Ok(None),
            Some(bytes) => (bytes.iter().fold(0, |len, byte| len << 8 | u64::from(*byte)), 4, 126),
        },
        127.. => match data.get(2..10) {
            None => return Ok(None),
            Some(bytes) => (bytes.iter().fold(0, |len, byte| len << 8 | u64::from(*byte)), 10, 1 << 16),
        },
    };
    if len < least {
        return Err(FrameError("a length that is not written the shortest way"));
    }
    Ok(Some((len, at)))
}

fn close_message(payload: &[u8]) -> Result<Message<'_>, FrameError> {
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        if payload.is_empty() {
            return Ok(Message::Close { code: None, reason: "" });
        }
        return Err(FrameError("a close frame of one byte"));
    };
    let code = u16::from_be_bytes(*code);
    // RFC 6455 §7.4: 1004, 1005, 1006 and 1015 must never be sent; 1016 to 2999 belong to nobody yet.
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(FrameError("a close code that must not be sent"));
    }
    let reason = std::str::from_utf8(reason).map_err(|_| FrameError("a close reason that is not UTF-8"))?;
    Ok(Message::Close { code: Some(code), reason })
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
