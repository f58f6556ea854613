//! Commands on a running node: each finds the node's control interface by its configuration, and asks it.

mod graph;
mod links;
mod members;
mod network;
mod page;
mod peers;
mod publish;
mod send;
mod shutdown;
mod status;
mod stop;
mod table;
mod tail;

use std::future::Future;
use std::path::PathBuf;

use clap::Args;

use super::Failure;
use super::runtime::{asked_to_stop, block_on};
use crate::control::{Access, Client};

pub(super) use graph::Draw;
pub(super) use links::Links;
pub(super) use members::Members;
pub(super) use network::Network;
pub(super) use page::Page;
pub(super) use peers::{Bar, Connect, Disconnect, Ping};
pub(super) use publish::Publish;
pub(super) use send::Send;
pub(super) use shutdown::Shutdown;
pub(super) use status::Status;
pub(super) use stop::Stop;
pub(super) use tail::Tail;

/// Which node.
#[derive(Args, Debug)]
pub(super) struct Which {
    /// The configuration of the running node
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

impl Which {
    /// Asks the node something; Ctrl-C ends it quietly.
    fn ask<F: Future<Output = Result<(), Failure>>>(&self, ask: impl FnOnce(Client) -> F) -> Result<(), Failure> {
        let client = Client::new(Access::load(&self.config)?);
        block_on(async {
            tokio::select! {
                outcome = ask(client) => outcome,
                () = asked_to_stop() => Ok(()),
            }
        })
    }
}

/// `text` as it may stand behind a question mark.
fn quoted(text: &str) -> String {
    text.bytes().fold(String::new(), |mut quoted, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => quoted.push(byte.into()),
            _ => quoted.push_str(&format!("%{byte:02X}")),
        }
        quoted
    })
}
