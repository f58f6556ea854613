//! Links: opening, hearing, losing and closing them.

use std::net::SocketAddr;
use std::time::Duration;

use crate::access::{Attested, Certificate};
use crate::envelope::Timestamp;
use crate::identity::NodeId;
use crate::wire::{Frame, Goodbye, GoodbyeCode};

use super::addresses::Trust;
use super::admission::QUESTIONS;
use super::asking::Served;
use super::bucket::TokenBucket;
use super::core::Timer;
use super::holders::Equal;
use super::output::{CoreEvent, DialId, Direction, LinkId, Output, Target};
use super::pace::Pace;
use super::ranges::{Range, is_countable};
use super::standing::Offence;
use super::tree::{Edge, Push};
use super::{Core, Instant, Now, Reason, TIME_TOLERANCE};

/// PINGs that are answered in one go, and one more in this time.
const PONG_BURST: u32 = 4;
const PONG_EVERY: Duration = Duration::from_millis(500);
/// Questions for members that are answered in one go; then one in `ask_every`.
const PEERS_BURST: u32 = 4;

/// A connection that was set up and proven, as the host presents it.
#[derive(Clone, Debug)]
pub struct Opening {
    /// The number the host gave it.
    pub link: LinkId,
    /// The attempt it came from, if this node's core asked for it.
    pub dial: Option<DialId>,
    /// Who is at the other end.
    pub peer: NodeId,
    /// Who opened it.
    pub direction: Direction,
    /// The other end's address.
    pub remote: SocketAddr,
    /// Where the other node says it listens.
    pub listen: Vec<SocketAddr>,
    /// The other node's clock, at its HELLO.
    pub time: Timestamp,
    /// Whether it is to take an older link's place.
    pub renew: bool,
    /// Whether the other node knows RECONCILE.
    pub reconcile: bool,
    /// Whether the other node knows EAGER and LAZY.
    pub tree: bool,
    /// Whether the other node knows NEWS.
    pub news: bool,
    /// Whether the other node knows MEMBERS_WANTED.
    pub members: bool,
    /// The certificate in its HELLO, if the authority of the network signed it.
    pub certificate: Option<Attested<Certificate>>,
    /// The epoch of the revocations it holds; `None` if it knows none.
    pub epoch: Option<u64>,
}

/// A link as the rest of the program sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkInfo {
    /// Its number.
    pub link: LinkId,
    /// Who is at the other end.
    pub peer: NodeId,
    /// Who opened it.
    pub direction: Direction,
    /// The other end's address.
    pub remote: SocketAddr,
    /// When it was opened.
    pub opened: Instant,
    /// The last measured round trip.
    pub round_trip: Option<Duration>,
    /// What goes over it unasked.
    pub push: Push,
    /// What this node wants to come over it unasked.
    pub pull: Push,
    /// How many envelopes that others made came over it before any other copy. A neighbour that passes nothing on stays at
    /// 0; so may an honest one that gets all it knows from here.
    pub news: u64,
}

