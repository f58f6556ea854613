//! What one sender may have flooded.

use super::*;

fn flood(node: &mut Alone, links: &[LinkId], sender: u8, count: usize, size: usize) -> Vec<EnvelopeId> {
    let mut taken = Vec::new();
    for n in 0..count {
        let message = said(sender, "t", vec![n as u8; size + n / 256], node.millis as i64 / 1000);
        node.take_in(links[n % links.len()], &message);
        if node.core.has_accepted(&message.id()) {
            taken.push(message.id());
        }
    }
    taken
}

fn with_member(n: u8) -> (Alone, Vec<LinkId>) {
    let mut node = Alone::with(Settings::lan());
    let links = vec![node.linked(1), node.linked(2), node.linked(3)];
    node.take_in(links[0], &presence(n, 0, &[address(n)]));
    (node, links)
}

#[test]
fn a_member_that_floods_through_three_relays_is_throttled_and_the_relays_are_not_blamed() {
    let (mut node, links) = with_member(9);
    assert_eq!(flood(&mut node, &links, 9, 1500, 10).len(), 1000);
    assert_eq!(node.counted(Reason::Shed), 500);
    let others = said(8, "t", "a word in between", 0);
    node.take_in(links[0], &presence(8, 0, &[address(8)]));
    node.take_in(links[0], &others);
    assert!(node.core.has_accepted(&others.id()), "others are heard");
    assert_eq!(node.core.links().len(), 3);
    assert!(closed(&node.outputs()).is_empty());
    node.millis += 10_000;
    assert_eq!(flood(&mut node, &links, 9, 1000, 10).len(), 500, "50 a second come back");
}

#[test]
fn many_bytes_are_throttled_as_many_envelopes_are() {
    let (mut node, links) = with_member(9);
    let taken = flood(&mut node, &links, 9, 200, 100_000).len();
    assert!((83..=84).contains(&taken), "8 MiB at once: {taken}");
}

/// What somebody says whom nobody has seen before.
fn said_by_a_stranger(n: u32, title: &str, message: impl Into<Bytes>) -> Verified<Envelope> {
    let scheme = Signed::new(
        NetworkHash::secure(&"test".parse().unwrap()),
        Arc::new(Identity::from_seed(&std::array::from_fn(|at| (n + 1).to_be_bytes()[at % 4]))),
    );
    let (title, message) = (title.parse().unwrap(), message.into());
    scheme.publish(&Draft { title, message, time: wall(0), lifetime: Lifetime::hours(1) }).unwrap()
}

/// Hands in an envelope that may be new; says whether it was verified.
fn is_verified(node: &mut Alone, link: LinkId, envelope: &Envelope) -> bool {
    let Some((ticket, envelope)) = node.offer(link, envelope).into_ticket() else { return false };
    let verdicts = node.core.verified(node.now(), vec![Judged::by(&node.scheme, ticket, envelope)]);
    node.core.accept(node.now(), verdicts.claimed);
    true
}

#[test]
fn a_new_key_for_every_message_gets_what_one_member_has_and_the_rest_is_not_even_verified() {
    let mut node = Alone::with(Settings::lan());
    let link = node.linked(1);
    let messages: Vec<_> = (0..1100).map(|n| said_by_a_stranger(n, "t", "spam")).collect();
    let verified = messages.iter().filter(|message| is_verified(&mut node, link, message)).count();
    let taken = messages.iter().filter(|message| node.core.has_accepted(&message.id())).count();
    assert_eq!((taken, verified, node.counted(Reason::Shed)), (1000, 1000, 100));
    let known = said(2, "t", "a member", 0);
    assert!(!is_verified(&mut node, link, &known));
    node.take_in(link, &presence(2, 0, &[address(2)]));
    node.take_in(link, &known);
    assert!(node.core.has_accepted(&known.id()), "who is known has a budget of its own");
    assert!(closed(&node.outputs()).is_empty(), "and nobody is blamed for strangers");
}

