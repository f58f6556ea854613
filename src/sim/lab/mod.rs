//! The attack lab: what dishonest members do to a simulated network, beside the same network in which they are honest.
//!
//! Evil nodes are members like others: they hold keys, join, and are linked with. What they do besides is put on their own
//! links with frames of their own making. Nothing leaves the process.

mod evil;
mod outcome;

use std::time::Duration;

use rand::rngs::ChaCha8Rng;
use rand::seq::IteratorRandom;
use rand::{RngExt, SeedableRng};

use crate::envelope::Lifetime;
use crate::overlay;

use super::{Conditions, SchemeKind, Settings, Share, Simulation};

use evil::Evil;
pub use outcome::Outcome;
use outcome::People;

/// Between two moments at which something is published and evil nodes act.
const STEP: Duration = Duration::from_millis(100);
/// Joining is not waited for any longer.
const JOIN_WITHIN: Duration = Duration::from_secs(300);
/// What one does to a network has its own randomness, so that the network is the same with and without it.
const PLAN_SEED: u64 = 0x5EA1_0000_0000_0002;
/// How large an honest message is.
const SIZE: usize = 256;

/// What evil nodes do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attack {
    /// They pass on nothing, name only each other to those who ask for members, and so try to be all that a newcomer sees.
    Eclipse,
    /// They send altered copies of what others said, and inventions in their names.
    Forge,
    /// They send again and again what was said.
    Replay,
    /// They flood messages, each signed with a new key.
    Spam,
    /// They announce invented members at the address of somebody who has nothing to do with the network.
    Poison,
}

impl Attack {
    /// All of them.
    pub const ALL: [Attack; 5] = [Attack::Eclipse, Attack::Forge, Attack::Replay, Attack::Spam, Attack::Poison];

    /// How it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Attack::Eclipse => "eclipse",
            Attack::Forge => "forge",
            Attack::Replay => "replay",
            Attack::Spam => "spam",
            Attack::Poison => "poison",
        }
    }
}

/// An attack on a network. Equal trials have equal outcomes.
///
/// ```
/// use std::time::Duration;
/// use sealnet::sim::{Share, lab::{Attack, Trial}};
///
/// let trial = Trial { nodes: 12, lasts: Duration::from_secs(2), ..Trial::new(Attack::Forge) };
/// let (without, with) = (trial.run(false), trial.run(true));
/// assert_eq!((with.delivered, with.forged_delivered), (without.expected, 0));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// What evil nodes do.
    pub attack: Attack,
    /// How many nodes there are, the first of which is an honest genesis node. 4 at least; a newcomer joins later.
    pub nodes: usize,
    /// Which part of them is evil; at least one node is, and at least two are not.
    pub evil: Share,
    /// What everything random comes from.
    pub seed: u64,
    /// How much of what goes over any link is lost, besides.
    pub loss: Share,
    /// For how long honest nodes publish, one message in a tenth of a second, and evil nodes do what they do.
    pub lasts: Duration,
    /// How long is waited after that for what is still under way, or repaired.
    pub settle: Duration,
}

impl Trial {
    /// Thirty nodes, a fifth of them evil, for twenty seconds.
    pub fn new(attack: Attack) -> Self {
        Trial {
            attack,
            nodes: 30,
            evil: Share::millionths(200_000),
            seed: 0,
            loss: Share::millionths(0),
            lasts: Duration::from_secs(20),
            settle: Duration::from_secs(30),
        }
    }

    /// Plays it: with the attack, or with evil nodes that behave like all others. Takes some seconds.
    pub fn run(&self, attacked: bool) -> Outcome {
        let nodes = self.nodes.max(4);
        let mut sim = Simulation::new(Settings {
            // The newcomer, and somebody who never starts: an address.
            nodes: nodes + 2,
            later: 2,
            seed: self.seed,
            scheme: SchemeKind::Signed,
            overlay: overlay::Settings::lan(),
            conditions: Conditions { loss: self.loss, ..Conditions::default() },
            ..Settings::default()
        });
        let (newcomer, bystander) = (nodes, nodes + 1);
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed ^ PLAN_SEED);
        let evil_count = (nodes * self.evil.as_millionths() as usize / 1_000_000).clamp(1, nodes - 2);
        let mut evil: Vec<usize> = (1..nodes).sample(&mut rng, evil_count);
        evil.sort_unstable();
        let honest: Vec<usize> = (0..=newcomer).filter(|node| !evil.contains(node)).collect();
        let joined = sim.run_until(|sim| (0..nodes).all(|node| sim.member_count(node) >= nodes), JOIN_WITHIN);
        let mut evil = Evil::new(self.attack, evil, bystander, rng.random());
        if attacked {
            evil.begin(&mut sim);
        }
        sim.restart(newcomer);
        let mut published = Vec::new();
        let steps = (self.lasts.as_nanos() / STEP.as_nanos()) as usize;
        for number in 0..steps {
            let sender = honest[number % (honest.len() - 1)];
            let mut message = format!("message {number} ").into_bytes();
            message.resize(SIZE, b'.');
            if let Ok(title) = "lab".parse() {
                published.extend(sim.broadcast_counted(sender, title, message.into(), Lifetime::hours(1), false));
            }
            if attacked {
                evil.act(&mut sim);
            }
            sim.run_for(STEP);
        }
        sim.run_for(self.settle);
        let people = People { honest: &honest, evil: evil.nodes(), newcomer, bystander };
        Outcome::of(&sim, joined, &published, people)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcomes(attack: Attack) -> (Outcome, Outcome) {
        let (lasts, settle) = (Duration::from_secs(4), Duration::from_secs(12));
        let trial = Trial { nodes: 12, seed: 3, lasts, settle, ..Trial::new(attack) };
        (trial.run(false), trial.run(true))
    }

