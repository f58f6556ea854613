//! The say of applications in reconnecting: before the node dials anew whom it lost, they are asked.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;

use crate::identity::NodeId;
use crate::overlay::{Reason, Target};

use super::apps::LinkChange;
use super::shared::Shared;

/// Applications have so long to answer; who says nothing has nothing against it.
const ASKED_FOR: Duration = Duration::from_millis(250);

/// "No" holds for so long. Then they are asked again: a wrong answer must not cut a node off for ever.
pub const NOT_AGAIN_FOR: Duration = Duration::from_secs(600);

/// So many lost nodes are followed; beyond, the one lost longest ago is forgotten, and dialled like any other.
const FOLLOWED: usize = 1024;

/// The nodes that were lost, and how often they were dialled since.
#[derive(Debug, Default)]
pub(super) struct LostNodes {
    lost: Mutex<Lost>,
}

#[derive(Debug, Default)]
struct Lost {
    /// How many were lost before, and the attempts since.
    nodes: BTreeMap<NodeId, (u64, u32)>,
    count: u64,
}

impl LostNodes {
    fn lock(&self) -> MutexGuard<'_, Lost> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The link with a node was closed.
    pub(super) fn closed(&self, peer: NodeId, reason: Reason) {
        // Not what this node shed or only visited, nor one of two links.
        let is_loss = !matches!(
            reason,
            Reason::Stopping | Reason::DuplicateLink | Reason::Renewed | Reason::Full | Reason::VisitDone
        );
        if is_loss {
            self.lost(peer);
        }
    }

    fn lost(&self, peer: NodeId) {
        let mut lost = self.lock();
        lost.count += 1;
        let count = lost.count;
        lost.nodes.entry(peer).or_insert((count, 0));
        if lost.nodes.len() > FOLLOWED {
            let first = lost.nodes.iter().min_by_key(|(_, (count, _))| *count).map(|(peer, _)| *peer);
            first.and_then(|first| lost.nodes.remove(&first));
        }
    }

    /// There is a link with it again.
    pub(super) fn found(&self, peer: &NodeId) {
        self.lock().nodes.remove(peer);
    }

    /// The number of the attempt that is about to be made, from 1; `None` if that node was not lost.
    fn next_attempt(&self, peer: &NodeId) -> Option<u32> {
        let mut lost = self.lock();
        let (_, attempts) = lost.nodes.get_mut(peer)?;
        *attempts = attempts.saturating_add(1);
        Some(*attempts)
    }
}

/// The right to say whether a lost node is dialled again. Dropped unused, it says nothing.
#[derive(Clone, Debug)]
pub struct Say(mpsc::Sender<bool>);

impl Say {
    /// Says it.
    pub fn again(self, again: bool) {
        // Nobody listens any more: it took too long.
        let _ = self.0.try_send(again);
    }
}

/// What came of asking: `true` at once if anybody wants it, `false` if somebody does not and nobody does.
async fn outcome(mut says: mpsc::Receiver<bool>) -> bool {
    let mut is_unwanted = false;
    loop {
        match says.recv().await {
            Some(true) => return true,
            Some(false) => is_unwanted = true,
            None => return !is_unwanted,
        }
    }
}

impl Shared {
    /// Asks the applications whether a node is to be dialled, if it is one that was lost.
    pub(super) async fn is_wanted_again(self: &Arc<Self>, target: &Target) -> bool {
        let peer = match target {
            Target::Member { id, .. } => Some(*id),
            Target::Genesis(place) => self.genesis.get(*place).and_then(|genesis| genesis.id()),
            // Somebody here asks for that node.
            Target::OnDemand { .. } => None,
            Target::Renewal { .. } => None,
        };
        if !self.apps.are_there() {
            return true;
        }
        let Some((peer, attempt)) = peer.and_then(|peer| Some((peer, self.lost.next_attempt(&peer)?))) else {
            return true;
        };
        let (say, says) = mpsc::channel(self.apps.count().max(1));
        self.apps.tell(|| LinkChange::Retry { peer, attempt, say: Say(say.clone()) });
        drop(say);
        tokio::time::timeout(ASKED_FOR, outcome(says)).await.unwrap_or(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Identity;

    fn id(n: u64) -> NodeId {
        let mut seed = [7; 32];
        seed[..8].copy_from_slice(&n.to_be_bytes());
        Identity::from_seed(&seed).id()
    }

    #[test]
    fn attempts_are_counted_from_the_loss_until_there_is_a_link_again() {
        let lost = LostNodes::default();
        assert_eq!(lost.next_attempt(&id(1)), None);
        lost.lost(id(1));
        assert_eq!([1, 2, 3].map(|_| lost.next_attempt(&id(1))), [Some(1), Some(2), Some(3)]);
        lost.lost(id(1));
        assert_eq!(lost.next_attempt(&id(1)), Some(4));
        lost.found(&id(1));
        assert_eq!(lost.next_attempt(&id(1)), None);
    }

    #[test]
    fn of_many_that_are_lost_the_last_are_followed() {
        let lost = LostNodes::default();
        (0..FOLLOWED as u64 + 10).for_each(|n| lost.lost(id(n)));
        assert_eq!(lost.lock().nodes.len(), FOLLOWED);
        assert_eq!(lost.next_attempt(&id(9)), None);
        assert_eq!(lost.next_attempt(&id(10)), Some(1));
    }

    #[tokio::test]
    async fn one_that_wants_it_is_enough_and_silence_is_no_objection() {
        for (said, expected) in [(vec![false, true], true), (vec![false], false), (vec![], true)] {
            let (say, says) = mpsc::channel(4);
            said.into_iter().for_each(|again| Say(say.clone()).again(again));
            drop(say);
            assert_eq!(outcome(says).await, expected);
        }
    }
}
