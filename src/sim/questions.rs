//! What one can ask a simulated network.

use std::net::SocketAddr;
use std::time::Duration;

use crate::envelope::{Envelope, Verified};
use crate::identity::NodeId;
use crate::log::Log;
use crate::overlay::{Core, LinkInfo, Member, MemberState, ReasonCounts};

use super::{RunDigest, Simulation, Traffic};

impl Simulation {
    /// How much virtual time has passed.
    pub fn elapsed(&self) -> Duration {
        self.now.since_start()
    }

    /// How many nodes there are, down or up.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there are no nodes.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// A digest over everything that has happened.
    pub fn digest(&self) -> RunDigest {
        self.digest.so_far()
    }

    /// What all nodes sent so far.
    pub fn traffic(&self) -> Traffic {
        self.network.traffic
    }

    /// How often a node took another for unreachable or gone that was up all the time and not cut off from it.
    pub fn false_alarms(&self) -> u64 {
        self.false_alarms
    }

    /// The node's name.
    ///
    /// # Panics
    /// If there is no such node.
    pub fn id(&self, node: usize) -> NodeId {
        self.nodes[node].id
    }

    /// Whether the node is up.
    pub fn is_running(&self, node: usize) -> bool {
        self.nodes.get(node).is_some_and(|node| node.running.is_some())
    }

    /// The nodes that are up.
    pub fn running(&self) -> Vec<usize> {
        (0..self.len()).filter(|node| self.is_running(*node)).collect()
    }

    /// The members the node knows, itself included; none while it is down.
    pub fn members(&self, node: usize) -> Vec<Member> {
        self.core(node, Core::members).unwrap_or_default()
    }

    /// How many members the node knows, itself included.
    pub fn member_count(&self, node: usize) -> usize {
        self.core(node, Core::member_count).unwrap_or(0)
    }

    /// What `node` knows of the whereabouts of `of`.
    pub fn member_state(&self, node: usize, of: usize) -> Option<MemberState> {
        let id = self.nodes.get(of)?.id;
        self.core(node, |core| core.member_state(&id)).flatten()
    }

    /// The node's open links.
    pub fn links(&self, node: usize) -> Vec<LinkInfo> {
        self.core(node, Core::links).unwrap_or_default()
    }

    /// How many open links the node has.
    pub fn link_count(&self, node: usize) -> usize {
        self.core(node, Core::link_count).unwrap_or(0)
    }

    /// Whom the node is linked with, by place, once for each link.
    pub fn neighbours(&self, node: usize) -> Vec<usize> {
        self.links(node).iter().filter_map(|link| self.by_id.get(&link.peer).copied()).collect()
    }

    /// How often each reason came up at the node.
    pub fn counts(&self, node: usize) -> Option<ReasonCounts> {
        self.core(node, |core| core.counts().clone())
    }

    /// The messages in the node's log in the order of their arrival, its own among them.
    pub fn delivered(&self, node: usize) -> Vec<Verified<Envelope>> {
        let Some(running) = self.nodes.get(node).and_then(|node| node.running.as_ref()) else { return Vec::new() };
        let page = running.log.read(running.log.start(), usize::MAX);
        page.map(|page| page.entries.into_iter().map(|entry| entry.envelope).collect()).unwrap_or_default()
    }

    /// How many positions the node's log has given: what was delivered there, each delivery counted.
    pub fn delivery_count(&self, node: usize) -> u64 {
        let running = self.nodes.get(node).and_then(|node| node.running.as_ref());
        running.map_or(0, |running| running.log.end().position().get())
    }

    /// How many signatures the node verified in all its lives.
    pub fn verifications(&self, node: usize) -> u64 {
        self.nodes.get(node).map_or(0, |node| node.scheme.verifications())
    }

    /// How often the node's core was woken by a timer.
    pub fn ticks(&self, node: usize) -> u64 {
        self.nodes.get(node).map_or(0, |node| node.ticks)
    }

    /// How many links were opened at the node.
    pub fn link_openings(&self, node: usize) -> u64 {
        self.nodes.get(node).map_or(0, |node| node.link_openings)
    }

    /// Where the node is, or would be, reached.
    ///
    /// # Panics
    /// If there is no such node.
    pub fn address(&self, node: usize) -> SocketAddr {
        self.nodes[node].address
    }

    /// How often somebody dialled the node's address, whether it was up or not.
    pub fn dials_at(&self, node: usize) -> u64 {
        self.nodes.get(node).map_or(0, |node| node.dials_at)
    }

    /// How often the node announced its presence.
    pub fn presences(&self, node: usize) -> u64 {
        self.nodes.get(node).map_or(0, |node| node.presences)
    }

    /// Whether every running node knows exactly the running nodes as members.
    pub fn all_know_all(&self) -> bool {
        let up = self.running();
        let knows =
            |node: &usize| up.iter().all(|other| self.member_state(*node, *other) == Some(MemberState::Present));
        // The numbers are quickly compared; mostly they answer the question.
        !up.is_empty() && up.iter().all(|node| self.member_count(*node) == up.len()) && up.iter().all(knows)
    }

    /// Whether every running node can reach every other over open links.
    pub fn is_connected(&self) -> bool {
        let up = self.running();
        let mut seen = vec![false; self.len()];
        let mut to_visit: Vec<usize> = up.first().copied().into_iter().collect();
        while let Some(node) = to_visit.pop() {
            if !std::mem::replace(&mut seen[node], true) {
                to_visit.extend(self.neighbours(node));
            }
        }
        up.iter().all(|node| seen[*node])
    }

    pub(super) fn core<T>(&self, node: usize, ask: impl FnOnce(&Core) -> T) -> Option<T> {
        let running = self.nodes.get(node)?.running.as_ref()?;
        Some(ask(&running.core.borrow()))
    }
}
