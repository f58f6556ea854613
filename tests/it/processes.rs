//! A network of real processes with real configuration files, whose first node is killed.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use sealnet::identity::{Identity, Overwrite};

use crate::program::Running;
use crate::support::PATIENCE;

/// Keys, ports and configuration files of a network in a folder.
struct Network {
    folder: tempfile::TempDir,
    ports: Vec<u16>,
}

/// A port that is free, and that nobody gets who asks the system for any: it lies below those that are given so (32768 and up),
/// and no other test of this program takes it between now and the start of the node that is to have it.
fn free_port() -> TcpListener {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let place = std::process::id().wrapping_mul(37).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % 12_000;
        if let Ok(held) = TcpListener::bind(("127.0.0.1", 20_000 + place as u16)) {
            return held;
        }
    }
}

impl Network {
    fn new(nodes: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("config")).unwrap();
        let held: Vec<_> = (0..nodes).map(|_| free_port()).collect();
        let ports = held.iter().map(|listener| listener.local_addr().unwrap().port()).collect();
        for n in 0..nodes {
            let key = folder.path().join(format!("keys/{n}.pem"));
            Identity::generate().unwrap().save(&key, Overwrite::Refuse).unwrap();
        }
        Network { folder, ports }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Starts node `n`, which knows the nodes `genesis`, and waits until it has joined.
    fn start(&self, n: usize, genesis: &[usize]) -> Running {
        self.start_by(Command::new(env!("CARGO_BIN_EXE_sealnet")), n, genesis)
    }

    /// The same by a command that runs the program.
    fn start_by(&self, mut command: Command, n: usize, genesis: &[usize]) -> Running {
        let entry =
            |n: &usize| format!("{{ address = \"127.0.0.1:{}\", id_file = \"../keys/{n}.id\" }}", self.ports[*n]);
        let genesis: Vec<_> = genesis.iter().map(entry).collect();
        let config = format!(
            "network = \"processes\"\nidentity = \"../keys/{n}.pem\"\nlisten = \"127.0.0.1:{}\"\npreset = \"local\"\n\
             genesis = [{}]\n",
            self.ports[n],
            genesis.join(", ")
        );
        let file = format!("config/{n}.toml");
        std::fs::write(self.path().join(&file), config).unwrap();
        let mut running = Running::start(command.args(["run", "--config", &file]).current_dir(self.path()));
        running.prints("joined");
        running
    }
}

/// Asks a node for the members until it names `count` that are present.
fn knows(node: &mut Running, count: usize) {
    let begun = Instant::now();
    let mut present = usize::MAX;
    while present != count {
        assert!(begun.elapsed() < PATIENCE, "a node knows {present} members that are present, not {count}");
        node.types("/members");
        present = 0;
        loop {
            let line = node.prints("");
            present += usize::from(line.contains("  present  "));
            // The last line of the list: "5 members", or "1 member".
            let is_sum = |rest: &str| matches!(rest, "member" | "members");
            if line.split_once(' ').is_some_and(|(number, rest)| is_sum(rest) && number.parse::<u32>().is_ok()) {
                break;
            }
        }
    }
}

#[test]
fn five_processes_go_on_without_their_genesis_and_take_it_back() {
    let network = Network::new(6);
    let genesis = [0, 1];
    let mut nodes: Vec<_> = (0..5).map(|n| network.start(n, if n == 0 { &[] } else { &genesis })).collect();
    nodes.iter_mut().for_each(|node| knows(node, 5));
    nodes[2].types("hello from the third");
    nodes.iter_mut().for_each(|node| drop(node.prints("hello from the third")));

    nodes.remove(0).kill();
    nodes[2].types("we go on");
    nodes.iter_mut().for_each(|node| drop(node.prints("we go on")));

    // A sixth joins through the second genesis node, and gets what was said before.
    let mut sixth = network.start(5, &genesis);
    sixth.has_printed("we go on");
    nodes.push(sixth);

    // The first comes back and is a member again.
    nodes.push(network.start(0, &genesis));
    nodes.iter_mut().for_each(|node| knows(node, 6));
    nodes[5].types("back again");
    nodes.iter_mut().for_each(|node| drop(node.prints("back again")));
    for node in nodes {
        assert!(node.stops().success());
    }
}

