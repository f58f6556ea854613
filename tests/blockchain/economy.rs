//! Real nodes on loopback.

use std::sync::Arc;
use std::time::Duration;

use sealnet::app::Json;
use sealnet::identity::{Identity, NodeAddress};
use sealnet::node::{Item, SecureNode};
use sealnet::overlay::Settings;

use crate::chain::{Chain, Entry, Genesis, Store, Whereabouts};
use crate::network::{Peer, Question, Shared, title};
use crate::stage::{amount, chain_of, genesis_with, grow, id, network};

/// Longer than anything here takes; reached only when something is broken.
const PATIENCE: Duration = Duration::from_secs(120);

/// Real work, some milliseconds a block.
fn genesis() -> Arc<Genesis> {
    genesis_with("difficulty = 20_000\nblock_time_ms = 200\nmax_block_bytes = 100_000")
}

fn shared(genesis: &Arc<Genesis>) -> Arc<Shared> {
    Arc::new(Shared::new(Chain::open(genesis.clone(), network(), Store::in_memory().unwrap()).unwrap()))
}

fn builder(n: u8, others: &[NodeAddress]) -> sealnet::node::Builder<sealnet::node::Secure> {
    let builder = SecureNode::builder("test".parse().unwrap(), Identity::from_seed(&[n + 1; 32]))
        .listen("127.0.0.1:0".parse().unwrap())
        .overlay(Settings::local());
    others.iter().fold(builder, |builder, address| builder.genesis(address.clone()))
}

async fn start(n: u8, genesis: &Arc<Genesis>, others: &[NodeAddress]) -> Peer {
    Peer::start(builder(n, others), shared(genesis)).await.unwrap()
}

fn address(peer: &Peer) -> NodeAddress {
    peer.node().address().unwrap()
}

/// Waits until `fact` holds; looks again whenever the chain of one of them changes, and now and then.
async fn until(what: &str, peers: &[&Peer], fact: impl Fn() -> bool) {
    let waiting = async {
        while !fact() {
            let mut changes = peers[0].shared().changes();
            let _ = tokio::time::timeout(Duration::from_millis(50), changes.changed()).await;
        }
    };
    if tokio::time::timeout(PATIENCE, waiting).await.is_err() {
        let heights: Vec<_> = peers.iter().map(|peer| peer.shared().chain().height()).collect();
        panic!("did not happen: {what}; heights {heights:?}");
    }
}

fn is_one_tip(peers: &[&Peer]) -> bool {
    let tips: Vec<_> = peers.iter().map(|peer| peer.shared().chain().tip()).collect();
    tips.windows(2).all(|pair| pair[0] == pair[1])
}

fn is_confirmed(peer: &Peer, id: &sealnet::envelope::EnvelopeId) -> bool {
    matches!(peer.shared().chain().find(id), Ok(Whereabouts::Confirmed(_)))
}

