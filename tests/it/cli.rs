//! The program: what it prints, where it says what went wrong and what to do, and its exit status.
#![cfg(all(unix, feature = "cli"))]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::sync::Arc;

use sealnet::config::Config;
use sealnet::envelope::{Draft, Lifetime, Scheme, Signed, Timestamp};
use sealnet::identity::{Identity, NetworkHash, NetworkKey, NetworkName, NodeId, read_id_file};
use serde_json::Value;

use crate::place::{Place, assert_fails};

#[test]
fn keygen_writes_a_private_key_and_its_public_id() {
    let place = Place::new();
    let printed = place.done("keygen genesis");
    let identity = Identity::load(&place.path("keys/genesis.pem")).unwrap();
    assert_eq!(read_id_file(&place.path("keys/genesis.id")).unwrap(), identity.id());
    for words in ["keys/genesis.pem", "keys/genesis.id", &format!("sealnet://{}@", identity.id())] {
        assert!(printed.contains(words), "no {words:?} in: {printed}");
    }
    assert_eq!(fs::metadata(place.path("keys/genesis.pem")).unwrap().permissions().mode() & 0o777, 0o600);

    place.fails("keygen genesis", 1, &["keys/genesis.pem exists already", "--force"]);
    assert_eq!(Identity::load(&place.path("keys/genesis.pem")).unwrap().id(), identity.id());
    let made = place.json("keygen --force genesis");
    assert_eq!(made["kept_aside"], serde_json::json!(["keys/genesis.pem.old-1", "keys/genesis.id.old-1"]));
    assert_ne!(made["id"], identity.id().to_string());
}

#[test]
fn keygen_writes_where_it_is_told_and_network_keys_too() {
    let place = Place::new();
    assert_eq!(place.json("keygen --out other/node.pem")["id_path"], "other/node.id");
    Identity::load(&place.path("other/node.pem")).unwrap();
    place.done("keygen --network-key");
    let secret = fs::read_to_string(place.path("keys/network.key")).unwrap();
    let printed = place.done("keygen --network-key second");
    assert!(!printed.contains(secret.trim()));
    assert_ne!(
        NetworkKey::load(&place.path("keys/network.key")).unwrap(),
        NetworkKey::load(&place.path("keys/second.key")).unwrap()
    );
    place.fails("keygen --network-key", 1, &["keys/network.key exists already"]);
}

#[test]
fn wrong_usage_ends_with_status_2_and_says_what_is_right() {
    let place = Place::new();
    place.fails("keygen", 2, &["<NAME>", "Usage:"]);
    place.fails("keygen ../peer", 2, &["--out FILE"]);
    place.fails("keygen peer.pem", 2, &["leave the ending out"]);
    place.fails("keygen peer --out a.pem", 2, &["cannot be used with"]);
    place.fails("init lab --genesis sealnet://a:1 --network a", 2, &["which key must answer"]);
    place.fails("init lab --network Lab", 2, &["no network name"]);
    place.fails("init lab --listen 7400", 2, &["--listen"]);
    place.fails("verify file", 2, &["--network"]);
    place.fails("chekc config/peer.toml", 2, &["check"]);
    place.fails("--log loud id", 2, &["debug"]);
    let id = NodeId::from_bytes([7; 32]);
    place.fails(&format!("init lab --genesis sealnet://{id}@a:1"), 2, &["--network <NAME>"]);
    assert_fails(&place.command("id").env("SEALNET_LOG", "loud").output().unwrap(), 2, &["SEALNET_LOG", "debug"]);
    assert!(!place.path("keys").exists() && !place.path("lab").exists());
    // Alone it shows what there is.
    let output = place.run("");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("keygen"));
}

#[test]
fn help_and_version_are_no_errors() {
    let place = Place::new();
    assert!(place.done("--version").starts_with("sealnet "));
    for command in ["keygen", "id", "init", "check", "run", "verify", "devnet", "simulate", "completions"] {
        let help = place.done(&format!("help {command}"));
        assert!(help.contains("Examples:") && help.contains(&format!("sealnet {command}")), "{help}");
    }
}

