//! `sealnet verify`: whether envelopes in their JSON form are their senders', offline.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use serde::de::IgnoredAny;

use super::Failure;
use super::output::{BAD, Beginning, Facts, GOOD, Out};
use crate::envelope::{Envelope, MAX_JSON, Verified, Verifier};
use crate::identity::{NetworkHash, NetworkName, self_test};

/// Check offline that messages (envelopes in JSON) are their senders' and unaltered.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Verify {
    /// File with one JSON object, or one on each line; - is standard input
    file: PathBuf,

    /// The network they must belong to
    #[arg(long, value_name = "NAME")]
    network: NetworkName,

    /// Print the facts as JSON, one object an envelope
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  sealnet verify message.json --network demo
  grep chat messages.jsonl | sealnet verify - --network demo --json

Valid means: these words, this title and this time are of the holder of this
sender's key, in this network. Whose key it is only you can know. What could
deceive the eye or the terminal is shown as \\u{...}.
Exit status: 0 all are valid, 1 one of them is not.";

/// An object may be printed over several lines; one that takes more than this is no envelope.
const MAX_LINES: usize = 64;

#[derive(Serialize)]
struct Judged {
    line: usize,
    valid: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// The envelope in its JSON form.
    #[serde(skip_serializing_if = "Option::is_none")]
    envelope: Option<serde_json::Value>,
}

impl Verify {
    pub(super) fn run(self, out: &mut Out) -> Result<(), Failure> {
        // A signature rule that another dependency loosened must not judge anything.
        self_test()?;
        let verifier = Verifier::new(NetworkHash::secure(&self.network));
        let mut texts = Texts::new(open(&self.file)?);
        let (mut total, mut invalid) = (0_u64, 0_u64);
        while let Some((line, text)) = texts.next().map_err(|error| unreadable(&self.file, &error))? {
            let judged = text.and_then(|text| verifier.check_json(&text).map_err(|error| error.to_string()));
            total += 1;
            invalid += u64::from(judged.is_err());
            if self.json {
                self.print_json(line, judged, out)?;
            } else {
                print(line, &judged, out)?;
            }
        }
        let file = self.file.display();
        match (total, invalid) {
            (0, _) => Err(Failure::said(format!("there is no envelope in {file}; give its JSON, one object a line"))),
            (_, 0) => Ok(()),
            (1, _) => Err(Failure::said("the envelope is not valid: do not believe it")),
            _ => Err(Failure::said(format!("{invalid} of {total} envelopes are not valid: do not believe them"))),
        }
    }

    fn print_json(&self, line: usize, judged: Judgement, out: &mut Out) -> Result<(), Failure> {
        let (envelope, error) = match judged {
            Ok(envelope) => (Some(serde_json::from_str(&envelope.to_json(&self.network))?), None),
            Err(error) => (None, Some(error)),
        };
        out.json(&Judged { line, valid: error.is_none(), error, envelope })
    }
}

/// A believable envelope, or why it is none.
type Judgement = Result<Verified<Envelope>, String>;

fn print(line: usize, judged: &Judgement, out: &mut Out) -> Result<(), Failure> {
    let envelope = match judged {
        Ok(envelope) => envelope,
        Err(why) => {
            return out.line(format_args!("{BAD}not valid{BAD:#}  line {line}: {}", super::escape(why)));
        }
    };
    out.line(format_args!("{GOOD}valid{GOOD:#}  {}", envelope.id()))?;
    let mut facts = Facts::default();
    facts.add("  sender", envelope.sender());
    facts.add("  title", envelope.title());
    facts.add("  time", envelope.time());
    facts.add("  lifetime", format_args!("{} s", envelope.lifetime().as_secs()));
    let message = envelope.message();
    match std::str::from_utf8(&message) {
        Ok(text) => facts.add("  message", Beginning { text, most: 400 }),
        Err(_) => facts.add("  message", format_args!("{} bytes that are no text", message.len())),
    }
    out.facts(&facts)
}

