//! A devnet of processes: complete, counted from what the nodes print, and none of them is left over.
#![cfg(all(unix, feature = "cli"))]

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::mpsc::channel;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::PATIENCE;

/// A devnet that goes on until it is stopped.
struct Devnet {
    program: Child,
    errors: BufReader<ChildStderr>,
    _folder: tempfile::TempDir,
}

impl Devnet {
    fn start(arguments: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_sealnet"));
        command.arg("devnet").args(arguments.split_whitespace()).current_dir(folder.path()).stdin(Stdio::null());
        let mut program = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let errors = BufReader::new(program.stderr.take().unwrap());
        Devnet { program, errors, _folder: folder }
    }

    /// Waits until it tells of `text`.
    fn tells(&mut self, text: &str) {
        let mut line = String::new();
        while !line.contains(text) {
            line.clear();
            assert_ne!(self.errors.read_line(&mut line).unwrap(), 0, "it ended without telling {text:?}");
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.program), signal).unwrap();
    }

    /// Waits until it and every one of its nodes, which have its standard error, too, are gone; gives what it printed.
    fn all_end(mut self) -> (Option<i32>, String) {
        let (sender, gone) = channel();
        let mut errors = self.errors;
        std::thread::spawn(move || sender.send(errors.read_to_string(&mut String::new())));
        gone.recv_timeout(PATIENCE).expect("a node is left over").unwrap();
        let mut printed = String::new();
        self.program.stdout.take().unwrap().read_to_string(&mut printed).unwrap();
        (self.program.wait().unwrap().code(), printed)
    }
}

fn facts(printed: &str) -> Value {
    assert_eq!(printed.lines().count(), 1, "{printed}");
    serde_json::from_str(printed).unwrap()
}

#[test]
fn every_message_reaches_every_process_exactly_once() {
    for (arguments, published, delivered) in [
        ("--processes --nodes 5 --messages 20", 20, 80),
        ("--processes --nodes 2 --messages 4 --size 100000 --seed 7", 4, 4),
        ("--processes --nodes 1 --messages 2", 2, 0),
        ("--nodes 3 --messages 10", 10, 20),
    ] {
        let (status, printed) = Devnet::start(&format!("{arguments} --exit --json")).all_end();
        let facts = facts(&printed);
        let expected = [("published", published), ("delivered", delivered), ("expected", delivered)];
        for (name, value) in expected.into_iter().chain([("missing", 0), ("duplicates", 0), ("invalid", 0)]) {
            assert_eq!(facts[name], value, "{name} of {arguments}: {printed}");
        }
        assert_eq!(status, Some(0), "{arguments}");
    }
}

#[test]
fn an_interrupted_devnet_counts_what_arrived_and_leaves_no_process() {
    let mut devnet = Devnet::start("--processes --nodes 3");
    devnet.tells("published message 0");
    devnet.signal(Signal::INT);
    let (status, printed) = devnet.all_end();
    assert_eq!(status, Some(0), "{printed}");
    assert!(printed.contains("missing     0"), "{printed}");
}

#[test]
fn no_process_outlives_a_devnet_that_is_killed() {
    let mut devnet = Devnet::start("--processes --nodes 3");
    devnet.tells("all 3 nodes joined");
    devnet.signal(Signal::KILL);
    devnet.all_end();
}

#[test]
fn a_node_that_cannot_go_on_ends_the_devnet_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sealnet"));
        command.args(arguments).current_dir(folder.path()).stdin(Stdio::null()).output().unwrap()
    };
    assert!(run(&["devnet", "--nodes", "2", "--messages", "1", "--exit"]).status.success());
    // A key that can be read by all is refused before anything is started.
    let key = folder.path().join("devnet/keys/node-2.pem");
    std::fs::set_permissions(key, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let output = run(&["devnet", "--processes", "--nodes", "2", "--messages", "1", "--exit"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && errors.contains("chmod 600 devnet/keys/node-2.pem"), "{errors}");
}
