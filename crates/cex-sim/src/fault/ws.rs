//! Faults of WebSockets: what becomes of frames, subscriptions and connections.

use crate::dialect::Frame;
use bytes::Bytes;
use cex_proto::mexc::PushDataV3ApiWrapper;
use cex_proto::mexc::push_data_v3_api_wrapper::Body;
use prost::Message as _;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::fmt;
use std::time::Duration;

/// A fault of a WebSocket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WsFault {
    /// Connections it may happen on.
    pub stream: Stream,
    /// Frames it may happen to.
    pub frames: Frames,
    /// Texts that a frame must all have in it, such as a channel and a symbol.
    pub contains: Vec<String>,
    /// What happens to the frame, the subscription or the connection.
    pub effect: WsEffect,
}

/// Which connections. One is private from when it brings a listen key or signs something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Any.
    Any,
    /// Those that read market data only.
    Public,
    /// Those that belong to an account.
    Private,
}

/// Which frames from the exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frames {
    /// Data.
    Data,
    /// Answers to what clients say: acknowledgements, pongs as messages.
    Answers,
    /// Both.
    All,
}

/// What happens to a frame, a subscription, or the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WsEffect {
    /// The frame is lost: of an incremental channel that is a gap (B1).
    Drop,
    /// It comes twice (B2, W9).
    Duplicate,
    /// It comes late (T8, W8, W16).
    Delay(Duration),
    /// It comes after the next one like it (W8).
    Reorder,
    /// From this frame on nothing like it comes, while all else goes on (W1, W7). Lasts until cleared or over.
    Mute,
    /// It ends after so many bytes (W13).
    Truncate(usize),
    /// So many of its bytes are others (W13).
    FlipBytes(usize),
    /// A text comes as bytes, bytes come as a JSON text (W12).
    SwapKind,
    /// A state or a reason that nobody knows (W11).
    UnknownEnum,
    /// Its bids come as asks and its asks as bids, so that the book crosses itself (B4). Frames without a book stay as
    /// they are.
    Cross,
    /// A text in it is another one, of the same length where frames are bytes (B7, W14).
    Replace {
        /// The text that is replaced.
        from: String,
        /// The text that takes its place.
        to: String,
    },
    /// A text message comes before it (W5, W12).
    Insert(String),
    /// The connection is closed before it (W5).
    Close,
    /// The connection is reset before it (T1).
    Reset,
    /// From this frame on nothing passes in either direction, and nobody says so (T2).
    Blackhole,
    /// So many pings come before it (W2).
    PingFlood(u32),
    /// What the client says is lost (T3). `contains` is looked for in the client's message.
    Deafen,
    /// A subscription is refused in the exchange's own words; where the exchange can, the others of the same request
    /// are not (W3). `contains` is looked for in the client's message, and its first text in the channels.
    RefuseSubscription,
}

/// What is known of a frame or message that passes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen<'a> {
    /// Whether the connection belongs to an account.
    pub(crate) is_private: bool,
    /// Whether it comes from the client.
    pub(crate) is_from_client: bool,
    /// Whether it is data rather than an answer.
    pub(crate) is_data: bool,
    /// Payload of the frame or message.
    pub(crate) bytes: &'a [u8],
}

/// A frame on its way, possibly spoilt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wire {
    /// A proper one.
    Frame(Frame),
    /// Bytes under the opcode of texts, whatever they are.
    RawText(Bytes),
}

/// What becomes of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    /// These are sent, now.
    Send(Vec<Wire>),
    /// It is sent later.
    Later(Duration, Frame),
    /// It is sent after the next one.
    AfterNext(Frame),
    /// The connection ends with a close frame.
    Close,
    /// The connection is reset.
    Reset,
    /// The connection passes nothing any more.
    Blackhole,
}

