//! The handle: what a program does with its node.

use std::fmt;
use std::net::SocketAddr;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;

use crate::envelope::{Envelope, EnvelopeId, Lifetime, Timestamp, Title, TitleError, Verified};
use crate::identity::{NetworkHash, NetworkName, NodeAddress, NodeId};
use crate::link::Traffic;
use crate::log::{Cursor, CursorError, LogError, Page, Usage};
use crate::overlay::{Holder, LinkInfo, Member, MemberState, Reason, ReasonCounts, RepairCounts, SHUTDOWN_TITLE};

use super::apps::Attached;
use super::dialer::Failed;
use super::requests::{self, Asked, Fetch, Request, RequestError, Requests, Sent, ServeError};
use super::shared::{LinkHandle, Shared};
use super::{Body, Event, Events, Publish, PublishError, Receipt, Subscription, dialer, link_task};

/// A node stops within this time, whatever its neighbours do.
const STOP_WITHIN: Duration = Duration::from_millis(500);

/// A running node. A handle: clones are the same node. It stops when [`stop`](Node::stop) is called, or without good-bye
/// when the last handle is dropped.
#[derive(Clone)]
pub struct Node {
    inner: Arc<Handle>,
}

/// A handle that does not keep the node running: for tasks that serve it.
#[derive(Clone)]
pub struct WeakNode {
    inner: Weak<Handle>,
}

impl WeakNode {
    /// The node, while somebody holds it.
    pub fn upgrade(&self) -> Option<Node> {
        self.inner.upgrade().map(|inner| Node { inner })
    }
}

impl fmt::Debug for WeakNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakNode").finish_non_exhaustive()
    }
}

struct Handle {
    shared: Arc<Shared>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.closing.cancel();
        self.shared.cancel.cancel();
    }
}

/// A running node of a secure network: every link is a Noise channel between proven identities, every broadcast is
/// verified before it is relayed. Everything a [`Node`] can do, it can do.
#[derive(Clone, Debug)]
pub struct SecureNode(pub(super) Node);

impl Deref for SecureNode {
    type Target = Node;

    fn deref(&self) -> &Node {
        &self.0
    }
}

impl From<SecureNode> for Node {
    fn from(node: SecureNode) -> Node {
        node.0
    }
}

/// A node in numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// Its name.
    pub id: NodeId,
    /// Where it listens, if it does.
    pub listen: Option<SocketAddr>,
    /// How many members are known, this node included.
    pub members: usize,
    /// How many links are open.
    pub links: usize,
    /// What its log holds.
    pub log: Usage,
    /// The folder of its log or state, if it has one.
    pub folder: Option<PathBuf>,
    /// Why its log on disk takes nothing at the moment.
    pub log_trouble: Option<LogError>,
    /// How many signatures it verified.
    pub verifications: u64,
    /// What went over its links, those that are closed included.
    pub traffic: Traffic,
    /// What was dropped, refused and closed, and why.
    pub reasons: ReasonCounts,
    /// What repair did.
    pub repair: RepairCounts,
    /// Ids this node remembers, so that nothing comes twice.
    pub index: usize,
}

/// Why a node could not connect as asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no link with {address}: {why}")]
#[non_exhaustive]
pub struct ConnectError {
    /// Who was to be reached, and where.
    pub address: NodeAddress,
    /// Why it failed.
    pub reason: Reason,
    /// The same in words.
    pub why: String,
}

/// Why the network was not shut down.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShutdownError {
    /// This node has no right to it.
    #[error(
        "this node may not shut the network down: that takes a network with certificates, and a certificate with the right \
         shutdown (`sealnet authority issue --rights link,publish,shutdown`)"
    )]
    NotAllowed,
    /// The word could not be published.
    #[error(transparent)]
    Publish(#[from] PublishError),
}

