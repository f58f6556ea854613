//! `reconcile.json`: the steps of a session, digests, and the messages inside (protocol, section 8).

use bytes::Bytes;
use negentropy::{Id, Negentropy, NegentropyStorageVector};
use sealnet::envelope::EnvelopeId;
use sealnet::wire::{
    Frame, Reconcile, ReconcileAccept, ReconcileEnd, ReconcileOpen, ReconcileSet, ReconcileSide, ReconcileStep,
};
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::published;
use super::shown::Shown;

#[derive(Serialize)]
struct File {
    steps: Vec<Step>,
    invalid: Vec<Invalid>,
    comparisons: Vec<Comparison>,
}

#[derive(Serialize)]
struct Step {
    what: &'static str,
    session: u16,
    fields: Value,
    body: Shown,
}

#[derive(Serialize)]
struct Invalid {
    what: &'static str,
    body: Shown,
    reason: &'static str,
}

#[derive(Serialize)]
struct Comparison {
    what: &'static str,
    opener: Vec<Item>,
    responder: Vec<Item>,
    opener_digest: Shown,
    responder_digest: Shown,
    /// The opener's first message, and the responder's answer.
    query: Shown,
    answer: Shown,
    /// The opener's plain list, for ids that deceive fingerprints.
    list: Shown,
}

#[derive(Clone, Serialize)]
struct Item {
    time: String,
    id: Shown,
}

fn body(reconcile: &Reconcile) -> Bytes {
    match reconcile.to_frame() {
        Frame::Reconcile(body) => body,
        other => panic!("{other:?}"),
    }
}

fn step(what: &'static str, session: u16, step: ReconcileStep, fields: Value) -> Step {
    let reconcile = Reconcile { session, step };
    let body = body(&reconcile);
    assert_eq!(Reconcile::decode(body.clone()), Ok(reconcile));
    Step { what, session, fields, body: Shown(body.to_vec()) }
}

fn steps() -> Vec<Step> {
    let (from, to, alive) = (1_699_996_520_000_000, 1_700_000_120_000_001, 1_700_000_000_000_000);
    let open = ReconcileOpen { set: ReconcileSet::Messages, from, to, alive, digest: [7; 32], count: 3 };
    let accept = ReconcileAccept { from, to, digest: [8; 32], count: 5 };
    let message = Bytes::from_static(&[0x61, 0, 0, 2, 0]);
    let ids = [EnvelopeId::from_bytes([1; 32]), EnvelopeId::from_bytes([2; 32])];
    let opened = |set: u8, open: &ReconcileOpen| {
        json!({"step": 1, "set": set, "from": open.from.to_string(), "to": open.to.to_string(),
            "alive": open.alive.to_string(), "digest": Shown(open.digest.to_vec()), "count": open.count})
    };
    let extreme =
        ReconcileOpen { set: ReconcileSet::Members, from: 0, to: u64::MAX, alive: 0, digest: [0; 32], count: u32::MAX };
    vec![
        step("OPEN of messages", 0x0102, ReconcileStep::Open(open), opened(0, &open)),
        step("OPEN of slots with the highest numbers", u16::MAX, ReconcileStep::Open(extreme), opened(1, &extreme)),
        step(
            "ACCEPT",
            0x0102,
            ReconcileStep::Accept(accept),
            json!({"step": 0x81, "from": from.to_string(), "to": to.to_string(), "digest": Shown(vec![8; 32]), "count": 5}),
        ),
        step(
            "the opener's message",
            1,
            ReconcileStep::Query(message.clone()),
            json!({"step": 2, "bytes": Shown(message.to_vec())}),
        ),
        step(
            "the responder's",
            1,
            ReconcileStep::Answer(message.clone()),
            json!({"step": 0x82, "bytes": Shown(message.to_vec())}),
        ),
        step(
            "END by the opener",
            7,
            ReconcileStep::End(ReconcileSide::Opener, ReconcileEnd::Done),
            json!({"step": 3, "why": 0}),
        ),
        step(
            "END by the responder",
            7,
            ReconcileStep::End(ReconcileSide::Responder, ReconcileEnd::Busy),
            json!({"step": 0x83, "why": 3}),
        ),
        step(
            "END for a reason of a later version",
            7,
            ReconcileStep::End(ReconcileSide::Responder, ReconcileEnd::Unknown(200)),
            json!({"step": 0x83, "why": 200}),
        ),
        step(
            "OFFER",
            7,
            ReconcileStep::Offer(ids.into_iter().collect()),
            json!({"step": 4, "bytes": Shown([[1; 32], [2; 32]].concat())}),
        ),
    ]
}