impl WsFault {
    /// Whether a frame or message is meant.
    pub(super) fn matches(&self, seen: Seen<'_>) -> bool {
        let is_of_stream = match self.stream {
            Stream::Any => true,
            Stream::Public => !seen.is_private,
            Stream::Private => seen.is_private,
        };
        let is_of_kind = seen.is_from_client
            || match self.frames {
                Frames::Data => seen.is_data,
                Frames::Answers => !seen.is_data,
                Frames::All => true,
            };
        let is_of_way = seen.is_from_client == self.effect.is_for_clients();
        is_of_stream && is_of_kind && is_of_way && self.says(seen.bytes)
    }

    /// Whether all the texts are there.
    pub(crate) fn says(&self, bytes: &[u8]) -> bool {
        self.contains.iter().all(|text| find(bytes, text.as_bytes()).is_some())
    }

    pub(super) fn problem(&self) -> Option<&'static str> {
        match &self.effect {
            WsEffect::Replace { from, .. } if from.is_empty() => {
                Some("nothing cannot be replaced; name a text")
            }
            WsEffect::FlipBytes(0) => Some("flip at least one byte"),
            WsEffect::PingFlood(count) if *count > MOST_PINGS => Some("a flood has 100000 pings at most"),
            WsEffect::RefuseSubscription if self.contains.is_empty() => {
                Some("name a part of the channel that is refused")
            }
            _ => None,
        }
    }
}

/// Pings of one flood: they are all in memory until they are sent.
const MOST_PINGS: u32 = 100_000;

impl WsEffect {
    /// Whether it is about what clients say.
    const fn is_for_clients(&self) -> bool {
        matches!(self, Self::Deafen | Self::RefuseSubscription)
    }
}

/// What becomes of a frame under an effect; `seed` decides what is left to chance.
pub(crate) fn fate(effect: &WsEffect, frame: Frame, seed: u64) -> Fate {
    match effect {
        WsEffect::Drop | WsEffect::Mute => Fate::Send(Vec::new()),
        WsEffect::Duplicate => Fate::Send(vec![Wire::Frame(frame.clone()), Wire::Frame(frame)]),
        WsEffect::Delay(by) => Fate::Later(*by, frame),
        WsEffect::Reorder => Fate::AfterNext(frame),
        WsEffect::Truncate(at) => changed(frame, |bytes| bytes.truncate(*at)),
        WsEffect::FlipBytes(count) => changed(frame, |bytes| flip(bytes, *count, seed)),
        WsEffect::SwapKind => Fate::Send(vec![swapped(frame)]),
        WsEffect::UnknownEnum => Fate::Send(vec![unknown(frame)]),
        WsEffect::Cross => Fate::Send(vec![crossed(frame)]),
        WsEffect::Replace { from, to } => {
            let (from, to) = (from.as_bytes(), to.as_bytes());
            // The lengths inside of a binary frame must stay true, or it would be another fault.
            let is_text = !matches!(frame, Frame::Binary(_));
            changed(frame, |bytes| replace(bytes, from, to, is_text))
        }
        WsEffect::Insert(text) => {
            Fate::Send(vec![Wire::Frame(Frame::Text(text.clone())), Wire::Frame(frame)])
        }
        WsEffect::Close => Fate::Close,
        WsEffect::Reset => Fate::Reset,
        WsEffect::Blackhole => Fate::Blackhole,
        WsEffect::PingFlood(count) => {
            let pings = (0..*count).map(|_| Wire::Frame(Frame::Ping));
            Fate::Send(pings.chain([Wire::Frame(frame)]).collect())
        }
        WsEffect::Deafen | WsEffect::RefuseSubscription => Fate::Send(vec![Wire::Frame(frame)]),
    }
}

/// The bytes of a frame that says something.
pub(crate) fn payload(frame: &Frame) -> Option<&[u8]> {
    match frame {
        Frame::Text(text) => Some(text.as_bytes()),
        Frame::Shared(text) => Some(text.as_bytes()),
        Frame::Binary(bytes) => Some(bytes),
        Frame::Ping | Frame::Close => None,
    }
}

