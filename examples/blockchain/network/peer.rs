//! A node of the chain: a Sealnet node, the application on it, and the tasks beside it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use sealnet::app::Json;
use sealnet::envelope::{EnvelopeId, Lifetime};
use sealnet::identity::NodeId;
use sealnet::node::{Asked, Builder, Node, PublishError, Requests, Secure, SecureNode, ServeError, StartError};
use sealnet::wire::RefusedCode;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::answers::{answer, balance, title};
use super::application::Blockchain;
use super::mining::Mining;
use super::shared::Shared;
use super::sync::{Sources, catch_up};
use crate::chain::{Amount, Block, BlockHash, Order, Transfer, Whereabouts};

/// How often a node asks whether it missed something, besides whenever it has a reason to.
const LOOK_ROUND: Duration = Duration::from_secs(10);
/// After a look, a reason for another one waits so long.
const BREATH: Duration = Duration::from_millis(200);
/// How long a block is kept for those who are away; after that it is only to be had by request.
const BLOCKS_KEPT: Lifetime = Lifetime::hours(1);
/// How long one's own transfer may take to the own mempool; on a busy machine the application is behind.
const TAKEN_IN: Duration = Duration::from_secs(30);
/// The largest request: a locator, or the hashes of 64 blocks, or a transfer.
const REQUEST: usize = 16 << 10;

/// A node of the chain, running.
pub(crate) struct Peer {
    node: SecureNode,
    shared: Arc<Shared>,
    mining: Mutex<Option<Mining>>,
    found: mpsc::UnboundedSender<Block>,
    /// One payment at a time, so that no two of them take the same nonce.
    paying: tokio::sync::Mutex<()>,
    _tasks: JoinSet<()>,
}

/// Why a node of the chain did not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PeerError {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Serve(#[from] ServeError),
}

/// Why nothing was paid.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PayError {
    #[error("there are {spendable} to spend, and this needs {needed}")]
    TooLittle { spendable: Amount, needed: Amount },
    #[error(transparent)]
    Publish(#[from] PublishError),
    #[error("the transfer was published and then refused here")]
    Refused,
}

impl Peer {
    /// Starts the node that `builder` describes with the chain on it. Its application has a thread of its own: verifying
    /// and writing blocks must not hold up the network.
    pub(crate) async fn start(builder: Builder<Secure>, shared: Arc<Shared>) -> Result<Self, PeerError> {
        let node = builder.app_isolated(title::APP, Blockchain::new(shared.clone())).start().await?;
        let requests = node.serve(title::REQUESTS)?.limit(REQUEST);
        let (found, blocks) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(node.clone(), shared.clone(), requests));
        tasks.spawn(look_round(node.clone(), shared.clone()));
        tasks.spawn(tell(node.clone(), blocks));
        Ok(Peer { node, shared, mining: Mutex::default(), found, paying: tokio::sync::Mutex::default(), _tasks: tasks })
    }

    pub(crate) fn node(&self) -> &SecureNode {
        &self.node
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Mines for this node's own identity, until [`stop_mining`](Self::stop_mining).
    pub(crate) fn mine(&self, rest: Duration) -> std::io::Result<()> {
        let mining = Mining::start(self.shared.clone(), self.node.id(), rest, self.found.clone())?;
        *self.mining.lock().unwrap_or_else(PoisonError::into_inner) = Some(mining);
        Ok(())
    }

    pub(crate) fn stop_mining(&self) {
        self.mining.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Pays from this node's own account. The transfer is an ordinary broadcast of the node; this returns when it waits in
    /// the mempool here.
    pub(crate) async fn pay(&self, to: NodeId, amount: Amount, fee: Amount) -> Result<EnvelopeId, PayError> {
        let _turn = self.paying.lock().await;
        let mut changes = self.shared.changes();
        let order = {
            let chain = self.shared.chain();
            let own = balance(&chain, &self.node.id());
            let needed = [amount, fee].into_iter().sum();
            if needed > own.spendable {
                return Err(PayError::TooLittle { spendable: own.spendable, needed });
            }
            Order { chain: chain.genesis().hash(), to, amount, fee, nonce: own.next_nonce }
        };
        let id = self.node.broadcast(Transfer::TITLE, Json(&order)).await?.id;
        let is_here = async {
            while !self.shared.chain().find(&id).is_ok_and(|found| found != Whereabouts::Unknown) {
                let _ = changes.changed().await;
            }
        };
        // It is refused only if a block changed the account between the look at it and the transfer.
        let waited = tokio::time::timeout(TAKEN_IN, is_here).await;
        waited.map(|()| id).map_err(|_| PayError::Refused)
    }

    pub(crate) async fn stop(&self) {
        self.stop_mining();
        self.node.stop().await;
    }
}

/// Answers requests, one at a time.
async fn serve(node: SecureNode, shared: Arc<Shared>, mut requests: Requests) {
    while let Some(asked) = requests.next().await {
        let (shared, title, body) = (shared.clone(), asked.title.to_string(), asked.body.clone());
        let answered = tokio::task::spawn_blocking(move || answer(&shared, &title, &body)).await;
        respond(&node, asked, answered.unwrap_or_else(|_| Err("the question was too much".to_owned()))).await;
    }
}

/// Sends an answer. A wallet's transfer is told to everybody: it is in this node's mempool now.
async fn respond(node: &Node, asked: Asked, answered: Result<Bytes, String>) {
    if answered.is_ok()
        && asked.title.as_str() == title::SUBMIT
        && let Err(error) = node.broadcast(title::CARRIED, asked.body.clone()).await
    {
        return asked.refuse_as(RefusedCode::Busy, &error.to_string());
    }
    match answered {
        Ok(answer) => asked.reply(answer),
        Err(why) => asked.refuse(&why),
    }
}

/// Tells everybody of the blocks that were mined here.
async fn tell(node: SecureNode, mut blocks: mpsc::UnboundedReceiver<Block>) {
    while let Some(block) = blocks.recv().await {
        if let Err(error) = node.broadcast(title::BLOCK, block.bytes).lifetime(BLOCKS_KEPT).await {
            tracing::warn!(%error, "a block was mined and could not be told");
        }
    }
}

/// Asks the neighbours what is missing here: whenever something shows that there is, and now and then.
async fn look_round(node: SecureNode, shared: Arc<Shared>) {
    let sources = Arc::new(Neighbours(node.clone()));
    loop {
        let caught = catch_up(&shared, &sources).await;
        for liar in &caught.liars {
            tracing::warn!(peer = %format_args!("{liar:#}"), "sent what is no chain of ours");
            node.disconnect(liar);
        }
        tokio::time::sleep(BREATH).await;
        let _ = tokio::time::timeout(LOOK_ROUND, shared.behind.notified()).await;
    }
}

/// The nodes this one is linked with.
struct Neighbours(SecureNode);

impl Neighbours {
    async fn ask(&self, peer: NodeId, title: &str, hashes: &[BlockHash]) -> Result<Bytes, String> {
        match self.0.request(&peer, title, Json(hashes)).await {
            Ok(response) => Ok(response.into_bytes()),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl Sources for Neighbours {
    fn peers(&self) -> Vec<NodeId> {
        self.0.links().into_iter().map(|link| link.peer).collect()
    }

    async fn headers(&self, peer: NodeId, locator: Vec<BlockHash>) -> Result<Bytes, String> {
        self.ask(peer, title::HEADERS, &locator).await
    }

    async fn blocks(&self, peer: NodeId, hashes: Vec<BlockHash>) -> Result<Bytes, String> {
        self.ask(peer, title::BLOCKS, &hashes).await
    }
}
