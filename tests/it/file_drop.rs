//! The example `file_drop`, which must come out as its README section says, also where others mean harm.

#[path = "../../examples/file_drop/app.rs"]
mod app;
#[path = "../../examples/file_drop/demo.rs"]
mod demo;
#[path = "../../examples/file_drop/fetch.rs"]
mod fetch;
#[path = "../../examples/file_drop/get.rs"]
mod get;
#[path = "../../examples/file_drop/manners.rs"]
mod manners;
#[path = "../../examples/file_drop/offer.rs"]
mod offer;
#[path = "../../examples/file_drop/plan.rs"]
mod plan;
#[path = "../../examples/file_drop/shelf.rs"]
mod shelf;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use sealnet::app::Json;
use sealnet::node::Item;
use sealnet::overlay::Reason;
use serde_json::json;

use self::app::TITLE;
use self::demo::{Member, noise, once};
use self::get::GetError;
use self::manners::Manners;
use self::offer::{Digest, LARGEST_FILE, Offer};
use self::plan::{LIES, Plan};
use self::shelf::Held;
use crate::support::{identity, until, within};

/// An offer as anybody may say it.
fn said(name: &str, size: u64, pieces: usize) -> Vec<u8> {
    let hash = Digest::of(b"");
    json!({"name": name, "size": size, "sha256": hash, "pieces": vec![hash; pieces]}).to_string().into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_comes_from_several_members_in_spite_of_a_liar_a_leaver_and_a_break() {
    let outcome = demo::tell(false).await.unwrap();
    assert!(outcome.is_as_it_must_be(), "{}", serde_json::to_string(&outcome).unwrap());
}

#[test]
fn an_offer_whose_name_is_a_path_or_whose_pieces_do_not_fit_is_none() {
    assert!(Offer::read(&said("holidays.tar", 1, 1)).is_ok());
    assert!(Offer::read(&said("holidays.tar", LARGEST_FILE, 1024)).is_ok());
    let long = "x".repeat(256);
    let names = [
        "",
        ".",
        "..",
        "../x",
        "a/b",
        "/etc/passwd",
        "a\\b",
        "C:x",
        ".bashrc",
        "a\n",
        "a\u{1b}[2J",
        "a\u{202e}",
        &long,
    ];
    for name in names {
        assert!(Offer::read(&said(name, 1, 1)).is_err(), "{name:?}");
    }
    for (size, pieces) in [(1, 0), (1, 2), (0, 1), (LARGEST_FILE + 1, 1025), (u64::MAX, 1)] {
        assert!(Offer::read(&said("x", size, pieces)).is_err(), "{size} bytes in {pieces} pieces");
    }
    assert!(Offer::read(b"no offer").is_err());
}

/// What a hostile member offers: other bytes under the hash of somebody else's.
fn false_offer(path: &Path, hash: Digest) -> Offer {
    let mut said = serde_json::to_value(Held::whole(path).unwrap().offer()).unwrap();
    said["sha256"] = json!(hash);
    serde_json::from_value(said).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_false_offer_is_seen_through_no_file_is_replaced_and_what_is_no_offer_is_kept_by_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let alice = Member::start(folder.path(), "alice", Manners::Honest, None).await.unwrap();
    let genesis = alice.node.address();
    let start = async |name| Member::start(folder.path(), name, Manners::Honest, genesis.as_ref()).await.unwrap();
    let (dora, erin, sam) = (start("dora").await, start("erin").await, start("sam").await);

    let (file, trap) = (noise(600_000), sam.folder.join("trap.tar"));
    let hash = Digest::of(&file);
    fs::write(&trap, &noise(700_001)[1..]).unwrap();
    let lie = false_offer(&trap, hash);
    sam.shelf.hold(Arc::new(Held::resume(&trap, lie.clone()).unwrap()));
    sam.node.broadcast(TITLE, Json(&lie)).await.unwrap();
    // Dora falls for it, until all of it is there.
    let (getting, mut seen) = dora.get(hash);
    once(&mut seen, |progress| progress.came() > 0).await.unwrap();
    assert_eq!(alice.offer("holidays.tar", &file).await.unwrap(), hash);
    let path = within("Dora gets the file", getting).await.unwrap().unwrap();
    assert!(path == dora.folder.join("holidays.tar") && fs::read(path).unwrap() == file);
    let mut there: Vec<_> = fs::read_dir(&dora.folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    there.sort();
    there.retain(|name| !name.to_string_lossy().starts_with("key."));
    assert_eq!(there, ["holidays.tar"], "nothing of the lie is left");

    fs::write(erin.folder.join("holidays.tar"), "Erin's own").unwrap();
    let outcome = within("Erin gets none", erin.get(hash).0).await.unwrap();
    assert!(matches!(&outcome, Err(GetError::Exists(path)) if path.ends_with("holidays.tar")), "{outcome:?}");
    assert_eq!(fs::read(erin.folder.join("holidays.tar")).unwrap(), b"Erin's own");
    // Who has it already has it.
    assert!(within("Alice has it", alice.get(hash).0).await.unwrap().unwrap().starts_with(&alice.folder));

    let id = sam.node.broadcast(TITLE, said("../.bashrc", 1, 1)).await.unwrap().id;
    let refused = || dora.node.status().reasons.get(Reason::ApplicationRejected) > 0;
    until("Dora refuses it", &[&dora.node], refused).await;
    dora.node.broadcast(TITLE, Json(&lie)).await.unwrap();
    let mut kept = dora.node.subscribe(TITLE).unwrap().from_start();
    loop {
        match within("what Dora keeps", kept.next()).await {
            Some(Item::Broadcast(broadcast)) if broadcast.sender() == dora.node.id() => break,
            Some(Item::Broadcast(broadcast)) => assert_ne!(broadcast.id(), id),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn of_a_part_only_what_is_right_is_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let (path, part) = (folder.path().join("whole"), folder.path().join("part"));
    let file = noise(800_000);
    fs::write(&path, &file).unwrap();
    let whole = Held::whole(&path).unwrap();
    assert_eq!(whole.pieces(), BTreeSet::from([0, 1, 2, 3]));
    let offer = whole.offer().clone();
    // The second piece was altered, the third is cut off.
    let mut begun = file[..600_000].to_vec();
    begun[300_000] ^= 1;
    fs::write(&part, begun).unwrap();
    let held = Held::resume(&part, offer.clone()).unwrap();
    assert_eq!(held.pieces(), BTreeSet::from([0]));
    assert!(held.read(1).unwrap().is_none());
    for piece in 1..4 {
        let mut bytes = whole.read(piece).unwrap().unwrap();
        bytes[7] ^= 1;
        assert!(!held.put(piece, &bytes).unwrap() && !held.pieces().contains(&piece));
        bytes[7] ^= 1;
        assert!(!held.put(piece, &bytes[1..]).unwrap());
        assert!(held.put(piece, &bytes).unwrap());
    }
    assert!(held.is_right().unwrap() && fs::read(&part).unwrap() == file);
    assert!(!held.put(4, b"").unwrap() && held.read(4).unwrap().is_none());
    // What is changed under a member's hands it does not pass on.
    fs::write(&path, &noise(800_001)[1..]).unwrap();
    assert!(whole.read(2).unwrap().is_none() && !whole.pieces().contains(&2));
}

#[test]
fn who_gave_a_wrong_piece_is_not_asked_for_it_again_and_soon_for_nothing() {
    let (liar, other) = (identity(1).id(), identity(2).id());
    let all = BTreeSet::from_iter(0..6);
    let mut plan = Plan::default();
    plan.begin(0..6, 2);
    assert_eq!(plan.take(&liar, &all), Some(2), "it begins where it was told");
    plan.lied(liar, 2);
    assert_eq!(plan.take(&liar, &all), Some(3));
    assert_eq!(plan.take(&other, &all), Some(2), "others are still asked for it");
    assert_eq!(plan.take(&other, &BTreeSet::from([9])), None, "what it has is not missing");
    plan.lied(liar, 3);
    // Anew: nothing is under way, and nothing forgotten.
    plan.begin(0..4, 2);
    assert_eq!(plan.take(&liar, &all), Some(0));
    assert!(plan.is_trusted(&liar));
    plan.lied(liar, 0);
    assert!(!plan.is_trusted(&liar) && LIES == 3);
    assert_eq!(plan.take(&liar, &all), None);
    // Each piece of one member; then, since that one may never answer, of a second, and of no third.
    let takes: Vec<_> = std::iter::from_fn(|| plan.take(&other, &all)).collect();
    assert_eq!(takes, [2, 3, 0, 1, 2, 3, 0, 1]);
    plan.give_back(3);
    assert_eq!(plan.take(&other, &all), Some(3));
    assert!((0..4).all(|piece| plan.done(piece)) && plan.is_done());
    assert!(!plan.done(1), "once is enough");
}
