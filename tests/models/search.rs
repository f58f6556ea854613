//! Every order of events, each essentially different one once.
//!
//! Two events that touch different nodes may change places, and nothing comes out differently. So of the orders that
//! differ only by such changes one is enough; sleep sets find it (P. Godefroid: Partial-Order Methods for the
//! Verification of Concurrent Systems, 1996). Cores cannot be copied: every order is played from the beginning.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::world::{Wire, World};

/// Something that may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Event {
    /// The next frame on a wire arrives.
    Deliver(Wire),
    /// The next frame on a wire, a broadcast, finds the queue full.
    Drop(Wire),
    /// A node says something.
    Broadcast(usize),
    /// A connection breaks.
    Cut(usize, usize),
    /// Two nodes are linked again; the first one dials.
    Link(usize, usize),
    /// Time passes until a core wants to be woken.
    Time,
}

/// A world, and what may happen in it besides that frames arrive.
pub(crate) struct Scene {
    pub(crate) world: fn() -> World,
    /// Each happens once, at any time, in any order with the others; a link that is not there is not cut, and one that
    /// is there not made again.
    pub(crate) events: Vec<Event>,
    /// How many broadcasts queues may drop.
    pub(crate) drops: usize,
    /// How often time passes while frames are held back.
    pub(crate) time: usize,
    /// How many of an order's events are chosen; what follows comes in a fair order.
    pub(crate) depth: usize,
    /// No more copies of one envelope on one wire.
    pub(crate) copies: u32,
    /// How long the fair order may take until everybody has everything.
    pub(crate) within: Duration,
}

/// What a search has seen.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Orders played to their end.
    pub(crate) orders: u64,
    /// Of them, those all of whose events were chosen.
    pub(crate) complete: u64,
    pub(crate) events: u64,
    /// The longest order of chosen events.
    pub(crate) longest: usize,
    /// The latest that everybody had everything, after the last chosen event.
    pub(crate) latest: Duration,
}

impl Scene {
    pub(crate) fn search(&self) -> Found {
        let mut found = Found::default();
        self.explore(&mut Vec::new(), Some((self.world)()), BTreeSet::new(), &mut found);
        found
    }

    /// Plays all that can follow `path`. `world`: as it is after it, if it is at hand.
    fn explore(&self, path: &mut Vec<Event>, world: Option<World>, asleep: BTreeSet<Event>, found: &mut Found) {
        let mut world = Some(world.unwrap_or_else(|| self.replay(path)));
        let possible = world.as_ref().map(|world| self.possible(world, path)).unwrap_or_default();
        if possible.is_empty() || path.len() == self.depth {
            found.complete += u64::from(possible.is_empty());
            if let Some(world) = world {
                self.end(world, path, found);
            }
            return;
        }
        let mut tried = asleep;
        for event in possible {
            if tried.contains(&event) {
                continue;
            }
            let asleep = tried.iter().filter(|other| are_independent(event, **other)).copied().collect();
            // The world at hand serves the first; for the others it is made again.
            let mut here = world.take().unwrap_or_else(|| self.replay(path));
            happen(&mut here, event);
            found.events += 1;
            self.check(&here, path, event);
            path.push(event);
            self.explore(path, Some(here), asleep, found);
            path.pop();
            tried.insert(event);
        }
    }

    fn replay(&self, path: &[Event]) -> World {
        let mut world = (self.world)();
        path.iter().for_each(|event| happen(&mut world, *event));
        world
    }

    fn possible(&self, world: &World, path: &[Event]) -> Vec<Event> {
        let mut all: Vec<Event> = world.busy().map(Event::Deliver).collect();
        let drops = path.iter().filter(|event| matches!(event, Event::Drop(_))).count();
        if drops < self.drops {
            all.extend(world.busy().filter(|wire| world.brings_broadcast(*wire)).map(Event::Drop));
        }
        let makes_sense = |event: &Event| match *event {
            Event::Cut(a, b) => world.is_linked(a, b),
            Event::Link(a, b) => !world.is_linked(a, b),
            _ => true,
        };
        all.extend(self.events.iter().copied().filter(|event| !path.contains(event) && makes_sense(event)));
        let waited = path.iter().filter(|event| **event == Event::Time).count();
        // A link is not held up so long that it counts as dead.
        if waited < self.time && world.next_timer() < Duration::from_secs(1) {
            all.push(Event::Time);
        }
        all
    }

    fn check(&self, world: &World, path: &[Event], event: Event) {
        world.assert_delivered_once();
        let most = world.copies.values().max().copied().unwrap_or_default();
        assert!(most <= self.copies, "{most} copies of one envelope on one wire, after {path:?} {event:?}");
    }

    /// What was chosen is over: the rest of the scene happens, and everything takes its course.
    fn end(&self, mut world: World, path: &[Event], found: &mut Found) {
        for event in self.events.iter().filter(|event| !path.contains(event)) {
            match *event {
                Event::Cut(a, b) if !world.is_linked(a, b) => {}
                Event::Link(a, b) if world.is_linked(a, b) => {}
                event => happen(&mut world, event),
            }
        }
        let began = world.time();
        world.run_fairly(|world| world.all_have_all() || world.time() > began + self.within);
        assert!(world.all_have_all(), "after {:?} somebody lacks something, after {path:?}", self.within);
        self.check(&world, path, Event::Time);
        found.orders += 1;
        found.longest = found.longest.max(path.len());
        found.latest = found.latest.max(world.time() - began);
    }
}

fn happen(world: &mut World, event: Event) {
    match event {
        Event::Deliver(wire) => world.deliver(wire),
        Event::Drop(wire) => world.drop_broadcast(wire),
        Event::Broadcast(node) => world.broadcast(node),
        Event::Cut(a, b) => world.cut(a, b),
        Event::Link(a, b) => world.link(a, b),
        Event::Time => world.pass_time(),
    }
}

/// The nodes that an event touches; `None`: all.
fn touched(event: Event) -> Option<[usize; 2]> {
    match event {
        Event::Deliver((_, to)) => Some([to, to]),
        Event::Broadcast(node) => Some([node, node]),
        Event::Drop((a, b)) | Event::Cut(a, b) | Event::Link(a, b) => Some([a, b]),
        Event::Time => None,
    }
}

fn are_independent(one: Event, other: Event) -> bool {
    match (touched(one), touched(other)) {
        (Some(one), Some(other)) => one.iter().all(|node| !other.contains(node)),
        _ => false,
    }
}
