//! The commands of `run`'s prompt: how they are typed, explained, completed and done.

use std::fmt::{Display, Write};

use tokio::sync::mpsc;

use super::super::output::{Facts, NAME};
use super::super::{escape, log};
use super::show::{short, way};
use crate::control::resolve;
use crate::identity::{NodeAddress, NodeId};
use crate::node::{Node, PublishError, Receipt};
use crate::overlay::Push;

/// What a typed line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command {
    Nothing,
    Say(String),
    To(String, String),
    Ping(String),
    Members,
    Links,
    Status,
    Connect(String),
    Disconnect(String),
    Debug(String),
    Help,
    Stop,
}

/// What follows a command's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Argument {
    Nothing,
    Node,
    NodeAndText,
    Address,
    Level,
}

/// A command as it is typed and explained.
pub(super) struct Form {
    pub(super) name: &'static str,
    pub(super) argument: Argument,
    pub(super) help: &'static str,
}

const fn form(name: &'static str, argument: Argument, help: &'static str) -> Form {
    Form { name, argument, help }
}

/// Everything that can be typed after a slash.
pub(super) const FORMS: [Form; 10] = [
    form("to", Argument::NodeAndText, "send it to one neighbour alone"),
    form("ping", Argument::Node, "measure the round trip to a neighbour"),
    form("members", Argument::Nothing, "who belongs to the network"),
    form("links", Argument::Nothing, "who is linked with this node"),
    form("status", Argument::Nothing, "this node in numbers"),
    form("connect", Argument::Address, "open a link: sealnet://ID@HOST:PORT"),
    form("disconnect", Argument::Node, "close a link"),
    form("debug", Argument::Level, "log: off, error, warn, info, debug, trace"),
    form("help", Argument::Nothing, "these lines"),
    form("stop", Argument::Nothing, "leave the network, as Ctrl-C and Ctrl-D do"),
];

/// The levels `/debug` is completed with.
pub(super) const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

impl Argument {
    fn shown(self) -> &'static str {
        match self {
            Argument::Nothing => "",
            Argument::Node => " ID",
            Argument::NodeAndText => " ID TEXT",
            Argument::Address => " ADDRESS",
            Argument::Level => " LEVEL",
        }
    }

    /// What is missing where nothing stands.
    fn missing(self) -> &'static str {
        match self {
            Argument::Nothing => "nothing",
            Argument::Node => "a node",
            Argument::NodeAndText => "a node and a text",
            Argument::Address => "an address",
            Argument::Level => "a level",
        }
    }
}

fn help() -> String {
    let mut text = format!("{:<20}  broadcast it", "TEXT");
    for Form { name, argument, help } in &FORMS {
        let _ = write!(text, "\n{:<20}  {help}", format!("/{name}{}", argument.shown()));
    }
    text.push_str("\nID is a node's name or the beginning of it; the Tab key completes it.");
    text.push_str("\n//TEXT broadcasts a text that begins with a slash.");
    text
}

impl Command {
    /// What a line asks for, or what is wrong with it.
    pub(super) fn read(line: &str) -> Result<Self, String> {
        let line = line.trim_end_matches(['\r', '\n']);
        let Some(command) = line.strip_prefix('/') else {
            return Ok(if line.trim().is_empty() { Command::Nothing } else { Command::Say(line.to_owned()) });
        };
        if command.starts_with('/') {
            return Ok(Command::Say(command.to_owned()));
        }
        let (name, rest) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
        let (name, rest) = (if matches!(name, "quit" | "exit") { "stop" } else { name }, rest.trim());
        let Some(form) = FORMS.iter().find(|form| form.name == name) else {
            return Err(format!("there is no command /{}; /help shows them", escape(name)));
        };
        let incomplete = || format!("/{name} needs {}; /help shows how", form.argument.missing());
        if rest.is_empty() && form.argument != Argument::Nothing {
            return Err(incomplete());
        }
        let rest = rest.to_owned();
        Ok(match name {
            "to" => {
                let (id, text) = rest.split_once(char::is_whitespace).ok_or_else(incomplete)?;
                Command::To(id.to_owned(), text.trim().to_owned())
            }
            "ping" => Command::Ping(rest),
            "members" => Command::Members,
            "links" => Command::Links,
            "status" => Command::Status,
            "connect" => Command::Connect(rest),
            "disconnect" => Command::Disconnect(rest),
            "debug" => Command::Debug(rest),
            "help" => Command::Help,
            _ => Command::Stop,
        })
    }

    /// Does it. What goes wrong is said, and ends nothing.
    pub(super) async fn obey(self, node: &Node, title: &str, replies: &Replies) {
        match self {
            Command::Nothing | Command::Stop => {}
            Command::Say(text) => replies.give(Reply::Said(node.broadcast(title, text).await)).await,
            Command::To(id, text) => match find(node, &id) {
                Ok(peer) => match node.send_to(&peer, title, text).await {
                    Ok(_) => replies.say(format_args!("{peer:#} has it")).await,
                    Err(error) => replies.say(error).await,
                },
                Err(why) => replies.say(why).await,
            },
            Command::Ping(id) => match find(node, &id) {
                Ok(peer) => match node.ping(&peer).await {
                    Ok(round_trip) => replies.say(format_args!("{peer:#} answered after {round_trip:.1?}")).await,
                    Err(error) => replies.say(error).await,
                },
                Err(why) => replies.say(why).await,
            },
            Command::Members => replies.say(members(node, replies.width)).await,
            Command::Links => replies.say(links(node, replies.width)).await,
            Command::Status => replies.say(status(node)).await,
            Command::Connect(address) => match address.parse::<NodeAddress>() {
                Ok(address) => match node.connect(&address).await {
                    Ok(peer) => replies.say(format_args!("linked with {peer:#}")).await,
                    Err(error) => replies.say(error).await,
                },
                Err(error) => replies.say(error).await,
            },
            Command::Disconnect(id) => match find(node, &id) {
                Ok(peer) if node.disconnect(&peer) => {}
                Ok(peer) => replies.say(format_args!("there is no link with {peer:#}")).await,
                Err(why) => replies.say(why).await,
            },
            Command::Debug(level) => match log::change(&level) {
                Ok(()) => replies.say(format_args!("the log now shows: {}", escape(&level))).await,
                Err(why) => replies.say(why).await,
            },
            Command::Help => replies.say(help()).await,
        }
    }
}