/// What the core knows of a link.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) peer: NodeId,
    pub(super) direction: Direction,
    pub(super) remote: SocketAddr,
    pub(super) opened: Instant,
    /// The last sign of life.
    pub(super) heard: Instant,
    /// A newer link wants its place, and nothing was heard since.
    pub(super) contested: bool,
    /// When it took an older link's place, if it did.
    pub(super) renewed: Option<Instant>,
    /// Opened for requests: not counted, and closed when there are none.
    pub(super) on_demand: bool,
    /// When a request was last open on it.
    pub(super) used: Option<Instant>,
    /// Opened to join or check in: told good-bye when there are links enough without it.
    pub(super) genesis: bool,
    /// A check-in: closed at this time.
    pub(super) visit_until: Option<Instant>,
    /// Good-bye was said: nothing new goes out.
    pub(super) closing: bool,
    /// Why, which the end of the connection does not tell.
    pub(super) close_reason: Option<Reason>,
    /// When this node last asked it for members.
    pub(super) asked: Option<Instant>,
    /// Questions for members that are not answered yet.
    pub(super) awaiting_peers: u8,
    pub(super) served: Served,
    /// Whether the other node compares with this one what both have.
    pub(super) reconciles: bool,
    /// Whether it answers MEMBERS_WANTED.
    pub(super) members: bool,
    /// Whether what is new is told it by short names.
    pub(super) takes_news: bool,
    /// Questions for certificates that may be put to it.
    pub(super) questions: TokenBucket,
    /// Whether it takes lists of revocations.
    pub(super) has_epoch: bool,
    pub(super) edge: Edge,
    pub(super) news: u64,
    pub(super) equal: Equal,
    pub(super) ping: Option<(u64, Instant)>,
    pub(super) round_trip: Option<Duration>,
    pub(super) pace: Pace,
    pub(super) pongs: TokenBucket,
    pub(super) peers_answers: TokenBucket,
}

impl Link {
    /// Whether it is one of those a node has so many of.
    pub(super) fn counts(&self) -> bool {
        !self.closing && !self.on_demand
    }
}

/// Why a connection that was set up does not become a link, and what the other node is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Why.
    pub reason: Reason,
    /// What to say, if anything.
    pub goodbye: Option<GoodbyeCode>,
}

fn is_renewal(target: Option<&Target>) -> bool {
    matches!(target, Some(Target::Renewal { .. }))
}

/// Inbound links from one range of addresses, where ranges are limited.
const INBOUND_PER_RANGE: usize = 8;

impl Core {
    /// Whether a connection with `peer` may become a link at all; asked as soon as its name is proven.
    ///
    /// # Errors
    /// Why not.
    pub fn admit(&self, now: Now, peer: &NodeId) -> Result<(), Reason> {
        if *peer == self.own {
            return Err(Reason::OwnIdentity);
        }
        if self.is_barred(now, peer) {
            return Err(Reason::Barred);
        }
        // Where certificates say who is admitted, HELLO brings them: until then nobody is turned away.
        if self.admission.epoch().is_some() { Ok(()) } else { self.may_link(now, peer) }
    }

    /// A connection was set up, both HELLOs are known. From here on the link is the core's.
    ///
    /// # Errors
    /// Why it is to be closed again.
    pub fn link_opened(&mut self, now: Now, opening: Opening) -> Result<(), Refused> {
        let target = opening.dial.and_then(|dial| self.dials.remove(&dial));
        let refused = |reason, code| Err(Refused { reason, goodbye: Some(code) });
        let outcome = if self.stopping {
            refused(Reason::Stopping, GoodbyeCode::Leaving)
        } else if let Err(reason) = self.admit(now, &opening.peer) {
            Err(Refused { reason, goodbye: (reason == Reason::Barred).then_some(GoodbyeCode::Barred) })
        } else if let Err(reason) = self.check_certificate(now, &opening) {
            refused(reason, GoodbyeCode::NotAdmitted)
        } else {
            self.make_room(now, &opening, is_renewal(target.as_ref()))
        };
        if let Err(refused) = outcome {
            self.counts.count(refused.reason);
            self.after_refusal(now, &opening, target, refused.reason);
            return Err(refused);
        }
        self.add_link(now, &opening, target);
        Ok(())
    }

