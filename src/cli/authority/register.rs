//! What an authority has certified: a file beside its key. It holds no secret; what it names, members know of each other.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::super::Failure;
use super::super::out_file::{OutFile, shown};
use crate::access::{Certificate, Label, Membership, Revocations, Rights, Serial};
use crate::identity::{Identity, NetworkHash, NetworkName, NodeId};

/// A certificate counts for messages as long as any node keeps them: so long after its end its number stays in the list.
const KEPT_REVOKED: u64 = 367 * 24 * 3600;
const DAY: u64 = 24 * 3600;

/// Everything that one authority has certified for its network.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::cli) struct Register {
    pub(in crate::cli) network: NetworkName,
    pub(in crate::cli) authority: NodeId,
    /// The number of the last list of revocations.
    pub(in crate::cli) epoch: u64,
    pub(in crate::cli) certificates: Vec<Issued>,
}

/// A certificate that was issued.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::cli) struct Issued {
    pub(in crate::cli) serial: String,
    pub(in crate::cli) label: String,
    pub(in crate::cli) subject: NodeId,
    pub(in crate::cli) not_before: u64,
    pub(in crate::cli) not_after: u64,
    pub(in crate::cli) rights: u16,
    /// The number of the first list that revokes it.
    pub(in crate::cli) revoked: Option<u64>,
}

/// How far a certificate has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::cli) enum Status {
    Valid,
    Ended,
    Revoked,
}

impl Issued {
    pub(in crate::cli) fn status(&self, now: u64) -> Status {
        match self.revoked {
            Some(_) => Status::Revoked,
            None if self.not_after < now => Status::Ended,
            None => Status::Valid,
        }
    }

    pub(in crate::cli) fn rights(&self) -> Rights {
        Rights::from_bits(self.rights)
    }
}

/// The register of the key in the file `key`.
pub(in crate::cli) fn path_of(key: &Path) -> PathBuf {
    key.with_extension("register")
}

/// The list of revocations of the key in the file `key`.
pub(in crate::cli) fn list_of(key: &Path) -> PathBuf {
    key.with_extension("revocations")
}

/// The second that it is.
pub(in crate::cli) fn second() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

impl Register {
    pub(in crate::cli) fn new(network: NetworkName, authority: NodeId) -> Self {
        Register { network, authority, epoch: 0, certificates: Vec::new() }
    }

    /// The register beside the key, which must be this authority's.
    pub(in crate::cli) fn load(key: &Path, authority: NodeId) -> Result<Self, Failure> {
        let path = path_of(key);
        let text = fs::read(&path).map_err(|error| {
            let remedy = match error.kind() {
                ErrorKind::NotFound => {
                    "; it is made beside the key by `sealnet authority new`: copy it along with the key"
                }
                _ => "",
            };
            Failure::said(format!("{} could not be read: {error}{remedy}", shown(&path)))
        })?;
        let register: Register = serde_json::from_slice(&text).map_err(|error| {
            Failure::said(format!("{} is no register of an authority: {error}; bring back a copy", shown(&path)))
        })?;
        if register.authority != authority {
            return Err(Failure::said(format!(
                "{} is the register of authority {:#}, and the key is {authority:#}; name the key that belongs to it",
                shown(&path),
                register.authority
            )));
        }
        Ok(register)
    }

