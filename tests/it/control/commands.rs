//! The commands on a running node, against a network of processes.

use std::process::{Command, Output};
use std::time::Instant;

use sealnet::node::SecureNode;
use sealnet::overlay::Settings;
use serde_json::Value;

use crate::place::assert_fails;
use crate::program::Running;
use crate::support::{PATIENCE, identity};
use crate::terminal::Terminal;

/// A devnet of processes in a folder of its own.
struct Devnet {
    folder: tempfile::TempDir,
    _running: Running,
}

impl Devnet {
    fn start(nodes: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        let line =
            format!("exec {} devnet --processes --nodes {nodes} --messages 3 2>&1", env!("CARGO_BIN_EXE_sealnet"));
        let mut running = Running::start(command.args(["-c", &line]).current_dir(folder.path()));
        let page = running.prints("page: ");
        assert!(page.starts_with("page: http://127.0.0.1:") && page.contains("/#token="), "{page}");
        running.prints("everything was sent");
        Devnet { folder, _running: running }
    }

    /// A command on the node `name`, `rest` being its further arguments.
    fn command(&self, command: &str, name: &str, rest: &[&str]) -> Command {
        let mut program = Command::new(env!("CARGO_BIN_EXE_sealnet"));
        program.arg(command).args(["--config", &format!("devnet/config/{name}.toml")]).args(rest);
        program.current_dir(self.folder.path()).env_remove("SEALNET_LOG").env_remove("CLICOLOR_FORCE");
        program
    }

    fn run(&self, command: &str, name: &str, rest: &[&str]) -> Output {
        self.command(command, name, rest).output().unwrap()
    }

