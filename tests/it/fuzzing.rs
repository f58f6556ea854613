//! The doors by which bytes of a stranger come in (`tests/entries`): what fuzzing tries for minutes and hours, tried here
//! for a moment each time, from the same list.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::entries::ALL;
use crate::parsers::damage;

/// So many inputs for each door. Files and signatures make some of them slow.
const CASES: u32 = 150;

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
        let seeds = (entry.seeds)();
        let one = (prop::sample::select(seeds), damage()).prop_map(|(seed, damage)| damage.to(&seed));
        let run = |bytes: Vec<u8>| {
            (entry.run)(&bytes);
            Ok(())
        };
        let mut runner = TestRunner::new(Config { cases: CASES, failure_persistence: None, ..Config::default() });
        if let Err(error) = runner.run(&one, run) {
            panic!("{}: {error}", entry.name);
        }
    }
}

#[test]
fn no_bytes_at_all_break_anything() {
    for entry in ALL {
        let mut runner = TestRunner::new(Config { cases: CASES, failure_persistence: None, ..Config::default() });
        let run = |bytes: Vec<u8>| {
            (entry.run)(&bytes);
            Ok(())
        };
        if let Err(error) = runner.run(&prop::collection::vec(any::<u8>(), 0..400), run) {
            panic!("{}: {error}", entry.name);
        }
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
    assert_eq!(manifest.matches("[[bin]]").count(), names.len());
}
