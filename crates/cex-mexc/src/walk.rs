//! Protobuf fields read in place: keys, varints, lengths, and the skipping of what is not known.
//!
//! As strict as prost, and stricter in one point: groups, which proto3 does not have, are refused instead of skipped.

/// Why bytes are not protobuf.
pub(crate) type Malformed = &'static str;

/// A field's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value {
    /// Wire type 0.
    Varint(u64),
    /// Wire type 2: text, bytes or message, as offsets in the frame.
    Bytes {
        /// First byte.
        start: usize,
        /// Past the last byte.
        end: usize,
    },
    /// Wire types 1 and 5, which no field of ours has.
    Fixed,
}

/// A position among the fields of a message that ends at `end` of `frame`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Walk<'f> {
    frame: &'f [u8],
    at: usize,
    end: usize,
}

impl<'f> Walk<'f> {
    /// Over `frame[start..end]`; an end past the frame counts as its end.
    #[inline(always)]
    pub(crate) fn new(frame: &'f [u8], start: usize, end: usize) -> Self {
        Self { frame, at: start, end: end.min(frame.len()) }
    }

    /// The next field, if there is one.
    #[inline(always)]
    pub(crate) fn next(&mut self) -> Result<Option<(u32, Value)>, Malformed> {
        if self.at >= self.end {
            return Ok(None);
        }
        let key = u32::try_from(self.varint()?).map_err(|_| "field number too large")?;
        let field = key >> 3;
        if field == 0 {
            return Err("field number zero");
        }
        let value = match key & 7 {
            0 => Value::Varint(self.varint()?),
            2 => {
                let start_and_end = self.bytes()?;
                Value::Bytes { start: start_and_end.0, end: start_and_end.1 }
            }
            1 => self.fixed(8)?,
            5 => self.fixed(4)?,
            _ => return Err("wire type is a group or unknown"),
        };
        Ok(Some((field, value)))
    }

    /// The next field when it is text, bytes or a message with a key and a length of one byte each, as nearly all
    /// are: its number, start and end. Consumes nothing otherwise.
    #[inline(always)]
    pub(crate) fn short_bytes(&mut self) -> Option<(u8, usize, usize)> {
        let rest = self.frame.get(self.at..self.end)?;
        let [key @ 0x0a..0x80, len @ 0..0x80, behind @ ..] = rest else { return None };
        let len = usize::from(*len);
        if key & 7 != 2 || len > behind.len() {
            return None;
        }
        let start = self.at + 2;
        self.at = start + len;
        Some((key >> 3, start, start + len))
    }

    /// The next field when it has this one-byte key and is a message of exactly two short texts, its fields 1 and 2 in
    /// this order: where the two lie. Consumes nothing otherwise.
    #[inline(always)]
    pub(crate) fn pair_of_texts(&mut self, key: u8) -> Option<[(usize, usize); 2]> {
        let rest = self.frame.get(self.at..self.end)?;
        let [found, len, 0x0a, first] = *rest.first_chunk()? else { return None };
        let first_end = 4 + usize::from(first);
        let [0x12, second] = *rest.get(first_end..)?.first_chunk()? else { return None };
        let end = first_end + 2 + usize::from(second);
        let short = (len | first | second) < 0x80;
        if found != key || !short || end != 2 + usize::from(len) || end > rest.len() {
            return None;
        }
        let at = self.at;
        self.at = at + end;
        Some([(at + 4, at + first_end), (at + first_end + 2, at + end)])
    }

    /// One or two bytes, as nearly all keys and lengths are, without a loop.
    #[inline(always)]
    fn varint(&mut self) -> Result<u64, Malformed> {
        match *self.frame.get(self.at..self.end).unwrap_or_default() {
            [low @ 0..0x80, ..] => {
                self.at += 1;
                Ok(u64::from(low))
            }
            [low, high @ 0..0x80, ..] => {
                self.at += 2;
                Ok(u64::from(low & 0x7f) | u64::from(high) << 7)
            }
            _ => self.long_varint(),
        }
    }

    /// Up to eight bytes as one word, which is what times take; the rest by the loop.
    #[inline(always)]
    fn long_varint(&mut self) -> Result<u64, Malformed> {
        const MORE: u64 = 0x8080_8080_8080_8080;
        let rest = self.frame.get(self.at..self.end).unwrap_or_default();
        let Some(word) = self.word(rest) else { return self.slow_varint() };
        let last = !word & MORE;
        let len = (last.trailing_zeros() / 8) as usize + 1;
        if last == 0 || len > rest.len() {
            return self.slow_varint();
        }
        self.at += len;
        // Everything up to the last byte; then neighbours join: sevens to fourteens to twenty-eights to the whole.
        let sevens = word & (last ^ (last - 1)) & !MORE;
        let pairs = (sevens & 0x007f_007f_007f_007f) | (sevens & 0x7f00_7f00_7f00_7f00) >> 1;
        let fours = (pairs & 0x0000_3fff_0000_3fff) | (pairs & 0x3fff_0000_3fff_0000) >> 2;
        Ok((fours & 0x0fff_ffff) | (fours & 0x0fff_ffff_0000_0000) >> 4)
    }

