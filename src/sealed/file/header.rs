//! How a sealed file begins: to whom it is sealed, and what that commits to.

use std::fmt;
use std::io::{BufRead, ErrorKind};

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{FileError, To, With};
use crate::identity::{Passphrase, RandomnessError};
use crate::sealed::content::MAX_READERS;
use crate::sealed::stanza::{self, STANZA, SystemRandom};
use crate::sealed::{ContentKey, SealError, SealKey, SealSecrets};

const MAGIC: &[u8; 8] = b"SEALFILE";
const VERSION: u8 = 1;
const READERS: u8 = 0;
const PASSPHRASE: u8 = 1;
const INFO: &[u8] = b"sealnet/1 file\0";
const KEYS: &[u8] = b"sealnet/1 file-keys\0";
const COMMITMENT: usize = 32;
const SALT: usize = 16;

/// scrypt's cost for new files: 64 MiB, and as dear to guess as the other settings OWASP recommends.
const LOG_N: u8 = 16;
const TIMES: u8 = 2;

/// The beginning of a sealed file.
#[derive(Clone, PartialEq, Eq)]
pub struct Header {
    bytes: Vec<u8>,
}

impl Header {
    /// A new one, and the key of the file.
    pub(super) fn make(to: To<'_>) -> Result<(Self, ContentKey), FileError> {
        let mut bytes = MAGIC.to_vec();
        bytes.push(VERSION);
        let key = match to {
            To::Readers(readers) => Self::for_readers(&mut bytes, readers)?,
            To::Passphrase(passphrase) => {
                let mut salt = [0; SALT];
                getrandom::fill(&mut salt).map_err(RandomnessError::from)?;
                bytes.extend_from_slice(&[PASSPHRASE, LOG_N, TIMES]);
                bytes.extend_from_slice(&salt);
                stretched(passphrase, &salt, LOG_N, TIMES)?
            }
        };
        let commitment = commitment(&key, &bytes);
        bytes.extend_from_slice(&*commitment);
        Ok((Header { bytes }, key))
    }

    fn for_readers(bytes: &mut Vec<u8>, readers: &[SealKey]) -> Result<ContentKey, FileError> {
        let mut different: Vec<&SealKey> = Vec::new();
        for reader in readers {
            if !different.contains(&reader) {
                different.push(reader);
            }
        }
        let n = match (different.len(), u8::try_from(different.len())) {
            (0, _) => return Err(SealError::NoReaders.into()),
            (..=MAX_READERS, Ok(n)) => n,
            (count, _) => return Err(SealError::TooManyReaders { count }.into()),
        };
        let (key, mut random) = (ContentKey::generate()?, SystemRandom::default());
        bytes.extend_from_slice(&[READERS, n]);
        for reader in different {
            let stanza = stanza::seal(INFO, reader, &key, &mut random);
            bytes.extend_from_slice(&stanza.ok_or(SealError::Refused(*reader))?);
        }
        Ok(random.vouch(key)?)
    }

    /// Reads the beginning of a sealed file, and no byte more.
    ///
    /// # Errors
    /// If it is none, or cut off.
    pub fn read(input: &mut impl BufRead) -> Result<Self, FileError> {
        let mut header = Header { bytes: Vec::with_capacity(MAGIC.len() + 3 + SALT + COMMITMENT) };
        match header.take(MAGIC.len(), input) {
            Ok(magic) if magic == MAGIC => {}
            Ok(_) | Err(FileError::CutOff) => return Err(FileError::NotSealed),
            Err(error) => return Err(error),
        }
        match *header.take(2, input)? {
            [VERSION, READERS] => {
                let n = header.take(1, input)?.first().copied().map_or(0, usize::from);
                if !(1..=MAX_READERS).contains(&n) {
                    return Err(FileError::Header);
                }
                header.take(n * STANZA, input)?;
            }
            [VERSION, PASSPHRASE] => drop(header.take(2 + SALT, input)?),
            [VERSION, _] => return Err(FileError::Header),
            [version, _] => return Err(FileError::Version(version)),
            _ => return Err(FileError::CutOff),
        }
        header.take(COMMITMENT, input)?;
        Ok(header)
    }

    /// Reads so many bytes more.
    fn take(&mut self, len: usize, input: &mut impl BufRead) -> Result<&[u8], FileError> {
        let start = self.bytes.len();
        self.bytes.resize(start + len, 0);
        match input.read_exact(&mut self.bytes[start..]) {
            Ok(()) => Ok(&self.bytes[start..]),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Err(FileError::CutOff),
            Err(error) => Err(FileError::Read(error)),
        }
    }

    /// Whether it takes a passphrase to open the file, not a key.
    pub fn needs_passphrase(&self) -> bool {
        self.bytes.get(MAGIC.len() + 1) == Some(&PASSPHRASE)
    }

    /// The header as it stands in the file.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The key of the file, checked against the commitment.
    pub(super) fn key(&self, with: With<'_>) -> Result<ContentKey, FileError> {
        let (head, committed) = self.bytes.split_at(self.bytes.len().saturating_sub(COMMITMENT));
        let parts = head.get(MAGIC.len() + 2..).unwrap_or_default();
        let (key, otherwise) = match (self.needs_passphrase(), with) {
            (true, With::Passphrase(passphrase)) => {
                let [log_n, times, salt @ ..] = parts else { return Err(FileError::Header) };
                (stretched(passphrase, salt, *log_n, *times)?, FileError::WrongPassphrase)
            }
            (false, With::Secrets(secrets)) => {
                (opened(parts.get(1..).unwrap_or_default(), secrets)?, FileError::Commitment)
            }
            (true, With::Secrets(_)) => return Err(FileError::NeedsPassphrase),
            (false, With::Passphrase(_)) => return Err(FileError::NeedsKey),
        };
        if committed.ct_eq(&*commitment(&key, head)).into() { Ok(key) } else { Err(otherwise) }
    }
}

fn opened(stanzas: &[u8], secrets: &SealSecrets) -> Result<ContentKey, FileError> {
    let mut found = false;
    for stanza in stanzas.chunks_exact(STANZA) {
        for secret in secrets.iter().filter(|secret| stanza::is_for(stanza, secret.key())) {
            found = true;
            if let Some(key) = stanza::open(INFO, stanza, secret) {
                return Ok(key);
            }
        }
    }
    Err(if found { FileError::Stanza } else { FileError::NotForYou { readers: stanzas.len() / STANZA } })
}

fn stretched(passphrase: &Passphrase, salt: &[u8], log_n: u8, times: u8) -> Result<ContentKey, FileError> {
    let salt = [INFO, salt].concat();
    let key: Zeroizing<[u8; 32]> = passphrase.stretch(&salt, log_n, times).ok_or(FileError::PassphraseCost)?;
    Ok(ContentKey::from_bytes(&key))
}

fn commitment(key: &ContentKey, head: &[u8]) -> Zeroizing<[u8; 32]> {
    key.derive(KEYS, &[b"commit\0", &Sha256::digest(head)])
}

/// The key of the chunks.
pub(super) fn body_key(key: &ContentKey) -> Zeroizing<[u8; 32]> {
    key.derive(KEYS, &[b"body\0"])
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Header").field("needs_passphrase", &self.needs_passphrase()).finish_non_exhaustive()
    }
}
