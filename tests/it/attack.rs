//! `sealnet attack`, seen from outside.
#![cfg(all(unix, feature = "cli"))]

use serde_json::Value;

use super::place::Place;

#[test]
fn damage_stands_beside_the_same_run_without_the_attack() {
    let place = Place::new();
    let run = || place.json("attack forge --nodes 8 --evil 25% --for 2s --seed 3");
    let object = run();
    assert_eq!((&object["attack"], &object["evil"], &object["honest"]), (&"forge".into(), &2.into(), &7.into()));
    for side in ["without", "with"] {
        let side = &object[side];
        assert_eq!(
            (&side["delivered"], &side["twice"], &side["forged"]),
            (&side["expected"], &0.into(), &0.into()),
            "{object}"
        );
        assert!(side["p99_ms"].is_number() && side["verifications"].is_number(), "{object}");
    }
    assert_eq!(object["without"]["bad-signature"], 0);
    assert!(object["with"]["bad-signature"].as_u64() > Some(0), "the attack took place: {object}");
    assert_eq!(object, run());
}

#[test]
fn people_get_two_columns_and_nonsense_is_refused() {
    let place = Place::new();
    let printed = place.done("attack replay --nodes 6 --for 1s");
    let heads = printed.lines().nth(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    assert_eq!(heads, Some(vec!["without", "with"]), "{printed}");
    assert!(printed.contains("the honest got everything, once, and nothing forged"), "{printed}");
    assert!(printed.lines().all(|line| line.chars().count() <= 80), "{printed}");
    for wrong in
        ["attack", "attack tickle", "attack forge --nodes 3", "attack forge --for 1h", "attack forge --evil 200%"]
    {
        place.fails(wrong, 2, &[]);
    }
}

#[test]
fn a_neighbour_that_reads_next_to_nothing_keeps_nothing_from_the_others() {
    let place = Place::new();
    let object: Value = place.json("attack slow-reader --nodes 5 --for 1s");
    assert_eq!(object["with"]["delivered"], object["with"]["expected"], "{object}");
    assert_eq!(object["with"]["twice"], 0);
}
