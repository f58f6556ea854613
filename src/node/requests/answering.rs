//! What one neighbour asks: requests in pieces are put together, within bounds, and handed to whoever serves their title.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Buf, Bytes, BytesMut};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::super::Event;
use crate::envelope::Title;
use crate::link::{Progress, REQUEST_WINDOW, TransferId};
use crate::wire::{Credit, Frame, RefusedCode, Request, RequestKind, RequestNumber};

use super::answer::Asked;
use super::holding::{Holding, Meter};
use super::link::LinkRequests;
use super::serving::Taker;
use super::{OPEN, Overstep, STALLED};

/// So much leave is given at a time, when half of it has been used.
const GRANT: usize = 1 << 20;

/// Smaller bodies are copied out of the buffer they came in.
const COPIED: usize = 16 << 10;

/// The requests of one neighbour.
#[derive(Debug)]
pub(super) struct Answers {
    state: Mutex<State>,
    meter: Arc<Meter>,
}

#[derive(Debug)]
struct State {
    /// The highest number that was asked.
    highest: Option<RequestNumber>,
    unfinished: BTreeMap<RequestNumber, Unfinished>,
    open: BTreeMap<RequestNumber, Arc<Open>>,
    /// What is left of [`REQUEST_WINDOW`].
    window: usize,
    last_used: Instant,
}

/// A request of which more is to come.
#[derive(Debug)]
struct Unfinished {
    kind: RequestKind,
    title: Title,
    body: BytesMut,
    /// The most it may have.
    limit: usize,
    credit: usize,
    borrowed: usize,
    holding: Holding,
    heard: Instant,
}

/// A request that is whole, until its answer has gone out.
#[derive(Debug, Default)]
pub(super) struct Open {
    /// Nobody waits for the answer any more.
    pub(super) cancelled: CancellationToken,
    answer: Mutex<Option<Sending>>,
}

#[derive(Debug)]
struct Sending {
    progress: Arc<Progress>,
    /// Since when it has no credit.
    blocked: Option<Instant>,
}

impl Open {
    pub(super) fn sends(&self, progress: Arc<Progress>) {
        *self.lock() = Some(Sending { progress, blocked: None });
    }

    fn lock(&self) -> MutexGuard<'_, Option<Sending>> {
        self.answer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_over(&self) -> bool {
        self.lock().as_ref().is_some_and(|sending| sending.progress.is_over())
    }

    /// Whether the asker has given no leave for too long.
    fn is_stalled(&self, is_blocked: bool, now: Instant) -> bool {
        let mut sending = self.lock();
        let Some(sending) = sending.as_mut() else { return false };
        sending.blocked = is_blocked.then(|| sending.blocked.unwrap_or(now));
        sending.blocked.is_some_and(|since| now.saturating_duration_since(since) >= STALLED)
    }
}

/// A request that is whole.
struct Whole {
    kind: RequestKind,
    title: Title,
    body: Bytes,
    holding: Holding,
}

/// What a piece led to.
enum Step {
    Wait,
    Whole(Whole),
    Refuse(RefusedCode, &'static str),
}

impl Default for Answers {
    fn default() -> Self {
        let state = State {
            highest: None,
            unfinished: BTreeMap::new(),
            open: BTreeMap::new(),
            window: REQUEST_WINDOW,
            last_used: Instant::now(),
        };
        Answers { state: Mutex::new(state), meter: Meter::of_link() }
    }
}

impl Answers {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn count(&self) -> usize {
        self.lock().count()
    }

    pub(super) fn last_used(&self) -> Instant {
        self.lock().last_used
    }

    /// How many bytes of requests are held.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.meter.held()
    }

    /// The asker gave up. Gives what is left to be told of it.
    pub(super) fn cancelled(&self, number: RequestNumber) -> Option<Arc<Open>> {
        let mut state = self.lock();
        state.drop_unfinished(number);
        state.open.remove(&number)
    }

    /// Does something about a request's answer, if it is still waited for.
    pub(super) fn if_open<T>(&self, number: RequestNumber, act: impl FnOnce() -> T) -> Option<T> {
        // Under the lock: "cancelled" comes before, and this is not done, or after, and undoes it.
        let state = self.lock();
        state.open.contains_key(&number).then(act)
    }