impl Node {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Node { inner: Arc::new(Handle { shared }) }
    }

    /// A handle that does not keep the node running.
    pub fn downgrade(&self) -> WeakNode {
        WeakNode { inner: Arc::downgrade(&self.inner) }
    }

    /// Gives the broadcasts of `title`, and of the titles under it, to an application: they are kept and relayed by its
    /// verdict alone. `None` if another application has them. The port on which `app` is built; most want that instead.
    pub fn attach(&self, title: &Title) -> Option<Attached> {
        let shared = self.shared();
        let requests = shared.services.serve(title.clone(), shared.cancel.clone()).ok()?;
        shared.apps.attach(title, &shared.closing, requests)
    }

    /// Hands on what an application does not answer: a message to whoever listens to [`events`](Self::events), all else, and
    /// what nobody listens for, back with a refusal.
    pub fn pass_on(&self, asked: Asked) {
        asked.pass_on(|message| self.shared().events.send(Event::Direct(message)));
    }

    /// The application of this title is gone. `failed`: it broke down, and nothing of its titles is taken any more; otherwise
    /// they are like any others again.
    pub fn detach(&self, title: &Title, failed: bool) {
        if failed {
            self.shared().apps.failed(title);
            self.shared().services.failed(title);
            self.shared().emit(Event::ApplicationFailed { title: title.clone() });
        } else {
            self.shared().apps.detach(title);
        }
    }

    /// Says that an application has been busy with one thing for so long.
    pub fn report_busy(&self, title: &Title, busy: Duration) {
        tracing::warn!(app = %title, ?busy, "the application is busy with one thing; code that blocks belongs into app_isolated");
        self.shared().emit(Event::ApplicationBusy { title: title.clone(), busy });
    }

    /// Counts what an application could not read.
    pub fn count(&self, reason: Reason) {
        self.shared().with_core(|core| core.count(reason));
    }

    /// Runs something with the node that is not an application: [`stop`](Self::stop) waits for it. It must hold no handle of
    /// the node (a [`WeakNode`] will do), and end when [`Events`] do.
    pub fn run_beside(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.shared().tasks.spawn(task);
    }

    /// The node's clock.
    pub fn time(&self) -> Timestamp {
        self.shared().now().wall
    }

    /// Whether the node is asked to stop.
    pub fn is_stopping(&self) -> bool {
        self.shared().is_stopping()
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.inner.shared
    }

    /// The node's name.
    pub fn id(&self) -> NodeId {
        self.shared().own
    }

    /// The name of the network it belongs to.
    pub fn network(&self) -> &NetworkName {
        &self.shared().network
    }

    /// The hash of its network, which every signature is bound to.
    pub fn network_hash(&self) -> NetworkHash {
        *self.shared().scheme.network()
    }

    /// Whether its links are encrypted and its broadcasts signed.
    pub fn is_secure(&self) -> bool {
        self.shared().is_secure
    }

    /// Where it listens, with the port the system gave it if none was asked for.
    pub fn listen_address(&self) -> Option<SocketAddr> {
        self.shared().listen
    }

    /// Its address for others' configuration; `None` if it does not listen.
    pub fn address(&self) -> Option<NodeAddress> {
        let listen = self.listen_address()?;
        let id = self.is_secure().then(|| self.id());
        NodeAddress::new(id, &listen.to_string()).ok()
    }

    /// Says something to everybody; goes out when awaited.
    ///
    /// The message is signed, kept in this node's log, and handed to its neighbours, who verify it and pass it on. It is
    /// kept for a day for those who are away, unless [`lifetime`](Publish::lifetime) says otherwise.
    ///
    /// # Errors
    /// See [`PublishError`](super::PublishError); nothing was published then.
    pub fn broadcast(&self, title: &str, body: impl Into<Body>) -> Publish {
        Publish::new(self.shared().clone(), title, body.into())
    }

    /// The broadcasts of one title, from now on.
    ///
    /// # Errors
    /// If the title cannot be used.
    pub fn subscribe(&self, title: &str) -> Result<Subscription, TitleError> {
        Ok(self.subscription(Some(Title::for_application(title)?)))
    }

    /// The broadcasts of one title and of all titles under it (`chain`, `chain/block`), from now on.
    ///
    /// # Errors
    /// If the title cannot be used.
    pub fn subscribe_under(&self, title: &str) -> Result<Subscription, TitleError> {
        Ok(self.subscription(Some(Title::for_application(title)?)).and_under())
    }

    /// The broadcasts of all titles, from now on.
    pub fn subscribe_all(&self) -> Subscription {
        self.subscription(None)
    }

    fn subscription(&self, title: Option<Title>) -> Subscription {
        let shared = self.shared();
        Subscription::new(shared.log.clone(), shared.cancel.clone(), title)
    }

    /// The place in the log where this run of the node began: what is after it came since then.
    pub fn began(&self) -> Cursor {
        self.shared().began
    }

    /// The place after everything this node has received so far.
    pub fn cursor(&self) -> Cursor {
        self.shared().log.end()
    }

    /// What happens at this node, from now on.
    pub fn events(&self) -> Events {
        Events::new(self.shared().events.subscribe(), self.shared().cancel.clone())
    }

    /// Who else runs the application with this title, and in which version: neighbours said so when the link was opened, and
    /// all members say so when they announce themselves.
    pub fn peers_running(&self, title: &str) -> Vec<(NodeId, String)> {
        let own = self.id();
        let running = |member: Member| {
            let Member { id, mut presence, .. } = member;
            Some((id, presence.apps.remove(title)?)).filter(|(id, _)| *id != own)
        };
        self.members().into_iter().filter_map(running).collect()
    }

    /// Everybody who belongs to the network and is not gone, this node included (`nodes_in_network`).
    pub fn members(&self) -> Vec<Member> {
        self.shared().with_core(|core| core.members())
    }

    /// What is known of a member's whereabouts; `None` if nobody ever heard of it.
    pub fn member_state(&self, id: &NodeId) -> Option<MemberState> {
        self.shared().with_core(|core| core.member_state(id))
    }

    /// The open links.
    pub fn links(&self) -> Vec<LinkInfo> {
        self.shared().with_core(|core| core.links())
    }

    /// The neighbours that have a broadcast, as far as this node knows, and how it knows: they sent it here or announced it,
    /// asked for it, were handed it over a link that is still open, or were found by repair to know the same of its time.
    /// Others have it too; nobody is asked.
    ///
    /// Followed one by one are the newest 4,096 broadcasts of this node's own and the newest 1,024 of others.
    pub fn holders(&self, id: &EnvelopeId) -> Vec<Holder> {
        let kept = self.shared().log.get(id);
        self.shared().with_core(|core| core.holders(id, kept.as_deref()))
    }

    /// The node in numbers.
    pub fn status(&self) -> Status {
        let shared = self.shared();
        let (members, links, reasons, repair, index) = shared.with_core(|core| {
            (core.member_count(), core.link_count(), core.counts().clone(), core.repair_counts(), core.index_len())
        });
        Status {
            id: self.id(),
            listen: self.listen_address(),
            members,
            links,
            log: shared.log.usage(),
            folder: shared.state.as_ref().map(|state| state.folder().to_owned()),
            log_trouble: shared.log.trouble().and_then(|trouble| trouble.borrow().clone()),
            verifications: shared.scheme.verifications(),
            traffic: shared.traffic(),
            reasons,
            repair,
            index,
        }
    }

    /// Opens a link with the node at `address`, and keeps it like any other. Says who answered.
    ///
    /// # Errors
    /// If nobody answers there, somebody else does, or there is a link already.
    pub async fn connect(&self, address: &NodeAddress) -> Result<NodeId, ConnectError> {
        let shared = self.shared();
        match dialer::set_up_address(shared, None, address).await {
            Ok(established) => {
                let peer = established.peer();
                link_task::start(shared, established);
                Ok(peer)
            }
            Err(Failed { reason, why }) => Err(ConnectError { address: address.clone(), reason, why }),
        }
    }

    /// Closes the link with `peer`. Says whether there was one. The node may open it again if it has too few.
    pub fn disconnect(&self, peer: &NodeId) -> bool {
        self.shared().with_core(|core| {
            let link = core.link_with(peer);
            if let Some(link) = link {
                core.close(link, Some(crate::wire::GoodbyeCode::Idle), Reason::Requested);
            }
            link.is_some()
        })
    }

    /// Bars a node for an hour: no link with it is opened or taken, and those that are open are closed. What others relay
    /// of it is taken as before. Says whether it could be: a node does not bar itself.
    pub fn bar(&self, peer: &NodeId) -> bool {
        let (shared, is_other) = (self.shared(), *peer != self.id());
        if is_other {
            let now = shared.now();
            shared.with_core(|core| core.bar(now, *peer));
        }
        is_other
    }

    /// What the log keeps after `cursor` (from its start, if there is none), at most so many entries, titles of the protocol's
    /// own among them. For one look; to follow what comes, subscribe.
    ///
    /// # Errors
    /// If the cursor belongs to another log.
    pub async fn page(&self, cursor: Option<Cursor>, limit: usize) -> Result<Page, CursorError> {
        let log = self.shared().log.clone();
        let cursor = cursor.unwrap_or_else(|| log.start());
        if !log.reads_disk_after(cursor) {
            return log.read(cursor, limit);
        }
        let nothing = Page { entries: Vec::new(), missed: 0, next: cursor };
        tokio::task::spawn_blocking(move || log.read(cursor, limit)).await.unwrap_or(Ok(nothing))
    }

    /// The broadcast with this id, if it is kept.
    pub async fn kept(&self, id: &EnvelopeId) -> Option<Verified<Envelope>> {
        let (log, id) = (self.shared().log.clone(), *id);
        if !log.is_on_disk() {
            return log.get(&id);
        }
        tokio::task::spawn_blocking(move || log.get(&id)).await.ok().flatten()
    }

    /// Measures the round trip to a neighbour.
    ///
    /// # Errors
    /// If there is no link with it, or it closes or does not answer within ten seconds.
    pub async fn ping(&self, peer: &NodeId) -> Result<Duration, RequestError> {
        let mut events = self.events();
        let now = self.shared().now();
        let link = self.shared().with_core(|core| core.link_with(peer).inspect(|link| core.send_ping(now, *link)));
        let link = link.ok_or(RequestError::NotLinked(*peer))?;
        let answer = async {
            loop {
                match events.next().await {
                    Some(Event::Latency { peer: from, round_trip }) if from == *peer => return Ok(round_trip),
                    // Not if it was another one with the same node, which lost its place to this.
                    Some(Event::LinkClosed { peer: from, .. })
                        if from == *peer && self.shared().link(link).is_none() =>
                    {
                        return Err(RequestError::Closed(*peer));
                    }
                    Some(_) => {}
                    None => return Err(RequestError::Closed(*peer)),
                }
            }
        };
        let after = Duration::from_secs(10);
        let deadline = RequestError::Deadline { peer: *peer, after };
        tokio::time::timeout(after, answer).await.unwrap_or(Err(deadline))
    }

    /// Sends a message to one node alone, and waits until it has acknowledged it. A member this node is not linked with is
    /// dialled.
    ///
    /// A member that cannot be dialled, or is away, gets it as a broadcast under the same title, sealed to that member
    /// (feature `sealed`, secure networks, where the member's seal key is known): everybody carries it, that member alone
    /// opens it. The answer says so, and so must the other end expect it among the broadcasts of the title.
    ///
    /// # Errors
    /// See [`RequestError`]: for a member that cannot be dialled, and cannot be sealed to either, what was tried.
    pub async fn send_to(&self, peer: &NodeId, title: &str, body: impl Into<Body>) -> Result<Sent, RequestError> {
        let named = Title::for_application(title)?;
        let message = body.into().into_bytes()?;
        let sent = requests::send_to(self.shared(), peer, &named, message.clone()).await;
        match sent {
            #[cfg(feature = "sealed")]
            Err(error @ (RequestError::CannotDial { .. } | RequestError::NotLinked(_))) => {
                match self.sealing_to(&[*peer], title, message.into()).await {
                    Ok(receipt) => Ok(Sent::Sealed(receipt)),
                    Err(why) => {
                        tracing::debug!(%peer, %why, "a message to one member could not be sealed either");
                        Err(error)
                    }
                }
            }
            sent => sent,
        }
    }

    /// Asks one node something, and waits for its answer; goes out when awaited. A member this node is not linked with is
    /// dialled, and the link closed when it has been idle for a while.
    ///
    /// ```no_run
    /// # async fn example(node: sealnet::node::Node, peer: sealnet::identity::NodeId)
    /// # -> Result<(), Box<dyn std::error::Error>> {
    /// let answer = node.request(&peer, "clock/now", "").deadline(std::time::Duration::from_secs(3)).await?;
    /// println!("{}", answer.text()?);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// See [`RequestError`].
    pub fn request(&self, peer: &NodeId, title: &str, body: impl Into<Body>) -> Request {
        Request::new(self.shared().clone(), *peer, title, body.into().into_bytes())
    }

    /// Fetches something large from one node, as it comes; begun when awaited. At most 1 MiB of it waits to be read, and
    /// where it broke off it can be gone on with.
    ///
    /// ```no_run
    /// # async fn example(node: sealnet::node::Node, peer: sealnet::identity::NodeId, mut file: Vec<u8>)
    /// # -> Result<(), Box<dyn std::error::Error>> {
    /// let mut download = node.fetch(&peer, "files", "holidays.tar").from(file.len() as u64).await?;
    /// while let Some(bytes) = download.next().await? {
    ///     file.extend_from_slice(&bytes);
    ///     println!("{} of {:?}", download.position(), download.total());
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// See [`RequestError`].
    pub fn fetch(&self, peer: &NodeId, title: &str, body: impl Into<Body>) -> Fetch {
        Fetch::new(self.shared().clone(), *peer, title, body.into().into_bytes())
    }

    /// Answers requests of one title, until what this gives is dropped: those of exactly this title, and those that have
    /// something behind it after a slash. `chain` gets `chain` and `chain/block`, not `chains`; where both `chain` and
    /// `chain/block` are served, each request goes to the longer one.
    ///
    /// ```no_run
    /// # async fn example(node: sealnet::node::Node) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut requests = node.serve("clock")?;
    /// while let Some(asked) = requests.next().await {
    ///     match asked.title.as_str() {
    ///         "clock/now" => asked.reply("half past three"),
    ///         _ => asked.refuse("there is only clock/now"),
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// Messages to this node alone come here too if they have such a title, and else as
    /// [`Event::Direct`](super::Event::Direct).
    ///
    /// # Errors
    /// See [`ServeError`].
    pub fn serve(&self, title: &str) -> Result<Requests, ServeError> {
        let shared = self.shared();
        if shared.is_stopping() {
            return Err(ServeError::Stopping);
        }
        shared.services.serve(Title::for_application(title)?, shared.cancel.clone())
    }

    /// Sends a message to all neighbours but those in `except`, and nobody further. Says what became of each.
    ///
    /// # Errors
    /// If the title cannot be used; nothing was sent then.
    pub async fn send_to_neighbours(
        &self,
        title: &str,
        body: impl Into<Body>,
        except: &[NodeId],
    ) -> Result<Vec<(NodeId, Result<(), RequestError>)>, TitleError> {
        let title = Title::for_application(title)?;
        let body = body.into().into_bytes();
        let body = match body {
            Ok(body) => body,
            Err(error) => {
                let each = self.links().into_iter().filter(|link| !except.contains(&link.peer));
                return Ok(each.map(|link| (link.peer, Err(error.clone().into()))).collect());
            }
        };
        let links: Vec<LinkHandle> = {
            let open = self.shared().with_core(|core| core.links());
            let links = self.shared().links.read().unwrap_or_else(PoisonError::into_inner);
            let wanted = open.iter().filter(|link| !except.contains(&link.peer));
            wanted.filter_map(|link| links.get(&link.link).cloned()).collect()
        };
        // All at once: one slow neighbour delays nobody else's message.
        let mut sending = tokio::task::JoinSet::new();
        for link in links {
            let (title, body) = (title.clone(), body.clone());
            sending.spawn(async move { (link.peer, requests::send(&link, &title, body).await.map(drop)) });
        }
        Ok(sending.join_all().await)
    }

    /// Leaves the network: says so to everybody, closes every link with good-bye, frees the port. Done within half a
    /// second (and what a log on disk has still to write), whatever the neighbours do, or three quarters where applications
    /// take the time they are given; calling it again does nothing.
    pub async fn stop(&self) {
        let shared = self.shared();
        if shared.begin_stopping() {
            // On a task of its own: whoever waits for it may give up waiting.
            let (node, shared) = (self.clone(), shared.clone());
            tokio::spawn(async move {
                shared.end(false).await;
                drop(node);
            });
        }
        shared.stopped.cancelled().await;
    }

    /// Shuts the whole network down: every member that hears it passes it on and stops, and so does this node. For a network
    /// with certificates, and a member whose certificate gives the right to it. It is said for the moment only: whoever is
    /// away, and starts again later, does not hear of it.
    ///
    /// # Errors
    /// If this node has not the right, or cannot publish; nothing has happened then.
    pub async fn shutdown_network(&self) -> Result<Receipt, ShutdownError> {
        let (shared, now) = (self.shared(), self.shared().now());
        shared.with_core(|core| core.may_shut_down(now)).map_err(|_| ShutdownError::NotAllowed)?;
        let title = SHUTDOWN_TITLE.parse().map_err(PublishError::from)?;
        Ok(shared.clone().publish(title, Bytes::new(), Lifetime::LIVE_ONLY).await?)
    }
}

