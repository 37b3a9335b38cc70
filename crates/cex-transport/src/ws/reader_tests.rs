use super::*;
use fastwebsockets::{Frame, OpCode, Payload};
use proptest::prelude::*;

/// A message with its bytes of its own, so that results of two readers can be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Owned {
    Text(Vec<u8>),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
}

impl From<Message<'_>> for Owned {
    fn from(message: Message<'_>) -> Self {
        match message {
            Message::Text(bytes) => Self::Text(bytes.to_vec()),
            Message::Binary(bytes) => Self::Binary(bytes.to_vec()),
            Message::Ping(bytes) => Self::Ping(bytes.to_vec()),
            Message::Pong(bytes) => Self::Pong(bytes.to_vec()),
            Message::Close { code, reason } => Self::Close(code, reason.to_owned()),
        }
    }
}

/// A frame as a server sends it, made by the library and not by us.
fn frame(fin: bool, opcode: OpCode, payload: &[u8]) -> Vec<u8> {
    let mut buffer = Vec::new();
    Frame::new(fin, opcode, None, Payload::Borrowed(payload)).write(&mut buffer).to_vec()
}

const SMALL: WsLimits = WsLimits { frame_max: 70_000, message_max: 100_000, fragments_max: 5, buffer: 1 };

/// Everything a reader makes of bytes that come in these pieces, and how it ended.
fn read_all<'a>(
    limits: WsLimits,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Owned>, Result<bool, FrameError>) {
    let (mut reader, mut messages) = (FrameReader::new(limits), Vec::new());
    for mut piece in pieces {
        while !piece.is_empty() {
            let space = reader.space();
            let count = space.len().min(piece.len());
            space[..count].copy_from_slice(&piece[..count]);
            reader.filled(count);
            piece = &piece[count..];
            loop {
                match reader.next_message() {
                    Ok(Some(message)) => messages.push(message.into()),
                    Ok(None) => break,
                    Err(error) => return (messages, Err(error)),
                }
            }
        }
    }
    (messages, Ok(reader.is_mid_message()))
}

#[test]
fn whole_fragmented_and_interleaved_messages_are_read() {
    let wire: Vec<u8> = [
        frame(true, OpCode::Text, b"{}"),
        frame(true, OpCode::Binary, &[7; 300]),
        frame(false, OpCode::Text, b"one "),
        frame(true, OpCode::Ping, b"are you there"),
        frame(false, OpCode::Continuation, b""),
        frame(true, OpCode::Continuation, b"two"),
        frame(true, OpCode::Pong, b""),
        frame(true, OpCode::Binary, &[9; 66_000]),
        frame(true, OpCode::Close, &[0x03, 0xe8, b'b', b'y', b'e']),
    ]
    .concat();
    let (messages, end) = read_all(SMALL, [wire.as_slice()]);
    assert_eq!(
        messages,
        [
            Owned::Text(b"{}".to_vec()),
            Owned::Binary(vec![7; 300]),
            Owned::Ping(b"are you there".to_vec()),
            Owned::Text(b"one two".to_vec()),
            Owned::Pong(Vec::new()),
            Owned::Binary(vec![9; 66_000]),
            Owned::Close(Some(1000), "bye".to_owned()),
        ]
    );
    assert_eq!(end, Ok(false));
}

#[test]
fn an_end_inside_a_message_is_told_from_an_end_between_messages() {
    let whole = frame(true, OpCode::Text, b"abc");
    for cut in 1..whole.len() {
        assert_eq!(read_all(SMALL, [&whole[..cut]]).1, Ok(true), "cut at {cut}");
    }
    assert_eq!(read_all(SMALL, [whole.as_slice()]).1, Ok(false));
    let half = frame(false, OpCode::Text, b"abc");
    assert_eq!(read_all(SMALL, [half.as_slice()]).1, Ok(true), "a fragment waits for its rest");
}

