//! The command line.

mod demo;
mod node;
mod show;
mod verify;
mod wallet;

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Parser, Subcommand};

use crate::chain::{Genesis, GenesisError};

/// Why a command failed, in words.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A blockchain on Sealnet.
///
/// `node` and `mine` run a node; the others ask a running one, over Sealnet, as somebody without a name: everything in a
/// chain is public. Only `send` needs a key: the owner's signature is what makes a transfer valid.
#[derive(Parser)]
#[command(name = "blockchain")]
pub(crate) struct Command {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Run a node of the chain until Ctrl-C
    Node(node::Run),
    /// Run a node that also mines, for its own identity
    Mine(node::Mine),
    /// What an identity has
    Balance(wallet::BalanceOf),
    /// Send money
    Send(wallet::SendTo),
    /// What an identity paid, got and mined, newest first
    History(wallet::History),
    /// Where a transfer is
    Transfer(wallet::TransferOf),
    /// A block, by height or hash
    Block(wallet::BlockOf),
    /// The transfers that wait for a block
    Mempool(wallet::Mempool),
    /// The chain at a glance
    Status(wallet::StatusOf),
    /// A whole little economy in one process
    Demo(demo::Demo),
    /// Sync and verify a long chain, and say how long that took
    Verify(verify::Verify),
}

/// The rules of the chain.
#[derive(Args)]
struct Rules {
    /// The chain's rules; those of examples/blockchain/genesis.toml if nothing is said
    #[arg(long, value_name = "FILE")]
    genesis: Option<PathBuf>,
}

impl Rules {
    fn load(&self) -> Result<Arc<Genesis>, GenesisError> {
        let genesis = match &self.genesis {
            Some(path) => Genesis::load(path),
            None => Genesis::parse(include_str!("../genesis.toml")),
        };
        genesis.map(Arc::new)
    }
}

impl Command {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        match self.verb {
            Verb::Node(command) => command.run().await,
            Verb::Mine(command) => command.run().await,
            Verb::Balance(command) => command.run().await,
            Verb::Send(command) => command.run().await,
            Verb::History(command) => command.run().await,
            Verb::Transfer(command) => command.run().await,
            Verb::Block(command) => command.run().await,
            Verb::Mempool(command) => command.run().await,
            Verb::Status(command) => command.run().await,
            Verb::Demo(command) => command.run().await,
            Verb::Verify(command) => command.run().await,
        }
    }
}
