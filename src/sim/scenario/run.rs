//! A scenario, played.

use std::time::Duration;

use bytes::Bytes;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;

use super::plan::Plan;
use super::{Report, Scenario};
use crate::sim::{Settings, Simulation};

/// Between two looks at how things are.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Between two looks at whether everybody has everything, which takes longer.
const ACCOUNT_EVERY: Duration = Duration::from_secs(1);
/// Joining is not waited for any longer.
const JOIN_WITHIN: Duration = Duration::from_secs(600);
/// What one does to a network has its own randomness, so that it stays the same whatever the network does.
const PLAN_SEED: u64 = 0x5EA1_0000_0000_0001;

/// How far a run has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is going on.
    pub phase: Phase,
    /// How much of it is done.
    pub done: u64,
    /// Of how much; 0 if that is not known.
    pub of: u64,
    /// Virtual time that has passed.
    pub elapsed: Duration,
}

/// The parts of a run, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Nodes that have joined.
    Joining,
    /// Messages that were published.
    Publishing,
    /// Deliveries, until everybody has everything.
    Settling,
}

impl Scenario {
    /// Plays the scenario; `progress` is told how far it has come. Takes from milliseconds to minutes, and some hundred
    /// kilobytes for each node.
    pub fn run(&self, progress: &mut dyn FnMut(Progress)) -> Report {
        Run::new(self, progress).play()
    }

    fn settings(&self) -> Settings {
        Settings {
            nodes: self.nodes + self.churn,
            genesis: 1,
            later: self.churn,
            seed: self.seed,
            scheme: self.scheme(),
            overlay: self.overlay.clone(),
            start_spread: self.start_spread,
            conditions: self.conditions.clone(),
            ..Settings::default()
        }
    }

    /// Between two messages.
    fn pace(&self) -> Duration {
        Duration::from_secs(1) / self.rate.get()
    }
}

struct Run<'a> {
    scenario: &'a Scenario,
    progress: &'a mut dyn FnMut(Progress),
    sim: Simulation,
    plan: Plan,
    next_sender: usize,
}

impl<'a> Run<'a> {
    fn new(scenario: &'a Scenario, progress: &'a mut dyn FnMut(Progress)) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(scenario.seed ^ PLAN_SEED);
        let lasts = scenario.pace().saturating_mul(u32::try_from(scenario.messages).unwrap_or(u32::MAX));
        let plan = Plan::draw(scenario, lasts, &mut rng);
        Run { scenario, progress, sim: Simulation::new(scenario.settings()), plan, next_sender: 0 }
    }

    fn play(mut self) -> Report {
        let joining = self.join();
        let before = self.sim.traffic();
        self.publish();
        self.settle();
        Report::of(self.scenario, &self.sim, joining, self.sim.traffic() - before)
    }

    fn tell(&mut self, phase: Phase, done: u64, of: u64) {
        (self.progress)(Progress { phase, done, of, elapsed: self.sim.elapsed() });
    }

    /// Waits until every node knows every member, or, if they are too many, as many as it may; and has the links it wants.
    fn join(&mut self) -> Option<Duration> {
        let mut joined = vec![false; self.scenario.nodes];
        while self.sim.elapsed() < JOIN_WITHIN {
            self.sim.run_for(LOOK_EVERY);
            for (node, joined) in joined.iter_mut().enumerate() {
                // Nobody leaves in this phase: who has joined stays so.
                *joined = *joined || self.has_joined(node);
            }
            let count = joined.iter().filter(|joined| **joined).count();
            self.tell(Phase::Joining, count as u64, joined.len() as u64);
            if count == joined.len() {
                return Some(self.sim.elapsed());
            }
        }
        None
    }

    fn has_joined(&self, node: usize) -> bool {
        let nodes = self.scenario.nodes;
        let members = self.scenario.overlay.member_capacity.min(nodes);
        let links = if members < nodes { self.scenario.overlay.target_links } else { 1 };
        self.sim.member_count(node) >= members && self.sim.link_count(node) >= links.min(nodes - 1)
    }

    /// First what nobody measures, then the messages, and while they are published, whatever was planned.
    fn publish(&mut self) {
        let (pace, messages) = (self.scenario.pace(), self.scenario.messages as u64);
        let warm_up = (self.scenario.warm_up.as_nanos() / pace.as_nanos().max(1)) as u64;
        for number in 0..warm_up {
            self.say(number, true);
            self.sim.run_for(pace);
            self.tell(Phase::Publishing, number + 1, warm_up + messages);
        }
        let first = self.sim.elapsed();
        let mut disturbances = std::mem::take(&mut self.plan.disturbances).into_iter().peekable();
        for number in warm_up..warm_up + messages {
            self.say(number, false);
            let next = self.sim.elapsed() + pace;
            while let Some(disturbance) = disturbances.next_if(|disturbance| first + disturbance.after <= next) {
                self.sim.run_for((first + disturbance.after).saturating_sub(self.sim.elapsed()));
                disturbance.deed.befall(&mut self.sim);
            }
            self.sim.run_for(next.saturating_sub(self.sim.elapsed()));
            self.tell(Phase::Publishing, number + 1, warm_up + messages);
        }
        for disturbance in disturbances {
            self.sim.run_for((first + disturbance.after).saturating_sub(self.sim.elapsed()));
            disturbance.deed.befall(&mut self.sim);
        }
    }

    /// Lets the next sender that is up publish a message.
    fn say(&mut self, number: u64, is_warm_up: bool) {
        let count = self.plan.senders.len();
        let turn = (0..count).map(|n| (self.next_sender + n) % count);
        let Some(turn) = turn.into_iter().find(|turn| self.sim.is_running(self.plan.senders[*turn])) else { return };
        self.next_sender = (turn + 1) % count;
        let sender = self.plan.senders[turn];
        if let Ok(title) = "simulation".parse() {
            let message = message(number, self.scenario.size);
            self.sim.broadcast_counted(sender, title, message, self.scenario.lifetime, is_warm_up);
        }
    }

    /// Waits until everybody has everything, if that comes about in time.
    fn settle(&mut self) {
        let until = self.sim.elapsed() + self.scenario.settle;
        loop {
            self.sim.run_for(ACCOUNT_EVERY);
            let account = self.sim.account();
            self.tell(Phase::Settling, account.delivered, account.expected);
            if account.is_complete() || self.sim.elapsed() >= until {
                return;
            }
        }
    }
}

/// A message of `size` bytes that no other equals, if there is room for its number.
fn message(number: u64, size: usize) -> Bytes {
    let mut message = number.to_be_bytes().to_vec();
    message.resize(size, b'.');
    message.into()
}
