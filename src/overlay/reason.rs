//! Why something was dropped, refused or closed. Nothing is lost without one of these.

use std::fmt;

use crate::wire::GoodbyeCode;

/// Why an envelope was dropped, a connection refused or a link closed.
///
/// The variant is at once the label of the counter, the field in the trace and the reason in the event;
/// [`Reason::label`] gives its one spelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Reason {
    // Envelopes.
    /// The envelope's bytes break the grammar.
    BadEnvelope,
    /// The sender's key or signature is refused.
    BadSignature,
    /// The very bytes whose signature was refused a moment ago.
    KnownBad,
    /// An envelope of a version this node does not know.
    UnknownVersion,
    /// Its lifetime is over.
    Expired,
    /// Older than this node's index reaches: it cannot tell whether it has seen it.
    BeforeFloor,
    /// Its time is more than two minutes ahead of this node's clock.
    FromTheFuture,
    /// This node has judged an envelope with this id already.
    Duplicate,
    /// Four copies of it wait for one verification already.
    Busy,
    /// A presence or leave older than the one that is known.
    Superseded,
    /// A protocol message whose content cannot be read.
    BadContent,
    /// The sender has as many ids in the index as one sender may.
    SenderOverShare,
    /// Its sender had more flooded than one sender may. It may be fetched later.
    Shed,
    /// The table it would go into is full.
    TableFull,
    /// The application did not want it.
    ApplicationIgnored,
    /// The application found it to be against its rules.
    ApplicationRejected,
    /// The application found it to be against its rules, but neither its author nor the neighbour that brought it announced
    /// that application in that version: they could not know.
    ForeignApplication,
    /// The application could not judge it within ten seconds, for want of what should have come before. It may come again.
    NotYet,
    /// More waits for the application's verdict than may wait. It may come again.
    ApplicationBusy,
    /// The application broke down: what only it could judge is not taken.
    ApplicationFailed,
    /// The application could not read it: it is not what it says it is.
    WrongType,
    /// The log does not take it: the disk is full, broken or too slow. It may come again.
    LogFull,
    /// Nobody said within ten seconds whether its sender is admitted. It may come again when that is known.
    AdmissionUnknown,
    /// Its sender has no right to it: shutting the network down.
    NotAllowed,

    // Envelopes and links.
    /// Its sender, or the node at the other end, is not admitted: no member, or not at that time.
    NotAdmitted,
    /// The membership of its sender, or of the node at the other end, is revoked.
    Revoked,

    // Links.
    /// This node is stopping.
    Stopping,
    /// The other node said good-bye because it stops.
    PeerLeft,
    /// There are two links to that node; this one goes.
    DuplicateLink,
    /// As many links as are allowed.
    Full,
    /// A visit that has done what it came for.
    VisitDone,
    /// The user asked for it.
    Requested,
    /// The other end closed the connection without a word.
    ConnectionLost,
    /// Nothing was heard for too long.
    Silent,
    /// The other end did not take what was sent for too long.
    Stuck,
    /// A frame that breaks the grammar.
    BadFrame,
    /// A record that does not open: somebody on the path, or a broken peer.
    BadRecord,
    /// A kind of frame that must be understood and is not.
    Unsupported,
    /// The node is barred for what it did.
    Barred,
    /// This node itself answered.
    OwnIdentity,
    /// Another node than the expected one answered.
    WrongIdentity,
    /// The handshake failed, or was not one.
    HandshakeFailed,
    /// The handshake took too long.
    HandshakeTimeout,
    /// The first frame was not a sound HELLO.
    BadHello,
    /// Nobody answers at the address.
    Unreachable,
    /// The address could not be looked up.
    UnknownHost,
    /// The other node has no room.
    PeerFull,
    /// The other node refused this one, and said so.
    PeerRefused,
    /// Too many connections are being set up at once.
    Overload,
    /// A newer link between the same nodes took this one's place.
    Renewed,
    /// The network was shut down.
    NetworkShutDown,
    /// A link that is not needed.
    Idle,
    /// The applications did not want a link that was lost to be opened again.
    ApplicationDeclined,
}

impl Reason {
    /// Whether a link that this node closes for it ends in peace: nobody did anything wrong, and the other end still reads.
    pub fn is_peaceful(self) -> bool {
        matches!(
            self,
            Reason::Stopping | Reason::PeerLeft | Reason::Full | Reason::VisitDone | Reason::Idle | Reason::Requested
        )
    }

    /// Every reason, in the order of the list above.
    pub const ALL: [Reason; 53] = [
        Reason::BadEnvelope,
        Reason::BadSignature,
        Reason::KnownBad,
        Reason::UnknownVersion,
        Reason::Expired,
        Reason::BeforeFloor,
        Reason::FromTheFuture,
        Reason::Duplicate,
        Reason::Busy,
        Reason::Superseded,
        Reason::BadContent,
        Reason::SenderOverShare,
        Reason::Shed,
        Reason::TableFull,
        Reason::ApplicationIgnored,
        Reason::ApplicationRejected,
        Reason::ForeignApplication,
        Reason::NotYet,
        Reason::ApplicationBusy,
        Reason::ApplicationFailed,
        Reason::WrongType,
        Reason::LogFull,
        Reason::AdmissionUnknown,
        Reason::NotAllowed,
        Reason::NotAdmitted,
        Reason::Revoked,
        Reason::Stopping,
        Reason::PeerLeft,
        Reason::DuplicateLink,
        Reason::Full,
        Reason::VisitDone,
        Reason::Requested,
        Reason::ConnectionLost,
        Reason::Silent,
        Reason::Stuck,
        Reason::BadFrame,
        Reason::BadRecord,
        Reason::Unsupported,
        Reason::Barred,
        Reason::OwnIdentity,
        Reason::WrongIdentity,
        Reason::HandshakeFailed,
        Reason::HandshakeTimeout,
        Reason::BadHello,
        Reason::Unreachable,
        Reason::UnknownHost,
        Reason::PeerFull,
        Reason::PeerRefused,
        Reason::Overload,
        Reason::Renewed,
        Reason::NetworkShutDown,
        Reason::Idle,
        Reason::ApplicationDeclined,
    ];

