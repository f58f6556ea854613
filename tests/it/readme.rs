//! What the README tells a newcomer to type works as it stands.

use std::path::Path;
use std::process::Command;

use crate::program::Running;

/// The lines of the shell block behind a marker in the README.
fn lines(marker: &str) -> Vec<String> {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let block = readme.split_once(&format!("<!-- readme-test: {marker} -->\n```sh\n")).expect("the marked block").1;
    block.split_once("```").unwrap().0.lines().map(str::to_owned).collect()
}

#[test]
fn the_lines_for_genesis_and_peer_make_a_network() {
    let folder = tempfile::tempdir().unwrap();
    for (from, files) in [("config", ["genesis.toml", "peer.toml"].as_slice()), ("keys", &["README.md"])] {
        std::fs::create_dir(folder.path().join(from)).unwrap();
        for file in files {
            let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join(from).join(file);
            std::fs::copy(committed, folder.path().join(from).join(file)).unwrap();
        }
    }
    let program = Path::new(env!("CARGO_BIN_EXE_sealnet"));
    let path = format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let shell = |line: &str| {
        let mut command = Command::new("sh");
        // `exec`, so that the program itself is what the test ends.
        command.args(["-c", &format!("exec {line}")]).current_dir(folder.path()).env("PATH", &path);
        command
    };
    let lines = lines("genesis-and-peer");
    assert_eq!(lines.len(), 4, "{lines:?}");
    let (run, keygen): (Vec<_>, Vec<_>) = lines.iter().partition(|line| line.starts_with("sealnet run"));
    for line in keygen {
        assert!(shell(line).output().unwrap().status.success(), "{line}");
    }
    let mut running: Vec<Running> = Vec::new();
    for line in run {
        let mut started = Running::start(&mut shell(line));
        started.prints("joined");
        running.push(started);
    }
    running[0].prints("opened");
    for (from, to, text) in [(0, 1, "hello, peer"), (1, 0, "hello, genesis")] {
        running[from].types(text);
        running[to].prints(text);
    }
    for line in self::lines("from-another-terminal") {
        match line.split_whitespace().nth(1) {
            // It goes on until it is ended, with this test at the latest.
            Some("tail") => drop(Running::start(&mut shell(&line)).prints("hello, everyone")),
            command => {
                let output = shell(&line).output().unwrap();
                let said = String::from_utf8(output.stdout).unwrap();
                assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
                let expected = match command {
                    Some("publish") => "published",
                    Some("status") => "members     2",
                    Some("stop") => "has stopped",
                    other => panic!("what does {other:?} print?"),
                };
                assert!(said.contains(expected), "{line}: {said}");
            }
        }
    }
}

/// Everything in the library's source, its broken texts put together again.
fn source(folder: &Path) -> String {
    let mut all = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all += &source(&path);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let mut parts = text.split("\\\n");
            all += parts.next().unwrap_or_default();
            parts.for_each(|part| all += part.trim_start());
        }
    }
    all
}

#[test]
fn the_operator_is_told_of_errors_in_the_programs_own_words() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/operations.md")).unwrap();
    let table = page.split_once("| the node says |").unwrap().1.split_once("\n\n").unwrap().0;
    let said: Vec<&str> = table.lines().skip(2).filter_map(|row| row.split('`').nth(1)).collect();
    assert!(said.len() > 10, "{said:?}");
    let source = source(&root.join("src"));
    let strange: Vec<_> = said.into_iter().filter(|words| !source.contains(words)).collect();
    assert!(strange.is_empty(), "the program says nothing like {strange:?}");
}