#[test]
fn ids_are_printed_for_names_and_files() {
    let place = Place::with_keys();
    let id = read_id_file(&place.path("keys/peer.id")).unwrap();
    for key in ["peer", "keys/peer.id", "keys/peer.pem"] {
        assert_eq!(place.done(&format!("id {key}")), format!("{id}\n"));
    }
    assert_eq!(place.json("id peer"), serde_json::json!({ "path": "keys/peer.id", "id": id.to_string() }));
    let all = place.done("id");
    assert!(all.starts_with("genesis  ") && all.ends_with(&format!("peer     {id}\n")), "{all}");
    place.fails("id none", 1, &["keys/none.pem does not exist", "sealnet keygen"]);
    let empty = Place::new();
    empty.fails("id", 1, &["there are no keys", "sealnet keygen NAME"]);
}

#[test]
fn a_key_from_elsewhere_gets_its_id() {
    let place = Place::with_keys();
    fs::remove_file(place.path("keys/peer.id")).unwrap();
    let id = Identity::load(&place.path("keys/peer.pem")).unwrap().id();
    assert_eq!(place.done("id peer"), format!("{id}\n"));
    assert!(!place.path("keys/peer.id").exists());
    assert_eq!(place.done("id keys/peer.pem --write"), format!("{id}\n"));
    assert_eq!(read_id_file(&place.path("keys/peer.id")).unwrap(), id);

    // A wrong one would shut out whoever pins it: check finds it, and says how to mend it.
    fs::copy(place.path("keys/genesis.id"), place.path("keys/peer.id")).unwrap();
    place.fails("check config/peer.toml", 1, &["keys/peer.id is not the id of", "id keys/peer.pem --write --force"]);
    place.fails("id keys/peer.pem --write", 1, &["exists already"]);
    place.done("id keys/peer.pem --write --force");
    place.done("check config/peer.toml");
    place.fails("id keys/peer.id --write", 1, &["is the id already"]);
}

#[test]
fn check_says_what_a_node_would_do() {
    let place = Place::with_keys();
    let id = read_id_file(&place.path("keys/genesis.id")).unwrap();
    let printed = place.done("check config/peer.toml");
    for words in ["right", "demo (secure)", "127.0.0.1:7401", &format!("sealnet://{id}@127.0.0.1:7400"), "local"] {
        assert!(printed.contains(words), "no {words:?} in: {printed}");
    }
    assert!(place.done("check config/genesis.toml").contains("as the first node"));
    let facts = place.json("check config/peer.toml");
    assert_eq!(facts["genesis"], serde_json::json!([format!("sealnet://{id}@127.0.0.1:7400")]));
    assert_eq!((&facts["plain"], &facts["network_key"]), (&false.into(), &false.into()));

    // The same list on all nodes: the one that stands in it leaves itself out.
    let list = "genesis = [{ address = \"127.0.0.1:7400\", id_file = \"../keys/genesis.id\" }]\n";
    let text = fs::read_to_string(place.path("config/genesis.toml")).unwrap();
    place.write("config/genesis.toml", &format!("{text}{list}"));
    assert_eq!(place.json("check config/genesis.toml")["genesis"], serde_json::json!([]));
    place.write("config/genesis.toml", &format!("{}{list}", text.replace("\nlisten", "\n# listen")));
    place.fails("check config/genesis.toml", 1, &["stay alone", "listen"]);

    place.write("config/plain.toml", "network = \"demo\"\nplain = true\nlisten = \"127.0.0.1:0\"\n");
    assert!(place.done("check config/plain.toml").contains("nothing is encrypted"));
    assert_eq!(place.json("check config/plain.toml").get("id"), None);
}

#[test]
fn what_is_wrong_with_a_configuration_is_named_with_place_and_remedy() {
    let place = Place::with_keys();
    let peer = fs::read_to_string(place.path("config/peer.toml")).unwrap();
    let lines = peer.lines().count();
    for (more, line, words) in [
        ("listne = 1", 1, &["unknown setting \"listne\"", "did you mean \"listen\"?"][..]),
        ("[links]\ntarget = none", 2, &["this is not TOML"]),
        ("plain = true", -5, &["\"identity\" contradicts plain = true", "take out one"]),
        ("[log]\nkeep = \"long\"", 2, &["no span of time", "\"20s\""]),
        ("trust_on_first_use = true", 1, &["later version"]),
    ] {
        place.write("config/wrong.toml", &format!("{peer}{more}\n"));
        let line = lines as i64 + line;
        place.fails("check config/wrong.toml", 1, &[&[&format!("config/wrong.toml:{line}:")[..]], words].concat());
    }
    place.fails("check config/none.toml", 1, &["config/none.toml: there is no such file", "sealnet init"]);
}

