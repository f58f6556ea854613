//! What `sealnet run` shows.

use std::fmt::Display;

use super::super::output::{BAD, NAME, Out};
use super::super::{Failure, escape, message};
use super::commands::Reply;
use super::editor::Editor;
use super::events;
use crate::identity::NodeId;
use crate::node::{Broadcast, Event, Item, Node};
use crate::overlay::{Direction, JoinStep, MemberState, Target};

/// What is printed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// Everything, for a person.
    Text,
    /// Broadcasts as JSON.
    Broadcasts,
    /// Broadcasts and events as JSON.
    Everything,
}

/// Lines on standard output: for a person with a prompt below them, for a log without, or envelopes as JSON.
pub(super) struct Screen<'a> {
    out: &'a mut Out,
    node: &'a Node,
    format: Format,
    /// The prompt, above which lines appear.
    editor: Option<Editor>,
}

impl<'a> Screen<'a> {
    pub(super) fn new(out: &'a mut Out, node: &'a Node, format: Format, editor: Option<Editor>) -> Self {
        Screen { out, node, format, editor }
    }

    /// The answer to a typed line.
    pub(super) fn reply(&mut self, reply: &Reply) -> Result<(), Failure> {
        match reply {
            Reply::Text(text) => self.say(text),
            Reply::Said(outcome) if self.format != Format::Text => self.tell(Some(events::said(outcome))),
            // It is shown when it comes back from the log, like everybody's.
            Reply::Said(Ok(receipt)) if receipt.neighbours > 0 => Ok(()),
            Reply::Said(Ok(receipt)) => self.say(receipt),
            Reply::Said(Err(error)) => self.say(error),
        }
    }

    /// One line, or several, that are not for programs.
    fn say(&mut self, line: impl Display) -> Result<(), Failure> {
        if self.format == Format::Text { self.line(line) } else { Ok(()) }
    }

    fn line(&mut self, line: impl Display) -> Result<(), Failure> {
        let Some(editor) = &self.editor else { return self.out.line(line) };
        let line = line.to_string();
        // The editor writes to the terminal itself, past the stream that would take the colours out.
        let has_colours = anstream::AutoStream::choice(&std::io::stdout()) != anstream::ColorChoice::Never;
        editor.show(if has_colours { line } else { anstream::adapter::strip_str(&line).to_string() });
        Ok(())
    }

    /// Something for programs that want to know everything.
    fn tell(&mut self, event: Option<serde_json::Value>) -> Result<(), Failure> {
        match event {
            Some(event) if self.format == Format::Everything => self.line(event),
            _ => Ok(()),
        }
    }

    pub(super) fn started(&mut self) -> Result<(), Failure> {
        self.tell(Some(events::started(self.node)))?;
        let kind = if self.node.is_secure() { "secure" } else { "a random name, proven by nothing" };
        self.say(format_args!("{NAME}node{NAME:#}    {} ({kind})", self.node.id()))?;
        if let Some(address) = self.node.address() {
            self.say(format_args!("{NAME}address{NAME:#} {address}"))?;
        }
        if !self.node.is_secure() {
            self.say(format_args!(
                "{BAD}PLAIN NETWORK{BAD:#}: whoever is on the wire reads everything, and can alter and forge it"
            ))?;
        }
        if self.editor.is_some() {
            self.say("type to broadcast; /help shows the commands, Tab completes; Ctrl-C stops")?;
        }
        Ok(())
    }

    pub(super) fn stopping(&mut self) -> Result<(), Failure> {
        // From here on the terminal is an ordinary one again.
        self.editor = None;
        self.tell(Some(events::stopping(self.node)))?;
        self.say("leaving the network")
    }

    pub(super) fn item(&mut self, item: &Item) -> Result<(), Failure> {
        match item {
            Item::Broadcast(broadcast) if self.format != Format::Text => {
                let json = broadcast.envelope().to_json(self.node.network());
                self.line(json)
            }
            Item::Broadcast(broadcast) => self.broadcast(broadcast),
            Item::Missed { count } => self.say(format_args!("{count} messages ran out before they were shown")),
        }
    }

    fn broadcast(&mut self, broadcast: &Broadcast) -> Result<(), Failure> {
        self.say(message::line(broadcast.envelope(), self.node.id()))
    }

    pub(super) fn event(&mut self, event: &Event) -> Result<(), Failure> {
        if self.format != Format::Text {
            return self.tell(events::told(event, self.node));
        }
        let text = match event {
            Event::Join(step) => match step {
                JoinStep::First => "no genesis node is named: this is the first node".to_owned(),
                JoinStep::AskedGenesis => "linked with a genesis node; asking it for members".to_owned(),
                JoinStep::AskedMember => "linked with a member; asking it for its neighbours".to_owned(),
                JoinStep::LeftGenesis => "links enough; said good-bye to the genesis node".to_owned(),
                JoinStep::Announced => "joined".to_owned(),
            },
            Event::LinkOpened { peer, direction, remote } => {
                format!("link with {peer:#} opened ({}, {remote})", way(*direction))
            }
            Event::LinkClosed { peer, direction, reason } => {
                format!("link with {peer:#} closed ({}): {reason}", way(*direction))
            }
            Event::Member { id, state } => match state {
                MemberState::Present => format!("{id:#} is present"),
                MemberState::Unreachable => format!("{id:#} is unreachable: nobody has a link with it"),
                MemberState::Gone => format!("{id:#} is gone"),
            },
            Event::DialFailed { target: Target::Genesis(_), why, .. } => {
                format!("no link with a genesis node yet: {why}; trying again")
            }
            Event::Direct(message) => {
                let text = String::from_utf8_lossy(&message.message);
                format!("{}  {:#} to me alone: {}", message.title, message.from, text)
            }
            Event::Barred { peer, reason } => format!("{peer:#} is barred for an hour: {reason}"),
            Event::IdentityUsedElsewhere { id } => {
                format!("SOMEBODY ELSE SIGNS WITH THIS NODE'S KEY (message {id:#}); stop this node and make a new key")
            }
            Event::ClockOff { peer, by, ahead } => {
                let how = if *ahead { "ahead of" } else { "behind" };
                format!("the clock of {peer:#} is {} s {how} this machine's; set the wrong one right", by.as_secs())
            }
            Event::LogTrouble(error) => error.to_string(),
            Event::LogRecovered => "the log on disk is written again".to_owned(),
            _ => return Ok(()),
        };
        self.say(format_args!("{NAME}{}{NAME:#}", escape(&text)))
    }
}

/// A direction in words.
pub(super) fn way(direction: Direction) -> &'static str {
    match direction {
        Direction::Inbound => "inbound",
        Direction::Outbound => "outbound",
    }
}

/// As much of a name as `width` characters hold, and enough to be used: all commands take the beginning of a name.
pub(in crate::cli) fn short(id: &NodeId, width: usize) -> String {
    let id = id.to_string();
    if width >= id.len() { id } else { format!("{}…", &id[..width.saturating_sub(1).clamp(8, 32)]) }
}
