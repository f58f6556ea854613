//! Who does what, and to whom what happens when: drawn before the run begins.

use std::collections::BTreeSet;
use std::time::Duration;

use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use rand::seq::{IteratorRandom, SliceRandom};

use super::disturbance::{Deed, Disturbance};
use super::{Scenario, Senders};

/// How long a crashed node stays away that comes back.
const AWAY: Duration = Duration::from_secs(10);
/// How long a flapping node is down, and how long it is up between.
const FLAP_DOWN: (u64, u64) = (2_000, 5_000);
const FLAP_UP: (u64, u64) = (4_000, 12_000);

/// What a scenario comes to in particular.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) senders: Vec<usize>,
    /// In the order of time, counted from the first measured message.
    pub(super) disturbances: Vec<Disturbance>,
}

impl Plan {
    /// Draws everything. `lasts` is for how long measured messages are published.
    pub(super) fn draw(scenario: &Scenario, lasts: Duration, rng: &mut ChaCha8Rng) -> Self {
        let senders = senders(scenario, rng);
        let mut draw = Draw { lasts, rng, disturbances: Vec::new() };
        draw.all(scenario, &senders);
        let mut disturbances = draw.disturbances;
        // Stable: what is planned for the same moment happens in the order it was planned.
        disturbances.sort_by_key(|disturbance| disturbance.after);
        Plan { senders, disturbances }
    }
}

fn senders(scenario: &Scenario, rng: &mut ChaCha8Rng) -> Vec<usize> {
    let count = match scenario.senders {
        Senders::All => scenario.nodes,
        Senders::Some(count) => count,
    };
    let mut senders = (0..scenario.nodes).sample(rng, count);
    senders.shuffle(rng);
    senders
}

struct Draw<'a> {
    lasts: Duration,
    rng: &'a mut ChaCha8Rng,
    disturbances: Vec<Disturbance>,
}

impl Draw<'_> {
    fn all(&mut self, scenario: &Scenario, senders: &[usize]) {
        let Scenario { crashes, restarts, lost_logs, flapping, churn, .. } = *scenario;
        let mut victims = self.victims(scenario.nodes, senders).into_iter();
        for victim in victims.by_ref().take(crashes) {
            let at = self.moment();
            self.crash(at, victim);
        }
        for victim in victims.by_ref().take(restarts) {
            let at = self.moment();
            self.crash(at, victim);
            self.plan(at + AWAY, Deed::Restart(victim));
        }
        for victim in victims.by_ref().take(lost_logs) {
            let at = self.moment();
            self.crash(at, victim);
            self.plan(at + AWAY, Deed::RestartEmpty(victim));
        }
        for victim in victims.by_ref().take(flapping) {
            self.flap(victim);
        }
        for (victim, newcomer) in victims.take(churn).zip(scenario.nodes..) {
            let (leaves, arrives) = (self.moment(), self.moment());
            self.plan(leaves, Deed::Leave(victim));
            self.plan(arrives, Deed::RestartEmpty(newcomer));
        }
        if let Some(partition) = scenario.partition {
            self.plan(partition.after, Deed::Cut);
            self.plan(partition.after + partition.lasts, Deed::Heal);
        }
    }

    /// The nodes in the order in which something happens to them: the genesis node never, and who publishes last of all.
    fn victims(&mut self, nodes: usize, senders: &[usize]) -> Vec<usize> {
        let senders: BTreeSet<usize> = senders.iter().copied().collect();
        let (mut publishing, mut others): (Vec<_>, Vec<_>) = (1..nodes).partition(|node| senders.contains(node));
        others.shuffle(self.rng);
        publishing.shuffle(self.rng);
        others.extend(publishing);
        others
    }

    /// A moment while messages are published.
    fn moment(&mut self) -> Duration {
        self.millis((0, self.lasts.as_millis() as u64))
    }

    fn millis(&mut self, (least, most): (u64, u64)) -> Duration {
        Duration::from_millis(self.rng.random_range(least..=most.max(least)))
    }

    fn crash(&mut self, at: Duration, victim: usize) {
        let deed = if self.rng.random() { Deed::Kill(victim) } else { Deed::Vanish(victim) };
        self.plan(at, deed);
    }

    fn flap(&mut self, victim: usize) {
        let mut at = self.millis(FLAP_UP);
        while at < self.lasts {
            self.crash(at, victim);
            at += self.millis(FLAP_DOWN);
            self.plan(at, Deed::Restart(victim));
            at += self.millis(FLAP_UP);
        }
    }

    fn plan(&mut self, after: Duration, deed: Deed) {
        self.disturbances.push(Disturbance { after, deed });
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn plan(scenario: &Scenario) -> Plan {
        Plan::draw(scenario, Duration::from_secs(60), &mut ChaCha8Rng::seed_from_u64(1))
    }

    #[test]
    fn nothing_happens_to_the_genesis_node_and_to_a_sender_only_for_want_of_others() {
        let scenario = Scenario { nodes: 20, senders: Senders::Some(3), crashes: 16, ..Scenario::default() };
        let Plan { senders, disturbances } = plan(&scenario);
        assert_eq!((senders.len(), disturbances.len()), (3, 16));
        for Disturbance { after, deed } in &disturbances {
            let (Deed::Kill(victim) | Deed::Vanish(victim)) = deed else { panic!("{deed:?}") };
            assert!(*victim > 0 && !senders.contains(victim) && *after <= Duration::from_secs(60));
        }
        let all = plan(&Scenario { crashes: 50, ..scenario });
        assert_eq!(all.disturbances.len(), 19);
    }

    #[test]
    fn who_comes_back_was_down_before() {
        let scenario = Scenario { restarts: 5, lost_logs: 5, flapping: 5, ..Scenario::default() };
        let mut down = BTreeSet::new();
        let plan = plan(&scenario);
        for Disturbance { deed, .. } in &plan.disturbances {
            match deed {
                Deed::Kill(node) | Deed::Vanish(node) => assert!(down.insert(*node)),
                Deed::Restart(node) | Deed::RestartEmpty(node) => assert!(down.remove(node)),
                other => panic!("{other:?}"),
            }
        }
        assert!(down.is_empty() && plan.disturbances.is_sorted_by_key(|disturbance| disturbance.after));
    }
}
