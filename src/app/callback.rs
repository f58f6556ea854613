//! One callback for everything: the predecessors' second way to build on a node.

use crate::node::{Event, Item, Node};

/// Calls `callback` for what happens at `node`, on a task of its own, until the node is gone.
pub(super) fn spawn(mut callback: impl FnMut(&Node, Event) + Send + 'static, node: &Node) {
    let (mut events, mut messages) = (node.events(), node.subscribe_all());
    if let Ok(from_the_first) = node.subscribe_all().after(node.began()) {
        messages = from_the_first;
    }
    let node = node.downgrade();
    tokio::spawn(async move {
        loop {
            let event = tokio::select! {
                event = events.next() => match event {
                    // Those of the log are complete; these may be missed.
                    Some(Event::Message(_)) => continue,
                    Some(event) => event,
                    None => return,
                },
                item = messages.next() => match item {
                    Some(Item::Broadcast(broadcast)) => Event::Message(broadcast),
                    Some(Item::Missed { count }) => Event::Missed(count),
                    None => return,
                },
            };
            let Some(node) = node.upgrade() else { return };
            callback(&node, event);
        }
    });
}