    /// Settles which of two links between the same nodes stays, and whether there is room. `renews`: this node opened it to
    /// take the older one's place.
    fn make_room(&mut self, now: Now, opening: &Opening, renews: bool) -> Result<(), Refused> {
        let twins = self.links.iter().filter(|(_, link)| link.peer == opening.peer && !link.closing);
        let twins: Vec<(LinkId, Direction)> = twins.map(|(id, link)| (*id, link.direction)).collect();
        let initiator = |direction| if direction == Direction::Outbound { self.own } else { opening.peer };
        let duplicate = Err(Refused { reason: Reason::DuplicateLink, goodbye: Some(GoodbyeCode::Duplicate) });
        match twins[..] {
            [] => {
                let inbound = self.links.values().filter(|link| link.direction == Direction::Inbound).count();
                let is_full = inbound >= self.settings.inbound_links || self.is_crowded(&opening.remote);
                if opening.direction == Direction::Inbound && is_full {
                    return Err(Refused { reason: Reason::Full, goodbye: Some(GoodbyeCode::Full) });
                }
                Ok(())
            }
            [(old, direction)] if direction != opening.direction => {
                if initiator(opening.direction) < initiator(direction) {
                    self.close(old, Some(GoodbyeCode::Duplicate), Reason::DuplicateLink);
                    Ok(())
                } else {
                    // If the old link is dead without knowing it, this finds out, and the next attempt succeeds.
                    self.contest(now, old);
                    duplicate
                }
            }
            [(old, _)] if renews || (opening.renew && self.may_be_renewed(now, old)) => {
                self.close(old, Some(GoodbyeCode::Renewed), Reason::Renewed);
                Ok(())
            }
            // Both were opened from here: the other node says which it keeps.
            [(_, Direction::Outbound)] => Ok(()),
            [(old, Direction::Inbound)] => {
                self.contest(now, old);
                Ok(())
            }
            _ => duplicate,
        }
    }

    /// Whether as many inbound links as one party may have come from this address or its range. Those that are there stay:
    /// nobody can push them out with more of its own.
    fn is_crowded(&self, remote: &SocketAddr) -> bool {
        if !is_countable(remote) {
            return false;
        }
        let inbound = self.links.values().filter(|link| link.direction == Direction::Inbound);
        let count = |same: &dyn Fn(&SocketAddr) -> bool| inbound.clone().filter(|link| same(&link.remote)).count();
        count(&|at| at.ip() == remote.ip()) >= self.settings.inbound_per_address
            || (self.settings.limit_ranges && count(&|at| Range::of(at) == Range::of(remote)) >= INBOUND_PER_RANGE)
    }

    fn add_link(&mut self, now: Now, opening: &Opening, target: Option<Target>) {
        let Opening { link, peer, direction, remote, .. } = *opening;
        // What the older one was for, the newer one is.
        let renewed = self.links.values().find(|link| link.peer == peer).filter(|_| is_renewal(target.as_ref()));
        let on_demand =
            matches!(target, Some(Target::OnDemand { .. })) || renewed.is_some_and(|renewed| renewed.on_demand);
        let genesis = matches!(target, Some(Target::Genesis(_))) || renewed.is_some_and(|renewed| renewed.genesis);
        if let Some(Target::Genesis(place)) = target
            && let Some(genesis) = self.genesis.get_mut(place)
        {
            (genesis.id, genesis.failures, genesis.linked) = (Some(peer), 0, Some(now.instant));
        }
        if direction == Direction::Outbound {
            self.addresses.learn(peer, remote, Trust::Proven, now.instant);
            self.remembered.linked(peer, remote);
        } else {
            // It came from this host, and says that it listens at this port of it: it can only point at itself.
            for address in opening.listen.iter().filter(|address| address.ip() == remote.ip()) {
                self.addresses.learn(peer, *address, Trust::Proven, now.instant);
                self.remembered.linked(peer, *address);
            }
        }
        let renews = opening.renew || is_renewal(target.as_ref());
        let state = Link {
            renewed: renews.then_some(now.instant),
            peer,
            direction,
            remote,
            opened: now.instant,
            heard: now.instant,
            contested: false,
            on_demand,
            used: None,
            genesis,
            visit_until: None,
            closing: false,
            close_reason: None,
            asked: None,
            awaiting_peers: 0,
            served: Served::default(),
            reconciles: opening.reconcile,
            members: opening.members,
            takes_news: opening.news,
            questions: TokenBucket::new(QUESTIONS, self.settings.ask_every, now.instant),
            has_epoch: opening.epoch.is_some(),
            edge: Edge::new(opening.tree),
            news: 0,
            equal: Equal::default(),
            ping: None,
            round_trip: None,
            pace: Pace::default(),
            pongs: TokenBucket::new(PONG_BURST, PONG_EVERY, now.instant),
            peers_answers: TokenBucket::new(PEERS_BURST, self.settings.ask_every, now.instant),
        };
        self.links.insert(link, state);
        self.event(CoreEvent::LinkOpened { link, peer, direction, remote });
        self.admission_link_opened(now, opening);
        self.check_clock(now, peer, opening.time);
        self.timers.set(Timer::Ping(link), now.instant + self.settings.ping_after);
        self.schedule_renewal(now, link);
        self.send_ping(now, link);
        self.joining_link_opened(now, link, target.as_ref());
        self.repair_link_opened(now, link);
        self.announce_links(now);
        self.maintain(now);
    }

