//! `demo`: a whole little economy in one process. Everybody mines, and everybody pays everybody.

use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use sealnet::envelope::{EnvelopeId, Timestamp};
use sealnet::identity::{Identity, NetworkHash, NetworkName, NodeAddress};
use sealnet::node::SecureNode;
use sealnet::overlay::Settings;
use serde::Serialize;

use super::Failure;
use super::show::{Lines, print};
use crate::chain::{Amount, Chain, Genesis, Header, Store, Whereabouts};
use crate::network::{Peer, Shared};

/// How far apart blocks are to be.
const BLOCK_TIME: Duration = Duration::from_millis(400);
/// Miners rest: they share this machine with each other and with the network.
const REST: Duration = Duration::from_millis(5);
/// What everybody has in the beginning.
const START: u64 = 10_000;
/// Between two payments of the whole economy.
const BETWEEN_PAYMENTS: Duration = Duration::from_millis(50);
/// After this time the demo ends in any case.
const PATIENCE: Duration = Duration::from_secs(300);

#[derive(Args)]
pub(super) struct Demo {
    /// How many nodes, all of which mine
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=50))]
    nodes: u8,

    /// How long the chain is to become
    #[arg(long, default_value_t = 20)]
    blocks: u64,

    /// Print one JSON object, and nothing else
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Outcome {
    nodes: usize,
    height: u64,
    tips_equal: bool,
    transfers_sent: usize,
    transfers_confirmed: usize,
    /// Of all nodes together.
    reorgs: u64,
    /// At every node, all balances together are what was issued.
    supply_ok: bool,
}

impl Lines for Outcome {
    fn lines(&self) -> Vec<String> {
        let yes = |fact: bool| if fact { "yes" } else { "NO" };
        vec![
            format!("nodes               {}", self.nodes),
            format!("height              {}", self.height),
            format!("all on one tip      {}", yes(self.tips_equal)),
            format!("transfers sent      {}", self.transfers_sent),
            format!("transfers confirmed {}", self.transfers_confirmed),
            format!("reorganisations     {}", self.reorgs),
            format!("supply adds up      {}", yes(self.supply_ok)),
        ]
    }
}

impl Demo {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let peers = start(self.nodes).await?;
        let outcome = tokio::time::timeout(PATIENCE, self.live(&peers)).await;
        let sent = outcome.map_err(|_| "the economy did not come to rest")??;
        let outcome = judge(&peers, &sent);
        for peer in &peers {
            peer.stop().await;
        }
        print(&outcome, self.json)?;
        let is_right = outcome.tips_equal && outcome.supply_ok && outcome.transfers_confirmed == outcome.transfers_sent;
        if is_right { Ok(()) } else { Err("the nodes do not agree".into()) }
    }

    /// Mines and pays until the chain is long enough and everything that was sent is in it.
    async fn live(&self, peers: &[Peer]) -> Result<Vec<EnvelopeId>, Failure> {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut sent = Vec::new();
        let mut told = 0;
        for peer in peers {
            peer.mine(REST)?;
        }
        loop {
            let height = peers.iter().map(|peer| peer.shared().chain().height()).min().unwrap_or_default();
            if height > told && !self.json {
                told = height;
                println!("height {height}, {} transfers sent", sent.len());
            }
            if height >= self.blocks {
                break;
            }
            let (from, to) = (rng.random_range(0..peers.len()), rng.random_range(0..peers.len()));
            let (amount, fee) =
                (Amount::try_from(rng.random_range(1..200))?, Amount::try_from(rng.random_range(1..10))?);
            if let Ok(id) = peers[from].pay(peers[to].node().id(), amount, fee).await {
                sent.push(id);
            }
            tokio::time::sleep(BETWEEN_PAYMENTS).await;
        }
        settle(peers, &sent).await?;
        Ok(sent)
    }
}

