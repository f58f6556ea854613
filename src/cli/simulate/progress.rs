//! How far a long simulation has come.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::sim::{Phase, Progress};

/// A run that is over sooner shows nothing of the way.
const PATIENCE: Duration = Duration::from_secs(1);

/// A bar on standard error, if that is a terminal.
pub(super) struct Shown {
    bar: ProgressBar,
    started: Instant,
}

impl Shown {
    pub(super) fn new() -> Self {
        let bar = if io::stderr().is_terminal() { ProgressBar::no_length() } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("  {msg} [{bar:30}] {pos}/{len}") {
            bar.set_style(style.progress_chars("=> "));
        }
        Shown { bar, started: Instant::now() }
    }

    pub(super) fn show(&mut self, progress: Progress) {
        if self.started.elapsed() < PATIENCE {
            return;
        }
        let what = match progress.phase {
            Phase::Joining => "joined   ",
            Phase::Publishing => "published",
            Phase::Settling => "delivered",
        };
        self.bar.set_length(progress.of);
        self.bar.set_message(format!("{:>6.1} s  {what}", progress.elapsed.as_secs_f64()));
        self.bar.set_position(progress.done);
    }

    pub(super) fn done(&self) {
        self.bar.finish_and_clear();
    }
}
