//! What waits to be sent on a link, in three lanes.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

use super::bulk::{BulkLane, Progress, TransferId};
use super::lane::{Lane, cost};
use super::record::RENEW_FROM;
use crate::envelope::{Envelope, EnvelopeId, Title, Verified};
use crate::wire::{Frame, FrameTooLong, Goodbye, Kind, RequestKind, RequestNumber};

/// What a [`Writer`](super::Writer) will send: control frames first, then broadcasts, then bulk.
///
/// Pushing never waits; every lane is bounded. Cloning gives another handle to the same outbox. One writer drains it;
/// when that one ends, for whatever reason, the outbox is closed and empty.
///
/// When the lane for broadcasts is full, their ids are remembered in place of their contents, and announced with HAVE
/// once the lane has drained below half: a slow neighbour asks for what it still wants.
#[derive(Clone, Default)]
pub struct Outbox(Arc<Shared>);

/// How much may wait in each lane. Memory is counted: what a frame takes on the wire and what holding it costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutboxLimits {
    /// Bytes of control frames. They are small; a peer that lets a megabyte of them pile up is not reading.
    pub control: usize,
    /// Bytes of broadcasts. Over it only ids are kept. More hides a slow neighbour for longer and costs memory for each
    /// of them; less sends ids where a moment's patience would have done.
    pub broadcast: usize,
    /// Bytes of bulk frames that are no pieces of requests and responses; those have a credit of their own.
    pub bulk: usize,
    /// Ids of broadcasts over the limit; what comes after them is left to repair.
    pub ids: usize,
}

/// What became of a broadcast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use = "what was dropped has to be brought by repair"]
pub enum Queued {
    /// It will be sent.
    Whole,
    /// The lane is full: its id will be announced.
    IdOnly,
    /// Not even that: too many ids wait, or the outbox is closed.
    Dropped,
}

/// A frame was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OutboxFull {
    /// The frame's lane is full: the peer reads too slowly.
    #[error("as much waits for this peer as may; it reads too slowly")]
    Full,
    /// The link is ending, nothing more is taken.
    #[error("the link is ending and takes nothing more")]
    Closed,
    /// The frame is longer than its kind allows.
    #[error(transparent)]
    TooLong(#[from] FrameTooLong),
}

/// What the writer finds when it looks.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// Frames were taken.
    Frames,
    /// There are none; the writer will be woken.
    Nothing,
    /// There are none and never will be: the good-bye to end with, if any.
    End(Option<Goodbye>),
    /// Stop at once.
    Abort,
}

#[derive(Default)]
struct Shared {
    lanes: Mutex<Lanes>,
    limits: OutboxLimits,
    /// Wakes the one writer when it waits for frames.
    filled: Notify,
    /// Wakes the one writer out of a write that has no end.
    aborted: Notify,
    /// Tells the node that an outbox which had dropped broadcasts is empty.
    emptied: Notify,
    /// How many records the writer has sealed.
    records: AtomicU64,
}

#[derive(Default)]
struct Lanes {
    control: Lane<Frame>,
    broadcast: Lane<Bytes>,
    bulk: BulkLane,
    ids: VecDeque<EnvelopeId>,
    /// Broadcasts were dropped since the outbox was last empty.
    has_dropped: bool,
    state: State,
    /// The writer has found nothing and waits: the next push wakes it, later ones need not.
    is_waited_for: bool,
}

#[derive(Default)]
enum State {
    #[default]
    Open,
    Closing(Option<Goodbye>),
    Ended,
}

/// Above so many entries an empty queue gives its memory back: a node has many links, and most of them are quiet.
const KEPT_ENTRIES: usize = 8;

impl Outbox {
    /// An empty outbox.
    pub fn new(limits: OutboxLimits) -> Self {
        Outbox(Arc::new(Shared { limits, ..Shared::default() }))
    }

    /// Queues a frame that goes before all others: what keeps a link alive and the network together.
    ///
    /// # Errors
    /// [`OutboxFull`]; the frame was not taken.
    pub fn push_control(&self, frame: Frame) -> Result<(), OutboxFull> {
        self.push_frame(frame, |lanes, frame, cost| lanes.control.push(frame, cost, self.0.limits.control))
    }

