//! Where members may be reached, how far that is to be believed, and when it is worth another try.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rand::rngs::ChaCha8Rng;
use rand::seq::IndexedRandom;

use crate::identity::NodeId;

use super::ranges::is_countable;
use super::{Instant, Settings};

/// How long a proof of an address holds.
const PROOF_HOLDS: Duration = Duration::from_secs(24 * 3600);

/// The longest pause before an address that nobody vouched for is tried again.
const HINT_RETRY_MOST: Duration = Duration::from_secs(24 * 3600);

/// Who has no room comes last for this many times the longest pause.
const FULL_FOR: u32 = 10;

/// Members and others of whom addresses are noted. Above it only what this node proved itself is.
const MOST: usize = 8192;

/// Addresses of one member: four that it announces, and some that were proven before.
const PER_MEMBER: usize = 6;

/// How far an address is to be believed; dialled in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Trust {
    /// Flooded by whoever claims it: dialling it could be what an attacker wants.
    Hint,
    /// A neighbour that shook hands with the member there says so.
    Vouched,
    /// This node shook hands with the member there.
    Proven,
}

#[derive(Clone, Copy, Debug)]
struct Address {
    trust: Trust,
    proven: Option<Instant>,
    failures: u32,
    not_before: Instant,
    full_until: Instant,
}

impl Address {
    /// What is known of an address that a member claims, and nothing else.
    const HEARSAY: Address = Address {
        trust: Trust::Hint,
        proven: None,
        failures: 0,
        not_before: Instant::at(Duration::ZERO),
        full_until: Instant::at(Duration::ZERO),
    };
}

/// Addresses by member that somebody vouched for or that were tried; bounded by [`MOST`] and [`PER_MEMBER`]. What members
/// only claim stands in the member table.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    members: BTreeMap<NodeId, Vec<(SocketAddr, Address)>>,
    next_hint: Instant,
    /// Where a mere hint was dialled within the hour, where ranges are limited.
    hinted: BTreeMap<IpAddr, Instant>,
}

/// The shortest time between two dials at an address that nobody vouched for, whoever is said to be there.
const HINT_AGAIN: Duration = Duration::from_secs(3600);

/// Addresses of mere hints that are remembered as dialled. Above it no hint is dialled: at one in ten seconds nobody honest
/// comes near.
const HINTED: usize = 1024;

impl Addresses {
    /// Notes that `member` is said to be at `address`. A mere hint is noted only beside what is known better: else it stands
    /// in the member table.
    pub(super) fn learn(&mut self, member: NodeId, address: SocketAddr, trust: Trust, now: Instant) {
        let has_room = trust == Trust::Proven || (trust == Trust::Vouched && self.members.len() < MOST);
        if !has_room && !self.members.contains_key(&member) {
            return;
        }
        let known = self.members.entry(member).or_default();
        let proven = (trust == Trust::Proven).then_some(now);
        let fresh = Address { trust, proven, failures: 0, not_before: now, full_until: now };
        if let Some((_, entry)) = known.iter_mut().find(|(at, _)| *at == address) {
            entry.trust = entry.trust.max(trust);
            if proven.is_some() {
                *entry = Address { full_until: entry.full_until, ..fresh };
            }
            return;
        }
        if known.len() >= PER_MEMBER {
            let least = known.iter().enumerate().min_by_key(|(_, (_, known))| (known.trust, known.proven));
            least.map(|(place, _)| place).map(|least| known.remove(least));
        }
        known.push((address, fresh));
    }

    /// Forgets everything about a member that is gone.
    pub(super) fn forget(&mut self, member: &NodeId) {
        self.members.remove(member);
    }

    /// The address showed another key: it is not `member`'s.
    pub(super) fn disprove(&mut self, member: &NodeId, address: SocketAddr) {
        if let Some(known) = self.members.get_mut(member) {
            known.retain(|(at, _)| *at != address);
        }
    }

    /// Of how many it knows anything.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    /// A dial failed, or the node there has no room: not again for a while that doubles each time.
    pub(super) fn failed(&mut self, member: &NodeId, address: SocketAddr, settings: &Settings, now: Instant) {
        let Some(known) = self.known(member).find(|(at, _)| *at == address).map(|(_, known)| known) else { return };
        let most = if known.trust == Trust::Hint { HINT_RETRY_MOST } else { settings.retry_most };
        known.not_before = now + back_off(settings.retry_first, known.failures, most);
        known.failures = known.failures.saturating_add(1);
    }

