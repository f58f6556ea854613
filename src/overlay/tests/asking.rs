//! HAVE, WANT, ABSENT: what is announced is asked for, of one neighbour at a time, and within bounds.

use super::*;

fn questions(asked: &[(u64, Output)]) -> Vec<(u64, LinkId)> {
    let asked =
        asked.iter().flat_map(|(at, output)| wants(std::slice::from_ref(output)).into_iter().map(|w| (*at, w.0)));
    asked.collect()
}

#[test]
fn an_announced_id_is_asked_for_after_the_flood_had_its_time_and_then_of_the_next() {
    let mut node = Alone::new();
    let links = settled(&mut node, 1..=3);
    for link in &links {
        assert!(wants(&node.frame(*link, have(&[some_id(1)]))).is_empty());
    }
    let asked = questions(&node.wait(2_000));
    assert_eq!(asked, [(100, links[0]), (500, links[1]), (900, links[2])], "each once, then nobody");
}

#[test]
fn a_new_link_is_asked_at_once() {
    let mut node = Alone::new();
    let link = node.linked(1);
    assert_eq!(wants(&node.frame(link, have(&[some_id(1)]))), [(link, vec![some_id(1)])]);
}

#[test]
fn absent_passes_the_question_on_at_once() {
    let mut node = Alone::new();
    let links = settled(&mut node, 1..=2);
    let ids = [some_id(1)];
    links.iter().for_each(|link| drop(node.frame(*link, have(&ids))));
    node.wait(100);
    let absent = Frame::Absent(ids.iter().copied().collect());
    assert_eq!(wants(&node.frame(links[1], absent.clone())), [], "it was not asked");
    assert_eq!(wants(&node.frame(links[0], absent)), [(links[1], ids.to_vec())]);
}

#[test]
fn what_the_flood_brings_is_not_asked_for() {
    let mut node = Alone::new();
    let links = settled(&mut node, 1..=2);
    let message = said(9, "t", "hello", 0);
    node.frame(links[0], have(&[message.id()]));
    node.take_in(links[1], &message);
    assert!(questions(&node.wait(2_000)).is_empty());
    assert!(wants(&node.frame(links[0], have(&[message.id()]))).is_empty());
}

#[test]
fn those_who_keep_their_promises_are_asked_first() {
    let mut node = Alone::new();
    let links = settled(&mut node, 1..=3);
    let (liar, honest) = (links[0], links[1]);
    let first = [said(9, "t", "1", 0), said(9, "t", "2", 0)];
    for (round, message) in first.iter().enumerate() {
        for link in [liar, honest] {
            node.frame(link, have(&[message.id()]));
        }
        let (wait, expected): (u64, &[LinkId]) = if round == 0 { (550, &[liar, honest]) } else { (150, &[honest]) };
        let asked = questions(&node.wait(wait));
        assert_eq!(asked.iter().map(|asked| asked.1).collect::<Vec<_>>(), expected, "round {round}");
        node.brings(honest, message);
    }
}

#[test]
fn many_announcers_that_break_their_promises_leave_room_for_one_that_keeps_them() {
    let mut node = Alone::new();
    let links = settled(&mut node, 1..=9);
    let (liars, honest) = (&links[..8], links[8]);
    liars.iter().for_each(|liar| drop(node.frame(*liar, have(&[some_id(1)]))));
    assert_eq!(questions(&node.wait(4_000)).len(), 8, "each is believed once");
    let message = said(9, "t", "hello", 0);
    for link in liars.iter().chain([&honest]) {
        node.frame(*link, have(&[message.id()]));
    }
    assert_eq!(questions(&node.wait(150)), [(100, honest)]);
}

#[test]
fn an_announcer_that_never_delivers_is_bounded_and_forgotten() {
    let mut node = Alone::new();
    let links = settled(&mut node, 1..=1);
    for thousand in 0..10 {
        let ids: Vec<_> = (0..1000).map(|n| some_id(thousand * 1000 + n)).collect();
        node.frame(links[0], have(&ids));
    }
    assert_eq!(node.core.asking.len(), 4096);
    let asked: usize = node
        .wait(150)
        .iter()
        .flat_map(|(_, output)| wants(std::slice::from_ref(output)))
        .map(|(_, ids)| ids.len())
        .sum();
    assert_eq!(asked, 1024, "no more is open at a time");
    node.wait(31_000);
    assert_eq!(node.core.asking.len(), 0);
}

#[test]
fn an_id_is_served_twice_a_minute_to_a_link() {
    let mut node = Alone::new();
    let (link, other) = (node.linked(1), node.linked(2));
    let message = said(9, "t", "hello", 0);
    node.take_in(other, &message);
    node.outputs();
    let served = |outputs: Vec<Output>| outputs.iter().filter(|output| matches!(output, Output::Serve { .. })).count();
    let times: Vec<usize> = (0..5).map(|_| served(node.frame(link, want(&[message.id()])))).collect();
    assert_eq!(times, [1, 1, 0, 0, 0]);
    assert_eq!(served(node.frame(other, want(&[message.id()]))), 1, "each link has its own allowance");
    node.millis += 60_000;
    assert_eq!(served(node.frame(link, want(&[message.id()]))), 0, "the minute is remembered for another one");
    node.millis += 60_000;
    assert_eq!(served(node.frame(link, want(&[message.id()]))), 1);
}

#[test]
fn presences_are_served_from_the_member_table() {
    let mut node = Alone::new();
    let link = node.linked(1);
    let presence = presence(9, 1, &[]);
    node.take_in(link, &presence);
    node.outputs();
    let other = node.linked(2);
    assert_eq!(relayed(&node.frame(other, want(&[presence.id()]))), [(presence.id(), vec![other])]);
}

#[test]
fn while_asking_turns_out_to_be_hasty_the_tree_has_more_time() {
    let mut node = Alone::new();
    let links = settled(&mut node, 1..=2);
    let asked_after = |node: &mut Alone, n: u32| {
        let message = said(9, "t", n.to_string(), 0);
        node.frame(links[1], have(&[message.id()]));
        let waited = (1..).find(|_| !questions(&node.wait(10)).is_empty());
        // It comes by itself all the same.
        node.brings(links[0], &message);
        waited.map(|waited| waited * 10).unwrap()
    };
    let waits: Vec<u64> = (0..6).map(|n| asked_after(&mut node, n)).collect();
    assert_eq!(waits, [100, 200, 400, 800, 1_600, 1_600]);
    node.wait(5_000);
    for link in &links {
        node.frame(*link, Frame::Pong([0; 8]));
    }
    node.wait(5_000);
    assert_eq!(asked_after(&mut node, 10), 400, "what was slow may be quick again");
}

#[test]
fn what_is_late_by_itself_prolongs_the_trees_time_only_where_much_is_waited_for() {
    for (waited_for, expected) in [(10, 100), (80, 180)] {
        let mut node = Alone::new();
        let links = settled(&mut node, 1..=2);
        let late: Vec<_> = (0..waited_for).map(|n| said(9, "t", n.to_string(), 0)).collect();
        let ids: Vec<EnvelopeId> = late.iter().map(|message| message.id()).collect();
        node.frame(links[1], have(&ids));
        assert!(questions(&node.wait(90)).is_empty());
        late.iter().for_each(|message| drop(node.brings(links[0], message)));
        node.frame(links[1], have(&[some_id(1)]));
        assert_eq!(questions(&node.wait(1_000)).first(), Some(&(expected, links[1])), "{waited_for}");
    }
}
