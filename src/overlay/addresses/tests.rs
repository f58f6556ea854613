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
    claims: Vec<(NodeId, [SocketAddr; 1])>,
}

impl Wanted for All {
    fn claims(&self) -> impl Iterator<Item = (&NodeId, &[SocketAddr])> {
        self.claims.iter().map(|(member, addresses)| (member, &addresses[..]))
    }
    fn is_worth_hearing(&self, _: &SocketAddr) -> bool {
        true
    }
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
    All { but: id(n), full: Vec::new(), alone: false, claims: Vec::new() }
}

#[test]
fn believed_addresses_come_before_hints_and_hints_have_their_pace() {
    let (mut addresses, mut rng) = (Addresses::default(), ChaCha8Rng::from_seed([0; 32]));
    let settings = Settings::wan();
    let claims: Vec<_> = (1..=3).map(|n| (id(n), [elsewhere(n)])).collect();
    let but = |n| All { claims: claims.clone(), ..but(n) };
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
    let says_so = |full: &[u8], alone| All { full: full.iter().map(|n| id(*n)).collect(), alone, ..but(0) };
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
    let claims = (1..=200).map(|n| (id(n), [SocketAddr::new(elsewhere(7).ip(), n.into())])).collect();
    let all = All { claims, ..but(0) };
    let (mut dials, mut now) = (0, at(0));
    while now < at(2 * 3600) {
        match addresses.choose(now, &settings, &mut rng, &all) {
            Some((member, address)) => {
                dials += 1;
                addresses.failed(&member, address, &settings, now);
            }
            None => now = addresses.next_try(now, &settings, &all).unwrap().max(now + Duration::from_millis(1)),
        }
    }
    assert_eq!(dials, 2);
    // Whom a neighbour vouches for is dialled at once, there too.
    addresses.learn(id(201), SocketAddr::new(elsewhere(7).ip(), 9), Trust::Vouched, at(7200));
    assert_eq!(addresses.choose(at(7200), &settings, &mut rng, &all).map(|(member, _)| member), Some(id(201)));
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
fn what_is_only_claimed_takes_no_room_before_it_is_tried() {
    let (mut addresses, mut rng) = (Addresses::default(), ChaCha8Rng::from_seed([0; 32]));
    let settings = Settings { hint_every: Duration::ZERO, ..Settings::wan() };
    addresses.learn(id(1), elsewhere(1), Trust::Hint, at(0));
    assert!(addresses.members.is_empty());
    let claims: Vec<_> = (1..=50).map(|n| (id(n), [elsewhere(n)])).collect();
    let all = All { claims, ..but(0) };
    let mut tried = Vec::new();
    for _ in 0..50 {
        let (member, at_) = addresses.choose(at(0), &settings, &mut rng, &all).unwrap();
        addresses.failed(&member, at_, &settings, at(0));
        tried.push(member);
    }
    tried.sort();
    assert_eq!((tried, addresses.members.len()), ((1..=50).map(id).collect(), 50), "each once");
    assert_eq!(addresses.choose(at(1), &settings, &mut rng, &all), None);
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
