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

/// Addresses by member; bounded by the member table and [`PER_MEMBER`].
#[derive(Debug, Default)]
pub(super) struct Addresses {
    members: BTreeMap<NodeId, BTreeMap<SocketAddr, Address>>,
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
    /// Notes that `member` is said to be at `address`.
    pub(super) fn learn(&mut self, member: NodeId, address: SocketAddr, trust: Trust, now: Instant) {
        let known = self.members.entry(member).or_default();
        if known.len() >= PER_MEMBER && !known.contains_key(&address) {
            let least = known.iter().min_by_key(|(_, known)| (known.trust, known.proven)).map(|(at, _)| *at);
            least.map(|least| known.remove(&least));
        }
        let proven = (trust == Trust::Proven).then_some(now);
        let fresh = Address { trust, proven, failures: 0, not_before: now, full_until: now };
        let entry = known.entry(address).or_insert(fresh);
        entry.trust = entry.trust.max(trust);
        if proven.is_some() {
            *entry = Address { full_until: entry.full_until, ..fresh };
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

    /// Where to look for `member` when somebody asks for it, those addresses first that are believed most. What nobody
    /// vouched for keeps its pauses, and the hour between two dials of one host, where ranges are limited.
    pub(super) fn routes(&self, member: &NodeId, settings: &Settings, now: Instant) -> Vec<SocketAddr> {
        let known = self.members.get(member).into_iter().flatten();
        let may = |known: &Address, at: &SocketAddr| {
            let is_believed = known.trust > Trust::Hint || !settings.limit_ranges;
            is_believed || (known.not_before <= now && self.may_hint(known, at, settings, now))
        };
        let mut routes: Vec<_> = known.filter(|(at, known)| may(known, at)).collect();
        routes.sort_by_key(|(_, known)| std::cmp::Reverse((known.trust, known.proven)));
        routes.into_iter().map(|(at, _)| *at).collect()
    }

    /// An address is dialled because somebody asked for `member`.
    pub(super) fn dialled(&mut self, member: &NodeId, at: &SocketAddr, settings: &Settings, now: Instant) {
        let known = self.members.get(member).and_then(|known| known.get(at));
        let is_hint = known.is_some_and(|known| known.trust == Trust::Hint);
        if is_hint && settings.limit_ranges && is_countable(at) {
            if self.hinted.len() >= HINTED {
                self.hinted.retain(|_, last| now.since(*last) < HINT_AGAIN);
            }
            self.hinted.insert(at.ip(), now);
        }
    }

    /// Not again before `pause` is over, though no address failed.
    pub(super) fn pause(&mut self, member: &NodeId, pause: Duration, now: Instant) {
        for known in self.members.get_mut(member).into_iter().flat_map(BTreeMap::values_mut) {
            known.not_before = known.not_before.max(now + pause);
        }
    }

    /// The member said that it has no room: for a while it comes last.
    pub(super) fn full(&mut self, member: &NodeId, settings: &Settings, now: Instant) {
        self.pause(member, settings.retry_most, now);
        for known in self.members.get_mut(member).into_iter().flat_map(BTreeMap::values_mut) {
            known.full_until = now + settings.retry_most * FULL_FOR;
        }
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
            others_than_full |= known.values().any(|known| tier(known) != Tier::Full);
            let now_possible = known.iter().filter(|(at, known)| {
                known.not_before <= now && wanted.may_be_dialled_at(at) && self.may_hint(known, at, settings, now)
            });
            if let Some((at, best)) = now_possible.max_by_key(|(_, known)| known.trust) {
                ready.entry(tier(best)).or_default().push((*member, *at));
            }
        }
        if now < self.next_hint {
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
        Some(chosen)
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
        for (member, known) in self.members.iter().filter(|(member, _)| wanted.may_be_dialled(member)) {
            // A range that is being dialled is free again when that dial ends, which is looked at then.
            for (at, known) in known.iter().filter(|(at, _)| wanted.may_be_dialled_at(at)) {
                let tier = tier_of(known, wanted.is_full(member), now);
                let hint = || self.next_hint.max(self.hint_again(known, at, settings));
                let at = if tier == Tier::Hint { known.not_before.max(hint()) } else { known.not_before };
                let earliest = next.entry(tier).or_insert(at);
                *earliest = at.min(*earliest);
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
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn id(n: u8) -> NodeId {
        NodeId::from_bytes([n; 32])
    }

    fn address(n: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], n))
    }

    /// One machine each.
    fn elsewhere(n: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, n], 7400))
    }

    fn at(secs: u64) -> Instant {
        Instant::at(Duration::from_secs(secs))
    }

    /// Everybody but one; some are full.
    struct All {
        but: NodeId,
        full: Vec<NodeId>,
        alone: bool,
    }

    impl Wanted for All {
        fn may_be_dialled(&self, member: &NodeId) -> bool {
            *member != self.but
        }
        fn may_be_dialled_at(&self, _: &SocketAddr) -> bool {
            true
        }
        fn links(&self, _: &NodeId) -> usize {
            0
        }
        fn is_full(&self, member: &NodeId) -> bool {
            self.full.contains(member)
        }
        fn is_alone(&self) -> bool {
            self.alone
        }
    }

    fn but(n: u8) -> All {
        All { but: id(n), full: Vec::new(), alone: false }
    }

    #[test]
    fn believed_addresses_come_before_hints_and_hints_have_their_pace() {
        let (mut addresses, mut rng) = (Addresses::default(), ChaCha8Rng::from_seed([0; 32]));
        let settings = Settings::wan();
        for n in 1..=3 {
            addresses.learn(id(n), elsewhere(n), Trust::Hint, at(0));
        }
        addresses.learn(id(9), address(9), Trust::Vouched, at(0));
        let mut choose = |addresses: &mut Addresses, secs, skip: u8| {
            addresses.choose(at(secs), &settings, &mut rng, &but(skip)).map(|(member, _)| member)
        };
        assert_eq!(choose(&mut addresses, 0, 0), Some(id(9)));
        assert!(choose(&mut addresses, 0, 9).is_some());
        assert_eq!(choose(&mut addresses, 9, 9), None);
        assert_eq!(addresses.next_try(at(9), &settings, &but(9)), Some(at(10)));
        assert!(choose(&mut addresses, 10, 9).is_some());
    }

    #[test]
    fn who_is_full_is_dialled_for_want_of_others_only() {
        let (mut addresses, mut rng) = (Addresses::default(), ChaCha8Rng::from_seed([0; 32]));
        let settings = Settings::wan();
        addresses.learn(id(1), address(1), Trust::Proven, at(0));
        addresses.learn(id(2), address(2), Trust::Vouched, at(0));
        addresses.full(&id(2), &settings, at(0));
        let says_so = |full: &[u8], alone| All { but: id(0), full: full.iter().map(|n| id(*n)).collect(), alone };
        let mut choose = |addresses: &mut Addresses, secs, wanted: &All| {
            addresses.choose(at(secs), &settings, &mut rng, wanted).map(|(member, _)| member)
        };
        assert_eq!(choose(&mut addresses, 100, &says_so(&[], false)), Some(id(1)));
        addresses.failed(&id(1), address(1), &settings, at(100));
        assert_eq!(choose(&mut addresses, 101, &says_so(&[], false)), None, "the other comes back in a moment");
        assert_eq!(addresses.next_try(at(101), &settings, &says_so(&[], false)), Some(at(102)));
        assert_eq!(choose(&mut addresses, 101, &says_so(&[], true)), Some(id(2)), "better than nobody");
        assert_eq!(choose(&mut addresses, 101, &says_so(&[1], false)), Some(id(2)), "all are full");
        assert_eq!(choose(&mut addresses, 601, &says_so(&[1], false)), Some(id(2)), "room may have come");
    }

    #[test]
    fn hearsay_leads_to_one_host_once_an_hour_whoever_is_said_to_be_there() {
        let (mut addresses, mut rng) = (Addresses::default(), ChaCha8Rng::from_seed([0; 32]));
        let settings = Settings::wan();
        for n in 1..=200 {
            addresses.learn(id(n), SocketAddr::new(elsewhere(7).ip(), n.into()), Trust::Hint, at(0));
        }
        let (mut dials, mut now) = (0, at(0));
        while now < at(2 * 3600) {
            match addresses.choose(now, &settings, &mut rng, &but(0)) {
                Some((member, address)) => {
                    dials += 1;
                    addresses.failed(&member, address, &settings, now);
                }
                None => now = addresses.next_try(now, &settings, &but(0)).unwrap().max(now + Duration::from_millis(1)),
            }
        }
        assert_eq!(dials, 2);
        // Whom a neighbour vouches for is dialled at once, there too.
        addresses.learn(id(201), SocketAddr::new(elsewhere(7).ip(), 9), Trust::Vouched, at(7200));
        assert_eq!(addresses.choose(at(7200), &settings, &mut rng, &but(0)).map(|(member, _)| member), Some(id(201)));
    }

    #[test]
    fn a_failing_address_is_tried_ever_more_rarely_and_a_proof_makes_it_new() {
        let (mut addresses, settings) = (Addresses::default(), Settings::wan());
        addresses.learn(id(1), address(1), Trust::Vouched, at(0));
        for pause in [2, 4, 8, 16, 32, 60, 60] {
            addresses.failed(&id(1), address(1), &settings, at(0));
            assert_eq!(addresses.next_try(at(0), &settings, &but(0)), Some(at(pause)));
        }
        addresses.learn(id(1), address(1), Trust::Proven, at(1));
        assert_eq!(addresses.next_try(at(1), &settings, &but(0)), Some(at(1)));
        assert_eq!(addresses.proven(&id(1), at(86_400)).count(), 1);
        assert_eq!(addresses.proven(&id(1), at(86_401)).count(), 0);
        addresses.disprove(&id(1), address(1));
        assert_eq!(addresses.next_try(at(1), &settings, &but(0)), None);
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
