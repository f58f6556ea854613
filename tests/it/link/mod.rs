//! Links: opening them, what is refused while they open, and what an open one promises.

pub(crate) mod forgeries;
mod hello;
mod open_links;
mod opening;
mod path;
mod proofs;
pub(crate) mod script;
mod strangers;
mod waiting;

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sealnet::envelope::{Draft, Lifetime, Scheme, Signed, Timestamp};
use sealnet::identity::{Identity, NetworkHash, NetworkKey, NodeId};
use sealnet::link::proof::ProofError;
use sealnet::link::{
    Arrival, BadHello, Channel, Halves, Link, LinkError, NoiseChannel, Outbox, PlainChannel, Reader, accept, connect,
};
use sealnet::noise::{Builder, HandshakePattern, HandshakeState, Keypair, NoiseError, PresharedKey};
use sealnet::wire::{Frame, FrameError, Goodbye, GoodbyeCode, Hello, Kind, Mode, Preamble, PreambleError};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::Instant;

use script::{Script, honest};

const PREAMBLE: usize = 8;
const MESSAGE_1: usize = 2 + 32;
const MESSAGE_2: usize = 2 + 193;
const MESSAGE_3: usize = 2 + 161;

/// What a silent close says.
const NOTHING: [u8; 0] = [];

fn network(name: &str) -> NetworkHash {
    NetworkHash::secure(&name.parse().unwrap())
}

fn plain_network(name: &str) -> NetworkHash {
    NetworkHash::plain(&name.parse().unwrap())
}

fn identity(n: u8) -> Arc<Identity> {
    Arc::new(Identity::from_seed(&[n; 32]))
}

fn id(n: u8) -> NodeId {
    identity(n).id()
}

/// The secure channel of identity `n` in network "a".
fn noise(n: u8) -> NoiseChannel {
    NoiseChannel::new(identity(n), network("a"), None).unwrap()
}

fn with_key(n: u8, key: u8) -> NoiseChannel {
    NoiseChannel::new(identity(n), network("a"), Some(&NetworkKey::from_bytes(&[key; 32]))).unwrap()
}

fn plain(n: u8) -> PlainChannel {
    PlainChannel::new(plain_network("a"), id(n))
}

fn hello(agent: &str) -> Hello {
    Hello::new(agent, Timestamp::from_micros(1_700_000_000_000_000).unwrap())
}

fn anybody(_: &NodeId) -> bool {
    true
}

fn nobody(_: &NodeId) -> bool {
    false
}

async fn dial(channel: &dyn Channel, stream: DuplexStream, expected: Option<NodeId>) -> Result<Link, LinkError> {
    connect(channel, stream.into(), expected, &hello("dialler"), &anybody).await
}

async fn welcome(channel: &dyn Channel, stream: DuplexStream) -> Result<Link, LinkError> {
    accept(channel, stream.into(), &anybody).await?.welcome(&hello("listener")).await
}

/// Both ends of a link between two channels, or how each failed.
async fn open(dialler: &dyn Channel, listener: &dyn Channel) -> (Result<Link, LinkError>, Result<Link, LinkError>) {
    let (here, there) = duplex(1 << 16);
    tokio::join!(dial(dialler, here, None), welcome(listener, there))
}

async fn next(reader: &mut Reader) -> Result<Option<Frame>, LinkError> {
    loop {
        match reader.next_frame()? {
            Some(frame) => return Ok(Some(frame)),
            None if !reader.fill().await? => return Ok(None),
            None => {}
        }
    }
}

/// Sends `frames` over the link and ends it.
async fn send_all(link: Link, frames: Vec<Frame>) -> Reader {
    let outbox = Outbox::default();
    frames.into_iter().for_each(|frame| outbox.push_bulk(frame).unwrap());
    outbox.close(None);
    link.writer.run(outbox).await.unwrap();
    link.reader
}

/// All frames up to the end of the stream, and how it ended.
async fn receive_all(mut reader: Reader) -> (Vec<Frame>, Result<(), LinkError>) {
    let mut frames = Vec::new();
    loop {
        match next(&mut reader).await {
            Ok(Some(frame)) => frames.push(frame),
            Ok(None) => return (frames, Ok(())),
            Err(error) => return (frames, Err(error)),
        }
    }
}

/// Everything that still comes; a connection that was dropped gives what came before.
async fn rest_of(stream: &mut DuplexStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    bytes
}

/// A connection through somebody who sees, and may change, every byte of both directions.
struct Tapped {
    here: DuplexStream,
    there: DuplexStream,
    /// What passed from `here` to `there`.
    forth: Arc<Mutex<Vec<u8>>>,
    /// What passed back.
    back: Arc<Mutex<Vec<u8>>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    Forth,
    Back,
}

fn tapped(mut change: impl FnMut(Way, usize, &mut Vec<u8>) + Send + 'static) -> Tapped {
    let ((here, here_end), (there, there_end)) = (duplex(1 << 16), duplex(1 << 16));
    let (mut from_here, mut to_here) = tokio::io::split(here_end);
    let (mut from_there, mut to_there) = tokio::io::split(there_end);
    let (forth, back) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
    let (seen_forth, seen_back) = (Arc::clone(&forth), Arc::clone(&back));
    tokio::spawn(async move {
        let (mut one, mut other) = (vec![0; 1 << 16], vec![0; 1 << 16]);
        let (mut is_open, mut other_is_open) = (true, true);
        while is_open || other_is_open {
            let (way, piece) = tokio::select! {
                biased;
                n = from_here.read(&mut one), if is_open => (Way::Forth, one[..n.unwrap_or(0)].to_vec()),
                n = from_there.read(&mut other), if other_is_open => (Way::Back, other[..n.unwrap_or(0)].to_vec()),
            };
            let (seen, to) = match way {
                Way::Forth => (&seen_forth, &mut to_there),
                Way::Back => (&seen_back, &mut to_here),
            };
            if piece.is_empty() {
                *(if way == Way::Forth { &mut is_open } else { &mut other_is_open }) = false;
                let _ = to.shutdown().await;
                continue;
            }
            let at = seen.lock().unwrap().len();
            seen.lock().unwrap().extend_from_slice(&piece);
            let mut piece = piece;
            change(way, at, &mut piece);
            let _ = to.write_all(&piece).await;
        }
    });
    Tapped { here, there, forth, back }
}

fn passed(seen: &Arc<Mutex<Vec<u8>>>) -> usize {
    seen.lock().unwrap().len()
}

fn encoded(frame: &Frame) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame.encode_into(&mut bytes).unwrap();
    bytes
}

fn goodbye(code: GoodbyeCode) -> Goodbye {
    Goodbye::new(code, "")
}
