//! The bulk lane of an outbox: pieces of requests and responses, taken in turn and within their credit.
//!
//! Nothing is cut up before the writer asks: a transfer holds what it was given, and a piece is a slice of it. So a
//! request or response of many megabytes waits in the memory it came in, and one piece of each transfer goes out in
//! turn: a small answer is not stuck behind a large one.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use bytes::Bytes;
use tokio::sync::Notify;

use super::lane::{Lane, cost};
use crate::envelope::Title;
use crate::wire::{Frame, Request, RequestKind, RequestNumber, Response};

/// Bytes of a response that may be sent before the asker gave leave to more.
pub(crate) const RESPONSE_WINDOW: usize = 1 << 20;

/// Bytes that may be sent without credit of requests whose last piece has not gone out, all of a link's together. First
/// pieces do not count: requests begin in the order of their numbers, however many wait for leave to go on.
pub(crate) const REQUEST_WINDOW: usize = 1 << 20;

/// Transfers of a link: 64 requests and 64 responses, and as many that end at the moment.
const TRANSFERS: usize = 256;

/// What waits of a stream may be this much; then its source waits.
pub(crate) const STREAM_AHEAD: usize = 256 << 10;

/// One request or one response on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TransferId {
    Request(RequestNumber),
    Response(RequestNumber),
}

/// How a transfer fares, for whoever waits for it.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    state: AtomicU8,
    /// Told when there is room for more, and when it is over.
    pub(crate) changed: Notify,
}

const UNDER_WAY: u8 = 0;
const SENT: u8 = 1;
const DROPPED: u8 = 2;

impl Progress {
    /// Whether its last piece has gone out.
    #[cfg(test)]
    pub(crate) fn is_sent(&self) -> bool {
        self.state.load(Ordering::Acquire) == SENT
    }

    /// Whether nothing more of it will go out.
    pub(crate) fn is_over(&self) -> bool {
        self.state.load(Ordering::Acquire) != UNDER_WAY
    }

    fn end(&self, how: u8) {
        if self.state.compare_exchange(UNDER_WAY, how, Ordering::AcqRel, Ordering::Acquire).is_ok() {
            self.changed.notify_waiters();
        }
    }
}

pub(super) struct BulkLane {
    /// Frames that are no pieces.
    frames: Lane<Frame>,
    transfers: BTreeMap<TransferId, Transfer>,
    /// Who has something to send now; `None` stands for the frames.
    turns: VecDeque<Option<TransferId>>,
    /// What is left of [`REQUEST_WINDOW`].
    window: usize,
}

struct Transfer {
    /// What stands in a request's next piece: empty after the first. `None` for a response.
    head: Option<(RequestKind, Title)>,
    chunks: VecDeque<Bytes>,
    waiting: usize,
    credit: usize,
    /// What a request has sent without credit.
    borrowed: usize,
    /// Nothing is added any more.
    is_complete: bool,
    is_begun: bool,
    has_turn: bool,
    progress: Arc<Progress>,
}

impl Drop for Transfer {
    fn drop(&mut self) {
        self.progress.end(DROPPED);
    }
}

impl Default for BulkLane {
    fn default() -> Self {
        BulkLane { frames: Lane::default(), transfers: BTreeMap::new(), turns: VecDeque::new(), window: REQUEST_WINDOW }
    }
}

impl BulkLane {
    pub(super) fn push(&mut self, frame: Frame, cost: usize, limit: usize) -> bool {
        let was_empty = self.frames.is_empty();
        let taken = self.frames.push(frame, cost, limit);
        if taken && was_empty {
            self.turns.push_back(None);
        }
        taken
    }

    /// Begins a request, whole, or a response, empty. `None` if there are too many.
    pub(super) fn begin(
        &mut self,
        id: TransferId,
        head: Option<(RequestKind, Title)>,
        body: Bytes,
    ) -> Option<Arc<Progress>> {
        if self.transfers.len() >= TRANSFERS || self.transfers.contains_key(&id) {
            return None;
        }
        let progress = Arc::new(Progress::default());
        let is_request = head.is_some();
        let transfer = Transfer {
            head,
            waiting: body.len(),
            chunks: VecDeque::from_iter((!body.is_empty()).then_some(body)),
            credit: if is_request { 0 } else { RESPONSE_WINDOW },
            borrowed: 0,
            is_complete: is_request,
            is_begun: false,
            has_turn: false,
            progress: progress.clone(),
        };
        self.transfers.insert(id, transfer);
        self.give_turn(id);
        Some(progress)
    }

    /// Adds to a transfer that is not complete; says how much of it waits now, or `None` if it is gone.
    pub(super) fn add(&mut self, id: TransferId, bytes: Bytes) -> Option<usize> {
        let transfer = self.transfers.get_mut(&id).filter(|transfer| !transfer.is_complete)?;
        if !bytes.is_empty() {
            transfer.waiting = transfer.waiting.saturating_add(bytes.len());
            transfer.chunks.push_back(bytes);
        }
        let waiting = transfer.waiting;
        self.give_turn(id);
        Some(waiting)
    }

    /// How much of a transfer waits; `None` if it is gone.
    pub(super) fn waiting(&self, id: TransferId) -> Option<usize> {
        self.transfers.get(&id).map(|transfer| transfer.waiting)
    }

    /// Whether a transfer has something to send and no credit for it.
    pub(super) fn is_blocked(&self, id: TransferId) -> bool {
        self.transfers.get(&id).is_some_and(|transfer| transfer.waiting > 0 && transfer.room(self.window) == 0)
    }