    fn check_clock(&mut self, now: Now, peer: NodeId, theirs: Timestamp) {
        let (ahead, behind) = (theirs.since(now.wall), now.wall.since(theirs));
        if ahead.max(behind) > TIME_TOLERANCE {
            self.event(CoreEvent::ClockOff { peer, by: ahead.max(behind), ahead: ahead > behind });
        }
    }

    fn after_refusal(&mut self, now: Now, opening: &Opening, target: Option<Target>, reason: Reason) {
        if let Some(target) = target {
            self.dial_in_vain(now, target, reason);
        } else if opening.direction == Direction::Outbound && reason != Reason::DuplicateLink {
            self.addresses.failed(&opening.peer, opening.remote, &self.settings, now.instant);
        }
    }

    /// An attempt to open a link came to nothing.
    pub fn dial_failed(&mut self, now: Now, dial: DialId, reason: Reason) {
        let Some(target) = self.dials.remove(&dial) else { return };
        self.counts.count(reason);
        self.dial_in_vain(now, target, reason);
    }

    /// The host does not make an attempt, because the program does not want that link: not again before `pause` is over.
    pub fn dial_declined(&mut self, now: Now, dial: DialId, pause: Duration) {
        let Some(target) = self.dials.remove(&dial) else { return };
        self.counts.count(Reason::ApplicationDeclined);
        match &target {
            Target::Member { id, .. } | Target::OnDemand { id, .. } => self.addresses.pause(id, pause, now.instant),
            Target::Genesis(place) => {
                if let Some(genesis) = self.genesis.get_mut(*place) {
                    genesis.not_before = now.instant + pause;
                }
            }
            Target::Renewal { .. } => {}
        }
        self.joining_dial_failed(now, &target);
        self.event(CoreEvent::DialFailed { target, reason: Reason::ApplicationDeclined });
        self.maintain(now);
    }

    fn dial_in_vain(&mut self, now: Now, target: Target, reason: Reason) {
        let first = self.settings.retry_first;
        match &target {
            // Somebody else lives there now.
            Target::Member { id, address } | Target::OnDemand { id, address } if reason == Reason::WrongIdentity => {
                self.addresses.disprove(id, *address);
                self.remembered.disproved(id, *address);
            }
            // The link goes on as it is; its timer tries again.
            Target::Renewal { .. } => {}
            Target::Member { id, .. } | Target::OnDemand { id, .. } if reason == Reason::PeerFull => {
                self.addresses.full(id, &self.settings, now.instant);
            }
            // No failure: there is a link already. If it is one that died unnoticed, it will be gone soon.
            Target::Member { id, .. } | Target::OnDemand { id, .. } if reason == Reason::DuplicateLink => {
                self.addresses.pause(id, first, now.instant);
            }
            Target::Genesis(place) if reason == Reason::DuplicateLink => {
                if let Some(genesis) = self.genesis.get_mut(*place) {
                    genesis.not_before = now.instant + first;
                }
            }
            _ => self.retry_later(now, &target),
        }
        self.joining_dial_failed(now, &target);
        self.event(CoreEvent::DialFailed { target, reason });
        self.maintain(now);
    }

