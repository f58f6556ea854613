//! Sealed content: how it is made, and opened.

use std::fmt;

use bytes::Bytes;
use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit};
use hpke::rand_core::CryptoRng;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::stanza::{self, STANZA, SystemRandom};
use super::{ContentKey, SealKey, SealSecrets, padding};
use crate::envelope::{Envelope, Verified, Version};
use crate::identity::{NetworkHash, NodeId, RandomnessError};

/// How every sealed message begins.
const MAGIC: [u8; 4] = [0x00, 0x53, 0x4C, 0x01];
/// How many readers a message may have.
pub const MAX_READERS: usize = 64;
/// The most that can be sealed into one message, in bytes, whatever the number of readers.
pub const MAX_DATA: usize = 122_876;

const COMMITMENT: usize = 32;
const TAG: usize = 16;
const KEYS: &[u8] = b"sealnet/1 seal-keys\0";

/// Why nothing was sealed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// Sealed to nobody, it would be readable by nobody.
    #[error("nobody is named who could read it; name at least one reader")]
    NoReaders,
    /// More readers than a message has room for.
    #[error(
        "{count} readers are named and a message has room for {MAX_READERS}; send it in several, or grant it to the rest"
    )]
    TooManyReaders {
        /// How many different ones were named.
        count: usize,
    },
    /// More than fits.
    #[error("the content has {size} bytes, and {MAX_DATA} can be sealed into one message; send it in parts")]
    TooLarge {
        /// Its size in bytes.
        size: usize,
    },
    /// The cipher or the key agreement refused; it does not for any [`SealKey`].
    #[error("nothing can be sealed to the key {0:?}; ask its owner for another one")]
    Refused(SealKey),
    /// The operating system gave no random bytes.
    #[error(transparent)]
    Randomness(#[from] RandomnessError),
}

/// Why sealed content was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The message is not sealed.
    #[error("the message is not sealed; read it as it is")]
    NotSealed,
    /// It comes from a plain network, where nobody can know who wrote it.
    #[error("the message is not signed, so nobody knows who sealed it; it is not opened")]
    NotSigned,
    /// It names none or more than 64 readers.
    #[error("the sealed message does not name 1 to 64 readers; ask its sender to seal it again")]
    Readers,
    /// It is cut off, or as long as no padded content is.
    #[error("the sealed message is cut off or has bytes too many; ask its sender to seal it again")]
    Size,
    /// No part of it is for any of the keys at hand.
    #[error(
        "the message is for {readers} other keys; ask a reader to grant it to you (was it for a key of yours that has \
         been deleted since?)"
    )]
    NotForYou {
        /// How many readers it has.
        readers: usize,
    },
    /// There are no keys to open anything with.
    #[error("this node has no seal keys; give it a file for them, or a folder")]
    NoKeys,
    /// The part for this reader does not open: it was altered, or was written by another sender or for another network.
    #[error("the part of the message that is for you is not this sender's in this network; do not believe it")]
    Stanza,
    /// The content key is not the one the sender committed to: others may read something else.
    #[error("the key does not fit the message: its readers may see different texts; do not believe it")]
    Commitment,
    /// The content itself was altered.
    #[error("the content was altered; ask its sender to seal it again")]
    Body,
    /// The content opened, and is not padded as it must be.
    #[error("the content's padding is wrong; ask its sender to seal it again")]
    Padding,
    /// The grant is for another message.
    #[error("the grant is for another message; open the one that it names")]
    OtherMessage,
}

/// Content that was sealed: the message for an envelope, and the key for grants.
#[derive(Clone)]
pub struct Sealed {
    message: Bytes,
    key: ContentKey,
}

impl Sealed {
    /// What goes into the envelope of the sender it was sealed for; in anybody else's it does not open.
    pub fn message(&self) -> &Bytes {
        &self.message
    }

    /// What opens it: keep it to [`grant`](super::grant) it to others later.
    pub fn key(&self) -> &ContentKey {
        &self.key
    }

