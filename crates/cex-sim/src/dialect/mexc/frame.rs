//! Writes the frames that go out most often straight into one reused buffer: a protobuf message is keys, lengths and
//! texts, and the texts are numbers. Everything rarer is encoded from the generated types.

use bytes::Bytes;
use std::fmt::Display;
use std::io::Write as _;

/// Wire types of protobuf.
const VARINT: u32 = 0;
const DELIMITED: u32 = 2;
/// A length up to this takes one byte.
const SHORT: usize = 127;

/// A protobuf message being written.
#[derive(Debug, Default)]
pub(super) struct FrameWriter {
    bytes: Vec<u8>,
}

impl FrameWriter {
    /// Begins a frame: the wrapper's channel, symbol and time of sending.
    pub(super) fn begin(&mut self, channel: &str, symbol: &str, sent_at_ms: i64) {
        self.bytes.clear();
        self.text(1, channel);
        self.text(3, symbol);
        self.number(6, sent_at_ms);
    }

    /// The frame, as bytes that are cheap to share.
    pub(super) fn finish(&self) -> Bytes {
        Bytes::copy_from_slice(&self.bytes)
    }

    /// A text; nothing when it is empty.
    pub(super) fn text(&mut self, field: u32, text: &str) {
        if text.is_empty() {
            return;
        }
        self.key(field, DELIMITED);
        self.varint(text.len() as u64);
        self.bytes.extend_from_slice(text.as_bytes());
    }

    /// A number as text: `raw * 10^-dp` without trailing zeros.
    pub(super) fn decimal(&mut self, field: u32, raw: i64, dp: u8) {
        self.message(field, |frame| push_decimal(&mut frame.bytes, raw, dp));
    }

    /// What `value` shows, as text.
    pub(super) fn shown(&mut self, field: u32, value: impl Display) {
        self.message(field, |frame| write!(frame.bytes, "{value}").expect("writing to memory cannot fail"));
    }

    /// A number; nothing when it is zero.
    pub(super) fn number(&mut self, field: u32, number: i64) {
        if number == 0 {
            return;
        }
        self.key(field, VARINT);
        self.varint(number.cast_unsigned());
    }

    /// A message within the message.
    pub(super) fn message(&mut self, field: u32, fill: impl FnOnce(&mut Self)) {
        self.key(field, DELIMITED);
        let start = self.bytes.len();
        self.bytes.push(0);
        fill(self);
        let len = self.bytes.len() - start - 1;
        if len <= SHORT {
            self.bytes[start] = len as u8;
            return;
        }
        // Room was left for a short length only; the few long messages move once.
        let end = self.bytes.len();
        self.varint(len as u64);
        let width = self.bytes.len() - end;
        self.bytes[start..].rotate_right(width);
        self.bytes.remove(start + width);
    }

    fn key(&mut self, field: u32, wire_type: u32) {
        self.varint(u64::from(field << 3 | wire_type));
    }

    fn varint(&mut self, mut value: u64) {
        while value > 0x7f {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }
}

/// Appends `raw * 10^-dp` without trailing zeros.
fn push_decimal(out: &mut Vec<u8>, raw: i64, mut dp: u8) {
    // 19 digits, a sign, a dot and the zeros between.
    let mut text = [0; 24];
    let mut at = text.len();
    let mut digits = raw.unsigned_abs();
    while dp > 0 && digits.is_multiple_of(10) {
        digits /= 10;
        dp -= 1;
    }
    let mut written = 0;
    loop {
        at -= 1;
        text[at] = b'0' + (digits % 10) as u8;
        digits /= 10;
        written += 1;
        if digits == 0 && written > dp {
            break;
        }
        if written == dp {
            at -= 1;
            text[at] = b'.';
        }
    }
    if raw < 0 {
        at -= 1;
        text[at] = b'-';
    }
    out.extend_from_slice(&text[at..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use cex_core::Decimal;
    use cex_proto::mexc::push_data_v3_api_wrapper::Body;
    use cex_proto::mexc::{DepthLevel, PublicAggreDepths, PushDataV3ApiWrapper};
    use proptest::prelude::*;
    use prost::Message as _;

    #[test]
    fn decimals_are_trimmed() {
        for (raw, dp, shown) in [
            (0, 0, "0"),
            (0, 8, "0"),
            (10, 0, "10"),
            (1_500, 3, "1.5"),
            (15, 3, "0.015"),
            (100, 2, "1"),
            (-2_050, 2, "-20.5"),
            (i64::MAX, 18, "9.223372036854775807"),
            (i64::MIN, 18, "-9.223372036854775808"),
            (i64::MIN, 0, "-9223372036854775808"),
            (1, 18, "0.000000000000000001"),
        ] {
            let mut out = Vec::new();
            push_decimal(&mut out, raw, dp);
            assert_eq!(String::from_utf8_lossy(&out), shown);
        }
    }

    proptest! {
        #[test]
        fn decimals_are_what_the_exact_type_shows(raw in any::<i64>(), dp in 0u8..=18) {
            let mut out = Vec::new();
            push_decimal(&mut out, raw, dp);
            prop_assert_eq!(String::from_utf8_lossy(&out), Decimal::new(i128::from(raw), dp).to_string());
        }

        /// The generated types encode the same bytes, whatever the lengths.
        #[test]
        fn frames_are_what_the_generated_types_encode(
            levels in prop::collection::vec((any::<i64>(), 0i64..1_000), 0..700),
            symbol in "[A-Z龙]{0,9}",
            sent_at in 0i64..2_000_000_000_000,
        ) {
            let mut frame = FrameWriter::default();
            frame.begin("spot@x", &symbol, sent_at);
            frame.message(313, |frame| {
                for (price, qty) in &levels {
                    frame.message(2, |frame| {
                        frame.decimal(1, *price, 4);
                        frame.decimal(2, *qty, 2);
                    });
                }
                frame.text(3, "event");
            });
            let bids = levels.iter().map(|(price, qty)| DepthLevel {
                price: Decimal::new(i128::from(*price), 4).to_string(),
                quantity: Decimal::new(i128::from(*qty), 2).to_string(),
            });
            let depths = PublicAggreDepths {
                bids: bids.collect(),
                event_type: "event".to_owned(),
                ..Default::default()
            };
            let expected = PushDataV3ApiWrapper {
                channel: "spot@x".to_owned(),
                symbol: (!symbol.is_empty()).then_some(symbol),
                send_time: (sent_at != 0).then_some(sent_at),
                body: Some(Body::PublicAggreDepths(depths)),
                ..Default::default()
            };
            prop_assert_eq!(frame.finish(), expected.encode_to_vec());
        }
    }
}