    fn retry_later(&mut self, now: Now, target: &Target) {
        match target {
            Target::Renewal { .. } => {}
            Target::Member { id, address } | Target::OnDemand { id, address } => {
                self.addresses.failed(id, *address, &self.settings, now.instant);
            }
            Target::Genesis(place) => {
                let (first, most) = (self.settings.retry_first, self.settings.retry_most);
                if let Some(genesis) = self.genesis.get_mut(*place) {
                    let pause = super::addresses::back_off(first, genesis.failures, most);
                    genesis.failures = genesis.failures.saturating_add(1);
                    genesis.not_before = now.instant + pause;
                }
            }
        }
    }

    /// A link's connection is closed, for `reason` unless one of the two nodes had said why.
    pub fn link_closed(&mut self, now: Now, id: LinkId, reason: Reason) {
        if self.links.get(&id).is_some_and(|link| !link.closing) {
            self.edge_lost(id, reason);
        }
        let Some(link) = self.links.remove(&id) else { return };
        self.timers.clear(Timer::Ping(id));
        self.timers.clear(Timer::Contest(id));
        self.timers.clear(Timer::Renew(id));
        self.asking.link_closed(id);
        self.repair_link_closed(now, id);
        if !link.closing {
            self.counts.count(reason);
        }
        let Link { peer, direction, .. } = link;
        let reason = link.close_reason.unwrap_or(reason);
        self.event(CoreEvent::LinkClosed { link: id, peer, direction, reason });
        // The addresses are as good as before, but now it would come to the same again.
        match reason {
            Reason::PeerFull => self.addresses.full(&peer, &self.settings, now.instant),
            Reason::PeerRefused | Reason::Full | Reason::Silent | Reason::PeerLeft => {
                self.addresses.pause(&peer, self.settings.retry_most, now.instant);
            }
            _ => {}
        }
        if self.members.presence(&peer).is_none() {
            // No member: nothing else would ever make this node forget it.
            self.addresses.forget(&peer);
        }
        if self.stopping {
            return;
        }
        self.joining_link_closed(now, &link);
        self.announce_links(now);
        self.maintain(now);
    }

    /// A frame of the core's arrived: every kind but HELLO, BROADCAST, PEERS (see [`Core::offer`] and
    /// [`Core::peers_answered`]) and requests.
    pub fn frame(&mut self, now: Now, from: LinkId, frame: Frame) {
        self.heard(now, from);
        self.charge_link(now, from, 1, frame.encoded_len());
        match frame {
            Frame::Ping(nonce) => self.pong(now, from, nonce),
            Frame::Pong(nonce) => self.ponged(now, from, u64::from_be_bytes(nonce)),
            Frame::Goodbye(goodbye) => self.told_goodbye(from, &goodbye),
            Frame::PeersWanted(wanted) => self.answer_peers(now, from, wanted),
            Frame::MembersWanted(wanted) => self.answer_members(now, from, &wanted),
            Frame::Have(ids) => self.have(now, from, ids.iter()),
            Frame::News(ids) => self.news(now, from, ids.iter()),
            Frame::Want(ids) => self.want(now, from, ids.iter()),
            Frame::Absent(ids) => self.absent(now, from, ids.iter()),
            Frame::Reconcile(body) => self.reconcile(now, from, body),
            Frame::Eager => self.told_eager(from),
            Frame::Lazy => self.told_lazy(now, from),
            _ => {}
        }
    }

    /// Something arrived over the link: it is alive.
    pub(super) fn heard(&mut self, now: Now, from: LinkId) {
        if let Some(link) = self.links.get_mut(&from) {
            (link.heard, link.contested) = (now.instant, false);
        }
    }