fn changed(frame: Frame, change: impl FnOnce(&mut Vec<u8>)) -> Fate {
    let Some(bytes) = payload(&frame) else { return Fate::Send(vec![Wire::Frame(frame)]) };
    let mut bytes = bytes.to_vec();
    change(&mut bytes);
    let wire = match frame {
        Frame::Binary(_) => Wire::Frame(Frame::Binary(bytes.into())),
        Frame::Text(_) | Frame::Shared(_) | Frame::Ping | Frame::Close => Wire::RawText(bytes.into()),
    };
    Fate::Send(vec![wire])
}

fn flip(bytes: &mut [u8], count: usize, seed: u64) {
    if bytes.is_empty() {
        return;
    }
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    for _ in 0..count {
        let roll = dice.next_u64();
        let at = usize::try_from(roll >> 8).unwrap_or(usize::MAX) % bytes.len();
        // Never by zero: a flipped byte is another one.
        bytes[at] ^= (roll as u8).max(1);
    }
}

fn replace(bytes: &mut Vec<u8>, from: &[u8], to: &[u8], any_length: bool) {
    if from.len() != to.len() && !any_length {
        return;
    }
    let mut at = 0;
    while let Some(found) = bytes.get(at..).and_then(|rest| find(rest, from)) {
        let start = at + found;
        bytes.splice(start..start + from.len(), to.iter().copied());
        at = start + to.len();
    }
}

