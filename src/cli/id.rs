//! `sealnet id`: the public names of identities.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::Failure;
use super::key_name::KeyName;
use super::output::Out;
use super::passphrase::PassphraseSource;
use crate::identity::{NodeId, Overwrite, read_id_file, write_id_file};

/// Print the public id of a key.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Id {
    /// Name of a key in the folder keys, or a file that ends in .id or .pem [default: all keys in the folder keys]
    #[arg(value_name = "NAME|FILE")]
    key: Option<PathBuf>,

    /// Write the id to the file beside the key, for a key that came from elsewhere
    #[arg(long, requires = "key")]
    write: bool,

    /// With --write: keep a file that is in the way aside, as NAME.id.old-1 and so on
    #[arg(long, requires = "write")]
    force: bool,

    #[command(flatten)]
    passphrase: PassphraseSource,

    /// Print the facts as JSON, one object a key
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  sealnet id                         all keys in the folder keys
  sealnet id genesis                 from keys/genesis.id, or keys/genesis.pem
  sealnet id /srv/node.pem --write   a key from OpenSSL has no .id yet: write it

In a configuration a node is named with its id: sealnet://ID@HOST:PORT, or
{ address, id_file }.";

#[derive(Serialize)]
struct Known {
    path: PathBuf,
    id: NodeId,
}

impl Id {
    pub(super) fn run(self, out: &mut Out) -> Result<(), Failure> {
        let Some(key) = &self.key else { return self.list(out) };
        let mut known = if self.write { self.of_secret(&secret_of(key)?)? } else { self.of_key(key)? };
        if self.write {
            let overwrite = if self.force { Overwrite::KeepAside } else { Overwrite::Refuse };
            known.path = write_id_file(&id_path(&known.path), known.id, overwrite)?.path;
        }
        if self.json {
            return out.json(&known);
        }
        // Nothing but the id, so that $(sealnet id NAME) is one.
        out.line(known.id)
    }

    fn list(&self, out: &mut Out) -> Result<(), Failure> {
        const NONE: &str = "there are no keys in the folder keys; make one with `sealnet keygen NAME`, or name a file";
        let entries = match fs::read_dir("keys") {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(Failure::said(NONE)),
            Err(error) => return Err(Failure::said(format!("the folder keys could not be read: {error}"))),
        };
        let mut names: Vec<KeyName> = entries
            .filter_map(|entry| {
                let name = entry.ok()?.file_name().into_string().ok()?;
                name.strip_suffix(".pem").or(name.strip_suffix(".id"))?.parse().ok()
            })
            .collect();
        names.sort_by(|a, b| a.as_str().cmp(b.as_str()));
        names.dedup();
        if names.is_empty() {
            return Err(Failure::said(NONE));
        }
        let width = names.iter().map(|name| name.as_str().len()).max().unwrap_or(0);
        for name in names {
            let known = self.of_name(&name)?;
            if self.json {
                out.json(&known)?;
            } else {
                out.line(format_args!("{:width$}  {}", name.as_str(), known.id))?;
            }
        }
        Ok(())
    }

    /// The id of a key that is named or whose file is given.
    fn of_key(&self, key: &Path) -> Result<Known, Failure> {
        match name_of(key) {
            Some(name) => self.of_name(&name),
            None if key.extension().is_some_and(|ending| ending == "id") => of_id_file(key),
            None => self.of_secret(key),
        }
    }

    /// From the public file where there is one: nobody needs to touch a secret to learn a name.
    fn of_name(&self, name: &KeyName) -> Result<Known, Failure> {
        let id = name.id(Path::new(""));
        if id.exists() { of_id_file(&id) } else { self.of_secret(&name.secret(Path::new(""))) }
    }

    fn of_secret(&self, path: &Path) -> Result<Known, Failure> {
        Ok(Known { path: path.to_owned(), id: self.passphrase.load(path)?.id() })
    }
}

fn of_id_file(path: &Path) -> Result<Known, Failure> {
    Ok(Known { path: path.to_owned(), id: read_id_file(path)? })
}

/// The file with the secret key, from which alone an id may be written.
fn secret_of(key: &Path) -> Result<PathBuf, Failure> {
    match name_of(key) {
        Some(name) => Ok(name.secret(Path::new(""))),
        None if key.extension().is_some_and(|ending| ending == "id") => {
            Err(Failure::said(format!("{} is the id already; with --write name the key, NAME.pem", key.display())))
        }
        None => Ok(key.to_owned()),
    }
}

/// The name, if it is one and no file.
fn name_of(key: &Path) -> Option<KeyName> {
    key.to_str()?.parse().ok().filter(|_| !key.is_file())
}

/// The file with the id of the key in `secret`, as [`Identity::save`] calls it.
pub(super) fn id_path(secret: &Path) -> PathBuf {
    if secret.extension().is_some_and(|ending| ending == "pem") {
        return secret.with_extension("id");
    }
    let mut name = secret.as_os_str().to_owned();
    name.push(".id");
    name.into()
}
