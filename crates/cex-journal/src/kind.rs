//! What a record can be: one row per kind, from which everything that depends on the kind is made.

use crate::messages;
use std::fmt;

/// A message that can be a record's payload.
pub trait Payload: prost::Message + Default {
    /// The kind of record it makes.
    const KIND: Kind;
}

macro_rules! kinds {
    ($($number:literal $kind:ident $name:literal $about:literal,)*) => {
        /// What a record is. The numbers are the format's; none is ever used again for something else.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u16)]
        pub enum Kind {
            $(#[doc = $about] $kind = $number,)*
        }

        impl Kind {
            /// All kinds, by number.
            pub const ALL: &'static [Self] = &[$(Self::$kind),*];

            /// The kind with this number; `None` for one this version does not know.
            #[must_use]
            pub const fn from_number(number: u16) -> Option<Self> {
                match number {
                    $($number => Some(Self::$kind),)*
                    _ => None,
                }
            }

            /// The name people use: `intent`, `order_sent`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }
        }

        $(impl Payload for messages::$kind {
            const KIND: Kind = Kind::$kind;
        })*

        /// A record's payload, decoded. Serializes as the message alone; the kind stands beside it.
        #[derive(Debug, Clone, PartialEq, serde::Serialize)]
        #[serde(untagged)]
        pub enum Entry {
            $(#[doc = $about] $kind(messages::$kind),)*
        }

        impl Entry {
            /// Decodes the payload of a record of this kind.
            ///
            /// # Errors
            /// Bytes that are not this message. A record's checksum has been verified before, so this is a bug or a
            /// forgery.
            pub fn decode(kind: Kind, payload: &[u8]) -> Result<Self, prost::DecodeError> {
                use prost::Message as _;
                Ok(match kind {
                    $(Kind::$kind => Self::$kind(messages::$kind::decode(payload)?),)*
                })
            }

            /// The payload of a record that says this: one message has one spelling here.
            #[must_use]
            pub fn encode(&self) -> Vec<u8> {
                use prost::Message as _;
                match self {
                    $(Self::$kind(message) => message.encode_to_vec(),)*
                }
            }
        }
    };
}

kinds! {
    1 SessionStart "session_start" "A program begins to write.",
    2 SessionEnd "session_end" "A program ends orderly.",
    3 Seal "seal" "All before it was on disk when it was written.",
    4 IdBlock "id_block" "Numbers of client order ids that are ours.",
    5 PastSought "past_sought" "What no record told of was looked for.",
    10 Intent "intent" "Orders about to be sent.",
    11 OrderSent "order_sent" "An order's bytes were handed to the socket.",
    12 VenueReport "venue_report" "What an exchange said, as it came.",
    13 OrderEvent "order_event" "An order as understood from a report.",
    14 Fill "fill" "One execution.",
    15 Balance "balance" "What an account holds, as the exchange says.",
    16 ArbitrageEnd "arbitrage_end" "An arbitrage is over.",
    17 VenueNote "venue_note" "What an order told of its venue.",
    20 RiskTrip "risk_trip" "A rule changed what may be done.",
    21 Halt "halt" "All openings stop until an operator acknowledges.",
    22 OperatorAck "operator_ack" "An operator has seen a halt.",
    30 ClockOffset "clock_offset" "How far a venue's clock is from ours.",
    31 ConfigChange "config_change" "A setting was changed while running.",
    40 Checkpoint "checkpoint" "The state as of some record.",
}

impl Kind {
    /// The number in the format.
    #[must_use]
    pub const fn number(self) -> u16 {
        self as u16
    }

    /// The kind with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_found_by_number_and_by_name() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_number(kind.number()), Some(*kind));
            assert_eq!(Kind::from_name(kind.name()), Some(*kind));
        }
        assert_eq!((Kind::from_number(0), Kind::from_number(999)), (None, None));
        assert_eq!(Kind::from_name("Intent"), None);
    }

    #[test]
    fn numbers_of_the_format_stay() {
        let numbers: Vec<u16> = Kind::ALL.iter().map(|kind| kind.number()).collect();
        assert_eq!(numbers, [1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15, 16, 17, 20, 21, 22, 30, 31, 40]);
    }
}
