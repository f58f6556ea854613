//! Is the node at the other end alive, and are the link's keys still young: pings, contests, renewal.

use std::time::Duration;

use rand::RngExt;

use crate::wire::{Frame, GoodbyeCode};

use super::core::Timer;
use super::output::{CoreEvent, Direction, LinkId, Target};
use super::{Core, Now, Reason};

/// How long the older of two links from one node has to show that it is alive.
const CONTEST: Duration = Duration::from_secs(2);
/// A link gets new keys after this time, 10 % more or less.
const RENEW_AFTER: Duration = Duration::from_secs(24 * 3600);
/// A link is not renewed more often.
const RENEW_PAUSE: Duration = Duration::from_secs(600);

impl Core {
    /// Gives a link a moment to show that it is alive.
    pub(super) fn contest(&mut self, now: Now, old: LinkId) {
        if let Some(link) = self.links.get_mut(&old) {
            link.contested = true;
        }
        self.send_ping(now, old);
        self.timers.set(Timer::Contest(old), now.instant + CONTEST);
    }

    pub(super) fn pong(&mut self, now: Now, from: LinkId, nonce: [u8; 8]) {
        let Some(link) = self.links.get_mut(&from) else { return };
        if link.pongs.take(now.instant) {
            self.send(from, Frame::Pong(nonce));
        }
    }

    pub(super) fn ponged(&mut self, now: Now, from: LinkId, nonce: u64) {
        let Some(link) = self.links.get_mut(&from) else { return };
        if let Some((_, sent)) = link.ping.take_if(|(asked, _)| *asked == nonce) {
            let round_trip = now.instant.since(sent);
            link.round_trip = Some(round_trip);
            let peer = link.peer;
            self.event(CoreEvent::Latency { link: from, peer, round_trip });
        }
    }

    /// Asks a link for a sign of life; the answer comes as [`CoreEvent::Latency`].
    pub fn send_ping(&mut self, now: Now, link: LinkId) {
        let nonce: u64 = self.rng.random();
        if let Some(state) = self.links.get_mut(&link) {
            state.ping = Some((nonce, now.instant));
        }
        self.send(link, Frame::Ping(nonce.to_be_bytes()));
    }

    /// Rings while a link is open: asks a silent one for a sign of life, and closes a dead one.
    pub(super) fn look_alive(&mut self, now: Now, id: LinkId) {
        let Some(link) = self.links.get(&id) else { return };
        let dead_at = link.heard + self.settings.dead_after;
        if now.instant >= dead_at {
            self.close(id, None, Reason::Silent);
            return;
        }
        let ping_at = link.heard + self.settings.ping_after;
        if now.instant >= ping_at {
            self.send_ping(now, id);
            // Not only when it would be dead: an answer is to be followed by the next question in time.
            self.timers.set(Timer::Ping(id), dead_at.min(now.instant + self.settings.ping_after));
        } else {
            self.timers.set(Timer::Ping(id), ping_at);
        }
    }

    /// The older of two links from the same node had its time: did it answer?
    pub(super) fn decide_contest(&mut self, old: LinkId) {
        let Some(link) = self.links.get(&old) else { return };
        // Not by the clock: a timer that rings late must not make a living link look dead.
        let answered = !link.contested;
        let newer = self.links.iter().find(|(id, other)| **id > old && other.peer == link.peer && !other.closing);
        match newer.map(|(id, _)| *id) {
            Some(newer) if answered => self.close(newer, Some(GoodbyeCode::Duplicate), Reason::DuplicateLink),
            _ if answered => {}
            Some(_) => self.close(old, Some(GoodbyeCode::Duplicate), Reason::Silent),
            None => self.close(old, None, Reason::Silent),
        }
    }

    /// Sets when a link that this node opened gets new keys.
    pub(super) fn schedule_renewal(&mut self, now: Now, id: LinkId) {
        if self.links.get(&id).is_some_and(|link| link.direction == Direction::Outbound) {
            let at = self.around(now, RENEW_AFTER, 10);
            self.timers.set(Timer::Renew(id), at);
        }
    }

    /// Makes a link anew whose keys have served long enough; the older one goes when the newer one is open. Only the node
    /// that opened it does so.
    pub fn renew(&mut self, now: Now, id: LinkId) {
        let Some(link) = self.links.get(&id).filter(|link| !link.closing) else { return };
        if link.direction == Direction::Outbound && !self.stopping {
            let target = Target::Renewal { id: link.peer, address: link.remote };
            // If it comes to nothing, the link goes on, and this is tried again.
            self.timers.set(Timer::Renew(id), now.instant + RENEW_PAUSE);
            self.new_dial(target);
        }
    }

    /// Whether the other node may replace this link by a newer one, just because it says so.
    pub(super) fn may_be_renewed(&self, now: Now, id: LinkId) -> bool {
        let renewed = self.links.get(&id).and_then(|link| link.renewed);
        renewed.is_none_or(|at| now.instant.since(at) >= RENEW_PAUSE)
    }
}
