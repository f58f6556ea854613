//! Who is asked for which piece. Knows of no network and no disk.

use std::collections::{BTreeMap, BTreeSet};

use sealnet::identity::NodeId;

/// After so many wrong pieces a member is asked for no others either.
pub(crate) const LIES: usize = 3;

/// The pieces that are missing, and who was caught lying about which.
#[derive(Default)]
pub(crate) struct Plan {
    /// With the number of members that are asked for it now.
    missing: BTreeMap<u32, u8>,
    /// Where this node begins: if all began with the first piece, none would have what another lacks.
    first: u32,
    lies: BTreeMap<NodeId, BTreeSet<u32>>,
}

impl Plan {
    /// Begins, perhaps anew: nobody is asked for anything, but who lied about what stays known.
    pub(crate) fn begin(&mut self, missing: impl Iterator<Item = u32>, first: u32) {
        self.missing = missing.map(|piece| (piece, 0)).collect();
        self.first = first;
    }

    /// A piece to ask `member` for, who has those in `has`: one that nobody is asked for, or else one that a single other is
    /// asked for, who may never answer.
    pub(crate) fn take(&mut self, member: &NodeId, has: &BTreeSet<u32>) -> Option<u32> {
        let lies = self.lies.get(member);
        if lies.is_some_and(|lies| lies.len() >= LIES) {
            return None;
        }
        let (before, after) = (self.missing.range(..self.first), self.missing.range(self.first..));
        let in_turn = after.chain(before).filter(|(piece, _)| has.contains(*piece));
        let fit = in_turn.filter(|(piece, asked)| **asked < 2 && lies.is_none_or(|lies| !lies.contains(*piece)));
        let piece = fit.min_by_key(|(_, asked)| **asked).map(|(piece, _)| *piece)?;
        self.missing.entry(piece).and_modify(|asked| *asked += 1);
        Some(piece)
    }

    /// It did not come.
    pub(crate) fn give_back(&mut self, piece: u32) {
        self.missing.entry(piece).and_modify(|asked| *asked = asked.saturating_sub(1));
    }

    /// It came, and is right. Says whether it was still missing.
    pub(crate) fn done(&mut self, piece: u32) -> bool {
        self.missing.remove(&piece).is_some()
    }

    /// It came, and is wrong: `member` is never asked for it again.
    pub(crate) fn lied(&mut self, member: NodeId, piece: u32) {
        self.give_back(piece);
        self.lies.entry(member).or_default().insert(piece);
    }

    pub(crate) fn is_trusted(&self, member: &NodeId) -> bool {
        self.lies.get(member).is_none_or(|lies| lies.len() < LIES)
    }

    pub(crate) fn is_done(&self) -> bool {
        self.missing.is_empty()
    }
}
