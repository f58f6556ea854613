//! One verification an id at a time, whatever copies do.

use std::sync::Mutex;

use super::*;

#[test]
fn copies_wait_for_one_verification_and_become_duplicates() {
    let mut node = Alone::new();
    let links: Vec<LinkId> = (1..=7).map(|peer| node.linked(peer)).collect();
    let message = said(9, "t", "hello", 0);
    let Offer::Verify(ticket, envelope) = node.offer(links[0], &message) else { panic!() };
    for link in &links[1..5] {
        assert!(matches!(node.offer(*link, &message), Offer::Parked));
    }
    assert_eq!(node.why(links[5], &message), Some(Reason::Busy), "four wait at most");
    let verdicts = node.core.verified(node.now(), vec![Judged::by(&node.scheme, ticket, envelope)]);
    assert_eq!((verdicts.claimed.len(), verdicts.again.len()), (1, 0));
    assert_eq!(node.scheme.verifications(), 1);
    node.core.accept(node.now(), verdicts.claimed);
    let to = vec![links[5], links[6]];
    assert_eq!(relayed(&node.outputs()), [(message.id(), to)], "who brought a copy needs none");
    assert_eq!(node.counted(Reason::Duplicate), 4);
    assert_eq!(node.why(links[5], &message), Some(Reason::Duplicate));
}

#[test]
fn a_forged_copy_that_comes_first_passes_its_ticket_on() {
    let mut node = Alone::new();
    let (liar, honest, late) = (node.linked(1), node.linked(2), node.linked(3));
    let message = said(9, "t", "hello", 0);
    let forged = forged(&message, 0);
    assert_eq!(forged.id(), message.id());
    let Offer::Verify(ticket, envelope) = node.offer(liar, &forged) else { panic!() };
    assert!(matches!(node.offer(honest, &message), Offer::Parked));
    let mut verdicts = node.core.verified(node.now(), vec![Judged::by(&node.scheme, ticket, envelope)]);
    assert!(verdicts.claimed.is_empty());
    let (ticket, envelope) = verdicts.again.remove(0);
    assert_eq!((ticket.link(), &envelope), (honest, &*message));
    let verdicts = node.core.verified(node.now(), vec![Judged::by(&node.scheme, ticket, envelope)]);
    node.core.accept(node.now(), verdicts.claimed);
    assert_eq!(relayed(&node.outputs()), [(message.id(), vec![liar, late])]);
}

#[test]
fn the_same_forgery_is_not_verified_twice_within_a_minute() {
    let mut node = Alone::new();
    let links: Vec<LinkId> = (1..=4).map(|peer| node.linked(peer)).collect();
    let message = said(9, "t", "hello", 0);
    let forgery = forged(&message, 0);
    assert_eq!(node.claim(links[0], &forgery).claimed.len(), 0);
    assert_eq!(node.why(links[1], &forgery), Some(Reason::KnownBad));
    assert!(node.why(links[2], &forged(&message, 1)).is_none(), "other bytes are another matter");
    node.millis = 60_001;
    assert!(node.why(links[3], &said(9, "t", "another", 60)).is_none());
    let Offer::Parked = node.offer(links[3], &forgery) else { panic!("after a minute it is looked at again") };
}

#[test]
fn copies_of_the_same_forgery_are_blamed_without_verifying_them() {
    let mut node = Alone::new();
    let (one, two) = (node.linked(1), node.linked(2));
    for n in 0..2 {
        let forgery = forged(&said(9, "t", format!("{n}"), 0), 0);
        let Offer::Verify(ticket, envelope) = node.offer(one, &forgery) else { panic!() };
        assert!(matches!(node.offer(two, &forgery), Offer::Parked));
        let verdicts = node.core.verified(node.now(), vec![Judged::by(&node.scheme, ticket, envelope)]);
        assert!(verdicts.again.is_empty());
    }
    assert_eq!(node.scheme.verifications(), 2);
    assert_eq!(closed(&node.outputs()).iter().map(|(link, ..)| *link).collect::<Vec<_>>(), [one, two]);
}

#[test]
fn a_ticket_given_up_passes_on_and_blames_nobody() {
    let mut node = Alone::new();
    let (one, two) = (node.linked(1), node.linked(2));
    let message = said(9, "t", "hello", 0);
    let Offer::Verify(ticket, _) = node.offer(one, &message) else { panic!() };
    node.offer(two, &message);
    let verdicts = node.core.verified(node.now(), vec![Judged::given_up(ticket)]);
    assert_eq!(verdicts.again[0].0.link(), two);
    let Some((ticket, _)) = verdicts.again.into_iter().next() else { panic!() };
    node.core.verified(node.now(), vec![Judged::given_up(ticket)]);
    assert!(node.offer(one, &message).into_ticket().is_some(), "and it is as new as before");
    assert_eq!(node.counted(Reason::BadSignature), 0);
}

