//! A program on a real pseudo-terminal, and what somebody who sits there sees.
#![cfg(all(unix, feature = "cli"))]

use std::fs::File;
use std::io::{Read, Write};
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

use ptyprocess::{PtyProcess, Signal, WaitStatus};

use crate::support::PATIENCE;

/// Rows and columns.
const SIZE: (u16, u16) = (24, 80);

/// A person's terminal with a program in it.
pub(crate) struct Terminal {
    process: PtyProcess,
    keyboard: File,
    picture: Arc<(Mutex<Picture>, Condvar)>,
}

struct Picture {
    parser: vt100::Parser,
    has_ended: bool,
}

impl Terminal {
    pub(crate) fn start(mut command: Command) -> Self {
        command.env("TERM", "xterm-256color").env_remove("COLORTERM").env_remove("SEALNET_LOG");
        let mut process = PtyProcess::spawn(command).unwrap();
        process.set_window_size(SIZE.1, SIZE.0).unwrap();
        let (keyboard, mut output) = (process.get_raw_handle().unwrap(), process.get_raw_handle().unwrap());
        let parser = vt100::Parser::new(SIZE.0.try_into().unwrap(), SIZE.1.try_into().unwrap(), 0);
        let picture = Arc::new((Mutex::new(Picture { parser, has_ended: false }), Condvar::new()));
        let shared = picture.clone();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            loop {
                let read = output.read(&mut bytes).unwrap_or(0);
                let mut picture = shared.0.lock().unwrap();
                picture.parser.process(&bytes[..read]);
                // A terminal whose last program has ended gives an error.
                picture.has_ended = read == 0;
                shared.1.notify_all();
                if read == 0 {
                    return;
                }
            }
        });
        Terminal { process, keyboard, picture }
    }

    /// Presses keys.
    pub(crate) fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until the rows on the screen (without empty ones) are as wanted; gives them.
    #[track_caller]
    pub(crate) fn shows(&self, wanted: impl Fn(&[&str]) -> bool) -> Vec<String> {
        let deadline = Instant::now() + PATIENCE;
        let mut picture = self.picture.0.lock().unwrap();
        loop {
            let text = picture.parser.screen().contents();
            let rows: Vec<&str> = text.lines().map(str::trim_end).filter(|row| !row.is_empty()).collect();
            if wanted(&rows) {
                return rows.into_iter().map(str::to_owned).collect();
            }
            assert!(!picture.has_ended, "the program ended; on the screen stands:\n{text}");
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "not seen; on the screen stands:\n{text}");
            picture = self.picture.1.wait_timeout(picture, left).unwrap().0;
        }
    }

    /// Waits until `text` stands in one row.
    #[track_caller]
    pub(crate) fn shows_row_with(&self, text: &str) {
        self.shows(|rows| rows.iter().any(|row| row.contains(text)));
    }

    /// Whether anything on the screen is coloured, bold or faint.
    pub(crate) fn has_colours(&self) -> bool {
        let picture = self.picture.0.lock().unwrap();
        let cells = (0..SIZE.0).flat_map(|row| (0..SIZE.1).map(move |column| (row, column)));
        let mut cells = cells.filter_map(|(row, column)| picture.parser.screen().cell(row, column));
        cells.any(|cell| cell.fgcolor() != vt100::Color::Default || cell.bold() || cell.dim())
    }

    pub(crate) fn signal(&mut self, signal: Signal) {
        self.process.signal(signal).unwrap();
    }

    /// Waits until the program has ended by itself; gives its exit status.
    pub(crate) fn ends(&self) -> i32 {
        match self.process.wait().unwrap() {
            WaitStatus::Exited(_, status) => status,
            other => panic!("{other:?}"),
        }
    }

    /// Whether the terminal is an ordinary one, as it was before the program: it gives whole lines.
    pub(crate) fn is_ordinary(&self) -> bool {
        let modes = rustix::termios::tcgetattr(&self.keyboard).unwrap().local_modes;
        modes.contains(rustix::termios::LocalModes::ICANON | rustix::termios::LocalModes::ISIG)
    }
}
