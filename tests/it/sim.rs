//! Whole networks in virtual time.

use std::time::Duration;

use sealnet::sim::{Settings, Simulation};

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = |seed| {
        let mut sim = Simulation::new(Settings { nodes: 12, seed, ..Settings::default() });
        sim.run_for(Duration::from_secs(5));
        sim.broadcast(3, "t".parse().unwrap(), "hello").unwrap();
        sim.run_for(Duration::from_secs(5));
        sim.digest()
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}
