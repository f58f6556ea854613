//! A devnet of processes: each node is `sealnet run` with its configuration, a program like any other on this machine. All
//! that is known of it is what it prints.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::super::Failure;
use super::files;
use super::host::Host;
use super::report::Progress;
use super::traffic::{TITLE, Traffic};
use crate::overlay::Reason;

/// A node that was asked to stop does so within this time, or is ended.
const STOP_WITHIN: Duration = Duration::from_secs(10);
/// A node takes a message from its input within this time.
const TAKE_WITHIN: Duration = Duration::from_secs(10);
/// A program is there and listens within this time.
const START_WITHIN: Duration = Duration::from_secs(30);

/// Programs, which end with this value: each is asked to leave when its standard input is closed, whatever happens to
/// this program, and killed if it is dropped in an error or a panic.
pub(super) struct Processes {
    nodes: Vec<Process>,
    readers: JoinSet<()>,
    changed: Arc<Notify>,
}

struct Process {
    child: Child,
    input: ChildStdin,
    known: Arc<Mutex<Known>>,
}

/// What a node has told of itself.
#[derive(Default)]
struct Known {
    started: Option<(String, String)>,
    members: BTreeSet<String>,
    links: BTreeSet<String>,
    refused: u64,
    /// It prints nothing more.
    has_ended: bool,
}

/// What is read of a line that a node prints: a broadcast or an event.
#[derive(Deserialize)]
struct Line {
    event: Option<String>,
    #[serde(default)]
    id: String,
    #[serde(default)]
    title: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    peer: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    listen: Option<String>,
    members: Option<serde_json::Value>,
    links: Option<serde_json::Value>,
    #[serde(default)]
    reasons: std::collections::BTreeMap<String, u64>,
}

impl Processes {
    pub(super) async fn start(
        configs: &[PathBuf],
        seed: impl Fn(usize) -> Option<[u8; 32]>,
        traffic: &Arc<Traffic>,
        progress: &Progress,
    ) -> Result<Self, Failure> {
        let program = std::env::current_exe()
            .map_err(|error| Failure::said(format!("the program's own file cannot be found: {error}")))?;
        let nodes = Vec::with_capacity(configs.len());
        let mut all = Processes { nodes, readers: JoinSet::new(), changed: Arc::default() };
        for (place, config) in configs.iter().enumerate() {
            let (child, input, output) = spawn(&program, config, seed(place))?;
            let known = Arc::<Mutex<Known>>::default();
            all.readers.spawn(read(output, place, known.clone(), traffic.clone(), all.changed.clone()));
            all.nodes.push(Process { child, input, known });
            // The others begin at the first node, which should be there.
            if place == 0 {
                all.wait_until_started(0, progress).await?;
            }
        }
        for place in 1..configs.len() {
            all.wait_until_started(place, progress).await?;
        }
        if let Some(genesis) = configs.first() {
            progress.page(genesis);
        }
        Ok(all)
    }

    async fn wait_until_started(&mut self, place: usize, progress: &Progress) -> Result<(), Failure> {
        let deadline = tokio::time::Instant::now() + START_WITHIN;
        loop {
            let started = self.nodes[place].known().started.clone();
            if let Some((id, listen)) = started {
                progress.started(&files::name(place), id.get(..8).unwrap_or(&id), &listen);
                return Ok(());
            }
            if tokio::time::Instant::now() >= deadline {
                let name = files::name(place);
                return Err(Failure::said(format!("{name} did not start within {} s", START_WITHIN.as_secs())));
            }
            self.change().await?;
        }
    }
}

impl Process {
    fn known(&self) -> MutexGuard<'_, Known> {
        lock(&self.known)
    }
}

fn lock(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

fn spawn(program: &Path, config: &Path, seed: Option<[u8; 32]>) -> Result<(Child, ChildStdin, ChildStdout), Failure> {
    let mut command = Command::new(program);
    command.args(["run", "--json", "--events", "--until-eof", "--title", TITLE, "--config"]).arg(config);
    if let Some(seed) = seed {
        command.args(["--seed", &data_encoding::HEXLOWER.encode(&seed)]);
    }
    // What goes wrong in a node is seen on this program's standard error.
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    // Ctrl-C is for this program alone: it counts what has arrived, and then ends the others.
    #[cfg(unix)]
    command.process_group(0);
    let started = command.spawn().and_then(|mut child| match (child.stdin.take(), child.stdout.take()) {
        (Some(input), Some(output)) => Ok((child, input, output)),
        _ => Err(std::io::Error::other("its input and output are not there")),
    });
    started.map_err(|error| Failure::said(format!("{} cannot be started: {error}", program.display())))
}

/// Reads what a node prints until it ends.
async fn read(
    output: ChildStdout,
    place: usize,
    known: Arc<Mutex<Known>>,
    traffic: Arc<Traffic>,
    changed: Arc<Notify>,
) {
    let mut lines = BufReader::new(output).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        match serde_json::from_str::<Line>(&line) {
            Ok(Line { event: None, title, message, .. }) if title == TITLE => traffic.received(place, &message),
            Ok(line) => {
                lock(&known).note(line);
                changed.notify_one();
            }
            Err(error) => tracing::warn!(%error, "a node printed something else than JSON"),
        }
    }
    lock(&known).has_ended = true;
    changed.notify_one();
}