fn open(path: &Path) -> Result<Box<dyn BufRead>, Failure> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(BufReader::new(io::stdin())));
    }
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    Ok(Box::new(BufReader::new(file)))
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::NotFound => Failure::said(format!("{} does not exist; check the path", path.display())),
        _ => Failure::said(format!("{} could not be read: {error}", path.display())),
    }
}

/// The objects of a text: one on each line, or one printed over several lines. Reads no more than it must, so that an
/// endless input works too.
struct Texts<R> {
    reader: R,
    line: usize,
}

impl<R: BufRead> Texts<R> {
    fn new(reader: R) -> Self {
        Texts { reader, line: 0 }
    }

    /// The next object, or why there is none, and the line it begins at.
    fn next(&mut self) -> io::Result<Option<(usize, Result<String, String>)>> {
        let mut text = Vec::new();
        let mut first = 0;
        loop {
            let room = (MAX_JSON + 1).saturating_sub(text.len());
            if self.reader.by_ref().take(room as u64).read_until(b'\n', &mut text)? == 0 {
                break;
            }
            self.line += 1;
            if text.len() > MAX_JSON {
                if !text.ends_with(b"\n") {
                    self.skip_line()?;
                }
                return Ok(Some((
                    if first == 0 { self.line } else { first },
                    Err(format!("longer than {MAX_JSON} bytes")),
                )));
            }
            if text.trim_ascii().is_empty() {
                text.clear();
                continue;
            }
            if first == 0 {
                first = self.line;
            }
            if self.line - first + 1 >= MAX_LINES || !is_unfinished(&text) {
                break;
            }
        }
        if first == 0 {
            return Ok(None);
        }
        Ok(Some((first, String::from_utf8(text).map_err(|_| "this is not UTF-8".to_owned()))))
    }

    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            let buffer = self.reader.fill_buf()?;
            if buffer.is_empty() {
                return Ok(());
            }
            let (used, found) = match buffer.iter().position(|byte| *byte == b'\n') {
                Some(at) => (at + 1, true),
                None => (buffer.len(), false),
            };
            self.reader.consume(used);
            if found {
                return Ok(());
            }
        }
    }
}

/// Whether this is the beginning of an object that goes on.
fn is_unfinished(text: &[u8]) -> bool {
    text.trim_ascii_start().starts_with(b"{")
        && serde_json::from_slice::<IgnoredAny>(text).is_err_and(|error| error.is_eof())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(input: &str) -> Vec<(usize, Result<String, String>)> {
        let mut texts = Texts::new(input.as_bytes());
        std::iter::from_fn(|| texts.next().unwrap()).collect()
    }

    #[test]
    fn objects_stand_on_a_line_each_or_take_several() {
        let ok = |line, text: &str| (line, Ok(text.to_owned()));
        assert_eq!(texts("{}\n{\"a\":1}"), [ok(1, "{}\n"), ok(2, "{\"a\":1}")]);
        assert_eq!(texts("\n \n{\n\"a\":\n1}\n\n{}"), [ok(3, "{\n\"a\":\n1}\n"), ok(7, "{}")]);
        assert_eq!(texts("rubbish\n[\n{}"), [ok(1, "rubbish\n"), ok(2, "[\n"), ok(3, "{}")]);
        assert_eq!(texts("{\"cut off"), [ok(1, "{\"cut off")]);
        assert!(texts("").is_empty() && texts("\n\n").is_empty());
    }

    #[test]
    fn what_never_ends_costs_little() {
        let long = format!("{{\"{}\n{{}}", "x".repeat(3 * MAX_JSON));
        let found = texts(&long);
        assert!(matches!(&found[..], [(1, Err(_)), (2, Ok(_))]), "{}", found.len());
        let many = "{\"a\":[\n".repeat(10 * MAX_LINES);
        assert!(texts(&many).iter().all(|(_, text)| text.as_ref().unwrap().lines().count() <= MAX_LINES));
    }
}
