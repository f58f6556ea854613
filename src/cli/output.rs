//! What commands print: for a person aligned and, on a terminal, coloured; for a program JSON, one object on a line.

use std::fmt::{self, Display};
use std::io::{self, IsTerminal, Write};

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::{Failure, escape};

/// Names of facts.
pub(super) const NAME: Style = Style::new().dimmed();
/// What is as it should be.
pub(super) const GOOD: Style = AnsiColor::Green.on_default().bold();
/// What is not.
pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();

/// Standard output. Every write says whether somebody still reads: a closed pipe (`sealnet … | head`) ends the command
/// quietly instead of panicking as `println!` does.
pub(super) struct Out {
    stream: Box<dyn Write>,
}

impl Out {
    pub(super) fn stdout() -> Self {
        // Takes colours out where standard output is no terminal or NO_COLOR is set.
        Out { stream: Box::new(io::LineWriter::new(anstream::stdout())) }
    }

    /// One line.
    pub(super) fn line(&mut self, line: impl Display) -> Result<(), Failure> {
        writeln!(self.stream, "{line}").map_err(Failure::of_writing)
    }

    /// The facts as one JSON object on a line.
    pub(super) fn json(&mut self, facts: &impl Serialize) -> Result<(), Failure> {
        self.line(serde_json::to_string(facts)?)
    }

    /// The facts one under the other.
    pub(super) fn facts(&mut self, facts: &Facts) -> Result<(), Failure> {
        facts.lines().try_for_each(|line| self.line(line))
    }

    pub(super) fn flush(&mut self) -> Result<(), Failure> {
        self.stream.flush().map_err(Failure::of_writing)
    }
}

/// Names and values to be printed one under the other.
#[derive(Default)]
pub(super) struct Facts(Vec<(&'static str, String)>);

impl Facts {
    /// The facts as lines.
    pub(super) fn lines(&self) -> impl Iterator<Item = String> + '_ {
        let width = self.0.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        self.0.iter().map(move |(name, value)| format!("{NAME}{name:width$}{NAME:#}  {value}"))
    }

    /// One more fact. Its value is shown harmlessly, wherever it comes from.
    pub(super) fn add(&mut self, name: &'static str, value: impl Display) {
        self.0.push((name, escape(&value.to_string()).to_string()));
    }

    /// Several facts of one name, which stands before the first.
    pub(super) fn add_all(&mut self, name: &'static str, values: impl IntoIterator<Item = impl Display>) {
        for (n, value) in values.into_iter().enumerate() {
            self.add(if n == 0 { name } else { "" }, value);
        }
    }
}

/// The beginning of a text, and how much more there is.
pub(super) struct Beginning<'a> {
    pub(super) text: &'a str,
    /// How many characters are shown.
    pub(super) most: usize,
}

impl Display for Beginning<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.text.char_indices().nth(self.most) {
            Some((end, _)) => write!(f, "{} … ({} bytes in all)", &self.text[..end], self.text.len()),
            None => f.write_str(self.text),
        }
    }
}

/// How many characters a line may have: those of the terminal; in a file or a pipe, as many as it takes.
pub(super) fn width() -> usize {
    if !io::stdout().is_terminal() {
        return usize::MAX;
    }
    // A terminal that does not know its width says 0.
    let columns = rustix::termios::tcgetwinsize(io::stdout()).map_or(0, |size| size.ws_col);
    if columns == 0 { 80 } else { columns.into() }
}

/// Says on standard error why a command failed. Nobody may be reading: then there is nobody to tell.
pub(super) fn complain(text: &str) {
    let mut lines = text.lines();
    let mut stderr = anstream::stderr().lock();
    let first = escape(lines.next().unwrap_or_default());
    let _ = writeln!(stderr, "{BAD}error:{BAD:#} {first}");
    for line in lines {
        let _ = writeln!(stderr, "       {}", escape(line));
    }
}
