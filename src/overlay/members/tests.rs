use super::super::Now;
use super::super::presence::{LEAVE_TITLE, PRESENCE_TITLE};
use super::*;
use crate::envelope::{Draft, Lifetime, Open, Scheme};
use crate::identity::NetworkHash;

const KEEP: Duration = Duration::from_secs(3600);

fn id(n: u8) -> NodeId {
    NodeId::from_bytes([n; 32])
}

fn wall(second: u64) -> Timestamp {
    Timestamp::from_micros((1_000_000 + second) * 1_000_000).unwrap()
}

fn now(second: u64) -> Now {
    Now { instant: Instant::at(Duration::from_secs(second)), wall: wall(second) }
}

fn announce(members: &mut Members, n: u8, second: u64, links: Option<&[u8]>) -> Result<Option<MemberState>, Reason> {
    let scheme = Open::new(NetworkHash::plain(&"t".parse().unwrap()), id(n));
    let presence = links.map(|links| {
        let links = Some(links.iter().map(|n| LinkName::from(&id(*n))).collect());
        Arc::new(Presence { links, ..Presence::default() })
    });
    let title = if links.is_some() { PRESENCE_TITLE } else { LEAVE_TITLE }.parse().unwrap();
    let message = presence.as_ref().map(|presence| presence.encode()).unwrap_or_default().into();
    let draft = Draft { title, message, time: wall(second), lifetime: Lifetime::secs(600) };
    let envelope = scheme.publish(&draft).unwrap();
    members.admits(&envelope)?;
    Ok(members.put(&envelope, presence, KEEP, now(second).instant).change)
}

fn table(capacity: usize) -> Members {
    Members::new(capacity, id(0), IdHash::new([5, 7]))
}

#[test]
fn the_newest_word_of_a_member_stands_whatever_the_order_of_arrival() {
    let mut members = table(10);
    assert_eq!(announce(&mut members, 1, 5, Some(&[])), Ok(Some(MemberState::Present)));
    assert_eq!(announce(&mut members, 1, 5, Some(&[])), Err(Reason::Superseded));
    assert_eq!(announce(&mut members, 1, 4, None), Err(Reason::Superseded));
    assert_eq!(announce(&mut members, 1, 6, None), Ok(Some(MemberState::Gone)));
    assert_eq!(announce(&mut members, 1, 5, Some(&[])), Err(Reason::Superseded), "a replay after a leave");
    assert_eq!((members.count(), members.iter().count()), (0, 0));
    assert_eq!(announce(&mut members, 1, 7, Some(&[])), Ok(Some(MemberState::Present)));
    assert_eq!(announce(&mut members, 2, 7, None), Ok(None), "a stranger's leave is no news");
    assert_eq!(members.count(), 1);
}

#[test]
fn a_member_nobody_names_becomes_unreachable_and_comes_back() {
    let mut members = table(10);
    announce(&mut members, 1, 0, Some(&[2])).unwrap();
    announce(&mut members, 2, 0, Some(&[1])).unwrap();
    let after = Some(Duration::from_secs(3));
    assert_eq!(members.review(now(0), after, |_| false), []);
    announce(&mut members, 1, 1, Some(&[])).unwrap();
    assert_eq!(members.review(now(1), after, |_| false), []);
    assert_eq!(members.review(now(3), after, |_| false), []);
    assert_eq!(members.review(now(4), after, |_| false), [(id(2), MemberState::Unreachable)]);
    assert_eq!(announce(&mut members, 2, 5, Some(&[])), Ok(None), "its own word does not make it reachable");
    assert_eq!(members.review(now(5), after, |member| *member == id(2)).first(), Some(&(id(2), MemberState::Present)));
    assert_eq!(members.count(), 2);
}

#[test]
fn a_presence_runs_out() {
    let mut members = table(10);
    announce(&mut members, 1, 0, Some(&[1])).unwrap();
    assert_eq!(members.review(now(600), None, |_| false), []);
    assert_eq!(members.review(now(601), None, |_| false), [(id(1), MemberState::Gone)]);
    assert_eq!((members.count(), members.slots.len(), members.ids.len(), members.named.len()), (0, 0, 0, 0));
}

#[test]
fn a_full_table_takes_strangers_in_the_place_of_those_who_left_first() {
    let mut members = table(2);
    announce(&mut members, 1, 0, Some(&[])).unwrap();
    announce(&mut members, 2, 0, Some(&[])).unwrap();
    announce(&mut members, 1, 2, None).unwrap();
    assert_eq!(announce(&mut members, 3, 3, Some(&[])), Ok(Some(MemberState::Present)));
    assert_eq!((members.state(&id(1)), members.state(&id(2))), (None, Some(MemberState::Present)));
    assert_eq!((members.count(), members.slots.len(), members.ids.len()), (2, 2, 2));
}

#[test]
fn who_was_here_first_and_the_node_itself_cannot_be_pushed_out() {
    let mut members = table(10);
    for n in 1..=250 {
        announce(&mut members, n, n.into(), Some(&[])).unwrap();
    }
    announce(&mut members, 0, 1000, Some(&[])).unwrap();
    for n in 251..=255 {
        announce(&mut members, n, n.into(), Some(&[])).unwrap();
    }
    assert!((0..=5).all(|n| members.state(&id(n)) == Some(MemberState::Present)));
    assert_eq!((members.count(), members.slots.len(), members.ids.len(), members.drawn.len()), (10, 10, 10, 4));
}

#[test]
fn whom_a_node_keeps_of_too_many_depends_on_its_lots_and_not_on_who_came_when() {
    let kept = |order: &[u8], key| -> BTreeSet<NodeId> {
        let mut members = Members::new(40, id(0), IdHash::new(key));
        (1..=20).for_each(|n| _ = announce(&mut members, n, 0, Some(&[])).unwrap());
        order.iter().for_each(|n| _ = announce(&mut members, *n, 1, Some(&[])).unwrap());
        members.ids().collect()
    };
    let early: Vec<u8> = (21..=220).collect();
    let late: Vec<u8> = early.iter().rev().copied().collect();
    assert_eq!(kept(&early, [1, 2]), kept(&late, [1, 2]));
    assert_ne!(kept(&early, [1, 2]), kept(&early, [3, 4]));
    assert_eq!(kept(&early, [1, 2]).len(), 40);
    // Twenty of two hundred go by lot: over many nodes everybody is drawn about as often.
    let mut often = [0; 256];
    for key in 0..400 {
        kept(&early, [key * 7919, key * 104_729 + 1]).iter().for_each(|id| often[usize::from(id.as_bytes()[0])] += 1);
    }
    let (least, most) = ((21..=220).map(|n| often[n]).min().unwrap(), (21..=220).map(|n| often[n]).max().unwrap());
    assert!(least > 15 && most < 80, "40 of 400 on average, {least} to {most}");
}
