//! The commands of `run`'s prompt.

use super::super::output::{Facts, NAME};
use super::super::{Failure, escape};
use super::show::{Screen, way};
use crate::identity::{NodeAddress, NodeId};
use crate::node::Node;

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
    Help,
    Stop,
}

/// Whether to go on after a command.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Done {
    GoOn,
    Stop,
}

const HELP: &str = "\
text                  broadcast it
/to ID text           send it to one neighbour alone
/ping ID              measure the round trip to a neighbour
/members  /links      who belongs to the network; who is linked with this node
/status               this node in numbers
/connect ADDRESS      open a link: sealnet://ID@host:port
/disconnect ID        close a link
/stop                 leave the network
ID is a node's name or the beginning of it. //text broadcasts a text that begins with a slash.";

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
        let (name, rest) = command.split_once(' ').unwrap_or((command, ""));
        let rest = rest.trim();
        let needs = |what: &str| match rest {
            "" => Err(format!("/{name} needs {what}; /help shows how")),
            rest => Ok(rest.to_owned()),
        };
        match name {
            "to" => match rest.split_once(' ') {
                Some((id, text)) => Ok(Command::To(id.to_owned(), text.trim().to_owned())),
                None => Err("/to needs a node and a text; /help shows how".to_owned()),
            },
            "ping" => needs("a node").map(Command::Ping),
            "members" => Ok(Command::Members),
            "links" => Ok(Command::Links),
            "status" => Ok(Command::Status),
            "connect" => needs("an address").map(Command::Connect),
            "disconnect" => needs("a node").map(Command::Disconnect),
            "help" => Ok(Command::Help),
            "stop" | "quit" | "exit" => Ok(Command::Stop),
            _ => Err(format!("there is no command /{}; /help shows them", escape(name))),
        }
    }

    /// Does it. What goes wrong is said, and ends nothing.
    pub(super) async fn obey(self, node: &Node, title: &str, screen: &mut Screen<'_>) -> Result<Done, Failure> {
        match self {
            Command::Nothing => {}
            Command::Say(text) => match node.broadcast(title, text).await {
                // It is shown when it comes back from the log, like everybody's.
                Ok(receipt) if receipt.neighbours > 0 || node.members().len() == 1 => {}
                Ok(_) => screen.say("no link at the moment: it is kept, and told to whoever links next")?,
                Err(error) => screen.say(error)?,
            },
            Command::To(id, text) => match find(node, &id) {
                Ok(peer) => match node.send_to(&peer, title, text).await {
                    Ok(()) => screen.say(format_args!("{peer:#} has it"))?,
                    Err(error) => screen.say(error)?,
                },
                Err(why) => screen.say(why)?,
            },
            Command::Ping(id) => match find(node, &id) {
                Ok(peer) => match node.ping(&peer).await {
                    Ok(round_trip) => screen.say(format_args!("{peer:#} answered after {round_trip:.1?}"))?,
                    Err(error) => screen.say(error)?,
                },
                Err(why) => screen.say(why)?,
            },
            Command::Members => members(node, screen)?,
            Command::Links => links(node, screen)?,
            Command::Status => status(node, screen)?,
            Command::Connect(address) => match address.parse::<NodeAddress>() {
                Ok(address) => match node.connect(&address).await {
                    Ok(peer) => screen.say(format_args!("linked with {peer:#}"))?,
                    Err(error) => screen.say(error)?,
                },
                Err(error) => screen.say(error)?,
            },
            Command::Disconnect(id) => match find(node, &id) {
                Ok(peer) if node.disconnect(&peer) => {}
                Ok(peer) => screen.say(format_args!("there is no link with {peer:#}"))?,
                Err(why) => screen.say(why)?,
            },
            Command::Help => screen.say(HELP)?,
            Command::Stop => return Ok(Done::Stop),
        }
        Ok(Done::GoOn)
    }
}

/// The one node whose name begins like this, among members and neighbours.
fn find(node: &Node, beginning: &str) -> Result<NodeId, String> {
    let known =
        node.members().into_iter().map(|member| member.id).chain(node.links().into_iter().map(|link| link.peer));
    let mut found: Vec<NodeId> = known.filter(|id| id.to_string().starts_with(beginning)).collect();
    found.sort_unstable();
    found.dedup();
    match found[..] {
        [one] => Ok(one),
        [] => Err(format!("nobody here is called {}; /members shows who is", escape(beginning))),
        _ => Err(format!("{} nodes are called {}…; write more of the name", found.len(), escape(beginning))),
    }
}

fn members(node: &Node, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let members = node.members();
    for member in &members {
        let addresses: Vec<_> = member.presence.addresses.iter().map(ToString::to_string).collect();
        let me = if member.id == node.id() { " (this node)" } else { "" };
        let state = format!("{:?}", member.state).to_lowercase();
        screen.say(format_args!("{}  {state:<11}  {}{me}", member.id, addresses.join(" ")))?;
    }
    screen.say(format_args!("{NAME}{} members{NAME:#}", members.len()))
}

fn links(node: &Node, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let links = node.links();
    for link in &links {
        let round_trip = link.round_trip.map_or_else(|| "not measured".to_owned(), |time| format!("{time:.1?}"));
        screen.say(format_args!("{}  {:<8}  {:<21}  {round_trip}", link.peer, way(link.direction), link.remote))?;
    }
    screen.say(format_args!("{NAME}{} links{NAME:#}", links.len()))
}

fn status(node: &Node, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let status = node.status();
    let mut facts = Facts::default();
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
    facts.lines().try_for_each(|line| screen.say(line))
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
        assert_eq!(Command::read("/links\r"), Ok(Command::Links));
        for wrong in ["/to 3b6a", "/ping", "/ping ", "/connect", "/unknown", "/"] {
            assert!(Command::read(wrong).unwrap_err().contains("/help"), "{wrong}");
        }
    }
}
