//! Whole networks of real nodes in which who can reach whom is given: lines, rings, cuts, and a liar in the midst.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use sealnet::envelope::{Envelope, Version};
use sealnet::identity::{NetworkHash, NodeId};
use sealnet::link::{Admit, Channel, Halves, LinkError, NoiseChannel, Opening, Outbox};
use sealnet::node::{SecureNode, Subscription};
use sealnet::overlay::{Reason, Settings};
use sealnet::wire::Frame;
use tokio::task::JoinSet;

use crate::peer::Peer;
use crate::support::{identity, next_text, until};

/// Who can reach whom. It can change.
#[derive(Debug, Default)]
struct Ground(Mutex<BTreeSet<(NodeId, NodeId)>>);

impl Ground {
    /// Nodes 1 to `count`, of which these pairs reach each other.
    fn of(pairs: impl IntoIterator<Item = (u8, u8)>) -> Arc<Self> {
        let ground = Ground::default();
        ground.joins(pairs);
        Arc::new(ground)
    }

    fn joins(&self, pairs: impl IntoIterator<Item = (u8, u8)>) {
        let id = |n| identity(n).id();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.extend(pairs.into_iter().flat_map(|(a, b)| [(id(a), id(b)), (id(b), id(a))]));
    }

    fn parts(&self, a: u8, b: u8) {
        let (a, b) = (identity(a).id(), identity(b).id());
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|pair| *pair != (a, b) && *pair != (b, a));
    }

    fn has(&self, a: NodeId, b: NodeId) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&(a, b))
    }

    fn neighbours(&self, a: NodeId) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().filter(|pair| pair.0 == a).count()
    }
}

/// The network's own channel, through which only neighbours on the ground are found. Those who are no nodes of the
/// ground (scripted peers) reach everybody.
#[derive(Debug)]
struct Terrain {
    channel: NoiseChannel,
    ground: Arc<Ground>,
}

impl Terrain {
    fn reaches(&self, id: &NodeId) -> bool {
        self.ground.neighbours(*id) == 0 || self.ground.has(self.channel.own_id(), *id)
    }
}

impl Channel for Terrain {
    fn own_id(&self) -> NodeId {
        self.channel.own_id()
    }

    fn connect<'a>(&'a self, halves: Halves, expected: Option<NodeId>, admit: &'a Admit<'a>) -> Opening<'a> {
        match expected {
            Some(id) if self.reaches(&id) => self.channel.connect(halves, expected, admit),
            _ => Box::pin(async { Err(LinkError::Closed) }),
        }
    }

    fn accept<'a>(&'a self, halves: Halves, admit: &'a Admit<'a>) -> Opening<'a> {
        Box::pin(async move {
            let near: &Admit<'_> = &|id: &NodeId| self.reaches(id) && admit(id);
            self.channel.accept(halves, near).await
        })
    }
}

/// Nodes 1 to `count` on this ground, each of which begins at a neighbour: linked with all of them, and no others.
async fn network(count: u8, ground: &Arc<Ground>) -> Vec<SecureNode> {
    let mut nodes: Vec<SecureNode> = Vec::new();
    for n in 1..=count {
        let name = "test".parse().unwrap();
        let channel = NoiseChannel::new(Arc::new(identity(n)), NetworkHash::secure(&name), None).unwrap();
        let mut builder = SecureNode::builder(name, identity(n))
            .listen("127.0.0.1:0".parse().unwrap())
            .overlay(Settings::local())
            .channel(Arc::new(Terrain { channel, ground: ground.clone() }));
        let before = nodes.iter().find(|node| ground.has(identity(n).id(), node.id()));
        if let Some(address) = before.and_then(|node| node.address()) {
            builder = builder.genesis(address);
        }
        nodes.push(builder.start().await.unwrap());
    }
    linked(&nodes, ground).await;
    nodes
}

/// Waits until all know each other and are linked as the ground says.
async fn linked(nodes: &[SecureNode], ground: &Ground) {
    let all: Vec<_> = nodes.iter().map(|node| &**node).collect();
    let is_linked = |node: &SecureNode| {
        let links = node.links();
        links.len() == ground.neighbours(node.id()) && links.iter().all(|link| ground.has(node.id(), link.peer))
    };
    let complete = || nodes.iter().all(|node| node.members().len() == nodes.len() && is_linked(node));
    until("all are linked with their neighbours, and know each other", &all, complete).await;
}

async fn say(nodes: &[SecureNode], about: &str, each: usize) -> BTreeSet<String> {
    let mut said = BTreeSet::new();
    for n in 0..each {
        for (place, node) in nodes.iter().enumerate() {
            let text = format!("{about} {n} of {place}");
            node.broadcast("test", text.clone()).await.unwrap();
            said.insert(text);
        }
    }
    said
}

fn readers(nodes: &[SecureNode]) -> Vec<Subscription> {
    nodes.iter().map(|node| node.subscribe("test").unwrap()).collect()
}

/// Every reader gets all of `said` and nothing else, each once.
async fn all_get(readers: &mut [Subscription], said: &BTreeSet<String>) {
    for (place, reader) in readers.iter_mut().enumerate() {
        let mut got = BTreeSet::new();
        while got.len() < said.len() {
            let text = next_text(reader).await;
            assert!(said.contains(&text), "node {place} got {text:?}, which was not said");
            assert!(got.insert(text.clone()), "node {place} got {text:?} twice");
        }
    }
}

