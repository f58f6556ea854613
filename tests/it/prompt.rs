//! The prompt of `sealnet run` on a real terminal: what is typed stays whole, whatever arrives meanwhile.
#![cfg(all(unix, feature = "cli"))]

use std::fs;
use std::process::Command;

use ptyprocess::Signal;
use sealnet::identity::Overwrite;
use sealnet::node::{SecureNode, Subscription};
use tempfile::TempDir;

use crate::support::{identity, next_text, node, until};
use crate::terminal::Terminal;

const UP: &str = "\u{1b}[A";
const CTRL_C: &str = "\u{3}";
const CTRL_D: &str = "\u{4}";

/// A node in this process, and one at whose prompt the test sits.
struct Scene {
    other: SecureNode,
    heard: Subscription,
    terminal: Terminal,
    _folder: TempDir,
}

impl Scene {
    async fn new() -> Self {
        Self::with(|command| command.env_remove("NO_COLOR")).await
    }

    async fn with(change: impl Fn(&mut Command) -> &mut Command) -> Self {
        let other = node(1, &[]).await;
        let folder = tempfile::tempdir().unwrap();
        let at = |file: &str| folder.path().join(file);
        identity(2).save(&at("keys/me.pem"), Overwrite::Refuse).unwrap();
        let genesis = other.address().unwrap();
        let config = format!(
            "network = \"test\"\nidentity = \"keys/me.pem\"\nlisten = \"127.0.0.1:0\"\npreset = \"local\"\ngenesis = [\"{genesis}\"]\n"
        );
        fs::write(at("node.toml"), config).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_sealnet"));
        change(command.args(["run", "--config", "node.toml"]).current_dir(folder.path()));
        let (heard, terminal) = (other.subscribe("chat").unwrap(), Terminal::start(command));
        terminal.shows_row_with("joined");
        terminal.shows_row_with(&format!("{:#} is present", other.id()));
        until("the node is linked", &[&other], || !other.links().is_empty()).await;
        Scene { other, heard, terminal, _folder: folder }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incoming_message_leaves_the_line_being_typed_as_it_is() {
    let mut scene = Scene::new().await;
    let terminal = &mut scene.terminal;
    terminal.press("half a li");
    terminal.shows(|rows| rows.last() == Some(&"> half a li"));
    for number in 0..20 {
        scene.other.broadcast("chat", format!("message {number} from elsewhere")).await.unwrap();
        let is_last = |row: &&str| row.ends_with(&format!("message {number} from elsewhere"));
        let rows = terminal.shows(|rows| rows.iter().any(is_last) && rows.last() == Some(&"> half a li"));
        assert_eq!(rows.iter().filter(|row| row.contains("half a li")).count(), 1, "{rows:#?}");
    }
    terminal.press("ne");
    terminal.shows(|rows| rows.last() == Some(&"> half a line"));
    terminal.press("\r");
    while next_text(&mut scene.heard).await != "half a line" {}
    terminal.shows(|rows| rows.iter().any(|row| row.ends_with("me        half a line")) && rows.last() == Some(&">"));

    // The log would be written across the line, too.
    terminal.press(&format!("/debug trace\r/ping {}\rstill whole", &scene.other.id().to_string()[..8]));
    terminal.shows(|rows| rows.iter().any(|row| row.contains("TRACE")) && rows.last() == Some(&"> still whole"));
    terminal.press(CTRL_D);
    terminal.press("\r");
    while next_text(&mut scene.heard).await != "still whole" {}
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_are_called_back_and_commands_and_nodes_completed() {
    let mut scene = Scene::new().await;
    let terminal = &mut scene.terminal;
    terminal.press("again\r");
    assert_eq!(next_text(&mut scene.heard).await, "again");
    terminal.press(&format!("{UP} and again\r"));
    assert_eq!(next_text(&mut scene.heard).await, "again and again");
    terminal.press("/mem\t\r");
    terminal.shows_row_with("2 members");
    let id = scene.other.id().to_string();
    terminal.press(&format!("/ping {}\t\r", &id[..3]));
    terminal.shows_row_with(&format!("{} answered after", &id[..8]));
    terminal.press("/nonsense\r");
    terminal.shows_row_with("there is no command /nonsense");
    terminal.press("/help\r");
    terminal.shows_row_with("/disconnect ID");
    // Members and links fit into 80 columns: nothing runs on in a second row.
    let is_whole = |row: &&str| row.contains(&id[..16]) && row.contains("present") && row.contains("127.0.0.1:");
    // The other node is linked; where it can be reached may come a moment later.
    let says_all = (0..100).any(|time| {
        terminal.press(&format!("/members\r/links\r/time-{time}\r"));
        let end = format!("there is no command /time-{time}");
        let rows = terminal.shows(|rows| rows.contains(&"1 link") && rows.iter().any(|row| row.contains(&end)));
        rows.iter().any(|row| is_whole(&row.as_str()))
    });
    assert!(says_all, "no row says all of the other node");
    terminal.press("/stop\r");
    assert_eq!(terminal.ends(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn colours_are_for_those_who_want_them() {
    let mut coloured = Scene::new().await;
    coloured.terminal.press("/members\r");
    coloured.terminal.shows_row_with("2 members");
    assert!(coloured.terminal.has_colours());
    let mut plain = Scene::with(|command| command.env("NO_COLOR", "1")).await;
    plain.terminal.press("/members\r");
    plain.terminal.shows_row_with("2 members");
    assert!(!plain.terminal.has_colours());
}

#[tokio::test(flavor = "multi_thread")]
async fn it_leaves_in_order_and_gives_the_terminal_back() {
    for end in [CTRL_C, CTRL_D, "terminate"] {
        let mut scene = Scene::new().await;
        scene.terminal.shows(|rows| rows.last() == Some(&">"));
        match end {
            "terminate" => scene.terminal.signal(Signal::SIGTERM),
            keys => scene.terminal.press(keys),
        }
        let rows = scene.terminal.shows(|rows| rows.last() == Some(&"leaving the network"));
        assert!(rows.iter().all(|row| !row.contains("error")), "{rows:#?}");
        assert!(scene.terminal.is_ordinary(), "after {end:?}");
        assert_eq!(scene.terminal.ends(), 0, "after {end:?}");
        until("it said good-bye", &[&scene.other], || scene.other.members().len() == 1).await;
    }
}
