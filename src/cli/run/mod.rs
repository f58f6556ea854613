//! `sealnet run`: a node from a configuration file, until it is stopped.

mod prompt;
mod show;

use std::collections::BTreeMap;
use std::io::{BufRead, IsTerminal};
use std::path::{Path, PathBuf};

use clap::Args;
use tokio::sync::mpsc;

use super::Failure;
use super::output::Out;
use super::runtime::{asked_to_stop, block_on};
use crate::config::Config;
use crate::node::{Event, Events, Item, Node, SecureNode, Subscription};
use crate::overlay::{Reason, Target};

use prompt::{Command, Done};
use show::Screen;

/// Run the node a configuration describes, until it is stopped with Ctrl-C.
///
/// On a terminal every line you type is broadcast to the whole network; lines that begin with a slash are commands (/help
/// shows them). Otherwise what happens is printed line by line, and lines read from standard input are broadcast too.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Run {
    /// The configuration
    #[arg(long, value_name = "FILE")]
    config: PathBuf,

    /// The title of what you type
    #[arg(long, default_value = "chat")]
    title: String,

    /// Print each broadcast as one JSON object on a line, as `sealnet verify` reads it, and nothing else
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  sealnet run --config config/genesis.toml
  sealnet run --config config/peer.toml
  echo \"backup done\" | sealnet run --config config/peer.toml --title alerts
  sealnet run --config config/peer.toml --json | sealnet verify - --network demo";

impl Run {
    pub(super) fn run(self, out: &mut Out) -> Result<(), Failure> {
        // A title that cannot be used is found before a node is started for nothing.
        crate::envelope::Title::for_application(&self.title)?;
        block_on(async {
            let config = Config::load(&self.config)?;
            let (node, events) = start(&config).await?;
            let outcome = self.attend(&config, &node, events, out).await;
            node.stop().await;
            outcome
        })
    }

    async fn attend(&self, config: &Config, node: &Node, mut events: Events, out: &mut Out) -> Result<(), Failure> {
        // What a log on disk kept from former runs was shown by them.
        let mut messages = node.subscribe_all().after(node.began())?;
        let is_terminal = std::io::stdin().is_terminal();
        let mut screen = Screen::new(out, node, self.json, is_terminal && !self.json);
        screen.started()?;
        let mut lines = read_lines();
        let mut reading = true;
        let mut joining = Joining::of(config, node);
        let stop = asked_to_stop();
        tokio::pin!(stop);
        loop {
            screen.prompt()?;
            tokio::select! {
                () = &mut stop => break,
                Some(event) = events.next() => {
                    screen.event(&event)?;
                    joining.watch(&event)?;
                }
                Some(item) = messages.next() => screen.item(&item)?,
                line = lines.recv(), if reading => match line {
                    Some(line) => match self.obey(node, &mut screen, &line).await? {
                        Done::GoOn => {}
                        Done::Stop => break,
                    },
                    // The end of a terminal's input is a person who leaves; that of a pipe means nothing more.
                    None if is_terminal => break,
                    None => reading = false,
                },
            }
        }
        drain(&mut messages, &mut screen).await?;
        screen.stopping()
    }

    async fn obey(&self, node: &Node, screen: &mut Screen<'_>, line: &str) -> Result<Done, Failure> {
        screen.entered();
        match Command::read(line) {
            Ok(command) => command.obey(node, &self.title, screen).await,
            Err(why) => {
                screen.say(&why)?;
                Ok(Done::GoOn)
            }
        }
    }
}

/// Shows what had arrived before the node was asked to stop.
async fn drain(messages: &mut Subscription, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let at_once = std::time::Duration::ZERO;
    while let Ok(Some(item @ Item::Broadcast(_))) = tokio::time::timeout(at_once, messages.next()).await {
        screen.item(&item)?;
    }
    Ok(())
}

/// Starts the node a configuration describes, secure or plain.
async fn start(config: &Config) -> Result<(Node, Events), Failure> {
    if config.is_plain() {
        Ok(Node::from_config(config)?.start_with_events().await?)
    } else {
        let (node, events) = SecureNode::from_config(config)?.start_with_events().await?;
        Ok((node.into(), events))
    }
}

/// Finds out whether the configuration can lead anywhere. A genesis node that is not there may come; one that is there and
/// is somebody else, or of another network, will not change by waiting.
struct Joining<'a> {
    config: &'a Config,
    /// How many genesis nodes there are besides the node itself.
    genesis: usize,
    hopeless: BTreeMap<usize, String>,
    done: bool,
}

impl<'a> Joining<'a> {
    fn of(config: &'a Config, node: &Node) -> Self {
        let genesis = config.genesis_besides(&node.id()).len();
        Joining { config, genesis, hopeless: BTreeMap::new(), done: false }
    }

    /// Fails when every genesis node has shown that it will never let this node in.
    fn watch(&mut self, event: &Event) -> Result<(), Failure> {
        match event {
            Event::LinkOpened { .. } => self.done = true,
            Event::DialFailed {
                target: Target::Genesis(place),
                reason: Reason::WrongIdentity | Reason::HandshakeFailed,
                why,
            } => {
                self.hopeless.insert(*place, why.clone());
            }
            _ => {}
        }
        if self.done || self.hopeless.is_empty() || self.hopeless.len() < self.genesis {
            return Ok(());
        }
        let path = self.config.path().unwrap_or(Path::new("the configuration")).display();
        let reasons: Vec<_> = self.hopeless.values().map(String::as_str).collect();
        Err(Failure::said(format!(
            "no genesis node of {path} lets this node into the network \"{}\": {}",
            self.config.network(),
            reasons.join("; and ")
        )))
    }
}

/// The lines of standard input. Read on a thread of its own: such a read cannot be broken off, and must not hold up the
/// end of the program.
fn read_lines() -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { return };
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    receiver
}