async fn a_thousand_messages_reach_all_once(count: u8, pairs: impl IntoIterator<Item = (u8, u8)>) {
    let nodes = network(count, &Ground::of(pairs)).await;
    let mut readers = readers(&nodes);
    let said = say(&nodes, "message", 1_000 / usize::from(count)).await;
    all_get(&mut readers, &said).await;
    // Something that came twice would stand before this.
    let end = say(&nodes, "end", 1).await;
    all_get(&mut readers, &end).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_line_of_ten_a_thousand_messages_reach_all_once() {
    a_thousand_messages_reach_all_once(10, (1..10).map(|n| (n, n + 1))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_ring_of_ten_a_thousand_messages_reach_all_once() {
    a_thousand_messages_reach_all_once(10, (1..=10).map(|n| (n, n % 10 + 1))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_mesh_of_eight_a_thousand_messages_reach_all_once() {
    a_thousand_messages_reach_all_once(8, (1..=8).flat_map(|a| (a + 1..=8).map(move |b| (a, b)))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_cut_in_two_and_healed_has_everything_everywhere_once() {
    // Two rings of four, joined by two bridges.
    let bridges = [(1, 5), (3, 7)];
    let rings = (1..=4).flat_map(|n| [(n, n % 4 + 1), (n + 4, n % 4 + 5)]);
    let ground = Ground::of(rings.chain(bridges));
    let nodes = network(8, &ground).await;
    let mut readers = readers(&nodes);
    let before = say(&nodes, "before", 10).await;
    all_get(&mut readers, &before).await;
    for (a, b) in bridges {
        ground.parts(a, b);
        nodes[usize::from(a) - 1].disconnect(&identity(b).id());
    }
    let all: Vec<_> = nodes.iter().map(|node| &**node).collect();
    let is_cut = || nodes.iter().all(|node| node.links().iter().all(|link| ground.has(node.id(), link.peer)));
    until("the network is cut in two", &all, is_cut).await;
    let (left, right) = (say(&nodes[..4], "left", 50).await, say(&nodes[4..], "right", 50).await);
    all_get(&mut readers[..4], &left).await;
    all_get(&mut readers[4..], &right).await;
    ground.joins(bridges);
    // Whoever the ends of the bridges dial next, what was said on the other side comes over.
    all_get(&mut readers[..4], &right).await;
    all_get(&mut readers[4..], &left).await;
    linked(&nodes, &ground).await;
    let end = say(&nodes, "end", 1).await;
    all_get(&mut readers, &end).await;
}

/// What a liar makes of the envelopes that it was given to pass on, of which the last is new.
type Lie = fn(&[Envelope]) -> Vec<Frame>;

/// Links identity `n` with all nodes; whatever one of them floods, all of them get as `lie` has it.
async fn liar(n: u8, nodes: &[SecureNode], lie: Lie) -> JoinSet<()> {
    let mut peers = Vec::new();
    for node in nodes {
        peers.push(Peer::connect(node, identity(n)).await.unwrap());
    }
    let outboxes: Vec<Outbox> = peers.iter().map(|peer| peer.outbox.clone()).collect();
    let network = nodes[0].network_hash();
    let mut links = JoinSet::new();
    for mut peer in peers {
        let (outboxes, mut heard) = (outboxes.clone(), Vec::new());
        links.spawn(async move {
            while let Some(frame) = peer.next().await {
                match frame {
                    Frame::Ping(nonce) => drop(peer.outbox.push_control(Frame::Pong(nonce))),
                    Frame::Broadcast(bytes) => {
                        heard.push(Envelope::parse(bytes, Version::Signed, &network).unwrap());
                        for frame in lie(&heard) {
                            // Whether it may still speak to them is no matter to it.
                            outboxes.iter().for_each(|outbox| _ = outbox.push_control(frame.clone()));
                        }
                    }
                    // Nothing it is asked for is ever delivered.
                    _ => {}
                }
            }
        });
    }
    links
}

fn whole(envelope: &Envelope) -> Frame {
    Frame::Broadcast(envelope.as_bytes().clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_who_alters_drops_replays_or_duplicates_keeps_nothing_from_the_others_and_brings_nothing_in() {
    // A ring: one honest path each way, and the liar linked with all.
    let nodes = network(6, &Ground::of((1..=6).map(|n| (n, n % 6 + 1)))).await;
    let mut readers = readers(&nodes);
    let alters: Lie = |heard| {
        let flipped = |from_end: usize| {
            let mut bytes = heard[heard.len() - 1].as_bytes().to_vec();
            let at = bytes.len() - from_end;
            bytes[at] ^= 1;
            Frame::Broadcast(bytes.into())
        };
        // The last byte of the text, so that it is another message; the signature, so that it has the same id.
        vec![flipped(65), flipped(40)]
    };
    // It tells of everything, so that it is asked, and delivers nothing.
    let drops: Lie = |heard| vec![Frame::Have(heard.iter().rev().take(100).map(|envelope| envelope.id()).collect())];
    let replays: Lie = |heard| heard.iter().rev().take(10).map(whole).collect();
    let duplicates: Lie = |heard| vec![whole(&heard[heard.len() - 1]); 5];
    let lies = [("alters", alters), ("drops", drops), ("replays", replays), ("duplicates", duplicates)];
    for (n, (name, lie)) in (60..).zip(lies) {
        let links = liar(n, &nodes, lie).await;
        let said = say(&nodes, name, 20).await;
        all_get(&mut readers, &said).await;
        drop(links);
    }
    let end = say(&nodes, "end", 1).await;
    all_get(&mut readers, &end).await;
    let caught: u64 = nodes.iter().map(|node| node.status().reasons.get(Reason::BadSignature)).sum();
    assert!(caught > 0, "nobody was offered anything altered");
    assert!(nodes.iter().all(|node| node.links().iter().all(|link| link.peer != identity(60).id())));
}
