//! What the program says when something is wrong, and its help, word for word: each is read by somebody who is tired.
//!
//! After a change of words: `INSTA_UPDATE=always cargo test errors::`, and read the difference before it is committed.
#![cfg(all(unix, feature = "cli"))]

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Output;

use sealnet::identity::{NodeAddress, Overwrite};
use sealnet::node::Node;
use sealnet::overlay::Settings;

use crate::place::Place;
use crate::support::{identity, node};

/// Keys everybody can make again, so that their ids are the same in every run.
fn place() -> Place {
    let place = Place::new();
    for (n, name) in [(1, "genesis"), (2, "peer")] {
        let key = place.path(&format!("keys/{name}.pem"));
        identity(n).save(&key, Overwrite::Refuse).unwrap();
    }
    place
}

/// Runs one command after the other, and writes down what each says.
#[derive(Default)]
struct Transcript(String);

impl Transcript {
    fn of(place: &Place, commands: &[&str]) -> Self {
        let mut transcript = Transcript::default();
        for command in commands {
            let output = place.command(command).env("COLUMNS", "80").output().unwrap();
            transcript.note(command, &output);
        }
        transcript
    }

    fn note(&mut self, command: &str, output: &Output) {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let (printed, errors) = (text(&output.stdout), text(&output.stderr));
        assert!(!printed.contains('\u{1b}') && !errors.contains('\u{1b}'), "no colours where there is no terminal");
        let status = output.status.code().unwrap();
        self.0 += &format!("$ sealnet {command}\n{printed}{errors}-- exit status {status}\n\n");
    }

    /// With what differs from run to run replaced.
    fn replace(self, from: &str, to: &str) -> Self {
        Transcript(self.0.replace(from, to))
    }
}

macro_rules! assert_says {
    ($name:expr, $transcript:expr) => {
        insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!($name, $transcript.0);
        })
    };
}

#[test]
fn keys() {
    let place = place();
    let set_mode = |file: &str, mode| fs::set_permissions(place.path(file), Permissions::from_mode(mode)).unwrap();
    set_mode("keys/genesis.pem", 0o644);
    fs::remove_file(place.path("keys/peer.id")).unwrap();
    fs::create_dir(place.path("shared")).unwrap();
    set_mode("shared", 0o777);
    std::os::unix::fs::symlink("peer.pem", place.path("keys/link.pem")).unwrap();
    let secret = fs::read_to_string(place.path("keys/peer.pem")).unwrap();
    for (name, text) in [
        ("cut", &secret[..80]),
        ("damaged", &secret.replace("MC4", "MC8")),
        ("other", &secret.replace("K2VwB", "K2VuB")),
        ("none", ""),
    ] {
        place.write(&format!("keys/{name}.pem"), text);
        set_mode(&format!("keys/{name}.pem"), 0o600);
    }
    let passphrase = sealnet::identity::Passphrase::new(b"test".to_vec()).unwrap();
    identity(3).save_with(&place.path("keys/locked.pem"), Overwrite::Refuse, &passphrase).unwrap();
    fs::remove_file(place.path("keys/locked.id")).unwrap();
    let mut transcript = Transcript::of(
        &place,
        &[
            "check config/genesis.toml",
            "keygen peer",
            "keygen --out shared/key.pem",
            "id third",
            "id keys/link.pem",
            "id keys/cut.pem",
            "id keys/damaged.pem",
            "id keys/other.pem",
            "id keys/none.pem",
            "id keys/locked.pem",
            "id keys",
            "keygen third --passphrase",
        ],
    );
    let wrong = place.feed("id keys/locked.pem --passphrase-fd 0", "tset\n");
    transcript.note("id keys/locked.pem --passphrase-fd 0", &wrong);
    // The owner of the folder differs from machine to machine.
    let owner = std::os::unix::fs::MetadataExt::uid(&fs::metadata(place.path("shared")).unwrap());
    assert_says!("keys", transcript.replace(&format!("owner {owner}"), "owner UID"));
}

#[test]
fn configurations() {
    let place = place();
    let peer = fs::read_to_string(place.path("config/peer.toml")).unwrap();
    let mut transcript = Transcript::default();
    for more in [
        "listne = 1",
        "genesis = none",
        "listen = \"localhost:7401\"",
        "plain = true",
        "trust_on_first_use = true",
        "preset = \"word\"",
        "[links]\ntarget = 0",
        "[links]\nmax = 3",
        "[log]\nkeep = \"long\"",
        "[acess]\nmode = \"open\"",
        "[access]\nmode = \"certificate\"",
    ] {
        let name = more.split([' ', '\n']).next().unwrap();
        let without: String =
            peer.lines().filter(|line| !line.starts_with(name)).map(|line| format!("{line}\n")).collect();
        place.write("config/wrong.toml", &format!("{without}{more}\n"));
        transcript.0 += &format!("## {}\n", more.replace('\n', " "));
        transcript.note("check config/wrong.toml", &place.run("check config/wrong.toml"));
    }
    for (what, text) in [
        ("no network", peer.replace("network =", "# network =")),
        ("no identity", peer.replace("identity =", "# identity =")),
        ("genesis without a key", peer.replace(", id_file = \"../keys/genesis.id\"", "")),
        ("no network's name", peer.replace("\"demo\"", "\"De Mo\"")),
    ] {
        place.write("config/wrong.toml", &text);
        transcript.0 += &format!("## {what}\n");
        transcript.note("check config/wrong.toml", &place.run("check config/wrong.toml"));
    }
    fs::remove_file(place.path("keys/genesis.id")).unwrap();
    for command in ["check config/none.toml", "check config", "check config/peer.toml", "run --config config/none.toml"]
    {
        transcript.note(command, &place.run(command));
    }
    assert_says!("configurations", transcript);
}