    #[track_caller]
    fn done(&self, command: &str, name: &str, rest: &[&str]) -> String {
        let output = self.run(command, name, rest);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), &errors[..]), (Some(0), ""), "sealnet {command} {rest:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    #[track_caller]
    fn json(&self, command: &str, name: &str, rest: &[&str]) -> Value {
        let text = self.done(command, name, &[rest, &["--json"]].concat());
        assert_eq!(text.lines().count(), 1, "{text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Asks until it is so.
    #[track_caller]
    fn until(&self, what: &str, fact: impl Fn() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !fact() {
            assert!(Instant::now() < deadline, "it never came to {what}");
        }
    }

    /// The rows that a person with a terminal of 80 columns sees.
    fn seen(&self, command: &str, name: &str, until: &str) -> Vec<String> {
        let terminal = Terminal::start(self.command(command, name, &[]));
        terminal.shows(|rows| rows.iter().any(|row| row.contains(until)))
    }
}

#[test]
fn every_command_works_on_a_network_of_processes() {
    let devnet = Devnet::start(4);
    let ids: Vec<String> = ["genesis", "node-2", "node-3", "node-4"]
        .iter()
        .map(|name| devnet.json("status", name, &[])["id"].as_str().unwrap().to_owned())
        .collect();

    // Everybody will be linked with everybody, and will have said so.
    devnet.until("six links", || {
        let network =
            |name| -> Value { serde_json::from_str(&devnet.done("graph", name, &["--format", "json"])).unwrap() };
        ["genesis", "node-2", "node-3", "node-4"].iter().all(|name| {
            let edges = network(name)["edges"].as_array().unwrap().clone();
            edges.len() == 6 && edges.iter().all(|edge| edge["known_by"].as_array().unwrap().len() == 2)
        })
    });
    let status = devnet.json("status", "genesis", &[]);
    assert_eq!((&status["members"], &status["links"], &status["genesis"]), (&4.into(), &3.into(), &true.into()));
    let shown = devnet.done("status", "node-2", &[]);
    assert!(shown.contains("members     4") && shown.contains(&ids[1]), "{shown}");
    let mut watching = Running::start(&mut devnet.command("status", "node-2", &["--watch", "--json"]));
    watching.prints(&ids[1]);
    watching.prints(&ids[1]);

    let members = devnet.json("members", "node-2", &[]);
    assert_eq!(members.as_array().unwrap().len(), 4);
    assert!(members.as_array().unwrap().iter().all(|member| member["state"] == "present"), "{members}");
    let shown = devnet.done("members", "node-2", &[]);
    assert!(ids.iter().all(|id| shown.contains(id)) && shown.contains("4 members, all of them reachable"), "{shown}");
    let links = devnet.json("links", "node-2", &[]);
    assert_eq!(links.as_array().unwrap().len(), 3);
    assert!(devnet.done("links", "node-2", &[]).contains("3 links"));

    let network = devnet.json("network", "node-3", &[]);
    assert_eq!((&network["members"], &network["links"], &network["diameter"]), (&4.into(), &6.into(), &1.into()));
    assert_eq!((&network["parts"], &network["missing"]), (&serde_json::json!([4]), &serde_json::json!([])));
    let shown = devnet.done("network", "node-3", &[]).replace(env!("CARGO_PKG_VERSION"), "VERSION");
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false, snapshot_path => "../snapshots" }, {
        insta::assert_snapshot!("network_of_four", shown);
    });
    for (format, words) in
        [("dot", "digraph sealnet {"), ("svg", "<svg "), ("mermaid", "graph LR"), ("json", "{\"nodes\":")]
    {
        let drawn = devnet.done("graph", "genesis", &["--format", format]);
        assert!(drawn.starts_with(words) && ids.iter().all(|id| drawn.contains(id)), "{format}: {drawn}");
    }

    let rows = devnet.seen("members", "genesis", "4 members");
    assert!(rows.iter().all(|row| row.chars().count() <= 80), "{rows:#?}");
    let rows = devnet.seen("status", "genesis", "verified");
    assert!(rows.iter().any(|row| row.starts_with("node        ")), "{rows:#?}");

    let said = devnet.json("publish", "node-2", &["chat", "hello, everyone"]);
    assert_eq!((&said["neighbours"], &said["kept"]), (&3.into(), &true.into()));
    assert!(devnet.done("publish", "node-2", &["chat", "and again"]).contains("neighbours  3"));
    let mut tail = Running::start(&mut devnet.command("tail", "node-4", &["chat", "--json"]));
    for text in ["hello, everyone", "and again"] {
        let line = tail.prints(text);
        let mut verify = Command::new(env!("CARGO_BIN_EXE_sealnet"));
        std::fs::write(devnet.folder.path().join("message.json"), line).unwrap();
        verify.args(["verify", "message.json", "--network", "devnet"]).current_dir(devnet.folder.path());
        assert!(verify.output().unwrap().status.success());
    }
    devnet.done("publish", "genesis", &["chat", "-x- live"]);
    tail.prints("-x- live");
    let kept = devnet.done("tail", "node-4", &["chat", "--from", "start", "--no-follow", "--cursors"]);
    let lines: Vec<&str> = kept.lines().collect();
    assert!(lines.len() == 3 && lines[0].ends_with("hello, everyone") && lines[2].ends_with("-x- live"), "{kept}");
    let cursor = lines[1].split(' ').next().unwrap();
    let rest = devnet.done("tail", "node-4", &["chat", "--from", cursor, "--count", "1"]);
    assert!(rest.lines().count() == 1 && rest.contains("-x- live"), "{rest}");
    let feed =
        devnet.command("publish", "node-3", &["chat", "-"]).stdin(message(&devnet, b"\xff\x00")).output().unwrap();
    assert!(feed.status.success());
    tail.prints("message_base64");

    let answered = devnet.json("ping", "genesis", &[&ids[2][..12]]);
    assert_eq!(answered["peer"], ids[2].as_str());
    assert!(devnet.done("ping", "genesis", &[&ids[2]]).contains("answered after"));
    assert_eq!(devnet.json("send", "genesis", &[&ids[3], "note", "for you alone"])["sent"], "directly");
    assert!(devnet.done("send", "genesis", &[&ids[3], "note", "and this"]).contains("has it"));
    // One that is in the network and knows nobody: nothing else links the two.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let lone = runtime.block_on(lone_node());
    let address = lone.address().unwrap().to_string();
    let wrong = address.replace(&lone.id().to_string(), &ids[2]);
    assert_fails(&devnet.run("connect", "genesis", &[&wrong]), 1, &["no link with sealnet://"]);
    assert_eq!(devnet.json("connect", "genesis", &[&address])["id"], lone.id().to_string());
    assert!(devnet.done("disconnect", "genesis", &[&lone.id().to_string()]).contains("is being closed"));
    runtime.block_on(lone.stop());
    assert!(devnet.done("disconnect", "genesis", &[&ids[1]]).contains("is being closed"));
    assert!(devnet.json("page", "genesis", &[])["page"].as_str().unwrap().contains("/#token="));
    assert!(devnet.done("bar", "node-3", &[&ids[3]]).contains("barred for an hour"));

    // What goes wrong: status 1 and what to do about it, or 2 for wrong usage.
    assert_fails(&devnet.run("shutdown", "genesis", &["--yes"]), 1, &["right to shut this network down"]);
    assert_fails(&devnet.run("shutdown", "genesis", &[]), 2, &["--yes"]);
    assert_fails(&devnet.run("ping", "genesis", &["0000"]), 1, &["nobody here is called \"0000\""]);
    assert_fails(&devnet.run("ping", "genesis", &[""]), 1, &["nobody here is called"]);
    assert_fails(&devnet.run("publish", "genesis", &["sealnet/leave", "x"]), 2, &["sealnet/"]);
    assert_fails(&devnet.run("connect", "genesis", &["nowhere"]), 2, &["sealnet://"]);
    assert_fails(&devnet.run("tail", "genesis", &["--from", "7"]), 2, &["no cursor"]);
    assert_fails(&devnet.run("tail", "genesis", &["--from", "0000000000000000:1"]), 1, &["belongs to the log"]);
    assert_fails(&devnet.run("status", "nobody", &[]), 1, &["nobody.toml"]);

    assert_eq!(devnet.json("stop", "node-4", &[])["stopped"], true);
    tail_ends(tail);
    assert_fails(
        &devnet.run("status", "node-4", &[]),
        1,
        &["no node runs with devnet/config/node-4.toml", "sealnet run"],
    );
}

