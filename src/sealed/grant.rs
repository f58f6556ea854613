//! Letting others read what they were not written to.

use std::fmt;

use serde_json::Value;
use zeroize::{Zeroize, Zeroizing};

use super::{ContentKey, OpenError, Opened, SealError, SealKey, Sealed, content};
use crate::envelope::{Envelope, EnvelopeId, Verified, parse_object};
use crate::identity::{NetworkHash, NodeId, decode_hex};

/// The key of one message, from somebody who can read it.
///
/// Who grants is no more than a reader: what is read is the original message, signed by its own sender.
#[derive(Clone, PartialEq, Eq)]
pub struct Grant {
    id: EnvelopeId,
    key: ContentKey,
}

/// The content is no grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this is no grant: an object with the keys \"grant\" and \"key\", 64 lower-case hex digits each, and no others"
)]
pub struct GrantError;

/// Seals to `readers` what opens the message `id`: its content key. The result is a message of `sender`, like that of
/// [`seal`](super::seal). A grant cannot be taken back.
///
/// # Errors
/// See [`SealError`].
pub fn grant(
    network: &NetworkHash,
    sender: &NodeId,
    readers: &[SealKey],
    id: &EnvelopeId,
    key: &ContentKey,
) -> Result<Sealed, SealError> {
    let data = Zeroizing::new(format!(r#"{{"grant":"{id}","key":"{}"}}"#, *key.to_hex()));
    content::seal(network, sender, readers, data.as_bytes())
}

impl Grant {
    /// Reads the content of a message that was opened as a grant.
    ///
    /// # Errors
    /// If it is anything but a grant.
    pub fn read(opened: &Opened) -> Result<Self, GrantError> {
        let mut object = parse_object(opened.data(), 1).map_err(|_| GrantError)?;
        let grant = (object.len() == 2).then(|| {
            let hex = |field: &str| decode_hex::<32>(object.get(field)?.as_str()?);
            let key = Zeroizing::new(hex("key")?);
            Some(Grant { id: EnvelopeId::from_bytes(hex("grant")?), key: ContentKey::from_bytes(&key) })
        });
        if let Some(Value::String(text)) = object.get_mut("key") {
            text.zeroize();
        }
        grant.flatten().ok_or(GrantError)
    }

    /// The message that it opens.
    pub fn id(&self) -> EnvelopeId {
        self.id
    }

    /// What opens it.
    pub fn key(&self) -> &ContentKey {
        &self.key
    }

    /// Opens the message that was granted.
    ///
    /// # Errors
    /// If it is another one; otherwise see [`OpenError`].
    pub fn open(&self, network: &NetworkHash, envelope: &Verified<Envelope>) -> Result<Opened, OpenError> {
        if envelope.id() != self.id {
            return Err(OpenError::OtherMessage);
        }
        content::open_with(network, envelope, &self.key)
    }
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant").field("id", &self.id).field("key", &self.key).finish()
    }
}
