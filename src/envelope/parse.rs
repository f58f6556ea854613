//! Envelopes as they come from the wire: bytes that parse, and can do nothing.

use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};
use sha2::{Digest, Sha256};

use super::{EnvelopeId, Lifetime, Timestamp, Title, TitleError};
use crate::identity::{Domain, NetworkHash, NodeId, Signature};

/// The version byte of an envelope, which is also what kind of network it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// 0: the base node's. The sender is claimed, there is no signature.
    Open,
    /// 1: signed.
    Signed,
}

impl Version {
    /// The byte on the wire.
    pub const fn as_byte(self) -> u8 {
        match self {
            Version::Open => 0,
            Version::Signed => 1,
        }
    }

    /// How many bytes follow what is signed.
    const fn signature_len(self) -> usize {
        match self {
            Version::Open => 0,
            Version::Signed => 64,
        }
    }
}

/// The largest message of an envelope, in bytes.
pub const MAX_MESSAGE: usize = 131_072;

/// The largest envelope, in bytes: everything at its largest, signature included.
pub const MAX_ENVELOPE: usize = HEADER + Title::MAX_LEN + 4 + MAX_MESSAGE + 64;

/// version ‖ sender ‖ time ‖ lifetime ‖ length of title
const HEADER: usize = 1 + 32 + 8 + 4 + 1;

/// An envelope that parsed: its grammar is right, its id is known, and nothing else about it is. It can be shown to
/// nobody and relayed to nobody until a [`Scheme`](super::Scheme) makes a [`Verified`](super::Verified) of it.
///
/// It is a view of the received bytes (reference-counted): cloning copies nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Envelope {
    bytes: Bytes,
    id: EnvelopeId,
    version: Version,
    title_len: u8,
}

/// Why bytes are no envelope (protocol, section 4).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// A version this node does not know. It may be right in a later version of the protocol: ignored, blames nobody.
    #[error("the envelope has version {0}, which this node does not know")]
    UnknownVersion(u8),
    /// The version of the other kind of network: signed and plain never mix.
    #[error("an envelope of version {0} does not belong to this kind of network")]
    WrongVersion(u8),
    /// Its size does not agree with its lengths.
    #[error("the envelope is {size} bytes long and its own lengths say {expected}")]
    Size {
        /// The bytes there are.
        size: usize,
        /// The bytes there should be, as far as could be read.
        expected: usize,
    },
    /// The message is longer than 131,072 bytes.
    #[error("the envelope announces a message of {size} bytes; the most is {MAX_MESSAGE}")]
    MessageTooLong {
        /// The announced size in bytes.
        size: usize,
    },
    /// The time is 0 or 2^53 and above.
    #[error("the envelope's time is outside 1 to 2^53 - 1")]
    Time,
    /// The title is not UTF-8.
    #[error("the envelope's title is not UTF-8")]
    TitleNotText,
    /// The title breaks the rule for titles.
    #[error(transparent)]
    Title(#[from] TitleError),
}

impl Envelope {
    /// Parses exactly one envelope and computes its id in `network`.
    ///
    /// # Errors
    /// An [`EnvelopeError`] naming the first thing that is wrong; nothing is copied or hashed before all is right.
    pub fn parse(bytes: Bytes, version: Version, network: &NetworkHash) -> Result<Self, EnvelopeError> {
        let expected = measure(&bytes, version)?;
        if bytes.len() != expected {
            return Err(EnvelopeError::Size { size: bytes.len(), expected });
        }
        let title_len = bytes[HEADER - 1];
        let title = std::str::from_utf8(&bytes[HEADER..HEADER + usize::from(title_len)]);
        Title::check(title.map_err(|_| EnvelopeError::TitleNotText)?)?;
        let time = u64_at(&bytes, 33);
        if time == 0 || Timestamp::from_micros(time).is_none() {
            return Err(EnvelopeError::Time);
        }
        let signed = bytes.len() - version.signature_len();
        let id = id_of(network, &bytes[..signed]);
        Ok(Envelope { bytes, id, version, title_len })
    }

    /// Takes the first envelope's bytes off `bytes`, where several stand one after another.
    ///
    /// # Errors
    /// If they do not begin with a whole envelope; `bytes` is unchanged then.
    pub fn split_first(bytes: &mut Bytes, version: Version) -> Result<Bytes, EnvelopeError> {
        let expected = measure(bytes, version)?;
        if bytes.len() < expected {
            return Err(EnvelopeError::Size { size: bytes.len(), expected });
        }
        Ok(bytes.split_to(expected))
    }

    /// The envelope's name.
    pub fn id(&self) -> EnvelopeId {
        self.id
    }

    /// The version byte.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Who it says it is from. Only of a [`Verified`](super::Verified) envelope of a secure network is that proven.
    pub fn sender(&self) -> NodeId {
        let mut id = [0; 32];
        id.copy_from_slice(&self.bytes[1..33]);
        NodeId::from_bytes(id)
    }

    /// When its sender says it was made.
    pub fn time(&self) -> Timestamp {
        // Parsing made sure of the range.
        Timestamp::from_micros(u64_at(&self.bytes, 33)).unwrap_or(Timestamp::MAX)
    }