    /// The message alone.
    pub fn into_message(self) -> Bytes {
        self.message
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealed").field("size", &self.message.len()).finish_non_exhaustive()
    }
}

/// Content that was opened: it is its envelope's sender's, and every reader of the message reads the same.
#[derive(Clone, PartialEq, Eq)]
pub struct Opened {
    data: Bytes,
    key: ContentKey,
}

impl Opened {
    /// What was sealed.
    pub fn data(&self) -> &Bytes {
        &self.data
    }

    /// What was sealed, if it is text.
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.data).ok()
    }

    /// What opened it: hand it on with [`grant`](super::grant).
    pub fn key(&self) -> &ContentKey {
        &self.key
    }

    /// What was sealed, alone.
    pub fn into_data(self) -> Bytes {
        self.data
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").field("size", &self.data.len()).finish_non_exhaustive()
    }
}

/// Whether a message says that it is sealed.
pub fn is_sealed(message: &[u8]) -> bool {
    message.starts_with(&MAGIC)
}

/// Seals `data` to `readers`, 1 to 64 of them (one named twice counts once), as content of an envelope of `sender` on
/// `network`.
///
/// Nobody else can read it, and nobody can pass it on as their own: it opens in `sender`'s signed envelope only. The sender
/// reads it again only if it is a reader itself. What stays visible: who sent it and when, to how many readers, its class
/// of size (powers of two from 256 B, above 64 KiB multiples of 8 KiB), and to whoever knows a reader's key that it is one
/// of the readers. Whoever gets hold of a reader's secret key can read what was sealed to it: there is no forward secrecy
/// beyond the deletion of old keys.
///
/// # Errors
/// See [`SealError`].
pub fn seal(network: &NetworkHash, sender: &NodeId, readers: &[SealKey], data: &[u8]) -> Result<Sealed, SealError> {
    let mut random = SystemRandom::default();
    let sealed = seal_with(network, sender, readers, data, ContentKey::generate()?, &mut random)?;
    Ok(random.vouch(sealed)?)
}

fn seal_with(
    network: &NetworkHash,
    sender: &NodeId,
    readers: &[SealKey],
    data: &[u8],
    key: ContentKey,
    random: &mut impl CryptoRng,
) -> Result<Sealed, SealError> {
    if data.len() > MAX_DATA {
        return Err(SealError::TooLarge { size: data.len() });
    }
    let mut different: Vec<SealKey> = Vec::with_capacity(readers.len().min(MAX_READERS + 1));
    for reader in readers {
        if !different.contains(reader) {
            different.push(*reader);
        }
    }
    let count = different.len();
    let n = match (count, u8::try_from(count)) {
        (0, _) => return Err(SealError::NoReaders),
        (..=MAX_READERS, Ok(n)) => n,
        _ => return Err(SealError::TooManyReaders { count }),
    };
    let info = info(network, sender);
    let mut message = Vec::with_capacity(MAGIC.len() + 1 + count * STANZA + COMMITMENT);
    message.extend_from_slice(&MAGIC);
    message.push(n);
    for reader in &different {
        message.extend_from_slice(&stanza::seal(&info, reader, &key, random).ok_or(SealError::Refused(*reader))?);
    }
    let commitment = commitment(&key, &message[MAGIC.len()..]);
    message.extend_from_slice(&*commitment);
    let mut body = padding::pad(data, TAG).ok_or(SealError::TooLarge { size: data.len() })?;
    let cipher = cipher(&key);
    cipher
        .encrypt_in_place(&Default::default(), &info, &mut *body)
        .map_err(|_| SealError::TooLarge { size: data.len() })?;
    message.extend_from_slice(&body);
    Ok(Sealed { message: message.into(), key })
}

