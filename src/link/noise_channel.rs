//! Noise XX, with or without the network's key, bound to identities (protocol, section 2).

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout};
use zeroize::Zeroizing;

use super::channel::{Admit, Channel, Halves, Opening, Secured, check_peer};
use super::first_messages::FirstMessages;
use super::proof::IdentityProof;
use super::record::{RecordOpener, RecordSealer};
use super::{LinkError, times};
use crate::identity::{Identity, NetworkHash, NetworkKey, NodeId};
use crate::noise::{
    Builder, HASH_LEN, HandshakePattern, HandshakeState, Keypair, NoiseError, PresharedKey, TransportState,
};
use crate::wire::{Mode, Preamble};

/// Message 2: `e ‖ encrypted s ‖ encrypted proof`.
const MESSAGE_2: usize = 32 + 48 + IdentityProof::LEN + 16;

/// Message 3: `encrypted s ‖ encrypted proof`.
const MESSAGE_3: usize = 48 + IdentityProof::LEN + 16;

/// The secure network's channel: a Noise handshake in which both ends prove their identities.
///
/// One per process and network. Its X25519 key is made when it is, serves all connections, and is never stored: the
/// identity vouches for it anew in every session.
pub struct NoiseChannel {
    identity: Arc<Identity>,
    network: NetworkHash,
    static_key: Arc<Keypair>,
    psk: Option<Zeroizing<[u8; 32]>>,
    first_messages: Mutex<FirstMessages>,
}

impl NoiseChannel {
    /// The channel by which `identity` opens links of `network`; with a `network_key`, only to those who have it too.
    ///
    /// # Errors
    /// [`NoiseError::Randomness`] if the operating system cannot give random bytes.
    pub fn new(
        identity: Arc<Identity>,
        network: NetworkHash,
        network_key: Option<&NetworkKey>,
    ) -> Result<Self, NoiseError> {
        Ok(NoiseChannel {
            identity,
            network,
            static_key: Arc::new(Keypair::generate()?),
            psk: network_key.map(|key| key.psk(&network)),
            first_messages: Mutex::default(),
        })
    }

    /// The first bytes of its connections.
    pub fn preamble(&self) -> Preamble {
        Preamble::new(if self.psk.is_some() { Mode::XxPsk0 } else { Mode::Xx })
    }

    /// The length of message 1: an ephemeral key, and with a network key a tag.
    fn message_1(&self) -> usize {
        if self.psk.is_some() { 48 } else { 32 }
    }

    fn begin(&self) -> Result<Builder, NoiseError> {
        let pattern = if self.psk.is_some() { HandshakePattern::XX_PSK0 } else { HandshakePattern::XX };
        let prologue = self.preamble().prologue(&self.network);
        let builder = Builder::new(pattern).prologue(&prologue)?.local_static(Arc::clone(&self.static_key))?;
        match &self.psk {
            Some(psk) => builder.psk(0, PresharedKey::from_bytes(psk)),
            None => Ok(builder),
        }
    }

    /// Appends the next message, with this end's proof of identity in it, behind its length.
    fn write_proof(&self, handshake: &mut HandshakeState, out: &mut Vec<u8>) -> Result<(), LinkError> {
        let h = handshake.handshake_hash()?;
        let proof = IdentityProof::sign(&self.identity, handshake.role(), &h, self.static_key.public());
        Ok(write_message(handshake, &proof.encode(), out)?)
    }

    /// Takes the peer's message with its proof, and makes the checks of the protocol page in their order.
    fn read_proof(
        &self,
        handshake: &mut HandshakeState,
        message: &[u8],
        expected: Option<NodeId>,
        admit: &Admit<'_>,
    ) -> Result<NodeId, LinkError> {
        let h: [u8; HASH_LEN] = handshake.handshake_hash()?;
        let mut payload = Vec::with_capacity(IdentityProof::LEN + 16);
        handshake.read_message(message, &mut payload)?;
        let static_key = handshake.remote_static()?;
        let peer = IdentityProof::decode(&payload)?.verify(handshake.role().peer(), &h, &static_key)?;
        if static_key == *self.static_key.public() {
            return Err(LinkError::OwnIdentity);
        }
        check_peer(peer, self.identity.id(), expected, admit)?;
        Ok(peer)
    }

    /// `begun`: what [`begin`](Self::begin) gave. The exhaustive model of the handshake begins with ephemeral keys it knows.
    async fn initiate(
        &self,
        begun: Result<Builder, NoiseError>,
        mut halves: Halves,
        expected: Option<NodeId>,
        admit: &Admit<'_>,
    ) -> Result<Secured, LinkError> {
        let mut handshake = begun?.initiator()?;
        let mut out = self.preamble().as_bytes().to_vec();
        write_message(&mut handshake, &[], &mut out)?;
        halves.write.write_all(&out).await?;
        halves.write.flush().await?;

        let message = read_message::<MESSAGE_2>(&mut halves.read, 2, MESSAGE_2).await?;
        let peer = self.read_proof(&mut handshake, &message, expected, admit)?;

        // Only now, knowing who is there, this node says who it is; HELLO goes in the same write.
        out.clear();
        self.write_proof(&mut handshake, &mut out)?;
        secured(handshake, halves, peer).map(|secured| secured.with_unsent(out))
    }

