//! `sealnet open`: opens what `sealnet seal` sealed.

use std::io::{BufRead, IsTerminal};
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::Failure;
use super::key_name::KeyName;
use super::out_file::{OutFile, shown};
use super::output::{Facts, Out};
use super::passphrase::PassphraseSource;
use super::seal::{ENDING, failed, input};
use crate::sealed::file::{Header, With};
use crate::sealed::{SealSecret, SealSecrets};

/// Open a file that was sealed to one of your keys, or under a passphrase.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Open {
    /// The sealed file; - is standard input
    file: PathBuf,

    /// The key it was sealed to: the name of a key in the folder keys, or a key file
    #[arg(long, value_name = "NAME|FILE", conflicts_with = "seal_keys")]
    key: Option<PathBuf>,

    /// A node's file of seal keys, for what was sealed with --to-key
    #[arg(long, value_name = "FILE")]
    seal_keys: Option<PathBuf>,

    #[command(flatten)]
    source: PassphraseSource,

    /// Write here [default: the file's name without .sealed]
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
  sealnet open plan.pdf.sealed --key alice           with keys/alice.pem
  sealnet open plan.pdf.sealed --key /srv/node.pem --out /tmp/plan.pdf
  sealnet open plan.sealed                           asks for its passphrase
  sealnet open plan.sealed --passphrase-fd 3 3<FILE

What comes out is of mode 0600, and complete and unaltered or not there at all.
Who sealed it nobody can know.";

#[derive(Serialize)]
struct Made {
    path: PathBuf,
    bytes: u64,
}

impl Open {
    pub(super) fn run(self, out: &mut Out) -> Result<(), Failure> {
        let path = match &self.out {
            Some(path) => path.clone(),
            None => without_ending(&self.file)?,
        };
        let mut input = input(&self.file)?;
        let header = Header::read(&mut input).map_err(|error| failed("opened", &self.file, &path, &error))?;
        // Before anybody is asked for a passphrase.
        OutFile::check(&path, self.force)?;
        let bytes = if header.needs_passphrase() {
            let from_input = self.file.as_os_str() == "-" && !self.source.is_given();
            if from_input && !std::io::stdin().is_terminal() {
                return Err(Failure::said(
                    "the file comes from standard input, so its passphrase cannot; hand it over in another file \
                     descriptor: `--passphrase-fd 3 3<FILE`",
                ));
            }
            let passphrase = self.source.passphrase_of(&self.file)?;
            self.write(&path, &header, With::Passphrase(&passphrase), &mut input)?
        } else {
            self.write(&path, &header, With::Secrets(&self.secrets()?), &mut input)?
        };
        let made = Made { path, bytes };
        if self.json {
            return out.json(&made);
        }
        let mut facts = Facts::default();
        facts.add("opened", made.path.display());
        facts.add("bytes", made.bytes);
        out.facts(&facts)
    }

    fn write(&self, path: &Path, header: &Header, with: With<'_>, input: &mut impl BufRead) -> Result<u64, Failure> {
        let mut file = OutFile::begin(path, self.force)?;
        let opened = header.open(with, input, &mut file);
        let bytes = opened.map_err(|error| failed("opened", &self.file, path, &error))?;
        file.place()?;
        Ok(bytes)
    }

    fn secrets(&self) -> Result<SealSecrets, Failure> {
        if let Some(path) = &self.seal_keys {
            return Ok(SealSecrets::load(path)?);
        }
        let Some(key) = &self.key else {
            return Err(Failure::said(format!(
                "{} is sealed to keys; name yours: --key NAME for keys/NAME.pem, or --key FILE",
                shown(&self.file)
            )));
        };
        let name = key.to_str().and_then(|text| text.parse::<KeyName>().ok());
        let path = name.map_or(key.clone(), |name| name.secret(Path::new("")));
        Ok(SealSecrets::from(SealSecret::of(&self.source.load(&path)?)))
    }
}

fn without_ending(file: &Path) -> Result<PathBuf, Failure> {
    if file.extension().is_some_and(|ending| ending == ENDING) {
        return Ok(file.with_extension(""));
    }
    Err(Failure::said(format!("{} does not end in .{ENDING}; say with --out where to write", shown(file))))
}
