//! What evil nodes put on their links.

use std::sync::Arc;

use bytes::Bytes;
use rand::rngs::ChaCha8Rng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use crate::envelope::{Draft, Envelope, Lifetime, Scheme, Signed, Title, Verified};
use crate::identity::Identity;
use crate::overlay::{PRESENCE_TITLE, Presence};
use crate::sim::Simulation;
use crate::wire::Frame;

use super::Attack;

/// What one evil node sends each neighbour in a tenth of a second: 200 envelopes a second.
const EACH_STEP: usize = 20;
/// Of the newest messages so many are sent again, or altered.
const NEWEST: usize = 200;

/// The evil nodes of a trial.
pub(super) struct Evil {
    attack: Attack,
    nodes: Vec<usize>,
    bystander: usize,
    rng: ChaCha8Rng,
}

impl Evil {
    pub(super) fn new(attack: Attack, nodes: Vec<usize>, bystander: usize, seed: u64) -> Self {
        Evil { attack, nodes, bystander, rng: ChaCha8Rng::seed_from_u64(seed) }
    }

    pub(super) fn nodes(&self) -> &[usize] {
        &self.nodes
    }

    /// What they do from now on with what they are asked for.
    pub(super) fn begin(&mut self, sim: &mut Simulation) {
        if self.attack == Attack::Eclipse {
            let friends: Vec<Bytes> = self.nodes.iter().filter_map(|node| presence(sim, *node)).collect();
            sim.withhold(&self.nodes, &friends);
        }
    }

    /// What they do in each step.
    pub(super) fn act(&mut self, sim: &mut Simulation) {
        for node in self.nodes.clone() {
            let said = match self.attack {
                Attack::Eclipse => return,
                Attack::Forge => self.forgeries(sim, node),
                Attack::Replay => self.replays(sim, node),
                Attack::Spam => self.spam(sim, node),
                Attack::Poison => self.inventions(sim, node),
            };
            for neighbour in sim.neighbours(node) {
                for envelope in &said {
                    sim.inject(node, neighbour, Frame::Broadcast(envelope.clone()));
                }
            }
        }
    }

    fn newest(&self, sim: &Simulation, node: usize) -> Vec<Verified<Envelope>> {
        let mut all = sim.delivered(node);
        all.split_off(all.len().saturating_sub(NEWEST))
    }

    /// Messages of others with another signature, under the same id, and with other contents.
    fn forgeries(&mut self, sim: &Simulation, node: usize) -> Vec<Bytes> {
        let newest = self.newest(sim, node);
        let alter = |_| {
            let mut bytes = newest.choose(&mut self.rng)?.as_bytes().to_vec();
            let from_the_end = self.rng.random_range(33..=SIGNATURE + 40);
            let at = bytes.len().checked_sub(from_the_end)?;
            bytes[at] ^= 1 << self.rng.random_range(0..8);
            Some(Bytes::from(bytes))
        };
        (0..EACH_STEP).filter_map(alter).collect()
    }

    fn replays(&mut self, sim: &Simulation, node: usize) -> Vec<Bytes> {
        let newest = self.newest(sim, node);
        (0..EACH_STEP).filter_map(|_| Some(newest.choose(&mut self.rng)?.as_bytes().clone())).collect()
    }

    /// Messages nobody asked for.
    fn spam(&mut self, sim: &Simulation, node: usize) -> Vec<Bytes> {
        let Ok(title) = "spam".parse::<Title>() else { return Vec::new() };
        let say = |number: usize| {
            let message = Bytes::from(format!("spam {number}"));
            self.sign(sim, node, title.clone(), message)
        };
        (0..EACH_STEP).filter_map(say).collect()
    }

    /// Members that do not exist, at the bystander's address.
    fn inventions(&mut self, sim: &Simulation, node: usize) -> Vec<Bytes> {
        let Ok(title) = PRESENCE_TITLE.parse::<Title>() else { return Vec::new() };
        let addresses = vec![sim.address(self.bystander)];
        let message = Bytes::from(Presence { addresses, ..Presence::default() }.encode());
        (0..EACH_STEP).filter_map(|_| self.sign(sim, node, title.clone(), message.clone())).collect()
    }

    /// An envelope signed with a key that nobody has seen before.
    fn sign(&mut self, sim: &Simulation, node: usize, title: Title, message: Bytes) -> Option<Bytes> {
        let identity = Arc::new(Identity::from_seed(&self.rng.random()));
        let scheme = Signed::new(sim.network_hash(), identity);
        let draft = Draft { title, message, time: sim.now_at(node).wall, lifetime: Lifetime::hours(1) };
        Some(scheme.publish(&draft).ok()?.as_bytes().clone())
    }
}

/// How long a signature is.
const SIGNATURE: usize = 64;

/// A presence of a node as it would announce itself.
fn presence(sim: &mut Simulation, node: usize) -> Option<Bytes> {
    let message = Presence { addresses: vec![sim.address(node)], ..Presence::default() }.encode();
    let made = sim.draft(node, PRESENCE_TITLE.parse().ok()?, message)?;
    Some(made.as_bytes().clone())
}
