//! Several persons, each a process of its own behind pipes; what they see must be what they should.

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(60);
const NAMES: [&str; 8] = ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi"];

type Outcome<T> = Result<T, Box<dyn Error>>;

/// What came of it.
#[derive(Serialize)]
struct Report {
    nodes: usize,
    /// Everybody's line at everybody.
    lines_heard: usize,
    lines_expected: usize,
    /// Members that saw what was said before they came; all but the first must.
    history_seen: usize,
    /// What was seen of a room by members that are not in it.
    other_rooms_overheard: usize,
    private_read: bool,
    private_overheard: usize,
    /// What was sealed to a member while it was away.
    read_after_absence: bool,
    /// Members that were shown somebody else's line under the name of the first.
    impostor_believed: usize,
}

impl Report {
    fn is_as_it_must_be(&self) -> bool {
        let overheard = self.other_rooms_overheard + self.private_overheard + self.impostor_believed;
        self.lines_heard == self.lines_expected
            && self.history_seen == self.nodes - 1
            && self.private_read
            && self.read_after_absence
            && overheard == 0
    }
}

/// A person: a process, and what it has shown.
struct Person {
    process: Child,
    stdin: ChildStdin,
    lines: Receiver<Value>,
    seen: Vec<Value>,
    id: String,
    address: String,
}

impl Person {
    fn start(name: &str, key: &Path, genesis: Option<&str>) -> Outcome<Person> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--json", "--room", "tea", "--name", name, "--key"]).arg(key);
        if let Some(genesis) = genesis {
            command.args(["--genesis", genesis]);
        }
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (Some(stdin), Some(stdout)) = (process.stdin.take(), process.stdout.take()) else {
            return Err("a process has no pipes".into());
        };
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if serde_json::from_str(&line).is_ok_and(|value| send.send(value).is_err()) {
                    break;
                }
            }
        });
        let mut person = Person { process, stdin, lines, seen: Vec::new(), id: String::new(), address: String::new() };
        let ready = person.sees("that it is ready", |seen| seen["event"] == "ready")?;
        (person.id, person.address) = (text(&ready["id"]), text(&ready["address"]));
        Ok(person)
    }

    fn types(&mut self, line: &str) -> Outcome<()> {
        Ok(writeln!(self.stdin, "{line}")?)
    }

    /// Waits until something is shown, unless it was before.
    fn sees(&mut self, what: &str, is: impl Fn(&Value) -> bool) -> Outcome<Value> {
        if let Some(seen) = self.seen.iter().find(|seen| is(seen)) {
            return Ok(seen.clone());
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let value = self.lines.recv_timeout(left).map_err(|_| format!("{} does not see {what}", self.id))?;
            self.seen.push(value.clone());
            if is(&value) {
                return Ok(value);
            }
        }
    }

    fn sees_line(&mut self, from: &str, line: &str) -> Outcome<Value> {
        self.sees(line, |seen| seen["event"] == "said" && seen["id"] == *from && seen["text"] == *line)
    }

    /// How often it was shown so far.
    fn count(&mut self, is: impl Fn(&Value) -> bool) -> usize {
        self.seen.extend(self.lines.try_iter());
        self.seen.iter().filter(|seen| is(seen)).count()
    }

    fn leaves(mut self) -> Outcome<()> {
        self.types("/quit")?;
        if self.process.wait()?.success() { Ok(()) } else { Err("a process did not end well".into()) }
    }
}

