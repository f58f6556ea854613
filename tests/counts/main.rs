//! What the work of a node costs and what it holds, counted and not timed.
//!
//! A program of its own, because it counts what the whole process allocates.

mod delivery;
mod idle;

use std::error::Error;

use sealnet::identity::{Identity, NodeAddress};
use sealnet::node::SecureNode;
use sealnet::overlay::Settings;

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// One test at a time: what each counts is the whole process.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

async fn start(seed: u8, genesis: Option<NodeAddress>) -> Result<SecureNode, Box<dyn Error>> {
    let builder = SecureNode::builder("counts".parse()?, Identity::from_seed(&[seed; 32]))
        .listen("127.0.0.1:0".parse()?)
        .overlay(Settings::local())
        .seed([seed; 32]);
    Ok(genesis.into_iter().fold(builder, |builder, genesis| builder.genesis(genesis)).start().await?)
}
