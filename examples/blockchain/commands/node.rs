//! `node` and `mine`: a node of the chain from a Sealnet configuration.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use sealnet::config::Config;
use sealnet::node::SecureNode;
use tokio::signal::unix::{SignalKind, signal};

use super::show::print;
use super::{Failure, Rules};
use crate::chain::{BlockHash, Chain, Store};
use crate::network::{Peer, Shared, ShownBlock, show};

#[derive(Args)]
pub(super) struct Run {
    /// The node's configuration, as for `sealnet run`
    #[arg(long, value_name = "FILE")]
    config: PathBuf,

    /// Where the chain is kept; the folder of the node's log if nothing is said
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,

    /// Print each new tip as one JSON object on a line
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    rules: Rules,
}

#[derive(Args)]
pub(super) struct Mine {
    /// Stop when the chain has this height
    #[arg(long, value_name = "HEIGHT")]
    until: Option<u64>,

    /// Milliseconds to rest after every 10,000 hashes
    #[arg(long, value_name = "MS", default_value_t = 0)]
    rest: u64,

    #[command(flatten)]
    run: Run,
}

impl Mine {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let peer = self.run.start().await?;
        peer.mine(Duration::from_millis(self.rest))?;
        self.run.attend(peer, self.until).await
    }
}

impl Run {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let peer = self.start().await?;
        self.attend(peer, None).await
    }

    async fn start(&self) -> Result<Peer, Failure> {
        let genesis = self.rules.load()?;
        let config = Config::load(&self.config)?;
        let folder = self.data.as_deref().or(config.folder());
        let folder = folder.ok_or("say --data FOLDER: the chain must be kept somewhere")?;
        let chain = Chain::open(genesis, config.network_hash(), open(folder)?)?;
        let peer = Peer::start(SecureNode::from_config(&config)?, Arc::new(Shared::new(chain))).await?;
        if !self.json {
            let facts = peer.shared().chain().facts();
            println!("chain {} ({:#}), height {}", facts.chain, facts.genesis, facts.height);
            if let Some(address) = peer.node().address() {
                println!("at    {address}");
            }
        }
        Ok(peer)
    }

    /// Shows new tips until somebody wants it to end.
    async fn attend(&self, peer: Peer, until: Option<u64>) -> Result<(), Failure> {
        let outcome = tokio::select! {
            watched = self.watch(&peer, until) => watched,
            why = peer.shared().failed() => Err(why.into()),
            asked = asked_to_stop() => asked.map_err(Failure::from),
        };
        peer.stop().await;
        outcome
    }

    async fn watch(&self, peer: &Peer, until: Option<u64>) -> Result<(), Failure> {
        let mut changes = peer.shared().changes();
        let mut shown = peer.shared().chain().tip();
        loop {
            let height = {
                let chain = peer.shared().chain();
                let tip = chain.tip();
                if tip != shown {
                    self.report(&show(&chain, &tip)?, shown)?;
                    shown = tip;
                }
                chain.height()
            };
            if until.is_some_and(|until| height >= until) {
                return Ok(());
            }
            changes.changed().await?;
        }
    }

    fn report(&self, block: &ShownBlock, before: BlockHash) -> Result<(), Failure> {
        if self.json {
            return print(block, true);
        }
        let change = if block.parent == before { "" } else { "  (more than one block, or another branch)" };
        let count = block.transfers.len();
        println!("block {:>6} {:#}  by {:#}, {count} transfers{change}", block.height, block.hash, block.miner);
        Ok(())
    }
}

/// The store in a folder, which is made if it is not there.
pub(super) fn open(folder: &Path) -> Result<Store, Failure> {
    std::fs::create_dir_all(folder).map_err(|error| format!("{} cannot be made: {error}", folder.display()))?;
    Ok(Store::open(&folder.join("chain.redb"))?)
}

/// Ctrl-C, or the system's request to terminate.
async fn asked_to_stop() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        asked = tokio::signal::ctrl_c() => asked,
    }
}
