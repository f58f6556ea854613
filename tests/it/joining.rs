//! Joining, staying together, leaving.

use std::collections::{BTreeMap, BTreeSet};

use sealnet::identity::NodeId;
use sealnet::node::{Event, Node, SecureNode, StartError};
use sealnet::overlay::{Direction, JoinStep, MemberState, Reason, Settings};

use crate::support::{identity, joined, network, next_text, node, until, within};

fn is_connected(nodes: &[SecureNode]) -> bool {
    let links: BTreeMap<NodeId, Vec<NodeId>> =
        nodes.iter().map(|node| (node.id(), node.links().into_iter().map(|link| link.peer).collect())).collect();
    let mut reached = BTreeSet::from([nodes[0].id()]);
    let mut next = vec![nodes[0].id()];
    while let Some(id) = next.pop() {
        let fresh = links[&id].iter().filter(|peer| links.contains_key(peer) && reached.insert(**peer));
        next.extend(fresh.copied().collect::<Vec<_>>());
    }
    reached.len() == nodes.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_of_one_works() {
    let node = node(1, &[]).await;
    until("it is its own member", &[&node], || node.members().len() == 1).await;
    let mut chat = node.subscribe("chat").unwrap();
    let receipt = node.broadcast("chat", "alone").await.unwrap();
    assert_eq!(receipt.neighbours, 0);
    assert_eq!(next_text(&mut chat).await, "alone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newcomer_takes_the_steps_of_the_predecessors_in_their_order() {
    let nodes = network(12).await;
    let late = SecureNode::builder("test".parse().unwrap(), identity(99))
        .listen("127.0.0.1:0".parse().unwrap())
        .genesis(nodes[0].address().unwrap())
        .overlay(Settings::local());
    let (late, mut events) = late.start_with_events().await.unwrap();
    let mut steps = Vec::new();
    while steps.last() != Some(&JoinStep::Announced) {
        match within("joining", events.next()).await {
            Some(Event::Join(step)) => steps.push(step),
            Some(_) => {}
            None => panic!("the node stopped"),
        }
    }
    use JoinStep::{Announced, AskedGenesis, AskedMember, LeftGenesis};
    assert_eq!(steps, [AskedGenesis, AskedMember, LeftGenesis, Announced]);
    until("it knows all", &[&late], || late.members().len() == 13).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_nodes_that_join_at_once_all_know_all() {
    let nodes = network(100).await;
    for node in &nodes {
        assert_eq!(node.members().len(), 100);
    }
    // Links are still made and given up.
    let all: Vec<&Node> = nodes.iter().map(|node| &**node).collect();
    until("they are one network", &all, || is_connected(&nodes)).await;
    for node in &nodes {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_network_outlives_its_genesis_and_takes_it_back() {
    let mut nodes = network(5).await;
    let first = nodes.remove(0);
    let (first_address, first_id) = (first.address().unwrap(), first.id());
    first.stop().await;
    let others: Vec<&Node> = nodes.iter().map(|node| &**node).collect();
    until("its leave is known", &others, || {
        others.iter().all(|node| node.member_state(&first_id) == Some(MemberState::Gone))
    })
    .await;

    let mut chat = nodes[3].subscribe("chat").unwrap();
    nodes[0].broadcast("chat", "we go on").await.unwrap();
    assert_eq!(next_text(&mut chat).await, "we go on");

    // A sixth joins through a second genesis node; the first in its list is dead.
    nodes.push(node(6, &[first_address.clone(), nodes[1].address().unwrap()]).await);
    joined(&nodes).await;

    // The first comes back where it was, knowing nobody but another genesis node.
    let back = SecureNode::builder("test".parse().unwrap(), identity(1))
        .listen(format!("127.0.0.1:{}", first_address.port()).parse().unwrap())
        .genesis(nodes[1].address().unwrap())
        .overlay(Settings::local());
    nodes.push(back.start().await.unwrap());
    joined(&nodes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_neighbour_is_linked_again_when_it_is_back() {
    let nodes = network(3).await;
    let (gone, rest) = nodes.split_last().unwrap();
    let port = gone.listen_address().unwrap();
    let gone_id = gone.id();
    gone.stop().await;
    let rest: Vec<&Node> = rest.iter().map(|node| &**node).collect();
    until("the link is gone", &rest, || rest.iter().all(|node| node.links().len() == 1)).await;
    // It comes back without a genesis node: the others have to find it, or it them.
    let back = SecureNode::builder("test".parse().unwrap(), identity(3)).listen(port).overlay(Settings::local());
    let back = back.genesis(rest[0].address().unwrap()).start().await.unwrap();
    assert_eq!(back.id(), gone_id);
    until("it is linked with both", &[&back, rest[0], rest[1]], || back.links().len() == 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_ends_tell_of_a_link_and_of_its_end_with_the_reason() {
    let first = node(1, &[]).await;
    let mut events = first.events();
    let second = node(2, &[first.address().unwrap()]).await;
    until("they are linked", &[&first, &second], || first.links().len() == 1 && second.links().len() == 1).await;
    second.stop().await;
    let mut seen = Vec::new();
    while !matches!(seen.last(), Some(Event::LinkClosed { .. })) {
        seen.push(within("the end of the link", events.next()).await.unwrap());
    }
    let id = second.id();
    let opened = seen
        .iter()
        .any(|event| matches!(event, Event::LinkOpened { peer, direction: Direction::Inbound, .. } if *peer == id));
    let closing = seen
        .iter()
        .any(|event| matches!(event, Event::LinkClosing { peer, reason: Reason::PeerLeft, .. } if *peer == id));
    let closed = matches!(seen.last(), Some(Event::LinkClosed { peer, reason: Reason::PeerLeft, .. }) if *peer == id);
    assert!(opened && closing && closed, "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_genesis_node_without_name_or_ear_is_counted() {
    for (address, reason) in
        [("no-such-host.invalid:7400".to_owned(), Reason::UnknownHost), ("127.0.0.1:1".to_owned(), Reason::Unreachable)]
    {
        let node = node(1, &[format!("sealnet://{address}").parse().unwrap()]).await;
        until("it is counted", &[&node], || node.status().reasons.get(reason) >= 1).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_over_the_limits_are_counted_and_closed_unread() {
    let node = node(1, &[]).await;
    let mut silent = Vec::new();
    let flood = async {
        // Each is given up after two seconds; whoever comes meanwhile and is too many is refused.
        while node.status().reasons.get(Reason::Overload) == 0 {
            silent.push(tokio::net::TcpStream::connect(node.listen_address().unwrap()).await.unwrap());
        }
    };
    within("too many are refused", flood).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_node_leaves_its_port_free_at_once() {
    let first = node(1, &[]).await;
    let address = first.listen_address().unwrap();
    let again = || SecureNode::builder("test".parse().unwrap(), identity(2)).listen(address).overlay(Settings::local());
    let error = again().start().await.unwrap_err();
    assert!(matches!(error, StartError::Listen { .. }));
    assert!(error.to_string().contains(&address.to_string()) && error.to_string().contains("in use"), "{error}");
    first.stop().await;
    again().start().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_with_another_network_name_or_key_behind_the_address_is_no_neighbour() {
    let first = node(1, &[]).await;
    let address = first.address().unwrap();
    let foreign = SecureNode::builder("other".parse().unwrap(), identity(2)).overlay(Settings::local());
    let foreign = foreign.start().await.unwrap();
    assert!(foreign.connect(&address).await.is_err());
    let stranger = node(3, &[]).await;
    let wrong = format!("sealnet://{}@127.0.0.1:{}", identity(9).id(), address.port()).parse().unwrap();
    let error = stranger.connect(&wrong).await.unwrap_err();
    assert_eq!(error.reason, Reason::WrongIdentity, "{error}");
    assert!(error.to_string().contains(&first.id().to_string()), "it says who answered: {error}");
    assert!(first.links().is_empty());
    assert_eq!(stranger.connect(&address).await.unwrap(), first.id());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_node_and_a_secure_one_never_link() {
    let secure = node(1, &[]).await;
    let plain = Node::builder("test".parse().unwrap()).unwrap().listen("127.0.0.1:0".parse().unwrap());
    let plain = plain.overlay(Settings::local()).start().await.unwrap();
    assert!(plain.connect(&secure.address().unwrap()).await.is_err());
    assert!(secure.connect(&plain.address().unwrap()).await.is_err());
    assert!(secure.links().is_empty() && plain.links().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_nodes_form_a_network_of_their_own() {
    let build = || {
        Node::builder("test".parse().unwrap())
            .unwrap()
            .listen("127.0.0.1:0".parse().unwrap())
            .overlay(Settings::local())
    };
    let genesis = build().start().await.unwrap();
    let mut nodes = vec![genesis.clone()];
    for _ in 0..3 {
        nodes.push(build().genesis(genesis.address().unwrap()).start().await.unwrap());
    }
    let all: Vec<&Node> = nodes.iter().collect();
    until("everybody knows everybody", &all, || all.iter().all(|node| node.members().len() == 4)).await;
    let mut chat = nodes[3].subscribe("chat").unwrap();
    nodes[1].broadcast("chat", "open").await.unwrap();
    assert_eq!(next_text(&mut chat).await, "open");
    assert_eq!(nodes[3].status().verifications, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_with_a_dead_genesis_goes_back_through_remembered_peers() {
    let folder = tempfile::tempdir().unwrap();
    let genesis = node(1, &[]).await;
    let address = genesis.address().unwrap();
    let stays = node(2, std::slice::from_ref(&address)).await;
    let start = || async {
        let builder = SecureNode::builder("test".parse().unwrap(), identity(3)).overlay(Settings::local());
        builder.genesis(address.clone()).state_folder(folder.path()).start().await.unwrap()
    };
    let returns = start().await;
    joined(&[genesis.clone(), stays.clone(), returns.clone()]).await;
    // A node in a folder writes its neighbours down at its next review at the latest, and when it stops.
    returns.stop().await;
    genesis.stop().await;
    let returns = start().await;
    until("it is linked with its former neighbour", &[&returns], || {
        returns.links().iter().any(|link| link.peer == stays.id())
    })
    .await;
    let mut chat = stays.subscribe("chat").unwrap();
    returns.broadcast("chat", "back").await.unwrap();
    assert_eq!(next_text(&mut chat).await, "back");
}
