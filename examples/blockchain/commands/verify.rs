//! `verify`: a long chain is synced from other nodes and verified to the last signature, without a network in between.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::Args;
use sealnet::envelope::{Signed, Timestamp};
use sealnet::identity::{Identity, NetworkHash, NodeId};
use serde::Serialize;

use super::Failure;
use super::node::open;
use super::show::{Lines, print};
use crate::chain::{Amount, BlockHash, Chain, Genesis, Order, Store, Transfer};
use crate::network::{Shared, Sources, answer, catch_up, title};

#[derive(Args)]
pub(super) struct Verify {
    /// How long the chain is
    #[arg(long, default_value_t = 10_000)]
    blocks: u64,

    /// How many transfers each block has
    #[arg(long, default_value_t = 1)]
    transfers: usize,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Facts {
    blocks: u64,
    transfers: u64,
    bytes: u64,
    seconds: f64,
    blocks_per_second: u64,
}

impl Lines for Facts {
    fn lines(&self) -> Vec<String> {
        let Facts { blocks, transfers, bytes, seconds, blocks_per_second } = self;
        vec![format!(
            "{blocks} blocks with {transfers} transfers ({bytes} bytes) synced from two nodes, verified and stored in \
             {seconds:.2} s: {blocks_per_second} a second"
        )]
    }
}

impl Verify {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let payer = Identity::generate()?;
        // Every hash is good enough: what is measured is verifying, not mining.
        let rules = format!(
            "name = \"long\"\ntime = 1_600_000_000\nblock_time_ms = 1000\ndifficulty = 1\nadjust_every = 10\nreward = 50\n\
             halving_every = 1000\nmin_fee = 1\nmax_block_bytes = 100_000\n[balances]\n{} = 1_000_000_000",
            payer.id()
        );
        let genesis = Arc::new(Genesis::parse(&rules)?);
        let network = NetworkHash::secure(&"long".parse()?);
        let mut source = Chain::open(genesis.clone(), network, Store::in_memory()?)?;
        let mut bytes = 0;
        let payer = Signed::new(network, Arc::new(payer));
        for height in 0..self.blocks {
            bytes += self.grow(&mut source, &payer, height)?;
        }

        let folder = tempfile::tempdir()?;
        let fresh = Arc::new(Shared::new(Chain::open(genesis, network, open(folder.path())?)?));
        let others = Arc::new(Others(Arc::new(Shared::new(source))));
        let begun = Instant::now();
        catch_up(&fresh, &others).await;
        let seconds = begun.elapsed().as_secs_f64();
        if fresh.chain().tip() != others.0.chain().tip() {
            return Err("the chain did not come over".into());
        }
        let transfers = self.blocks.saturating_mul(self.transfers as u64);
        let blocks_per_second = (self.blocks as f64 / seconds) as u64;
        print(&Facts { blocks: self.blocks, transfers, bytes, seconds, blocks_per_second }, self.json)
    }

    /// One more block; returns its size.
    fn grow(&self, chain: &mut Chain, payer: &Signed, height: u64) -> Result<u64, Failure> {
        let time = chain.tip_time().plus(Duration::from_secs(1));
        let to = NodeId::from_bytes([(height % 100) as u8 + 1; 32]);
        for _ in 0..self.transfers {
            let nonce = chain.balance(&sealnet::envelope::Scheme::own_id(payer)).1;
            let unit = Amount::try_from(1)?;
            let order = Order { chain: chain.genesis().hash(), to, amount: unit, fee: unit, nonce };
            chain.add_transfer(Transfer::sign(&order, payer, time, chain.genesis())?.envelope().clone())?;
        }
        let block = chain.template(to, time).grind(u64::MAX).ok_or("no nonce")?;
        let size = block.bytes.len() as u64;
        chain.add_block(block.bytes, Timestamp::now())?;
        Ok(size)
    }
}

/// Two other nodes, in the same process.
struct Others(Arc<Shared>);

impl Others {
    fn ask(&self, title: &str, hashes: &[BlockHash]) -> Result<Bytes, String> {
        let body = serde_json::to_vec(hashes).map_err(|error| error.to_string())?;
        answer(&self.0, title, &body.into())
    }
}

impl Sources for Others {
    fn peers(&self) -> Vec<NodeId> {
        vec![NodeId::from_bytes([1; 32]), NodeId::from_bytes([2; 32])]
    }

    async fn headers(&self, _: NodeId, locator: Vec<BlockHash>) -> Result<Bytes, String> {
        self.ask(title::HEADERS, &locator)
    }

    async fn blocks(&self, _: NodeId, hashes: Vec<BlockHash>) -> Result<Bytes, String> {
        self.ask(title::BLOCKS, &hashes)
    }
}
