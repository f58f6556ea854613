//! What all tasks of a node share, and how the core's wishes are carried out.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::Duration;

use tokio::sync::futures::Notified;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::access::{Attested, Authority, Certificate, Revocations};
use crate::envelope::{Envelope, EnvelopeId, Lifetime, Scheme, Timestamp, Verified};
use crate::identity::{NetworkName, NodeAddress, NodeId};
use crate::link::{Channel, Meter, Outbox, Queued, Traffic};
use crate::log::{Cursor, Log, LogError, Position, State};
use crate::overlay::{
    Claimed, Core, CoreAccess, CoreEvent, DialId, LinkId, Now, Output, PRESENCE_TITLE, Presence, Reason,
    RememberedPeer, Target, Withdrawal, keep_and_accept,
};
use crate::wire::{Frame, Goodbye, GoodbyeCode, Hello, Kind};

use super::access::{AccessSource, Subject};
use super::apps::Apps;
use super::brought::Brought;
use super::clock::RunningClock;
use super::events::{Announcer, Event};
use super::link_data::LinkData;
use super::link_task::KeepOrJudge;
use super::listener::Doorkeeper;
use super::nicknames::Nicknames;
use super::requests::{LinkRequests, Services};
use super::retry::LostNodes;
use super::{Broadcast, Item, Subscription, dialer};

/// What all tasks of a node share.
#[derive(Debug)]
pub(super) struct Shared {
    /// This value, for the tasks that it starts.
    me: Weak<Shared>,
    pub(super) own: NodeId,
    pub(super) network: NetworkName,
    pub(super) is_secure: bool,
    pub(super) scheme: Arc<dyn Scheme>,
    pub(super) channel: Arc<dyn Channel>,
    pub(super) log: Arc<dyn Log>,
    pub(super) genesis: Vec<NodeAddress>,
    pub(super) listen: Option<SocketAddr>,
    /// The port is announced with whatever address a link shows, because nothing else is known.
    pub(super) announce_link_addresses: bool,
    pub(super) hello: Hello,
    pub(super) clock: RunningClock,
    pub(super) doorkeeper: Doorkeeper,
    pub(super) links: RwLock<BTreeMap<LinkId, LinkHandle>>,
    pub(super) events: Announcer,
    brought: Brought,
    /// The applications.
    pub(super) apps: Apps,
    /// Nodes that were lost.
    pub(super) lost: LostNodes,
    pub(super) nicknames: Nicknames,
    /// What the node must not forget, if it was given a place for it.
    pub(super) state: Option<Arc<State>>,
    /// Where it has from who is admitted, and whose word counts where certificates do.
    pub(super) access: AccessSource,
    pub(super) authority: Option<Arc<Authority>>,
    /// How long messages are kept.
    pub(super) keep: Duration,
    /// Whether this node's record went out.
    pub(super) record_announced: AtomicBool,
    /// What others seal to, if anything.
    #[cfg(feature = "sealed")]
    pub(super) seal_keys: Option<super::seal_keys::SealKeys>,
    /// The end of the log at the start.
    pub(super) began: Cursor,
    /// Cancelled when everything is to end, whatever it is doing.
    pub(super) cancel: CancellationToken,
    /// Cancelled when nothing new is to begin.
    pub(super) closing: CancellationToken,
    /// Cancelled when the node has stopped.
    pub(super) stopped: CancellationToken,
    pub(super) tasks: TaskTracker,
    /// Who answers requests of which title.
    pub(super) services: Arc<Services>,
    core: Mutex<Core>,
    next_link: AtomicU64,
    stopping: AtomicBool,
    leaving: AtomicBool,
    timer_set: AtomicU64,
    timer_wake: Notify,
    link_removed: Notify,
    links_changed: Notify,
    /// What went over links that are no more.
    former_traffic: Meter,
}

