//! Three secure nodes in one program find each other through the first, and each hears what all say: with streams.
//! [`hello_app`](hello_app.rs) and [`hello_callback`](hello_callback.rs) do the same in the two other ways.
//!
//! ```sh
//! cargo run --example hello
//! ```

use std::collections::BTreeSet;
use std::error::Error;
use std::time::Duration;

use sealnet::identity::{Identity, NodeAddress};
use sealnet::node::{Item, SecureNode};
use sealnet::overlay::Settings;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tokio::time::timeout(Duration::from_secs(60), hello()).await?
}

async fn hello() -> Result<(), Box<dyn Error>> {
    // The first node needs nobody. A program of yours would load its key: Identity::load("keys/peer.pem".as_ref())?
    let first = start(None).await?;
    let genesis = first.address();
    let nodes = [first, start(genesis.clone()).await?, start(genesis).await?];

    // Whoever subscribes before something is said hears it live; from_start() gives what was kept, too.
    let mut streams = Vec::new();
    for node in &nodes {
        streams.push(node.subscribe("hello")?);
    }
    for (number, node) in (1..).zip(&nodes) {
        let receipt = node.broadcast("hello", format!("hello from node {number}")).await?;
        println!("node {number} said {:#}: {receipt}", receipt.id);
    }
    for (number, stream) in (1..).zip(&mut streams) {
        let mut heard = BTreeSet::new();
        while heard.len() < nodes.len() {
            let Item::Broadcast(message) = stream.next().await.ok_or("the node has stopped")? else { continue };
            println!("node {number} heard {:#}: {}", message.sender(), message.text().unwrap_or_default());
            heard.insert(message.sender());
        }
    }
    for node in &nodes {
        node.stop().await;
    }
    Ok(())
}

async fn start(genesis: Option<NodeAddress>) -> Result<SecureNode, Box<dyn Error>> {
    let builder = SecureNode::builder("hello".parse()?, Identity::generate()?)
        .listen("127.0.0.1:0".parse()?) // port 0: whichever is free
        .overlay(Settings::local()); // everything on this machine
    let builder = genesis.into_iter().fold(builder, |builder, genesis| builder.genesis(genesis));
    Ok(builder.start().await?)
}
