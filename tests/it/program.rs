//! Running the program as its users do, and reading what it prints.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use crate::support::PATIENCE;

/// A program that was started; it ends with the test.
pub(crate) struct Running {
    child: Child,
    lines: Receiver<String>,
    /// What it has printed so far, as far as it was read.
    seen: Vec<String>,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (out, (sender, lines)) = (BufReader::new(child.stdout.take().unwrap()), channel());
        std::thread::spawn(move || {
            for line in out.lines() {
                let Ok(line) = line else { return };
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Running { child, lines, seen: Vec::new() }
    }

    /// Waits until it prints another line that holds `text`; gives that line.
    pub(crate) fn prints(&mut self, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let line = self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now()));
            let line = line.unwrap_or_else(|_| panic!("it did not print {text:?}, but {:#?}", self.seen));
            self.seen.push(line.clone());
            if line.contains(text) {
                return line;
            }
        }
    }

    /// The next line it prints; `None` if there is none until then.
    pub(crate) fn next_line(&mut self, deadline: Instant) -> Option<String> {
        self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())).ok()
    }

    /// Whether it has printed a line that holds `text`, as far as it was read.
    pub(crate) fn showed(&self, text: &str) -> bool {
        self.seen.iter().any(|line| line.contains(text))
    }

    /// Waits until it has printed a line that holds `text`, sooner or later than what was read last.
    pub(crate) fn has_printed(&mut self, text: &str) {
        if !self.showed(text) {
            self.prints(text);
        }
    }

    /// The number of its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has printed, as far as it was read.
    pub(crate) fn seen(&self) -> &[String] {
        &self.seen
    }

    /// Types a line.
    pub(crate) fn types(&mut self, line: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    /// Ends it as a loss of power would. Gives what it had printed and nobody had read yet.
    pub(crate) fn kill(mut self) -> Vec<String> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.lines.iter().collect()
    }

    /// Waits until it ends by itself.
    pub(crate) fn ends(mut self) -> ExitStatus {
        let _rest: Vec<String> = self.lines.iter().collect();
        self.child.wait().unwrap()
    }

    /// Asks it to stop by its own command, and waits until it has.
    pub(crate) fn stops(self) -> ExitStatus {
        self.stops_and_prints().0
    }

    /// Asks it to stop by its own command, and waits until it has. Gives also what it printed and nobody had read yet.
    pub(crate) fn stops_and_prints(mut self) -> (ExitStatus, Vec<String>) {
        self.types("/stop");
        let rest = self.lines.iter().collect();
        (self.child.wait().unwrap(), rest)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
