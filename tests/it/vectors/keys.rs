//! `keys.json`: which public keys are accepted (protocol, section 6).

use sealnet::identity::{NodeId, PublicKey};
use serde::Serialize;

use super::forger::{Forger, low_order, order_8};
use super::shown::Shown;
use super::{A, AUTHORITY, B, id, key_reason, published};

#[derive(Serialize)]
struct File {
    valid: Vec<Valid>,
    invalid: Vec<Invalid>,
}

#[derive(Serialize)]
struct Valid {
    seed: Shown,
    id: Shown,
}

#[derive(Serialize)]
struct Invalid {
    id: Shown,
    reason: &'static str,
}

#[test]
fn the_published_keys_are_judged_as_the_files_say() {
    let seeds = [[0; 32], A, B, AUTHORITY, [0xFF; 32]];
    let valid = seeds.map(|seed| {
        PublicKey::decode(&id(&seed)).unwrap();
        Valid { seed: Shown::from(&seed), id: id(&seed).as_bytes().into() }
    });
    let invalid = refused().into_iter().map(|id| {
        let error = PublicKey::decode(&NodeId::from_bytes(id)).unwrap_err();
        Invalid { id: Shown::from(&id), reason: key_reason(error) }
    });
    published("keys.json", &File { valid: valid.into(), invalid: invalid.collect() });
}

/// Keys for each of the four reasons.
fn refused() -> Vec<[u8; 32]> {
    // Numbers from p to 2^255 - 1 are y - p in another spelling: y = p, p + 1, and the last two.
    let above = |low: u8, sign: u8| {
        let mut key = [0xFF; 32];
        (key[0], key[31]) = (low, 0x7F | sign);
        key
    };
    let mut keys = low_order().to_vec();
    keys.extend(
        [(0xED, 0), (0xED, 0x80), (0xEE, 0), (0xF0, 0), (0xF1, 0x80), (0xFF, 0), (0xFF, 0x80)]
            .map(|(l, s)| above(l, s)),
    );
    // x = 0 with its sign bit set: y = 1 and y = -1.
    for (first, middle, last) in [(0x01, 0x00, 0x80), (0xEC, 0xFF, 0xFF)] {
        let mut key = [middle; 32];
        (key[0], key[31]) = (first, last);
        keys.push(key);
    }
    // y = 2, 7 and 8 are on no point.
    keys.extend([2, 7, 8].map(|y| {
        let mut key = [0; 32];
        key[0] = y;
        key
    }));
    let forger = Forger::new(&A);
    let mut torsion = order_8();
    for _ in 1..8 {
        keys.push(*forger.id_with(torsion).as_bytes());
        torsion += order_8();
    }
    keys
}
