//! Masked frames into one reused buffer.

use fastwebsockets::{Frame, OpCode, Payload};

/// Frames waiting to be written, in order. Encoding is the library's; this is the narrow door to it.
#[derive(Debug, Default)]
pub struct FrameWriter {
    pending: Vec<u8>,
    written: usize,
    scratch: Vec<u8>,
}

impl FrameWriter {
    /// Nothing to write.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Queues a text message.
    pub fn text(&mut self, text: &str) {
        self.push(OpCode::Text, text.as_bytes());
    }

    /// Queues a binary message.
    pub fn binary(&mut self, bytes: &[u8]) {
        self.push(OpCode::Binary, bytes);
    }

    /// Queues a ping.
    pub fn ping(&mut self) {
        self.push(OpCode::Ping, b"");
    }

    /// Queues the answer to a ping.
    pub fn pong(&mut self, payload: &[u8]) {
        self.push(OpCode::Pong, payload);
    }

    /// Queues a close frame without words.
    pub fn close(&mut self, code: u16) {
        self.push(OpCode::Close, &code.to_be_bytes());
    }

    /// Bytes still to be written.
    #[must_use]
    pub fn pending(&self) -> &[u8] {
        &self.pending[self.written..]
    }

    /// The first `count` pending bytes were written.
    pub fn advance(&mut self, count: usize) {
        self.written = (self.written + count).min(self.pending.len());
        if self.written == self.pending.len() {
            self.pending.clear();
            self.written = 0;
        }
    }

    fn push(&mut self, opcode: OpCode, payload: &[u8]) {
        // The library masks in place, so the payload is copied to a buffer of our own that may be changed.
        self.scratch.clear();
        self.scratch.extend_from_slice(payload);
        let mut frame = Frame::new(true, opcode, None, Payload::BorrowedMut(&mut self.scratch));
        frame.mask();
        let mut head = [0; 16];
        let size = frame.fmt_head(&mut head);
        self.pending.extend_from_slice(&head[..size]);
        self.pending.extend_from_slice(&frame.payload);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reads one frame the way RFC 6455 §5.2 describes it: opcode, unmasked payload, rest.
    fn unmask(wire: &[u8]) -> (u8, Vec<u8>, &[u8]) {
        assert_eq!(wire[0] & 0xf0, 0x80, "one whole frame");
        assert_eq!(wire[1] & 0x80, 0x80, "clients mask");
        let (len, at) = match wire[1] & 0x7f {
            126 => (usize::from(u16::from_be_bytes([wire[2], wire[3]])), 4),
            127 => (
                usize::try_from(u64::from_be_bytes(wire[2..10].try_into().expect("eight"))).expect("fits"),
                10,
            ),
            short => (usize::from(short), 2),
        };
        let (mask, rest) = wire[at..].split_at(4);
        let (body, rest) = rest.split_at(len);
        (wire[0] & 0x0f, body.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect(), rest)
    }

    #[test]
    fn frames_queue_in_order_and_partial_writes_go_on() {
        let mut writer = FrameWriter::new();
        writer.text("hello");
        writer.ping();
        writer.pong(b"x");
        writer.close(1000);
        let mut wire = Vec::new();
        while !writer.pending().is_empty() {
            wire.push(writer.pending()[0]);
            writer.advance(1);
        }
        let (opcode, body, rest) = unmask(&wire);
        assert_eq!((opcode, body.as_slice()), (1, b"hello".as_slice()));
        let (opcode, body, rest) = unmask(rest);
        assert_eq!((opcode, body.len()), (9, 0));
        let (opcode, body, rest) = unmask(rest);
        assert_eq!((opcode, body.as_slice()), (10, b"x".as_slice()));
        let (opcode, body, rest) = unmask(rest);
        assert_eq!((opcode, body.as_slice(), rest.len()), (8, [3, 232].as_slice(), 0));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn every_length_survives(body in proptest::collection::vec(any::<u8>(), 0..70_000)) {
            let mut writer = FrameWriter::new();
            writer.binary(&body);
            let (opcode, read, rest) = unmask(writer.pending());
            prop_assert_eq!((opcode, read, rest.len()), (2, body, 0));
        }
    }
}