#[test]
fn a_batch_of_rubbish_costs_two_verifications() {
    let mut node = Alone::new();
    let (liar, friend) = (node.linked(1), node.linked(2));
    let batch: Vec<_> = (0..64).map(|n| forged(&said(9, "t", format!("{n}"), 0), 0)).collect();
    let honest = said(9, "t", "0", 0);
    let (time, core) = (node.now(), Mutex::new(node.core));
    take_in(&core, &node.scheme, || time, |_: &Verified<Envelope>| panic!("nothing is to be kept"), liar, false, batch);
    assert_eq!(node.scheme.verifications(), 2);
    take_in(&core, &node.scheme, || time, |_: &Verified<Envelope>| true, friend, false, vec![(*honest).clone()]);
    assert!(core.into_inner().unwrap().has_accepted(&honest.id()), "the tickets were given back");
}

#[test]
fn eight_links_that_bring_a_message_at_once_cost_one_verification() {
    let mut node = Alone::new();
    let links: Vec<LinkId> = (1..=8).map(|peer| node.linked(peer)).collect();
    let messages: Vec<Envelope> = (0..100).map(|n| (*said(9, "t", format!("{n}"), 0)).clone()).collect();
    let (time, core, appended) = (node.now(), Mutex::new(node.core), Mutex::new(0));
    let append = |_: &Verified<Envelope>| {
        *appended.lock().unwrap() += 1;
        true
    };
    std::thread::scope(|scope| {
        for link in links {
            let (core, scheme, messages, append) = (&core, &node.scheme, &messages, &append);
            scope.spawn(move || {
                for batch in messages.chunks(10) {
                    take_in(core, scheme, || time, append, link, false, batch.to_vec());
                }
            });
        }
    });
    assert_eq!((node.scheme.verifications(), *appended.lock().unwrap()), (100, 100));
    let core = core.into_inner().unwrap();
    assert!(messages.iter().all(|message| core.has_accepted(&message.id())));
}

#[test]
fn what_the_log_does_not_keep_is_not_relayed_and_may_come_again() {
    let mut node = Alone::new();
    let (link, _) = (node.linked(1), node.linked(2));
    let message = said(9, "t", "hello", 0);
    let (time, core) = (node.now(), std::cell::RefCell::new(node.core));
    take_in(&core, &node.scheme, || time, |_: &Verified<Envelope>| false, link, false, vec![(*message).clone()]);
    let mut core = core.into_inner();
    assert!(relayed(&core.take_outputs()).is_empty() && !core.has_accepted(&message.id()));
    assert_eq!((core.counts().get(Reason::LogFull), core.index_len()), (1, 0));
}

#[test]
fn only_a_link_that_has_brought_much_gets_several_verified_before_the_core_hears_of_a_bad_one() {
    let mut node = Alone::new();
    let (link, author) = (node.linked(1), node.linked(9));
    assert_eq!(node.core.verifies_at_once(LinkId(u64::MAX)), 1, "a link that is gone");
    for number in 0..64 {
        assert_eq!(node.core.verifies_at_once(link), 1, "{number}");
        let message = said(9, "t", number.to_string(), 0);
        node.brings(author, &said(9, "t", format!("own {number}"), 0));
        node.brings(link, &message);
    }
    assert_eq!(node.core.verifies_at_once(link), 8);
    assert_eq!(node.core.verifies_at_once(author), 1, "what somebody says itself shows nothing");
}

#[test]
fn of_a_bad_one_among_several_the_core_hears_before_more_are_verified() {
    let bad = |number: u32| forged(&said(9, "t", number.to_string(), 0), 0);
    for (useful, verified) in [(0, 2), (64, 8)] {
        let mut node = Alone::new();
        let link = node.linked(1);
        for number in 0..useful {
            node.brings(link, &said(9, "t", format!("good {number}"), 0));
        }
        let (scheme, now, core) = (signer(0), node.now(), std::cell::RefCell::new(node.core));
        take_in(&core, &scheme, || now, |_: &Verified<Envelope>| true, link, false, (0..100).map(bad).collect());
        assert_eq!(scheme.verifications(), verified, "after {useful} good ones");
        let outputs = core.borrow_mut().take_outputs();
        assert!(outputs.iter().any(|output| matches!(output, Output::Close { reason: Reason::BadSignature, .. })));
    }
}
