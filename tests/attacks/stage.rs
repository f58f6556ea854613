//! A real node in paused time.
//!
//! The runtime's clock jumps ahead whenever everybody waits, and it does not know when bytes are under way on a socket.
//! So a connection to the node only rings: the node's channel then takes a pipe within the process in its place, and
//! runs the real handshake over that. Everything above it (links, frames, the overlay) is the node as it is.

use std::collections::VecDeque;
use std::net::TcpListener;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use sealnet::envelope::{Draft, Envelope, Lifetime, Scheme, Signed, Timestamp, Verified};
use sealnet::identity::{NetworkHash, NodeAddress, NodeId};
use sealnet::link::{Admit, Channel, Halves, NoiseChannel, Opening};
use sealnet::node::{Clock, ConnectError, Event, Events, SecureNode};
use sealnet::overlay::{Reason, Settings};
use sealnet::wire::{Frame, Hello};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, DuplexStream, ReadBuf, duplex};
use tokio::sync::Notify;

use crate::peer::Peer;
use crate::script::{Script, honest};
use crate::support::identity;

/// What a silent close says.
pub(crate) const NOTHING: [u8; 0] = [];

/// When the node starts: the time in the published envelopes.
pub(crate) const START: u64 = 1_700_000_000_000_000;

/// The node's own identity.
pub(crate) const NODE: u8 = 200;

pub(crate) struct Stage {
    pub(crate) node: SecureNode,
    door: Arc<Door>,
    /// Where the node's own connections ring.
    outside: TcpListener,
}

/// Takes pipes in the place of sockets.
#[derive(Debug)]
struct Door {
    channel: NoiseChannel,
    waiting: Mutex<VecDeque<DuplexStream>>,
    opened: Notify,
    read: Arc<AtomicUsize>,
}

impl Door {
    fn pipe(&self) -> Halves {
        let halves = Halves::from(self.waiting.lock().unwrap().pop_front().expect("nobody rang"));
        self.opened.notify_one();
        Halves { read: Box::new(Counted { inner: halves.read, read: self.read.clone() }), ..halves }
    }
}

impl Channel for Door {
    fn own_id(&self) -> NodeId {
        self.channel.own_id()
    }

    fn connect<'a>(&'a self, _bell: Halves, expected: Option<NodeId>, admit: &'a Admit<'a>) -> Opening<'a> {
        self.channel.connect(self.pipe(), expected, admit)
    }

    fn accept<'a>(&'a self, _bell: Halves, admit: &'a Admit<'a>) -> Opening<'a> {
        self.channel.accept(self.pipe(), admit)
    }
}

/// Counts the bytes that the node takes.
struct Counted {
    inner: Box<dyn AsyncRead + Send + Unpin>,
    read: Arc<AtomicUsize>,
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buffer);
        self.read.fetch_add(buffer.filled().len() - before, Ordering::Relaxed);
        polled
    }
}

impl Stage {
    /// A node of network "a" in preset `local`.
    pub(crate) async fn open() -> Self {
        Stage::of("a", Settings::local()).await
    }

    pub(crate) async fn of(network: &str, settings: Settings) -> Self {
        let name = network.parse().unwrap();
        let door = Arc::new(Door {
            channel: NoiseChannel::new(Arc::new(identity(NODE)), NetworkHash::secure(&name), None).unwrap(),
            waiting: Mutex::default(),
            opened: Notify::new(),
            read: Arc::default(),
        });
        let node = SecureNode::builder(name, identity(NODE))
            .listen("127.0.0.1:0".parse().unwrap())
            .overlay(settings)
            .clock(Clock::StartingAt(Timestamp::from_micros(START).unwrap()))
            .channel(door.clone());
        let outside = TcpListener::bind("127.0.0.1:0").unwrap();
        Stage { node: node.start().await.unwrap(), door, outside }
    }

    /// How many bytes the node has taken from all its connections.
    pub(crate) fn bytes_read(&self) -> usize {
        self.door.read.load(Ordering::Relaxed)
    }

    /// The other end of a connection to the node, which has been accepted and holds up to `room` bytes each way.
    pub(crate) async fn connect_with(&self, room: usize) -> DuplexStream {
        // So quickly the node takes connections, all together.
        tokio::time::advance(Duration::from_millis(3)).await;
        let (here, there) = duplex(room);
        self.door.waiting.lock().unwrap().push_back(there);
        // Loopback: it is done at once.
        drop(std::net::TcpStream::connect(self.node.listen_address().unwrap()).unwrap());
        self.door.opened.notified().await;
        here
    }