    /// The answer will not be sent, or not to its end.
    pub(super) fn forget(&self, number: RequestNumber) -> bool {
        let mut state = self.lock();
        state.last_used = Instant::now();
        state.open.remove(&number).is_some()
    }

    pub(super) fn cancel_all(&self) {
        let open = {
            let mut state = self.lock();
            state.unfinished = BTreeMap::new();
            std::mem::take(&mut state.open)
        };
        open.values().for_each(|open| open.cancelled.cancel());
    }
}

impl State {
    fn count(&mut self) -> usize {
        self.open.retain(|_, open| !open.is_over());
        self.open.len() + self.unfinished.len()
    }

    fn drop_unfinished(&mut self, number: RequestNumber) {
        if let Some(unfinished) = self.unfinished.remove(&number) {
            self.window += unfinished.borrowed;
        }
    }

    /// Gives leave to the oldest request alone, so that the largest can always come in whole.
    fn grant(&mut self) -> Option<(RequestNumber, usize)> {
        let is_short = self.window <= REQUEST_WINDOW / 2;
        let (number, oldest) = self.unfinished.iter_mut().next()?;
        // At least a byte: over the limit it is refused then.
        let most = oldest.limit.saturating_sub(oldest.body.len()).clamp(1, GRANT);
        let missing = most.saturating_sub(oldest.credit);
        // Not for every piece, and not for what is about to end anyway.
        if missing < most.min(GRANT / 2) || (oldest.body.len() < GRANT / 4 && !is_short) {
            return None;
        }
        oldest.credit += missing;
        Some((*number, missing))
    }
}

impl LinkRequests {
    /// A piece of a request. `tell` tells the program of a message, and says whether anybody listens.
    pub(super) fn take_piece(
        self: &Arc<Self>,
        request: Request,
        tell: impl FnOnce(Event) -> bool,
    ) -> Result<(), Overstep> {
        let (number, ends) = (request.number, request.last);
        if !ends && request.bytes.is_empty() {
            return Err(Overstep);
        }
        let mut state = self.answers.lock();
        let step = if state.unfinished.contains_key(&number) {
            if !request.title.as_str().is_empty() || request.kind != RequestKind::Message {
                return Err(Overstep);
            }
            self.add(&mut state, request)?
        } else if state.highest.is_some_and(|highest| number <= highest) {
            // Pieces of a request that was refused may still be under way; nothing else has a number that was used.
            let is_later = request.title.as_str().is_empty() && request.kind == RequestKind::Message;
            return if is_later { Ok(()) } else { Err(Overstep) };
        } else {
            state.highest = Some(number);
            state.last_used = Instant::now();
            self.begin(&mut state, request)
        };
        match step {
            Step::Wait => drop(state),
            Step::Refuse(code, why) => {
                state.drop_unfinished(number);
                drop(state);
                self.refuse(number, code, why);
            }
            Step::Whole(whole) => {
                let open = Arc::new(Open::default());
                state.open.insert(number, open.clone());
                drop(state);
                self.hand_over(number, whole, open, tell);
            }
        }
        self.give_leave();
        Ok(())
    }

    /// Lets the oldest unfinished request go on, if it waits for that.
    pub(super) fn give_leave(&self) {
        let granted = self.answers.lock().grant();
        if let Some((number, bytes)) = granted {
            let bytes = u32::try_from(bytes).unwrap_or(0) | Credit::OF_REQUEST;
            self.control(Frame::Credit(Credit { number, bytes }));
        }
    }

    fn begin(&self, state: &mut State, request: Request) -> Step {
        if state.count() >= OPEN {
            return Step::Refuse(RefusedCode::Busy, "64 requests are open");
        }
        if request.title.is_protocol() {
            return Step::Refuse(RefusedCode::NotAllowed, "the title belongs to the protocol");
        }
        let Some(limit) = self.services.limit(&request.title, request.kind) else {
            return Step::Refuse(RefusedCode::NoSuchTitle, "nobody here answers requests of that title");
        };
        if request.bytes.len() > limit {
            return Step::Refuse(RefusedCode::TooLarge, "the request is larger than is taken here");
        }
        let mut holding = Holding::nothing(&self.answers.meter, self.services.meter());
        if !holding.grow(request.bytes.len()) {
            return Step::Refuse(RefusedCode::Busy, "too many requests wait");
        }
        let Request { number, title, kind, last, bytes } = request;
        if last {
            // A small one must not hold the large buffer it came in.
            let body = if bytes.len() > COPIED { bytes } else { Bytes::copy_from_slice(&bytes) };
            return Step::Whole(Whole { kind, title, body, holding });
        }
        let (body, heard) = (BytesMut::from(&bytes[..]), Instant::now());
        let unfinished = Unfinished { kind, title, body, limit, credit: 0, borrowed: 0, holding, heard };
        state.unfinished.insert(number, unfinished);
        Step::Wait
    }