    /// Queues a frame that goes behind all others.
    ///
    /// # Errors
    /// [`OutboxFull`]; the frame was not taken.
    pub fn push_bulk(&self, frame: Frame) -> Result<(), OutboxFull> {
        self.push_frame(frame, |lanes, frame, cost| lanes.bulk.push(frame, cost, self.0.limits.bulk))
    }

    /// Begins to send a request, in pieces, in turn with all other bulk and within its credit.
    pub(crate) fn send_request(
        &self,
        number: RequestNumber,
        kind: RequestKind,
        title: Title,
        body: Bytes,
    ) -> Result<Arc<Progress>, OutboxFull> {
        self.begin(TransferId::Request(number), Some((kind, title)), body)
    }

    /// Begins a response of which nothing is known yet.
    pub(crate) fn open_response(&self, number: RequestNumber) -> Result<Arc<Progress>, OutboxFull> {
        self.begin(TransferId::Response(number), None, Bytes::new())
    }

    fn begin(
        &self,
        id: TransferId,
        head: Option<(RequestKind, Title)>,
        body: Bytes,
    ) -> Result<Arc<Progress>, OutboxFull> {
        let mut lanes = self.lock();
        if !matches!(lanes.state, State::Open) {
            return Err(OutboxFull::Closed);
        }
        let progress = lanes.bulk.begin(id, head, body).ok_or(OutboxFull::Full)?;
        self.wake(lanes);
        Ok(progress)
    }

    /// Adds to a response; says how many bytes of it wait now, or `None` if it is gone.
    pub(crate) fn add_to_response(&self, number: RequestNumber, bytes: Bytes) -> Option<usize> {
        let mut lanes = self.lock();
        let waiting = lanes.bulk.add(TransferId::Response(number), bytes);
        self.wake(lanes);
        waiting
    }

    /// How many bytes of a transfer wait; `None` if it is gone.
    pub(crate) fn waiting(&self, id: TransferId) -> Option<usize> {
        self.lock().bulk.waiting(id)
    }

    /// Whether a transfer can send nothing for want of credit.
    pub(crate) fn is_blocked(&self, id: TransferId) -> bool {
        self.lock().bulk.is_blocked(id)
    }

    /// Nothing more will be added to a response.
    pub(crate) fn complete_response(&self, number: RequestNumber) {
        let mut lanes = self.lock();
        lanes.bulk.complete(TransferId::Response(number));
        self.wake(lanes);
    }

    /// The other side takes more of a transfer.
    pub(crate) fn credit(&self, id: TransferId, bytes: usize) {
        let mut lanes = self.lock();
        lanes.bulk.credit(id, bytes);
        self.wake(lanes);
    }

    /// Sends no more of a request, and `word` of that, unless nothing of it went out yet. Nothing else can come in between:
    /// what the request leaves free is used only after the other side has been told.
    ///
    /// # Errors
    /// [`OutboxFull`]; `word` was not taken.
    pub(crate) fn cancel_request(&self, number: RequestNumber, word: Frame) -> Result<(), OutboxFull> {
        let mut lanes = self.lock();
        let begun = lanes.bulk.give_up(TransferId::Request(number));
        if begun == Some(false) {
            return Ok(());
        }
        if !matches!(lanes.state, State::Open) {
            return Err(OutboxFull::Closed);
        }
        let cost = cost(word.encoded_len());
        if !lanes.control.push(word, cost, self.0.limits.control) {
            return Err(OutboxFull::Full);
        }
        self.wake(lanes);
        Ok(())
    }

    /// Sends no more of a transfer; says whether some of it went out, or `None` if there is none.
    pub(crate) fn give_up(&self, id: TransferId) -> Option<bool> {
        let mut lanes = self.lock();
        let begun = lanes.bulk.give_up(id);
        // Others may go on in its place.
        self.wake(lanes);
        begun
    }

    /// Queues a broadcast: a reference to its bytes, no copy.
    pub fn push_broadcast(&self, envelope: &Verified<Envelope>) -> Queued {
        self.push_envelope(envelope.id(), envelope.as_bytes())
    }