#[test]
fn what_is_wrong_with_a_key_is_named_with_the_command_that_mends_it() {
    let place = Place::with_keys();
    let set_mode = |mode| fs::set_permissions(place.path("keys/peer.pem"), Permissions::from_mode(mode)).unwrap();
    set_mode(0o644);
    for command in ["check config/peer.toml", "id keys/peer.pem"] {
        place.fails(command, 1, &["keys/peer.pem", "mode 0644", "`chmod 600 keys/peer.pem`"]);
    }
    set_mode(0o600);
    place.done("check config/peer.toml");
    let secret = fs::read_to_string(place.path("keys/peer.pem")).unwrap();
    let secret = secret.lines().nth(1).unwrap();

    // A key where something else belongs is never repeated.
    for (command, words) in [
        ("check keys/peer.pem", "this is not TOML"),
        ("verify keys/peer.pem --network demo", "not valid"),
        ("id keys/genesis.id", ""),
    ] {
        let output = place.run(command);
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(!text.contains(secret) && text.contains(words), "{text}");
    }
    fs::copy(place.path("keys/peer.pem"), place.path("keys/genesis.id")).unwrap();
    let output = place.fails("check config/peer.toml", 1, &["config/peer.toml:6:", "keys/genesis.id is a PEM file"]);
    assert!(!String::from_utf8_lossy(&output.stderr).contains(secret));

    fs::remove_file(place.path("keys/genesis.id")).unwrap();
    place.fails("check config/peer.toml", 1, &["keys/genesis.id does not exist", "`sealnet keygen genesis`", "copy"]);
    fs::remove_file(place.path("keys/peer.pem")).unwrap();
    place.fails("check config/peer.toml", 1, &["keys/genesis.id does not exist"]);
    place.done("check config/genesis.toml");
}

#[test]
fn init_makes_a_network_and_its_members() {
    let place = Place::new();
    let made = place.json("init lab");
    let network = made["network"].as_str().unwrap();
    assert!(network.starts_with("lab-") && network.parse::<NetworkName>().is_ok());
    let genesis = Config::load(&place.path("lab/config/genesis.toml")).unwrap();
    assert_eq!(Identity::load(genesis.identity().unwrap()).unwrap().id().to_string(), made["id"]);
    assert_eq!(genesis.network().as_str(), network);
    place.done("check lab/config/genesis.toml");

    let address = format!("sealnet://{}@127.0.0.1:7400", made["id"].as_str().unwrap());
    let member = format!("init office --network {network} --genesis {address}");
    let printed = place.done(&format!("{member} --listen 127.0.0.1:7009"));
    assert!(printed.contains("office/config/peer.toml") && printed.contains("sealnet run --config"), "{printed}");
    let peer = Config::load(&place.path("office/config/peer.toml")).unwrap();
    assert_eq!(peer.genesis(), [address.parse().unwrap()]);
    assert_eq!((peer.network(), peer.listen()), (genesis.network(), Some("127.0.0.1:7009".parse().unwrap())));
    place.done("check office/config/peer.toml");

    // Nothing is overwritten; a second member beside the first has another name.
    let before = fs::read(place.path("office/config/peer.toml")).unwrap();
    place.fails(&member, 1, &["office/config/peer.toml exists already", "--name"]);
    assert_eq!(fs::read(place.path("office/config/peer.toml")).unwrap(), before);
    place.done(&format!("{member} --name second"));
    place.done("check office/config/second.toml");
}

/// The JSON form of a message on the network "demo".
fn message(title: &str, text: &str) -> String {
    let network: NetworkName = "demo".parse().unwrap();
    let scheme = Signed::new(NetworkHash::secure(&network), Arc::new(Identity::from_seed(&[1; 32])));
    let draft = Draft {
        title: title.parse().unwrap(),
        message: text.to_owned().into(),
        time: Timestamp::from_micros(1_700_000_000_000_000).unwrap(),
        lifetime: Lifetime::hours(1),
    };
    scheme.publish(&draft).unwrap().to_json(&network)
}