    fn add(&self, state: &mut State, Request { number, last, bytes, .. }: Request) -> Result<Step, Overstep> {
        let State { unfinished, window, .. } = state;
        let Some(known) = unfinished.get_mut(&number) else { return Err(Overstep) };
        let on_credit = bytes.len().min(known.credit);
        let borrowed = bytes.len() - on_credit;
        *window = window.checked_sub(borrowed).ok_or(Overstep)?;
        known.credit -= on_credit;
        known.borrowed += borrowed;
        known.heard = Instant::now();
        if known.body.len() + bytes.len() > known.limit {
            return Ok(Step::Refuse(RefusedCode::TooLarge, "the request is larger than is taken here"));
        }
        if !known.holding.grow(bytes.len()) {
            return Ok(Step::Refuse(RefusedCode::Busy, "too many requests wait"));
        }
        known.body.extend_from_slice(&bytes);
        if !last {
            return Ok(Step::Wait);
        }
        let Some(Unfinished { kind, title, body, holding, borrowed, .. }) = unfinished.remove(&number) else {
            return Err(Overstep);
        };
        *window += borrowed;
        Ok(Step::Whole(Whole { kind, title, body: body.freeze(), holding }))
    }

    /// A request is whole: whoever serves its title gets it.
    fn hand_over(
        self: &Arc<Self>,
        number: RequestNumber,
        whole: Whole,
        open: Arc<Open>,
        tell: impl FnOnce(Event) -> bool,
    ) {
        let Whole { kind, title, mut body, holding } = whole;
        let mut offset = None;
        let is_sound = kind != RequestKind::Fetch || body.len() >= 8;
        if kind == RequestKind::Fetch && is_sound {
            offset = Some(body.get_u64());
        }
        let asked = Asked::new(self, number, open, title, kind, offset, body, holding);
        if !is_sound {
            asked.refuse_as(RefusedCode::NotAllowed, "a fetch begins with its offset");
            return;
        }
        match self.services.taker(&asked.title, kind) {
            Some(Taker::Server(server)) => {
                if let Err(asked) = server.give(asked) {
                    asked.refuse_as(RefusedCode::Busy, "too many requests of that title wait");
                }
            }
            Some(Taker::Listener) => asked.pass_on(|message| tell(Event::Direct(message))),
            Some(Taker::Failed) => asked.refuse("the application that answers here has broken down"),
            None => asked.refuse_as(RefusedCode::NoSuchTitle, "nobody here answers requests of that title"),
        }
    }

    /// Drops what the other side has left lying.
    pub(super) fn drop_stalled(&self, now: Instant) {
        let mut stalled = Vec::new();
        let mut state = self.answers.lock();
        let silent = |unfinished: &Unfinished| now.saturating_duration_since(unfinished.heard) >= STALLED;
        let left = state.unfinished.iter().filter(|(_, unfinished)| silent(unfinished));
        let left: Vec<_> = left.map(|(number, _)| *number).collect();
        for number in left {
            state.drop_unfinished(number);
            stalled.push(number);
        }
        for (number, open) in &state.open {
            let is_blocked = self.outbox.is_blocked(TransferId::Response(*number));
            if open.is_stalled(is_blocked, now) {
                stalled.push(*number);
            }
        }
        let open: Vec<_> = stalled.iter().filter_map(|number| state.open.remove(number)).collect();
        drop(state);
        for number in stalled {
            self.outbox.give_up(TransferId::Response(number));
            self.refuse(number, RefusedCode::Deadline, "nothing moved for too long");
        }
        open.iter().for_each(|open| open.cancelled.cancel());
        self.give_leave();
    }
}
