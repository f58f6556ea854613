//! Members, their addresses, and whom others are told of.

use std::collections::BTreeSet;

use super::*;
use crate::wire::{PeersWanted, WhichPeers};

/// The senders of the presences in the one PEERS frame that answers a question.
fn answer(node: &mut Alone, link: LinkId, which: WhichPeers, count: u8) -> BTreeSet<NodeId> {
    let outputs = node.frame(link, Frame::PeersWanted(PeersWanted::new(which, count)));
    let bodies: Vec<&Bytes> = outputs
        .iter()
        .filter_map(|output| match output {
            Output::Send { frame: Frame::Peers(body), .. } => Some(body),
            _ => None,
        })
        .collect();
    let [body] = bodies[..] else { panic!("{} answers to one question", bodies.len()) };
    let mut row = body.clone();
    let mut senders = BTreeSet::new();
    while !row.is_empty() {
        let bytes = Envelope::split_first(&mut row, node.scheme.version()).unwrap();
        senders.insert(node.scheme.parse(bytes).unwrap().sender());
    }
    senders
}

#[test]
fn only_members_with_a_proven_address_are_handed_out() {
    let mut node = Alone::new();
    let asker = node.linked(1);
    // 2 announces where it was seen; 3 announces somebody else's address; 4 is known by hearsay only.
    let (two, three) = (node.linked(2), node.linked(3));
    node.take_in(two, &presence(2, 1, &[address(2)]));
    node.take_in(three, &presence(3, 1, &[address(66)]));
    node.take_in(three, &presence(4, 1, &[address(4)]));
    node.take_in(asker, &presence(1, 1, &[address(1)]));
    for which in [WhichPeers::RandomMembers, WhichPeers::YourNeighbours] {
        assert_eq!(answer(&mut node, asker, which, 16), BTreeSet::from([id(2)]), "{which:?}");
    }
}

#[test]
fn a_listener_elsewhere_than_where_it_dials_from_is_not_proven() {
    let mut node = Alone::new();
    let asker = node.linked(1);
    let opening = Opening { listen: vec![address(66)], ..node.opening(2, Direction::Inbound) };
    let link = opening.link;
    node.core.link_opened(node.now(), opening).unwrap();
    node.take_in(link, &presence(2, 1, &[address(66)]));
    assert!(answer(&mut node, asker, WhichPeers::RandomMembers, 16).is_empty());
}

#[test]
fn a_member_this_node_dialled_is_proven_there() {
    let mut node = Alone::new();
    let asker = node.linked(1);
    let opening = node.opening(2, Direction::Outbound);
    let link = opening.link;
    node.core.link_opened(node.now(), opening).unwrap();
    node.take_in(link, &presence(2, 1, &[address(2)]));
    assert_eq!(answer(&mut node, asker, WhichPeers::RandomMembers, 16), BTreeSet::from([id(2)]));
    node.millis += 24 * 3600 * 1000;
    assert!(answer(&mut node, asker, WhichPeers::RandomMembers, 16).is_empty(), "a proof holds a day");
}

#[test]
fn questions_over_the_rate_get_an_empty_answer() {
    let mut node = Alone::with(Settings { ask_every: Duration::from_secs(10), ..Settings::local() });
    let asker = node.linked(1);
    let two = node.linked(2);
    node.take_in(two, &presence(2, 1, &[address(2)]));
    let answers: Vec<usize> = (0..7).map(|_| answer(&mut node, asker, WhichPeers::RandomMembers, 16).len()).collect();
    assert_eq!(answers, [1, 1, 1, 1, 0, 0, 0]);
    node.millis += 10_000;
    assert_eq!(answer(&mut node, asker, WhichPeers::RandomMembers, 16).len(), 1);
}

#[test]
fn no_more_are_named_than_were_asked_for() {
    let mut node = Alone::new();
    let asker = node.linked(1);
    for n in 2..40 {
        let link = node.linked(n);
        node.take_in(link, &presence(n, 1, &[address(n)]));
    }
    assert_eq!(answer(&mut node, asker, WhichPeers::RandomMembers, 5).len(), 5);
    assert_eq!(answer(&mut node, asker, WhichPeers::RandomMembers, 255).len(), 16);
}

