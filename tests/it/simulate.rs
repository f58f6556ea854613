//! `sealnet simulate`, seen from outside.
#![cfg(all(unix, feature = "cli"))]

use serde_json::Value;

use super::place::Place;

#[test]
fn a_run_is_told_in_one_object_and_equal_command_lines_give_equal_runs() {
    let place = Place::new();
    let run = |arguments: &str| place.json(&format!("simulate --nodes 20 --messages 20 --warm-up 2s {arguments}"));
    let mut one = run("--loss 2% --crash 2 --seed 7");
    for (key, value) in [("nodes", 20), ("living", 18), ("seed", 7), ("unexplained_missing", 0), ("duplicates", 0)] {
        assert_eq!(one[key], value, "{one}");
    }
    assert_eq!((&one["expected"], &one["complete"]), (&one["delivered"], &true.into()));
    for (key, sub) in [
        ("latency_ms", ["p50", "p99", "max"]),
        ("last_hop", ["min", "mean", "max"]),
        ("links", ["min", "mean", "max"]),
        ("members", ["min", "mean", "max"]),
        ("bytes", ["messages", "ids", "repair"]),
    ] {
        assert!(sub.iter().all(|sub| one[key][sub].is_number()), "{key} in {one}");
    }
    for key in ["redundancy", "redundancy_steady", "bytes_per_delivery", "joining_ms", "virtual_s", "took_s"] {
        assert!(one[key].is_number(), "{key} in {one}");
    }
    assert!(one["explained"].is_object() && one["digest"].as_str().is_some_and(|digest| digest.len() == 64));
    let mut other = run("--loss 2% --crash 2 --seed 7");
    // How long it took is the one thing that may differ.
    (one["took_s"], other["took_s"]) = (Value::Null, Value::Null);
    assert_eq!(one, other);
    assert_ne!(one["digest"], run("--loss 2% --crash 2 --seed 8")["digest"]);
}

#[test]
fn everybody_may_send_and_people_get_a_table_and_curves() {
    let place = Place::new();
    let printed = place.done("simulate --nodes 12 --senders all --messages 12 --warm-up 1s --svg curves.svg");
    for words in ["nodes", "12, 12 up at the end, signed", "unexplained  0", "complete", "digest"] {
        assert!(printed.contains(words), "no {words:?} in: {printed}");
    }
    let drawn = std::fs::read_to_string(place.path("curves.svg")).unwrap();
    assert!(drawn.starts_with("<svg ") && drawn.contains("Latency") && drawn.contains("Redundancy"));
    place.fails("simulate --nodes 2 --messages 1 --warm-up 0s --svg none/curves.svg", 1, &["none/curves.svg"]);
}
