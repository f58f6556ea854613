//! The doors by which bytes of a stranger come in (`tests/entries`): what fuzzing tries for minutes and hours, tried here
//! for a moment each time, from the same list. `SEALNET_CASES=100000` tries so many inputs at each.

use std::time::Instant;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::damage::damage;
use crate::entries::{ALL, Entry};

/// So many inputs for each door, unless the environment says otherwise. Files, signatures and requests make some slow.
const CASES: u32 = 150;

fn cases() -> u32 {
    std::env::var("SEALNET_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(CASES)
}

/// Tries inputs at a door, and names it and the smallest input that breaks something there.
fn knock(entry: &Entry, inputs: &impl Strategy<Value = Vec<u8>>) {
    let mut runner = TestRunner::new(Config { cases: cases(), failure_persistence: None, ..Config::default() });
    let since = Instant::now();
    let outcome = runner.run(inputs, |bytes: Vec<u8>| {
        (entry.run)(&bytes);
        Ok(())
    });
    println!("{}: {} inputs in {} ms", entry.name, cases(), since.elapsed().as_millis());
    if let Err(error) = outcome {
        panic!("{}: {error}", entry.name);
    }
}

#[test]
fn every_door_takes_its_seeds() {
    for entry in ALL {
        let seeds = (entry.seeds)();
        assert!(!seeds.is_empty(), "{} has no seeds", entry.name);
        for seed in seeds.iter().chain([&Vec::new()]) {
            (entry.run)(seed);
        }
    }
}

#[test]
fn no_damage_to_what_is_taken_breaks_anything() {
    for entry in ALL {
        let damaged = (prop::sample::select((entry.seeds)()), damage()).prop_map(|(seed, damage)| damage.to(&seed));
        knock(entry, &damaged);
    }
}

#[test]
fn no_bytes_at_all_break_anything() {
    for entry in ALL {
        knock(entry, &prop::collection::vec(any::<u8>(), 0..400));
    }
}

#[test]
fn every_door_has_a_fuzz_target() {
    let fuzz = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let manifest = std::fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
    let names: Vec<&str> = ALL.iter().map(|entry| entry.name).collect();
    for name in &names {
        assert!(manifest.contains(&format!("name = \"{name}\"\n")), "{name} is not in fuzz/Cargo.toml");
        let target = std::fs::read_to_string(fuzz.join("fuzz_targets").join(format!("{name}.rs"))).unwrap();
        assert_eq!(target.matches(&format!("\"{name}\"")).count(), 2, "{name}'s target knocks at another door");
    }
    assert!(manifest.matches("[[bin]]").count() >= names.len());
}
