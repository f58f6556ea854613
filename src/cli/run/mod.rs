//! `sealnet run`: a node from a configuration file, until it is stopped.

mod commands;
mod editor;
mod events;
mod show;

use std::collections::BTreeMap;
use std::io::{BufRead, IsTerminal};
use std::path::{Path, PathBuf};

use clap::Args;
use tokio::sync::mpsc;

use super::Failure;
use super::output::{Out, width};
use super::passphrase::PassphraseSource;
use super::runtime::{asked_to_stop, block_on};
use crate::config::Config;
use crate::envelope::Title;
use crate::node::{Builder, Event, Events, Item, Node, SecureNode, Subscription};
use crate::overlay::{Reason, Target};

use commands::{Command, Replies};
pub(in crate::cli) use show::short;
use show::{Format, Screen};

/// Run the node a configuration describes, until it is stopped with Ctrl-C.
///
/// On a terminal every line you type is broadcast to the whole network; lines that begin with a slash are commands (/help
/// shows them). Lines can be edited and called back with the arrow keys, until the program ends. Otherwise what happens is
/// printed line by line, and the lines of standard input are read as if they were typed.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Run {
    /// The configuration
    #[arg(long, value_name = "FILE")]
    config: PathBuf,

    /// Run the PLAIN network of the same name instead: nothing is encrypted, signed or proven. No key is read; nodes of the
    /// secure network and of the plain one never link. For learning, and for wires that are trusted already
    #[arg(long, conflicts_with = "passphrase_fd")]
    plain: bool,

    /// The title of what you type
    #[arg(long, default_value = "chat", value_parser = parse_title)]
    title: String,

    #[command(flatten)]
    passphrase: PassphraseSource,

    /// Print each broadcast as one JSON object on a line, as `sealnet verify` reads it, and nothing else
    #[arg(long)]
    json: bool,

    /// With --json: print what happens, too, as objects with the key "event". Each line of standard input that is broadcast
    /// is answered, in order: "published" with its id when nothing can take it back any more, or "not-published"
    #[arg(long, requires = "json")]
    events: bool,

    /// Begin with what the log on disk keeps from former runs, not with what is new
    #[arg(long)]
    from_start: bool,

    /// Leave the network at the end of standard input, as on a terminal
    #[arg(long)]
    until_eof: bool,

    /// Makes the node's random choices repeatable; for `sealnet devnet`
    #[arg(long, hide = true, value_parser = parse_seed)]
    seed: Option<Seed>,
}

/// A title that cannot be used is found before a node is started for nothing.
fn parse_title(text: &str) -> Result<String, String> {
    Title::for_application(text).map(|title| title.to_string()).map_err(|error| error.to_string())
}

/// 32 bytes in hex.
#[derive(Clone, Copy)]
struct Seed([u8; 32]);

fn parse_seed(text: &str) -> Result<Seed, String> {
    let mut seed = [0; 32];
    match data_encoding::HEXLOWER.decode_mut(text.as_bytes(), &mut seed) {
        Ok(32) if text.len() == 64 => Ok(Seed(seed)),
        _ => Err("write 64 hex digits".to_owned()),
    }
}

const EXAMPLES: &str = "\
Examples:
  sealnet run --config config/genesis.toml
  sealnet run --config config/peer.toml
  echo \"backup done\" | sealnet run --config config/peer.toml --until-eof
  sealnet run --config config/peer.toml --json | sealnet verify - --network demo
  sealnet run --config config/peer.toml --plain       see what security adds";

impl Run {
    pub(super) fn run(self, out: &mut Out) -> Result<(), Failure> {
        block_on(async {
            let config = Config::load(&self.config)?;
            let config = if self.plain { config.to_plain() } else { config };
            let (node, events) = self.start(&config).await?;
            let outcome = self.attend(&config, &node, events, out).await;
            node.stop().await;
            outcome
        })
    }