#[test]
fn a_flooded_address_is_dialled_seldom_and_a_vouched_one_at_once() {
    let mut node = Alone::with(Settings::wan());
    let link = node.linked(1);
    let dials = |outputs: &[Output]| outputs.iter().filter(|output| matches!(output, Output::Dial { .. })).count();
    for n in 10..30 {
        node.take_in(link, &presence(n, 1, &[address(n)]));
    }
    assert_eq!(dials(&node.outputs()), 1, "one hint in ten seconds");
    let asked = node.wait(30_000).into_iter().map(|(_, output)| output).collect::<Vec<_>>();
    assert!(dials(&asked) <= 3);
}

#[test]
fn those_who_were_never_members_leave_no_address_behind() {
    let mut node = Alone::new();
    for n in 1..=200 {
        let link = node.linked(n);
        node.core.link_closed(node.now(), link, Reason::ConnectionLost);
    }
    let proven = (1..=200).map(|n| node.core.addresses.proven(&id(n), node.now().instant).count()).sum::<usize>();
    assert_eq!(proven, 0);
}

#[test]
fn what_did_not_change_is_not_announced() {
    let mut node = Alone::new();
    let announcements = |outputs: &[(u64, Output)]| {
        outputs.iter().filter(|(_, output)| matches!(output, Output::Announce { .. })).count()
    };
    node.wait(5_000);
    let link = node.linked(1);
    node.core.link_closed(node.now(), link, Reason::ConnectionLost);
    assert_eq!(announcements(&node.wait(10_000)), 0, "it was there and gone before anybody was told");
    let link = node.linked(1);
    assert_eq!(announcements(&node.wait(3_000)), 1);
    node.core.link_closed(node.now(), link, Reason::ConnectionLost);
    assert_eq!(announcements(&node.wait(20_000)), 1);
}

#[test]
fn a_leave_lives_as_long_as_the_presence_it_ends() {
    let node = Alone::new();
    assert_eq!(node.core.leave_lifetime(), Duration::from_secs(600));
}

#[test]
fn what_is_heard_of_loopback_private_and_multicast_addresses_is_not_dialled() {
    let hidden = [
        "127.0.0.1:1",
        "10.9.9.9:1",
        "192.168.1.1:1",
        "169.254.1.1:1",
        "224.0.0.1:1",
        "[::ffff:127.0.0.1]:1",
        "[fe80::1]:1",
    ];
    let hidden = hidden.map(|at| at.parse::<SocketAddr>().unwrap());
    let dialled = |own: SocketAddr| -> BTreeSet<SocketAddr> {
        let mut node = Alone::with(Settings::local());
        let now = node.now();
        node.core.own_addresses.clear();
        node.core.add_own_address(now, own);
        let link = node.linked(1);
        for (n, at) in (10..).zip(hidden) {
            node.take_in(link, &presence(n, 1, &[at]));
        }
        let dials = node.wait(60_000).into_iter().filter_map(|(_, output)| match output {
            Output::Dial { target: Target::Member { address, .. }, .. } => Some(address),
            _ => None,
        });
        dials.collect()
    };
    assert!(dialled("9.9.9.9:7400".parse().unwrap()).is_empty());
    // On a site of its own a node dials its likes; what leads to nobody, nowhere.
    let inside = dialled(address(0));
    assert!(inside.contains(&hidden[1]) && !inside.contains(&hidden[4]), "{inside:?}");
}

#[test]
fn a_hundred_inbound_links_from_one_range_leave_room_for_others() {
    let mut node = Alone::with(Settings::wan());
    let mut from = |n: u8, ip: [u8; 4]| {
        let opening = Opening { remote: SocketAddr::from((ip, 50_000)), ..node.opening(n, Direction::Inbound) };
        node.core.link_opened(node.now(), opening).map_err(|refused| refused.reason)
    };
    let one_range = (1..=100).filter(|n| from(*n, [203, 0, 113, *n]).is_ok()).count();
    let one_address = (101..=150).filter(|n| from(*n, [198, 51, 100, 7]).is_ok()).count();
    assert_eq!((one_range, one_address), (8, 4));
    assert_eq!(from(200, [192, 0, 2, 1]), Ok(()));
}