fn invalid() -> Vec<Invalid> {
    let open = [&[1, 0, 0][..], &[0; 61]].concat();
    let cases = [
        ("nothing", vec![]),
        ("no session", vec![3, 0]),
        ("step 0", vec![0, 0, 0, 0]),
        ("OFFER by the responder", vec![0x84, 0, 0]),
        ("OPEN a byte too short", open[..63].to_vec()),
        ("OPEN a byte too long", [&open[..], &[0]].concat()),
        ("OPEN of set 2", [&open[..3], &[2], &open[4..]].concat()),
        ("ACCEPT a byte too short", [&[0x81, 0, 0][..], &[0; 51]].concat()),
        ("END without a reason", vec![3, 0, 0]),
        ("END with two", vec![0x83, 0, 0, 0, 0]),
        ("OFFER of half an id", [&[4, 0, 0][..], &[5; 16]].concat()),
        ("OFFER of 1,001 ids", [&[4, 0, 0][..], &[5; 32 * 1_001]].concat()),
        ("a message of 60,001 bytes", [&[2, 0, 0][..], &[0x61; 60_001]].concat()),
    ];
    let invalid = |(what, body): (&'static str, Vec<u8>)| {
        Reconcile::decode(body.clone().into()).expect_err(what);
        Invalid { what, body: Shown(body), reason: "grammar" }
    };
    cases.into_iter().map(invalid).collect()
}

type Ids = Vec<(u64, [u8; 32])>;

fn ids(numbers: impl IntoIterator<Item = u8>) -> Ids {
    // Two of each time.
    let at = |n: u8| 1_700_000_000_000_000 + u64::from(n / 2) * 1_000_003;
    numbers.into_iter().map(|n| (at(n), Sha256::digest([n]).into())).collect()
}

fn digest(ids: &Ids) -> Shown {
    let mut sorted: Vec<[u8; 32]> = ids.iter().map(|(_, id)| *id).collect();
    sorted.sort_unstable();
    Shown(Sha256::digest(sorted.concat()).to_vec())
}

fn storage(ids: &Ids) -> NegentropyStorageVector {
    let mut storage = NegentropyStorageVector::new();
    ids.iter().for_each(|(time, id)| storage.insert(*time, Id::from_byte_array(*id)).unwrap());
    storage.seal().unwrap();
    storage
}

fn items(ids: &Ids) -> Vec<Item> {
    ids.iter().map(|(time, id)| Item { time: time.to_string(), id: Shown(id.to_vec()) }).collect()
}

fn comparison(what: &'static str, opener: Ids, responder: Ids) -> Comparison {
    let (ours, theirs) = (storage(&opener), storage(&responder));
    let query = Negentropy::borrowed(&ours, 60_000).unwrap().initiate().unwrap();
    let answer = Negentropy::borrowed(&theirs, 60_000).unwrap().reconcile(&query).unwrap();
    let mut sorted = opener.clone();
    sorted.sort_unstable();
    let list = [vec![0x61, 0, 0, 2, sorted.len() as u8], sorted.iter().flat_map(|(_, id)| *id).collect()].concat();
    assert!(sorted.len() < 128, "one digit");
    Negentropy::borrowed(&theirs, 60_000).unwrap().reconcile(&list).unwrap();
    Comparison {
        what,
        opener_digest: digest(&opener),
        responder_digest: digest(&responder),
        opener: items(&opener),
        responder: items(&responder),
        query: Shown(query),
        answer: Shown(answer),
        list: Shown(list),
    }
}

#[test]
fn the_published_steps_and_comparisons_are_made_and_judged_as_the_file_says() {
    let file = File {
        steps: steps(),
        invalid: invalid(),
        comparisons: vec![
            comparison("few ids: they are listed at once", ids(0..3), ids(1..5)),
            comparison("40 ids: fingerprints of 16 parts; one of the responder's is missing", ids(0..40), ids(0..41)),
            comparison("an opener that has nothing", ids(0..0), ids(0..2)),
        ],
    };
    published("reconcile.json", &file);
}
