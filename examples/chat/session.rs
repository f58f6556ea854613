//! One person at a terminal.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::BufRead;
use std::path::Path;

use sealnet::app::Json;
use sealnet::config::Config;
use sealnet::identity::{Identity, NodeId, Overwrite};
use sealnet::node::{Item, SecureNode, Sent};
use sealnet::overlay::Settings;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::options::Session as Options;
use super::rooms::{Chat, Line, Screen, Seen, TITLE, is_name, title_of};

const HELP: &str =
    "/join ROOM, /leave ROOM, /msg NAME TEXT, /who, /quit; anything else is said in the room joined last";

type Outcome<T> = Result<T, Box<dyn Error>>;

async fn start(options: &Options) -> Outcome<SecureNode> {
    let app = Chat(Screen { json: options.json });
    if let Some(file) = &options.config {
        return Ok(SecureNode::from_config(&Config::load(file)?)?.app(TITLE, app).start().await?);
    }
    let identity = options.key.as_deref().map_or_else(|| Ok(Identity::generate()?), load_or_make)?;
    let mut builder = SecureNode::builder("chat".parse()?, identity).listen(options.listen).app(TITLE, app);
    if options.listen.ip().is_loopback() {
        builder = builder.overlay(Settings::local());
    }
    if let Some(genesis) = &options.genesis {
        builder = builder.genesis(genesis.clone());
    }
    if let Some(key) = &options.key {
        builder = builder.seal_file(key.with_extension("seal")); // to be sealed to while away
    }
    Ok(builder.start().await?)
}

fn load_or_make(key: &Path) -> Outcome<Identity> {
    if !key.exists() {
        Identity::generate()?.save(key, Overwrite::Refuse)?;
    }
    Ok(Identity::load(key)?)
}

/// Until the person leaves, or standard input ends.
pub(crate) async fn run(options: Options) -> Outcome<()> {
    let screen = Screen { json: options.json };
    let node = start(&options).await?;
    let address = node.address().map(|address| address.to_string());
    screen.show(&Seen::Ready { id: node.id(), address });
    let mut session = Session { node, screen, name: options.name, room: String::new(), joined: BTreeMap::new() };
    session.join(&options.room).await?;
    if !options.json {
        screen.note(HELP);
    }
    let mut lines = standard_input();
    while let Some(line) = lines.recv().await {
        let (command, rest) = line.split_once(' ').unwrap_or((&line, ""));
        match command {
            "/quit" => break,
            "/join" if is_name(rest) => session.join(rest).await?,
            "/leave" if session.joined.contains_key(rest) => session.leave(rest),
            "/msg" => session.tell(rest).await,
            "/who" => session.who(),
            _ if line.is_empty() => {}
            _ if line.starts_with('/') => screen.note(HELP),
            _ if session.room.is_empty() => screen.note("join a room first: /join ROOM"),
            _ => session.say(Some(line)).await,
        }
    }
    session.node.stop().await;
    Ok(())
}

/// Lines as they are typed. A thread of its own: reading a terminal blocks.
fn standard_input() -> mpsc::Receiver<String> {
    let (send, lines) = mpsc::channel(16);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if send.blocking_send(line.trim().to_owned()).is_err() {
                break;
            }
        }
    });
    lines
}

struct Session {
    node: SecureNode,
    screen: Screen,
    name: String,
    /// Where one speaks; empty: nowhere.
    room: String,
    joined: BTreeMap<String, AbortHandle>,
}

impl Session {
    /// Shows what was said in a room as long as it is kept, and what is said from now on.
    async fn join(&mut self, room: &str) -> Outcome<()> {
        self.room = room.to_owned();
        if self.joined.contains_key(room) {
            return Ok(());
        }
        let mut lines = self.node.subscribe(&title_of(room))?.from_start();
        let (node, screen, name) = (self.node.downgrade(), self.screen, room.to_owned());
        let reading = tokio::spawn(async move {
            while let Some(item) = lines.next().await {
                let Some(node) = node.upgrade() else { return };
                match item {
                    Item::Broadcast(message) => screen.line(&node, &name, &message),
                    Item::Missed { count } => {
                        screen.note(format_args!("{count} messages ran out before they came here"))
                    }
                    _ => {}
                }
            }
        });
        self.joined.insert(room.to_owned(), reading.abort_handle());
        self.say(None).await;
        Ok(())
    }

    fn leave(&mut self, room: &str) {
        if let Some(reading) = self.joined.remove(room) {
            reading.abort();
        }
        self.room = self.joined.keys().next().cloned().unwrap_or_default();
    }

    async fn say(&self, text: Option<String>) {
        let line = Line { name: self.name.clone(), text };
        if let Err(error) = self.node.broadcast(&title_of(&self.room), Json(&line)).await {
            self.screen.note(error);
        }
    }

    /// To one member: straight if it is there, and else the node seals it. Both ways nobody else reads it.
    async fn tell(&self, rest: &str) {
        let Some((name, text)) = rest.split_once(' ') else { return self.screen.note(HELP) };
        let Some(to) = self.node.nicknamed(name).or_else(|| name.parse::<NodeId>().ok()) else {
            return self.screen.note(format_args!("nobody was heard here under the name {name}; /who tells who was"));
        };
        let line = Line { name: self.name.clone(), text: Some(text.to_owned()) };
        let to_name = name.to_owned();
        match self.node.send_to(&to, TITLE, Json(&line)).await {
            Ok(way) => self.screen.show(&Seen::Sent { to: to_name, sealed: matches!(way, Sent::Sealed(_)) }),
            // It may be on its way out: better twice than not at all.
            Err(missed) => match self.node.seal_to(&[to], TITLE, Json(&line)).await {
                Ok(_) => self.screen.show(&Seen::Sent { to: to_name, sealed: true }),
                Err(error) => self.screen.note(format_args!("{missed}; {error}")),
            },
        }
    }

    fn who(&self) {
        for member in self.node.members() {
            let name = self.node.nickname(&member.id).unwrap_or_else(|| "(has not spoken)".to_owned());
            self.screen.note(format_args!("{name}  {}", member.id));
        }
    }
}
