//! The same program on the plain network and on the secure one: Alice says something and leaves; then Sam comes, who would like
//! to be Alice. On a plain network anybody may call itself anything; on a secure one a name is a key.
//!
//! ```sh
//! cargo run --example plain
//! ```
//!
//! `sealnet run --plain` is such a node on the command line; `eavesdropper.rs` shows what else the plain one lacks.

use std::error::Error;
use std::time::Duration;

use sealnet::identity::{Identity, NodeAddress, NodeId};
use sealnet::node::{Broadcast, Item, Node, SecureNode, Subscription};
use sealnet::overlay::Settings;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// A plain node: it may claim any name.
async fn plain(claim: Option<NodeId>) -> Outcome<Node> {
    let mut builder = Node::builder("town".parse()?)?.listen("127.0.0.1:0".parse()?).overlay(Settings::local());
    if let Some(name) = claim {
        builder = builder.id(name);
    }
    Ok(builder.start().await?)
}

/// A secure node: its name is its key's public half, so there is nothing to claim.
async fn secure() -> Outcome<Node> {
    let builder = SecureNode::builder("town".parse()?, Identity::generate()?);
    Ok(builder.listen("127.0.0.1:0".parse()?).overlay(Settings::local()).start().await?.into())
}

/// The next message with this text.
async fn hear(stream: &mut Subscription, text: &str) -> Outcome<Broadcast> {
    loop {
        match stream.next().await.ok_or("the node has stopped")? {
            Item::Broadcast(message) if message.text().as_deref() == Some(text) => return Ok(message),
            _ => {}
        }
    }
}

/// Whether Bob takes what Sam is and says for Alice's.
struct Believed {
    link: bool,
    message: bool,
}

/// What is the same on both networks. `sam` is made when Alice's name is known.
async fn story(alice: Node, bob: Node, sam: impl AsyncFnOnce(NodeId) -> Outcome<Node>) -> Outcome<Believed> {
    let mut heard_by_bob = bob.subscribe("news")?;
    bob.connect(&alice.address().ok_or("Alice does not listen")?).await?;
    alice.broadcast("news", "the shop opens at nine").await?;
    let name = hear(&mut heard_by_bob, "the shop opens at nine").await?.sender();
    println!("  Bob hears {name:#}, who is Alice: the shop opens at nine");
    alice.stop().await;

    let sam = sam(name).await?;
    let listens = sam.listen_address().ok_or("Sam does not listen")?;
    let as_alice = NodeAddress::new(Some(name), &listens.to_string())?;
    let link = match bob.connect(&as_alice).await {
        Ok(peer) => {
            println!("  Bob calls Sam's address, asks for Alice, and has a link with {peer:#}");
            true
        }
        Err(error) => {
            println!("  Bob calls Sam's address, asks for Alice, and has {error}");
            bob.connect(&as_alice.without_id()).await?; // as whoever it is
            false
        }
    };
    sam.broadcast("news", "the shop is closed").await?;
    let sender = hear(&mut heard_by_bob, "the shop is closed").await?.sender();
    println!("  Bob hears {sender:#}: the shop is closed");
    for node in [&bob, &sam] {
        node.stop().await;
    }
    Ok(Believed { link, message: sender == name })
}

async fn both() -> Outcome<()> {
    println!("the plain network:");
    let on_plain = story(plain(None).await?, plain(None).await?, async |name| plain(Some(name)).await).await?;
    println!("the secure network:");
    let on_secure = story(secure().await?, secure().await?, async |_| secure().await).await?;
    let object = serde_json::json!({
        "plain": { "link_believed": on_plain.link, "message_believed": on_plain.message },
        "secure": { "link_believed": on_secure.link, "message_believed": on_secure.message },
    });
    println!("{object}");
    match (on_plain, on_secure) {
        (Believed { link: true, message: true }, Believed { link: false, message: false }) => Ok(()),
        _ => Err("the networks did not behave as they must".into()),
    }
}

#[tokio::main]
async fn main() -> Outcome<()> {
    tokio::time::timeout(Duration::from_secs(60), both()).await?
}