    /// `begin`: [`begin`](Self::begin), or what gives the model's ephemeral keys.
    async fn respond(
        &self,
        begin: impl FnOnce() -> Result<Builder, NoiseError> + Send,
        mut halves: Halves,
        admit: &Admit<'_>,
    ) -> Result<Secured, LinkError> {
        let first = timeout(times::FIRST_MESSAGE, self.first_message(begin, &mut halves.read)).await;
        let mut handshake = first.map_err(|_| LinkError::HandshakeTimeout)??;

        let mut out = Vec::with_capacity(2 + MESSAGE_2);
        self.write_proof(&mut handshake, &mut out)?;
        halves.write.write_all(&out).await?;
        halves.write.flush().await?;

        let message = read_message::<MESSAGE_3>(&mut halves.read, 3, MESSAGE_3).await?;
        let peer = self.read_proof(&mut handshake, &message, None, admit)?;
        secured(handshake, halves, peer)
    }

    /// Reads preamble and message 1.
    async fn first_message(
        &self,
        begin: impl FnOnce() -> Result<Builder, NoiseError>,
        read: &mut (impl AsyncRead + Unpin),
    ) -> Result<HandshakeState, LinkError> {
        let mut preamble = [0; Preamble::LEN];
        read.read_exact(&mut preamble).await?;
        // Before anything is computed.
        self.preamble().check(&preamble).map_err(LinkError::WrongPreamble)?;
        let buffer = read_message::<48>(read, 1, self.message_1()).await?;
        let message = buffer.get(..self.message_1()).unwrap_or_default();
        let mut handshake = begin()?.responder()?;
        handshake.read_message(message, &mut Vec::new())?;
        if self.psk.is_some() {
            let ephemeral = handshake.remote_ephemeral()?.ok_or(NoiseError::TooShort(0))?;
            // A panic while the lock was held leaves a set and a queue of keys: nothing to distrust.
            let mut heard = self.first_messages.lock().unwrap_or_else(PoisonError::into_inner);
            if !heard.is_new(ephemeral, Instant::now()) {
                return Err(LinkError::ReplayedFirstMessage);
            }
        }
        Ok(handshake)
    }
}

/// Appends the handshake's next message behind its length.
fn write_message(handshake: &mut HandshakeState, payload: &[u8], out: &mut Vec<u8>) -> Result<(), NoiseError> {
    let mut message = Vec::with_capacity(MESSAGE_2);
    handshake.write_message(payload, &mut message)?;
    let len = u16::try_from(message.len()).map_err(|_| NoiseError::TooLong(message.len()))?;
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(&message);
    Ok(())
}

/// Reads message `number` of exactly `expected` bytes, at most `MOST`, and nothing behind it.
async fn read_message<const MOST: usize>(
    read: &mut (impl AsyncRead + Unpin),
    number: u8,
    expected: usize,
) -> Result<[u8; MOST], LinkError> {
    let mut head = [0; 2];
    read.read_exact(&mut head).await?;
    let found = usize::from(u16::from_be_bytes(head));
    let mut message = [0; MOST];
    match message.get_mut(..expected) {
        Some(exact) if found == expected => read.read_exact(exact).await?,
        _ => return Err(LinkError::WrongLength { message: number, expected, found }),
    };
    Ok(message)
}

fn secured(handshake: HandshakeState, halves: Halves, peer: NodeId) -> Result<Secured, LinkError> {
    let TransportState { sender, receiver, .. } = handshake.into_transport()?;
    Ok(Secured::with_records(halves, peer, RecordSealer::new(sender), RecordOpener::new(receiver)))
}

impl Channel for NoiseChannel {
    fn own_id(&self) -> NodeId {
        self.identity.id()
    }

    fn connect<'a>(&'a self, halves: Halves, expected: Option<NodeId>, admit: &'a Admit<'a>) -> Opening<'a> {
        Box::pin(self.initiate(self.begin(), halves, expected, admit))
    }

    fn accept<'a>(&'a self, halves: Halves, admit: &'a Admit<'a>) -> Opening<'a> {
        Box::pin(self.respond(|| self.begin(), halves, admit))
    }
}

impl fmt::Debug for NoiseChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NoiseChannel")
            .field("id", &self.identity.id())
            .field("network", &self.network)
            .field("preamble", &self.preamble())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod model;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_peer_with_this_nodes_own_static_key_is_this_node_whatever_it_calls_itself() {
        let network = NetworkHash::secure(&"a".parse().unwrap());
        let channel = |seed| NoiseChannel::new(Arc::new(Identity::from_seed(&[seed; 32])), network, None).unwrap();
        let dialler = channel(1);
        let listener = NoiseChannel { static_key: Arc::clone(&dialler.static_key), ..channel(2) };
        let (here, there) = tokio::io::duplex(1 << 10);
        let accepting = timeout(times::HANDSHAKE, listener.accept(there.into(), &|_| true));
        let (dialled, accepted) = tokio::join!(dialler.connect(here.into(), None, &|_| true), accepting);
        assert!(matches!(dialled, Err(LinkError::OwnIdentity)));
        assert!(matches!(accepted, Ok(Err(LinkError::Closed))));
    }

    #[test]
    fn secrets_are_not_printed() {
        let network = NetworkHash::secure(&"a".parse().unwrap());
        let key = NetworkKey::from_bytes(&[0xAB; 32]);
        let channel = NoiseChannel::new(Arc::new(Identity::from_seed(&[1; 32])), network, Some(&key)).unwrap();
        let shown = format!("{channel:?} {channel:#?}");
        let psk = data_encoding::HEXLOWER.encode(&*key.psk(&network));
        assert!(!shown.contains(&psk[..8]) && !shown.contains("psk:") && !shown.contains("static"), "{shown}");
    }
}
