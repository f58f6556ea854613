//! `sealnet seal` and `sealnet open`: files for readers and under passphrases, whole or not at all.
#![cfg(all(unix, feature = "cli"))]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use sealnet::envelope::Timestamp;
use sealnet::sealed::{Rotation, SealSecrets};

use crate::place::{Place, assert_fails};

fn place() -> Place {
    let place = Place::new();
    for name in ["alice", "bob", "eve"] {
        place.done(&format!("keygen {name}"));
    }
    place.write("plan.txt", "the plan");
    place
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn names(place: &Place) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(place.path(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "keys" && name != "config")
        .collect();
    names.sort();
    names
}

#[test]
fn a_file_is_opened_by_each_of_its_readers_and_by_nobody_else() {
    let place = place();
    let bob = place.done("id bob").trim().to_owned();
    let made = place.json(&format!("seal plan.txt --to keys/alice.id --to {bob} --to alice"));
    assert_eq!((&made["path"], &made["bytes"], &made["readers"]), (&"plan.txt.sealed".into(), &8.into(), &2.into()));
    let sealed = fs::read(place.path("plan.txt.sealed")).unwrap();
    assert!(!sealed.windows(8).any(|window| window == b"the plan"));
    assert_eq!(mode(&place.path("plan.txt.sealed")), 0o600);

    fs::remove_file(place.path("plan.txt")).unwrap();
    for key in ["alice", "keys/bob.pem"] {
        place.done(&format!("open plan.txt.sealed --key {key} --force"));
        assert_eq!(fs::read(place.path("plan.txt")).unwrap(), b"the plan");
        assert_eq!(mode(&place.path("plan.txt")), 0o600);
    }
    place.fails("open plan.txt.sealed --key eve --out eve.txt", 1, &["plan.txt.sealed was not opened", "2 other keys"]);
    place.fails("open plan.txt.sealed --out eve.txt", 1, &["sealed to keys", "--key NAME"]);
    assert!(!place.path("eve.txt").exists());
}

#[test]
fn nothing_is_overwritten_without_force_and_nothing_half_written_stays() {
    let place = place();
    place.done("seal plan.txt --to alice");
    let sealed = fs::read(place.path("plan.txt.sealed")).unwrap();
    place.fails("seal plan.txt --to bob", 1, &["plan.txt.sealed exists already", "--force"]);
    place.fails("open plan.txt.sealed --key alice", 1, &["plan.txt exists already", "--out"]);
    assert_eq!(fs::read(place.path("plan.txt.sealed")).unwrap(), sealed);
    place.done("seal plan.txt --to bob --force");
    assert_ne!(fs::read(place.path("plan.txt.sealed")).unwrap(), sealed);

    // Cut off behind its first piece: that one was good, and is not left lying about.
    fs::write(place.path("large"), vec![7; 200_000]).unwrap();
    place.done("seal large --to alice");
    let whole = fs::read(place.path("large.sealed")).unwrap();
    fs::write(place.path("cut.sealed"), &whole[..whole.len() - 1]).unwrap();
    place.fails("open cut.sealed --key alice", 1, &["altered or cut off after 196608 good bytes"]);
    let mut altered = whole.clone();
    altered[100_000] ^= 1;
    fs::write(place.path("cut.sealed"), &altered).unwrap();
    place.fails("open cut.sealed --key alice", 1, &["altered or cut off after 65536 good bytes"]);
    // A folder is not replaced, even with --force.
    fs::create_dir(place.path("folder")).unwrap();
    place.fails("seal plan.txt --to alice --out folder --force", 1, &["folder is no regular file"]);
    let left = ["cut.sealed", "folder", "large", "large.sealed", "plan.txt", "plan.txt.sealed"];
    assert_eq!(names(&place), left);
    place.done("open large.sealed --key alice --out again");
    assert_eq!(fs::read(place.path("again")).unwrap(), vec![7; 200_000]);
}

#[test]
fn a_passphrase_opens_what_was_sealed_under_it() {
    let place = place();
    let output = place.feed("seal plan.txt --passphrase-fd 0", "correct horse\n");
    assert!(output.status.success(), "{output:?}");
    let open = |passphrase: &str| place.feed("open plan.txt.sealed --out out.txt --passphrase-fd 0", passphrase);
    assert_fails(&open("wrong horse\n"), 1, &["this passphrase does not open it"]);
    assert!(!place.path("out.txt").exists());
    assert!(open("correct horse\n").status.success());
    assert_eq!(fs::read(place.path("out.txt")).unwrap(), b"the plan");
    // Nobody is asked where nobody is there.
    place.fails("open plan.txt.sealed --out other.txt", 1, &["run this on a terminal"]);
    place.fails("seal plan.txt --passphrase --out other", 1, &["run this on a terminal"]);
    place.fails("seal plan.txt --passphrase --to alice", 2, &["cannot be used with"]);
}

#[test]
fn a_seal_key_of_its_own_and_standard_input_work_too() {
    let place = place();
    let secrets = SealSecrets::generate(Timestamp::now(), &Rotation::default()).unwrap();
    secrets.save(&place.path("keys/own.seal")).unwrap();
    let output = place.feed(&format!("seal - --to-key {} --out piped", secrets.key()), "from a pipe");
    assert!(output.status.success(), "{output:?}");
    place.done("open piped --seal-keys keys/own.seal --out out.txt");
    assert_eq!(fs::read(place.path("out.txt")).unwrap(), b"from a pipe");
    place.fails("open piped --key alice --out other", 1, &["1 other keys"]);
}

#[test]
fn what_is_wrong_is_said_in_words() {
    let place = place();
    place.fails("seal plan.txt", 2, &["--to <READER>"]);
    place.fails("seal - --to alice", 2, &["--out <FILE>"]);
    place.fails("seal missing.txt --to alice", 1, &["missing.txt does not exist"]);
    place.fails("seal plan.txt --to nobody", 1, &["keys/nobody.id does not exist"]);
    place.fails("seal plan.txt --to keys/alice.pem", 1, &["keys/alice.pem is no reader", "ends in .id"]);
    let zero = "0".repeat(64);
    place.fails(&format!("seal plan.txt --to {zero}"), 1, &["no key that anything could be sealed to"]);
    place.fails(&format!("seal plan.txt --to-key {zero}"), 2, &["low order"]);
    place.fails("open plan.txt --key alice", 1, &["does not end in .sealed", "--out"]);
    place.fails("open plan.txt --key alice --out x", 1, &["plan.txt was not opened: it is no sealed file"]);
    place.fails("open missing.sealed --key alice", 1, &["missing.sealed does not exist"]);
    assert_eq!(names(&place), ["plan.txt"]);
}
