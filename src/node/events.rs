//! What a node tells whoever listens.

use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::Duration;

use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use crate::envelope::{EnvelopeId, Title};
use crate::identity::NodeId;
use crate::log::LogError;
use crate::overlay::{CoreEvent, Direction, JoinStep, MemberState, Reason, Target};

use super::{Broadcast, DirectMessage};

/// How many events a slow listener may be behind before it misses some (and is told how many). The room for them is taken
/// when the first listener comes, about 130 bytes each.
const EVENT_CAPACITY: usize = 256;

/// Something that happened at a node. The names of the predecessors of this design stand behind each.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A step of joining is done.
    Join(JoinStep),
    /// A link is open (`inbound_node_connected`, `outbound_node_connected`).
    LinkOpened {
        /// Who is at the other end.
        peer: NodeId,
        /// Who opened it.
        direction: Direction,
        /// The other end's address.
        remote: SocketAddr,
    },
    /// A link is about to be closed (`node_disconnect_with_outbound_node`).
    LinkClosing {
        /// Who is at the other end.
        peer: NodeId,
        /// Who had opened it.
        direction: Direction,
        /// Why.
        reason: Reason,
    },
    /// A link is closed (`inbound_node_disconnected`, `outbound_node_disconnected`).
    LinkClosed {
        /// Who was at the other end.
        peer: NodeId,
        /// Who had opened it.
        direction: Direction,
        /// Why.
        reason: Reason,
    },
    /// A member's state changed.
    Member {
        /// Who.
        id: NodeId,
        /// What it is now.
        state: MemberState,
    },
    /// A broadcast was accepted and is kept (`node_message`). Events may be missed; a
    /// [`Subscription`](super::Subscription) misses nothing that is kept.
    Message(Broadcast),
    /// A neighbour sent a message to this node alone (`node_message`).
    Direct(DirectMessage),
    /// An attempt to open a link failed (`outbound_node_connection_error`).
    DialFailed {
        /// To whom: a genesis node by its place in the configuration, or a member.
        target: Target,
        /// Why.
        reason: Reason,
        /// The same in words, with what to do about it.
        why: String,
    },
    /// A connection from outside did not become a link (`inbound_node_connection_error`).
    ConnectionRefused {
        /// From where.
        remote: SocketAddr,
        /// Why.
        reason: Reason,
    },
    /// A measured round trip.
    Latency {
        /// Who is at the other end.
        peer: NodeId,
        /// There and back.
        round_trip: Duration,
    },
    /// A neighbour was barred for what it did.
    Barred {
        /// Who.
        peer: NodeId,
        /// For what.
        reason: Reason,
    },
    /// Memberships were revoked: their nodes are cut off, and what they said is gone from here.
    Revoked {
        /// The number of the list that says so.
        epoch: u64,
        /// Those who are known to have had a membership until now.
        members: Vec<NodeId>,
    },
    /// Somebody who may has shut the whole network down: this node stops.
    NetworkShutDown {
        /// Who.
        by: NodeId,
    },
    /// Somebody else signs with this node's key: stop, and find out who has it.
    IdentityUsedElsewhere {
        /// The envelope this node never made.
        id: EnvelopeId,
    },
    /// A neighbour's clock and this node's are too far apart for their messages to pass.
    ClockOff {
        /// Who.
        peer: NodeId,
        /// By how much.
        by: Duration,
        /// Whether the neighbour is ahead of this node.
        ahead: bool,
    },
    /// The log on disk takes nothing: the disk is full, or worse. What others say is relayed and waits in memory as long
    /// as there is room; nothing can be published here.
    LogTrouble(LogError),
    /// The log on disk is written again.
    LogRecovered,
    /// An application broke down. What comes under its title is neither kept nor relayed any more; other titles are.
    ApplicationFailed {
        /// Its title.
        title: Title,
    },
    /// An application has been busy with one thing for some seconds. Others are not delayed, unless it blocks their thread.
    ApplicationBusy {
        /// Its title.
        title: Title,
        /// For how long.
        busy: Duration,
    },
    /// The node is asked to stop (`node_request_to_stop`).
    Stopping,
    /// The listener was too slow, and this many events were lost to it.
    Missed(u64),
}

impl Event {
    /// What listeners hear of an event of the core; `None` if the host itself tells them more about it.
    pub(super) fn of(event: CoreEvent) -> Option<Event> {
        Some(match event {
            CoreEvent::Join(step) => Event::Join(step),
            CoreEvent::LinkOpened { peer, direction, remote, .. } => Event::LinkOpened { peer, direction, remote },
            CoreEvent::LinkClosing { peer, direction, reason, .. } => Event::LinkClosing { peer, direction, reason },
            CoreEvent::LinkClosed { peer, direction, reason, .. } => Event::LinkClosed { peer, direction, reason },
            CoreEvent::Member { id, state } => Event::Member { id, state },
            CoreEvent::DialFailed { .. } => return None,
            CoreEvent::Latency { peer, round_trip, .. } => Event::Latency { peer, round_trip },
            CoreEvent::Barred { peer, reason } => Event::Barred { peer, reason },
            CoreEvent::Revoked { epoch, members } => Event::Revoked { epoch, members },
            CoreEvent::NetworkShutDown { by } => Event::NetworkShutDown { by },
            CoreEvent::IdentityUsedElsewhere { id } => Event::IdentityUsedElsewhere { id },
            CoreEvent::ClockOff { peer, by, ahead } => Event::ClockOff { peer, by, ahead },
        })
    }
}

/// Where a node's events go. The room for them is taken when the first listener comes.
#[derive(Debug, Default)]
pub(super) struct Announcer(OnceLock<broadcast::Sender<Event>>);

impl Announcer {
    /// Another listener.
    pub(super) fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.0.get_or_init(|| broadcast::Sender::new(EVENT_CAPACITY)).subscribe()
    }

    /// Whether anybody listens.
    pub(super) fn has_listeners(&self) -> bool {
        self.0.get().is_some_and(|sender| sender.receiver_count() > 0)
    }

    /// Tells whoever listens; says whether there was anybody.
    pub(super) fn send(&self, event: Event) -> bool {
        self.0.get().is_some_and(|sender| sender.send(event).is_ok())
    }
}

/// The events of a node from the moment it was asked for them.
#[derive(Debug)]
pub struct Events {
    receiver: broadcast::Receiver<Event>,
    stopped: CancellationToken,
}

impl Events {
    pub(super) fn new(receiver: broadcast::Receiver<Event>, stopped: CancellationToken) -> Self {
        Events { receiver, stopped }
    }

    /// The next event; `None` when the node has stopped. A listener that falls behind gets [`Event::Missed`].
    pub async fn next(&mut self) -> Option<Event> {
        tokio::select! {
            biased;
            received = self.receiver.recv() => match received {
                Ok(event) => Some(event),
                Err(broadcast::error::RecvError::Lagged(count)) => Some(Event::Missed(count)),
                Err(broadcast::error::RecvError::Closed) => None,
            },
            () = self.stopped.cancelled() => None,
        }
    }
}
