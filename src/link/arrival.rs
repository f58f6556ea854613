//! Opening a link at either end: the channel's handshake, then the two HELLOs.

use std::time::Duration;

use tokio::time::timeout;

use super::channel::{Admit, Channel, Halves, Secured, check_peer};
use super::{BadHello, LinkError, Reader, Writer, times};
use crate::identity::NodeId;
use crate::wire::{Frame, FrameDecoder, FrameError, Goodbye, Hello, Kind};

/// How long a refused peer may take to close its end, so that the good-bye reaches it.
const LINGER: Duration = Duration::from_secs(1);

/// An open link: both ends know each other, both HELLOs have passed.
#[derive(Debug)]
pub struct Link {
    /// Who is at the other end: proven, or on a plain network claimed.
    pub peer: NodeId,
    /// What the peer said about itself.
    pub hello: Hello,
    /// What arrives. Ask it for frames before filling it: some may have come with the HELLO.
    pub reader: Reader,
    /// What is sent.
    pub writer: Writer,
}

/// A peer that was let in as far as its HELLO and waits for this node's: let it in or send it away. Dropped, the
/// connection closes without a word.
#[derive(Debug)]
#[must_use = "the peer waits for an answer: welcome it or refuse it"]
pub struct Arrival {
    link: Link,
    /// This node's id, to claim in its HELLO, on links that prove none.
    claim: Option<NodeId>,
}

/// Opens a link to the peer at the other end of `halves`, which this node dialled. With `expected`, nobody else may be
/// there; whoever is there must please `admit`.
///
/// On a secure channel the peer is judged before this node has shown who it is. On a plain one `node` of `own_hello` is
/// set to the channel's own id.
///
/// # Errors
/// A [`LinkError`]; [`LinkError::Goodbye`] if the peer is sound and has no place. The connection is closed.
pub async fn connect(
    channel: &dyn Channel,
    halves: Halves,
    expected: Option<NodeId>,
    own_hello: &Hello,
    admit: &Admit<'_>,
) -> Result<Link, LinkError> {
    let opening = timeout(times::HANDSHAKE, channel.connect(halves, expected, admit));
    let Secured { halves, peer, records, unsent } = opening.await.map_err(|_| LinkError::HandshakeTimeout)??;
    if let Some(peer) = peer {
        // Asked by the channel already, if it is one of this crate's.
        check_peer(peer, channel.own_id(), expected, admit)?;
    }
    let (sealer, opener) = records.unzip();
    let (mut reader, mut writer) = (Reader::new(halves.read, opener), Writer::new(halves.write, sealer));
    let hello = hello_frame(own_hello, peer.is_none().then(|| channel.own_id()))?;
    let exchange = async {
        writer.send_first(&unsent, &hello).await?;
        read_hello(&mut reader, peer).await
    };
    let hello = timeout(times::HELLO, exchange).await.map_err(|_| LinkError::HelloTimeout)??;
    let peer = named(&hello, peer)?;
    check_peer(peer, channel.own_id(), expected, admit)?;
    Ok(Link { peer, hello, reader, writer })
}

/// Opens a link with the peer that dialled this node, as far as its HELLO. The caller decides what becomes of it.
///
/// # Errors
/// A [`LinkError`]. The connection is closed, and the peer was told nothing.
pub async fn accept(channel: &dyn Channel, halves: Halves, admit: &Admit<'_>) -> Result<Arrival, LinkError> {
    let opening = timeout(times::HANDSHAKE, channel.accept(halves, admit));
    let Secured { halves, peer, records, unsent } = opening.await.map_err(|_| LinkError::HandshakeTimeout)??;
    if let Some(peer) = peer {
        check_peer(peer, channel.own_id(), None, admit)?;
    }
    let (sealer, opener) = records.unzip();
    let (mut reader, mut writer) = (Reader::new(halves.read, opener), Writer::new(halves.write, sealer));
    let exchange = async {
        if !unsent.is_empty() {
            writer.send_raw(&unsent).await?;
        }
        let hello = read_hello(&mut reader, peer).await?;
        nothing_behind_hello(&mut reader, peer)?;
        Ok::<_, LinkError>(hello)
    };
    let hello = timeout(times::HELLO, exchange).await.map_err(|_| LinkError::HelloTimeout)??;
    let claim = peer.is_none().then(|| channel.own_id());
    let peer = named(&hello, peer)?;
    check_peer(peer, channel.own_id(), None, admit)?;
    Ok(Arrival { link: Link { peer, hello, reader, writer }, claim })
}

