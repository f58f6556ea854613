//! What somebody on the wire reads: the same words on a plain and on a secure network, through a proxy that records all.
//!
//! ```sh
//! cargo run --example eavesdropper
//! ```

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use sealnet::identity::{Identity, NodeAddress};
use sealnet::node::{Item, Node, SecureNode};
use sealnet::overlay::Settings;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const WORDS: &str = "dinner at eight, the key is under the mat";

type Error = Box<dyn std::error::Error>;
type Recording = Arc<Mutex<Vec<u8>>>;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let here: SocketAddr = "127.0.0.1:0".parse()?;

    // The base node: whoever knows the address is in.
    let plain = || Ok::<_, Error>(Node::builder("demo".parse()?)?.overlay(Settings::local()));
    let first = plain()?.listen(here).start().await?;
    let (wire, recording) = tap(first.listen_address().ok_or("it listens")?).await?;
    let second = plain()?.genesis(NodeAddress::new(None, &wire.to_string())?).start().await?;
    show("the plain network", &converse(&first, &second, &recording).await?);

    // The secure node: the same program but for two keys, and the id of the first that the second must find there.
    let secure = |identity| Ok::<_, Error>(SecureNode::builder("demo".parse()?, identity).overlay(Settings::local()));
    let first = secure(Identity::generate()?)?.listen(here).start().await?;
    let (wire, recording) = tap(first.listen_address().ok_or("it listens")?).await?;
    let second = secure(Identity::generate()?)?.genesis(NodeAddress::new(Some(first.id()), &wire.to_string())?);
    let second = second.start().await?;
    show("the secure network", &converse(&first, &second, &recording).await?);
    println!("(Among random bytes a few short strings come about by chance.)");
    Ok(())
}

/// The second node says something, the first hears it. Gives what passed on the wire meanwhile.
async fn converse(first: &Node, second: &Node, recording: &Recording) -> Result<Vec<u8>, Error> {
    let mut heard = first.subscribe("chat")?;
    second.broadcast("chat", WORDS).await?;
    let heard = heard.next().await;
    assert!(matches!(heard, Some(Item::Broadcast(message)) if message.text().as_deref() == Some(WORDS)));
    second.stop().await;
    first.stop().await;
    Ok(recording.lock().map_err(|_| "the recorder broke down")?.clone())
}

/// A wire with somebody on it: passes on what comes, both ways, and keeps a copy.
async fn tap(to: SocketAddr) -> Result<(SocketAddr, Recording), Error> {
    let (listener, recording) = (TcpListener::bind("127.0.0.1:0").await?, Recording::default());
    let (address, copy) = (listener.local_addr()?, recording.clone());
    tokio::spawn(async move {
        while let Ok((caller, _)) = listener.accept().await {
            let Ok(called) = TcpStream::connect(to).await else { return };
            let ((from_caller, to_caller), (from_called, to_called)) = (caller.into_split(), called.into_split());
            tokio::spawn(pass(from_caller, to_called, copy.clone()));
            tokio::spawn(pass(from_called, to_caller, copy.clone()));
        }
    });
    Ok((address, recording))
}

async fn pass(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, copy: Recording) {
    let mut bytes = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        if let Ok(mut copy) = copy.lock() {
            copy.extend_from_slice(&bytes[..count]);
        }
        if to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}

/// What the eavesdropper makes of it.
fn show(network: &str, recorded: &[u8]) {
    let is_text = |byte: &u8| matches!(byte, b' '..=b'~');
    let strings: Vec<_> = recorded.split(|byte| !is_text(byte)).filter(|text| text.len() >= 6).collect();
    let found = recorded.windows(WORDS.len()).position(|part| part == WORDS.as_bytes());
    println!("On the wire of {network}: {} bytes, {} readable strings.", recorded.len(), strings.len());
    for text in strings.iter().take(8) {
        let text = String::from_utf8_lossy(text);
        println!("    {}{}", text.get(..72).unwrap_or(&text), if text.len() > 72 { "…" } else { "" });
    }
    match found {
        Some(at) => println!("The words that were said stand there, at byte {at}:"),
        None => println!("The words that were said stand nowhere. The end of the recording:"),
    }
    let from = found.map_or(recorded.len().saturating_sub(64), |at| at & !15);
    for (row, bytes) in recorded[from..].chunks(16).take(4).enumerate() {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x} ")).collect();
        let text: String = bytes.iter().map(|byte| if is_text(byte) { char::from(*byte) } else { '.' }).collect();
        println!("    {:06x}  {hex:<48} {text}", from + row * 16);
    }
    println!();
}