    /// The next eight bytes, the first lowest, zeros behind the end of the message. None where the frame is too short.
    #[inline(always)]
    fn word(&self, rest: &[u8]) -> Option<u64> {
        if let Some(bytes) = rest.first_chunk() {
            return Some(u64::from_le_bytes(*bytes));
        }
        let before = self.frame.get(..self.end)?.last_chunk()?;
        let missing = 8 * (8 - rest.len() as u32);
        Some(u64::from_le_bytes(*before).checked_shr(missing).unwrap_or(0))
    }

    /// Up to ten bytes of seven bits, the last of which has room for one bit only.
    #[cold]
    #[inline(never)]
    fn slow_varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0;
        for (index, byte) in self.frame.get(self.at..self.end).unwrap_or_default().iter().take(10).enumerate()
        {
            if index == 9 && *byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << (7 * index);
            if *byte < 0x80 {
                self.at += index + 1;
                return Ok(value);
            }
        }
        Err("varint cut off or too long")
    }

    #[inline(always)]
    fn bytes(&mut self) -> Result<(usize, usize), Malformed> {
        let len = self.varint()?;
        let start = self.at;
        match usize::try_from(len).ok().and_then(|len| start.checked_add(len)) {
            Some(end) if end <= self.end => {
                self.at = end;
                Ok((start, end))
            }
            Some(_) | None => Err("length past the end"),
        }
    }

    fn fixed(&mut self, len: usize) -> Result<Value, Malformed> {
        if self.end - self.at < len {
            return Err("fixed field cut off");
        }
        self.at += len;
        Ok(Value::Fixed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(frame: &[u8]) -> Result<Vec<(u32, Value)>, Malformed> {
        let mut walk = Walk::new(frame, 0, frame.len());
        let mut found = Vec::new();
        while let Some(field) = walk.next()? {
            found.push(field);
        }
        Ok(found)
    }

    #[test]
    fn fields_are_read_and_unknown_ones_skipped() {
        let frame = [0x0a, 2, b'h', b'i', 0x30, 0xac, 0x02, 0x21, 0, 0, 0, 0, 0, 0, 0, 0, 0x2d, 0, 0, 0, 0];
        let expected = vec![
            (1, Value::Bytes { start: 2, end: 4 }),
            (6, Value::Varint(300)),
            (4, Value::Fixed),
            (5, Value::Fixed),
        ];
        assert_eq!(fields(&frame), Ok(expected));
        let largest = [0x30, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(fields(&largest), Ok(vec![(6, Value::Varint(u64::MAX))]));
        assert_eq!(
            fields(&[0x8a, 0x00, 0x00]),
            Ok(vec![(1, Value::Bytes { start: 3, end: 3 })]),
            "a padded key"
        );
    }

    #[test]
    fn numbers_of_every_length_are_read() {
        for bits in 0..64 {
            for value in [1_u64 << bits, (1 << bits) - 1, u64::MAX >> bits] {
                let mut frame = vec![0x30];
                let mut rest = value;
                while rest >= 0x80 {
                    frame.push(rest as u8 | 0x80);
                    rest >>= 7;
                }
                frame.push(rest as u8);
                // With and without something behind it: a word is only read where it lies in the message.
                for slack in [0, 9] {
                    let mut frame = frame.clone();
                    frame.resize(frame.len() + slack, 0xff);
                    let mut walk = Walk::new(&frame, 0, frame.len() - slack);
                    assert_eq!(walk.next(), Ok(Some((6, Value::Varint(value)))));
                    assert_eq!(walk.next(), Ok(None));
                }
            }
        }
    }

    #[test]
    fn malformed_bytes_are_refused() {
        for frame in [
            &[0x00, 0x01][..],                                                      // field zero
            &[0x0a],                                                                // no length
            &[0x0a, 0x05, b'x'],                                                    // length past the end
            &[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],    // length past memory
            &[0x30, 0x80],                                                          // varint cut off
            &[0x30, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], // varint too long
            &[0x30, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02],    // more than 64 bits
            &[0x21, 0, 0],                                                          // fixed field cut off
            &[0x0b, 0x0c],                                                          // group
            &[0x0f],                                                                // wire type 7
            &[0x88, 0x80, 0x80, 0x80, 0x10, 0],                                     // key of 33 bits
        ] {
            assert!(fields(frame).is_err(), "{frame:02x?}");
        }
    }

    #[test]
    fn a_message_cannot_reach_past_its_end() {
        let frame = [0x0a, 3, b'a', b'b', b'c'];
        let mut walk = Walk::new(&frame, 0, 4);
        assert!(walk.next().is_err());
    }
}
