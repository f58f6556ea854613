//! Passphrases of key files at the program: from the terminal or from a file descriptor, and from nowhere else.
#![cfg(all(unix, feature = "cli"))]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use sealnet::identity::{Identity, Passphrase, read_id_file};

use crate::place::{Place, assert_fails};
use crate::program::Running;
use crate::terminal::Terminal;

const PASSPHRASE: &str = "correct horse battery staple";

fn opens(path: &Path, passphrase: &str) -> bool {
    Identity::load_with(path, &Passphrase::new(passphrase.as_bytes().to_vec()).unwrap()).is_ok()
}

/// A place whose key `keys/peer.pem` is under the passphrase.
fn place() -> Place {
    let place = Place::new();
    place.done("keygen genesis");
    assert!(place.feed("keygen peer --passphrase-fd 0", &format!("{PASSPHRASE}\n")).status.success());
    place
}

#[test]
fn a_key_is_made_and_opened_under_a_passphrase_from_a_file_descriptor() {
    let place = place();
    let key = place.path("keys/peer.pem");
    assert!(opens(&key, PASSPHRASE) && !opens(&key, "another"));
    let id = read_id_file(&place.path("keys/peer.id")).unwrap().to_string();
    let line = format!("{PASSPHRASE}\r\nrest");
    for (command, printed) in [("check config/peer.toml", "right"), ("id keys/peer.pem", &id)] {
        let output = place.feed(&format!("{command} --passphrase-fd 0"), &line);
        assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains(printed));
        let output = place.feed(&format!("{command} --passphrase-fd 0"), "wrong\n");
        assert_fails(&output, 1, &["this passphrase does not open keys/peer.pem"]);
        // Without a terminal nobody is asked, and nothing hangs.
        place.fails(command, 1, &["keys/peer.pem has a passphrase", "--passphrase-fd 3 3<FILE"]);
    }
    place.write("passphrase", PASSPHRASE);
    let script = format!("{} id keys/peer.pem --passphrase-fd 3 3<passphrase", env!("CARGO_BIN_EXE_sealnet"));
    let output = Command::new("sh").args(["-c", &script]).current_dir(place.path("")).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{id}\n"));

    assert_fails(&place.feed("id keys/peer.pem --passphrase-fd 0", ""), 1, &["empty passphrase"]);
    place.fails("id keys/peer.pem --passphrase-fd 77", 1, &["file descriptor 77", "77<FILE"]);
    place.fails("id keys/peer.pem --passphrase-fd 1", 2, &["write 0 for standard input"]);
    place.fails("keygen --network-key --passphrase", 2, &["cannot be used with"]);
    place.fails("keygen third --passphrase", 1, &["run this on a terminal"]);
    assert!(!place.path("keys/third.pem").exists());
}

#[test]
fn a_node_runs_with_it_and_says_it_to_nobody() {
    let place = place();
    let text = fs::read_to_string(place.path("config/genesis.toml")).unwrap();
    for (name, listen) in [("genesis", "7400"), ("peer", "7401")] {
        let text = text.replace("genesis.pem", &format!("{name}.pem")).replace(listen, "0").replace("7400", "0");
        place.write(&format!("config/{name}.toml"), &text);
    }
    for (config, first) in [("peer", "a message"), ("genesis", "a message")] {
        let mut command = place.command(&format!("--log trace run --config config/{config}.toml --passphrase-fd 0"));
        let log = fs::File::create(place.path("log")).unwrap();
        let mut node = Running::start(command.stderr(log));
        node.types(PASSPHRASE);
        node.types(first);
        // The passphrase is not among what is said, needed or not.
        let line = node.prints("me  ");
        assert!(line.contains(first), "{line}");
        assert!(node.stops().success());
        let log = fs::read_to_string(place.path("log")).unwrap();
        assert!(log.contains("started") && !log.contains(PASSPHRASE), "{log}");
    }
}

#[test]
fn a_plain_node_takes_no_passphrase_which_it_would_broadcast() {
    let place = Place::new();
    place.write("plain.toml", "network = \"test\"\nplain = true\nlisten = \"127.0.0.1:0\"\n");
    let output = place.feed("run --config plain.toml --passphrase-fd 0", &format!("{PASSPHRASE}\n"));
    assert_fails(&output, 1, &["needs no passphrase"]);
    assert!(output.stdout.is_empty());
}

#[test]
fn a_person_is_asked_on_the_terminal_which_shows_nothing_of_it() {
    let place = place();
    let start = |arguments: &str| {
        let mut command = place.command(arguments);
        command.stdin(Stdio::inherit());
        Terminal::start(command)
    };
    let mut terminal = start("check config/peer.toml");
    terminal.shows_row_with("Passphrase of keys/peer.pem:");
    terminal.press("wrong\r");
    terminal.shows_row_with("That one does not open it. Passphrase of");
    terminal.press(&format!("{PASSPHRASE}\r"));
    let rows = terminal.shows(|rows| rows.iter().any(|row| row.starts_with("admits")));
    assert!(rows.iter().all(|row| !row.contains("correct") && !row.contains("wrong")), "{rows:#?}");
    assert_eq!(terminal.ends(), 0);

    let mut terminal = start("keygen third --passphrase");
    terminal.shows_row_with("Passphrase for the new key:");
    terminal.press("one\r");
    terminal.shows_row_with("The same again:");
    terminal.press("another\r");
    terminal.shows_row_with("are not the same");
    assert_eq!(terminal.ends(), 1);
    assert!(!place.path("keys/third.pem").exists());

    let mut terminal = start("keygen third --passphrase");
    for question in ["Passphrase for the new key:", "The same again:"] {
        terminal.shows_row_with(question);
        terminal.press("one\r");
    }
    assert_eq!(terminal.ends(), 0);
    assert!(opens(&place.path("keys/third.pem"), "one"));
}
