//! `sealnet seal`: files for chosen readers, or under a passphrase.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind};
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::Failure;
use super::key_name::KeyName;
use super::out_file::{OutFile, shown};
use super::output::{Facts, Out};
use super::passphrase::PassphraseSource;
use crate::identity::{NodeId, read_id_file};
use crate::sealed::SealKey;
use crate::sealed::file::{FileError, To, seal_file};

/// What sealed files end in.
pub(super) const ENDING: &str = "sealed";

/// Seal a file: only the chosen readers, or those who know a passphrase, can open it.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Seal {
    /// The file to seal; - is standard input
    file: PathBuf,

    /// A reader: an id (64 hex digits), a file that ends in .id, or the name of a key in the folder keys; up to 64
    #[arg(long, value_name = "READER", required_unless_present_any = ["to_key", "passphrase", "passphrase_fd"],
        conflicts_with_all = ["passphrase", "passphrase_fd"])]
    to: Vec<PathBuf>,

    /// A reader by a seal key of its own, 64 hex digits, that is not of its identity
    #[arg(long, value_name = "KEY", conflicts_with_all = ["passphrase", "passphrase_fd"])]
    to_key: Vec<SealKey>,

    /// Seal under a passphrase instead, asked for on the terminal
    #[arg(long)]
    passphrase: bool,

    #[command(flatten)]
    source: PassphraseSource,

    /// Write here [default: FILE.sealed]
    #[arg(long, value_name = "FILE", required_if_eq("file", "-"))]
    out: Option<PathBuf>,

    /// Replace a file that is in the way
    #[arg(long)]
    force: bool,

    /// Print the facts as one JSON object
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  sealnet seal plan.pdf --to keys/alice.id --to keys/bob.id
  sealnet seal plan.pdf --passphrase --out /mnt/usb/plan.sealed
  tar c docs | sealnet seal - --to alice --out docs.tar.sealed
  sealnet open plan.pdf.sealed --key alice       what the reader does

Any size; the file is read once, in pieces. The new file is of mode 0600, and
complete or not there at all. It shows its size and how many readers it has, and
says nothing of who sealed it. What is sealed to an identity can be opened as
long as its key exists, also by whoever steals the key.";

#[derive(Serialize)]
struct Made {
    path: PathBuf,
    bytes: u64,
    /// 0: under a passphrase.
    readers: usize,
}

impl Seal {
    pub(super) fn run(self, out: &mut Out) -> Result<(), Failure> {
        let mut readers = self.to.iter().map(|reader| key_of(reader)).collect::<Result<Vec<_>, _>>()?;
        readers.extend(&self.to_key);
        readers.sort_unstable();
        readers.dedup();
        let path = self.out.clone().unwrap_or_else(|| with_ending(&self.file));
        let mut input = input(&self.file)?;
        // Before anybody is asked for a passphrase.
        OutFile::check(&path, self.force)?;
        let has_passphrase = self.passphrase || self.source.is_given();
        let passphrase = if has_passphrase { Some(self.source.choose_for("the file")?) } else { None };
        let mut file = OutFile::begin(&path, self.force)?;
        let to = passphrase.as_ref().map_or(To::Readers(&readers), To::Passphrase);
        let bytes =
            seal_file(&mut input, &mut file, to).map_err(|error| failed("sealed", &self.file, &path, &error))?;
        file.place()?;
        let made = Made { path, bytes, readers: readers.len() };
        if self.json {
            return out.json(&made);
        }
        let mut facts = Facts::default();
        facts.add("sealed", made.path.display());
        facts.add("bytes", made.bytes);
        match made.readers {
            0 => facts.add("opens with", "the passphrase"),
            n => facts.add("readers", n),
        }
        out.facts(&facts)
    }
}

/// The key of a reader that is named by its id, the file with its id, or the name of a key.
fn key_of(reader: &Path) -> Result<SealKey, Failure> {
    let text = reader.to_str().unwrap_or_default();
    let id = if let Ok(id) = text.parse::<NodeId>() {
        id
    } else if reader.extension().is_some_and(|ending| ending == "id") {
        read_id_file(reader)?
    } else if let Ok(name) = text.parse::<KeyName>() {
        read_id_file(&name.id(Path::new("")))?
    } else {
        return Err(Failure::said(format!(
            "{} is no reader: write an id (64 hex digits), a file that ends in .id, or the name of a key in the folder keys",
            shown(reader)
        )));
    };
    Ok(SealKey::of(&id).map_err(|_| FileError::Reader(id))?)
}

/// `file.sealed`
fn with_ending(file: &Path) -> PathBuf {
    let mut path = OsString::from(file);
    path.push(".");
    path.push(ENDING);
    path.into()
}

pub(super) fn input(path: &Path) -> Result<Box<dyn BufRead>, Failure> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(BufReader::with_capacity(64 << 10, io::stdin())));
    }
    match File::open(path) {
        Ok(file) => Ok(Box::new(BufReader::with_capacity(64 << 10, file))),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(Failure::said(format!("{} does not exist; check the path", shown(path))))
        }
        Err(error) => Err(Failure::said(format!("{} could not be read: {error}", shown(path)))),
    }
}

/// An error of sealing or opening, with the file that it is about.
pub(super) fn failed(doing: &str, from: &Path, to: &Path, error: &FileError) -> Failure {
    match error {
        FileError::Write(_) => Failure::said(format!("{} could not be written: {error}", shown(to))),
        FileError::Seal(_) | FileError::Reader(_) | FileError::Randomness(_) => Failure::said(error.to_string()),
        _ => Failure::said(format!("{} was not {doing}: {error}", shown(from))),
    }
}