/// Lets the first one mine until all have its tip.
async fn come_to_rest(peers: &[&Peer]) {
    peers.iter().for_each(|peer| peer.stop_mining());
    let height = peers.iter().map(|peer| peer.shared().chain().height()).max().unwrap();
    peers[0].mine(Duration::ZERO).unwrap();
    until("one more block", peers, || peers[0].shared().chain().height() > height).await;
    peers[0].stop_mining();
    until("all have one tip", peers, || is_one_tip(peers)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn five_miners_converge_and_every_payment_is_confirmed() {
    let genesis = genesis();
    let mut peers = vec![start(0, &genesis, &[]).await];
    for n in 1..5 {
        peers.push(start(n, &genesis, &[address(&peers[0])]).await);
    }
    let all: Vec<_> = peers.iter().collect();
    until("everybody is linked", &all, || all.iter().all(|peer| peer.node().links().len() == 4)).await;
    all.iter().for_each(|peer| peer.mine(Duration::from_millis(5)).unwrap());
    let mut sent = Vec::new();
    for n in 0..30_u64 {
        let (from, to) = (n % 3, 3 + n % 2);
        sent.push(peers[from as usize].pay(id(to as u8), amount(5), amount(1 + n % 3)).await.unwrap());
    }
    until("every payment is in a block", &all, || sent.iter().all(|id| is_confirmed(all[0], id))).await;
    come_to_rest(&all).await;
    for peer in &all {
        assert!(peer.shared().chain().is_supply_right());
        assert!(sent.iter().all(|id| is_confirmed(peer, id)));
        assert!(peer.shared().chain().balance(&id(3)).0.balance >= amount(75));
        peer.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_heals_to_the_heavier_side_and_loses_no_transfer_that_both_could_hold() {
    let genesis = genesis();
    // Two halves that never heard of each other.
    let (a, c) = (start(0, &genesis, &[]).await, start(1, &genesis, &[]).await);
    let (b, d) = (start(5, &genesis, &[address(&a)]).await, start(6, &genesis, &[address(&c)]).await);
    let all = [&a, &b, &c, &d];
    until("each half is linked", &all, || all.iter().all(|peer| peer.node().links().len() == 1)).await;

    a.mine(Duration::ZERO).unwrap();
    let light = a.pay(id(7), amount(10), amount(1)).await.unwrap();
    until("the light side has blocks", &[&a, &b], || is_confirmed(&b, &light)).await;
    a.stop_mining();
    let waiting = a.pay(id(7), amount(20), amount(1)).await.unwrap();
    until("and something that waits", &[&b], || b.shared().chain().find(&waiting).unwrap() == Whereabouts::Waiting)
        .await;
    let work = a.shared().chain().work();

    c.mine(Duration::ZERO).unwrap();
    let heavy = c.pay(id(8), amount(30), amount(1)).await.unwrap();
    until("the other side has more", &[&c, &d], || is_confirmed(&d, &heavy) && d.shared().chain().work() > work).await;
    c.stop_mining();
    until("the heavy side agrees", &[&c, &d], || is_one_tip(&[&c, &d])).await;
    let tip = c.shared().chain().tip();

    b.node().connect(&address(&d)).await.unwrap();
    until("all are on the heavier side", &all, || all.iter().all(|peer| peer.shared().chain().tip() == tip)).await;
    let holds = |peer: &&Peer, id: &sealnet::envelope::EnvelopeId| {
        peer.shared().chain().find(id).is_ok_and(|found| found != Whereabouts::Unknown)
    };
    until("both halves hold all transfers", &all, || {
        all.iter().all(|peer| [light, waiting, heavy].iter().all(|id| holds(peer, id)))
    })
    .await;
    assert!(a.shared().chain().facts().reorganisations > 0);
    // Whoever mines next brings them into the chain; here the side that had never seen them.
    d.mine(Duration::ZERO).unwrap();
    until("all are confirmed everywhere", &all, || {
        all.iter().all(|peer| [light, waiting, heavy].iter().all(|id| is_confirmed(peer, id)))
    })
    .await;
    d.stop_mining();
    for peer in all {
        assert!(peer.shared().chain().is_supply_right());
        peer.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newcomer_catches_up_over_the_network() {
    let genesis = genesis_with("");
    let (a, b) = (start(0, &genesis, &[]).await, shared(&genesis));
    (0..3_000).for_each(|_| drop(grow(&mut a.shared().chain(), 9)));
    let newcomer = Peer::start(builder(1, &[address(&a)]), b).await.unwrap();
    until("it has the chain", &[&newcomer], || is_one_tip(&[&a, &newcomer])).await;
    a.stop().await;
    newcomer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_blocks_and_transfers_reach_nobody_and_valid_ones_do() {
    let genesis = genesis_with("");
    let honest = start(0, &genesis, &[]).await;
    // It has no application, and says whatever it likes.
    let other = builder(1, &[address(&honest)]).start().await.unwrap();
    until("they are linked", &[&honest], || honest.node().links().len() == 1).await;
    let mut heard = honest.node().subscribe_all();
    let chain = chain_of(&genesis);
    let good = crate::stage::mine(&chain, 9);
    let bad = crate::stage::forge(&chain, |_, coinbase, _| coinbase.amount = amount(1_000_000));
    let overdraft = serde_json::json!({"chain": genesis.hash(), "to": id(5), "amount": 0, "fee": 1, "nonce": 0});
    other.broadcast(title::BLOCK, bad.bytes.clone()).await.unwrap();
    other.broadcast("blockchain/transfer", overdraft).await.unwrap();
    other.broadcast("blockchain/unheard-of", "x").await.unwrap();
    other.broadcast(title::BLOCK, good.bytes.clone()).await.unwrap();
    let item = tokio::time::timeout(PATIENCE, heard.next()).await.unwrap();
    let Some(Item::Broadcast(message)) = item else { panic!("{item:?}") };
    assert_eq!(
        (message.title(), message.message()),
        (title::BLOCK, good.bytes),
        "the first that is kept is the good one"
    );
    assert_eq!(honest.shared().chain().tip(), good.hash);
    other.stop().await;
    honest.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_node_pays_and_follows_the_transfer_to_six_confirmations() {
    let genesis = genesis();
    let a = start(0, &genesis, &[]).await;
    let b = start(1, &genesis, &[address(&a)]).await;
    until("they are linked", &[&a, &b], || b.node().links().len() == 1).await;
    // A made-up identity asks; the transfer is signed by whose money it is.
    let wallet = builder(20, &[]).start().await.unwrap();
    let server = wallet.connect(&address(&a)).await.unwrap();
    let transfer = crate::stage::pay(&chain_of(&genesis), 2, 3, 250, 2, 0);
    let submit = || async { wallet.request(&server, title::SUBMIT, transfer.as_bytes().clone()).await };
    assert_eq!(submit().await.unwrap().into_bytes(), transfer.id().to_string());
    let refused = submit().await.unwrap_err().to_string();
    assert!(refused.contains("already-known"), "{refused}");
    let is_waiting = || b.shared().chain().find(&transfer.id()).unwrap() == Whereabouts::Waiting;
    until("the other node has it", &[&b], is_waiting).await;

    let question = Question::Transfer { id: transfer.id().to_string() };
    let mut seen = Vec::new();
    let following = async {
        while seen.last().is_none_or(|confirmations| *confirmations < 6) {
            let entry: Entry = wallet.request(&server, title::ASK, Json(&question)).await.unwrap().json().unwrap();
            assert_eq!((entry.from, entry.to, entry.amount), (Some(id(2)), id(3), amount(250)));
            let confirmations = entry.confirmed.map_or(0, |confirmed| confirmed.confirmations);
            if seen.last() != Some(&confirmations) {
                seen.push(confirmations);
            }
            if seen == [0] {
                b.mine(Duration::ZERO).unwrap();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, following).await.expect("it gets six confirmations");
    assert!(seen[0] == 0 && seen.is_sorted(), "{seen:?}");
    b.stop_mining();
    wallet.stop().await;
    a.stop().await;
    b.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_chains_in_one_network_do_not_mix_and_nobody_is_blamed() {
    // One of them wants less work and allows larger blocks.
    let (one, other) = (genesis(), genesis_with("difficulty = 10_000\nblock_time_ms = 200\nmax_block_bytes = 131_000"));
    let a = start(0, &one, &[]).await;
    let b = start(1, &other, &[address(&a)]).await;
    let c = start(2, &one, &[address(&a)]).await;
    let d = start(5, &other, &[address(&a)]).await;
    let all = [&a, &b, &c, &d];
    until("everybody is linked", &all, || all.iter().all(|peer| peer.node().links().len() == 3)).await;
    let runs = |peer: &Peer, genesis: &Genesis| {
        a.node().peers_running(title::APP).contains(&(peer.node().id(), genesis.version()))
    };
    until("their versions are known", &all, || runs(&b, &other) && runs(&c, &one) && runs(&d, &other)).await;
    a.mine(Duration::ZERO).unwrap();
    b.mine(Duration::ZERO).unwrap();
    let (first, second) =
        (a.pay(id(7), amount(10), amount(1)).await.unwrap(), b.pay(id(8), amount(10), amount(1)).await.unwrap());
    let heights = || [c.shared().chain().height(), d.shared().chain().height()];
    until("both chains go on", &all, || {
        is_confirmed(&c, &first) && is_confirmed(&d, &second) && heights().iter().all(|height| *height > 5)
    })
    .await;
    a.stop_mining();
    b.stop_mining();
    until("each has one tip", &all, || is_one_tip(&[&a, &c]) && is_one_tip(&[&b, &d])).await;
    for (peer, foreign) in [(&a, &second), (&c, &second), (&b, &first), (&d, &first)] {
        assert_eq!(peer.shared().chain().find(foreign).unwrap(), Whereabouts::Unknown);
        assert_eq!(peer.node().links().len(), 3, "they stay neighbours");
    }
    for peer in all {
        peer.stop().await;
    }
}