    /// Addresses at which this node shook hands with `member` within a day.
    pub(super) fn proven(&self, member: &NodeId, now: Instant) -> impl Iterator<Item = SocketAddr> + '_ {
        let holds = move |known: &Address| known.proven.is_some_and(|at| now.since(at) < PROOF_HOLDS);
        let known = self.members.get(member).into_iter().flatten();
        known.filter(move |(_, known)| holds(known)).map(|(at, _)| *at)
    }

    /// Where to look for `member`, which claims to be at `claimed`, when somebody asks for it: those addresses first that are
    /// believed most. What nobody vouched for keeps its pauses, and the hour between two dials of one host, where ranges are
    /// limited.
    pub(super) fn routes(
        &self,
        member: &NodeId,
        claimed: impl Iterator<Item = SocketAddr>,
        settings: &Settings,
        now: Instant,
    ) -> Vec<SocketAddr> {
        let mut known = self.members.get(member).cloned().unwrap_or_default();
        for at in claimed {
            if known.iter().all(|(known, _)| *known != at) {
                known.push((at, Address::HEARSAY));
            }
        }
        known.retain(|(at, known)| {
            let is_believed = known.trust > Trust::Hint || !settings.limit_ranges;
            is_believed || (known.not_before <= now && self.may_hint(known, at, settings, now))
        });
        known.sort_by_key(|(_, known)| std::cmp::Reverse((known.trust, known.proven)));
        known.into_iter().map(|(at, _)| at).collect()
    }

    /// An address is dialled because somebody asked for `member`.
    pub(super) fn dialled(&mut self, member: NodeId, at: SocketAddr, settings: &Settings, now: Instant) {
        let trust = self.known(&member).find(|(known, _)| *known == at).map(|(_, known)| known.trust);
        if trust.is_some_and(|trust| trust > Trust::Hint) {
            return;
        }
        if settings.limit_ranges && is_countable(&at) {
            if self.hinted.len() >= HINTED {
                self.hinted.retain(|_, last| now.since(*last) < HINT_AGAIN);
            }
            self.hinted.insert(at.ip(), now);
        }
        // From now on there is something to remember about it.
        self.members.entry(member).or_insert_with(|| vec![(at, Address::HEARSAY)]);
    }

    /// Not again before `pause` is over, though no address failed.
    pub(super) fn pause(&mut self, member: &NodeId, pause: Duration, now: Instant) {
        for (_, known) in self.known(member) {
            known.not_before = known.not_before.max(now + pause);
        }
    }

    /// The member said that it has no room: for a while it comes last.
    pub(super) fn full(&mut self, member: &NodeId, settings: &Settings, now: Instant) {
        self.pause(member, settings.retry_most, now);
        for (_, known) in self.known(member) {
            known.full_until = now + settings.retry_most * FULL_FOR;
        }
    }

    fn known(&mut self, member: &NodeId) -> impl Iterator<Item = &mut (SocketAddr, Address)> {
        self.members.get_mut(member).into_iter().flatten()
    }

    /// Somebody to dial, with the address that is believed most: first among those whose address is believed at all, then,
    /// when its turn has come, a mere hint, and only for want of both somebody who is full and would soon close the link
    /// again. Of two drawn at random it is the one with fewer links: that spreads links almost evenly.
    pub(super) fn choose(
        &mut self,
        now: Instant,
        settings: &Settings,
        rng: &mut ChaCha8Rng,
        wanted: &impl Wanted,
    ) -> Option<(NodeId, SocketAddr)> {
        if self.hinted.len() >= HINTED {
            self.hinted.retain(|_, last| now.since(*last) < HINT_AGAIN);
        }
        let mut ready: BTreeMap<Tier, Vec<(NodeId, SocketAddr)>> = BTreeMap::new();
        let mut others_than_full = false;
        for (member, known) in self.members.iter().filter(|(member, _)| wanted.may_be_dialled(member)) {
            let tier = |known: &Address| tier_of(known, wanted.is_full(member), now);
            others_than_full |= known.iter().any(|(_, known)| tier(known) != Tier::Full);
            let now_possible = known.iter().filter(|(at, known)| {
                known.not_before <= now && wanted.may_be_dialled_at(at) && self.may_hint(known, at, settings, now)
            });
            if let Some((at, best)) = now_possible.max_by_key(|(_, known)| known.trust) {
                ready.entry(tier(best)).or_default().push((*member, *at));
            }
        }
        let is_hint_due = now >= self.next_hint;
        // There may be thousands who claim to be somewhere: they are looked at only if that can matter.
        if !ready.contains_key(&Tier::Believed) && (is_hint_due || !others_than_full) {
            for (member, addresses) in self.hearsay(wanted) {
                let tier = tier_of(&Address::HEARSAY, wanted.is_full(member), now);
                others_than_full |= tier != Tier::Full;
                if others_than_full && !is_hint_due {
                    break;
                }
                let may_be = |at: &&SocketAddr| {
                    wanted.is_worth_hearing(at)
                        && wanted.may_be_dialled_at(at)
                        && self.may_hint(&Address::HEARSAY, at, settings, now)
                };
                if let Some(at) = addresses.iter().find(may_be) {
                    ready.entry(tier).or_default().push((*member, *at));
                }
            }
        }
        if !is_hint_due {
            ready.remove(&Tier::Hint);
        }
        if others_than_full && !wanted.is_alone() {
            ready.remove(&Tier::Full);
        }
        let (tier, candidates) = ready.first_key_value()?;
        let chosen = candidates.sample(rng, 2).min_by_key(|(member, _)| wanted.links(member)).copied()?;
        if *tier == Tier::Hint {
            self.next_hint = now + settings.hint_every;
            if settings.limit_ranges && is_countable(&chosen.1) {
                self.hinted.insert(chosen.1.ip(), now);
            }
        }
        // From now on there is something to remember about it.
        self.members.entry(chosen.0).or_insert_with(|| vec![(chosen.1, Address::HEARSAY)]);
        Some(chosen)
    }

    /// Members of whom nothing is known but where they claim to be.
    fn hearsay<'a, W: Wanted>(&'a self, wanted: &'a W) -> impl Iterator<Item = (&'a NodeId, &'a [SocketAddr])> + 'a {
        let claims = wanted.claims();
        claims.filter(|(member, _)| !self.members.contains_key(member) && wanted.may_be_dialled(member))
    }

    /// Whether an address may be dialled for what is known of it: no IP address is dialled twice in an hour because of mere
    /// hearsay, or a lie told to many would make many knock at one door.
    fn may_hint(&self, known: &Address, at: &SocketAddr, settings: &Settings, now: Instant) -> bool {
        known.trust > Trust::Hint || self.hint_again(known, at, settings) <= now
    }

    /// When an address that nobody vouched for may be dialled as far as it alone goes.
    fn hint_again(&self, known: &Address, at: &SocketAddr, settings: &Settings) -> Instant {
        if !settings.limit_ranges || !is_countable(at) {
            return known.not_before;
        }
        match self.hinted.get(&at.ip()) {
            Some(last) => *last + HINT_AGAIN,
            None if self.hinted.len() >= HINTED => self.next_hint + HINT_AGAIN,
            None => known.not_before,
        }
    }

    /// When [`choose`](Self::choose) may have somebody to offer, if it has nobody now.
    pub(super) fn next_try(&self, now: Instant, settings: &Settings, wanted: &impl Wanted) -> Option<Instant> {
        let mut next: BTreeMap<Tier, Instant> = BTreeMap::new();
        let mut note = |tier, at: Instant| {
            let earliest = next.entry(tier).or_insert(at);
            *earliest = at.min(*earliest);
        };
        let mut believed = None;
        for (member, known) in self.members.iter().filter(|(member, _)| wanted.may_be_dialled(member)) {
            // A range that is being dialled is free again when that dial ends, which is looked at then.
            for (at, known) in known.iter().filter(|(at, _)| wanted.may_be_dialled_at(at)) {
                let tier = tier_of(known, wanted.is_full(member), now);
                let hint = || self.next_hint.max(self.hint_again(known, at, settings));
                let at = if tier == Tier::Hint { known.not_before.max(hint()) } else { known.not_before };
                if tier == Tier::Believed {
                    believed = believed.min(Some(at)).or(Some(at));
                }
                note(tier, at);
            }
        }
        // No hint comes sooner than that: nobody need be looked at if somebody else does, and one is enough.
        let soonest = self.next_hint.max(now);
        if believed.is_none_or(|at| at > soonest) {
            for (member, addresses) in self.hearsay(wanted) {
                let tier = tier_of(&Address::HEARSAY, wanted.is_full(member), now);
                let may_be = |at: &&SocketAddr| wanted.is_worth_hearing(at) && wanted.may_be_dialled_at(at);
                let again = |at| self.next_hint.max(self.hint_again(&Address::HEARSAY, at, settings));
                let Some(at) = addresses.iter().filter(may_be).map(again).min() else { continue };
                note(tier, if tier == Tier::Hint { at } else { now });
                if tier == Tier::Hint && at <= soonest {
                    break;
                }
            }
        }
        if next.len() > 1 && !wanted.is_alone() {
            next.remove(&Tier::Full);
        }
        next.into_values().min().map(|at| at.max(now))
    }
}

