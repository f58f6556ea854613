//! Messages to single neighbours, acknowledged: a request whose answer is empty (protocol, section 9).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::sync::oneshot;

use crate::envelope::{Title, TitleError};
use crate::identity::NodeId;
use crate::wire::{Frame, Refused, RefusedCode, Request, RequestNumber, Response, ShortText};

use super::shared::{LinkHandle, Shared};
use super::{BodyError, Event};

/// The largest message to a single node, in bytes: what may be sent without the receiver's consent to more.
pub const MAX_DIRECT: usize = 1 << 20;

/// The feature of nodes that take requests.
pub(super) const REQUESTS: &str = "requests";

/// Messages to one neighbour that wait for their acknowledgement, and messages of one neighbour that are being put
/// together.
const OPEN: usize = 64;
/// Bytes of one neighbour's unfinished messages that are held.
const HELD: usize = 2 * MAX_DIRECT;
/// How long an acknowledgement is waited for.
const DEADLINE: Duration = Duration::from_secs(10);

/// A message that a neighbour sent to this node alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectMessage {
    /// Who sent it: proven by the link on a secure network, claimed on a plain one.
    pub from: NodeId,
    /// Its title.
    pub title: Title,
    /// Its content.
    pub message: Bytes,
}

/// Why a message to a single node did not arrive, as far as is known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// There is no link with that node.
    #[error("there is no link with {0:#}; connect to it first, or broadcast")]
    NotLinked(NodeId),
    /// That node did not announce that it takes such messages.
    #[error("{0:#} takes no messages to a single node; broadcast, or ask its operator for a newer program")]
    NotTaken(NodeId),
    /// The title cannot be used.
    #[error(transparent)]
    Title(#[from] TitleError),
    /// The message could not be made.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// The message is too large.
    #[error("the message has {size} bytes and a message to a single node has at most {limit}; send it in parts")]
    TooLarge {
        /// Its size in bytes.
        size: usize,
        /// The most there can be, in bytes.
        limit: usize,
    },
    /// Too many messages to that node wait for their acknowledgement.
    #[error("{0:#} has not acknowledged the last {OPEN} messages; wait for them")]
    Busy(NodeId),
    /// The other node refused it.
    #[error("{peer:#} refused the message: {why}")]
    Refused {
        /// Who.
        peer: NodeId,
        /// What it said.
        why: String,
    },
    /// The link was closed before the message was acknowledged: it may have arrived or not.
    #[error("the link with {0:#} closed before it acknowledged the message")]
    Closed(NodeId),
    /// No acknowledgement came in time: it may have arrived or not.
    #[error("{0:#} did not acknowledge the message within {secs} s", secs = DEADLINE.as_secs())]
    Deadline(NodeId),
}

/// What this node asked one neighbour and waits for.
#[derive(Debug)]
pub(super) struct Calls {
    open: Mutex<OpenCalls>,
}

#[derive(Debug)]
struct OpenCalls {
    next: Option<RequestNumber>,
    waiting: BTreeMap<RequestNumber, oneshot::Sender<Result<(), Refused>>>,
}

impl Default for Calls {
    fn default() -> Self {
        Calls { open: Mutex::new(OpenCalls { next: Some(RequestNumber::FIRST), waiting: BTreeMap::new() }) }
    }
}

impl Calls {
    fn begin(&self) -> Option<(RequestNumber, oneshot::Receiver<Result<(), Refused>>)> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.waiting.retain(|_, waiting| !waiting.is_closed());
        if open.waiting.len() >= OPEN {
            return None;
        }
        let number = open.next?;
        open.next = number.next();
        let (sender, receiver) = oneshot::channel();
        open.waiting.insert(number, sender);
        Some((number, receiver))
    }

    fn finish(&self, number: RequestNumber, outcome: Result<(), Refused>) {
        let waiting = self.open.lock().unwrap_or_else(PoisonError::into_inner).waiting.remove(&number);
        if let Some(waiting) = waiting {
            // Nobody may be waiting any more.
            let _ = waiting.send(outcome);
        }
    }

    /// An answer, or a piece of it. A message is only acknowledged, so what it holds is of no interest.
    pub(super) fn response(&self, response: Response) {
        if response.last {
            self.finish(response.number, Ok(()));
        }
    }

    /// The other node refused.
    pub(super) fn refused(&self, refused: &Refused) {
        self.finish(refused.number, Err(refused.clone()));
    }

    /// The link is gone.
    pub(super) fn fail_all(&self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        (open.next, open.waiting) = (None, BTreeMap::new());
    }
}

/// What one neighbour asks: messages in pieces, put together.
#[derive(Debug, Default)]
pub(super) struct Answers {
    unfinished: BTreeMap<RequestNumber, Unfinished>,
    held: usize,
}

#[derive(Debug)]
struct Unfinished {
    title: Title,
    bytes: BytesMut,
}