    fn push_envelope(&self, id: EnvelopeId, bytes: &Bytes) -> Queued {
        let mut lanes = self.lock();
        if !matches!(lanes.state, State::Open) {
            return Queued::Dropped;
        }
        let queued = if lanes.broadcast.push(bytes.clone(), cost(bytes.len()), self.0.limits.broadcast) {
            Queued::Whole
        } else if lanes.ids.len() < self.0.limits.ids {
            lanes.ids.push_back(id);
            Queued::IdOnly
        } else {
            lanes.has_dropped = true;
            return Queued::Dropped;
        };
        self.wake(lanes);
        queued
    }

    fn push_frame(&self, frame: Frame, push: impl FnOnce(&mut Lanes, Frame, usize) -> bool) -> Result<(), OutboxFull> {
        let (kind, encoded) = (frame.kind(), frame.encoded_len());
        let len = encoded.saturating_sub(Frame::HEAD_LEN);
        if len > kind.limit() {
            return Err(FrameTooLong { kind, len }.into());
        }
        let mut lanes = self.lock();
        if !matches!(lanes.state, State::Open) {
            return Err(OutboxFull::Closed);
        }
        if !push(&mut lanes, frame, cost(encoded)) {
            return Err(OutboxFull::Full);
        }
        self.wake(lanes);
        Ok(())
    }

    /// Ends the link in good order: what is queued goes out, then `goodbye`, then the sending direction is shut.
    /// Nothing is taken any more. A second call changes nothing.
    pub fn close(&self, goodbye: Option<Goodbye>) {
        let mut lanes = self.lock();
        if matches!(lanes.state, State::Open) {
            // A peer that is left cannot ask for contents.
            lanes.ids = VecDeque::new();
            lanes.state = State::Closing(goodbye);
            self.wake(lanes);
        }
    }

    /// Ends the link at once: what is queued is dropped, and the writer stops even within a write.
    pub fn abort(&self) {
        self.end();
        self.0.filled.notify_one();
        self.0.aborted.notify_one();
    }

    /// Whether nothing is taken any more.
    pub fn is_closed(&self) -> bool {
        !matches!(self.lock().state, State::Open)
    }

    /// How many bytes of memory wait, in all lanes, ids included.
    pub fn queued_bytes(&self) -> usize {
        let lanes = self.lock();
        let ids = lanes.ids.len().saturating_mul(EnvelopeId::LEN);
        let lanes = [lanes.control.bytes(), lanes.broadcast.bytes(), lanes.bulk.bytes()];
        lanes.into_iter().fold(ids, usize::saturating_add)
    }

    /// Whether nothing waits that could be sent now; a transfer without credit could not.
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// How many records the writer has sent; 0 on a link without records.
    pub fn records(&self) -> u64 {
        self.0.records.load(Ordering::Relaxed)
    }

    /// Whether so many records were sent that the link should be renewed. Its age is the node's to judge.
    pub fn needs_renewal(&self) -> bool {
        self.records() >= RENEW_FROM
    }

    /// Moves what is to be sent next to `frames`: at least `least` bytes where so much waits, and at most one frame
    /// more.
    pub(super) fn take(&self, frames: &mut Vec<Frame>, least: usize) -> Taken {
        let mut lanes = self.lock();
        let mut taken = 0_usize;
        let mut add = |frame: Frame| {
            taken = taken.saturating_add(frame.encoded_len());
            frames.push(frame);
            taken < least
        };
        let _ = lanes.take_in_order(self.0.limits.broadcast, &mut add);
        if taken > 0 {
            return Taken::Frames;
        }
        match &mut lanes.state {
            State::Open => {
                lanes.is_waited_for = true;
                lanes.shrink();
                if std::mem::take(&mut lanes.has_dropped) {
                    self.0.emptied.notify_one();
                }
                Taken::Nothing
            }
            State::Closing(goodbye) => Taken::End(goodbye.take()),
            State::Ended => Taken::Abort,
        }
    }

    /// Everything that can be sent now.
    #[cfg(test)]
    pub(crate) fn taken(&self) -> Vec<Frame> {
        let mut frames = Vec::new();
        self.take(&mut frames, usize::MAX);
        frames
    }

