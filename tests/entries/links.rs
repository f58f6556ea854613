//! What opens a link, and what comes over it.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use sealnet::envelope::Timestamp;
use sealnet::identity::{Identity, NetworkHash, NetworkKey, NodeId};
use sealnet::link::record::{HEAD_LEN, RecordOpener, RecordSealer};
use sealnet::link::{Channel, Halves, NoiseChannel, Opening, PlainChannel};
use sealnet::noise::{Builder, HandshakePattern, Keypair, TransportState};
use sealnet::wire::{
    EnvelopeIds, Frame, FrameDecoder, Goodbye, GoodbyeCode, Hello, Mode, PeersWanted, Preamble, Reconcile, WhichPeers,
};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::runtime::Runtime;

use super::Input;

/// For the deadlines of handshakes. Its clock stands still, so none of them comes.
fn clock() -> &'static Runtime {
    static CLOCK: OnceLock<Runtime> = OnceLock::new();
    CLOCK.get_or_init(|| {
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime")
    })
}

/// The channels that somebody may speak to: secure, with a network key, plain.
fn channels() -> &'static [Box<dyn Channel>; 3] {
    static CHANNELS: OnceLock<[Box<dyn Channel>; 3]> = OnceLock::new();
    CHANNELS.get_or_init(|| {
        let name = "a".parse().expect("a name");
        let secure = |key: Option<&NetworkKey>| {
            let identity = Arc::new(Identity::from_seed(&[1; 32]));
            Box::new(NoiseChannel::new(identity, NetworkHash::secure(&name), key).expect("random bytes"))
        };
        let plain = Box::new(PlainChannel::new(NetworkHash::plain(&name), NodeId::from_bytes([1; 32])));
        [secure(None), secure(Some(&NetworkKey::from_bytes(&[9; 32]))), plain]
    })
}

/// A stranger says these bytes to an end that dialled him or that he dialled: without the network's name and keys, and a
/// proof of an identity, it is no link. (On a plain network preamble and name are all there is.)
pub(crate) fn handshake(data: &[u8]) {
    let _clock = clock().enter();
    let mut input = Input::new(data);
    let (which, dials) = (input.below(3), input.byte() % 2 == 1);
    let (here, mut there) = tokio::io::duplex(1 << 12);
    let admit: &sealnet::link::Admit<'_> = &|_| true;
    let channel = &channels()[which];
    let mut opening: Opening<'_> = if dials {
        channel.connect(Halves::from(here), None, admit)
    } else {
        channel.accept(Halves::from(here), admit)
    };
    let mut cx = Context::from_waker(Waker::noop());
    let mut said = Vec::new();
    let mut outcome = opening.as_mut().poll(&mut cx);
    // In pieces, as a path delivers them.
    while outcome.is_pending() && !input.is_empty() {
        let len = 1 + usize::from(input.byte());
        let piece = input.bytes(len);
        said.extend_from_slice(piece);
        let written = Pin::new(&mut there).poll_write(&mut cx, piece);
        if !matches!(written, Poll::Ready(Ok(len)) if len == piece.len()) {
            break;
        }
        outcome = opening.as_mut().poll(&mut cx);
        answer(&mut there, &mut cx);
    }
    if let Poll::Ready(Ok(_)) = outcome {
        let greeting = Preamble::new(Mode::Plain).prologue(&NetworkHash::plain(&"a".parse().expect("a name")));
        assert!(which == 2 && said.starts_with(&greeting), "a link without a proof");
    }
}

/// Reads what the end says, so that it can go on.
fn answer(there: &mut DuplexStream, cx: &mut Context<'_>) {
    let mut room = [0; 1 << 10];
    let _ = Pin::new(there).poll_read(cx, &mut ReadBuf::new(&mut room));
}

pub(crate) fn handshake_seeds() -> Vec<Vec<u8>> {
    let piece = |bytes: &[u8]| [&[bytes.len() as u8 - 1], bytes].concat();
    let opening = |mode| [Preamble::new(mode).as_bytes(), &[0, 32][..], &[9; 32]].concat();
    let plain = Preamble::new(Mode::Plain).prologue(&NetworkHash::plain(&"a".parse().expect("a name")));
    vec![
        [&[0, 0][..], &piece(&opening(Mode::Xx)), &piece(&[&[0, 161][..], &[7; 161]].concat())].concat(),
        [&[0, 1][..], &piece(&[&[0, 193][..], &[9; 193]].concat())].concat(),
        [&[1, 0][..], &piece(&[&Preamble::new(Mode::XxPsk0).as_bytes()[..], &[0, 48], &[9; 48]].concat())].concat(),
        [&[2, 0][..], &piece(&plain)].concat(),
        [&[2, 1][..], &piece(&plain)].concat(),
    ]
}