impl Drop for Person {
    /// No process outlives the demo.
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Tells the story; says whether everything came out as it must.
pub(crate) fn run(nodes: usize, json: bool) -> Outcome<bool> {
    let say = |line: &str| {
        if !json {
            println!("{line}");
        }
    };
    let folder = tempfile::tempdir()?;
    let key = |name: &str| folder.path().join(format!("{name}.pem"));
    let names = NAMES.get(..nodes).ok_or("there are not so many names")?;

    say("Alice says something in the room tea; then the others come in, and are shown it");
    let mut alice = Person::start(NAMES[0], &key(NAMES[0]), None)?;
    let (alice_id, genesis) = (alice.id.clone(), alice.address.clone());
    alice.types("before you came")?;
    alice.sees_line(&alice_id, "before you came")?;
    let mut people = vec![alice];
    let mut history_seen = 0;
    for name in names.iter().skip(1) {
        let mut person = Person::start(name, &key(name), Some(&genesis))?;
        person.sees_line(&alice_id, "before you came")?;
        history_seen += 1;
        people.push(person);
    }

    say("everybody says something, and everybody sees it");
    let ids: Vec<String> = people.iter().map(|person| person.id.clone()).collect();
    for (person, name) in people.iter_mut().zip(names) {
        person.types(&format!("hello from {name}"))?;
    }
    let mut lines_heard = 0;
    for person in &mut people {
        for (id, name) in ids.iter().zip(names) {
            let line = person.sees_line(id, &format!("hello from {name}"))?;
            lines_heard += usize::from(line["from"] == **name);
        }
    }

    say("Bob says something in the room cake, where nobody else is, and something to Alice alone");
    let [first, second, ..] = people.as_mut_slice() else { return Err("there are too few".into()) };
    second.types("/join cake")?;
    second.types("nobody here?")?;
    second.sees_line(&ids[1], "nobody here?")?;
    second.types("/msg alice for your eyes")?;
    second.sees("that Alice has it", |seen| seen["event"] == "sent" && seen["sealed"] == false)?;
    let is_private = |seen: &Value| seen["event"] == "private" && seen["text"] == "for your eyes";
    let private_read = first.sees("what is for her", is_private)?["id"] == *ids[1];

    say("the last one leaves; Bob seals something to it, which it reads when it is back");
    second.types("/join tea")?;
    let (last_name, last_id) = (names[nodes - 1], ids[nodes - 1].clone());
    people.pop().ok_or("there is nobody")?.leaves()?;
    people[1].types(&format!("/msg {last_name} while you were away"))?;
    people[1].sees("that it is sealed", |seen| seen["event"] == "sent" && seen["sealed"] == true)?;
    let mut back = Person::start(last_name, &key(last_name), Some(&genesis))?;
    let sealed = |seen: &Value| seen["event"] == "private" && seen["text"] == "while you were away";
    let opened = back.sees("what was sealed to it", sealed)?;
    let read_after_absence = back.id == last_id && opened["id"] == *ids[1] && opened["sealed"] == true;
    back.sees_line(&alice_id, "hello from alice")?;
    people.push(back);

    say("somebody comes who calls itself alice, too");
    let mut impostor = Person::start(NAMES[0], &key("impostor"), Some(&genesis))?;
    impostor.types("send me your keys")?;
    let mut impostor_believed = 0;
    for person in &mut people {
        let line = person.sees_line(&impostor.id, "send me your keys")?;
        impostor_believed += usize::from(line["from"] == NAMES[0]);
        say(&format!("  what is shown: {}: {}", text(&line["from"]), text(&line["text"])));
    }

    // All of it is older than what everybody has just seen.
    let mut count_at = |skip: &[usize], is: &dyn Fn(&Value) -> bool| -> usize {
        let others = people.iter_mut().enumerate().filter(|(place, _)| !skip.contains(place));
        others.map(|(_, person)| person.count(is)).sum()
    };
    let report = Report {
        nodes,
        lines_heard,
        lines_expected: nodes * nodes,
        history_seen,
        other_rooms_overheard: count_at(&[1], &|seen| seen["room"] == "cake"),
        private_read,
        private_overheard: count_at(&[0], &is_private) + count_at(&[nodes - 1], &sealed),
        read_after_absence,
        impostor_believed,
    };
    impostor.leaves()?;
    for person in people {
        person.leaves()?;
    }
    println!("{}", serde_json::to_string(&report)?);
    Ok(report.is_as_it_must_be())
}
