//! Passphrases of key files and sealed files: from the terminal, or from a file descriptor. Never from arguments or the environment, which
//! other programs can read.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::path::Path;

use clap::Args;
use rustix::io::Errno;
use zeroize::Zeroizing;

use super::{Failure, escape};
use crate::identity::{Identity, KeyFileError, KeyFileProblem, Passphrase};

/// How often a person may mistype.
const TRIES: usize = 3;

/// Where the passphrase of a key comes from.
#[derive(Args, Clone, Copy, Default)]
pub(super) struct PassphraseSource {
    /// Read the passphrase from this file descriptor, the first line, instead of asking for it
    #[arg(long, value_name = "N", value_parser = parse_fd)]
    passphrase_fd: Option<u32>,
}

fn parse_fd(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(1 | 2) => Err("1 and 2 are for output; write 0 for standard input, or 3 and up, as in 3<FILE".to_owned()),
        Ok(fd) => Ok(fd),
        Err(_) => Err("write the number of an open file descriptor, as in --passphrase-fd 3 3<FILE".to_owned()),
    }
}

impl PassphraseSource {
    pub(super) fn is_given(self) -> bool {
        self.passphrase_fd.is_some()
    }

    /// The identity in the file `path`; asks for its passphrase if it has one.
    pub(super) fn load(self, path: &Path) -> Result<Identity, Failure> {
        if let Some(fd) = self.passphrase_fd {
            // Read even where the key needs none: what is left in standard input must not be taken for a message.
            return Ok(Identity::load_with(path, &read(fd)?)?);
        }
        let has_passphrase = |error: &KeyFileError| {
            matches!(error.problem(), KeyFileProblem::Passphrase | KeyFileProblem::WrongPassphrase)
        };
        let mut outcome = Identity::load(path);
        let mut tries = if io::stdin().is_terminal() { TRIES } else { 0 };
        while let Err(error) = &outcome
            && has_passphrase(error)
            && tries > 0
        {
            tries -= 1;
            let again = if tries + 1 < TRIES { "That one does not open it. " } else { "" };
            let shown = path.display().to_string();
            let passphrase = ask(&format!("{again}Passphrase of {}: ", escape(&shown)))?;
            outcome = Identity::load_with(path, &passphrase);
        }
        Ok(outcome?)
    }

    /// The passphrase of a sealed file; asked for once.
    pub(super) fn passphrase_of(self, file: &Path) -> Result<Passphrase, Failure> {
        match self.passphrase_fd {
            Some(fd) => read(fd),
            None if !io::stdin().is_terminal() => Err(nobody_to_ask()),
            None => ask(&format!("Passphrase of {}: ", escape(&file.display().to_string()))),
        }
    }

    /// A passphrase for a new key; asked for twice.
    pub(super) fn choose(self) -> Result<Passphrase, Failure> {
        self.choose_for("the new key")
    }

    /// A passphrase for something new; asked for twice.
    pub(super) fn choose_for(self, what: &str) -> Result<Passphrase, Failure> {
        if let Some(fd) = self.passphrase_fd {
            return read(fd);
        }
        if !io::stdin().is_terminal() {
            return Err(nobody_to_ask());
        }
        let passphrase = ask(&format!("Passphrase for {what}: "))?;
        if ask("The same again: ")? != passphrase {
            return Err(Failure::said("the two passphrases are not the same; nothing was written, try again"));
        }
        Ok(passphrase)
    }
}

fn nobody_to_ask() -> Failure {
    Failure::said(
        "nobody is there to be asked for a passphrase; run this on a terminal, or hand it over in a file descriptor: \
         `--passphrase-fd 3 3<FILE`",
    )
}

/// Asks on the terminal, which shows nothing of what is typed.
fn ask(question: &str) -> Result<Passphrase, Failure> {
    let typed = rpassword::prompt_password(question)
        .map_err(|error| Failure::said(format!("the passphrase could not be read from the terminal: {error}")))?;
    Ok(Passphrase::new(Zeroizing::new(typed.into_bytes()))?)
}

/// The first line of an open file descriptor, and not a byte more: the rest belongs to others.
fn read(fd: u32) -> Result<Passphrase, Failure> {
    let failed = |error: io::Error| {
        Failure::said(format!(
            "the passphrase could not be read from file descriptor {fd}: {error}; open it, as in --passphrase-fd {fd} {fd}<FILE"
        ))
    };
    let mut line = Zeroizing::new(Vec::with_capacity(Passphrase::MAX_LEN + 2));
    let stdin = io::stdin();
    let file = if fd == 0 { None } else { Some(File::open(format!("/dev/fd/{fd}")).map_err(failed)?) };
    // Not through Rust's buffer of standard input, which would swallow what comes after the line.
    let source = file.as_ref().map_or_else(|| stdin.as_fd(), File::as_fd);
    let mut byte = Zeroizing::new([0_u8]);
    while line.len() <= Passphrase::MAX_LEN {
        match rustix::io::read(source, &mut *byte) {
            Ok(0) => break,
            Ok(_) if byte[0] == b'\n' => break,
            Ok(_) => line.push(byte[0]),
            Err(Errno::INTR) => {}
            Err(error) => return Err(failed(error.into())),
        }
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(Passphrase::new(line)?)
}
