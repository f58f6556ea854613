//! What this node asks one neighbour, and how the answer comes in.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::envelope::Title;
use crate::identity::NodeId;
use crate::link::{OutboxFull, RESPONSE_WINDOW};
use crate::wire::{Credit, Frame, Refused, RequestKind, RequestNumber, Response};

use super::link::LinkRequests;
use super::{OPEN, Overstep, RequestError};

/// So many bytes are read before the other side is given leave to send as many more.
const GRANT: usize = 256 << 10;

/// The requests to one neighbour that wait for their answers.
#[derive(Debug)]
pub(super) struct Calls {
    open: Mutex<OpenCalls>,
}

#[derive(Debug)]
struct OpenCalls {
    next: Option<RequestNumber>,
    waiting: BTreeMap<RequestNumber, Arc<Answer>>,
    last_used: Instant,
}

/// An answer that is coming in.
#[derive(Debug)]
struct Answer {
    state: Mutex<Received>,
    changed: Notify,
}

/// At most [`RESPONSE_WINDOW`] bytes wait here: what is read is granted anew, and no more.
#[derive(Debug)]
struct Received {
    buffer: BytesMut,
    /// Bytes that may still come.
    allowed: usize,
    /// Bytes that were read, and not granted anew yet.
    read: usize,
    end: Option<End>,
}

#[derive(Clone, Debug)]
enum End {
    Whole,
    Refused(Refused),
    Closed,
}

impl Default for Calls {
    fn default() -> Self {
        let (next, waiting, last_used) = (Some(RequestNumber::FIRST), BTreeMap::new(), Instant::now());
        Calls { open: Mutex::new(OpenCalls { next, waiting, last_used }) }
    }
}

impl Calls {
    fn lock(&self) -> MutexGuard<'_, OpenCalls> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn count(&self) -> usize {
        self.lock().waiting.len()
    }

    pub(super) fn last_used(&self) -> Instant {
        self.lock().last_used
    }

    /// A piece of an answer. One that nobody waits for may have crossed with "cancelled": it is passed over.
    pub(super) fn response(&self, Response { number, last, bytes }: Response) -> Result<(), Overstep> {
        let mut open = self.lock();
        let Some(answer) = open.waiting.get(&number).cloned() else { return Ok(()) };
        if last {
            open.waiting.remove(&number);
            open.last_used = Instant::now();
        }
        drop(open);
        answer.take(last, &bytes)
    }

    /// The other node refused.
    pub(super) fn refused(&self, refused: Refused) {
        if let Some(answer) = self.forget(refused.number) {
            answer.end(End::Refused(refused));
        }
    }

    /// The link is gone.
    pub(super) fn fail_all(&self) {
        let waiting = {
            let mut open = self.lock();
            open.next = None;
            std::mem::take(&mut open.waiting)
        };
        waiting.values().for_each(|answer| answer.end(End::Closed));
    }

    fn is_open(&self, number: RequestNumber) -> bool {
        self.lock().waiting.contains_key(&number)
    }

    fn forget(&self, number: RequestNumber) -> Option<Arc<Answer>> {
        let mut open = self.lock();
        let forgotten = open.waiting.remove(&number);
        open.last_used = Instant::now();
        forgotten
    }
}

impl Answer {
    fn lock(&self) -> MutexGuard<'_, Received> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, last: bool, bytes: &[u8]) -> Result<(), Overstep> {
        let mut state = self.lock();
        let within = state.allowed.checked_sub(bytes.len()).filter(|_| last || !bytes.is_empty());
        let Some(allowed) = within else {
            state.end = Some(End::Closed);
            drop(state);
            self.changed.notify_one();
            return Err(Overstep);
        };
        state.allowed = allowed;
        // Copied, so that small pieces do not hold the large buffers they came in.
        state.buffer.extend_from_slice(bytes);
        if last {
            state.end = Some(End::Whole);
        }
        drop(state);
        self.changed.notify_one();
        Ok(())
    }

    fn end(&self, end: End) {
        self.lock().end.get_or_insert(end);
        self.changed.notify_one();
    }
}

/// One request and its answer, from the asker's side. Dropping it before the end cancels the request.
#[derive(Debug)]
pub(super) struct Call {
    link: Arc<LinkRequests>,
    number: RequestNumber,
    answer: Arc<Answer>,
}

impl Call {
    /// Asks.
    pub(super) fn begin(
        link: &Arc<LinkRequests>,
        kind: RequestKind,
        title: &Title,
        body: Bytes,
    ) -> Result<Self, RequestError> {
        let peer = link.peer;
        if !link.is_able {
            return Err(RequestError::NotTaken(peer));
        }
        let answer = Arc::new(Answer {
            state: Mutex::new(Received { buffer: BytesMut::new(), allowed: RESPONSE_WINDOW, read: 0, end: None }),
            changed: Notify::new(),
        });
        let number = {
            let mut open = link.calls.lock();
            let number = open.next.ok_or(RequestError::Closed(peer))?;
            if open.waiting.len() >= OPEN {
                return Err(RequestError::Busy(peer));
            }
            // Under the lock: numbers reach the outbox in their order, and it the writer.
            match link.outbox.send_request(number, kind, title.clone(), body) {
                Ok(_) => {}
                Err(OutboxFull::Closed) => return Err(RequestError::Closed(peer)),
                Err(_) => return Err(RequestError::Busy(peer)),
            }
            open.next = number.next();
            open.last_used = Instant::now();
            open.waiting.insert(number, answer.clone());
            number
        };
        link.services.wake();
        Ok(Call { link: link.clone(), number, answer })
    }

    pub(super) fn peer(&self) -> NodeId {
        self.link.peer
    }

    /// What has come of the answer since the last time; `None` at its end. If this is not waited for, nothing is lost.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, RequestError> {
        self.next_up_to(usize::MAX).await
    }

    /// The same, but no more than `most` bytes of it; the rest waits, and counts as unread.
    pub(super) async fn next_up_to(&mut self, most: usize) -> Result<Option<Bytes>, RequestError> {
        loop {
            let changed = self.answer.changed.notified();
            if let Some(outcome) = self.look(most) {
                return outcome;
            }
            changed.await;
        }
    }

    fn look(&self, most: usize) -> Option<Result<Option<Bytes>, RequestError>> {
        let peer = self.link.peer;
        let mut state = self.answer.lock();
        // What came before it broke off counts.
        if !state.buffer.is_empty() {
            let read = most.min(state.buffer.len());
            let bytes = state.buffer.split_to(read).freeze();
            state.read += bytes.len();
            if state.read >= GRANT && state.end.is_none() {
                let granted = std::mem::take(&mut state.read);
                state.allowed += granted;
                drop(state);
                let bytes = u32::try_from(granted).unwrap_or(u32::MAX) & !Credit::OF_REQUEST;
                self.link.control(Frame::Credit(Credit { number: self.number, bytes }));
            }
            return Some(Ok(Some(bytes)));
        }
        Some(match state.end.clone()? {
            End::Whole => Ok(None),
            End::Closed => Err(RequestError::Closed(peer)),
            End::Refused(Refused { code, text, .. }) => {
                Err(RequestError::Refused { peer, code, why: text.to_string() })
            }
        })
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if self.link.calls.is_open(self.number) {
            // First this: a request that takes its place must come after it.
            self.link.cancel(self.number);
            self.link.calls.forget(self.number);
        }
    }
}
