//! One link while it is open: a reader and a writer.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::Instrument;

use crate::access::AttestError;
use crate::envelope::{Envelope, EnvelopeError};
use crate::identity::NodeId;
use crate::link::{Link, LinkError, Outbox, Reader, Writer};
use crate::overlay::{self, Claimed, DialId, Direction, Keep, LinkId, MEMBERS, Offence, Opening, Reason, Refused};
use crate::wire::{Frame, FrameError, GoodbyeCode, Hello, Kind};

use super::reasons::reason_of;
use super::requests::{LinkRequests, REQUESTS};
use super::shared::{LinkHandle, Shared};

/// What a node announces that compares with its neighbours what both have.
pub(super) const RECONCILE: &str = "reconcile";

/// What a node announces that knows EAGER and LAZY.
pub(super) const TREE: &str = "tree";

/// What a node announces that knows NEWS.
pub(super) const NEWS: &str = "news";

/// Envelopes offered to the core at once.
const BATCH: usize = 64;
const BATCH_BYTES: usize = 256 << 10;
/// How long a closing link is still read: what the other node sent before it knew is not lost.
const DRAIN: Duration = Duration::from_millis(250);

/// Why a link could not be opened.
pub(super) fn refusal(shared: &Shared, error: &LinkError) -> Reason {
    match error {
        // A channel only says that it was told no.
        LinkError::Refused(peer) => {
            let now = shared.now();
            shared.with_core(|core| core.admit(now, peer)).err().unwrap_or(Reason::Barred)
        }
        error => reason_of(error),
    }
}

/// Says of a proven identity whether it may be linked with.
pub(super) fn admit(shared: &Arc<Shared>) -> impl Fn(&NodeId) -> bool + Send + Sync + use<> {
    let shared = shared.clone();
    move |peer| {
        let now = shared.now();
        shared.with_core(|core| core.admit(now, peer)).is_ok()
    }
}

/// A link the core took, before its connection is ready.
#[derive(Debug)]
pub(super) struct Registered {
    shared: Arc<Shared>,
    id: LinkId,
    handle: LinkHandle,
}

/// A link that is ready.
#[derive(Debug)]
pub(super) struct Established {
    registered: Registered,
    link: Link,
}

impl Established {
    pub(super) fn peer(&self) -> NodeId {
        self.registered.handle.peer
    }

    pub(super) fn requests(&self) -> &LinkRequests {
        &self.registered.handle.requests
    }
}

/// Makes the core take a link. Its outbox is there before the core knows of it, so nothing the core says is lost.
pub(super) fn register(
    shared: &Arc<Shared>,
    dial: Option<DialId>,
    peer: NodeId,
    direction: Direction,
    remote: SocketAddr,
    hello: &Hello,
) -> Result<Registered, Refused> {
    let id = shared.new_link_id();
    let (outbox, closing) = (Outbox::default(), watch::Sender::new(None));
    let is_able = hello.has_feature(REQUESTS);
    let requests = LinkRequests::new(peer, outbox.clone(), is_able, shared.services.clone(), closing.clone());
    let handle = LinkHandle {
        peer,
        agent: hello.agent.as_str().into(),
        outbox,
        meter: Arc::default(),
        requests,
        data: Arc::default(),
        closing,
    };
    shared.links.write().unwrap_or_else(PoisonError::into_inner).insert(id, handle.clone());
    let opening = Opening {
        link: id,
        dial,
        peer,
        direction,
        remote: SocketAddr::new(remote.ip().to_canonical(), remote.port()),
        listen: hello.listen.clone(),
        time: hello.time,
        renew: hello.renew,
        reconcile: hello.has_feature(RECONCILE),
        tree: hello.has_feature(TREE),
        news: hello.has_feature(NEWS),
        members: hello.has_feature(MEMBERS),
        certificate: shared.attested(hello.certificate.as_ref()),
        epoch: hello.epoch,
    };
    let now = shared.now();
    let outcome = shared.with_core(|core| core.link_opened(now, opening));
    if outcome.is_err() {
        shared.remove_link(id);
    }
    outcome.map(|()| Registered { shared: shared.clone(), id, handle })
}

