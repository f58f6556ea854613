//! Three secure nodes in one program, each with one callback for everything that happens at it.
//!
//! ```sh
//! cargo run --example hello_callback
//! ```

use std::collections::BTreeSet;
use std::error::Error;
use std::time::Duration;

use sealnet::identity::{Identity, NodeAddress, NodeId};
use sealnet::node::{Event, SecureNode};
use sealnet::overlay::Settings;
use tokio::sync::mpsc;

type WhoHeardWhom = mpsc::UnboundedSender<(NodeId, NodeId)>;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tokio::time::timeout(Duration::from_secs(60), hello()).await?
}

async fn hello() -> Result<(), Box<dyn Error>> {
    let (heard, mut pairs) = mpsc::unbounded_channel();
    let first = start(None, heard.clone()).await?;
    let genesis = first.address();
    let nodes = [first, start(genesis.clone(), heard.clone()).await?, start(genesis, heard).await?];
    for node in &nodes {
        node.broadcast("hello", "hello").await?;
    }
    let mut seen = BTreeSet::new();
    while seen.len() < nodes.len() * nodes.len() {
        seen.insert(pairs.recv().await.ok_or("the nodes have stopped")?);
    }
    for node in &nodes {
        node.stop().await;
    }
    Ok(())
}

async fn start(genesis: Option<NodeAddress>, heard: WhoHeardWhom) -> Result<SecureNode, Box<dyn Error>> {
    let builder = SecureNode::builder("hello".parse()?, Identity::generate()?)
        .listen("127.0.0.1:0".parse()?)
        .overlay(Settings::local())
        .on_event(move |node, event| match event {
            Event::LinkOpened { peer, direction, .. } => {
                println!("{:#}: link with {peer:#} ({direction:?})", node.id())
            }
            Event::Message(message) => {
                println!("{:#} heard {:#}: {}", node.id(), message.sender(), message.text().unwrap_or_default());
                let _ = heard.send((node.id(), message.sender()));
            }
            _ => {}
        });
    Ok(genesis.into_iter().fold(builder, |builder, genesis| builder.genesis(genesis)).start().await?)
}
