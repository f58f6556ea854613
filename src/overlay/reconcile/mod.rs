//! Repair: neighbours compare which ids they have, and each fetches what it lacks (protocol, section 8).
//!
//! A *sweep* compares with one neighbour, in windows of time from the newest backwards; each window is a *session*, run
//! by Negentropy. What is found to be missing is fetched at the pace of the neighbour ([`fetch`]); what the neighbour
//! lacks is offered to it as ids. One sweep of a set runs at a time, so that the same is not found, and fetched, at
//! several neighbours: the next one usually finds equal digests, which cost two small frames.

mod budget;
mod driver;
mod engine;
mod fetch;
mod items;
mod opener;
mod recent;
mod responder;
mod schedule;
mod sweep;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::wire::ReconcileSet;

use self::fetch::Fetch;
use self::opener::Session;
use self::responder::Responders;
use self::sweep::{Sweep, Task};
use super::{Core, Instant, LinkId, Now, TokenBucket};

/// The state of repair.
#[derive(Debug, Default)]
pub(super) struct Repair {
    pub(super) fetch: Fetch,
    responders: Responders,
    sweeps: BTreeMap<LinkId, Sweep>,
    /// What is to be compared with whom.
    pending: BTreeMap<(ReconcileSet, LinkId), Task>,
    links: BTreeMap<LinkId, Side>,
    next_session: u16,
    periodic: Instant,
    counts: RepairCounts,
}

impl Repair {
    /// The session with this number that this node began on the link, which has just been heard of.
    fn own_session(&mut self, now: Instant, link: LinkId, number: u16) -> Option<&mut Session> {
        let sweep = self.sweeps.get_mut(&link)?;
        sweep.session.as_ref().filter(|session| session.number() == number)?;
        sweep.heard(now);
        sweep.session.as_mut()
    }

    /// Of what is older than this, in µs, a neighbour has mostly ids.
    fn barren_before(&mut self, link: LinkId, micros: u64) {
        if let Some(side) = self.links.get_mut(&link) {
            side.barren_before = side.barren_before.max(micros);
        }
    }
}

impl Core {
    /// Something came: if a sweep was waiting for it, it goes on.
    pub(super) fn repair_moved(&mut self, now: Now) {
        let Repair { sweeps, pending, fetch, .. } = &self.repair;
        if !sweeps.is_empty() || !pending.is_empty() || fetch.has_gained() {
            self.tend_repair(now);
        }
    }
}

/// What is known of a neighbour that reconciles.
#[derive(Debug)]
struct Side {
    pace: TokenBucket,
    /// Of what is older than this, in µs, the neighbour mostly knows only the ids.
    barren_before: u64,
}

/// What repair has done since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RepairCounts {
    /// Sessions this node began.
    pub sessions: u64,
    /// Those of them where both sides had the same.
    pub equal: u64,
    /// Sessions in which fingerprints agreed over different ids: somebody ground ids for it.
    pub deceived: u64,
    /// Sessions this node was too busy for, or was told so.
    pub busy: u64,
    /// Ids asked for.
    pub asked: u64,
    /// Ids that the asked neighbour did not hold.
    pub absent: u64,
    /// Ids that neighbours were offered, since they were found to lack them.
    pub offered: u64,
    /// Frames over the budget of sessions, not looked at.
    pub dropped: u64,
}