/// The host's side of a link.
#[derive(Clone, Debug)]
pub(super) struct LinkHandle {
    pub(super) peer: NodeId,
    /// What program it says it runs.
    pub(super) agent: Arc<str>,
    pub(super) outbox: Outbox,
    pub(super) meter: Arc<Meter>,
    pub(super) requests: Arc<LinkRequests>,
    /// What applications keep about the neighbour.
    pub(super) data: Arc<LinkData>,
    /// Why this node closes it, once it does.
    pub(super) closing: watch::Sender<Option<Reason>>,
}

/// What [`Shared`] is made of.
pub(super) struct Parts {
    pub(super) network: NetworkName,
    pub(super) is_secure: bool,
    pub(super) scheme: Arc<dyn Scheme>,
    pub(super) channel: Arc<dyn Channel>,
    pub(super) log: Arc<dyn Log>,
    pub(super) state: Option<Arc<State>>,
    pub(super) access: AccessSource,
    pub(super) keep: Duration,
    #[cfg(feature = "sealed")]
    pub(super) seal_keys: Option<super::seal_keys::SealKeys>,
    pub(super) genesis: Vec<NodeAddress>,
    pub(super) listen: Option<SocketAddr>,
    pub(super) announce_link_addresses: bool,
    pub(super) hello: Hello,
    pub(super) clock: RunningClock,
    pub(super) core: Core,
}

/// "No timer is set."
const NEVER: u64 = u64::MAX;

impl Shared {
    pub(super) fn new(parts: Parts) -> Arc<Self> {
        Arc::new_cyclic(|me| Shared {
            me: me.clone(),
            own: parts.scheme.own_id(),
            network: parts.network,
            is_secure: parts.is_secure,
            scheme: parts.scheme,
            channel: parts.channel,
            began: parts.log.end(),
            log: parts.log,
            state: parts.state,
            access: parts.access,
            authority: parts.core.admission().certified().map(|certified| certified.authority().clone()),
            keep: parts.keep,
            record_announced: AtomicBool::new(false),
            #[cfg(feature = "sealed")]
            seal_keys: parts.seal_keys,
            genesis: parts.genesis,
            listen: parts.listen,
            announce_link_addresses: parts.announce_link_addresses,
            hello: parts.hello,
            clock: parts.clock,
            doorkeeper: Doorkeeper::default(),
            links: RwLock::default(),
            apps: Apps::default(),
            lost: LostNodes::default(),
            nicknames: Nicknames::default(),
            events: Announcer::default(),
            brought: Brought::default(),
            stopped: CancellationToken::new(),
            cancel: CancellationToken::new(),
            closing: CancellationToken::new(),
            tasks: TaskTracker::new(),
            services: Arc::default(),
            core: Mutex::new(parts.core),
            next_link: AtomicU64::new(1),
            stopping: AtomicBool::new(false),
            leaving: AtomicBool::new(false),
            timer_set: AtomicU64::new(NEVER),
            timer_wake: Notify::new(),
            link_removed: Notify::new(),
            links_changed: Notify::new(),
            former_traffic: Meter::default(),
        })
    }

    /// This value, for a task.
    pub(super) fn me(&self) -> Option<Arc<Shared>> {
        self.me.upgrade()
    }

