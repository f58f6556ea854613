//! A closed network made with the program alone: `init --closed`, `invite`, `join`, `revoke`, `reload`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::place::Place;
use crate::program::Running;

/// A folder of a member.
fn sealnet(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sealnet"));
    command.args(arguments).current_dir(folder).env_remove("SEALNET_LOG").env_remove("CLICOLOR_FORCE");
    command
}

/// Standard output of a command that must succeed.
#[track_caller]
fn done(folder: &Path, arguments: &[&str]) -> String {
    let output = sealnet(folder, arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A new network with its first node running at a port that was free.
struct Lab {
    place: Place,
    genesis: Option<Running>,
}

impl Lab {
    fn new() -> Self {
        let place = Place::new();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        done(
            &place.path(""),
            &["init", "lab", "--closed", "--listen", &format!("127.0.0.1:{port}"), "--network", "lab"],
        );
        let config = place.path("lab/config/genesis.toml");
        let text = std::fs::read_to_string(&config).unwrap() + "\n[log]\nfolder = \"../data\"\n";
        std::fs::write(&config, text).unwrap();
        let mut lab = Lab { place, genesis: None };
        lab.start();
        lab
    }

    fn start(&mut self) {
        let mut genesis = Running::start(&mut sealnet(&self.root(), &["run", "--config", "lab/config/genesis.toml"]));
        genesis.prints("joined");
        self.genesis = Some(genesis);
    }

    fn root(&self) -> PathBuf {
        self.place.path("")
    }

    fn genesis(&mut self) -> &mut Running {
        self.genesis.as_mut().unwrap()
    }

    /// Invites somebody; the command's other words say whom.
    fn invite(&self, label: &str, words: &[&str]) -> PathBuf {
        let out = self.place.path(&format!("{label}.invite"));
        let mut arguments =
            vec!["invite", "--config", "lab/config/genesis.toml", "--key", "lab/authority/authority.pem"];
        let out_text = out.to_str().unwrap().to_owned();
        arguments.extend(["--label", label, "--out", &out_text]);
        arguments.extend(words);
        done(&self.root(), &arguments);
        out
    }
}

/// Joins by an invitation in a folder of its own, and waits until it has.
fn joins(folder: &Path, invitation: &Path) -> Running {
    std::fs::create_dir_all(folder).unwrap();
    let mut running =
        Running::start(&mut sealnet(folder, &["join", invitation.to_str().unwrap(), "--listen", "127.0.0.1:0"]));
    running.prints("joined");
    running
}

#[test]
fn a_network_made_with_invite_and_join_runs_revokes_and_restarts_and_the_revoked_stays_out() {
    let mut lab = Lab::new();
    // The safer way: the key is made where it is used.
    let (alice, bob) = (lab.place.path("alice"), lab.place.path("bob"));
    std::fs::create_dir_all(&alice).unwrap();
    done(&alice, &["keygen", "alice"]);
    let id = alice.join("keys/alice.id");
    let invitation = lab.invite("alice", &["--for", id.to_str().unwrap()]);
    assert!(!std::fs::read_to_string(&invitation).unwrap().contains("\"identity\""));
    let mut alice_runs = joins(&alice, &invitation);
    // And the other one.
    let invitation = lab.invite("bob", &["--with-key"]);
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(std::fs::metadata(&invitation).unwrap().permissions().mode() & 0o777, 0o600);
    let mut bob_runs = joins(&bob, &invitation);
    bob_runs.types("hello from bob");
    for node in [lab.genesis(), &mut alice_runs] {
        node.prints("hello from bob");
    }
    assert!(done(&bob, &["check", "config/peer.toml"]).contains("certificate of the authority"));

    // The authority revokes bob; one node reads that, and all know.
    let root = lab.root();
    done(
        &root,
        &[
            "authority",
            "revoke",
            "bob",
            "--key",
            "lab/authority/authority.pem",
            "--out",
            "lab/keys/network.revocations",
        ],
    );
    done(&root, &["reload", "--config", "lab/config/genesis.toml"]);
    lab.genesis().prints("revocations of epoch 1");
    bob_runs.prints("closed");
    alice_runs.types("without bob");
    lab.genesis().prints("without bob");
    bob_runs.kill();
    alice_runs.kill();

    // Everybody restarts, the first node with an older list in its place: bob stays out.
    assert!(lab.genesis.take().unwrap().stops().success());
    done(&root, &["authority", "list", "--key", "lab/authority/authority.pem"]);
    std::fs::remove_file(lab.place.path("lab/keys/network.revocations")).unwrap();
    lab.start();
    let mut alice_runs = Running::start(&mut sealnet(&alice, &["run", "--config", "config/alice.toml"]));
    alice_runs.prints("joined");
    let mut bob_runs = Running::start(&mut sealnet(&bob, &["run", "--config", "config/peer.toml"]));
    bob_runs.prints("not admitted");
    alice_runs.types("still without bob");
    lab.genesis().prints("still without bob");
    assert!(!bob_runs.showed("still without bob"));
    bob_runs.kill();

    // A new certificate brings it back.
    let id = bob.join("keys/peer.id");
    done(
        &root,
        &[
            "authority",
            "issue",
            id.to_str().unwrap(),
            "--label",
            "bob again",
            "--key",
            "lab/authority/authority.pem",
            "--out",
            bob.join("keys/peer.cert").to_str().unwrap(),
        ],
    );
    let mut bob_runs = Running::start(&mut sealnet(&bob, &["run", "--config", "config/peer.toml"]));
    bob_runs.has_printed("joined");
    bob_runs.types("back again");
    lab.genesis().prints("back again");
}

#[test]
fn an_invitation_is_of_use_to_the_invited_alone_and_overwrites_nothing() {
    let lab = Lab::new();
    let (root, mallory) = (lab.root(), lab.place.path("mallory"));
    std::fs::create_dir_all(&mallory).unwrap();
    done(&root, &["keygen", "carol"]);
    let invitation = lab.invite("carol", &["--for", "keys/carol.id"]);
    let path = invitation.to_str().unwrap();
    let refused = |folder: &Path, arguments: &[&str], words: &[&str]| {
        let output = sealnet(folder, arguments).output().unwrap();
        crate::place::assert_fails(&output, 1, words);
    };
    refused(&mallory, &["join", path, "--no-run"], &["that key is not in"]);
    assert!(!mallory.join("config").exists());
    done(&root, &["join", path, "--no-run"]);
    refused(&root, &["join", path, "--no-run"], &["exists already"]);
    // Whoever may read it may read what is in it.
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(&invitation, std::fs::Permissions::from_mode(0o644)).unwrap();
    refused(&mallory, &["join", path, "--no-run"], &["chmod"]);
    std::fs::set_permissions(&invitation, std::fs::Permissions::from_mode(0o600)).unwrap();
    let text = std::fs::read_to_string(&invitation).unwrap();
    std::fs::write(&invitation, text.replace("\"lab\"", "\"lab2\"")).unwrap();
    refused(&mallory, &["join", path, "--no-run"], &["no sound invitation", "not signed by the authority"]);
    // And the members who are asked for by name must be named.
    let arguments = ["invite", "--config", "lab/config/genesis.toml", "--key", "lab/authority/authority.pem"];
    refused(&root, &arguments, &["--out"]);
    let arguments = [&arguments[..], &["--out", "x.invite"]].concat();
    refused(&root, &arguments, &["--for ID", "--with-key"]);
    refused(&root, &[&arguments[..], &["--with-key"]].concat(), &["--label"]);
    assert!(!lab.place.path("x.invite").exists());
}

#[test]
fn members_are_issued_renewed_revoked_and_listed_by_name() {
    let place = Place::new();
    let root = place.path("");
    place.done("authority new --network lab");
    place.done("keygen node");
    let issued = place.json("authority issue keys/node.id --label alice --days 10");
    assert_eq!((&issued["certificate"], &issued["rights"]), (&"keys/node.cert".into(), &"link, publish".into()));
    let renewed = place.json("authority renew alice --days 20 --out keys/node.cert");
    assert!(renewed["not_after"].as_u64() > issued["not_after"].as_u64());
    assert_eq!(renewed["subject"], issued["subject"]);
    let revoked = place.json(&format!("authority revoke {}", issued["serial"].as_str().unwrap()));
    assert_eq!((&revoked["epoch"], &revoked["revoked"]), (&1.into(), &1.into()));
    let revoked = place.json("authority revoke alice");
    assert_eq!((&revoked["epoch"], &revoked["revoked"]), (&2.into(), &2.into()));
    assert!(place.path("keys/authority.revocations").exists());
    let listed = place.done("authority list --json");
    assert_eq!(listed.matches("\"revoked\"").count(), 2, "{listed}");
    place.fails("authority renew alice", 1, &["is revoked", "authority issue"]);
    place.fails("authority revoke nobody", 1, &["authority list"]);
    place.fails("authority issue keys/authority.id --label x", 1, &["the authority is no member"]);
    place.fails("authority issue keys/node.id --label x --rights publish", 2, &["link"]);
    place.fails("authority new --network lab", 1, &["keys/authority"]);
    std::fs::remove_file(root.join("keys/authority.register")).unwrap();
    place.fails("authority list", 1, &["authority.register", "copy it along"]);
    place.fails("reload --config config/peer.toml", 1, &["no node runs"]);
    place.fails("reload --pid 1", 1, &["not a running sealnet"]);
}
