//! Private keys under a passphrase: PBES2 (RFC 8018) in PKCS#8.

use std::fmt;
use std::io;

use pkcs8::pkcs5::EncryptionScheme;
use pkcs8::pkcs5::pbes2::{Kdf, Parameters, Pbkdf2Params, ScryptParams};
use pkcs8::pkcs5::scrypt;
use pkcs8::{EncryptedPrivateKeyInfoRef, PrivateKeyInfoRef, SecretDocument};
use zeroize::Zeroizing;

use super::KeyFileProblem;

/// What a key file is encrypted under. Wiped from memory when dropped, never printed.
pub struct Passphrase(Zeroizing<Vec<u8>>);

/// The text cannot be a passphrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PassphraseError {
    /// Nothing.
    #[error("an empty passphrase protects nothing; write one, or make the key without")]
    Empty,
    /// Longer than OpenSSL takes.
    #[error("a passphrase has at most {} bytes", Passphrase::MAX_LEN)]
    TooLong,
    /// A line break or a zero byte, which could not be typed again.
    #[error("a passphrase is one line of text")]
    NotALine,
}

impl Passphrase {
    /// The longest passphrase, in bytes: the longest that OpenSSL takes.
    pub const MAX_LEN: usize = 1024;

    /// The passphrase with these bytes, taken as they are: text in UTF-8, as a terminal gives it.
    ///
    /// # Errors
    /// A [`PassphraseError`] if OpenSSL could not open a key under it.
    pub fn new(bytes: impl Into<Zeroizing<Vec<u8>>>) -> Result<Self, PassphraseError> {
        let bytes = bytes.into();
        match bytes.len() {
            0 => Err(PassphraseError::Empty),
            len if len > Self::MAX_LEN => Err(PassphraseError::TooLong),
            _ if bytes.iter().any(|byte| matches!(byte, b'\n' | b'\r' | 0)) => Err(PassphraseError::NotALine),
            _ => Ok(Passphrase(bytes)),
        }
    }

    /// 32 bytes that are dear to guess: scrypt (RFC 7914) with N = 2^`log_n`, r = 8, p = `times`. `None` if that makes no
    /// sense, or takes more memory or work than is bearable.
    #[cfg(feature = "sealed")]
    pub(crate) fn stretch(&self, salt: &[u8], log_n: u8, times: u8) -> Option<Zeroizing<[u8; 32]>> {
        let n = 1_u64.checked_shl(log_n.into())?;
        judge_scrypt(n, BLOCK.into(), times.into()).ok()?;
        let cost = scrypt::Params::new(log_n, BLOCK, times.into()).ok()?;
        let mut stretched = Zeroizing::new([0; 32]);
        scrypt::scrypt(&self.0, salt, &cost, &mut *stretched).ok()?;
        Some(stretched)
    }
}

impl PartialEq for Passphrase {
    fn eq(&self, other: &Self) -> bool {
        use subtle::ConstantTimeEq;
        self.0.as_slice().ct_eq(other.0.as_slice()).into()
    }
}

impl Eq for Passphrase {}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase([redacted])")
    }
}

/// scrypt's cost for new files. Its memory, 16 MiB, is the most that OpenSSL 3 reads (it stops at 32 MiB); doing it five
/// times makes guessing as dear as the other settings OWASP recommends.
const LOG_N: u8 = 14;
const BLOCK: u32 = 8;
const TIMES: u32 = 5;

/// Somebody else may have written the file: reading it takes no more memory than this …
const MAX_MEMORY: u64 = 128 << 20;
/// … and no more work: for scrypt blocks mixed, about three seconds; for PBKDF2 iterations, likewise.
const MAX_SCRYPT_WORK: u64 = 1 << 23;
const MAX_ITERATIONS: u32 = 10_000_000;

/// `info` under `passphrase`: PBES2 with scrypt and AES-256-CBC.
pub(super) fn encrypt(info: &PrivateKeyInfoRef<'_>, passphrase: &Passphrase) -> Result<SecretDocument, KeyFileProblem> {
    let failed = |error: String| KeyFileProblem::Io { doing: "encrypted", error: io::Error::other(error) };
    let (mut salt, mut iv) = ([0; 16], [0; 16]);
    getrandom::fill(&mut salt).and_then(|()| getrandom::fill(&mut iv)).map_err(|error| failed(error.to_string()))?;
    let parameters = || {
        let cost = scrypt::Params::new(LOG_N, BLOCK, TIMES).ok()?;
        Parameters::generate_scrypt_aes256cbc(cost, &salt, iv).ok()
    };
    let parameters = parameters().ok_or_else(|| failed("the cost of scrypt".to_owned()))?;
    info.encrypt_with_params(parameters, &passphrase.0).map_err(|error| failed(error.to_string()))
}

