//! What cores ask of their host, done.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::envelope::{Envelope, EnvelopeId, Lifetime};
use crate::log::Log;
use crate::overlay::{CoreEvent, DialId, LinkId, MemberState, Output, PRESENCE_TITLE, Reason, Target};
use crate::wire::{Frame, Goodbye, GoodbyeCode};

use rand::RngExt;

use super::Simulation;
use super::events::{Cargo, Event};
use super::host::SET_UP_WITHIN;
use super::node::{Node, NodeRef};

/// What is about to be sent over each link of a node.
type Records = BTreeMap<LinkId, Vec<Envelope>>;

impl Simulation {
    /// Does what a core asks until it asks nothing more, and sees to it that it is woken in time.
    pub(super) fn act(&mut self, place: usize) {
        loop {
            let running = self.nodes.get_mut(place).and_then(|node| node.running.as_mut());
            let Some(running) = running else { return };
            let outputs = running.core.get_mut().take_outputs();
            if outputs.is_empty() {
                break;
            }
            self.do_all(place, outputs);
        }
        let node = &mut self.nodes[place];
        let Some(running) = node.running.as_mut() else { return };
        // Who is woken too early looks again; only an earlier moment needs another bell.
        let wake = running.core.get_mut().next_timer().map(|at| at.max(self.now));
        if let Some(at) = wake.filter(|at| running.wake.is_none_or(|set| *at < set)) {
            running.wake = Some(at);
            self.queue.put(at, Event::Tick(NodeRef { place, life: node.life }));
        }
    }

    /// What a core asks for at one moment goes into one record for each link, as far as it is presences: there are far more
    /// of them than of anything else.
    fn do_all(&mut self, place: usize, outputs: Vec<Output>) {
        let mut records = Records::new();
        for output in outputs {
            let Some(output) = self.left_by_evil(place, output) else { continue };
            match output {
                Output::Relay { envelope, to } if envelope.title() == PRESENCE_TITLE => {
                    for link in to {
                        records.entry(link).or_default().push(Envelope::clone(&envelope));
                    }
                }
                output => {
                    self.send_records(place, &mut records);
                    self.do_one(place, output);
                }
            }
        }
        self.send_records(place, &mut records);
    }

    /// What a node that withholds what others say does of what its core asks for.
    fn left_by_evil(&self, place: usize, output: Output) -> Option<Output> {
        let Node { id, friends: Some(friends), .. } = &self.nodes[place] else { return Some(output) };
        match output {
            Output::Relay { ref envelope, .. } if envelope.sender() != *id => None,
            Output::Serve { .. } | Output::Send { frame: Frame::Have(_) | Frame::News(_), .. } => None,
            Output::Send { link, frame: Frame::Peers(_) } => {
                Some(Output::Send { link, frame: Frame::Peers(friends.concat().into()) })
            }
            output => Some(output),
        }
    }

    fn send_records(&mut self, place: usize, records: &mut Records) {
        for (link, envelopes) in std::mem::take(records) {
            self.send(place, link, Cargo::Record(envelopes));
        }
    }

    fn do_one(&mut self, place: usize, output: Output) {
        match output {
            Output::Send { link, frame } => {
                self.send(place, link, Cargo::Frame(frame));
            }
            Output::Relay { envelope, to } => {
                let cargo = self.cargo_of(place, &envelope);
                for link in to {
                    self.send(place, link, cargo.clone());
                }
            }
            Output::Serve { link, ids } => self.serve(place, link, &ids),
            Output::Dial { dial, target } => self.dial(place, dial, target),
            Output::Close { link, goodbye, reason } => self.say_goodbye(place, link, goodbye, reason),
            Output::Announce { presence, lifetime } => {
                if !std::mem::replace(&mut self.nodes[place].has_said_who_it_is, true) {
                    self.publish_papers(place);
                }
                self.nodes[place].presences += 1;
                let lifetime = Lifetime::secs(u32::try_from(lifetime.as_secs()).unwrap_or(u32::MAX));
                if let Ok(title) = PRESENCE_TITLE.parse() {
                    self.publish(place, title, presence.encode().into(), lifetime);
                }
            }
            Output::Remember(peers) => self.nodes[place].remembered = peers,
            Output::Claimed(claimed) => self.go_on(place, claimed),
            Output::Withdraw(withdrawal) => {
                if let Some(running) = &self.nodes[place].running {
                    running.log.withdraw(&|sender, time| withdrawal.takes(sender, time));
                }
            }
            Output::KeepRevocations(list) => {
                if let Some(papers) = &mut self.nodes[place].papers {
                    papers.revocations = Some(list);
                }
            }
            Output::KeepCertificate(certificate) => {
                if let Some(papers) = &mut self.nodes[place].papers {
                    papers.known.push(certificate);
                }
            }
            Output::Event(event) => self.note_event(place, &event),
        }
    }

