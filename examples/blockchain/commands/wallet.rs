//! Commands that ask a running node.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use sealnet::app::Json;
use sealnet::config::Config;
use sealnet::envelope::{EnvelopeId, Signed, Timestamp};
use sealnet::identity::{Identity, NodeAddress, NodeId, read_id_file};
use sealnet::node::SecureNode;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::show::{Lines, print};
use super::{Failure, Rules};
use crate::chain::{Amount, BlockHash, Entry, Order, Transfer};
use crate::network::{Balance, Question, ShownBlock, Status, title};

/// Confirmations after which a transfer counts as done: by then nobody who has not half of all the work can undo it but by
/// luck.
const ENOUGH: u64 = 6;

#[derive(Args)]
struct Ask {
    /// The configuration of the node that is asked: its network, and where it listens
    #[arg(long, value_name = "FILE")]
    config: PathBuf,

    /// Ask another node of that network
    #[arg(long, value_name = "ADDRESS")]
    at: Option<NodeAddress>,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A node without a name, linked with the one that is asked and with nobody else.
struct Asker {
    node: SecureNode,
    server: NodeId,
}

impl Ask {
    async fn open(&self) -> Result<Asker, Failure> {
        let config = Config::load(&self.config)?;
        let address = match &self.at {
            Some(address) => address.clone(),
            None => address_of(&config)?,
        };
        // Its own key must not be used here: the node that is asked has it.
        let mut builder = SecureNode::builder(config.network().clone(), Identity::generate()?);
        if let Some(path) = config.network_key() {
            builder = builder.network_key(sealnet::identity::NetworkKey::load(path)?);
        }
        let node = builder.overlay(config.overlay().clone()).start().await?;
        let server = node.connect(&address).await?;
        Ok(Asker { node, server })
    }

    /// Asks one question, and prints the answer.
    async fn show<T: DeserializeOwned + Serialize + Lines>(&self, question: Question) -> Result<(), Failure> {
        let asker = self.open().await?;
        let answer = asker.ask::<T>(&question).await;
        asker.node.stop().await;
        print(&answer?, self.json)
    }

    /// The identity that is meant if none is named: the node's own.
    fn account(&self, named: Option<NodeId>) -> Result<NodeId, Failure> {
        match named {
            Some(id) => Ok(id),
            None => own_id(&Config::load(&self.config)?),
        }
    }
}

/// Where the node of a configuration listens, seen from this machine.
fn address_of(config: &Config) -> Result<NodeAddress, Failure> {
    let listen = config.listen().ok_or("the node of this configuration does not listen; say --at ADDRESS")?;
    let host = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    Ok(NodeAddress::new(Some(own_id(config)?), &SocketAddr::new(host, listen.port()).to_string())?)
}

fn own_id(config: &Config) -> Result<NodeId, Failure> {
    let key = config.identity().ok_or("this configuration is a plain node's, and nobody owns anything there")?;
    Ok(read_id_file(&key.with_extension("id"))?)
}

impl Asker {
    async fn ask<T: DeserializeOwned>(&self, question: &Question) -> Result<T, Failure> {
        Ok(self.node.request(&self.server, title::ASK, Json(question)).await?.json()?)
    }