/// The private key in `der`, an `EncryptedPrivateKeyInfo`.
pub(super) fn decrypt(der: &[u8], passphrase: &Passphrase) -> Result<SecretDocument, KeyFileProblem> {
    let info = match EncryptedPrivateKeyInfoRef::try_from(der) {
        Ok(info) => info,
        // An encryption nobody here knows is not told from damage by the parser.
        Err(_) => return Err(KeyFileProblem::OtherEncryption),
    };
    let EncryptionScheme::Pbes2(parameters) = &info.encryption_algorithm else {
        return Err(KeyFileProblem::OtherEncryption);
    };
    judge_cost(&parameters.kdf)?;
    info.decrypt(&passphrase.0).map_err(|error| match error {
        pkcs8::Error::EncryptedPrivateKey(pkcs8::pkcs5::Error::UnsupportedAlgorithm { .. }) => {
            KeyFileProblem::OtherEncryption
        }
        _ => KeyFileProblem::WrongPassphrase,
    })
}

/// Whether deriving the key is bearable. Must come first: the crates below take whatever memory they are told to, and
/// panic at some of what cannot be.
fn judge_cost(kdf: &Kdf) -> Result<(), KeyFileProblem> {
    match kdf {
        Kdf::Scrypt(ScryptParams { cost_parameter: n, block_size: r, parallelization: p, .. }) => {
            judge_scrypt(*n, u64::from(*r), u64::from(*p))
        }
        Kdf::Pbkdf2(Pbkdf2Params { iteration_count, .. }) => match *iteration_count {
            0 => Err(KeyFileProblem::Damaged),
            count if count > MAX_ITERATIONS => Err(KeyFileProblem::PassphraseCost),
            _ => Ok(()),
        },
        _ => Err(KeyFileProblem::OtherEncryption),
    }
}

fn judge_scrypt(n: u64, r: u64, p: u64) -> Result<(), KeyFileProblem> {
    if n < 2 || !n.is_power_of_two() || r == 0 || p == 0 {
        return Err(KeyFileProblem::Damaged);
    }
    let memory = n.saturating_mul(r).saturating_mul(128).max(r * p * 128);
    if memory > MAX_MEMORY || n.saturating_mul(r).saturating_mul(p) > MAX_SCRYPT_WORK {
        return Err(KeyFileProblem::PassphraseCost);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scrypt(cost_parameter: u64, block_size: u16, parallelization: u16) -> Kdf {
        let salt = b"salt".as_slice().try_into().unwrap();
        ScryptParams { salt, cost_parameter, block_size, parallelization, key_length: None }.into()
    }

    #[test]
    fn a_file_cannot_ask_for_more_memory_or_work_than_is_bearable() {
        for (n, r, p) in [(1 << 14, 8, 1), (1 << 14, 8, 5), (1 << 15, 8, 3), (1 << 17, 8, 1), (2, 1, 1)] {
            assert!(judge_cost(&scrypt(n, r, p)).is_ok(), "{n} {r} {p}");
        }
        for (n, r, p) in [
            (1 << 18, 8, 1),
            (1 << 63, 1, 1),
            (1 << 63, u16::MAX, u16::MAX),
            (2, u16::MAX, u16::MAX),
            (1 << 14, 8, 65),
            (1 << 14, u16::MAX, 1),
        ] {
            assert!(matches!(judge_cost(&scrypt(n, r, p)), Err(KeyFileProblem::PassphraseCost)), "{n} {r} {p}");
        }
        for (n, r, p) in [(0, 8, 1), (1, 8, 1), (3, 8, 1), ((1 << 14) + 1, 8, 1), (1 << 14, 0, 1), (1 << 14, 8, 0)] {
            assert!(matches!(judge_cost(&scrypt(n, r, p)), Err(KeyFileProblem::Damaged)), "{n} {r} {p}");
        }
        let pbkdf2 = |count| judge_cost(&Pbkdf2Params::hmac_sha256(count, b"salt").unwrap().into());
        assert!(pbkdf2(2048).is_ok() && pbkdf2(600_000).is_ok());
        assert!(matches!(pbkdf2(0), Err(KeyFileProblem::Damaged)));
        assert!(matches!(pbkdf2(20_000_000), Err(KeyFileProblem::PassphraseCost)));
    }

    #[test]
    fn a_passphrase_is_one_line_that_openssl_takes_and_is_never_printed() {
        for (bytes, error) in [
            (&b""[..], PassphraseError::Empty),
            (&[b'a'; 1025], PassphraseError::TooLong),
            (b"two\nlines", PassphraseError::NotALine),
            (b"zero\0", PassphraseError::NotALine),
        ] {
            assert_eq!(Passphrase::new(bytes.to_vec()), Err(error));
        }
        let passphrase = Passphrase::new("grüße aus 世界".as_bytes().to_vec()).unwrap();
        assert_eq!(format!("{passphrase:?}"), "Passphrase([redacted])");
    }
}
