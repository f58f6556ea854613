//! The base node does everything the secure one does, but for security; and the two never mix.

use sealnet::identity::NodeAddress;
use sealnet::node::{Event, Events, Node};
use sealnet::overlay::Settings;

use crate::support::{identity, next_text, node, until, within};

async fn plain(network: &str, genesis: &[NodeAddress]) -> Node {
    let builder = Node::builder(network.parse().unwrap()).unwrap();
    let mut builder = builder.listen("127.0.0.1:0".parse().unwrap()).overlay(Settings::local());
    for address in genesis {
        builder = builder.genesis(address.clone());
    }
    builder.start().await.unwrap()
}

async fn direct(events: &mut Events) -> (String, String) {
    let next = async {
        loop {
            if let Some(Event::Direct(message)) = events.next().await {
                return (message.title.to_string(), String::from_utf8(message.message.to_vec()).unwrap());
            }
        }
    };
    within("a direct message", next).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_node_does_all_that_a_secure_one_does() {
    let first = plain("plain", &[]).await;
    let genesis = [first.address().unwrap()];
    let (second, third) = (plain("plain", &genesis).await, plain("plain", &genesis).await);
    let all = [&first, &second, &third];
    until("everybody knows everybody", &all, || all.iter().all(|n| n.members().len() == 3 && n.links().len() == 2))
        .await;
    assert!(!first.is_secure() && first.address().unwrap().id().is_none());

    // Broadcasts, also one's own, each once.
    let mut heard: Vec<_> = all.iter().map(|node| node.subscribe("chat").unwrap()).collect();
    second.broadcast("chat", "to everybody").await.unwrap();
    for heard in &mut heard {
        assert_eq!(next_text(heard).await, "to everybody");
    }
    // One neighbour alone, all but some, and the round trip.
    let (mut at_first, mut at_third) = (first.events(), third.events());
    second.send_to(&first.id(), "note", "to one").await.unwrap();
    assert_eq!(direct(&mut at_first).await, ("note".into(), "to one".into()));
    let sent = second.send_to_neighbours("note", "to some", &[first.id()]).await.unwrap();
    assert!(matches!(&sent[..], [(peer, Ok(()))] if *peer == third.id()), "{sent:?}");
    assert_eq!(direct(&mut at_third).await, ("note".into(), "to some".into()));
    second.ping(&third.id()).await.unwrap();

    // Who comes late gets what was said; who leaves is gone; the others go on.
    let late = plain("plain", &genesis).await;
    let mut heard_late = late.subscribe("chat").unwrap().from_start();
    assert_eq!(next_text(&mut heard_late).await, "to everybody");
    first.stop().await;
    until("the first is gone", &[&second, &third, &late], || {
        [&second, &third, &late].iter().all(|node| node.members().len() == 3)
    })
    .await;
    third.broadcast("chat", "we go on").await.unwrap();
    assert_eq!(next_text(&mut heard_late).await, "we go on");
    assert_eq!(late.status().verifications, 0);
    for node in [second, third, late] {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_and_secure_nodes_of_one_name_never_link() {
    let secure = node(1, &[]).await;
    let open = plain("test", &[]).await;
    // In both directions, with and without the key that is expected.
    let at = |node: &Node, id| NodeAddress::new(id, &node.listen_address().unwrap().to_string()).unwrap();
    for address in [at(&secure, None), at(&secure, Some(secure.id()))] {
        open.connect(&address).await.unwrap_err();
    }
    for address in [at(&open, None), at(&open, Some(identity(9).id()))] {
        secure.connect(&address).await.unwrap_err();
    }
    assert!(secure.links().is_empty() && open.links().is_empty());
    assert_eq!((secure.members().len(), open.members().len()), (1, 1));
    // And whatever is said on one is not heard on the other.
    let mut heard = secure.subscribe("chat").unwrap();
    open.broadcast("chat", "plain").await.unwrap();
    secure.broadcast("chat", "secure").await.unwrap();
    assert_eq!(next_text(&mut heard).await, "secure");
}
