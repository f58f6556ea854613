//! The prompt on a terminal: a line editor on a thread of its own, and lines that appear above it.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use rustyline::completion::Completer;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::MemHistory;
use rustyline::validate::Validator;
use rustyline::{CompletionType, Config, Context, ExternalPrinter, Helper};
use tokio::sync::mpsc;

use super::super::log::{self, Diverted};
use super::commands::{Argument, FORMS, LEVELS, known};
use crate::node::Node;

/// Lines that may wait for a slow terminal.
const WAITING: usize = 1024;
/// The last lines are shown within this time, or not at all: a terminal that takes none must not keep the node.
const SHOWN_WITHIN: Duration = Duration::from_millis(500);

/// Shows lines above the prompt. What was typed so far stays.
pub(super) struct Editor {
    lines: Option<SyncSender<String>>,
    all_shown: Receiver<()>,
    /// The editor has given the terminal back.
    has_ended: Arc<AtomicBool>,
    /// The terminal as it was found.
    found: Option<Termios>,
    diverted: Option<Diverted>,
}

/// Opens the prompt; gives what is typed, line by line, until Ctrl-C or Ctrl-D. `None` where the terminal cannot do it.
pub(super) fn open(node: &Node) -> Option<(Editor, mpsc::UnboundedReceiver<String>)> {
    // The history stays in memory: what was said in a closed network, or to one node alone, would otherwise lie open
    // in a file for as long as anybody forgets about it.
    let config = Config::builder().completion_type(CompletionType::List).build();
    let history = MemHistory::with_config(&config);
    let mut editor = rustyline::Editor::with_history(config, history).ok()?;
    editor.set_helper(Some(Completions(node.clone())));
    let mut printer = editor.create_external_printer().ok()?;
    let found = tcgetattr(io::stdin()).ok();

    let (typed, receiver) = mpsc::unbounded_channel();
    let has_ended = Arc::new(AtomicBool::new(false));
    let ended = has_ended.clone();
    std::thread::spawn(move || {
        // Until Ctrl-C, Ctrl-D, or the terminal is gone.
        while let Ok(line) = editor.readline("> ") {
            if !line.trim().is_empty() {
                let _ = editor.add_history_entry(line.as_str());
            }
            if typed.send(line).is_err() {
                break;
            }
        }
        drop(editor);
        ended.store(true, Ordering::SeqCst);
    });

    // Showing waits for the editor, which may be busy with a key; a thread of its own keeps that from everybody else.
    let (lines, waiting) = sync_channel::<String>(WAITING);
    let (shown, all_shown) = sync_channel(0);
    std::thread::spawn(move || {
        for line in waiting {
            // The editor is gone: the terminal is an ordinary one again.
            if printer.print(line.clone()).is_err() {
                let _ = io::stdout().write_all(line.as_bytes());
            }
        }
        drop(printer);
        let _ = shown.send(());
    });
    let is_logging_here = io::IsTerminal::is_terminal(&io::stderr());
    let diverted = is_logging_here.then(|| log::divert(lines.clone()));
    Some((Editor { lines: Some(lines), all_shown, has_ended, found, diverted }, receiver))
}

impl Editor {
    /// Shows a line.
    pub(super) fn show(&self, line: String) {
        if let Some(lines) = &self.lines {
            let _ = lines.send(line + "\n");
        }
    }

    /// Shows what is left and gives the terminal back as it was found, whatever the editor is doing.
    pub(super) fn close(&mut self) {
        self.diverted = None;
        if self.lines.take().is_none() {
            return;
        }
        let _ = self.all_shown.recv_timeout(SHOWN_WITHIN);
        if !self.has_ended.load(Ordering::SeqCst) {
            // Asked to stop by a signal: the editor still waits for a key. Its prompt goes, and its bracketed paste.
            let _ = io::stdout().write_all(b"\r\x1b[K\x1b[?2004l");
            let _ = io::stdout().flush();
            if let Some(found) = &self.found {
                let _ = tcsetattr(io::stdin(), OptionalActions::Drain, found);
            }
        }
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        self.close();
    }
}

/// Completes commands, nodes and levels.
struct Completions(Node);

impl Completer for Completions {
    type Candidate = String;

    fn complete(&self, line: &str, at: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        let ids = || known(&self.0).into_iter().filter(|id| *id != self.0.id()).map(|id| id.to_string()).collect();
        Ok(complete(line.get(..at).unwrap_or_default(), ids))
    }
}

impl Hinter for Completions {
    type Hint = String;
}
impl Highlighter for Completions {}
impl Validator for Completions {}
impl Helper for Completions {}

/// Where the word to complete begins, and what it may become. `ids` are the names of the other nodes, in order.
fn complete(line: &str, ids: impl Fn() -> Vec<String>) -> (usize, Vec<String>) {
    let Some(command) = line.strip_prefix('/').filter(|command| !command.starts_with('/')) else {
        return (line.len(), Vec::new());
    };
    let Some((name, argument)) = command.split_once(' ') else {
        let names = FORMS.iter().filter(|form| form.name.starts_with(command));
        let space = |argument| if argument == Argument::Nothing { "" } else { " " };
        return (0, names.map(|form| format!("/{}{}", form.name, space(form.argument))).collect());
    };
    let word = argument.trim_start();
    let start = line.len() - word.len();
    let form = FORMS.iter().find(|form| form.name == name);
    let candidates = match form.map(|form| form.argument) {
        Some(Argument::Node | Argument::NodeAndText) if !word.contains(' ') => shortened(ids()),
        Some(Argument::Level) => LEVELS.map(str::to_owned).into(),
        _ => Vec::new(),
    };
    (start, candidates.into_iter().filter(|candidate| candidate.starts_with(word)).collect())
}

/// Of each name as much as tells it from the others, and eight digits at least. Names are in order, so the most similar
/// ones are neighbours.
fn shortened(names: Vec<String>) -> Vec<String> {
    let common = |a: &str, b: &str| a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    let enough = |at: usize| {
        let before = at.checked_sub(1).and_then(|at| names.get(at));
        let beside = before.into_iter().chain(names.get(at + 1));
        beside.map(|other| common(other, &names[at]) + 1).max().unwrap_or(0).max(8)
    };
    (0..names.len()).map(|at| names[at].chars().take(enough(at)).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_nodes_and_levels_are_completed() {
        let ids = || ["3b6a27bcceb6a42d", "3b6a27bcffffffff", "77"].map(str::to_owned).to_vec();
        let complete = |line: &str| complete(line, ids);
        assert_eq!(complete("/st"), (0, vec!["/status".into(), "/stop".into()]));
        assert_eq!(complete("/d"), (0, vec!["/disconnect ".into(), "/debug ".into()]));
        assert_eq!(complete("/ping 7"), (6, vec!["77".into()]));
        assert_eq!(complete("/to  3"), (5, vec!["3b6a27bcc".into(), "3b6a27bcf".into()]));
        assert_eq!(complete("/debug tr"), (7, vec!["trace".into()]));
        for nothing in ["", "hello /st", "//st", "/links 7", "/to 77 7", "/ping 8", "/x 7"] {
            assert!(complete(nothing).1.is_empty(), "{nothing}");
        }
    }
}
