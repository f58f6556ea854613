//! `frames.json`: one frame of each kind, and streams that end badly (protocol, section 3).

use std::collections::BTreeMap;

use bytes::Bytes;
use data_encoding::HEXLOWER;
use sealnet::envelope::{EnvelopeId, ShortId};
use sealnet::identity::NodeId;
use sealnet::wire::{
    Credit, Frame, FrameDecoder, FrameError, Goodbye, GoodbyeCode, Kind, OptionalKind, PeersWanted, Refused,
    RefusedCode, Request, RequestKind, RequestNumber, Response, ShortText, WhichPeers,
};
use serde::Serialize;
use serde_json::{Value, json};

use super::published;
use super::raw_envelope::Raw;
use super::shown::Shown;

#[derive(Serialize)]
struct File {
    frames: Vec<One>,
    streams: Vec<Stream>,
}

#[derive(Serialize)]
struct One {
    kind: u8,
    name: String,
    fields: BTreeMap<&'static str, Value>,
    frame: Shown,
}

#[derive(Serialize)]
struct Stream {
    what: String,
    stream: Shown,
    frames_before: usize,
    reason: &'static str,
}

fn hex(bytes: &[u8]) -> Value {
    HEXLOWER.encode(bytes).into()
}

fn number(number: u64) -> RequestNumber {
    RequestNumber::new(number).unwrap()
}

/// What stands in the body, field by field.
fn fields(frame: &Frame) -> BTreeMap<&'static str, Value> {
    let ids = |ids: &sealnet::wire::EnvelopeIds| json!(ids.iter().map(|id| id.to_string()).collect::<Vec<_>>());
    match frame {
        Frame::Hello(body) => vec![("text", String::from_utf8(body.to_vec()).unwrap().into())],
        Frame::Ping(data) | Frame::Pong(data) => vec![("data", hex(data))],
        Frame::Goodbye(goodbye) => vec![("code", goodbye.code.as_u16().into()), ("text", goodbye.text.as_str().into())],
        Frame::PeersWanted(wanted) => {
            vec![
                ("what", u8::from(wanted.which() == WhichPeers::YourNeighbours).into()),
                ("count", wanted.count().into()),
            ]
        }
        Frame::MembersWanted(nodes) => vec![("ids", json!(nodes.iter().map(|id| id.to_string()).collect::<Vec<_>>()))],
        Frame::Have(list) | Frame::Want(list) | Frame::Absent(list) => vec![("ids", ids(list))],
        Frame::News(list) => vec![("names", json!(list.iter().map(|id| hex(&id.to_bytes())).collect::<Vec<_>>()))],
        Frame::Eager | Frame::Lazy => vec![],
        Frame::Peers(body) | Frame::Broadcast(body) | Frame::Reconcile(body) | Frame::Revocations(body) => {
            vec![("bytes", hex(body))]
        }
        Frame::Unknown { body, .. } => vec![("bytes", hex(body))],
        Frame::Request(Request { number, title, kind, last, bytes }) => vec![
            ("number", number.to_string().into()),
            ("title", title.as_str().into()),
            ("kind", format!("{kind:?}").to_lowercase().into()),
            ("last", (*last).into()),
            ("bytes", hex(bytes)),
        ],
        Frame::Response(Response { number, last, bytes }) => {
            vec![("number", number.to_string().into()), ("last", (*last).into()), ("bytes", hex(bytes))]
        }
        Frame::Refused(Refused { number, code, text }) => {
            vec![("number", number.to_string().into()), ("code", code.as_u16().into()), ("text", text.as_str().into())]
        }
        Frame::Credit(Credit { number, bytes }) => {
            vec![("number", number.to_string().into()), ("bytes", (*bytes).into())]
        }
    }
    .into_iter()
    .collect()
}

fn encoded(frame: &Frame) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame.encode_into(&mut bytes).unwrap();
    bytes
}

/// Reads a stream that arrives in pieces of `size` bytes: the frames in it, and how it ended.
fn read(stream: &[u8], size: usize) -> (Vec<Frame>, Result<(), FrameError>) {
    let (mut decoder, mut frames) = (FrameDecoder::new(), Vec::new());
    for piece in stream.chunks(size) {
        decoder.push(piece.to_vec());
        loop {
            match decoder.next_frame() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Err(error)),
            }
        }
    }
    (frames, decoder.finish())
}

