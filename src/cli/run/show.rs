//! What `sealnet run` shows.

use std::fmt::Display;

use super::super::output::{GOOD, NAME, Out};
use super::super::{Failure, escape};
use crate::node::{Broadcast, Event, Item, Node};
use crate::overlay::{Direction, JoinStep, MemberState, Target};

/// Lines on standard output: for a person with a prompt below them, for a log without, or envelopes as JSON.
pub(super) struct Screen<'a> {
    out: &'a mut Out,
    node: &'a Node,
    json: bool,
    has_prompt: bool,
    /// The prompt stands at the bottom, and has to be wiped before something else is shown.
    is_prompting: bool,
}

impl<'a> Screen<'a> {
    pub(super) fn new(out: &'a mut Out, node: &'a Node, json: bool, has_prompt: bool) -> Self {
        Screen { out, node, json, has_prompt, is_prompting: false }
    }

    /// One line that is not for programs.
    pub(super) fn say(&mut self, line: impl Display) -> Result<(), Failure> {
        if self.json { Ok(()) } else { self.line(line) }
    }

    fn line(&mut self, line: impl Display) -> Result<(), Failure> {
        if std::mem::take(&mut self.is_prompting) {
            self.out.part("\r\x1b[K")?;
        }
        self.out.line(line)
    }

    /// Shows the prompt, if there is one and it is not shown yet.
    pub(super) fn prompt(&mut self) -> Result<(), Failure> {
        if self.has_prompt && !self.is_prompting {
            self.is_prompting = true;
            self.out.part("> ")?;
            self.out.flush()?;
        }
        Ok(())
    }

    /// The person pressed Enter: the terminal has begun a new line.
    pub(super) fn entered(&mut self) {
        self.is_prompting = false;
    }

    pub(super) fn started(&mut self) -> Result<(), Failure> {
        let kind = if self.node.is_secure() { "secure" } else { "plain: nothing is encrypted or signed" };
        self.say(format_args!("{NAME}node{NAME:#}    {} ({kind})", self.node.id()))?;
        if let Some(address) = self.node.address() {
            self.say(format_args!("{NAME}address{NAME:#} {address}"))?;
        }
        if self.has_prompt {
            self.say("type to broadcast; /help shows the commands; Ctrl-C stops")?;
        }
        Ok(())
    }

    pub(super) fn stopping(&mut self) -> Result<(), Failure> {
        self.say("leaving the network")
    }

    pub(super) fn item(&mut self, item: &Item) -> Result<(), Failure> {
        match item {
            Item::Broadcast(broadcast) if self.json => {
                let json = broadcast.envelope().to_json(self.node.network());
                self.line(json)
            }
            Item::Broadcast(broadcast) => self.broadcast(broadcast),
            Item::Missed { count } => self.say(format_args!("{count} messages ran out before they were shown")),
        }
    }

    fn broadcast(&mut self, broadcast: &Broadcast) -> Result<(), Failure> {
        let time = broadcast.time().to_string();
        let clock = time.get(11..19).unwrap_or(&time);
        let text =
            broadcast.text().unwrap_or_else(|| format!("({} bytes that are no text)", broadcast.message().len()));
        let who =
            if broadcast.sender() == self.node.id() { "me".to_owned() } else { format!("{:#}", broadcast.sender()) };
        let title = escape(broadcast.title());
        self.say(format_args!("{NAME}{clock}{NAME:#}  {title}  {GOOD}{who:<8}{GOOD:#}  {}", escape(&text)))
    }

    pub(super) fn event(&mut self, event: &Event) -> Result<(), Failure> {
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
