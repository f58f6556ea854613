//! Certificates, lists of revocations and lists of members as text files. None of them is secret.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use data_encoding::BASE64;

use super::{AttestError, Attested, Authority, Certificate, Revocations};
use crate::identity::{NodeId, PublicKey};

/// The longest of these files that is read, in bytes: a list of 10,000 members with a word about each.
const MAX_LEN: u64 = 1 << 20;
/// The most members a list has.
const MAX_MEMBERS: usize = 10_000;

const CERTIFICATE: &str = "SEALNET CERTIFICATE";
const REVOCATIONS: &str = "SEALNET REVOCATIONS";

/// Why a file about access cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", .path.display())]
pub struct AccessFileError {
    path: PathBuf,
    problem: AccessFileProblem,
}

/// What is wrong with a file about access.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccessFileProblem {
    /// It could not be read.
    #[error("could not be read ({0}); check the path in the section [access]")]
    Io(#[source] io::Error),
    /// It is far too long.
    #[error("longer than {MAX_LEN} bytes, so it is none of the files of the section [access]; check the path")]
    TooLong,
    /// It is something else.
    #[error("this is no {what}; write the path of the file that {from} made")]
    Other {
        /// What it is to be.
        what: &'static str,
        /// What makes it.
        from: &'static str,
    },
    /// It is not what the authority said.
    #[error(transparent)]
    NotAttested(#[from] AttestError),
    /// A line of a list of members names nobody.
    #[error(
        "line {line} names no member; a line is the 64 hex digits of an id (`sealnet id`), and after a space what you like"
    )]
    Line {
        /// Which, from 1 on.
        line: usize,
    },
    /// A list of members that is too long.
    #[error("more than {MAX_MEMBERS} members; use mode = \"certificate\" for so many")]
    TooMany,
}

impl AccessFileError {
    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is wrong with it.
    pub fn problem(&self) -> &AccessFileProblem {
        &self.problem
    }
}

impl Certificate {
    /// The certificate as the text of a file.
    pub fn to_text(&self) -> String {
        armour(CERTIFICATE, &self.encode())
    }
}

impl Revocations {
    /// The list as the text of a file.
    pub fn to_text(&self) -> String {
        armour(REVOCATIONS, &self.encode())
    }
}

impl Authority {
    /// The certificate in a text that [`Certificate::to_text`] made, if this authority signed it.
    ///
    /// # Errors
    /// If the text is something else, or not the authority's for this network.
    pub fn certificate_in(&self, text: &str) -> Result<Attested<Certificate>, AccessFileProblem> {
        let other = AccessFileProblem::Other { what: "certificate", from: "`sealnet authority issue`" };
        Ok(self.certificate(&unarmour(CERTIFICATE, text).ok_or(other)?)?)
    }

    /// The list in a text that [`Revocations::to_text`] made, if this authority signed it.
    ///
    /// # Errors
    /// If the text is something else, or not the authority's for this network.
    pub fn revocations_in(&self, text: &str) -> Result<Attested<Revocations>, AccessFileProblem> {
        let other = AccessFileProblem::Other { what: "list of revocations", from: "`sealnet authority revoke`" };
        Ok(self.revocations(&unarmour(REVOCATIONS, text).ok_or(other)?)?)
    }

    /// Reads the certificate in a file.
    ///
    /// # Errors
    /// If it cannot be read, is something else, or not the authority's for this network.
    pub fn read_certificate(&self, path: &Path) -> Result<Attested<Certificate>, AccessFileError> {
        read(path, |text| self.certificate_in(text))
    }

    /// Reads the list of revocations in a file.
    ///
    /// # Errors
    /// If it cannot be read, is something else, or not the authority's for this network.
    pub fn read_revocations(&self, path: &Path) -> Result<Attested<Revocations>, AccessFileError> {
        read(path, |text| self.revocations_in(text))
    }
}

/// Reads a list of members: a line for each, its id of 64 hex digits first and after white space whatever helps people;
/// empty lines and those that begin with `#` say nothing.
///
/// # Errors
/// If it cannot be read, is too long, or a line names nobody; nothing of such a list counts.
pub fn read_members(path: &Path) -> Result<BTreeSet<NodeId>, AccessFileError> {
    read(path, members_in)
}

/// The members in the text of a list.
///
/// # Errors
/// If a line names nobody, or there are too many.
pub fn members_in(text: &str) -> Result<BTreeSet<NodeId>, AccessFileProblem> {
    let mut members = BTreeSet::new();
    for (n, line) in text.lines().enumerate() {
        let Some(id) = line.split_whitespace().next().filter(|word| !word.starts_with('#')) else { continue };
        let id: Option<NodeId> = id.parse().ok().filter(|id| PublicKey::decode(id).is_ok());
        members.insert(id.ok_or(AccessFileProblem::Line { line: n + 1 })?);
        if members.len() > MAX_MEMBERS {
            return Err(AccessFileProblem::TooMany);
        }
    }
    Ok(members)
}