#[test]
fn what_breaks_the_protocol_is_refused() {
    let masked = {
        let mut buffer = Vec::new();
        let mut frame = Frame::new(true, OpCode::Text, Some([1, 2, 3, 4]), Payload::Borrowed(b"x"));
        frame.write(&mut buffer).to_vec()
    };
    let begun = frame(false, OpCode::Text, b"a");
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("masked", masked),
        ("rsv1", vec![0xc1, 0]),
        ("rsv2", vec![0xa1, 0]),
        ("rsv3", vec![0x91, 0]),
        ("opcode 3", vec![0x83, 0]),
        ("opcode 7", vec![0x87, 0]),
        ("opcode 11", vec![0x8b, 0]),
        ("opcode 15", vec![0x8f, 0]),
        ("fragmented ping", vec![0x09, 0]),
        ("long ping", frame(true, OpCode::Ping, &[0; 126])),
        ("16-bit length below 126", vec![0x82, 126, 0, 125]),
        ("64-bit length below 65536", vec![0x82, 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff]),
        ("64-bit length with the top bit", vec![0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0]),
        ("frame above the cap", vec![0x82, 127, 0, 0, 0, 0, 0, 1, 0x11, 0x71]),
        ("continuation of nothing", frame(true, OpCode::Continuation, b"x")),
        ("message inside a message", [begun.clone(), frame(true, OpCode::Text, b"b")].concat()),
        ("close of one byte", frame(true, OpCode::Close, &[3])),
        ("close code 1005", frame(true, OpCode::Close, &1005_u16.to_be_bytes())),
        ("close code 999", frame(true, OpCode::Close, &999_u16.to_be_bytes())),
        ("close code 2000", frame(true, OpCode::Close, &2000_u16.to_be_bytes())),
        ("close code 5000", frame(true, OpCode::Close, &5000_u16.to_be_bytes())),
        ("close reason not UTF-8", frame(true, OpCode::Close, &[0x03, 0xe8, 0xff])),
        ("too many fragments", [begun, frame(false, OpCode::Continuation, b"").repeat(5)].concat()),
        (
            "message above the cap",
            [frame(false, OpCode::Text, &[0; 60_000]), frame(true, OpCode::Continuation, &[0; 60_000])]
                .concat(),
        ),
    ];
    for (name, wire) in cases {
        assert!(read_all(SMALL, [wire.as_slice()]).1.is_err(), "{name}");
        assert!(read_all(SMALL, wire.chunks(1)).1.is_err(), "{name}, byte by byte");
    }
}

#[test]
fn limits_are_inclusive_and_judged_from_the_header_alone() {
    let limits = WsLimits { frame_max: 300, message_max: 400, fragments_max: 2, buffer: 1 };
    let exact = frame(true, OpCode::Binary, &[1; 300]);
    assert_eq!(read_all(limits, [exact.as_slice()]).0.len(), 1);
    let header_of_301 = &frame(true, OpCode::Binary, &[1; 301])[..4];
    assert!(read_all(limits, [header_of_301]).1.is_err());
    let two =
        [frame(false, OpCode::Binary, &[1; 300]), frame(true, OpCode::Continuation, &[1; 100])].concat();
    assert_eq!(read_all(limits, [two.as_slice()]).0.len(), 1);
}

#[test]
fn slack_stays_behind_the_data_and_memory_stays_bounded() {
    let mut reader = FrameReader::new(SMALL);
    let wire = frame(true, OpCode::Binary, &[5; 60_000]).repeat(50);
    for piece in wire.chunks(1_000) {
        let space = reader.space();
        space[..piece.len()].copy_from_slice(piece);
        reader.filled(piece.len());
        while reader.next_message().expect("valid").is_some() {}
        assert!(reader.buffer.len() - reader.end >= SLACK);
        assert!(reader.buffer.len() <= SMALL.frame_max + 2 * READ_MIN + SLACK);
    }
}

