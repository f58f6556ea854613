//! A request as its answerer gets it.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use tokio::io::AsyncRead;

use super::super::Body;
use crate::envelope::Title;
use crate::identity::NodeId;
use crate::link::{OutboxFull, Progress};
use crate::wire::{RefusedCode, RequestKind, RequestNumber};

use super::answering::Open;
use super::holding::Holding;
use super::link::LinkRequests;
use super::reply::{Reply, ReplyEnded};
use super::{DirectMessage, WrongBody};

/// Somebody asks, and waits for an answer. Dropped without one, it counts as refused by the application.
///
/// Everything about it is bounded before it gets here: 64 requests of one neighbour are open at a time, and their bytes
/// are limited. The asker's patience is not known; [`cancelled`](Asked::cancelled) tells when it has ended.
pub struct Asked {
    /// Who asks: proven by the link on a secure network, claimed on a plain one.
    pub from: NodeId,
    /// What is asked: the title that is served, or that with something behind a slash.
    pub title: Title,
    /// The request's content.
    pub body: Bytes,
    answer: Answer,
}

/// The right to answer one request, and the duty.
pub(super) struct Answer {
    pub(super) link: Arc<LinkRequests>,
    pub(super) number: RequestNumber,
    pub(super) open: Arc<Open>,
    kind: RequestKind,
    offset: Option<u64>,
    /// The answer, or a refusal, is on its way.
    pub(super) is_given: bool,
    _holding: Holding,
}

/// "The length of the whole is not known" (protocol, section 9).
pub(super) const UNKNOWN_TOTAL: u64 = u64::MAX;

impl Asked {
    #[expect(clippy::too_many_arguments, reason = "each is one field")]
    pub(super) fn new(
        link: &Arc<LinkRequests>,
        number: RequestNumber,
        open: Arc<Open>,
        title: Title,
        kind: RequestKind,
        offset: Option<u64>,
        body: Bytes,
        holding: Holding,
    ) -> Self {
        let answer = Answer { link: link.clone(), number, open, kind, offset, is_given: false, _holding: holding };
        Asked { from: link.peer, title, body, answer }
    }

    /// The content, if it is text.
    ///
    /// # Errors
    /// If it is not UTF-8.
    pub fn text(&self) -> Result<&str, WrongBody> {
        std::str::from_utf8(&self.body).map_err(|error| WrongBody::new(self.from, self.title.as_str(), error))
    }