fn swapped(frame: Frame) -> Wire {
    match frame {
        Frame::Text(text) => Wire::Frame(Frame::Binary(text.into_bytes().into())),
        Frame::Shared(text) => Wire::Frame(Frame::Binary(Bytes::copy_from_slice(text.as_bytes()))),
        Frame::Binary(_) => Wire::Frame(Frame::Text(r#"{"c":"spot@public","d":{},"t":0}"#.to_owned())),
        Frame::Ping | Frame::Close => Wire::Frame(frame),
    }
}

/// A state of an order that no client knows; frames without one stay as they are.
fn unknown(frame: Frame) -> Wire {
    if let Frame::Binary(bytes) = &frame {
        let Ok(mut push) = PushDataV3ApiWrapper::decode(bytes.as_ref()) else { return Wire::Frame(frame) };
        match &mut push.body {
            Some(Body::PrivateOrders(order)) => order.status = 99,
            Some(Body::PrivateAccount(account)) => "SOMETHING_NEW".clone_into(&mut account.r#type),
            Some(_) | None => return Wire::Frame(frame),
        }
        return Wire::Frame(Frame::Binary(push.encode_to_vec().into()));
    }
    let Some(mut bytes) = payload(&frame).map(<[u8]>::to_vec) else { return Wire::Frame(frame) };
    for key in ["\"finish_as\":\"", "\"change_type\":\""] {
        let Some(start) = find(&bytes, key.as_bytes()).map(|at| at + key.len()) else { continue };
        let Some(length) = find(&bytes[start..], b"\"") else { continue };
        bytes.splice(start..start + length, b"something_new".iter().copied());
    }
    Wire::RawText(bytes.into())
}

/// A book's frame with its sides exchanged.
fn crossed(frame: Frame) -> Wire {
    if let Frame::Binary(bytes) = &frame {
        let Ok(mut push) = PushDataV3ApiWrapper::decode(bytes.as_ref()) else { return Wire::Frame(frame) };
        match &mut push.body {
            Some(Body::PublicAggreDepths(depth)) => std::mem::swap(&mut depth.bids, &mut depth.asks),
            Some(Body::PublicLimitDepths(depth)) => std::mem::swap(&mut depth.bids, &mut depth.asks),
            Some(_) | None => return Wire::Frame(frame),
        }
        return Wire::Frame(Frame::Binary(push.encode_to_vec().into()));
    }
    let Some(mut bytes) = payload(&frame).map(<[u8]>::to_vec) else { return Wire::Frame(frame) };
    for [bids, asks] in [["\"b\":[", "\"a\":["], ["\"bids\":[", "\"asks\":["]] {
        // A text that stands in no frame keeps the place meanwhile.
        replace(&mut bytes, bids.as_bytes(), b"\0", true);
        replace(&mut bytes, asks.as_bytes(), bids.as_bytes(), true);
        replace(&mut bytes, b"\0", asks.as_bytes(), true);
    }
    Wire::RawText(bytes.into())
}

fn find(bytes: &[u8], text: &[u8]) -> Option<usize> {
    if text.is_empty() {
        return Some(0);
    }
    bytes.windows(text.len()).position(|part| part == text)
}

impl fmt::Display for WsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stream = match self.stream {
            Stream::Any => "any",
            Stream::Public => "public",
            Stream::Private => "private",
        };
        let frames = match self.frames {
            Frames::Data => "",
            Frames::Answers => " answers",
            Frames::All => " all frames",
        };
        write!(f, "ws.{stream}{frames} [{}]: {}", self.contains.join(", "), self.effect)
    }
}

impl fmt::Display for WsEffect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Drop => f.write_str("drop"),
            Self::Duplicate => f.write_str("duplicate"),
            Self::Delay(by) => write!(f, "delay by {} ms", by.as_millis()),
            Self::Reorder => f.write_str("reorder"),
            Self::Mute => f.write_str("mute"),
            Self::Truncate(at) => write!(f, "truncate at {at} bytes"),
            Self::FlipBytes(count) => write!(f, "flip {count} bytes"),
            Self::SwapKind => f.write_str("swap text and binary"),
            Self::UnknownEnum => f.write_str("unknown value"),
            Self::Cross => f.write_str("cross"),
            Self::Replace { from, to } => write!(f, "replace {from:?} by {to:?}"),
            Self::Insert(text) => write!(f, "insert {} bytes", text.len()),
            Self::Close => f.write_str("close"),
            Self::Reset => f.write_str("reset"),
            Self::Blackhole => f.write_str("black hole"),
            Self::PingFlood(count) => write!(f, "{count} pings"),
            Self::Deafen => f.write_str("deafen"),
            Self::RefuseSubscription => f.write_str("refuse the subscription"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Frame {
        Frame::Text(text.to_owned())
    }

    fn sent(fate: Fate) -> Vec<Vec<u8>> {
        let Fate::Send(wires) = fate else { panic!("{fate:?} sends nothing now") };
        let bytes = |wire: &Wire| match wire {
            Wire::Frame(frame) => payload(frame).unwrap_or(b"ping").to_vec(),
            Wire::RawText(bytes) => bytes.to_vec(),
        };
        wires.iter().map(bytes).collect()
    }

    #[test]
    fn every_effect_does_what_it_says() {
        let by = |effect: WsEffect| fate(&effect, text("abcabc"), 7);
        assert_eq!(sent(by(WsEffect::Drop)), Vec::<Vec<u8>>::new());
        assert_eq!(sent(by(WsEffect::Duplicate)), [b"abcabc", b"abcabc"]);
        assert_eq!(sent(by(WsEffect::Truncate(2))), [b"ab"]);
        assert_eq!(sent(by(WsEffect::PingFlood(2))), [b"ping".as_slice(), b"ping", b"abcabc"]);
        assert_eq!(sent(by(WsEffect::Insert("x".to_owned()))), [b"x".as_slice(), b"abcabc"]);
        let (from, to) = ("b".to_owned(), "xy".to_owned());
        assert_eq!(sent(by(WsEffect::Replace { from, to })), [b"axycaxyc"]);
        let second = Duration::from_secs(1);
        assert_eq!(by(WsEffect::Delay(second)), Fate::Later(second, text("abcabc")));
        assert_eq!(by(WsEffect::Reorder), Fate::AfterNext(text("abcabc")));
        assert_eq!(by(WsEffect::SwapKind), Fate::Send(vec![Wire::Frame(Frame::Binary("abcabc".into()))]));
        for (effect, expected) in [
            (WsEffect::Close, Fate::Close),
            (WsEffect::Reset, Fate::Reset),
            (WsEffect::Blackhole, Fate::Blackhole),
        ] {
            assert_eq!(by(effect), expected);
        }
    }

    #[test]
    fn flipped_bytes_are_others_and_the_same_for_a_seed() {
        let flipped = |seed| sent(fate(&WsEffect::FlipBytes(1), Frame::Binary("abcabc".into()), seed));
        let differing = flipped(1)[0].iter().zip(b"abcabc").filter(|(now, then)| now != then).count();
        assert_eq!(differing, 1);
        assert_eq!(flipped(1), flipped(1));
        assert!((2..50).any(|seed| flipped(seed) != flipped(1)));
    }

    #[test]
    fn books_cross_where_there_are_books() {
        let update = text(r#"{"result":{"u":9,"b":[["1","2"]],"a":[]}}"#);
        let shown = sent(fate(&WsEffect::Cross, update, 0)).remove(0);
        assert_eq!(shown, br#"{"result":{"u":9,"a":[["1","2"]],"b":[]}}"#);
        let level = cex_proto::mexc::DepthLevel { price: "1".to_owned(), quantity: "2".to_owned() };
        let depths = cex_proto::mexc::PublicAggreDepths { bids: vec![level.clone()], ..Default::default() };
        let push = PushDataV3ApiWrapper { body: Some(Body::PublicAggreDepths(depths)), ..Default::default() };
        let bytes = sent(fate(&WsEffect::Cross, Frame::Binary(push.encode_to_vec().into()), 0)).remove(0);
        let push = PushDataV3ApiWrapper::decode(bytes.as_slice()).expect("a push");
        let Some(Body::PublicAggreDepths(depths)) = push.body else { panic!("a depth") };
        assert_eq!((depths.bids.len(), depths.asks), (0, vec![level]));
    }

    #[test]
    fn unknown_values_come_where_values_are() {
        let order = text(r#"{"channel":"spot.orders","result":[{"finish_as":"open","x":1}]}"#);
        let shown =
            String::from_utf8(sent(fate(&WsEffect::UnknownEnum, order, 0)).remove(0)).expect("a text");
        assert!(shown.contains(r#""finish_as":"something_new","x":1"#), "{shown}");
        let push = PushDataV3ApiWrapper {
            body: Some(Body::PrivateOrders(Default::default())),
            ..Default::default()
        };
        let frame = Frame::Binary(push.encode_to_vec().into());
        let bytes = sent(fate(&WsEffect::UnknownEnum, frame, 0)).remove(0);
        let push = PushDataV3ApiWrapper::decode(bytes.as_slice()).expect("a push");
        assert!(matches!(push.body, Some(Body::PrivateOrders(order)) if order.status == 99));
    }

    #[test]
    fn only_what_is_meant_matches() {
        let fault =
            |stream, frames, effect| WsFault { stream, frames, contains: vec!["BTC".to_owned()], effect };
        let drop = fault(Stream::Private, Frames::Data, WsEffect::Drop);
        let seen = Seen { is_private: true, is_from_client: false, is_data: true, bytes: b"x BTC y" };
        assert!(drop.matches(seen));
        for other in [
            Seen { is_private: false, ..seen },
            Seen { is_data: false, ..seen },
            Seen { bytes: b"ETH", ..seen },
            Seen { is_from_client: true, ..seen },
        ] {
            assert!(!drop.matches(other), "{other:?}");
        }
        let refuse = fault(Stream::Any, Frames::Data, WsEffect::RefuseSubscription);
        assert!(
            refuse.matches(Seen { is_from_client: true, is_data: false, ..seen }) && !refuse.matches(seen)
        );
    }
}