#[test]
fn an_address_with_another_key_behind_it_is_dropped_and_nobody_is_blamed() {
    let mut node = Alone::with(Settings::lan());
    let link = node.linked(1);
    let dials = |outputs: Vec<(u64, Output)>| -> Vec<(DialId, Target)> {
        let dial = |output| match output {
            Output::Dial { dial, target } => Some((dial, target)),
            _ => None,
        };
        outputs.into_iter().filter_map(|(_, output)| dial(output)).collect()
    };
    node.take_in(link, &presence(9, 0, &[address(66)]));
    let (dial, target) = dials(node.wait(2_000)).remove(0);
    assert_eq!(target, Target::Member { id: id(9), address: address(66) });
    node.core.dial_failed(node.now(), dial, Reason::WrongIdentity);
    let mut outputs = Vec::new();
    for _ in 0..1_000 {
        outputs.extend(node.wait(3_000));
        node.frame(link, Frame::Pong([0; 8]));
    }
    assert!(dials(outputs).is_empty(), "it was dialled again");
    // Neither who lives there, nor whom it was looked for, nor who told of it.
    for n in [66, 9, 1] {
        assert_eq!(node.core.admit(node.now(), &id(n)), Ok(()));
    }
    assert_eq!(node.core.links().len(), 1);
}

#[test]
fn a_hundred_thousand_records_leave_every_table_bounded() {
    const CAPACITY: usize = 10_000;
    let settings = Settings { index_capacity: CAPACITY, ..Settings::lan() };
    let mut node = Alone::with(settings);
    let link = node.linked(1);
    let network = NetworkHash::secure(&"test".parse().unwrap());
    let title: crate::envelope::Title = PRESENCE_TITLE.parse().unwrap();
    let message = Presence { addresses: vec![address(7)], ..Presence::default() }.encode();
    // Without signatures, which have nothing to do with it.
    for n in 0..100_000_u32 {
        let name = NodeId::from_bytes(std::array::from_fn(|at| if at < 4 { n.to_be_bytes()[at] } else { 1 }));
        let scheme = crate::envelope::Open::new(network, name);
        let draft = Draft {
            title: title.clone(),
            message: message.clone().into(),
            time: wall(0),
            lifetime: Lifetime::hours(1),
        };
        let record = scheme.publish(&draft).unwrap();
        let offers = node.core.offer(node.now(), link, false, vec![(*record).clone()]);
        let tickets = offers.into_iter().filter_map(Offer::into_ticket);
        let judged = tickets.map(|(ticket, envelope)| Judged::by(&scheme, ticket, envelope)).collect();
        let verdicts = node.core.verified(node.now(), judged);
        node.core.accept(node.now(), verdicts.claimed);
        node.core.take_outputs();
    }
    assert!(node.core.member_count() <= Settings::lan().member_capacity, "{}", node.core.member_count());
    assert!(node.core.index_len() <= CAPACITY, "{}", node.core.index_len());
    assert!(node.core.addresses.len() <= Settings::lan().member_capacity, "{}", node.core.addresses.len());
    assert_eq!(node.core.links().len(), 1);
}

#[test]
fn what_a_full_table_has_no_room_for_is_counted_and_relayed_all_the_same() {
    let mut node = Alone::with(Settings { member_capacity: 4, ..Settings::local() });
    let (link, _) = (node.linked(1), node.linked(2));
    for author in 10..40 {
        node.take_in(link, &presence(author, 1, &[]));
        assert_eq!(relayed(&node.outputs()).len(), 1, "{author}");
    }
    assert!(node.counted(Reason::TableFull) > 0);
    assert!(node.core.members().len() <= 4);
}

#[test]
fn a_dial_under_way_counts_twice_because_as_many_come_the_other_way() {
    // So many dials are under way with so many links, of eight that are wanted.
    for (links, expected) in [(1, 3), (2, 3), (4, 2), (5, 2), (6, 1), (7, 1), (8, 0)] {
        let mut node = Alone::new();
        let links: Vec<LinkId> = (1..=links).map(|peer| node.linked(peer)).collect();
        let mut outputs = Vec::new();
        for member in 20..=40 {
            node.take_in(links[0], &presence(member, 0, &[address(member)]));
            outputs.extend(node.outputs());
        }
        let dials = outputs.iter().filter(|output| matches!(output, Output::Dial { .. })).count();
        assert_eq!(dials, expected, "{} links", links.len());
    }
}