fn transport() -> (TransportState, TransportState) {
    let end = || {
        let builder = Builder::new(HandshakePattern::XX).local_static(Keypair::from_secret(&[3; 32]));
        builder.expect("set once")
    };
    let (mut one, mut other) = (end().initiator().expect("complete"), end().responder().expect("complete"));
    for turn in 0..3 {
        let mut message = Vec::new();
        let (from, to) = if turn == 1 { (&mut other, &mut one) } else { (&mut one, &mut other) };
        from.write_message(&[], &mut message).expect("an honest handshake");
        to.read_message(&message, &mut Vec::new()).expect("an honest handshake");
    }
    (one.into_transport().expect("finished"), other.into_transport().expect("finished"))
}

/// Somebody on the path takes sealed records and delivers whatever he likes in their place: each is opened in its turn and
/// unaltered, or not at all; and what does not open moves nothing.
pub(crate) fn records(data: &[u8]) {
    let (one, other) = transport();
    let (mut sealer, mut opener) = (RecordSealer::new(one.sender), RecordOpener::new(other.receiver));
    let mut input = Input::new(data);
    let mut sealed = Vec::new();
    for n in 0..1 + input.below(6) {
        let len = 1 + usize::from(input.byte());
        let mut record = [&[0; HEAD_LEN], &vec![n as u8; len][..], &[0; 16]].concat();
        sealer.seal(&mut record).expect("a sound length");
        sealed.push((record, len));
    }
    let mut next = 0;
    while !input.is_empty() {
        let which = input.below(sealed.len());
        let mut record = sealed[which].0.clone();
        let changes = input.below(4);
        for _ in 0..changes {
            let at = usize::from(input.number()) % record.len();
            record[at] = input.byte();
        }
        let cut = usize::from(input.byte());
        if cut > 200 {
            record.truncate(record.len().saturating_sub(cut - 200));
        }
        let Some((head, body)) = record.split_first_chunk() else { continue };
        let Some(body) = RecordOpener::body_len(*head).ok().and_then(|len| body.get(..len)) else { continue };
        let before = opener.records();
        let mut body = body.to_vec();
        match opener.open(&mut body) {
            Ok(len) => {
                assert_eq!(which, next, "a record out of its turn");
                assert_eq!((record, len), sealed[which], "an altered record");
                assert!(body[..len].iter().all(|byte| usize::from(*byte) == which));
                next += 1;
            }
            Err(_) => {
                assert_eq!(opener.records(), before);
                assert!(which != next || record != sealed[which].0, "an honest record is refused");
            }
        }
    }
}

pub(crate) fn records_seeds() -> Vec<Vec<u8>> {
    vec![
        vec![2, 5, 60, 200, 0, 0, 0, 1, 0, 0, 2, 0, 0],
        vec![1, 5, 60, 1, 0, 0, 0, 0, 0, 0, 1, 0, 9, 7, 0, 1, 0, 0],
        vec![3, 1, 2, 3, 4, 0, 0, 210, 3, 0, 0, 0, 0, 0, 1, 0, 0],
    ]
}

/// The first frame of a stranger who has proven who he is.
pub(crate) fn hello(data: &[u8]) {
    let Ok(hello) = Hello::decode(data) else { return };
    assert!(hello.agent.len() <= 64 && hello.listen.len() <= 4 && hello.features.len() <= 32 && hello.apps.len() <= 32);
    // What was taken can be said again, if it is short enough.
    if let Ok(again) = hello.encode() {
        assert_eq!(Hello::decode(&again).expect("own words"), hello);
    }
}

pub(crate) fn hello_seeds() -> Vec<Vec<u8>> {
    let time = Timestamp::from_micros(1_700_000_000_000_000).expect("a time");
    let plain = Hello::new("fuzz", time);
    let mut full = Hello::new("fuzz", time);
    full.listen = vec!["192.0.2.1:7400".parse().expect("an address"), "[2001:db8::1]:1".parse().expect("an address")];
    full.apps.insert("chat".parse().expect("a title"), "1".to_owned());
    full.certificate = Some(vec![1; 140].into());
    (full.epoch, full.renew) = (Some(7), true);
    [plain, full].iter().map(|hello| hello.encode().expect("short enough").to_vec()).collect()
}

