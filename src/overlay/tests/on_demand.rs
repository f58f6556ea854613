//! Links for requests: to whom, how many, and that the overlay does not count them.

use super::*;

fn demanding(target_links: usize) -> Alone {
    Alone::with(Settings { target_links, max_links: target_links + 1, ..Settings::local() })
}

/// Opens a link for a request with a member whose address is known.
fn demanded(node: &mut Alone, peer: u8) -> LinkId {
    let dial = node.core.dial_on_demand(node.now(), id(peer), address(peer)).unwrap();
    let opening = Opening { dial: Some(dial), ..node.opening(peer, Direction::Outbound) };
    let link = opening.link;
    node.core.link_opened(node.now(), opening).unwrap();
    link
}

#[test]
fn a_member_is_looked_for_where_it_is_believed_to_be_first() {
    let mut node = demanding(1);
    let link = node.linked(1);
    assert_eq!(node.core.reach(node.now(), &id(1)), Reach::Linked(link));
    assert_eq!(node.core.reach(node.now(), &id(0)), Reach::Not(Reason::OwnIdentity));
    assert_eq!(node.core.reach(node.now(), &id(9)), Reach::Unknown);
    let (hint, vouched) = (address(21), address(22));
    node.take_in(link, &presence(2, 0, &[hint]));
    assert_eq!(node.core.reach(node.now(), &id(2)), Reach::At(vec![hint]));
    let member = Presence { addresses: vec![vouched], ..Presence::default() };
    node.core.learn_addresses(now(0), id(2), &member, true);
    assert_eq!(node.core.reach(node.now(), &id(2)), Reach::At(vec![vouched, hint]));
    let dial = node.core.dial_on_demand(node.now(), id(2), vouched).unwrap();
    assert_eq!(node.core.reach(node.now(), &id(2)), Reach::Dialling);
    node.core.dial_failed(node.now(), dial, Reason::WrongIdentity);
    assert_eq!(node.core.reach(node.now(), &id(2)), Reach::At(vec![hint]), "somebody else lives there");
    node.take_in(link, &presence(3, 0, &[]));
    assert_eq!(node.core.reach(node.now(), &id(3)), Reach::At(vec![]), "it exists, and that is all");
    node.core.stop(node.now());
    assert_eq!(node.core.reach(node.now(), &id(2)), Reach::Not(Reason::Stopping));
    assert_eq!(node.core.dial_on_demand(node.now(), id(2), hint), Err(Reason::Stopping));
}

#[test]
fn what_nobody_vouches_for_is_dialled_once_an_hour_for_requests_too() {
    let mut node = Alone::with(Settings { target_links: 1, ..Settings::wan() });
    let link = node.linked(1);
    for member in 2..=3 {
        node.take_in(link, &presence(member, 0, &[address(9)]));
    }
    let dial = node.core.dial_on_demand(node.now(), id(2), address(9)).unwrap();
    node.core.dial_failed(node.now(), dial, Reason::Unreachable);
    for member in 2..=3 {
        assert_eq!(node.core.reach(node.now(), &id(member)), Reach::At(vec![]), "whoever is said to be there");
    }
    node.millis += 3_600_000;
    assert_eq!(node.core.reach(node.now(), &id(2)), Reach::At(vec![address(9)]));
}

#[test]
fn links_for_requests_neither_count_nor_push_others_out_and_are_kept_when_links_are_lacking() {
    let mut node = demanding(2);
    let (first, _) = (node.linked(1), node.linked(2));
    let demanded: Vec<_> = (10..20).map(|peer| demanded(&mut node, peer)).collect();
    node.outputs();
    node.millis += 3_500;
    demanded.iter().chain([&first]).for_each(|link| drop(node.frame(*link, Frame::Pong([0; 8]))));
    node.millis += 3_500;
    node.core.maintain(node.now());
    assert_eq!(closed(&node.outputs()), []);
    assert_eq!((node.core.links().len(), node.core.lasting_links()), (12, 2));
    // One takes the place of a link that is lost, and nobody is dialled.
    node.core.link_closed(node.now(), first, Reason::ConnectionLost);
    assert_eq!(node.core.lasting_links(), 2);
    assert!(!node.outputs().iter().any(|output| matches!(output, Output::Dial { .. })));
}

#[test]
fn thirty_two_are_open_at_most() {
    let mut node = demanding(0);
    let links: Vec<_> = (1..=31).map(|peer| demanded(&mut node, peer)).collect();
    let dial = node.core.dial_on_demand(node.now(), id(32), address(32)).unwrap();
    assert_eq!(node.core.dial_on_demand(node.now(), id(33), address(33)), Err(Reason::Full));
    node.core.dial_failed(node.now(), dial, Reason::Unreachable);
    node.core.dial_on_demand(node.now(), id(33), address(33)).unwrap();
    node.outputs();
    node.core.close_idle(links[0]);
    assert_eq!(closed(&node.outputs()), [(links[0], Some(GoodbyeCode::Idle), Reason::Idle)]);
}

#[test]
fn a_link_that_is_lacking_stays_when_it_is_idle() {
    let mut node = demanding(1);
    let kept = demanded(&mut node, 1);
    let other = demanded(&mut node, 2);
    node.outputs();
    node.core.close_idle(kept);
    assert_eq!(closed(&node.outputs()), [], "it is the one link the node wants");
    node.core.close_idle(other);
    assert_eq!(closed(&node.outputs()), [(other, Some(GoodbyeCode::Idle), Reason::Idle)]);
}

#[test]
fn a_link_that_is_used_is_not_shed() {
    for used in [true, false] {
        let mut node = demanding(3);
        let links: Vec<_> = (1..=6).map(|peer| node.linked(peer)).collect();
        node.outputs();
        node.millis += 5_000;
        if used {
            node.core.in_use(node.now(), &links);
        }
        links.iter().for_each(|link| drop(node.frame(*link, Frame::Pong([0; 8]))));
        node.core.maintain(node.now());
        assert_eq!(closed(&node.outputs()).is_empty(), used);
    }
}