    pub(super) fn send(&mut self, link: LinkId, frame: Frame) {
        if self.links.get(&link).is_some_and(|link| !link.closing) {
            self.output(Output::Send { link, frame });
        }
    }

    /// Begins to close a link: what is queued still goes out.
    pub fn close(&mut self, id: LinkId, goodbye: Option<GoodbyeCode>, reason: Reason) {
        let Some(link) = self.links.get_mut(&id).filter(|link| !link.closing) else { return };
        (link.closing, link.close_reason) = (true, Some(reason));
        let (peer, direction) = (link.peer, link.direction);
        self.edge_lost(id, reason);
        self.counts.count(reason);
        self.event(CoreEvent::LinkClosing { link: id, peer, direction, reason });
        self.output(Output::Close { link: id, goodbye, reason });
    }

    fn told_goodbye(&mut self, from: LinkId, goodbye: &Goodbye) {
        self.close(from, None, goodbye.code.into());
    }

    /// Notes what no honest node does; closes the links of a node that is barred now.
    pub fn blame(&mut self, now: Now, link: LinkId, offence: Offence, reason: Reason) {
        if let Some(peer) = self.links.get(&link).map(|link| link.peer) {
            self.blame_node(now, peer, offence, reason);
        }
    }

    /// The same for a node, linked or not.
    pub(super) fn blame_node(&mut self, now: Now, peer: NodeId, offence: Offence, reason: Reason) {
        if self.standing.blame(peer, offence, now.instant) {
            let theirs: Vec<_> = self.links.iter().filter(|(_, link)| link.peer == peer).map(|(id, _)| *id).collect();
            self.event(CoreEvent::Barred { peer, reason });
            for link in theirs {
                self.close(link, None, reason);
            }
        }
    }

    /// Bars a node for an hour because whoever runs this one wants it, and closes the links with it. What others relay of
    /// that node is taken as before: bars that stopped messages would be censorship.
    pub fn bar(&mut self, now: Now, peer: NodeId) {
        self.standing.bar(peer, now.instant);
        let theirs: Vec<_> = self.links.iter().filter(|(_, link)| link.peer == peer).map(|(id, _)| *id).collect();
        self.event(CoreEvent::Barred { peer, reason: Reason::Requested });
        for link in theirs {
            self.close(link, Some(GoodbyeCode::Barred), Reason::Barred);
        }
    }

    /// Whether a node is barred now, for what it did or because whoever runs this one wants it.
    pub fn is_barred(&self, now: Now, peer: &NodeId) -> bool {
        self.standing.is_barred(peer, now.instant)
    }

    /// Every open link, in the order they were opened.
    pub fn links(&self) -> Vec<LinkInfo> {
        let open = self.links.iter().filter(|(_, link)| !link.closing);
        open.map(|(id, link)| LinkInfo {
            link: *id,
            peer: link.peer,
            direction: link.direction,
            remote: link.remote,
            opened: link.opened,
            round_trip: link.round_trip,
            push: link.edge.push,
            pull: link.edge.said(),
            news: link.news,
        })
        .collect()
    }

    /// How many links are open.
    pub fn link_count(&self) -> usize {
        self.links.values().filter(|link| !link.closing).count()
    }

    /// The open link with a node.
    pub fn link_with(&self, peer: &NodeId) -> Option<LinkId> {
        self.links.iter().find(|(_, link)| link.peer == *peer && !link.closing).map(|(id, _)| *id)
    }

    /// The link with a node that is being closed, if no other is open.
    pub fn closing_link_with(&self, peer: &NodeId) -> Option<LinkId> {
        let mut with_peer = self.links.iter().filter(|(_, link)| link.peer == *peer);
        let (id, link) = with_peer.next()?;
        (link.closing && with_peer.all(|(_, link)| link.closing)).then_some(*id)
    }
}