/// Starts nodes that know each other, on a chain of their own.
async fn start(count: u8) -> Result<Vec<Peer>, Failure> {
    let network: NetworkName = "economy".parse()?;
    let identities = (0..count).map(|_| Identity::generate()).collect::<Result<Vec<_>, _>>()?;
    let mut rules = format!(
        "name = \"economy\"\ntime = {}\nblock_time_ms = {}\ndifficulty = {}\nadjust_every = 5\nreward = 500\n\
         halving_every = 10\nmin_fee = 1\nmax_block_bytes = 100_000\n[balances]\n",
        Timestamp::now().as_micros() / 1_000_000 - 1,
        BLOCK_TIME.as_millis(),
        hashes_in(BLOCK_TIME / 2),
    );
    identities.iter().for_each(|identity| rules.push_str(&format!("{} = {START}\n", identity.id())));
    let genesis = Arc::new(Genesis::parse(&rules)?);

    let mut peers: Vec<Peer> = Vec::new();
    let mut first: Option<NodeAddress> = None;
    for identity in identities {
        let mut builder =
            SecureNode::builder(network.clone(), identity).listen("127.0.0.1:0".parse()?).overlay(Settings::local());
        if let Some(address) = &first {
            builder = builder.genesis(address.clone());
        }
        let chain = Chain::open(genesis.clone(), NetworkHash::secure(&network), Store::in_memory()?)?;
        let peer = Peer::start(builder, Arc::new(Shared::new(chain))).await?;
        first = first.or(peer.node().address());
        peers.push(peer);
    }
    Ok(peers)
}

/// How many hashes this machine tries in a time.
fn hashes_in(span: Duration) -> u64 {
    const TRIED: u32 = 20_000;
    let mut header = Header::unminable();
    let begun = Instant::now();
    header.grind(u64::from(TRIED));
    let each = begun.elapsed().as_nanos().max(1) / u128::from(TRIED);
    u64::try_from(span.as_nanos() / each.max(1)).unwrap_or(u64::MAX).clamp(1, 1 << 40)
}

/// Goes on until everything that was sent is in a block and all have the same tip. Miners that find blocks at the same
/// time can keep two branches alive for a while; in the end one of them alone decides.
async fn settle(peers: &[Peer], sent: &[EnvelopeId]) -> Result<(), Failure> {
    let Some((first, others)) = peers.split_first() else { return Ok(()) };
    others.iter().for_each(Peer::stop_mining);
    loop {
        let mut changes = first.shared().changes();
        if confirmed(first, sent) == sent.len() {
            first.stop_mining();
            let agreed = async {
                while !agree(peers) {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            };
            if tokio::time::timeout(Duration::from_secs(2), agreed).await.is_ok() {
                return Ok(());
            }
            first.mine(REST)?;
        }
        changes.changed().await?;
    }
}

fn agree(peers: &[Peer]) -> bool {
    let tips: Vec<_> = peers.iter().map(|peer| peer.shared().chain().tip()).collect();
    tips.windows(2).all(|pair| pair[0] == pair[1])
}

fn confirmed(peer: &Peer, sent: &[EnvelopeId]) -> usize {
    let chain = peer.shared().chain();
    sent.iter().filter(|id| matches!(chain.find(id), Ok(Whereabouts::Confirmed(_)))).count()
}

fn judge(peers: &[Peer], sent: &[EnvelopeId]) -> Outcome {
    let facts: Vec<_> = peers.iter().map(|peer| peer.shared().chain().facts()).collect();
    Outcome {
        nodes: peers.len(),
        height: facts.iter().map(|facts| facts.height).min().unwrap_or_default(),
        tips_equal: agree(peers),
        transfers_sent: sent.len(),
        transfers_confirmed: peers.iter().map(|peer| confirmed(peer, sent)).min().unwrap_or_default(),
        reorgs: facts.iter().map(|facts| facts.reorganisations).sum(),
        supply_ok: facts.iter().all(|facts| facts.supply_ok),
    }
}
