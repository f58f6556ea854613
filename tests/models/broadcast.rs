//! Broadcast and repair: each node is given each message once, no message goes round in circles, and in the end everybody
//! has everything; whatever the order.

use std::time::Duration;

use sealnet::overlay::Broadcast;

use crate::at_length;
use crate::search::{Event, Scene};
use crate::world::World;

fn line() -> World {
    World::new(3, &[(0, 1), (1, 2)], Broadcast::Auto)
}

fn triangle() -> World {
    World::new(3, &[(0, 1), (1, 2), (2, 0)], Broadcast::Auto)
}

fn ring() -> World {
    World::new(4, &[(0, 1), (1, 2), (2, 3), (3, 0)], Broadcast::Auto)
}

fn star() -> World {
    World::new(4, &[(0, 1), (0, 2), (0, 3)], Broadcast::Auto)
}

fn everyone() -> World {
    World::new(4, &[(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)], Broadcast::Auto)
}

/// A line in which one link carries ids only: what comes over it has to be asked for.
fn pruned_line() -> World {
    pruned(line())
}

/// The same with a triangle, where contents come another way as well.
fn pruned_triangle() -> World {
    pruned(triangle())
}

/// And with a ring.
fn pruned_ring() -> World {
    pruned(ring())
}

fn pruned(mut world: World) -> World {
    world.ask_for_ids((0, 1));
    world.ask_for_ids((1, 0));
    // Both have understood, and a moment has passed.
    let since = world.time();
    world.run_fairly(|world| world.time() > since + Duration::from_secs(2));
    world
}

/// Nothing is lost: one copy on a wire is enough, and nobody waits for anything.
fn undisturbed(world: fn() -> World, events: Vec<Event>) -> Scene {
    Scene { world, events, drops: 0, time: 0, depth: usize::MAX, copies: 1, within: Duration::ZERO }
}

/// Something is lost: it comes again, and within two rounds of comparing everybody has it.
fn disturbed(world: fn() -> World, events: Vec<Event>, drops: usize, time: usize, depth: usize) -> Scene {
    // A link that was made again may carry again what was lost on the former one.
    Scene { world, events, drops, time, depth, copies: 2, within: Duration::from_secs(30) }
}

/// Searches, and asserts that at least so many orders were there to be tried.
fn hold(what: &str, scene: &Scene, at_least: u64) {
    let found = scene.search();
    println!(
        "{what}: {} orders, {} of them chosen to their end, {} events tried, up to {} chosen; all had all {} ms after",
        found.orders,
        found.complete,
        found.events,
        found.longest,
        found.latest.as_millis()
    );
    assert!(found.orders >= at_least, "the search has become smaller: {what}");
}

#[test]
fn three_nodes_are_given_each_message_once_in_every_order() {
    let two = || vec![Event::Broadcast(0), Event::Broadcast(2)];
    hold("a line, two say something", &undisturbed(line, two()), 4);
    hold("a triangle, one says something", &undisturbed(triangle, vec![Event::Broadcast(0)]), 3);
    hold("a triangle, two say something", &undisturbed(triangle, two()), 72);
}

#[test]
fn four_nodes_are_given_each_message_once_in_every_order() {
    let two = || vec![Event::Broadcast(0), Event::Broadcast(2)];
    hold("a ring, one says something", &undisturbed(ring, vec![Event::Broadcast(0)]), 4);
    hold("a ring, two say something", &undisturbed(ring, two()), 80);
    hold("a star, two say something", &undisturbed(star, vec![Event::Broadcast(0), Event::Broadcast(1)]), 3);
    hold("everyone with everyone, one says something", &undisturbed(everyone, vec![Event::Broadcast(0)]), 80);
}

#[test]
fn ids_and_contents_end_in_one_delivery_in_every_order() {
    let further = if at_length() { 4 } else { 0 };
    let events = || vec![Event::Broadcast(0)];
    hold("a line with a pruned link", &disturbed(pruned_line, events(), 0, 5, 10 + further), 100);
    hold("a triangle with a pruned link", &disturbed(pruned_triangle, events(), 0, 4, 9 + further), 1_000);
    hold("a ring with a pruned link", &disturbed(pruned_ring, events(), 0, 4, 8 + further), 2_000);
}

#[test]
fn what_a_full_queue_dropped_is_repaired_in_every_order() {
    let further = if at_length() { 4 } else { 0 };
    hold("a line, one copy dropped", &disturbed(line, vec![Event::Broadcast(0)], 1, 2, 12 + further), 20);
    hold("a triangle, two copies dropped", &disturbed(triangle, vec![Event::Broadcast(0)], 2, 1, 9 + further), 100);
    hold("a ring, two copies dropped", &disturbed(ring, vec![Event::Broadcast(0)], 2, 0, 8 + further), 100);
}

#[test]
fn what_was_said_while_a_link_was_cut_is_repaired_in_every_order() {
    let further = if at_length() { 3 } else { 0 };
    let events = || vec![Event::Cut(1, 2), Event::Broadcast(0), Event::Broadcast(2), Event::Link(1, 2)];
    hold("a line, cut and mended", &disturbed(line, events(), 0, 0, 9 + further), 119);
    hold("a triangle, cut and mended", &disturbed(triangle, events(), 0, 0, 8 + further), 119);
    hold("a ring, cut and mended", &disturbed(ring, events(), 0, 0, 8 + further), 783);
}
