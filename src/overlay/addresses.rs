//! Where members may be reached, how far that is to be believed, and when it is worth another try.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use rand::rngs::ChaCha8Rng;
use rand::seq::IndexedRandom;

use crate::identity::NodeId;

use super::{Instant, Settings};

/// How long a proof of an address holds.
const PROOF_HOLDS: Duration = Duration::from_secs(24 * 3600);

/// The longest pause before an address that nobody vouched for is tried again.
const HINT_RETRY_MOST: Duration = Duration::from_secs(24 * 3600);

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
}

/// Addresses by member; bounded by the member table and [`PER_MEMBER`].
#[derive(Debug, Default)]
pub(super) struct Addresses {
    members: BTreeMap<NodeId, BTreeMap<SocketAddr, Address>>,
    next_hint: Instant,
}

impl Addresses {
    /// Notes that `member` is said to be at `address`.
    pub(super) fn learn(&mut self, member: NodeId, address: SocketAddr, trust: Trust, now: Instant) {
        let known = self.members.entry(member).or_default();
        if known.len() >= PER_MEMBER && !known.contains_key(&address) {
            let least = known.iter().min_by_key(|(_, known)| (known.trust, known.proven)).map(|(at, _)| *at);
            least.map(|least| known.remove(&least));
        }
        let proven = (trust == Trust::Proven).then_some(now);
        let entry = known.entry(address).or_insert(Address { trust, proven, failures: 0, not_before: now });
        entry.trust = entry.trust.max(trust);
        if proven.is_some() {
            *entry = Address { trust, proven, failures: 0, not_before: now };
        }
    }

    /// Forgets everything about a member that is gone.
    pub(super) fn forget(&mut self, member: &NodeId) {
        self.members.remove(member);
    }

    /// The address showed another key: it is not `member`'s.
    pub(super) fn disprove(&mut self, member: &NodeId, address: SocketAddr) {
        if let Some(known) = self.members.get_mut(member) {
            known.remove(&address);
        }
    }

    /// A dial failed, or the node there has no room: not again for a while that doubles each time.
    pub(super) fn failed(&mut self, member: &NodeId, address: SocketAddr, settings: &Settings, now: Instant) {
        let Some(known) = self.members.get_mut(member).and_then(|known| known.get_mut(&address)) else { return };
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

    /// Not again before `pause` is over, though no address failed.
    pub(super) fn pause(&mut self, member: &NodeId, pause: Duration, now: Instant) {
        for known in self.members.get_mut(member).into_iter().flat_map(BTreeMap::values_mut) {
            known.not_before = known.not_before.max(now + pause);
        }
    }

    /// Somebody to dial among those whose address is believed most; a mere hint only when its turn has come. Of two drawn
    /// at random it is the one with fewer links: that spreads links almost evenly, and nobody has to be shed later.
    /// `eligible` says who may be dialled at all, `links` how many links somebody has.
    pub(super) fn choose(
        &mut self,
        now: Instant,
        settings: &Settings,
        rng: &mut ChaCha8Rng,
        eligible: impl Fn(&NodeId) -> bool,
        links: impl Fn(&NodeId) -> usize,
    ) -> Option<(NodeId, SocketAddr)> {
        let (mut believed, mut hints) = (Vec::new(), Vec::new());
        for (member, known) in &self.members {
            let ready = known.iter().filter(|(_, known)| known.not_before <= now);
            if let Some((at, best)) = ready.max_by_key(|(_, known)| known.trust)
                && eligible(member)
            {
                let list = if best.trust == Trust::Hint { &mut hints } else { &mut believed };
                list.push((*member, *at));
            }
        }
        let mut least_linked =
            |list: &[(NodeId, SocketAddr)]| list.sample(rng, 2).min_by_key(|(member, _)| links(member)).copied();
        // Who is full would soon close the link again: it comes last.
        let (believed, full): (Vec<_>, Vec<_>) =
            believed.into_iter().partition(|(member, _)| links(member) < settings.max_links);
        if let Some(chosen) = least_linked(&believed) {
            return Some(chosen);
        }
        if now >= self.next_hint
            && let Some(chosen) = least_linked(&hints)
        {
            self.next_hint = now + settings.hint_every;
            return Some(chosen);
        }
        least_linked(&full)
    }

    /// When an address of somebody eligible becomes worth a try.
    pub(super) fn next_try(&self, now: Instant, eligible: impl Fn(&NodeId) -> bool) -> Option<Instant> {
        let of = |(at, trust): (Instant, Trust)| if trust == Trust::Hint { at.max(self.next_hint) } else { at };
        let known = self.members.iter().filter(|(member, _)| eligible(member)).flat_map(|(_, known)| known.values());
        known.map(|known| of((known.not_before, known.trust))).min().map(|at| at.max(now))
    }
}

/// `first`, doubled for every failure so far, at most `most`.
pub(super) fn back_off(first: Duration, failures: u32, most: Duration) -> Duration {
    first.saturating_mul(1_u32.checked_shl(failures.min(31)).unwrap_or(u32::MAX)).min(most)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn id(n: u8) -> NodeId {
        NodeId::from_bytes([n; 32])
    }

    fn address(n: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], n))
    }

    fn at(secs: u64) -> Instant {
        Instant::at(Duration::from_secs(secs))
    }

    #[test]
    fn believed_addresses_come_before_hints_and_hints_have_their_pace() {
        let (mut addresses, mut rng) = (Addresses::default(), ChaCha8Rng::from_seed([0; 32]));
        let settings = Settings::wan();
        for n in 1..=3 {
            addresses.learn(id(n), address(n.into()), Trust::Hint, at(0));
        }
        addresses.learn(id(9), address(9), Trust::Vouched, at(0));
        let mut choose = |addresses: &mut Addresses, secs, skip: u8| {
            addresses
                .choose(at(secs), &settings, &mut rng, |member| *member != id(skip), |_| 0)
                .map(|(member, _)| member)
        };
        assert_eq!(choose(&mut addresses, 0, 0), Some(id(9)));
        assert!(choose(&mut addresses, 0, 9).is_some());
        assert_eq!(choose(&mut addresses, 9, 9), None);
        assert!(choose(&mut addresses, 10, 9).is_some());
    }

    #[test]
    fn a_failing_address_is_tried_ever_more_rarely_and_a_proof_makes_it_new() {
        let (mut addresses, settings) = (Addresses::default(), Settings::wan());
        addresses.learn(id(1), address(1), Trust::Vouched, at(0));
        for pause in [2, 4, 8, 16, 32, 60, 60] {
            addresses.failed(&id(1), address(1), &settings, at(0));
            assert_eq!(addresses.next_try(at(0), |_| true), Some(at(pause)));
        }
        addresses.learn(id(1), address(1), Trust::Proven, at(1));
        assert_eq!(addresses.next_try(at(1), |_| true), Some(at(1)));
        assert_eq!(addresses.proven(&id(1), at(86_400)).count(), 1);
        assert_eq!(addresses.proven(&id(1), at(86_401)).count(), 0);
        addresses.disprove(&id(1), address(1));
        assert_eq!(addresses.next_try(at(1), |_| true), None);
    }

    #[test]
    fn a_member_cannot_fill_the_table() {
        let mut addresses = Addresses::default();
        addresses.learn(id(1), address(1), Trust::Proven, at(0));
        for n in 2..100 {
            addresses.learn(id(1), address(n), Trust::Hint, at(0));
        }
        assert_eq!(addresses.members[&id(1)].len(), PER_MEMBER);
        assert_eq!(addresses.proven(&id(1), at(0)).count(), 1);
    }
}