/// What the core knows of those who could be dialled.
pub(super) trait Wanted {
    /// Where members claim to be.
    fn claims(&self) -> impl Iterator<Item = (&NodeId, &[SocketAddr])>;
    /// Whether it makes sense to be told this address by somebody else.
    fn is_worth_hearing(&self, address: &SocketAddr) -> bool;
    /// Whether it may be dialled at all.
    fn may_be_dialled(&self, member: &NodeId) -> bool;
    /// Whether an address of it may be dialled now.
    fn may_be_dialled_at(&self, address: &SocketAddr) -> bool;
    /// How many links it has, as far as it says.
    fn links(&self, member: &NodeId) -> usize;
    /// Whether it says that it has as many as it may.
    fn is_full(&self, member: &NodeId) -> bool;
    /// Whether this node has no link at all, and must take what it gets.
    fn is_alone(&self) -> bool;
}

/// In which order candidates are dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Tier {
    Believed,
    Hint,
    Full,
}

fn tier_of(known: &Address, is_full: bool, now: Instant) -> Tier {
    match known.trust {
        _ if is_full || known.full_until > now => Tier::Full,
        Trust::Hint => Tier::Hint,
        Trust::Vouched | Trust::Proven => Tier::Believed,
    }
}

/// `first`, doubled for every failure so far, at most `most`.
pub(super) fn back_off(first: Duration, failures: u32, most: Duration) -> Duration {
    first.saturating_mul(1_u32.checked_shl(failures.min(31)).unwrap_or(u32::MAX)).min(most)
}

#[cfg(test)]
mod tests;
