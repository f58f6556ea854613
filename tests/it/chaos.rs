//! A network of processes that are killed, started again and started anew, in short: `tests/chaos/run.py` does it for
//! minutes, and cuts nodes off.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use sealnet::identity::Overwrite;
use serde_json::Value;

use crate::program::Running;
use crate::support::{PATIENCE, identity};

const NODES: u8 = 5;
const ROUNDS: u32 = 12;
const SEED: u32 = 0x5EA1;

/// What was said by whom: texts by the id they were acknowledged under.
type Acknowledged = BTreeMap<String, String>;

/// One identity with one folder, through all the lives of its process.
struct Node {
    config: PathBuf,
    data: PathBuf,
    running: Option<Running>,
    /// Texts that were typed and not answered yet.
    waiting: VecDeque<String>,
    /// The messages that this process has printed, in order: ids and texts.
    printed: Vec<(String, String)>,
    /// What the process before it with this log had printed.
    former: Vec<(String, String)>,
    /// What this node acknowledged.
    acknowledged: Acknowledged,
}

impl Node {
    fn start(&mut self) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sealnet"));
        command.args(["run", "--json", "--events", "--from-start", "--config"]).arg(&self.config);
        self.running = Some(Running::start(&mut command));
        self.former = std::mem::take(&mut self.printed);
        self.waiting.clear();
    }

    fn types(&mut self, text: String) {
        self.running.as_mut().unwrap().types(&text);
        self.waiting.push_back(text);
    }

    /// Takes notice of a line that was printed.
    fn reads(&mut self, line: &str) {
        // Half a line, when it was killed.
        let Ok(said) = serde_json::from_str::<Value>(line) else { return };
        let text = |key: &str| said[key].as_str().unwrap().to_owned();
        match said["event"].as_str() {
            Some("published") => {
                let before = self.acknowledged.insert(text("id"), self.waiting.pop_front().unwrap());
                assert_eq!(before, None, "a message was acknowledged twice");
            }
            Some("not-published" | "barred" | "identity-used-elsewhere") => panic!("{line}"),
            Some(_) => {}
            None => self.printed.push((text("id"), text("message"))),
        }
    }

    /// Reads what it prints until `fact` holds.
    fn until(&mut self, what: &str, fact: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !fact(self) {
            let line = self.running.as_mut().unwrap().next_line(deadline);
            let line =
                line.unwrap_or_else(|| panic!("seed {SEED:#x}: {what}: {} messages printed", self.printed.len()));
            self.reads(&line);
        }
    }

    fn has_printed<'a>(&self, ids: impl IntoIterator<Item = &'a String>) -> bool {
        let printed: BTreeSet<&String> = self.printed.iter().map(|(id, _)| id).collect();
        ids.into_iter().all(|id| printed.contains(id))
    }

    fn kill(&mut self) {
        let rest = self.running.take().unwrap().kill();
        self.ended(&rest);
    }

    fn stop(&mut self) {
        let (status, rest) = self.running.take().unwrap().stops_and_prints();
        assert!(status.success(), "seed {SEED:#x}: {status}");
        self.ended(&rest);
    }

    /// Judges what a process has printed in its whole life.
    fn ended(&mut self, rest: &[String]) {
        rest.iter().for_each(|line| self.reads(line));
        let once: BTreeSet<_> = self.printed.iter().collect();
        assert_eq!(once.len(), self.printed.len(), "seed {SEED:#x}: a process printed a message twice");
        // It prints its log in order, so it begins as the one before it did; or it was ended on the way there.
        let common = self.former.len().min(self.printed.len());
        assert_eq!(self.printed[..common], self.former[..common], "seed {SEED:#x}: a log has lost what was printed");
        if common < self.former.len() {
            self.printed.clone_from(&self.former);
        }
    }

    /// The log is lost, the key is not.
    fn forget(&mut self) {
        std::fs::remove_dir_all(&self.data).unwrap();
        self.printed.clear();
    }
}