    /// Starts the node a configuration describes, secure or plain.
    async fn start(&self, config: &Config) -> Result<(Node, Events), Failure> {
        let Some(identity) = config.identity() else {
            // What nobody reads as a passphrase might be read as a message, and be broadcast.
            if self.passphrase.is_given() {
                return Err(Failure::said("a plain node has no key and needs no passphrase; take --passphrase-fd out"));
            }
            let builder = Node::from_config(config)?.control(config);
            return Ok(seeded(builder, self.seed).start_with_events().await?);
        };
        let builder = SecureNode::from_config_as(config, self.passphrase.load(identity)?)?.control(config);
        let (node, events) = seeded(builder, self.seed).start_with_events().await?;
        Ok((node.into(), events))
    }

    fn format(&self) -> Format {
        match (self.json, self.events) {
            (false, _) => Format::Text,
            (true, false) => Format::Broadcasts,
            (true, true) => Format::Everything,
        }
    }

    async fn attend(&self, config: &Config, node: &Node, mut events: Events, out: &mut Out) -> Result<(), Failure> {
        let messages = node.subscribe_all();
        // What a log on disk kept from former runs was shown by them.
        let mut messages = if self.from_start { messages.from_start() } else { messages.after(node.began())? };
        let mut joining = Joining::of(config, node);
        let Input { mut lines, editor, is_persons } = Input::open(node, self.json);
        let mut screen = Screen::new(out, node, self.format(), editor);
        screen.started()?;
        let (sender, mut replies) = mpsc::channel(64);
        let obeying = async {
            let replies = Replies { answers: sender, width: width() };
            while let Some(line) = lines.next().await {
                match Command::read(&line) {
                    Ok(Command::Stop) => return,
                    Ok(command) => command.obey(node, &self.title, &replies).await,
                    Err(why) => replies.say(why).await,
                }
            }
            // The end of a terminal's input is a person who leaves; that of a pipe means nothing more, unless it is said to.
            if !is_persons && !self.until_eof {
                std::future::pending::<()>().await;
            }
        };
        let stop = asked_to_stop();
        tokio::pin!(stop, obeying);
        loop {
            tokio::select! {
                () = &mut stop => break,
                () = &mut obeying => break,
                Some(event) = events.next() => {
                    screen.event(&event)?;
                    joining.watch(&event)?;
                    // Somebody asked by the control interface.
                    if matches!(event, Event::Stopping) {
                        break;
                    }
                }
                Some(item) = messages.next() => screen.item(&item)?,
                Some(reply) = replies.recv() => screen.reply(&reply)?,
            }
        }
        while let Ok(reply) = replies.try_recv() {
            screen.reply(&reply)?;
        }
        drain(&mut messages, &mut screen).await?;
        screen.stopping()
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

fn seeded<Kind>(builder: Builder<Kind>, seed: Option<Seed>) -> Builder<Kind> {
    match seed {
        Some(Seed(seed)) => builder.seed(seed),
        None => builder,
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

/// Where lines come from.
struct Input {
    lines: Lines,
    /// The prompt, where there is one.
    editor: Option<editor::Editor>,
    /// Whether a person types, who leaves at the end of the input.
    is_persons: bool,
}

enum Lines {
    /// Without a bound: the editor never waits, because whoever shows lines may be waiting for the editor.
    Typed(mpsc::UnboundedReceiver<String>),
    /// One at a time: whoever writes them waits until they are published.
    Piped(mpsc::Receiver<String>),
}

impl Lines {
    async fn next(&mut self) -> Option<String> {
        match self {
            Lines::Typed(lines) => lines.recv().await,
            Lines::Piped(lines) => lines.recv().await,
        }
    }
}

impl Input {
    fn open(node: &Node, json: bool) -> Self {
        let is_persons = std::io::stdin().is_terminal();
        if is_persons
            && std::io::stdout().is_terminal()
            && !json
            && let Some((editor, lines)) = editor::open(node)
        {
            return Input { lines: Lines::Typed(lines), editor: Some(editor), is_persons };
        }
        Input { lines: Lines::Piped(read_lines()), editor: None, is_persons }
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
