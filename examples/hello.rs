//! Three secure nodes in one program: they find each other through the first, and each hears what the others say.
//!
//! ```sh
//! cargo run --example hello
//! ```

use sealnet::identity::Identity;
use sealnet::node::{Item, SecureNode};
use sealnet::overlay::Settings;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The first node needs nobody. A program of yours would load its key: Identity::load("keys/peer.pem".as_ref())?
    let first = start(Identity::generate()?, None).await?;
    let genesis = first.address().ok_or("the first node does not listen")?;
    let mut nodes = vec![first];
    for _ in 0..2 {
        nodes.push(start(Identity::generate()?, Some(&genesis)).await?);
    }

    // Whoever subscribes before something is said hears it live; from_start() gives what was kept, too.
    let mut heard = Vec::new();
    for node in &nodes {
        heard.push(node.subscribe("hello")?);
    }
    for (number, node) in nodes.iter().enumerate() {
        let receipt = node.broadcast("hello", format!("hello from node {}", number + 1)).await?;
        println!("node {} said {:#}, handed to {} neighbours", number + 1, receipt.id, receipt.neighbours);
    }
    for (number, subscription) in heard.iter_mut().enumerate() {
        for _ in 0..nodes.len() {
            if let Some(Item::Broadcast(broadcast)) = subscription.next().await {
                let text = broadcast.text().unwrap_or_default();
                println!("node {} heard {:#}: {text}", number + 1, broadcast.sender());
            }
        }
    }
    for node in &nodes {
        node.stop().await;
    }
    Ok(())
}

async fn start(
    identity: Identity,
    genesis: Option<&sealnet::identity::NodeAddress>,
) -> Result<SecureNode, Box<dyn std::error::Error>> {
    let mut builder = SecureNode::builder("hello".parse()?, identity)
        .listen("127.0.0.1:0".parse()?) // port 0: whichever is free
        .overlay(Settings::local()); // everything on this machine
    if let Some(genesis) = genesis {
        builder = builder.genesis(genesis.clone());
    }
    Ok(builder.start().await?)
}