impl Registered {
    pub(super) fn established(self, link: Link) -> Established {
        Established { registered: self, link }
    }

    /// The connection ended, or never became one.
    pub(super) fn lost(self, reason: Reason) {
        let Registered { shared, id, handle } = self;
        shared.remove_link(id);
        handle.outbox.abort();
        handle.requests.link_closed();
        let reason = handle.closing.borrow().unwrap_or(reason);
        let now = shared.now();
        shared.with_core(|core| core.link_closed(now, id, reason));
    }
}

/// Whether this node announces what a kind of frame needs, or it needs nothing: lists of revocations come to those whose
/// HELLO said which they hold.
fn is_announced(shared: &Shared, kind: Kind) -> bool {
    kind != Kind::Revocations || shared.authority.is_some()
}

fn unsupported(kind: Kind) -> LinkError {
    LinkError::Frame(FrameError::Unsupported { kind: kind.as_byte() })
}

/// What a frame of a kind that was not announced looks like does not matter: a later version may have changed it.
fn unless_announced(shared: &Shared, error: LinkError) -> LinkError {
    match error {
        LinkError::Frame(FrameError::TooLong { kind, .. } | FrameError::Malformed { kind, .. })
            if !is_announced(shared, kind) =>
        {
            unsupported(kind)
        }
        error => error,
    }
}

/// Starts the two tasks of a link, which go on until it is closed. They are tasks of their own, so that an open link does
/// not hold the room that setting it up took.
pub(super) fn start(shared: &Arc<Shared>, established: Established) {
    let Established { registered, link: Link { mut reader, mut writer, .. } } = established;
    reader.count_with(registered.handle.meter.clone());
    writer.count_with(registered.handle.meter.clone());
    // Everything that is traced of this link names it.
    let span = tracing::info_span!("link", id = registered.id.0, peer = %format_args!("{:#}", registered.handle.peer));
    let write = write(shared.clone(), registered.id, registered.handle.clone(), writer);
    let writing = shared.tasks.spawn(write.instrument(span.clone()));
    shared.tasks.spawn(run(registered, reader, writing).instrument(span));
}

/// Reads until the link ends, and sees to its end.
#[expect(clippy::manual_async_fn, reason = "an async fn would hold the reader twice")]
fn run(registered: Registered, mut reader: Reader, writing: JoinHandle<()>) -> impl Future<Output = ()> {
    async move {
        let shared = &registered.shared;
        let reason = tokio::select! {
            () = shared.cancel.cancelled() => Reason::Stopping,
            reason = read(&registered, &mut reader) => reason,
        };
        drop(reader);
        // What is queued still goes out, if there is anybody to take it.
        registered.handle.outbox.close(None);
        tokio::select! {
            () = shared.cancel.cancelled() => {}
            _ = tokio::time::timeout(DRAIN, writing) => {}
        }
        registered.lost(reason);
    }
}

#[expect(clippy::manual_async_fn, reason = "an async fn would hold the writer twice")]
fn write(shared: Arc<Shared>, id: LinkId, handle: LinkHandle, writer: Writer) -> impl Future<Output = ()> {
    async move {
        let mut writing = pin!(writer.run(handle.outbox.clone()));
        let written = loop {
            tokio::select! {
                written = &mut writing => break written,
                () = handle.outbox.emptied() => {
                    let now = shared.now();
                    shared.with_core(|core| core.drained(now, id));
                }
            }
        };
        if let Err(error) = written {
            let reason = reason_of(&error);
            handle.closing.send_if_modified(|closing| closing.replace(reason).is_none());
            handle.outbox.abort();
        }
    }
}

/// Reads until the link ends; says why it did.
async fn read(registered: &Registered, reader: &mut Reader) -> Reason {
    let mut closing = registered.handle.closing.subscribe();
    let mut task = ReadTask {
        shared: &registered.shared,
        id: registered.id,
        handle: &registered.handle,
        batch: Batch::default(),
        taken: 0,
        asked_to_renew: false,
    };
    // One for all reads: to begin to wait for it costs as much as a small read.
    let mut drained = pin!(drained(&mut closing));
    loop {
        // First: frames may have come together with the HELLO.
        if let Err(error) = task.frames(reader) {
            return task.failed(&error);
        }
        let filled = async {
            task.wait_its_turn().await;
            reader.fill().await
        };
        let filled = tokio::select! {
            filled = filled => filled,
            reason = &mut drained => return reason,
        };
        match filled {
            Ok(true) => task.renew_in_time(reader),
            Ok(false) => return Reason::ConnectionLost,
            Err(error) => return task.failed(&error),
        }
    }
}

