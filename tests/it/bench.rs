//! `sealnet bench` in its smallest form: everything is counted, and the object says it.
#![cfg(all(unix, feature = "cli"))]

use serde_json::Value;

use crate::place::Place;

/// The median of a metric, which lies between the least and the most.
#[track_caller]
fn median(result: &Value, metric: &str) -> f64 {
    let [median, min, max] = ["median", "min", "max"]
        .map(|name| result[metric][name].as_f64().unwrap_or_else(|| panic!("no {name} of {metric} in {result}")));
    assert!(min <= median && median <= max, "{metric}: {min} {median} {max}");
    median
}

#[test]
fn every_delivery_is_counted_and_what_it_cost() {
    let place = Place::new();
    let object = place.json("bench W2 W3 --quick --nodes 3,4 --rounds 2 --svg curves");
    assert_eq!((&object["missing"], &object["double"], &object["altered"]), (&0.into(), &0.into(), &0.into()));
    let results = object["results"].as_array().unwrap();
    let cases: Vec<_> = results.iter().map(|result| (result["case"].as_str().unwrap(), &result["nodes"])).collect();
    let [three, four] = [Value::from(3), Value::from(4)];
    let expected = ["W2 closed", "W2 open", "W2 judged", "W3"].map(|case| [(case, &three), (case, &four)]);
    assert_eq!(cases, expected.concat());
    for result in results {
        let nodes = result["nodes"].as_u64().unwrap();
        // 10 messages of warm-up and 200 at every node, in two rounds.
        assert_eq!((&result["rounds"], &result["expected"]), (&2.into(), &(nodes * 210 * 2).into()));
        assert_eq!((&result["missing"], &result["double"], &result["altered"]), (&0.into(), &0.into(), &0.into()));
        for metric in ["messages_per_s", "deliveries_per_s", "cpu_us_per_delivery", "verify_us", "latency_p50_ms"] {
            assert!(median(result, metric) > 0.0, "{metric}");
        }
        let cost = median(result, "cpu_us_per_delivery") / median(result, "verify_us");
        assert!((median(result, "cpu_per_verification") / cost - 1.0).abs() < 0.5, "{result}");
        // What is counted, not timed: one verification and at least one copy a delivery, whole envelopes on the wire. A
        // few presences go along with the messages.
        assert!((1.0..1.5).contains(&median(result, "verifications_per_delivery")), "{result}");
        let (copies, wire) = (median(result, "copies_per_delivery"), median(result, "wire_bytes_per_delivery"));
        assert!(copies >= 1.0 && wire > 375.0 && wire < 1.5 * 400.0 * copies, "{result}");
        assert_eq!(median(result, "links_per_node"), (nodes - 1) as f64);
    }
    for curve in ["messages_per_s", "cpu_us_per_delivery", "wire_bytes_per_delivery", "join_ms"] {
        let svg = std::fs::read_to_string(place.path(&format!("curves/{curve}.svg"))).unwrap();
        assert!(svg.starts_with("<svg") && svg.contains("W2 closed") && svg.contains("nodes"), "{svg}");
    }
}

#[test]
fn the_log_on_disk_is_measured_with_every_message_found_again() {
    let place = Place::new();
    let object = place.json("bench W8 --quick --dir .");
    let result = &object["results"][0];
    // Found again twice: after the log was closed, and after a crash.
    assert_eq!((&result["expected"], &result["missing"]), (&(2 * 5_000).into(), &0.into()));
    for metric in ["appends_per_s", "append_p99_ms", "cold_start_ms", "crash_start_ms", "log_file_mib"] {
        assert!(median(result, metric) > 0.0, "{metric}");
    }
    let left: Vec<_> = std::fs::read_dir(place.path(".")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["config"], "the bench leaves files behind");
}

#[test]
fn what_neighbours_ask_is_measured_with_every_answer_compared() {
    let object = Place::new().json("bench W7 --quick");
    let result = &object["results"][0];
    assert_eq!((&result["expected"], &result["missing"], &result["altered"]), (&1_010.into(), &0.into(), &0.into()));
    for metric in ["fetch_10mb_ms", "requests_per_s"] {
        assert!(median(result, metric) > 0.0, "{metric}");
    }
}

#[test]
fn thirty_two_who_forge_are_barred_after_two_signatures_each_and_everything_arrives() {
    let object = Place::new().json("bench W10 --quick");
    let result = &object["results"][0];
    // 10 messages of warm-up, 20 without and 20 with forgers, at each of 4 nodes.
    assert_eq!((&result["expected"], &result["missing"], &result["double"]), (&200.into(), &0.into(), &0.into()));
    // Two bad signatures of each, and what the nodes say of themselves meanwhile.
    let beyond = median(result, "verifications_beyond");
    assert!((1.0..=64.0 + 40.0).contains(&beyond), "{result}");
    assert!(median(result, "latency_p99_without_ms") > 0.0 && median(result, "latency_p99_ms") > 0.0);
}

#[test]
fn a_table_says_what_was_measured_and_a_wrong_workload_is_named() {
    let place = Place::new();
    let output = place.run("bench W5 --quick --nodes 3");
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{table}");
    for words in ["W5 (join", "links/node", "2.0", "all joined, ms"] {
        assert!(table.contains(words), "no {words:?} in {table}");
    }
    place.fails("bench W11", 2, &["W1, W2, W3", "all"]);
}