    pub(super) fn now(&self) -> Now {
        self.clock.now()
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Whether nothing is to be published any more.
    pub(super) fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Relaxed)
    }

    /// From now on nothing is to be published.
    pub(super) fn begin_leaving(&self) {
        self.leaving.store(true, Ordering::Relaxed);
    }

    /// Marks the node as stopping; says whether it was not yet.
    pub(super) fn begin_stopping(&self) -> bool {
        !self.stopping.swap(true, Ordering::Relaxed)
    }

    pub(super) fn new_link_id(&self) -> LinkId {
        LinkId(self.next_link.fetch_add(1, Ordering::Relaxed))
    }

    /// Asks or tells the core something, then does what it wants done. The lock is held for the call alone.
    pub(super) fn with_core<T>(&self, f: impl FnOnce(&mut Core) -> T) -> T {
        let (result, outputs) = {
            let mut core = self.core.lock().unwrap_or_else(PoisonError::into_inner);
            let result = f(&mut core);
            self.set_timer(core.next_timer());
            (result, core.take_outputs())
        };
        self.carry_out(outputs);
        result
    }

    /// Called under the core's lock, so that the last setting is the newest.
    fn set_timer(&self, next: Option<crate::overlay::Instant>) {
        let next = next.map_or(NEVER, |at| u64::try_from(at.since_start().as_micros()).unwrap_or(NEVER));
        if self.timer_set.swap(next, Ordering::Relaxed) > next {
            self.timer_wake.notify_one();
        }
    }

    fn carry_out(&self, outputs: Vec<Output>) {
        let mut outputs = VecDeque::from(outputs);
        while let Some(output) = outputs.pop_front() {
            match output {
                Output::Send { link, frame } => self.send(link, frame),
                Output::Relay { envelope, to } => self.relay(&envelope, &to),
                Output::Serve { link, ids } => self.serve(link, ids),
                Output::Dial { dial, target } => self.dial(dial, target),
                Output::Close { link, goodbye, reason } => self.close(link, goodbye, reason),
                Output::Announce { presence, lifetime } => self.announce(&presence, lifetime),
                Output::Remember(peers) => self.remember(peers),
                Output::Claimed(claimed) => self.go_on(claimed),
                Output::Withdraw(withdrawal) => self.withdraw(&withdrawal),
                Output::KeepRevocations(list) => self.keep_revocations(list),
                Output::KeepCertificate(certificate) => self.keep_certificate(&certificate),
                Output::Event(event) => self.tell(event),
            }
        }
    }

    /// The host's side of a link, while it is open.
    pub(super) fn link(&self, link: LinkId) -> Option<LinkHandle> {
        self.links.read().unwrap_or_else(PoisonError::into_inner).get(&link).cloned()
    }

    /// Queues a frame of the core's. A peer that leaves so much of them unread is stuck.
    pub(super) fn send(&self, link: LinkId, frame: Frame) {
        let Some(handle) = self.link(link) else { return };
        if frame.kind() == Kind::Reconcile {
            // Bulk: what is said now goes before what was said long ago. A session that loses a frame ends in time.
            if let Err(error) = handle.outbox.push_bulk(frame) {
                tracing::debug!(peer = %format_args!("{:#}", handle.peer), %error, "a step of repair was dropped");
            }
        } else if handle.outbox.push_control(frame).is_err() {
            self.abort(link, &handle, Reason::Stuck);
        }
    }

    fn relay(&self, envelope: &Verified<Envelope>, to: &[LinkId]) {
        let links = self.links.read().unwrap_or_else(PoisonError::into_inner);
        for link in to {
            if let Some(handle) = links.get(link)
                && handle.outbox.push_broadcast(envelope) == Queued::Dropped
            {
                tracing::debug!(peer = %format_args!("{:#}", handle.peer), "not even the id of a broadcast found room");
            }
        }
    }

    fn serve(&self, link: LinkId, ids: Vec<EnvelopeId>) {
        match self.me.upgrade() {
            // The link's reader does not wait for the disk.
            Some(shared) if self.log.is_on_disk() => {
                drop(self.tasks.spawn_blocking(move || shared.serve_now(link, &ids)));
            }
            _ => self.serve_now(link, &ids),
        }
    }

    fn serve_now(&self, link: LinkId, ids: &[EnvelopeId]) {
        let mut absent = Vec::new();
        for id in ids {
            match self.log.get(id) {
                Some(envelope) => self.relay(&envelope, &[link]),
                None => absent.push(*id),
            }
        }
        for ids in absent.chunks(Kind::MAX_HAVE) {
            self.send(link, Frame::Absent(ids.iter().copied().collect()));
        }
    }

    fn dial(&self, dial: DialId, target: Target) {
        if let Some(shared) = self.me.upgrade() {
            self.tasks.spawn(dialer::dial(shared, dial, target));
        }
    }

    fn close(&self, link: LinkId, goodbye: Option<GoodbyeCode>, reason: Reason) {
        if let Some(handle) = self.link(link) {
            let (peer, outbox) = (handle.peer, handle.outbox.clone());
            let end = move || {
                handle.closing.send_if_modified(|closing| closing.replace(reason).is_none());
                outbox.close(goodbye.map(|code| Goodbye::new(code, "")));
            };
            match self.me.upgrade() {
                // Nobody owes a last word to whom it sends away for what it did.
                Some(shared) if reason.is_peaceful() => shared.before_closing(link, peer, reason, end),
                _ => end(),
            }
        }
    }

    fn abort(&self, link: LinkId, handle: &LinkHandle, reason: Reason) {
        tracing::debug!(link = link.0, %reason, "link aborted");
        handle.closing.send_if_modified(|closing| closing.replace(reason).is_none());
        handle.outbox.abort();
    }

    /// Goes on with envelopes that waited for their senders' certificates.
    fn go_on(&self, claimed: Vec<Claimed>) {
        if let Some(shared) = self.me() {
            keep_and_accept(self, &mut KeepOrJudge(&shared), || self.now(), claimed);
        }
    }

    fn withdraw(&self, withdrawal: &Withdrawal) {
        self.log.withdraw(&|sender, time| withdrawal.takes(sender, time));
    }

    fn keep_revocations(&self, list: Attested<Revocations>) {
        if let Some(state) = self.state.clone() {
            self.tasks.spawn_blocking(move || {
                if let Err(error) = state.keep_revocations(list.epoch(), &list.encode()) {
                    tracing::warn!(%error, "the list of revocations could not be written down; neighbours will bring it again");
                }
            });
        }
    }

    fn keep_certificate(&self, certificate: &Certificate) {
        if let Some(state) = self.state.clone() {
            let certificate = certificate.encode();
            self.tasks.spawn_blocking(move || {
                if let Err(error) = state.keep_certificate(&certificate) {
                    tracing::warn!(%error, "a member's certificate could not be written down");
                }
            });
        }
    }

    /// Whose certificates this node looks at.
    pub(super) fn subject(&self) -> Subject {
        Subject { network: *self.scheme.network(), own: self.own }
    }

    /// The certificate that a node showed, if the authority signed it. One signature is verified.
    pub(super) fn attested(&self, shown: Option<&bytes::Bytes>) -> Option<Attested<Certificate>> {
        self.authority.as_ref().zip(shown).and_then(|(authority, bytes)| authority.certificate(bytes).ok())
    }

    fn announce(&self, presence: &Presence, lifetime: Duration) {
        self.announce_record_first();

        let lifetime = Lifetime::secs(u32::try_from(lifetime.as_secs()).unwrap_or(u32::MAX));
        self.announce_soon(PRESENCE_TITLE, presence.encode(), lifetime);
    }

    fn tell(&self, event: CoreEvent) {
        trace(&event);
        match &event {
            CoreEvent::LinkOpened { peer, direction, .. } => {
                self.lost.found(peer);
                self.apps.opened(*peer, *direction);
            }
            CoreEvent::LinkClosed { peer, reason, .. } => {
                self.lost.closed(*peer, *reason);
                self.apps.closed(*peer, *reason);
            }
            CoreEvent::NetworkShutDown { .. } => self.obey_shutdown(),
            _ => {}
        }
        if !matches!(event, CoreEvent::Join(_) | CoreEvent::Latency { .. } | CoreEvent::ClockOff { .. }) {
            self.links_changed.notify_waiters();
        }
        Event::of(event).into_iter().for_each(|event| self.emit(event));
    }

    /// Comes to an end when a link opened or closed, or a dial failed, after this was called.
    pub(super) fn links_changed(&self) -> Notified<'_> {
        self.links_changed.notified()
    }

    /// Tells whoever listens.
    pub(super) fn emit(&self, event: Event) {
        self.events.send(event);
    }

    /// Appends an accepted broadcast of somebody else; its readers are woken when it is durable.
    pub(super) fn append(&self, envelope: &Verified<Envelope>, now: Now) -> Result<(), LogError> {
        if let Some(position) = self.log.append(envelope, now.wall)? {
            self.tell_of(envelope, position);
        }
        Ok(())
    }

    /// The same, and says whether it is kept.
    pub(super) fn keep(&self, claimed: &Claimed) -> bool {
        let envelope = claimed.envelope();
        let _span =
            tracing::trace_span!("message", id = %envelope.id(), sender = %format_args!("{:#}", envelope.sender()))
                .entered();
        if self.events.has_listeners()
            && !is_protocol(envelope.title())
            && let Some(link) = claimed.brought_by().and_then(|link| self.link(link))
        {
            self.brought.note(envelope.id(), link.peer);
        }
        match self.append(envelope, self.now()) {
            Ok(()) => {
                tracing::trace!(title = envelope.title().len(), bytes = envelope.size(), "kept, to be relayed");
                true
            }
            Err(LogError::Closed) => false,
            Err(error) => {
                tracing::warn!(envelope = %envelope.id(), %error, "a broadcast could not be kept");
                false
            }
        }
    }

    /// Tells of a broadcast that was durable at once. Those that had to wait for the disk are told of by
    /// [`follow_log`](Self::follow_log).
    pub(super) fn tell_of(&self, envelope: &Verified<Envelope>, position: Position) {
        if !self.log.is_on_disk() && self.events.has_listeners() && !is_protocol(envelope.title()) {
            let cursor = Cursor::new(self.log.instance(), position);
            let is_late = self.log.is_late(position);
            let told = Broadcast::new(envelope.clone(), cursor, is_late);
            self.emit(Event::Message(told.with_neighbour(self.brought.take(&envelope.id()))));
        }
    }

    /// Tells of what the log on disk has made durable.
    pub(super) async fn follow_log(self: Arc<Self>) {
        let messages = Subscription::new(self.log.clone(), self.cancel.clone(), None);
        let Ok(mut messages) = messages.after(self.began) else { return };
        while let Some(item) = messages.next().await {
            if let Item::Broadcast(broadcast) = item
                && self.events.has_listeners()
            {
                let brought_by = self.brought.take(&broadcast.id());
                self.emit(Event::Message(broadcast.with_neighbour(brought_by)));
            }
        }
    }

    /// Says when the disk takes nothing any more, and when it does again.
    pub(super) async fn follow_trouble(self: Arc<Self>, mut trouble: watch::Receiver<Option<LogError>>) {
        loop {
            tokio::select! {
                () = self.cancel.cancelled() => return,
                changed = trouble.changed() => if changed.is_err() { return },
            }
            let now = trouble.borrow_and_update().clone();
            self.emit(now.map_or(Event::LogRecovered, Event::LogTrouble));
        }
    }

    /// This node's HELLO for a connection whose own end is at `local`.
    pub(super) fn hello_at(&self, local: Option<SocketAddr>) -> Hello {
        let now = self.now();
        if let (true, Some(listen), Some(local)) = (self.announce_link_addresses, self.listen, local) {
            self.with_core(|core| core.add_own_address(now, SocketAddr::new(local.ip().to_canonical(), listen.port())));
        }
        let mut hello = self.hello.clone();
        hello.time = now.wall;
        let (listen, shown) = self.with_core(|core| {
            let shown = core.admission().certified().map(|certified| (certified.own().encode(), certified.epoch()));
            (core.own_addresses(), shown)
        });
        hello.listen = listen;
        if let Some((certificate, epoch)) = shown {
            (hello.certificate, hello.epoch) = (Some(certificate.into()), Some(epoch));
        }
        hello
    }

    /// Waits until no link is left.
    pub(super) async fn links_closed(&self) {
        loop {
            let changed = self.link_removed.notified();
            if self.links.read().unwrap_or_else(PoisonError::into_inner).is_empty() {
                return;
            }
            changed.await;
        }
    }

    /// Takes a link off the list.
    pub(super) fn remove_link(&self, link: LinkId) {
        let mut links = self.links.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(handle) = links.remove(&link) {
            self.former_traffic.add(handle.meter.traffic());
        }
        drop(links);
        self.link_removed.notify_waiters();
    }

    /// Writes down now and then how late it is.
    fn note_clock(&self, seen: Timestamp) {
        if let Some(state) = self.state.clone().filter(|state| state.is_behind(seen)) {
            self.tasks.spawn_blocking(move || {
                // Another one may have done it meanwhile.
                if state.is_behind(seen)
                    && let Err(error) = state.note(seen, None)
                {
                    tracing::warn!(%error, "the state could not be written");
                }
            });
        }
    }

    /// What went over all links so far.
    pub(super) fn traffic(&self) -> Traffic {
        let links = self.links.read().unwrap_or_else(PoisonError::into_inner);
        let open = links.values().map(|handle| handle.meter.traffic());
        open.fold(self.former_traffic.traffic(), |sum, traffic| sum + traffic)
    }

    /// Writes down whom to go back to after a restart.
    fn remember(&self, peers: Vec<RememberedPeer>) {
        if let Some(state) = self.state.clone() {
            let peers: Vec<_> = peers.into_iter().map(|peer| (peer.id, peer.address)).collect();
            self.tasks.spawn_blocking(move || {
                if let Err(error) = state.remember_peers(&peers) {
                    tracing::warn!(%error, "the neighbours to go back to could not be written down");
                }
            });
        }
    }

    /// Lets the core's time pass.
    pub(super) async fn run_timer(self: Arc<Self>) {
        loop {
            let at = self.timer_set.load(Ordering::Relaxed);
            let sleep = async {
                if at == NEVER {
                    std::future::pending::<()>().await;
                }
                let due = crate::overlay::Instant::at(Duration::from_micros(at));
                tokio::time::sleep_until(self.clock.runtime_instant(due)).await;
            };
            tokio::select! {
                () = self.cancel.cancelled() => return,
                () = self.timer_wake.notified() => {}
                () = sleep => {
                    let now = self.now();
                    let (seen, floor) = self.with_core(|core| {
                        core.tick(now);
                        (core.clock_seen(), core.floor())
                    });
                    self.log.expire(seen);
                    self.log.forget_before(floor);
                    self.note_clock(seen);
                }
            }
        }
    }
}

