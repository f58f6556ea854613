//! The application: what may be said, and who is shown to have said it. A room is a title, `chat/ROOM`; what is sealed for one
//! member travels under `chat` itself.

use std::fmt;

use sealnet::app::{Application, Context, StartAt};
use sealnet::envelope::{Envelope, Verified};
use sealnet::identity::NodeId;
use sealnet::node::{Asked, Broadcast, Node, Verdict};
use sealnet::sealed::is_sealed;
use serde::{Deserialize, Serialize};

pub(crate) const TITLE: &str = "chat";
const LONGEST_NAME: usize = 32;
const LONGEST_TEXT: usize = 2000;

/// What is said, in a room or to one member.
#[derive(Serialize, Deserialize)]
pub(crate) struct Line {
    /// What the speaker calls itself. Who it is, the signature says.
    pub(crate) name: String,
    /// Nothing: the speaker has come in.
    pub(crate) text: Option<String>,
}

impl Line {
    /// A line that can be shown: nothing in it moves a cursor or rings a bell.
    fn read(bytes: &[u8]) -> Option<Line> {
        let line: Line = serde_json::from_slice(bytes).ok()?;
        let is_text = |text: &String| (1..=LONGEST_TEXT).contains(&text.len()) && !text.chars().any(char::is_control);
        (is_name(&line.name) && line.text.as_ref().is_none_or(is_text)).then_some(line)
    }
}

/// Whether people and rooms may be called so.
pub(crate) fn is_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    (1..=LONGEST_NAME).contains(&name.len()) && name.chars().all(is_plain)
}

pub(crate) fn title_of(room: &str) -> String {
    format!("{TITLE}/{room}")
}

/// Binds a name to the first key that is heard under it here, and a key to the first name it is heard under. Whoever comes
/// later is shown with part of its key, in a form that is no name: nobody can choose to look like somebody else.
fn shown_name(node: &Node, id: &NodeId, name: String) -> String {
    let bound = node.nickname(id).or_else(|| node.set_nickname(id, &name).is_ok().then(|| name.clone()));
    bound.unwrap_or_else(|| format!("{name}~{id:#}"))
}

/// What somebody sees.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub(crate) enum Seen {
    Ready { id: NodeId, address: Option<String> },
    CameIn { room: String, from: String, id: NodeId },
    Said { room: String, from: String, id: NodeId, text: String },
    Private { from: String, id: NodeId, text: String, sealed: bool },
    Sent { to: String, sealed: bool },
    Note { text: String },
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Seen::Ready { address: Some(address), .. } => write!(f, "others join with --genesis {address}"),
            Seen::Ready { id, address: None } => write!(f, "this is {id:#}"),
            Seen::CameIn { room, from, .. } => write!(f, "[{room}] {from} has come in"),
            Seen::Said { room, from, text, .. } => write!(f, "[{room}] {from}: {text}"),
            Seen::Private { from, text, sealed: false, .. } => write!(f, "[to you alone] {from}: {text}"),
            Seen::Private { from, text, sealed: true, .. } => write!(f, "[sealed, to you alone] {from}: {text}"),
            Seen::Sent { to, sealed: false } => write!(f, "{to} has it"),
            Seen::Sent { to, sealed: true } => write!(f, "{to} is away; it waits, sealed, and only {to} can read it"),
            Seen::Note { text } => f.write_str(text),
        }
    }
}

/// Where it is shown.
#[derive(Clone, Copy)]
pub(crate) struct Screen {
    pub(crate) json: bool,
}

impl Screen {
    pub(crate) fn show(self, seen: &Seen) {
        match serde_json::to_string(seen) {
            Ok(object) if self.json => println!("{object}"),
            _ => println!("{seen}"),
        }
    }

    pub(crate) fn note(self, text: impl fmt::Display) {
        self.show(&Seen::Note { text: text.to_string() });
    }

    /// What was said in a room.
    pub(crate) fn line(self, node: &Node, room: &str, message: &Broadcast) {
        let Some(Line { name, text }) = Line::read(&message.message()) else { return };
        let (room, id) = (room.to_owned(), message.sender());
        let from = shown_name(node, &id, name);
        self.show(&match text {
            Some(text) => Seen::Said { room, from, id, text },
            None => Seen::CameIn { room, from, id },
        });
    }

    /// What was said to this member alone; says whether it can be shown.
    fn private(self, node: &Node, id: NodeId, bytes: &[u8], sealed: bool) -> bool {
        let Some(Line { name, text: Some(text) }) = Line::read(bytes) else { return false };
        self.show(&Seen::Private { from: shown_name(node, &id, name), id, text, sealed });
        true
    }
}

pub(crate) struct Chat(pub(crate) Screen);

impl Application for Chat {
    fn start_at(&self) -> StartAt {
        StartAt::OldestKept
    }

    /// What cannot be shown is not carried either.
    async fn check(&mut self, _: &Context, message: &Verified<Envelope>) -> Verdict {
        let body = message.message();
        let is_sound = match message.title().strip_prefix("chat/") {
            Some(room) => is_name(room) && Line::read(&body).is_some(),
            None => is_sealed(&body),
        };
        if is_sound { Verdict::Accept } else { Verdict::Reject("neither a line of a room nor sealed".into()) }
    }

    /// The rooms are read where they are joined; here comes what is sealed to this member. Most is for others.
    async fn received(&mut self, cx: &Context, message: Broadcast) {
        if message.sender() != cx.id()
            && let Ok(opened) = cx.open(&message)
        {
            self.0.private(cx.node(), message.sender(), opened.data(), true);
        }
    }

    async fn asked(&mut self, cx: &Context, asked: Asked) {
        if asked.wants_answer() {
            asked.refuse("this is a chat: it takes messages and answers no questions");
        } else if self.0.private(cx.node(), asked.from, &asked.body, false) {
            asked.reply("");
        } else {
            asked.refuse("this is no line");
        }
    }
}