impl Known {
    fn note(&mut self, line: Line) {
        match line.event.as_deref() {
            Some("started") => self.started = Some((line.id, line.listen.unwrap_or_default())),
            Some("member") if line.state == "gone" => drop(self.members.remove(&line.id)),
            Some("member") => drop(self.members.insert(line.id)),
            Some("link-opened") => drop(self.links.insert(line.peer)),
            Some("link-closed") => drop(self.links.remove(&line.peer)),
            Some("missed") => {
                let ids = |list| serde_json::from_value(list).unwrap_or_default();
                self.members = line.members.map(ids).unwrap_or_default();
                self.links = line.links.map(ids).unwrap_or_default();
            }
            Some("stopping") => {
                let count = |reason: Reason| line.reasons.get(reason.label()).copied().unwrap_or(0);
                self.refused = count(Reason::BadEnvelope) + count(Reason::BadSignature);
            }
            _ => {}
        }
    }
}

impl Host for Processes {
    fn has_joined(&self, place: usize, members: usize, links: usize) -> bool {
        let known = self.nodes[place].known();
        known.members.len() == members && known.links.len() >= links
    }

    async fn change(&mut self) -> Result<(), Failure> {
        let _ = tokio::time::timeout(Duration::from_millis(100), self.changed.notified()).await;
        match self.nodes.iter().position(|node| node.known().has_ended) {
            None => Ok(()),
            Some(place) => Err(Failure::said(format!(
                "{} ended by itself; what it said about it stands above, and `sealnet run` with its configuration says \
                 it again",
                files::name(place)
            ))),
        }
    }

    async fn publish(&mut self, place: usize, content: String) -> Result<(), Failure> {
        let line = content + "\n";
        let input = &mut self.nodes[place].input;
        let written = async {
            input.write_all(line.as_bytes()).await?;
            input.flush().await
        };
        let outcome = tokio::time::timeout(TAKE_WITHIN, written).await.unwrap_or_else(|late| Err(late.into()));
        outcome.map_err(|error: std::io::Error| {
            Failure::said(format!("{} takes no more messages: {error}", files::name(place)))
        })
    }

    fn has_ended(&self, place: usize) -> bool {
        self.nodes[place].known().has_ended
    }

    fn links(&self) -> Vec<usize> {
        self.nodes.iter().map(|node| node.known().links.len()).collect()
    }

    async fn stop(self) -> u64 {
        let Processes { nodes, mut readers, .. } = self;
        let mut stopping = JoinSet::new();
        for Process { mut child, input, known } in nodes {
            // The end of its input is the request to leave.
            drop(input);
            stopping.spawn(async move {
                if tokio::time::timeout(STOP_WITHIN, child.wait()).await.is_err() {
                    let _ = child.kill().await;
                }
                known
            });
        }
        let known = stopping.join_all().await;
        while readers.join_next().await.is_some() {}
        known.iter().map(|known| lock(known).refused).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(lines: &[&str]) -> Known {
        let mut known = Known::default();
        lines.iter().for_each(|line| known.note(serde_json::from_str(line).unwrap()));
        known
    }

    #[test]
    fn members_and_links_are_known_from_what_a_node_prints() {
        let mut lines = vec![
            r#"{"event":"started","id":"aa","listen":"127.0.0.1:1","secure":true}"#,
            r#"{"event":"member","id":"aa","state":"present"}"#,
            r#"{"event":"member","id":"bb","state":"present"}"#,
            r#"{"event":"member","id":"cc","state":"unreachable"}"#,
            r#"{"event":"member","id":"bb","state":"gone"}"#,
            r#"{"event":"link-opened","peer":"cc","direction":"inbound","remote":"127.0.0.1:2"}"#,
            r#"{"event":"join","step":"announced"}"#,
        ];
        let now = known(&lines);
        assert_eq!((now.members.len(), now.links.len()), (2, 1));
        assert_eq!(now.started, Some(("aa".into(), "127.0.0.1:1".into())));
        lines.push(r#"{"event":"link-closed","peer":"cc","reason":"idle"}"#);
        lines.push(
            r#"{"event":"stopping","members":2,"links":1,"reasons":{"bad-signature":2,"bad-envelope":1,"idle":7}}"#,
        );
        let now = known(&lines);
        assert_eq!((now.links.len(), now.refused), (0, 3));
        lines.push(r#"{"event":"missed","count":9,"members":["aa","dd","ee"],"links":["dd","ee"]}"#);
        let now = known(&lines);
        assert_eq!((now.members.len(), now.links.len()), (3, 2));
    }
}
