//! rust-libp2p's gossipsub over TCP, Noise and yamux.
//!
//! Messages are signed, and refused without a valid signature (`ValidationMode::Strict`); the mesh is that of the defaults.
//! Raised, so that nothing is dropped for slowness: the queues to neighbours and the time that messages may wait in them, the
//! time for which ids are remembered, the size of messages, the time that an idle connection stays.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use libp2p::futures::StreamExt;
use libp2p::gossipsub::{
    Behaviour, ConfigBuilder, Event, IdentTopic, MessageAuthenticity, PublishError, ValidationMode,
};
use libp2p::identity::Keypair;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{Swarm, SwarmEvent};
use libp2p::{Multiaddr, PeerId, SwarmBuilder, noise, tcp, yamux};
use tokio::sync::{mpsc, oneshot};

use super::{Plan, System};
use crate::failure::{Failure, Outcome, said};
use crate::tally::Board;

const TOPIC: &str = "peers";
/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(600);
/// Messages that may wait for a neighbour.
const QUEUE: usize = 400_000;
/// A mesh of so many neighbours is one: `mesh_n_low` of the defaults.
const MESH_LOW: usize = 5;
const LINKED_WITHIN: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Publishers wait where so many of their messages were not yet taken.
const AHEAD: usize = 16;

pub(crate) struct Gossipsub {
    nodes: Vec<Handle>,
}

struct Handle {
    id: PeerId,
    address: Multiaddr,
    commands: mpsc::Sender<Command>,
}

enum Command {
    Dial(PeerId, Multiaddr),
    Publish(Bytes),
    /// Asks for the number of neighbours in the mesh, and of connected ones.
    Look(oneshot::Sender<(usize, usize)>),
}

impl System for Gossipsub {
    async fn start(plan: &Plan, board: &Arc<Board>) -> Outcome<Self> {
        let mut nodes = Vec::new();
        for place in 0..plan.nodes {
            nodes.push(Handle::start(plan, board.clone(), place).await?);
        }
        for &(one, other) in plan.graph.edges() {
            let Handle { id, address, .. } = &nodes[other];
            nodes[one].tell(Command::Dial(*id, address.clone())).await?;
        }
        let system = Gossipsub { nodes };
        system.linked(plan).await?;
        Ok(system)
    }

    async fn publish(&self, place: usize, content: Bytes) -> Outcome<()> {
        self.nodes[place].tell(Command::Publish(content)).await
    }

    async fn links(&self) -> Vec<usize> {
        let mut links = Vec::new();
        for node in &self.nodes {
            links.push(node.look().await.map_or(0, |(mesh, _)| mesh));
        }
        links
    }
}

impl Gossipsub {
    /// Waits until all connections are there, and every node has a mesh.
    async fn linked(&self, plan: &Plan) -> Outcome<()> {
        let deadline = Instant::now() + LINKED_WITHIN;
        for (place, node) in self.nodes.iter().enumerate() {
            let degree = plan.graph.degree(place);
            loop {
                let (mesh, connected) = node.look().await?;
                if connected >= degree && mesh >= degree.min(MESH_LOW) {
                    break;
                }
                if Instant::now() >= deadline {
                    return Err(said(format!("a node of gossipsub has a mesh of {mesh} and {connected} connections")));
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
        Ok(())
    }
}

impl Handle {
    async fn start(plan: &Plan, board: Arc<Board>, place: usize) -> Outcome<Handle> {
        let mut swarm = swarm(Keypair::ed25519_from_bytes(plan.identity(place))?)?;
        swarm.behaviour_mut().subscribe(&IdentTopic::new(TOPIC))?;
        swarm.listen_on("/ip4/127.0.0.1/tcp/0".parse()?)?;
        let address = loop {
            if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
                break address;
            }
        };
        let (id, (commands, told)) = (*swarm.local_peer_id(), mpsc::channel(AHEAD));
        tokio::spawn(drive(swarm, told, board, place));
        Ok(Handle { id, address, commands })
    }

    async fn tell(&self, command: Command) -> Outcome<()> {
        self.commands.send(command).await.map_err(|_| said("a node of gossipsub has ended"))
    }

    async fn look(&self) -> Outcome<(usize, usize)> {
        let (answer, answered) = oneshot::channel();
        self.tell(Command::Look(answer)).await?;
        Ok(answered.await?)
    }
}

fn swarm(keypair: Keypair) -> Outcome<Swarm<Behaviour>> {
    let config = ConfigBuilder::default()
        .validation_mode(ValidationMode::Strict)
        .max_transmit_size(1 << 20)
        .connection_handler_queue_len(QUEUE)
        .publish_queue_duration(PATIENCE)
        .forward_queue_duration(PATIENCE)
        .duplicate_cache_time(PATIENCE)
        .build()?;
    let swarm = SwarmBuilder::with_existing_identity(keypair)
        .with_tokio()
        .with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default)?
        .with_behaviour(|key| Behaviour::new(MessageAuthenticity::Signed(key.clone()), config).map_err(Failure::from))?
        .with_swarm_config(|config| config.with_idle_connection_timeout(PATIENCE))
        .build();
    Ok(swarm)
}

/// Runs a node until nobody holds its handle.
async fn drive(mut swarm: Swarm<Behaviour>, mut told: mpsc::Receiver<Command>, board: Arc<Board>, place: usize) {
    let topic = IdentTopic::new(TOPIC);
    // What found every queue full waits here, and publishers behind it.
    let mut waiting: Option<Bytes> = None;
    loop {
        tokio::select! {
            event = swarm.select_next_some() => {
                if let SwarmEvent::Behaviour(Event::Message { message, .. }) = event {
                    board.received(place, &message.data);
                }
            }
            command = told.recv(), if waiting.is_none() => match command {
                None => return,
                Some(Command::Publish(content)) => waiting = publish(&mut swarm, &topic, content),
                Some(Command::Dial(peer, address)) => {
                    let options = DialOpts::peer_id(peer).condition(PeerCondition::Always).addresses(vec![address]);
                    if let Err(why) = swarm.dial(options.build()) {
                        eprintln!("gossipsub: a node cannot be dialled: {why}");
                    }
                }
                Some(Command::Look(answer)) => {
                    let mesh = swarm.behaviour().mesh_peers(&topic.hash()).count();
                    // Whoever asked may have gone.
                    let _ = answer.send((mesh, swarm.connected_peers().count()));
                }
            },
            () = tokio::time::sleep(Duration::from_millis(1)), if waiting.is_some() => {
                waiting = waiting.take().and_then(|content| publish(&mut swarm, &topic, content));
            }
        }
    }
}

/// Publishes; gives back what has to wait because every queue is full.
fn publish(swarm: &mut Swarm<Behaviour>, topic: &IdentTopic, content: Bytes) -> Option<Bytes> {
    match swarm.behaviour_mut().publish(topic.clone(), content.to_vec()) {
        Err(PublishError::AllQueuesFull(_)) => return Some(content),
        Err(why) => eprintln!("gossipsub: not published: {why}"),
        Ok(_) => {}
    }
    None
}