    /// Prints what becomes of a transfer, until it is done.
    async fn follow(&self, id: &str, json: bool) -> Result<(), Failure> {
        let mut shown = None;
        loop {
            let question = Question::Transfer { id: id.to_owned() };
            let entry: Entry = self.ask(&question).await?;
            let confirmations = entry.confirmed.map_or(0, |confirmed| confirmed.confirmations);
            if shown != Some(confirmations) {
                print(&entry, json)?;
                shown = Some(confirmations);
            }
            if confirmations >= ENOUGH {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

#[derive(Args)]
pub(super) struct BalanceOf {
    /// Whose; the node's own if nothing is said
    account: Option<NodeId>,
    #[command(flatten)]
    ask: Ask,
}

impl BalanceOf {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let account = self.ask.account(self.account)?;
        self.ask.show::<Balance>(Question::Balance { account }).await
    }
}

#[derive(Args)]
pub(super) struct History {
    /// Whose; the node's own if nothing is said
    account: Option<NodeId>,
    /// How many lines at most, beside what waits
    #[arg(long, default_value_t = 20)]
    limit: usize,
    #[command(flatten)]
    ask: Ask,
}

impl History {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let account = self.ask.account(self.account)?;
        self.ask.show::<Vec<Entry>>(Question::History { account, limit: self.limit }).await
    }
}

#[derive(Args)]
pub(super) struct TransferOf {
    /// Its id, as `send` and `history` print it
    id: EnvelopeId,
    /// Watch it until it has six confirmations
    #[arg(long)]
    follow: bool,
    #[command(flatten)]
    ask: Ask,
}

impl TransferOf {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let id = self.id.to_string();
        if !self.follow {
            return self.ask.show::<Entry>(Question::Transfer { id }).await;
        }
        let asker = self.ask.open().await?;
        let followed = asker.follow(&id, self.ask.json).await;
        asker.node.stop().await;
        followed
    }
}

#[derive(Args)]
pub(super) struct BlockOf {
    /// Its height, or its hash
    block: String,
    #[command(flatten)]
    ask: Ask,
}

impl BlockOf {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let question = match (self.block.parse::<u64>(), self.block.parse::<BlockHash>()) {
            (Ok(height), _) => Question::BlockAt { height },
            (_, Ok(hash)) => Question::Block { hash },
            (Err(_), Err(why)) => return Err(format!("{:?} is neither a height nor a hash: {why}", self.block).into()),
        };
        self.ask.show::<ShownBlock>(question).await
    }
}

#[derive(Args)]
pub(super) struct Mempool {
    #[command(flatten)]
    ask: Ask,
}

impl Mempool {
    pub(super) async fn run(self) -> Result<(), Failure> {
        self.ask.show::<Vec<Entry>>(Question::Mempool).await
    }
}

#[derive(Args)]
pub(super) struct StatusOf {
    #[command(flatten)]
    ask: Ask,
}

impl StatusOf {
    pub(super) async fn run(self) -> Result<(), Failure> {
        self.ask.show::<Status>(Question::Status).await
    }
}

#[derive(Args)]
pub(super) struct SendTo {
    /// Who gets it
    to: NodeId,
    /// How much
    amount: Amount,
    /// What the miner gets; higher ones go first, and replace a waiting transfer with the same nonce
    #[arg(long, default_value = "1")]
    fee: Amount,
    /// The key whose money it is; the node's own if nothing is said
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Which transfer of the sender this is; the next one if nothing is said
    #[arg(long)]
    nonce: Option<u64>,
    /// Watch it until it has six confirmations
    #[arg(long)]
    follow: bool,
    #[command(flatten)]
    rules: Rules,
    #[command(flatten)]
    ask: Ask,
}

impl SendTo {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let asker = self.ask.open().await?;
        let sent = self.send(&asker).await;
        asker.node.stop().await;
        sent
    }

    /// Signs here: the key never leaves this program.
    async fn send(&self, asker: &Asker) -> Result<(), Failure> {
        let genesis = self.rules.load()?;
        let config = Config::load(&self.ask.config)?;
        let path = self.key.as_deref().or(config.identity()).ok_or("there is no key to sign with; say --key FILE")?;
        let signer = Signed::new(config.network_hash(), Arc::new(Identity::load(path)?));
        let nonce = match self.nonce {
            Some(nonce) => nonce,
            None => {
                let account = sealnet::envelope::Scheme::own_id(&signer);
                asker.ask::<Balance>(&Question::Balance { account }).await?.next_nonce
            }
        };
        let order = Order { chain: genesis.hash(), to: self.to, amount: self.amount, fee: self.fee, nonce };
        let transfer = Transfer::sign(&order, &signer, Timestamp::now(), &genesis)?;
        let id = transfer.id().to_string();
        asker.node.request(&asker.server, title::SUBMIT, transfer.as_bytes().clone()).await?;
        if self.follow {
            asker.follow(&id, self.ask.json).await
        } else {
            print(&Entry::transfer(&transfer, None), self.ask.json)
        }
    }
}