#[test]
fn the_published_frames_are_written_and_read_as_the_files_say() {
    let frames: Vec<One> = of_each_kind()
        .into_iter()
        .map(|frame| {
            let bytes = encoded(&frame);
            assert_eq!(read(&bytes, 3), (vec![frame.clone()], Ok(())));
            let kind = frame.kind();
            One { kind: kind.as_byte(), name: kind.to_string(), fields: fields(&frame), frame: Shown(bytes) }
        })
        .collect();
    for kind in Kind::ALL {
        assert!(frames.iter().any(|frame| frame.kind == kind.as_byte()), "{kind}");
    }
    let streams = bad_streams().into_iter().map(|(what, stream)| {
        let (frames, end) = read(&stream, stream.len().max(1));
        assert_eq!(read(&stream, 1), (frames.clone(), end.clone()), "{what}");
        let reason = match end.expect_err(&what) {
            FrameError::Unsupported { .. } => "unsupported",
            FrameError::TooLong { .. } => "length",
            FrameError::Malformed { .. } => "grammar",
            FrameError::CutOff => "cut-off",
            other => panic!("a reason without a name: {other}"),
        };
        Stream { what, stream: Shown(stream), frames_before: frames.len(), reason }
    });
    published("frames.json", &File { streams: streams.collect(), frames });
}

fn of_each_kind() -> Vec<Frame> {
    let ids = |count: u8| (1..=count).map(|n| EnvelopeId::from_bytes([n; 32])).collect();
    let title = |text: &str| text.parse().unwrap();
    let envelope = Bytes::from(Raw::example().sealed());
    let hello = Bytes::from_static(br#"{"agent":"example/1","max_version":1,"time":1700000000000000}"#);
    let optional = |byte, body: &'static [u8]| Frame::Unknown {
        kind: OptionalKind::new(byte).unwrap(),
        body: Bytes::from_static(body),
    };
    vec![
        Frame::Hello(hello),
        Frame::Ping(*b"12345678"),
        Frame::Pong([0, 1, 2, 3, 0xFC, 0xFD, 0xFE, 0xFF]),
        Frame::Goodbye(Goodbye::new(GoodbyeCode::Leaving, "")),
        Frame::Goodbye(Goodbye::new(GoodbyeCode::Full, "voll – später")),
        Frame::Goodbye(Goodbye::new(GoodbyeCode::Unknown(0xFFFE), &"x".repeat(128))),
        Frame::PeersWanted(PeersWanted::new(WhichPeers::RandomMembers, 1)),
        Frame::PeersWanted(PeersWanted::new(WhichPeers::YourNeighbours, 16)),
        Frame::Peers(Bytes::new()),
        Frame::Peers(Bytes::from([&envelope[..], &envelope].concat())),
        Frame::MembersWanted([[1; 32], [0xFF; 32]].map(NodeId::from_bytes).into_iter().collect()),
        Frame::Broadcast(envelope),
        Frame::Have(ids(3)),
        Frame::Have(ids(0)),
        Frame::Want(ids(2)),
        Frame::Eager,
        Frame::Lazy,
        Frame::Absent(ids(1)),
        Frame::News(ids(3).iter().map(|id| ShortId::from(&id)).collect()),
        Frame::News(ids(0).iter().map(|id| ShortId::from(&id)).collect()),
        Frame::Reconcile(Bytes::from_static(b"\x03\x00\x07\x00")),
        Frame::Request(Request {
            number: number(1),
            title: title("files"),
            kind: RequestKind::Message,
            last: false,
            bytes: Bytes::from_static(b"ab"),
        }),
        Frame::Request(Request {
            number: number(2),
            title: title("chain/block"),
            kind: RequestKind::Question,
            last: true,
            bytes: Bytes::from_static(b"7"),
        }),
        Frame::Request(Request {
            number: number(3),
            title: title("files"),
            kind: RequestKind::Fetch,
            last: true,
            bytes: Bytes::from_static(b"\x00\x00\x00\x00\x00\x01\x00\x00ab"),
        }),
        Frame::Request(Request {
            number: number(u64::MAX),
            title: title(""),
            kind: RequestKind::Message,
            last: true,
            bytes: Bytes::new(),
        }),
        Frame::Response(Response { number: number(1), last: true, bytes: Bytes::from_static(b"\x00\xFF") }),
        Frame::Refused(Refused { number: number(2), code: RefusedCode::Busy, text: ShortText::new("später") }),
        Frame::Credit(Credit { number: number(2), bytes: u32::MAX }),
        Frame::Revocations(Bytes::from_static(&[0; 82])),
        optional(0x80, b""),
        optional(0xFF, b"later"),
    ]
}