    /// The content, read as JSON.
    ///
    /// # Errors
    /// If it is no JSON, or not of that form.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, WrongBody> {
        serde_json::from_slice(&self.body).map_err(|error| WrongBody::new(self.from, self.title.as_str(), error))
    }

    /// Whether the asker wants the answer's content: not if it only sent a message to this node.
    pub fn wants_answer(&self) -> bool {
        self.answer.kind != RequestKind::Message
    }

    /// From which byte on the answer is wanted: 0 but for a [`fetch`](super::super::Node::fetch) that goes on.
    /// [`reply`](Asked::reply) skips what is before by itself; a stream is to begin there.
    pub fn offset(&self) -> u64 {
        self.answer.offset.unwrap_or(0)
    }

    /// Answers. The bytes go out by and by, as the asker takes them; they are not copied. A value that cannot be made into
    /// bytes is a refusal.
    pub fn reply(self, body: impl Into<Body>) {
        match body.into().into_bytes() {
            Ok(body) => self.answer.reply(body),
            Err(error) => {
                tracing::debug!(title = %self.title, %error, "a request has no answer");
                self.refuse("the answer could not be made");
            }
        }
    }

    /// Answers with JSON.
    ///
    /// # Errors
    /// If `value` cannot be written as JSON; the asker is refused then.
    pub fn reply_json<T: serde::Serialize + ?Sized>(self, value: &T) -> Result<(), serde_json::Error> {
        let bytes = serde_json::to_vec(value)?;
        self.answer.reply(bytes.into());
        Ok(())
    }

    /// Answers with what is given to the [`Reply`] piece by piece, from [`offset`](Asked::offset) on. `total` is the length
    /// of the whole in bytes, counted from 0, if it is known: only fetches are told.
    ///
    /// # Errors
    /// If nobody waits for the answer any more.
    pub fn reply_stream(self, total: Option<u64>) -> Result<Reply, ReplyEnded> {
        Reply::begin(self.answer, total)
    }

    /// Answers with all that `reader` gives, which is to begin at [`offset`](Asked::offset). Returns when the last of it is
    /// queued; meanwhile 256 KiB are read ahead.
    ///
    /// # Errors
    /// What the reader says, or [`BrokenPipe`](std::io::ErrorKind::BrokenPipe) if nobody waits for the answer any more.
    pub async fn reply_reader(self, reader: impl AsyncRead + Unpin, total: Option<u64>) -> std::io::Result<()> {
        self.reply_stream(total)?.copy(reader).await
    }

    /// Refuses, in the application's own words: at most 128 bytes of them are sent.
    pub fn refuse(self, why: &str) {
        self.refuse_as(RefusedCode::Application, why);
    }

    /// Refuses for one of the protocol's reasons.
    pub fn refuse_as(self, code: RefusedCode, why: &str) {
        self.answer.refuse(code, why);
    }

    /// A message goes to `tell`, which says whether anybody takes it; everything else is refused.
    pub(in crate::node) fn pass_on(self, tell: impl FnOnce(DirectMessage) -> bool) {
        if self.wants_answer() {
            return self.refuse_as(RefusedCode::NoSuchTitle, "the application here answers no requests of that title");
        }
        let message = DirectMessage { from: self.from, title: self.title.clone(), message: self.body.clone() };
        // Acknowledged is what somebody here takes.
        if tell(message) {
            self.reply(Bytes::new());
        } else {
            self.refuse_as(RefusedCode::NoSuchTitle, "nobody here takes messages");
        }
    }

    /// Waits until nobody waits for the answer any more: the asker gave up, or the link closed.
    pub async fn cancelled(&self) {
        self.answer.open.cancelled.cancelled().await;
    }

    /// Whether nobody waits for the answer any more.
    pub fn is_cancelled(&self) -> bool {
        self.answer.open.cancelled.is_cancelled()
    }
}

impl Answer {
    fn reply(mut self, mut body: Bytes) {
        let mut total = None;
        if let Some(offset) = self.offset {
            total = u64::try_from(body.len()).ok();
            match usize::try_from(offset).ok().filter(|offset| *offset <= body.len()) {
                Some(offset) => drop(body.split_to(offset)),
                None => return self.refuse(RefusedCode::NotAllowed, "the offset lies behind the end"),
            }
        }
        if self.begin(total).is_some() {
            let outbox = &self.link.outbox;
            outbox.add_to_response(self.number, body);
            outbox.complete_response(self.number);
            self.is_given = true;
        }
    }

    /// Begins the response; `None` if nobody waits for it.
    pub(super) fn begin(&mut self, total: Option<u64>) -> Option<Arc<Progress>> {
        let (link, number) = (&self.link, self.number);
        let begun = link.answers.if_open(number, || link.outbox.open_response(number))?;
        let progress = match begun {
            Ok(progress) => progress,
            Err(OutboxFull::Closed) => return None,
            Err(_) => {
                self.give(RefusedCode::Busy, "too many answers are under way");
                return None;
            }
        };
        self.open.sends(progress.clone());
        if self.offset.is_some() {
            let total = total.unwrap_or(UNKNOWN_TOTAL).to_be_bytes();
            link.outbox.add_to_response(number, Bytes::copy_from_slice(&total));
        }
        Some(progress)
    }

    fn refuse(mut self, code: RefusedCode, why: &str) {
        self.give(code, why);
    }

    /// Refuses, unless it is too late for anything.
    pub(super) fn give(&mut self, code: RefusedCode, why: &str) {
        if !self.is_given && self.link.answers.forget(self.number) {
            self.link.refuse(self.number, code, why);
        }
        self.is_given = true;
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.give(RefusedCode::Application, "no answer was given");
    }
}

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asked")
            .field("from", &self.from)
            .field("title", &self.title)
            .field("bytes", &self.body.len())
            .field("offset", &self.answer.offset)
            .finish_non_exhaustive()
    }
}
