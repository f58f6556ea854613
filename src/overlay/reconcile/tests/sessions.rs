//! Ids that were made to deceive fingerprints, and windows of unusual shapes.

use std::collections::BTreeSet;
use std::time::Duration;

use super::net::{Net, START, history, id};
use crate::envelope::{EnvelopeId, Lifetime, Timestamp};
use crate::overlay::Seen;

const SECOND: Duration = Duration::from_secs(1);

/// An id with a number that Negentropy adds to others, and something of its own besides.
fn ground(own: u64, number: u64) -> EnvelopeId {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&own.to_be_bytes());
    bytes[16..24].copy_from_slice(&number.to_le_bytes());
    EnvelopeId::from_bytes(bytes)
}

fn seen(micros: u64, id: EnvelopeId) -> Seen {
    let time = Timestamp::from_micros((START - 3_600) * 1_000_000 + micros).unwrap();
    Seen { id, sender: self::id(9), time, lifetime: Lifetime::hours(10) }
}

/// Two nodes with `common` ids; each has 16 ids the other lacks, at the same times, in such a way that all sums over
/// neighbouring ids agree. Gives what node 0 asked node 1 for in `span`, and how often it was deceived.
fn deceived(common: u64, span: Duration) -> (BTreeSet<EnvelopeId>, u64) {
    let mut net = Net::new(2);
    for n in 0..common {
        // Each at a time of its own, pairs next to each other.
        for (node, (a, b)) in [(0, (100, 300)), (1, (150, 250))] {
            let core = net.nodes[node].core.get_mut();
            let is_ground = n % (common / 16) == 7;
            let (a, b) = if is_ground { (a, b) } else { (1, 1) };
            core.remember(&seen(n * 10, ground(n * 2, a)));
            core.remember(&seen(n * 10, ground(n * 2 + 1, b)));
        }
    }
    net.link(0, 1);
    net.run(span);
    let counts = net.counts(0);
    assert_eq!(counts.absent, counts.asked - 1, "all but the other's presence were made up");
    let ground = (0..common).flat_map(|n| [ground(n * 2, 150), ground(n * 2 + 1, 250)]);
    (ground.filter(|id| net.was_absent(0, 1, *id)).collect(), counts.deceived)
}

#[test]
fn ground_ids_whose_fingerprints_agree_are_found_by_lists_and_counted() {
    let (asked, deceived) = deceived(480, 3 * SECOND);
    assert_eq!(asked.len(), 32);
    assert_eq!(deceived, 1);
}

#[test]
fn many_ground_ids_are_found_by_halving_first() {
    // So many sessions take their time: 19 frames a second.
    let (asked, deceived) = deceived(6_400, 9 * SECOND);
    assert_eq!(asked.len(), 32);
    assert!(deceived > 16, "{deceived}");
}

#[test]
fn more_ids_of_one_microsecond_than_a_window_holds_do_not_stop_what_is_older() {
    let all = history(100);
    let mut net = Net::new(2);
    for n in 0..2 {
        let core = net.nodes[n].core.get_mut();
        (0..40_000).for_each(|own| core.remember(&seen(3_000_000_000, ground(own, n as u64 + 5))));
    }
    net.knows(1, all.iter().cloned());
    net.link(0, 1);
    net.run(120 * SECOND);
    let delivered: BTreeSet<_> = net.nodes[0].delivered.iter().copied().collect();
    assert!(all.iter().all(|envelope| delivered.contains(&envelope.id())), "{}", delivered.len());
}
