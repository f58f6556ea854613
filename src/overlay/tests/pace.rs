//! How fast one link is read.

use super::*;

const MIB: usize = 1 << 20;

fn maximal(n: usize) -> Verified<Envelope> {
    let mut message = vec![0; 131_072];
    message[..8].copy_from_slice(&n.to_be_bytes());
    said(9, "t", message, 0)
}

#[test]
fn maximal_messages_at_line_rate_make_reading_pause_and_nobody_else_is_slowed_or_blamed() {
    let mut node = Alone::with(Settings::lan());
    let (fast, other) = (node.linked(1), node.linked(2));
    let (mut sent, mut paused) = (0, 0);
    for n in 0..200 {
        if let Some(until) = node.core.pause(node.now(), fast) {
            paused += 1;
            node.wait((until.since(node.now().instant)).as_millis() as u64 + 1);
        }
        let message = maximal(n);
        sent += message.size();
        assert!(node.offer(fast, &message).into_ticket().is_some(), "what is read is not dropped");
        assert_eq!(node.core.pause(node.now(), other), None);
    }
    let seconds = (node.millis as usize).div_ceil(1000);
    assert!(paused > 50 && sent <= 16 * MIB + 8 * MIB * seconds + 131_386, "{sent} bytes in {seconds} s");
    assert!(node.millis <= 1_200, "no longer than need be: {}", node.millis);
    assert!(closed(&node.outputs()).is_empty());
    assert_eq!(node.core.links().len(), 2);
}

#[test]
fn frames_that_say_next_to_nothing_are_paced_by_their_number() {
    for frame in [Frame::Ping([1; 8]), Frame::Eager, Frame::Pong([1; 8]), have(&[])] {
        let mut node = Alone::with(Settings::lan());
        let link = node.linked(1);
        let at_once = (0..100_000).take_while(|_| {
            node.frame(link, frame.clone());
            node.core.pause(node.now(), link).is_none()
        });
        assert_eq!(at_once.count(), 16_000, "{frame:?}");
        assert_eq!(node.core.links().len(), 1);
    }
}

#[test]
fn what_was_asked_for_does_not_count() {
    let mut node = Alone::with(Settings::lan());
    let links = settled(&mut node, 1..=1);
    let messages: Vec<_> = (0..200).map(maximal).collect();
    let ids: Vec<_> = messages.iter().map(|message| message.id()).collect();
    let mut outputs = node.frame(links[0], have(&ids));
    outputs.extend(node.wait(150).into_iter().map(|(_, output)| output));
    assert_eq!(wants(&outputs).iter().map(|(_, ids)| ids.len()).sum::<usize>(), 200);
    for message in &messages {
        assert!(node.offer(links[0], message).into_ticket().is_some());
        assert_eq!(node.core.pause(node.now(), links[0]), None);
    }
    // The same once more was not.
    let again = messages.iter().take_while(|message| {
        node.offer(links[0], message);
        node.core.pause(node.now(), links[0]).is_none()
    });
    assert_eq!(again.count(), 127);
}

#[test]
fn answers_are_paced_by_what_it_takes_to_verify_them() {
    let mut node = Alone::with(Settings::lan());
    let (busy, other) = (node.linked(1), node.linked(2));
    // Nothing is asked of the link: the rate of frames is what binds what comes by itself.
    let at_once = (0..100_000).take_while(|_| {
        node.core.charge_verification(node.now(), busy);
        node.core.pause(node.now(), busy).is_none()
    });
    assert_eq!(at_once.count(), 29_999, "two seconds' worth");
    let until = node.core.pause(node.now(), busy).unwrap();
    assert!(until.since(node.now().instant) <= Duration::from_micros(67));
    assert_eq!(node.core.pause(node.now(), other), None);
    // What a neighbour was asked for costs it nothing but that.
    let mut node = Alone::with(Settings::lan());
    let links = settled(&mut node, 1..=1);
    let message = said(9, "t", "asked", 0);
    node.frame(links[0], have(&[message.id()]));
    node.wait(150);
    for _ in 0..29_999 {
        node.core.charge_verification(node.now(), links[0]);
    }
    assert_eq!(node.core.pause(node.now(), links[0]), None);
    assert!(node.offer(links[0], &message).into_ticket().is_some());
    assert!(node.core.pause(node.now(), links[0]).is_some());
}

#[test]
fn with_preset_local_no_link_is_paced() {
    let mut node = Alone::with(Settings::local());
    let link = node.linked(1);
    for n in 0..150 {
        node.offer(link, &maximal(n));
    }
    assert_eq!(node.core.pause(node.now(), link), None);
}