#[test]
fn a_node_without_file_descriptors_goes_on_and_lets_others_in_when_there_are_some_again() {
    let network = Network::new(2);
    let log = network.path().join("log");
    let mut command = Command::new("sh");
    // Some more than it needs for itself.
    command.args(["-c", "ulimit -n 40; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_sealnet")]);
    command.stderr(std::fs::File::create(&log).unwrap());
    let mut first = network.start_by(command, 0, &[]);
    let address = ("127.0.0.1", network.ports[0]);
    let held: Vec<_> = (0..100).map(|_| TcpStream::connect(address).unwrap()).collect();
    let begun = Instant::now();
    while !std::fs::read_to_string(&log).unwrap().contains("no connection could be taken") {
        assert!(begun.elapsed() < PATIENCE, "it never ran out of file descriptors");
        std::thread::sleep(Duration::from_millis(10));
    }
    first.types("still here");
    first.prints("still here");
    drop(held);
    let mut second = network.start(1, &[0]);
    second.types("hello from the second");
    first.prints("hello from the second");
    assert!(first.stops().success() && second.stops().success());
}

#[test]
fn a_node_whose_log_nobody_reads_any_more_goes_on_and_stops_when_it_is_asked() {
    let network = Network::new(2);
    let mut command = Command::new(env!("CARGO_BIN_EXE_sealnet"));
    let (reader, writer) = std::io::pipe().unwrap();
    command.args(["--log", "debug"]).stderr(writer);
    drop(reader);
    let mut unheard = network.start_by(command, 0, &[]);
    let mut other = network.start(1, &[0]);
    knows(&mut unheard, 2);
    other.types("hello");
    unheard.has_printed("hello");
    assert!(other.stops().success());
    unheard.has_printed("is gone");
    assert!(unheard.stops().success());
}

#[test]
fn a_log_for_programs_is_one_object_a_line_and_names_the_link_that_something_happened_on() {
    let network = Network::new(2);
    let mut command = Command::new(env!("CARGO_BIN_EXE_sealnet"));
    let log = network.path().join("log.jsonl");
    command.args(["--log", "sealnet=trace", "--log-json"]).stderr(std::fs::File::create(&log).unwrap());
    let mut logged = network.start_by(command, 0, &[]);
    let mut other = network.start(1, &[0]);
    knows(&mut logged, 2);
    other.types("hello");
    logged.has_printed("hello");
    assert!(other.stops().success() && logged.stops().success());
    let text = std::fs::read_to_string(log).unwrap();
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().all(|line| line["level"].is_string() && line["timestamp"].is_string()), "{text}");
    let spans = |line: &serde_json::Value, name: &str| {
        line["spans"].as_array().is_some_and(|spans| spans.iter().any(|span| span["name"] == name))
    };
    let kept = lines.iter().find(|line| line["message"] == "kept, to be relayed");
    assert!(kept.is_some_and(|line| spans(line, "link") && spans(line, "message")), "{text}");
    assert!(!text.contains("hello"), "what is said stands in no log");
}

#[test]
fn a_program_that_publishes_through_run_learns_what_became_of_each_line_and_can_read_the_log_from_its_start() {
    let folder = tempfile::tempdir().unwrap();
    Identity::generate().unwrap().save(&folder.path().join("node.pem"), Overwrite::Refuse).unwrap();
    let config =
        "network = \"processes\"\nidentity = \"node.pem\"\nlisten = \"127.0.0.1:0\"\n[log]\nfolder = \"data\"\n";
    std::fs::write(folder.path().join("node.toml"), config).unwrap();
    let start = |options: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sealnet"));
        command.args(["run", "--json", "--events", "--config", "node.toml"]).args(options);
        Running::start(command.current_dir(folder.path()))
    };
    let value = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap();
    let mut node = start(&[]);
    let mut published = Vec::new();
    for text in ["one", &"x".repeat(sealnet::envelope::MAX_MESSAGE + 1), "two"] {
        node.types(text);
        let answer = value(&node.prints("published\""));
        if text.len() > 3 {
            assert_eq!(answer["event"], "not-published");
            assert!(answer["why"].as_str().unwrap().contains("bytes"), "{answer}");
        } else {
            assert_eq!(answer["event"], "published", "{answer}");
            published.push((answer["id"].clone(), text.to_owned()));
        }
    }
    node.kill();
    let mut node = start(&["--from-start"]);
    for (id, text) in published {
        let printed = value(&node.prints("\"message\""));
        assert_eq!((&printed["id"], &printed["message"]), (&id, &text.into()));
    }
    node.types("three");
    node.has_printed("\"three\"");
    // Without being asked to it begins with what is new.
    node.kill();
    let mut node = start(&[]);
    node.types("four");
    assert_eq!(value(&node.prints("\"message\""))["message"], "four");
}