#[test]
fn verify_believes_what_is_its_senders_and_nothing_else() {
    let place = Place::new();
    let sound = message("chat", "hello");
    place.write("message.json", &sound);
    let printed = place.done("verify message.json --network demo");
    for words in ["valid", "chat", "hello", "2023-11-14T22:13:20", &Identity::from_seed(&[1; 32]).id().to_string()] {
        assert!(printed.contains(words), "no {words:?} in: {printed}");
    }
    let facts = place.json("verify message.json --network demo");
    assert_eq!(facts["valid"], true);
    assert_eq!(facts["envelope"], serde_json::from_str::<Value>(&sound).unwrap());

    place.fails("verify message.json --network other", 1, &["not valid"]);
    place.write("message.json", &sound.replace("hello", "hallo"));
    let output = place.fails("verify message.json --network demo", 1, &["do not believe"]);
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.contains("line 1") && printed.contains("altered") && !printed.contains("hallo"), "{printed}");
    place.fails("verify none.json --network demo", 1, &["none.json does not exist"]);
    place.write("message.json", "\n");
    place.fails("verify message.json --network demo", 1, &["no envelope in message.json"]);
}

#[test]
fn verify_judges_each_line_of_its_standard_input() {
    let place = Place::new();
    let (one, two) = (message("chat", "one"), message("chat", "two"));
    let pretty = serde_json::to_string_pretty(&serde_json::from_str::<Value>(&one).unwrap()).unwrap();
    let output = place.feed("verify - --network demo", &format!("{one}\n{pretty}\n{two}\n"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let output = place.feed("verify - --network demo --json", &format!("{one}\nrubbish\n{two}\n"));
    assert_fails(&output, 1, &["1 of 3"]);
    let judged: Vec<Value> =
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let valid: Vec<_> = judged.iter().map(|facts| (facts["line"].as_u64(), facts["valid"].as_bool())).collect();
    assert_eq!(valid, [(Some(1), Some(true)), (Some(2), Some(false)), (Some(3), Some(true))]);
}

#[test]
fn text_of_others_cannot_touch_the_terminal() {
    let place = Place::new();
    let hostile = "\u{1b}]0;title\u{7}\u{1b}[31mred\rvalid\n\u{202e}txt.exe";
    place.write("message.json", &message("a\u{202e}b", hostile));
    let printed = place.done("verify message.json --network demo");
    assert!(printed.lines().all(|line| !line.contains(char::is_control)), "{printed:?}");
    assert!(!printed.contains('\u{202e}') && printed.contains("a\\u{202e}b") && printed.contains("\\u{1b}[31mred\\r"));
    place.write("message.json", "{\"\u{1b}[31m\u{202e}\":1}");
    let output = place.fails("verify message.json --network demo", 1, &[]);
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(!printed.contains(['\u{1b}', '\u{202e}']), "{printed:?}");
}

#[test]
fn a_reader_that_goes_away_is_no_fault() {
    let place = Place::new();
    let many = format!("{}\n", message("chat", "hello")).repeat(2_000);
    place.write("messages.jsonl", &many);
    for arguments in ["verify messages.jsonl --network demo", "verify messages.jsonl --network demo --json"] {
        let mut child = place.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), &output.stderr[..]), (Some(0), &b""[..]));
    }
}

#[test]
fn shells_complete_every_command_and_option() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = place.done(&format!("completions {shell}"));
        for word in ["keygen", "devnet", "passphrase-fd", "until-eof", "completions"] {
            assert!(script.contains(word), "no {word:?} for {shell}");
        }
        place.write("script", &script);
        // Whether the shell understands it is seen only where there is one.
        match Command::new(shell).arg("-n").arg(place.path("script")).output() {
            Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr)),
            Err(_) => println!("NOT RUN: {shell} is not installed"),
        }
    }
}

#[test]
fn init_says_how_to_go_on() {
    let place = Place::new();
    assert!(place.done("init lab --name first").contains("sealnet run --config lab/config/first.toml"));
}