    #[test]
    fn whatever_evil_nodes_do_the_honest_get_everything_once_and_nothing_forged() {
        for attack in Attack::ALL {
            let (without, with) = outcomes(attack);
            assert!(without.joined && with.joined, "{attack:?}");
            for outcome in [&without, &with] {
                assert_eq!(
                    (outcome.delivered, outcome.twice, outcome.forged_delivered),
                    (outcome.expected, 0, 0),
                    "{attack:?} {outcome:?}"
                );
            }
        }
    }

    #[test]
    fn forgers_lose_their_links_and_cost_two_verifications_each_a_neighbour() {
        let (without, with) = outcomes(Attack::Forge);
        assert_eq!(with.evil_links, 0, "{with:?}");
        assert!(without.evil_links > 0);
        let most = 2 * 3 * (with.honest as u64);
        assert!(with.verifications <= without.verifications + most, "{} {}", with.verifications, without.verifications);
    }

    /// Evil nodes are cut off by then, and get things late or never: that is no damage.
    #[test]
    fn latency_is_that_of_the_honest() {
        let (without, with) = outcomes(Attack::Forge);
        assert!(
            with.latency.max < without.latency.max + Duration::from_secs(1),
            "{:?} {:?}",
            with.latency,
            without.latency
        );
    }

    #[test]
    fn what_names_that_nobody_knows_flood_does_not_slow_the_honest() {
        for (attack, seed) in [(Attack::Spam, 4), (Attack::Poison, 0)] {
            let (lasts, settle) = (Duration::from_secs(5), Duration::from_secs(5));
            let trial = Trial { nodes: 20, seed, lasts, settle, ..Trial::new(attack) };
            let p99 = [false, true].map(|attacked| trial.run(attacked).latency.p99);
            assert!(p99[1] < p99[0] + Duration::from_millis(50), "{attack:?}, seed {seed}: {p99:?}");
        }
    }

    #[test]
    fn what_is_replayed_is_verified_no_more() {
        let (without, with) = outcomes(Attack::Replay);
        assert!(with.duplicates > 2 * without.duplicates, "the attack took place: {with:?}");
        assert_eq!(with.verifications, without.verifications);
    }

    #[test]
    fn strangers_with_many_keys_share_one_budget() {
        let (without, with) = outcomes(Attack::Spam);
        let spam = with.kept_of_evil;
        assert!(spam > 0 && with.shed > 0, "{with:?}");
        // A burst of 1,000, and 50 a second.
        assert!(spam <= 1_000 + 50 * 17, "{spam}");
        assert_eq!(without.kept_of_evil, 0);
    }

    #[test]
    fn an_address_that_evil_nodes_name_is_hardly_dialled() {
        let (without, with) = outcomes(Attack::Poison);
        assert_eq!(without.dials_at_bystander, 0);
        assert!(with.members > without.members, "the attack took place: {with:?}");
        assert!(with.dials_at_bystander <= 2 * with.honest as u64, "{}", with.dials_at_bystander);
    }

    #[test]
    fn a_newcomer_among_nodes_that_name_only_each_other_finds_the_honest_ones() {
        let (_, with) = outcomes(Attack::Eclipse);
        assert!(with.newcomer_honest_links > 0, "{with:?}");
    }

    /// Whatever evil neighbours make the honest relay, announce, ask for or lose.
    #[test]
    fn no_honest_node_is_ever_barred_by_another_however_much_is_lost_and_whatever_evil_nodes_do() {
        for (seed, (attack, percent)) in Attack::ALL.into_iter().zip([10, 30, 2, 20, 5]).enumerate() {
            let (seed, loss) = (seed as u64, Share::millionths(percent * 10_000));
            let (lasts, settle) = (Duration::from_secs(4), Duration::from_secs(4));
            let outcome = Trial { nodes: 12, seed, loss, lasts, settle, ..Trial::new(attack) }.run(true);
            assert_eq!(outcome.honest_barred, 0, "{attack:?} {loss:?}");
            assert_eq!(outcome.evil_barred > 0, attack == Attack::Forge, "{attack:?} {outcome:?}");
            assert_eq!((outcome.twice, outcome.forged_delivered), (0, 0), "{attack:?}");
        }
    }

    #[test]
    fn equal_trials_have_equal_outcomes() {
        assert_eq!(outcomes(Attack::Forge), outcomes(Attack::Forge));
    }
}
