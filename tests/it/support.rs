//! What the tests of whole networks share: nodes on loopback, and waiting for facts instead of for time.

use std::future::Future;
use std::time::Duration;

use sealnet::identity::{Identity, NodeAddress};
use sealnet::node::{Item, Node, SecureNode, Subscription};
use sealnet::overlay::Settings;

/// Longer than anything here takes; reached only when something is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);

/// Fails the test, saying what did not happen, instead of letting it hang.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("did not happen within {PATIENCE:?}: {what}"),
    }
}

/// Waits until `fact` holds: looks again whenever something happens at one of the nodes, and every now and then, since
/// some facts come true without an event.
pub(crate) async fn until(what: &str, nodes: &[&Node], fact: impl Fn() -> bool) {
    let (happened, mut something) = tokio::sync::mpsc::channel(1);
    let mut watchers = tokio::task::JoinSet::new();
    for node in nodes {
        let (mut events, happened) = (node.events(), happened.clone());
        watchers.spawn(async move {
            while events.next().await.is_some() {
                // A full channel says the same.
                let _ = happened.try_send(());
            }
        });
    }
    let wait = async {
        while !fact() {
            let _ = tokio::time::timeout(Duration::from_millis(50), something.recv()).await;
        }
    };
    within(what, wait).await;
    // Nobody listens to the nodes any more when this returns.
    watchers.shutdown().await;
}

/// An identity for tests: everybody can make it again.
pub(crate) fn identity(n: u8) -> Identity {
    Identity::from_seed(&[n; 32])
}

/// A secure node in preset `local` on a free port of loopback.
pub(crate) async fn node(n: u8, genesis: &[NodeAddress]) -> SecureNode {
    let mut builder = SecureNode::builder("test".parse().unwrap(), identity(n))
        .listen("127.0.0.1:0".parse().unwrap())
        .overlay(Settings::local());
    for address in genesis {
        builder = builder.genesis(address.clone());
    }
    builder.start().await.unwrap()
}

/// A genesis node, and `count - 1` more that join through it at once.
pub(crate) async fn network(count: u8) -> Vec<SecureNode> {
    let genesis = node(1, &[]).await;
    let address = genesis.address().unwrap();
    let mut nodes = vec![genesis];
    for n in 2..=count {
        nodes.push(node(n, std::slice::from_ref(&address)).await);
    }
    joined(&nodes).await;
    nodes
}

/// Waits until everybody knows everybody.
pub(crate) async fn joined(nodes: &[SecureNode]) {
    let all: Vec<&Node> = nodes.iter().map(|node| &**node).collect();
    let count = nodes.len();
    let linked = |node: &Node| count == 1 || node.links().len() >= 2.min(count - 1);
    until("everybody knows everybody", &all, || all.iter().all(|node| node.members().len() == count && linked(node)))
        .await;
}

/// The next broadcast as text; fails if something was missed.
pub(crate) async fn next_text(subscription: &mut Subscription) -> String {
    match within("a broadcast", subscription.next()).await {
        Some(Item::Broadcast(broadcast)) => broadcast.text().unwrap(),
        other => panic!("{other:?}"),
    }
}
