//! What the small table says of an envelope: enough to know it again without its content.

use sha2::{Digest, Sha256};

use crate::envelope::{Envelope, EnvelopeId, Lifetime, Timestamp};
use crate::identity::NodeId;

/// An envelope this log has taken, whether its content is still held or not.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Remembered {
    /// Its name.
    pub id: EnvelopeId,
    /// Who made it.
    pub sender: NodeId,
    /// When.
    pub time: Timestamp,
    /// How long it asked to be kept.
    pub lifetime: Lifetime,
}

/// A row: what is remembered, how long the content is, and whether it is in the other table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) envelope: Remembered,
    pub(super) size: u32,
    pub(super) is_held: bool,
}

/// id ‖ sender ‖ time ‖ lifetime ‖ size ‖ flags ‖ check
pub(super) const ROW: usize = 32 + 32 + 8 + 4 + 4 + 1 + CHECK;
const CHECK: usize = 4;

/// Accepted is the one verdict that is written today; a log of a later version may know others.
const ACCEPTED: u8 = 1;
const HELD: u8 = 2;

impl Row {
    pub(super) fn of(envelope: &Envelope, is_held: bool) -> Self {
        let remembered = Remembered {
            id: envelope.id(),
            sender: envelope.sender(),
            time: envelope.time(),
            lifetime: envelope.lifetime(),
        };
        Row { envelope: remembered, size: u32::try_from(envelope.size()).unwrap_or(u32::MAX), is_held }
    }

    pub(super) fn encode(&self, position: u64) -> [u8; ROW] {
        let Remembered { id, sender, time, lifetime } = &self.envelope;
        let flags = if self.is_held { ACCEPTED | HELD } else { ACCEPTED };
        let mut bytes = [0; ROW];
        let mut at = 0;
        let parts: [&[u8]; 6] = [
            id.as_bytes(),
            sender.as_bytes(),
            &time.as_micros().to_be_bytes(),
            &lifetime.as_secs().to_be_bytes(),
            &self.size.to_be_bytes(),
            &[flags],
        ];
        for part in parts {
            bytes[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        }
        let check = check(position, &bytes[..at]);
        bytes[at..].copy_from_slice(&check);
        bytes
    }

    /// The row in these bytes; `None` if they are not what was written.
    pub(super) fn decode(position: u64, bytes: &[u8; ROW]) -> Option<Self> {
        let (said, sum) = bytes.split_at(ROW - CHECK);
        if sum != check(position, said) {
            return None;
        }
        let mut rest = said;
        let envelope = Remembered {
            id: EnvelopeId::from_bytes(take(&mut rest)?),
            sender: NodeId::from_bytes(take(&mut rest)?),
            time: Timestamp::from_micros(u64::from_be_bytes(take(&mut rest)?))?,
            lifetime: Lifetime::secs(u32::from_be_bytes(take(&mut rest)?)),
        };
        let size = u32::from_be_bytes(take(&mut rest)?);
        let [flags] = take(&mut rest)?;
        Some(Row { envelope, size, is_held: flags & HELD != 0 })
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, more) = rest.split_first_chunk()?;
    *rest = more;
    Some(*first)
}

fn check(position: u64, bytes: &[u8]) -> [u8; CHECK] {
    let digest: [u8; 32] = Sha256::new().chain_update(position.to_be_bytes()).chain_update(bytes).finalize().into();
    [digest[0], digest[1], digest[2], digest[3]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_read_as_it_was_written_and_a_changed_one_is_noticed() {
        let envelope = Remembered {
            id: EnvelopeId::from_bytes([1; 32]),
            sender: NodeId::from_bytes([2; 32]),
            time: Timestamp::from_micros(1_700_000_000_000_000).unwrap(),
            lifetime: Lifetime::hours(24),
        };
        let row = Row { envelope, size: 300, is_held: true };
        let bytes = row.encode(7);
        assert_eq!(Row::decode(7, &bytes), Some(row.clone()));
        assert_eq!(Row::decode(8, &bytes), None, "a row belongs to its position");
        for at in 0..ROW {
            let mut changed = bytes;
            changed[at] ^= 4;
            assert_eq!(Row::decode(7, &changed), None, "byte {at}");
        }
        let row = Row { is_held: false, ..row };
        assert_eq!(Row::decode(7, &row.encode(7)), Some(row));
    }
}