fn read<T>(path: &Path, parse: impl FnOnce(&str) -> Result<T, AccessFileProblem>) -> Result<T, AccessFileError> {
    let fail = |problem| AccessFileError { path: path.to_owned(), problem };
    let mut bytes = Vec::new();
    let opened = File::open(path).and_then(|file| file.take(MAX_LEN + 1).read_to_end(&mut bytes));
    opened.map_err(|error| fail(AccessFileProblem::Io(error)))?;
    if bytes.len() as u64 > MAX_LEN {
        return Err(fail(AccessFileProblem::TooLong));
    }
    // What is no text is read as one that means nothing, and refused with a line or a kind.
    parse(&String::from_utf8_lossy(&bytes)).map_err(fail)
}

/// `bytes` as base64 between two lines that say what they are.
fn armour(what: &str, bytes: &[u8]) -> String {
    let encoded = BASE64.encode(bytes);
    let mut text = format!("-----BEGIN {what}-----\n");
    for line in encoded.as_bytes().chunks(64) {
        // Base64 is ASCII, and writing to a string does not fail.
        let _ = writeln!(text, "{}", String::from_utf8_lossy(line));
    }
    let _ = writeln!(text, "-----END {what}-----");
    text
}

/// The bytes of exactly one such text; lines before and behind it may hold nothing.
fn unarmour(what: &str, text: &str) -> Option<Vec<u8>> {
    let body = text.trim().strip_prefix(&format!("-----BEGIN {what}-----"))?;
    let body = body.strip_suffix(&format!("-----END {what}-----"))?;
    let body: String = body.split_ascii_whitespace().collect();
    BASE64.decode(body.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Membership, Rights, Serial};
    use crate::identity::{Identity, NetworkHash};

    fn authority() -> (Identity, NetworkHash, Authority) {
        let (identity, network) = (Identity::from_seed(&[9; 32]), NetworkHash::secure(&"demo".parse().unwrap()));
        let authority = Authority::new(network, PublicKey::decode(&identity.id()).unwrap());
        (identity, network, authority)
    }

    #[test]
    fn what_is_written_is_read_again_and_nothing_else_is() {
        let (identity, network, authority) = authority();
        let membership = Membership {
            subject: Identity::from_seed(&[1; 32]).id(),
            serial: Serial::from_bytes([1; 16]),
            not_before: 0,
            not_after: 9,
            rights: Rights::LINK,
            label: "site 1".parse().unwrap(),
        };
        let certificate = Certificate::issue(&identity, &network, membership).unwrap();
        let list = Revocations::issue(&identity, &network, 3, 0, (0..9).map(|n| Serial::from_bytes([n; 16]))).unwrap();
        let (one, other) = (certificate.to_text(), list.to_text());
        assert!(one.lines().all(|line| line.len() <= 64) && one.starts_with("-----BEGIN SEALNET CERTIFICATE-----\n"));
        assert_eq!(*authority.certificate_in(&format!("\n{one}\r\n")).unwrap(), certificate);
        assert_eq!(*authority.revocations_in(&other).unwrap(), list);
        for bad in [&other, "", "-----BEGIN SEALNET CERTIFICATE-----", &one.replace("BEGIN", "BEGINN"), &one[..90]] {
            assert!(matches!(authority.certificate_in(bad), Err(AccessFileProblem::Other { .. })), "{bad}");
        }
        assert!(matches!(authority.revocations_in(&one), Err(AccessFileProblem::Other { .. })));
        let changed = one.replacen('A', "B", 1);
        assert!(authority.certificate_in(&changed).is_err());
    }

    #[test]
    fn a_list_names_members_and_a_wrong_line_makes_it_none() {
        let ids: Vec<NodeId> = (1..=3).map(|n| Identity::from_seed(&[n; 32]).id()).collect();
        let text = format!("# our nodes\n{}\n\n  {} the cellar\r\n#{}\n", ids[0], ids[1], ids[2]);
        assert_eq!(members_in(&text).unwrap(), BTreeSet::from([ids[0], ids[1]]));
        for bad in ["nobody".to_owned(), format!("{}\n{}x", ids[0], ids[1]), "00".repeat(32)] {
            assert!(matches!(members_in(&bad), Err(AccessFileProblem::Line { .. })), "{bad}");
        }
        assert!(members_in("").unwrap().is_empty());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("members");
        let said = read_members(&path).unwrap_err().to_string();
        assert!(said.contains("members: could not be read") && said.contains("[access]"), "{said}");
        std::fs::write(&path, [0xff, 0xfe]).unwrap();
        assert!(read_members(&path).unwrap_err().to_string().contains("line 1"));
        std::fs::write(&path, " ".repeat(1 << 20) + " ").unwrap();
        assert!(read_members(&path).unwrap_err().to_string().contains("longer"));
    }
}
