//! Who shows a newcomer only its friends delays it, and no more.

use super::*;

/// The genesis nodes: the first is the attacker's.
const EVIL: u8 = 1;
const HONEST: u8 = 2;
/// The attacker's friends, who answer every dial, dial themselves, and name each other; and those who have nothing to do
/// with it.
const FRIENDS: std::ops::RangeInclusive<u8> = 11..=30;
const OTHERS: std::ops::RangeInclusive<u8> = 61..=80;

/// A newcomer whose first genesis node is the attacker's, and everybody it talks with.
struct World {
    node: Alone,
    peers: BTreeMap<LinkId, u8>,
}

impl World {
    fn new(settings: Settings, seed: u8) -> Self {
        let setup = Setup {
            own: id(0),
            settings,
            genesis: vec![Some(id(EVIL)), Some(id(HONEST))],
            addresses: vec![address(0)],
            features: Vec::new(),
            apps: BTreeMap::new(),
            admission: crate::access::Admission::Open,
            seed: [seed; 32],
        };
        let mut core = Core::new(setup, now(0));
        core.start(now(0));
        let node = Alone { core, scheme: signer(0), millis: 0, next_link: 0 };
        World { node, peers: BTreeMap::new() }
    }

    fn open(&mut self, dial: Option<DialId>, peer: u8, direction: Direction) {
        let opening = Opening { dial, ..self.node.opening(peer, direction) };
        let link = opening.link;
        if self.node.core.link_opened(self.node.now(), opening).is_ok() {
            self.peers.insert(link, peer);
        }
    }

    /// Does what the core wants, as the two sides would.
    fn carry_out(&mut self, output: Output) {
        let now = self.node.now();
        match output {
            Output::Dial { dial, target } => {
                let known = [EVIL, HONEST].into_iter().chain(FRIENDS).chain(OTHERS);
                let peer = match target {
                    Target::Genesis(place) => [EVIL, HONEST][place],
                    Target::Member { id: member, .. }
                    | Target::OnDemand { id: member, .. }
                    | Target::Renewal { id: member, .. } => known.into_iter().find(|n| id(*n) == member).unwrap(),
                };
                self.open(Some(dial), peer, Direction::Outbound);
            }
            Output::Send { link, frame: Frame::PeersWanted(_) } => {
                let is_honest = self.peers.get(&link).is_some_and(|peer| *peer == HONEST || OTHERS.contains(peer));
                let named = if is_honest { OTHERS } else { FRIENDS };
                let second = now.instant.since_start().as_secs() as i64;
                let row = named.take(16).map(|n| (*presence(n, second, &[address(n)])).clone()).collect();
                let offers = self.node.core.offer(now, link, true, row);
                let tickets = offers.into_iter().filter_map(Offer::into_ticket);
                let judged = tickets.map(|(ticket, envelope)| Judged::by(&self.node.scheme, ticket, envelope));
                let verdicts = self.node.core.verified(now, judged.collect());
                self.node.core.accept(now, verdicts.claimed);
                self.node.core.peers_answered(now, link);
            }
            Output::Close { link, reason, .. } => {
                self.peers.remove(&link);
                self.node.core.link_closed(now, link, reason);
            }
            _ => {}
        }
    }

    /// Lets time pass until it holds a link with one of the others. Says when that was.
    fn until_linked_with_others(&mut self, limit: u64) -> Option<u64> {
        while self.node.millis < limit {
            loop {
                let outputs = self.node.outputs();
                if outputs.is_empty() {
                    break;
                }
                outputs.into_iter().for_each(|output| self.carry_out(output));
            }
            let mut links = self.node.core.links().into_iter();
            if links.any(|link| OTHERS.map(id).any(|other| other == link.peer)) {
                return Some(self.node.millis);
            }
            let next = self.node.core.next_timer()?.since_start().as_micros().div_ceil(1000) as u64;
            self.node.millis = self.node.millis.max(next).max(1);
            self.node.core.tick(self.node.now());
        }
        None
    }
}

#[test]
fn a_genesis_node_with_twenty_friends_does_not_keep_a_newcomer_from_the_others_for_a_minute() {
    for settings in [Settings::local(), Settings::lan(), Settings::wan()] {
        let mut deceived = 0;
        for seed in 0..10 {
            let mut world = World::new(settings.clone(), seed);
            if world.until_linked_with_others(100).is_some() {
                // It happened to ask the honest one first.
                continue;
            }
            deceived += 1;
            // The friends take as many places as they can.
            for friend in FRIENDS {
                world.open(None, friend, Direction::Inbound);
            }
            let linked = world.until_linked_with_others(60_000);
            assert!(linked.is_some(), "seed {seed}: after a minute all its links lead to the attacker's friends");
        }
        assert!(deceived > 1);
    }
}
