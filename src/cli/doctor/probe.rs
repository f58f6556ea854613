//! Knocks at a genesis node's door, as somebody who has never been there.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::config::Config;
use crate::envelope::Timestamp;
use crate::identity::{Identity, NetworkKey, NodeAddress, NodeId};
use crate::link::{Halves, LinkError, NoiseChannel, Outbox, connect};
use crate::wire::{Goodbye, GoodbyeCode, Hello};

/// A machine that is there answers within this time.
const CONNECT: Duration = Duration::from_secs(4);
/// The proof of who is there takes no longer.
const HANDSHAKE: Duration = Duration::from_secs(12);
/// So many genesis nodes are looked at.
const MOST: usize = 16;

/// What answers at an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// Its host has no address.
    UnknownHost,
    /// Nobody takes the connection.
    Unreachable(String),
    /// A node with another key.
    SomebodyElse(NodeId),
    /// A node of another network.
    OtherNetwork,
    /// The connection is closed without a word, with this node's settings; without the network key it is not.
    WantsNoNetworkKey,
    /// The connection is closed without a word.
    Silent,
    /// A node of this network that said good-bye at once.
    SentAway(Goodbye),
    /// A node of this network.
    Member { id: NodeId, agent: String, version: u64, ahead: i128 },
    /// Something else happened.
    Odd(String),
}

/// Looks at them all at once; gives what it saw in their order.
pub(super) async fn all(config: &Config, genesis: &[NodeAddress]) -> Vec<(NodeAddress, Seen)> {
    let network_key = config.network_key().and_then(|file| NetworkKey::load(file).ok()).map(Arc::new);
    if config.is_plain() {
        return Vec::new();
    }
    let mut looking = JoinSet::new();
    for (place, address) in genesis.iter().take(MOST).cloned().enumerate() {
        let (hash, key) = (config.network_hash(), network_key.clone());
        looking.spawn(async move {
            let seen = match one(&address, hash, key.as_deref()).await {
                Seen::Silent if key.is_some() => match one(&address, hash, None).await {
                    Seen::Silent | Seen::Unreachable(_) => Seen::Silent,
                    _ => Seen::WantsNoNetworkKey,
                },
                seen => seen,
            };
            (place, address, seen)
        });
    }
    let mut all = looking.join_all().await;
    all.sort_unstable_by_key(|(place, ..)| *place);
    all.into_iter().map(|(_, address, seen)| (address, seen)).collect()
}

async fn one(address: &NodeAddress, network: crate::identity::NetworkHash, key: Option<&NetworkKey>) -> Seen {
    let resolved = timeout(CONNECT, tokio::net::lookup_host((address.host(), address.port()))).await;
    let Ok(Ok(resolved)) = resolved else { return Seen::UnknownHost };
    let mut outcome = Seen::UnknownHost;
    for remote in resolved {
        let stream = match timeout(CONNECT, TcpStream::connect(remote)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                outcome = Seen::Unreachable(error.to_string());
                continue;
            }
            Err(_) => {
                outcome = Seen::Unreachable("nothing answers".to_owned());
                continue;
            }
        };
        let handshake = timeout(HANDSHAKE, knock(stream, address, network, key)).await;
        return handshake.unwrap_or_else(|_| Seen::Odd("it takes the connection and says nothing".to_owned()));
    }
    outcome
}

async fn knock(
    stream: TcpStream,
    address: &NodeAddress,
    network: crate::identity::NetworkHash,
    key: Option<&NetworkKey>,
) -> Seen {
    // Somebody new: the node itself may be linked there, and a second link of it would be a nuisance.
    let channel = Identity::generate()
        .map_err(|error| error.to_string())
        .and_then(|identity| NoiseChannel::new(Arc::new(identity), network, key).map_err(|error| error.to_string()));
    let channel = match channel {
        Ok(channel) => channel,
        Err(error) => return Seen::Odd(error),
    };
    let hello = Hello::new("sealnet-doctor", Timestamp::now());
    match connect(&channel, Halves::from(stream), address.id(), &hello, &|_| true).await {
        Ok(link) => {
            let now = Timestamp::now();
            let ahead = i128::from(link.hello.time.as_micros()) - i128::from(now.as_micros());
            let seen =
                Seen::Member { id: link.peer, agent: link.hello.agent.clone(), version: link.hello.max_version, ahead };
            let outbox = Outbox::default();
            outbox.close(Some(Goodbye::new(GoodbyeCode::VisitDone, "")));
            // Whether the good-bye arrives makes no difference here.
            let _ = link.writer.run(outbox).await;
            seen
        }
        Err(LinkError::WrongIdentity { found, .. }) => Seen::SomebodyElse(found),
        // Message 2 is the first that depends on the network's name.
        Err(LinkError::Handshake(_) | LinkError::WrongNetwork) => Seen::OtherNetwork,
        Err(LinkError::Closed | LinkError::WrongPreamble(_)) => Seen::Silent,
        Err(LinkError::Goodbye(goodbye)) => Seen::SentAway(goodbye),
        Err(error) => Seen::Odd(error.to_string()),
    }
}
