//! What was sent, by what it was for.

use std::ops::Sub;

use crate::envelope::Title;
use crate::wire::Kind;

use super::events::Cargo;

/// What was sent, as bytes of frames, their heads included. What got lost on the way counts: it was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Frames.
    pub frames: u64,
    /// Frames that carried an envelope.
    pub broadcasts: u64,
    /// Frames that were lost for good.
    pub vanished: u64,
    /// Bytes of all frames.
    pub bytes: u64,
    /// Of these, bytes of the applications' messages.
    pub messages: u64,
    /// Of ids that are announced, asked for or missing.
    pub ids: u64,
    /// Of sessions that compare what two nodes have.
    pub repair: u64,
    /// Of what members say of themselves, and questions for it.
    pub membership: u64,
    /// Of everything that keeps a link.
    pub upkeep: u64,
}

impl Traffic {
    pub(super) fn count(&mut self, cargo: &Cargo, size: usize) {
        let size = size as u64;
        self.frames += match cargo {
            Cargo::Record(envelopes) => envelopes.len() as u64,
            Cargo::Frame(_) | Cargo::Envelope { .. } => 1,
        };
        self.bytes += size;
        let is_membership = |title: &str| title.starts_with(Title::PROTOCOL_PREFIX);
        let of = match cargo {
            Cargo::Envelope { envelope, .. } => {
                self.broadcasts += 1;
                if is_membership(envelope.title()) { &mut self.membership } else { &mut self.messages }
            }
            Cargo::Record(envelopes) => {
                self.broadcasts += envelopes.len() as u64;
                &mut self.membership
            }
            Cargo::Frame(frame) => match frame.kind() {
                Kind::Broadcast => {
                    self.broadcasts += 1;
                    &mut self.messages
                }
                Kind::Have | Kind::News | Kind::Want | Kind::Absent | Kind::Eager | Kind::Lazy => &mut self.ids,
                Kind::Reconcile => &mut self.repair,
                Kind::PeersWanted | Kind::Peers | Kind::MembersWanted => &mut self.membership,
                _ => &mut self.upkeep,
            },
        };
        *of += size;
    }
}

impl Sub for Traffic {
    type Output = Traffic;

    /// What was sent since `before`.
    fn sub(self, before: Traffic) -> Traffic {
        Traffic {
            frames: self.frames - before.frames,
            broadcasts: self.broadcasts - before.broadcasts,
            vanished: self.vanished - before.vanished,
            bytes: self.bytes - before.bytes,
            messages: self.messages - before.messages,
            ids: self.ids - before.ids,
            repair: self.repair - before.repair,
            membership: self.membership - before.membership,
            upkeep: self.upkeep - before.upkeep,
        }
    }
}
