//! What a hostile neighbour can make a node do by reconciling: bounded work, bounded memory, and no lost messages.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::net::{Net, START, history, said};
use crate::envelope::EnvelopeId;
use crate::overlay::LinkId;
use crate::wire::{
    Frame, Kind, Reconcile, ReconcileAccept, ReconcileEnd, ReconcileOpen, ReconcileSet, ReconcileSide, ReconcileStep,
};

const SECOND: Duration = Duration::from_secs(1);

fn invented(n: u64) -> EnvelopeId {
    EnvelopeId::from_bytes(Sha256::digest(n.to_be_bytes()).into())
}

fn open(digest: u8) -> ReconcileStep {
    let set = ReconcileSet::Messages;
    let (from, to, alive) = (0, u64::MAX, START * 1_000_000);
    ReconcileStep::Open(ReconcileOpen { set, from, to, alive, digest: [digest; 32], count: 1 })
}

fn step(session: u16, step: ReconcileStep) -> Frame {
    Reconcile { session, step }.to_frame()
}

/// The steps of sessions among what was heard.
fn steps(heard: Vec<(LinkId, Frame)>) -> Vec<Reconcile> {
    let step = |(_, frame)| match frame {
        Frame::Reconcile(body) => Some(Reconcile::decode(body).unwrap()),
        _ => None,
    };
    heard.into_iter().filter_map(step).collect()
}

/// A node that has `count` messages, and a link that a stranger opened.
fn attacked(count: usize) -> (Net, LinkId) {
    let mut net = Net::new(1);
    net.knows(0, history(count));
    let link = net.stranger(0, 7, false);
    net.heard();
    (net, link)
}

#[test]
fn of_ten_thousand_reconciles_of_20_bytes_no_more_than_the_budget_is_looked_at() {
    let (mut net, link) = attacked(1_000);
    net.say(0, link, step(1, open(1)));
    for _ in 0..10_000 {
        // "Here I have nothing", four times: the node would list all it has, each time.
        let query = [&[0x61][..], &[0, 0, 2, 0].repeat(4)].concat();
        assert_eq!(step(1, ReconcileStep::Query(query.clone().into())).encoded_len(), 5 + 20);
        net.say(0, link, step(1, ReconcileStep::Query(query.into())));
    }
    let heard = steps(net.heard());
    assert!(heard.len() <= 64, "{}", heard.len());
    assert!(net.counts(0).dropped > 9_900);
    // It is not the neighbour's end: a second later it may speak again.
    net.run(SECOND);
    net.say(0, link, step(2, open(2)));
    assert!(matches!(steps(net.heard())[..], [Reconcile { session: 2, step: ReconcileStep::Accept(_) }]));
}

#[test]
fn windows_that_are_asked_for_again_and_again_cost_bounded_work() {
    let (mut net, link) = attacked(30_000);
    let mut answers = [0, 0];
    for ms in 0..5_000_u64 {
        net.say(0, link, step((ms % 9) as u16, open(3)));
        net.run(Duration::from_millis(1));
        for reconcile in steps(net.heard()) {
            match reconcile.step {
                ReconcileStep::Accept(_) => answers[0] += 1,
                ReconcileStep::End(ReconcileSide::Responder, ReconcileEnd::Busy) => answers[1] += 1,
                other => panic!("{other:?}"),
            }
        }
    }
    // A million ids at once and half a million a second: 113 windows of 31,000.
    assert!((100..=116).contains(&answers[0]), "{answers:?}");
    assert!(answers[0] + answers[1] <= 64 + 20 * 5 + 1, "{answers:?}");
}

#[test]
fn sessions_of_many_neighbours_hold_no_more_than_eight_windows() {
    let mut net = Net::new(1);
    net.knows(0, history(32_000));
    let links: Vec<LinkId> = (10..60).map(|name| net.stranger(0, name, false)).collect();
    net.heard();
    for link in &links {
        net.say(0, *link, step(1, open(1)));
    }
    let (_, held) = net.held(0);
    assert!(held <= 8 * 32_768, "{held}");
    let mut answers: BTreeMap<bool, usize> = BTreeMap::new();
    for reconcile in steps(net.heard()) {
        *answers.entry(matches!(reconcile.step, ReconcileStep::Accept(_))).or_default() += 1;
    }
    assert_eq!(answers, BTreeMap::from([(true, 8), (false, 42)]), "the others come again later");
    net.run(11 * SECOND);
    assert_eq!(net.held(0).1, 0, "who says nothing for ten seconds is done");
}

