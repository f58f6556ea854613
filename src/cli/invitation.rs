//! The file by which somebody becomes a member: what `sealnet invite` writes and `sealnet join` reads.

use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::Failure;
use super::out_file::{OutFile, shown};
use crate::access::Mode;
use crate::identity::{NetworkName, NodeId, read_secret_file};

/// The longest invitation: a list of 10,000 members and some.
const MAX_LEN: usize = 2 << 20;
const FORMAT: u32 = 1;

/// The hex digits of a secret; wiped when they are dropped.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Digits(String);

impl Digits {
    pub(super) fn of(bytes: &[u8]) -> Self {
        Digits(data_encoding::HEXLOWER.encode(bytes))
    }

    /// The 32 bytes, if that is what they are.
    pub(super) fn bytes(&self) -> Option<Zeroizing<[u8; 32]>> {
        let mut bytes = Zeroizing::new([0; 32]);
        let is_whole = self.0.len() == 64;
        let decoded = is_whole.then(|| data_encoding::HEXLOWER.decode_mut(self.0.as_bytes(), &mut *bytes));
        matches!(decoded, Some(Ok(32))).then_some(bytes)
    }
}

impl Drop for Digits {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// Everything a member needs of its network. Whoever has a file with a secret in it can join in the invited one's place.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Invitation {
    /// The version of this form.
    pub(super) sealnet_invitation: u32,
    pub(super) network: NetworkName,
    pub(super) preset: String,
    /// Whole addresses, each with its key.
    pub(super) genesis: Vec<String>,
    pub(super) access: Mode,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) authority: Option<NodeId>,
    /// The text of the certificate's file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) certificate: Option<String>,
    /// The text of the list's file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) revocations: Option<String>,
    /// The text of the list of members.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) members: Option<String>,
    /// **Secret**: the key that all members share, 64 hex digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) network_key: Option<Digits>,
    /// **Secret**: the new member's own key, the 64 hex digits of its seed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) identity: Option<Digits>,
}

impl Invitation {
    pub(super) fn new(network: NetworkName, preset: &str, access: Mode) -> Self {
        Invitation {
            sealnet_invitation: FORMAT,
            network,
            preset: preset.to_owned(),
            genesis: Vec::new(),
            access,
            authority: None,
            certificate: None,
            revocations: None,
            members: None,
            network_key: None,
            identity: None,
        }
    }

    pub(super) fn has_secret(&self) -> bool {
        self.network_key.is_some() || self.identity.is_some()
    }

    /// Writes it, mode 0600, where nothing is in the way.
    pub(super) fn save(&self, path: &Path) -> Result<(), Failure> {
        let text = Zeroizing::new(serde_json::to_vec_pretty(self)?);
        let mut file = OutFile::begin(path, false)?;
        let written = file.write_all(&text).and_then(|()| file.write_all(b"\n"));
        written.map_err(|error| Failure::said(format!("{} could not be written: {error}", shown(path))))?;
        file.place()
    }

    /// Reads one. Since it may hold secrets, nobody else may be able to read the file.
    pub(super) fn load(path: &Path) -> Result<Self, Failure> {
        let text = read_secret_file(path, MAX_LEN)?;
        // The words of the parser could quote what is secret: its place is enough.
        let read: Result<Invitation, serde_json::Error> = serde_json::from_slice(&text);
        let invitation = read.map_err(|error| {
            Failure::said(format!(
                "{} is no invitation (line {}, column {}); name a file that `sealnet invite` wrote",
                shown(path),
                error.line(),
                error.column()
            ))
        })?;
        if invitation.sealnet_invitation != FORMAT {
            return Err(Failure::said(format!(
                "{} is an invitation of another version of Sealnet ({}); join with that version",
                shown(path),
                invitation.sealnet_invitation
            )));
        }
        Ok(invitation)
    }
}
