//! iroh-gossip over QUIC, as it is or with signatures above it.
//!
//! No relay, no discovery service: every endpoint is told every other's address on loopback. It makes its own graph
//! (HyParView); the active view is that of the other systems' degree. Raised: the size of messages, and how many events may
//! wait for an application.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use iroh::address_lookup::memory::MemoryLookup;
use iroh::endpoint::presets;
use iroh::protocol::Router;
use iroh::{Endpoint, EndpointId, RelayMode, SecretKey};
use iroh_gossip::ALPN;
use iroh_gossip::api::{Event, GossipReceiver, GossipSender, JoinOptions};
use iroh_gossip::net::Gossip;
use iroh_gossip::proto::{HyparviewConfig, TopicId};
use libp2p::futures::StreamExt;

use super::{Plan, System};
use crate::failure::{Outcome, said};
use crate::graph::DEGREE;
use crate::tally::Board;

const TOPIC: TopicId = TopicId::from_bytes([7; 32]);
const MESSAGE_BYTES: usize = 64 << 10;
const EVENTS: usize = 1 << 20;
const LINKED_WITHIN: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// As it is.
pub(crate) struct IrohGossip(Nodes);

/// With an Ed25519 signature made above it, and verified before the application gets a message.
pub(crate) struct IrohGossipSigned(Nodes);

impl System for IrohGossip {
    async fn start(plan: &Plan, board: &Arc<Board>) -> Outcome<Self> {
        Ok(IrohGossip(Nodes::start(plan, board, false).await?))
    }

    async fn publish(&self, place: usize, content: Bytes) -> Outcome<()> {
        self.0.nodes[place].sender.broadcast(content).await?;
        Ok(())
    }

    async fn links(&self) -> Vec<usize> {
        self.0.links()
    }
}

impl System for IrohGossipSigned {
    async fn start(plan: &Plan, board: &Arc<Board>) -> Outcome<Self> {
        Ok(IrohGossipSigned(Nodes::start(plan, board, true).await?))
    }

    async fn publish(&self, place: usize, content: Bytes) -> Outcome<()> {
        let node = &self.0.nodes[place];
        node.sender.broadcast(sealed(&node.signer, &content)).await?;
        Ok(())
    }

    async fn links(&self) -> Vec<usize> {
        self.0.links()
    }
}

struct Nodes {
    nodes: Vec<Member>,
}

struct Member {
    sender: GossipSender,
    signer: SigningKey,
    id: EndpointId,
    neighbours: Arc<Mutex<BTreeSet<EndpointId>>>,
    _router: Router,
}

impl Nodes {
    async fn start(plan: &Plan, board: &Arc<Board>, is_signed: bool) -> Outcome<Nodes> {
        let (lookup, mut endpoints) = (MemoryLookup::new(), Vec::new());
        for place in 0..plan.nodes {
            let endpoint = Endpoint::builder(presets::Minimal)
                .secret_key(SecretKey::from_bytes(&plan.identity(place)))
                .relay_mode(RelayMode::Disabled)
                .address_lookup(lookup.clone())
                .clear_ip_transports()
                .bind_addr("127.0.0.1:0")?
                .bind()
                .await?;
            lookup.add_endpoint_info(endpoint.addr());
            endpoints.push(endpoint);
        }
        let ids: Vec<EndpointId> = endpoints.iter().map(Endpoint::id).collect();
        let signers: Vec<SigningKey> = (0..plan.nodes).map(|at| SigningKey::from_bytes(&plan.identity(at))).collect();
        let keys: Arc<BTreeMap<[u8; 32], VerifyingKey>> = Arc::new(
            signers.iter().map(|signer| (signer.verifying_key().to_bytes(), signer.verifying_key())).collect(),
        );
        let mut nodes = Vec::new();
        for (place, (endpoint, signer)) in endpoints.into_iter().zip(signers).enumerate() {
            let view = HyparviewConfig { active_view_capacity: DEGREE, ..HyparviewConfig::default() };
            let gossip =
                Gossip::builder().max_message_size(MESSAGE_BYTES).membership_config(view).spawn(endpoint.clone());
            let router = Router::builder(endpoint).accept(ALPN, gossip.clone()).spawn();
            // Whom to dial: the neighbours of the graph that are there already, or the first node alone.
            let bootstrap: BTreeSet<EndpointId> = match plan.by_itself {
                true => ids.iter().take(place.min(1)).copied().collect(),
                false => plan.graph.neighbours(place).filter(|other| *other < place).map(|other| ids[other]).collect(),
            };
            let options = JoinOptions { bootstrap, subscription_capacity: EVENTS };
            let (sender, receiver) = gossip.subscribe_with_opts(TOPIC, options).await?.split();
            let neighbours = Arc::default();
            let reader = Reader {
                board: board.clone(),
                place,
                neighbours: Arc::clone(&neighbours),
                keys: is_signed.then(|| keys.clone()),
            };
            tokio::spawn(reader.read(receiver));
            nodes.push(Member { sender, signer, id: ids[place], neighbours, _router: router });
        }
        let nodes = Nodes { nodes };
        nodes.linked().await?;
        Ok(nodes)
    }