/// Waits until the link is closing, and then as long as is still read.
async fn drained(closing: &mut watch::Receiver<Option<Reason>>) -> Reason {
    let reason = closing.wait_for(Option::is_some).await.ok().and_then(|reason| *reason);
    if !matches!(reason, Some(Reason::Stuck | Reason::BadSignature | Reason::BadFrame | Reason::Silent)) {
        tokio::time::sleep(DRAIN).await;
    }
    reason.unwrap_or(Reason::ConnectionLost)
}

#[derive(Default)]
struct Batch {
    envelopes: Vec<Envelope>,
    bytes: usize,
}

struct ReadTask<'a> {
    shared: &'a Arc<Shared>,
    id: LinkId,
    handle: &'a LinkHandle,
    batch: Batch,
    /// Envelopes taken in since the last time other links had their turn.
    taken: usize,
    asked_to_renew: bool,
}

/// Broadcasts go to their applications for a verdict, or into the log.
pub(super) struct KeepOrJudge<'a>(pub(super) &'a Arc<Shared>);

impl Keep for KeepOrJudge<'_> {
    fn append(&mut self, claimed: &Claimed) -> bool {
        self.0.keep(claimed)
    }

    fn judge(&mut self, claimed: Claimed) -> Option<Claimed> {
        self.0.judged_by_app(claimed)
    }
}