/// Opens the sealed content of an envelope that was verified, with any of these keys.
///
/// # Errors
/// See [`OpenError`]; nothing of the content is given out then.
pub fn open(network: &NetworkHash, envelope: &Verified<Envelope>, secrets: &SealSecrets) -> Result<Opened, OpenError> {
    let message = envelope.message();
    let parts = Parts::of(envelope.version(), &message)?;
    let info = info(network, &envelope.sender());
    let mut found = false;
    for stanza in parts.stanzas() {
        for secret in secrets.iter().filter(|secret| stanza::is_for(stanza, secret.key())) {
            found = true;
            if let Some(key) = stanza::open(&info, stanza, secret) {
                return parts.open(&info, key);
            }
        }
    }
    Err(if found { OpenError::Stanza } else { OpenError::NotForYou { readers: parts.stanzas().count() } })
}

/// Opens the sealed content of an envelope that was verified, with the content key that somebody granted.
///
/// # Errors
/// See [`OpenError`]; nothing of the content is given out then.
pub fn open_with(network: &NetworkHash, envelope: &Verified<Envelope>, key: &ContentKey) -> Result<Opened, OpenError> {
    let message = envelope.message();
    Parts::of(envelope.version(), &message)?.open(&info(network, &envelope.sender()), key.clone())
}

/// The parts of a sealed message, split where they must be.
struct Parts<'a> {
    /// The number of stanzas and the stanzas: what is committed to.
    head: &'a [u8],
    commitment: &'a [u8],
    body: &'a [u8],
}

impl<'a> Parts<'a> {
    fn of(version: Version, message: &'a [u8]) -> Result<Self, OpenError> {
        let rest = message.strip_prefix(&MAGIC).ok_or(OpenError::NotSealed)?;
        if version != Version::Signed {
            return Err(OpenError::NotSigned);
        }
        let n = match rest.first().map(|n| usize::from(*n)) {
            Some(n @ 1..=MAX_READERS) => n,
            Some(_) => return Err(OpenError::Readers),
            None => return Err(OpenError::Size),
        };
        let (head, rest) = rest.split_at_checked(1 + n * STANZA).ok_or(OpenError::Size)?;
        let (commitment, body) = rest.split_at_checked(COMMITMENT).ok_or(OpenError::Size)?;
        if !body.len().checked_sub(TAG).is_some_and(padding::is_padded_len) {
            return Err(OpenError::Size);
        }
        Ok(Parts { head, commitment, body })
    }

    fn stanzas(&self) -> impl Iterator<Item = &'a [u8]> {
        self.head.get(1..).unwrap_or_default().chunks_exact(STANZA)
    }

    /// Commitment, body, padding, in this order: a key that the sender did not commit to opens nothing.
    fn open(&self, info: &[u8], key: ContentKey) -> Result<Opened, OpenError> {
        if !bool::from(self.commitment.ct_eq(&*commitment(&key, self.head))) {
            return Err(OpenError::Commitment);
        }
        let mut body = Zeroizing::new(self.body.to_vec());
        cipher(&key).decrypt_in_place(&Default::default(), info, &mut *body).map_err(|_| OpenError::Body)?;
        let data = padding::unpad(&body).ok_or(OpenError::Padding)?;
        Ok(Opened { data: Bytes::copy_from_slice(data), key })
    }
}

/// "sealnet/1 seal\0" ‖ NH ‖ sender: what everything in it is bound to.
fn info(network: &NetworkHash, sender: &NodeId) -> Vec<u8> {
    [&b"sealnet/1 seal\0"[..], network.as_bytes(), sender.as_bytes()].concat()
}

fn commitment(key: &ContentKey, head: &[u8]) -> Zeroizing<[u8; 32]> {
    key.derive(KEYS, &[b"commit\0", &Sha256::digest(head)])
}

/// Under a key that seals this one content, a nonce of zeros is used once.
fn cipher(key: &ContentKey) -> ChaCha20Poly1305 {
    let body_key = key.derive(KEYS, &[b"body\0"]);
    ChaCha20Poly1305::new((&*body_key).into())
}

#[cfg(test)]
#[path = "content_tests.rs"]
mod tests;
