//! Noise by snow, the state machine that others build on, in a loop of our own: a length of two bytes before every message,
//! small messages packed into one, whatever is there written at once. Once with the algorithms it brings by default, in Rust
//! alone, as Sealnet's are; once with ring's where ring has them (all but X25519).

use bytes::Bytes;
use snow::resolvers::{DefaultResolver, FallbackResolver, RingResolver};
use snow::{Builder, HandshakeState, Keypair, TransportState};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{End, Kind};
use crate::failure::Outcome;

const PATTERN: &str = "Noise_XX_25519_ChaChaPoly_SHA256";
/// The longest message, its tag included.
const MAX_MESSAGE: usize = 65_535;
const TAG: usize = 16;
/// Read at once.
const READ: usize = 256 << 10;

/// With ring's algorithms, or with those in Rust.
pub(super) struct Noise<const RING: bool> {
    dialler: Keypair,
    listener: Keypair,
}

impl<const RING: bool> Kind for Noise<RING> {
    type End = NoiseEnd;

    fn new() -> Outcome<Self> {
        let keypair = || Outcome::Ok(builder::<RING>()?.generate_keypair()?);
        Ok(Noise { dialler: keypair()?, listener: keypair()? })
    }

    async fn dial(&self, mut stream: TcpStream) -> Outcome<NoiseEnd> {
        let builder = builder::<RING>()?.local_private_key(&self.dialler.private)?;
        let mut handshake = builder.build_initiator()?;
        write(&mut stream, &mut handshake).await?;
        read(&mut stream, &mut handshake).await?;
        write(&mut stream, &mut handshake).await?;
        Ok(NoiseEnd::new(stream, handshake.into_transport_mode()?))
    }

    async fn answer(&self, mut stream: TcpStream) -> Outcome<NoiseEnd> {
        let builder = builder::<RING>()?.local_private_key(&self.listener.private)?;
        let mut handshake = builder.build_responder()?;
        read(&mut stream, &mut handshake).await?;
        write(&mut stream, &mut handshake).await?;
        read(&mut stream, &mut handshake).await?;
        Ok(NoiseEnd::new(stream, handshake.into_transport_mode()?))
    }
}

fn builder<const RING: bool>() -> Outcome<Builder<'static>> {
    let pattern = PATTERN.parse()?;
    Ok(if RING {
        Builder::with_resolver(
            pattern,
            Box::new(FallbackResolver::new(Box::new(RingResolver), Box::new(DefaultResolver))),
        )
    } else {
        Builder::new(pattern)
    })
}

async fn write(stream: &mut TcpStream, handshake: &mut HandshakeState) -> Outcome<()> {
    let mut message = [0; 256];
    let len = handshake.write_message(&[], &mut message[2..])?;
    message[..2].copy_from_slice(&(len as u16).to_be_bytes());
    stream.write_all(&message[..2 + len]).await?;
    Ok(())
}

async fn read(stream: &mut TcpStream, handshake: &mut HandshakeState) -> Outcome<()> {
    let (mut message, mut payload) = ([0; 256], [0; 256]);
    let len = usize::from(stream.read_u16().await?).min(message.len());
    stream.read_exact(&mut message[..len]).await?;
    handshake.read_message(&message[..len], &mut payload)?;
    Ok(())
}

pub(super) struct NoiseEnd {
    stream: TcpStream,
    state: TransportState,
    /// What is to be written.
    sealed: Vec<u8>,
    /// What is to be sealed together.
    packed: Vec<u8>,
    /// What was read, and how much of it is there. A link that is only opened needs no room for it.
    read: Vec<u8>,
    filled: usize,
    opened: Vec<u8>,
}

impl NoiseEnd {
    fn new(stream: TcpStream, state: TransportState) -> Self {
        NoiseEnd {
            stream,
            state,
            sealed: Vec::new(),
            packed: Vec::new(),
            read: Vec::new(),
            filled: 0,
            opened: Vec::new(),
        }
    }
}

/// Adds a message to what is to be written.
fn seal(state: &mut TransportState, sealed: &mut Vec<u8>, payload: &[u8]) -> Outcome<()> {
    let (begin, len) = (sealed.len(), payload.len() + TAG);
    sealed.resize(begin + 2 + len, 0);
    sealed[begin..begin + 2].copy_from_slice(&(len as u16).to_be_bytes());
    state.write_message(payload, &mut sealed[begin + 2..])?;
    Ok(())
}

impl End for NoiseEnd {
    async fn send(&mut self, messages: &[Bytes]) -> Outcome<()> {
        let NoiseEnd { stream, state, sealed, packed, .. } = self;
        sealed.clear();
        if let [message] = messages {
            // Nothing to pack: sealed from where it lies.
            seal(state, sealed, message)?;
        } else {
            packed.clear();
            for message in messages {
                if packed.len() + message.len() > MAX_MESSAGE - TAG {
                    seal(state, sealed, packed)?;
                    packed.clear();
                }
                packed.extend_from_slice(message);
            }
            if !packed.is_empty() {
                seal(state, sealed, packed)?;
            }
        }
        stream.write_all(sealed).await?;
        Ok(())
    }

    async fn receive(&mut self, take: &mut (impl FnMut(&[u8]) + Send)) -> Outcome<bool> {
        self.read.resize(READ, 0);
        self.opened.resize(MAX_MESSAGE, 0);
        let mut is_any = false;
        while !is_any {
            let count = self.stream.read(&mut self.read[self.filled..]).await?;
            if count == 0 {
                return Ok(false);
            }
            self.filled += count;
            let mut at = 0;
            while let Some((head, rest)) = self.read[at..self.filled].split_first_chunk::<2>() {
                let Some(message) = rest.get(..usize::from(u16::from_be_bytes(*head))) else { break };
                let len = self.state.read_message(message, &mut self.opened)?;
                take(&self.opened[..len]);
                at += 2 + message.len();
                is_any = true;
            }
            self.read.copy_within(at..self.filled, 0);
            self.filled -= at;
        }
        Ok(true)
    }

    async fn finish(&mut self) -> Outcome<()> {
        self.stream.shutdown().await?;
        Ok(())
    }
}
