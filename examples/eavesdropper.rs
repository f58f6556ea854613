//! What somebody on the wire reads: the same conversation on a plain and on a secure network, both through a tap.
//!
//! ```sh
//! cargo run --example eavesdropper
//! ```

use std::sync::{Arc, Mutex};

use sealnet::identity::{Identity, NodeAddress};
use sealnet::node::{Item, Node, SecureNode};
use sealnet::overlay::Settings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

type Error = Box<dyn std::error::Error>;
type Tape = Arc<Mutex<Vec<u8>>>;

const SECRET: &str = "the treasure lies under the third oak";

#[tokio::main]
async fn main() -> Result<(), Error> {
    for secure in [false, true] {
        let first = start(secure, None).await?;
        // The second node knows the first only at the tap's address: every byte between them goes through it.
        let (tapped, tape) = tap(first.address().ok_or("the first node listens")?).await?;
        let second = start(secure, Some(tapped)).await?;
        let mut heard = first.subscribe("secrets")?.from_start();
        second.broadcast("secrets", SECRET).await?;
        let Some(Item::Broadcast(message)) = heard.next().await else { return Err("nothing was heard".into()) };
        assert_eq!(message.text().as_deref(), Some(SECRET));
        first.stop().await;
        second.stop().await;
        show(secure, &tape.lock().map_err(|_| "the tape is broken")?);
    }
    Ok(())
}

async fn start(secure: bool, genesis: Option<NodeAddress>) -> Result<Node, Error> {
    // The second node listens nowhere, so that nobody can reach it but through the tap.
    let listen = if genesis.is_none() { Some("127.0.0.1:0".parse()?) } else { None };
    if secure {
        let mut builder = SecureNode::builder("oaks".parse()?, Identity::generate()?).overlay(Settings::local());
        builder = genesis.into_iter().fold(builder, |builder, at| builder.genesis(at));
        builder = listen.into_iter().fold(builder, |builder, at| builder.listen(at));
        Ok(builder.start().await?.into())
    } else {
        let mut builder = Node::builder("oaks".parse()?)?.overlay(Settings::local());
        builder = genesis.into_iter().fold(builder, |builder, at| builder.genesis(at));
        builder = listen.into_iter().fold(builder, |builder, at| builder.listen(at));
        Ok(builder.start().await?)
    }
}

/// Listens in the place of `target`, passes everything on in both directions, and keeps a copy.
async fn tap(target: NodeAddress) -> Result<(NodeAddress, Tape), Error> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let here = NodeAddress::new(target.id(), &listener.local_addr()?.to_string())?;
    let tape = Tape::default();
    let recording = tape.clone();
    tokio::spawn(async move {
        while let Ok((caller, _)) = listener.accept().await {
            let Ok(called) = TcpStream::connect((target.host(), target.port())).await else { return };
            let (from_caller, to_caller) = caller.into_split();
            let (from_called, to_called) = called.into_split();
            for (mut from, mut to) in [(from_caller, to_called), (from_called, to_caller)] {
                let recording = recording.clone();
                tokio::spawn(async move {
                    let mut buffer = vec![0; 4096];
                    while let Ok(count @ 1..) = from.read(&mut buffer).await {
                        if let Ok(mut tape) = recording.lock() {
                            tape.extend_from_slice(&buffer[..count]);
                        }
                        if to.write_all(&buffer[..count]).await.is_err() {
                            return;
                        }
                    }
                });
            }
        }
    });
    Ok((here, tape))
}

fn show(secure: bool, tape: &[u8]) {
    let network = if secure { "the secure network" } else { "the plain network" };
    println!("-- {network}: {} bytes on the wire; what can be read of them:", tape.len());
    // Eight printable characters in a row are hardly ever chance.
    let printable = |byte: &u8| byte.is_ascii_graphic() || *byte == b' ';
    let texts: Vec<_> = tape.split(|byte| !printable(byte)).filter(|text| text.len() >= 8).collect();
    for text in &texts {
        println!("   {}", String::from_utf8_lossy(&text[..text.len().min(110)]));
    }
    let found = tape.windows(SECRET.len()).any(|window| window == SECRET.as_bytes());
    println!(
        "   {} readable pieces; the secret is {}\n",
        texts.len(),
        if found { "among them" } else { "not among them" }
    );
    assert_eq!(found, !secure, "a plain wire tells everything, a secure one nothing");
}
