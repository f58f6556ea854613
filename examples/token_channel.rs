//! A channel of one's own: a network whose nodes open links only with nodes that hold the same token, whatever else these
//! know. Four nodes in one program; the object at the end says who got a link.
//!
//! ```sh
//! cargo run --example token_channel
//! ```
//!
//! It stands for whatever a company has anyway: a ticket, a second factor, a licence. If a secret that all members share is
//! all that is wanted, `network_key` is built in, and hides who is asked as well.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sealnet::identity::{Identity, NodeId};
use sealnet::link::{Admit, Channel, Halves, LinkError, Opening, Secured};
use sealnet::node::{Item, SecureNode};
use sealnet::overlay::Settings;
use sha2::Sha256;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Around the network's own channel: first each end sends a random number and then a MAC over both numbers and its own name,
/// without the name. Whose it is shows in the handshake inside, which proves identities: a MAC of somebody else's is of no use.
struct TokenChannel {
    inner: Arc<dyn Channel>,
    token: [u8; 32],
}

/// What the other end sent; it fits one identity or none.
struct Shown {
    mac: Hmac<Sha256>,
    tag: [u8; 32],
}

impl Shown {
    fn is_by(&self, peer: &NodeId) -> bool {
        self.mac.clone().chain_update(peer.as_bytes()).verify_slice(&self.tag).is_ok() // in constant time
    }

    /// What the channel inside made of it. One that proves nobody's identity, as a plain node's, is not enough.
    fn judge(&self, opened: Result<Secured, LinkError>) -> Result<Secured, LinkError> {
        let lacks_it = match &opened {
            Ok(secured) => !secured.peer().is_some_and(|peer| self.is_by(&peer)),
            Err(LinkError::Refused(peer)) => !self.is_by(peer),
            Err(_) => false,
        };
        if lacks_it {
            Err(LinkError::Io(io::Error::other("it does not hold the token of this network")))
        } else {
            opened
        }
    }
}

impl TokenChannel {
    async fn exchange(&self, halves: &mut Halves, dials: bool) -> Result<Shown, LinkError> {
        let (mut own, mut theirs) = ([0; 32], [0; 32]);
        getrandom::fill(&mut own).map_err(io::Error::other)?;
        halves.write.write_all(&own).await?;
        halves.write.flush().await?;
        halves.read.read_exact(&mut theirs).await?;
        let mac = |by_dialler: bool| {
            let numbers = if dials { [own, theirs] } else { [theirs, own] };
            let who: &[u8] = if by_dialler { b"token dialler" } else { b"token listener" };
            let mac = Hmac::<Sha256>::new_from_slice(&self.token).map_err(io::Error::other)?;
            Ok::<_, io::Error>(mac.chain_update(who).chain_update(numbers.concat()))
        };
        let tag = mac(dials)?.chain_update(self.own_id().as_bytes()).finalize().into_bytes();
        halves.write.write_all(&tag).await?;
        halves.write.flush().await?;
        let mut tag = [0; 32];
        halves.read.read_exact(&mut tag).await?;
        Ok(Shown { mac: mac(!dials)?, tag })
    }
}

impl Channel for TokenChannel {
    fn own_id(&self) -> NodeId {
        self.inner.own_id()
    }

    // The channel inside asks `admit` as soon as it knows who is there, the dialler before it has said who it is.
    fn connect<'a>(&'a self, mut halves: Halves, expected: Option<NodeId>, admit: &'a Admit<'a>) -> Opening<'a> {
        Box::pin(async move {
            let shown = self.exchange(&mut halves, true).await?;
            shown.judge(self.inner.connect(halves, expected, &|peer| shown.is_by(peer) && admit(peer)).await)
        })
    }

    fn accept<'a>(&'a self, mut halves: Halves, admit: &'a Admit<'a>) -> Opening<'a> {
        Box::pin(async move {
            let shown = self.exchange(&mut halves, false).await?;
            shown.judge(self.inner.accept(halves, &|peer| shown.is_by(peer) && admit(peer)).await)
        })
    }
}

impl fmt::Debug for TokenChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenChannel").field("inner", &self.inner).finish_non_exhaustive() // the token is nobody's business
    }
}

async fn start(token: Option<[u8; 32]>) -> Result<SecureNode, Box<dyn Error>> {
    let builder = SecureNode::builder("guarded".parse()?, Identity::generate()?).listen("127.0.0.1:0".parse()?);
    let builder = builder.overlay(Settings::local());
    let builder = match token {
        Some(token) => builder.channel_around(move |inner| TokenChannel { inner, token }),
        None => builder,
    };
    Ok(builder.start().await?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tokio::time::timeout(Duration::from_secs(60), guarded()).await?
}

async fn guarded() -> Result<(), Box<dyn Error>> {
    let mut token = [0; 32];
    getrandom::fill(&mut token)?;
    let [alice, bob] = [start(Some(token)).await?, start(Some(token)).await?];
    let [other, none] = [start(Some([7; 32])).await?, start(None).await?];

    let mut hears = bob.subscribe("guarded")?;
    alice.connect(&bob.address().ok_or("Bob does not listen")?).await?;
    alice.broadcast("guarded", "only for whoever holds the token").await?;
    let members_hear = matches!(hears.next().await, Some(Item::Broadcast(message)) if message.sender() == alice.id());

    for stranger in [&other, &none] {
        for (from, to) in [(stranger, &alice), (&alice, stranger)] {
            match from.connect(&to.address().ok_or("a node does not listen")?).await {
                Ok(_) => println!("{:#} has a link with {:#}", from.id(), to.id()),
                Err(error) => println!("{:#}: {error}", from.id()),
            }
        }
    }
    let strangers_links = other.links().len() + none.links().len();
    let object = serde_json::json!({ "members_hear": members_hear, "strangers_links": strangers_links });
    println!("{object}");
    for node in [&alice, &bob, &other, &none] {
        node.stop().await;
    }
    if members_hear && strangers_links == 0 { Ok(()) } else { Err("the token did not decide who gets a link".into()) }
}