    /// Waits until [`take`](Self::take) may find something.
    pub(super) async fn filled(&self) {
        self.0.filled.notified().await;
    }

    /// Waits until everything is sent after broadcasts had to be dropped: not only their contents, but their ids too. The
    /// other end is to be told now that it lacks something.
    pub async fn emptied(&self) {
        self.0.emptied.notified().await;
    }

    /// Waits for [`abort`](Self::abort).
    pub(super) async fn aborted(&self) {
        self.0.aborted.notified().await;
    }

    /// Closes and empties the outbox: there is no writer any more.
    pub(super) fn end(&self) {
        let ended = std::mem::replace(&mut *self.lock(), Lanes { state: State::Ended, ..Lanes::default() });
        // Without the lock: whoever waits for a transfer is told.
        drop(ended);
    }

    pub(super) fn count_records(&self, records: u64) {
        self.0.records.store(records, Ordering::Relaxed);
    }

    fn wake(&self, mut lanes: MutexGuard<'_, Lanes>) {
        let is_waited_for = std::mem::take(&mut lanes.is_waited_for);
        drop(lanes);
        if is_waited_for {
            self.0.filled.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Lanes> {
        // Nothing under the lock panics half-way through a change.
        self.0.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lanes {
    /// Gives back memory that a burst has left behind.
    fn shrink(&mut self) {
        self.control.shrink_to(KEPT_ENTRIES);
        self.broadcast.shrink_to(KEPT_ENTRIES);
        self.bulk.shrink_to(KEPT_ENTRIES);
        self.ids.shrink_to(KEPT_ENTRIES);
    }

    /// Gives frames to `add` in the order of sending, until it has enough.
    fn take_in_order(&mut self, broadcast_limit: usize, add: &mut impl FnMut(Frame) -> bool) -> Option<()> {
        let wants_more = |more: bool| more.then_some(());
        while let Some(frame) = self.control.pop(|frame| cost(frame.encoded_len())) {
            wants_more(add(frame))?;
        }
        while let Some(bytes) = self.broadcast.pop(|bytes| cost(bytes.len())) {
            wants_more(add(Frame::Broadcast(bytes)))?;
            self.announce(broadcast_limit, add)?;
        }
        self.announce(broadcast_limit, add)?;
        while let Some(frame) = self.bulk.next() {
            wants_more(add(frame))?;
        }
        Some(())
    }

    /// Announces the ids of what did not fit, once half of what did has gone out.
    fn announce(&mut self, broadcast_limit: usize, add: &mut impl FnMut(Frame) -> bool) -> Option<()> {
        while !self.ids.is_empty() && self.broadcast.bytes() <= broadcast_limit / 2 {
            let most = self.ids.len().min(Kind::MAX_HAVE);
            let more = add(Frame::Have(self.ids.drain(..most).collect()));
            more.then_some(())?;
        }
        Some(())
    }

    fn is_empty(&self) -> bool {
        self.control.is_empty() && self.broadcast.is_empty() && self.bulk.is_empty() && self.ids.is_empty()
    }
}

impl Default for OutboxLimits {
    /// 1 MiB of control frames, 4 MiB of broadcasts, 4 MiB of bulk, 4,096 ids (protocol, section 12).
    fn default() -> Self {
        OutboxLimits { control: 1 << 20, broadcast: 4 << 20, bulk: 4 << 20, ids: 4_096 }
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox")
            .field("queued_bytes", &self.queued_bytes())
            .field("is_closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::{Draft, Lifetime, Open, Scheme, Timestamp};
    use crate::identity::{NetworkHash, NodeId};
    use crate::wire::GoodbyeCode;

    fn limits() -> OutboxLimits {
        OutboxLimits { control: 1_000, broadcast: 4_000, bulk: 1_000, ids: 1_500 }
    }

    fn id(n: usize) -> EnvelopeId {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&n.to_be_bytes());
        EnvelopeId::from_bytes(bytes)
    }

    /// Everything that one look gives.
    fn taken(outbox: &Outbox, least: usize) -> Vec<Frame> {
        let mut frames = Vec::new();
        assert_eq!(outbox.take(&mut frames, least), Taken::Frames);
        frames
    }

    fn kinds(frames: &[Frame]) -> Vec<Kind> {
        frames.iter().map(Frame::kind).collect()
    }

    #[test]
    fn control_goes_before_broadcasts_and_these_before_bulk() {
        let outbox = Outbox::new(limits());
        outbox.push_bulk(Frame::Lazy).unwrap();
        assert_eq!(outbox.push_envelope(id(1), &Bytes::from_static(b"a")), Queued::Whole);
        outbox.push_control(Frame::Ping([1; 8])).unwrap();
        assert_eq!(outbox.push_envelope(id(2), &Bytes::from_static(b"b")), Queued::Whole);
        outbox.push_control(Frame::Ping([2; 8])).unwrap();
        let expected = [
            Frame::Ping([1; 8]),
            Frame::Ping([2; 8]),
            Frame::Broadcast(Bytes::from_static(b"a")),
            Frame::Broadcast(Bytes::from_static(b"b")),
            Frame::Lazy,
        ];
        assert_eq!(taken(&outbox, usize::MAX), expected);
        assert!(outbox.is_empty() && outbox.queued_bytes() == 0);
        assert_eq!(outbox.take(&mut Vec::new(), 1), Taken::Nothing);
    }

    #[tokio::test(start_paused = true)]
    async fn an_outbox_that_dropped_something_says_so_once_when_it_is_empty() {
        let outbox = Outbox::new(OutboxLimits { broadcast: 1_000, ids: 2, ..limits() });
        let message = Bytes::from(vec![0; 600]);
        let pushed: Vec<Queued> = (0..5).map(|n| outbox.push_envelope(id(n), &message)).collect();
        assert_eq!(pushed[0], Queued::Whole);
        assert_eq!(pushed[4], Queued::Dropped);
        let is_told = async || tokio::time::timeout(std::time::Duration::ZERO, outbox.emptied()).await.is_ok();
        assert!(!is_told().await, "it is not empty yet");
        taken(&outbox, usize::MAX);
        assert_eq!(outbox.take(&mut Vec::new(), 1), Taken::Nothing);
        assert!(is_told().await && !is_told().await);
        assert_eq!(outbox.push_envelope(id(9), &message), Queued::Whole);
        taken(&outbox, usize::MAX);
        assert_eq!(outbox.take(&mut Vec::new(), 1), Taken::Nothing);
        assert!(!is_told().await, "nothing was dropped this time");
    }

    #[test]
    fn what_is_pushed_later_into_a_higher_lane_goes_first() {
        let outbox = Outbox::new(OutboxLimits::default());
        for _ in 0..10 {
            outbox.push_bulk(Frame::Reconcile(vec![0; 60_000].into())).unwrap();
        }
        assert_eq!(kinds(&taken(&outbox, 60_005)), [Kind::Reconcile]);
        outbox.push_control(Frame::Eager).unwrap();
        assert_eq!(kinds(&taken(&outbox, 60_005)), [Kind::Eager, Kind::Reconcile]);
    }

    #[test]
    fn every_lane_is_bounded_and_the_others_do_not_notice() {
        for (fill, other) in [
            (Outbox::push_control as fn(&Outbox, Frame) -> _, Outbox::push_bulk as fn(&Outbox, Frame) -> _),
            (Outbox::push_bulk, Outbox::push_control),
        ] {
            let outbox = Outbox::new(limits());
            let pushed = (0..10_000).take_while(|_| fill(&outbox, Frame::Eager).is_ok()).count();
            // Frames of five bytes cannot take a thousand times their size.
            assert!(pushed > 5 && pushed < 1_000 / size_of::<Frame>(), "{pushed}");
            assert_eq!(fill(&outbox, Frame::Eager), Err(OutboxFull::Full));
            assert!(outbox.queued_bytes() <= 1_000);
            other(&outbox, Frame::Eager).unwrap();
            assert_eq!(outbox.push_envelope(id(1), &Bytes::new()), Queued::Whole);
        }
    }

    #[test]
    fn over_the_limit_broadcasts_become_ids_and_then_nothing() {
        let outbox = Outbox::new(limits());
        let body = Bytes::from(vec![1; 1_000 - size_of::<Frame>()]);
        for n in 0..2_000 {
            let expected = if n < 4 {
                Queued::Whole
            } else if n < 1_504 {
                Queued::IdOnly
            } else {
                Queued::Dropped
            };
            assert_eq!(outbox.push_envelope(id(n), &body), expected, "{n}");
        }
        assert_eq!(outbox.queued_bytes(), 4_000 + 1_500 * 32);

        // The ids go out when half of the lane has, at most a thousand in a frame.
        assert_eq!(kinds(&taken(&outbox, 1)), [Kind::Broadcast]);
        assert_eq!(kinds(&taken(&outbox, 1)), [Kind::Broadcast]);
        let frames = taken(&outbox, usize::MAX);
        assert_eq!(kinds(&frames), [Kind::Broadcast, Kind::Have, Kind::Have, Kind::Broadcast]);
        let mut announced = Vec::new();
        for frame in &frames {
            if let Frame::Have(ids) = frame {
                assert!(ids.len() <= Kind::MAX_HAVE);
                announced.extend(ids.iter());
            }
        }
        assert_eq!(announced, (4..1_504).map(id).collect::<Vec<_>>());
        assert_eq!(outbox.push_envelope(id(9_999), &body), Queued::Whole);
    }

    #[test]
    fn a_broadcast_is_queued_without_a_copy() {
        let network = NetworkHash::plain(&"a".parse().unwrap());
        let draft = Draft {
            title: "t".parse().unwrap(),
            message: Bytes::from_static(b"m"),
            time: Timestamp::from_micros(1).unwrap(),
            lifetime: Lifetime::hours(1),
        };
        let envelope = Open::new(network, NodeId::from_bytes([1; 32])).publish(&draft).unwrap();
        let outbox = Outbox::default();
        assert_eq!(outbox.push_broadcast(&envelope), Queued::Whole);
        let frames = taken(&outbox, 1);
        let [Frame::Broadcast(bytes)] = &frames[..] else { panic!("{frames:?}") };
        assert_eq!(bytes.as_ptr(), envelope.as_bytes().as_ptr());
    }

    #[test]
    fn what_may_not_be_sent_is_refused_when_it_is_pushed() {
        let outbox = Outbox::default();
        let error = outbox.push_bulk(Frame::Reconcile(vec![0; 65_537].into())).unwrap_err();
        assert_eq!(error, OutboxFull::TooLong(FrameTooLong { kind: Kind::Reconcile, len: 65_537 }));
        assert!(outbox.is_empty());
    }

    #[test]
    fn closing_lets_out_what_is_queued_and_takes_nothing_more() {
        let outbox = Outbox::new(limits());
        outbox.push_bulk(Frame::Lazy).unwrap();
        let goodbye = Goodbye::new(GoodbyeCode::Idle, "");
        outbox.close(Some(goodbye.clone()));
        outbox.close(Some(Goodbye::new(GoodbyeCode::Full, "")));
        assert!(outbox.is_closed());
        assert_eq!(outbox.push_control(Frame::Eager), Err(OutboxFull::Closed));
        assert_eq!(outbox.push_bulk(Frame::Eager), Err(OutboxFull::Closed));
        assert_eq!(outbox.push_envelope(id(1), &Bytes::new()), Queued::Dropped);
        assert_eq!(taken(&outbox, usize::MAX), [Frame::Lazy]);
        assert_eq!(outbox.take(&mut Vec::new(), 1), Taken::End(Some(goodbye)));
    }

    #[test]
    fn aborting_drops_what_is_queued() {
        let outbox = Outbox::new(limits());
        outbox.push_bulk(Frame::Lazy).unwrap();
        outbox.clone().abort();
        assert!(outbox.is_closed() && outbox.queued_bytes() == 0);
        assert_eq!(outbox.take(&mut Vec::new(), 1), Taken::Abort);
        outbox.close(None);
        assert_eq!(outbox.take(&mut Vec::new(), 1), Taken::Abort);
    }
}
