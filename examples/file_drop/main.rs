//! A file drop: offer a file to the network, and get one by its hash, from all who have it at once. Every piece is checked
//! before it is kept; what breaks off goes on where it was, and whoever has pieces gives them to others.
//!
//! ```sh
//! cargo run --example file_drop -- demo          # five nodes in one program tell a story; --json: one object
//!
//! sealnet keygen genesis && sealnet keygen peer  # between processes, each in a terminal of its own:
//! cargo run --example file_drop -- offer --config config/genesis.toml README.md
//! cargo run --example file_drop -- get --config config/peer.toml --into /tmp HASH
//! ```
//!
//! `offer.rs` is what is offered, `shelf.rs` what is here of it on disk, `app.rs` what others are given; `plan.rs` says who
//! is asked for which piece, `fetch.rs` asks, `get.rs` makes a file of it. `demo.rs` and `manners.rs` are the demonstration.
//! Unix only: it reads and writes files at several places at once.

mod app;
mod bars;
mod demo;
mod fetch;
mod get;
mod manners;
mod offer;
mod plan;
mod shelf;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use app::{FileDrop, TITLE};
use clap::{Parser, Subcommand};
use fetch::Progress;
use get::{Order, get};
use offer::{Digest, Offer};
use sealnet::app::Json;
use sealnet::node::{Item, SecureNode};
use serde_json::json;
use shelf::{Held, Shelf};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// How often an offer is said again: it is kept for a day.
const AGAIN: Duration = Duration::from_secs(12 * 60 * 60);

/// Offers files to a network, and gets them from it.
#[derive(Parser)]
struct Cli {
    /// Print JSON objects instead of text and progress bars.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Offer files, say what others offer, and give away what is asked for, until Ctrl-C.
    Offer {
        /// The node's configuration.
        #[arg(long)]
        config: PathBuf,
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Get the file with this hash. What was begun before is gone on with.
    Get {
        /// The node's configuration.
        #[arg(long)]
        config: PathBuf,
        /// The folder for it; it is never put in the place of another file.
        #[arg(long, default_value = ".")]
        into: PathBuf,
        /// Give up when nothing has come for so many seconds.
        #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..86_400))]
        patience: u64,
        /// Afterwards stay, and give it to others, until Ctrl-C.
        #[arg(long)]
        stay: bool,
        hash: Digest,
    },
    /// Five nodes in this program: one lies, one leaves in the middle, one is started again.
    Demo,
}

#[tokio::main]
async fn main() -> ExitCode {
    let Cli { json, command } = Cli::parse();
    let done = match command {
        Command::Offer { config, files } => offer(json, config, files).await,
        Command::Get { config, into, patience, stay, hash } => {
            let order = Order { hash, into, patience: Duration::from_secs(patience) };
            fetch_one(json, config, order, stay).await
        }
        Command::Demo => demonstrate(json).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn start(config: PathBuf, shelf: &Shelf) -> Result<SecureNode, Box<dyn Error>> {
    Ok(SecureNode::from_file(config)?.app(TITLE, FileDrop::new(shelf.clone())).start().await?)
}

async fn offer(json: bool, config: PathBuf, files: Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    let (shelf, mut offers) = (Shelf::default(), Vec::new());
    for path in files {
        let named = path.display().to_string();
        let held = tokio::task::spawn_blocking(move || Held::whole(&path)).await?;
        let held = held.map_err(|error| format!("{named}: {error}"))?;
        offers.push(held.offer().clone());
        shelf.hold(Arc::new(held));
    }
    let node = start(config, &shelf).await?;
    let mut heard = node.subscribe(TITLE)?.from_start();
    let mut again = tokio::time::interval(AGAIN);
    let stop = asked_to_stop();
    tokio::pin!(stop);
    loop {
        tokio::select! {
            stopped = &mut stop => {
                node.stop().await;
                return Ok(stopped?);
            }
            _ = again.tick() => {
                for offer in &offers {
                    node.broadcast(TITLE, Json(offer)).await?;
                }
            }
            item = heard.next() => match item {
                Some(Item::Broadcast(broadcast)) => {
                    let Ok(offer) = Offer::read(&broadcast.message()) else { continue };
                    let (hash, name, size) = (offer.sha256(), offer.name(), offer.size());
                    if json {
                        println!("{}", json!({"offered_by": broadcast.sender(), "hash": hash, "name": name, "bytes": size}));
                    } else {
                        println!("{:#} offers {name}, {size} bytes: {hash}", broadcast.sender());
                    }
                }
                Some(_) => {}
                None => return Err("the node has stopped".into()),
            }
        }
    }
}

async fn fetch_one(json: bool, config: PathBuf, order: Order, stay: bool) -> Result<(), Box<dyn Error>> {
    let shelf = Shelf::default();
    let node = start(config, &shelf).await?;
    let (progress, seen) = watch::channel(Progress::default());
    let bars = (!json).then(|| tokio::spawn(bars::draw(seen.clone())));
    let outcome = tokio::select! {
        outcome = get(&node, &shelf, &order, &progress) => outcome.map_err(Box::<dyn Error>::from),
        stopped = asked_to_stop() => Err(stopped.map_or_else(Into::into, |()| "stopped; what is here is kept".into())),
    };
    drop(progress);
    if let Some(bars) = bars {
        bars.await?;
    }
    let came = seen.borrow().clone();
    if let Ok(path) = &outcome {
        if json {
            let refused: usize = came.refused.values().sum();
            let from: serde_json::Map<_, _> =
                came.from.iter().map(|(member, pieces)| (member.to_string(), json!(pieces))).collect();
            println!(
                "{}",
                json!({"path": path, "bytes": came.size, "pieces": came.pieces, "pieces_from": from,
                    "refused_pieces": refused, "resumed": came.resumed})
            );
        } else {
            println!("{}", path.display());
        }
        if stay {
            asked_to_stop().await?;
        }
    }
    node.stop().await;
    outcome.map(drop)
}

async fn demonstrate(json: bool) -> Result<(), Box<dyn Error>> {
    let outcome = demo::tell(!json).await?;
    if json {
        println!("{}", serde_json::to_string(&outcome)?);
    }
    if outcome.is_as_it_must_be() { Ok(()) } else { Err("it did not come out as it must".into()) }
}

/// Waits for Ctrl-C, or for the system's request to end.
async fn asked_to_stop() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        stopped = tokio::signal::ctrl_c() => stopped,
    }
}