impl Answers {
    pub(super) fn request(&mut self, shared: &Arc<Shared>, from: &LinkHandle, request: Request) {
        let number = request.number;
        let answer = match self.put_together(request) {
            Ok(None) => return,
            Ok(Some((title, message))) => deliver(shared, from.peer, title, message),
            Err(code) => Err(code),
        };
        let frame = match answer {
            Ok(()) => Frame::Response(Response { number, last: true, bytes: Bytes::new() }),
            Err((code, why)) => Frame::Refused(Refused { number, code, text: ShortText::new(why) }),
        };
        if from.outbox.push_control(frame).is_err() {
            tracing::debug!(peer = %format_args!("{:#}", from.peer), "no room for an acknowledgement");
        }
    }

    fn put_together(&mut self, request: Request) -> Result<Option<(Title, Bytes)>, (RefusedCode, &'static str)> {
        let Request { number, title, last, bytes } = request;
        let known = self.unfinished.remove(&number);
        if known.is_none() && last {
            return Ok(Some((title, bytes)));
        }
        let mut unfinished = known.unwrap_or_else(|| Unfinished { title, bytes: BytesMut::new() });
        self.held = self.held.saturating_sub(unfinished.bytes.len());
        let size = unfinished.bytes.len() + bytes.len();
        if size > MAX_DIRECT {
            return Err((RefusedCode::TooLarge, "a message has at most 1 MiB"));
        }
        if self.unfinished.len() >= OPEN || self.held + size > HELD {
            return Err((RefusedCode::Busy, "too many unfinished messages"));
        }
        unfinished.bytes.extend_from_slice(&bytes);
        if last {
            return Ok(Some((unfinished.title, unfinished.bytes.freeze())));
        }
        self.held += size;
        self.unfinished.insert(number, unfinished);
        Ok(None)
    }
}

fn deliver(
    shared: &Arc<Shared>,
    from: NodeId,
    title: Title,
    message: Bytes,
) -> Result<(), (RefusedCode, &'static str)> {
    if title.is_protocol() {
        return Err((RefusedCode::NotAllowed, "the title belongs to the protocol"));
    }
    let message = Event::Direct(DirectMessage { from, title, message });
    // Acknowledged is what somebody here takes.
    let is_taken = shared.events.send(message);
    is_taken.then_some(()).ok_or((RefusedCode::NoSuchTitle, "nobody here takes messages"))
}

/// Sends a message over a link, and waits until the other node has acknowledged it.
pub(super) async fn send(link: &LinkHandle, title: &Title, message: Bytes) -> Result<(), SendError> {
    let (peer, size) = (link.peer, message.len());
    if size > MAX_DIRECT {
        return Err(SendError::TooLarge { size, limit: MAX_DIRECT });
    }
    if !link.takes_requests {
        return Err(SendError::NotTaken(peer));
    }
    let (number, acknowledged) = link.calls.begin().ok_or(SendError::Busy(peer))?;
    for request in pieces(number, title, message) {
        link.outbox.push_bulk(Frame::Request(request)).map_err(|_| SendError::Busy(peer))?;
    }
    match tokio::time::timeout(DEADLINE, acknowledged).await {
        Ok(Ok(Ok(()))) => Ok(()),
        Ok(Ok(Err(refused))) => Err(SendError::Refused { peer, why: refused.text.to_string() }),
        Ok(Err(_)) => Err(SendError::Closed(peer)),
        Err(_) => Err(SendError::Deadline(peer)),
    }
}

/// A message as REQUEST frames; the title stands in the first alone.
fn pieces(number: RequestNumber, title: &Title, mut message: Bytes) -> Vec<Request> {
    let mut pieces = Vec::new();
    let mut title = title.clone();
    loop {
        let bytes = message.split_to(message.len().min(Request::room(&title)));
        let last = message.is_empty();
        pieces.push(Request { number, title: std::mem::take(&mut title), last, bytes });
        if last {
            return pieces;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn title() -> Title {
        "t".parse().unwrap()
    }

    #[test]
    fn a_message_in_pieces_comes_together_again() {
        for size in [0, 1, 65_000, 70_000, 200_000, MAX_DIRECT] {
            let message = Bytes::from((0..size).map(|n| n as u8).collect::<Vec<_>>());
            let pieces = pieces(RequestNumber::FIRST, &title(), message.clone());
            let mut answers = Answers::default();
            let mut done = Vec::new();
            for piece in pieces {
                done.extend(answers.put_together(piece).unwrap());
            }
            assert_eq!(done, [(title(), message)]);
            assert_eq!((answers.unfinished.len(), answers.held), (0, 0));
        }
    }

    #[test]
    fn unfinished_messages_are_bounded_in_number_and_bytes() {
        let mut answers = Answers::default();
        let mut number = RequestNumber::FIRST;
        let mut refused = 0;
        for _ in 0..1000 {
            number = number.next().unwrap();
            let bytes = Bytes::from(vec![0; 60_000]);
            refused += u32::from(answers.put_together(Request { number, title: title(), last: false, bytes }).is_err());
            assert!(answers.held <= HELD && answers.unfinished.len() <= OPEN);
        }
        assert!(refused > 900);
        let mut large = Answers::default();
        let piece = || Request { number, title: title(), last: false, bytes: Bytes::from(vec![0; 60_000]) };
        let outcomes: Vec<_> = (0..20).map(|_| large.put_together(piece()).is_ok()).collect();
        assert!(outcomes.contains(&false) && large.held <= MAX_DIRECT);
    }
}