/// A stream of frames, in pieces of any size: the same frames come out whatever the pieces, what comes out is spelt as it
/// came in, and no more is held than arrived.
pub(crate) fn frames(data: &[u8]) {
    let mut input = Input::new(data);
    let step = 1 + input.below(64);
    let stream = input.rest();
    let (mut whole, mut pieces) = (FrameDecoder::new(), FrameDecoder::new());
    whole.push(stream.to_vec());
    let mut at_once = Vec::new();
    let ended = loop {
        match whole.next_frame() {
            Ok(Some(frame)) => at_once.push(frame),
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    let (mut frames, mut failed) = (Vec::new(), None);
    'stream: for piece in stream.chunks(step) {
        pieces.push(piece.to_vec());
        loop {
            match pieces.next_frame() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => {
                    failed = Some(error);
                    break 'stream;
                }
            }
        }
        assert!(pieces.held_bytes() <= 2 * stream.len() + 64);
    }
    assert_eq!(frames, at_once);
    assert_eq!(failed, ended);
    let mut again = Vec::new();
    for frame in &frames {
        let before = again.len();
        frame.encode_into(&mut again).expect("it was within its limit");
        assert_eq!(again.len() - before, frame.encoded_len());
        if let Frame::Hello(body) = frame {
            hello(body);
        }
        if let Frame::Reconcile(body) = frame {
            reconcile(body);
        }
    }
    assert!(stream.starts_with(&again), "a frame has a second spelling");
}

pub(crate) fn frames_seeds() -> Vec<Vec<u8>> {
    let ids: EnvelopeIds = (0..3).map(|n| sealnet::envelope::EnvelopeId::from_bytes([n; 32])).collect();
    let envelope = super::envelopes::good().to_vec();
    let frames = [
        Frame::Hello(Bytes::from(hello_seeds().remove(0))),
        Frame::Ping(*b"12345678"),
        Frame::Goodbye(Goodbye::new(GoodbyeCode::Full, "no room")),
        Frame::PeersWanted(PeersWanted::new(WhichPeers::RandomMembers, 4)),
        Frame::Peers(envelope.clone().into()),
        Frame::Broadcast(envelope.into()),
        Frame::Have(ids.clone()),
        Frame::News(ids.iter().map(|id| (&id).into()).collect()),
        Frame::Want(ids),
        Frame::Eager,
        Frame::Reconcile(Bytes::from(reconcile_seeds().remove(0))),
        Frame::Revocations(Bytes::from(super::papers::revocations_seeds().remove(0))),
    ];
    let mut all = vec![7];
    let mut seeds = Vec::new();
    for frame in frames {
        let mut one = vec![3];
        frame.encode_into(&mut one).expect("short enough");
        all.extend_from_slice(&one[1..]);
        seeds.push(one);
    }
    seeds.push(all);
    // Requests, by hand: number, title, flags, bytes.
    seeds.push([&[3, 0, 0, 0, 14, 0x40][..], &7_u64.to_be_bytes(), &[1, b't', 1, b'a', b'b', b'c']].concat());
    seeds
}

/// A step of comparing.
pub(crate) fn reconcile(data: &[u8]) {
    if let Ok(step) = Reconcile::decode(Bytes::copy_from_slice(data)) {
        let Frame::Reconcile(body) = step.to_frame() else { panic!("another frame") };
        assert_eq!(body, data, "a step has a second spelling");
    }
}

pub(crate) fn reconcile_seeds() -> Vec<Vec<u8>> {
    let time = 1_700_000_000_000_000_u64;
    let open =
        [&[0x01, 0, 1, 0][..], &[0; 8], &time.to_be_bytes(), &time.to_be_bytes(), &[5; 32], &[0, 0, 0, 3]].concat();
    let accept = [&[0x81, 0, 1][..], &[0; 8], &time.to_be_bytes(), &[5; 32], &[0, 0, 0, 3]].concat();
    vec![
        open,
        accept,
        vec![0x02, 0, 1, 0x61, 0, 0, 2, 0],
        vec![0x82, 0, 1, 0x61],
        vec![0x03, 0, 1, 0],
        vec![0x04, 0, 1],
    ]
}