impl Arrival {
    /// Who arrived.
    pub fn peer(&self) -> NodeId {
        self.link.peer
    }

    /// What it says about itself.
    pub fn hello(&self) -> &Hello {
        &self.link.hello
    }

    /// Lets the peer in: sends this node's HELLO.
    ///
    /// # Errors
    /// [`LinkError::HelloTimeout`] if the peer does not take it, [`LinkError::Closed`], [`LinkError::Io`];
    /// [`LinkError::OwnHello`] if it cannot be sent.
    pub async fn welcome(mut self, own_hello: &Hello) -> Result<Link, LinkError> {
        let hello = hello_frame(own_hello, self.claim)?;
        let sent = timeout(times::HELLO, self.link.writer.send_first(&[], &hello)).await;
        sent.map_err(|_| LinkError::HelloTimeout)??;
        Ok(self.link)
    }

    /// Sends the peer away with a word: GOODBYE in place of HELLO. Waits for a second at most until the peer has heard
    /// it; whether it has does not matter any more.
    pub async fn refuse(self, goodbye: Goodbye) {
        let Link { mut reader, mut writer, .. } = self.link;
        let farewell = async {
            writer.say_goodbye(goodbye).await?;
            // To close with something unread would throw away what the peer has not taken yet.
            while reader.fill().await? {
                while reader.next_frame()?.is_some() {}
            }
            Ok::<_, LinkError>(())
        };
        let _ = timeout(LINGER, farewell).await;
    }
}

/// The frame of this node's HELLO, saying whose it is where nothing else does.
fn hello_frame(hello: &Hello, claim: Option<NodeId>) -> Result<Frame, LinkError> {
    let frame = match claim {
        Some(_) if hello.node != claim => Hello { node: claim, ..hello.clone() }.to_frame(),
        _ => hello.to_frame(),
    };
    frame.map_err(LinkError::OwnHello)
}

/// Who is there: the proven identity, else the claimed one.
fn named(hello: &Hello, proven: Option<NodeId>) -> Result<NodeId, LinkError> {
    proven.or(hello.node).ok_or(LinkError::BadHello { peer: None, why: BadHello::NoNode })
}

/// Reads the peer's first frame: a HELLO, or a good-bye.
async fn read_hello(reader: &mut Reader, peer: Option<NodeId>) -> Result<Hello, LinkError> {
    let bad = |why: BadHello| LinkError::BadHello { peer, why };
    loop {
        match first_frame(reader.decoder()).map_err(bad)? {
            Some(Frame::Hello(body)) => return Hello::decode(&body).map_err(|error| bad(error.into())),
            Some(Frame::Goodbye(goodbye)) => return Err(LinkError::Goodbye(goodbye)),
            Some(other) => return Err(bad(BadHello::OtherFrame(other.kind()))),
            None => {}
        }
        match reader.fill().await {
            Ok(true) => {}
            Ok(false) | Err(LinkError::Frame(FrameError::CutOff)) => return Err(LinkError::Closed),
            Err(error) => return Err(error),
        }
    }
}

/// The initiator may not go on before it has heard this node's HELLO, except to leave.
fn nothing_behind_hello(reader: &mut Reader, peer: Option<NodeId>) -> Result<(), LinkError> {
    let bad = |why: BadHello| LinkError::BadHello { peer, why };
    match first_frame(reader.decoder()).map_err(bad)? {
        None => Ok(()),
        Some(Frame::Goodbye(goodbye)) => Err(LinkError::Goodbye(goodbye)),
        Some(other) => Err(bad(BadHello::OtherFrame(other.kind()))),
    }
}

/// The next frame before both HELLOs have passed; one that may not come now is refused by its head.
fn first_frame(decoder: &mut FrameDecoder) -> Result<Option<Frame>, BadHello> {
    let frame = decoder.next_frame()?;
    match decoder.kind_in_progress() {
        None | Some(Kind::Hello | Kind::Goodbye) => Ok(frame),
        Some(other) => Err(BadHello::OtherFrame(other)),
    }
}