/// Streams that begin with one good frame, or none, and end badly.
fn bad_streams() -> Vec<(String, Vec<u8>)> {
    let eager = encoded(&Frame::Eager);
    let frame = |kind: u8, body: &[u8]| [&(body.len() as u32).to_be_bytes()[..], &[kind], body].concat();
    let after = |bytes: &[u8]| [&eager[..], bytes].concat();
    let mut streams: Vec<(String, Vec<u8>)> = Vec::new();
    for kind in Kind::ALL.into_iter().chain([Kind::from_byte(0x80).unwrap()]) {
        let over = (kind.limit() as u32 + 1).to_be_bytes();
        streams.push((format!("{kind} one byte over its limit"), after(&[&over[..], &[kind.as_byte()]].concat())));
    }
    streams.push(("EAGER of the longest length".to_owned(), after(&[0xFF, 0xFF, 0xFF, 0xFF, 0x23])));
    for kind in [0x00, 0x05, 0x13, 0x27, 0x31, 0x44, 0x51, 0x7F] {
        streams.push((format!("unknown kind {kind:02x}"), after(&frame(kind, b""))));
    }
    streams.push(("an unknown kind is that whatever its length".to_owned(), after(&[0xFF, 0xFF, 0xFF, 0xFF, 0x7F])));
    let request = |rest: &[u8]| frame(0x40, &[&[0, 0, 0, 0, 0, 0, 0, 1], rest].concat());
    let malformed = [
        ("PING of 7 bytes", frame(0x02, b"1234567")),
        ("PONG of 0 bytes", frame(0x03, b"")),
        ("GOODBYE of one byte", frame(0x04, b"\0")),
        ("GOODBYE whose text is not UTF-8", frame(0x04, b"\0\0\xFF")),
        ("PEERS_WANTED of one byte", frame(0x10, b"\0")),
        ("PEERS_WANTED with another question", frame(0x10, &[2, 1])),
        ("PEERS_WANTED for none", frame(0x10, &[0, 0])),
        ("PEERS_WANTED for 17", frame(0x10, &[1, 17])),
        ("MEMBERS_WANTED of 33 bytes", frame(0x12, &[7; 33])),
        ("HAVE of 31 bytes", frame(0x21, &[7; 31])),
        ("WANT of 63 bytes", frame(0x22, &[7; 63])),
        ("ABSENT of one byte", frame(0x25, &[7])),
        ("NEWS of 12 bytes", frame(0x26, &[7; 12])),
        ("REQUEST cut off in its number", frame(0x40, &[0; 7])),
        ("REQUEST with number 0", frame(0x40, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 1])),
        ("REQUEST with a title that lies", request(&[4, b'a', b'b', b'c'])),
        ("REQUEST without flags", request(&[3, b'a', b'b', b'c'])),
        ("REQUEST with a title that is not UTF-8", request(&[1, 0xFF, 1])),
        ("REQUEST with a control character in its title", request(&[1, b'\n', 1])),
        ("REQUEST with a title of 201 bytes", request(&[&[201], &[b't'; 201][..], &[1]].concat())),
        ("REQUEST with unknown flags", request(&[0, 8])),
        ("REQUEST from an offset without an answer wanted", request(&[0, 5])),
        ("RESPONSE without flags", frame(0x41, &[0, 0, 0, 0, 0, 0, 0, 1])),
        ("RESPONSE with number 0", frame(0x41, &[0, 0, 0, 0, 0, 0, 0, 0, 1])),
        ("RESPONSE with the flags of a request", frame(0x41, &[0, 0, 0, 0, 0, 0, 0, 1, 3])),
        ("RESPONSE with unknown flags", frame(0x41, &[0, 0, 0, 0, 0, 0, 0, 1, 0x81])),
        ("REFUSED without its code", frame(0x42, &[0, 0, 0, 0, 0, 0, 0, 1, 0])),
        ("REFUSED with number 0", frame(0x42, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 1])),
        ("REFUSED whose text is not UTF-8", frame(0x42, &[0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0xFF])),
        ("CREDIT of 11 bytes", frame(0x43, &[0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0])),
        ("CREDIT with number 0", frame(0x43, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])),
    ];
    streams.extend(malformed.map(|(what, bytes)| (what.to_owned(), after(&bytes))));
    let ping = encoded(&Frame::Ping(*b"12345678"));
    for end in [1, 4, 5, 12] {
        streams.push((format!("cut off after {end} bytes of a PING"), after(&ping[..end])));
    }
    streams
}