/// The answer to a typed line.
pub(super) enum Reply {
    /// For a person.
    Text(String),
    /// What became of a broadcast.
    Said(Result<Receipt, PublishError>),
}

/// Where the answers to commands go: commands are done beside the showing of messages, so that a ping that takes long
/// holds up nothing.
pub(super) struct Replies {
    pub(super) answers: mpsc::Sender<Reply>,
    /// How many characters a line may have.
    pub(super) width: usize,
}

impl Replies {
    pub(super) async fn say(&self, text: impl Display) {
        self.give(Reply::Text(text.to_string())).await;
    }

    async fn give(&self, reply: Reply) {
        // Nobody listens any more when the node is about to stop.
        let _ = self.answers.send(reply).await;
    }
}

/// The one node that is called so.
fn find(node: &Node, name: &str) -> Result<NodeId, String> {
    resolve(node, name).map_err(|error| format!("{error}; /members shows who is here"))
}

/// Members and neighbours, in order.
pub(super) fn known(node: &Node) -> Vec<NodeId> {
    let members = node.members().into_iter().map(|member| member.id);
    let mut known: Vec<_> = members.chain(node.links().into_iter().map(|link| link.peer)).collect();
    known.sort_unstable();
    known.dedup();
    known
}

fn members(node: &Node, width: usize) -> String {
    let (members, mut text) = (node.members(), String::new());
    for member in &members {
        let addresses: Vec<_> = member.presence.addresses.iter().map(ToString::to_string).collect();
        let me = if member.id == node.id() { " (this node)" } else { "" };
        let state = format!("{:?}", member.state).to_lowercase();
        let rest = format!("{state:<11}  {}{me}", addresses.join(" "));
        let _ = writeln!(text, "{}  {rest}", short(&member.id, width.saturating_sub(rest.len() + 2)));
    }
    text + &count(members.len(), "member")
}

fn links(node: &Node, width: usize) -> String {
    let (links, mut text) = (node.links(), String::new());
    for link in &links {
        let round_trip = link.round_trip.map_or_else(|| "not measured".to_owned(), |time| format!("{time:.1?}"));
        let push = match link.push {
            Push::Eager => "eager",
            Push::Lazy => "lazy",
        };
        let rest = format!("{:<8}  {:<21}  {push:<5}  {round_trip}", way(link.direction), link.remote);
        let _ = writeln!(text, "{}  {rest}", short(&link.peer, width.saturating_sub(rest.chars().count() + 2)));
    }
    text + &count(links.len(), "link")
}

fn count(number: usize, what: &str) -> String {
    format!("{NAME}{number} {what}{}{NAME:#}", if number == 1 { "" } else { "s" })
}

fn status(node: &Node) -> String {
    let status = node.status();
    let mut facts = Facts::default();
    facts.add("node", status.id);
    facts.add("network", node.network());
    facts.add("members", status.members);
    facts.add("links", status.links);
    facts.add("kept", format_args!("{} messages, {} bytes", status.log.envelopes, status.log.bytes));
    if let Some(folder) = &status.folder {
        facts.add("folder", escape(&folder.display().to_string()));
    }
    if let Some(trouble) = &status.log_trouble {
        facts.add("log", escape(&trouble.to_string()));
    }
    facts.add("verified", format_args!("{} signatures", status.verifications));
    for (reason, count) in status.reasons.iter() {
        facts.add(reason.label(), count);
    }
    facts.lines().collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_said_and_slashes_command() {
        assert_eq!(Command::read("hello, everyone"), Ok(Command::Say("hello, everyone".into())));
        assert_eq!(Command::read("  "), Ok(Command::Nothing));
        assert_eq!(Command::read("//etc"), Ok(Command::Say("/etc".into())));
        assert_eq!(Command::read("/to 3b6a  good morning"), Ok(Command::To("3b6a".into(), "good morning".into())));
        assert_eq!(Command::read("/links "), Ok(Command::Links));
        assert_eq!(Command::read("/quit"), Ok(Command::Stop));
        for wrong in ["/to 3b6a", "/ping", "/ping ", "/connect", "/debug", "/unknown", "/"] {
            assert!(Command::read(wrong).unwrap_err().contains("/help"), "{wrong}");
        }
    }

    #[test]
    fn every_command_is_explained_within_80_columns_and_understood() {
        for line in help().lines() {
            assert!(line.len() <= 80, "{line}");
        }
        for form in &FORMS {
            let line = format!("/{} a b", form.name);
            assert_eq!(Command::read(&line).unwrap() == Command::Stop, form.name == "stop", "{line}");
        }
    }
}