#[test]
fn usage() {
    let id = identity(7).id();
    let transcript = Transcript::of(
        &place(),
        &[
            "",
            "chekc config/peer.toml",
            "run",
            "run --config config/peer.toml --title sealnet/x",
            "run --config config/peer.toml --events",
            "run --config config/peer.toml --plain --passphrase-fd 3",
            "keygen",
            "keygen ../peer",
            "keygen peer.pem",
            "keygen peer --passphrase-fd 1",
            "init lab --network Lab",
            "init lab --network lab --genesis sealnet://192.0.2.1:7400",
            &format!("init lab --genesis sealnet://{id}@192.0.2.1:7400"),
            "verify message.json",
            "devnet --nodes 0",
            "devnet --exit",
            "simulate --loss 1.5",
            "simulate --senders 0",
            "simulate --partition 60",
            "completions tcsh",
            "--log loud id",
        ],
    );
    assert_says!("usage", transcript);
}

#[test]
fn messages() {
    let place = place();
    place.write("empty.json", "\n");
    place.write("wrong.json", "{\"id\":1}");
    place.write("text.json", "no JSON");
    let transcript = Transcript::of(
        &place,
        &[
            "verify none.json --network demo",
            "verify empty.json --network demo",
            "verify wrong.json --network demo",
            "verify text.json --network demo",
            "verify text.json --network demo --json",
        ],
    );
    assert_says!("messages", transcript);
}

/// A peer of `genesis` whose configuration is changed by `change`, run until it gives up.
fn run_peer(place: &Place, genesis: &NodeAddress, change: impl Fn(&str) -> String) -> Output {
    let text = format!(
        "network = \"test\"\nidentity = \"../keys/peer.pem\"\nlisten = \"127.0.0.1:0\"\npreset = \"local\"\ngenesis = [\"{genesis}\"]\n"
    );
    place.write("config/try.toml", &change(&text));
    place.run("run --config config/try.toml")
}

#[tokio::test(flavor = "multi_thread")]
async fn running() {
    let place = place();
    let genesis = node(1, &[]).await;
    let address = genesis.address().unwrap();
    let port = address.port().to_string();
    let mut transcript = Transcript::default();

    transcript.0 += "## another node has the port\n";
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let held = holder.local_addr().unwrap().port().to_string();
    let output = run_peer(&place, &address, |text| text.replace("127.0.0.1:0", &format!("127.0.0.1:{held}")));
    transcript.note("run --config config/try.toml", &output);

    transcript.0 += "## an address that is not this machine's\n";
    let output = run_peer(&place, &address, |text| {
        text.replace("127.0.0.1:0", "192.0.2.7:7400") + "[access]\nadmit_strangers = true\n"
    });
    transcript.note("run --config config/try.toml", &output);

    transcript.0 += "## the genesis node has another key than the one that is pinned\n";
    let other = identity(9).id().to_string();
    let output = run_peer(&place, &address, |text| text.replace(&genesis.id().to_string(), &other));
    transcript.note("run --config config/try.toml", &output);

    transcript.0 += "## the genesis node is of another network\n";
    let output = run_peer(&place, &address, |text| text.replace("\"test\"", "\"text\""));
    transcript.note("run --config config/try.toml", &output);
    genesis.stop().await;

    // The peer chooses a free port, which it prints.
    let transcript = transcript.replace(&format!(":{port}"), ":GENESIS").replace(&format!(":{held}"), ":HELD");
    let lines = transcript.0.lines().map(|line| match line.rsplit_once("@127.0.0.1:") {
        Some((before, _)) if line.starts_with("address") => format!("{before}@127.0.0.1:PORT\n"),
        _ => format!("{line}\n"),
    });
    assert_says!("running", Transcript(lines.collect()));
}

#[tokio::test(flavor = "multi_thread")]
async fn with_plain_a_secure_configuration_starts_the_plain_network_and_says_so() {
    let (secure, plain) = (node(1, &[]).await, Node::builder("test".parse().unwrap()).unwrap());
    let plain = plain.listen("127.0.0.1:0".parse().unwrap()).overlay(Settings::local()).start().await.unwrap();
    let place = place();
    let addresses =
        [secure.address(), NodeAddress::new(Some(identity(9).id()), &plain.listen_address().unwrap().to_string()).ok()];
    let genesis: Vec<_> = addresses.iter().flatten().map(|address| format!("\"{address}\"")).collect();
    place.write(
        "config/try.toml",
        &format!(
            "network = \"test\"\nidentity = \"../keys/none.pem\"\npreset = \"local\"\ngenesis = [{}]\n",
            genesis.join(", ")
        ),
    );
    // The key is not even read: there is none.
    let mut command = place.command("run --config config/try.toml --plain");
    let mut running = crate::program::Running::start(&mut command);
    running.prints("PLAIN NETWORK");
    running.prints("joined");
    let mut heard = plain.subscribe("chat").unwrap();
    running.types("hello in the open");
    assert_eq!(crate::support::next_text(&mut heard).await, "hello in the open");
    assert!(running.stops().success());
    assert!(secure.links().is_empty());
    assert_eq!(secure.members().len(), 1);
}

#[test]
fn help() {
    let place = place();
    let commands = ["", "keygen", "id", "init", "check", "run", "verify", "devnet", "simulate", "bench", "completions"];
    let commands: Vec<_> = commands.iter().map(|command| format!("help {command}").trim_end().to_owned()).collect();
    let transcript = Transcript::of(&place, &commands.iter().map(String::as_str).collect::<Vec<_>>());
    for line in transcript.0.lines() {
        assert!(line.chars().count() <= 80, "longer than 80 columns: {line}");
    }
    assert_says!("help", transcript);
}