    fn links(&self) -> Vec<usize> {
        self.nodes.iter().map(|node| node.neighbours().len()).collect()
    }

    /// Waits until every node can be reached from the first over the neighbours that they name.
    async fn linked(&self) -> Outcome<()> {
        let deadline = Instant::now() + LINKED_WITHIN;
        while !self.is_connected() {
            if Instant::now() >= deadline {
                return Err(said("the nodes of iroh-gossip are not linked"));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    fn is_connected(&self) -> bool {
        let by_id: BTreeMap<EndpointId, &Member> = self.nodes.iter().map(|node| (node.id, node)).collect();
        let (mut reached, mut waiting) = (BTreeSet::new(), vec![self.nodes[0].id]);
        while let Some(id) = waiting.pop() {
            if reached.insert(id) {
                waiting.extend(by_id.get(&id).map(|node| node.neighbours()).into_iter().flatten());
            }
        }
        reached.len() == self.nodes.len()
    }
}

impl Member {
    fn neighbours(&self) -> BTreeSet<EndpointId> {
        self.neighbours.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// One node's application.
struct Reader {
    board: Arc<Board>,
    place: usize,
    neighbours: Arc<Mutex<BTreeSet<EndpointId>>>,
    /// Everybody's key, decoded once, where messages are signed.
    keys: Option<Arc<BTreeMap<[u8; 32], VerifyingKey>>>,
}

impl Reader {
    async fn read(self, mut receiver: GossipReceiver) {
        while let Some(event) = receiver.next().await {
            let neighbours = || self.neighbours.lock().unwrap_or_else(PoisonError::into_inner);
            match event {
                Ok(Event::NeighborUp(id)) => drop(neighbours().insert(id)),
                Ok(Event::NeighborDown(id)) => drop(neighbours().remove(&id)),
                Ok(Event::Lagged) => eprintln!("iroh-gossip: node {} lost events", self.place),
                Ok(Event::Received(message)) => match &self.keys {
                    None => self.board.received(self.place, &message.content),
                    Some(keys) => match opened(keys, &message.content) {
                        Some(content) => self.board.received(self.place, content),
                        None => eprintln!("iroh-gossip: node {} got a message with a wrong signature", self.place),
                    },
                },
                Err(why) => return eprintln!("iroh-gossip: node {} ended: {why}", self.place),
            }
        }
    }
}

/// Sender, signature, content.
fn sealed(signer: &SigningKey, content: &[u8]) -> Bytes {
    let signature = signer.sign(content).to_bytes();
    let mut message = Vec::with_capacity(32 + 64 + content.len());
    message.extend_from_slice(signer.verifying_key().as_bytes());
    message.extend_from_slice(&signature);
    message.extend_from_slice(content);
    message.into()
}

/// The content, if a known sender signed it.
fn opened<'a>(keys: &BTreeMap<[u8; 32], VerifyingKey>, message: &'a [u8]) -> Option<&'a [u8]> {
    let (sender, rest) = message.split_first_chunk::<32>()?;
    let (signature, content) = rest.split_first_chunk::<64>()?;
    keys.get(sender)?.verify_strict(content, &Signature::from_bytes(signature)).ok()?;
    Some(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_altered_on_the_way_is_not_opened() {
        let signer = SigningKey::from_bytes(&[1; 32]);
        let keys = [(signer.verifying_key().to_bytes(), signer.verifying_key())].into();
        let message = sealed(&signer, b"content");
        assert_eq!(opened(&keys, &message), Some(&b"content"[..]));
        for at in 0..message.len() {
            let mut altered = message.to_vec();
            altered[at] ^= 1;
            assert_eq!(opened(&keys, &altered), None, "byte {at}");
        }
    }
}
