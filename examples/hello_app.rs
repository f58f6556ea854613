//! Three secure nodes in one program, each with an application: it has a say in what is relayed, and hears what all say.
//!
//! ```sh
//! cargo run --example hello_app
//! ```

use std::collections::BTreeSet;
use std::error::Error;
use std::time::Duration;

use sealnet::app::{Application, Context};
use sealnet::envelope::{Envelope, Verified};
use sealnet::identity::{Identity, NodeAddress, NodeId};
use sealnet::node::{Broadcast, SecureNode, Verdict};
use sealnet::overlay::Settings;
use tokio::sync::mpsc;

type WhoHeardWhom = mpsc::UnboundedSender<(NodeId, NodeId)>;
struct Hello(WhoHeardWhom);

impl Application for Hello {
    async fn check(&mut self, _: &Context, message: &Verified<Envelope>) -> Verdict {
        let is_text = std::str::from_utf8(&message.message()).is_ok();
        if is_text { Verdict::Accept } else { Verdict::Reject("a hello is text".into()) }
    }

    async fn received(&mut self, cx: &Context, message: Broadcast) {
        println!("{:#} heard {:#}: {}", cx.id(), message.sender(), message.text().unwrap_or_default());
        let _ = self.0.send((cx.id(), message.sender()));
    }
}

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
    let builder = SecureNode::builder("hello".parse()?, Identity::generate()?).listen("127.0.0.1:0".parse()?);
    let builder = builder.overlay(Settings::local()).app("hello", Hello(heard));
    Ok(genesis.into_iter().fold(builder, |builder, genesis| builder.genesis(genesis)).start().await?)
}