#[test]
fn invented_members_have_one_budget_for_all_of_them() {
    let mut node = Alone::with(Settings::lan());
    let link = node.linked(1);
    let message = Presence { addresses: vec![address(7)], ..Presence::default() }.encode();
    let invented = (0..16_500).map(|n| said_by_a_stranger(n, PRESENCE_TITLE, message.clone()));
    let verified = invented.filter(|invented| is_verified(&mut node, link, invented)).count();
    assert_eq!(verified, 16_384);
    let word = said_by_a_stranger(20_000, "t", "a word");
    assert!(is_verified(&mut node, link, &word), "words have another budget than presences");
    node.millis += 1_000;
    let later = (30_000..30_100).map(|n| said_by_a_stranger(n, PRESENCE_TITLE, message.clone()));
    assert_eq!(later.filter(|later| is_verified(&mut node, link, later)).count(), 50);
}

#[test]
fn what_strangers_said_beyond_their_budget_is_asked_for_when_there_is_room_again_and_not_before() {
    let mut node = Alone::with(Settings::lan());
    let links = settled(&mut node, 1..=2);
    let fill: Vec<_> = (0..1000).map(|n| said_by_a_stranger(n, "t", "spam")).collect();
    assert!(fill.iter().all(|message| is_verified(&mut node, links[0], message)));
    let message = said_by_a_stranger(2000, "t", "a word");
    // Whoever brings it, with whatever signature: nothing is known of it but its id.
    assert_eq!(node.why(links[0], &forged(&message, 0)), Some(Reason::Shed));
    let ask = |node: &mut Alone, link: LinkId| {
        let mut outputs = node.frame(link, have(&[message.id()]));
        outputs.extend(node.wait(500).into_iter().map(|(_, output)| output));
        wants(&outputs).into_iter().map(|(_, ids)| ids.len()).sum::<usize>()
    };
    for _ in 0..10 {
        assert_eq!(ask(&mut node, links[1]), 0);
        assert_eq!(wants(&node.frame(links[1], Frame::News([(&message.id()).into()].into_iter().collect()))), []);
    }
    node.wait(30_000);
    let later = node.linked(4);
    assert_eq!(ask(&mut node, later), 1);
    node.take_in(later, &message);
    assert!(node.core.has_accepted(&message.id()));
}

#[test]
fn what_was_shed_is_not_asked_for_before_its_sender_has_been_quiet() {
    let (mut node, links) = with_member(9);
    let messages: Vec<_> = (0..1010).map(|n: u32| said(9, "t", n.to_be_bytes().to_vec(), 0)).collect();
    messages.iter().for_each(|message| node.take_in(links[0], message));
    let shed: Vec<EnvelopeId> =
        messages.iter().map(|message| message.id()).filter(|id| !node.core.has_accepted(id)).collect();
    assert_eq!(shed.len(), 10);
    node.outputs();
    let ask = |node: &mut Alone, link: LinkId| {
        let mut outputs = node.frame(link, Frame::Have(shed.iter().copied().collect()));
        outputs.extend(node.wait(1000).into_iter().map(|(_, output)| output));
        wants(&outputs).into_iter().map(|(_, ids)| ids.len()).sum::<usize>()
    };
    for _ in 0..10 {
        assert_eq!(ask(&mut node, links[1]), 0);
    }
    node.wait(30_000);
    let later = node.linked(4);
    assert_eq!(ask(&mut node, later), 10);
    // What was asked for is not charged.
    messages.iter().filter(|message| shed.contains(&message.id())).for_each(|message| node.take_in(later, message));
    assert!(shed.iter().all(|id| node.core.has_accepted(id)));
}

#[test]
fn presences_that_come_too_often_are_not_passed_on() {
    let (mut node, links) = with_member(9);
    let passed = (1..50).filter(|n| {
        let presence = presence(9, *n, &[address(9)]);
        node.millis = *n as u64 * 10;
        node.take_in(links[0], &presence);
        node.core.has_accepted(&presence.id())
    });
    assert!(passed.count() <= 5);
    assert!(node.counted(Reason::Shed) >= 40);
}

#[test]
fn with_preset_local_nobody_is_throttled() {
    let mut node = Alone::with(Settings::local());
    let link = node.linked(1);
    assert_eq!(flood(&mut node, &[link], 9, 3000, 10).len(), 3000);
}