    fn note_event(&mut self, place: usize, event: &CoreEvent) {
        match event {
            CoreEvent::LinkOpened { .. } => self.nodes[place].link_openings += 1,
            CoreEvent::NetworkShutDown { .. } => {
                // It stops as soon as what it passes on has left.
                self.digest.note(self.now, place, "shut down", &[]);
                let now = self.now_at(place);
                if let Some(running) = self.nodes[place].running.as_mut() {
                    running.core.get_mut().stop_with_network(now);
                }
                let node = NodeRef { place, life: self.nodes[place].life };
                self.queue.put(self.now, Event::End(node));
            }
            CoreEvent::Member { id, state } => {
                let what = match state {
                    MemberState::Present => "present",
                    MemberState::Unreachable => "unreachable",
                    MemberState::Gone => "gone",
                };
                self.digest.note(self.now, place, what, id.as_bytes());
                let of = self.by_id.get(id).copied();
                let was_there =
                    |of: usize| self.nodes[of].life == 0 && self.is_running(of) && !self.network.is_cut(place, of);
                if *state != MemberState::Present && of.is_some_and(was_there) {
                    self.false_alarms += 1;
                }
            }
            _ => {}
        }
    }

    fn serve(&mut self, place: usize, link: LinkId, ids: &[EnvelopeId]) {
        let mut absent = Vec::new();
        for id in ids {
            let running = self.nodes[place].running.as_ref();
            match running.and_then(|running| running.log.get(id)) {
                Some(envelope) => {
                    let cargo = self.cargo_of(place, &envelope);
                    self.send(place, link, cargo);
                }
                None => absent.push(*id),
            }
        }
        if !absent.is_empty() {
            self.send(place, link, Cargo::Frame(Frame::Absent(absent.into_iter().collect())));
        }
    }

    /// A dial takes two round trips: one until the responder answers at all, one for the proofs and HELLOs.
    fn dial(&mut self, place: usize, dial: DialId, target: Target) {
        let node = NodeRef { place, life: self.nodes[place].life };
        let (to, expected) = match target {
            Target::Genesis(number) => (self.genesis_of(place).get(number).copied(), None),
            Target::Member { id, address } | Target::OnDemand { id, address } | Target::Renewal { id, address } => {
                (self.by_address.get(&address).copied(), Some(id))
            }
        };
        let renew = matches!(target, Target::Renewal { .. });
        let latency = self.latency(place, to.unwrap_or(place));
        let round_trip = latency * 2;
        let fail = |sim: &mut Self, after: Duration, reason| {
            sim.queue.put(sim.now + after, Event::DialFailed(node, dial, reason));
        };
        self.digest.note(self.now, place, "dial", &to.map_or(u64::MAX, |to| to as u64).to_be_bytes());
        if let Some(to) = to {
            self.nodes[to].dials_at += 1;
        }
        let is_wired = |to: usize| {
            let wires = self.settings.wires.as_ref();
            wires.is_none_or(|wires| wires.contains(&(place, to)) || wires.contains(&(to, place)))
        };
        if to.is_some_and(|to| self.network.is_cut(place, to) || !is_wired(to)) {
            return fail(self, SET_UP_WITHIN, Reason::Unreachable);
        }
        let Some(to) = to.filter(|to| self.nodes[*to].running.is_some()) else {
            return fail(self, round_trip, Reason::Unreachable);
        };
        if to == place {
            return fail(self, round_trip, Reason::OwnIdentity);
        }
        if expected.is_some_and(|id| id != self.nodes[to].id) {
            return fail(self, round_trip * 2, Reason::WrongIdentity);
        }
        let responder = NodeRef { place: to, life: self.nodes[to].life };
        let id = self.network.connect((node, responder), dial, renew, latency);
        self.nodes[place].connections.insert(id);
        self.nodes[to].connections.insert(id);
        self.queue.put(self.now + round_trip + latency, Event::Reach(id));
    }

    /// How long a packet takes between two nodes.
    fn latency(&mut self, one: usize, other: usize) -> Duration {
        if self.settings.conditions.regions > 0 {
            return self.nodes[one].location.latency(self.nodes[other].location);
        }
        let (least, most) = self.settings.latency;
        let (least, most) = (least.as_nanos() as u64, most.as_nanos() as u64);
        Duration::from_nanos(self.rng.random_range(least..=most.max(least)))
    }

    /// Closes a link: what is queued goes out, then the good-bye, then the end.
    fn say_goodbye(&mut self, place: usize, link: LinkId, goodbye: Option<GoodbyeCode>, reason: Reason) {
        let running = self.nodes[place].running.as_ref();
        let Some((id, side)) = running.and_then(|running| running.links.get(&link)).copied() else { return };
        if let Some(code) = goodbye {
            self.send(place, link, Cargo::Frame(Frame::Goodbye(Goodbye::new(code, ""))));
        }
        let at = self.network.end_arrives(self.now, id, side.other());
        // With something to say the writer first has to get rid of it; until then frames still come in.
        self.queue.put(if goodbye.is_some() { at } else { self.now }, Event::Close(id, side, reason));
        self.put_across(at, id, side.other(), Event::Close(id, side.other(), Reason::ConnectionLost));
    }
}