    pub(crate) async fn connect(&self) -> DuplexStream {
        self.connect_with(1 << 20).await
    }

    /// Lets the node dial somebody whom it takes for `expected`, and gives the other end of that connection to `answer`.
    pub(crate) async fn dials<T>(
        &self,
        expected: NodeId,
        answer: impl AsyncFnOnce(DuplexStream) -> T,
    ) -> (Result<NodeId, ConnectError>, T) {
        let (here, there) = duplex(1 << 20);
        self.door.waiting.lock().unwrap().push_back(there);
        let address = NodeAddress::new(Some(expected), &self.outside.local_addr().unwrap().to_string()).unwrap();
        let answer = async {
            self.door.opened.notified().await;
            drop(self.outside.accept().unwrap());
            answer(here).await
        };
        tokio::join!(self.node.connect(&address), answer)
    }

    /// Where the node's own connections go, as an address to announce.
    pub(crate) fn outside(&self) -> std::net::SocketAddr {
        self.outside.local_addr().unwrap()
    }

    /// Waits for a connection that the node opens by itself to [`outside`](Self::outside); gives its other end.
    pub(crate) async fn dialled(&self, act: impl Future) -> DuplexStream {
        let (here, there) = duplex(1 << 20);
        self.door.waiting.lock().unwrap().push_back(there);
        act.await;
        self.door.opened.notified().await;
        drop(self.outside.accept().unwrap());
        here
    }

    /// A link with identity `n` that keeps to the protocol, and takes requests.
    pub(crate) async fn able_peer(&self, n: u8) -> Peer {
        Peer::able(self.connect_with(1 << 23).await, &self.node, identity(n), &["requests"]).await.unwrap()
    }

    /// A link with identity `n`, scripted record by record: both HELLOs have passed.
    pub(crate) async fn guest(&self, n: u8) -> Script<DuplexStream> {
        self.guest_with(n, 1 << 20).await
    }

    pub(crate) async fn guest_with(&self, n: u8, room: usize) -> Script<DuplexStream> {
        self.guest_saying(n, room, &hello()).await
    }

    /// The same with a HELLO of its own.
    pub(crate) async fn guest_saying(&self, n: u8, room: usize, hello: &[u8]) -> Script<DuplexStream> {
        let mut guest = Script::initiate(self.connect_with(room).await, honest(n)).await;
        guest.send(hello).await;
        let frames = guest.frames().await;
        assert!(matches!(frames[..], [Frame::Hello(_), ..]), "{frames:?}");
        guest
    }

    /// A link with identity `n` that keeps to the protocol.
    pub(crate) async fn peer(&self, n: u8) -> Peer {
        Peer::over(self.connect().await, &self.node, identity(n)).await.unwrap()
    }
}

/// A sound HELLO, as a frame.
pub(crate) fn hello() -> Vec<u8> {
    encoded(&Hello::new("a script", Timestamp::from_micros(START).unwrap()).to_frame().unwrap())
}

pub(crate) fn encoded(frame: &Frame) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame.encode_into(&mut bytes).unwrap();
    bytes
}

/// What the node still says before it closes the connection.
pub(crate) async fn rest_of(stream: &mut DuplexStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    bytes
}

/// Says all of it, or as much as the node takes before it closes.
pub(crate) async fn say(stream: &mut DuplexStream, bytes: &[u8]) {
    let _ = stream.write_all(bytes).await;
}

/// Why the next connection that came to nothing was refused.
pub(crate) async fn refused(events: &mut Events) -> Reason {
    loop {
        match events.next().await {
            Some(Event::ConnectionRefused { reason, .. }) => return reason,
            Some(_) => {}
            None => panic!("the node has stopped"),
        }
    }
}

/// Why the next link with identity `n` that ends does.
pub(crate) async fn link_closed(events: &mut Events, n: u8) -> Reason {
    let id = identity(n).id();
    loop {
        match events.next().await {
            Some(Event::LinkClosed { peer, reason, .. }) if peer == id => return reason,
            Some(_) => {}
            None => panic!("the node has stopped"),
        }
    }
}

/// What identity `n` says in `network`, `secs` after the node's start.
pub(crate) fn said(network: NetworkHash, n: u8, secs: u64, lifetime: Lifetime, text: &str) -> Verified<Envelope> {
    let draft = Draft {
        title: "chat".parse().unwrap(),
        message: text.to_owned().into(),
        time: Timestamp::from_micros(START + secs * 1_000_000).unwrap(),
        lifetime,
    };
    Signed::new(network, Arc::new(identity(n))).publish(&draft).unwrap()
}