    /// Nothing more will be added.
    pub(super) fn complete(&mut self, id: TransferId) {
        if let Some(transfer) = self.transfers.get_mut(&id) {
            transfer.is_complete = true;
            self.give_turn(id);
        }
    }

    /// The other side gave leave to more.
    pub(super) fn credit(&mut self, id: TransferId, bytes: usize) {
        if let Some(transfer) = self.transfers.get_mut(&id) {
            transfer.credit = transfer.credit.saturating_add(bytes);
            self.give_turn(id);
        }
    }

    /// Gives a transfer up; says whether a piece of it had gone out, or `None` if there is none.
    pub(super) fn give_up(&mut self, id: TransferId) -> Option<bool> {
        let transfer = self.transfers.remove(&id)?;
        self.turns.retain(|turn| *turn != Some(id));
        self.give_back(transfer.borrowed);
        Some(transfer.is_begun)
    }

    /// The next frame whose turn it is.
    pub(super) fn next(&mut self) -> Option<Frame> {
        loop {
            match self.turns.pop_front()? {
                None => {
                    let frame = self.frames.pop(|frame| cost(frame.encoded_len()));
                    if !self.frames.is_empty() {
                        self.turns.push_back(None);
                    }
                    if frame.is_some() {
                        return frame;
                    }
                }
                Some(id) => {
                    if let Some(frame) = self.piece(id) {
                        return Some(frame);
                    }
                }
            }
        }
    }

    fn piece(&mut self, id: TransferId) -> Option<Frame> {
        let transfer = self.transfers.get_mut(&id)?;
        transfer.has_turn = false;
        if !transfer.is_ready(self.window) {
            // What it could have used, another one has.
            return None;
        }
        let room = transfer.room(self.window);
        let is_free = transfer.is_first_of_request();
        let bytes = match transfer.chunks.front_mut() {
            Some(chunk) if chunk.len() > room => chunk.split_to(room),
            Some(_) => transfer.chunks.pop_front().unwrap_or_default(),
            None => Bytes::new(),
        };
        transfer.waiting = transfer.waiting.saturating_sub(bytes.len());
        transfer.is_begun = true;
        let last = transfer.is_complete && transfer.waiting == 0;
        if !is_free {
            let on_credit = bytes.len().min(transfer.credit);
            transfer.credit -= on_credit;
            if transfer.is_request() {
                let borrowed = bytes.len() - on_credit;
                self.window = self.window.saturating_sub(borrowed);
                transfer.borrowed += borrowed;
            }
        }
        let frame = match id {
            TransferId::Request(number) => {
                let (kind, title) = transfer.take_head();
                Frame::Request(Request { number, title, kind, last, bytes })
            }
            TransferId::Response(number) => Frame::Response(Response { number, last, bytes }),
        };
        if last {
            transfer.progress.end(SENT);
            let borrowed = transfer.borrowed;
            self.transfers.remove(&id);
            self.give_back(borrowed);
        } else {
            if !transfer.is_complete && transfer.waiting < STREAM_AHEAD {
                transfer.progress.changed.notify_waiters();
            }
            self.give_turn(id);
        }
        Some(frame)
    }

    /// Enters a transfer at the end of the queue if it can send something and is not in it.
    fn give_turn(&mut self, id: TransferId) {
        if let Some(transfer) = self.transfers.get_mut(&id)
            && !transfer.has_turn
            && transfer.is_ready(self.window)
        {
            transfer.has_turn = true;
            self.turns.push_back(Some(id));
        }
    }

    /// Requests that waited for this part of the window can go on.
    fn give_back(&mut self, borrowed: usize) {
        if borrowed > 0 {
            self.window = self.window.saturating_add(borrowed).min(REQUEST_WINDOW);
            let requests: Vec<_> = self.transfers.keys().copied().collect();
            requests.into_iter().for_each(|id| self.give_turn(id));
        }
    }

    /// Bytes of memory that wait.
    pub(super) fn bytes(&self) -> usize {
        let waiting = self.transfers.values().map(|transfer| cost(transfer.waiting));
        waiting.fold(self.frames.bytes(), usize::saturating_add)
    }

    /// Whether nothing can be sent now.
    pub(super) fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    pub(super) fn shrink_to(&mut self, entries: usize) {
        self.frames.shrink_to(entries);
        self.turns.shrink_to(entries);
    }
}

impl Transfer {
    fn is_request(&self) -> bool {
        self.head.is_some()
    }

    fn take_head(&mut self) -> (RequestKind, Title) {
        self.head.replace(Default::default()).unwrap_or_default()
    }

    fn frame_room(&self) -> usize {
        self.head.as_ref().map_or(Response::ROOM, |(_, title)| Request::room(title))
    }

    /// The first piece of a request needs no leave.
    fn is_first_of_request(&self) -> bool {
        self.is_request() && !self.is_begun
    }

    /// How many bytes the next piece may have.
    fn room(&self, window: usize) -> usize {
        if self.is_first_of_request() {
            return self.frame_room();
        }
        let lent = if self.is_request() { window } else { 0 };
        self.credit.saturating_add(lent).min(self.frame_room())
    }

    fn is_ready(&self, window: usize) -> bool {
        if self.waiting == 0 { self.is_complete } else { self.room(window) > 0 }
    }
}

#[cfg(test)]
mod tests;