impl ReadTask<'_> {
    /// Takes in everything that has arrived whole. What came before a broken frame counts.
    fn frames(&mut self, reader: &mut Reader) -> Result<(), LinkError> {
        let outcome = loop {
            match reader.next_frame() {
                Ok(Some(frame)) => {
                    if let Err(error) = self.frame(frame) {
                        break Err(error);
                    }
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(unless_announced(self.shared, error)),
            }
        };
        self.flush();
        outcome
    }

    /// Waits while the link is ahead of the pace that one link may keep: meanwhile its connection makes the other end wait.
    async fn wait_its_turn(&mut self) {
        if std::mem::take(&mut self.taken) >= BATCH {
            // However much lies ready on this connection: the other links have signatures to verify, too.
            tokio::task::yield_now().await;
        }
        let now = self.shared.now();
        if let Some(until) = self.shared.with_core(|core| core.pause(now, self.id)) {
            tracing::trace!(link = self.id.0, ?until, "reading pauses");
            tokio::time::sleep_until(self.shared.clock.runtime_instant(until)).await;
        }
    }

    /// Long before the records of either direction are used up, the link is made anew.
    fn renew_in_time(&mut self, reader: &Reader) {
        if !self.asked_to_renew && (reader.needs_renewal() || self.handle.outbox.needs_renewal()) {
            self.asked_to_renew = true;
            let now = self.shared.now();
            self.shared.with_core(|core| core.renew(now, self.id));
        }
    }

    fn frame(&mut self, frame: Frame) -> Result<(), LinkError> {
        match frame {
            Frame::Broadcast(bytes) => self.broadcast(bytes),
            Frame::Peers(bytes) => {
                self.flush();
                self.peers(bytes);
            }
            Frame::Hello(_) => return Err(LinkError::UnexpectedFrame(Kind::Hello)),
            frame if !is_announced(self.shared, frame.kind()) => return Err(unsupported(frame.kind())),
            Frame::Revocations(bytes) => self.revocations(&bytes),
            frame if frame.request_number().is_some() => {
                let kind = frame.kind();
                let tell = |event| self.shared.events.send(event);
                self.handle.requests.frame(frame, tell).map_err(|_| LinkError::UnexpectedFrame(kind))?;
            }
            frame => {
                self.flush();
                let now = self.shared.now();
                self.shared.with_core(|core| core.frame(now, self.id, frame));
            }
        }
        Ok(())
    }

    fn broadcast(&mut self, bytes: Bytes) {
        self.batch.bytes += bytes.len();
        match self.shared.scheme.parse(bytes) {
            Ok(envelope) => self.batch.envelopes.push(envelope),
            Err(error) => self.bad_envelope(&error, Offence::BadEnvelope),
        }
        if self.batch.envelopes.len() >= BATCH || self.batch.bytes >= BATCH_BYTES {
            self.flush();
        }
    }

    /// The presences of other members; the neighbour stands for their addresses.
    fn peers(&mut self, mut bytes: Bytes) {
        let mut envelopes = Vec::new();
        while !bytes.is_empty() {
            let scheme = &self.shared.scheme;
            let parsed = Envelope::split_first(&mut bytes, scheme.version()).and_then(|bytes| scheme.parse(bytes));
            match parsed {
                Ok(envelope) => envelopes.push(envelope),
                Err(error) => {
                    // It is the row that is broken: nobody relays such a frame without seeing it.
                    self.bad_envelope(&error, Offence::BadFrame);
                    break;
                }
            }
        }
        self.take_in(true, envelopes);
        let now = self.shared.now();
        self.shared.with_core(|core| core.peers_answered(now, self.id));
    }

    /// A list of revocations. Most are known: only one with a higher epoch is worth a signature, and everybody checks it
    /// before it is passed on.
    fn revocations(&mut self, bytes: &[u8]) {
        self.flush();
        let (shared, now) = (self.shared, self.shared.now());
        let (Some(authority), Some(epoch)) =
            (&shared.authority, bytes.first_chunk().map(|first| u64::from_be_bytes(*first)))
        else {
            return shared.with_core(|core| core.blame(now, self.id, Offence::BadFrame, Reason::BadFrame));
        };
        if shared.with_core(|core| {
            core.revocations_arrived(now, self.id, bytes.len());
            core.admission().epoch().is_some_and(|held| epoch <= held)
        }) {
            return;
        }
        match authority.revocations(bytes) {
            Ok(list) => drop(shared.with_core(|core| core.revoke(now, Some(self.id), &list))),
            Err(error) => {
                tracing::debug!(link = self.id.0, %error, "list of revocations refused");
                let reason = match error {
                    AttestError::Signature => Reason::BadSignature,
                    _ => Reason::BadFrame,
                };
                shared.with_core(|core| {
                    core.count(reason);
                    core.blame(now, self.id, Offence::BadFrame, reason);
                });
            }
        }
    }

    fn bad_envelope(&self, error: &EnvelopeError, offence: Offence) {
        let now = self.shared.now();
        let reason = match error {
            // It may be right in a later version of the protocol.
            EnvelopeError::UnknownVersion(_) => Reason::UnknownVersion,
            _ => Reason::BadEnvelope,
        };
        tracing::debug!(link = self.id.0, %error, "envelope refused");
        self.shared.with_core(|core| {
            core.count(reason);
            if reason == Reason::BadEnvelope {
                core.blame(now, self.id, offence, reason);
            }
        });
    }

    /// Brings what was read to the core.
    fn flush(&mut self) {
        self.batch.bytes = 0;
        let envelopes = std::mem::take(&mut self.batch.envelopes);
        self.take_in(false, envelopes);
    }

    fn take_in(&mut self, vouched: bool, envelopes: Vec<Envelope>) {
        self.taken += envelopes.len();
        let shared = self.shared.as_ref();
        if !envelopes.is_empty() {
            let (scheme, keep) = (shared.scheme.as_ref(), KeepOrJudge(self.shared));
            overlay::take_in(shared, scheme, || shared.now(), keep, self.id, vouched, envelopes);
        }
    }

    /// The link cannot go on: says why, and who is to blame.
    fn failed(&mut self, error: &LinkError) -> Reason {
        let reason = reason_of(error);
        tracing::debug!(link = self.id.0, %error, "link failed");
        let now = self.shared.now();
        self.shared.with_core(|core| {
            if error.blames_peer() {
                core.blame(now, self.id, Offence::BadFrame, reason);
            } else if matches!(error, LinkError::Frame(FrameError::Unsupported { .. })) {
                core.close(self.id, Some(GoodbyeCode::Unsupported), reason);
            }
        });
        reason
    }
}