impl Shared {
    /// The network is shut down: this node stops, on a task that nobody waits for.
    pub(super) fn obey_shutdown(&self) {
        if let Some(shared) = self.me()
            && shared.begin_stopping()
        {
            drop(tokio::spawn(async move { shared.end(true).await }));
        }
    }

    /// What [`Node::stop`] does, once; `with_network`: as everybody does.
    async fn end(self: &Arc<Self>, with_network: bool) {
        self.emit(Event::Stopping);
        self.closing.cancel();
        // They may still publish.
        self.apps.finished().await;
        self.begin_leaving();
        let now = self.now();
        if with_network {
            self.with_core(|core| core.stop_with_network(now));
        } else {
            self.announce_leave().await;
            self.with_core(|core| core.stop(now));
        }
        self.tasks.close();
        // Links flush what is queued; whoever does not take it in time is cut off.
        if tokio::time::timeout(STOP_WITHIN, self.links_closed()).await.is_err() {
            tracing::debug!("some neighbours did not take the good-bye in time");
        }
        let log = self.log.clone();
        if log.is_on_disk() {
            // What is under way to the disk still gets there, and to those who wait for it.
            let _ = tokio::task::spawn_blocking(move || log.close()).await;
        }
        self.cancel.cancel();
        self.tasks.wait().await;
        if let Some(state) = self.state.clone() {
            let (seen, last) = self.with_core(|core| (core.clock_seen(), core.last_time()));
            let closed = tokio::task::spawn_blocking(move || state.close(seen, last)).await;
            if let Ok(Err(error)) = closed {
                tracing::warn!(%error, "the state could not be written");
            }
        }
        self.stopped.cancel();
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("id", &self.id()).field("listen", &self.listen_address()).finish_non_exhaustive()
    }
}