    /// How long it asks to be kept.
    pub fn lifetime(&self) -> Lifetime {
        Lifetime::secs(u32_at(&self.bytes, 41))
    }

    /// The title: what it is about.
    pub fn title(&self) -> &str {
        std::str::from_utf8(&self.bytes[HEADER..self.title_end()]).unwrap_or_default()
    }

    /// The message, as bytes of the received buffer: nothing is copied.
    pub fn message(&self) -> Bytes {
        self.bytes.slice(self.title_end() + 4..self.signed_len())
    }

    /// The whole envelope as on the wire.
    pub fn as_bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Size on the wire, in bytes.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// The signature; `None` on a plain network.
    pub fn signature(&self) -> Option<Signature> {
        self.bytes[self.signed_len()..].try_into().ok()
    }

    /// The same envelope in a buffer of its own. Received envelopes share one large buffer with their neighbours, which
    /// lives as long as the last of them.
    pub fn compact(&self) -> Self {
        Envelope { bytes: Bytes::copy_from_slice(&self.bytes), ..self.clone() }
    }

    fn title_end(&self) -> usize {
        HEADER + usize::from(self.title_len)
    }

    fn signed_len(&self) -> usize {
        self.bytes.len() - self.version.signature_len()
    }
}

impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Envelope")
            .field("id", &self.id)
            .field("sender", &self.sender())
            .field("title", &self.title())
            .field("size", &self.size())
            .finish_non_exhaustive()
    }
}

/// What its author puts into an envelope.
#[derive(Clone, Debug)]
pub struct Draft {
    /// What it is about.
    pub title: Title,
    /// What it says, at most [`MAX_MESSAGE`] bytes.
    pub message: Bytes,
    /// When it is made: later than everything its author made before.
    pub time: Timestamp,
    /// How long it asks to be kept.
    pub lifetime: Lifetime,
}

/// The message is larger than an envelope can carry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the message has {size} bytes; an envelope carries at most {MAX_MESSAGE}: send it in parts, or as a request's answer"
)]
pub struct MessageTooLong {
    /// Its size in bytes.
    pub size: usize,
}

impl Draft {
    /// The envelope of this draft: encoded once, the signature made by `sign` over its id.
    pub(super) fn seal(
        &self,
        version: Version,
        sender: NodeId,
        network: &NetworkHash,
        sign: impl FnOnce(&EnvelopeId) -> Option<Signature>,
    ) -> Result<Envelope, MessageTooLong> {
        let size = self.message.len();
        let len = u32::try_from(size).ok().filter(|_| size <= MAX_MESSAGE).ok_or(MessageTooLong { size })?;
        let title = self.title.as_str().as_bytes();
        let mut bytes = BytesMut::with_capacity(HEADER + title.len() + 4 + size + 64);
        bytes.put_u8(version.as_byte());
        bytes.put_slice(sender.as_bytes());
        bytes.put_u64(self.time.as_micros().max(1));
        bytes.put_u32(self.lifetime.as_secs());
        // A `Title` has at most 200 bytes.
        let title_len = title.len().min(Title::MAX_LEN) as u8;
        bytes.put_u8(title_len);
        bytes.put_slice(title);
        bytes.put_u32(len);
        bytes.put_slice(&self.message);
        let id = id_of(network, &bytes);
        if let Some(signature) = sign(&id) {
            bytes.put_slice(&signature);
        }
        Ok(Envelope { bytes: bytes.freeze(), id, version, title_len })
    }
}

/// `id = SHA-256("sealnet/1 envelope\0" ‖ NH ‖ S)`.
fn id_of(network: &NetworkHash, signed: &[u8]) -> EnvelopeId {
    let hash = Sha256::new()
        .chain_update(Domain::Envelope.as_bytes())
        .chain_update(network.as_bytes())
        .chain_update(signed)
        .finalize();
    EnvelopeId::from_bytes(hash.into())
}

/// How long the envelope at the start of `bytes` is, by its own lengths. Reads only what is there.
fn measure(bytes: &[u8], version: Version) -> Result<usize, EnvelopeError> {
    match bytes.first() {
        Some(byte) if *byte == version.as_byte() => {}
        Some(byte @ (0 | 1)) => return Err(EnvelopeError::WrongVersion(*byte)),
        Some(byte) => return Err(EnvelopeError::UnknownVersion(*byte)),
        None => {}
    }
    let too_short = |expected| EnvelopeError::Size { size: bytes.len(), expected };
    let title_len = usize::from(*bytes.get(HEADER - 1).ok_or(too_short(HEADER + 4))?);
    let body = HEADER + title_len + 4;
    if bytes.len() < body {
        return Err(too_short(body));
    }
    let message_len = usize::try_from(u32_at(bytes, body - 4)).unwrap_or(usize::MAX);
    if message_len > MAX_MESSAGE {
        return Err(EnvelopeError::MessageTooLong { size: message_len });
    }
    Ok(body + message_len + version.signature_len())
}

/// The big-endian number at `at`; what is not there reads as zeros.
fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_be_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_be_bytes)
}