fn network(folder: &tempfile::TempDir) -> Vec<Node> {
    let held: Vec<_> = (0..NODES).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let addresses: Vec<_> = held.iter().map(|listener| listener.local_addr().unwrap()).collect();
    let genesis: Vec<_> =
        (0..2_u8).map(|n| format!("\"sealnet://{}@{}\"", identity(n).id(), addresses[usize::from(n)])).collect();
    let node = |n: u8| {
        let path = |end: &str| folder.path().join(format!("{n}.{end}"));
        identity(n).save(&path("pem"), Overwrite::Refuse).unwrap();
        let text = format!(
            "network = \"chaos\"\nidentity = \"{n}.pem\"\nlisten = \"{}\"\npreset = \"local\"\ngenesis = [{}]\n\
             [log]\nfolder = \"{n}.data\"\n",
            addresses[usize::from(n)],
            genesis.join(", ")
        );
        std::fs::write(path("toml"), text).unwrap();
        Node {
            config: path("toml"),
            data: path("data"),
            running: None,
            waiting: VecDeque::new(),
            printed: Vec::new(),
            former: Vec::new(),
            acknowledged: Acknowledged::new(),
        }
    };
    (0..NODES).map(node).collect()
}

#[test]
fn whatever_is_killed_and_started_anew_every_node_has_every_acknowledged_message_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut nodes = network(&folder);
    nodes.iter_mut().for_each(Node::start);
    let mut chance = SEED;
    let mut draw = |below: usize| {
        chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (chance >> 16) as usize % below
    };
    let (mut typed, mut down) = (BTreeSet::new(), None);
    for round in 0..ROUNDS {
        for n in 0..60 {
            let node = &mut nodes[draw(usize::from(NODES))];
            if node.running.is_some() {
                typed.insert(format!("{round}/{n}"));
                node.types(format!("{round}/{n}"));
            }
        }
        // Who was down for a round comes back.
        if let Some(node) = down.take() {
            Node::start(&mut nodes[node]);
        }
        let place = draw(usize::from(NODES));
        match round % 4 {
            // In the midst of publishing.
            0 => nodes[place].kill(),
            1 => {
                nodes[place].kill();
                down = Some(place);
                continue;
            }
            2 => nodes[place].stop(),
            // What nobody else has yet would be lost with the log, and no network could bring it back.
            _ => {
                nodes[place].until("all is answered", |node| node.waiting.is_empty());
                let (printed, former) = (nodes[place].printed.iter(), nodes[place].former.iter());
                let own: BTreeSet<_> = printed.chain(former).map(|(id, _)| id.clone()).collect();
                let own = &own | &nodes[place].acknowledged.keys().cloned().collect();
                let other = (place + 1) % nodes.len();
                nodes[other].until("another node has it all", |node| node.has_printed(&own));
                nodes[place].kill();
                nodes[place].forget();
            }
        }
        nodes[place].start();
    }
    nodes.iter_mut().filter(|node| node.running.is_none()).for_each(Node::start);

    for node in &mut nodes {
        node.until("all is answered", |node| node.waiting.is_empty());
    }
    let acknowledged: Acknowledged = nodes.iter().flat_map(|node| node.acknowledged.clone()).collect();
    assert!(acknowledged.len() > 200, "only {} messages were acknowledged", acknowledged.len());
    // The last messages come after all others that are under way on the same links.
    for node in &mut nodes {
        node.until("it has everything", |node| node.has_printed(acknowledged.keys()));
        node.types("the end".into());
    }
    for node in &mut nodes {
        let ends = |node: &Node| node.printed.iter().filter(|(_, text)| text == "the end").count();
        node.until("everybody has said the last word", |node| ends(node) == usize::from(NODES));
    }
    for mut node in nodes {
        node.stop();
        for (id, text) in &node.printed {
            assert!(text == "the end" || typed.contains(text), "seed {SEED:#x}: nobody said {text:?}");
            assert!(acknowledged.get(id).is_none_or(|said| said == text), "seed {SEED:#x}: {text:?}");
        }
        assert!(node.has_printed(acknowledged.keys()));
    }
}