    /// Writes the register in one step in place of what is there.
    pub(in crate::cli) fn save(&self, key: &Path) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        write_file(&path_of(key), &text, true)
    }

    /// Certifies somebody, and notes it.
    pub(in crate::cli) fn issue(
        &mut self,
        authority: &Identity,
        subject: NodeId,
        label: &Label,
        days: u32,
        rights: Rights,
    ) -> Result<Certificate, Failure> {
        let now = second();
        let membership = Membership {
            subject,
            serial: Serial::generate()?,
            not_before: now,
            not_after: now + u64::from(days) * DAY,
            rights,
            label: label.clone(),
        };
        self.certificates.push(Issued {
            serial: membership.serial.to_string(),
            label: label.as_str().to_owned(),
            subject,
            not_before: membership.not_before,
            not_after: membership.not_after,
            rights: rights.bits(),
            revoked: None,
        });
        Ok(Certificate::issue(authority, &NetworkHash::secure(&self.network), membership)?)
    }

    /// The certificates that `which` means: those of a label, of an id or the beginning of one, or the one with a number.
    pub(in crate::cli) fn find(&self, which: &str) -> Result<Vec<usize>, Failure> {
        let all = || self.certificates.iter().enumerate();
        let of = |wanted: &dyn Fn(&Issued) -> bool| {
            all().filter(|(_, issued)| wanted(issued)).map(|(n, _)| n).collect::<Vec<_>>()
        };
        let by_label = of(&|issued| issued.label == which);
        if !by_label.is_empty() {
            return Ok(by_label);
        }
        let by_serial = of(&|issued| issued.serial == which);
        if !by_serial.is_empty() {
            return Ok(by_serial);
        }
        let by_id = of(&|issued| which.len() >= 8 && issued.subject.to_string().starts_with(which));
        let first = by_id.first().and_then(|n| self.certificates.get(*n)).map(|issued| issued.subject);
        if by_id.iter().any(|n| self.certificates.get(*n).map(|issued| issued.subject) != first) {
            return Err(Failure::said(format!("{which} begins several members' ids; write more of it")));
        }
        if by_id.is_empty() {
            return Err(Failure::said(format!(
                "no certificate was issued for \"{}\"; `sealnet authority list` shows labels, ids and serial numbers",
                which.escape_debug()
            )));
        }
        Ok(by_id)
    }

    /// Revokes these certificates: the next list, which holds all that still matter.
    pub(in crate::cli) fn revoke(&mut self, authority: &Identity, which: &[usize]) -> Result<Revocations, Failure> {
        let now = second();
        self.epoch += 1;
        for n in which {
            if let Some(issued) = self.certificates.get_mut(*n) {
                issued.revoked.get_or_insert(self.epoch);
            }
        }
        let matters =
            |issued: &&Issued| issued.revoked.is_some() && issued.not_after.saturating_add(KEPT_REVOKED) > now;
        let serials: Result<Vec<Serial>, _> =
            self.certificates.iter().filter(matters).map(|issued| issued.serial.parse()).collect();
        Ok(Revocations::issue(authority, &NetworkHash::secure(&self.network), self.epoch, now, serials?)?)
    }
}

/// Writes a whole text, in one step.
pub(in crate::cli) fn write_file(path: &Path, text: &str, may_replace: bool) -> Result<(), Failure> {
    let mut file = OutFile::begin(path, may_replace)?;
    file.write_all(text.as_bytes())
        .map_err(|error| Failure::said(format!("{} could not be written: {error}", shown(path))))?;
    file.place()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_found_by_label_id_and_number_and_revoked_for_as_long_as_it_matters() {
        let authority = Identity::from_seed(&[9; 32]);
        let mut register = Register::new("lab".parse().unwrap(), authority.id());
        for n in 1..=3 {
            let label = if n == 3 { "two".to_owned() } else { ["", "one", "two"][n].to_owned() };
            let subject = Identity::from_seed(&[n as u8; 32]).id();
            let rights = Rights::LINK | Rights::PUBLISH;
            register.issue(&authority, subject, &label.parse().unwrap(), 1, rights).ok().unwrap();
        }
        assert_eq!(register.find("one").ok().unwrap(), [0]);
        assert_eq!(register.find("two").ok().unwrap(), [1, 2]);
        let id = register.certificates[2].subject.to_string();
        assert_eq!(register.find(&id).ok().unwrap(), [2]);
        assert_eq!(register.find(&id[..8]).ok().unwrap(), [2]);
        assert_eq!(register.find(&register.certificates[0].serial.clone()).ok().unwrap(), [0]);
        assert!(register.find(&id[..7]).is_err() && register.find("three").is_err());

        // One that ended long ago is left out of the next list.
        register.certificates[1].not_after = 5;
        let list = register.revoke(&authority, &[0, 1]).ok().unwrap();
        assert_eq!((list.epoch(), list.serials().len()), (1, 1));
        let list = register.revoke(&authority, &[0, 2]).ok().unwrap();
        assert_eq!((list.epoch(), list.serials().len(), register.certificates[0].revoked), (2, 2, Some(1)));
        assert_eq!(register.certificates[2].status(second()), Status::Revoked);
    }
}