/// Answers a node's sessions on `link` for `span`: each OPEN with a digest that fits nothing, each question with what
/// `answer` makes of it. Gives how many questions were asked and why sessions ended.
fn respond(
    net: &mut Net,
    link: LinkId,
    span: Duration,
    mut answer: impl FnMut() -> Bytes,
) -> (usize, Vec<ReconcileEnd>) {
    let (mut questions, mut ends) = (0, Vec::new());
    let rounds = span.as_millis() / 10;
    for _ in 0..rounds {
        for Reconcile { session, step: said } in steps(net.heard()) {
            match said {
                ReconcileStep::Open(open) => {
                    let ReconcileOpen { from, to, .. } = open;
                    let accept = ReconcileAccept { from, to, digest: [1; 32], count: 100_000 };
                    net.say(0, link, step(session, ReconcileStep::Accept(accept)));
                }
                ReconcileStep::Query(_) => {
                    questions += 1;
                    let message = answer();
                    net.say(0, link, step(session, ReconcileStep::Answer(message)));
                }
                ReconcileStep::End(ReconcileSide::Opener, why) => ends.push(why),
                _ => {}
            }
        }
        net.run(Duration::from_millis(10));
    }
    (questions, ends)
}

#[test]
fn a_responder_that_never_ends_is_left_after_64_rounds() {
    let mut net = Net::new(1);
    net.knows(0, history(1_000));
    let link = net.stranger(0, 7, true);
    // "All of it differs", every time.
    let (questions, ends) = respond(&mut net, link, 9 * SECOND, || [&[0x61, 0, 0, 1][..], &[9; 16]].concat().into());
    assert!(ends.contains(&ReconcileEnd::TooMany), "{ends:?}");
    assert!(questions <= 48 + 9 * 20, "{questions}: the node keeps to the pace it grants to others");
}

#[test]
fn a_hundred_thousand_invented_ids_are_neither_remembered_nor_asked_for_all() {
    let mut net = Net::new(2);
    let link = net.stranger(0, 7, true);
    let mut n = 0;
    let (_, ends) = respond(&mut net, link, 9 * SECOND, || {
        let mut message = vec![0x61, 0, 0, 2, 0x8E, 0x08];
        (0..1_800).for_each(|_| {
            n += 1;
            message.extend_from_slice(invented(n).as_bytes());
        });
        // And what follows differs, too.
        message.extend([0, 0, 1]);
        message.extend([9; 16]);
        message.into()
    });
    assert!(ends.contains(&ReconcileEnd::TooMany), "{ends:?}");
    assert!(net.held(0).0 <= 40_000, "{:?}", net.held(0));
    assert!(net.counts(0).asked <= 2_000, "what is not answered stops the asking");
    let (link, _) = net.link(0, 1);
    let said = net.broadcast(1, "all the same");
    net.run(SECOND);
    assert_eq!(net.nodes[0].delivered, [said], "the others are heard meanwhile");
    net.run(30 * SECOND);
    net.compare(0, link);
    net.run(SECOND);
    assert!(net.held(0).0 <= 40_000);
}

#[test]
fn offers_of_invented_ids_are_bounded_and_forgotten() {
    let (mut net, link) = attacked(0);
    net.say(0, link, step(1, open(1)));
    let mut n = 0;
    for _ in 0..100 {
        let ids = (0..1_000).map(|_| {
            n += 1;
            invented(n)
        });
        let offer = ReconcileStep::Offer(ids.collect());
        net.say(0, link, step(1, offer));
        net.run(SECOND / 10);
    }
    assert!(net.held(0).0 <= 40_000);
    net.run(10 * SECOND);
    assert_eq!(net.held(0).0, 0, "a neighbour that gives nothing for five seconds gives nothing");
    let asked = net.heard().iter().filter(|(_, frame)| frame.kind() == Kind::Want).count();
    assert!(asked < 20, "{asked}");
}

#[test]
fn a_neighbour_that_lists_a_message_and_withholds_it_does_not_suppress_it() {
    let mut net = Net::new(2);
    let link = net.stranger(0, 7, false);
    net.link(0, 1);
    net.run(2 * SECOND);
    net.heard();
    // The stranger knows of it first, and offers it before node 1 has said it.
    let coming = said(1, net.now().wall, "news").id();
    net.say(0, link, step(1, open(1)));
    net.say(0, link, step(1, ReconcileStep::Offer([coming].into_iter().collect())));
    assert!(steps(net.heard()).iter().any(|reconcile| matches!(reconcile.step, ReconcileStep::Accept(_))));
    assert_eq!(net.broadcast(1, "news"), coming);
    net.run(SECOND / 10);
    assert_eq!(net.nodes[0].delivered, [coming]);
}

#[test]
fn an_answer_that_lists_the_same_as_missing_again_and_again_gets_no_flood_of_offers() {
    let mut net = Net::new(1);
    net.knows(0, history(10_000));
    let link = net.stranger(0, 7, true);
    let before = net.bytes();
    // "I have nothing at all", in some twenty bytes a time.
    respond(&mut net, link, 9 * SECOND, || Bytes::from_static(&[0x61, 0, 0, 2, 0]));
    let bytes = net.bytes() - before;
    assert!(bytes < 100_000, "{bytes}");
}

#[test]
fn a_reconcile_that_breaks_the_grammar_costs_the_link() {
    let (mut net, link) = attacked(0);
    net.say(0, link, Frame::Reconcile(Bytes::from_static(&[9; 20])));
    assert!(net.nodes[0].core.get_mut().links().is_empty());
}