async fn lone_node() -> SecureNode {
    let builder = SecureNode::builder("devnet".parse().unwrap(), identity(9)).overlay(Settings::local());
    builder.listen("127.0.0.1:0".parse().unwrap()).start().await.unwrap()
}

/// A file with these bytes, as standard input.
fn message(devnet: &Devnet, bytes: &[u8]) -> std::fs::File {
    let path = devnet.folder.path().join("message");
    std::fs::write(&path, bytes).unwrap();
    std::fs::File::open(path).unwrap()
}

/// Waits until it ends by itself: its node has.
fn tail_ends(tail: Running) {
    assert_eq!(tail.ends().code(), Some(1));
}

#[test]
fn what_there_is_no_interface_for_says_how_to_switch_it_on() {
    let place = crate::place::Place::with_keys();
    let without = std::fs::read_to_string(place.path("config/peer.toml")).unwrap().replace("control =", "# control =");
    place.write("config/peer.toml", &without);
    place.fails("status --config config/peer.toml", 1, &["no control interface", "[control]", "127.0.0.1:0"]);
    place.fails(
        "status --config config/genesis.toml",
        1,
        &["no node runs", "sealnet run --config config/genesis.toml"],
    );
    place.fails("status", 2, &["--config <FILE>"]);
    place.fails("publish --config config/genesis.toml chat", 2, &["<MESSAGE>"]);
}
