//! What the core asks its host to do, and what it tells it.

use std::net::SocketAddr;
use std::time::Duration;

use crate::access::{Attested, Certificate, Revocations};
use crate::envelope::{Envelope, EnvelopeId, Verified};
use crate::identity::NodeId;
use crate::wire::{Frame, GoodbyeCode};

use super::{Claimed, MemberState, Presence, Reason, RememberedPeer, Withdrawal};

/// One link, as the host numbers them; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u64);

/// One attempt to open a link, as the core numbers them; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DialId(pub u64);

/// Who opened a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// The other node.
    Inbound,
    /// This node.
    Outbound,
}

impl Direction {
    /// The direction as one word.
    pub const fn label(self) -> &'static str {
        match self {
            Direction::Inbound => "in",
            Direction::Outbound => "out",
        }
    }
}

/// Whom to dial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The genesis node at this place in the configuration.
    Genesis(usize),
    /// A member at an address.
    Member {
        /// Who must answer.
        id: NodeId,
        /// Where.
        address: SocketAddr,
    },
    /// A member that is to be asked something: [`Core::dial_on_demand`](super::Core::dial_on_demand).
    OnDemand {
        /// Who must answer.
        id: NodeId,
        /// Where.
        address: SocketAddr,
    },
    /// The node at the other end of a link whose keys have served long enough: HELLO says `renew`.
    Renewal {
        /// Who must answer.
        id: NodeId,
        /// Where.
        address: SocketAddr,
    },
}

/// Something for the host to do. It acts on them in order, after it has let go of the core.
#[derive(Clone, Debug)]
pub enum Output {
    /// Send a frame of the core's own (control lane).
    Send {
        /// To which link.
        link: LinkId,
        /// What.
        frame: Frame,
    },
    /// Pass a broadcast on (broadcast lane).
    Relay {
        /// The envelope, as it was received or made.
        envelope: Verified<Envelope>,
        /// To these links.
        to: Vec<LinkId>,
    },
    /// Send what the log holds of these ids, and say ABSENT for the others.
    Serve {
        /// To which link.
        link: LinkId,
        /// What was asked for.
        ids: Vec<EnvelopeId>,
    },
    /// Open a link.
    Dial {
        /// The attempt's number, to be named when it succeeds or fails.
        dial: DialId,
        /// To whom.
        target: Target,
    },
    /// Close a link; what is queued goes out first.
    Close {
        /// Which.
        link: LinkId,
        /// What to say, if anything.
        goodbye: Option<GoodbyeCode>,
        /// Why.
        reason: Reason,
    },
    /// Make an envelope of this presence and publish it.
    Announce {
        /// What to announce.
        presence: Presence,
        /// For how long.
        lifetime: Duration,
    },
    /// Write down whom to go back to after a restart, in the place of what was written before.
    Remember(Vec<RememberedPeer>),
    /// Go on with envelopes whose senders turned out to be admitted, as with those in
    /// [`Verdicts::claimed`](super::Verdicts::claimed).
    Claimed(Vec<Claimed>),
    /// Let go of contents in the log: their senders are no members any more.
    Withdraw(Withdrawal),
    /// Write down the list of revocations, in the place of an older one.
    KeepRevocations(Attested<Revocations>),
    /// Write down a member's certificate, for [`Core::recall_certificates`](super::Core::recall_certificates).
    KeepCertificate(Attested<Certificate>),
    /// Tell whoever listens.
    Event(CoreEvent),
}

/// The steps of joining, in the order of the predecessors of this design: genesis first, then a member it names, then
/// that member's neighbours, then good-bye to genesis, then the announcement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum JoinStep {
    /// There is no genesis node to ask: this node is the first.
    First,
    /// Linked with a genesis node, and asked it for members.
    AskedGenesis,
    /// Linked with a member that genesis named, and asked it for its neighbours.
    AskedMember,
    /// Said good-bye to the genesis node: there are links enough without it.
    LeftGenesis,
    /// Announced the arrival: this node is a member.
    Announced,
}

impl JoinStep {
    /// The step as one word.
    pub const fn label(self) -> &'static str {
        match self {
            JoinStep::First => "first",
            JoinStep::AskedGenesis => "asked-genesis",
            JoinStep::AskedMember => "asked-member",
            JoinStep::LeftGenesis => "left-genesis",
            JoinStep::Announced => "announced",
        }
    }
}

/// Something that happened in the overlay.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CoreEvent {
    /// A step of joining is done.
    Join(JoinStep),
    /// A link is open: frames may be sent.
    LinkOpened {
        /// Its number.
        link: LinkId,
        /// Who is at the other end.
        peer: NodeId,
        /// Who opened it.
        direction: Direction,
        /// The other end's address.
        remote: SocketAddr,
    },
    /// This node or the other is about to close a link; what is sent now still goes out if this node closes it.
    LinkClosing {
        /// Its number.
        link: LinkId,
        /// Who is at the other end.
        peer: NodeId,
        /// Who opened it.
        direction: Direction,
        /// Why.
        reason: Reason,
    },
    /// A link is closed.
    LinkClosed {
        /// Its number.
        link: LinkId,
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
    /// An attempt to open a link failed.
    DialFailed {
        /// To whom.
        target: Target,
        /// Why.
        reason: Reason,
    },
    /// A measured round trip over a link.
    Latency {
        /// Which link.
        link: LinkId,
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
    /// Memberships were revoked.
    Revoked {
        /// The number of the list that says so.
        epoch: u64,
        /// Those who are known to have had a membership until now. Others may be in the list.
        members: Vec<NodeId>,
    },
    /// Somebody who may has shut the network down; the word is passed on already. The host stops.
    NetworkShutDown {
        /// Who.
        by: NodeId,
    },
    /// Somebody else signs with this node's key.
    IdentityUsedElsewhere {
        /// The envelope this node never made.
        id: EnvelopeId,
    },
    /// A neighbour's clock and this node's are further apart than the network tolerates.
    ClockOff {
        /// Who.
        peer: NodeId,
        /// By how much.
        by: Duration,
        /// Whether the neighbour is ahead of this node.
        ahead: bool,
    },
}