impl CoreAccess for Shared {
    fn with<T>(&self, act: impl FnOnce(&mut Core) -> T) -> T {
        self.with_core(act)
    }
}

fn is_protocol(title: &str) -> bool {
    title.starts_with(crate::envelope::Title::PROTOCOL_PREFIX)
}

fn trace(event: &CoreEvent) {
    match event {
        CoreEvent::Join(step) => tracing::info!(?step, "joining"),
        CoreEvent::LinkOpened { link, peer, direction, remote } => {
            tracing::info!(link = link.0, peer = %format_args!("{peer:#}"), ?direction, %remote, "link opened");
        }
        CoreEvent::LinkClosing { .. } | CoreEvent::Latency { .. } => tracing::trace!(?event, "link"),
        CoreEvent::LinkClosed { link, peer, direction, reason } => {
            tracing::info!(link = link.0, peer = %format_args!("{peer:#}"), ?direction, %reason, "link closed");
        }
        CoreEvent::Member { id, state } => tracing::info!(member = %format_args!("{id:#}"), ?state, "member"),
        CoreEvent::DialFailed { target, reason } => tracing::debug!(?target, %reason, "dial failed"),
        CoreEvent::Barred { peer, reason } => tracing::warn!(peer = %format_args!("{peer:#}"), %reason, "barred"),
        CoreEvent::Revoked { epoch, members } => {
            tracing::warn!(epoch, members = members.len(), "memberships are revoked")
        }
        CoreEvent::NetworkShutDown { by } => tracing::warn!(by = %format_args!("{by:#}"), "the network is shut down"),
        CoreEvent::IdentityUsedElsewhere { id } => {
            tracing::error!(envelope = %id, "somebody else signs with this node's key");
        }
        CoreEvent::ClockOff { peer, by, ahead } => {
            tracing::warn!(peer = %format_args!("{peer:#}"), ?by, ahead, "clocks are too far apart");
        }
    }
}