#[test]
fn preloaded_bytes_come_first() {
    let wire = [frame(true, OpCode::Binary, &[1; 50_000]), frame(true, OpCode::Text, b"x")].concat();
    let mut reader = FrameReader::new(SMALL);
    reader.preload(&wire);
    assert_eq!(reader.next_message(), Ok(Some(Message::Binary(&[1; 50_000]))));
    assert_eq!(reader.next_message(), Ok(Some(Message::Text(b"x"))));
    assert_eq!(reader.next_message(), Ok(None));
}

/// A data message with the lengths of its fragments, or a control frame.
#[derive(Debug, Clone)]
enum Sent {
    Data { text: bool, fragments: Vec<Vec<u8>>, ping_between: bool },
    Ping(Vec<u8>),
    Pong(Vec<u8>),
}

fn sent() -> impl Strategy<Value = Sent> {
    let bytes = |most: usize| proptest::collection::vec(any::<u8>(), 0..most);
    prop_oneof![
        4 => (any::<bool>(), proptest::collection::vec(bytes(400), 1..5), any::<bool>())
            .prop_map(|(text, fragments, ping_between)| Sent::Data { text, fragments, ping_between }),
        1 => bytes(126).prop_map(Sent::Ping),
        1 => bytes(126).prop_map(Sent::Pong),
    ]
}

fn encode(sent: &[Sent]) -> (Vec<u8>, Vec<Owned>) {
    let (mut wire, mut expected) = (Vec::new(), Vec::new());
    for item in sent {
        match item {
            Sent::Ping(payload) => {
                wire.extend(frame(true, OpCode::Ping, payload));
                expected.push(Owned::Ping(payload.clone()));
            }
            Sent::Pong(payload) => {
                wire.extend(frame(true, OpCode::Pong, payload));
                expected.push(Owned::Pong(payload.clone()));
            }
            Sent::Data { text, fragments, ping_between } => {
                for (index, fragment) in fragments.iter().enumerate() {
                    let first = if *text { OpCode::Text } else { OpCode::Binary };
                    let opcode = if index == 0 { first } else { OpCode::Continuation };
                    if index > 0 && *ping_between {
                        wire.extend(frame(true, OpCode::Ping, b"between"));
                        expected.push(Owned::Ping(b"between".to_vec()));
                    }
                    wire.extend(frame(index + 1 == fragments.len(), opcode, fragment));
                }
                let whole = fragments.concat();
                expected.push(if *text { Owned::Text(whole) } else { Owned::Binary(whole) });
            }
        }
    }
    (wire, expected)
}

/// Cuts `wire` into pieces of these lengths, over and over.
fn pieces<'a>(wire: &'a [u8], lengths: &[usize]) -> Vec<&'a [u8]> {
    let (mut rest, mut cut) = (wire, Vec::new());
    for length in lengths.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, after) = rest.split_at((*length).min(rest.len()));
        cut.push(piece);
        rest = after;
    }
    cut
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn any_split_of_the_bytes_gives_the_same_messages(
        sent in proptest::collection::vec(sent(), 0..12),
        lengths in proptest::collection::vec(1_usize..600, 1..8),
    ) {
        let (wire, expected) = encode(&sent);
        let (messages, end) = read_all(SMALL, pieces(&wire, &lengths));
        prop_assert_eq!(messages, expected);
        prop_assert_eq!(end, Ok(false));
    }

    #[test]
    fn random_bytes_never_panic_and_mean_the_same_however_they_come(
        noise in proptest::collection::vec(any::<u8>(), 0..300),
        good in proptest::collection::vec(sent(), 0..3),
        flip in any::<(u16, u8)>(),
        lengths in proptest::collection::vec(1_usize..40, 1..5),
    ) {
        let (mut wire, _) = encode(&good);
        if !wire.is_empty() {
            let index = usize::from(flip.0) % wire.len();
            wire[index] ^= flip.1;
        }
        wire.extend(noise);
        prop_assert_eq!(read_all(SMALL, [wire.as_slice()]), read_all(SMALL, pieces(&wire, &lengths)));
    }
}