    /// The reason as one word for counters, traces and JSON.
    pub const fn label(self) -> &'static str {
        match self {
            Reason::BadEnvelope => "bad-envelope",
            Reason::BadSignature => "bad-signature",
            Reason::KnownBad => "known-bad",
            Reason::UnknownVersion => "unknown-version",
            Reason::Expired => "expired",
            Reason::BeforeFloor => "before-floor",
            Reason::FromTheFuture => "from-the-future",
            Reason::Duplicate => "duplicate",
            Reason::Busy => "busy",
            Reason::Superseded => "superseded",
            Reason::BadContent => "bad-content",
            Reason::SenderOverShare => "sender-over-share",
            Reason::Shed => "shed",
            Reason::TableFull => "table-full",
            Reason::ApplicationIgnored => "application-ignored",
            Reason::ApplicationRejected => "application-rejected",
            Reason::ForeignApplication => "foreign-application",
            Reason::NotYet => "not-yet",
            Reason::ApplicationBusy => "application-busy",
            Reason::ApplicationFailed => "application-failed",
            Reason::WrongType => "wrong-type",
            Reason::LogFull => "log-full",
            Reason::AdmissionUnknown => "admission-unknown",
            Reason::NotAllowed => "not-allowed",
            Reason::NotAdmitted => "not-admitted",
            Reason::Revoked => "revoked",
            Reason::Stopping => "stopping",
            Reason::PeerLeft => "peer-left",
            Reason::DuplicateLink => "duplicate-link",
            Reason::Full => "full",
            Reason::VisitDone => "visit-done",
            Reason::Requested => "requested",
            Reason::ConnectionLost => "connection-lost",
            Reason::Silent => "silent",
            Reason::Stuck => "stuck",
            Reason::BadFrame => "bad-frame",
            Reason::BadRecord => "bad-record",
            Reason::Unsupported => "unsupported",
            Reason::Barred => "barred",
            Reason::OwnIdentity => "own-identity",
            Reason::WrongIdentity => "wrong-identity",
            Reason::HandshakeFailed => "handshake-failed",
            Reason::HandshakeTimeout => "handshake-timeout",
            Reason::BadHello => "bad-hello",
            Reason::Unreachable => "unreachable",
            Reason::UnknownHost => "unknown-host",
            Reason::PeerFull => "peer-full",
            Reason::PeerRefused => "peer-refused",
            Reason::Overload => "overload",
            Reason::Renewed => "renewed",
            Reason::NetworkShutDown => "network-shut-down",
            Reason::Idle => "idle",
            Reason::ApplicationDeclined => "application-declined",
        }
    }
}

impl From<GoodbyeCode> for Reason {
    /// Why a connection ends when the other node says good-bye with this code.
    fn from(code: GoodbyeCode) -> Self {
        match code {
            GoodbyeCode::Leaving => Reason::PeerLeft,
            GoodbyeCode::Duplicate => Reason::DuplicateLink,
            GoodbyeCode::Full | GoodbyeCode::Overload => Reason::PeerFull,
            GoodbyeCode::VisitDone => Reason::VisitDone,
            GoodbyeCode::Idle => Reason::Idle,
            GoodbyeCode::Renewed => Reason::Renewed,
            GoodbyeCode::NetworkShutdown => Reason::NetworkShutDown,
            GoodbyeCode::NotAdmitted | GoodbyeCode::Barred | GoodbyeCode::Unsupported => Reason::PeerRefused,
            // A code that is not known is taken as 0 (protocol, section 3).
            GoodbyeCode::Unknown(_) => Reason::PeerLeft,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.label())
    }
}

/// How often each reason came up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReasonCounts([u64; Reason::ALL.len()]);

impl Default for ReasonCounts {
    fn default() -> Self {
        ReasonCounts([0; Reason::ALL.len()])
    }
}

impl ReasonCounts {
    /// Counts `reason` once more.
    pub(super) fn count(&mut self, reason: Reason) {
        if let Some(count) = self.0.get_mut(reason as usize) {
            *count += 1;
        }
    }

    /// How often `reason` came up.
    pub fn get(&self, reason: Reason) -> u64 {
        self.0.get(reason as usize).copied().unwrap_or(0)
    }

    /// Every reason that came up, with how often.
    pub fn iter(&self) -> impl Iterator<Item = (Reason, u64)> + '_ {
        Reason::ALL.into_iter().map(|reason| (reason, self.get(reason))).filter(|(_, count)| *count > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_own_label_and_counter() {
        let mut counts = ReasonCounts::default();
        for (n, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, n, "{reason} stands in another place in the list than in the enum");
            counts.count(reason);
        }
        assert_eq!(counts.iter().filter(|(_, count)| *count == 1).count(), Reason::ALL.len());
        let mut labels: Vec<_> = Reason::ALL.map(Reason::label).to_vec();
        labels.sort_unstable();
        labels.dedup();
        assert_eq!(labels.len(), Reason::ALL.len());
    }
}
