//! Links that are opened for requests to members this node is not linked with: they do not count towards the links the
//! overlay wants, unless it lacks some, and are closed when nobody needs them.

use std::net::SocketAddr;
use std::time::Duration;

use crate::identity::NodeId;
use crate::wire::GoodbyeCode;

use super::output::{DialId, LinkId, Target};
use super::{Core, MemberState, Now, Reason};

/// Links for requests that may be open or dialled at the same time. Each is a connection and its buffers; a program that
/// asks more nodes at once waits for some of them.
const ON_DEMAND: usize = 32;

/// A link over which requests went this long ago is not one that nobody needs.
const USED_FOR: Duration = Duration::from_secs(5);

/// How a node can be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// There is a link.
    Linked(LinkId),
    /// It is being dialled; look again when that has come to something or nothing.
    Dialling,
    /// It may be found at these addresses, those first that are believed most. None if all that is known of it is that it
    /// exists.
    At(Vec<SocketAddr>),
    /// Nobody ever heard of it, or it is gone.
    Unknown,
    /// It is not to be reached.
    Not(Reason),
}

impl Core {
    /// How a node can be reached for a request.
    pub fn reach(&self, now: Now, peer: &NodeId) -> Reach {
        if self.stopping {
            return Reach::Not(Reason::Stopping);
        }
        if let Some(link) = self.link_with(peer) {
            return Reach::Linked(link);
        }
        if let Err(reason) = self.admit(now, peer).and_then(|()| self.may_link(now, peer)) {
            return Reach::Not(reason);
        }
        if self.is_dialled(peer) {
            return Reach::Dialling;
        }
        let addresses = self.addresses.routes(peer, self.claims(peer), &self.settings, now.instant);
        let is_member = self.members.state(peer).is_some_and(|state| state != MemberState::Gone);
        if addresses.is_empty() && !is_member { Reach::Unknown } else { Reach::At(addresses) }
    }

    fn is_dialled(&self, peer: &NodeId) -> bool {
        self.dials.values().any(|target| match target {
            Target::Member { id, .. } | Target::OnDemand { id, .. } => id == peer,
            // A renewal has a link already.
            Target::Renewal { .. } => false,
            Target::Genesis(place) => self.genesis.get(*place).is_some_and(|genesis| genesis.id == Some(*peer)),
        })
    }

    /// Enters an attempt to open a link for a request. The host makes it, and says what became of it as of any other.
    ///
    /// # Errors
    /// [`Reason::Full`] if as many such links as may be are open or being opened; [`Reason::Stopping`].
    pub fn dial_on_demand(&mut self, now: Now, peer: NodeId, address: SocketAddr) -> Result<DialId, Reason> {
        if self.stopping {
            return Err(Reason::Stopping);
        }
        let open = self.links.values().filter(|link| link.on_demand).count();
        let dialled = self.dials.values().filter(|target| matches!(target, Target::OnDemand { .. })).count();
        if open + dialled >= ON_DEMAND {
            return Err(Reason::Full);
        }
        self.addresses.dialled(peer, address, &self.settings, now.instant);
        Ok(self.enter_dial(Target::OnDemand { id: peer, address }))
    }

    /// How long a link that was opened for a request is kept without any.
    pub fn idle_after(&self) -> Duration {
        self.settings.idle_after
    }

    /// Requests are open on these links: they are not shed for a while.
    pub fn in_use(&mut self, now: Now, links: &[LinkId]) {
        for link in links {
            if let Some(link) = self.links.get_mut(link) {
                link.used = Some(now.instant);
            }
        }
    }

    /// Whether requests went over a link a moment ago.
    pub(super) fn was_used(&self, now: Now, link: LinkId) -> bool {
        let used = self.links.get(&link).and_then(|link| link.used);
        used.is_some_and(|used| now.instant.since(used) < USED_FOR)
    }

    /// Closes a link that was opened for requests, unless the overlay has come to want it.
    pub fn close_idle(&mut self, link: LinkId) {
        if self.links.get(&link).is_some_and(|link| link.on_demand) {
            self.close(link, Some(GoodbyeCode::Idle), Reason::Idle);
        }
    }

    /// Attempts the overlay wanted: those for requests come on top.
    pub(super) fn own_dials(&self) -> usize {
        self.dials.values().filter(|target| !matches!(target, Target::OnDemand { .. })).count()
    }

    /// Keeps links that were opened for requests as its own as long as there are too few.
    pub(super) fn keep_on_demand(&mut self) {
        while self.lacks_links() {
            let Some(link) = self.links.values_mut().find(|link| link.on_demand && !link.closing) else { return };
            link.on_demand = false;
        }
    }
}
